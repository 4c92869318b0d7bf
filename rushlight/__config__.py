"""torch.__config__: what the framework was built with, as text. Programs print it, or look for a library's name."""

from __future__ import annotations

import os
import platform

import numpy

from rushlight import __version__
from rushlight.core.missing import missing

__all__ = ["parallel_info", "show"]


def show() -> str:
    """What computes here, a line each."""
    lines = [
        f"Rushlight, which follows PyTorch {__version__}, with:",
        f"Python {platform.python_version()}",
        f"NumPy {numpy.__version__}",
        f"CPU capability usage: {_capability()}",
    ]
    return "\n  - ".join(lines) + "\n"


def parallel_info() -> str:
    """How many threads compute."""
    from rushlight import get_num_interop_threads, get_num_threads  # type: ignore[attr-defined]

    return (
        f"ATen/Parallel:\n\tat::get_num_threads() : {get_num_threads()}\n"
        f"\tat::get_num_interop_threads() : {get_num_interop_threads()}\n"
        f"std::thread::hardware_concurrency() : {os.cpu_count()}\n"
        f"Environment variables:\n\tOMP_NUM_THREADS : {os.environ.get('OMP_NUM_THREADS', '[not set]')}\n"
    )


def _capability() -> str:
    from rushlight.backends.cpu import get_cpu_capability

    return get_cpu_capability()


__getattr__ = missing(__name__)
