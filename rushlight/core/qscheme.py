"""`qscheme`: how the numbers of a quantized tensor are scaled, as PyTorch names it."""

from __future__ import annotations

from .layout import NamedConstant

__all__ = ["qscheme"]


class qscheme(NamedConstant):
    """One scale for the whole tensor or one for each channel; symmetric ones have their zero in the middle."""

    __slots__ = ()


per_tensor_affine = qscheme("per_tensor_affine")
per_channel_affine = qscheme("per_channel_affine")
per_tensor_symmetric = qscheme("per_tensor_symmetric")
per_channel_symmetric = qscheme("per_channel_symmetric")
per_channel_affine_float_qparams = qscheme("per_channel_affine_float_qparams")
