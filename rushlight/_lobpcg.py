"""`torch.lobpcg`: the largest or smallest eigenvalues of a symmetric matrix, and their eigenvectors.

The name is that of an iteration for matrices too large to factorise. Matrices here lie in memory in full, and the
factorisation of `torch.linalg.eigh` gives the same pairs exactly: what steers the iteration (a first guess, a
preconditioner, a tolerance) is accepted and not needed.
"""

from __future__ import annotations

from typing import Any

import rushlight as torch
from rushlight.core.missing import missing
from rushlight.tensor import Tensor

__all__ = ["lobpcg"]


def lobpcg(
    A: Tensor,
    k: int | None = None,
    B: Tensor | None = None,
    X: Tensor | None = None,
    n: int | None = None,
    iK: Tensor | None = None,
    niter: int | None = None,
    tol: float | None = None,
    largest: bool | None = None,
    method: str | None = None,
    tracker: Any = None,
    ortho_iparams: Any = None,
    ortho_fparams: Any = None,
    ortho_bparams: Any = None,
) -> tuple[Tensor, Tensor]:
    """The `k` largest (or smallest) eigenvalues (..., k) of A x = e B x, and eigenvectors (..., m, k) with X' B X = 1.

    Args:
        A: symmetric (..., m, m), m at least 3 k.
        k: how many; the columns of `X`, or 1, if not given.
        B: symmetric and positive definite, the identity if not given.

    Raises:
        ValueError: m is smaller than 3 k.

    >>> torch.lobpcg(torch.diag(torch.tensor([1.0, 5.0, 3.0])))[0]
    tensor([5.])
    """
    count = k if k is not None else 1 if X is None else X.shape[-1]
    m = A.shape[-1]
    if m < 3 * count:
        raise ValueError(
            f"LPBPCG algorithm is not applicable when the number of A rows (={m}) is smaller than 3 x the number of "
            f"requested eigenpairs (={count})"
        )
    lower = None if B is None else torch.linalg.cholesky(B)
    values, vectors = torch.linalg.eigh(A if lower is None else _reduced(A, lower))
    chosen = slice(m - count, m) if largest is not False else slice(0, count)
    values, vectors = values[..., chosen], vectors[..., chosen]
    if largest is not False:
        values, vectors = values.flip(-1), vectors.flip(-1)
    return values, vectors if lower is None else torch.linalg.solve_triangular(lower.mT, vectors, upper=True)


def _reduced(A: Tensor, lower: Tensor) -> Tensor:
    """L^-1 A L^-T, which has the eigenvalues of A x = e L L' x."""
    half = torch.linalg.solve_triangular(lower, A, upper=False)
    return torch.linalg.solve_triangular(lower, half.mT, upper=False)


__getattr__ = missing(__name__)
