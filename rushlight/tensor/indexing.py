"""`x[...]` and `x[...] = v`: PyTorch's indexing.

An index is worked through once: integers, slices and None become one view of the tensor; what tensors, lists and masks
remain become one `index` (or `index_put`) operation on that view.
"""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from rushlight.core import dtype as dtypes
from rushlight.ops.creation import FILL, ZERO, cast, copied
from rushlight.ops.index import INDEX, INDEX_PUT, check_positions
from rushlight.ops.public import attach, check_no_partial_overlap, public, write_back
from rushlight.ops.view import ALIAS, MAX_LAYOUTS, SELECT, SLICE, UNSQUEEZE, look_at, row, span
from rushlight.record.memory import assign, check_writable, placement
from rushlight.record.operation import Operation
from rushlight.record.spec import Spec
from rushlight.record.trace import apply, realize, recorder, settle
from rushlight.record.value import Tensor

from .construct import tensor
from .properties import alias, method

ARRAYS = (Tensor, list, np.ndarray)


def _getitem(self: Tensor, index: Any) -> Tensor:
    kind = index.__class__
    if kind is int:
        return row(self, index)
    if kind is tuple:
        key = _key(index)
        if key is not None:
            spec = settle(self).spec
            known = _known.get((key, spec))
            if known is not None:
                return look_at(self, known[0], known[1])
            return _remembered(self, index, key, spec)
    elif kind is slice and _is_plain_part(self, index):
        return span(self, index)
    view, tensors, places = _resolve(self, index)
    if not tensors:
        return view
    check_positions(view, tensors, places)
    return apply(INDEX, (view, *tensors), (places,))


#: For (a tuple of integers, slices, None and ..., Spec): the operation and attributes of the view.
_known: dict[tuple[Any, Spec], tuple[Operation, tuple[Any, ...]]] = {}


def _key(index: tuple[Any, ...]) -> tuple[Any, ...] | None:
    """A hashable form of an index without tensors; None if there is anything else in it."""
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


def _remembered(t: Tensor, index: tuple[Any, ...], key: tuple[Any, ...], spec: Spec) -> Tensor:
    basic, _, last, d = _parts(index, spec.shape)
    if last is None:
        return _same(t)
    if len(_known) > MAX_LAYOUTS:
        _known.clear()
    found = _known[key, spec] = _view_of(basic, last, spec.shape, d)
    return look_at(t, *found)


def _is_plain_part(t: Tensor, part: slice) -> bool:
    """Whether `span` will do: numbers that are there, no tape, a positive step, and not the whole."""
    v = settle(t)
    if v.buf is None or not v.spec.shape or (t._node is not None and recorder().tracking) or recorder().hold:
        return False
    if part.step is not None and (part.step.__class__ is not int or part.step <= 0):
        return False
    return part.indices(v.spec.shape[0])[:2] != (0, v.spec.shape[0])


def _setitem(self: Tensor, index: Any, value: Any) -> None:
    view, tensors, places = _resolve(self, index)
    if isinstance(value, np.generic):
        value = value.item()
    source = value if isinstance(value, (Tensor, int, float, complex)) else tensor(value)
    if not tensors:
        if not (isinstance(source, Tensor) and _is_itself(source, view)):
            _store(view, source)
        return
    check_positions(view, tensors, places)
    if isinstance(source, Tensor):
        source = cast(source, self.dtype) if source.dim() == 0 else source
    _check_kinds(self, source)
    write_back(view, apply(INDEX_PUT, (view, source, *tensors), (places, False)))


def _check_kinds(t: Tensor, source: Any) -> None:
    if isinstance(source, complex) and not t.is_complex():
        raise RuntimeError(f"value cannot be converted to type {t.dtype} without overflow")


def _is_itself(source: Tensor, view: Tensor) -> bool:
    """Whether `x[i] = x[i]`: the second half of Python's `x[i] += 1`, which has been written already."""
    same = source._storage is not None and source._storage is view._storage
    return same and placement(source) == placement(view)


def _store(view: Tensor, source: Any) -> None:
    """`view.copy_(source)`, where leading dimensions of size 1 of the source do not count."""
    check_writable(view)
    if isinstance(source, Tensor):
        source = _without_leading_ones(source, view)
    else:
        _check_kinds(view, source)
    assign(view, copied(view, source))


def _without_leading_ones(source: Tensor, view: Tensor) -> Tensor:
    shape, goal = settle(source).spec.shape, settle(view).spec.shape
    extra = 0
    while len(shape) - extra > len(goal) and shape[extra] == 1:
        extra += 1
    if extra:
        source = source.reshape(shape[extra:])
        shape = shape[extra:]
    lead = len(goal) - len(shape)
    for d, n in enumerate(shape):
        if lead < 0 or n not in (1, goal[lead + d]):
            if lead < 0:
                raise RuntimeError(
                    f"expand(torch.{source.dtype.scalar_name}Tensor{{{list(shape)}}}, size={list(goal)}): the number "
                    "of "
                    f"sizes provided ({len(goal)}) must be greater or equal to the number of dimensions in the tensor "
                    f"({len(shape)})"
                )
            raise RuntimeError(
                f"The expanded size of the tensor ({goal[lead + d]}) must match the existing size ({n}) at "
                "non-singleton "
                f"dimension {lead + d}.  Target sizes: {list(goal)}.  Tensor sizes: {list(shape)}"
            )
    return source


attach("__getitem__", _getitem)
attach("__setitem__", _setitem)


# ---------------------------------------------------------------------------------------------------------------------
# From what the user wrote to a view, index tensors and the dimensions they index


def _resolve(t: Tensor, index: Any) -> tuple[Tensor, tuple[Tensor, ...], tuple[bool, ...]]:
    """The view that integers, slices and None mean, the index tensors that remain, and which dimensions they index."""
    shape = settle(t).spec.shape
    basic, at, last, d = _parts(index if isinstance(index, tuple) else (index,), shape)
    tensors = tuple(i for i in at if i is not None)
    if last is not None:
        view = look_at(t, *_view_of(basic, last, shape, d))
    else:
        view = t if tensors else _same(t)
    at.extend([None] * (len(shape) - d))
    return view, tensors, tuple(i is not None for i in at)


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
            at.append(None if p is None else _wrapped(np.zeros(1 if p else 0, "int64")))
            last = UNSQUEEZE
        elif p.__class__ is int:
            basic.append(_position(p, shape, d))
            last = SELECT
            d += 1
        elif p.__class__ is slice:
            bounds = _bounds(p, shape[d])
            last = last if bounds == (0, shape[d], 1) else SLICE
            basic.append(bounds)
            at.append(None)
            d += 1
        else:
            for one in _positions(p, shape, d):
                basic.append((0, shape[d], 1))
                at.append(one)
                d += 1
    return basic, at, last, d


def _view_of(basic: list[Any], last: Operation, shape: Any, d: int) -> tuple[Operation, tuple[Any, ...]]:
    """The view operation and its attributes; `unsqueeze` only where nothing is cut off."""
    index = tuple(basic) + tuple((0, n, 1) for n in shape[d:])
    if last is not UNSQUEEZE:
        return last, (index,)
    if all(p == (0, n, 1) for p, n in zip([p for p in index if p is not None], shape, strict=True)):
        return UNSQUEEZE, (tuple(k for k, p in enumerate(index) if p is None),)
    return SLICE, (index,)


def _same(t: Tensor) -> Tensor:
    """`x[:]` and `x[...]`: another handle on the same elements."""
    return look_at(t, ALIAS, ())


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
    if isinstance(p, np.bool_):
        return bool(p)
    try:
        return operator.index(p)
    except TypeError:
        raise TypeError(
            "only integers, slices (`:`), ellipsis (`...`), None and long or byte Variables are valid indices "
            f"(got {type(p).__name__})"
        ) from None


def _sequence(p: Any) -> Tensor:
    found = tensor(list(p))
    return found if found.numel() else found.long()


def _tensor_part(p: Tensor) -> Any:
    kind = settle(p).spec.dtype
    if kind is dtypes.uint8:
        import warnings

        warnings.warn("indexing with dtype torch.uint8 is now deprecated, please use a dtype torch.bool instead.",
                      UserWarning, stacklevel=5)  # fmt: skip
        p = cast(p, dtypes.bool_)
    elif kind.is_floating_point or kind.is_complex:
        raise IndexError("tensors used as indices must be long, int, byte or bool tensors")
    if p.dim() == 0:
        return bool(p) if p.dtype is dtypes.bool_ else int(p)
    return p


def _without_ellipsis(parts: list[Any], shape: tuple[int, ...]) -> list[Any]:
    used = 0
    for p in parts:
        if isinstance(p, Tensor):
            used += p.dim() if p.dtype is dtypes.bool_ else 1
        elif p.__class__ in (int, slice):
            used += 1
    if used > len(shape):
        raise IndexError(f"too many indices for tensor of dimension {len(shape)}")
    dots = [i for i, p in enumerate(parts) if p is Ellipsis]
    if not dots:
        return parts
    if len(dots) > 1:
        raise IndexError("an index can only have a single ellipsis ('...')")
    return parts[: dots[0]] + [slice(None)] * (len(shape) - used) + parts[dots[0] + 1 :]


def _position(i: int, shape: tuple[int, ...], d: int) -> int:
    if not shape:
        raise IndexError(
            "invalid index of a 0-dim tensor. Use `tensor.item()` in Python or `tensor.item<T>()` in C++ to convert a "
            "0-dim "
            "tensor to a number"
        )
    n = shape[d]
    if not -n <= i < n:
        raise IndexError(f"index {i} is out of bounds for dimension {d} with size {n}")
    return i + n if i < 0 else i


def _bounds(p: slice, n: int) -> tuple[int, int, int]:
    start, stop, step = (None if x is None else operator.index(x) for x in (p.start, p.stop, p.step))
    if step is not None and step <= 0:
        raise ValueError("step must be greater than zero")
    found = slice(start, stop, step).indices(n)
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
    return tuple(_wrapped(np.ascontiguousarray(where)) for where in np.nonzero(mask))


def _wrapped(array: np.ndarray) -> Tensor:
    from rushlight.ops.creation import wrap

    return wrap(array)


# ---------------------------------------------------------------------------------------------------------------------
# Writing


@method
def copy_(self: Tensor, src: Any, non_blocking: bool = False) -> Tensor:
    """Takes over the numbers of `src`, broadcast and cast."""
    check_writable(self)
    if src is self:
        return self
    if self._storage is not None and isinstance(src, Tensor) and src._storage is self._storage:
        check_no_partial_overlap(self, src)
    if not isinstance(src, (Tensor, int, float, complex)):
        raise TypeError(f"copy_(): argument 'other' (position 1) must be Tensor, not {type(src).__name__}")
    return assign(self, copied(self, src))


@method
def fill_(self: Tensor, value: Any) -> Tensor:
    """Fills the tensor with one number."""
    check_writable(self, overlap=False)
    if isinstance(value, Tensor) and value.dim() != 0:
        raise RuntimeError(
            f"fill_ only supports 0-dimension value tensor but got tensor with {value.dim()} dimensions."
        )
    _check_kinds(self, value)
    return assign(self, copied(self, value, FILL))


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
    view, tensors, places = _resolve(t, tuple(slice(None) if i is None else i for i in indices))
    check_positions(view, tensors, places)
    return apply(INDEX_PUT, (view, values, *tensors), (places, accumulate))


@method
def index_put_(self: Tensor, indices: Any, values: Tensor, accumulate: bool = False) -> Tensor:
    """Puts `values` at the positions that `indices` (a tuple of tensors) names, or adds them there."""
    return write_back(self, _put_at(self, indices, values, accumulate))
