"""Is it what the next stage expects?  Functions of the loop IR, and Plans between their passes, are checked.

`function` follows every instruction: operands are defined before and in scope, their types and lanes agree, loops go
forward, masks fit their lanes, addresses are pointers.  `plan` follows every Symbol from the nest that makes it to
those that read it, and every buffer through the arena.  Either raises `Broken`, which names the place.  Checking costs
as much as compiling does, so it is done where `ENABLED` says so: in the tests.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from rushlight.core.strided import extent, has_internal_overlap

from .ir import FIXED, FLOATS, SIZES, Function, Index, Loop, Value, When, operand

if TYPE_CHECKING:
    from .capture import Symbol
    from .fuse import Plan

ENABLED = False
WHOLE = ("i64", "i32", "u16", "u8")
REALS = ("f16", *FLOATS)
KINDS = {  # of the operands of arithmetic
    **dict.fromkeys(("add", "sub", "mul", "div", "rem"), (*FLOATS, *WHOLE)),
    **dict.fromkeys(("and", "or", "xor"), ("bool", *WHOLE)),
    **dict.fromkeys(("shl", "shr", "lshr", "min", "max"), WHOLE),
    **dict.fromkeys(("neg", "abs", "sqrt", "floor", "ceil", "trunc", "rint", "copysign", "fma", "scale"), FLOATS),
    **dict.fromkeys(("udiv", "urem"), ("i64",)),
}  # fmt: skip
OPERANDS = {**dict.fromkeys(("neg", "abs", "sqrt", "floor", "ceil", "trunc", "rint"), 1), "fma": 3}
ORDERS = ("lt", "le", "gt", "ge")
FLOAT_TESTS = {"uno", *(f"{letter}{how}" for letter in "ou" for how in ("eq", "ne", *ORDERS)), "one"}
WHOLE_TESTS = {"eq", "ne", *(f"{letter}{how}" for letter in "su" for how in ORDERS)}


class Broken(Exception):
    """Something that a pass must not hand on."""


def function(f: Function) -> None:
    """Checks a function."""
    _Functions(f).check()


class _Functions:
    """One function being checked, and what is defined at the instruction looked at."""

    def __init__(self, f: Function) -> None:
        self.f = f
        self.known: set[Value] = set(f.parameters)
        self.names = {p.name for p in f.parameters}
        self.at: Value | None = None

    def check(self) -> None:
        self._list(self.f.body)
        self.at = self.f.body[-1] if self.f.body else None
        self.need(self.at is not None and self.at.op == "return", "a function ends with return")

    def need(self, holds: bool, why: str) -> None:
        """Raises where something does not hold."""
        if not holds:
            said = str(self.at).partition("\n")[0] if self.at is not None else "nothing"
            raise Broken(f"{self.f.name or 'a function'}: {said.strip()}: {why}")

    def _list(self, body: list[Value], more: Callable[[], None] = lambda: None) -> None:
        """A list of instructions, and something that is checked while what they make is in scope."""
        mine: list[Value] = []
        for v in body:
            self.at = v
            for a in v.args:
                self._operand(a)
            RULES.get(v.op, _Functions._unknown)(self, v)
            self.at = v
            self.need(v.op != "return" or v is body[-1], "nothing follows a return")
            for made in (*v.results,) if isinstance(v, (Loop, When)) else (v,) if v.kind else ():
                self._define(made)
                mine.append(made)
        more()
        self.known.difference_update(mine)

    def _define(self, v: Value) -> None:
        self.need(bool(v.name) and v.name not in self.names, f"{v.name} is defined twice")
        self.need(v.kind in SIZES and v.lanes >= 1, f"there is no type {v.type}")
        self.names.add(v.name)
        self.known.add(v)

    def _operand(self, a: Index) -> None:
        if isinstance(a, int):
            return
        self.need(isinstance(a, Value), f"{a!r} is no operand")
        if a.op not in FIXED:
            self.need(a in self.known, f"{operand(a)} is not defined here")
        elif isinstance(a.data, tuple):
            self.need(len(a.data) == a.lanes, f"{operand(a)} has not one number for each lane")

    def _typed(self, a: Index, kind: str, lanes: int) -> None:
        found = ("i64", 1) if isinstance(a, int) else (a.kind, a.lanes)
        self.need(found == (kind, lanes), f"{operand(a)} is {found[0]} x {found[1]}, expected {kind} x {lanes}")

    def _unknown(self, v: Value) -> None:
        self.need(False, f"there is no operation {v.op}")

    # -- Arithmetic

    def _arithmetic(self, v: Value) -> None:
        self.need(len(v.args) == OPERANDS.get(v.op, 2), f"{v.op} takes {OPERANDS.get(v.op, 2)} operands")
        self.need(v.kind in KINDS[v.op], f"there is no {v.op} of {v.kind}")
        for a in v.args:
            self._typed(a, v.kind, v.lanes)

    def _compare(self, v: Value) -> None:
        a, b = v.args
        kind, lanes = ("i64", 1) if isinstance(a, int) else (a.kind, a.lanes)
        self._typed(b, kind, lanes)
        self.need((v.kind, v.lanes) == ("bool", lanes), f"a comparison of {lanes} lanes makes bool x {lanes}")
        tests = FLOAT_TESTS if kind in FLOATS else WHOLE_TESTS if kind in ("bool", *WHOLE) else ()
        self.need(v.data in tests, f"there is no comparison {v.data} of {kind}")

    def _select(self, v: Value) -> None:
        self._typed(v.args[0], "bool", v.lanes)
        for a in v.args[1:]:
            self._typed(a, v.kind, v.lanes)

    def _convert(self, v: Value) -> None:
        (a,) = v.args
        self.need(a.lanes == v.lanes, "a conversion keeps the lanes")
        self.need(a.kind != v.kind and {a.kind, v.kind} <= {*REALS, "bool", *WHOLE}, f"{a.kind} to {v.kind}")

    def _bitcast(self, v: Value) -> None:
        (a,) = v.args
        self.need(a.lanes == v.lanes and SIZES[a.kind] == SIZES[v.kind], "a bitcast keeps lanes and size")

    # -- Lanes

    def _splat(self, v: Value) -> None:
        self._typed(v.args[0], v.kind, 1)

    def _shuffle(self, v: Value) -> None:
        first = v.args[0]
        for a in v.args:
            self._typed(a, v.kind, first.lanes)
        self.need(len(v.data) == v.lanes, "a shuffle says where each of its lanes is from")
        self.need(all(0 <= k < len(v.args) * first.lanes for k in v.data), "a lane that there is not")

    def _insert(self, v: Value) -> None:
        self._typed(v.args[0], v.kind, v.lanes)
        self._typed(v.args[1], v.kind, 1)
        self.need(0 <= v.data < v.lanes, "a lane that there is not")

    def _extract(self, v: Value) -> None:
        self.need(v.args[0].kind == v.kind and v.lanes == 1, "one lane of its operand")
        self.need(0 <= v.data < v.args[0].lanes, "a lane that there is not")

    def _reduce(self, v: Value) -> None:
        (a,) = v.args
        self._typed(v, a.kind, 1)
        how = ("add", "mul") if a.kind in FLOATS else ("or",) if a.kind == "bool" else ("add", "mul", "max", "min")
        self.need(v.data in how, f"there is no reduction {v.data} of {a.kind}")

    # -- Memory

    def _at(self, v: Value) -> None:
        self._typed(v.args[0], "ptr", 1)
        self._typed(v.args[1], "i64", v.lanes)
        self.need(v.kind == "ptr" and v.data in SIZES, "an address is a pointer, in elements of a type")

    def _access(self, address: Index, lanes: int, lanes_of: int, data: Any) -> None:
        """An address, and how much from there on: alignment and the mask."""
        self._typed(address, "ptr", lanes)
        align, first = data
        self.need(align > 0 and align & (align - 1) == 0, f"{align} is no alignment")
        self.need(first is None or 0 < first < lanes_of, f"a mask of {first} of {lanes_of} lanes")

    def _load(self, v: Value) -> None:
        place, *mask = v.args
        self._access(place, 1, v.lanes, v.data)
        self._mask(mask, v.lanes, v.data)

    def _mask(self, mask: list[Index], lanes: int, data: Any) -> None:
        """A mask that says which lanes are touched, instead of a number of lanes."""
        for m in mask:
            self._typed(m, "bool", lanes)
            self.need(data[1] is None, "a mask and a number of lanes")

    def _store(self, v: Value) -> None:
        value, place, *mask = v.args
        self.need(isinstance(value, Value), "only typed numbers are stored")
        self._access(place, 1, value.lanes, v.data)
        self._mask(mask, value.lanes, v.data)

    def _gather(self, v: Value) -> None:
        self._access(v.args[0], v.lanes, v.lanes, v.data)

    def _zero(self, v: Value) -> None:
        self._typed(v.args[0], "ptr", 1)
        self.need(v.data > 0, f"{v.data} bytes")

    def _prefetch(self, v: Value) -> None:
        self._typed(v.args[0], "ptr", 1)

    def _stack(self, v: Value) -> None:
        self.need(v.data >= 0 and any(v is x for x in self.f.body), "memory on the stack is made in no loop")

    # -- Calls and control

    def _call(self, v: Value) -> None:
        self.need(isinstance(v.data, str), "a C function has a name")

    def _kernel(self, v: Value) -> None:
        self.need(isinstance(v.data, Function), "a kernel is a function")
        self._typed(v.args[0], "ptr", 1)
        for units in v.args[1:]:
            self._typed(units, "i64", 1)

    def _anything(self, v: Value) -> None:
        """Nothing more to check."""

    def _loop(self, v: Value) -> None:
        assert isinstance(v, Loop)
        begin, end, *first = v.args
        self._typed(begin, "i64", 1)
        self._typed(end, "i64", 1)
        self.need(isinstance(v.data, int) and v.data > 0, f"a loop goes forward, not by {v.data}")
        if isinstance(begin, int) and isinstance(end, int):
            self.need(not v.sure or begin < end, "a loop that is sure of a turn has none")
        self.need(not v.stops or bool(first) and not v.sure, "a loop that stops carries a test, and is sure of no turn")
        for test in v.carried[:1] if v.stops else ():
            self._typed(test, "bool", 1)
        self._same(v, v.carried, first, "enter")
        inside = [v.index, *v.carried]
        for value in inside:
            self._define(value)
        self._list(v.body, lambda: self._leaves(v, v.carried, v.following))
        self.at = v
        self._same(v, v.results, v.carried, "leave")
        self.known.difference_update(inside)

    def _leaves(self, v: Value, results: list[Value], values: Any) -> None:
        self.at = v
        for a in values:
            self._operand(a)
        self._same(v, results, values, "are carried on")

    def _same(self, v: Value, wanted: Any, found: Any, what: str) -> None:
        self.need(len(wanted) == len(found), f"{len(wanted)} values are carried, and {len(found)} {what}")
        for a, b in zip(wanted, found, strict=True):
            self._typed(b, a.kind, a.lanes)

    def _when(self, v: Value) -> None:
        assert isinstance(v, When)
        self._typed(v.args[0], "bool", 1)
        for body, values in zip((v.body, v.unless), v.values, strict=True):
            self._list(body, lambda values=values: self._leaves(v, v.results, values))  # type: ignore[misc]
            left = bool(body) and body[-1].op == "return"
            self.need(not left or not values, "what has left the function gives nothing")


RULES: dict[str, Callable[[_Functions, Value], None]] = {
    **dict.fromkeys(KINDS, _Functions._arithmetic), "compare": _Functions._compare, "select": _Functions._select,
    "convert": _Functions._convert, "bitcast": _Functions._bitcast, "splat": _Functions._splat,
    "shuffle": _Functions._shuffle, "insert": _Functions._insert, "extract": _Functions._extract,
    "reduce": _Functions._reduce, "at": _Functions._at, "load": _Functions._load, "store": _Functions._store,
    "gather": _Functions._gather, "zero": _Functions._zero,
    "prefetch": _Functions._prefetch, "stack": _Functions._stack, "call": _Functions._call,
    "kernel": _Functions._kernel, "team": _Functions._kernel, "cycles": _Functions._anything,
    "return": _Functions._anything, "for": _Functions._loop, "when": _Functions._when,
}  # fmt: skip


# ---------------------------------------------------------------------------------------------------------------------
# Plans


def plan(p: Plan, after: str) -> None:
    """Checks a Plan as a pass has left it."""
    _Plans(p, after).check()


class _Plans:
    """A Plan being checked: where each Symbol is made first, and which nest stores it."""

    def __init__(self, p: Plan, after: str) -> None:
        from . import fuse

        self.plan, self.after, self.words = p, after, fuse
        self.made: dict[Symbol, int] = {}
        self.stored: dict[Symbol, int] = {}
        for at, nest in enumerate(p.nests):
            inside = set(nest.body)  # a list would compare Symbols, which makes new ones
            for x in nest.body:
                self.made.setdefault(x, at)
            for x in nest.stored:
                self.need(x not in self.stored, at, x, "is stored twice")
                self.stored[x] = at
                self.need(x in inside, at, x, "is stored by a nest that does not make it")

    def need(self, holds: bool, at: int, x: Symbol, why: str) -> None:
        """Raises where something does not hold."""
        if not holds:
            raise Broken(f"after {self.after}: nest {at}: {x.kind} {x.dtype} {x.shape} {why}")

    def check(self) -> None:
        for at, nest in enumerate(self.plan.nests):
            before: set[Symbol] = set()
            for x in nest.body:
                self._shaped(at, nest.shape, x)
                for a in x.args:
                    self._read(at, x, a, before)
                before.add(x)
        for x, buffer in self.plan.buffers.items():
            at = self.stored.get(x, self.made.get(x, -1))
            self.need(len(buffer.strides) == x.ndim, at, x, f"lies in {len(buffer.strides)} dimensions")
            shared = x.kind in self.words.APART and has_internal_overlap(x.shape, buffer.strides)
            self.need(not shared, at, x, "has elements that share memory")
        if self.after in ("arena", "products"):
            self._arena()
            self._blocks()

    def _shaped(self, at: int, shape: tuple[int, ...], x: Symbol) -> None:
        """A Symbol runs over its nest's shape, and its operands over it or along it."""
        product = shape in (self.words.PRODUCT, self.words.SCAN, self.words.DRAWN)
        over = x.args[0].shape if x.kind == "reduce" else x.shape
        self.need(product or over == shape, at, x, f"in a nest over {shape}")
        if x.kind in ("contract", "scanned", "pick", "reduce", "added", "piece", "guard", "checked", "draw"):
            return
        for a in x.args:
            own = zip(reversed(a.shape), reversed(over))
            fits = a.ndim <= len(over) and all(n in (1, m) for n, m in own)
            self.need(fits, at, x, f"reads {a.kind} {a.shape}, which is no part of it")
        if x.kind in ("add", "subtract", "multiply", "negative", "broadcast"):
            alike = all(a.dtype == x.dtype for a in x.args)
            self.need(alike, at, x, f"is made of {', '.join(str(a.dtype) for a in x.args)}")

    def _read(self, at: int, x: Symbol, a: Symbol, before: set[Symbol]) -> None:
        """An operand is made before: here, element by element, or by an earlier nest."""
        source = a
        while source.kind == "view":
            for number in source.args[1:]:
                self.need(self._is_number(number), at, x, "reads a view at a place that is no number")
            source = source.args[0]
        if source.kind in self.words.LEAVES or self._is_number(source):
            return
        at_hand = a.kind not in self.words.APART or a.kind == "contract"
        if a in before and at_hand and not (x.kind == "pick" and a is x.args[0]):
            return
        for part in source.args if source.kind == "whole" else (source,):
            self.need(part in self.made, at, x, f"reads {a.kind} {a.shape}, which no nest makes")
            self.need(self.made[part] < at, at, x, f"reads {a.kind} {a.shape} of nest {self.made[part]}")
            known = self.stored.get(part, at)
            self.need(not self.stored or known < at, at, x, f"reads {a.kind} {a.shape}, which no earlier nest stores")

    def _is_number(self, x: Symbol) -> bool:
        return x.kind in ("number", "constant") or x in self.plan.uniform

    # -- The arena

    def _arena(self) -> None:
        """Buffers that live at the same time lie apart."""
        first, last = self._lives()
        inside = []
        for x, buffer in self.plan.buffers.items():
            if buffer.slot is None:
                size = extent(x.shape, buffer.strides) * x.dtype.itemsize
                self.need(0 <= buffer.offset <= self.plan.arena - size, first.get(x, -1), x, "lies outside the arena")
                inside.append((buffer.offset, buffer.offset + size, first.get(x, 0), last.get(x, 0), x))
        inside.sort(key=lambda e: e[0])
        for k, (_, end, born, dies, x) in enumerate(inside):
            for begin, _, other_born, other_dies, y in inside[k + 1 :]:
                if begin >= end:
                    break
                self.need(other_born > dies or other_dies < born, born, x, f"lies where {y.kind} {y.shape} does")

    def _blocks(self) -> None:
        """What is taken is taken by nobody else meanwhile."""
        taken = sorted(self.plan.memories.taken.tolist())
        for k, (begin, end, born, dies) in enumerate(taken):
            for other, _, other_born, other_dies in taken[k + 1 :]:
                if other >= end:
                    break
                if other_born <= dies and other_dies >= born:
                    raise Broken(f"after {self.after}: memory of {end - begin} bytes at {begin} is taken twice")
            if end > self.plan.arena:
                raise Broken(f"after {self.after}: memory of {end - begin} bytes at {begin} lies outside the arena")

    def _lives(self) -> tuple[dict[Symbol, int], dict[Symbol, int]]:
        """The first and the last nest that touch each buffer."""
        first: dict[Symbol, int] = {}
        last: dict[Symbol, int] = {}
        for at, nest in enumerate(self.plan.nests):
            for x in nest.body:
                for a in (x, *x.args):
                    while a.kind == "view":
                        a = a.args[0]
                    a = self.plan.owner.get(a, a)
                    first.setdefault(a, at)
                    last[a] = at
        return first, last
