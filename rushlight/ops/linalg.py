"""Linear algebra of square systems: determinants, inverses, solving, Cholesky and LU factorizations.

No kernel fails: each gives `info` beside its result, and the public functions without `_ex` look at it, so that a
singular matrix raises on the user's line. Derivatives: M. Giles, "An extended collection of matrix derivative
results" (2008), and https://pytorch.org/docs/stable/linalg.html.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from rushlight.core import dtype as dtypes
from rushlight.core.strided import broadcast_shapes
from rushlight.record.operation import operation
from rushlight.record.spec import Spec, spec_of
from rushlight.record.trace import apply, realize, settle
from rushlight.record.value import Tensor

from . import elimination, factorization
from .arithmetic import conj
from .matmul import matmul
from .public import FUNCTIONS, METHODS, public
from .results import result_type
from .selection import where
from .triangle import tril, triu


class LinAlgError(RuntimeError):
    """Raised where a matrix has not the property that an algorithm needs."""


LinAlgError.__name__ = LinAlgError.__qualname__ = "_LinAlgError"  # PyTorch's name; public as torch.linalg.LinAlgError

# ---------------------------------------------------------------------------------------------------------------------
# What the operands must be


def check_floating(spec: Spec, name: str, low: bool = False) -> None:
    """Raises unless the dtype is floating-point or complex, and not a half one (unless `low`)."""
    kind = spec.dtype
    if not (kind.is_floating_point or kind.is_complex):
        raise RuntimeError(f"{name}: Expected a floating point or complex tensor as input. Got {kind.scalar_name}")
    if not low and kind.itemsize < 4:
        raise NotImplementedError(f"{name}: Low precision dtypes not supported. Got {kind.scalar_name}")


def check_matrix(spec: Spec, name: str, operand: str = "A") -> None:
    """Raises unless there are at least two dimensions."""
    if spec.ndim < 2:
        raise RuntimeError(f"{name}: The input tensor {operand} must have at least 2 dimensions.")


def check_square(spec: Spec, name: str, operand: str = "A") -> None:
    """Raises unless the last two dimensions are equal."""
    check_matrix(spec, name, operand)
    if spec.shape[-1] != spec.shape[-2]:
        raise RuntimeError(
            f"{name}: {operand} must be batches of square matrices, but they are {spec.shape[-2]} by "
            f"{spec.shape[-1]} matrices"
        )


def square(A: Tensor, name: str) -> Spec:
    """The Spec of a batch of square matrices."""
    spec = settle(A).spec
    check_square(spec, name)
    check_floating(spec, name)
    return spec


def mH(x: Tensor) -> Tensor:
    """The conjugate transpose."""
    return conj(x.transpose(-2, -1))


def mT(x: Tensor) -> Tensor:
    """The transpose of the last two dimensions."""
    return x.transpose(-2, -1)


def info_spec(spec: Spec) -> Spec:
    """One whole number for each matrix."""
    return spec_of(spec.shape[:-2], dtypes.int32)


def first_failure(info: Tensor) -> tuple[str, int] | None:
    """Which matrix failed, as PyTorch's messages say it, and where; None if all went well."""
    found = realize(info)
    if not found.any():
        return None
    at = int(np.flatnonzero(found)[0])
    return (f"(Batch element {at}): " if found.ndim else ""), int(found.reshape(-1)[at])


# ---------------------------------------------------------------------------------------------------------------------
# Determinants


def _det(x: np.ndarray) -> np.ndarray:
    return np.linalg.det(x)


def _cofactors(x: np.ndarray) -> np.ndarray:
    """The conjugate of the matrix of cofactors; for singular matrices by the singular values' products."""
    size = np.linalg.det(x)
    if np.isfinite(size).all() and (size != 0).all():
        return np.conj(size[..., None, None] * np.swapaxes(np.linalg.inv(x), -1, -2))
    u, s, vh = np.linalg.svd(x)
    n = x.shape[-1]
    others = np.where(np.eye(n, dtype=bool), 1, s[..., None, :]).prod(-1)
    phase = np.conj(np.linalg.det(u) * np.linalg.det(vh))[..., None, None]
    return phase * ((u * others[..., None, :]) @ vh)


def _cofactors_gradient(g: Tensor, x: Tensor, result: Tensor) -> Tensor:
    """From cofactors = conj(det) inverse^H."""
    inverse, d = inv_unchecked(x), apply(DET, (x,))
    along = (conj(g) * mH(inverse)).sum((-2, -1))[..., None, None]
    across = matmul(mH(inverse), matmul(mH(g * d[..., None, None]), mH(inverse)))
    return along * result - across


COFACTORS = operation("cofactors", lambda x: spec_of(x.shape, x.dtype), _cofactors)
COFACTORS.lower = elimination.cofactors
COFACTORS.gradient(x=_cofactors_gradient)
DET = operation("det", lambda x: spec_of(x.shape[:-2], x.dtype), _det, node="LinalgDetBackward0")
DET.lower = elimination.determinant
DET.gradient(x=lambda g, x: g[..., None, None] * apply(COFACTORS, (x,)))


@public(out=True, space="linalg", keywords={"input": "A"})
def det(A: Tensor) -> Tensor:
    """The determinants of matrices (..., n, n) (https://pytorch.org/docs/stable/generated/torch.linalg.det.html).

    >>> torch.linalg.det(torch.tensor([[1., 2.], [3., 4.]]))
    tensor(-2.)
    """
    square(A, "linalg.det")
    return apply(DET, (A,))


def _slogdet_gradient(g: tuple[Tensor, Tensor], x: Tensor, results: Any) -> tuple[Tensor]:
    slope = g[1]
    if x.is_complex():
        slope = slope - (conj(g[0]) * results[0]).imag * 1j
    return (slope[..., None, None] * mH(inv_unchecked(x)),)


SLOGDET = operation(
    "slogdet",
    lambda x: (spec_of(x.shape[:-2], x.dtype), spec_of(x.shape[:-2], x.dtype.to_real())),
    lambda x: np.linalg.slogdet(x),
    node="LinalgSlogdetBackward0",
)
SLOGDET.lower = elimination.sign_and_logarithm
SLOGDET.gradient(_slogdet_gradient)
LinalgSlogdet = result_type("linalg_slogdet", ("sign", "logabsdet"))
Slogdet = result_type("slogdet", ("sign", "logabsdet"))


@public(function=False, method=False, out=True, space="linalg")
def slogdet(A: Tensor) -> Any:
    """Sign and logarithm of the absolute value of the determinants: det = sign * exp(logabsdet).

    >>> torch.linalg.slogdet(torch.tensor([[2., 0.], [0., -3.]])).sign
    tensor(-1.)
    """
    square(A, "linalg.slogdet")
    return LinalgSlogdet(apply(SLOGDET, (A,)))


def _slogdet(input: Tensor) -> Any:
    """See `torch.linalg.slogdet`."""
    return Slogdet(slogdet(input))


FUNCTIONS["slogdet"] = METHODS["slogdet"] = _slogdet


@public()
def logdet(input: Tensor) -> Tensor:
    """The logarithm of the determinants; NaN where they are negative."""
    sign, size = slogdet(input)
    if input.is_complex():
        return sign.log() + size
    return where(sign == -1, math.nan, size)


# ---------------------------------------------------------------------------------------------------------------------
# Inverses and solving

INV = operation("inv_ex", lambda x: (spec_of(x.shape, x.dtype), info_spec(x)), lambda x: factorization.inverse(x),
                node="LinalgInvExBackward0")  # fmt: skip
INV.lower = elimination.inverse
INV.gradient(lambda g, results: (-matmul(mH(results[0]), matmul(g[0], mH(results[0]))),))
InvEx = result_type("linalg_inv_ex", ("inverse", "info"))


def inv_unchecked(A: Tensor) -> Tensor:
    """The inverse, NaN and infinities where there is none: for derivatives."""
    return apply(INV, (A,))[0]


def _check_invertible(info: Tensor, name: str) -> None:
    failed = first_failure(info)
    if failed:
        raise LinAlgError(
            f"{name}: {failed[0]}The diagonal element {failed[1]} is zero, the inversion could not be completed "
            "because the "
            "input matrix is singular."
        )


@public(function=False, method=False, out=True, space="linalg")
def inv_ex(A: Tensor, *, check_errors: bool = False) -> Any:
    """The inverses and `info`, which is not zero where a matrix is singular; raises only with `check_errors`."""
    square(A, "linalg.inv_ex")
    found = InvEx(apply(INV, (A,)))
    if check_errors:
        _check_invertible(found.info, "linalg.inv_ex")
    return found


@public(function=False, method=False, out=True, space="linalg")
def inv(A: Tensor) -> Tensor:
    """The inverses of matrices (..., n, n); raises `torch.linalg.LinAlgError` where one is singular.

    https://pytorch.org/docs/stable/generated/torch.linalg.inv.html

    >>> torch.linalg.inv(torch.tensor([[2., 0.], [0., 4.]]))
    tensor([[0.5000, 0.0000],
            [0.0000, 0.2500]])
    """
    square(A, "linalg.inv")
    result, info = apply(INV, (A,))
    _check_invertible(info, "linalg.inv")
    return result


@public(out=True)
def inverse(input: Tensor) -> Tensor:
    """See `torch.linalg.inv`."""
    return inv(input)


def _solve_spec(a: Spec, b: Spec) -> tuple[Spec, Spec]:
    batch = broadcast_shapes(a.shape[:-2], b.shape[:-2])
    return spec_of((*batch, *b.shape[-2:]), b.dtype), info_spec(a)


def _solve_gradient(g: Any, a: Tensor, results: Any, needs: Any) -> tuple[Tensor | None, Tensor]:
    right = apply(SOLVE, (mH(a), g[0]))[0]
    return -matmul(right, mH(results[0])) if needs[0] else None, right


SOLVE = operation("solve_ex", _solve_spec, lambda a, b: factorization.solve(a, b), node="LinalgSolveExBackward0")
SOLVE.lower = elimination.solve
SOLVE.gradient(_solve_gradient)
SolveEx = result_type("linalg_solve_ex", ("result", "info"))


def _solve_vector_spec(a: Spec, b: Spec) -> tuple[Spec, Spec]:
    return spec_of((*broadcast_shapes(a.shape[:-2], b.shape[:-1]), b.shape[-1]), b.dtype), info_spec(a)


def _solve_vector(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    x, info = factorization.solve(a, b[..., None])
    return x[..., 0], info


def _solve_vector_gradient(
    g: tuple[Tensor, Tensor], a: Tensor, results: Any, needs: Any
) -> tuple[Tensor | None, Tensor]:
    right = apply(SOLVE_VECTOR, (mH(a), g[0]))[0]
    outer = right.unsqueeze(-1) * conj(results[0]).unsqueeze(-2) if needs[0] else None
    return None if outer is None else -outer, right


SOLVE_VECTOR = operation("solve_ex_vector", _solve_vector_spec, _solve_vector, node="LinalgSolveExBackward0")
SOLVE_VECTOR.gradient(_solve_vector_gradient)


def same_dtype(A: Spec, B: Spec, name: str) -> None:
    """Raises unless two operands have one dtype."""
    if A.dtype is not B.dtype:
        raise RuntimeError(
            f"{name}: Expected A and B to have the same dtype, but found A of type {A.dtype.scalar_name} and B of type "
            f"{B.dtype.scalar_name} instead"
        )


def _is_vector(A: Spec, B: Spec) -> bool:
    return B.ndim == 1 or (A.ndim - 1 == B.ndim and B.shape == A.shape[:-1])


def _solved(A: Tensor, B: Tensor, left: bool, name: str) -> tuple[Tensor, Tensor]:
    a, b = square(A, name), settle(B).spec
    same_dtype(a, b, name)
    vector = _is_vector(a, b)
    if vector and not left:
        raise RuntimeError(
            f"{name}: Vector broadcasting of the left hand side is not supported for left=False. In this case "
            "linalg.solve is equivalent to B / A.squeeze(-1)"
        )
    rows, columns = (b.shape[-1], 1) if vector else b.shape[-2:]
    if (rows if left else columns) != a.shape[-1]:
        equation = "AX = B" if left else "XA = B"
        raise RuntimeError(
            f"{name}: Incompatible shapes of A and B for the equation {equation} ({a.shape[-2]}x{a.shape[-1]} and "
            f"{rows}x{columns})"
        )
    if vector:
        return apply(SOLVE_VECTOR, (A, B))
    if left:
        return apply(SOLVE, (A, B))
    x, info = apply(SOLVE, (mT(A), mT(B)))
    return mT(x), info


def _check_solved(info: Tensor, name: str) -> None:
    failed = first_failure(info)
    if failed:
        raise LinAlgError(f"{name}: {failed[0]}The solver failed because the input matrix is singular.")


@public(function=False, method=False, out=True, space="linalg")
def solve_ex(A: Tensor, B: Tensor, *, left: bool = True, check_errors: bool = False) -> Any:
    """`solve` and `info`, which is not zero where a matrix is singular; raises only with `check_errors`."""
    found = SolveEx(_solved(A, B, left, "linalg.solve"))
    if check_errors:
        _check_solved(found.info, "torch.linalg.solve_ex")
    return found


@public(function=False, method=False, out=True, space="linalg")
def solve(A: Tensor, B: Tensor, *, left: bool = True) -> Tensor:
    """X with A X = B (X A = B if not `left`), for matrices (..., n, n) and (..., n, k) or vectors (..., n).

    Raises `torch.linalg.LinAlgError` where A is singular. https://pytorch.org/docs/stable/generated/torch.linalg.solve.html

    >>> torch.linalg.solve(torch.tensor([[2., 0.], [0., 4.]]), torch.tensor([2., 2.]))
    tensor([1.0000, 0.5000])
    """
    x, info = _solved(A, B, left, "linalg.solve")
    _check_solved(info, "torch.linalg.solve")
    return x


def _triangular_spec(a: Spec, b: Spec, *, upper: bool, unit: bool) -> Spec:
    return _solve_spec(a, b)[0]


def _triangular_gradient(g: Tensor, needs: Any, a: Tensor, result: Tensor, upper: bool, unit: bool) -> Any:
    right = apply(SOLVE_TRIANGULAR, (mH(a), g), (not upper, unit))
    if not needs[0]:
        return None, right
    left = -matmul(right, mH(result))
    return triu(left, int(unit)) if upper else tril(left, -int(unit)), right


SOLVE_TRIANGULAR = operation(
    "solve_triangular",
    _triangular_spec,
    lambda a, b, *, upper, unit: factorization.solve_triangular(a, b, upper, unit),
    node="LinalgSolveTriangularBackward0",
)
SOLVE_TRIANGULAR.lower = elimination.triangular_solve
SOLVE_TRIANGULAR.gradient(_triangular_gradient)


@public(function=False, method=False, out=True, space="linalg")
def solve_triangular(A: Tensor, B: Tensor, *, upper: bool, left: bool = True, unitriangular: bool = False) -> Tensor:
    """X with A X = B (X A = B if not `left`) where only one triangle of A counts.

    https://pytorch.org/docs/stable/generated/torch.linalg.solve_triangular.html
    """
    name = "linalg.solve_triangular"
    a, b = settle(A).spec, settle(B).spec
    check_square(a, name)
    check_matrix(b, name, "B")
    same_dtype(a, b, name)
    if b.shape[-2 if left else -1] != a.shape[-1]:
        raise RuntimeError(
            f"{name}: Incompatible shapes of A and B for the equation {'AX = B' if left else 'XA = B'} "
            f"({a.shape[-2]}x{a.shape[-1]} and {b.shape[-2]}x{b.shape[-1]})"
        )
    if left:
        return apply(SOLVE_TRIANGULAR, (A, B), (upper, unitriangular))
    return mT(apply(SOLVE_TRIANGULAR, (mT(A), mT(B)), (not upper, unitriangular)))


TriangularSolve = result_type("triangular_solve", ("solution", "cloned_coefficient"))


@public(out=True)
def triangular_solve(
    input: Tensor, A: Tensor, upper: bool = True, transpose: bool = False, unitriangular: bool = False
) -> Any:
    """See `torch.linalg.solve_triangular`, which takes its arguments the other way round."""
    coefficient = mT(A) if transpose else A
    solution = solve_triangular(coefficient, input, upper=upper != transpose, unitriangular=unitriangular)
    return TriangularSolve(solution, A.clone())


# ---------------------------------------------------------------------------------------------------------------------
# Cholesky


def _cholesky_gradient(g: tuple[Tensor, Tensor], results: Any, upper: bool) -> tuple[Tensor]:
    factor, slope = (mH(results[0]), mH(g[0])) if upper else (results[0], g[0])
    inner = tril(matmul(mH(factor), slope))
    both = (inner + mH(tril(inner, -1))) * 0.5
    left = apply(SOLVE_TRIANGULAR, (mH(factor), both), (True, False))
    return (mH(apply(SOLVE_TRIANGULAR, (mH(factor), mH(left)), (True, False))),)


def _cholesky_operation(name: str, node: str) -> Any:
    op = operation(name, lambda x, *, upper: (spec_of(x.shape, x.dtype), info_spec(x)),
                   lambda x, *, upper: factorization.cholesky(x, upper), node=node)  # fmt: skip
    op.lower = elimination.cholesky
    return op.gradient(_cholesky_gradient)


CHOLESKY = _cholesky_operation("cholesky_ex", "LinalgCholeskyExBackward0")
CHOLESKY_OF_TORCH = _cholesky_operation("cholesky", "CholeskyBackward0")
CholeskyEx = result_type("linalg_cholesky_ex", ("L", "info"))


def _check_positive(info: Tensor, name: str) -> None:
    failed = first_failure(info)
    if failed:
        raise LinAlgError(
            f"{name}: {failed[0]}The factorization could not be completed because the input is not "
            "positive-definite (the "
            f"leading minor of order {failed[1]} is not positive-definite)."
        )


@public(function=False, method=False, out=True, space="linalg")
def cholesky_ex(A: Tensor, *, upper: bool = False, check_errors: bool = False) -> Any:
    """`cholesky` and `info`, not zero where a matrix is not positive definite; raises only with `check_errors`."""
    square(A, "linalg.cholesky_ex")
    found = CholeskyEx(apply(CHOLESKY, (A,), (upper,)))
    if check_errors:
        _check_positive(found.info, "linalg.cholesky_ex")
    return found


@public(function=False, method=False, out=True, space="linalg")
def cholesky(A: Tensor, *, upper: bool = False) -> Tensor:
    """The lower triangular L with A = L L^H (or its conjugate transpose), for positive definite matrices (..., n, n).

    Raises `torch.linalg.LinAlgError` for others. https://pytorch.org/docs/stable/generated/torch.linalg.cholesky.html

    >>> torch.linalg.cholesky(torch.tensor([[4., 2.], [2., 5.]]))
    tensor([[2., 0.],
            [1., 2.]])
    """
    square(A, "linalg.cholesky")
    factor, info = apply(CHOLESKY, (A,), (upper,))
    _check_positive(info, "linalg.cholesky")
    return factor


def _cholesky(input: Tensor, upper: bool = False) -> Tensor:
    """See `torch.linalg.cholesky`."""
    square(input, "cholesky")
    factor, info = apply(CHOLESKY_OF_TORCH, (input,), (upper,))
    _check_positive(info, "cholesky")
    return factor


_cholesky.__name__ = "cholesky"
public(out=True)(_cholesky)


def _cholesky_product_solve_symbols(b: Any, factor: Any, *, upper: bool) -> Any:
    lower = factor.swapaxes(-1, -2) if upper else factor
    half = elimination.triangular(lower, b, False, False)
    return elimination.triangular(lower.swapaxes(-1, -2), half, True, False)


def _cholesky_product_solve(b: np.ndarray, factor: np.ndarray, *, upper: bool) -> np.ndarray:
    lower = np.conj(np.swapaxes(factor, -1, -2)) if upper else factor
    half = factorization.solve_triangular(lower, b, False, False)
    return factorization.solve_triangular(np.conj(np.swapaxes(lower, -1, -2)), half, True, False)


def _cholesky_solve_gradient(g: Tensor, needs: Any, factor: Tensor, result: Tensor, upper: bool) -> Any:
    right = apply(CHOLESKY_SOLVE, (g, factor), (upper,))
    if not needs[1]:
        return right, None
    outer = matmul(right, mH(result))
    outer = outer + mH(outer)
    return right, -matmul(factor, outer) if upper else -matmul(outer, factor)


CHOLESKY_SOLVE = operation(
    "cholesky_solve", lambda b, factor, *, upper: _solve_spec(factor, b)[0], _cholesky_product_solve
)
CHOLESKY_SOLVE.lower = _cholesky_product_solve_symbols
CHOLESKY_SOLVE.gradient(_cholesky_solve_gradient)


@public(out=True)
def cholesky_solve(input: Tensor, input2: Tensor, upper: bool = False) -> Tensor:
    """X with A X = input, from the Cholesky factor of A. Shapes: input (..., n, k), input2 (..., n, n)."""
    b, factor = settle(input).spec, settle(input2).spec
    for spec, what in ((b, "b"), (factor, "u")):
        if spec.ndim < 2:
            raise RuntimeError(f"{what} should have at least 2 dimensions, but has {spec.ndim} dimensions instead")
    check_square(factor, "cholesky_solve")
    if b.shape[-2] != factor.shape[-1]:
        raise RuntimeError(
            f"Incompatible matrix sizes for cholesky_solve: each A matrix is {factor.shape[-1]} by "
            f"{factor.shape[-1]} but each "
            f"b matrix is {b.shape[-2]} by {b.shape[-1]}"
        )
    return apply(CHOLESKY_SOLVE, (input, input2), (upper,))


def _cholesky_inverse(factor: np.ndarray, *, upper: bool) -> np.ndarray:
    identity = np.broadcast_to(np.eye(factor.shape[-1], dtype=factor.dtype), factor.shape)
    return _cholesky_product_solve(identity, factor, upper=upper)


def _cholesky_inverse_gradient(g: Tensor, factor: Tensor, result: Tensor, upper: bool) -> Tensor:
    both = matmul(result, matmul(g + mH(g), result))
    return -matmul(factor, both) if upper else -matmul(both, factor)


CHOLESKY_INVERSE = operation(
    "cholesky_inverse", lambda factor, *, upper: spec_of(factor.shape, factor.dtype), _cholesky_inverse
)
CHOLESKY_INVERSE.gradient(factor=_cholesky_inverse_gradient)


@public(out=True)
def cholesky_inverse(input: Tensor, upper: bool = False) -> Tensor:
    """The inverse of A, from its Cholesky factor."""
    square(input, "cholesky_inverse")
    return apply(CHOLESKY_INVERSE, (input,), (upper,))
