"""Shared memory: views of a Storage's root, and in-place operations through any of the handles that share it.

Every view is a strided look into its root's memory, so two operations are enough: `strided` reads such a look from a
root Value, `strided_scatter` gives the root with new numbers in it.  `assign` is what every in-place operation ends
in; `refresh`
brings a handle up to date that another handle's `assign` left behind.
"""

from __future__ import annotations

import functools
import itertools
import weakref
from typing import Any

import numpy as np

from rushlight.core.dtype import dtype, from_numpy
from rushlight.core.strided import extent, has_internal_overlap

from . import trace as tracing
from .flush import settle_at_home
from .operation import Operation, operation
from .spec import Spec, spec_of
from .trace import apply, realize, recorder, settle
from .value import Exposure, Leaf, Node, Storage, Tensor, Value, exposed, tensor_of, value_holding

BUFFERS = "fiubc"  # kinds of arrays that hand out their memory, which is the fastest way to look at it
View = tuple[tuple[int, ...], tuple[int, ...], int, dtype]  # shape, strides, offset, dtype; in elements of dtype


def memory_of(array: np.ndarray, layout: tuple[int, ...]) -> np.ndarray:
    """The array's memory as one flat array in the order that `layout` (element strides) says."""
    if array.flags.c_contiguous and _row_major(array.shape, layout):
        return array if array.ndim == 1 else array.reshape(-1)
    if not lies_as(array, layout):
        array = laid_out(array, layout)
    size = extent(array.shape, layout)
    return np.lib.stride_tricks.as_strided(array, (size,), (array.itemsize,))


def lies_as(array: np.ndarray, layout: tuple[int, ...]) -> bool:
    """Whether the array's strides are these, where it matters."""
    size = array.itemsize
    return array.size == 0 or all(
        n == 1 or s == of * size for n, s, of in zip(array.shape, array.strides, layout, strict=True)
    )


def _row_major(shape: tuple[int, ...], layout: tuple[int, ...]) -> bool:
    expected = 1
    for n, s in zip(reversed(shape), reversed(layout), strict=True):
        if n != 1 and s != expected:
            return False
        expected *= n
    return True


def laid_out(array: np.ndarray, layout: tuple[int, ...]) -> np.ndarray:
    """A copy of the array with the given (dense) element strides."""
    order, back = _order_of(layout)
    shape = array.shape
    fresh = np.empty([shape[d] for d in order], array.dtype).transpose(back)
    fresh[...] = array
    return fresh


@functools.lru_cache(1024)
def _order_of(layout: tuple[int, ...]) -> tuple[list[int], list[int]]:
    """The dimensions in the order of their strides, and where each of them stands in it."""
    order = sorted(range(len(layout)), key=lambda d: (-layout[d], d))
    return order, sorted(range(len(layout)), key=order.__getitem__)


def look(flat: np.ndarray, view: View) -> np.ndarray:
    """The strided look into flat memory."""
    shape, strides, offset, kind = view
    if flat.dtype is not kind.numpy:
        flat = flat.view(kind.numpy)
    if 0 in shape:
        return np.empty(shape, kind.numpy)
    size = flat.itemsize
    bytes_apart = tuple([s * size for s in strides])
    if flat.dtype.kind in BUFFERS:
        return np.ndarray(shape, flat.dtype, flat, offset * size, bytes_apart)
    return np.lib.stride_tricks.as_strided(flat[offset:], shape, bytes_apart)


# ---------------------------------------------------------------------------------------------------------------------
# The operations


def _strided(x: np.ndarray, offset: int, *, shape: Any, strides: Any, kind: dtype, layout: Any) -> np.ndarray:
    return look(memory_of(x, layout), (shape, strides, offset, kind))


def _strided_spec(x: Spec, offset: Spec, *, shape: Any, strides: Any, kind: dtype, layout: Any) -> Spec:
    return spec_of(shape, kind, strides)


def strided_layouts(
    at: Any, lies: Any, start: int, *, shape: Any, strides: Any, kind: dtype | None, layout: Any
) -> Any:
    """Where a look's elements lie in an array of the shape `at`; ValueError if that lies otherwise than `layout`."""
    if any(n > 1 and a != b for n, a, b in zip(at, lies, layout, strict=True)):
        raise ValueError("a look into memory that lies otherwise")
    return [(shape, strides, start)]


STRIDED = operation("strided", _strided_spec, _strided, node="AsStridedBackward0", view=True)
STRIDED.layouts = strided_layouts
STRIDED.gradient(
    x=lambda g, x_spec, offset, strides: apply(
        ADJOINT, (g, offset), (strides, x_spec.shape, x_spec.strides, x_spec.dtype)
    )
)


def _adjoint(g: np.ndarray, offset: int, *, strides: Any, shape: Any, layout: Any, kind: dtype) -> np.ndarray:
    """`g` added to zeros at the places that `strided` read; real parts of complex memory are memory of their own."""
    memory = np.zeros(extent(shape, layout), _in_precision_of(g.dtype, kind))
    flat = memory.view(g.dtype)
    if g.size and not overlaps(g.shape, strides):
        look(flat, (g.shape, strides, offset, from_numpy(g.dtype)))[...] = g
    elif g.size:
        _add_where_they_meet(flat, g, strides, offset)
    if overlaps(shape, layout):  # the operand's own elements share what meets in a place
        memory /= np.maximum(np.bincount(_places(memory.size, shape, layout, 0).ravel(), minlength=memory.size), 1)
    return look(memory, (shape, layout, 0, from_numpy(memory.dtype))).copy(order="C")


MOST_PARTS = 32  # of a look in which elements meet, in machine code
FEWEST_PARTS = 16  # so many are not worth more than adding element by element


def overlaps(shape: Any, strides: Any) -> bool:
    """Whether two elements may have the same place."""
    reach = 0
    for s, n in sorted((abs(s), n) for s, n in zip(strides, shape, strict=True) if n > 1):
        if s <= reach:
            return True
        reach += s * (n - 1)
    return False


def _apart(shape: Any, strides: Any) -> list[tuple[slice, ...]]:
    """The parts of a look, as slices of it, in each of which no two elements have the same place."""
    order = sorted([d for d, n in enumerate(shape) if n > 1], key=lambda d: (abs(strides[d]), shape[d]))
    sizes, k = list(shape), 1
    while k < len(order):
        reach = sum(abs(strides[d]) * (sizes[d] - 1) for d in order[:k])
        free = abs(strides[order[k]]) - 1  # how far those before may reach
        if reach > free:
            d = order[k - 1]
            rest = reach - abs(strides[d]) * (sizes[d] - 1)
            sizes[d] = max(1, (free - rest) // abs(strides[d]) + 1)
            order, k = [d for d in order if sizes[d] > 1], 0
        k += 1
    cuts = [[slice(i, min(i + m, n)) for i in range(0, n, m)] for n, m in zip(shape, sizes, strict=True)]
    return list(itertools.product(*cuts))


def _start(part: tuple[slice, ...], strides: Any) -> int:
    return sum(p.start * s for p, s in zip(part, strides, strict=True))


def _without_repetitions(g: Any, strides: Any) -> tuple[Any, tuple[int, ...]]:
    """`g` summed over the dimensions in which every element has the same place."""
    repeated = tuple(d for d, s in enumerate(strides) if s == 0)
    return (g.sum(repeated) if repeated else g), tuple(s for s in strides if s)


def _add_where_they_meet(flat: np.ndarray, g: np.ndarray, strides: Any, offset: int) -> None:
    g, strides = _without_repetitions(g, strides)
    parts = _apart(g.shape, strides)
    if len(parts) > FEWEST_PARTS and len(parts) * FEWEST_PARTS > g.size:
        np.add.at(flat, _places(flat.size, g.shape, strides, offset), g)
        return
    for part in parts:
        piece = g[part]
        look(flat, (piece.shape, strides, offset + _start(part, strides), from_numpy(g.dtype)))[...] += piece


def _adjoint_symbols(g: Any, offset: Any, *, strides: Any, shape: Any, layout: Any, kind: dtype) -> Any:
    """For the compiler: a sum of arrays, each with a part of `g` in it that meets itself nowhere."""
    g, strides = _without_repetitions(g, strides)
    parts = _apart(g.shape, strides)
    if g.dtype != kind.numpy or overlaps(shape, layout) or len(parts) > MOST_PARTS:
        raise ValueError("a look in which very many elements meet")
    total: Any = None
    for part in parts:
        here = g[part]
        where = {"shape": here.shape, "strides": strides, "kind": kind, "layout": layout}

        def place(at: Any, lies: Any, offset: int, first: int = _start(part, strides), where: Any = where) -> Any:
            return strided_layouts(at, lies, offset + first, **where)

        made = here.assembled((here,), shape, place, offset)
        total = made if total is None else total + made
    return total


def _places(size: int, shape: Any, strides: Any, offset: int) -> np.ndarray:
    """The places in flat memory that a look reads."""
    apart = tuple(s * np.dtype(int).itemsize for s in strides)
    return np.lib.stride_tricks.as_strided(np.arange(size)[offset:], shape, apart)


def _in_precision_of(found: np.dtype, kind: dtype) -> np.dtype:
    """The dtype that is complex where `kind` is, in the precision of `found` (the kernel's, which may be wider)."""
    if kind.is_complex == (found.kind == "c"):
        return found
    return from_numpy(found).to_complex().numpy if kind.is_complex else from_numpy(found).to_real().numpy


def _adjoint_spec(g: Spec, offset: Spec, *, strides: Any, shape: Any, layout: Any, kind: dtype) -> Spec:
    return spec_of(shape, kind)


ADJOINT: Operation = operation("strided_adjoint", _adjoint_spec, _adjoint, node="AsStridedBackwardBackward0")
ADJOINT.lower = _adjoint_symbols
ADJOINT.gradient(
    g=lambda g, g_spec, offset, strides, layout: apply(
        STRIDED, (relayout(g, layout), offset), (g_spec.shape, strides, g_spec.dtype, layout)
    )
)


def _relayout(x: np.ndarray, *, layout: tuple[int, ...]) -> np.ndarray:
    return laid_out(x, layout)


def _relayout_spec(x: Spec, *, layout: tuple[int, ...]) -> Spec:
    return spec_of(x.shape, x.dtype, layout)


RELAYOUT = operation("relayout", _relayout_spec, _relayout, node="CloneBackward0", exact=True, aliases=False)
RELAYOUT.gradient(x=lambda g: g)
RELAYOUT.lower = lambda x, *, layout: x  # every result is laid out as its Spec says


def relayout(t: Tensor, layout: tuple[int, ...]) -> Tensor:
    """The tensor with these (dense) strides: itself if it has them, else a copy."""
    return t if settle(t).spec.strides == layout else apply(RELAYOUT, (t,), (layout,))


def _scatter(x: np.ndarray, new: np.ndarray, offset: int, *, shape: Any, strides: Any, kind: Any, layout: Any) -> Any:
    if not x.flags.writeable or not lies_as(x, layout):
        x = laid_out(x, layout)
    look(memory_of(x, layout), (shape, strides, offset, kind))[...] = new
    return x


def _scatter_spec(x: Spec, new: Spec, offset: Spec, *, shape: Any, strides: Any, kind: Any, layout: Any) -> Spec:
    return x


SCATTER = operation("strided_scatter", _scatter_spec, _scatter, node="CopySlices", overwrites=True, exact=True)
SCATTER.lower = lambda x, new, offset, *, shape, strides, kind, layout: x.with_part(
    new, offset, strided_layouts, shape=shape, strides=strides, kind=kind, layout=layout
)
SCATTER.gradient(  # that of x, which needs zeros, is in ops/creation.py
    new=lambda g, x_spec, offset, shape, strides, kind: apply(
        STRIDED, (relayout(g, x_spec.strides), offset), (shape, strides, kind, x_spec.strides)
    ),
)


def _copy_slices_shown(pairs: list[Any]) -> list[Any]:
    """PyTorch's CopySlices has taken the written operation apart: its other operands follow the base."""
    written = pairs[1][0]
    return [pairs[0], *(written.next_functions[1:] if written is not None else ((None, 0),))]


SCATTER.shown = _copy_slices_shown


#: In place, a result without history over a tensor with one: the old numbers no longer count (its rule is there, too).
FORGET = operation("forget", lambda x, new: new, lambda x, new: new, node="ZeroBackward0", exact=True)

# ---------------------------------------------------------------------------------------------------------------------
# Handles


def storage_of(t: Tensor) -> Storage:
    """The tensor's Storage, made when first asked for."""
    storage = t._storage
    if storage is None:
        storage = t._storage = Storage(t._value, t._edits)
        t._seen = 0
    return storage


def share(t: Tensor, view: View | None, onto: Tensor) -> Tensor:
    """Makes `onto` a handle on the memory of `t`: `view` says what it sees of the root (None: all, as the root)."""
    storage = storage_of(t)
    onto._storage = storage
    onto._seen = t._seen
    onto._view = view
    onto._untracked = t._untracked
    value = onto._value
    if value is not storage.value:
        value.root = storage.value
        value.exposure = storage.value.exposure
    return onto


def placement(t: Tensor) -> View:
    """Where the tensor lies in its root's memory."""
    if t._view is not None:
        return t._view
    spec = t._value.spec
    return spec.shape, spec.strides, 0, spec.dtype


def derive(root: Value, view: View) -> Value:
    """The Value of a look into a root Value."""
    shape, strides, offset, kind = view
    if root.buf is not None:
        array = look(memory_of(root.buf, root.spec.strides), view)
        found = value_holding(array, spec_of(shape, kind, strides))
    else:
        found = apply(STRIDED, (tensor_of(root), offset), (shape, strides, kind, root.spec.strides))._value
    found.root = root
    found.exposure = root.exposure
    return found


def refresh(t: Tensor) -> None:
    """Brings a handle up to date after another handle on the same memory was written to."""
    storage = t._storage
    assert storage is not None
    base = t._base
    if base is not None and base._node is not t._base_node and not isinstance(base._node, Leaf):
        _regenerate(t, base)
    elif t._view is None:
        t._value = storage.value
    else:
        me = recorder()
        tracking, me.tracking = me.tracking, False
        try:
            t._value = derive(storage.value, t._view)
        finally:
            me.tracking = tracking
    t._seen = storage.version


def _regenerate(t: Tensor, base: Tensor) -> None:
    """A view whose base has a new history gets a new node (PyTorch's regenerated `AsStridedBackward0`)."""
    settle(base)
    shape, strides, offset, kind = placement(t)
    start = base._view[2] if base._view is not None else 0
    me = recorder()
    tracking, me.tracking = me.tracking, True
    try:
        again = apply(STRIDED, (base, offset - start), (shape, strides, kind, base._value.spec.strides))
    finally:
        me.tracking = tracking
    assert t._storage is not None
    t._value = again._value
    t._value.root, t._value.exposure = t._storage.value, t._storage.value.exposure
    t._node, t._out, t._base_node = again._node, again._out, base._node


tracing.refresh = refresh


# ---------------------------------------------------------------------------------------------------------------------
# In-place


def check_writable(t: Tensor, overlap: bool = True, tracked: bool = False) -> None:
    """Raises PyTorch's errors for tensors that must not be written to in place.

    `overlap`: whether one memory location for several elements is an error; `tracked`: whether what is written has a
    history.
    """
    view = settle(t).spec
    if overlap and not view.is_contiguous and has_internal_overlap(view.shape, view.strides):
        raise RuntimeError(
            "unsupported operation: more than one element of the written-to tensor refers to a single memory location. "
            "Please clone() the tensor before performing the operation."
        )
    me = recorder()
    if t._inference and not me.inference:
        raise RuntimeError(
            "Inplace update to inference tensor outside InferenceMode is not allowed.You can make a clone to get a "
            "normal tensor before doing inplace update.See https://github.com/pytorch/rfcs/pull/17 for more details."
        )
    if not me.tracking:
        return
    if isinstance(t._node, Leaf):
        raise RuntimeError("a leaf Variable that requires grad is being used in an in-place operation.")
    base = t._base
    if base is None:
        if t._piece_of is not None and t._node is not None:
            _check_view(t)
        return
    if tracked or base._node is not None:
        _check_view(t)
    if isinstance(base._node, Leaf):
        raise RuntimeError("a view of a leaf Variable that requires grad is being used in an in-place operation.")


_ONE_OF_VIEWS = (
    "This view is the output of a function that returns multiple views. Such functions do not allow the output views "
    "to be modified inplace. You should replace the inplace operation by an out-of-place one."
)
_VIEW_OF_FUNCTION = (
    "This view was created inside a custom Function (or because an input was returned as-is) and the autograd logic to "
    "handle view+inplace would override the custom backward associated with the custom Function, leading to incorrect "
    "gradients. This behavior is forbidden. You can fix this by cloning the output of the custom Function."
)


def _check_view(t: Tensor) -> None:
    """Views whose history PyTorch would not know how to rewrite."""
    if t._piece_of is not None:
        custom = isinstance(t._node, Node) and t._node.step is None
        why = _VIEW_OF_FUNCTION if custom else _ONE_OF_VIEWS
        raise RuntimeError(f"Output {t._out} of {t._piece_of} is a view and is being modified inplace. {why}")
    if t._no_grad_view:
        raise RuntimeError(
            "A view was created in no_grad mode and is being modified inplace with grad mode enabled. Given that this "
            "use "
            "case is ambiguous and error-prone, it is forbidden. You can clarify your code by moving both the view "
            "and the "
            "inplace either both inside the no_grad block (if you don't want the inplace to be tracked) or both "
            "outside (if "
            "you want the inplace to be tracked)."
        )


def assign(t: Tensor, new: Tensor) -> Tensor:
    """Gives `t`, and every tensor that shares its memory, the numbers (and the history) of `new`.

    `new` has the shape and dtype of `t`.  The caller has asked `check_writable`.
    """
    spec = settle(t).spec
    if t._base is not None:
        settle(t._base)
    writer = new._node
    if new._value.spec is not spec:
        new = _fitted(new, spec)
    on_tape = (writer is not None or t._node is not None) and recorder().tracking
    history = _history(t, writer) if on_tape else None
    storage = t._storage
    if storage is None:
        old = t._value
        _retire(old, new._value, t, t)
        t._value = new._value
        t._edits += 1
        del old
    elif exposed(storage.value):
        _write_through(t, storage, new)
    else:
        _replace_root(t, storage, new)
    if history is not None:
        _rebase(t, new, history)
        history = None
    written = t._value if storage is None else storage.value
    if written.home is not None and written.buf is not None:
        settle_at_home(written)
    return t


def _history(t: Tensor, writer: Any) -> Tensor:
    """A handle on what is about to be overwritten; the operation that writes keeps its own copy of it."""
    if isinstance(writer, Node) and writer.step is not None and writer.saved and 0 in writer.step.saves:
        writer.cloned = writer.saved[writer.step.saves.index(0)] is t._value
    return before(t if t._base is None else t._base)


def _fitted(new: Tensor, spec: Spec) -> Tensor:
    if spec.__class__ is not Spec:
        raise NotImplementedError("a tensor that is not strided cannot be written to; make a new one")
    if new._value.spec.shape != spec.shape or new._value.spec.dtype is not spec.dtype:
        raise AssertionError(f"assign: {new._value.spec} does not fit {spec}")
    return relayout(new, spec.strides)


def _retire(old: Value, new: Value, cell: Any, writer: Tensor) -> None:
    """Marks a Value as overwritten, and lets the new one have its buffer."""
    trace = recorder().trace
    trace.overwrote = True
    if writer._untracked:
        old.replaced = new
    elif old.stale is None:
        if old.trace is trace:
            trace.rewritten = trace.rewritten or []
            trace.rewritten.append(old.slot)
        old.stale = (cell, cell.edits if isinstance(cell, Storage) else cell._edits, weakref.ref(writer))
    if old is new or new.exposure is not None or new.root is not None:
        return
    if old.buf is None:
        new.home = old.home
    elif old.exposure is None and not old.spec.wrapped:
        new.home = old.buf


def _replace_root(t: Tensor, storage: Storage, new: Tensor) -> None:
    old = storage.value
    if t._view is None:
        root = new._value
    else:
        me = recorder()
        tracking, me.tracking = me.tracking, False
        try:
            shape, strides, offset, kind = t._view
            root = apply(SCATTER, (tensor_of(old), new, offset), (shape, strides, kind, old.spec.strides))._value
        finally:
            me.tracking = tracking
    _retire(old, root, storage, t)
    _advance(storage, root, t)
    if t._view is None:
        t._value, t._seen = root, storage.version


def _advance(storage: Storage, root: Value, t: Tensor) -> None:
    storage.value = root
    storage.version += 1
    if t._untracked:
        t._edits += 1
    else:
        storage.edits += 1


def _write_through(t: Tensor, storage: Storage, new: Tensor) -> None:
    """NumPy code can see the memory: write the numbers there now."""
    array = realize(new)
    target = realize(t)
    np.copyto(target, array)
    again = value_holding(storage.value.buf, storage.value.spec)
    again.exposure = storage.value.exposure
    _retire(storage.value, again, storage, t)
    _advance(storage, again, t)


def _rebase(t: Tensor, new: Tensor, history: Tensor) -> None:
    """The history of an in-place result: the tensor's own, or for a view also its base's (`CopySlices`)."""
    base = t._base
    if base is None:
        if new._node is None:
            new = apply(FORGET, (history, new))
        _move_retained(t, new)
        t._node, t._out = new._node, new._out
        return
    shape, strides, offset, kind = placement(t)
    start = base._view[2] if base._view is not None else 0
    whole = apply(SCATTER, (history, new, offset - start), (shape, strides, kind, base._value.spec.strides))
    base._node, base._out = whole._node, whole._out
    if base._storage is not None:
        base._seen = -1
    t._seen = -1  # the next read finds the base's new node


def _move_retained(t: Tensor, new: Tensor) -> None:
    """`retain_grad` follows the tensor to its new node."""
    old = t._node
    if t._retains and isinstance(old, Node) and old.retained and isinstance(new._node, Node):
        kept = old.retained.pop(t._out, None)
        if kept is not None:
            new._node.retained = {new._out: kept}
            recorder().trace.regular = False


def before(base: Tensor) -> Tensor:
    """A handle on what the base was before the write, with its history."""
    old = tensor_of(base._value)
    old._node, old._out = base._node, base._out
    return old


def expose(t: Tensor, array: Any) -> None:
    """Notes that NumPy code now holds `array`, which looks into the tensor's memory."""
    storage = storage_of(t)
    root = storage.value
    if root.exposure is None:
        root.exposure = Exposure()
        storage.version += 1  # views made earlier must learn of it
        t._seen = storage.version if t._view is None else t._seen
        if t._view is None:
            t._value = root
    root.exposure.watchers.append(weakref.ref(array))
