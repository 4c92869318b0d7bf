"""torch.profiler: how long named stretches of a program take.

A program is recorded and computed in one piece, so single operations have no times of their own here. `profile` times
what `record_function` names, each step, and the whole; at the end of each of these, everything recorded in it is
computed, so that its time belongs to it. The table and the Chrome trace have PyTorch's form.
"""

from __future__ import annotations

import functools
import json
import os
import socket
import threading
import time
from collections.abc import Callable, Iterable
from enum import Enum
from typing import Any

from rushlight.core.missing import missing
from rushlight.record.trace import recorder

__all__ = [
    "ProfilerAction", "ProfilerActivity", "profile", "record_function", "schedule", "supported_activities",
    "tensorboard_trace_handler",
]  # fmt: skip

NOTE = "Operations are computed together with their neighbours: only the ranges named by record_function are timed."


class ProfilerActivity(Enum):
    """What PyTorch can look at; here it is the CPU whatever is asked for."""

    CPU = 0
    XPU = 1
    MTIA = 2
    CUDA = 3
    HPU = 4
    PrivateUse1 = 5


class ProfilerAction(Enum):
    """What happens in a step."""

    NONE = 0
    WARMUP = 1
    RECORD = 2
    RECORD_AND_SAVE = 3


def kineto_available() -> bool:
    """False: PyTorch's own profiling library is not here."""
    return False


def supported_activities() -> set[ProfilerActivity]:
    """What can be looked at: the CPU."""
    return {ProfilerActivity.CPU}


def schedule(
    *, wait: int, warmup: int, active: int, repeat: int = 0, skip_first: int = 0, skip_first_wait: int = 0
) -> Callable[[int], ProfilerAction]:
    """Which steps to record: after `skip_first`, cycles of `wait`, `warmup` and `active` steps, `repeat` times.

    >>> plan = torch.profiler.schedule(wait=1, warmup=0, active=1)
    >>> plan(0).name, plan(1).name
    ('NONE', 'RECORD_AND_SAVE')
    """
    if min(wait, warmup, repeat, skip_first) < 0 or active <= 0:
        raise AssertionError("Invalid profiler schedule arguments")
    cycle = wait + warmup + active

    def action(step: int) -> ProfilerAction:
        step -= skip_first
        if skip_first_wait:
            step += wait
        if step < 0 or (repeat and step >= repeat * cycle):
            return ProfilerAction.NONE
        at = step % cycle
        if at < wait:
            return ProfilerAction.NONE
        if at < wait + warmup:
            return ProfilerAction.WARMUP
        return ProfilerAction.RECORD_AND_SAVE if at == cycle - 1 else ProfilerAction.RECORD

    return action


def tensorboard_trace_handler(dir_name: str, worker_name: str | None = None, use_gzip: bool = False) -> Any:
    """For `on_trace_ready`: writes each trace into a directory, as a file that TensorBoard and Chrome show."""

    def handler(prof: profile) -> None:
        os.makedirs(dir_name, exist_ok=True)
        worker = worker_name or f"{socket.gethostname()}_{os.getpid()}"
        prof.export_chrome_trace(os.path.join(dir_name, f"{worker}.{time.time_ns()}.pt.trace.json"))

    return handler


class Event:
    """One stretch that was timed, or all of one name together; times in microseconds."""

    def __init__(self, key: str, start: float, duration: float, inner: float, count: int = 1, thread: int = 0) -> None:
        self.key = self.name = key
        self.start = start
        self.cpu_time_total = duration
        self.self_cpu_time_total = duration - inner
        self.count = count
        self.thread = thread

    @property
    def cpu_time(self) -> float:
        """The mean."""
        return self.cpu_time_total / self.count

    cpu_time_total_str = property(lambda self: _shown(self.cpu_time_total))
    self_cpu_time_total_str = property(lambda self: _shown(self.self_cpu_time_total))
    cpu_time_str = property(lambda self: _shown(self.cpu_time))
    device_time = device_time_total = self_device_time_total = cuda_time = cuda_time_total = self_cuda_time_total = 0.0
    cpu_memory_usage = device_memory_usage = 0
    is_user_annotation = True

    def __repr__(self) -> str:
        return f"<FunctionEvent name={self.key} cpu_time={self.cpu_time_str} count={self.count}>"


def _shown(microseconds: float) -> str:
    for unit, scale in (("s", 1e6), ("ms", 1e3)):
        if microseconds >= scale:
            return f"{microseconds / scale:.3f}{unit}"
    return f"{microseconds:.3f}us"


class EventList(list[Event]):
    """Events, with a table of them."""

    @property
    def self_cpu_time_total(self) -> float:
        """The time in all events together."""
        return sum(e.self_cpu_time_total for e in self)

    def key_averages(self, *_: Any, **__: Any) -> EventList:
        """The events of one name together."""
        found: dict[str, Event] = {}
        for e in self:
            one = found.setdefault(e.key, Event(e.key, e.start, 0.0, 0.0, 0, e.thread))
            one.cpu_time_total += e.cpu_time_total
            one.self_cpu_time_total += e.self_cpu_time_total
            one.count += e.count
        return EventList(found.values())

    def total_average(self) -> Event:
        """All events together."""
        total = self.self_cpu_time_total
        return Event("Total", 0.0, total, 0.0, max(sum(e.count for e in self), 1))

    def table(
        self, sort_by: str | None = None, row_limit: int = 100, max_name_column_width: int = 55,
        header: str | None = None, top_level_events_only: bool = False, **_: Any,
    ) -> str:  # fmt: skip
        """The events as text, the largest `sort_by` first."""
        events = sorted(self, key=lambda e: -getattr(e, sort_by)) if sort_by else list(self)
        total = self.self_cpu_time_total or 1.0
        rows = [_row(e, total, max_name_column_width) for e in events[:row_limit]]
        titles = ["Name", "Self CPU %", "Self CPU", "CPU total %", "CPU total", "CPU time avg", "# of Calls"]
        widths = [max(len(r[i]) for r in [titles, *rows]) + (2 if i else 0) for i in range(len(titles))]
        rule = "  ".join("-" * w for w in widths)
        lines = ["  ".join(c.rjust(w) for c, w in zip(r, widths, strict=True)) for r in [titles, *rows]]
        shown = [
            rule,
            lines[0],
            rule,
            *lines[1:],
            rule,
            f"Self CPU time total: {_shown(self.self_cpu_time_total)}",
            NOTE,
        ]
        return "\n".join([*([header] if header else []), *shown])

    __str__ = table


def _row(e: Event, total: float, width: int) -> list[str]:
    name = e.key if len(e.key) <= width else e.key[: width - 3] + "..."
    own, whole = e.self_cpu_time_total / total, e.cpu_time_total / total
    times = f"{own:.2%}", e.self_cpu_time_total_str, f"{whole:.2%}", e.cpu_time_total_str, e.cpu_time_str
    return [name, *times, str(e.count)]


class _Running(threading.local):
    """The profile of this thread, if one is recording, and the time spent inside each open range."""

    def __init__(self) -> None:
        self.profile: profile | None = None
        self.inner: list[float] = []


_running = _Running()


class record_function:
    """Names a stretch of the program for the profile around it: a context or a decorator.

    >>> with torch.profiler.profile() as prof:
    ...     with torch.profiler.record_function("forward"):
    ...         y = torch.ones(3) * 2
    >>> [e.key for e in prof.key_averages()]
    ['forward', 'profile']
    """

    def __init__(self, name: str, args: str | None = None) -> None:
        self.name = name
        self._open: list[tuple[profile | None, float]] = []

    def __enter__(self) -> record_function:
        self._open.append((_running.profile, time.perf_counter_ns() / 1e3))
        if _running.profile is not None:
            _running.inner.append(0.0)
        return self

    def __exit__(self, *_: object) -> None:
        running, start = self._open.pop()
        if running is not None and running is _running.profile:
            running.finish(self.name, start)

    def __call__(self, func: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(func)
        def inside(*args: Any, **kwargs: Any) -> Any:
            with record_function(self.name):
                return func(*args, **kwargs)

        return inside


class profile:
    """Times the stretches named by `record_function`, the steps, and the whole, inside a `with` block.

    Args:
        schedule: which steps to record; `step()` ends each. on_trace_ready: called with the profile when its steps are
            done. The other arguments are accepted: there is nothing more to record.

    Source: https://pytorch.org/docs/stable/profiler.html
    """

    def __init__(
        self,
        *,
        activities: Iterable[ProfilerActivity] | None = None,
        schedule: Callable[[int], ProfilerAction] | None = None,
        on_trace_ready: Callable[[profile], Any] | None = None,
        record_shapes: bool = False,
        profile_memory: bool = False,
        with_stack: bool = False,
        with_flops: bool = False,
        with_modules: bool = False,
        **_: Any,
    ) -> None:
        self.activities = set(activities or supported_activities())
        self.schedule = schedule
        self.on_trace_ready = on_trace_ready
        self.step_num = 0
        self._events = EventList()
        self._began = 0.0
        self._outer: profile | None = None

    @property
    def current_action(self) -> ProfilerAction:
        """What this step does."""
        return ProfilerAction.RECORD if self.schedule is None else self.schedule(self.step_num)

    def start(self) -> None:
        """Begins."""
        self._outer = _running.profile
        self._begin_step()

    def _begin_step(self) -> None:
        recorder().flush()
        recording = self.current_action in (ProfilerAction.RECORD, ProfilerAction.RECORD_AND_SAVE)
        _running.profile = self if recording else self._outer
        self._began = time.perf_counter_ns() / 1e3
        if recording:
            _running.inner.append(0.0)

    def step(self) -> None:
        """Ends a step and begins the next."""
        self._end_step(f"ProfilerStep#{self.step_num}" if self.schedule is not None else "ProfilerStep*")
        if self.current_action is ProfilerAction.RECORD_AND_SAVE:
            self._ready()
        self.step_num += 1
        self._begin_step()

    def _end_step(self, name: str) -> None:
        if _running.profile is self:
            self.finish(name, self._began)

    def _ready(self) -> None:
        if self.on_trace_ready is not None:
            self.on_trace_ready(self)
        if self.schedule is not None:
            self._events = EventList()

    def stop(self) -> None:
        """Ends."""
        self._end_step("profile" if not self.step_num else f"ProfilerStep#{self.step_num}")
        _running.profile = self._outer
        if self._events and self.on_trace_ready is not None:
            self.on_trace_ready(self)

    def finish(self, name: str, start: float) -> None:
        """Ends a range that began then: computes what it recorded, and notes its time."""
        recorder().flush()
        duration = time.perf_counter_ns() / 1e3 - start
        inner = _running.inner.pop()
        if _running.inner:
            _running.inner[-1] += duration
        self._events.append(Event(name, start, duration, inner, thread=threading.get_ident()))

    def __enter__(self) -> profile:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def events(self) -> EventList:
        """Everything that was timed."""
        return self._events

    def key_averages(self, *_: Any, **__: Any) -> EventList:
        """What was timed, by name."""
        return self._events.key_averages()

    def export_chrome_trace(self, path: str) -> None:
        """Writes the events as a file for chrome://tracing."""
        events = [
            {"ph": "X", "cat": "user_annotation", "name": e.key, "pid": os.getpid(), "tid": e.thread, "ts": e.start,
             "dur": e.cpu_time_total}
            for e in self._events
        ]  # fmt: skip
        with open(path, "w", encoding="utf-8") as file:
            json.dump({"traceEvents": events, "displayTimeUnit": "ms"}, file)

    def export_stacks(self, path: str, metric: str = "self_cpu_time_total") -> None:
        """Raises NotImplementedError: stacks are not recorded."""
        raise NotImplementedError("torch.profiler.profile.export_stacks: stacks are not recorded")


__getattr__ = missing(__name__)
