"""LU: a matrix as a permutation of the product of two triangles, its factored form, and systems solved with that.

The kernels are NumPy's and LAPACK's, batched (`factorization.py`); derivatives go through triangular systems.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from rushlight.core import dtype as dtypes
from rushlight.core.strided import broadcast_shapes
from rushlight.record.operation import operation
from rushlight.record.spec import Spec, spec_of
from rushlight.record.trace import apply, settle
from rushlight.record.value import Tensor

from . import factorization
from .creation import eye, zeros
from .decomposition import checked_matrices, of_linalg, triangle_solve
from .joining import cat
from .linalg import (
    check_floating,
    check_matrix,
    check_square,
    info_spec,
    mH,
    mT,
)
from .matmul import matmul
from .public import FUNCTIONS, METHODS, public
from .results import result_type
from .triangle import tril, triu


def _lu_gradient(gl: Tensor, gu: Tensor, p: Tensor, lower: Tensor, upper: Tensor) -> Tensor:
    """The gradient of A = P L U; what is not square is a solved system beside a square factorization."""
    m, n = lower._value.spec.shape[-2], upper._value.spec.shape[-1]
    k = min(m, n)
    beside: list[Tensor] = []
    if n > k:
        u2, g2 = upper[..., k:], gu[..., k:]
        right = triangle_solve(mH(lower), g2, True)
        gl, gu = gl - matmul(right, mH(u2)), gu[..., :k]
        beside, upper = [right], upper[..., :k]
    below: list[Tensor] = []
    if m > k:
        l2, g2 = lower[..., k:, :], gl[..., k:, :]
        down = mH(triangle_solve(upper, mH(g2), True))
        gu, gl = gu - matmul(mH(l2), down), gl[..., :k, :]
        below, lower = [down], lower[..., :k, :]
    middle = tril(matmul(mH(lower), gl), -1) + triu(matmul(gu, mH(upper)))
    left = triangle_solve(mH(lower), middle, True)
    found = mH(triangle_solve(upper, mH(left), True))
    found = cat([found, *beside], -1) if beside else cat([found, *below], -2) if below else found
    return matmul(p, found)


def _lu_kernel(x: np.ndarray, *, pivot: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    lu, pivots, _ = factorization.lu_factor(x, pivot)
    m, n = x.shape[-2:]
    k = min(m, n)
    p = factorization.permutation_matrix(pivots, m, x.dtype)
    return p, np.tril(lu[..., :k], -1) + np.eye(m, k, dtype=x.dtype), np.triu(lu[..., :k, :])


def _lu_spec(x: Spec, *, pivot: bool) -> tuple[Spec, Spec, Spec]:
    *batch, m, n = x.shape
    k = min(m, n)
    kind = x.dtype
    return spec_of((*batch, m, m), kind), spec_of((*batch, m, k), kind), spec_of((*batch, k, n), kind)


LU = operation("lu", _lu_spec, _lu_kernel, node="LinalgLuBackward0")
LU.gradient(lambda g, results: (_lu_gradient(g[1], g[2], *results),))
LinalgLu = result_type("linalg_lu", ("P", "L", "U"))


@of_linalg
def lu(A: Tensor, *, pivot: bool = True) -> Any:
    """P, L, U with A = P L U, by partial pivoting. Shapes: A (..., m, n), P (..., m, m), L (..., m, k), U (..., k, n).

    https://pytorch.org/docs/stable/generated/torch.linalg.lu.html
    """
    checked_matrices(A, "linalg.lu")
    p, lower, upper = apply(LU, (A,), (pivot,))
    return LinalgLu(p.detach(), lower, upper)


def _lu_factor_spec(x: Spec, *, pivot: bool) -> tuple[Spec, Spec, Spec]:
    k = min(x.shape[-2:])
    return spec_of(x.shape, x.dtype), spec_of((*x.shape[:-2], k), dtypes.int32), info_spec(x)


def _lu_factor_gradient(g: Any, results: Any) -> tuple[Tensor]:
    p, lower, upper = _unpacked(results[0], results[1])
    m, n = g[0]._value.spec.shape[-2:]
    k = min(m, n)
    return (_lu_gradient(tril(g[0][..., :k], -1), triu(g[0][..., :k, :]), p, lower, upper),)


LU_FACTOR = operation("lu_factor_ex", _lu_factor_spec, lambda x, *, pivot: factorization.lu_factor(x, pivot),
                      node="LinalgLuFactorExBackward0")  # fmt: skip
LU_FACTOR.gradient(_lu_factor_gradient)
PERMUTATION = operation(
    "lu_permutation",
    lambda pivots, *, rows, dtype: spec_of((*pivots.shape[:-1], rows, rows), dtype),
    lambda pivots, *, rows, dtype: factorization.permutation_matrix(pivots, rows, dtype.numpy),
)


def _unpacked(LU_data: Tensor, LU_pivots: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    spec = settle(LU_data).spec
    m, n = spec.shape[-2:]
    k = min(m, n)
    p = apply(PERMUTATION, (LU_pivots,), (m, spec.dtype))
    lower = tril(LU_data[..., :k], -1) + eye(m, k, dtype=spec.dtype)
    return p, lower, triu(LU_data[..., :k, :])


LuFactor = result_type("linalg_lu_factor", ("LU", "pivots"))
LuFactorEx = result_type("linalg_lu_factor_ex", ("LU", "pivots", "info"))
LuUnpack = result_type("lu_unpack", ("P", "L", "U"))


@of_linalg
def lu_factor_ex(A: Tensor, *, pivot: bool = True, check_errors: bool = False) -> Any:
    """`lu_factor` and `info`, not zero where a diagonal element of U is zero; raises only with `check_errors`."""
    checked_matrices(A, "torch.linalg.lu_factor_ex")
    found = LuFactorEx(apply(LU_FACTOR, (A,), (pivot,)))
    if check_errors:
        _check_factored(found.info, "torch.linalg.lu_factor_ex")
    return found


def _check_factored(info: Tensor, name: str) -> None:
    from .linalg import first_failure

    failed = first_failure(info)
    if failed:
        raise RuntimeError(
            f"{name}: {failed[0]}U[{failed[1]},{failed[1]}] is zero and using it on lu_solve would result in a "
            "division by "
            "zero. If you still want to perform the factorization, consider calling linalg.lu(A, pivot) or "
            "linalg.lu_factor_ex(A, pivot)"
        )


@of_linalg
def lu_factor(A: Tensor, *, pivot: bool = True) -> Any:
    """The LU factorization in LAPACK's compact form: L below the diagonal of U, and 1-based row exchanges."""
    checked_matrices(A, "torch.linalg.lu_factor")
    found = apply(LU_FACTOR, (A,), (pivot,))
    _check_factored(found[2], "torch.linalg.lu_factor")
    return LuFactor(found[0], found[1])


def _lu(A: Tensor, pivot: bool = True, get_infos: bool = False) -> Any:
    """See `torch.linalg.lu_factor`."""
    warnings.warn(
        "torch.lu is deprecated in favor of torch.linalg.lu_factor / torch.linalg.lu_factor_ex and will be removed in "
        "a future PyTorch release.\nLU, pivots = torch.lu(A, compute_pivots)\nshould be replaced with\n"
        "LU, pivots = torch.linalg.lu_factor(A, compute_pivots)\nand\n"
        "LU, pivots, info = torch.lu(A, compute_pivots, get_infos=True)\nshould be replaced with\n"
        "LU, pivots, info = torch.linalg.lu_factor_ex(A, compute_pivots)",
        UserWarning,
        stacklevel=2,
    )
    if not pivot:
        raise RuntimeError("linalg.lu_factor: LU without pivoting is not implemented on the CPU")
    if get_infos:
        return tuple(lu_factor_ex(A, pivot=pivot))
    return tuple(lu_factor(A, pivot=pivot))


FUNCTIONS["lu"] = METHODS["lu"] = _lu


@public(method=False, out=True)
def lu_unpack(LU_data: Tensor, LU_pivots: Tensor, unpack_data: bool = True, unpack_pivots: bool = True) -> Any:
    """P, L, U from the compact form; what is not asked for is empty."""
    spec = settle(LU_data).spec
    if settle(LU_pivots).spec.dtype is not dtypes.int32:
        raise RuntimeError("torch.lu_unpack: LU_pivots is expected to be a contiguous tensor of torch.int32 dtype.")
    p, lower, upper = _unpacked(LU_data, LU_pivots)
    if not unpack_data:
        lower, upper = (zeros(0, dtype=spec.dtype) for _ in "LU")
    return LuUnpack(p if unpack_pivots else zeros(0, dtype=spec.dtype), lower, upper)


def _lu_solve_kernel(lu: np.ndarray, pivots: np.ndarray, b: np.ndarray, *, adjoint: bool) -> np.ndarray:
    bounds = (pivots > lu.shape[-1], "smaller or equal to LU.size(-2)"), (pivots < 1, "greater or equal to 1")
    for wrong, bound in bounds:
        if wrong.any():
            raise RuntimeError(
                f"Pivots given to lu_solve must all be {bound}. Did you properly pass the result of lu_factor?"
            )
    p = factorization.permutation_matrix(pivots, lu.shape[-1], lu.dtype)
    if adjoint:
        turned = np.conj(np.swapaxes(lu, -1, -2))
        half = factorization.solve_triangular(turned, b, False, False)
        return p @ factorization.solve_triangular(turned, half, True, True)
    half = factorization.solve_triangular(lu, np.swapaxes(p, -1, -2) @ b, False, True)
    return factorization.solve_triangular(lu, half, True, False)


def _lu_solve_gradient(g: Tensor, needs: Any, lu: Tensor, pivots: Tensor, result: Tensor, adjoint: bool) -> Any:
    """With A = P L U the gradient of A is -A^-H g X^H, from which those of L and U follow."""
    right = apply(LU_SOLVE, (lu, pivots, g), (not adjoint,))
    if not needs[0]:
        return None, None, right
    p, lower, upper = _unpacked(lu, pivots)
    slope = -matmul(mT(p), matmul(result, mH(right)) if adjoint else matmul(right, mH(result)))
    return tril(matmul(slope, mH(upper)), -1) + triu(matmul(mH(lower), slope)), None, right


LU_SOLVE = operation(
    "lu_solve",
    lambda lu, pivots, b, *, adjoint: spec_of(
        (*broadcast_shapes(lu.shape[:-2], pivots.shape[:-1], b.shape[:-2]), *b.shape[-2:]), lu.dtype
    ),
    _lu_solve_kernel,
    node="LinalgLuSolveBackward0",
)
LU_SOLVE.gradient(_lu_solve_gradient)


def _check_factored_system(lu: Spec, pivots: Spec, b: Spec, left: bool) -> None:
    name = "linalg.lu_solve"
    check_square(lu, "torch.linalg.lu_solve", "A")
    check_matrix(b, name, "B")
    if lu.dtype is not b.dtype:
        raise RuntimeError(
            f"{name}: Expected LU and B to have the same dtype, but found LU of type {lu.dtype.scalar_name} and B of "
            f"type {b.dtype.scalar_name} instead"
        )
    if pivots.dtype is not dtypes.int32:
        raise RuntimeError(f"{name}: pivots should be a Tensor of scalar type torch.int32")
    if pivots.shape[-1:] != lu.shape[-1:]:
        raise RuntimeError(f"{name}: Number of pivots per batch should be same as the dimension of the matrix")
    if pivots.shape != lu.shape[:-1]:
        raise RuntimeError(
            f"{name}: Expected LU.shape[:-1] and pivots.shape to be the same, but got pivots with shape "
            f"{list(pivots.shape)} instead"
        )
    if b.shape[-2 if left else -1] != lu.shape[-1]:
        shapes = " and ".join("x".join(map(str, spec.shape[-2:])) for spec in (lu, b))
        raise RuntimeError(
            f"{name}: Incompatible shapes of A and B for the equation {'AX = B' if left else 'XA = B'} ({shapes})"
        )


def _lu_solved(LU_data: Tensor, pivots: Tensor, B: Tensor, adjoint: bool, left: bool = True) -> Tensor:
    lu = settle(LU_data).spec
    check_floating(lu, "torch.linalg.lu_solve")
    _check_factored_system(lu, settle(pivots).spec, settle(B).spec, left)
    if left:
        return apply(LU_SOLVE, (LU_data, pivots, B), (adjoint,))
    return mH(apply(LU_SOLVE, (LU_data, pivots, mH(B)), (not adjoint,)))


def _linalg_lu_solve(LU: Tensor, pivots: Tensor, B: Tensor, *, left: bool = True, adjoint: bool = False) -> Tensor:
    """X with A X = B (X A = B if not `left`; A^H for A if `adjoint`), from `lu_factor(A)`."""
    return _lu_solved(LU, pivots, B, adjoint, left)


_linalg_lu_solve.__name__ = "lu_solve"
of_linalg(_linalg_lu_solve)


@public(out=True)
def lu_solve(input: Tensor, LU_data: Tensor, LU_pivots: Tensor) -> Tensor:
    """X with A X = input, from `lu_factor(A)`."""
    return _lu_solved(LU_data, LU_pivots, input, False)
