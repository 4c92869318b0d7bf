"""The native function of a run: how Python's objects reach the loops and back.

Its arguments are objects: the arena, the input arrays, the numbers, the output arrays.  It is made as a METH_FASTCALL
function (https://docs.python.org/3/c-api/structures.html#c.METH_FASTCALL), so a call costs no marshalling: the address
of an array's elements is read from the array object (NumPy's documented `PyArrayObject_fields`), after its layout has
been compared with the one the loops were written for.  Returns True, or False when a layout differs.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import numpy as np

from .array_layout import C_CONTIGUOUS, DATA, FLAGS, STRIDES
from .capture import Symbol
from .complex import PartOfNumber
from .contexts import Listed, without_unread
from .fuse import Plan, ancestors
from .ir import MEMORY, SIZES, Builder, Loop, Table, Value, When, constant, external
from .loops import Lowered
from .parallel import Functions, Place, write_kernel
from .scan import divide, kernels_of, pointers_in_arena, write_uniform

if TYPE_CHECKING:
    from rushlight.record.spec import Spec

MANY = 32  # kernels from which each is a function of its own, for there are likely to be equal ones; inputs likewise
READERS = {
    "float64": ("f64", "PyFloat_AsDouble"),
    "int64": ("i64", "PyLong_AsLongLong"),
    "bool": ("i32", "PyObject_IsTrue"),
}


def entry_parameters(w: Builder) -> list[Value]:
    """The parameters of a METH_FASTCALL function: the module, the objects, and how many these are."""
    return [w.parameter("ptr", "self"), w.parameter("ptr", "args"), w.parameter("i64", "count")]


class Entry:
    """The text of one run's function, and the slots of its arguments in order (after the arena)."""

    def __init__(
        self, plan: Plan, name: str, vector_bytes: int, functions: Functions, timed: bool = False
    ) -> None:
        self.plan = plan
        self.name = name
        leaves = [x for x in ancestors(plan.roots.values()) if x.kind in ("input", "number")]
        self.arrays: list[int] = [x.data for x in leaves if x.kind == "input"]
        self.numbers: list[int] = [int(x.data) for x in leaves if x.kind == "number"]
        self.outputs = plan.outputs
        self.functions = functions
        self.kernels = kernels_of(plan, vector_bytes, functions)
        self.divided = divide(self.kernels, plan)
        self.clock = np.zeros(len(self.kernels) + 1 if timed else 0, np.int64)  # cycles of each; last, how many runs
        self.writer = Builder()
        self.tables: list[Table] = []
        parameters = entry_parameters(self.writer)
        self.args = parameters[1]
        self._write(leaves)
        self.function = self.writer.function(name, parameters)
        self.body = functions.printed(self.function)

    def _write(self, leaves: list[Symbol]) -> None:
        w = self.writer
        where = {slot: k + 1 for k, slot in enumerate([*self.arrays, *self.numbers, *self.outputs])}
        self._check_all([x for x in leaves if x.kind == "input"], where)
        bases: dict[Value, int] = {}
        pointers = {x: self._data(where[x.data], bases) for x in leaves if x.kind == "input"}
        for x in ancestors(self.plan.roots.values()):
            if x.kind == "table":
                pointers[x] = external(self._table(MEMORY[x.dtype], x.data).name)
        arena = self._data(0, bases)
        for x, buffer in self.plan.buffers.items():
            if buffer.slot is not None:
                pointers[x] = self._data(where[buffer.slot], bases)
        pointers.update(pointers_in_arena(self.plan, w, arena))
        uniform = {x: self._number(x, where[x.data]) for x in leaves if x.kind == "number"}
        if len(self.kernels) <= MANY:
            self._write_kernels(Place(w, pointers, uniform, arena), False)
            return
        place, at = Listed(w, pointers, uniform, arena, bases), len(w.all)
        self._write_kernels(place, True)
        filled = place.fill(self._elements, self.args, self._table)
        w.all[:] = without_unread([*w.all[:at], *filled, *w.all[at:]])

    def _write_kernels(self, place: Place, many: bool) -> None:
        w, pointers = self.writer, place.pointers
        write_uniform(self.plan, place)
        for x, (base, offset) in self.plan.windows.items():
            kind = MEMORY[x.dtype]
            pointers[x] = w.at(kind, w.at(kind, pointers[base], offset), place.uniform[x.args[-1]])
        for k, (kernel, apart) in enumerate(zip(self.kernels, self.divided, strict=True)):
            start = w.make("cycles", "i64", 1, ()) if self.clock.size else None
            write_kernel(kernel, apart, place, self.functions, many)
            self._count(k, start)
            if isinstance(kernel, Lowered):
                self._guard(kernel, pointers)
        self._count(-1, None)
        self._answer("_Py_TrueStruct")

    def _table(self, kind: str, values: np.ndarray) -> Table:
        self.tables.append(self.functions.table(kind, values))
        return self.tables[-1]

    def _count(self, k: int, start: Value | None) -> None:
        """Adds the cycles since `start` to a kernel's, if the function is timed; the last entry counts the runs."""
        if not self.clock.size:
            return
        w = self.writer
        spent = constant(1, "i64") if start is None else w.sub(w.make("cycles", "i64", 1, ()), start)
        place = constant(self.clock[k:].ctypes.data, "ptr")
        w.store(w.add(w.load("i64", place, 8), spent), place, 8)

    def _guard(self, kernel: Lowered, pointers: dict[Symbol, Value]) -> None:
        """Leaves the function where a nest has counted something that it must not meet."""
        for x in kernel.nest.body:
            if x.kind == "guard":
                self._leave_if(self.writer.compare("ne", self.writer.load("i64", pointers[x], 8), 0))

    def _object(self, k: int) -> Value:
        return self._field(self.args, 8 * k, "ptr")

    def _field(self, holder: Value, offset: int, kind: str) -> Value:
        return self.writer.load(kind, self.writer.at("u8", holder, offset), SIZES[kind])

    def _data(self, k: int, bases: dict[Value, int]) -> Value:
        """Where an argument's elements begin; `bases` remembers which one it is."""
        found = self._elements(self._object(k))
        bases[found] = k
        return found

    def _elements(self, array: Value) -> Value:
        return self._field(array, DATA, "ptr")

    def _number(self, x: Symbol, k: int) -> Value:
        kind, reader = READERS[x.dtype.name]
        reader = x.data.reader if isinstance(x.data, PartOfNumber) else reader
        value = self.writer.call(reader, kind, self._object(k))
        return self.writer.compare("ne", value, constant(0, kind)) if x.dtype == bool else value

    def _check_all(self, inputs: list[Symbol], where: dict[int, int]) -> None:
        """Leaves the function, before anything is written, where an array does not lie as its Spec says."""
        specs = self.plan.run.specs
        dense = [where[x.data] for x in inputs if specs[x.data].is_contiguous]
        for x in inputs:
            if not specs[x.data].is_contiguous:
                self._check(self._object(where[x.data]), specs[x.data])
        if len(dense) < MANY:
            for k in dense:
                self._leave_if(self._is_not_dense(self._object(k)))
        else:
            self._check_dense(dense)

    def _check_dense(self, places: list[int]) -> None:
        """The same of many arrays that shall be contiguous, in a loop."""
        w = self.writer
        table = self._table("i64", np.array(places, np.int64))
        loop = Loop(w, len(places), carried=[constant(False, "bool")])
        k = w.load("i64", w.at("i64", external(table.name), loop.index), 8)
        differs = self._is_not_dense(w.load("ptr", w.at("ptr", self.args, k), 8))
        loop.close([w.make("or", "bool", 1, (loop.carried[0], differs))])
        self._leave_if(loop.results[0])

    def _is_not_dense(self, array: Value) -> Value:
        flags, none = self._field(array, FLAGS, "i32"), constant(0, "i32")
        dense = self.writer.make("and", "i32", 1, (flags, constant(C_CONTIGUOUS, "i32")))
        return self.writer.compare("eq", dense, none)

    def _check(self, array: Value, spec: Spec) -> None:
        """The same of an array that shall not be contiguous."""
        w = self.writer
        strides = self._field(array, STRIDES, "ptr")
        known = [(d, stride) for d, (n, stride) in enumerate(zip(spec.shape, spec.byte_strides, strict=True)) if n > 1]
        differ = [w.compare("ne", self._field(strides, 8 * d, "i64"), stride) for d, stride in known]
        if differ:
            self._leave_if(functools.reduce(lambda a, b: w.make("or", "bool", 1, (a, b)), differ))

    def _leave_if(self, differs: Value) -> None:
        with When(self.writer, differs):
            self._answer("_Py_FalseStruct")

    def _answer(self, name: str) -> None:
        value = external(name)
        self.writer.do("call", (value,), "Py_IncRef")
        self.writer.leave(value)
