"""Triangular systems, Cholesky's factorization and Gaussian elimination of small matrices, for the compiler.

LAPACK goes from matrix to matrix; calling it takes longer than a small one needs.  Here all matrices of a batch go
together through one loop over rows or columns (`core/scan.py`), whose turns are arithmetic with masks: row i of the
identity says which place a turn is about.  What LAPACK reports by `info` (a pivot of 0, a minor that is not positive)
is left to the interpreter.  Inside, the batch is the last dimension, which vectors run along: (rows, columns, batch).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from rushlight.core.scan import Arrays, scan

LARGEST_SYSTEM = 128  # rows of a triangular system: beyond, products of blocks are better
LARGEST_FACTORED = 48  # rows of a matrix that is factored
MOST_NUMBERS = 1 << 16  # in a batch: what a turn goes through should stay in the cache
FEWEST = 8  # matrices, if they are several: vectors are filled with them


def _batch_last(x: Any, lead: tuple[int, ...], largest: int) -> Any:
    """(..., n, m), stretched to a batch, as (n, m, batch)."""
    batch = math.prod(lead)
    if x.dtype.kind != "f" or x.shape[-2] > largest or x.size > MOST_NUMBERS or 1 < batch < FEWEST:
        raise ValueError("large matrices, or few")
    whole = np.broadcast_to(x, (*lead, *x.shape[-2:]))
    if len(lead) > 1:
        whole = whole.reshape(batch, *x.shape[-2:])
    return whole.transpose(1, 2, 0) if lead else whole.reshape(*x.shape, 1)


def _batch_first(x: Any, lead: tuple[int, ...]) -> Any:
    """(n, m, batch) as (..., n, m)."""
    return x.transpose(2, 0, 1).reshape(*lead, *x.shape[:2])


def _masks(n: int, behind: int = 0) -> list[Any]:
    """For each place, as Symbols (n, n): which one it is, and which come before it, or behind it."""
    from rushlight.codegen.capture import table

    other = np.tri(n, k=-1, dtype=bool)
    return [table(np.eye(n, dtype=bool)), table(other.T if behind else other)]


def _at(mask: Any, x: Any, axis: int, keepdims: bool = False) -> Any:
    """The part of x where a mask along some dimensions says, which is one place of `axis`."""
    return np.sum(np.where(mask, x, x.dtype.type(0)), axis=axis, keepdims=keepdims)


def triangular(a: Any, b: Any, upper: bool, unit: bool) -> Any:
    """A X = B, of whose matrix one triangle counts: row after row, from the corner with a single number on."""
    n, lead = a.shape[-1], np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    rows, wanted = (_batch_last(x, lead, LARGEST_SYSTEM) for x in (a, b))

    def step(states: Arrays, sequences: Arrays, _: Arrays) -> tuple[Arrays, Arrays]:
        (x,), (row, right, here, known) = states, sequences
        here, known = here.reshape(n, 1), known.reshape(n, 1)
        factors = np.where(known, row, row.dtype.type(0))
        new = right - np.sum(factors.reshape(n, 1, row.shape[1]) * x, axis=0)
        new = new if unit else new / _at(here, row, 0, keepdims=True)
        return (np.where(here.reshape(n, 1, 1), new, x),), ()

    first = np.zeros_like(wanted)
    (x,), _ = scan(step, [first], [rows, wanted, *_masks(n, behind=upper)], reverse=upper, keep=False)
    return _batch_first(x, lead)


def triangular_solve(a: Any, b: Any, *, upper: bool, unit: bool) -> Any:
    """`SOLVE_TRIANGULAR` for the compiler."""
    return triangular(a, b, upper, unit)


def cholesky(a: Any, *, upper: bool) -> tuple[Any, Any]:
    """Column after column: each is divided by the root of its pivot, and its square taken from what is left."""
    n, lead = a.shape[-1], a.shape[:-2]
    whole = _batch_last(a.swapaxes(-1, -2) if upper else a, lead, LARGEST_FACTORED)

    def step(states: Arrays, sequences: Arrays, _: Arrays) -> tuple[Arrays, Arrays]:
        (left,), (here, behind) = states, [m.reshape(n, 1) for m in sequences]
        column = _at(here, left, 1)
        pivot = _at(here, column, 0, keepdims=True)
        column = np.where(np.logical_or(here, behind), column / np.sqrt(pivot), a.dtype.type(0))
        return (left - column.reshape(n, 1, -1) * column.reshape(1, n, -1),), (column, pivot)

    _, (columns, pivots) = scan(step, [whole], _masks(n, behind=True), keep=False)
    good = pivots > 0
    factor = _batch_first(columns.provided(good), lead)
    return factor if upper else factor.swapaxes(-1, -2), _no_failure(a, good)


def _no_failure(a: Any, good: Any) -> Any:
    """info, for as many matrices: 0, if all pivots are good, which is asked also where only info is wanted."""
    nothing = (np.abs(a.reshape(a.size)[0]) < 0).astype(np.int32)
    return np.broadcast_to(nothing.provided(good), a.shape[:-2])


def _eliminated(left: Any) -> tuple[Any, Any, Any]:
    """Gauss's elimination with the largest pivots, of (n, n + k, batch): the rows of U and of the changed right-hand
    sides, and the pivots and the signs of their exchanges, each (n, 1, batch)."""
    n, one = left.shape[0], left.dtype.type(1)

    def step(states: Arrays, sequences: Arrays, _: Arrays) -> tuple[Arrays, Arrays]:
        (rows,), (here, behind) = states, [m.reshape(n, 1) for m in sequences]
        column = _at(here, rows[:, :n], 1)
        size = np.where(np.logical_or(here, behind), np.abs(column), -one)
        chosen = _first(size, n)
        pivot, replaced = (_at(mask, column, 0, keepdims=True) for mask in (chosen, here))
        factor = np.where(behind, np.where(chosen, replaced, column) / pivot, rows.dtype.type(0))
        top, old = (_at(mask.reshape(n, 1, -1), rows, 0, keepdims=True) for mask in (chosen, here))
        moved = np.where(here.reshape(n, 1, 1), top, np.where(chosen.reshape(n, 1, -1), old, rows))
        stays = np.max(np.where(np.logical_and(chosen, here), one, -one), axis=0, keepdims=True)
        return (moved - factor.reshape(n, 1, -1) * top,), (pivot, stays)

    (rows,), (pivots, signs) = scan(step, [left], _masks(n, behind=True), keep=False)
    return rows, pivots, signs


def _first(size: Any, n: int) -> Any:
    """Where the largest of each column is, NaN before all others."""
    places = np.argmax(size, axis=0, keepdims=True)
    return size.counted(n).reshape(n, 1) == places


def _solved(a: Any, b: Any, lead: tuple[int, ...]) -> tuple[Any, Any, Any]:
    """X with A X = B for (n, n, batch) and (n, k, batch), as (..., n, k); and the pivots and signs."""
    n = a.shape[0]
    rows, pivots, signs = _eliminated(np.concatenate([a, b], 1))
    rows = _batch_first(rows.provided(pivots != 0), lead)
    return triangular(rows[..., :n], rows[..., n:], True, False), pivots, signs


def solve(a: Any, b: Any) -> tuple[Any, Any]:
    """`factorization.solve` for the compiler."""
    lead = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    matrix, right = (_batch_last(x, lead, LARGEST_FACTORED) for x in (a, b))
    x, pivots, _ = _solved(matrix, right, lead)
    return x, _no_failure(a, pivots != 0)


def _inverted(a: Any) -> tuple[Any, Any, Any]:
    n, lead = a.shape[-1], a.shape[:-2]
    matrix = _batch_last(a, lead, LARGEST_FACTORED)
    one = np.broadcast_to(_masks(n)[0].reshape(n, n, 1), matrix.shape)
    return _solved(matrix, np.where(one, a.dtype.type(1), a.dtype.type(0)), lead)


def inverse(a: Any) -> tuple[Any, Any]:
    """`factorization.inverse` for the compiler."""
    found, pivots, _ = _inverted(a)
    return found, _no_failure(a, pivots != 0)


def cofactors(a: Any) -> Any:
    """The determinant times the transposed inverse."""
    found, pivots, signs = _inverted(a)
    size = np.prod(pivots * signs, axis=(0, 1)).reshape(*a.shape[:-2], 1, 1)
    return found.swapaxes(-1, -2) * size


def determinant(a: Any) -> Any:
    """The product of the pivots."""
    _, pivots, signs = _eliminated(_batch_last(a, a.shape[:-2], LARGEST_FACTORED))
    return np.prod(pivots * signs, axis=(0, 1)).reshape(a.shape[:-2])


def sign_and_logarithm(a: Any) -> tuple[Any, Any]:
    """The determinant's sign, and the logarithm of its size."""
    _, pivots, signs = _eliminated(_batch_last(a, a.shape[:-2], LARGEST_FACTORED))
    sign, size = np.prod(signs * np.sign(pivots), axis=(0, 1)), np.sum(np.log(np.abs(pivots)), axis=(0, 1))
    return sign.reshape(a.shape[:-2]), size.reshape(a.shape[:-2])
