"""The error function of NumPy arrays, which NumPy does not have: what the exact GELU and `torch.erf` are made of.

Rational approximations fitted for this file (relative error 2e-8 in single and 2e-18 in double precision before
rounding): erf(x) / x as a function of x**2 near 0, and erfc(x) exp(x**2) further out. Polynomials are evaluated in
the array's own precision.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .blockwise import blockwise

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
# The complement and the inverse, in double precision whatever comes in


@blockwise
def erf_exactly(x: Any) -> np.ndarray:
    """erf in double precision; of single-precision numbers by the shorter approximation, which is enough for them."""
    if x.dtype == np.float32:
        return _single(x.astype(np.float64))
    return _double(x.astype(np.float64))


@blockwise
def erfc(x: Any) -> np.ndarray:
    """1 - erf(x), exact to rounding where it is small."""
    x = np.asarray(x, np.float64)
    size = np.abs(x)
    tail = _tail(np.maximum(size, 1.0))
    return np.where(x >= 1.0, tail, np.where(x <= -1.0, 2.0 - tail, 1.0 - _double(x)))


@blockwise
def erfcx(x: Any) -> np.ndarray:
    """exp(x**2) erfc(x), which does not vanish for large x."""
    x = np.asarray(x, np.float64)
    near = np.exp(x * x) * erfc(np.minimum(x, 1.0))
    return np.where(x >= 1.0, _scaled_tail(np.maximum(x, 1.0)), near)


def _tail(z: np.ndarray) -> np.ndarray:
    """erfc for z >= 1."""
    return _exp_of_minus_square(z) * _scaled_tail(z)


def _exp_of_minus_square(z: np.ndarray) -> np.ndarray:
    """exp(-z**2) without the rounding error of the square: z = head + rest, and head**2 is exact."""
    head = z.astype(np.float32).astype(np.float64)
    rest = np.where(np.isfinite(z) & np.isfinite(head), (z - head) * (z + head), 0.0)
    return np.exp(-head * head) * np.exp(-rest)


def _scaled_tail(z: np.ndarray) -> np.ndarray:
    """erfcx for z >= 1: the rational approximation, and from 6 on the continued fraction of Laplace."""
    inner = np.atleast_1d(np.minimum(z, _FAR_END))
    near = (_polynomial(inner, FAR_P) / _polynomial(inner, FAR_Q)).reshape(np.shape(z))
    far = np.maximum(z, _FAR_END)
    fraction = far
    for k in range(24, 0, -1):
        fraction = far + (0.5 * k) / fraction
    return np.where(z > _FAR_END, 1.0 / (fraction * np.sqrt(np.pi)), np.where(np.isnan(z), z, near))


@blockwise
def erfinv(x: Any) -> np.ndarray:
    """The y with erf(y) = x: Winitzki's approximation, then Halley's steps on erf or, near the ends, on erfc.

    S. Winitzki, "A handy approximation for the error function and its inverse" (2008).
    """
    x = np.asarray(x, np.float64)
    size = np.abs(x)
    return np.copysign(_inverse_tail(size, 1.0 - size), x)


@blockwise
def erfcinv(q: Any) -> np.ndarray:
    """The y with erfc(y) = q."""
    q = np.asarray(q, np.float64)
    small = np.where(q <= 1.0, q, 2.0 - q)
    return np.where(q <= 1.0, 1.0, -1.0) * _inverse_tail(1.0 - small, small)


def _inverse_tail(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    """The y >= 0 with erf(y) = p and erfc(y) = q, where p + q = 1; of the two the smaller is the exact one."""
    inside = (q > 0) & (q <= 1)
    safe = np.where(inside, q, 0.5)
    near = np.where(inside, p, 0.5)
    slope = np.log(safe * (1.0 + near))  # log(1 - p**2)
    middle = 2 / (np.pi * 0.147) + slope / 2
    y = np.sqrt(np.sqrt(middle * middle - slope / 0.147) - middle)
    for _ in range(3):
        inner = _double(y)
        outer = np.where(y >= 1.0, _tail(np.maximum(y, 1.0)), 1.0 - inner)
        miss = np.where(near < 0.5, inner - near, safe - outer)
        step = miss * (np.sqrt(np.pi) / 2) * np.exp(np.minimum(y * y, 700.0))
        y = y - step / (1.0 + y * step)
    return np.where(inside, y, np.where(q == 0, np.inf, np.nan))
