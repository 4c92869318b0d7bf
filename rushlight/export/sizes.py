"""How a number that depends on sizes is computed from the shapes of values: `Sizes` knows those met so far.

A number is one integer for each recording (`Varying`). It is looked for among the dimensions of the arguments and of
values computed before it, then among what little arithmetic programs do with these: a multiple, a quotient rounded
down, a number more or less, a product of two.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations_with_replacement, permutations

from .graph import Value, Varying

Numbers = tuple[int, ...]
MANY = 40  # dimensions that products of two are looked for among


@dataclass(frozen=True)
class Place:
    """A dimension of a value."""

    value: Value
    axis: int


@dataclass(frozen=True)
class Expression:
    """`((product of the dimensions - less) * times + inner) // over + plus`, where `less` is a dimension, too."""

    factors: tuple[Place, ...]
    less: Place | None = None
    times: int = 1
    inner: int = 0
    over: int = 1
    plus: int = 0

    def of(self, number: int) -> int:
        """The number, where the product of the dimensions, without `less`, is this one."""
        return (number * self.times + self.inner) // self.over + self.plus


class Sizes:
    """The dimensions that are known at some point of the program, and what can be computed of them."""

    def __init__(self) -> None:
        self.known: dict[Numbers, Place] = {}
        self.near: Sequence[Value | None] = ()  # the operands at hand: most is computed of their sizes

    def meet(self, value: Value) -> None:
        """From here on the shape of `value` is known."""
        for axis, n in enumerate(value.shape):
            if isinstance(n, Varying):
                self.known.setdefault(n.numbers, Place(value, axis))

    def expression(self, number: Varying) -> Expression | None:
        """How a number is computed, or None."""
        wanted = number.numbers
        if not all(isinstance(n, int) for n in wanted):
            return None
        place = self.known.get(wanted)
        if place is not None:
            return Expression((place,))
        return next(self._candidates(wanted), None)

    def _candidates(self, wanted: Numbers) -> Iterator[Expression]:
        operands = [v for v in self.near if v is not None]
        near = {n.numbers: self.known[n.numbers] for v in operands for n in v.shape
                if isinstance(n, Varying) and n.numbers in self.known}  # fmt: skip
        places = {**near, **self.known}
        for numbers, place in places.items():
            yield from _linear(wanted, numbers, (place,))
        for count in (2, 3, 4):
            yield from _products(wanted, near if count > 2 else dict(list(places.items())[:MANY]), count)
        for (a, p), (b, q) in permutations(list(places.items())[-MANY:], 2):
            yield from _linear(wanted, tuple([m - n for m, n in zip(a, b, strict=True)]), (p,), q)


def _products(wanted: Numbers, places: dict[Numbers, Place], count: int) -> Iterator[Expression]:
    """What can be computed of the product of so many dimensions."""
    for chosen in combinations_with_replacement(places.items(), count):
        product = tuple([math.prod(column) for column in zip(*[n for n, _ in chosen], strict=True)])
        yield from _linear(wanted, product, tuple([p for _, p in chosen]))


def _linear(
    wanted: Numbers, numbers: Numbers, factors: tuple[Place, ...], less: Place | None = None
) -> Iterator[Expression]:  # fmt: skip
    """The wanted numbers as `(n * times + inner) // over + plus`, if they are that."""
    first = next((k for k, n in enumerate(numbers) if n != numbers[0]), None)
    if first is None:
        return
    slope = Fraction(wanted[first] - wanted[0], numbers[first] - numbers[0])
    if not slope:
        return
    times, over = slope.numerator, slope.denominator
    for inner in range(min(over, 64)):
        found = Expression(factors, less, times, inner, over, wanted[0] - (numbers[0] * times + inner) // over)
        if all(found.of(n) == w for n, w in zip(numbers, wanted, strict=True)):
            yield found
