"""When to compile: a program that has repeated is handed to one background thread; the loop goes on interpreting.

`RUSHLIGHT_COMPILE=0` never compiles, `1` (the default) in the background when a program has repeated, `sync` before it
runs for the first time.  Whatever goes wrong inside
the compiler costs speed, never the answer: the program stays interpreted, and one warning says so.
"""

from __future__ import annotations

import atexit
import os
import queue
import threading
import warnings

from rushlight.record.program import Program

MODE = os.environ.get("RUSHLIGHT_COMPILE", "1")
_lock = threading.Lock()  # LLVM compiles one module at a time


class Background:
    """The compiling thread of this process, and what waits for it."""

    def __init__(self) -> None:
        self.waiting: queue.SimpleQueue[Program] = queue.SimpleQueue()
        self.process: int | None = None
        self.stopped = False

    def request(self, program: Program) -> None:
        """Compiles a program soon."""
        if self.process != os.getpid():  # the first request, or the first after a fork
            self.process = os.getpid()
            self.waiting = queue.SimpleQueue()
            threading.Thread(target=self._work, args=(self.waiting,), name="rushlight-compiler", daemon=True).start()
        self.waiting.put(program)

    def stop(self) -> None:
        """Lets the module being compiled be finished: LLVM must not be torn down under it."""
        self.stopped = True
        _lock.acquire(timeout=10)

    def _work(self, waiting: queue.SimpleQueue[Program]) -> None:
        while not self.stopped:
            compile_now(waiting.get())


def compile_now(program: Program) -> None:
    """Gives the program its native form, if it has one."""
    try:
        with _lock:
            _compile(program)
    except Exception as failure:
        warnings.warn(f"Rushlight could not compile a program and goes on interpreting it: {failure!r}", stacklevel=2)


def _compile(program: Program) -> None:
    from .machine import machine
    from .native import NativeProgram

    here = machine()
    native = NativeProgram(program, here.vector_bytes)
    if not native.segments:
        return
    functions = here.functions(native.text(), [s.entry.name for s in native.segments])
    for segment, function in zip(native.segments, functions, strict=True):
        segment.function = function
    program.faster = native.run


def install() -> None:
    """Lets programs ask for compilation."""
    if MODE == "sync":
        Program.compiler, Program.patience = compile_now, 1
    elif MODE not in ("", "0"):
        background = Background()
        atexit.register(background.stop)
        Program.compiler = background.request
