"""torch.nn.attention.bias: causal masks for queries and keys of different numbers.

PyTorch's `CausalBias` is a tensor that says what mask it is; here the functions give the mask itself, which
`scaled_dot_product_attention` takes as it takes any other.
"""

from __future__ import annotations

from enum import IntEnum, auto

from rushlight.core.dtype import bool_
from rushlight.core.missing import missing
from rushlight.tensor import FUNCTIONS, Tensor

__all__ = ["CausalVariant", "causal_lower_right", "causal_upper_left"]


class CausalVariant(IntEnum):
    """Where the triangle of a causal mask has its corner, if there are more keys than queries or fewer."""

    UPPER_LEFT = auto()
    LOWER_RIGHT = auto()


def causal_upper_left(*size: int) -> Tensor:
    """The mask, (queries, keys), with which query i sees the keys up to i.

    Raises RuntimeError unless two numbers are given.

    >>> torch.nn.attention.bias.causal_upper_left(2, 3)
    tensor([[ True, False, False],
            [ True,  True, False]])
    """
    queries, keys = _two(size, "causal_upper_left")
    return FUNCTIONS["ones"](queries, keys, dtype=bool_).tril()


def causal_lower_right(*size: int) -> Tensor:
    """The mask, (queries, keys), with which the last query sees all keys, and each before it one less.

    Raises RuntimeError unless two numbers are given.

    >>> torch.nn.attention.bias.causal_lower_right(2, 3)
    tensor([[ True,  True, False],
            [ True,  True,  True]])
    """
    queries, keys = _two(size, "causal_lower_right")
    return FUNCTIONS["ones"](queries, keys, dtype=bool_).tril(keys - queries)


def _two(size: tuple[int, ...], name: str) -> tuple[int, int]:
    if len(size) != 2:
        raise RuntimeError(f"{name} only supports 2D tensors")
    return size[0], size[1]


__getattr__ = missing(__name__)
