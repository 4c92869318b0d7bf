"""The contexts of a long entry's kernels, as a table.

Every kernel of a program with many is a function over a context: pointers and numbers that its caller puts down
(`parallel.py`).  Written out, that is a third of such a program's text, and LLVM takes its time over it though it runs
in a microsecond.  But nearly all of it is one of the arguments' addresses plus a constant.  So the entry has a loop
that fetches the addresses of all arrays, `bases`, and one that goes through a table of (base, distance) and fills in
the contexts of all kernels.  What else they hold, numbers and addresses that depend on numbers, is stored before each
call.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from .capture import Symbol
from .ir import SIZES, Builder, Loop, Table, Value, When, external
from .parallel import Place

TableMaker = Callable[[str, np.ndarray], Table]


class Listed(Place):
    """Where the kernels of a long entry are written.

    Attributes:
        bases: the addresses that the entry knows, and their places among its arguments.
        fields: what all contexts hold, one behind the other.
    """

    def __init__(
        self, w: Builder, pointers: dict[Symbol, Value], uniform: dict[Symbol, Value], arena: Value,
        bases: dict[Value, int],
    ) -> None:  # fmt: skip
        super().__init__(w, pointers, uniform, arena)
        self.bases = bases
        self.fields: list[Value] = []
        self.memory = w.reserve(0)  # as much as it is in the end

    def held(self, fields: Sequence[Value]) -> Value:
        """The context, in its place among all; what the loop does not fill in is stored."""
        w = self.writer
        begin = w.at("u8", self.memory, 8 * len(self.fields))
        for k, value in enumerate(fields):
            if self._origin(value) is None:
                w.store(value, w.at("u8", begin, 8 * k), 8)
        self.fields += fields
        return begin

    def _origin(self, value: Value) -> tuple[int, int] | None:
        """Which argument's memory an address lies in, and how many bytes behind its beginning."""
        distance = 0
        while value not in self.bases:
            if value.op != "at" or value.args[1].__class__ is not int:
                return None
            distance += value.args[1] * SIZES[value.data]
            value = value.args[0]
        return self.bases[value], distance

    def fill(self, data: Callable[[Value], Value], args: Value, tables: TableMaker) -> list[Value]:
        """The loops, which belong before the kernels; `data` is where an object's elements begin."""
        w, origins = self.writer, [self._origin(value) or (0, 0) for value in self.fields]
        self.memory.data = 8 * max(1, len(origins))
        if not origins:
            return []
        rows = [tables("i64", np.array(row, np.int64)) for row in zip(*origins, strict=True)]
        before, w.body = w.body, []
        bases = w.reserve(8 * (1 + max(self.bases.values())))
        for first, last in _ranges(sorted({base for base, _ in origins})):
            loop = Loop(w, last, begin=first)
            object_ = w.load("ptr", w.at("ptr", args, loop.index), 8)
            w.store(data(object_), w.at("ptr", bases, loop.index), 8)
            loop.close()
        loop = Loop(w, len(origins))
        base, distance = (w.load("i64", w.at("i64", external(t.name), loop.index), 8) for t in rows)
        begin = w.load("ptr", w.at("ptr", bases, base), 8)
        w.store(w.at("u8", begin, distance), w.at("ptr", self.memory, loop.index), 8)
        loop.close()
        made, w.body = w.body, before
        return made


def _ranges(numbers: Sequence[int]) -> list[tuple[int, int]]:
    """Rising numbers as ranges of those that follow one another."""
    found: list[tuple[int, int]] = []
    for n in numbers:
        if found and found[-1][1] == n:
            found[-1] = found[-1][0], n + 1
        else:
            found.append((n, n + 1))
    return found


def without_unread(body: list[Value]) -> list[Value]:
    """The instructions but for addresses and loads that none of them reads."""
    read: set[Value] = set()
    kept: list[Value] = []
    for v in reversed(body):
        if v.op not in ("at", "load") or v in read:
            kept.append(v)
            _note(v, read)
    return kept[::-1]


def _note(v: Value, read: set[Value]) -> None:
    """Adds what an instruction reads, and what those inside it do."""
    read.update([a for a in v.args if a.__class__ is Value])
    if isinstance(v, Loop):
        read.update([a for a in v.following if a.__class__ is Value])
    elif isinstance(v, When):
        read.update([a for values in v.values for a in values if a.__class__ is Value])
    else:
        return
    for inner in (v.body,) if isinstance(v, Loop) else (v.body, v.unless):
        for x in inner:
            _note(x, read)
