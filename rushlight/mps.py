"""`torch.mps`: devices that are not there. Questions get PyTorch's answers of a machine without one."""

from __future__ import annotations

from typing import NoReturn

from rushlight.core.missing import missing

__all__ = [
    "current_allocated_memory", "device_count", "driver_allocated_memory", "empty_cache", "is_available", "manual_seed",
    "synchronize",
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


def synchronize() -> NoReturn:
    """Raises PyTorch's error for a build without such devices."""
    raise RuntimeError("Cannot execute deviceSynchronize() without MPS backend.")


def current_allocated_memory() -> NoReturn:
    """Raises PyTorch's error for a build without such devices."""
    raise RuntimeError("Cannot execute getCurrentAllocatedMemory() without MPS backend.")


def driver_allocated_memory() -> NoReturn:
    """Raises PyTorch's error for a build without such devices."""
    raise RuntimeError("Cannot execute getDriverAllocatedMemory() without MPS backend.")


__getattr__ = missing(__name__)
