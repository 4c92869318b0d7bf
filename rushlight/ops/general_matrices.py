"""Factorizations and systems of small matrices in machine code (`codegen/general_matrices.py`).

The kernels of `linalg.py`, `decomposition.py` and `triangular_factors.py` answer for complex numbers, for large
matrices, for which the linear-algebra library's blocks are worth it, and for matrices that are singular or not positive
definite.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .general import F32, F64, Kernel, Native, empty, runs
from .least_squares import independent, rank_of_all

LARGEST = 160  # rows or columns that are eliminated one at a time
LARGEST_REFLECTED = 40  # rows or columns for QR
LARGEST_INVERTED = 24
LARGEST_FACTORED = 256
PANEL = 48  # columns of a larger matrix that are eliminated together

Shape = tuple[int, ...]


def _real(*arrays: Any) -> bool:
    kind = arrays[0].dtype
    return (kind is F32 or kind is F64) and all(x.dtype is kind for x in arrays)


def _stretched(x: Any, batch: Shape) -> Any:
    """A copy of x, row by row, of a whole batch."""
    return np.array(np.broadcast_to(x, (*batch, *x.shape[-2:])), order="C")


def _batch(a: Any, b: Any) -> Shape:
    return np.broadcast_shapes(a.shape[:-2], b.shape[:-2])


# ---------------------------------------------------------------------------------------------------------------------
# Elimination


class Elimination:
    """LU of one float type: what `factorization.lu_factor` gives."""

    def __init__(self, lu: Native, solve_lower_unit: Native) -> None:
        self.lu = lu
        self.solve_lower_unit = solve_lower_unit

    def __call__(self, x: Any, pivot: bool = True) -> tuple[Any, Any, Any]:
        """LU, exchanges and info."""
        *batch, m, n = x.shape
        lu, exchanges, info = np.array(x, order="C"), empty((*batch, min(m, n)), np.int32), empty(batch, np.int32)
        if max(m, n) <= LARGEST or min(m, n) <= PANEL:
            self.lu(lu, exchanges, info, math.prod(batch), m, n, pivot)
        else:
            for at in np.ndindex(*batch):
                info[at] = self._by_panels(lu[at], exchanges[at], pivot)
        return lu, exchanges, info

    def _by_panels(self, a: Any, exchanges: Any, pivot: bool) -> int:
        """A large matrix: some columns are eliminated, and what follows from them are products."""
        (m, n), failed = a.shape, 0
        for start in range(0, min(m, n), PANEL):
            stop = min(start + PANEL, m, n)
            panel, info = np.array(a[start:, start:stop]), empty(1, np.int32)
            here = exchanges[start:stop]
            self.lu(panel, here, info, 1, m - start, stop - start, pivot)
            here += start
            a[start:, start:stop] = panel
            order = _order(here, start, m)
            for others in (a[start:, :start], a[start:, stop:]):
                others[...] = others[order]
            right = np.array(a[start:stop, stop:])
            self.solve_lower_unit(np.array(panel[: stop - start]), right, 1, stop - start, n - stop)
            a[start:stop, stop:] = right
            a[stop:, stop:] -= panel[stop - start :] @ right
            failed = failed or (int(info[0]) and start + int(info[0]))
        return failed


def _order(exchanges: Any, start: int, m: int) -> list[int]:
    """Of the rows from `start` on, counted from there, which come where, by exchanges that count from 1."""
    order = list(range(m - start))
    for j, other in enumerate((exchanges - 1 - start).tolist()):
        order[j], order[other] = order[other], order[j]
    return order


def _of_kind(functions: tuple[Native, ...]) -> dict[Any, tuple[Native, ...]]:
    """The functions for float32, and for float64."""
    return {F32: functions[::2], F64: functions[1::2]}


@runs("lu_factor_ex", function=("lu", "solve_lower_unit"))
def _lu_factor(kernel: Kernel, *functions: Native) -> Kernel:
    eliminations = {kind: Elimination(*own) for kind, own in _of_kind(functions).items()}

    def run(x: Any, *, pivot: bool) -> Any:
        return eliminations[x.dtype](x, pivot) if _real(x) else kernel(x, pivot=pivot)

    return run


@runs("lu", function=("lu", "solve_lower_unit", "triangles", "exchange_back"))
def _lu(kernel: Kernel, *functions: Native) -> Kernel:
    by_kind = _of_kind(functions)
    eliminations = {kind: Elimination(*own[:2]) for kind, own in by_kind.items()}

    def run(x: Any, *, pivot: bool) -> Any:
        if not _real(x):
            return kernel(x, pivot=pivot)
        kind, (*batch, m, n) = x.dtype, x.shape
        (_, _, triangles, exchange_back), k, count = by_kind[kind], min(m, n), math.prod(batch)
        lu, exchanges, _ = eliminations[kind](x, pivot)
        lower, upper = empty((*batch, m, k), kind), empty((*batch, k, n), kind)
        p = _stretched(np.eye(m, dtype=kind), batch)
        triangles(lu, lower, upper, count, m, n)
        exchange_back(exchanges, p, count, m, m, k)
        return p, lower, upper

    return run


@runs("lu_permutation", function="exchange_back")
def _permutation(kernel: Kernel, single: Native, double: Native) -> Kernel:
    def run(pivots: Any, *, rows: int, dtype: Any) -> Any:
        kind, k = dtype.numpy, pivots.shape[-1]
        if (kind is F32 or kind is F64) and pivots.flags.c_contiguous and _valid(pivots, rows):
            p = _stretched(np.eye(rows, dtype=kind), pivots.shape[:-1])
            if (single if kind is F32 else double)(pivots, p, math.prod(pivots.shape[:-1]), rows, rows, k):
                return p
        return kernel(pivots, rows=rows, dtype=dtype)

    return run


def _valid(pivots: Any, rows: int) -> bool:
    """Whether exchanges are of rows that there are."""
    return bool(not pivots.size or (pivots.min() >= 1 and pivots.max() <= rows))


SYSTEMS = ("exchange_rows", "exchange_back", "solve_lower_unit", "solve_upper", "solve_turned_lower_unit",
           "solve_turned_upper")  # fmt: skip


@runs("lu_solve", function=SYSTEMS)
def _lu_solve(kernel: Kernel, *functions: Native) -> Kernel:
    by_kind = _of_kind(functions)

    def run(lu: Any, pivots: Any, b: Any, *, adjoint: bool) -> Any:
        n, columns = b.shape[-2:]
        if not _real(lu, b) or n > LARGEST or pivots.dtype != np.int32 or not _valid(pivots, n):
            return kernel(lu, pivots, b, adjoint=adjoint)
        exchange, back, *systems = by_kind[lu.dtype]
        batch = np.broadcast_shapes(lu.shape[:-2], pivots.shape[:-1], b.shape[:-2])
        x, count = _stretched(b, batch), math.prod(batch)
        a = np.ascontiguousarray(np.broadcast_to(lu, (*batch, n, n)))
        exchanges = np.ascontiguousarray(np.broadcast_to(pivots, (*batch, n)))
        if not adjoint:
            exchange(exchanges, x, count, n, columns, n)
        for solve in (systems[3], systems[2]) if adjoint else systems[:2]:
            solve(a, x, count, n, columns)
        if adjoint:
            back(exchanges, x, count, n, columns, n)
        return x

    return run


@runs("solve_ex", function=("lu", "exchange_rows", "solve_lower_unit", "solve_upper"))
def _solve(kernel: Kernel, *functions: Native) -> Kernel:
    by_kind = _of_kind(functions)

    def run(a: Any, b: Any) -> Any:
        if a.shape[-1] > LARGEST or not _real(a, b):
            return kernel(a, b)
        x = _solved(by_kind[a.dtype], a, b)
        return kernel(a, b) if x is None else (x, np.zeros(a.shape[:-2], np.int32))

    return run


@runs("inv_ex", function=("lu", "exchange_rows", "solve_lower_unit", "solve_upper"))
def _inverse(kernel: Kernel, *functions: Native) -> Kernel:
    by_kind = _of_kind(functions)

    def run(a: Any) -> Any:
        if a.shape[-1] > LARGEST_INVERTED or not _real(a):
            return kernel(a)
        x = _solved(by_kind[a.dtype], a, np.eye(a.shape[-1], dtype=a.dtype))
        return kernel(a) if x is None else (x, np.zeros(a.shape[:-2], np.int32))

    return run


def _solved(functions: tuple[Native, ...], a: Any, b: Any) -> Any:
    """X with A X = B; None where a matrix is singular."""
    (lu, exchange, lower, upper), (n, columns) = functions, b.shape[-2:]
    batch = _batch(a, b)
    left, x, count = _stretched(a, batch), _stretched(b, batch), math.prod(batch)
    exchanges, info = empty((*batch, n), np.int32), empty(batch, np.int32)
    lu(left, exchanges, info, count, n, n, True)
    if info.any():
        return None
    exchange(exchanges, x, count, n, columns, n)
    lower(left, x, count, n, columns)
    upper(left, x, count, n, columns)
    return x


# ---------------------------------------------------------------------------------------------------------------------
# Triangles


@runs("solve_triangular", function=("solve_lower", "solve_lower_unit", "solve_upper", "solve_upper_unit"))
def _triangular(kernel: Kernel, *functions: Native) -> Kernel:
    by_kind = _of_kind(functions)

    def run(a: Any, b: Any, *, upper: bool, unit: bool) -> Any:
        n, columns = b.shape[-2:]
        if n > LARGEST or not _real(a, b):
            return kernel(a, b, upper=upper, unit=unit)
        batch = _batch(a, b)
        x, matrix = _stretched(b, batch), np.ascontiguousarray(np.broadcast_to(a, (*batch, n, n)))
        by_kind[a.dtype][2 * upper + unit](matrix, x, math.prod(batch), n, columns)
        return x

    return run


@runs("cholesky", "cholesky_ex", function="cholesky")
def _cholesky(kernel: Kernel, single: Native, double: Native) -> Kernel:
    def run(a: Any, *, upper: bool) -> Any:
        if _real(a) and a.shape[-1] <= LARGEST_FACTORED:
            batch = a.shape[:-2]
            factor = np.array(a if upper else a.swapaxes(-1, -2), order="C")
            if (single if a.dtype is F32 else double)(factor, math.prod(batch), a.shape[-1]):
                factor = factor if upper else np.ascontiguousarray(factor.swapaxes(-1, -2))
                return factor, np.zeros(batch, np.int32)
        return kernel(a, upper=upper)

    return run


# ---------------------------------------------------------------------------------------------------------------------
# QR


@runs("qr")
def _qr(kernel: Kernel, single: Native, double: Native) -> Kernel:
    def run(x: Any, *, mode: Any) -> Any:
        kind, (*batch, m, n) = x.dtype, x.shape
        if _real(x) and max(m, n) <= LARGEST_REFLECTED and mode != "r":
            k = m if mode == "complete" else min(m, n)
            r, tau, q = np.array(x, order="C"), empty((*batch, min(m, n)), kind), empty((*batch, m, k), kind)
            if (single if kind is F32 else double)(r, tau, q, math.prod(batch), m, n, k):
                return q, r if k == m else np.ascontiguousarray(r[..., :k, :])
        return kernel(x, mode=mode)

    return run


@runs("lstsq", function=("qr", "solve_upper"))
def _lstsq(kernel: Kernel, *functions: Native) -> Kernel:
    by_kind = _of_kind(functions)

    def run(a: Any, b: Any, limit: Any, *, driver: str) -> Any:
        kind, (*batch, m, n) = a.dtype, a.shape
        if driver in ("gels", "gelsy") and _real(a, b) and 0 < n <= m <= LARGEST_REFLECTED and a.size:
            (by_reflections, solve), count = by_kind[kind], math.prod(batch)
            r, tau, q = np.array(a, order="C"), empty((*batch, n), kind), empty((*batch, m, n), kind)
            if by_reflections(r, tau, q, count, m, n, n) and independent(r := r[..., :n, :], limit):
                x = np.ascontiguousarray(q.swapaxes(-1, -2) @ b)
                if x.shape[:-2] == a.shape[:-2]:
                    solve(np.ascontiguousarray(r), x, count, n, x.shape[-1])
                    return x, rank_of_all(a, driver), empty(0, kind)
        return kernel(a, b, limit, driver=driver)

    return run
