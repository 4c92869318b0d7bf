"""The argument forms of `Module.to`: what `Tensor.to` accepts, taken apart once for all the tensors of a module."""

from __future__ import annotations

import warnings
from typing import Any

from rushlight.core.dtype import given_dtype
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
    """The arguments of `to`, in any of its forms, as (device, dtype, non_blocking, memory_format).

    Raises TypeError for arguments of no form.
    """
    import rushlight

    named = _named(args, kwargs)
    kinds: dict[str, Any] = {
        "tensor": Tensor,
        "device": (rushlight.device, str, int),
        "dtype": (rushlight.dtype, type),
        "non_blocking": bool,
        "copy": bool,
        "memory_format": rushlight.memory_format,
    }
    for name, value in named.items():
        if not (isinstance(value, kinds[name]) or value is None and name != "tensor"):
            raise _no_such_form(args, kwargs)
    device, dtype = named.get("device"), given_dtype(named.get("dtype"), "to")
    if "tensor" in named:
        device, dtype = named["tensor"].device, named["tensor"].dtype
    elif device is not None:
        device = rushlight.device(device)
    return device, dtype, bool(named.get("non_blocking")), named.get("memory_format")


def _named(args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
    """The arguments by name; the first one says which form is meant."""
    import rushlight

    names: tuple[str, ...] = ("device", "dtype", "non_blocking", "copy")
    if "tensor" in kwargs or args and isinstance(args[0], Tensor):
        names = ("tensor", "non_blocking", "copy")
    elif args and (isinstance(args[0], rushlight.dtype) or args[0] in (float, int, bool, complex)):
        names = ("dtype", "non_blocking", "copy")
    if len(args) > len(names):
        raise TypeError(f"to() takes from 0 to {len(names)} positional arguments but {len(args)} were given")
    named = dict(zip(names, args, strict=False))
    if named.keys() & kwargs.keys() or not kwargs.keys() <= {*names, "memory_format"}:
        raise _no_such_form(args, kwargs)
    return named | kwargs


def _no_such_form(args: tuple[Any, ...], kwargs: dict[str, Any]) -> TypeError:
    given = [*map(_kind, args), *(f"{name}={_kind(value)}" for name, value in kwargs.items())]
    return TypeError(_TO_FORMS.format(", ".join(given) + ("" if args else ", ")))


def _kind(value: Any) -> str:
    import rushlight

    for kind in ("dtype", "device", "memory_format"):
        if isinstance(value, getattr(rushlight, kind)):
            return f"torch.{kind}"
    return "Tensor" if isinstance(value, Tensor) else type(value).__name__
