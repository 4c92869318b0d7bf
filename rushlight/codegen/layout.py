"""Channels last: in which order the dimensions of an intermediate lie in memory.

A convolution makes vectors along its channels, so its result lies channels last where nobody has fixed another order:
what leaves the run lies as its Spec says, and what meets an array from outside, element by element, lies as that does.
Everything made of a channels-last array, element by element or window by window, takes its order over.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

from rushlight.core.strided import contiguous_strides

from .capture import Symbol

MADE_APART = ("view", "reduce", "contract", "scanned", "whole", "pick")  # whose operands need not lie as they do
ENOUGH = 8  # channels: with fewer, vectors run along the space


def fixed(order: list[Symbol], wanted: Iterable[Symbol]) -> set[Symbol]:
    """The intermediates whose layout is not ours to choose; `order` has operands first."""
    found = set(wanted)
    for x in reversed(order):
        if x.kind in MADE_APART or x.ndim < 3:
            continue
        alike = [a for a in x.args if a.shape == x.shape]
        if x in found or any(a.kind == "input" for a in alike):
            found.update(a for a in alike if a.args)
    return found


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
