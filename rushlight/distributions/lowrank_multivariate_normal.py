"""The normal distribution of vectors whose covariance is W W' + diag(d), W with few columns.

The inverse and the determinant go through the small capacitance matrix I + W' d^-1 W (Woodbury's identity and the
matrix determinant lemma).
"""

from __future__ import annotations

import math
from typing import Any

import rushlight as torch
from rushlight.distributions import constraints
from rushlight.distributions.distribution import Distribution
from rushlight.distributions.multivariate_normal import mahalanobis
from rushlight.distributions.utils import _standard_normal, lazy_property
from rushlight.tensor import Tensor

__all__ = ["LowRankMultivariateNormal"]


class LowRankMultivariateNormal(Distribution):
    """Vectors (..., D) of mean `loc`; `cov_factor` (..., D, rank), `cov_diag` (..., D)."""

    arg_constraints = {  # type: ignore[assignment]
        "loc": constraints.real_vector,
        "cov_factor": constraints.independent(constraints.real, 2),
        "cov_diag": constraints.independent(constraints.positive, 1),
    }
    support = constraints.real_vector  # type: ignore[assignment]
    has_rsample = True

    def __init__(self, loc: Tensor, cov_factor: Tensor, cov_diag: Tensor, validate_args: bool | None = None) -> None:
        event = _checked_event(loc, cov_factor, cov_diag)
        batch = torch.broadcast_shapes(loc.shape[:-1], cov_factor.shape[:-2], cov_diag.shape[:-1])
        self.loc = loc.expand(batch + event)
        self.cov_factor = cov_factor.expand(batch + event + cov_factor.shape[-1:])
        self.cov_diag = cov_diag.expand(batch + event)
        super().__init__(batch, event, validate_args=validate_args)
        self._factor, self._diag = cov_factor, cov_diag
        self._capacitance_tril = torch.linalg.cholesky(_capacitance(cov_factor, cov_diag))

    def expand(self, batch_shape: Any, _instance: Any = None) -> LowRankMultivariateNormal:
        new = self._get_checked_instance(LowRankMultivariateNormal, _instance)
        shape = torch.Size(batch_shape)
        new.loc, new.cov_diag = (
            self.loc.expand(shape + self.event_shape),
            self.cov_diag.expand(shape + self.event_shape),
        )
        new.cov_factor = self.cov_factor.expand(shape + self.cov_factor.shape[-2:])
        new._factor, new._diag, new._capacitance_tril = self._factor, self._diag, self._capacitance_tril
        super(LowRankMultivariateNormal, new).__init__(shape, self.event_shape, validate_args=False)
        new._validate_args = self._validate_args
        return new

    @property
    def mean(self) -> Tensor:
        return self.loc

    @property
    def mode(self) -> Tensor:
        return self.loc

    @lazy_property
    def variance(self) -> Tensor:  # type: ignore[override]
        return (self._factor.pow(2).sum(-1) + self._diag).expand(self._batch_shape + self._event_shape)

    @lazy_property
    def covariance_matrix(self) -> Tensor:
        """The covariance (..., D, D)."""
        whole = self._factor @ self._factor.mT + torch.diag_embed(self._diag)
        return whole.expand(self._batch_shape + self._event_shape + self._event_shape)

    @lazy_property
    def scale_tril(self) -> Tensor:
        """The Cholesky factor of the covariance."""
        return torch.linalg.cholesky(self.covariance_matrix)

    @lazy_property
    def precision_matrix(self) -> Tensor:
        """The inverse of the covariance."""
        scaled = self._factor.mT / self._diag.unsqueeze(-2)
        a = torch.linalg.solve_triangular(self._capacitance_tril, scaled, upper=False)
        found = torch.diag_embed(self._diag.reciprocal()) - a.mT @ a
        return found.expand(self._batch_shape + self._event_shape + self._event_shape)

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        shape = self._extended_shape(sample_shape)
        few = _standard_normal(shape[:-1] + self.cov_factor.shape[-1:], self.loc.dtype, self.loc.device)
        many = _standard_normal(shape, self.loc.dtype, self.loc.device)
        return self.loc + (self._factor @ few.unsqueeze(-1)).squeeze(-1) + self._diag.sqrt() * many

    def _log_det(self) -> Tensor:
        return 2 * self._capacitance_tril.diagonal(dim1=-2, dim2=-1).log().sum(-1) + self._diag.log().sum(-1)

    def log_prob(self, value: Tensor) -> Tensor:
        if self._validate_args:
            self._validate_sample(value)
        away = value - self.loc
        inner = (self._factor.mT @ (away / self._diag).unsqueeze(-1)).squeeze(-1)
        distance = (away.pow(2) / self._diag).sum(-1) - mahalanobis(self._capacitance_tril, inner)
        return -0.5 * (self._event_shape[0] * math.log(2 * math.pi) + self._log_det() + distance)

    def entropy(self) -> Tensor:
        found = 0.5 * (self._event_shape[0] * (1.0 + math.log(2 * math.pi)) + self._log_det())
        return found if len(self._batch_shape) == 0 else found.expand(self._batch_shape)


def _checked_event(loc: Tensor, factor: Tensor, diag: Tensor) -> Any:
    if loc.dim() < 1:
        raise ValueError("loc must be at least one-dimensional.")
    if factor.dim() < 2:
        raise ValueError("cov_factor must be at least two-dimensional, with optional leading batch dimensions")
    if factor.shape[-2:-1] != loc.shape[-1:]:
        raise ValueError(f"cov_factor must be a batch of matrices with shape {loc.shape[-1]} x m")
    if diag.shape[-1:] != loc.shape[-1:]:
        raise ValueError(f"cov_diag must be a batch of vectors with shape {loc.shape[-1:]}")
    return loc.shape[-1:]


def _capacitance(factor: Tensor, diag: Tensor) -> Tensor:
    inner = (factor.mT / diag.unsqueeze(-2)) @ factor
    return inner + torch.eye(factor.shape[-1], dtype=factor.dtype, device=factor.device)
