"""Exponentials, logarithms, powers, tanh and erf for vectors of float32 and float64, within 2 units in the last place.

Each function is written once for both precisions, with a polynomial for each (minimax, fitted for this file).  The
reductions of the argument are Cody and Waite's, "Software Manual for the Elementary Functions" (1980).  `FUNCTIONS`
maps the name of a NumPy ufunc to the function that writes it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

from .lanes import (
    FRACTION,
    Lanes,
    at_least,
    at_most,
    pick,
    polynomial,
    power_of_two,
    rounded,
    scaled,
)

if TYPE_CHECKING:
    from .arithmetic import Scalars
    from .ir import Value

LOG2E = math.log2(math.e)
LN2 = {"f32": (0.693147182464599609375, -1.904654299957768e-09),
       "f64": (math.log(2), 2.3190468138462996e-17)}  # fmt: skip
SMALLEST = {"f32": 2.0**-126, "f64": 2.0**-1022}  # the smallest normal number

EXP = {  # (e ** r - 1 - r) / r ** 2 for |r| <= ln(2) / 2
    "f32": (0.000198452122, 0.00139406289, 0.00833339058, 0.0416663624, 0.166666657, 0.5),
    "f64": (
        2.0875337194376873e-09, 2.5108979358977337e-08, 2.75574026131402e-07, 2.7557244372725135e-06,
        2.480158717258517e-05, 0.00019841269885967502, 0.0013888888888962335, 0.008333333333321691,
        0.04166666666666651, 0.16666666666666677, 0.5,
    ),
}  # fmt: skip
TANH = {  # (e ** r - 1 - r) / r ** 2 for r in [-0.149, 0.549]
    "f32": (0.000235387066, 0.00137287029, 0.00833474286, 0.0416670926, 0.166666612, 0.5),
    "f64": (
        2.508604964080477e-09, 2.4647714360056254e-08, 2.757542029630678e-07, 2.755700915093001e-06,
        2.4801583914407896e-05, 0.00019841270024150332, 0.0013888888887888917, 0.008333333333306776,
        0.04166666666666883, 0.1666666666666668, 0.5,
    ),
}  # fmt: skip
LOG_SINGLE = (  # (log(1 + f) - f) / f ** 2 for 1 + f in [sqrt(1/2), sqrt(2)]
    0.0672497451, -0.116759934, 0.119009651, -0.124073498, 0.142176807, -0.166676879, 0.200022206, -0.250000268,
    0.333333105, -0.5,
)  # fmt: skip
LOG_DOUBLE = (  # (2 artanh(s) - 2 s) / s ** 3 as a function of s ** 2
    0.14796107793018992, 0.15314035555598027, 0.18183564879563516, 0.22222198563197176, 0.2857142874247805,
    0.39999999999414304, 0.6666666666666734,
)  # fmt: skip
ARTANH = tuple(2 / (2 * k + 5) for k in reversed(range(11)))  # (2 artanh(s) - 2 s - 2/3 s ** 3) / s ** 5 by s ** 2
TWO_THIRDS = (2 / 3, 3.700743415417188e-17)  # as the sum of two numbers
SHORT_LN2 = (0.6931471805592082, 7.371002565167799e-13)  # likewise; the first has 40 bits
ERF = {  # erf(x) / x - 1 as a function of x ** 2, for |x| <= 1
    "f32": (7.88912221e-05, -0.000802084222, 0.00518953567, -0.0268544443, 0.112836003, -0.37612626, 0.128379166),
    "f64": (
        5.96069015596486e-11, -1.1374957778836955e-09, 1.4660329014757929e-08, -1.6350396226460748e-07,
        1.646100847390157e-06, -1.4925595771640748e-05, 0.0001205533113291957, -0.0008548326981424134,
        0.0052239776248283985, -0.02686617064507787, 0.11283791670954885, -0.3761263890318375, 0.1283791670955126,
    ),
}  # fmt: skip
ERFC_LOG2 = (  # -log2(erfc(x)) for x in [1, 3.95]
    -0.000243472517, 0.00401149224, -0.0305727329, 0.146864921, 0.922753096, 1.62481689, 0.000786545337,
)  # fmt: skip


def _exponential_of_rest(n: Lanes, x: Lanes, coefficients: dict[str, tuple[float, ...]] = EXP) -> Lanes:
    """e ** r - 1 for r = x - n * ln(2)."""
    high, low = LN2[x.kind]
    r = n.fma(-low, n.fma(-high, x))
    return polynomial(r, coefficients[x.kind]).fma(r * r, r)


def exp(x: Lanes) -> Lanes:
    """e ** x = 2 ** n * e ** r with |r| <= ln(2) / 2."""
    high, low = (89.0, -104.0) if x.single else (710.0, -746.0)
    x = at_least(at_most(x, high), low)
    n, bits = rounded(x, LOG2E)
    return scaled(_exponential_of_rest(n, x) + 1.0, n, bits)


def exp2(x: Lanes) -> Lanes:
    """2 ** x = 2 ** n * e ** (r * ln(2)) with |r| <= 1/2."""
    high, low = (129.0, -151.0) if x.single else (1025.0, -1077.0)
    x = at_least(at_most(x, high), low)
    n, bits = rounded(x, 1.0)
    ln2, rest = LN2[x.kind]
    exact = x - n
    r = exact * ln2
    lost = exact.fma(rest, exact.fma(ln2, -r))
    tail = polynomial(r, EXP[x.kind]).fma(r * r, lost)
    return scaled((tail + r) + 1.0, n, bits)


def expm1(x: Lanes) -> Lanes:
    """e ** x - 1 = 2 ** n * (e ** r - 1) + (2 ** n - 1); half of it first, which cannot overflow."""
    high, low = (89.0, -20.0) if x.single else (710.0, -40.0)
    y = at_least(at_most(x, high), low)
    n, bits = rounded(y, LOG2E)
    half = power_of_two(bits, x.kind, -1)
    value = half.fma(_exponential_of_rest(n, y), half - 0.5)
    return (value + value).signed(x)


def tanh(x: Lanes) -> Lanes:
    """h / (h + 1) with h = (e ** 2|x| - 1) / 2, and the sign of x.

    2|x| = n * ln(2) + r with r between -0.149 and 0.549: n is 0 for longer than it would be with the smallest r, which
    is where h is the most exact.
    """
    y = at_most(abs(x), 9.1 if x.single else 20.0)
    n, bits = rounded(y.fma(2 * LOG2E, -0.29), 1.0)
    power = power_of_two(bits, x.kind, -1)
    half = power.fma(_exponential_of_rest(n, y + y, TANH), power - 0.5)
    value = half / (half + 1.0)
    near = (-half).fma(value, half)  # where half is small, so are its errors in the second term
    return pick(y < 0.27, near, value).signed(x)


def _mantissa(x: Lanes) -> tuple[Lanes, Lanes]:
    """e and m - 1 with x = 2 ** e * m and m in [sqrt(1/2), sqrt(2)), for positive finite x."""
    shift = FRACTION[x.kind]
    tiny = x < SMALLEST[x.kind]
    bits = pick(tiny, x * 2.0**shift, x).bits()
    start = 0x3F3504F3 if x.single else 0x3FE6A09E667F3BCD  # sqrt(1/2)
    e = (bits - start) >> shift
    m = (bits - (e << shift)).from_bits() - 1.0
    return e.to(x.kind) - pick(tiny, x.constant(float(shift)), 0.0), m


def _logarithm_edges(x: Lanes, y: Lanes) -> Lanes:
    y = pick(x.same(math.inf), math.inf, y)
    y = pick(x.same(0.0), -math.inf, y)
    return pick(x.test("ult", 0.0), math.nan, y)


def _series(m: Lanes) -> tuple[Lanes, Lanes]:
    """log(1 + m) - m + m ** 2 / 2, and m ** 2 / 2."""
    half = m * m * 0.5
    if m.single:
        return polynomial(m, LOG_SINGLE[:-1]) * m * (m * m), half
    s = m / (m + 2.0)
    z = s * s
    return s * (polynomial(z, LOG_DOUBLE).fma(z, half)), half


def log(x: Lanes) -> Lanes:
    """ln(x) = e * ln(2) + ln(m) with m in [sqrt(1/2), sqrt(2))."""
    high, low = LN2[x.kind]
    e, m = _mantissa(x)
    tail, half = _series(m)
    tail = e.fma(low, tail) - half
    return _logarithm_edges(x, e.fma(high, m + tail))


def _logarithm_to(base: float) -> Callable[[Lanes], Lanes]:
    """The logarithm to another base: ln(m) as a sum of two numbers, times 1 / ln(base), which is one too."""
    from decimal import Decimal, localcontext

    with localcontext() as precise:
        precise.prec = 50
        factor = 1 / Decimal(base).ln()
        of_two = Decimal(2).ln() * factor
    f_high = float(factor)
    f_low = float(factor - Decimal(f_high))
    e_high = float(int(float(of_two) * 2**40) / 2**40)  # short: e * e_high is exact
    e_low = float(of_two - Decimal(e_high))

    def logarithm(x: Lanes) -> Lanes:
        if x.single:
            return logarithm(x.to("f64")).to("f32")
        e, m = _mantissa(x)
        tail, half = _series(m)
        high = m - half
        rest = ((m - high) - half) + tail
        product = high * f_high
        lost = rest.fma(f_high, high.fma(f_low, high.fma(f_high, -product)))
        first = e * e_high
        total = first + product
        lost = e.fma(e_low, lost) + ((first - total) + product)
        return _logarithm_edges(x, total + lost)

    return logarithm


def log1p(x: Lanes) -> Lanes:
    """ln(1 + x) = ln(u) - ((u - 1) - x) / u with u = 1 + x rounded: the second term gives back what rounding lost."""
    u = x + 1.0
    lost = (u - 1.0) - x
    plain = log(u)
    better = plain - lost / u
    edge = u.same(math.inf) | u.same(0.0)
    return pick(u.same(1.0), x, pick(edge, plain, better))


def _precise_log(x: Lanes) -> tuple[Lanes, Lanes]:
    """ln(x) as the sum of two numbers, to some 65 bits, for positive finite x of float64.

    With x = 2 ** e * m it is e * ln(2) + 2 artanh(s), s = (m - 1) / (m + 1); what weighs in it is the sum of two, too.
    """
    e, f = _mantissa(x)
    below = f + 2.0
    inverse = 1.0 / below
    s = f * inverse
    s_low = ((-s).fma(below, f) - s * (f - (below - 2.0))) * inverse
    z = s * s
    z_low = s.fma(s, -z) + (s + s) * s_low
    later = z * polynomial(z, ARTANH)
    factor = later + TWO_THIRDS[0]
    factor_low = (later - (factor - TWO_THIRDS[0])) + TWO_THIRDS[1]
    cube = s * z
    cube_low = s.fma(z, -cube) + (s * z_low + z * s_low)
    tail = cube * factor
    tail_low = cube.fma(factor, -tail) + (cube * factor_low + cube_low * factor)
    first = s + s
    high = first + tail
    low = ((first - high) + tail) + (tail_low + (s_low + s_low))
    whole = e * SHORT_LN2[0]
    total = whole + high
    low = e.fma(SHORT_LN2[1], ((whole - total) + high) + low)
    found = total + low
    return found, (total - found) + low


def _positive_power(x: Lanes, y: Lanes) -> Lanes:
    """x ** y = e ** (y * ln(x)) of float64, for x that is not negative."""
    high, low = _precise_log(x)
    high = _logarithm_edges(x, high)
    product = y * high
    rest = pick(abs(product) < 750.0, high.fma(y, -product) + low * y, 0.0)
    product = at_least(at_most(product, 710.0), -746.0)
    n, bits = rounded(product, LOG2E)
    ln2, ln2_low = LN2["f64"]
    r = n.fma(-ln2_low, n.fma(-ln2, product)) + rest
    return scaled(polynomial(r, EXP["f64"]).fma(r * r, r) + 1.0, n, bits)


def power(x: Lanes, y: Lanes) -> Lanes:
    """|x| ** y, and the sign of an odd power; float32 in float64, where a plain logarithm is exact enough."""
    if x.single:
        value = exp(y.to("f64") * log(abs(x).to("f64"))).to("f32")
    else:
        value = _positive_power(abs(x), y)
    whole = y.trunc().same(y)
    odd = (y * 0.5).trunc().test("une", y * 0.5) & whole
    negative = x.constant(1.0).signed(x) < 0.0
    value = pick(negative & odd, -value, value)
    value = pick((x < 0.0) & whole.test("eq", whole.constant(0)) & (x > -math.inf), math.nan, value)
    value = pick(abs(y).same(math.inf) & abs(x).same(1.0), 1.0, value)
    return pick(y.same(0.0) | x.same(1.0), 1.0, value)


def erf(x: Lanes) -> Lanes:
    """x + x * p(x ** 2) up to 1; beyond it 1 - erfc(|x|), with the sign of x."""
    size = abs(x)
    near = x.fma(polynomial(x * x, ERF[x.kind]), x)
    far = _erf_far_single(size) if x.single else _erf_far_double(size)
    return pick(size < 1.0, near, far.signed(x))


def _erf_far_single(size: Lanes) -> Lanes:
    exponent = polynomial(at_most(size, 3.93), ERFC_LOG2)
    n, bits = rounded(exponent, -1.0)
    high, _ = LN2["f32"]
    r = (exponent + n) * -high
    value = polynomial(r, EXP["f32"]).fma(r * r, r) + 1.0
    return (-value).fma(power_of_two(bits, "f32"), 1.0)


def _erf_far_double(size: Lanes) -> Lanes:
    from rushlight.ops.error_function import FAR_P, FAR_Q

    y = at_most(size, 6.0)
    square = -(y * y)
    n, bits = rounded(square, LOG2E)
    value = (_exponential_of_rest(n, square) + 1.0) * power_of_two(bits, "f64")
    return (-value).fma(polynomial(y, FAR_P) / polynomial(y, FAR_Q), 1.0)


FUNCTIONS: dict[str, Callable[..., Lanes]] = {
    "exp": exp, "exp2": exp2, "expm1": expm1, "log": log, "log2": _logarithm_to(2), "log10": _logarithm_to(10),
    "log1p": log1p, "power": power, "tanh": tanh, "erf": erf,
}  # fmt: skip


def write(s: Scalars, name: str, values: list[Value]) -> Value:
    """Writes a function of values of one float type; returns its result."""
    return FUNCTIONS[name](*[Lanes(s, v) for v in values]).value
