"""exp, log, log1p and tanh for vectors of float32, to about one unit in the last place.

The reductions and polynomials are Cody and Waite's, "Software Manual for the Elementary Functions" (1980), with the
minimax coefficients of Moshier's Cephes library (https://www.netlib.org/cephes/).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .llvm import Scalars

EXP = (1.9875691500e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1)
LOG = (
    7.0376836292e-2, -1.1514610310e-1, 1.1676998740e-1, -1.2420140846e-1, 1.4249322787e-1, -1.6668057665e-1,
    2.0000714765e-1, -2.4999993993e-1, 3.3333331174e-1,
)  # fmt: skip
TANH = (-5.70498872745e-3, 2.06390887954e-2, -5.37397155531e-2, 1.33314422036e-1, -3.33332819422e-1)
LN2_HIGH, LN2_LOW = 0.693359375, -2.12194440e-4
FLOAT = "float"


def polynomial(s: Scalars, x: str, coefficients: tuple[float, ...]) -> str:
    """Horner's rule, in fused multiplications and additions."""
    value = s.constant(coefficients[0], FLOAT)
    for c in coefficients[1:]:
        value = s.intrinsic("fma", FLOAT, value, x, s.constant(c, FLOAT))
    return value


def exp(s: Scalars, x: str) -> str:
    """e ** x = 2 ** n * e ** r with |r| <= ln(2) / 2."""
    high, low = s.constant(89.0, FLOAT), s.constant(-104.0, FLOAT)
    x = s.select(s.compare("ogt", FLOAT, x, high), FLOAT, high, x)
    x = s.select(s.compare("olt", FLOAT, x, low), FLOAT, low, x)
    n = s.intrinsic("rint", FLOAT, s.binary("fmul", FLOAT, x, s.constant(1.44269504088896341, FLOAT)))
    r = s.intrinsic("fma", FLOAT, n, s.constant(-LN2_HIGH, FLOAT), x)
    r = s.intrinsic("fma", FLOAT, n, s.constant(-LN2_LOW, FLOAT), r)
    tail = s.intrinsic("fma", FLOAT, polynomial(s, r, EXP), s.binary("fmul", FLOAT, r, r), r)
    value = s.binary("fadd", FLOAT, tail, s.constant(1.0, FLOAT))
    whole = s.select(s.compare("uno", FLOAT, n, n), FLOAT, s.constant(0.0, FLOAT), n)  # of NaN there is no integer
    k = s.convert("fptosi", whole, FLOAT, "i32")
    half = s.binary("ashr", "i32", k, s.constant(1, "i32"))
    for part in (half, s.binary("sub", "i32", k, half)):  # in two steps: 2 ** n alone may be too large or too small
        value = s.binary("fmul", FLOAT, value, _power_of_two(s, part))
    return value


def _power_of_two(s: Scalars, n: str) -> str:
    biased = s.binary("add", "i32", n, s.constant(127, "i32"))
    return s.convert("bitcast", s.binary("shl", "i32", biased, s.constant(23, "i32")), "i32", FLOAT)


def log(s: Scalars, x: str) -> str:
    """ln(x) = e * ln(2) + ln(m) with m in [sqrt(1/2), sqrt(2))."""
    tiny = s.compare("olt", FLOAT, x, s.constant(1.17549435e-38, FLOAT))
    scaled = s.select(tiny, FLOAT, s.binary("fmul", FLOAT, x, s.constant(2.0**23, FLOAT)), x)
    bits = s.convert("bitcast", scaled, FLOAT, "i32")
    shifted = s.binary("sub", "i32", bits, s.constant(0x3F3504F3, "i32"))  # counted from sqrt(1/2)
    e = s.binary("ashr", "i32", shifted, s.constant(23, "i32"))
    mantissa = s.binary("sub", "i32", bits, s.binary("shl", "i32", e, s.constant(23, "i32")))
    m = s.binary("fsub", FLOAT, s.convert("bitcast", mantissa, "i32", FLOAT), s.constant(1.0, FLOAT))
    exponent = s.convert("sitofp", e, "i32", FLOAT)
    exponent = s.binary("fsub", FLOAT, exponent, s.select(tiny, FLOAT, *(s.constant(c, FLOAT) for c in (23.0, 0.0))))
    square = s.binary("fmul", FLOAT, m, m)
    y = s.binary("fmul", FLOAT, s.binary("fmul", FLOAT, polynomial(s, m, LOG), m), square)
    y = s.intrinsic("fma", FLOAT, exponent, s.constant(LN2_LOW, FLOAT), y)
    y = s.intrinsic("fma", FLOAT, square, s.constant(-0.5, FLOAT), y)
    y = s.intrinsic("fma", FLOAT, exponent, s.constant(LN2_HIGH, FLOAT), s.binary("fadd", FLOAT, m, y))
    return _log_edges(s, x, y)


def _log_edges(s: Scalars, x: str, y: str) -> str:
    zero, infinity = s.constant(0.0, FLOAT), s.constant(float("inf"), FLOAT)
    y = s.select(s.compare("oeq", FLOAT, x, infinity), FLOAT, infinity, y)
    y = s.select(s.compare("oeq", FLOAT, x, zero), FLOAT, s.constant(float("-inf"), FLOAT), y)
    return s.select(s.compare("ult", FLOAT, x, zero), FLOAT, s.constant(float("nan"), FLOAT), y)


def log1p(s: Scalars, x: str) -> str:
    """ln(1 + x) = ln(u) - ((u - 1) - x) / u with u = 1 + x rounded: the second term gives back what rounding lost."""
    one, zero = s.constant(1.0, FLOAT), s.constant(0.0, FLOAT)
    u = s.binary("fadd", FLOAT, one, x)
    lost = s.binary("fsub", FLOAT, s.binary("fsub", FLOAT, u, one), x)
    plain = log(s, u)
    better = s.binary("fsub", FLOAT, plain, s.binary("fdiv", FLOAT, lost, u))
    edge = s.compare("oeq", FLOAT, u, s.constant(float("inf"), FLOAT))
    edge = s.binary("or", "i1", edge, s.compare("oeq", FLOAT, u, zero))
    value = s.select(edge, FLOAT, plain, better)
    return s.select(s.compare("oeq", FLOAT, u, one), FLOAT, x, value)


def tanh(s: Scalars, x: str) -> str:
    """An odd polynomial near zero; elsewhere 1 - 2 / (e ** 2|x| + 1), with the sign of x."""
    size = s.intrinsic("fabs", FLOAT, x)
    square = s.binary("fmul", FLOAT, x, x)
    cubic = s.binary("fmul", FLOAT, square, x)
    near = s.intrinsic("fma", FLOAT, polynomial(s, square, TANH), cubic, x)
    grown = s.binary("fadd", FLOAT, exp(s, s.binary("fadd", FLOAT, size, size)), s.constant(1.0, FLOAT))
    far = s.binary("fsub", FLOAT, s.constant(1.0, FLOAT), s.binary("fdiv", FLOAT, s.constant(2.0, FLOAT), grown))
    far = s.intrinsic("copysign", FLOAT, far, x)
    return s.select(s.compare("olt", FLOAT, size, s.constant(0.625, FLOAT)), FLOAT, near, far)


FLOAT32: dict[str, Callable[[Scalars, str], str]] = {"exp": exp, "log": log, "log1p": log1p, "tanh": tanh}
