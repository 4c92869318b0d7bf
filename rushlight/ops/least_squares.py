"""Least squares: `torch.linalg.lstsq`.

Where the columns are clearly independent the solution comes from a QR factorization, else, and for the drivers that
give singular values, from these.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from rushlight.core import dtype as dtypes
from rushlight.record.operation import operation
from rushlight.record.spec import Spec, spec_of
from rushlight.record.trace import apply, realize, settle
from rushlight.record.value import Tensor

from . import factorization
from .arithmetic import conj
from .creation import zeros
from .decomposition import PINV, checked_matrices, pinv_gradient, tolerances
from .linalg import LinAlgError, mH
from .matmul import matmul
from .public import public
from .results import result_type


def _lstsq_spec(a: Spec, b: Spec, limit: Spec, *, driver: str) -> tuple[Spec, ...]:
    *batch, m, n = a.shape
    real = a.dtype.to_real()
    rank = (0,) if driver == "gels" else tuple(batch)
    values = (*batch, min(m, n)) if driver in ("gelsd", "gelss") else (0,)
    return (
        spec_of((*b.shape[:-2], n, b.shape[-1]), a.dtype), spec_of(rank, dtypes.int64), spec_of(values, real),
    )  # fmt: skip


def independent(r: np.ndarray, limit: Any) -> bool:
    """Whether the columns of A = Q R clearly are."""
    size = np.abs(np.diagonal(r, axis1=-2, axis2=-1))
    least = max(limit, math.sqrt(np.finfo(r.dtype).eps))
    return bool((size.min(-1) > least * size.max(-1)).all())


def _lstsq_by_qr(a: np.ndarray, b: np.ndarray, limit: Any) -> np.ndarray | None:
    """The solution where the columns are clearly independent, else None."""
    if a.shape[-2] < a.shape[-1] or not a.size:
        return None
    q, r = np.linalg.qr(a)
    if not independent(r, limit):
        return None
    return factorization.solve_triangular(r, np.conj(np.swapaxes(q, -1, -2)) @ b, True, False)


def rank_of_all(a: np.ndarray, driver: str) -> np.ndarray:
    """The ranks of matrices whose columns are independent, as `driver` gives them."""
    return np.full(a.shape[:-2], a.shape[-1]) if driver == "gelsy" else np.zeros(0, np.int64)


def _lstsq_kernel(a: np.ndarray, b: np.ndarray, limit: Any, *, driver: str) -> tuple[np.ndarray, ...]:
    if driver in ("gels", "gelsy"):
        x = _lstsq_by_qr(a, b, limit)
        if x is not None:
            return x.astype(a.dtype), rank_of_all(a, driver), np.zeros(0, a.real.dtype)
    u, s, vh = np.linalg.svd(a, full_matrices=False)
    keep = s > limit * s.max(-1, keepdims=True, initial=0)
    weights = (keep / np.where(keep, s, 1))[..., None]
    x = np.conj(np.swapaxes(vh, -1, -2)) @ (weights * (np.conj(np.swapaxes(u, -1, -2)) @ b))
    rank = keep.sum(-1)
    if driver == "gels":
        _check_full_rank(a, rank)
        rank = np.zeros(0, np.int64)
    return x.astype(a.dtype), rank, s if driver in ("gelsd", "gelss") else np.zeros(0, s.dtype)


def _check_full_rank(a: np.ndarray, rank: np.ndarray) -> None:
    if (rank < min(a.shape[-2:])).any():
        raise LinAlgError(
            "torch.linalg.lstsq: The least squares solution could not be computed because the input matrix does not "
            f"have full rank (error code: {int(rank.min()) + 1})."
        )


def _lstsq_gradient(g: Any, needs: Any, a: Tensor, b: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
    p = apply(PINV, (a, *tolerances(a._value.spec, None, None)), (False,))
    gp = matmul(g[0], mH(b))
    return (pinv_gradient(gp, a, p) if needs[0] else None), matmul(mH(p), g[0]), None


LSTSQ = operation("lstsq", _lstsq_spec, _lstsq_kernel, node="LinalgLstsqBackward0")
LSTSQ.gradient(_lstsq_gradient)
LinalgLstsq = result_type("linalg_lstsq", ("solution", "residuals", "rank", "singular_values"))
DRIVERS = ("gels", "gelsy", "gelsd", "gelss")


@public(function=False, method=False, space="linalg")
def lstsq(A: Tensor, B: Tensor, rcond: float | None = None, *, driver: str | None = None) -> Any:
    """X that minimises |A X - B|, with the residuals, the rank and the singular values as far as `driver` gives them.

    https://pytorch.org/docs/stable/generated/torch.linalg.lstsq.html
    """
    spec = checked_matrices(A, "torch.linalg.lstsq")
    driver = "gelsy" if driver is None else driver
    if driver not in DRIVERS:
        raise RuntimeError(f"torch.linalg.lstsq: parameter `driver` should be one of ({', '.join(DRIVERS)})")
    if settle(B).spec.dtype is not spec.dtype:
        raise RuntimeError(
            "torch.linalg.lstsq: Expected input and other to have the same dtype, but got input's dtype "
            f"{spec.dtype.scalar_name} and other's dtype {B._value.spec.dtype.scalar_name}"
        )
    vector = settle(B).spec.ndim == 1 or (spec.ndim - 1 == B.dim() and tuple(B.shape) == spec.shape[:-1])
    right = B.unsqueeze(-1) if vector else B
    if right._value.spec.shape[-2] != spec.shape[-2]:
        raise RuntimeError(
            "torch.linalg.lstsq: input.size(-2) should match other.size(-2)" if not vector else
            "torch.linalg.lstsq: input.size(-2) should match other.size(-1)"
        )  # fmt: skip
    limit = dtypes.finfo(spec.dtype).eps * max(spec.shape[-2:]) if rcond is None else rcond
    solution, rank, values = apply(LSTSQ, (A, right, limit), (driver,))
    residuals = _residuals(A, right, solution, rank, driver)
    return LinalgLstsq(solution.squeeze(-1) if vector else solution, residuals, rank, values)


def _residuals(A: Tensor, B: Tensor, solution: Tensor, rank: Tensor, driver: str) -> Tensor:
    """Squared residuals, where the system is overdetermined and of full rank; else empty."""
    m, n = A._value.spec.shape[-2:]
    if m > n and driver != "gelsy" and (driver == "gels" or bool((realize(rank) == n).all())):
        miss = matmul(A, solution) - B
        return (miss * conj(miss)).real.sum(-2) if miss.is_complex() else (miss * miss).sum(-2)
    return zeros(0, dtype=A._value.spec.dtype.to_real())
