"""Convolution in NumPy: windows of the input as columns of a matrix, then one product (Chellapilla et al. 2006).

Three kernels make up the trilinear form <conv(x, w), g>: `correlate` gives the part of g, `scatter` that of x (the
transposed convolution), `weight_product` that of w.  Arrays are (N, C, *space), weights (O, C / groups, *kernel).  The
work is done in pieces, some images or some rows of one, whose columns fit the cache; one buffer holds them all in
turn.  Two layouts of the columns: image by image where an image has many positions, all images side by side where it
has few, so that the product is always a large one.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.lib.stride_tricks import as_strided

Ints = tuple[int, ...]

BUDGET = 1 << 21  # bytes of columns at a time: measured, with 1 to 40 MB
TURNED = 16  # positions of a scatter that is worth turning the kernels for
SIDE_BY_SIDE = 64  # up to so many positions an image's product is too small on its own


class Geometry(NamedTuple):
    """Where the windows lie: stride, zero padding on both sides, dilation, and how many groups the channels are in.

    `winograd` is whether the compiler may save multiplications (`winograd.py`).
    """

    stride: Ints
    padding: Ints
    dilation: Ints
    groups: int = 1
    winograd: bool = True

    def output(self, space: Ints, kernel: Ints) -> Ints:
        """How many windows there are in each dimension."""
        return tuple(
            (n + 2 * p - d * (k - 1) - 1) // s + 1
            for n, k, s, p, d in zip(space, kernel, self.stride, self.padding, self.dilation, strict=True)
        )

    def places(self, kernel: Ints, out: Ints) -> Iterator[tuple[Ints, Any]]:
        """Every position in the kernel, and the slice of the padded input that it meets in all windows."""
        for at in itertools.product(*map(range, kernel)):
            yield at, (..., *(
                slice(i * d, i * d + (n - 1) * s + 1, s)
                for i, d, n, s in zip(at, self.dilation, out, self.stride, strict=True)
            ))  # fmt: skip


def padded(x: np.ndarray, padding: Ints) -> np.ndarray:
    """x with `padding` zeros on both sides of each dimension of space."""
    if not any(padding):
        return x
    whole = np.zeros(padded_shape(x.shape, padding), x.dtype)
    whole[inside(x.shape, padding)] = x
    return whole


def padded_shape(shape: Ints, padding: Ints) -> Ints:
    """The shape (*lead, *space) with padding around the space."""
    lead = len(shape) - len(padding)
    return (*shape[:lead], *(n + 2 * p for n, p in zip(shape[lead:], padding, strict=True)))


def inside(shape: Ints, padding: Ints) -> Any:
    """The index of what is not padding."""
    return (..., *(slice(p, p + n) for n, p in zip(shape[len(shape) - len(padding) :], padding, strict=True)))


def windows(x: np.ndarray, kernel: Ints, out: Ints, stride: Ints, dilation: Ints) -> np.ndarray:
    """All windows of a padded array (*lead, *space), as a view (*lead, *kernel, *out)."""
    lead = x.ndim - len(kernel)
    steps = x.strides[lead:]
    along_kernel = tuple(s * d for s, d in zip(steps, dilation, strict=True))
    along_out = tuple(s * t for s, t in zip(steps, stride, strict=True))
    return as_strided(
        x, (*x.shape[:lead], *kernel, *out), (*x.strides[:lead], *along_kernel, *along_out), writeable=False
    )


def add_windows(total: np.ndarray, columns: np.ndarray, kernel: Ints, out: Ints, stride: Ints, dilation: Ints) -> None:
    """The adjoint of `windows`: adds columns (*lead, *kernel, *out) to the places of a padded array they came from."""
    whole = (slice(None),) * len(out)
    for at, place in Geometry(stride, (), dilation).places(kernel, out):
        here: Any = (..., *at, *whole)
        total[place] += columns[here]


# ---------------------------------------------------------------------------------------------------------------------
# Pieces


def _pieces(count: int, rows: int, row_bytes: int) -> Iterator[tuple[slice, slice]]:
    """The work in pieces within the budget: some images whole, or some rows of one image."""
    size = BUDGET // max(rows * row_bytes, 1)
    if size:
        yield from ((slice(i, min(i + size, count)), slice(0, rows)) for i in range(0, count, size))
        return
    size = max(BUDGET // max(row_bytes, 1), 1)
    for i in range(count):
        yield from ((slice(i, i + 1), slice(r, min(r + size, rows))) for r in range(0, rows, size))


class _Columns:
    """Windows of an input, copied piece by piece into one buffer; not copied where they lie in order already."""

    def __init__(self, x: np.ndarray, kernel: Ints, out: Ints, geometry: Geometry, side_by_side: bool) -> None:
        lined = padded(x, geometry.padding)
        view = windows(lined, kernel, out, geometry.stride, geometry.dilation)
        self.space = len(kernel)
        self.out = out
        row_bytes = math.prod(view.shape[1 : 2 + self.space]) * math.prod(out[1:]) * x.itemsize
        self.pieces = list(_pieces(len(x), out[0], row_bytes))
        self.side_by_side = side_by_side
        if side_by_side:
            view = view.transpose(1, *range(2, 2 + self.space), 0, *range(2 + self.space, view.ndim))
        self.view = view
        self.buffer = np.empty(0, x.dtype)

    def __call__(self, images: slice, rows: slice) -> np.ndarray:
        """The columns of a piece: (n, C, *kernel, r, *out[1:]), or side by side (C, *kernel, n, r, *out[1:])."""
        every = slice(None)
        kernel = (every,) * self.space
        at: Any = (every, *kernel, images, rows) if self.side_by_side else (images, every, *kernel, rows)
        part = self.view[at]
        if part.flags.c_contiguous:
            return part
        if self.buffer.size < part.size:
            self.buffer = np.empty(part.size, part.dtype)
        columns = self.buffer[: part.size].reshape(part.shape)
        np.copyto(columns, part)
        return columns


def _positions(rows: slice, out: Ints) -> slice:
    """The flat positions of some rows of an image."""
    width = math.prod(out[1:])
    return slice(rows.start * width, rows.stop * width)


def _channels_first(g: np.ndarray) -> np.ndarray:
    """(n, O, *out) as a matrix (O, n * positions)."""
    return np.ascontiguousarray(g.swapaxes(0, 1)).reshape(g.shape[1], -1)


# ---------------------------------------------------------------------------------------------------------------------
# The three kernels


def correlate(x: np.ndarray, w: np.ndarray, geometry: Geometry) -> np.ndarray:
    """The convolution layer's forward pass: (N, C, *space) and (O, C / groups, *kernel) to (N, O, *out)."""
    kernel, groups, n = w.shape[2:], geometry.groups, len(x)
    out = geometry.output(x.shape[2:], kernel)
    if not (x.size and w.size and math.prod(out)):
        return np.zeros((n, len(w), *out), np.result_type(x, w))
    if _is_product(kernel, geometry):
        return np.matmul(w.reshape(len(w), -1), x.reshape(n, x.shape[1], -1)).reshape(n, len(w), *out)
    result = np.empty((n, len(w), *out), np.result_type(x, w))
    flat = result.reshape(n, groups, len(w) // groups, -1)
    matrix = w.reshape(groups, len(w) // groups, -1)
    beside = groups == 1 and math.prod(out) <= SIDE_BY_SIDE and n > 1
    columns = _Columns(x, kernel, out, geometry, beside)
    for images, rows in columns.pieces:
        at = _positions(rows, out)
        found = columns(images, rows)
        if beside:
            product = matrix[0] @ found.reshape(matrix.shape[2], -1)
            flat[images, 0, :, at] = product.reshape(len(w), -1, at.stop - at.start).swapaxes(0, 1)
        else:
            np.matmul(matrix, found.reshape(len(found), groups, matrix.shape[2], -1), out=flat[images, ..., at])
    return result


def _is_product(kernel: Ints, geometry: Geometry) -> bool:
    """Whether windows are single places, each one: then an image lies as its columns do."""
    once = all(s == 1 for s in geometry.stride) and not any(geometry.padding)
    return once and geometry.groups == 1 and all(k == 1 for k in kernel)


def scatter(g: np.ndarray, w: np.ndarray, space: Ints, geometry: Geometry) -> np.ndarray:
    """The adjoint of `correlate` in x: (N, O, *out) and (O, C / groups, *kernel) to (N, C, *space)."""
    kernel, groups, n = w.shape[2:], geometry.groups, len(g)
    shape = (n, w.shape[1] * groups, *space)
    if not (g.size and w.size and math.prod(space)):
        return np.zeros(shape, np.result_type(g, w))
    if _is_product(kernel, geometry):
        return np.matmul(w.reshape(len(w), -1).T, g.reshape(n, len(w), -1)).reshape(shape)
    if groups > 1 and w.shape[1] == 1:
        return _scatter_by_position(g, w, shape, geometry)
    if (room := _turned_padding(g.shape, w.shape, space, geometry)) is not None:
        turned = np.flip(w, tuple(range(2, w.ndim))).swapaxes(0, 1)
        return correlate(g, np.ascontiguousarray(turned), geometry._replace(padding=room))
    if groups == 1 and math.prod(g.shape[2:]) <= SIDE_BY_SIDE and n > 1:
        return _scatter_side_by_side(g, w, shape, geometry)
    matrix = np.ascontiguousarray(w.reshape(groups, len(w) // groups, -1).swapaxes(1, 2))
    return _scatter_by_image(g, matrix, kernel, shape, geometry)


def _turned_padding(g: Ints, w: Ints, space: Ints, geometry: Geometry) -> Ints | None:
    """The padding with which the turned kernels make a convolution of a scatter; None if that is not the faster way.

    Gathering columns takes half as long as adding them up, but these have g's channels.
    """
    if geometry.groups > 1 or any(s > 1 for s in geometry.stride):
        return None
    few = math.prod(space) < TURNED or w[0] > 2 * w[1]
    room = tuple(d * (k - 1) - p for k, p, d in zip(w[2:], geometry.padding, geometry.dilation, strict=True))
    if few or min(room) < 0 or geometry._replace(padding=room).output(g[2:], w[2:]) != tuple(space):
        return None
    return room


def _scatter_by_image(g: np.ndarray, matrix: np.ndarray, kernel: Ints, shape: Ints, geometry: Geometry) -> np.ndarray:
    out, groups, channels = g.shape[2:], geometry.groups, shape[1]
    total = np.zeros(padded_shape(shape, geometry.padding), np.result_type(g, matrix))
    row_bytes = matrix.shape[1] * groups * math.prod(out[1:]) * g.itemsize
    flat = np.ascontiguousarray(g).reshape(len(g), groups, matrix.shape[2], -1)
    buffer = np.empty(0, total.dtype)
    for images, rows in _pieces(len(g), out[0], row_bytes):
        part = flat[images, ..., _positions(rows, out)]
        size = len(part) * groups * matrix.shape[1] * part.shape[3]
        if buffer.size < size:
            buffer = np.empty(size, total.dtype)
        columns = buffer[:size].reshape(len(part), groups, matrix.shape[1], part.shape[3])
        np.matmul(matrix, part, out=columns)
        piece_out = (rows.stop - rows.start, *out[1:])
        add_windows(total[images, :, rows.start * geometry.stride[0] :], columns.reshape(len(part), channels, *kernel,
        *piece_out),
                    kernel, piece_out, geometry.stride, geometry.dilation)  # fmt: skip
    return total[inside(shape, geometry.padding)]


def _scatter_side_by_side(g: np.ndarray, w: np.ndarray, shape: Ints, geometry: Geometry) -> np.ndarray:
    kernel, out, space = w.shape[2:], g.shape[2:], len(g.shape) - 2
    result = np.empty(shape, np.result_type(g, w))
    matrix = w.reshape(len(w), -1).T
    order = (0, 1 + space, *range(1, 1 + space), *range(2 + space, 2 + 2 * space))
    for images, _ in _pieces(len(g), 1, matrix.shape[0] * math.prod(out) * g.itemsize):
        part = g[images]
        lead = (shape[1], len(part))
        total = np.zeros(padded_shape((*lead, *shape[2:]), geometry.padding), result.dtype)
        columns = (matrix @ _channels_first(part)).reshape(shape[1], *kernel, len(part), *out)
        add_windows(total, columns.transpose(order), kernel, out, geometry.stride, geometry.dilation)
        result[images] = total[inside((*lead, *shape[2:]), geometry.padding)].swapaxes(0, 1)
    return result


def _scatter_by_position(g: np.ndarray, w: np.ndarray, shape: Ints, geometry: Geometry) -> np.ndarray:
    """Where every channel is a group (depthwise): columns would only be multiplied by a number each, so none are
    made."""
    n, channels = shape[:2]
    out, space = g.shape[2:], len(shape) - 2
    total = np.zeros(padded_shape(shape, geometry.padding), np.result_type(g, w))
    each = g.reshape(n, channels, -1, *out)
    factors = w.reshape(channels, -1, *w.shape[2:], *[1] * space)
    for images, _ in _pieces(n, 1, each[0].nbytes):
        part, target = each[images], total[images]
        for at, place in geometry.places(w.shape[2:], out):
            here: Any = (slice(None), slice(None), *at)
            product = part * factors[here]
            target[place] += product[:, :, 0] if product.shape[2] == 1 else np.add.reduce(product, 2)
    return total[inside(shape, geometry.padding)]


def weight_product(x: np.ndarray, g: np.ndarray, kernel: Ints, geometry: Geometry) -> np.ndarray:
    """The adjoint of `correlate` in w: (N, C, *space) and (N, O, *out) to (O, C / groups, *kernel)."""
    groups, out = geometry.groups, g.shape[2:]
    outputs, inputs = g.shape[1] // groups, x.shape[1] // groups
    shape = (g.shape[1], inputs, *kernel)
    if not (x.size and g.size):
        return np.zeros(shape, np.result_type(x, g))
    width = inputs * math.prod(kernel)
    result = np.zeros((groups, outputs, width), np.result_type(x, g))
    beside = groups == 1 and width >= SIDE_BY_SIDE
    columns = _Columns(x, kernel, out, geometry, beside)
    for images, rows in columns.pieces:
        found, part = columns(images, rows), g[images, :, rows]
        if beside:
            result[0] += _channels_first(part) @ found.reshape(width, -1).T
        else:
            part = np.ascontiguousarray(part).reshape(len(part), groups, outputs, -1)
            result += np.matmul(part, found.reshape(len(found), groups, width, -1).swapaxes(2, 3)).sum(0)
    return result.reshape(shape)
