"""What transforms do to a `tv_tensors.Mask`: those that move pixels move its labels, without mixing them.

`kernel` is asked by the functions of `transforms.functional` when their picture is a Mask.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import rushlight
from rushlight.tensor import Tensor
from rushlight.vision.transforms.functional import InterpolationMode
from rushlight.vision.tv_tensors import Mask, wrap

MOVING = {"crop", "center_crop", "hflip", "vflip", "pad", "resized_crop"}
LOOKING_UP = {"resize", "rotate", "affine", "perspective", "elastic_transform", "resized_crop"}


def kernel(name: str, picture_kernel: Callable[..., Any]) -> Callable[..., Any]:
    """What function `name` does to a mask, given what it does to a picture."""
    if name == "get_dimensions":
        return lambda mask: picture_kernel(_plain(mask))
    if name not in MOVING | LOOKING_UP:
        raise TypeError(f"Functional F.{name} supports pictures, but got {Mask} instead.")

    def moved(mask: Any, *args: Any, **kwargs: Any) -> Any:
        bound = _arguments(picture_kernel, args, kwargs)
        if name in LOOKING_UP:
            bound["interpolation"] = InterpolationMode.NEAREST
        found = picture_kernel(_stacked(mask), **bound)
        found = found.to(mask.dtype)
        return wrap(found[0] if mask.dim() == 2 else found, like=mask)

    return moved


def _plain(mask: Any) -> Tensor:
    return mask.view_as(mask)  # type: ignore[no-any-return]


def _stacked(mask: Any) -> Tensor:
    """The mask with a dimension for channels, in numbers where it is bool."""
    plain = _plain(mask).to(rushlight.uint8) if mask.dtype is rushlight.bool else _plain(mask)
    return plain.unsqueeze(0) if mask.dim() == 2 else plain  # type: ignore[attr-defined, no-any-return]


def _arguments(function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
    """The arguments after the picture, by name."""
    import inspect

    names = list(inspect.signature(function).parameters)[1:]
    return {**dict(zip(names, args)), **kwargs}
