"""`torch.sym_int`, `torch.sym_max` and the like: arithmetic on numbers that a trace of PyTorch's compiler may not know.

Numbers are always known here, so these are Python's functions, with PyTorch's types of results.
"""

from __future__ import annotations

import builtins
import math
from typing import Any

__all__ = ["sym_float", "sym_int", "sym_ite", "sym_max", "sym_min", "sym_not", "sym_sqrt", "sym_sum"]


def sym_int(a: Any) -> int:
    """The number without its fraction."""
    return int(a)


def sym_float(a: Any) -> float:
    """The number as a float."""
    return float(a)


def sym_not(a: Any) -> bool:
    """Whether it counts as false."""
    return not a


def sym_max(a: Any, b: Any) -> Any:
    """The greater number; a float where either is one.

    >>> torch.sym_max(3, 2.0)
    3.0
    """
    return _promoted(builtins.max(a, b), a, b)


def sym_min(a: Any, b: Any) -> Any:
    """The smaller number; a float where either is one."""
    return _promoted(builtins.min(a, b), a, b)


def _promoted(found: Any, a: Any, b: Any) -> Any:
    return float(found) if isinstance(a, float) or isinstance(b, float) else found


def sym_ite(b: Any, t: Any, f: Any) -> Any:
    """`t` if `b`, else `f`."""
    return t if b else f


def sym_sqrt(a: Any) -> float:
    """The square root. Raises ValueError for a negative number."""
    return math.sqrt(a)


def sym_sum(*args: Any) -> Any:
    """The sum of the numbers, given one by one or in a list."""
    return builtins.sum(args[0] if len(args) == 1 and isinstance(args[0], (list, tuple)) else args)
