"""Pooling on Symbols: the numbers of a window as strided views, and gradients as pieces of the input.

A position in the window, taken in all windows at once, is one strided view of the input; the windows' results are
arithmetic of these views.  The way back is cut by the remainder of a place divided by the stride: all places with one
remainder are met by the same positions of the windows, so each remainder is one piece, a sum over those positions.
Windows are the operation's own (`ops.pooling.Windows`): size, stride, padding, dilation and count in each dimension.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from .assembly import Places, along, assembled, iota, joined, pick
from .capture import NotLowered, Symbol, broadcast, constant, table

Ints = tuple[int, ...]
MOST_COLUMNS = 64  # positions in a window that are pieces of their own
Layout = Callable[[Ints, int], tuple[Ints, int]]


def strided_part(starts: Ints, steps: Ints) -> Layout:
    """Every `steps`-th place of the last dimensions, from `starts` on."""

    def where(strides: Ints, offset: int) -> tuple[Ints, int]:
        lead = len(strides) - len(steps)
        offset += sum(s * first for s, first in zip(strides[lead:], starts, strict=True))
        return (*strides[:lead], *(s * step for s, step in zip(strides[lead:], steps, strict=True))), offset

    return where


def padded(x: Symbol, before: Ints, after: Ints, value: Any) -> Symbol:
    """x with `value` around its last dimensions."""
    if not any(before) and not any(after):
        return x
    lead = x.ndim - len(before)
    space = tuple(b + n + a for b, n, a in zip(before, x.shape[lead:], after, strict=True))
    return assembled([(x, strided_part(before, (1,) * len(before)))], x.shape[:lead] + space, x.dtype, value)


def _lined(x: Symbol, windows: Any, value: Any) -> Symbol:
    return padded(x, windows.padding, windows.ends(x.shape[-len(windows.out) :]), value)


def max_values(x: Symbol, *, windows: Any) -> Symbol:
    """The largest number of each window."""
    lined = _lined(x, windows, _lowest(x.dtype))
    best: Any = None
    for _, place in windows.places():
        best = lined[place] if best is None else np.maximum(best, lined[place])
    return best  # type: ignore[no-any-return]


def max_and_codes(x: Symbol, *, windows: Any) -> tuple[Symbol, Symbol]:
    """The largest number of each window, and the code of its position: the first of equals, the last NaN."""
    lined = _lined(x, windows, _lowest(x.dtype))
    kind = np.dtype(np.uint8 if np.prod(windows.kernel) <= 256 else np.int32)
    best: Any = None
    codes: Any = _first_inside(windows, (*x.shape[: -len(windows.out)], *windows.out), kind)
    for code, place in windows.places():
        here = lined[place]
        if best is None:
            best = here
            continue
        wins = np.greater(here, best)
        if x.dtype.kind == "f":
            wins = np.logical_or(wins, np.isnan(here))
        codes = np.where(wins, kind.type(code), codes)
        best = np.maximum(best, here)
    return best, codes


def _first_inside(windows: Any, shape: Ints, kind: np.dtype) -> Symbol:
    """The code of each window's first position that is not padding: the answer where all numbers are -inf."""
    total = broadcast(constant(0, kind), shape)
    for axis, (k, s, p, d, _) in enumerate(zip(*windows, strict=True), len(shape) - len(windows.out)):
        total = total * kind.type(k)
        for i in range(-(-p // d)):  # window o begins o * s - p + i * d < 0
            outside = np.less(iota(shape, axis), -(-(p - i * d) // s))
            total = np.where(outside, total + kind.type(1), total)
    return total


def _lowest(kind: np.dtype) -> Any:
    return -np.inf if kind.kind == "f" else np.iinfo(kind).min


def max_backward(d: Symbol, codes: Symbol, *, space: Ints, windows: Any) -> Symbol:
    """Each window's gradient at the position that won."""
    around, inner = _padding_back(space, windows)
    d, codes = padded(d, *around, 0), padded(codes, *around, 0)

    def term(code: int, place: Any) -> Any:
        return np.where(np.equal(codes[place], codes.dtype.type(code)), d[place], d.dtype.type(0))

    return _spread(term, d, space, windows, inner)


def average(x: Symbol, divisor: Any, *, windows: Any) -> Symbol:
    """The sum of each window over `divisor`."""
    lined = _lined(x, windows, 0)
    total: Any = None
    for _, place in windows.places():
        total = lined[place] if total is None else total + lined[place]
    return total / x.dtype.type(divisor)  # type: ignore[no-any-return]


def average_backward(d: Symbol, divisor: Any, *, space: Ints, windows: Any) -> Symbol:
    """Each window's gradient over `divisor`, at all of its positions."""
    around, inner = _padding_back(space, windows)
    share = padded(d / d.dtype.type(divisor), *around, 0)
    return _spread(lambda code, place: share[place], share, space, windows, inner)


# ---------------------------------------------------------------------------------------------------------------------
# Windows as columns


def columns(x: Symbol, windows: Any) -> Symbol:
    """The numbers of every window (*lead, *space) side by side: (*lead, positions in the window, *windows)."""
    if math.prod(windows.kernel) > MOST_COLUMNS:
        raise NotLowered("windows of many columns")
    lined = _lined(x, windows, 0)
    return joined([lined[place] for _, place in windows.places()], x.ndim - len(windows.out), fresh=True)


def columns_added(parts: Symbol, space: Ints, windows: Any) -> Symbol:
    """The adjoint of `columns`: every number added at its place."""
    if math.prod(windows.kernel) > MOST_COLUMNS:
        raise NotLowered("windows of many columns")
    around, inner = _padding_back(space, windows)
    lined = padded(parts, *around, 0)
    lead = (slice(None),) * (parts.ndim - len(space) - 1)
    return _spread(lambda code, place: lined[(*lead, code, *place[1:])], lined[(*lead, 0)], space, windows, inner)


# ---------------------------------------------------------------------------------------------------------------------
# Ranges of several lengths


def sums_of_ranges(x: Symbol, axis: int, first: np.ndarray, last: np.ndarray) -> Symbol:
    """Along a dimension, the sum of the numbers from first[i] to last[i] - 1, for each i."""
    total: Any = None
    for here, inside in _in_ranges(x, axis, first, last):
        if inside is not None:
            here = np.where(inside, here, x.dtype.type(0))
        total = here if total is None else total + here
    return total  # type: ignore[no-any-return]


def _in_ranges(x: Symbol, axis: int, first: np.ndarray, last: np.ndarray) -> Iterator[tuple[Any, Symbol | None]]:
    """The numbers in the first place of every range, in the second, ...; and which ranges reach so far, if not all."""
    for j in range(int((last - first).max())):
        here = _at(x, axis, np.minimum(first + j, x.shape[axis] - 1))
        inside = first + j < last
        yield here, None if inside.all() else along(table(inside), 0, x.ndim - axis - 1)


def _at(x: Symbol, axis: int, positions: np.ndarray) -> Symbol:
    """The slices at positions that are known, and right."""
    places = Places((axis,), tuple(None if d == axis else d for d in range(x.ndim)))
    index = along(table(positions.astype(np.int64)), axis, x.ndim - axis - 1)
    return pick(x, (index,), (), places, (*x.shape[:axis], len(positions), *x.shape[axis + 1 :]))


def largest_of_boxes(x: Symbol, bounds: list[tuple[np.ndarray, np.ndarray]]) -> tuple[Symbol, Symbol]:
    """The largest number of each box of the last dimensions, by the bounds of its sides, and its flat position: the
    first of equals, the last NaN.

    One dimension after the other is searched, with the position in those before it.
    """
    best: Any = x
    where: Any = None
    for axis, (first, last) in enumerate(bounds, x.ndim - len(bounds)):
        best, where = _largest_along(best, where, axis, first, last)
    return best, where.astype(np.int64)


def _largest_along(x: Any, before: Any, axis: int, first: np.ndarray, last: np.ndarray) -> tuple[Any, Any]:
    """The largest in each range along a dimension; of equals the one whose position `before` is the first."""
    best: Any = None
    where: Any = None
    for j in range(int((last - first).max())):
        positions = np.minimum(first + j, last - 1)  # the last place again, which wins nothing, in a shorter range
        here = _at(x, axis, positions)
        place: Any = along(table(positions.astype(np.int32)), 0, x.ndim - axis - 1)
        if before is not None:
            place = _at(before, axis, positions) * x.shape[axis] + place
        place = broadcast(place, here.shape)
        if best is None:
            best, where = here, place
            continue
        wins = np.greater(here, best)
        if before is not None:
            wins = np.logical_or(wins, np.logical_and(np.equal(here, best), np.less(place, where)))
        if x.dtype.kind == "f":
            later = np.logical_or(np.logical_not(np.isnan(best)), np.greater_equal(place, where))
            wins = np.logical_or(wins, np.logical_and(np.isnan(here), later))
        best, where = np.where(wins, here, best), np.where(wins, place, where)
    return best, where


# ---------------------------------------------------------------------------------------------------------------------
# The way back


def _shifts(n: int, k: int, s: int, p: int, d: int) -> list[list[tuple[int, int]]]:
    """For each remainder r: the positions in the window that meet the places r + s * q, and t: window q + t does."""
    return [[(i, (r + p - i * d) // s) for i in range(k) if (r + p - i * d) % s == 0] for r in range(min(s, n))]


def _padding_back(space: Ints, windows: Any) -> tuple[tuple[Ints, Ints], Ints]:
    """How many windows that do not exist the shifts reach over, before and behind; and where the real ones begin."""
    before, after = [], []
    for n, k, s, p, d, o in zip(space, *windows, strict=True):
        low, high = 0, o
        for r, met in enumerate(_shifts(n, k, s, p, d)):
            count = len(range(r, n, s))
            low = min([low, *(t for _, t in met)])
            high = max([high, *(t + count for _, t in met)])
        apart = s >= d * (k - 1) + 1 and not p
        before.append(0 if apart else -low)
        after.append(0 if apart else high - o)
    return (tuple(before), tuple(after)), tuple(before)


def _spread(term: Callable[[int, Any], Any], d: Symbol, space: Ints, windows: Any, before: Ints) -> Symbol:
    """The pieces, one for each combination of remainders; places that no window meets are 0."""
    lead = d.ndim - len(space)
    shifts = [_shifts(n, *w[:4]) for n, *w in zip(space, *windows, strict=True)]
    pieces = []
    for remainders in itertools.product(*map(range, map(len, shifts))):
        counts = tuple(
            min(len(range(r, n, s)), d.shape[lead + a])
            for a, (r, n, s) in enumerate(zip(remainders, space, windows.stride, strict=True))
        )
        value: Any = None
        met = [shifts[a][r] for a, r in enumerate(remainders)]
        for code, place in _meetings(met, windows.kernel, counts, before):
            here = term(code, place)
            value = here if value is None else value + here
        if value is not None:
            pieces.append((value, strided_part(remainders, windows.stride)))
    covered = sum(v.size for v, _ in pieces) == int(np.prod((*d.shape[:lead], *space), dtype=np.int64))
    return assembled(pieces, d.shape[:lead] + space, d.dtype, None if covered else 0)


def _meetings(met: list[list[tuple[int, int]]], kernel: Ints, counts: Ints, before: Ints) -> Iterator[tuple[int, Any]]:
    """The code of each position that meets a piece's places, and the slice of the windows in which it does: windows in
    their order, which is the last position first."""
    for choice in itertools.product(*map(reversed, met)):
        code = 0
        for (i, _), k in zip(choice, kernel, strict=True):
            code = code * k + i
        starts = [t + b for (_, t), b in zip(choice, before, strict=True)]
        yield code, (..., *(slice(first, first + n) for first, n in zip(starts, counts, strict=True)))
