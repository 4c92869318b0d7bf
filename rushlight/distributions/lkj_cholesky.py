"""The LKJ distribution of correlation matrices, by their Cholesky factors.

D. Lewandowski, D. Kurowicka, H. Joe, "Generating random correlation matrices based on vines and extended onion method",
Journal of Multivariate Analysis 100 (2009): the onion method of section 3.2, its normalizer on page 1999.
"""

from __future__ import annotations

import math
from typing import Any

import rushlight as torch
from rushlight.distributions import constraints
from rushlight.distributions.beta import Beta
from rushlight.distributions.distribution import Distribution
from rushlight.distributions.utils import _standard_normal, broadcast_all
from rushlight.tensor import Tensor

__all__ = ["LKJCholesky"]


class LKJCholesky(Distribution):
    """Factors L of `dim` x `dim` correlation matrices M = L L', of density proportional to det(M)^(concentration - 1).

    >>> LKJCholesky(3, 0.5)
    LKJCholesky(concentration: 0.5)
    """

    arg_constraints = {"concentration": constraints.positive}  # type: ignore[assignment]
    support = constraints.corr_cholesky  # type: ignore[assignment]

    def __init__(self, dim: int, concentration: Any = 1.0, validate_args: bool | None = None) -> None:
        if dim < 2:
            raise ValueError(f"Expected dim to be an integer greater than or equal to 2. Found dim={dim}.")
        self.dim = dim
        (self.concentration,) = broadcast_all(concentration)
        # The squared length of each row left of the diagonal is beta; row 0 has none, and repeats row 1's numbers.
        above = torch.nn.functional.pad(torch.arange(dim - 1, dtype=self.concentration.dtype), [1, 0])
        marginal = self.concentration + 0.5 * (dim - 2)
        self._beta = Beta(above + 0.5, marginal.unsqueeze(-1) - 0.5 * above)
        super().__init__(self.concentration.size(), (dim, dim), validate_args)

    def expand(self, batch_shape: Any, _instance: Any = None) -> LKJCholesky:
        new = self._get_checked_instance(LKJCholesky, _instance)
        new.dim, new._beta = self.dim, self._beta.expand((*batch_shape, self.dim))
        return self._expanded(LKJCholesky, batch_shape, new, "concentration")

    def sample(self, sample_shape: Any = ()) -> Tensor:
        squared = self._beta.sample(sample_shape).unsqueeze(-1)
        normal = _standard_normal(self._extended_shape(sample_shape), squared.dtype, squared.device).tril(-1)
        direction = normal / normal.norm(dim=-1, keepdim=True)
        direction[..., 0, :] = 0.0  # nothing stands left of the first row's diagonal
        rows = torch.sqrt(squared) * direction
        diagonal = torch.clamp(1 - (rows**2).sum(-1), min=torch.finfo(rows.dtype).tiny).sqrt()
        return rows + torch.diag_embed(diagonal)

    def log_prob(self, value: Tensor) -> Tensor:
        if self._validate_args:
            self._validate_sample(value)
        # det(M)^(c-1) is a product of L_ii^(2c-2); the map from L to M has the determinant prod L_ii^(dim-i).
        order = 2 * (self.concentration - 1).unsqueeze(-1) + self.dim - torch.arange(2, self.dim + 1)
        unnormalized = (order * value.diagonal(dim1=-1, dim2=-2)[..., 1:].log()).sum(-1)
        return unnormalized - self._log_normalizer()

    def _log_normalizer(self) -> Tensor:
        rows = self.dim - 1
        alpha = self.concentration + 0.5 * rows
        return 0.5 * rows * math.log(math.pi) + torch.mvlgamma(alpha - 0.5, rows) - torch.lgamma(alpha) * rows
