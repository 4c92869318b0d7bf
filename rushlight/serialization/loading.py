"""`load`: an object from a file that `torch.save` wrote, PyTorch's or ours, in today's zip format or the older one.

`load` opens the file and looks at its first bytes; `_load_zip` and `_load_legacy` run the `Unpickler` on the pickle in
it, and answer its questions for storages.  Where a storage belongs is decided by `Mapping` from `map_location`.
Whatever a file contains, loading it runs no code of the file's choice.
"""

from __future__ import annotations

import io
import mmap as memory_map
import os
import pickle
import pickletools
import struct
import sys
from collections.abc import Callable, Iterator
from pickle import UnpicklingError
from typing import IO, Any

import numpy as np

from rushlight.core.device import device

from . import allowlist
from .archive import Archive, read_into
from .locations import default_restore_location
from .options import LoadEndianness, settings
from .saving import MAGIC_NUMBER, PROTOCOL_VERSION
from .storages import LoadedStorage, StorageType
from .unpickler import Source, Unpickler

MapLocation = Callable[[Any, str], Any] | device | str | dict[str, str] | None


def load(
    f: str | os.PathLike[str] | IO[bytes],
    map_location: MapLocation = None,
    pickle_module: Any = None,
    *,
    weights_only: bool | None = None,
    mmap: bool | None = None,
    **pickle_load_args: Any,
) -> Any:
    """Loads an object that `torch.save` has written, by PyTorch or by Rushlight.

    Tensors, plain containers, numbers, texts, NumPy arrays and named tuples are read; classes and functions are not,
    unless `torch.serialization.add_safe_globals` was given them. That holds with `weights_only=False` too.

    Args:
        f: a path, or a file that can `read` and `seek`.
        map_location: where storages go: a device, a dict from device names to device names, or a function of a storage
            and the name of the device it was on. Needed for files that were saved on a GPU.
        pickle_module: not used; there is one reader.
        mmap: leave the storages in the file and map it into memory. Writing to the tensors does not change the file.
        pickle_load_args: `encoding` for texts that Python 2 wrote.

    Raises:
        pickle.UnpicklingError: the file asks for something that is not allowed, or its pickle is damaged.
        RuntimeError: the file is damaged in another way, or belongs to a device that is not there.
        EOFError: the file is empty.

    >>> import io
    >>> file = io.BytesIO()
    >>> torch.save([torch.arange(3), "text"], file)
    >>> _ = file.seek(0); torch.load(file)
    [tensor([0, 1, 2]), 'text']

    Source: https://pytorch.org/docs/stable/generated/torch.load.html
    """
    if weights_only and pickle_module is not None:
        raise RuntimeError("Can not safely load weights when explicit pickle_module is specified")
    if pickle_module not in (None, pickle):
        raise NotImplementedError("torch.load(pickle_module=...): Rushlight has one reader, which never runs code")
    for name in pickle_load_args.keys() - {"encoding", "errors", "fix_imports", "buffers"}:
        raise TypeError(f"Unpickler.__init__() got an unexpected keyword argument '{name}'")
    encoding = pickle_load_args.get("encoding", "utf-8")
    mapping = Mapping(map_location)
    mapped = settings.mmap if mmap is None else mmap
    try:
        if isinstance(f, (str, os.PathLike)):
            with open(f, "rb") as file:
                return _load(file, mapping, encoding, mapped)
        if mapped:
            raise ValueError("f must be a file path in order to use the mmap argument")
        return _load_at_position(f, mapping, encoding)
    except UnpicklingError as error:
        raise UnpicklingError(f"Weights only load failed. {error}") from error


def _load_at_position(f: Any, mapping: Mapping, encoding: str) -> Any:
    """Loads from an open file, whose position stays as it was if that fails."""
    _check_seekable(f)
    start = f.tell()
    try:
        return _load(f, mapping, encoding, False)
    except BaseException:
        f.seek(start)
        raise


def _check_seekable(f: Any) -> None:
    for method in ("seek", "tell", "read"):
        if not hasattr(f, method):
            raise AttributeError(
                f"'{type(f).__name__}' object has no attribute '{method}'. You can only torch.load from a file that is "
                "seekable. Please pre-load the data into a buffer like io.BytesIO and try to load from it instead."
            )


def _load(file: Any, mapping: Mapping, encoding: str, mapped: bool) -> Any:
    start = file.tell()
    first = file.read(4)
    if isinstance(first, str):
        raise TypeError("torch.load needs a file of bytes: open it with mode 'rb'")
    if not first:
        raise EOFError("Ran out of input")
    if first == b"PK\3\4":
        whole = memory_map.mmap(file.fileno(), 0, access=memory_map.ACCESS_COPY) if mapped else None
        return ZipReader(Archive(file, whole), mapping, encoding).load()
    if mapped:
        raise RuntimeError(
            "mmap can only be used with files saved with `torch.save(_use_new_zipfile_serialization=True), please "
            "torch.save your checkpoint with this option in order to use mmap."
        )
    _refuse_tar(file, start)
    file.seek(start)
    return LegacyReader(file, mapping, encoding).load()


def _refuse_tar(file: Any, start: int) -> None:
    file.seek(start + 257)
    if file.read(5) == b"ustar":
        raise RuntimeError(
            "The file is a tar archive, as the first versions of PyTorch wrote them. Load it with PyTorch and save it "
            "again to read it here."
        )


# ---------------------------------------------------------------------------------------------------------------------
# Devices


class Mapping:
    """Decides where a storage of the file goes."""

    def __init__(self, wanted: MapLocation) -> None:
        if isinstance(wanted, bytes):
            wanted = wanted.decode("ascii")
        if isinstance(wanted, str):
            wanted = device(wanted)
        if wanted is not None and not isinstance(wanted, (device, dict)) and not callable(wanted):
            raise TypeError(
                f"map_location must be a device, a string, a dict or a function, not {type(wanted).__name__}"
            )
        self.wanted = wanted

    def place(self, storage: LoadedStorage, location: str) -> LoadedStorage:
        """The storage where it belongs, which may be another if `map_location` is a function."""
        if isinstance(self.wanted, device):
            location = str(self.wanted)
        elif isinstance(self.wanted, dict):
            location = str(self.wanted.get(location, location))
        elif self.wanted is not None:
            found = self.wanted(storage.untyped(), location)
            if found is not None:
                return storage
        default_restore_location(storage, location)  # raises for a place that nobody knows
        return storage


def _described(description: tuple[Any, ...], fields: int) -> tuple[StorageType, str, str, int]:
    """The type, key, device and number of elements that a persistent id names."""
    if len(description) != fields:
        raise UnpicklingError(f"a storage is described by {fields} fields, not {len(description)}")
    kind, key, location, count = description[1:5]
    if isinstance(key, int):
        key = str(key)
    if not isinstance(kind, StorageType) or not isinstance(key, str) or not isinstance(location, str):
        raise UnpicklingError("the description of a storage is not one that PyTorch writes")
    if type(count) is not int or not 0 <= count < 1 << 60:
        raise UnpicklingError(f"a storage cannot have {str(count)[:40]} elements")
    return kind, key, location, count


# ---------------------------------------------------------------------------------------------------------------------
# The zip format


class ZipReader:
    """Loads the object in an `Archive`."""

    def __init__(self, archive: Archive, mapping: Mapping, encoding: str) -> None:
        if "constants.pkl" in archive:
            raise RuntimeError(
                "The file is a TorchScript archive (torch.jit.save): a program, not data. Rushlight does not run it; "
                "save the module's state_dict() with torch.save instead."
            )
        self.archive = archive
        self.mapping = mapping
        self.encoding = encoding
        self.storages: dict[str, LoadedStorage] = {}
        self.swapped = _order_of(archive) != sys.byteorder

    def load(self) -> Any:
        """The object."""
        pickled = self.archive.read("data.pkl")
        return Unpickler(Source(io.BytesIO(pickled), len(pickled)), self._storage, self.encoding).load()

    def _storage(self, description: tuple[Any, ...]) -> LoadedStorage:
        kind, key, location, count = _described(description, 5)
        found = self.storages.get(key)
        if found is None:
            found = self.storages[key] = self.mapping.place(self._read(kind, key, count), location)
        if found.kind is not kind.dtype and kind.dtype is not None:
            raise UnpicklingError(f"storage {key[:40]} is described with two types")
        return found

    def _read(self, kind: StorageType, key: str, count: int) -> LoadedStorage:
        data = self.archive.array(f"data/{key}")
        if data.size < count * kind.itemsize:
            raise RuntimeError(
                f"storage {key[:40]} has {data.size} bytes, but {count} elements of {kind} need "
                f"{count * kind.itemsize}: the file is damaged"
            )
        return storage_on(data[: count * kind.itemsize], kind, self.swapped)


def storage_on(data: np.ndarray, kind: StorageType, swapped: bool) -> LoadedStorage:
    """A storage on the bytes of a file, in this machine's byte order, aligned for its type."""
    if kind.dtype is None:
        return LoadedStorage(data, None)
    numpy_type = kind.dtype.numpy
    if data.__array_interface__["data"][0] % max(numpy_type.alignment, 1):
        data = data.copy()
    if swapped:
        width = kind.itemsize // 2 if kind.dtype.is_complex else kind.itemsize
        data = np.ascontiguousarray(data.reshape(-1, width)[:, ::-1]).reshape(-1)
    return LoadedStorage(data.view(numpy_type), kind.dtype)


def _order_of(archive: Archive) -> str:
    order = archive.byteorder()
    if order is not None:
        return order
    chosen = settings.endianness
    return sys.byteorder if chosen is LoadEndianness.NATIVE else "big" if chosen is LoadEndianness.BIG else "little"


# ---------------------------------------------------------------------------------------------------------------------
# The older format


class LegacyReader:
    """Loads the object in a file of the older format: pickles one after another, then the storages.

    The object's pickle is run twice: first only to learn the types of the storages, which are then read, and again on
    the storages with their numbers, which some objects need as they are built.
    """

    def __init__(self, file: Any, mapping: Mapping, encoding: str) -> None:
        self.file = file
        start = file.tell()
        self.source = Source(file, file.seek(0, os.SEEK_END) - start)
        file.seek(start)
        self.mapping = mapping
        self.encoding = encoding
        self.storages: dict[str, LoadedStorage] = {}
        self.claimed = 0

    def load(self) -> Any:
        """The object; the file is left where its data end, so that another may follow."""
        self._header()
        start, left = self.file.tell(), self.source.left
        self._unpickle(dry=True)
        keys = self._unpickle()
        if not isinstance(keys, list) or set(map(str, keys)) != self.storages.keys() or len(keys) != len(self.storages):
            raise RuntimeError("the file's list of storages does not match those its object uses: corrupt file?")
        for key in keys:
            self._fill(self.storages[str(key)])
        end = self.file.tell()
        self.file.seek(start)
        self.source.left = left
        made = self._unpickle()
        self.file.seek(end)
        return made

    def _header(self) -> None:
        try:
            magic = self._unpickle()
        except (UnpicklingError, EOFError) as error:
            raise UnpicklingError(f"this is not a file that torch.save wrote, or it is damaged ({error})") from error
        if type(magic) is not int or magic != MAGIC_NUMBER:
            raise RuntimeError("Invalid magic number; corrupt file? (It is a pickle, but torch.save did not write it.)")
        version = self._unpickle()
        if version != PROTOCOL_VERSION:
            raise RuntimeError(f"Invalid protocol version: {str(version)[:40]}")
        if not isinstance(self._unpickle(), dict):
            raise RuntimeError("the file's description of its system is missing: corrupt file?")

    def _unpickle(self, dry: bool = False) -> Any:
        return Unpickler(self.source, self._storage, self.encoding, dry).load()

    def _storage(self, description: tuple[Any, ...]) -> LoadedStorage:
        kind, key, location, count = _described(description, 6)
        found = self.storages.get(key)
        if found is None:
            found = self.storages[key] = self.mapping.place(self._reserved(kind, count), location)
        if found.kind is not kind.dtype and kind.dtype is not None:
            raise UnpicklingError(f"storage {key[:40]} is described with two types")
        if description[5] is not None:
            raise NotImplementedError(
                "the file has parts of storages as storages, as PyTorch before 0.4 wrote them: load it with PyTorch "
                "and save it again"
            )
        return found

    def _reserved(self, kind: StorageType, count: int) -> LoadedStorage:
        """A storage whose numbers come later in the file."""
        self.claimed += count * kind.itemsize
        if self.claimed > self.source.left:
            raise UnpicklingError("the storages are larger than what is left of the file: it is cut off, or misleads")
        numpy_type = np.dtype(np.uint8) if kind.dtype is None else kind.dtype.numpy
        return LoadedStorage(np.zeros(count, numpy_type), kind.dtype)

    def _fill(self, storage: LoadedStorage) -> None:
        (count,) = struct.unpack("<q", self.source.read(8))
        if count != storage.flat.size:
            raise RuntimeError(f"a storage of {storage.flat.size} elements is stored with {count}: corrupt file?")
        data = storage.flat.view(np.uint8)
        if data.size > self.source.left:
            raise RuntimeError(f"unexpected EOF, expected {data.size} more bytes. The file might be corrupted.")
        read_into(self.file, data)
        self.source.left -= data.size


# ---------------------------------------------------------------------------------------------------------------------
# Looking without loading


def get_unsafe_globals_in_checkpoint(f: str | os.PathLike[str] | IO[bytes]) -> list[str]:
    """The classes and functions that a file names and `load` would refuse."""
    if isinstance(f, (str, os.PathLike)):
        with open(f, "rb") as file:
            return get_unsafe_globals_in_checkpoint(file)
    if f.read(4) != b"PK\3\4":
        raise ValueError("Expected input to be a checkpoint returned by torch.save")
    return allowlist.unknown_globals(_globals_in(Archive(f).read("data.pkl")))


def _globals_in(pickled: bytes) -> Iterator[tuple[str, str]]:
    texts: list[str] = []
    for opcode, argument, _ in pickletools.genops(pickled):
        if opcode.name == "GLOBAL":
            module, _, name = str(argument).partition(" ")
            yield module, name
        elif opcode.name == "STACK_GLOBAL" and len(texts) > 1:
            yield texts[-2], texts[-1]
        elif isinstance(argument, str):
            texts.append(argument)
