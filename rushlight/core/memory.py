"""What a program is told where there is no memory for its numbers.

NumPy raises MemoryError, PyTorch RuntimeError with the number of bytes that were asked for, which is what programs
catch and look at.
"""

from __future__ import annotations

import math


def told(why: BaseException) -> BaseException:
    """The error as the program sees it: PyTorch's for a MemoryError, any other as it is."""
    if not isinstance(why, MemoryError):
        return why
    shape, kind = getattr(why, "shape", None), getattr(why, "dtype", None)
    asked = "" if shape is None or kind is None else f": you tried to allocate {math.prod(shape) * kind.itemsize} bytes"
    error = RuntimeError(f"DefaultCPUAllocator: can't allocate memory{asked}. {str(why).rstrip('.')}.")
    error.__cause__ = why
    return error
