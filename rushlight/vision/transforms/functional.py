"""What the transforms do: functions of a picture, which is a PIL image or a tensor (..., C, H, W).

Each function checks its arguments as torchvision does, works out sizes and angles, and hands the pixels to `pil` for
PIL images or to `pixels` for tensors. Random draws are the transforms' business: nothing here is random.
"""

from __future__ import annotations

import functools
import math
import numbers
import sys
from collections.abc import Callable, Sequence
from enum import Enum
from importlib import import_module
from typing import Any, TypeVar, cast

import numpy as np

import rushlight
from rushlight.tensor import Tensor, wrap
from rushlight.vision.transforms import pil, pixels

Picture = Any
Function = TypeVar("Function", bound=Callable[..., Any])


class InterpolationMode(Enum):
    """How pixels between pixels are made up."""

    NEAREST = "nearest"
    NEAREST_EXACT = "nearest-exact"
    BILINEAR = "bilinear"
    BICUBIC = "bicubic"
    BOX = "box"
    HAMMING = "hamming"
    LANCZOS = "lanczos"


_PIL_FILTERS = {
    InterpolationMode.NEAREST: 0,
    InterpolationMode.LANCZOS: 1,
    InterpolationMode.BILINEAR: 2,
    InterpolationMode.BICUBIC: 3,
    InterpolationMode.BOX: 4,
    InterpolationMode.HAMMING: 5,
    InterpolationMode.NEAREST_EXACT: 0,
}
_MODES_BY_NUMBER = {0: InterpolationMode.NEAREST} | {
    number: mode for mode, number in _PIL_FILTERS.items() if number != 0
}
_NAMES = {mode.value: mode for mode in InterpolationMode}


def as_mode(interpolation: InterpolationMode | int | str) -> InterpolationMode:
    """The mode for a mode, its name, or PIL's number of it. Raises TypeError for anything else."""
    if isinstance(interpolation, str) and interpolation in _NAMES:
        return _NAMES[interpolation]
    if isinstance(interpolation, InterpolationMode):
        return interpolation
    if isinstance(interpolation, int) and interpolation in _MODES_BY_NUMBER:
        return _MODES_BY_NUMBER[interpolation]
    raise TypeError("Argument interpolation should be a InterpolationMode or a corresponding Pillow integer constant")


def _by_kind(f: Function) -> Function:
    """The function on pictures, that asks masks and boxes (`tv_tensors`) what it does to them."""

    @functools.wraps(f)
    def called(img: Any, *args: Any, **kwargs: Any) -> Any:
        home = getattr(type(img), "_kernels", None)
        if home is None:
            return f(img, *args, **kwargs)
        return import_module(home).kernel(f.__name__, f)(img, *args, **kwargs)

    return cast("Function", called)


def is_pil(picture: Picture) -> bool:
    """Whether the picture is a PIL image. PIL is not imported for that: without it there are none."""
    module = sys.modules.get("PIL.Image")
    return module is not None and isinstance(picture, module.Image)


def _must_be_picture(picture: Picture) -> None:
    if not (is_pil(picture) or isinstance(picture, Tensor)):
        raise TypeError(f"Unexpected type {type(picture)}: a PIL image or a tensor (..., C, H, W) is expected")
    if isinstance(picture, Tensor) and picture.dim() < 2:
        raise TypeError("Tensor is not a torch image: it has fewer than two dimensions.")


@_by_kind
def get_dimensions(img: Picture) -> list[int]:
    """``[channels, height, width]`` of a picture."""
    _must_be_picture(img)
    if is_pil(img):
        return [len(img.getbands()), img.height, img.width]
    return [1 if img.dim() == 2 else img.shape[-3], img.shape[-2], img.shape[-1]]


def get_image_size(img: Picture) -> list[int]:
    """``[width, height]`` of a picture."""
    _, height, width = get_dimensions(img)
    return [width, height]


def get_image_num_channels(img: Picture) -> int:
    """The number of channels of a picture."""
    return get_dimensions(img)[0]


def to_tensor(pic: Any) -> Tensor:
    """A PIL image or array (H, W, C) as a tensor (C, H, W); bytes become floats from 0 to 1.

    Raises:
        TypeError: for anything else. ValueError: for an array that has neither 2 nor 3 dimensions.
    """
    if isinstance(pic, np.ndarray):
        if pic.ndim not in (2, 3):
            raise ValueError(f"pic should be 2/3 dimensional. Got {pic.ndim} dimensions.")
        array = pic
    elif is_pil(pic):
        array = pil.to_array(pic)
    else:
        raise TypeError(f"pic should be PIL Image or ndarray. Got {type(pic)}")
    array = array.reshape(*array.shape[:2], -1).transpose(2, 0, 1)
    if array.dtype == np.uint8:
        return _scaled(array)
    return wrap(np.array(array, order="C"))


def _scaled(array: np.ndarray[Any, Any]) -> Tensor:
    default = rushlight.get_default_dtype()
    if default is not rushlight.float32:
        return wrap(np.array(array, order="C")).to(default).div(255)
    result = np.empty(array.shape, np.float32)
    np.divide(array, np.float32(255), out=result)
    return wrap(result)


def pil_to_tensor(pic: Any) -> Tensor:
    """A PIL image as a tensor (C, H, W) of its own numbers. Raises TypeError for anything else."""
    if not is_pil(pic):
        raise TypeError(f"pic should be PIL Image. Got {type(pic)}")
    array = np.array(pic)
    return wrap(np.array(array.reshape(pic.height, pic.width, -1).transpose(2, 0, 1), order="C"))


def to_pil_image(pic: Tensor | np.ndarray[Any, Any], mode: str | None = None) -> Any:
    """A tensor (C, H, W) or array (H, W, C) as a PIL image; floats from 0 to 1 become bytes.

    Raises:
        TypeError: for anything else, or a dtype PIL has no mode for. ValueError: for other shapes, and modes that do
            not fit.
    """
    if isinstance(pic, Tensor):
        tensor = pic.detach().cpu()
        array = tensor.permute(1, 2, 0).numpy() if tensor.dim() == 3 else tensor.numpy()
    elif isinstance(pic, np.ndarray):
        array = pic
    else:
        raise TypeError(f"pic should be Tensor or ndarray. Got {type(pic)}.")
    if array.ndim == 2:
        array = array[:, :, None]
    if array.ndim != 3:
        raise ValueError(f"pic should be 2/3 dimensional. Got {array.ndim} dimensions.")
    if array.shape[-1] > 4:
        raise ValueError(f"pic should not have > 4 channels. Got {array.shape[-1]} channels.")
    if array.dtype.kind == "f" and mode != "F":
        array = pixels.to_bytes(array)
    return pil.from_array(np.ascontiguousarray(array), mode)


def convert_image_dtype(image: Tensor, dtype: Any = None) -> Tensor:
    """The picture in another dtype, its values scaled from the range of the one to that of the other.

    Raises:
        TypeError: for PIL images. RuntimeError: for float to integer where the floats are too coarse.
    """
    if not isinstance(image, Tensor):
        raise TypeError("Input img should be Tensor Image")
    return pixels.convert_dtype(image, rushlight.float if dtype is None else dtype)


@_by_kind
def normalize(tensor: Tensor, mean: Sequence[float], std: Sequence[float], inplace: bool = False) -> Tensor:
    """``(tensor - mean) / std`` for each channel of a float picture (..., C, H, W).

    Raises:
        TypeError: for anything but a float tensor of a picture. ValueError: two dimensions, or a ``std`` of zero.
    """
    if not isinstance(tensor, Tensor):
        raise TypeError(f"img should be Tensor Image. Got {type(tensor)}")
    if not tensor.is_floating_point():
        raise TypeError(f"Input tensor should be a float tensor. Got {tensor.dtype}.")
    if tensor.dim() < 2:
        raise TypeError("Tensor is not a torch image.")
    if tensor.dim() < 3:
        raise ValueError(
            f"Expected tensor to be a tensor image of size (..., C, H, W). Got tensor.size() = {tensor.size()}"
        )
    means, deviations = (
        rushlight.as_tensor(values, dtype=tensor.dtype, device=tensor.device) for values in (mean, std)
    )
    if bool((deviations == 0).any()):
        raise ValueError(f"std evaluated to zero after conversion to {tensor.dtype}, leading to division by zero.")
    result = tensor if inplace else tensor.clone()
    return result.sub_(_per_channel(means)).div_(_per_channel(deviations))


def _per_channel(values: Any) -> Any:
    return values.view(-1, 1, 1) if values.dim() == 1 else values


@_by_kind
def resize(
    img: Picture,
    size: int | Sequence[int] | None,
    interpolation: InterpolationMode | int = InterpolationMode.BILINEAR,
    max_size: int | None = None,
    antialias: bool | None = True,
) -> Picture:
    """The picture at another size.

    Args:
        size: ``(height, width)``, or one number for the shorter edge.
        max_size: with one number: the most the longer edge may get.
        antialias: for tensors; PIL images are always smoothed when they are made smaller.

    Raises:
        TypeError, ValueError: for sizes that are none.
    """
    mode = as_mode(interpolation)
    _, height, width = get_dimensions(img)
    target = resized_size(img, size, max_size)
    if target == (height, width):
        return img
    if is_pil(img):
        return img.resize(target[::-1], _PIL_FILTERS[mode])
    return pixels.resize(img, target, mode.value, bool(antialias))


def resized_size(img: Picture, size: int | Sequence[int] | None, max_size: int | None = None) -> tuple[int, int]:
    """The (height, width) that `resize` makes of the picture. Raises ValueError for sizes that are none."""
    _, height, width = get_dimensions(img)
    return resized_canvas(height, width, size, max_size)


def resized_canvas(
    height: int, width: int, size: int | Sequence[int] | None, max_size: int | None = None
) -> tuple[int, int]:
    """The (height, width) that `resize` makes of another. With None for the size, the longer edge is ``max_size``."""
    if size is None:
        if max_size is None:
            raise ValueError("size and max_size can't be both None")
        scaled = int(max_size * min(height, width) / max(height, width))
        return (max_size, scaled) if width <= height else (scaled, max_size)
    sizes = [size] if isinstance(size, int) else list(size)
    if len(sizes) not in (1, 2):
        raise ValueError(f"Size must be an int or a 1 or 2 element tuple/list, not a {len(sizes)} element tuple/list")
    if max_size is not None and len(sizes) != 1:
        raise ValueError(
            "max_size should only be passed if size specifies the length of the smaller edge, "
            "i.e. size should be an int or a sequence of length 1."
        )
    return _resized(height, width, sizes, max_size)


def _resized(height: int, width: int, size: Sequence[int], max_size: int | None) -> tuple[int, int]:
    if len(size) == 2:
        return size[0], size[1]
    short, long = min(height, width), max(height, width)
    wanted = size[0]
    new_short, new_long = wanted, int(wanted * long / short)
    if max_size is not None:
        if max_size <= wanted:
            raise ValueError(
                f"max_size = {max_size} must be strictly greater than the requested "
                f"size for the smaller edge size = {size}"
            )
        if new_long > max_size:
            new_short, new_long = int(max_size * new_short / new_long), max_size
    return (new_long, new_short) if width <= height else (new_short, new_long)


@_by_kind
def crop(img: Picture, top: int, left: int, height: int, width: int) -> Picture:
    """The part of the picture with this upper left corner and size; zeros where it reaches outside."""
    _must_be_picture(img)
    if is_pil(img):
        return img.crop((left, top, left + width, top + height))
    return pixels.crop(img, top, left, height, width)


@_by_kind
def center_crop(img: Picture, output_size: int | Sequence[int]) -> Picture:
    """The middle of the picture, of ``(height, width)``; a smaller picture is padded with zeros."""
    height, width = as_pair(output_size)
    _, have_height, have_width = get_dimensions(img)
    if width > have_width or height > have_height:
        extra_w, extra_h = max(width - have_width, 0), max(height - have_height, 0)
        img = pad(img, [extra_w // 2, extra_h // 2, (extra_w + 1) // 2, (extra_h + 1) // 2], fill=0)
        _, have_height, have_width = get_dimensions(img)
    top = int(round((have_height - height) / 2.0))
    left = int(round((have_width - width) / 2.0))
    return crop(img, top, left, height, width)


def as_pair(size: int | Sequence[int]) -> tuple[int, int]:
    """``(height, width)`` of one number, for a square, or two."""
    if isinstance(size, int | float):
        return int(size), int(size)
    if len(size) == 1:
        return size[0], size[0]
    if len(size) != 2:
        raise ValueError("Please provide only two dimensions (h, w) for size.")
    return size[0], size[1]


@_by_kind
def resized_crop(
    img: Picture,
    top: int,
    left: int,
    height: int,
    width: int,
    size: Sequence[int],
    interpolation: InterpolationMode | int = InterpolationMode.BILINEAR,
    antialias: bool | None = True,
) -> Picture:
    """`crop`, then `resize`."""
    return resize(crop(img, top, left, height, width), size, interpolation, antialias=antialias)


@_by_kind
def hflip(img: Picture) -> Picture:
    """The picture's left and right exchanged."""
    _must_be_picture(img)
    return img.transpose(pil.FLIP_LEFT_RIGHT) if is_pil(img) else img.flip(-1)


@_by_kind
def vflip(img: Picture) -> Picture:
    """The picture's top and bottom exchanged."""
    _must_be_picture(img)
    return img.transpose(pil.FLIP_TOP_BOTTOM) if is_pil(img) else img.flip(-2)


@_by_kind
def pad(
    img: Picture,
    padding: int | Sequence[int],
    fill: float | Sequence[float] | None = 0,
    padding_mode: str = "constant",
) -> Picture:
    """The picture with a border.

    Args:
        padding: one number for all sides, ``(left and right, top and bottom)``, or ``(left, top, right, bottom)``.
        fill: the border's value, or one for each channel of a PIL image.
        padding_mode: ``constant``, ``edge``, ``reflect`` or ``symmetric``.

    Raises:
        TypeError, ValueError: for arguments that are not of these forms.
    """
    _must_be_picture(img)
    if not isinstance(padding, numbers.Number | tuple | list):
        raise TypeError("Got inappropriate padding arg")
    fill = 0 if fill is None else fill
    allowed = numbers.Number if isinstance(img, Tensor) else numbers.Number | tuple | list
    if not isinstance(fill, allowed):
        raise TypeError("Got inappropriate fill arg")
    if padding_mode not in ("constant", "edge", "reflect", "symmetric"):
        raise ValueError("Padding mode should be either constant, edge, reflect or symmetric")
    sides = four_sides(padding)
    if is_pil(img):
        return pil.pad(img, sides, fill, padding_mode)
    return pixels.pad(img, sides, fill, padding_mode)


def four_sides(padding: Any) -> tuple[int, int, int, int]:
    """(left, top, right, bottom)."""
    values: list[int] = [padding] if isinstance(padding, numbers.Number) else list(padding)  # type: ignore[list-item]
    if len(values) not in (1, 2, 4):
        raise ValueError(f"Padding must be an int or a 1, 2, or 4 element tuple, not a {len(values)} element tuple")
    left, top, right, bottom = (values * 4)[:4] if len(values) < 4 else values
    return left, top, right, bottom


def five_crop(img: Picture, size: int | Sequence[int]) -> tuple[Picture, Picture, Picture, Picture, Picture]:
    """The four corners (upper left, upper right, lower left, lower right) and the middle, each of ``size``."""
    height, width = as_pair(size)
    _, have_height, have_width = get_dimensions(img)
    if width > have_width or height > have_height:
        raise ValueError(f"Requested crop size {(height, width)} is bigger than input size {(have_height, have_width)}")
    bottom, right = have_height - height, have_width - width
    corners = [crop(img, top, left, height, width) for top in (0, bottom) for left in (0, right)]
    return (*corners, center_crop(img, [height, width]))  # type: ignore[return-value]


def ten_crop(img: Picture, size: int | Sequence[int], vertical_flip: bool = False) -> tuple[Picture, ...]:
    """`five_crop` of the picture and of its mirror image."""
    flipped = vflip(img) if vertical_flip else hflip(img)
    return five_crop(img, size) + five_crop(flipped, size)


def to_grayscale(img: Any, num_output_channels: int = 1) -> Any:
    """A PIL image without colours, in 1 or 3 equal channels. TypeError for tensors: see `rgb_to_grayscale`."""
    if not is_pil(img):
        raise TypeError("Input should be PIL Image")
    return rgb_to_grayscale(img, num_output_channels)


@_by_kind
def rgb_to_grayscale(img: Picture, num_output_channels: int = 1) -> Picture:
    """The picture without colours (ITU-R 601-2 luma), in 1 or 3 equal channels."""
    if num_output_channels not in (1, 3):
        raise ValueError("num_output_channels should be either 1 or 3")
    _must_be_picture(img)
    if is_pil(img):
        return pil.to_grey(img, num_output_channels)
    return pixels.to_grey(img, num_output_channels)


@_by_kind
def adjust_brightness(img: Picture, brightness_factor: float) -> Picture:
    """Brighter (above 1) or darker (0 is black). Raises ValueError for a negative factor."""
    return _enhance(img, brightness_factor, "brightness")


@_by_kind
def adjust_contrast(img: Picture, contrast_factor: float) -> Picture:
    """More contrast (above 1) or less (0 is one grey). Raises ValueError for a negative factor."""
    return _enhance(img, contrast_factor, "contrast")


@_by_kind
def adjust_saturation(img: Picture, saturation_factor: float) -> Picture:
    """More colour (above 1) or less (0 is grey). Raises ValueError for a negative factor."""
    return _enhance(img, saturation_factor, "saturation")


@_by_kind
def adjust_sharpness(img: Picture, sharpness_factor: float) -> Picture:
    """Sharper (above 1) or smoother (0). Raises ValueError for a negative factor."""
    return _enhance(img, sharpness_factor, "sharpness")


def _enhance(img: Picture, factor: float, what: str) -> Picture:
    _must_be_picture(img)
    if is_pil(img):
        return pil.enhance(img, what, factor)
    if factor < 0:
        raise ValueError(f"{what}_factor ({factor}) is not non-negative.")
    return pixels.ENHANCERS[what](img, factor)


@_by_kind
def adjust_hue(img: Picture, hue_factor: float) -> Picture:
    """The colours turned by ``hue_factor`` of the circle, from -0.5 to 0.5. Raises ValueError outside of that."""
    _must_be_picture(img)
    if not -0.5 <= hue_factor <= 0.5:
        raise ValueError(f"hue_factor ({hue_factor}) is not in [-0.5, 0.5].")
    return pil.shift_hue(img, hue_factor) if is_pil(img) else pixels.shift_hue(img, hue_factor)


@_by_kind
def adjust_gamma(img: Picture, gamma: float, gain: float = 1) -> Picture:
    """``gain * value ** gamma``, for values from 0 to 1. Raises ValueError for a negative gamma."""
    _must_be_picture(img)
    if gamma < 0:
        raise ValueError("Gamma should be a non-negative real number")
    return pil.gamma(img, gamma, gain) if is_pil(img) else pixels.gamma(img, gamma, gain)


@_by_kind
def invert(img: Picture) -> Picture:
    """The negative of the picture."""
    _must_be_picture(img)
    return pil.operation("invert")(img) if is_pil(img) else pixels.invert(img)


@_by_kind
def posterize(img: Picture, bits: int) -> Picture:
    """Only the ``bits`` highest bits of each byte. Raises ValueError for other numbers than 0 to 8."""
    if not 0 <= bits <= 8:
        raise ValueError(f"The number if bits should be between 0 and 8. Got {bits}")
    _must_be_picture(img)
    return pil.operation("posterize")(img, bits) if is_pil(img) else pixels.posterize(img, bits)


@_by_kind
def solarize(img: Picture, threshold: float) -> Picture:
    """The values from ``threshold`` on inverted."""
    _must_be_picture(img)
    return pil.operation("solarize")(img, threshold) if is_pil(img) else pixels.solarize(img, threshold)


@_by_kind
def autocontrast(img: Picture) -> Picture:
    """Each channel stretched to the whole range."""
    _must_be_picture(img)
    return pil.operation("autocontrast")(img) if is_pil(img) else pixels.autocontrast(img)


@_by_kind
def equalize(img: Picture) -> Picture:
    """Each channel's histogram made flat. Tensors are of bytes."""
    _must_be_picture(img)
    return pil.operation("equalize")(img) if is_pil(img) else pixels.equalize(img)


@_by_kind
def gaussian_blur(img: Picture, kernel_size: int | Sequence[int], sigma: Any = None) -> Picture:
    """The picture smoothed by a bell curve.

    Args:
        kernel_size: width of the curve's window in pixels, odd; one number or ``(x, y)``.
        sigma: the curve's standard deviation; ``0.15 * kernel_size + 0.35`` by default.

    Raises:
        TypeError, ValueError: for sizes that are not odd and positive, or sigmas that are not positive.
    """
    if not isinstance(kernel_size, int | list | tuple):
        raise TypeError(f"kernel_size should be int or a sequence of integers. Got {type(kernel_size)}")
    sizes = [kernel_size, kernel_size] if isinstance(kernel_size, int) else list(kernel_size)
    if len(sizes) != 2:
        raise ValueError(f"If kernel_size is a sequence its length should be 2. Got {len(sizes)}")
    if any(size % 2 == 0 or size < 0 for size in sizes):
        raise ValueError(f"kernel_size should have odd and positive integers. Got {sizes}")
    sigmas = _two_sigmas(sigma, sizes)
    _must_be_picture(img)
    if is_pil(img):
        return to_pil_image(pixels.gaussian_blur(pil_to_tensor(img), sizes, sigmas), mode=img.mode)
    return pixels.gaussian_blur(img, sizes, sigmas)


def _two_sigmas(sigma: Any, sizes: Sequence[int]) -> list[float]:
    sigmas = [size * 0.15 + 0.35 for size in sizes] if sigma is None else sigma
    if not isinstance(sigmas, int | float | list | tuple):
        raise TypeError(f"sigma should be either float or sequence of floats. Got {type(sigmas)}")
    values = [float(sigmas)] * 2 if isinstance(sigmas, int | float) else list(sigmas)
    values = values * 2 if len(values) == 1 else values
    if len(values) != 2:
        raise ValueError(f"If sigma is a sequence, its length should be 2. Got {len(values)}")
    if any(value <= 0.0 for value in values):
        raise ValueError(f"sigma should have positive values. Got {values}")
    return values


@_by_kind
def rotate(
    img: Picture,
    angle: float,
    interpolation: InterpolationMode | int = InterpolationMode.NEAREST,
    expand: bool = False,
    center: Sequence[int] | None = None,
    fill: Any = None,
) -> Picture:
    """The picture turned counter-clockwise.

    Args:
        angle: in degrees.
        expand: make the result large enough for the whole turned picture.
        center: ``(x, y)`` to turn about; the middle by default. Not used by ``expand``.
        fill: the value outside the picture, or one for each channel; 0 by default.
    """
    mode = as_mode(interpolation)
    if not isinstance(angle, int | float):
        raise TypeError("Argument angle should be int or float")
    if center is not None and not isinstance(center, list | tuple):
        raise TypeError("Argument center should be a sequence")
    _, height, width = get_dimensions(img)
    if is_pil(img):
        return img.rotate(angle, _PIL_FILTERS[mode], expand, center, fillcolor=pil.fill_of(img, fill))
    offset = [0.0, 0.0] if center is None else [center[0] - width * 0.5, center[1] - height * 0.5]
    # The grid looks up where each pixel came from: the turn is undone, hence the other sign.
    matrix = _inverse_affine_matrix(offset, -angle, [0.0, 0.0], 1.0, [0.0, 0.0])
    return pixels.rotate(img, matrix, mode.value, expand, fill)


@_by_kind
def affine(
    img: Picture,
    angle: float,
    translate: Sequence[int],
    scale: float,
    shear: float | Sequence[float],
    interpolation: InterpolationMode | int = InterpolationMode.NEAREST,
    fill: Any = None,
    center: Sequence[int] | None = None,
) -> Picture:
    """The picture turned, moved, scaled and sheared, about its middle or ``center``.

    Args:
        angle: in degrees, clockwise.
        translate: ``(x, y)`` pixels.
        scale: positive.
        shear: degrees along x, or ``(x, y)``.

    Raises:
        TypeError, ValueError: for arguments that are not of these forms.
    """
    mode = as_mode(interpolation)
    shears = _checked_affine(angle, translate, scale, shear)
    _, height, width = get_dimensions(img)
    if is_pil(img):
        # PIL counts from pixels' corners: a whole pixel's middle is half a pixel further.
        middle = [width * 0.5, height * 0.5] if center is None else list(center)
        matrix = _inverse_affine_matrix(middle, angle, list(translate), scale, shears)
        return img.transform((width, height), pil.AFFINE, matrix, _PIL_FILTERS[mode], fillcolor=pil.fill_of(img, fill))
    offset = [0.0, 0.0] if center is None else [center[0] - width * 0.5, center[1] - height * 0.5]
    matrix = _inverse_affine_matrix(offset, angle, [1.0 * shift for shift in translate], scale, shears)
    return pixels.affine(img, matrix, mode.value, fill)


def _checked_affine(angle: Any, translate: Any, scale: float, shear: Any) -> list[float]:
    if not isinstance(angle, int | float):
        raise TypeError("Argument angle should be int or float")
    if not isinstance(translate, list | tuple):
        raise TypeError("Argument translate should be a sequence")
    if len(translate) != 2:
        raise ValueError("Argument translate should be a sequence of length 2")
    if scale <= 0.0:
        raise ValueError("Argument scale should be positive")
    if not isinstance(shear, numbers.Number | list | tuple):
        raise TypeError("Shear should be either a single value or a sequence of two values")
    shears: list[float] = [shear, 0.0] if isinstance(shear, numbers.Number) else list(shear)  # type: ignore[list-item]
    shears = shears * 2 if len(shears) == 1 else shears
    if len(shears) != 2:
        raise ValueError(f"Shear should be a sequence containing two values. Got {shear}")
    return shears


def _inverse_affine_matrix(
    center: Sequence[float], angle: float, translate: Sequence[float], scale: float, shear: Sequence[float]
) -> list[float]:
    """The first two rows of the matrix from output to input pixels.

    The picture is sheared along x, then along y, turned and scaled about its center, then moved; what is looked up is
    the inverse. The turn and the shears have determinant 1, so that their inverse needs no division. The order of the
    operations is torchvision's, to the last bit.
    """
    turn, lean_x, lean_y = (math.radians(value) for value in (angle, shear[0], shear[1]))
    cosine, sine, down = math.cos(turn - lean_y), math.sin(turn - lean_y), math.cos(lean_y)
    a = cosine / down
    b = -cosine * math.tan(lean_x) / down - math.sin(turn)
    c = sine / down
    d = -sine * math.tan(lean_x) / down + math.cos(turn)
    back_x, back_y = -center[0] - translate[0], -center[1] - translate[1]
    matrix: list[float] = []
    for x, y, middle in ((d / scale, -b / scale, center[0]), (-c / scale, a / scale, center[1])):
        matrix += [x, y, x * back_x + y * back_y + middle]
    return matrix


@_by_kind
def perspective(
    img: Picture,
    startpoints: Sequence[Sequence[int]],
    endpoints: Sequence[Sequence[int]],
    interpolation: InterpolationMode | int = InterpolationMode.BILINEAR,
    fill: Any = None,
) -> Picture:
    """The picture bent so that four points ``(x, y)``, the corners in order, come to lie on four others."""
    mode = as_mode(interpolation)
    _must_be_picture(img)
    coefficients = _perspective_coefficients(startpoints, endpoints)
    if is_pil(img):
        return img.transform(
            img.size, pil.PERSPECTIVE, coefficients, _PIL_FILTERS[mode], fillcolor=pil.fill_of(img, fill)
        )
    return pixels.perspective(img, coefficients, mode.value, fill)


def _perspective_coefficients(startpoints: Sequence[Sequence[int]], endpoints: Sequence[Sequence[int]]) -> list[float]:
    """The a to h of x' = (ax + by + c) / (gx + hy + 1), y' = (dx + ey + f) / (gx + hy + 1), from end to start."""
    if len(startpoints) != 4 or len(endpoints) != 4:
        raise ValueError(f"Please provide exactly four corners, got {len(startpoints)} and {len(endpoints)}.")
    rows, values = [], []
    for (x, y), (to_x, to_y) in zip(endpoints, startpoints, strict=True):
        rows.append([x, y, 1, 0, 0, 0, -to_x * x, -to_x * y])
        rows.append([0, 0, 0, x, y, 1, -to_y * x, -to_y * y])
        values += [to_x, to_y]
    solution = np.linalg.lstsq(np.array(rows, np.float64), np.array(values, np.float64), rcond=None)[0]
    return [float(value) for value in solution.astype(np.float32)]


@_by_kind
def erase(img: Picture, i: int, j: int, h: int, w: int, v: Tensor, inplace: bool = False) -> Picture:
    """A tensor picture with the rectangle at ``(i, j)`` of size ``(h, w)`` overwritten by ``v``."""
    _must_be_picture(img)
    if not isinstance(img, Tensor):
        raise TypeError("erase takes a tensor: convert the PIL image with to_tensor or pil_to_tensor")
    result = img if inplace else img.clone()
    result[..., i : i + h, j : j + w] = v
    return result


@_by_kind
def elastic_transform(
    img: Picture,
    displacement: Tensor,
    interpolation: InterpolationMode | int = InterpolationMode.BILINEAR,
    fill: Any = None,
) -> Picture:
    """The picture with each pixel moved by ``displacement`` (1, H, W, 2), in half widths and heights."""
    mode = as_mode(interpolation)
    if not isinstance(displacement, Tensor):
        raise TypeError("Argument displacement should be a Tensor")
    _, height, width = get_dimensions(img)
    expected = (1, height, width, 2)
    if tuple(displacement.shape) != expected:
        raise ValueError(f"Argument displacement shape should be {expected}, but given {displacement.shape}")
    tensor = pil_to_tensor(img) if is_pil(img) else img
    moved = pixels.elastic(tensor, displacement, mode.value, fill)
    return to_pil_image(moved, mode=img.mode) if is_pil(img) else moved
