"""Gamma and Dirichlet samples that gradients flow through.

A sample x of a distribution with cumulative function F(x; a) moves with its parameter so that F stays the same:
dx/da = -(dF/da) / (dF/dx) (M. Figurnov et al., "Implicit reparameterization gradients", NeurIPS 2018). F and dF/da are
computed here in double precision from series and continued fractions whose terms are differentiated one by one
(R. J. Moore, Algorithm AS 187, Applied Statistics 31, 1982), so they agree with PyTorch's polynomials to the
latters' accuracy.
As soon as there is machine code for it (`codegen/implicit.py`) each number has as many terms as it needs; NumPy goes on
until the last of an array has enough.
`standard_gamma` and `sample_dirichlet` are `torch._standard_gamma` and `torch._sample_dirichlet`: PyTorch's numbers.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from rushlight.autograd import Function
from rushlight.core import sampling
from rushlight.core.generator import engine_of
from rushlight.core.mersenne import FILLINGS, Demand
from rushlight.ops.gamma_function import digamma
from rushlight.tensor import Tensor, realize, wrap

Array = np.ndarray[Any, Any]

_TERMS = 20_000
_WORTH = 64  # what a number's derivative costs, in plain random numbers
_LARGE = 2_000.0  # from here on the gamma distribution's expansion about the normal one is exact to 1e-8


def _in_machine_code(name: str, first: Array, second: Array, third: Array) -> Array | None:
    """A function of three arrays, number by number; None if there is no machine code (yet)."""
    function = FILLINGS.get(name)
    if function is None:
        Demand.grow(_WORTH * first.size)
        return None
    out = np.empty(first.shape)
    function(out, out, out.size, *[np.ascontiguousarray(v) for v in (first, second, third)])
    return out


def gamma_slope(alpha: Array, x: Array) -> Array:
    """dx/dalpha of a gamma(alpha, 1) sample x, element by element, in float64."""
    a, x = np.broadcast_arrays(np.asarray(alpha, np.float64), np.asarray(x, np.float64))
    found = _in_machine_code("gamma_slope", a, x, x)
    if found is not None:
        return found
    result = np.empty(a.shape)
    large = a > _LARGE
    small = ~large & (x <= a + 1)
    rest = ~large & ~small
    with np.errstate(all="ignore"):
        result[large] = _slope_expansion(a[large], x[large])
        result[small] = _slope_series(a[small], x[small])
        result[rest] = _slope_fraction(a[rest], x[rest])
    return result


def _slope_expansion(a: Array, x: Array) -> Array:
    """Cornish and Fisher's expansion x = a + sqrt(a) z + (z^2 - 1)/3 + (z^3 - 7z)/(36 sqrt(a)), z held."""
    root = np.sqrt(a)
    z = (x - a) / root
    for _ in range(8):
        value = a + root * z + (z * z - 1) / 3 + (z**3 - 7 * z) / (36 * root)
        z = z - (value - x) / (root + 2 * z / 3 + (3 * z * z - 7) / (36 * root))
    return 1 + z / (2 * root) - (z**3 - 7 * z) / (72 * a * root)


def _slope_series(a: Array, x: Array) -> Array:
    """By P(a, x) = x^a e^-x sum_k x^k / Gamma(a + k + 1): dP/da over the density x^(a-1) e^-x / Gamma(a)."""
    term, log_slope = x / a, np.log(x) - digamma(a + 1)
    total = term * log_slope
    for k in range(1, _TERMS):
        term = term * x / (a + k)
        log_slope = log_slope - 1 / (a + k)
        total = total + term * log_slope
        if not np.any(np.abs(term * log_slope) > 1e-16 * np.abs(total)):
            break
    return -total


def _slope_fraction(a: Array, x: Array) -> Array:
    """By Q(a, x) = x^a e^-x / Gamma(a) * f, f the continued fraction 1/(x+1-a- (1-a)/(x+3-a- 2(2-a)/...)), and df/da.

    Convergents P/R by the forward recurrence; (p, r) are their derivatives by a.
    """
    p_old, r_old, p, r = np.zeros_like(x), np.ones_like(x), np.ones_like(x), x + 1 - a
    dp_old, dr_old, dp, dr = np.zeros_like(x), np.zeros_like(x), np.zeros_like(x), -np.ones_like(x)
    f = df = np.full_like(x, np.inf)
    for k in range(1, _TERMS):
        c, b = -k * (k - a), x + (2 * k + 1) - a
        p_old, p, dp_old, dp = p, b * p + c * p_old, dp, b * dp - p + c * dp_old + k * p_old
        r_old, r, dr_old, dr = r, b * r + c * r_old, dr, b * dr - r + c * dr_old + k * r_old
        scale = 1 / r
        p_old, p, dp_old, dp = p_old * scale, p * scale, dp_old * scale, dp * scale
        r_old, r, dr_old, dr = r_old * scale, np.ones_like(r), dr_old * scale, dr * scale
        before, f, df = df, p, dp - p * dr
        if not np.any(np.abs(df - before) > 1e-12 * np.abs(df)):  # rounding errors keep it from less
            break
    return x * (f * (np.log(x) - digamma(a)) + df)


def beta_slope(x: Array, alpha: Array, beta: Array) -> Array:
    """dx/dalpha of a beta(alpha, beta) sample x, element by element, in float64."""
    x, a, b = np.broadcast_arrays(*(np.asarray(v, np.float64) for v in (x, alpha, beta)))
    found = _in_machine_code("beta_slope", a, b, x)
    if found is not None:
        return found
    result = np.empty(x.shape)
    left = x <= (a + 1) / (a + b + 2)
    right = ~left
    with np.errstate(all="ignore"):
        result[left] = -_beta_series(x[left], a[left], b[left], by_first=True)
        result[right] = _beta_series(1 - x[right], b[right], a[right], by_first=False)
    return result


def _beta_series(x: Array, a: Array, b: Array, by_first: bool) -> Array:
    """dI/da (or dI/db) over the density of I_x(a, b) = x^a (1-x)^b / (a B(a, b)) sum_k x^k (a+b)_k / (a+1)_k."""
    shared = digamma(a + b)
    log_slope = np.log(x) - 1 / a - digamma(a) + shared if by_first else np.log1p(-x) - digamma(b) + shared
    term = np.ones_like(x)
    total = term * log_slope
    for k in range(_TERMS):
        term = term * x * (a + b + k) / (a + 1 + k)
        log_slope = log_slope + 1 / (a + b + k) - (1 / (a + 1 + k) if by_first else 0)
        total = total + term * log_slope
        if not np.any(np.abs(term * log_slope) > 1e-16 * np.abs(total)):
            break
    return total * x * (1 - x) / a


def _gamma_tensor_slope(alpha: Tensor, sample: Tensor) -> Tensor:
    kind = realize(alpha).dtype
    return wrap(gamma_slope(realize(alpha), realize(sample)).astype(kind))


class _StandardGamma(Function):
    @staticmethod
    def forward(ctx: Any, alpha: Tensor, generator: Any) -> Tensor:
        sample = wrap(sampling.standard_gamma(engine_of(generator), realize(alpha)))
        ctx.save_for_backward(alpha, sample)
        return sample

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Any:
        alpha, sample = ctx.saved_tensors
        return grad * _gamma_tensor_slope(alpha, sample), None


class _SampleDirichlet(Function):
    @staticmethod
    def forward(ctx: Any, alpha: Tensor, generator: Any) -> Tensor:
        sample = wrap(sampling.dirichlet(engine_of(generator), realize(alpha)))
        ctx.save_for_backward(alpha, sample)
        return sample

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Any:
        alpha, x = ctx.saved_tensors
        total = alpha.sum(-1, True).expand_as(alpha)
        slope = dirichlet_grad(x, alpha, total)
        return slope * (grad - (x * grad).sum(-1, True)), None


def standard_gamma(alpha: Tensor, generator: Any = None) -> Tensor:
    """Gamma samples of scale 1, one for each shape parameter, as `torch._standard_gamma`."""
    return _StandardGamma.apply(alpha, generator)  # type: ignore[no-any-return]


def sample_dirichlet(alpha: Tensor, generator: Any = None) -> Tensor:
    """A point of the simplex for each row of concentrations, as `torch._sample_dirichlet`."""
    return _SampleDirichlet.apply(alpha, generator)  # type: ignore[no-any-return]


def dirichlet_grad(x: Tensor, alpha: Tensor, total: Tensor) -> Tensor:
    """dx/dalpha / (1 - x) of each Dirichlet component, its marginal being beta, as `torch._dirichlet_grad`."""
    value, a, sums = realize(x), realize(alpha), realize(total)
    wide = np.asarray(value, np.float64)
    found = beta_slope(wide, a, np.asarray(sums, np.float64) - a) / (1 - wide)
    return wrap(found.astype(value.dtype))
