"""The loop IR: what the emitters write and the printers read.

A `Function` is a list of instructions; every instruction is a typed `Value` (an element type and a number of lanes),
which later ones name as their operand.  Control is structured: a `Loop` counts and carries values from turn to turn, a
`When` runs one of two lists of instructions; there are no labels and no jumps.  A `Builder` appends to the list that is
being written, one call an instruction.  An operand may be a Python int, an i64; arithmetic of these is done at once.

`str(function)` is the readable form.  `llvm.py` prints LLVM's language, `interpret.py` runs a function in NumPy,
`verify.py` says what is wrong with one.

    arithmetic   add sub mul div rem  and or xor shl shr lshr  udiv urem (of indices)  min max (of whole numbers)
                 neg abs sqrt floor ceil trunc rint copysign  fma  scale (x times 2 ** n)
                 compare select  convert (as C converts) bitcast
    lanes        splat shuffle insert extract  reduce (all lanes into one number)
    memory       at (an address so many elements on)  load store (all lanes, the first few, or those of a mask)
                 gather  zero  stack
    calls        call (a C function)  kernel  team (a kernel's units on all threads; returns when every one is done:
                 the barrier between kernels)  cycles  return
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from rushlight.core.dtype import bfloat16

FLOATS = ("f32", "f64")
UNSIGNED = ("bool", "u8")
SIZES = {"f64": 8, "f32": 4, "f16": 2, "bf16": 2, "u16": 2, "i64": 8, "i32": 4, "u8": 1, "bool": 1, "ptr": 8}
TYPES = {
    np.dtype(np.float32): "f32", np.dtype(np.float64): "f64", np.dtype(np.int64): "i64", np.dtype(np.int32): "i32",
    np.dtype(np.uint8): "u8", np.dtype(np.bool_): "bool", np.dtype(np.float16): "f16", bfloat16.numpy: "bf16",
}  # fmt: skip
MEMORY = {**TYPES, np.dtype(np.bool_): "u8"}  # a bool in an array is a byte, 0 or 1
FIXED = ("const", "global", "undefined")  # values that are the same everywhere, in every function

Index = Any  # a Value of i64, or an int


class Value:
    """An instruction and its result.

    Attributes:
        op: what it does.
        kind: the element type of the result; empty where there is none.
        lanes: how many elements.
        args: the operands.
        data: what else it needs: a constant's value, the order of a shuffle, an alignment.
        name: unique in its function; empty for what is the same everywhere.
    """

    __slots__ = ("args", "data", "kind", "lanes", "name", "op")

    def __init__(self, op: str, kind: str, lanes: int, args: Sequence[Index], data: Any, name: str) -> None:
        self.op = op
        self.kind = kind
        self.lanes = lanes
        self.args = args
        self.data = data
        self.name = name

    @property
    def type(self) -> str:
        """Element type and lanes in one word."""
        return self.kind if self.lanes == 1 else f"{self.kind}x{self.lanes}"

    def __str__(self) -> str:
        return "\n".join(_lines(self, ""))


def constant(value: Any, kind: str, lanes: int = 1) -> Value:
    """A number in every lane; a tuple has one for each lane."""
    return Value("const", kind, lanes, (), value, "")


def undefined(kind: str, lanes: int) -> Value:
    """Lanes whose numbers nobody looks at."""
    return Value("undefined", kind, lanes, (), None, "")


def external(name: str) -> Value:
    """The address of something that the program is linked with, or of one of its tables."""
    return Value("global", "ptr", 1, (), name, "")


def leading(count: int, lanes: int) -> Value:
    """True in the first `count` lanes."""
    return constant(tuple(k < count for k in range(lanes)), "bool", lanes)


def first_lanes(count: int, lanes: int) -> int | None:
    """How many of the lanes an access is limited to; None where it is all of them."""
    return None if count == lanes else count


class Table:
    """Numbers that are part of the program, in memory."""

    __slots__ = ("kind", "name", "values")

    def __init__(self, name: str, kind: str, values: np.ndarray) -> None:
        self.name = name
        self.kind = kind
        self.values = values


class Function:
    """A function: its parameters and its instructions, memory on the stack first."""

    __slots__ = ("body", "name", "parameters")

    def __init__(self, name: str, parameters: list[Value], body: list[Value]) -> None:
        self.name = name
        self.parameters = parameters
        self.body = body

    def __str__(self) -> str:
        head = ", ".join(f"{p.name}: {p.type}" for p in self.parameters)
        return "\n".join([f"function {self.name}({head}):", *(line for v in self.body for line in _lines(v, "  "))])


class Builder:
    """Writes one function.

    Attributes:
        body: where the next instruction goes.
        stack: memory of the function's own, made at its very beginning.
        head: what is fetched from the caller, before all else.
    """

    __slots__ = ("all", "body", "count", "head", "stack")

    def __init__(self) -> None:
        self.body: list[Value] = []
        self.all = self.body
        self.stack: list[Value] = []
        self.head: list[Value] = []
        self.count = 0

    def parameter(self, kind: str, name: str) -> Value:
        """A parameter of the function."""
        return Value("parameter", kind, 1, (), None, f"%{name}")

    def function(self, name: str, parameters: list[Value]) -> Function:
        """The function, when all is written."""
        body = [*self.stack, *self.head, *self.all]
        self.all = self.body = []  # what still knows this builder shall not keep alive what it has written
        self.stack, self.head = [], []
        return Function(name, parameters, body)

    def name(self) -> str:
        """A fresh name."""
        self.count += 1
        return f"%v{self.count}"

    def make(self, op: str, kind: str, lanes: int, args: Sequence[Index], data: Any = None) -> Value:
        """An instruction with a result."""
        self.count += 1
        made = Value(op, kind, lanes, args, data, f"%v{self.count}")
        self.body.append(made)
        return made

    def do(self, op: str, args: Sequence[Index], data: Any = None) -> None:
        """An instruction without a result."""
        self.body.append(Value(op, "", 1, args, data, ""))

    # -- Indices

    def add(self, a: Index, b: Index) -> Index:
        """a + b of indices."""
        if a.__class__ is int:
            if b.__class__ is int:
                return a + b
            a, b = b, a
        return self.make("add", "i64", 1, (a, b)) if b.__class__ is not int or b else a

    def sub(self, a: Index, b: Index) -> Index:
        """a - b of indices."""
        if b.__class__ is int and (a.__class__ is int or not b):
            return a - b if b else a
        return self.make("sub", "i64", 1, (a, b))

    def mul(self, a: Index, b: int) -> Index:
        """a * b of indices."""
        if b == 1:
            return a
        return a * b if a.__class__ is int else self.make("mul", "i64", 1, (a, b))

    def udiv(self, a: Index, b: int) -> Index:
        """a // b of indices that are not negative."""
        return a // b if a.__class__ is int else self.make("udiv", "i64", 1, (a, b))

    def urem(self, a: Index, b: int) -> Index:
        """a % b of indices that are not negative."""
        return a % b if a.__class__ is int else self.make("urem", "i64", 1, (a, b))

    def min(self, a: Index, b: Index) -> Index:
        """The smaller of two indices."""
        return min(a, b) if a.__class__ is b.__class__ is int else self.make("min", "i64", 1, (a, b))

    def max(self, a: Index, b: Index) -> Index:
        """The larger of two indices."""
        return max(a, b) if a.__class__ is b.__class__ is int else self.make("max", "i64", 1, (a, b))

    def compare(self, how: str, a: Index, b: Index) -> Value:
        """A comparison of two numbers: eq, ne, slt, ult, olt, ... as in `Scalars.compare`."""
        return self.make("compare", "bool", 1, (a, b), how)

    # -- Memory

    def reserve(self, nbytes: int) -> Value:
        """Memory on the function's stack, aligned to 64 bytes."""
        self.count += 1
        made = Value("stack", "ptr", 1, (), nbytes, f"%v{self.count}")
        self.stack.append(made)
        return made

    def at(self, kind: str, base: Value, offset: Index) -> Value:
        """The address so many elements of a type behind another; one for each lane of the offset."""
        if offset.__class__ is int:
            return self.make("at", "ptr", 1, (base, offset), kind) if offset else base
        return self.make("at", "ptr", offset.lanes, (base, offset), kind)

    def load(self, kind: str, place: Value, align: int, lanes: int = 1, first: int | None = None) -> Value:
        """The elements from an address on; only the `first` lanes are read, and the others are 0."""
        self.count += 1
        made = Value("load", kind, lanes, (place,), (align, first if lanes > 1 else None), f"%v{self.count}")
        self.body.append(made)
        return made

    def store(self, value: Value, place: Value, align: int, first: int | None = None) -> None:
        """Writes elements from an address on: all lanes, or the first ones."""
        self.body.append(Value("store", "", 1, (value, place), (align, first if value.lanes > 1 else None), ""))

    def load_where(self, kind: str, place: Value, align: int, mask: Value) -> Value:
        """The elements from an address on that a mask chooses; the others are not read, and 0."""
        return self.make("load", kind, mask.lanes, (place, mask), (align, None))

    def store_where(self, value: Value, place: Value, align: int, mask: Value) -> None:
        """Writes the elements that a mask chooses from an address on."""
        self.do("store", (value, place, mask), (align, None))

    def gather(self, kind: str, places: Value, align: int, first: int | None = None) -> Value:
        """An element from every address; only those of the `first` lanes are read, and the others are 0."""
        return self.make("gather", kind, places.lanes, (places,), (align, first))

    def zero(self, place: Value, nbytes: int) -> None:
        """Fills memory with zeros."""
        self.do("zero", (place,), nbytes)

    def prefetch(self, place: Value) -> None:
        """Asks for memory that will be read soon, into the second cache; it may lie behind an array's end."""
        self.do("prefetch", (place,))

    # -- Lanes

    def shuffle(self, a: Value, b: Value | None, order: Sequence[int]) -> Value:
        """Lanes chosen out of those of a and, behind them, those of b."""
        return self.make("shuffle", a.kind, len(order), (a,) if b is None else (a, b), tuple(order))

    def insert(self, vector: Value, one: Value, k: int) -> Value:
        """The vector with another number in lane k."""
        return self.make("insert", vector.kind, vector.lanes, (vector, one), k)

    def extract(self, vector: Value, k: int) -> Value:
        """The number in lane k."""
        return self.make("extract", vector.kind, 1, (vector,), k)

    def reduce(self, how: str, vector: Value) -> Value:
        """All lanes in one number: add and mul (in any order), max and min of whole numbers, or."""
        return self.make("reduce", vector.kind, 1, (vector,), how)

    # -- Calls

    def call(self, name: str, kind: str, *args: Index) -> Value:
        """A call of a C function that has a result."""
        return self.make("call", kind, 1, args, name)

    def leave(self, value: Value | None = None) -> None:
        """Leaves the function; nothing follows in the same list."""
        self.do("return", () if value is None else (value,))


class Loop(Value):
    """A counted loop, with values carried from turn to turn; its body is written between creation and `close`.

    Attributes:
        args: the first index, the end (an index that is not reached), and the values carried into the first turn.
        data: the step.
        sure: whether there is at least one turn.
        stops: whether the first value carried is a bool that, once it is true, ends the loop.
        index: the index of a turn.
        carried: the values at the beginning of a turn.
        following: the values at its end.
        results: the values after the loop.
    """

    __slots__ = ("_outer", "_w", "body", "carried", "following", "index", "results", "stops", "sure")

    def __init__(
        self,
        w: Builder,
        end: Index,
        step: int = 1,
        carried: Sequence[Value] = (),
        begin: Index = 0,
        sure: bool = True,
        stops: bool = False,
    ) -> None:
        super().__init__("for", "", 1, (begin, end, *carried), step, w.name())
        self.sure = sure
        self.stops = stops
        self.index = Value("index", "i64", 1, (), None, w.name())
        self.carried = [Value("carried", v.kind, v.lanes, (), None, w.name()) for v in carried]
        self.results = [Value("result", v.kind, v.lanes, (), None, w.name()) for v in carried]
        self.following: Sequence[Value] = ()
        self.body: list[Value] = []
        self._w, self._outer = w, w.body
        w.body.append(self)
        w.body = self.body

    def close(self, carried: Sequence[Value] = ()) -> None:
        """Ends the loop; `carried` are the values at the end of a turn."""
        self.following = carried
        self._w.body = self._outer
        self._outer = []


class When(Value):
    """Instructions that run where a test holds, and others where it does not.

        branch = When(w, test)
        with branch:
            ...
        with branch.otherwise():
            ...

    What they make is not used after it, but for `results`: values that `give` names for either way.
    """

    __slots__ = ("_outer", "_w", "body", "results", "unless", "values")

    def __init__(self, w: Builder, test: Value) -> None:
        super().__init__("when", "", 1, (test,), None, w.name())
        self.body: list[Value] = []
        self.unless: list[Value] = []
        self.values: tuple[Sequence[Value], Sequence[Value]] = (), ()
        self.results: list[Value] = []
        self._w, self._outer = w, w.body
        w.body.append(self)

    def __enter__(self) -> None:
        self._w.body = self.body

    def __exit__(self, *failure: object) -> None:
        self._w.body = self._outer

    def otherwise(self) -> Branch:
        """What runs where the test does not hold."""
        return Branch(self._w, self.unless)

    def give(self, here: Sequence[Value], there: Sequence[Value]) -> list[Value]:
        """Values for use after it: `here` where the test holds, else `there`."""
        self.values = here, there
        self.results = [Value("result", v.kind, v.lanes, (), None, self._w.name()) for v in here]
        return self.results


class Branch:
    """Puts what is written meanwhile into one list of a When."""

    __slots__ = ("_body", "_outer", "_w")

    def __init__(self, w: Builder, body: list[Value]) -> None:
        self._w, self._body, self._outer = w, body, w.body

    def __enter__(self) -> None:
        self._w.body = self._body

    def __exit__(self, *failure: object) -> None:
        self._w.body = self._outer


# ---------------------------------------------------------------------------------------------------------------------
# The readable form


def _lines(v: Value, space: str) -> Iterator[str]:
    if isinstance(v, Loop):
        yield from _loop(v, space)
    elif isinstance(v, When):
        yield from _when(v, space)
    else:
        yield space + (f"{v.name}: {v.type} = " if v.kind else "") + _said(v)


def _loop(v: Loop, space: str) -> Iterator[str]:
    begin, end, *first = v.args
    head = f"for {v.index.name} in range({operand(begin)}, {operand(end)}, {v.data}){'' if v.sure else ' perhaps'}"
    if v.stops and v.carried:
        head += f" until {v.carried[0].name}"
    if first:
        head += " carrying " + ", ".join(f"{c.name}: {c.type} = {operand(a)}" for c, a in zip(v.carried, first))
    yield f"{space}{_given(v.results)}{head}:"
    for inner in v.body:
        yield from _lines(inner, space + "  ")
    if first:
        yield f"{space}  carry {', '.join(map(operand, v.following))}"


def _when(v: When, space: str) -> Iterator[str]:
    yield f"{space}{_given(v.results)}when {operand(v.args[0])}:"
    for word, body, values in (("", v.body, v.values[0]), ("else:", v.unless, v.values[1])):
        if word and (body or values):
            yield space + word
        for inner in body:
            yield from _lines(inner, space + "  ")
        if values:
            yield f"{space}  give {', '.join(map(operand, values))}"


def _given(results: list[Value]) -> str:
    return ", ".join(r.name for r in results) + " = " if results else ""


def operand(a: Index) -> str:
    """An operand as an instruction names it."""
    if a.__class__ is int:
        return str(a)
    if a.op == "const":
        return f"{a.data}" if a.kind == "i64" and a.lanes == 1 else f"{a.type}({a.data})"
    if a.op == "undefined":
        return f"{a.type}(undefined)"
    return f"@{a.data}" if a.op == "global" else a.name


def _said(v: Value) -> str:
    names = [operand(a) for a in v.args]
    if v.op == "at":
        return f"at {v.data} {names[0]}[{names[1]}]"
    if v.op in ("load", "gather", "store"):
        align, first = v.data
        rest = f" align {align}" + ("" if first is None else f" first {first}")
        if len(names) > (2 if v.op == "store" else 1):
            rest += f" where {names[-1]}"
        return (f"store {names[0]} to {names[1]}" if v.op == "store" else f"{v.op} {names[0]}") + rest
    if v.op in ("call", "kernel", "team"):
        return f"{v.op} @{v.data if v.op == 'call' else v.data.name}({', '.join(names)})"
    if v.op in ("compare", "reduce"):
        return f"{v.op} {v.data} {', '.join(names)}"
    return f"{v.op} {', '.join(names if v.data is None else [*names, str(v.data)])}".rstrip()
