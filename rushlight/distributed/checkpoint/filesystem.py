"""Distributed checkpoints in a folder: a file of pieces, each as `torch.save` writes it, and `.metadata` beside it."""

from __future__ import annotations

import io
import os
import pickle
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rushlight import serialization
from rushlight.core.layout import contiguous_format, strided
from rushlight.core.missing import missing
from rushlight.core.size import Size
from rushlight.distributed.checkpoint.metadata import (
    BytesStorageMetadata,
    ChunkStorageMetadata,
    Metadata,
    MetadataIndex,
    StorageInfo,
    StorageMeta,
    TensorProperties,
    TensorStorageMetadata,
)
from rushlight.serialization.pickler import Pickler
from rushlight.serialization.unpickler import Source, Unpickler
from rushlight.tensor import FUNCTIONS, Tensor

__all__ = ["FileSystemReader", "FileSystemWriter"]

_StorageInfo = StorageInfo
_METADATA = ".metadata"
_PIECES = "__0_0.distcp"


def _described(t: Tensor) -> TensorStorageMetadata:
    properties = TensorProperties(t.dtype, strided, bool(t.requires_grad), contiguous_format, False)
    whole = ChunkStorageMetadata(Size([0] * t.dim()), Size(t.shape))
    return TensorStorageMetadata(properties, Size(t.shape), [whole])


class FileSystemWriter:
    """Writes a checkpoint into a folder, which is made.

    Args:
        path: the folder.
        single_file_per_rank, sync_files, thread_count, per_thread_copy_ahead: accepted; one file is written at once.
        overwrite: whether a checkpoint that is there may be replaced; RuntimeError otherwise.
    """

    def __init__(
        self, path: str | os.PathLike[str], single_file_per_rank: bool = True, sync_files: bool = True,
        thread_count: int = 1, per_thread_copy_ahead: int = 10_000_000, cache_staged_state_dict: bool = False,
        overwrite: bool = True, **_: Any,
    ) -> None:  # fmt: skip
        self.path, self.overwrite = Path(path), overwrite

    def reset(self, checkpoint_id: Any = None) -> None:
        """Another folder from now on."""
        if checkpoint_id is not None:
            self.path = Path(checkpoint_id)

    def write(self, flat: Mapping[str, Any], paths: Mapping[str, Any]) -> Metadata:
        """Writes leaves and their paths; `.metadata` appears last, and whole."""
        if (self.path / _METADATA).exists() and not self.overwrite:
            raise RuntimeError(f"Checkpoint already exists and self.overwrite={self.overwrite}.")
        self.path.mkdir(parents=True, exist_ok=True)
        tensors = {name: t for name, t in flat.items() if isinstance(t, Tensor)}
        others = {name: x for name, x in flat.items() if name not in tensors}
        about: dict[str, Any] = {
            name: _described(t) if isinstance(t, Tensor) else BytesStorageMetadata() for name, t in flat.items()
        }
        storage: dict[MetadataIndex, StorageInfo] = {}
        temporary = self.path / f"{_PIECES}.tmp"
        with temporary.open("wb") as file:
            for name, value in (*others.items(), *tensors.items()):
                index = MetadataIndex(name)
                if name in tensors:
                    index = MetadataIndex(name, Size([0] * value.dim()), 0)
                    value = value.detach().clone()  # a view's whole storage is not wanted
                storage[index] = _append(file, value)
        temporary.replace(self.path / _PIECES)
        meta = StorageMeta(str(self.path), str(uuid.uuid4()))
        made = Metadata(about, dict(paths), storage, meta, "1.0.0")
        self._write_metadata(made)
        return made

    def _write_metadata(self, made: Metadata) -> None:
        text = io.BytesIO()
        Pickler(text, 4).dump(made)
        temporary = self.path / f"{_METADATA}.tmp"
        temporary.write_bytes(text.getvalue())
        temporary.replace(self.path / _METADATA)


def _append(file: Any, value: Any) -> StorageInfo:
    piece = io.BytesIO()
    serialization.save(value, piece)
    start = file.tell()
    file.write(piece.getbuffer())
    return StorageInfo(_PIECES, start, piece.tell())


class FileSystemReader:
    """Reads a checkpoint from a folder, PyTorch's or ours, as data: nothing in it is run."""

    def __init__(self, path: str | os.PathLike[str], *_: Any, **__: Any) -> None:
        self.path = Path(path)
        self._metadata: Metadata | None = None

    def reset(self, checkpoint_id: Any = None) -> None:
        """Another folder from now on."""
        if checkpoint_id is not None:
            self.path = Path(checkpoint_id)
        self._metadata = None

    def read_metadata(self, *_: Any, **__: Any) -> Metadata:
        """What there is. Raises FileNotFoundError, and UnpicklingError for a file that is something else."""
        if self._metadata is None:
            text = (self.path / _METADATA).read_bytes()
            found = Unpickler(Source(io.BytesIO(text), len(text)), _no_storage).load()
            if not isinstance(found, Metadata) or not isinstance(found.storage_data, dict):
                raise pickle.UnpicklingError(f"{self.path / _METADATA} is not the metadata of a checkpoint")
            self._metadata = found
        return self._metadata

    def read_object(self, name: str) -> Any:
        """Something else than a tensor."""
        return self._piece(MetadataIndex(name))

    def read_tensor(self, name: str, about: TensorStorageMetadata) -> Tensor:
        """A whole tensor, put together of its chunks."""
        if len(about.chunks) == 1 and tuple(about.chunks[0].sizes) == tuple(about.size):
            return self._chunk(name, about.chunks[0], about)
        whole: Tensor = FUNCTIONS["empty"](tuple(about.size), dtype=about.properties.dtype)
        filled = 0
        for chunk in about.chunks:
            box = tuple(slice(o, o + n) for o, n in zip(chunk.offsets, chunk.sizes, strict=True))
            if any(o < 0 or o + n > size for o, n, size in zip(chunk.offsets, chunk.sizes, about.size, strict=True)):
                raise pickle.UnpicklingError(f"{name}: a chunk lies outside of the tensor")
            whole[box] = self._chunk(name, chunk, about)
            filled += chunk.sizes.numel()
        if filled < whole.numel():
            raise RuntimeError(f"{name}: the checkpoint's chunks do not fill the tensor of size {tuple(about.size)}")
        return whole

    def _chunk(self, name: str, chunk: ChunkStorageMetadata, about: TensorStorageMetadata) -> Tensor:
        found = self._piece(MetadataIndex(name, Size(chunk.offsets)))
        if not isinstance(found, Tensor) or tuple(found.shape) != tuple(chunk.sizes):
            raise pickle.UnpicklingError(f"{name}: its piece of the checkpoint is no tensor of size {chunk.sizes}")
        return found

    def _piece(self, index: MetadataIndex) -> Any:
        where = self.read_metadata().storage_data.get(index)
        if not isinstance(where, StorageInfo) or where.transform_descriptors:
            raise RuntimeError(f"{index.fqn}: no plain piece of it is in the checkpoint {self.path}")
        path = (self.path / where.relative_path).resolve()
        if self.path.resolve() not in path.parents:
            raise pickle.UnpicklingError(f"{index.fqn}: its piece would lie outside of the checkpoint's folder")
        with path.open("rb") as file:
            if not 0 <= where.offset <= where.offset + where.length <= os.fstat(file.fileno()).st_size:
                raise pickle.UnpicklingError(f"{index.fqn}: its piece would lie outside of {path.name}")
            file.seek(where.offset)
            piece = file.read(where.length)
        return serialization.load(io.BytesIO(piece), map_location="cpu")


def _no_storage(description: tuple[Any, ...]) -> Any:
    raise pickle.UnpicklingError("the metadata of a checkpoint holds no tensors")


__getattr__ = missing(__name__)
