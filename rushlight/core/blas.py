"""NumPy's BLAS leaves the processors to others: it lets its threads sleep soon, and works on one while asked to.

OpenBLAS's threads watch for the next product for some 20 ms after each, on a core that the compiler or our own threads
could have.  The variable is read when NumPy is imported, so this module comes before it; a user's own choice stands,
and a NumPy that was there first is left as it is.  Where a process compiles on the second of two processors, every
product on two threads waits for the one that is not running: an interpreted step takes up to ten times as long.
"""

from __future__ import annotations

import ctypes
import functools
import os
from typing import Any

os.environ.setdefault("OPENBLAS_THREAD_TIMEOUT", "18")  # 2 ** 18 cycles: some 70 microseconds

_usual: list[int] = []  # how many threads there were before they were held back


@functools.cache
def _openblas() -> tuple[Any, Any] | None:
    """OpenBLAS's functions that get and set the number of threads, if it is what NumPy uses."""
    from numpy.linalg import _umath_linalg

    library = ctypes.CDLL(_umath_linalg.__file__)  # symbols are looked up in what it was linked with, too
    for before, after in (("scipy_", "64_"), ("scipy_", ""), ("", "64_"), ("", "")):
        names = [f"{before}openblas_{verb}_num_threads{after}" for verb in ("get", "set")]
        if all(hasattr(library, name) for name in names):
            get, put = (getattr(library, name) for name in names)
            put.restype = None
            return get, put
    return None


def hold_back(alone: bool) -> None:
    """Has products run on one thread, or again on as many as before."""
    if alone == bool(_usual):
        return
    found = _openblas()
    if found is None:
        return
    get, put = found
    if alone:
        _usual.append(get())
        put(1)
    else:
        put(_usual.pop())
