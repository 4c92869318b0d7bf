"""NumPy functions that are expressions in simpler ones: what they are to the compiler.

`UFUNCS` has formulas for ufuncs, `FUNCTIONS` (of `capture`, which this module fills) for NumPy's other functions.  They
call NumPy on Symbols, so what they build is what a kernel could have written itself; edges (zeros, infinities, NaN) are
NumPy's.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from rushlight.core import strided
from rushlight.core.strided import contiguous_strides

from .assembly import iota
from .capture import FUNCTIONS, NotLowered, Symbol, broadcast, cast, kind_of, look, operand
from .processor import processor


def call(kind: str, *args: Any) -> Symbol:
    """A primitive that no ufunc is the name of."""
    return Symbol(kind, args, tuple(np.broadcast_shapes(*[a.shape for a in args])), args[0].dtype)


def _together(*operands: Any) -> list[Symbol]:
    """The operands in the dtype that NumPy computes in."""
    kinds = [kind_of(x) for x in operands]
    known = any(isinstance(k, np.dtype) for k in kinds)
    to = np.add.resolve_dtypes((*[k if known else x.dtype for x, k in zip(operands, kinds, strict=True)], None))[0]
    return [operand(x, to) for x in operands]


def _is_float(x: Any) -> bool:
    return isinstance(x, Symbol) and x.dtype.kind == "f"


def _sign(x: Any) -> Any:
    return np.where(x > 0, x.dtype.type(1), np.where(x < 0, x.dtype.type(-1), np.where(x == 0, x.dtype.type(0), x)))


def _isinf(x: Any) -> Any:
    return np.abs(x) == np.inf if _is_float(x) else np.not_equal(x, x)


def _isfinite(x: Any) -> Any:
    return np.abs(x) < np.inf if _is_float(x) else np.equal(x, x)


def _signbit(x: Any) -> Any:
    return np.copysign(x.dtype.type(1), x) < 0 if _is_float(x) else x < 0


def _logaddexp(x: Any, y: Any) -> Any:
    x, y = _together(x, y)
    larger = np.maximum(x, y) + np.log1p(np.exp(-np.abs(x - y)))
    return np.where(x == y, x + x.dtype.type(math.log(2)), larger)


def _hypot(x: Any, y: Any) -> Any:
    x, y = _together(x, y)
    if x.dtype == np.float32:
        wide, high = x.astype(np.float64), y.astype(np.float64)
        found = np.sqrt(wide * wide + high * high).astype(np.float32)
    else:
        large, small = np.maximum(np.abs(x), np.abs(y)), np.minimum(np.abs(x), np.abs(y))
        ratio = small / np.where(large == 0, large.dtype.type(1), large)
        found = large * np.sqrt(ratio * ratio + 1)
    infinite = np.logical_or(_isinf(x), _isinf(y))
    return np.where(infinite, x.dtype.type(np.inf), found)


def _fmax(x: Any, y: Any) -> Any:
    x, y = _together(x, y)
    return np.where(np.isnan(x), y, np.where(np.isnan(y), x, np.maximum(x, y)))


def _fmin(x: Any, y: Any) -> Any:
    x, y = _together(x, y)
    return np.where(np.isnan(x), y, np.where(np.isnan(y), x, np.minimum(x, y)))


def _logaddexp2(x: Any, y: Any) -> Any:
    x, y = _together(x, y)
    larger = np.maximum(x, y) + np.log1p(np.exp2(-np.abs(x - y))) * x.dtype.type(math.log2(math.e))
    return np.where(x == y, x + 1, larger)


def _heaviside(x: Any, y: Any) -> Any:
    x, y = _together(x, y)
    return np.where(np.isnan(x), x, np.where(x == 0, y, np.where(x < 0, x.dtype.type(0), x.dtype.type(1))))


def _logical_xor(x: Any, y: Any) -> Any:
    return np.not_equal(x != 0, y != 0)


# ---------------------------------------------------------------------------------------------------------------------
# Division with rounding


def _whole_parts(x: Any, y: Any) -> tuple[Any, Any, Any, Any]:
    """Quotient and remainder towards zero, by a divisor that cannot trap; and where the true one is 0 or -1."""
    if x.dtype.kind != "i":
        raise NotLowered(f"division with rounding of {x.dtype}")
    zero, minus = y == 0, y == -1
    safe = np.where(np.logical_or(zero, minus), y.dtype.type(1), y)
    quotient = call("quotient", x, safe)
    return quotient, x - quotient * safe, zero, minus


def _floor_divide_whole(x: Any, y: Any) -> Any:
    quotient, rest, zero, minus = _whole_parts(x, y)
    lower = np.logical_and(rest != 0, (rest < 0) != (y < 0))
    down = np.where(lower, quotient - 1, quotient)
    return np.where(zero, x.dtype.type(0), np.where(minus, -x, down))


def _floor_divide(x: Any, y: Any) -> Any:
    x, y = _together(x, y)
    number = x.dtype.type
    if x.dtype.kind != "f":
        return _floor_divide_whole(x, y)
    rest = np.fmod(x, y)
    lower = np.logical_and(rest != 0, (rest < 0) != (y < 0))
    quotient = (x - rest) / y
    quotient = np.where(lower, quotient - 1, quotient)
    down = np.floor(quotient)
    down = np.where(quotient - down > number(0.5), down + 1, down)
    down = np.where(quotient == 0, np.copysign(number(0), x / y), down)
    return np.where(y == 0, x / y, down)


def _remainder(x: Any, y: Any) -> Any:
    x, y = _together(x, y)
    if x.dtype.kind != "f":
        _, rest, zero, minus = _whole_parts(x, y)
        rest = np.where(np.logical_and(rest != 0, (rest < 0) != (y < 0)), rest + y, rest)
        return np.where(np.logical_or(zero, minus), x.dtype.type(0), rest)
    rest = np.fmod(x, y)
    turned = np.where((rest < 0) != (y < 0), rest + y, rest)
    found = np.where(rest == 0, np.copysign(x.dtype.type(0), y), turned)
    return np.where(y == 0, rest, found)


def _fmod_floats(x: Any, y: Any) -> Any:
    """|x| minus the largest multiple of |y| in it, exactly: by doubles, and their product rounded with the difference.

    A rounded quotient can be one too large.  Those beyond 2**52 are left to the interpreter.
    """
    wide, by = np.abs(x.astype(np.float64)), np.abs(y.astype(np.float64))
    times = np.floor(wide / by)
    times = times.provided(np.logical_not(np.logical_and(times > 2.0**52, times < np.inf)))
    rest = (-times).multiply_add(by, wide)
    rest = np.where(rest < 0, rest + by, rest)
    rest = np.where(np.logical_and(by == np.inf, wide < np.inf), wide, rest)
    return np.copysign(rest.astype(x.dtype), x)


def _fmod(x: Any, y: Any) -> Any:
    x, y = _together(x, y)
    if x.dtype.kind == "f":
        return _fmod_floats(x, y) if processor().fuses else call("fmod", x, y)
    _, rest, zero, minus = _whole_parts(x, y)
    return np.where(np.logical_or(zero, minus), x.dtype.type(0), rest)


UFUNCS: dict[str, Callable[..., Any]] = {
    "sign": _sign, "isinf": _isinf, "isfinite": _isfinite, "signbit": _signbit, "logaddexp": _logaddexp,
    "logaddexp2": _logaddexp2, "heaviside": _heaviside,
    "hypot": _hypot, "fmax": _fmax, "fmin": _fmin, "logical_xor": _logical_xor, "floor_divide": _floor_divide,
    "remainder": _remainder, "fmod": _fmod, "fabs": np.abs, "conjugate": lambda x: x,
    "deg2rad": lambda x: x * x.dtype.type(math.pi / 180), "rad2deg": lambda x: x * x.dtype.type(180 / math.pi),
}  # fmt: skip

# ---------------------------------------------------------------------------------------------------------------------
# Functions that are no ufuncs


def _clip(x: Any, low: Any = None, high: Any = None, out: Any = None) -> Any:
    if out is not None:
        raise NotLowered("numpy.clip into an array")
    x = x if low is None else np.maximum(x, low)
    return x if high is None else np.minimum(x, high)


def _any(x: Any, axis: Any = None, out: Any = None, keepdims: bool = False) -> Any:
    flags = np.where(x != 0, np.int32(1), np.int32(0)) if x.dtype.kind != "b" else cast(x, np.dtype(np.int32))
    return np.max(flags, axis=axis, keepdims=keepdims) != 0


def _all(x: Any, axis: Any = None, out: Any = None, keepdims: bool = False) -> Any:
    flags = np.where(x != 0, np.int32(1), np.int32(0)) if x.dtype.kind != "b" else cast(x, np.dtype(np.int32))
    return np.min(flags, axis=axis, keepdims=keepdims) != 0


def _count_nonzero(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    return np.sum(x != 0, axis=axis, keepdims=keepdims)


def _prod(x: Any, axis: Any = None, dtype: Any = None, keepdims: bool = False) -> Any:
    product: Any = np.multiply.reduce
    return product(x, axis=axis, dtype=dtype, keepdims=keepdims)


def _split(x: Any, parts: Any, axis: int = 0) -> list[Any]:
    axis, n = axis % x.ndim, x.shape[axis]
    if isinstance(parts, (int, np.integer)) and n % parts:
        raise ValueError("array split does not result in an equal division")
    ends = range(n // parts, n, n // parts) if isinstance(parts, (int, np.integer)) else parts
    bounds = [0, *ends, n]
    before = (slice(None),) * axis
    return [x[(*before, slice(a, b))] for a, b in zip(bounds, bounds[1:], strict=False)]


def _nan_to_num(x: Any, copy: bool = True, nan: Any = 0.0, posinf: Any = None, neginf: Any = None) -> Any:
    known, number = np.finfo(x.dtype), x.dtype.type
    high, low = known.max if posinf is None else posinf, known.min if neginf is None else neginf
    x = np.where(x == np.inf, number(high), np.where(x == -np.inf, number(low), x))
    return np.where(np.isnan(x), number(nan), x)


def _filled(value: float) -> Callable[..., Any]:
    def filled(x: Symbol, dtype: Any = None) -> Any:
        return broadcast(Symbol("constant", (), (), dtype or x.dtype, value), x.shape)

    return filled


def _sinc(x: Any) -> Any:
    turns = np.where(x == 0, x.dtype.type(1e-20), x) * x.dtype.type(math.pi)
    return np.sin(turns) / turns


def _triangle(x: Any, k: int, lower: bool) -> Any:
    rows, columns = iota(x.shape, x.ndim - 2), iota(x.shape, x.ndim - 1)
    inside = columns <= rows + k if lower else columns >= rows + k
    return np.where(inside, x, x.dtype.type(0))


def _diagonal(x: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    shape = strided.diagonal(x.shape, contiguous_strides(x.shape), 0, offset, axis1, axis2)[0]
    return look(x, tuple(shape), lambda strides, start: strided.diagonal(
        x.shape, strides, start, offset, axis1, axis2)[1:])  # fmt: skip


def _trace(x: Any) -> Any:
    """The sum of the diagonal of a matrix, which is a view of it."""
    n = min(x.shape)
    return look(x, (n,), lambda strides, offset: ((sum(strides),), offset)).sum()


def _cross(x: Any, y: Any, axis: int = -1) -> Any:
    def product(i: int, j: int) -> Any:
        return x[place(i)] * y[place(j)] - x[place(j)] * y[place(i)]

    axis %= x.ndim
    place = lambda i: (*[slice(None)] * axis, i)  # noqa: E731
    return np.stack([product(1, 2), product(2, 0), product(0, 1)], axis)


def _isclose(x: Any, y: Any, rtol: Any, atol: Any, equal_nan: bool = False) -> Any:
    near = np.logical_and(np.abs(x - y) <= atol + rtol * np.abs(y), _isfinite(y)) if _is_float(y) else None
    if near is None:
        raise NotLowered("whole numbers that are close")
    close = np.logical_or(near, x == y)
    return np.logical_or(close, np.logical_and(np.isnan(x), np.isnan(y))) if equal_nan else close


def _first_place(best: Callable[..., Any]) -> Callable[..., Any]:
    """argmax and argmin: the first place of the best number, NaN before all others."""

    def place(x: Any, axis: Any = None, out: Any = None, keepdims: bool = False) -> Any:
        if axis is None:
            x, axis = x.reshape(x.size), 0
        axis %= x.ndim
        found = x == best(x, axis=axis, keepdims=True)
        found = np.logical_or(found, np.isnan(x)) if x.dtype.kind == "f" else found
        places = np.where(found, iota(x.shape, axis), x.shape[axis])
        return np.min(places, axis=axis, keepdims=keepdims)

    return place


FUNCTIONS.update({
    np.clip: _clip, np.any: _any, np.all: _all, np.count_nonzero: _count_nonzero, np.prod: _prod,
    np.zeros_like: _filled(0), np.ones_like: _filled(1),
    np.full_like: lambda x, fill_value, dtype=None: _filled(fill_value)(x, dtype),
    np.tril: lambda x, k=0: _triangle(x, k, True), np.triu: lambda x, k=0: _triangle(x, k, False),
    np.argmax: _first_place(np.max), np.argmin: _first_place(np.min),
    np.isposinf: lambda x: x == np.inf, np.isneginf: lambda x: x == -np.inf,
    np.split: _split, np.squeeze: lambda x, axis=None: x.squeeze(axis), np.nan_to_num: _nan_to_num,
    np.trace: _trace, np.diagonal: _diagonal, np.cross: _cross, np.isclose: _isclose,
    np.sinc: _sinc, np.real: lambda x: x, np.iscomplex: lambda x: np.not_equal(x, x),
})  # fmt: skip
