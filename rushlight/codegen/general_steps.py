"""One step of a recurrent layer behind its matrix product, of any extents: what `ops/recurrent.py` says of gates.

Every array is whole: the step's rows are found by the numbers `t` (of a place), `before` and `after` (of the histories
of states).  `sums` are the old state's part, (N, gates * H).  A place that is negative says that a sample has ended:
its state stays.  Backwards, the gradient that arrives at a state is the sum of two arrays, the last product (`of_h`)
and what went past it (`rest`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import functions as math_of
from .general import Writer, general
from .lanes import Lanes, pick

if TYPE_CHECKING:
    from collections.abc import Callable

    from .ir import Index, Value


def _sigmoid(x: Lanes) -> Lanes:
    return 1.0 / (math_of.exp(-x) + 1.0)


def _slope(gate: Lanes) -> Lanes:
    return (1.0 - gate) * gate


def _samples(
    k: Writer, count: Value, width: Value, t: Value, places: Value, packed: Value,
    body: Callable[[Index, Value, Index, Value, Any, Lanes], None],
) -> None:  # fmt: skip
    """`body(sample, row of it at this place, column, mask, ended)` for vectors of columns of each sample."""
    w = k.w
    with k.loop(count) as n:
        row = w.add(k.times(t, count), n)
        known = w.make("select", "i64", 1, (w.compare("ne", packed, 0), row, w.sub(row, row)))
        away = w.compare("slt", k.position(places, known), 0)
        ended = w.make("and", "bool", 1, (away, w.compare("ne", packed, 0)))
        gone = Lanes(k.vector, k.vector.splat(ended))
        k.each(width, lambda i, m: body(n, row, i, m, gone, None))  # type: ignore[arg-type]


def _parts(k: Writer, array: Value, row: Index, width: Value, i: Value, m: Any, count: int) -> list[Lanes]:
    """Vectors out of each of the `count` parts of a row."""
    start = _plus(k, k.times(k.times(row, width), count), i)
    return [k.load(array, _plus(k, start, k.times(width, p)), m) for p in range(count)]


def _put_parts(k: Writer, parts: list[Lanes], array: Value, row: Index, width: Value, i: Value, m: Any) -> None:
    start = _plus(k, k.times(k.times(row, width), len(parts)), i)
    for p, x in enumerate(parts):
        k.store(x, array, _plus(k, start, k.times(width, p)), m)


def _plus(k: Writer, a: Index, b: Index) -> Index:
    """a + b of indices."""
    return k.w.add(a, b)


def _with_bias(k: Writer, sums: list[Lanes], bias: Value, biased: Lanes, width: Value, i: Value, m: Any) -> list[Lanes]:
    """Sums and their biases, if there are any."""
    found = _parts(k, bias, 0, width, i, m, len(sums))
    return [pick(biased, s + b, s) for s, b in zip(sums, found, strict=True)]


def _of_state(k: Writer, row: Value, count: Value, n: Index, width: Value, i: Value) -> Index:
    """Where a sample's state lies in the history of states."""
    return _plus(k, k.times(_plus(k, k.times(row, count), n), width), i)


def _arriving(
    k: Writer, states: tuple[Value, Value], g: Value, n: Index, row: Index, width: Value, i: Value, m: Any
) -> tuple[Index, Index, Lanes, Lanes]:
    """Where a sample and a row of it lie, what arrives at the state from later turns, and that with what is its own."""
    here, there = _plus(k, k.times(n, width), i), _plus(k, k.times(row, width), i)
    arrived = k.load(states[0], here, m) + k.load(states[1], here, m)
    return here, there, arrived, arrived + k.load(g, there, m)


def _go_on(k: Writer, array: Value, old: Index, new: Index, made: Lanes, gone: Lanes, m: Any) -> None:
    """Writes a new state; where the sample has ended it is the old one."""
    k.store(pick(gone, k.load(array, old, m), made), array, new, m)


@general("FFFFFFFInnnnnnn")
def _lstm(
    k: Writer, x: Value, sums: Value, bias: Value, hs: Value, cs: Value, gates: Value, us: Value, places: Value,
    count: Value, width: Value, t: Value, before: Value, after: Value, has_bias: Value, packed: Value,
) -> None:  # fmt: skip
    w, biased = k.w, k.holds(has_bias)

    def body(n: Index, row: Index, i: Value, m: Any, gone: Lanes, _: Any) -> None:
        of_h = _with_bias(k, _parts(k, sums, n, width, i, m, 4), bias, biased, width, i, m)
        a, b, c, d = (p + q for p, q in zip(_parts(k, x, row, width, i, m, 4), of_h, strict=True))
        a, b, c, d = _sigmoid(a), _sigmoid(b), math_of.tanh(c), _sigmoid(d)
        old, new = (_of_state(k, r, count, n, width, i) for r in (before, after))
        state = b * k.load(cs, old, m) + a * c
        u = math_of.tanh(state)
        _put_parts(k, [a, b, c, d], gates, row, width, i, m)
        k.store(u, us, w.add(k.times(row, width), i), m)
        _go_on(k, cs, old, new, state, gone, m)
        _go_on(k, hs, old, new, d * u, gone, m)

    _samples(k, count, width, t, places, packed, body)


@general("FFFFFFFFInnnnn")
def _lstm_backward(
    k: Writer, of_h: Value, rest: Value, of_c: Value, g: Value, gates: Value, us: Value, cs: Value, sums: Value,
    places: Value, count: Value, width: Value, t: Value, before: Value, packed: Value,
) -> None:  # fmt: skip
    """Writes the gradient of the sums, and those of the old states into `rest` and `of_c`."""
    none = k.constant(0.0)

    def body(n: Index, row: Index, i: Value, m: Any, gone: Lanes, _: Any) -> None:
        here, there, arrived, total = _arriving(k, (of_h, rest), g, n, row, width, i, m)
        a, b, c, d = _parts(k, gates, row, width, i, m, 4)
        u, old = k.load(us, there, m), k.load(of_c, here, m)
        state = k.load(cs, _of_state(k, before, count, n, width, i), m)
        of_state = old + total * d * (1.0 - u * u)
        made = [of_state * c * _slope(a), of_state * state * _slope(b), of_state * a * (1.0 - c * c),
                total * u * _slope(d)]  # fmt: skip
        _put_parts(k, [pick(gone, none, x) for x in made], sums, row, width, i, m)
        k.store(pick(gone, arrived, none), rest, here, m)
        k.store(pick(gone, old, of_state * b), of_c, here, m)

    _samples(k, count, width, t, places, packed, body)


@general("FFFFFFInnnnnnn")
def _gru(
    k: Writer, x: Value, sums: Value, bias: Value, hs: Value, gates: Value, ns: Value, places: Value, count: Value,
    width: Value, t: Value, before: Value, after: Value, has_bias: Value, packed: Value,
) -> None:  # fmt: skip
    w, biased = k.w, k.holds(has_bias)

    def body(n: Index, row: Index, i: Value, m: Any, gone: Lanes, _: Any) -> None:
        r_h, z_h, n_h = _with_bias(k, _parts(k, sums, n, width, i, m, 3), bias, biased, width, i, m)
        r, z, new = _parts(k, x, row, width, i, m, 3)
        r, z = _sigmoid(r + r_h), _sigmoid(z + z_h)
        new = math_of.tanh(new + n_h * r)
        source, target = (_of_state(k, s, count, n, width, i) for s in (before, after))
        old = k.load(hs, source, m)
        _put_parts(k, [r, z, new], gates, row, width, i, m)
        k.store(n_h, ns, w.add(k.times(row, width), i), m)
        _go_on(k, hs, source, target, (old - new) * z + new, gone, m)

    _samples(k, count, width, t, places, packed, body)


@general("FFFFFFFFInnnnn")
def _gru_backward(
    k: Writer, of_h: Value, rest: Value, g: Value, hs: Value, gates: Value, ns: Value, of_x: Value, of_y: Value,
    places: Value, count: Value, width: Value, t: Value, before: Value, packed: Value,
) -> None:  # fmt: skip
    """Writes the gradients of both parts of the sums, and into `rest` what goes past them to the old state."""
    none = k.constant(0.0)

    def body(n: Index, row: Index, i: Value, m: Any, gone: Lanes, _: Any) -> None:
        here, there, arrived, total = _arriving(k, (of_h, rest), g, n, row, width, i, m)
        r, z, new = _parts(k, gates, row, width, i, m, 3)
        h = k.load(hs, _of_state(k, before, count, n, width, i), m)
        to_n = total * (1.0 - z) * (1.0 - new * new)
        to_r, to_z = to_n * k.load(ns, there, m) * _slope(r), total * (h - new) * _slope(z)
        for last, array in ((to_n, of_x), (to_n * r, of_y)):
            _put_parts(k, [pick(gone, none, v) for v in (to_r, to_z, last)], array, row, width, i, m)
        k.store(pick(gone, arrived, total * z), rest, here, m)

    _samples(k, count, width, t, places, packed, body)


@general("FFFFInnnnnnnn")
def _rnn(
    k: Writer, x: Value, sums: Value, bias: Value, hs: Value, places: Value, count: Value, width: Value, t: Value,
    before: Value, after: Value, has_bias: Value, packed: Value, rectified: Value,
) -> None:  # fmt: skip
    """tanh, or ReLU where `rectified`."""
    w, biased, cut = k.w, k.holds(has_bias), k.holds(rectified)

    def body(n: Index, row: Index, i: Value, m: Any, gone: Lanes, _: Any) -> None:
        (of_h,) = _with_bias(k, _parts(k, sums, n, width, i, m, 1), bias, biased, width, i, m)
        total = k.load(x, w.add(k.times(row, width), i), m) + of_h
        made = pick(cut, k.larger(total, k.constant(0.0)), math_of.tanh(total))
        old, new = (_of_state(k, r, count, n, width, i) for r in (before, after))
        _go_on(k, hs, old, new, made, gone, m)

    _samples(k, count, width, t, places, packed, body)


@general("FFFFFInnnnnn")
def _rnn_backward(
    k: Writer, of_h: Value, rest: Value, g: Value, hs: Value, sums: Value, places: Value, count: Value, width: Value,
    t: Value, after: Value, packed: Value, rectified: Value,
) -> None:  # fmt: skip
    cut, none = k.holds(rectified), k.constant(0.0)

    def body(n: Index, row: Index, i: Value, m: Any, gone: Lanes, _: Any) -> None:
        here, there, arrived, total = _arriving(k, (of_h, rest), g, n, row, width, i, m)
        h = k.load(hs, _of_state(k, after, count, n, width, i), m)
        made = pick(cut, pick(h <= 0.0, none, total), total * (1.0 - h * h))
        k.store(pick(gone, none, made), sums, there, m)
        k.store(pick(gone, arrived, none), rest, here, m)

    _samples(k, count, width, t, places, packed, body)
