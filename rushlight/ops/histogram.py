"""Elements put into bins: `searchsorted`, `bucketize`, `histc`, `histogram`, `histogramdd`.  None has a derivative."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from rushlight.core import dtype as dtypes
from rushlight.record.operation import operation
from rushlight.record.spec import Spec, spec_of
from rushlight.record.trace import apply, realize, settle
from rushlight.record.value import Tensor

from .creation import LINSPACE, wrap
from .public import public, write_out
from .results import result_type
from .rules import check_kind

# ---------------------------------------------------------------------------------------------------------------------
# searchsorted


def _searched(x: np.ndarray, values: Any, *, right: bool, kind: Any) -> np.ndarray:
    values = np.asarray(values)
    if x.ndim == 1:
        return _in_row(x, values, right)
    count = math.prod(x.shape[:-1])  # not -1: the rows may be empty
    rows, wanted = x.reshape(count, x.shape[-1]), values.reshape(count, values.shape[-1])
    found = np.empty(wanted.shape, "int64")
    for i, row in enumerate(rows):
        found[i] = _in_row(row, wanted[i], right)
    return found.reshape(values.shape)


def _in_row(row: np.ndarray, values: np.ndarray, right: bool) -> np.ndarray:
    """NaN belongs behind everything, NaN included."""
    if row.dtype.kind == "f" and row.size and np.isnan(row[-1]):
        return _halved(row, values, right)  # type: ignore[no-any-return]
    found = np.searchsorted(row, values, "right" if right else "left")
    return np.where(np.isnan(values), row.size, found) if values.dtype.kind == "f" else found


def _search_spec(x: Spec, values: Spec, *, right: bool, kind: Any) -> Spec:
    if x.ndim != 1 and (x.ndim != values.ndim or x.shape[:-1] != values.shape[:-1]):
        if x.ndim == 0:
            raise RuntimeError(
                "torch.searchsorted(): boundaries tensor should have positive dimension, but got 0 dimension"
            )
        raise RuntimeError(
            "torch.searchsorted(): boundaries tensor should be 1 dimension or the first N-1 dimensions of boundaries "
            f"tensor and input value tensor must match, but we got boundaries tensor {list(x.shape)} and input value "
            f"tensor {list(values.shape)}"
        )
    return spec_of(values.shape, kind)


def _halved(x: Any, values: Any, right: bool, at: Callable[[Any, Any], Any] = np.take) -> Any:
    """PyTorch's search by halves, for all values at once; what is unknown comes before everything."""
    n = x.shape[-1]
    low, high = np.zeros_like(values, dtype=np.int64), np.full_like(values, n, dtype=np.int64)
    for _ in range(n.bit_length()):
        middle = low + ((high - low) >> 1)
        here = at(x, np.minimum(middle, n - 1))
        before = np.logical_not(here > values if right else here >= values)
        left = low < high
        low = np.where(np.logical_and(left, before), middle + 1, low)
        high = np.where(np.logical_and(left, np.logical_not(before)), middle, high)
    return low


def _search_symbols(x: Any, values: Any, *, right: bool, kind: Any) -> Any:
    if not values.ndim:
        raise ValueError("a search for one number")
    from rushlight.codegen.assembly import elements, elements_of_rows

    to = np.result_type(x.dtype, values.dtype)
    at = elements if x.ndim == 1 else elements_of_rows
    return _halved(x.astype(to), values.astype(to), right, at).astype(kind.numpy)


SEARCHSORTED = operation("searchsorted", _search_spec, _searched)
SEARCHSORTED.lower = _search_symbols


@public(method=False, out=True)
def searchsorted(sorted_sequence: Tensor, input: Any, *, out_int32: bool = False, right: bool = False,
                 side: str | None = None, sorter: Any = None) -> Tensor:  # fmt: skip
    """Where each value would go in the sorted last dimension of `sorted_sequence`, before (right: after) equal ones.

    >>> torch.searchsorted(torch.tensor([1, 3, 5]), torch.tensor([3, 6]))
    tensor([1, 3])
    """
    if side is not None:
        if side not in ("left", "right"):
            raise RuntimeError(f"torch.searchsorted(): side can only be 'left' or 'right' but got {side}")
        if side == "left" and right:
            raise RuntimeError(
                "torch.searchsorted(): side and right can't be set to opposites, got side of left while right was True"
            )
    if sorter is not None:
        sorted_sequence = _in_order(sorted_sequence, sorter)
    check_kind(settle(sorted_sequence).spec, "searchsorted_out_cpu")
    after = right or side == "right"
    kind = dtypes.int32 if out_int32 else dtypes.int64
    found = apply(SEARCHSORTED, (sorted_sequence, input), (bool(after), kind))
    return found


def _in_order(sequence: Tensor, sorter: Tensor) -> Tensor:
    if settle(sorter).spec.shape != settle(sequence).spec.shape:
        raise RuntimeError(
            "torch.searchsorted(): boundary and sorter must have the same size, but got boundary tensor "
            f"{list(sequence.shape)}and got sorter tensor {list(sorter.shape)}"
        )
    if settle(sorter).spec.dtype is not dtypes.int64:
        raise RuntimeError(
            f"torch.searchsorted(): sorter must be a tensor of long dtype but got dtype {sorter.dtype.scalar_name}"
        )
    return sequence.detach().gather(-1, sorter)


@public(out=True)
def bucketize(input: Any, boundaries: Tensor, *, out_int32: bool = False, right: bool = False) -> Tensor:
    """The bucket of each element: how many of the sorted `boundaries` are less than it (or, right, not more).

    >>> torch.bucketize(torch.tensor([0, 3, 6]), torch.tensor([1, 3, 5]))
    tensor([0, 1, 3])
    """
    n = settle(boundaries).spec.ndim
    if n != 1:
        raise RuntimeError(f"boundaries tensor must be 1 dimension, but got dim({n})")
    return searchsorted(boundaries, input, out_int32=out_int32, right=right)


# ---------------------------------------------------------------------------------------------------------------------
# Histograms


def _check_floating(kind: Any, kernel: str) -> None:
    if kind not in (dtypes.float32, dtypes.float64):
        raise NotImplementedError(f"\"{kernel}\" not implemented for '{kind.scalar_name}'")


def _limits(x: np.ndarray, low: float, high: float, name: str, margin: float = 1.0) -> tuple[float, float]:
    """The outer edges: as given, else the extremes of the data, widened where they are equal."""
    if low == high and x.size:
        low, high = float(x.min()), float(x.max())
    if not (np.isfinite(low) and np.isfinite(high)):
        raise RuntimeError(f"{name}: range of [{low:g}, {high:g}] is not finite")
    return (low - margin, high + margin) if low == high else (low, high)


def _check_bins(bins: int, dim: int = 0) -> None:
    if bins <= 0:
        raise RuntimeError(f"torch.histogram(): bins must be > 0, but got {bins} for dimension {dim}")


def _histc(x: np.ndarray, *, bins: int, low: float, high: float) -> np.ndarray:
    flat = x.reshape(-1)
    low, high = _limits(flat, low, high, "torch.histc")
    kind = flat.dtype.type
    inside = flat[(flat >= low) & (flat <= high)]
    at = ((inside - kind(low)) * kind(bins) / (kind(high) - kind(low))).astype("int64")
    return np.bincount(np.minimum(at, bins - 1), minlength=bins).astype(x.dtype)


HISTC = operation("histc", lambda x, *, bins, low, high: spec_of((bins,), x.dtype), _histc)


@public(out=True)
def histc(input: Tensor, bins: int = 100, min: float = 0, max: float = 0) -> Tensor:  # noqa: A002 - PyTorch's names
    """How many elements fall into each of `bins` equal bins between `min` and `max` (both 0: the data's extremes).

    >>> torch.tensor([1., 2., 1.]).histc(2)
    tensor([2., 1.])
    """
    spec = settle(input).spec
    _check_floating(spec.dtype, "histogram_cpu")
    _check_bins(bins)
    if min > max:
        raise RuntimeError("torch.histc: max must be larger than min")
    held = input._value.buf
    if held is not None:
        _limits(held, min, max, "torch.histc")
    return apply(HISTC, (input.detach(),), (int(bins), float(min), float(max)))


Histogram = result_type("histogram", ("hist", "bin_edges"))
HistogramDD = result_type("histogramdd", ("hist", "bin_edges"))


def _edges(x: np.ndarray, bins: Any, limits: Any, dim: int = 0) -> np.ndarray:
    """The edges of the bins along one dimension of the data."""
    if isinstance(bins, Tensor):
        return realize(bins)
    _check_bins(bins, dim)
    low, high = (0.0, 0.0) if limits is None else (float(v) for v in limits)
    if low > high:
        raise RuntimeError(
            f"torch.histogramdd: min should not exceed max, but got min {low:g} max {high:g} for dimension {dim}"
        )
    if limits is not None and low == high:
        low, high = low - 0.5, high + 0.5
    elif limits is None:
        low, high = _limits(x, 0.0, 0.0, "torch.histogramdd", 0.5) if x.size else (0.0, 1.0)
    return LINSPACE.kernel(low, high, count=bins + 1, dtype=dtypes.from_numpy(x.dtype))


def _bin_of(x: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """The bin of each element, the last one closed; -1 outside."""
    at = np.searchsorted(edges, x, "right") - 1
    at = np.where(x == edges[-1], edges.size - 2, at)
    return np.where((at >= edges.size - 1) | np.isnan(x), -1, at)


def _counted(points: np.ndarray, edges: Sequence[np.ndarray], weight: np.ndarray | None, density: bool) -> np.ndarray:
    """The histogram of points (rows) over the grid of edges."""
    sizes = tuple(e.size - 1 for e in edges)
    at = np.stack([_bin_of(points[:, d], e) for d, e in enumerate(edges)])
    inside = (at >= 0).all(0)
    flat = np.ravel_multi_index(tuple(at[:, inside]), sizes)
    weights = None if weight is None else weight[inside].astype("float64")
    hist = np.bincount(flat, weights, int(np.prod(sizes))).astype(points.dtype).reshape(sizes)
    if density:
        hist = hist / hist.sum()
        for d, e in enumerate(edges):
            hist = hist / np.diff(e).reshape((-1,) + (1,) * (len(sizes) - d - 1))
    return hist.astype(points.dtype)


def _weights(weight: Any, shape: tuple[int, ...], kind: Any, name: str) -> np.ndarray | None:
    if weight is None:
        return None
    w = realize(weight)
    if settle(weight).spec.dtype is not kind:
        raise RuntimeError(
            f"{name}: if weight tensor is provided, input tensor and weight tensor should have the same dtype"
        )
    if w.shape != shape:
        raise RuntimeError(
            f"{name}: if weight tensor is provided it should have the same shape as the input tensor excluding its "
            f"innermost dimension, but got input with shape {list(shape)} and weight with shape {list(w.shape)}"
        )
    return w.reshape(-1)


@public()
def histogram(input: Tensor, bins: Any, *, range: Any = None, weight: Any = None, density: bool = False,  # noqa: A002
              out: Any = None) -> Any:  # fmt: skip
    """The histogram of all elements, and the edges of its bins: `bins` equal ones, or the edges themselves.

    >>> torch.tensor([1., 2., 1.]).histogram(2).hist
    tensor([2., 1.])
    """
    spec = settle(input).spec
    _check_floating(spec.dtype, "histogramdd")
    flat = realize(input).reshape(-1)
    edges = _edges(flat, bins, range)
    w = _weights(weight, spec.shape, spec.dtype, "torch.histogramdd")
    found = Histogram([wrap(_counted(flat[:, None], [edges], w, density)), wrap(np.array(edges))])
    if out is None:
        return found
    return Histogram([write_out(o, f, "histogram") for o, f in zip(out, found, strict=True)])


@public()
def histogramdd(input: Tensor, bins: Any, range: Any = None, weight: Any = None, density: bool = False) -> Any:
    """The histogram of points (the last dimension holds their coordinates) over a grid, and its edges.

    `bins` is a number, one number for each coordinate, or the edges for each; `range` the outer edges, two numbers
    each.
    """
    spec = settle(input).spec
    _check_floating(spec.dtype, "histogramdd")
    if spec.ndim < 2:
        raise RuntimeError("torch.histogramdd: input tensor should have at least 2 dimensions")
    n = spec.shape[-1]
    points = realize(input).reshape(-1, n)
    each = [bins] * n if isinstance(bins, int) else list(bins)
    if len(each) != n:
        raise RuntimeError("torch.histogramdd: The size of bins must be equal to the innermost dimension of the input.")
    limits = [None] * n if range is None else [tuple(range[2 * d : 2 * d + 2]) for d in np.arange(n)]
    edges = [_edges(points[:, d], b, limit, d) for d, (b, limit) in enumerate(zip(each, limits, strict=True))]
    w = _weights(weight, spec.shape[:-1], spec.dtype, "torch.histogramdd")
    return HistogramDD([wrap(_counted(points, edges, w, density)), tuple(wrap(np.array(e)) for e in edges)])
