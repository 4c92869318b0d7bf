"""ONNX for what only moves elements: reshaping, slicing, joining, repeating, padding, pixel shuffling."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from rushlight.export.graph import Varying
from rushlight.ops.padding import _positions

from .builder import fixed
from .call import Call, lowering

END = np.iinfo(np.int64).max

# ---------------------------------------------------------------------------------------------------------------------
# Another shape


@lowering("view")
def _view(c: Call) -> str:
    return c.reshape(c.raw(0), c.result.shape)


@lowering("squeeze", "squeeze_dim", "squeeze_dims", "squeeze_product", "squeeze_in_place", "squeeze_dim_in_place",
          "squeeze_dims_in_place")  # fmt: skip
def _squeeze(c: Call) -> str:
    gone = c.attributes["gone"]
    return c.squeeze(c.raw(0), *gone) if gone else c.raw(0)


@lowering("unsqueeze", "unsqueeze_in_place")
def _unsqueeze(c: Call) -> str:
    return c.unsqueeze(c.raw(0), *c.attributes["at"])


@lowering("permute", "transpose", "t", "transpose_in_place", "t_in_place")
def _permute(c: Call) -> str:
    return c.transpose(c.raw(0), c.attributes["dims"])


@lowering("expand")
def _expand(c: Call) -> str:
    return c.op("Expand", c.raw(0), c.ints(c.result.shape))


# ---------------------------------------------------------------------------------------------------------------------
# Parts


def part(c: Call, name: str, index: Sequence[Any], shape: Sequence[Any]) -> str:
    """What an index takes of a tensor of that shape: for each dimension a position or (start, stop, step).

    None among them stands for a new dimension of the result.
    """
    parts, gone, new = [], [], []
    axis = there = 0  # in the operand, in the result
    for i in index:
        if i is None:
            new.append(there)
        else:
            parts.append((axis, i))
            axis += 1
        if i is None or isinstance(i, tuple):
            there += 1
        else:
            gone.append(axis - 1)
    name = _sliced(c, name, parts, shape)
    name = c.squeeze(name, *gone) if gone else name
    return c.unsqueeze(name, *new) if new else name


def _sliced(c: Call, name: str, parts: Sequence[Any], shape: Sequence[Any]) -> str:
    """Slices of dimensions, those of them that do not take all; a position is a slice of one element."""
    taken = []
    for axis, i in parts:
        start, stop, step = i if isinstance(i, tuple) else (i, apart(i, 1), 1)
        fixed(step)
        if stop == shape[axis]:
            stop = END
        if (start, stop, step) != (0, END, 1):
            taken.append((start, stop, axis, step))
    return c.op("Slice", name, *[c.ints(column) for column in zip(*taken, strict=True)]) if taken else name


def apart(n: Any, more: int) -> Any:
    """A number, also one that depends on a size, plus another."""
    return Varying(tuple([i + more for i in n.numbers])) if isinstance(n, Varying) else n + more


@lowering("slice", "select")
def _slice(c: Call) -> str:
    return part(c, c.raw(0), c.attributes["index"], c.shape(0))


@lowering("split", "split_with_sizes", "unbind")
def _split(c: Call) -> list[str]:
    return [part(c, c.raw(0), index, c.shape(0)) for index in c.attributes["parts"]]


@lowering("unsafe_split")
def _unsafe_split(c: Call) -> list[str]:
    fixed(c.attributes["sizes"])
    sizes, axis = c.attributes["sizes"], c.attributes["dim"]
    ends = np.cumsum(sizes)
    return [c.slice(c.raw(0), axis, int(e - n), int(e)) for e, n in zip(ends, sizes, strict=True)]


@lowering("glu")
def _glu(c: Call) -> str:
    axis = c.attributes["dim"]
    n = c.shape(0)[axis]
    fixed(n)
    half = int(n) // 2  # type: ignore[arg-type]
    gate = c.op("Sigmoid", c.slice(c.x(), axis, half, END))
    return c.op("Mul", c.slice(c.x(), axis, 0, half), gate)


@lowering("flip")
def _flip(c: Call) -> str:
    axes = [d % c.rank(0) for d in c.attributes["dims"]]
    if not axes:
        return c.raw(0)
    back = [-1] * len(axes)
    return c.op("Slice", c.raw(0), c.ints(back), c.ints([-END] * len(axes)), c.ints(axes), c.ints(back))


@lowering("roll")
def _roll(c: Call) -> str:
    x, shape = c.raw(0), c.shape(0)
    shifts, dims = c.attributes["shifts"], c.attributes["dims"]
    whole = not dims and dims != 0
    if whole:
        x, dims = c.reshape(x, [-1]), (0,)
    fixed(shifts)
    for shift, axis in zip(_each(shifts), _each(dims), strict=True):
        n = None if whole else shape[axis]
        if isinstance(n, int):
            shift %= max(n, 1)
        if shift:
            x = c.op("Concat", c.slice(x, axis, -shift, END), c.slice(x, axis, 0, -shift), axis=axis)
    return c.reshape(x, shape) if whole else x


def _each(x: Any) -> tuple[Any, ...]:
    return x if isinstance(x, tuple) else (x,)


# ---------------------------------------------------------------------------------------------------------------------
# Joining and repeating


@lowering("cat")
def _cat(c: Call) -> str:
    kept = [c.x(i) for i in range(len(c)) if c.shape(i) != (0,)]  # an empty vector fits everything
    if len(kept) == 1:
        return c.op("Identity", kept[0])
    return c.op("Concat", *kept, axis=c.attributes["dim"])


@lowering("stack")
def _stack(c: Call) -> str:
    axis = c.attributes["dim"] % (c.rank(0) + 1)
    return c.op("Concat", *[c.unsqueeze(x, axis) for x in c.all()], axis=axis)


@lowering("repeat")
def _repeat(c: Call) -> str:
    repeats = c.attributes["repeats"]
    x, missing = c.raw(0), len(repeats) - c.rank(0)
    if missing:
        x = c.unsqueeze(x, *range(missing))
    return c.op("Tile", x, c.ints(repeats))


@lowering("repeat_interleave")
def _repeat_interleave(c: Call) -> str:
    repeats, axis = c.attributes["repeats"], c.attributes["dim"] or 0
    if not isinstance(repeats, (int, Varying)):
        return c.op("Gather", c.raw(0), c.constant(np.repeat(np.arange(len(repeats)), repeats)), axis=axis)
    shape = list(c.shape(0))
    wide = c.op("Expand", c.unsqueeze(c.raw(0), axis + 1), c.ints([*shape[: axis + 1], repeats, *shape[axis + 1 :]]))
    return c.reshape(wide, c.result.shape)


# ---------------------------------------------------------------------------------------------------------------------
# Padding


@lowering("constant_pad_nd")
def _constant_pad(c: Call) -> str:
    """Negative padding cuts off."""
    pads = c.attributes["pads"]
    lead = c.rank(0) - len(pads)
    cut = [(lead + k, _cut(a), _cut(b)) for k, (a, b) in enumerate(pads)]
    x = _sliced(c, c.raw(0), [(d, (a, -b if b else END, 1)) for d, a, b in cut if a or b], c.shape(0))
    more = [(_added(a), _added(b)) for a, b in pads]
    return _pad(c, x, more, c.x(1, c.dtype)) if any(a != 0 or b != 0 for a, b in more) else x


def _added(n: Any) -> Any:
    """How much padding is not cut off but added."""
    if not isinstance(n, Varying):
        return max(n, 0)
    if min(n.numbers) < 0:
        raise NotImplementedError("padding of a size that is left open and cuts off")
    return n


def _cut(n: Any) -> int:
    return 0 if isinstance(n, Varying) else max(-n, 0)


def _pad(c: Call, x: str, pads: Any, value: str = "", mode: str = "constant") -> str:
    missing = [0] * (c.rank(0) - len(pads))
    amounts = c.ints([*missing, *[a for a, _ in pads], *missing, *[b for _, b in pads]])
    return c.op("Pad", x, amounts, value, mode=mode)


GATHERING = {"reflection": "reflect", "replication": "edge", "circular": "wrap"}


@lowering(*[f"{name}_pad{n}d" for name in GATHERING for n in (1, 2, 3)])
def _gathering_pad(c: Call) -> str:
    pads, mode = c.attributes["pads"], c.attributes["mode"]
    fixed(pads)
    kind = GATHERING[c.node.op.name.partition("_")[0]]
    if kind != "wrap" and all(a >= 0 and b >= 0 for a, b in pads):
        return _pad(c, c.raw(0), pads, mode=kind)
    x = c.raw(0)
    for axis, (before, behind) in enumerate(pads, c.rank(0) - len(pads)):
        if before or behind:
            fixed(c.shape(0)[axis])
            x = c.op("Gather", x, c.constant(_positions(c.shape(0)[axis], before, behind, mode)), axis=axis)
    return x


# ---------------------------------------------------------------------------------------------------------------------
# Pixels and channels


@lowering("pixel_shuffle")
def _pixel_shuffle(c: Call) -> str:
    x = c.op("DepthToSpace", _as_images(c), blocksize=c.attributes["r"], mode="CRD")
    return x if c.rank(0) == 4 else c.reshape(x, c.result.shape)


def _as_images(c: Call) -> str:
    return c.raw(0) if c.rank(0) == 4 else c.reshape(c.raw(0), [-1, *c.shape(0)[-3:]])


@lowering("pixel_unshuffle")
def _pixel_unshuffle(c: Call) -> str:
    r, (channels, height, width) = c.attributes["r"], c.result.shape[-3:]
    fixed(channels)
    x = c.op("Reshape", _as_images(c), c.ints([-1, int(channels) // (r * r), height, r, width, r]))  # type: ignore[arg-type]
    return c.reshape(c.transpose(x, (0, 1, 3, 5, 2, 4)), c.result.shape)


@lowering("channel_shuffle")
def _channel_shuffle(c: Call) -> str:
    groups, shape = c.attributes["groups"], c.shape(0)
    fixed(shape[1])
    x = c.reshape(c.raw(0), [shape[0], groups, int(shape[1]) // groups, *shape[2:]])  # type: ignore[arg-type]
    return c.reshape(c.transpose(x, (0, 2, 1, *range(3, len(shape) + 1))), shape)
