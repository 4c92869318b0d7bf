"""Distributions sampled by rejection: Poisson, gamma, Dirichlet and binomial.

How many draws a number takes depends on the draws, so these go element by element, as PyTorch's kernels do: over Python
floats, some microseconds an element, or in machine code as soon as there is some (`codegen/rejection.py`). The
methods: Hormann (1993), "The transformed rejection method for generating Poisson random variables" and "The generation
of binomial random variates"; Marsaglia and Tsang (2000), "A simple method for generating gamma variables". Where
PyTorch calculates in the tensor's own type, so does this: the step is rounded to float32 for float32 parameters.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from rushlight.core.mersenne import MersenneTwister
from rushlight.core.normal import one_normal
from rushlight.core.uniform import Array, dtype_of, floating_type

Rounding = Callable[[Any], float]
Doubles = npt.NDArray[np.float64]

_LOWEST: Final = -(1 << 63)
THIRD: Final = float(np.float32(1.0) / np.float32(3.0))  # single-precision constants of PyTorch's gamma
SQUEEZE: Final = float(np.float32(0.0331))
STIRLING: Final = (0.0810614667953272, 0.0413406959554092, 0.0276779256849983, 0.02079067210376509,
                    0.0166446911898211, 0.0138761288230707, 0.0118967099458917, 0.0104112652619720,
                    0.00925546218271273, 0.00833056343336287)  # fmt: skip
_TAILS: Final = np.array(STIRLING)


def _to_single(value: Any) -> float:
    return float(np.float32(value))


def _log(value: float) -> float:
    """The logarithm as C has it: -inf at 0 and nan below."""
    return math.log(value) if value > 0.0 else -math.inf if value == 0.0 else math.nan


def _single_or_double(values: Array, kernel: str) -> Rounding:
    name = values.dtype.name
    if name not in ("float32", "float64"):
        raise NotImplementedError(f"\"{kernel}\" not implemented for '{dtype_of(name).scalar_name}'")
    return float if name == "float64" else _to_single


def _doubles(values: Array) -> Doubles:
    """One after the other, in double precision."""
    return np.ascontiguousarray(values, np.float64).reshape(-1)


def _machine_code(name: str, in_type: Rounding) -> str:
    return name if in_type is float else f"{name}_single"


# ---- Poisson


def poisson(generator: MersenneTwister, rates: Array) -> Array:
    """A Poisson number for each rate, in the dtype of `rates`, as `torch.poisson`.

    Raises RuntimeError where a rate is negative or nan and NotImplementedError for types that are not floating.

    >>> poisson(MersenneTwister(7), np.array([1.0, 5.0, 100.0])).tolist()
    [0.0, 9.0, 79.0]
    """
    kind = floating_type(rates.dtype.name, "poisson_cpu")
    if not (rates >= 0).all():
        raise RuntimeError("invalid Poisson rate, expected rate to be non-negative")
    given = _doubles(rates)
    found = generator.reject("poisson", given, given, given)
    if found is None:
        found = np.array([_poisson_one(generator, rate) for rate in given.tolist()], np.float64)
    return found.astype(kind, copy=False).reshape(rates.shape)


def _poisson_one(generator: MersenneTwister, rate: float) -> int:
    if rate >= 10.0:
        return _poisson_transformed(generator, rate) if rate < math.inf else _LOWEST
    if rate == 0.0:
        return 0
    floor, product, count = math.exp(-rate), generator.double(), 0
    while product > floor:
        product *= generator.double()
        count += 1
    return count


def _poisson_transformed(generator: MersenneTwister, rate: float) -> int:
    log_rate = math.log(rate)
    b = 0.931 + 2.53 * math.sqrt(rate)
    a = -0.059 + 0.02483 * b
    inverse_alpha = 1.1239 + 1.1328 / (b - 3.4)
    v_r = 0.9277 - 3.6224 / (b - 2.0)
    while True:
        u = generator.double() - 0.5
        v = generator.double()
        us = 0.5 - abs(u)
        if us == 0.0:
            continue
        k = math.floor((2.0 * a / us + b) * u + rate + 0.43)
        if us >= 0.07 and v <= v_r:
            return k
        if k < 0 or (us < 0.013 and v > us):
            continue
        density = -rate + k * log_rate - math.lgamma(k + 1.0)
        if _log(v) + math.log(inverse_alpha) - math.log(a / (us * us) + b) <= density:
            return k


# ---- gamma and Dirichlet


def standard_gamma(generator: MersenneTwister, alpha: Array) -> Array:
    """A gamma number with scale 1 for each shape parameter in `alpha`, as `torch._standard_gamma`.

    The smallest is the smallest normal number of the type, never 0. Raises NotImplementedError unless `alpha` is
    float32 or float64.

    >>> standard_gamma(MersenneTwister(7), np.array([0.5, 3.0])).tolist()
    [0.4548684681226752, 7.346036152120469]
    """
    in_type = _single_or_double(alpha, "gamma_cpu")
    tiny = float(np.finfo(alpha.dtype).tiny)
    found = _gammas(generator, _doubles(alpha), in_type)
    return _at_least(found.astype(alpha.dtype, copy=False), tiny).reshape(alpha.shape)


def _gammas(generator: MersenneTwister, alpha: Doubles, in_type: Rounding) -> Doubles:
    normal = generator.next_normal
    waiting = np.array([normal is not None, normal or 0.0], np.float64)
    found = generator.reject(_machine_code("gamma", in_type), alpha, alpha, waiting)
    if found is None:
        return np.array([_gamma_one(generator, a, in_type) for a in alpha.tolist()], np.float64)
    generator.next_normal = float(waiting[1]) if waiting[0] else None
    return found


def _at_least(values: Array, least: float) -> Array:
    """`max(least, value)` as C++ has it: nan loses."""
    return np.where(values > least, values, values.dtype.type(least))


def _gamma_one(generator: MersenneTwister, alpha: float, in_type: Rounding) -> float:
    scale = 1.0
    if alpha < 1.0:
        if alpha == 0.0:
            return 0.0
        scale = _power(1.0 - generator.double(), in_type(1.0 / alpha))
        alpha = in_type(alpha + 1.0)
    d = in_type(alpha - THIRD)
    c = 1.0 / math.sqrt(9.0 * d) if d > 0.0 else math.nan
    while True:
        x = one_normal(generator)
        y = 1.0 + c * x
        if y <= 0.0:
            continue
        v = y * y * y
        u = 1.0 - generator.double()
        xx = x * x
        if u < 1.0 - SQUEEZE * xx * xx or math.log(u) < 0.5 * xx + d * (1.0 - v + _log(v)):
            return scale * d * v


def _power(base: float, exponent: float) -> float:
    try:
        return math.pow(base, exponent)
    except OverflowError:
        return math.inf


def dirichlet(generator: MersenneTwister, alpha: Array) -> Array:
    """A point of the simplex for each row (last axis) of `alpha`, as `torch._sample_dirichlet`: gamma numbers in double
    precision over their sum. Raises NotImplementedError unless `alpha` is float32 or float64.
    """
    _single_or_double(alpha, "dirichlet")
    gammas = standard_gamma(generator, alpha.astype(np.float64))
    shares = (gammas / gammas.sum(axis=-1, keepdims=True) if gammas.ndim else gammas / gammas).astype(alpha.dtype)
    limits = np.finfo(alpha.dtype)
    below_one = np.nextafter(alpha.dtype.type(1.0), alpha.dtype.type(0.0))
    return np.minimum(below_one, _at_least(shares, float(limits.tiny)))


# ---- binomial


def binomial(generator: MersenneTwister, count: Array, prob: Array) -> Array:
    """The number of successes in `count` trials of probability `prob`, broadcast together, as `torch.binomial`.

    Raises ValueError for types that are not floating, RuntimeError where the two differ in type, NotImplementedError
    unless they are float32 or float64.

    >>> binomial(MersenneTwister(7), np.array([10.0, 100.0]), np.array([0.3, 0.5])).tolist()
    [3.0, 47.0]
    """
    for what, values in (("count", count), ("prob", prob)):
        d = dtype_of(values.dtype.name)
        if not d.is_floating_point:
            raise ValueError(f"binomial only supports floating-point dtypes for {what}, got: {d.scalar_name}")
    if count.dtype != prob.dtype:
        got, expected = dtype_of(prob.dtype.name).scalar_name, dtype_of(count.dtype.name).scalar_name
        raise RuntimeError(f"Found dtype {got} but expected {expected}")
    in_type = _single_or_double(count, "binomial_cpu")
    both = np.broadcast_arrays(count, prob)
    counts, probs = map(_doubles, both)
    found = generator.reject(_machine_code("binomial", in_type), counts, probs, _TAILS)
    if found is None:
        pairs = zip(counts.tolist(), probs.tolist())
        found = np.array([_binomial_one(generator, n, p, in_type) for n, p in pairs], np.float64)
    return found.astype(count.dtype, copy=False).reshape(both[0].shape)


def _binomial_one(generator: MersenneTwister, count: float, prob: float, in_type: Rounding) -> float:
    if count <= 0.0 or prob <= 0.0:
        return 0.0
    if prob >= 1.0:
        return count
    if prob != prob:
        return math.nan
    if prob > 0.5:
        return in_type(count - _binomial_below_half(generator, count, in_type(1.0 - prob), in_type))
    return _binomial_below_half(generator, count, prob, in_type)


def _binomial_below_half(generator: MersenneTwister, count: float, prob: float, in_type: Rounding) -> float:
    if in_type(count * prob) >= 10.0:
        return _binomial_transformed(generator, count, prob, in_type)
    log_failure, total, successes = in_type(math.log1p(-prob)), 0.0, 0.0
    while True:
        gap = _log(generator.double()) / log_failure
        total += math.ceil(gap) if gap < math.inf else math.inf
        if total > count:
            return successes
        successes += 1.0


def _stirling_tail(k: float) -> float:
    if k < len(STIRLING):
        return STIRLING[int(k)]
    square = (k + 1.0) * (k + 1.0)
    return (1.0 / 12 - (1.0 / 360 - 1.0 / 1260 / square) / square) / (k + 1.0)


def _binomial_transformed(generator: MersenneTwister, count: float, prob: float, in_type: Rounding) -> float:
    mean = in_type(count * prob)
    deviation = in_type(math.sqrt(in_type(mean * in_type(1.0 - prob))))
    b = 1.15 + 2.53 * deviation
    a = -0.0873 + 0.0248 * b + 0.01 * prob
    c = mean + 0.5
    v_r = 0.92 - 4.2 / b
    odds = in_type(prob / in_type(1.0 - prob))
    alpha = (2.83 + 5.1 / b) * deviation
    mode = float(math.floor(in_type(in_type(count + 1.0) * prob)))
    while True:
        u = generator.double() - 0.5
        v = generator.double()
        us = 0.5 - abs(u)
        if us == 0.0:
            continue
        k = in_type(math.floor((2.0 * a / us + b) * u + c))
        if k < 0.0 or k > count:
            continue
        if us >= 0.07 and v <= v_r:
            return k
        ratio = _log(v * alpha / (a / (us * us) + b))
        if ratio <= _binomial_log_ratio(count, k, mode, odds, in_type):
            return k


def _binomial_log_ratio(count: float, k: float, mode: float, odds: float, in_type: Rounding) -> float:
    """The logarithm of how much less likely `k` is than the mode (Hormann, 1993)."""
    after = in_type(in_type(count - k) + 1.0)
    return (
        (mode + 0.5) * math.log((mode + 1.0) / (odds * (count - mode + 1.0)))
        + in_type(count + 1.0) * math.log((count - mode + 1.0) / after)
        + (k + 0.5) * math.log(odds * after / in_type(k + 1.0))
        + _stirling_tail(mode)
        + _stirling_tail(count - mode)
        - _stirling_tail(k)
        - _stirling_tail(in_type(count - k))
    )
