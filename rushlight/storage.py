"""torch.storage: the types of the memory behind tensors."""

from __future__ import annotations

from rushlight.core.missing import missing
from rushlight.tensor.storage import TypedStorage, UntypedStorage

__all__ = ["TypedStorage", "UntypedStorage"]

__getattr__ = missing(__name__)
