"""One pass over a DataLoader: ask the sampler, fetch, collate.

`BaseIterator` keeps the count and the random draws that every pass makes; `SingleProcessIterator` loads in this
process. Where the dataset stands in memory, `fetcher` finds its gather and a batch is taken in one step; an index
that the gather does not understand goes the ordinary way, sample by sample, which gives the same batch or the proper
error.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

import rushlight
from rushlight.data import draws
from rushlight.data.collate import is_default
from rushlight.data.gather import Ahead, Gather, gather_of, index_array
from rushlight.data.sampler import index_blocks

if TYPE_CHECKING:
    from rushlight.data.loader import DataLoader


class DatasetKind:
    """How a dataset is read: by index, or as a stream."""

    Map = 0
    Iterable = 1


Fetcher = Callable[[Any], Any]


def fetcher(kind: int, dataset: Any, auto_collation: bool, collate_fn: Fetcher, drop_last: bool) -> Fetcher:
    """The function that makes a batch (or a sample, without ``auto_collation``) of what the index sampler gives."""
    if kind == DatasetKind.Iterable:
        return StreamFetcher(dataset, auto_collation, collate_fn, drop_last)
    if not auto_collation:
        return lambda index: collate_fn(dataset[index])

    def fetch(indices: Any) -> Any:
        many = getattr(dataset, "__getitems__", None)
        return collate_fn(many(indices) if many else [dataset[index] for index in indices])

    gather = gather_of(dataset) if is_default(collate_fn) else None
    return fetch if gather is None else GatherFetcher(gather, fetch)


class GatherFetcher:
    """Takes a batch in one step; what are not plain indices in range goes the ordinary way."""

    def __init__(self, gather: Gather, one_by_one: Fetcher) -> None:
        self.gather = gather
        self.one_by_one = one_by_one

    def __call__(self, indices: Any) -> Any:
        positions = indices if type(indices) is np.ndarray else index_array(indices)
        if positions is not None:
            try:
                return self.gather(positions)
            except IndexError:
                pass  # out of range: the dataset itself says so, in its words
        return self.one_by_one(indices.tolist() if type(indices) is np.ndarray else indices)


class StreamFetcher:
    """Takes the next samples of a stream; StopIteration at its end."""

    def __init__(self, dataset: Any, auto_collation: bool, collate_fn: Fetcher, drop_last: bool) -> None:
        self.stream = iter(dataset)
        self.auto_collation = auto_collation
        self.collate_fn = collate_fn
        self.drop_last = drop_last
        self.ended = False

    def __call__(self, slots: Any) -> Any:
        if self.ended:
            raise StopIteration
        if not self.auto_collation:
            return self.collate_fn(next(self.stream))
        samples = self._take(len(slots))
        if not samples or (self.drop_last and len(samples) < len(slots)):
            raise StopIteration
        return self.collate_fn(samples)

    def _take(self, count: int) -> list[Any]:
        samples: list[Any] = []
        for _ in range(count):
            try:
                samples.append(next(self.stream))
            except StopIteration:
                self.ended = True
                break
        return samples


class BaseIterator:
    """What the iterators of a loader have in common."""

    def __init__(self, loader: DataLoader[Any]) -> None:
        self._dataset = loader.dataset
        self._dataset_kind = loader._dataset_kind
        self._IterableDataset_len_called = loader._IterableDataset_len_called
        self._auto_collation = loader._auto_collation
        self._drop_last = loader.drop_last
        self._index_sampler = loader._index_sampler
        self._num_workers = loader.num_workers
        self._timeout = loader.timeout
        self._collate_fn = loader.collate_fn
        self._persistent_workers = loader.persistent_workers
        self._pin_memory = loader.pin_memory and _has_accelerator()
        if loader.pin_memory and not self._pin_memory:
            warnings.warn(
                "'pin_memory' argument is set as true but no accelerator is found, "
                "then device pinned memory won't be used.",
                stacklevel=4,
            )
        self._sampler_iter: Iterator[Any] = iter(self._index_sampler)
        self._base_seed = draws.seed(loader.generator)
        self._num_yielded = 0

    def __iter__(self) -> BaseIterator:
        return self

    def _reset(self, loader: DataLoader[Any]) -> None:
        self._sampler_iter = iter(self._index_sampler)
        self._num_yielded = 0
        self._IterableDataset_len_called = loader._IterableDataset_len_called

    def _next_index(self) -> Any:
        return next(self._sampler_iter)

    def _next_data(self) -> Any:
        raise NotImplementedError(f"{type(self).__name__} should implement _next_data.")

    def __next__(self) -> Any:
        data = self._next_data()
        self._num_yielded += 1
        if self._IterableDataset_len_called is not None:
            self._check_length(self._IterableDataset_len_called)
        return data

    def _check_length(self, announced: int) -> None:
        if self._num_yielded <= announced:
            return
        message = (
            f"Length of IterableDataset {self._dataset} was reported to be {announced}"
            f"(when accessing len(dataloader)), but {self._num_yielded} samples have been fetched. "
        )
        if self._num_workers > 0:
            message += (
                "For multiprocessing data-loading, this could be caused by not properly configuring the "
                "IterableDataset replica at each worker: see get_worker_info."
            )
        warnings.warn(message, stacklevel=3)

    def __len__(self) -> int:
        return len(self._index_sampler)

    def __getstate__(self) -> NoReturn:
        raise NotImplementedError(f"{type(self).__name__} cannot be pickled")


class SingleProcessIterator(BaseIterator):
    """Loads in this process, a batch when it is asked for."""

    def __init__(self, loader: DataLoader[Any]) -> None:
        super().__init__(loader)
        if self._timeout != 0:
            raise AssertionError(
                "_SingleProcessDataLoaderIter requires timeout == 0: without workers there is nobody to wait for"
            )
        self._fetch = fetcher(
            self._dataset_kind, self._dataset, self._auto_collation, self._collate_fn, self._drop_last
        )
        self._ahead: Ahead | None = None
        if isinstance(self._fetch, GatherFetcher):
            self._gather_ahead(self._fetch)

    def _gather_ahead(self, fetch: GatherFetcher) -> None:
        """Takes blocks of indices from the sampler, if it makes them, and small rows many batches at a time."""
        size = getattr(self._index_sampler, "batch_size", 1)
        together = Ahead.together(fetch.gather, size) if isinstance(size, int) else 1
        blocks = index_blocks(self._index_sampler, together)
        if blocks is not None:
            self._sampler_iter = blocks
            self._ahead = Ahead(fetch.gather, fetch, blocks, size) if together > 1 else None

    def _next_data(self) -> Any:
        return self._fetch(next(self._sampler_iter)) if self._ahead is None else self._ahead.__next__()


def _has_accelerator() -> bool:
    accelerator = getattr(rushlight, "accelerator", None)
    return accelerator is not None and bool(accelerator.is_available())
