"""Long stretches of recording as one edge of the automaton: optimizer steps, backward passes.

`memoised` is given tensors, numbers and a function that records what is to be made of them.  It first *binds* them:
one edge, whose key says which slots they have, so that the State reached determines the whole stretch.  There the
stretch is recorded the first time, and kept as a `Memo`: where it leads, and which of its slots are results.  From then
on the State jumps, the slots are skipped, and the results appear.  `replay` alone is for a stretch that the State
determines already.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from rushlight.core.bounded import Bounded

from . import trace as tracing
from .operation import Operation
from .spec import NUMBERS
from .state import MAX_SLOTS, State
from .trace import Trace, apply, recorder, rollback, settle
from .value import Tensor, Value, tensor_of, value_holding


class Memo:
    """A stretch of recording: where it leads, what it leaves in the slots, and which slots are its results."""

    __slots__ = ("results", "state", "tail")

    def __init__(self, state: Any, tail: list[Any], results: list[Any]) -> None:
        self.state = state
        self.tail = tail
        self.results = results


class Unbound(NotImplementedError):
    """The tensors are of a kind that the recorder does not know."""


UNMEMOISABLE = object()
PLACES = 6  # after so many different beginnings a stretch is recorded by itself
_places: Bounded[tuple[Any, ...], int] = Bounded(1000)  # of stretches


def _bind_kernel(*inputs: Any, key: Any) -> tuple[()]:
    raise AssertionError("binding inputs computes nothing")


BIND = Operation("bind", lambda *specs, key: (), _bind_kernel, None, "")


def memoised(
    key: tuple[Any, ...],
    tensors: Sequence[Tensor],
    numbers: Sequence[Any],
    build: Callable[[list[Tensor], list[Tensor]], list[Any]],
) -> list[Value]:
    """Records `build(tensors, numbers)` outside the tape; when the same is asked in the same State again, as one edge.

    `key` must determine everything that `build` does apart from the tensors and the numbers, which it gets as
    zero-dimensional tensors: their values are free to change from call to call.
    """
    me = recorder()
    tracking, me.tracking = me.tracking, False
    me.hold += 1
    numbers = [x if x.__class__ in NUMBERS else x.item() for x in numbers]  # a learning rate from NumPy
    try:
        with me.lock:
            if tracing.EAGER:
                return [settle(t) for t in build(list(tensors), [_number(x) for x in numbers])]
            if not _bound(me.trace, key, tensors, numbers):
                _cut_if_strayed(me, key, tensors)
                try:
                    bind(key, tensors, numbers)
                except Unbound:
                    return [settle(t) for t in build(list(tensors), [_number(x) for x in numbers])]
            trace = me.trace
            memo = trace.state.memos.get("bound")
            if memo.__class__ is Memo:
                return _skipped(memo, trace)
            first = len(trace.values) - len(numbers)
            made = _kept("bound", lambda: build(list(tensors), _number_slots(trace, numbers, first)))
            if trace.state.__class__ is State:
                _places.pop(_kind(key, tensors), None)  # it repeats where it is
            return [settle(t) for t in made]
    finally:
        me.tracking = tracking
        me.hold -= 1
        if not me.hold and len(me.trace.values) > MAX_SLOTS:
            me.flush()


def _cut_if_strayed(me: tracing.Recorder, key: tuple[Any, ...], tensors: Sequence[Tensor]) -> None:
    """Computes first what was recorded, where the same stretch keeps coming after what was not recorded before.

    A training step whose shapes differ each time would make a new program of its optimizer, too; behind a cut the
    optimizer's is always the same one.
    """
    if me.hold > 1 or not me.trace.values:
        return
    kind = _kind(key, tensors)
    places = _places.get(kind, 0)
    if places >= PLACES:
        me.flush()
    else:
        _places[kind] = places + 1


def _kind(key: tuple[Any, ...], tensors: Sequence[Tensor]) -> tuple[Any, ...]:
    return key, tuple([t._value.spec for t in tensors])


def bind(key: tuple[Any, ...], tensors: Sequence[Tensor], numbers: Sequence[Any] = ()) -> None:
    """Gives the tensors and numbers slots, by one edge that the key names."""
    if not _bound(recorder().trace, key, tensors, numbers):
        apply(BIND, (*tensors, *numbers), (key,))


def _bound(trace: Trace, key: tuple[Any, ...], tensors: Sequence[Tensor], numbers: Sequence[Any]) -> bool:
    """Takes the edge that `apply(BIND, ...)` would take, if it is known and every tensor is ready: the usual case."""
    values = trace.values
    edge: list[Any] = [BIND, (key,)]
    for t in tensors:
        storage, v = t._storage, t._value
        if storage is not None and t._seen != storage.version:
            break
        if v.trace is trace:
            edge.append(v.slot)
        elif v.buf is None or v.exposure is not None:
            break
        else:
            edge.append(v.spec)
            v.slot = len(values)
            v.trace = trace
            values.append(v)
    else:
        edge += map(type, numbers)
        state = trace.state.edges.get(tuple(edge))
        if state is not None:
            values += numbers
            trace.state = state
            return True
    rollback(trace)
    return False


def replay(key: Any, record: Callable[[], Sequence[Tensor | None]]) -> Sequence[Tensor | None]:
    """Takes the memo `key` of the present State, or runs `record` and keeps what it did as that memo.

    Everything that `record` reads must be determined by the State and the key.
    """
    trace = recorder().trace
    memo = trace.state.memos.get(key)
    if memo.__class__ is Memo:
        return [None if v is None else tensor_of(v) for v in _skipped(memo, trace)]
    return _kept(key, record)


def _kept(key: Any, record: Callable[[], Any]) -> Any:
    """Runs `record`, the first time here; keeps what it did, if another time may skip it."""
    trace = recorder().trace
    start, width = trace.state, len(trace.values)
    results = record()
    if trace.state.__class__ is State and key not in start.memos:
        start.memos[key] = _memo_of(trace, results, width)
    return results


def _skipped(memo: Memo, trace: Trace) -> list[Any]:
    """Goes where the memo leads; its results, a Value each or None."""
    values = trace.values
    values.extend(memo.tail)
    trace.state = memo.state
    trace.replayed += (memo,)
    results: list[Value | None] = []
    for found in memo.results:
        if found is None:
            results.append(None)
            continue
        slot, spec = found
        v = values[slot]
        if v is None:
            v = values[slot] = Value()
            v.spec = spec
            v.trace = trace
            v.slot = slot
            v.buf = v.root = v.home = v.exposure = None
        results.append(v)
    return results


def _memo_of(trace: Trace, results: Sequence[Tensor | None], width: int) -> Any:
    if recorder().trace is not trace:
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
    return Memo(trace.state, tail, kept)


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
