"""`torch.accelerator`: there is none beside the CPU."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from types import ModuleType
from typing import Any, NoReturn

from rushlight.core.device import device as _device
from rushlight.core.missing import missing

__all__ = [
    "current_accelerator", "current_device_idx", "current_device_index", "current_stream", "device_count",
    "device_index", "empty_cache", "empty_host_cache", "get_device_capability", "get_memory_info", "is_available",
    "max_memory_allocated", "max_memory_reserved", "memory_allocated", "memory_reserved", "memory_stats",
    "reset_accumulated_memory_stats", "reset_peak_memory_stats", "set_device_idx", "set_device_index", "set_stream",
    "synchronize",
]  # fmt: skip


def is_available() -> bool:
    """False."""
    return False


def current_accelerator(check_available: bool = False) -> Any:
    """None."""
    return None


def device_count() -> int:
    """0"""
    return 0


def _asking(name: str) -> Callable[..., NoReturn]:
    """A function that asks the accelerator for something, or tells it; programs ask `is_available` first."""

    def ask(*_: Any, **__: Any) -> NoReturn:
        raise RuntimeError("Cannot access accelerator device when none is available.")

    ask.__name__ = ask.__qualname__ = name
    ask.__doc__ = "Raises RuntimeError: there is no accelerator."
    return ask


current_device_index = _asking("current_device_index")
current_device_idx = _asking("current_device_idx")
current_stream = _asking("current_stream")
empty_cache = _asking("empty_cache")
empty_host_cache = _asking("empty_host_cache")
get_device_capability = _asking("get_device_capability")
get_memory_info = _asking("get_memory_info")
max_memory_allocated = _asking("max_memory_allocated")
max_memory_reserved = _asking("max_memory_reserved")
memory_allocated = _asking("memory_allocated")
memory_reserved = _asking("memory_reserved")
memory_stats = _asking("memory_stats")
reset_accumulated_memory_stats = _asking("reset_accumulated_memory_stats")
reset_peak_memory_stats = _asking("reset_peak_memory_stats")
set_device_index = _asking("set_device_index")
set_device_idx = _asking("set_device_idx")
set_stream = _asking("set_stream")
synchronize = _asking("synchronize")


class device_index:
    """A context in which another accelerator would be current; None changes nothing."""

    def __init__(self, device: int | None, /) -> None:
        self.idx = device

    def __enter__(self) -> None:
        if self.idx is not None:
            set_device_index(self.idx)

    def __exit__(self, *_: object) -> None:
        """Nothing was changed."""


def get_device_module(device: Any = None) -> ModuleType:
    """The module `torch.cpu`, `torch.cuda`, ... of a device; that of the CPU for none."""
    kind = "cpu" if device is None else _device(device).type
    try:
        return import_module(f"rushlight.{kind}")
    except ModuleNotFoundError:
        raise RuntimeError(
            f"Device '{kind}' does not have a corresponding module registered as 'torch.{kind}'."
        ) from None


def is_vulkan_available() -> bool:
    """False."""
    return False


__getattr__ = missing(__name__)
