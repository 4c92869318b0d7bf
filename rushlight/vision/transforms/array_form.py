"""Known transforms as one computation on an array of pictures.

`ToTensor`, and `Compose` of it with `Normalize`, do the same arithmetic to every pixel: `array_form` gives that
arithmetic for (N, C, H, W) uint8 arrays, operation by operation as the transforms do it to one picture, so that the
numbers are the same to the last bit. Anything else, subclasses included, has no array form and is applied picture by
picture.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import numpy as np

import rushlight
from rushlight.vision.transforms.transforms import Compose, Normalize, ToTensor

Array = np.ndarray[Any, Any]
ArrayForm = Callable[[Array], Array]


def array_form(transform: Any, channels: int = 1) -> ArrayForm | None:
    """The function from uint8 pictures (N, channels, H, W) to what ``transform`` makes of them, if it is known."""
    dtype = _default_dtype()
    if dtype is None:
        return None
    if type(transform) is ToTensor:
        return lambda pictures: _scale(pictures, dtype)
    if type(transform) is not Compose or not transform.transforms:
        return None
    first, *rest = transform.transforms
    if type(first) is not ToTensor or any(not _is_known_normalize(step) for step in rest):
        return None
    statistics = [_statistics(step, dtype) for step in cast("list[Normalize]", rest)]
    if not all(_fit(mean, deviation, channels) for mean, deviation in statistics):
        return None  # Normalize itself says what is wrong

    def whole(pictures: Array) -> Array:
        result = _scale(pictures, dtype)
        for mean, deviation in statistics:
            result -= mean[:, None, None]
            result /= deviation[:, None, None]
        return result

    return whole


def _fit(mean: Array, deviation: Array, channels: int) -> bool:
    return len(mean) in (1, channels) and len(deviation) in (1, channels) and bool(deviation.all())


def _default_dtype() -> np.dtype[Any] | None:
    default = rushlight.get_default_dtype()
    if default is rushlight.float32:
        return np.dtype(np.float32)
    return np.dtype(np.float64) if default is rushlight.float64 else None


def _scale(pictures: Array, dtype: np.dtype[Any]) -> Array:
    result = np.empty(pictures.shape, dtype)
    np.divide(pictures, dtype.type(255), out=result)
    return result


def _is_known_normalize(step: Any) -> bool:
    return type(step) is Normalize and not step._forward_hooks and not step._forward_pre_hooks


def _statistics(step: Normalize, dtype: np.dtype[Any]) -> tuple[Array, Array]:
    mean, deviation = (np.atleast_1d(np.asarray(values, dtype)) for values in (step.mean, step.std))
    return mean, deviation
