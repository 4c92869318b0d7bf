"""ONNX for normalization layers."""

from __future__ import annotations

from typing import Any

import numpy as np

from rushlight.export.graph import Varying

from .builder import fixed
from .call import Call, lowering


def _ones_or_zeros(c: Call, i: int, count: Any, number: float) -> str:
    """An operand, or so many ones or zeros in its place."""
    if c.given(i):
        return c.x(i)
    fixed(count)
    return c.constant(np.full(count, number), c.dtype)


@lowering("batch_norm_fixed", "instance_norm_fixed")
def _batch_norm(c: Call) -> str:
    channels = c.shape(0)[1]
    w, b = _ones_or_zeros(c, 1, channels, 1), _ones_or_zeros(c, 2, channels, 0)
    return c.op("BatchNormalization", c.x(0), w, b, c.x(3), c.x(4), epsilon=float(c.number(5)))


def _standardized(c: Call, x: str, axes: Any, eps: float) -> str:
    mean = c.reduce("ReduceMean", x, axes, True)
    apart = c.op("Sub", x, mean)
    variance = c.reduce("ReduceMean", c.op("Mul", apart, apart), axes, True)
    return c.op("Div", apart, c.op("Sqrt", c.op("Add", variance, c.constant(eps))))


def _weighted(c: Call, x: str, shape: Any = None) -> str:
    for i, kind in ((1, "Mul"), (2, "Add")):
        if c.given(i):
            x = c.op(kind, x, c.x(i) if shape is None else c.reshape(c.x(i), shape))
    return x


@lowering("layer_norm")
def _layer_norm(c: Call) -> str:
    """The weights say how many dimensions are normalized, else the number of elements that share a mean does."""
    count = c.rank(1) if c.given(1) else c.rank(2) if c.given(2) else _trailing(c)
    eps = float(c.number(3))
    if c.opset < 17:
        return _weighted(c, _standardized(c, c.x(0), list(range(c.rank(0) - count, c.rank(0))), eps))
    shape = c.shape(0)[-count:]
    w = c.x(1) if c.given(1) else c.constant(np.ones(_sizes(shape)), c.dtype)
    return c.op("LayerNormalization", c.x(0), w, *([c.x(2)] if c.given(2) else []), axis=-count, epsilon=eps)


def _sizes(shape: Any) -> Any:
    fixed(tuple(shape))
    return shape


def _trailing(c: Call) -> int:
    wanted = c.attributes["form"].shape[1]
    fixed(wanted)
    product = 1
    for count, n in enumerate(reversed(c.shape(0)), 1):
        if isinstance(n, Varying):
            break
        product *= n
        if product == wanted:
            return count
    raise NotImplementedError("normalized dimensions of a size that is left open")


@lowering("instance_norm")
def _instance_norm(c: Call) -> str:
    channels = c.shape(0)[1]
    w, b = _ones_or_zeros(c, 1, channels, 1), _ones_or_zeros(c, 2, channels, 0)
    return c.op("InstanceNormalization", c.x(0), w, b, epsilon=float(c.number(3)))


@lowering("group_norm")
def _group_norm(c: Call) -> str:
    """Each group of channels as one channel of an instance."""
    groups, channels = c.attributes["form"].shape[1], c.shape(0)[1]
    fixed(channels)
    rows = c.op("Reshape", c.x(0), c.ints([0, groups, -1]))
    ones, zeros = c.constant(np.ones(groups), c.dtype), c.constant(np.zeros(groups), c.dtype)
    found = c.op("InstanceNormalization", rows, ones, zeros, epsilon=float(c.number(3)))
    return _weighted(c, c.reshape(found, c.result.shape), [channels, *[1] * (c.rank(0) - 2)])


@lowering("batch_norm")
def _batch_norm_of_this_batch(c: Call) -> str:
    """With the mean and variance of the batch itself."""
    axes = [0, *range(2, c.rank(0))]
    found = _standardized(c, c.x(0), axes, float(c.number(3)))
    return _weighted(c, found, [-1, *[1] * (c.rank(0) - 2)])
