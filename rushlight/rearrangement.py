"""`torch.func.rearrange`: transposing, splitting and joining dimensions by a pattern of their names.

A pattern names the dimensions of the operand and, behind `->`, those of the result: `"b (h p) w -> (b h) w p"`.
Parentheses hold several axes in one dimension, `...` stands for all dimensions that are not named, `1` and `()` for one
of size 1. The operand is reshaped to one dimension an axis, permuted, and reshaped again.

The notation is that of einops (A. Rogozhnikov, ICLR 2022), https://einops.rocks/api/rearrange/
"""

from __future__ import annotations

import keyword
import math
import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any

from rushlight.tensor import FUNCTIONS, Tensor

__all__ = ["rearrange"]

Side = list[list[str]]
REST = "..."
JOINED = "(...)"  # the same inside parentheses
_TOKENS = re.compile(r"\s*(\(|\)|\.\.\.|\w+|\S)")


@lru_cache(maxsize=256)
def _parsed(pattern: str) -> tuple[Side, Side]:
    """The dimensions on both sides, each the list of its axes."""
    parts = pattern.split("->")
    if len(parts) != 2:
        raise ValueError("Pattern must contain a single '->' separator")
    left, right = _side(parts[0]), _side(parts[1])
    if any(JOINED in dim for dim in left):
        raise ValueError(f"Ellipsis is parenthesis in the left side is not allowed: {pattern}")
    names = [{REST if x == JOINED else x for dim in side for x in dim} for side in (left, right)]
    if REST in names[1] and REST not in names[0]:
        raise ValueError(f"Ellipsis found in right side, but not left side of a pattern {pattern}")
    if names[0] != names[1]:
        raise ValueError(f"Identifiers only on one side of expression (should be on both): {names[0] ^ names[1]}")
    return left, right


def _side(text: str) -> Side:
    dims: Side = []
    inside = False
    for token in _TOKENS.findall(text):
        if token == "(":
            if inside:
                raise ValueError("Axis composition is one-level (brackets inside brackets not allowed)")
            dims.append([])
            inside = True
        elif token == ")":
            if not inside:
                raise ValueError("Brackets are not balanced")
            inside = False
        else:
            axes = [] if token == "1" else [_axis(token)]
            if inside:
                dims[-1] += [JOINED] if axes == [REST] else axes
            else:
                dims.append(axes)
    if inside:
        raise ValueError(f"Imbalanced parentheses in expression: '{text}'")
    names = [x for dim in dims for x in dim]
    if len(set(names)) != len(names):
        raise ValueError(f"Indexing expression contains duplicate dimension: {text.strip()}")
    return dims


def _axis(token: str) -> str:
    if token == REST:
        return token
    if token.isdecimal():
        raise ValueError("rearrange only supports unnamed axes of size 1")
    if not token.isidentifier() or keyword.iskeyword(token) or token.startswith("_") or token.endswith("_"):
        raise ValueError(f"Invalid axis identifier: {token}")
    return token


def rearrange(tensor: Tensor | Sequence[Tensor], pattern: str, **axes_lengths: int) -> Tensor:
    """The tensor (or tensors, stacked) with its dimensions rearranged as the pattern says.

    Args:
        axes_lengths: sizes of axes that cannot be worked out from the tensor's shape.

    Raises:
        ValueError: the pattern is wrong, or does not fit the shape.

    >>> torch.func.rearrange(torch.zeros(6, 5, 3), "(n h) w c -> n c h w", n=2).shape
    torch.Size([2, 3, 3, 5])
    """
    x = tensor if isinstance(tensor, Tensor) else FUNCTIONS["stack"](tensor)
    left, right = _parsed(pattern)
    _check_lengths(axes_lengths, left)
    rest = x.dim() - len(left) + 1 if [REST] in left else 0
    if rest < 0 or (not rest and x.dim() != len(left) - ([REST] in left)):
        raise ValueError(f"Number of dimensions in pattern ({len(left)}) and tensor ({x.dim()}) must match")
    unnamed = [f"{REST}{i}" for i in range(rest)]
    left, right = _spread(left, unnamed), _spread(right, unnamed)
    sizes = _sizes(left, tuple(x.shape), axes_lengths)
    axes = [name for dim in left for name in dim]
    order = [axes.index(name) for dim in right for name in dim]
    separate = x.reshape([sizes[name] for name in axes]).permute(order)
    return separate.reshape([math.prod(sizes[name] for name in dim) for dim in right])


def _check_lengths(given: dict[str, int], left: Side) -> None:
    for name, length in given.items():
        if type(length) is not int:
            raise TypeError(f"rearrange axis lengths must be integers, got: {type(length)}")
        if not any(name in dim for dim in left):
            raise ValueError(f"Identifiers {[name]} of the lengths are not in the pattern")


def _spread(dims: Side, unnamed: Iterable[str]) -> Side:
    """The dimensions with axes of their own in the place of `...`."""
    found: Side = []
    for dim in dims:
        if dim == [REST]:
            found += [[name] for name in unnamed]
        else:
            found.append([name for part in dim for name in (unnamed if part == JOINED else [part])])
    return found


def _sizes(dims: Side, shape: tuple[int, ...], given: dict[str, int]) -> dict[str, int]:
    """The size of each axis; at most one of a dimension need not be given."""
    sizes: dict[str, Any] = dict(given)
    for dim, size in zip(dims, shape, strict=True):
        open_axes = [name for name in dim if name not in sizes]
        known = math.prod(sizes[name] for name in dim if name in sizes)
        if len(open_axes) > 1:
            raise ValueError(f"Cannot infer the lengths of {open_axes} from one dimension of size {size}")
        if open_axes:
            sizes[open_axes[0]] = size // known if known else 0
        if math.prod(sizes[name] for name in dim) != size:
            raise ValueError(f"A dimension of size {size} cannot be made of axes ({' '.join(dim)}) of size {known}")
    return sizes
