"""Layers that join neighbouring dimensions into one, and that split one into several."""

from __future__ import annotations

from typing import Any

from rushlight.nn.module import Module
from rushlight.tensor import Tensor


class Flatten(Module):
    """Joins dimensions `start_dim` to `end_dim` into one. Shape: (N, *) to (N, product of *) by default.

    >>> Flatten(1, 2)
    Flatten(start_dim=1, end_dim=2)
    """

    __constants__ = ["start_dim", "end_dim"]

    def __init__(self, start_dim: int = 1, end_dim: int = -1) -> None:
        super().__init__()
        self.start_dim = start_dim
        self.end_dim = end_dim

    def forward(self, input: Tensor) -> Tensor:
        return input.flatten(self.start_dim, self.end_dim)

    def extra_repr(self) -> str:
        return f"start_dim={self.start_dim}, end_dim={self.end_dim}"


class Unflatten(Module):
    """Splits dimension `dim` into `unflattened_size`; -1 in it stands for what fits.

    Raises TypeError unless `unflattened_size` is a tuple or list of ints.

    >>> Unflatten(1, (2, 5, 5))
    Unflatten(dim=1, unflattened_size=(2, 5, 5))
    """

    __constants__ = ["dim", "unflattened_size"]

    def __init__(self, dim: int, unflattened_size: Any) -> None:
        super().__init__()
        _check_ints(unflattened_size)
        self.dim = dim
        self.unflattened_size = unflattened_size

    def forward(self, input: Tensor) -> Tensor:
        return input.unflatten(self.dim, self.unflattened_size)

    def extra_repr(self) -> str:
        return f"dim={self.dim}, unflattened_size={self.unflattened_size}"


def _check_ints(size: Any) -> None:
    if not isinstance(size, (tuple, list)):
        raise TypeError(f"unflattened_size must be a tuple of ints, but found type {type(size).__name__}")
    for i, item in enumerate(size):
        if not isinstance(item, int):
            raise TypeError(
                f"unflattened_size must be tuple of ints, but found element of type {type(item).__name__} at pos {i}"
            )
