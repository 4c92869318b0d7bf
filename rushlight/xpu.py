"""`torch.xpu`: devices that are not there. Questions get PyTorch's answers of a machine without one."""

from __future__ import annotations

from typing import Any, NoReturn

from rushlight.core.missing import missing

__all__ = [
    "current_device", "device_count", "empty_cache", "get_device_name", "get_device_properties", "is_available",
    "is_bf16_supported", "manual_seed", "manual_seed_all", "max_memory_allocated", "max_memory_reserved",
    "memory_allocated", "memory_reserved", "synchronize",
]  # fmt: skip


def is_available() -> bool:
    """False."""
    return False


def device_count() -> int:
    """0"""
    return 0


def empty_cache() -> None:
    """Nothing to give back."""


def manual_seed(seed: int) -> None:
    """Nothing to seed: there is no such device."""


manual_seed_all = manual_seed


def is_bf16_supported(including_emulation: bool = True) -> bool:
    """False."""
    return False


def memory_allocated(device: Any = None) -> int:
    """0"""
    return 0


memory_reserved = max_memory_allocated = max_memory_reserved = memory_allocated


def synchronize(device: Any = None) -> NoReturn:
    """Raises PyTorch's error for a build without such devices."""
    raise AssertionError("Torch not compiled with XPU enabled")


current_device = get_device_name = get_device_properties = synchronize

__getattr__ = missing(__name__)
