"""Loops over sequences (`core/scan.py`): a body that is planned once, and runs as often as there are places.

`captured` runs a scan's step on Symbols of single places and keeps what it makes as a `Body`; the scan's results are
Symbols of kind "scanned", which all belong to one nest of the program.  `Turns` is that nest as a kernel: the body has
a Plan of its own, whose kernels are written into a loop.  Its inputs are rows of the sequences and of the states'
histories, its outputs the next rows.  What only concerns the constants (a weight in panels) is done before the loop.

Threads share the loop where they need not wait for one another in it: stretches of its turns, if there are no states,
or of a batch's samples, if these never meet.  The body then belongs to the samples of one unit.  In other loops the
threads share every kernel of every turn.
"""

from __future__ import annotations

from typing import Any

from rushlight.core.dtype import from_numpy
from rushlight.core.scan import turn
from rushlight.record.spec import spec_of

from . import verify
from .arena import LINE
from .arithmetic import Scalars, constant_of
from .capture import NotLowered, Symbol
from .contract import contraction
from .drawing import Drawing
from .fuse import DRAWN, PRODUCT, SCAN, Nest, Plan, Run, ancestors
from .ir import MEMORY, Builder, Index, Loop, Value
from .loops import Lowered
from .parallel import Functions, Kernel, Part, Place, worthwhile, write_kernel
from .relayout import Copy
from .stage import Origin

OUTSIDE = ("table", "number", "guard", "checked")  # what no body may contain
SHARES = 16  # units of a loop at most
SAMPLES = 8  # of a unit, at least: fewer would read the weights for too little
HEAVY = 2_000_000  # multiplications in a loop whose samples are worth dividing


class Body:
    """One turn of a scan.

    Attributes:
        count: how many turns there are.
        leaves: what a turn reads: states, elements of the sequences, constants, in this order.
        states, moving: how many leaves are states, and how many are states or elements.
        made: the new states and the results of a turn.
        keep: whether all states are kept; else two rows take turns.
        parts: into how many units the batch is divided; the leaves are those of one of them.
        histories: outside, the histories of the states.
        results: outside, the results of all turns.
    """

    def __init__(self, count: int, leaves: list[Symbol], states: int, moving: int, reverse: bool, keep: bool) -> None:
        self.count, self.leaves, self.states, self.moving = count, leaves, states, moving
        self.reverse, self.keep = reverse, keep
        self.parts = 1
        self.made: list[Symbol] = []
        self.histories: list[Symbol] = []
        self.results: list[Symbol] = []

    def run(self, step: Any, constants: Any) -> None:
        """What the step makes of the leaves."""
        rest = iter(self.leaves[self.moving :])
        given = self.leaves[: self.states], self.leaves[self.states : self.moving]
        new, made = step(*given, [None if c is None else next(rest) for c in constants])
        self.made = [*new, *made]
        if not all(isinstance(x, Symbol) for x in self.made) or any(x.kind in OUTSIDE for x in ancestors(self.made)):
            raise NotLowered("a step that is not made of its operands alone")
        if any((x.shape, x.dtype) != (s.shape, s.dtype) for x, s in zip(new, self.leaves, strict=False)):
            raise NotLowered("a state whose shape or dtype changes")

    def place(self, args: tuple[Symbol, ...]) -> tuple[list[Symbol], list[Symbol]]:
        """Makes the Symbols of what the scan makes of its operands; returns histories, or last states, and results."""
        for k, x in enumerate(self.made):
            rows = (self.count + 1 if self.keep else 2) if k < self.states else self.count
            shape = x.shape if self.parts == 1 else (x.shape[0] * self.parts, *x.shape[1:])
            outer = Symbol("scanned", args, (rows, *shape), x.dtype, self)
            (self.histories if k < self.states else self.results).append(outer)
        return (self.histories if self.keep else [h[self.count % 2] for h in self.histories]), self.results


    def divided(self) -> int:
        """Into how many units its samples are best divided: as many as there may be, if there is much to do."""
        products = [x for x in ancestors(self.made) if x.kind == "contract"]
        samples = self.leaves[0].shape[0]
        if self.count * sum(piece.macs for x in products for piece in x.data) < HEAVY:
            return 1
        return max(n for n in range(1, SHARES + 1) if samples % n == 0 and (n == 1 or samples // n >= SAMPLES))


def captured(
    step: Any, states: Any, sequences: Any, constants: Any, reverse: bool, keep: bool, batched: bool = False
) -> Any:
    """The results of a scan of Symbols."""
    args = (*states, *sequences, *[c for c in constants if c is not None])
    if not all(isinstance(x, Symbol) and x.kind not in ("number", "constant") for x in args):
        raise NotLowered("a scan of numbers")
    first, last = len(states), len(states) + len(sequences)

    def body_of(parts: int) -> Body:
        leaves = []
        for k, x in enumerate(args):
            shape = x.shape[1:] if first <= k < last else x.shape
            if parts > 1 and k < last:
                shape = (shape[0] // parts, *shape[1:])
            leaves.append(Symbol("input", (), shape, x.dtype, k))
        body = Body(len(sequences[0]), leaves, first, last, reverse, keep)
        body.parts = parts
        body.run(step, constants)
        return body

    body = body_of(1)
    parts = body.divided() if batched and states else 1
    return (body if parts == 1 else body_of(parts)).place(args)


def kernels_of(plan: Plan, vector_bytes: int, functions: Functions) -> list[Any]:
    """The kernels of a Plan's nests, in order."""
    found: list[Any] = []
    for nest in plan.nests:
        if nest.shape == PRODUCT:
            found.extend(contraction(nest, plan, vector_bytes))
        elif nest.shape == SCAN:
            found.append(Turns(nest, plan, vector_bytes, functions))
        elif nest.shape == DRAWN:
            found.append(Drawing(nest.body[0]))
        else:
            found.append(Lowered(nest, plan, vector_bytes))
    if verify.ENABLED:
        verify.plan(plan, "products")
    return found


def divide(kernels: list[Any], plan: Plan, turns: int = 1, allowed: bool = True) -> list[bool]:
    """Which kernels of a Plan the team shall run, if it may; loops among them get their memory."""
    chosen = worthwhile(kernels, turns) if allowed else [False] * len(kernels)
    for kernel, divided in zip(kernels, chosen, strict=True):
        if isinstance(kernel, Turns):
            kernel.take(plan, divided)
    return chosen


def pointers_in_arena(plan: Plan, w: Builder, arena: Value) -> dict[Symbol, Value]:
    """Where a Plan's intermediates lie."""
    inside = {x: buffer.offset for x, buffer in plan.buffers.items() if buffer.slot is None}
    return {x: w.at("u8", arena, offset) for x, offset in inside.items()}


def write_uniform(plan: Plan, place: Place) -> None:
    """The functions of numbers alone, which are computed ahead of the kernels."""
    scalar = Scalars(place.writer, 1)
    known: dict[Any, Value] = {}  # one parameter's update computes the same numbers as the next one's
    for x in plan.uniform:
        values = [constant_of(a) if a.kind == "constant" else place.uniform[a] for a in x.args]
        key = x.kind, x.dtype, repr(x.data), *[(v.kind, repr(v.data)) if v.op == "const" else v for v in values]
        if key not in known:
            known[key] = scalar.evaluate(x, values)
        place.uniform[x] = known[key]


class Shared(Place):
    """Where the kernels of a turn are written: what was made before the loop lies in memory that all units read."""

    common: Value
    lasting: frozenset[int]

    def begin(self, base: Symbol | None, offset: int, kind: str) -> Value:
        """The address; copies of constants are in the first unit's part of the arena."""
        if base is None and offset in self.lasting:
            return self.writer.at("u8", self.common, offset)
        return super().begin(base, offset, kind)


class Turns:
    """The kernel of a scan.  Its units are parts of the batch or, without states, stretches of turns.

    Attributes:
        once: what runs before the loop: copies of the constants.
        lasting: where in the arena these begin.
        turns: how many there are, in all units.
        each: what runs in every turn.
        first: what brings the first states to their places.
    """

    scratch = 0

    def __init__(self, nest: Nest, plan: Plan, vector_bytes: int, functions: Functions) -> None:
        self.symbol = nest.body[0]
        self.body: Body = self.symbol.data
        self.at = plan.nests.index(nest)
        self.functions = functions
        self.inputs = [plan.memory(x) for x in self.symbol.args]
        if any(base.kind in ("number", "constant", "iota") for base, _, _ in self.inputs):
            raise NotLowered("a scan of numbers")
        outer = dict(zip([*self.body.histories, *self.body.results], self.body.made, strict=True))
        self.outputs = [(x, plan.buffers[x].strides) for x in outer if x in plan.buffers]
        self.plan = self._inner([outer[x] for x, _ in self.outputs])
        kernels = kernels_of(self.plan, vector_bytes, functions)
        self.once = [k for k in kernels if isinstance(k, Copy) and k.source.base in self.plan.lasting]
        self.lasting = frozenset(k.target.offset for k in self.once)
        self.each: list[Kernel] = [k for k in kernels if k not in self.once]
        self.first = [self._first_state(h, k, vector_bytes) for k, h in enumerate(self.body.histories)]
        parts = self.body.parts
        self.units = parts if self.body.states else min(self.body.count, SHARES)
        self.divided = divide(self.each, self.plan, self.body.count, self.units < 2)
        turns = self.turns = self.body.count * parts
        self.cost = turns * sum(k.cost for k in self.each)
        self.bordered = bool(self.plan.padded) or any(isinstance(k, Turns) and k.bordered for k in self.each)
        self.flops = turns * sum(getattr(k, "flops", 0) for k in self.each)

    def _inner(self, made: list[Symbol]) -> Plan:
        """The Plan of one turn; slots are the places among its leaves, and then among what it makes."""
        body, run = self.body, Run()
        for k, (x, (_, strides, _)) in enumerate(zip(body.leaves, self.inputs, strict=True)):
            laid = strides[1:] if body.states <= k < body.moving else strides
            laid = self.outputs[k][1][1:] if k < body.states else laid
            run.symbols[k], run.specs[k] = x, spec_of(x.shape, from_numpy(x.dtype), laid)
        self.slots = range(len(body.leaves), len(body.leaves) + len(made))
        for slot, x, (_, strides) in zip(self.slots, made, self.outputs, strict=True):
            run.symbols[slot] = run.made[slot] = x
            run.specs[slot] = spec_of(x.shape, from_numpy(x.dtype), strides[1:])
        return Plan(run, list(self.slots), lasting=dict.fromkeys(body.leaves[body.moving :], body.count))

    def take(self, plan: Plan, divided: bool) -> None:
        """Takes memory from the surrounding Plan for one turn, or for one of each unit.

        A border of zeros is written by nobody, so memory with one is kept.
        """
        self.size = -(-self.plan.arena // LINE) * LINE
        whole = self.size * (self.units if divided else 1)
        if self.bordered:
            self.arena = plan.memories.keep(whole)
        else:
            self.arena = plan.memories.take(whole, self.at, self.at)

    def _first_state(self, history: Symbol, k: int, vector_bytes: int) -> Copy:
        """A state as the first turn finds it."""
        base, strides, offset = self.inputs[k]
        dims = list(zip(history.shape[1:], strides, self.outputs[k][1][1:], strict=True))
        start = self.body.count * self.outputs[k][1][0] if self.body.reverse and self.body.keep else 0
        lanes = vector_bytes // history.dtype.itemsize
        return Copy(history, lanes, dims, Origin(base, offset), Origin(history, start), "first state")

    def before(self, place: Place, divided: bool) -> None:
        """The first states, and the copies of the constants."""
        for state in self.first:
            write_kernel(state, False, place, self.functions, False)
        if self.once:
            constants = range(self.body.moving, len(self.body.leaves))
            begins = {self.body.leaves[k]: self._operand(place, k) for k in constants}
            within = Place(place.writer, begins, {}, place.begin(None, self.arena, "u8"))
            shared = divide(self.once, self.plan, 1, not place.alone)
            for copy, apart in zip(self.once, shared, strict=True):
                write_kernel(copy, apart, within, self.functions, False)

    def after(self, place: Place, divided: bool) -> None:
        """Nothing."""

    def write(self, place: Place, part: Part | None) -> None:
        """The loop, or the loops of some units."""
        w, count = place.writer, self.body.count
        arena = place.begin(None, self.arena, "u8")
        if part is None and self.body.parts == 1:
            self._stretch(place, arena, arena, 0, 0, count)
            return
        units = Loop(w, self.units if part is None else part.last, begin=0 if part is None else part.first)
        here = arena if part is None else w.at("u8", arena, w.mul(units.index, self.size))
        if self.body.states:
            self._stretch(place, arena, here, units.index, 0, count)
        else:
            first, last = (w.udiv(w.mul(u, count), self.units) for u in (units.index, w.add(units.index, 1)))
            self._stretch(place, arena, here, 0, first, last)
        units.close()

    def _stretch(
        self, place: Place, common: Value, arena: Value, unit: Index, first: Index, last: Index
    ) -> None:
        """Some turns of a part of the batch."""
        w = place.writer
        begins = self._begins(place, unit)
        fixed = pointers_in_arena(self.plan, w, arena) | {x: begins[x] for x in self.plan.lasting}
        loop = Loop(w, last, begin=first)
        inner = Shared(w, fixed | self._rows(place, begins, loop.index), {}, arena, alone=place.alone)
        inner.common, inner.lasting, inner.often = common, self.lasting, place.often * self.turns
        write_uniform(self.plan, inner)
        for kernel, apart in zip(self.each, self.divided, strict=True):
            write_kernel(kernel, apart and not place.alone, inner, self.functions, True)
        loop.close()

    def _begins(self, place: Place, unit: Index) -> dict[Symbol, Value]:
        """Where a unit's part begins of everything that turns read or write."""
        body, begins = self.body, {}
        for k in range(body.states, len(body.leaves)):
            x, begin = body.leaves[k], self._operand(place, k)
            begins[x] = self._part(place, x, begin, unit, self.inputs[k][1][1:]) if k < body.moving else begin
        for k, (outer, strides) in enumerate(self.outputs):
            begin = self._part(place, outer, place.pointers[outer], unit, strides[1:])
            begins[outer] = begin
            if k < body.states:
                begins[body.leaves[k]] = begin
        return begins

    def _operand(self, place: Place, k: int) -> Value:
        """Where an operand of the scan begins."""
        base, _, offset = self.inputs[k]
        return place.begin(base, offset, MEMORY[base.dtype])

    def _part(self, place: Place, x: Symbol, begin: Value, unit: Index, strides: tuple[int, ...]) -> Value:
        """Where the samples of a unit begin."""
        if self.body.parts == 1:
            return begin
        samples = self.body.leaves[0].shape[0] * strides[0]
        return _row(place.writer, x, begin, unit, samples)

    def _rows(self, place: Place, begins: dict[Symbol, Value], index: Value) -> dict[Symbol, Value]:
        """The addresses of what a turn reads and writes in its own place."""
        w, body, rows = place.writer, self.body, {}
        t = w.sub(body.count - 1, index) if body.reverse else index
        before, after = self._states(w, t, index)
        for k, x in enumerate(body.leaves):
            if x not in self.plan.lasting:
                stride = self.outputs[k][1][0] if k < body.states else self.inputs[k][1][0]
                rows[x] = _row(w, x, begins[x], before if k < body.states else t, stride)
        for k, ((outer, strides), slot) in enumerate(zip(self.outputs, self.slots, strict=True)):
            rows[self.plan.roots[slot]] = _row(w, outer, begins[outer], after if k < body.states else t, strides[0])
        return rows

    def _states(self, w: Builder, t: Index, index: Value) -> tuple[Index, Index]:
        """In which rows of the histories the old states are, and the new ones belong."""
        if not self.body.keep:
            row = w.urem(index, 2)
            return row, w.sub(1, row)
        before, after = turn(0, self.body.reverse)
        return w.add(t, before), w.add(t, after)


def _row(w: Builder, x: Symbol, begin: Value, t: Index, stride: int) -> Value:
    return w.at(MEMORY[x.dtype], begin, w.mul(t, stride))
