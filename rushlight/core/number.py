"""A Python number as an element of a tensor: what a dtype makes of it, and which it cannot hold."""

from __future__ import annotations

import cmath
from typing import Any

import numpy as np

from .dtype import bool_, dtype, finfo

__all__ = ["cannot_hold", "number_in"]

#: What PyTorch calls the element types in its errors.
_C_TYPES = {"float32": "float", "float64": "double", "int32": "int"}
_C_TYPES |= {"float16": "c10::Half", "bfloat16": "c10::BFloat16"}
_C_TYPES |= {"complex64": "c10::complex<float>", "complex128": "c10::complex<double>"}
_C_TYPES |= {name: f"{name}_t" for name in ("int8", "int16", "int64", "uint8", "uint16", "uint32", "uint64")}


def number_in(value: Any, kind: dtype) -> Any:
    """A Python number as a tensor of this dtype stores it; RuntimeError where it cannot.

    >>> import rushlight as torch
    >>> number_in(-3, torch.uint8), number_in(2.7, torch.int64)
    (253, 2)
    """
    if (value.__class__ is float or value.__class__ is int) and kind.is_floating_point and -400 < value < 400:
        return value  # what any of them can hold
    if not isinstance(value, (int, float, complex, np.generic)):
        raise TypeError(f"value must be a number or a tensor of one, not {type(value).__name__}")
    if isinstance(value, complex) and not kind.is_complex:
        if value.imag:
            raise cannot_hold(kind)
        value = value.real
    if kind.is_floating_point or kind.is_complex:
        if kind.itemsize < 8 + 8 * kind.is_complex and _is_too_large(value, kind):
            raise cannot_hold(kind)
        return value
    if kind is bool_:
        return bool(value)
    return _integer_in(value, kind)


def _is_too_large(value: Any, kind: dtype) -> bool:
    most = finfo(kind.to_real()).max
    return any(abs(part) > most and cmath.isfinite(part) for part in (value.real, value.imag))


def _integer_in(value: Any, kind: dtype) -> int:
    if not cmath.isfinite(value):
        raise cannot_hold(kind)
    found, bits = int(value), 8 * kind.itemsize
    if kind.is_signed:
        if not -(1 << (bits - 1)) <= found < 1 << (bits - 1):
            raise cannot_hold(kind)
        return found
    if not -(1 << bits) < found < 1 << bits:
        raise cannot_hold(kind)
    return found % (1 << bits)


def cannot_hold(kind: dtype) -> RuntimeError:
    """PyTorch's error for a number that no element of this dtype can be."""
    return RuntimeError(f"value cannot be converted to type {_C_TYPES.get(kind.name, kind.name)} without overflow")
