"""What transforms do to `tv_tensors.KeyPoints`: those that move pixels move the points; others let them pass.

A point moves as a corner of a box does: it goes through the kernels of `boxes` as a box without size. Only mirrors
count differently: a point is a pixel, and lands on a pixel, while a box ends at pixels' edges. Points may land outside
of the canvas: `ClampKeyPoints` and `SanitizeKeyPoints` are for those.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import rushlight
from rushlight.vision.transforms.v2 import boxes
from rushlight.vision.tv_tensors import KeyPoints, wrap

Canvas = tuple[int, int]


def kernel(name: str, picture_kernel: Callable[..., Any]) -> Callable[..., Any]:
    """What function `name` does to points."""
    if name == "get_dimensions":
        return lambda points: [1, *points.canvas_size]
    move = _MIRRORS.get(name) or boxes.KERNELS.get(name)
    if move is None:
        raise TypeError(f"Functional F.{name} supports pictures, but got {KeyPoints} instead.")

    def moved(points: KeyPoints, *args: Any, **kwargs: Any) -> Any:
        plain = points.view_as(points)  # type: ignore[attr-defined]
        rows = plain.reshape(-1, 2)
        corners, canvas = move(rushlight.cat([rows, rows], -1), points.canvas_size, *args, **kwargs)
        found = corners[:, :2]
        return wrap(found.to(plain.dtype).reshape(plain.shape), like=points, canvas_size=canvas)

    return moved


def _cut(points: Any, canvas: Canvas) -> Any:
    height, width = canvas
    x, y = points[..., 0].clamp(0, width - 1), points[..., 1].clamp(0, height - 1)
    return rushlight.stack([x, y], -1)


def _hflip(corners: Any, canvas: Canvas) -> tuple[Any, Canvas]:
    x, y, *_ = corners.unbind(-1)
    return rushlight.stack([canvas[1] - 1 - x, y], -1), canvas


def _vflip(corners: Any, canvas: Canvas) -> tuple[Any, Canvas]:
    x, y, *_ = corners.unbind(-1)
    return rushlight.stack([x, canvas[0] - 1 - y], -1), canvas


_MIRRORS: dict[str, Callable[..., Any]] = {"hflip": _hflip, "vflip": _vflip}


def clamp_keypoints(inpt: Any, canvas_size: Any = None) -> Any:
    """The points outside of the canvas moved to its rim.

    A plain tensor needs `canvas_size`; KeyPoints must not have it. Raises ValueError for that.
    """
    typed = _checked(inpt, canvas_size, "`canvas_size`")
    found = _cut(inpt.view_as(inpt), inpt.canvas_size if typed else tuple(canvas_size)).to(inpt.dtype)
    return wrap(found, like=inpt) if typed else found


def _checked(inpt: Any, canvas_size: Any, what: str) -> bool:
    typed = isinstance(inpt, KeyPoints)
    if not typed and canvas_size is None:
        raise ValueError(f"For pure tensor inputs, {what} has to be passed.")
    if typed and canvas_size is not None:
        raise ValueError(f"For keypoints tv_tensor inputs, {what} must not be passed.")
    return typed


def valid_points(points: Any, canvas: Canvas) -> Any:
    """Which points, or groups of points (N, ..., 2), lie within the canvas as a whole."""
    x, y = points[..., 0], points[..., 1]
    inside = (x >= 0) & (x < canvas[1]) & (y >= 0) & (y < canvas[0])
    return inside.flatten(1).all(1) if inside.dim() > 1 else inside


def sanitize_keypoints(key_points: Any, canvas_size: Any = None) -> tuple[Any, Any]:
    """The points that lie within the canvas, and a bool for each point given whether it is among them."""
    typed = _checked(key_points, canvas_size, "`canvas_size`")
    plain = key_points.view_as(key_points)
    valid = valid_points(plain, key_points.canvas_size if typed else tuple(canvas_size))
    return wrap(plain[valid], like=key_points) if typed else plain[valid], valid
