"""Boxes: areas, overlaps, formats, non-maximum suppression. Corners are (N, 4) as x1, y1, x2, y2."""

from __future__ import annotations

from typing import Any

import numpy as np

import rushlight

__all__ = ["batched_nms", "box_area", "box_convert", "box_iou", "clip_boxes_to_image", "nms", "remove_small_boxes"]


def box_area(boxes: Any) -> Any:
    """Widths times heights (N,)."""
    return (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])


def box_iou(boxes1: Any, boxes2: Any) -> Any:
    """Intersection over union (N, M) of boxes (N, 4) and (M, 4).

    >>> from rushlight.vision.ops import box_iou
    >>> box_iou(torch.tensor([[0.0, 0.0, 2.0, 2.0]]), torch.tensor([[1.0, 0.0, 3.0, 2.0]]))
    tensor([[0.3333]])
    """
    low = rushlight.max(boxes1[:, None, :2], boxes2[None, :, :2])
    high = rushlight.min(boxes1[:, None, 2:], boxes2[None, :, 2:])
    size = (high - low).clamp(min=0)
    shared = size[..., 0] * size[..., 1]
    return shared / (box_area(boxes1)[:, None] + box_area(boxes2)[None] - shared)


def box_convert(boxes: Any, in_fmt: str, out_fmt: str) -> Any:
    """The boxes in another format: "xyxy", "xywh" or "cxcywh". Raises ValueError for others."""
    from rushlight.vision.transforms.v2.boxes import corners_of, from_corners

    known = ("xyxy", "xywh", "cxcywh")
    if in_fmt not in known or out_fmt not in known:
        raise ValueError(f"Unsupported Bounding Box Conversions for given in_fmt {in_fmt} and out_fmt {out_fmt}")
    return boxes.clone() if in_fmt == out_fmt else from_corners(corners_of(boxes, in_fmt), out_fmt)


def clip_boxes_to_image(boxes: Any, size: tuple[int, int]) -> Any:
    """The boxes cut off at the edges of a picture of (height, width)."""
    x, y = boxes[..., 0::2].clamp(0, size[1]), boxes[..., 1::2].clamp(0, size[0])
    return rushlight.stack([x, y], -1).reshape(boxes.shape)


def remove_small_boxes(boxes: Any, min_size: float) -> Any:
    """The indices of the boxes with both sides at least `min_size`."""
    sides = boxes[:, 2:] - boxes[:, :2]
    return rushlight.where((sides >= min_size).all(-1))[0]


def nms(boxes: Any, scores: Any, iou_threshold: float) -> Any:
    """The indices of the boxes that stay, best score first: each drops those below it that overlap it too much."""
    order = np.argsort(-scores.detach().numpy(), kind="stable")
    overlaps = box_iou(boxes, boxes).detach().numpy() > iou_threshold
    dropped = np.zeros(len(order), bool)
    kept = []
    for i in order:
        if not dropped[i]:
            kept.append(int(i))
            dropped |= overlaps[i]
    return rushlight.tensor(kept, dtype=rushlight.int64)


def batched_nms(boxes: Any, scores: Any, idxs: Any, iou_threshold: float) -> Any:
    """`nms` among the boxes of each class: classes are moved apart, so that they do not overlap."""
    if boxes.numel() == 0:
        return rushlight.empty((0,), dtype=rushlight.int64)
    apart = idxs.to(boxes.dtype) * (boxes.max() + 1)
    return nms(boxes + apart[:, None], scores, iou_threshold)
