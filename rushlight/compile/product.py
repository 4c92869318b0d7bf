"""A product of two small matrices.

A tile of C, ROWS by one or two vectors, stays in registers while k runs; the last columns work under a mask.  The right
factor is copied first where its rows are not dense, so that every load of it is a vector.
"""

from __future__ import annotations

from .capture import NotLowered, Symbol
from .fuse import Nest, Plan
from .llvm import Scalars, Writer
from .loops import Loop

ROWS = 6  # rows of C in registers: enough independent sums to hide the latency of a multiplication


class Product:
    """C = A @ B, with its sizes and strides."""

    def __init__(self, nest: Nest, plan: Plan, vector_bytes: int) -> None:
        (self.symbol,) = nest.body
        self.a, self.b = self.symbol.args
        (self.m, self.k), self.n = self.a.shape, self.b.shape[1]
        self.a_base, self.a_strides = plan.memory(self.a)
        self.b_base, self.b_strides = plan.memory(self.b)
        if any(x.kind in ("number", "constant") for x in (self.a_base, self.b_base)):
            raise NotLowered("a product of numbers")
        self.c_strides = plan.buffers[self.symbol].strides
        if self.n > 1 and self.c_strides[1] != 1:
            raise NotLowered("a product laid out by columns")
        self.lanes = vector_bytes // 4 if self.n > 1 else 1
        self.packed: int | None = None
        if self.n > 1 and self.b_strides[1] != 1:
            self.packed = plan.arena
            plan.arena += -(-self.k * self.n * 4 // 64) * 64

    def write(self, w: Writer, pointers: dict[Symbol, str], arena: str) -> None:
        """The copy of B, if one is needed, and the loops."""
        self.w, self.vector = w, Scalars(w, self.lanes)
        self.pa, self.pb, self.pc = pointers[self.a_base], pointers[self.b_base], pointers[self.symbol]
        self.row_of_b = self.b_strides[0]
        if self.packed is not None:
            self._pack(arena)
        full = self.m // ROWS
        if full:
            loop = Loop(w, full)
            self._rows(w.let(f"mul i64 {loop.index}, {ROWS}"), ROWS)
            loop.close()
        if self.m % ROWS:
            self._rows(str(full * ROWS), self.m % ROWS)

    def _pack(self, arena: str) -> None:
        w = self.w
        copy = w.let(f"getelementptr i8, ptr {arena}, i64 {self.packed}")
        columns = Loop(w, self.n)
        rows = Loop(w, self.k)
        value = self._float(self.pb, (rows.index, self.b_strides[0]), (columns.index, self.b_strides[1]))
        w.line(f"store float {value}, ptr {self._at(copy, (rows.index, self.n), (columns.index, 1))}, align 4")
        rows.close()
        columns.close()
        self.pb, self.row_of_b = copy, self.n

    def _at(self, base: str, *steps: tuple[str, int]) -> str:
        """base + the sum of index * stride."""
        w, place = self.w, base
        for index, stride in steps:
            moved = index if stride == 1 else w.let(f"mul i64 {index}, {stride}")
            place = w.let(f"getelementptr float, ptr {place}, i64 {moved}")
        return place

    def _float(self, base: str, *steps: tuple[str, int]) -> str:
        return self.w.let(f"load float, ptr {self._at(base, *steps)}, align 4")

    def _rows(self, first: str, rows: int) -> None:
        """`rows` rows of C from row `first` on."""
        full = self.n // self.lanes
        if full:
            loop = Loop(self.w, full * self.lanes, self.lanes)
            self._tile(first, rows, loop.index, None)
            loop.close()
        tail = self.n % self.lanes
        if tail:
            mask = "<" + ", ".join(f"i1 {'true' if k < tail else 'false'}" for k in range(self.lanes)) + ">"
            self._tile(first, rows, str(full * self.lanes), mask)

    def _tile(self, first: str, rows: int, column: str, mask: str | None) -> None:
        w, vector = self.w, self.vector
        kind = "float" if self.lanes == 1 else f"<{self.lanes} x float>"
        a = [self._at(self.pa, (w.let(f"add i64 {first}, {r}"), self.a_strides[0])) for r in range(rows)]
        b = self._at(self.pb, (column, 1))
        zero = vector.constant(0.0, "float")
        loop = Loop(w, self.k, 1, [(kind, zero)] * rows)
        right = self._vector(kind, self._at(b, (loop.index, self.row_of_b)), mask)
        sums = []
        for r in range(rows):
            left = vector.splat(self._float(a[r], (loop.index, self.a_strides[1])), "float")
            sums.append(vector.intrinsic("fma", "float", left, right, loop.carried[r]))
        loop.close(sums)
        for r in range(rows):
            place = self._at(self.pc, (w.let(f"add i64 {first}, {r}"), self.c_strides[0]), (column, 1))
            self._keep(kind, place, loop.results[r], mask)

    def _vector(self, kind: str, place: str, mask: str | None) -> str:
        if mask is None:
            return self.w.let(f"load {kind}, ptr {place}, align 4")
        name = f"llvm.masked.load.v{self.lanes}f32.p0"
        self.w.declared.add(f"declare {kind} @{name}(ptr, i32, <{self.lanes} x i1>, {kind})")
        lanes = f"<{self.lanes} x i1> {mask}"
        return self.w.let(f"call {kind} @{name}(ptr {place}, i32 4, {lanes}, {kind} zeroinitializer)")

    def _keep(self, kind: str, place: str, value: str, mask: str | None) -> None:
        if mask is None:
            self.w.line(f"store {kind} {value}, ptr {place}, align 4")
            return
        name = f"llvm.masked.store.v{self.lanes}f32.p0"
        self.w.declared.add(f"declare void @{name}({kind}, ptr, i32, <{self.lanes} x i1>)")
        self.w.line(f"call void @{name}({kind} {value}, ptr {place}, i32 4, <{self.lanes} x i1> {mask})")
