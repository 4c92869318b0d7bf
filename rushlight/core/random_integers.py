"""Random integers and permutations: `randint`, `Tensor.random_` and `randperm`.

An integer is a draw modulo the size of the range: 32 bits of a draw for ranges below 2**28, else 64. A permutation is
PyTorch's shuffle: for each place in turn, swap it with one at or after it. Those swaps depend on each other, so for
all but small sizes they are not carried out one by one: sorting the places that were hit tells for every step which
earlier step put there what it finds, and following these links by doubling gives all the results together.
"""

from __future__ import annotations

import warnings
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from rushlight.core.dtype import BOOL, FLOATING, INTEGRAL, dtype
from rushlight.core.mersenne import FILLINGS, MersenneTwister
from rushlight.core.uniform import CPP_NAMES, Array, Shape, dtype_of, element_count

Indices = npt.NDArray[np.int64]

_NARROW: Final = 1 << 28  # ranges below take 32 bits of a draw: the skew of the modulo stays below 5 %
_LOWEST: Final = -(1 << 63)
_DIGITS: Final = {"float16": 11, "bfloat16": 8, "float32": 24, "float64": 53}


# ---- ranges


def _nearest(value: int, name: str) -> int | None:
    """`value` rounded to a floating type and back; None where that is infinite."""
    real = float(value)
    if name != "float64":
        with np.errstate(over="ignore"):
            real = float(np.float32(real).astype(dtype_of(name).numpy))
    return int(real) if abs(real) < 2.0**63 else None


def _step_of(value: int, name: str) -> int:
    return 1 << max(0, abs(value).bit_length() - _DIGITS[name])


def _low_for(low: int, name: str) -> int:
    """The first number of a floating type that is not below `low`."""
    near = _nearest(low + 1, name)
    return low if near is None or near >= low else near + _step_of(low + 1, name)


def _high_for(high: int, name: str) -> int:
    """The `high` for which numbers below it, rounded to a floating type, stay below what was asked for."""
    near = _nearest(high - 1, name)
    return high if near is None or near < high else near - _step_of(high - 1, name)


def _check_bound(value: int, what: str, d: dtype) -> None:
    if d.is_floating_point:
        limit = float("inf") if d.name == "bfloat16" else float(np.finfo(d.numpy).max)  # any int64 fits bfloat16
        low, high = -limit, limit
    elif d.category == BOOL:
        low, high = 0, 1
    else:
        low, high = np.iinfo(d.numpy).min, min(np.iinfo(d.numpy).max, (1 << 63) - 1)
    if not low <= value <= high:
        raise RuntimeError(f"{what} is out of bounds for {CPP_NAMES[d.name]}")
    digits = _DIGITS.get(d.name, 64)
    if abs(value) > 1 << digits:
        warnings.warn(f"{what} is out of bounds [-(2^{digits}), 2^{digits}]. Due to precision limitations "
                      f"{CPP_NAMES[d.name]} can support discrete uniform distribution only within this range. This "
                      "warning will become an error in version 1.7 release, please fix the code in advance",
                      stacklevel=4)  # fmt: skip


def _range_of(low: int, high: int | None, d: dtype) -> tuple[int, int]:
    """The first integer and the number of integers to draw from, after the checks."""
    if high is not None and low >= high:
        raise RuntimeError(f"random_ expects 'from' to be less than 'to', but got from={low} >= to={high}")
    if d.category > FLOATING:
        where = "check_random_bounds" if high is not None else "random_from_to_impl"
        raise RuntimeError(f"{where} handles only integral, floating-point and boolean types")
    if high is None:
        last = 1 << _DIGITS[d.name] if d.is_floating_point else 1 if d.category == BOOL else int(np.iinfo(d.numpy).max)
        if d.is_floating_point:
            _check_bound(low, "from", d)
            low = _low_for(low, d.name)
            if low >= last:
                raise RuntimeError("random_ expects 'from' casted to dtype to be less than or equal to 'to_inc' casted "
                                   f"to dtype, but got from={low} > to_inc={last}")  # fmt: skip
        _check_bound(low, "from", d)
        _check_bound(last, "to - 1", d)
        return low, last - low + 1
    if d.is_floating_point:
        low, high = _low_for(low, d.name), _high_for(high, d.name)
        if low >= high:
            raise RuntimeError("random_ expects 'from' casted to dtype to be less than 'to' casted to dtype, but got "
                               f"from={low} >= to={high}")  # fmt: skip
    _check_bound(low, "from", d)
    _check_bound(high - 1, "to - 1", d)
    return low, high - low


# ---- integers


def _in_type(values: Array, d: dtype) -> Array:
    """int64 values in the type of `d`; to the 16-bit floating types by way of float32, as C++ converts them."""
    if d.is_floating_point and d.itemsize == 2:
        values = values.astype(np.float32)
    return values.astype(d.numpy, copy=False)


def randint(generator: MersenneTwister, shape: Shape, low: int, high: int | None, dtype: str = "int64") -> Array:
    """An array of `shape` of integers in [low, high), as `torch.randint` and `Tensor.random_(from, to)` make them.

    `high=None` means up to the largest integer the type holds (for floating types: holds exactly, with all below).
    Raises RuntimeError for an empty range and for bounds the type cannot hold.

    >>> randint(MersenneTwister(7), 5, 0, 10).tolist()
    [5, 2, 1, 6, 3]
    """
    d = dtype_of(dtype)
    if high is None and low == _LOWEST:
        return _full_range(generator, shape, d)
    first, size = _range_of(low, high, d)
    count = element_count(shape)
    values = generator.draw(count) if size < _NARROW else generator.draw64(count)
    np.remainder(values, np.uint64(size), values)
    signed = values.view(np.int64)
    if first:
        np.add(signed, first, signed)
    return _in_type(signed, d).reshape(shape)


def _full_range(generator: MersenneTwister, shape: Shape, d: dtype) -> Array:
    if d.name not in ("int64", "float64", "float32", "bfloat16"):
        if d.category > FLOATING or d.name in ("float16", "bool", "uint16", "uint32", "uint64"):
            raise NotImplementedError(f"\"random_full_64_bits_range_kernel_cpu\" not implemented for '{d.scalar_name}'")
        raise RuntimeError("random_full_64_bits_range_kernel_cpu handles only int64, double, float and bfloat16")
    return _in_type(generator.draw64(element_count(shape)).view(np.int64), d).reshape(shape)


def random(generator: MersenneTwister, shape: Shape, dtype: str = "int64") -> Array:
    """An array of `shape` as `Tensor.random_()` fills it without arguments: every value of an integer type from 0 up,
    or the integers that a floating type holds exactly.

    Raises NotImplementedError for unsigned types wider than 8 bits and complex ones.

    >>> random(MersenneTwister(7), 3, "int8").tolist()
    [47, 68, 25]
    """
    d = dtype_of(dtype)
    if d.category > FLOATING or d.name in ("uint16", "uint32", "uint64") or d.category == FLOATING and d.itemsize == 1:
        raise NotImplementedError(f"\"random_kernel_cpu\" not implemented for '{d.scalar_name}'")
    count = element_count(shape)
    values = generator.draw64(count) if d.name in ("int64", "float64") else generator.draw(count)
    if d.category == BOOL:
        size = 2
    elif d.category == INTEGRAL:
        size = int(np.iinfo(d.numpy).max) + 1
    else:
        size = (1 << _DIGITS[d.name]) + 1
    np.remainder(values, np.uint64(size), values)
    return _in_type(values.view(np.int64), d).reshape(shape)


# ---- permutations

_ONE_BY_ONE: Final = 600  #: up to here a loop over a Python list is faster than sorting
_WIDE_PERMUTATION: Final = (2**32 - 1) // 20  #: from here on PyTorch shuffles with draws of 64 bits, in another way


def randperm(generator: MersenneTwister, n: int, dtype: str = "int64") -> Array:
    """The integers 0 to n - 1 in random order, as `torch.randperm`.

    Raises RuntimeError for a negative `n` or one that the type cannot count to exactly, NotImplementedError for
    bool, complex and wide unsigned types.

    >>> randperm(MersenneTwister(7), 5).tolist()
    [0, 1, 3, 2, 4]
    """
    d = dtype_of(dtype)
    _check_permutation(n, d)
    if n >= _WIDE_PERMUTATION:
        return _in_type(_inside_out(generator, n), d)
    if n < 2:
        return np.arange(n).astype(d.numpy)
    steps = generator.draw(n - 1).astype(np.uint32)
    np.remainder(steps, np.arange(n, 1, -1, dtype=np.uint32), steps)
    places = np.arange(n)
    places[:-1] += steps
    return _in_type(_swapped(places), d)


def _check_permutation(n: int, d: dtype) -> None:
    if n < 0:
        raise RuntimeError(f"Trying to create tensor with negative dimension {n}: [{n}]")
    if d.is_floating_point and d.itemsize > 1:
        limit = (1 << _DIGITS[d.name]) + 1
        if n > limit and d.name != "bfloat16":  # PyTorch lets that one round
            raise RuntimeError(f"n cannot be greater than {limit} for {d.scalar_name} type.")
        return
    if d.category == INTEGRAL and n > 1 << 8 * d.itemsize - d.is_signed:
        raise RuntimeError(f"value cannot be converted to type {d.name}_t without overflow")
    if d.category != INTEGRAL or d.name in ("uint16", "uint32", "uint64"):
        raise NotImplementedError(f"\"randperm\" not implemented for '{d.scalar_name}'")


def _swapped(places: Indices) -> Array:
    """What swapping i with places[i] >= i, for i from 0 up, makes of 0 to n - 1."""
    native = FILLINGS.get("permutation")
    if native is not None:
        order = np.empty(len(places), np.int64)
        native(places, order, len(places), 0.0, 0.0, 0.0)
        return order
    return _swap_one_by_one(places.tolist()) if len(places) <= _ONE_BY_ONE else _swap_together(places)


def _swap_one_by_one(places: list[int]) -> Array:
    order = list(range(len(places)))
    for i, j in enumerate(places):
        order[i], order[j] = order[j], order[i]
    return np.fromiter(order, np.int64, len(order))


def _swap_together(places: Indices) -> Indices:
    """The same for many, without a loop."""
    here = np.arange(len(places))
    before, last = _earlier_and_last(places)
    # What place i holds before its own step is what the last earlier step that hit i found.
    source = np.where(last == here, before, last)
    found = _follow(np.where(source < 0, here, source))
    # Step i takes what the last earlier step that hit the same place left there; without one, the place's own number.
    return np.where(before < 0, places, found[before])


def _inside_out(generator: MersenneTwister, n: int) -> Indices:
    """PyTorch's shuffle of very many: place i takes what is at a place z up to i, which takes i."""
    here = np.arange(n)
    places = (generator.draw64(n) % (here + 1).astype(np.uint64)).view(np.int64)
    before, last = _earlier_and_last(places)
    root = _follow(np.where(before < 0, places, here))
    start = np.where(before[root] < 0, root, before[root])
    return np.where(last < 0, start, last)


def _earlier_and_last(places: Indices) -> tuple[Indices, Indices]:
    """For each step the last earlier one that hit the same place, and for each place the last that hit it; else -1."""
    order = _stable_order(places)
    hit = places[order]
    again = hit[1:] == hit[:-1]
    before, last = np.full((2, len(places)), -1)
    before[order[1:][again]] = order[:-1][again]
    ends = np.append(~again, True)
    last[hit[ends]] = order[ends]
    return before, last


def _stable_order(values: Indices) -> Any:
    """`argsort`, stable, by pieces of 16 bits, for which NumPy has a radix sort."""
    order = np.argsort(values.astype(np.uint16), kind="stable")
    for shift in range(16, int(len(values) - 1).bit_length(), 16):
        order = order[np.argsort((values[order] >> shift).astype(np.uint16), kind="stable")]
    return order


def _follow(links: Indices) -> Indices:
    """The end of the chain of links that starts at each place; an end links to itself."""
    while True:
        further = links[links]
        if np.array_equal(further, links):
            return links
        links = further
