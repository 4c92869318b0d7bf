"""The native function of a run: how Python's objects reach the loops and back.

Its arguments are objects: the arena, the input arrays, the numbers, the output arrays.  It is made as a METH_FASTCALL
function (https://docs.python.org/3/c-api/structures.html#c.METH_FASTCALL), so a call costs no marshalling: the address
of an array's elements is read from the array object (NumPy's documented `PyArrayObject_fields`), after its layout has
been compared with the one the loops were written for.  Returns True, or False when a layout differs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .capture import Symbol
from .fuse import Plan, ancestors
from .llvm import MEMORY, TYPES, Writer, table_text
from .loops import Lowered
from .parallel import Functions, Place, write_kernel
from .scan import divide, kernels_of, pointers_in_arena, write_uniform

if TYPE_CHECKING:
    from rushlight.record.spec import Spec

DATA, STRIDES, FLAGS = 16, 40, 64  # offsets in PyArrayObject_fields on 64-bit machines
C_CONTIGUOUS = 1
MANY = 32  # kernels from which each is a function of its own: there are likely to be equal ones
READERS = {
    "float64": ("double", "PyFloat_AsDouble"),
    "int64": ("i64", "PyLong_AsLongLong"),
    "bool": ("i32", "PyObject_IsTrue"),
}
DECLARATIONS = """declare double @PyFloat_AsDouble(ptr)
declare i64 @PyLong_AsLongLong(ptr)
declare i32 @PyObject_IsTrue(ptr)
declare void @Py_IncRef(ptr)
declare void @rushlight_team_run(ptr, ptr, i64)
@_Py_TrueStruct = external global i64
@_Py_FalseStruct = external global i64
"""


class Entry:
    """The text of one run's function, and the slots of its arguments in order (after the arena)."""

    def __init__(
        self, plan: Plan, name: str, vector_bytes: int, functions: Functions | None = None, timed: bool = False
    ) -> None:
        self.plan = plan
        self.name = name
        leaves = [x for x in ancestors(plan.roots.values()) if x.kind in ("input", "number")]
        self.arrays: list[int] = [x.data for x in leaves if x.kind == "input"]
        self.numbers: list[int] = [x.data for x in leaves if x.kind == "number"]
        self.outputs = plan.outputs
        self.functions = Functions() if functions is None else functions
        self.kernels = kernels_of(plan, vector_bytes, self.functions)
        self.divided = divide(self.kernels, plan)
        self.clock = np.zeros(len(self.kernels) + 1 if timed else 0, np.int64)  # cycles of each; last, how many runs
        self.writer = Writer()
        self.tables: list[str] = []
        self._write(leaves)

    def _write(self, leaves: list[Symbol]) -> None:
        w = self.writer
        where = {slot: k + 1 for k, slot in enumerate([*self.arrays, *self.numbers, *self.outputs])}
        for x in leaves:
            if x.kind == "input":
                self._check(self._object(where[x.data]), self.plan.run.specs[x.data])
        pointers = {x: self._data(where[x.data]) for x in leaves if x.kind == "input"}
        for x in ancestors(self.plan.roots.values()):
            if x.kind == "table":
                pointers[x] = f"@{self.name}.table{len(self.tables)}"
                self.tables.append(f"{pointers[x]} = private constant {table_text(x)}\n")
        arena = self._data(0)
        for x, buffer in self.plan.buffers.items():
            if buffer.slot is not None:
                pointers[x] = self._data(where[buffer.slot])
        pointers.update(pointers_in_arena(self.plan, w, arena))
        uniform = {x: self._number(x, where[x.data]) for x in leaves if x.kind == "number"}
        place = Place(w, pointers, uniform, arena)
        write_uniform(self.plan, place)
        for x, (base, offset) in self.plan.windows.items():
            kind = MEMORY[x.dtype.name]
            fixed = w.let(f"getelementptr {kind}, ptr {pointers[base]}, i64 {offset}")
            pointers[x] = w.let(f"getelementptr {kind}, ptr {fixed}, i64 {uniform[x.args[-1]]}")
        many = len(self.kernels) > MANY
        for k, (kernel, apart) in enumerate(zip(self.kernels, self.divided, strict=True)):
            start = self._cycles()
            write_kernel(kernel, apart, place, self.functions, many)
            self._count(k, start)
            if isinstance(kernel, Lowered):
                self._guard(kernel, pointers)
        self._count(-1, "0")
        self._answer("_Py_TrueStruct")

    def _cycles(self) -> str:
        """The processor's cycle counter, if the function is to be timed."""
        return self.writer.call("i64", "llvm.readcyclecounter", []) if self.clock.size else "0"

    def _count(self, k: int, start: str) -> None:
        """Adds the cycles since `start` to a kernel's; the last entry counts the runs."""
        if not self.clock.size:
            return
        w, spent = self.writer, "1"
        if k >= 0:
            spent = w.let(f"sub i64 {self._cycles()}, {start}")
        place = f"inttoptr (i64 {self.clock[k:].ctypes.data} to ptr)"
        total = w.let(f"add i64 {w.let(f'load i64, ptr {place}, align 8')}, {spent}")
        w.line(f"store i64 {total}, ptr {place}, align 8")

    def _guard(self, kernel: Lowered, pointers: dict[Symbol, str]) -> None:
        """Leaves the function where a nest has counted something that it must not meet."""
        for x in kernel.nest.body:
            if x.kind == "guard":
                wrong = self.writer.let(f"load i64, ptr {pointers[x]}, align 8")
                self._unless(self.writer.let(f"icmp eq i64 {wrong}, 0"))

    def _object(self, k: int) -> str:
        place = self.writer.let(f"getelementptr ptr, ptr %args, i64 {k}")
        return self.writer.let(f"load ptr, ptr {place}, align 8")

    def _field(self, holder: str, offset: int, kind: str) -> str:
        place = self.writer.let(f"getelementptr i8, ptr {holder}, i64 {offset}")
        return self.writer.let(f"load {kind}, ptr {place}, align {4 if kind == 'i32' else 8}")

    def _data(self, k: int) -> str:
        return self._field(self._object(k), DATA, "ptr")

    def _number(self, x: Symbol, k: int) -> str:
        kind, reader = READERS[x.dtype.name]
        value = self.writer.let(f"call {kind} @{reader}(ptr {self._object(k)})")
        return self.writer.let(f"icmp ne i32 {value}, 0") if TYPES[x.dtype.name] == "i1" else value

    def _check(self, array: str, spec: Spec) -> None:
        """Leaves the function, before anything is written, where an array does not lie as its Spec says."""
        w = self.writer
        if spec.is_contiguous:
            flags = self._field(array, FLAGS, "i32")
            self._unless(w.let(f"icmp ne i32 {w.let(f'and i32 {flags}, {C_CONTIGUOUS}')}, 0"))
            return
        strides = self._field(array, STRIDES, "ptr")
        for d, (n, stride) in enumerate(zip(spec.shape, spec.byte_strides, strict=True)):
            if n > 1:
                self._unless(w.let(f"icmp eq i64 {self._field(strides, 8 * d, 'i64')}, {stride}"))

    def _unless(self, fits: str) -> None:
        w = self.writer
        other, fine = w.label("differs"), w.label("fits")
        w.line(f"br i1 {fits}, label %{fine}, label %{other}")
        w.start(other)
        self._answer("_Py_FalseStruct")
        w.start(fine)

    def _answer(self, value: str) -> None:
        self.writer.line(f"call void @Py_IncRef(ptr @{value})")
        self.writer.line(f"ret ptr @{value}")

    def text(self) -> str:
        """The function in LLVM's language, without those that it calls."""
        body = "\n".join([*self.writer.reserved, *self.writer.lines])
        head = f"define ptr @{self.name}(ptr %self, ptr %args, i64 %count)"
        return f"{''.join(self.tables)}{head} {{\nentry:\n{body}\n}}\n"
