"""ONNX for tensors from nothing: filled ones, ranges, identity matrices, triangles, one-hot vectors."""

from __future__ import annotations

import numpy as np

from rushlight.core import dtype as dtypes
from rushlight.export.graph import Varying

from .builder import fixed
from .call import Call, lowering


@lowering("full")
def _full(c: Call) -> str:
    return c.op("Expand", c.x(0, c.dtype), c.ints(c.result.shape))


@lowering("arange")
def _arange(c: Call) -> str:
    """`start + step * (0, 1, ...)`, so that rounding adds no element."""
    (count,) = c.result.shape
    size = c.squeeze(c.ints([count]), 0)
    found = c.op("Range", c.constant(0, dtypes.int64), size, c.constant(1, dtypes.int64))
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


@lowering("tril", "triu")
def _triangle(c: Call) -> str:
    diagonal = c.attributes["diagonal"]
    k = [] if diagonal == 0 else [c.number_as(diagonal, dtypes.int64)]
    if c.opset < 14:
        raise NotImplementedError("pass opset_version=14 or newer")
    if c.dtype is dtypes.bool_:  # onnxruntime knows triangles of numbers only
        found = c.op("Trilu", c.cast(c.raw(0), dtypes.int64), *k, upper=int(c.node.op.name == "triu"))
        return c.cast(found, c.dtype)
    return c.op("Trilu", c.raw(0), *k, upper=int(c.node.op.name == "triu"))


@lowering("one_hot")
def _one_hot(c: Call) -> str:
    classes = c.attributes["classes"]
    if isinstance(classes, Varying):
        raise NotImplementedError("a number of classes that depends on the input")
    same = c.op("Equal", c.unsqueeze(c.raw(0), c.rank(0)), c.constant(np.arange(classes)))
    return c.cast(same, c.dtype)
