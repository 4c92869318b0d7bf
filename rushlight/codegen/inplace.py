"""New numbers written where the old ones lie: parameters and the optimizer's state.

The recorder knows where an updated tensor's numbers must end up: in its old buffer, its *home* (`Value.home`).  Where
no loop reads the old numbers after the new ones are written, but in the same turn at the same element, the native
function is handed that buffer as its output array, and nothing is copied afterwards.  `pairs` finds out which outputs
of a segment may be written so; its `Loan` (`results.py`) makes sure, before every run, that nobody else holds the old
numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rushlight.record.program import Call, Program

from .loops import Lowered
from .results import Pair
from .tiles import Tiles

if TYPE_CHECKING:
    from .capture import Symbol
    from .entry import Entry
    from .planning import PlannedSegment

Layout = tuple["Symbol", tuple[int, ...], int]  # in whose memory, strides, offset


def pairs(program: Program, steps: Sequence[PlannedSegment | Call]) -> list[list[Pair]]:
    """For each step, the results that may be written over what they replace."""
    sharing = _sharing(steps)
    later: set[int | None] = set()
    found: list[list[Pair]] = []
    for step in reversed(steps):
        if isinstance(step, Call):
            found.append([])
            later.update(step.inputs)
            continue
        entry, kept = step.entry, later | set(program.live)
        candidates = [(new, old) for new, old in program.homes.items() if new in entry.outputs and old in entry.arrays]
        traffic = Traffic(entry) if candidates else None
        found.append([])
        for new, old in candidates:
            shared = sharing.get(old, {old})
            if shared.isdisjoint(kept) and _same_layout(entry, new, old) and traffic and traffic.allows(new, shared):
                found[-1].append((new, old))
        later.update(entry.arrays)
    return found[::-1]


def _same_layout(entry: Entry, new: int, old: int) -> bool:
    a, b = (entry.plan.run.specs[slot] for slot in (new, old))
    return (a.shape, a.strides, a.numpy) == (b.shape, b.strides, b.numpy)


def _sharing(steps: Sequence[PlannedSegment | Call]) -> dict[int, set[int]]:
    """The slots whose arrays may share memory with that of a slot, where there are others than itself."""
    source: dict[int | None, int | None] = {}
    groups: dict[int, set[int]] = {}
    for step in steps:
        for call in [step] if isinstance(step, Call) else step.calls:
            op = call.step.op
            if call.inputs and (op.aliases or op.overwrites or op.layouts is not None):
                first = source.get(call.inputs[0], call.inputs[0])
                source.update(dict.fromkeys(call.outputs, first))
                if first is not None:
                    groups.setdefault(first, {first}).update(call.outputs)
    return groups


class Traffic:
    """Which kernels of a function read and write what, by whose memory it is."""

    def __init__(self, entry: Entry) -> None:
        self.plan = entry.plan
        self.symbols = {slot: entry.plan.run.stored(slot) for slot in entry.arrays}
        self.elsewhere: dict[Symbol, int] = {}  # the last kernel that reads any part of it
        self.together: dict[Symbol, list[tuple[int, Layout]]] = {}  # who reads it element by element
        self.writers: dict[Symbol, list[tuple[int, Layout]]] = {}
        self.guards = -1  # the last kernel after which the function may be left, and its calls interpreted
        for k, kernel in enumerate(entry.kernels):
            elsewhere, together = _loads(kernel, entry.plan)
            self.elsewhere.update(dict.fromkeys(elsewhere, k))
            for layout in together:
                self.together.setdefault(layout[0], []).append((k, layout))
            for x, layout in _stores(kernel).items():
                self.writers.setdefault(x, []).append((k, layout))
            if isinstance(kernel, Lowered) and any(x.kind == "guard" for x in kernel.nest.body):
                self.guards = k
        self.elsewhere.update({base: len(entry.kernels) for base, _ in entry.plan.windows.values()})

    def allows(self, new: int, shared: set[int]) -> bool:
        """Whether the old numbers are read only before the new ones are written, or in the same turn."""
        written = self.plan.roots[new]
        writers = dict(self.writers.get(written, ()))
        if not writers or self.guards >= min(writers) or any(base is not written for base, _, _ in writers.values()):
            return False
        for slot in shared & self.symbols.keys():
            base = self.symbols[slot]
            if self.elsewhere.get(base, -1) >= min(writers):
                return False
            for k, layout in self.together.get(base, ()):
                if k >= min(writers) and (k not in writers or layout[1:] != writers[k][1:]):
                    return False
        return True


def _stores(kernel: Any) -> dict[Symbol, Layout]:
    """What a kernel writes element by element."""
    if isinstance(kernel, Lowered):
        return {x: (a.base, tuple(a.strides), a.offset) for x, a in kernel.stores.items()}
    if isinstance(kernel, Tiles) and kernel.epilogue is not None:
        return {x: (base, _moving(x, strides), offset) for x, (base, strides, offset) in kernel.epilogue.stores.items()}
    return {}


def _loads(kernel: Any, plan: Any) -> tuple[list[Symbol], list[Layout]]:
    """Whose memory a kernel reads anywhere, and what it reads where it stores."""
    if isinstance(kernel, Lowered):
        anywhere = [a.base for a in (*kernel.picks.values(), *kernel.added.values())]
        return anywhere, [(a.base, tuple(a.strides), a.offset) for a in kernel.loads.values()]
    anywhere = [plan.memory(a)[0] for a in kernel.symbol.args]
    if isinstance(kernel, Tiles) and kernel.epilogue is not None:
        loads, product = kernel.epilogue.loads.values(), kernel.epilogue.product
        return anywhere, [(base, _moving(product, strides), offset) for base, strides, offset in loads]
    return anywhere, []


def _moving(x: Symbol, strides: Sequence[int]) -> tuple[int, ...]:
    """The strides, where they matter."""
    return tuple(0 if n == 1 else s for n, s in zip(x.shape, strides, strict=True))
