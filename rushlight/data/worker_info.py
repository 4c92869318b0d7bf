"""Which worker process this is: for datasets and ``worker_init_fn``, which ask to divide the work among the workers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

__all__ = ["WorkerInfo", "get_worker_info"]


@dataclass(frozen=True, slots=True)
class WorkerInfo:
    """What `get_worker_info` tells: the worker's number, how many there are, its seed, its copy of the dataset."""

    id: int
    num_workers: int
    seed: int
    dataset: Any
    rng: Any = None
    worker_method: str | None = "multiprocessing"


_info: WorkerInfo | None = None


def get_worker_info() -> WorkerInfo | None:
    """The `WorkerInfo` of the worker process this is called in; None in the main process."""
    return _info


def enter(info: WorkerInfo) -> None:
    """From now on this process is the worker that ``info`` describes."""
    global _info
    _info = info
