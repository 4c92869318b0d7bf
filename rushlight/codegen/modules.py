"""A program's functions as modules of LLVM: compiled beside the planning, hastily first, then with care.

The kernels come one after the other, as the planner writes them.  A few make a module, which is compiled, and kept on
disk, by itself: a program that shares kernels with one that was there before, in this process or another, finds them.
Where a module ends depends on the last kernel's text alone, so that one more kernel moves no other borders.

Compiled with care, a program of a thousand calls takes LLVM seconds, and the interpreter is slow meanwhile.  Without
LLVM's optimizations of loops and its better choice of instructions it takes a third of that, and runs in two to four
times the time: still faster than the interpreter.  So there is a thread beside the planner, the `Worker`, which does
hastily whatever there is no code for, and the program runs natively as soon as there is code for all modules.  Then,
when no program waits for haste, the thread compiles them again, with care: first the program that is worth most, and of
it what takes most of its time for its length.  While they get better the program is linked anew, a few times.

Either way gives the same numbers: what is left out changes no arithmetic.
"""

from __future__ import annotations

import hashlib
import re
import threading
import warnings
from collections import deque
from collections.abc import Callable, Hashable, Sequence
from typing import TYPE_CHECKING

from .ir import Function
from .linking import Code
from .llvm import Printer
from .parallel import Functions

if TYPE_CHECKING:
    from .machine import Machine

LEAST, MOST = 6_000, 24_000  # characters of a module, unless one function has more
LAST_OF = 4  # one kernel of so many ends a module that is long enough
SHORT = 60_000  # characters of a function without kernels that is compiled with care at once
SHARE = 0.3  # of a program's time: when so much of it has become better, it is linked anew
KEPT = 48  # programs that wait for care; the least worthy of more stay as they are
IMPORTS = re.compile(r"@(rushlight_\w+)\(")  # where LLVM's language calls what is in `imports.py`


Take = Callable[[Code], None]


class Module:
    """Some functions that are compiled together.

    Attributes:
        text, hasty: its text, and the text that asks LLVM to make haste.
        keys: what the machine code of both is called in the cache.
        functions: what is in it.
        imports: what it calls of our own that is not in the program.
        code: the machine code that there is.
        careful: whether that was made with care.
        linked: whether the program runs with it.
    """

    def __init__(self, functions: Sequence[Function], text: str, hasty: str, here: Machine) -> None:
        self.functions, self.text, self.hasty = functions, text, hasty
        self.keys = here.key(text), here.key(hasty)
        self.imports = frozenset(IMPORTS.findall(text))
        self.length = len(text)
        self.code: bytes | None = None
        self.careful = self.linked = False


class Worker:
    """The thread that compiles modules, those of all programs: in haste what somebody waits for, then with care.

    Attributes:
        changed: notified whenever there is more to do, or something is done.
        programs: those with modules that may become better.
        waited_for: whatever cannot run yet; while there is anything, nothing is done with care.
    """

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self.programs: list[Modules] = []
        self.waited_for: set[Hashable] = set()
        self.thread: threading.Thread | None = None

    def hold(self, what: Hashable) -> None:
        """Nothing is done with care until this is released."""
        with self.changed:
            self.waited_for.add(what)

    def release(self, what: Hashable) -> None:
        """This need not be waited for any more."""
        with self.changed:
            self.waited_for.discard(what)
            self.changed.notify_all()

    def add(self, program: Modules) -> None:
        """There is something to do for this program."""
        with self.changed:
            if program not in self.programs:
                self.programs.append(program)
            if self.thread is None:
                self.thread = threading.Thread(target=self._work, name="rushlight-llvm", daemon=True)
                self.thread.start()
            self.changed.notify_all()

    def busy(self) -> bool:
        """Whether anything is left to do."""
        with self.changed:
            return bool(self.programs)

    def stop(self) -> None:
        """Nothing more is begun."""
        with self.changed:
            self.programs.clear()
            self.changed.notify_all()

    def join(self, timeout: float) -> bool:
        """Waits until nothing is left to do."""
        with self.changed:
            return self.changed.wait_for(lambda: self.thread is None, timeout)

    def _work(self) -> None:
        while (found := self._next()) is not None:
            program, module, careful = found
            program.compile(module, careful)

    def _next(self) -> tuple[Modules, Module, bool] | None:
        """A module, and whether to compile it with care; None when there is nothing left to do."""
        with self.changed:
            while True:
                for program in [p for p in self.programs if p.done()]:
                    self._leave(program)
                for program in self.programs:
                    if program.fresh:
                        return program, program.fresh.popleft(), False
                waiting = sorted([p for p in self.programs if p.closed], key=lambda p: p.worth)
                if not self.programs:
                    self.thread = None
                    self.changed.notify_all()
                    return None
                for program in waiting[:-KEPT]:
                    self._leave(program)
                if waiting and not self.waited_for:
                    return waiting[-1], waiting[-1].heaviest(), True
                self.changed.wait()

    def _leave(self, program: Modules) -> None:
        self.programs.remove(program)
        program.leave()


WORKER = Worker()


class Modules:
    """All modules of a program.

    `at_once`, nothing is compiled before everything is written, and then with care, by the thread that asks for it.
    Used in a `with` statement, at the end of which the program is linked, or never will be.

    Attributes:
        worth: which programs come first when there is time for care: the greater.
        fresh: those that nobody has looked at.
        closed: whether there will be no more.
        names: of the functions wanted.
    """

    def __init__(
        self, here: Machine, at_once: bool = False, finished: Callable[[], object] = lambda: None, worth: float = 0.0
    ) -> None:
        """`finished` is called when nothing will get better any more."""
        self._here, self._at_once, self.worth = here, at_once, worth
        self._worker = WORKER
        self._finished: Callable[[], object] | None = finished
        self._printer, self._functions = Printer(), Functions(str)
        self._modules: list[Module] = []
        self._part: list[tuple[Function, str]] = []
        self._size = 0
        self.fresh: deque[Module] = deque()
        self._failure: Exception | None = None
        self.names: tuple[str, ...] = ()
        self._take: Take | None = None  # set when the program has been linked
        self.closed = False

    def __enter__(self) -> Modules:
        self._worker.hold(self)
        return self

    def __exit__(self, *failure: object) -> None:
        with self._worker.changed:
            self.closed = True
            if self._take is None:
                self._modules, self.fresh = [], deque()
        self._worker.release(self)

    def follow(self, printer: Printer, functions: Functions) -> None:
        """Takes over whatever kernels are among the functions, and all that will be."""
        self._printer, self._functions = printer, functions
        for function, text in functions:
            self._add(function, text)
        functions.found = self._add

    def _add(self, function: Function, text: str) -> None:
        self._part.append((function, text))
        self._size += len(text)
        ends = hashlib.sha256(text.encode()).digest()[0] % LAST_OF == 0
        if self._size >= MOST or (self._size >= LEAST and ends):
            self._put()

    def _put(self) -> None:
        """What has been added is a module."""
        part, self._part, self._size = self._part, [], 0
        if part:
            tables = self._functions.tables_in(part)
            text, hasty = (self._printer.program(tables, part, (), False, h) for h in (False, True))
            self._wait_for(Module([f for f, _ in part], text, hasty, self._here))

    def _wait_for(self, module: Module) -> None:
        with self._worker.changed:
            self._modules.append(module)
            self.fresh.append(module)
        if not self._at_once:
            self._worker.add(self)

    def link(self, entries: Sequence[tuple[Function, str]], take: Take) -> None:
        """All is written: hands out the code, now, and again whenever it has become better."""
        self.write(entries)
        if self._at_once:
            for module in self._modules:
                module.code = self._here.object_code(module.text)
        with self._worker.changed:
            self._worker.changed.wait_for(lambda: self._failure or all(m.code is not None for m in self._modules))
            if self._failure is not None:
                raise self._failure
        self._link(take)
        self._take = take

    def write(self, entries: Sequence[tuple[Function, str]]) -> None:
        """The last module, with the functions around the kernels."""
        self._put()
        self.names = tuple([f.name for f, _ in entries])
        tables = self._functions.tables_in(entries)
        text, hasty = (self._printer.program(tables, (), entries, False, h) for h in (False, True))
        alone = not self._modules and len(text) <= SHORT
        self._wait_for(Module([f for f, _ in entries], text, text if alone else hasty, self._here))

    def _link(self, take: Take) -> None:
        with self._worker.changed:
            codes = tuple([m.code for m in self._modules if m.code is not None])
            for module in self._modules:
                module.linked = module.careful
        take(Code(codes, self.names, self.imports))

    @property
    def imports(self) -> tuple[str, ...]:
        """What the modules call of our own."""
        return tuple(sorted(frozenset[str]().union(*[m.imports for m in self._modules])))

    @property
    def keys(self) -> tuple[tuple[str, str], ...]:
        """What the modules' machine code is called in the cache, made with care and in haste."""
        return tuple([m.keys for m in self._modules])

    # -- For the Worker

    def done(self) -> bool:
        """Whether nothing will get better any more."""
        return self._failure is not None or (self.closed and all(m.careful for m in self._modules))

    def heaviest(self) -> Module:
        """What takes most of the program's time for its length, of what was made in haste."""
        rest = [m for m in self._modules if not m.careful]
        return max(rest, key=lambda m: self._cost(m) / m.length)

    def compile(self, module: Module, careful: bool) -> None:
        """Makes the code of one module, and links the program anew if that is worth while."""
        try:
            if careful:
                self._improve(module)
            else:
                self._compile(module, False)
            self._link_again()
        except Exception as failure:
            with self._worker.changed:
                self._failure = failure
                self._worker.changed.notify_all()

    def leave(self) -> None:
        """Nothing gets better any more: nobody keeps anybody alive."""
        finished, self._finished, self._functions.found = self._finished, None, None
        if finished is not None:
            finished()

    def _improve(self, module: Module) -> None:
        try:
            self._compile(module, True)
        except Exception as failure:
            module.careful = True  # this is as good as it gets
            warnings.warn(f"Rushlight keeps code that was made in haste: {failure!r}", stacklevel=2)

    def _compile(self, module: Module, careful: bool) -> None:
        code = None if careful else self._here.kept_code(module.keys[0])
        careful = careful or code is not None or module.hasty is module.text
        code = code or self._here.object_code(module.text if careful else module.hasty, not careful)
        if careful:
            if module.keys[1] != module.keys[0]:
                self._here.forget(module.keys[1])
            module.text = module.hasty = ""
        with self._worker.changed:
            module.code, module.careful = code, careful
            self._worker.changed.notify_all()

    def _cost(self, module: Module) -> float:
        return sum(self._functions.cost.get(f, 0.0) for f in module.functions)

    def _link_again(self) -> None:
        better = [m for m in self._modules if m.careful and not m.linked]
        if self._take is None or not better:
            return
        enough = sum(map(self._cost, better)) >= SHARE * sum(map(self._cost, self._modules))
        if enough or all(m.careful for m in self._modules):
            self._link(self._take)
