"""Convolution with a group for every channel, in NumPy: sums over the positions of the kernel.

Each position is one strided slice of the padded input times a number a channel.  The work is done some images at a time, so that
what is added up stays in the cache.  A channel may have several outputs: arrays of those are seen as (N, C, outputs, *out).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from .im2col import BUDGET, Geometry, Ints, inside, padded, padded_shape


def _pieces(count: int, bytes_each: int) -> Iterator[slice]:
    size = max(BUDGET // max(bytes_each, 1), 1)
    return (slice(start, start + size) for start in range(0, count, size))


def _factors(w: np.ndarray, channels: int) -> np.ndarray:
    """The weights as (*kernel, C, outputs, 1, ...), to be multiplied with (n, C, outputs, *out)."""
    space = w.ndim - 2
    each = np.moveaxis(w[:, 0].reshape(channels, -1, *w.shape[2:]), (0, 1), (space, space + 1))
    return each.reshape(*each.shape, *[1] * space)


def correlate_each(x: np.ndarray, w: np.ndarray, out: Ints, geometry: Geometry) -> np.ndarray:
    """`im2col.correlate` where every channel is a group."""
    n, channels = x.shape[:2]
    result = np.zeros((n, channels, len(w) // channels, *out), np.result_type(x, w))
    lined, factors = padded(x, geometry.padding)[:, :, None], _factors(w, channels)
    for images in _pieces(n, result[0].nbytes):
        part, total = lined[images], result[images]
        product = np.empty_like(total)
        for at, place in geometry.places(w.shape[2:], out):
            np.multiply(part[place], factors[at], out=product)
            np.add(total, product, out=total)
    return result.reshape(n, len(w), *out)


def scatter_each(g: np.ndarray, w: np.ndarray, space: Ints, geometry: Geometry) -> np.ndarray:
    """`im2col.scatter` where every channel is a group."""
    n, out = len(g), g.shape[2:]
    channels = geometry.groups
    shape = (n, channels, *space)
    total = np.zeros(padded_shape(shape, geometry.padding), np.result_type(g, w))
    each, factors = g.reshape(n, channels, -1, *out), _factors(w, channels)
    for images in _pieces(n, each[0].nbytes):
        part, target = each[images], total[images]
        for at, place in geometry.places(w.shape[2:], out):
            product = part * factors[at]
            target[place] += product[:, :, 0] if product.shape[2] == 1 else np.add.reduce(product, 2)
    return total[inside(shape, geometry.padding)]


def weight_each(x: np.ndarray, g: np.ndarray, shape: Ints, geometry: Geometry) -> np.ndarray:
    """`im2col.weight_product` where every channel is a group."""
    n, out, kernel = len(g), g.shape[2:], shape[2:]
    channels = geometry.groups
    lined = padded(x, geometry.padding)[:, :, None]
    each = g.reshape(n, channels, -1, *out)
    over: Any = (0, *range(3, each.ndim))
    result = np.zeros((*kernel, channels, each.shape[2]), np.result_type(x, g))
    for images in _pieces(n, math.prod(each.shape[1:]) * g.itemsize):
        part, source = each[images], lined[images]
        product = np.empty(part.shape, result.dtype)
        for at, place in geometry.places(kernel, out):
            result[at] += np.add.reduce(np.multiply(source[place], part, out=product), axis=over)
    return np.moveaxis(result, (-2, -1), (0, 1)).reshape(shape)
