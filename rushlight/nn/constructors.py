"""Constructors that speak of the layer that was asked for.

Several layers share the constructor of a private base, as `Conv1d` and `Conv2d` that of `_Conv`. Python's TypeErrors
name the function (`_Conv.__init__() missing 1 required positional argument`), so each layer gets a function of its own:
the same code under the layer's name.
"""

from __future__ import annotations

from collections.abc import Iterable
from types import FunctionType


def name_constructors(classes: Iterable[type]) -> None:
    """Gives every class that inherits a private class's constructor its own."""
    for cls in classes:
        owner = next(c for c in cls.__mro__ if "__init__" in vars(c))
        shared = vars(owner)["__init__"]
        if owner is not cls and owner.__name__.startswith("_") and isinstance(shared, FunctionType):
            cls.__init__ = _renamed(shared, f"{cls.__qualname__}.__init__")  # type: ignore[misc]


def _renamed(f: FunctionType, name: str) -> FunctionType:
    made = FunctionType(f.__code__, f.__globals__, f.__name__, f.__defaults__, f.__closure__)
    made.__kwdefaults__, made.__annotations__ = f.__kwdefaults__, f.__annotations__
    made.__doc__, made.__module__, made.__qualname__ = f.__doc__, f.__module__, name
    return made
