"""ONNX for reductions, softmax, running sums, and sorting."""

from __future__ import annotations

import math
from typing import Any

from rushlight.core import dtype as dtypes

from .builder import product
from .call import Call, lowering

REDUCTIONS = {
    "sum": "ReduceSum", "sum_dim": "ReduceSum", "mean": "ReduceMean", "mean_dim": "ReduceMean", "amax": "ReduceMax",
    "amin": "ReduceMin", "max": "ReduceMax", "min": "ReduceMin", "prod": "ReduceProd", "prod_dim": "ReduceProd",
    "logsumexp": "ReduceLogSumExp",
}  # fmt: skip


def axes_of(c: Call) -> list[int] | None:
    """The dimensions to reduce, None for all."""
    dim = c.attributes.get("dim")
    if dim is None or dim == () or not c.rank(0):
        return None
    return [d % c.rank(0) for d in ((dim,) if isinstance(dim, int) else dim)]


def _keep(c: Call) -> bool:
    return bool(c.attributes.get("keepdim", False))


@lowering(*REDUCTIONS)
def _reduction(c: Call) -> str:
    x = c.x(0, c.dtype)
    if not c.rank(0):
        return c.op("Identity", x)
    return c.reduce(REDUCTIONS[c.node.op.name], x, axes_of(c), _keep(c))


@lowering("all", "any")
def _truth(c: Call) -> str:
    """Of any dtype: what is not zero is true."""
    whole = c.cast(c.x(0, dtypes.bool_), dtypes.int32)
    return c.cast(
        c.reduce("ReduceMin" if c.node.op.name == "all" else "ReduceMax", whole, axes_of(c), _keep(c)), c.dtype
    )


@lowering("count_nonzero")
def _count_nonzero(c: Call) -> str:
    return c.reduce("ReduceSum", c.cast(c.x(0, dtypes.bool_), dtypes.int64), axes_of(c), False)


def _variance(c: Call) -> tuple[str, str]:
    """The variance, and the mean with its dimensions kept."""
    axes = axes_of(c)
    x = c.x(0, c.dtype)
    mean = c.reduce("ReduceMean", x, axes, True)
    apart = c.op("Sub", x, mean)
    squares = c.op("Mul", apart, apart)
    correction = c.attributes["correction"]
    if not correction:
        return c.reduce("ReduceMean", squares, axes, _keep(c)), mean
    shape = c.shape(0)
    count = product([shape[d] for d in (range(len(shape)) if axes is None else axes)])
    total = c.reduce("ReduceSum", squares, axes, _keep(c))
    return c.op("Div", total, c.constant(max(count - correction, 0), c.dtype)), mean


@lowering("var", "std", "var_mean", "std_mean")
def _spread(c: Call) -> list[str]:
    variance, mean = _variance(c)
    found = c.op("Sqrt", variance) if c.node.op.name.startswith("std") else variance
    if _keep(c) or not c.node.op.name.endswith("mean"):
        return [found, mean]
    return [found, c.reshape(mean, c.result.shape)]


@lowering("vector_norm")
def _vector_norm(c: Call) -> str:
    order, axes, keep = c.attributes["ord"], axes_of(c), _keep(c)
    x = c.x(0, c.dtype)
    if order in (1, 2):
        return c.reduce("ReduceL1" if order == 1 else "ReduceL2", x, axes, keep)
    size = c.op("Abs", x)
    if math.isinf(order):
        return c.reduce("ReduceMax" if order > 0 else "ReduceMin", size, axes, keep)
    if order == 0:
        there = c.cast(c.cast(x, dtypes.bool_), c.dtype)
        return c.reduce("ReduceSum", there, axes, keep)
    total = c.reduce("ReduceSum", c.op("Pow", size, c.constant(order, c.dtype)), axes, keep)
    return c.op("Pow", total, c.constant(1 / order, c.dtype))


@lowering("argmax", "argmin")
def _arg(c: Call) -> str:
    kind = "ArgMax" if c.node.op.name == "argmax" else "ArgMin"
    dim = c.attributes["dim"]
    if dim is None:
        found = c.op(kind, c.reshape(c.raw(0), [-1]), axis=0, keepdims=0)
        return c.reshape(found, c.result.shape) if c.result.shape else found
    return c.op(kind, c.raw(0), axis=dim, keepdims=int(_keep(c)))


@lowering("max_dim", "min_dim")
def _extreme(c: Call) -> list[str]:
    kind = "Max" if c.node.op.name == "max_dim" else "Min"
    axis = c.attributes["dim"]
    place = c.op(f"Arg{kind}", c.raw(0), axis=axis, keepdims=int(_keep(c)))
    return [c.reduce(f"Reduce{kind}", c.raw(0), [axis % c.rank(0)], _keep(c)), place]


@lowering("aminmax")
def _both_extremes(c: Call) -> list[str]:
    return [c.reduce(kind, c.raw(0), axes_of(c), _keep(c)) for kind in ("ReduceMin", "ReduceMax")]


@lowering("softmax", "log_softmax", "safe_softmax")
def _softmax(c: Call) -> str:
    """`safe_softmax` of a row that is -inf everywhere is 0."""
    name = c.node.op.name
    kind = "LogSoftmax" if name == "log_softmax" else "Softmax"
    found = c.op(kind, c.x(0, c.dtype), axis=c.attributes["dim"])
    return without_nan(c, found) if name == "safe_softmax" else found


def without_nan(c: Call, name: str) -> str:
    """0 in place of NaN."""
    return c.op("Where", c.op("IsNaN", name), c.constant(0, c.dtype), name)


@lowering("cumsum")
def _cumsum(c: Call) -> str:
    return c.op("CumSum", c.x(0, c.dtype), c.constant(c.attributes["dim"], dtypes.int64))


@lowering("topk")
def _topk(c: Call) -> tuple[str, ...]:
    a = c.attributes
    return c.ops("TopK", 2, c.raw(0), c.ints([a["k"]]), axis=a["dim"], largest=int(a["largest"]), sorted=1)


@lowering("sort", "sort_stable")
def _sort(c: Call) -> tuple[str, ...]:
    """All elements, the first ones; equal ones in their order, as TopK has them."""
    axis, descending = c.attributes["dim"], c.attributes["descending"]
    count: Any = c.shape(0)[axis]
    return c.ops("TopK", 2, c.raw(0), c.ints([count]), axis=axis, largest=int(descending), sorted=1)


@lowering("kthvalue", "median_dim", "median")
def _kth(c: Call) -> list[str]:
    """The last of the k smallest; the median of an even number of elements is the lower one."""
    x, shape, axis = c.raw(0), c.shape(0), c.attributes.get("dim", 0)
    if c.node.op.name == "median":
        x, shape = c.reshape(x, [-1]), (product(shape),)
    k = c.attributes.get("k") or (product([shape[axis]]) + 1) // 2
    found = c.ops("TopK", 2, x, c.ints([k]), axis=axis, largest=0, sorted=1)
    last = [c.slice(name, axis, k - 1, k) for name in found]
    return last if _keep(c) else [c.squeeze(name, axis) for name in last]
