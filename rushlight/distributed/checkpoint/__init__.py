"""torch.distributed.checkpoint: checkpoints in a folder, in PyTorch's own format, from one process.

    metadata  filesystem        what the files say, and how they are read and written
    flattening                  nested dictionaries as flat ones
    state_dict                  models' and optimizers' states by the names of the parameters

A checkpoint that several processes have written is read whole. `load` fills the tensors that it is given.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any, NoReturn, Protocol, runtime_checkable

from rushlight.core.missing import missing
from rushlight.distributed.checkpoint.filesystem import FileSystemReader, FileSystemWriter
from rushlight.distributed.checkpoint.flattening import flattened, nested, put
from rushlight.distributed.checkpoint.metadata import (
    BytesStorageMetadata,
    ChunkStorageMetadata,
    Metadata,
    TensorStorageMetadata,
)
from rushlight.tensor import Tensor

__all__ = [
    "BytesStorageMetadata", "CheckpointException", "ChunkStorageMetadata", "DefaultLoadPlanner", "DefaultSavePlanner",
    "FileSystemReader", "FileSystemWriter", "Metadata", "TensorStorageMetadata", "async_save", "load",
    "load_state_dict", "save", "save_state_dict",
]  # fmt: skip


class CheckpointException(BaseException):  # noqa: N818 - PyTorch's name, and its base
    """Why a checkpoint could not be written or read, by rank."""

    def __init__(self, msg: str, failures: dict[int, BaseException]) -> None:
        super().__init__(msg, failures)
        self._failures = failures

    @property
    def failures(self) -> dict[int, BaseException]:
        """What was raised, by rank."""
        return self._failures

    def __str__(self) -> str:
        whole = [f"CheckpointException ranks:{self._failures.keys()}"]
        return "\n".join(whole + [f"{type(e).__name__}: {e}" for e in self._failures.values()])


@runtime_checkable
class Stateful(Protocol):
    """What gives its state as a dictionary, and takes it back: modules, optimizers, schedulers, ..."""

    def state_dict(self) -> dict[str, Any]:
        """The state."""

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Takes the state back."""


class DefaultSavePlanner:
    """How a state is saved: flattened, all of it. Its switches are accepted where they say that."""

    def __init__(self, flatten_state_dict: bool = True, *_: Any, **__: Any) -> None:
        if not flatten_state_dict:
            raise NotImplementedError("DefaultSavePlanner: flatten_state_dict=False is not in Rushlight")


class DefaultLoadPlanner:
    """How a state is loaded: what is asked for must be there, unless `allow_partial_load`."""

    def __init__(
        self, flatten_state_dict: bool = True, flatten_sharded_tensors: bool = True, allow_partial_load: bool = False
    ) -> None:
        if not flatten_state_dict:
            raise NotImplementedError("DefaultLoadPlanner: flatten_state_dict=False is not in Rushlight")
        self.allow_partial_load = allow_partial_load


def _states(state_dict: dict[str, Any]) -> dict[str, Any]:
    """With what has a state of its own replaced by it."""
    return {
        key: x.state_dict() if isinstance(x, Stateful) and not isinstance(x, Tensor) else x
        for key, x in state_dict.items()
    }


def _chosen(given: Any, checkpoint_id: Any, kind: type[Any], function: str) -> Any:
    if given is None:
        if checkpoint_id is None:
            raise RuntimeError(f"{function}(): checkpoint_id or a storage of the kind {kind.__name__} is needed")
        return kind(checkpoint_id)
    if not isinstance(given, kind):
        raise NotImplementedError(f"{function}(): Rushlight has {kind.__name__} only, not {type(given).__name__}")
    given.reset(checkpoint_id)
    return given


def _guarded(step: Any) -> Any:
    """What the step gives; what it raises is raised as PyTorch raises it, for rank 0."""
    try:
        return step()
    except Exception as error:
        raise CheckpointException("checkpoint", {0: error}) from error


def save(
    state_dict: dict[str, Any], *, checkpoint_id: str | os.PathLike[str] | None = None,
    storage_writer: FileSystemWriter | None = None, planner: Any = None, process_group: Any = None,
    no_dist: bool = False, use_collectives: bool = True,
) -> Metadata:  # fmt: skip
    """Writes a state into the folder `checkpoint_id`, in a form that PyTorch reads.

    Values may be tensors, plain data, nested dictionaries, and objects with `state_dict` and `load_state_dict`.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = torch.distributed.checkpoint.save({"w": torch.ones(2)}, checkpoint_id=folder)
    ...     state = {"w": torch.zeros(2)}
    ...     torch.distributed.checkpoint.load(state, checkpoint_id=folder)
    >>> state["w"]
    tensor([1., 1.])
    """
    writer = _chosen(storage_writer, checkpoint_id, FileSystemWriter, "save")
    return _guarded(lambda: writer.write(*flattened(_states(state_dict))))  # type: ignore[no-any-return]


def save_state_dict(state_dict: dict[str, Any], storage_writer: FileSystemWriter, *_: Any, **__: Any) -> Metadata:
    """The old name of `save`."""
    return save(state_dict, storage_writer=storage_writer)


def async_save(*_: Any, **__: Any) -> NoReturn:
    """Raises NotImplementedError: a checkpoint is written before the program goes on."""
    raise NotImplementedError("torch.distributed.checkpoint.async_save is not in Rushlight; use save")


def load(
    state_dict: dict[str, Any], *, checkpoint_id: str | os.PathLike[str] | None = None,
    storage_reader: FileSystemReader | None = None, planner: Any = None, process_group: Any = None,
    no_dist: bool = False,
) -> None:  # fmt: skip
    """Fills a state from the folder `checkpoint_id`: tensors in place, other values by replacing them.

    Objects with `load_state_dict` are given their part. Only what `state_dict` has is read.

    Raises CheckpointException for what is missing, or of another size; nothing is changed then.
    """
    reader = _chosen(storage_reader, checkpoint_id, FileSystemReader, "load")
    states = _states(state_dict)
    found = _guarded(lambda: _read(reader, states, getattr(planner, "allow_partial_load", False)))
    for target, path, value in found:
        if isinstance(target, Tensor):
            target.detach().copy_(value)
        else:
            put(states, path, value)
    for key, part in state_dict.items():
        if isinstance(part, Stateful) and not isinstance(part, Tensor):
            part.load_state_dict(states[key])
        else:
            state_dict[key] = states[key]


def load_state_dict(state_dict: dict[str, Any], storage_reader: FileSystemReader, *_: Any, **__: Any) -> None:
    """The old name of `load`."""
    load(state_dict, storage_reader=storage_reader)


def _read(reader: FileSystemReader, states: dict[str, Any], partial: bool) -> list[tuple[Any, Any, Any]]:
    """Of each leaf that the program has: itself, its path, and what the checkpoint holds for it."""
    about = reader.read_metadata().state_dict_metadata
    flat, paths = flattened(states)
    found = []
    for name, target in flat.items():
        if name not in about:
            if partial:
                continue
            raise RuntimeError(f"Missing key in checkpoint state_dict: {name}.")
        found.append((target, paths[name], _value(reader, name, about[name], target)))
    return found


def _value(reader: FileSystemReader, name: str, about: Any, target: Any) -> Any:
    if not isinstance(about, TensorStorageMetadata):
        return reader.read_object(name)
    if isinstance(target, Tensor) and tuple(about.size) != tuple(target.shape):
        raise ValueError(f"Size mismatch between saved {about.size} and current: {target.size()} for {name}")
    return reader.read_tensor(name, about)


def _load_state_dict_from_keys(
    keys: Iterable[str] | str | None = None, *, checkpoint_id: Any = None, storage_reader: Any = None,
    process_group: Any = None,
) -> dict[str, Any]:  # fmt: skip
    """All of a checkpoint, or what lies under the keys, as nested dictionaries."""
    reader = _chosen(storage_reader, checkpoint_id, FileSystemReader, "_load_state_dict_from_keys")
    metadata = reader.read_metadata()
    wanted = None if keys is None else {keys} if isinstance(keys, str) else set(keys)
    found = {}
    for name, about in metadata.state_dict_metadata.items():
        if wanted is None or any(name == key or name.startswith(f"{key}.") for key in wanted):
            found[name] = _value(reader, name, about, None)
    return nested(found, metadata.planner_data or {})


__getattr__ = missing(
    __name__, {name: f"{__name__}.{name}" for name in ("filesystem", "format_utils", "metadata", "state_dict")}
)
