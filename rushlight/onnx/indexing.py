"""ONNX for reading and writing at positions: index tensors, gather and scatter, embeddings, masks, strided parts."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from rushlight.core import dtype as dtypes
from rushlight.core.strided import contiguous_strides
from rushlight.export.graph import Diverges, Varying, side_by_side

from .builder import fixed
from .call import Call, lowering
from .shapes import END, apart, part


def _index(c: Call, i: int) -> str:
    """An operand of positions, as int64."""
    return c.x(i, dtypes.int64)


@lowering("embedding", "embedding_sparse")
def _embedding(c: Call) -> str:
    return c.op("Gather", c.raw(0), _index(c, 1), axis=0)


@lowering("index_select")
def _index_select(c: Call) -> str:
    index = _index(c, 1) if c.rank(1) else c.unsqueeze(_index(c, 1), 0)
    return c.op("Gather", c.raw(0), index, axis=c.attributes["dim"])


@lowering("take")
def _take(c: Call) -> str:
    return c.op("Gather", c.reshape(c.raw(0), [-1]), _index(c, 1), axis=0)


@lowering("gather")
def _gather(c: Call) -> str:
    return c.op("GatherElements", c.raw(0), _index(c, 1), axis=c.attributes["dim"])


@lowering("scatter", "scatter_value", "scatter_add", "scatter_plus", "scatter_times")
def _scatter(c: Call) -> str:
    """Only as much of the source as there are positions."""
    kind = {"scatter_add": "add", "scatter_plus": "add", "scatter_times": "mul"}.get(c.node.op.name)
    if kind:
        c.needs_opset(16)
    shape = c.shape(1)
    source = c.x(2, c.dtype)
    if not c.rank(2):
        source = c.op("Expand", source, c.ints(shape))
    elif c.shape(2) != shape:
        source = part(c, source, [(0, n, 1) for n in shape], c.shape(2))
    return c.op("ScatterElements", c.raw(0), _index(c, 1), source, axis=c.attributes["dim"], reduction=kind)


@lowering("index")
def _index_tensors(c: Call) -> str:
    """One index tensor picks along its dimension; several are rows of positions, their dimensions brought in front."""
    dims = [d for d, here in enumerate(c.attributes["places"]) if here]
    if len(dims) == 1:
        return c.op("Gather", c.raw(0), _index(c, 1), axis=dims[0])
    rest = [d for d in range(c.rank(0)) if d not in dims]
    found = c.op("GatherND", c.transpose(c.raw(0), [*dims, *rest]), _positions(c, 1, len(dims)))
    if dims[-1] - dims[0] + 1 != len(dims) or not dims[0]:
        return found
    common = max(c.rank(i) for i in range(1, 1 + len(dims)))
    behind = list(range(common + dims[0], common + len(rest)))
    return c.transpose(found, [*range(common, common + dims[0]), *range(common), *behind])


def _positions(c: Call, first: int, count: int) -> str:
    """Index tensors side by side in a last dimension, broadcast."""
    operands = range(first, first + count)
    shape = _broadcast([c.shape(i) for i in operands])
    sizes = c.ints(shape)
    return c.op("Concat", *[
        c.unsqueeze(c.op("Expand", _index(c, i), sizes) if c.shape(i) != shape else _index(c, i), len(shape))
        for i in operands
    ], axis=-1)  # fmt: skip


def _broadcast(shapes: list[Any]) -> tuple[Any, ...]:
    rank = max(map(len, shapes))
    columns = zip(*[(1,) * (rank - len(s)) + tuple(s) for s in shapes], strict=True)
    return tuple([next((n for n in column if n != 1), 1) for column in columns])


@lowering("index_put")
def _index_put(c: Call) -> str:
    """ScatterND writes along the first dimensions."""
    accumulate = c.attributes["accumulate"]
    if accumulate:
        c.needs_opset(16)
    dims = [d for d, here in enumerate(c.attributes["places"]) if here]
    if dims != list(range(len(dims))):
        raise NotImplementedError("index tensors behind a dimension that is written whole")
    positions = _positions(c, 2, len(dims))
    common = _broadcast([c.shape(i) for i in range(2, 2 + len(dims))])
    shape = (*common, *c.shape(0)[len(dims) :])
    values = c.op("Expand", c.x(1, c.dtype), c.ints(shape))
    return c.op("ScatterND", c.raw(0), positions, values, reduction="add" if accumulate else None)


@lowering("index_add", "index_copy")
def _index_add(c: Call) -> str:
    add = c.node.op.name == "index_add"
    if add:
        c.needs_opset(16)
    axis = c.attributes["dim"]
    shape = [1] * c.rank(2)
    shape[axis] = -1
    index = c.op("Expand", c.reshape(_index(c, 1), shape), c.ints(c.shape(2)))
    return c.op("ScatterElements", c.raw(0), index, c.x(2, c.dtype), axis=axis, reduction="add" if add else None)


# ---------------------------------------------------------------------------------------------------------------------
# Parts of memory


class NoIndex(Exception):
    """The part is none that slices describe, as a diagonal."""


def _index_of(shape: Any, strides: Any, offset: int, layout: Any, whole: Any) -> tuple[Any, ...]:
    """The index that takes, of a tensor with this layout in memory, the part with these strides.

    Dimensions of one element are None, new ones, whatever they were.
    """
    dims = sorted(range(len(whole)), key=lambda d: -layout[d])
    starts = [0] * len(whole)
    for d in dims:
        if whole[d] > 1:
            starts[d], offset = divmod(offset, layout[d])
    index: list[Any] = []
    free = 0  # dimensions of the whole tensor before it are spoken for
    for n, stride in zip(shape, strides, strict=True):
        if n == 1:
            index.append(None)
            continue
        along = next((d for d in dims if whole[d] > 1 and layout[d] <= stride), -1)
        if along < free or stride % layout[along] or offset:
            raise NoIndex
        step = stride // layout[along]
        stop = starts[along] + (n - 1) * step + 1
        if stop > whole[along]:
            raise NoIndex
        stop = whole[along] if stop + step > whole[along] else stop  # so it may be at every size
        index += [*starts[free:along], (starts[along], stop, step)]
        free = along + 1
    return (*index, *starts[free:])


def _index_in_each(c: Call, offset: Any) -> tuple[Any, ...]:
    """The same, where sizes may be left open. Raises NoIndex."""
    a = c.attributes
    recorded = zip(*[_in_each(part, c) for part in (a["shape"], a["strides"], (offset,), a["layout"], c.shape(0))],
                   strict=True)  # fmt: skip
    found = [_index_of(shape, strides, start, layout, whole) for shape, strides, (start,), layout, whole in recorded]
    try:
        return tuple(side_by_side(found))
    except Diverges:
        raise NoIndex from None


def _in_each(numbers: Any, c: Call) -> list[tuple[int, ...]]:
    """The numbers in each recording."""
    return [tuple([n.numbers[k] if isinstance(n, Varying) else n for n in numbers]) for k in range(c.recordings)]


def _places(shape: Any, strides: Any, offset: int, layout: Any, whole: Any) -> np.ndarray:
    """Where in a row-major tensor the elements lie that are at these strides in memory laid out like `layout`."""
    memory = np.zeros(max(math.prod(whole), 1), np.int64)
    lies = _at(whole, layout, 0)
    if math.prod(whole) and int(lies.max()) >= memory.size:
        raise NotImplementedError("memory with gaps")
    memory[lies.reshape(-1)] = np.arange(math.prod(whole))
    return memory[_at(shape, strides, offset)]


def _at(shape: Any, strides: Any, offset: int) -> np.ndarray:
    """Where in memory each element is."""
    at = np.full(shape, offset)
    for axis, (n, stride) in enumerate(zip(shape, strides, strict=True)):
        at = at + (np.arange(n) * stride).reshape(-1, *[1] * (len(shape) - axis - 1))
    return at


def _strided_places(c: Call, offset: Any) -> np.ndarray:
    a = c.attributes
    fixed(a["shape"], a["strides"], offset, a["layout"], tuple(c.shape(0)))
    return _places(a["shape"], a["strides"], offset, a["layout"], c.shape(0))


@lowering("strided", "diagonal", "unfold_dim", "select_at")
def _strided(c: Call) -> str:
    """A slice, if it is one; else, where all sizes are fixed, the elements by their places."""
    if c.dtype is not c.value(0).dtype:
        raise NotImplementedError("memory seen as another dtype")
    offset = c.value(1).number
    try:
        return c.reshape(part(c, c.raw(0), _index_in_each(c, offset), c.shape(0)), c.result.shape)
    except NoIndex:
        return c.op("Gather", c.reshape(c.raw(0), [-1]), c.constant(_strided_places(c, offset)), axis=0)


@lowering("strided_scatter", "set_part")
def _strided_scatter(c: Call) -> str:
    offset, shape = c.value(2).number, c.attributes["shape"]
    value = c.x(1, c.dtype)
    value = c.op("Expand", value, c.ints(shape)) if c.shape(1) != tuple(shape) else value
    try:
        return _written(c, c.raw(0), c.shape(0), _index_in_each(c, offset), value)
    except NoIndex:
        places = c.constant(_strided_places(c, offset).reshape(-1, 1))
        found = c.op("ScatterND", c.reshape(c.raw(0), [-1]), places, c.reshape(value, [-1]))
        return c.reshape(found, c.result.shape)


def _written(c: Call, x: str, whole: Any, index: tuple[Any, ...], value: str) -> str:
    """The tensor with a value in a part of it."""
    new = [k for k, i in enumerate(index) if i is None]
    value = c.squeeze(value, *new) if new else value
    old = [i for i in index if i is not None]
    gone = [d for d, i in enumerate(old) if not isinstance(i, tuple)]
    value = c.unsqueeze(value, *gone) if gone else value
    slices = [i if isinstance(i, tuple) else (i, apart(i, 1), 1) for i in old]
    partly = [d for d, (i, n) in enumerate(zip(slices, whole, strict=True)) if i != (0, n, 1)]
    return _written_along(c, x, whole, {d: slices[d] for d in partly}, value)


def _written_along(c: Call, x: str, whole: Any, slices: dict[int, Any], value: str) -> str:
    """The same, one dimension after the other: within the slice of the first one, the others."""
    if not slices:
        return value
    axis, *others = slices
    start, stop, step = slices[axis]
    if others:
        within = c.slice(x, axis, start, stop, step)
        value = _written_along(c, within, whole, {d: slices[d] for d in others}, value)
    if step != 1:
        return _scattered(c, x, axis, slices[axis], value)
    parts = [c.slice(x, axis, 0, start)] if start != 0 else []
    parts.append(value)
    if stop != whole[axis]:
        parts.append(c.slice(x, axis, stop, END))
    return c.op("Concat", *parts, axis=axis)


def _scattered(c: Call, x: str, axis: int, slices: Any, value: str) -> str:
    """A value in every second, third, ... place of a dimension, which is brought in front for that."""
    dims = [axis, *[d for d in range(c.rank(0)) if d != axis]]
    ends = [c.squeeze(c.ints([n]), 0) for n in slices]
    places = c.unsqueeze(c.op("Range", *ends), 1)
    found = c.op("ScatterND", c.transpose(x, dims), places, c.transpose(value, dims))
    return c.transpose(found, np.argsort(dims).tolist())


@lowering("select_scatter", "slice_scatter", "diagonal_scatter", "as_strided_scatter")
def _part_scatter(c: Call) -> str:
    shape, strides, offset = c.attributes["part"][:3]
    fixed(tuple(shape), tuple(strides), offset, tuple(c.shape(0)))
    places = _places(shape, strides, offset, contiguous_strides(c.shape(0)), c.shape(0))  # type: ignore[arg-type]
    found = c.op("ScatterND", c.reshape(c.raw(0), [-1]), c.constant(places.reshape(-1, 1)),
                 c.reshape(c.x(1, c.dtype), [-1]))  # fmt: skip
    return c.reshape(found, c.result.shape)


@lowering("wrap_positions")
def _wrapped(c: Call) -> str:
    size = c.attributes["size"]
    index = _index(c, 0)
    more = c.op("Add", index, c.number_as(size, dtypes.int64))
    return c.op("Where", c.op("Less", index, c.constant(0, dtypes.int64)), more, index)


@lowering("masked_select")
def _masked_select(c: Call) -> str:
    raise NotImplementedError("how many elements a mask picks depends on numbers, and sizes in a file must not")


# ---------------------------------------------------------------------------------------------------------------------
# Bags of embeddings


@lowering("embedding_bag", "embedding_bag_max")
def _embedding_bag(c: Call) -> list[str]:
    """Bags of equal length, as a matrix of indices gives them."""
    a = c.attributes
    length, padding, width = a["length"], a["padding_idx"], c.shape(0)[1]
    if not isinstance(length, int) or not length:
        raise NotImplementedError("bags of several lengths, or of a length that is left open")
    bags = c.reshape(c.x(0, c.dtype), [c.result.shape[0], length, width])
    kind = "ReduceMax" if c.node.op.name == "embedding_bag_max" else "ReduceMean" if a["mean"] else "ReduceSum"
    if padding < 0:
        return [c.reduce(kind, bags, [1], False)]
    if kind != "ReduceSum":
        raise NotImplementedError("the mean or maximum of bags with padding_idx")
    index = c.reshape(_index(c, 1), [c.result.shape[0], length, 1])
    gone = c.op("Equal", index, c.constant(padding, dtypes.int64))
    return [c.reduce(kind, c.op("Where", gone, c.constant(0, c.dtype), bags), [1], False)]
