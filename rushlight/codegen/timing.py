"""How long the kernels of a program take: the processor's cycle counter, read before and after each.

A timed program is the same machine code with these readings around its kernels.  The limits it is measured against are
this machine's own: the rate of a large product, and that of a sum of arrays which no cache holds.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable

import numpy as np

from rushlight.record.program import Program

from .entry import entry_parameters
from .ir import Builder
from .llvm import Printer
from .machine import machine
from .planning import PlannedProgram, PlannedSegment
from .processor import architecture

REPEATS = 8


@functools.cache
def ticks_per_second() -> float:
    """How fast the cycle counter runs; 0 where there is none that a program may read."""
    if architecture() != "x86_64":
        return 0.0
    (ticks,) = machine().functions(_counter(), ["ticks"])
    start, first = time.perf_counter(), ticks()
    while time.perf_counter() - start < 0.01:
        pass
    return float(ticks() - first) / (time.perf_counter() - start)


def _counter() -> str:
    """The text of a function that reads the counter."""
    w, printer = Builder(), Printer()
    w.leave(w.call("PyLong_FromLongLong", "ptr", w.make("cycles", "i64", 1, ())))
    f = w.function("ticks", entry_parameters(w))
    return printer.program([], [], [(f, printer.body(f))])


def timed(program: Program, step: Callable[[], object]) -> PlannedProgram | None:
    """Runs `step` some times with the program timed; each Segment's `clock` then holds the cycles of its kernels."""
    if not ticks_per_second():
        return None
    native = PlannedProgram(program, machine().vector_bytes, timed=True)
    if not native.segments:
        return None
    native.link(machine())
    before, program.faster = program.faster, native.run
    try:
        step()  # memory is touched for the first time
        for segment in native.segments:
            segment.clock[:] = 0
        for _ in range(REPEATS):
            step()
    finally:
        program.faster = before
    return native


def seconds(segment: PlannedSegment) -> np.ndarray:
    """The mean time of each kernel in a run."""
    cycles, runs = segment.clock[:-1], max(int(segment.clock[-1]), 1)
    return cycles / runs / ticks_per_second()


@functools.cache
def limits(threads: int) -> tuple[float, float]:
    """Operations and bytes a second of this machine."""
    import rushlight as torch

    x, long = torch.ones(384, 384), torch.ones(1 << 23)
    product = _best(lambda: torch.mm(x, x).data_ptr())
    total = _best(lambda: (long + long).data_ptr())
    return 2 * 384**3 / product, 2 * 4 * long.numel() / total


def _best(f: Callable[[], object]) -> float:
    times = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        f()
        times.append(time.perf_counter() - start)
    return min(times)
