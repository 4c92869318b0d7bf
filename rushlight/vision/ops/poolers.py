"""Regions of interest on feature pyramids: each box is looked up on the map whose size fits its own."""

from __future__ import annotations

import math
from typing import Any

import rushlight
from rushlight import nn
from rushlight.vision.ops.boxes import box_area
from rushlight.vision.ops.regions import convert_boxes_to_roi_format, roi_align, roi_align_of_maps

__all__ = ["LevelMapper", "MultiScaleRoIAlign"]


class LevelMapper:
    """The number of the map for each box: one further for every doubling of the side (arXiv:1612.03144, equation 1).

    Args:
        k_min, k_max: the first and the last level: maps are 2 ** -k the size of the picture.
        canonical_scale: the side of the boxes that belong to
        canonical_level: this level.
        eps: keeps exact sides from falling below their level.
    """

    def __init__(
        self, k_min: int, k_max: int, canonical_scale: int = 224, canonical_level: int = 4, eps: float = 1e-6
    ) -> None:
        self.k_min, self.k_max = k_min, k_max
        self.s0, self.lvl0, self.eps = canonical_scale, canonical_level, eps

    def __call__(self, boxlists: list[Any]) -> Any:
        side = rushlight.sqrt(rushlight.cat([box_area(boxes) for boxes in boxlists]))
        level = rushlight.floor(self.lvl0 + rushlight.log2(side / self.s0) + self.eps)
        return level.clamp(min=self.k_min, max=self.k_max).to(rushlight.int64) - self.k_min


class MultiScaleRoIAlign(nn.Module):
    """`roi_align` on a dictionary of maps; the maps' scales are worked out at the first call.

    Args:
        featmap_names: the maps that count, the largest first.
        output_size: how many bins, (height, width) or one number.
        sampling_ratio: as for `roi_align`.
        canonical_scale, canonical_level: as for `LevelMapper`.
    """

    def __init__(
        self,
        featmap_names: list[str],
        output_size: int | tuple[int, ...] | list[int],
        sampling_ratio: int,
        *,
        canonical_scale: int = 224,
        canonical_level: int = 4,
    ) -> None:
        super().__init__()
        self.featmap_names = featmap_names
        self.output_size = (output_size, output_size) if isinstance(output_size, int) else tuple(output_size)
        self.sampling_ratio = sampling_ratio
        self.canonical_scale, self.canonical_level = canonical_scale, canonical_level
        self.scales: list[float] | None = None
        self.map_levels: LevelMapper | None = None

    def forward(self, x: dict[str, Any], boxes: list[Any], image_shapes: list[tuple[int, int]]) -> Any:
        """The bins (K, C, height, width) of boxes (L, 4) in the coordinates of pictures of these sizes."""
        maps = [entry for name, entry in x.items() if name in self.featmap_names]
        if self.scales is None or self.map_levels is None:
            self._set_scales(maps, image_shapes)
        assert self.scales is not None and self.map_levels is not None
        rois = convert_boxes_to_roi_format(boxes)
        if len(maps) == 1:
            return roi_align(maps[0], rois, self.output_size, self.scales[0], self.sampling_ratio)  # type: ignore[arg-type]
        levels = self.map_levels(boxes)
        return roi_align_of_maps(maps, rois, levels, self.output_size, self.scales, self.sampling_ratio)

    def _set_scales(self, maps: list[Any], image_shapes: list[tuple[int, int]]) -> None:
        if not image_shapes:
            raise ValueError("images list should not be empty")
        height = max(shape[0] for shape in image_shapes)
        powers = [round(math.log2(entry.shape[-2] / height)) for entry in maps]  # maps are halved each time
        self.scales = [2.0**power for power in powers]
        self.map_levels = LevelMapper(-powers[0], -powers[-1], self.canonical_scale, self.canonical_level)

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}(featmap_names={self.featmap_names}, "
            f"output_size={self.output_size}, sampling_ratio={self.sampling_ratio})"
        )
