"""torch.jit.annotations: the names of types that old programs annotate for TorchScript."""

from __future__ import annotations

from typing import Any, Dict, List, Optional, Tuple, Union  # noqa: UP035 - the names are what is asked for

from rushlight._jit_internal import BroadcastingList1, BroadcastingList2, BroadcastingList3
from rushlight.core.missing import missing
from rushlight.tensor import Tensor

__all__ = [
    "Any", "BroadcastingList1", "BroadcastingList2", "BroadcastingList3", "Dict", "List", "Optional", "Tensor", "Tuple",
    "Union",
]  # fmt: skip

__getattr__ = missing(__name__)
