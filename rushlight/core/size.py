"""`Size`: the tuple of ints that `tensor.shape` and `tensor.size()` give back.

Shapes travel through the lower floors as plain tuples; `Size.of` dresses one up, unchecked, when a user asks for it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from operator import index
from typing import Any, SupportsIndex, overload


class Size(tuple[int, ...]):
    """A shape, as `torch.Size`: a tuple of ints that knows its number of elements.

    Slicing, `+` and `*` give a Size again. Raises TypeError for items that are not integers.

    >>> Size([2, 3]) + (4,), Size([2, 3]).numel()
    (torch.Size([2, 3, 4]), 6)
    """

    __slots__ = ()

    def __new__(cls, iterable: Iterable[SupportsIndex] = (), /) -> Size:
        items = tuple(iterable)
        for item in items:
            if type(item) is not int:
                return tuple.__new__(cls, map(_as_int, range(len(items)), items))
        return tuple.__new__(cls, items)  # type: ignore[arg-type]

    @staticmethod
    def of(shape: tuple[int, ...]) -> Size:
        """A Size from a tuple already known to hold only ints (no check)."""
        return tuple.__new__(Size, shape)

    def numel(self) -> int:
        """The number of elements of a tensor of this size."""
        return math.prod(self)

    @overload
    def __getitem__(self, key: SupportsIndex, /) -> int: ...
    @overload
    def __getitem__(self, key: slice, /) -> Size: ...
    def __getitem__(self, key: Any, /) -> Any:
        item = tuple.__getitem__(self, key)
        return tuple.__new__(Size, item) if type(item) is tuple else item

    def __add__(self, other: object, /) -> Size:  # type: ignore[override]
        if not isinstance(other, tuple):
            raise TypeError(f"can only concatenate tuple (not {type(other).__name__}) to torch.Size")
        return Size(tuple.__add__(self, other))

    def __radd__(self, other: object, /) -> Size:
        if not isinstance(other, tuple):
            return NotImplemented  # type: ignore[no-any-return]
        return Size(tuple.__add__(other, self))

    def __mul__(self, times: SupportsIndex, /) -> Size:
        return tuple.__new__(Size, tuple.__mul__(self, times))

    __rmul__ = __mul__

    def __reduce__(self) -> tuple[type[Size], tuple[tuple[int, ...]]]:
        return Size, (tuple(self),)

    def __repr__(self) -> str:
        return f"torch.Size({list(self)!r})"


def _as_int(position: int, item: SupportsIndex) -> int:
    """`item` as an int; whatever has `__index__` will do (NumPy's ints, zero-dim integer tensors)."""
    try:
        return index(item)
    except TypeError:
        given = type(item).__name__
        raise TypeError(f"torch.Size() takes an iterable of 'int' (item {position} is '{given}')") from None
