"""Every sampling function in one place: those of the neighbouring modules, and the ones that need a line or two.

A function takes a `MersenneTwister`, a shape (or arrays of parameters) and the name of a dtype, and returns a new NumPy
array; it draws as many random bits as PyTorch's CPU kernel does, in the same order, so that a program's later numbers
agree as well. Nothing is drawn before all parameters have been checked.
"""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np

from rushlight.core.dtype import FLOATING
from rushlight.core.mersenne import MersenneTwister
from rushlight.core.normal import c_library, log_normal, normal, normal_of, truncated_normal
from rushlight.core.random_integers import randint, random, randperm
from rushlight.core.rejection import binomial, dirichlet, poisson, standard_gamma
from rushlight.core.uniform import (
    CHUNK,
    CPP_NAMES,
    Array,
    Shape,
    dtype_of,
    element_count,
    floating_type,
    memory_order,
    multiply_add64,
    rounded,
    uniform,
    unit32,
)

__all__ = [
    "bernoulli", "bernoulli_of", "binomial", "cauchy", "dirichlet", "dropout_mask", "exponential", "geometric",
    "log_normal", "memory_order", "multinomial", "normal", "normal_of", "poisson", "randint", "random", "randperm",
    "standard_gamma", "truncated_normal", "uniform",
]  # fmt: skip

NAMES_OF: Final = {np.dtype(name): name for name in ("float32", "float64")}  # NumPy takes its time to say them
_CHOOSING: Final = {np.dtype(np.float32): "chosen32", np.dtype(np.float64): "chosen64"}  # fillings, by type
_MOST_CATEGORIES: Final = 1 << 24
_FEW: Final = 1 << 17  # comparisons up to which all of them take less time than a search in each row
_UNSUPPORTED: Final = ("uint16", "uint32", "uint64", "float8_e4m3fn", "float8_e5m2")


def _real_type(name: str, kernel: str) -> np.dtype[Any]:
    d = dtype_of(name)
    if d.category > FLOATING or name in _UNSUPPORTED:
        raise NotImplementedError(f"\"{kernel}\" not implemented for '{d.scalar_name}'")
    return d.numpy


# ---- bernoulli and dropout


def _successes(generator: MersenneTwister, count: int, p: float) -> Array:
    """Whether each of `count` uniform doubles is below `p`: an integer comparison of the 53 bits they are made of."""
    bound = math.ceil(math.ldexp(p, 53))
    out = np.empty(count, bool)
    if generator.fill("chosen8", out, bound):
        return out
    if count <= CHUNK:
        return generator.draw53(count) < bound
    for start in range(0, count, CHUNK):
        part = out[start : start + CHUNK]
        np.less(generator.draw53(len(part)), bound, part)
    return out


def _chosen(generator: MersenneTwister, shape: Shape, p: float, value: float, kind: np.dtype[Any]) -> Array:
    """An array of `shape`, `value` with probability `p` and else 0."""
    count, filling = element_count(shape), _CHOOSING.get(kind)
    if filling is not None:
        out = np.empty(count, kind)
        if generator.fill(filling, out, math.ceil(math.ldexp(p, 53)), value):
            return out.reshape(shape)
    chosen = _successes(generator, count, p)
    out = chosen.astype(kind, copy=False) if value == 1 else np.multiply(chosen, value, dtype=kind)
    return out.reshape(shape)


def bernoulli(generator: MersenneTwister, shape: Shape, p: float = 0.5, dtype: str = "float32") -> Array:
    """An array of `shape`, 1 with probability `p` and else 0, as `Tensor.bernoulli_(p)`: a 64-bit draw each.

    Raises RuntimeError unless 0 <= `p` <= 1 and NotImplementedError for complex and wide unsigned types.

    >>> bernoulli(MersenneTwister(7), 5, 0.5).tolist()
    [1.0, 1.0, 0.0, 0.0, 0.0]
    """
    if not 0.0 <= p <= 1.0:
        raise RuntimeError(f"bernoulli_ expects p to be in [0, 1], but got p={p:g}")
    kind = _real_type(dtype, "bernoulli_scalar_cpu_")
    return _chosen(generator, shape, p, 1, kind)


def bernoulli_of(generator: MersenneTwister, p: Array, dtype: str | None = None) -> Array:
    """1 with the probability that stands in each place of `p`, else 0, as `torch.bernoulli` and `bernoulli_(p)` with a
    tensor: a 64-bit draw each where `p` is float64, else a 32-bit draw. `dtype` is that of `p` unless named.

    Raises RuntimeError for a probability outside [0, 1] and NotImplementedError for a `p` that is not floating.
    """
    floating_type(p.dtype.name, "bernoulli_tensor_cpu_p_")
    kind = _real_type(dtype or p.dtype.name, "bernoulli_tensor_cpu_self_")
    if not ((p >= 0) & (p <= 1)).all():
        raise RuntimeError("Expected p_in >= 0 && p_in <= 1 to be true, but got false. (a probability handed to "
                           "bernoulli is below 0, above 1 or nan)")  # fmt: skip
    unit = generator.doubles(p.size) if p.dtype == np.float64 else unit32(generator, p.size)
    chosen = unit.reshape(p.shape) < p.astype(unit.dtype, copy=False)
    return np.asarray(chosen, dtype=kind)  # a comparison of arrays without dimensions is no array


def dropout_mask(generator: MersenneTwister, shape: Shape, p: float = 0.5, dtype: str = "float32") -> Array:
    """What `F.dropout` multiplies its input by: 0 with probability `p`, else 1 / (1 - p) in the type `dtype`.

    Nothing is drawn where `p` is 0 or 1. `shape` is the input's, or for `dropout2d` and its like the shape with 1 for
    every axis that shares a draw. Raises ValueError unless 0 <= `p` <= 1.

    >>> dropout_mask(MersenneTwister(7), 4, 0.5).tolist()
    [2.0, 2.0, 0.0, 0.0]
    """
    if not 0.0 <= p <= 1.0:
        raise ValueError(f"dropout probability has to be between 0 and 1, but got {p}")
    kind = floating_type(dtype, "bernoulli_scalar_cpu_")
    if p == 0.0 or p == 1.0:
        return np.full(shape, 1.0 - p, kind)
    wide = np.float64 if dtype == "float64" else np.float32
    scale = (wide(1.0) / wide(1.0 - p)).astype(kind)
    return _chosen(generator, shape, 1.0 - p, scale, kind)


# ---- continuous and geometric


def exponential(generator: MersenneTwister, shape: Shape, rate: float = 1.0, dtype: str = "float32") -> Array:
    """An array of `shape` of exponential numbers with mean 1 / `rate`, as `Tensor.exponential_`.

    Raises RuntimeError unless `rate` > 0 and for types that are not floating.

    >>> exponential(MersenneTwister(7), 2).tolist()
    [0.3276439309120178, 0.319783478975296]
    """
    if not rate > 0.0:
        raise RuntimeError(f"exponential_ expects lambda > 0.0, but found lambda={rate:g}")
    d = dtype_of(dtype)
    if not d.is_floating_point:
        raise RuntimeError("Exponential distribution is a continuous probability distribution. dtype must be a "
                           f"floating point but you specified {d.scalar_name}")  # fmt: skip
    kind = floating_type(dtype, "exponential_cpu")
    unit = generator.doubles(element_count(shape))
    np.negative(unit, unit)
    logs = c_library(math.log1p, unit) if dtype == "float64" else np.log1p(unit, unit)
    return rounded(np.multiply(logs, -1.0 / rate, logs), kind).reshape(shape)


def cauchy(
    generator: MersenneTwister, shape: Shape, median: float = 0.0, sigma: float = 1.0, dtype: str = "float32"
) -> Array:
    """An array of `shape` of Cauchy numbers, as `Tensor.cauchy_`.

    Raises RuntimeError unless `sigma` > 0 and for types that are not floating.
    """
    if not sigma > 0.0:
        raise RuntimeError(f"cauchy_ expects sigma > 0.0, but found sigma={sigma:g}")
    if not dtype_of(dtype).is_floating_point:
        raise RuntimeError("Cauchy distribution is a continuous probability distribution. dtype must be a "
                           f"floating point but you specified {CPP_NAMES[dtype]}")  # fmt: skip
    kind = floating_type(dtype, "cauchy_cpu")
    angle = math.pi * (generator.doubles(element_count(shape)) - 0.5)
    tangent = c_library(math.tan, angle) if dtype == "float64" else np.tan(angle, angle)
    return rounded(multiply_add64(tangent, sigma, median), kind).reshape(shape)


def geometric(generator: MersenneTwister, shape: Shape, p: float, dtype: str = "float32") -> Array:
    """An array of `shape` of numbers of trials up to the first success, as `Tensor.geometric_(p)`.

    Raises RuntimeError unless 0 < `p` < 1 and NotImplementedError for bool, complex and wide unsigned types.

    >>> geometric(MersenneTwister(7), 4, 0.3, "int64").tolist()
    [4, 4, 1, 2]
    """
    if not 0.0 < p < 1.0:
        raise RuntimeError(f"geometric_ expects p to be in (0, 1), but got p={p:g}")
    kind = _real_type(dtype, "geometric_cpu")
    if kind == np.bool_:
        raise NotImplementedError("\"geometric_cpu\" not implemented for 'Bool'")
    unit = generator.doubles(element_count(shape))
    with np.errstate(divide="ignore", invalid="ignore"):
        return rounded(np.ceil(np.log(unit) / math.log1p(-p)), kind).reshape(shape)


# ---- multinomial


def multinomial(generator: MersenneTwister, weights: Array, num_samples: int, replacement: bool = False) -> Array:
    """`num_samples` categories for each row of `weights`, as `torch.multinomial`: int64, shape [rows,] num_samples.

    With replacement a double is looked up in the row's running sum. Without, or for a single sample, each weight is
    divided by an exponential number and the largest quotients win; where quotients are equal (weights of 0), the lower
    index goes first. `weights` are floating, 1-d or 2-d, and need not sum to 1. Raises RuntimeError for other
    arrays, for weights that are negative, infinite or nan, for a row that sums to 0, and for too many samples.

    >>> multinomial(MersenneTwister(7), np.array([0.0, 1.0, 3.0], np.float32), 2).tolist()
    [1, 2]
    """
    _check_multinomial(weights, num_samples, replacement)
    if not len(weights):
        return np.empty((0, num_samples), np.int64)
    rows = np.atleast_2d(weights)
    by_quotient = not replacement or num_samples == 1
    _check_weights(rows, by_quotient)
    found = (_by_quotient if by_quotient else _by_sum)(generator, rows, num_samples)
    return found.reshape((*weights.shape[:-1], num_samples))


def _check_multinomial(weights: Array, num_samples: int, replacement: bool) -> None:
    if not 1 <= weights.ndim <= 2:
        raise RuntimeError("prob_dist must be 1 or 2 dim")
    if weights.dtype not in _CHOOSING and not dtype_of(weights.dtype.name).is_floating_point:
        name = dtype_of(weights.dtype.name).scalar_name
        raise RuntimeError(f"multinomial only supports floating-point dtypes for input, got: {name}")
    if num_samples <= 0:
        raise RuntimeError("cannot sample n_sample <= 0 samples")
    if not replacement and num_samples > weights.shape[-1]:
        raise RuntimeError("cannot sample n_sample > prob_dist.size(-1) samples without replacement")
    if weights.shape[-1] > _MOST_CATEGORIES:
        raise RuntimeError("number of categories cannot exceed 2^24")


def _check_weights(rows: Array, by_quotient: bool) -> None:
    least, most = rows.min(initial=0), rows.max(axis=1, initial=0)
    highest, lowest = (most[0], most[0]) if len(most) == 1 else (most.max(), most.min())
    if not (least >= 0 and highest < math.inf):
        if by_quotient:
            raise RuntimeError("probability tensor contains either `inf`, `nan` or element < 0")
        if not (rows >= 0).all():
            raise RuntimeError("invalid multinomial distribution (encountering probability entry < 0)")
        raise RuntimeError("invalid multinomial distribution (encountering probability entry = infinity or NaN)")
    if not lowest > 0:
        raise RuntimeError("invalid multinomial distribution (sum of probabilities <= 0)")


def _by_sum(generator: MersenneTwister, rows: Array, count: int) -> Array:
    wide = np.float64 if rows.dtype == np.float64 else np.float32
    with np.errstate(over="ignore", invalid="ignore"):
        sums: Array = np.cumsum(rows, axis=1, dtype=wide)
        sums = sums / sums[:, -1:]
    sums[:, -1] = 1.0
    unit = generator.doubles(len(rows) * count).reshape(len(rows), count)
    if len(rows) > 1 and unit.size * rows.shape[1] <= _FEW:
        return np.count_nonzero(sums[:, None, :] < unit[:, :, None], axis=2)
    found = [np.searchsorted(row, points) for row, points in zip(sums.astype(np.float64), unit)]
    return np.array(found, np.int64)


def _by_quotient(generator: MersenneTwister, rows: Array, count: int) -> Array:
    noise = exponential(generator, rows.shape, 1.0, NAMES_OF.get(rows.dtype) or rows.dtype.name)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        quotients = rows / noise
    if count == 1:
        return np.argmax(quotients, axis=1)
    keys = np.where(np.isnan(quotients), -np.inf, -quotients)  # PyTorch ranks nan above every number
    if 4 * count > keys.shape[1]:
        return np.argsort(keys, axis=1, kind="stable")[:, :count]
    return np.array([_smallest(row, count) for row in keys], np.int64)


def _smallest(row: Array, count: int) -> Array:
    """The places of the `count` smallest, smallest first, without sorting the rest."""
    candidates = np.flatnonzero(row <= np.partition(row, count - 1)[count - 1])
    return candidates[np.argsort(row[candidates], kind="stable")][:count]
