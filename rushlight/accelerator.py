"""`torch.accelerator`: there is none beside the CPU."""

from __future__ import annotations

from typing import Any

from rushlight.core.missing import missing

__all__ = ["current_accelerator", "device_count", "is_available"]


def is_available() -> bool:
    """False."""
    return False


def current_accelerator(check_available: bool = False) -> Any:
    """None."""
    return None


def device_count() -> int:
    """0"""
    return 0


__getattr__ = missing(__name__)
