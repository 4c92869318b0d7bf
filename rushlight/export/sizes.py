"""How a number that depends on sizes is computed from the shapes of values: `Sizes` knows those met so far.

A number is one integer for each recording (`Varying`). It is looked for among the dimensions of the arguments and of
values computed before it, then among what little arithmetic programs do with these: a multiple, a quotient rounded
down, a number more or less, a product of two.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations_with_replacement

from .graph import Value, Varying

Numbers = tuple[int, ...]


@dataclass(frozen=True)
class Place:
    """A dimension of a value."""

    value: Value
    axis: int


@dataclass(frozen=True)
class Expression:
    """`(product of the dimensions * times) // over + plus`."""

    factors: tuple[Place, ...]
    times: int = 1
    over: int = 1
    plus: int = 0

    def of(self, dims: list[int]) -> int:
        """The number, where the dimensions are these."""
        product = self.times
        for n in dims:
            product *= n
        return product // self.over + self.plus


class Sizes:
    """The dimensions that are known at some point of the program, and what can be computed of them."""

    def __init__(self) -> None:
        self.known: dict[Numbers, Place] = {}

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
        for numbers, place in self.known.items():
            yield from _linear(wanted, numbers, (place,))
        for (a, p), (b, q) in combinations_with_replacement(list(self.known.items())[:40], 2):
            yield from _linear(wanted, tuple([m * n for m, n in zip(a, b, strict=True)]), (p, q))


def _linear(wanted: Numbers, numbers: Numbers, factors: tuple[Place, ...]) -> Iterator[Expression]:
    """The wanted numbers as `n * times // over + plus`, if they are that."""
    first = next((k for k, n in enumerate(numbers) if n != numbers[0]), None)
    if first is None:
        return
    slope = Fraction(wanted[first] - wanted[0], numbers[first] - numbers[0])
    if not slope:
        return
    start = wanted[0] - numbers[0] * slope.numerator // slope.denominator
    found = Expression(factors, slope.numerator, slope.denominator, start)
    if all(found.of([n]) == w for n, w in zip(numbers, wanted, strict=True)):
        yield found
