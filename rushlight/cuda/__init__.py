"""torch.cuda on a machine without one: it says so, and the calls that programs make in passing are quiet."""

from __future__ import annotations

from typing import Any

from rushlight.core.missing import missing

NOT_COMPILED = "Torch not compiled with CUDA enabled"


def is_available() -> bool:
    """Whether a CUDA device can be used: no."""
    return False


def device_count() -> int:
    """How many CUDA devices there are: none."""
    return 0


def is_initialized() -> bool:
    """Whether CUDA was started: no."""
    return False


def is_bf16_supported(including_emulation: bool = True) -> bool:
    """Whether the device computes in bfloat16: there is none."""
    return False


def init() -> None:
    """Raises PyTorch's error for a build without CUDA."""
    raise AssertionError(NOT_COMPILED)


def _refused(*_: Any, **__: Any) -> Any:
    """Raises PyTorch's error for a build without CUDA."""
    raise AssertionError(NOT_COMPILED)


current_device = get_device_name = get_device_capability = get_device_properties = current_stream = mem_get_info = (
    _refused
)


def _quiet(*_: Any, **__: Any) -> None:
    """Nothing to do without a device."""


synchronize = manual_seed = manual_seed_all = empty_cache = reset_peak_memory_stats = reset_max_memory_allocated = (
    ipc_collect
) = _quiet
seed = seed_all = _quiet


def _nothing(*_: Any, **__: Any) -> int:
    """No device, no memory in use."""
    return 0


memory_allocated = max_memory_allocated = memory_reserved = max_memory_reserved = memory_cached = _nothing

__getattr__ = missing(__name__)
