"""Loop nests as LLVM text.

A `Writer` holds the lines of one function.  Values are (type, lanes) pairs of SSA names: the same expression is printed
once with `lanes` = W for the body of the innermost loop, whose last turn works under a mask, and once with 1 where a
stride forbids vectors.  Only this module and `functions` know LLVM's language.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import Any

from .capture import COMPARISONS, NotLowered, Symbol

TYPES = {"float32": "float", "float64": "double", "int64": "i64", "int32": "i32", "bool": "i1"}
MEMORY = {**TYPES, "bool": "i8"}
SHORT = {"float": "f32", "double": "f64", "i64": "i64", "i32": "i32", "i8": "i8", "i1": "i1"}
FLOAT_CODES = {
    "add": "fadd", "subtract": "fsub", "multiply": "fmul", "divide": "fdiv", "true_divide": "fdiv"
}  # fmt: skip
WHOLE_CODES = {"add": "add", "subtract": "sub", "multiply": "mul"}
FLOAT_TESTS = {
    "greater": "ogt", "greater_equal": "oge", "less": "olt", "less_equal": "ole", "equal": "oeq", "not_equal": "une"
}  # fmt: skip
WHOLE_TESTS = {
    "greater": "sgt", "greater_equal": "sge", "less": "slt", "less_equal": "sle", "equal": "eq", "not_equal": "ne"
}  # fmt: skip


def number(value: Any, kind: str) -> str:
    """A constant in LLVM's notation."""
    if kind in ("float", "double"):
        value = float(value)
        if kind == "float":
            value = struct.unpack("<f", struct.pack("<f", value))[0] if abs(value) < 3.5e38 else value
        return f"0x{struct.unpack('<Q', struct.pack('<d', value))[0]:016X}"
    return str(int(value))


class Writer:
    """The lines of one function being written."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.declared: set[str] = set()
        self.count = 0
        self.block = "entry"

    def name(self) -> str:
        """A fresh SSA name."""
        self.count += 1
        return f"%v{self.count}"

    def label(self, text: str) -> str:
        """A fresh label."""
        self.count += 1
        return f"{text}{self.count}"

    def line(self, text: str) -> None:
        """One instruction."""
        self.lines.append("  " + text)

    def let(self, text: str) -> str:
        """An instruction with a result; returns the result's name."""
        made = self.name()
        self.line(f"{made} = {text}")
        return made

    def start(self, label: str) -> None:
        """Begins a block."""
        self.lines.append(f"{label}:")
        self.block = label

    def call(self, result: str, intrinsic: str, arguments: Iterable[tuple[str, str]], flags: str = "") -> str:
        """A call of an LLVM intrinsic; declares it."""
        pairs = list(arguments)
        self.declared.add(f"declare {result} @{intrinsic}({', '.join(kind for kind, _ in pairs)})")
        text = f"call {flags} {result} @{intrinsic}({', '.join(f'{kind} {value}' for kind, value in pairs)})"
        return self.let(text)


def wide(kind: str, lanes: int) -> str:
    """The type of `lanes` elements."""
    return kind if lanes == 1 else f"<{lanes} x {kind}>"


def suffix(kind: str, lanes: int) -> str:
    """The same, in an intrinsic's name."""
    return SHORT[kind] if lanes == 1 else f"v{lanes}{SHORT[kind]}"


class Scalars:
    """Arithmetic on vectors of one width: every method writes one operation and returns its name."""

    def __init__(self, writer: Writer, lanes: int) -> None:
        self.writer = writer
        self.lanes = lanes

    def splat(self, value: str, kind: str) -> str:
        """One number in every lane."""
        if self.lanes == 1:
            return value
        if not value.startswith("%"):
            return f"<{', '.join([f'{kind} {value}'] * self.lanes)}>"
        vector, let = wide(kind, self.lanes), self.writer.let
        one = let(f"insertelement {vector} poison, {kind} {value}, i32 0")
        return let(f"shufflevector {vector} {one}, {vector} poison, <{self.lanes} x i32> zeroinitializer")

    def constant(self, value: Any, kind: str) -> str:
        """A constant in every lane."""
        return self.splat(number(value, kind), kind)

    def binary(self, code: str, kind: str, a: str, b: str) -> str:
        """`code a, b`."""
        return self.writer.let(f"{code} {wide(kind, self.lanes)} {a}, {b}")

    def select(self, test: str, kind: str, a: str, b: str) -> str:
        """a where test, else b."""
        vector = wide(kind, self.lanes)
        return self.writer.let(f"select {wide('i1', self.lanes)} {test}, {vector} {a}, {vector} {b}")

    def compare(self, how: str, kind: str, a: str, b: str) -> str:
        """A comparison of floats or whole numbers."""
        code = "fcmp" if kind in ("float", "double") else "icmp"
        return self.binary(f"{code} {how}", kind, a, b)

    def intrinsic(self, name: str, kind: str, *values: str) -> str:
        """`llvm.name` of the values."""
        vector = wide(kind, self.lanes)
        return self.writer.call(vector, f"llvm.{name}.{suffix(kind, self.lanes)}", [(vector, v) for v in values])

    def convert(self, code: str, a: str, source: str, to: str) -> str:
        """A conversion instruction."""
        return self.writer.let(f"{code} {wide(source, self.lanes)} {a} to {wide(to, self.lanes)}")

    def evaluate(self, x: Symbol, values: list[str]) -> str:
        """The operation of one Symbol on the names of its operands."""
        kind, source = TYPES[x.dtype.name], TYPES[x.args[0].dtype.name]
        if x.kind == "cast":
            return self.cast(values[0], source, kind)
        if x.kind in ("broadcast", "positive"):
            return values[0]
        if x.kind == "where":
            return self.select(values[0], kind, values[1], values[2])
        if x.kind.startswith("logical_"):
            return self.logical(x.kind, [self.cast(v, TYPES[a.dtype.name], "i1") for v, a in zip(values, x.args)])
        if x.kind in COMPARISONS:
            tests = FLOAT_TESTS if source in ("float", "double") else WHOLE_TESTS
            how = tests[x.kind].replace("s", "u") if source == "i1" else tests[x.kind]
            return self.compare(how, source, *values)
        if kind in ("float", "double"):
            return self.floating(x.kind, kind, values)
        if x.kind == "isnan":
            return (
                self.compare("uno", source, values[0], values[0])
                if source in ("float", "double")
                else self.splat("false", "i1")
            )
        return self.whole(x.kind, kind, values)

    def floating(self, name: str, kind: str, v: list[str]) -> str:
        """Arithmetic of floats."""
        if name in FLOAT_CODES:
            return self.binary(FLOAT_CODES[name], kind, *v)
        if name == "negative":
            return self.writer.let(f"fneg {wide(kind, self.lanes)} {v[0]}")
        if name == "square":
            return self.binary("fmul", kind, v[0], v[0])
        if name == "reciprocal":
            return self.binary("fdiv", kind, self.constant(1, kind), v[0])
        if name in ("sqrt", "absolute"):
            return self.intrinsic("sqrt" if name == "sqrt" else "fabs", kind, v[0])
        if name in ("maximum", "minimum"):
            return self.intrinsic(name, kind, *v)
        from . import functions

        return functions.FLOAT32[name](self, v[0])

    def whole(self, name: str, kind: str, v: list[str]) -> str:
        """Arithmetic of whole numbers."""
        if kind == "i1":
            raise NotLowered(f"{name} of bools")
        if name in WHOLE_CODES:
            return self.binary(WHOLE_CODES[name], kind, *v)
        if name == "negative":
            return self.binary("sub", kind, self.constant(0, kind), v[0])
        if name == "square":
            return self.binary("mul", kind, v[0], v[0])
        if name in ("maximum", "minimum"):
            return self.intrinsic("smax" if name == "maximum" else "smin", kind, *v)
        raise NotLowered(f"{name} of whole numbers")

    def logical(self, name: str, v: list[str]) -> str:
        """and, or, not."""
        if name == "logical_not":
            return self.binary("xor", "i1", v[0], self.splat("true", "i1"))
        return self.binary(name.removeprefix("logical_"), "i1", *v)

    def cast(self, a: str, source: str, to: str) -> str:
        """The number in another type, as C converts it."""
        floats, sizes = ("float", "double"), {"i1": 1, "i32": 32, "i64": 64}
        if source == to:
            return a
        if source in floats and to in floats:
            return self.convert("fpext" if to == "double" else "fptrunc", a, source, to)
        if to == "i1":
            return self.compare("une" if source in floats else "ne", source, a, self.constant(0, source))
        if to in floats:
            return self.convert("uitofp" if source == "i1" else "sitofp", a, source, to)
        if source in floats:
            raise NotLowered("fractions converted to whole numbers")
        if sizes[to] < sizes[source]:
            return self.convert("trunc", a, source, to)
        return self.convert("zext" if source == "i1" else "sext", a, source, to)
