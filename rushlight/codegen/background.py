"""When to compile, and where: a program that has repeated is handed to the compiler's process.

What the cache knows of a program (`plans.py`) is taken at once.  What it does not know is described (`description.py`)
and sent to a process of our own (`process.py`); the loop goes on being interpreted, undisturbed, until the code comes
back.  `dispatch.py` says what is sent first.  This is done in one thread, which links what comes back, too.

Where there are few processors, the loop waits for the code a moment in each turn: interpreting on beside the compiler
would slow both.  All this waiting together is bounded, by a second that comes back while the process runs.  Where no
process can be started or is worth while, or a program cannot be described, the thread compiles itself, and the loop
waits for it likewise: the two share Python's lock.  `torch.use_deterministic_algorithms(True)` has every program waited
for: a loop then changes over in the same turn always.

`RUSHLIGHT_COMPILE=0` never compiles, `1` (the default) in the background when a program has repeated, `thread` likewise
but without a process, `sync` before it runs for the first time.  In the background the code is made twice, in haste and
with care (`modules.py`).  Whatever goes wrong inside the compiler costs speed, never the answer: the program stays
interpreted, and one warning says so.

What is interpreted all the same, because its shapes never repeat, gets functions for arrays of any extents
(`general.py`) once there is much of it.
"""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import gc
import os
import queue
import sys
import threading
import time
import warnings
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING

from rushlight.core.blas import hold_back
from rushlight.core.mersenne import FILLINGS, Demand
from rushlight.record.program import Program

from .dispatch import Dispatch, Job, warn

if TYPE_CHECKING:
    from .machine import Machine
    from .planning import PlannedProgram

MODE = os.environ.get("RUSHLIGHT_COMPILE", "1")
MOMENT, ALTOGETHER = 0.05, 1.0  # seconds that a loop waits in one turn, and in all
LOADING = 0.2  # seconds that it waits in all for the compiler's own modules
BACK = 0.1  # of the time that passes: so much may be waited anew
BACK_BESIDE = 0.02  # likewise, where a process compiles on another processor
CROWDED = 2  # processors: with no more than these a loop leaves them to the compiler for a moment
TURN = 0.0002  # seconds: how soon the main thread gives way while something is compiled
PAUSE = 0.00005  # seconds: how long it sleeps then before each program that it interprets, having waited long enough
YOUNG = 50_000  # new objects, while a program is compiled, before Python looks for reference cycles
LAST = 10  # seconds that a process waits at its end for the module that is being compiled
PROMISED = 64  # programs that are compiled when they first run because of one `torch.compile`
STEP = 45  # calls: no program of fewer is taken for a step of training
TIRED = 2000  # calls that are interpreted before functions for arrays of any extents are made
THREAD = "rushlight-compiler"
REPEATED = Program.patience
_lock = threading.Lock()  # one program is compiled at a time
_emission = threading.Lock()  # held while LLVM is at work
_hasty: dict[object, Program] = {}  # programs that run code made in haste, which is to be made better, by their Modules
_settled: list[threading.Lock] = []  # what is held for a fork
_loading = threading.RLock()  # held while the compiler's own modules are imported
GENERAL = (  # for arrays of any extents
    "rows", "places", "planes", "windows", "steps", "pointwise", "spectral", "matrices", "images"
)  # fmt: skip


class Background:
    """The compiling thread of this process, and what waits for it."""

    def __init__(self) -> None:
        self.events: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self.left = ALTOGETHER
        self.seen = time.monotonic()  # when it was last waited
        self.done = threading.Event()  # set when the program is compiled that is being compiled now
        self.process: int | None = None
        self.stopped = False
        self.awaited = False  # whether every program is compiled at once
        self.loaded = False  # whether everything is there that it takes to look something up
        self.processors = 1
        self.planned: Job | None = None  # what a process is planning, if that is worth waiting for
        self.known: weakref.WeakKeyDictionary[Program, Job] = weakref.WeakKeyDictionary()  # looked up, not asked for
        self.dispatch = Dispatch(lambda work: self.events.put(work), self._compile, MODE == "thread")
        self.interpreted = 0  # calls, so far
        self.expecting = False  # whether there has been something like a step of training
        self.promised = 0  # programs that are still to be compiled when they first run
        self.general: set[str] = set()  # the groups of functions for arrays of any extents that are there

    def await_all(self, awaited: bool) -> None:
        """Has every program compiled at once, and what is not compiled run in the NumPy kernels; or no longer so."""
        from rushlight.ops.general import allow

        self.awaited = awaited
        allow(not awaited)

    def request(self, program: Program) -> None:
        """Compiles a program soon, or now if that is quick; one that computes nothing stays as it is."""
        if not program.calls:
            return
        if self.awaited:
            compile_now(program)
            return
        if self.promised:
            self._keep_promise(program)
        self._start()
        job = self.known.pop(program, None) or Job(program)
        if self.loaded:
            self._look_up(job)
            if job.settled:
                return
        job.done.clear()
        self.events.put(partial(self._asked, job))
        if self.loaded and (self.processors == 1 or self.dispatch.is_small(job)):
            self._wait(job.done)
        elif not self.loaded:
            self._wait_for_loading(job.done)

    def _keep_promise(self, program: Program) -> None:
        """Counts a program that is compiled when it first runs; where there were many, the next ones have to repeat.

        Else a process in which something is another program every time would compile without end.
        """
        self.promised -= 1
        if not self.promised:
            Program.patience = REPEATED
        program.runs = REPEATED  # it does not ask again

    def look_up(self, program: Program) -> None:
        """Takes what the cache knows of a program that may repeat; else has a process ready for it."""
        if self.awaited:
            return
        self._start()
        job = self.known[program] = Job(program)
        if not self.loaded:
            self.events.put(partial(self._known, job))
            self._wait_for_loading(job.done)
            return
        self._look_up(job)
        if not job.settled:
            self.events.put(partial(self._expect_request, job))

    def request_fillings(self) -> None:
        """Has the functions made soon that fill arrays with random numbers."""
        self._start()
        threading.Thread(target=_fill, name="rushlight-fillings", daemon=True).start()

    def interpreting(self, calls: int) -> None:
        """Counts what is interpreted; where it is much, has the functions made that do it faster."""
        self.interpreted += calls
        if calls > STEP and not self.expecting:
            self.expecting = True
            self._start()
            self.events.put(self._expect)
        if self.interpreted > TIRED:
            Program.interpreting = None
            self._start()
            self.events.put(self._generalize)

    def _expect_request(self, job: Job) -> None:
        """Has ready what a program will want that the cache does not know, or not at its best."""
        if job.native is not None:
            self.dispatch.add(job)
        elif self.dispatch.is_small(job):
            self._here(_load_compiler, self.while_loading)
        else:
            self.dispatch.prepare()

    def _expect(self) -> None:
        """After what looks like a step of training: has a process ready if the cache can know no program."""
        from .plans import any_kept

        if not any_kept():
            self.dispatch.prepare()

    def _generalize(self) -> None:
        """Has the functions made that are not there, by a process if there is one, and takes them over."""
        with _loading:
            from .machine import machine
            from .routines import kept

        wanted = [group for group in GENERAL if group not in self.general]
        if not machine().fuses or all(kept(group, machine()) for group in wanted):
            self._take_over(wanted)
        else:
            self.dispatch.generalize(wanted, partial(self._take_over, wanted))

    def _take_over(self, groups: Sequence[str]) -> None:
        threading.Thread(target=self._link_general, args=(groups,), name="rushlight-general", daemon=True).start()

    def _link_general(self, groups: Sequence[str]) -> None:
        """Links groups, and makes what is not in the cache, beside the compiling thread."""
        with quick_turns():
            for group in groups:
                if group not in self.general and not self.stopped and general_now(group):
                    self.general.add(group)

    def _wait(self, done: threading.Event) -> None:
        start = time.monotonic()
        back = BACK if self.dispatch.here_only or self.processors == 1 else BACK_BESIDE
        self.left = min(ALTOGETHER, self.left + back * (start - self.seen))
        if self.left > PAUSE:
            done.wait(min(MOMENT, self.left))
        else:
            time.sleep(PAUSE)
        self.seen = time.monotonic()
        self.left -= self.seen - start

    def _wait_for_loading(self, done: threading.Event) -> None:
        """Waits for the compiler's own modules, which takes a moment once: less of it than for code."""
        if self.left > ALTOGETHER - LOADING:
            self._wait(done)
        else:
            time.sleep(PAUSE)

    def while_loading(self, program: Program) -> None:
        """Called before a program runs while the compiler is being loaded: for what has come again we wait a moment."""
        if program.runs > Program.patience and threading.current_thread().name != THREAD:
            self._wait_for_loading(self.done)
        else:
            _pause(program)

    def give_way(self, program: Program) -> None:
        """Called before a program runs, natively or not, while another thread compiles.

        A thread that keeps letting go of the interpreter's lock and taking it again, as NumPy does for its larger
        kernels, would never be asked to give way.
        """
        if program.faster is not None:
            _pause(program)
        elif threading.current_thread().name != THREAD:
            self._wait(self.done)

    def stand_back(self, program: Program) -> None:
        """Called likewise while a process plans, where there are few processors: for what is being planned we wait."""
        if self.planned is not None and program is self.planned.program():
            self._wait(self.planned.done)

    def prepare(self, program: Program) -> None:
        """Loads LLVM aside when the first program of the process runs: the first request then finds it there."""
        Program.give_way = None
        self._start()

    def _start(self) -> None:
        if self.process == os.getpid():  # neither the first time, nor the first after a fork
            return
        self.process = os.getpid()
        self.events = queue.SimpleQueue()
        threading.Thread(target=self._work, args=(self.events,), name=THREAD, daemon=True).start()

    def forget(self) -> None:
        """In the child of a fork, where the compiling thread is not, nor what it was doing: starts anew."""
        _fresh_locks()
        self.done = threading.Event()  # whoever waited for the old one may have held its lock
        self.done.set()
        self.dispatch.forget()
        forget_haste()
        hold_back(False)
        self.known = weakref.WeakKeyDictionary()
        Program.give_way = self.prepare
        self.interpreted = 0
        Program.interpreting = None if len(self.general) == len(GENERAL) else self.interpreting
        if not FILLINGS:
            Demand.compiler = self.request_fillings

    def stop(self) -> None:
        """Lets the module being compiled be finished, so that the next process finds it, or LLVM be left standing."""
        self.stopped = True
        self.dispatch.end()
        if not _emission.acquire(timeout=LAST):
            _leave_standing()

    # -- In the thread

    def _work(self, events: queue.SimpleQueue[Callable[[], None]]) -> None:
        Program.give_way, self.done = self.while_loading, threading.Event()
        try:
            with quick_turns():
                self.processors, self.loaded = _load()
        finally:
            Program.give_way = None
            self.done.set()
        while not self.stopped:
            work = events.get()
            try:
                with quick_turns():
                    work()
                self._look_out()
            except Exception as failure:
                warn(failure)

    def _look_out(self) -> None:
        """Has loops wait a moment for what is being planned, where there is nowhere else to do it."""
        self.planned = self.dispatch.awaited() if self.processors <= CROWDED else None
        hold_back(self.processors <= CROWDED and self.dispatch.at_work())
        Program.give_way = None if self.planned is None else self.stand_back

    def _here(self, work: Callable[[], None], waiting: Callable[[Program], None] | None = None) -> None:
        """Does something in this very thread, for which Python's lock is wanted; loops do `waiting` meanwhile."""
        self.done = threading.Event()
        before, Program.give_way = Program.give_way, waiting or self.give_way
        try:
            work()
        finally:
            Program.give_way = before
            self.done.set()

    def _compile(self, job: Job) -> None:
        program = job.program()
        if program is not None:
            self._here(partial(compile_now, program, False, job.key))
        job.done.set()

    def _look_up(self, job: Job) -> None:
        """Asks the cache; may be done by any thread."""
        try:
            if not job.looked_up:
                job.look_up()
        except Exception as failure:
            warn(failure)
        finally:
            job.done.set()

    def _known(self, job: Job) -> None:
        self._look_up(job)
        if job.native is not None and not job.settled:
            self.dispatch.add(job)

    def _asked(self, job: Job) -> None:
        if not job.looked_up:
            self._look_up(job)
            job.done.clear()
        try:
            if not job.settled:
                self.dispatch.add(job)
        finally:
            if self.processors > CROWDED or job.native is not None:
                job.done.set()


def _pause(program: Program) -> None:
    """Called before a program runs for which nobody waits, while the compiler is loaded or makes something else."""
    if threading.current_thread().name != THREAD:
        time.sleep(PAUSE)


@contextmanager
def quick_turns() -> Iterator[None]:
    """Lets threads take turns more often: every call into LLVM, and every file read, waits for its turn afterwards."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(min(usual, TURN))
    ours = sys.getswitchinterval()
    try:
        yield
    finally:
        if sys.getswitchinterval() == ours:  # else the user has chosen another meanwhile
            sys.setswitchinterval(usual)


@contextmanager
def rare_collections() -> Iterator[None]:
    """Has Python look for reference cycles less often: planning makes a million objects, and nearly all are needed."""
    usual = gc.get_threshold()
    ours = (max(usual[0], YOUNG), *usual[1:])
    if usual[0]:  # 0: never
        gc.set_threshold(*ours)
    try:
        yield
    finally:
        if gc.get_threshold() == ours:  # else the user has chosen others meanwhile
            gc.set_threshold(*usual)


def forget_haste() -> None:
    """In the child of a fork, where nobody makes hasty code better: programs ask anew when they repeat."""
    for program in _hasty.values():
        program.faster, program.runs = None, 0
    _hasty.clear()
    modules = sys.modules.get(f"{__package__}.modules")
    if modules is not None:
        modules.WORKER.__init__()  # its thread is not here, nor is what held its lock


def _leave_standing() -> None:
    """Has the process end without destructors of C++: they would tear LLVM down under the thread that compiles."""
    libc = ctypes.CDLL(None)
    if hasattr(libc, "on_exit"):  # its handlers get the exit status, which is just what _exit takes
        libc.fflush(None)
        libc.on_exit(ctypes.cast(libc._exit, ctypes.c_void_p), None)
    else:
        _emission.acquire()


def _settle() -> None:
    """Before a fork: what a child found half loaded it could never load, and LLVM's lock would be held for ever.

    When the process ends, nobody is at work any more and `stop` keeps the lock: then there is nothing to wait for.
    """
    _loading.acquire()
    until = time.monotonic() + LAST
    while _importing() and time.monotonic() < until:
        time.sleep(TURN)
    if not BACKGROUND.stopped:
        _emission.acquire()
        _settled.append(_emission)


def _importing() -> bool:
    """Whether a thread is in the middle of importing a module of the compiler's: a child could never import it."""
    ours = [module for name, module in list(sys.modules.items()) if name.startswith(f"{__package__}.")]
    return any(getattr(getattr(module, "__spec__", None), "_initializing", False) for module in ours)


def _fresh_locks() -> None:
    """In the child of a fork, where the threads are not that held the old ones."""
    global _lock, _emission, _loading
    _lock, _emission, _loading = threading.Lock(), threading.Lock(), threading.RLock()
    _settled.clear()


def _resume() -> None:
    while _settled:
        _settled.pop().release()
    _loading.release()


def loading() -> threading.RLock:
    """The lock that is held while something is made that there is one of in a process; a fork waits for it."""
    return _loading


def emission() -> threading.Lock:
    """The lock that is held while LLVM is at work, for which a fork waits; a process that ends takes it and keeps it.

    Whoever wants both takes `loading` first.
    """
    return _emission


def _load() -> tuple[int, bool]:
    """Loads what it takes to find a program in the cache: for how many processors, and whether that went well.

    What is wrong with it, the first program to be compiled will say.
    """
    try:
        with _loading:
            from . import plans
            from .machine import machine
            from .native import NativeProgram as NativeProgram
            from .processor import processors

            plans.key_of(b"", machine())
            return processors(), True
    except Exception:
        return 1, False


def _load_compiler() -> None:
    """Loads the planner and LLVM; what is wrong with them, the first program to be compiled will say."""
    with contextlib.suppress(Exception), _loading:
        from . import planning as planning
        from .machine import machine

        _ = machine().target


def compile_now(program: Program, at_once: bool = True, key: str = "") -> None:
    """Gives the program its native form, if it has one; if not `at_once`, a hasty one first, and a better one later.

    With a `key` the cache notes what it has become.  While Python ends nothing can be imported, and so not compiled.
    """
    if sys.is_finalizing():
        return
    try:
        with _lock, rare_collections():
            _compile(program, at_once, key)
    except Exception as failure:
        from .verify import Broken

        if isinstance(failure, Broken):  # only tests verify, and they want to know
            raise
        warn(failure)


def _compile(program: Program, at_once: bool, key: str) -> None:
    from . import plans
    from .machine import machine
    from .modules import Modules
    from .planning import PlannedProgram

    here = machine()
    if at_once:
        _take(program, PlannedProgram(program, here.vector_bytes), here)
    else:
        with Modules(here, finished=lambda: _hasty.pop(modules, None)) as modules:
            native = PlannedProgram(program, here.vector_bytes, modules=modules)
            if native.segments:
                _hasty[modules] = program
            _take(program, native, here)
            if key:
                plans.remember(key, native.outline(), modules)


def _take(program: Program, native: PlannedProgram, here: Machine) -> None:
    """Has the program run natively from now on."""
    if native.segments:
        native.link(here)
        program.faster = native.run


def general_now(group: str) -> bool:
    """Makes a group of the functions for arrays of any extents, and has the interpreter use them; whether it could."""
    try:
        with _loading:
            from rushlight.ops import general

            from . import routines
            from .machine import machine

            here = machine()
            import_module("rushlight.optim.adam")  # its step is among what they do
            if routines.kept(group, here) is None:
                routines.writer(group)
        general.use(routines.general(group, here))
        return True
    except Exception as failure:
        warnings.warn(f"Rushlight could not compile {group} and leaves them to NumPy: {failure!r}", stacklevel=2)
        return False


def fillings_now() -> None:
    """Makes the functions that fill arrays with random numbers."""
    try:
        from .routines import fillings

        with _lock:
            with _loading:
                made = fillings()
            FILLINGS.update(made.functions)
    except Exception as failure:
        warnings.warn(f"Rushlight could not compile random numbers and leaves them to NumPy: {failure!r}", stacklevel=2)


def _fill() -> None:
    """The same beside the compiling thread, which has better things to do."""
    with quick_turns():
        fillings_now()


BACKGROUND = Background()


def at_once() -> None:
    """Has the next programs compiled when they first run, if they are compiled at all."""
    if MODE not in ("", "0", "sync"):
        Program.patience, BACKGROUND.promised = 1, PROMISED


def install() -> None:
    """Lets programs ask for compilation."""
    if MODE in ("", "0"):
        return
    forget = _fresh_locks if MODE == "sync" else BACKGROUND.forget
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(before=_settle, after_in_parent=_resume, after_in_child=forget)
    if MODE == "sync":
        Program.compiler, Program.patience = compile_now, 1
        Demand.compiler, Demand.patience = fillings_now, 0
    else:
        atexit.register(BACKGROUND.stop)
        Program.compiler, Program.known = BACKGROUND.request, BACKGROUND.look_up
        Program.give_way = BACKGROUND.prepare
        Program.interpreting = BACKGROUND.interpreting
        Demand.compiler = BACKGROUND.request_fillings
