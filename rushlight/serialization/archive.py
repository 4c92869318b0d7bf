"""PyTorch's zip files, read and written.

A checkpoint is an uncompressed zip: `<name>/data.pkl` holds the pickle, `<name>/data/<key>` the bytes of each storage,
each entry starting at a multiple of 64 bytes so that it can be mapped into memory, and a few small entries say the
version and the byte order.

`Archive` reads one.  Every position and length that the zip claims is compared with the file before it is used, entries
may not overlap, and nothing is unpacked to disk, so a hostile file can neither take more memory than its own length nor
write anywhere.  `ArchiveWriter` writes one to anything that has `write`.
"""

from __future__ import annotations

import mmap
import os
import struct
import sys
import zipfile
import zlib
from typing import Any

import numpy as np

from .options import settings

ALIGNMENT = 64
NEWEST_VERSION = 10  # of the format, that PyTorch knows
LARGEST_SMALL_ENTRY = 1 << 16  # version, byteorder and the like

ZIP64_FROM = 0xFFFFFFFF  # sizes and positions from here on need the longer records
ZIP64_ENTRIES = 0xFFFF

_LOCAL = struct.Struct("<4s5H3L2H")
_FAILED = "PytorchStreamReader failed "


class Entry:
    """One file inside the archive: where its bytes are."""

    __slots__ = ("crc", "offset", "size")

    def __init__(self, offset: int, size: int, crc: int) -> None:
        self.offset = offset
        self.size = size
        self.crc = crc


class Archive:
    """A zip file of PyTorch's, open for reading.

    `mapped` is a memory map of the whole file, from which storages are taken instead of read.  Raises RuntimeError for
    a file that is no such zip, or one that contradicts itself.
    """

    def __init__(self, file: Any, mapped: mmap.mmap | None = None) -> None:
        self.file = file
        self.mapped = mapped
        try:
            listed = zipfile.ZipFile(file)
        except (OSError, MemoryError):
            raise
        except Exception as error:
            raise RuntimeError(
                f"{_FAILED}reading zip archive: failed finding central directory. The file is cut off? ({error})"
            ) from error
        self.length = file.seek(0, os.SEEK_END)
        self.name, self.entries = self._checked(listed)
        self.version = self._version()

    def _checked(self, listed: zipfile.ZipFile) -> tuple[str, dict[str, Entry]]:
        infos = sorted(listed.infolist(), key=lambda i: i.header_offset)
        limit: int = listed.start_dir
        roots = {i.filename.partition("/")[0] for i in infos}
        if len(roots) != 1:
            raise RuntimeError(f"{_FAILED}reading zip archive: its files are not all in one directory")
        entries: dict[str, Entry] = {}
        for info, after in zip(infos, [*[i.header_offset for i in infos[1:]], limit], strict=True):
            name = _checked_name(info, entries)
            entries[name] = self._entry(info, min(after, limit))
        return roots.pop(), entries

    def _entry(self, info: zipfile.ZipInfo, limit: int) -> Entry:
        """Where the bytes of an entry are; its own header and the directory must agree."""
        self.file.seek(max(info.header_offset, 0))
        header = self.file.read(_LOCAL.size)
        if info.header_offset < 0 or len(header) != _LOCAL.size or header[:4] != b"PK\3\4":
            raise _damaged(info.filename, "its header is not where the directory says")
        *_, method, _, _, _, _, _, name_length, extra_length = _LOCAL.unpack(header)
        name = self.file.read(name_length)
        if name != info.orig_filename.encode("utf-8", "surrogateescape") and name != info.filename.encode(
            "cp437", "replace"
        ):
            raise _damaged(info.filename, "its header has another name")
        if method or info.compress_type or info.flag_bits & 1 or info.compress_size != info.file_size:
            raise _damaged(info.filename, "it is compressed or encrypted, which PyTorch's are not")
        start = info.header_offset + _LOCAL.size + name_length + extra_length
        if start + info.file_size > limit:
            raise _damaged(info.filename, f"it claims {info.file_size} bytes, which are not there")
        return Entry(start, info.file_size, info.CRC)

    def _version(self) -> int:
        if "data.pkl" not in self.entries:
            raise RuntimeError(
                f"{_FAILED}locating file data.pkl: file not found. This zip was not written by torch.save"
            )
        name = "version" if "version" in self.entries else ".data/version"
        text = self.small(name) if name in self.entries else b""
        try:
            version = int(text)
        except ValueError:
            raise RuntimeError(f"{_FAILED}reading the file's version: it says {text[:20]!r}") from None
        if not 1 <= version <= NEWEST_VERSION:
            raise RuntimeError(
                f"Attempted to read a PyTorch file with version {version}, but the maximum supported version for "
                f"reading is {NEWEST_VERSION}. Your PyTorch installation may be too old."
            )
        return version

    def __contains__(self, name: str) -> bool:
        return name in self.entries

    def find(self, name: str) -> Entry:
        """The entry of this name; RuntimeError if there is none."""
        found = self.entries.get(name)
        if found is None:
            raise RuntimeError(f"{_FAILED}locating file {name[:100]}: file not found")
        return found

    def small(self, name: str) -> bytes:
        """The bytes of a short entry."""
        if self.find(name).size > LARGEST_SMALL_ENTRY:
            raise _damaged(name, "it is much longer than it should be")
        return self.read(name)

    def read(self, name: str) -> bytes:
        """The bytes of an entry."""
        return self.array(name, copied=True).tobytes()

    def byteorder(self) -> str | None:
        """`little` or `big`; None if the file does not say."""
        if "byteorder" not in self.entries:
            return None
        order = self.small("byteorder").decode("latin-1")
        if order not in ("little", "big"):
            raise ValueError(f"Unknown endianness type: {order[:20]!r}")
        return order

    def array(self, name: str, copied: bool = False) -> np.ndarray:
        """The bytes of an entry as an array that may be written to; from the map, if there is one."""
        entry = self.find(name)
        if self.mapped is not None and not copied:
            return (
                np.frombuffer(self.mapped, np.uint8, entry.size, entry.offset) if entry.size else np.empty(0, np.uint8)
            )
        found = np.empty(entry.size, np.uint8)
        if settings.skip_data and not copied:
            return found
        self.file.seek(entry.offset)
        read_into(self.file, found)
        if entry.crc and zlib.crc32(found.data) != entry.crc:  # PyTorch can be told to write zeros for the checksums
            raise _damaged(name, "its checksum is wrong")
        return found


def read_into(file: Any, target: np.ndarray) -> None:
    """Fills an array of bytes from a file; RuntimeError if the file ends first."""
    view = target.data
    while view:
        if hasattr(file, "readinto"):
            n = file.readinto(view[: 1 << 30])
        else:
            found = file.read(min(len(view), 1 << 20))
            n = len(found)
            view[:n] = found
        if not n:
            raise RuntimeError(f"unexpected EOF, expected {len(view)} more bytes. The file might be corrupted.")
        view = view[n:]


def _checked_name(info: zipfile.ZipInfo, before: dict[str, Entry]) -> str:
    """The name of an entry below the archive's own directory."""
    root, _, name = info.filename.partition("/")
    if not root or not name or "\\" in name or "" in name.split("/") or ".." in (root, *name.split("/")):
        raise RuntimeError(f"{_FAILED}reading zip archive: the file name {info.filename[:100]!r} in it is not allowed")
    if name in before:
        raise RuntimeError(f"{_FAILED}reading zip archive: it has two files called {name[:100]!r}")
    return name


def _damaged(name: str, what: str) -> RuntimeError:
    return RuntimeError(f"{_FAILED}reading file {name[:100]!r}: {what}. The file is damaged or was made to mislead.")


# ---------------------------------------------------------------------------------------------------------------------
# Writing


class ArchiveWriter:
    """Writes a zip as PyTorch does, to a file that need not be seekable: `add` each entry, then `finish`.

    With `sparse`, which needs a file that can seek, the bytes of storages are passed over.
    """

    def __init__(self, file: Any, name: str, sparse: bool = False) -> None:
        self.file = file
        self.sparse = sparse
        self.name = name
        self.position = 0
        self.directory: list[bytes] = []
        self.checksum = 0

    def add(self, name: str, data: Any) -> None:
        """Writes an entry: bytes, or the memory of a storage."""
        path = f"{self.name}/{name}".encode()
        hollow = self.sparse and not isinstance(data, bytes)
        size, crc = len(data), 0 if hollow or not settings.checksums else zlib.crc32(data)
        self.checksum = zlib.crc32(path + struct.pack("<L", crc), self.checksum)
        long = size >= ZIP64_FROM
        start = self.position + _LOCAL.size + len(path)
        extra = struct.pack("<2H2Q", 1, 16, size, size) if long else b""
        gap = -(start + len(extra) + 4) % ALIGNMENT
        padding = struct.pack("<2s H", b"FB", gap) + b"Z" * gap
        shown = 0xFFFFFFFF if long else size
        common = (45 if long else 0, 0x800, 0, 0, 0, crc, shown, shown, len(path))
        self.directory.append(self._listed(path, size, common))
        self._write(_LOCAL.pack(b"PK\3\4", *common, len(extra) + len(padding)) + path + extra + padding)
        if hollow:
            self.file.seek(size, os.SEEK_CUR)
            self.position += size
        else:
            self._write(data)

    def _listed(self, path: bytes, size: int, common: tuple[int, ...]) -> bytes:
        far = self.position >= ZIP64_FROM
        fields = ([size, size] if common[6] == 0xFFFFFFFF else []) + ([self.position] if far else [])
        extra = struct.pack(f"<2H{len(fields)}Q", 1, 8 * len(fields), *fields) if fields else b""
        offset = 0xFFFFFFFF if far else self.position
        needed = 45 if fields else 0
        numbers = (b"PK\1\2", needed, needed, *common[1:], len(extra), 0, 0, 0, 0, offset)
        return struct.pack("<4s6H3L5H2L", *numbers) + path + extra

    def finish(self) -> None:
        """Writes the directory, which ends the file."""
        start, count = self.position, len(self.directory)
        listing = b"".join(self.directory)
        self._write(listing)
        if start >= ZIP64_FROM or count >= ZIP64_ENTRIES or len(listing) >= ZIP64_FROM:
            at = self.position
            self._write(struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, count, count, len(listing), start))
            self._write(struct.pack("<4sLQL", b"PK\6\7", 0, at, 1))
        short = min(count, 0xFFFF)
        sizes = min(len(listing), 0xFFFFFFFF), min(start, 0xFFFFFFFF) if start < ZIP64_FROM else 0xFFFFFFFF
        self._write(struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, short, short, *sizes, 0))

    def _write(self, data: Any) -> None:
        write_whole(self.file, data)
        self.position += len(data)


def write_whole(file: Any, data: Any) -> None:
    """Writes all of the bytes: a file without a buffer may take only a part of them at a time (2 GB on Linux)."""
    left = memoryview(data)
    while left:
        taken = file.write(left)
        if not isinstance(taken, int) or taken >= len(left):
            return
        left = left[taken:]


def write_archive(file: Any, name: str, pickled: bytes, storages: list[np.ndarray], byteorder: bool = True) -> None:
    """Writes a whole checkpoint: the pickle and, under the keys 0, 1, 2..., the bytes of the storages."""
    writer = ArchiveWriter(file, name, sparse=settings.skip_data)
    writer.add("data.pkl", pickled)
    writer.add(".format_version", b"1")
    writer.add(".storage_alignment", b"%d" % ALIGNMENT)
    if byteorder:
        writer.add("byteorder", sys.byteorder.encode())
    for key, data in enumerate(storages):
        writer.add(f"data/{key}", data.data)
    writer.add("version", b"3\n")
    writer.add(".data/serialization_id", b"%040d" % writer.checksum)
    writer.finish()


class PyTorchFileReader:
    """`torch.PyTorchFileReader`: the entries of a checkpoint by their names, for programs that read single ones."""

    def __init__(self, name_or_buffer: Any) -> None:
        named = isinstance(name_or_buffer, str | os.PathLike)
        self._archive = Archive(open(name_or_buffer, "rb") if named else name_or_buffer)  # noqa: SIM115 - kept open

    def has_record(self, name: str) -> bool:
        """Whether there is an entry of this name."""
        return name in self._archive

    def get_record(self, name: str) -> bytes:
        """The bytes of an entry."""
        return self._archive.read(name)

    def get_all_records(self) -> list[str]:
        """The names of all entries."""
        return list(self._archive.entries)
