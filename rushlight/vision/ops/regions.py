"""Regions of interest: boxes of a map, each brought to the same size.

``roi_align`` averages samples of the map between its places; ``roi_pool`` takes the largest number of each bin of whole
places. The position-sensitive ``ps_`` forms have a map of their own for every bin. All write a map (N, C, H, W) as a
table with a row of channels for each place, and look rows up: gradients go to the map, not to the boxes.

Boxes are (K, 5), with the number of the picture first, or a list of (L, 4) for each picture.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import accumulate
from typing import Any

import rushlight
from rushlight import nn
from rushlight.nn import functional as F
from rushlight.nn.sizes import _pair
from rushlight.ops.weighted_rows import weighted_rows

__all__ = [
    "PSRoIAlign",
    "PSRoIPool",
    "RoIAlign",
    "RoIPool",
    "ps_roi_align",
    "ps_roi_pool",
    "roi_align",
    "roi_pool",
]

MOST_TAPS = 64  # of a bin at a time
Boxes = Any
Size = int | tuple[int, int] | list[int]


def roi_align(
    input: Any,
    boxes: Boxes,
    output_size: Size,
    spatial_scale: float = 1.0,
    sampling_ratio: int = -1,
    aligned: bool = False,
) -> Any:
    """The means of samples in the bins of each box (K, C, height, width) (K. He et al., arXiv:1703.06870).

    Args:
        input: maps (N, C, H, W).
        boxes: corners, (K, 5) or a list of (L, 4).
        output_size: how many bins, (height, width).
        spatial_scale: from the boxes' coordinates to the map's.
        sampling_ratio: samples of a bin along each side; 0 or below: about one for each place.
        aligned: places are in the middle of their pixels, as in Detectron2; otherwise boxes are at least 1 by 1.
    """
    rois, size = _rois(input, boxes), _pair(output_size)
    with rushlight.no_grad():
        shift = 0.5 if aligned else 0.0
        start, extent = _extents(rois, spatial_scale, shift)
        extent = extent if aligned else extent.clamp(min=1.0)
        taps = [_taps(start[:, d], extent[:, d], size[d], sampling_ratio, input.shape[2 + d]) for d in (0, 1)]
    return _sampled(_table(input), rois[:, 0].long()[:, None, None], taps, input.shape)


def roi_align_of_maps(
    maps: list[Any], rois: Any, levels: Any, output_size: Any, scales: list[float], sampling_ratio: int
) -> Any:
    """`roi_align` of several maps at once: each box (K, 5) looks into the map that `levels` (K,) names.

    All maps are one table, so that how many boxes each of them gets changes no shape: the same program serves all.
    """
    height, width = _pair(output_size)
    with rushlight.no_grad():
        rois = rois.detach()
        starts = list(accumulate((entry.numel() // entry.shape[1] for entry in maps), initial=0))
        places = [[entry.shape[2] for entry in maps], [entry.shape[3] for entry in maps]]
        rows, columns = (rushlight.tensor(sizes)[levels] for sizes in places)
        picture = rois[:, 0].long() * (rows * columns)
        first = (rushlight.tensor(starts[:-1])[levels] + picture)[:, None, None, None, None]
        start, extent = _extents(rois, rushlight.tensor(scales, dtype=rois.dtype)[levels][:, None], 0.0)
        extent = extent.clamp(min=1.0)
        down, share_down = _taps(start[:, 0], extent[:, 0], height, sampling_ratio, rows[:, None, None])
        along, share_along = _taps(start[:, 1], extent[:, 1], width, sampling_ratio, columns[:, None, None])
        down = down * columns[:, None, None]
    table = rushlight.cat([_table(entry) for entry in maps])
    return sums_of_taps(table, first, (down, share_down), (along, share_along))


def ps_roi_align(
    input: Any, boxes: Boxes, output_size: Size, spatial_scale: float = 1.0, sampling_ratio: int = -1
) -> Any:
    """`roi_align`, aligned, of maps (N, C * height * width, H, W) with channels for each bin (arXiv:1711.07264)."""
    rois, size = _rois(input, boxes), _pair(output_size)
    with rushlight.no_grad():
        start, extent = _extents(rois, spatial_scale, 0.5)
        taps = [_taps(start[:, d], extent[:, d], size[d], sampling_ratio, input.shape[2 + d], 0) for d in (0, 1)]
    return _sampled(_table_of_bins(input, size), _planes_of_bins(rois, size), taps, input.shape)


def roi_pool(input: Any, boxes: Boxes, output_size: Size, spatial_scale: float = 1.0) -> Any:
    """The largest numbers of the bins of each box (K, C, height, width), zero in empty bins (R. Girshick, 1504.08083).

    Args:
        input: maps (N, C, H, W).
        boxes: corners, (K, 5) or a list of (L, 4).
        output_size: how many bins, (height, width).
        spatial_scale: from the boxes' coordinates to the map's; the products are rounded.
    """
    rois, size = _rois(input, boxes), _pair(output_size)
    with rushlight.no_grad():
        bins = [_bins(rois, spatial_scale, d, size[d], 1, input.shape[2 + d]) for d in (0, 1)]
        empty = ((bins[0][1] <= bins[0][0])[:, :, None] | (bins[1][1] <= bins[1][0])[:, None, :])[..., None]
    table = _table(input)
    lowest = rushlight.full((), rushlight.finfo(rushlight.float32).min, dtype=input.dtype)
    best = rushlight.where(empty, rushlight.zeros((), dtype=input.dtype), lowest)
    for at, inside in _places(rois[:, 0].long()[:, None, None], bins, input.shape):
        found = F.embedding(at, table)
        best = rushlight.where(inside & (found > best), found, best)
    return best.expand(*best.shape[:3], input.shape[1]).permute(0, 3, 1, 2).contiguous()


def ps_roi_pool(input: Any, boxes: Boxes, output_size: Size, spatial_scale: float = 1.0) -> Any:
    """The means of whole bins of maps (N, C * height * width, H, W) with channels for each (J. Dai, arXiv:1605.06409).

    As in torchvision, the last row and column of the map belong to no bin.
    """
    rois, size = _rois(input, boxes), _pair(output_size)
    table, planes = _table_of_bins(input, size), _planes_of_bins(rois, size)
    with rushlight.no_grad():
        bins = [_bins(rois, spatial_scale, d, size[d], 0, input.shape[2 + d] - 1) for d in (0, 1)]
        heights, widths = (high - low for low, high in bins)
        area = (heights[:, :, None] * widths[:, None, :])[..., None].clamp(min=1).to(input.dtype)
    total = rushlight.zeros((*planes.expand(len(rois), *size).shape, table.shape[1]), dtype=input.dtype)
    for at, inside in _places(planes, bins, input.shape):
        total = total + F.embedding(at, table) * inside
    return (total / area).permute(0, 3, 1, 2).contiguous()


# ---- boxes


def check_roi_boxes_shape(boxes: Boxes) -> None:
    """Raises AssertionError for boxes of another shape."""
    if isinstance(boxes, list | tuple):
        if any(entry.shape[1] != 4 for entry in boxes):
            raise AssertionError("The shape of the tensor in the boxes list is not correct as List[Tensor[L, 4]]")
    elif not isinstance(boxes, rushlight.Tensor):
        raise AssertionError("boxes is expected to be a Tensor[L, 5] or a List[Tensor[K, 4]]")
    elif boxes.shape[1] != 5:
        raise AssertionError("The boxes tensor shape is not correct as Tensor[K, 5]")


def convert_boxes_to_roi_format(boxes: Any) -> Any:
    """One tensor (K, 5), with the number of the picture first, of a list of boxes (L, 4)."""
    numbers = [rushlight.full_like(entry[:, :1], number) for number, entry in enumerate(boxes)]
    return rushlight.cat([rushlight.cat(numbers), rushlight.cat(list(boxes))], 1)


def _rois(input: Any, boxes: Boxes) -> Any:
    """The boxes as (K, 5), without gradients."""
    check_roi_boxes_shape(boxes)
    rois = boxes if isinstance(boxes, rushlight.Tensor) else convert_boxes_to_roi_format(boxes)
    if rois.dtype != input.dtype:
        raise RuntimeError(f"input and rois must have the same dtype, but got {input.dtype} and {rois.dtype}")
    return rois.detach()


def _extents(rois: Any, scale: Any, shift: float) -> tuple[Any, Any]:
    """Where the boxes start on the map, and their sizes: (K, 2) each, as y and x."""
    corners = rois[:, 1:] * scale - shift
    start = corners[:, :2].flip(1)
    return start, corners[:, 2:].flip(1) - start


# ---- maps as tables


def _table(input: Any) -> Any:
    """(N * H * W, C): a row of channels for each place."""
    return input.permute(0, 2, 3, 1).reshape(-1, input.shape[1])


def _table_of_bins(input: Any, size: tuple[int, int]) -> Any:
    """(N * height * width * H * W, C): for each picture and bin, its own channels of every place."""
    pictures, channels, *places = input.shape
    if channels % (size[0] * size[1]):
        raise RuntimeError("input channels must be a multiple of pooling height * pooling width")
    own = channels // (size[0] * size[1])
    return input.reshape(pictures, own, *size, *places).permute(0, 2, 3, 4, 5, 1).reshape(-1, own)


def _planes_of_bins(rois: Any, size: tuple[int, int]) -> Any:
    """(K, height, width): which plane of such a table a bin looks into."""
    bins = rushlight.arange(size[0] * size[1]).reshape(1, *size)
    return rois[:, 0].long()[:, None, None] * (size[0] * size[1]) + bins


# ---- samples between places


def _taps(start: Any, extent: Any, bins: int, ratio: int, places: Any, least: int = 1) -> tuple[Any, Any]:
    """Along one side: the places (K, bins, 2 * samples) that the samples lie between, and how much each counts."""
    side = extent / bins
    counts = rushlight.full_like(side, ratio) if ratio > 0 else side.ceil().clamp(min=0)
    samples = ratio if ratio > 0 else max(1, int(counts.max().item()) if len(counts) else 1)
    kind = side.dtype
    number = rushlight.arange(bins, dtype=kind)[None, :, None]
    sample = rushlight.arange(samples, dtype=kind)[None, None, :]
    side, start, counts = side[:, None, None], start[:, None, None], counts[:, None, None]
    at = start + number * side + (sample + 0.5) * side / counts.clamp(min=1)
    used = (at >= -1.0) & (at <= places) & (sample < counts)
    last = places - 1
    at = rushlight.where(used, _at_most(at.clamp(min=0), last), rushlight.zeros_like(at))  # also where it is no number
    low = at.floor()
    share = at - low
    share = rushlight.cat([1 - share, share], -1) * rushlight.cat([used, used], -1)
    low = low.long()
    # Without samples the sum is divided by one, or, position-sensitive, by zero.
    return rushlight.cat([low, _at_most(low + 1, last)], -1), share / counts.clamp(min=least)


def _at_most(x: Any, limit: Any) -> Any:
    """x, or the limit: a number, or a tensor of whole numbers."""
    return x.clamp(max=limit) if isinstance(limit, int) else rushlight.minimum(x, limit.to(x.dtype))


def _sampled(table: Any, planes: Any, taps: list[tuple[Any, Any]], shape: Any) -> Any:
    """The sums of the taps' rows, as (K, C, height, width)."""
    first = planes[..., None, None] * (shape[2] * shape[3])
    (rows, by_row), (columns, by_column) = taps
    return sums_of_taps(table, first, (rows * shape[3], by_row), (columns, by_column))


def sums_of_taps(table: Any, first: Any, down: tuple[Any, Any], along: tuple[Any, Any]) -> Any:
    """Sums of rows of a table (R, C) as (K, C, height, width).

    Args:
        first: the row (K, 1 or height, 1 or width, 1, 1) that each bin's map begins with.
        down, along: how many rows further the taps of a bin are (K, height or width, taps), and how much each counts.
    """
    (rows, by_row), (columns, by_column) = down, along
    bins = (len(rows), rows.shape[1], columns.shape[1])
    some = max(1, MOST_TAPS // max(1, columns.shape[2]))
    total: Any = None
    for start in range(0, rows.shape[2], some):
        part = slice(start, start + some)
        index = first + rows[:, :, None, part, None] + columns[:, None, :, None, :]
        share = by_row[:, :, None, part, None] * by_column[:, None, :, None, :]
        taps = share.shape[3] * share.shape[4]
        found = weighted_rows(table, index.reshape(-1, taps), share.reshape(-1, taps))
        total = found if total is None else total + found
    return total.view(*bins, table.shape[1]).permute(0, 3, 1, 2).contiguous()


# ---- bins of whole places


def _bins(rois: Any, scale: float, side: int, bins: int, last: int, limit: int) -> tuple[Any, Any]:
    """Along one side: the first place (K, bins) of each bin, and the first that is behind it."""
    start, end = (_nearest(rois[:, column - side] * scale) for column in (2, 4))
    width = ((end - start + last).clamp(min=1) / bins)[:, None]
    number = rushlight.arange(bins, dtype=width.dtype)[None]
    low, high = (number * width).floor() + start[:, None], ((number + 1) * width).ceil() + start[:, None]
    return low.clamp(0, limit).long(), high.clamp(0, limit).long()


def _nearest(x: Any) -> Any:
    """Whole numbers; halves are rounded away from zero."""
    whole = x.trunc()
    return whole + rushlight.sign(x) * ((x - whole).abs() >= 0.5)


def _places(planes: Any, bins: list[tuple[Any, Any]], shape: Any) -> Iterator[tuple[Any, Any]]:
    """Row by row, the next place of every bin: the table's row (K, height, width), and whether it is in the bin."""
    (top, bottom), (left, right) = bins
    height, width = (int((high - low).amax().item()) if low.numel() else 0 for low, high in bins)
    for down in range(height):
        for along in range(width):
            y, x = top + down, left + along
            inside = ((y < bottom)[:, :, None] & (x < right)[:, None, :])[..., None]
            y, x = y.clamp(max=shape[2] - 1), x.clamp(max=shape[3] - 1)
            yield (planes * shape[2] + y[:, :, None]) * shape[3] + x[:, None, :], inside


# ---- layers


class RoIAlign(nn.Module):
    """`roi_align` as a layer."""

    def __init__(self, output_size: Size, spatial_scale: float, sampling_ratio: int, aligned: bool = False) -> None:
        super().__init__()
        self.output_size, self.spatial_scale = output_size, spatial_scale
        self.sampling_ratio, self.aligned = sampling_ratio, aligned

    def forward(self, input: Any, rois: Boxes) -> Any:
        return roi_align(input, rois, self.output_size, self.spatial_scale, self.sampling_ratio, self.aligned)

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}(output_size={self.output_size}, spatial_scale={self.spatial_scale}, "
            f"sampling_ratio={self.sampling_ratio}, aligned={self.aligned})"
        )


class PSRoIAlign(nn.Module):
    """`ps_roi_align` as a layer."""

    def __init__(self, output_size: int, spatial_scale: float, sampling_ratio: int) -> None:
        super().__init__()
        self.output_size, self.spatial_scale, self.sampling_ratio = output_size, spatial_scale, sampling_ratio

    def forward(self, input: Any, rois: Any) -> Any:
        return ps_roi_align(input, rois, self.output_size, self.spatial_scale, self.sampling_ratio)

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}(output_size={self.output_size}, spatial_scale={self.spatial_scale}, "
            f"sampling_ratio={self.sampling_ratio})"
        )


class RoIPool(nn.Module):
    """`roi_pool` as a layer."""

    def __init__(self, output_size: Size, spatial_scale: float) -> None:
        super().__init__()
        self.output_size, self.spatial_scale = output_size, spatial_scale

    def forward(self, input: Any, rois: Boxes) -> Any:
        return roi_pool(input, rois, self.output_size, self.spatial_scale)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(output_size={self.output_size}, spatial_scale={self.spatial_scale})"


class PSRoIPool(RoIPool):
    """`ps_roi_pool` as a layer."""

    def forward(self, input: Any, rois: Boxes) -> Any:
        return ps_roi_pool(input, rois, self.output_size, self.spatial_scale)
