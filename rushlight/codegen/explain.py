"""What the compiler makes of a step: `rushlight.explain(step)`.

The step is run with every program compiled at once; the programs that ran are described: which calls became machine
code, in which loop nests, what each takes (operations, bytes, measured time, and how near that is to what the machine
can do), and what NumPy still does and why.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from rushlight.record.program import Program
from rushlight.record.trace import EAGER, recorder

from .background import compile_now
from .drawing import Drawing
from .loops import Lowered
from .planning import PlannedProgram, PlannedSegment
from .scan import Turns
from .tiles import Tiles

NOTHING = "Nothing was computed, so there is nothing to explain."
TURNS = 4  # the automaton, and the optimizer's state, have settled by then


def explain(step: Callable[..., Any], *arguments: Any, text: bool = False) -> str:
    """Runs `step` some times, computing what it returns, and describes the programs of its last run.

    A line for each loop nest: its time and share of the whole, its rate and how near that is to this machine's (of
    arithmetic for products, of memory for all else, which in a cache can be more), and what it does.

    Args:
        step: what to explain, for example one training step.
        arguments: handed to it.
        text: whether to add the loops that it became (the functions of the loop IR).

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

    def turn() -> None:
        wanted = step(*arguments)  # is held while it is computed
        recorder().flush()
        del wanted

    recorder().flush()  # what was recorded before is no part of it
    Program.compiler, Program.patience = compile_now, 1
    Program.run = watched  # type: ignore[method-assign, assignment]
    try:
        for _ in range(TURNS):
            ran.clear()
            turn()
    finally:
        Program.compiler, Program.patience = before
        Program.run = run  # type: ignore[method-assign]
    programs = enumerate(dict.fromkeys(ran))
    return "\n".join(describe(p, f"program {k + 1}", text, turn) for k, p in programs) or NOTHING


def describe(program: Program, name: str, text: bool, step: Callable[[], Any] | None = None) -> str:
    """One program in words; with a `step` that runs it, measured."""
    from . import timing
    from .machine import machine

    native = timing.timed(program, step) if step is not None else None
    native = native or PlannedProgram(program, machine().vector_bytes)
    count = len(native.segments)
    lines = [f"{name}: {len(program.calls)} calls, {count} native function{'s' if count != 1 else ''}"]
    for part in native.steps:
        if isinstance(part, PlannedSegment):
            lines.extend(_segment(part))
        else:
            why = native.reasons.get(part.step.op.name, "too short a run")
            lines.append(f"  numpy   {part.step.op.name:28} {why}")
    if text and count:
        plain = PlannedProgram(program, machine().vector_bytes, keep=True)  # without the readings of the clock
        lines.append(plain.listing())
    return "\n".join(lines)


def _segment(segment: PlannedSegment) -> list[str]:
    from . import timing
    from .team import get_threads

    entry = segment.entry
    arena = f", {entry.plan.arena:,} bytes of intermediates" if entry.plan.arena else ""
    many = len(entry.kernels)
    head = f"  native  {entry.name}: {len(segment.calls)} calls in {many} loop nest{'s' if many != 1 else ''}{arena}"
    times = timing.seconds(segment) if segment.clock.size else None
    if times is not None:
        head += f", {times.sum() * 1e6:,.1f} us"
    lines = [head]
    for k, (low, divided) in enumerate(zip(entry.kernels, entry.divided, strict=True)):
        line = _kernel(low) + (f"  {low.units} units" if divided else "")  # what several threads share
        if times is not None:
            share = _limited(low, times[k], timing.limits(get_threads()))
            line = f"{times[k] * 1e6:9.2f} us {times[k] / max(times.sum(), 1e-12):4.0%} {share}  {line}"
        lines.append("    " + line)
        if isinstance(low, Turns):
            lines.extend(_turn(low))
    return lines


def _turn(low: Turns, depth: int = 0) -> Iterator[str]:
    """What a loop does in each turn."""
    for inner in low.each:
        yield f"{'':10}in each turn  {'  ' * depth}{_kernel(inner)}"
        if isinstance(inner, Turns):
            yield from _turn(inner, depth + 1)


def _kernel(low: Any) -> str:
    if isinstance(low, Lowered):
        what = " ".join(x.data[0] if x.kind == "reduce" else x.kind for x in low.nest.body)
        shape = "x".join(map(str, low.shape)) or "1"
        return f"{shape:>14} {_moved(low) / 1e3:10.1f} KB     lanes {low.lanes:<2}  {_short(what)}"
    if isinstance(low, Turns):
        return f"{low.body.count:>8} turns {low.flops / 1e6:10.2f} Mflop  {len(low.each)} loop nests"
    if isinstance(low, Tiles):
        return f"{low.what:>14} {low.flops / 1e6:10.2f} Mflop  lanes {low.lanes:<2}  contract"
    what = low.symbol.data if isinstance(low, Drawing) else "contract"
    return f"{low.what:>14} {low.moved / 1e3:10.1f} KB     lanes {low.lanes:<2}  {what}"


def _moved(low: Lowered) -> int:
    """Bytes read and written."""
    return sum(a.symbol.size * a.symbol.dtype.itemsize for a in low.accesses)


def _limited(low: Any, seconds: float, limits: tuple[float, float]) -> str:
    """The rate, and its share of the machine's: of arithmetic for products, of memory for all else."""
    if seconds <= 0:
        return " " * 20
    if isinstance(low, (Tiles, Turns)):
        rate = low.flops / seconds
        return f"{rate / 1e9:7.1f} GFLOP/s {min(rate / limits[0], 9.99):4.0%}"
    rate = (_moved(low) if isinstance(low, Lowered) else low.moved) / seconds
    return f"{rate / 1e9:7.1f} GB/s    {min(rate / limits[1], 9.99):4.0%}"


def _short(text: str, width: int = 60) -> str:
    return text if len(text) <= width else text[: width - 3] + "..."
