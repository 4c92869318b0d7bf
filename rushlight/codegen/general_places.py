"""Functions of rows at positions that are numbers: rows picked, added up at positions, losses of classes.

All positions are looked at first: where one is out of range nothing is written, and NumPy's kernel says which.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .general import Definition, Writer, general
from .ir import Loop, When, constant
from .lanes import Lanes

if TYPE_CHECKING:
    from collections.abc import Callable

    from .ir import Index, Value


def _in_range(k: Writer, index: Value, count: Value, rows: Value, wraps: Value | int = 0) -> None:
    """Refuses positions outside [0, rows); with `wraps`, outside [-rows, rows)."""
    w = k.w
    more = w.make("select", "i64", 1, (w.compare("ne", wraps, 0), rows, constant(0, "i64")))
    span = w.add(rows, more)
    loop = Loop(w, count, carried=[constant(False, "bool")], sure=False)
    wrong = w.compare("uge", w.add(k.position(index, loop.index), more), span)
    loop.close([w.make("or", "bool", 1, (loop.carried[0], wrong))])
    k.refuse(loop.results[0])


def _wrapped(k: Writer, position: Value, rows: Value) -> Value:
    """A position counted from the end, where it is negative."""
    w = k.w
    return w.make("select", "i64", 1, (w.compare("slt", position, 0), w.add(position, rows), position))


@general("FIFnnn")
def _take_rows(k: Writer, x: Value, index: Value, out: Value, count: Value, rows: Value, width: Value) -> None:
    _in_range(k, index, count, rows)
    with k.loop(count) as n:
        source, target = k.times(k.position(index, n), width), k.times(n, width)
        k.each(width, lambda i, m: k.store(k.load(x, k.w.add(source, i), m), out, k.w.add(target, i), m))


@general("FIFnnnn")
def _add_rows(
    k: Writer, d: Value, index: Value, out: Value, count: Value, rows: Value, width: Value, wraps: Value
) -> None:
    """Adds row n of d to the row of `out` that `index` names, in order."""
    _in_range(k, index, count, rows, wraps)
    with k.loop(count) as n:
        source, target = k.times(n, width), k.times(_wrapped(k, k.position(index, n), rows), width)

        def add(i: Value, m: Value | None) -> None:
            at = k.w.add(target, i)
            k.store(k.load(out, at, m) + k.load(d, k.w.add(source, i), m), out, at, m)

        k.each(width, add)


@general("FIFnnn")
def _take_columns(k: Writer, x: Value, index: Value, out: Value, rows: Value, count: Value, length: Value) -> None:
    """Of rows of so many numbers those at positions that are the same for all rows."""
    _in_range(k, index, count, length)
    with k.loop(rows) as row:
        source, target = k.times(row, length), k.times(row, count)
        with k.loop(count) as n:
            k.put(k.number(x, k.w.add(source, k.position(index, n))), out, k.w.add(target, n))


@general("FIFnnn")
def _add_columns(k: Writer, d: Value, index: Value, out: Value, rows: Value, count: Value, length: Value) -> None:
    """Adds column n of d to the column of `out` that `index` names, in order."""
    _in_range(k, index, count, length)
    with k.loop(rows) as row:
        source, target = k.times(row, count), k.times(row, length)
        with k.loop(count) as n:
            at = k.w.add(target, k.position(index, n))
            k.put(k.number(out, at) + k.number(d, k.w.add(source, n)), out, at)


def _along(
    k: Writer, index: Value, rows: Value, depth: Value, length: Value, width: Value, body: Callable[..., None]
) -> None:
    """`body(place in the smaller array, place in the larger one)` for elements with positions of their own.

    The smaller array has `depth` elements along a dimension, the larger one `length`; in front of it are `rows`, behind
    it `width`.
    """
    w, row = k.w, k.times(depth, width)
    _in_range(k, index, k.times(rows, row), length)
    single = w.compare("eq", width, 1)  # then the inner loop is the one along the dimension

    def either(a: Value | int, b: Value) -> Value:
        a = constant(a, "i64") if a.__class__ is int else a
        return w.make("select", "i64", 1, (single, a, b))  # type: ignore[no-any-return]

    inner, outer, moves = either(depth, width), either(1, depth), either(0, constant(1, "i64"))
    with k.loop(rows) as r, k.loop(outer) as j:
        here, there = w.add(k.times(r, row), k.times(j, width)), k.times(k.times(r, length), width)
        with k.loop(inner) as c:
            at = w.add(here, c)
            body(at, w.add(w.add(there, k.times(k.position(index, at), width)), k.times(c, moves)))


@general("FIFnnnn")
def _add_along(
    k: Writer, d: Value, index: Value, out: Value, rows: Value, depth: Value, length: Value, width: Value
) -> None:
    def add(at: Index, target: Index) -> None:
        k.put(k.number(out, target) + k.number(d, at), out, target)

    _along(k, index, rows, depth, length, width, add)


@general("FIFnnnn")
def _put_along(
    k: Writer, d: Value, index: Value, out: Value, rows: Value, depth: Value, length: Value, width: Value
) -> None:
    _along(k, index, rows, depth, length, width, lambda at, target: k.put(k.number(d, at), out, target))


@general("FIFnnnn")
def _take_along(
    k: Writer, x: Value, index: Value, out: Value, rows: Value, depth: Value, length: Value, width: Value
) -> None:
    _along(k, index, rows, depth, length, width, lambda at, source: k.put(k.number(x, source), out, at))


def _each_bag(
    k: Writer, offsets: Value, bags: Value, rows: Value, count: Value, mean: Value,
    body: Callable[[Value, Value, Value, Lanes], None],
) -> None:  # fmt: skip
    """`body(bag, its first row, the row behind it, what its sum is divided by)`.

    Bag b has the rows from offsets[b] to before offsets[b + 1], the last one to before `count`.  Refuses offsets that
    do not begin with 0 or lie before others or behind the rows.
    """
    w = k.w
    last = w.sub(bags, 1)

    def end_of(b: Value) -> Value:
        following = k.position(offsets, w.min(w.add(b, 1), last))
        return w.make("select", "i64", 1, (w.compare("eq", b, last), count, following))  # type: ignore[no-any-return]

    first = w.make("or", "bool", 1, (w.compare("ne", k.position(offsets, 0), 0), w.compare("sgt", count, rows)))
    loop = Loop(w, bags, carried=[first], sure=False)
    wrong = w.compare("sgt", k.position(offsets, loop.index), end_of(loop.index))
    loop.close([w.make("or", "bool", 1, (loop.carried[0], wrong))])
    k.refuse(loop.results[0])
    averages = w.compare("ne", mean, 0)
    with k.loop(bags) as b:
        begin, end = k.position(offsets, b), end_of(b)
        size = w.make("select", "i64", 1, (averages, w.max(w.sub(end, begin), 1), constant(1, "i64")))
        body(b, begin, end, k.count(size))


def _bags(write: Callable[..., None]) -> Definition:
    """A function of bags: `write(k, x, out, width, bag, first row, the row behind it, divisor)` for each."""

    def definition(
        k: Writer, x: Value, offsets: Value, out: Value, bags: Value, rows: Value, count: Value, width: Value,
        mean: Value,
    ) -> None:  # fmt: skip
        _each_bag(k, offsets, bags, rows, count, mean, lambda *bag: write(k, x, out, width, *bag))

    return definition


def _sum_bag(
    k: Writer, x: Value, out: Value, width: Value, b: Value, begin: Value, end: Value, divisor: Lanes
) -> None:  # fmt: skip
    """The sum or mean of a stretch of rows."""
    w, target = k.w, k.times(b, width)

    def column(i: Value, m: Value | None) -> None:
        loop = Loop(w, end, begin=begin, carried=[k.constant(0.0).value], sure=False)
        found = k.load(x, w.add(k.times(loop.index, width), i), m)
        loop.close([(Lanes(k.vector, loop.carried[0]) + found).value])
        k.store(Lanes(k.vector, loop.results[0]) / divisor, out, w.add(target, i), m)

    k.each(width, column)


def _spread_bag(
    k: Writer, d: Value, out: Value, width: Value, b: Value, begin: Value, end: Value, divisor: Lanes
) -> None:  # fmt: skip
    """A bag's row for all rows of the bag."""
    w, source = k.w, k.times(b, width)
    with k.loop(end, begin) as row:
        target = k.times(row, width)
        k.each(width, lambda i, m: k.store(k.load(d, w.add(source, i), m) / divisor, out, w.add(target, i), m))


general("FIFnnnnn", "sum_bags")(_bags(_sum_bag))
general("FIFnnnnn", "spread_bags")(_bags(_spread_bag))


# ---------------------------------------------------------------------------------------------------------------------
# The negative log-likelihood of classes, one of each row


def _classes(k: Writer, target: Value, rows: Value, classes: Value, ignored: Value) -> Value:
    """How many targets count; refuses classes that there are not."""
    w, none = k.w, constant(0, "i64")
    loop = Loop(w, rows, carried=[none, constant(False, "bool")], sure=False)
    found = k.position(target, loop.index)
    counts = w.compare("ne", found, ignored)
    wrong = w.make("and", "bool", 1, (counts, w.compare("uge", found, classes)))
    one = w.make("select", "i64", 1, (counts, constant(1, "i64"), none))
    loop.close([w.add(loop.carried[0], one), w.make("or", "bool", 1, (loop.carried[1], wrong))])
    k.refuse(loop.results[1])
    return loop.results[0]


@general("FIFnnnn")
def _nll(
    k: Writer, x: Value, target: Value, out: Value, rows: Value, classes: Value, ignored: Value, mean: Value
) -> None:
    """The sum over rows, or their mean; sums are float64."""
    w = k.w
    count = _classes(k, target, rows, classes, ignored)
    loop = Loop(w, rows, carried=[constant(0.0, "f64")], sure=False)
    found = k.position(target, loop.index)
    counts = When(w, w.compare("ne", found, ignored))
    with counts:
        loss = k.number(x, w.add(k.times(loop.index, classes), found)).to("f64")
        less = k.single.binary("sub", loop.carried[0], loss.value)
    loop.close(counts.give([less], [loop.carried[0]]))
    total = loop.results[0]
    by = k.single.select(w.compare("ne", mean, 0), k.single.cast(count, "f64"), constant(1.0, "f64"))
    k.put(Lanes(k.single, k.single.binary("div", total, by)).to(k.kind), out, 0)


@general("FIFnnnn")
def _nll_backward(
    k: Writer, d: Value, target: Value, out: Value, rows: Value, classes: Value, ignored: Value, mean: Value
) -> None:
    """Writes the gradient of each row's class; the rest of `out` is 0 already."""
    w = k.w
    count = _classes(k, target, rows, classes, ignored)
    by = k.single.select(w.compare("ne", mean, 0), k.single.cast(count, k.kind), constant(1.0, k.kind))
    share = -(k.number(d, 0) / Lanes(k.single, by))
    with k.loop(rows) as row:
        found = k.position(target, row)
        with When(w, w.compare("ne", found, ignored)):
            k.put(share, out, w.add(k.times(row, classes), found))
