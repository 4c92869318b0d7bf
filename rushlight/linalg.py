"""`torch.linalg`: the names that the operations of `rushlight.ops` declare for it."""

from __future__ import annotations

from rushlight.core.missing import missing
from rushlight.ops.linalg import LinAlgError as LinAlgError
from rushlight.tensor import SPACES

globals().update(SPACES["linalg"])

__getattr__ = missing(__name__)
