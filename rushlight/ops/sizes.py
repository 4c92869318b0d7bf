"""Arguments of windows that are one size or one for each dimension: kernels, strides, paddings, dilations."""

from __future__ import annotations

from operator import index
from typing import Any


def given_sizes(value: Any, function: str, name: str, position: int) -> Any:
    """The argument with lists as tuples, so that it can be looked up: there 2.0 would be found as 2, and True as 1.

    Raises TypeError, as PyTorch's parser does, where it is neither an integer nor a sequence of them.
    """
    if type(value) is int or (value is None and name == "stride"):
        return value
    several = isinstance(value, (tuple, list))
    for i, n in enumerate(value if several else (value,)):
        if isinstance(n, bool) or not hasattr(n, "__index__"):
            kind = f"but found element of type {type(n).__name__} at pos {i}" if several else f"not {type(n).__name__}"
            raise TypeError(f"{function}(): argument '{name}' (position {position}) must be tuple of ints, {kind}")
    return tuple(map(index, value)) if several else index(value)
