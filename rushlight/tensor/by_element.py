"""Tensors that a Python function changes element by element (`apply_`, `map_`), and functions of older programs.

The element-wise ones look at the numbers, so they compute what was recorded; they have no derivatives, as in PyTorch.
"""

from __future__ import annotations

import builtins
import warnings
from collections.abc import Callable
from typing import Any, NoReturn

import numpy as np

from rushlight.core.dtype import get_default_dtype
from rushlight.ops.creation import wrap
from rushlight.ops.public import FUNCTIONS
from rushlight.record.trace import realize
from rushlight.record.value import Tensor

from .construct import function
from .properties import method


def _check_free(t: Tensor, name: str) -> None:
    if t.requires_grad:
        raise RuntimeError(f"Can't call {name}() on Variable that requires grad. Use var.detach().{name}() instead.")


def _write(t: Tensor, numbers: list[Any]) -> Tensor:
    found: Any = np.array(numbers, dtype=realize(t).dtype).reshape(tuple(t.shape))
    return t.copy_(wrap(found))  # type: ignore[attr-defined, no-any-return]


@method
def apply_(self: Tensor, callable: Callable[[Any], Any]) -> Tensor:
    """Replaces each element by what the function makes of it.

    >>> torch.tensor([1.0, 2.0]).apply_(lambda x: x * 10)
    tensor([10., 20.])

    Raises RuntimeError for a tensor that requires grad.
    """
    _check_free(self, "apply_")
    return _write(self, [callable(x) for x in realize(self).ravel().tolist()])


@method
def map_(self: Tensor, other: Tensor, callable: Callable[[Any, Any], Any]) -> Tensor:
    """Replaces each element by what the function makes of it and of the other tensor's element in its place.

    Raises RuntimeError for tensors that require grad, and where `other` cannot be expanded to this shape.
    """
    for t in (self, other):
        _check_free(t, "map_")
    read = realize(other.expand(self.shape))
    return _write(self, [callable(x, y) for x, y in zip(realize(self).ravel().tolist(), read.ravel().tolist())])


@method
def map2_(self: Tensor, x: Tensor, y: Tensor, callable: Callable[[Any, Any, Any], Any]) -> Tensor:
    """`map_` with the elements of two other tensors."""
    for t in (self, x, y):
        _check_free(t, "map2_")
    columns = [realize(t.expand(self.shape)).ravel().tolist() for t in (self, x, y)]
    return _write(self, [callable(*row) for row in zip(*columns)])


@method
def hash_tensor(self: Tensor, dim: Any = (), *, keepdim: bool = False, mode: int = 0) -> Tensor:
    """`torch.hash_tensor`."""
    from rushlight.native_functions import hash_tensor

    return hash_tensor(self, dim, keepdim=keepdim, mode=mode)


def _removed(name: str, instead: str) -> None:
    """A method that PyTorch has only to say that it was removed."""

    def refused(self: Tensor, *_: Any, **__: Any) -> NoReturn:
        raise RuntimeError(f"{name}() was removed from PyTorch: use {instead} instead")

    refused.__name__, refused.__doc__ = name, f"Raises RuntimeError: `{instead}` has taken its place."
    method(refused)


_removed("eig", "torch.linalg.eig")
_removed("symeig", "torch.linalg.eigh")
_removed("lstsq", "torch.linalg.lstsq")
_removed("solve", "torch.linalg.solve")
_removed("reinforce", "the log_prob of a torch.distributions distribution")


@function
def range(start: float = 0, end: float | None = None, step: float = 1, **options: Any) -> Tensor:
    """Numbers from `start` up to and including `end`; deprecated in PyTorch for `arange`."""
    warnings.warn(
        "torch.range is deprecated and will be removed in a future release because its behavior is inconsistent with "
        "Python's range builtin. Instead, use torch.arange, which produces values in [start, end).",
        UserWarning,
        stacklevel=2,
    )
    if end is None:
        start, end = 0, start
    if step == 0:
        raise RuntimeError("step must be nonzero")
    if (end - start) * step < 0:
        raise RuntimeError("upper bound and lower bound inconsistent with step sign")
    options.setdefault("dtype", get_default_dtype())
    count = int((end - start) / step) + 1
    numbers = [start + i * step for i in builtins.range(count)]
    return FUNCTIONS["tensor"](numbers, **options)  # type: ignore[no-any-return]


for _name in ("detach", "zero_", "fill_", "detach_", "index_put_", "as_strided_"):

    def _as_function(input: Tensor, *args: Any, _name: str = _name, **options: Any) -> Tensor:
        return getattr(input, _name)(*args, **options)  # type: ignore[no-any-return]

    _as_function.__name__ = _name
    FUNCTIONS.setdefault(_name, _as_function)
