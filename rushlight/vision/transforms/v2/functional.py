"""torchvision.transforms.v2.functional: the functions of `transforms.functional`, with the names and defaults that v2
gives them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

import rushlight
from rushlight.core.missing import missing
from rushlight.tensor import Tensor
from rushlight.vision.transforms import functional as F
from rushlight.vision.transforms.v2 import boxes as _boxes
from rushlight.vision.transforms.v2 import byte_resize
from rushlight.vision.tv_tensors import Image

_SAME = """
    InterpolationMode adjust_brightness adjust_contrast adjust_gamma adjust_hue adjust_saturation adjust_sharpness
    affine autocontrast center_crop convert_image_dtype crop elastic_transform equalize erase five_crop gaussian_blur
    get_dimensions get_image_num_channels get_image_size hflip invert normalize pad perspective pil_to_tensor posterize
    rgb_to_grayscale rotate solarize ten_crop to_grayscale to_pil_image to_tensor vflip
""".split()
globals().update({name: getattr(F, name) for name in _SAME})

clamp_bounding_boxes = _boxes.clamp_bounding_boxes
convert_bounding_box_format = _boxes.convert_bounding_box_format
sanitize_bounding_boxes = _boxes.sanitize_bounding_boxes
horizontal_flip, vertical_flip, get_num_channels = F.hflip, F.vflip, F.get_image_num_channels


def get_size(inpt: Any) -> list[int]:
    """``[height, width]`` of a picture."""
    return F.get_dimensions(inpt)[1:]


def resize(
    inpt: Any,
    size: int | Sequence[int],
    interpolation: Any = F.InterpolationMode.BILINEAR,
    max_size: int | None = None,
    antialias: bool | None = True,
) -> Any:
    """The picture, mask or boxes at another size; see `transforms.functional.resize`.

    Tensors of bytes are computed in whole numbers, which may differ by one from the first version's.
    """
    mode = F.as_mode(interpolation)
    in_bytes = isinstance(inpt, Tensor) and inpt.dtype is rushlight.uint8 and getattr(inpt, "_kernels", None) is None
    if not in_bytes or mode.value not in ("bilinear", "bicubic"):
        return F.resize(inpt, size, mode, max_size, antialias)
    wanted = F.resized_size(inpt, size, max_size)
    if wanted == tuple(inpt.shape[-2:]):
        return inpt
    array = byte_resize.resize(inpt.numpy(), wanted, mode.value, bool(antialias))
    return rushlight.from_numpy(np.ascontiguousarray(array))


def resized_crop(
    inpt: Any,
    top: int,
    left: int,
    height: int,
    width: int,
    size: Sequence[int],
    interpolation: Any = F.InterpolationMode.BILINEAR,
    antialias: bool | None = True,
) -> Any:
    """`crop`, then `resize`."""
    return resize(F.crop(inpt, top, left, height, width), size, interpolation, antialias=antialias)


def to_image(inpt: Any) -> Any:
    """A PIL image, array (H, W, C) or tensor as an Image (C, H, W) of the same numbers."""
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


def gaussian_noise(inpt: Tensor, mean: float = 0.0, sigma: float = 0.1, clip: bool = True) -> Tensor:
    """The picture with normally distributed numbers added; with `clip`, kept in its range.

    Bytes are computed as floats from 0 to 255. Raises ValueError for a negative `sigma` and other integers.
    """
    if sigma < 0:
        raise ValueError(f"sigma shouldn't be negative. Got {sigma}")
    if inpt.dtype is rushlight.uint8:
        drawn = rushlight.randn_like(inpt, dtype=rushlight.float32)
        noise = (mean * 255 + drawn * (sigma * 255)).to(rushlight.int16)
        noisy = inpt.to(rushlight.int16) + noise
        return (noisy.clamp(0, 255) if clip else noisy).to(rushlight.uint8)
    if not inpt.is_floating_point():
        raise ValueError(f"Input tensor is expected to be in uint8 or float dtype, got dtype={inpt.dtype}")
    noisy = inpt + mean + rushlight.randn_like(inpt) * sigma
    return noisy.clamp(0, 1) if clip else noisy


def permute_channels(inpt: Tensor, permutation: list[int]) -> Tensor:
    """The picture with its channels in another order. Raises ValueError where that is none of its channels."""
    if sorted(permutation) != list(range(inpt.shape[-3])):
        raise ValueError(
            f"Length of permutation does not match number of channels: {len(permutation)} != {inpt.shape[-3]}"
        )
    return inpt[..., permutation, :, :]


def grayscale_to_rgb(inpt: Any) -> Any:
    """The picture in three channels; one that has three stays."""
    if F.is_pil(inpt):
        return inpt.convert("RGB")
    return inpt if inpt.shape[-3] >= 3 else inpt.expand(*inpt.shape[:-3], 3, *inpt.shape[-2:])


__getattr__ = missing(__name__)
