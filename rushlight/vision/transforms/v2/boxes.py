"""What transforms do to `tv_tensors.BoundingBoxes`: those that move pixels move the corners; others let them pass.

A box that is turned or bent becomes the rectangle around its four corners. Boxes are cut off at the canvas's edges.
`kernel` is asked by the functions of `transforms.functional` when their picture is a BoundingBoxes; each kernel below
takes corners (N, 4) as x1, y1, x2, y2 with the canvas (height, width), and returns both.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

import rushlight
from rushlight.vision.transforms import functional as F
from rushlight.vision.transforms import pixels
from rushlight.vision.tv_tensors import BoundingBoxes, BoundingBoxFormat, wrap

Canvas = tuple[int, int]
Format = BoundingBoxFormat | str


def kernel(name: str, picture_kernel: Callable[..., Any]) -> Callable[..., Any]:
    """What function `name` does to boxes."""
    if name == "get_dimensions":
        return lambda boxes: [1, *boxes.canvas_size]
    move = KERNELS.get(name)
    if move is None:
        raise TypeError(f"Functional F.{name} supports pictures, but got {BoundingBoxes} instead.")

    def moved(boxes: BoundingBoxes, *args: Any, **kwargs: Any) -> Any:
        # Where boxes only move, halves of whole numbers last until the end; elsewhere corners are whole first.
        plain = boxes.to(rushlight.float64) if name in _ONLY_MOVING else boxes  # type: ignore[attr-defined]
        if name == "resize":  # the four numbers scale in every format
            found, canvas = move(boxes.view_as(boxes), boxes.canvas_size, *args, **kwargs)  # type: ignore[attr-defined]
            return wrap(_as_dtype(found, boxes), like=boxes, canvas_size=canvas)
        corners, canvas = move(corners_of(plain), boxes.canvas_size, *args, **kwargs)
        if boxes.clamping_mode is not None and name not in ("hflip", "vflip"):
            corners = _cut(corners, canvas)
        found = from_corners(corners, boxes.format)
        return wrap(_as_dtype(found, boxes), like=boxes, canvas_size=canvas)

    return moved


_ONLY_MOVING = ("hflip", "vflip", "crop", "center_crop", "pad")


def _as_dtype(found: Any, boxes: Any) -> Any:
    return found.to(boxes.dtype)


# ---- formats


def corners_of(boxes: Any, format: Format | None = None) -> Any:
    """The numbers as x1, y1, x2, y2."""
    kind = _format(boxes.format if format is None else format)
    plain = boxes.view_as(boxes)
    if kind is BoundingBoxFormat.XYXY:
        return plain
    start, size = plain[..., :2], plain[..., 2:]
    if kind is BoundingBoxFormat.CXCYWH:
        # Whole numbers are computed as floats and cut off at the end, as in torchvision.
        start = start - size / 2
    return rushlight.cat([start, start + size], -1).to(plain.dtype)


def from_corners(corners: Any, format: Format) -> Any:
    """x1, y1, x2, y2 in another format."""
    kind = _format(format)
    if kind is BoundingBoxFormat.XYXY:
        return corners
    start, end = corners[..., :2], corners[..., 2:]
    if kind is BoundingBoxFormat.CXCYWH:
        total = start + end
        middle = total / 2 if corners.is_floating_point() else rushlight.div(total, 2, rounding_mode="floor")
        return rushlight.cat([middle, end - start], -1)
    return rushlight.cat([start, end - start], -1)


ROTATED = ("XYWHR", "CXCYWHR", "XYXYXYXY")


def _format(format: Format) -> BoundingBoxFormat:
    if isinstance(format, str) and format.upper() in ROTATED:
        raise NotImplementedError(f"boxes of format {format.upper()}: Rushlight has no rotated boxes")
    return BoundingBoxFormat[format.upper()] if isinstance(format, str) else format


def _cut(corners: Any, canvas: Canvas) -> Any:
    height, width = canvas
    x, y = corners[..., 0::2].clamp(0, width), corners[..., 1::2].clamp(0, height)
    return rushlight.stack([x[..., 0], y[..., 0], x[..., 1], y[..., 1]], -1)


# ---- kernels


def _hflip(corners: Any, canvas: Canvas) -> tuple[Any, Canvas]:
    width = canvas[1]
    x1, y1, x2, y2 = corners.unbind(-1)
    return rushlight.stack([width - x2, y1, width - x1, y2], -1), canvas


def _vflip(corners: Any, canvas: Canvas) -> tuple[Any, Canvas]:
    height = canvas[0]
    x1, y1, x2, y2 = corners.unbind(-1)
    return rushlight.stack([x1, height - y2, x2, height - y1], -1), canvas


def _crop(corners: Any, canvas: Canvas, top: int, left: int, height: int, width: int) -> tuple[Any, Canvas]:
    return corners - _number([left, top, left, top], corners), (height, width)


def _center_crop(corners: Any, canvas: Canvas, output_size: int | Sequence[int]) -> tuple[Any, Canvas]:
    height, width = F.as_pair(output_size)
    top, left = int(round((canvas[0] - height) / 2.0)), int(round((canvas[1] - width) / 2.0))
    return _crop(corners, canvas, top, left, height, width)


def _pad(
    corners: Any, canvas: Canvas, padding: Any, fill: Any = 0, padding_mode: str = "constant"
) -> tuple[Any, Canvas]:
    if padding_mode != "constant":
        raise ValueError(f"Padding mode '{padding_mode}' is not supported with bounding boxes")
    left, top, right, bottom = F.four_sides(padding)
    wider = (canvas[0] + top + bottom, canvas[1] + left + right)
    return corners + _number([left, top, left, top], corners), wider


def _resize(
    corners: Any,
    canvas: Canvas,
    size: Any,
    interpolation: Any = None,
    max_size: int | None = None,
    antialias: Any = None,
) -> tuple[Any, Canvas]:
    height, width = F.resized_canvas(*canvas, size, max_size)
    ratio = [width / canvas[1], height / canvas[0]] * 2
    return corners * rushlight.tensor(ratio, dtype=_wide(corners)), (height, width)


def _resized_crop(
    corners: Any, canvas: Canvas, top: int, left: int, height: int, width: int, size: Any, *_: Any, **__: Any
) -> tuple[Any, Canvas]:
    cropped, canvas = _crop(corners, canvas, top, left, height, width)
    return _resize(_cut(cropped, canvas), canvas, size)


def _affine(
    corners: Any, canvas: Canvas, angle: float, translate: Any, scale: float, shear: Any, interpolation: Any = None,
    fill: Any = None, center: Any = None,
) -> tuple[Any, Canvas]:  # fmt: skip
    shears = F._checked_affine(angle, translate, scale, shear)
    middle = _middle(canvas, center)
    looked_up = F._inverse_affine_matrix(middle, angle, list(translate), scale, shears)
    return _around(corners, _inverted([*looked_up, 0, 0, 1])), canvas


def _rotate(
    corners: Any, canvas: Canvas, angle: float, interpolation: Any = None, expand: bool = False, center: Any = None,
    fill: Any = None,
) -> tuple[Any, Canvas]:  # fmt: skip
    looked_up = F._inverse_affine_matrix(_middle(canvas, center), -angle, [0.0, 0.0], 1.0, [0.0, 0.0])
    forth = _inverted([*looked_up, 0, 0, 1])
    turned = _around(corners, forth)
    if not expand:
        return turned, canvas
    height, width = canvas
    points = forth[:2] @ np.array([[0, 0, 1], [0, height, 1], [width, height, 1], [width, 0, 1]], float).T
    return turned - _number([*points.min(1), *points.min(1)], turned), pixels.turned_size(looked_up, height, width)


def _perspective(
    corners: Any, canvas: Canvas, startpoints: Any, endpoints: Any, interpolation: Any = None, fill: Any = None,
    coefficients: Sequence[float] | None = None,
) -> tuple[Any, Canvas]:  # fmt: skip
    looked_up = F._perspective_coefficients(startpoints, endpoints) if coefficients is None else list(coefficients)
    return _around(corners, _inverted([*looked_up, 1])), canvas


def _elastic(
    corners: Any, canvas: Canvas, displacement: Any, interpolation: Any = None, fill: Any = None
) -> tuple[Any, Canvas]:
    height, width = canvas
    moves = displacement[0].to(rushlight.float64).numpy()
    points = _four_corners(corners)
    column = np.clip(np.ceil(points[..., 0]), 0, width - 1).astype(int)
    row = np.clip(np.ceil(points[..., 1]), 0, height - 1).astype(int)
    back = np.stack([(2 * column + 1) / width - 1, (2 * row + 1) / height - 1], -1) - moves[row, column]
    moved = ((back + 1) * np.array([width, height]) - 1) / 2
    return _bounds(moved, corners), canvas


KERNELS: dict[str, Callable[..., tuple[Any, Canvas]]] = {
    "hflip": _hflip,
    "vflip": _vflip,
    "crop": _crop,
    "center_crop": _center_crop,
    "pad": _pad,
    "resize": _resize,
    "resized_crop": _resized_crop,
    "affine": _affine,
    "rotate": _rotate,
    "perspective": _perspective,
    "elastic_transform": _elastic,
}


def _number(values: Sequence[float], like: Any) -> Any:
    whole = all(float(value).is_integer() for value in values)
    return rushlight.tensor([int(v) if whole else v for v in values], dtype=like.dtype if whole else _wide(like))


def _wide(corners: Any) -> Any:
    return corners.dtype if corners.is_floating_point() else rushlight.float32


def _middle(canvas: Canvas, center: Sequence[float] | None) -> list[float]:
    return [canvas[1] * 0.5, canvas[0] * 0.5] if center is None else [float(value) for value in center]


def _inverted(matrix: Sequence[float]) -> np.ndarray[Any, Any]:
    """From input to output: the inverse of what a picture's pixels are looked up by."""
    return np.linalg.inv(np.array(matrix, np.float64).reshape(3, 3))


def _four_corners(corners: Any) -> np.ndarray[Any, Any]:
    """The corner points (N, 4, 2) of the boxes."""
    numbers = corners.to(rushlight.float64).numpy().reshape(-1, 4)
    return numbers[:, [[0, 1], [2, 1], [2, 3], [0, 3]]]  # type: ignore[no-any-return]


def _around(corners: Any, matrix: np.ndarray[Any, Any]) -> Any:
    """The rectangles around the boxes' corners, moved by the matrix."""
    points = _four_corners(corners)
    moved = np.concatenate([points, np.ones((*points.shape[:2], 1))], -1) @ matrix.T
    return _bounds(moved[..., :2] / moved[..., 2:], corners)


def _bounds(points: np.ndarray[Any, Any], like: Any) -> Any:
    bounds = np.concatenate([points.min(1), points.max(1)], -1) if len(points) else np.empty((0, 4))
    return rushlight.tensor(bounds, dtype=_wide(like))


# ---- what is done to boxes alone


def convert_bounding_box_format(
    inpt: Any, old_format: Format | None = None, new_format: Format | None = None, inplace: bool = False
) -> Any:
    """The boxes in another format. A plain tensor needs `old_format`; BoundingBoxes must not have it.

    Raises ValueError for that, and TypeError without `new_format`.
    """
    if new_format is None:
        raise TypeError("convert_bounding_box_format() missing 1 required argument: 'new_format'")
    typed = isinstance(inpt, BoundingBoxes)
    _check_given(typed, [old_format], "`old_format`")
    found = _converted(inpt.view_as(inpt), _format(inpt.format if typed else old_format), _format(new_format))  # type: ignore[arg-type]
    return wrap(found, like=inpt, format=_format(new_format)) if typed else found


def _converted(plain: Any, old: BoundingBoxFormat, new: BoundingBoxFormat) -> Any:
    if old is new:
        return plain
    return from_corners(corners_of(plain, old), new)


def clamp_bounding_boxes(
    inpt: Any, format: Format | None = None, canvas_size: Any = None, clamping_mode: str | None = "auto"
) -> Any:
    """The boxes cut off at the canvas's edges; as they are where `clamping_mode` is None.

    A plain tensor needs all three arguments, as boxes have theirs. Raises ValueError otherwise.
    """
    typed = isinstance(inpt, BoundingBoxes)
    if not typed and (format is None or canvas_size is None or clamping_mode == "auto"):
        raise ValueError("For pure tensor inputs, `format`, `canvas_size` and `clamping_mode` have to be passed.")
    _check_given(typed, [format, canvas_size] if typed else [], "`format` and `canvas_size`")
    if (inpt.clamping_mode if clamping_mode == "auto" else clamping_mode) is None:
        return inpt
    kind = _format(inpt.format if format is None else format)
    canvas = inpt.canvas_size if canvas_size is None else tuple(canvas_size)
    exact = inpt.view_as(inpt) if inpt.is_floating_point() else inpt.view_as(inpt).to(rushlight.float32)
    found = from_corners(_cut(corners_of(exact, kind), canvas), kind).to(inpt.dtype)
    return wrap(found, like=inpt) if typed else found


def _check_given(typed: bool, values: Sequence[Any], names: str) -> None:
    if not typed and any(value is None for value in values):
        raise ValueError(f"For pure tensor inputs, {names} has to be passed.")
    if typed and any(value is not None for value in values):
        raise ValueError(f"For bounding box tv_tensor inputs, {names} must not be passed.")


def valid_boxes(corners: Any, canvas: Canvas, min_size: float, min_area: float) -> Any:
    """Which boxes (N,) are large enough and inside the canvas."""
    x1, y1, x2, y2 = corners.unbind(-1)
    width, height = x2 - x1, y2 - y1
    large = (width >= min_size) & (height >= min_size) & (width * height >= min_area)
    inside = (
        (corners >= 0).all(-1) & (corners[..., 0::2] <= canvas[1]).all(-1) & (corners[..., 1::2] <= canvas[0]).all(-1)
    )
    return large & inside


def sanitize_bounding_boxes(
    bounding_boxes: Any, format: Format | None = None, canvas_size: Any = None, min_size: float = 1.0,
    min_area: float = 1.0,
) -> tuple[Any, Any]:  # fmt: skip
    """The boxes that are large enough and inside the canvas, and a bool for each box given whether it is among them."""
    typed = isinstance(bounding_boxes, BoundingBoxes)
    _check_given(typed, [format, canvas_size], "`format` and `canvas_size`")
    canvas = bounding_boxes.canvas_size if typed else tuple(canvas_size)
    valid = valid_boxes(corners_of(bounding_boxes, format), canvas, min_size, min_area)
    plain = bounding_boxes.view_as(bounding_boxes)[valid]
    return wrap(plain, like=bounding_boxes) if typed else plain, valid
