"""What the compiler's process does: programs in, outlines and machine code out.

The first thread plans one program after the other; the `Worker` beside it has LLVM make the code, first in haste, then
with care (`modules.py`); another listens for what is wanted next.  Requests and answers:

    general  names of groups of the interpreter's functions, cache folder
        -> generalized: they are in the cache; programs were compiled first
    compile  number, description, key in the cache, cache folder, worth
        -> planned   number, outline, code: it can run
        -> better    number, code
        -> finished  number: there will be nothing better
        -> unknown   number: an operation that is only known over there
        -> failed    number, why
    -> hello  fingerprint of the package that is compiled for
    -> bye    nothing was asked for a while

It ends when the other end of the socket is closed, but finishes the module that LLVM is at, so that the cache has it.
"""

from __future__ import annotations

import contextlib
import gc
import os
import queue
import signal
import socket
import sys
import threading
import time
from collections.abc import Sequence
from functools import partial
from typing import Any

from rushlight.record.program import Program

from . import cache, plans
from .background import LAST, TURN, emission, rare_collections
from .description import Unknown, program_of
from .linking import Code
from .machine import Machine, machine
from .modules import WORKER, Modules
from .planning import PlannedProgram
from .process import Link
from .routines import made

IDLE = 15.0  # seconds without anything to do after which it ends
NICE = {3.0: 5, 15.0: 10}  # after so many seconds of work it gives way by so much: then there is always something to do


def main() -> None:
    """The life of the process."""
    end = _withdraw(int(sys.argv[1]))
    link = Link(end)
    server = Server(link, machine())
    link.send(("hello", cache.fingerprint()))
    gc.freeze()
    sys.setswitchinterval(TURN)
    threading.Thread(target=server.listen, name="rushlight-requests", daemon=True).start()
    server.work()
    _leave()


def _withdraw(nice: int) -> socket.socket:
    """Gives way to others, hears no keyboard, and keeps nothing of the standard streams but our end of the socket."""
    os.nice(nice)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    end = socket.socket(fileno=os.dup(0))
    nowhere = os.open(os.devnull, os.O_RDWR)
    os.dup2(nowhere, 0)
    return end


def _leave() -> None:
    """Ends the process when LLVM has finished what it is at."""
    WORKER.stop()
    emission().acquire(timeout=LAST)
    os._exit(0)


class Server:
    """Plans what is asked for."""

    def __init__(self, link: Link, here: Machine) -> None:
        self.link, self.here, self.nice = link, here, os.nice(0)
        self.requests: queue.SimpleQueue[tuple[Any, ...]] = queue.SimpleQueue()
        self.groups: list[str] = []  # of the interpreter's functions that are still to be made

    def listen(self) -> None:
        """Receives requests; from then on nothing is done with care before they are answered."""
        while (request := self.link.receive()) is not None:
            if request[0] == "compile":
                WORKER.hold(request[1])
            self.requests.put(request)
        _leave()

    def work(self) -> None:
        """Answers requests, until there have been none for a while."""
        while (request := self._next()) is not None:
            if request[0] == "general":
                self._begin(*request[1:])
            elif request[0] == "compile":
                self._answer(*request[1:])
                WORKER.release(request[1])
            else:
                self._generalize(request[1])
            self._give_way()
        self._send("bye")

    def _next(self) -> tuple[Any, ...] | None:
        """What to do now: first what is waited for, then a group of functions; None if there has long been nothing."""
        while True:
            try:
                return self.requests.get(timeout=0 if self.groups else IDLE)
            except queue.Empty:
                if self.groups:
                    return "group", self.groups[0]
                if not WORKER.busy():
                    return None

    def _begin(self, groups: Sequence[str], folder: str) -> None:
        os.environ["RUSHLIGHT_CACHE"] = folder
        self.groups += groups

    def _generalize(self, group: str) -> None:
        """Puts a group of functions into the cache; if that fails, whoever asked will see why."""
        with contextlib.suppress(Exception):
            made(group, self.here)
        self.groups.remove(group)
        if not self.groups:
            self._send("generalized")

    def _give_way(self) -> None:
        """Both threads; on Linux each has its own priority."""
        spent = time.process_time()
        wanted = self.nice + max((n for limit, n in NICE.items() if spent > limit), default=0)
        worker = WORKER.thread
        for thread in (0, worker.native_id if worker is not None and sys.platform == "linux" else 0):
            with contextlib.suppress(OSError):
                os.setpriority(os.PRIO_PROCESS, thread or 0, min(wanted, 19))

    def _send(self, *message: Any) -> None:
        try:
            self.link.send(message)
        except OSError:
            _leave()

    def _answer(self, number: int, description: bytes, key: str, folder: str, worth: float) -> None:
        os.environ["RUSHLIGHT_CACHE"] = folder
        try:
            program = program_of(description)
        except (Unknown, ImportError, AttributeError):
            self._send("unknown", number)
            return
        try:
            with rare_collections():
                self._compile(number, program, key, worth)
        except Exception as failure:
            self._send("failed", number, repr(failure))

    def _compile(self, number: int, program: Program, key: str, worth: float) -> None:
        with Modules(self.here, finished=partial(self._send, "finished", number), worth=worth) as modules:
            native = PlannedProgram(program, self.here.vector_bytes, modules=modules)
            if not native.segments:
                plans.remember(key, (), modules)
                self._send("planned", number, (), *Code((), (), ()))
                return
            native.modules, outline = None, native.outline()
            modules.link(native.entries, Delivery(self, number, key, outline, modules))


class Delivery:
    """Sends a program's code, and notes in the cache what it consists of."""

    def __init__(self, server: Server, number: int, key: str, outline: tuple[Any, ...], modules: Modules) -> None:
        self.server, self.number, self.key, self.outline, self.modules = server, number, key, outline, modules
        self.first = True

    def __call__(self, code: Code) -> None:
        if self.first:
            self.first = False
            plans.remember(self.key, self.outline, self.modules)
            self.server._send("planned", self.number, self.outline, *code)
        else:
            self.server._send("better", self.number, *code)
