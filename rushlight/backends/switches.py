"""What the backends' modules are made of: settings that are put back when a `with` block ends, and sets of switches."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any


@contextmanager
def settings(module: ModuleType, **values: Any) -> Iterator[None]:
    """The module's settings inside the block; those that are None stay as they are."""
    given = {name: value for name, value in values.items() if value is not None}
    before = {name: getattr(module, name) for name in given}
    vars(module).update(given)
    try:
        yield
    finally:
        vars(module).update(before)


class Switches:
    """Settings of one kind of computation. Others than these are refused, as in PyTorch.

    >>> switches = Switches(allow_tf32=False)
    >>> switches.allow_tf32 = True
    >>> switches.allow_tf23 = True
    Traceback (most recent call last):
    AttributeError: Unknown attribute allow_tf23
    """

    def __init__(self, **values: Any) -> None:
        self.__dict__.update(values)

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"Unknown attribute {name}")

    def __setattr__(self, name: str, value: Any) -> None:
        if name not in self.__dict__:
            raise AttributeError(f"Unknown attribute {name}")
        self.__dict__[name] = value
