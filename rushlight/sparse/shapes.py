"""Tensors of layout sparse_coo in other shapes: transposed, joined, cut, picked from.

All of these move positions; values are picked, or joined.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from rushlight.core.dtype import promote_types
from rushlight.core.strided import normalize_dim
from rushlight.ops.creation import cast, constant, wrap
from rushlight.ops.joining import cat, stack
from rushlight.record.operation import Operation
from rushlight.record.trace import realize
from rushlight.record.value import Tensor

from .coo import CooTensor, coo, selected
from .layout import rule, unsupported


def _lines(t: CooTensor) -> list[Tensor]:
    return list(t.lines())


def _assembled(lines: list[Tensor], like: CooTensor) -> Tensor:
    """Index tensors, one for each sparse dimension, as one."""
    return stack(lines) if lines else like._indices()[:0]


@rule("transpose", "t", "permute", "transpose_in_place", "t_in_place")
def _permuted(op: Operation, operands: Sequence[Any], attrs: tuple[Any, ...]) -> Any:
    t = operands[0]
    order = list(attrs[0])
    if order == list(range(t.dim())):
        return t._value.like(t._value.values)
    sparse = t.sparse_dim()
    if sorted(order[:sparse]) != list(range(sparse)):
        _refuse(op, order, sparse)
    lines = t.lines()
    indices = _assembled([lines[d] for d in order[:sparse]], t)
    values = t._value.values.permute(0, *[d - sparse + 1 for d in order[sparse:]])
    still = t.is_coalesced() and order[:sparse] == list(range(sparse))
    return coo(indices, values, [t.shape[d] for d in order], still)


def _refuse(op: Operation, order: list[int], sparse: int) -> None:
    moved = [d for d, e in enumerate(order) if d != e]
    if op.name == "permute":
        raise RuntimeError("permute(sparse_coo): transpositions between sparse and dense dimensions are not allowed")
    raise RuntimeError(
        f"sparse transpose: transposed dimensions must be sparse Got sparse_dim: {sparse}, d0: {moved[0]}, "
        f"d1: {moved[-1]}"
    )


@rule("unsqueeze")
def _unsqueezed(op: Operation, operands: Sequence[Any], attrs: tuple[Any, ...]) -> Any:
    t, (dim,) = operands[0], attrs[0]
    shape = [*t.shape[:dim], 1, *t.shape[dim:]]
    sparse = t.sparse_dim()
    if dim > sparse:
        return coo(t._indices(), t._value.values.unsqueeze(dim - sparse + 1), shape, t.is_coalesced())
    lines = _lines(t)
    lines.insert(dim, constant((t._nnz(),), 0, t._indices().dtype))
    return coo(stack(lines), t._value.values, shape)


@rule("select")
def _picked(op: Operation, operands: Sequence[Any], attrs: tuple[Any, ...]) -> Any:
    t, index = operands[0], attrs[0]
    dim = next(d for d, part in enumerate(index) if part.__class__ is int)
    at = index[dim]
    shape, sparse = [*t.shape[:dim], *t.shape[dim + 1 :]], t.sparse_dim()
    if dim >= sparse:
        return coo(t._indices(), t._value.values.select(dim - sparse + 1, at), shape, t.is_coalesced())
    positions = realize(t._indices())
    chosen = np.flatnonzero(positions[dim] == at)
    values = selected(t._value.values, chosen)
    if sparse == 1:
        return cast(values.sum(0), t.dtype)
    return coo(wrap(np.delete(positions[:, chosen], dim, 0)), values, shape, t.is_coalesced())


@rule("slice")
def _narrowed(op: Operation, operands: Sequence[Any], attrs: tuple[Any, ...]) -> Any:
    """`narrow_copy`, and `narrow`, which is a copy here."""
    t = operands[0]
    for d, (start, stop, step) in enumerate(attrs[0]):
        if step != 1:
            raise unsupported("as_strided", t.layout)
        if (start, stop) != (0, t.shape[d]):
            t = narrowed(t, d, start, stop - start)
    return t


def narrowed(t: CooTensor, dim: int, start: int, length: int) -> CooTensor:
    """`length` positions of a dimension from `start` on."""
    shape, sparse = [*t.shape[:dim], length, *t.shape[dim + 1 :]], t.sparse_dim()
    if dim >= sparse:
        return coo(t._indices(), t._value.values.narrow(dim - sparse + 1, start, length), shape, t.is_coalesced())
    positions = realize(t._indices())
    chosen = np.flatnonzero((positions[dim] >= start) & (positions[dim] < start + length))
    kept = positions[:, chosen]
    kept[dim] -= start
    return coo(wrap(kept), selected(t._value.values, chosen), shape, t.is_coalesced())


@rule("index_select")
def _index_selected(op: Operation, operands: Sequence[Any], attrs: tuple[Any, ...]) -> Any:
    t, index = operands
    dim, sparse = attrs[0], t.sparse_dim()
    wanted = realize(index).reshape(-1)
    wrong = wanted[(wanted < 0) | (wanted >= t.shape[dim])]
    if wrong.size:
        raise IndexError(f"index_select(): index contains {wrong[0]} that is out of range for tensor of size "
                         f"{list(t.shape)} at dimension {dim}")  # fmt: skip
    shape = [*t.shape[:dim], len(wanted), *t.shape[dim + 1 :]]
    if dim >= sparse:
        return coo(t._indices(), t._value.values.index_select(dim - sparse + 1, index), shape, t.is_coalesced())
    positions = realize(t._indices())
    chosen, new = _matches(positions[dim], wanted)
    kept = positions[:, chosen]
    kept[dim] = new
    return coo(wrap(kept), selected(t._value.values, chosen), shape)


def _matches(line: np.ndarray, wanted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The elements at each wanted position, and which wanted position that is: in order of the latter."""
    order = np.argsort(line, kind="stable")
    first = np.searchsorted(line[order], wanted, "left")
    counts = np.searchsorted(line[order], wanted, "right") - first
    starts = np.repeat(first - np.concatenate(([0], np.cumsum(counts)[:-1])), counts) if len(wanted) else counts
    return order[starts + np.arange(counts.sum())], np.repeat(np.arange(len(wanted)), counts)


# ---------------------------------------------------------------------------------------------------------------------
# Joining


@rule("cat")
def _joined(op: Operation, operands: Sequence[Any], attrs: tuple[Any, ...]) -> Any:
    first = next(t for t in operands if isinstance(t, CooTensor))
    for i, t in enumerate(operands):
        if not isinstance(t, CooTensor):
            raise RuntimeError(f"Concatenating sparse tensors, but a dense tensor was found at position {i}.")
        if (t.sparse_dim(), t.dense_dim()) != (first.sparse_dim(), first.dense_dim()):
            raise RuntimeError(
                "All tensors must have the same sparse_dim and dense_dim as the first, but tensor at position "
                f"{i} has {t.sparse_dim()} sparse and {t.dense_dim()} dense dimensions."
            )
    dim = normalize_dim(attrs[0], first.dim())
    for i, t in enumerate(operands):
        if any(a != b for d, (a, b) in enumerate(zip(t.shape, first.shape)) if d != dim):
            raise RuntimeError(
                "All tensors must have the same shape: "
                f"{list(first.shape)} (except in the concatenating dimension), but found shape: {list(t.shape)} at "
                f"index {i}."
            )
    total = sum(t.shape[dim] for t in operands)
    shape = [*first.shape[:dim], total, *first.shape[dim + 1 :]]
    return (_beside if dim < first.sparse_dim() else _widened)(operands, dim, shape)


def _common(tensors: Sequence[CooTensor]) -> list[Tensor]:
    """The values in one dtype."""
    kind = tensors[0].dtype
    for t in tensors[1:]:
        kind = promote_types(kind, t.dtype)
    return [cast(t._value.values, kind) for t in tensors]


def _beside(tensors: Sequence[CooTensor], dim: int, shape: list[int]) -> CooTensor:
    start, parts = 0, []
    for t in tensors:
        lines = _lines(t)
        lines[dim] = lines[dim] + start if start else lines[dim]
        parts.append(_assembled(lines, t))
        start += t.shape[dim]
    return coo(cat(parts, 1), cat(_common(tensors)), shape)


def _widened(tensors: Sequence[CooTensor], dim: int, shape: list[int]) -> CooTensor:
    """Along a dense dimension: each tensor's values, with zeros before and behind."""
    at = dim - tensors[0].sparse_dim() + 1
    start, parts = 0, []
    for values in _common(tensors):
        room = list(values.shape)
        before, behind = start, shape[dim] - start - room[at]
        zeros = [constant((*room[:at], n, *room[at + 1 :]), 0, values.dtype) for n in (before, behind)]
        parts.append(cat([zeros[0], values, zeros[1]], at))
        start += room[at]
    return coo(cat([t._indices() for t in tensors], 1), cat(parts), shape)


@rule("stack")
def _stacked(op: Operation, operands: Sequence[Any], attrs: tuple[Any, ...]) -> Any:
    sizes = [tuple(t.shape) for t in operands]
    for i, size in enumerate(sizes):
        if size != sizes[0]:
            raise RuntimeError(
                f"stack expects each tensor to be equal size, but got {list(sizes[0])} at entry 0 and {list(size)} at "
                f"entry {i}"
            )
    dim = normalize_dim(attrs[0], len(sizes[0]) + 1)
    return cat([t.unsqueeze(dim) for t in operands], dim)


# ---------------------------------------------------------------------------------------------------------------------
# What PyTorch refuses in words of its own


@rule("view", "reshape_alias", "unsafe_view", "relayout")
def _reshaped(op: Operation, operands: Sequence[Any], attrs: tuple[Any, ...]) -> Any:
    raise RuntimeError("reshape is not implemented for sparse tensors")


@rule("expand", "repeat")
def _expanded(op: Operation, operands: Sequence[Any], attrs: tuple[Any, ...]) -> Any:
    raise RuntimeError("expand is unsupported for Sparse tensors")


def _view(self: CooTensor, *args: Any, **kwargs: Any) -> Any:
    raise unsupported("view", self.layout)


def _narrow_copy(self: CooTensor, dim: int, start: int, length: int) -> Any:
    return self.narrow(dim, start, length)


def _refusing(message: str) -> Any:
    def refuse(self: CooTensor, *args: Any, **kwargs: Any) -> Any:
        raise RuntimeError(message)

    return refuse


for _name in ("reshape", "flatten", "reshape_as", "unflatten", "ravel"):
    setattr(CooTensor, _name, _refusing("reshape is not implemented for sparse tensors"))
CooTensor.narrow_copy = _narrow_copy  # type: ignore[assignment, method-assign]
CooTensor.view = _view  # type: ignore[assignment, method-assign]
for _name in ("expand", "expand_as", "repeat"):
    setattr(CooTensor, _name, _refusing("expand is unsupported for Sparse tensors"))

