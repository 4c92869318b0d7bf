"""Anchors: the boxes that detectors start from, the same few at every place of every map.

`AnchorGenerator` gives them sizes in pixels (Faster R-CNN, RetinaNet, FCOS), `DefaultBoxGenerator` shares of the
picture (SSD). Both are called with the pictures and their maps, and hand back the corners (A, 4) of each picture's
anchors: map after map, row by row, place by place.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import rushlight
from rushlight import nn
from rushlight.vision.models.detection.image_list import ImageList

__all__ = ["AnchorGenerator", "DefaultBoxGenerator"]


class AnchorGenerator(nn.Module):
    """Anchors of given sizes and aspect ratios for each map.

    Args:
        sizes: for each map, the square roots of the anchors' areas; numbers alone are one map each.
        aspect_ratios: for each map, heights over widths; numbers alone hold for every map.

    >>> from rushlight.vision.models.detection.anchor_utils import AnchorGenerator
    >>> AnchorGenerator(((32,), (64,)), ((0.5, 1.0, 2.0),) * 2).num_anchors_per_location()
    [3, 3]
    """

    def __init__(self, sizes: Any = ((128, 256, 512),), aspect_ratios: Any = ((0.5, 1.0, 2.0),)) -> None:
        super().__init__()
        if not isinstance(sizes[0], list | tuple):
            sizes = tuple((size,) for size in sizes)
        if not isinstance(aspect_ratios[0], list | tuple):
            aspect_ratios = (aspect_ratios,) * len(sizes)
        self.sizes, self.aspect_ratios = sizes, aspect_ratios
        self.cell_anchors = [
            self.generate_anchors(size, ratio) for size, ratio in zip(sizes, aspect_ratios, strict=False)
        ]

    def generate_anchors(
        self,
        scales: Sequence[float],
        aspect_ratios: Sequence[float],
        dtype: Any = rushlight.float32,
        device: Any = "cpu",
    ) -> Any:
        """The anchors (ratios * scales, 4) around the point (0, 0), rounded."""
        sizes = rushlight.as_tensor(scales, dtype=dtype)
        tall = rushlight.sqrt(rushlight.as_tensor(aspect_ratios, dtype=dtype))
        widths = ((1 / tall)[:, None] * sizes[None, :]).view(-1)
        heights = (tall[:, None] * sizes[None, :]).view(-1)
        return (rushlight.stack([-widths, -heights, widths, heights], dim=1) / 2).round()

    def set_cell_anchors(self, dtype: Any, device: Any) -> None:
        """Brings the anchors around one place to a dtype."""
        self.cell_anchors = [anchors.to(dtype=dtype) for anchors in self.cell_anchors]

    def num_anchors_per_location(self) -> list[int]:
        """How many anchors a place has, for each map."""
        return [len(size) * len(ratio) for size, ratio in zip(self.sizes, self.aspect_ratios, strict=False)]

    def grid_anchors(self, grid_sizes: Sequence[Any], strides: Sequence[Any]) -> list[Any]:
        """The anchors of each map, one set for all pictures.

        Args:
            grid_sizes: height and width of each map.
            strides: how many pixels of the picture apart its places are, down and across.

        Raises AssertionError if there are more or fewer maps than sizes.
        """
        rushlight._assert(
            len(grid_sizes) == len(strides) == len(self.cell_anchors),
            "Anchors should be Tuple[Tuple[int]] because each feature map could potentially have different sizes and "
            "aspect ratios. There needs to be a match between the number of feature maps passed and the number of "
            "sizes / aspect ratios specified.",
        )
        found = []
        for (height, width), (down, across), base in zip(grid_sizes, strides, self.cell_anchors, strict=True):
            x = rushlight.arange(0, width, dtype=rushlight.int32) * across
            y = rushlight.arange(0, height, dtype=rushlight.int32) * down
            rows, columns = (grid.reshape(-1) for grid in rushlight.meshgrid(y, x, indexing="ij"))
            shifts = rushlight.stack((columns, rows, columns, rows), dim=1)
            found.append((shifts.view(-1, 1, 4) + base.view(1, -1, 4)).reshape(-1, 4))
        return found

    def forward(self, image_list: ImageList, feature_maps: list[Any]) -> list[Any]:
        """The anchors (A, 4) of each picture."""
        grids = [tuple(entry.shape[-2:]) for entry in feature_maps]
        height, width = image_list.tensors.shape[-2:]
        self.set_cell_anchors(feature_maps[0].dtype, feature_maps[0].device)
        strides = [(height // rows, width // columns) for rows, columns in grids]
        anchors = rushlight.cat(self.grid_anchors(grids, strides))
        return [anchors] * len(image_list.image_sizes)


class DefaultBoxGenerator(nn.Module):
    """SSD's anchors: shares of the picture (W. Liu et al., arXiv:1512.02325, section 2.2).

    Args:
        aspect_ratios: for each map, widths over heights; each is used upright and lying.
        min_ratio, max_ratio: the anchors' scales on the first and the last map.
        scales: of all maps, and one more; instead of the two.
        steps: how many pixels apart the places of each map are; by default its share of the picture.
        clip: cut anchors off at the size of the picture.

    Raises ValueError if there are steps for another number of maps.
    """

    def __init__(
        self,
        aspect_ratios: list[list[int]],
        min_ratio: float = 0.15,
        max_ratio: float = 0.9,
        scales: list[float] | None = None,
        steps: list[int] | None = None,
        clip: bool = True,
    ) -> None:
        super().__init__()
        if steps is not None and len(aspect_ratios) != len(steps):
            raise ValueError("aspect_ratios and steps should have the same length")
        self.aspect_ratios, self.steps, self.clip = aspect_ratios, steps, clip
        self.scales = scales or _even_scales(len(aspect_ratios), min_ratio, max_ratio)
        self._wh_pairs = self._generate_wh_pairs(len(aspect_ratios))

    def _generate_wh_pairs(self, num_outputs: int, dtype: Any = rushlight.float32, device: Any = "cpu") -> list[Any]:
        """Widths and heights (anchors, 2) at one place of each map."""
        found = []
        for number in range(num_outputs):
            side, next_side = self.scales[number], self.scales[number + 1]
            between = math.sqrt(side * next_side)
            pairs = [[side, side], [between, between]]
            for ratio in self.aspect_ratios[number]:
                root = math.sqrt(ratio)
                pairs += [[side * root, side / root], [side / root, side * root]]
            found.append(rushlight.as_tensor(pairs, dtype=dtype))
        return found

    def num_anchors_per_location(self) -> list[int]:
        """How many anchors a place has, for each map."""
        return [2 + 2 * len(ratios) for ratios in self.aspect_ratios]

    def _grid_default_boxes(
        self, grid_sizes: Sequence[Any], image_size: Sequence[int], dtype: Any = rushlight.float32
    ) -> Any:
        """Centres and sizes (A, 4) of all maps' anchors, as shares of the picture."""
        found = []
        for number, (height, width) in enumerate(grid_sizes):
            down, across = (height, width)
            if self.steps is not None:
                down, across = (size / self.steps[number] for size in image_size)
            x = ((rushlight.arange(0, width) + 0.5) / across).to(dtype=dtype)
            y = ((rushlight.arange(0, height) + 0.5) / down).to(dtype=dtype)
            rows, columns = (grid.reshape(-1) for grid in rushlight.meshgrid(y, x, indexing="ij"))
            pairs = self._wh_pairs[number]
            centres = rushlight.stack((columns, rows) * len(pairs), dim=-1).reshape(-1, 2)
            sizes = pairs.clamp(min=0, max=1) if self.clip else pairs
            found.append(rushlight.cat((centres, sizes.repeat(height * width, 1)), dim=1))
        return rushlight.cat(found)

    def forward(self, image_list: ImageList, feature_maps: list[Any]) -> list[Any]:
        """The corners (A, 4) of each picture's anchors."""
        grids = [tuple(entry.shape[-2:]) for entry in feature_maps]
        size = tuple(image_list.tensors.shape[-2:])
        shares = self._grid_default_boxes(grids, size, dtype=feature_maps[0].dtype)
        scale = rushlight.tensor([size[1], size[0]])
        centres, halves = shares[:, :2], 0.5 * shares[:, 2:]
        anchors = rushlight.cat([(centres - halves) * scale, (centres + halves) * scale], dim=-1)
        return [anchors] * len(image_list.image_sizes)

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}(aspect_ratios={self.aspect_ratios}, clip={self.clip}, scales={self.scales}, "
            f"steps={self.steps})"
        )


def _even_scales(maps: int, least: float, most: float) -> list[float]:
    if maps == 1:
        return [least, most]
    return [*(least + (most - least) * number / (maps - 1.0) for number in range(maps)), 1.0]
