"""A covariance by itself, by its inverse, or by its Cholesky factor: what distributions made from one share."""

from __future__ import annotations

from typing import Any

import rushlight as torch
from rushlight.distributions.utils import lazy_property
from rushlight.tensor import Tensor

FORMS = ("covariance_matrix", "precision_matrix", "scale_tril")


class OfCovariance:
    """The three forms of a covariance, each made from the factor when it is first asked for."""

    _unbroadcasted_scale_tril: Tensor

    @property
    def _matrix_shape(self) -> Any:
        raise NotImplementedError

    @lazy_property
    def scale_tril(self) -> Tensor:
        """The Cholesky factor of the covariance."""
        return self._unbroadcasted_scale_tril.expand(self._matrix_shape)

    @lazy_property
    def covariance_matrix(self) -> Tensor:
        """The covariance."""
        return (self._unbroadcasted_scale_tril @ self._unbroadcasted_scale_tril.mT).expand(self._matrix_shape)

    @lazy_property
    def precision_matrix(self) -> Tensor:
        """The inverse of the covariance."""
        return torch.cholesky_inverse(self._unbroadcasted_scale_tril).expand(self._matrix_shape)


def factor_of(name: str, matrix: Tensor) -> Tensor:
    """The Cholesky factor of the covariance, from one of its forms."""
    if name == "scale_tril":
        return matrix
    if name == "covariance_matrix":
        return torch.linalg.cholesky(matrix)
    return precision_to_scale_tril(matrix)


def precision_to_scale_tril(precision: Tensor) -> Tensor:
    """The Cholesky factor of the inverse: with J the exchange matrix, J P J = L L' gives J L^-T J."""
    flipped = torch.linalg.cholesky(torch.flip(precision, (-2, -1)))
    upper = torch.flip(flipped, (-2, -1)).mT
    unit = torch.eye(precision.shape[-1], dtype=precision.dtype, device=precision.device)
    return torch.linalg.solve_triangular(upper, unit, upper=False)
