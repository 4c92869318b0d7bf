"""Kernels among the threads: a loop nest with enough work becomes a function of its own that the team runs in parts.

A kernel tells how many independent *units* it falls into and what it costs; `worthwhile` says which are worth the
team (`team.py`), from these figures alone, so that the code does not depend on how many threads there will be, and
neither do the numbers: units never meet.  The function gets what it needs of its caller through a *context*, an array
of pointers and numbers on the caller's stack; `Borrowed` fetches from it whatever the kernel asks for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from .capture import Symbol
from .llvm import TYPES, Writer
from .team import RUN

KERNEL = 15_000.0  # nanoseconds: what a kernel must cost to be divided
AWAKE = 6_000.0  # the same in a loop, in which the team does not fall asleep
FUNCTION = 20_000.0  # and all such kernels of one function together: the threads may have to be woken
SIGNATURE = "ptr %context, i64 %thread, i64 %first, i64 %last"


@dataclass
class Place:
    """Where a kernel is written: the function, and the names there of pointers, numbers and the arena."""

    writer: Writer
    pointers: dict[Symbol, str]
    uniform: dict[Symbol, str]
    arena: str
    scratch: str = "null"  # memory of this thread alone, aligned to 64 bytes
    alone: bool = False  # whether this is one of the team's threads already

    def begin(self, base: Symbol | None, offset: int, kind: str) -> str:
        """The address so many elements behind the beginning of a Symbol's memory; without one, bytes of the arena."""
        memory, kind = (self.arena, "i8") if base is None else (self.pointers[base], kind)
        return self.writer.let(f"getelementptr {kind}, ptr {memory}, i64 {offset}") if offset else memory


@dataclass
class Part:
    """The units to do, from `first` to before `last`, as SSA names."""

    first: str
    last: str


class Kernel(Protocol):
    """What an entry is made of.

    Attributes:
        units: how many independent pieces it falls into; with 0 or 1 it runs alone.
        cost: estimated nanoseconds on one thread.
        scratch: bytes of memory that each thread needs for itself.
    """

    units: int
    cost: float
    scratch: int

    def before(self, place: Place, divided: bool) -> None:
        """What one thread does first, in the caller."""

    def write(self, place: Place, part: Part | None) -> None:
        """The units of a part, or all of them."""

    def after(self, place: Place, divided: bool) -> None:
        """What one thread does last, in the caller."""


def worthwhile(kernels: Sequence[Kernel], turns: int = 1) -> list[bool]:
    """Which kernels of a function, or of a loop with so many turns, the team shall run."""
    least = KERNEL if turns == 1 else AWAKE
    chosen = [k.units > 1 and k.cost >= least for k in kernels]
    enough = turns * sum(k.cost for k, c in zip(kernels, chosen, strict=True) if c) >= FUNCTION
    return chosen if enough else [False] * len(chosen)


class Functions:
    """The functions of a program's kernels, by their text: kernels that do the same elsewhere are one function."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}

    def __len__(self) -> int:
        return len(self._names)

    def name(self, body: str) -> str:
        """The function with this body."""
        return self._names.setdefault(body, f"kernel{len(self._names)}")

    def copy(self) -> Functions:
        """The same functions, to which others can be added."""
        other = Functions()
        other._names.update(self._names)
        return other

    def text(self) -> str:
        """All of them in LLVM's language."""
        made = [f"define internal void @{name}({SIGNATURE}) {{\nentry:\n{b}\n}}\n" for b, name in self._names.items()]
        return "".join(made)


def write_kernel(kernel: Kernel, apart: bool, place: Place, functions: Functions, many: bool) -> None:
    """One kernel: run by the team, or where it stands; among many, in a function that others may share."""
    if apart:
        kernel.before(place, apart)
        _apart(kernel, place, functions, Part("%first", "%last"))
        kernel.after(place, apart)
    elif many:
        _apart(kernel, place, functions, None)
    else:
        _alone(kernel, place)


def _alone(kernel: Kernel, place: Place) -> None:
    before = place.scratch
    if kernel.scratch:
        place.scratch = place.writer.reserve(kernel.scratch)
    kernel.before(place, False)
    kernel.write(place, None)
    kernel.after(place, False)
    place.scratch = before


def _apart(kernel: Kernel, outer: Place, functions: Functions, part: Part | None) -> None:
    """The kernel in a function of its own, and the call of it: by the team with a part, else here."""
    body, context = Writer(), Context()
    inner = Inside(
        body,
        Borrowed(context, outer.pointers, lambda x: "ptr"),
        Borrowed(context, outer.uniform, lambda x: TYPES[x.dtype.name]),
        "null",
        body.reserve(kernel.scratch) if kernel.scratch and part is not None else "null",
    )
    inner.outer, inner.context = outer, context
    inner.alone = part is not None or outer.alone
    if part is None:
        _alone(kernel, inner)
    else:
        kernel.write(inner, part)
    body.line("ret void")
    w = outer.writer
    w.declared |= body.declared
    held = w.reserve(8 * len(context.fields))
    for k, (kind, value) in enumerate(context.fields):
        w.line(f"store {kind} {value}, ptr {w.let(f'getelementptr i8, ptr {held}, i64 {8 * k}')}, align 8")
    name = functions.name("\n".join([*body.reserved, *context.lines, *body.lines]))
    if part is None:
        w.line(f"call void @{name}(ptr {held}, i64 0, i64 0, i64 0)")
    else:
        w.line(f"call void @{RUN}(ptr @{name}, ptr {held}, i64 {kernel.units})")


class Inside(Place):
    """The inside of a function of its own: what it needs of its caller comes through the context.

    Constant distances are added by the caller, so that kernels that differ in nothing else have one text.
    """

    outer: Place
    context: Context

    def begin(self, base: Symbol | None, offset: int, kind: str) -> str:
        """The address, computed by the caller."""
        return self.context.fetch("ptr", self.outer.begin(base, offset, kind))


class Context:
    """What a function of the team fetches from its caller, each thing once, before its loops."""

    def __init__(self) -> None:
        self.fields: list[tuple[str, str]] = []
        self.lines: list[str] = []
        self._names: dict[tuple[str, str], str] = {}

    def fetch(self, kind: str, outer: str) -> str:
        """The name, inside, of what the caller calls `outer`."""
        if not outer.startswith("%"):
            return outer
        known = self._names.get((kind, outer))
        if known is None:
            k = len(self.fields)
            self.fields.append((kind, outer))
            self.lines.append(f"  %at{k} = getelementptr i8, ptr %context, i64 {8 * k}")
            self.lines.append(f"  %held{k} = load {kind}, ptr %at{k}, align 8")
            known = self._names[kind, outer] = f"%held{k}"
        return known


class Borrowed(dict[Symbol, str]):
    """Names of the caller's, fetched through the context when they are asked for."""

    def __init__(self, context: Context, outer: dict[Symbol, str], kind: Any) -> None:
        super().__init__()
        self._context, self._outer, self._kind = context, outer, kind

    def __missing__(self, x: Symbol) -> str:
        name = self[x] = self._context.fetch(self._kind(x), self._outer[x])
        return name
