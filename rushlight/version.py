"""`torch.version`: the PyTorch release that Rushlight follows, and the devices it was not built for."""

from __future__ import annotations

from rushlight import __version__

__all__ = ["__version__", "cuda", "debug", "git_version", "hip", "rocm", "xpu"]

debug: bool = False
cuda: str | None = None
git_version: str = "Unknown"
hip: str | None = None
rocm: str | None = None
xpu: str | None = None
