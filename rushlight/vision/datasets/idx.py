"""The IDX file format of MNIST: a magic number, the sizes, then the numbers, big-endian.

Such files come from outside. The header is checked before any memory is taken: the magic number and the type, and
that the sizes fit the length of the file exactly; for a compressed file, that they can fit it at all (deflate packs
1032 bytes into one at most). Format: http://yann.lecun.com/exdb/mnist/.
"""

from __future__ import annotations

import math
import os
import struct
from typing import Any, BinaryIO

import numpy as np

TYPES: dict[int, np.dtype[Any]] = {
    0x08: np.dtype(np.uint8),
    0x09: np.dtype(np.int8),
    0x0B: np.dtype(">i2"),
    0x0C: np.dtype(">i4"),
    0x0D: np.dtype(">f4"),
    0x0E: np.dtype(">f8"),
}
MOST_DIMENSIONS = 8
LARGEST_RATIO = {"": 1, ".gz": 1032, ".xz": 10_000}
"""How many bytes a byte of the file can stand for, by the file's suffix."""


class IdxError(ValueError):
    """The file is no IDX file, or is damaged."""


def read_idx(path: str | os.PathLike[str]) -> np.ndarray[Any, Any]:
    """The array in an IDX file, which may be compressed (.gz, .xz), in native byte order.

    Raises:
        IdxError: when the file is anything but a whole IDX file; the message says what was found.
    """
    suffix = os.path.splitext(path)[1]
    limit = os.path.getsize(path) * LARGEST_RATIO.get(suffix, 1)
    try:
        with _open(path, suffix) as file:
            return _read(file, limit, path)
    except (EOFError, OSError) as error:
        if isinstance(error, FileNotFoundError | PermissionError):
            raise
        raise IdxError(f"{path} is damaged: {error}") from error
    except Exception as error:
        if isinstance(error, IdxError):
            raise
        raise IdxError(f"{path} is damaged: {error}") from error  # zlib.error and lzma.LZMAError


def _open(path: str | os.PathLike[str], suffix: str) -> Any:
    if suffix == ".gz":
        import gzip

        return gzip.open(path, "rb")
    if suffix == ".xz":
        import lzma

        return lzma.open(path, "rb")
    return open(path, "rb")


def _read(file: BinaryIO, limit: int, path: Any) -> np.ndarray[Any, Any]:
    dtype, shape = _read_header(file, path)
    size = math.prod(shape) * dtype.itemsize
    if size > limit:
        raise IdxError(f"{path} claims to hold {shape} numbers, {size} bytes: more than can be in a file of its length")
    array = np.empty(shape, dtype)
    view = memoryview(array.reshape(-1).view(np.uint8))  # type: ignore[arg-type]
    got = 0
    while got < size and (count := file.readinto(view[got:])):  # type: ignore[attr-defined]
        got += count
    if got < size:
        raise IdxError(f"{path} is cut short: {got} of {size} bytes are there for an array of shape {shape}")
    if file.read(1):
        raise IdxError(f"{path} is longer than the array of shape {shape} that its header announces")
    return array.astype(dtype.newbyteorder("="), copy=False)


def _read_header(file: BinaryIO, path: Any) -> tuple[np.dtype[Any], tuple[int, ...]]:
    magic = file.read(4)
    if len(magic) < 4 or magic[:2] != b"\0\0" or magic[2] not in TYPES or not 1 <= magic[3] <= MOST_DIMENSIONS:
        raise IdxError(f"{path} is no IDX file: it starts with {magic.hex(' ') or 'nothing'}")
    dimensions = magic[3]
    sizes = file.read(4 * dimensions)
    if len(sizes) < 4 * dimensions:
        raise IdxError(f"{path} is cut short in its header")
    return TYPES[magic[2]], struct.unpack(f">{dimensions}I", sizes)
