"""`torch.distributed.nn.functional`: collectives of a group that was never initialized.

Libraries import them and call them only where `torch.distributed.is_initialized()`. Each raises PyTorch's error.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

from rushlight.distributed import get_world_size

__all__ = [
    "all_gather", "all_reduce", "all_to_all", "all_to_all_single", "broadcast", "gather", "reduce", "reduce_scatter",
    "scatter",
]  # fmt: skip


def _collective(name: str) -> Callable[..., NoReturn]:
    def call(*args: Any, **kwargs: Any) -> NoReturn:
        get_world_size()  # raises
        raise AssertionError("a process group came into being")

    call.__name__ = call.__qualname__ = name
    call.__doc__ = "Raises ValueError: there is no process group."
    return call


all_gather, all_reduce, all_to_all = map(_collective, ("all_gather", "all_reduce", "all_to_all"))
all_to_all_single, broadcast, gather = map(_collective, ("all_to_all_single", "broadcast", "gather"))
reduce, reduce_scatter, scatter = map(_collective, ("reduce", "reduce_scatter", "scatter"))
