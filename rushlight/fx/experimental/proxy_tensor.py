"""torch.fx.experimental.proxy_tensor: which tracer listens. None does."""

from __future__ import annotations

from rushlight.core.missing import missing

__all__ = ["get_proxy_mode"]


def get_proxy_mode() -> None:
    """None: nothing is traced."""


__getattr__ = missing(__name__)
