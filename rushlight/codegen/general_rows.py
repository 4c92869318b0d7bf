"""Functions across the rows of a matrix, of any extents: softmax and its relatives, sums, layer normalisation.

A row is walked two or three times, while it is in the cache; sums and largest numbers stay in a vector until its end.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from . import functions as math_of
from .general import Definition, Writer, general
from .ir import When
from .lanes import Lanes, pick

if TYPE_CHECKING:
    from collections.abc import Callable

    from .ir import Index, Value

CHAINS = 6  # running sums that are made at once: each addition waits for the one before


def _top(k: Writer, x: Value, start: Index, columns: Index) -> Lanes:
    """The largest number of a row, in every lane."""
    low = k.constant(-math.inf)
    (found,) = k.each(
        columns, lambda i, m, top: [k.larger(k.where(m, k.load(x, k.w.add(start, i), m), -math.inf), top)], low
    )
    return k.top(found)


def _sum_of_exponentials(k: Writer, x: Value, start: Index, columns: Index, top: Lanes, out: Value | None) -> Lanes:
    """The sum of exp(x - top) over a row, in every lane; the terms are stored if there is a place for them."""

    def body(i: Value, m: Value | None, total: Lanes) -> list[Lanes]:
        at = k.w.add(start, i)
        term = math_of.exp(k.load(x, at, m) - top)
        if out is not None:
            k.store(term, out, at, m)
        return [total + k.where(m, term, 0.0)]

    return k.total(k.each(columns, body, k.constant(0.0))[0])


@general("FFnn")
def _softmax(k: Writer, x: Value, out: Value, rows: Value, columns: Value) -> None:
    with k.loop(rows) as row:
        start = k.times(row, columns)
        total = _sum_of_exponentials(k, x, start, columns, _top(k, x, start, columns), out)

        def divide(i: Value, m: Value | None) -> None:
            at = k.w.add(start, i)
            k.store(k.load(out, at, m) / total, out, at, m)

        k.each(columns, divide)


@general("FFnn")
def _log_softmax(k: Writer, x: Value, out: Value, rows: Value, columns: Value) -> None:
    with k.loop(rows) as row:
        start = k.times(row, columns)
        top = _top(k, x, start, columns)
        less = math_of.log(_sum_of_exponentials(k, x, start, columns, top, None))

        def shift(i: Value, m: Value | None) -> None:
            at = k.w.add(start, i)
            k.store((k.load(x, at, m) - top) - less, out, at, m)

        k.each(columns, shift)


@general("FFnn")
def _logsumexp(k: Writer, x: Value, out: Value, rows: Value, columns: Value) -> None:
    with k.loop(rows) as row:
        start = k.times(row, columns)
        top = _top(k, x, start, columns)
        top = pick(abs(top) < math.inf, top, 0.0)
        total = _sum_of_exponentials(k, x, start, columns, top, None)
        k.put(math_of.log(total) + top, out, row)


def _derivative(
    k: Writer, d: Value, y: Value, out: Value, rows: Value, columns: Value, scale: Lanes | None
) -> None:  # fmt: skip
    """The derivative of softmax, whose results are y, and perhaps times a scale."""
    with k.loop(rows) as row:
        start = k.times(row, columns)

        def product(i: Value, m: Value | None) -> Lanes:
            at = k.w.add(start, i)
            return k.load(d, at, m) * k.load(y, at, m)

        total = k.total(k.each(columns, lambda i, m, t: [t + product(i, m)], k.constant(0.0))[0])

        def finish(i: Value, m: Value | None) -> None:
            at = k.w.add(start, i)
            found = product(i, m) - k.load(y, at, m) * total
            k.store(found if scale is None else found * scale, out, at, m)

        k.each(columns, finish)


@general("FFFnn")
def _softmax_backward(k: Writer, d: Value, y: Value, out: Value, rows: Value, columns: Value) -> None:
    _derivative(k, d, y, out, rows, columns, None)


@general("FFFnn")
def _log_softmax_backward(k: Writer, d: Value, y: Value, out: Value, rows: Value, columns: Value) -> None:
    with k.loop(rows) as row:
        start = k.times(row, columns)
        total = k.total(k.each(columns, lambda i, m, t: [t + k.load(d, k.w.add(start, i), m)], k.constant(0.0))[0])

        def finish(i: Value, m: Value | None) -> None:
            at = k.w.add(start, i)
            k.store(k.load(d, at, m) - math_of.exp(k.load(y, at, m)) * total, out, at, m)

        k.each(columns, finish)


# ---------------------------------------------------------------------------------------------------------------------
# The same down the columns of matrices, vectors running across them


def _down(k: Writer, images: Value, rows: Value, columns: Value, body: Callable[..., None]) -> None:
    """`body(place of a row, mask)` for vectors of columns."""
    w = k.w
    with k.loop(images) as image:
        start = k.times(k.times(image, rows), columns)
        k.each(columns, lambda i, m: body(lambda row: w.add(w.add(start, k.times(row, columns)), i), m))


def _top_and_sum(
    k: Writer, x: Value, rows: Value, at: Callable[[Value], Index], m: Value | None, out: Value | None
) -> tuple[Lanes, Lanes]:
    """The largest number of each column and its sum of exp(x - top); the terms are stored if there is a place."""
    (top,) = k.turns(rows, lambda row, top: [k.larger(k.load(x, at(row), m), top)], k.constant(-math.inf))

    def add(row: Value, total: Lanes) -> list[Lanes]:
        term = math_of.exp(k.load(x, at(row), m) - top)
        if out is not None:
            k.store(term, out, at(row), m)
        return [total + term]

    return top, k.turns(rows, add, k.constant(0.0))[0]


@general("FFnnn")
def _softmax_down(k: Writer, x: Value, out: Value, images: Value, rows: Value, columns: Value) -> None:
    def column(at: Callable[[Value], Index], m: Value | None) -> None:
        _, total = _top_and_sum(k, x, rows, at, m, out)
        with k.loop(rows) as row:
            k.store(k.load(out, at(row), m) / total, out, at(row), m)

    _down(k, images, rows, columns, column)


@general("FFnnn")
def _log_softmax_down(k: Writer, x: Value, out: Value, images: Value, rows: Value, columns: Value) -> None:
    def column(at: Callable[[Value], Index], m: Value | None) -> None:
        top, total = _top_and_sum(k, x, rows, at, m, None)
        less = math_of.log(total)
        with k.loop(rows) as row:
            k.store((k.load(x, at(row), m) - top) - less, out, at(row), m)

    _down(k, images, rows, columns, column)


@general("FFFnnn")
def _softmax_backward_down(
    k: Writer, d: Value, y: Value, out: Value, images: Value, rows: Value, columns: Value
) -> None:  # fmt: skip
    def column(at: Callable[[Value], Index], m: Value | None) -> None:
        def product(row: Value) -> Lanes:
            return k.load(d, at(row), m) * k.load(y, at(row), m)

        (total,) = k.turns(rows, lambda row, t: [t + product(row)], k.constant(0.0))
        with k.loop(rows) as row:
            k.store(product(row) - k.load(y, at(row), m) * total, out, at(row), m)

    _down(k, images, rows, columns, column)


@general("FFFnnn")
def _log_softmax_backward_down(
    k: Writer, d: Value, y: Value, out: Value, images: Value, rows: Value, columns: Value
) -> None:  # fmt: skip
    def column(at: Callable[[Value], Index], m: Value | None) -> None:
        (total,) = k.turns(rows, lambda row, t: [t + k.load(d, at(row), m)], k.constant(0.0))
        with k.loop(rows) as row:
            k.store(k.load(d, at(row), m) - math_of.exp(k.load(y, at(row), m)) * total, out, at(row), m)

    _down(k, images, rows, columns, column)


# ---------------------------------------------------------------------------------------------------------------------
# The weights of attention


def _keys_seen(k: Writer, row: Value, columns: Value, period: Value) -> Value:
    """How many keys the query of a row sees: all if `period` is 0, else as many as its place among so many says."""
    w = k.w
    query = w.make("urem", "i64", 1, (row, w.max(period, 1)))
    return w.min(columns, w.make("select", "i64", 1, (w.compare("ne", period, 0), w.add(query, 1), columns)))


def _bar(k: Writer, out: Value, start: Index, count: Index) -> None:
    """Zeros for keys that are not seen."""
    k.each(count, lambda i, m: k.store(k.constant(0.0), out, k.w.add(start, i), m))


@general("FFFnnnf")
def _attention_weights(
    k: Writer, x: Value, out: Value, sums: Value, rows: Value, columns: Value, period: Value, scale: Lanes
) -> None:
    """Softmax of scores times a positive scale; query q of `period` sees q + 1 keys, or if that is 0 all.

    Zeros in a row of nothing but -inf. Into `sums` goes the logarithm of a row's sum of exponentials, inf there.
    """
    w = k.w
    with k.loop(rows) as row:
        start, seen = k.times(row, columns), _keys_seen(k, row, columns, period)
        top = _top(k, x, start, seen)
        top = pick(top.same(-math.inf), 0.0, top * scale)

        def term(i: Value, m: Value | None, total: Lanes) -> list[Lanes]:
            at = w.add(start, i)
            found = math_of.exp(k.load(x, at, m) * scale - top)
            k.store(found, out, at, m)
            return [total + k.where(m, found, 0.0)]

        total = k.total(k.each(seen, term, k.constant(0.0))[0])
        nothing = total.same(0.0)
        total = pick(nothing, 1.0, total)
        k.put(pick(nothing, math.inf, top + math_of.log(total)), sums, row)

        def divide(i: Value, m: Value | None) -> None:
            at = w.add(start, i)
            k.store(k.load(out, at, m) / total, out, at, m)

        k.each(seen, divide)
        _bar(k, out, w.add(start, seen), w.sub(columns, seen))


@general("FFFnnnf")
def _weights_again(
    k: Writer, x: Value, sums: Value, out: Value, rows: Value, columns: Value, period: Value, scale: Lanes
) -> None:
    """The same weights once more, from the scores and the logarithms of their rows' sums."""
    w = k.w
    with k.loop(rows) as row:
        start, seen = k.times(row, columns), _keys_seen(k, row, columns, period)
        total = k.everywhere(sums, row)

        def weight(i: Value, m: Value | None) -> None:
            at = w.add(start, i)
            k.store(math_of.exp(k.load(x, at, m) * scale - total), out, at, m)

        k.each(seen, weight)
        _bar(k, out, w.add(start, seen), w.sub(columns, seen))


@general("FFFnnf")
def _weights_backward(
    k: Writer, d: Value, y: Value, out: Value, rows: Value, columns: Value, scale: Lanes
) -> None:  # fmt: skip
    """The gradient of scores from that of their weights."""
    _derivative(k, d, y, out, rows, columns, scale)


@general("FFnnnf")
def _sum_rows(k: Writer, x: Value, out: Value, images: Value, rows: Value, columns: Value, divisor: Lanes) -> None:
    """The sums of the columns of some matrices, divided by a number."""
    w = k.w
    with k.loop(images) as image:
        start, target = k.times(k.times(image, rows), columns), k.times(image, columns)

        def column(i: Value, m: Value | None) -> None:
            first = w.add(start, i)

            def add(row: Value, total: Lanes) -> list[Lanes]:
                return [total + k.load(x, w.add(first, k.times(row, columns)), m)]

            k.store(k.turns(rows, add, k.constant(0.0))[0] / divisor, out, w.add(target, i), m)

        k.each(columns, column)


@general("FFnnf")
def _sum_columns(k: Writer, x: Value, out: Value, rows: Value, columns: Value, divisor: Lanes) -> None:
    """The sums of rows, divided by a number; four at a time, each of every fourth vector."""
    w, none = k.w, k.constant(0.0)
    step = 4 * k.lanes
    with k.loop(rows) as row:
        start = k.times(row, columns)
        blocks = w.udiv(columns, step)

        def block(b: Value, *totals: Lanes) -> list[Lanes]:
            at = w.add(start, w.mul(b, step))
            return [t + k.load(x, w.add(at, j * k.lanes)) for j, t in enumerate(totals)]

        one, two, three, four = k.turns(blocks, block, none, none, none, none)
        done = w.mul(blocks, step)
        behind = w.add(start, done)
        (rest,) = k.each(w.sub(columns, done), lambda i, m, t: [t + k.load(x, w.add(behind, i), m)], none)
        k.put(k.total(((one + two) + (three + four)) + rest) / divisor, out, row)


@general("FFInnn")
def _largest(k: Writer, x: Value, out: Value, places: Value, images: Value, rows: Value, columns: Value) -> None:
    """The largest number of each column of some matrices, and its row: the first of equals, the first NaN."""
    w, s = k.w, k.vector
    with k.loop(images) as image:
        start, target = k.times(k.times(image, rows), columns), k.times(image, columns)

        def column(i: Value, m: Value | None) -> None:
            def compare(row: Value, best: Lanes, at: Lanes) -> list[Lanes]:
                found = k.load(x, w.add(w.add(start, k.times(row, columns)), i), m)
                better = (found > best) | (found.isnan() & best.same(best))
                return [pick(better, found, best), pick(better, Lanes(s, s.splat(k.single.cast(row, "i32"))), at)]

            first = k.load(x, w.add(start, i), m)
            best, at = k.turns(rows, compare, first, Lanes(s, s.constant(0, "i32")))
            k.store(best, out, w.add(target, i), m)
            wide, place = at.to("i64").value, w.at("i64", places, w.add(target, i))
            w.store(wide, place, 8) if m is None else w.store_where(wide, place, 8, m)

        k.each(columns, column)


# ---------------------------------------------------------------------------------------------------------------------
# Running sums and products, in double precision


def _running(join: Callable[[Lanes, Lanes], Lanes], first: float) -> Definition:
    """Joins each row of some matrices to what those before it have made; `first` leaves a number as it is."""

    def definition(k: Writer, x: Value, out: Value, images: Value, rows: Value, columns: Value) -> None:
        single = k.w.compare("eq", columns, 1)
        with When(k.w, single):
            _along_rows(k, x, out, images, rows)
        with When(k.w, k.w.compare("ne", columns, 1)):
            _along_columns(k, x, out, images, rows, columns)

    def _along_rows(k: Writer, x: Value, out: Value, images: Value, rows: Value) -> None:
        """Where columns are single numbers; `CHAINS` images take turns, for none need wait for another."""
        w, together = k.w, k.w.udiv(images, CHAINS)

        def image(begin: Index, count: int) -> None:
            starts = [k.times(w.add(begin, c), rows) for c in range(count)]

            def go_on(row: Value, *totals: Lanes) -> list[Lanes]:
                places = [w.add(start, row) for start in starts]
                made = [join(t, k.number(x, at).to("f64")) for t, at in zip(totals, places, strict=True)]
                for total, at in zip(made, places, strict=True):
                    k.put(total.to(k.kind), out, at)
                return made

            k.turns(rows, go_on, *[Lanes(k.single, k.single.constant(first, "f64"))] * count)

        with k.loop(together) as n:
            image(w.mul(n, CHAINS), CHAINS)
        with k.loop(images, w.mul(together, CHAINS)) as n:
            image(n, 1)

    def _along_columns(k: Writer, x: Value, out: Value, images: Value, rows: Value, columns: Value) -> None:
        w = k.w
        with k.loop(images) as image:
            start = k.times(k.times(image, rows), columns)

            def column(i: Value, m: Value | None) -> None:
                def go_on(row: Value, total: Lanes) -> list[Lanes]:
                    at = w.add(w.add(start, k.times(row, columns)), i)
                    made = join(total, k.load(x, at, m).to("f64"))
                    k.store(made.to(k.kind), out, at, m)
                    return [made]

                k.turns(rows, go_on, Lanes(k.vector, k.vector.constant(first, "f64")))

            k.each(columns, column)

    return definition


general("FFnnn", "running_sum")(_running(lambda total, x: total + x, -0.0))
general("FFnnn", "running_product")(_running(lambda total, x: total * x, 1.0))


# ---------------------------------------------------------------------------------------------------------------------
# Layer normalisation: where there is no weight or bias, another array of a row's length stands for it, and is not used


def _mean_and_variance(k: Writer, x: Value, start: Index, columns: Index, count: Lanes) -> tuple[Lanes, Lanes]:
    add = k.w.add
    total = k.each(columns, lambda i, m, t: [t + k.load(x, add(start, i), m)], k.constant(0.0))[0]
    mean = k.total(total) / count

    def square(i: Value, m: Value | None, total: Lanes) -> list[Lanes]:
        apart = k.where(m, k.load(x, add(start, i), m) - mean, 0.0)
        return [total + apart * apart]

    return mean, k.total(k.each(columns, square, k.constant(0.0))[0]) / count


@general("FFFFFFnnnnf")
def _layer_norm(
    k: Writer, x: Value, weight: Value, bias: Value, out: Value, means: Value, variances: Value, rows: Value,
    columns: Value, weighs: Value, shifts: Value, eps: Lanes,
) -> None:  # fmt: skip
    count, weighed, shifted = k.count(columns), k.holds(weighs), k.holds(shifts)
    with k.loop(rows) as row:
        start = k.times(row, columns)
        mean, variance = _mean_and_variance(k, x, start, columns, count)
        scale = 1.0 / (variance + eps).sqrt()
        k.put(mean, means, row)
        k.put(variance, variances, row)

        def finish(i: Value, m: Value | None) -> None:
            at = k.w.add(start, i)
            y = (k.load(x, at, m) - mean) * scale
            y = y * pick(weighed, k.load(weight, i, m), 1.0)
            k.store(pick(shifted, y + k.load(bias, i, m), y), out, at, m)

        k.each(columns, finish)


@general("FFFFFFFFnnnf")
def _layer_norm_backward(
    k: Writer, d: Value, x: Value, weight: Value, means: Value, variances: Value, out: Value, of_weight: Value,
    of_bias: Value, rows: Value, columns: Value, weighs: Value, eps: Lanes,
) -> None:  # fmt: skip
    """`of_weight` and `of_bias` are added to; they are of a row's length also where there is no weight."""
    count, weighed = k.count(columns), k.holds(weighs)
    with k.loop(rows) as row:
        start = k.times(row, columns)
        mean = k.everywhere(means, row)
        scale = 1.0 / (k.everywhere(variances, row) + eps).sqrt()

        def terms(i: Value, m: Value | None) -> tuple[Lanes, Lanes, Lanes]:
            at = k.w.add(start, i)
            given = k.load(d, at, m)
            y = (k.load(x, at, m) - mean) * scale
            return given, given * pick(weighed, k.load(weight, i, m), 1.0), y

        def add(i: Value, m: Value | None, total: Lanes, product: Lanes) -> list[Lanes]:
            given, weighted, y = terms(i, m)
            k.store(k.load(of_weight, i, m) + given * y, of_weight, i, m)
            k.store(k.load(of_bias, i, m) + given, of_bias, i, m)
            return [total + weighted, product + k.where(m, weighted * y, 0.0)]

        none = k.constant(0.0)
        first, second = (k.total(t) / count for t in k.each(columns, add, none, none))

        def finish(i: Value, m: Value | None) -> None:
            _, weighted, y = terms(i, m)
            k.store(((weighted - y * second) - first) * scale, out, k.w.add(start, i), m)

        k.each(columns, finish)
