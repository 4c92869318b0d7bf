"""torch._logging: what PyTorch's compiler says about its work; here is nothing that would be said."""

from __future__ import annotations

from typing import Any

from rushlight.core.missing import missing

__all__ = ["set_logs"]


def set_logs(**channels: Any) -> None:
    """Accepted, channels and levels of PyTorch's compiler; `rushlight.explain` shows what became of a step."""


__getattr__ = missing(__name__)
