"""torchvision.transforms.v2.functional: the functions of `transforms.functional`, with the names and defaults that v2
gives them.
"""

from __future__ import annotations

from typing import Any

import numpy as np

import rushlight
from rushlight.core.missing import missing
from rushlight.tensor import Tensor
from rushlight.vision.transforms import functional as F

_SAME = """
    InterpolationMode adjust_brightness adjust_contrast adjust_gamma adjust_hue adjust_saturation adjust_sharpness
    affine autocontrast center_crop convert_image_dtype crop elastic_transform equalize erase five_crop gaussian_blur
    get_dimensions get_image_num_channels get_image_size hflip invert normalize pad perspective pil_to_tensor posterize
    resize resized_crop rgb_to_grayscale rotate solarize ten_crop to_grayscale to_pil_image to_tensor vflip
""".split()
globals().update({name: getattr(F, name) for name in _SAME})

horizontal_flip, vertical_flip, get_num_channels = F.hflip, F.vflip, F.get_image_num_channels


def get_size(inpt: Any) -> list[int]:
    """``[height, width]`` of a picture."""
    return F.get_dimensions(inpt)[1:]


def to_image(inpt: Any) -> Any:
    """A PIL image, array (H, W, C) or tensor as an Image (C, H, W) of the same numbers."""
    from rushlight.vision.tv_tensors import Image

    if isinstance(inpt, np.ndarray):
        array = np.atleast_3d(inpt)
        return Image(rushlight.from_numpy(np.ascontiguousarray(array.transpose(2, 0, 1))))
    if F.is_pil(inpt) or isinstance(inpt, Tensor):
        return Image(inpt)
    raise TypeError(f"Input can either be a pure Tensor, a numpy array, or a PIL image, but got {type(inpt)} instead.")


def to_dtype(inpt: Tensor, dtype: Any = None, scale: bool = False) -> Tensor:
    """The tensor in another dtype; with `scale` its values are scaled to the dtype's range."""
    wanted = rushlight.float32 if dtype is None else dtype
    return F.convert_image_dtype(inpt, wanted) if scale else inpt.to(wanted)


__getattr__ = missing(__name__)
