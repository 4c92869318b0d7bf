"""Factorizations of batches of matrices in NumPy that `numpy.linalg` does not offer, or that must not fail there.

Everything takes and gives arrays (..., rows, columns). Where a factorization can break down it says so in `info`, as
LAPACK does: 0, or the 1-based place where it broke down.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import suppress
from functools import partial

import numpy as np

Array = np.ndarray
_BLOCK = 48  # columns that the blocked factorization treats at once
_TRIANGLE = 64  # rows of a triangle that is not divided


# ---------------------------------------------------------------------------------------------------------------------
# LU


def lu_factor(a: Array, pivot: bool = True) -> tuple[Array, Array, Array]:
    """LU in one array, 1-based row exchanges (int32) and info, as LAPACK's getrf gives them."""
    *batch, m, n = a.shape
    lu = np.array(a, copy=True).reshape(math.prod(batch), m, n)
    k = min(m, n)
    exchanges = np.tile(np.arange(k), (len(lu), 1))
    info = np.zeros(len(lu), np.int32)
    for start in range(0, k, _BLOCK):
        stop = min(start + _BLOCK, k)
        for j in range(start, stop):
            _eliminate(lu, j, stop, exchanges, info, pivot)
        if stop < n:
            lower = np.tril(lu[:, start:stop, start:stop], -1) + np.eye(stop - start, dtype=a.dtype)
            lu[:, start:stop, stop:] = _substitute(lower, lu[:, start:stop, stop:])
            lu[:, stop:, stop:] -= lu[:, stop:, start:stop] @ lu[:, start:stop, stop:]
    return lu.reshape(a.shape), (exchanges + 1).astype(np.int32).reshape(*batch, k), info.reshape(batch)


def _eliminate(lu: Array, j: int, stop: int, exchanges: Array, info: Array, pivot: bool) -> None:
    """One column: its pivot comes up, and the block's further columns lose their share of it."""
    each = np.arange(len(lu))
    if pivot and lu.shape[1] > j:
        row = j + np.argmax(_size(lu[:, j:, j]), axis=1) if len(lu) else each
        exchanges[:, j] = row
        lu[each, j], lu[each, row] = lu[each, row].copy(), lu[each, j].copy()
    top = lu[:, j, j]
    info[(top == 0) & (info == 0)] = j + 1
    lu[:, j + 1 :, j] /= np.where(top == 0, 1, top)[:, None]
    lu[:, j + 1 :, j + 1 : stop] -= lu[:, j + 1 :, j, None] * lu[:, None, j, j + 1 : stop]


def _size(x: Array) -> Array:
    """How LAPACK compares complex pivots: |re| + |im|."""
    return np.abs(x.real) + np.abs(x.imag) if x.dtype.kind == "c" else np.abs(x)


def _substitute(lower: Array, b: Array) -> Array:
    """Solves unit lower triangular systems of a block, row after row."""
    x = b.copy()
    for i in range(1, lower.shape[-1]):
        x[:, i] -= (lower[:, i, None, :i] @ x[:, :i])[:, 0]
    return x


def permutation(pivots: Array, m: int) -> Array:
    """The rows' order that LAPACK's exchanges mean: row i of P^T A is row `order[i]` of A."""
    flat = pivots.reshape(math.prod(pivots.shape[:-1]), pivots.shape[-1])
    if flat.size and not (flat.min() >= 1 and flat.max() <= m):
        raise RuntimeError(
            "pivots passed to lu_unpack must be between 1 and LU.size(-2) inclusive. Did you properly pass the result "
            "of lu_factor?"
        )
    order = np.tile(np.arange(m), (len(flat), 1))
    each = np.arange(len(flat))
    for j in range(flat.shape[1]):
        row = flat[:, j] - 1
        order[each, j], order[each, row] = order[each, row].copy(), order[each, j].copy()
    return order.reshape(*pivots.shape[:-1], m)


def permutation_matrix(pivots: Array, m: int, dtype: np.dtype) -> Array:
    """P with A = P L U."""
    order = permutation(pivots, m)
    matrix = np.zeros((*order.shape, m), dtype)
    np.put_along_axis(matrix, order[..., None, :], 1, axis=-2)
    return matrix


# ---------------------------------------------------------------------------------------------------------------------
# Solving


def _folded(solve: Callable[[Array, Array], Array], a: Array, b: Array) -> Array:
    """`solve(a, b)`; where many B have one A, all their columns are solved at once."""
    if a.ndim > 2 or b.ndim < 3:
        return solve(a, b)
    side_by_side = np.moveaxis(b, -2, 0)
    found = solve(a, side_by_side.reshape(a.shape[-1], b.size // max(a.shape[-1], 1)))
    return np.moveaxis(found.reshape(side_by_side.shape), 0, -2)


def solve(a: Array, b: Array) -> tuple[Array, Array]:
    """A X = B for batches, and info; a singular matrix has a solution of infinities and NaN."""
    batch = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    try:
        return _folded(np.linalg.solve, a, b), np.zeros(a.shape[:-2], np.int32)
    except np.linalg.LinAlgError:
        pass
    info = singular_at(a)
    x = np.empty((*batch, *b.shape[-2:]), b.dtype)
    left, right = np.broadcast_to(a, (*batch, *a.shape[-2:])), np.broadcast_to(b, x.shape)
    wrong = np.broadcast_to(info, batch) != 0
    for at in np.ndindex(*batch):
        x[at] = right[at] / 0.0 if wrong[at] else np.linalg.solve(left[at], right[at])
    return x, info


def inverse(a: Array) -> tuple[Array, Array]:
    """The inverse matrices, and info."""
    try:
        return np.linalg.inv(a), np.zeros(a.shape[:-2], np.int32)
    except np.linalg.LinAlgError:
        return solve(a, np.broadcast_to(np.eye(a.shape[-1], dtype=a.dtype), a.shape))


def singular_at(a: Array) -> Array:
    """info of each matrix: where its LU factorization meets a zero."""
    return lu_factor(a)[2]


def solve_triangular(a: Array, b: Array, upper: bool, unit: bool) -> Array:
    """A X = B where only one triangle of A counts (and, if `unit`, its diagonal is taken to be ones)."""
    triangle = (np.triu if upper else np.tril)(a, 0)
    if unit:
        i = np.arange(a.shape[-1])
        triangle[..., i, i] = 1
    if np.diagonal(triangle, 0, -2, -1).all():
        with suppress(np.linalg.LinAlgError):
            return _folded(partial(_by_halves, upper=upper), triangle, b)
    return _by_rows(triangle, b, upper)


def _by_halves(a: Array, b: Array, upper: bool) -> Array:
    """Substitution in blocks: nearly all of it are products; a small triangle is solved as any matrix is."""
    n = a.shape[-1]
    if n <= _TRIANGLE:
        return np.linalg.solve(a, b)
    half = -(-n // (2 * _TRIANGLE)) * _TRIANGLE
    top, bottom = slice(0, half), slice(half, n)
    first, second = (bottom, top) if upper else (top, bottom)
    known = _by_halves(a[..., first, first], b[..., first, :], upper)
    left = b[..., second, :] - a[..., second, first] @ known
    found = _by_halves(a[..., second, second], left, upper)
    return np.concatenate((found, known) if upper else (known, found), -2)


def _by_rows(a: Array, b: Array, upper: bool) -> Array:
    """Substitution that carries on over zeros of the diagonal."""
    n = a.shape[-1]
    batch = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    x = np.array(np.broadcast_to(b, (*batch, *b.shape[-2:])))
    for i in reversed(range(n)) if upper else range(n):
        known = slice(i + 1, n) if upper else slice(0, i)
        x[..., i, :] -= (a[..., i, None, known] @ x[..., known, :])[..., 0, :]
        x[..., i, :] /= a[..., i, i, None]
    return x


# ---------------------------------------------------------------------------------------------------------------------
# Cholesky


def cholesky(a: Array, upper: bool) -> tuple[Array, Array]:
    """The factor and info: the order of the first leading minor that is not positive."""
    try:
        return np.linalg.cholesky(a, upper=upper), np.zeros(a.shape[:-2], np.int32)
    except np.linalg.LinAlgError:
        factor, info = np.zeros_like(a), np.zeros(a.shape[:-2], np.int32)
    for at in np.ndindex(*a.shape[:-2]):
        factor[at], info[at] = _cholesky_of_one(a[at], upper)
    return factor, info


def _cholesky_of_one(a: Array, upper: bool) -> tuple[Array, int]:
    """Row after row, up to the minor that fails; the rest is the operand's triangle."""
    source = a.conj().T if upper else a
    rows = np.tril(source)
    for i in range(len(a)):
        for j in range(i):
            rows[i, j] = (rows[i, j] - rows[i, :j] @ rows[j, :j].conj()) / rows[j, j]
        left = (rows[i, i] - rows[i, :i] @ rows[i, :i].conj()).real
        if not left > 0:
            return (rows.conj().T if upper else rows), i + 1
        rows[i, i] = math.sqrt(left)
    return (rows.conj().T if upper else rows), 0


# ---------------------------------------------------------------------------------------------------------------------
# Reflections and the exponential


def reflections(v: Array, tau: Array) -> Array:
    """The product of H_i = 1 - tau_i v_i v_i^H, first n columns; v_i is column i below a one on the diagonal."""
    *_, m, n = v.shape
    q = np.zeros(v.shape, v.dtype)
    i = np.arange(n)
    q[..., i, i] = 1
    for k in reversed(range(tau.shape[-1])):
        w = np.concatenate([np.ones((*v.shape[:-2], 1), v.dtype), v[..., k + 1 :, k]], -1)[..., None]
        q[..., k:, :] -= tau[..., k, None, None] * w * (np.conj(np.swapaxes(w, -1, -2)) @ q[..., k:, :])
    return q


_PADE = tuple(
    math.factorial(26 - k) * math.factorial(13) / (math.factorial(26) * math.factorial(k) * math.factorial(13 - k))
    for k in range(14)
)


def matrix_exp(a: Array) -> Array:
    """e**A by scaling, the diagonal Pade approximant of degree 13 and squaring, in double precision.

    N. J. Higham, "The scaling and squaring method for the matrix exponential revisited" (2005).
    """
    wide = a.astype(np.complex128 if a.dtype.kind == "c" else np.float64)
    size = np.abs(wide).sum(-2).max(-1, initial=0.0)
    finite = np.where(np.isfinite(size), size, 0.0)
    times = np.maximum(np.ceil(np.log2(np.maximum(finite, 1e-300) / 5.37)), 0.0)
    scaled = wide / np.exp2(times)[..., None, None]
    found = _pade(scaled)
    for k in range(int(times.max(initial=0.0))):
        found = np.where((times > k)[..., None, None], found @ found, found)
    return found.astype(a.dtype)


def _pade(a: Array) -> Array:
    identity = np.broadcast_to(np.eye(a.shape[-1], dtype=a.dtype), a.shape)
    square = a @ a
    even, odd = np.zeros_like(a), np.zeros_like(a)
    for k in range(12, -1, -2):
        even = even @ square + _PADE[k] * identity
        odd = odd @ square + _PADE[k + 1] * identity
    odd = a @ odd
    return solve(even - odd, even + odd)[0]
