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

from .capture import FUNCTIONS, NotLowered, Symbol, broadcast, cast, constant, look, looked_at, operand, table

Layout = Callable[..., Any]


@dataclass(frozen=True)
class Places:
    """How an array is read or written at positions.

    Attributes:
        dims: the dimensions of the array that are indexed, one for each index.
        axes: for every dimension of the elements in question, the dimension of the array that goes along, or None.
        how: what is done to the number that is there: "add", "multiply", "maximum", "minimum", or "set" to another.
    """

    dims: tuple[int, ...]
    axes: tuple[int | None, ...]
    how: str = "add"

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



def continue_wholes(order: Sequence[Symbol], kept: set[Symbol]) -> None:
    """A whole whose background is another one that nobody else reads is that one continued: nothing is copied."""
    uses: dict[Symbol, int] = {}
    for x in order:
        for a in x.args:
            uses[a] = uses.get(a, 0) + 1
    ends: dict[Symbol, tuple[Symbol, ...]] = {}  # the pieces of a whole that come last
    for x in order:
        if x.kind != "whole":
            continue
        first, rest = x.args[0], x.args[1:]
        behind = first.data is _everywhere and bool(rest)
        ends[x] = rest if behind else x.args
        before = first.args[0]
        if behind and before.kind == "whole" and before not in kept and uses[before] == 1:
            for p in rest:
                p.args = tuple(b for a in p.args for b in (ends[before] if a is first else (a,)))
            x.args = (*before.args, *rest)


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
    same = looked_at(index)
    return Symbol("guard", (wrong.max(),), (), np.int64, (same if same.size == index.size else index, low, n))


def share_guards(order: Sequence[Symbol]) -> None:
    """The same positions need to be checked once."""
    known: dict[Any, Symbol] = {}
    for x in order:
        if x.kind == "guard" and x.data is not None:
            known.setdefault(x.data, x)
        if any(a.kind == "guard" for a in x.args):
            x.args = tuple(known.get(a.data, a) if a.kind == "guard" else a for a in x.args)


def positions(index: Any, n: int, wraps: bool = False) -> tuple[Symbol, Symbol]:
    """Whole numbers as positions below n, and their guard; with `wraps` -1 is the last one."""
    if isinstance(index, np.ndarray) and index.ndim:
        index = table(index)
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


def elements(x: Symbol, index: Any) -> Symbol:
    """The elements of a vector at positions that are known to be right."""
    return pick(x, (index,), (), Places((0,), (None,) * index.ndim), index.shape)


def elements_of_rows(x: Symbol, index: Symbol) -> Symbol:
    """(..., n) at positions (..., m) that are known to be right: (..., m)."""
    return pick(x, (index,), (), _each(index, x.ndim - 1), index.shape)


def elements_of_planes(x: Symbol, index: Symbol) -> Symbol:
    """(N, C, places) at positions (N, 1, ...) that are known to be right: (N, C, ...)."""
    shape = (*x.shape[:2], *index.shape[2:])
    return pick(x, (broadcast(index, shape),), (), _planes(shape), shape)


def _planes(shape: tuple[int, ...]) -> Places:
    return Places((2,), (0, 1, *(None,) * (len(shape) - 2)))


def added_to_planes(d: Symbol, index: Symbol, places: int, total: Any = 0) -> Symbol:
    """The adjoint of `elements_of_planes`, on top of a `total`."""
    return changed(total, (*d.shape[:2], places), d, (broadcast(index, d.shape),), (), _planes(d.shape), d.shape)


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
    shape, places = _slices(x.shape, at.shape, axis)
    return pick(x, (along(at, axis, x.ndim - axis - 1),), (guard,), places, shape)


def _slices(shape: tuple[int, ...], index: tuple[int, ...], axis: int) -> tuple[tuple[int, ...], Places]:
    """The shape of slices at positions, and where they lie."""
    axes = (*range(axis), *(None,) * len(index), *range(axis + 1, len(shape)))
    return (*shape[:axis], *index, *shape[axis + 1 :]), Places((axis,), axes)


def taken_along(x: Symbol, index: Any, axis: int, wraps: bool = True) -> Symbol:
    """`numpy.take_along_axis`: elements at positions along one dimension, each its own."""
    axis %= x.ndim
    at, guard = positions(index, x.shape[axis], wraps)
    return pick(x, (at,), (guard,), _each(at, axis), at.shape)


def _each(at: Symbol, axis: int) -> Places:
    return Places((axis,), tuple(None if d == axis or n == 1 else d for d, n in enumerate(at.shape)))


def indexed(x: Symbol, indices: Sequence[Any], dims: Sequence[int]) -> Symbol:
    """`x[..., i, ...]` with arrays of positions in some dimensions, in NumPy's order of the result's dimensions."""
    spread, guards, places, shape = _indices(x.shape, indices, dims)
    return pick(x, spread, guards, places, shape)


def _indices(
    shape: tuple[int, ...], indices: Sequence[Any], dims: Sequence[int]
) -> tuple[list[Symbol], list[Symbol], Places, tuple[int, ...]]:
    found = [positions(i, shape[d], wraps=True) for i, d in zip(indices, dims, strict=True)]
    common = np.broadcast_shapes(*[at.shape for at, _ in found])
    kept = [d for d in range(len(shape)) if d not in dims]
    lead = dims[0] if dims[-1] - dims[0] + 1 == len(dims) else 0
    axes = (*kept[:lead], *(None,) * len(common), *kept[lead:])
    made = (*(shape[d] for d in kept[:lead]), *common, *(shape[d] for d in kept[lead:]))
    spread = [along(broadcast(at, common), lead, len(kept) - lead) for at, _ in found]
    return spread, [g for _, g in found], Places(tuple(dims), axes), made


# ---------------------------------------------------------------------------------------------------------------------
# Writing at positions


def changed(
    background: Any,
    shape: tuple[int, ...],
    value: Any,
    indices: Sequence[Symbol],
    guards: Sequence[Symbol],
    places: Places,
    part: tuple[int, ...],
    how: str = "add",
) -> Symbol:
    """A background with `value`, stretched to the shape `part`, added or put at positions, in order."""
    dtype = (background if isinstance(background, Symbol) else value).dtype
    first = _background(background, shape, dtype)
    places = Places(places.dims, places.axes, how)
    args = (broadcast(operand(value, dtype), part), *indices, *guards, first)
    return Symbol("whole", (first, Symbol("added", args, part, dtype, places)), shape, dtype)


def added_rows(d: Symbol, index: Any, rows: int) -> Symbol:
    """Zeros (rows, width) with every (*, width) row of d added at its position."""
    at, guard = positions(index, rows)
    shape = (rows, d.shape[-1])
    part, places = _slices(shape, at.shape, 0)
    return changed(0, shape, d, (along(at, 0, 1),), (guard,), places, part)


def with_slices(x: Symbol, index: Any, value: Any, axis: int, how: str, wraps: bool = False) -> Symbol:
    """x with slices added or put at positions along a dimension."""
    at, guard = positions(index.reshape(-1), x.shape[axis], wraps)
    part, places = _slices(x.shape, at.shape, axis)
    return changed(x, x.shape, value, (along(at, axis, x.ndim - axis - 1),), (guard,), places, part, how)


def with_each(x: Any, shape: tuple[int, ...], index: Any, value: Any, axis: int, how: str) -> Symbol:
    """x, an array of this shape or a number, with elements added or put at positions along a dimension.

    Only the leading part of `value` counts.
    """
    if not shape:
        raise NotLowered("positions in a number")
    at, guard = positions(index, shape[axis])
    if isinstance(value, Symbol) and value.shape:
        value = value[tuple(slice(n) for n in at.shape)]
    places = Places((axis,), tuple(None if d == axis else d for d in range(len(shape))))
    return changed(x, shape, value, (at,), (guard,), places, at.shape, how)


def with_indexed(
    x: Any, shape: tuple[int, ...], value: Any, indices: Sequence[Any], dims: Sequence[int], how: str
) -> Symbol:
    """x, an array of this shape or a number, with `x[..., i, ...]` added to or put."""
    spread, guards, places, part = _indices(shape, indices, dims)
    return changed(x, shape, value, spread, guards, places, part, how)


# ---------------------------------------------------------------------------------------------------------------------
# The same elements in other places


def _axes(axis: Any, ndim: int) -> tuple[int, ...]:
    found = range(ndim) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    return tuple(d % ndim for d in found)


def turned(x: Symbol, axis: Any) -> Symbol:
    """`numpy.flip`: a view that goes backwards."""
    turn, shape = _axes(axis, x.ndim), x.shape

    def backwards(strides: tuple[int, ...], offset: int) -> tuple[tuple[int, ...], int]:
        offset += sum((shape[d] - 1) * strides[d] for d in turn)
        return tuple(-s if d in turn else s for d, s in enumerate(strides)), offset

    return look(x, shape, backwards)


def rolled(x: Symbol, shift: Any, axis: Any) -> Symbol:
    """`numpy.roll`."""
    if axis is None:
        return rolled(x.reshape(-1), shift, 0).reshape(x.shape)
    shifts = shift if isinstance(shift, tuple) else (shift,)
    for by, d in zip(shifts, _axes(axis, x.ndim), strict=True):
        by %= x.shape[d]
        if by:
            whole = (slice(None),) * d
            x = joined([x[(*whole, slice(-by, None))], x[(*whole, slice(None, -by))]], d, fresh=False)
    return x


def tiled(x: Symbol, repeats: Sequence[int]) -> Symbol:
    """`numpy.tile`: every dimension beside a new one of stride 0, and both made one."""
    lead = len(repeats) - x.ndim
    repeats, shape = (1,) * -lead + tuple(repeats), (1,) * lead + x.shape
    pairs = tuple(n for pair in zip(repeats, shape, strict=True) for n in pair)

    def beside(strides: tuple[int, ...], offset: int) -> tuple[tuple[int, ...], int]:
        return tuple(s for own in ((0,) * lead + tuple(strides)) for s in (0, own)), offset

    if not x.shape:
        return broadcast(x, tuple(repeats))
    return look(x, pairs, beside).reshape(tuple(r * n for r, n in zip(repeats, shape, strict=True)))


FUNCTIONS[np.concatenate] = lambda arrays, axis=0: joined(arrays, axis, fresh=False)
FUNCTIONS[np.stack] = lambda arrays, axis=0: joined(arrays, axis, fresh=True)
FUNCTIONS[np.take] = lambda x, index, axis: taken(x, index, axis)
FUNCTIONS[np.take_along_axis] = lambda x, index, axis: taken_along(x, index, axis)
FUNCTIONS[np.flip] = lambda x, axis=None: turned(x, axis)
FUNCTIONS[np.roll] = lambda x, shift, axis=None: rolled(x, shift, axis)
FUNCTIONS[np.tile] = lambda x, reps: tiled(x, reps)
