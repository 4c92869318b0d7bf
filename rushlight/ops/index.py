"""Picking elements by tensors of positions, and putting elements there.

`places` says for each dimension of the operand whether a tensor indexes it; the tensors are broadcast together, as in
NumPy.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from rushlight.core.strided import broadcast_shapes
from rushlight.record.operation import operation
from rushlight.record.spec import Spec, spec_of
from rushlight.record.trace import apply, settle
from rushlight.record.value import Tensor, tensor_of, value_holding

Places = tuple[bool, ...]


def _full_index(indices: tuple[Any, ...], places: Places) -> tuple[Any, ...]:
    taken = iter(indices)
    return tuple(next(taken) if here else slice(None) for here in places)


def _at(x: np.ndarray, *indices: np.ndarray, places: Places) -> np.ndarray:
    try:
        return x[_full_index(indices, places)]
    except IndexError as wrong:
        raise out_of_range(x.shape, indices, places) from wrong


def out_of_range(shape: tuple[int, ...], indices: tuple[np.ndarray, ...], places: Places) -> IndexError:
    """PyTorch's error for the first index tensor with a position that does not exist."""
    taken = iter(indices)
    for dim, here in enumerate(places):
        if here:
            index = next(taken)
            wrong = index[(index < -shape[dim]) | (index >= shape[dim])]
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
    return spec_of(_index_shape(x, indices, places), x.dtype)


INDEX = operation("index", _index_spec, _at, exact=True, aliases=False)
INDEX.gradient(lambda g, indices, x_spec, places: (
    apply(INDEX_ADJOINT, (g, *indices), (places, x_spec.shape)), *[None] * len(indices)
))  # fmt: skip


def _add_at(g: np.ndarray, *indices: np.ndarray, places: Places, shape: tuple[int, ...]) -> np.ndarray:
    total = np.zeros(shape, g.dtype)
    np.add.at(total, _full_index(indices, places), g)
    return total


INDEX_ADJOINT = operation(
    "index_adjoint", lambda g, *indices, places, shape: spec_of(shape, g.dtype), _add_at, node="IndexBackwardBackward0"
)
INDEX_ADJOINT.gradient(lambda g, indices, places: (apply(INDEX, (g, *indices), (places,)), *[None] * len(indices)))


def _put(x: np.ndarray, values: Any, *indices: np.ndarray, places: Places, accumulate: bool) -> np.ndarray:
    where = _full_index(indices, places)
    try:
        if accumulate:
            np.add.at(x, where, values)
        else:
            x[where] = values
    except IndexError as wrong:
        raise out_of_range(x.shape, indices, places) from wrong
    return x


def _put_spec(x: Spec, values: Spec, *indices: Spec, places: Places, accumulate: bool) -> Spec:
    shape = _index_shape(x, indices, places)
    if values.ndim > len(shape) or any(
        n not in (1, m) for n, m in zip(reversed(values.shape), reversed(shape), strict=False)
    ):
        raise RuntimeError(
            f"shape mismatch: value tensor of shape {list(values.shape)} cannot be broadcast to indexing result of "
            "shape "
            f"{list(shape)}"
        )
    if values.dtype is not x.dtype and not values.wrapped:
        raise RuntimeError(
            f"Index put requires the source and destination dtypes match, got {x.dtype.scalar_name} for the "
            "destination "
            f"and {values.dtype.scalar_name} for the source."
        )
    return x


INDEX_PUT = operation("index_put", _put_spec, _put, overwrites=True, exact=True, aliases=False)


def _put_gradient(g: Tensor, indices: Any, values_spec: Spec, places: Places, accumulate: bool) -> tuple[Any, ...]:
    into = g
    if not accumulate:
        zero = tensor_of(value_holding(np.zeros((), g._value.spec.numpy), spec_of((), g._value.spec.dtype)))
        into = apply(INDEX_PUT, (g, zero, *indices), (places, False))
    return into, apply(INDEX, (g, *indices), (places,)), *[None] * len(indices)


INDEX_PUT.gradient(_put_gradient)


def check_positions(t: Tensor, indices: tuple[Tensor, ...], places: Places) -> None:
    """Raises IndexError at once where the positions are known already; unknown ones are checked when they are used."""
    shape = settle(t).spec.shape
    taken = iter(indices)
    for dim, here in enumerate(places):
        if here:
            buf = next(taken)._value.buf
            if buf is not None and buf.size and (buf.min() < -shape[dim] or buf.max() >= shape[dim]):
                raise out_of_range(shape, tuple(i._value.buf for i in indices if i._value.buf is not None), places)
