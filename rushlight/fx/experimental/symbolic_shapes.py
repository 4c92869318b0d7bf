"""torch.fx.experimental.symbolic_shapes: conditions on sizes that a compiler may not know. Here sizes are numbers."""

from __future__ import annotations

from typing import Any

from rushlight.core.missing import missing

__all__ = ["guard_or_false", "guard_or_true", "statically_known_true"]


def guard_or_false(a: Any) -> bool:
    """Whether it holds.

    >>> guard_or_false(3 > 2)
    True
    """
    return bool(a)


guard_or_true = statically_known_true = guard_or_false

__getattr__ = missing(__name__)
