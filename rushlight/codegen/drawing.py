"""Random numbers inside a native function: a stage that has a filling (`mersenne.py`) write them.

A draw reads and changes the state of its engine, which is an array among the function's arguments.  Draws come first
in a run, in the order in which they were recorded; each has the one before it among its operands (`fuse.Run`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .arithmetic import constant_of
from .imports import FILL
from .ir import Index, Value, constant
from .stage import NANOSECONDS, Stage

if TYPE_CHECKING:
    from .capture import Symbol
    from .parallel import Place

CYCLES = {"chosen8": 1.2, "uniform32": 0.7, "uniform64": 1.4, "normals32": 2.6}  # for a number


class Drawing(Stage):
    """One draw."""

    what = "draw"

    def __init__(self, symbol: Symbol) -> None:
        super().__init__(symbol, 1)
        self.cost = symbol.size * CYCLES[symbol.data] * NANOSECONDS
        self.moved = symbol.size * self.itemsize

    def _write(self, place: Place, first: Index, last: Index) -> None:
        w = place.writer
        state, *operands = self.symbol.args
        numbers = [self._number(place, x) for x in operands if x.kind != "draw"]
        numbers += [constant(0.0, "f64")] * (3 - len(numbers))
        arrays = place.pointers[state], place.pointers[self.symbol]
        w.call(FILL + self.symbol.data, "ptr", *arrays, self.symbol.size, *numbers)

    def _number(self, place: Place, x: Symbol) -> Value:
        return self.vector.cast(constant_of(x) if x.kind == "constant" else place.uniform[x], "f64")
