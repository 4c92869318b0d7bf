"""Types that stand in `torch.*` beside the functions."""

from __future__ import annotations

TYPES: dict[str, type] = {}


def register(name: str, made: type) -> None:
    """Makes a type `torch.<name>`."""
    TYPES[name] = made
