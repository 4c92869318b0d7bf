"""Decompositions of matrices: QR, singular values, eigenvalues, and what is made of them (pseudo-inverse, rank).

Kernels are NumPy's LAPACK, batched. Derivatives that divide by differences of eigenvalues are zero where nothing is
asked of the degenerate pair, as in https://pytorch.org/docs/stable/generated/torch.linalg.svd.html.
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

from .arithmetic import conj
from .creation import eye, zeros
from .joining import cat
from .linalg import (
    SOLVE_TRIANGULAR,
    LinAlgError,
    check_floating,
    check_matrix,
    inv_unchecked,
    mH,
    mT,
    square,
)
from .matmul import matmul
from .public import SPACES, public
from .results import result_type
from .selection import where
from .triangle import diag_embed, triu


def checked_matrices(A: Tensor, name: str) -> Spec:
    spec = settle(A).spec
    check_matrix(spec, name)
    check_floating(spec, name)
    return spec


def finite(A: Tensor) -> bool:
    """Whether all elements are, looked at now: an algorithm that cannot converge must raise on the user's line."""
    return bool(np.isfinite(realize(A)).all())


def of_linalg(f: Any) -> Any:
    """A function of `torch.linalg` alone."""
    return public(function=False, method=False, out=True, space="linalg")(f)


def triangle_solve(a: Tensor, b: Tensor, upper: bool) -> Tensor:
    """X with a X = b, of a triangle."""
    return apply(SOLVE_TRIANGULAR, (a, b), (upper, False))


# ---------------------------------------------------------------------------------------------------------------------
# QR


def _qr_spec(x: Spec, *, mode: str) -> tuple[Spec, Spec]:
    *batch, m, n = x.shape
    k = m if mode == "complete" else min(m, n)
    q = (0,) if mode == "r" else (*batch, m, k)
    return spec_of(q, x.dtype), spec_of((*batch, k, n), x.dtype)


def _qr_kernel(x: np.ndarray, *, mode: Any) -> tuple[Any, Any]:
    if mode == "r":
        return np.zeros(0, x.dtype), np.linalg.qr(x, mode)
    found = np.linalg.qr(x, mode)
    return found[0], found[1]


def _qr_gradient(g: tuple[Tensor, Tensor], x: Tensor, results: Any, mode: str) -> tuple[Tensor]:
    m, n = x._value.spec.shape[-2:]
    if mode == "r":
        raise RuntimeError(
            "The derivative of linalg.qr depends on Q, which is not computed when mode='r'. Please use "
            "linalg.qr(A, mode='reduced') "
            "if you are going to require gradients through it."
        )
    if mode == "complete" and m > n:
        raise RuntimeError("The QR decomposition is not differentiable when mode='complete' and nrows > ncols.")
    (gq, gr), (q, r) = g, results
    if m >= n:
        return (_qr_of_tall(gq, gr, q, r),)
    right, gr2 = x[..., m:], gr[..., m:]
    left = _qr_of_tall(gq + matmul(right, mH(gr2)), gr[..., :m], q, r[..., :m])
    return (cat([left, matmul(q, gr2)], -1),)


def _qr_of_tall(gq: Tensor, gr: Tensor, q: Tensor, r: Tensor) -> Tensor:
    inner = triu(matmul(gr, mH(r)) - matmul(mH(q), gq))
    both = inner + mH(triu(inner, 1))
    if both.is_complex():
        diagonal = both.diagonal(0, -2, -1)
        both = both - diag_embed(diagonal.imag * 1j)
    return mH(triangle_solve(r, mH(gq + matmul(q, both)), True))


QR = operation("qr", _qr_spec, _qr_kernel, node="LinalgQrBackward0")
QR.gradient(_qr_gradient)
LinalgQr = result_type("linalg_qr", ("Q", "R"))
Qr = result_type("qr", ("Q", "R"))


@of_linalg
def qr(A: Tensor, mode: str = "reduced") -> Any:
    """Q, R with A = Q R, Q orthonormal and R upper triangular; `mode` "reduced", "complete" or "r" (Q empty).

    https://pytorch.org/docs/stable/generated/torch.linalg.qr.html
    """
    if mode not in ("reduced", "complete", "r"):
        raise RuntimeError(
            f"qr received unrecognized mode '{mode}' but expected one of 'reduced' (default), 'r', or 'complete'"
        )
    checked_matrices(A, "linalg.qr")
    return LinalgQr(apply(QR, (A,), (mode,)))


def _qr(input: Tensor, some: bool = True) -> Any:
    """See `torch.linalg.qr`."""
    return Qr(qr(input, "reduced" if some else "complete"))


_qr.__name__ = "qr"
public(out=True)(_qr)


def _geqrf(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    h, tau = np.linalg.qr(x, "raw")
    return np.swapaxes(h, -1, -2), tau


GEQRF = operation(
    "geqrf", lambda x: (spec_of(x.shape, x.dtype), spec_of((*x.shape[:-2], min(x.shape[-2:])), x.dtype)), _geqrf
)
Geqrf = result_type("geqrf", ("a", "tau"))


@public(out=True)
def geqrf(input: Tensor) -> Any:
    """The QR decomposition as LAPACK stores it: R above, reflections below the diagonal, and their factors."""
    checked_matrices(input, "torch.geqrf")
    return Geqrf(apply(GEQRF, (input,)))


# ---------------------------------------------------------------------------------------------------------------------
# Singular values


def _svd_spec(x: Spec, *, full: bool) -> tuple[Spec, Spec, Spec]:
    *batch, m, n = x.shape
    k = min(m, n)
    u, vh = ((m, m), (n, n)) if full else ((m, k), (k, n))
    return spec_of((*batch, *u), x.dtype), spec_of((*batch, k), x.dtype.to_real()), spec_of((*batch, *vh), x.dtype)


def _svd_kernel(x: np.ndarray, *, full: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    u, s, vh = np.linalg.svd(x, full_matrices=full)
    return u, s, vh


def _check_converges(A: Tensor) -> None:
    if not finite(A):
        raise LinAlgError(
            "linalg.svd: The algorithm failed to converge because the input matrix contained non-finite values."
        )


def _quotient(x: Tensor, y: Tensor) -> Tensor:
    """x / y, and 0 where both are 0: a degenerate pair that nobody asks about."""
    return x / where((x == 0) & (y == 0), 1, y)


def _differences(values: Tensor) -> Tensor:
    """values[j] - values[i] at (i, j), 1 on the diagonal."""
    found = values.unsqueeze(-2) - values.unsqueeze(-1)
    return where(eye(values._value.spec.shape[-1], dtype=dtypes.bool_), 1, found)


def _skew(x: Tensor) -> Tensor:
    return x - mH(x)


def _svd_gradient(g: Any, results: Any) -> tuple[Tensor]:
    """J.

    Townsend, "Differentiating the singular value decomposition" (2016), with the phases of complex vectors fixed.
    """
    (gu, gs, gvh), (u, s, vh) = g, results
    k = s._value.spec.shape[-1]
    gu, u, gvh, vh = gu[..., :k], u[..., :k], gvh[..., :k, :], vh[..., :k, :]
    m, n = u._value.spec.shape[-2], vh._value.spec.shape[-1]
    column, row = s.unsqueeze(-1), s.unsqueeze(-2)
    apart = _differences(s * s)
    from_u, from_v = matmul(mH(u), gu), matmul(vh, mH(gvh))
    middle = _quotient(_skew(from_u), apart) * row + column * _quotient(_skew(from_v), apart)
    diagonal = gs
    if u.is_complex():
        diagonal = gs + _quotient(_skew(from_u).diagonal(0, -2, -1), s * 2)
    middle = middle + diag_embed(diagonal)
    if m > k:
        outside = gu - matmul(u, from_u)
        found = matmul(matmul(u, middle) + _quotient(outside, row), vh)
    else:
        found = matmul(u, matmul(middle, vh))
    if n > k:
        outside = gvh - matmul(mH(from_v), vh)
        found = found + matmul(u, _quotient(outside, column))
    return (found,)


SVD = operation("svd", _svd_spec, _svd_kernel, node="LinalgSvdBackward0")
SVD.gradient(_svd_gradient)


def _svdvals(x: np.ndarray) -> np.ndarray:
    return np.linalg.svd(x, compute_uv=False)


def _svdvals_gradient(g: Tensor, x: Tensor) -> Tensor:
    u, _, vh = apply(SVD, (x,), (False,))
    return matmul(u * g.unsqueeze(-2), vh)


SVDVALS = operation("svdvals", lambda x: _svd_spec(x, full=False)[1], _svdvals, node="LinalgSvdBackward0")
SVDVALS.gradient(x=_svdvals_gradient)
LinalgSvd = result_type("linalg_svd", ("U", "S", "Vh"))
Svd = result_type("svd", ("U", "S", "V"))


def _linalg_svd(A: Tensor, full_matrices: bool = True, *, driver: str | None = None) -> Any:
    """U, S, Vh with A = U diag(S) Vh, singular values in descending order.

    Shapes: A (..., m, n); U (..., m, m), S (..., min(m, n)), Vh (..., n, n), or cut to min(m, n) unless
    `full_matrices`.
    https://pytorch.org/docs/stable/generated/torch.linalg.svd.html
    """
    checked_matrices(A, "linalg.svd")
    _check_driver(driver)
    _check_converges(A)
    return LinalgSvd(apply(SVD, (A,), (full_matrices,)))


_linalg_svd.__name__ = "svd"
of_linalg(_linalg_svd)


def _check_driver(driver: str | None) -> None:
    if driver is not None:
        raise RuntimeError(
            "torch.linalg.svd: keyword argument `driver=` is only supported on CUDA inputs with cuSOLVER backend."
        )


@of_linalg
def svdvals(A: Tensor, *, driver: str | None = None) -> Tensor:
    """The singular values of matrices (..., m, n) in descending order.

    >>> torch.linalg.svdvals(torch.tensor([[0., 2.], [1., 0.]]))
    tensor([2., 1.])
    """
    checked_matrices(A, "linalg.svd")
    _check_driver(driver)
    _check_converges(A)
    return apply(SVDVALS, (A,))


@public(out=True)
def svd(input: Tensor, some: bool = True, compute_uv: bool = True) -> Any:
    """U, S, V with input = U diag(S) V^H (`torch.linalg.svd` gives V^H); zeros for U and V without `compute_uv`."""
    spec = checked_matrices(input, "linalg.svd")
    _check_converges(input)
    if compute_uv:
        u, s, vh = apply(SVD, (input,), (not some,))
        return Svd(u, s, mH(vh))
    *batch, m, n = spec.shape
    return Svd(zeros((*batch, m, m), dtype=spec.dtype), svdvals(input), zeros((*batch, n, n), dtype=spec.dtype))


# ---------------------------------------------------------------------------------------------------------------------
# Eigenvalues


def _check_uplo(UPLO: str, name: str) -> str:
    if UPLO.upper() not in ("L", "U"):
        raise RuntimeError(f"Expected UPLO argument to be 'L' or 'U', but got {UPLO}")
    return UPLO.upper()


def _eigh_kernel(x: np.ndarray, *, uplo: Any) -> tuple[np.ndarray, np.ndarray]:
    values, vectors = np.linalg.eigh(x, uplo)
    return values, vectors


def _check_symmetric(A: Tensor) -> None:
    if not finite(A):
        raise LinAlgError(
            "linalg.eigh: The algorithm failed to converge because the input matrix is ill-conditioned or has too many "
            "repeated eigenvalues (error code: 1): it contains infs or NaNs."
        )


def _eigh_gradient(g: tuple[Tensor, Tensor], results: tuple[Tensor, Tensor]) -> tuple[Tensor]:
    (gw, gv), (w, v) = g, results
    inner = _quotient(_skew(matmul(mH(v), gv)) * 0.5, _differences(w))
    identity = eye(w._value.spec.shape[-1], dtype=dtypes.bool_)
    inner = where(identity, gw.unsqueeze(-1), inner)
    return (matmul(v, matmul(inner, mH(v))),)


EIGH = operation(
    "eigh",
    lambda x, *, uplo: (spec_of(x.shape[:-1], x.dtype.to_real()), spec_of(x.shape, x.dtype)),
    _eigh_kernel,
    node="LinalgEighBackward0",
)
EIGH.gradient(_eigh_gradient)


def _eigvalsh_gradient(g: Tensor, x: Tensor, uplo: str) -> Tensor:
    v = apply(EIGH, (x,), (uplo,))[1]
    return matmul(v * g.unsqueeze(-2), mH(v))


EIGVALSH = operation("eigvalsh", lambda x, *, uplo: spec_of(x.shape[:-1], x.dtype.to_real()),
                     lambda x, *, uplo: np.linalg.eigvalsh(x, uplo), node="LinalgEighBackward0")  # fmt: skip
EIGVALSH.gradient(x=_eigvalsh_gradient)
LinalgEigh = result_type("linalg_eigh", ("eigenvalues", "eigenvectors"))


@of_linalg
def eigh(A: Tensor, UPLO: str = "L") -> Any:
    """Ascending eigenvalues and eigenvectors of symmetric or Hermitian matrices; only the triangle `UPLO` is read.

    https://pytorch.org/docs/stable/generated/torch.linalg.eigh.html
    """
    square(A, "linalg.eigh")
    _check_symmetric(A)
    return LinalgEigh(apply(EIGH, (A,), (_check_uplo(UPLO, "linalg.eigh"),)))


@of_linalg
def eigvalsh(A: Tensor, UPLO: str = "L") -> Tensor:
    """The eigenvalues of symmetric or Hermitian matrices, in ascending order.

    >>> torch.linalg.eigvalsh(torch.tensor([[2., 0.], [0., 1.]]))
    tensor([1., 2.])
    """
    square(A, "linalg.eigvalsh")
    _check_symmetric(A)
    return apply(EIGVALSH, (A,), (_check_uplo(UPLO, "linalg.eigvalsh"),))


def _eig_kernel(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    values, vectors = np.linalg.eig(x)
    return values, vectors


def _check_finite(A: Tensor) -> None:
    if not finite(A):
        raise RuntimeError("torch.linalg.eig: input tensor should not contain infs or NaNs.")


def _complex_of(x: Spec) -> Any:
    return x.dtype if x.dtype.is_complex else x.dtype.to_complex()


def _eig_gradient(g: tuple[Tensor, Tensor], results: tuple[Tensor, Tensor]) -> tuple[Tensor]:
    """C. Boeddeker et al., "On the computation of complex-valued gradients with application to statistically optimum
    beamforming" (2017), 4.77, for eigenvectors of unit length."""
    (gw, gv), (w, v) = g, results
    inner = matmul(mH(v), gv)
    norms = inner.diagonal(0, -2, -1).real.unsqueeze(-2)
    inner = inner - matmul(mH(v), v) * norms
    identity = eye(w._value.spec.shape[-1], dtype=dtypes.bool_)
    inner = where(identity, gw.unsqueeze(-1), _quotient(inner, conj(_differences(w))))
    return (matmul(inv_unchecked(mH(v)), matmul(inner, mH(v))),)


EIG = operation("eig", lambda x: (spec_of(x.shape[:-1], _complex_of(x)), spec_of(x.shape, _complex_of(x))), _eig_kernel,
                node="LinalgEigBackward0")  # fmt: skip
EIG.gradient(_eig_gradient)


def _eigvals_gradient(g: Tensor, x: Tensor) -> Tensor:
    v = mH(apply(EIG, (x,))[1])
    return matmul(inv_unchecked(v), g.unsqueeze(-1) * v)


EIGVALS = operation(
    "eigvals",
    lambda x: spec_of(x.shape[:-1], _complex_of(x)),
    lambda x: np.linalg.eigvals(x),
    node="LinalgEigBackward0",
)
EIGVALS.gradient(x=_eigvals_gradient)
LinalgEig = result_type("linalg_eig", ("eigenvalues", "eigenvectors"))


@of_linalg
def eig(A: Tensor) -> Any:
    """Eigenvalues and eigenvectors of square matrices, complex and in no particular order.

    https://pytorch.org/docs/stable/generated/torch.linalg.eig.html
    """
    square(A, "linalg.eig")
    _check_finite(A)
    return LinalgEig(apply(EIG, (A,)))


@of_linalg
def eigvals(A: Tensor) -> Tensor:
    """The eigenvalues of square matrices, complex and in no particular order."""
    square(A, "linalg.eigvals")
    _check_finite(A)
    return apply(EIGVALS, (A,))


# ---------------------------------------------------------------------------------------------------------------------
# Pseudo-inverse, rank, condition


def tolerances(spec: Spec, atol: Any, rtol: Any) -> tuple[Any, Any]:
    """Singular values up to max(atol, rtol * the largest) count as zero; these are the defaults."""
    if rtol is None:
        default = dtypes.finfo(spec.dtype).eps * max(spec.shape[-2:])
        if isinstance(atol, Tensor):
            rtol = where(atol > 0, 0.0, default)
        else:
            rtol = default if atol is None or atol <= 0 else 0.0
    return 0.0 if atol is None else atol, rtol


def _significant(s: np.ndarray, atol: Any, rtol: Any) -> np.ndarray:
    size = np.abs(s)
    top = size.max(-1, keepdims=True, initial=0)
    return size > np.maximum(np.asarray(atol)[..., None], np.asarray(rtol)[..., None] * top)


RANK = operation(
    "matrix_rank",
    lambda s, atol, rtol: spec_of(s.shape[:-1], dtypes.int64),
    lambda s, atol, rtol: _significant(s, atol, rtol).sum(-1),
)


def _pinv_kernel(x: np.ndarray, atol: Any, rtol: Any, *, hermitian: bool) -> np.ndarray:
    if hermitian:
        w, u = np.linalg.eigh(x)
        keep = _significant(w, atol, rtol)
        return (u * (keep / np.where(keep, w, 1))[..., None, :]) @ np.conj(np.swapaxes(u, -1, -2))
    u, s, vh = np.linalg.svd(x, full_matrices=False)
    keep = _significant(s, atol, rtol)
    scaled = np.conj(np.swapaxes(vh, -1, -2)) * (keep / np.where(keep, s, 1))[..., None, :]
    return scaled @ np.conj(np.swapaxes(u, -1, -2))


def pinv_gradient(g: Tensor, x: Tensor, result: Tensor) -> Tensor:
    """G. Golub and V. Pereyra, "The differentiation of pseudo-inverses and nonlinear least squares" (1973), 4.12."""
    p, ph, gh = result, mH(result), mH(g)
    m, n = x._value.spec.shape[-2:]
    if m <= n:
        k = matmul(gh, p)
        kp = matmul(k, ph)
        return -mH(matmul(p, k)) + kp - matmul(matmul(x, p), kp) + matmul(matmul(ph, p), gh - matmul(k, x))
    k = matmul(p, gh)
    pk = matmul(ph, k)
    return -mH(matmul(k, p)) + matmul(matmul(gh - matmul(x, k), p), ph) + pk - matmul(matmul(pk, p), x)


def _pinv_spec(x: Spec, atol: Spec, rtol: Spec, *, hermitian: bool) -> Spec:
    """Tolerances of their own shape make a batch."""
    batch = broadcast_shapes(x.shape[:-2], atol.shape, rtol.shape)
    return spec_of((*batch, x.shape[-1], x.shape[-2]), x.dtype)


PINV = operation(
    "pinv",
    _pinv_spec,
    _pinv_kernel,
    node="LinalgPinvBackward0",
)
PINV.gradient(x=pinv_gradient)


def _singular_values(A: Tensor, hermitian: bool) -> Tensor:
    return eigvalsh(A).abs() if hermitian else svdvals(A)


@of_linalg
def pinv(A: Tensor, rcond: Any = None, hermitian: bool = False, *, atol: Any = None, rtol: Any = None) -> Tensor:
    """The pseudo-inverse of Moore and Penrose; singular values up to max(atol, rtol * largest) count as zero.

    https://pytorch.org/docs/stable/generated/torch.linalg.pinv.html
    """
    spec = square(A, "linalg.pinv") if hermitian else checked_matrices(A, "linalg.pinv")
    if spec.numel == 0:
        return mT(A).clone()
    rtol = rcond if rtol is None else rtol
    (_check_symmetric if hermitian else _check_converges)(A)
    return apply(PINV, (A, *tolerances(spec, atol, rtol)), (hermitian,))


@public()
def pinverse(input: Tensor, rcond: float = 1e-15) -> Tensor:
    """See `torch.linalg.pinv`."""
    return pinv(input, rcond)


@of_linalg
def matrix_rank(A: Tensor, tol: Any = None, hermitian: bool = False, *, atol: Any = None, rtol: Any = None) -> Tensor:
    """How many singular values are larger than max(atol, rtol * largest).

    https://pytorch.org/docs/stable/generated/torch.linalg.matrix_rank.html

    >>> torch.linalg.matrix_rank(torch.ones(2, 3))
    tensor(1)
    """
    spec = checked_matrices(A, "linalg.matrix_rank")
    if tol is not None:
        atol, rtol = tol, 0.0
    if spec.numel == 0:
        return zeros(spec.shape[:-2], dtype=dtypes.int64)
    values = _singular_values(A.detach(), hermitian)
    return apply(RANK, (values, *tolerances(spec, atol, rtol)))


@of_linalg
def cond(A: Tensor, p: Any = None) -> Tensor:
    """The condition number: norm(A) * norm(inverse), for the norm `p` (2 by default: the ratio of the singular values).

    https://pytorch.org/docs/stable/generated/torch.linalg.cond.html
    """
    spec = settle(A).spec
    check_matrix(spec, "linalg.cond")
    if p is None or p in (2, -2):
        if not spec.numel:
            return zeros(spec.shape[:-2], dtype=spec.dtype.to_real())
        values = svdvals(A)
        ends = values[..., 0], values[..., -1]
        return ends[1] / ends[0] if p == -2 else ends[0] / ends[1]
    square(A, "linalg.cond")
    matrix_norm = SPACES["linalg"]["matrix_norm"]
    if p == "nuc":
        return matrix_norm(A, p) * matrix_norm(SPACES["linalg"]["inv"](A), p)
    found = matrix_norm(A, p) * matrix_norm(inv_unchecked(A), p)
    return where(found != found, math.inf, found)
