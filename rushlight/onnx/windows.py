"""ONNX for pooling, sliding windows, and resizing."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product as every
from typing import Any

import numpy as np

from rushlight.core import dtype as dtypes
from rushlight.export.graph import Varying
from rushlight.ops.pooling import _divisors
from rushlight.ops.upsampling import Axis, _matrix

from .builder import fixed
from .call import Call, lowering

# ---------------------------------------------------------------------------------------------------------------------
# Pooling


def _lead(c: Call, dims: int) -> tuple[str, bool]:
    """The operand with dimensions of samples and of channels in front, and whether one was missing."""
    if c.rank(0) == dims + 2:
        return c.x(), False
    return c.unsqueeze(c.x(), 0), True


def _window_attributes(windows: Any, space: Sequence[Any]) -> dict[str, Any]:
    """Strides and padding; ONNX rounds up where windows reach over the end, at whatever size."""
    over = any(
        e > p
        for outs, sizes in zip(_in_each(windows.out), _in_each(space), strict=False)
        for e, p in zip(windows._replace(out=outs).ends(sizes), windows.padding, strict=True)
    )
    return dict(kernel_shape=list(windows.kernel), strides=list(windows.stride), ceil_mode=int(over),
                pads=[*windows.padding, *windows.padding])  # fmt: skip


def _in_each(sizes: Sequence[Any]) -> list[tuple[int, ...]]:
    """The sizes in each recording."""
    count = max(len(n.numbers) if isinstance(n, Varying) else 1 for n in sizes)
    return [tuple([n.numbers[k] if isinstance(n, Varying) else n for n in sizes]) for k in range(count)]


@lowering("max_pool_values", "max_pool2d", "max_pool3d")
def _max_pool(c: Call) -> list[str]:
    """Where `max_pool_indices` wants the codes of the winners, ONNX gives their positions in the whole tensor."""
    windows = c.attributes["windows"]
    users = c.node.outputs[1].users if len(c.node.outputs) > 1 else []
    if any(user.op.name != "max_pool_indices" for user in users):
        raise NotImplementedError("where in its window the largest number is")
    x, missing = _lead(c, len(windows.out))
    found = c.ops("MaxPool", 2 if users else 1, x, dilations=list(windows.dilation),
                  **_window_attributes(windows, c.shape(0)[-len(windows.out) :]))  # fmt: skip
    return [c.squeeze(name, 0) if missing else name for name in found]


@lowering("max_pool_indices")
def _max_pool_indices(c: Call) -> str:
    """Positions within the dimensions of space, from those in the whole tensor."""
    count = c.squeeze(c.op("ReduceProd", c.ints(c.attributes["space"])), 0)
    return c.op("Mod", c.raw(0), count)


@lowering("avg_pool2d", "avg_pool3d")
def _average_pool(c: Call) -> str:
    a, windows = c.attributes, c.attributes["windows"]
    dims = len(windows.out)
    x, missing = _lead(c, dims)
    space = c.shape(0)[-dims:]
    attributes = _window_attributes(windows, space)
    if a["override"] or (attributes["ceil_mode"] and c.opset < 19):
        fixed(space, windows)
        found = _sums_divided(c, x, space, windows)
    else:
        found = c.op("AveragePool", x, count_include_pad=int(a["include_pad"]), **attributes)
    return c.squeeze(found, 0) if missing else found


def _sums_divided(c: Call, x: str, space: Any, windows: Any) -> str:
    """Zeros around the input, the mean of each window times its size, and our own number to divide by."""
    pads = [(p, e) for p, e in zip(windows.padding, windows.ends(space), strict=True)]
    amounts = c.ints([0, 0, *[a for a, _ in pads], 0, 0, *[b for _, b in pads]])
    x = c.op("Pad", x, amounts, c.constant(0, c.dtype))
    mean = c.op("AveragePool", x, kernel_shape=list(windows.kernel), strides=list(windows.stride))
    divisors = _divisors(space, windows, c.attributes["include_pad"], c.attributes["override"])
    return c.op("Mul", mean, c.constant(np.prod(windows.kernel) / np.asarray(divisors, "float64"), c.dtype))


@lowering("adaptive_avg_pool2d", "adaptive_avg_pool3d")
def _adaptive_average(c: Call) -> str:
    out = c.attributes["out"]
    fixed(out)
    dims = len(out)
    axes = list(range(c.rank(0) - dims, c.rank(0)))
    if all(n == 1 for n in out):
        return c.reduce("ReduceMean", c.x(), axes, True)
    space = c.shape(0)[-dims:]
    if all(n == o for n, o in zip(space, out, strict=True)):
        return c.op("Identity", c.x())
    fixed(space)
    if all(n % o == 0 for n, o in zip(space, out, strict=True)):  # type: ignore[operator]
        kernel = [n // o for n, o in zip(space, out, strict=True)]  # type: ignore[operator]
        x, missing = _lead(c, dims)
        found = c.op("AveragePool", x, kernel_shape=kernel, strides=kernel)
        return c.squeeze(found, 0) if missing else found
    x = c.x()
    for axis, n, o in zip(axes, space, out, strict=True):
        x = along_axis(c, x, axis, c.rank(0), _averaging(n, o))  # type: ignore[arg-type]
    return x


def _bounds(n: int, o: int) -> list[tuple[int, int]]:
    """Where each of `o` adaptive windows over `n` elements begins and ends."""
    return [(i * n // o, -(-(i + 1) * n // o)) for i in range(o)]


def _averaging(n: int, o: int) -> np.ndarray:
    matrix = np.zeros((o, n))
    for row, (first, last) in zip(matrix, _bounds(n, o), strict=True):
        row[first:last] = 1 / (last - first)
    return matrix


def along_axis(c: Call, x: str, axis: int, rank: int, matrix: np.ndarray) -> str:
    """A linear map of one dimension."""
    dims = [d for d in range(rank) if d != axis]
    back = np.argsort([*dims, axis]).tolist()
    return c.transpose(c.op("MatMul", c.transpose(x, [*dims, axis]), c.constant(matrix.T, c.compute)), back)


@lowering("adaptive_max_pool2d", "adaptive_max_pool3d")
def _adaptive_max(c: Call) -> list[str]:
    """One dimension after the other: the largest of each window."""
    out = c.attributes["out"]
    if c.node.outputs[1].users:
        raise NotImplementedError("the positions of the largest numbers (return_indices=True)")
    fixed(out)
    x = c.x()
    for axis, o in enumerate(out, c.rank(0) - len(out)):
        n = c.shape(0)[axis]
        if o == 1:
            x = c.reduce("ReduceMax", x, [axis], True)
            continue
        fixed(n)
        parts = [c.reduce("ReduceMax", c.slice(x, axis, a, b), [axis], True) for a, b in _bounds(n, o)]  # type: ignore[arg-type]
        x = c.op("Concat", *parts, axis=axis)
    return [x]


# ---------------------------------------------------------------------------------------------------------------------
# Windows as columns


@lowering("im2col")
def _columns(c: Call) -> str:
    """Every place in the window as a slice of the padded input."""
    kernel, g = c.attributes["kernel"], c.attributes["geometry"]
    fixed(c.shape(0)[-3:])
    *lead, channels, height, width = c.shape(0)
    x = c.x()
    if any(g.padding):
        front = [0] * (c.rank(0) - 2)
        x = c.op("Pad", x, c.ints([*front, *g.padding, *front, *g.padding]), c.constant(0, c.dtype))
    rows, columns = g.output((height, width), kernel)
    parts = []
    for i, j in every(*map(range, kernel)):
        part = x
        for axis, at, n, step, apart in ((-2, i, rows, g.stride[0], g.dilation[0]), (-1, j, columns, g.stride[1],
                                                                                    g.dilation[1])):  # fmt: skip
            start = at * apart
            part = c.slice(part, c.rank(0) + axis, start, start + (n - 1) * step + 1, step)
        parts.append(c.unsqueeze(part, len(lead) + 1))
    return c.reshape(c.op("Concat", *parts, axis=len(lead) + 1), c.result.shape)


@lowering("col2im")
def _from_columns(c: Call) -> str:
    c.needs_opset(18)
    a = c.attributes
    g = a["geometry"]
    x = c.x() if c.rank(0) == 3 else c.unsqueeze(c.x(), 0)
    found = c.op("Col2Im", x, c.ints(a["space"]), c.ints(a["kernel"]), strides=list(g.stride),
                 pads=[*g.padding, *g.padding], dilations=list(g.dilation))  # fmt: skip
    return found if c.rank(0) == 3 else c.squeeze(found, 0)


# ---------------------------------------------------------------------------------------------------------------------
# Resizing

MODES = {"nearest": "nearest", "nearest-exact": "nearest", "linear": "linear", "bicubic": "cubic"}


@lowering("UpsampleNearest1D", "UpsampleNearest2D", "UpsampleNearest3D", "UpsampleNearestExact1D",
          "UpsampleNearestExact2D", "UpsampleNearestExact3D", "UpsampleLinear1D", "UpsampleBilinear2D",
          "UpsampleTrilinear3D", "UpsampleBicubic2D", "UpsampleBilinear2DAa", "UpsampleBicubic2DAa",
          "UpsampleLanczos2DAa")  # fmt: skip
def _resize(c: Call) -> str:
    """Where all sizes are fixed, antialiasing and odd cases are the very matrices that Rushlight itself uses."""
    axes: tuple[Axis, ...] = c.attributes["axes"]
    mode = axes[0].mode
    if mode.startswith("antialiased"):
        fixed(*axes)
        x = c.x()
        for k, axis in enumerate(axes, c.rank(0) - len(axes)):
            x = along_axis(c, x, k, c.rank(0), _matrix(axis))
        return x
    kind = MODES.get(mode, "linear")
    how = dict(mode=kind, coordinate_transformation_mode=_coordinates(axes[0], kind),
               nearest_mode="floor" if kind == "nearest" else None,
               cubic_coeff_a=-0.75 if kind == "cubic" else None)  # fmt: skip
    if mode == "nearest-exact":
        how |= dict(coordinate_transformation_mode="half_pixel", nearest_mode="round_prefer_ceil")
    if all(a.scale is not None for a in axes):
        scales = [1.0, 1.0, *[1 / a.scale for a in axes if a.scale is not None]]
        return c.op("Resize", c.x(), "", c.constant(np.array(scales), dtypes.float32), **how)
    sizes = [*c.result.shape[: c.rank(0) - len(axes)], *[a.out for a in axes]]
    return c.op("Resize", c.x(), "", "", c.ints(sizes), **how)


def _coordinates(axis: Axis, kind: str) -> str:
    if kind == "nearest":
        return "asymmetric"
    return "align_corners" if axis.aligned else "pytorch_half_pixel" if kind == "linear" else "half_pixel"
