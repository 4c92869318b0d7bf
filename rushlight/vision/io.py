"""torchvision.io: pictures from files and bytes as tensors (C, H, W) of bytes, and back. PIL reads and writes them."""

from __future__ import annotations

import io as streams
import os
from enum import Enum
from typing import Any

from rushlight.core.missing import missing
from rushlight.tensor import Tensor
from rushlight.vision.transforms.functional import pil_to_tensor, to_pil_image

__all__ = ["ImageReadMode", "decode_image", "encode_jpeg", "encode_png", "read_file", "read_image", "write_file",
           "write_jpeg", "write_png"]  # fmt: skip


class ImageReadMode(Enum):
    """Which channels a picture is given."""

    UNCHANGED = 0
    GRAY = 1
    GRAY_ALPHA = 2
    RGB = 3
    RGB_ALPHA = 4


_MODES = {"GRAY": "L", "GRAY_ALPHA": "LA", "RGB": "RGB", "RGB_ALPHA": "RGBA"}


def read_file(path: str | os.PathLike[str]) -> Tensor:
    """The bytes of a file (N,)."""
    import rushlight

    with open(path, "rb") as file:
        return rushlight.tensor(bytearray(file.read()), dtype=rushlight.uint8)


def write_file(filename: str, data: Tensor) -> None:
    """Writes bytes (N,) into a file."""
    with open(filename, "wb") as file:
        file.write(data.numpy().tobytes())  # type: ignore[attr-defined]


def decode_image(
    input: Tensor | str | os.PathLike[str], mode: ImageReadMode | str = ImageReadMode.UNCHANGED,
    apply_exif_orientation: bool = False,
) -> Tensor:  # fmt: skip
    """The picture (C, H, W) that bytes (N,), or a file of that name, hold.

    Raises RuntimeError where they hold none that PIL can read.
    """
    from PIL import Image, ImageOps, UnidentifiedImageError

    data = read_file(input) if not isinstance(input, Tensor) else input
    chosen = mode if isinstance(mode, str) else mode.name
    try:
        picture: Any = Image.open(streams.BytesIO(data.numpy().tobytes()))  # type: ignore[attr-defined]
        picture.load()
    except (UnidentifiedImageError, OSError) as error:
        raise RuntimeError(f"Unsupported image file: {error}") from error
    picture = ImageOps.exif_transpose(picture) if apply_exif_orientation else picture
    if chosen.upper() in _MODES:
        picture = picture.convert(_MODES[chosen.upper()])
    elif picture.mode == "P":
        picture = picture.convert("RGB")
    return pil_to_tensor(picture)


def read_image(
    path: str, mode: ImageReadMode | str = ImageReadMode.UNCHANGED, apply_exif_orientation: bool = False
) -> Tensor:
    """The picture (C, H, W) in a file; see `decode_image`."""
    return decode_image(read_file(path), mode, apply_exif_orientation)


def _encoded(input: Tensor, kind: str, **options: int) -> Tensor:
    import rushlight

    held = streams.BytesIO()
    to_pil_image(input).save(held, kind, **options)
    return rushlight.tensor(bytearray(held.getvalue()), dtype=rushlight.uint8)


def encode_png(input: Tensor, compression_level: int = 6) -> Tensor:
    """The bytes (N,) of a PNG file of the picture (C, H, W)."""
    return _encoded(input, "PNG", compress_level=compression_level)


def encode_jpeg(input: Tensor, quality: int = 75) -> Tensor:
    """The bytes (N,) of a JPEG file of the picture (C, H, W). Raises ValueError for a quality beyond 1 to 100."""
    if not 1 <= quality <= 100:
        raise ValueError("Image quality should be a positive number between 1 and 100")
    return _encoded(input, "JPEG", quality=quality)


def write_png(input: Tensor, filename: str, compression_level: int = 6) -> None:
    """Writes the picture into a PNG file."""
    write_file(filename, encode_png(input, compression_level))


def write_jpeg(input: Tensor, filename: str, quality: int = 75) -> None:
    """Writes the picture into a JPEG file."""
    write_file(filename, encode_jpeg(input, quality))


__getattr__ = missing(__name__)
