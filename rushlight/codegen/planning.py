"""What of a program becomes machine code: its calls, cut into runs that the compiler understands.

Number arithmetic goes first, and a NumPy call that needs nothing of a run (a draw, a constant) before it, so that
neither divides it.  A view that somebody outside a run wants is made by NumPy after it.  Each run becomes a function
(`entry.py`), whose text is compiled while the rest is still planned (`modules.py`).
"""

from __future__ import annotations

from itertools import takewhile
from typing import TYPE_CHECKING, Any

from rushlight.record.program import Call, Program

from .arena import ALWAYS
from .capture import NotLowered
from .entry import Entry
from .fuse import Plan, Run
from .inplace import pairs
from .ir import Function
from .llvm import Printer
from .modules import Modules
from .native import NativeProgram, Outline, Segment, of_numbers
from .parallel import Functions

if TYPE_CHECKING:
    from .machine import Machine

LONGEST = 4096  # calls in one run: LLVM's own recursion and compile time stay bounded
FEWEST = 1  # a run of fewer calls than this is not worth a call of its own


class PlannedSegment(Segment):
    """A Segment whose function has just been written; what it may write over is not known yet."""

    def __init__(self, calls: list[Call], entry: Entry) -> None:
        states = [entry.arrays.index(x.data) for x in entry.plan.run.draws]
        guarded = any(x.kind == "guard" for x in entry.plan.place)
        slots = tuple(entry.arrays), tuple(entry.numbers), tuple(entry.outputs)
        keeps = bool((entry.plan.memories.taken[:, 3] == ALWAYS).any())
        super().__init__(calls, Outline((), entry.name, *slots, entry.plan.arena, keeps, tuple(states), guarded, ()))
        self.entry, self.clock = entry, entry.clock


class PlannedProgram(NativeProgram):
    """A program that has just been planned.

    With `keep`, the functions of the loop IR are kept when they are printed; they are much larger than their text.
    The `modules` compile what is printed while the rest is still planned.

    Attributes:
        reasons: for each call left to NumPy, why.
    """

    steps: list[PlannedSegment | Call]

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
        self.steps = []
        self.reasons: dict[str, str] = {}
        self._draws = [c for c in program.calls if c.step.op.effects]
        self._read = {slot for c in program.calls for slot in c.inputs}.union(program.live) if self._draws else set()
        first = [c for c in program.calls if of_numbers(c)]
        first += self._drawn_ahead()
        self.steps.extend(first)
        done = set(map(id, first))
        self._cut([c for c in program.calls if id(c) not in done])
        for step, homes in zip(self.steps, pairs(program, self.steps) if program.homes else (), strict=False):
            if isinstance(step, Segment):
                step.write_over(homes)
        super().__init__(program, self.steps)

    def outline(self) -> tuple[Any, ...]:
        """All but the code, as plain data: of each step an Outline, or which of the program's calls it is."""
        at = {id(c): k for k, c in enumerate(self.program.calls)}
        return tuple([
            at[id(s)] if isinstance(s, Call)
            else tuple(s.outline._replace(calls=tuple([at[id(c)] for c in s.calls]), homes=tuple(s.homes)))
            for s in self.steps
        ])  # fmt: skip

    @property
    def segments(self) -> list[PlannedSegment]:
        """The native functions, which all have been planned here."""
        return [s for s in self.steps if isinstance(s, PlannedSegment)]

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
            segment = PlannedSegment(members, Entry(plan, name, self.vector_bytes, self.functions, self.timed))
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
