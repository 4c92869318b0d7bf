"""ONNX for matrix products, linear layers, convolutions and attention."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from rushlight.core import dtype as dtypes
from rushlight.export.graph import Varying
from rushlight.ops.grid import _base

from .builder import fixed
from .call import Call, lowering
from .making import lower_triangle
from .reductions import without_nan

# ---------------------------------------------------------------------------------------------------------------------
# Matrices


@lowering("mm", "bmm", "mv", "dot", "vdot")
def _product(c: Call) -> str:
    return c.op("MatMul", c.x(0), c.x(1))


@lowering("linear", "linear_no_bias")
def _linear(c: Call) -> str:
    return c.op("Gemm", c.x(0), c.x(1), *([c.x(2)] if c.given(2) else []), transB=1)


@lowering("linear_nd", "linear_nd_no_bias")
def _linear_nd(c: Call) -> str:
    found = c.op("MatMul", c.x(0), c.transpose(c.x(1), (1, 0)))
    return c.op("Add", found, c.x(2)) if c.given(2) else found


@lowering("addmm")
def _addmm(c: Call) -> str:
    return c.op("Gemm", c.x(1), c.x(2), c.x(0), beta=float(c.number(3)), alpha=float(c.number(4)))


@lowering("addmv", "baddbmm", "addbmm", "addr")
def _plus_product(c: Call) -> str:
    """`beta * c + alpha * x @ y`."""
    x, y = c.x(1), c.x(2)
    if c.node.op.name == "addr":
        x, y = c.unsqueeze(x, 1), c.unsqueeze(y, 0)
    found = c.op("MatMul", x, y)
    if c.node.op.name == "addbmm":
        found = c.reduce("ReduceSum", found, [0], False)
    beta, alpha = c.number(3), c.number(4)
    found = found if alpha == 1 else c.op("Mul", found, c.constant(alpha))
    if beta == 0:
        return found
    return c.op("Add", found, c.x(0) if beta == 1 else c.op("Mul", c.x(0), c.constant(beta)))


@lowering("cross")
def _cross(c: Call) -> str:
    """Of vectors with three elements: each element from the two others."""
    axis = c.attributes["dim"]
    after, behind = c.constant(np.array([1, 2, 0]), dtypes.int64), c.constant(np.array([2, 0, 1]), dtypes.int64)

    def turned(i: int, by: str) -> str:
        return c.op("Gather", c.x(i), by, axis=axis)

    forth, back = [c.op("Mul", turned(0, i), turned(1, j)) for i, j in ((after, behind), (behind, after))]
    return c.op("Sub", forth, back)


@lowering("cdist")
def _cdist(c: Call) -> str:
    """Norms of the differences of all pairs of rows."""
    p, rank = c.attributes["p"], c.rank(0)
    apart = c.op("Sub", c.unsqueeze(c.x(0), rank - 1), c.unsqueeze(c.x(1), rank - 2))
    if p not in (1, 2):
        raise NotImplementedError(f"distances with p={p}")
    return c.reduce("ReduceL1" if p == 1 else "ReduceL2", apart, [rank], False)


@lowering("affine_grid_generator")
def _affine_grid(c: Call) -> str:
    space = c.attributes["space"]
    fixed(space)
    base = c.constant(_base(space, c.attributes["aligned"]), c.dtype)
    return c.reshape(c.op("MatMul", base, c.transpose(c.x(0), (0, 2, 1))), c.result.shape)


_MODES = {"bilinear": "linear", "nearest": "nearest", "bicubic": "cubic"}  # their names from version 20 on


@lowering("grid_sampler_2d", "grid_sampler_3d")
def _grid_sampler(c: Call) -> str:
    how = c.attributes["how"]
    if any(c.attributes["orders"]):
        raise NotImplementedError("a derivative of grid_sample has no ONNX operation")
    c.needs_opset(16 if c.rank(0) == 4 else 20)
    mode = _MODES[how.mode] if c.opset >= 20 else how.mode
    return c.op("GridSample", c.x(0), c.x(1), mode=mode, padding_mode=how.padding, align_corners=int(how.aligned))


# ---------------------------------------------------------------------------------------------------------------------
# Convolutions


@lowering("convolution")
def _convolution(c: Call) -> str:
    g = c.attributes["geometry"]
    fixed(c.shape(1))
    return c.op(
        "Conv", *c.all() if c.given(2) else (c.x(0), c.x(1)), kernel_shape=list(c.shape(1)[2:]),
        strides=list(g.stride), pads=[*g.padding, *g.padding], dilations=list(g.dilation), group=g.groups,
    )  # fmt: skip


@lowering("convolution_transposed")
def _transposed(c: Call) -> str:
    """What `output_padding` was follows from the sizes."""
    g, kernel = c.attributes["geometry"], c.shape(1)[2:]
    fixed(kernel)
    more = [
        _output_padding(n, o, s, p, d, k)
        for n, o, s, p, d, k in zip(c.shape(0)[2:], c.result.shape[2:], g.stride, g.padding, g.dilation, kernel,
                                    strict=True)
    ]  # fmt: skip
    return c.op(
        "ConvTranspose", *c.all() if c.given(2) else (c.x(0), c.x(1)), kernel_shape=list(kernel),
        strides=list(g.stride), pads=[*g.padding, *g.padding], dilations=list(g.dilation), group=g.groups,
        output_padding=more if any(more) else None,
    )  # fmt: skip


def _output_padding(n: Any, o: Any, s: int, p: int, d: int, k: Any) -> int:
    """How much longer the result is than it would be; the same at all sizes."""
    inputs, outputs = [m.numbers if isinstance(m, Varying) else (m,) for m in (n, o)]
    more = {o - ((n - 1) * s - 2 * p + d * (k - 1) + 1) for n, o in zip(inputs, outputs, strict=len(inputs) > 1)}
    if len(more) > 1 or len(inputs) != len(outputs):
        raise NotImplementedError("an output size that does not follow from the input's")
    return int(more.pop())


# ---------------------------------------------------------------------------------------------------------------------
# Attention


def _hidden_future(c: Call, scores: str, rows: Any, columns: Any) -> str:
    """-inf where a query would look at what comes after it."""
    return c.op("Where", lower_triangle(c, rows, columns), scores, c.constant(-math.inf, c.dtype))


@lowering("causal_scores")
def _causal_scores(c: Call) -> str:
    return _hidden_future(c, c.raw(0), *c.shape(0)[-2:])


@lowering("scaled_dot_product_attention", "attention_keeping_weights")
def _attention(c: Call) -> list[str]:
    q, k, v = c.x(0, c.dtype), c.x(1, c.dtype), c.x(2, c.dtype)
    rank = c.rank(1)
    turned = c.transpose(k, (*range(rank - 2), rank - 1, rank - 2))
    scores = c.op("Mul", c.op("MatMul", q, turned), c.x(4, c.dtype))
    if c.attributes["causal"]:
        scores = _hidden_future(c, scores, c.shape(0)[-2], c.shape(1)[-2])
    if c.given(3):
        hidden = c.value(3).dtype is dtypes.bool_
        scores = (
            c.op("Where", c.raw(3), scores, c.constant(-math.inf, c.dtype))
            if hidden else c.op("Add", scores, c.x(3, c.dtype))
        )  # fmt: skip
    weights = c.op("Softmax", scores, axis=-1)
    if c.given(3):
        weights = without_nan(c, weights)
    found = c.op("MatMul", weights, v)
    return [found, weights] if c.node.op.name == "attention_keeping_weights" else [found]
