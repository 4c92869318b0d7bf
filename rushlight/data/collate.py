"""Collating: a list of samples becomes one batch.

`default_collate` stacks tensors, arrays and numbers along a new first dimension, keeps strings as they are, and goes
into dictionaries, named tuples, tuples and lists. `default_convert` only makes tensors of NumPy arrays: what a loader
does to single samples when it makes no batches. `collate` is the same with a table of your own, one function for each
element type.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Mapping, MutableMapping, MutableSequence, Sequence
from typing import Any

import numpy as np

import rushlight
from rushlight.tensor import Tensor, wrap

__all__ = ["collate", "default_collate", "default_collate_fn_map", "default_convert"]

CollateMap = dict[type | tuple[type, ...], Callable[..., Any]]

_NOT_COLLATABLE = "default_collate: batch must contain tensors, numpy arrays, numbers, dicts or lists; found {}"


def default_collate(batch: Sequence[Any]) -> Any:
    """Makes one batch of a list of samples, with a new first dimension for the batch.

    Tensors and NumPy arrays are stacked, Python floats become a float64 tensor, ints an int64 tensor, strings and
    bytes stay a list. Mappings, named tuples, tuples (to a list) and sequences are collated member by member.

    Raises:
        TypeError: for elements of another type.
        RuntimeError: when the elements, lists or tensors, have different sizes.

    Example:
        >>> default_collate([{"a": 0, "b": "x"}, {"a": 1, "b": "y"}])
        {'a': tensor([0, 1]), 'b': ['x', 'y']}
    """
    return collate(batch, collate_fn_map=default_collate_fn_map)


def collate(batch: Sequence[Any], *, collate_fn_map: CollateMap | None = None) -> Any:
    """`default_collate` with a table from element type (or types) to a function ``f(batch, *, collate_fn_map)``."""
    first = batch[0]
    kind = type(first)
    function = _look_up(first, kind, collate_fn_map)
    if function is not None:
        return function(batch, collate_fn_map=collate_fn_map)
    if isinstance(first, Mapping):
        return _rebuild_mapping(
            first, ((key, collate([sample[key] for sample in batch], collate_fn_map=collate_fn_map)) for key in first)
        )
    if isinstance(first, tuple) and hasattr(first, "_fields"):
        return kind(*(collate(column, collate_fn_map=collate_fn_map) for column in zip(*batch, strict=False)))
    if not isinstance(first, Sequence):
        raise TypeError(_NOT_COLLATABLE.format(kind))
    if any(len(sample) != len(first) for sample in batch):
        raise RuntimeError(
            "each element in list of batch should be of equal size; "
            f"got lengths {sorted({len(sample) for sample in batch})}"
        )
    columns = [collate(column, collate_fn_map=collate_fn_map) for column in zip(*batch, strict=True)]
    return columns if isinstance(first, tuple) else _rebuild_sequence(first, columns)


def default_convert(data: Any) -> Any:
    """Makes tensors of the NumPy arrays and NumPy numbers in ``data``; goes into containers, leaves the rest unchanged.

    Example:
        >>> import numpy as np
        >>> default_convert([np.array([0, 1]), "text"])
        [tensor([0, 1]), 'text']
    """
    if isinstance(data, Tensor):
        return data
    if isinstance(data, np.ndarray | np.generic) and not isinstance(data, np.str_):
        return data if data.dtype.kind in "SaUO" else rushlight.as_tensor(data)
    if isinstance(data, Mapping):
        return _rebuild_mapping(data, ((key, default_convert(data[key])) for key in data))
    if isinstance(data, tuple) and hasattr(data, "_fields"):
        return type(data)(*map(default_convert, data))
    if isinstance(data, tuple):
        return [default_convert(part) for part in data]
    if isinstance(data, Sequence) and not isinstance(data, str | bytes):
        return _rebuild_sequence(data, [default_convert(part) for part in data])
    return data


def _look_up(first: Any, kind: type, table: CollateMap | None) -> Callable[..., Any] | None:
    if table is None:
        return None
    exact = table.get(kind)
    if exact is not None:
        return exact
    return next((function for known, function in table.items() if isinstance(first, known)), None)


def _rebuild_mapping(model: Mapping[Any, Any], pairs: Iterable[tuple[Any, Any]]) -> Any:
    """A mapping of the model's type (a copy of it where it can change, for what else it carries), else a plain dict."""
    members = dict(pairs)
    try:
        if isinstance(model, MutableMapping):
            clone = copy.copy(model)
            clone.update(members)
            return clone
        return type(model)(members)  # type: ignore[call-arg]
    except TypeError:
        return members


def _rebuild_sequence(model: Sequence[Any], members: list[Any]) -> Any:
    """A sequence of the model's type, else a plain list."""
    if type(model) is list:
        return members
    try:
        if isinstance(model, MutableSequence):
            clone = copy.copy(model)
            for position, member in enumerate(members):
                clone[position] = member
            return clone
        return type(model)(members)  # type: ignore[call-arg]
    except TypeError:
        return members


def collate_tensor_fn(batch: Sequence[Tensor], *, collate_fn_map: CollateMap | None = None) -> Tensor:
    """Stacks tensors of one shape. Raises RuntimeError when shapes differ, and for nested and sparse tensors."""
    if all(map(_is_plain, batch)):
        arrays = [tensor.realized_array() for tensor in batch]
        first = arrays[0]
        if all(array.shape == first.shape and array.dtype == first.dtype for array in arrays):
            return wrap(np.stack(arrays))
    first_kind = "nested" if batch[0].is_nested else "sparse" if batch[0].layout is not rushlight.strided else None
    if first_kind is not None:
        raise RuntimeError(
            f"Batches of {first_kind} tensors are not currently supported by the default collate_fn; please provide a "
            "custom collate_fn to handle them appropriately."
        )
    return rushlight.stack(tuple(batch), 0)


_NUMPY_DTYPES = frozenset(
    getattr(rushlight, name)
    for name in "float32 float64 float16 int64 int32 int16 int8 uint8 bool complex64 complex128".split()
)


def _is_plain(tensor: Tensor) -> bool:
    """Whether the tensor's numbers are all there is to it: then NumPy stacks them, with nothing to record."""
    return (
        type(tensor) is Tensor
        and not tensor.requires_grad
        and tensor.dtype in _NUMPY_DTYPES
        and tensor.device.type == "cpu"
        and tensor.layout is rushlight.strided
    )


def collate_numpy_array_fn(batch: Sequence[Any], *, collate_fn_map: CollateMap | None = None) -> Any:
    """Stacks arrays of numbers. Raises TypeError for arrays of strings and objects."""
    if batch[0].dtype.kind in "SaUO":
        raise TypeError(_NOT_COLLATABLE.format(batch[0].dtype))
    return collate([rushlight.as_tensor(array) for array in batch], collate_fn_map=collate_fn_map)


def collate_numpy_scalar_fn(batch: Sequence[Any], *, collate_fn_map: CollateMap | None = None) -> Tensor:
    """A one-dimensional tensor of the NumPy numbers, of their dtype."""
    return rushlight.as_tensor(batch)


def collate_float_fn(batch: Sequence[float], *, collate_fn_map: CollateMap | None = None) -> Tensor:
    """A one-dimensional float64 tensor."""
    return rushlight.as_tensor(batch, dtype=rushlight.float64)


def collate_int_fn(batch: Sequence[int], *, collate_fn_map: CollateMap | None = None) -> Tensor:
    """A one-dimensional tensor: int64, or bool where they are bools."""
    return rushlight.as_tensor(batch)


def collate_str_fn(batch: Sequence[Any], *, collate_fn_map: CollateMap | None = None) -> Sequence[Any]:
    """The list as it is."""
    return batch


default_collate_fn_map: CollateMap = {
    Tensor: collate_tensor_fn,
    np.ndarray: collate_numpy_array_fn,
    (np.bool_, np.number, np.object_): collate_numpy_scalar_fn,
    float: collate_float_fn,
    int: collate_int_fn,
    str: collate_str_fn,
    bytes: collate_str_fn,
}
_ORIGINAL_MAP = dict(default_collate_fn_map)


def is_default(collate_fn: Callable[..., Any]) -> bool:
    """Whether ``collate_fn`` is `default_collate` with the table nobody has changed."""
    return collate_fn is default_collate and default_collate_fn_map == _ORIGINAL_MAP
