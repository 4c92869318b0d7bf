"""`save`: one object into one file, in PyTorch's format.

The object is pickled into memory first; only when that has succeeded is anything written, and to a path it is written
through a temporary file beside it, so that a failure leaves the old file as it was.
"""

from __future__ import annotations

import contextlib
import io
import os
import pickle
import secrets
import struct
import sys
import warnings
from collections.abc import Callable, Iterator
from typing import IO, Any

import numpy as np

from .archive import write_archive, write_whole
from .options import settings
from .pickler import Pickler

MAGIC_NUMBER = 0x1950A86A20F9469CFC6C
PROTOCOL_VERSION = 1001
DEFAULT_PROTOCOL = 2

WHOLE_MODULE = (
    "This file will hold a whole module ({name}), that is, code by name. PyTorch may load it with weights_only=False; "
    "Rushlight reads only data. Save module.state_dict() instead: load it with model.load_state_dict(torch.load(...))."
)


def save(
    obj: object,
    f: str | os.PathLike[str] | IO[bytes],
    pickle_module: Any = pickle,
    pickle_protocol: int = DEFAULT_PROTOCOL,
    _use_new_zipfile_serialization: bool = True,
    _disable_byteorder_record: bool = False,
) -> None:
    """Saves an object to a file that PyTorch and Rushlight can load.

    Args:
        obj: tensors, state dicts, and whatever Python can pickle. A whole module is written, but only PyTorch reads it.
        f: a path, or anything with `write`. A path is replaced as a whole, or left as it was.
        pickle_module: only Python's own `pickle`.
        pickle_protocol: 2, which every PyTorch reads, or a later one.

    Raises:
        AttributeError: `f` is neither a path nor a file. RuntimeError: the directory does not exist.
        pickle.PicklingError (or what the object's own pickling raises): nothing has been written.

    >>> import io
    >>> file = io.BytesIO()
    >>> torch.save({"weight": torch.ones(2)}, file)
    >>> _ = file.seek(0); torch.load(file)
    {'weight': tensor([1., 1.])}

    Source: https://pytorch.org/docs/stable/generated/torch.save.html
    """
    if pickle_module is not pickle:
        raise NotImplementedError("torch.save(pickle_module=...): only Python's own pickle module is supported")
    if not isinstance(f, (str, os.PathLike)) and not hasattr(f, "write"):
        raise AttributeError("expected 'f' to be string, path, or a file-like object with a 'write' attribute")
    if not _use_new_zipfile_serialization and settings.skip_data:
        raise RuntimeError("Cannot use skip_data=True with _use_new_zipfile_serialization=False")
    if _use_new_zipfile_serialization:
        pickled, arrays = _pickled(obj, pickle_protocol)
        byteorder = not _disable_byteorder_record
        _write(f, lambda file, name: write_archive(file, name, pickled, arrays, byteorder))
    else:
        parts = _legacy_parts(obj, pickle_protocol)
        _write(f, lambda file, name: _write_parts(file, parts))


def _pickled(obj: object, protocol: int) -> tuple[bytes, list[np.ndarray]]:
    file = io.BytesIO()
    pickler = Pickler(file, protocol)
    _dump(pickler, obj)
    return file.getvalue(), [memory.flat for memory in pickler.storages]


def _dump(pickler: Pickler, obj: object) -> None:
    try:
        pickler.dump(obj)
    except RecursionError:
        raise pickle.PicklingError("the object nests too deeply to be saved") from None
    if pickler.whole_module is not None:
        warnings.warn(WHOLE_MODULE.format(name=pickler.whole_module), UserWarning, stacklevel=4)


def _legacy_parts(obj: object, protocol: int) -> list[Any]:
    """The older format: four pickles, the keys, and each storage after its length."""
    file = io.BytesIO()
    sizes = {"short": 2, "int": 4, "long": 4}
    system = {"protocol_version": PROTOCOL_VERSION, "little_endian": sys.byteorder == "little", "type_sizes": sizes}
    for header in (MAGIC_NUMBER, PROTOCOL_VERSION, system):
        pickle.dump(header, file, protocol)
    pickler = Pickler(file, protocol, legacy=True)
    _dump(pickler, obj)
    pickle.dump([memory.key for memory in pickler.storages], file, protocol)
    parts: list[Any] = [file.getvalue()]
    for memory in pickler.storages:
        parts += [struct.pack("<q", memory.flat.size // memory.kind.itemsize), memory.flat.data]
    return parts


def _write_parts(file: Any, parts: list[Any]) -> None:
    for part in parts:
        write_whole(file, part)


def _write(f: Any, write: Callable[[IO[bytes], str], None]) -> None:
    if not isinstance(f, (str, os.PathLike)):
        write(f, "archive")
        if hasattr(f, "flush"):
            f.flush()
        return
    path = os.path.realpath(os.fspath(f))  # a link stays a link
    parent = os.path.dirname(path)
    if not os.path.isdir(parent):
        raise RuntimeError(f"Parent directory {os.path.dirname(os.fspath(f))} does not exist.")
    name = os.path.splitext(os.path.basename(os.fspath(f)))[0].lstrip(".") or "archive"
    with replaced(path) as file:
        write(file, name)


@contextlib.contextmanager
def replaced(path: str) -> Iterator[IO[bytes]]:
    """A file to write that becomes `path` when the block ends well, and vanishes when it does not."""
    if os.path.exists(path) and not os.path.isfile(path):
        with open(path, "wb") as file:  # a device or a pipe; a directory is an error here
            yield file
        return
    temporary = f"{path}.{secrets.token_hex(4)}.tmp"
    try:
        with open(temporary, "xb") as file:
            yield file
        if os.path.exists(path):
            os.chmod(temporary, os.stat(path).st_mode & 0o7777)
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise
