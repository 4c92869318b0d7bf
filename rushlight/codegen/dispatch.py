"""What is compiled first, and by which process.

Programs that the cache does not know wait here as Jobs.  Whenever a process has nothing to plan it gets the one that is
worth most: on which most seconds are being spent for what it costs to compile.  One that has not been run for a while
is forgotten, so that nothing is made for steps that do not come again; should they, they ask anew.  The first few
programs, if they are small, are compiled in this process: that is sooner done than another one started.

A process that ends before its time costs a program that it was planning one of its `TRIES`, and after some such deaths
there are none any more.  All of this happens in the compiling thread (`background.py`).
"""

from __future__ import annotations

import itertools
import threading
import time
import warnings
import weakref
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from rushlight.record.program import Program

if TYPE_CHECKING:
    from .native import NativeProgram
    from .process import Process

STALE = 10.0  # seconds: what has not been interpreted for so long may not come again
MOST, AGAIN = 50, 20  # programs that wait at the same time; runs after which another one asks again
MANY = 4  # processors: with more there are two processes
SMALL, LIGHT = 80, 1 << 20  # calls, and bytes of results, of a program that is not worth starting a process for
FEW = 2  # programs of that kind
TRIES = 2  # processes that a program may be the end of
DEATHS = 3  # processes that may end before their time


Work = Callable[[], None]


class Job:
    """A program that wants to be compiled.

    Attributes:
        program: it, as long as somebody else has it.
        small: whether it is quickly compiled.
        description, key: its bytes, and what it is called in the cache; empty if it cannot be described.
        looked_up: whether the cache has been asked.
        settled: whether nothing is left to do.
        done: set when the loop need not wait for it any more; where there are few processors, when it is compiled.
        native: what it runs by now.
        tries: how many processes have ended over it.
    """

    def __init__(self, program: Program) -> None:
        self.program = weakref.ref(program)
        self.calls = len(program.calls)
        self.small = self.calls <= SMALL and sum(s.nbytes for call in program.calls for s in call.specs) <= LIGHT
        self.description, self.key = b"", ""
        self.looked_up = self.settled = False
        self.done = threading.Event()
        self.native: NativeProgram | None = None
        self.tries = 0

    def worth(self, now: float) -> float:
        """How much is spent on it for what compiling it costs; what is native already comes last."""
        return 0.0 if self.native is not None else self.spent(now) / self.calls

    def stale(self, now: float) -> bool:
        """Whether it may not come again."""
        program = self.program()
        return program is None or (self.native is None and now - program.seen > STALE)

    def spent(self, now: float) -> float:
        """Seconds that it has cost lately."""
        program = self.program()
        return 0.0 if program is None else program.spent_by(now)

    def drop(self, runs: int) -> None:
        """Forgets it: it asks anew after so many runs."""
        if (program := self.program()) is not None and self.native is None:
            program.runs = Program.patience - runs
        self.done.set()

    def start_over(self) -> None:
        """In the child of a fork, where nobody is at work on it."""
        if (program := self.program()) is not None:
            program.faster, program.runs = None, 0

    def look_up(self) -> None:
        """Takes what the cache knows of it."""
        from . import plans
        from .description import Indescribable, described
        from .machine import machine

        program, self.looked_up = self.program(), True
        if program is None:
            return
        try:
            self.description = described(program)
        except Indescribable:
            return
        self.key = plans.key_of(self.description, machine())
        plan = plans.recall(self.key, machine())
        if plan is not None:
            self.take(plan.outline, plan.code)
            self.settled = plan.careful

    def take(self, outline: tuple[Any, ...], code: Any) -> None:
        """Has the program run natively from now on, if any of it can."""
        from .native import NativeProgram

        program = self.program()
        if program is not None and outline:
            self.native = NativeProgram.outlined(program, outline)
            self.better(*code)
            program.faster = self.native.run

    def better(self, *code: Any) -> None:
        """Has the native program run this code."""
        from .machine import machine

        if self.native is not None:
            self.native.take(machine().callables(*code))


class Dispatch:
    """The jobs that wait, and the processes.

    Attributes:
        here: compiles a job in this process.
        post: has something done in the compiling thread soon.
        here_only: whether there are no processes.
    """

    def __init__(self, post: Callable[[Work], None], here: Callable[[Job], None], here_only: bool) -> None:
        self.post, self.here, self.here_only = post, here, here_only
        self.jobs: list[Job] = []
        self.helpers: list[Process] = []
        self.numbers = itertools.count()
        self.deaths = self.small = 0

    def add(self, job: Job) -> None:
        """It waits, or is compiled now."""
        if self.is_small(job):
            self.small += 1
            self.here(job)
        elif job.key:
            self.jobs.append(job)
            self.give_out()
        else:
            self.here(job)

    def is_small(self, job: Job) -> bool:
        """Whether it is not worth a process."""
        there = any(helper.ready for helper in self.helpers)
        return not there and self.small < FEW and job.small and job.native is None

    def awaited(self) -> Job | None:
        """What a process is planning, if more is spent on it than on all that waits."""
        now = time.monotonic()
        others = sum(job.spent(now) for job in self.jobs)
        planned = [h.jobs[h.planning] for h in self.helpers if h.ready and h.planning is not None]
        return next((job for job in planned if job.spent(now) > others), None)

    def at_work(self) -> bool:
        """Whether a process plans something."""
        return any(h.planning is not None for h in self.helpers)

    def forget(self) -> None:
        """In the child of a fork: everything is the parent's."""
        for job in [*self.jobs, *[job for helper in self.helpers for job in helper.jobs.values()]]:
            job.start_over()
        for helper in self.helpers:
            helper.end(False)
        self.jobs, self.helpers, self.deaths = [], [], 0

    def end(self) -> None:
        """Lets all processes end."""
        for helper in self.helpers:
            helper.end()

    def give_out(self) -> None:
        """Sends what is worth most to whoever has nothing to do."""
        now = time.monotonic()
        for job in [j for j in self.jobs if j.stale(now)]:
            self.jobs.remove(job)
            job.drop(1)
        self.jobs.sort(key=lambda j: j.worth(now))
        while len(self.jobs) > MOST:
            self.jobs.pop(0).drop(AGAIN)
        while self.jobs:
            helper = self.free()
            if helper is not None and self._sent(helper, self.jobs[-1], now):
                self.jobs.pop()
            elif helper is None and self.here_only:
                self.here(self.jobs.pop())
            else:
                break

    def prepare(self) -> None:
        """Has a process ready."""
        self.free()

    def generalize(self, groups: Sequence[str], then: Callable[[], None]) -> None:
        """Has a process put groups of the interpreter's functions into the cache when it has nothing else to do.

        `then` is called when that is done, or cannot be.
        """
        from .cache import cache_folder

        helper = self.free() or next((h for h in self.helpers if not h.left), None)
        try:
            if helper is None:
                raise OSError
            helper.send("general", tuple(groups), str(cache_folder().absolute()))
        except OSError:
            then()
            return
        helper.awaited.append(then)

    def free(self) -> Process | None:
        """A process that can plan something; a new one if there may be more of them."""
        from .process import CannotStart, Process
        from .processor import processors

        for helper in self.helpers:
            if helper.planning is None and not helper.left:
                return helper
        if self.here_only or len(self.helpers) > (processors() > MANY):
            return None
        try:
            made = Process(lambda helper, message: self.post(partial(self._told, helper, message)))
        except CannotStart:
            self.here_only = True
            return None
        self.helpers.append(made)
        return made

    def _sent(self, helper: Process, job: Job, now: float) -> bool:
        """Whether it could be sent; if not, we will be told that the process is gone."""
        from .cache import cache_folder

        number = next(self.numbers)
        folder = str(cache_folder().absolute())
        try:
            helper.send("compile", number, job.description, job.key, folder, job.worth(now))
        except OSError:
            return False
        helper.jobs[number], helper.planning = job, number
        return True

    def _told(self, helper: Process, message: tuple[Any, ...] | None) -> None:
        """A process has said something, or is gone."""
        try:
            if message is None:
                self._gone(helper)
            elif message[0] == "hello":
                self._started(helper, message[1])
            elif message[0] == "bye":
                helper.left = True
            elif message[0] == "generalized":
                helper.awaited.pop(0)()
            else:
                self._answered(helper, *message)
        except Exception as failure:
            warn(failure)
        self.give_out()

    def _started(self, helper: Process, fingerprint: str) -> None:
        from . import cache

        helper.ready = fingerprint == cache.fingerprint()
        if not helper.ready:  # these files have changed since they were imported here
            self.here_only = helper.left = True
            helper.end()

    def _answered(self, helper: Process, what: str, number: int, *rest: Any) -> None:
        """Something has become of a program."""
        job = helper.jobs.get(number)
        if job is None:
            return  # it has failed, and now its modules are done with, too
        if what == "better":
            job.better(*rest)
            return
        if what != "planned":
            del helper.jobs[number]
        if helper.planning != number:
            return
        helper.planning = None
        try:
            if what == "planned":
                job.take(rest[0], rest[1:])
            elif what == "unknown":
                self.here(job)
            elif what == "failed":
                warn(rest[0])
        finally:
            job.done.set()

    def _gone(self, helper: Process) -> None:
        """What it was at is tried once more, elsewhere."""
        self.helpers.remove(helper)
        if not helper.left:
            self.deaths += 1
            self.here_only = self.here_only or self.deaths >= DEATHS or not helper.ready
            if helper.planning is not None and helper.ready:
                helper.jobs[helper.planning].tries += 1
        for then in helper.awaited:
            then()
        for job in helper.jobs.values():  # what is native already could have become better
            if job.tries < TRIES:
                self.jobs.append(job)
            else:
                job.done.set()
        helper.end()


def warn(failure: object) -> None:
    """Says that a program stays interpreted, and why."""
    why = repr(failure) if isinstance(failure, BaseException) else failure
    warnings.warn(f"Rushlight could not compile a program and goes on interpreting it: {why}", stacklevel=3)
