"""Arithmetic element by element with tensors of layout sparse_coo.

Functions that keep zero are functions of the values.  Where two tensors meet, their positions are compared with NumPy,
which needs their numbers; what is done with the values is recorded.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from rushlight.core.dtype import promote_types
from rushlight.core.layout import sparse_coo
from rushlight.ops.arithmetic import ADD, MULTIPLY, NEGATE
from rushlight.ops.creation import cast, constant, wrap
from rushlight.ops.joining import cat
from rushlight.ops.slices import INDEX_ADD
from rushlight.record.operation import Operation
from rushlight.record.trace import apply, realize
from rushlight.record.value import Tensor

from .coo import CooTensor, added_up, coo, selected
from .layout import SparseTensor, rule, unsupported

DENSE_LAST = "add(sparse, dense) is not supported. Use add(dense, sparse) instead."

# ---------------------------------------------------------------------------------------------------------------------
# Functions of one tensor


@rule(*"""
    abs asin asinh atan atanh ceil deg2rad erf erfinv expm1 floor frac isinf isnan isneginf isposinf log1p nan_to_num
    rad2deg relu round sgn sign signbit sin sinh sqrt square tan tanh trunc
""".split())  # fmt: skip
def _of_values(op: Operation, operands: Sequence[Any], attrs: tuple[Any, ...]) -> Any:
    """A function that keeps zero; it is not linear, so the values of a position are added up first."""
    t = operands[0].coalesce()
    return t._value.like(apply(op, (t._value.values, *operands[1:]), attrs))


@rule("neg", "conj", "cast")
def _of_values_listed(op: Operation, operands: Sequence[Any], attrs: tuple[Any, ...]) -> Any:
    """A linear function."""
    value = operands[0]._value
    return value.like(apply(op, (value.values,), attrs))


@rule("clone")
def _clone(op: Operation, operands: Sequence[Any], attrs: tuple[Any, ...]) -> Any:
    return operands[0].clone()


@rule("pow_fixed", "pow_of_exponent")
def _power(op: Operation, operands: Sequence[Any], attrs: tuple[Any, ...]) -> Any:
    exponent = (*attrs, *operands[1:])[0]
    if exponent == 0:
        raise RuntimeError(
            "pow: cannot raise to zeroth power on sparse tensor; it would make the result tensor dense"
        )
    return _of_values(op, operands, attrs)


# ---------------------------------------------------------------------------------------------------------------------
# Sums and differences


@rule("add", "sub")
def _sum_or_difference(op: Operation, operands: Sequence[Any], attrs: tuple[Any, ...]) -> Any:
    x, y = operands
    if not isinstance(y, CooTensor):
        raise RuntimeError(DENSE_LAST)
    if op is not ADD:
        y = apply(NEGATE, (y,))
    if isinstance(x, CooTensor):
        return _sum_of_sparse(x, y)
    if not isinstance(x, Tensor) or (not x.dim() and y.dim()):
        raise RuntimeError(DENSE_LAST)
    return added_to_dense(x, y)


@rule("rsub", "rsub_tensor")
def _difference_reversed(op: Operation, operands: Sequence[Any], attrs: tuple[Any, ...]) -> Any:
    raise RuntimeError(DENSE_LAST)


def added_to_dense(x: Tensor, y: CooTensor) -> Tensor:
    """x + y, strided."""
    if x.shape != y.shape:
        raise RuntimeError(
            f"add: expected 'self' and 'other' to have same size, but self has size {list(x.shape)} while other has "
            f"size {list(y.shape)} (FYI: dense-sparse addition does not currently support broadcasting)"
        )
    kind = promote_types(x.dtype, y.dtype)
    flat = cast(x, kind).reshape(-1, *y.shape[y.sparse_dim() :])
    values = cast(y._value.values, kind)
    return apply(INDEX_ADD, (flat, y.places(), values), (0,)).reshape(x.shape)  # type: ignore[no-any-return]


def _sum_of_sparse(x: CooTensor, y: CooTensor) -> CooTensor:
    if x.shape != y.shape:
        raise RuntimeError(
            f"add: expected sizes of 'self' and 'other' to match, but {list(x.shape)} != {list(y.shape)}"
        )
    if x.sparse_dim() != y.sparse_dim():
        raise RuntimeError("add: expected 'self' and 'other' to have same number of sparse dimensions")
    kind = promote_types(x.dtype, y.dtype)
    a, b = cast(x._value.values, kind), cast(y._value.values, kind)
    if x._indices() is y._indices():
        return coo(x._indices(), a + b, x.shape, x.is_coalesced())
    mine, theirs, count = merged_places(realize(x.places()), realize(y.places()))
    indices = np.empty((x.sparse_dim(), count), "int64")
    indices[:, theirs] = realize(y._indices())
    indices[:, mine] = realize(x._indices())
    values = added_up(a, wrap(mine), count) + added_up(b, wrap(theirs), count)
    return coo(wrap(indices), values, x.shape, x.is_coalesced() and y.is_coalesced())


def merged_places(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray, int]:
    """Where the elements of two lists go in their sum, and how many it has.

    Two lists in order are merged.  PyTorch goes through others in the same way, always taking the smaller of the two
    next positions, so what is listed twice may stay so.
    """
    if (a[1:] > a[:-1]).all() and (b[1:] > b[:-1]).all():
        places, inverse = np.unique(np.concatenate([a, b]), return_inverse=True)
        return inverse[: len(a)], inverse[len(a) :], len(places)
    mine, theirs, i, j, count = [], [], 0, 0, 0
    left, right = a.tolist(), b.tolist()
    while i < len(left) or j < len(right):
        first = j == len(right) or (i < len(left) and left[i] <= right[j])
        second = i == len(left) or (j < len(right) and right[j] <= left[i])
        if first:
            mine.append(count)
            i += 1
        if second:
            theirs.append(count)
            j += 1
        count += 1
    return np.array(mine, "int64"), np.array(theirs, "int64"), count


# ---------------------------------------------------------------------------------------------------------------------
# Products and quotients


@rule("mul")
def _product(op: Operation, operands: Sequence[Any], attrs: tuple[Any, ...]) -> Any:
    x, y = operands
    if isinstance(x, CooTensor) and isinstance(y, CooTensor):
        return _product_of_sparse(x, y)
    t, other = (x, y) if isinstance(x, CooTensor) else (y, x)
    if isinstance(other, Tensor) and other.dim():
        other = _elements_at(t, other)
    return t._value.like(apply(MULTIPLY, (t._value.values, other)))


def _elements_at(t: CooTensor, dense: Tensor) -> Tensor:
    """The elements of a dense tensor, stretched to the size of t, where t has its own."""
    shape = t.shape
    if dense.dim() > len(shape):
        raise NotImplementedError("mul(): a sparse tensor is not stretched to the size of a dense one with more "
                                  "dimensions; call to_dense() first")  # fmt: skip
    for d in range(1, dense.dim() + 1):
        if dense.shape[-d] not in (1, shape[-d]):
            raise RuntimeError(
                f"The size of tensor a ({dense.shape[-d]}) must match the size of tensor b ({shape[-d]}) at "
                f"non-singleton dimension {len(shape) - d}"
            )
    return gathered(dense.expand(shape), t)


def gathered(dense: Tensor, t: CooTensor) -> Tensor:
    """The elements of a dense tensor of t's size where t has its own."""
    flat = dense.reshape(-1, *t.shape[t.sparse_dim() :])
    return flat.index_select(0, t.places())


def _product_of_sparse(x: CooTensor, y: CooTensor) -> CooTensor:
    if x.shape != y.shape or x.sparse_dim() != y.sparse_dim():
        raise RuntimeError(
            "sparse_binary_op_intersection_cpu(): expects sparse inputs with equal dimensionality, number of sparse "
            "dimensions, and shape of sparse dimensions"
        )
    if x.is_coalesced() != y.is_coalesced():
        table, listed = (x, y) if x.is_coalesced() else (y, x)
    else:
        table, listed = (x, y) if x._nnz() >= y._nnz() else (y, x)
    both = x.is_coalesced() and y.is_coalesced()
    found, others = looked_up(table, listed)
    if both and not found.all():
        chosen = np.flatnonzero(found)
        listed = coo(wrap(realize(listed._indices())[:, chosen].copy()), selected(listed._value.values, chosen),
                     listed.shape, True)  # fmt: skip
        others = selected(others, chosen)
    return listed._value.like(listed._value.values * others)  # type: ignore[return-value]


def looked_up(table: CooTensor, at: CooTensor) -> tuple[np.ndarray, Tensor]:
    """Which positions of `at` are listed in `table`, and the elements there; zeros at the others."""
    wanted = realize(at.places())
    merged = table.coalesce()
    keys = realize(merged.places())
    places = np.searchsorted(keys, wanted)
    found = np.append(keys, -1)[places] == wanted
    values = merged._value.values
    if not found.all():
        values = cat([values, constant((1, *values.shape[1:]), 0, values.dtype)])
    return found, selected(values, np.where(found, places, len(keys)))


@rule("div", "div_by_number", "floor_divide", "div_floor", "div_trunc")
def _quotient(op: Operation, operands: Sequence[Any], attrs: tuple[Any, ...]) -> Any:
    x, y = operands[:2]
    if not isinstance(x, CooTensor):
        raise unsupported("reciprocal", sparse_coo)
    if isinstance(y, Tensor) and (isinstance(y, SparseTensor) or y.dim()):
        raise RuntimeError(
            f"Sparse division requires a scalar or zero-dim dense tensor divisor (got shape {list(y.shape)} for "
            "divisor)"
        )
    return x._value.like(apply(op, (x._value.values, y, *operands[2:]), attrs))


# ---------------------------------------------------------------------------------------------------------------------
# Masks


def masked(x: Tensor, mask: Any) -> CooTensor:
    """`x.sparse_mask(mask)`: the elements of x at the positions of mask."""
    if not isinstance(mask, CooTensor):
        raise RuntimeError(f"sparse_mask expected a mask of sparse layout, but it has layout {mask.layout}")
    if x.shape != mask.shape:
        raise RuntimeError(
            f"sparse_mask(): operands have incompatible sizes; self has size {list(x.shape)} but mask has size "
            f"{list(mask.shape)}"
        )
    values = looked_up(x, mask)[1] if isinstance(x, CooTensor) else gathered(x, mask)
    return mask._value.like(values)  # type: ignore[return-value]
