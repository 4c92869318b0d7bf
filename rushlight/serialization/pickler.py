"""Writes a pickle that PyTorch reads: our classes and functions appear in it under PyTorch's names.

Tensors become calls of `torch._utils._rebuild_tensor_v2` on a storage; the storages themselves are collected in
`Pickler.storages`, for the caller to write beside the pickle.  Tensors that share memory here share a storage there.
Everything else is written as Python's own pickle does.
"""

from __future__ import annotations

import importlib
import io
import pickle
import types
from collections import OrderedDict
from typing import Any

import numpy as np

from rushlight.core.device import device
from rushlight.core.dtype import dtype
from rushlight.core.generator import Generator
from rushlight.core.layout import layout, strided
from rushlight.core.missing import pytorch_path
from rushlight.core.size import Size
from rushlight.core.strided import is_non_overlapping_and_dense
from rushlight.nn.module import Module
from rushlight.nn.parameter import (
    Buffer,
    Parameter,
    UninitializedBuffer,
    UninitializedParameter,
    UninitializedTensorMixin,
    _rebuild_parameter,
    _rebuild_parameter_with_state,
)
from rushlight.ops.results import Named
from rushlight.record.memory import memory_of, placement
from rushlight.record.trace import realize, settle
from rushlight.record.value import Tensor, tensor_of
from rushlight.tensor.storage import TypedStorage, UntypedStorage

from .storages import QUANTIZED_STORAGES, STORAGE_NAMES


class TorchGlobal:
    """A name of PyTorch's, written as a global."""

    def __init__(self, module: str, name: str) -> None:
        self.module = module
        self.name = name

    def __call__(self) -> None:
        raise AssertionError("a name to be written, not a function")


REBUILD_V2 = TorchGlobal("torch._utils", "_rebuild_tensor_v2")
REBUILD_V3 = TorchGlobal("torch._utils", "_rebuild_tensor_v3")
REBUILD_QUANTIZED = TorchGlobal("torch._utils", "_rebuild_qtensor")
REBUILD_SPARSE = TorchGlobal("torch._utils", "_rebuild_sparse_tensor")
FROM_TYPE = TorchGlobal("torch._tensor", "_rebuild_from_type_v2")
REBUILD_META = TorchGlobal("torch._utils", "_rebuild_meta_tensor_no_storage")
GET_LAYOUT = TorchGlobal("torch.serialization", "_get_layout")
GENERATOR = TorchGlobal("torch._C", "Generator")
UNTYPED = TorchGlobal("torch.storage", "UntypedStorage")
STORAGES = {d: TorchGlobal("torch", name) for d, name in (STORAGE_NAMES | QUANTIZED_STORAGES).items()}

#: Objects of ours whose name in PyTorch does not follow from where they lie.
NAMES: dict[Any, tuple[str, str]] = {
    Tensor: ("torch", "Tensor"),
    Size: ("torch", "Size"),
    device: ("torch", "device"),
    Parameter: ("torch.nn.parameter", "Parameter"),
    UninitializedParameter: ("torch.nn.parameter", "UninitializedParameter"),
    UninitializedBuffer: ("torch.nn.parameter", "UninitializedBuffer"),
    _rebuild_parameter: ("torch._utils", "_rebuild_parameter"),
    _rebuild_parameter_with_state: ("torch._utils", "_rebuild_parameter_with_state"),
}

#: Where PyTorch shows what we keep in files of our own, the likeliest first.
SHOWN_IN = ("rushlight.nn", "rushlight.nn.functional", "rushlight.optim", "rushlight.optim.lr_scheduler", "rushlight")


class Memory:
    """The storage that tensors share, as it is written: its bytes, and how its elements are counted."""

    def __init__(self, key: str, flat: np.ndarray, kind: dtype, keep: Any) -> None:
        self.key = key
        self.flat = flat.view(np.uint8)
        self.kind = kind
        self.keep = keep

    def description(self, typed: bool) -> tuple[Any, ...]:
        """The persistent id."""
        if not typed:
            return "storage", UNTYPED, self.key, "cpu", self.flat.size
        return "storage", STORAGES[self.kind], self.key, "cpu", self.flat.size // self.kind.itemsize


class StorageReference:
    """Stands for a storage in what the pickler is given."""

    def __init__(self, memory: Memory, typed: bool) -> None:
        self.memory = memory
        self.typed = typed


_PythonPickler: Any = pickle._Pickler  # the one in C looks every global up in its module


class Pickler(_PythonPickler):
    """Pickles one object; `storages` are the memories that it refers to, in the order of their keys."""

    dispatch = dict(_PythonPickler.dispatch)

    def __init__(self, file: io.BytesIO, protocol: int = 2, legacy: bool = False) -> None:
        super().__init__(file, protocol)
        self.storages: list[Memory] = []
        self.legacy = legacy  # PyTorch's older format describes storages by one field more
        self._by_cell: dict[int, Memory] = {}
        self._of_tensor: dict[int, Memory] = {}  # of tensors that nobody shares
        self.whole_module: str | None = None  # the first module that is written as such

    def persistent_id(self, obj: Any) -> Any:
        if isinstance(obj, UntypedStorage):
            obj = self._referred(obj)
        if not isinstance(obj, StorageReference):
            return None
        description = obj.memory.description(obj.typed)
        return (*description, None) if self.legacy else description

    def reducer_override(self, obj: Any) -> Any:
        if isinstance(obj, Tensor):
            return self._reduced(obj)
        if isinstance(obj, layout):
            return GET_LAYOUT, (repr(obj),)
        if isinstance(obj, Generator):
            return GENERATOR, (obj.device,), (obj.initial_seed(), None, obj.get_state())
        if isinstance(obj, Named):
            return type(obj), (tuple(obj), {})
        if isinstance(obj, Module) and self.whole_module is None:
            self.whole_module = type(obj).__name__
        return NotImplemented

    # -- tensors

    def _reduced(self, t: Tensor) -> Any:
        if isinstance(t, UninitializedTensorMixin):
            return t.__reduce_ex__(self.proto)
        if type(t).__reduce_ex__ is Parameter.__reduce_ex__:
            return t.__reduce_ex__(self.proto)
        if t.is_nested:
            raise NotImplementedError("torch.save: nested tensors are not saved; save unbind() as a list")
        if t.layout is not strided:
            if getattr(t, "_is_param", False):
                return _rebuild_parameter, (t.data, t.requires_grad, OrderedDict())
            return REBUILD_SPARSE, (t.layout, t.saved_parts())
        if t.is_meta:
            return REBUILD_META, (t.dtype, tuple(t.shape), tuple(t.stride()), bool(t.requires_grad))
        if t.is_quantized:
            return REBUILD_QUANTIZED, self._quantized(t)
        build, args = self._plain(t)
        state = _own_attributes(t)
        if isinstance(t, Buffer):
            state = {"persistent": t.persistent, "_is_buffer": True, **state}
        if type(t) is Tensor and not state:
            return build, args
        return FROM_TYPE, (build, Tensor if isinstance(t, Buffer) else type(t), args, state)

    def _plain(self, t: Tensor) -> tuple[TorchGlobal, tuple[Any, ...]]:
        memory, (shape, strides, offset, kind) = self._memory(t)
        typed = kind in STORAGES
        if self.legacy and not typed:
            raise NotImplementedError(f"PyTorch's older format (_use_new_zipfile_serialization=False) has no {kind}")
        hooks: OrderedDict[Any, Any] = OrderedDict()
        args = StorageReference(memory, typed), offset, shape, strides, bool(t.requires_grad), hooks
        return (REBUILD_V2, args) if typed else (REBUILD_V3, (*args, kind))

    def _quantized(self, t: Any) -> tuple[Any, ...]:
        value = t._value
        array = np.ascontiguousarray(realize(value.whole))
        strides = tuple(s // array.itemsize for s in array.strides)
        scheme = TorchGlobal("torch", repr(t.qscheme()).removeprefix("torch."))
        how = (scheme, value.scale, value.zero_point) + (() if value.axis is None else (value.axis,))
        memory = self._new(array.reshape(-1), t.dtype, t)
        return StorageReference(memory, True), 0, array.shape, strides, how, False, OrderedDict()

    def _memory(self, t: Tensor) -> tuple[Memory, Any]:
        """The storage of a tensor and where the tensor lies in it."""
        value = settle(t)
        if t._storage is not None:
            view = placement(t)
            return self._shared(t._storage, view[3]), view
        array = np.asarray(realize(t), value.spec.numpy)
        spec = value.spec
        if is_non_overlapping_and_dense(spec.shape, spec.strides):
            return self._new(memory_of(array, spec.strides), spec.dtype, t), (spec.shape, spec.strides, 0, spec.dtype)
        array = np.ascontiguousarray(array).reshape(spec.shape)
        strides = tuple(s // array.itemsize for s in array.strides)
        return self._new(array.reshape(-1), spec.dtype, t), (spec.shape, strides, 0, spec.dtype)

    def _referred(self, storage: UntypedStorage) -> StorageReference:
        """A storage that stands in the object itself."""
        root = getattr(storage, "root", None)
        memory = self._of_tensor.get(id(root)) if root is not None and root._storage is None else None
        if memory is None:
            memory = self._shared(storage._cell, storage._cell.value.spec.dtype)
        return StorageReference(memory, isinstance(storage, TypedStorage) and memory.kind in STORAGES)

    def _shared(self, cell: Any, kind: dtype) -> Memory:
        found = self._by_cell.get(id(cell))
        if found is None:
            root = np.asarray(realize(tensor_of(cell.value)), cell.value.spec.numpy)
            found = self._by_cell[id(cell)] = self._new(memory_of(root, cell.value.spec.strides), kind, cell)
        if found.kind is not kind:
            raise RuntimeError("Cannot save multiple tensors or storages that view the same data as different types")
        return found

    def _new(self, flat: np.ndarray, kind: dtype, keep: Any) -> Memory:
        made = Memory(str(len(self.storages)), flat, kind, keep)
        self.storages.append(made)
        if isinstance(keep, Tensor):
            self._of_tensor[id(keep)] = made
        return made

    # -- names

    def save_global(self, obj: Any, name: str | None = None) -> None:
        found = _torch_name(obj)
        if found is None:
            super().save_global(obj, name)
            return
        self.write(pickle.GLOBAL + "\n".join(found).encode() + b"\n")
        self.memoize(obj)

    dispatch[types.FunctionType] = save_global
    dispatch[TorchGlobal] = save_global
    dispatch[dtype] = save_global


def _own_attributes(t: Tensor) -> dict[str, Any]:
    """What the program has set on a tensor."""
    own = dict(vars(t))
    if isinstance(t, Buffer):
        own.pop("persistent", None)
    return own


def _torch_name(obj: Any) -> tuple[str, str] | None:
    """The module and name that PyTorch has for an object of ours; None for objects of others."""
    if isinstance(obj, TorchGlobal):
        return obj.module, obj.name
    if isinstance(obj, dtype):
        return "torch", obj.name
    module = getattr(obj, "__module__", None)
    if not isinstance(module, str) or module.partition(".")[0] != "rushlight":
        return None
    if obj in NAMES:
        return NAMES[obj]
    name = obj.__qualname__
    if isinstance(obj, type) and issubclass(obj, Named):
        return "torch.return_types", name
    for place in (*SHOWN_IN, *_packages(module)):
        if getattr(importlib.import_module(place), name, None) is obj:
            return pytorch_path(place), name
    raise pickle.PicklingError(f"Can't pickle {obj!r}: PyTorch has no name for {module}.{name}")


def _packages(module: str) -> list[str]:
    """The packages around a module from the outside in, without the root, and the module."""
    parts = module.split(".")
    return [".".join(parts[:n]) for n in range(2, len(parts) + 1)]
