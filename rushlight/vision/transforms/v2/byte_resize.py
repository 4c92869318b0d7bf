"""Resizing pictures of bytes in whole numbers, as PyTorch does on the CPU: transforms.v2 resizes tensors of bytes so.

Rows, then columns: each output pixel is a weighted sum of neighbours. The weights are scaled to 16-bit integers by the
largest power of two that fits, the sum is rounded to a byte, and the second pass starts from those bytes.

Source of the scheme: https://github.com/python-pillow/Pillow/blob/main/src/libImaging/Resample.c; PyTorch's
`interpolate` for uint8 follows it with narrower weights.
"""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

CUBIC_SMOOTH, CUBIC_SHARP = -0.5, -0.75  # Keys's parameter, with and without antialiasing


def resize(array: Array, size: tuple[int, int], mode: str, antialias: bool) -> Array:
    """Bytes (..., H, W) at another size; `mode` is "bilinear" or "bicubic"."""
    height, width = size
    across = _pass(array, width, mode, antialias)
    return _pass(across.swapaxes(-1, -2), height, mode, antialias).swapaxes(-1, -2)


def _pass(array: Array, size: int, mode: str, antialias: bool) -> Array:
    """The last axis at another size."""
    if array.shape[-1] == size:
        return array
    places, weights = _taps(array.shape[-1], size, mode, antialias)
    bits = _precision(float(weights.max()))
    whole = np.trunc(weights * (1 << bits) + np.copysign(0.5, weights)).astype(np.int64)
    total = (array.astype(np.int64)[..., places] * whole).sum(-1) + (1 << (bits - 1))
    return np.clip(total >> bits, 0, 255).astype(np.uint8)


def _precision(largest: float) -> int:
    """The most bits after the point that keep every weight below 2 to the 15th."""
    bits = 0
    while bits < 22 and int(0.5 + largest * (1 << (bits + 1))) < 1 << 15:
        bits += 1
    return bits


def _taps(have: int, want: int, mode: str, antialias: bool) -> tuple[Array, Array]:
    """The input places (want, K) of each output pixel, and their weights."""
    scale = have / want
    reach = 1 if mode == "bilinear" else 2
    if not antialias:
        return _nearby(have, want, scale, reach)
    widened = max(scale, 1.0)
    support = reach * widened
    center = scale * (np.arange(want) + 0.5)
    first = np.maximum((center - support + 0.5).astype(np.int64), 0)
    last = np.minimum((center + support + 0.5).astype(np.int64), have)
    places = first[:, None] + np.arange(int((last - first).max()))
    distance = np.abs((places - center[:, None] + 0.5) / widened)
    weights = _linear(distance) if reach == 1 else _cubic(distance, CUBIC_SMOOTH)
    weights = np.where(places < last[:, None], weights, 0.0)
    return np.minimum(places, have - 1), weights / weights.sum(1, keepdims=True)


def _nearby(have: int, want: int, scale: float, reach: int) -> tuple[Array, Array]:
    """The two or four pixels around each place; beyond the edges the outermost pixel counts."""
    center = scale * (np.arange(want) + 0.5) - 0.5
    center = np.maximum(center, 0.0) if reach == 1 else center
    places = np.floor(center).astype(np.int64)[:, None] + np.arange(1 - reach, reach + 1)
    distance = np.abs(center[:, None] - places)
    weights = _linear(distance) if reach == 1 else _cubic(distance, CUBIC_SHARP)
    return np.clip(places, 0, have - 1), weights


def _linear(distance: Array) -> Array:
    return np.maximum(1.0 - distance, 0.0)


def _cubic(d: Array, a: float) -> Array:
    """R. Keys, "Cubic convolution interpolation for digital image processing", 1981."""
    near = ((a + 2) * d - (a + 3)) * d * d + 1
    far = ((d - 5) * d + 8) * d * a - 4 * a
    return np.where(d < 1, near, np.where(d < 2, far, 0.0))
