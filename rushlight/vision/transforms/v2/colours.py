"""Where transforms.v2's arithmetic of colours is not the first version's: the order of operations and what is rounded.

`OWN` has those functions by name; `transforms.v2.functional` and the transforms take them from there. PIL images go to
the first version's functions.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import rushlight
from rushlight.tensor import Tensor
from rushlight.vision.transforms import functional as F
from rushlight.vision.transforms import pixels


def adjust_sharpness(inpt: Any, sharpness_factor: float) -> Any:
    """Sharper (above 1) or smoother (0). Raises ValueError for a negative factor."""
    if not isinstance(inpt, Tensor) or sharpness_factor < 0 or inpt.dim() < 3 or min(inpt.shape[-2:]) <= 2:
        return F.adjust_sharpness(inpt, sharpness_factor)
    pixels.need_colours(inpt)
    exact = inpt.view_as(inpt) if inpt.is_floating_point() else inpt.to(rushlight.float32)
    smooth = pixels.smoothed(inpt).to(exact.dtype)
    mixed = _added(exact, smooth - exact, 1.0 - sharpness_factor)
    return mixed.clamp(0, pixels.largest_value(inpt.dtype)).to(inpt.dtype)


def adjust_saturation(inpt: Any, saturation_factor: float) -> Any:
    """More colour (above 1) or less (0 is grey). Raises ValueError for a negative factor."""
    if not isinstance(inpt, Tensor) or saturation_factor < 0 or inpt.dim() < 3 or inpt.shape[-3] != 3:
        return F.adjust_saturation(inpt, saturation_factor)
    return _blend(inpt, pixels.to_grey(inpt.view_as(inpt)), saturation_factor)


def adjust_contrast(inpt: Any, contrast_factor: float) -> Any:
    """More contrast (above 1) or less (0 is one grey). Raises ValueError for a negative factor."""
    if not isinstance(inpt, Tensor) or contrast_factor < 0 or inpt.dim() < 3 or inpt.shape[-3] not in (1, 3):
        return F.adjust_contrast(inpt, contrast_factor)
    grey = pixels.to_grey(inpt.view_as(inpt))
    exact = grey if grey.is_floating_point() else grey.to(rushlight.float32)
    return _blend(inpt, exact.mean(dim=(-3, -2, -1), keepdim=True), contrast_factor)


def _blend(image: Any, other: Any, factor: float) -> Any:
    exact = image.view_as(image) if image.is_floating_point() else image.to(rushlight.float32)
    mixed = _added(exact * factor, other.to(exact.dtype), 1.0 - factor)
    return mixed.clamp(0, pixels.largest_value(image.dtype)).to(image.dtype)


def _added(x: Any, y: Any, factor: float) -> Any:
    """``x + factor * y``, rounded once in float32, as PyTorch's `add` with `alpha` does."""
    if x.dtype != rushlight.float32:
        return x + y * factor
    return (x.to(rushlight.float64) + y.to(rushlight.float64) * float(np.float32(factor))).to(rushlight.float32)


def autocontrast(inpt: Any) -> Any:
    """Each channel stretched to the whole range; a channel of one value stays."""
    if not isinstance(inpt, Tensor):
        return F.autocontrast(inpt)
    pixels.need_colours(inpt)
    bound = pixels.largest_value(inpt.dtype)
    exact = inpt.view_as(inpt) if inpt.is_floating_point() else inpt.to(rushlight.float32)
    least, most = exact.amin(dim=(-2, -1), keepdim=True), exact.amax(dim=(-2, -1), keepdim=True)
    flat = most == least
    span = rushlight.where(flat, 1.0, (most - least) * (1.0 / bound))
    return ((exact - rushlight.where(flat, 0.0, least)) / span).clamp(0, bound).to(inpt.dtype)


def equalize(inpt: Any) -> Any:
    """Each channel's histogram made flat; of floats, as bytes."""
    if not isinstance(inpt, Tensor) or inpt.dtype == rushlight.uint8:
        return F.equalize(inpt)
    levelled = F.equalize(pixels.convert_dtype(inpt.view_as(inpt), rushlight.uint8))
    return pixels.convert_dtype(levelled, inpt.dtype)


def posterize(inpt: Any, bits: int) -> Any:
    """Only 2 to the power of ``bits`` values; of bytes, the highest bits. Raises TypeError for bits beyond 0 to 8."""
    if not isinstance(bits, int) or not 0 <= bits <= 8:
        raise TypeError(f"bits must be a positive integer in the range [0, 8], got {bits} instead.")
    if not isinstance(inpt, Tensor) or not inpt.is_floating_point():
        return F.posterize(inpt, bits)
    levels = 1 << bits
    return (inpt * levels).floor().clamp(0, levels - 1) * (1.0 / levels)


OWN: dict[str, Callable[..., Any]] = {
    "adjust_contrast": adjust_contrast,
    "adjust_saturation": adjust_saturation,
    "adjust_sharpness": adjust_sharpness,
    "autocontrast": autocontrast,
    "equalize": equalize,
    "posterize": posterize,
}
