"""The DataLoader: a dataset, the order in which to visit it, and how to make batches.

`DataLoader` checks and keeps the settings; each ``iter(loader)`` makes an iterator, in this process (`iterators`) or
with worker processes (`processes`).
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from rushlight.core.missing import missing
from rushlight.data.collate import default_collate, default_convert
from rushlight.data.dataset import Dataset, IterableDataset
from rushlight.data.iterators import BaseIterator, DatasetKind, SingleProcessIterator
from rushlight.data.sampler import BatchSampler, RandomSampler, Sampler, SequentialSampler

if TYPE_CHECKING:
    from rushlight import Generator

__all__ = ["DataLoader"]

T_co = TypeVar("T_co", covariant=True)

_FIXED = frozenset(("batch_size", "batch_sampler", "sampler", "drop_last", "dataset", "persistent_workers"))


class InfiniteSampler(Sampler[None]):
    """None for ever: what a stream is asked with."""

    def __iter__(self) -> Iterator[None]:
        while True:
            yield None


class DataLoader(Generic[T_co]):
    """Iterates over a dataset in batches. Arguments, attributes and random draws are those of PyTorch's DataLoader.

    Args:
        dataset: map-style, or an `IterableDataset`.
        batch_size: samples in a batch; None gives the samples one by one, not collated.
        shuffle: a new random order each epoch.
        sampler: the order of the indices; excludes ``shuffle``.
        batch_sampler: an iterable of lists of indices; excludes ``batch_size``, ``shuffle``, ``sampler`` and
            ``drop_last``.
        num_workers: processes that load ahead; 0 loads in this one.
        collate_fn: makes a batch of a list of samples; `default_collate` by default.
        pin_memory: copy batches to memory from which an accelerator reads faster; nothing to do without one.
        drop_last: leave out the last batch when it is not full.
        timeout: seconds to wait for a batch of the workers; 0 waits for ever.
        worker_init_fn: called with the worker's number when a worker starts.
        multiprocessing_context: how workers are started: the name of a start method, or a context.
        generator: draws the order and the workers' seed; the default generator when not given.
        prefetch_factor: batches that each worker loads ahead; 2 when there are workers.
        persistent_workers: keep the workers for the next epoch.
        pin_memory_device: deprecated.
        in_order: give the workers' batches in the order of the sampler, not as they come.

    Raises:
        ValueError: for settings that exclude each other or are out of range.

    Example:
        >>> from rushlight.data import TensorDataset
        >>> loader = DataLoader(TensorDataset(torch.arange(5)), batch_size=2)
        >>> [batch.tolist() for (batch,) in loader]
        [[0, 1], [2, 3], [4]]
    """

    dataset: Dataset[T_co]
    batch_size: int | None
    num_workers: int
    pin_memory: bool
    drop_last: bool
    timeout: float
    sampler: Sampler[Any] | Iterable[Any]
    batch_sampler: Any
    collate_fn: Callable[[Any], Any]
    pin_memory_device: str
    prefetch_factor: int | None
    _iterator: BaseIterator | None = None
    _initialized = False

    def __init__(
        self,
        dataset: Dataset[T_co],
        batch_size: int | None = 1,
        shuffle: bool | None = None,
        sampler: Sampler[Any] | Iterable[Any] | None = None,
        batch_sampler: Sampler[list[Any]] | Iterable[list[Any]] | None = None,
        num_workers: int = 0,
        collate_fn: Callable[[list[Any]], Any] | None = None,
        pin_memory: bool = False,
        drop_last: bool = False,
        timeout: float = 0,
        worker_init_fn: Callable[[int], None] | None = None,
        multiprocessing_context: Any = None,
        generator: Generator | None = None,
        *,
        prefetch_factor: int | None = None,
        persistent_workers: bool = False,
        pin_memory_device: str = "",
        in_order: bool = True,
    ) -> None:
        _check_workers(num_workers, timeout, prefetch_factor, persistent_workers)
        self.dataset = dataset
        self.num_workers = num_workers
        self.prefetch_factor = 2 if num_workers > 0 and prefetch_factor is None else prefetch_factor
        self.pin_memory = pin_memory
        self.pin_memory_device = pin_memory_device
        self.timeout = timeout
        self.worker_init_fn = worker_init_fn
        self.multiprocessing_context = multiprocessing_context
        self.in_order = in_order
        if isinstance(dataset, IterableDataset):
            self._dataset_kind = DatasetKind.Iterable
            _check_stream(shuffle, sampler, batch_sampler)
        else:
            self._dataset_kind = DatasetKind.Map
        self.generator = generator
        self._set_order(batch_size, bool(shuffle), sampler, batch_sampler, drop_last)
        self.collate_fn = collate_fn or (default_collate if self._auto_collation else default_convert)
        self.persistent_workers = persistent_workers
        self._IterableDataset_len_called: int | None = None
        self._iterator = None
        self._initialized = True
        self._warn_of_workers(stacklevel=4)

    def _set_order(
        self,
        batch_size: int | None,
        shuffle: bool,
        sampler: Sampler[Any] | Iterable[Any] | None,
        batch_sampler: Sampler[list[Any]] | Iterable[list[Any]] | None,
        drop_last: bool,
    ) -> None:
        _check_batches(batch_size, shuffle, sampler, batch_sampler, drop_last)
        self.batch_size = None if batch_sampler is not None else batch_size
        self.drop_last = drop_last
        self.sampler = self._default_sampler(shuffle) if sampler is None else sampler
        if self.batch_size is not None:
            batch_sampler = BatchSampler(self.sampler, self.batch_size, drop_last)
        self.batch_sampler = batch_sampler

    def _default_sampler(self, shuffle: bool) -> Sampler[Any]:
        if self._dataset_kind == DatasetKind.Iterable:
            return InfiniteSampler()
        if shuffle:
            return RandomSampler(self.dataset, generator=self.generator)  # type: ignore[arg-type]
        return SequentialSampler(self.dataset)  # type: ignore[arg-type]

    def __setattr__(self, attr: str, val: Any) -> None:
        if self._initialized and attr in _FIXED:
            raise ValueError(f"{attr} attribute should not be set after {type(self).__name__} is initialized")
        super().__setattr__(attr, val)

    @property
    def multiprocessing_context(self) -> Any:
        """How workers are started; None for the platform's way (fork on Linux)."""
        return self._multiprocessing_context

    @multiprocessing_context.setter
    def multiprocessing_context(self, context: Any) -> None:
        self._multiprocessing_context = None if context is None else _checked_context(context, self.num_workers)

    @property
    def _auto_collation(self) -> bool:
        return self.batch_sampler is not None

    @property
    def _index_sampler(self) -> Any:
        return self.batch_sampler if self._auto_collation else self.sampler

    def _get_iterator(self) -> BaseIterator:
        if self.num_workers == 0:
            return SingleProcessIterator(self)
        from rushlight.data.processes import MultiProcessingIterator

        self._warn_of_workers(stacklevel=5)
        return MultiProcessingIterator(self)

    def __iter__(self) -> BaseIterator:
        if not (self.persistent_workers and self.num_workers > 0):
            return self._get_iterator()
        if self._iterator is None:
            self._iterator = self._get_iterator()
        else:
            self._iterator._reset(self)
        return self._iterator

    def __len__(self) -> int:
        if self._dataset_kind != DatasetKind.Iterable:
            return len(self._index_sampler)
        # Remembered for the warning about streams that turn out longer than they said.
        length = self._IterableDataset_len_called = len(self.dataset)  # type: ignore[arg-type]
        if self.batch_size is None:
            return length
        return length // self.batch_size if self.drop_last else -(-length // self.batch_size)

    def check_worker_number_rationality(self) -> None:
        """Warns when there are more workers than processors."""
        self._warn_of_workers(stacklevel=4)

    def _warn_of_workers(self, stacklevel: int) -> None:
        if not self.num_workers:
            return
        by_cpuset = hasattr(os, "sched_getaffinity")
        most = len(os.sched_getaffinity(0)) if by_cpuset else os.cpu_count()
        if most is not None and self.num_workers <= most:
            return
        warnings.warn(_too_many_workers(self.num_workers, most, by_cpuset), stacklevel=stacklevel - 1)


def _too_many_workers(wanted: int, most: int | None, by_cpuset: bool) -> str:
    suggestion = "DataLoader is not able to compute a suggested max number of worker in current system."
    if most is not None:
        suggestion = (
            f"Our suggested max number of worker in current system is {most}"
            f"{'' if by_cpuset else ' (`cpuset` is not taken into account)'}, which is smaller "
            "than what this DataLoader is going to create."
        )
    return (
        f"This DataLoader will create {wanted} worker processes in total. {suggestion} "
        "Please be aware that excessive worker creation might get DataLoader running slow or even freeze, "
        "lower the worker number to avoid potential slowness/freeze if necessary."
    )


def _check_workers(num_workers: int, timeout: float, prefetch_factor: int | None, persistent_workers: bool) -> None:
    if num_workers < 0:
        raise ValueError("num_workers option should be non-negative; use num_workers=0 to disable multiprocessing.")
    if timeout < 0:
        raise ValueError("timeout option should be non-negative")
    if num_workers == 0 and prefetch_factor is not None:
        raise ValueError(
            "prefetch_factor option could only be specified in multiprocessing."
            "let num_workers > 0 to enable multiprocessing, otherwise set prefetch_factor to None."
        )
    if prefetch_factor is not None and prefetch_factor < 0:
        raise ValueError("prefetch_factor option should be non-negative")
    if persistent_workers and num_workers == 0:
        raise ValueError("persistent_workers option needs num_workers > 0")


def _check_stream(shuffle: bool | None, sampler: Any, batch_sampler: Any) -> None:
    for name, value in (("shuffle", shuffle or None), ("sampler", sampler), ("batch_sampler", batch_sampler)):
        if value is not None:
            raise ValueError(
                f"DataLoader with IterableDataset: expected unspecified {name} option, but got {name}={value}"
            )


def _check_batches(batch_size: int | None, shuffle: bool, sampler: Any, batch_sampler: Any, drop_last: bool) -> None:
    if sampler is not None and shuffle:
        raise ValueError("sampler option is mutually exclusive with shuffle")
    if batch_sampler is not None and (batch_size != 1 or shuffle or sampler is not None or drop_last):
        raise ValueError("batch_sampler option is mutually exclusive with batch_size, shuffle, sampler, and drop_last")
    if batch_sampler is None and batch_size is None and drop_last:
        raise ValueError("batch_size=None option disables auto-batching and is mutually exclusive with drop_last")


def _checked_context(context: Any, num_workers: int) -> Any:
    """The multiprocessing context for what the user gave: a context, or the name of a start method."""
    import multiprocessing
    from multiprocessing.context import BaseContext

    if num_workers == 0:
        raise ValueError(
            "multiprocessing_context can only be used with multi-process loading (num_workers > 0), "
            f"but got num_workers={num_workers}"
        )
    if isinstance(context, str):
        valid = multiprocessing.get_all_start_methods()
        if context not in valid:
            raise ValueError(
                f"multiprocessing_context option should specify a valid start method in {valid!r}, "
                f"but got multiprocessing_context={context!r}"
            )
        return multiprocessing.get_context(context)
    if not isinstance(context, BaseContext):
        raise TypeError(
            "multiprocessing_context option should be a valid context object or a string specifying the start "
            f"method, but got multiprocessing_context={context}"
        )
    return context


# What programs import from PyTorch's `torch.utils.data.dataloader`.
_INNER = {
    "_DatasetKind": "rushlight.data.iterators:DatasetKind",
    "_BaseDataLoaderIter": "rushlight.data.iterators:BaseIterator",
    "_SingleProcessDataLoaderIter": "rushlight.data.iterators:SingleProcessIterator",
    "_MultiProcessingDataLoaderIter": "rushlight.data.processes:MultiProcessingIterator",
    "_utils": "rushlight.data._utils",
    "get_worker_info": "rushlight.data.worker_info:get_worker_info",
}
__getattr__ = missing(__name__, _INNER, "torch.utils.data.dataloader")
