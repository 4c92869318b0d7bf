"""NumPy's functions of complex numbers in real arithmetic, for the compiler.

Each is given the parts of its operands and returns the parts of its result.  What comes of zeros, infinities and NaN is
what the C standard says (Annex G of https://www.open-std.org/jtc1/sc22/wg14/www/docs/n1256.pdf), as in NumPy's own; a
division is Smith's (Algorithm 116, Communications of the ACM 5, 1962).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from .capture import NotLowered, Symbol, _promoted
from .complex import Complex, as_complex, weak_kind_of

Parts = tuple[Any, Any]
LONGEST = 64  # factors of a product that are multiplied in halves
HIGHEST = 99  # a whole power up to here is multiplied out, as NumPy does


def called(ufunc: np.ufunc, inputs: tuple[Any, ...]) -> Symbol:
    """A ufunc of which one operand at least is complex."""
    name = ufunc.__name__
    if name == "power" and (whole := _whole_exponent(inputs[1])) is not None:
        x = inputs[0]
        return Complex(_whole_power(x.parts, whole))
    kinds = tuple(weak_kind_of(x) for x in inputs)
    if not any(isinstance(k, np.dtype) for k in kinds):
        kinds = tuple(x.dtype if isinstance(x, Symbol) else k for x, k in zip(inputs, kinds, strict=True))
    if name == "conjugate":
        return inputs[0].conj()  # type: ignore[no-any-return]
    wanted = _promoted(ufunc, kinds)[:-1]
    given = [as_complex(x, to) for x, to in zip(inputs, wanted, strict=True) if to.kind == "c"]
    if len(given) != len(inputs):
        raise NotLowered(f"numpy.{name} of complex and real numbers")
    if name in TO_REAL:
        return TO_REAL[name](*[x.parts for x in given])  # type: ignore[no-any-return]
    if name not in TO_COMPLEX:
        raise NotLowered(f"numpy.{name} of complex numbers")
    return Complex(TO_COMPLEX[name](*[x.parts for x in given]))


def product_over(x: Complex, axis: Any = None, keepdims: bool = False, dtype: Any = None, **rest: Any) -> Symbol:
    """The product over a dimension: halves are multiplied by one another."""
    if axis is None:
        axes: tuple[int, ...] = tuple(range(x.ndim))
    else:
        axes = tuple(a % x.ndim for a in (axis if isinstance(axis, tuple) else (axis,)))
    for d in axes:
        x = _multiplied(x, d)
    return x if keepdims else x.squeeze(axes)


def _multiplied(x: Any, d: int) -> Any:
    if x.shape[d] > LONGEST:
        raise NotLowered("a product of many complex numbers")
    while x.shape[d] > 1:
        half = x.shape[d] // 2
        before = (slice(None),) * d
        pairs = x[(*before, slice(half))] * x[(*before, slice(half, 2 * half))]
        x = np.concatenate([pairs, x[(*before, slice(2 * half, None))]], axis=d) if x.shape[d] % 2 else pairs
    return x


# ---------------------------------------------------------------------------------------------------------------------
# Arithmetic


def _each(function: Callable[..., Any]) -> Callable[..., Parts]:
    return lambda *operands: (function(*[x[0] for x in operands]), function(*[x[1] for x in operands]))


def _multiply(x: Parts, y: Parts) -> Parts:
    """The product; by a conjugate it is one with other signs, so that no negative numbers need be kept anywhere."""
    (first, minus_x), (second, minus_y) = _unsigned(x[1]), _unsigned(y[1])
    same, other = x[0] * y[0], first * second
    real = same - other if minus_x == minus_y else same + other
    along, across = x[0] * second, first * y[0]
    if minus_x == minus_y:
        return real, -(along + across) if minus_x else along + across
    return real, across - along if minus_y else along - across


def _unsigned(x: Any) -> tuple[Any, bool]:
    """What a Symbol is the negative of, and whether it is one."""
    return (x.args[0], True) if isinstance(x, Symbol) and x.kind == "negative" else (x, False)


def _divide(x: Parts, y: Parts) -> Parts:
    """Smith's; where the divisor is 0, each part by it."""
    wide = np.abs(y[0]) >= np.abs(y[1])
    large: Any = np.where(wide, y[0], y[1])
    small: Any = np.where(wide, y[1], y[0])
    ratio: Any = small / large
    scale = np.reciprocal(large + small * ratio)
    with_large: Any = np.where(wide, x[0], x[1])
    with_small: Any = np.where(wide, x[1], x[0])
    real = (with_large + with_small * ratio) * scale
    imaginary = (x[1] - x[0] * ratio) * scale, (x[1] * ratio - x[0]) * scale
    nothing = np.logical_and(y[0] == 0, y[1] == 0)
    zero = np.abs(y[0])
    return (
        np.where(nothing, x[0] / zero, real),
        np.where(nothing, x[1] / zero, np.where(wide, *imaginary)),
    )


def _reciprocal(x: Parts) -> Parts:
    return _divide((x[0].dtype.type(1), x[0].dtype.type(0)), x)


def _whole_exponent(x: Any) -> int | None:
    """A constant exponent that is a whole number, as one."""
    if isinstance(x, Symbol) or np.ndim(x) or np.imag(x) != 0 or np.real(x) != np.floor(np.real(x)):
        return None
    return int(np.real(x)) if abs(np.real(x)) <= HIGHEST else None


def _whole_power(x: Parts, n: int) -> Parts:
    one = x[0].dtype.type(1)
    powers: Parts = x
    found: Parts | None = None
    for bit in range(abs(n).bit_length()):
        powers = powers if bit == 0 else _multiply(powers, powers)
        if abs(n) >> bit & 1:
            found = powers if found is None else _multiply(found, powers)
    if found is None:
        return np.where(x[0] == x[0], one, one), np.where(x[0] == x[0], 0 * one, 0 * one)
    return _divide((one, 0 * one), found) if n < 0 else found


def _power(x: Parts, y: Parts) -> Parts:
    """exp(y log x); of 0 and to the power of 0 as NumPy has it."""
    found = _exp(_multiply(y, _log(x)))
    number = x[0].dtype.type
    none, nothing = np.logical_and(y[0] == 0, y[1] == 0), np.logical_and(x[0] == 0, x[1] == 0)
    vanishes = np.logical_and(y[0] > 0, y[1] == 0)
    of_zero = np.where(vanishes, number(0), number(np.nan))
    return (
        np.where(none, number(1), np.where(nothing, of_zero, found[0])),
        np.where(none, number(0), np.where(nothing, of_zero, found[1])),
    )


# ---------------------------------------------------------------------------------------------------------------------
# Exponentials and logarithms


def _times(x: Any, y: Any) -> Any:
    """x * y, 0 where one of them is 0 whatever the other one is."""
    zero = np.logical_or(x == 0, y == 0)
    one = x.dtype.type(1)
    return np.where(zero, np.copysign(one, x) * np.copysign(0 * one, y), x * y)


def _exp(x: Parts) -> Parts:
    size, turn = np.exp(x[0]), x[1]
    number = size.dtype.type
    real, imaginary = size * np.cos(turn), size * np.sin(turn)
    endless = np.logical_not(np.abs(turn) < np.inf)
    low, high = np.logical_and(endless, x[0] == -np.inf), np.logical_and(endless, x[0] == np.inf)
    return (
        np.where(low, number(0), np.where(high, number(np.inf), np.where(turn == 0, size, real))),
        np.where(low, number(0), np.where(turn == 0, turn, imaginary)),
    )


def _expm1(x: Parts) -> Parts:
    half = np.sin(x[1] * x[1].dtype.type(0.5))
    return np.expm1(x[0]) * np.cos(x[1]) - 2 * half * half, np.exp(x[0]) * np.sin(x[1])


def _log_of_size(x: Parts) -> Any:
    """log |x|, exact where |x| is near 1."""
    if x[0].dtype == np.float32:
        wide = [p.astype(np.float64) for p in x]
        size = (np.log(wide[0] * wide[0] + wide[1] * wide[1]) * 0.5).astype(np.float32)
    else:
        number = x[0].dtype.type
        large, small = np.maximum(np.abs(x[0]), np.abs(x[1])), np.minimum(np.abs(x[0]), np.abs(x[1]))
        ratio = small / np.where(large == 0, number(1), large)
        far = np.log(large) + np.log1p(ratio * ratio) * number(0.5)
        near = np.log1p((large - 1) * (large + 1) + small * small) * number(0.5)
        size = np.where(np.logical_and(large > number(0.5), large < 2), near, far)
    endless = np.logical_or(np.abs(x[0]) == np.inf, np.abs(x[1]) == np.inf)
    return np.where(endless, x[0].dtype.type(np.inf), size)


def _log(x: Parts) -> Parts:
    return _log_of_size(x), np.arctan2(x[1], x[0])


def _scaled_log(base: float) -> Callable[[Parts], Parts]:
    def log(x: Parts) -> Parts:
        scale = x[0].dtype.type(1 / math.log(base))
        return _log_of_size(x) * scale, np.arctan2(x[1], x[0]) * scale

    return log


def _log1p(x: Parts) -> Parts:
    return np.log(np.hypot(x[0] + 1, x[1])), np.arctan2(x[1], x[0] + 1)


def _exp2(x: Parts) -> Parts:
    return _exp(_each(lambda p: p * p.dtype.type(math.log(2)))(x))


def _sqrt(x: Parts) -> Parts:
    number = x[0].dtype.type
    if x[0].dtype == np.float32:
        wide = [p.astype(np.float64) for p in x]
        root = np.sqrt((np.abs(wide[0]) + np.sqrt(wide[0] * wide[0] + wide[1] * wide[1])) * 0.5)
        other = (np.abs(wide[1]) / (root + root)).astype(np.float32)
        root = root.astype(np.float32)
    else:
        root = np.sqrt(np.abs(x[0]) * number(0.5) + np.hypot(x[0], x[1]) * number(0.5))
        other = np.abs(x[1]) / (root + root)
    positive = np.logical_not(np.copysign(number(1), x[0]) < 0)
    real, imaginary = np.where(positive, root, other), np.where(positive, other, root)
    nothing = np.logical_and(x[0] == 0, x[1] == 0)
    real, imaginary = np.where(nothing, number(0), real), np.where(nothing, number(0), imaginary)
    straight, level = np.abs(x[0]) == np.inf, np.where(x[1] == x[1], number(0), x[1])
    real = np.where(straight, np.where(positive, number(np.inf), level), real)
    imaginary = np.where(straight, np.where(positive, level, number(np.inf)), imaginary)
    up = np.abs(x[1]) == np.inf
    return (
        np.where(up, number(np.inf), real),
        np.copysign(np.where(up, number(np.inf), imaginary), x[1]),
    )


# ---------------------------------------------------------------------------------------------------------------------
# Trigonometry


def _endless(x: Parts, found: Parts) -> Parts:
    """Of infinity turned by what is no angle, one part is infinite."""
    lost = np.logical_and(np.abs(x[0]) == np.inf, np.logical_not(np.abs(x[1]) < np.inf))
    return np.where(lost, found[0].dtype.type(np.inf), found[0]), found[1]


def _sinh(x: Parts) -> Parts:
    return _endless(x, (_times(np.sinh(x[0]), np.cos(x[1])), _times(np.cosh(x[0]), np.sin(x[1]))))


def _cosh(x: Parts) -> Parts:
    return _endless(x, (_times(np.cosh(x[0]), np.cos(x[1])), _times(np.sinh(x[0]), np.sin(x[1]))))


def _tanh(x: Parts) -> Parts:
    """W. Kahan, "Branch cuts for complex elementary functions" (1987)."""
    number = x[0].dtype.type
    far = 11 if x[0].dtype == np.float32 else 22
    beyond = np.abs(x[0]) > far
    near = np.where(beyond, number(0), x[0])
    tangent, sine = np.tan(x[1]), np.sinh(near)
    beta, rho = 1 + tangent * tangent, np.sqrt(1 + sine * sine)
    below = 1 + beta * sine * sine
    finite = np.abs(x[1]) < np.inf
    tail = 4 * np.sin(x[1]) * np.cos(x[1]) * np.exp(-2 * np.abs(x[0]))
    tail = np.where(np.abs(x[0]) == np.inf, np.copysign(number(0), np.where(finite, np.sin(2 * x[1]), x[1])), tail)
    known = np.logical_or(finite, np.abs(x[0]) == np.inf)
    one = np.where(known, np.copysign(number(1), x[0]), number(np.nan))
    return (
        np.where(beyond, one, np.where(x[0] == 0, x[0], beta * rho * sine / below)),
        np.where(beyond, tail, np.where(x[1] == 0, x[1], tangent / below)),
    )


def _turned(function: Callable[[Parts], Parts]) -> Callable[[Parts], Parts]:
    """f(z) = -i g(iz): a circular function by its hyperbolic one."""

    def turned(x: Parts) -> Parts:
        real, imaginary = function((-x[1], x[0]))
        return imaginary, -real

    return turned


def _cos(x: Parts) -> Parts:
    return _cosh((-x[1], x[0]))


def _tan(x: Parts) -> Parts:
    return _turned(_tanh)(x)


# ---------------------------------------------------------------------------------------------------------------------
# The tables


def _both(function: Callable[..., Any], join: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *operands: join(*[function(*[x[k] for x in operands]) for k in range(2)])


def _is_true(x: Parts) -> Any:
    return np.logical_or(x[0] != 0, x[1] != 0)


TO_COMPLEX: dict[str, Callable[..., Parts]] = {
    "add": _each(np.add), "subtract": _each(np.subtract), "multiply": _multiply, "divide": _divide,
    "true_divide": _divide, "negative": _each(np.negative), "positive": _each(np.positive),
    "square": lambda x: _multiply(x, x), "reciprocal": _reciprocal,
    "power": _power, "exp": _exp, "exp2": _exp2, "expm1": _expm1, "log": _log, "log2": _scaled_log(2),
    "log10": _scaled_log(10), "log1p": _log1p, "sqrt": _sqrt, "sinh": _sinh, "cosh": _cosh, "tanh": _tanh,
    "sin": _turned(_sinh), "cos": _cos, "tan": _tan,
}  # fmt: skip
TO_REAL: dict[str, Callable[..., Any]] = {
    "absolute": lambda x: np.hypot(x[0], x[1]), "equal": _both(np.equal, np.logical_and),
    "not_equal": _both(np.not_equal, np.logical_or), "isnan": _both(np.isnan, np.logical_or),
    "isinf": _both(np.isinf, np.logical_or), "isfinite": _both(np.isfinite, np.logical_and),
    "logical_not": lambda x: np.logical_not(_is_true(x)),
    "logical_and": lambda x, y: np.logical_and(_is_true(x), _is_true(y)),
    "logical_or": lambda x, y: np.logical_or(_is_true(x), _is_true(y)),
}  # fmt: skip
