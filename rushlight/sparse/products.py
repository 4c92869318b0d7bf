"""Products of matrices of which one is of layout sparse_coo: one recorded operation, `ops.sparse_product`.

Two sparse factors give a sparse matrix, whose positions NumPy works out; its values are recorded.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from rushlight.ops.creation import wrap
from rushlight.ops.matmul import addmm, mm
from rushlight.ops.sparse_product import sparse_form_product, sparse_product
from rushlight.record.operation import Operation
from rushlight.record.trace import realize
from rushlight.record.value import Tensor

from .coo import CooTensor, coo, selected
from .layout import rule, unsupported


def check_factors(x: Tensor, y: Tensor) -> None:
    """Raises PyTorch's error unless two matrices can be multiplied."""
    for t in (x, y):
        if t.dim() != 2:
            if t is y and isinstance(x, CooTensor) and x.dim() == 2:
                raise IndexError("Dimension out of range (expected to be in range of [-1, 0], but got 1)")
            raise RuntimeError(f"addmm: matrices expected, got {t.dim()}D tensor")
    if x.shape[1] != y.shape[0]:
        raise RuntimeError(f"addmm: Argument #3 (dense): Expected dim 0 size {x.shape[1]}, got {y.shape[0]}")
    if x.dtype is not y.dtype:
        raise RuntimeError(f"expected scalar type {x.dtype.scalar_name} but found {y.dtype.scalar_name}")


def check_sparse_dims(t: CooTensor) -> None:
    """Raises PyTorch's error where a matrix has a dense dimension."""
    if t.dense_dim():
        raise RuntimeError(f"addmm: matrices expected, got {t.sparse_dim()}D tensor")


def listed_product(t: Any, y: Tensor, masked: bool = False, transposed: bool = False) -> Tensor:
    """t @ y, or t.t() @ y, of a sparse and a dense matrix.

    Where t is the sparse form of a dense matrix, the derivative reaches its zeros, too, unless `masked`.
    """
    (rows, columns), count = t.lines(), t.shape[0]
    if transposed:
        rows, columns, count = columns, rows, t.shape[1]
    values, whole = t._value.values, t._value.origin
    if whole is None or masked or not values.requires_grad:
        return sparse_product(rows, columns, values, y, count)
    return sparse_form_product(rows, columns, values, y, whole.t() if transposed else whole, count)


def product(x: Any, y: Any, masked: bool = False) -> Tensor:
    """x @ y, where one of the two matrices is sparse, or both are."""
    for t in (x, y):
        if isinstance(t, CooTensor):
            check_sparse_dims(t)
    check_factors(x, y)
    if not isinstance(y, CooTensor):
        return listed_product(x, y, masked)
    if not isinstance(x, CooTensor):
        return listed_product(y, x.t(), masked, transposed=True).t()
    return _sparse_times_sparse(x, y)


def _sparse_times_sparse(x: CooTensor, y: CooTensor) -> CooTensor:
    x, y = x.coalesce(), y.coalesce()
    rows, inner = realize(x._indices())
    starts, columns = realize(y._indices())
    first = np.searchsorted(starts, inner, "left")
    counts = np.searchsorted(starts, inner, "right") - first
    left = np.repeat(np.arange(len(rows)), counts)
    right = np.arange(counts.sum()) + np.repeat(first - np.cumsum(counts) + counts, counts)
    terms = selected(x._value.values, left) * selected(y._value.values, right)
    return coo(wrap(np.stack([rows[left], columns[right]])), terms, (x.shape[0], y.shape[1])).coalesce()


@rule("mm")
def _mm(op: Operation, operands: Sequence[Any], attrs: tuple[Any, ...]) -> Any:
    return product(*operands)


@rule("mv")
def _mv(op: Operation, operands: Sequence[Any], attrs: tuple[Any, ...]) -> Any:
    x, y = operands
    if not isinstance(x, CooTensor) or isinstance(y, CooTensor):
        raise unsupported("mv", (x if isinstance(x, CooTensor) else y).layout)
    if x.dim() != 2 or y.dim() != 1 or x.shape[1] != y.shape[0]:
        raise RuntimeError("mv: expected self.size(-1) == vec.size(-1)")
    return product(x, y.unsqueeze(1)).squeeze(1)


@rule("addmm")
def _addmm(op: Operation, operands: Sequence[Any], attrs: tuple[Any, ...]) -> Any:
    c, x, y, beta, alpha = operands
    found = product(x, y)
    found = found if alpha == 1 else found * alpha
    if beta == 0:
        return found
    return (c if beta == 1 else c * beta) + found


@rule("bmm")
def _bmm(op: Operation, operands: Sequence[Any], attrs: tuple[Any, ...]) -> Any:
    """Batches lie below and beside one another in one large matrix."""
    x, y = operands
    if not isinstance(x, CooTensor) or isinstance(y, CooTensor) or x.dense_dim():
        raise unsupported("bmm", (x if isinstance(x, CooTensor) else y).layout)
    if y.dim() != 3 or x.shape[0] != y.shape[0] or x.shape[2] != y.shape[1]:
        raise RuntimeError("bmm: Argument #2: expected a batch of matrices that fits")
    count, rows, inner = x.shape
    batch, row, column = x.lines()
    found = sparse_product(batch * rows + row, batch * inner + column, x._value.values,
                           y.reshape(count * inner, y.shape[2]), count * rows)  # fmt: skip
    return found.reshape(count, rows, y.shape[2])


@rule("linear", "linear_no_bias", "linear_nd", "linear_nd_no_bias")
def _linear(op: Operation, operands: Sequence[Any], attrs: tuple[Any, ...]) -> Any:
    x, weight, *bias = operands
    if x.dim() != 2:
        raise unsupported("linear", (x if isinstance(x, CooTensor) else weight).layout)
    return addmm(bias[0], x, weight.t()) if bias else mm(x, weight.t())
