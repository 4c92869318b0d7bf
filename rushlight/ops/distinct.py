"""Which elements there are and how often: `unique`, `unique_consecutive`, `bincount`.

The size of the results depends on the numbers, so these compute at once.  They have no derivative.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from rushlight.core import dtype as dtypes
from rushlight.core.strided import normalize_dim
from rushlight.record.trace import realize, settle
from rushlight.record.value import Tensor

from .creation import wrap
from .public import public
from .rules import check_kind


def _chosen(found: list[np.ndarray], wanted: tuple[bool, bool]) -> Any:
    """The values, with the inverse and the counts where they are asked for."""
    kept = [found[0], *(a for a, w in zip(found[1:], wanted, strict=True) if w)]
    made = tuple(wrap(np.asarray(a, order="C")) for a in kept)
    return made if len(made) > 1 else made[0]


def _check_no_empty_slices(shape: tuple[int, ...], dim: int) -> None:
    if 0 in shape and shape[dim] != 0:
        raise RuntimeError("There are 0 sized dimensions, and they aren't selected, so unique cannot be applied")


@public()
def unique(input: Tensor, sorted: bool = True, return_inverse: bool = False, return_counts: bool = False,  # noqa: A002
           dim: int | None = None) -> Any:  # fmt: skip
    """The distinct elements (or slices along `dim`) in order; also where each element went, and how often each occurs.

    >>> torch.tensor([3, 1, 3]).unique(return_counts=True)
    (tensor([1, 3]), tensor([1, 2]))
    """
    check_kind(settle(input).spec, "unique", bools=True)
    x = realize(input)
    if dim is not None:
        dim = normalize_dim(dim, x.ndim)
        _check_no_empty_slices(x.shape, dim)
        if x.ndim == 0:
            dim = None
    wanted = bool(return_inverse), bool(return_counts)
    if x.size == 0 and dim is not None:
        return _chosen([x, np.zeros(x.shape[dim], "int64"), np.zeros(x.shape[dim], "int64")], wanted)
    return _chosen(_distinct(x, dim, *wanted), wanted)


FEW = 4  # times as many values as elements, up to which values are counted instead of put in order


def _distinct(x: np.ndarray, dim: int | None, places: bool, often: bool) -> list[np.ndarray]:
    """The distinct elements, and where asked for the place of each element among them, and how often each occurs."""
    if dim is None and x.dtype.kind in "iu" and x.dtype != np.uint64 and x.size:
        low, high = int(x.min()), int(x.max())
        if high - low < FEW * x.size:
            return _by_counting(x, low, high, places)
    options: Any = dict(return_inverse=places, return_counts=often, axis=dim, equal_nan=False)
    found = np.unique(x, **options)
    values, *more = found if isinstance(found, tuple) else (found,)
    nothing = np.zeros(0, np.int64)
    inverse = more.pop(0).reshape(x.shape if dim is None else -1).astype(np.int64) if places else nothing
    return [values, inverse, more[0].astype(np.int64) if often else nothing]


def _by_counting(x: np.ndarray, low: int, high: int, places: bool) -> list[np.ndarray]:
    shifted = x.astype(np.int64) - low
    counts = np.bincount(shifted.ravel(), minlength=high - low + 1)
    found = np.flatnonzero(counts)
    inverse = (np.cumsum(counts != 0) - 1)[shifted] if places else shifted
    return [(found + low).astype(x.dtype), inverse, counts[found]]


@public()
def unique_consecutive(input: Tensor, return_inverse: bool = False, return_counts: bool = False,
                       dim: int | None = None) -> Any:  # fmt: skip
    """The elements (or slices along `dim`) without those equal to the one before.

    >>> torch.tensor([1, 1, 2, 1]).unique_consecutive()
    tensor([1, 2, 1])
    """
    x = realize(input)
    if dim is not None:
        dim = normalize_dim(dim, x.ndim)
        _check_no_empty_slices(x.shape, dim)
    rows = x.reshape(-1) if dim is None or not x.ndim else np.moveaxis(x, dim, 0)
    n = len(rows)
    new = np.ones(n, bool)
    if n > 1:
        differ = rows[1:] != rows[:-1]
        new[1:] = differ if differ.ndim == 1 else differ.reshape(n - 1, -1).any(1)
    starts = np.flatnonzero(new)
    values = rows[starts]
    inverse = np.cumsum(new) - 1 if return_inverse else starts
    counts = np.diff(np.append(starts, n)) if return_counts else starts
    if dim is None:
        inverse = inverse.reshape(x.shape) if return_inverse else inverse
    else:
        values = np.moveaxis(values, 0, dim) if x.ndim else values
    return _chosen(
        [values, inverse.astype("int64"), counts.astype("int64")], (bool(return_inverse), bool(return_counts))
    )


@public()
def bincount(input: Tensor, weights: Any = None, minlength: int = 0) -> Tensor:
    """How often each of 0, 1, 2, ... occurs in a vector of integers, or the sum of the weights there.

    Raises RuntimeError for negative numbers and for anything but a vector.

    >>> torch.tensor([0, 2, 2]).bincount()
    tensor([1, 0, 2])
    """
    kind = settle(input).spec.dtype
    if kind.is_floating_point or kind.is_complex or kind is dtypes.bool_:
        raise NotImplementedError(f"\"bincount_cpu\" not implemented for '{kind.scalar_name}'")
    if minlength < 0:
        raise RuntimeError("minlength should be >= 0")
    x = realize(input)
    if x.ndim != 1 or (x.size and x.min() < 0):
        raise RuntimeError("bincount only supports 1-d non-negative integral inputs.")
    if weights is None:
        return wrap(np.bincount(x, minlength=minlength).astype("int64"))
    w = realize(weights)
    if w.shape != x.shape:
        raise RuntimeError("weights should be 1-d and have the same length as input")
    result = np.float32 if w.dtype == np.float32 else np.float64
    return wrap(np.bincount(x, w, minlength).astype(result))
