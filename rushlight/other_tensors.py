"""Tensors that are made of dense ones, and how Rushlight's functions find them: nested and quantized tensors.

The recorder knows dense tensors only. From the moment a program makes its first tensor of such a kind, Rushlight's
functions look for one among their arguments (`overrides.CALLS`) and ask the kind what they mean for it. Programs
without any pay nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rushlight.overrides import CALLS
from rushlight.record.value import TENSORS, Tensor

__all__ = ["find_by_functions"]

Meaning = Callable[[Any], Callable[..., Any] | None]  # of a function; None where it does what it always does

_meanings: dict[type, Meaning] = {}


def find_by_functions(cls: type[Tensor], meaning: Meaning) -> None:
    """From now on functions do what `meaning` gives for them, where an argument is of the class."""
    if cls in _meanings:
        return
    TENSORS.discard(cls)
    _meanings[cls] = meaning
    if not CALLS.is_on(_look):
        CALLS.begin(_look, innermost=True)


def _kind_among(arguments: Any) -> type | None:
    for x in arguments:
        if x.__class__ in _meanings:
            return x.__class__  # type: ignore[no-any-return]
        if x.__class__ in (list, tuple):
            found = next((y.__class__ for y in x if y.__class__ in _meanings), None)
            if found is not None:
                return found
    return None


def _look(f: Any, inner: Callable[..., Any], args: Any, kwargs: Any) -> Any:
    kind = _kind_among(args) or (_kind_among(kwargs.values()) if kwargs else None)
    found = None if kind is None else _meanings[kind](f)
    return (inner if found is None or found is f else found)(*args, **kwargs)
