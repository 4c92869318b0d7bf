"""torch.nn.parallel: modules over several devices or processes. There is one device here: most of it passes through."""

from __future__ import annotations

from typing import Any, NoReturn

from rushlight.core.missing import missing
from rushlight.nn.parallel.data_parallel import DataParallel, data_parallel, parallel_apply
from rushlight.nn.parallel.distributed import DistributedDataParallel

__all__ = [
    "DataParallel",
    "DistributedDataParallel",
    "data_parallel",
    "gather",
    "parallel_apply",
    "replicate",
    "scatter",
]


def _several(name: str) -> Any:
    def refuse(*_: Any, **__: Any) -> NoReturn:
        raise NotImplementedError(f"torch.nn.parallel.{name}: there is one device, nothing to distribute")

    refuse.__name__ = refuse.__qualname__ = name
    refuse.__doc__ = "Raises NotImplementedError: there is one device."
    refuse.__dict__["absent_from_rushlight"] = True
    return refuse


replicate, scatter, gather = _several("replicate"), _several("scatter"), _several("gather")

__getattr__ = missing(__name__)
