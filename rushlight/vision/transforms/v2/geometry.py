"""transforms.v2's transforms of size and place for detection, and those of boxes alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import rushlight
from rushlight import nn
from rushlight.vision.ops.boxes import box_iou
from rushlight.vision.transforms import functional as v1
from rushlight.vision.transforms.randomized import fill_of_kind
from rushlight.vision.transforms.v2 import Transform
from rushlight.vision.transforms.v2 import functional as F
from rushlight.vision.transforms.v2.augment import labels_getter_of
from rushlight.vision.transforms.v2.boxes import (
    clamp_bounding_boxes,
    convert_bounding_box_format,
    corners_of,
    valid_boxes,
)
from rushlight.vision.transforms.v2.keypoints import clamp_keypoints, valid_points
from rushlight.vision.transforms.v2.structure import Described, flatten, pictures
from rushlight.vision.tv_tensors import BoundingBoxes, BoundingBoxFormat, KeyPoints, Mask, wrap


def _size_of(flat_inputs: list[Any]) -> tuple[int, int]:
    _, height, width = v1.get_dimensions(flat_inputs[pictures(flat_inputs)[0]])
    return height, width


class ConvertBoundingBoxFormat(Described, nn.Module):
    """The boxes of a sample in another format."""

    def __init__(self, format: str | BoundingBoxFormat) -> None:
        super().__init__()
        self.format = format

    def forward(self, *inputs: Any) -> Any:
        """The sample with its boxes converted."""
        leaves, rebuild = flatten(inputs[0] if len(inputs) == 1 else inputs)
        convert = lambda x: (
            convert_bounding_box_format(x, new_format=self.format) if isinstance(x, BoundingBoxes) else x
        )
        return rebuild([convert(leaf) for leaf in leaves])


class ClampBoundingBoxes(Described, nn.Module):
    """The boxes of a sample cut off at the edges of their canvas.

    `clamping_mode` None leaves them as they are, "auto" asks the boxes.
    """

    def __init__(self, clamping_mode: str | None = "auto") -> None:
        super().__init__()
        self.clamping_mode = clamping_mode

    def forward(self, *inputs: Any) -> Any:
        """The sample with its boxes cut off."""
        leaves, rebuild = flatten(inputs[0] if len(inputs) == 1 else inputs)
        mode = self.clamping_mode
        return rebuild(
            [clamp_bounding_boxes(x, None, None, mode) if isinstance(x, BoundingBoxes) else x for x in leaves]
        )


class SetClampingMode(Described, nn.Module):
    """The boxes of a sample with another `clamping_mode` for later transforms: "soft", "hard" or None."""

    def __init__(self, clamping_mode: str | None) -> None:
        super().__init__()
        if clamping_mode not in (None, "soft", "hard"):
            raise ValueError(f"clamping_mode must be soft, hard or None, got {clamping_mode}")
        self.clamping_mode = clamping_mode

    def forward(self, *inputs: Any) -> Any:
        """The sample with the mode set."""
        leaves, rebuild = flatten(inputs[0] if len(inputs) == 1 else inputs)
        return rebuild([self._set(leaf) if isinstance(leaf, BoundingBoxes) else leaf for leaf in leaves])

    def _set(self, boxes: Any) -> Any:
        return wrap(boxes.clone(), like=boxes, clamping_mode=self.clamping_mode)


class ClampKeyPoints(nn.Module):
    """The points of a sample that lie outside of their canvas, moved to its rim."""

    def forward(self, *inputs: Any) -> Any:
        """The sample with its points moved."""
        leaves, rebuild = flatten(inputs[0] if len(inputs) == 1 else inputs)
        return rebuild([clamp_keypoints(leaf) if isinstance(leaf, KeyPoints) else leaf for leaf in leaves])


class SanitizeKeyPoints(nn.Module):
    """Drops points, or groups of them (N, ..., 2), that reach out of their canvas, and with them their labels.

    Args:
        labels_getter: finds the labels (N,), or several of them, in the sample; None where there are none.
    """

    def __init__(self, labels_getter: Any = None) -> None:
        super().__init__()
        self.labels_getter = labels_getter
        self._labels_getter = labels_getter_of(labels_getter)

    def forward(self, *inputs: Any) -> Any:
        """The sample without those points. Raises ValueError where points and labels differ in number."""
        sample = inputs[0] if len(inputs) == 1 else inputs
        found = self._labels_getter(sample)
        labels = [] if found is None else list(found) if isinstance(found, (list, tuple)) else [found]
        leaves, rebuild = flatten(sample)
        points = next((leaf for leaf in leaves if isinstance(leaf, KeyPoints)), None)
        if points is None:
            raise ValueError("No keypoints were found in the sample")
        for label in labels:
            if len(label) != len(points):
                raise ValueError(f"Number of kepyoints (shape={points.shape}) must match the number of labels."
                                 f"Found labels with shape={label.shape}).")  # fmt: skip
        valid = valid_points(points.view_as(points), points.canvas_size)  # type: ignore[attr-defined]
        return rebuild([self._kept(leaf, labels, valid) for leaf in leaves])

    def _kept(self, leaf: Any, labels: list[Any], valid: Any) -> Any:
        if isinstance(leaf, KeyPoints):
            return wrap(leaf.view_as(leaf)[valid], like=leaf)  # type: ignore[attr-defined]
        return leaf[valid] if any(leaf is label for label in labels) else leaf


class SanitizeBoundingBoxes(Described, nn.Module):
    """Drops boxes that are too small or reach out of their canvas, and with them their labels and masks.

    Args:
        min_size: the least width and height. min_area: the least product of the two.
        labels_getter: finds the labels (N,), or several of them, in the sample; None where there are none.
    """

    def __init__(self, min_size: float = 1.0, min_area: float = 1.0, labels_getter: Any = "default") -> None:
        super().__init__()
        if min_size < 1:
            raise ValueError(f"min_size must be >= 1, got {min_size}.")
        if min_area < 1:
            raise ValueError(f"min_area must be >= 1, got {min_area}.")
        self.min_size, self.min_area = min_size, min_area
        self._labels_getter = labels_getter_of(labels_getter)

    def forward(self, *inputs: Any) -> Any:
        """The sample without those boxes. Raises ValueError where boxes and labels differ in number."""
        sample = inputs[0] if len(inputs) == 1 else inputs
        found = self._labels_getter(sample)
        labels = [] if found is None else list(found) if isinstance(found, (list, tuple)) else [found]
        leaves, rebuild = flatten(sample)
        boxes = _the_boxes(leaves)
        for label in labels:
            if not isinstance(label, rushlight.Tensor):
                raise ValueError(
                    f"The labels in the input to forward() must be a tensor or None, got {type(label)} instead."
                )
            if len(label) != len(boxes):
                raise ValueError(f"Number of boxes (shape={boxes.shape}) and must match the number of labels. "
                                 f"Found labels with shape={label.shape}.")  # fmt: skip
        valid = valid_boxes(corners_of(boxes), boxes.canvas_size, self.min_size, self.min_area)
        return rebuild([self._kept(leaf, labels, len(boxes), valid) for leaf in leaves])

    def _kept(self, leaf: Any, labels: list[Any], count: int, valid: Any) -> Any:
        if isinstance(leaf, BoundingBoxes) or (isinstance(leaf, Mask) and leaf.dim() > 2 and len(leaf) == count):
            return wrap(leaf.view_as(leaf)[valid], like=leaf)  # type: ignore[union-attr]
        return leaf[valid] if any(leaf is label for label in labels) else leaf


def _the_boxes(leaves: list[Any]) -> Any:
    found = [leaf for leaf in leaves if isinstance(leaf, BoundingBoxes)]
    if len(found) != 1:
        raise ValueError(f"The sample must have one set of bounding boxes, found {len(found)}")
    return found[0]


class RandomZoomOut(Transform):
    """With probability `p`, the sample somewhere on a larger canvas (W. Liu et al., arXiv:1512.02325).

    Args:
        fill: of the canvas. side_range: the least and the largest factor of the sides.
    """

    def __init__(self, fill: Any = 0, side_range: Sequence[float] = (1.0, 4.0), p: float = 0.5) -> None:
        super().__init__()
        if side_range[0] < 1.0 or side_range[0] > side_range[1]:
            raise ValueError(f"Invalid side range provided {side_range}.")
        self.p, self.fill, self.side_range = p, fill, side_range

    def forward(self, *inputs: Any) -> Any:
        """The sample, on a larger canvas or as it is."""
        if rushlight.rand(1) >= self.p:
            return inputs[0] if len(inputs) == 1 else inputs
        return super().forward(*inputs)

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        """Draws the size and the place."""
        height, width = _size_of(flat_inputs)
        r = self.side_range[0] + float(rushlight.rand(1)) * (self.side_range[1] - self.side_range[0])
        wide, high = int(width * r), int(height * r)
        across, down = rushlight.rand(2).tolist()
        left, top = int((wide - width) * across), int((high - height) * down)
        return {"padding": [left, top, wide - (left + width), high - (top + height)]}

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        return F.pad(inpt, params["padding"], fill_of_kind(inpt, self.fill))


class _Resized(Transform):
    """Another size, drawn by `make_params`."""

    interpolation: Any
    antialias: bool | None

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        return F.resize(inpt, params["size"], self.interpolation, antialias=self.antialias)


class ScaleJitter(_Resized):
    """The picture at a random scale of what fits into `target_size` (G. Ghiasi et al., arXiv:2012.07177)."""

    def __init__(
        self, target_size: Sequence[int], scale_range: Sequence[float] = (0.1, 2.0),
        interpolation: Any = "bilinear", antialias: bool | None = True,
    ) -> None:  # fmt: skip
        super().__init__()
        self.target_size, self.scale_range = target_size, scale_range
        self.interpolation, self.antialias = interpolation, antialias

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        """Draws the size."""
        height, width = _size_of(flat_inputs)
        low, high = self.scale_range
        scale = low + float(rushlight.rand(1)) * (high - low)
        r = min(self.target_size[1] / height, self.target_size[0] / width) * scale
        return {"size": (int(height * r), int(width * r))}


class RandomShortestSize(_Resized):
    """The shorter side of one of the sizes given; the longer side at most `max_size`."""

    def __init__(
        self, min_size: int | Sequence[int], max_size: int | None = None,
        interpolation: Any = "bilinear", antialias: bool | None = True,
    ) -> None:  # fmt: skip
        super().__init__()
        self.min_size = [min_size] if isinstance(min_size, int) else list(min_size)
        self.max_size, self.interpolation, self.antialias = max_size, interpolation, antialias

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        """Draws the size."""
        height, width = _size_of(flat_inputs)
        shortest = self.min_size[int(rushlight.randint(len(self.min_size), ()))]
        r = shortest / min(height, width)
        if self.max_size is not None:
            r = min(r, self.max_size / max(height, width))
        return {"size": (int(height * r), int(width * r))}


class RandomResize(_Resized):
    """The shorter side from `min_size` to `max_size`, exclusive."""

    def __init__(
        self,
        min_size: int,
        max_size: int,
        interpolation: Any = "bilinear",
        antialias: bool | None = True,
    ) -> None:
        super().__init__()
        self.min_size, self.max_size = min_size, max_size
        self.interpolation, self.antialias = interpolation, antialias

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        """Draws the size."""
        return {"size": [int(rushlight.randint(self.min_size, self.max_size, ()))]}


class RandomIoUCrop(Transform):
    """A part of the picture that overlaps some box by at least a drawn amount (W. Liu et al., arXiv:1512.02325).

    Boxes whose middle is outside of it become empty: `SanitizeBoundingBoxes` drops them and their labels.

    Args:
        min_scale, max_scale: of the part's sides. min_aspect_ratio, max_aspect_ratio: width over height.
        sampler_options: the overlaps to choose from; 1 or more leaves the picture whole.
        trials: how often a part is drawn before another overlap is.
    """

    def __init__(
        self, min_scale: float = 0.3, max_scale: float = 1.0, min_aspect_ratio: float = 0.5,
        max_aspect_ratio: float = 2.0, sampler_options: Sequence[float] | None = None, trials: int = 40,
    ) -> None:  # fmt: skip
        super().__init__()
        self.min_scale, self.max_scale = min_scale, max_scale
        self.min_aspect_ratio, self.max_aspect_ratio = min_aspect_ratio, max_aspect_ratio
        self.options = list(sampler_options or (0.0, 0.1, 0.3, 0.5, 0.7, 0.9, 1.0))
        self.trials = trials

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        """Draws the part; {} for the whole picture. Raises TypeError for a sample without boxes."""
        if not any(isinstance(leaf, BoundingBoxes) for leaf in flat_inputs):
            raise TypeError(
                "RandomIoUCrop() requires input sample to contain tensor or PIL images and bounding boxes. Sample can "
                "also contain masks."
            )
        size = _size_of(flat_inputs)
        corners = corners_of(_the_boxes(flat_inputs)).float()
        while True:
            least = self.options[int(rushlight.randint(len(self.options), size=(1,)))]
            if least >= 1.0:
                return {}
            for _ in range(self.trials):
                part = self._part(size)
                inside = None if part is None else _inside(corners, part)
                if part is not None and inside is not None and _overlaps(corners[inside], part, least):
                    return {"part": part, "inside": inside}

    def _part(self, size: tuple[int, int]) -> tuple[int, int, int, int] | None:
        """Draws left, top, right, bottom; None for what is too narrow or empty."""
        height, width = size
        across, down = (self.min_scale + (self.max_scale - self.min_scale) * rushlight.rand(2)).tolist()
        w, h = int(width * across), int(height * down)
        if not h or not self.min_aspect_ratio <= w / h <= self.max_aspect_ratio:
            return None
        across, down = rushlight.rand(2).tolist()
        left, top = int((width - w) * across), int((height - h) * down)
        return None if not w else (left, top, left + w, top + h)

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        if not params:
            return inpt
        left, top, right, bottom = params["part"]
        found = v1.crop(inpt, top, left, bottom - top, right - left)
        if isinstance(found, BoundingBoxes):
            found[~params["inside"]] = 0
        return found


def _inside(corners: Any, part: tuple[int, int, int, int]) -> Any:
    """Which boxes have their middle in the part; None if none has."""
    left, top, right, bottom = part
    middle = (corners[:, :2] + corners[:, 2:]) / 2
    found = (left < middle[:, 0]) & (middle[:, 0] < right) & (top < middle[:, 1]) & (middle[:, 1] < bottom)
    return found if found.any() else None


def _overlaps(corners: Any, part: tuple[int, int, int, int], least: float) -> bool:
    return float(box_iou(corners, rushlight.tensor([part], dtype=corners.dtype)).max()) >= least


__all__ = ["ClampBoundingBoxes", "ClampKeyPoints", "ConvertBoundingBoxFormat", "RandomIoUCrop", "RandomResize",
           "RandomShortestSize", "RandomZoomOut", "SanitizeBoundingBoxes", "SanitizeKeyPoints", "ScaleJitter",
           "SetClampingMode"]  # fmt: skip
