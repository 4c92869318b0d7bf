"""To another dtype or device: `to`, `float`, `long`, ..., and the `new_*` factories."""

from __future__ import annotations

import warnings
from typing import Any

from rushlight.core import dtype as dtypes
from rushlight.core.caller import stacklevel
from rushlight.core.device import device as Device
from rushlight.core.dtype import dtype as Dtype
from rushlight.ops.creation import cast, check_device, clone, empty, finish, full, is_on_meta, ones, zeros
from rushlight.ops.view import contiguous, wanted_strides
from rushlight.record.memory import relayout
from rushlight.record.trace import settle
from rushlight.record.value import Tensor

from .construct import tensor
from .properties import method

_type = type  # the method below takes the name

@method
def to(self: Tensor, *args: Any, dtype: Any = None, device: Any = None, non_blocking: bool = False, copy: bool = False,
       memory_format: Any = None) -> Tensor:  # fmt: skip
    """The tensor in another dtype or on another device; the tensor itself if it is there already.

    >>> torch.tensor([1.7]).to(torch.int64)
    tensor([1])
    """
    for arg in args:
        if isinstance(arg, Dtype) or (isinstance(arg, _type) and arg in dtypes.PYTHON_TYPES):
            dtype = arg
        elif isinstance(arg, Tensor):
            spec = settle(arg).spec
            dtype, device = spec.dtype, spec.device if spec.device.type == "meta" else device
        elif isinstance(arg, (str, Device, int)) and not isinstance(arg, bool):
            device = arg
        elif arg is not None and not isinstance(arg, bool):
            raise TypeError(f"to() received an invalid combination of arguments - got ({_type(arg).__name__})")
    if device is not None and is_on_meta(device):
        from rushlight.meta import moved_to_meta

        return moved_to_meta(self if dtype is None else cast(self, dtype), self.requires_grad)
    spec = settle(self).spec
    if dtype is None or dtype is spec.dtype:
        if memory_format is not None:
            return relayout(self, wanted_strides(spec, memory_format))
        return clone(self) if copy or (len(args) > 2 and args[2] is True) else self
    _warn_of_imaginary_parts(spec.dtype, dtype)
    found = cast(self, dtype)
    return found if memory_format is None else relayout(found, wanted_strides(spec, memory_format))


def _warn_of_imaginary_parts(found: Dtype, wanted: Dtype) -> None:
    if found.is_complex and not wanted.is_complex and wanted is not dtypes.bool_:
        warnings.warn(
            "Casting complex values to real discards the imaginary part", UserWarning, stacklevel=stacklevel()
        )


def _to_dtype(name: str, kind: Dtype) -> None:
    def convert(self: Tensor, memory_format: Any = None) -> Tensor:
        spec = settle(self).spec
        _warn_of_imaginary_parts(spec.dtype, kind)
        found = self if spec.dtype is kind else cast(self, kind)
        return found if memory_format is None else relayout(found, wanted_strides(spec, memory_format))

    convert.__name__ = name
    convert.__doc__ = f"The tensor as {kind}."
    method(convert)


for _name in ("float", "double", "half", "bfloat16", "long", "int", "short", "bool", "cfloat", "cdouble"):
    _to_dtype(_name, dtypes.NAMES[_name])
_to_dtype("byte", dtypes.uint8)
_to_dtype("char", dtypes.int8)


@method
def cpu(self: Tensor, memory_format: Any = None) -> Tensor:
    """The tensor on the CPU."""
    return self


@method
def cuda(self: Tensor, device: Any = None, non_blocking: bool = False, memory_format: Any = None) -> Tensor:
    """The tensor on a CUDA device; raises PyTorch's error where there is none."""
    check_device("cuda" if device is None else device)
    return self


@method
def pin_memory(self: Tensor, device: Any = None) -> Tensor:
    """Page-locked memory serves accelerators; there is none, so the tensor itself."""
    return self


@method
def type_as(self: Tensor, other: Tensor) -> Tensor:
    """The tensor in the dtype of `other`."""
    return to(self, settle(other).spec.dtype)


@method
def type(self: Tensor, dtype: Any = None, non_blocking: bool = False) -> Any:  # noqa: A001 - PyTorch's name
    """The name of the tensor's type (`torch.FloatTensor`), or the tensor in another dtype."""
    if dtype is None:
        return f"torch.{settle(self).spec.dtype.scalar_name}Tensor"
    if isinstance(dtype, str):
        dtype = _named_type(dtype)
    kind = getattr(dtype, "dtype", dtype)
    if isinstance(kind, Dtype):
        return to(self, kind)
    if isinstance(kind, _type):
        named = kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__name__}"
        raise ValueError(f"invalid type: '{named}'")
    raise TypeError("dtype must be a type, str, or dtype object")


def _named_type(name: str) -> Dtype:
    scalar = name.removeprefix("torch.").removeprefix("cuda.").removesuffix("Tensor")
    for kind in dtypes.ALL:
        if kind.scalar_name == scalar:
            return kind
    raise ValueError(f"invalid type: '{name}'")


def _new(name: str, make: Any) -> None:
    def create(self: Tensor, *args: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False,
               layout: Any = None, pin_memory: bool = False, **named: Any) -> Tensor:  # fmt: skip
        spec = settle(self).spec
        if device is None and spec.device.type == "meta":
            device = spec.device
        made = make(*args, dtype=dtype or spec.dtype, device=device, **named)
        return finish(made, requires_grad)

    create.__name__ = name
    create.__doc__ = f"`torch.{name.removeprefix('new_')}` in the dtype and on the device of this tensor."
    method(create)


for _name, _make in (("new_zeros", zeros), ("new_ones", ones), ("new_empty", empty), ("new_full", full),
                     ("new_tensor", tensor)):  # fmt: skip
    _new(_name, _make)


@method
def new(self: Tensor, *args: Any, size: Any = None, other: Any = None, device: Any = None) -> Tensor:
    """A tensor of this one's dtype from a size or from data (the old constructor)."""
    if device is not None:
        check_device(device)
    kind = settle(self).spec.dtype
    if size is not None:
        return empty(size, dtype=kind)
    if other is not None:
        args = (other,)
    if len(args) == 1 and isinstance(args[0], (list, tuple)) and not hasattr(args[0], "numel"):
        return tensor(args[0], dtype=kind)
    if len(args) == 1 and isinstance(args[0], Tensor):
        return to(args[0], kind)
    return empty(*args, dtype=kind) if args else empty(0, dtype=kind)


@method
def new_empty_strided(self: Tensor, size: Any, stride: Any, dtype: Any = None, **options: Any) -> Tensor:
    """An empty tensor with the given size and strides, in this tensor's dtype."""
    import numpy as np

    from rushlight.core.strided import extent
    from rushlight.ops.creation import wrap

    kind = dtype or settle(self).spec.dtype
    flat = wrap(np.zeros(extent(tuple(size), tuple(stride)), kind.numpy))
    return flat.as_strided(size, stride)


@method
def module_load(self: Tensor, other: Tensor, assign: bool = False) -> Tensor:
    """What a parameter or buffer becomes when `other` is loaded into it: this tensor with its numbers, or `other`."""
    return other.detach() if assign else self.copy_(other).detach()


__all__ = ["contiguous", "to"]
