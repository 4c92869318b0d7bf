"""Arrays put together from pieces, and elements found by position.

Four kinds of Symbol say so.  A "piece" is a value stored in a part of a larger array, and "whole" is that array: its
pieces lie in the loop nests of their values, and have no memory but the whole's.  A "pick" reads an array at positions
that are numbers of another array, an "added" adds to a whole at such positions, in order.  Positions are checked before
they are used: a "guard" is not 0 where one of them is outside, and the run is interpreted then.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .capture import FUNCTIONS, NotLowered, Symbol, broadcast, cast, constant, look

Layout = Callable[..., Any]


@dataclass(frozen=True)
class Places:
    """How an array is read or written at positions.

    Attributes:
        dims: the dimensions of the array that are indexed, one for each index.
        axes: for every dimension of the elements in question, the dimension of the array that goes along, or None.
    """

    dims: tuple[int, ...]
    axes: tuple[int | None, ...]

    def strides(self, strides: tuple[int, ...]) -> tuple[int, ...]:
        """The strides of the elements apart from their positions, given the array's."""
        return tuple(0 if a is None else strides[a] for a in self.axes)

    def steps(self, strides: tuple[int, ...]) -> tuple[int, ...]:
        """What each position is multiplied by."""
        return tuple(strides[d] for d in self.dims)


def iota(shape: tuple[int, ...], axis: int) -> Symbol:
    """0, 1, 2, ... along one dimension."""
    return Symbol("iota", (), shape, np.int64, axis)


# ---------------------------------------------------------------------------------------------------------------------
# Pieces


def _piece(value: Symbol, where: Layout, after: tuple[Symbol, ...] = ()) -> Symbol:
    return Symbol("piece", (value, *after), value.shape, value.dtype, where)


def _everywhere(strides: tuple[int, ...], offset: int) -> tuple[tuple[int, ...], int]:
    return strides, offset


def _background(value: Any, shape: tuple[int, ...], dtype: np.dtype) -> Symbol:
    """What a whole holds before its other pieces: a number, or another array's numbers."""
    if not isinstance(value, Symbol):
        value = constant(np.asarray(value).astype(dtype).item(), dtype)
    return _piece(broadcast(cast(value, dtype), shape), _everywhere)


def assembled(
    pieces: Sequence[tuple[Any, Layout]],
    shape: tuple[int, ...],
    dtype: Any,
    background: Any = None,
    offset: Symbol | None = None,
) -> Symbol:
    """An array made of pieces, each with its layout in the whole; `background` is what lies between them."""
    first = () if background is None else (_background(background, shape, np.dtype(dtype)),)
    rest = first if offset is None else (*first, offset)
    made = [_piece(cast(value, np.dtype(dtype)), where, rest) for value, where in pieces if value.size]
    return Symbol("whole", (*first, *made), shape, dtype)



def joined(parts: Sequence[Any], axis: int, fresh: bool) -> Symbol:
    """`numpy.concatenate`, or with `fresh` (a new dimension) `numpy.stack`."""
    if any(not isinstance(p, Symbol) for p in parts):
        raise NotLowered("an array of the kernel's own among those joined")
    shape = list(parts[0].shape)
    axis = axis % (len(shape) + fresh)
    if fresh:
        shape.insert(axis, len(parts))
    else:
        shape[axis] = sum(p.shape[axis] for p in parts)
    pieces, start = [], 0
    for p in parts:
        pieces.append((p, _slot(axis, start) if fresh else _span(axis, start)))
        start += 1 if fresh else p.shape[axis]
    return assembled(pieces, tuple(shape), np.result_type(*[p.dtype for p in parts]))


def _span(axis: int, start: int) -> Layout:
    return lambda strides, offset: (strides, offset + start * strides[axis])


def _slot(axis: int, start: int) -> Layout:
    return lambda strides, offset: (strides[:axis] + strides[axis + 1 :], offset + start * strides[axis])


def put(
    shape: tuple[int, ...],
    background: Any,
    pieces: Sequence[Symbol],
    layouts: Callable[..., list[Any]],
    offset: Symbol | None = None,
) -> Symbol:
    """A background, numbers or one number, with pieces that do not overlap where `layouts(shape, strides, 0)` says.

    An offset that is a run-time number comes on top.
    """
    where = [lambda strides, start, k=k: layouts(shape, strides, start)[k][1:] for k in range(len(pieces))]
    dtype = background.dtype if isinstance(background, Symbol) else pieces[0].dtype
    covered = sum(p.size for p in pieces) == int(np.prod(shape, dtype=np.int64))
    return assembled(list(zip(pieces, where, strict=True)), shape, dtype, None if covered else background, offset)


# ---------------------------------------------------------------------------------------------------------------------
# Positions


def _guard(index: Symbol, low: int, n: int) -> Symbol:
    outside = np.logical_or(np.less(index, low), np.greater_equal(index, n))
    wrong = cast(outside, np.dtype(np.int64))  # type: ignore[arg-type]
    return Symbol("guard", (wrong.max(),), (), np.int64)


def positions(index: Any, n: int, wraps: bool = False) -> tuple[Symbol, Symbol]:
    """Whole numbers as positions below n, and their guard; with `wraps` -1 is the last one."""
    if not isinstance(index, Symbol) or index.dtype.kind not in "iu":
        raise NotLowered("positions that are no whole numbers of the program")
    at = cast(index, np.dtype(np.int64))
    guard = _guard(at, -n if wraps else 0, n)
    return (np.where(np.less(at, 0), at + n, at) if wraps else at), guard  # type: ignore[return-value, call-overload]


def pick(x: Symbol, indices: Sequence[Symbol], guards: Sequence[Symbol], places: Places, shape: Any) -> Symbol:
    """The elements of x at positions; every index has as many dimensions as the result, or broadcasts to it."""
    if not x.shape:
        raise NotLowered("positions in a number")
    return Symbol("pick", (x, *indices, *guards), tuple(shape), x.dtype, places)


def checked_positions(index: Any, n: int) -> Symbol:
    """Positions that nothing is read at: only their guard is wanted."""
    at, guard = positions(index, n)
    return Symbol("checked", (at, guard), at.shape, at.dtype)


def one_of_each(x: Symbol, index: Symbol, axis: int) -> Symbol:
    """For every place of the other dimensions the element at its position along `axis`; positions are checked."""
    places = Places((axis,), tuple(d for d in range(x.ndim) if d != axis))
    return pick(x, (index,), (), places, index.shape)


def along(index: Symbol, before: int, after: int) -> Symbol:
    """An index with 1 in `before` dimensions in front of its own and `after` behind them."""
    shape = index.shape
    if not before and not after:
        return index
    wide = (1,) * before + shape + (1,) * after
    if not shape:
        return broadcast(index, wide)
    return look(index, wide, lambda strides, offset: ((0,) * before + tuple(strides) + (0,) * after, offset))


def taken(x: Symbol, index: Any, axis: int, wraps: bool = True) -> Symbol:
    """`numpy.take`: slices of x at positions along one dimension."""
    axis %= x.ndim
    at, guard = positions(index, x.shape[axis], wraps)
    after = x.ndim - axis - 1
    shape = (*x.shape[:axis], *at.shape, *x.shape[axis + 1 :])
    axes = (*range(axis), *(None,) * at.ndim, *range(axis + 1, x.ndim))
    return pick(x, (along(at, axis, after),), (guard,), Places((axis,), axes), shape)


def taken_along(x: Symbol, index: Any, axis: int, wraps: bool = True) -> Symbol:
    """`numpy.take_along_axis`: elements at positions along one dimension, each its own."""
    axis %= x.ndim
    at, guard = positions(index, x.shape[axis], wraps)
    axes = tuple(None if d == axis or at.shape[d] == 1 else d for d in range(x.ndim))
    return pick(x, (at,), (guard,), Places((axis,), axes), at.shape)


def indexed(x: Symbol, indices: Sequence[Any], dims: Sequence[int]) -> Symbol:
    """`x[..., i, ...]` with arrays of positions in some dimensions, in NumPy's order of the result's dimensions."""
    found = [positions(i, x.shape[d], wraps=True) for i, d in zip(indices, dims, strict=True)]
    common = np.broadcast_shapes(*[at.shape for at, _ in found])
    kept = [d for d in range(x.ndim) if d not in dims]
    lead = dims[0] if dims[-1] - dims[0] + 1 == len(dims) else 0
    axes = (*kept[:lead], *(None,) * len(common), *kept[lead:])
    shape = (*(x.shape[d] for d in kept[:lead]), *common, *(x.shape[d] for d in kept[lead:]))
    spread = [along(broadcast(at, common), lead, len(kept) - lead) for at, _ in found]
    return pick(x, spread, [g for _, g in found], Places(tuple(dims), axes), shape)


def added_rows(d: Symbol, index: Any, rows: int) -> Symbol:
    """Zeros (rows, width) with every (*, width) row of d added at its position, in order."""
    at, guard = positions(index, rows)
    zeros = _background(0, (rows, d.shape[-1]), d.dtype)
    places = Places((0,), (*(None,) * at.ndim, 1))
    added = Symbol("added", (d, along(at, 0, 1), guard, zeros), d.shape, d.dtype, places)
    return Symbol("whole", (zeros, added), (rows, d.shape[-1]), d.dtype)


FUNCTIONS[np.concatenate] = lambda arrays, axis=0: joined(arrays, axis, fresh=False)
FUNCTIONS[np.stack] = lambda arrays, axis=0: joined(arrays, axis, fresh=True)
FUNCTIONS[np.take] = lambda x, index, axis: taken(x, index, axis)
FUNCTIONS[np.take_along_axis] = lambda x, index, axis: taken_along(x, index, axis)
