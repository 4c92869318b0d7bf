"""Overlaps of rotated boxes, by Green's theorem: the area of the intersection is half the sum of cross products along
its outline, and this consists of what lies of each box's sides inside the other one. Every side is cut off at the four
lines of the other box; nothing needs to be sorted. Sides that coincide are counted for the first box only.
"""

from __future__ import annotations

from typing import Any

import numpy as np

import rushlight

__all__ = ["iou_of_rotated"]

Array = np.ndarray[Any, Any]
SAME = 1e-9
"""Lines that are nearer to one another, in terms of the boxes' sizes, coincide."""


def iou_of_rotated(boxes1: Any, boxes2: Any) -> Any:
    """Intersection over union (N, M), float32, of boxes (N, 5) and (M, 5) as "cxcywhr". Without gradients.

    Raises:
        RuntimeError: for boxes of another shape or of different dtypes.
    """
    for name, boxes in (("boxes1", boxes1), ("boxes2", boxes2)):
        if boxes.dim() != 2 or boxes.shape[1] != 5:
            raise RuntimeError(f"{name} should have shape (N, 5), got {list(boxes.shape)}")
    if boxes1.dtype != boxes2.dtype or not boxes1.is_floating_point():
        raise RuntimeError("boxes1 and boxes2 must have the same floating-point dtype")
    first, second = (boxes.detach().numpy().astype(np.float64) for boxes in (boxes1, boxes2))
    areas1, areas2 = (boxes[:, 2] * boxes[:, 3] for boxes in (first, second))
    shared = _shared(first[:, None], second[None])
    covered = areas1[:, None] + areas2 - shared
    some = (areas1[:, None] >= 1e-14) & (areas2 >= 1e-14)
    found = np.divide(shared, covered, out=np.zeros_like(covered), where=some)
    return rushlight.from_numpy(found.astype(np.float32))


def _shared(first: Array, second: Array) -> Array:
    """The areas (N, M) of the intersections."""
    middle = (first[..., :2] + second[..., :2]) / 2  # distances from here are exact enough
    one, other = _corners(first, middle), _corners(second, middle)
    near = SAME * np.maximum(first[..., 2:4].max(-1), second[..., 2:4].max(-1))[..., None, None]
    return np.maximum(_along(one, other, -near) + _along(other, one, near), 0)


def _corners(boxes: Array, middle: Array) -> Array:
    """The corners (N, M, 4, 2), each side's end the next one's start."""
    angle = np.deg2rad(boxes[..., 4])
    right = np.stack([np.cos(angle), -np.sin(angle)], -1) * boxes[..., 2:3] / 2
    down = np.stack([np.sin(angle), np.cos(angle)], -1) * boxes[..., 3:4] / 2
    around = np.stack([-right - down, right - down, right + down, down - right], -2)
    return around + (boxes[..., :2] - middle)[..., None, :]


def _cross(a: Array, b: Array) -> Array:
    return a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]


def _along(corners: Array, other: Array, near: Array) -> Array:
    """Half the sum of cross products along what lies of the sides inside the other box, `near` from its lines."""
    sides, lines = np.roll(corners, -1, -2) - corners, np.roll(other, -1, -2) - other
    with np.errstate(divide="ignore", invalid="ignore"):
        lines /= np.linalg.norm(lines, axis=-1, keepdims=True)
        lines = lines[..., None, :, :]  # (N, M, side, line, 2)
        start = _cross(lines, corners[..., :, None, :] - other[..., None, :, :]) - near
        slope = _cross(lines, sides[..., :, None, :])
        crossing = -start / slope
        low = np.where(slope > 0, crossing, np.where((slope == 0) & (start < 0), np.inf, 0)).max(-1)
        high = np.where(slope < 0, crossing, 1).min(-1)
    low, high = low.clip(0), high.clip(max=1)
    length = np.where(high > low, high - low, 0)
    return (_cross(corners, sides) * length).sum(-1) / 2
