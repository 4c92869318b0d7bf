"""A flush: which recorded Values are still wanted, and the program that computes them.

Reference counts say what somebody outside the trace still holds.  (State, wanted slots) names a `Program`, which is
made the first time; what the automaton does not know is computed step by step.  The wanted Values get their arrays, and
those that update a parameter are written where its old numbers lie.
"""

from __future__ import annotations

from collections.abc import Sequence
from sys import getrefcount
from typing import TYPE_CHECKING, Any

import numpy as np

from rushlight.core.memory import told

from .program import Failed, Program, Unfinished, build, run_once
from .state import Loose, State, steps_to
from .value import Value

if TYPE_CHECKING:
    from .trace import Trace

SLOW = 200  # calls of a program that the interpreter takes long for


def compute(trace: Trace) -> None:
    """Runs what the trace recorded, for the Values that somebody outside the trace still holds."""
    values = trace.values
    if trace.rewritten is not None:
        _let_go(values, trace.rewritten)
    state: Any = trace.state
    if state.__class__ is Loose:
        state = trace.state = trace.recorder.automaton.sight(state)
    produced, donors = state.memos.get(trace.replayed) or _produced(trace)
    live = _held(values, produced)
    donated = donors and tuple([i for i in donors if getrefcount(values[i]) == 2 and _owned(values[i])])
    why = None
    try:
        program = state.programs.get((live, donated))
        arrays = _first_arrays(trace, live, donated) if program is None else program.run(values)
    except Unfinished as stopped:
        arrays, why = stopped.arrays, stopped.why
    except BaseException as failure:
        shown = told(failure)
        for i in live:
            values[i].failed = shown
        raise shown  # noqa: B904 - it says its cause, or is the failure itself
    wanted = [values[i] for i in live]
    trace.values = values = []
    if why is not None:
        wanted, arrays = _computed(wanted, arrays)
    for v, array in zip(wanted, arrays, strict=True):
        v.buf = array
        v.trace = None
        if v.home is array:
            v.home = None  # they were computed there
        elif v.home is not None:
            settle_at_home(v)
    if why is not None:
        raise why


def _computed(wanted: list[Value], arrays: Sequence[Any]) -> tuple[list[Value], list[Any]]:
    """Those of the Values that could be computed, and their arrays; the others are told why not."""
    found: tuple[list[Value], list[Any]] = [], []
    for v, array in zip(wanted, arrays, strict=True):
        if array.__class__ is Failed:
            v.failed = array.why
        else:
            found[0].append(v)
            found[1].append(array)
    return found


def _first_arrays(trace: Trace, live: tuple[int, ...], donated: tuple[int, ...]) -> Sequence[Any]:
    """The arrays of the live slots, where there is no program for them yet."""
    automaton, state, values = trace.recorder.automaton, trace.state, trace.values
    if State.count > automaton.limit:
        automaton.forget()
    if isinstance(state, Loose):
        steps, state.taken = steps_to(state), []  # whoever holds the graph needs no more than its nodes' own
        return run_once(steps, values, live, donated)
    program = _program(state, live, donated)
    program.homes = _homes(values, live)
    return program.run(values)


def _program(state: State, live: tuple[int, ...], donated: tuple[int, ...]) -> Program:
    """The program of a State and what is wanted of it, which is kept; if other things are, from the second time on.

    A long one is compiled a turn sooner: it takes the interpreter long, and few long ones repeat just once.
    """
    program = build(steps_to(state), live, donated)
    if not state.programs or (live, donated) in state.programs:
        state.programs[live, donated] = program
        program.runs = (Program.patience > 1) + (Program.patience > 2 and len(program.calls) >= SLOW)
    else:
        state.programs[live, donated] = None
    return program


def _held(values: list[Any], slots: Sequence[int], ours: int = 0) -> tuple[int, ...]:
    """Those of the slots whose Values somebody outside `values` refers to; `ours` counts this loop's references.

    The newest come first: a view that nobody holds lets go of its root.
    """
    held = []
    ours = ours or OURS
    for i in slots:
        v = values[i]
        if getrefcount(v) > ours:
            held.append(i)
        elif v.root is not None:
            v.root = None
    return tuple(held)


# How many references to a Value the loop above and the list hold depends on the interpreter: count them once.
OURS = next(n for n in range(1, 9) if not _held([Value()], (0,), n))


def _let_go(values: list[Any], slots: Sequence[int]) -> None:
    """Has overwritten Values that nobody can ask for any more forget their tensors, which hold the new Values."""
    for i in slots:
        v = values[i]
        if getrefcount(v) <= OURS:
            v.stale = None


def _owned(v: Value) -> bool:
    return v.exposure is None and v.root is None and v.buf.flags.writeable and v.home is None


def _homes(values: list[Any], live: tuple[int, ...]) -> dict[int, int]:
    """Which results update which inputs."""
    held = {id(v.buf): i for i, v in enumerate(values) if isinstance(v, Value) and v.buf is not None}
    found = {i: held.get(id(values[i].home)) for i in live if values[i].home is not None}
    return {new: old for new, old in found.items() if old is not None}


def settle_at_home(v: Value) -> None:
    """An updated parameter keeps its buffer, if nobody needs the numbers that were in it."""
    home, v.home = v.home, None
    if home is v.buf:
        return  # they were computed there
    if home is None or getrefcount(home) != 2 or home.strides != v.buf.strides:
        return
    base = home.base
    if base is not None and (
        getrefcount(base) != 3 or base.__class__ is not np.ndarray or base.base is not None or base.size != home.size
    ):
        return
    try:
        home[...] = v.buf
    except ValueError:
        return  # read-only
    v.buf = home


def _produced(trace: Trace) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The slots of pending Values, the newest first, and the input slots that an operation would like to overwrite.

    A memo of the State, under the memos that its trace has taken.
    """
    steps = steps_to(trace.state)
    produced = [slot for step in steps for slot in step.outputs]
    donors = {s.inputs[0] for s in steps if s.kind.op.overwrites}
    donors = donors and donors.difference(produced)
    values = trace.values
    pending = tuple([i for i in reversed(produced) if values[i] is not None])
    found = trace.state.memos[trace.replayed] = pending, tuple(sorted([d for d in donors if d is not None]))
    return found
