"""The transforms of tensor pictures (..., C, H, W).

Values are integers over the range of their dtype, or floats from 0 to 1. Where the arithmetic needs floats, integers
are converted, computed with, rounded and converted back (`_as_float_batch`, `_as_before`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

import rushlight
from rushlight.tensor import Tensor, wrap

_LARGEST = {
    "uint8": 255,
    "int8": 127,
    "int16": 32767,
    "uint16": 65535,
    "int32": 2147483647,
    "int64": 9223372036854775807,
}


def largest_value(dtype: Any) -> int:
    """White: the largest integer of the dtype; 1 for floats."""
    return _LARGEST.get(str(dtype).rpartition(".")[2], 1)


def to_bytes(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Floats from 0 to 1 as bytes, cut off; what lies outside wraps around as a conversion in C does."""
    scaled = array * 255
    finite = np.where(np.isfinite(scaled), scaled, 0)
    return finite.astype(np.int64).astype(np.uint8)


def convert_dtype(image: Tensor, dtype: Any) -> Tensor:
    """The values in another dtype, scaled to its range."""
    if image.dtype == dtype:
        return image
    if image.is_floating_point():
        return _from_float(image, dtype)
    have = float(largest_value(image.dtype))
    if dtype.is_floating_point:
        return image.to(dtype) / have
    want = float(largest_value(dtype))
    if have > want:
        return rushlight.div(image, int((have + 1) // (want + 1)), rounding_mode="floor").to(dtype)
    return image.to(dtype) * int((want + 1) // (have + 1))


def _from_float(image: Tensor, dtype: Any) -> Tensor:
    if dtype.is_floating_point:
        return image.to(dtype)
    too_fine = (rushlight.int32, rushlight.int64) if image.dtype == rushlight.float32 else (rushlight.int64,)
    if dtype in too_fine:
        raise RuntimeError(f"The cast from {image.dtype} to {dtype} cannot be performed safely.")
    # Just below the next integer, so that each value gets an equal share of the interval.
    return image.mul(float(largest_value(dtype)) + 1.0 - 1e-3).to(dtype)


def _as_float_batch(image: Tensor, keep: Sequence[Any] = ()) -> Tensor:
    """(N, C, H, W) of floats: leading dimensions folded into one, integers converted (dtypes in ``keep`` stay)."""
    batch = image.reshape(-1, *image.shape[-3:]) if image.dim() != 4 else image
    return batch if batch.is_floating_point() or batch.dtype in keep else batch.to(rushlight.float32)


def _as_before(batch: Tensor, image: Tensor) -> Tensor:
    """The result with the leading dimensions and the dtype of the original; integers rounded."""
    if batch.dtype != image.dtype:
        batch = (rushlight.round(batch) if image.dtype in _ROUNDED else batch).to(image.dtype)
    return batch.reshape(*image.shape[:-3], *batch.shape[-3:])


_ROUNDED = (rushlight.uint8, rushlight.int8, rushlight.int16, rushlight.int32, rushlight.int64)


def _with_channels(image: Tensor) -> Tensor:
    return image.unsqueeze(0) if image.dim() == 2 else image


def resize(image: Tensor, size: tuple[int, int], mode: str, antialias: bool) -> Tensor:
    """The picture at ``(height, width)``."""
    if mode not in ("nearest", "nearest-exact", "bilinear", "bicubic"):
        raise ValueError("This interpolation mode is unsupported with Tensor input")
    smooth = mode in ("bilinear", "bicubic")
    batch = _as_float_batch(image)
    result = rushlight.nn.functional.interpolate(
        batch, size=size, mode=mode, align_corners=False if smooth else None, antialias=antialias and smooth
    )
    if mode == "bicubic" and image.dtype == rushlight.uint8:
        result = result.clamp(min=0, max=255)
    return _as_before(result, image)


def crop(image: Tensor, top: int, left: int, height: int, width: int) -> Tensor:
    """The rectangle; zeros where it lies outside."""
    have_height, have_width = image.shape[-2:]
    bottom, right = top + height, left + width
    part = image[..., max(top, 0) : max(bottom, 0), max(left, 0) : max(right, 0)]
    if top >= 0 and left >= 0 and bottom <= have_height and right <= have_width:
        return part
    outside = (
        max(min(right, 0) - left, 0),
        max(min(bottom, 0) - top, 0),
        max(right - max(have_width, left), 0),
        max(bottom - max(have_height, top), 0),
    )
    return pad(part, outside, 0, "constant")


def pad(image: Tensor, sides: tuple[int, int, int, int], fill: Any, mode: str) -> Tensor:
    """A border of (left, top, right, bottom) pixels; with ``constant`` a negative number cuts."""
    left, top, right, bottom = sides
    if mode == "symmetric":
        return _pad_symmetric(image, sides)
    if mode == "constant":
        return _pad_constant(image, sides, fill)
    batch = _as_float_batch(image)
    padded = rushlight.nn.functional.pad(batch, (left, right, top, bottom), mode={"edge": "replicate"}.get(mode, mode))
    return _as_before(padded, image)


def _pad_constant(image: Tensor, sides: tuple[int, int, int, int], fill: Any) -> Tensor:
    left, top, right, bottom = sides
    value = float(fill) if image.is_floating_point() else int(fill)
    return rushlight.nn.functional.pad(image, (left, right, top, bottom), value=value)


def _pad_symmetric(image: Tensor, sides: tuple[int, int, int, int]) -> Tensor:
    left, top, right, bottom = sides
    height, width = image.shape[-2:]
    if min(sides) < 0:
        cut_left, cut_top, cut_right, cut_bottom = (max(-side, 0) for side in sides)
        image = image[..., cut_top : height - cut_bottom, cut_left : width - cut_right]
        return _pad_symmetric(image, (max(left, 0), max(top, 0), max(right, 0), max(bottom, 0)))
    rows, columns = (
        wrap(np.pad(np.arange(size), widths, mode="symmetric"))
        for size, widths in ((height, (top, bottom)), (width, (left, right)))
    )
    return image[..., rows[:, None], columns[None, :]]


def to_grey(image: Tensor, channels: int = 1) -> Tensor:
    """Without colours, in 1 or 3 channels; a picture of one channel stays as it is."""
    need_colours(image)
    if image.shape[-3] == 1:
        return image.clone()
    red, green, blue = image.unbind(-3)
    grey = (0.2989 * red + 0.587 * green + 0.114 * blue).to(image.dtype).unsqueeze(-3)
    return grey.expand(*image.shape[:-3], channels, *image.shape[-2:])


def need_colours(image: Tensor) -> None:
    """Raises TypeError for a tensor that is no picture of one or three channels (..., C, H, W)."""
    if image.dim() < 3:
        raise TypeError(f"Input image tensor should have at least 3 dimensions, but found {image.dim()}")
    _need_channels(image)


def _need_channels(image: Tensor, allowed: Sequence[int] = (1, 3)) -> None:
    channels = image.shape[-3] if image.dim() > 2 else 1
    if channels not in allowed:
        raise TypeError(f"Input image tensor permitted channel values are {list(allowed)}, but found {channels}")


def _blend(image: Tensor, other: Any, factor: float) -> Tensor:
    factor = float(factor)  # an integer would wrap around in bytes
    mixed = factor * image + (1.0 - factor) * other
    return mixed.clamp(0, largest_value(image.dtype)).to(image.dtype)


def brightness(image: Tensor, factor: float) -> Tensor:
    """Mixed with black."""
    _need_channels(image)
    return _blend(image, rushlight.zeros_like(image), factor)


def contrast(image: Tensor, factor: float) -> Tensor:
    """Mixed with its mean grey."""
    _need_channels(image)
    dtype = image.dtype if image.is_floating_point() else rushlight.float32
    mean = to_grey(image).to(dtype).mean(dim=(-3, -2, -1), keepdim=True)
    return _blend(image, mean, factor)


def saturation(image: Tensor, factor: float) -> Tensor:
    """Mixed with its grey version."""
    _need_channels(image)
    return image if image.shape[-3] == 1 else _blend(image, to_grey(image), factor)


def sharpness(image: Tensor, factor: float) -> Tensor:
    """Mixed with a smoothed version."""
    _need_channels(image)
    if min(image.shape[-2:]) <= 2:
        return image
    return _blend(image, smoothed(image), factor)


def smoothed(image: Tensor) -> Tensor:
    """Each inner pixel the mean of itself (weight 5) and its eight neighbours; the rim as it was."""
    batch = _as_float_batch(image)
    channels = batch.shape[1]
    weights = np.ones((channels, 1, 3, 3), np.float32)
    weights[:, :, 1, 1] = 5.0
    kernel = wrap(weights).to(batch.dtype) / 13
    inner = rushlight.nn.functional.conv2d(batch, kernel, groups=channels)
    result = image.clone()
    result[..., 1:-1, 1:-1] = _as_before(inner, image)
    return result


ENHANCERS: dict[str, Callable[[Tensor, float], Tensor]] = {
    "brightness": brightness,
    "contrast": contrast,
    "saturation": saturation,
    "sharpness": sharpness,
}


def shift_hue(image: Tensor, factor: float) -> Tensor:
    """The colours turned by ``factor`` of the circle."""
    _need_channels(image)
    if image.shape[-3] == 1:
        return image
    hue, chroma, value = _to_hsv(convert_dtype(image, rushlight.float32))
    return convert_dtype(_from_hsv((hue + factor) % 1.0, chroma, value), image.dtype)


def _to_hsv(image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Hue, saturation and value, each from 0 to 1 (A. R. Smith, Color gamut transform pairs, 1978)."""
    red, green, blue = image.unbind(-3)
    most, least = image.amax(dim=-3), image.amin(dim=-3)
    grey = most == least
    one = rushlight.ones_like(most)
    span = rushlight.where(grey, one, most - least)
    saturation = (most - least) / rushlight.where(grey, one, most)
    from_red, from_green, from_blue = ((most - part) / span for part in (red, green, blue))
    by_red = (most == red) * (from_blue - from_green)
    by_green = ((most == green) & (most != red)) * (2.0 + from_red - from_blue)
    by_blue = ((most != green) & (most != red)) * (4.0 + from_green - from_red)
    hue = rushlight.fmod((by_red + by_green + by_blue) / 6.0 + 1.0, 1.0)
    return hue, saturation, most


def _from_hsv(hue: Tensor, saturation: Tensor, value: Tensor) -> Tensor:
    sextant = rushlight.floor(hue * 6.0)
    rest = hue * 6.0 - sextant
    sextant = sextant.to(rushlight.int32) % 6
    low = (value * (1.0 - saturation)).clamp(0.0, 1.0)
    falling = (value * (1.0 - saturation * rest)).clamp(0.0, 1.0)
    rising = (value * (1.0 - saturation * (1.0 - rest))).clamp(0.0, 1.0)
    channels = (
        (value, falling, low, low, rising, value),
        (rising, value, value, falling, low, low),
        (low, low, rising, value, value, falling),
    )
    return rushlight.stack([_choose(sextant, parts) for parts in channels], -3)


def _choose(which: Tensor, parts: Sequence[Tensor]) -> Tensor:
    result = parts[0]
    for number, part in enumerate(parts[1:], 1):
        result = rushlight.where(which == number, part, result)
    return result


def gamma(image: Tensor, exponent: float, gain: float) -> Tensor:
    """``gain * value ** exponent``."""
    floats = image if image.is_floating_point() else convert_dtype(image, rushlight.float32)
    return convert_dtype((gain * floats**exponent).clamp(0, 1), image.dtype)


def invert(image: Tensor) -> Tensor:
    """The negative."""
    need_colours(image)
    return largest_value(image.dtype) - image


def _need_bytes(image: Tensor) -> None:
    if image.dtype != rushlight.uint8:
        raise TypeError(f"Only torch.uint8 image tensors are supported, but found {image.dtype}")


def posterize(image: Tensor, bits: int) -> Tensor:
    """The highest bits of each byte."""
    need_colours(image)
    _need_bytes(image)
    return image & (256 - 2 ** (8 - bits))


def solarize(image: Tensor, threshold: float) -> Tensor:
    """The values from the threshold on inverted."""
    need_colours(image)
    if threshold > largest_value(image.dtype):
        raise TypeError("Threshold should be less than bound of img.")
    return rushlight.where(image >= threshold, invert(image), image)


def autocontrast(image: Tensor) -> Tensor:
    """Each channel stretched to the whole range; a channel of one value stays."""
    need_colours(image)
    bound = largest_value(image.dtype)
    floats = image if image.is_floating_point() else image.to(rushlight.float32)
    least, most = floats.amin(dim=(-2, -1), keepdim=True), floats.amax(dim=(-2, -1), keepdim=True)
    flat = most == least
    scale = bound / rushlight.where(flat, bound, most - least)
    lowest = rushlight.where(flat, 0.0, least)
    return ((floats - lowest) * scale).clamp(0, bound).to(image.dtype)


def equalize(image: Tensor) -> Tensor:
    """Each channel's histogram made flat."""
    need_colours(image)
    _need_bytes(image)
    array = image.numpy()
    planes = array.reshape(-1, *array.shape[-2:])
    return wrap(np.stack([_equalized(plane) for plane in planes]).reshape(array.shape))


def _equalized(plane: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    counts = np.bincount(plane.reshape(-1), minlength=256)
    step = int(counts[counts != 0][:-1].sum()) // 255
    if step == 0:
        return plane
    table = (np.cumsum(counts) + step // 2) // step
    return np.concatenate(([0], table[:-1])).clip(0, 255).astype(np.uint8)[plane]


def gaussian_blur(image: Tensor, sizes: Sequence[int], sigmas: Sequence[float]) -> Tensor:
    """Smoothed by a bell curve with a window of ``sizes`` (x, y) pixels."""
    batch = _as_float_batch(_with_channels(image))
    channels = batch.shape[1]
    across, down = (_bell(size, sigma, batch.dtype) for size, sigma in zip(sizes, sigmas, strict=True))
    kernel = (down[:, None] * across[None, :]).expand(channels, 1, sizes[1], sizes[0])
    margins = (sizes[0] // 2, sizes[0] // 2, sizes[1] // 2, sizes[1] // 2)
    padded = rushlight.nn.functional.pad(batch, margins, mode="reflect")
    blurred = rushlight.nn.functional.conv2d(padded, kernel, groups=channels)
    return _as_before(blurred, _with_channels(image)).reshape(image.shape)


def _bell(size: int, sigma: float, dtype: Any) -> Tensor:
    half = (size - 1) * 0.5
    density = rushlight.exp(-0.5 * (rushlight.linspace(-half, half, steps=size, dtype=dtype) / sigma).pow(2))
    return density / density.sum()


def rotate(image: Tensor, matrix: Sequence[float], mode: str, expand: bool, fill: Any) -> Tensor:
    """Looked up through the matrix from output to input pixels, both counted from the middle."""
    height, width = image.shape[-2:]
    out = turned_size(matrix, height, width) if expand else (height, width)
    return _look_up(image, _affine_grid(matrix, (height, width), out, _precision(image)), mode, fill)


def affine(image: Tensor, matrix: Sequence[float], mode: str, fill: Any) -> Tensor:
    """Looked up through the matrix from output to input pixels, both counted from the middle."""
    size = (image.shape[-2], image.shape[-1])
    return _look_up(image, _affine_grid(matrix, size, size, _precision(image)), mode, fill)


def perspective(image: Tensor, coefficients: Sequence[float], mode: str, fill: Any) -> Tensor:
    """Looked up through x' = (ax + by + c) / (gx + hy + 1), y' = (dx + ey + f) / (gx + hy + 1)."""
    height, width = image.shape[-2:]
    kind = _precision(image)
    x, y = _centers(height, width, 0.5, 0.5, kind)
    rows = ((coefficients[:3], 0.5 * width), (coefficients[3:6], 0.5 * height))
    over = [_row([kind(value) / kind(half) for value in row], x, y) for row, half in rows]
    below = _row([kind(coefficients[6]), kind(coefficients[7]), kind(1)], x, y)
    return _look_up(image, wrap(np.stack([part / below - kind(1) for part in over], -1)[None]), mode, fill)


def _precision(image: Tensor) -> type[np.floating[Any]]:
    """What places in the picture are computed in: its own numbers' precision."""
    return np.float64 if image.dtype == rushlight.float64 else np.float32


def _row(factors: Sequence[Any], x: Any, y: Any) -> Any:
    """``a * x + b * y + c``."""
    a, b, c = factors
    return a * x + b * y + c


def elastic(image: Tensor, displacement: Tensor, mode: str, fill: Any) -> Tensor:
    """Each pixel looked up at its place plus ``displacement`` (1, H, W, 2), in half widths and heights."""
    height, width = image.shape[-2:]
    kind = image.dtype if image.is_floating_point() else rushlight.float32
    down, across = (
        rushlight.linspace((1 - size) / size, (size - 1) / size, steps=size, dtype=kind) for size in (height, width)
    )
    identity = rushlight.stack((across.expand(height, width), down[:, None].expand(height, width)), -1)
    return _look_up(
        image, identity.unsqueeze(0) + displacement.to(kind), mode, fill, ("nearest", "bilinear", "bicubic")
    )


def _centers(height: int, width: int, first_y: float, first_x: float, kind: Any) -> tuple[Any, Any]:
    """x (1, W) and y (H, 1) of the pixels' middles, of which the first are given."""
    x = np.arange(width, dtype=kind) + kind(first_x)
    y = np.arange(height, dtype=kind) + kind(first_y)
    return x[None, :], y[:, None]


def _affine_grid(matrix: Sequence[float], size: tuple[int, int], out: tuple[int, int], kind: Any) -> Tensor:
    """Where in the input, from -1 to 1, each output pixel is looked up: (1, H, W, 2)."""
    height, width = size
    x, y = _centers(*out, -out[0] * 0.5 + 0.5, -out[1] * 0.5 + 0.5, kind)
    rows = ((matrix[:3], 0.5 * width), (matrix[3:], 0.5 * height))
    places = [_row([kind(value) / kind(half) for value in row], x, y) for row, half in rows]
    return wrap(np.stack(places, -1)[None])


def turned_size(matrix: Sequence[float], height: int, width: int) -> tuple[int, int]:
    """(height, width) of the whole turned picture."""
    corners = np.array([(x * width, y * height, 1.0) for x in (-0.5, 0.5) for y in (-0.5, 0.5)], np.float32)
    turned = corners @ np.array(matrix, np.float32).reshape(2, 3).T + np.array([width, height], np.float32) * 0.5
    tolerance = np.float32(1e-4)  # what rounding adds to a whole number must not cost a pixel
    most, least = (np.trunc(edge / tolerance) * tolerance for edge in (turned.max(0), turned.min(0)))
    size = np.ceil(most) - np.floor(least)
    return int(size[1]), int(size[0])


def _look_up(
    image: Tensor, grid: Tensor, mode: str, fill: Any, modes: Sequence[str] = ("nearest", "bilinear")
) -> Tensor:
    """The picture's values at the grid's places; ``fill`` outside of it."""
    if mode not in modes:
        raise ValueError(f"This interpolation mode is unsupported with Tensor input: {mode}")
    image = _with_channels(image)
    batch = _as_float_batch(image)
    count, channels, height, width = batch.shape
    if fill is not None:
        # One more channel of ones becomes the share of each output pixel that lies inside the picture.
        batch = rushlight.cat((batch, rushlight.ones((count, 1, height, width), dtype=batch.dtype)), 1)
    grid = grid.to(batch.dtype).expand(count, *grid.shape[1:])
    found = rushlight.nn.functional.grid_sample(batch, grid, mode=mode, padding_mode="zeros", align_corners=False)
    if fill is not None:
        found = _fill_outside(found, channels, mode, fill)
    return _as_before(found, image)


def _fill_outside(found: Tensor, channels: int, mode: str, fill: Any) -> Tensor:
    values, inside = found[:, :channels], found[:, channels:]
    colours = [float(value) for value in fill] if isinstance(fill, list | tuple) else [float(fill)]
    if len(colours) not in (1, channels):
        raise ValueError(
            "The number of elements in 'fill' cannot broadcast to match the number of "
            f"channels of the image ({len(colours)} != {channels})"
        )
    colour = rushlight.as_tensor(colours, dtype=values.dtype).view(1, -1, 1, 1)
    if mode == "nearest":
        return rushlight.where(inside < 0.5, colour, values)
    return values * inside + (1.0 - inside) * colour
