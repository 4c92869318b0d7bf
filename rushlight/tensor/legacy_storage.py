"""PyTorch's old storage types: `torch.FloatStorage(3)`, `torch.ByteStorage.from_buffer(data)`, `isinstance(s, ...)`.

What they make is a `TypedStorage` on new memory, which `torch.ByteTensor(storage)` and `tensor.set_(storage)` take.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from rushlight.core import dtype as dtypes
from rushlight.ops.creation import wrap

from .construct import empty, tensor
from .storage import TypedStorage

__all__ = [
    "BFloat16Storage", "BoolStorage", "ByteStorage", "CharStorage", "ComplexDoubleStorage", "ComplexFloatStorage",
    "DoubleStorage", "FloatStorage", "HalfStorage", "IntStorage", "LongStorage", "ShortStorage",
]  # fmt: skip


class LegacyStorageMeta(type):
    """Answers `isinstance` by dtype and makes TypedStorages."""

    dtype: Any

    def __instancecheck__(cls, obj: object) -> bool:
        return isinstance(obj, TypedStorage) and obj.dtype is cls.dtype

    def __call__(cls, *args: Any) -> TypedStorage:
        given = args[0] if args else 0
        return TypedStorage(empty(given, dtype=cls.dtype) if isinstance(given, int) else tensor(given, dtype=cls.dtype))

    def __repr__(cls) -> str:
        return f"<class 'torch.{cls.__name__}'>"

    def from_buffer(
        cls, buffer: Any, byte_order: str = "native", count: int = -1, offset: int = 0, **options: Any
    ) -> TypedStorage:
        """A storage with a copy of the buffer's numbers; `byte_order` is "native", "little" or "big".

        Raises ValueError for a buffer that does not hold whole elements.
        """
        kind = cls.dtype.numpy.newbyteorder({"native": "=", "little": "<", "big": ">"}[byte_order])
        left = memoryview(buffer).nbytes - offset
        if count < 0 and left % kind.itemsize:
            raise ValueError(f"buffer size ({left}) must be a multiple of element size ({kind.itemsize})")
        found = np.frombuffer(buffer, kind, left // kind.itemsize if count < 0 else count, offset)
        return TypedStorage(wrap(found.astype(cls.dtype.numpy)))


def _made(kind: Any) -> Any:
    name = f"{kind.scalar_name}Storage"
    doc = f"The old name of a storage of {kind}."
    return LegacyStorageMeta(name, (), {"dtype": kind, "__doc__": doc})


FloatStorage, DoubleStorage, HalfStorage = _made(dtypes.float32), _made(dtypes.float64), _made(dtypes.float16)
BFloat16Storage, BoolStorage, ByteStorage = _made(dtypes.bfloat16), _made(dtypes.bool_), _made(dtypes.uint8)
CharStorage, ShortStorage, IntStorage = _made(dtypes.int8), _made(dtypes.int16), _made(dtypes.int32)
LongStorage = _made(dtypes.int64)
ComplexFloatStorage, ComplexDoubleStorage = _made(dtypes.complex64), _made(dtypes.complex128)
