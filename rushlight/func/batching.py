"""What a function recorded for one element of its arguments, done for all elements at once.

`Body` gives the function the first element of each mapped argument, as a pending result, so that whoever looks at its
numbers ends the trace and is noticed. What was recorded meanwhile are the body's Steps. Those that the results need and
that depend on an element are recorded again by their batching rules (`rules.py`), as ordinary operations on the whole
arguments with the mapped dimension in front; what depends on no element stays as it is. Off the tape this second
recording is one edge of the automaton (`record.memo`). On the tape outside, every operand is as tracked as it was in
the first recording, so that derivatives go the ways that they went there.

A body that did what cannot be repeated for a batch is refused: looked at numbers, drew random ones, wrote in place, ran
a backward pass that frees or accumulates. Its results are still those of the first element.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

from rushlight.autograd import leaf
from rushlight.autograd.tape import PythonNode
from rushlight.core.generator import Generator
from rushlight.record import trace as tracing
from rushlight.record.memo import bind, replay
from rushlight.record.state import MAX_SLOTS, Step, steps_to
from rushlight.record.trace import Trace, recorder, settle
from rushlight.record.value import Leaf, Node, Tensor, Value, tensor_of

from . import layer_rules as layer_rules
from .rules import Unbatchable, number_in, step_batched


class _Recording(threading.local):
    """Which bodies this thread is recording, and the leaves that transforms have made in them."""

    def __init__(self) -> None:
        self.depth = 0
        self.leaves: list[Any] = []


_recording = _Recording()


def recording() -> bool:
    """Whether this thread is recording the body of a `vmap`."""
    return _recording.depth > 0


def note_leaf(leaf: Any) -> None:
    """A transform has made a leaf of the tape; nothing outside the transform depends on it."""
    if _recording.depth:
        _recording.leaves.append(leaf)


class Plan:
    """Which Steps of a body are to be recorded again, and which slots then hold a batch."""

    __slots__ = ("batched", "steps")

    def __init__(self, steps: list[Step], mapped: Sequence[int], results: Sequence[int]) -> None:
        self.batched = set(mapped)
        touched = []
        for step in steps:
            if not self.batched.isdisjoint(step.inputs):
                self.batched.update(step.outputs)
                touched.append(step)
        needed = set(results)
        self.steps: list[Step] = []
        for step in reversed(touched):
            if not needed.isdisjoint(step.outputs):
                needed.update([i for i in step.inputs if i is not None])
                self.steps.append(step)
        self.steps.reverse()


class Body:
    """The function's recording for the first element; a context manager around its call.

    `parts` are the arguments for the function.
    """

    def __init__(self, leaves: Sequence[Any], dims: Sequence[int | None]) -> None:
        self.leaves = leaves
        self.dims = dims
        me = recorder()
        me.hold += 1  # the elements are recorded, and nothing is computed meanwhile
        try:
            self.parts = [x if d is None else x.select(d, 0) for x, d in zip(leaves, dims, strict=True)]
        finally:
            me.hold -= 1
        self.trace: Trace = me.trace
        self.mapped = [None if d is None else p._value for p, d in zip(self.parts, dims, strict=True)]
        self.depth = self.trace.state.depth
        self.nodes = len(self.trace.nodes)

    def __enter__(self) -> None:
        trace = self.trace
        self.before = trace.overwrote, trace.freed
        trace.overwrote = trace.freed = False
        self.counts = Generator.asked, leaf.accumulations
        self.first_leaf = len(_recording.leaves)
        _recording.depth += 1

    def __exit__(self, *_: object) -> None:
        trace = self.trace
        self.inner = set(_recording.leaves[self.first_leaf :])
        _recording.depth -= 1
        if not _recording.depth:
            _recording.leaves.clear()
        self.repeatable = not (
            tracing.EAGER or recorder().trace is not trace or trace.overwrote or trace.freed
            or (Generator.asked, leaf.accumulations) != self.counts
        )  # fmt: skip
        trace.overwrote |= self.before[0]
        trace.freed |= self.before[1]

    def batched(self, results: Sequence[Any], places: Sequence[Any] | None, size: int) -> list[Any] | None:
        """The results for all elements, stacked along `places`; None where the function must run for each."""
        if not self.repeatable or places is None or any(v is not None and not self._pending(v) for v in self.mapped):
            return None
        if not all(p is None or isinstance(t, Tensor) for t, p in zip(results, places, strict=True)):
            return None
        slots = [None if p is None else self._slot(t) for t, p in zip(results, places, strict=True)]
        if recorder().trace is not self.trace or recorder().inference:
            return None
        plan = self._plan(tuple([i for i in slots if i is not None]))
        if plan is None:
            return None
        wanted = [i for i in dict.fromkeys(slots) if i in plan.batched]
        try:
            found = dict(zip(wanted, self._found(plan, wanted, results, slots, size), strict=True)) if wanted else {}
        except Unbatchable:
            return None
        twice = {i for k, i in enumerate(slots) if i in slots[:k]}
        return [
            t if p is None
            else _placed(_as_tracked(found[i].clone() if i in twice else found[i], t), p) if i in found
            else _repeated(t, p, size)
            for t, p, i in zip(results, places, slots, strict=True)
        ]  # fmt: skip

    def _pending(self, v: Any) -> bool:
        return v.__class__ is Value and v.buf is None and v.trace is self.trace

    def _slot(self, t: Tensor) -> int | None:
        v = settle(t)
        return v.slot if v.__class__ is Value and v.buf is None and v.trace is self.trace else None

    def _plan(self, results: tuple[int, ...]) -> Plan | None:
        """Worked out once for each State; None if the body does what must be done anew for each element."""
        state = self.trace.state
        mapped = tuple([v.slot for v in self.mapped if v is not None])
        key = "vmap", self.depth, mapped, results
        if key in state.memos:
            return state.memos[key]
        steps = steps_to(state)[self.depth :]
        plan = None if any(s.kind.op.effects for s in steps) else Plan(steps, mapped, results)
        state.memos[key] = plan
        return plan

    def _found(
        self, plan: Plan, wanted: list[int], results: Sequence[Any], slots: Sequence[int | None], size: int
    ) -> Sequence[Any]:
        whole = [(x, d, v.slot) for x, d, v in zip(self.leaves, self.dims, self.mapped, strict=True) if v is not None]
        me = recorder()
        tracked = me.tracking and any(
            t._node is not None for t, i in zip(results, slots, strict=True) if i in plan.batched
        )
        tape, tracking = Tape(self) if tracked else None, me.tracking
        me.tracking = tracked
        me.hold += 1
        try:
            with me.lock:
                walk = Walk(self.trace, whole, size, tape)
                if tape is not None:
                    return _own(walk.through(plan), wanted, whole)
                bind(("vmap", self.depth, tuple([(d, slot) for _, d, slot in whole]), tuple(wanted)),
                     [x for x, _, _ in whole])  # fmt: skip
                return replay("vmap", lambda: [tensor_of(settle(t)) for t in _own(walk.through(plan), wanted, whole)])
        finally:
            me.tracking = tracking
            me.hold -= 1
            if not me.hold and len(me.trace.values) > MAX_SLOTS:
                me.flush()


def _own(slots: dict[int, Tensor], wanted: Sequence[int], mapped: Sequence[Any]) -> list[Tensor]:
    """Results in memory of their own."""
    given = [slot for _, _, slot in mapped]
    return [slots[i].clone() if settle(slots[i]).root is not None or i in given else slots[i] for i in wanted]


def _as_tracked(batch: Tensor, first: Tensor) -> Tensor:
    """A result's batch, off the tape where the first element's result is."""
    return batch if first._node is not None or batch._node is None else tensor_of(settle(batch))


def _placed(t: Tensor, dim: int) -> Tensor:
    return t if dim == 0 else t.movedim(0, dim)


def _repeated(t: Tensor, dim: int, size: int) -> Tensor:
    """A result that is the same for all elements."""
    return _placed(t.unsqueeze(0).expand(size, *t.shape).contiguous(), dim)


class Walk:
    """The second recording: a batch for every slot that depends on an element."""

    def __init__(self, trace: Trace, whole: Sequence[Any], size: int, tape: Tape | None) -> None:
        self.trace = trace
        self.size = size
        self.tape = tape
        self.whole = whole
        self.slots: dict[int, Tensor] = {}

    def through(self, plan: Plan) -> dict[int, Tensor]:
        """Records the plan's Steps; the batches by slot."""
        self.slots.update({slot: x.movedim(d, 0) if d else x for x, d, slot in self.whole})
        for step in plan.steps:
            node = None if self.tape is None else self.tape.nodes.get(step)
            args = [self._operand(slot, i, node) for i, slot in enumerate(step.inputs)]
            found = step_batched(step.kind, args, [slot in self.slots for slot in step.inputs], self.size)
            self.slots.update(zip(step.outputs, found, strict=True))
        return self.slots

    def _operand(self, slot: int | None, position: int, node: Any) -> Tensor | None:
        if slot is None:
            return None
        batch = self.slots.get(slot)
        if self.tape is not None:
            return self.tape.operand(batch, self._fixed(slot) if batch is None else None, position, node)
        return self._fixed(slot) if batch is None else batch

    def _fixed(self, slot: int) -> Tensor:
        """What is the same for all elements, a number or a tensor, off the tape."""
        values = self.trace.values
        v = values[slot]
        if v is None:  # a memo skipped it
            v = values[slot] = Value()
            v.spec, v.trace, v.slot = _spec_in(self.trace, slot), self.trace, slot
        return tensor_of(v) if isinstance(v, Value) else number_in(self.trace, slot)


def _spec_in(trace: Trace, slot: int) -> Any:
    for step in steps_to(trace.state):
        if slot in step.outputs:
            return step.kind.specs[slot - step.slot]
    raise AssertionError(f"no operation makes slot {slot}")


class Tape:
    """What of the body is on the tape outside, beyond the leaves that transforms have made in it."""

    def __init__(self, body: Body) -> None:
        trace = body.trace
        if not trace.regular:
            raise Unbatchable("hooks")
        self.inner = body.inner
        self.outer: set[Any] = set()
        self.nodes: dict[Step, Node] = {}
        self.own: set[Any] = set()
        for n in trace.nodes[body.nodes :]:
            if n.__class__ is Node and n.slot not in trace.foreign and n.origin is None:
                self.own.add(n)
                self.nodes[n.step] = n
                if any(p is not None and self.reaches_out(p) for p in n.parents):
                    self.outer.add(n)

    def reaches_out(self, parent: Any) -> bool:
        """Whether something outside the body is behind a node."""
        if isinstance(parent, PythonNode):
            raise Unbatchable("a custom function")
        if parent.__class__ is Leaf:
            return parent not in self.inner
        return parent in self.outer or parent not in self.own

    def operand(self, batch: Tensor | None, fixed: Tensor | None, position: int, node: Any) -> Tensor:
        """An operand, on the tape if it was there in the first recording and something outside is behind it."""
        parent = None if node is None else node.parents[position]
        tracked = parent is not None and self.reaches_out(parent)
        if batch is None:
            assert fixed is not None
            if tracked:
                fixed._node = parent
                fixed._out = node.outs.get(position, 0) if node.outs else 0
            return fixed
        if tracked and parent.__class__ is Leaf:
            raise Unbatchable("a leaf that the function has made itself")
        return batch if tracked else tensor_of(settle(batch))
