"""A program of which all that can be is machine code; the rest stays NumPy calls between.

`NativeProgram` cuts the interpreter's list of calls into runs that the compiler understands.  Number arithmetic goes
first, and a NumPy call that needs nothing of a run (a draw, a constant) before it, so that neither divides it.  A view
that somebody outside a run wants is made by NumPy after it.  Whenever an array lies otherwise than its Spec says, the
run's own calls are interpreted instead: the answer is the same.

Most programs are one run, with numbers before it and views after it (`NativeProgram.whole`).  Then everything around
the function is worked out once: which Values are operands, which results are small, lent or looked into, and which of
them somebody waits for.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from itertools import takewhile
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from rushlight.record.program import Call, Interpreting, Program, execute, fail, go_on, run_calls
from rushlight.record.value import Value

from .capture import NotLowered
from .entry import Entry
from .fuse import Plan, Run
from .inplace import Loan, Pair, pairs, picker
from .ir import Function
from .llvm import Printer
from .modules import Modules
from .parallel import Functions
from .results import SMALL, Look, Shelf, looks, maker

if TYPE_CHECKING:
    from .machine import Machine

LONGEST = 4096  # calls in one run: LLVM's own recursion and compile time stay bounded
FEWEST = 1  # a run of fewer calls than this is not worth a call of its own


class Outline(NamedTuple):
    """What is known of a Segment when it is to be run, but for its code: plain data, for other processes.

    Attributes:
        calls: their positions in the program.
        name: what its function is called.
        arrays, numbers, outputs: the slots of its arguments, in order.
        arena: bytes of intermediates.
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
    states: tuple[int, ...]
    guarded: bool
    homes: tuple[Pair, ...]


class Segment:
    """A run of calls as one native function; planned here it has an Entry, else only an Outline."""

    entry: Entry

    def __init__(self, calls: list[Call], outline: Outline) -> None:
        self.calls = calls
        self.outline = outline
        self.function: Callable[..., bool] | None = None
        self.arena = aligned(outline.arena)
        self.operands = picker([*outline.arrays, *outline.numbers])
        self.clock = np.zeros(0, np.int64)
        self.specs = {slot: spec for c in calls for slot, spec in zip(c.outputs, c.specs, strict=True)}
        self.makers = {slot: maker(self.specs[slot]) for slot in outline.outputs}
        self.write_over(outline.homes)

    @classmethod
    def planned(cls, calls: list[Call], entry: Entry) -> Segment:
        """One whose function has just been written; what it may write over is not known yet."""
        states = [entry.arrays.index(x.data) for x in entry.plan.run.draws]
        guarded = any(x.kind == "guard" for x in entry.plan.place)
        arrays, numbers, outputs = tuple(entry.arrays), tuple(entry.numbers), tuple(entry.outputs)
        arena = entry.plan.arena
        made = cls(calls, Outline((), entry.name, arrays, numbers, outputs, arena, tuple(states), guarded, ()))
        made.entry, made.clock = entry, entry.clock
        return made

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
        self.arrange = picker([at[slot] for slot in self.makers])
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
        made = self.arrange(made)
        if slots is None:
            operands: Any = [v.buf if v.__class__ is Value else v for v in self.operands(values)]
            if numbers:
                for k, slot in enumerate(self.outline.numbers, len(self.outline.arrays)):
                    operands[k] = numbers.get(slot, operands[k])
        else:
            operands = self.operands(slots)
        run = self._draw if self.outline.states else self.function
        return made if run(self.arena, *operands, *made) else None  # type: ignore[misc]

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


class NativeProgram:
    """Segments and NumPy calls in order.

    With `keep`, the functions of the loop IR are kept when they are printed; they are much larger than their text.
    The `modules` compile what is printed while the rest is still planned.

    Attributes:
        steps: what is run, in order.
        reasons: for each call left to NumPy, why.
    """

    def __init__(
        self, program: Program, vector_bytes: int, timed: bool = False, keep: bool = False,
        modules: Modules | None = None,
    ) -> None:  # fmt: skip
        self.program = program
        self.timed = timed
        self.vector_bytes = vector_bytes
        self.printer = Printer()
        self.functions = Functions(self.printer.body, keep)
        self.modules = modules
        if modules is not None:
            modules.follow(self.printer, self.functions)
        self.positions: dict[int, int] = {}  # of the calls, by identity
        self.steps: list[Segment | Call] = []
        self.reasons: dict[str, str] = {}
        self._draws = [c for c in program.calls if c.step.op.effects]
        self._read = {slot for c in program.calls for slot in c.inputs}.union(program.live) if self._draws else set()
        first = [c for c in program.calls if _of_numbers(c)]
        first += self._drawn_ahead()
        self.steps.extend(first)
        done = set(map(id, first))
        self._cut([c for c in program.calls if id(c) not in done])
        for step, homes in zip(self.steps, pairs(program, self.steps) if program.homes else (), strict=False):
            if isinstance(step, Segment):
                step.write_over(homes)
        self._arrange()

    @classmethod
    def outlined(cls, program: Program, steps: Sequence[Any]) -> NativeProgram:
        """The program as another process has planned it, or this one before: what `outline` said."""
        self = cls.__new__(cls)
        self.program, self.reasons, calls = program, {}, program.calls
        self.steps = []
        for step in steps:
            if isinstance(step, int):
                self.steps.append(calls[step])
            else:
                outline = Outline(*step)
                self.steps.append(Segment([calls[k] for k in outline.calls], outline))
        self._arrange()
        return self

    def outline(self) -> tuple[Any, ...]:
        """All but the code, as plain data: of each step an Outline, or which of the program's calls it is."""
        at = {id(c): k for k, c in enumerate(self.program.calls)}
        return tuple([
            at[id(s)] if isinstance(s, Call)
            else tuple(s.outline._replace(calls=tuple([at[id(c)] for c in s.calls]), homes=tuple(s.homes)))
            for s in self.steps
        ])  # fmt: skip

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
    def segments(self) -> list[Segment]:
        """The native functions."""
        return [s for s in self.steps if isinstance(s, Segment)]

    def link(self, here: Machine) -> None:
        """Makes the functions."""
        modules, self.modules = self.modules, None
        if modules is None:
            modules = Modules(here, at_once=True)
            modules.follow(self.printer, self.functions)
        modules.link(self.entries, lambda code: self.take(here.callables(*code)))

    @property
    def entries(self) -> list[tuple[Function, str]]:
        """The segments' functions, and their texts."""
        return [(s.entry.function, s.entry.body) for s in self.segments]

    def take(self, functions: Sequence[Callable[..., Any]]) -> None:
        """Has the segments run these functions from now on."""
        for segment, function in zip(self.segments, functions, strict=True):
            segment.function = function

    def text(self) -> str:
        """All of the program's LLVM text."""
        entries = [s.entry for s in self.segments]
        tables = [table for e in entries for table in e.tables]
        return self.printer.program(tables, self.functions, self.entries)

    def listing(self) -> str:
        """The program's functions in the readable form of the loop IR, if they were kept."""
        return "\n\n".join([str(f) for f, _ in self.functions] + [str(s.entry.function) for s in self.segments])

    def _drawn_ahead(self) -> list[Call]:
        """The draws that NumPy makes before everything else: those up to the last one that has no machine code.

        Most draws need nothing but their engine, so none divides a run; only their order matters.  From the first one
        on whose chances are computed here, they are made in their places.
        """
        made = {slot for c in self.program.calls for slot in c.outputs}
        draws = list(takewhile(lambda c: made.isdisjoint(c.inputs), self._draws))
        count = 0
        for k, call in enumerate(draws):
            try:
                self._add(call, Run())
            except NotLowered as why:
                self.reasons.setdefault(call.step.op.name, str(why))
                count = k + 1
        return draws[:count]

    def _add(self, call: Call, run: Run) -> None:
        """Captures one more call of a run; raises NotLowered where it cannot."""
        if call.step.op.effects and self._read.isdisjoint(call.outputs):
            raise NotLowered("random numbers that nobody reads")
        run.add(call)

    def _cut(self, calls: list[Call]) -> None:
        uses: dict[int, list[int]] = {slot: [len(calls)] for slot in self.program.live}
        for at, call in enumerate(calls):
            self.positions[id(call)] = at
            for slot in call.inputs:
                if slot is not None:
                    uses.setdefault(slot, []).append(at)
        members: list[Call] = []
        run, start = Run(), 0
        for at, call in enumerate(calls):
            if not members:
                start = at
            elif len(members) == LONGEST:
                self._close(run, members, start, at, uses)
                run, members, start = Run(), [], at
            try:
                self._add(call, run)
                members.append(call)
            except NotLowered as why:
                self.reasons.setdefault(call.step.op.name, str(why))
                if call.step.op.overwrites or call.step.op.effects or not run.made.keys().isdisjoint(call.inputs):
                    self._close(run, members, start, at, uses)
                    run, members = Run(), []
                self.steps.append(call)  # before the run, if it needs nothing from there
        self._close(run, members, start, len(calls), uses)

    def _close(self, run: Run, members: list[Call], start: int, end: int, uses: dict[int, list[int]]) -> None:
        views = {slot: c for c in members if c.step.op.layouts is not None for slot in c.outputs}
        if len(members) - len(views) < FEWEST:
            self.steps.extend(members)
            return
        wanted = [s for s in run.made if any(not start <= at < end for at in uses.get(s, ()))]
        after: list[Call] = []
        for slot in reversed(list(run.made)):  # a view wanted outside wants its source
            if slot in wanted and slot in views:
                source = views[slot].inputs[0]
                if views[slot] not in after:
                    after.insert(0, views[slot])
                if source in run.made and source not in wanted:
                    wanted.append(source)
        outputs = [s for s in run.made if s in wanted and s not in views]
        try:  # where it fails, the kernels written so far stay: the compiler has been handed them
            plan, name = Plan(run, outputs, self.program.homes), f"run{len(self.steps)}"
            segment = Segment.planned(members, Entry(plan, name, self.vector_bytes, self.functions, self.timed))
        except NotLowered as why:
            self.reasons.setdefault("run", str(why))
            self._halve(members, start, end, uses)
            return
        self.steps.append(segment)
        self.steps.extend(after)

    def _halve(self, members: list[Call], start: int, end: int, uses: dict[int, list[int]]) -> None:
        """Two runs of half the length, where something in one of them has no form."""
        if len(members) == 1:
            self.steps.extend(members)
            return
        half = len(members) // 2
        middle = self.positions[id(members[half])]
        for part, first, last in ((members[:half], start, middle), (members[half:], middle, end)):
            run = Run()
            try:
                for call in part:
                    run.add(call)
            except NotLowered:
                self.steps.extend(part)
            else:
                self._close(run, part, first, last, uses)

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
        first = [s for s in self.steps[:at] if isinstance(s, Call) and _of_numbers(s)]
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
            made = [*made, *[look.at(made[k], values) for look, k in self.looks]]
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


def _of_numbers(call: Call) -> bool:
    """Whether a call only computes numbers from numbers."""
    step = call.step
    known = [s for s in step.input_specs if s is not None]
    return bool(known) and all(s.wrapped for s in (*known, *step.specs))
