"""Sums, products, means, variances and their relatives: operations that do away with dimensions.

Every operation takes normalised `dim` (None: all) and `keepdim`; `spread` brings a reduced gradient back to the
operand's shape.
"""

from __future__ import annotations

import math
import operator
import warnings
from typing import Any

import numpy as np

from rushlight.core import dtype as dtypes
from rushlight.core.caller import stacklevel
from rushlight.core.strided import normalize_dim, normalize_dims
from rushlight.record.operation import Operation, operation
from rushlight.record.spec import Spec, spec_of
from rushlight.record.trace import apply, settle
from rushlight.record.value import Tensor

from .creation import cast
from .public import public
from .rules import check_kind

Dims = tuple[int, ...] | None  # None: all of them


def dims_of(dim: Any, ndim: int) -> Dims:
    """A `dim` argument (None, int, sequence of ints) as normalised dimensions."""
    if dim is None:
        return None
    if hasattr(dim, "__index__"):  # a NumPy number or a tensor
        dim = int(dim)
    found = normalize_dims((dim,) if isinstance(dim, int) else map(operator.index, dim), ndim)
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
        return dtypes.given_dtype(dtype, "sum")
    return x.dtype if x.dtype.is_floating_point or x.dtype.is_complex else dtypes.int64


def _sum(x: np.ndarray, *, dim: Dims, keepdim: bool) -> Any:
    add: Any = np.add
    return add.reduce(x, axis=dim, keepdims=keepdim)


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
    kind = spec.dtype if dtype is None else dtypes.given_dtype(dtype, "mean")
    if not (kind.is_floating_point or kind.is_complex):
        raise RuntimeError(
            f"mean(): could not infer output dtype. {'Input' if dtype is None else 'Optional'} dtype must be either a "
            "floating point or complex dtype. "
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


# ---------------------------------------------------------------------------------------------------------------------
# Products


def _dims_of_one(dim: int | None) -> Dims:
    return None if dim is None else (dim,)


def _prod_spec(x: Spec, *, dim: int | None, keepdim: bool) -> Spec:
    return spec_of(reduced(x.shape, _dims_of_one(dim) if x.ndim else None, keepdim), x.dtype)


def _prod(x: np.ndarray, *, dim: int | None, keepdim: bool) -> Any:
    return np.prod(x, axis=dim if np.ndim(x) else None, keepdims=keepdim)


def _others(x: np.ndarray, *, dim: int | None) -> np.ndarray:
    """For each element the product of all others: that of all by it, or, where it is the only zero, of those left."""
    if not x.ndim:
        return np.ones_like(x)
    one, none = x.dtype.type(1), x.dtype.type(0)
    zero = x == 0
    others = np.where(zero, one, x)
    product, zeros = np.prod(others, axis=dim, keepdims=True), np.sum(zero, axis=dim, keepdims=True)
    return np.where(zeros == 0, product / others, np.where(zero & (zeros == 1), product, none))


def _others_gradient(g: Tensor, x: Tensor, dim: int | None) -> Tensor:
    """Row i of the matrix holds the factors of the product without element i; the diagonal is what was left out."""
    from .arithmetic import conj
    from .creation import eye
    from .selection import where

    if dim is None or not x.dim():
        return _others_gradient(g.reshape(-1), x.reshape(-1), 0).reshape(x._value.spec.shape)
    line, h = x.movedim(dim, -1), g.movedim(dim, -1)
    n = line._value.spec.shape[-1]
    diagonal = eye(n, dtype=dtypes.bool_)
    rows = line.unsqueeze(-2).expand(*line._value.spec.shape[:-1], n, n)
    without_two = apply(PRODUCT_OF_OTHERS, (where(diagonal, 1, rows),), (rows.dim() - 1,))
    return where(diagonal, 0, h.unsqueeze(-1) * conj(without_two)).sum(-2).movedim(-1, dim)


PRODUCT_OF_OTHERS = operation("product_of_others", lambda x, *, dim: spec_of(x.shape, x.dtype), _others)
PRODUCT_OF_OTHERS.gradient(x=_others_gradient)


def _prod_gradient(g: Tensor, x: Tensor, x_spec: Spec, dim: int | None, keepdim: bool) -> Tensor:
    from .arithmetic import conj

    others = apply(PRODUCT_OF_OTHERS, (x,), (dim,))
    return spread(g, x_spec, _dims_of_one(dim), keepdim) * conj(others)


PROD = operation("prod", _prod_spec, _prod)
PROD.gradient(x=_prod_gradient)
PROD_DIM = operation("prod_dim", _prod_spec, _prod, node="ProdBackward1")
PROD_DIM.gradient(x=_prod_gradient)


@public(out=True)
def prod(input: Tensor, dim: int | None = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    """The product of all elements, or along `dim`; integers and bools are multiplied as int64.

    >>> torch.tensor([[1., 2.], [3., 4.]]).prod(dim=0)
    tensor([3., 8.])
    """
    spec = settle(input).spec
    t = cast(input, _sum_dtype(spec, dtype))
    if dim is None:
        return apply(PROD, (t,), (None, False))
    if not isinstance(dim, (int, Tensor)):
        raise TypeError(f"prod(): argument 'dim' must be int, not {type(dim).__name__}")
    return apply(PROD_DIM, (t,), (normalize_dim(int(dim), spec.ndim), keepdim))


# ---------------------------------------------------------------------------------------------------------------------
# Variance and standard deviation


def _spread_spec(x: Spec, *, dim: Dims, keepdim: bool, correction: float) -> Spec:
    return spec_of(reduced(x.shape, dim, keepdim), x.dtype.to_real())


def _both_specs(x: Spec, *, dim: Dims, keepdim: bool, correction: float) -> tuple[Spec, Spec]:
    shape = reduced(x.shape, dim, keepdim)
    return spec_of(shape, x.dtype.to_real()), spec_of(shape, x.dtype)


def _moments(x: np.ndarray, dim: Dims, keepdim: bool, correction: float) -> tuple[Any, Any]:
    """Variance and mean, summed in double precision as PyTorch does."""
    wide = np.dtype("complex128") if x.dtype.kind == "c" else np.dtype("float64")
    mean = np.sum(x, axis=dim, keepdims=True, dtype=wide) / np.float64(_count(x.shape, dim))
    off = x - mean
    squares = np.real(off * np.conj(off)) if x.dtype.kind == "c" else np.multiply(off, off, out=off)
    variance = np.sum(squares, axis=dim, keepdims=keepdim) / np.float64(max(_count(x.shape, dim) - correction, 0))
    return variance, mean.reshape(np.shape(variance))


def _var(x: np.ndarray, *, dim: Dims, keepdim: bool, correction: float) -> Any:
    return _moments(x, dim, keepdim, correction)[0]


def _std(x: np.ndarray, *, dim: Dims, keepdim: bool, correction: float) -> Any:
    return np.sqrt(_var(x, dim=dim, keepdim=keepdim, correction=correction))


def _var_mean(x: np.ndarray, *, dim: Dims, keepdim: bool, correction: float) -> tuple[Any, Any]:
    return _moments(x, dim, keepdim, correction)


def _std_mean(x: np.ndarray, *, dim: Dims, keepdim: bool, correction: float) -> tuple[Any, Any]:
    variance, mean = _moments(x, dim, keepdim, correction)
    return np.sqrt(variance), mean


def _var_gradient(g: Tensor, x: Tensor, x_spec: Spec, dim: Dims, keepdim: bool, correction: float) -> Tensor:
    off = x - mean(x, dim, True)
    degrees = _count(x_spec.shape, dim) - correction
    if degrees > 0:
        return spread(g * (2.0 / degrees), x_spec, dim, keepdim) * off
    g = spread(g, x_spec, dim, keepdim)
    from .selection import where

    return g * where(off == 0, math.nan, math.inf)


def _halved(g: Tensor, result: Tensor) -> Tensor:
    """The gradient of the variance, from that of its root."""
    from .selection import where

    return where(result == 0, 0, g / (result * 2))


def _std_gradient(
    g: Tensor, x: Tensor, result: Tensor, x_spec: Spec, dim: Dims, keepdim: bool, correction: float
) -> Tensor:
    return _var_gradient(_halved(g, result), x, x_spec, dim, keepdim, correction)


def _var_mean_gradient(g: Any, x: Tensor, x_spec: Spec, dim: Dims, keepdim: bool, correction: float) -> tuple[Tensor]:
    return (_var_gradient(g[0], x, x_spec, dim, keepdim, correction) + _mean_gradient(g[1], x_spec, dim, keepdim),)


def _std_mean_gradient(g: Any, x: Tensor, results: Any, x_spec: Spec, dim: Dims, keepdim: bool,
                       correction: float) -> tuple[Tensor]:  # fmt: skip
    wide = (_halved(g[0], results[0]), g[1])
    return _var_mean_gradient(wide, x, x_spec, dim, keepdim, correction)


VAR = operation("var", _spread_spec, _var)
VAR.gradient(x=_var_gradient)
STD = operation("std", _spread_spec, _std)
STD.gradient(x=_std_gradient)
VAR_MEAN = operation("var_mean", _both_specs, _var_mean)
VAR_MEAN.gradient(_var_mean_gradient)
STD_MEAN = operation("std_mean", _both_specs, _std_mean)
STD_MEAN.gradient(_std_mean_gradient)


def _spread_of(op: Operation, input: Tensor, dim: Any, unbiased: bool | None, keepdim: bool, correction: Any) -> Any:
    """The four functions of the second moment: sorts out PyTorch's two ways of saying how to count."""
    spec = settle(input).spec
    if not (spec.dtype.is_floating_point or spec.dtype.is_complex):
        name = "std and var" if op in (VAR, STD) else op.name
        raise RuntimeError(f"{name} only support floating point and complex dtypes")
    if dim.__class__ is bool:
        dim, unbiased = None, dim
    if unbiased is not None and correction is not None:
        raise TypeError(
            f"{op.name}() received an invalid combination of arguments: give unbiased or correction, not both"
        )
    if correction is None:
        correction = 0 if unbiased is False else 1
    dims = dims_of(dim, spec.ndim)
    if _count(spec.shape, dims) <= correction:
        _warn_degrees(op.name)
    return apply(op, (input,), (dims, keepdim, correction))


def _warn_degrees(name: str) -> None:
    warnings.warn(
        f"{name}(): degrees of freedom is <= 0. Correction should be strictly less than the reduction factor "
        "(input numel "
        "divided by output numel).",
        UserWarning,
        stacklevel=stacklevel(),
    )


@public(out=True)
def var(input: Tensor, dim: Any = None, unbiased: bool | None = None, keepdim: bool = False, *, correction: Any = None,
        axis: Any = None) -> Tensor:  # fmt: skip
    """The variance over `dim` (all by default): squared distances from the mean over count - `correction` (1).

    >>> torch.tensor([1., 2., 3.]).var()
    tensor(1.)
    """
    return _spread_of(VAR, input, axis if dim is None else dim, unbiased, keepdim, correction)


@public(out=True)
def std(input: Tensor, dim: Any = None, unbiased: bool | None = None, keepdim: bool = False, *, correction: Any = None,
        axis: Any = None) -> Tensor:  # fmt: skip
    """The standard deviation over `dim` (all by default): the root of `var`.

    >>> torch.tensor([1., 2., 3.]).std(correction=0)
    tensor(0.8165)
    """
    return _spread_of(STD, input, axis if dim is None else dim, unbiased, keepdim, correction)


@public(method=False)
def var_mean(input: Tensor, dim: Any = None, unbiased: bool | None = None, keepdim: bool = False, *,
             correction: Any = None) -> tuple[Tensor, Tensor]:  # fmt: skip
    """Variance and mean over `dim` (all by default)."""
    return _spread_of(VAR_MEAN, input, dim, unbiased, keepdim, correction)


@public(method=False)
def std_mean(input: Tensor, dim: Any = None, unbiased: bool | None = None, keepdim: bool = False, *,
             correction: Any = None) -> tuple[Tensor, Tensor]:  # fmt: skip
    """Standard deviation and mean over `dim` (all by default)."""
    return _spread_of(STD_MEAN, input, dim, unbiased, keepdim, correction)


# ---------------------------------------------------------------------------------------------------------------------
# Sums of exponentials, sums without NaN, the trace


def _logsumexp(x: np.ndarray, *, dim: Dims, keepdim: bool) -> Any:
    """Shifted by the largest element, so that nothing overflows."""
    if not x.size:
        return np.full(reduced(x.shape, dim, keepdim), -np.inf, x.dtype)
    top = np.max(x.real, axis=dim, keepdims=True)
    top = np.where(np.isfinite(top), top, 0)
    total = np.log(np.sum(np.exp(x - top), axis=dim, keepdims=keepdim))
    return total + top.reshape(total.shape)


def _logsumexp_gradient(g: Tensor, x: Tensor, result: Tensor, x_spec: Spec, dim: Dims, keepdim: bool) -> Tensor:
    from .arithmetic import conj

    return spread(g, x_spec, dim, keepdim) * conj((x - spread(result, x_spec, dim, keepdim)).exp())


LOGSUMEXP = operation("logsumexp", SUM.infer, _logsumexp)
LOGSUMEXP.gradient(x=_logsumexp_gradient)


@public(out=True, space="special")
def logsumexp(input: Tensor, dim: Any, keepdim: bool = False) -> Tensor:
    """log(sum(exp(x))) over `dim`, without overflow.

    >>> torch.logsumexp(torch.tensor([1000., 1000.]), 0)
    tensor(1000.6932)
    """
    spec = settle(input).spec
    if dim is None:
        raise TypeError("logsumexp(): argument 'dim' (position 1) must be tuple of ints, not NoneType")
    kind = spec.dtype if spec.dtype.is_floating_point or spec.dtype.is_complex else dtypes.get_default_dtype()
    return apply(LOGSUMEXP, (cast(input, kind),), (dims_of(dim, spec.ndim), keepdim))


def _nansum(x: np.ndarray, *, dim: Dims, keepdim: bool) -> Any:
    return np.sum(np.where(x != x, x.dtype.type(0), x), axis=dim, keepdims=keepdim)


def _nansum_gradient(g: Tensor, x: Tensor, x_spec: Spec, dim: Dims, keepdim: bool) -> Tensor:
    from .selection import where

    return where(x != x, 0, spread(g, x_spec, dim, keepdim))  # NaN is not equal to itself


NANSUM = operation("nansum", SUM.infer, _nansum)
NANSUM.gradient(x=_nansum_gradient)


@public(out=True)
def nansum(input: Tensor, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    """The sum over `dim` (all by default), NaN counting as zero.

    >>> torch.tensor([1., float("nan")]).nansum()
    tensor(1.)
    """
    spec = settle(input).spec
    if spec.dtype.is_complex:
        raise RuntimeError("nansum on CPU does not support complex inputs")
    t = cast(input, _sum_dtype(spec, dtype))
    return apply(NANSUM, (t,), (dims_of(dim, spec.ndim), keepdim))


@public(out=True)
def nanmean(input: Tensor, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    """The mean over `dim` (all by default) of the elements that are not NaN."""
    kind = settle(input).spec.dtype
    if not (kind.is_floating_point or kind.is_complex):
        raise RuntimeError(
            f"nanmean(): expected input to have floating point or complex dtype but got {kind.scalar_name}"
        )
    count = sum(input == input, dim, keepdim)
    return nansum(input, dim, keepdim, dtype=dtype) / count


def _trace_spec(x: Spec) -> Spec:
    if x.ndim != 2:
        raise RuntimeError(f"trace: expected a matrix, but got tensor with dim {x.ndim}")
    check_kind(x, "trace", complexes=True)
    return spec_of((), _sum_dtype(x, None))


def _trace_gradient(g: Tensor, x_spec: Spec) -> Tensor:
    from .creation import eye

    return g * eye(*x_spec.shape, dtype=x_spec.dtype)


TRACE = operation("trace", _trace_spec, lambda x: np.trace(x))
TRACE.gradient(x=_trace_gradient)


@public(out=True)
def trace(input: Tensor) -> Tensor:
    """The sum of the diagonal of a matrix.

    >>> torch.trace(torch.tensor([[1., 2.], [3., 4.]]))
    tensor(5.)
    """
    return apply(TRACE, (input,))
