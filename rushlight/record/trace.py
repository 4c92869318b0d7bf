"""The automaton: how a running program is recorded, recognised and flushed.

A thread's `Recorder` records into a `Trace`, which stands in a `State`.  Recording an operation builds a key from the
operation, its attributes and its operands' slots; the key names an edge to the next State.  The first time, the edge's
`Step` is worked out (shapes, dtypes, what to save for the backward pass); later it is one dictionary look-up.  An
operand that the trace has not met takes the next free slot, and its Spec stands in the key; of a Python number only the
type does.  So the State reached is the identity of the whole program, and a flush (`record.flush`) finds what to run by
(State, slots still wanted).  What is recorded for the first time is `Loose`, and leaves only a sign of itself.
`record.memo` makes one edge of a long stretch of recording.

`RUSHLIGHT_EAGER=1` flushes after every operation.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Sequence
from sys import getrefcount
from typing import TYPE_CHECKING, Any

import numpy as np

from rushlight.core import dtype as dtype_module
from rushlight.core import interruption
from rushlight.core.caller import wrong_argument
from rushlight.core.dtype import get_default_dtype

from . import flush as flushing
from . import value as value_module
from .operation import Operation
from .program import Program
from .spec import NUMBERS, Spec
from .state import (
    MAX_BYTES,
    MAX_SLOTS,
    PIECE,
    STRAY_LENGTH,
    STRAYS,
    Loose,
    State,
    Step,
    drop,
    forget_rules,
    kind_of,
    prune,
    steps_to,
)
from .value import (
    TENSORS,
    UNFETCHED,
    Leaf,
    Node,
    Tensor,
    Value,
    exposed,
    new_tensor,
    next_sequence_number,
    value_holding,
)

if TYPE_CHECKING:
    from .memo import Memo

EAGER = os.environ.get("RUSHLIGHT_EAGER", "0") not in ("", "0")
LOOKS = 256  # looks for what stray traces have in common, where none ever comes again
MAX_SIGHTED = 50_000  # traces that have come once, and may come again
FEW_STATES = 40_000  # beyond this, forget those that have not come again,
MAX_STATES = 80_000  # and all if more than this have

LEAF, FOREIGN, HOOKED = "leaf", "foreign node", "hooked leaf"


class Trace:
    """What a thread has recorded since its last flush: a State and what fills its slots."""

    __slots__ = (
        "closed", "ended", "foreign", "freed", "nodes", "overwrote", "period", "recorder", "regular", "replayed",
        "rewritten", "state", "values",
    )  # fmt: skip

    def __init__(self, recorder: Recorder) -> None:
        self.recorder = recorder
        self.state: State | Loose = recorder.automaton.root
        self.values: list[Any] = []  # Value, number, or None where a memo skipped it
        self.nodes: list[Any] = []
        self.period: int | None = None  # after how many operations a long trace repeats itself
        self.foreign: Any = ()  # slots of nodes from earlier traces, and of leaves with hooks: a set, if there are any
        self.replayed: tuple[Memo, ...] = ()  # which slots are empty depends on the State and on these
        self.regular = True  # no hook has been put on a node of this trace: its backward pass may be memoised
        self.ended = False  # an optimizer's step has ended in it
        self.freed = False  # a backward pass has freed what nodes saved
        self.closed = 0  # how many nodes there were when a pass had visited, and freed, all of them
        self.overwrote = False  # something was written in place: what nodes saved may be out of date
        self.rewritten: list[int] | None = None  # slots of pending Values in whose memory others are by now


class Automaton:
    """The root State, shared by all threads; another one for another default dtype, which results depend on."""

    def __init__(self) -> None:
        self.root = State(None, None, 0)
        self.roots = {get_default_dtype(): self.root}
        self.limit = FEW_STATES  # how many States there may be before some are forgotten
        self.sighted: set[int] = set()  # the signs of Loose traces
        self.stray: Sequence[Any] = ()  # what the last Loose trace that had not been seen consists of
        self.looks = LOOKS  # at so many more such traces before one comes again

    def use_default_dtype(self) -> None:
        """Called when the default dtype has changed: what is recorded was recorded under the old one."""
        recorder().flush()
        forget_rules()
        kind = get_default_dtype()
        if kind not in self.roots:
            self.roots[kind] = State(None, None, 0)
        self.root = self.roots[kind]
        recorder().trace = Trace(recorder())

    def sight(self, loose: Loose) -> State | Loose:
        """The State where a trace stands that has been seen before, or is to be compiled at once; else it is noted."""
        if loose.sign in self.sighted or Program.patience == 1:
            self.sighted.discard(loose.sign)
            self.looks = LOOKS
            return loose.chart()
        if len(self.sighted) >= MAX_SIGHTED:
            self.sighted.clear()
        self.sighted.add(loose.sign)
        if len(loose.taken) >= STRAY_LENGTH:
            loose.note_landmark()
        if len(loose.taken) >= PIECE and self.looks:
            self.looks -= 1
            self.stray = loose.note_common(self.stray)
        return loose

    def forget(self) -> None:
        """Forgets the States that led to no program that has come again; all of them if that leaves too many.

        A program that never repeats makes States for ever: Python's collector would look through them all.
        """
        State.count = sum([prune(root) for root in self.roots.values()])
        if State.count > MAX_STATES:
            self.start_afresh()
        self.limit = max(FEW_STATES, 2 * State.count)

    def start_afresh(self) -> None:
        """Forgets all programs."""
        for root in self.roots.values():
            drop(root)
        self.root = State(None, None, 0)
        self.roots = {get_default_dtype(): self.root}
        State.count = 0


AUTOMATON = Automaton()
dtype_module.default_changed = AUTOMATON.use_default_dtype


class Recorder:
    """One thread's recording."""

    def __init__(self) -> None:
        self.automaton = AUTOMATON
        self.lock = threading.RLock()  # held to flush, and while a stretch is recorded that must not be cut
        self.busy = False  # in the middle of recording an operation
        self.awaited = False  # another thread holds the lock and is about to flush
        self.tracking = True  # grad mode
        self.inference = False
        self.hold = 0  # inside a stretch that becomes one edge: no flush by size
        self.capture: Callable[[Trace], object] | None = None  # shown every trace, while a program is written down
        self.trace = Trace(self)

    def flush(self) -> None:
        """Computes everything recorded that somebody still holds."""
        with self.lock:
            if _thread.recorder is self:
                self.busy = False
                interruption.watch()
                try:
                    self._flush()
                finally:
                    if interruption.put_off is not None:
                        interruption.deliver()
            else:
                self._flush_for_another()

    def _flush_for_another(self) -> None:
        """The same in another thread, which waits for this one to have finished what it is recording."""
        self.awaited = True
        try:
            while self.busy:
                time.sleep(0)
            self._flush()
        finally:
            self.awaited = False

    def end_step(self) -> None:
        """Computes a training step that an optimizer has finished.

        Where a graph recorded in it still waits for a backward pass of its own, as a GAN's generator does while the
        discriminator learns, both steps are computed together, at the end of the next one.
        """
        trace = self.trace
        if trace.ended or trace.closed == len(trace.nodes) or not _awaits_backward(trace):
            self.flush()
        else:
            trace.ended = True

    def _flush(self) -> None:
        trace = self.trace
        if not trace.values:
            return
        self.trace = Trace(self)
        if self.capture is not None:
            self.capture(trace)
        if trace.closed == len(trace.nodes):
            trace.nodes.clear()  # the newest first
        else:
            _leave(trace)
        flushing.compute(trace)

    def give_way(self) -> None:
        """Lets another thread flush first. Only its own thread sets `busy`, so one of the two sees the other."""
        while self.awaited:
            self.busy = False
            with self.lock:
                self.busy = True


class _ThreadState(threading.local):
    def __init__(self) -> None:
        self.recorder = Recorder()


_thread = _ThreadState()


def recorder() -> Recorder:
    """The calling thread's Recorder."""
    return _thread.recorder


def apply(op: Operation, operands: Sequence[Any], attrs: tuple[Any, ...] = ()) -> Any:
    """Records one operation and returns its result, a Tensor or a tuple of Tensors.

    `operands` are Tensors, Python numbers or None; `attrs` the attributes in the order of the kernel's keywords.
    Every operation of every step comes through here, so what is usual stands in this one function.
    """
    state: Any = None
    me = _thread.recorder
    me.busy = True  # no other thread may flush between here and `finally`
    if me.awaited:
        me.give_way()
    try:
        trace = me.trace
        values = trace.values
        tracking = me.tracking
        parents: list[Any] = []  # where the tape is on, the operands' nodes
        key: list[Any] = [op, attrs]
        for t in operands:
            kind = t.__class__
            if kind is Tensor or kind in TENSORS:
                storage = t._storage
                if storage is not None and t._seen != storage.version:
                    break
                v = t._value
                if v.trace is trace:
                    key.append(v.slot)
                else:
                    if v.trace is not None and v.buf is None:
                        break
                    if v.exposure is not None:
                        v = _snapshot(v)
                    key.append(v.spec)
                    v.slot = len(values)
                    v.trace = trace
                    values.append(v)
                if tracking:
                    n = t._node
                    parents.append(n)
                    if n is not None:
                        key.append(~n.slot if n.trace is trace else _bind_node(n, trace))
                        if t._out:
                            key.append((t._out,))
                continue
            if tracking:
                parents.append(None)
            if t is None:
                key.append(None)
            else:
                key.append(kind)
                values.append(t)
        else:
            edge = tuple(key)
            state = trace.state.edges.get(edge)
            if state is None:
                state = _extend(trace, edge, operands, parents)
        if state is None:
            rollback(trace)
        else:
            trace.state = state
            step: Step = state.step
            node = new_node(step, parents, trace) if step.tracks else None
            if step.single:
                v = Value()
                v.spec = step.spec
                v.trace = trace
                v.slot = step.slot
                v.root = v.home = None  # a default of the class takes much longer to find
                values.append(v)
                result: Any = new_tensor(Tensor)
                result._value = v
                result._storage = None
                result._node = node
            else:
                result = _several(step, node, trace)
    finally:
        me.busy = False
    if state is None:
        return _apply_to_settled(op, operands, attrs)
    if inference_seen:
        _note_inference(me, node, result)
    if node is not None and new_node_hook is not None:
        new_node_hook(node)
    if (EAGER and me.capture is None) or (state.long and _full(me, state)):
        me.flush()
    return result


def _apply_to_settled(op: Operation, operands: Sequence[Any], attrs: tuple[Any, ...]) -> Any:
    """Records an operation once its operands are up to date, and of kinds that the recorder knows."""
    known = True
    for t in operands:
        kind = t.__class__
        if kind in TENSORS:
            settle(t)
        elif kind not in NUMBERS and t is not None:
            known = False
    if known:
        return apply(op, operands, attrs)
    if any(isinstance(t, Tensor) and t.__class__ not in TENSORS for t in operands):
        return other_layout(op, operands, attrs)
    return apply(op, _plain_numbers(op, operands), attrs)


def other_layout(op: Operation, operands: Sequence[Any], attrs: tuple[Any, ...]) -> Any:
    """What an operation means for operands that the recorder does not know: the class of one says (`dispatch`)."""
    kinds = [t.__class__ for t in operands if isinstance(t, Tensor) and t.__class__ not in TENSORS]
    found: Any = next((kind for kind in kinds if hasattr(kind, "dispatch")), None)
    if found is None:
        raise NotImplementedError(f"{op.name} has no meaning for a {kinds[0].__name__}")
    return found.dispatch(op, operands, attrs)


inference_seen = False  # whether inference mode was ever entered


def use_inference(mode: bool) -> None:
    """Switches inference mode on or off for this thread."""
    global inference_seen
    inference_seen = inference_seen or mode
    _thread.recorder.inference = mode


def _note_inference(me: Recorder, node: Node | None, result: Any) -> None:
    """Refuses a node that saves a tensor of inference mode; marks what is made in that mode."""
    if node is not None and _saves_inference(node):
        raise RuntimeError(
            "Inference tensors cannot be saved for backward. Please do not use Tensors created in inference mode in "
            "computation tracked by autograd. To work around this, you can make a clone to get a normal tensor and use "
            "it in autograd, or use `torch.no_grad()` instead of `torch.inference_mode()`."
        )
    if me.inference:
        for t in result if isinstance(result, tuple) else (result,):
            mark_inference(t)


def mark_inference(t: Tensor) -> None:
    """The tensor was made in inference mode."""
    t._inference = t._value.inference = True


def _saves_inference(node: Node) -> bool:
    """Whether a node just recorded saves a tensor of inference mode; what it saves stays in its trace."""
    step: Step = node.step
    values = node.trace.values  # type: ignore[union-attr]
    return any(values[i].inference for k, i in enumerate(step.kept) if k not in step.numbers)  # type: ignore[index]


def _full(me: Recorder, state: State | Loose) -> bool:
    """Whether a trace that nobody reads should be computed now: where a round of its loop ends, if it is one.

    That is behind a landmark, or once it is long. So all traces of the loop start in the same place, and the
    automaton knows them.
    """
    if me.hold:
        return False
    if state.ends or state.nbytes > MAX_BYTES or state.width > MAX_SLOTS:
        return True
    trace = me.trace
    if trace.period is None:
        memos = state.memos
        trace.period = memos.get("period")
        if trace.period is None:
            trace.period = memos["period"] = _period(steps_to(state))
    return bool(trace.period) and state.depth % trace.period == 0


def _period(steps: list[Step]) -> int:
    """The smallest number of operations after which the recording repeats; 0 if it does not."""
    made = {slot for step in steps for slot in step.outputs}
    signs = [
        (s.op, *[(s.outputs[0] - i if i in made else ~i) if i is not None and s.outputs else 0 for i in s.inputs])
        for s in steps
    ]
    for p in range(1, len(signs) // 2):
        if signs[-1 - p] == signs[-1] and signs[-2 * p : -p] == signs[-p:]:
            return p
    return 0


def settle(t: Tensor) -> Value:
    """The tensor's current Value, recordable by this thread: up to date, and computed if another thread recorded it.

    Raises PyTorch's TypeError for what is no tensor.
    """
    try:
        storage = t._storage
    except AttributeError:
        raise TypeError(wrong_argument(t)) from None
    if storage is not None and t._seen != storage.version:
        refresh(t)
    v = t._value
    if v.buf is None and v.trace is not _thread.recorder.trace:
        _settle_pending(v)
    return v


def _settle_pending(v: Value) -> None:
    """Waits for a Value that another thread has recorded, or is computing; raises what stopped it."""
    trace = v.trace
    if trace is not None:
        owner = trace.recorder
        if owner is not _thread.recorder:
            owner.flush()
        elif trace is not owner.trace:
            with owner.lock:
                pass  # another thread is flushing it
    if v.failed is not None:
        raise v.failed
    if v.buf is None and v.trace is not None and v.trace is not v.trace.recorder.trace:
        raise RuntimeError(f"{v} belongs to a program that failed")


new_node_hook: Callable[[Node], None] | None = None  # set while anomalies are looked for


def refresh(t: Tensor) -> None:
    """Re-derives a view's Value from its root (record.memory puts its own function here)."""
    raise NotImplementedError(f"record.memory is not loaded; {t._value} cannot be brought up to date")


def rollback(trace: Trace) -> None:
    """Takes back what an operation that was not recorded had bound to the trace."""
    width, nodes = trace.state.width, trace.state.nodes
    for v in trace.values[width:]:
        if isinstance(v, Value):
            v.trace = None
    for n in trace.nodes[nodes:]:
        n.trace = None
    del trace.values[width:], trace.nodes[nodes:]


def _snapshot(v: Value) -> Value:
    """A copy of memory that NumPy code can still change."""
    return value_holding(np.array(v.buf, order="K", copy=True), v.spec) if exposed(v) else v


def _bind_node(n: Any, trace: Trace) -> str:
    """Gives a node from before this trace a slot of its own; says in the key what kind it is."""
    leaf = n.__class__ is Leaf
    if not leaf and n.kept is UNFETCHED:
        n.kept = n.saved  # it leaves the trace in which its saved Values are
    if not leaf and n.origin is None:
        n.origin = n.trace
    n.slot = len(trace.nodes)
    n.trace = trace
    trace.nodes.append(n)
    if leaf and not (n.hooks or n.post_hooks or n.pre_hooks):
        return LEAF
    trace.foreign = trace.foreign or set()
    trace.foreign.add(n.slot)
    return HOOKED if leaf else FOREIGN


def new_node(step: Step, parents: list[Any], trace: Trace) -> Node:
    """The node of the operation just recorded."""
    node = Node()
    node.step = step
    node.parents = parents
    node.trace = trace
    node.slot = len(trace.nodes)
    node.seq = next_sequence_number()
    node.kept = UNFETCHED
    if step.outs is not None:
        node.outs = step.outs
    if step.leaves:
        node.keeps = keeps = []
        for i in step.leaves:
            keeps.append(parents[i]._tensor())
    trace.nodes.append(node)
    return node


def saved_by(node: Node) -> list[Any]:
    """The Values that a node has saved; `Node.saved` asks for them once.

    Saved Python numbers become Values of their slots, so that derivatives name the slot and not the number.
    """
    trace: Trace = node.trace  # type: ignore[assignment]
    values = trace.values  # read before `kept`: a flush gives the node its own before it empties the trace
    pending = node.kept is UNFETCHED
    if pending:
        node.step.keep(node, values)
    saved = list(node.kept)
    for k in node.step.numbers:
        number = saved[k]
        if number.__class__ is not Value:
            v = saved[k] = value_holding(number, NUMBERS[number.__class__])
            if pending:
                v.trace = trace
                v.slot = node.step.kept[k]
    return saved


value_module.saved_by = saved_by


def _awaits_backward(trace: Trace) -> bool:
    """Whether a node that somebody holds still has what a backward pass needs of it."""
    return any(n.kept is UNFETCHED and n.step.saves and getrefcount(n) > 3 for n in trace.nodes)


def _leave(trace: Trace) -> None:
    """Before a flush: the nodes that somebody still holds take along what they have saved, the others go."""
    nodes, values = trace.nodes, trace.values
    while nodes:
        n = nodes.pop()
        if n.kept is UNFETCHED and getrefcount(n) > 2:
            n.step.keep(n, values)


def _several(step: Step, node: Node | None, trace: Trace) -> tuple[Tensor, ...]:
    results = []
    values, slot = trace.values, step.slot
    for k, spec in enumerate(step.specs):
        v = Value()
        v.spec = spec
        v.trace = trace
        v.slot = slot + k
        values.append(v)
        t = new_tensor(Tensor)
        t._value = v
        if node is not None and step.tracks[k]:
            t._node = node
            if k:
                t._out = k
        results.append(t)
    return tuple(results)


class NotANumber(TypeError):
    """An operand is neither a Tensor nor one of Python's own numbers."""


def _plain_numbers(op: Operation, operands: Sequence[Any]) -> list[Any]:
    """NumPy's scalars and subclasses of Python's numbers as Python's numbers."""
    return [x if x is None or isinstance(x, Tensor) or x.__class__ in NUMBERS else _plain(op, x) for x in operands]


def _plain(op: Operation, x: Any) -> Any:
    if isinstance(x, np.generic) and x.dtype.kind in "biufc":
        return x.item()
    kinds: tuple[Any, ...] = (int, float, complex)
    for kind in kinds:
        if isinstance(x, kind):
            return kind(x)
    raise TypeError(f"{op.name}(): expected a Tensor or a number, not {type(x).__name__}")


def _extend(
    trace: Trace, edge: tuple[Any, ...], operands: Sequence[Any], parents: list[Any]
) -> State | Loose | None:
    """Works out an edge that is not known; None if the operation is to be recorded in another way.

    That is where an operand is neither a tensor nor one of Python's own numbers, and where a piece of a program begins
    that is to be a trace of its own: what was recorded before is computed.  Raises the user's error if the operands do
    not fit, and leaves the trace as it was.
    """
    state = trace.state
    try:
        step = _step(trace, edge, operands, parents)
    except NotANumber:
        return None
    except BaseException:
        rollback(trace)
        raise
    if step.kind.begun and _begins_piece(trace, step):
        rollback(trace)
        trace.recorder.flush()
        return None
    nodes = len(trace.nodes) + bool(step.tracks)
    if state.__class__ is State:
        if Program.patience == 1:
            made = state.edges[edge] = State(state, step, len(trace.values) + len(step.specs))
            made.nodes = nodes
            return made
        state = Loose(state)
    state.take(edge, step, nodes)  # type: ignore[union-attr]
    return state


def _begins_piece(trace: Trace, step: Step) -> bool:
    """Whether a piece of its own begins with this Step, behind the trace's newest one."""
    me, last = trace.recorder, trace.state.step
    return last is not None and step.kind.begun[last.op] >= STRAYS and not me.hold and me.capture is None


def _step(trace: Trace, edge: tuple[Any, ...], operands: Sequence[Any], parents: list[Any]) -> Step:
    """The Step that an edge is."""
    slots, specs = _operands(edge, trace.state.width, trace.values)
    taped = tuple([None if n is None else n.__class__ is Leaf for n in parents])
    outs = {i: operands[i]._out for i, n in enumerate(parents) if n is not None and operands[i]._out}
    return Step(kind_of(edge[0], edge[1], specs, taped), slots, len(trace.values), outs or None)


def _operands(edge: tuple[Any, ...], width: int, values: list[Any]) -> tuple[tuple[int | None, ...], tuple[Any, ...]]:
    """The slots of the operands that a key means, those met for the first time from `width` on, and their Specs."""
    slots: list[int | None] = []
    specs: list[Spec | None] = []
    for entry in edge[2:]:
        kind = entry.__class__
        if kind is int:
            if entry >= 0:  # else it is a node
                known = values[entry]
                slots.append(entry)
                specs.append(known.spec if isinstance(known, Value) else NUMBERS[known.__class__])
        elif kind is Spec or entry in NUMBERS:
            slots.append(width)
            specs.append(entry if kind is Spec else NUMBERS[entry])
            width += 1
        elif entry is None:
            slots.append(None)
            specs.append(None)
        elif isinstance(entry, type):
            raise NotANumber
    if edge[2:] and edge[2] in NUMBERS and not any(s is not None and not s.wrapped for s in specs):
        _refuse_numbers(edge)
    return tuple(slots), tuple(specs)


#: What PyTorch computes of Python numbers alone.
OF_NUMBERS = frozenset("add sub rsub mul div div_by_number floor_divide remainder fmod".split())


def _refuse_numbers(edge: tuple[Any, ...]) -> None:
    """Raises PyTorch's error for a Python number where an operation works on a tensor, `torch.abs(3)`."""
    op: Operation = edge[0]
    if op.operands[:1] == ("x",) and op.name not in OF_NUMBERS and all(e is None or e in NUMBERS for e in edge[2:]):
        raise TypeError(f"{op.name}(): argument 'input' (position 1) must be Tensor, not {edge[2].__name__}")


def realize(t: Tensor) -> np.ndarray:
    """The tensor's numbers, computed now if they were not; for reading only."""
    try:
        storage = t._storage
    except AttributeError:
        raise TypeError(wrong_argument(t)) from None
    if storage is not None and t._seen != storage.version:
        refresh(t)
    v = t._value
    if v.buf is None:
        trace = v.trace
        if trace is not None and v.failed is None:  # else another thread has just computed it
            trace.recorder.flush()
        if v.buf is None:
            raise _no_numbers(t, v)
    return v.buf


def _no_numbers(t: Tensor, v: Value) -> BaseException:
    """Why a Value has no numbers, now that all is computed that can be."""
    if v.failed is not None:
        return v.failed
    if v.spec.device.type == "meta":
        return NotImplementedError("Cannot copy out of meta tensor; no data!")
    return NotImplementedError(f"a tensor of layout {t.layout} has no array of numbers; call to_dense() first")
