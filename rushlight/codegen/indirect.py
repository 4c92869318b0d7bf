"""Instructions for elements whose places are numbers of the program: positions, picks and additions at positions.

A position that does not change along the innermost dimension moves the beginning of a dense row, which is read or added
to in vectors; where every element has a position of its own, it is one gather instruction.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .arithmetic import Scalars
from .capture import Symbol
from .ir import MEMORY, Index, Value, constant

if TYPE_CHECKING:
    from .loops import Access, NestWriter

Names = dict[Symbol, Value]


def counted(to: NestWriter, vector: Scalars, access: Access, index: Index) -> Value:
    """The numbers of an iota: what would be an offset, were it an array."""
    start = to.offset(access, index)
    return lanes_from(vector, start, access.strides[-1] if access.strides else 0)


def lanes_from(vector: Scalars, start: Index, stride: int) -> Value:
    """start, start + stride, start + 2 * stride, ... in the lanes."""
    first = vector.splat(start)
    if vector.lanes == 1 or not stride:
        return first
    steps = constant(tuple(k * stride for k in range(vector.lanes)), "i64", vector.lanes)
    return vector.binary("add", first, steps)


def _row(to: NestWriter, x: Symbol, access: Access, names: Names, index: Index) -> Value:
    """The address of an element whose positions are the same in every lane."""
    w, offset = to.w, to.offset(access, index)
    for position, step in zip(x.args[1:], access.steps, strict=False):
        at = to.single(position, index) if position in to.low.loads else to.value(Scalars(w, 1), position, names)
        offset = w.add(offset, w.mul(at, step))
    return w.at(MEMORY[x.dtype], to.pointer(access), offset)


def picked(to: NestWriter, vector: Scalars, x: Symbol, names: Names, index: Index, first: int | None) -> Value:
    """The elements of a "pick"."""
    access, kind = to.low.picks[x], MEMORY[x.dtype]
    if x in to.low.gathers:
        value = _gathered(to, vector, x, names, index, first)
    else:
        place = _row(to, x, access, names, index)
        spread = bool(access.strides) and access.strides[-1] != 0 and vector.lanes > 1
        value = to.w.load(kind, place, x.dtype.itemsize, vector.lanes if spread else 1, first)
        if not spread:
            value = vector.splat(value)
    return vector.compare("ne", value, vector.constant(0, "u8")) if x.dtype == bool else value


def _gathered(to: NestWriter, vector: Scalars, x: Symbol, names: Names, index: Index, first: int | None) -> Value:
    w, lanes, access, kind = to.w, vector.lanes, to.low.picks[x], MEMORY[x.dtype]
    offset = lanes_from(vector, to.offset(access, index), access.strides[-1] if access.strides else 0)
    for position, step in zip(x.args[1:], access.steps, strict=False):
        at = to.value(vector, position, names)
        offset = vector.binary("add", offset, vector.binary("mul", at, vector.constant(step, "i64")))
    places = w.at(kind, to.pointer(access), offset)
    if lanes == 1:
        return w.load(kind, places, x.dtype.itemsize)
    return w.gather(kind, places, x.dtype.itemsize, first)


def add_at(
    to: NestWriter, vector: Scalars, x: Symbol, value: Value, names: Names, index: Index, first: int | None
) -> None:
    """Combines or puts the value of an "added" where its positions say: in vectors only where the lanes lie apart."""
    access, kind, size = to.low.added[x], MEMORY[x.dtype], x.dtype.itemsize
    place = _row(to, x, access, names, index)
    if x.dtype == bool:
        value = vector.convert(value, "u8")
    if x.data.how != "set":
        there = to.w.load(kind, place, size, vector.lanes, first)
        value = (vector.floating if x.dtype.kind == "f" else vector.whole)(x.data.how, [there, value])
    to.w.store(value, place, size, first)
