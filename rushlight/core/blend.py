"""`numpy.where` without a guess at every element.

NumPy's loop branches, and where the condition follows no pattern the processor guesses wrong every second time: ten
nanoseconds an element.  Taking each element's bits from one array or from the other by a mask takes one.
"""

from __future__ import annotations

from typing import Any

import numpy as np

FEW = 2048  # elements for which a single call is the fastest
NUMBERS = (int, float)  # Python's, which take on the other operand's dtype
BITS: dict[int, Any] = {4: np.dtype(np.int32), 8: np.dtype(np.int64)}  # whole numbers of the size of a float


def blend(condition: Any, x: Any, y: Any) -> Any:
    """`numpy.where(condition, x, y)`, to the bit; with anything but long arrays of floats it is just that."""
    if condition.__class__ is not np.ndarray or condition.size < FEW or condition.dtype != bool:
        return np.where(condition, x, y)
    kind = getattr(y if x.__class__ in NUMBERS else x, "dtype", None)
    if kind is None or kind.kind != "f" or kind.itemsize not in BITS:
        return np.where(condition, x, y)
    x, y = (kind.type(v) if v.__class__ in NUMBERS else v for v in (x, y))
    if not x.dtype == y.dtype == kind:
        return np.where(condition, x, y)
    whole = BITS[kind.itemsize]
    mask = np.subtract(0, condition.view(np.int8), dtype=whole)  # all bits, or none
    other = y.view(whole)
    mask = mask & (x.view(whole) ^ other)
    mask = mask ^ other
    return mask.view(kind)
