"""The automaton: how a running program is recorded, recognised and flushed.

A thread's `Recorder` records into a `Trace`, which stands in a `State`.  Recording an operation builds a key from the
operation, its attributes and its operands' slots; the key names an edge to the next State.  The first time, the edge's
`Step` is worked out (shapes, dtypes, what to save for the backward pass); later it is one dictionary look-up.  An
operand that
the trace has not met takes the next free slot, and its Spec stands in the key; of a Python number only the type does.
So the State reached is the identity of the whole program, and `flush` finds the `Program` to run by
(State, slots still wanted).  `memoised` makes one edge of a long stretch of recording.

`RUSHLIGHT_EAGER=1` flushes after every operation.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from sys import getrefcount
from typing import Any

import numpy as np

from .operation import Operation
from .program import Program, build
from .spec import NUMBERS, Spec
from .value import (
    Leaf,
    Node,
    Tensor,
    Value,
    new_node,
    new_tensor,
    new_value,
    next_sequence_number,
    tensor_of,
    value_holding,
)

EAGER = os.environ.get("RUSHLIGHT_EAGER", "0") not in ("", "0")
LONG = 2048  # flush a trace that nobody reads when it is this long and its loop comes round again,
MAX_SLOTS = 8192  # or at the latest here
MAX_BYTES = 1 << 28  # or when its pending results would take this much memory
MAX_STATES = 60_000  # forget the automaton beyond this: a program that never repeats must not grow it for ever

LEAF, FOREIGN, HOOKED = "leaf", "foreign node", "hooked leaf"


class Step:
    """One recorded operation as the State knows it: all of it but the numbers."""

    __slots__ = (
        "attributes", "compute", "input_specs", "inputs", "kept", "leaves", "nbytes", "numbers", "op", "outputs",
        "saves", "single", "specs", "tracks",
    )  # fmt: skip

    def __init__(self, op: Operation, attrs: tuple[Any, ...], inputs: list[int | None], specs: list[Any]) -> None:
        self.op = op
        self.attributes = dict(zip(op.attributes, attrs, strict=True))
        self.inputs = inputs
        self.input_specs = specs
        found = op.infer(*specs, **self.attributes)
        self.single = isinstance(found, Spec)
        self.specs: tuple[Spec, ...] = (found,) if self.single else tuple(found)
        self.compute = op.compute(*specs, **self.attributes) if op.compute else None
        self.nbytes = 0 if op.view else sum(s.nbytes for s in self.specs)
        self.outputs: tuple[int, ...] = ()
        self.tracks: tuple[bool, ...] = ()
        self.saves: tuple[int, ...] = ()  # operand positions; ~k for output k
        self.kept: tuple[int | None, ...] = ()  # their slots
        self.leaves: tuple[int, ...] = ()  # operands that are leaves of the tape
        self.numbers: tuple[int, ...] = ()  # which of `saves` are Python numbers

    def track(self, parents: list[Any]) -> None:
        """Works out which outputs belong to the tape and what their derivative will need."""
        wants = tuple(p is not None for p in parents)
        if not any(wants) or not self.op.differentiable:
            return
        tracks = tuple(s.dtype.is_floating_point or s.dtype.is_complex for s in self.specs)
        if not any(tracks):
            return
        self.tracks = tracks
        needed = self.op.needed_by(wants)
        saves = [i for i, name in enumerate(self.op.operands[: len(parents)]) if name in needed]
        if self.op.variadic and self.op.operands[-1] in needed:
            saves = [*saves, *range(len(self.op.operands), len(parents))]
        if "result" in needed:
            saves.append(~0)
        if "results" in needed:
            saves.extend(~k for k in range(len(self.specs)))
        self.saves = tuple(i for i in saves if i < 0 or self.inputs[i] is not None)
        self.leaves = tuple(i for i, p in enumerate(parents) if p.__class__ is Leaf)
        self.numbers = tuple(k for k, i in enumerate(self.saves) if i >= 0 and self.input_specs[i].wrapped)

    def place(self, first: int) -> None:
        """Gives the results their slots, from `first` on."""
        self.outputs = tuple(range(first, first + len(self.specs)))
        self.kept = tuple(self.inputs[i] if i >= 0 else self.outputs[~i] for i in self.saves)


class State:
    """A point of the automaton: everything recorded since the last flush, up to the numbers."""

    __slots__ = ("bound", "depth", "edges", "memos", "parent", "programs", "step", "width")
    count = 0

    def __init__(self, parent: State | None, step: Step | None, bound: list[int], width: int) -> None:
        self.edges: dict[tuple[Any, ...], State] = {}
        self.memos: dict[Any, Any] = {}
        self.programs: dict[Any, Program] = {}
        self.parent = parent
        self.step = step
        self.bound = bound  # slots of the inputs met for the first time here
        self.width = width
        self.depth: int = 0 if parent is None else parent.depth + 1  # operations recorded
        State.count += 1


class Trace:
    """What a thread has recorded since its last flush: a State and what fills its slots."""

    __slots__ = ("foreign", "nbytes", "nodes", "overwrote", "period", "recorder", "regular", "state", "values")

    def __init__(self, recorder: Recorder) -> None:
        self.recorder = recorder
        self.state: State = recorder.automaton.root
        self.values: list[Any] = []  # Value, number, or None where a memo skipped it
        self.nodes: list[Any] = []
        self.nbytes = 0
        self.period: int | None = None  # after how many operations a long trace repeats itself
        self.foreign: set[int] = set()  # slots of nodes from earlier traces, and of leaves with hooks
        self.regular = True  # no hook has been put on a node of this trace: its backward pass may be memoised
        self.overwrote = False  # something was written in place: what nodes saved may be out of date


class Automaton:
    """The root State, shared by all threads."""

    def __init__(self) -> None:
        self.root = State(None, None, [], 0)

    def bound_growth(self) -> None:
        """Starts afresh when too many different programs have been seen."""
        if State.count > MAX_STATES:
            State.count = 0
            self.root = State(None, None, [], 0)


AUTOMATON = Automaton()


class Recorder:
    """One thread's recording."""

    def __init__(self) -> None:
        self.automaton = AUTOMATON
        self.lock = threading.RLock()
        self.tracking = True  # grad mode
        self.inference = False
        self.hold = 0  # inside `memoised`: no flush by size
        self.trace = Trace(self)

    def flush(self) -> None:
        """Computes everything recorded that somebody still holds."""
        with self.lock:
            trace = self.trace
            if not trace.values:
                return
            self.automaton.bound_growth()
            self.trace = Trace(self)
            trace.nodes = []
            _run(trace)


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
    """
    me = _thread.recorder
    while True:
        with me.lock:
            trace = me.trace
            values = trace.values
            nodes = trace.nodes
            width = len(values)
            depth = len(nodes)
            tracking = me.tracking
            parents: list[Any] = []
            outs: dict[int, int] | None = None
            key: list[Any] = [op, attrs]
            for t in operands:
                if isinstance(t, Tensor):
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
                        v.trace = trace
                        v.slot = len(values)
                        values.append(v)
                    if tracking:
                        n = t._node
                        parents.append(n)
                        if n is not None:
                            if n.trace is not trace:
                                key.append(_bind_node(n, trace))
                            else:
                                key.append(~n.slot)
                            if t._out:
                                key.append((t._out,))
                                outs = outs or {}
                                outs[len(parents) - 1] = t._out
                elif t is None:
                    key.append(None)
                    parents.append(None)
                else:
                    key.append(t.__class__)
                    values.append(t)
                    parents.append(None)
            else:
                edge = tuple(key)
                state = trace.state.edges.get(edge)
                if state is None:
                    try:
                        state = _extend(trace.state, edge, width, parents)
                    except NotANumber:
                        _rollback(trace, width, depth)
                        operands = _plain_numbers(op, operands)
                        continue
                    except BaseException:
                        _rollback(trace, width, depth)
                        raise
                trace.state = state
                step = state.step
                trace.nbytes += step.nbytes  # type: ignore[union-attr]
                if step.single:  # type: ignore[union-attr]
                    v = new_value(Value)
                    v.spec = step.specs[0]  # type: ignore[union-attr]
                    v.trace = trace
                    v.slot = len(values)
                    values.append(v)
                    result: Any = new_tensor(Tensor)
                    result._value = v
                    if step.tracks:  # type: ignore[union-attr]
                        result._node = _new_node(step, parents, outs, trace)
                else:
                    result = _several(step, parents, outs, trace)
                if me.inference:
                    _mark_inference(result)
                if EAGER or ((len(values) > LONG or trace.nbytes > MAX_BYTES) and _full(me, trace)):
                    me.flush()
                return result
            _rollback(trace, width, depth)
        for t in operands:
            if isinstance(t, Tensor):
                settle(t)


inference_seen = False  # whether any tensor was ever made in inference mode


def _mark_inference(result: Any) -> None:
    global inference_seen
    inference_seen = True
    for t in result if isinstance(result, tuple) else (result,):
        t._inference = t._value.inference = True


def _full(me: Recorder, trace: Trace) -> bool:
    """Whether a trace that nobody reads should be computed now: where a round of its loop ends, if it is one.

    So all traces of the loop start in the same place, and the automaton knows them.
    """
    if me.hold:
        return False
    if trace.nbytes > MAX_BYTES or len(trace.values) > MAX_SLOTS:
        return True
    if trace.period is None:
        trace.period = _period(_steps(trace.state))
    return bool(trace.period) and trace.state.depth % trace.period == 0


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
    """The tensor's current Value, recordable by this thread: up to date, and computed if another thread recorded it."""
    storage = t._storage
    if storage is not None and t._seen != storage.version:
        refresh(t)
    v = t._value
    if v.buf is None and v.trace is not None and v.trace.recorder is not _thread.recorder:
        v.trace.recorder.flush()
    if v.failed is not None:
        raise v.failed
    if v.buf is None and v.trace is not None and v.trace is not v.trace.recorder.trace:
        raise RuntimeError(f"{v} belongs to a program that failed")
    return v


new_node_hook: Callable[[Node], None] | None = None  # set while anomalies are looked for


def refresh(t: Tensor) -> None:
    """Re-derives a view's Value from its root (record.memory puts its own function here)."""
    raise NotImplementedError(f"record.memory is not loaded; {t._value} cannot be brought up to date")


def _rollback(trace: Trace, width: int, depth: int) -> None:
    for v in trace.values[width:]:
        if isinstance(v, Value):
            v.trace = None
    for n in trace.nodes[depth:]:
        n.trace = None
    del trace.values[width:], trace.nodes[depth:]


def _snapshot(v: Value) -> Value:
    """A copy of memory that NumPy code can still change."""
    assert v.exposure is not None
    if not v.exposure.alive():
        v.exposure = None
        return v
    return value_holding(np.array(v.buf, order="K", copy=True), v.spec)


def _bind_node(n: Any, trace: Trace) -> str:
    """Gives a node from before this trace a slot of its own; says in the key what kind it is."""
    n.trace = trace
    n.slot = len(trace.nodes)
    trace.nodes.append(n)
    if isinstance(n, Leaf) and not (n.hooks or n.post_hooks or n.pre_hooks):
        return LEAF
    trace.foreign.add(n.slot)
    return HOOKED if isinstance(n, Leaf) else FOREIGN


def _new_node(step: Any, parents: list[Any], outs: dict[int, int] | None, trace: Trace) -> Node:
    node = new_node(Node)
    node.step = step
    node.parents = parents
    node.outs = outs
    node.trace = trace
    node.slot = len(trace.nodes)
    node.seq = next_sequence_number()
    trace.nodes.append(node)
    values = trace.values
    node.saved = [values[slot] for slot in step.kept]
    if step.leaves:
        node.keeps = [parents[i]._tensor() for i in step.leaves]
    if step.numbers:
        _save_numbers(node, trace)
    if inference_seen:
        _refuse_inference(node)
    if new_node_hook is not None:
        new_node_hook(node)
    return node


def _save_numbers(node: Node, trace: Trace) -> None:
    """Saved Python numbers become Values of their slots, so that derivatives name the slot and not the number."""
    assert node.saved is not None
    for k in node.step.numbers:
        number = node.saved[k]
        if number.__class__ is not Value:
            v = value_holding(number, NUMBERS[number.__class__])
            v.trace = trace
            v.slot = node.step.kept[k]
            node.saved[k] = v


def _refuse_inference(node: Node) -> None:
    if any(v.inference for v in node.saved or ()):
        raise RuntimeError(
            "Inference tensors cannot be saved for backward. Please do not use Tensors created in inference mode in "
            "computation tracked by autograd. To work around this, you can make a clone to get a normal tensor and use "
            "it in autograd, or use `torch.no_grad()` instead of `torch.inference_mode()`."
        )


def _several(step: Any, parents: list[Any], outs: dict[int, int] | None, trace: Trace) -> tuple[Tensor, ...]:
    results = []
    for spec in step.specs:
        v = new_value(Value)
        v.spec = spec
        v.trace = trace
        v.slot = len(trace.values)
        trace.values.append(v)
        results.append(tensor_of(v))
    if step.tracks:
        node = _new_node(step, parents, outs, trace)
        for k, (t, tracked) in enumerate(zip(results, step.tracks, strict=True)):
            if tracked:
                t._node = node
                t._out = k
    return tuple(results)


def _operands_of(edge: tuple[Any, ...], width: int) -> tuple[list[int | None], list[int]]:
    """The operand slots that a key means, and the slots that it gives out for the first time."""
    slots: list[int | None] = []
    bound: list[int] = []
    for entry in edge[2:]:
        if entry is None:
            slots.append(None)
        elif entry.__class__ is int:
            if entry >= 0:
                slots.append(entry)
        elif isinstance(entry, (Spec, type)):
            slots.append(width)
            bound.append(width)
            width += 1
    return slots, bound


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


def _extend(state: State, edge: tuple[Any, ...], width: int, parents: list[Any]) -> State:
    """Works out an edge taken for the first time; raises the user's error if the operands do not fit."""
    values = _thread.recorder.trace.values
    for entry in edge[2:]:
        if isinstance(entry, type) and entry not in NUMBERS:
            raise NotANumber
    slots, bound = _operands_of(edge, width)
    specs = [None if s is None else _spec_at(values, s) for s in slots]
    step = Step(edge[0], edge[1], slots, specs)
    first = width + len(bound)
    if len(parents) == len(slots):
        step.track(parents)
    step.place(first)
    made = state.edges[edge] = State(state, step, bound, first + len(step.specs))
    return made


def _spec_at(values: list[Any], slot: int) -> Spec:
    v = values[slot]
    return v.spec if isinstance(v, Value) else NUMBERS[v.__class__]


# ---------------------------------------------------------------------------------------------------------------------
# Flush


def _run(trace: Trace) -> None:
    """Runs what the trace recorded, for the Values that somebody outside the trace still holds."""
    values, state = trace.values, trace.state
    produced, donors = _produced(state)
    live = _held(values, produced)
    donated = tuple([i for i in donors if getrefcount(values[i]) == 2 and _owned(values[i])])
    program = state.programs.get((live, donated))
    if program is None:
        program = state.programs[live, donated] = build(_steps(state), live, donated)
    try:
        arrays = program.run(values)
    except BaseException as failure:
        for i in live:
            values[i].failed = failure
        raise
    wanted = [values[i] for i in live]
    trace.values = values = []
    for v, array in zip(wanted, arrays, strict=True):
        v.buf = array
        v.trace = None
        if v.home is not None:
            settle_at_home(v)


def _held(values: list[Any], slots: Sequence[int], ours: int = 0) -> tuple[int, ...]:
    """The slots whose Values somebody outside `values` refers to; `ours` is how many references this loop makes.

    The newest come first: a view that nobody holds lets go of its root.
    """
    held = []
    ours = ours or OURS
    for i in reversed(slots):
        v = values[i]
        if v is not None:
            if getrefcount(v) > ours:
                held.append(i)
            elif v.root is not None:
                v.root = None
    return tuple(held)


# How many references to a Value the loop above and the list hold depends on the interpreter: count them once.
OURS = next(n for n in range(1, 9) if not _held([Value()], (0,), n))


def _owned(v: Value) -> bool:
    return v.exposure is None and v.root is None and v.buf.flags.writeable and v.home is None


def settle_at_home(v: Value) -> None:
    """An updated parameter keeps its buffer, if nobody needs the numbers that were in it."""
    home, v.home = v.home, None
    if home is not None and getrefcount(home) == 2 and home.strides == v.buf.strides and home.flags.writeable:
        base = home.base
        if base is not None and not (
            isinstance(base, np.ndarray) and base.base is None and base.nbytes == home.nbytes and getrefcount(base) == 3
        ):
            return
        np.copyto(home, v.buf)
        v.buf = home


def _steps(state: State) -> list[Step]:
    steps: list[Step] = []
    at: State | None = state
    while at is not None:
        if at.step is not None:
            steps.append(at.step)
        at = at.parent
    steps.reverse()
    return steps


def _produced(state: State) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The slots that operations fill, and the input slots that one of them would like to overwrite; kept by State."""
    found = state.memos.get("produced")
    if found is None:
        steps = _steps(state)
        produced = tuple(slot for step in steps for slot in step.outputs)
        made = set(produced)
        donors = {s.inputs[0] for s in steps if s.op.overwrites and s.inputs[0] not in made}
        found = state.memos["produced"] = produced, tuple(sorted(d for d in donors if d is not None))
    return found


# ---------------------------------------------------------------------------------------------------------------------
# Long stretches as one edge


class Memo:
    """A stretch of recording: where it leads, what it leaves in the slots, and which slots are its results."""

    __slots__ = ("nbytes", "results", "state", "tail")

    def __init__(self, state: State, tail: list[Any], results: list[Any], nbytes: int) -> None:
        self.state = state
        self.tail = tail
        self.results = results
        self.nbytes = nbytes


UNMEMOISABLE = object()


def _bind_kernel(*inputs: Any, key: Any) -> tuple[()]:
    raise AssertionError("binding inputs computes nothing")


BIND = Operation("bind", lambda *specs, key: (), _bind_kernel, None, "")


def memoised(
    key: tuple[Any, ...],
    tensors: Sequence[Tensor],
    numbers: Sequence[float],
    build: Callable[[list[Tensor], list[Tensor]], list[Tensor | None]],
) -> list[Tensor | None]:
    """Records `build(tensors, numbers)` outside the tape; when the same is asked in the same State again, as one edge.

    `key` must determine everything that `build` does apart from the tensors and the numbers, which it gets as
    zero-dimensional tensors: their values are free to change from call to call.
    """
    me = _thread.recorder
    tracking, me.tracking = me.tracking, False
    me.hold += 1
    try:
        with me.lock:
            for t in tensors:
                settle(t)
            if EAGER:
                return build(list(tensors), [_number(x) for x in numbers])
            apply(BIND, [*tensors, *numbers], (key,))
            first = len(me.trace.values) - len(numbers)
            return replay(key, lambda: build(list(tensors), _number_slots(me.trace, numbers, first)))
    finally:
        me.tracking = tracking
        me.hold -= 1
        if not me.hold and len(me.trace.values) > MAX_SLOTS:
            me.flush()


def replay(key: Any, record: Callable[[], list[Tensor | None]]) -> list[Tensor | None]:
    """Takes the memo `key` of the present State, or runs `record` and keeps what it did as that memo.

    Everything that `record` reads must be determined by the State and the key.
    """
    trace = _thread.recorder.trace
    start = trace.state
    memo = start.memos.get(key)
    if memo.__class__ is Memo:
        return _replayed(memo, trace)
    width, nbytes = len(trace.values), trace.nbytes
    results = record()
    if memo is None:
        start.memos[key] = _memo_of(trace, results, width, nbytes)
    return results


def _replayed(memo: Memo, trace: Trace) -> list[Tensor | None]:
    values = trace.values
    values.extend(memo.tail)
    trace.state = memo.state
    trace.nbytes += memo.nbytes
    results: list[Tensor | None] = []
    for found in memo.results:
        if found is None:
            results.append(None)
            continue
        slot, spec = found
        v = values[slot]
        if v is None:
            v = new_value(Value)
            v.spec = spec
            v.trace = trace
            v.slot = slot
            values[slot] = v
        t = new_tensor(Tensor)
        t._value = v
        results.append(t)
    return results


def _memo_of(trace: Trace, results: list[Tensor | None], width: int, nbytes: int) -> Any:
    if _thread.recorder.trace is not trace:
        return UNMEMOISABLE  # flushed on the way
    tail: list[Any] = []
    for v in trace.values[width:]:
        if isinstance(v, Value):
            if v.buf is not None:
                return UNMEMOISABLE  # reads something that the key does not name
            tail.append(None)
        else:
            tail.append(v)
    kept: list[Any] = []
    for t in results:
        if t is None:
            kept.append(None)
        elif t._value.trace is trace and t._storage is None:
            kept.append((t._value.slot, t._value.spec))
        else:
            return UNMEMOISABLE
    return Memo(trace.state, tail, kept, trace.nbytes - nbytes)


def _number(x: float) -> Tensor:
    return tensor_of(value_holding(x, NUMBERS[x.__class__]))


def _number_slots(trace: Trace, numbers: Sequence[float], first: int) -> list[Tensor]:
    made = []
    for k, x in enumerate(numbers):
        t = _number(x)
        t._value.trace = trace
        t._value.slot = first + k
        made.append(t)
    return made


def realize(t: Tensor) -> np.ndarray:
    """The tensor's numbers, computed now if they were not; for reading only."""
    storage = t._storage
    if storage is not None and t._seen != storage.version:
        refresh(t)
    v = t._value
    if v.buf is None:
        if v.failed is not None:
            raise v.failed
        assert v.trace is not None
        v.trace.recorder.flush()
        if v.failed is not None:
            raise v.failed
    return v.buf
