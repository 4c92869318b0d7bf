"""Factorizations of small matrices of any extents, and the systems that they solve, matrix after matrix of a batch.

LAPACK is reached through several layers, which take longer than a small matrix needs, and NumPy has no functions for
some of its factorizations.  Everything lies row by row, so vectors run along rows.  Formulas: G. Golub and C. Van Loan,
"Matrix Computations" (2013), 3.4 (elimination with exchanges of rows), 4.2 (Cholesky) and 5.2 (Householder).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .general import Writer, general
from .ir import Loop, When, constant
from .lanes import Lanes, pick

if TYPE_CHECKING:
    from .ir import Index, Value

SMALL, LARGE = 1e-280, 1e280  # sums of squares beyond which LAPACK's scaling is wanted


def _place(k: Writer, row: Index, column: Index, width: Value) -> Index:
    return k.w.add(k.times(row, width), column)


def _spread(k: Writer, x: Lanes) -> Lanes:
    """One number in every lane."""
    return Lanes(k.vector, k.vector.splat(x.value))


def _either(k: Writer, test: Value, a: Index, b: Index) -> Value:
    """One of two indices."""
    a, b = (constant(x, "i64") if x.__class__ is int else x for x in (a, b))
    return k.w.make("select", "i64", 1, (test, a, b))


# ---------------------------------------------------------------------------------------------------------------------
# Elimination


def _largest(k: Writer, a: Value, j: Value, end: Value, width: Value) -> Value:
    """The row from j on whose number in column j is largest; NaN is larger than all others."""
    w = k.w
    first = abs(k.number(a, _place(k, j, j, width)))
    loop = Loop(w, end, carried=[first.value, j], begin=w.add(j, 1), sure=False)
    best = Lanes(k.single, loop.carried[0])
    size = abs(k.number(a, _place(k, loop.index, j, width)))
    better = size.test("ugt", best) & best.same(best)
    loop.close([pick(better, size, best).value, _either(k, better.value, loop.index, loop.carried[1])])
    return loop.results[1]


def _exchange(k: Writer, a: Value, i: Value, j: Value, width: Value) -> None:
    """Two rows change places."""

    def body(c: Index, m: Value | None) -> None:
        here, there = _place(k, i, c, width), _place(k, j, c, width)
        x, y = k.load(a, here, m), k.load(a, there, m)
        k.store(y, a, here, m)
        k.store(x, a, there, m)

    with When(k.w, k.w.compare("ne", i, j)):
        k.each(width, body)


def _subtract(k: Writer, a: Value, target: Index, source: Index, factor: Lanes, count: Index) -> None:
    """Takes a multiple of one row's numbers from another's."""
    several = _spread(k, -factor)

    def body(c: Index, m: Value | None) -> None:
        at = k.w.add(target, c)
        k.store(k.load(a, k.w.add(source, c), m).fma(several, k.load(a, at, m)), a, at, m)

    k.each(count, body)


@general("Fiinnnn")
def _lu(
    k: Writer, a: Value, exchanges: Value, info: Value, batch: Value, rows: Value, columns: Value, pivots: Value
) -> None:
    """L below the diagonal of U, where the matrix is; exchanges and info as LAPACK's getrf has them."""
    w = k.w
    steps, searched = w.min(rows, columns), w.compare("ne", pivots, 0)
    with k.loop(batch) as b:
        matrix = k.at(a, k.times(k.times(b, rows), columns))
        loop = Loop(w, steps, carried=[constant(0, "i64")], sure=False)
        j, failed = loop.index, loop.carried[0]
        after = w.add(j, 1)
        row = _largest(k, matrix, j, _either(k, searched, rows, after), columns)
        _exchange(k, matrix, j, row, columns)
        place = w.at("i32", exchanges, w.add(k.times(b, steps), j))
        w.store(k.single.cast(w.add(row, 1), "i32"), place, 4)
        diagonal = _place(k, j, j, columns)
        pivot = k.number(matrix, diagonal)
        none = pivot.same(0.0)
        divisor, source = pick(none, 1.0, pivot), w.add(diagonal, 1)
        with k.loop(rows, after) as i:
            at = _place(k, i, j, columns)
            factor = k.number(matrix, at) / divisor
            k.put(factor, matrix, at)
            _subtract(k, matrix, w.add(at, 1), source, factor, w.sub(columns, after))
        new = w.make("and", "bool", 1, (none.value, w.compare("eq", failed, 0)))
        loop.close([_either(k, new, after, failed)])
        w.store(k.single.cast(loop.results[0], "i32"), w.at("i32", info, b), 4)


@general("FFFnnn")
def _triangles(k: Writer, a: Value, lower: Value, upper: Value, batch: Value, rows: Value, columns: Value) -> None:
    """What `lu` has made, as two matrices: L with ones on its diagonal, and U."""
    w, steps = k.w, k.w.min(rows, columns)
    with k.loop(batch) as b:
        matrix = k.at(a, k.times(k.times(b, rows), columns))
        left, right = k.at(lower, k.times(k.times(b, rows), steps)), k.at(upper, k.times(k.times(b, steps), columns))
        with k.loop(rows) as i, k.loop(columns) as j:
            x = k.number(matrix, _place(k, i, j, columns))
            below, on = (Lanes(k.single, w.compare(how, j, i)) for how in ("ult", "eq"))
            with When(w, w.compare("ult", j, steps)):
                k.put(pick(on, 1.0, pick(below, x, 0.0)), left, _place(k, i, j, steps))
            with When(w, w.compare("ult", i, steps)):
                k.put(pick(below, 0.0, x), right, _place(k, i, j, columns))


@general("iFnnnn")
def _exchange_rows(
    k: Writer, exchanges: Value, x: Value, batch: Value, rows: Value, columns: Value, steps: Value
) -> None:
    """Rows change places as `lu` said, one exchange after the other."""
    w = k.w
    with k.loop(batch) as b:
        matrix = k.at(x, k.times(k.times(b, rows), columns))
        with k.loop(steps) as j:
            _exchange(k, matrix, j, _exchanged(k, exchanges, w.add(k.times(b, steps), j)), columns)


@general("iFnnnn")
def _exchange_back(
    k: Writer, exchanges: Value, x: Value, batch: Value, rows: Value, columns: Value, steps: Value
) -> None:
    """The same, the other way round."""
    w = k.w
    with k.loop(batch) as b:
        matrix = k.at(x, k.times(k.times(b, rows), columns))
        with k.loop(steps) as turn:
            j = w.sub(w.sub(steps, 1), turn)
            _exchange(k, matrix, j, _exchanged(k, exchanges, w.add(k.times(b, steps), j)), columns)


def _exchanged(k: Writer, exchanges: Value, at: Index) -> Index:
    """An exchange's row, which LAPACK counts from 1."""
    return k.w.sub(k.single.cast(k.w.load("i32", k.w.at("i32", exchanges, at), 4), "i64"), 1)


# ---------------------------------------------------------------------------------------------------------------------
# Triangular systems


def _substitute(k: Writer, a: Value, x: Value, n: Value, columns: Value, form: tuple[bool, bool, bool]) -> None:
    """A X = B of one triangle, X where B is; `form`: whether it is the upper one, with ones, of A's transpose."""
    w, (upper, unit, turned) = k.w, form
    last = w.sub(n, 1)

    def element(i: Index, j: Index) -> Lanes:
        return k.number(a, _place(k, j, i, n) if turned else _place(k, i, j, n))

    with k.loop(n) as turn:
        i = w.sub(last, turn) if upper else turn

        def body(c: Index, m: Value | None, i: Index = i) -> None:
            at = _place(k, i, c, columns)
            begin, end = (w.add(i, 1), n) if upper else (0, i)
            loop = Loop(w, end, carried=[k.load(x, at, m).value], begin=begin, sure=False)
            factor = _spread(k, -element(i, loop.index))
            known = k.load(x, _place(k, loop.index, c, columns), m)
            loop.close([known.fma(factor, Lanes(k.vector, loop.carried[0])).value])
            found = Lanes(k.vector, loop.results[0])
            k.store(found if unit else found / _spread(k, element(i, i)), x, at, m)

        k.each(columns, body)


def _system(name: str, upper: bool, unit: bool, turned: bool = False) -> None:
    @general("FFnnn", name)
    def solve(k: Writer, a: Value, x: Value, batch: Value, n: Value, columns: Value) -> None:
        with k.loop(batch) as b:
            matrix, right = k.at(a, k.times(k.times(b, n), n)), k.at(x, k.times(k.times(b, n), columns))
            _substitute(k, matrix, right, n, columns, (upper, unit, turned))


_system("solve_lower", False, False)
_system("solve_lower_unit", False, True)
_system("solve_upper", True, False)
_system("solve_upper_unit", True, True)
_system("solve_turned_lower_unit", True, True, turned=True)  # the transpose of a lower triangle is an upper one
_system("solve_turned_upper", False, False, turned=True)


# ---------------------------------------------------------------------------------------------------------------------
# Cholesky


@general("Fnn")
def _cholesky(k: Writer, a: Value, batch: Value, n: Value) -> None:
    """U with A = U^T U, of A's upper triangle and where it is; refused if a minor is not positive."""
    w = k.w
    with k.loop(batch) as b:
        matrix = k.at(a, k.times(k.times(b, n), n))
        with k.loop(n) as j:
            diagonal = _place(k, j, j, n)
            pivot = k.number(matrix, diagonal)
            k.refuse(pivot.test("ule", 0.0).value)
            root, count = pivot.sqrt(), w.sub(w.sub(n, j), 1)
            divisor, row = _spread(k, root), w.add(diagonal, 1)
            k.put(root, matrix, diagonal)

            def divide(c: Index, m: Value | None, row: Index = row, divisor: Lanes = divisor) -> None:
                at = w.add(row, c)
                k.store(k.load(matrix, at, m) / divisor, matrix, at, m)

            k.each(count, divide)
            with k.loop(n, w.add(j, 1)) as i:
                k.put(Lanes(k.single, k.single.constant(0.0, k.kind)), matrix, _place(k, i, j, n))
                at = _place(k, j, i, n)
                _subtract(k, matrix, _place(k, i, i, n), at, k.number(matrix, at), w.sub(n, i))


# ---------------------------------------------------------------------------------------------------------------------
# QR


def _below(k: Writer, a: Value, j: Value, rows: Value, columns: Value) -> tuple[Lanes, Lanes]:
    """Of column j below the diagonal the sum of squares, in float64, and whether there is anything but 0."""
    w = k.w
    zero = k.single.constant(0.0, "f64")
    loop = Loop(w, rows, carried=[zero, zero], begin=w.add(j, 1), sure=False)
    x = k.number(a, _place(k, loop.index, j, columns)).to("f64")
    squares, sizes = (Lanes(k.single, c) for c in loop.carried)
    loop.close([x.fma(x, squares).value, (abs(x) + sizes).value])
    return Lanes(k.single, loop.results[0]), Lanes(k.single, loop.results[1]).test("une", 0.0)


def _reflect(
    k: Writer, source: tuple[Value, Index, Value], tau: Lanes, target: tuple[Value, Index, Index, Value], rows: Value
) -> None:
    """Applies 1 - tau v v^T to columns of a matrix: v is 1, and below it the numbers of a column.

    `source`: the array, its column, its width; `target`: the array, its first column, how many, its width.
    """
    w, (a, j, width), (x, first, count, across) = k.w, source, target
    after = w.add(j, 1)

    def element(i: Index) -> Lanes:
        return _spread(k, k.number(a, _place(k, i, j, width)))

    def body(c: Index, m: Value | None) -> None:
        column = w.add(first, c)
        top = _place(k, j, column, across)
        loop = Loop(w, rows, carried=[k.load(x, top, m).value], begin=after, sure=False)
        here = k.load(x, _place(k, loop.index, column, across), m)
        loop.close([here.fma(element(loop.index), Lanes(k.vector, loop.carried[0])).value])
        factor = -(Lanes(k.vector, loop.results[0]) * _spread(k, tau))
        k.store(k.load(x, top, m) + factor, x, top, m)
        with k.loop(rows, after) as i:
            at = _place(k, i, column, across)
            k.store(factor.fma(element(i), k.load(x, at, m)), x, at, m)

    k.each(count, body)


def _reflection(k: Writer, a: Value, j: Value, rows: Value, columns: Value, tau: Value, at: Index) -> None:
    """Makes column j zero below the diagonal, and keeps there what did it: v and tau."""
    w, diagonal, after = k.w, _place(k, j, j, columns), k.w.add(j, 1)
    squares, something = _below(k, a, j, rows, columns)
    k.put(Lanes(k.single, k.single.constant(0.0, k.kind)), tau, at)
    with When(w, something.value):
        top = k.number(a, diagonal).to("f64")
        squares = top.fma(top, squares)
        inside = (squares > SMALL) & (squares < LARGE)
        k.refuse(w.make("xor", "bool", 1, (inside.value, constant(True, "bool"))))
        new = -squares.sqrt().signed(top)
        k.put(((new - top) / new).to(k.kind), tau, at)
        k.put(new.to(k.kind), a, diagonal)
        with k.loop(rows, after) as i:
            place = _place(k, i, j, columns)
            k.put((k.number(a, place).to("f64") / (top - new)).to(k.kind), a, place)
        _reflect(k, (a, j, columns), k.number(tau, at), (a, after, w.sub(columns, after), columns), rows)


@general("FFFnnnn")
def _qr(
    k: Writer, a: Value, tau: Value, q: Value, batch: Value, rows: Value, columns: Value, width: Value
) -> None:
    """R where A is, zeros below it, and so many columns of Q, by reflections; their factors are in tau."""
    w = k.w
    steps = w.min(rows, columns)
    zero, one = (Lanes(k.single, k.single.constant(x, k.kind)) for x in (0.0, 1.0))
    with k.loop(batch) as b:
        matrix, factors = k.at(a, k.times(k.times(b, rows), columns)), k.times(b, steps)
        base = k.at(q, k.times(k.times(b, rows), width))
        with k.loop(steps) as j:
            _reflection(k, matrix, j, rows, columns, tau, w.add(factors, j))
        with k.loop(rows) as i, k.loop(width) as c:
            k.put(pick(Lanes(k.single, w.compare("eq", i, c)), one, zero), base, _place(k, i, c, width))
        with k.loop(steps) as turn:
            j = w.sub(w.sub(steps, 1), turn)
            factor = k.number(tau, w.add(factors, j))
            _reflect(k, (matrix, j, columns), factor, (base, j, w.sub(width, j), width), rows)
        with k.loop(steps) as j, k.loop(rows, w.add(j, 1)) as i:
            k.put(zero, matrix, _place(k, i, j, columns))
