"""Reading and writing along one dimension, each element at its own position: `gather`, `scatter` and their relatives.

Every kernel that writes works on flat memory: `flat_positions` turns the positions along `dim` into positions in the
row-major array, so that accumulating is one `ufunc.at` over a vector.  Positions are checked when the operation is
called if they are known then, and always before they are used.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from rushlight.core import dtype as dtypes
from rushlight.core.number import number_in
from rushlight.core.strided import contiguous_strides, normalize_dim
from rushlight.record.operation import Operation, computing, operation
from rushlight.record.spec import Spec, spec_of
from rushlight.record.trace import apply, settle
from rushlight.record.value import Tensor

from .creation import cast, full_like_spec
from .public import public
from .rules import fresh

# ---------------------------------------------------------------------------------------------------------------------
# Positions


def outside(index: np.ndarray, n: int) -> int | None:
    """The first position that is not in [0, n), if any."""
    if not index.size or (index.dtype == np.int64 and index.flags.c_contiguous and index.view(np.uint64).max() < n):
        return None
    wrong = index[(index < 0) | (index >= n)]
    return int(wrong.flat[0]) if wrong.size else None


def check_inside(index: np.ndarray, n: int, dim: int, error: type[Exception] = RuntimeError, who: str = "") -> None:
    found = outside(index, n)
    if found is not None:
        raise error(f"{who}index {found} is out of bounds for dimension {dim} with size {n}")


def flat_positions(shape: tuple[int, ...], dim: int, index: np.ndarray) -> np.ndarray:
    """Where `x[i, ..., index[i, ..., k], ...]` (the index at `dim`) lies in the row-major memory of x."""
    strides = contiguous_strides(shape)
    at = index * strides[dim]
    for d, n in enumerate(index.shape):
        if d != dim and n > 1:
            at = at + (np.arange(n) * strides[d]).reshape((n,) + (1,) * (index.ndim - 1 - d))
    return at.reshape(-1)


def _with_dims(*arrays: Any) -> list[Any]:
    return [a.reshape(1) if isinstance(a, np.ndarray) and a.ndim == 0 else a for a in arrays]


def _part(src: Any, shape: tuple[int, ...]) -> Any:
    """The leading part of `src` that an index of this shape uses; a number as it is."""
    if not isinstance(src, np.ndarray) or src.ndim == 0:
        return src
    return src[tuple(slice(n) for n in shape)].reshape(-1)


def index_tensor(index: Any, message: str, int32: bool = True) -> Tensor:
    kind = settle(index).spec.dtype
    if kind is dtypes.int64:
        return index
    if (kind is not dtypes.int32 or not int32) and index._value.spec.numel:
        raise RuntimeError(message.format(kind.scalar_name))
    return cast(index, dtypes.int64)


def known(index: Tensor) -> np.ndarray | None:
    buf = index._value.buf
    return buf if isinstance(buf, np.ndarray) else None


def dims(shape: tuple[int, ...]) -> tuple[int, ...]:
    return shape or (1,)


# ---------------------------------------------------------------------------------------------------------------------
# gather


def _gather(x: np.ndarray, index: np.ndarray, *, dim: int) -> np.ndarray:
    shape = index.shape
    x, index = _with_dims(x, index)
    if not index.size:
        return np.empty(shape, x.dtype)
    check_inside(index, x.shape[dim], dim)
    return x.reshape(-1).take(flat_positions(x.shape, dim, index)).reshape(shape)


def _gather_spec(x: Spec, index: Spec, *, dim: int) -> Spec:
    if index.numel and len(dims(x.shape)) != len(dims(index.shape)):
        raise RuntimeError("Index tensor must have the same number of dimensions as input tensor")
    if index.numel:
        for d, (n, m) in enumerate(zip(dims(x.shape), dims(index.shape), strict=True)):
            if d != dim and m > n:
                raise RuntimeError(
                    f"Size does not match at dimension {d} expected index {list(index.shape)} to be no larger than "
                    f"self {list(x.shape)} apart from dimension {dim}"
                )
    return spec_of(index.shape, x.dtype)


GATHER = operation("gather", _gather_spec, _gather, exact=True, aliases=False)
GATHER.lower = lambda x, index, *, dim: x.take_along(index, dim)
GATHER.gradient(
    x=lambda g, index, x_spec, dim: apply(
        SCATTER_ADD, (full_like_spec(spec_of(x_spec.shape, g.dtype), 0), index, g), (dim,)
    )
)


@public(out=True)
def gather(input: Tensor, dim: int, index: Tensor, *, sparse_grad: bool = False) -> Tensor:
    """The elements of `input` at the positions `index` along `dim`; the result has the index's shape.

    Raises RuntimeError for a position that does not exist, for another number of dimensions or an index that is too
    large.

    >>> torch.tensor([[1, 2], [3, 4]]).gather(1, torch.tensor([[1], [0]]))
    tensor([[2],
            [3]])
    """
    dim = normalize_dim(dim, settle(input).spec.ndim)
    index = index_tensor(index, "gather(): Expected dtype int32/int64 for index")
    _check_early(input, dim, index)
    return apply(GATHER, (input, index), (dim,))


def _check_early(input: Tensor, dim: int, index: Tensor, error: type[Exception] = RuntimeError, who: str = "") -> None:
    """Raises for wrong positions on the user's line, if they are known already."""
    at, shape = known(index), dims(settle(input).spec.shape)
    if at is not None and index._value.spec.ndim == len(shape):
        check_inside(at, shape[dim], dim, error, who)


# ---------------------------------------------------------------------------------------------------------------------
# scatter


def _check_scatter(x: Spec, index: Spec, src: Spec | None, dim: int) -> None:
    if not index.numel:
        return
    if len(dims(x.shape)) != len(dims(index.shape)):
        raise RuntimeError("Index tensor must have the same number of dimensions as self tensor")
    if src is not None and len(dims(index.shape)) != len(dims(src.shape)):
        kind = IndexError if 0 < len(src.shape) < len(index.shape) else RuntimeError
        raise kind("Index tensor must have the same number of dimensions as src tensor")
    sizes = list(zip(dims(x.shape), dims(index.shape), strict=True))
    fits = all(m <= n for d, (n, m) in enumerate(sizes) if d != dim)
    covered = src is None or all(m <= n for m, n in zip(dims(index.shape), dims(src.shape), strict=True))
    if not fits or not covered:
        also = "" if src is None else f" and to be no larger size than src {list(src.shape)}"
        raise RuntimeError(
            f"Expected index {list(index.shape)} to be no larger than self {list(x.shape)} apart from dimension "
            f"{dim}{also}"
        )


def _scatter_spec(x: Spec, index: Spec, src: Spec, **attributes: Any) -> Spec:
    if not src.wrapped and src.dtype is not x.dtype and src.ndim + index.ndim:
        raise RuntimeError("scatter(): Expected self.dtype to be equal to src.dtype")
    _check_scatter(x, index, None if src.wrapped else src, attributes["dim"])
    return fresh(x)


def writing(x: np.ndarray, index: np.ndarray, dim: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The array to return, its flat memory, and the places in it."""
    whole = np.ascontiguousarray(x)
    if not index.size:
        return whole.reshape(x.shape), whole.reshape(-1), np.empty(0, "int64")
    shape = dims(x.shape)
    index = index.reshape(dims(index.shape))
    check_inside(index, shape[dim], dim)
    return whole.reshape(x.shape), whole.reshape(-1), flat_positions(shape, dim, index)


def _scatter(x: np.ndarray, index: np.ndarray, src: Any, *, dim: int) -> np.ndarray:
    whole, flat, places = writing(x, index, dim)
    if places.size:
        flat[places] = _part(src, index.shape)
    return whole


def _erased(g: Tensor, index: Tensor, dim: int) -> Tensor:
    """The gradient of the elements that were not overwritten."""
    return apply(SCATTER_VALUE, (g, index, 0), (dim,))


SCATTER = operation("scatter", _scatter_spec, _scatter, overwrites=True, exact=True, aliases=False)
SCATTER.gradient(x=_erased, src=lambda g, index, src_spec, dim: _read_back(g, index, src_spec, dim))
SCATTER_VALUE = operation(
    "scatter_value", _scatter_spec, _scatter, overwrites=True, exact=True, aliases=False, node="ScatterBackward1"
)
SCATTER_VALUE.gradient(x=_erased)


SCATTER.lower = SCATTER_VALUE.lower = lambda x, index, src, *, dim: x.with_each(index, src, dim, "set")


def _read_back(g: Tensor, index: Tensor, src_spec: Spec, dim: int) -> Tensor:
    """What arrives at `src`: the gradients of the places its elements went to; zero for those that went nowhere."""
    found = apply(GATHER, (g, index), (dim,))
    if index._value.spec.shape == src_spec.shape:
        return found
    return _padded(found, src_spec.shape)


def _padded(t: Tensor, shape: tuple[int, ...]) -> Tensor:
    from .view import PUT_BACK

    return apply(PUT_BACK, (t,), (tuple((0, n, 1) for n in t._value.spec.shape), shape))


@computing(lambda x, index, src, **kw: None)
def _accumulating_spec(x: Spec, index: Spec, src: Spec, **attributes: Any) -> Spec:
    return _scatter_spec(x, index, src, **attributes)


def _scatter_add(x: np.ndarray, index: np.ndarray, src: Any, *, dim: int) -> np.ndarray:
    whole, flat, places = writing(x, index, dim)
    np.add.at(flat, places, _part(src, index.shape))
    return whole


SCATTER_ADD: Operation = operation("scatter_add", _accumulating_spec, _scatter_add, overwrites=True)
SCATTER_ADD.lower = lambda x, index, src, *, dim: x.with_each(index, src, dim, "add")
SCATTER_ADD.gradient(x=lambda g: g, src=_read_back)


def _scatter_multiply(x: np.ndarray, index: np.ndarray, src: Any, *, dim: int) -> np.ndarray:
    whole, flat, places = writing(x, index, dim)
    np.multiply.at(flat, places, _part(src, index.shape))
    return whole


def _no_derivative(g: Tensor) -> Tensor:
    raise RuntimeError("derivative for aten::scatter with reduce is not implemented; use scatter_add or scatter_reduce")


SCATTER_PLUS = operation("scatter_plus", _accumulating_spec, _scatter_add, overwrites=True, node="NotImplemented")
SCATTER_TIMES = operation(
    "scatter_times", _accumulating_spec, _scatter_multiply, overwrites=True, node="NotImplemented"
)
for _op in (SCATTER_PLUS, SCATTER_TIMES):
    _op.gradient(x=_no_derivative, src=_no_derivative)

_DEPRECATED: dict[Any, Operation] = {"add": SCATTER_PLUS, "multiply": SCATTER_TIMES}


def _scatter_index(input: Tensor, dim: int, index: Tensor) -> tuple[int, Tensor]:
    dim = normalize_dim(dim, settle(input).spec.ndim)
    index = index_tensor(index, "scatter(): Expected dtype int32/int64 for index")
    _check_early(input, dim, index)
    return dim, index


@public(inplace=True, out=True, row_major=True)
def scatter(
    input: Tensor, dim: int, index: Tensor, src: Any = None, *, value: Any = None, reduce: Any = None
) -> Tensor:
    """A copy of `input` with `src` (a tensor or a number) at the positions `index` along `dim`.

    `reduce` "add" or "multiply" combines instead. Raises RuntimeError for positions that do not exist, for shapes that
    do not fit and for another dtype.

    >>> torch.zeros(2, 3).scatter(1, torch.tensor([[2], [0]]), 1.)
    tensor([[0., 0., 1.],
            [1., 0., 0.]])
    """
    src = value if src is None else src
    dim, index = _scatter_index(input, dim, index)
    if not isinstance(src, Tensor):
        src = number_in(src, settle(input).spec.dtype)
    if reduce is None:
        return apply(SCATTER if isinstance(src, Tensor) else SCATTER_VALUE, (input, index, src), (dim,))
    op = _DEPRECATED.get(reduce)
    if op is None:
        raise RuntimeError("reduce argument must be either add or multiply.")
    return apply(op, (input, index, src), (dim,))


@public(inplace=True, out=True, row_major=True)
def scatter_add(input: Tensor, dim: int, index: Tensor, src: Tensor) -> Tensor:
    """A copy of `input` with `src` added at the positions `index` along `dim`.

    >>> torch.zeros(3).scatter_add(0, torch.tensor([0, 0, 2]), torch.ones(3))
    tensor([2., 0., 1.])
    """
    if not isinstance(src, Tensor):
        raise TypeError(f"scatter_add(): argument 'src' (position 3) must be Tensor, not {type(src).__name__}")
    dim, index = _scatter_index(input, dim, index)
    return apply(SCATTER_ADD, (input, index, src), (dim,))


# ---------------------------------------------------------------------------------------------------------------------
# scatter_reduce

_UFUNCS = {"sum": np.add, "mean": np.add, "prod": np.multiply, "amax": np.maximum, "amin": np.minimum}


def _neutral(reduce: str, kind: np.dtype) -> Any:
    if reduce in ("sum", "mean", "prod"):
        return 1 if reduce == "prod" else 0
    if kind.kind == "f":
        return -np.inf if reduce == "amax" else np.inf
    if kind.kind == "b":
        return reduce == "amin"
    return np.iinfo(kind).min if reduce == "amax" else np.iinfo(kind).max


def scatter_reduced(x: np.ndarray, index: np.ndarray, src: np.ndarray, *, dim: int, reduce: str, own: bool) -> Any:
    whole, flat, places = writing(x, index, dim)
    if not places.size:
        return whole
    if not own:
        flat[places] = _neutral(reduce, flat.dtype)
    _UFUNCS[reduce].at(flat, places, _part(src, index.shape))
    if reduce == "mean":
        count = np.full(flat.shape, int(own), "int64")
        np.add.at(count, places, 1)
        count = np.maximum(count, 1)
        flat[...] = flat / count if flat.dtype.kind in "fc" else flat // count
    return whole


def scatter_reduced_symbols(x: Any, index: Any, src: Any, *, dim: int, reduce: str, own: bool) -> Any:
    """For the compiler: elements are combined one after the other, as they stand in `src`."""
    if x.dtype.kind not in "fi" or (reduce == "mean" and x.dtype.kind != "f"):
        raise ValueError("a mean of whole numbers")
    count = np.full_like(x, int(own))
    if not own:
        x = x.with_each(index, x.dtype.type(_neutral(reduce, x.dtype)), dim, "set")
    found = x.with_each(index, src, dim, _UFUNCS[reduce].__name__)
    if reduce != "mean":
        return found
    return found / np.maximum(count.with_each(index, x.dtype.type(1), dim, "add"), x.dtype.type(1))


def reduced_gradients(g: Tensor, needs: Any, x: Tensor, index: Tensor, src: Tensor, result: Tensor, dim: int,
                       reduce: str, own: bool) -> tuple[Tensor | None, None, Tensor | None]:  # fmt: skip
    rule = {"sum": _sum_rule, "mean": _mean_rule, "prod": _product_rule}.get(reduce, _extreme_rule)
    for_x, for_src = rule(g, x, index, src, result, dim, own)
    if not own:
        for_x = _erased(for_x, index, dim)
    return (for_x if needs[0] else None), None, (for_src if needs[2] else None)


def _sum_rule(
    g: Tensor, x: Tensor, index: Tensor, src: Tensor, result: Tensor, dim: int, own: bool
) -> tuple[Tensor, Tensor]:
    return g, _read_back(g, index, src._value.spec, dim)


def _mean_rule(
    g: Tensor, x: Tensor, index: Tensor, src: Tensor, result: Tensor, dim: int, own: bool
) -> tuple[Tensor, Tensor]:
    ones = full_like_spec(src._value.spec, 1)
    count = apply(SCATTER_ADD, (full_like_spec(x._value.spec, int(own)), index, ones), (dim,))
    share = g / count.clamp(min=1)
    return share, _read_back(share, index, src._value.spec, dim)


def _product_rule(
    g: Tensor, x: Tensor, index: Tensor, src: Tensor, result: Tensor, dim: int, own: bool
) -> tuple[Tensor, Tensor]:
    """The product of all the other factors: without a division for `x`, by counting the zeros for `src`."""
    from .selection import where

    spec = src._value.spec
    ones = full_like_spec(x._value.spec, 1)
    for_x = g * apply(SCATTER_REDUCE, (ones, index, src), (dim, "prod", True))
    zero = src == 0
    zeros = apply(SCATTER_ADD, (full_like_spec(x._value.spec, 0), index, zero.to(spec.dtype)), (dim,))
    solid = where(zero, full_like_spec(spec, 1), src)
    others = apply(SCATTER_REDUCE, (x, index, solid), (dim, "prod", own))
    alone = _read_back(zeros, index, spec, dim) == zero.to(spec.dtype)
    return for_x, where(alone, _read_back(g * others, index, spec, dim) / solid, 0)


def _extreme_rule(
    g: Tensor, x: Tensor, index: Tensor, src: Tensor, result: Tensor, dim: int, own: bool
) -> tuple[Tensor, Tensor]:
    """Ties share the gradient."""
    kind = src._value.spec.dtype
    mine = (x == result).to(kind)
    theirs = (src == _read_back(result, index, src._value.spec, dim)).to(kind)
    share = g / apply(SCATTER_ADD, (mine, index, theirs), (dim,))
    return mine * share, theirs * _read_back(share, index, src._value.spec, dim)


SCATTER_REDUCE = operation("scatter_reduce", _accumulating_spec, scatter_reduced, overwrites=True)
SCATTER_REDUCE.lower = scatter_reduced_symbols
SCATTER_REDUCE.gradient(reduced_gradients)


@public(inplace=True, out=True, row_major=True)
def scatter_reduce(
    input: Tensor, dim: int, index: Tensor, src: Tensor, reduce: str, *, include_self: bool = True
) -> Tensor:
    """A copy of `input` where the elements of `src` that `index` sends to one place along `dim` are combined.

    `reduce` is "sum", "prod", "mean", "amax" or "amin"; with `include_self` the element of `input` takes part.

    >>> torch.zeros(2).scatter_reduce(0, torch.tensor([0, 0, 1]), torch.tensor([1., 2., 3.]), "amax")
    tensor([2., 3.])
    """
    reduce = {"max": "amax", "min": "amin"}.get(reduce, reduce)
    if reduce not in _UFUNCS:
        raise RuntimeError(f"reduce argument must be either sum, prod, mean, amax or amin, got {reduce}")
    kind = settle(input).spec.dtype
    if kind.is_complex and reduce in ("amax", "amin"):
        label = f"scatter_gather_tensor_cpu_reduce_{reduce}"
        raise NotImplementedError(f"\"{label}\" not implemented for '{kind.scalar_name}'")
    dim, index = _scatter_index(input, dim, index)
    return apply(SCATTER_REDUCE, (input, index, src), (dim, reduce, bool(include_self)))
