"""Pages shared between processes: `share_memory_`.

A shared storage lies in a file without a name, mapped into memory.  A process forked later has the mapping; to one that
is spawned, or at the other end of a queue or pipe of `multiprocessing`, only the file goes, and the tensor is put
together again on the same pages.  Tensors that share a storage share it there, too.
"""

from __future__ import annotations

import os
import weakref
from typing import Any

import numpy as np

from rushlight.ops.creation import make_leaf
from rushlight.record.memory import laid_out, placement, storage_of
from rushlight.record.spec import Spec, spec_of
from rushlight.record.trace import realize, settle
from rushlight.record.value import TENSORS, Exposure, Node, Storage, Tensor, tensor_of, value_holding

from .properties import alias, method
from .subclasses import of_class

PROTOCOL = 5  # of pickles: a tensor's own are alike in all
_known: weakref.WeakValueDictionary[tuple[int, int], SharedPages] = weakref.WeakValueDictionary()  # by file


class SharedPages:
    """The memory of one storage: a file without a name, laid out as the storage's root."""

    def __init__(self, file: int, spec: Spec, nbytes: int) -> None:
        import mmap

        self.file, self.spec, self.nbytes = file, spec, nbytes
        weakref.finalize(self, os.close, file)
        pages = mmap.mmap(file, max(nbytes, 1))
        flat = np.frombuffer(pages, np.uint8, nbytes).view(spec.numpy)
        steps = [s * flat.itemsize for s in spec.strides]
        self.array = np.lib.stride_tricks.as_strided(flat, spec.shape, steps)
        self.storage: weakref.ref[Storage] | None = None
        _known[_identity(file)] = self

    def __reduce__(self) -> tuple[Any, ...]:
        from multiprocessing.reduction import DupFd

        return _received, (DupFd(self.file), self.spec.shape, self.spec.strides, self.spec.dtype, self.nbytes)

    def root(self) -> Tensor:
        """A handle on the whole storage, which all tensors on these pages of this process share."""
        storage = None if self.storage is None else self.storage()
        if storage is not None:
            return tensor_of(storage.value)
        made = tensor_of(self.value())
        self.storage = weakref.ref(storage_of(made))
        return made

    def value(self) -> Any:
        """A Value on the pages."""
        made = value_holding(self.array, self.spec)
        made.exposure = Exposure(self)
        return made


def _identity(file: int) -> tuple[int, int]:
    status = os.fstat(file)
    return status.st_dev, status.st_ino


def _received(sent: Any, shape: tuple[int, ...], strides: tuple[int, ...], kind: Any, nbytes: int) -> SharedPages:
    file = sent.detach()
    found = _known.get(_identity(file))
    if found is None:
        return SharedPages(file, spec_of(shape, kind, strides), nbytes)
    os.close(file)
    return found


def _unnamed_file(nbytes: int) -> int:
    if hasattr(os, "memfd_create"):
        file = os.memfd_create("rushlight")
    else:
        import tempfile

        with tempfile.TemporaryFile() as opened:
            file = os.dup(opened.fileno())
    os.truncate(file, max(nbytes, 1))
    return file


@method
def share_memory_(self: Tensor) -> Tensor:
    """Moves the tensor's storage to memory that other processes share: all see each other's writes.

    Processes started later have it by way of `fork`, or get it as an argument or through a queue.

    Raises NotImplementedError on systems that cannot hand an open file to another process.
    """
    if is_shared(self):
        return self
    if os.name != "posix":
        raise NotImplementedError("share_memory_: processes share tensors on POSIX systems only")
    realize(self)
    storage = storage_of(self)
    spec = storage.value.spec
    old = laid_out(realize(tensor_of(storage.value)), spec.strides)
    pages = SharedPages(_unnamed_file(old.nbytes), spec, old.nbytes)
    pages.array[...] = old
    storage.value = pages.value()
    pages.storage = weakref.ref(storage)
    storage.version += 1
    settle(self)
    _register()
    return self


@method
def is_shared(self: Tensor) -> bool:
    """Whether the memory is shared with other processes (`share_memory_`)."""
    return _pages_of(self) is not None


def _pages_of(t: Tensor) -> SharedPages | None:
    storage = t._storage
    exposure = None if storage is None else storage.value.exposure
    owner = None if exposure is None else exposure.owner
    return owner if isinstance(owner, SharedPages) else None


def _register() -> None:
    """Lets `multiprocessing` send shared tensors; other pickles still hold the numbers."""
    from multiprocessing.reduction import ForkingPickler

    for kind in TENSORS:
        if kind.__reduce_ex__ is Tensor.__reduce_ex__:
            ForkingPickler.register(kind, _reduced)


def _reduced(t: Tensor) -> tuple[Any, ...]:
    pages = _pages_of(t)
    if pages is None or isinstance(t._node, Node):
        return t.__reduce_ex__(PROTOCOL)  # type: ignore[return-value]
    settle(t)
    arguments: Any = t.__reduce_ex__(PROTOCOL)[1]
    kind, _, _, leaf, state = arguments
    return _put_together, (kind, pages, None if t._view is None else placement(t)[:3], leaf, state)


def _put_together(kind: type[Tensor], pages: SharedPages, place: Any, leaf: bool, state: dict[str, Any]) -> Tensor:
    _register()  # it may be sent on
    root = pages.root()
    t = alias(root) if place is None else root.as_strided(*place)
    t._base = None
    of_class(t, kind)
    t.__dict__.update(state)
    if leaf:
        make_leaf(t)
    return t
