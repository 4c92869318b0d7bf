"""Kernels for kinds of tensors of one's own: `register_kernel` says what a function does to a class of `TVTensor`s.

The functions of `transforms.functional` find them by the class's attribute `_kernels`, as they do for masks and boxes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rushlight.vision import tv_tensors
from rushlight.vision.tv_tensors import TVTensor

_NAMES = {"horizontal_flip": "hflip", "vertical_flip": "vflip", "elastic": "elastic_transform"}
_KERNELS: dict[tuple[str, type], Callable[..., Any]] = {}


def register_kernel(functional: Callable[..., Any] | str, tv_tensor_cls: type) -> Callable[..., Any]:
    """Decorates a kernel: what a function of `transforms.v2.functional` does to a class of one's own.

    Raises ValueError for other functions, and for classes that are no `TVTensor` or are torchvision's own.

    Example: ``@register_kernel(functional="hflip", tv_tensor_cls=MyTensor)``
    """
    name = _name_of(functional)
    if not (isinstance(tv_tensor_cls, type) and issubclass(tv_tensor_cls, TVTensor)):
        raise ValueError(
            "Kernels can only be registered for subclasses of torchvision.tv_tensors.TVTensor, "
            f"but got {tv_tensor_cls}."
        )
    if tv_tensor_cls in vars(tv_tensors).values():
        raise ValueError(f"Kernels cannot be registered for the builtin tv_tensor classes, but got {tv_tensor_cls}")
    if (name, tv_tensor_cls) in _KERNELS:
        raise ValueError(f"Functional {functional} already has a kernel registered for type {tv_tensor_cls}.")

    def decorated(kernel: Callable[..., Any]) -> Callable[..., Any]:
        _KERNELS[name, tv_tensor_cls] = kernel
        tv_tensor_cls._kernels = __name__
        return kernel

    return decorated


def _name_of(functional: Callable[..., Any] | str) -> str:
    from rushlight.vision.transforms.v2 import functional as F

    if isinstance(functional, str):
        if not hasattr(F, functional):
            raise ValueError(
                f"Could not find functional with name '{functional}' in torchvision.transforms.v2.functional."
            )
        functional = getattr(F, functional)
    name = getattr(functional, "__name__", "")
    if not callable(functional) or not getattr(functional, "__module__", "").startswith(F.__name__):
        raise ValueError(
            "Kernels can only be registered on functionals from the torchvision.transforms.v2.functional namespace, "
            f"but got {functional}."
        )
    return _NAMES.get(name, name)


def find(name: str, kind: type) -> Callable[..., Any] | None:
    """The kernel of a function for a class or the nearest of its bases."""
    if not _KERNELS:
        return None
    return next((_KERNELS[name, base] for base in kind.__mro__ if (name, base) in _KERNELS), None)


def kernel(name: str, picture_kernel: Callable[..., Any]) -> Callable[..., Any]:
    """What function `name` does to tensors of a registered class. Raises TypeError where nothing is registered."""

    def called(inpt: Any, *args: Any, **kwargs: Any) -> Any:
        own = find(name, type(inpt))
        if own is None:
            raise TypeError(f"Functional F.{name} has no kernel for inputs of type {type(inpt)}.")
        return own(inpt, *args, **kwargs)

    return called
