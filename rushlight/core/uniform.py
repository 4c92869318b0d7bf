"""Uniform numbers, and what every sampling function needs: element counts, NumPy types and fused multiply-add.

A draw of 32 bits gives a float32 from its low 24 bits, a draw of 64 gives a float64 from its low 53; float16 and
bfloat16 are rounded from a float32. PyTorch's kernels are compiled with fused multiply-add, so `x * (high - low) + low`
is rounded once; here the product is taken in float64, where it is exact, or its rounding error is carried along.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from rushlight.core.dtype import NAMES, dtype
from rushlight.core.mersenne import MersenneTwister

Array = npt.NDArray[Any]
Shape = int | Sequence[int]

CHUNK: Final = 1 << 15  #: how many elements go through the intermediate arrays at a time: they stay in cache
NUMPY_TYPES: Final[dict[str, Any]] = {"float32": np.dtype(np.float32), "float64": np.dtype(np.float64)}
CPP_NAMES: Final = {"float16": "c10::Half", "bfloat16": "c10::BFloat16", "float32": "float", "float64": "double",
                    "uint8": "unsigned char", "int8": "signed char", "int16": "short int", "int32": "int",
                    "int64": "long int", "uint16": "short unsigned int", "uint32": "unsigned int",
                    "uint64": "long unsigned int", "bool": "bool", "complex64": "c10::complex<float>",
                    "complex128": "c10::complex<double>"}  # fmt: skip
REAL_OF: Final = {"complex64": "float32", "complex128": "float64"}

_LOW24 = np.array(0xFF_FFFF, np.int32)
_SCALE24 = np.array(2.0**-24, np.float32)
_SPLITTER: Final = float((1 << 27) + 1)


def element_count(shape: Shape) -> int:
    """How many elements a shape (or a plain count) stands for."""
    return shape if isinstance(shape, int) else math.prod(shape)


def dtype_of(name: str) -> dtype:
    """The dtype called `name`; raises ValueError where there is none."""
    found = NAMES.get(name)
    if found is None:
        raise ValueError(f"there is no dtype called {name!r}")
    return found


def floating_type(name: str, kernel: str) -> np.dtype[Any]:
    """NumPy's type for a floating dtype; raises NotImplementedError in the name of PyTorch's `kernel` for others."""
    known = NUMPY_TYPES.get(name)
    if known is not None:
        return known
    d = dtype_of(name)
    if not d.is_floating_point or d.itemsize < 2:
        raise NotImplementedError(f"\"{kernel}\" not implemented for '{d.scalar_name}'")
    return d.numpy


def rounded(values: Array, kind: np.dtype[Any]) -> Array:
    """float64 values in the type `kind`: to the 16-bit types by way of float32, as C++ converts them."""
    return (values.astype(np.float32) if kind.itemsize == 2 else values).astype(kind, copy=False)


def multiply_add64(a: Any, b: Any, c: Any) -> Array:
    """`a * b + c` in float64, rounded once: the products' and the sum's errors by Dekker (1971) and Knuth (TwoSum)."""
    product = a * b
    a_high = _SPLITTER * a - (_SPLITTER * a - a)
    b_high = _SPLITTER * b - (_SPLITTER * b - b)
    a_low, b_low = a - a_high, b - b_high
    error = ((a_high * b_high - product) + a_high * b_low + a_low * b_high) + a_low * b_low
    total = product + c
    back = total - product
    fused = total + (((product - (total - back)) + (c - back)) + error)
    return np.where(np.isfinite(fused), fused, total)


def unit32(generator: MersenneTwister, count: int) -> npt.NDArray[np.float32]:
    """`count` float32 numbers in [0, 1)."""
    out = np.empty(count, np.float32)
    if generator.fill("uniform32", out, 0.0, 1.0, 1.0):
        return out
    if count <= CHUNK:
        return _unit32_of(generator.draw(count))
    for start in range(0, count, CHUNK):
        part = out[start : start + CHUNK]
        part[:] = _unit32_of(generator.draw(len(part)))
    return out


def _unit32_of(draws: npt.NDArray[np.uint64]) -> npt.NDArray[np.float32]:
    bits = draws.astype(np.int32)
    unit = np.bitwise_and(bits, _LOW24, bits).astype(np.float32)
    return np.multiply(unit, _SCALE24, unit)


def _check_range(low: float, high: float, name: str) -> None:
    d = dtype_of(name)
    limit = (2.0 - 2.0**-7) * 2.0**127 if name == "bfloat16" else float(np.finfo(d.numpy).max)
    for what, value in (("from", low), ("to", high)):
        if not -limit <= value <= limit:
            raise RuntimeError(f"{what} is out of bounds for {CPP_NAMES[name]}")
    if low > high:
        raise RuntimeError(f"uniform_ expects to return a [from, to) range, but found from={low:g} > to={high:g}")
    if high - low > limit:
        raise RuntimeError(
            f"uniform_ expects to-from <= std::numeric_limits<{d.scalar_name}>::max(), but found to={high:g} and "
            f"from={low:g} which result in to-from to exceed the limit"
        )


def _stretched64(unit: Array, low: float, high: float) -> Array:
    out = multiply_add64(unit, np.float64(high - low), np.float64(low))
    return np.where(out == high, low, out)


def _stretch32(unit: npt.NDArray[np.float32], low: float, high: float, out: Array) -> None:
    start, stop = np.float32(low), np.float32(high)
    wide = unit.astype(np.float64)
    wide *= np.float64(stop - start)
    wide += np.float64(start)
    out[...] = wide.astype(np.float32)
    # Rounding can reach `high`, which does not belong to the range: PyTorch then gives `low`.
    reached = out == out.dtype.type(high)
    if reached.any():
        out[reached] = low


def uniform(
    generator: MersenneTwister, shape: Shape, low: float = 0.0, high: float = 1.0, dtype: str = "float32"
) -> Array:
    """An array of `shape` of uniform numbers in [low, high), as `Tensor.uniform_` (and `torch.rand`) makes them.

    `dtype` names a floating type; for "complex64" and "complex128" (`torch.rand`) both parts are uniform.
    Raises RuntimeError for low > high or bounds the type cannot hold, NotImplementedError for other types.

    >>> uniform(MersenneTwister(7), 3).tolist()
    [0.5349225401878357, 0.19880318641662598, 0.6592116951942444]
    """
    if dtype in REAL_OF:
        parts = uniform(generator, element_count(shape) * 2, low, high, REAL_OF[dtype])
        return parts.view(dtype).reshape(shape)
    kind = floating_type(dtype, "check_uniform_bounds")
    standard = low == 0.0 and high == 1.0
    if not standard:
        _check_range(low, high, dtype)
    count = element_count(shape)
    if dtype == "float32" and standard:
        return unit32(generator, count).reshape(shape)
    out = np.empty(count, kind)
    if dtype == "float64":
        if generator.fill("uniform64", out, low, high - low, high):
            return out.reshape(shape)
        unit = generator.doubles(count)
        return (unit if standard else _stretched64(unit, low, high)).reshape(shape)
    if dtype == "float32":
        bottom, top = np.float32(low), np.float32(high)
        if generator.fill("uniform32", out, float(bottom), float(top - bottom), float(top)):
            return out.reshape(shape)
    for start in range(0, count, CHUNK):
        part = out[start : start + CHUNK]
        _stretch32(_unit32_of(generator.draw(len(part))), low, high, part)
    return out.reshape(shape)


def memory_order(shape: Sequence[int], strides: Sequence[int]) -> tuple[int, ...]:
    """The axes of a tensor from slowest to fastest in memory: the order in which in-place sampling fills it.

    PyTorch hands out random numbers along memory, not along the indices: `x.t().uniform_()` gives `x` the numbers
    that `x.uniform_()` would. So sample a contiguous array of `[shape[a] for a in axes]` and assign it to
    `target.transpose(axes)`. Functions that return a new tensor (`torch.bernoulli`, `torch.normal`) fill in index
    order, the `_like` ones and dropout in the memory order of the result.

    >>> memory_order((4, 3), (1, 4))
    (1, 0)
    """
    return tuple(sorted(range(len(shape)), key=lambda axis: -strides[axis]))
