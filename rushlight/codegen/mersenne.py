"""Random numbers in machine code: the Mersenne Twister and what is made of its words, bit for bit as in `core/`.

A *filling* is one function over (state, output, count, three parameters).  The state is NumPy's own, 624 words and how
many of them are used up, so draws by NumPy and by these functions follow one another as they please.

    state -> past: 624 words twice over, so that the recurrence runs on without wrapping round
          -> words: tempered, in the order of the stream; what was left over of the last block stands in front
          -> numbers: one vector of them at a time, by the filling's own rule (`_uniform32`, `_normal32`, ...)

One turn of the loop consumes what whole vectors can be made of and makes the next 624 words; the last numbers, fewer
than a vector, come by way of the stack.  What each rule computes, and why it rounds so, is said in `core/uniform.py`,
`core/sampling.py` and `core/box_muller.py`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from rushlight.core import box_muller
from rushlight.core.mersenne import cells_of

from .drawing import FILL
from .entry import DATA, DECLARATIONS
from .lanes import Lanes, pick, polynomial
from .llvm import Scalars, Writer, wide
from .loops import Loop, When
from .machine import callable_at
from .memory import load, store
from .stage import Span

if TYPE_CHECKING:
    from .machine import Machine

WORDS, MIDDLE = 624, 397  # of the recurrence
TWIST, UPPER, LOWER = 0x9908B0DF, 0x80000000, 0x7FFFFFFF
TEMPERS = (("lshr", 11, None), ("shl", 7, 0x9D2C5680), ("shl", 15, 0xEFC60000), ("lshr", 18, None))
SPARE = 64  # words behind each array on the stack: whole vectors are moved
PARAMETERS = ("%a", "%b", "%c")
SIGNATURE = "ptr %state, ptr %out, i64 %count, double %a, double %b, double %c"

Rule = Callable[["Filler"], str]


@dataclass
class Filling:
    """What is made of the words: `per` words for each number of LLVM's type `kind`; `least` numbers at a time."""

    rule: Rule
    kind: str
    itemsize: int
    per: int = 1
    least: int = 1


class Filler:
    """One function being written, for vectors of so many words."""

    def __init__(self, filling: Filling, vector_bytes: int) -> None:
        self.filling = filling
        self.w = Writer()
        self.lanes = vector_bytes // 4
        self.numbers = max(self.lanes, filling.least)  # made in one go
        self.consumed = self.numbers * filling.per  # words, for these
        self.past = self.w.reserve(4 * (2 * WORDS + SPARE))
        self.words = self.w.reserve(4 * (2 * WORDS + SPARE))
        self.tail = self.w.reserve(self.numbers * filling.itemsize)
        self.source = ""  # where the words of the vector being made begin

    # ---- words

    def at(self, array: str, index: str, kind: str = "i32") -> str:
        """The address of an element."""
        return self.w.let(f"getelementptr {kind}, ptr {array}, i64 {index}")

    def load(self, array: str, index: str, kind: str = "i32", lanes: int = 0) -> str:
        """A vector from an element on."""
        return load(self.w, kind, self.at(array, index, kind), 4, lanes or self.lanes)

    def vector(self, kind: str, name: str, lanes: int = 0) -> Lanes:
        """A vector with operators."""
        return Lanes(Scalars(self.w, lanes or self.lanes), kind, name)

    def store(self, value: str, array: str, index: str) -> None:
        """A vector of words, from an element on."""
        store(self.w, "i32", self.at(array, index), 4, self.lanes, value)

    def arithmetic(self, code: str, a: str, b: str | int) -> str:
        """Arithmetic of single whole numbers."""
        return self.w.let(f"{code} i64 {a}, {b}")

    def temper(self, name: str) -> str:
        """The words as they are handed out."""
        y = self.vector("i32", name)
        for code, by, mask in TEMPERS:
            moved = shifted(y, code, by)
            y = y ^ (moved if mask is None else moved & signed(mask))
        return y.name

    def recall(self) -> None:
        """Copies the state's words, and tempers those that are left of them."""
        loop = Loop(self.w, WORDS, self.lanes)
        self.store(self.load("%state", loop.index), self.past, loop.index)
        loop.close()
        loop = Loop(self.w, WORDS, self.lanes)
        self.store(self.temper(self.load(self.past, self.arithmetic("add", loop.index, "%used"))), self.words,
                   loop.index)  # fmt: skip
        loop.close()

    def renew(self, behind: str) -> None:
        """Makes the next 624 words; tempered, they go to the words from `behind` on."""
        w = self.w
        loop = Loop(w, WORDS, self.lanes)
        here = self.vector("i32", self.load(self.past, loop.index))
        following = self.vector("i32", self.load(self.past, self.arithmetic("add", loop.index, 1)))
        middle = self.vector("i32", self.load(self.past, self.arithmetic("add", loop.index, MIDDLE)))
        mixed = (here & signed(UPPER)) | (following & LOWER)
        odd = here.constant(0) - (following & 1)
        new = (middle ^ shifted(mixed, "lshr", 1) ^ (odd & signed(TWIST))).name
        self.store(new, self.past, loop.index)
        self.store(new, self.past, self.arithmetic("add", loop.index, WORDS))
        self.store(self.temper(new), self.words, self.arithmetic("add", loop.index, behind))
        loop.close()

    def remember(self, blocks: str) -> None:
        """Writes the state back."""
        loop = Loop(self.w, WORDS, self.lanes)
        self.store(self.load(self.past, loop.index), "%state", loop.index)
        loop.close()
        drawn = self.arithmetic("add", "%used", self.arithmetic("mul", "%count", self.filling.per))
        used = self.arithmetic("sub", drawn, self.arithmetic("mul", blocks, WORDS))
        self.w.line(f"store i32 {self.w.let(f'trunc i64 {used} to i32')}, ptr {self.at('%state', str(WORDS))}")

    # ---- numbers

    def make(self, first: str, place: str) -> None:
        """One vector of numbers, from the words from `first` on."""
        self.source = self.at(self.words, first)
        store(self.w, self.filling.kind, place, self.filling.itemsize, self.numbers, self.filling.rule(self))

    def consume(self, have: str, done: str) -> tuple[str, str]:
        """Makes all the whole vectors of numbers there are words for; how many words are left, how many numbers made.

        The words that are left, fewer than such a vector takes, move to the front.
        """
        left = self.arithmetic("udiv", self.arithmetic("sub", "%count", done), self.numbers)
        ready = self.arithmetic("udiv", have, self.consumed)
        turns = self.w.call("i64", "llvm.umin.i64", [("i64", left), ("i64", ready)])
        out = self.at("%out", done, self.filling.kind)
        span = Span(self.w, "0", turns)
        self.make(
            self.arithmetic("mul", span.index, self.consumed),
            self.at(out, self.arithmetic("mul", span.index, self.numbers), self.filling.kind),
        )
        span.close()
        taken = self.arithmetic("mul", turns, self.consumed)
        rest = [self.load(self.words, self.arithmetic("add", taken, k)) for k in range(0, self.consumed, self.lanes)]
        for k, words in enumerate(rest):
            self.store(words, self.words, str(k * self.lanes))
        made = self.arithmetic("mul", turns, self.numbers)
        return self.arithmetic("sub", have, taken), self.arithmetic("add", done, made)

    def finish(self, done: str) -> None:
        """The last numbers, fewer than a vector."""
        w, filling = self.w, self.filling
        rest = self.arithmetic("sub", "%count", done)
        with When(w, f"icmp ne i64 {rest}, 0"):
            self.make("0", self.tail)
            w.declared.add("declare void @llvm.memcpy.p0.p0.i64(ptr, ptr, i64, i1)")
            nbytes = self.arithmetic("mul", rest, filling.itemsize)
            place = self.at("%out", done, filling.kind)
            w.line(f"call void @llvm.memcpy.p0.p0.i64(ptr {place}, ptr {self.tail}, i64 {nbytes}, i1 false)")

    def write(self) -> None:
        """The function's body; `count` is not 0."""
        w = self.w
        short = w.let(f"load i32, ptr {self.at('%state', str(WORDS))}")
        w.line(f"%used = zext i32 {short} to i64")
        drawn = self.arithmetic("add", "%used", self.arithmetic("mul", "%count", self.filling.per))
        blocks = self.arithmetic("udiv", self.arithmetic("sub", drawn, 1), WORDS)
        self.recall()
        have = self.arithmetic("sub", str(WORDS), "%used")
        turns = Loop(w, self.arithmetic("add", blocks, 1), 1, [("i64", have), ("i64", "0")])
        left, done = self.consume(*turns.carried)
        with When(w, f"icmp ult i64 {turns.index}, {blocks}"):
            self.renew(left)
        turns.close([self.arithmetic("add", left, WORDS), done])
        self.finish(turns.results[1])
        self.remember(blocks)
        w.line("ret void")

    def text(self, name: str) -> str:
        """The function, and the one that Python calls with objects."""
        self.write()
        body = "\n".join([*self.w.reserved, *self.w.lines])
        return f"define void @{symbol(name)}({SIGNATURE}) {{\nentry:\n{body}\n}}\n{_entry(name)}"

    # ---- for the rules

    def parameter(self, k: int, kind: str) -> Lanes:
        """A parameter in every lane."""
        w, value = self.w, PARAMETERS[k]
        if kind == "float":
            value = w.let(f"fptrunc double {value} to float")
        elif kind == "i64":
            value = w.let(f"fptosi double {value} to i64")
        return self.vector(kind, Scalars(w, self.lanes).splat(value, kind))

    def low24(self) -> Lanes:
        """A vector of words without their upper 8 bits."""
        return self.vector("i32", self.load(self.source, "0")) & 0xFFFFFF

    def low53(self) -> Lanes:
        """A vector of pairs of words, the first on top, without their upper 11 bits."""
        return self.pairs() & ((1 << 53) - 1)

    def pairs(self) -> Lanes:
        """A vector of pairs of words, the first on top."""
        pairs = self.vector("i64", self.load(self.source, "0", "i64"))
        s, half = pairs.s, pairs.constant(32)
        return self.vector("i64", s.intrinsic("fshl", "i64", pairs.name, pairs.name, half.name))


def signed(bits: int) -> int:
    """32 bits as LLVM writes a number."""
    return bits - (1 << 32) if bits >> 31 else bits


def shifted(x: Lanes, code: str, by: int) -> Lanes:
    """A shift without regard to signs."""
    return Lanes(x.s, x.kind, x.s.binary(code, x.kind, x.name, x.s.constant(by, x.kind)))


# ---------------------------------------------------------------------------------------------------------------------
# Rules: how one vector of numbers is made


def _words(f: Filler) -> str:
    words = f.vector("i32", f.load(f.source, "0"))
    return words.s.convert("zext", words.name, "i32", "i64")


def _pairs(f: Filler) -> str:
    return f.pairs().name


def _stretched(f: Filler, unit: Lanes) -> str:
    """unit * b + a; what is rounded to c becomes a."""
    low = f.parameter(0, unit.kind)
    value = unit.fma(f.parameter(1, unit.kind), low)
    return pick(value.same(f.parameter(2, unit.kind)), low, value).name


def _uniform32(f: Filler) -> str:
    return _stretched(f, f.low24().to("float") * 2.0**-24)


def _uniform64(f: Filler) -> str:
    return _stretched(f, f.low53().to("double") * 2.0**-53)


def _chosen(f: Filler, kind: str) -> str:
    """b where 53 bits are below a, else 0."""
    return pick(f.low53() < f.parameter(0, "i64"), f.parameter(1, kind), 0.0).name


def _chosen32(f: Filler) -> str:
    return _chosen(f, "float")


def _chosen64(f: Filler) -> str:
    return _chosen(f, "double")


def _chosen8(f: Filler) -> str:
    below = f.low53() < f.parameter(0, "i64")
    return below.s.convert("zext", below.name, "i1", "i8")


def _normal32(f: Filler) -> str:
    """Box and Muller's formula in blocks of 16, `* b + a`: see `core/box_muller.py`, whose names these are."""
    halves = [f.load(f.source, str(8 * k), "i32", 8) for k in range(f.numbers // 8)]
    radii, angles = _joined(f.w, halves[0::2], "i32"), _joined(f.w, halves[1::2], "i32")
    lanes = f.numbers // 2
    radius = _radius((f.vector("i32", radii, lanes) & 0xFFFFFF).to("float"))
    mean, std = (f.vector("float", Scalars(f.w, lanes).splat(f.w.let(f"fptrunc double {p} to float"), "float"), lanes)
                 for p in PARAMETERS[:2])  # fmt: skip
    waves = _waves((f.vector("i32", angles, lanes) & 0xFFFFFF).to("float"))
    made = [(radius * wave).fma(std, mean).name for wave in waves]
    both = _shuffled(f.w, "float", lanes, made, range(2 * lanes))
    order = [8 * half + k for block in range(lanes // 8) for half in (block, block + lanes // 8) for k in range(8)]
    return both if lanes == 8 else _shuffled(f.w, "float", 2 * lanes, [both, both], order)


def _radius(bits: Lanes) -> Lanes:
    """sqrt(-2 log(1 - u)) of 24 bits of u."""
    raised = (bits.constant(2.0**24) - bits).bits() + (0x3F800000 - 0x3F3504F3)
    exponent = (raised >> 23).to("float") - (127.0 + 24.0)
    x = ((raised & 0x7FFFFF) + 0x3F3504F3).from_bits() - 1.0
    square = x * x
    series = polynomial(x, [float(c) for c in box_muller.LOG]) * x
    log = series.fma(square, exponent * float(box_muller.LN2_LOW)) + square * -0.5
    return ((x + log + exponent * float(box_muller.LN2_HIGH)) * -2.0).sqrt()


def _waves(bits: Lanes) -> tuple[Lanes, Lanes]:
    """The cosine and the sine of 2 pi u, of 24 bits of u."""
    angle = bits * float(box_muller.TWO_PI)
    octant = ((angle * float(box_muller.FOUR_OVER_PI)).whole() + 1) & -2
    count, a = octant.to("float"), angle
    for part in box_muller.QUARTER_PI:
        a = count.fma(-float(part), a)
    square = a * a
    sine = (polynomial(square, [float(c) for c in box_muller.SIN]) * square).fma(a, a)
    series = polynomial(square, [float(c) for c in box_muller.COS]) * square
    cosine = series.fma(square, square * -0.5) + 1.0
    swap = (octant & 2).same(0)
    first, second = pick(swap, cosine, sine), pick(swap, sine, cosine)
    return tuple((v.bits() ^ ((o & 4) << 29)).from_bits() for v, o in ((first, octant + 2), (second, octant)))  # type: ignore[return-value]


def _joined(w: Writer, parts: Sequence[str], kind: str) -> str:
    """Vectors of 8 one behind the other."""
    return parts[0] if len(parts) == 1 else _shuffled(w, kind, 8, parts, range(16))


def _shuffled(w: Writer, kind: str, lanes: int, pair: Sequence[str], order: Sequence[int]) -> str:
    whole, chosen = wide(kind, lanes), ", ".join(f"i32 {k}" for k in order)
    return w.let(f"shufflevector {whole} {pair[0]}, {whole} {pair[1]}, <{len(order)} x i32> <{chosen}>")


FILLINGS = {
    "words": Filling(_words, "i64", 8),
    "pairs": Filling(_pairs, "i64", 8, 2),
    "uniform32": Filling(_uniform32, "float", 4),
    "uniform64": Filling(_uniform64, "double", 8, 2),
    "chosen8": Filling(_chosen8, "i8", 1, 2),
    "chosen32": Filling(_chosen32, "float", 4, 2),
    "chosen64": Filling(_chosen64, "double", 8, 2),
    "normal32": Filling(_normal32, "float", 4, 1, 16),
}


# ---------------------------------------------------------------------------------------------------------------------
# The functions


def _normals(name: str) -> str:
    """The filling of 16 normal numbers or more: whole blocks, and where one is left over, the last 16 once more."""
    w = Writer()
    given = "double %a, double %b, double %c"
    extra = w.let("and i64 %count, 15")
    whole = w.let(f"sub i64 %count, {extra}")
    w.line(f"call void @{symbol('normal32')}(ptr %state, ptr %out, i64 {whole}, {given})")
    skipped = w.reserve(16 * 8)
    with When(w, f"icmp ne i64 {extra}, 0"):
        w.line(f"call void @{symbol('words')}(ptr %state, ptr {skipped}, i64 {extra}, {given})")
        last = w.let(f"getelementptr float, ptr %out, i64 {w.let('sub i64 %count, 16')}")
        w.line(f"call void @{symbol('normal32')}(ptr %state, ptr {last}, i64 16, {given})")
    body = "\n".join([*w.reserved, *w.lines, "  ret void"])
    return f"define void @{symbol(name)}({SIGNATURE}) {{\nentry:\n{body}\n}}\n{_entry(name)}"


def symbol(name: str) -> str:
    """What a filling's function is called in machine code."""
    return FILL + name


def _entry(name: str) -> str:
    """A function of Python over (state, output, count, three parameters)."""
    w = Writer()
    objects = [w.let(f"load ptr, ptr {w.let(f'getelementptr ptr, ptr %args, i64 {k}')}") for k in range(6)]
    arrays = [w.let(f"load ptr, ptr {w.let(f'getelementptr i8, ptr {o}, i64 {DATA}')}") for o in objects[:2]]
    count = w.let(f"call i64 @PyLong_AsLongLong(ptr {objects[2]})")
    numbers = [w.let(f"call double @PyFloat_AsDouble(ptr {o})") for o in objects[3:]]
    given = [*(f"ptr {a}" for a in arrays), f"i64 {count}", *(f"double {n}" for n in numbers)]
    w.line(f"call void @{symbol(name)}({', '.join(given)})")
    w.line("call void @Py_IncRef(ptr @_Py_TrueStruct)")
    w.line("ret ptr @_Py_TrueStruct")
    head = f"define ptr @{_called(name)}(ptr %self, ptr %args, i64 %n)"
    return f"{head} {{\nentry:\n" + "\n".join(w.lines) + "\n}\n"


def text(vector_bytes: int) -> str:
    """All the fillings in LLVM's language."""
    fillers = {name: Filler(filling, vector_bytes) for name, filling in FILLINGS.items()}
    functions = "".join(f.text(name) for name, f in fillers.items())
    declared = sorted(set().union(*[f.w.declared for f in fillers.values()]))
    return DECLARATIONS + "\n".join(declared) + "\n" + functions + _normals("normals32")


class Fillings:
    """The fillings, linked: as functions of Python, and their addresses for other machine code."""

    def __init__(self, here: Machine) -> None:
        self.functions: dict[str, Callable[..., Any]] = {}
        self.addresses: dict[str, int] = {}
        if not here.fuses:  # a processor without fused multiplications and additions
            return
        _check_state_layout()
        names = [*FILLINGS, "normals32"]
        linked = here.link(text(here.vector_bytes), [f(name) for name in names for f in (symbol, _called)])
        self.functions = {name: callable_at(_called(name), linked[_called(name)]) for name in names}
        self.addresses = {symbol(name): linked[symbol(name)] for name in names}


def _called(name: str) -> str:
    return f"draw_{name}"


@functools.cache
def fillings() -> Fillings:
    """The fillings of this process."""
    from .machine import machine

    return Fillings(machine())


def _check_state_layout() -> None:
    """Refuses a NumPy that keeps the Mersenne Twister's state otherwise than these functions read it."""
    from numpy.random import MT19937

    twister = MT19937(0)
    twister.random_raw(5)
    state = twister.state["state"]
    cells = cells_of(twister)
    if cells[WORDS] != state["pos"] or not np.array_equal(cells[:WORDS].view(np.uint32), state["key"]):
        raise NotImplementedError("NumPy keeps the state of its generator in an unknown way")
