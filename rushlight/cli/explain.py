"""Run a program, then show what became of its hottest part: machine code, loop nests, NumPy calls.

`rushlight explain` takes what `rushlight run` takes.  While the program runs, every recorded program that is executed
is counted; at the end, however that comes, the one that made the most calls altogether is described as
`torch.explain` would.
"""

from __future__ import annotations

import argparse
from collections import Counter
from typing import Any

from . import run


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """`rushlight explain [-m module | -c code | program] [arguments ...]`."""
    run.add_arguments(parser)
    parser.usage = parser.usage and parser.usage.replace("rushlight run", "rushlight explain")


def execute(options: argparse.Namespace) -> int:
    """Run the program and print the page. Returns 0; what the program raises goes to the interpreter."""
    from rushlight.record.program import Program

    counts: Counter[Program] = Counter()
    started = Program.run

    def counted(program: Program, values: Any) -> Any:
        counts[program] += 1
        return started(program, values)

    Program.run = counted  # type: ignore[method-assign, assignment]
    try:
        return run.execute(options)
    finally:
        Program.run = started  # type: ignore[method-assign]
        print(page(counts))


def page(counts: Counter[Any]) -> str:
    """What is to be said of the programs that ran, so many times each."""
    from rushlight.codegen.explain import NOTHING, describe
    from rushlight.record.trace import EAGER

    if EAGER:
        return "RUSHLIGHT_EAGER: every operation was computed at once, so there was no program to explain"
    if not counts:
        return NOTHING
    hottest = max(counts, key=lambda p: counts[p] * len(p.calls))
    times, others = counts[hottest], len(counts) - 1
    return describe(hottest, f"the hottest of {others + 1} recorded programs, run {times} times", text=False)
