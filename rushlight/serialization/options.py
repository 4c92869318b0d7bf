"""Settings of `torch.save` and `torch.load` that hold for the whole program, under PyTorch's names.

`saving.py`, `loading.py` and `archive.py` ask `settings` at the moment they act. The context managers take effect where
they are called, and are undone at the end of a `with` block.
"""

from __future__ import annotations

import mmap
from enum import Enum


class LoadEndianness(Enum):
    """How files that do not say their byte order are read."""

    NATIVE = 1
    LITTLE = 2
    BIG = 3


class _Settings:
    endianness: LoadEndianness | None = None
    mmap = False
    checksums = True
    skip_data = False


settings = _Settings()


def set_default_load_endianness(endianness: LoadEndianness | None) -> None:
    """Sets the byte order of files that do not say theirs; None stands for little."""
    if endianness is not None and not isinstance(endianness, LoadEndianness):
        raise TypeError("Invalid argument type in function set_default_load_endianness")
    settings.endianness = endianness


def get_default_load_endianness() -> LoadEndianness | None:
    """The byte order of files that do not say theirs, if one was set."""
    return settings.endianness


def set_crc32_options(compute_crc32: bool) -> None:
    """Whether `torch.save` computes checksums. Without them saving is faster, but damage goes unnoticed when loading.

    >>> torch.serialization.set_crc32_options(False)
    >>> torch.serialization.get_crc32_options()
    False
    >>> torch.serialization.set_crc32_options(True)
    """
    settings.checksums = bool(compute_crc32)


def get_crc32_options() -> bool:
    """Whether `torch.save` computes checksums."""
    return settings.checksums


class set_default_mmap_options:
    """How `torch.load(mmap=True)` maps files: only `mmap.MAP_PRIVATE`, where writing to tensors leaves the file alone.

    Raises NotImplementedError for `mmap.MAP_SHARED`: an in-place operation that nobody looks at is never computed, so
    it would not surely reach the file. ValueError for other flags.
    """

    def __init__(self, flags: int) -> None:
        if flags == getattr(mmap, "MAP_SHARED", None):
            raise NotImplementedError("set_default_mmap_options(mmap.MAP_SHARED): Rushlight maps files privately only")
        if flags != getattr(mmap, "MAP_PRIVATE", None):
            raise ValueError(
                "Invalid argument in function set_default_mmap_options, expected mmap.MAP_PRIVATE or "
                f"mmap.MAP_SHARED, but got {flags}"
            )

    def __enter__(self) -> None:
        pass

    def __exit__(self, *_: object) -> None:
        pass


def get_default_mmap_options() -> int | None:
    """The flags that `torch.load(mmap=True)` maps files with; None where the system has no such flags."""
    return getattr(mmap, "MAP_PRIVATE", None)


class skip_data:
    """In a `with` block, `torch.save` leaves room for the storages but does not write them; `torch.load` reads none.

    Where the file system knows holes, the file takes next to no space on disk until something writes the numbers into
    it. Loaded tensors have the sizes that the file says, and arbitrary numbers.

    Raises:
        NotImplementedError: `materialize_fake_tensors`, which belongs to tensors that Rushlight has not.

    >>> import io
    >>> file = io.BytesIO()
    >>> with torch.serialization.skip_data():
    ...     torch.save(torch.ones(3), file)
    >>> _ = file.seek(0); torch.load(file)
    tensor([0., 0., 0.])

    Source: https://docs.pytorch.org/docs/stable/notes/serialization.html
    """

    def __init__(self, materialize_fake_tensors: bool = False) -> None:
        if materialize_fake_tensors:
            raise NotImplementedError("skip_data(materialize_fake_tensors=True): Rushlight has no fake tensors")
        self.before = False

    def __enter__(self) -> None:
        self.before = settings.skip_data
        settings.skip_data = True

    def __exit__(self, *_: object) -> None:
        settings.skip_data = self.before
