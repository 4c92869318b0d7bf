"""The tiles of a contraction: sums that stay in registers, and what becomes of them.

`Tiles` is the Stage of one Problem, as `tiling.py` has cut it.  It falls into units, columns of tiles or rows of them.
A unit goes through its tiles, each of them through the summed variables, and then stores the sums, adds them to those
of a block before, or makes of them what the epilogue says, at once or when a whole row of tiles is done.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

from rushlight.core.strided import contiguous_strides

from .arithmetic import Scalars
from .capture import Symbol
from .epilogue import Epilogue, EpilogueWriter
from .ir import MEMORY, Index, Loop, Value, When, first_lanes
from .parallel import Place
from .stage import NANOSECONDS, Origin, Stage, pieces_of
from .tiling import PANEL, SHARES, Side, Tile, even

SHORT = 6  # operations of an epilogue that are written out for every vector of a tile
CACHE = 1 << 20  # bytes: a usual second cache
FAR = 1 << 13  # bytes of a result: what goes with a smaller one is in the first cache anyway
DEEP = 32  # terms of a sum: while so many are added up, what comes after is fetched
FAR_ROWS = 512  # elements from a row to the next: each is on pages of its own
LONG_ROWS = 128  # elements that are worth going through in one stretch
ASIDE = 1 << 16  # bytes of sums that wait for what follows from them: with its arrays they fit in the second cache


@dataclass
class End:
    """An array that is read or written where sums are done: C first, then the arrays of the epilogue."""

    pointer: Value
    kind: str
    side: Side


@dataclass
class Here:
    """Where in their arrays the loops have come to: operands, what is read or written last, and how many turns."""

    a: Value
    b: Value
    ends: list[End]
    turns: Index


@dataclass
class Region:
    """Tiles of one size: `rows` by `columns`, from row and column `at`; how many there are of them each way."""

    rows: int
    columns: int
    row_at: int
    column_at: int
    row_count: int
    column_count: int
    panel_at: int
    units: int = 0
    chunk: int = 1  # tiles that a unit goes through one after the other


class Tiles(Stage):
    """The tiles of one Problem."""

    def __init__(self, symbol: Symbol, tile: Tile, places: tuple[Origin, Origin, Origin], packed: int | None,
                 epilogue: Epilogue | None = None) -> None:  # fmt: skip
        super().__init__(symbol, tile.lanes)
        self.epilogue = epilogue
        self.tile, self.problem = tile, tile.problem
        self.a, self.b, self.c = places
        self.packed = packed
        self.cost = tile.cycles * NANOSECONDS
        self.flops = 2 * math.prod(self.problem.extents)
        self.depth = math.prod(self.problem.extents[v] for v in tile.sums)
        self.lead, self.turns = self._blocks()
        self.along_rows = self._goes_along_rows()
        self.waits = self.along_rows and epilogue is not None and len(epilogue.body) > SHORT
        self.groups = self._groups()
        self.units = sum(group[0].units for group in self.groups)
        if self.waits:
            self.scratch = self.itemsize * max(group[0].rows * self._wait_width(group) for group in self.groups)
        self.what = f"{tile.form} {tile.rows}x{tile.columns}"
        if epilogue is not None:
            self.what += f" + {len(epilogue.body)}"
            self.cost += symbol.size * len(epilogue.body) * NANOSECONDS / 4

    def _blocks(self) -> tuple[int, int]:
        """How the sums are cut so that a panel's part stays in the first cache while rows go by.

        Returns how many of the outermost sums are gone through one by one, and how many turns of the next make a
        block; 0 turns if there is only one block.
        """
        t = self.tile
        extents = [self.problem.extents[v] for v in t.sums]
        if t.form == "dot" or self.depth * t.width * self.itemsize <= PANEL:
            return 0, 0
        for d in range(len(extents)):
            inner = math.prod(extents[d + 1 :]) * t.width * self.itemsize
            if inner * 2 <= PANEL or d == len(extents) - 1:
                break
        return d, even(extents[d], max(1, PANEL // inner))

    def _goes_along_rows(self) -> bool:
        """Whether a unit is a row of tiles, not a column of them.

        Where the sums are short and the result is large, its memory is what counts: it is gone through in long rows,
        each of which stays in its pages, while as much of the second operand stays in the second cache.
        """
        t, p = self.tile, self.problem
        if t.form != "outer" or t.row is None or self.turns or t.lanes == 1 or p.c.strides[t.vector] != 1:
            return False
        written = self.symbol.size * self.itemsize * (1 + len(p.more))
        far, held = (FAR_ROWS, p.extents[t.vector]) if self.epilogue is None else (LONG_ROWS, LONG_ROWS)
        if self.depth > t.row_extent:  # the second operand is larger than the result: it is gone through once
            held = p.extents[t.vector]
        short = self.depth * held * self.itemsize <= CACHE // 2
        return written > CACHE and short and abs(p.c.strides[t.row]) >= far

    def _groups(self) -> list[list[Region]]:
        """The regions; those that a unit goes through one after the other are together."""
        groups: list[list[Region]] = []
        for region in self._regions():
            if groups and self._belongs(groups[-1][-1], region):
                groups[-1].append(region)
            else:
                groups.append([region])
        return groups

    def _regions(self) -> list[Region]:
        t, regions = self.tile, []
        every = itertools.product(pieces_of(t.row_extent, t.rows), self._panels())
        for (rows, row_at, row_count), (columns, column_at, column_count) in every:
            region = Region(rows, columns, row_at, column_at, row_count, column_count, column_at // t.columns)
            self._share(region)
            regions.append(region)
        if not self.along_rows:
            regions.sort(key=lambda r: r.column_at)
        return regions

    def _belongs(self, region: Region, behind: Region) -> bool:
        """Whether units go on from a region to the next: units of one size are easier to share."""
        inner, other = self._counts(region)
        smaller, same = self._counts(behind)
        there = region.row_at == behind.row_at if self.along_rows else region.column_at == behind.column_at
        return there and other == same and region.chunk == inner and behind.chunk == smaller

    def _panels(self) -> list[tuple[int, int, int]]:
        """(vectors, where the first begins, how many): a panel whose last vector is not full is one of its own."""
        t = self.tile
        if t.form == "dot":
            return pieces_of(t.column_extent, t.columns)
        wide = pieces_of(self.problem.extents[t.vector], t.width)
        return [(-(-n // t.lanes), at // t.lanes, many) for n, at, many in wide]

    def _share(self, region: Region) -> None:
        """Cuts a region into units: columns of tiles (or rows), the outer variables, and runs where those are few."""
        inner, other = self._counts(region)
        others = other * math.prod(self.problem.extents[v] for v in self.tile.outer)
        region.chunk = -(-inner // -(-SHARES // others)) if others < SHARES else inner
        if self.along_rows:
            held = self.tile.width * self.itemsize * self.depth
            region.chunk = even(region.chunk, max(1, CACHE // 2 // held))
        if self.waits:
            region.chunk = even(region.chunk, max(1, ASIDE // (region.rows * self.tile.width * self.itemsize)))
        region.units = others * -(-inner // region.chunk)

    def _wait_width(self, group: list[Region]) -> int:
        """Elements in a row of the sums that a unit puts aside."""
        return sum(region.chunk * region.columns for region in group) * self.lanes

    def _counts(self, region: Region) -> tuple[int, int]:
        """How many tiles lie in the direction in which a unit goes, and in the other one."""
        return (region.column_count, region.row_count)[:: 1 if self.along_rows else -1]  # type: ignore[return-value]

    # -- Loops

    def _write(self, place: Place, first: Index, last: Index) -> None:
        w, self.waiting = self.w, place.scratch
        self.pa = self.a.pointer(place, self.kind)
        self.ends = [End(self.c.pointer(place, self.kind), self.kind, self.problem.c)]
        if self.epilogue is not None:
            for (x, (base, _, _)), s in zip(self.epilogue.arrays, self.problem.more, strict=True):
                kind = MEMORY[x.dtype]
                self.ends.append(End(place.begin(base, s.offset, kind), kind, s))
            self.after_sums = EpilogueWriter(w, self.epilogue, self._wide, place.uniform)
        here = self.b if self.packed is None else Origin(None, self.packed)
        self.pb = here.pointer(place, self.kind)
        before = 0
        for group in self.groups:
            low, units = w.max(w.sub(first, before), 0), group[0].units
            self._group(group, low, w.min(w.sub(last, before), units))
            before += units

    def _group(self, group: list[Region], first: Index, last: Index) -> None:
        if not self.turns:
            self._units(group, first, last, None)
            return
        extents = [self.problem.extents[v] for v in self.tile.sums]
        self.count = math.prod(extents[: self.lead]) * -(-extents[self.lead] // self.turns)
        blocks = Loop(self.w, self.count)
        self._units(group, first, last, blocks.index)
        blocks.close()

    def _units(self, group: list[Region], first: Index, last: Index, block: Value | None) -> None:
        w, p = self.w, self.problem
        span = Loop(w, last, begin=first, sure=False)
        chunk, other = self._which(group[0], span.index)
        indices: dict[int, Index] = {}
        for v in reversed(self.tile.outer):
            indices[v], other = self._digit(other, p.extents[v])
        for region in group:
            here = self._in_region(region, indices, other)
            if block is not None:
                here.a, here.b, here.turns = self._in_block(here.a, here.b, block)
            self._run(region, here, indices, chunk, block)
        if self.waits:
            self._follow(group, self._in_region(group[0], indices, other).ends, chunk)
        span.close()

    def _which(self, region: Region, unit: Index) -> tuple[Index, Index]:
        """Which run of tiles a unit is, and of which row or column; every row's first run comes before the second."""
        inner, _ = self._counts(region)
        chunks = -(-inner // region.chunk)
        if not self.along_rows or chunks == 1:
            return self._digit(unit, chunks)
        other, chunk = self._digit(unit, region.units // chunks)
        return chunk, other

    def _in_region(self, region: Region, indices: dict[int, Index], other: Index) -> Here:
        """Where a unit's row or column of tiles begins."""
        p = self.problem
        a = self._move(self.pa, *[(i, p.a.strides[v]) for v, i in indices.items()], (1, region.row_at * self._row(p.a)))
        here = Here(a, self.pb, [self._end(region, e, indices) for e in self.ends], self.turns)
        return self._to_row(region, here, other) if self.along_rows else self._to_column(region, here, indices, other)

    def _run(self, region: Region, here: Here, indices: dict[int, Index], chunk: Index, block: Value | None) -> None:
        """The tiles of a unit in one region."""
        w, (inner, _) = self.w, self._counts(region)
        begin = w.mul(chunk, region.chunk)
        tiles = Loop(w, w.min(w.add(begin, region.chunk), inner), begin=begin, sure=False)
        at = tiles.index
        here = self._to_column(region, here, indices, at) if self.along_rows else self._to_row(region, here, at)
        sums = self._sums(region, here)
        if self.waits:
            self._put_aside(region, sums, w.sub(at, begin))
        else:
            self._tile(region, here.ends, sums, block)
        tiles.close()

    def _next(self, region: Region, ends: list[End]) -> list[End]:
        """What is read and written soon and lies beyond the second cache: with the next tile, or after all of them."""
        if not self.along_rows or len(self.tile.sums) != 1:
            return []
        kept = ends if self.epilogue is None or self.epilogue.keeps else ends[1:]
        far = [e for e in kept if self._row(e.side) and self._column(e.side)]
        return [self._moved(e, (int(not self.waits), region.columns * self._column(e.side))) for e in far]

    def _put_aside(self, region: Region, sums: list[Value], at: Index) -> None:
        """Keeps a tile's sums until those of the whole unit are there."""
        group = next(group for group in self.groups if region in group)
        width, before = self._wait_width(group), (region.column_at - group[0].column_at) * self.lanes
        there = self._move(self.waiting, (at, region.columns * self.lanes), (1, before))
        for k, value in enumerate(sums):
            r, j = divmod(k, region.columns)
            self._store(value, self._move(there, (1, r * width + j * self.lanes)))

    def _follow(self, group: list[Region], ends: list[End], chunk: Index) -> None:
        """What follows from the sums put aside, row after row: every array is gone through in long stretches."""
        w, region, last = self.w, group[0], group[-1]
        inner, begin = region.column_count, w.mul(chunk, region.chunk)
        count = w.mul(w.sub(w.min(w.add(begin, region.chunk), inner), begin), region.columns)
        count = w.add(count, sum(other.column_count * other.columns for other in group[1:]))
        first = self._mask(last, last.columns - 1)
        ends = [self._moved(e, (begin, region.columns * self._column(e.side))) for e in ends]
        rows = Loop(w, region.rows)
        ends = [self._moved(e, (rows.index, self._row(e.side))) for e in ends]
        row = self._move(self.waiting, (rows.index, self._wait_width(group)))
        full = count if first is None else w.sub(count, 1)
        columns = Loop(w, full, sure=False)
        self._follow_at(row, ends, columns.index, None)
        columns.close()
        if first is not None:
            self._follow_at(row, ends, full, first)
        rows.close()

    def _follow_at(self, row: Value, ends: list[End], column: Index, first: int | None) -> None:
        here = [self._moved(e, (column, self._column(e.side))) for e in ends]
        self._finish(self._load(self._move(row, (column, self.lanes)), self.lanes), here, first, add=False, done=True)

    def _to_row(self, region: Region, here: Here, row: Index) -> Here:
        """A row of tiles further down."""
        a = self._move(here.a, (row, region.rows * self._row(self.problem.a)))
        ends = [self._moved(e, (row, region.rows * self._row(e.side))) for e in here.ends]
        return Here(a, here.b, ends, here.turns)

    def _to_column(self, region: Region, here: Here, indices: dict[int, Index], column: Index) -> Here:
        """A column of tiles further on."""
        a, wide = here.a, region.columns
        if self.tile.form == "batch":
            a = self._move(a, (column, wide * self.lanes), (1, region.column_at * self.lanes))
        ends = [self._moved(e, (column, wide * self._column(e.side))) for e in here.ends]
        return Here(a, self._panel(region, indices, column), ends, here.turns)

    def _moved(self, end: End, *steps: tuple[Index, int]) -> End:
        return End(self._move(end.pointer, *steps, kind=end.kind), end.kind, end.side)

    def _end(self, region: Region, end: End, indices: dict[int, Index]) -> End:
        """Where a region begins in an array that is read or written at the end."""
        s = end.side
        fixed = region.column_at * self._column(s) + region.row_at * self._row(s)
        return self._moved(end, *[(i, s.strides[v]) for v, i in indices.items()], (1, fixed))

    def _digit(self, number: Index, base: int) -> tuple[Index, Index]:
        """The lowest digit of a number, and the rest."""
        if base == 1:
            return 0, number
        return self.w.urem(number, base), self.w.udiv(number, base)

    def _row(self, s: Side) -> int:
        return 0 if self.tile.row is None else s.strides[self.tile.row]

    def _column(self, s: Side) -> int:
        """How far one column (or one vector) is from the next."""
        t = self.tile
        if t.form == "dot":
            return 0 if t.column is None else s.strides[t.column]
        return t.lanes * s.strides[t.vector]

    def _panel(self, region: Region, indices: dict[int, Index], panel: Index) -> Value:
        t, p = self.tile, self.problem
        if self.packed is None:
            b, step = self._move(self.pb, *[(i, p.b.strides[v]) for v, i in indices.items()]), self._column(p.b)
            return self._move(b, (panel, region.columns * step), (1, region.column_at * step))
        size = self.depth * t.width
        b = self._move(self.pb, (panel, size), (1, region.panel_at * size))
        strides = packed_strides(t)
        return self._move(b, *[(i, strides[v]) for v, i in indices.items() if v in strides])

    def _in_block(self, a: Value, b: Value, block: Value) -> tuple[Value, Value, Index]:
        """Where a block's operands begin, and how many turns of the first sum inside it there are."""
        t, p, strides = self.tile, self.problem, self._sum_strides()
        n = p.extents[t.sums[self.lead]]
        digit, left = self._digit(block, -(-n // self.turns))
        begin = self.w.mul(digit, self.turns)
        turns = self.w.min(self.w.sub(n, begin), self.turns)
        indices = [begin]
        for v in reversed(t.sums[: self.lead]):
            digit, left = self._digit(left, p.extents[v])
            indices.insert(0, digit)
        steps = list(zip(indices, t.sums, strides, strict=False))
        a = self._move(a, *[(i, p.a.strides[v]) for i, v, _ in steps])
        return a, self._move(b, *[(i, s) for i, _, s in steps]), turns

    def _sum_strides(self) -> list[int]:
        """B's strides over the sums."""
        t = self.tile
        if self.packed is None:
            return [self.problem.b.strides[v] for v in t.sums]
        extents = [self.problem.extents[v] for v in t.sums]
        return [s * t.width for s in contiguous_strides(tuple(extents))]

    # -- One tile

    def _sums(self, region: Region, here: Here) -> list[Value]:
        zeros = [self.vector.constant(0.0, self.kind)] * (region.rows * region.columns)
        ahead = self._next(region, here.ends)
        if ahead:
            return self._sum_ahead(region, here, ahead, zeros)
        self._ask_for(region, here.ends)
        sums = self._sum(region, self.lead, here.a, here.b, zeros, here.turns)
        if self.tile.form == "dot" and self.lanes > 1:
            return [self.w.reduce("add", x) for x in sums]
        return sums

    def _tile(self, region: Region, ends: list[End], sums: list[Value], block: Value | None) -> None:
        """What becomes of a tile's sums."""
        if block is None:
            self._keep(region, ends, sums, add=False, done=True)
            return
        fresh = When(self.w, self.w.compare("eq", block, 0))
        with fresh:
            self._keep(region, ends, sums, add=False, done=False)
        with fresh.otherwise():
            self._add(region, ends, sums, block)

    def _ask_for(self, region: Region, ends: list[End]) -> None:
        """Prefetches what the epilogue reads and writes, for it would wait for each vector in turn."""
        worth = self.symbol.size * self.itemsize > FAR and self.depth >= DEEP and not self.waits
        moving = [e for e in ends[1:] if self._row(e.side) and self._column(e.side)]
        if not worth or not moving or self.tile.form == "dot" or self.lanes == 1:
            return
        rows = Loop(self.w, region.rows)
        for e in moving:
            row = self._moved(e, (rows.index, self._row(e.side)))
            for j in range(region.columns):
                self.w.prefetch(self._moved(row, (1, j * self._column(e.side))).pointer)
        rows.close()

    def _add(self, region: Region, ends: list[End], sums: list[Value], block: Value) -> None:
        """Adds a block's sums to those of the blocks before; after the last block comes the epilogue."""
        if self.epilogue is None:
            self._keep(region, ends, sums, add=True, done=True)
            return
        last = When(self.w, self.w.compare("eq", block, self.count - 1))
        with last:
            self._keep(region, ends, sums, add=True, done=True)
        with last.otherwise():
            self._keep(region, ends, sums, add=True, done=False)

    def _sum(self, region: Region, d: int, a: Value, b: Value, sums: list[Value], turns: Index) -> list[Value]:
        t, p = self.tile, self.problem
        if d == len(t.sums):
            return self._along(region, a, b, sums) if t.form == "dot" else self._turn(region, a, b, sums)
        v = t.sums[d]
        end = turns if self.turns and d == self.lead else p.extents[v]
        loop = Loop(self.w, end, 1, sums)
        here, there = self._move(a, (loop.index, p.a.strides[v])), self._move(b, (loop.index, self._sum_strides()[d]))
        if d == len(t.sums) - 1 and self._rows_are_far():
            self._ask_for_rows(region, here)
        loop.close(self._sum(region, d + 1, here, there, loop.carried, turns))
        return loop.results

    def _rows_are_far(self) -> bool:
        """Whether every term of a tile takes its part of A from another line beyond the second cache."""
        t, a = self.tile, self.problem.a
        if t.form != "outer" or t.row is None or t.lanes == 1 or self.along_rows or a.strides[t.row] != 1:
            return False
        size = math.prod(n for v, n in enumerate(self.problem.extents) if a.has(v)) * self.itemsize
        return size > CACHE and abs(a.strides[t.sums[-1]]) >= t.lanes

    def _ask_for_rows(self, region: Region, a: Value) -> None:
        """Prefetches the next tile's part of A in a turn: no processor foresees it, for it lies across the lines."""
        self.w.prefetch(self._move(a, (1, 2 * region.rows - 1)))

    def _sum_ahead(self, region: Region, here: Here, ahead: list[End], sums: list[Value]) -> list[Value]:
        """A tile's one sum, in whose first turns rows of other arrays are asked for, lest somebody wait for them."""
        (v,), (step,), p = self.tile.sums, self._sum_strides(), self.problem
        rows = -(-region.rows // p.extents[v])
        asking = -(-region.rows // rows)
        for begin, end, many in ((0, asking, rows), (asking, p.extents[v], 0)):
            if begin < end:
                loop = Loop(self.w, end, 1, sums, begin)
                for e in ahead:
                    self._ask(e, loop.index, many, region.columns)
                a, b = self._move(here.a, (loop.index, p.a.strides[v])), self._move(here.b, (loop.index, step))
                loop.close(self._turn(region, a, b, loop.carried))
                sums = loop.results
        return sums

    def _ask(self, end: End, turn: Index, rows: int, columns: int) -> None:
        """Prefetches a turn's share of a tile's rows."""
        there = self._moved(end, (turn, rows * self._row(end.side)))
        for r, j in itertools.product(range(rows), range(columns)):
            self.w.prefetch(self._moved(there, (r, self._row(end.side)), (j, self._column(end.side))).pointer)

    def _turn(self, region: Region, a: Value, b: Value, sums: list[Value]) -> list[Value]:
        """One multiply-add for each sum: forms "outer" and "batch"."""
        p, lanes = self.problem, self.lanes
        vectors = [self._move(b, (1, j * lanes)) for j in range(region.columns)]
        right = [self._load(x, lanes, self._mask(region, j)) for j, x in enumerate(vectors)]
        if self.tile.hops and self._streams() and not self.along_rows:
            self._ask_ahead(b, 2 * region.columns, region.columns, self.lanes)
        made = []
        for r in range(region.rows):
            row = self._move(a, (1, r * self._row(p.a)))
            if self.tile.form == "outer":
                left = [self.vector.splat(self._load(row, 1))] * region.columns
            else:
                places = [self._move(row, (1, j * lanes)) for j in range(region.columns)]
                left = [self._load(x, lanes, self._mask(region, j)) for j, x in enumerate(places)]
            for j in range(region.columns):
                old = sums[r * region.columns + j]
                made.append(self.vector.multiply_add(left[j], right[j], old))
        return made

    def _along(self, region: Region, a: Value, b: Value, sums: list[Value]) -> list[Value]:
        """The vector variable of the form "dot"."""
        n, lanes = self.problem.extents[self.tile.vector], self.lanes
        if n >= lanes:
            loop = Loop(self.w, n // lanes * lanes, lanes, sums)
            here, there = self._move(a, (loop.index, 1)), self._move(b, (loop.index, 1))
            if self._streams():
                self._ask_ahead(there, region.columns, region.columns, self._column(self.problem.b))
            loop.close(self._dots(region, here, there, loop.carried, None))
            sums = loop.results
        if n % lanes:
            at = n // lanes * lanes
            here, there = self._move(a, (at, 1)), self._move(b, (at, 1))
            sums = self._dots(region, here, there, sums, first_lanes(n % lanes, lanes))
        return sums

    def _ask_ahead(self, b: Value, first: int, columns: int, step: int) -> None:
        """Prefetches columns of a tile to come while those of this one are read."""
        for j in range(first, first + columns):
            self.w.prefetch(self._move(b, (j, step)))

    def _streams(self) -> bool:
        """Whether the columns come from beyond the second cache."""
        p = self.problem
        columns = math.prod(n for v, n in enumerate(p.extents) if p.b.has(v)) * self.itemsize
        return columns > CACHE

    def _dots(self, region: Region, a: Value, b: Value, sums: list[Value], first: int | None) -> list[Value]:
        p, lanes = self.problem, self.lanes
        right = [self._load(self._move(b, (1, j * self._column(p.b))), lanes, first) for j in range(region.columns)]
        left = [self._load(self._move(a, (1, r * self._row(p.a))), lanes, first) for r in range(region.rows)]
        pairs = [(x, y) for x in left for y in right]
        return [self.vector.multiply_add(*pair, s) for pair, s in zip(pairs, sums, strict=True)]

    def _mask(self, region: Region, j: int) -> int | None:
        """Of the last vector only the lanes that there are."""
        t = self.tile
        if region.column_count > 1 or t.form == "dot" or t.lanes == 1:
            return None
        return first_lanes(min(t.lanes, self.problem.extents[t.vector] - (region.column_at + j) * t.lanes), t.lanes)

    @property
    def _wide(self) -> int:
        """Lanes of what is stored."""
        return 1 if self.tile.form == "dot" else self.lanes

    def _keep(self, region: Region, ends: list[End], sums: list[Value], add: bool, done: bool) -> None:
        """Stores a tile's sums; when they are `done`, what follows from them."""
        if done and self.epilogue is not None and len(self.epilogue.body) > SHORT:
            self._keep_by_rows(region, ends, sums, add)
            return
        for r in range(region.rows):
            for j in range(region.columns):
                here = [self._moved(e, (1, r * self._row(e.side) + j * self._column(e.side))) for e in ends]
                self._finish(sums[r * region.columns + j], here, self._mask(region, j), add, done)

    def _keep_by_rows(self, region: Region, ends: list[End], sums: list[Value], add: bool) -> None:
        """The same for much that follows: the sums go to the stack first, for nothing else fits beside them."""
        width = region.columns * self._wide
        tile = self.w.reserve(region.rows * width * self.itemsize)
        for k, value in enumerate(sums):
            self._store(value, self._move(tile, (1, k * self._wide)))
        rows = Loop(self.w, region.rows)
        there = [self._moved(e, (rows.index, self._row(e.side))) for e in ends]
        row = self._move(tile, (rows.index, width))
        for j in range(region.columns):
            here = [self._moved(e, (1, j * self._column(e.side))) for e in there]
            value = self._load(self._move(row, (1, j * self._wide)), self._wide)
            self._finish(value, here, self._mask(region, j), add, done=True)
        rows.close()

    def _finish(self, value: Value, here: list[End], first: int | None, add: bool, done: bool) -> None:
        """One vector of the result, `here` in every array."""
        if add:
            old = self._load(here[0].pointer, self._wide, first)
            value = Scalars(self.w, self._wide).binary("add", value, old)
        if self.epilogue is None or self.epilogue.keeps or not done:
            self._store(value, here[0].pointer, first)
        if self.epilogue is not None and done:
            spread = [e.side.strides[self.tile.vector] != 0 for e in here[1:]]
            self.after_sums.write(value, [e.pointer for e in here[1:]], spread, first)


def packed_strides(t: Tile) -> dict[int, int]:
    """The strides of the outer variables that B moves with over its packed panels."""
    p = t.problem
    size = math.prod(p.extents[v] for v in t.sums) * t.width * -(-t.column_extent // t.columns)
    strides = {}
    for v in reversed(t.outer):
        if p.b.has(v):
            strides[v] = size
            size *= p.extents[v]
    return strides
