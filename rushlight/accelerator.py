"""`torch.accelerator`: there is none beside the CPU."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType
from typing import Any

from rushlight.core.device import device as _device
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
