"""The absolute value of a Cauchy number."""

from __future__ import annotations

import math
from typing import Any

import rushlight as torch
from rushlight.distributions.cauchy import Cauchy
from rushlight.distributions.half_distribution import HalfDistribution
from rushlight.tensor import Tensor

__all__ = ["HalfCauchy"]


class HalfCauchy(HalfDistribution):
    """|X| for X ~ Cauchy(0, scale)."""

    _family = Cauchy

    def expand(self, batch_shape: Any, _instance: Any = None) -> Any:
        return super().expand(batch_shape, self._get_checked_instance(HalfCauchy, _instance))

    @property
    def mean(self) -> Tensor:
        return torch.full(self._extended_shape(), math.inf, dtype=self.scale.dtype, device=self.scale.device)

    @property
    def variance(self) -> Tensor:
        return self.base_dist.variance
