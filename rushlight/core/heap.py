"""Memory that a step gives back is kept for the next step.

A training step makes and drops the same arrays again and again.  The GNU C library by default hands large ones back
to the system, which then clears every page anew: up to half of a step's time.  `keep_freed_memory` raises its two
thresholds (https://man7.org/linux/man-pages/man3/mallopt.3.html), unless the user has set them or there is another
library.
"""

from __future__ import annotations

import ctypes
import os
import sys

TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3  # the parameters of mallopt
LARGEST = 32 << 20  # bytes: larger arrays still come from the system and go back to it; the library allows no more
KEPT = 512 << 20  # bytes at the end of the heap that may lie unused


def keep_freed_memory() -> bool:
    """Raises the thresholds; returns whether it did."""
    chosen = any(name.startswith("MALLOC_") or name == "GLIBC_TUNABLES" for name in os.environ)
    if sys.platform != "linux" or chosen:
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None or not hasattr(ctypes.CDLL(None), "gnu_get_libc_version"):
        return False
    return bool(mallopt(MMAP_THRESHOLD, LARGEST)) and bool(mallopt(TRIM_THRESHOLD, KEPT))
