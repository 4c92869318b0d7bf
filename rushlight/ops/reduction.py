"""Sums, means and their relatives: operations that do away with dimensions."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from rushlight.core import dtype as dtypes
from rushlight.core.strided import normalize_dims
from rushlight.record.operation import operation
from rushlight.record.spec import Spec, spec_of
from rushlight.record.trace import apply, settle
from rushlight.record.value import Tensor

from .creation import cast
from .public import public

Dims = tuple[int, ...] | None  # None: all of them


def dims_of(dim: Any, ndim: int) -> Dims:
    """A `dim` argument (None, int, sequence of ints) as normalised dimensions."""
    if dim is None:
        return None
    if isinstance(dim, Tensor):
        dim = int(dim)
    found = normalize_dims((dim,) if isinstance(dim, int) else tuple(dim), ndim)
    return found if found and ndim else None


def reduced(shape: tuple[int, ...], dim: Dims, keepdim: bool) -> tuple[int, ...]:
    """The shape that is left after reducing `dim`."""
    gone = set(range(len(shape)) if dim is None else dim)
    if keepdim:
        return tuple(1 if d in gone else n for d, n in enumerate(shape))
    return tuple(n for d, n in enumerate(shape) if d not in gone)


def spread(g: Tensor, x_spec: Spec, dim: Dims, keepdim: bool) -> Tensor:
    """A reduced gradient back in the shape of the operand."""
    if not keepdim and x_spec.ndim:
        g = g.reshape(reduced(x_spec.shape, dim, True))
    return g.expand(x_spec.shape)


def _sum_dtype(x: Spec, dtype: Any) -> Any:
    if dtype is not None:
        return dtype
    return x.dtype if x.dtype.is_floating_point or x.dtype.is_complex else dtypes.int64


def _sum(x: np.ndarray, *, dim: Dims, keepdim: bool) -> Any:
    return np.sum(x, axis=dim, keepdims=keepdim)


SUM = operation(
    "sum",
    lambda x, *, dim, keepdim: spec_of(reduced(x.shape, dim, keepdim), x.dtype),
    _sum,
    node="SumBackward0",
)
SUM.gradient(x=spread)
SUM_DIM = operation("sum_dim", SUM.infer, _sum, node="SumBackward1")
SUM_DIM.gradient(x=spread)


@public(out=True)
def sum(input: Tensor, dim: Any = None, keepdim: bool = False, *, dtype: Any = None, axis: Any = None,  # noqa: A001
        keepdims: bool = False) -> Tensor:  # fmt: skip
    """The sum over `dim` (all dimensions by default); integers and bools are summed as int64.

    >>> torch.ones(2, 3).sum(dim=1)
    tensor([3., 3.])
    """
    spec = settle(input).spec
    dim = axis if dim is None else dim
    keepdim = keepdim or keepdims
    t = cast(input, _sum_dtype(spec, dtype))
    if dim is None and not keepdim:
        return apply(SUM, (t,), (None, False))
    return apply(SUM_DIM, (t,), (dims_of(dim, spec.ndim), keepdim))


def _mean(x: np.ndarray, *, dim: Dims, keepdim: bool) -> Any:
    total = np.sum(x, axis=dim, keepdims=keepdim)
    return total / total.dtype.type(_count(x.shape, dim))


def _count(shape: tuple[int, ...], dim: Dims) -> int:
    return math.prod(shape) if dim is None else math.prod(shape[d] for d in dim)


def _mean_gradient(g: Tensor, x_spec: Spec, dim: Dims, keepdim: bool) -> Tensor:
    return spread(g, x_spec, dim, keepdim) / max(_count(x_spec.shape, dim), 1)


MEAN = operation("mean", SUM.infer, _mean, node="MeanBackward0")
MEAN.gradient(x=_mean_gradient)
MEAN_DIM = operation("mean_dim", SUM.infer, _mean, node="MeanBackward1")
MEAN_DIM.gradient(x=_mean_gradient)


@public(out=True)
def mean(input: Tensor, dim: Any = None, keepdim: bool = False, *, dtype: Any = None, axis: Any = None,
         keepdims: bool = False) -> Tensor:  # fmt: skip
    """The mean over `dim` (all dimensions by default) of a floating-point or complex tensor.

    >>> torch.tensor([1., 2., 6.]).mean()
    tensor(3.)
    """
    spec = settle(input).spec
    kind = dtype or spec.dtype
    if not (kind.is_floating_point or kind.is_complex):
        raise RuntimeError(
            "mean(): could not infer output dtype. Input dtype must be either a floating point or complex dtype. "
            f"Got: {kind.scalar_name}"
        )
    dim = axis if dim is None else dim
    t = cast(input, kind)
    if dim is None and not (keepdim or keepdims):
        return apply(MEAN, (t,), (None, False))
    return apply(MEAN_DIM, (t,), (dims_of(dim, spec.ndim), keepdim or keepdims))


def sum_to_spec(g: Tensor, spec: Spec) -> Tensor | None:
    """A gradient summed to a broadcast operand's shape and cast to its dtype; None if it cannot be that operand's."""
    found = g._value.spec
    if found.shape != spec.shape:
        lead = found.ndim - spec.ndim
        if lead < 0 or any(n not in (1, m) for n, m in zip(spec.shape, found.shape[lead:], strict=True)):
            return None
        repeated = tuple(d for d in range(found.ndim) if d < lead or (spec.shape[d - lead] == 1 != found.shape[d]))
        if repeated:
            g = apply(SUM_DIM, (g,), (repeated, True))
        if lead:
            g = g.reshape(spec.shape)
    if spec.dtype is not g._value.spec.dtype:
        g = cast(_real_part(g) if g._value.spec.dtype.is_complex and not spec.dtype.is_complex else g, spec.dtype)
    return g


def _real_part(g: Tensor) -> Tensor:
    return g.real
