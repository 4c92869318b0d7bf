"""What the compiler makes of a step: `rushlight.explain(step)`.

The step is run with every program compiled at once; the programs that ran are described: which calls became machine
code, in which loop nests, over how many bytes, and what NumPy still does and why.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rushlight.record.program import Program
from rushlight.record.trace import EAGER

from .background import compile_now
from .loops import Lowered
from .native import NativeProgram, Segment

TURNS = 4  # the automaton, and the optimizer's state, have settled by then


def explain(step: Callable[..., Any], *arguments: Any, text: bool = False) -> str:
    """Runs `step` a few times and describes the programs of its last run.

    Args:
        step: what to explain, for example one training step.
        arguments: handed to it.
        text: whether to add the LLVM text.

    >>> "native" in torch.explain(lambda: (torch.ones(8) * 2 + 1).sum().item())
    True
    """
    if EAGER:
        return "RUSHLIGHT_EAGER: every operation is computed at once, so there is no program; native code is not used"
    ran: list[Program] = []
    before, run = (Program.compiler, Program.patience), Program.run

    def watched(program: Program, values: Any) -> Any:
        ran.append(program)
        return run(program, values)

    Program.compiler, Program.patience = compile_now, 1
    Program.run = watched  # type: ignore[method-assign, assignment]
    try:
        for _ in range(TURNS):
            ran.clear()
            step(*arguments)
    finally:
        Program.compiler, Program.patience = before
        Program.run = run  # type: ignore[method-assign]
    parts = [describe(p, f"program {k + 1}", text) for k, p in enumerate(dict.fromkeys(ran))]
    return "\n".join(parts)


def describe(program: Program, name: str, text: bool) -> str:
    """One program in words."""
    from .machine import machine

    native = NativeProgram(program, machine().vector_bytes)
    count = len(native.segments)
    lines = [f"{name}: {len(program.calls)} calls, {count} native function{'s' if count != 1 else ''}"]
    for step in native.steps:
        if isinstance(step, Segment):
            lines.extend(_segment(step))
        else:
            why = native.reasons.get(step.step.op.name, "too short a run")
            lines.append(f"  numpy   {step.step.op.name:28} {why}")
    if text and count:
        lines.append(native.text())
    return "\n".join(lines)


def _segment(segment: Segment) -> list[str]:
    entry = segment.entry
    arena = f", {entry.plan.arena} bytes of intermediates" if entry.plan.arena else ""
    lines = [f"  native  {entry.name}: {len(segment.calls)} calls in {len(entry.kernels)} loop nests{arena}"]
    for low, divided in zip(entry.kernels, entry.divided, strict=True):
        parts = f"{low.units} units  " if divided else ""  # what several threads share
        if isinstance(low, Lowered):
            what = " ".join(x.data[0] if x.kind == "reduce" else x.kind for x in low.nest.body)
            moved = sum(a.symbol.size * a.symbol.dtype.itemsize for a in low.accesses)
            shape = "x".join(map(str, low.shape)) or "1"
            lines.append(f"    {shape:>12}  {moved:>9} bytes  lanes {low.lanes:<2}  {parts}{_short(what)}")
        else:
            cost = f"{low.cost / 1e3:>9.1f} us     lanes {low.lanes:<2}"
            lines.append(f"    {low.what:>12}  {cost}  {parts}{low.symbol.kind}")
    return lines


def _short(text: str, width: int = 76) -> str:
    return text if len(text) <= width else text[: width - 3] + "..."
