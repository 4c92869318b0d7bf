"""The compiler's process, as the process that uses it sees it.

It is started when a program wants to be compiled that the cache does not know, and it is this interpreter once more,
with this package, none of the user's modules, and no part in his terminal: what is typed there does not reach it, and
its output goes nowhere.  (A session of its own would, on Linux, have its priority count for nothing.)
Both hold one end of a socket, which nobody else knows.  Messages are plain data (marshal), each with its length in
front.  When one end is closed, or nothing has been asked for some seconds, the process ends by itself (`server.py`).
"""

from __future__ import annotations

import marshal
import os
import re
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .description import VERSION
from .processor import processors

ALONE = 19  # how much it gives way from the beginning, where there is only one processor
LENGTH = struct.Struct("<Q")
PYTHON = re.compile(r"python[\d.]*[a-z]*$")  # what an interpreter is called
START = "import sys; sys.path += sys.argv[2:]; from rushlight.codegen.server import main; main()"
FOLDERS = ("site-packages", "dist-packages")
NO_SIGNAL = getattr(socket, "MSG_NOSIGNAL", 0)  # a process that is gone is no reason to end ours


class CannotStart(Exception):
    """There is no such process here."""


class Link:
    """One end of the socket: sends messages whole, and receives them."""

    def __init__(self, end: socket.socket) -> None:
        self._end = end
        self._sending = threading.Lock()

    def send(self, message: tuple[Any, ...]) -> None:
        """Raises OSError where nobody is at the other end."""
        content = marshal.dumps(message, VERSION)
        with self._sending:
            self._end.sendall(LENGTH.pack(len(content)) + content, NO_SIGNAL)

    def receive(self) -> tuple[Any, ...] | None:
        """The next message; None when the other end is closed."""
        head = self._read(LENGTH.size)
        content = head and self._read(*LENGTH.unpack(head))
        return marshal.loads(content) if content else None

    def _read(self, count: int) -> bytes | None:
        parts = []
        while count:
            try:
                part = self._end.recv(min(count, 1 << 20))
            except OSError:
                return None
            if not part:
                return None
            parts.append(part)
            count -= len(part)
        return b"".join(parts)

    def close(self, all_of_it: bool = True) -> None:
        """Ends it, for both sides; if not `all_of_it`, only this copy, as in the child of a fork."""
        if all_of_it:
            try:
                self._end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        self._end.close()


class Process:
    """A process that compiles.

    Attributes:
        pid: its number.
        jobs: what it works on, by number; the caller's.
        awaited: what to do when it has made groups of functions, one after the other; the caller's.
        planning: the one that cannot run yet.
        ready: whether it has started.
        left: whether it has said that it ends.
    """

    def __init__(self, received: Callable[[Process, tuple[Any, ...] | None], None]) -> None:
        """Starts it; `received` is called with every message, in a thread, and with None when it is gone."""
        if not _may_start():
            raise CannotStart
        ours, theirs = socket.socketpair()
        try:
            with theirs:
                self._popen = subprocess.Popen(
                    _command(), stdin=theirs.fileno(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                    env=_environment(), cwd="/", process_group=0,
                )  # fmt: skip
        except (OSError, ValueError) as failure:
            ours.close()
            raise CannotStart from failure
        self.pid = self._popen.pid
        self.link = Link(ours)
        self.jobs: dict[int, Any] = {}
        self.awaited: list[Callable[[], None]] = []
        self.planning: int | None = None
        self.ready = self.left = False
        threading.Thread(target=self._listen, args=(received,), name="rushlight-replies", daemon=True).start()

    def _listen(self, received: Callable[[Process, tuple[Any, ...] | None], None]) -> None:
        while (message := self.link.receive()) is not None:
            received(self, message)
        self._popen.wait()
        received(self, None)

    def send(self, *message: Any) -> None:
        """Raises OSError where it is gone."""
        self.link.send(message)

    def end(self, all_of_it: bool = True) -> None:
        """Lets it finish what it is at and end; nobody waits for it."""
        self.link.close(all_of_it)
        if self._popen.returncode is None:
            self._popen.returncode = 0


def _may_start() -> bool:
    """Whether this is an ordinary interpreter: it is not inside another program, which would be started instead."""
    known = sys.executable and PYTHON.search(os.path.basename(sys.executable)) is not None
    return bool(known and os.name == "posix" and not getattr(sys, "frozen", False))


def _command() -> list[str]:
    """Python without the user's folder, environment and start files; then where it finds the packages."""
    import llvmlite
    import numpy as np

    packages = [str(Path(p).absolute().parent.parent) for p in (np.__file__, llvmlite.__file__, Path(__file__).parent)]
    installed = [p for p in sys.path if os.path.basename(p) in FOLDERS]
    flags = ["-I", "-S", *(["-B"] if sys.dont_write_bytecode else [])]
    nice = 0 if processors() > 1 else ALONE
    return [sys.executable, *flags, "-c", START, str(nice), *dict.fromkeys([*installed, *packages])]


def _environment() -> dict[str, str]:
    """The environment, with one thread for linear algebra and nothing to compile in the background."""
    ours = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "RUSHLIGHT_"))}
    single = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    return {**ours, **single, "RUSHLIGHT_COMPILE": "0"}
