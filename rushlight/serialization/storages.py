"""The memory of tensors inside a checkpoint: PyTorch's storage types, and tensors rebuilt on storages.

A checkpoint names a storage by its type, a key, a device and a number of elements; tensors are strided looks into it.
The readers (`archive.py`, `legacy.py`) make one `LoadedStorage` a key, `rebuilt` makes the tensors, and tensors of one
storage share memory again.  A tensor that covers its storage alone is an ordinary tensor, not a view.  Everything that
the file claims about sizes is checked against the memory that is really there.
"""

from __future__ import annotations

import math
from pickle import UnpicklingError
from typing import Any

import numpy as np

from rushlight.core import dtype as dtypes
from rushlight.core.dtype import dtype as Dtype
from rushlight.core.strided import contiguous_strides, extent, is_non_overlapping_and_dense
from rushlight.ops.creation import make_leaf, wrap
from rushlight.record.memory import look, share, storage_of
from rushlight.record.spec import spec_of
from rushlight.record.value import Tensor, tensor_of, value_holding
from rushlight.tensor.storage import TypedStorage, UntypedStorage

MAX_DIMS = 64
MAX_CONJUGATED = 4  # times that one storage may be read with its conjugate bit set: each makes a copy

#: PyTorch's storage classes by their element type.
STORAGE_NAMES: dict[Dtype, str] = {
    d: f"{d.scalar_name}Storage"
    for d in (dtypes.float64, dtypes.float32, dtypes.float16, dtypes.bfloat16, dtypes.int64, dtypes.int32, dtypes.int16,
              dtypes.int8, dtypes.uint8, dtypes.bool_, dtypes.complex128, dtypes.complex64)
}  # fmt: skip


class StorageType:
    """A storage class as a checkpoint names it: `torch.FloatStorage`, or the untyped one (dtype None)."""

    __slots__ = ("dtype", "name")

    def __init__(self, name: str, dtype: Dtype | None) -> None:
        self.name = name
        self.dtype = dtype

    @property
    def itemsize(self) -> int:
        """Bytes of one element."""
        return 1 if self.dtype is None else self.dtype.itemsize

    def __repr__(self) -> str:
        return f"torch.{self.name}"


STORAGE_TYPES = {name: StorageType(name, d) for d, name in STORAGE_NAMES.items()}
#: Those of quantized tensors, on which no others may be built.
QUANTIZED_STORAGES = {d: f"{d.scalar_name}Storage" for d in dtypes.QUANTIZED}
STORAGE_TYPES |= {name: StorageType(name, d) for d, name in QUANTIZED_STORAGES.items()}
UNTYPED = StorageType("UntypedStorage", None)


class LoadedStorage(TypedStorage):
    """A storage of a checkpoint: `flat` is its memory, `root` the tensor that the others are views of."""

    on_meta = False

    def __init__(self, flat: np.ndarray, kind: Dtype | None) -> None:
        self.flat = flat
        self.kind = kind
        self.root: Tensor | None = None
        self.conjugated = 0

    @property
    def _cell(self) -> Any:  # type: ignore[override]
        return storage_of(self.root_tensor())

    def root_tensor(self) -> Tensor:
        """The tensor that owns the memory; one dimension, if none has been rebuilt so far."""
        if self.root is None:
            self.root = wrap(self.flat)
        return self.root

    def untyped(self) -> UntypedStorage:
        """The storage in bytes."""
        other = _LoadedBytes.__new__(_LoadedBytes)
        other.whole = self
        return other

    def settle_type(self, kind: Dtype) -> None:
        """An untyped storage takes the type of the first tensor on it."""
        if self.kind is None and self.root is None:
            items = self.flat.size // kind.itemsize
            self.flat, self.kind = self.flat[: items * kind.itemsize].view(kind.numpy), kind


class _LoadedBytes(UntypedStorage):
    """A `LoadedStorage` in bytes: its memory is only turned into a tensor's when somebody asks."""

    whole: LoadedStorage

    @property
    def root(self) -> Tensor | None:
        """The tensor that owns the memory, if one has been rebuilt."""
        return self.whole.root

    @property
    def _cell(self) -> Any:  # type: ignore[override]
        return self.whole._cell


def rebuilt(storage: Any, offset: Any, size: Any, stride: Any, kind: Dtype | None = None) -> Tensor:
    """The tensor that looks into a storage with this offset, size and stride (in elements).

    Raises UnpicklingError where the look leaves the storage, or where the numbers are none.
    """
    if not isinstance(storage, LoadedStorage):
        raise UnpicklingError(f"a tensor must be built on a storage, not on {type(storage).__name__}")
    if storage.kind in dtypes.QUANTIZED:
        if kind is not dtypes.QUANTIZED[storage.kind]:
            raise UnpicklingError(f"a tensor on a storage of {storage.kind}, which is not a quantized one")
    elif kind is not None:
        storage.settle_type(kind)
    view = _checked(storage, offset, size, stride, kind or storage.kind or dtypes.uint8)
    if storage.on_meta:
        return without_numbers(view[0], view[1], view[3])
    if storage.root is None and _covers(storage, view):
        storage.root = tensor_of(_value(storage.flat, view))
        return storage.root
    root = storage.root_tensor()
    return share(root, view, tensor_of(_value(storage.flat, view)))


def without_numbers(shape: tuple[int, ...], strides: tuple[int, ...], kind: Dtype) -> Tensor:
    """A tensor on the device meta."""
    from rushlight.tensor.layouts import empty_strided

    return empty_strided(shape, strides, dtype=kind, device="meta")


def _value(flat: np.ndarray, view: Any) -> Any:
    shape, strides, offset, kind = view
    if strides == contiguous_strides(shape) and flat.dtype == kind.numpy:
        array = flat[offset : offset + math.prod(shape)].reshape(shape)
    else:
        array = look(flat, view)
    return value_holding(array, spec_of(shape, kind, strides))


def _covers(storage: LoadedStorage, view: Any) -> bool:
    """Whether the look is the whole storage, in some order of dimensions."""
    shape, strides, offset, kind = view
    return (
        offset == 0
        and kind is (storage.kind or dtypes.uint8)
        and math.prod(shape) == storage.flat.size
        and is_non_overlapping_and_dense(shape, strides)
    )


def _checked(storage: LoadedStorage, offset: Any, size: Any, stride: Any, kind: Dtype) -> Any:
    shape, strides = integers(size, "size"), integers(stride, "stride")
    (start,) = integers((offset,), "storage offset")
    if len(shape) != len(strides) or len(shape) > MAX_DIMS:
        raise UnpicklingError(f"a tensor of size {list(shape)} cannot have strides {list(strides)}")
    if math.prod(shape) >= 1 << 62:
        raise UnpicklingError(f"a tensor of size {list(shape)} is larger than any memory")
    available = storage.flat.nbytes // kind.itemsize
    if 0 not in shape and start + extent(shape, strides) > available:
        raise UnpicklingError(
            f"a tensor of size {list(shape)}, strides {list(strides)} and storage offset {start} does not fit into its "
            f"storage of {available} elements: the file is damaged or was made to mislead"
        )
    return shape, strides, start, kind


def integers(values: Any, what: str) -> tuple[int, ...]:
    if not isinstance(values, (tuple, list)) or not all(type(v) is int and 0 <= v < 1 << 62 for v in values):
        raise UnpicklingError(f"the {what} of a tensor must be natural numbers, not {str(values)[:80]}")
    return tuple(values)


def with_metadata(t: Tensor, storage: LoadedStorage, metadata: Any) -> Tensor:
    """Applies what PyTorch notes on a tensor instead of computing it: `conj` and `neg`."""
    if not isinstance(metadata, dict) or not all(k in ("conj", "neg") and type(v) is bool for k, v in metadata.items()):
        raise UnpicklingError(f"unknown tensor metadata {str(metadata)[:80]}")
    array = t._value.buf
    if not any(metadata.values()):
        return t
    storage.conjugated += 1
    if array.nbytes > storage.flat.nbytes or storage.conjugated > MAX_CONJUGATED:
        raise UnpicklingError("the file asks for more conjugated copies of one storage than PyTorch would write")
    if metadata.get("conj"):
        array = np.conjugate(array)
    return wrap(np.array(-array if metadata.get("neg") else array, order="C"))


def with_grad(t: Tensor, requires_grad: Any) -> Tensor:
    """The tensor, a leaf that requires grad if the file says so."""
    if type(requires_grad) is not bool:
        raise UnpicklingError(f"requires_grad must be a bool, not {type(requires_grad).__name__}")
    if requires_grad:
        make_leaf(t)
    return t
