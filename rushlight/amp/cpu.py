"""torch.cpu.amp: the old path of torch.amp, for the CPU."""

from __future__ import annotations

import warnings
from typing import Any

from rushlight import amp
from rushlight.core.dtype import bfloat16
from rushlight.core.missing import missing

__all__ = ["GradScaler", "autocast"]

_OLD = "`torch.cpu.amp.{0}(args...)` is deprecated. Please use `torch.amp.{0}('cpu', args...)` instead."


class autocast(amp.autocast):
    """`torch.amp.autocast("cpu", ...)`; deprecated."""

    def __init__(self, enabled: bool = True, dtype: Any = bfloat16, cache_enabled: bool = True) -> None:
        warnings.warn(_OLD.format("autocast"), FutureWarning, stacklevel=2)
        super().__init__("cpu", dtype, enabled, cache_enabled)


class GradScaler(amp.GradScaler):
    """`torch.amp.GradScaler("cpu", ...)`; deprecated."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        warnings.warn(_OLD.format("GradScaler"), FutureWarning, stacklevel=2)
        super().__init__("cpu", *args, **kwargs)


__getattr__ = missing(__name__)
