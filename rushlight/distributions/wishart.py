"""The Wishart distribution of positive-definite matrices: X'X for rows X of normal vectors, however many.

Sampling is M. S. Bartlett's decomposition: L A A' L' with L the factor of the covariance and A a lower triangle of
chi numbers on the diagonal and normal ones below it. PyTorch draws twice: by an inverted test it replaces the first
sample where it is *not* singular; its stream is kept here, and singular samples are drawn anew.
"""

from __future__ import annotations

import math
import warnings
from numbers import Number
from typing import Any

import rushlight as torch
from rushlight.distributions import constraints
from rushlight.distributions.chi2 import Chi2
from rushlight.distributions.covariance import FORMS, OfCovariance, factor_of
from rushlight.distributions.exp_family import ExponentialFamily
from rushlight.distributions.utils import _standard_normal
from rushlight.tensor import Tensor

__all__ = ["Wishart"]

_TRIES = 10


class Wishart(OfCovariance, ExponentialFamily):
    """`df` degrees of freedom and a covariance (..., D, D), by itself, by its inverse, or by its factor `scale_tril`.

    >>> Wishart(torch.tensor([3.0]), covariance_matrix=torch.eye(2)).mean
    tensor([[[3., 0.],
             [0., 3.]]])
    """

    support = constraints.positive_definite  # type: ignore[assignment]
    has_rsample = True
    _mean_carrier_measure = 0

    def __init__(
        self,
        df: Any,
        covariance_matrix: Tensor | None = None,
        precision_matrix: Tensor | None = None,
        scale_tril: Tensor | None = None,
        validate_args: bool | None = None,
    ) -> None:
        given = {n: m for n, m in zip(FORMS, (covariance_matrix, precision_matrix, scale_tril)) if m is not None}
        if len(given) != 1:
            raise AssertionError("Exactly one of covariance_matrix or precision_matrix or scale_tril may be specified.")
        ((name, matrix),) = given.items()
        if matrix.dim() < 2:
            raise ValueError("scale_tril must be at least two-dimensional, with optional leading batch dimensions")
        if isinstance(df, Number):
            batch, self.df = matrix.shape[:-2], torch.tensor(df, dtype=matrix.dtype, device=matrix.device)
        else:
            batch = torch.broadcast_shapes(matrix.shape[:-2], df.shape)
            self.df = df.expand(batch)
        self._check_df(df, matrix.shape[-1])
        setattr(self, name, matrix.expand((*batch, -1, -1)))
        super().__init__(batch, matrix.shape[-2:], validate_args=validate_args)
        self._unbroadcasted_scale_tril = factor_of(name, matrix)
        self._dist_chi2 = self._diagonal()

    def _check_df(self, given: Any, size: int) -> None:
        if (self.df <= size - 1).any():
            raise ValueError(f"Value of df={given} expected to be greater than ndim - 1 = {size - 1}.")
        if (self.df < size).any():
            text = "Low df values detected. Singular samples are highly likely to occur for ndim - 1 < df < ndim."
            warnings.warn(text, stacklevel=3)

    def _diagonal(self) -> Chi2:
        """The squared diagonal of Bartlett's triangle: df, df - 1, ... degrees of freedom."""
        lower = self._unbroadcasted_scale_tril
        df = self.df.expand(self._batch_shape).unsqueeze(-1)
        return Chi2(df - torch.arange(self._event_shape[-1], dtype=lower.dtype))

    @property
    def arg_constraints(self) -> dict[str, Any]:
        return {
            "covariance_matrix": constraints.positive_definite,
            "precision_matrix": constraints.positive_definite,
            "scale_tril": constraints.lower_cholesky,
            "df": constraints.greater_than(self.event_shape[-1] - 1),
        }

    def expand(self, batch_shape: Any, _instance: Any = None) -> Wishart:
        new = self._get_checked_instance(Wishart, _instance)
        shape = torch.Size(batch_shape)
        new.df = self.df.expand(shape)
        for name in (*FORMS, "_unbroadcasted_scale_tril"):
            if name in self.__dict__:
                setattr(new, name, getattr(self, name).expand(shape + self.event_shape))
        super(Wishart, new).__init__(shape, self.event_shape, validate_args=False)
        new._validate_args = self._validate_args
        new._dist_chi2 = new._diagonal()
        return new

    @property
    def _matrix_shape(self) -> Any:
        return self._batch_shape + self._event_shape

    def _over_matrices(self, numbers: Tensor) -> Tensor:
        return numbers.expand(self._batch_shape).reshape((*self._batch_shape, 1, 1))

    @property
    def mean(self) -> Tensor:
        return self._over_matrices(self.df) * self.covariance_matrix

    @property
    def mode(self) -> Tensor:
        factor = self.df - self.covariance_matrix.shape[-1] - 1
        return self._over_matrices(torch.where(factor > 0, factor, torch.nan)) * self.covariance_matrix

    @property
    def variance(self) -> Tensor:
        matrix = self.covariance_matrix
        diagonal = matrix.diagonal(dim1=-2, dim2=-1)
        return self._over_matrices(self.df) * (matrix.pow(2) + diagonal.unsqueeze(-1) * diagonal.unsqueeze(-2))

    def _bartlett_sampling(self, sample_shape: Any) -> Tensor:
        size = self._event_shape[-1]
        chi = self._dist_chi2.rsample(sample_shape).sqrt()
        triangle = chi.clamp(min=torch.finfo(chi.dtype).eps).diag_embed()
        i, j = torch.tril_indices(size, size, offset=-1)
        shape = (*sample_shape, *self._batch_shape, size * (size - 1) // 2)
        triangle[..., i, j] = _standard_normal(shape, triangle.dtype, triangle.device)
        lower = self._unbroadcasted_scale_tril @ triangle
        return lower @ lower.mT

    def _regular(self, sample: Tensor) -> Tensor:
        """For each place of the sample shape, whether the matrices of a batch there are positive definite."""
        found = self.support.check(sample)
        return found.amax([-1 - k for k in range(len(self._batch_shape))]) if self._batch_shape else found

    def rsample(self, sample_shape: Any = (), max_try_correction: int | None = None) -> Tensor:
        sample = self._bartlett_sampling(torch.Size(sample_shape))
        regular = self._regular(sample)
        singular = self._redrawn(sample, regular) | ~regular  # PyTorch's inverted test draws the regular ones anew
        for _ in range((_TRIES if max_try_correction is None else max_try_correction) - 1):
            if not singular.any():
                break
            singular = self._redrawn(sample, singular)
        return sample

    def _redrawn(self, sample: Tensor, places: Tensor) -> Tensor:
        """Writes new samples to the places where `places` is true; says where they are singular."""
        if not places.any():
            return places
        fresh = self._bartlett_sampling((int(places.sum()),))
        sample[places] = fresh
        singular = torch.zeros_like(places)
        singular[places] = ~self._regular(fresh)
        return singular

    def log_prob(self, value: Tensor) -> Tensor:
        if self._validate_args:
            self._validate_sample(value)
        df, size, lower = self.df, self._event_shape[-1], self._unbroadcasted_scale_tril
        trace = torch.cholesky_solve(value, lower).diagonal(dim1=-2, dim2=-1).sum(-1)
        log_det = torch.linalg.slogdet(value).logabsdet
        return -df * self._half_log_det() - torch.mvlgamma(df / 2, size) + (df - size - 1) / 2 * log_det - trace / 2

    def _half_log_det(self) -> Tensor:
        """Half the logarithm of the determinant of twice the covariance."""
        diagonal = self._unbroadcasted_scale_tril.diagonal(dim1=-2, dim2=-1)
        return self._event_shape[-1] * math.log(2) / 2 + diagonal.log().sum(-1)

    def entropy(self) -> Tensor:
        df, size = self.df, self._event_shape[-1]
        slope = (df - size - 1) / 2 * mvdigamma(df / 2, size)
        return (size + 1) * self._half_log_det() + torch.mvlgamma(df / 2, size) - slope + df * size / 2

    @property
    def _natural_params(self) -> tuple[Tensor, ...]:
        return -self.precision_matrix / 2, (self.df - self._event_shape[-1] - 1) / 2

    def _log_normalizer(self, x: Tensor, y: Tensor) -> Tensor:  # type: ignore[override]
        size = self._event_shape[-1]
        half = y + (size + 1) / 2
        return half * (size * math.log(2) - torch.linalg.slogdet(-2 * x).logabsdet) + torch.mvlgamma(half, size)


def mvdigamma(x: Tensor, p: int) -> Tensor:
    """The derivative of the multivariate log-gamma function, digamma(x) + digamma(x - 1/2) + ... of p terms."""
    return torch.digamma(x.unsqueeze(-1) - torch.arange(p, dtype=x.dtype) / 2).sum(-1)
