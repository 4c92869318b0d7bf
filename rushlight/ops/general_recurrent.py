"""Recurrent layers in machine code for any extents: in each turn a product by the linear-algebra library, and
everything else in one function (`codegen/general_steps.py`).

What these make is what the kernels of `recurrent.py` make, which answer for layers that project, for half precision and
for arrays that lie otherwise.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .general import F32, F64, Faster, Kernel, Native, empty, runs
from .recurrent import _gathered, _last, _spread
from .recurrent import _rows as rows_of

NOWHERE = np.zeros(1, np.int64)  # the places of a sequence that is not packed


def _turns(count: int, reverse: bool) -> list[tuple[int, int, int]]:
    """Each place with the rows of the histories before and after it."""
    if reverse:
        return [(t, t + 1, t) for t in reversed(range(count))]
    return [(t, t, t + 1) for t in range(count)]


def _history(count: int, first: Any, reverse: bool) -> Any:
    """States of all places, of which the first are there."""
    found = empty((count + 1, *first.shape), first.dtype)
    found[count if reverse else 0] = first
    return found


def _layout(x: Any, rows: Any, places: Any) -> tuple[Any, Any, bool]:
    """A padded sequence that is contiguous, its places, and whether it was packed."""
    packed = places is not None
    return np.ascontiguousarray(_spread(x, places)), places if packed else NOWHERE, packed


def _one_kind(*arrays: Any) -> bool:
    kind = arrays[0].dtype
    return (kind is F32 or kind is F64) and all(a is None or a.dtype is kind for a in arrays)


@runs("lstm_layer", function="lstm")
def _lstm(kernel: Kernel, single: Native, double: Native) -> Kernel:
    def run(x: Any, h: Any, c: Any, w: Any, b: Any, hr: Any, rows: Any, places: Any, *, reverse: bool,
            half: Any) -> Any:  # fmt: skip
        if hr is not None or half is not None or not _one_kind(x, h, c, w, b):
            return kernel(x, h, c, w, b, hr, rows, places, reverse=reverse, half=half)
        f, spread, (n, width) = single if x.dtype is F32 else double, _layout(x, rows, places), h.shape
        given, at, packed = spread
        count, kind, wt = len(given), x.dtype, w.T
        hs, cs = _history(count, h, reverse), _history(count, c, reverse)
        gates, us = empty((count, n, 4 * width), kind), empty((count, n, width), kind)
        sums = empty((n, 4 * width), kind)
        bias, biased = (sums, False) if b is None else (b, True)
        for t, before, after in _turns(count, reverse):
            np.dot(hs[before], wt, sums)
            if not f(given, sums, bias, hs, cs, gates, us, at, n, width, t, before, after, biased, packed):
                return kernel(x, h, c, w, b, hr, rows, places, reverse=reverse, half=half)
        out = _gathered(hs[rows_of(reverse)[1]], rows)
        return (out, *_last((hs, cs), reverse), hs, cs, gates, us)

    return run


@runs("lstm_backward")
def _lstm_backward(kernel: Kernel, single: Native, double: Native) -> Kernel:
    def run(g: Any, of_h: Any, of_c: Any, cs: Any, gates: Any, u: Any, w: Any, hr: Any, rows: Any, places: Any, *,
            reverse: bool, half: Any) -> Any:  # fmt: skip
        if hr is not None or half is not None or not _one_kind(g, of_h, of_c, cs, gates, u, w):
            return kernel(g, of_h, of_c, cs, gates, u, w, hr, rows, places, reverse=reverse, half=half)
        f, (n, width) = single if g.dtype is F32 else double, of_h.shape
        given, at, packed = _layout(g, rows, places)
        state, rest, cell = of_h.copy(order="C"), np.zeros((n, width), g.dtype), of_c.copy(order="C")
        sums = empty((len(given), n, 4 * width), g.dtype)
        for t, before, _ in reversed(_turns(len(given), reverse)):
            if not f(state, rest, cell, given, gates, u, cs, sums, at, n, width, t, before, packed):
                return kernel(g, of_h, of_c, cs, gates, u, w, hr, rows, places, reverse=reverse, half=half)
            np.dot(sums[t], w, state)
        state += rest
        return state, cell, sums if rows is None else _gathered(sums, rows)

    return run


def _layer(gates: int, kept: tuple[int, ...], more: tuple[bool, ...]) -> Faster:
    """A layer of one state, whose sums have so many gates, and what it keeps for its derivative beside the states."""

    def faster(kernel: Kernel, single: Native, double: Native) -> Kernel:
        def run(x: Any, h: Any, w: Any, b: Any, rows: Any, places: Any, *, reverse: bool, half: Any) -> Any:
            if half is not None or not _one_kind(x, h, w, b):
                return kernel(x, h, w, b, rows, places, reverse=reverse, half=half)
            f, (n, width) = single if x.dtype is F32 else double, h.shape
            given, at, packed = _layout(x, rows, places)
            hs, sums, wt = _history(len(given), h, reverse), empty((n, gates * width), x.dtype), w.T
            saved = [empty((len(given), n, parts * width), x.dtype) for parts in kept]
            bias, biased = (sums, False) if b is None else (b, True)
            for t, before, after in _turns(len(given), reverse):
                np.dot(hs[before], wt, sums)
                if not f(given, sums, bias, hs, *saved, at, n, width, t, before, after, biased, packed, *more):
                    return kernel(x, h, w, b, rows, places, reverse=reverse, half=half)
            return (_gathered(hs[rows_of(reverse)[1]], rows), *_last((hs,), reverse), hs, *saved)

        return run

    return faster


def _layer_backward(gates: int, results: int, by_old: bool, more: tuple[bool, ...]) -> Faster:
    """Its derivative, by the old states or the new ones: gradients of the state and, the last one, of the sums."""

    def faster(kernel: Kernel, single: Native, double: Native) -> Kernel:
        def run(g: Any, of_h: Any, *operands: Any, reverse: bool, half: Any) -> Any:
            *saved, w, rows, places = operands
            if half is not None or not _one_kind(g, of_h, *saved, w):
                return kernel(g, of_h, *operands, reverse=reverse, half=half)
            f, (n, width) = single if g.dtype is F32 else double, of_h.shape
            given, at, packed = _layout(g, rows, places)
            state, rest = of_h.copy(order="C"), np.zeros((n, width), g.dtype)
            sums = [empty((len(given), n, gates * width), g.dtype) for _ in range(results)]
            for t, before, after in reversed(_turns(len(given), reverse)):
                row = before if by_old else after
                if not f(state, rest, given, *saved, *sums, at, n, width, t, row, packed, *more):
                    return kernel(g, of_h, *operands, reverse=reverse, half=half)
                np.dot(sums[-1][t], w, state)
            state += rest
            return state, *(sums if rows is None else [_gathered(x, rows) for x in sums])

        return run

    return faster


runs("gru_layer", function="gru")(_layer(3, (3, 1), ()))
runs("gru_backward")(_layer_backward(3, 2, True, ()))
for _name, _rectified in (("rnn_tanh", False), ("rnn_relu", True)):
    runs(f"{_name}_layer", function="rnn")(_layer(1, (), (_rectified,)))
    runs(f"{_name}_backward", function="rnn_backward")(_layer_backward(1, 1, False, (_rectified,)))
