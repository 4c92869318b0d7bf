"""Arrays that lie across one another in one nest: squares of them are turned over on the stack.

Where neighbours along the vectors lie apart in some array, but neighbours along another dimension together, as in
images with channels first among others with channels last, a square of it is loaded along that dimension, transposed
in registers and kept on the stack; the loops read its rows.  What is stored goes the other way.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

from .ir import MEMORY, Index, Loop, Value, first_lanes, undefined
from .transpose import transposed

if TYPE_CHECKING:
    from .loops import Access, Lowered, NestWriter

SQUARE = 16  # about as many lanes as a vector has
FEW = 4  # elements in a row: with fewer, a square is not worth its loads


def cross(low: Lowered) -> bool:
    """Brings the two dimensions of the squares to the end, (down, along); False where that is no help."""
    if len(low.shape) < 2 or low.picks or low.added:
        return False
    found = [(size, down, along) for along in range(len(low.shape)) for size, down in _squares(low, along)]
    if not found:
        return False
    shape, strides = low.shape, [a.strides for a in low.accesses]
    orders = []
    for size, down, along in found:
        order = [*(d for d in range(len(shape)) if d not in (down, along)), down, along]
        low.reorder(order)
        orders.append((size, _waste(low.shape[-2:]), order))
        low.shape = shape
        for a, own in zip(low.accesses, strides, strict=True):
            a.strides = own
    low.reorder(min(orders)[2])
    low.crossed = [a for a in _dense(low) if a.strides[-1] not in (0, 1)]
    return True


def _waste(sizes: list[int]) -> float:
    """How much larger the squares are than what is in them."""
    return math.prod(-(-n // SQUARE) * SQUARE / n for n in sizes)


def _dense(low: Lowered) -> list[Access]:
    return [a for a in low.accesses if a.base.kind != "iota"]


def _squares(low: Lowered, along: int) -> list[tuple[int, int]]:
    """With vectors along a dimension: how many bytes lie across, and along which other; nothing where it cannot be."""
    across = [a for a in _dense(low) if a.strides[along] not in (0, 1)]
    sums = {id(a) for a in low.sums.values()}
    if any(not a.strides[along] for a in low.stores.values()) or any(id(a) in sums for a in across):
        return []
    downs = {next((d for d, s in enumerate(a.strides) if s == 1 and d != along), -1) for a in across}
    (down,) = downs if len(downs) == 1 else (-1,)
    if down < 0 or low.shape[along] < FEW or low.shape[down] < FEW:
        return []
    return [(sum(a.symbol.size * a.symbol.dtype.itemsize for a in across), down)]


class Squares:
    """Writes the two innermost loops of a nest with arrays that lie across."""

    def __init__(self, to: NestWriter) -> None:
        self.to = to
        self.lanes = to.low.lanes
        self.d = len(to.low.shape) - 2
        stores = {id(a) for a in to.low.stores.values()}
        self.read = [a for a in to.low.crossed if id(a) not in stores]
        self.written = [a for a in to.low.crossed if id(a) in stores]
        self.down = [x for x, a in to.low.sums.items() if a.strides[-1] and not a.strides[self.d]]
        self.stack = {id(a): to.w.reserve(self.lanes * self.lanes * a.symbol.dtype.itemsize) for a in to.low.crossed}

    def write(self) -> None:
        """All squares, those of whole vectors in loops and the rest behind them."""
        self._spans(self.d + 1, lambda along, count: self._spans(self.d, lambda down, rows: self._square(
            down, rows, along, count)))  # fmt: skip

    def _spans(self, d: int, body: Callable[[Index, int], None]) -> None:
        to, n, lanes = self.to, self.to.low.shape[d], self.lanes
        if n >= lanes:
            loop = Loop(to.w, n // lanes * lanes, lanes, to.carried())
            to.resume(loop.carried)
            body(loop.index, lanes)
            loop.close(list(to.held.values()))
            to.resume(loop.results)
        if n % lanes:
            body(n // lanes * lanes, n % lanes)

    def _square(self, down: Index, rows: int, along: Index, count: int) -> None:
        """Turns a square of what is read, computes its rows, and turns what is written."""
        to, outer = self.to, self.to.offsets
        to.move(self.d, down, outer)
        for a in self.read:
            self._turn_in(a, rows, along, count)
        to.offsets = outer
        self._sum(down, rows, along, self._mask(count))
        to.move(self.d, down, outer)
        for a in self.written:
            self._turn_out(a, rows, along, count)
        to.offsets = outer

    def _sum(self, down: Index, rows: int, along: Index, first: int | None) -> None:
        """The rows of a square, with the sums over them in registers."""
        from .loops import identity

        to, vector, outer = self.to, self.to.vector, self.to.offsets
        totals = to.begin_sums(self.d)
        to.held.update({x: vector.splat(identity(x)) for x in self.down})
        loop = Loop(to.w, rows, 1, to.carried())
        to.resume(loop.carried)
        to.move(self.d, to.w.add(down, loop.index), outer)
        self._row_body(loop.index, along, first)
        loop.close(list(to.held.values()))
        to.resume(loop.results)
        to.offsets = outer
        for x in self.down:
            to.add_to_memory(vector, x, to.held.pop(x), along, first)
        to.end_sums(totals)

    def _row_body(self, index: Index, along: Index, first: int | None) -> None:
        to, w = self.to, self.to.w
        row = w.mul(index, self.lanes)
        for a in to.low.crossed:
            kind = MEMORY[a.symbol.dtype]
            to.rows[id(a)] = w.at(kind, self.stack[id(a)], row)
        own = to.begin_sums(self.d + 1)
        to.fix()
        to.body(to.vector, along, first)
        to.fixed = {}
        to.end_sums(own)

    def _turn_in(self, a: Access, rows: int, along: Index, count: int) -> None:
        """A square of an array on the stack, turned over."""
        kind, size, vector = MEMORY[a.symbol.dtype], a.symbol.dtype.itemsize, self.to.vector
        places = self._places(a, along, count)
        loaded = [self.to.w.load(kind, place, size, self.lanes, self._mask(rows)) for place in places]
        turned = transposed(vector, loaded + [undefined(kind, self.lanes)] * (self.lanes - count))
        for k, value in enumerate(turned[:rows]):
            self.to.w.store(value, self._row(a, k), size)

    def _turn_out(self, a: Access, rows: int, along: Index, count: int) -> None:
        """A square from the stack to its array, turned back."""
        kind, size, vector = MEMORY[a.symbol.dtype], a.symbol.dtype.itemsize, self.to.vector
        loaded = [self.to.w.load(kind, self._row(a, k), size, self.lanes) for k in range(rows)]
        turned = transposed(vector, loaded + [undefined(kind, self.lanes)] * (self.lanes - rows))
        for place, value in zip(self._places(a, along, count), turned[:count], strict=True):
            self.to.w.store(value, place, size, self._mask(rows))

    def _mask(self, rows: int) -> int | None:
        return first_lanes(rows, self.lanes)

    def _places(self, a: Access, along: Index, count: int) -> list[Value]:
        """Where the square's rows, as they lie in the array, begin."""
        w, kind = self.to.w, MEMORY[a.symbol.dtype]
        first = self.to.place(a, along)
        return [w.at(kind, first, k * a.strides[-1]) for k in range(count)]

    def _row(self, a: Access, k: int) -> Value:
        kind = MEMORY[a.symbol.dtype]
        return self.to.w.at(kind, self.stack[id(a)], k * self.lanes)
