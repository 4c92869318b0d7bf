"""Approximate decompositions of large matrices by random projections: `torch.svd_lowrank` and `torch.pca_lowrank`.

N. Halko, P.-G. Martinsson, J. Tropp, "Finding structure with randomness", arXiv:0909.4061: algorithms 4.4 and 5.1. The
random matrix is drawn from PyTorch's stream as PyTorch draws it, so a seeded program finds PyTorch's basis.
"""

from __future__ import annotations

import rushlight as torch
from rushlight.core.missing import missing
from rushlight.tensor import Tensor

__all__ = ["get_approximate_basis", "pca_lowrank", "svd_lowrank"]

Three = tuple[Tensor, Tensor, Tensor]


def get_approximate_basis(A: Tensor, q: int, niter: int | None = 2, M: Tensor | None = None) -> Tensor:
    """`q` orthonormal columns Q (..., m, q) such that Q Q' A approximates A, or A - M where M is given."""
    if M is not None:
        A = A - M
    kind = A.dtype if A.is_floating_point() or A.is_complex() else torch.get_default_dtype()
    A = A.to(kind)
    found = torch.linalg.qr(A @ torch.randn(A.shape[-1], q, dtype=kind)).Q
    for _ in range(2 if niter is None else niter):
        found = torch.linalg.qr(A.mH @ found).Q
        found = torch.linalg.qr(A @ found).Q
    return found


def svd_lowrank(A: Tensor, q: int | None = 6, niter: int | None = 2, M: Tensor | None = None) -> Three:
    """U (..., m, q), S (..., q) and V (..., n, q) such that U diag(S) V' approximates A, or A - M where M is given.

    Args:
        q: the rank looked for, a little more than the matrix has.
        niter: how often the basis is improved.

    >>> A = torch.ones(4, 3); U, S, V = torch.svd_lowrank(A, q=1)
    >>> torch.allclose(U * S @ V.mT, A, atol=1e-5)
    True
    """
    if M is not None:
        A = A - M.broadcast_to(A.shape)
    tall = A if A.shape[-2] >= A.shape[-1] else A.mH
    basis = get_approximate_basis(tall, 6 if q is None else q, niter)
    U, S, Vh = torch.linalg.svd(basis.mH @ tall.to(basis.dtype), full_matrices=False)
    U, V = basis @ U, Vh.mH
    return (U, S, V) if tall is A else (V, S, U)


def pca_lowrank(A: Tensor, q: int | None = None, center: bool = True, niter: int = 2) -> Three:
    """Principal components of the rows of A (..., m, n): `svd_lowrank` of A less its mean row.

    The columns of V are the principal directions, S ** 2 / (m - 1) the variances along them. Raises ValueError for a
    negative `niter`, and for a `q` that is negative or larger than m or n.
    """
    m, n = A.shape[-2:]
    if q is None:
        q = min(6, m, n)
    elif not 0 <= q <= min(m, n):
        raise ValueError(f"q(={q}) must be non-negative integer and not greater than min(m, n)={min(m, n)}")
    if niter < 0:
        raise ValueError(f"niter(={niter}) must be non-negative integer")
    return svd_lowrank(A - A.mean(dim=-2, keepdim=True) if center else A, q, niter)


__getattr__ = missing(__name__)
