"""PyTorch's old sparse tensor types: `torch.sparse.FloatTensor(indices, values, size)`."""

from __future__ import annotations

from typing import Any

from rushlight.core import dtype as dtypes
from rushlight.core.layout import sparse_coo
from rushlight.record.value import Tensor

from .construct import sparse_coo_tensor

TYPES: dict[str, type] = {}


class SparseTypeMeta(type):
    """Answers `isinstance` by dtype and layout, and makes sparse tensors."""

    dtype: Any

    def __instancecheck__(cls, obj: object) -> bool:
        return isinstance(obj, Tensor) and obj.layout is sparse_coo and obj.dtype is cls.dtype

    def __call__(cls, *args: Any, device: Any = None) -> Tensor:
        if args and isinstance(args[0], Tensor):
            return sparse_coo_tensor(*args, dtype=cls.dtype, device=device)
        shape = args[0] if len(args) == 1 and not isinstance(args[0], int) else args
        return sparse_coo_tensor(tuple(shape) or (0,), dtype=cls.dtype, device=device)

    def __repr__(cls) -> str:
        return f"<class 'torch.sparse.{cls.__name__}'>"


for _kind in (dtypes.float32, dtypes.float64, dtypes.float16, dtypes.bfloat16, dtypes.uint8, dtypes.int8, dtypes.int16,
              dtypes.int32, dtypes.int64, dtypes.bool_):  # fmt: skip
    _name = f"{_kind.scalar_name}Tensor"
    TYPES[_name] = SparseTypeMeta(_name, (), {"dtype": _kind, "__doc__": f"The old name of a sparse {_kind} tensor."})
