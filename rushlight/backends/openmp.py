"""torch.backends.openmp: OpenMP, which Rushlight does not use by itself."""

from __future__ import annotations

from rushlight.core.missing import missing


def is_available() -> bool:
    """Whether Rushlight was built with it: no."""
    return False


__getattr__ = missing(__name__)
