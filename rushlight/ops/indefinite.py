"""The LDL factorization of symmetric and Hermitian matrices that need not be definite, as LAPACK's sytrf and hetrf
store it.

J. Bunch and L. Kaufman, "Some stable methods for calculating inertia and solving symmetric linear systems" (1977):
pivots are single diagonal elements or blocks of two; a block's two rows carry the negative of the exchanged row in
`pivots`.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from rushlight.core import dtype as dtypes
from rushlight.record.operation import operation
from rushlight.record.spec import Spec, spec_of
from rushlight.record.trace import apply, settle
from rushlight.record.value import Tensor

from .linalg import check_matrix, first_failure, info_spec, square
from .public import public
from .results import result_type

_GROWTH = (1 + math.sqrt(17)) / 8  # bounds the growth of elements


def _factor(a: np.ndarray, *, hermitian: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    ld = np.tril(a)
    pivots = np.zeros(a.shape[:-1], np.int32)
    info = np.zeros(a.shape[:-2], np.int32)
    for at in np.ndindex(*a.shape[:-2]):
        info[at] = _factor_one(ld[at], pivots[at], hermitian)
    return ld, pivots, info


def _factor_one(a: np.ndarray, pivots: np.ndarray, hermitian: bool) -> int:
    """Factorizes the lower triangle in place; gives LAPACK's info."""
    n, k, info = len(a), 0, 0
    while k < n:
        row, width = _choose(a, k)
        if row < 0:
            info, row = info or k + 1, k
            pivots[k] = k + 1
            k += 1
            continue
        _exchange(a, k, k + width - 1, row, hermitian)
        _clear(a, k, width, hermitian)
        pivots[k : k + width] = row + 1 if width == 1 else -(row + 1)
        k += width
    return info


def _size(x: Any) -> Any:
    """How LAPACK compares complex numbers: |re| + |im|."""
    return np.abs(np.real(x)) + np.abs(np.imag(x))


def _choose(a: np.ndarray, k: int) -> tuple[int, int]:
    """The row to bring up and the width of the pivot; row -1 where the column is zero."""
    size = _size(a[k, k])
    below = _size(a[k + 1 :, k])
    if not len(below) or below.max() == 0:
        return (k, 1) if size else (-1, 1)
    top = below.max()
    if size >= _GROWTH * top:
        return k, 1
    row = k + 1 + int(below.argmax())
    widest = max(_size(a[row, k:row]).max(), _size(a[row + 1 :, row]).max(initial=0))
    if size >= _GROWTH * top * (top / widest):
        return k, 1
    return (row, 1) if _size(a[row, row]) >= _GROWTH * widest else (row, 2)


def _exchange(a: np.ndarray, k: int, at: int, row: int, hermitian: bool) -> None:
    """Rows and columns `at` and `row` of the triangle change places."""
    if row == at:
        return
    turn = np.conj if hermitian else np.asarray
    a[row + 1 :, [at, row]] = a[row + 1 :, [row, at]]
    between = a[at + 1 : row, at].copy()
    a[at + 1 : row, at] = turn(a[row, at + 1 : row])
    a[row, at + 1 : row] = turn(between)
    a[row, at] = turn(a[row, at])
    a[[at, row], [at, row]] = a[[row, at], [row, at]]
    if at > k:
        a[[at, row], k] = a[[row, at], k]


def _clear(a: np.ndarray, k: int, width: int, hermitian: bool) -> None:
    """Subtracts the pivot's part from the rest, and puts its column(s) of L in place."""
    end = k + width
    columns = a[end:, k:end].copy()
    factors = np.linalg.solve(_block(a, k, width, hermitian).T, columns.T).T
    rest = factors @ (columns.conj() if hermitian else columns).T
    a[end:, end:] -= np.tril(rest)
    a[end:, k:end] = factors


def _block(a: np.ndarray, k: int, width: int, hermitian: bool) -> np.ndarray:
    block = a[k : k + width, k : k + width].copy()
    if width == 2:
        block[0, 1] = block[1, 0].conj() if hermitian else block[1, 0]
    if hermitian:
        block[range(width), range(width)] = block.diagonal().real
    return block


def _solve(ld: np.ndarray, pivots: np.ndarray, b: np.ndarray, *, hermitian: bool) -> np.ndarray:
    batch = np.broadcast_shapes(ld.shape[:-2], b.shape[:-2])
    x = np.array(np.broadcast_to(b, (*batch, *b.shape[-2:])))
    factors = np.broadcast_to(ld, (*batch, *ld.shape[-2:]))
    rows = np.broadcast_to(pivots, (*batch, pivots.shape[-1]))
    for at in np.ndindex(*batch):
        _solve_one(factors[at], rows[at], x[at], hermitian)
    return x


def _solve_one(a: np.ndarray, pivots: np.ndarray, x: np.ndarray, hermitian: bool) -> None:
    """Forward through L and D, then back through the transpose of L, in place."""
    n, k = len(a), 0
    starts = []
    while k < n:
        width = 1 if pivots[k] > 0 else 2
        starts.append((k, width))
        last, row = k + width - 1, abs(int(pivots[k])) - 1
        x[[last, row]] = x[[row, last]]
        x[k + width :] -= a[k + width :, k : k + width] @ x[k : k + width]
        x[k : k + width] = np.linalg.solve(_block(a, k, width, hermitian), x[k : k + width])
        k += width
    for k, width in reversed(starts):
        column = a[k + width :, k : k + width]
        x[k : k + width] -= (column.conj() if hermitian else column).T @ x[k + width :]
        last, row = k + width - 1, abs(int(pivots[k])) - 1
        x[[last, row]] = x[[row, last]]


def _factor_spec(x: Spec, *, hermitian: bool) -> tuple[Spec, Spec, Spec]:
    return spec_of(x.shape, x.dtype), spec_of(x.shape[:-1], dtypes.int32), info_spec(x)


LDL_FACTOR = operation("ldl_factor", _factor_spec, _factor)
LDL_SOLVE = operation(
    "ldl_solve",
    lambda ld, pivots, b, *, hermitian: spec_of(
        (*np.broadcast_shapes(ld.shape[:-2], b.shape[:-2]), *b.shape[-2:]), b.dtype
    ),
    _solve,
)
LDL_SOLVE.gradient(
    b=lambda g, ld, pivots, hermitian: apply(LDL_SOLVE, (_turned(ld, hermitian), pivots, g), (hermitian,))
)


def _turned(ld: Tensor, hermitian: bool) -> Tensor:
    """The factors of the conjugate transpose: itself if Hermitian, the conjugate if symmetric."""
    from .arithmetic import conj

    return ld if hermitian else conj(ld)


LdlFactor = result_type("linalg_ldl_factor", ("LD", "pivots"))
LdlFactorEx = result_type("linalg_ldl_factor_ex", ("LD", "pivots", "info"))


@public(function=False, method=False, out=True, space="linalg")
def ldl_factor_ex(A: Tensor, *, hermitian: bool = False, check_errors: bool = False) -> Any:
    """`ldl_factor` and `info`, which is not zero where D is singular; raises only with `check_errors`."""
    square(A, "torch.linalg.ldl_factor_ex")
    found = LdlFactorEx(apply(LDL_FACTOR, (A,), (hermitian,)))
    if check_errors:
        _check_factored(found.info, "torch.linalg.ldl_factor_ex")
    return found


def _check_factored(info: Tensor, name: str) -> None:
    failed = first_failure(info)
    if failed:
        raise RuntimeError(
            f"{name}: {failed[0]}The diagonal element {failed[1]} of D is exactly zero. Using it to solve a "
            "system of equations "
            "would divide by zero."
        )


@public(function=False, method=False, out=True, space="linalg")
def ldl_factor(A: Tensor, *, hermitian: bool = False) -> Any:
    """L below and D on the diagonal of A = P L D L^T P^T (L^H if `hermitian`), and the exchanges.

    Only the lower triangle of A is read.

    https://pytorch.org/docs/stable/generated/torch.linalg.ldl_factor.html
    """
    square(A, "torch.linalg.ldl_factor")
    found = apply(LDL_FACTOR, (A,), (hermitian,))
    _check_factored(found[2], "torch.linalg.ldl_factor")
    return LdlFactor(found[0], found[1])


@public(function=False, method=False, out=True, space="linalg")
def ldl_solve(LD: Tensor, pivots: Tensor, B: Tensor, *, hermitian: bool = False) -> Tensor:
    """X with A X = B, from `ldl_factor(A)`."""
    square(LD, "torch.linalg.ldl_solve")
    check_matrix(settle(B).spec, "torch.linalg.ldl_solve", "B")
    return apply(LDL_SOLVE, (LD, pivots, B), (hermitian,))
