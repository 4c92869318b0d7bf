"""torch.cuda.nvtx: marks for NVIDIA's profiler, which is not there: PyTorch's error says so."""

from __future__ import annotations

from typing import Any, NoReturn

from rushlight.core.missing import missing

__all__ = ["mark", "range", "range_end", "range_pop", "range_push", "range_start"]


def _refuse(*_: Any, **__: Any) -> NoReturn:
    """Raises PyTorch's error for a build without CUDA; `torch.profiler.record_function` times a stretch here."""
    raise RuntimeError("NVTX functions not installed. Are you sure you have a CUDA build?")


mark = range = range_end = range_pop = range_push = range_start = _refuse

__getattr__ = missing(__name__)
