"""Loop nests as LLVM text.

A `Writer` holds the lines of one function.  Values are (type, lanes) pairs of SSA names: the same expression is printed
once with `lanes` = W for the body of the innermost loop, whose last turn works under a mask, and once with 1 where a
stride forbids vectors.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import Any

import numpy as np

from rushlight.core import dtype as dtypes

from .capture import COMPARISONS, NotLowered, Symbol

TYPES = {"float32": "float", "float64": "double", "int64": "i64", "int32": "i32", "uint8": "i8", "bool": "i1",
         "float16": "half", "bfloat16": "i16"}  # fmt: skip
MEMORY = {**TYPES, "bool": "i8"}
UNSIGNED = ("i1", "i8")
SHORT = {"float": "f32", "double": "f64", "half": "f16", **{k: k for k in ("i64", "i32", "i16", "i8", "i1")}}
FLOAT_CODES = {
    "add": "fadd", "subtract": "fsub", "multiply": "fmul", "divide": "fdiv", "true_divide": "fdiv"
}  # fmt: skip
WHOLE_CODES = {"add": "add", "subtract": "sub", "multiply": "mul", "quotient": "sdiv"}
BIT_CODES = {"bitwise_and": "and", "bitwise_or": "or", "bitwise_xor": "xor"}
ROUNDINGS = {"floor", "ceil", "trunc", "rint"}
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
    if kind == "half":
        return f"0xH{np.float16(value).view(np.uint16):04X}"
    if kind == "i16":
        return str(int(np.asarray(value).astype(dtypes.bfloat16.numpy).view(np.uint16)))
    return str(int(value))


def constant(x: Symbol) -> str:
    """A constant Symbol in LLVM's notation."""
    kind = TYPES[x.dtype.name]
    if kind == "i1":
        return "true" if x.data else "false"
    return number(x.data, kind)


def table_text(x: Symbol) -> str:
    """An array of constants, and how it begins in memory."""
    kind = MEMORY[x.dtype.name]
    numbers = ", ".join(f"{kind} {number(v, kind)}" for v in x.data.ravel().tolist())
    return f"[{x.size} x {kind}] [{numbers}], align 64"


class Writer:
    """The lines of one function being written."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.reserved: list[str] = []  # memory on the stack, at the function's very beginning
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

    def reserve(self, nbytes: int) -> str:
        """Memory on the function's stack."""
        made = self.name()
        self.reserved.append(f"  {made} = alloca [{nbytes} x i8], align 64")
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
            return f"splat ({kind} {value})"
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
        if x.kind in ("broadcast", "positive", "piece", "guard", "checked"):
            return values[0]
        if x.kind == "where":
            return self.select(values[0], kind, values[1], values[2])
        if x.kind.startswith("logical_"):
            return self.logical(x.kind, [self.cast(v, TYPES[a.dtype.name], "i1") for v, a in zip(values, x.args)])
        if x.kind in COMPARISONS:
            tests = FLOAT_TESTS if source in ("float", "double") else WHOLE_TESTS
            how = tests[x.kind].replace("s", "u") if source in UNSIGNED else tests[x.kind]
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
            return self.extreme("ogt" if name == "maximum" else "olt", kind, *v)
        if name in ROUNDINGS:
            return self.intrinsic(name, kind, v[0])
        if name == "copysign":
            return self.intrinsic(name, kind, *v)
        if name == "fmod":
            return self.binary("frem", kind, *v)
        from . import trigonometry

        return trigonometry.write(self, name, kind, v)

    def library(self, name: str, x: str, where: str, otherwise: str) -> str:
        """A function of the C library in the lanes chosen by `where`, which are few and rare; elsewhere `otherwise`."""
        w, vector, test = self.writer, wide("double", self.lanes), wide("i1", self.lanes)
        w.declared.add(f"declare double @{name}(double)")
        some = w.call("i1", f"llvm.vector.reduce.or.v{self.lanes}i1", [(test, where)]) if self.lanes > 1 else where
        before, rare, on = w.block, w.label("rare"), w.label("on")
        w.line(f"br i1 {some}, label %{rare}, label %{on}")
        w.start(rare)
        value = x
        for k in range(self.lanes):
            if self.lanes == 1:
                value = w.let(f"call double @{name}(double {x})")
            else:
                one = w.let(f"extractelement {vector} {x}, i32 {k}")
                made = w.let(f"call double @{name}(double {one})")
                value = w.let(f"insertelement {vector} {value}, double {made}, i32 {k}")
        mixed = self.select(where, "double", value, otherwise)
        w.line(f"br label %{on}")
        w.start(on)
        return w.let(f"phi {vector} [{otherwise}, %{before}], [{mixed}, %{rare}]")

    def scale_by_power(self, kind: str, x: str, n: str) -> str:
        """x * 2 ** n in the 64 bytes of an AVX-512 register."""
        vector, letter = wide(kind, self.lanes), "s" if kind == "float" else "d"
        mask = "i16" if kind == "float" else "i8"
        arguments = [(vector, x), (vector, n), (vector, x), (mask, "-1"), ("i32", "4")]  # 4: the usual rounding
        return self.writer.call(vector, f"llvm.x86.avx512.mask.scalef.p{letter}.512", arguments)

    def extreme(self, how: str, kind: str, a: str, b: str) -> str:
        """The larger or smaller of two floats; NaN if one is NaN, and b of equals, as the processor has it."""
        better = self.select(self.compare(how, kind, a, b), kind, a, b)
        return self.select(self.compare("uno", kind, a, a), kind, a, better)

    def whole(self, name: str, kind: str, v: list[str]) -> str:
        """Arithmetic of whole numbers."""
        if name in BIT_CODES:
            return self.binary(BIT_CODES[name], kind, *v)
        if name == "invert":
            return self.binary("xor", kind, v[0], self.splat("true" if kind == "i1" else "-1", kind))
        if kind == "i1":
            return self.truth(name, v)
        if name in WHOLE_CODES:
            return self.binary(WHOLE_CODES[name], kind, *v)
        if name in ROUNDINGS:
            return v[0]
        if name in ("left_shift", "right_shift"):
            return self.shifted(name, kind, *v)
        if name == "absolute":
            return v[0] if kind in UNSIGNED else self.intrinsic("smax", kind, v[0], self.whole("negative", kind, v))
        if name == "negative":
            return self.binary("sub", kind, self.constant(0, kind), v[0])
        if name == "square":
            return self.binary("mul", kind, v[0], v[0])
        if name in ("maximum", "minimum"):
            sign = "u" if kind in UNSIGNED else "s"
            return self.intrinsic(f"{sign}{name[:3]}", kind, *v)
        raise NotLowered(f"{name} of whole numbers")

    def truth(self, name: str, v: list[str]) -> str:
        """Arithmetic of bools."""
        code = {"add": "or", "maximum": "or", "multiply": "and", "minimum": "and"}.get(name)
        if code is None:
            raise NotLowered(f"{name} of bools")
        return self.binary(code, "i1", *v)

    def shifted(self, name: str, kind: str, a: str, by: str) -> str:
        """Shifts as NumPy makes them: by more than there are bits, nothing but the sign is left."""
        last = self.constant({"i8": 7, "i32": 31, "i64": 63}[kind], kind)
        far = self.compare("ugt", kind, by, last)
        if name == "right_shift" and kind not in UNSIGNED:
            return self.binary("ashr", kind, a, self.select(far, kind, last, by))
        moved = self.binary("shl" if name == "left_shift" else "lshr", kind, a, self.select(far, kind, last, by))
        return self.select(far, kind, self.constant(0, kind), moved)

    def logical(self, name: str, v: list[str]) -> str:
        """and, or, not."""
        if name == "logical_not":
            return self.binary("xor", "i1", v[0], self.splat("true", "i1"))
        return self.binary(name.removeprefix("logical_"), "i1", *v)

    def half_cast(self, a: str, source: str, to: str) -> str:
        """Half precision (`i16` holds the bits of a bfloat16) to or from float32, and by way of it anything else."""
        if source == "half":
            return self.cast(self.convert("fpext", a, "half", "float"), "float", to)
        if source == "i16":
            bits = self.binary("shl", "i32", self.convert("zext", a, "i16", "i32"), self.constant(16, "i32"))
            return self.cast(self.convert("bitcast", bits, "i32", "float"), "float", to)
        a = self.to_odd(a) if (source, to) == ("double", "half") else self.cast(a, source, "float")
        return self.convert("fptrunc", a, "float", "half") if to == "half" else self.to_bfloat(a)

    def to_odd(self, a: str) -> str:
        """A float64 as a float32 whose last bit says whether anything was cut off: it can be rounded once more."""
        near = self.convert("fptrunc", a, "double", "float")
        back, bits = self.convert("fpext", near, "float", "double"), self.convert("bitcast", near, "float", "i32")
        sizes = [self.intrinsic("fabs", "double", v) for v in (back, a)]
        beyond = self.compare("ogt", "double", *sizes)
        cut = self.binary("sub", "i32", bits, self.convert("zext", beyond, "i1", "i32"))
        odd = self.binary("or", "i32", cut, self.convert("zext", self.compare("one", "double", back, a), "i1", "i32"))
        return self.convert("bitcast", odd, "i32", "float")

    def to_bfloat(self, a: str) -> str:
        """The upper half of a float32, rounded to the nearest, halves to even; NaN keeps its sign alone."""
        bits, place = self.convert("bitcast", a, "float", "i32"), self.constant(16, "i32")
        odd = self.binary("and", "i32", self.binary("lshr", "i32", bits, place), self.constant(1, "i32"))
        near = self.binary("add", "i32", bits, self.binary("add", "i32", odd, self.constant(0x7FFF, "i32")))
        sign = self.binary("and", "i32", bits, self.constant(-0x80000000, "i32"))
        nan = self.binary("or", "i32", sign, self.constant(0x7FC00000, "i32"))
        found = self.select(self.compare("uno", "float", a, a), "i32", nan, near)
        return self.convert("trunc", self.binary("lshr", "i32", found, place), "i32", "i16")

    def cast(self, a: str, source: str, to: str) -> str:
        """The number in another type, as C converts it."""
        if source == to:
            return a
        if "half" in (source, to) or "i16" in (source, to):
            return self.half_cast(a, source, to)
        floats, sizes = ("float", "double"), {"i1": 1, "i8": 8, "i32": 32, "i64": 64}
        if source in floats and to in floats:
            return self.convert("fpext" if to == "double" else "fptrunc", a, source, to)
        if to == "i1":
            return self.compare("une" if source in floats else "ne", source, a, self.constant(0, source))
        if to in floats:
            return self.convert("uitofp" if source in UNSIGNED else "sitofp", a, source, to)
        if source in floats:
            wider = to if to in ("i32", "i64") else "i32"
            found = self.convert("fptosi", a, source, wider)
            return found if to == wider else self.convert("trunc", found, wider, to)
        if sizes[to] < sizes[source]:
            return self.convert("trunc", a, source, to)
        return self.convert("zext" if source in UNSIGNED else "sext", a, source, to)
