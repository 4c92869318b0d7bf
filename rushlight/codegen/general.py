"""Machine code for arrays of any extents: what the interpreter calls where NumPy needs several passes.

A compiled program knows the extents of its arrays; a program whose shapes never repeat is not compiled, and its kernels
run in NumPy.  For those that NumPy makes of many calls and temporaries there is one function each here, whose extents
are arguments.  Like all machine code it is written in the loop IR, once for float32 and once for float64:

    general_rows, general_places, general_planes, general_windows, general_steps, general_pointwise, general_spectral,
    general_matrices, general_images
              write the functions, with a `Writer`; `@general` lists them by name and signature
    `text`    prints a group of them, which is compiled once a machine (`routines.py`)
    ops/general.py, and the files beside it
              call them in place of the operations' NumPy kernels, which stay what is right

A function takes Python's objects: contiguous arrays, whole numbers, floats.  It returns False, having written nothing,
where an array does not lie or is not typed as it expects, or where a position is out of range: the kernel then answers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from .arithmetic import Scalars
from .array_layout import ALIGNED, C_CONTIGUOUS, DATA, DTYPE, FLAGS, NUMBER, TYPE
from .entry import entry_parameters
from .imports import ARRAY
from .ir import SIZES, Builder, Function, Index, Loop, Value, When, constant, external
from .lanes import Lanes
from .llvm import Printer

READY = C_CONTIGUOUS | ALIGNED
ELEMENTS = {"I": ("i64", np.int64), "i": ("i32", np.int32), "B": ("u8", np.uint8), "?": ("u8", np.bool_)}
FLOATS = {"f32": np.float32, "f64": np.float64}

Body = Callable[..., "Sequence[Lanes] | None"]
Definition = Callable[..., None]
GROUPS: dict[str, dict[str, tuple[str, Definition]]] = {}  # by group and name: the signature, and what writes the body


def general(signature: str, name: str = "") -> Callable[[Definition], Definition]:
    """Lists a function, under its own name without the first underscore if no other is given, in its module's group.

    The signature has a letter for each argument: F an array of the function's float type, I one of int64, i of int32,
    B of uint8, ? of bool, n a whole number, f a float.
    """

    def note(definition: Definition) -> Definition:
        group = definition.__module__.rpartition("general_")[2]
        GROUPS.setdefault(group, {})[name or definition.__name__.removeprefix("_")] = signature, definition
        return definition

    return note


class Writer:
    """Writes one function for one float type; every method writes something.

    Attributes:
        w: the Builder below it.
        kind: the float type.
        lanes: how many numbers a vector has.
    """

    def __init__(self, kind: str, vector_bytes: int) -> None:
        self.w = Builder()
        self.kind = kind
        self.lanes = vector_bytes // SIZES[kind]
        self.vector = Scalars(self.w, self.lanes)
        self.single = Scalars(self.w, 1)

    def function(self, name: str, signature: str, definition: Definition) -> Function:
        """The function over Python's objects."""
        parameters = entry_parameters(self.w)
        objects = [self.w.load("ptr", self.w.at("ptr", parameters[1], k), 8) for k in range(len(signature))]
        self._check([(o, s) for o, s in zip(objects, signature, strict=True) if s not in "nf"])
        definition(self, *[self._given(o, s) for o, s in zip(objects, signature, strict=True)])
        self.answer(True)
        return self.w.function(name, parameters)

    def _given(self, o: Value, sort: str) -> Any:
        w = self.w
        if sort == "n":
            return w.call("PyLong_AsLongLong", "i64", o)
        if sort == "f":
            number = self.single.cast(w.call("PyFloat_AsDouble", "f64", o), self.kind)
            return Lanes(self.vector, self.vector.splat(number))
        return w.load("ptr", w.at("u8", o, DATA), 8)

    def _check(self, arrays: list[tuple[Value, str]]) -> None:
        w, wrong = self.w, constant(False, "bool")
        arrays_type = w.load("i64", external(ARRAY), 8)
        for o, sort in arrays:
            flags = w.load("i32", w.at("u8", o, FLAGS), 4)
            ready = w.make("and", "i32", 1, (flags, constant(READY, "i32")))
            number = w.load("i32", w.at("u8", w.load("ptr", w.at("u8", o, DTYPE), 8), NUMBER), 4)
            wanted = np.dtype(FLOATS[self.kind] if sort == "F" else ELEMENTS[sort][1]).num
            differ = [w.compare("ne", w.load("i64", w.at("u8", o, TYPE), 8), arrays_type)]
            differ += [w.compare("ne", n, constant(m, "i32")) for n, m in ((ready, READY), (number, wanted))]
            for differs in differ:
                wrong = w.make("or", "bool", 1, (wrong, differs))
        self.refuse(wrong)

    def refuse(self, test: Value) -> None:
        """Leaves the function where a test holds: NumPy's kernel shall answer."""
        with When(self.w, test):
            self.answer(False)

    def answer(self, done: bool) -> None:
        """Leaves the function."""
        value = external("_Py_TrueStruct" if done else "_Py_FalseStruct")
        self.w.do("call", (value,), "Py_IncRef")
        self.w.leave(value)

    # -- Memory

    def times(self, a: Index, b: Index) -> Index:
        """a * b of indices."""
        if a.__class__ is int or b.__class__ is int:
            return self.w.mul(b, a) if a.__class__ is int else self.w.mul(a, b)
        return self.w.make("mul", "i64", 1, (a, b))

    def at(self, array: Value, index: Index, kind: str = "") -> Value:
        """An array from an element on."""
        return self.w.at(kind or self.kind, array, index)

    def load(self, array: Value, index: Index, mask: Value | None = None) -> Lanes:
        """A vector, from an element on."""
        place, size = self.at(array, index), SIZES[self.kind]
        if mask is None:
            return Lanes(self.vector, self.w.load(self.kind, place, size, self.lanes))
        return Lanes(self.vector, self.w.load_where(self.kind, place, size, mask))

    def store(self, x: Lanes, array: Value, index: Index, mask: Value | None = None) -> None:
        """Writes a vector, from an element on."""
        place, size = self.at(array, index), SIZES[self.kind]
        if mask is None:
            self.w.store(x.value, place, size)
        else:
            self.w.store_where(x.value, place, size, mask)

    def number(self, array: Value, index: Index) -> Lanes:
        """One number of an array."""
        return Lanes(self.single, self.w.load(self.kind, self.at(array, index), SIZES[self.kind]))

    def everywhere(self, array: Value, index: Index) -> Lanes:
        """One number of an array in every lane."""
        return Lanes(self.vector, self.vector.splat(self.number(array, index).value))

    def position(self, array: Value, index: Index) -> Value:
        """A whole number of an array."""
        return self.w.load("i64", self.w.at("i64", array, index), 8)

    def put(self, x: Lanes, array: Value, index: Index) -> None:
        """Writes one number: that of the first lane."""
        value = x.value if x.s.lanes == 1 else self.w.extract(x.value, 0)
        self.w.store(value, self.at(array, index), SIZES[self.kind])

    def constant(self, value: float) -> Lanes:
        """A number in every lane."""
        return Lanes(self.vector, self.vector.constant(value, self.kind))

    def count(self, n: Value) -> Lanes:
        """A whole number as a float, in every lane."""
        return Lanes(self.vector, self.vector.splat(self.single.cast(n, self.kind)))

    def holds(self, n: Value) -> Lanes:
        """Whether a whole number is not 0, in every lane."""
        return Lanes(self.vector, self.vector.splat(self.w.compare("ne", n, 0)))

    # -- Loops

    @contextmanager
    def loop(self, end: Index, begin: Index = 0) -> Iterator[Value]:
        """A loop over whole numbers, perhaps none."""
        loop = Loop(self.w, end, begin=begin, sure=False)
        yield loop.index
        loop.close()

    def mask(self, count: Value) -> Value:
        """True in so many of the first lanes."""
        s = Scalars(self.w, self.lanes)
        numbers = constant(tuple(range(self.lanes)), "i32", self.lanes)
        return s.compare("ult", numbers, s.splat(self.single.cast(count, "i32")))

    def each(self, count: Index, body: Body, *carried: Lanes) -> list[Lanes]:
        """A loop over so many elements, a vector at a time: `body(first element, mask, *carried)` -> carried.

        The mask is None while vectors are whole; the rest, fewer than a vector, goes by a mask that is not empty.
        """
        w = self.w
        rest = w.make("and", "i64", 1, (count, self.lanes - 1))
        loop = Loop(w, w.sub(count, rest), self.lanes, [c.value for c in carried], sure=False)
        new = body(loop.index, None, *self._of(loop.carried))
        loop.close([c.value for c in new or ()])
        last = When(w, w.compare("ne", rest, 0))
        with last:
            new = body(w.sub(count, rest), self.mask(rest), *self._of(loop.results))
        return self._of(last.give([c.value for c in new or ()], loop.results))

    def turns(self, end: Index, body: Body, *carried: Lanes) -> list[Lanes]:
        """A loop over whole numbers that carries values: `body(index, *carried)` -> carried."""
        loop = Loop(self.w, end, carried=[c.value for c in carried], sure=False)
        new = body(loop.index, *[Lanes(c.s, v) for c, v in zip(carried, loop.carried, strict=True)])
        loop.close([c.value for c in new or ()])
        return [Lanes(c.s, v) for c, v in zip(carried, loop.results, strict=True)]

    def _of(self, values: Sequence[Value]) -> list[Lanes]:
        return [Lanes(self.vector, v) for v in values]

    def _joined(self, x: Lanes, join: Callable[[Lanes, Lanes], Lanes]) -> Lanes:
        half = self.lanes // 2
        while half:
            other = self.w.shuffle(x.value, None, [k ^ half for k in range(self.lanes)])
            x = join(x, Lanes(self.vector, other))
            half //= 2
        return x

    def total(self, x: Lanes) -> Lanes:
        """The sum of all lanes, in every lane."""
        return self._joined(x, lambda a, b: a + b)

    def top(self, x: Lanes) -> Lanes:
        """The largest of all lanes, in every lane."""
        return self._joined(x, self.larger)

    def larger(self, a: Lanes, b: Lanes) -> Lanes:
        """The larger of two; NaN if one is."""
        return Lanes(self.vector, self.vector.extreme("ogt", a.value, b.value))

    def where(self, mask: Value | None, x: Lanes, other: float) -> Lanes:
        """x in the lanes of a mask, and another number beside it."""
        if mask is None:
            return x
        return Lanes(self.vector, self.vector.select(mask, x.value, self.constant(other).value))


# ---------------------------------------------------------------------------------------------------------------------
# Modules


def definitions(group: str) -> dict[str, tuple[str, Definition]]:
    """The functions of a group."""
    from importlib import import_module

    import_module(f"{__package__}.general_{group}")
    import_module("rushlight.optim.adam")  # its step is one of them
    return GROUPS[group]


def functions(group: str, vector_bytes: int) -> list[Function]:
    """A group's functions, each for both float types."""
    return [
        Writer(kind, vector_bytes).function(f"{name}_{kind}", signature, definition)
        for name, (signature, definition) in definitions(group).items()
        for kind in FLOATS
    ]


def text(group: str, vector_bytes: int) -> str:
    """A group in LLVM's language."""
    printer = Printer()
    program = printer.program((), (), [(f, printer.body(f)) for f in functions(group, vector_bytes)])
    return f"@{ARRAY} = external global i64\n{program}"
