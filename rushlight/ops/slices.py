"""Whole slices at positions along a dimension (`index_select`, `index_add`, ...); `take` and `put` in the flat tensor.

The positions are a vector, or are counted in the tensor read as one row; `ops.scatter` has the kernels' common parts.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from rushlight.core import dtype as dtypes
from rushlight.core.strided import broadcast_shapes, normalize_dim
from rushlight.record.operation import Operation, operation
from rushlight.record.spec import Spec, spec_of
from rushlight.record.trace import apply, settle
from rushlight.record.value import Tensor

from .creation import cast, full_like_spec
from .public import public
from .rules import fresh
from .scatter import (
    check_inside,
    dims,
    gather,
    index_tensor,
    known,
    outside,
    reduced_gradients,
    scatter_reduced,
    scatter_reduced_symbols,
    writing,
)
from .selection import number_in


def _along(index: np.ndarray, shape: tuple[int, ...], dim: int) -> np.ndarray:
    """A vector of positions along `dim`, repeated to a whole tensor's shape."""
    return np.broadcast_to(index.reshape((-1,) + (1,) * (len(shape) - dim - 1)), shape)


def _index_reduce(x: np.ndarray, index: np.ndarray, src: np.ndarray, *, dim: int, reduce: str, own: bool) -> Any:
    if src.ndim == 0:
        src = src.reshape(1)
    return scatter_reduced(x, _along(index, src.shape, dim), src, dim=dim, reduce=reduce, own=own)


def _index_reduce_symbols(x: Any, index: Any, src: Any, *, dim: int, reduce: str, own: bool) -> Any:
    if not src.ndim:
        raise ValueError("an element alone")
    wide = index.reshape(*[1] * dim, -1, *[1] * (src.ndim - dim - 1))
    return scatter_reduced_symbols(x, np.broadcast_to(wide, src.shape), src, dim=dim, reduce=reduce, own=own)


def _index_reduced_gradients(g: Tensor, needs: Any, x: Tensor, index: Tensor, src: Tensor, result: Tensor, dim: int,
                             reduce: str, own: bool) -> Any:  # fmt: skip
    shape = src._value.spec.shape
    wide = index.reshape((-1,) + (1,) * (len(shape) - dim - 1)).expand(shape) if shape else index.reshape(())
    return reduced_gradients(g, needs, x, wide, src, result, dim, reduce, own)


def _index_reduce_spec(x: Spec, index: Spec, src: Spec, *, dim: int, reduce: str, own: bool) -> Spec:
    _check_rows(x, index, src, dim, "index_reduce_()")
    return fresh(x)


INDEX_REDUCE = operation("index_reduce", _index_reduce_spec, _index_reduce, overwrites=True)
INDEX_REDUCE.lower = _index_reduce_symbols
INDEX_REDUCE.gradient(_index_reduced_gradients)


@public(inplace=True, out=True)
def index_reduce(
    input: Tensor, dim: int, index: Tensor, source: Tensor, reduce: str, *, include_self: bool = True
) -> Tensor:
    """A copy of `input` where slices of `source` are combined into the slices `index` names along `dim`.

    `reduce` is "prod", "mean", "amax" or "amin".
    """
    if reduce not in ("prod", "mean", "amax", "amin"):
        raise RuntimeError(f"index_reduce(): Expected reduce to be one of prod, mean, amax or amin but got {reduce}.")
    dim = normalize_dim(dim, settle(input).spec.ndim)
    index = index_tensor(index, "index_reduce_(): Expected dtype int32/int64 for index but got: {}")
    _check_added(input, dim, index, IndexError, "index_reduce_(): ")
    return apply(INDEX_REDUCE, (input, index, source), (dim, reduce, bool(include_self)))


def _check_added(input: Tensor, dim: int, index: Tensor, error: type[Exception], who: str = "") -> None:
    """PyTorch has an error of its own where the tensor is a vector."""
    at, shape = known(index), settle(input).spec.shape
    if at is not None and at.ndim <= 1 and len(shape) <= 1:
        _check_selected(at, dims(shape)[dim])
    _check_vector(input, dim, index, error, who)


def _check_vector(input: Tensor, dim: int, index: Tensor, error: type[Exception], who: str = "") -> None:
    at, shape = known(index), dims(settle(input).spec.shape)
    if at is not None and at.ndim <= 1:
        check_inside(at, shape[dim], dim, error, who)


def _check_rows(x: Spec, index: Spec, source: Spec, dim: int, name: str) -> None:
    """The checks that index_add and index_reduce share."""
    if index.ndim > 1:
        raise IndexError(
            f"{name}: Index is supposed to be a vector, but got dim: {index.ndim} with type: Long and size: "
            f"{list(index.shape)}"
        )
    if source.dtype is not x.dtype:
        raise RuntimeError(
            f"{name}: self ({x.dtype.scalar_name}) and source ({source.dtype.scalar_name}) must have the same scalar "
            "type"
        )
    n = source.shape[dim] if source.ndim > dim else source.numel
    if index.numel != n:
        raise RuntimeError(
            f"{name}: Number of indices ({index.numel}) should be equal to source.size(dim): ({n}), for dim: {dim}"
        )
    if x.ndim != source.ndim or any(a != b for d, (a, b) in enumerate(zip(x.shape, source.shape)) if d != dim):
        if x.ndim + source.ndim > 1:
            raise RuntimeError(
                "source tensor shape must match self tensor shape, excluding the specified dimension. Got self.shape = "
                f"{list(x.shape)} source.shape = {list(source.shape)}"
            )


# ---------------------------------------------------------------------------------------------------------------------
# Whole slices: index_select, index_add, index_copy, index_fill


def _index_select(x: np.ndarray, index: np.ndarray, *, dim: int) -> np.ndarray:
    if x.ndim == 0:
        x = x.reshape(1)
        _check_selected(index, 1)
        return x[0].copy()
    _check_selected(index, x.shape[dim], dim)
    return x.take(index.reshape(-1), dim)


def _check_selected(index: np.ndarray, n: int, dim: int = 0) -> None:
    found = outside(index, n)
    if found is not None and dim == 0:
        raise IndexError(f"index out of range in self. There is no slice {found} among {n}")
    if found is not None:
        raise RuntimeError(f"INDICES element is out of DATA bounds, id={found} axis_dim={n}")


def _index_select_spec(x: Spec, index: Spec, *, dim: int) -> Spec:
    if index.ndim > 1:
        raise IndexError("index_select(): Index is supposed to be a vector")
    if x.ndim == 0:
        if index.numel != 1:
            raise RuntimeError(f"index_select(): Index to scalar can have only 1 value, got {index.numel} value(s)")
        return spec_of((), x.dtype)
    return spec_of((*x.shape[:dim], index.numel, *x.shape[dim + 1 :]), x.dtype)


def _select_gradient(g: Tensor, index: Tensor, x_spec: Spec, dim: int) -> Tensor:
    zeros = full_like_spec(spec_of(x_spec.shape, g._value.spec.dtype), 0)
    return apply(INDEX_ADD, (zeros, index, g), (dim,))


INDEX_SELECT = operation("index_select", _index_select_spec, _index_select, exact=True, aliases=False)
INDEX_SELECT.lower = lambda x, index, *, dim: x.take(index.reshape(-1), dim, wraps=False)
INDEX_SELECT.gradient(x=_select_gradient)


@public(out=True)
def index_select(input: Tensor, dim: int, index: Tensor) -> Tensor:
    """The slices of `input` at the positions `index` (a vector) along `dim`.

    >>> torch.tensor([[1, 2], [3, 4]]).index_select(0, torch.tensor([1, 1]))
    tensor([[3, 4],
            [3, 4]])
    """
    shape = settle(input).spec.shape
    dim = normalize_dim(dim, len(shape))
    index = index_tensor(index, "index_select(): Expected dtype int32 or int64 for index")
    at = known(index)
    if at is not None and at.ndim <= 1:
        _check_selected(at, dims(shape)[dim], dim)
    return apply(INDEX_SELECT, (input, index), (dim,))


def _index_add(x: np.ndarray, index: np.ndarray, source: np.ndarray, *, dim: int) -> np.ndarray:
    if source.ndim == 0:
        source = source.reshape(1)
    whole, flat, places = writing(x, _along(index, source.shape, dim), dim)
    np.add.at(flat, places, source.reshape(-1))
    return whole


def _index_add_spec(x: Spec, index: Spec, source: Spec, *, dim: int) -> Spec:
    _check_rows(x, index, source, dim, "index_add_()")
    return fresh(x)


def _chosen(g: Tensor, index: Tensor, source_spec: Spec, dim: int) -> Tensor:
    """The slices of the gradient that the source's slices went to."""
    return apply(INDEX_SELECT, (g, index), (dim,)).reshape(source_spec.shape)


INDEX_ADD = operation("index_add", _index_add_spec, _index_add, overwrites=True)
INDEX_ADD.lower = lambda x, index, source, *, dim: x.with_slices(index, source, dim, "add")
INDEX_ADD.gradient(x=lambda g: g, source=_chosen)


@public(inplace=True, out=True)
def index_add(input: Tensor, dim: int, index: Tensor, source: Tensor, *, alpha: Any = 1) -> Tensor:
    """A copy of `input` with `alpha * source` added to the slices that `index` names along `dim`.

    >>> torch.zeros(3).index_add(0, torch.tensor([0, 0]), torch.tensor([1., 2.]))
    tensor([3., 0., 0.])
    """
    dim = normalize_dim(dim, settle(input).spec.ndim)
    index = index_tensor(index, "index_add_(): Expected dtype int32/int64 for index but got: {}")
    _check_added(input, dim, index, RuntimeError)
    return apply(INDEX_ADD, (input, index, source if alpha.__class__ is int and alpha == 1 else source * alpha), (dim,))


def _index_copy(x: np.ndarray, index: np.ndarray, source: np.ndarray, *, dim: int) -> np.ndarray:
    if source.ndim == 0:
        source = source.reshape(1)
    whole, flat, places = writing(x, _along(index, source.shape, dim), dim)
    flat[places] = source.reshape(-1)
    return whole


def _index_copy_spec(x: Spec, index: Spec, source: Spec, *, dim: int) -> Spec:
    if index.ndim > 1:
        raise IndexError(f"index_copy_(): Index should have dimension 1 or 0 (got {index.ndim})")
    if x.dtype is not source.dtype:
        raise RuntimeError(
            f"index_copy_(): self and source expected to have the same dtype, but got (self) {x.dtype.scalar_name} and "
            f"(source) {source.dtype.scalar_name}"
        )
    if source.ndim and x.ndim and source.ndim != x.ndim:
        raise IndexError(
            "index_copy_(): When source and destination are not scalars, their dimensionality must match. Source "
            f"dimensionality ({source.ndim}), destination dimensionality ({x.ndim})"
        )
    _check_copied_slices(x, index, source, dim)
    return fresh(x)


def _check_copied_slices(x: Spec, index: Spec, source: Spec, dim: int) -> None:
    there, here = (s.shape[:dim] + s.shape[dim + 1 :] for s in (x, source))
    if there != here:
        raise RuntimeError(
            "index_copy_(): Source/destination tensor must have same slice shapes. Destination slice shape: "
            f"{' '.join(map(str, there))} at dimension {dim} and source slice shape: {' '.join(map(str, here))} at "
            "dimension 0."
        )
    n = source.shape[dim] if source.ndim else 1
    if index.numel != n:
        raise IndexError(f"index_copy_(): Number of indices ({index.numel}) should be equal to source.size(dim) ({n})")


INDEX_COPY = operation("index_copy", _index_copy_spec, _index_copy, overwrites=True, exact=True, aliases=False)
INDEX_COPY.lower = lambda x, index, source, *, dim: x.with_slices(index, source, dim, "set")
INDEX_COPY.gradient(x=lambda g, index, dim: apply(INDEX_FILL, (g, index, 0), (dim,)), source=_chosen)


@public(inplace=True, out=True)
def index_copy(input: Tensor, dim: int, index: Tensor, source: Tensor) -> Tensor:
    """A copy of `input` whose slices that `index` names along `dim` are those of `source`."""
    dim = normalize_dim(dim, settle(input).spec.ndim)
    index = index_tensor(index, "index_copy_(): Expected a long tensor for index, but got {}", int32=False)
    _check_vector(input, dim, index, IndexError, "index_copy_(): ")
    return apply(INDEX_COPY, (input, index, source), (dim,))


def _index_fill(x: np.ndarray, index: np.ndarray, value: Any, *, dim: int) -> np.ndarray:
    if x.ndim == 0:
        _check_wrapped(index, 1, dim)
        return np.full_like(x, value) if index.size else x
    _check_wrapped(index, x.shape[dim], dim)
    x[(slice(None),) * dim + (index.reshape(-1),)] = value
    return x


def _index_fill_spec(x: Spec, index: Spec, value: Spec, *, dim: int) -> Spec:
    if index.ndim > 1:
        raise RuntimeError("Index has to be a vector/scalar")
    return fresh(x)


INDEX_FILL: Operation = operation(
    "index_fill", _index_fill_spec, _index_fill, overwrites=True, exact=True, aliases=False
)
INDEX_FILL.lower = lambda x, index, value, *, dim: x.with_slices(index, value, dim, "set", wraps=True)
INDEX_FILL.gradient(x=lambda g, index, dim: apply(INDEX_FILL, (g, index, 0), (dim,)))
INDEX_FILL_TENSOR = operation(
    "index_fill_tensor",
    _index_fill_spec,
    _index_fill,
    overwrites=True,
    exact=True,
    aliases=False,
    node="IndexFillBackward1",
)
INDEX_FILL_TENSOR.gradient(
    x=lambda g, index, dim: apply(INDEX_FILL, (g, index, 0), (dim,)),
    value=lambda g, index, dim: (g - apply(INDEX_FILL, (g, index, 0), (dim,))).sum(),
)


@public(inplace=True)
def index_fill(input: Tensor, dim: int, index: Tensor, value: Any) -> Tensor:
    """A copy of `input` whose slices that `index` names along `dim` are full of `value`.

    >>> torch.zeros(3).index_fill(0, torch.tensor([0, 2]), 1)
    tensor([1., 0., 1.])
    """
    spec = settle(input).spec
    dim = normalize_dim(dim, spec.ndim)
    if settle(index).spec.dtype is not dtypes.int64:
        raise IndexError("index_fill_(): Expected dtype int64 for index.")
    at, n = known(index), dims(spec.shape)[dim]
    if at is not None:
        _check_wrapped(at, n, dim)
    if isinstance(value, Tensor):
        return _filled_by_tensor(input, dim, index, value)
    if isinstance(value, complex) and not spec.dtype.is_complex:
        raise RuntimeError("index_fill_(): Converting complex Scalar to non-complex type is not supported")
    return apply(INDEX_FILL, (input, index, number_in(value, spec.dtype)), (dim,))


def _check_wrapped(at: np.ndarray, n: int, dim: int) -> None:
    wrong = at[(at < -n) | (at >= n)]
    if wrong.size:
        raise IndexError(f"index {wrong.flat[0]} is out of bounds for dimension {dim} with size {n}")


def _filled_by_tensor(input: Tensor, dim: int, index: Tensor, value: Tensor) -> Tensor:
    if value.dim() != 0:
        raise RuntimeError(
            f"index_fill_ only supports a 0-dimensional value tensor, but got tensor with {value.dim()} dimension(s)."
        )
    return apply(INDEX_FILL_TENSOR, (input, index, cast(value, settle(input).spec.dtype)), (dim,))


# ---------------------------------------------------------------------------------------------------------------------
# Positions in the flat tensor: take, put; take_along_dim


def _inside_flat(index: np.ndarray, n: int) -> np.ndarray:
    wrong = index[(index < -n) | (index >= n)] if index.size else index
    if wrong.size:
        if not n:
            raise IndexError("take(): tried to take from an empty tensor")
        raise IndexError(f"out of range: tried to access index {wrong.flat[0]} on a tensor of {n} elements.")
    return index


def _take(x: np.ndarray, index: np.ndarray) -> np.ndarray:
    return x.reshape(-1)[_inside_flat(index, x.size)]


TAKE = operation("take", lambda x, index: spec_of(index.shape, x.dtype), _take, exact=True, aliases=False)
TAKE.lower = lambda x, index: x.reshape(-1).take(index, 0)
TAKE.gradient(x=lambda g, index, x_spec: apply(PUT, (full_like_spec(x_spec, 0), index, g), (True,)))


@public(out=True)
def take(input: Tensor, index: Tensor) -> Tensor:
    """The elements of `input`, read as one row, at the positions `index`.

    >>> torch.tensor([[4, 3], [2, 1]]).take(torch.tensor([0, -1]))
    tensor([4, 1])
    """
    index = index_tensor(index, "take(): Expected a long tensor for index, but got {}", int32=False)
    at = known(index)
    if at is not None:
        _inside_flat(at, settle(input).spec.numel)
    return apply(TAKE, (input, index))


def _put(x: np.ndarray, index: np.ndarray, source: np.ndarray, *, accumulate: bool) -> np.ndarray:
    whole = np.ascontiguousarray(x).reshape(x.shape)
    flat, places = whole.reshape(-1), _inside_flat(index, x.size).reshape(-1)
    if accumulate:
        np.add.at(flat, places, source.reshape(-1))
    else:
        flat[places] = source.reshape(-1)
    return whole


def _put_spec(x: Spec, index: Spec, source: Spec, *, accumulate: bool) -> Spec:
    if source.dtype is not x.dtype:
        raise RuntimeError(
            f"put_(): self and source expected to have the same dtype, but got self.dtype = {x.dtype.scalar_name} and "
            f"source.dtype = {source.dtype.scalar_name}"
        )
    if source.numel != index.numel:
        raise IndexError(
            "put_(): Expected source and index to have the same number of elements, but got source.numel() = "
            f"{source.numel}, index.numel() = {index.numel}"
        )
    return fresh(x)


PUT: Operation = operation("put", _put_spec, _put, overwrites=True)
PUT.gradient(
    x=lambda g, index, source_spec, accumulate: (
        g if accumulate else apply(PUT, (g, index, full_like_spec(source_spec, 0)), (False,))
    ),
    source=lambda g, index, source_spec: apply(TAKE, (g, index)).reshape(source_spec.shape),
)


@public(inplace=True)
def put(input: Tensor, index: Tensor, source: Tensor, accumulate: bool = False) -> Tensor:
    """A copy of `input`, read as one row, with `source` put (or added) at the positions `index`."""
    index = index_tensor(index, "put_(): Expected a long tensor for index, but got {}", int32=False)
    at = known(index)
    if at is not None:
        _inside_flat(at, settle(input).spec.numel)
    return apply(PUT, (input, index, source), (bool(accumulate),))


WRAP = operation(
    "wrap_positions", lambda index, *, size: spec_of(index.shape, index.dtype),
    lambda index, *, size: np.where(index < 0, index + size, index),
)  # fmt: skip


@public(out=True)
def take_along_dim(input: Tensor, indices: Tensor, dim: int | None = None) -> Tensor:
    """`gather` whose operands are broadcast along the other dimensions; without `dim`, `take`.

    >>> x = torch.tensor([[3, 1, 2]])
    >>> x.take_along_dim(x.argsort(dim=1), dim=1)
    tensor([[1, 2, 3]])
    """
    indices = index_tensor(indices, "torch.take_along_dim(): dtype of indices should be Long but got {}", int32=False)
    if dim is None:
        return gather(input.reshape(-1), 0, apply(WRAP, (indices.reshape(-1),), (settle(input).spec.numel,)))
    x, at = settle(input).spec, settle(indices).spec
    if x.ndim != at.ndim:
        raise RuntimeError(
            "torch.take_along_dim(): input and indices should have the same number of dimensions, but got "
            f"{x.ndim} dimensions for input, and {at.ndim} dimensions for indices"
        )
    dim = normalize_dim(dim, x.ndim)
    common = broadcast_shapes(x.shape[:dim] + (1,) + x.shape[dim + 1 :], at.shape[:dim] + (1,) + at.shape[dim + 1 :])
    wide_x = (*common[:dim], x.shape[dim], *common[dim + 1 :])
    wide_at = (*common[:dim], at.shape[dim], *common[dim + 1 :])
    return gather(input.expand(wide_x), dim, apply(WRAP, (indices.expand(wide_at),), (x.shape[dim],)))
