"""A graph interpreted and compiled, and by several threads."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import rushlight
from rushlight.codegen import background, parallel
from rushlight.record import trace
from rushlight.record.program import Program

from . import Graph, ran
from .judging import Answers, differs, shrunk

COUNTS = 1, 2, 5
PATCHED = (Program, "compiler"), (Program, "patience"), (parallel, "KERNEL"), (parallel, "FUNCTION")


@contextmanager
def afresh(**values: Any) -> Iterator[None]:
    """From an automaton that knows nothing, with the compiler as said, and nothing is left of it."""
    before = [(owner, name, getattr(owner, name)) for owner, name in PATCHED]
    forget()
    Program.compiler = None
    try:
        for owner, name in PATCHED:
            if name in values:
                setattr(owner, name, values[name])
        yield
    finally:
        for owner, name, value in before:
            setattr(owner, name, value)
        forget()


def forget() -> None:
    """Forgets every program."""
    trace.recorder().flush()
    trace.AUTOMATON.start_afresh()
    trace.recorder().trace = trace.Trace(trace.recorder())


def interpreted(graph: Graph, times: int = 1) -> Answers:
    with afresh():
        return [ran(rushlight, graph) for _ in range(times)][-1]


def compiled(graph: Graph, threads: int = 0) -> Answers:
    """Machine code's answers; with `threads`, every kernel that can be divided is."""
    divided = {"KERNEL": 0.0, "FUNCTION": 0.0} if threads else {}
    before = rushlight.get_num_threads()
    if threads:
        rushlight.set_num_threads(threads)
    try:
        with afresh(compiler=background.compile_now, patience=1, **divided):
            return ran(rushlight, graph)
    finally:
        rushlight.set_num_threads(before)


def complaint(graph: Graph, threads: bool = False) -> str | None:
    """What is wrong with a graph's machine code; None if nothing is."""
    wanted = interpreted(graph)
    again = differs(graph, wanted, interpreted(graph, 2))
    if again is not None:
        return f"the interpreter's second {again}"
    answers = [compiled(graph, n) for n in COUNTS] if threads else [compiled(graph)]
    for count, other in zip(COUNTS[1:], answers[1:]):
        if not same_bits(answers[0], other):
            return f"{count} threads give other bits than one"
    return differs(graph, wanted, answers[0])


def same_bits(a: Answers, b: Answers) -> bool:
    def bits(x: Any) -> Any:
        return x if isinstance(x, str) else (x.dtype, x.shape, x.tobytes())

    return len(a) == len(b) and all(bits(x) == bits(y) for x, y in zip(a, b))


def smaller(graph: Graph, threads: bool = False, found: Callable[[Graph, bool], str | None] = complaint) -> Graph:
    """The part of a graph that is enough for the complaint."""
    return shrunk(graph, lambda g: found(g, threads))
