"""How a contraction is cut into tiles: which variables are rows and vectors, what is copied first, what runs outermost.

A `Side` is an operand or the result with its strides over the variables.  `choose` tries every form of a tile and takes
the one with the fewest estimated cycles:

- "outer": an element of one operand, in every lane, times vectors of the other;
- "batch": vectors of both, where the vector variable is in both operands and in the result;
- "dot": vectors of both along a summed variable; the lanes are added up at the end.

A tile of rows x columns sums stays in registers while the summed variables run.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from rushlight.core.bounded import Bounded
from rushlight.core.contraction import Map, Piece

FETCH = 2.5  # cycles to load a vector from the second cache, one after the other
NEAR_VECTORS = 512  # vectors that the first cache holds
LATENCY = 4  # cycles of a multiply-add: so many independent sums keep the unit busy
PAGE = 1024  # elements from row to row of an operand: from here on every row is another page,
MISS = 8  # and costs so many cycles when a panel, or a tile's rows, first meet it, although it was asked for
CACHE = 1 << 18  # elements of a usual second cache: rows a round distance apart have as much of it as they span
WAYS = 8  # lines a whole number of pages apart that the first cache holds; with so many rows there is none for B,
AGAIN = 4  # and to load an element of them costs so many cycles, as it has to be fetched each time
ONE_BY_ONE = 1.2  # cycles to copy one element between layouts
PANEL = 96 << 10  # bytes of a panel of the vector operand that stay in the cache while rows go by
MANY = 4096  # problems that are remembered
OFTEN = 8  # times that an operand in panels is read, from which on it counts as lying in the cache: there, tiles of
SMALL = 16  # so many sums are faster, as what comes after one tile's sums overlaps with more of the next one's
SHARES = 64  # units into which a contraction falls at least, if it can


_chosen: Bounded[Any, Tile] = Bounded(MANY)  # tiles of problems met before: a deep network has many alike


@dataclass
class Side:
    """An array's strides over the variables, and its offset, in elements."""

    strides: list[int]
    offset: int
    uses: int = 1  # of an operand: how many contractions read it, which could share its panels

    def has(self, variable: int) -> bool:
        """Whether the array moves with a variable."""
        return self.strides[variable] != 0


def side(index: Map, strides: tuple[int, ...], offset: int, count: int) -> Side:
    """The strides of an array over `count` variables, from the index in each of its dimensions."""
    over = [0] * count
    for affine, stride in zip(index, strides, strict=True):
        offset += affine.offset * stride
        for v, k in affine.terms:
            over[v] += k * stride
    return Side(over, offset)


@dataclass
class Problem:
    """A piece with everything known about its three arrays; variables of extent 1 are gone, neighbours merged."""

    extents: list[int]
    names: list[int]  # the piece's own variables; of merged ones the inner
    a: Side
    b: Side
    c: Side
    more: list[Side] = field(default_factory=list)  # arrays that are read or written where C is
    exchanged: bool = False  # whether A and B have changed places
    steady: frozenset[int] = frozenset()  # the piece's variables that step along a dimension of C one by one

    @classmethod
    def of(cls, piece: Piece, a: Side, b: Side, c: Side, more: list[Side]) -> Problem:
        """The problem in its smallest form."""
        made = cls(list(piece.extents), list(range(len(piece.extents))), a, b, c, more)
        moving = [[(v, k) for v, k in x.terms if piece.extents[v] > 1] for x in piece.c]
        made.steady = frozenset(v for terms in moving for v, k in terms if k == 1)
        made._drop([v for v, n in enumerate(made.extents) if n == 1])
        made._merge()
        return made

    @property
    def sides(self) -> list[Side]:
        """All arrays."""
        return [self.a, self.b, self.c, *self.more]

    def swapped(self) -> Problem:
        """The same with the operands exchanged."""
        return replace(self, a=self.b, b=self.a, exchanged=not self.exchanged)

    def role(self, v: int) -> str:
        """Where a variable occurs: "row" in A and C, "column" in B and C, "batch" in all, "sum" not in C."""
        if not self.c.has(v):
            return "sum"
        return {(True, False): "row", (False, True): "column"}.get((self.a.has(v), self.b.has(v)), "batch")

    def key(self) -> tuple[Any, ...]:
        """What the choice of a tile depends on: everything but where the arrays begin."""
        laid = tuple((tuple(s.strides), s.uses) for s in self.sides)
        return tuple(self.extents), tuple(self.names), self.steady, laid, self.exchanged

    def of_role(self, role: str) -> list[int]:
        """The variables of a role."""
        return [v for v in range(len(self.extents)) if self.role(v) == role]

    def _drop(self, gone: list[int]) -> None:
        for v in reversed(gone):
            del self.extents[v], self.names[v]
            for s in self.sides:
                del s.strides[v]

    def _merge(self) -> None:
        """Makes one variable of two that lie behind one another in every array."""
        again = True
        while again:
            again = False
            for u, v in itertools.permutations(range(len(self.extents)), 2):
                n = self.extents[v]
                if self.role(u) == self.role(v) and all(s.strides[u] == s.strides[v] * n for s in self.sides):
                    self.extents[v] = self.extents[u] * n
                    self._drop([u])
                    again = True
                    break


@dataclass
class Tile:
    """A form of tile for a problem.

    Attributes:
        form: "outer", "batch" or "dot".
        problem: with A as the operand of the rows.
        vector: the variable along the vectors.
        row: the variable along the rows of a tile, if any; `rows` of it at a time.
        column: of the form "dot", the variable along the columns; else the vector variable itself.
        columns: how many vectors (or columns) a tile is wide.
        packs: whether B is first copied into panels of that width.
        cycles: the estimate.
    """

    form: str
    problem: Problem
    lanes: int
    vector: int
    row: int | None
    rows: int
    column: int | None
    columns: int
    packs: bool = False
    cycles: float = 0.0
    sums: list[int] = field(default_factory=list)
    outer: list[int] = field(default_factory=list)

    @property
    def row_extent(self) -> int:
        """How many rows there are."""
        return 1 if self.row is None else self.problem.extents[self.row]

    @property
    def column_extent(self) -> int:
        """How many columns there are, or vectors, the last of which may be part of one."""
        if self.form == "dot":
            return 1 if self.column is None else self.problem.extents[self.column]
        return -(-self.problem.extents[self.vector] // self.lanes)

    @property
    def stores_vectors(self) -> bool:
        """Whether a vector of the result lies in one piece."""
        return self.problem.extents[self.vector] == 1 or self.problem.c.strides[self.vector] == 1

    def fits_more(self, loads: int) -> bool:
        """Whether the problem's other arrays, the first of them only read, can go by in the same vectors."""
        if self.form == "dot" or self.lanes == 1 or self.problem.extents[self.vector] == 1:
            return True
        steps = [s.strides[self.vector] for s in self.problem.more]
        return all(s in (0, 1) for s in steps[:loads]) and all(s == 1 for s in steps[loads:])

    @property
    def hops(self) -> bool:
        """Whether B is read where it lies, every row on another page, or so that rows meet in the second cache."""
        p = self.problem
        step, extent = max(((p.b.strides[v], p.extents[v]) for v in p.of_role("sum")), default=(0, 0))
        far = step >= PAGE or extent * math.gcd(step, PAGE) > CACHE
        return far and self.form == "outer" and not self.packs

    @property
    def width(self) -> int:
        """Elements in a row of a panel."""
        return self.columns * self.lanes


def even(extent: int, most: int) -> int:
    """Pieces of at most `most` that are as equal as can be."""
    return -(-extent // -(-extent // most))


def registers(vector_bytes: int) -> int:
    """How many sums fit, leaving room for what is loaded."""
    return 28 if vector_bytes == 64 else 12


def choose(problem: Problem, lanes: int, budget: int, dense: bool = False) -> Tile:
    """The fastest tile; `dense` if the vectors of the result must be stored where they belong."""
    key = (problem.key(), lanes, budget, dense)
    found = _chosen.get(key)
    if found is None:
        found = _chosen[key] = _choose(problem, lanes, budget, dense)
    _no_variable(problem)
    return replace(found, problem=problem.swapped() if found.problem.exchanged else problem)


def _choose(problem: Problem, lanes: int, budget: int, dense: bool) -> Tile:
    forms = [t for p in (problem, problem.swapped()) for t in _forms(p, lanes)]
    forms = [t for t in forms if not dense or t.lanes == 1 or t.form == "dot" or t.stores_vectors]
    shaped = [t for form in forms for t in _shapes(form, budget)]
    best = min(shaped, key=lambda t: t.cycles)
    sums = [v for v in best.problem.of_role("sum") if best.problem.extents[v] > 1]
    best.sums = sorted(sums, key=lambda v: -abs(best.problem.a.strides[v]))
    if best.form == "dot":
        best.sums = [v for v in best.sums if v != best.vector]
    taken = {best.vector, best.row, best.column, *best.sums}
    best.outer = [v for v, n in enumerate(problem.extents) if v not in taken and n > 1]
    return best


def _forms(p: Problem, lanes: int) -> Iterator[Tile]:
    rows = [*p.of_role("row"), None]
    for row in rows:  # one lane: always possible
        yield Tile("outer", p, 1, _no_variable(p), row, 1, None, 1)
    for v in range(len(p.extents)):
        if p.role(v) != "sum" and p.names[v] not in p.steady:
            continue
        role, dense = p.role(v), p.a.strides[v] == p.b.strides[v] == 1
        for row in rows:
            if role == "column":
                yield Tile("outer", p, lanes, v, row, 1, v, 1, packs=p.b.strides[v] != 1)
            if role == "batch" and dense:
                yield Tile("batch", p, lanes, v, row, 1, v, 1)
            if role == "sum" and dense:
                for column in (*p.of_role("column"), None):
                    yield Tile("dot", p, lanes, v, row, 1, column, 1)


def _no_variable(p: Problem) -> int:
    """A variable of extent 1, for problems without columns."""
    if not p.extents or p.extents[-1] != 1:
        p.extents.append(1)
        p.names.append(-1)
        for s in p.sides:
            s.strides.append(0)
    return len(p.extents) - 1


def _shapes(form: Tile, budget: int) -> Iterator[Tile]:
    if form.packs and form.problem.b.uses >= OFTEN:
        budget = min(budget, SMALL)
    for columns in range(1, min(4, form.column_extent) + 1):
        wide = even(form.column_extent, columns)
        most = max(1, min(form.row_extent, (budget - (1 if form.form == "dot" else 0)) // wide))
        for rows in (most, WAYS - 1) if _crowded(form, most) else (most,):
            made = replace(form, columns=wide, rows=even(form.row_extent, rows))
            made.cycles = _cycles(made)
            yield made


def _cycles(t: Tile) -> float:
    p = t.problem
    turns = math.prod(p.extents[v] for v in p.of_role("sum"))
    if t.form == "dot":
        turns = turns // p.extents[t.vector] * -(-p.extents[t.vector] // t.lanes)
    taken = {t.vector, t.row, t.column, *p.of_role("sum")}
    repeats = math.prod(n for v, n in enumerate(p.extents) if v not in taken)
    total = 0.0
    for rows, many in _cut(t.row_extent, t.rows):
        for columns, wide in _cut(t.column_extent, t.columns):
            loads = columns + rows * (columns if t.form == "batch" else 1)
            fetch = loads * FETCH if t.form == "dot" and turns * loads > NEAR_VECTORS else 0
            if _crowded(t, rows):
                fetch = max(fetch, rows * AGAIN)
            after = rows * columns * (8 if t.form == "dot" else 2) + 10
            total += many * wide * (turns * max(rows * columns, loads, fetch, LATENCY) + after)
    return total * repeats + _copies(t, turns)


def _crowded(t: Tile, rows: int) -> bool:
    """Whether too many of so many rows of A lie where the first cache has the same places for them."""
    step = t.problem.a.strides[t.row] if t.form != "batch" and t.row is not None else 0
    return bool(step) and -(-rows * math.gcd(step, PAGE) // PAGE) >= WAYS


def _copies(t: Tile, turns: int) -> float:
    """The cycles of rearranging B before, and C after."""
    p, copied = t.problem, 0.0
    if t.packs:
        copied += math.prod(n for v, n in enumerate(p.extents) if p.b.has(v)) / p.b.uses
    if t.form != "dot" and not t.stores_vectors:
        copied += math.prod(n for v, n in enumerate(p.extents) if p.c.has(v))
    panels, strips = -(-t.column_extent // t.columns), -(-t.row_extent // t.rows)
    strips *= t.form == "outer" and max((p.a.strides[v] for v in p.of_role("sum")), default=0) >= PAGE
    return copied * ONE_BY_ONE + turns * (t.hops * panels + strips) * MISS


def _cut(extent: int, size: int) -> list[tuple[int, int]]:
    """(size, how many), and the rest."""
    full, rest = divmod(extent, size)
    return [(size, full)] * (full > 0) + [(rest, 1)] * (rest > 0)
