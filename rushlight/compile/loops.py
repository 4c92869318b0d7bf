"""A loop nest as instructions: which order the dimensions run in, and the loops around the arithmetic.

Dimensions that lie behind one another in every array are merged; the one with the smallest strides runs innermost, in
vectors where all its strides are 0 or 1.  The last vector of a row works under a mask.  A reduction over the innermost
dimension is kept in a register; over an outer one, its result is added to in memory.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .capture import NotLowered, Symbol
from .fuse import Nest, Plan
from .llvm import MEMORY, TYPES, Scalars, Writer, number, wide

BLOCK = range(512, 8193)  # a long sum is taken in pieces of about so many terms: its rounding errors stay small
FLOATS = ("float", "double")
IDENTITY: dict[str, tuple[Any, Any]] = {
    "add": (0.0, lambda bits: 0),
    "multiply": (1.0, lambda bits: 1),
    "maximum": (float("-inf"), lambda bits: -(2 ** (bits - 1))),
    "minimum": (float("inf"), lambda bits: 2 ** (bits - 1) - 1),
}


@dataclass
class Access:
    """An array in a nest: where its memory begins, and its strides over the nest's dimensions, in elements."""

    symbol: Symbol
    base: Symbol
    strides: list[int]


def strides_over(shape: tuple[int, ...], own: tuple[int, ...], strides: tuple[int, ...]) -> list[int]:
    """Strides broadcast to the shape of a nest."""
    missing = len(shape) - len(own)
    return [0] * missing + [0 if n == 1 else s for n, s in zip(own, strides, strict=True)]


def reduced_strides(x: Symbol, strides: tuple[int, ...]) -> list[int]:
    """The strides of a reduction's result over its operand's dimensions."""
    _, over = x.data
    ndim = x.args[0].ndim
    if x.ndim == ndim:
        return [0 if d in over else strides[d] for d in range(ndim)]
    left = iter(strides)
    return [0 if d in over else next(left) for d in range(ndim)]


class Lowered:
    """A nest with its accesses, its dimensions merged and in order."""

    def __init__(self, nest: Nest, plan: Plan, vector_bytes: int) -> None:
        self.nest = nest
        inside = set(nest.body)
        self.loads: dict[Symbol, Access] = {}
        for x in nest.body:
            for a in x.args:
                if a in inside or a in plan.uniform or a.kind in ("number", "constant") or a in self.loads:
                    continue
                base, strides = plan.memory(a)
                self.loads[a] = Access(a, base, strides_over(nest.shape, a.shape, strides))
        self.reductions = [x for x in nest.body if x.kind == "reduce"]
        self.stores = {
            x: Access(x, x, strides_over(nest.shape, x.shape, plan.buffers[x].strides))
            for x in nest.stored if x.kind != "reduce"
        }  # fmt: skip
        self.sums = {x: Access(x, x, reduced_strides(x, plan.buffers[x].strides)) for x in self.reductions}
        self.shape = list(nest.shape)
        self._order()
        self._merge()
        self._split()
        self.lanes = self._lanes(vector_bytes)

    @property
    def accesses(self) -> list[Access]:
        """All arrays that the nest touches."""
        return [*self.loads.values(), *self.stores.values(), *self.sums.values()]

    def _order(self) -> None:
        weight = [sum(abs(a.strides[d]) for a in self.accesses) for d in range(len(self.shape))]
        order = sorted((d for d, n in enumerate(self.shape) if n != 1), key=lambda d: -weight[d])
        self.shape = [self.shape[d] for d in order]
        for a in self.accesses:
            a.strides = [a.strides[d] for d in order]

    def _merge(self) -> None:
        d = len(self.shape) - 2
        while d >= 0:
            n = self.shape[d + 1]
            if all(a.strides[d] == a.strides[d + 1] * n for a in self.accesses):
                self.shape[d : d + 2] = [self.shape[d] * n]
                for a in self.accesses:
                    del a.strides[d]
            d -= 1

    def _split(self) -> None:
        if not self.reductions or not self.shape or self.shape[-1] <= BLOCK.stop:
            return
        n = self.shape[-1]
        block = next((b for b in reversed(BLOCK) if n % b == 0), None)
        if block is not None:
            self.shape[-1:] = [n // block, block]
            for a in self.accesses:
                a.strides[-1:] = [a.strides[-1] * block, a.strides[-1]]

    def _lanes(self, vector_bytes: int) -> int:
        if not self.shape or any(a.strides[-1] not in (0, 1) for a in self.accesses):
            return 1
        if any(a.strides[-1] == 0 for a in self.stores.values()):
            return 1
        widths = [x.dtype.itemsize for x in self.nest.body] + [a.symbol.dtype.itemsize for a in self.accesses]
        return vector_bytes // max(widths)


class NestWriter:
    """Writes one nest; `pointers` and `uniform` are names made at the function's beginning."""

    def __init__(self, writer: Writer, low: Lowered, pointers: dict[Symbol, str], uniform: dict[Symbol, str]) -> None:
        self.w = writer
        self.low = low
        self.pointers = pointers
        self.uniform = uniform
        self.offsets: dict[int, str] = {}
        self.held: dict[Symbol, str] = {}  # reductions kept in a register: the name of the running result

    def write(self) -> None:
        """The whole nest, initial values of reductions first."""
        for x, access in self.low.sums.items():
            self._initialise(x, access)
        self.offsets = {id(a): "0" for a in self.low.accesses}
        self._dimension(0)

    def _initialise(self, x: Symbol, access: Access) -> None:
        """Stores the identity in every place of a reduction's result (which is dense)."""
        kind = MEMORY[x.dtype.name]
        with_loop = Loop(self.w, x.size)
        place = self.w.let(f"getelementptr {kind}, ptr {self.pointers[access.base]}, i64 {with_loop.index}")
        self.w.line(f"store {kind} {identity(x)}, ptr {place}, align {x.dtype.itemsize}")
        with_loop.close()

    def _dimension(self, d: int) -> None:
        shape = self.low.shape
        if d >= len(shape) - 1:
            self._innermost(shape[-1] if shape else 1)
            return
        loop, outer = Loop(self.w, shape[d]), dict(self.offsets)
        for a in self.low.accesses:
            if a.strides[d]:
                moved = self.w.let(f"mul i64 {loop.index}, {a.strides[d]}")
                self.offsets[id(a)] = self.w.let(f"add i64 {self.offsets[id(a)]}, {moved}")
        self._dimension(d + 1)
        self.offsets = outer
        loop.close()

    def _innermost(self, n: int) -> None:
        lanes = self.low.lanes
        low = self.low
        held = [x for x in low.reductions if not low.shape or low.sums[x].strides[-1] == 0]
        vector = Scalars(self.w, lanes)
        self.held = {x: vector.splat(identity(x), TYPES[x.dtype.name]) for x in held}
        full, tail = n // lanes, n % lanes
        if full:
            loop = Loop(self.w, full * lanes, lanes, [(wide(TYPES[x.dtype.name], lanes), self.held[x]) for x in held])
            self.held = dict(zip(held, loop.carried, strict=True))
            self._body(vector, loop.index, None)
            loop.close([self.held[x] for x in held])
            self.held = dict(zip(held, loop.results, strict=True))
        if tail:
            mask = "<" + ", ".join(f"i1 {'true' if k < tail else 'false'}" for k in range(lanes)) + ">"
            self._body(vector, str(full * lanes), mask)
        for x in held:
            self._add_held(x, self.held[x], vector)
        self.held = {}

    def _body(self, vector: Scalars, index: str, mask: str | None) -> None:
        names: dict[Symbol, str] = {}
        for x, access in self.low.loads.items():
            names[x] = self._load(vector, access, index, mask)
        for x in self.low.nest.body:
            values = [self._name(vector, a, names) for a in x.args]
            if x.kind == "reduce":
                self._accumulate(vector, x, values[0], index, mask)
                continue
            names[x] = vector.evaluate(x, values)
            if x in self.low.stores:
                self._store(vector, self.low.stores[x], names[x], index, mask)

    def _name(self, vector: Scalars, x: Symbol, names: dict[Symbol, str]) -> str:
        if x not in names:
            kind = TYPES[x.dtype.name]
            value = constant(x) if x.kind == "constant" else self.uniform[x]
            names[x] = vector.splat(value, kind)
        return names[x]

    def _place(self, access: Access, index: str) -> str:
        kind, offset = MEMORY[access.symbol.dtype.name], self.offsets[id(access)]
        stride = access.strides[-1] if access.strides else 0
        if stride:
            moved = index if stride == 1 else self.w.let(f"mul i64 {index}, {stride}")
            offset = self.w.let(f"add i64 {offset}, {moved}")
        return self.w.let(f"getelementptr {kind}, ptr {self.pointers[access.base]}, i64 {offset}")

    def _load(self, vector: Scalars, access: Access, index: str, mask: str | None) -> str:
        x = access.symbol
        kind, place = MEMORY[x.dtype.name], self._place(access, index)
        spread = bool(access.strides) and access.strides[-1] != 0 and vector.lanes > 1
        value = self._read(kind, place, x.dtype.itemsize, vector.lanes if spread else 1, mask)
        if not spread:
            value = vector.splat(value, kind)
        return vector.compare("ne", "i8", value, vector.constant(0, "i8")) if kind == "i8" else value

    def _read(self, kind: str, place: str, align: int, lanes: int, mask: str | None) -> str:
        whole = wide(kind, lanes)
        if lanes == 1 or mask is None:
            return self.w.let(f"load {whole}, ptr {place}, align {align}")
        name = f"llvm.masked.load.v{lanes}{_short(kind)}.p0"
        self.w.declared.add(f"declare {whole} @{name}(ptr, i32, <{lanes} x i1>, {whole})")
        return self.w.let(
            f"call {whole} @{name}(ptr {place}, i32 {align}, <{lanes} x i1> {mask}, {whole} zeroinitializer)"
        )

    def _store(self, vector: Scalars, access: Access, value: str, index: str, mask: str | None) -> None:
        x = access.symbol
        kind, place = MEMORY[x.dtype.name], self._place(access, index)
        if kind == "i8":
            value = vector.convert("zext", value, "i1", "i8")
        self._write(kind, place, x.dtype.itemsize, vector.lanes, value, mask)

    def _write(self, kind: str, place: str, align: int, lanes: int, value: str, mask: str | None) -> None:
        whole = wide(kind, lanes)
        if lanes == 1 or mask is None:
            self.w.line(f"store {whole} {value}, ptr {place}, align {align}")
            return
        name = f"llvm.masked.store.v{lanes}{_short(kind)}.p0"
        self.w.declared.add(f"declare void @{name}({whole}, ptr, i32, <{lanes} x i1>)")
        self.w.line(f"call void @{name}({whole} {value}, ptr {place}, i32 {align}, <{lanes} x i1> {mask})")

    def _accumulate(self, vector: Scalars, x: Symbol, value: str, index: str, mask: str | None) -> None:
        kind = TYPES[x.dtype.name]
        if mask is not None and x in self.held:
            value = self.w.let(
                f"select <{vector.lanes} x i1> {mask}, {wide(kind, vector.lanes)} {value}, "
                f"{wide(kind, vector.lanes)} {vector.splat(identity(x), kind)}"
            )
        if x in self.held:
            self.held[x] = combine(vector, x, self.held[x], value)
            return
        place = self._place(self.low.sums[x], index)
        old = self._read(kind, place, x.dtype.itemsize, vector.lanes, mask)
        self._write(kind, place, x.dtype.itemsize, vector.lanes, combine(vector, x, old, value), mask)

    def _add_held(self, x: Symbol, value: str, vector: Scalars) -> None:
        kind = TYPES[x.dtype.name]
        if vector.lanes > 1:
            value = across(self.w, x, value, vector.lanes)
        access = self.low.sums[x]
        offset = self.offsets[id(access)]
        place = self.w.let(f"getelementptr {kind}, ptr {self.pointers[access.base]}, i64 {offset}")
        old = self._read(kind, place, x.dtype.itemsize, 1, None)
        self._write(kind, place, x.dtype.itemsize, 1, combine(Scalars(self.w, 1), x, old, value), None)


class Loop:
    """A counted loop, with values carried from turn to turn; its body is written between creation and `close`."""

    def __init__(self, w: Writer, end: int, step: int = 1, carried: list[tuple[str, str]] | None = None) -> None:
        self.w, self.end, self.step = w, end, step
        before, self.head, self.latch, self.exit = w.block, w.label("loop"), w.label("next"), w.label("done")
        self.index, self.following = w.name(), w.name()
        self.kinds = [kind for kind, _ in carried or ()]
        self.carried = [w.name() for _ in self.kinds]
        self.results = [w.name() for _ in self.kinds]
        w.line(f"br label %{self.head}")
        w.start(self.head)
        w.line(f"{self.index} = phi i64 [0, %{before}], [{self.following}, %{self.latch}]")
        for (kind, first), now, last in zip(carried or (), self.carried, self.results, strict=True):
            w.line(f"{now} = phi {kind} [{first}, %{before}], [{last}, %{self.latch}]")

    def close(self, carried: list[str] | None = None) -> None:
        """Ends the loop; `carried` are the values at the end of a turn."""
        w = self.w
        before = w.block
        w.line(f"br label %{self.latch}")
        w.start(self.latch)
        for kind, result, value in zip(self.kinds, self.results, carried or (), strict=True):
            w.line(f"{result} = phi {kind} [{value}, %{before}]")
        w.line(f"{self.following} = add i64 {self.index}, {self.step}")
        more = w.let(f"icmp ult i64 {self.following}, {self.end}")
        w.line(f"br i1 {more}, label %{self.head}, label %{self.exit}")
        w.start(self.exit)


def constant(x: Symbol) -> str:
    """A constant Symbol in LLVM's notation."""
    kind = TYPES[x.dtype.name]
    if kind == "i1":
        return "true" if x.data else "false"
    return number(x.data, kind)


def identity(x: Symbol) -> str:
    """What a reduction starts from."""
    kind, (for_floats, for_whole) = TYPES[x.dtype.name], IDENTITY[x.data[0]]
    if kind == "i1":
        raise NotLowered("a reduction of bools")
    return number(for_floats, kind) if kind in FLOATS else str(for_whole(x.dtype.itemsize * 8))


def combine(vector: Scalars, x: Symbol, a: str, b: str) -> str:
    """Two partial results of a reduction in one."""
    kind = TYPES[x.dtype.name]
    arithmetic = vector.floating if kind in FLOATS else vector.whole
    return arithmetic(x.data[0], kind, [a, b])


def across(w: Writer, x: Symbol, value: str, lanes: int) -> str:
    """The reduction of a vector's lanes."""
    kind, name = TYPES[x.dtype.name], x.data[0]
    vector = wide(kind, lanes)
    if kind in FLOATS:
        if name in ("add", "multiply"):
            code, start = ("fadd", -0.0) if name == "add" else ("fmul", 1.0)
            arguments = [(kind, number(start, kind)), (vector, value)]
            return w.call(kind, f"llvm.vector.reduce.{code}.v{lanes}{_short(kind)}", arguments, "reassoc")
        code = "fmaximum" if name == "maximum" else "fminimum"
    else:
        code = {"add": "add", "multiply": "mul", "maximum": "smax", "minimum": "smin"}[name]
    return w.call(kind, f"llvm.vector.reduce.{code}.v{lanes}{_short(kind)}", [(vector, value)])


def _short(kind: str) -> str:
    return {"float": "f32", "double": "f64"}.get(kind, kind)
