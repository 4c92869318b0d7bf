"""In-place operations that change only what a tensor sees of its memory: `squeeze_`, `t_`, `resize_`, `set_`, ...

Each makes the view that the plain function makes, on the same Storage, and moves the handle to it.
"""

from __future__ import annotations

from collections.abc import Callable
from sys import getrefcount
from typing import Any

from rushlight.core import strided
from rushlight.record.memory import STRIDED, derive, placement, share, storage_of
from rushlight.record.operation import Operation
from rushlight.record.spec import spec_of
from rushlight.record.trace import apply, recorder, settle
from rushlight.record.value import Leaf, Node, Storage, Tensor, Value, tensor_of

from . import view as views
from .creation import constant, size_of
from .public import METHODS, as_called, public

_UNSHARED = 3  # references to the Storage of one handle alone: the handle's, a local variable's and getrefcount's own

# ---------------------------------------------------------------------------------------------------------------------
# Views in place


def _check_not_leaf(t: Tensor) -> None:
    if not recorder().tracking:
        return
    if isinstance(t._node, Leaf):
        raise RuntimeError("a leaf Variable that requires grad is being used in an in-place operation.")
    if t._base is not None and isinstance(t._base._node, Leaf):
        raise RuntimeError("a view of a leaf Variable that requires grad is being used in an in-place operation.")


def move_to(t: Tensor, view: Tensor) -> Tensor:
    """Makes `t` see what `view`, a view of it, sees; its history goes through the view where the tape is on."""
    if t._value.__class__ is not Value:
        return t.become(view)  # type: ignore[no-any-return]
    storage = storage_of(t)
    t._value, t._view, t._seen = view._value, view._view, view._seen
    if recorder().tracking:
        t._node, t._out = view._node, view._out
    if not t._untracked:
        storage.edits += 1
    return t


def _in_place(name: str, f: Callable[..., Tensor], rename: dict[Operation, Operation],
              keywords: dict[str, str] | None = None) -> None:  # fmt: skip
    def changed(self: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        _check_not_leaf(self)
        view = f(self, *args, **kwargs)
        node = view._node
        if isinstance(node, Node) and node.step is not None and node.step.op in rename:
            view = views.look_at(self, rename[node.step.op], tuple(node.step.attributes.values()))
        return move_to(self, view)

    changed.__name__ = f"{name}_"
    changed.__qualname__ = f"Tensor.{name}_"
    changed.__doc__ = f"`{name}` in place: the tensor sees its own memory in the new shape. Nothing is copied."
    METHODS[f"{name}_"] = as_called(changed, f"{name}_", keywords or {})


def _renamed(op: Operation, node: str) -> dict[Operation, Operation]:
    """The operation under the node name that PyTorch gives its in-place form."""
    return {op: views.view_like(op, f"{op.name}_in_place", node)}


_TRANSPOSE = _renamed(views.TRANSPOSE, "TransposeBackward1")
_in_place("unsqueeze", views.unsqueeze, _renamed(views.UNSQUEEZE, "UnsqueezeBackward1"))
_in_place("t", views.t, _renamed(views.T_OF_MATRIX, "TBackward1"))
_in_place("transpose", views.transpose, _TRANSPOSE)
_in_place("swapaxes", views.transpose, _TRANSPOSE, {"axis0": "dim0", "axis1": "dim1"})
_in_place("swapdims", views.transpose, _TRANSPOSE)
_in_place("as_strided", views.as_strided, {})
_in_place(
    "squeeze",
    views.squeeze,
    _renamed(views.SQUEEZE, "SqueezeBackward3")
    | _renamed(views.SQUEEZE_DIM, "SqueezeBackward4")
    | _renamed(views.SQUEEZE_DIMS, "SqueezeBackward5"),
)

# ---------------------------------------------------------------------------------------------------------------------
# resize_


@public(function=False)
def resize_(self: Tensor, *sizes: Any, size: Any = None, memory_format: Any = None) -> Tensor:
    """Another shape for the tensor's memory, row by row; memory is added (zeros) where it does not suffice.

    Raises RuntimeError for a tensor that requires grad.

    >>> torch.arange(4).resize_(2, 2)
    tensor([[0, 1],
            [2, 3]])
    """
    shape = size_of(sizes if size is None else (size,))
    spec = settle(self).spec
    if self._node is not None:
        raise RuntimeError("cannot resize variables that require grad")
    if shape == spec.shape:
        return self
    wanted = spec_of(shape, spec.dtype)
    strides = views.wanted_strides(wanted, memory_format) if memory_format is not None else wanted.strides
    if self._storage is None and not spec.numel:
        self._value = constant(shape, 0, spec.dtype, tuple(strides))._value
        return self
    start = self._view[2] if self._view is not None else 0
    _ensure_room(self, start + strided.extent(shape, strides))
    storage = storage_of(self)
    self._view = (shape, tuple(strides), start, spec.dtype)
    self._value = _derived(storage.value, self._view)
    self._seen = storage.version
    return self


def _derived(root: Any, view: Any) -> Any:
    """The Value of a look into a root, off the tape; the root itself where the look shows all of it."""
    shape, strides, offset, kind = view
    if offset == 0 and root.spec is spec_of(shape, kind, strides):
        return root
    me = recorder()
    tracking, me.tracking = me.tracking, False
    try:
        return derive(root, view)
    finally:
        me.tracking = tracking


def _ensure_room(t: Tensor, needed: int) -> None:
    """Makes the memory behind `t` hold at least `needed` elements of its dtype."""
    storage = storage_of(t)
    root = storage.value.spec
    kind = t._value.spec.dtype
    length = strided.extent(root.shape, root.strides)
    if length * root.numpy.itemsize >= needed * kind.numpy.itemsize:
        return
    base = t._base if t._base is not None and t._base._storage is storage else None
    if getrefcount(storage) > _UNSHARED + (base is not None):
        raise NotImplementedError("resize_(): memory that other tensors share cannot grow; clone() the tensor first")
    if root.dtype is not kind:
        raise NotImplementedError("resize_(): memory seen as another dtype cannot grow; clone() the tensor first")
    me = recorder()
    tracking, me.tracking = me.tracking, False
    try:
        grown = _grown(storage, length, needed)
    finally:
        me.tracking = tracking
    if base is not None and base._view is None:  # it was the root; now it sees a part of it
        base._view = placement(base)
    storage.value = grown._value
    storage.version += 1


def _grown(storage: Storage, length: int, needed: int) -> Tensor:
    """The root's memory as one row, followed by zeros."""
    spec = storage.value.spec
    if not length:
        return constant((needed,), 0, spec.dtype)
    row = apply(STRIDED, (tensor_of(storage.value), 0), ((length,), (1,), spec.dtype, spec.strides))
    return apply(views.PUT_BACK, (row,), (((0, length, 1),), (needed,)))


@public(function=False)
def resize(self: Tensor, *sizes: Any) -> Tensor:
    """The tensor's elements in another shape of as many elements (deprecated in PyTorch; `reshape` is the same)."""
    import warnings

    warnings.warn("non-inplace resize is deprecated", UserWarning, stacklevel=2)
    shape = size_of(sizes)
    if spec_of(shape, settle(self).spec.dtype).numel != settle(self).spec.numel:
        raise RuntimeError(
            f"requested resize to {'x'.join(map(str, shape))} ({spec_of(shape, self.dtype).numel} elements in total), "
            f"but the given tensor has a size of {'x'.join(map(str, self.shape))} ({self.numel()} elements). "
            "autograd's resize can only change the shape of a given tensor, while preserving the number of elements. "
        )
    return views.reshape(self, shape)


@public(function=False)
def resize_as(self: Tensor, tensor: Tensor) -> Tensor:
    """`resize` to the other tensor's shape (deprecated in PyTorch)."""
    return resize(self, *settle(tensor).spec.shape)


@public(keywords={"input": "self"})
def resize_as_(self: Tensor, the_template: Tensor, *, memory_format: Any = None) -> Tensor:
    """`self.resize_(the_template.shape)`."""
    return resize_(self, settle(the_template).spec.shape, memory_format=memory_format)


# ---------------------------------------------------------------------------------------------------------------------
# set_


@public(function=False)
def set_(self: Tensor, source: Any = None, storage_offset: int = 0, size: Any = None, stride: Any = None) -> Tensor:
    """Makes the tensor see other memory: that of another tensor, or a storage; nothing at all without arguments."""
    kind = settle(self).spec.dtype
    if source is None:
        source = constant((0,), 0, kind)
    if isinstance(source, Tensor):
        if source.dtype is not kind:
            raise RuntimeError(
                f"Could not set tensor of type {_c_type(source.dtype)} to a tensor of type {_c_type(kind)}"
            )
        _see(self, source)
        if size is not None:
            _look(self, storage_offset, size_of((size,)), stride)
        return self
    cell = source._cell
    whole = tensor_of(cell.value)
    whole._storage, whole._seen = cell, cell.version
    _see(self, whole)
    n = strided.extent(cell.value.spec.shape, cell.value.spec.strides)
    _look(self, storage_offset, size_of((size,)) if size is not None else (n - storage_offset,), stride)
    return self


def _see(t: Tensor, source: Tensor) -> None:
    settle(source)
    share(source, source._view, t)
    edits = t._edits
    t._value = source._value
    t._edits = edits + 1


def _look(t: Tensor, offset: int, size: tuple[int, ...], stride: Any) -> None:
    strides = tuple(stride) if stride else tuple(strided.contiguous_strides(size))
    storage = storage_of(t)
    kind = storage.value.spec.dtype
    root = storage.value.spec
    strided.as_strided(size, strides, offset, strided.extent(root.shape, root.strides), kind.numpy.itemsize)
    t._view = (size, strides, offset, kind)
    t._value = _derived(storage.value, t._view)
    t._seen = storage.version


def _c_type(kind: Any) -> str:
    names = {"float32": "float", "float64": "double", "int64": "long int", "int32": "int", "uint8": "unsigned char"}
    return names.get(kind.name, kind.name)
