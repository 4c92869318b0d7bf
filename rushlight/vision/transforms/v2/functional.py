"""torchvision.transforms.v2.functional: the functions of `transforms.functional`, with the names and defaults that v2
gives them. They give pictures of the kind that they were given (`_of_a_kind`), and take kernels for kinds of one's own
(`register_kernel`). What torchvision calls `crop_image` or `crop_mask` is `crop` of a plain tensor that is taken for an
Image or a Mask (`_kernel_of`).
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

import rushlight
from rushlight.core.missing import missing
from rushlight.tensor import Tensor
from rushlight.vision.transforms import functional as F
from rushlight.vision.transforms.v2 import boxes as _boxes
from rushlight.vision.transforms.v2 import byte_resize, colours, registered
from rushlight.vision.transforms.v2 import keypoints as _keypoints
from rushlight.vision.tv_tensors import Image, Mask, TVTensor, Video, is_pure_tensor, wrap

_SAME = """
    InterpolationMode adjust_brightness adjust_contrast adjust_gamma adjust_hue adjust_saturation adjust_sharpness
    affine autocontrast center_crop convert_image_dtype crop elastic_transform equalize five_crop gaussian_blur
    get_dimensions get_image_num_channels get_image_size hflip invert normalize perspective pil_to_tensor posterize
    rgb_to_grayscale rotate solarize ten_crop to_grayscale to_pil_image to_tensor vflip
""".split()

_GIVE_OTHER_KINDS = """
    InterpolationMode get_dimensions get_image_num_channels get_image_size pil_to_tensor to_pil_image to_tensor
    to_grayscale
""".split()


def _of_a_kind(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, giving an Image for an Image, and asking the kernels that are registered for kinds of one's own."""

    @functools.wraps(function)
    def called(inpt: Any, *args: Any, **kwargs: Any) -> Any:
        own = registered.find(function.__name__, type(inpt))
        if own is not None:
            return own(inpt, *args, **kwargs)
        found = function(inpt, *args, **kwargs)
        if not isinstance(inpt, TVTensor):
            return found
        if isinstance(found, tuple):
            return tuple(wrap(part, like=inpt) if is_pure_tensor(part) else part for part in found)
        return wrap(found, like=inpt) if is_pure_tensor(found) else found

    called.__module__ = __name__
    return called


globals().update({name: getattr(F, name) for name in _GIVE_OTHER_KINDS})
_KEEP_KINDS = [name for name in _SAME if name not in _GIVE_OTHER_KINDS]
globals().update({name: _of_a_kind(colours.OWN.get(name, getattr(F, name))) for name in _KEEP_KINDS})

clamp_keypoints, sanitize_keypoints = _keypoints.clamp_keypoints, _keypoints.sanitize_keypoints
clamp_bounding_boxes = _boxes.clamp_bounding_boxes
convert_bounding_box_format = _boxes.convert_bounding_box_format
sanitize_bounding_boxes = _boxes.sanitize_bounding_boxes
horizontal_flip, vertical_flip = _of_a_kind(F.hflip), _of_a_kind(F.vflip)
elastic = _of_a_kind(F.elastic_transform)
get_num_channels = F.get_image_num_channels
register_kernel = registered.register_kernel


def get_size(inpt: Any) -> list[int]:
    """``[height, width]`` of a picture."""
    return F.get_dimensions(inpt)[1:]


@_of_a_kind
def resize(
    inpt: Any,
    size: int | Sequence[int] | None,
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


@_of_a_kind
def pad(inpt: Any, padding: Any, fill: Any = None, padding_mode: str = "constant") -> Any:
    """The picture, mask or boxes with a border; see `transforms.functional.pad`.

    A tensor's ``fill`` may be one number for each channel, too. Raises ValueError for such a fill of a mask.
    """
    fill = fill[0] if isinstance(fill, list | tuple) and len(fill) == 1 else fill
    if not (isinstance(inpt, Tensor) and isinstance(fill, list | tuple)):
        return F.pad(inpt, padding, fill, padding_mode)
    if isinstance(inpt, Mask):
        raise ValueError("Non-scalar fill value is not supported")
    padded = F.pad(inpt, padding, 0, padding_mode)
    if getattr(inpt, "_kernels", None) is not None or padding_mode != "constant":
        return padded
    inside = F.pad(rushlight.ones(inpt.shape[-2:], dtype=rushlight.bool), padding)
    colour = rushlight.as_tensor(fill, dtype=inpt.dtype).view(-1, 1, 1)
    return rushlight.where(inside, padded, colour.expand(padded.shape))


@_of_a_kind
def erase(inpt: Any, i: int, j: int, h: int, w: int, v: Tensor, inplace: bool = False) -> Any:
    """The picture with the rectangle at ``(i, j)`` of size ``(h, w)`` overwritten by ``v``."""
    if F.is_pil(inpt):
        return F.to_pil_image(F.erase(F.pil_to_tensor(inpt), i, j, h, w, v), mode=inpt.mode)
    return F.erase(inpt, i, j, h, w, v, inplace)


@_of_a_kind
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


@_of_a_kind
def to_dtype(inpt: Tensor, dtype: Any = None, scale: bool = False) -> Tensor:
    """The tensor in another dtype; with `scale` its values are scaled to the dtype's range."""
    wanted = rushlight.float32 if dtype is None else dtype
    scale = scale and getattr(inpt, "_kernels", None) is None  # labels and places are not to be scaled
    return F.convert_image_dtype(inpt, wanted) if scale else inpt.to(wanted)


@_of_a_kind
def gaussian_noise(inpt: Tensor, mean: float = 0.0, sigma: float = 0.1, clip: bool = True) -> Tensor:
    """The picture with normally distributed numbers added; with `clip`, kept in its range.

    Bytes are computed as floats from 0 to 255. Raises ValueError for a negative `sigma` and other integers.
    """
    if F.is_pil(inpt):
        raise ValueError("Gaussian Noise is not implemented for PIL images.")
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


@_of_a_kind
def permute_channels(inpt: Any, permutation: list[int]) -> Any:
    """The picture with its channels in another order. Raises ValueError where that is none of its channels."""
    if F.is_pil(inpt):
        return F.to_pil_image(permute_channels(F.pil_to_tensor(inpt), permutation))
    if sorted(permutation) != list(range(inpt.shape[-3])):
        raise ValueError(
            f"Length of permutation does not match number of channels: {len(permutation)} != {inpt.shape[-3]}"
        )
    return inpt[..., permutation, :, :]


@_of_a_kind
def grayscale_to_rgb(inpt: Any) -> Any:
    """The picture in three channels; one that has three stays."""
    if F.is_pil(inpt):
        return inpt.convert("RGB")
    return inpt if inpt.shape[-3] >= 3 else inpt.expand(*inpt.shape[:-3], 3, *inpt.shape[-2:])


@_of_a_kind
def jpeg(image: Any, quality: int) -> Any:
    """Bytes (..., C, H, W) compressed and decompressed as JPEG. Raises ValueError for a quality outside of 1 to 100."""
    from rushlight.vision.io import decode_image, encode_jpeg

    if F.is_pil(image):
        return F.to_pil_image(jpeg(F.pil_to_tensor(image), quality), mode=image.mode)
    frames = image.reshape(-1, *image.shape[-3:])
    if not len(frames):
        return image.clone()
    changed = [decode_image(encode_jpeg(frame, quality=quality)) for frame in frames]
    return rushlight.stack(changed).reshape(image.shape)


@_of_a_kind
def uniform_temporal_subsample(inpt: Any, num_samples: int) -> Any:
    """``num_samples`` frames of a video (..., T, C, H, W), evenly spaced, the first and the last among them."""
    if not isinstance(inpt, Tensor):
        raise TypeError(f"Functional F.uniform_temporal_subsample supports videos, but got {type(inpt)} instead.")
    places = rushlight.linspace(0, inpt.shape[-4] - 1, num_samples).to(rushlight.int64)
    return rushlight.index_select(inpt.view_as(inpt), -4, places)


def get_num_frames(inpt: Any) -> int:
    """How many frames a video (..., T, C, H, W) has. Raises TypeError for what is none."""
    if not (is_pure_tensor(inpt) or isinstance(inpt, Video)):
        raise TypeError(f"Functional F.get_num_frames supports videos, but got {type(inpt)} instead.")
    return inpt.shape[-4]  # type: ignore[no-any-return]


_KINDS: dict[str, type] = {"_image": Image, "_video": Video, "_mask": Mask}
_missing = missing(__name__)


def _kernel_of(name: str) -> Callable[..., Any] | None:
    """The function that a name like `crop_mask` stands for: `crop` for plain tensors that are Masks."""
    for ending, kind in _KINDS.items():
        function = globals().get(name.removesuffix(ending)) if name.endswith(ending) else None
        if callable(function):
            return _for_plain(function, kind, name)
    return None


def _for_plain(function: Callable[..., Any], kind: type, name: str) -> Callable[..., Any]:
    def kernel(inpt: Any, *args: Any, **kwargs: Any) -> Any:
        found = function(inpt.as_subclass(kind) if kind is Mask and is_pure_tensor(inpt) else inpt, *args, **kwargs)
        return found.as_subclass(Tensor) if isinstance(found, TVTensor) and is_pure_tensor(inpt) else found

    kernel.__name__ = kernel.__qualname__ = name
    return kernel


def __getattr__(name: str) -> Any:
    return _kernel_of(name) or _missing(name)

