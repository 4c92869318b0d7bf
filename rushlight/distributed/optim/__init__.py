"""`torch.distributed.optim`: optimizers whose state several processes share. Libraries import them for `isinstance`."""

from __future__ import annotations

from typing import Any, NoReturn

from rushlight.core.missing import missing
from rushlight.optim import Optimizer

__all__ = ["ZeroRedundancyOptimizer"]


class ZeroRedundancyOptimizer(Optimizer):
    """An optimizer that leaves each process a share of the state: here is one process, so nothing is one."""

    def __init__(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise NotImplementedError(
            "torch.distributed.optim.ZeroRedundancyOptimizer divides an optimizer's state among processes, and here is "
            "only one: use the optimizer itself"
        )


ZeroRedundancyOptimizer.absent_from_rushlight = True  # type: ignore[attr-defined]

__getattr__ = missing(__name__)
