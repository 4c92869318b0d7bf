"""What the parts of a contraction have in common: independent units, addresses, loads and stores of its dtype."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

from .capture import Symbol
from .llvm import TYPES, Scalars, Writer
from .memory import load, store
from .parallel import Part, Place

NANOSECONDS = 0.3  # of a cycle


@dataclass
class Origin:
    """Where an array begins: in the memory of a stored Symbol, or (no Symbol) at so many bytes in the arena."""

    base: Symbol | None
    offset: int

    def pointer(self, place: Place, kind: str) -> str:
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
        self.kind = TYPES[symbol.dtype.name]
        self.itemsize = symbol.dtype.itemsize
        self.lanes = lanes

    def before(self, place: Place, divided: bool) -> None:  # noqa: B027 - nothing to do is what a Stage does here
        """Nothing."""

    def write(self, place: Place, part: Part | None) -> None:
        """The code of the units of a part, or of all."""
        self.w, self.vector = place.writer, Scalars(place.writer, self.lanes)
        first, last = ("0", str(self.units)) if part is None else (part.first, part.last)
        self._write(place, first, last)

    def after(self, place: Place, divided: bool) -> None:  # noqa: B027
        """Nothing."""

    @abstractmethod
    def _write(self, place: Place, first: str, last: str) -> None:
        """The code of the units from `first` to before `last`."""

    def _move(self, place: str, *steps: tuple[str, int], kind: str = "") -> str:
        """place + the sum of index * stride."""
        w = self.w
        for index, stride in steps:
            if stride == 0 or index == "0":
                continue
            moved = str(int(index) * stride) if index.isdigit() else index
            if stride != 1 and not index.isdigit():
                moved = w.let(f"mul i64 {index}, {stride}")
            place = w.let(f"getelementptr {kind or self.kind}, ptr {place}, i64 {moved}")
        return place

    def _load(self, place: str, lanes: int, mask: str | None = None) -> str:
        return load(self.w, self.kind, place, self.itemsize, lanes, mask)

    def _store(self, value: str, place: str, lanes: int, mask: str | None = None) -> None:
        store(self.w, self.kind, place, self.itemsize, lanes, value, mask)


class Span:
    """A loop from `first` up to `last`, which may be no turn at all."""

    def __init__(self, w: Writer, first: str, last: str) -> None:
        self.w = w
        before = w.block
        self.head, self.latch, self.exit = w.label("span"), w.label("next"), w.label("done")
        body, self.index, self.following = w.label("turn"), w.name(), w.name()
        w.line(f"br label %{self.head}")
        w.start(self.head)
        w.line(f"{self.index} = phi i64 [{first}, %{before}], [{self.following}, %{self.latch}]")
        more = w.let(f"icmp slt i64 {self.index}, {last}")
        w.line(f"br i1 {more}, label %{body}, label %{self.exit}")
        w.start(body)

    def close(self) -> None:
        """Ends the loop."""
        w = self.w
        w.line(f"br label %{self.latch}")
        w.start(self.latch)
        w.line(f"{self.following} = add i64 {self.index}, 1")
        w.line(f"br label %{self.head}")
        w.start(self.exit)


def pieces_of(extent: int, size: int) -> list[tuple[int, int, int]]:
    """(size, where the first begins, how many); the last one, of what is left, on its own if it is smaller."""
    full, rest = divmod(extent, size)
    return [(size, 0, full)] * (full > 0) + [(rest, full * size, 1)] * (rest > 0)
