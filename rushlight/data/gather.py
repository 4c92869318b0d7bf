"""Gathering: a batch of data that stands in memory, taken in one indexing step.

Fetching fifty samples one by one and stacking them costs a hundred times what ``array[indices]`` costs. Where the
samples are rows of arrays, known one by one in advance (`TensorDataset`, the MNIST family with known transforms, and
`Subset` and `ConcatDataset` of those), a *gather* makes the very batch that fetching and `default_collate` would
make: the same dtypes, shapes, values and containers.

Of small rows of tensors many batches are taken at a time (`Ahead`).

`gather_of` finds it by the dataset's ``__getitem__`` function itself, so that a subclass with another ``__getitem__``
is fetched sample by sample; a dataset class enters the table with `register`. What is not exactly known has no gather.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

import rushlight
from rushlight.core.dtype import from_numpy
from rushlight.data.collate import _NUMPY_DTYPES
from rushlight.data.dataset import ConcatDataset, Subset, TensorDataset
from rushlight.data.draws import Indices
from rushlight.record.spec import Spec, spec_of
from rushlight.record.trace import settle
from rushlight.record.value import Value, tensor_holding
from rushlight.tensor import Tensor, wrap

Array = np.ndarray[Any, Any]

AHEAD = 1 << 16  # bytes: as many batches are taken in one step


@dataclass(frozen=True, slots=True)
class Column:
    """One member of the samples: ``take(indices)`` makes a new array of one row, of ``shape``, for each index."""

    take: Callable[[Indices], Array]
    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    source: Tensor | None = None  # whose rows they are, where they are just these


@dataclass(frozen=True, slots=True)
class Gather:
    """Makes batches of ``columns``: samples are tuples, so that a batch is the list of its columns."""

    columns: tuple[Column, ...]
    known: dict[int, list[Spec]] = field(default_factory=dict)  # by how many indices, what the columns are

    def __call__(self, indices: Indices) -> list[Tensor]:
        return self.tensors([column.take(indices) for column in self.columns])

    def tensors(self, arrays: list[Array]) -> list[Tensor]:
        """The columns as tensors: new arrays that nobody else has."""
        count = len(arrays[0])
        specs = self.known.get(count)
        if specs is None:
            specs = self.known[count] = [_spec_of(column, count) for column in self.columns]
        return [
            tensor_holding(array, spec) if array.flags.c_contiguous else wrap(array)
            for array, spec in zip(arrays, specs, strict=True)
        ]


class Ahead:
    """Batches of small rows: many are taken in one step, and handed out one after the other.

    Who changes a tensor between two batches sees the change in the next one: what was taken ahead is then dropped.

    Args:
        gather: makes a batch of indices that are in range.
        fetch: makes any batch, or says what is wrong with it.
        stretches: the indices of many batches at a time, `size` a batch.
    """

    def __init__(
        self, gather: Gather, fetch: Callable[[Any], Any], stretches: Iterator[Indices], size: int
    ) -> None:
        self.gather, self.fetch, self.stretches, self.size = gather, fetch, stretches, size
        self.sources = [column.source for column in gather.columns]
        self.indices: Indices = np.empty(0, np.int64)
        self.taken: list[tuple[Tensor, Value, Array]] | None = None
        self.at = 0

    @staticmethod
    def together(gather: Gather, size: int) -> int:
        """How many batches of `size` rows are worth taking in one step; 1 for none but the next."""
        if any(column.source is None for column in gather.columns):
            return 1
        row = sum(math.prod(column.shape) * column.dtype.itemsize for column in gather.columns)
        return max(1, AHEAD // (row * size or 1))

    def __next__(self) -> Any:
        if self.at >= len(self.indices):
            self.indices, self.at = next(self.stretches), 0
            self.taken = self._take()
        start = self.at
        self.at = stop = start + self.size
        if self.taken is not None:
            rows = []
            for tensor, value, array in self.taken:
                if settle(tensor) is not value or value.exposure is not None:
                    break
                rows.append(array[start:stop])
            else:
                return self.gather.tensors(rows)
        return self.fetch(self.indices[start:stop])

    def _take(self) -> list[tuple[Tensor, Value, Array]] | None:
        """The rows of a whole stretch, if nothing but the tensors themselves can change them."""
        tensors = [tensor for tensor in self.sources if tensor is not None]
        values = [settle(tensor) for tensor in tensors]
        if any(value.exposure is not None for value in values):
            return None
        try:
            arrays = [column.take(self.indices) for column in self.gather.columns]
        except IndexError:
            return None
        return list(zip(tensors, values, arrays, strict=True))


def _spec_of(column: Column, count: int) -> Spec:
    return spec_of((count, *column.shape), from_numpy(column.dtype))


Planner = Callable[[Any], "Gather | None"]
_PLANNERS: dict[Any, Planner] = {}


def register(getitem: Callable[..., Any]) -> Callable[[Planner], Planner]:
    """Enters a planner for the datasets whose ``__getitem__`` is this very function; it may return None."""

    def enter(planner: Planner) -> Planner:
        _PLANNERS[getitem] = planner
        return planner

    return enter


def gather_of(dataset: Any) -> Gather | None:
    """The gather of a dataset, or None where its samples have to be fetched one by one.

    It is made when an epoch starts: transforms and indices are those of that moment.
    """
    kind = type(dataset)
    planner = _PLANNERS.get(getattr(kind, "__getitem__", None))
    if planner is None or "__getitems__" in getattr(dataset, "__dict__", ()):
        return None
    if getattr(kind, "__getitems__", None) not in (None, Subset.__getitems__):
        return None
    return planner(dataset)


def tensor_column(tensor: Any) -> Column | None:
    """The rows of a tensor of plain numbers."""
    if type(tensor) is not Tensor or tensor.requires_grad or tensor.dim() == 0 or tensor.dtype not in _NUMPY_DTYPES:
        return None
    if tensor.device.type != "cpu" or tensor.layout is not rushlight.strided:
        return None
    array = tensor.realized_array()

    def take(indices: Indices) -> Array:
        # Asked anew for each batch: the program may change the tensor in place between two.
        rows: Array = tensor.realized_array()
        # `take` would first copy the whole of an array that is not contiguous.
        return rows.take(indices, 0) if rows.flags.c_contiguous else np.ascontiguousarray(rows[indices])

    return Column(take, array.dtype, array.shape[1:], tensor)


@register(TensorDataset.__getitem__)
def _of_tensors(dataset: TensorDataset) -> Gather | None:
    columns = [tensor_column(tensor) for tensor in dataset.tensors]
    known = [column for column in columns if column is not None]
    return Gather(tuple(known)) if known and len(known) == len(columns) else None


@register(Subset.__getitem__)
def _of_subset(dataset: Subset[Any]) -> Gather | None:
    inner = gather_of(dataset.dataset)
    positions = index_array(dataset.indices)
    if inner is None or positions is None:
        return None
    return Gather(tuple(_at_positions(column, positions) for column in inner.columns))


def _at_positions(column: Column, positions: Indices) -> Column:
    return Column(lambda indices: column.take(positions.take(indices)), column.dtype, column.shape)


@register(ConcatDataset.__getitem__)
def _of_concat(dataset: ConcatDataset[Any]) -> Gather | None:
    gathers = [gather_of(part) for part in dataset.datasets]
    known = [gather for gather in gathers if gather is not None]
    if len(known) != len(gathers) or len({len(gather.columns) for gather in known}) != 1:
        return None
    aligned = list(zip(*(gather.columns for gather in known), strict=True))
    if any(len({(column.dtype, column.shape) for column in columns}) != 1 for columns in aligned):
        return None
    ends = np.asarray(dataset.cumulative_sizes)
    return Gather(tuple(_from_parts(columns, ends) for columns in aligned))


def _from_parts(parts: tuple[Column, ...], ends: Indices) -> Column:
    first = parts[0]
    starts = np.concatenate(([0], ends[:-1]))

    def take(indices: Indices) -> Array:
        indices = np.where(indices < 0, indices + ends[-1], indices)
        if indices.min(initial=0) < 0:
            raise IndexError("absolute value of index should not exceed dataset length")
        owners = np.searchsorted(ends, indices, side="right")
        batch = np.empty((len(indices), *first.shape), first.dtype)
        for owner in np.unique(owners):
            mine = owners == owner
            batch[mine] = parts[owner].take(indices[mine] - starts[owner])
        return batch

    return Column(take, first.dtype, first.shape)


def index_array(indices: Any) -> Indices | None:
    """A list of integers as an array; None for anything else (no integers, a tensor, nested lists)."""
    if isinstance(indices, Tensor):
        return None
    try:
        array = np.asarray(indices)
    except (ValueError, TypeError, OverflowError):
        return None
    return array if array.ndim == 1 and array.dtype.kind == "i" else None
