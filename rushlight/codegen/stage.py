"""What the parts of a contraction have in common: independent units, addresses, loads and stores of its dtype."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

from .arithmetic import Scalars
from .capture import Symbol
from .ir import TYPES, Index, Value
from .parallel import Part, Place

NANOSECONDS = 0.3  # of a cycle


@dataclass
class Origin:
    """Where an array begins: in the memory of a stored Symbol, or (no Symbol) at so many bytes in the arena."""

    base: Symbol | None
    offset: int

    def pointer(self, place: Place, kind: str) -> Value:
        """Its address."""
        return place.begin(self.base, self.offset, kind)


class Stage(ABC):
    """Part of a contraction, in independent units.

    Attributes:
        units: how many.
        cost: estimated nanoseconds of all of them on one thread.
        moved: bytes read and written, of Stages that only move.
        what: the Stage in a word, for `explain`.
    """

    units = 1
    moved = 0
    cost = 0.0
    scratch = 0
    what = ""

    def __init__(self, symbol: Symbol, lanes: int) -> None:
        self.symbol = symbol
        self.kind = TYPES[symbol.dtype]
        self.itemsize = symbol.dtype.itemsize
        self.lanes = lanes

    def before(self, place: Place, divided: bool) -> None:  # noqa: B027 - nothing to do is what a Stage does here
        """Nothing."""

    def write(self, place: Place, part: Part | None) -> None:
        """The code of the units of a part, or of all."""
        self.w, self.vector = place.writer, Scalars(place.writer, self.lanes)
        first, last = (0, self.units) if part is None else (part.first, part.last)
        self._write(place, first, last)

    def after(self, place: Place, divided: bool) -> None:  # noqa: B027
        """Nothing."""

    @abstractmethod
    def _write(self, place: Place, first: Index, last: Index) -> None:
        """The code of the units from `first` to before `last`."""

    def _move(self, place: Value, *steps: tuple[Index, int], kind: str = "") -> Value:
        """place + the sum of index * stride."""
        w, kind = self.w, kind or self.kind
        for index, stride in steps:
            if stride:
                place = w.at(kind, place, w.mul(index, stride))
        return place

    def _load(self, place: Value, lanes: int, first: int | None = None) -> Value:
        return self.w.load(self.kind, place, self.itemsize, lanes, first)

    def _store(self, value: Value, place: Value, first: int | None = None) -> None:
        self.w.store(value, place, self.itemsize, first)


def pieces_of(extent: int, size: int) -> list[tuple[int, int, int]]:
    """(size, where the first begins, how many); the last one, of what is left, on its own if it is smaller."""
    full, rest = divmod(extent, size)
    return [(size, 0, full)] * (full > 0) + [(rest, full * size, 1)] * (rest > 0)
