"""A loop nest as instructions: which order the dimensions run in, and the loops around the arithmetic.

Dimensions that lie behind one another in every array are merged; the one with the smallest strides runs innermost, in
vectors where all its strides are 0 or 1.  The last vector of a row works under a mask.  A reduction over the innermost
dimension is kept in a register; over an outer one, its result is added to in memory.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from .capture import NotLowered, Symbol
from .columns import CHAINS, Columns, tile_of
from .crossing import Squares, cross
from .division import Division, cost_of
from .fuse import APART, INSIDE, Nest, Plan
from .indirect import add_at, counted, picked
from .interleave import Group, groups_of, read_apart, write_together
from .llvm import MEMORY, TYPES, UNSIGNED, Scalars, Writer, constant, number, suffix, wide
from .memory import first_lanes, load, store
from .parallel import Part, Place

ROWS = range(128, 1025)  # the same, of rows that are added up
NEAR_ROWS = range(8, 17)  # where a row is wider than a tile of its columns: so few are walked along together
LONG = 1 << 12  # vectors that one register sums up
CHUNK = 32  # elements that must lie together for sums to go through memory in another order
FEW = 4  # vectors that are written out without a loop
SHORT_BODY = 12  # operations: of so short a loop several turns are written out
BLOCK = range(512, 8193)  # a long sum is taken in pieces of about so many terms: its rounding errors stay small
FLOATS = ("float", "double")
IDENTITY: dict[str, tuple[Any, Any]] = {
    "add": (0.0, lambda bits: 0),
    "multiply": (1.0, lambda bits: 1),
    "maximum": (float("-inf"), lambda bits: -(2 ** (bits - 1))),
    "minimum": (float("inf"), lambda bits: 2 ** (bits - 1) - 1),
}


@dataclass
class Access:
    """An array in a nest: in whose memory it lies, its strides over the nest's dimensions, and where it begins there.

    Strides and offset are in elements.
    """

    symbol: Symbol
    base: Symbol
    strides: list[int]
    offset: int = 0
    steps: tuple[int, ...] = ()  # what positions are multiplied by, where numbers of the program say where it lies


def strides_over(shape: tuple[int, ...], own: tuple[int, ...], strides: tuple[int, ...]) -> list[int]:
    """Strides broadcast to the shape of a nest."""
    missing = len(shape) - len(own)
    return [0] * missing + [0 if n == 1 else s for n, s in zip(own, strides, strict=True)]


def reduced_strides(x: Symbol, strides: tuple[int, ...]) -> list[int]:
    """The strides of a reduction's result over its operand's dimensions."""
    _, over = x.data
    ndim = x.args[0].ndim
    if x.ndim == ndim:
        return [0 if d in over else strides[d] for d in range(ndim)]
    left = iter(strides)
    return [0 if d in over else next(left) for d in range(ndim)]


def values_of(x: Symbol) -> tuple[Symbol, ...]:
    """The operands whose elements a Symbol of a nest reads where the nest is."""
    if x.kind == "pick":
        return x.args[1 : 1 + len(x.data.dims)]
    if x.kind == "added":
        return x.args[: 1 + len(x.data.dims)]
    return x.args[:1] if x.kind in ("piece", "checked") else x.args


def picked_from(x: Symbol, plan: Plan) -> Access:
    """The array that a "pick" reads."""
    base, strides, offset = plan.memory(x.args[0])
    if base.kind == "iota":
        raise NotLowered("positions in numbers that are counted")
    return Access(x, base, list(x.data.strides(strides)), offset, x.data.steps(strides))


def added_to(x: Symbol, plan: Plan) -> Access:
    """The array that an "added" adds to."""
    base, strides, offset = plan.target(x)
    return Access(x, base, list(strides), offset, x.data.steps(plan.buffers[base].strides))


class Lowered:
    """A nest with its accesses, its dimensions merged and in order."""

    scratch = 0

    def __init__(self, nest: Nest, plan: Plan, vector_bytes: int) -> None:
        self.nest = nest
        inside = set(nest.body)
        self.loads: dict[Symbol, Access] = {}
        for x in nest.body:
            for a in values_of(x):
                if a in inside or a in plan.uniform or a.kind in ("number", "constant") or a in self.loads:
                    continue
                base, strides, offset = plan.memory(a)
                self.loads[a] = Access(a, base, strides_over(nest.shape, a.shape, strides), offset)
        self.picks = {x: picked_from(x, plan) for x in nest.body if x.kind == "pick"}
        self.added = {x: added_to(x, plan) for x in nest.body if x.kind == "added"}
        self.reductions = [x for x in nest.body if x.kind == "reduce"]
        self.stores: dict[Symbol, Access] = {}
        for x in nest.stored:
            if x.kind not in ("reduce", "added"):
                base, strides, offset = plan.target(x)
                self.stores[x] = Access(x, base, strides_over(nest.shape, x.shape, strides), offset)
        self.sums = {x: Access(x, x, reduced_strides(x, plan.buffers[x].strides)) for x in self.reductions}
        self.shape = list(nest.shape)
        self._order()
        self._merge()
        self._sum_inside()
        self.gathers, self.rows = self._sort_positions()
        self.groups: dict[int, Group] = {}  # accesses between one another, where they are read and written in vectors
        self.crossed: list[Access] = []  # accesses that lie across the vectors
        self.lanes = self._lanes(vector_bytes)
        if self.lanes == 1 and cross(self):
            self.lanes = self._width(vector_bytes)
        else:
            self._split()
        self.division = Division(self, plan)
        self.units = self.division.units
        self.cost = cost_of(self)

    def before(self, place: Place, divided: bool) -> None:
        """Gives sums their first values, but for those that are taken in parts."""
        writer = NestWriter(place, self)
        for x in self.sums:
            if not (divided and x in self.division.partial):
                writer.initialise(x)

    def write(self, place: Place, part: Part | None) -> None:
        """The loops."""
        NestWriter(place, self).write(part)

    def after(self, place: Place, divided: bool) -> None:
        """Adds up sums that were taken in parts."""
        if divided:
            for x in self.division.partial:
                NestWriter(place, self).add_up(x)

    @property
    def accesses(self) -> list[Access]:
        """All arrays that the nest touches."""
        moved = [*self.picks.values(), *self.added.values()]
        return [*self.loads.values(), *self.stores.values(), *self.sums.values(), *moved]

    def _sort_positions(self) -> tuple[set[Symbol], set[Symbol]]:
        """The picks whose elements have each their own position, and the positions that hold for a whole row."""
        gathers: set[Symbol] = set()
        rows: set[Symbol] = set()
        for x in (*self.picks, *self.added):
            indices = x.args[1 : 1 + len(x.data.dims)]
            access = self.picks.get(x) or self.added[x]
            fixed = all(a in self.loads and not (self.shape and self.loads[a].strides[-1]) for a in indices)
            if not fixed or (self.shape and access.strides[-1] not in (0, 1)):
                gathers.add(x)
            else:
                rows.update(indices)
        read = {a for x in self.nest.body for a in values_of(x) if x not in self.picks and x not in self.added}
        read.update(a for x in gathers for a in x.args)
        return gathers, rows - read

    def _order(self) -> None:
        weight = [sum(abs(a.strides[d]) for a in self.accesses) for d in range(len(self.shape))]
        order = [d for d, n in enumerate(self.shape) if n != 1]
        if not self.added:  # what is written at positions is written in order
            order.sort(key=lambda d: -weight[d])
        self.shape = [self.shape[d] for d in order]
        for a in self.accesses:
            a.strides = [a.strides[d] for d in order]

    def _merge(self) -> None:
        d = len(self.shape) - 2
        while d >= 0:
            n = self.shape[d + 1]
            if all(a.strides[d] == a.strides[d + 1] * n for a in self.accesses):
                self.shape[d : d + 2] = [self.shape[d] * n]
                for a in self.accesses:
                    del a.strides[d]
            d -= 1

    def _sum_inside(self) -> None:
        """Where sums run over the innermost dimension, makes all their dimensions inner ones: a register holds them."""
        over = [not any(a.strides[d] for a in self.sums.values()) for d in range(len(self.shape))]
        if not self.sums or self.added or not self.shape or not over[-1] or self.shape[-1] < CHUNK:
            return
        self.reorder(sorted(range(len(self.shape)), key=lambda d: over[d]))

    def reorder(self, order: list[int]) -> None:
        """Brings the dimensions into another order."""
        self.shape = [self.shape[d] for d in order]
        for a in self.accesses:
            a.strides = [a.strides[d] for d in order]
        self._merge()

    def _split(self) -> None:
        """Divides a long sum into a sum of shorter ones: over the innermost dimension, or over the one around it."""
        if self.sums and self.shape and self.shape[-1] > BLOCK.stop:
            self._divide(len(self.shape) - 1, BLOCK)
        last = len(self.shape) - 1
        tile = tile_of(self, -1)
        if tile:
            rows = ROWS if tile * self.lanes >= self.shape[last] else NEAR_ROWS
            if self.shape[last - 1] > rows.stop:
                self._divide(last - 1, rows)

    def _divide(self, d: int, sizes: range) -> None:
        n = self.shape[d]
        size = next((b for b in reversed(sizes) if n % b == 0), None)
        if size is not None:
            self.shape[d : d + 1] = [n // size, size]
            for a in self.accesses:
                a.strides[d : d + 1] = [a.strides[d] * size, a.strides[d]]

    def _lanes(self, vector_bytes: int) -> int:
        free = [self.picks[x] for x in self.gathers if x in self.picks] + [self.loads[x] for x in self.rows]
        free += [a for a in self.loads.values() if a.base.kind == "iota"]
        dense = [a for a in self.accesses if all(a is not b for b in free)]
        groups = groups_of(list(self.loads.values()))
        written = groups_of(list(self.stores.values()))
        groups.update({key: group for key, group in written.items() if group.whole})
        if not self.shape or any(a.strides[-1] not in (0, 1) and id(a) not in groups for a in dense):
            return 1
        self.groups = groups
        if any(x in self.gathers or a.strides[-1] != 1 for x, a in self.added.items()):
            return 1
        if any(a.strides[-1] == 0 for a in self.stores.values()):
            return 1
        return self._width(vector_bytes)

    def _width(self, vector_bytes: int) -> int:
        widths = [x.dtype.itemsize for x in self.nest.body] + [
            a.symbol.dtype.itemsize for x, a in self.loads.items() if x not in self.rows
        ] + [a.symbol.dtype.itemsize for a in self.stores.values()]  # fmt: skip
        return vector_bytes // max(widths)


class NestWriter:
    """Writes one nest where `place` says."""

    def __init__(self, place: Place, low: Lowered) -> None:
        self.w = place.writer
        self.low = low
        self.pointers = place.pointers
        self.uniform = place.uniform
        self.begin = place.begin
        self.offsets: dict[int, str] = {}
        self.begun: dict[int, str] = {}  # where accesses begin that do not begin where their memory does
        self.vector = Scalars(self.w, low.lanes)
        self.stretches: dict[int, str] = {}  # of the body being written: what was read for a group of accesses,
        self.waiting: dict[int, dict[int, str]] = {}  # and what waits to be stored with the rest of its group
        self.rows: dict[int, str] = {}  # of accesses that lie across, where on the stack their row is
        self.fixed: dict[Symbol, str] = {}  # what does not change along the innermost dimension
        self.held: dict[Symbol, str] = {}  # reductions kept in a register: the name of the running result
        self.axis = -1  # the dimension of which only a part is run, from `first` to before `last`
        self.first, self.last = "0", "0"

    def write(self, part: Part | None = None) -> None:
        """The loops of all units, or of some."""
        counted = [a for a in self.low.loads.values() if a.base.kind == "iota"]
        self.offsets = {id(a): "0" for a in self.low.accesses} | {id(a): str(a.offset) for a in counted}
        for a in self.low.accesses:
            if a.offset and a.base.kind != "iota":
                self.begun[id(a)] = self.begin(a.base, a.offset, MEMORY[a.symbol.dtype.name])
        if part is not None:
            self.axis, self.first, self.last = self.low.division.axis, part.first, part.last
        if part is not None and self.low.division.partial:
            self._in_parts()
        else:
            self._dimension(0)

    def _in_parts(self) -> None:
        """A unit is a stretch of the outermost dimension; its sums are a row of the partial sums."""
        w, n, units = self.w, self.low.shape[0], self.low.units
        parts = Loop(w, self.last, begin=self.first)
        after = w.let(f"add i64 {parts.index}, 1")
        bounds = [w.let(f"udiv i64 {w.let(f'mul i64 {u}, {n}')}, {units}") for u in (parts.index, after)]
        self.first, self.last = bounds
        for x in self.low.division.partial:
            self.pointers[x] = self._partial(x, w.let(f"mul i64 {parts.index}, {x.size}"))
            self.initialise(x)
        self._dimension(0)
        parts.close()

    def _partial(self, x: Symbol, offset: str) -> str:
        rows = self.begin(None, self.low.division.partial[x], "i8")
        return self.w.let(f"getelementptr {MEMORY[x.dtype.name]}, ptr {rows}, i64 {offset}")

    def initialise(self, x: Symbol) -> None:
        """Stores the identity in every place of a reduction's result (which is dense)."""
        kind, first = MEMORY[x.dtype.name], identity(x)
        if first in ("0", number(0.0, "double")):
            self.w.declared.add("declare void @llvm.memset.p0.i64(ptr, i8, i64, i1)")
            size = x.size * x.dtype.itemsize
            self.w.line(f"call void @llvm.memset.p0.i64(ptr {self.pointers[x]}, i8 0, i64 {size}, i1 false)")
            return
        with_loop = Loop(self.w, x.size)
        place = self.w.let(f"getelementptr {kind}, ptr {self.pointers[x]}, i64 {with_loop.index}")
        self.w.line(f"store {kind} {first}, ptr {place}, align {x.dtype.itemsize}")
        with_loop.close()

    def add_up(self, x: Symbol) -> None:
        """Combines the rows of partial sums in their order."""
        lanes = self.low.lanes if x.size % self.low.lanes == 0 else 1
        kind, vector, size = TYPES[x.dtype.name], Scalars(self.w, lanes), x.dtype.itemsize
        columns = Loop(self.w, x.size, lanes)
        rows = Loop(self.w, self.low.units, 1, [(wide(kind, lanes), vector.splat(identity(x), kind))])
        row = self.w.let(f"mul i64 {rows.index}, {x.size}")
        part = self.read(kind, self._partial(x, self.w.let(f"add i64 {row}, {columns.index}")), size, lanes, None)
        rows.close([combine(vector, x, rows.carried[0], part)])
        place = self.w.let(f"getelementptr {kind}, ptr {self.pointers[x]}, i64 {columns.index}")
        self.put(kind, place, size, lanes, rows.results[0], None)
        columns.close()

    def _dimension(self, d: int) -> None:
        shape = self.low.shape
        if d >= len(shape) - 1:
            self._innermost(shape[-1] if shape else 1)
            return
        if self.low.crossed and d == len(shape) - 2:
            Squares(self).write()
            return
        tile = tile_of(self.low, self.axis) if d == len(shape) - 2 else 0
        if tile:
            Columns(self, tile).write()
            return
        mine, stretch = self.begin_sums(d), d == self.axis
        loop = Loop(self.w, self.last if stretch else shape[d], 1, self.carried(), self.first if stretch else "0")
        self.resume(loop.carried)
        outer = self.offsets
        self.move(d, loop.index, outer)
        self._dimension(d + 1)
        self.offsets = outer
        loop.close(list(self.held.values()))
        self.resume(loop.results)
        self.end_sums(mine)

    def move(self, d: int, index: str, outer: dict[int, str]) -> None:
        """Goes to a place along a dimension; `outer` says where the accesses are without it."""
        self.offsets = dict(outer)
        for a in self.low.accesses:
            if a.strides[d]:
                moved = self.w.let(f"mul i64 {index}, {a.strides[d]}")
                self.offsets[id(a)] = self.w.let(f"add i64 {outer[id(a)]}, {moved}")

    def begin_sums(self, d: int) -> list[Symbol]:
        """Starts the sums that run over all dimensions from d on, unless that were too long a sum."""
        shape = self.low.shape
        if d < len(shape) - 1 and math.prod(shape[d:]) > LONG * self.low.lanes:
            return []
        mine = [x for x, a in self.low.sums.items() if x not in self.held and not any(a.strides[d:])]
        self.held.update({x: self.vector.splat(identity(x), TYPES[x.dtype.name]) for x in mine})
        return mine

    def end_sums(self, mine: list[Symbol]) -> None:
        """Adds sums that were held to their places."""
        for x in mine:
            self._add_held(x, self.held.pop(x), self.vector)

    def carried(self) -> list[tuple[str, str]]:
        """The sums held, as a loop carries them."""
        return [(wide(TYPES[x.dtype.name], self.low.lanes), name) for x, name in self.held.items()]

    def resume(self, names: list[str]) -> list[str]:
        """Takes the sums held under their new names; returns the names that are left."""
        count = len(self.held)
        self.held = dict(zip(self.held, names[:count], strict=True))
        return names[count:]

    def fix(self) -> None:
        """Computes what does not change along the innermost dimension, ahead of its loop."""
        self.fixed = {}
        for x, access in self.low.loads.items():
            if x not in self.low.rows and access.strides and not access.strides[-1]:
                self.fixed[x] = self._load(self.vector, access, "0", None)
        for x in self.low.nest.body:
            if x.kind in APART or x.kind in ("pick", "piece", "added") or x in self.low.stores:
                continue
            if any(a in self.fixed for a in x.args) and all(self._is_fixed(a) for a in values_of(x)):
                self.fixed[x] = self.vector.evaluate(x, [self.value(self.vector, a, self.fixed) for a in values_of(x)])

    def _is_fixed(self, x: Symbol) -> bool:
        return x in self.fixed or x in self.uniform or x.kind in ("constant", "number")

    def _innermost(self, n: int) -> None:
        self.fix()
        if self.low.shape and self.axis == len(self.low.shape) - 1:
            self._stretch(self.vector, n)
        else:
            mine = self.begin_sums(max(len(self.low.shape) - 1, 0))
            self._row(n)
            self.end_sums(mine)
        self.fixed = {}

    def _row(self, n: int) -> None:
        """The innermost dimension, several vectors in a turn where a sum would wait for its last addition."""
        vector, lanes = self.vector, self.low.lanes
        full, tail = n // lanes, n % lanes
        turns = CHAINS if self.held and full >= 2 * CHAINS and len(self.low.nest.body) <= SHORT_BODY else 1
        main = full // turns * turns if full > FEW or len(self.low.nest.body) > SHORT_BODY else 0
        if main:
            fresh = [(wide(TYPES[x.dtype.name], lanes), vector.splat(identity(x), TYPES[x.dtype.name]))
                     for x in self.held]  # fmt: skip
            loop = Loop(self.w, main * lanes, turns * lanes, self.carried() + fresh * (turns - 1))
            self._turns(loop, turns)
        for v in range(main, full):
            self.body(vector, str(v * lanes), None)
        if tail:
            self.body(vector, str(full * lanes), first_lanes(tail, lanes))

    def _turns(self, loop: Loop, turns: int) -> None:
        """One turn of an innermost loop: `turns` vectors, each with sums of its own, which are added up after it."""
        sums, count, left = list(self.held), len(self.held), loop.carried
        done: list[str] = []
        for t in range(turns):
            self.held = dict(zip(sums, left[t * count : (t + 1) * count], strict=True))
            index = self.w.let(f"add i64 {loop.index}, {t * self.low.lanes}") if t else loop.index
            self.body(self.vector, index, None)
            done.extend(self.held.values())
        loop.close(done)
        self.held = dict(zip(sums, loop.results[:count], strict=True))
        for t in range(1, turns):
            for x, name in zip(sums, loop.results[t * count : (t + 1) * count], strict=True):
                self.held[x] = combine(self.vector, x, self.held[x], name)

    def _stretch(self, vector: Scalars, n: int) -> None:
        """Some vectors of the innermost dimension, along which no sum runs; the last may be less than a vector."""
        w, lanes = self.w, vector.lanes
        full, tail = n // lanes, n % lanes
        end = w.call("i64", "llvm.umin.i64", [("i64", self.last), ("i64", str(full))])
        with When(w, f"icmp ult i64 {self.first}, {end}"):
            begin, stop = (w.let(f"mul i64 {at}, {lanes}") for at in (self.first, end))
            loop = Loop(w, stop, lanes, begin=begin)
            self.body(vector, loop.index, None)
            loop.close()
        if tail:
            with When(w, f"icmp ugt i64 {self.last}, {full}"):
                self.body(vector, str(full * lanes), first_lanes(tail, lanes))

    def body(self, vector: Scalars, index: str, mask: str | None) -> None:
        """The arithmetic of a vector of elements, or of some of its lanes."""
        names = dict(self.fixed)
        self.stretches, self.waiting = {}, {}
        for x, access in self.low.loads.items():
            if x not in self.low.rows and x not in names:
                names[x] = self._load(vector, access, index, mask)
        for x in self.low.nest.body:
            if x in names:
                continue
            if x.kind == "pick":
                names[x] = picked(self, vector, x, names, index, mask)
                self._kept(vector, x, names[x], index, mask)
                continue
            values = [self.value(vector, a, names) for a in (x.args[:1] if x.kind in (*INSIDE, "checked") else x.args)]
            if x.kind == "added":
                add_at(self, vector, x, values[0], names, index, mask)
                continue
            if x.kind == "reduce":
                self._accumulate(vector, x, values[0], index, mask)
                continue
            names[x] = vector.evaluate(x, values)
            self._kept(vector, x, names[x], index, mask)

    def _kept(self, vector: Scalars, x: Symbol, name: str, index: str, mask: str | None) -> None:
        if x in self.low.stores:
            self._store(vector, self.low.stores[x], name, index, mask)

    def single(self, x: Symbol, index: str) -> str:
        """One number that is the same in every lane, unspread."""
        return self._load(Scalars(self.w, 1), self.low.loads[x], index, None)

    def value(self, vector: Scalars, x: Symbol, names: dict[Symbol, str]) -> str:
        """The name of a Symbol's value in the lanes."""
        if x not in names:
            kind = TYPES[x.dtype.name]
            value = constant(x) if x.kind == "constant" else self.uniform[x]
            names[x] = vector.splat(value, kind)
        return names[x]

    def offset(self, access: Access, index: str) -> str:
        """How far behind the beginning of its memory an element lies."""
        offset = self.offsets[id(access)]
        stride = access.strides[-1] if access.strides else 0
        if stride:
            moved = index if stride == 1 else self.w.let(f"mul i64 {index}, {stride}")
            offset = self.w.let(f"add i64 {offset}, {moved}")
        return offset

    def place(self, access: Access, index: str) -> str:
        """The address of an element."""
        kind, offset = MEMORY[access.symbol.dtype.name], self.offset(access, index)
        return self.w.let(f"getelementptr {kind}, ptr {self.pointer(access)}, i64 {offset}")

    def pointer(self, access: Access) -> str:
        """Where an access begins."""
        return self.begun.get(id(access)) or self.pointers[access.base]

    def _load(self, vector: Scalars, access: Access, index: str, mask: str | None) -> str:
        x = access.symbol
        if access.base.kind == "iota":
            return counted(self, vector, access, index)
        kind, group = MEMORY[x.dtype.name], self.low.groups.get(id(access))
        spread = bool(access.strides) and access.strides[-1] != 0 and vector.lanes > 1
        if id(access) in self.rows:
            value = self.read(kind, self.rows[id(access)], x.dtype.itemsize, vector.lanes, None)
        elif group is not None and spread:
            value = read_apart(self, vector, group, access, index, _count(mask, vector.lanes))
        else:
            lanes = vector.lanes if spread else 1
            value = self.read(kind, self.place(access, index), x.dtype.itemsize, lanes, mask)
        if not spread:
            value = vector.splat(value, kind)
        return vector.compare("ne", "i8", value, vector.constant(0, "i8")) if x.dtype == bool else value

    def read(self, kind: str, place: str, align: int, lanes: int, mask: str | None) -> str:
        """Loads from an address on, under a mask or not."""
        return load(self.w, kind, place, align, lanes, mask)

    def _store(self, vector: Scalars, access: Access, value: str, index: str, mask: str | None) -> None:
        x = access.symbol
        kind, group = MEMORY[x.dtype.name], self.low.groups.get(id(access))
        if x.dtype == bool:
            value = vector.convert("zext", value, "i1", "i8")
        if id(access) in self.rows:
            self.put(kind, self.rows[id(access)], x.dtype.itemsize, vector.lanes, value, None)
            return
        if group is not None and vector.lanes > 1:
            write_together(self, vector, group, access, value, index, _count(mask, vector.lanes))
            return
        self.put(kind, self.place(access, index), x.dtype.itemsize, vector.lanes, value, mask)

    def put(self, kind: str, place: str, align: int, lanes: int, value: str, mask: str | None) -> None:
        """Stores from an address on, under a mask or not."""
        store(self.w, kind, place, align, lanes, value, mask)

    def _accumulate(self, vector: Scalars, x: Symbol, value: str, index: str, mask: str | None) -> None:
        kind = TYPES[x.dtype.name]
        if mask is not None and x in self.held:
            value = self.w.let(
                f"select <{vector.lanes} x i1> {mask}, {wide(kind, vector.lanes)} {value}, "
                f"{wide(kind, vector.lanes)} {vector.splat(identity(x), kind)}"
            )
        if x in self.held:
            self.held[x] = combine(vector, x, self.held[x], value)
            return
        self.add_to_memory(vector, x, value, index, mask)

    def add_to_memory(self, vector: Scalars, x: Symbol, value: str, index: str, mask: str | None) -> None:
        """Adds partial results, one a lane, to their places."""
        kind, place = TYPES[x.dtype.name], self.place(self.low.sums[x], index)
        old = self.read(kind, place, x.dtype.itemsize, vector.lanes, mask)
        self.put(kind, place, x.dtype.itemsize, vector.lanes, combine(vector, x, old, value), mask)

    def _add_held(self, x: Symbol, value: str, vector: Scalars) -> None:
        kind = TYPES[x.dtype.name]
        if vector.lanes > 1:
            value = across(self.w, x, value, vector.lanes)
        access = self.low.sums[x]
        offset = self.offsets[id(access)]
        place = self.w.let(f"getelementptr {kind}, ptr {self.pointers[access.base]}, i64 {offset}")
        old = self.read(kind, place, x.dtype.itemsize, 1, None)
        self.put(kind, place, x.dtype.itemsize, 1, combine(Scalars(self.w, 1), x, old, value), None)


class Loop:
    """A counted loop, with values carried from turn to turn; its body is written between creation and `close`."""

    def __init__(
        self,
        w: Writer,
        end: int | str,
        step: int = 1,
        carried: list[tuple[str, str]] | None = None,
        begin: str = "0",
    ) -> None:
        self.w, self.end, self.step = w, end, step
        before, self.head, self.latch, self.exit = w.block, w.label("loop"), w.label("next"), w.label("done")
        self.index, self.following = w.name(), w.name()
        self.kinds = [kind for kind, _ in carried or ()]
        self.carried = [w.name() for _ in self.kinds]
        self.results = [w.name() for _ in self.kinds]
        w.line(f"br label %{self.head}")
        w.start(self.head)
        w.line(f"{self.index} = phi i64 [{begin}, %{before}], [{self.following}, %{self.latch}]")
        for (kind, first), now, last in zip(carried or (), self.carried, self.results, strict=True):
            w.line(f"{now} = phi {kind} [{first}, %{before}], [{last}, %{self.latch}]")

    def close(self, carried: list[str] | None = None) -> None:
        """Ends the loop; `carried` are the values at the end of a turn."""
        w = self.w
        before = w.block
        w.line(f"br label %{self.latch}")
        w.start(self.latch)
        for kind, result, value in zip(self.kinds, self.results, carried or (), strict=True):
            w.line(f"{result} = phi {kind} [{value}, %{before}]")
        w.line(f"{self.following} = add i64 {self.index}, {self.step}")
        more = w.let(f"icmp ult i64 {self.following}, {self.end}")
        w.line(f"br i1 {more}, label %{self.head}, label %{self.exit}")
        w.start(self.exit)


class When:
    """A block that runs only where a test holds; nothing it makes is used after it."""

    def __init__(self, w: Writer, test: str) -> None:
        self.w, self.test = w, test

    def __enter__(self) -> None:
        inside, self.after = self.w.label("when"), self.w.label("after")
        self.w.line(f"br i1 {self.w.let(self.test)}, label %{inside}, label %{self.after}")
        self.w.start(inside)

    def __exit__(self, *failure: object) -> None:
        self.w.line(f"br label %{self.after}")
        self.w.start(self.after)


def _count(mask: str | None, lanes: int) -> int:
    """How many lanes a mask of leading ones leaves."""
    return lanes if mask is None else mask.count("true")


def identity(x: Symbol) -> str:
    """What a reduction starts from."""
    kind, (for_floats, for_whole) = TYPES[x.dtype.name], IDENTITY[x.data[0]]
    if kind in UNSIGNED:
        raise NotLowered(f"a reduction of {x.dtype}")
    return number(for_floats, kind) if kind in FLOATS else str(for_whole(x.dtype.itemsize * 8))


def combine(vector: Scalars, x: Symbol, a: str, b: str) -> str:
    """Two partial results of a reduction in one."""
    kind = TYPES[x.dtype.name]
    arithmetic = vector.floating if kind in FLOATS else vector.whole
    return arithmetic(x.data[0], kind, [b, a])  # in this order the sum so far is waited for least


def across(w: Writer, x: Symbol, value: str, lanes: int) -> str:
    """The reduction of a vector's lanes."""
    kind, name = TYPES[x.dtype.name], x.data[0]
    vector = wide(kind, lanes)
    if kind in FLOATS:
        if name in ("add", "multiply"):
            code, start = ("fadd", -0.0) if name == "add" else ("fmul", 1.0)
            arguments = [(kind, number(start, kind)), (vector, value)]
            return w.call(kind, f"llvm.vector.reduce.{code}.{suffix(kind, lanes)}", arguments, "reassoc")
        return _halved(w, x, value, lanes)
    code = {"add": "add", "multiply": "mul", "maximum": "smax", "minimum": "smin"}[name]
    return w.call(kind, f"llvm.vector.reduce.{code}.{suffix(kind, lanes)}", [(vector, value)])


def _halved(w: Writer, x: Symbol, value: str, lanes: int) -> str:
    """The reduction of a vector's lanes, the upper half with the lower until one is left."""
    kind = TYPES[x.dtype.name]
    while lanes > 1:
        half, whole = lanes // 2, wide(kind, lanes)
        parts = []
        for first in (0, half):
            chosen = "<" + ", ".join(f"i32 {first + k}" for k in range(half)) + ">"
            parts.append(w.let(f"shufflevector {whole} {value}, {whole} poison, <{half} x i32> {chosen}"))
        if half == 1:
            parts = [w.let(f"extractelement {whole} {value}, i32 {k}") for k in range(2)]
        value, lanes = combine(Scalars(w, half), x, *parts), half
    return value
