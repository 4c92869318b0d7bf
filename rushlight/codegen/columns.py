"""Sums over rows: of some columns at a time, in registers.

Where a sum runs over the second innermost dimension and its results lie along the innermost one, as in the sum of a
matrix's rows, a tile of columns keeps its partial results in registers while the rows go by, and adds them to memory
once.  A row that fits into one tile may have sums of its own along it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .capture import Symbol
from .ir import Index, Loop, Value, When, first_lanes

if TYPE_CHECKING:
    from .loops import Lowered, NestWriter

TILE = 4  # vectors of columns beside one another
WIDEST = 8  # a row of so many vectors is one tile
REGISTERS = 16  # partial results at a time
CHAINS = 4  # so many sums at once hide the latency of an addition

Piece = tuple[Index, int | None]  # where a vector of columns begins, and how many of its lanes there are


def tile_of(low: Lowered, axis: int) -> int:
    """How many vectors of columns make a tile; 0 where the loops are not of this kind."""
    last = len(low.shape) - 1
    if last < 1 or low.added or low.crossed:
        return 0
    down = [x for x, a in low.sums.items() if a.strides[last] and not a.strides[last - 1]]
    along = any(a.strides[last - 1] and not a.strides[last] for a in low.sums.values())
    if not down:
        return 0
    vectors = -(-low.shape[last] // low.lanes)
    if axis != last and vectors <= min(WIDEST, REGISTERS // len(down)):
        return vectors
    return 0 if along else max(min(TILE, REGISTERS // len(down)), 1)


class Columns:
    """Writes the two innermost loops of a nest."""

    def __init__(self, to: NestWriter, tile: int) -> None:
        self.to = to
        self.tile = tile
        self.d = len(to.low.shape) - 2
        self.down = [x for x, a in to.low.sums.items() if a.strides[-1] and not a.strides[self.d]]

    def write(self) -> None:
        """All columns, or the stretch of them that is the writer's."""
        to, lanes, n = self.to, self.to.low.lanes, self.to.low.shape[-1]
        full, tail = n // lanes, n % lanes
        if to.axis == self.d + 1:
            self._stretch(full, tail)
            return
        main = full // self.tile * self.tile
        if main > self.tile or (main and (main != full or tail)):
            loop = Loop(to.w, main * lanes, self.tile * lanes, to.carried())
            to.resume(loop.carried)
            self._write(self._pieces(loop.index, self.tile))
            loop.close(list(to.held.values()))
            to.resume(loop.results)
        elif main:
            main = 0
        rest = self._pieces(main * lanes, full - main) + self._tail(full, tail)
        if rest:
            self._write(rest)

    def _pieces(self, first: Index, count: int) -> list[Piece]:
        return [(self.to.w.add(first, k * self.to.low.lanes), None) for k in range(count)]

    def _tail(self, full: int, tail: int) -> list[Piece]:
        lanes = self.to.low.lanes
        return [(full * lanes, first_lanes(tail, lanes))] if tail else []

    def _stretch(self, full: int, tail: int) -> None:
        """The tiles from `first` to before `last` of the writer: whole ones, for their columns add up in one order."""
        to, w, width = self.to, self.to.w, self.tile * self.to.low.lanes
        whole = full // self.tile
        end = w.min(to.last, whole)
        with When(w, w.compare("ult", to.first, end)):
            begin, stop = (w.mul(at, width) for at in (to.first, end))
            loop = Loop(w, stop, width, begin=begin)
            self._write(self._pieces(loop.index, self.tile))
            loop.close()
        rest = self._pieces(whole * width, full - whole * self.tile) + self._tail(full, tail)
        if rest:
            with When(w, w.compare("ugt", to.last, whole)):
                self._write(rest)

    def _write(self, pieces: list[Piece]) -> None:
        """All rows of some columns."""
        from .loops import identity

        to, vector, d = self.to, self.to.vector, self.d
        rows = to.low.shape[d]
        turns = self._turns(len(pieces))
        totals = to.begin_sums(d)
        keys = [(x, k, t) for t in range(turns) for k in range(len(pieces)) for x in self.down]
        parts = {key: vector.splat(identity(key[0])) for key in keys}
        carried = [*to.carried(), *parts.values()]
        stretch = d == to.axis
        loop = Loop(to.w, to.last if stretch else rows, turns, carried, begin=to.first if stretch else 0)
        parts = dict(zip(keys, to.resume(loop.carried), strict=True))
        outer = to.offsets
        for t in range(turns):
            to.move(d, to.w.add(loop.index, t), outer)
            self._row(pieces, parts, t)
        to.offsets = outer
        loop.close([*to.held.values(), *parts.values()])
        self._settle(pieces, dict(zip(keys, to.resume(loop.results), strict=True)), turns)
        to.end_sums(totals)

    def _turns(self, pieces: int) -> int:
        """How many rows one turn of the loop takes, each with sums of its own."""
        if self.d == self.to.axis:
            return 1
        most = max(CHAINS // pieces, 1)
        return next(t for t in range(most, 0, -1) if self.to.low.shape[self.d] % t == 0)

    def _settle(self, pieces: list[Piece], parts: dict[tuple[Symbol, int, int], Value], turns: int) -> None:
        """Adds the partial sums up, and to their places."""
        from .loops import combine

        for x in self.down:
            for k, (index, first) in enumerate(pieces):
                value = parts[x, k, 0]
                for t in range(1, turns):
                    value = combine(self.to.vector, x, value, parts[x, k, t])
                self.to.add_to_memory(self.to.vector, x, value, index, first)

    def _row(self, pieces: list[Piece], parts: dict[tuple[Symbol, int, int], Value], t: int) -> None:
        """One row's part in the columns."""
        to = self.to
        own = to.begin_sums(self.d + 1)
        to.fix()
        for k, (index, first) in enumerate(pieces):
            to.held.update({x: parts[x, k, t] for x in self.down})
            to.body(to.vector, index, first)
            parts.update({(x, k, t): to.held.pop(x) for x in self.down})
        to.fixed = {}
        to.end_sums(own)
