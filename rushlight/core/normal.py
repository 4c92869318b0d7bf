"""Normal numbers, by the three routes PyTorch takes, and what is made of them: log-normal and truncated normal.

    16 or more, contiguous    blocks of 16 draws (`box_muller.py` in single precision, below in double)
    fewer, or not contiguous  pairs in double precision; the second of a pair waits in the generator for the next call
    a mean or std per element standard normal numbers by one of the routes above, then `* std + mean`

When a size is not a multiple of 16 the last 16 numbers are made again from 16 more draws. The block routes do not touch
the number that waits. Logarithms in double precision come from the C library, as PyTorch's do: NumPy's own differ from
them in the last bit.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt

from rushlight.core import box_muller
from rushlight.core.mersenne import MersenneTwister
from rushlight.core.uniform import (
    REAL_OF,
    Array,
    Shape,
    element_count,
    floating_type,
    multiply_add64,
    rounded,
    uniform,
)

BLOCK = box_muller.BLOCK
_TWO_PI = 2.0 * math.pi
_BY_ONE = 32  #: up to here a loop over Python floats is faster than arrays


def c_library(function: Callable[[float], float], values: Array) -> npt.NDArray[np.float64]:
    """`function` of the module `math` for each of `values`."""
    return np.fromiter(map(function, values.tolist()), np.float64, len(values))


# ---- 16 or more: blocks


def _filled(generator: MersenneTwister, count: int, mean: float, std: float) -> npt.NDArray[np.float32] | None:
    """The numbers of `_blocks32`, times `std` plus `mean`, in machine code, if there is any."""
    out = np.empty(count, np.float32)
    return out if generator.fill("normals32", out, mean, std) else None


def _filled16(generator: MersenneTwister, count: int, mean: float, std: float) -> npt.NDArray[np.float32] | None:
    """The numbers of `_blocks16`, likewise."""
    out, extra = np.empty(count, np.float32), count % BLOCK
    if not generator.fill("normals32", out[: count - extra], mean, std):
        return None
    if extra:
        generator.fill("normals32", out[-BLOCK:], mean, std)
    return out


def _blocks32(generator: MersenneTwister, count: int) -> npt.NDArray[np.float32]:
    """`count` >= 16 standard normal numbers: PyTorch's `normal_fill` for float32."""
    extra = count % BLOCK
    if not extra:
        return box_muller.standard_normal(generator.draw(count))
    draws = generator.draw(count + BLOCK)
    return _last_block_again(np.concatenate((draws[: count - extra], draws[count:])), count)


def _blocks16(generator: MersenneTwister, count: int) -> npt.NDArray[np.float32]:
    """The same for float16 and bfloat16, which draw block by block and so nothing for an incomplete block."""
    if not count % BLOCK:
        return box_muller.standard_normal(generator.draw(count))
    return _last_block_again(generator.draw(count // BLOCK * BLOCK + BLOCK), count)


def _last_block_again(draws: npt.NDArray[np.uint64], count: int) -> npt.NDArray[np.float32]:
    normals = box_muller.standard_normal(draws)
    out = np.empty(count, np.float32)
    out[: len(normals) - BLOCK] = normals[:-BLOCK]
    out[-BLOCK:] = normals[-BLOCK:]
    return out


def _blocks64(generator: MersenneTwister, count: int) -> npt.NDArray[np.float64]:
    extra = count % BLOCK
    unit = generator.doubles(count + BLOCK if extra else count)
    out = np.empty(count)
    whole = count - extra
    out[:whole] = _box_muller64(unit[:whole])
    if extra:
        out[-BLOCK:] = _box_muller64(unit[count:])
    return out


def _box_muller64(unit: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    pairs = unit.reshape(-1, 2, 8)
    radius = np.sqrt(-2.0 * c_library(math.log, (1.0 - pairs[:, 0]).ravel())).reshape(-1, 8)
    angle = _TWO_PI * pairs[:, 1]
    out = np.empty_like(pairs)
    np.multiply(radius, np.cos(angle), out[:, 0])
    np.multiply(radius, np.sin(angle), out[:, 1])
    return out.ravel()


# ---- fewer than 16: pairs


def _pairs(generator: MersenneTwister) -> Iterator[float]:
    """Standard normal numbers without end, each pair's second left in the generator while it has not been taken."""
    double = generator.double
    while True:
        waiting = generator.next_normal
        if waiting is not None:
            generator.next_normal = None
            yield waiting
            continue
        angle = _TWO_PI * double()
        radius = math.sqrt(-2.0 * math.log1p(-double()))
        generator.next_normal = radius * math.sin(angle)
        yield radius * math.cos(angle)


def one_normal(generator: MersenneTwister) -> float:
    """The next standard normal number, in double precision, by pairs."""
    return next(_pairs(generator))


def serial_normal(generator: MersenneTwister, count: int) -> npt.NDArray[np.float64]:
    """`count` standard normal numbers by pairs: what PyTorch does below 16, and for any size in strided memory."""
    if count <= _BY_ONE:
        source = _pairs(generator)
        return np.array([next(source) for _ in range(count)], np.float64)
    out = np.empty(count)
    taken = int(generator.next_normal is not None)
    if taken:
        out[0], generator.next_normal = generator.next_normal, None
    unit = generator.doubles(count - taken + (count - taken) % 2)
    radius = np.sqrt(-2.0 * c_library(math.log1p, -unit[1::2]))
    angle = _TWO_PI * unit[0::2]
    out[taken::2] = radius * np.cos(angle)
    second = radius * np.sin(angle)
    if (count - taken) % 2:
        generator.next_normal = float(second[-1])
    out[taken + 1 :: 2] = second[: (count - taken) // 2]
    return out


# ---- the functions


def _check_std(std: float) -> None:
    if not std >= 0.0:
        raise RuntimeError(f"normal expects std >= 0.0, but found std {std:g}")


def normal(
    generator: MersenneTwister,
    shape: Shape,
    mean: float = 0.0,
    std: float = 1.0,
    dtype: str = "float32",
    contiguous: bool = True,
) -> Array:
    """An array of `shape` of normal numbers, as `Tensor.normal_` (and `torch.randn`) makes them.

    `contiguous=False` is for targets whose memory is not in index order (a transpose, channels_last): PyTorch then
    works by pairs whatever the size, and fills in the order `memory_order` gives. For complex types the real and the
    imaginary part have a variance of std**2 / 2 each. Raises RuntimeError for a negative `std`, NotImplementedError for
    types that are not floating.

    >>> normal(MersenneTwister(7), 3).tolist()
    [-0.1467950940132141, 0.7861412763595581, 0.9468216300010681]
    """
    _check_std(std)
    count = element_count(shape)
    if dtype in REAL_OF:
        parts = normal(generator, 2 * count, mean, std / math.sqrt(2.0), REAL_OF[dtype], contiguous)
        return parts.view(dtype).reshape(shape)
    if not count:
        return np.empty(shape, floating_type(dtype, "normal_kernel_cpu"))
    if count < BLOCK or not contiguous:
        return _serial(generator, count, mean, std, dtype).reshape(shape)
    if dtype == "float64":
        out: Array = _blocks64(generator, count)
        return (out if _is_standard(mean, std) else multiply_add64(out, std, mean)).reshape(shape)
    kind = floating_type(dtype, "normal_kernel_cpu")
    filled = (_filled if dtype == "float32" else _filled16)(generator, count, mean, std)
    if filled is not None:
        return filled.astype(kind, copy=False).reshape(shape)
    out = _blocks32(generator, count) if dtype == "float32" else _blocks16(generator, count)
    if not _is_standard(mean, std):
        out = (out.astype(np.float64) * np.float64(np.float32(std)) + np.float64(np.float32(mean))).astype(np.float32)
    return out.astype(kind, copy=False).reshape(shape)


def _is_standard(mean: float, std: float) -> bool:
    return std == 1.0 and mean == 0.0


def _serial(generator: MersenneTwister, count: int, mean: float, std: float, dtype: str) -> Array:
    kind = floating_type(dtype, "normal_kernel_cpu")
    out: Array = serial_normal(generator, count)
    if not _is_standard(mean, std):
        out = multiply_add64(out, std, mean)
    return rounded(out, kind)


def normal_of(generator: MersenneTwister, mean: Array | float, std: Array | float) -> Array:
    """A normal number for each element of `mean` and `std` broadcast together, as `torch.normal` with tensors.

    At least one of the two is an array; the result has the dtype of `mean` if that is one, else of `std`.
    Raises RuntimeError where an element of `std` is negative.
    """
    given = mean if isinstance(mean, np.ndarray) else std
    assert isinstance(given, np.ndarray), "normal_of is for arrays; use normal for two numbers"
    shape = np.broadcast_shapes(np.shape(mean), np.shape(std))
    name = given.dtype.name
    if not isinstance(std, np.ndarray):
        return normal(generator, shape, 0.0, std, name) + mean
    if std.size and not (std >= 0).all():
        raise RuntimeError("normal expects all elements of std >= 0.0")
    out = normal(generator, shape, dtype=name)
    out *= std.astype(out.dtype, copy=False)
    out += np.asarray(mean, out.dtype)
    return out


def log_normal(
    generator: MersenneTwister, shape: Shape, mean: float = 1.0, std: float = 2.0, dtype: str = "float32"
) -> Array:
    """An array of `shape` of numbers whose logarithms are normal, as `Tensor.log_normal_`: always by pairs.

    Raises RuntimeError unless `std` > 0 and NotImplementedError for types that are not floating.

    >>> log_normal(MersenneTwister(7), 2, 0.0, 1.0).tolist()
    [0.8634709119796753, 2.1949105262756348]
    """
    if not std > 0.0:
        raise RuntimeError(f"log_normal_ expects std > 0.0, but found std={std:g}")
    kind = floating_type(dtype, "log_normal_cpu")
    exponents = multiply_add64(serial_normal(generator, element_count(shape)), std, mean)
    out = c_library(math.exp, exponents) if dtype == "float64" else np.exp(exponents)
    return rounded(out, kind).reshape(shape)


# ---- truncated normal


def truncated_normal(
    generator: MersenneTwister,
    shape: Shape,
    mean: float = 0.0,
    std: float = 1.0,
    a: float = -2.0,
    b: float = 2.0,
    dtype: str = "float32",
    contiguous: bool = True,
) -> Array:
    """An array of `shape` of normal numbers between `a` and `b`, as `torch.nn.init.trunc_normal_` draws them.

    Where the interval holds more than 0.3 of the probability, normal numbers are drawn again until all lie in it; else
    uniform numbers from it are accepted with the probability their density has to the highest. Each round draws for
    every element, wanted or not. Warns when the mean is more than two `std` outside.
    """
    if mean < a - 2 * std or mean > b + 2 * std:
        warnings.warn("mean is more than 2 std from [a, b] in nn.init.trunc_normal_. "
                      "The distribution of values may be incorrect.", stacklevel=2)  # fmt: skip
    kind = floating_type(dtype, "normal_kernel_cpu").type
    draw = lambda: normal(generator, shape, mean, std, dtype, contiguous)
    if _normal_cdf((b - mean) / std) - _normal_cdf((a - mean) / std) > 0.3:
        return _redraw_outside(draw, kind(a), kind(b))
    peak = -0.5 * ((max(a, min(mean, b)) - mean) / std) ** 2
    return _accept_by_density(generator, shape, (mean, std, a, b), peak, dtype)


def _normal_cdf(x: float) -> float:
    return (1.0 + math.erf(x / math.sqrt(2.0))) / 2.0


def _redraw_outside(draw: Callable[[], Array], low: Array, high: Array) -> Array:
    out = draw()
    while True:
        outside = (out < low) | (out > high)
        if not outside.any():
            return out
        np.copyto(out, draw(), where=outside)


def _accept_by_density(
    generator: MersenneTwister, shape: Shape, parameters: tuple[float, ...], peak: float, dtype: str
) -> Array:
    mean, std, a, b = parameters
    out = uniform(generator, shape, a, b, dtype)
    kind, fresh = out.dtype.type, out
    pending = np.ones(out.shape, bool)
    while True:
        density = (fresh - kind(mean)) / kind(std)
        density = density * density * kind(-0.5) - kind(peak)
        with np.errstate(divide="ignore"):
            pending &= np.log(uniform(generator, shape, dtype=dtype)) > density
        if not pending.any():
            return out
        fresh = uniform(generator, shape, a, b, dtype)
        np.copyto(out, fresh, where=pending)
