"""torch.distributed.tensor.parallel: layers divided among processes; in a group of one they stay whole."""

from __future__ import annotations

from typing import Any

from rushlight.core.missing import missing
from rushlight.nn.parallel.distributed import check_alone

__all__ = [
    "ColwiseParallel", "ParallelStyle", "PrepareModuleInput", "PrepareModuleOutput", "RowwiseParallel",
    "SequenceParallel", "loss_parallel", "parallelize_module",
]  # fmt: skip


class ParallelStyle:
    """How a layer would be divided; its options are kept."""

    def __init__(self, *args: Any, **options: Any) -> None:
        self.args, self.options = args, options


class ColwiseParallel(ParallelStyle):
    """By the columns of its weight."""


class RowwiseParallel(ParallelStyle):
    """By the rows of its weight."""


class SequenceParallel(ParallelStyle):
    """By the places of a sequence."""


class PrepareModuleInput(ParallelStyle):
    """Inputs that are distributed anew."""


class PrepareModuleOutput(ParallelStyle):
    """Results that are distributed anew."""


def parallelize_module(module: Any, device_mesh: Any = None, parallelize_plan: Any = None, **_: Any) -> Any:
    """The module itself, in a group of one process; ValueError without one, NotImplementedError for more."""
    check_alone("torch.distributed.tensor.parallel.parallelize_module")
    return module


def loss_parallel() -> Any:
    """Raises ValueError without a process group; a context that changes nothing in a group of one."""
    from contextlib import nullcontext

    check_alone("torch.distributed.tensor.parallel.loss_parallel")
    return nullcontext()


__getattr__ = missing(__name__)
