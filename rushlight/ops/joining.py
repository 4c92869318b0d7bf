"""Tensors put together: `cat`, `stack` and their relatives.

Joining is one of two operations with any number of operands, `cat` and `stack`; the others reshape their operands and
call these.  Many small tensors whose numbers are there are put together at once: a batch drawn from a list of examples
would otherwise be as many operands, in another order and with other repetitions each time, and so another program.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from rushlight.core.dtype import get_default_dtype
from rushlight.core.strided import (
    channels_last_strides,
    has_channels_last_strides,
    normalize_dim,
)
from rushlight.record.operation import Operation, operation
from rushlight.record.spec import Spec, spec_of
from rushlight.record.trace import apply, recorder, settle
from rushlight.record.value import TENSORS, Tensor, tensor_holding

from .public import public
from .rules import promoted
from .view import SELECT, SLICE, along, look_at, unsqueeze, with_new

# ---------------------------------------------------------------------------------------------------------------------
# cat


def _is_legacy_empty(spec: Spec) -> bool:
    """`torch.zeros(0)` may stand beside tensors of any shape and counts for nothing."""
    return spec.shape == (0,)


def _check_tensors(specs: tuple[Spec | None, ...]) -> None:
    for i, s in enumerate(specs):
        if s is None or s.wrapped:
            kind = "NoneType" if s is None else {"bool": "bool", "int64": "int"}.get(s.dtype.name, "float")
            raise TypeError(f"expected Tensor as element {i} in argument 0, but got {kind}")


def _joined_dtype(*tensors: Spec, dim: int) -> Any:
    kind = promoted(*tensors)
    return None if all(s.dtype is kind for s in tensors) else kind


def _cat_spec(*tensors: Spec, dim: int) -> Spec:
    _check_tensors(tensors)
    for i, s in enumerate(tensors):
        if s.ndim == 0:
            raise RuntimeError(f"zero-dimensional tensor (at position {i}) cannot be concatenated")
    counted = [(i, s) for i, s in enumerate(tensors) if not _is_legacy_empty(s)]
    kind = promoted(*tensors)
    if not counted:
        normalize_dim(dim, 1)
        return spec_of((0,), kind)
    first = counted[0][1]
    dim = normalize_dim(dim, first.ndim)
    for i, s in counted[1:]:
        _check_fits(first, s, i, dim)
    shape = list(first.shape)
    shape[dim] = sum(s.shape[dim] for _, s in counted)
    if all(has_channels_last_strides(s.shape, s.strides) for _, s in counted):
        return spec_of(tuple(shape), kind, tuple(channels_last_strides(tuple(shape))))
    return spec_of(tuple(shape), kind)


def _check_fits(first: Spec, s: Spec, i: int, dim: int) -> None:
    if s.ndim != first.ndim:
        raise RuntimeError(f"Tensors must have same number of dimensions: got {first.ndim} and {s.ndim}")
    for d, (n, m) in enumerate(zip(first.shape, s.shape, strict=True)):
        if n != m and d != dim:
            raise RuntimeError(
                f"Sizes of tensors must match except in dimension {dim}. Expected size {n} but got size {m} for tensor "
                f"number {i} in the list."
            )


def _cat(*tensors: np.ndarray, dim: int) -> np.ndarray:
    counted = [t for t in tensors if t.shape != (0,)]
    return np.concatenate(counted, dim) if counted else np.concatenate(tensors)


def _cat_gradient(g: Tensor, needs: Any, tensors_spec: Any, dim: int) -> list[Tensor | None]:
    shape = settle(g).spec.shape
    dim = normalize_dim(dim, len(shape))
    found: list[Tensor | None] = []
    start = 0
    for need, s in zip(needs, tensors_spec, strict=True):
        n = 0 if _is_legacy_empty(s) else s.shape[dim]
        if not need:
            found.append(None)
        elif _is_legacy_empty(s):
            found.append(look_at(g, SLICE, (along(shape, dim, (0, 0, 1)),)).reshape(0))
        else:
            found.append(look_at(g, SLICE, (along(shape, dim, (start, start + n, 1)),)))
        start += n
    return found


CAT = operation("cat", _cat_spec, _cat, compute=_joined_dtype, exact=True, aliases=False)
CAT.gradient(_cat_gradient)


@public(method=False, out=True, names=("concat", "concatenate"))
def cat(tensors: Sequence[Tensor], dim: int = 0, *, axis: int | None = None) -> Tensor:
    """The tensors one after the other along `dim`; their other sizes must agree.

    Raises ValueError for an empty list, RuntimeError for sizes that do not fit, IndexError for a `dim` out of range.

    >>> torch.cat([torch.tensor([1, 2]), torch.tensor([3])])
    tensor([1, 2, 3])
    """
    if tensors.__class__ is not list and tensors.__class__ is not tuple:
        tensors = _sequence_of(tensors, "cat")
    if not tensors:
        raise ValueError("torch.cat(): expected a non-empty list of Tensors")
    return _joined(CAT, tensors, dim if axis is None else axis)


def _sequence_of(tensors: Any, name: str) -> Any:
    if not isinstance(tensors, (list, tuple)):
        raise TypeError(
            f"{name}(): argument 'tensors' (position 1) must be tuple of Tensors, not {type(tensors).__name__}"
        )
    return tensors


# ---------------------------------------------------------------------------------------------------------------------
# stack


def _stack_spec(*tensors: Spec, dim: int) -> Spec:
    _check_tensors(tensors)
    first = tensors[0]
    for i, s in enumerate(tensors):
        if s.shape != first.shape:
            raise RuntimeError(
                f"stack expects each tensor to be equal size, but got {list(first.shape)} at entry 0 and "
                f"{list(s.shape)} at entry {i}"
            )
    dim = normalize_dim(dim, first.ndim + 1)
    return spec_of((*first.shape[:dim], len(tensors), *first.shape[dim:]), promoted(*tensors))


def _stack_gradient(g: Tensor, needs: Any, dim: int) -> list[Tensor | None]:
    shape = settle(g).spec.shape
    dim = normalize_dim(dim, len(shape))
    return [look_at(g, SELECT, (along(shape, dim, i),)) if need else None for i, need in enumerate(needs)]


def _stacked(*tensors: np.ndarray, dim: int) -> np.ndarray:
    """`numpy.stack`, without its checks."""
    at = with_new(tensors[0].ndim, (dim % (tensors[0].ndim + 1),))
    return np.concatenate([t[at] for t in tensors], dim)


STACK = operation(
    "stack", _stack_spec, lambda *tensors, dim: np.stack(tensors, dim), compute=_joined_dtype, exact=True, aliases=False
)
STACK.run = _stacked
STACK.gradient(_stack_gradient)


@public(method=False, out=True)
def stack(tensors: Sequence[Tensor], dim: int = 0, *, axis: int | None = None) -> Tensor:
    """Tensors of one shape side by side along a new dimension `dim`.

    >>> torch.stack([torch.tensor([1, 2]), torch.tensor([3, 4])])
    tensor([[1, 2],
            [3, 4]])
    """
    if tensors.__class__ is not list and tensors.__class__ is not tuple:
        tensors = _sequence_of(tensors, "stack")
    if not tensors:
        raise RuntimeError("stack expects a non-empty TensorList")
    return _joined(STACK, tensors, dim if axis is None else axis)


# ---------------------------------------------------------------------------------------------------------------------
# Many small tensors whose numbers are there

MANY, SMALL = 10, 1 << 16  # tensors, and how many numbers they have together


def _joined(op: Operation, tensors: Sequence[Any], dim: int) -> Tensor:
    """Tensors joined by `cat` or `stack`: recorded, or put together now."""
    arrays = _numbers_there(tensors) if len(tensors) >= MANY else None
    if arrays is None:
        return apply(op, tensors, (dim,))  # type: ignore[no-any-return]
    made = _joined_spec(op, tensors[0]._value.spec, len(arrays), dim)
    return tensor_holding(np.ascontiguousarray(op.kernel(*arrays, dim=dim)), made)


@lru_cache(1000)
def _joined_spec(op: Operation, each: Spec, n: int, dim: int) -> Spec:
    return op.infer(*[each] * n, dim=dim)  # type: ignore[no-any-return]


def _numbers_there(tensors: Sequence[Any]) -> list[np.ndarray] | None:
    """The arrays of tensors of one shape and dtype, if all are computed and small and none is on the tape."""
    me = recorder()
    tracking = me.tracking
    kind = tensors[0].__class__
    if me.hold or me.inference or kind not in TENSORS:
        return None
    spec = settle(tensors[0]).spec
    if spec.numel * len(tensors) > SMALL or not spec.is_contiguous:
        return None
    arrays = []
    for t in tensors:
        kind = t.__class__
        if kind not in TENSORS or (tracking and t._node is not None):
            return None
        storage = t._storage
        v = t._value if storage is None or t._seen == storage.version else settle(t)
        if v.buf is None or v.spec is not spec:
            return None
        arrays.append(v.buf)
    return arrays


# ---------------------------------------------------------------------------------------------------------------------
# At least so many dimensions


def _each(tensors: tuple[Any, ...], f: Any) -> Any:
    """The function for one tensor, for several, or for a sequence of them."""
    if len(tensors) == 1:
        if isinstance(tensors[0], Tensor):
            return f(tensors[0])
        tensors = tuple(tensors[0])
    return tuple(f(t) for t in tensors)


def _one(t: Tensor) -> Tensor:
    return t.reshape(1) if settle(t).spec.ndim == 0 else t


def _two(t: Tensor) -> Tensor:
    n = settle(t).spec.ndim
    return t.reshape(1, 1) if n == 0 else unsqueeze(t, 0) if n == 1 else t


def _three(t: Tensor) -> Tensor:
    n = settle(t).spec.ndim
    if n == 0:
        return t.reshape(1, 1, 1)
    if n == 1:
        return unsqueeze(unsqueeze(t, 0), -1)
    return unsqueeze(t, -1) if n == 2 else t


@public(method=False)
def atleast_1d(*tensors: Any) -> Any:
    """Each tensor as it is, or a number as a vector of one element."""
    return _each(tensors, _one)


@public(method=False)
def atleast_2d(*tensors: Any) -> Any:
    """Each tensor with at least two dimensions; a vector becomes a row.

    >>> torch.atleast_2d(torch.tensor([1, 2]))
    tensor([[1, 2]])
    """
    return _each(tensors, _two)


@public(method=False)
def atleast_3d(*tensors: Any) -> Any:
    """Each tensor with at least three dimensions; a matrix gets the new one last."""
    return _each(tensors, _three)


# ---------------------------------------------------------------------------------------------------------------------
# cat and stack by direction


def _parts(tensors: Any, name: str, f: Any) -> list[Tensor]:
    given = _sequence_of(tensors, name)
    if not given:
        raise RuntimeError(f"{name} expects a non-empty TensorList")
    for i, t in enumerate(given):
        if not isinstance(t, Tensor):
            raise TypeError(f"expected Tensor as element {i} in argument 0, but got {type(t).__name__}")
    return [f(t) for t in given]


@public(method=False, out=True)
def hstack(tensors: Sequence[Tensor]) -> Tensor:
    """The tensors side by side: along dimension 1, vectors along dimension 0.

    >>> torch.hstack([torch.tensor([1, 2]), torch.tensor([3])])
    tensor([1, 2, 3])
    """
    parts = _parts(tensors, "hstack", _one)
    return apply(CAT, parts, (0 if settle(parts[0]).spec.ndim == 1 else 1,))


@public(method=False, out=True, names=("row_stack",))
def vstack(tensors: Sequence[Tensor]) -> Tensor:
    """The tensors one below the other: along dimension 0, vectors as rows."""
    return apply(CAT, _parts(tensors, "vstack", _two), (0,))


@public(method=False, out=True)
def dstack(tensors: Sequence[Tensor]) -> Tensor:
    """The tensors one behind the other: along dimension 2."""
    return apply(CAT, _parts(tensors, "dstack", _three), (2,))


@public(method=False, out=True)
def column_stack(tensors: Sequence[Tensor]) -> Tensor:
    """The tensors side by side, vectors as columns.

    >>> torch.column_stack([torch.tensor([1, 2]), torch.tensor([3, 4])])
    tensor([[1, 3],
            [2, 4]])
    """
    columns = _parts(tensors, "column_stack", lambda t: t.reshape(t.numel(), 1) if t.dim() <= 1 else t)
    return apply(CAT, columns, (1,))


def _block_sizes(tensors: tuple[Spec, ...]) -> list[tuple[int, int]]:
    return [((1, 1) if s.ndim == 0 else (1, s.shape[0]) if s.ndim == 1 else s.shape) for s in tensors]  # type: ignore[misc]


def _block_diag_spec(*tensors: Spec) -> Spec:
    for i, s in enumerate(tensors):
        if s.ndim > 2:
            raise RuntimeError(
                f"torch.block_diag: Input tensors must have 2 or fewer dimensions. Input {i} has {s.ndim} dimensions"
            )
    sizes = _block_sizes(tensors)
    return spec_of((sum(r for r, _ in sizes), sum(c for _, c in sizes)), promoted(*tensors))


def _block_diag(*tensors: np.ndarray) -> np.ndarray:
    blocks = [np.atleast_2d(t) for t in tensors]
    whole = np.zeros((sum(len(b) for b in blocks), sum(b.shape[1] for b in blocks)), np.result_type(*blocks))
    row = column = 0
    for b in blocks:
        whole[row : row + b.shape[0], column : column + b.shape[1]] = b
        row, column = row + b.shape[0], column + b.shape[1]
    return whole


def _block_diag_gradient(g: Tensor, needs: Any, tensors_spec: Any) -> list[Tensor | None]:
    found: list[Tensor | None] = []
    row = column = 0
    for need, s, (rows, columns) in zip(needs, tensors_spec, _block_sizes(tensors_spec), strict=True):
        block = ((row, row + rows, 1), (column, column + columns, 1))
        found.append(look_at(g, SLICE, (block,)).reshape(s.shape) if need else None)
        row, column = row + rows, column + columns
    return found


BLOCK_DIAG = operation(
    "block_diag",
    _block_diag_spec,
    _block_diag,
    compute=lambda *tensors: None if all(s.dtype is tensors[0].dtype for s in tensors) else promoted(*tensors),
    exact=True,
    aliases=False,
)
BLOCK_DIAG.gradient(_block_diag_gradient)


@public(method=False)
def block_diag(*tensors: Tensor) -> Tensor:
    """A matrix with the given matrices along its diagonal, zeros elsewhere.

    >>> torch.block_diag(torch.tensor([[1, 2]]), torch.tensor(3))
    tensor([[1, 2, 0],
            [0, 0, 3]])
    """
    if not tensors:
        from .creation import constant

        return constant((1, 0), 0, get_default_dtype())
    if len(tensors) == 1 and isinstance(tensors[0], (list, tuple)):
        tensors = tuple(tensors[0])
    return apply(BLOCK_DIAG, tensors)
