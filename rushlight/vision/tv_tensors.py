"""Tensors that say what they are: torchvision.tv_tensors. `transforms.v2` changes every `Image` of a sample and lets
other tensors pass. Operations on an Image give plain tensors, as in torchvision; transforms give Images again.
"""

from __future__ import annotations

from typing import Any

import rushlight
from rushlight.core.missing import missing
from rushlight.tensor import Tensor
from rushlight.vision.transforms import functional as F

__all__ = ["Image", "TVTensor", "wrap"]


class TVTensor(Tensor):
    """Base class of tensors that say what they are."""

    __slots__ = ()


class Image(TVTensor):
    """A picture (..., C, H, W) or (H, W), from a tensor, a PIL image or anything `torch.as_tensor` takes."""

    __slots__ = ()

    def __new__(cls, data: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool | None = None) -> Image:
        tensor = F.pil_to_tensor(data) if F.is_pil(data) else rushlight.as_tensor(data, dtype=dtype, device=device)
        if tensor.dim() < 2:
            raise ValueError(f"an image has at least two dimensions, got a tensor of shape {tuple(tensor.shape)}")
        return wrap(tensor.unsqueeze(0) if tensor.dim() == 2 else tensor, requires_grad)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Everything is done by `__new__`."""


def wrap(tensor: Tensor, requires_grad: bool | None = None, like: Any = None) -> Any:
    """The tensor as an Image; the numbers are shared. A fresh handle, so that the tensor itself stays what it is."""
    image = tensor.view_as(tensor)
    image.__class__ = Image
    if requires_grad is not None:
        image.requires_grad_(requires_grad)
    return image


__getattr__ = missing(__name__)
