"""The error function of NumPy arrays, which NumPy does not have: what the exact GELU and `torch.erf` are made of.

Rational approximations fitted for this file (relative error 2e-8 in single and 2e-18 in double precision before
rounding): erf(x) / x as a function of x**2 near 0, and erfc(x) exp(x**2) further out. Polynomials are evaluated in
the array's own precision. Further ones are enough for results of single precision (relative error 1e-11 and 4e-10):
erfc(x) exp(x**2) x as a function of 1 / x, and the inverse of erf, divided by x, as one of -log(1 - x**2), near 1 of
the root of that.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .blockwise import blockwise, double

_SINGLE_P = (2.0467399293921294e-06, 0.00028483186260694023, 0.0037707917951539964, 0.05276396004095851,
             0.19054912242634664, 1.128379145936798)  # fmt: skip
_SINGLE_Q = (3.805453222170734e-05, 0.0011634833235115354, 0.014979651974572948, 0.11416478760297039,
             0.5022024977234056, 1.0)  # fmt: skip
_SINGLE_END = 3.92  # erf rounds to 1 from here on

_NEAR_P = (7.773170386143451e-08, 0.0001968850824899602, 0.0018774201998121621, 0.04548364544643049,
           0.14350690643526337, 1.1283791670955126)  # fmt: skip
_NEAR_Q = (2.0810349366871088e-05, 0.0006925002409838317, 0.010693099204173728, 0.09381317053059708,
           0.4605130178046936, 1.0)  # fmt: skip
FAR_P = (0.0010096225838486209, 0.013395645560592138, 0.08740711293745117, 0.35334422223970746, 0.9465400312307649,
          1.6796321904402478, 1.8455412166728766, 0.9999999922130617)  # fmt: skip
FAR_Q = (0.0017895094535113959, 0.02374316251714751, 0.15581985930908276, 0.6381573387808975, 1.7542738318634077,
          3.278267240630931, 4.035342345882412, 2.9739202988713536, 1.0)  # fmt: skip
_FAR_END = 6.0  # erf rounds to 1 from here on
_TERMS = 13  # of the continued fraction, which is exact to rounding from there on
_VANISHES = 30.0  # exp(-z**2) is 0 in double precision from here on

_SHORT_TAIL_P = (0.00182355212385436, 15.6537612849236, 27.5625603636839, 23.0487312191819, 11.4547671516453,
                 3.35177616289521, 0.564189583541836)  # fmt: skip
_SHORT_TAIL_Q = (15.6683598502232, 45.1864183933948, 58.5059449476757, 43.823202801209, 20.8030470903436,
                 5.94086855948147, 1.0)  # fmt: skip
_SHORT_INVERSE_P = (-5.49868370698519e-07, 1.69054155827528e-05, 0.000527043558048793, 0.00679494355395936,
                    0.0541633045166934, 0.288860228492688, 0.88622692532946)  # fmt: skip
_SHORT_INVERSE_Q = (-3.28498191513861e-08, -2.03130053756367e-06, 0.000166755679373050, 0.00127414777319559,
                    0.0312916940439905, 0.0641444784824754, 1.0)  # fmt: skip
_SHORT_FAR_INVERSE_P = (0.114613615325568, 1.18899582849195, 1.13147796617534, 0.33653338207488, 0.658545788168380)
_SHORT_FAR_INVERSE_Q = (0.114600171908764, 1.19064600004904, 1.32778598529471, 1.0)


def _polynomial(t: np.ndarray, coefficients: tuple[float, ...]) -> np.ndarray:
    """Horner's rule, in place."""
    number = t.dtype.type
    total = t * number(coefficients[0])
    for c in coefficients[1:-1]:
        total += number(c)
        total *= t
    total += number(coefficients[-1])
    return total


def erf(x: Any) -> Any:
    """2 / sqrt(pi) times the integral of exp(-t**2) from 0 to x, for float32 and float64."""
    if hasattr(x, "special"):  # the compiler asks what this computes
        return x.special("erf")
    x = np.asarray(x)
    return _single(x) if x.dtype == np.float32 else _double(x)


def _single(x: np.ndarray) -> np.ndarray:
    bounded = np.clip(x, np.float32(-_SINGLE_END), np.float32(_SINGLE_END))
    t = np.atleast_1d(bounded * bounded)
    result = bounded * (_polynomial(t, _SINGLE_P) / _polynomial(t, _SINGLE_Q)).reshape(x.shape)
    return np.clip(result, np.float32(-1), np.float32(1))


def _double(x: np.ndarray) -> np.ndarray:
    size = np.minimum(np.abs(np.atleast_1d(x)), _FAR_END)
    near = np.minimum(size, 1.0)
    t = near * near
    result = near * _polynomial(t, _NEAR_P) / _polynomial(t, _NEAR_Q)
    far = size > 1.0
    if far.any():
        z = size[far]
        result[far] = 1.0 - np.exp(-z * z) * _polynomial(z, FAR_P) / _polynomial(z, FAR_Q)
    return np.copysign(np.where(np.isnan(size), size, result).reshape(x.shape), x)


# ---------------------------------------------------------------------------------------------------------------------
# The complement and the inverse, in double precision whatever comes in; `short`: enough of it for single precision


@blockwise
def erf_exactly(x: Any) -> np.ndarray:
    """erf in double precision; of single-precision numbers by the shorter approximation, which is enough for them."""
    if x.dtype == np.float32:
        return _single(x.astype(np.float64))
    return _double(x.astype(np.float64))


@blockwise
def erfc(x: Any) -> Any:
    """1 - erf(x), exact to rounding where it is small."""
    return _complement(double(x), x.dtype == np.float32)


@blockwise
def erfcx(x: Any) -> Any:
    """exp(x**2) erfc(x), which does not vanish for large x."""
    short, x = x.dtype == np.float32, double(x)
    near = np.exp(x * x) * _complement(np.minimum(x, 1.0), short)
    return np.where(x >= 1.0, _scaled_tail(np.maximum(x, 1.0), short), near)


@blockwise
def log_ndtr(x: Any) -> Any:
    """The logarithm of the standard normal distribution's function, exact where that is tiny."""
    short, t = x.dtype == np.float32, double(x) / math.sqrt(2)
    left = np.log(_scaled_tail(np.maximum(-t, 1.0), short) / 2) - t * t
    return np.where(t < -1, left, np.log1p(-_complement(t, short) / 2))


def _complement(x: Any, short: bool) -> Any:
    tail = _tail(np.maximum(np.abs(x), 1.0), short)
    return np.where(x >= 1.0, tail, np.where(x <= -1.0, 2.0 - tail, 1.0 - _near(x)))


def _ratio(t: Any, above: tuple[float, ...], below: tuple[float, ...]) -> Any:
    """A quotient of polynomials."""
    inner = t if hasattr(t, "special") else np.atleast_1d(t)
    return (_polynomial(inner, above) / _polynomial(inner, below)).reshape(np.shape(t))


def _near(x: Any) -> Any:
    """erf between -1 and 1."""
    inner = np.maximum(np.minimum(x, 1.0), -1.0)
    return inner * _ratio(inner * inner, _NEAR_P, _NEAR_Q)


def _tail(z: Any, short: bool) -> Any:
    """erfc for z >= 1."""
    power = np.exp(-z * z) if short else _exp_of_minus_square(z)  # the square of a short number is exact
    return power * _scaled_tail(z, short)


def _exp_of_minus_square(z: Any) -> Any:
    """exp(-z**2) without the rounding error of the square: z = head + rest, and head**2 is exact."""
    z = np.minimum(z, _VANISHES)
    head = double(z.astype(np.float32))
    return np.exp(-head * head) * np.exp(-(z - head) * (z + head))


def _scaled_tail(z: Any, short: bool) -> Any:
    """erfcx for z >= 1: a rational approximation, and from 6 on the continued fraction of Laplace."""
    if short:
        return _ratio(1.0 / z, _SHORT_TAIL_P, _SHORT_TAIL_Q) / z
    near = _ratio(np.minimum(z, _FAR_END), FAR_P, FAR_Q)
    far = np.maximum(z, _FAR_END)
    fraction = far
    for k in range(_TERMS, 0, -1):
        fraction = far + (0.5 * k) / fraction
    return np.where(z > _FAR_END, 1.0 / (fraction * math.sqrt(math.pi)), np.where(np.isnan(z), z, near))


@blockwise
def erfinv(x: Any) -> Any:
    """The y with erf(y) = x: Winitzki's approximation, then Halley's steps on erf or, near the ends, on erfc.

    S. Winitzki, "A handy approximation for the error function and its inverse" (2008).
    """
    short, x = x.dtype == np.float32, double(x)
    size = np.abs(x)
    if not short:
        return np.copysign(_inverse_tail(size, 1.0 - size, 2), x)
    minus_log = -np.log((1.0 - x) * (1.0 + x))
    return np.where(size == 1.0, np.copysign(np.inf, x), x * _ratio(minus_log, _SHORT_INVERSE_P, _SHORT_INVERSE_Q))


@blockwise
def erfcinv(q: Any) -> Any:
    """The y with erfc(y) = q."""
    short, q = q.dtype == np.float32, double(q)
    small = np.where(q <= 1.0, q, 2.0 - q)
    y = _short_inverse_tail(small) if short else _inverse_tail(1.0 - small, small, 3)
    return np.where(q <= 1.0, 1.0, -1.0) * y


def _short_inverse_tail(q: Any) -> Any:
    """The y >= 0 with erfc(y) = q."""
    p = 1.0 - q
    minus_log = -np.log(q * (1.0 + p))
    root = np.sqrt(minus_log)
    far = _ratio(root, _SHORT_FAR_INVERSE_P, _SHORT_FAR_INVERSE_Q)
    y = np.where(minus_log < 17.0, p * _ratio(minus_log, _SHORT_INVERSE_P, _SHORT_INVERSE_Q), far)
    return np.where(q == 0, np.inf, y)


def _inverse_tail(p: Any, q: Any, steps: int) -> Any:
    """The y >= 0 with erf(y) = p and erfc(y) = q, where p + q = 1; of the two the smaller is the exact one.

    Two steps do but for the tiniest q.
    """
    inside = (q > 0) & (q <= 1)
    safe = np.where(inside, q, 0.5)
    near = np.where(inside, p, 0.5)
    slope = np.log(safe * (1.0 + near))  # log(1 - p**2)
    middle = 2 / (math.pi * 0.147) + slope / 2
    y = np.sqrt(np.sqrt(middle * middle - slope / 0.147) - middle)
    for _ in range(steps):
        inner = _near(y)
        outer = np.where(y >= 1.0, _tail(np.maximum(y, 1.0), False), 1.0 - inner)
        miss = np.where(near < 0.5, inner - near, safe - outer)
        step = miss * (math.sqrt(math.pi) / 2) * np.exp(np.minimum(y * y, 700.0))
        y = y - step / (1.0 + y * step)
    return np.where(inside, y, np.where(q == 0, np.inf, np.nan))
