"""Vector values with Python's operators, for writing functions of floats: each operator writes one instruction.

A `Lanes` is a value of the function being written.  What the vector functions (`functions.py`,
`trigonometry.py`) are made of is here: arithmetic, comparisons, the bits of a float as a whole number and back,
polynomials, and multiplication by powers of two.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from .processor import processor

if TYPE_CHECKING:
    from .arithmetic import Scalars
    from .ir import Value

WHOLE = {"f32": "i32", "f64": "i64"}
FRACTION = {"f32": 23, "f64": 52}  # bits of a float's fraction
BIAS = {"f32": 127, "f64": 1023}


class Lanes:
    """One value in every lane; plain numbers beside it become constants of its type."""

    __slots__ = ("kind", "s", "value")

    def __init__(self, s: Scalars, value: Value) -> None:
        self.s = s
        self.kind = value.kind
        self.value = value

    @property
    def single(self) -> bool:
        """Whether it is of float32."""
        return self.kind == "f32"

    def _of(self, other: Any) -> Value:
        return other.value if isinstance(other, Lanes) else self.s.constant(other, self.kind)

    def _binary(self, code: str, other: Any) -> Lanes:
        return Lanes(self.s, self.s.binary(code, self.value, self._of(other)))

    def constant(self, value: Any) -> Lanes:
        """A number of this type."""
        return Lanes(self.s, self.s.constant(value, self.kind))

    def __add__(self, other: Any) -> Lanes:
        return self._binary("add", other)

    def __sub__(self, other: Any) -> Lanes:
        return self._binary("sub", other)

    def __rsub__(self, other: Any) -> Lanes:
        return self.constant(other) - self

    def __mul__(self, other: Any) -> Lanes:
        return self._binary("mul", other)

    def __truediv__(self, other: Any) -> Lanes:
        return self._binary("div", other)

    def __rtruediv__(self, other: Any) -> Lanes:
        return self.constant(other) / self

    def __and__(self, other: Any) -> Lanes:
        return self._binary("and", other)

    def __or__(self, other: Any) -> Lanes:
        return self._binary("or", other)

    def __xor__(self, other: Any) -> Lanes:
        return self._binary("xor", other)

    def __lshift__(self, other: Any) -> Lanes:
        return self._binary("shl", other)

    def __rshift__(self, other: Any) -> Lanes:
        return self._binary("shr", other)

    def __neg__(self) -> Lanes:
        return self._unary("neg")

    def __abs__(self) -> Lanes:
        return self._unary("abs")

    def _unary(self, name: str) -> Lanes:
        return Lanes(self.s, self.s.unary(name, self.value))

    def fma(self, factor: Any, term: Any) -> Lanes:
        """self * factor + term, rounded once."""
        return Lanes(self.s, self.s.fma(self.value, self._of(factor), self._of(term)))

    def sqrt(self) -> Lanes:
        """The square root."""
        return self._unary("sqrt")

    def floor(self) -> Lanes:
        """Rounded down."""
        return self._unary("floor")

    def rint(self) -> Lanes:
        """Rounded to the nearest whole number, halves to even."""
        return self._unary("rint")

    def trunc(self) -> Lanes:
        """Rounded towards zero."""
        return self._unary("trunc")

    def signed(self, other: Any) -> Lanes:
        """With the sign of another."""
        return self._binary("copysign", other)

    def test(self, how: str, other: Any) -> Lanes:
        """A comparison; `how` as in `Scalars.compare`."""
        return Lanes(self.s, self.s.compare(how, self.value, self._of(other)))

    def __lt__(self, other: Any) -> Lanes:
        return self.test("olt" if self.kind in WHOLE else "slt", other)

    def __gt__(self, other: Any) -> Lanes:
        return self.test("ogt" if self.kind in WHOLE else "sgt", other)

    def __le__(self, other: Any) -> Lanes:
        return self.test("ole" if self.kind in WHOLE else "sle", other)

    def __ge__(self, other: Any) -> Lanes:
        return self.test("oge" if self.kind in WHOLE else "sge", other)

    def same(self, other: Any) -> Lanes:
        """Whether they are equal."""
        return self.test("oeq" if self.kind in WHOLE else "eq", other)

    def isnan(self) -> Lanes:
        """Whether it is not a number."""
        return self.test("uno", self)

    def to(self, kind: str) -> Lanes:
        """Converted as C converts, between floats or from whole numbers."""
        return Lanes(self.s, self.s.cast(self.value, kind))

    def whole(self) -> Lanes:
        """The whole number that a float is; it must be in range and not NaN."""
        return Lanes(self.s, self.s.convert(self.value, WHOLE[self.kind]))

    def bits(self) -> Lanes:
        """The float's bits as a whole number."""
        return Lanes(self.s, self.s.bitcast(self.value, WHOLE[self.kind]))

    def from_bits(self) -> Lanes:
        """The float with these bits."""
        return Lanes(self.s, self.s.bitcast(self.value, "f32" if self.kind == "i32" else "f64"))


def pick(test: Lanes, a: Any, b: Any) -> Lanes:
    """a where test, else b; at least one of them is a Lanes."""
    model = a if isinstance(a, Lanes) else b
    a, b = (v if isinstance(v, Lanes) else model.constant(v) for v in (a, b))
    return Lanes(model.s, model.s.select(test.value, a.value, b.value))


def at_most(x: Lanes, bound: float) -> Lanes:
    """The smaller of x and a bound; NaN stays NaN."""
    return pick(x > bound, bound, x)


def at_least(x: Lanes, bound: float) -> Lanes:
    """The larger of x and a bound; NaN stays NaN."""
    return pick(x < bound, bound, x)


def polynomial(x: Lanes, coefficients: Sequence[float]) -> Lanes:
    """Horner's rule, in fused multiplications and additions; the highest power's coefficient comes first."""
    value = x.constant(coefficients[0])
    for c in coefficients[1:]:
        value = value.fma(x, c)
    return value


def rounded(x: Lanes, factor: float) -> tuple[Lanes, Lanes]:
    """x * factor rounded to a whole number, as a float and in the low bits of a whole number.

    Adding 1.5 * 2**23 (of doubles 2**52) pushes the fraction out of the float, and leaves the number in its last bits.
    """
    magic = 1.5 * 2.0 ** FRACTION[x.kind]
    pushed = x + magic if factor == 1.0 else x.fma(factor, magic)
    return pushed - magic, pushed.bits()


def power_of_two(low: Lanes, kind: str, more: int = 0) -> Lanes:
    """2 ** (n + more) for n in the low bits of a whole number; the result must be a normal float."""
    exponent = low << FRACTION[kind]
    return (exponent + (BIAS[kind] + more << FRACTION[kind])).from_bits()


def scaled(x: Lanes, n: Lanes, low: Lanes) -> Lanes:
    """x * 2 ** n, also where 2 ** n alone would be too large or too small; n comes from `rounded`."""
    s, size = x.s, 4 if x.single else 8
    if processor().scales and s.lanes * size == 64:
        return Lanes(s, s.binary("scale", x.value, n.value))
    magic = x.constant(1.5 * 2.0 ** FRACTION[x.kind]).bits()
    whole = low - magic
    half = whole >> 1
    return x * power_of_two(half, x.kind) * power_of_two(whole - half, x.kind)
