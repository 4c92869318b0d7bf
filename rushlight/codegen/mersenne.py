"""Random numbers in machine code: the Mersenne Twister and what is made of its words, bit for bit as in `core/`.

A *filling* is one function over (state, output, count, three parameters).  The state is NumPy's own, 624 words and how
many of them are used up, so draws by NumPy and by these functions follow one another as they please.

    state -> past: 624 words twice over, so that the recurrence runs on without wrapping round
          -> words: tempered, in the order of the stream; what was left over of the last block stands in front
          -> numbers: one vector of them at a time, by the filling's own rule (`_uniform32`, `_normal32`, ...)

One turn of the loop consumes what whole vectors can be made of and makes the next 624 words; the last numbers, fewer
than a vector, come by way of the stack.  What each rule computes, and why it rounds so, is said in `core/uniform.py`,
`core/sampling.py` and `core/box_muller.py`.  What is drawn by rejection takes doubles one by one: `rejection.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rushlight.core import box_muller

from . import implicit, rejection
from .arithmetic import Scalars
from .array_layout import DATA
from .entry import entry_parameters
from .imports import CALLED, fill
from .ir import SIZES, Builder, Function, Index, Loop, Value, When, constant, external
from .lanes import Lanes, pick, polynomial
from .llvm import Printer

if TYPE_CHECKING:
    pass

WORDS, MIDDLE = 624, 397  # of the recurrence
TWIST, UPPER, LOWER = 0x9908B0DF, 0x80000000, 0x7FFFFFFF
TEMPERS = (("lshr", 11, None), ("shl", 7, 0x9D2C5680), ("shl", 15, 0xEFC60000), ("lshr", 18, None))
SPARE = 64  # words behind each array on the stack: whole vectors are moved
SIGNATURE = {"state": "ptr", "out": "ptr", "count": "i64", "a": "f64", "b": "f64", "c": "f64"}

Rule = Callable[["Filler"], Value]


@dataclass
class Filling:
    """What is made of the words: `per` words for each number of type `kind`; `least` numbers at a time."""

    rule: Rule
    kind: str
    per: int = 1
    least: int = 1

    @property
    def itemsize(self) -> int:
        """The bytes of a number."""
        return SIZES[self.kind]


class Filler:
    """One function being written, for vectors of so many words."""

    def __init__(self, filling: Filling, vector_bytes: int) -> None:
        self.filling = filling
        self.w = Builder()
        self.given = [self.w.parameter(kind, name) for name, kind in SIGNATURE.items()]
        self.state, self.out, self.count, *self.parameters = self.given
        self.lanes = vector_bytes // 4
        self.numbers = max(self.lanes, filling.least)  # made in one go
        self.consumed = self.numbers * filling.per  # words, for these
        self.past = self.w.reserve(4 * (2 * WORDS + SPARE))
        self.words = self.w.reserve(4 * (2 * WORDS + SPARE))
        self.tail = self.w.reserve(self.numbers * filling.itemsize)
        self.source = self.words  # where the words of the vector being made begin
        self.used: Value

    # ---- words

    def load(self, array: Value, index: Index, kind: str = "i32", lanes: int = 0) -> Lanes:
        """A vector from an element on."""
        lanes = lanes or self.lanes
        return Lanes(Scalars(self.w, lanes), self.w.load(kind, self.w.at(kind, array, index), 4, lanes))

    def store(self, x: Lanes, array: Value, index: Index) -> None:
        """A vector of words, from an element on."""
        self.w.store(x.value, self.w.at("i32", array, index), 4)

    def convert(self, x: Value, to: str) -> Value:
        """A single number in another type."""
        return Scalars(self.w, 1).cast(x, to)

    def temper(self, y: Lanes) -> Lanes:
        """The words as they are handed out."""
        for code, by, mask in TEMPERS:
            moved = shifted(y, code, by)
            y = y ^ (moved if mask is None else moved & signed(mask))
        return y

    def recall(self) -> None:
        """Copies the state's words, and tempers those that are left of them."""
        loop = Loop(self.w, WORDS, self.lanes)
        self.store(self.load(self.state, loop.index), self.past, loop.index)
        loop.close()
        loop = Loop(self.w, WORDS, self.lanes)
        left = self.load(self.past, self.w.add(loop.index, self.used))
        self.store(self.temper(left), self.words, loop.index)
        loop.close()

    def renew(self, behind: Value) -> None:
        """Makes the next 624 words; tempered, they go to the words from `behind` on."""
        w = self.w
        loop = Loop(w, WORDS, self.lanes)
        here, following, middle = (self.load(self.past, w.add(loop.index, k)) for k in (0, 1, MIDDLE))
        mixed = (here & signed(UPPER)) | (following & LOWER)
        odd = here.constant(0) - (following & 1)
        new = middle ^ shifted(mixed, "lshr", 1) ^ (odd & signed(TWIST))
        self.store(new, self.past, loop.index)
        self.store(new, self.past, w.add(loop.index, WORDS))
        self.store(self.temper(new), self.words, w.add(loop.index, behind))
        loop.close()

    def remember(self, used: Value) -> None:
        """Writes the state back."""
        loop = Loop(self.w, WORDS, self.lanes)
        self.store(self.load(self.past, loop.index), self.state, loop.index)
        loop.close()
        self.w.store(self.convert(used, "i32"), self.w.at("i32", self.state, WORDS), 4)

    # ---- numbers

    def make(self, first: Index, place: Value) -> None:
        """One vector of numbers, from the words from `first` on."""
        self.source = self.w.at("i32", self.words, first)
        self.w.store(self.filling.rule(self), place, self.filling.itemsize)

    def consume(self, have: Value, done: Value) -> tuple[Value, Value]:
        """Makes all the whole vectors of numbers there are words for; how many words are left, how many numbers made.

        The words that are left, fewer than such a vector takes, move to the front.
        """
        w, kind = self.w, self.filling.kind
        turns = w.min(w.udiv(w.sub(self.count, done), self.numbers), w.udiv(have, self.consumed))
        out = w.at(kind, self.out, done)
        loop = Loop(w, turns, sure=False)
        self.make(w.mul(loop.index, self.consumed), w.at(kind, out, w.mul(loop.index, self.numbers)))
        loop.close()
        taken = w.mul(turns, self.consumed)
        rest = [self.load(self.words, w.add(taken, k)) for k in range(0, self.consumed, self.lanes)]
        for k, words in enumerate(rest):
            self.store(words, self.words, k * self.lanes)
        return w.sub(have, taken), w.add(done, w.mul(turns, self.numbers))

    def finish(self, done: Value) -> None:
        """The last numbers, fewer than a vector."""
        w, kind, size = self.w, self.filling.kind, self.filling.itemsize
        rest = w.sub(self.count, done)
        with When(w, w.compare("ne", rest, 0)):
            self.make(0, self.tail)
            out = w.at(kind, self.out, done)
            loop = Loop(w, rest)
            w.store(w.load(kind, w.at(kind, self.tail, loop.index), size), w.at(kind, out, loop.index), size)
            loop.close()

    def function(self, name: str) -> Function:
        """The function; `count` is not 0."""
        w = self.w
        self.used = self.convert(w.load("i32", w.at("i32", self.state, WORDS), 4), "i64")
        drawn = w.add(self.used, w.mul(self.count, self.filling.per))
        blocks = w.udiv(w.sub(drawn, 1), WORDS)
        self.recall()
        have, none = w.make("sub", "i64", 1, (WORDS, self.used)), constant(0, "i64")
        turns = Loop(w, w.add(blocks, 1), 1, [have, none])
        left, done = self.consume(*turns.carried)
        with When(w, w.compare("ult", turns.index, blocks)):
            self.renew(left)
        turns.close([w.add(left, WORDS), done])
        self.finish(turns.results[1])
        self.remember(w.sub(drawn, w.mul(blocks, WORDS)))
        w.leave(self.out)
        return w.function(fill(name), self.given)

    # ---- for the rules

    def parameter(self, k: int, kind: str, lanes: int = 0) -> Lanes:
        """A parameter in every lane."""
        s = Scalars(self.w, lanes or self.lanes)
        return Lanes(s, s.splat(self.convert(self.parameters[k], kind)))

    def low24(self) -> Lanes:
        """A vector of words without their upper 8 bits."""
        return self.load(self.source, 0) & 0xFFFFFF

    def low53(self) -> Lanes:
        """A vector of pairs of words, the first on top, without their upper 11 bits."""
        return self.pairs() & ((1 << 53) - 1)

    def pairs(self) -> Lanes:
        """A vector of pairs of words, the first on top."""
        pairs = self.load(self.source, 0, "i64")
        return (pairs << 32) | shifted(pairs, "lshr", 32)


def signed(bits: int) -> int:
    """32 bits as LLVM writes a number."""
    return bits - (1 << 32) if bits >> 31 else bits


def shifted(x: Lanes, code: str, by: int) -> Lanes:
    """A shift without regard to signs."""
    return Lanes(x.s, x.s.binary(code, x.value, x.s.constant(by, x.kind)))


# ---------------------------------------------------------------------------------------------------------------------
# Rules: how one vector of numbers is made


def _words(f: Filler) -> Value:
    return (f.load(f.source, 0).to("i64") & 0xFFFFFFFF).value


def _pairs(f: Filler) -> Value:
    return f.pairs().value


def _stretched(f: Filler, unit: Lanes) -> Value:
    """unit * b + a; what is rounded to c becomes a."""
    low = f.parameter(0, unit.kind)
    value = unit.fma(f.parameter(1, unit.kind), low)
    return pick(value.same(f.parameter(2, unit.kind)), low, value).value


def _uniform32(f: Filler) -> Value:
    return _stretched(f, f.low24().to("f32") * 2.0**-24)


def _uniform64(f: Filler) -> Value:
    return _stretched(f, f.low53().to("f64") * 2.0**-53)


def _chosen(f: Filler, kind: str) -> Value:
    """b where 53 bits are below a, else 0."""
    return pick(f.low53() < f.parameter(0, "i64"), f.parameter(1, kind), 0.0).value


def _chosen32(f: Filler) -> Value:
    return _chosen(f, "f32")


def _chosen64(f: Filler) -> Value:
    return _chosen(f, "f64")


def _chosen8(f: Filler) -> Value:
    return (f.low53() < f.parameter(0, "i64")).to("u8").value


def _normal32(f: Filler) -> Value:
    """Box and Muller's formula in blocks of 16, `* b + a`: see `core/box_muller.py`, whose names these are."""
    halves = [f.load(f.source, 8 * k, "i32", 8).value for k in range(f.numbers // 8)]
    lanes = f.numbers // 2
    radii, angles = (Lanes(Scalars(f.w, lanes), _joined(f.w, halves[k::2])) & 0xFFFFFF for k in (0, 1))
    radius, mean, std = _radius(radii.to("f32")), f.parameter(0, "f32", lanes), f.parameter(1, "f32", lanes)
    cosines, sines = [(radius * wave).fma(std, mean).value for wave in _waves(angles.to("f32"))]
    order = [8 * half + k for block in range(lanes // 8) for half in (block, block + lanes // 8) for k in range(8)]
    return f.w.shuffle(cosines, sines, order)


def _radius(bits: Lanes) -> Lanes:
    """sqrt(-2 log(1 - u)) of 24 bits of u."""
    raised = (bits.constant(2.0**24) - bits).bits() + (0x3F800000 - 0x3F3504F3)
    exponent = (raised >> 23).to("f32") - (127.0 + 24.0)
    x = ((raised & 0x7FFFFF) + 0x3F3504F3).from_bits() - 1.0
    square = x * x
    series = polynomial(x, [float(c) for c in box_muller.LOG]) * x
    log = series.fma(square, exponent * float(box_muller.LN2_LOW)) + square * -0.5
    return ((x + log + exponent * float(box_muller.LN2_HIGH)) * -2.0).sqrt()


def _waves(bits: Lanes) -> tuple[Lanes, Lanes]:
    """The cosine and the sine of 2 pi u, of 24 bits of u."""
    angle = bits * float(box_muller.TWO_PI)
    octant = ((angle * float(box_muller.FOUR_OVER_PI)).whole() + 1) & -2
    count, a = octant.to("f32"), angle
    for part in box_muller.QUARTER_PI:
        a = count.fma(-float(part), a)
    square = a * a
    sine = (polynomial(square, [float(c) for c in box_muller.SIN]) * square).fma(a, a)
    series = polynomial(square, [float(c) for c in box_muller.COS]) * square
    cosine = series.fma(square, square * -0.5) + 1.0
    swap = (octant & 2).same(0)
    first, second = pick(swap, cosine, sine), pick(swap, sine, cosine)
    return tuple((v.bits() ^ ((o & 4) << 29)).from_bits() for v, o in ((first, octant + 2), (second, octant)))  # type: ignore[return-value]


def _joined(w: Builder, parts: Sequence[Value]) -> Value:
    """Vectors of 8 one behind the other."""
    return parts[0] if len(parts) == 1 else w.shuffle(parts[0], parts[1], range(16))


FILLINGS = {
    "words": Filling(_words, "i64"),
    "pairs": Filling(_pairs, "i64", 2),
    "uniform32": Filling(_uniform32, "f32"),
    "uniform64": Filling(_uniform64, "f64", 2),
    "chosen8": Filling(_chosen8, "u8", 2),
    "chosen32": Filling(_chosen32, "f32", 2),
    "chosen64": Filling(_chosen64, "f64", 2),
    "normal32": Filling(_normal32, "f32", 1, 16),
}
SINGLE = (*rejection.RULES, *implicit.RULES)  # number by number
NAMES = (*FILLINGS, "normals32", "permutation", *SINGLE)  # of the functions


# ---------------------------------------------------------------------------------------------------------------------
# The functions


def _normals(name: str) -> Function:
    """The filling of 16 normal numbers or more: whole blocks, and where one is left over, the last 16 once more."""
    w = Builder()
    state, out, count, *rest = parameters = [w.parameter(kind, name) for name, kind in SIGNATURE.items()]
    extra = w.urem(count, 16)
    w.call(fill("normal32"), "ptr", state, out, w.sub(count, extra), *rest)
    with When(w, w.compare("ne", extra, 0)):
        w.call(fill("words"), "ptr", state, w.reserve(16 * 8), extra, *rest)
        w.call(fill("normal32"), "ptr", state, w.at("f32", out, w.sub(count, 16)), 16, *rest)
    w.leave(out)
    return w.function(fill(name), parameters)


def _permutation(name: str) -> Function:
    """0 to count - 1, each place exchanged with another in turn: the first array says with which."""
    w = Builder()
    places, out, count, *_ = parameters = [w.parameter(kind, name) for name, kind in SIGNATURE.items()]
    loop = Loop(w, count)
    w.store(loop.index, w.at("i64", out, loop.index), 8)
    loop.close()
    loop = Loop(w, count)
    here, there = (w.at("i64", out, i) for i in (loop.index, w.load("i64", w.at("i64", places, loop.index), 8)))
    mine, other = w.load("i64", here, 8), w.load("i64", there, 8)
    w.store(other, here, 8)
    w.store(mine, there, 8)
    loop.close()
    w.leave(out)
    return w.function(fill(name), parameters)


def _entry(name: str) -> Function:
    """A function of Python over (state, output, count, three parameters)."""
    w = Builder()
    parameters = entry_parameters(w)
    objects = [w.load("ptr", w.at("ptr", parameters[1], k), 8) for k in range(len(SIGNATURE))]
    kinds = rejection.SIGNATURE if name in SINGLE else SIGNATURE
    w.call(fill(name), "ptr", *[_given(w, o, kind) for o, kind in zip(objects, kinds.values(), strict=True)])
    w.do("call", (external("_Py_TrueStruct"),), "Py_IncRef")
    w.leave(external("_Py_TrueStruct"))
    return w.function(CALLED + name, parameters)


def _given(w: Builder, o: Value, kind: str) -> Value:
    """What an object of Python holds: the address of an array's elements, a whole number, or a float."""
    if kind == "ptr":
        return w.load("ptr", w.at("u8", o, DATA), 8)
    return w.call("PyLong_AsLongLong" if kind == "i64" else "PyFloat_AsDouble", kind, o)


def functions(vector_bytes: int) -> list[Function]:
    """All the fillings, and the functions with which Python calls them."""
    made = [Filler(filling, vector_bytes).function(name) for name, filling in FILLINGS.items()]
    made += [_normals("normals32"), _permutation("permutation"), *map(rejection.function, rejection.RULES)]
    made += map(implicit.function, implicit.RULES)
    return [*made, *map(_entry, NAMES)]


def text(vector_bytes: int) -> str:
    """All of them in LLVM's language."""
    printer = Printer()
    printed = [(f, printer.body(f)) for f in functions(vector_bytes)]
    return printer.program((), (), printed)
