"""A program's functions as modules of LLVM: compiled beside the planning, hastily first, then with care.

The kernels come one after the other, as the planner writes them.  A few make a module, which is compiled, and kept on
disk, by itself: a program that shares kernels with one that was there before, in this process or another, finds them.
Where a module ends depends on the last kernel's text alone, so that one more kernel moves no other borders.

Compiled with care, a program of a thousand calls takes LLVM seconds, and the interpreter is slow meanwhile.  Without
LLVM's optimizations of loops and its better choice of instructions it takes a third of that, and runs in two to four
times the time: still faster than the interpreter.  So there is a thread beside the planner which does hastily whatever
there is no code for, and the program runs natively as soon as there is code for all modules.  Then, when no other
program waits for haste, the thread compiles them again, with care: first what takes most of the program's time for its
length.  While they get better the program is linked anew, a few times.

Either way gives the same numbers: what is left out changes no arithmetic.
"""

from __future__ import annotations

import hashlib
import re
import threading
import warnings
from collections import deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from .background import waited_for
from .ir import Function
from .llvm import Printer
from .parallel import Functions

if TYPE_CHECKING:
    from .machine import Machine

LEAST, MOST = 6_000, 24_000  # characters of a module, unless one function has more
LAST_OF = 4  # one kernel of so many ends a module that is long enough
SHORT = 60_000  # characters of a function without kernels that is compiled with care at once
SHARE = 0.3  # of a program's time: when so much of it has become better, it is linked anew
LATER = 0.05  # seconds until a program that waits for a better time looks again
IMPORTS = re.compile(r"@(rushlight_\w+)\(")
Take = Callable[[list[Callable[..., Any]]], None]


class Module:
    """Some functions that are compiled together.

    Attributes:
        text, hasty: its text, and the text that asks LLVM to make haste.
        functions: what is in it.
        imports: what it calls of our own that is not in the program.
        code: the machine code that there is.
        careful: whether that was made with care.
        linked: whether the program runs with it.
    """

    def __init__(self, functions: Sequence[Function], text: str, hasty: str) -> None:
        self.functions, self.text, self.hasty = functions, text, hasty
        self.imports = frozenset(IMPORTS.findall(text))
        self.length = len(text)
        self.code: bytes | None = None
        self.careful = self.linked = False


class Modules:
    """All modules of a program, and the thread that compiles them.

    `at_once`, nothing is compiled before everything is written, and then with care, by the thread that asks for it.
    Used in a `with` statement, at the end of which the program is linked, or never will be.
    """

    def __init__(
        self, here: Machine, at_once: bool = False, finished: Callable[[], object] = lambda: None
    ) -> None:
        """`finished` is called when nothing will get better any more."""
        self._here, self._at_once = here, at_once
        self._finished: Callable[[], object] | None = finished
        self._printer, self._functions = Printer(), Functions(str)
        self._modules: list[Module] = []
        self._part: list[tuple[Function, str]] = []
        self._size = 0
        self._fresh: deque[Module] = deque()  # nobody has looked at them
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._failure: Exception | None = None
        self._names: list[str] = []
        self._take: Take | None = None  # set when the program has been linked
        self._closed = False

    def __enter__(self) -> Modules:
        waited_for.add(self)
        return self

    def __exit__(self, *failure: object) -> None:
        waited_for.discard(self)
        with self._changed:
            self._closed = True
            if self._take is None:
                self._modules, self._fresh = [], deque()
            self._changed.notify_all()

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
            texts = [self._printer.program(self._functions.tables_in(part), part, (), False, h) for h in (False, True)]
            self._wait_for(Module([f for f, _ in part], *texts))

    def _wait_for(self, module: Module) -> None:
        with self._changed:
            self._modules.append(module)
            self._fresh.append(module)
            self._changed.notify_all()
        if self._thread is None and not self._at_once:
            self._thread = threading.Thread(target=self._work, name="rushlight-llvm", daemon=True)
            self._thread.start()

    def link(self, entries: Sequence[tuple[Function, str]], take: Take) -> None:
        """All is written: hands out the entries' functions, now, and again whenever they have become better."""
        self._put()
        self._names = [f.name for f, _ in entries]
        tables = self._functions.tables_in(entries)
        text, hasty = (self._printer.program(tables, (), entries, False, h) for h in (False, True))
        alone = not self._modules and len(text) <= SHORT
        self._wait_for(Module([f for f, _ in entries], text, text if alone else hasty))
        if self._at_once:
            for module in self._modules:
                module.code = self._here.object_code(module.text)
        with self._changed:
            self._changed.wait_for(lambda: self._failure or all(m.code is not None for m in self._modules))
            if self._failure is not None:
                raise self._failure
        self._link(take)
        self._take = take

    def _link(self, take: Take) -> None:
        with self._changed:
            codes = [m.code for m in self._modules if m.code is not None]
            for module in self._modules:
                module.linked = module.careful
        imports = frozenset[str]().union(*[m.imports for m in self._modules])
        take(self._here.callables(codes, self._names, imports))

    # -- The thread

    def _work(self) -> None:
        try:
            while (found := self._next()) is not None:
                if found[1]:
                    self._improve(found[0])
                else:
                    self._compile(found[0], False)
                self._link_again()
            self._link_again()
        except Exception as failure:
            with self._changed:
                self._failure = failure
                self._changed.notify_all()
        finally:
            if self._finished is not None:
                self._finished()
            self._finished = self._functions.found = None  # nobody keeps anybody alive any more

    def _next(self) -> tuple[Module, bool] | None:
        """A module, and whether to compile it with care; None when there is nothing left to do."""
        with self._changed:
            while True:
                if self._fresh:
                    return self._fresh.popleft(), False
                rest = [m for m in self._modules if not m.careful]
                if rest and not waited_for:
                    return max(rest, key=lambda m: self._cost(m) / m.length), True
                if self._closed and not rest:
                    return None
                self._changed.wait(LATER if self._closed else None)

    def _improve(self, module: Module) -> None:
        try:
            self._compile(module, True)
        except Exception as failure:
            module.careful = True  # this is as good as it gets
            warnings.warn(f"Rushlight keeps code that was made in haste: {failure!r}", stacklevel=2)

    def _compile(self, module: Module, careful: bool) -> None:
        code = None if careful else self._here.kept_code(module.text)
        careful = careful or code is not None or module.hasty is module.text
        code = code or self._here.object_code(module.text if careful else module.hasty, not careful)
        if careful:
            self._here.forget(module.hasty)
            module.text = module.hasty = ""
        with self._changed:
            module.code, module.careful = code, careful
            self._changed.notify_all()

    def _cost(self, module: Module) -> float:
        return sum(self._functions.cost.get(f, 0.0) for f in module.functions)

    def _link_again(self) -> None:
        """Links the program anew if that is worth while."""
        better = [m for m in self._modules if m.careful and not m.linked]
        if self._take is None or not better:
            return
        enough = sum(map(self._cost, better)) >= SHARE * sum(map(self._cost, self._modules))
        if enough or all(m.careful for m in self._modules):
            self._link(self._take)
