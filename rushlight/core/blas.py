"""The threads of NumPy's BLAS: they sleep soon, and are asked only for products that are large.

OpenBLAS's threads watch for the next product for some 20 ms after each, on a core that the compiler or our own threads
could have.  The variable is read when NumPy is imported, so this module comes before it; a user's own choice stands,
and a NumPy that was there first is left as it is.

OpenBLAS divides a product that takes 5 microseconds among its threads, and then waits for the last of them, without
sleeping: where another program has their core, or our compiler, that is milliseconds.  So while the interpreter runs
kernels there is one thread, but for those that are worth more (`is_large`); afterwards there are as many as before, for
what the user does with NumPy.  While a process of ours compiles on the second of two processors no product is worth it.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable
from typing import Any

os.environ.setdefault("OPENBLAS_THREAD_TIMEOUT", "18")  # 2 ** 18 cycles: some 70 microseconds

import numpy as np  # noqa: E402 - it reads the variable

LARGE = 1 << 23  # multiplications for which threads pay
NAMES = ("scipy_openblas_{}_num_threads64_", "openblas_{}_num_threads64_", "openblas_{}_num_threads")


def _found() -> tuple[Callable[[], int], Callable[[int], Any]]:
    """What reads and sets the number of OpenBLAS's threads; where NumPy has another library, nothing does."""
    try:
        library = ctypes.PyDLL(np._core._multiarray_umath.__file__)  # type: ignore[attr-defined]
    except (AttributeError, OSError):
        return lambda: 1, lambda count: None
    for name in NAMES:
        if hasattr(library, name.format("set")) and hasattr(library, name.format("get")):
            return getattr(library, name.format("get")), getattr(library, name.format("set"))
    return lambda: 1, lambda count: None


count, _set = _found()
_usual = count()
_allowed = _usual
_held_back = False


def use(threads: int) -> int:
    """Has the following products done by so many threads; answers how many there were."""
    before = count()
    if before != threads:
        _set(threads)
    return before


def allow(threads: int) -> None:
    """Sets how many threads a large product may have; never more than NumPy began with."""
    global _allowed
    _allowed = min(threads, _usual)


def hold_back(alone: bool) -> None:
    """Has large products run on one thread, too, or again on as many as are allowed."""
    global _held_back
    _held_back = alone


def allowed() -> int:
    """How many threads a large product may have."""
    return 1 if _held_back else _allowed


def is_large(first: int, second: int, result: int) -> bool:
    """Whether an operation on so many elements is worth threads, if it is a product.

    The extents of a product are m, n and k, its operands have m k and k n elements and the result m n.
    """
    return first * second * result > LARGE * LARGE
