"""Circular and hyperbolic functions, and their inverses, for vectors of float32 and float64.

float32 is computed in float64 and rounded once, which is exact enough for every argument.  In float64, sin and cos take
x = n * pi/2 + r + s apart with pi/2 in three parts, which keeps r + s exact to twice float64's precision for |x| below
2**30; lanes beyond that call the C library.  The polynomials are minimax, fitted for this file.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable

from .functions import FUNCTIONS, exp, expm1, log, log1p, write
from .lanes import Lanes, at_most, pick, polynomial, rounded

HALF_PI = (1.5707963267948966, 6.123233995736766e-17, -1.4973849048591833e-33)  # their sum has 160 bits
LARGEST = 2.0**30  # beyond it a whole number of quarter turns is no longer exact enough
SIN = (  # (sin(r) - r) / r ** 3 as a function of r ** 2, for |r| <= pi / 4
    1.589681156289725e-10, -2.505075837971682e-08, 2.7557313693537937e-06, -0.0001984126982981226,
    0.008333333333322418, -0.16666666666666632,
)  # fmt: skip
COS = (  # (cos(r) - 1 + r ** 2 / 2) / r ** 4 as a function of r ** 2
    -1.1359658920501383e-11, 2.0875723480476573e-09, -2.7557314353799297e-07, 2.4801587289487046e-05,
    -0.0013888888888874131, 0.0416666666666666,
)  # fmt: skip
ARCTAN = (  # (arctan(t) - t) / t ** 3 as a function of t ** 2, for |t| <= tan(pi / 8)
    0.015207908320984238, -0.03348699847880495, 0.045040874087384934, -0.052185365217293146, 0.058770422982822,
    -0.0666622884823168, 0.07692282900074393, -0.09090908150774982, 0.11111111088350722, -0.1428571428539078,
    0.19999999999997692, -0.33333333333333326,
)  # fmt: skip

Function = Callable[..., Lanes]
__all__ = ["write"]  # with every function registered


def in_double(f: Function) -> Function:
    """Lets float32 be computed in float64."""

    @functools.wraps(f)
    def widened(*values: Lanes) -> Lanes:
        if values[0].single:
            return f(*[v.to("f64") for v in values]).to("f32")
        return f(*values)

    return widened


# ---------------------------------------------------------------------------------------------------------------------
# Circular functions


def _reduced(x: Lanes) -> tuple[Lanes, Lanes, Lanes]:
    """r, s and the low bits of n, with x = n * pi/2 + r + s, |r| <= pi/4 and s far smaller."""
    n, bits = rounded(x, 2 / math.pi)
    high, middle, low = HALF_PI
    first = n.fma(-high, x)  # exact
    product = n * middle
    r = first - product
    back = r - first
    lost = (first - (r - back)) - (product + back)
    s = n.fma(-low, lost - n.fma(middle, -product))
    return r, s, bits


def _sine_and_cosine(r: Lanes, s: Lanes) -> tuple[Lanes, Lanes]:
    z = r * r
    sine = r + (r * z).fma(polynomial(z, SIN), s)
    half = z * 0.5
    top = 1.0 - half
    lost = (1.0 - top) - half
    cosine = top + (z * z).fma(polynomial(z, COS), (-r).fma(s, lost))
    return sine, cosine


def _quarter(bits: Lanes, bit: int) -> Lanes:
    return (bits & bit).test("ne", 0)


def _turned(x: Lanes, ahead: int, name: str) -> Lanes:
    """The sine of x + ahead * pi/2."""
    r, s, bits = _reduced(x)
    sine, cosine = _sine_and_cosine(r, s)
    bits = bits + ahead
    value = pick(_quarter(bits, 1), cosine, sine)
    value = pick(_quarter(bits, 2), -value, value)
    if not ahead:
        value = pick(x.same(0.0), x, value)  # -0.0
    return _or_library(x, value, name)


def _or_library(x: Lanes, value: Lanes, name: str) -> Lanes:
    """`value`, or in lanes where x is large (or no number) what the C library says."""
    large = abs(x).test("uge", LARGEST)
    return Lanes(x.s, x.s.library(name, x.value, large.value, value.value))


@in_double
def sin(x: Lanes) -> Lanes:
    """The sine."""
    return _turned(x, 0, "sin")


@in_double
def cos(x: Lanes) -> Lanes:
    """The cosine."""
    return _turned(x, 1, "cos")


@in_double
def tan(x: Lanes) -> Lanes:
    """The tangent: sine by cosine, or turned by a quarter -cosine by sine."""
    r, s, bits = _reduced(x)
    sine, cosine = _sine_and_cosine(r, s)
    odd = _quarter(bits, 1)
    value = pick(odd, -cosine, sine) / pick(odd, sine, cosine)
    return _or_library(x, pick(x.same(0.0), x, value), "tan")


# ---------------------------------------------------------------------------------------------------------------------
# Inverse circular functions


def _arctan_of_quotient(y: Lanes, x: Lanes) -> Lanes:
    """The angle of the point (x, y), both not negative: at most one of them is 0 or infinite."""
    steep, middle = y > x * (1 + math.sqrt(2)), y > x * (math.sqrt(2) - 1)
    top = pick(steep, -x, pick(middle, y - x, y))
    bottom = pick(steep, y, pick(middle, y + x, x))
    t = top / bottom
    z = t * t
    angle = pick(steep, t.constant(HALF_PI[0]), pick(middle, t.constant(HALF_PI[0] / 2), 0.0))
    lost = pick(steep, t.constant(HALF_PI[1]), pick(middle, t.constant(HALF_PI[1] / 2), 0.0))
    return angle + (t + (t * z).fma(polynomial(z, ARCTAN), lost))


@in_double
def arctan(x: Lanes) -> Lanes:
    """The inverse tangent."""
    return _arctan_of_quotient(at_most(abs(x), 1e300), x.constant(1.0)).signed(x)


@in_double
def arcsin(x: Lanes) -> Lanes:
    """The angle of the point (sqrt(1 - x ** 2), x)."""
    size = abs(x)
    return _arctan_of_quotient(size, ((1.0 - size) * (size + 1.0)).sqrt()).signed(x)


@in_double
def arccos(x: Lanes) -> Lanes:
    """Twice the angle of the point (sqrt(1 + x), sqrt(1 - x))."""
    half = _arctan_of_quotient((1.0 - x).sqrt(), (x + 1.0).sqrt())
    return half + half


@in_double
def arctan2(y: Lanes, x: Lanes) -> Lanes:
    """The angle of the point (x, y), between -pi and pi."""
    high, wide = abs(y), abs(x)
    both = high.same(math.inf) & wide.same(math.inf)
    still = high.same(0.0)
    angle = _arctan_of_quotient(pick(both, 1.0, high), pick(both | still, 1.0, wide))
    angle = pick(still, 0.0, angle)
    left = x.constant(1.0).signed(x) < 0.0
    turned = (HALF_PI[0] * 2 - angle) + HALF_PI[1] * 2
    value = pick(left, turned, angle)
    return pick(x.isnan() | y.isnan(), math.nan, value).signed(y)


# ---------------------------------------------------------------------------------------------------------------------
# Hyperbolic functions and their inverses


@in_double
def sinh(x: Lanes) -> Lanes:
    """(t + t / (t + 1)) / 2 with t = e ** |x| - 1; where that is too large, (e ** (|x| / 2)) ** 2 / 2."""
    size = abs(x)
    t = expm1(at_most(size, 700.0))
    root = exp(size * 0.5)
    value = pick(size > 700.0, root * 0.5 * root, (t + t / (t + 1.0)) * 0.5)
    return value.signed(x)


@in_double
def cosh(x: Lanes) -> Lanes:
    """(e ** |x| + e ** -|x|) / 2, its parts halved first."""
    size = abs(x)
    near = exp(at_most(size, 700.0)) * 0.5
    root = exp(size * 0.5)
    return pick(size > 700.0, root * 0.5 * root, near + 0.25 / near)


@in_double
def arcsinh(x: Lanes) -> Lanes:
    """log(|x| + sqrt(x ** 2 + 1)), by log1p where x is small."""
    size = abs(x)
    square = size * size
    near = log1p(size + square / ((square + 1.0).sqrt() + 1.0))
    return pick(size > 2.0**500, log(size) + math.log(2), near).signed(x)


@in_double
def arccosh(x: Lanes) -> Lanes:
    """log(x + sqrt(x ** 2 - 1)), by log1p of what x has over 1."""
    over = x - 1.0
    near = log1p(over + (over * (over + 2.0)).sqrt())
    return pick(x < 1.0, math.nan, pick(x > 2.0**500, log(x) + math.log(2), near))


@in_double
def arctanh(x: Lanes) -> Lanes:
    """log((1 + x) / (1 - x)) / 2."""
    size = abs(x)
    return (log1p((size + size) / (1.0 - size)) * 0.5).signed(x)


FUNCTIONS.update({
    "sin": sin, "cos": cos, "tan": tan, "arcsin": arcsin, "arccos": arccos, "arctan": arctan, "arctan2": arctan2,
    "sinh": sinh, "cosh": cosh, "arcsinh": arcsinh, "arccosh": arccosh, "arctanh": arctanh,
})  # fmt: skip
