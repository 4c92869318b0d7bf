"""The memory behind a tensor as an object: `untyped_storage()` and the typed view of it.

`UntypedStorage.from_file` maps a file into memory, which is how the safetensors library reads: it cuts the bytes of a
tensor out of the storage, and makes a tensor of them with `torch.asarray(...).view(dtype)`.
"""

from __future__ import annotations

import mmap
import os
from collections.abc import Sequence
from typing import Any, Self

import numpy as np

from rushlight.core.dtype import uint8
from rushlight.ops.creation import check_device, empty, wrap
from rushlight.record.memory import memory_of, storage_of
from rushlight.record.trace import realize
from rushlight.record.value import Tensor, tensor_of

from .properties import method


class UntypedStorage:
    """The bytes that a tensor and its views share."""

    def __init__(self, tensor: Tensor | int | Sequence[int] = 0, *, device: Any = None) -> None:
        check_device(device)
        if isinstance(tensor, int):
            tensor = wrap(np.zeros(tensor, np.uint8))
        elif not isinstance(tensor, Tensor):
            tensor = wrap(np.array(tensor, np.uint8))
        realize(tensor)
        self._cell = storage_of(tensor)

    @classmethod
    def from_file(cls, filename: str | os.PathLike[str], shared: bool = False, nbytes: int = 0) -> UntypedStorage:
        """The first `nbytes` bytes of a file, mapped into memory; writing to them does not change the file.

        Raises NotImplementedError for `shared`, RuntimeError if the file is shorter.
        """
        if shared:
            raise NotImplementedError("UntypedStorage.from_file(shared=True): Rushlight maps files privately only")
        found = np.empty(0, np.uint8)
        with open(filename, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            if size < nbytes:
                raise RuntimeError(
                    f"file <{os.fspath(filename)}> size <{size}> is smaller than the required mapping size <{nbytes}>"
                )
            if nbytes:
                found = np.frombuffer(mmap.mmap(file.fileno(), nbytes, access=mmap.ACCESS_COPY), np.uint8)
        return UntypedStorage(wrap(found))

    @property
    def __array_interface__(self) -> dict[str, Any]:
        return self._bytes().__array_interface__

    def untyped(self) -> UntypedStorage:
        """The storage in bytes: itself."""
        return self

    def _bytes(self) -> np.ndarray:
        root = realize(tensor_of(self._cell.value))
        return memory_of(root, self._cell.value.spec.strides).view(np.uint8)

    def data_ptr(self) -> int:
        """The address of the first byte."""
        flat = self._bytes()
        return flat.__array_interface__["data"][0] if flat.size else 0

    def nbytes(self) -> int:
        """How many bytes."""
        return self._bytes().size

    size = nbytes

    def __len__(self) -> int:
        return self.nbytes()

    def __getitem__(self, index: int | slice) -> Any:
        """A byte, or for a slice a storage that shares the bytes."""
        if isinstance(index, slice):
            return UntypedStorage(wrap(self._bytes()[index]))
        return int(self._bytes()[index])

    def _elements(self) -> Any:
        """All elements as a tensor: what is written to it is written as to any other view of the memory."""
        spec = self._cell.value.spec
        whole = empty(0, dtype=spec.dtype).set_(self, 0, (self.nbytes() // spec.dtype.itemsize,), (1,))
        return whole if type(self).element_size is not UntypedStorage.element_size else whole.view(uint8)

    def __setitem__(self, index: int | slice, value: Any) -> None:
        self._elements()[index] = value

    def fill_(self, value: Any) -> Self:
        """Sets every element; returns the storage."""
        self._elements().fill_(value)
        return self

    def copy_(self, source: UntypedStorage, non_blocking: bool = False) -> Self:
        """Takes over the numbers of another storage of as many elements; returns the storage.

        Raises RuntimeError where the sizes differ.
        """
        if len(source) != len(self):
            raise RuntimeError(f"size mismatch: a storage of {len(self)} elements cannot take over {len(source)}")
        self._elements().copy_(source._elements())
        return self

    def resize_(self, size: int) -> Self:
        """Raises NotImplementedError unless the size stays: memory belongs to the tensors on it."""
        if size != self.size():
            raise NotImplementedError(
                f"UntypedStorage.resize_({size}): the storage has {self.size()} elements, and memory in Rushlight does "
                "not change its size under tensors; make a new tensor instead"
            )
        return self

    def tolist(self) -> list[int]:
        """The bytes as numbers."""
        return self._bytes().tolist()

    @property
    def device(self) -> Any:
        """Where the memory is."""
        return self._cell.value.spec.device

    def element_size(self) -> int:
        """How many bytes an element takes."""
        return 1

    def clone(self) -> Self:
        """A copy of the memory."""
        root = tensor_of(self._cell.value)
        return type(self)(wrap(np.array(realize(root), order="K")))

    def cpu(self) -> Self:
        """The storage itself."""
        return self

    def is_shared(self) -> bool:
        """Whether other processes see the memory."""
        return bool(tensor_of(self._cell.value).is_shared())  # type: ignore[attr-defined]

    def is_pinned(self, device: Any = None) -> bool:
        """False."""
        return False

    is_cuda = is_sparse = is_hpu = False

    def _told(self) -> str:
        return f"device={self.device}"

    def __repr__(self) -> str:
        name = type(self).__name__
        numbers = "\n ".join(map(str, self.tolist()))
        return f" {numbers}\n[torch.storage.{name}({self._told()}) of size {len(self)}]"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, UntypedStorage) and other._cell is self._cell

    def __hash__(self) -> int:
        return id(self._cell)

    def _typed(self) -> np.ndarray:
        return self._bytes().view(self._cell.value.spec.numpy)


class TypedStorage(UntypedStorage):
    """The same memory counted in elements (PyTorch's older interface)."""

    @property
    def dtype(self) -> Any:
        """The dtype of the elements."""
        return self._cell.value.spec.dtype

    def element_size(self) -> int:
        """How many bytes an element takes."""
        return int(self.dtype.itemsize)

    def _told(self) -> str:
        return f"dtype={self.dtype}, device={self.device}"

    def size(self) -> int:  # type: ignore[override]
        """How many elements."""
        return self._typed().size

    def __len__(self) -> int:
        return self._typed().size

    def __getitem__(self, index: int) -> Any:  # type: ignore[override]
        return self._typed()[index].item()

    def tolist(self) -> list[Any]:
        """The elements as numbers."""
        return self._typed().tolist()

    def untyped(self) -> UntypedStorage:
        """The storage in bytes."""
        other = UntypedStorage.__new__(UntypedStorage)
        other._cell = self._cell
        return other


@method
def const_data_ptr(self: Tensor) -> int:
    """The address of the first element: `data_ptr`."""
    return self.data_ptr()  # type: ignore[no-any-return]


@method
def storage_type(self: Tensor) -> type:
    """The type of `storage()`."""
    return TypedStorage


@method
def untyped_storage(self: Tensor) -> UntypedStorage:
    """The memory that this tensor and its views share."""
    return UntypedStorage(self)


@method
def storage(self: Tensor) -> TypedStorage:
    """The memory that this tensor and its views share, counted in elements."""
    return TypedStorage(self)
