"""Layout sparse_coo: positions (sparse dimensions x elements) and values (elements x dense dimensions).

Positions may repeat; then the element is the sum of the values listed for it, until `coalesce` adds them up and puts
the positions in order.  How many there are depends on numbers, so `coalesce` reads the positions; the values stay
recorded.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from rushlight.core.dtype import int64
from rushlight.core.layout import sparse_coo
from rushlight.core.strided import contiguous_strides
from rushlight.ops.creation import cast, constant, wrap
from rushlight.ops.slices import INDEX_ADD, INDEX_SELECT
from rushlight.record.memory import storage_of
from rushlight.record.trace import apply, realize, settle
from rushlight.record.value import Tensor

from .layout import COO_RULES, SparseTensor, SparseValue, handle_class, unsupported

UNCOALESCED = "Cannot get {} on an uncoalesced tensor, please call .coalesce() first"


def coo(indices: Tensor, values: Tensor, shape: Sequence[int], coalesced: bool = False) -> CooTensor:
    """The sparse tensor of these parts; fewer than two elements are in order, whatever is said."""
    coalesced = coalesced or settle(indices).spec.shape[-1] < 2
    made = SparseValue(sparse_coo, tuple(shape), (indices,), values, coalesced)
    return made.handle()  # type: ignore[return-value]


def selected(values: Tensor, chosen: np.ndarray) -> Tensor:
    """The elements at these positions in the list."""
    return apply(INDEX_SELECT, (values, wrap(chosen)), (0,))  # type: ignore[no-any-return]


def added_up(values: Tensor, places: Tensor, count: int) -> Tensor:
    """`count` elements, to which the values have been added at their places."""
    shape = settle(values).spec.shape
    return apply(INDEX_ADD, (constant((count, *shape[1:]), 0, values.dtype), places, values), (0,))  # type: ignore[no-any-return]


def rows_at(positions: Tensor, rows: Tensor, count: int, left_out: int) -> CooTensor:
    """The sparse matrix of `count` rows that has these rows, without those at the position `left_out`."""
    width = settle(rows).spec.shape[-1]
    listed, where = rows.reshape(-1, width), cast(positions.reshape(1, -1), int64)
    if left_out >= 0:
        numbers = realize(where)
        chosen = np.flatnonzero(numbers[0] != left_out)
        where, listed = wrap(numbers[:, chosen].copy()), selected(listed, chosen)
    return coo(where, listed, (count, width))


@handle_class("sparse_coo")
class CooTensor(SparseTensor):
    """A tensor of layout torch.sparse_coo."""

    rules = COO_RULES
    is_sparse = True  # type: ignore[assignment]
    is_sparse_csr = False  # type: ignore[assignment]

    # -- parts

    def _nnz(self) -> int:
        return settle(self._value.where[0]).spec.shape[1]  # type: ignore[no-any-return]

    def _indices(self) -> Tensor:
        return self._value.where[0]

    def _values(self) -> Tensor:
        return self._value.values.detach()

    def indices(self) -> Tensor:
        """The positions, a column for each element."""
        if not self._value.coalesced:
            raise RuntimeError(UNCOALESCED.format("indices"))
        return self._value.where[0]

    def values(self) -> Tensor:
        """The elements that are listed."""
        if not self._value.coalesced:
            raise RuntimeError(UNCOALESCED.format("values"))
        values = self._value.values
        return values.view_as(values) if values.requires_grad else values.detach()

    def is_coalesced(self) -> bool:
        """Whether the positions are in order and differ."""
        return self._value.coalesced

    def _coalesced_(self, coalesced: bool) -> Tensor:
        self._value = self._value.like(self._value.values, coalesced)._value
        return self

    def sparse_dim(self) -> int:
        """How many dimensions are addressed by indices."""
        return settle(self._value.where[0]).spec.shape[0]  # type: ignore[no-any-return]

    _dimI = sparse_dim  # noqa: N815 - PyTorch's name

    def _dimV(self) -> int:  # noqa: N802 - PyTorch's name
        return self.dense_dim()

    def lines(self) -> tuple[Tensor, ...]:
        """The positions in each sparse dimension."""
        known = self._value.derived
        if "lines" not in known:
            known["lines"] = self._value.where[0].unbind(0)
        return known["lines"]  # type: ignore[no-any-return]

    def places(self) -> Tensor:
        """The number of each element's position, counted row by row through the sparse dimensions."""
        known = self._value.derived
        if "places" not in known:
            sizes = self.shape[: self.sparse_dim()]
            steps = contiguous_strides(tuple(sizes))
            found = [line if step == 1 else line * step for line, step in zip(self.lines(), steps)]
            total = constant((self._nnz(),), 0, self._indices().dtype) if not found else found[0]
            for more in found[1:]:
                total = total + more
            known["places"] = total
        return known["places"]  # type: ignore[no-any-return]

    def distinct(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The distinct places in order, where each is listed first, and which of them each element is for."""
        known = self._value.derived
        if "distinct" not in known:
            check_positions(self)
            places = realize(self.places())
            if self._value.coalesced:
                order = np.arange(len(places))
                known["distinct"] = places, order, order
            else:
                known["distinct"] = np.unique(places, return_index=True, return_inverse=True)
        return known["distinct"]  # type: ignore[no-any-return]

    # -- to other forms

    def coalesce(self) -> CooTensor:
        """The same tensor with its positions in order, each once."""
        if self._value.coalesced:
            return self
        known = self._value.derived
        _, first, inverse = self.distinct()
        if "merged" not in known:
            known["merged"] = wrap(np.ascontiguousarray(realize(self._indices())[:, first])), wrap(inverse.reshape(-1))
        positions, target = known["merged"]
        values = self._value.values
        if len(first) == len(inverse):
            merged = selected(values, first)
        else:
            merged = added_up(values, target, len(first))
        return coo(positions, merged, self.shape, True)

    def to_dense(self, dtype: Any = None, *, masked_grad: bool | None = None) -> Tensor:
        """The strided tensor of the same numbers."""
        if dtype is not None:
            raise RuntimeError("dtype argument is not supported by sparse_to_dense")
        sizes = self.shape[: self.sparse_dim()]
        return added_up(self._value.values, self.places(), math.prod(sizes)).reshape(self.shape)  # type: ignore[no-any-return]

    def to_sparse(self, sparse_dim: int | None = None, *, layout: Any = None, blocksize: Any = None,
                  dense_dim: int | None = None) -> Tensor:  # fmt: skip
        """The tensor in another sparse layout; itself by default."""
        from .construct import converted

        if sparse_dim is not None and sparse_dim != self.sparse_dim():
            raise RuntimeError(f"to_sparse: conversion from Sparse with {self.sparse_dim()} sparse dimensions to "
                               f"{sparse_dim} is not supported")  # fmt: skip
        return converted(self, layout or sparse_coo, blocksize)

    def as_gradient(self, g: Tensor) -> Tensor:
        """The gradient of the tensor, whose elements listed several times have one gradient each."""
        if self._value.coalesced:
            return self._value.like(g)
        _, first, _ = self.distinct()
        return coo(self.coalesce()._indices(), selected(g, first), self.shape, True)

    def filled_like(self, value: Any, dtype: Any) -> Tensor:
        """A tensor of the same shape without elements: what `zeros_like` gives."""
        if value != 0:
            raise unsupported("fill_", sparse_coo)
        return emptied(self.shape, self.sparse_dim(), dtype, realize(self._indices()).dtype)

    def clone(self, *, memory_format: Any = None) -> Tensor:
        """A copy with its own memory; gradients pass through it."""
        return coo(self._indices().clone(), self._value.values.clone(), self.shape, self._value.coalesced)

    def sparse_mask(self, mask: Tensor) -> Tensor:
        """The elements at the positions of `mask`."""
        from .arithmetic import masked

        return masked(self, mask)

    def saved_parts(self) -> tuple[Any, ...]:
        """What PyTorch's files hold of the tensor beside its layout."""
        return self._indices(), self._values(), self.size(), self._value.coalesced

    # -- indexing

    def __getitem__(self, index: Any) -> Tensor:
        parts = index if isinstance(index, tuple) else (index,)
        found: Tensor = self
        dim, left = 0, self.dim() - sum(p is not None and p is not Ellipsis for p in parts)
        for p in parts:
            if p is Ellipsis:
                dim += left
            elif p is None:
                found = found.unsqueeze(dim)
                dim += 1
            elif isinstance(p, slice) and p == slice(None):
                dim += 1
            else:
                found = self._at(found, dim, p)
        return found

    def _at(self, found: Tensor, dim: int, position: Any) -> Tensor:
        if isinstance(position, slice):
            raise unsupported("as_strided", sparse_coo)
        if isinstance(position, Tensor) and (position.dim() or not _is_whole(position)):
            raise unsupported("index", sparse_coo)
        if dim >= found.dim():
            raise IndexError(f"too many indices for tensor of dimension {found.dim()}")
        at, size = int(position), found.shape[dim]
        if not -size <= at < size:
            raise IndexError(f"index {at} is out of bounds for dimension {dim} with size {size}")
        return found.select(dim, at)

    # -- in place

    def zero_(self) -> Tensor:
        """Makes the tensor one without elements."""
        return self.become(self.filled_like(0, self.dtype))

    def copy_(self, other: Any, non_blocking: bool = False) -> Tensor:
        """Takes the numbers of another sparse tensor."""
        if not isinstance(other, CooTensor):
            raise RuntimeError("copy_() between dense and sparse Tensors is not implemented! Found self type = "
                               f"{self.type()} and src type = {other.type()}")  # fmt: skip
        if other.shape != self.shape:
            raise RuntimeError(f"The expanded size of the tensor {tuple(self.shape)} must match {tuple(other.shape)}")
        return self.become(other.clone())

    def sparse_resize_(self, size: Any, sparse_dim: int, dense_dim: int) -> Tensor:
        """Another size for the same elements; RuntimeError where one would be outside."""
        return self.become(_resized(self, tuple(size), sparse_dim, dense_dim))

    def sparse_resize_and_clear_(self, size: Any, sparse_dim: int, dense_dim: int) -> Tensor:
        """Another size, and no elements."""
        made = emptied(tuple(size), sparse_dim, self.dtype, np.dtype("int64"))
        self._value = made._value
        return self

    def resize_as_sparse_(self, other: Tensor) -> Tensor:
        """`sparse_resize_` to the sizes of another sparse tensor."""
        if other.shape == self.shape:
            return self
        return self.sparse_resize_(other.shape, other.sparse_dim(), other.dense_dim())

    def share_memory_(self) -> Tensor:
        """Moves the parts to memory that other processes share."""
        self._indices().share_memory_()
        storage_of(self._value.values)
        self._value.values.share_memory_()
        return self

    # -- others like it

    def new_zeros(self, *size: Any, dtype: Any = None, **_: Any) -> Tensor:
        """A sparse tensor without elements."""
        shape = size[0] if len(size) == 1 and not isinstance(size[0], int) else size
        return emptied(tuple(shape), len(shape), dtype or self.dtype, np.dtype("int64"))

    new_empty = new_zeros

    def new(self, *args: Any) -> Tensor:  # type: ignore[override]
        """A sparse tensor of the same dtype from indices, values and a size, or from a size."""
        from .construct import sparse_coo_tensor

        return sparse_coo_tensor(*args, dtype=self.dtype) if args else self.new_zeros(0)


def _compressed_part(name: str, lines: str) -> None:
    def refuse(self: CooTensor) -> Tensor:
        raise RuntimeError(f"{name} expected sparse {lines} compressed tensor layout but got Sparse")

    setattr(CooTensor, name, refuse)


for _name, _lines in (("crow_indices", "row"), ("col_indices", "row"), ("ccol_indices", "column"),
                      ("row_indices", "column")):  # fmt: skip
    _compressed_part(_name, _lines)


def _is_whole(position: Tensor) -> bool:
    kind = position.dtype
    return not (kind.is_floating_point or kind.is_complex or kind.name == "bool")


def emptied(shape: tuple[int, ...], sparse_dim: int, dtype: Any, index: np.dtype) -> CooTensor:
    """A sparse tensor without elements."""
    positions = wrap(np.zeros((sparse_dim, 0), "int64" if index.kind not in "iu" else index))
    return coo(positions, constant((0, *shape[sparse_dim:]), 0, dtype), shape, True)


def check_positions(t: CooTensor) -> None:
    """Raises RuntimeError where the tensor lists an element outside its size."""
    positions = realize(t._indices())
    for d, (line, n) in enumerate(zip(positions, t.shape)):
        if line.size and (line.min() < 0 or line.max() >= n):
            wrong = line.max() if line.min() >= 0 else line.min()
            if wrong < 0:
                raise RuntimeError(f"found negative index {wrong} for dim {d}")
            raise RuntimeError(f"size is inconsistent with indices: for dim {d}, size is {n} but found index {wrong}")


def _resized(t: CooTensor, size: tuple[int, ...], sparse_dim: int, dense_dim: int) -> CooTensor:
    if sparse_dim + dense_dim != len(size):
        raise RuntimeError(
            f"'len(size) == sparse_dim + dense_dim' is not satisfied: len(size) = {len(size)}, sparse_dim = "
            f"{sparse_dim}, dense_dim = {dense_dim}"
        )
    if not t._nnz():
        return emptied(size, sparse_dim, t.dtype, realize(t._indices()).dtype)
    before = tuple(t.shape)
    if (sparse_dim, dense_dim) != (t.sparse_dim(), t.dense_dim()):
        raise RuntimeError("changing the number of sparse or dense dimensions on a non-empty sparse tensor is not "
                           "supported.")  # fmt: skip
    for what, old, new in (("sparse", before[:sparse_dim], size[:sparse_dim]),
                           ("dense", before[sparse_dim:], size[sparse_dim:])):  # fmt: skip
        if any(n < m for m, n in zip(old, new)):
            raise RuntimeError(
                f"shrinking the size of {what} dimensions (from {list(old)} to {list(new)}) on a non-empty sparse "
                "tensor is not supported."
            )
    values = t._value.values
    for d, (m, n) in enumerate(zip(before[sparse_dim:], size[sparse_dim:]), 1):
        if m != n:
            more = list(values.shape)
            more[d] = n - m
            values = _cat([values, constant(tuple(more), 0, values.dtype)], d)
    return coo(t._indices(), values, size, t._value.coalesced)


def _cat(parts: list[Tensor], dim: int) -> Tensor:
    from rushlight.ops.joining import cat

    return cat(parts, dim)
