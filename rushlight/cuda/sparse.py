"""torch.cuda.sparse: the old types of sparse tensors on a device, of which there are none."""

from __future__ import annotations

from rushlight.core.missing import missing

from .refusals import TensorType


class SparseTensorType(TensorType):
    """The old type of a sparse tensor on a device."""

    space = "torch.cuda.sparse"


_NAMES = "Float Double Half BFloat16 Byte Char Short Int Long Bool".split()

globals().update({f"{name}Tensor": SparseTensorType(f"{name}Tensor", (), {}) for name in _NAMES})

__getattr__ = missing(__name__)
