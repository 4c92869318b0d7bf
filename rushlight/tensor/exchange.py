"""Memory that others own too: buffers (`frombuffer`) and DLPack.

Everything goes through NumPy arrays on the same memory: what comes in is handed to `from_numpy`, what goes out is what
`Tensor.numpy()` gives, so that the bookkeeping of exposed memory (`record.memory.expose`) holds here as well.
"""

from __future__ import annotations

import enum
import warnings
from typing import Any

import numpy as np

from rushlight.core.dtype import bfloat16, dtype
from rushlight.record.trace import settle
from rushlight.record.value import Tensor

from .construct import from_numpy, function
from .numpy_bridge import numpy as shared_array
from .properties import alias, method

# ---------------------------------------------------------------------------------------------------------------------
# Buffers


@function
def frombuffer(buffer: Any, *, dtype: dtype, count: int = -1, offset: int = 0, requires_grad: bool = False) -> Tensor:
    """A vector on the memory of an object with Python's buffer protocol, from byte `offset` on.

    Raises ValueError where `count` elements (-1: all there are) do not fit the buffer.

    >>> torch.frombuffer(bytearray(b"ab"), dtype=torch.uint8)
    tensor([97, 98], dtype=torch.uint8)
    """
    try:
        memory = memoryview(buffer)
    except TypeError:
        raise ValueError("object does not implement Python buffer protocol.") from None
    count = _elements(memory.nbytes, count, offset, dtype.itemsize)
    if memory.readonly:
        _warn_read_only()
    array = np.frombuffer(memory, np.uint8, count * dtype.itemsize, offset).view(dtype.numpy)
    found = from_numpy(_writable(array))
    return found.requires_grad_() if requires_grad else found


def _elements(length: int, count: int, offset: int, size: int) -> int:
    """How many elements the buffer gives; PyTorch's errors where it cannot."""
    if not length or not count:
        raise ValueError(f"both buffer length ({length}) and count ({count}) must not be 0")
    if not 0 <= offset < length:
        raise ValueError(
            f"offset ({offset} bytes) must be non-negative and no greater than buffer length ({length} bytes) minus 1"
        )
    if count < 0 and (length - offset) % size:
        raise ValueError(
            f"buffer length ({length - offset} bytes) after offset ({offset} bytes) must be a multiple of element "
            f"size ({size})"
        )
    count = (length - offset) // size if count < 0 else count
    if offset + count * size > length:
        raise ValueError(
            f"requested buffer length ({count} * {size} bytes) after offset ({offset} bytes) must not be greater than "
            f"actual buffer length ({length} bytes)"
        )
    return count


def _warn_read_only() -> None:
    warnings.warn(
        "The given buffer is not writable, and PyTorch does not support non-writable tensors. This means you can write "
        "to the underlying (supposedly non-writable) buffer using the tensor. You may want to copy the buffer to "
        "protect its data or make it writable before converting it to a tensor.",
        UserWarning,
        stacklevel=3,
    )


def _writable(array: np.ndarray) -> np.ndarray:
    """The same memory as an array that may be written to: tensors know no read-only memory."""
    return array if array.flags.writeable else np.asarray(_Unlocked(array)).view(array.dtype)


class _Unlocked:
    """Hands an array's memory to NumPy once more, without the mark that it is read-only."""

    def __init__(self, array: np.ndarray) -> None:
        self.array = array
        plain = array.view(np.uint8) if array.dtype.kind == "V" else array
        address, _ = plain.__array_interface__["data"]
        self.__array_interface__ = {**plain.__array_interface__, "data": (address, False)}


# ---------------------------------------------------------------------------------------------------------------------
# DLPack (https://dmlc.github.io/dlpack/latest/)


class DLDeviceType(enum.IntEnum):
    """DLPack's numbers for devices."""

    kDLCPU = 1
    kDLCUDA = 2
    kDLCUDAHost = 3
    kDLOpenCL = 4
    kDLVulkan = 7
    kDLMetal = 8
    kDLVPI = 9
    kDLROCM = 10
    kDLROCMHost = 11
    kDLExtDev = 12
    kDLCUDAManaged = 13
    kDLOneAPI = 14
    kDLWebGPU = 15
    kDLHexagon = 16
    kDLMAIA = 17


@method
def __dlpack__(self: Tensor, *, stream: Any = -1, max_version: Any = None, dl_device: Any = None,
               copy: bool | None = None) -> Any:  # fmt: skip
    """The memory as a DLPack capsule, for `from_dlpack` of any library.

    Raises BufferError for a tensor that requires grad, AssertionError for a stream (there are none on the CPU).
    """
    if self.requires_grad:
        raise BufferError("Can't export tensors that require gradient, use tensor.detach()")
    if stream not in (None, -1):
        raise AssertionError("stream should be None on cpu.")
    if settle(self).spec.dtype is bfloat16:
        raise BufferError("DLPack: NumPy makes the capsule and has no bfloat16; export float() or view(torch.int16)")
    array = shared_array(self)
    asked = {"max_version": max_version, "dl_device": dl_device, "copy": copy}
    return array.__dlpack__(**{name: wish for name, wish in asked.items() if wish is not None})


@method
def __dlpack_device__(self: Tensor) -> tuple[DLDeviceType, int]:
    """The device as DLPack counts them."""
    return DLDeviceType.kDLCPU, 0


@function
def to_dlpack(tensor: Tensor) -> Any:
    """The tensor's memory as a DLPack capsule."""
    return __dlpack__(tensor)


class _Capsule:
    """A bare capsule as an object that `np.from_dlpack` takes."""

    def __init__(self, capsule: Any) -> None:
        self.capsule = capsule

    def __dlpack__(self, **_: Any) -> Any:
        return self.capsule

    def __dlpack_device__(self) -> tuple[int, int]:
        return 1, 0


@function
def from_dlpack(ext_tensor: Any, *, device: Any = None, copy: bool | None = None) -> Tensor:
    """A tensor on the memory of another library's array (an object with `__dlpack__`, or a DLPack capsule).

    Raises RuntimeError for anything else and for a capsule that was consumed before.

    >>> torch.from_dlpack(np.arange(2.0))
    tensor([0., 1.], dtype=torch.float64)
    """
    if isinstance(ext_tensor, Tensor):
        found = alias(ext_tensor)
    elif isinstance(ext_tensor, np.ndarray):
        found = from_numpy(ext_tensor)
    else:
        found = from_numpy(_writable(_imported(ext_tensor)))
    if device is not None:
        found = found.to(device)
    return found.clone() if copy else found


def _imported(source: Any) -> np.ndarray:
    if not hasattr(source, "__dlpack__"):
        if "dltensor" not in repr(source) or "used_dltensor" in repr(source):
            raise RuntimeError(
                "from_dlpack received an invalid capsule. Note that DLTensor capsules can be consumed only once, so "
                "you might have already constructed a tensor from it once."
            )
        source = _Capsule(source)
    return np.from_dlpack(source)


@method
def is_set_to(self: Tensor, tensor: Tensor) -> bool:
    """Whether both tensors see the same elements of the same memory in the same way."""
    if not isinstance(tensor, Tensor):
        raise TypeError(f"is_set_to(): argument 'tensor' (position 1) must be Tensor, not {type(tensor).__name__}")
    if self is tensor:
        return True
    mine, its = settle(self).spec, settle(tensor).spec
    same = self._storage is not None and self._storage is tensor._storage
    return same and mine is its and self.storage_offset() == tensor.storage_offset()
