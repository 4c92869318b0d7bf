"""torch.types: names for annotations."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import IO, Any, TypeAlias, Union

from rushlight.core.device import device as _device
from rushlight.core.dtype import dtype as _dtype  # noqa: F401
from rushlight.core.layout import layout as _layout  # noqa: F401 - PyTorch has it here
from rushlight.core.missing import missing
from rushlight.core.size import Size
from rushlight.tensor import Tensor
from rushlight.tensor.storage import UntypedStorage as Storage

__all__ = ["Device", "FileLike", "Number", "Storage"]

_int, _float, _bool, _complex, _str, _bytes = int, float, bool, complex, str, bytes

_TensorOrTensors: TypeAlias = Union[Tensor, Sequence[Tensor]]  # noqa: UP007 - programs take it apart
_size: TypeAlias = Union[Size, list[int], tuple[int, ...]]  # noqa: UP007
Number: TypeAlias = Union[int, float, bool]  # noqa: UP007
_Number = (int, float, bool)
Device: TypeAlias = Union[_device, str, int, None]  # noqa: UP007
FileLike: TypeAlias = Union[str, os.PathLike[str], IO[bytes]]  # noqa: UP007


class _Symbol:
    """A number that a trace of PyTorch's compiler does not know: there are none here, but programs ask `isinstance`."""


class SymInt(_Symbol):
    """A whole number that is not known."""


class SymFloat(_Symbol):
    """A floating-point number that is not known."""


class SymBool(_Symbol):
    """A truth value that is not known."""


IntLikeType: TypeAlias = Union[int, SymInt]  # noqa: UP007
FloatLikeType: TypeAlias = Union[float, SymFloat]  # noqa: UP007
BoolLikeType: TypeAlias = Union[bool, SymBool]  # noqa: UP007

__getattr__: Any = missing(__name__)
