"""Losses for detection: of boxes by how they overlap, and of scores where most of them are easy.

Boxes are corners (N, 4) or (4,); ``reduction`` is "none", "mean" or "sum".
"""

from __future__ import annotations

from typing import Any

import rushlight
from rushlight.nn import functional as F
from rushlight.vision.ops.boxes import angle, box_area, shape_penalty

__all__ = ["complete_box_iou_loss", "distance_box_iou_loss", "generalized_box_iou_loss", "sigmoid_focal_loss"]


def sigmoid_focal_loss(
    inputs: Any, targets: Any, alpha: float = 0.25, gamma: float = 2, reduction: str = "none"
) -> Any:
    """Binary cross entropy that counts less where the answer is right already (T.-Y. Lin et al., arXiv:1708.02002).

    Args:
        inputs: scores before the sigmoid.
        targets: zeros and ones of the same shape.
        alpha: weight of the ones, 1 - ``alpha`` that of the zeros; -1 for none.
        gamma: how much less.
        reduction: "none", "mean" or "sum".

    Raises:
        ValueError: for an ``alpha`` outside 0 to 1 that is not -1, or another reduction.
    """
    if not 0 <= alpha <= 1 and alpha != -1:
        raise ValueError(f"Invalid alpha value: {alpha}. alpha must be in the range [0,1] or -1 for ignore.")
    p = rushlight.sigmoid(inputs)
    right = p * targets + (1 - p) * (1 - targets)
    loss = F.binary_cross_entropy_with_logits(inputs, targets, reduction="none") * (1 - right) ** gamma
    if alpha >= 0:
        loss = (alpha * targets + (1 - alpha) * (1 - targets)) * loss
    return _reduced(loss, reduction, loss.mean)


def _reduced(loss: Any, reduction: str, mean: Any) -> Any:
    if reduction == "none":
        return loss
    if reduction == "mean":
        return mean()
    if reduction == "sum":
        return loss.sum()
    raise ValueError(
        f"Invalid Value for arg 'reduction': '{reduction} \n Supported reduction modes: 'none', 'mean', 'sum'"
    )


def _reduced_boxes(loss: Any, reduction: str) -> Any:
    """The mean over no boxes is zero."""
    return _reduced(loss, reduction, lambda: loss.mean() if loss.numel() > 0 else 0.0 * loss.sum())


def _as_float(boxes: Any) -> Any:
    return boxes if boxes.dtype in (rushlight.float32, rushlight.float64) else boxes.float()


def _shared_and_covered(boxes1: Any, boxes2: Any) -> tuple[Any, Any]:
    """The areas of intersection and union (N,)."""
    low, high = rushlight.max(boxes1[..., :2], boxes2[..., :2]), rushlight.min(boxes1[..., 2:], boxes2[..., 2:])
    width, height = (high - low).unbind(-1)
    shared = width * height
    shared = rushlight.where((high > low).all(-1), shared, rushlight.zeros_like(shared))
    return shared, box_area(boxes1) + box_area(boxes2) - shared


def _around(boxes1: Any, boxes2: Any) -> tuple[Any, Any]:
    """Width and height (N,) of the smallest boxes around both."""
    low = rushlight.min(boxes1[..., :2], boxes2[..., :2])
    return (rushlight.max(boxes1[..., 2:], boxes2[..., 2:]) - low).unbind(-1)


def generalized_box_iou_loss(boxes1: Any, boxes2: Any, reduction: str = "none", eps: float = 1e-7) -> Any:
    """1 - generalized IoU of each box with its partner (H. Rezatofighi et al., arXiv:1902.09630)."""
    boxes1, boxes2 = _as_float(boxes1), _as_float(boxes2)
    shared, covered = _shared_and_covered(boxes1, boxes2)
    width, height = _around(boxes1, boxes2)
    around = width * height
    loss = 1 - (shared / (covered + eps) - (around - covered) / (around + eps))
    return _reduced_boxes(loss, reduction)


def distance_box_iou_loss(boxes1: Any, boxes2: Any, reduction: str = "none", eps: float = 1e-7) -> Any:
    """1 - distance IoU of each box with its partner (Z. Zheng et al., arXiv:1911.08287)."""
    return _reduced_boxes(_distance_loss(_as_float(boxes1), _as_float(boxes2), eps)[0], reduction)


def _distance_loss(boxes1: Any, boxes2: Any, eps: float = 1e-7) -> tuple[Any, Any]:
    """The loss, and the plain IoU."""
    shared, covered = _shared_and_covered(boxes1, boxes2)
    iou = shared / (covered + eps)
    width, height = _around(boxes1, boxes2)
    apart = ((boxes1[..., 2:] + boxes1[..., :2]) / 2 - (boxes2[..., :2] + boxes2[..., 2:]) / 2) ** 2
    return 1 - iou + (apart[..., 0] + apart[..., 1]) / (width**2 + height**2 + eps), iou


def complete_box_iou_loss(boxes1: Any, boxes2: Any, reduction: str = "none", eps: float = 1e-7) -> Any:
    """1 - complete IoU of each box with its partner (Z. Zheng et al., arXiv:1911.08287)."""
    boxes1, boxes2 = _as_float(boxes1), _as_float(boxes2)
    loss, iou = _distance_loss(boxes1, boxes2)
    return _reduced_boxes(loss + shape_penalty(angle(boxes2) - angle(boxes1), iou, eps), reduction)
