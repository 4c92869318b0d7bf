"""Arithmetic of typed values: what the operation of a Symbol is in the instructions of the loop IR.

The same expression is written with `lanes` = W for the body of the innermost loop, whose last turn works under a mask,
and with 1 where a stride forbids vectors.
"""

from __future__ import annotations

from typing import Any

from .capture import COMPARISONS, NotLowered, Symbol
from .ir import FIXED, FLOATS, TYPES, UNSIGNED, Builder, Index, Value, When, constant
from .processor import processor

FLOAT_CODES = {
    "add": "add", "subtract": "sub", "multiply": "mul", "divide": "div", "true_divide": "div"
}  # fmt: skip
WHOLE_CODES = {"add": "add", "subtract": "sub", "multiply": "mul", "quotient": "div"}
BIT_CODES = {"bitwise_and": "and", "bitwise_or": "or", "bitwise_xor": "xor"}
ROUNDINGS = {"floor", "ceil", "trunc", "rint"}
FLOAT_TESTS = {
    "greater": "ogt", "greater_equal": "oge", "less": "olt", "less_equal": "ole", "equal": "oeq", "not_equal": "une"
}  # fmt: skip
WHOLE_TESTS = {
    "greater": "sgt", "greater_equal": "sge", "less": "slt", "less_equal": "sle", "equal": "eq", "not_equal": "ne"
}  # fmt: skip
BITS = {"u8": 8, "i32": 32, "i64": 64}
HALVES = ("f16", "bf16")


def constant_of(x: Symbol) -> Value:
    """A constant Symbol as a value."""
    return constant(x.data, TYPES[x.dtype])


class Scalars:
    """Arithmetic on vectors of one width: every method writes one operation and returns its result."""

    __slots__ = ("lanes", "writer")

    def __init__(self, writer: Builder, lanes: int) -> None:
        self.writer = writer
        self.lanes = lanes

    def splat(self, value: Index) -> Value:
        """One number in every lane."""
        if value.__class__ is int:
            return constant(value, "i64", self.lanes)
        if self.lanes == 1:
            return value  # type: ignore[no-any-return]
        if value.op in FIXED:
            return Value(value.op, value.kind, self.lanes, (), value.data, "")
        return self.writer.make("splat", value.kind, self.lanes, (value,))

    def constant(self, value: Any, kind: str) -> Value:
        """A constant in every lane."""
        return Value("const", kind, self.lanes, (), value, "")

    def binary(self, code: str, a: Value, b: Value) -> Value:
        """An operation of two values of one type."""
        return self.writer.make(code, a.kind, self.lanes, (a, b))

    def select(self, test: Value, a: Value, b: Value) -> Value:
        """a where test, else b."""
        return self.writer.make("select", a.kind, self.lanes, (test, a, b))

    def compare(self, how: str, a: Value, b: Value) -> Value:
        """A comparison: eq and ne, or lt, le, gt, ge after a letter.

        Of whole numbers s is for signed ones, u for unsigned.  Of floats o says that neither is NaN, u that one may be,
        also before eq and ne; uno is whether one is.
        """
        return self.writer.make("compare", "bool", self.lanes, (a, b), how)

    def unary(self, name: str, a: Value) -> Value:
        """neg, abs, sqrt, a rounding."""
        return self.writer.make(name, a.kind, self.lanes, (a,))

    def fma(self, a: Value, b: Value, c: Value) -> Value:
        """a * b + c, rounded once; of float32 by way of float64 where the processor has no such instruction."""
        if processor().fuses or a.kind != "f32":
            return self.writer.make("fma", a.kind, self.lanes, (a, b, c))
        return self.convert(self.multiply_add(*(self.convert(v, "f64") for v in (a, b, c))), "f32")

    def multiply_add(self, a: Value, b: Value, c: Value) -> Value:
        """a * b + c, rounded once or twice, as is faster."""
        if processor().fuses:
            return self.fma(a, b, c)
        return self.binary("add", self.binary("mul", a, b), c)

    def convert(self, a: Value, to: str) -> Value:
        """The number in another type, as C converts it; the types must differ."""
        return self.writer.make("convert", to, self.lanes, (a,))

    def bitcast(self, a: Value, to: str) -> Value:
        """The same bits as another type of the same size."""
        return self.writer.make("bitcast", to, self.lanes, (a,))

    def evaluate(self, x: Symbol, values: list[Value]) -> Value:
        """The operation of one Symbol on the values of its operands."""
        kind, source = TYPES[x.dtype], values[0].kind
        if x.kind == "cast":
            return self.cast(values[0], kind)
        if x.kind in ("broadcast", "positive", "piece", "guard", "checked"):
            return values[0]
        if x.kind == "where":
            return self.select(*values)
        if x.kind.startswith("logical_"):
            return self.logical(x.kind, [self.cast(v, "bool") for v in values])
        if x.kind in COMPARISONS:
            tests = FLOAT_TESTS if source in FLOATS else WHOLE_TESTS
            how = tests[x.kind].replace("s", "u") if source in UNSIGNED else tests[x.kind]
            return self.compare(how, *values)
        if kind in FLOATS:
            return self.floating(x.kind, values)
        if x.kind == "isnan":
            return self.compare("uno", values[0], values[0]) if source in FLOATS else self.constant(False, "bool")
        return self.whole(x.kind, values)

    def floating(self, name: str, v: list[Value]) -> Value:
        """Arithmetic of floats."""
        if name in FLOAT_CODES:
            return self.binary(FLOAT_CODES[name], *v)
        if name == "fma":
            return self.multiply_add(*v)
        if name == "square":
            return self.binary("mul", v[0], v[0])
        if name == "reciprocal":
            return self.binary("div", self.constant(1, v[0].kind), v[0])
        if name in ("negative", "absolute"):
            return self.unary(name[:3], v[0])
        if name in ("maximum", "minimum"):
            return self.extreme("ogt" if name == "maximum" else "olt", *v)
        if name in ROUNDINGS or name == "sqrt":
            return self.unary(name, v[0])
        if name == "copysign":
            return self.binary(name, *v)
        if name == "fmod":
            return self.binary("rem", *v)
        from . import trigonometry

        return trigonometry.write(self, name, v)

    def library(self, name: str, x: Value, where: Value, otherwise: Value) -> Value:
        """A function of the C library in the lanes chosen by `where`, which are few and rare; elsewhere `otherwise`."""
        w = self.writer
        rare = When(w, w.reduce("or", where) if self.lanes > 1 else where)
        with rare:
            value = x if self.lanes > 1 else w.call(name, "f64", x)
            for k in range(self.lanes if self.lanes > 1 else 0):
                value = w.insert(value, w.call(name, "f64", w.extract(x, k)), k)
            mixed = self.select(where, value, otherwise)
        return rare.give([mixed], [otherwise])[0]

    def extreme(self, how: str, a: Value, b: Value) -> Value:
        """The larger or smaller of two floats; NaN if one is NaN, and b of equals, as the processor has it."""
        better = self.select(self.compare(how, a, b), a, b)
        return self.select(self.compare("uno", a, a), a, better)

    def whole(self, name: str, v: list[Value]) -> Value:
        """Arithmetic of whole numbers."""
        kind = v[0].kind
        if name in BIT_CODES:
            return self.binary(BIT_CODES[name], *v)
        if name == "invert":
            return self.binary("xor", v[0], self.constant(True if kind == "bool" else -1, kind))
        if kind == "bool":
            return self.truth(name, v)
        if name in WHOLE_CODES:
            return self.binary(WHOLE_CODES[name], *v)
        if name in ROUNDINGS:
            return v[0]
        if name in ("left_shift", "right_shift"):
            return self.shifted(name, *v)
        if name == "absolute":
            return v[0] if kind in UNSIGNED else self.binary("max", v[0], self.whole("negative", v))
        if name == "negative":
            return self.binary("sub", self.constant(0, kind), v[0])
        if name == "square":
            return self.binary("mul", v[0], v[0])
        if name in ("maximum", "minimum"):
            return self.binary(name[:3], *v)
        raise NotLowered(f"{name} of whole numbers")

    def truth(self, name: str, v: list[Value]) -> Value:
        """Arithmetic of bools."""
        code = {"add": "or", "maximum": "or", "multiply": "and", "minimum": "and"}.get(name)
        if code is None:
            raise NotLowered(f"{name} of bools")
        return self.binary(code, *v)

    def shifted(self, name: str, a: Value, by: Value) -> Value:
        """Shifts as NumPy makes them: by more than there are bits, nothing but the sign is left."""
        last = self.constant(BITS[a.kind] - 1, a.kind)
        far = self.compare("ugt", by, last)
        some = self.select(far, last, by)
        if name == "right_shift" and a.kind not in UNSIGNED:
            return self.binary("shr", a, some)
        moved = self.binary("shl" if name == "left_shift" else "lshr", a, some)
        return self.select(far, self.constant(0, a.kind), moved)

    def logical(self, name: str, v: list[Value]) -> Value:
        """and, or, not."""
        if name == "logical_not":
            return self.binary("xor", v[0], self.constant(True, "bool"))
        return self.binary(name.removeprefix("logical_"), *v)

    # -- Conversions

    def cast(self, a: Value, to: str) -> Value:
        """The number in another type, as C converts it."""
        source = a.kind
        if source == to:
            return a
        if source in HALVES or to in HALVES:
            return self.half_cast(a, to)
        if to == "bool":
            return self.compare("une" if source in FLOATS else "ne", a, self.constant(0, source))
        if source in FLOATS and to == "u8":
            return self.convert(self.convert(a, "i32"), to)
        return self.convert(a, to)

    def half_cast(self, a: Value, to: str) -> Value:
        """Half precision to or from float32, and by way of it anything else."""
        if a.kind == "f16":
            return self.cast(self.convert(a, "f32"), to)
        if a.kind == "bf16":
            bits = self.convert(self.bitcast(a, "u16"), "i32")
            return self.cast(self.bitcast(self.binary("shl", bits, self.constant(16, "i32")), "f32"), to)
        a = self.to_odd(a) if (a.kind, to) == ("f64", "f16") else self.cast(a, "f32")
        return self.convert(a, "f16") if to == "f16" else self.to_bfloat(a)

    def to_odd(self, a: Value) -> Value:
        """A float64 as a float32 whose last bit says whether anything was cut off: it can be rounded once more."""
        near = self.convert(a, "f32")
        back, bits = self.convert(near, "f64"), self.bitcast(near, "i32")
        beyond = self.compare("ogt", self.unary("abs", back), self.unary("abs", a))
        cut = self.binary("sub", bits, self.convert(beyond, "i32"))
        odd = self.binary("or", cut, self.convert(self.compare("one", back, a), "i32"))
        return self.bitcast(odd, "f32")

    def to_bfloat(self, a: Value) -> Value:
        """The upper half of a float32, rounded to the nearest, halves to even; NaN keeps its sign alone."""
        bits, place = self.bitcast(a, "i32"), self.constant(16, "i32")
        odd = self.binary("and", self.binary("lshr", bits, place), self.constant(1, "i32"))
        near = self.binary("add", bits, self.binary("add", odd, self.constant(0x7FFF, "i32")))
        sign = self.binary("and", bits, self.constant(-0x80000000, "i32"))
        nan = self.binary("or", sign, self.constant(0x7FC00000, "i32"))
        found = self.select(self.compare("uno", a, a), nan, near)
        return self.bitcast(self.convert(self.binary("lshr", found, place), "u16"), "bf16")
