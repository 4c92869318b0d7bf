"""A program of which all that can be is machine code; the rest stays NumPy calls between.

What it consists of has been planned (`planning.py`), by this process, the compiler's or an earlier one: here it is run.
Whenever an array lies otherwise than its Spec says, a Segment's own calls are interpreted instead: the answer is the
same.

Most programs are one Segment, with numbers before it and views after it (`NativeProgram.whole`).  Then everything
around the function is worked out once: which Values are operands, which results are small, lent or looked into, and
which of them somebody waits for.

Nothing here loads LLVM or the planner: a process that finds its programs in the cache needs neither.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Any, NamedTuple
from weakref import WeakValueDictionary

import numpy as np

from rushlight.record.program import Call, Interpreting, Program, execute, fail, go_on, run_calls
from rushlight.record.value import Value

from .results import SMALL, Loan, Look, Pair, Shelf, looks, maker, picker


class Outline(NamedTuple):
    """What is known of a Segment when it is to be run, but for its code: plain data, for other processes.

    Attributes:
        calls: their positions in the program.
        name: what its function is called.
        arrays, numbers, outputs: the slots of its arguments, in order.
        arena: bytes of intermediates.
        keeps: whether something stays in the arena from one run to the next.
        states: which of the arrays are engines' states that it draws from.
        guarded: whether it may be left halfway.
        homes: which results may be written where the old numbers lie that they replace.
    """

    calls: tuple[int, ...]
    name: str
    arrays: tuple[int, ...]
    numbers: tuple[int, ...]
    outputs: tuple[int, ...]
    arena: int
    keeps: bool
    states: tuple[int, ...]
    guarded: bool
    homes: tuple[Pair, ...]


class Segment:
    """A run of calls as one native function."""

    def __init__(self, calls: list[Call], outline: Outline) -> None:
        self.calls = calls
        self.outline = outline
        self.function: Callable[..., bool] | None = None
        self.arena = aligned(outline.arena) if outline.keeps else shared(outline.arena)
        self.operands = picker([*outline.arrays, *outline.numbers])
        self.arrays, self.numbers = picker(outline.arrays), picker(outline.numbers)
        self.specs = {slot: spec for c in calls for slot, spec in zip(c.outputs, c.specs, strict=True)}
        self.makers = {slot: maker(self.specs[slot]) for slot in outline.outputs}
        self.write_over(outline.homes)

    def write_over(self, found: Sequence[Pair]) -> None:
        """Notes which results may be written where the old numbers lie that they replace."""
        self.homes = found
        specs, lent = self.specs, [new for new, _ in found]
        fresh = [slot for slot in self.makers if slot not in set(lent)]
        small = [slot for slot in fresh if specs[slot].nbytes <= SMALL]
        large = [slot for slot in fresh if specs[slot].nbytes > SMALL]
        at = {slot: k for k, slot in enumerate([*small, *large, *lent])}
        self.shelf = Shelf([self.makers[slot] for slot in small])
        self.large = [self.makers[slot] for slot in large]
        places = [at[slot] for slot in self.makers]
        self.arrange = picker(places) if places != sorted(places) else None
        self.loan = Loan(found, [self.makers[slot] for slot in lent])

    def run(self, values: Sequence[Any], slots: Sequence[Any] | None = None, numbers: Any = None) -> Any:
        """The run's results in the order of the outline's outputs; None if the operands do not lie as was expected.

        The operands are in the `slots`, or, where this is the whole program, they are its `values`, but for the
        `numbers` (by slot) that were computed before.
        """
        made: Any = self.shelf.take()
        if self.large:
            made += [make() for make in self.large]
        if self.homes:
            made += self.loan.arrays(values, slots is not None)
        if self.arrange is not None:
            made = self.arrange(made)
        if slots is None:
            operands: Any = [v.buf for v in self.arrays(values)]
            if self.outline.numbers:
                operands += self._numbers_of(values, numbers)
        else:
            operands = self.operands(slots)
        run = self._draw if self.outline.states else self.function
        return made if run(self.arena, *operands, *made) else None  # type: ignore[misc]

    def _numbers_of(self, values: Sequence[Any], known: Any) -> list[Any]:
        """The numbers among the operands, those computed before the run among them."""
        found = [v.buf if v.__class__ is Value else v for v in self.numbers(values)]
        return [known.get(slot, x) for slot, x in zip(self.outline.numbers, found)] if known else found

    def _draw(self, arena: np.ndarray, *arguments: Any) -> bool:
        """Runs a function that draws random numbers; where it is left halfway, they count as not drawn."""
        with ExitStack() as locks:
            states = [arguments[k] for k in self.outline.states]
            for state in states:
                locks.enter_context(state.engine.lock)
            before = [state.copy() for state in states] if self.outline.guarded else ()
            if self.function(arena, *arguments):  # type: ignore[misc]
                return True
            for state, old in zip(states, before, strict=False):
                state[:] = old
            return False


def aligned(nbytes: int) -> np.ndarray:
    """Memory that begins at a multiple of 64 bytes."""
    raw = np.zeros(nbytes + 64, np.uint8)
    start = -raw.ctypes.data % 64
    return raw[start : start + nbytes]


def shared(nbytes: int) -> np.ndarray:
    """Memory for intermediates of which nothing stays: whoever's size rounds up to the same power of two has the same.

    One native function runs at a time, for it keeps Python's lock. Else a pass in fifty pieces would have fifty arenas.
    """
    size = 1 << (nbytes - 1).bit_length() if nbytes else 0
    block = _shared.get(size)
    if block is None:
        block = _shared[size] = aligned(size)
    return block


_shared: WeakValueDictionary[int, np.ndarray] = WeakValueDictionary()  # gone with the last program that has it


class NativeProgram:
    """Segments and NumPy calls in order.

    Attributes:
        steps: what is run, in order.
    """

    def __init__(self, program: Program, steps: Sequence[Segment | Call]) -> None:
        self.program = program
        self.steps = steps
        self._arrange()

    @classmethod
    def outlined(cls, program: Program, outline: Sequence[Any]) -> NativeProgram:
        """The program as it was planned: of each step an Outline's fields, or which of the program's calls it is."""
        calls = program.calls
        steps = [Outline(*step) if isinstance(step, tuple) else calls[step] for step in outline]
        return cls(program, [Segment([calls[k] for k in s.calls], s) if isinstance(s, Outline) else s for s in steps])

    def _arrange(self) -> None:
        """Works out once what is the same in every run."""
        self.frees = self._last_uses()
        self.inputs = self._inputs()
        self.first: list[Call] = []
        self.whole: Segment | None = None
        self.looks: list[tuple[Look, int]] = []
        self.collect = picker([])
        self._join()

    @property
    def segments(self) -> Sequence[Segment]:
        """The native functions."""
        return [s for s in self.steps if isinstance(s, Segment)]

    def take(self, functions: Sequence[Callable[..., Any]]) -> None:
        """Has the segments run these functions from now on."""
        for segment, function in zip(self.segments, functions, strict=True):
            segment.function = function

    def _last_uses(self) -> list[tuple[int, ...]]:
        """For each step, the slots whose arrays nobody reads after it."""
        seen = set(self.program.live)
        frees: list[tuple[int, ...]] = []
        for step in reversed(self.steps):
            calls = [step] if isinstance(step, Call) else step.calls
            touched = {i for c in calls for i in (*c.inputs, *c.outputs) if i is not None}
            frees.append(tuple(touched - seen))
            seen |= touched
        return frees[::-1]

    def _inputs(self) -> list[int]:
        """The slots that are filled before the first step and that some step reads."""
        calls = self.program.calls
        made = {slot for c in calls for slot in c.outputs}
        return sorted({i for c in calls for i in c.inputs if i is not None} - made)

    def _join(self) -> None:
        """Sees whether all is one function, arithmetic among numbers before it and looks at its results: as usual."""
        segments = self.segments
        at = self.steps.index(segments[0]) if len(segments) == 1 else 0
        first = [s for s in self.steps[:at] if isinstance(s, Call) and of_numbers(s)]
        after = [s for s in self.steps[at + 1 :] if isinstance(s, Call)]
        if len(segments) != 1 or len(first) != at:
            return
        (whole,) = segments
        found = looks(after, {slot: whole.specs[slot] for slot in whole.makers})
        if found is None:
            return
        wanted = [look for look in found if look.slot in self.program.live]
        made = [*whole.makers, *(look.slot for look in wanted)]
        if set(self.program.live) <= set(made):
            self.first, self.whole = first, whole
            self.looks = [(look, made.index(look.source)) for look in wanted]
            self.collect = picker([made.index(slot) for slot in self.program.live])

    def run(self, values: Sequence[Any]) -> Sequence[np.ndarray]:
        """The arrays of the live slots: what `Program.run` returns."""
        whole = self.whole
        if whole is None:
            return self._run_steps(values)
        made = whole.run(values, None, self._numbers(values) if self.first else None)
        if made is None:
            return self._interpreted(values)
        if self.looks:
            made = [*made]
            for look, k in self.looks:
                made.append(look.at(made[k], values))
        return self.collect(made)

    def _numbers(self, values: Sequence[Any]) -> Any:
        """The results of the arithmetic among numbers, and its operands, by slot."""
        slots: Any = {}
        with Interpreting():
            for call in self.first:
                for i in call.inputs:
                    if i is not None and i not in slots:
                        v = values[i]
                        slots[i] = v.buf if v.__class__ is Value else v
                execute(call, slots)
        return slots

    def _run_steps(self, values: Sequence[Any]) -> list[np.ndarray]:
        slots: list[Any] = [None] * len(values)
        for i in self.inputs:
            v = values[i]
            slots[i] = v.buf if v.__class__ is Value else v
        why = None
        if Program.interpreting is not None:
            Program.interpreting(len(self.steps) - len(self.segments))
        with Interpreting():
            for at, (step, frees) in enumerate(zip(self.steps, self.frees, strict=True)):
                why = self._run_step(step, values, slots)
                if why is not None:
                    self._finish(at, why, slots)
                    break
                for i in frees:
                    slots[i] = None
        return self.program.collect(slots, values, why)

    def _run_step(self, step: Call | Segment, values: Sequence[Any], slots: list[Any]) -> Exception | None:
        """Runs one step; returns what stopped it."""
        if step.__class__ is Call:
            try:
                execute(step, slots)
            except Exception as why:
                return why
            return None
        made = step.run(values, slots)  # type: ignore[union-attr]
        if made is None:
            return run_calls(step.calls, slots)  # type: ignore[union-attr]
        for slot, array in zip(step.outline.outputs, made, strict=True):  # type: ignore[union-attr]
            slots[slot] = array
        return None

    def _finish(self, at: int, why: Exception, slots: list[Any]) -> None:
        """What does not need the step that failed, by the interpreter."""
        later = [c for s in self.steps[at + 1 :] for c in ([s] if isinstance(s, Call) else s.calls)]
        step = self.steps[at]
        if isinstance(step, Call):
            fail(step, slots, why)
        go_on(later, slots)

    def _interpreted(self, values: Sequence[Any]) -> list[np.ndarray]:
        """As `Program.run` does it."""
        return self.program.interpret(values)


def of_numbers(call: Call) -> bool:
    """Whether a call only computes numbers from numbers."""
    step = call.step
    known = [s for s in step.input_specs if s is not None]
    return bool(known) and all(s.wrapped for s in (*known, *step.specs))
