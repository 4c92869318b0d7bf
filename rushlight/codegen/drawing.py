"""Random numbers inside a native function: a stage that has a filling (`mersenne.py`) write them.

A draw reads and changes the state of its engine, which is an array among the function's arguments.  Draws come first
in a run, in the order in which they were recorded; each has the one before it among its operands (`fuse.Run`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .llvm import TYPES, constant, number
from .stage import NANOSECONDS, Stage

if TYPE_CHECKING:
    from .capture import Symbol
    from .parallel import Place

FILL = "rushlight_fill_"  # how the names of fillings begin in machine code
CYCLES = {"chosen8": 1.2, "uniform32": 0.7, "uniform64": 1.4, "normals32": 2.6}  # for a number


class Drawing(Stage):
    """One draw."""

    what = "draw"

    def __init__(self, symbol: Symbol) -> None:
        super().__init__(symbol, 1)
        self.cost = symbol.size * CYCLES[symbol.data] * NANOSECONDS
        self.moved = symbol.size * self.itemsize

    def _write(self, place: Place, first: str, last: str) -> None:
        w = place.writer
        state, *operands = self.symbol.args
        numbers = [self._number(place, x) for x in operands if x.kind != "draw"]
        numbers += [number(0.0, "double")] * (3 - len(numbers))
        name = FILL + self.symbol.data
        w.declared.add(f"declare void @{name}(ptr, ptr, i64, double, double, double)")
        given = ", ".join(f"double {n}" for n in numbers)
        w.line(f"call void @{name}(ptr {place.pointers[state]}, ptr {place.pointers[self.symbol]}, "
               f"i64 {self.symbol.size}, {given})")  # fmt: skip

    def _number(self, place: Place, x: Symbol) -> str:
        name = constant(x) if x.kind == "constant" else place.uniform[x]
        return self.vector.cast(name, TYPES[x.dtype.name], "double")
