"""Order: `sort`, `topk`, `kthvalue`, the medians and `mode`.

Each operation returns values and the positions they came from; the derivative sends the gradient back to those
positions.  NaN counts as the largest number, ties keep their order, as in PyTorch's sort on the CPU.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from rushlight.core import dtype as dtypes
from rushlight.core.order import elements_at, stable_order
from rushlight.core.scan import Arrays, scan
from rushlight.core.strided import normalize_dim
from rushlight.record.operation import Operation, operation
from rushlight.record.spec import Spec, spec_of
from rushlight.record.trace import apply, settle
from rushlight.record.value import Tensor

from .creation import full_like_spec
from .public import check_memory, public, written_out
from .reduction import reduced
from .results import result_type
from .rules import check_kind, fresh
from .scatter import SCATTER, SCATTER_ADD

# ---------------------------------------------------------------------------------------------------------------------
# sort


def _sort(x: np.ndarray, *, dim: int, descending: bool) -> tuple[np.ndarray, np.ndarray]:
    if x.ndim == 0:
        return x.copy(), np.zeros((), "int64")
    at = stable_order(x, dim, descending)
    return elements_at(x, at, dim), at


def _sort_spec(x: Spec, *, dim: int, descending: bool) -> tuple[Spec, Spec]:
    if x.dtype.is_complex:
        raise RuntimeError(" Sort does not support complex dtypes on CPU")
    made = fresh(x)
    return made, spec_of(made.shape, dtypes.int64, made.strides)


def _to_places(g: tuple[Tensor, Tensor], results: tuple[Tensor, Tensor], x_spec: Spec, dim: int) -> tuple[Tensor]:
    """The gradient of the values, each at the position it came from."""
    if x_spec.ndim == 0:
        return (g[0],)
    zeros = full_like_spec(spec_of(x_spec.shape, g[0]._value.spec.dtype), 0)
    return (apply(SCATTER, (zeros, results[1], g[0]), (dim,)),)


def _sorting(name: str, node: str) -> Operation:
    return operation(name, _sort_spec, _sort, node=node).gradient(_to_places)


SORT = _sorting("sort", "SortBackward0")
SORT_STABLE = _sorting("sort_stable", "SortBackward1")
Sorted = result_type("sort", ("values", "indices"))


@public()
def sort(input: Tensor, dim: Any = -1, descending: bool = False, stable: Any = None, *, out: Any = None) -> Any:
    """The elements in order along `dim` (the last by default), and the positions they came from.

    >>> torch.tensor([3, 1, 2]).sort().values
    tensor([1, 2, 3])
    """
    if isinstance(dim, bool):  # sort(stable, dim, descending)
        dim, descending, stable = -1, dim, descending
    dim = normalize_dim(dim, settle(input).spec.ndim)
    op = SORT if stable is None else SORT_STABLE
    return written_out(Sorted(apply(op, (input,), (dim, bool(descending)))), out, "sort")


@public()
def argsort(input: Tensor, dim: int = -1, descending: bool = False, stable: bool = False) -> Tensor:
    """The positions that put the elements in order along `dim`.

    >>> torch.tensor([3, 1, 2]).argsort()
    tensor([1, 2, 0])
    """
    return sort(input, dim, descending)[1]


@public(out=True)
def msort(input: Tensor) -> Tensor:
    """The elements in order along the first dimension."""
    return sort(input, 0)[0]


# ---------------------------------------------------------------------------------------------------------------------
# topk and kthvalue


def _topk(x: np.ndarray, *, k: int, dim: int, largest: bool, ordered: bool) -> tuple[np.ndarray, np.ndarray]:
    if x.ndim == 0:
        return x.copy(), np.zeros((), "int64")
    at = stable_order(x, dim, largest, k)
    return elements_at(x, at, dim), at


MOST_PASSES = 16  # over a line, for the compiler


def _extremes(x: Any, k: int, largest: bool) -> tuple[list[Any], list[Any]]:
    """For the compiler: the k largest or smallest of each line (..., n) in order, and their positions (..., 1).

    A pass finds the best of what comes after the last found, in the order of values and positions.
    """
    if x.dtype.kind not in "fi" or k > min(MOST_PASSES, x.shape[-1]):
        raise ValueError("a selection of many")
    best, further = (np.max, np.less) if largest else (np.min, np.greater)
    worst = x.dtype.type(-np.inf if x.dtype.kind == "f" else np.iinfo(x.dtype).min)
    worst = worst if largest else x.dtype.type(np.inf if x.dtype.kind == "f" else np.iinfo(x.dtype).max)
    position, n = x.counted(x.shape[-1]).astype(np.int32), np.int32(x.shape[-1])
    values: list[Any] = []
    at: list[Any] = []
    left: Any = None  # not found yet
    for _ in range(k):
        values.append(best(x if left is None else np.where(left, x, worst), axis=-1, keepdims=True))
        found = x == values[-1] if left is None else np.logical_and(left, x == values[-1])
        at.append(np.min(np.where(found, position, n), axis=-1, keepdims=True))
        behind = np.logical_and(x == values[-1], position > at[-1])
        left = np.logical_or(further(x, values[-1]), behind)
    return values, at


def _topk_symbols(x: Any, *, k: int, dim: int, largest: bool, ordered: bool) -> tuple[Any, Any]:
    if not x.ndim or not k:
        raise ValueError("a selection of nothing")
    if dim != x.ndim - 1:
        return tuple(found.swapaxes(dim, -1) for found in _topk_of_rows(turned_out(x.swapaxes(dim, -1)), k, largest))  # type: ignore[return-value]
    return _topk_of_rows(x, k, largest)


def turned_out(x: Any) -> Any:
    """For the compiler: a view written out, so that its rows are rows in memory."""
    return x.placed(x.shape, None, (slice(None),) * x.ndim)


def _topk_of_rows(x: Any, k: int, largest: bool) -> tuple[Any, Any]:
    rows = x.reshape(x.size // x.shape[-1], x.shape[-1])

    def step(_: Arrays, sequences: Arrays, __: Arrays) -> tuple[Arrays, Arrays]:
        values, at = _extremes(sequences[0], k, largest)
        return (), (np.concatenate(values, -1), np.concatenate(at, -1))

    _, (values, at) = scan(step, [], [rows])
    shape = (*x.shape[:-1], k)
    values = values.provided(x == x) if x.dtype.kind == "f" else values  # NaN is left to the interpreter
    return values.reshape(shape), at.reshape(shape).astype(np.int64)


def _topk_spec(x: Spec, *, k: int, dim: int, largest: bool, ordered: bool) -> tuple[Spec, Spec]:
    if not 0 <= k <= (x.shape[dim] if x.ndim else 1):
        raise RuntimeError("selected index k out of range")
    if x.dtype.is_complex or x.dtype is dtypes.bool_:
        kind = " topk does not support complex" if x.dtype.is_complex else "topk does not support bool"
        raise RuntimeError(f"{kind} dtypes on CPU")
    shape = (*x.shape[:dim], k, *x.shape[dim + 1 :]) if x.ndim else ()
    return spec_of(shape, x.dtype), spec_of(shape, dtypes.int64)


TOPK = operation("topk", _topk_spec, _topk).gradient(_to_places)
TOPK.lower = _topk_symbols
TopK = result_type("topk", ("values", "indices"))


@public()
def topk(input: Tensor, k: Any, dim: int = -1, largest: bool = True, sorted: bool = True, *, out: Any = None) -> Any:
    """The `k` largest (or smallest) elements along `dim` in order, and their positions.

    Raises RuntimeError if there are fewer than `k`.

    >>> torch.tensor([1, 4, 3]).topk(2).values
    tensor([4, 3])
    """
    dim = normalize_dim(dim, settle(input).spec.ndim)
    return written_out(TopK(apply(TOPK, (input,), (int(k), dim, bool(largest), True))), out, "topk")


def _kth_in_line(x: np.ndarray, k: int) -> np.ndarray:
    """The position that is the k-th in stable order."""
    value = np.partition(x, k - 1)[k - 1]
    if value != value:
        return stable_order(x, 0, first=k)[k - 1 : k]
    return np.flatnonzero(x == value)[k - 1 - np.count_nonzero(x < value)].reshape(1)


def _kth(x: np.ndarray, *, k: int, dim: int, keepdim: bool) -> tuple[np.ndarray, np.ndarray]:
    if x.ndim == 0:
        return x.copy(), np.zeros((), "int64")
    at = _kth_in_line(x, k) if x.ndim == 1 else stable_order(x, dim, first=k).take([k - 1], dim)
    values = elements_at(x, at, dim)
    return (values, at) if keepdim else (values.squeeze(dim), at.squeeze(dim))


def _kth_spec(x: Spec, *, k: int, dim: int, keepdim: bool) -> tuple[Spec, Spec]:
    n = x.shape[dim] if x.ndim else 1
    if not 1 <= k <= n:
        raise RuntimeError(f"kthvalue(): selected number k out of range for dimension {dim}")
    check_kind(x, "kthvalue_cpu")
    return _along_spec(x, dim=dim, keepdim=keepdim)


def _along_spec(x: Spec, *, dim: int, keepdim: bool) -> tuple[Spec, Spec]:
    shape = reduced(x.shape, (dim,) if x.ndim else None, keepdim)
    return spec_of(shape, x.dtype), spec_of(shape, dtypes.int64)


def _to_place(g: tuple[Tensor, Tensor], results: tuple[Tensor, Tensor], x_spec: Spec, dim: int, keepdim: bool) -> Any:
    values, at = g[0], results[1]
    if x_spec.ndim == 0:
        return (values,)
    if not keepdim:
        values, at = values.unsqueeze(dim), at.unsqueeze(dim)
    zeros = full_like_spec(spec_of(x_spec.shape, values._value.spec.dtype), 0)
    return (apply(SCATTER_ADD, (zeros, at, values), (dim,)),)


KTH = operation("kthvalue", _kth_spec, _kth).gradient(_to_place)
Kth = result_type("kthvalue", ("values", "indices"))


def _check_reducible(spec: Spec, dim: int, name: str) -> None:
    if spec.ndim and spec.shape[dim] == 0:
        raise IndexError(f"{name}: Expected reduction dim {dim} to have non-zero size.")


@public()
def kthvalue(input: Tensor, k: int, dim: int = -1, keepdim: bool = False, *, out: Any = None) -> Any:
    """The `k`-th smallest element along `dim` (counted from 1), and its position.

    >>> torch.tensor([3, 1, 2]).kthvalue(2).values
    tensor(2)
    """
    spec = settle(input).spec
    dim = normalize_dim(dim, spec.ndim)
    _check_reducible(spec, dim, "kthvalue()")
    check_memory(out, (input,), "kthvalue")
    return written_out(Kth(apply(KTH, (input,), (int(k), dim, bool(keepdim)))), out, "kthvalue")


# ---------------------------------------------------------------------------------------------------------------------
# Medians


def _middle(x: np.ndarray, dim: int, ignore_nan: bool) -> np.ndarray:
    """The position of the lower median along `dim`, kept as a dimension; the first NaN unless they are ignored."""
    n = x.shape[dim]
    unknown = np.isnan(x) if x.dtype.kind == "f" else np.zeros(1, bool)
    if not unknown.any():
        return np.argpartition(x, (n - 1) // 2, dim).take([(n - 1) // 2], dim)
    at = stable_order(x, dim)
    missing = unknown.sum(dim, keepdims=True)
    middle = np.maximum(n - missing - 1, 0) // 2
    found = np.take_along_axis(at, middle, dim)
    if ignore_nan:
        return found
    return np.where(missing > 0, np.argmax(unknown, dim, keepdims=True), found)


def _median_along(ignore_nan: bool) -> Any:
    def kernel(x: np.ndarray, *, dim: int, keepdim: bool) -> tuple[np.ndarray, np.ndarray]:
        if x.ndim == 0:
            return x.copy(), np.zeros((), "int64")
        at = _middle(x, dim, ignore_nan)
        values = elements_at(x, at, dim)
        return (values, at) if keepdim else (values.squeeze(dim), at.squeeze(dim))

    return kernel


def _median_whole(ignore_nan: bool) -> Any:
    def kernel(x: np.ndarray) -> np.ndarray:
        flat = x.reshape(-1)
        if not flat.size:
            return np.full((), np.nan if x.dtype.kind == "f" else np.iinfo(x.dtype).min, x.dtype)
        if x.dtype.kind == "f" and np.isnan(flat.max()):
            return flat[_middle(flat, 0, ignore_nan)[0]]
        half = (flat.size - 1) // 2
        return np.partition(flat, half)[half]

    return kernel


def _shared(g: Tensor, x: Tensor, result: Tensor) -> Tensor:
    """The gradient of a chosen element: equal elements share it."""
    same = ((x == result) | ((x != x) & (result != result))).to(g.dtype)
    return g * same / same.sum()


MEDIAN = operation("median", lambda x: spec_of((), x.dtype), _median_whole(False)).gradient(x=_shared)
NANMEDIAN = operation("nanmedian", lambda x: spec_of((), x.dtype), _median_whole(True)).gradient(x=_shared)
MEDIAN_DIM = operation("median_dim", _along_spec, _median_along(False), node="MedianBackward1").gradient(_to_place)
NANMEDIAN_DIM = operation("nanmedian_dim", _along_spec, _median_along(True), node="NanmedianBackward1").gradient(
    _to_place
)
Median = result_type("median", ("values", "indices"))
NanMedian = result_type("nanmedian", ("values", "indices"))


def _median(input: Tensor, dim: Any, keepdim: bool, out: Any, kind: Any) -> Any:
    whole, along, named, name = kind
    spec = settle(input).spec
    check_kind(spec, "median_cpu")
    if dim is None:
        return apply(whole, (input,))
    dim = normalize_dim(dim, spec.ndim)
    _check_reducible(spec, dim, f"{name}()")
    return written_out(named(apply(along, (input,), (dim, bool(keepdim)))), out, name)


@public()
def median(input: Tensor, dim: Any = None, keepdim: bool = False, *, out: Any = None) -> Any:
    """The median, the lower one of two; along `dim` also its position. NaN if there is a NaN.

    >>> torch.tensor([4., 1., 3., 2.]).median()
    tensor(2.)
    """
    return _median(input, dim, keepdim, out, (MEDIAN, MEDIAN_DIM, Median, "median"))


@public()
def nanmedian(input: Tensor, dim: Any = None, keepdim: bool = False, *, out: Any = None) -> Any:
    """The median of the elements that are not NaN."""
    return _median(input, dim, keepdim, out, (NANMEDIAN, NANMEDIAN_DIM, NanMedian, "nanmedian"))


# ---------------------------------------------------------------------------------------------------------------------
# mode


def _mode(x: np.ndarray, *, dim: int, keepdim: bool) -> tuple[np.ndarray, np.ndarray]:
    """The most frequent element, the smallest of several, and where it stands last."""
    if x.ndim == 0:
        return x.copy(), np.zeros((), "int64")
    rows = np.moveaxis(x, dim, -1)
    at = stable_order(rows, -1)
    ordered = np.take_along_axis(rows, at, -1)
    n = ordered.shape[-1]
    new = np.ones(ordered.shape, bool)
    new[..., 1:] = ordered[..., 1:] != ordered[..., :-1]
    start = np.maximum.accumulate(np.where(new, np.arange(n), 0), -1)
    end = np.argmax(np.arange(n) - start, -1, keepdims=True)
    values, at = np.take_along_axis(ordered, end, -1), np.take_along_axis(at, end, -1)
    if keepdim:
        return np.moveaxis(values, -1, dim), np.moveaxis(at, -1, dim)
    return values[..., 0], at[..., 0]


MODE = operation("mode", _along_spec, _mode).gradient(_to_place)
Mode = result_type("mode", ("values", "indices"))


@public()
def mode(input: Tensor, dim: int = -1, keepdim: bool = False, *, out: Any = None) -> Any:
    """The most frequent element along `dim` (the smallest of several), and where it stands last.

    >>> torch.tensor([1, 2, 2, 3]).mode().values
    tensor(2)
    """
    spec = settle(input).spec
    dim = normalize_dim(dim, spec.ndim)
    _check_reducible(spec, dim, "mode()")
    check_kind(spec, "mode_cpu", bools=True)
    return written_out(Mode(apply(MODE, (input,), (dim, bool(keepdim)))), out, "mode")
