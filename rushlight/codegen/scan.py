"""Loops over sequences (`core/scan.py`): a body that is planned once, and runs as often as there are places.

`captured` runs a scan's step on Symbols of single places and keeps what it makes as a `Body`; the scan's results are
Symbols of kind "scanned", which all belong to one nest of the program.  `Turns` is that nest as a kernel: the body has
a Plan of its own, whose kernels are written into a loop.  Its inputs are rows of the sequences and of the states'
histories, its outputs the next rows.  What only concerns the constants (a weight in panels) is done before the loop.
"""

from __future__ import annotations

from typing import Any

from rushlight.core.dtype import from_numpy
from rushlight.core.scan import turn
from rushlight.record.spec import spec_of

from . import verify
from .arithmetic import Scalars, constant_of
from .capture import NotLowered, Symbol
from .contract import contraction
from .fuse import PRODUCT, SCAN, Nest, Plan, Run, ancestors
from .ir import MEMORY, Builder, Index, Loop, Value
from .loops import Lowered
from .parallel import Functions, Kernel, Part, Place, worthwhile, write_kernel
from .relayout import Copy
from .stage import Origin

NOT_INSIDE = ("table", "number", "guard", "checked")


class Body:
    """One turn of a scan.

    Attributes:
        leaves: what a turn reads: states, elements of the sequences, constants, in this order.
        states, moving: how many leaves are states, and how many are states or elements.
        made: the new states and the results of a turn.
        histories: outside, the histories of the states.
        results: outside, the results of all turns.
    """

    def __init__(
        self, count: int, reverse: bool, leaves: list[Symbol], made: list[Symbol], states: int, moving: int
    ) -> None:
        self.count, self.reverse, self.leaves, self.made = count, reverse, leaves, made
        self.states, self.moving = states, moving
        self.histories: list[Symbol] = []
        self.results: list[Symbol] = []

    def place(self, args: tuple[Symbol, ...]) -> tuple[list[Symbol], list[Symbol]]:
        """Makes the Symbols of what the scan makes of its operands; returns histories and results."""
        for k, x in enumerate(self.made):
            rows = self.count + (k < self.states)
            outer = Symbol("scanned", args, (rows, *x.shape), x.dtype, self)
            (self.histories if k < self.states else self.results).append(outer)
        return self.histories, self.results


def captured(step: Any, states: Any, sequences: Any, constants: Any, reverse: bool) -> Any:
    """The results of a scan of Symbols."""
    args = (*states, *sequences, *[c for c in constants if c is not None])
    if not all(isinstance(x, Symbol) and x.kind not in ("number", "constant") for x in args):
        raise NotLowered("a scan of numbers")
    count, first, last = len(sequences[0]), len(states), len(states) + len(sequences)
    shapes = [x.shape[1:] if first <= k < last else x.shape for k, x in enumerate(args)]
    leaves = [Symbol("input", (), shape, x.dtype, k) for k, (x, shape) in enumerate(zip(args, shapes, strict=True))]
    rest = iter(leaves[last:])
    new, made = step(leaves[:first], leaves[first:last], [None if c is None else next(rest) for c in constants])
    results = [*new, *made]
    if not all(isinstance(x, Symbol) for x in results) or any(x.kind in NOT_INSIDE for x in ancestors(results)):
        raise NotLowered("a step that is not made of its operands alone")
    if any((x.shape, x.dtype) != (s.shape, s.dtype) for x, s in zip(new, states, strict=True)):
        raise NotLowered("a state whose shape or dtype changes")
    return Body(count, reverse, leaves, results, first, last).place(args)


def kernels_of(plan: Plan, vector_bytes: int, functions: Functions) -> list[Any]:
    """The kernels of a Plan's nests, in order."""
    found: list[Any] = []
    for nest in plan.nests:
        if nest.shape == PRODUCT:
            found.extend(contraction(nest, plan, vector_bytes))
        elif nest.shape == SCAN:
            found.append(Turns(nest, plan, vector_bytes, functions))
        else:
            found.append(Lowered(nest, plan, vector_bytes))
    if verify.ENABLED:
        verify.plan(plan, "products")
    return found


def pointers_in_arena(plan: Plan, w: Builder, arena: Value) -> dict[Symbol, Value]:
    """Where a Plan's intermediates lie."""
    inside = {x: buffer.offset for x, buffer in plan.buffers.items() if buffer.slot is None}
    return {x: w.at("u8", arena, offset) for x, offset in inside.items()}


def write_uniform(plan: Plan, place: Place) -> None:
    """The functions of numbers alone, which are computed ahead of the kernels."""
    scalar = Scalars(place.writer, 1)
    for x in plan.uniform:
        values = [constant_of(a) if a.kind == "constant" else place.uniform[a] for a in x.args]
        place.uniform[x] = scalar.evaluate(x, values)


class Turns:
    """The kernel of a scan.

    Attributes:
        once: what runs before the loop: first states to their places, and copies of the constants.
        each: what runs in every turn.
    """

    units = 0
    scratch = 0

    def __init__(self, nest: Nest, plan: Plan, vector_bytes: int, functions: Functions) -> None:
        self.symbol = nest.body[0]
        self.body: Body = self.symbol.data
        self.functions = functions
        self.inputs = [plan.memory(x) for x in self.symbol.args]
        if any(base.kind in ("number", "constant", "iota") for base, _, _ in self.inputs):
            raise NotLowered("a scan of numbers")
        outer = dict(zip([*self.body.histories, *self.body.results], self.body.made, strict=True))
        self.outputs = [(x, plan.buffers[x].strides) for x in outer if x in plan.buffers]
        self.plan = self._inner([outer[x] for x, _ in self.outputs])
        kernels = kernels_of(self.plan, vector_bytes, functions)
        self.once = [k for k in kernels if isinstance(k, Copy) and k.source.base in self.plan.lasting]
        self.each: list[Kernel] = [k for k in kernels if k not in self.once]
        self.first = [self._first_state(h, k, vector_bytes) for k, h in enumerate(self.body.histories)]
        self.divided = worthwhile(self.each, self.body.count)
        self.cost = self.body.count * sum(k.cost for k in self.each)
        self.flops = self.body.count * sum(getattr(k, "flops", 0) for k in self.each)
        self.arena = plan.arena
        plan.arena += -(-self.plan.arena // 64) * 64

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

    def _first_state(self, history: Symbol, k: int, vector_bytes: int) -> Copy:
        """A state as the first turn finds it."""
        base, strides, offset = self.inputs[k]
        dims = list(zip(history.shape[1:], strides, self.outputs[k][1][1:], strict=True))
        start = self.body.count * self.outputs[k][1][0] if self.body.reverse else 0
        lanes = vector_bytes // history.dtype.itemsize
        return Copy(history, lanes, dims, Origin(base, offset), Origin(history, start), "first state")

    def before(self, place: Place, divided: bool) -> None:
        """Nothing."""

    def after(self, place: Place, divided: bool) -> None:
        """Nothing."""

    def write(self, place: Place, part: Part | None) -> None:
        """The loop, and what goes before it."""
        w, body = place.writer, self.body
        arena = place.begin(None, self.arena, "u8")
        for state in self.first:
            write_kernel(state, False, place, self.functions, False)
        fixed = pointers_in_arena(self.plan, w, arena)
        begins = {}
        for k, (x, (base, _, offset)) in enumerate(zip(body.leaves, self.inputs, strict=True)):
            begins[x] = place.pointers[body.histories[k]] if k < body.states else self._begin(place, base, offset)
        fixed.update((x, begins[x]) for x in self.plan.lasting)
        for copy in self.once:
            write_kernel(copy, False, Place(w, fixed, {}, arena), self.functions, False)
        loop = Loop(w, body.count)
        t = w.sub(body.count - 1, loop.index) if body.reverse else loop.index
        pointers = fixed | self._rows(place, begins, t)
        inner = Place(w, pointers, {}, arena)
        write_uniform(self.plan, inner)
        for kernel, apart in zip(self.each, self.divided, strict=True):
            write_kernel(kernel, apart, inner, self.functions, True)
        loop.close()

    def _begin(self, place: Place, base: Symbol, offset: int) -> Value:
        return place.begin(base, offset, MEMORY[base.dtype])

    def _rows(self, place: Place, begins: dict[Symbol, Value], t: Index) -> dict[Symbol, Value]:
        """The addresses of what a turn reads and writes in its own place."""
        body, rows = self.body, {}
        before, after = turn(0, body.reverse)
        for k, x in enumerate(body.leaves):
            if x not in self.plan.lasting:
                strides = self.outputs[k][1] if k < body.states else self.inputs[k][1]
                rows[x] = self._row(place.writer, x, begins[x], t, strides[0], before if k < body.states else 0)
        for k, ((outer, strides), slot) in enumerate(zip(self.outputs, self.slots, strict=True)):
            shift = after if k < body.states else 0
            begin = place.pointers[outer]
            rows[self.plan.roots[slot]] = self._row(place.writer, outer, begin, t, strides[0], shift)
        return rows

    def _row(self, w: Builder, x: Symbol, begin: Value, t: Index, stride: int, shift: int) -> Value:
        kind = MEMORY[x.dtype]
        return w.at(kind, w.at(kind, begin, w.mul(t, stride)), shift * stride)

