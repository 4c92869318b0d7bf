"""PyTorch's old tensor types: `torch.FloatTensor(2, 3)`, `isinstance(t, torch.LongTensor)`."""

from __future__ import annotations

from typing import Any

from rushlight.core import dtype as dtypes
from rushlight.record.value import Tensor

from .construct import _constructed
from .public_types import register


class TypedTensorMeta(type):
    """Answers `isinstance` by dtype and makes plain Tensors."""

    dtype: Any

    def __instancecheck__(cls, obj: object) -> bool:
        return isinstance(obj, Tensor) and obj.dtype is cls.dtype

    def __call__(cls, *args: Any, **options: Any) -> Tensor:
        return _constructed(args, cls.dtype)

    def __repr__(cls) -> str:
        return f"<class 'torch.{cls.__name__}'>"


for _kind in (dtypes.float32, dtypes.float64, dtypes.float16, dtypes.bfloat16, dtypes.uint8, dtypes.int8, dtypes.int16,
              dtypes.int32, dtypes.int64, dtypes.bool_):  # fmt: skip
    _name = f"{_kind.scalar_name}Tensor"
    register(_name, TypedTensorMeta(_name, (), {"dtype": _kind, "__doc__": f"The old name of a tensor of {_kind}."}))
