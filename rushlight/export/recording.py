"""What a model does with example arguments, written down: the recorder's own Steps, with no number computed.

`record` runs the model off the tape while it listens to the thread's recorder (`Recorder.capture`), so what is written
down is what every program on Rushlight is made of: functional operations on values, with in-place writing and
broadcasting already resolved. A `Recording` is in a normal form: only what the results depend on, and values numbered
in the order in which they are met, so that recordings of the same program at other sizes can be laid side by side
(`graph.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from rushlight import nn
from rushlight.core.generator import Generator
from rushlight.nn.hooks import register_module_forward_hook, register_module_forward_pre_hook
from rushlight.ops.view import RESHAPE_ALIAS, UNSAFE_VIEW, VIEW
from rushlight.record.memory import RELAYOUT
from rushlight.record.operation import Operation
from rushlight.record.spec import NUMBERS, Spec
from rushlight.record.state import steps_to
from rushlight.record.trace import Trace, realize, recorder, settle
from rushlight.record.value import Tensor, Value, tensor_of
from rushlight.tensor import FUNCTIONS
from rushlight.utils._pytree import TreeSpec, tree_flatten

_copy = FUNCTIONS["clone"]

RANDOM = "draws random numbers, as dropout does in training mode; call eval() before, or draw them outside"
INPUT, STATE, CONSTANT, NUMBER, RESULT = "input", "state", "constant", "number", "result"


@dataclass(eq=False)
class Item:
    """A value of a recording: where it comes from, what it is like, and its numbers unless it is a result.

    `name` is the argument's number for an input and the name in the state dict for a parameter or buffer.
    """

    kind: str
    name: Any
    spec: Spec
    data: Any = None


@dataclass(eq=False)
class Recorded:
    """One recorded operation: values are named by their number in the recording."""

    op: Operation
    attributes: dict[str, Any]
    compute: Any
    inputs: tuple[int | None, ...]
    outputs: tuple[int, ...]
    single: bool
    layer: str


@dataclass(eq=False)
class Recording:
    """A model's run: operations in order, values by number, and which of them the results are.

    `looked` is the layer in which the model read numbers on the way, so that what it did next may hold for these alone;
    None where it read none. `written` are the parameters and buffers that it has written to, as running averages; they
    have their old numbers again.
    """

    operations: list[Recorded]
    items: list[Item]
    results: list[int | None]
    result_tree: TreeSpec
    looked: str | None
    written: list[str]


def record(model: Callable[..., Any], leaves: Sequence[Any], tree: TreeSpec) -> Recording:
    """Records the call of `model` with the arguments `(args, kwargs)` that the leaves and the tree stand for.

    Raises:
        NotImplementedError: a result that is neither a tensor nor None, or random numbers.
    """
    inputs = [_copy(x).detach() if isinstance(x, Tensor) else x for x in leaves]
    module = model if isinstance(model, nn.Module) else None
    state = state_of(module)
    recorder().flush()
    for t in (*state.values(), *inputs):
        if isinstance(t, Tensor):
            realize(t)
    before = {name: settle(t) for name, t in state.items()}
    sources: dict[int, tuple[str, Any]] = {id(v): (STATE, name) for name, v in reversed(before.items())}
    sources.update({id(settle(x)): (INPUT, k) for k, x in enumerate(inputs) if isinstance(x, Tensor)})
    listener = _Listener(sources)
    draws = Generator.asked
    try:
        with listener.listening(module):
            args, kwargs = tree.unflatten(listener.given(inputs))
            found, result_tree = tree_flatten(model(*args, **kwargs))
            values = [_result(x) for x in found]
    finally:
        written = _restore(state, before)
    if Generator.asked != draws:
        raise NotImplementedError(f"torch.export: the model {RANDOM}")
    numbers = [None if v is None else listener.number_of(v) for v in values]
    recording = _normal(listener, numbers, result_tree, written)
    del listener, values, found, args, kwargs
    recorder().flush()  # of what was recorded only what the model itself has kept is computed
    return recording


def state_of(module: nn.Module | None) -> dict[str, Tensor]:
    """A module's parameters and buffers by name, those that its state dict leaves out among them."""
    if module is None:
        return {}
    return {**dict(module.named_parameters()), **dict(module.named_buffers())}


def _restore(state: dict[str, Tensor], before: dict[str, Value]) -> list[str]:
    """Gives buffers that the model has written to (running averages) their old numbers; returns their names."""
    written = [name for name, t in state.items() if settle(t) is not before[name]]
    tracking, recorder().tracking = recorder().tracking, False
    try:
        for name in written:
            state[name].copy_(tensor_of(before[name]))
    finally:
        recorder().tracking = tracking
    return written


def _result(x: Any) -> Value | None:
    if x is None:
        return None
    if not isinstance(x, Tensor):
        raise NotImplementedError(
            f"torch.export: the model returned a {type(x).__name__}; return tensors, or tuples, lists and dicts of them"
        )
    return settle(x)


class _Listener:
    """Takes down every trace that the recorder ends, and in which layer each of its Steps was recorded."""

    def __init__(self, sources: dict[int, tuple[str, Any]]) -> None:
        self.sources = sources
        self.recorder = recorder()
        self.operations: list[Recorded] = []
        self.items: list[Item] = []
        self.numbers: dict[int, int] = {}  # of Values, by identity
        self.kept: list[Value] = []  # so that no other Value gets the identity of one
        self.paths: list[str] = [""]
        self.changes: list[tuple[int, str]] = []  # from which operation on, which layer
        self.looked: str | None = None
        self.arguments = 0  # how many operations, the first ones, are copies of arguments

    @contextmanager
    def listening(self, module: nn.Module | None) -> Iterator[None]:
        """Inside, what the thread records is taken down, views are recorded too, and nothing is computed unasked."""
        me = self.recorder
        names = {id(m): path for path, m in module.named_modules()} if module is not None else {}
        hooks = [
            register_module_forward_pre_hook(lambda m, args: self._enter(names.get(id(m), ""))),
            register_module_forward_hook(lambda m, args, output: self._leave(), always_call=True),
        ]
        tracking, outer = me.tracking, me.capture
        me.tracking, me.capture = False, self._look
        me.hold += 1
        try:
            yield
            self.take(me.trace)
        finally:
            me.tracking, me.capture = tracking, outer
            me.hold -= 1
            for hook in hooks:
                hook.remove()

    def given(self, inputs: Sequence[Any]) -> list[Any]:
        """The arguments for the model, as pending results, so that whoever looks at their numbers is noticed."""
        self.arguments = sum(isinstance(x, Tensor) for x in inputs)
        return [_copy(x) if isinstance(x, Tensor) else x for x in inputs]

    def _enter(self, path: str) -> None:
        if recorder() is self.recorder:  # other threads call their own modules
            self.paths.append(path or self.paths[-1])
            self._note()

    def _leave(self) -> None:
        if recorder() is self.recorder:
            self.paths.pop()
            self._note()

    def _note(self) -> None:
        self.changes.append((len(self.operations) + recorder().trace.state.depth, self.paths[-1]))

    def _look(self, trace: Trace) -> None:
        self.looked = self.paths[-1]
        self.take(trace)

    def take(self, trace: Trace) -> None:
        """Takes down a trace's Steps."""
        values = list(trace.values)
        slots: dict[int, int] = {}
        for step in steps_to(trace.state):
            inputs = tuple([None if s is None else self._operand(s, slots, values) for s in step.inputs])
            for slot, spec in zip(step.outputs, step.specs):
                slots[slot] = self._add(Item(RESULT, None, spec), values[slot])
            outputs = tuple([slots[s] for s in step.outputs])
            self.operations.append(Recorded(step.op, step.attributes, step.compute, inputs, outputs, step.single, ""))

    def _operand(self, slot: int, slots: dict[int, int], values: list[Any]) -> int:
        """An operand's number. Python numbers get a new one each time: they are equal by chance."""
        found = slots.get(slot)
        return self.number_of(values[slot]) if found is None else found

    def number_of(self, value: Any) -> int:
        """The number of a Value, or of a Python number, that was not made here, or was made before."""
        if not isinstance(value, Value):
            return self._add(Item(NUMBER, None, NUMBERS[value.__class__], value), None)
        found = self.numbers.get(id(value))
        if found is not None:
            return found
        if value.spec.wrapped:
            return self._add(Item(NUMBER, None, value.spec, value.buf), value)
        kind, name = self.sources.get(id(value), (CONSTANT, None))
        return self._add(Item(kind, name, value.spec, value.buf), value)

    def _add(self, item: Item, value: Any) -> int:
        self.items.append(item)
        if isinstance(value, Value):
            self.numbers[id(value)] = len(self.items) - 1
            self.kept.append(value)
        return len(self.items) - 1

    def layers(self) -> Iterator[str]:
        """Of each operation, the path of the layer in which it was recorded."""
        at, path = 0, ""
        for k in range(len(self.operations)):
            while at < len(self.changes) and self.changes[at][0] <= k:
                path = self.changes[at][1]
                at += 1
            yield path


def _normal(
    listener: _Listener, results: list[int | None], result_tree: TreeSpec, written: list[str]
) -> Recording:  # fmt: skip
    """Only what the results depend on, apart from how it lies in memory, and values numbered as they are met."""
    same = _plain(listener.operations, listener.arguments)
    results = [None if i is None else same.get(i, i) for i in results]
    needed = {i for i in results if i is not None}
    kept: list[Recorded] = []
    for operation, layer in zip(reversed(listener.operations), reversed(list(listener.layers()))):
        if not needed.isdisjoint(operation.outputs):
            needed.update([i for i in operation.inputs if i is not None])
            operation.layer = layer
            if operation.op.effects:
                raise NotImplementedError(f"torch.export: layer {layer!r} {RANDOM}")
            kept.append(operation)
    kept.reverse()
    order: dict[int, int] = {}
    for i in (*[i for o in kept for i in (*o.inputs, *o.outputs)], *results):
        if i is not None:
            order.setdefault(i, len(order))
    for operation in kept:
        operation.inputs = tuple([None if i is None else order[i] for i in operation.inputs])
        operation.outputs = tuple([order[i] for i in operation.outputs])
    items = [listener.items[i] for i in order]
    results = [None if i is None else order[i] for i in results]
    return Recording(kept, items, results, result_tree, listener.looked, written)


def _plain(operations: Sequence[Recorded], arguments: int) -> dict[int, int]:
    """Has operations read what copies into another layout were made of; whether one is needed depends on sizes.

    For the same reason all reshaping is `view`. So many first operations are copies of arguments. Returns for each copy
    what it is a copy of.
    """
    same: dict[int, int] = {}
    for k, operation in enumerate(operations):
        operation.inputs = tuple([None if i is None else same.get(i, i) for i in operation.inputs])
        if (k < arguments or operation.op is RELAYOUT) and operation.inputs[0] is not None:
            same[operation.outputs[0]] = operation.inputs[0]
        elif operation.op in (UNSAFE_VIEW, RESHAPE_ALIAS):
            operation.op = VIEW
    return same
