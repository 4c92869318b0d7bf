"""Channels last: in which order the dimensions of an intermediate lie in memory.

A convolution makes vectors along its channels, so its result lies channels last where nobody has fixed another order:
what leaves the run lies as its Spec says, and what meets an array from outside, element by element, lies as that does.
Everything made of a channels-last array, element by element or window by window, takes its order over.

Many planes that are written or read side by side, as the places of Winograd's tiles are, lie a line further apart where
their distance is a round number: the first cache would have the same few places for all of them.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable

from rushlight.core.strided import contiguous_strides

from .capture import Symbol

MADE_APART = ("view", "reduce", "contract", "scanned", "whole", "pick", "draw")  # whose operands may lie otherwise
ENOUGH = 8  # channels: with fewer, vectors run along the space
PAGE, WAYS = 4096, 8  # bytes: so far apart, the first cache has the same places for two lines; it holds so many there
LINE = 64  # bytes


def fixed(order: list[Symbol], wanted: Iterable[Symbol]) -> set[Symbol]:
    """The intermediates whose layout is not ours to choose; `order` has operands first."""
    found = set(wanted)
    for x in reversed(order):
        if x.kind in MADE_APART or x.ndim < 3:
            continue
        alike = [a for a in x.args if a.shape == x.shape]
        if x in found or any(_lies(a) for a in alike):
            found.update(a for a in alike if a.args)
    return found


def planes(order: list[Symbol]) -> set[Symbol]:
    """The intermediates that are written or read in all their planes, along dimension 0, at once."""
    looks: Counter[Symbol] = Counter()
    for x in order:
        source = x
        while source.kind == "view":
            source = source.args[0]
        if source is not x and source.shape and x.size * source.shape[0] <= source.size:
            looks[source] += 1
    stacked = {x for x in order if x.kind == "whole" and _is_stack(x)}
    products = {x for x in order if x.kind == "contract" and len(x.data) == 1 and x.ndim > 2}
    return stacked | {x for x in products if looks[x] >= x.shape[0]}


def _is_stack(x: Symbol) -> bool:
    return x.ndim > 2 and len(x.args) == x.shape[0] and all(p.shape == x.shape[1:] for p in x.args)


def apart(shape: tuple[int, ...], strides: tuple[int, ...], itemsize: int) -> tuple[int, ...]:
    """The strides with planes that do not crowd in the first cache: further apart by a line, if need be."""
    crowded = shape[0] * math.gcd(strides[0] * itemsize, PAGE) > WAYS * PAGE
    return (strides[0] + LINE // itemsize * crowded, *strides[1:])


def _lies(x: Symbol) -> bool:
    """Whether it lies in memory in an order of its own: an array from outside, or random numbers."""
    return x.kind in ("input", "draw") or x.kind in ("where", "cast") and x.args[0].kind == "draw"


def wants_channels_last(x: Symbol) -> bool:
    """Whether it is the result of a convolution with channels enough for vectors."""
    return x.kind == "contract" and x.ndim > 2 and x.shape[1] >= ENOUGH and len(x.data[0].c[1].terms) == 2


def channels_last(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Dense strides with dimension 1 innermost."""
    return in_order(shape, [0, *range(2, len(shape)), 1])


def in_order(shape: tuple[int, ...], order: list[int]) -> tuple[int, ...]:
    """Dense strides with the dimensions in an order, the innermost last."""
    dense = contiguous_strides(tuple(shape[d] for d in order))
    return tuple(dense[order.index(d)] for d in range(len(shape)))


def is_channels_last(shape: tuple[int, ...], strides: tuple[int, ...]) -> bool:
    """Whether dimension 1 lies innermost, and not also the last one (also in a part of such an array)."""
    return len(shape) > 2 and shape[1] > 1 and strides[1] == 1 and math.prod(shape[2:]) > 1 and strides[-1] != 1
