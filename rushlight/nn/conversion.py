"""The argument forms of `Module.to`: what `Tensor.to` accepts, taken apart once for all the tensors of a module."""

from __future__ import annotations

import warnings
from typing import Any

from rushlight.tensor import Tensor

_COMPLEX = (
    "Complex modules are a new feature under active development whose design may change, and some modules might not "
    "work as expected when using complex tensors as parameters or buffers. Please file an issue at "
    "https://github.com/pytorch/pytorch/issues/new?template=bug-report.yml if a complex module does not work as "
    "expected."
)
_TO_FORMS = """to() received an invalid combination of arguments - got ({}), but expected one of:
 * (torch.device device = None, torch.dtype dtype = None, bool non_blocking = False, bool copy = False, *, \
torch.memory_format memory_format = None)
 * (torch.dtype dtype, bool non_blocking = False, bool copy = False, *, torch.memory_format memory_format = None)
 * (Tensor tensor, bool non_blocking = False, bool copy = False, *, torch.memory_format memory_format = None)
"""


def check_parameter_dtype(dtype: Any) -> None:
    if dtype.is_complex:
        warnings.warn(_COMPLEX, stacklevel=4)
    elif not dtype.is_floating_point:
        raise TypeError(f"nn.Module.to only accepts floating point or complex dtypes, but got desired dtype={dtype}")


def parse_to(args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, Any, bool, Any]:
    """The arguments of `to`, in any of its forms, as (device, dtype, non_blocking, memory_format)."""
    import rushlight

    given = dict(kwargs)
    memory_format = given.pop("memory_format", None)
    first = args[0] if args else None
    if isinstance(first, Tensor) or "tensor" in given:
        names: tuple[str, ...] = ("tensor", "non_blocking", "copy")
    elif isinstance(first, rushlight.dtype):
        names = ("dtype", "non_blocking", "copy")
    else:
        names = ("device", "dtype", "non_blocking", "copy")
    named = dict(zip(names, args, strict=False))
    if len(args) > len(names) or set(named) & set(given) or not set(given) <= set(names) or not (args or kwargs):
        raise _bad_to(args, kwargs)
    named.update(given)
    if "tensor" in named:
        like = named["tensor"]
        if not isinstance(like, Tensor):
            raise _bad_to(args, kwargs)
        return like.device, like.dtype, bool(named.get("non_blocking")), memory_format
    device, dtype = named.get("device"), named.get("dtype")
    if not isinstance(dtype, (rushlight.dtype, type(None))) or not isinstance(
        device, (rushlight.device, str, int, type(None))
    ):
        raise _bad_to(args, kwargs)
    device = device if device is None else rushlight.device(device)
    return device, dtype, bool(named.get("non_blocking", False)), memory_format


def _bad_to(args: tuple[Any, ...], kwargs: dict[str, Any]) -> TypeError:
    given = ", ".join(type(value).__name__ for value in args)
    if kwargs:
        given = ", ".join([given, *(f"{k}={type(v).__name__}" for k, v in kwargs.items())] if given else
                          [f"{k}={type(v).__name__}" for k, v in kwargs.items()]) + ", "  # fmt: skip
    return TypeError(_TO_FORMS.format(given))
