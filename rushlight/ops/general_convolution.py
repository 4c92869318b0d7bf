"""Convolutions in machine code for any extents: arrays laid out so that windows are offsets
(`codegen/general_windows.py`).

The images of a batch lie behind one another, channel by channel, on a *grid* that is as large as the windows reach:
where the rows of a result end, its last windows run into the next row, and what they make is left out.  The zeros in
front of a row are those behind the row before.  A stride takes the grid apart into one for each residue of the places,
a *phase*, and the adjoint puts as many results together.
Where results would be little of what is computed, and for single places, the kernels of `im2col.py` answer.
"""

from __future__ import annotations

import itertools
import math
from bisect import bisect_left
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.lib.stride_tricks import as_strided

from .general import F32, F64, INT64, Kernel, Native, runs
from .im2col import Geometry, Ints

TILES = (1, 4, 8)  # channels at a time, by function
ROWS, SIDE = 4, 6  # in the gradient of a weight, and taps
EVEN = 16  # elements of the widest vector, of which rows have a whole number
WASTE = 1.6  # places that are computed for one that is read
LEAST = 1 << 19  # multiplications below which laying out takes longer


class _Grid(NamedTuple):
    """Where images lie.

    Attributes:
        row: all channels' places in one array, and zeros behind them for the last windows.
        planes: (channels, phases, images, *space), a view of it.
    """

    row: np.ndarray
    planes: np.ndarray

    @property
    def step(self) -> int:
        """From one channel to the next."""
        return math.prod(self.planes.shape[1:])

    def span(self, out: Ints) -> int:
        """The places of the last window of the last image, and of all before it, in whole vectors."""
        space = self.planes.shape[3:]
        last = (self.planes.shape[2] - 1) * math.prod(space) + sum(_flat(space, [n - 1 for n in out]))
        return (last // EVEN + 1) * EVEN

    def strides(self) -> Ints:
        """From one image to the next, and along its space, in elements."""
        space = self.planes.shape[3:]
        return tuple(math.prod(space[d:]) for d in range(len(space) + 1))


def _flat(space: Ints, at: Any) -> list[int]:
    return [i * math.prod(space[d + 1 :]) for d, i in enumerate(at)]


def _extents(n: int, m: int, start: int, stride: int, residue: int) -> tuple[int, int]:
    """Where a phase of n places, which begin at `start` of m, begins and ends."""
    first = max(-((residue - start) // stride), 0)
    return first, max(min(m, -((residue - start - n) // stride)), first)


def _space(given: Ints, out: Ints, reach: Ints, starts: Ints, stride: Ints) -> Ints:
    """The extents of a grid for so many windows: what these reach, less the zeros that two rows can share."""
    found = []
    for n, m, far, start, s in zip(given, out, reach, starts, stride, strict=True):
        ends = [_extents(n, m + far, start, s, r) for r in range(s)]
        shared = min(min(first for first, _ in ends), m + far - max(end for _, end in ends))
        found.append(max(m + far - shared, m))
    return tuple(found)


def _grid(x: np.ndarray, space: Ints, reach: Ints, starts: Ints, stride: Ints) -> _Grid:
    """Images on a grid of `space` for each phase; taken together they begin at `starts`, perhaps before it."""
    shape = (x.shape[1], math.prod(stride), x.shape[0], *space)
    size = math.prod(shape)
    row = np.zeros(size + sum(_flat(space, reach)) + EVEN, x.dtype)
    planes, given = row[:size].reshape(shape), x.swapaxes(0, 1)
    for phase, residues in enumerate(itertools.product(*map(range, stride))):
        target: list[Any] = [slice(None), phase, slice(None)]
        source: list[Any] = [slice(None), slice(None)]
        for n, m, start, s, r in zip(x.shape[2:], space, starts, stride, residues, strict=True):
            first, end = _extents(n, m, start, s, r)
            begin = first * s + r - start
            target.append(slice(first, end))
            source.append(slice(begin, begin + (end - first) * s, s))
        planes[tuple(target)] = given[tuple(source)]
    return _Grid(row, planes)


def _is_worth(x: Ints, w: Ints, out: Ints, space: Ints) -> bool:
    return (
        math.prod(w[2:]) > 1
        and math.prod(space) <= WASTE * math.prod(out)
        and math.prod(out) * x[0] * math.prod(w) >= LEAST
    )


def _reach(kernel: Ints, geometry: Geometry) -> Ints:
    """How many places of a phase lie between those that a window meets first and last."""
    return tuple((k - 1) * d // s for k, d, s in zip(kernel, geometry.dilation, geometry.stride, strict=True))


@lru_cache(maxsize=256)
def _offsets(channels: int, step: int, taps: tuple[int, ...], even: int = 1) -> np.ndarray:
    """Of every tap in each of a group's channels; a multiple of `even` of them."""
    count = channels * len(taps)
    found = np.zeros(count + -count % even, INT64)
    found[:count] = np.add.outer(np.arange(channels) * step, taps).ravel()
    return found


@lru_cache(maxsize=256)
def _places(space: Ints, images: int, kernel: Ints, geometry: Geometry) -> tuple[int, ...]:
    """Where the window's places lie behind its first one, in its phase."""
    found = []
    for at in itertools.product(*map(range, kernel)):
        steps = [i * d for i, d in zip(at, geometry.dilation, strict=True)]
        phase = 0
        for i, s in zip(steps, geometry.stride, strict=True):
            phase = phase * s + i % s
        whole = [i // s for i, s in zip(steps, geometry.stride, strict=True)]
        found.append(phase * images * math.prod(space) + sum(_flat(space, whole)))
    return tuple(found)


def _in_blocks(w: np.ndarray, tile: int) -> np.ndarray:
    """Weights (groups, channels, taps) as (groups, blocks, taps, tile)."""
    groups, channels, taps = w.shape
    if channels % tile:
        w = np.concatenate([w, np.zeros((groups, -channels % tile, taps), w.dtype)], 1)
    return np.ascontiguousarray(w.reshape(groups, -1, tile, taps).swapaxes(2, 3))


def _summed(f: Sequence[Native], grid: _Grid, w: np.ndarray, offsets: Any, out: Ints) -> np.ndarray | None:
    """The sums of windows with weights (groups, channels, taps): a view (images, groups, channels, *out)."""
    groups, channels, taps = w.shape
    by = bisect_left(TILES[:-1], channels)
    blocks = _in_blocks(w, TILES[by])
    span, step = grid.span(out), grid.planes.shape[0] // groups * grid.step
    sums = np.empty((groups, blocks.shape[1] * blocks.shape[3], span), w.dtype)
    if not f[by](grid.row, blocks, sums, offsets, groups, step, taps, blocks.shape[1], span):
        return None
    size, strides = w.itemsize, grid.strides()
    return as_strided(
        sums, (grid.planes.shape[2], groups, channels, *out),
        (strides[0] * size, *sums.strides[:2], *(s * size for s in strides[1:])),
    )  # fmt: skip


def _finished(view: np.ndarray, shape: Ints, b: Any) -> np.ndarray:
    """(images, groups, channels, *out) as an array, with a bias."""
    result = np.empty(view.shape, view.dtype)
    if b is None:
        result[...] = view
    else:
        np.add(view, b.reshape(view.shape[1:3] + (1,) * (view.ndim - 3)), result)
    return result.reshape(shape)


def _correlated(f: Sequence[Native], x: Any, w: Any, b: Any, geometry: Geometry) -> Any:
    kernel, groups = w.shape[2:], geometry.groups
    out = geometry.output(x.shape[2:], kernel)
    if min(out) < 1:
        return None
    reach, room = _reach(kernel, geometry), (geometry.padding, geometry.stride)
    space = _space(x.shape[2:], out, reach, *room)
    if not _is_worth(x.shape, w.shape, out, space):
        return None
    grid = _grid(x, space, reach, *room)
    offsets = _offsets(w.shape[1], grid.step, _places(space, len(x), kernel, geometry))
    found = _summed(f, grid, w.reshape(groups, len(w) // groups, -1), offsets, out)
    return None if found is None else _finished(found, (len(x), len(w), *out), b)


def _scattered(f: Sequence[Native], g: Any, w: Any, b: Any, space: Ints, geometry: Geometry) -> Any:
    """The adjoint in x: the places of each phase are sums over the taps that meet them."""
    kernel, groups, stride = w.shape[2:], geometry.groups, geometry.stride
    reach = _reach(kernel, geometry)
    low = tuple(p // s for p, s in zip(geometry.padding, stride, strict=True))
    out = tuple((n - 1 + p) // s - a + 1 for n, p, s, a in zip(space, geometry.padding, stride, low, strict=True))
    room = tuple(r - a for r, a in zip(reach, low, strict=True)), (1,) * len(stride)
    whole = _space(g.shape[2:], out, reach, *room)
    if not _is_worth(g.shape, w.shape, g.shape[2:], whole):
        return None
    grid = _grid(g, whole, reach, *room)
    each = w.reshape(groups, len(w) // groups, *w.shape[1:]).swapaxes(1, 2)  # (groups, channels, outputs, *kernel)
    channels = each.shape[1]
    phases = np.zeros((len(g), groups, channels, *(n * s for n, s in zip(out, stride, strict=True))), g.dtype)
    for residues in itertools.product(*map(range, stride)):
        taps = _meeting(kernel, geometry, residues)
        if not all(taps):
            continue
        met: Any = (..., *np.ix_(*taps))
        factors = each[met].reshape(groups, channels, -1)
        at = [[r - i * d // s for i in t] for r, t, d, s in zip(reach, taps, geometry.dilation, stride, strict=True)]
        places = tuple([sum(_flat(whole, i)) for i in itertools.product(*at)])
        offsets = _offsets(len(w) // groups, grid.step, places)
        found = _summed(f, grid, factors, offsets, out)
        if found is None:
            return None
        here: Any = (..., *(slice(r, None, s) for r, s in zip(residues, stride, strict=True)))
        phases[here] = found
    inner: Any = (..., *(slice(p % s, p % s + n) for n, p, s in zip(space, geometry.padding, stride, strict=True)))
    return _finished(phases[inner], (len(g), groups * channels, *space), b)


def _meeting(kernel: Ints, geometry: Geometry, residues: Ints) -> list[list[int]]:
    """In each dimension, the taps that meet the places of a phase."""
    return [
        [i for i in range(k) if i * d % s == r]
        for k, d, s, r in zip(kernel, geometry.dilation, geometry.stride, residues, strict=True)
    ]


def _weighed(f: Sequence[Native], x: Any, d: Any, kernel: Ints, geometry: Geometry) -> Any:
    groups, out = geometry.groups, d.shape[2:]
    outputs, inputs = d.shape[1] // groups, x.shape[1] // groups
    reach, room = _reach(kernel, geometry), (geometry.padding, geometry.stride)
    space = _space(x.shape[2:], out, reach, *room)
    if not _is_worth(x.shape, (d.shape[1], inputs, *kernel), out, space):
        return None
    grid = _grid(x, space, reach, *room)
    offsets = _offsets(inputs, grid.step, _places(space, len(x), kernel, geometry), SIDE)
    span, alone, taps = grid.span(out), outputs == 1, inputs * math.prod(kernel)
    rows = outputs if alone else outputs + -outputs % ROWS
    arrived = np.zeros((groups, rows, span), d.dtype)
    strides = [s * d.itemsize for s in grid.strides()]
    view = as_strided(arrived, (len(d), groups, outputs, *out), (strides[0], *arrived.strides[:2], *strides[1:]))
    view[...] = d.reshape(view.shape)
    sums = np.zeros((groups, rows, len(offsets)), d.dtype)
    if not f[alone](grid.row, arrived, sums, offsets, groups, inputs * grid.step, len(offsets), rows, span):
        return None
    if not np.isfinite(sums).all():  # the zeros between rows have met what is not finite
        return None
    return sums[:, :outputs, :taps].reshape(d.shape[1], inputs, *kernel)


def _one_kind(a: Any, b: Any) -> bool:
    """Whether both are of one float type that there is machine code for, and not empty."""
    return a.dtype is b.dtype and (a.dtype is F32 or a.dtype is F64) and a.size > 0 and b.size > 0


SUMS = ("sum_windows_alone", "sum_windows_few", "sum_windows")


@runs("convolution", function=SUMS)
def _convolution(kernel: Kernel, *functions: Native) -> Kernel:
    def run(x: Any, w: Any, b: Any, *, geometry: Geometry) -> Any:
        f = functions[x.dtype is F64 :: 2]
        found = _correlated(f, x, w, b, geometry) if _one_kind(x, w) else None
        return kernel(x, w, b, geometry=geometry) if found is None else found

    return run


@runs("convolution_input", "convolution_transposed", function=SUMS)
def _convolution_input(kernel: Kernel, *functions: Native) -> Kernel:
    def run(x: Any, w: Any, b: Any, *, space: Ints, geometry: Geometry) -> Any:
        f = functions[x.dtype is F64 :: 2]
        found = _scattered(f, x, w, b, space, geometry) if _one_kind(x, w) else None
        return kernel(x, w, b, space=space, geometry=geometry) if found is None else found

    return run


@runs("convolution_weight", function=("weigh_windows", "weigh_windows_alone"))
def _convolution_weight(kernel: Kernel, *functions: Native) -> Kernel:
    def run(x: Any, d: Any, *, kernel: Ints, geometry: Geometry) -> Any:
        f = functions[x.dtype is F64 :: 2]
        found = _weighed(f, x, d, kernel, geometry) if _one_kind(x, d) else None
        return by_columns(x, d, kernel=kernel, geometry=geometry) if found is None else found

    by_columns = kernel
    return run
