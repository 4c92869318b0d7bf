"""When to compile: a program that has repeated is handed to one background thread.

The loop waits for the code a moment in each turn: interpreting on beside the compiler would slow both.  All this
waiting together is bounded, by a second that comes back while the process runs, so that a second model in it is waited
for as the first was; what is not ready then is interpreted until it is.
`torch.use_deterministic_algorithms(True)` has every program waited for: a loop then changes over in the same turn
always.

`RUSHLIGHT_COMPILE=0` never compiles, `1` (the default) in the background when a program has repeated, `sync` before
it runs for the first time.  In the background the code is made twice, in haste and with care (`modules.py`); waiting is
for the first.  Whatever goes wrong inside the compiler costs speed, never the answer: the program stays
interpreted, and one warning says so.
"""

from __future__ import annotations

import atexit
import ctypes
import gc
import os
import queue
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

from rushlight.core.mersenne import FILLINGS, Demand
from rushlight.record.program import Program

if TYPE_CHECKING:
    from .machine import Machine
    from .native import NativeProgram

MODE = os.environ.get("RUSHLIGHT_COMPILE", "1")
MOMENT, ALTOGETHER = 0.05, 1.0  # seconds that a loop waits in one turn, and in all
BACK = 0.1  # of the time that passes: so much may be waited anew
TURN = 0.0002  # seconds: how soon the main thread gives way while something is compiled
PAUSE = 0.00005  # seconds: how long it sleeps then before each program that it interprets, having waited long enough
YOUNG = 50_000  # new objects, while a program is compiled, before Python looks for reference cycles
LAST = 10  # seconds that a process waits at its end for the module that is being compiled
THREAD = "rushlight-compiler"
_lock = threading.Lock()  # one program is compiled at a time
_emission = threading.Lock()  # held while LLVM is at work
waited_for: set[object] = set()  # the Modules of programs that cannot run yet
_hasty: dict[object, Program] = {}  # programs that run code made in haste, which is to be made better, by their Modules
_loading = threading.Lock()  # held while the compiler's own modules are imported


class Background:
    """The compiling thread of this process, and what waits for it."""

    def __init__(self) -> None:
        self.waiting: queue.SimpleQueue[tuple[Callable[[], None], threading.Event]] = queue.SimpleQueue()
        self.left = ALTOGETHER
        self.seen = time.monotonic()  # when it was last waited
        self.done = threading.Event()  # set when the program is compiled that is being compiled now
        self.process: int | None = None
        self.stopped = False
        self.awaited = False  # whether every program is compiled at once

    def request(self, program: Program) -> None:
        """Compiles a program soon, or now if that is quick."""
        if self.awaited:
            compile_now(program)
            return
        self._start()
        done = threading.Event()
        self.waiting.put((partial(compile_now, program, False), done))
        self._wait(done)

    def request_fillings(self) -> None:
        """Has the functions made soon that fill arrays with random numbers."""
        self._start()
        self.waiting.put((fillings_now, threading.Event()))

    def _wait(self, done: threading.Event) -> None:
        start = time.monotonic()
        self.left = min(ALTOGETHER, self.left + BACK * (start - self.seen))
        if self.left > PAUSE:
            done.wait(min(MOMENT, self.left))
        else:
            time.sleep(PAUSE)
        self.seen = time.monotonic()
        self.left -= self.seen - start

    def give_way(self, native: bool) -> None:
        """Called before a program runs, natively or not, while another thread compiles.

        A thread that keeps letting go of the interpreter's lock and taking it again, as NumPy does for its larger
        kernels, would never be asked to give way.
        """
        if native:
            _pause(native)
        elif threading.current_thread().name != THREAD:
            self._wait(self.done)

    def prepare(self, native: bool) -> None:
        """Loads LLVM aside when the first program of the process runs: the first request then finds it there."""
        Program.give_way = None
        self._start()

    def _start(self) -> None:
        if self.process == os.getpid():  # neither the first time, nor the first after a fork
            return
        self.process = os.getpid()
        self.waiting = queue.SimpleQueue()
        threading.Thread(target=self._work, args=(self.waiting,), name=THREAD, daemon=True).start()

    def forget(self) -> None:
        """In the child of a fork, where the compiling thread is not, nor what it was doing: starts anew."""
        global _lock, _emission, _loading
        _lock, _emission, _loading = threading.Lock(), threading.Lock(), threading.Lock()
        self.done.set()
        forget_haste()
        Program.give_way = self.prepare
        if not FILLINGS:
            Demand.compiler = self.request_fillings

    def stop(self) -> None:
        """Lets the module being compiled be finished, so that the next process finds it, or LLVM be left standing."""
        self.stopped = True
        if not _emission.acquire(timeout=LAST):
            _leave_standing()

    def _work(self, waiting: queue.SimpleQueue[tuple[Callable[[], None], threading.Event]]) -> None:
        Program.give_way = _pause
        try:
            _load()
        finally:
            Program.give_way = None
        while not self.stopped:
            job, self.done = waiting.get()
            Program.give_way = self.give_way
            try:
                with quick_turns():
                    job()
            finally:
                Program.give_way = None
                self.done.set()


def _pause(native: bool) -> None:
    """Called before a program runs while the compiler is being loaded, or makes something else."""
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
    waited_for.clear()


def _leave_standing() -> None:
    """Has the process end without destructors of C++: they would tear LLVM down under the thread that compiles."""
    libc = ctypes.CDLL(None)
    if hasattr(libc, "on_exit"):  # its handlers get the exit status, which is just what _exit takes
        libc.fflush(None)
        libc.on_exit(ctypes.cast(libc._exit, ctypes.c_void_p), None)
    else:
        _emission.acquire()


def emission() -> threading.Lock:
    """The lock that is held while LLVM is at work; a process that ends takes it and keeps it."""
    return _emission


def _load() -> None:
    """Loads the compiler; what is wrong with it, the first program to be compiled will say."""
    try:
        with _loading:
            from .machine import machine
            from .native import NativeProgram as NativeProgram

            machine()
    except Exception:
        return


def compile_now(program: Program, at_once: bool = True) -> None:
    """Gives the program its native form, if it has one; if not `at_once`, a hasty one first, and a better one later."""
    try:
        with _lock, rare_collections():
            _compile(program, at_once)
    except Exception as failure:
        from .verify import Broken

        if isinstance(failure, Broken):  # only tests verify, and they want to know
            raise
        warnings.warn(f"Rushlight could not compile a program and goes on interpreting it: {failure!r}", stacklevel=2)


def _compile(program: Program, at_once: bool) -> None:
    from .machine import machine
    from .modules import Modules
    from .native import NativeProgram

    here = machine()
    if at_once:
        _take(program, NativeProgram(program, here.vector_bytes), here)
    else:
        with Modules(here, finished=lambda: _hasty.pop(modules, None)) as modules:
            native = NativeProgram(program, here.vector_bytes, modules=modules)
            if native.segments:
                _hasty[modules] = program
            _take(program, native, here)


def _take(program: Program, native: NativeProgram, here: Machine) -> None:
    """Has the program run natively from now on."""
    if native.segments:
        native.link(here)
        program.faster = native.run


def fillings_now() -> None:
    """Makes the functions that fill arrays with random numbers."""
    try:
        from .mersenne import fillings

        with _lock:
            FILLINGS.update(fillings().functions)
    except Exception as failure:
        warnings.warn(f"Rushlight could not compile random numbers and leaves them to NumPy: {failure!r}", stacklevel=2)


BACKGROUND = Background()


def at_once() -> None:
    """Has programs compiled when they first run, if they are compiled at all."""
    Program.patience = 1


def install() -> None:
    """Lets programs ask for compilation."""
    if MODE == "sync":
        Program.compiler, Program.patience = compile_now, 1
        Demand.compiler, Demand.patience = fillings_now, 0
    elif MODE not in ("", "0"):
        atexit.register(BACKGROUND.stop)
        if hasattr(os, "register_at_fork"):
            # what a child finds half loaded it could never load
            os.register_at_fork(before=lambda: _loading.acquire(), after_in_parent=lambda: _loading.release())
            os.register_at_fork(after_in_child=BACKGROUND.forget)
        Program.compiler, Program.give_way = BACKGROUND.request, BACKGROUND.prepare
        Demand.compiler = BACKGROUND.request_fillings
