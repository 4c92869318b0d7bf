"""ONNX for tensors from nothing: filled ones, ranges, identity matrices, triangles, one-hot vectors."""

from __future__ import annotations

import numpy as np

from rushlight.core import dtype as dtypes
from rushlight.export.graph import Dim, Varying

from .builder import fixed
from .call import Call, lowering


@lowering("full")
def _full(c: Call) -> str:
    return c.op("Expand", c.x(0, c.dtype), c.ints(c.result.shape))


@lowering("arange")
def _arange(c: Call) -> str:
    """`start + step * (0, 1, ...)`, so that rounding adds no element."""
    (count,) = c.result.shape
    found = _counted(c, count)
    start, step = c.value(0).number, c.value(2).number
    if c.dtype is not dtypes.int64:
        found = c.cast(found, c.dtype)
    if step != 1:
        found = c.op("Mul", found, c.x(2, c.dtype))
    return found if start == 0 else c.op("Add", found, c.x(0, c.dtype))


@lowering("linspace")
def _linspace(c: Call) -> str:
    (count,) = c.result.shape
    fixed(count)
    return c.constant(np.linspace(c.number(0), c.number(1), count), c.dtype)  # type: ignore[arg-type]


@lowering("eye")
def _eye(c: Call) -> str:
    zeros = c.op("Expand", c.constant(0, c.dtype), c.ints(c.result.shape))
    return c.op("EyeLike", zeros)


def lower_triangle(c: Call, rows: Dim, columns: Dim, diagonal: Dim = 0) -> str:
    """Whether the column is at most the row plus `diagonal`, for each place of a matrix."""
    down, along = [_counted(c, n) for n in (rows, columns)]
    if diagonal != 0:
        down = c.op("Add", down, c.number_as(diagonal, dtypes.int64))
    return c.op("LessOrEqual", c.unsqueeze(along, 0), c.unsqueeze(down, 1))


def _counted(c: Call, n: Dim) -> str:
    size = c.squeeze(c.ints([n]), 0)
    return c.op("Range", c.constant(0, dtypes.int64), size, c.constant(1, dtypes.int64))


@lowering("tril", "triu")
def _triangle(c: Call) -> str:
    diagonal, lower = c.attributes["diagonal"], c.node.op.name == "tril"
    if c.opset >= 14 and c.dtype is not dtypes.bool_:  # onnxruntime knows triangles of numbers only
        k = [] if diagonal == 0 else [c.number_as(diagonal, dtypes.int64)]
        return c.op("Trilu", c.raw(0), *k, upper=int(not lower))
    rows, columns = c.shape(0)[-2:]
    inside = lower_triangle(c, rows, columns, diagonal if lower else _one_less(diagonal))
    if c.dtype is dtypes.bool_:
        return c.op("And", inside if lower else c.op("Not", inside), c.raw(0))
    zero = c.constant(0, c.dtype)
    return c.op("Where", inside, c.raw(0), zero) if lower else c.op("Where", inside, zero, c.raw(0))


def _one_less(n: Dim) -> Dim:
    return Varying(tuple([i - 1 for i in n.numbers])) if isinstance(n, Varying) else n - 1


@lowering("one_hot")
def _one_hot(c: Call) -> str:
    classes = c.attributes["classes"]
    if isinstance(classes, Varying):
        raise NotImplementedError("a number of classes that depends on the input")
    same = c.op("Equal", c.unsqueeze(c.raw(0), c.rank(0)), c.constant(np.arange(classes)))
    return c.cast(same, c.dtype)
