"""Instructions for elements whose places are numbers of the program: positions, picks and additions at positions.

A position that does not change along the innermost dimension moves the beginning of a dense row, which is read or added
to in vectors; where every element has a position of its own, it is one gather instruction.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .capture import Symbol
from .llvm import MEMORY, SHORT, Scalars, wide

if TYPE_CHECKING:
    from .loops import Access, NestWriter

Names = dict[Symbol, str]


def counted(to: NestWriter, vector: Scalars, access: Access, index: str) -> str:
    """The numbers of an iota: what would be an offset, were it an array."""
    start = to.offset(access, index)
    return lanes_from(vector, start, access.strides[-1] if access.strides else 0)


def lanes_from(vector: Scalars, start: str, stride: int) -> str:
    """start, start + stride, start + 2 * stride, ... in the lanes."""
    first = vector.splat(start, "i64")
    if vector.lanes == 1 or not stride:
        return first
    steps = "<" + ", ".join(f"i64 {k * stride}" for k in range(vector.lanes)) + ">"
    return vector.binary("add", "i64", first, steps)


def _row(to: NestWriter, x: Symbol, access: Access, names: Names, index: str) -> str:
    """The address of an element whose positions are the same in every lane."""
    w, offset = to.w, to.offset(access, index)
    for position, step in zip(x.args[1:], access.steps, strict=False):
        at = to.single(position, index) if position in to.low.loads else to.value(Scalars(w, 1), position, names)
        offset = w.let(f"add i64 {offset}, {w.let(f'mul i64 {at}, {step}')}")
    return w.let(f"getelementptr {MEMORY[x.dtype.name]}, ptr {to.pointer(access)}, i64 {offset}")


def picked(to: NestWriter, vector: Scalars, x: Symbol, names: Names, index: str, mask: str | None) -> str:
    """The elements of a "pick"."""
    access, kind = to.low.picks[x], MEMORY[x.dtype.name]
    if x in to.low.gathers:
        value = _gathered(to, vector, x, names, index, mask)
    else:
        place = _row(to, x, access, names, index)
        spread = bool(access.strides) and access.strides[-1] != 0 and vector.lanes > 1
        value = to.read(kind, place, x.dtype.itemsize, vector.lanes if spread else 1, mask)
        if not spread:
            value = vector.splat(value, kind)
    return vector.compare("ne", "i8", value, vector.constant(0, "i8")) if x.dtype == bool else value


def _gathered(to: NestWriter, vector: Scalars, x: Symbol, names: Names, index: str, mask: str | None) -> str:
    w, lanes, access, kind = to.w, vector.lanes, to.low.picks[x], MEMORY[x.dtype.name]
    offset = lanes_from(vector, to.offset(access, index), access.strides[-1] if access.strides else 0)
    for position, step in zip(x.args[1:], access.steps, strict=False):
        at = to.value(vector, position, names)
        offset = vector.binary("add", "i64", offset, vector.binary("mul", "i64", at, vector.constant(step, "i64")))
    base, vector_of = to.pointer(access), wide(kind, lanes)
    if lanes == 1:
        return to.read(kind, w.let(f"getelementptr {kind}, ptr {base}, i64 {offset}"), x.dtype.itemsize, 1, None)
    places = w.let(f"getelementptr {kind}, ptr {base}, <{lanes} x i64> {offset}")
    mask = mask or "<" + ", ".join(["i1 true"] * lanes) + ">"
    name = f"llvm.masked.gather.v{lanes}{SHORT[kind]}.v{lanes}p0"
    w.declared.add(f"declare {vector_of} @{name}(<{lanes} x ptr>, i32, <{lanes} x i1>, {vector_of})")
    return w.let(
        f"call {vector_of} @{name}(<{lanes} x ptr> {places}, i32 {x.dtype.itemsize}, <{lanes} x i1> {mask}, "
        f"{vector_of} zeroinitializer)"
    )


def add_at(
    to: NestWriter, vector: Scalars, x: Symbol, value: str, names: Names, index: str, mask: str | None
) -> None:
    """Adds or puts the value of an "added" where its positions say: in vectors only where the lanes lie apart."""
    access, kind = to.low.added[x], MEMORY[x.dtype.name]
    place = _row(to, x, access, names, index)
    if x.dtype == bool:
        value = vector.convert("zext", value, "i1", "i8")
    new = value
    if x.data.how == "add":
        old = to.read(kind, place, x.dtype.itemsize, vector.lanes, mask)
        new = vector.binary("fadd" if kind in ("float", "double") else "add", kind, old, value)
    to.put(kind, place, x.dtype.itemsize, vector.lanes, new, mask)
