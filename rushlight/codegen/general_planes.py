"""Functions of images of any extents: batch normalisation, and the most common of poolings.

Images lie as (sample, channel, place).  A channel's numbers are walked sample by sample, three times for what a batch
needs.  Pooling is that over windows of 2x2 that meet without a gap: two rows are read in whole vectors, whose even and
odd lanes are the windows' columns.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .arithmetic import Scalars
from .general import Writer, general
from .lanes import Lanes, pick

if TYPE_CHECKING:
    from collections.abc import Callable

    from .ir import Index, Value


def _of_channel(
    k: Writer, channel: Value, samples: Value, channels: Value, places: Value,
    body: Callable[..., Any], *carried: Lanes,
) -> list[Lanes]:  # fmt: skip
    """`body(place in memory, mask, *carried)` for all numbers of a channel."""

    def sample(n: Value, *carried: Lanes) -> list[Lanes]:
        start = k.times(k.w.add(k.times(n, channels), channel), places)
        return k.each(places, lambda i, m, *c: body(k.w.add(start, i), m, *c), *carried)

    return k.turns(samples, sample, *carried)


@general("FFFFFFnnnnnf")
def _batch_norm(
    k: Writer, x: Value, weight: Value, bias: Value, out: Value, means: Value, variances: Value, samples: Value,
    channels: Value, places: Value, weighs: Value, shifts: Value, eps: Lanes,
) -> None:  # fmt: skip
    """Where there is no weight or bias another array, of a number for each channel, stands for it."""
    count = k.count(k.times(samples, places))
    weighed, shifted, none = k.holds(weighs), k.holds(shifts), k.constant(0.0)
    with k.loop(channels) as channel:
        over = channel, samples, channels, places
        total = _of_channel(k, *over, lambda at, m, t: [t + k.load(x, at, m)], none)[0]
        mean = k.total(total) / count

        def square(at: Index, m: Any, total: Lanes, mean: Lanes = mean) -> list[Lanes]:
            apart = k.where(m, k.load(x, at, m) - mean, 0.0)
            return [total + apart * apart]

        variance = k.total(_of_channel(k, *over, square, none)[0]) / count
        k.put(mean, means, channel)
        k.put(variance, variances, channel)
        scale = 1.0 / (variance + eps).sqrt() * pick(weighed, k.everywhere(weight, channel), 1.0)
        shift = k.everywhere(bias, channel)

        def finish(at: Index, m: Any) -> None:
            y = (k.load(x, at, m) - mean) * scale
            k.store(pick(shifted, y + shift, y), out, at, m)

        _of_channel(k, *over, finish)


@general("FFFFFFFFnnnnf")
def _batch_norm_backward(
    k: Writer, d: Value, x: Value, weight: Value, means: Value, variances: Value, out: Value, of_weight: Value,
    of_bias: Value, samples: Value, channels: Value, places: Value, weighs: Value, eps: Lanes,
) -> None:  # fmt: skip
    count, weighed, none = k.count(k.times(samples, places)), k.holds(weighs), k.constant(0.0)
    with k.loop(channels) as channel:
        over = channel, samples, channels, places
        mean = k.everywhere(means, channel)
        scale = 1.0 / (k.everywhere(variances, channel) + eps).sqrt()

        def add(at: Index, m: Any, total: Lanes, product: Lanes) -> list[Lanes]:
            given = k.load(d, at, m)
            return [total + given, product + given * ((k.load(x, at, m) - mean) * scale)]

        total, product = (k.total(t) for t in _of_channel(k, *over, add, none, none))
        k.put(total, of_bias, channel)
        k.put(product, of_weight, channel)
        mean_d, mean_product = total / count, product / count
        whole = scale * pick(weighed, k.everywhere(weight, channel), 1.0)

        def finish(at: Index, m: Any) -> None:
            y = (k.load(x, at, m) - mean) * scale
            k.store(((k.load(d, at, m) - y * mean_product) - mean_d) * whole, out, at, m)

        _of_channel(k, *over, finish)


@general("FFFFFFnnnnnf")
def _batch_norm_features(
    k: Writer, x: Value, weight: Value, bias: Value, out: Value, means: Value, variances: Value, samples: Value,
    channels: Value, places: Value, weighs: Value, shifts: Value, eps: Lanes,
) -> None:  # fmt: skip
    """The same where a channel has one place: vectors run along the channels."""
    w, none, count = k.w, k.constant(0.0), k.count(samples)
    weighed, shifted = k.holds(weighs), k.holds(shifts)

    def column(i: Value, m: Any) -> None:
        def at(n: Value) -> Index:
            return w.add(k.times(n, channels), i)

        mean = k.turns(samples, lambda n, t: [t + k.load(x, at(n), m)], none)[0] / count

        def square(n: Value, total: Lanes) -> list[Lanes]:
            apart = k.load(x, at(n), m) - mean
            return [total + apart * apart]

        variance = k.turns(samples, square, none)[0] / count
        k.store(mean, means, i, m)
        k.store(variance, variances, i, m)
        scale = 1.0 / (variance + eps).sqrt() * pick(weighed, k.load(weight, i, m), 1.0)
        shift = k.load(bias, i, m)
        with k.loop(samples) as n:
            y = (k.load(x, at(n), m) - mean) * scale
            k.store(pick(shifted, y + shift, y), out, at(n), m)

    k.each(channels, column)


@general("FFFFFFFFnnnnf")
def _batch_norm_features_backward(
    k: Writer, d: Value, x: Value, weight: Value, means: Value, variances: Value, out: Value, of_weight: Value,
    of_bias: Value, samples: Value, channels: Value, places: Value, weighs: Value, eps: Lanes,
) -> None:  # fmt: skip
    w, none, count, weighed = k.w, k.constant(0.0), k.count(samples), k.holds(weighs)

    def column(i: Value, m: Any) -> None:
        mean, scale = k.load(means, i, m), 1.0 / (k.load(variances, i, m) + eps).sqrt()

        def terms(n: Value) -> tuple[Index, Lanes, Lanes]:
            at = w.add(k.times(n, channels), i)
            return at, k.load(d, at, m), (k.load(x, at, m) - mean) * scale

        def add(n: Value, total: Lanes, product: Lanes) -> list[Lanes]:
            _, given, y = terms(n)
            return [total + given, product + given * y]

        total, product = k.turns(samples, add, none, none)
        k.store(total, of_bias, i, m)
        k.store(product, of_weight, i, m)
        mean_d, mean_product = total / count, product / count
        whole = scale * pick(weighed, k.load(weight, i, m), 1.0)
        with k.loop(samples) as n:
            at, given, y = terms(n)
            k.store(((given - y * mean_product) - mean_d) * whole, out, at, m)

    k.each(channels, column)


@general("FFFFnnn")
def _scale_channels(
    k: Writer, x: Value, scale: Value, shift: Value, out: Value, samples: Value, channels: Value, places: Value
) -> None:
    """x times a number and plus a number of each channel."""
    with k.loop(k.times(samples, channels)) as plane:
        channel, start = k.w.make("urem", "i64", 1, (plane, channels)), k.times(plane, places)
        factor, term = k.everywhere(scale, channel), k.everywhere(shift, channel)

        def body(i: Value, m: Any) -> None:
            at = k.w.add(start, i)
            k.store(k.load(x, at, m) * factor + term, out, at, m)

        k.each(places, body)


def _channels_of(k: Writer, group: Value, each: Value, places: Value, body: Callable[..., Any],
                 *carried: Lanes) -> list[Lanes]:  # fmt: skip
    """`body(channel among the group's, where its places begin, *carried)` for the channels of one sample's group."""
    start = k.times(k.times(group, each), places)
    return k.turns(each, lambda c, *now: body(c, k.w.add(start, k.times(c, places)), *now), *carried)


@general("FFFFFFnnnnnnf")
def _group_norm(
    k: Writer, x: Value, weight: Value, bias: Value, out: Value, means: Value, variances: Value, samples: Value,
    groups: Value, each: Value, places: Value, weighs: Value, shifts: Value, eps: Lanes,
) -> None:  # fmt: skip
    """Batch normalisation of each sample's groups of channels; the numbers of a group lie behind one another."""
    w, none = k.w, k.constant(0.0)
    size = k.times(each, places)
    count, weighed, shifted = k.count(size), k.holds(weighs), k.holds(shifts)
    with k.loop(k.times(samples, groups)) as group:
        start = k.times(group, size)
        total = k.each(size, lambda i, m, t: [t + k.load(x, w.add(start, i), m)], none)[0]
        mean = k.total(total) / count

        def square(i: Value, m: Any, total: Lanes) -> list[Lanes]:
            apart = k.where(m, k.load(x, w.add(start, i), m) - mean, 0.0)
            return [total + apart * apart]

        variance = k.total(k.each(size, square, none)[0]) / count
        k.put(mean, means, group)
        k.put(variance, variances, group)
        scale = 1.0 / (variance + eps).sqrt()
        first = k.times(w.make("urem", "i64", 1, (group, groups)), each)

        def channel(c: Value, begin: Index) -> None:
            at = w.make("select", "i64", 1, (w.compare("ne", weighs, 0), w.add(first, c), group))
            factor = pick(weighed, k.everywhere(weight, at), 1.0)
            shift = k.everywhere(bias, w.make("select", "i64", 1, (w.compare("ne", shifts, 0), w.add(first, c), group)))

            def finish(i: Value, m: Any) -> None:
                y = (k.load(x, w.add(begin, i), m) - mean) * scale * factor
                k.store(pick(shifted, y + shift, y), out, w.add(begin, i), m)

            k.each(places, finish)

        _channels_of(k, group, each, places, channel)


@general("FFFFFFFFnnnnnf")
def _group_norm_backward(
    k: Writer, d: Value, x: Value, weight: Value, means: Value, variances: Value, out: Value, of_weight: Value,
    of_bias: Value, samples: Value, groups: Value, each: Value, places: Value, weighs: Value, eps: Lanes,
) -> None:  # fmt: skip
    """`of_weight` and `of_bias`, which are added to, have a number for each channel also where there is no weight."""
    w, none = k.w, k.constant(0.0)
    count, weighed = k.count(k.times(each, places)), k.holds(weighs)
    with k.loop(k.times(samples, groups)) as group:
        mean = k.everywhere(means, group)
        scale = 1.0 / (k.everywhere(variances, group) + eps).sqrt()
        first = k.times(w.make("urem", "i64", 1, (group, groups)), each)

        def factor(c: Value) -> Lanes:
            at = w.make("select", "i64", 1, (w.compare("ne", weighs, 0), w.add(first, c), group))
            return pick(weighed, k.everywhere(weight, at), 1.0)

        def sums(c: Value, begin: Index, all_d: Lanes, all_products: Lanes) -> list[Lanes]:
            def add(i: Value, m: Any, total: Lanes, product: Lanes) -> list[Lanes]:
                given = k.load(d, w.add(begin, i), m)
                return [total + given, product + given * ((k.load(x, w.add(begin, i), m) - mean) * scale)]

            total, product = (k.total(t) for t in k.each(places, add, none, none))
            at, share = w.add(first, c), factor(c)
            k.put(k.everywhere(of_bias, at) + total, of_bias, at)
            k.put(k.everywhere(of_weight, at) + product, of_weight, at)
            return [all_d + total * share, all_products + product * share]

        mean_d, mean_product = (t / count for t in _channels_of(k, group, each, places, sums, none, none))

        def channel(c: Value, begin: Index) -> None:
            share = factor(c)

            def finish(i: Value, m: Any) -> None:
                y = (k.load(x, w.add(begin, i), m) - mean) * scale
                given = k.load(d, w.add(begin, i), m) * share
                k.store(((given - y * mean_product) - mean_d) * scale, out, w.add(begin, i), m)

            k.each(places, finish)

        _channels_of(k, group, each, places, channel)


# ---------------------------------------------------------------------------------------------------------------------
# Windows of 2x2


def _doubled(k: Writer, rest: Value, first: bool) -> Value:
    """The mask of one of two vectors of which so many pairs are there."""
    w, pairs = k.w, k.w.add(rest, rest)
    return k.mask(w.min(pairs, k.lanes) if first else w.max(w.sub(pairs, k.lanes), 0))


def _windows(k: Writer, rows: Value, columns: Value, out_rows: Value, out_columns: Value, planes: Value,
             body: Callable[..., None]) -> None:  # fmt: skip
    """`body(two places of the image, place of the result, masks of two vectors, mask)` for vectors of windows."""
    w = k.w
    with k.loop(planes) as plane, k.loop(out_rows) as row:
        top = k.times(w.add(k.times(plane, rows), w.add(row, row)), columns)
        result = k.times(w.add(k.times(plane, out_rows), row), out_columns)
        rest = w.make("and", "i64", 1, (out_columns, k.lanes - 1))

        def vector(i: Value, m: Any) -> None:
            at = w.add(top, w.add(i, i))
            masks = (None, None) if m is None else (_doubled(k, rest, True), _doubled(k, rest, False))
            body((at, w.add(at, columns)), w.add(result, i), masks, m)

        k.each(out_columns, vector)


def _codes(k: Writer, value: int) -> Lanes:
    s = Scalars(k.w, k.lanes)
    return Lanes(s, s.constant(value, "i32"))


@general("FFBnnnnn")
def _max_pool(
    k: Writer, x: Value, out: Value, codes: Value, planes: Value, rows: Value, columns: Value, out_rows: Value,
    out_columns: Value,
) -> None:  # fmt: skip
    """The largest number of each window and its place: the first of equals, the last NaN."""
    w, lanes = k.w, k.lanes
    even, odd = range(0, 2 * lanes, 2), range(1, 2 * lanes, 2)

    def body(tops: tuple[Index, Index], result: Index, masks: tuple[Any, Any], m: Any) -> None:
        best = code = None
        for number, top in enumerate(tops):
            pair = [k.load(x, w.add(top, p * lanes), masks[p]).value for p in (0, 1)]
            for side, order in enumerate((even, odd)):
                found = Lanes(k.vector, w.shuffle(pair[0], pair[1], order))
                if best is None or code is None:
                    best, code = found, _codes(k, 0)
                    continue
                better = found.test("ogt", best) | found.isnan()
                code = pick(better, _codes(k, 2 * number + side), code)
                best = k.larger(found, best)
        assert best is not None and code is not None
        k.store(best, out, result, m)
        place, small = w.at("u8", codes, result), k.vector.convert(code.value, "u8")
        w.store(small, place, 1) if m is None else w.store_where(small, place, 1, m)

    _windows(k, rows, columns, out_rows, out_columns, planes, body)


@general("FBFnnnnn")
def _max_pool_backward(
    k: Writer, d: Value, codes: Value, out: Value, planes: Value, rows: Value, columns: Value, out_rows: Value,
    out_columns: Value,
) -> None:  # fmt: skip
    """Each window's gradient at its place, and 0 at its others; what no window reaches is left alone."""
    w, lanes = k.w, k.lanes
    orders = [[p * lanes // 2 + j // 2 + (j % 2) * lanes for j in range(lanes)] for p in (0, 1)]

    def body(tops: tuple[Index, Index], result: Index, masks: tuple[Any, Any], m: Any) -> None:
        given, place = k.load(d, result, m), w.at("u8", codes, result)
        small = w.load("u8", place, 1, lanes) if m is None else w.load_where("u8", place, 1, m)
        code = Lanes(k.vector, k.vector.convert(small, "i32"))
        for number, top in enumerate(tops):
            sides = [pick(code.same(2 * number + side), given, 0.0).value for side in (0, 1)]
            for p, order in enumerate(orders):
                k.store(Lanes(k.vector, w.shuffle(sides[0], sides[1], order)), out, w.add(top, p * lanes), masks[p])

    _windows(k, rows, columns, out_rows, out_columns, planes, body)
