"""Quantiles: sorted, then read at fractional ranks by interpolation
(https://pytorch.org/docs/stable/generated/torch.quantile.html).

They are composed of `sort`, `gather` and `lerp`, whose derivatives are theirs.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from rushlight.core import dtype as dtypes
from rushlight.core.strided import normalize_dim
from rushlight.record.operation import operation
from rushlight.record.spec import Spec, spec_of
from rushlight.record.trace import apply, settle
from rushlight.record.value import Tensor

from .masking import lerp
from .public import public
from .scatter import GATHER
from .sorting import SORT

INTERPOLATIONS = ("linear", "lower", "higher", "midpoint", "nearest")


def _ranks(x: np.ndarray, q: Any, *, interpolation: str, ignore_nan: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Along the sorted last dimension: the positions below and above each quantile, and how far it is between them."""
    n = x.shape[-1]
    known = (~np.isnan(x)).sum(-1, keepdims=True)
    q = np.asarray(q, x.dtype).reshape(-1)
    last = np.maximum(known - 1, 0) if ignore_nan else np.full(known.shape, n - 1)
    rank = (q * last.astype(x.dtype)).astype(x.dtype)
    if not ignore_nan:
        rank = np.where(known < n, x.dtype.type(n - 1), rank)
    if interpolation == "lower":
        rank = np.floor(rank)
    elif interpolation == "higher":
        rank = np.ceil(rank)
    elif interpolation == "nearest":
        rank = np.round(rank)
    below = np.floor(rank)
    weight = np.full_like(rank, 0.5) if interpolation == "midpoint" else rank - below
    above = np.ceil(rank)
    return below.astype("int64"), above.astype("int64"), weight


def _ranks_spec(x: Spec, q: Spec, *, interpolation: str, ignore_nan: bool) -> tuple[Spec, Spec, Spec]:
    shape = (*x.shape[:-1], q.numel)
    return spec_of(shape, dtypes.int64), spec_of(shape, dtypes.int64), spec_of(shape, x.dtype)


RANKS = operation("quantile_ranks", _ranks_spec, _ranks)


def _check(spec: Spec, q: Any, interpolation: str, name: str) -> None:
    if not spec.numel:
        raise RuntimeError(f"{name}() input tensor must be non-empty")
    if spec.dtype not in (dtypes.float32, dtypes.float64):
        raise RuntimeError(f"{name}() input tensor must be either float or double dtype")
    if interpolation not in INTERPOLATIONS:
        raise RuntimeError(
            f"{name}() interpolation must be one of linear, lower, higher, midpoint or nearest, but got {interpolation}"
        )
    if not isinstance(q, Tensor):
        if not 0 <= q <= 1:
            raise RuntimeError(f"{name}() q must be in the range [0, 1] but got {q:g}")
        return
    found = settle(q)
    if found.spec.ndim > 1:
        raise RuntimeError(f"{name}() q must be a scalar or 1D tensor")
    if found.spec.dtype is not spec.dtype:
        raise RuntimeError(f"{name}() q tensor must be same dtype as the input tensor")
    if found.buf is not None and not ((found.buf >= 0) & (found.buf <= 1)).all():
        raise RuntimeError(f"{name}() q values must be in the range [0, 1]")


def _quantile(input: Tensor, q: Any, dim: int | None, keepdim: bool, interpolation: str, name: str) -> Tensor:
    spec = settle(input).spec
    _check(spec, q, interpolation, name)
    several = isinstance(q, Tensor) and settle(q).spec.ndim == 1
    shape = spec.shape
    if dim is None:
        rows = input.reshape(-1)
        left = (1,) * spec.ndim if keepdim else ()
    else:
        dim = normalize_dim(dim, spec.ndim)
        rows = input.movedim(dim, -1) if spec.ndim else input.reshape(1)
        left = (*shape[:dim], 1, *shape[dim + 1 :]) if keepdim else (*shape[:dim], *shape[dim + 1 :])
        left = left if spec.ndim else ()
    ordered = apply(SORT, (rows,), (rows.dim() - 1, False))[0]
    below, above, weight = apply(RANKS, (ordered.detach(), q), (interpolation, name == "nanquantile"))
    last = rows.dim() - 1
    found = lerp(apply(GATHER, (ordered, below), (last,)), apply(GATHER, (ordered, above), (last,)), weight)
    if not several:
        return found.reshape(left)
    return found.movedim(-1, 0).reshape(settle(q).spec.numel, *left)


@public(out=True)
def quantile(
    input: Tensor, q: Any, dim: int | None = None, keepdim: bool = False, *, interpolation: str = "linear"
) -> Tensor:
    """The q-th quantiles (q a number or a vector in [0, 1]) along `dim`, or of all elements; those of q come first.

    >>> torch.tensor([1., 2., 3.]).quantile(0.25)
    tensor(1.5000)
    """
    return _quantile(input, q, dim, keepdim, interpolation, "quantile")


@public(out=True)
def nanquantile(
    input: Tensor, q: Any, dim: int | None = None, keepdim: bool = False, *, interpolation: str = "linear"
) -> Tensor:
    """The quantiles of the elements that are not NaN."""
    return _quantile(input, q, dim, keepdim, interpolation, "nanquantile")
