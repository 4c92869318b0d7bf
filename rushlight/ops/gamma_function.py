"""The gamma function's relatives on NumPy arrays, in double precision: log gamma, digamma, the Hurwitz zeta function,
polygamma.

Each brings its argument to a place where a short series is exact and follows a recurrence or a reflection back.
Formulas: NIST Digital Library of Mathematical Functions, chapters 5 and 25 (https://dlmf.nist.gov).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .blockwise import blockwise, double

_EULER = 0.57721566490153286060651209008240243
_BERNOULLI = (
    1 / 6,
    -1 / 30,
    1 / 42,
    -1 / 30,
    5 / 66,
    -691 / 2730,
    7 / 6,
    -3617 / 510,
    43867 / 798,
    -174611 / 330,
)  # B_2, B_4, ...


def _zeta_minus_one(s: int) -> float:
    """zeta(s) - 1 for whole s >= 2, by summing small terms first, with Euler and Maclaurin's tail."""
    n = 12
    head = math.fsum(k**-s for k in range(2, n))
    tail = n ** (1 - s) / (s - 1) + n**-s / 2
    rising, power, factorial = float(s), n ** -(s + 1.0), 2.0
    for j, b in enumerate(_BERNOULLI[:8]):
        tail += b / factorial * rising * power
        rising *= (s + 2 * j + 1) * (s + 2 * j + 2)
        factorial *= (2 * j + 3) * (2 * j + 4)
        power /= n * n
    return head + tail


_TAYLOR = tuple((-1) ** k * _zeta_minus_one(k) / k for k in range(2, 30))  # DLMF 5.7.3


# Of the gamma function with the power and the exponential divided off, for t >= 1/2, by 1 / (t + 1) (C. Lanczos, "A
# precision approximation of the gamma function", 1964); of digamma(t) - log(t) and t trigamma(t), by the same.
_SHORT_GAMMA_P = (1303.8779934151412, 1866.1092246259525, 1068.3697949265465, 305.84150846754255, 43.778130023605115,
                  2.5066282746310087)  # fmt: skip
_SHORT_GAMMA_Q = (4.194568594760394e-08, -6.013180164625887, -5.006612119491056, 5.013178552330542, 5.006613689996817,
                  1.0)  # fmt: skip
_SHORT_DIGAMMA_P = (0.127616513628777, -0.585898662466412, 1.23296898584476, -1.48904386209530, 1.14030157185532,
                    -0.500000002123289, 6.21015949814239e-12)  # fmt: skip
_SHORT_DIGAMMA_Q = (0.291643165252138, -1.63438641194886, 4.08717920210521, -5.9638346119796, 5.66656316703032,
                    -3.44726956283570, 1.0)  # fmt: skip
_SHORT_TRIGAMMA_P = (0.151693823396723, 0.00341563463846188, 0.882056440534193, -1.0774892088415, 1.60896806973531,
                     -0.622712071036772, 1.00000000000225)  # fmt: skip
_SHORT_TRIGAMMA_Q = (0.0515115872385802, -0.323858733056387, 0.805581228805345, -1.91417348413605, 1.50365734503466,
                     -1.12271206991347, 1.0)  # fmt: skip
_LANCZOS = 4.5


def _short(t: Any, above: tuple[float, ...], below: tuple[float, ...]) -> Any:
    """A quotient of polynomials in 1 / (t + 1)."""
    u = 1.0 / (t + 1.0)
    return _horner(u, above) / _horner(u, below)


def _horner(u: Any, coefficients: tuple[float, ...]) -> Any:
    total = u * coefficients[0]
    for c in coefficients[1:-1]:
        total = (total + c) * u
    return total + coefficients[-1]


def _series(z: np.ndarray) -> np.ndarray:
    """log gamma(2 + z) for |z| <= 1/2."""
    total = np.zeros_like(z)
    for c in reversed(_TAYLOR):
        total = (total + c) * z
    return z * (1 - _EULER + total)


def lgamma(x: Any, less: float = 0.0) -> Any:
    """log |gamma(x - less)|; infinite at 0, -1, -2, ..."""
    return (_lgamma_short if x.dtype == np.float32 else _lgamma)(x, less)


@blockwise
def _lgamma(x: Any, less: Any) -> Any:
    x = double(x) - less
    size = np.where(x < 0.5, 1.0 - x, x)
    found = _lgamma_right(size)
    mirrored = np.log(math.pi / np.abs(_sin_pi(x))) - found
    small = _series(np.where(np.abs(x) < 0.5, x, 0.0)) - np.log1p(np.where(np.abs(x) < 0.5, x, 0.0)) - np.log(np.abs(x))
    found = np.where(x < 0.5, np.where(x > -0.5, small, mirrored), found)
    return np.where((x <= 0) & (x == np.floor(x)), np.inf, found)


@blockwise
def _lgamma_short(x: Any, less: Any) -> Any:
    """Exact enough for single precision: two logarithms, left and right."""
    x = double(x) - less
    left = x < 0.5
    t = np.where(left, 1.0 - x, x)
    rest = _short(t, _SHORT_GAMMA_P, _SHORT_GAMMA_Q)
    shifted = t + _LANCZOS
    most = (t - 0.5) * np.log(shifted) - shifted
    other = np.log(np.where(left, math.pi / (np.abs(_sin_pi(x)) * rest), rest))
    found = np.where(left, other - most, other + most)
    found = np.where((x == 1) | (x == 2), 0.0, found)
    return np.where(np.isinf(x) | ((x <= 0) & (x == np.floor(x))), np.inf, found)


def _sin_pi(x: np.ndarray) -> np.ndarray:
    """sin(pi x), exactly zero at whole numbers."""
    rest = x - 2.0 * np.rint(x / 2.0)
    rest = np.where(np.abs(rest) > 0.5, np.copysign(1.0, rest) - rest, rest)
    return np.sin(math.pi * rest)


def _lgamma_right(x: np.ndarray) -> np.ndarray:
    """For x >= 1/2: down to the series about 2, or Stirling's from 10 on."""
    small = np.minimum(x, 10.0)
    factor = np.ones_like(small)
    for _ in range(8):
        high = small > 2.5
        small = np.where(high, small - 1.0, small)
        factor = np.where(high, factor * small, factor)
    low = small < 1.5
    z = np.where(low, small - 1.0, small - 2.0)
    near = _series(z) - np.where(low, np.log1p(z), 0.0) + np.log(factor)
    large = np.maximum(x, 10.0)
    far = (large - 0.5) * np.log(large) - large + 0.5 * math.log(2 * math.pi) + _stirling(large)
    return np.where(x < 10.0, near, np.where(np.isposinf(x), np.inf, far))


def _stirling(x: np.ndarray) -> np.ndarray:
    """The sum of B_2k / (2k (2k - 1) x**(2k - 1)), DLMF 5.11.1."""
    inverse = 1.0 / (x * x)
    total = np.zeros_like(x)
    for k in range(8, 0, -1):
        total = total * inverse + _BERNOULLI[k - 1] / (2 * k * (2 * k - 1))
    return total / x


@blockwise
def digamma(x: Any) -> Any:
    """The derivative of log gamma: infinite at 0 with the sign of -x, NaN at -1, -2, ..."""
    short, x = x.dtype == np.float32, double(x)
    left = x < 0.5 if short else x < 0
    t = np.where(left, 1.0 - x, x)
    total = np.log(t) + _short(t, _SHORT_DIGAMMA_P, _SHORT_DIGAMMA_Q) if short else _digamma_right(t)
    whole = x == np.floor(x)
    rest = x - np.rint(x)
    total = np.where(left, total - math.pi / np.tan(math.pi * np.where(whole, 0.5, rest)), total)
    return np.where(x == 0, np.copysign(np.inf, -x), np.where((x < 0) & whole, np.nan, total))


def _digamma_right(t: Any) -> Any:
    """For t >= 0: up to 10, and the asymptotic series there (DLMF 5.11.2)."""
    total = np.zeros_like(t)
    for _ in range(10):
        low = t < 10.0
        total = np.where(low, total - 1.0 / np.where(low, t, 1.0), total)
        t = np.where(low, t + 1.0, t)
    inverse = 1.0 / (t * t)
    tail = np.zeros_like(t)
    for k in range(8, 0, -1):
        tail = (tail + _BERNOULLI[k - 1] / (2 * k)) * inverse
    return total + np.log(t) - 0.5 / t - tail


@blockwise
def zeta(s: Any, q: Any) -> np.ndarray:
    """The Hurwitz zeta function, the sum of (q + k) ** -s over k >= 0, by Euler and Maclaurin (DLMF 25.11.7)."""
    s, q = double(s), double(q)
    valid = (s > 1) & ((q > 0) | ((s == np.floor(s)) & (q != np.floor(q))))
    x, a = np.where(valid, s, 2.0), np.where(valid, q, 1.0)
    head, a = _zeta_head(x, a)
    found = head + _zeta_tail(x, a)
    pole = (s == 1) | ((s > 1) & (q <= 0) & (q == np.floor(q)))
    found = np.where(np.isposinf(q), 0.0, found)
    return np.where(valid, found, np.where(pole, np.inf, np.nan))


def _zeta_head(x: Any, a: Any) -> tuple[Any, Any]:
    """The sum of (a + k) ** -x up to a + k >= 10, and that."""
    total = np.zeros_like(x + a)
    if hasattr(a, "provided"):  # the compiler takes ten turns, which is enough for those that are not negative
        a, turns = a.provided(a >= 0), 10
    else:
        turns = math.ceil(10.0 - np.fmin.reduce(a, axis=None, initial=10.0))
    for _ in range(turns):
        low = a < 10.0
        total = np.where(low, total + np.power(np.where(low, a, 1.0), -x), total)
        a = np.where(low, a + 1.0, a)
    return total, a


def _zeta_tail(x: np.ndarray, a: np.ndarray) -> np.ndarray:
    power = np.power(a, -x)
    total = power * a / (x - 1) + power / 2
    rising, scale = x, power / a
    factorial = 2.0
    for j, b in enumerate(_BERNOULLI):
        total = total + b / factorial * rising * scale
        rising = rising * (x + (2 * j + 1)) * (x + (2 * j + 2))
        factorial *= (2 * j + 3) * (2 * j + 4)
        scale = scale / (a * a)
    return total


def polygamma(n: int, x: Any) -> Any:
    """The n-th derivative of digamma."""
    if n == 0:
        return digamma(x)
    if n == 1:
        return _trigamma(x)
    sign = 1.0 if n % 2 else -1.0
    return sign * math.gamma(n + 1.0) * zeta(n + 1.0, x)


@blockwise
def _trigamma(x: Any) -> Any:
    """With the reflection DLMF 5.15.6 on the left."""
    short, x = x.dtype == np.float32, double(x)
    left = x < 0.5
    t = np.where(left, 1.0 - x, x)
    found = _short(t, _SHORT_TRIGAMMA_P, _SHORT_TRIGAMMA_Q) / t if short else zeta(2.0, t)
    sine = _sin_pi(x)
    return np.where(left, np.square(math.pi / sine) - found, found)
