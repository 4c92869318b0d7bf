"""Convolution in NumPy: windows of the input as columns of a matrix, then one product (Chellapilla et al. 2006).

Three kernels make up the trilinear form <conv(x, w), g>: `correlate` gives the part of g, `scatter` that of x (the transposed
convolution), `weight_product` that of w.  Arrays are (N, C, *space), weights (O, C / groups, *kernel).  The batch is worked off in pieces whose
columns fit a fixed budget of memory.  Two layouts of the columns: image by image where an image has many positions, all
images side by side where it has few, so that the product is always a large one.
"""

from __future__ import annotations

import itertools
import math
from typing import Any, NamedTuple

import numpy as np
from numpy.lib.stride_tricks import as_strided

Ints = tuple[int, ...]

BUDGET = 1 << 25  # bytes of columns at a time
SIDE_BY_SIDE = 64  # up to so many positions an image's product is too small on its own


class Geometry(NamedTuple):
    """Where the windows lie: stride, zero padding on both sides, dilation, and how many groups the channels are in."""

    stride: Ints
    padding: Ints
    dilation: Ints
    groups: int = 1

    def output(self, space: Ints, kernel: Ints) -> Ints:
        """How many windows there are in each dimension."""
        return tuple(
            (n + 2 * p - d * (k - 1) - 1) // s + 1
            for n, k, s, p, d in zip(space, kernel, self.stride, self.padding, self.dilation, strict=True)
        )


def padded(x: np.ndarray, padding: Ints, value: float = 0) -> np.ndarray:
    """x with `padding` numbers `value` on both sides of each dimension of space."""
    if not any(padding):
        return x
    lead = x.ndim - len(padding)
    shape = (*x.shape[:lead], *(n + 2 * p for n, p in zip(x.shape[lead:], padding, strict=True)))
    whole = np.zeros(shape, x.dtype) if value == 0 else np.full(shape, value, x.dtype)
    whole[_inside(x.shape[lead:], padding)] = x
    return whole


def _inside(space: Ints, padding: Ints) -> Any:
    """The index of what is not padding."""
    return (..., *(slice(p, p + n) for n, p in zip(space, padding, strict=True)))


def windows(x: np.ndarray, kernel: Ints, out: Ints, stride: Ints, dilation: Ints) -> np.ndarray:
    """All windows of a padded array (*lead, *space), as a view (*lead, *kernel, *out)."""
    lead = x.ndim - len(kernel)
    steps = x.strides[lead:]
    along_kernel = tuple(s * d for s, d in zip(steps, dilation, strict=True))
    along_out = tuple(s * t for s, t in zip(steps, stride, strict=True))
    return as_strided(x, (*x.shape[:lead], *kernel, *out), (*x.strides[:lead], *along_kernel, *along_out), writeable=False)


def add_windows(total: np.ndarray, columns: np.ndarray, kernel: Ints, out: Ints, stride: Ints, dilation: Ints) -> None:
    """The adjoint of `windows`: adds columns (*lead, *kernel, *out) to the places of a padded array they came from."""
    for at in itertools.product(*map(range, kernel)):
        places = tuple(
            slice(i * d, i * d + (n - 1) * s + 1, s) for i, d, n, s in zip(at, dilation, out, stride, strict=True)
        )
        here: Any = (..., *at, *[slice(None)] * len(out))
        total[(..., *places)] += columns[here]


def _pieces(count: int, bytes_each: int) -> list[slice]:
    size = max(1, BUDGET // max(bytes_each, 1))
    return [slice(start, start + size) for start in range(0, count, size)]


def correlate(x: np.ndarray, w: np.ndarray, geometry: Geometry) -> np.ndarray:
    """The convolution layer's forward pass: (N, C, *space) and (O, C / groups, *kernel) to (N, O, *out)."""
    kernel = w.shape[2:]
    out = geometry.output(x.shape[2:], kernel)
    n, groups, positions = len(x), geometry.groups, math.prod(out)
    result = np.empty((n, len(w), *out), np.result_type(x, w))
    if not result.size:
        return result
    if not w.size:
        result[...] = 0
        return result
    view = windows(padded(x, geometry.padding), kernel, out, geometry.stride, geometry.dilation)
    flat = result.reshape(n, groups, -1, positions)
    matrix = w.reshape(groups, len(w) // groups, -1)
    for piece in _pieces(n, matrix.shape[2] * groups * positions * x.itemsize):
        if groups == 1 and positions <= SIDE_BY_SIDE and n > 1:
            product = matrix[0] @ _side_by_side(view[piece])
            flat[piece, 0] = product.reshape(len(w), -1, positions).transpose(1, 0, 2)
        else:
            np.matmul(matrix, _by_image(view[piece], groups, positions), out=flat[piece])
    return result


def _by_image(view: np.ndarray, groups: int, positions: int) -> np.ndarray:
    """Windows as columns, (n, groups, C / groups * kernel, positions)."""
    return np.ascontiguousarray(view).reshape(len(view), groups, -1, positions)


def _side_by_side(view: np.ndarray) -> np.ndarray:
    """Windows as columns of all images, (C * kernel, n * positions)."""
    space = (view.ndim - 2) // 2
    order = (1, *range(2, 2 + space), 0, *range(2 + space, view.ndim))
    columns = np.ascontiguousarray(view.transpose(order))
    return columns.reshape(math.prod(columns.shape[: 1 + space]), -1)


def _channels_first(g: np.ndarray) -> np.ndarray:
    """(n, O, *out) as a matrix (O, n * positions)."""
    return np.ascontiguousarray(g.swapaxes(0, 1)).reshape(g.shape[1], -1)


def scatter(g: np.ndarray, w: np.ndarray, space: Ints, geometry: Geometry) -> np.ndarray:
    """The adjoint of `correlate` in x: (N, O, *out) and (O, C / groups, *kernel) to (N, C, *space)."""
    kernel, out = w.shape[2:], g.shape[2:]
    n, groups, positions = len(g), geometry.groups, math.prod(out)
    channels = w.shape[1] * groups
    kind = np.result_type(g, w)
    wide = tuple(m + 2 * p for m, p in zip(space, geometry.padding, strict=True))
    inner = _inside(space, geometry.padding)
    result = np.empty((n, channels, *space), kind)
    if not (result.size and g.size and w.size):
        result[...] = 0
        return result
    matrix = w.reshape(groups, len(w) // groups, -1).swapaxes(1, 2)
    for piece in _pieces(n, matrix.shape[1] * groups * positions * g.itemsize):
        part = g[piece]
        if groups == 1 and positions <= SIDE_BY_SIDE and len(part) > 1:
            total = np.zeros((channels, len(part), *wide), kind)
            columns = (matrix[0] @ _channels_first(part)).reshape(channels, *kernel, len(part), *out)
            columns = columns.transpose(0, 1 + len(kernel), *range(1, 1 + len(kernel)), *range(2 + len(kernel), columns.ndim))
            add_windows(total, columns, kernel, out, geometry.stride, geometry.dilation)
            result[piece] = total[inner].swapaxes(0, 1)
        else:
            total = np.zeros((len(part), channels, *wide), kind)
            columns = np.matmul(matrix, part.reshape(len(part), groups, -1, positions))
            add_windows(total, columns.reshape(len(part), channels, *kernel, *out), kernel, out, geometry.stride,
                        geometry.dilation)  # fmt: skip
            result[piece] = total[inner]
    return result


def weight_product(x: np.ndarray, g: np.ndarray, kernel: Ints, geometry: Geometry) -> np.ndarray:
    """The adjoint of `correlate` in w: (N, C, *space) and (N, O, *out) to (O, C / groups, *kernel)."""
    groups, out = geometry.groups, g.shape[2:]
    n, positions = len(x), math.prod(out)
    rows, columns = g.shape[1] // groups, x.shape[1] // groups * math.prod(kernel)
    result = np.zeros((groups, rows, columns), np.result_type(x, g))
    if x.size and g.size:
        view = windows(padded(x, geometry.padding), kernel, out, geometry.stride, geometry.dilation)
        for piece in _pieces(n, columns * groups * positions * x.itemsize):
            if groups == 1 and columns >= SIDE_BY_SIDE:
                result[0] += _channels_first(g[piece]) @ _side_by_side(view[piece]).T
            else:
                by_image = _by_image(view[piece], groups, positions).swapaxes(2, 3)
                result += np.matmul(np.ascontiguousarray(g[piece]).reshape(-1, groups, rows, positions), by_image).sum(0)
    return result.reshape(g.shape[1], x.shape[1] // groups, *kernel)
