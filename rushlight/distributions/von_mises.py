"""The von Mises distribution: the normal distribution's counterpart on the circle.

Sampling: D. J. Best and N. I. Fisher, "Efficient simulation of the von Mises distribution", Applied Statistics 28
(1979), in double precision as in PyTorch, whatever the parameters' dtype. PyTorch takes log I0 and log I1 from
polynomials exact to 1e-7; here they come from `torch.special.i0e` and `i1e`.
"""

from __future__ import annotations

import math
from typing import Any

import rushlight as torch
from rushlight.distributions import constraints
from rushlight.distributions.distribution import Distribution
from rushlight.distributions.utils import broadcast_all, lazy_property
from rushlight.tensor import Tensor

__all__ = ["VonMises"]


class VonMises(Distribution):
    """Angles in radians, gathered about `loc` the more the larger `concentration` is. Values count modulo 2 pi.

    >>> VonMises(torch.tensor([1.0]), torch.tensor([4.0])).mean
    tensor([1.])
    """

    arg_constraints = {"loc": constraints.real, "concentration": constraints.positive}  # type: ignore[assignment]
    support = constraints.real  # type: ignore[assignment]

    def __init__(self, loc: Any, concentration: Any, validate_args: bool | None = None) -> None:
        self.loc, self.concentration = broadcast_all(loc, concentration)
        super().__init__(self.loc.shape, validate_args=validate_args)

    def expand(self, batch_shape: Any, _instance: Any = None) -> VonMises:
        return self._expanded(VonMises, batch_shape, _instance, "loc", "concentration")

    def log_prob(self, value: Tensor) -> Tensor:
        if self._validate_args:
            self._validate_sample(value)
        # log I0(k) = log i0e(k) + k, taken into the cosine
        height = self.concentration * (torch.cos(value - self.loc) - 1)
        return height - math.log(2 * math.pi) - torch.special.i0e(self.concentration).log()

    @property
    def mean(self) -> Tensor:
        """The circular mean."""
        return self.loc

    @property
    def mode(self) -> Tensor:
        return self.loc

    @lazy_property
    def variance(self) -> Tensor:  # type: ignore[override]
        """The circular variance, 1 - I1 / I0."""
        return 1 - torch.special.i1e(self.concentration) / torch.special.i0e(self.concentration)

    @torch.no_grad()
    def sample(self, sample_shape: Any = ()) -> Tensor:
        shape = self._extended_shape(sample_shape)
        found = _rejection_sample(self.loc.double(), self.concentration.double(), shape)
        return found.to(self.loc.dtype)


def _proposal(kappa: Tensor) -> Tensor:
    """The parameter of the wrapped Cauchy distribution that samples are proposed from."""
    tau = 1 + (1 + 4 * kappa**2).sqrt()
    rho = (tau - (2 * tau).sqrt()) / (2 * kappa)
    return torch.where(kappa < 1e-5, 1 / kappa + kappa, (1 + rho**2) / (2 * rho))


def _rejection_sample(loc: Tensor, kappa: Tensor, shape: Any) -> Tensor:
    """Rounds of proposals for all places together, until each has accepted one; a later one replaces an earlier."""
    r = _proposal(kappa)
    x, done = torch.zeros(shape, dtype=loc.dtype), torch.zeros(shape, dtype=torch.bool)
    while not done.all():
        u1, u2, u3 = torch.rand((3, *shape), dtype=loc.dtype).unbind()
        z = torch.cos(math.pi * u1)
        f = (1 + r * z) / (r + z)
        c = kappa * (r - f)
        accepted = ((c * (2 - c) - u2) > 0) | ((c / u2).log() + 1 - c >= 0)
        x = torch.where(accepted, (u3 - 0.5).sign() * f.acos(), x)
        done = done | accepted
    return (x + math.pi + loc) % (2 * math.pi) - math.pi
