"""Pictures side by side and into files: torchvision.utils."""

from __future__ import annotations

import math
import os
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

import rushlight
from rushlight.tensor import Tensor
from rushlight.vision.drawing import draw_bounding_boxes, draw_keypoints, draw_segmentation_masks, flow_to_image

if TYPE_CHECKING:
    Array = np.ndarray[Any, Any]

__all__ = [
    "draw_bounding_boxes",
    "draw_keypoints",
    "draw_segmentation_masks",
    "flow_to_image",
    "make_grid",
    "save_image",
]


def make_grid(
    tensor: Tensor | list[Tensor],
    nrow: int = 8,
    padding: int = 2,
    normalize: bool = False,
    value_range: tuple[float, float] | None = None,
    scale_each: bool = False,
    pad_value: float = 0.0,
) -> Tensor:
    """Many pictures as one.

    Args:
        tensor: pictures (N, C, H, W), one of (C, H, W) or (H, W), or a list of pictures of one size.
        nrow: pictures in a row.
        padding: pixels between them.
        normalize: shift and scale the values to 0 to 1.
        value_range: which values become 0 and 1; the smallest and largest by default.
        scale_each: each picture by its own smallest and largest.
        pad_value: between the pictures.

    Returns:
        (C, H, W); one-channel pictures become three-channel ones. One picture alone gets no border.

    Raises:
        TypeError: for anything but tensors, and a ``value_range`` that is no tuple.

    Example:
        >>> import rushlight as torch
        >>> make_grid(torch.zeros(10, 1, 28, 28)).shape
        torch.Size([3, 62, 242])
    """
    batch = _as_batch(tensor)
    if normalize:
        if value_range is not None and not isinstance(value_range, tuple):
            raise TypeError("value_range has to be a tuple (min, max) if specified. min and max are numbers")
        batch = _normalized(batch, value_range, scale_each)
    if batch.shape[0] == 1:
        return batch.squeeze(0)
    return _tiled(batch, nrow, padding, pad_value)


def _as_batch(tensor: Any) -> Tensor:
    """(N, C, H, W), with three channels in place of one."""
    members = tensor if isinstance(tensor, list) else []
    wrong = [type(member) for member in members if not isinstance(member, Tensor)]
    if wrong:
        raise TypeError(f"tensor or list of tensors expected, got a list containing {wrong[0]}")
    if not isinstance(tensor, Tensor | list):
        raise TypeError(f"tensor or list of tensors expected, got {type(tensor)}")
    batch = rushlight.stack(tensor, dim=0) if isinstance(tensor, list) else tensor
    if batch.dim() == 2:
        batch = batch.unsqueeze(0)
    if batch.dim() == 3:
        batch = (rushlight.cat((batch, batch, batch), 0) if batch.size(0) == 1 else batch).unsqueeze(0)
    if batch.dim() == 4 and batch.size(1) == 1:
        batch = rushlight.cat((batch, batch, batch), 1)
    return batch  # type: ignore[no-any-return]


_C_NAMES = {"uint8": "unsigned char", "int8": "signed char", "int16": "short", "int32": "int", "int64": "long"}


def _normalized(batch: Tensor, value_range: tuple[float, float] | None, scale_each: bool) -> Tensor:
    if not batch.is_floating_point():
        name = rushlight.empty(0, dtype=batch.dtype).numpy().dtype
        raise RuntimeError(
            f"result type Float can't be cast to the desired output type {_C_NAMES.get(str(name), name)}"
        )
    parts = list(batch.detach().clone().unbind(0)) if scale_each else [batch.detach().clone()]
    scaled = []
    for part in parts:
        low, high = value_range or (float(part.min()), float(part.max()))
        scaled.append(part.clamp(min=low, max=high).sub(low).div(max(high - low, 1e-5)))
    return rushlight.stack(scaled, 0) if scale_each else scaled[0]  # type: ignore[no-any-return]


def _tiled(batch: Tensor, nrow: int, padding: int, pad_value: float) -> Tensor:
    count, channels, height, width = batch.shape
    columns = min(nrow, count)
    rows = math.ceil(count / columns)
    step_y, step_x = height + padding, width + padding
    # `full` keeps the batch's dtype; the border is there before the first row and column too.
    grid = batch.new_full((channels, step_y * rows + padding, step_x * columns + padding), pad_value)
    for number in range(count):
        top = number // columns * step_y + padding
        left = number % columns * step_x + padding
        grid[:, top : top + height, left : left + width] = batch[number]
    return grid


def save_image(
    tensor: Tensor | list[Tensor], fp: str | os.PathLike[str] | BinaryIO, format: str | None = None, **kwargs: Any
) -> None:
    """Writes pictures to a file, many as a grid.

    Args:
        tensor: as for `make_grid`; values from 0 to 1.
        fp: file name or open file.
        format: by the file name's suffix if not given.
        kwargs: for `make_grid`.
    """
    from PIL import Image

    Image.fromarray(_as_bytes(make_grid(tensor, **kwargs))).save(fp, format=format)


def _as_bytes(picture: Tensor) -> Array:
    """(C, H, W) from 0 to 1 as (H, W, C) bytes, rounded to the nearest."""
    values: Array = picture.detach().cpu().numpy()
    scaled = np.clip(values * 255 + values.dtype.type(0.5), 0, 255).astype(np.uint8)
    return np.ascontiguousarray(scaled.transpose(1, 2, 0))
