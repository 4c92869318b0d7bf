"""`torch.signal.windows`: the names that `ops.window` declares for it."""

from __future__ import annotations

from rushlight.core.missing import missing
from rushlight.ops.window import WINDOWS

globals().update(WINDOWS)

__getattr__ = missing(__name__)
