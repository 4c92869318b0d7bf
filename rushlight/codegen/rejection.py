"""Numbers drawn by rejection, in machine code: Poisson, gamma and binomial, as `core/rejection.py` says.

How many draws a number takes depends on the draws, so these are loops of single doubles.  A `Stream` hands out uniform
numbers of a block that a filling (`mersenne.py`) makes; at the end the engine goes back to where the last block began,
and forward by as many as were taken.  Logarithms and powers are the C library's, as PyTorch's are.

A function takes (state, out, count, first, second, extra): arrays of float64 but for the state; the parameters of each
number stand in `first` and `second`, and `extra` holds the normal number that waits or a table.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from rushlight.core import rejection

from .arithmetic import Scalars
from .drawing import FILL
from .ir import Builder, Function, Index, Loop, Value, When, constant
from .lanes import Lanes, pick

BLOCK = 312  # doubles that a filling makes at a time: all words of the twister
CELLS = 625  # words of a state, with how many of them are used
EVER = 1 << 62
SIGNATURE = {"state": "ptr", "out": "ptr", "count": "i64", "first": "ptr", "second": "ptr", "extra": "ptr"}
LOWEST = -(2.0**63)  # what a number of C is that was infinite
TWO_PI = 2.0 * np.pi

Body = Callable[..., "tuple[Lanes, ...]"]


class Numbers:
    """Writes arithmetic of single doubles; `single` has it rounded to float32 where PyTorch does so."""

    def __init__(self, single: bool) -> None:
        self.w = Builder()
        self.s = Scalars(self.w, 1)
        self.single = single

    def of(self, value: Value) -> Lanes:
        """A value with Python's operators."""
        return Lanes(self.s, value)

    def number(self, value: float) -> Lanes:
        """A constant."""
        return self.of(constant(value, "f64"))

    def truth(self, value: bool) -> Lanes:
        """A constant that is true or false."""
        return self.of(constant(value, "bool"))

    def typed(self, x: Lanes) -> Lanes:
        """Rounded to the type of the parameters."""
        return x.to("f32").to("f64") if self.single else x

    def library(self, name: str, *x: Lanes) -> Lanes:
        """A function of the C library."""
        return self.of(self.w.call(name, "f64", *[v.value for v in x]))

    def load(self, array: Value, index: Index) -> Lanes:
        """A number of an array."""
        return self.of(self.w.load("f64", self.w.at("f64", array, index), 8))

    def store(self, x: Lanes, array: Value, index: Index) -> None:
        """Writes a number into an array."""
        self.w.store(x.value, self.w.at("f64", array, index), 8)

    def when(self, test: Lanes, then: Callable[[], Lanes], other: Callable[[], Lanes]) -> Lanes:
        """What one of two functions makes; only that one runs."""
        branch = When(self.w, test.value)
        with branch:
            here = then()
        with branch.otherwise():
            there = other()
        return self.of(branch.give([here.value], [there.value])[0])

    def until(self, body: Body, *carried: Lanes) -> list[Lanes]:
        """Turns of `body(*carried)` -> (whether it is the last one, *carried); what is carried at the end."""
        first = [constant(False, "bool"), *[c.value for c in carried]]
        loop = Loop(self.w, EVER, carried=first, sure=False, stops=True)
        loop.close([c.value for c in body(*[self.of(c) for c in loop.carried[1:]])])
        return [self.of(r) for r in loop.results[1:]]


class Stream:
    """The uniform numbers of an engine, one after the other."""

    def __init__(self, n: Numbers, state: Value) -> None:
        self.n, self.state = n, state
        self.block = n.w.reserve(8 * BLOCK)
        self.before = n.w.reserve(4 * CELLS)
        self.place = n.w.reserve(8)
        n.w.store(constant(BLOCK, "i64"), self.place, 8)

    def _copy(self, source: Value, to: Value) -> None:
        w = self.n.w
        loop = Loop(w, CELLS)
        w.store(w.load("i32", w.at("i32", source, loop.index), 4), w.at("i32", to, loop.index), 4)
        loop.close()

    def _fill(self, count: Index) -> None:
        numbers = [constant(x, "f64") for x in (0.0, 1.0, 1.0)]
        self.n.w.call(f"{FILL}uniform64", "ptr", self.state, self.block, count, *numbers)

    def double(self) -> Lanes:
        """The next number in [0, 1)."""
        w = self.n.w
        with When(w, w.compare("eq", w.load("i64", self.place, 8), BLOCK)):
            self._copy(self.state, self.before)
            self._fill(BLOCK)
            w.store(constant(0, "i64"), self.place, 8)
        at = w.load("i64", self.place, 8)
        w.store(w.add(at, 1), self.place, 8)
        return self.n.load(self.block, at)

    def finish(self) -> None:
        """Leaves the engine behind the last number that was taken."""
        w = self.n.w
        at = w.load("i64", self.place, 8)
        with When(w, w.compare("ne", at, BLOCK)):
            self._copy(self.before, self.state)
            self._fill(at)


Rule = Callable[[Numbers, Stream, Lanes, Lanes, Value], Lanes]


def _poisson(n: Numbers, stream: Stream, rate: Lanes, _: Lanes, extra: Value) -> Lanes:
    large = lambda: n.when(rate < np.inf, lambda: _poisson_transformed(n, stream, rate), lambda: n.number(LOWEST))  # noqa: E731
    small = lambda: n.when(rate.same(0.0), lambda: n.number(0.0), lambda: _poisson_of_products(n, stream, rate))  # noqa: E731
    return n.when(rate >= 10.0, large, small)


def _poisson_of_products(n: Numbers, stream: Stream, rate: Lanes) -> Lanes:
    """How many uniform numbers can be multiplied before their product is exp(-rate) or less."""
    floor = n.library("exp", -rate)

    def turn(product: Lanes, count: Lanes) -> tuple[Lanes, ...]:
        product = product * stream.double()
        more = product > floor
        return _not(more), product, pick(more, count + 1.0, count)

    return n.until(turn, n.number(1.0), n.number(0.0))[1]


def _not(test: Lanes) -> Lanes:
    return test ^ True


def _proposed(stream: Stream) -> tuple[Lanes, Lanes, Lanes]:
    """A point of the square, and its distance from the nearer side."""
    u = stream.double() - 0.5
    return u, stream.double(), 0.5 - abs(u)


def _poisson_transformed(n: Numbers, stream: Stream, rate: Lanes) -> Lanes:
    log_rate = n.library("log", rate)
    b = n.number(0.931) + rate.sqrt() * 2.53
    a = n.number(-0.059) + b * 0.02483
    inverse_alpha = n.number(1.1239) + 1.1328 / (b - 3.4)
    v_r = 0.9277 - 3.6224 / (b - 2.0)

    def turn(_: Lanes) -> tuple[Lanes, ...]:
        u, v, us = _proposed(stream)
        k = (((a * 2.0) / us + b) * u + rate + 0.43).floor()

        def by_density() -> Lanes:
            density = -rate + k * log_rate - n.library("lgamma", k + 1.0)
            left = n.library("log", v) + n.library("log", inverse_alpha) - n.library("log", a / (us * us) + b)
            return left <= density

        inside = (us >= 0.07) & (v <= v_r)
        outside = us.same(0.0) | (k < 0.0) | ((us < 0.013) & (v > us))
        return n.when(inside | outside, lambda: inside & _not(us.same(0.0)), by_density), k

    return n.until(turn, n.number(0.0))[0]


def _normal(n: Numbers, stream: Stream, waiting: Value) -> Lanes:
    """The next standard normal number; `waiting` holds whether one is there already, and which."""

    def taken() -> Lanes:
        n.store(n.number(0.0), waiting, 0)
        return n.load(waiting, 1)

    def made() -> Lanes:
        angle = stream.double() * TWO_PI
        radius = (n.library("log1p", -stream.double()) * -2.0).sqrt()
        n.store(radius * n.library("sin", angle), waiting, 1)
        n.store(n.number(1.0), waiting, 0)
        return radius * n.library("cos", angle)

    return n.when(n.load(waiting, 0) > 0.0, taken, made)


def _gamma(n: Numbers, stream: Stream, alpha: Lanes, _: Lanes, waiting: Value) -> Lanes:
    small = alpha < 1.0

    def positive() -> Lanes:
        power = lambda: n.library("pow", 1.0 - stream.double(), n.typed(1.0 / alpha))  # noqa: E731
        scale = n.when(small, power, lambda: n.number(1.0))
        return _gamma_by_normals(n, stream, pick(small, n.typed(alpha + 1.0), alpha), scale, waiting)

    return n.when(alpha.same(0.0), lambda: n.number(0.0), positive)


def _gamma_by_normals(n: Numbers, stream: Stream, alpha: Lanes, scale: Lanes, waiting: Value) -> Lanes:
    d = n.typed(alpha - rejection.THIRD)
    c = pick(d > 0.0, 1.0 / (d * 9.0).sqrt(), np.nan)

    def turn(_: Lanes) -> tuple[Lanes, ...]:
        x = _normal(n, stream, waiting)
        y = c * x + 1.0
        v = y * y * y

        def tested() -> Lanes:
            u, xx = 1.0 - stream.double(), x * x
            by_logarithm = lambda: n.library("log", u) < xx * 0.5 + d * (1.0 - v + n.library("log", v))  # noqa: E731
            return n.when(u < 1.0 - xx * rejection.SQUEEZE * xx, lambda: n.truth(True), by_logarithm)

        return n.when(y <= 0.0, lambda: n.truth(False), tested), scale * d * v

    return n.until(turn, n.number(0.0))[0]


def _binomial(n: Numbers, stream: Stream, count: Lanes, prob: Lanes, table: Value) -> Lanes:
    flipped = prob > 0.5
    below = pick(flipped, n.typed(1.0 - prob), prob)

    def drawn() -> Lanes:
        several = lambda: _binomial_transformed(n, stream, count, below, table)  # noqa: E731
        few = lambda: _binomial_of_gaps(n, stream, count, below)  # noqa: E731
        found = n.when(n.typed(count * below) >= 10.0, several, few)
        return pick(flipped, n.typed(count - found), found)

    certain = pick(prob >= 1.0, count, prob)  # NaN stays NaN
    none = (count <= 0.0) | (prob <= 0.0)
    plain = none | (prob >= 1.0) | prob.isnan()
    return n.when(plain, lambda: pick(none, 0.0, certain), drawn)


def _binomial_of_gaps(n: Numbers, stream: Stream, count: Lanes, prob: Lanes) -> Lanes:
    """How many geometric numbers fit into `count`."""
    log_failure = n.typed(n.library("log1p", -prob))

    def turn(total: Lanes, successes: Lanes) -> tuple[Lanes, ...]:
        gap = n.library("log", stream.double()) / log_failure
        total = total + pick(gap < np.inf, -(-gap).floor(), np.inf)
        beyond = total > count
        return beyond, total, pick(beyond, successes, successes + 1.0)

    return n.until(turn, n.number(0.0), n.number(0.0))[1]


def _binomial_transformed(n: Numbers, stream: Stream, count: Lanes, prob: Lanes, table: Value) -> Lanes:
    mean = n.typed(count * prob)
    deviation = n.typed(n.typed(mean * n.typed(1.0 - prob)).sqrt())
    b = deviation * 2.53 + 1.15
    a = b * 0.0248 + -0.0873 + prob * 0.01
    v_r = 0.92 - 4.2 / b
    odds = n.typed(prob / n.typed(1.0 - prob))
    alpha = (5.1 / b + 2.83) * deviation
    mode = n.typed(n.typed(count + 1.0) * prob).floor()

    def turn(_: Lanes) -> tuple[Lanes, ...]:
        u, v, us = _proposed(stream)
        k = n.typed((((a * 2.0) / us + b) * u + (mean + 0.5)).floor())

        def by_ratio() -> Lanes:
            return n.library("log", v * alpha / (a / (us * us) + b)) <= _log_ratio(n, count, k, mode, odds, table)

        inside = (us >= 0.07) & (v <= v_r)
        outside = us.same(0.0) | (k < 0.0) | (k > count)
        return n.when(inside | outside, lambda: inside & _not(outside), by_ratio), k

    return n.until(turn, n.number(0.0))[0]


def _log_ratio(n: Numbers, count: Lanes, k: Lanes, mode: Lanes, odds: Lanes, table: Value) -> Lanes:
    """`core.rejection`'s, in its order of additions."""
    after, last = n.typed(n.typed(count - k) + 1.0), count - mode + 1.0
    return (
        (mode + 0.5) * n.library("log", (mode + 1.0) / (odds * last))
        + n.typed(count + 1.0) * n.library("log", last / after)
        + (k + 0.5) * n.library("log", odds * after / n.typed(k + 1.0))
        + _stirling_tail(n, mode, table)
        + _stirling_tail(n, count - mode, table)
        - _stirling_tail(n, k, table)
        - _stirling_tail(n, n.typed(count - k), table)
    )


def _stirling_tail(n: Numbers, k: Lanes, table: Value) -> Lanes:
    def series() -> Lanes:
        after = k + 1.0
        square = after * after
        return (1.0 / 12 - (1.0 / 360 - 1.0 / 1260 / square) / square) / after

    return n.when(k < float(len(rejection.STIRLING)), lambda: n.load(table, k.whole().value), series)


RULES: dict[str, tuple[Rule, bool]] = {
    "poisson": (_poisson, False), "gamma": (_gamma, False), "gamma_single": (_gamma, True),
    "binomial": (_binomial, False), "binomial_single": (_binomial, True),
}  # fmt: skip


def function(name: str) -> Function:
    """One of the functions; `count` may be 0."""
    rule, single = RULES[name]
    n = Numbers(single)
    w = n.w
    state, out, count, first, second, extra = parameters = [w.parameter(kind, k) for k, kind in SIGNATURE.items()]
    stream = Stream(n, state)
    loop = Loop(w, count, sure=False)
    n.store(rule(n, stream, n.load(first, loop.index), n.load(second, loop.index), extra), out, loop.index)
    loop.close()
    stream.finish()
    w.leave(out)
    return w.function(FILL + name, parameters)
