"""How gamma and beta samples move with their parameters, in machine code: `distributions/implicit.py` says what.

A series or a continued fraction has as many terms as its number needs, so these are loops of single doubles, as in
`rejection.py`, whose signature they share: for gamma, `first` is the shape and `second` the sample; for beta, `first`
and `second` are the parameters and `extra` is the sample. No state is read.
"""

from __future__ import annotations

from collections.abc import Callable

from .imports import fill
from .ir import Function, Loop, Value
from .lanes import Lanes, pick
from .rejection import SIGNATURE, Numbers

TERMS = 20_000.0
LARGE = 2_000.0  # from here on the expansion about the normal distribution
_STIRLING = (1 / 12, -1 / 120, 1 / 252, -1 / 240, 1 / 132, -691 / 32760, 1 / 12)  # DLMF 5.11.2
_SHIFTED = 10.0  # from here on these are enough

Rule = Callable[[Numbers, Lanes, Lanes, Lanes], Lanes]


def _digamma(n: Numbers, x: Lanes) -> Lanes:
    """For x > 0: by the recurrence to where the asymptotic series is exact."""

    def turn(t: Lanes, total: Lanes) -> tuple[Lanes, ...]:
        low = t < _SHIFTED
        return low ^ True, pick(low, t + 1.0, t), pick(low, total - 1.0 / t, total)

    t, total = n.until(turn, x, n.number(0.0))
    inverse = 1.0 / (t * t)
    tail = n.number(0.0)
    for c in reversed(_STIRLING):
        tail = (tail + c) * inverse
    return total + n.library("log", t) - 0.5 / t - tail


def _over(more: Lanes, k: Lanes) -> Lanes:
    """Whether a loop ends: no more is to be had (of NaN neither), or there have been very many turns."""
    return (more ^ True) | (k >= TERMS)


# ---------------------------------------------------------------------------------------------------------------------
# Gamma


def _gamma(n: Numbers, a: Lanes, x: Lanes, _: Lanes) -> Lanes:
    rest = lambda: n.when(x <= a + 1.0, lambda: _series(n, a, x), lambda: _fraction(n, a, x))  # noqa: E731
    return n.when(a > LARGE, lambda: _expansion(n, a, x), rest)


def _expansion(n: Numbers, a: Lanes, x: Lanes) -> Lanes:
    root = a.sqrt()
    z = (x - a) / root
    for _ in range(8):
        cube = z * z * z
        value = a + root * z + (z * z - 1.0) / 3.0 + (cube - z * 7.0) / (root * 36.0)
        z = z - (value - x) / (root + z * 2.0 / 3.0 + (z * z * 3.0 - 7.0) / (root * 36.0))
    return z / (root * 2.0) - (z * z * z - z * 7.0) / (a * root * 72.0) + 1.0


def _series(n: Numbers, a: Lanes, x: Lanes) -> Lanes:
    def turn(k: Lanes, term: Lanes, slope: Lanes, total: Lanes) -> tuple[Lanes, ...]:
        term, slope = term * x / (a + k), slope - 1.0 / (a + k)
        total = total + term * slope
        return _over(term * (abs(slope) + 1.0) > abs(total) * 1e-16, k), k + 1.0, term, slope, total

    term, slope = x / a, n.library("log", x) - _digamma(n, a + 1.0)
    return -n.until(turn, n.number(1.0), term, slope, term * slope)[3]


def _fraction(n: Numbers, a: Lanes, x: Lanes) -> Lanes:
    """Convergents P/R by the forward recurrence, scaled so that R is 1; with their derivatives by a."""

    def turn(k: Lanes, p0: Lanes, r0: Lanes, p: Lanes, dp0: Lanes, dr0: Lanes, dp: Lanes, dr: Lanes,
             df: Lanes, _: Lanes) -> tuple[Lanes, ...]:  # fmt: skip
        c, b = -k * (k - a), x + (k * 2.0 + 1.0) - a
        r = b + c * r0
        new_p, new_dp = b * p + c * p0, b * dp - p + c * dp0 + k * p0
        new_dr = b * dr - 1.0 + c * dr0 + k * r0
        scale = 1.0 / r
        f = new_p * scale
        slope = new_dp * scale - f * (new_dr * scale)
        more = abs(slope - df) > abs(slope) * 1e-12
        return (_over(more, k), k + 1.0, p * scale, scale, f, dp * scale, dr * scale, new_dp * scale,
                new_dr * scale, slope, f)  # fmt: skip

    first = 1.0 / (x + 1.0 - a)  # the first convergent is 1 / (x + 1 - a), whose denominator's slope is -1
    zero = n.number(0.0)
    found = n.until(turn, n.number(1.0), zero, first, first, zero, zero, zero, -first, n.number(float("inf")), zero)
    df, f = found[8:]
    return x * (f * (n.library("log", x) - _digamma(n, a)) + df)


# ---------------------------------------------------------------------------------------------------------------------
# Beta


def _beta(n: Numbers, a: Lanes, b: Lanes, x: Lanes) -> Lanes:
    left = x <= (a + 1.0) / (a + b + 2.0)
    return n.when(left, lambda: -_beta_series(n, x, a, b, True), lambda: _beta_series(n, 1.0 - x, b, a, False))


def _beta_series(n: Numbers, x: Lanes, a: Lanes, b: Lanes, by_first: bool) -> Lanes:
    def turn(k: Lanes, term: Lanes, slope: Lanes, total: Lanes) -> tuple[Lanes, ...]:
        term = term * x * (a + b + k) / (a + 1.0 + k)
        slope = slope + 1.0 / (a + b + k)
        slope = slope - 1.0 / (a + 1.0 + k) if by_first else slope
        total = total + term * slope
        return _over(term * (abs(slope) + 1.0) > abs(total) * 1e-16, k), k + 1.0, term, slope, total

    shared = _digamma(n, a + b)
    if by_first:
        slope = n.library("log", x) - 1.0 / a - _digamma(n, a) + shared
    else:
        slope = n.library("log1p", -x) - _digamma(n, b) + shared
    total = n.until(turn, n.number(0.0), n.number(1.0), slope, slope)[3]
    return total * x * (1.0 - x) / a


RULES: dict[str, Rule] = {"gamma_slope": _gamma, "beta_slope": _beta}


def function(name: str) -> Function:
    """One of the functions; `count` may be 0."""
    n = Numbers(False)
    w = n.w
    _, out, count, first, second, extra = parameters = [w.parameter(kind, k) for k, kind in SIGNATURE.items()]
    loop = Loop(w, count, sure=False)
    given: list[Value] = [first, second, extra]
    n.store(RULES[name](n, *[n.load(array, loop.index) for array in given]), out, loop.index)
    loop.close()
    w.leave(out)
    return w.function(fill(name), parameters)
