"""`torch.fft`: the names that the operations of `rushlight.ops` declare for it."""

from __future__ import annotations

from rushlight.core.missing import missing
from rushlight.tensor import SPACES

globals().update(SPACES["fft"])

__getattr__ = missing(__name__, {"Tensor": "rushlight.tensor:Tensor"})
