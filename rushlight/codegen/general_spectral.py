"""Fast Fourier transforms of any extents, a panel of as many signals as a vector has lanes at a time.

In a panel the real parts of one point of all its signals are a vector, and the imaginary parts behind them are another:
so every step is arithmetic of whole vectors, whatever it joins.  A transform of n points goes from one half of `work`
to the other and back, once for each factor of n (2, 3, 4 or 5), after Stockham's rule
(https://en.wikipedia.org/wiki/Cooley-Tukey_FFT_algorithm#Data_reordering,_bit_reversal,_and_in-place_algorithms):

    y[s (r p + k) + q] = w ** (p k) * sum of x[s (p + m j) + q] * exp(-2 pi i j k / r) over j

with r the factor, s the product of the factors before it and m that of those behind it.  `plan` has r, m, s and where
the powers of w begin in `powers`, for each factor (`ops/general_spectral.py`).

Signals that lie in columns are read as they are; rows go through transposed squares (`transpose.py`).  Complex numbers
lie with their parts beside one another.  The inverse is the same with the parts exchanged, before and after.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from .general import Writer, general
from .ir import When
from .lanes import Lanes, pick
from .transpose import transposed

if TYPE_CHECKING:
    from .ir import Index, Value

STEP = 4  # numbers of a plan for each factor


class Pair(NamedTuple):
    """Complex numbers."""

    re: Lanes
    im: Lanes

    def plus(self, other: Pair) -> Pair:
        """The sum."""
        return Pair(self.re + other.re, self.im + other.im)

    def minus(self, other: Pair) -> Pair:
        """The difference."""
        return Pair(self.re - other.re, self.im - other.im)

    def more(self, factor: float, other: Pair) -> Pair:
        """With a multiple of others added."""
        return Pair(other.re.fma(factor, self.re), other.im.fma(factor, self.im))

    def scaled(self, factor: Any) -> Pair:
        """Times a real number."""
        return Pair(self.re * factor, self.im * factor)

    def times(self, other: Pair) -> Pair:
        """The product."""
        re = self.re.fma(other.re, -(self.im * other.im))
        return Pair(re, self.re.fma(other.im, self.im * other.re))

    def back(self) -> Pair:
        """Times -i."""
        return Pair(self.im, -self.re)


# ---------------------------------------------------------------------------------------------------------------------
# Transforms of few points


def _around(first: Pair, last: Pair) -> list[Pair]:
    """first - i last and first + i last."""
    turned = last.back()
    return [first.plus(turned), first.minus(turned)]


def _two(x: list[Pair]) -> list[Pair]:
    return [x[0].plus(x[1]), x[0].minus(x[1])]


def _three(x: list[Pair]) -> list[Pair]:
    total, difference = _two(x[1:])
    return [x[0].plus(total), *_around(x[0].more(-0.5, total), difference.scaled(math.sqrt(0.75)))]


def _four(x: list[Pair]) -> list[Pair]:
    (a, b), (c, d) = _two(x[::2]), _two(x[1::2])
    first, last = _around(b, d)
    return [a.plus(c), first, a.minus(c), last]


def _five(x: list[Pair]) -> list[Pair]:
    (a, c), (b, d) = _two([x[1], x[4]]), _two([x[2], x[3]])
    (cos1, sin1), (cos2, sin2) = ((math.cos(t), math.sin(t)) for t in (0.4 * math.pi, 0.8 * math.pi))
    near = _around(x[0].more(cos1, a).more(cos2, b), c.scaled(sin1).more(sin2, d))
    far = _around(x[0].more(cos2, a).more(cos1, b), c.scaled(sin2).more(-sin1, d))
    return [x[0].plus(a.plus(b)), near[0], far[0], far[1], near[1]]


FEW: dict[int, Callable[[list[Pair]], list[Pair]]] = {2: _two, 3: _three, 4: _four, 5: _five}


# ---------------------------------------------------------------------------------------------------------------------
# Panels


class Panel:
    """Both halves of the memory in which a panel is transformed, and how.

    Attributes:
        first, second: the halves; signals are written to the first.
        last, other: the half that their transforms are in, and the other one.
        swap: 1 where real and imaginary parts are exchanged, else 0.
    """

    def __init__(self, k: Writer, work: Value, half: Value, plan: Value, powers: Value, steps: Value,
                 swap: Index) -> None:  # fmt: skip
        self.k, self.work, self.half, self.plan, self.powers, self.steps = k, work, half, plan, powers, steps
        self.first, self.second, self.last = self._side(0), self._side(1), self._side(steps)
        self.other = self._side(k.w.add(steps, 1))
        self.swap = swap

    def _side(self, turn: Index) -> Value:
        return self.k.at(self.work, self.k.times(self.k.w.urem(turn, 2), self.half))

    def point(self, memory: Value, index: Index) -> Value:
        """Where a point of the panel begins."""
        return self.k.at(memory, self.k.w.mul(index, 2 * self.k.lanes))

    def part(self, memory: Value, index: Index, part: int) -> Value:
        """Where the real (0) or the imaginary parts (1) of a point are, which may be exchanged."""
        w = self.k.w
        chosen = w.make("xor", "i64", 1, (self.swap, part)) if self.swap.__class__ is not int else self.swap ^ part
        return self.k.at(self.point(memory, index), w.mul(chosen, self.k.lanes))

    def read(self, memory: Value) -> Pair:
        """The point at an address."""
        return Pair(self.k.load(memory, 0), self.k.load(memory, self.k.lanes))

    def write(self, x: Pair, memory: Value) -> None:
        """Puts a point at an address."""
        self.k.store(x.re, memory, 0)
        self.k.store(x.im, memory, self.k.lanes)

    def transform(self) -> None:
        """From the first half to the last."""
        k = self.k
        with k.loop(self.steps) as step:
            r, m, s, begin = (k.position(self.plan, k.w.add(k.w.mul(step, STEP), j)) for j in range(STEP))
            source, target = self._side(step), self._side(k.w.add(step, 1))
            for factor in FEW:
                with When(k.w, k.w.compare("eq", r, factor)):
                    self._step(factor, m, s, k.at(self.powers, begin), source, target)

    def _step(self, r: int, m: Value, s: Value, powers: Value, source: Value, target: Value) -> None:
        k, w = self.k, self.k.w
        with k.loop(m) as p:
            at = w.mul(p, 2 * (r - 1))
            factors = [Pair(k.everywhere(powers, w.add(at, 2 * j)), k.everywhere(powers, w.add(at, 2 * j + 1)))
                       for j in range(r - 1)]  # fmt: skip
            sources = [self.point(source, k.times(s, w.add(p, w.mul(m, j)))) for j in range(r)]
            targets = [self.point(target, k.times(s, w.add(w.mul(p, r), j))) for j in range(r)]
            with k.loop(s) as q:
                first, *others = FEW[r]([self.read(self.point(a, q)) for a in sources])
                made = [first, *[x.times(f) for x, f in zip(others, factors, strict=True)]]
                for x, a in zip(made, targets, strict=True):
                    self.write(x, self.point(a, q))

    # -- Rows

    def squares(self, points: Value, wide: int, body: Callable[[Index, Index, Value | None], None]) -> None:
        """`body(first point, numbers before it, mask)` for vectors of a row's points, `wide` numbers each."""
        w = self.k.w
        self.k.each(w.mul(points, wide), lambda i, mask: body(w.udiv(i, wide), i, mask))

    def rows_of(self, first: Index, count: Value) -> list[Index]:
        """The rows of a panel that begins with a row; behind the last one, this once more."""
        k = self.k
        return [k.w.min(k.w.add(first, j), k.w.sub(count, 1)) for j in range(k.lanes)]

    def load_rows(self, x: Value, rows: list[Index], points: Value, memory: Value) -> None:
        """Complex rows, each of so many points, into the panel's memory."""
        k, w = self.k, self.k.w
        starts = [k.at(x, w.mul(k.times(row, points), 2)) for row in rows]

        def body(point: Index, i: Index, mask: Value | None) -> None:
            columns = transposed(k.vector, [k.load(start, i, mask).value for start in starts])
            for c, column in enumerate(columns):
                k.store(Lanes(k.vector, column), self.part(memory, w.add(point, c // 2), c % 2), 0)

        self.squares(points, 2, body)

    def store_rows(self, memory: Value, out: Value, rows: list[Index], points: Value, scale: Lanes) -> None:
        """The panel's points as complex rows."""
        k, w = self.k, self.k.w
        starts = [k.at(out, w.mul(k.times(row, points), 2)) for row in rows]

        def body(point: Index, i: Index, mask: Value | None) -> None:
            columns = [(k.load(self.part(memory, w.add(point, c // 2), c % 2), 0) * scale).value
                       for c in range(k.lanes)]  # fmt: skip
            for start, row in zip(starts, transposed(k.vector, columns), strict=True):
                k.store(Lanes(k.vector, row), start, i, mask)

        self.squares(points, 2, body)

    def load_real_rows(self, x: Value, rows: list[Index], points: Value, part: int) -> None:
        """Real rows as one of the panel's parts."""
        k, w = self.k, self.k.w
        starts = [k.at(x, k.times(row, points)) for row in rows]

        def body(point: Index, i: Index, mask: Value | None) -> None:
            columns = transposed(k.vector, [k.load(start, i, mask).value for start in starts])
            for c, column in enumerate(columns):
                k.store(Lanes(k.vector, column), self.part(self.first, w.add(point, c), part), 0)

        self.squares(points, 1, body)

    def store_real_rows(self, out: Value, rows: list[Index], points: Value, part: int, scale: Lanes) -> None:
        """One of the panel's parts as real rows."""
        k, w = self.k, self.k.w
        starts = [k.at(out, k.times(row, points)) for row in rows]

        def body(point: Index, i: Index, mask: Value | None) -> None:
            columns = [(k.load(self.part(self.last, w.add(point, c), part), 0) * scale).value for c in range(k.lanes)]
            for start, row in zip(starts, transposed(k.vector, columns), strict=True):
                k.store(Lanes(k.vector, row), start, i, mask)

        self.squares(points, 1, body)

    # -- Columns

    def _halves(self, count: Value) -> tuple[Value, Value]:
        """The masks of the two vectors of complex numbers, of which so many are there."""
        k, w = self.k, self.k.w
        numbers = w.mul(count, 2)
        return k.mask(w.min(numbers, k.lanes)), k.mask(w.max(w.sub(numbers, k.lanes), 0))

    def load_columns(self, x: Value, points: Value, stride: Value, count: Value) -> None:
        """Complex columns into the panel: so many of them."""
        k, w = self.k, self.k.w
        masks = self._halves(count)
        orders = [range(part, 2 * k.lanes, 2) for part in (0, 1)]
        with k.loop(points) as j:
            start = k.at(x, w.mul(k.times(j, stride), 2))
            one, two = (k.load(start, h * k.lanes, masks[h]).value for h in (0, 1))
            for part, order in enumerate(orders):
                k.store(Lanes(k.vector, w.shuffle(one, two, order)), self.part(self.first, j, part), 0)

    def store_columns(self, out: Value, points: Value, stride: Value, count: Value, scale: Lanes) -> None:
        """The panel's points as complex columns."""
        k, w = self.k, self.k.w
        masks, lanes = self._halves(count), k.lanes
        orders = [[h * lanes // 2 + j // 2 + (j % 2) * lanes for j in range(lanes)] for h in (0, 1)]
        with k.loop(points) as j:
            start = k.at(out, w.mul(k.times(j, stride), 2))
            one, two = ((k.load(self.part(self.last, j, part), 0) * scale).value for part in (0, 1))
            for h, order in enumerate(orders):
                k.store(Lanes(k.vector, w.shuffle(one, two, order)), start, h * lanes, masks[h])

    def weigh(self, table: Value, points: Value, stride: Value, count: Value) -> None:
        """Each number of the first columns times its own: tables of real and of imaginary parts."""
        k = self.k
        imaginary, mask = k.at(table, k.times(points, stride)), k.mask(count)
        with k.loop(points) as j:
            row = k.times(j, stride)
            place = self.point(self.last, j)
            self.write(self.read(place).times(Pair(k.load(table, row, mask), k.load(imaginary, row, mask))), place)


def _panels(k: Writer, count: Value, body: Callable[[Index, Value], None]) -> None:
    """`body(first signal, how many)` for the panels of so many signals."""
    w = k.w
    with k.loop(w.udiv(w.add(count, k.lanes - 1), k.lanes)) as panel:
        first = w.mul(panel, k.lanes)
        body(first, w.min(w.sub(count, first), k.lanes))


@general("FFFFFInnnnnnnf")
def _fourier_columns(
    k: Writer, x: Value, out: Value, work: Value, powers: Value, table: Value, plan: Value, half: Value, steps: Value,
    images: Value, points: Value, columns: Value, swap: Value, weighted: Value, scale: Lanes,
) -> None:  # fmt: skip
    """Transforms over the rows of matrices; weighted: each result times its number in the table."""
    w = k.w
    panel = Panel(k, work, half, plan, powers, steps, swap)
    with k.loop(images) as image:
        start = w.mul(k.times(k.times(image, points), columns), 2)

        def body(first: Index, count: Value) -> None:
            at = w.add(start, w.mul(first, 2))
            panel.load_columns(k.at(x, at), points, columns, count)
            panel.transform()
            with When(w, w.compare("ne", weighted, 0)):
                panel.weigh(k.at(table, first), points, columns, count)
            panel.store_columns(k.at(out, at), points, columns, count, scale)

        _panels(k, columns, body)


@general("FFFFInnnnnnf")
def _fourier_rows(
    k: Writer, x: Value, out: Value, work: Value, powers: Value, plan: Value, half: Value, steps: Value, rows: Value,
    points: Value, swap: Value, crossed: Value, scale: Lanes,
) -> None:  # fmt: skip
    """Transforms of rows; crossed: they become columns."""
    w = k.w
    panel = Panel(k, work, half, plan, powers, steps, swap)

    def body(first: Index, count: Value) -> None:
        here = panel.rows_of(first, rows)
        panel.load_rows(x, here, points, panel.first)
        panel.transform()
        side = When(w, w.compare("ne", crossed, 0))
        with side:
            panel.store_columns(k.at(out, w.mul(first, 2)), points, rows, count, scale)
        with side.otherwise():
            panel.store_rows(panel.last, out, here, points, scale)

    _panels(k, rows, body)


@contextmanager
def _two_of(panel: Panel, rows: Value) -> Iterator[list[list[Index]]]:
    """A loop over real rows, two for each lane at a time."""
    k, w = panel.k, panel.k.w
    with k.loop(w.udiv(w.add(rows, 2 * k.lanes - 1), 2 * k.lanes)) as turn:
        first = w.mul(turn, 2 * k.lanes)
        yield [panel.rows_of(w.add(first, part * k.lanes), rows) for part in (0, 1)]


@general("FFFFInnnnf")
def _fourier_real_rows(
    k: Writer, x: Value, out: Value, work: Value, powers: Value, plan: Value, half: Value, steps: Value, rows: Value,
    points: Value, scale: Lanes,
) -> None:  # fmt: skip
    """Transforms of real rows, up to the middle: of two at a time, as one's real and imaginary parts."""
    w = k.w
    panel = Panel(k, work, half, plan, powers, steps, 0)
    kept = w.add(w.udiv(points, 2), 1)
    with _two_of(panel, rows) as here:
        for part in (0, 1):
            panel.load_real_rows(x, here[part], points, part)
        panel.transform()
        others = k.at(panel.other, w.mul(kept, 2 * k.lanes))
        with k.loop(kept) as j:
            a, b = (panel.read(panel.point(panel.last, i)) for i in (j, _mirrored(k, points, j)))
            panel.write(Pair(a.re + b.re, a.im - b.im), panel.point(panel.other, j))
            panel.write(Pair(a.im + b.im, b.re - a.re), panel.point(others, j))
        for memory, side in ((panel.other, here[0]), (others, here[1])):
            panel.store_rows(memory, out, side, kept, scale * 0.5)


def _mirrored(k: Writer, points: Value, j: Value) -> Value:
    """The point that is as far from 0 on the other side."""
    w = k.w
    return w.make("select", "i64", 1, (w.compare("eq", j, 0), j, w.sub(points, j)))  # type: ignore[no-any-return]


def _join(panel: Panel, j: Value, mirrored: Value, a: Pair, b: Pair) -> None:
    """A point of two spectra, a + i b, and the mirrored one; what is its own mirror is real.  Parts are exchanged."""
    k = panel.k
    inside = k.holds(k.w.sub(mirrored, j))
    p, q = pick(inside, a.im, 0.0), pick(inside, b.im, 0.0)
    panel.write(Pair(p + b.re, a.re - q), panel.point(panel.first, j))
    panel.write(Pair(b.re - p, a.re + q), panel.point(panel.first, mirrored))


@general("FFFFInnnnf")
def _fourier_half_rows(
    k: Writer, x: Value, out: Value, work: Value, powers: Value, plan: Value, half: Value, steps: Value, rows: Value,
    points: Value, scale: Lanes,
) -> None:  # fmt: skip
    """Inverse transforms that are real, of rows up to the middle: of two at a time."""
    w = k.w
    panel = Panel(k, work, half, plan, powers, steps, 0)
    kept = w.add(w.udiv(points, 2), 1)
    with _two_of(panel, rows) as here:
        sides = [panel.second, k.at(panel.second, w.mul(kept, 2 * k.lanes))]
        for memory, side in zip(sides, here, strict=True):
            panel.load_rows(x, side, kept, memory)
        with k.loop(kept) as j:
            _join(panel, j, _mirrored(k, points, j), *[panel.read(panel.point(memory, j)) for memory in sides])
        panel.transform()
        for part in (0, 1):
            panel.store_real_rows(out, here[part], points, part ^ 1, scale)
