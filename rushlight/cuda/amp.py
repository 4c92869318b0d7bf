"""torch.cuda.amp: the old path of torch.amp. Without CUDA, both are switched off, as in PyTorch."""

from __future__ import annotations

import warnings
from typing import Any

from rushlight import amp
from rushlight.amp.autocast_mode import custom_bwd as _custom_bwd
from rushlight.amp.autocast_mode import custom_fwd as _custom_fwd
from rushlight.core.missing import missing

__all__ = ["GradScaler", "autocast", "custom_bwd", "custom_fwd"]

_OLD = "`torch.cuda.amp.{0}(args...)` is deprecated. Please use `torch.amp.{0}('cuda', args...)` instead."


class autocast(amp.autocast):
    """`torch.amp.autocast("cuda", ...)`; deprecated."""

    def __init__(self, enabled: bool = True, dtype: Any = None, cache_enabled: bool = True) -> None:
        warnings.warn(_OLD.format("autocast"), FutureWarning, stacklevel=2)
        super().__init__("cuda", dtype, enabled, cache_enabled)


class GradScaler(amp.GradScaler):
    """`torch.amp.GradScaler("cuda", ...)`; deprecated."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        warnings.warn(_OLD.format("GradScaler"), FutureWarning, stacklevel=2)
        super().__init__("cuda", *args, **kwargs)


def custom_fwd(fwd: Any = None, *, cast_inputs: Any = None) -> Any:
    """`torch.amp.custom_fwd(device_type="cuda")`; deprecated."""
    return _custom_fwd(fwd, device_type="cuda", cast_inputs=cast_inputs)


def custom_bwd(bwd: Any = None) -> Any:
    """`torch.amp.custom_bwd(device_type="cuda")`; deprecated."""
    return _custom_bwd(bwd, device_type="cuda")


__getattr__ = missing(__name__)
