"""Views: other shapes and orders of the same memory.

A view of numbers that are there already is made at once, as a NumPy view; a view of a pending Value, or of a tensor
with a history, is recorded.  Either way the result shares its base's Storage (`record.memory`).  Each kind of view is a
shape rule from `core.strided`, a NumPy kernel and a derivative; they differ in the name of their node.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from rushlight.core import strided
from rushlight.core.bounded import Bounded
from rushlight.core.dtype import dtype as Dtype
from rushlight.core.dtype import given_dtype
from rushlight.core.strided import normalize_dim
from rushlight.record import trace as tracing
from rushlight.record.memory import RELAYOUT, STRIDED, look, memory_of, placement, share
from rushlight.record.operation import Operation, operation
from rushlight.record.spec import Spec, spec_of
from rushlight.record.trace import apply, recorder, settle
from rushlight.record.value import Storage, Tensor, Value, exposed, tensor_holding, tensor_of

from .public import METHODS, public

Layout = tuple[tuple[int, ...], tuple[int, ...], int]

Pick = Callable[[np.ndarray], np.ndarray]


class Sight(NamedTuple):
    """What is known of an operation's view of any tensor with a certain Spec.

    Attributes:
        op, attrs: the operation and its attributes.
        spec: the view's Spec; `offset` is where it begins in the tensor, and `pick` how NumPy makes it.
        strided: the attributes of the strided look that is the same.
    """

    op: Operation
    attrs: tuple[Any, ...]
    spec: Spec
    offset: int
    pick: Pick
    strided: tuple[Any, ...]


_sights: Bounded[tuple[Any, ...], Sight] = Bounded()  # by operation, attributes and Spec


def view_operation(
    name: str, node: str, layout: Callable[..., Layout], kernel: Callable[..., Any], rule: Any
) -> Operation:
    """Declares a kind of view. `layout(shape, strides, offset, **attributes)` says where its elements lie."""

    def infer(x: Spec, **attributes: Any) -> Spec:
        shape, strides, _ = layout(x.shape, x.strides, 0, **attributes)
        return spec_of(tuple(shape), x.dtype, tuple(strides))

    op = operation(name, infer, kernel, node=node, view=True)
    op.gradient(**({} if rule is None else {op.operands[0]: rule}))
    _layout_of[op] = layout
    op.layouts = lambda *where, **attributes: [layout(*where, **attributes)]
    return op


_layout_of: dict[Operation, Callable[..., Layout]] = {}


def view_like(op: Operation, name: str, node: str) -> Operation:
    """The same view under another name."""
    return view_operation(name, node, _layout_of[op], op.kernel, op.rules[op.operands[0]])


def _pick(op: Operation, attrs: tuple[Any, ...], ndim: int) -> Pick:
    """The view as a function of the array alone, as cheap to call as can be."""
    if op is UNSQUEEZE:
        return operator.itemgetter(with_new(ndim, attrs[0]))
    if op is SELECT or op is SLICE:
        return operator.itemgetter((*numpy_index(attrs[0]), ...))
    if op is PERMUTE or op is TRANSPOSE or op is T_OF_MATRIX:
        return operator.methodcaller("transpose", attrs[0])
    if op is VIEW:
        return operator.methodcaller("reshape", attrs[0])
    return partial(op.kernel, **dict(zip(op.attributes, attrs, strict=True)))


def sight_of(op: Operation, attrs: tuple[Any, ...], spec: Spec) -> Sight:
    """What `op` shows of a tensor with this Spec."""
    return _sights.get((op, attrs, spec)) or _lay_out(op, attrs, spec)


def _lay_out(op: Operation, attrs: tuple[Any, ...], spec: Spec) -> Sight:
    shape, strides, offset = _layout_of[op](spec.shape, spec.strides, 0, **dict(zip(op.attributes, attrs, strict=True)))
    made = spec_of(tuple(shape), spec.dtype, tuple(strides))
    strided = made.shape, made.strides, made.dtype, spec.strides
    found = _sights[op, attrs, spec] = Sight(op, attrs, made, offset, _pick(op, attrs, spec.ndim), strided)
    return found


def look_at(t: Tensor, op: Operation, attrs: tuple[Any, ...]) -> Tensor:
    """The view of `t` that `op` makes."""
    v = settle(t)
    sight = _sights.get((op, attrs, v.spec))
    if sight is None:
        if v.__class__ is not Value:
            return tracing.other_layout(op, (t,), attrs)  # type: ignore[no-any-return]
        sight = _lay_out(op, attrs, v.spec)
    return seen(t, v, sight)


def seen(t: Tensor, v: Value, sight: Sight) -> Tensor:
    """The view of `t`, which has settled to `v`."""
    op, attrs, spec, offset, pick, strided = sight
    me = recorder()
    untracked = t._node is None or not me.tracking
    if untracked and v.buf is not None and not me.hold:
        return hang(t, tensor_holding(pick(v.buf), spec), offset, me)
    if me.capture is None and ((op is SELECT and (untracked or v.buf is not None)) or (op is SLICE and untracked)):
        # A position is a run-time number: a loop over positions is one program. On the tape only where the numbers
        # are there, as those of an earlier turn are; within a program that repeats, positions repeat.
        result = apply(STRIDED if untracked else SELECT_AT, (t, offset), strided)
    else:
        result = apply(op, (t,), attrs)
    return hang(t, result, offset, me)


def hang(t: Tensor, view: Tensor, offset: int, me: Any) -> Tensor:
    """Makes `view` a view of t's memory, `offset` elements behind where t begins, and of t's base for the tape.

    The same as `record.memory.share` and `link`, in one go: every `x[i]` comes through here.
    """
    storage = t._storage
    if storage is None:
        storage = t._storage = Storage(t._value, t._edits)
        t._seen = 0
    view._storage = storage
    view._seen = t._seen
    value = view._value
    if t._view is not None:
        offset += t._view[2]
    spec = value.spec
    view._view = spec.shape, spec.strides, offset, spec.dtype
    root = value.root = storage.value
    if root.exposure is not None and exposed(root, value.buf):
        value.exposure = root.exposure
    base = view._base = t if t._base is None else t._base
    if base._node is not None:
        view._base_node = base._node
    if t._untracked:
        view._untracked = True
    if t._no_grad_view or not me.tracking:
        view._no_grad_view = True
    if tracing.inference_seen:
        _inherit_inference(t, view, me)
    return view


def _inherit_inference(t: Tensor, view: Tensor, me: Any) -> None:
    if t._inference:
        view._inference = True
    elif me.inference:  # a view of a normal tensor is a normal tensor
        view._inference = view._value.inference = False
    if t._value.inference:
        view._value.inference = True


def link(t: Tensor, view: Tensor) -> None:
    """Makes `view`, which shares t's memory already, a differentiable view of t's base."""
    base = t if t._base is None else t._base
    view._base = base
    view._base_node = base._node
    view._inference = t._inference
    view._value.inference = t._value.inference
    if t._no_grad_view or not recorder().tracking:
        view._no_grad_view = True


# ---------------------------------------------------------------------------------------------------------------------
# Another shape


def _shape_layout(shape: Any, strides: Any, offset: int, *, to: tuple[int, ...]) -> Layout:
    return strided.view(shape, strides, offset, to)


def _reshaping(name: str, node: str) -> Operation:
    return view_operation(
        name, node, _shape_layout, lambda x, *, to: x.reshape(to), lambda g, x_spec: g.reshape(x_spec.shape)
    )


VIEW = _reshaping("view", "ViewBackward0")
RESHAPE_ALIAS = _reshaping("reshape_alias", "ReshapeAliasBackward0")
UNSAFE_VIEW = _reshaping("unsafe_view", "UnsafeViewBackward0")


def _squeezed_layout(shape: Any, strides: Any, offset: int, *, gone: tuple[int, ...]) -> Layout:
    kept = [d for d in range(len(shape)) if d not in gone]
    return tuple(shape[d] for d in kept), tuple(strides[d] for d in kept), offset


def _squeezing(name: str, node: str) -> Operation:
    return view_operation(
        name, node, _squeezed_layout, lambda x, *, gone: x.squeeze(gone), lambda g, x_spec: g.reshape(x_spec.shape)
    )


SQUEEZE = _squeezing("squeeze", "SqueezeBackward0")
SQUEEZE_DIM = _squeezing("squeeze_dim", "SqueezeBackward1")
SQUEEZE_DIMS = _squeezing("squeeze_dims", "SqueezeBackward2")


def _unsqueezed_layout(shape: Any, strides: Any, offset: int, *, at: tuple[int, ...]) -> Layout:
    """New dimensions at the places `at` of the result, with PyTorch's strides for them."""
    for d in at:
        shape, strides, offset = strided.unsqueeze(shape, strides, offset, d)
    return shape, strides, offset


@functools.cache
def with_new(ndim: int, at: tuple[int, ...]) -> tuple[Any, ...]:
    """The index that gives an array new dimensions at these places of the result."""
    return tuple(None if d in at else slice(None) for d in range(ndim + len(at)))


UNSQUEEZE = view_operation(
    "unsqueeze",
    "UnsqueezeBackward0",
    _unsqueezed_layout,
    lambda x, *, at: x[with_new(x.ndim, at)],
    lambda g, x_spec: g.reshape(x_spec.shape),
)


def _sizes(args: tuple[Any, ...]) -> tuple[int, ...]:
    if len(args) == 1 and isinstance(args[0], (tuple, list)):
        args = tuple(args[0])
    return tuple([a if a.__class__ is int else operator.index(a) for a in args])


@public(function=False)
def view(input: Tensor, *sizes: Any, size: Any = None, dtype: Dtype | None = None) -> Tensor:
    """The same memory in another shape, which must fit the strides; or, given a dtype, read as that dtype.

    >>> torch.arange(6).view(2, -1).shape
    torch.Size([2, 3])
    """
    if dtype is not None or (len(sizes) == 1 and isinstance(sizes[0], Dtype | type)):
        return view_as_dtype(input, given_dtype(sizes[0] if dtype is None else dtype, "view"))
    if not sizes and size is None:
        raise TypeError("view() received no size: it takes a size or a dtype")
    to = _sizes(sizes if size is None else (size,))
    return look_at(input, VIEW, (_filled_in(to, settle(input).spec.numel),))


def _filled_in(to: tuple[int, ...], numel: int) -> tuple[int, ...]:
    """The shape with its -1 worked out; raises PyTorch's error if it has another number of elements."""
    found = _shapes.get((to, numel))
    if found is None:
        found = _shapes[to, numel] = tuple(strided.infer_size(to, numel))
    return found


@public()
def reshape(input: Tensor, *sizes: Any, shape: Any = None) -> Tensor:
    """The same numbers in another shape: a view where the strides allow it, else a copy.

    >>> torch.arange(4).reshape(2, 2)
    tensor([[0, 1],
            [2, 3]])
    """
    to = _sizes(sizes if shape is None else (shape,))
    spec = settle(input).spec
    return _reshaped(input, spec, _filled_in(to, spec.numel))


def _reshaped(input: Tensor, spec: Spec, to: tuple[int, ...]) -> Tensor:
    op = _reshapings.get((spec, to))
    if op is None:
        viewable = strided.view_strides(spec.shape, spec.strides, to) is not None
        op = (VIEW if spec.is_contiguous else RESHAPE_ALIAS) if viewable else UNSAFE_VIEW
        _reshapings[spec, to] = op
    return unsafe_view(contiguous(input), to) if op is UNSAFE_VIEW else look_at(input, op, (to,))


def unsafe_view(fresh: Tensor, shape: tuple[int, ...]) -> Tensor:
    """A result that nobody else holds, in another shape: no view as far as the tape and in-place operations go."""
    return apply(UNSAFE_VIEW, (fresh,), (shape,))


_shapes: Bounded[tuple[tuple[int, ...], int], tuple[int, ...]] = Bounded()  # as given, and without -1
_reshapings: Bounded[tuple[Spec, tuple[int, ...]], Operation] = Bounded()  # which view, by Spec and new shape
_flattened: Bounded[tuple[Spec, int, int], tuple[int, ...]] = Bounded()


@public()
def view_as(input: Tensor, other: Tensor) -> Tensor:
    """`input.view(other.shape)`."""
    return view(input, settle(other).spec.shape)


@public()
def reshape_as(input: Tensor, other: Tensor) -> Tensor:
    """`input.reshape(other.shape)`."""
    return reshape(input, settle(other).spec.shape)


@public()
def flatten(input: Tensor, start_dim: int = 0, end_dim: int = -1) -> Tensor:
    """Dimensions `start_dim` to `end_dim` made one.

    >>> torch.zeros(2, 3, 4).flatten(1).shape
    torch.Size([2, 12])
    """
    spec = input._value.spec
    key = (spec, start_dim, end_dim)
    to = _flattened.get(key)
    if to is None:
        to = _flattened[key] = tuple(strided.flatten_shape(spec.shape, start_dim, end_dim))
    return input if to == spec.shape else _reshaped(input, spec, to)


@public()
def ravel(input: Tensor) -> Tensor:
    """One dimension, without a copy where possible."""
    return reshape(contiguous(input), -1)


@public()
def unflatten(input: Tensor, dim: int, sizes: Any) -> Tensor:
    """Dimension `dim` split into `sizes` (one of them may be -1)."""
    return view(input, tuple(strided.unflatten_shape(settle(input).spec.shape, dim, tuple(sizes))))


@public(inplace=False)
def squeeze(input: Tensor, dim: Any = None, *, axis: Any = None) -> Tensor:
    """Without the dimensions of size 1, or without those among `dim`.

    >>> torch.zeros(1, 2, 1).squeeze().shape
    torch.Size([2])
    """
    spec = settle(input).spec
    dim = axis if dim is None else dim
    wanted = range(spec.ndim) if dim is None else dims_in(dim, spec.ndim)
    gone = tuple(d for d in wanted if spec.ndim and spec.shape[d] == 1)
    kind = SQUEEZE if dim is None else SQUEEZE_DIM if isinstance(dim, int) else SQUEEZE_DIMS
    return look_at(input, kind, (gone,))


def dims_in(dim: Any, ndim: int) -> tuple[int, ...]:
    """A dimension or several, normalised; PyTorch's errors for those that do not exist or stand twice."""
    return tuple(strided.normalize_dims((dim,) if hasattr(dim, "__index__") else tuple(dim), ndim))


@public(inplace=False)
def unsqueeze(input: Tensor, dim: int) -> Tensor:
    """With a new dimension of size 1 at `dim`.

    >>> torch.zeros(3).unsqueeze(0).shape
    torch.Size([1, 3])
    """
    spec = settle(input).spec
    return look_at(input, UNSQUEEZE, ((normalize_dim(dim, spec.ndim + 1),),))


# ---------------------------------------------------------------------------------------------------------------------
# Another order


def _permute_layout(shape: Any, strides: Any, offset: int, *, dims: tuple[int, ...]) -> Layout:
    return tuple(shape[d] for d in dims), tuple(strides[d] for d in dims), offset


def _inverse(g: Tensor, dims: tuple[int, ...]) -> Tensor:
    order = sorted(range(len(dims)), key=dims.__getitem__)
    return look_at(g, PERMUTE, (tuple(order),))


def _permuting(name: str, node: str) -> Operation:
    return view_operation(name, node, _permute_layout, lambda x, *, dims: x.transpose(dims), _inverse)


PERMUTE = _permuting("permute", "PermuteBackward0")
TRANSPOSE = _permuting("transpose", "TransposeBackward0")
T_OF_MATRIX = _permuting("t", "TBackward0")


@public(inplace=False)
def permute(input: Tensor, *order: Any, dims: Any = None) -> Tensor:
    """The dimensions in another order.

    >>> torch.zeros(2, 3, 4).permute(2, 0, 1).shape
    torch.Size([4, 2, 3])
    """
    order = _sizes(order if dims is None else (dims,))
    return look_at(input, PERMUTE, (_order_of(settle(input).spec.shape, order),))


@functools.lru_cache(4096)
def _order_of(shape: tuple[int, ...], order: tuple[int, ...]) -> tuple[int, ...]:
    """The order with no dimension counted from the end; raises PyTorch's error where it is none."""
    strided.permute(shape, shape, 0, order)
    return tuple(d % len(shape) if shape else 0 for d in order)


@public(names=("swapaxes", "swapdims"), keywords={"axis0": "dim0", "axis1": "dim1"})
def transpose(input: Tensor, dim0: int, dim1: int) -> Tensor:
    """Dimensions `dim0` and `dim1` exchanged.

    >>> torch.zeros(2, 3).transpose(0, 1).shape
    torch.Size([3, 2])
    """
    n = settle(input).spec.ndim
    return look_at(input, TRANSPOSE, (_exchanged(n, normalize_dim(dim0, n), normalize_dim(dim1, n)),))


@functools.lru_cache(4096)
def _exchanged(n: int, a: int, b: int) -> tuple[int, ...]:
    """All dimensions in order, but for two."""
    order = list(range(n))
    if n:
        order[a], order[b] = b, a
    return tuple(order)


@public()
def t(input: Tensor) -> Tensor:
    """The transpose of a matrix; a vector or a number as it is."""
    n = settle(input).spec.ndim
    if n > 2:
        raise RuntimeError(f"t() expects a tensor with <= 2 dimensions, but self is {n}D")
    return look_at(input, T_OF_MATRIX, ((1, 0) if n == 2 else tuple(range(n)),))


@public(names=("moveaxis",))
def movedim(input: Tensor, source: Any, destination: Any) -> Tensor:
    """Dimensions `source` moved to the places `destination`, the others in order."""
    pair = [(d,) if hasattr(d, "__index__") else tuple(d) for d in (source, destination)]
    order = strided.movedim_order(settle(input).spec.ndim, *pair)
    return look_at(input, PERMUTE, (tuple(order),))


# ---------------------------------------------------------------------------------------------------------------------
# Repetition without a copy


def _expand_layout(shape: Any, strides: Any, offset: int, *, to: tuple[int, ...]) -> Layout:
    return strided.expand(shape, strides, offset, to)


def _broadcast(x: np.ndarray, *, to: tuple[int, ...]) -> np.ndarray:
    lead = len(to) - x.ndim
    full = to if -1 not in to else tuple([x.shape[d - lead] if n == -1 else n for d, n in enumerate(to)])
    if x.__class__ is not np.ndarray or not x.size or not x.flags.c_contiguous or 0 in full:
        return np.broadcast_to(x, full)
    steps = [0 if m == 1 else s for m, s in zip(x.shape, x.strides, strict=True)]
    found = np.ndarray(full, x.dtype, x, 0, (0,) * lead + tuple(steps))  # what `broadcast_to` makes, sooner
    found.flags.writeable = False
    return found


EXPAND = view_operation("expand", "ExpandBackward0", _expand_layout, _broadcast, lambda g: g)


@public(function=False)
def expand(input: Tensor, *sizes: Any, size: Any = None, implicit: bool = False) -> Tensor:
    """Dimensions of size 1 repeated to `size` without a copy; -1 keeps a dimension.

    >>> torch.tensor([[1], [2]]).expand(2, 2)
    tensor([[1, 1],
            [2, 2]])
    """
    return look_at(input, EXPAND, (_sizes(sizes if size is None else (size,)),))


@public(function=False)
def expand_as(input: Tensor, other: Tensor) -> Tensor:
    """`input.expand(other.shape)`."""
    return look_at(input, EXPAND, (settle(other).spec.shape,))


@public(method=False)
def broadcast_to(input: Tensor, size: Any) -> Tensor:
    """`input.expand(size)`."""
    return look_at(input, EXPAND, (_sizes((size,)),))


def _broadcast_to_method(self: Tensor, *sizes: Any, size: Any = None) -> Tensor:
    """`self.expand(size)`."""
    return look_at(self, EXPAND, (_sizes(sizes if size is None else (size,)),))


METHODS["broadcast_to"] = _broadcast_to_method


# ---------------------------------------------------------------------------------------------------------------------
# Parts


def index_layout(shape: Any, strides: Any, offset: int, *, index: tuple[Any, ...]) -> Layout:
    """Strides of a basic index: one integer or slice (start, stop, step) for each dimension, None for a new one."""
    new_shape: list[int] = []
    new_strides: list[int] = []
    d = 0
    for part in index:
        if part is None:
            new_shape.append(1)
            new_strides.append(strides[d] * shape[d] if d < len(shape) else 1)
            continue
        if part.__class__ is int:
            offset += part * strides[d]
        else:
            start, stop, step = part
            new_shape.append(len(range(start, stop, step)))
            new_strides.append(strides[d] * step)
            offset += start * strides[d]
        d += 1
    return tuple(new_shape), tuple(new_strides), offset


@functools.lru_cache(1024)
def numpy_index(index: tuple[Any, ...]) -> tuple[Any, ...]:
    """A static index as NumPy takes it."""
    return tuple(slice(*p) if p.__class__ is tuple else p for p in index)


def _part(x: np.ndarray, *, index: tuple[Any, ...]) -> np.ndarray:
    return x[(*numpy_index(index), ...)]


def _put_back(g: np.ndarray, *, index: tuple[Any, ...], shape: tuple[int, ...]) -> np.ndarray:
    whole = np.zeros(shape, g.dtype)
    whole[numpy_index(index)] = g
    return whole


PUT_BACK = operation(
    "put_back",
    lambda g, *, index, shape: spec_of(shape, g.dtype),
    _put_back,
    node="SliceBackwardBackward0",
    exact=True,
    aliases=False,
)
PUT_BACK.lower = lambda g, *, index, shape: g.assembled(
    (g,), shape, lambda *where: [index_layout(*where, index=index)]
)
PUT_BACK.gradient(g=lambda g, index: look_at(g, SLICE, (index,)))


def _part_gradient(g: Tensor, x_spec: Spec, index: Any) -> Tensor:
    return apply(PUT_BACK, (g,), (index, x_spec.shape))


def _taking(name: str, node: str) -> Operation:
    return view_operation(name, node, index_layout, _part, _part_gradient)


SLICE: Operation = _taking("slice", "SliceBackward0")
ALIAS = view_operation("alias", "AliasBackward0", lambda *layout: layout, lambda x: x[...], lambda g: g)
SELECT = _taking("select", "SelectBackward0")


_rows: Bounded[Spec, tuple[int, int, Spec]] = Bounded()
_spans: Bounded[tuple[Spec, int, int], Spec] = Bounded()


def _row_layout(spec: Spec) -> tuple[int, int, Spec]:
    if not spec.shape:
        raise IndexError(
            "invalid index of a 0-dim tensor. Use `tensor.item()` in Python or `tensor.item<T>()` in C++ to convert a "
            "0-dim tensor to a number"
        )
    row = spec_of(spec.shape[1:], spec.dtype, spec.strides[1:])
    found = _rows[spec] = spec.shape[0], spec.strides[0], row
    return found


def row(t: Tensor, i: int) -> Tensor:
    """`t[i]` for a Python integer."""
    v = settle(t)
    found = _rows.get(v.spec)
    if found is None:
        found = _row_layout(v.spec)
    n, stride, spec = found
    if not -n <= i < n:
        raise IndexError(f"index {i} is out of bounds for dimension 0 with size {n}")
    if i < 0:
        i += n
    me = recorder()
    if v.buf is not None and (t._node is None or not me.tracking) and not me.hold:
        return hang(t, tensor_holding(v.buf[i, ...], spec), i * stride, me)
    return look_at(t, SELECT, (along(v.spec.shape, 0, i),))


def row_place(spec: Spec, i: int) -> tuple[Spec, int]:
    """The Spec of `t[i]`, and where it begins in t."""
    n, stride, found = _rows.get(spec) or _row_layout(spec)
    if not -n <= i < n:
        raise IndexError(f"index {i} is out of bounds for dimension 0 with size {n}")
    return found, (i + n if i < 0 else i) * stride


def span_place(spec: Spec, part: slice) -> tuple[Spec, int]:
    """The Spec of `t[start:stop:step]`, and where it begins in t."""
    first, last, step = part.indices(spec.shape[0])
    key = spec, last - first, step
    found = _spans.get(key)
    if found is None:
        shape = (len(range(first, last, step)), *spec.shape[1:])
        found = _spans[key] = spec_of(shape, spec.dtype, (spec.strides[0] * step, *spec.strides[1:]))
    return found, first * spec.strides[0]


def span(t: Tensor, part: slice) -> Tensor:
    """`t[start:stop:step]` off the tape, where the numbers are there already."""
    v = settle(t)
    spec, offset = span_place(v.spec, part)
    return hang(t, tensor_holding(v.buf[part], spec), offset, recorder())


def _whole(shape: tuple[int, ...]) -> list[Any]:
    return [(0, n, 1) for n in shape]


def along(shape: tuple[int, ...], dim: int, part: Any) -> tuple[Any, ...]:
    index = _whole(shape)
    index[dim] = part
    return tuple(index)


@public()
def select(input: Tensor, dim: int, index: int) -> Tensor:
    """The part of `input` at `index` of dimension `dim`, which disappears."""
    spec = settle(input).spec
    index = operator.index(index)
    strided.select(spec.shape, spec.strides, 0, dim, index)
    dim = normalize_dim(dim, spec.ndim)
    return look_at(input, SELECT, (along(spec.shape, dim, index % spec.shape[dim]),))


@public()
def narrow(input: Tensor, dim: int, start: Any, length: int) -> Tensor:
    """`length` elements of dimension `dim` from `start` on."""
    spec = settle(input).spec
    start = _start_of(start)
    strided.narrow(spec.shape, spec.strides, 0, dim, start, length)
    dim = normalize_dim(dim, spec.ndim)
    start = start % spec.shape[dim] if start < 0 else start
    return look_at(input, SLICE, (along(spec.shape, dim, (start, start + length, 1)),))


def _start_of(start: Any) -> int:
    if isinstance(start, Tensor):
        kind = settle(start).spec
        if kind.ndim or kind.dtype.numpy.kind not in "iu":
            raise RuntimeError("start must be an 0-dim integral Tensor.")
    return int(start)


def slice_along(input: Tensor, dim: int = 0, start: int | None = None, end: int | None = None, step: int = 1) -> Tensor:
    """`input[start:end:step]` along `dim`; as a method, what PyTorch calls `aten::slice`."""
    spec = settle(input).spec
    strided.slice_dim(spec.shape, spec.strides, 0, dim, start, end, step)
    dim = normalize_dim(dim, spec.ndim)
    return look_at(input, SLICE, (along(spec.shape, dim, slice(start, end, step).indices(spec.shape[dim])),))


METHODS["slice"] = slice_along


# ---------------------------------------------------------------------------------------------------------------------
# Views that only strides describe


def _strided_view(t: Tensor, layout: Layout, node: Operation, kind: Dtype | None = None) -> Tensor:
    v = settle(t)
    shape, strides, offset = tuple(layout[0]), tuple(layout[1]), layout[2]
    kind = kind or v.spec.dtype
    me = recorder()
    if v.buf is not None and not me.hold and (t._node is None or not me.tracking):
        array = look(memory_of(v.buf, v.spec.strides), (shape, strides, offset, kind))
        result = tensor_holding(array, spec_of(shape, kind, strides))
    else:
        result = apply(node, (t, offset), (shape, strides, kind, v.spec.strides))
    start = t._view[2] if t._view is not None else 0
    share(t, (shape, strides, start + offset, kind), result)
    link(t, result)
    return result


def _strided_kind(name: str, node: str) -> Operation:
    op = operation(name, STRIDED.infer, STRIDED.kernel, node=node, view=True)
    op.layouts = STRIDED.layouts
    return op.gradient(**STRIDED.rules)


DIAGONAL = _strided_kind("diagonal", "DiagonalBackward0")
UNFOLD = _strided_kind("unfold_dim", "UnfoldBackward0")
SELECT_AT = _strided_kind("select_at", "SelectBackward0")
VIEW_DTYPE = operation("view_dtype", STRIDED.infer, STRIDED.kernel, node="ViewBackward1", view=True)


@public()
def diagonal(input: Tensor, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Tensor:
    """The diagonal of dimensions `dim1` and `dim2`, as the last dimension of a view."""
    spec = settle(input).spec
    return _strided_view(input, strided.diagonal(spec.shape, spec.strides, 0, offset, dim1, dim2), DIAGONAL)


@public(function=False)
def unfold(input: Tensor, dimension: int, size: int, step: int) -> Tensor:
    """All windows of `size` along `dimension`, `step` apart, as a view with one more dimension."""
    spec = settle(input).spec
    return _strided_view(input, strided.unfold(spec.shape, spec.strides, 0, dimension, size, step), UNFOLD)


@public()
def as_strided(input: Tensor, size: Any, stride: Any, storage_offset: int | None = None) -> Tensor:
    """A view of the tensor's storage with the given size, strides and offset."""
    v = settle(input)
    own = placement(input)[2]
    offset = own if storage_offset is None else storage_offset
    root = input._storage.value.spec if input._storage is not None else v.spec
    length = strided.extent(root.shape, root.strides)
    layout = strided.as_strided(tuple(size), tuple(stride), offset, length, v.spec.numpy.itemsize)
    if v.spec.is_contiguous and own == 0 and length == v.spec.numel:
        return _strided_view(input, layout, STRIDED)
    return _strided_of_root(input, layout)


def _strided_of_root(t: Tensor, layout: Layout) -> Tensor:
    """A look beyond the tensor's own elements, into its root's memory."""
    if t._node is not None and recorder().tracking:
        if t._base is None:
            return _strided_view(t, layout, STRIDED)
        return _strided_view(t._base, layout, STRIDED)
    from rushlight.record.memory import derive, storage_of

    storage = storage_of(t)
    kind = t._value.spec.dtype
    view = (tuple(layout[0]), tuple(layout[1]), layout[2], kind)
    result = share(t, view, tensor_of(derive(storage.value, view)))
    link(t, result)
    return result


def view_as_dtype(input: Tensor, kind: Dtype) -> Tensor:
    """The same bytes read as another dtype."""
    spec = settle(input).spec
    if input.requires_grad:
        input = input.detach()  # bytes have no derivative
    if kind is spec.dtype:
        return view(input, spec.shape)
    start = placement(input)[2]
    shape, strides, offset = strided.view_dtype(spec.shape, spec.strides, start, spec.dtype, kind)
    own = strided.view_dtype(spec.shape, spec.strides, 0, spec.dtype, kind)[2]
    result = _strided_view(input, (shape, strides, own), VIEW_DTYPE, kind)
    result._view = (tuple(shape), tuple(strides), offset, kind)
    result._node = None
    return result


# ---------------------------------------------------------------------------------------------------------------------
# Row-major copies


@public(function=False)
def contiguous(input: Tensor, memory_format: Any = None) -> Tensor:
    """The tensor itself if it lies row by row in memory (or as `memory_format` says), else a copy that does."""
    spec = settle(input).spec
    if memory_format is None and spec.is_contiguous:
        return input
    layout = wanted_strides(spec, memory_format)
    return input if _same_layout(spec, layout) else apply(RELAYOUT, (input,), (layout,))


def wanted_strides(spec: Spec, memory_format: Any) -> tuple[int, ...]:
    """The strides that a memory format means for a shape."""
    name = "contiguous_format" if memory_format is None else memory_format.name
    if name == "contiguous_format":
        return tuple(strided.contiguous_strides(spec.shape))
    if name == "preserve_format":
        return tuple(strided.preserve_strides(spec.shape, spec.strides))
    return tuple(strided.channels_last_strides(spec.shape))


def _same_layout(spec: Spec, layout: tuple[int, ...]) -> bool:
    return spec.numel == 0 or all(a == b or n == 1 for a, b, n in zip(spec.strides, layout, spec.shape, strict=True))
