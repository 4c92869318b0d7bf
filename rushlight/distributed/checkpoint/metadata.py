"""What a distributed checkpoint says about itself: the contents of its file `.metadata`.

The file is a pickle of these classes under PyTorch's names. It is read as `torch.load` reads: plain data is built
and nothing called; the functions at the end say how it builds these classes, and check every field.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field, fields
from enum import Enum
from pathlib import PurePath
from typing import Any

from rushlight.core import layout as layouts
from rushlight.core.dtype import dtype
from rushlight.core.missing import missing
from rushlight.core.size import Size
from rushlight.serialization import builders
from rushlight.serialization.builders import GLOBALS, NEWS, STATES, called, refused
from rushlight.serialization.pickler import NAMES

__all__ = [
    "BytesStorageMetadata", "ChunkStorageMetadata", "Metadata", "MetadataIndex", "StorageMeta", "TensorProperties",
    "TensorStorageMetadata",
]  # fmt: skip

STATE_DICT_TYPE = dict[str, Any]


@dataclass
class ChunkStorageMetadata:
    """A box of a tensor that lies in one piece: where it begins, and how large it is."""

    offsets: Size
    sizes: Size


class _MEM_FORMAT_ENCODING(Enum):
    """Memory formats, as the file writes them."""

    TORCH_CONTIGUOUS_FORMAT = 0
    TORCH_CHANNELS_LAST = 1
    TORCH_PRESERVE_FORMAT = 2


_FORMATS = {
    _MEM_FORMAT_ENCODING.TORCH_CONTIGUOUS_FORMAT: layouts.contiguous_format,
    _MEM_FORMAT_ENCODING.TORCH_CHANNELS_LAST: layouts.channels_last,
    _MEM_FORMAT_ENCODING.TORCH_PRESERVE_FORMAT: layouts.preserve_format,
}


@dataclass
class TensorProperties:
    """What a tensor is, beside its size."""

    dtype: Any
    layout: Any = layouts.strided
    requires_grad: bool = False
    memory_format: Any = layouts.contiguous_format
    pin_memory: bool = False

    def __getstate__(self) -> tuple[Any, ...]:
        encoding = next(code for code, known in _FORMATS.items() if known is self.memory_format)
        return self.dtype, self.layout, self.requires_grad, encoding, self.pin_memory


@dataclass
class TensorStorageMetadata:
    """A tensor of the checkpoint, in one or several chunks."""

    properties: TensorProperties
    size: Size
    chunks: list[ChunkStorageMetadata]


@dataclass
class BytesStorageMetadata:
    """Something else than a tensor, saved by `torch.save`."""


@dataclass
class MetadataIndex:
    """Names one piece: of what, and which chunk (`index` is a hint only)."""

    fqn: str
    offset: Size | None = None
    index: int | None = field(default=None, compare=False)

    def __hash__(self) -> int:
        return hash((self.fqn, self.offset))


@dataclass
class StorageMeta:
    """When and where the checkpoint was written."""

    checkpoint_id: Any = None
    save_id: str | None = None
    load_id: str | None = None
    modules: list[str] = field(default_factory=list)


@dataclass
class StorageInfo:
    """Where a piece lies: so many bytes of a file from an offset on."""

    relative_path: str
    offset: int
    length: int
    transform_descriptors: Any = None


@dataclass
class Metadata:
    """The contents of `.metadata`.

    Attributes:
        state_dict_metadata: what there is, by flattened name.
        planner_data: the path through dictionaries and lists that each flattened name stands for.
        storage_data: where each piece lies.
    """

    state_dict_metadata: dict[str, Any]
    planner_data: Any = None
    storage_data: Any = None
    storage_meta: StorageMeta | None = None
    version: str | None = None


# ---------------------------------------------------------------------------------------------------------------------
# Reading and writing

_HERE = "torch.distributed.checkpoint.metadata"
_PATH: Any = (str, os.PathLike, PurePath, type(None))
#: What each field may hold.
_KINDS: dict[type, dict[str, Any]] = {
    ChunkStorageMetadata: {"offsets": Size, "sizes": Size},
    TensorStorageMetadata: {"properties": TensorProperties, "size": Size, "chunks": list},
    BytesStorageMetadata: {},
    MetadataIndex: {"fqn": str, "offset": Size | None, "index": int | None},
    StorageMeta: {"checkpoint_id": _PATH, "save_id": str | None, "load_id": str | None, "modules": list | tuple},
    StorageInfo: {"relative_path": str, "offset": int, "length": int, "transform_descriptors": list | tuple | None},
    Metadata: {"state_dict_metadata": dict, "planner_data": dict | None, "storage_data": dict | None,
               "storage_meta": StorageMeta | None, "version": str | None},
}  # fmt: skip


def _register(kind: type, module: str, name: str) -> None:
    GLOBALS[module, name] = kind
    NAMES[kind] = module, name
    NEWS[kind] = lambda vm, args: _bare(kind, args)
    STATES[kind] = lambda vm, made, state: _fill(kind, made, state)


def _bare(kind: type, args: tuple[Any, ...]) -> Any:
    if args:
        raise refused(f"a {kind.__name__} is made without arguments")
    made: Any = object.__new__(kind)
    for f in fields(kind):  # type: ignore[arg-type]
        made.__dict__[f.name] = None
    return made


def _fill(kind: type, made: Any, state: Any) -> None:
    wanted = _KINDS[kind]
    if not isinstance(state, dict) or not set(state) <= set(wanted):
        raise refused(f"a {kind.__name__} of a checkpoint's .metadata has other fields")
    for name, value in state.items():
        if not isinstance(value, wanted[name]):
            raise refused(f"{kind.__name__}.{name} of a checkpoint's .metadata is of type {type(value).__name__}")
    made.__dict__.update(state)


def _fill_properties(vm: Any, made: Any, state: Any) -> None:
    kinds = (dtype, layouts.layout, bool, _MEM_FORMAT_ENCODING, bool)
    if not isinstance(state, tuple) or len(state) != len(kinds) or not all(map(isinstance, state, kinds)):
        raise refused("the TensorProperties of a checkpoint's .metadata are not as PyTorch writes them")
    kind, layout, requires_grad, encoding, pin_memory = state
    made.__dict__.update(TensorProperties(kind, layout, requires_grad, _FORMATS[encoding], pin_memory).__dict__)


for _kind in _KINDS:
    if _kind is StorageInfo:
        _register(_kind, "torch.distributed.checkpoint.filesystem", "_StorageInfo")
    else:
        _register(_kind, _HERE, _kind.__name__)
_register(TensorProperties, _HERE, "TensorProperties")
STATES[TensorProperties] = _fill_properties
NAMES[_MEM_FORMAT_ENCODING] = _HERE, "_MEM_FORMAT_ENCODING"
builders.KEY_TYPES.append(MetadataIndex)


@called(_MEM_FORMAT_ENCODING, f"{_HERE} _MEM_FORMAT_ENCODING")
def _encoding(vm: Any, args: tuple[Any, ...]) -> _MEM_FORMAT_ENCODING:
    if len(args) != 1 or args[0] not in (0, 1, 2):
        raise refused("a memory format of a checkpoint's .metadata is not known")
    return _MEM_FORMAT_ENCODING(args[0])


__getattr__ = missing(__name__)
