"""Boxes, masks and keypoints drawn on pictures, for `torchvision.utils`: the picture goes to PIL (boxes, keypoints) or
is coloured where a mask is true, and comes back as a tensor of its own dtype.
"""

from __future__ import annotations

from typing import Any

import numpy as np

import rushlight
from rushlight.tensor import Tensor, wrap

Colors = Any


def _check_picture(image: Any) -> None:
    if not isinstance(image, Tensor):
        raise TypeError(f"Tensor expected, got {type(image)}")
    if not (image.dtype == rushlight.uint8 or image.is_floating_point()):
        raise ValueError(f"The image dtype must be uint8 or float, got {image.dtype}")
    if image.dim() != 3:
        raise ValueError("Pass individual images, not batches")
    if image.size(0) not in (1, 3):
        raise ValueError("Only grayscale and RGB images are supported")


def _as_colors(colors: Colors, count: int) -> list[tuple[int, int, int]]:
    """One colour as (red, green, blue) for each of `count` things."""
    if colors is None:
        chosen: list[Any] = [_from_palette(i) for i in range(count)]
    elif isinstance(colors, list):
        if len(colors) < count:
            raise ValueError(
                f"Number of colors must be equal or larger than the number of objects, but got {len(colors)} < {count}."
            )
        chosen = colors[:count]
    elif isinstance(colors, str | tuple):
        chosen = [colors] * count
    else:
        raise ValueError("colors must be a tuple or a string, or a list thereof")
    return [_as_rgb(color) for color in chosen]


def _as_rgb(color: Any) -> tuple[int, int, int]:
    from PIL import ImageColor

    if isinstance(color, str):
        red, green, blue = ImageColor.getrgb(color)[:3]
        return red, green, blue
    if len(color) != 3:
        raise ValueError("If passed as tuple, colors should be an RGB triplet")
    return int(color[0]), int(color[1]), int(color[2])


def _from_palette(number: int) -> tuple[int, int, int]:
    """Colours far apart: the number times three large primes, one a channel."""
    red, green, blue = (number * prime % 255 for prime in (2**25 - 1, 2**15 - 1, 2**21 - 1))
    return red, green, blue


def _as_pil(image: Tensor) -> Any:
    from rushlight.vision.transforms.functional import convert_image_dtype, to_pil_image

    picture = convert_image_dtype(image, rushlight.uint8) if image.is_floating_point() else image
    return to_pil_image(picture.expand(3, -1, -1) if picture.size(0) == 1 else picture)


def _as_before(picture: Any, image: Tensor) -> Tensor:
    from rushlight.vision.transforms.functional import convert_image_dtype, pil_to_tensor

    drawn = pil_to_tensor(picture)
    return convert_image_dtype(drawn, image.dtype) if image.is_floating_point() else drawn


def draw_bounding_boxes(
    image: Tensor,
    boxes: Tensor,
    labels: list[str | None] | None = None,
    colors: Colors = None,
    fill: bool | None = False,
    width: int = 1,
    font: str | None = None,
    font_size: int | None = None,
    label_colors: Colors = None,
) -> Tensor:
    """The picture (C, H, W), uint8 or float from 0 to 1, with boxes (N, 4) of xmin, ymin, xmax, ymax drawn on it.

    Args:
        labels: a text for each box, or None.
        colors: one for all, or a list of one for each: names, ``"#RRGGBB"`` or (red, green, blue).
        fill: fill the boxes, half transparent.
        width: of the lines.
        font, font_size: a TrueType file and its size.

    Raises:
        TypeError: the picture is no tensor. ValueError: other shapes and dtypes, or too few labels or colours.
    """
    _check_picture(image)
    if boxes.size(-1) != 4:
        raise ValueError(f"boxes must have shape (N, 4), got {tuple(boxes.shape)}")
    if (boxes[:, 0] > boxes[:, 2]).any() or (boxes[:, 1] > boxes[:, 3]).any():
        raise ValueError(
            "Boxes need to be in (xmin, ymin, xmax, ymax) format. Use torchvision.ops.box_convert to convert them"
        )
    count = boxes.size(0)
    if labels is not None and len(labels) != count:
        raise ValueError(
            f"The number of boxes ({count}) and labels ({len(labels)}) mismatch. Please specify labels for each box."
        )
    picture = _as_pil(image)
    shades = _as_colors(colors, count)
    texts = shades if label_colors is None else _as_colors(label_colors, count)
    _draw_boxes(picture, boxes, labels, shades, texts, bool(fill), width, _font(font, font_size))
    return _as_before(picture, image)


def _font(font: str | None, size: int | None) -> Any:
    from PIL import ImageFont

    return ImageFont.load_default() if font is None else ImageFont.truetype(font=font, size=size or 10)


def _draw_boxes(
    picture: Any, boxes: Tensor, labels: Any, colors: Any, label_colors: Any, fill: bool, width: int, font: Any
) -> None:
    from PIL import ImageDraw

    draw = ImageDraw.Draw(picture, "RGBA" if fill else None)
    texts = labels or [None] * len(colors)
    for box, color, text, text_color in zip(boxes.to(rushlight.int64).tolist(), colors, texts, label_colors):
        draw.rectangle(box, width=width, outline=color, fill=(*color, 100) if fill else None)
        if text is not None:
            draw.text((box[0] + width + 1, box[1] + width + 1), text, fill=text_color, font=font)


def draw_segmentation_masks(image: Tensor, masks: Tensor, alpha: float = 0.8, colors: Colors = None) -> Tensor:
    """The picture (3, H, W), uint8 or float from 0 to 1, coloured where masks (N, H, W) or (H, W) are true.

    Args:
        alpha: 0 for the picture alone, 1 for the colours alone.
        colors: one for all, or a list of one for each mask.

    Raises:
        TypeError: the picture is no tensor. ValueError: other shapes and dtypes, or too few colours.
    """
    _check_picture(image)
    if image.size(0) != 3:
        raise ValueError("Pass an RGB image. Other Image formats are not supported")
    masks = masks[None] if masks.dim() == 2 else masks
    if masks.dim() != 3:
        raise ValueError("masks must be of shape (H, W) or (batch_size, H, W)")
    if masks.dtype != rushlight.bool:
        raise ValueError(f"The masks must be of dtype bool. Got {masks.dtype}")
    if masks.shape[-2:] != image.shape[-2:]:
        raise ValueError("The image and the masks must have the same height and width")
    before = image.detach().numpy()
    coloured = before.copy()
    scale = 255 if image.is_floating_point() else 1
    for mask, color in zip(masks.numpy(), _as_colors(colors, len(masks))):
        coloured[:, mask] = (np.array(color)[:, None] / scale).astype(before.dtype)
    mixed = before * (1 - alpha) + coloured * alpha
    return wrap(mixed.astype(before.dtype))


def draw_keypoints(
    image: Tensor,
    keypoints: Tensor,
    connectivity: list[tuple[int, int]] | None = None,
    colors: Colors = None,
    radius: int = 2,
    width: int = 3,
    visibility: Tensor | None = None,
) -> Tensor:
    """The picture (3, H, W), uint8 or float from 0 to 1, with keypoints (instances, K, 2) of x, y drawn on it.

    Args:
        connectivity: pairs of keypoints to join by a line.
        colors: one colour; white by default.
        radius: of the points.
        width: of the lines.
        visibility: (instances, K), which points to draw.

    Raises:
        TypeError: the picture is no tensor. ValueError: other shapes and dtypes.
    """
    _check_picture(image)
    if keypoints.dim() != 3:
        raise ValueError("keypoints must be of shape (num_instances, K, 2)")
    shown = np.ones(tuple(keypoints.shape[:2]), bool) if visibility is None else visibility.to(rushlight.bool).numpy()
    if shown.ndim == 3:
        shown = shown.squeeze(-1)
    if shown.shape != tuple(keypoints.shape[:2]):
        raise ValueError("keypoints and visibility must have the same dimensionality for num_instances and K")
    picture = _as_pil(image)
    color = "white" if colors is None else colors
    for points, visible in zip(keypoints.to(rushlight.int64).tolist(), shown):
        _draw_points(picture, points, visible, connectivity or [], color, radius, width)
    return _as_before(picture, image)


def _draw_points(picture: Any, points: Any, visible: Any, pairs: Any, color: Any, radius: int, width: int) -> None:
    from PIL import ImageDraw

    draw = ImageDraw.Draw(picture)
    for (x, y, *_), seen in zip(points, visible):
        if seen:
            draw.ellipse([x - radius, y - radius, x + radius, y + radius], fill=color, outline=None, width=0)
    for start, end in pairs:
        if visible[start] and visible[end]:
            draw.line((*points[start][:2], *points[end][:2]), width=width, fill=color)
