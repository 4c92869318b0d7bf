"""The transforms of PIL images. PIL is imported when the first image comes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
Sides = tuple[int, int, int, int]

# PIL.Image.Transpose and PIL.Image.Transform
FLIP_LEFT_RIGHT = 0
FLIP_TOP_BOTTOM = 1
AFFINE = 0
PERSPECTIVE = 2

_ARRAY_TYPES: dict[str, Any] = {"I": np.int32, "I;16": np.int16, "F": np.float32}
_MODES_OF_ONE_CHANNEL = {"|u1": "L", "<i2": "I;16", "<i4": "I", "<f4": "F"}
_MODES = {2: ("LA",), 3: ("RGB", "YCbCr", "HSV"), 4: ("RGBA", "CMYK", "RGBX")}
_COLOURLESS = ("L", "1", "I", "F")


def to_array(image: Any) -> Array:
    """The image's numbers, (H, W) or (H, W, C); black and white as 0 and 255."""
    array = np.array(image, _ARRAY_TYPES.get(image.mode, np.uint8), copy=True)
    return array * np.uint8(255) if image.mode == "1" else array


def from_array(array: Array, mode: str | None) -> Any:
    """The image of an array (H, W, C). Raises TypeError, ValueError where the array does not fit the mode, or any."""
    from PIL import Image

    channels = array.shape[-1]
    if channels == 1:
        found = _MODES_OF_ONE_CHANNEL.get(array.dtype.str)
        if found is None and mode is None:
            raise TypeError(f"Input type {array.dtype} is not supported")
        if mode is not None and mode != found:
            raise ValueError(f"Incorrect mode ({mode}) supplied for input type {array.dtype}. Should be {found}")
        if found == "I;16":
            return _from_bytes(array, found)
        return Image.fromarray(array[:, :, 0])
    allowed = _MODES[channels]
    if mode is not None and mode not in allowed:
        raise ValueError(f"Only modes {list(allowed)} are supported for {channels}D inputs")
    if array.dtype != np.uint8:
        raise TypeError(f"Input type {array.dtype} is not supported")
    return _from_bytes(array, mode or allowed[0])


def _from_bytes(array: Array, mode: str) -> Any:
    from PIL import Image

    return Image.frombytes(mode, (array.shape[1], array.shape[0]), array.tobytes())


def fill_of(image: Any, fill: Any) -> Any:
    """The colour for ``fill``: a number, or one for each channel. Raises ValueError where their count does not fit."""
    channels = len(image.getbands())
    fill = 0 if fill is None else fill
    if isinstance(fill, int | float):
        fill = (fill,) * channels if channels > 1 else fill
    elif len(fill) == 1:
        fill = tuple(fill) * channels
    elif len(fill) != channels:
        raise ValueError(
            "The number of elements in 'fill' does not match the number of channels of the image "
            f"({len(fill)} != {channels})"
        )
    if isinstance(fill, list | tuple):
        fill = tuple(fill) if image.mode == "F" else tuple(int(value) for value in fill)
        return fill if channels > 1 else fill[0]
    return fill if image.mode == "F" else int(fill)


def pad(image: Any, sides: Sides, fill: Any, mode: str) -> Any:
    """The image with a border of (left, top, right, bottom) pixels; a negative number cuts."""
    if mode == "constant":
        from PIL import ImageOps

        padded = ImageOps.expand(image, border=sides, fill=fill_of(image, fill))
    else:
        padded = _pad_by_pixels(image, sides, mode)
    if image.mode == "P":
        padded.putpalette(image.getpalette())
    return padded


def _pad_by_pixels(image: Any, sides: Sides, mode: str) -> Any:
    from PIL import Image

    left, top, right, bottom = sides
    cut = [max(-side, 0) for side in sides]
    if any(cut):
        image = image.crop((cut[0], cut[1], image.width - cut[2], image.height - cut[3]))
    left, top, right, bottom = (max(side, 0) for side in sides)
    array = np.asarray(image)
    widths = ((top, bottom), (left, right), (0, 0))[: array.ndim]
    result = np.pad(array, widths, mode=mode)  # type: ignore[call-overload]
    return Image.fromarray(result)


def to_grey(image: Any, channels: int) -> Any:
    """Without colours, in 1 or 3 channels."""
    grey = image.convert("L")
    return grey if channels == 1 else grey.convert("RGB")


def enhance(image: Any, what: str, factor: float) -> Any:
    """Brightness, contrast, saturation or sharpness times ``factor``."""
    from PIL import ImageEnhance

    kinds: dict[str, Any] = {
        "brightness": ImageEnhance.Brightness,
        "contrast": ImageEnhance.Contrast,
        "saturation": ImageEnhance.Color,
        "sharpness": ImageEnhance.Sharpness,
    }
    return kinds[what](image).enhance(factor)


def shift_hue(image: Any, factor: float) -> Any:
    """The colours turned by ``factor`` of the circle."""
    from PIL import Image

    if image.mode in _COLOURLESS:
        return image
    hue, saturation, value = image.convert("HSV").split()
    turned = np.array(hue, np.uint8) + np.int32(factor * 255).astype(np.uint8)  # on a circle of 256
    return Image.merge("HSV", (Image.fromarray(turned), saturation, value)).convert(image.mode)


def gamma(image: Any, exponent: float, gain: float) -> Any:
    """``gain * value ** exponent``."""
    table = [int((255 + 1 - 1e-3) * gain * (value / 255.0) ** exponent) for value in range(256)]
    return image.convert("RGB").point(table * 3).convert(image.mode)


def operation(name: str) -> Callable[..., Any]:
    """A function of PIL.ImageOps."""
    from PIL import ImageOps

    function: Callable[..., Any] = getattr(ImageOps, name)
    return function
