"""Samplers: in which order the samples are visited.

A sampler is an iterable of indices; `BatchSampler` cuts such an iterable into lists. The samplers of this file make
their indices in *blocks* (NumPy arrays, usually a whole epoch in one), drawn from the generators at the moments at
which PyTorch draws; iterating over a sampler hands a block out number by number, and a loader over data in memory
takes the blocks themselves (`index_blocks`).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator, Sequence, Sized
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import numpy as np

from rushlight.data import draws
from rushlight.data.draws import Indices

if TYPE_CHECKING:
    from rushlight import Generator, Tensor
    from rushlight.data.dataset import Dataset

__all__ = [
    "BatchSampler",
    "DistributedSampler",
    "RandomSampler",
    "Sampler",
    "SequentialSampler",
    "SubsetRandomSampler",
    "WeightedRandomSampler",
]

T_co = TypeVar("T_co", covariant=True)

REPLACEMENT_BLOCK = 32
"""PyTorch draws the indices with replacement in blocks of this many; the stream of numbers depends on it."""


class Sampler(Generic[T_co]):
    """Base class of samplers. A subclass gives ``__iter__``, and ``__len__`` where the number of indices is known."""

    def __iter__(self) -> Iterator[T_co]:
        raise NotImplementedError("Subclasses of Sampler should implement __iter__.")


class _BlockSampler(Sampler[int]):
    """A sampler that makes its indices block by block."""

    def blocks(self) -> Iterator[Indices]:
        raise NotImplementedError

    def __iter__(self) -> Iterator[int]:
        # A generator function: PyTorch draws when the first index is asked for, not before.
        for block in self.blocks():
            yield from block.tolist()


class SequentialSampler(_BlockSampler):
    """0, 1, 2 and so on to ``len(data_source) - 1``."""

    data_source: Sized

    def __init__(self, data_source: Sized) -> None:
        self.data_source = data_source

    def blocks(self) -> Iterator[Indices]:
        yield np.arange(len(self.data_source))

    def __len__(self) -> int:
        return len(self.data_source)


class RandomSampler(_BlockSampler):
    """Random indices into ``data_source``: a permutation, or independent draws.

    Args:
        data_source: has ``__len__``.
        replacement: independent draws.
        num_samples: how many indices; the length of ``data_source`` by default. More than that without
            replacement makes several permutations.
        generator: draws the indices; by default a new one each epoch, seeded by the default generator.

    Raises:
        TypeError: ``replacement`` is no bool.
        ValueError: ``num_samples`` is not a positive integer (an empty ``data_source`` included).
    """

    data_source: Sized
    replacement: bool

    def __init__(
        self,
        data_source: Sized,
        replacement: bool = False,
        num_samples: int | None = None,
        generator: Generator | None = None,
    ) -> None:
        self.data_source = data_source
        self.replacement = replacement
        self._num_samples = num_samples
        self.generator = generator
        if not isinstance(replacement, bool):
            raise TypeError(f"replacement should be a boolean value, but got replacement={replacement}")
        if not isinstance(self.num_samples, int) or self.num_samples <= 0:
            raise ValueError(f"num_samples should be a positive integer value, but got num_samples={self.num_samples}")

    @property
    def num_samples(self) -> int:
        """How many indices an epoch has; follows the size of the data source unless it was given."""
        return len(self.data_source) if self._num_samples is None else self._num_samples

    def blocks(self) -> Iterator[Indices]:
        if self.generator is not None:
            generator = self.generator
        elif not self.replacement and self.num_samples <= len(self.data_source):
            yield draws.seeded_permutation(len(self.data_source), draws.seed())[: self.num_samples]
            return
        else:
            generator = draws.fresh_generator(draws.seed())
        yield from self._replacement_blocks(generator) if self.replacement else self._permutations(generator)

    def _replacement_blocks(self, generator: Generator) -> Iterator[Indices]:
        high = len(self.data_source)
        for _ in range(self.num_samples // REPLACEMENT_BLOCK):
            yield draws.integers(high, REPLACEMENT_BLOCK, generator)
        yield draws.integers(high, self.num_samples % REPLACEMENT_BLOCK, generator)

    def _permutations(self, generator: Generator) -> Iterator[Indices]:
        count = len(self.data_source)
        for _ in range(self.num_samples // count):
            yield draws.permutation(count, generator)
        rest = self.num_samples % count
        # PyTorch draws once more even where nothing is left to give: seen by whoever shares the generator, only by
        # them.
        if rest or self.generator is not None:
            yield draws.permutation(count, generator)[:rest]

    def __len__(self) -> int:
        return self.num_samples


class SubsetRandomSampler(Sampler[int]):
    """The given indices in random order, without replacement."""

    indices: Sequence[int]

    def __init__(self, indices: Sequence[int], generator: Generator | None = None) -> None:
        self.indices = indices
        self.generator = generator

    def __iter__(self) -> Iterator[int]:
        for position in draws.permutation(len(self.indices), self.generator).tolist():
            yield self.indices[position]

    def __len__(self) -> int:
        return len(self.indices)


class WeightedRandomSampler(_BlockSampler):
    """Indices from 0 to ``len(weights) - 1``, drawn with probabilities proportional to the weights.

    Args:
        weights: shape ``(N,)``; they need not sum to 1.
        num_samples: how many to draw.
        replacement: whether an index can come twice.
        generator: draws them; the default generator when not given.

    Raises:
        ValueError: for weights that are not one-dimensional, ``num_samples`` that is not a positive integer, or
            ``replacement`` that is no bool.
    """

    weights: Tensor
    num_samples: int
    replacement: bool

    def __init__(
        self,
        weights: Sequence[float],
        num_samples: int,
        replacement: bool = True,
        generator: Generator | None = None,
    ) -> None:
        if not isinstance(num_samples, int) or isinstance(num_samples, bool) or num_samples <= 0:
            raise ValueError(f"num_samples should be a positive integer value, but got num_samples={num_samples}")
        if not isinstance(replacement, bool):
            raise ValueError(f"replacement should be a boolean value, but got replacement={replacement}")
        tensor = draws.weights_tensor(weights)
        if len(tensor.shape) != 1:
            raise ValueError(f"weights should be a 1d sequence but given weights have shape {tuple(tensor.shape)}")
        self.weights = tensor
        self.num_samples = num_samples
        self.replacement = replacement
        self.generator = generator

    def blocks(self) -> Iterator[Indices]:
        yield draws.weighted(self.weights, self.num_samples, self.replacement, self.generator)

    def __len__(self) -> int:
        return self.num_samples


class BatchSampler(Sampler[list[int]]):
    """Lists of ``batch_size`` indices of another sampler; the last may be shorter, or is dropped.

    Example:
        >>> list(BatchSampler(SequentialSampler(range(5)), batch_size=2, drop_last=False))
        [[0, 1], [2, 3], [4]]
    """

    def __init__(self, sampler: Sampler[int] | Iterable[int], batch_size: int, drop_last: bool) -> None:
        if not isinstance(batch_size, int) or isinstance(batch_size, bool) or batch_size <= 0:
            raise ValueError(f"batch_size should be a positive integer value, but got batch_size={batch_size}")
        if not isinstance(drop_last, bool):
            raise ValueError(f"drop_last should be a boolean value, but got drop_last={drop_last}")
        self.sampler = sampler
        self.batch_size = batch_size
        self.drop_last = drop_last

    def __iter__(self) -> Iterator[list[int]]:
        indices = iter(self.sampler)
        while batch := list(itertools.islice(indices, self.batch_size)):
            if self.drop_last and len(batch) < self.batch_size:
                return
            yield batch

    def __len__(self) -> int:
        count = len(self.sampler)  # type: ignore[arg-type]
        return count // self.batch_size if self.drop_last else -(-count // self.batch_size)


class DistributedSampler(_BlockSampler):
    """The part of a dataset that falls to one of several processes: every ``num_replicas``-th index from ``rank`` on.

    Args:
        dataset: has ``__len__``.
        num_replicas, rank: number of processes and this one's number; asked of the process group by default.
        shuffle: permute the indices, by ``seed + epoch``, the same in every process; call `set_epoch` each epoch.
        seed: the seed of the permutations, the same in every process.
        drop_last: drop samples to make the parts equal, instead of repeating some.

    Raises:
        ValueError: ``rank`` is not in ``[0, num_replicas - 1]``.
        RuntimeError: ``num_replicas`` or ``rank`` is not given, and there is no process group to ask.
    """

    def __init__(
        self,
        dataset: Dataset[Any],
        num_replicas: int | None = None,
        rank: int | None = None,
        shuffle: bool = True,
        seed: int = 0,
        drop_last: bool = False,
    ) -> None:
        if num_replicas is None or rank is None:
            group = _process_group()
            num_replicas = group.get_world_size() if num_replicas is None else num_replicas
            rank = group.get_rank() if rank is None else rank
        if rank >= num_replicas or rank < 0:
            raise ValueError(f"Invalid rank {rank}, rank should be in the interval [0, {num_replicas - 1}]")
        self.dataset = dataset
        self.num_replicas = num_replicas
        self.rank = rank
        self.epoch = 0
        self.drop_last = drop_last
        count = len(dataset)  # type: ignore[arg-type]
        self.num_samples = count // num_replicas if drop_last else math.ceil(count / num_replicas)
        self.total_size = self.num_samples * num_replicas
        self.shuffle = shuffle
        self.seed = seed

    def blocks(self) -> Iterator[Indices]:
        count = len(self.dataset)  # type: ignore[arg-type]
        order = np.arange(count)
        if self.shuffle:
            order = draws.seeded_permutation(count, self.seed + self.epoch)
        # np.resize repeats the order from its start, or cuts it: PyTorch's padding and dropping.
        yield np.resize(order, self.total_size)[self.rank :: self.num_replicas]

    def __iter__(self) -> Iterator[int]:
        return iter(next(self.blocks()).tolist())

    def __len__(self) -> int:
        return self.num_samples

    def set_epoch(self, epoch: int) -> None:
        """Tells the sampler which epoch comes: the permutation is another one in each."""
        self.epoch = epoch


def _process_group() -> Any:
    try:
        from rushlight import distributed
    except ImportError:
        raise RuntimeError(
            "Requires distributed package to be available: give num_replicas and rank to DistributedSampler"
        ) from None
    return distributed


_BLOCK_ITERATORS = frozenset((_BlockSampler.__iter__, DistributedSampler.__iter__))


def index_blocks(batch_sampler: Any, together: int = 1) -> Iterator[Indices] | None:
    """The indices of a batch sampler as arrays cut from the blocks; None where it or its sampler is not of this file.

    An array has the indices of up to `together` batches.  Nothing is drawn before the first batch is asked for, and
    never more than the batch needs.
    """
    if type(batch_sampler).__iter__ is not BatchSampler.__iter__:
        return None
    sampler = batch_sampler.sampler
    if getattr(type(sampler), "__iter__", None) not in _BLOCK_ITERATORS:
        return None
    return _cut(sampler, batch_sampler.batch_size, batch_sampler.drop_last, together)


def _cut(sampler: Any, size: int, drop_last: bool, together: int) -> Iterator[Indices]:
    rest: Indices = np.empty(0, np.int64)
    for block in sampler.blocks():
        rest = np.concatenate((rest, block)) if len(rest) else block
        whole = len(rest) - len(rest) % size
        for start in range(0, whole, size * together):
            yield rest[start : min(start + size * together, whole)]
        rest = rest[whole:]
    if len(rest) and not drop_last:
        yield rest
