"""Datasets: where samples come from.

A map-style `Dataset` answers ``dataset[index]`` and ``len(dataset)``; an `IterableDataset` is a stream. The other
classes put datasets together (`ConcatDataset`, `ChainDataset`, `StackDataset`), cut pieces out of them (`Subset`,
`random_split`) or make one of tensors (`TensorDataset`). A loader fetches samples by index, or a whole list of them
where the dataset has ``__getitems__``; data that stands in memory is taken a batch at a time, see
`rushlight.data.gather`.
"""

from __future__ import annotations

import bisect
import itertools
import math
import warnings
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from rushlight.data import draws

if TYPE_CHECKING:
    from rushlight import Generator, Tensor

__all__ = [
    "ChainDataset",
    "ConcatDataset",
    "Dataset",
    "IterableDataset",
    "StackDataset",
    "Subset",
    "TensorDataset",
    "random_split",
]

T_co = TypeVar("T_co", covariant=True)
T = TypeVar("T")


class Dataset(Generic[T_co]):
    """A map from index to sample. A subclass gives ``__getitem__``, and ``__len__`` for the usual samplers.

    A subclass may give ``__getitems__(indices: list) -> list`` as well, to fetch the samples of a batch at once.

    Example:
        >>> class Squares(Dataset):
        ...     def __len__(self): return 3
        ...     def __getitem__(self, index): return index, index ** 2
        >>> Squares()[2]
        (2, 4)
    """

    def __getitem__(self, index: Any) -> T_co:
        raise NotImplementedError("Subclasses of Dataset should implement __getitem__.")

    def __add__(self, other: Dataset[T_co]) -> ConcatDataset[T_co]:
        return ConcatDataset([self, other])


class IterableDataset(Dataset[T_co], Iterable[T_co]):
    """A stream of samples. A subclass gives ``__iter__``; with several workers each of them iterates over a copy."""

    def __add__(self, other: Dataset[T_co]) -> ChainDataset:  # type: ignore[override]
        return ChainDataset([self, other])


class TensorDataset(Dataset[tuple["Tensor", ...]]):
    """Tensors side by side: sample ``i`` is the tuple of their rows ``i``.

    Args:
        tensors: each of shape ``(N, ...)``, the same ``N``.

    Raises:
        AssertionError: when the first sizes differ.

    Example:
        >>> import rushlight as torch
        >>> TensorDataset(torch.arange(3), torch.ones(3, 2))[1]
        (tensor(1), tensor([1., 1.]))
    """

    tensors: tuple[Tensor, ...]

    def __init__(self, *tensors: Tensor) -> None:
        if any(tensors[0].size(0) != tensor.size(0) for tensor in tensors):
            sizes = ", ".join(str(tensor.size(0)) for tensor in tensors)
            raise AssertionError(f"Size mismatch between tensors: their first dimensions are {sizes}")
        self.tensors = tensors

    def __getitem__(self, index: Any) -> tuple[Tensor, ...]:
        return tuple(tensor[index] for tensor in self.tensors)

    def __len__(self) -> int:
        return int(self.tensors[0].size(0))


class StackDataset(Dataset[Any]):
    """Datasets of one length side by side: a sample is the tuple, or with keywords the dictionary, of their samples.

    Raises:
        ValueError: when there is none, when both forms are used, or when the lengths differ.
    """

    datasets: tuple[Any, ...] | dict[str, Any]

    def __init__(self, *args: Dataset[Any], **kwargs: Dataset[Any]) -> None:
        if args and kwargs:
            raise ValueError(
                "Supported either ``tuple``- (via ``args``) or``dict``- (via ``kwargs``) like input/output, "
                "but both types are given."
            )
        if not (args or kwargs):
            raise ValueError("At least one dataset should be passed")
        self.datasets = args or kwargs
        lengths = [len(dataset) for dataset in self._members()]
        if any(length != lengths[0] for length in lengths):
            raise ValueError(f"Size mismatch between datasets: {lengths}")
        self._length = lengths[0]

    def _members(self) -> Iterable[Any]:
        return self.datasets.values() if isinstance(self.datasets, dict) else self.datasets

    def _sample(self, parts: Iterable[Any]) -> Any:
        return dict(zip(self.datasets, parts, strict=True)) if isinstance(self.datasets, dict) else tuple(parts)

    def __getitem__(self, index: Any) -> Any:
        return self._sample(dataset[index] for dataset in self._members())

    def __getitems__(self, indices: list[int]) -> list[Any]:
        columns = [_fetch_many(dataset, indices) for dataset in self._members()]
        for column in columns:
            if len(column) != len(indices):
                raise ValueError(f"Nested dataset's output size mismatch. Expected {len(indices)}, got {len(column)}")
        return [self._sample(parts) for parts in zip(*columns, strict=True)]

    def __len__(self) -> int:
        return self._length


class ConcatDataset(Dataset[T_co]):
    """Datasets one after the other.

    Raises:
        AssertionError: when there is none, or one is an `IterableDataset`.
    """

    datasets: list[Dataset[T_co]]
    cumulative_sizes: list[int]

    def __init__(self, datasets: Iterable[Dataset[Any]]) -> None:
        self.datasets = list(datasets)
        if not self.datasets:
            raise AssertionError("datasets should not be an empty iterable")
        if any(isinstance(dataset, IterableDataset) for dataset in self.datasets):
            raise AssertionError("ConcatDataset does not support IterableDataset")
        self.cumulative_sizes = self.cumsum(self.datasets)

    @staticmethod
    def cumsum(sequence: Iterable[Any]) -> list[int]:
        """The running total of the lengths."""
        return list(itertools.accumulate(len(part) for part in sequence))

    def __len__(self) -> int:
        return self.cumulative_sizes[-1]

    def __getitem__(self, idx: int) -> T_co:
        if idx < 0:
            if -idx > len(self):
                raise ValueError("absolute value of index should not exceed dataset length")
            idx += len(self)
        which = bisect.bisect_right(self.cumulative_sizes, idx)
        start = self.cumulative_sizes[which - 1] if which else 0
        return self.datasets[which][idx - start]

    @property
    def cummulative_sizes(self) -> list[int]:
        """The old spelling of ``cumulative_sizes``."""
        warnings.warn("cummulative_sizes attribute is renamed to cumulative_sizes", DeprecationWarning, stacklevel=2)
        return self.cumulative_sizes


class ChainDataset(IterableDataset[Any]):
    """Streams one after the other. Raises AssertionError, when it is used, if a member is not an `IterableDataset`."""

    def __init__(self, datasets: Iterable[Dataset[Any]]) -> None:
        super().__init__()
        self.datasets = datasets

    def _streams(self) -> Iterator[Any]:
        for dataset in self.datasets:
            if not isinstance(dataset, IterableDataset):
                raise AssertionError("ChainDataset only supports IterableDataset")
            yield dataset

    def __iter__(self) -> Iterator[Any]:
        for dataset in self._streams():
            yield from dataset

    def __len__(self) -> int:
        return sum(len(dataset) for dataset in self._streams())


class Subset(Dataset[T_co]):
    """The samples of ``dataset`` at ``indices``, in that order.

    A subclass that overrides ``__getitem__`` overrides ``__getitems__`` too (NotImplementedError otherwise), because
    the loader calls the latter.
    """

    dataset: Dataset[T_co]
    indices: Sequence[int]

    def __init__(self, dataset: Dataset[T_co], indices: Sequence[int]) -> None:
        self.dataset = dataset
        self.indices = indices
        kind = type(self)
        if kind.__getitem__ is not Subset.__getitem__ and kind.__getitems__ is Subset.__getitems__:
            raise NotImplementedError(
                f"{kind.__name__} overrides __getitem__ but not __getitems__. "
                "When subclassing Subset and overriding __getitem__, you must also override "
                "__getitems__ to ensure DataLoader works correctly with your custom logic. "
                "A simple implementation:\n\n"
                "def __getitems__(self, indices):\n"
                "    return [self.__getitem__(idx) for idx in indices]"
            )

    def __getitem__(self, idx: Any) -> T_co:
        if isinstance(idx, list):
            return self.dataset[[self.indices[i] for i in idx]]
        return self.dataset[self.indices[idx]]

    def __getitems__(self, indices: list[int]) -> list[T_co]:
        return _fetch_many(self.dataset, [self.indices[i] for i in indices])

    def __len__(self) -> int:
        return len(self.indices)


def _fetch_many(dataset: Any, indices: list[int]) -> list[Any]:
    """The samples at ``indices``: at once where the dataset can, else one by one."""
    if callable(getattr(dataset, "__getitems__", None)):
        return list(dataset.__getitems__(indices))
    return [dataset[index] for index in indices]


def random_split(
    dataset: Dataset[T], lengths: Sequence[int | float], generator: Generator | None = None
) -> list[Subset[T]]:
    """Splits a dataset at random into pieces that do not overlap.

    Args:
        dataset: has ``__len__``.
        lengths: how many samples each piece has; or fractions that sum to 1: each piece gets ``floor(N * fraction)``,
            and what is left over goes one by one to the pieces in turn, from the first on.
        generator: draws the permutation; the default generator when not given.

    Raises:
        ValueError: a fraction is not in [0, 1]; the lengths do not sum to the dataset's.

    Example:
        >>> [len(piece) for piece in random_split(range(10), [0.7, 0.3])]
        [7, 3]
    """
    sizes = _sizes_of_fractions(len(dataset), lengths) if _are_fractions(lengths) else list(lengths)  # type: ignore[arg-type]
    if sum(sizes) != len(dataset):  # type: ignore[arg-type]
        raise ValueError(
            "Sum of input lengths does not equal the length of the input dataset! "
            f"The lengths {list(lengths)} sum to {sum(sizes)}, the dataset has {len(dataset)} samples."  # type: ignore[arg-type]
        )
    order = draws.permutation(int(sum(sizes)), generator).tolist()
    ends = itertools.accumulate(sizes)
    return [Subset(dataset, order[int(end - size) : int(end)]) for end, size in zip(ends, sizes, strict=True)]


def _are_fractions(lengths: Sequence[int | float]) -> bool:
    total = sum(lengths)
    return math.isclose(total, 1) and total <= 1


def _sizes_of_fractions(count: int, fractions: Sequence[float]) -> list[int]:
    for position, fraction in enumerate(fractions):
        if fraction < 0 or fraction > 1:
            raise ValueError(f"Fraction at index {position} is not between 0 and 1")
    sizes = [math.floor(count * fraction) for fraction in fractions]
    for position in range(count - sum(sizes)):
        sizes[position % len(sizes)] += 1
    for position, size in enumerate(sizes):
        if size == 0:
            warnings.warn(
                f"Length of split at index {position} is 0. This might result in an empty dataset.", stacklevel=3
            )
    return sizes
