"""Elements moved from one layout to another: a border of zeros around them, panels for products, results put in order.

Where neighbours here are neighbours there, vectors are copied.  Where the neighbours of one layout lie apart in the
other, squares of as many rows as a vector has lanes are loaded along the one, transposed in registers (`transpose.py`)
and stored along the other.
"""

from __future__ import annotations

import math

from .capture import Symbol
from .division import PLENTY
from .ir import Index, Loop, Value, first_lanes
from .parallel import Place
from .stage import NANOSECONDS, Origin, Stage, pieces_of
from .transpose import transposed

Dim = tuple[int, int, int]  # extent, source stride, target stride
BYTE = 0.04  # nanoseconds to read or write one, of arrays that nobody has touched for a while
PAGE = 4096  # bytes that a thread fills with zeros at a time
FEW = 4  # elements in a row: with fewer, a square is not worth its loads


def merged(dims: list[Dim]) -> list[Dim]:
    """The dimensions by falling target stride, neighbours that lie behind one another in both layouts made one."""
    made: list[Dim] = []
    for n, here, there in sorted((d for d in dims if d[0] != 1), key=lambda d: -d[2]):
        if made and made[-1][1:] == (here * n, there * n):
            made[-1] = (made[-1][0] * n, here, there)
        else:
            made.append((n, here, there))
    return made or [(1, 1, 1)]


class Copy(Stage):
    """Elements moved from one layout to another."""

    def __init__(self, symbol: Symbol, lanes: int, dims: list[Dim], source: Origin, target: Origin,
                 what: str) -> None:  # fmt: skip
        """`dims` are (extent, source stride, target stride)."""
        super().__init__(symbol, lanes)
        self.source, self.target, self.what = source, target, what
        dims = merged(dims)
        self.square: tuple[Dim, Dim] | None = None
        self.dense = dims[-1][1:] == (1, 1)
        if not self.dense:
            self._find_square(dims)
        if not self.dense and self.square is None:  # the longest row of neighbours, here or there
            dims.append(dims.pop(dims.index(max([d for d in dims if 1 in d[1:]] or dims[-1:]))))
        self.dims = dims
        self.units = dims[0][0] if len(dims) > 1 or self.square else 1
        elements = math.prod(n for n, _, _ in [*dims, *(self.square or ())])
        self.moved = 2 * elements * self.itemsize
        self.cost = elements * NANOSECONDS / (lanes / 4 if self.dense or self.square else 1) + self.moved * BYTE

    def _find_square(self, dims: list[Dim]) -> None:
        along = [d for d in dims if d[1] == 1 and d[0] >= FEW]
        across = [d for d in dims if d[2] == 1 and d[0] >= FEW and d not in along]
        if self.lanes > 1 and along and across:
            self.square = across[0], max(along)
            for d in self.square:
                dims.remove(d)
            if not dims:
                dims.append(self._strips(self.square))

    def _strips(self, square: tuple[Dim, Dim]) -> Dim:
        """A dimension cut off the square, for threads to share: strips as wide as a vector."""
        found: Dim = (1, 0, 0)
        for k, (n, here, there) in enumerate(square):
            if n % self.lanes == 0 and found[0] < min(PLENTY, n // self.lanes):
                found = n // self.lanes, here * self.lanes, there * self.lanes
                strip = self.lanes, here, there
                self.square = (strip, square[1]) if k == 0 else (square[0], strip)
        return found

    def _write(self, place: Place, first: Index, last: Index) -> None:
        source = self.source.pointer(place, self.kind)
        target = self.target.pointer(place, self.kind)
        if len(self.dims) == 1 and self.square is None:
            self._row(source, target)
            return
        span = Loop(self.w, last, begin=first, sure=False)
        self._dimension(1, *self._step(source, target, self.dims[0], span.index))
        span.close()

    def _step(self, source: Value, target: Value, dim: Dim, index: Index) -> tuple[Value, Value]:
        _, here, there = dim
        return self._move(source, (index, here)), self._move(target, (index, there))

    def _dimension(self, d: int, source: Value, target: Value) -> None:
        if self.square is not None and d == len(self.dims):
            self._squares(source, target)
        elif self.square is None and d == len(self.dims) - 1:
            self._row(source, target)
        else:
            loop = Loop(self.w, self.dims[d][0])
            self._dimension(d + 1, *self._step(source, target, self.dims[d], loop.index))
            loop.close()

    def _row(self, source: Value, target: Value) -> None:
        n, lanes, dim = self.dims[-1][0], self.lanes if self.dense else 1, self.dims[-1]
        if n >= lanes:
            loop = Loop(self.w, n // lanes * lanes, lanes)
            here, there = self._step(source, target, dim, loop.index)
            self._store(self._load(here, lanes), there)
            loop.close()
        if n % lanes:
            here, there = self._step(source, target, dim, n // lanes * lanes)
            part = first_lanes(n % lanes, lanes)
            self._store(self._load(here, lanes, part), there, part)

    def _squares(self, source: Value, target: Value) -> None:
        """All squares of two dimensions; those at the ends are smaller."""
        assert self.square is not None
        across, along = self.square
        for rows, row_at, row_count in pieces_of(across[0], self.lanes):
            for columns, column_at, column_count in pieces_of(along[0], self.lanes):
                here, there = self._step(source, target, across, row_at)
                here, there = self._step(here, there, along, column_at)
                down = Loop(self.w, row_count * self.lanes, self.lanes)
                here, there = self._step(here, there, across, down.index)
                right = Loop(self.w, column_count * self.lanes, self.lanes)
                self._square(*self._step(here, there, along, right.index), rows, columns)
                right.close()
                down.close()

    def _square(self, source: Value, target: Value, rows: int, columns: int) -> None:
        assert self.square is not None
        (_, step, _), (_, _, stride) = self.square
        nothing = self.vector.constant(0.0, self.kind)
        part = first_lanes(columns, self.lanes)
        loaded = [self._load(self._move(source, (r, step)), self.lanes, part) for r in range(rows)]
        turned = transposed(self.vector, loaded + [nothing] * (self.lanes - rows))
        part = first_lanes(rows, self.lanes)
        for c in range(columns):
            self._store(turned[c], self._move(target, (c, stride)), part)


class Zeros(Stage):
    """A result that the tiles do not cover."""

    what = "zeros"

    def __init__(self, symbol: Symbol, target: Origin, elements: int) -> None:
        super().__init__(symbol, 1)
        self.target = target
        self.moved = elements * self.itemsize
        self.units = self.moved // PAGE if self.moved and self.moved % PAGE == 0 else 1
        self.cost = self.moved * BYTE

    def _write(self, place: Place, first: Index, last: Index) -> None:
        if self.units == 1:
            self.w.zero(self.target.pointer(place, self.kind), self.moved)
            return
        target = self.target.pointer(place, self.kind)
        span = Loop(self.w, last, begin=first, sure=False)
        self.w.zero(self._move(target, (span.index, PAGE // self.itemsize)), PAGE)
        span.close()
