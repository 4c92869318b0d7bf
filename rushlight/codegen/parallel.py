"""Kernels among the threads: a loop nest with enough work becomes a function of its own that the team runs in parts.

A kernel tells how many independent *units* it falls into and what it costs; `worthwhile` says which are worth the
team (`team.py`), from these figures alone, so that the code does not depend on how many threads there will be, and
neither do the numbers: units never meet.  The function gets what it needs of its caller through a *context*, an array
of pointers and numbers on the caller's stack; `Borrowed` fetches from it whatever the kernel asks for.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from . import verify
from .capture import Symbol
from .ir import FIXED, Builder, Function, Index, Table, Value, constant

KERNEL = 15_000.0  # nanoseconds: what a kernel must cost to be divided
AWAKE = 6_000.0  # the same where the team does not fall asleep: in a loop, or between kernels that are most of it all
MOST = 0.75  # of a function's cost
FUNCTION = 20_000.0  # and all such kernels of one function together: the threads may have to be woken
TABLES = re.compile(r"@(table_\w+)")
SIGNATURE = {"context": "ptr", "thread": "i64", "first": "i64", "last": "i64"}  # of a kernel's function


@dataclass
class Place:
    """Where a kernel is written: the function, and what there are the pointers, numbers and the arena."""

    writer: Builder
    pointers: dict[Symbol, Value]
    uniform: dict[Symbol, Value]
    arena: Value
    scratch: Value = constant(0, "ptr")  # memory of this thread alone, aligned to 64 bytes
    alone: bool = False  # whether this is one of the team's threads already
    often: int = 1  # how many times what is written here runs in a run of the program

    def begin(self, base: Symbol | None, offset: int, kind: str) -> Value:
        """The address so many elements behind the beginning of a Symbol's memory; without one, bytes of the arena."""
        memory, kind = (self.arena, "u8") if base is None else (self.pointers[base], kind)
        return self.writer.at(kind, memory, offset)

    def held(self, fields: Sequence[Value]) -> Value:
        """A context: memory on the stack with what a function wants to know."""
        w = self.writer
        memory = w.reserve(8 * len(fields))
        for k, value in enumerate(fields):
            w.store(value, w.at("u8", memory, 8 * k), 8)
        return memory


@dataclass
class Part:
    """The units to do, from `first` to before `last`, as values."""

    first: Index
    last: Index


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
    chosen = _costly(kernels, least)
    together = sum(k.cost for k, c in zip(kernels, chosen, strict=True) if c)
    if turns * together < FUNCTION:
        return [False] * len(chosen)
    return _costly(kernels, min(least, AWAKE)) if together >= MOST * sum(k.cost for k in kernels) else chosen


def _costly(kernels: Sequence[Kernel], least: float) -> list[bool]:
    return [k.units > 1 and k.cost >= least for k in kernels]


class Functions:
    """The functions of a program's kernels, by their text: kernels that do the same elsewhere are one function.

    Attributes:
        cost: estimated nanoseconds that each takes in a run of the program, all its calls together.
        found: told of every function that is there for the first time, and its text.
    """

    def __init__(self, printed: Callable[[Function], str], keep: bool = False) -> None:
        """`printed` is the target's way to print what a function does, without its name.

        With `keep`, a function's instructions are kept when they are printed, for whoever wants to look at them.
        """
        self._printed = printed
        self._made: dict[str, Function] = {}
        self._tables: dict[str, Table] = {}
        self.keep = keep
        self.cost: dict[Function, float] = {}
        self.found: Callable[[Function, str], None] | None = None

    def __len__(self) -> int:
        return len(self._made)

    def add(self, function: Function, cost: float = 0.0) -> Function:
        """The function, or the one there is already that does the same.

        Its name follows from its text, so that it is the same in every program.
        """
        text = self.printed(function)
        known = self._made.setdefault(text, function)
        self.cost[known] = self.cost.get(known, 0.0) + cost
        if known is function:
            function.name = f"kernel_{_digest(text.encode())}"
            if self.found is not None:
                self.found(function, text)
        return known

    def table(self, kind: str, values: np.ndarray) -> Table:
        """Numbers in memory, which functions name."""
        name = f"table_{kind}_{values.size}_{_digest(values.tobytes())}"
        return self._tables.setdefault(name, Table(name, kind, values))

    def tables_in(self, functions: Iterable[tuple[Function, str]]) -> list[Table]:
        """The tables that some functions name."""
        names = {name for _, text in functions for name in TABLES.findall(text)}
        return [self._tables[name] for name in sorted(names)]

    def printed(self, function: Function) -> str:
        """The function in the target's language."""
        if verify.ENABLED:
            verify.function(function)
        text = self._printed(function)
        if not self.keep:
            function.body = []
        return text

    def __iter__(self) -> Iterator[tuple[Function, str]]:
        return ((function, text) for text, function in self._made.items())


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]


def write_kernel(kernel: Kernel, apart: bool, place: Place, functions: Functions, many: bool) -> None:
    """One kernel: run by the team, or where it stands; among many, in a function that others may share."""
    if apart:
        kernel.before(place, apart)
        _apart(kernel, place, functions, True)
        kernel.after(place, apart)
    elif many:
        _apart(kernel, place, functions, False)
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


def _apart(kernel: Kernel, outer: Place, functions: Functions, divided: bool) -> None:
    """The kernel in a function of its own, and the call of it: by the team in parts, else here."""
    body = Builder()
    context, *rest = parameters = [body.parameter(kind, name) for name, kind in SIGNATURE.items()]
    borrowed = Context(body, context)
    nothing = constant(0, "ptr")
    inner = Inside(body, Borrowed(borrowed, outer.pointers), Borrowed(borrowed, outer.uniform), nothing)
    if kernel.scratch and divided:
        inner.scratch = body.reserve(kernel.scratch)
    inner.outer, inner.context = outer, borrowed
    inner.alone, inner.often = divided or outer.alone, outer.often
    if divided:
        kernel.write(inner, Part(*rest[1:]))
    else:
        _alone(kernel, inner)
    body.leave()
    function = functions.add(body.function("", parameters), outer.often * kernel.cost)
    held = outer.held(borrowed.fields)
    outer.writer.do("team" if divided else "kernel", (held, kernel.units) if divided else (held,), function)


class Inside(Place):
    """The inside of a function of its own: what it needs of its caller comes through the context.

    Constant distances are added by the caller, so that kernels that differ in nothing else have one text.
    """

    outer: Place
    context: Context

    def begin(self, base: Symbol | None, offset: int, kind: str) -> Value:
        """The address, computed by the caller."""
        return self.context.fetch(self.outer.begin(base, offset, kind))


class Context:
    """What a function of the team fetches from its caller, each thing once, before its loops."""

    def __init__(self, w: Builder, memory: Value) -> None:
        self.w = w
        self.memory = memory
        self.fields: list[Value] = []
        self._known: dict[Value, Value] = {}

    def fetch(self, outer: Value) -> Value:
        """What the caller knows as `outer`, inside."""
        if outer.op in FIXED:
            return outer
        found = self._known.get(outer)
        if found is None:
            k = len(self.fields)
            self.fields.append(outer)
            at = Value("at", "ptr", 1, (self.memory, 8 * k), "u8", f"%at{k}")
            found = self._known[outer] = Value("load", outer.kind, 1, (at,), (8, None), f"%held{k}")
            self.w.head += [at, found]
        return found


class Borrowed(dict[Symbol, Value]):
    """Values of the caller's, fetched through the context when they are asked for."""

    def __init__(self, context: Context, outer: dict[Symbol, Value]) -> None:
        super().__init__()
        self._context, self._outer = context, outer

    def __missing__(self, x: Symbol) -> Value:
        found = self[x] = self._context.fetch(self._outer[x])
        return found
