"""`torch.xpu`: devices that are not there. Questions get PyTorch's answers of a machine without one."""

from __future__ import annotations

from rushlight.core.missing import missing

__all__ = ["device_count", "empty_cache", "is_available", "manual_seed", "manual_seed_all"]


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

__getattr__ = missing(__name__)
