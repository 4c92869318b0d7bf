"""The order of nests where inputs are updated: who reads the old numbers comes first.

A weight's gradient and the gradient that is handed on through it are two contractions in no order of their own.  The
update belongs to the nest of the first, so the second, which reads the weight, goes before it: then the new weight
can be written where the old one lies (`inplace.py`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .capture import Symbol
    from .fuse import Plan


def readers_first(plan: Plan, order: Sequence[Symbol], homes: Mapping[int, int]) -> Iterator[Symbol]:
    """The Symbols in an order in which readers of what is updated come early; `homes` are slots, of new: old."""
    known = {slot: plan.run.stored(slot) for pair in homes.items() for slot in pair if slot in plan.run.symbols}
    updated = {known[old]: new for new, old in homes.items() if old in known and new in plan.roots}
    readers: dict[Symbol, list[Symbol]] = {}
    for x in order:
        if x.kind in ("contract", "scanned"):
            for source in {_source(a) for a in x.args}:
                readers.setdefault(source, []).append(x)
    before: dict[Symbol, list[Symbol]] = {}
    for old, new in updated.items():
        for x in _contractions(plan.roots[new]) if old in readers else ():
            before.setdefault(x, []).extend(r for r in readers[old] if r is not x)
    for x in order:
        yield from before.get(x, ())
        yield x


def _source(x: Symbol) -> Symbol:
    while x.kind == "view":
        x = x.args[0]
    return x


def _contractions(x: Symbol) -> list[Symbol]:
    """The contractions that an update is made of, nearest first, and nothing behind them."""
    found: list[Symbol] = []
    seen, waiting = {x}, [x]
    while waiting:
        for a in waiting.pop().args:
            if a not in seen:
                seen.add(a)
                (found if a.kind == "contract" else waiting).append(a)
    return found
