"""`x[...]` and `x[...] = v`: PyTorch's indexing.

An index is worked through once: integers, slices and None become one view of the tensor; what tensors, lists and masks
remain become one `index` (or `index_put`) operation on that view.  Indices without tensors have short cuts: rows,
spans, tuples that were met before, and, off the tape, writing straight into the root's memory.
"""

from __future__ import annotations

import operator
import warnings
from typing import Any, NoReturn

import numpy as np

from rushlight.core import dtype as dtypes
from rushlight.core.bounded import Bounded
from rushlight.core.number import number_in
from rushlight.core.strided import has_internal_overlap
from rushlight.ops.creation import FILL, FILL_TENSOR, FILLED, FILLED_TENSOR, ZERO, cast, copied, wrap
from rushlight.ops.index import INDEX, INDEX_PUT, SET_PART, check_positions
from rushlight.ops.public import attach, check_no_partial_overlap, public, write_back
from rushlight.ops.selection import MASKED_FILL, MASKED_FILL_TENSOR, WHERE
from rushlight.ops.view import (
    ALIAS,
    SELECT,
    SLICE,
    UNSQUEEZE,
    Sight,
    look_at,
    row,
    row_place,
    seen,
    sight_of,
    span,
    span_place,
)
from rushlight.record.memory import assign, check_writable, placement
from rushlight.record.operation import Operation
from rushlight.record.spec import Spec, spec_of
from rushlight.record.trace import apply, realize, recorder, settle
from rushlight.record.value import Tensor, Value, tensor_holding, tensor_of

from .construct import tensor
from .properties import method

Steps = tuple[tuple[Operation, tuple[Any, ...]], ...]  # the views of views that an index means, with their attributes


def _getitem(self: Tensor, index: Any) -> Tensor:
    kind = index.__class__
    if kind is int:
        return row(self, index)
    if index is None or index is Ellipsis:
        index, kind = (index,), tuple
    if kind is tuple:
        key = _key(index)
        if key is not None:
            v = settle(self)
            if v.__class__ is Value:
                for sight in _known.get((key, v.spec)) or _remember(index, key, v.spec):
                    self = seen(self, v, sight)
                    v = self._value
                return self
    elif kind is slice and _is_plain_part(self, index):
        return span(self, index)
    elif isinstance(index, Tensor):
        found = _at_positions(self, index) if settle(index).spec.dtype is dtypes.int64 else _picked(self, index)
        if found is not None:
            return found
    view, tensors, places = _resolve(self, index)
    if not tensors:
        return view
    check_positions(view, tensors, places)
    return apply(INDEX, (view, *tensors), (places,))


def _at_positions(t: Tensor, at: Tensor) -> Tensor | None:
    """`t[at]` for whole numbers, of which a single one means a row; None where t is no strided tensor of rows."""
    v = settle(t)
    if v.__class__ is not Value or not v.spec.shape or at._value.__class__ is not Value:
        return None
    if not at._value.spec.ndim:
        return row(t, int(at))
    places = (True, *(False,) * (v.spec.ndim - 1))
    check_positions(t, (at,), places)
    return apply(INDEX, (t, at), (places,))  # type: ignore[no-any-return]


def _picked(t: Tensor, mask: Tensor) -> Tensor | None:
    """`t[mask]` off the tape, taken at once where the numbers are there when the mask's have been asked for.

    How many elements there are depends on numbers: recorded, each count would be another program.
    """
    kind, me = settle(mask).spec, recorder()
    if kind.dtype is not dtypes.bool_ or not kind.ndim or me.hold or (t._node is not None and me.tracking):
        return None
    spec = settle(t).spec
    if spec.__class__ is not Spec or spec.shape[: kind.ndim] != kind.shape:
        return None
    if not spec.is_contiguous and kind.ndim < spec.ndim:
        return None  # the result's dimensions lie as these do
    where, numbers = realize(mask), t._value.buf
    if numbers is None or me.inference:
        return None
    found = numbers[where]
    return tensor_holding(found, spec_of(found.shape, spec.dtype))


#: For (a tuple of integers, slices, None and ..., Spec): the views it means.
_known: Bounded[tuple[Any, Spec], tuple[Sight, ...]] = Bounded()


def _key(index: tuple[Any, ...]) -> tuple[Any, ...] | None:
    """A hashable form of an index without tensors; None if there is anything else in it."""
    for p in index:
        if p.__class__ is not int and p is not None and p is not Ellipsis:
            return _key_of_slices(index)
    return index


def _key_of_slices(index: tuple[Any, ...]) -> tuple[Any, ...] | None:
    key: list[Any] = []
    for p in index:
        kind = p.__class__
        if kind is int or p is None or p is Ellipsis:
            key.append(p)
        elif kind is slice:
            bounds = p.start, p.stop, p.step
            for x in bounds:
                if x is not None and x.__class__ is not int:
                    return None
            key.append(bounds)
        else:
            return None
    return tuple(key)


def _remember(index: tuple[Any, ...], key: tuple[Any, ...], spec: Spec) -> tuple[Sight, ...]:
    basic, _, last, d = _parts(index, spec.shape)
    found, at = [], spec
    for op, attrs in _views_of(basic, last, spec.shape, d):
        found.append(sight_of(op, attrs, at))
        at = found[-1].spec
    sights = _known[key, spec] = tuple(found)
    return sights


def _is_plain_part(t: Tensor, part: slice) -> bool:
    """Whether `span` will do: numbers that are there, no tape, and a positive step."""
    v = settle(t)
    me = recorder()
    if v.buf is None or not v.spec.shape or me.hold or (t._node is not None and me.tracking):
        return False
    return part.step is None or (part.step.__class__ is int and part.step > 0)


# ---------------------------------------------------------------------------------------------------------------------
# x[index] = value


def _setitem(self: Tensor, index: Any, value: Any) -> None:
    if not isinstance(value, Tensor):
        value = _assignable(value, settle(self).spec.dtype)
    place = _place(index, settle(self).spec)
    if place is not None and _is_plain_target(self, value):
        _write_part(self, place, value)
        return
    mask = _mask_of(self, index) if place is None else None
    if mask is not None and (not isinstance(value, Tensor) or settle(value).spec.numel == 1):
        _fill_where(*mask, value)
        return
    if mask is not None and _put_where(*mask, value):
        return
    view, tensors, places = _resolve(self, index)
    if not tensors:
        if not (isinstance(value, Tensor) and _is_itself(value, view)):
            _store(view, value)
        return
    check_positions(view, tensors, places)
    if isinstance(value, Tensor):
        value = _without_leading_ones(value)
    write_back(view, apply(INDEX_PUT, (view, value, *tensors), (places, False)))


def _assignable(value: Any, kind: Any) -> Any:
    """A number as it may stand on the right; anything else is PyTorch's TypeError."""
    if isinstance(value, np.integer):
        value = int(value)
    if not isinstance(value, (int, float, complex)):
        cls = type(value)
        shown = f"numpy.{cls.__name__}" if cls.__module__ == "numpy" else cls.__name__
        raise TypeError(f"can't assign a {shown} to a torch.{kind.scalar_name}Tensor")
    if isinstance(value, np.generic):
        value = value.item()
    return number_in(value, kind)


def _place(index: Any, spec: Spec) -> tuple[Spec, int] | None:
    """The Spec and the beginning of the one view that an index without tensors means; None for any other index."""
    kind = index.__class__
    if kind is int:
        return row_place(spec, index)
    if kind is slice:
        index = (index,)
        if spec.shape and (part := index[0]).step is None:
            return span_place(spec, part)
    elif index is None or index is Ellipsis:
        index = (index,)
    elif kind is not tuple:
        return None
    key = _key(index)
    if key is None:
        return None
    sights = _known.get((key, spec)) or _remember(index, key, spec)
    return (sights[0].spec, sights[0].offset) if len(sights) == 1 else None


def _is_plain_target(t: Tensor, value: Any) -> bool:
    """Whether writing touches neither the tape nor NumPy code, and no element twice."""
    me = recorder()
    if me.tracking:
        if t._node is not None or (t._base is not None and t._base._node is not None):
            return False
        if isinstance(value, Tensor) and value._node is not None:
            return False
    if t._inference or t._piece_of is not None or t._no_grad_view:
        return False
    storage, own = t._storage, t._view
    if storage is None:
        return t._value.exposure is None
    return storage.value.exposure is None and (own is None or own[3] is storage.value.spec.dtype)


def _write_part(t: Tensor, place: tuple[Spec, int], value: Any) -> None:
    spec, offset = place
    if 0 in spec.strides and has_internal_overlap(spec.shape, spec.strides):
        check_writable(look_at(t, ALIAS, ()))
    if isinstance(value, Tensor):
        if _is_at(value, t, spec, offset):
            return
        if settle(value).spec.shape != spec.shape:
            value = _broadcastable(value, spec.shape)
    storage, own = t._storage, t._view
    if own is None:
        handle = t
    else:
        offset += own[2]
        assert storage is not None
        handle = tensor_of(storage.value)
        handle._storage, handle._seen, handle._untracked = storage, storage.version, t._untracked
    root = settle(handle).spec
    assign(handle, apply(SET_PART, (handle, value, offset), (spec.shape, spec.strides, root.strides)))


def _is_at(value: Tensor, t: Tensor, spec: Spec, offset: int) -> bool:
    """Whether `x[i] = x[i]`: the second half of Python's `x[i] += 1`, which has been written already."""
    if value._storage is None or value._storage is not t._storage:
        return False
    start = t._view[2] if t._view is not None else 0
    return placement(value) == (spec.shape, spec.strides, start + offset, spec.dtype)


def _is_itself(source: Tensor, view: Tensor) -> bool:
    """The same for a view that exists."""
    same = source._storage is not None and source._storage is view._storage
    return same and placement(source) == placement(view)


def _mask_of(t: Tensor, index: Any) -> tuple[Tensor, Tensor] | None:
    """For an index with one mask and no other tensor: the view without the mask, and the mask shaped to broadcast with
    it; None for any other index.  So `x[mask] = number` need not know how many elements the mask picks.
    """
    parts = index if index.__class__ is tuple else (index,)
    if len(parts) == 1 and isinstance(parts[0], Tensor):
        return _mask_at(t, parts[0], 0)
    masks = [i for i, p in enumerate(parts) if isinstance(p, Tensor) and settle(p).spec.ndim]
    if len(masks) != 1 or settle(parts[masks[0]]).spec.dtype is not dtypes.bool_:
        return None
    if not all(i in masks or p.__class__ in (int, slice) or p is None or p is Ellipsis for i, p in enumerate(parts)):
        return None
    k, mask = masks[0], parts[masks[0]]
    rest = list(parts[:k]) + [slice(None)] * mask._value.spec.ndim + list(parts[k + 1 :])
    used = sum(p is not None and p is not Ellipsis for p in rest)
    if used > t._value.spec.ndim or sum(p is Ellipsis for p in rest) > 1:
        return None
    before = sum(t._value.spec.ndim - used if p is Ellipsis else p.__class__ is not int for p in parts[:k])
    return _mask_at(_getitem(t, tuple(rest)), mask, before)


def _mask_at(view: Tensor, mask: Tensor, before: int) -> tuple[Tensor, Tensor] | None:
    kind, shape = settle(mask).spec, settle(view).spec.shape
    if kind.dtype is not dtypes.bool_ or not kind.ndim or kind.shape != shape[before : before + kind.ndim]:
        return None
    after = len(shape) - before - kind.ndim
    return view, mask.reshape(kind.shape + (1,) * after) if after else mask


def _fill_where(t: Tensor, mask: Tensor, value: Any) -> None:
    check_writable(t)
    if isinstance(value, Tensor):
        value = cast(value.reshape(()), settle(t).spec.dtype)
        assign(t, apply(MASKED_FILL_TENSOR, (t, mask, value)))
    else:
        assign(t, apply(MASKED_FILL, (t, mask, value)))


def _put_where(t: Tensor, mask: Tensor, values: Tensor) -> bool:
    """`t[mask] = values` off the tape, with the values spread out first, so that what is recorded has t's shape.

    Only where the numbers are there: else how many there are is part of a program that may be known.
    """
    me, spec = recorder(), settle(t).spec
    if me.hold or (me.tracking and (t._node is not None or values._node is not None or t._base is not None)):
        return False
    if settle(mask).spec.shape != spec.shape or settle(values).spec.dtype is not spec.dtype:
        return False
    if t._view is None and not spec.is_contiguous:
        return False
    if values._value.buf is None or mask._value.buf is None:
        return False
    chosen = realize(mask)
    if values._value.spec.shape != (np.count_nonzero(chosen),):
        return False
    spread = np.zeros(spec.shape, spec.numpy)
    spread[chosen] = realize(values)
    check_writable(t)
    assign(t, apply(WHERE, (mask, wrap(spread), t)))
    return True


def _store(view: Tensor, source: Any) -> None:
    """`view.copy_(source)`, where leading dimensions of size 1 of the source do not count."""
    check_writable(view)
    if isinstance(source, Tensor) and settle(source).spec.shape != settle(view).spec.shape:
        source = _broadcastable(source, view._value.spec.shape)
    assign(view, copied(view, source))


def _without_leading_ones(source: Tensor) -> Tensor:
    shape = settle(source).spec.shape
    extra = 0
    while extra < len(shape) and shape[extra] == 1:
        extra += 1
    return source.reshape(shape[extra:]) if extra else source


def _broadcastable(source: Tensor, goal: tuple[int, ...]) -> Tensor:
    """The source without leading dimensions of size 1, if it then broadcasts to `goal`; else PyTorch's error."""
    source = _without_leading_ones(source)
    shape = settle(source).spec.shape
    lead = len(goal) - len(shape)
    if lead < 0:
        raise RuntimeError(
            f"expand(torch.{source.dtype.scalar_name}Tensor{{{list(shape)}}}, size={list(goal)}): the number of sizes "
            f"provided ({len(goal)}) must be greater or equal to the number of dimensions in the tensor ({len(shape)})"
        )
    for d, n in enumerate(shape):
        if n not in (1, goal[lead + d]):
            raise RuntimeError(
                f"The expanded size of the tensor ({goal[lead + d]}) must match the existing size ({n}) at "
                f"non-singleton dimension {lead + d}.  Target sizes: {list(goal)}.  Tensor sizes: {list(shape)}"
            )
    return source


attach("__getitem__", _getitem)
attach("__setitem__", _setitem)


def _delitem(self: Tensor, index: Any) -> NoReturn:
    raise TypeError("Tensor does not support deleting items")


attach("__delitem__", _delitem)


# ---------------------------------------------------------------------------------------------------------------------
# From what the user wrote to a view, index tensors and the dimensions they index


def _resolve(t: Tensor, index: Any) -> tuple[Tensor, tuple[Tensor, ...], tuple[bool, ...]]:
    """The view that integers, slices and None mean, the index tensors that remain, and which dimensions they index."""
    shape = settle(t).spec.shape
    basic, at, last, d = _parts(_as_tuple(index), shape)
    if last is None and index.__class__ is slice:
        last = SLICE  # PyTorch leaves `x[:]` out only among other parts
    tensors = tuple(i for i in at if i is not None)
    if last is not None or not tensors:
        for op, attrs in _views_of(basic, last, shape, d):
            t = look_at(t, op, attrs)
    at.extend([None] * (len(shape) - d))
    return t, tensors, tuple(i is not None for i in at)


def _as_tuple(index: Any) -> tuple[Any, ...]:
    """The parts of an index; a list that holds sequences, tensors, slices, None or ... is read as a tuple of parts."""
    if isinstance(index, tuple):
        return index
    if isinstance(index, list) and len(index) < 32 and any(_is_part(p) for p in index):
        warnings.warn(
            "Using a non-tuple sequence for multidimensional indexing is deprecated and will be changed in pytorch "
            "2.9; use x[tuple(seq)] instead of x[seq]. In pytorch 2.9 this will be interpreted as tensor index, "
            "x[torch.tensor(seq)], which will result either in an error or a different result",
            UserWarning,
            stacklevel=4,
        )
        return tuple(index)
    return (index,)


def _is_part(p: Any) -> bool:
    return p is None or p is Ellipsis or isinstance(p, (Tensor, list, tuple, slice, range, np.ndarray))


def _parts(index: tuple[Any, ...], shape: Any) -> tuple[list[Any], list[Tensor | None], Operation | None, int]:
    """What the view operation gets for each part: an int, (start, stop, step) or None; the index tensor of each
    dimension of the view, if any; the last kind of view that PyTorch would make; and how many dimensions are used up.
    """
    parts = _without_ellipsis([_part(p) for p in index], shape)
    basic: list[Any] = []
    at: list[Tensor | None] = []
    last, d = None, 0
    for p in parts:
        if p is None or p.__class__ is bool:
            basic.append(None)
            at.append(None if p is None else wrap(np.zeros(1 if p else 0, "int64")))
            last = UNSQUEEZE
        elif p.__class__ is int:
            basic.append(_position(p, shape, d))
            last = SELECT
            d += 1
        elif p.__class__ is slice:
            basic.append(_bounds(p, shape, d))
            last = last if _leaves_all(p, shape[d]) else SLICE
            at.append(None)
            d += 1
        else:
            for one in _positions(p, shape, d):
                basic.append((0, shape[d], 1))
                at.append(one)
                d += 1
    return basic, at, last, d


def _leaves_all(p: slice, n: int) -> bool:
    """Whether PyTorch sees without arithmetic that a slice takes the whole dimension."""
    return p.start in (None, 0) and p.step in (None, 1) and (p.stop is None or p.stop >= n)


def _views_of(basic: list[Any], last: Operation | None, shape: Any, d: int) -> Steps:
    """The view operations and their attributes; new dimensions come with the rest unless they come last."""
    if last is None:
        return ((ALIAS, ()),)
    index = tuple(basic) + tuple((0, n, 1) for n in shape[d:])
    if last is not UNSQUEEZE:
        return ((last, (index,)),)
    old = tuple(p for p in index if p is not None)
    kept = [p for p in index if p.__class__ is not int]
    added = UNSQUEEZE, (tuple(k for k, p in enumerate(kept) if p is None),)
    if all(p == (0, n, 1) for p, n in zip(old, shape, strict=True)):
        return (added,)
    return (SELECT if int in map(type, old) else SLICE, (old,)), added


def _part(p: Any) -> Any:
    """One part of an index in canonical form: int, bool, slice, None, Ellipsis, or an integer or bool tensor."""
    if p is None or p is Ellipsis or p.__class__ in (int, bool, slice):
        return p
    if isinstance(p, Tensor):
        return _tensor_part(p)
    if isinstance(p, (list, tuple, range)):
        return _tensor_part(_sequence(p))
    if isinstance(p, np.ndarray):
        return _tensor_part(tensor(p)) if p.ndim else _part(p.item())
    if isinstance(p, str):
        raise TypeError(f"new(): invalid data type '{type(p).__name__}'")
    try:
        return operator.index(p)
    except TypeError:
        kind = f"numpy.{type(p).__name__}" if isinstance(p, np.generic) else type(p).__name__
        raise IndexError(
            "only integers, slices (`:`), ellipsis (`...`), None and long or byte Variables are valid indices "
            f"(got {kind})"
        ) from None


def _sequence(p: Any) -> Tensor:
    found = tensor(list(p))
    return found if found.numel() else found.long()


def _tensor_part(p: Tensor) -> Any:
    kind = settle(p).spec.dtype
    if kind is dtypes.uint8:
        warnings.warn(
            "indexing with dtype torch.uint8 is now deprecated, please use a dtype torch.bool instead.",
            UserWarning,
            stacklevel=6,
        )
        p = cast(p, dtypes.bool_)
    elif kind not in (dtypes.int64, dtypes.int32, dtypes.bool_) and not _is_whole_number(p):
        raise IndexError("tensors used as indices must be long, int, byte or bool tensors")
    if p._value.spec.ndim == 0:
        return bool(p) if p.dtype is dtypes.bool_ else int(p)
    return p


def _is_whole_number(p: Tensor) -> bool:
    return not p.dim() and p._value.spec.dtype.numpy.kind in "iu"


def _without_ellipsis(parts: list[Any], shape: tuple[int, ...]) -> list[Any]:
    used = dots = 0
    for p in parts:
        if isinstance(p, Tensor):
            used += p.dim() if p.dtype is dtypes.bool_ else 1
        elif p is Ellipsis:
            dots += 1
        elif p.__class__ is not bool and p is not None:
            used += 1
    if used > len(shape):
        if not shape:
            raise _of_number(parts)
        raise IndexError(f"too many indices for tensor of dimension {len(shape)}")
    if not dots:
        return parts
    at = parts.index(Ellipsis) if not any(isinstance(p, Tensor) for p in parts) else _find_ellipsis(parts)
    rest = [p for p in parts[at + 1 :] if p is not Ellipsis]  # further ones stand for nothing
    return parts[:at] + [slice(None)] * (len(shape) - used) + rest


def _find_ellipsis(parts: list[Any]) -> int:
    return next(i for i, p in enumerate(parts) if p is Ellipsis)


def _of_number(parts: list[Any]) -> IndexError:
    if parts[0].__class__ is slice and len(parts) == 1:
        return IndexError("slice() cannot be applied to a 0-dim tensor.")
    if parts[0].__class__ is int and len(parts) == 1:
        return IndexError(
            "invalid index of a 0-dim tensor. Use `tensor.item()` in Python or `tensor.item<T>()` in C++ to convert a "
            "0-dim tensor to a number"
        )
    return IndexError("too many indices for tensor of dimension 0")


def _position(i: int, shape: tuple[int, ...], d: int) -> int:
    n = shape[d]
    if not -n <= i < n:
        raise IndexError(f"index {i} is out of bounds for dimension {d} with size {n}")
    return i + n if i < 0 else i


def _bounds(p: slice, shape: tuple[int, ...], d: int) -> tuple[int, int, int]:
    try:
        start, stop, step = (None if x is None else operator.index(x) for x in (p.start, p.stop, p.step))
    except TypeError:
        raise TypeError("slice indices must be integers or None or have an __index__ method") from None
    if step is not None and step <= 0:
        raise ValueError("step must be greater than zero" if step else "slice step cannot be zero")
    found = slice(start, stop, step).indices(shape[d])
    return (found[0], max(found[1], found[0]), found[2])


def _positions(p: Tensor, shape: tuple[int, ...], d: int) -> tuple[Tensor, ...]:
    """A mask as the positions where it holds, one tensor a dimension; positions as they are, in int64."""
    if p.dtype is not dtypes.bool_:
        return (cast(p, dtypes.int64),)
    mask = realize(p)
    if mask.shape != shape[d : d + mask.ndim]:
        i = next(k for k, n in enumerate(mask.shape) if d + k >= len(shape) or shape[d + k] != n)
        raise IndexError(
            f"The shape of the mask {list(mask.shape)} at index {i} does not match the shape of the indexed tensor "
            f"{list(shape)} at index {d + i}"
        )
    return tuple(wrap(np.ascontiguousarray(where)) for where in np.nonzero(mask))


# ---------------------------------------------------------------------------------------------------------------------
# Writing


@method
def copy_(self: Tensor, other: Any, non_blocking: bool = False) -> Tensor:
    """Takes over the numbers of `other`, broadcast and cast."""
    check_writable(self)
    if other is self:
        return self
    if self._storage is not None and isinstance(other, Tensor) and other._storage is self._storage:
        check_no_partial_overlap(self, other)
    if not isinstance(other, (Tensor, int, float, complex)):
        raise TypeError(f"copy_(): argument 'other' (position 1) must be Tensor, not {type(other).__name__}")
    return assign(self, copied(self, other))


@method
def fill_(self: Tensor, value: Any) -> Tensor:
    """Fills the tensor with one number."""
    check_writable(self, overlap=False)
    return assign(self, _filled(self, value, FILL, FILL_TENSOR))


@public(method=False)
def fill(input: Tensor, value: Any) -> Tensor:
    """A tensor like `input` full of one number."""
    return _filled(input, value, FILLED, FILLED_TENSOR)


def _filled(t: Tensor, value: Any, of_number: Any, of_tensor: Any) -> Tensor:
    if not isinstance(value, Tensor):
        return copied(t, number_in(value, settle(t).spec.dtype), of_number)
    if value.dim() != 0:
        raise RuntimeError(
            f"fill_ only supports 0-dimension value tensor but got tensor with {value.dim()} dimensions."
        )
    return copied(t, value, of_tensor)


@method
def zero_(self: Tensor) -> Tensor:
    """Fills the tensor with zeros."""
    check_writable(self, overlap=False)
    return assign(self, copied(self, 0, ZERO))


@public()
def index_put(input: Tensor, indices: Any, values: Tensor, accumulate: bool = False) -> Tensor:
    """A copy of `input` with `values` at the positions that `indices` (a tuple of tensors) names."""
    return _put_at(input, indices, values, accumulate)


def _put_at(t: Tensor, indices: Any, values: Tensor, accumulate: bool) -> Tensor:
    if not isinstance(indices, (tuple, list)):
        raise TypeError(
            f"index_put_(): argument 'indices' (position 1) must be tuple of Tensors, not {type(indices).__name__}"
        )
    if not indices:
        raise RuntimeError("index_put_(): at least one index must be given; fill_ and copy_ write whole tensors")
    view, tensors, places = _resolve(t, tuple([_put_index(i) for i in indices]))
    check_positions(view, tensors, places)
    return apply(INDEX_PUT, (view, values, *tensors), (places, accumulate))


def _put_index(index: Any) -> Any:
    """One of `index_put`'s indices as an index is written; a single position stays a tensor of positions."""
    if index is None:
        return slice(None)
    single = isinstance(index, Tensor) and not index.dim() and not index.is_floating_point()
    return index.reshape(1) if single and index.dtype != dtypes.bool_ else index


@method
def index_put_(self: Tensor, indices: Any, values: Tensor, accumulate: bool = False) -> Tensor:
    """Puts `values` at the positions that `indices` (a tuple of tensors) names, or adds them there."""
    return write_back(self, _put_at(self, indices, values, accumulate))
