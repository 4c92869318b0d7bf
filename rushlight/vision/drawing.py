"""Boxes, masks, keypoints and flows drawn as pictures, for `torchvision.utils`: the picture goes to PIL (boxes,
keypoints) or is coloured where a mask is true, and comes back as a tensor of its own dtype.
"""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np

import rushlight
from rushlight.tensor import Tensor, wrap

Colors = Any


def _check_picture(image: Any, message: str = "The image must be a tensor, got") -> None:
    if not isinstance(image, Tensor):
        raise TypeError(f"{message} {type(image)}")
    if not (image.dtype == rushlight.uint8 or image.is_floating_point()):
        raise ValueError(f"The image dtype must be uint8 or float, got {image.dtype}")
    if image.dim() != 3:
        raise ValueError("Pass individual images, not batches")


def _check_rgb(image: Any) -> None:
    _check_picture(image)
    if image.size(0) != 3:
        raise ValueError("Pass an RGB image. Other Image formats are not supported")


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
    elif not isinstance(colors, str | tuple):
        raise ValueError(f"colors must be a tuple or a string, or a list thereof, but got {colors}.")
    elif isinstance(colors, tuple) and len(colors) != 3:
        raise ValueError(f"If passed as tuple, colors should be an RGB triplet, but got {colors}.")
    else:
        chosen = [colors] * count
    return [_as_rgb(color) for color in chosen]


def _as_rgb(color: Any) -> tuple[int, int, int]:
    from PIL import ImageColor

    red, green, blue = (ImageColor.getrgb(color) if isinstance(color, str) else color)[:3]
    return int(red), int(green), int(blue)


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
    label_background_colors: Colors = None,
    fill_labels: bool = False,
) -> Tensor:
    """The picture (C, H, W), uint8 or float from 0 to 1, with boxes drawn on it.

    Args:
        boxes: (N, 4) of xmin, ymin, xmax, ymax; or (N, 8), the four corners of boxes that are turned.
        labels: a text for each box, or None.
        colors: one for all, or a list of one for each: names, ``"#RRGGBB"`` or (red, green, blue).
        fill: fill the boxes, half transparent.
        width: of the lines.
        font, font_size: a TrueType file and its size.
        label_colors: of the texts; those of the boxes by default, black where labels are filled.
        label_background_colors: what labels are filled with; the boxes' colours by default.
        fill_labels: fill behind the texts.

    Raises:
        TypeError: the picture is no tensor. ValueError: other shapes and dtypes, or too few labels or colours.
    """
    _check_picture(image, "Tensor expected, got")
    if image.size(0) not in (1, 3):
        raise ValueError("Only grayscale and RGB images are supported")
    if boxes.size(-1) == 4 and ((boxes[:, 0] > boxes[:, 2]).any() or (boxes[:, 1] > boxes[:, 3]).any()):
        raise ValueError(
            "Boxes need to be in (xmin, ymin, xmax, ymax) format. Use torchvision.ops.box_convert to convert them"
        )
    count = boxes.size(0)
    if count == 0:
        warnings.warn("boxes doesn't contain any box. No box was drawn", stacklevel=2)
        return image
    if labels is not None and len(labels) != count:
        raise ValueError(
            f"Number of boxes ({count}) and labels ({len(labels)}) mismatch. Please specify labels for each box."
        )
    shades = _as_colors(colors, count)
    writing = _as_colors(label_colors or "black", count) if label_colors or fill_labels else shades
    behind = _as_colors(label_background_colors or colors, count) if fill_labels else [None] * count
    picture = _as_pil(image)
    texts = zip(labels or [None] * count, writing, behind, strict=True)
    _draw_boxes(picture, boxes, shades, texts, bool(fill), width, _font(font, font_size))
    return _as_before(picture, image)


def _font(font: str | None, size: int | None) -> Any:
    from PIL import ImageFont

    if font is not None:
        return ImageFont.truetype(font=font, size=size or 10)
    if size is not None:
        warnings.warn("Argument 'font_size' will be ignored since 'font' is not set.", stacklevel=3)
    return ImageFont.load_default()


def _draw_boxes(picture: Any, boxes: Tensor, colors: Any, texts: Any, fill: bool, width: int, font: Any) -> None:
    from PIL import ImageDraw

    draw = ImageDraw.Draw(picture, "RGBA" if fill else None)
    for box, color, (text, text_color, behind) in zip(boxes.to(rushlight.int64).tolist(), colors, texts, strict=True):
        if len(box) > 4:
            _draw_turned(draw, box, color, width)
        else:
            draw.rectangle(box, width=width, outline=color, fill=(*color, 100) if fill else None)
        if text is not None:
            place = (box[0] + width + 1, box[1] + width + 1)
            if behind is not None:
                left, top, right, bottom = draw.textbbox(place, text, font=font)
                draw.rectangle((left - 1, top - 1, right + 1, bottom + 1), fill=behind)
            draw.text(place, text, fill=text_color, font=font)


def _draw_turned(draw: Any, box: list[int], color: Any, width: int) -> None:
    """A box of four corners: the first side dashed, so that one sees how it is turned."""
    corners = list(zip(box[::2], box[1::2], strict=True))
    start, end = corners[:2]
    length = math.dist(start, end)
    if length:
        step = [(b - a) / length for a, b in zip(start, end, strict=True)]
        for i in range(0, int(length), 10):
            dash = [(start[0] + step[0] * at, start[1] + step[1] * at) for at in (i, min(i + 5, length))]
            draw.line(dash, width=width, fill=color)
    for number in (1, 2, 3):
        draw.line((corners[number], corners[(number + 1) % 4]), width=width, fill=color)


def draw_segmentation_masks(image: Tensor, masks: Tensor, alpha: float = 0.8, colors: Colors = None) -> Tensor:
    """The picture (3, H, W), uint8 or float from 0 to 1, coloured where masks (N, H, W) or (H, W) are true.

    Args:
        alpha: 0 for the picture alone, 1 for the colours alone.
        colors: one for all, or a list of one for each mask. Where masks overlap, the colour is black.

    Raises:
        TypeError: the picture is no tensor. ValueError: other shapes and dtypes, or too few colours.
    """
    _check_rgb(image)
    masks = masks[None] if masks.dim() == 2 else masks
    if masks.dim() != 3:
        raise ValueError("masks must be of shape (H, W) or (batch_size, H, W)")
    if masks.dtype != rushlight.bool:
        raise ValueError(f"The masks must be of dtype bool. Got {masks.dtype}")
    if masks.shape[-2:] != image.shape[-2:]:
        raise ValueError("The image and the masks must have the same height and width")
    if masks.shape[0] == 0:
        warnings.warn("masks doesn't contain any mask. No mask was drawn", stacklevel=2)
        return image
    before = image.detach().numpy()
    coloured = before.copy()
    scale = 255 if image.is_floating_point() else 1
    shapes = masks.numpy()
    for mask, color in zip(shapes, _as_colors(colors, len(shapes)), strict=True):
        coloured[:, mask] = (np.array(color)[:, None] / scale).astype(before.dtype)
    coloured[:, shapes.sum(0) > 1] = 0
    exact = before.dtype if image.is_floating_point() else np.dtype(np.float32)
    mixed = before.astype(exact) * exact.type(1 - alpha) + coloured.astype(exact) * exact.type(alpha)
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
        colors: of the points, one for all; without one no points are drawn, as in torchvision. Lines are white.
        radius: of the points.
        width: of the lines.
        visibility: (instances, K), which points to draw.

    Raises:
        TypeError: the picture is no tensor. ValueError: other shapes and dtypes.
    """
    _check_rgb(image)
    if keypoints.dim() != 3:
        raise ValueError("keypoints must be of shape (num_instances, K, 2)")
    shown = np.ones(tuple(keypoints.shape[:2]), bool) if visibility is None else visibility.to(rushlight.bool).numpy()
    shown = shown.squeeze(-1) if shown.ndim == 3 else shown
    if shown.ndim != 2:
        raise ValueError(f"visibility must be of shape (num_instances, K). Got ndim={shown.ndim}")
    if shown.shape != tuple(keypoints.shape[:-1]):
        raise ValueError(
            "keypoints and visibility must have the same dimensionality for num_instances and K. "
            f"Got visibility.shape={rushlight.Size(shown.shape)} and keypoints.shape={keypoints.shape}"
        )
    picture = _as_pil(image)
    for points, visible in zip(keypoints.to(rushlight.int64).tolist(), shown, strict=True):
        _draw_points(picture, points, visible, connectivity or [], colors, radius, width)
    return _as_before(picture, image)


def _draw_points(picture: Any, points: Any, visible: Any, pairs: Any, color: Any, radius: int, width: int) -> None:
    from PIL import ImageDraw

    draw = ImageDraw.Draw(picture)
    for (x, y, *_), seen in zip(points, visible, strict=True):
        if seen:
            draw.ellipse([x - radius, y - radius, x + radius, y + radius], fill=color, outline=None, width=0)
    for start, end in pairs:
        if visible[start] and visible[end]:
            draw.line((*points[start][:2], *points[end][:2]), width=width)


def flow_to_image(flow: Tensor) -> Tensor:
    """The flow (2, H, W) or (N, 2, H, W), of float32, as pictures of bytes: the hue is where to, the colour how far.

    The wheel of colours is that of S. Baker et al., "A Database and Evaluation Methodology for Optical Flow", 2007.
    Raises ValueError for other shapes and dtypes.
    """
    if flow.dtype != rushlight.float32:
        raise ValueError(f"Flow should be of dtype torch.float, got {flow.dtype}.")
    batch = flow[None] if flow.dim() == 3 else flow
    if batch.dim() != 4 or batch.shape[1] != 2:
        raise ValueError(f"Input flow should have shape (2, H, W) or (N, 2, H, W), got {flow.shape}.")
    with rushlight.no_grad():
        far = (batch * batch).sum(1).sqrt().max() + float(np.finfo(np.float32).eps)
        batch = batch / far
        norm = (batch * batch).sum(1).sqrt()
        wheel = rushlight.from_numpy(_colour_wheel())
        turn = rushlight.atan2(-batch[:, 1], -batch[:, 0]) / math.pi
        place = (turn + 1) / 2 * (len(wheel) - 1)
        first = place.floor().to(rushlight.int64)
        rest = (place - first)[..., None]
        low, high = wheel[first] / 255.0, wheel[(first + 1) % len(wheel)] / 255.0
        colour = 1 - norm[..., None] * (1 - ((1 - rest) * low + rest * high))
        pictures = (255 * colour).floor().to(rushlight.uint8).permute(0, 3, 1, 2).contiguous()
    return pictures[0] if flow.dim() == 3 else pictures  # type: ignore[no-any-return]


def _colour_wheel() -> np.ndarray[Any, Any]:
    """55 colours (55, 3) around the circle: red, yellow, green, cyan, blue, magenta, and what lies between."""
    parts = []
    # How many colours, which channel changes, whether it falls, and which one stays full.
    for steps, changing, falls, full in (
        (15, 1, False, 0), (6, 0, True, 1), (4, 2, False, 1), (11, 1, True, 2), (13, 0, False, 2), (6, 2, True, 0),
    ):  # fmt: skip
        ramp = np.floor(np.float32(255) * np.arange(steps, dtype=np.float32) / np.float32(steps))
        part = np.zeros((steps, 3), np.float32)
        part[:, full] = 255
        part[:, changing] = 255 - ramp if falls else ramp
        parts.append(part)
    return np.concatenate(parts)
