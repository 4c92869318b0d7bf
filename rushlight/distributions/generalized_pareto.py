"""The generalized Pareto distribution: what lies beyond a high threshold. It holds the Pareto distribution
(concentration > 0), the exponential one (0) and the uniform one (-1).
"""

from __future__ import annotations

from typing import Any

import rushlight as torch
from rushlight.distributions import constraints
from rushlight.distributions.distribution import Distribution
from rushlight.distributions.utils import batch_shape_of, broadcast_all
from rushlight.tensor import Tensor

__all__ = ["GeneralizedPareto"]


class GeneralizedPareto(Distribution):
    """Numbers from `loc` on, of density (1 + concentration z)^-(1 + 1 / concentration) / scale, z = (x - loc) / scale.

    >>> GeneralizedPareto(torch.tensor([0.0]), torch.tensor([1.0]), torch.tensor([0.5])).mean
    tensor([2.])
    """

    arg_constraints = {  # type: ignore[assignment]
        "loc": constraints.real,
        "scale": constraints.positive,
        "concentration": constraints.real,
    }
    has_rsample = True

    def __init__(self, loc: Any, scale: Any, concentration: Any, validate_args: bool | None = None) -> None:
        self.loc, self.scale, self.concentration = broadcast_all(loc, scale, concentration)
        super().__init__(batch_shape_of(self.loc, loc, scale, concentration), validate_args=validate_args)

    def expand(self, batch_shape: Any, _instance: Any = None) -> GeneralizedPareto:
        return self._expanded(GeneralizedPareto, batch_shape, _instance, "loc", "scale", "concentration")

    @constraints.dependent_property(is_discrete=False, event_dim=0)
    def support(self) -> Any:  # type: ignore[override]
        end = self.loc - self.scale / self.concentration
        return constraints.interval(self.loc, torch.where(self.concentration < 0, end, torch.inf))

    def _split(self) -> tuple[Tensor, Tensor]:
        """Where the concentration is 0, the exponential distribution; and a concentration that may be divided by."""
        flat = torch.isclose(self.concentration, torch.zeros_like(self.concentration))
        return flat, torch.where(flat, torch.ones_like(self.concentration), self.concentration)

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        shape = self._extended_shape(sample_shape)
        return self.icdf(torch.rand(shape, dtype=self.loc.dtype, device=self.loc.device))

    def log_prob(self, value: Tensor) -> Tensor:
        if self._validate_args:
            self._validate_sample(value)
        z = (value - self.loc) / self.scale
        flat, k = self._split()
        power = 1 / k + torch.ones_like(z)  # 0 for the uniform distribution, whose end has an infinite logarithm
        curved = torch.where(power == 0, power, power * torch.log1p(k * z))
        return -self.scale.log() - torch.where(flat, z, curved)

    def log_survival_function(self, value: Tensor) -> Tensor:
        """log(1 - cdf(value))"""
        if self._validate_args:
            self._validate_sample(value)
        z = (value - self.loc) / self.scale
        flat, k = self._split()
        return torch.where(flat, -z, -torch.log1p(k * z) / k)

    def log_cdf(self, value: Tensor) -> Tensor:
        """log(cdf(value))"""
        return torch.log1p(-torch.exp(self.log_survival_function(value)))

    def cdf(self, value: Tensor) -> Tensor:
        return torch.exp(self.log_cdf(value))

    def icdf(self, value: Tensor) -> Tensor:
        flat, k = self._split()
        log_left = torch.log1p(-value)
        curved = self.loc + self.scale / k * torch.expm1(-k * log_left)
        return torch.where(flat, self.loc - self.scale * log_left, curved)

    @property
    def mean(self) -> Tensor:
        finite = self.concentration < 1
        k = torch.where(finite, self.concentration, 0.5)
        return torch.where(finite, self.loc + self.scale / (1 - k), torch.nan)

    @property
    def mode(self) -> Tensor:
        return self.loc

    @property
    def variance(self) -> Tensor:
        finite = self.concentration < 0.5
        k = torch.where(finite, self.concentration, 0.25)
        return torch.where(finite, self.scale**2 / ((1 - k) ** 2 * (1 - 2 * k)), torch.nan)

    def entropy(self) -> Tensor:
        return torch.broadcast_to(torch.log(self.scale) + self.concentration + 1, self._batch_shape)
