"""torch.backends.opt_einsum: `einsum` multiplies from left to right here, whatever these switches say."""

from __future__ import annotations

from rushlight.core.missing import missing

enabled = False
strategy: str | None = None


def is_available() -> bool:
    """Whether the package is used: no."""
    return False


__getattr__ = missing(__name__)
