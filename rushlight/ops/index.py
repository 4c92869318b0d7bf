"""Picking elements by tensors of positions, and putting elements there.

`places` says for each dimension of the operand whether a tensor indexes it; the tensors are broadcast together, as in
NumPy.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from rushlight.core.strided import broadcast_shapes, contiguous_strides, elementwise_strides
from rushlight.record.memory import STRIDED, laid_out, memory_of
from rushlight.record.operation import Operation, operation
from rushlight.record.spec import Spec, spec_of
from rushlight.record.trace import apply, settle
from rushlight.record.value import Tensor

from .creation import constant

Places = tuple[bool, ...]


def _indexed_dims(places: Places) -> tuple[int, ...]:
    return tuple(d for d, here in enumerate(places) if here)


def _full_index(indices: tuple[Any, ...], places: Places) -> tuple[Any, ...]:
    taken = iter(indices)
    return tuple(next(taken) if here else slice(None) for here in places)


def _at(x: np.ndarray, *indices: np.ndarray, places: Places) -> np.ndarray:
    try:
        if len(indices) == 1:
            return x.take(indices[0], places.index(True))
        return x[_full_index(indices, places)]
    except IndexError as wrong:
        raise out_of_range(x.shape, indices, places) from wrong


def _flat(shape: tuple[int, ...], indices: tuple[np.ndarray, ...], places: Places) -> np.ndarray:
    """Where the elements that an index picks lie in the row-major memory of the shape, in the picked order."""
    strides = contiguous_strides(shape)
    dims = [d for d, here in enumerate(places) if here]
    kept = [d for d, here in enumerate(places) if not here]
    picked: Any = 0
    for d, index in zip(dims, indices, strict=True):
        picked = picked + np.where(index < 0, index + shape[d], index) * strides[d]
    lead = dims[0] if dims[-1] - dims[0] + 1 == len(dims) else 0
    n, after = picked.ndim, len(kept) - lead
    at = picked.reshape(picked.shape + (1,) * after)
    for k, d in enumerate(kept):
        axes = (len(kept) - k - 1) + (n if k < lead else 0)
        at = at + (np.arange(shape[d]) * strides[d]).reshape((-1,) + (1,) * axes)
    return at


def out_of_range(shape: tuple[int, ...], indices: tuple[np.ndarray, ...], places: Places) -> IndexError:
    """PyTorch's error for the first index tensor with a position that does not exist."""
    taken = iter(indices)
    for dim, here in enumerate(places):
        if here:
            index = next(taken)
            wrong = index[(index < -shape[dim]) | (index >= shape[dim])]
            if wrong.size and not shape[dim]:
                return IndexError("index is out of bounds for dimension with size 0")
            if wrong.size:
                return IndexError(f"index {wrong.flat[0]} is out of bounds for dimension {dim} with size {shape[dim]}")
    return IndexError("index out of range")


def _index_shape(x: Spec, indices: tuple[Spec, ...], places: Places) -> tuple[int, ...]:
    try:
        common = broadcast_shapes(*[i.shape for i in indices])
    except RuntimeError:
        shapes = ", ".join(str(list(i.shape)) for i in indices)
        raise IndexError(
            f"shape mismatch: indexing tensors could not be broadcast together with shapes {shapes}"
        ) from None
    kept = [n for n, here in zip(x.shape, places, strict=True) if not here]
    dims = [d for d, here in enumerate(places) if here]
    adjacent = dims == list(range(dims[0], dims[-1] + 1))
    lead = dims[0] if adjacent else 0
    return (*kept[:lead], *common, *kept[lead:])


def _index_spec(x: Spec, *indices: Spec, places: Places) -> Spec:
    """Laid out in memory as a pointwise operation on the picked elements and the positions would be."""
    shape = _index_shape(x, indices, places)
    if x.is_contiguous:
        return spec_of(shape, x.dtype)
    dims = [d for d, here in enumerate(places) if here]
    kept = [s for s, here in zip(x.strides, places, strict=True) if not here]
    lead = dims[0] if dims[-1] - dims[0] + 1 == len(dims) else 0
    n = len(shape) - len(kept)
    picked = (*kept[:lead], *(0,) * n, *kept[lead:])
    common = contiguous_strides(shape[lead : lead + n])
    positions = (*(0,) * lead, *common, *(0,) * (len(kept) - lead))
    return spec_of(shape, x.dtype, elementwise_strides([(shape, picked), (shape, positions)], shape))


INDEX = operation("index", _index_spec, _at, exact=True, aliases=False)
INDEX.lower = lambda x, *indices, places: x.at(indices, _indexed_dims(places))
INDEX.gradient(lambda g, indices, x_spec, places: (
    apply(INDEX_ADJOINT, (g, *indices), (places, x_spec.shape)), *[None] * len(indices)
))  # fmt: skip


def _add_at(g: np.ndarray, *indices: np.ndarray, places: Places, shape: tuple[int, ...]) -> np.ndarray:
    total = np.zeros(shape, g.dtype)
    np.add.at(total.reshape(-1), _flat(shape, indices, places).reshape(-1), g.reshape(-1))
    return total


INDEX_ADJOINT: Operation = operation(
    "index_adjoint", lambda g, *indices, places, shape: spec_of(shape, g.dtype), _add_at, node="IndexBackwardBackward0"
)
INDEX_ADJOINT.lower = lambda g, *indices, places, shape: g.added_at(indices, _indexed_dims(places), shape)
INDEX_ADJOINT.gradient(lambda g, indices, places: (apply(INDEX, (g, *indices), (places,)), *[None] * len(indices)))


def _put(x: np.ndarray, values: Any, *indices: np.ndarray, places: Places, accumulate: bool) -> np.ndarray:
    try:
        if accumulate:
            return _added(x, values, indices, places)
        x[_full_index(indices, places)] = values
    except IndexError as wrong:
        raise out_of_range(x.shape, indices, places) from wrong
    return x


def _added(x: np.ndarray, values: Any, indices: tuple[np.ndarray, ...], places: Places) -> np.ndarray:
    for d, index in zip([d for d, here in enumerate(places) if here], indices, strict=True):
        if index.size and not (-x.shape[d] <= index.min() and index.max() < x.shape[d]):
            raise IndexError
    whole = np.ascontiguousarray(x).reshape(x.shape)
    at = _flat(x.shape, indices, places)
    np.add.at(whole.reshape(-1), at.reshape(-1), np.broadcast_to(values, at.shape).reshape(-1))
    return whole


def _put_spec(x: Spec, values: Spec, *indices: Spec, places: Places, accumulate: bool) -> Spec:
    shape = _index_shape(x, indices, places)
    if values.ndim > len(shape) or any(
        n not in (1, m) for n, m in zip(reversed(values.shape), reversed(shape), strict=False)
    ):
        raise RuntimeError(
            f"shape mismatch: value tensor of shape {list(values.shape)} cannot be broadcast to indexing result of "
            f"shape {list(shape)}"
        )
    if values.dtype is not x.dtype and not values.wrapped:
        raise RuntimeError(
            f"Index put requires the source and destination dtypes match, got {x.dtype.scalar_name} for the "
            f"destination and {values.dtype.scalar_name} for the source."
        )
    return x


INDEX_PUT = operation("index_put", _put_spec, _put, overwrites=True, exact=True, aliases=False)


def _put_gradient(g: Tensor, indices: Any, values_spec: Spec, places: Places, accumulate: bool) -> tuple[Any, ...]:
    into = g
    if not accumulate:
        zero = constant((), 0, g._value.spec.dtype)
        into = apply(INDEX_PUT, (g, zero, *indices), (places, False))
    return into, apply(INDEX, (g, *indices), (places,)), *[None] * len(indices)


INDEX_PUT.gradient(_put_gradient)
INDEX_PUT.lower = lambda x, values, *indices, places, accumulate: x.with_at(
    values, indices, _indexed_dims(places), "add" if accumulate else "set"
)


# ---------------------------------------------------------------------------------------------------------------------
# `x[i] = value` off the tape


def _lies_as(x: np.ndarray, layout: tuple[int, ...]) -> bool:
    """Whether the array has these element strides, in dimensions where they matter."""
    size = x.itemsize
    return x.size == 0 or all(n == 1 or a == b * size for n, a, b in zip(x.shape, x.strides, layout, strict=True))


def _set_part(x: np.ndarray, value: Any, offset: int, *, shape: Any, strides: Any, layout: Any) -> np.ndarray:
    if not x.flags.writeable or not _lies_as(x, layout):
        x = laid_out(x, layout)
    flat = memory_of(x, layout)
    if value.__class__ is np.ndarray and value.dtype.kind == "c" and x.dtype.kind != "c":
        value = value.real
    if not shape:
        flat[offset] = value
    elif len(shape) == 1 and shape[0] > 1:
        flat[offset : offset + (shape[0] - 1) * strides[0] + 1 : strides[0]] = value
    elif 0 not in shape:
        size = x.itemsize
        np.ndarray(shape, x.dtype, flat, offset * size, tuple(s * size for s in strides))[...] = value
    return x


#: The root's numbers with others in a strided part of its memory; the place is a run-time number, so that a loop over
#: positions is one program.
SET_PART = operation(
    "set_part",
    lambda x, value, offset, *, shape, strides, layout: x,
    _set_part,
    overwrites=True,
    exact=True,
    aliases=False,
)


SET_PART.lower = lambda x, value, offset, *, shape, strides, layout: x.with_part(
    value, offset, STRIDED.layouts, shape=shape, strides=strides, kind=None, layout=layout
)


def check_positions(t: Tensor, indices: tuple[Tensor, ...], places: Places) -> None:
    """Raises IndexError at once where the positions are known already; unknown ones are checked when they are used."""
    shape = settle(t).spec.shape
    taken = iter(indices)
    for dim, here in enumerate(places):
        if here:
            buf = next(taken)._value.buf
            if buf is not None and buf.size and (buf.min() < -shape[dim] or buf.max() >= shape[dim]):
                raise out_of_range(shape, tuple(i._value.buf for i in indices if i._value.buf is not None), places)
