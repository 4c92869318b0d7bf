"""torch.backends.mps: Apple's GPUs, which Rushlight does not use."""

from __future__ import annotations

from rushlight.core.missing import missing


def is_available() -> bool:
    """Whether there is such a device: no."""
    return False


def is_built() -> bool:
    """Whether there is code for one: no."""
    return False


def is_macos_or_newer(major: int, minor: int) -> bool:
    """False: asked only about a device, and there is none."""
    return False


__getattr__ = missing(__name__)
