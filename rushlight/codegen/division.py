"""How a loop nest falls into units for several threads, and what it costs.

A dimension along which no two results meet is divided as it is.  Where there is none with enough pieces, a sum over
the outermost dimension is taken in PARTS partial sums, each in a row of its own, which one thread adds up in order;
how many there are depends on the nest alone, so the result is the same for any number of threads.

What is added at positions meets only where the positions are equal and all else is: a dimension along which the rest of
the place moves is divided, and every unit goes through all positions in order.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .capture import ARITHMETIC, Symbol
from .columns import tile_of

if TYPE_CHECKING:
    from .fuse import Plan
    from .loops import Lowered

PLENTY = 16  # units that keep several threads busy to the end
PARTS = 32  # partial sums
BESIDE = 8  # vectors of a unit that goes through all positions
ROOM = 1 << 14  # elements of all partial sums of one nest
STEP, HARD, DIVISION = 0.3, 6.0, 3.0  # nanoseconds of a vector of arithmetic, of a function, of a quotient
NEAR, FAR, CACHE = 0.03, 0.1, 1 << 20  # nanoseconds a byte in the cache, or beyond


class Division:
    """A nest's units.

    Attributes:
        axis: the dimension that is divided.
        wide: how many turns of its loop belong to a unit.
        units: into how many; 0 where the nest runs alone.
        partial: the reductions in partial sums, and where in the arena their rows begin.
    """

    def __init__(self, low: Lowered, plan: Plan) -> None:
        self.axis = 0
        self.wide = 1
        self.units = 0
        self.partial: dict[Symbol, int] = {}
        if not any(x.kind == "guard" for x in low.nest.body):
            self._choose(low, plan)

    def _choose(self, low: Lowered, plan: Plan) -> None:
        last = len(low.shape) - 1
        written = [*low.sums.values(), *low.added.values()]
        for d, n in enumerate(low.shape[:-2] if low.crossed else low.shape):
            wide = BESIDE if low.added and d == last else 1
            units = -(-n // (low.lanes * wide * (tile_of(low, last) or 1))) if d == last else n
            if units > self.units and self.units < PLENTY and all(a.strides[d] for a in written):
                self.axis, self.wide, self.units = d, wide, units
        parts = not low.added and last > (1 if low.crossed else 0)
        if parts and self.units < PLENTY and low.shape[0] > self.units:
            self._in_parts(low, plan, min(PARTS, low.shape[0]))

    def _in_parts(self, low: Lowered, plan: Plan, parts: int) -> None:
        met = [x for x, a in low.sums.items() if not a.strides[0]]
        if not met or parts * sum(x.size for x in met) > ROOM:
            return
        self.axis, self.units = 0, parts
        for x in met:
            self.partial[x] = plan.memories.keep(parts * x.size * x.dtype.itemsize)


def cost_of(low: Lowered) -> float:
    """Estimated nanoseconds of a nest on one thread."""
    vectors = 1.0
    for n in low.shape[:-1]:
        vectors *= n
    vectors *= -(-low.shape[-1] // low.lanes) if low.shape else 1
    arithmetic = vectors * sum(_weight(x) for x in low.nest.body)
    moved = sum(a.symbol.size * a.symbol.dtype.itemsize for a in low.accesses)
    return arithmetic + moved * (NEAR if moved < CACHE else FAR)


def _weight(x: Symbol) -> float:
    if x.kind in ("divide", "true_divide", "sqrt", "reciprocal"):
        return DIVISION
    simple = x.kind in ARITHMETIC or x.kind in ("cast", "where", "broadcast", "reduce", "view")
    return STEP if simple else HARD
