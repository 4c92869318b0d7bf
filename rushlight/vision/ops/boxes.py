"""Boxes: areas, overlaps, formats, non-maximum suppression.

Formats: "xyxy" are two corners (x1, y1, x2, y2), the default everywhere; "xywh" a corner and sizes; "cxcywh" the centre
and sizes; "xywhr" and "cxcywhr" with a rotation in degrees, counterclockwise; "xyxyxyxy" four corners. Overlaps of sets
of N and M boxes are matrices (N, M); dimensions before these are for sets of sets.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

import rushlight

__all__ = [
    "batched_nms",
    "box_area",
    "box_convert",
    "box_iou",
    "clip_boxes_to_image",
    "complete_box_iou",
    "distance_box_iou",
    "generalized_box_iou",
    "masks_to_boxes",
    "nms",
    "remove_small_boxes",
]

UPRIGHT = ("xyxy", "xywh", "cxcywh")
ROTATED = ("cxcywhr", "xywhr", "xyxyxyxy")


def _upcast(boxes: Any) -> Any:
    """In a dtype whose products do not overflow."""
    if boxes.is_floating_point():
        return boxes if boxes.dtype in (rushlight.float32, rushlight.float64) else boxes.float()
    return boxes if boxes.dtype in (rushlight.int32, rushlight.int64) else boxes.int()


def box_area(boxes: Any, fmt: str = "xyxy") -> Any:
    """Widths times heights (...) of boxes (..., 4). Raises ValueError for a format with rotation."""
    if fmt not in UPRIGHT:
        raise ValueError(f"Unsupported Bounding Box area for given format {fmt}")
    boxes = _upcast(boxes)
    if fmt == "xyxy":
        return (boxes[..., 2] - boxes[..., 0]) * (boxes[..., 3] - boxes[..., 1])
    return boxes[..., 2] * boxes[..., 3]


# ---- overlaps


def _corners(boxes: Any, fmt: str) -> tuple[Any, Any]:
    """The upper left and the lower right corners (..., 2)."""
    first, second = boxes[..., :2], boxes[..., 2:]
    if fmt == "xywh":
        return first, first + second
    return (first - second / 2, first + second / 2) if fmt == "cxcywh" else (first, second)


def _sides(low: Any, high: Any) -> Any:
    """Widths and heights (..., 2), not below zero."""
    return _upcast(high - low).clamp(min=0)


def _shared_and_covered(boxes1: Any, boxes2: Any, fmt: str = "xyxy") -> tuple[Any, Any]:
    """The areas of intersection and union (..., N, M)."""
    low1, high1 = _corners(boxes1[..., None, :], fmt)
    low2, high2 = _corners(boxes2[..., None, :, :], fmt)
    sides = _sides(rushlight.max(low1, low2), rushlight.min(high1, high2))
    shared = sides[..., 0] * sides[..., 1]
    return shared, box_area(boxes1, fmt)[..., None] + box_area(boxes2, fmt)[..., None, :] - shared


def _around(boxes1: Any, boxes2: Any) -> Any:
    """The sides (..., N, M, 2) of the smallest boxes around both."""
    low = rushlight.min(boxes1[..., None, :2], boxes2[..., None, :, :2])
    return _sides(low, rushlight.max(boxes1[..., None, 2:], boxes2[..., None, :, 2:]))


def box_iou(boxes1: Any, boxes2: Any, fmt: str = "xyxy") -> Any:
    """Intersection over union (..., N, M) of boxes (..., N, 4) and (..., M, 4).

    Rotated boxes are (N, 5) and (M, 5), or (N, 8) and (M, 8), and have no gradients here.

    Raises:
        ValueError: for an unknown format.

    >>> from rushlight.vision.ops import box_iou
    >>> box_iou(torch.tensor([[0.0, 0.0, 2.0, 2.0]]), torch.tensor([[1.0, 0.0, 3.0, 2.0]]))
    tensor([[0.3333]])
    """
    if fmt in ROTATED:
        from rushlight.vision.ops.rotated_boxes import iou_of_rotated

        return iou_of_rotated(box_convert(boxes1, fmt, "cxcywhr"), box_convert(boxes2, fmt, "cxcywhr"))
    if fmt not in UPRIGHT:
        raise ValueError(
            f"Unsupported format '{fmt}'. Supported axis-aligned formats: {UPRIGHT}. "
            f"Supported rotated formats: {ROTATED}."
        )
    shared, covered = _shared_and_covered(boxes1, boxes2, fmt)
    return shared / covered


def generalized_box_iou(boxes1: Any, boxes2: Any) -> Any:
    """`box_iou` less the share of the smallest box around both that neither covers (Rezatofighi, arXiv:1902.09630)."""
    shared, covered = _shared_and_covered(boxes1, boxes2)
    sides = _around(boxes1, boxes2)
    around = sides[..., 0] * sides[..., 1]
    return shared / covered - (around - covered) / around


def distance_box_iou(boxes1: Any, boxes2: Any, eps: float = 1e-7) -> Any:
    """`box_iou` less the squared distance of the centres, relative to the diagonal around both (arXiv:1911.08287)."""
    return _distance_and_plain(_upcast(boxes1), _upcast(boxes2), eps)[0]


def _distance_and_plain(boxes1: Any, boxes2: Any, eps: float) -> tuple[Any, Any]:
    plain, sides = box_iou(boxes1, boxes2), _around(boxes1, boxes2)
    diagonal = sides[..., 0] ** 2 + sides[..., 1] ** 2 + eps
    centre1, centre2 = ((boxes[..., :2] + boxes[..., 2:]) / 2 for boxes in (boxes1, boxes2))
    apart = _upcast(centre1[..., None, :] - centre2[..., None, :, :]) ** 2
    return plain - (apart[..., 0] + apart[..., 1]) / diagonal, plain


def complete_box_iou(boxes1: Any, boxes2: Any, eps: float = 1e-7) -> Any:
    """`distance_box_iou` less a term for the difference of the boxes' shapes (Zheng et al., arXiv:1911.08287)."""
    boxes1, boxes2 = _upcast(boxes1), _upcast(boxes2)
    found, plain = _distance_and_plain(boxes1, boxes2, eps)
    turn = angle(boxes1)[..., None] - angle(boxes2)[..., None, :]
    return found - shape_penalty(turn, plain, eps)


def angle(boxes: Any) -> Any:
    """The angle of a diagonal: how wide a box is for its height."""
    return rushlight.atan((boxes[..., 2] - boxes[..., 0]) / (boxes[..., 3] - boxes[..., 1]))


def shape_penalty(turn: Any, iou: Any, eps: float) -> Any:
    """What complete IoU takes for boxes whose diagonals differ by an angle; its weight is no variable."""
    difference = (4 / math.pi**2) * turn**2
    with rushlight.no_grad():
        weight = difference / (1 - iou + difference + eps)
    return weight * difference


# ---- formats


def box_convert(boxes: Any, in_fmt: str, out_fmt: str) -> Any:
    """The boxes (..., 4), (..., 5) or (..., 8) in another format.

    Raises:
        ValueError: for an unknown format.
        NotImplementedError: between formats with and without rotation.
    """
    known = (*UPRIGHT, *ROTATED)
    if in_fmt not in known or out_fmt not in known:
        raise ValueError(f"Unsupported Bounding Box Conversions for given in_fmt {in_fmt} and out_fmt {out_fmt}")
    if in_fmt == out_fmt:
        return boxes.clone()
    if (in_fmt in UPRIGHT) != (out_fmt in UPRIGHT):
        raise NotImplementedError(
            f"Unsupported Bounding Box Conversions for given in_fmt {in_fmt} and out_fmt {out_fmt}"
        )
    for step in (_TO_MIDDLE.get(in_fmt), _FROM_MIDDLE.get(out_fmt)):
        boxes = boxes if step is None else step(boxes)
    return boxes


def _parts(*parts: Any) -> Any:
    return rushlight.stack(parts, -1)


def _from_centre(boxes: Any) -> Any:
    cx, cy, w, h = boxes.unbind(-1)
    return _parts(cx - 0.5 * w, cy - 0.5 * h, cx + 0.5 * w, cy + 0.5 * h)


def _to_centre(boxes: Any) -> Any:
    x1, y1, x2, y2 = boxes.unbind(-1)
    return _parts((x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1)


def _from_sizes(boxes: Any) -> Any:
    x, y, w, h = boxes.unbind(-1)
    return _parts(x, y, x + w, y + h)


def _to_sizes(boxes: Any) -> Any:
    x1, y1, x2, y2 = boxes.unbind(-1)
    return _parts(x1, y1, x2 - x1, y2 - y1)


def _rotating(move: Callable[..., Any]) -> Callable[[Any], Any]:
    """A conversion between rotated formats; whole numbers are rounded in the end."""

    def convert(boxes: Any) -> Any:
        found = _parts(*move(*boxes.unbind(-1)))
        return found if boxes.is_floating_point() else found.round().to(boxes.dtype)

    return convert


def _cos_sin(degrees: Any) -> tuple[Any, Any]:
    radians = degrees * math.pi / 180.0
    return rushlight.cos(radians), rushlight.sin(radians)


@_rotating
def _centre_to_corner(cx: Any, cy: Any, w: Any, h: Any, r: Any) -> Any:
    cos, sin = _cos_sin(r)
    return cx - w / 2 * cos - h / 2 * sin, cy - h / 2 * cos + w / 2 * sin, w, h, r


@_rotating
def _corner_to_centre(x1: Any, y1: Any, w: Any, h: Any, r: Any) -> Any:
    cos, sin = _cos_sin(r)
    return x1 + w / 2 * cos + h / 2 * sin, y1 - w / 2 * sin + h / 2 * cos, w, h, r


@_rotating
def _corner_to_four(x1: Any, y1: Any, w: Any, h: Any, r: Any) -> Any:
    cos, sin = _cos_sin(r)
    x2, y2 = x1 + w * cos, y1 - w * sin
    return x1, y1, x2, y2, x2 + h * sin, y2 + h * cos, x1 + h * sin, y1 + h * cos


@_rotating
def _four_to_corner(x1: Any, y1: Any, x2: Any, y2: Any, x3: Any, y3: Any, x4: Any, y4: Any) -> Any:
    degrees = rushlight.atan2(y1 - y2, x2 - x1) * 180 / math.pi
    width, height = ((x2 - x1) ** 2 + (y1 - y2) ** 2).sqrt(), ((x3 - x2) ** 2 + (y3 - y2) ** 2).sqrt()
    return x1, y1, width, height, degrees


# Conversions go over "xyxy", those with rotation over "xywhr".
_TO_MIDDLE = {"cxcywh": _from_centre, "xywh": _from_sizes, "cxcywhr": _centre_to_corner, "xyxyxyxy": _four_to_corner}
_FROM_MIDDLE = {"cxcywh": _to_centre, "xywh": _to_sizes, "cxcywhr": _corner_to_centre, "xyxyxyxy": _corner_to_four}


# ---- choosing


def clip_boxes_to_image(boxes: Any, size: tuple[int, int]) -> Any:
    """The boxes cut off at the edges of a picture of (height, width)."""
    x, y = boxes[..., 0::2].clamp(0, size[1]), boxes[..., 1::2].clamp(0, size[0])
    return rushlight.stack([x, y], -1).reshape(boxes.shape)


def remove_small_boxes(boxes: Any, min_size: float) -> Any:
    """The indices of the boxes with both sides at least `min_size`."""
    sides = boxes[..., 2:] - boxes[..., :2]
    return rushlight.where((sides >= min_size).all(-1))[0]


MANY = 4000  # numbers of boxes from which `batched_nms` goes through the classes: torchvision's, as it changes rounding
BLOCK = 128  # so many boxes at a time drop those behind them: measured


def nms(boxes: Any, scores: Any, iou_threshold: float) -> Any:
    """The indices of the boxes that stay, best score first: each drops those below it that overlap it too much."""
    return rushlight.from_numpy(kept(boxes.detach().numpy(), scores.detach().numpy(), iou_threshold))


def kept(corners: np.ndarray, scores: np.ndarray, iou_threshold: float) -> np.ndarray:
    """`nms` of arrays. A block of the best boxes is gone through one by one; what it keeps drops boxes behind it."""
    order = np.argsort(-scores, kind="stable")
    sides = np.ascontiguousarray(corners[order].T)
    alive = np.ones(len(order), bool)
    for start in range(0, len(order), BLOCK):
        block = start + np.flatnonzero(alive[start : start + BLOCK])
        drops = _overlaps(sides[:, block], sides[:, block], iou_threshold)
        for place, row in enumerate(drops):
            if alive[block[place]]:
                alive[block[place + 1 :]] &= ~row[place + 1 :]
        behind = start + BLOCK + np.flatnonzero(alive[start + BLOCK :])
        if len(behind):
            best = sides[:, block[alive[block]]]
            alive[behind] = ~_overlaps(best, sides[:, behind], iou_threshold).any(0)
    found: np.ndarray = order[alive]
    return found


def _overlaps(one: np.ndarray, other: np.ndarray, threshold: float) -> np.ndarray:
    """Which boxes (4, N) overlap which boxes (4, M) by more than the threshold: (N, M)."""
    one = one[:, :, None]
    width = np.maximum(np.minimum(one[2], other[2]) - np.maximum(one[0], other[0]), 0)
    shared = np.maximum(np.minimum(one[3], other[3]) - np.maximum(one[1], other[1]), 0) * width
    areas = [(boxes[2] - boxes[0]) * (boxes[3] - boxes[1]) for boxes in (one, other)]
    with np.errstate(invalid="ignore", divide="ignore"):
        shared /= areas[0] + areas[1] - shared
    # The largest number of the dtype that is not above the threshold: as if the overlaps were compared in float64.
    limit = shared.dtype.type(threshold)
    limit = np.nextafter(limit, shared.dtype.type(-1)) if limit > threshold else limit
    return shared > limit


def batched_nms(boxes: Any, scores: Any, idxs: Any, iou_threshold: float) -> Any:
    """`nms` among the boxes of each class. Few boxes are moved apart by class, of many each class is gone through."""
    corners, values, groups = (entry.detach().numpy() for entry in (boxes, scores, idxs))
    return rushlight.from_numpy(kept_by_group(corners, values, groups, iou_threshold))


def kept_by_group(corners: np.ndarray, scores: np.ndarray, groups: np.ndarray, iou_threshold: float) -> np.ndarray:
    """`batched_nms` of arrays."""
    if corners.size == 0:
        return np.zeros(0, np.int64)
    if corners.size <= MANY:
        apart = groups.astype(corners.dtype) * (corners.max() + corners.dtype.type(1))
        return kept(corners + apart[:, None], scores, iou_threshold)
    parts = [np.flatnonzero(groups == kind) for kind in np.unique(groups)]
    found = np.sort(np.concatenate([part[kept(corners[part], scores[part], iou_threshold)] for part in parts]))
    best: np.ndarray = found[np.argsort(-scores[found], kind="stable")]
    return best


def masks_to_boxes(masks: Any) -> Any:
    """The boxes (N, 4) around what is not zero in masks (N, H, W); zeros around nothing."""
    if masks.numel() == 0:
        return rushlight.zeros((0, 4), dtype=rushlight.float32)
    _, height, width = masks.shape
    masks = masks.bool()
    rows, columns = masks.any(2).float(), masks.any(1).float()
    last = (width - 1 - columns.flip(1).argmax(1), height - 1 - rows.flip(1).argmax(1))
    boxes = rushlight.stack((columns.argmax(1), rows.argmax(1), *last), 1).float()
    return boxes * rows.amax(1)[:, None]
