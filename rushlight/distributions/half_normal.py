"""The absolute value of a normal number."""

from __future__ import annotations

import math
from typing import Any

from rushlight.distributions.half_distribution import HalfDistribution
from rushlight.distributions.normal import Normal
from rushlight.tensor import Tensor

__all__ = ["HalfNormal"]


class HalfNormal(HalfDistribution):
    """|X| for X ~ Normal(0, scale)."""

    _family = Normal

    def expand(self, batch_shape: Any, _instance: Any = None) -> Any:
        return super().expand(batch_shape, self._get_checked_instance(HalfNormal, _instance))

    @property
    def mean(self) -> Tensor:
        return self.scale * math.sqrt(2 / math.pi)

    @property
    def variance(self) -> Tensor:
        return self.scale.pow(2) * (1 - 2 / math.pi)
