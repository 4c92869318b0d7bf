"""A loop nest as instructions: which order the dimensions run in, and the loops around the arithmetic.

Dimensions that lie behind one another in every array are merged; the one with the smallest strides runs innermost, in
vectors where all its strides are 0 or 1, or of what is read -1.  The last vector of a row works under a mask.  A
reduction over the innermost dimension is kept in a register; over an outer one, its result is added to in memory.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from .arithmetic import Scalars, constant_of
from .capture import NotLowered, Symbol
from .columns import CHAINS, Columns, tile_of
from .crossing import Squares, cross
from .division import Division, cost_of
from .fuse import APART, INSIDE, Nest, Plan
from .indirect import add_at, counted, picked
from .interleave import Group, groups_of, read_apart, write_together
from .ir import FLOATS, MEMORY, TYPES, UNSIGNED, Builder, Index, Loop, Value, When, constant, first_lanes, leading
from .parallel import Part, Place

ROWS = range(128, 1025)  # the same, of rows that are added up
NEAR_ROWS = range(8, 17)  # where a row is wider than a tile of its columns: so few are walked along together
LONG = 1 << 12  # vectors that one register sums up
CHUNK = 32  # elements that must lie together for sums to go through memory in another order
FEW = 4  # vectors that are written out without a loop
SHORT_BODY = 12  # operations: of so short a loop several turns are written out
BLOCK = range(512, 8193)  # a long sum is taken in pieces of about so many terms: its rounding errors stay small
STRETCH = range(16, 65, 16)  # elements of a side of squares that a thread walks along
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
        if self.lanes == 1:
            self._turn_round()
        if self.lanes == 1 and cross(self):
            self.lanes = self._width(vector_bytes)
            self._split_squares()
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

    def _turn_round(self) -> None:
        """Goes backwards through outer dimensions along which something lies backwards, so that there are squares."""
        for d, n in enumerate(self.shape[:-1]):
            if not self.added and any(a.strides[d] == -1 for a in self.loads.values()):
                for a in self.accesses:
                    a.offset += a.strides[d] * (n - 1)
                    a.strides[d] = -a.strides[d]

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

    def _split_squares(self) -> None:
        """Where there is nothing but squares, the longer side of them all becomes stretches, for threads to share."""
        if len(self.shape) == 2 and not self.sums and max(self.shape) > STRETCH.stop:
            d = int(self.shape[1] > self.shape[0])
            self._divide(d, STRETCH)
            if d and len(self.shape) == 3:
                self.reorder([1, 0, 2])

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
        backward = {id(a) for a in self.loads.values() if a.strides and a.strides[-1] == -1}
        known = backward.union(groups)
        if not self.shape or any(a.strides[-1] not in (0, 1) and id(a) not in known for a in dense):
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
        self.offsets: dict[int, Index] = {}
        self.begun: dict[int, Value] = {}  # where accesses begin that do not begin where their memory does
        self.vector = Scalars(self.w, low.lanes)
        self.stretches: dict[int, Value] = {}  # of the body being written: what was read for a group of accesses,
        self.waiting: dict[int, dict[int, Value]] = {}  # and what waits to be stored with the rest of its group
        self.rows: dict[int, Value] = {}  # of accesses that lie across, where on the stack their row is
        self.fixed: dict[Symbol, Value] = {}  # what does not change along the innermost dimension
        self.held: dict[Symbol, Value] = {}  # reductions kept in a register: the running result
        self.axis = -1  # the dimension of which only a part is run, from `first` to before `last`
        self.first: Index = 0
        self.last: Index = 0

    def write(self, part: Part | None = None) -> None:
        """The loops of all units, or of some."""
        counted = [a for a in self.low.loads.values() if a.base.kind == "iota"]
        self.offsets = {id(a): 0 for a in self.low.accesses} | {id(a): a.offset for a in counted}
        self._begin_all()
        if part is not None:
            division = self.low.division
            self.axis = division.axis
            self.first, self.last = (self.w.mul(u, division.wide) for u in (part.first, part.last))
        if part is not None and self.low.division.partial:
            self._in_parts()
        else:
            self._dimension(0)

    def _begin_all(self) -> None:
        """Where accesses begin: those of one memory so far behind the first of them, for one register holds it then."""
        first: dict[Symbol, Access] = {}
        for a in self.low.accesses:
            ahead = first.setdefault(a.base, a)
            if a.base.kind == "iota":
                continue
            kind = MEMORY[a.symbol.dtype]
            if ahead is not a:
                self.begun[id(a)] = self.w.at(kind, self.pointer(ahead), a.offset - ahead.offset)
            elif a.offset:
                self.begun[id(a)] = self.begin(a.base, a.offset, kind)

    def _in_parts(self) -> None:
        """A unit is a stretch of the outermost dimension; its sums are a row of the partial sums."""
        w, n, units = self.w, self.low.shape[0], self.low.units
        parts = Loop(w, self.last, begin=self.first)
        self.first, self.last = (w.udiv(w.mul(u, n), units) for u in (parts.index, w.add(parts.index, 1)))
        for x in self.low.division.partial:
            self.pointers[x] = self._partial(x, w.mul(parts.index, x.size))
            self.initialise(x)
        self._dimension(0)
        parts.close()

    def _partial(self, x: Symbol, offset: Index) -> Value:
        return self.w.at(MEMORY[x.dtype], self.begin(None, self.low.division.partial[x], "u8"), offset)

    def initialise(self, x: Symbol) -> None:
        """Stores the identity in every place of a reduction's result (which is dense)."""
        kind, first = MEMORY[x.dtype], identity(x)
        if first.data == 0:
            self.w.zero(self.pointers[x], x.size * x.dtype.itemsize)
            return
        loop = Loop(self.w, x.size)
        self.w.store(first, self.w.at(kind, self.pointers[x], loop.index), x.dtype.itemsize)
        loop.close()

    def add_up(self, x: Symbol) -> None:
        """Combines the rows of partial sums in their order."""
        lanes = self.low.lanes if x.size % self.low.lanes == 0 else 1
        kind, vector, size = TYPES[x.dtype], Scalars(self.w, lanes), x.dtype.itemsize
        columns = Loop(self.w, x.size, lanes)
        rows = Loop(self.w, self.low.units, 1, [vector.splat(identity(x))])
        offset = self.w.add(self.w.mul(rows.index, x.size), columns.index)
        part = self.w.load(kind, self._partial(x, offset), size, lanes)
        rows.close([combine(vector, x, rows.carried[0], part)])
        self.w.store(rows.results[0], self.w.at(kind, self.pointers[x], columns.index), size)
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
        loop = Loop(self.w, self.last if stretch else shape[d], 1, self.carried(), self.first if stretch else 0)
        self.resume(loop.carried)
        outer = self.offsets
        self.move(d, loop.index, outer)
        self._dimension(d + 1)
        self.offsets = outer
        loop.close(list(self.held.values()))
        self.resume(loop.results)
        self.end_sums(mine)

    def move(self, d: int, index: Index, outer: dict[int, Index]) -> None:
        """Goes to a place along a dimension; `outer` says where the accesses are without it."""
        self.offsets = dict(outer)
        for a in self.low.accesses:
            if a.strides[d]:
                self.offsets[id(a)] = self.w.add(outer[id(a)], self.w.mul(index, a.strides[d]))

    def begin_sums(self, d: int) -> list[Symbol]:
        """Starts the sums that run over all dimensions from d on, unless that were too long a sum."""
        shape = self.low.shape
        if d < len(shape) - 1 and math.prod(shape[d:]) > LONG * self.low.lanes:
            return []
        mine = [x for x, a in self.low.sums.items() if x not in self.held and not any(a.strides[d:])]
        self.held.update({x: self.vector.splat(identity(x)) for x in mine})
        return mine

    def end_sums(self, mine: list[Symbol]) -> None:
        """Adds sums that were held to their places."""
        for x in mine:
            self._add_held(x, self.held.pop(x), self.vector)

    def carried(self) -> list[Value]:
        """The sums held, as a loop carries them."""
        return list(self.held.values())

    def resume(self, names: list[Value]) -> list[Value]:
        """Takes the sums held as what they are now; returns the values that are left."""
        count = len(self.held)
        self.held = dict(zip(self.held, names[:count], strict=True))
        return names[count:]

    def fix(self) -> None:
        """Computes what does not change along the innermost dimension, ahead of its loop."""
        self.fixed = {}
        for x, access in self.low.loads.items():
            if x not in self.low.rows and access.strides and not access.strides[-1]:
                self.fixed[x] = self._load(self.vector, access, 0, None)
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
            fresh = [vector.splat(identity(x)) for x in self.held]
            loop = Loop(self.w, main * lanes, turns * lanes, self.carried() + fresh * (turns - 1))
            self._turns(loop, turns)
        for v in range(main, full):
            self.body(vector, v * lanes, None)
        if tail:
            self.body(vector, full * lanes, first_lanes(tail, lanes))

    def _turns(self, loop: Loop, turns: int) -> None:
        """One turn of an innermost loop: `turns` vectors, each with sums of its own, which are added up after it."""
        sums, count, left = list(self.held), len(self.held), loop.carried
        done: list[Value] = []
        for t in range(turns):
            self.held = dict(zip(sums, left[t * count : (t + 1) * count], strict=True))
            index = self.w.add(loop.index, t * self.low.lanes)
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
        end = w.min(self.last, full)
        with When(w, w.compare("ult", self.first, end)):
            begin, stop = (w.mul(at, lanes) for at in (self.first, end))
            loop = Loop(w, stop, lanes, begin=begin)
            self.body(vector, loop.index, None)
            loop.close()
        if tail:
            with When(w, w.compare("ugt", self.last, full)):
                self.body(vector, full * lanes, first_lanes(tail, lanes))

    def body(self, vector: Scalars, index: Index, first: int | None) -> None:
        """The arithmetic of a vector of elements, or of some of its lanes."""
        names = dict(self.fixed)
        self.stretches, self.waiting = {}, {}
        for x, access in self.low.loads.items():
            if x not in self.low.rows and x not in names:
                names[x] = self._load(vector, access, index, first)
        for x in self.low.nest.body:
            if x in names:
                continue
            if x.kind == "pick":
                names[x] = picked(self, vector, x, names, index, first)
                self._kept(vector, x, names[x], index, first)
                continue
            values = [self.value(vector, a, names) for a in (x.args[:1] if x.kind in (*INSIDE, "checked") else x.args)]
            if x.kind == "added":
                add_at(self, vector, x, values[0], names, index, first)
                continue
            if x.kind == "reduce":
                self._accumulate(vector, x, values[0], index, first)
                continue
            names[x] = vector.evaluate(x, values)
            self._kept(vector, x, names[x], index, first)

    def _kept(self, vector: Scalars, x: Symbol, name: Value, index: Index, first: int | None) -> None:
        if x in self.low.stores:
            self._store(vector, self.low.stores[x], name, index, first)

    def single(self, x: Symbol, index: Index) -> Value:
        """One number that is the same in every lane, unspread."""
        return self._load(Scalars(self.w, 1), self.low.loads[x], index, None)

    def value(self, vector: Scalars, x: Symbol, names: dict[Symbol, Value]) -> Value:
        """A Symbol's value in the lanes."""
        if x not in names:
            names[x] = vector.splat(constant_of(x) if x.kind == "constant" else self.uniform[x])
        return names[x]

    def offset(self, access: Access, index: Index) -> Index:
        """How far behind the beginning of its memory an element lies."""
        offset = self.offsets[id(access)]
        stride = access.strides[-1] if access.strides else 0
        return self.w.add(offset, self.w.mul(index, stride)) if stride else offset

    def place(self, access: Access, index: Index) -> Value:
        """The address of an element."""
        return self.w.at(MEMORY[access.symbol.dtype], self.pointer(access), self.offset(access, index))

    def pointer(self, access: Access) -> Value:
        """Where an access begins."""
        return self.begun.get(id(access)) or self.pointers[access.base]

    def _load(self, vector: Scalars, access: Access, index: Index, first: int | None) -> Value:
        x = access.symbol
        if access.base.kind == "iota":
            return counted(self, vector, access, index)
        kind, group = MEMORY[x.dtype], self.low.groups.get(id(access))
        spread = bool(access.strides) and access.strides[-1] != 0 and vector.lanes > 1
        if id(access) in self.rows:
            value = self.w.load(kind, self.rows[id(access)], x.dtype.itemsize, vector.lanes)
        elif group is not None and spread:
            value = read_apart(self, vector, group, access, index, _count(first, vector.lanes))
        elif spread and access.strides[-1] == -1:
            value = self._load_backward(access, index, _count(first, vector.lanes), vector.lanes)
        else:
            lanes = vector.lanes if spread else 1
            value = self.w.load(kind, self.place(access, index), x.dtype.itemsize, lanes, first)
        if not spread:
            value = vector.splat(value)
        return vector.compare("ne", value, vector.constant(0, "u8")) if x.dtype == bool else value

    def _load_backward(self, access: Access, index: Index, count: int, lanes: int) -> Value:
        """So many elements, each before the last one in memory."""
        size, lowest = access.symbol.dtype.itemsize, self.place(access, self.w.add(index, count - 1))
        found = self.w.load(MEMORY[access.symbol.dtype], lowest, size, lanes, first_lanes(count, lanes))
        return self.w.shuffle(found, None, [(count - 1 - k) % lanes for k in range(lanes)])

    def _store(self, vector: Scalars, access: Access, value: Value, index: Index, first: int | None) -> None:
        x = access.symbol
        group = self.low.groups.get(id(access))
        if x.dtype == bool:
            value = vector.convert(value, "u8")
        if id(access) in self.rows:
            self.w.store(value, self.rows[id(access)], x.dtype.itemsize)
            return
        if group is not None and vector.lanes > 1:
            write_together(self, vector, group, access, value, index, _count(first, vector.lanes))
            return
        self.w.store(value, self.place(access, index), x.dtype.itemsize, first)

    def _accumulate(self, vector: Scalars, x: Symbol, value: Value, index: Index, first: int | None) -> None:
        if first is not None and x in self.held:
            value = vector.select(leading(first, vector.lanes), value, vector.splat(identity(x)))
        if x in self.held:
            self.held[x] = combine(vector, x, self.held[x], value)
            return
        self.add_to_memory(vector, x, value, index, first)

    def add_to_memory(self, vector: Scalars, x: Symbol, value: Value, index: Index, first: int | None) -> None:
        """Adds partial results, one a lane, to their places."""
        kind, place = TYPES[x.dtype], self.place(self.low.sums[x], index)
        old = self.w.load(kind, place, x.dtype.itemsize, vector.lanes, first)
        self.w.store(combine(vector, x, old, value), place, x.dtype.itemsize, first)

    def _add_held(self, x: Symbol, value: Value, vector: Scalars) -> None:
        kind = TYPES[x.dtype]
        if vector.lanes > 1:
            value = across(self.w, x, value)
        access = self.low.sums[x]
        place = self.w.at(kind, self.pointers[access.base], self.offsets[id(access)])
        old = self.w.load(kind, place, x.dtype.itemsize)
        self.w.store(combine(Scalars(self.w, 1), x, old, value), place, x.dtype.itemsize)


def _count(first: int | None, lanes: int) -> int:
    """How many lanes there are."""
    return lanes if first is None else first


def identity(x: Symbol) -> Value:
    """What a reduction starts from."""
    kind, (for_floats, for_whole) = TYPES[x.dtype], IDENTITY[x.data[0]]
    if kind in UNSIGNED:
        raise NotLowered(f"a reduction of {x.dtype}")
    return constant(for_floats if kind in FLOATS else for_whole(x.dtype.itemsize * 8), kind)


def combine(vector: Scalars, x: Symbol, a: Value, b: Value) -> Value:
    """Two partial results of a reduction in one."""
    arithmetic = vector.floating if a.kind in FLOATS else vector.whole
    return arithmetic(x.data[0], [b, a])  # in this order the sum so far is waited for least


def across(w: Builder, x: Symbol, value: Value) -> Value:
    """The reduction of a vector's lanes."""
    name = x.data[0]
    if value.kind in FLOATS and name not in ("add", "multiply"):
        return _halved(w, x, value)
    return w.reduce(name[:3], value)  # add, mul, max, min


def _halved(w: Builder, x: Symbol, value: Value) -> Value:
    """The reduction of a vector's lanes, the upper half with the lower until one is left."""
    while value.lanes > 1:
        half = value.lanes // 2
        if half == 1:
            parts = [w.extract(value, k) for k in range(2)]
        else:
            parts = [w.shuffle(value, None, range(first, first + half)) for first in (0, half)]
        value = combine(Scalars(w, half), x, *parts)
    return value
