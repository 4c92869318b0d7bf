"""New numbers written where the old ones lie: parameters and the optimizer's state.

The recorder knows where an updated tensor's numbers must end up: in its old buffer, its *home* (`Value.home`).  Where no
loop reads the old numbers after the new ones are written, but in the same turn at the same element, the native function is
handed that buffer as its output array, and nothing is copied afterwards.  `pairs` finds out which outputs of a segment may be
written so; `lend` makes sure, before every run, that nobody else holds the old numbers.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from sys import getrefcount
from typing import TYPE_CHECKING, Any

import numpy as np

from rushlight.record.program import Call, Program
from rushlight.record.value import Value

from .contract import Tiles
from .loops import Lowered

if TYPE_CHECKING:
    from .capture import Symbol
    from .entry import Entry
    from .native import Segment

Layout = tuple["Symbol", tuple[int, ...], int]  # in whose memory, strides, offset
Pair = tuple[int, int]  # the slot of the new numbers, and of the old ones


def pairs(program: Program, steps: Sequence[Segment | Call], at: int) -> list[Pair]:
    """The outputs of the segment `steps[at]` that may be written over what they replace."""
    segment = steps[at]
    assert not isinstance(segment, Call)
    found = []
    for new, old in program.homes.items():
        if new in segment.entry.outputs and old in segment.entry.arrays and _same_layout(segment.entry, new, old):
            shared = _sharing(steps, old)
            alone = shared.isdisjoint(program.live) and shared.isdisjoint(_read(steps[at + 1 :]))
            if alone and _fits(segment.entry, new, shared):
                found.append((new, old))
    return found


def _same_layout(entry: Entry, new: int, old: int) -> bool:
    a, b = (entry.plan.run.specs[slot] for slot in (new, old))
    return (a.shape, a.strides, a.numpy) == (b.shape, b.strides, b.numpy)


def _sharing(steps: Sequence[Segment | Call], slot: int) -> set[int]:
    """The slots whose arrays may share memory with that of `slot`."""
    shared = {slot}
    for step in steps:
        for call in [step] if isinstance(step, Call) else step.calls:
            op = call.step.op
            if (op.aliases or op.overwrites or op.layouts is not None) and not shared.isdisjoint(call.inputs[:1]):
                shared.update(call.outputs)
    return shared


def _read(steps: Iterable[Segment | Call]) -> set[int | None]:
    return {i for s in steps for i in (s.inputs if isinstance(s, Call) else (*s.entry.arrays, *s.entry.numbers))}


def _fits(entry: Entry, new: int, shared: set[int]) -> bool:
    """Whether the kernels read the old numbers only before the new ones are written, or together with them."""
    plan, kernels = entry.plan, entry.kernels
    written = plan.roots[new]
    old = {plan.run.symbols[slot] for slot in shared if slot in entry.arrays}
    writers = [k for k, kernel in enumerate(kernels) if written in _stores(kernel)]
    if not writers or any(base in old for base, _ in plan.windows.values()):
        return False
    for k, kernel in enumerate(kernels[writers[0] :], writers[0]):
        if isinstance(kernel, Lowered) and any(x.kind == "guard" for x in kernel.nest.body):
            return False  # it may leave the function, whose calls are then interpreted
        elsewhere, together = _loads(kernel, plan)
        if any(base in old for base in elsewhere):
            return False
        touched = [layout for layout in together if layout[0] in old]
        if touched and (k not in writers or any(a[1:] != _stores(kernel)[written][1:] for a in touched)):
            return False
    return all(_stores(kernels[k])[written][0] is written for k in writers)


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


def lend(found: Sequence[Pair], values: Sequence[Any], slots: list[Any]) -> None:
    """Puts the old buffers into the slots of the new numbers, where nobody else holds them."""
    for new, old in found:
        if _holders(values, slots, new, old) == ALONE and values[old].exposure is None and values[old].root is None:
            home = values[new].home
            if home.flags.writeable and (home.base is None or _own(home)):
                slots[new] = home


def _holders(values: Sequence[Any], slots: list[Any], new: int, old: int) -> tuple[bool, int, int]:
    """Whether it is the same buffer, and how many references there are to the old Value and to the buffer."""
    value, home = values[old], values[new].home
    return slots[old] is home, getrefcount(value), getrefcount(home)


def _own(home: np.ndarray) -> bool:
    """Whether the array from which the buffer was made is held by nobody else."""
    return _bases(home) == BASE and home.base.base is None and home.base.size == home.size  # type: ignore[union-attr]


def _bases(home: np.ndarray) -> int:
    base = home.base
    return getrefcount(base) if base.__class__ is np.ndarray else 0


def _alone() -> tuple[bool, int, int]:
    """What `_holders` says of a buffer that is held as it should be: this depends on the interpreter."""
    values = [Value(), Value()]
    values[0].buf = values[1].home = np.empty(1)
    return _holders(values, [values[0].buf, None], 1, 0)


ALONE = _alone()
BASE = _bases(np.empty(1)[:])
