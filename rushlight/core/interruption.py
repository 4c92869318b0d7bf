"""Ctrl-C: it arrives between Rushlight's calls, not in the middle of one.

Python may raise KeyboardInterrupt between any two of its instructions.  In the middle of a flush that would lose what
was being computed, a model's parameters among it, and in the middle of recording an operation it would leave a trace
that says something else than it means.  PyTorch's kernels cannot be interrupted either.  So while Python's own handler
stands, a flush puts `arrived` in its place: what comes while the program is in one of the folders that keep state is
put off to the end of the flush, or to the next moment at which the program is elsewhere.  A handler of the user's own
stays.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # a flush asks it each time, and `signal` takes 10 us to answer
import os
import signal
import threading
import time
from types import FrameType

import numpy as np

INTERRUPT = signal.SIGINT
PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
INSIDE = tuple(PACKAGE + folder + os.sep for folder in ("autograd", "codegen", "ops", "optim", "record", "tensor"))
INSTALLED = os.sep + "site-packages" + os.sep, os.sep + "dist-packages" + os.sep
STANDARD = os.path.dirname(os.__file__) + os.sep
NUMPY = os.path.dirname(np.__file__) + os.sep
AGAIN = 0.01  # seconds after which it is looked again whether the program is somewhere else
LONGEST = 10.0  # seconds that it is put off: what takes longer may never end
put_off: float | None = None  # since when an interrupt waits


def watch() -> None:
    """Puts `arrived` in the place of Python's own handler; called at every flush, for others may have put it back."""
    if _signal.getsignal(INTERRUPT) is signal.default_int_handler:
        try:
            signal.signal(INTERRUPT, arrived)
        except ValueError:
            pass  # only the main thread may


def arrived(number: int, frame: FrameType | None) -> None:
    """The handler: raises KeyboardInterrupt, unless this is no moment for it."""
    global put_off
    now = time.monotonic()
    if is_inside(frame) and now - (put_off or now) < LONGEST:
        put_off = put_off or now
        again = threading.Timer(AGAIN, _remind)
        again.daemon = True
        again.start()
    else:
        put_off = None
        signal.default_int_handler(number, frame)


def deliver() -> None:
    """Raises what was put off, if this is the thread in which interrupts arrive."""
    global put_off
    if put_off is not None and threading.current_thread() is threading.main_thread():
        put_off = None
        raise KeyboardInterrupt


def is_inside(frame: FrameType | None) -> bool:
    """Whether the program is in what must not stop halfway, and not in somebody's function that was called there."""
    while frame is not None:
        path = frame.f_code.co_filename
        if path.startswith(INSIDE):
            return True
        if not path.startswith((PACKAGE, NUMPY)) and not _standard(path):
            return False
        frame = frame.f_back
    return False


def _standard(path: str) -> bool:
    return path.startswith((STANDARD, "<frozen")) and not any(part in path for part in INSTALLED)


def _remind() -> None:
    if put_off is not None:
        signal.raise_signal(INTERRUPT)
