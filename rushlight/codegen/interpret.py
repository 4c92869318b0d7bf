"""The loop IR run in NumPy, one instruction after the other: slow, and strict about memory.

Every value is an array of as many elements as it has lanes, every address a `Pointer` into a `Memory` that knows where
it ends, which of its bytes have been written, and whether it may be.  So an access outside its array, a read of stack
memory or of a result before anything is there, and a write to an input are errors (`Fault`).  `Interpreted` stands for
the native function of an entry; a kernel that the team would share is run in so many parts, one after the other.
"""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.lib.array_utils import byte_bounds

from .array_layout import ALIGNED, C_CONTIGUOUS, DATA, DTYPE, FLAGS, NUMBER, STRIDES
from .drawing import FILL
from .imports import ARRAY
from .ir import SIZES, Function, Index, Loop, Value, When, operand

if TYPE_CHECKING:
    from .entry import Entry

DTYPES = {"f64": np.float64, "f32": np.float32, "f16": np.float16, "bf16": np.uint16, "u16": np.uint16,
          "i64": np.int64, "i32": np.int32, "u8": np.uint8, "bool": np.bool_}  # fmt: skip
Numbers = Any  # an array with an element for each lane
OBJECT = 72  # bytes of an array object that an entry may look at
SPLITTER = 2.0**27 + 1  # cuts a float64 into two halves whose products are exact
FURTHEST = 5000  # beyond any float's exponent


class Fault(Exception):
    """An access that machine code must not make."""


class Memory:
    """A stretch of memory.

    Attributes:
        data: its bytes.
        written: which of them hold something.
        pointers: the addresses that are stored in it, by where; they have no bytes.
        value: what it is, of an object that is no array.
    """

    def __init__(self, name: str, data: np.ndarray, written: bool = True, constant: bool = False) -> None:
        self.name = name
        self.data = data
        self.written = np.full(data.size, written)
        self.constant = constant
        self.pointers: dict[int, Pointer] = {}
        self.value: Any = None

    def reach(self, offset: int, nbytes: int, align: int) -> slice:
        """A stretch of it, which must lie inside."""
        if offset < 0 or offset + nbytes > self.data.size:
            raise Fault(f"bytes {offset} to {offset + nbytes} of {self.name}, which has {self.data.size}")
        if offset % align:
            raise Fault(f"byte {offset} of {self.name} is not aligned to {align}")
        return slice(offset, offset + nbytes)

    def read(self, offset: int, kind: str, count: int, align: int) -> Any:
        """Elements from a place on."""
        where = self.reach(offset, count * SIZES[kind], align)
        if kind == "ptr":
            if offset not in self.pointers:
                raise Fault(f"byte {offset} of {self.name} holds no address")
            return self.pointers[offset]
        if not self.written[where].all():
            raise Fault(f"reads bytes {where.start} to {where.stop} of {self.name}, where nothing is yet")
        return self.data[where].copy().view(DTYPES[kind])

    def write(self, offset: int, kind: str, numbers: Any, align: int) -> None:
        """Elements to a place."""
        count = 1 if kind == "ptr" else numbers.size
        where = self.reach(offset, count * SIZES[kind], align)
        if self.constant:
            raise Fault(f"writes to {self.name}")
        if kind == "ptr":
            self.pointers[offset] = numbers
        else:
            self.data[where] = np.ascontiguousarray(numbers).view(np.uint8)
        self.written[where] = True


class Pointer:
    """An address."""

    __slots__ = ("memory", "offset")

    def __init__(self, memory: Memory, offset: int = 0) -> None:
        self.memory = memory
        self.offset = offset

    def __add__(self, nbytes: int) -> Pointer:
        return Pointer(self.memory, self.offset + nbytes)


class _Left(Exception):
    """A function is left, with a value."""

    def __init__(self, value: Any) -> None:
        self.value = value


class Interpreter:
    """Runs functions.

    Attributes:
        parts: into how many pieces the units of a kernel of the team are cut.
        known: what the program is linked with, by name.
    """

    def __init__(self, known: dict[str, Pointer], parts: int = 1) -> None:
        self.known = known
        self.parts = parts
        self.values: dict[Value, Any] = {}

    def call(self, function: Function, arguments: Sequence[Any]) -> Any:
        """Runs a function; numbers among the arguments are ints."""
        outer = self.values
        given = [_int(a) if isinstance(a, int) else a for a in arguments]
        self.values = dict(zip(function.parameters, given, strict=True))
        try:
            with np.errstate(all="ignore"):
                self._list(function.body)
        except _Left as left:
            return left.value
        finally:
            self.values = outer
        raise Fault(f"{function.name} does not return")

    def of(self, a: Index) -> Any:
        """What an operand is."""
        if isinstance(a, int):
            return _int(a)
        if a.op == "global":
            return self.known[a.data]
        if a.op == "const":
            return Pointer(Memory("nowhere", np.empty(0, np.uint8)), a.data) if a.kind == "ptr" else _constant(a)
        return np.zeros(a.lanes, DTYPES[a.kind]) if a.op == "undefined" else self.values[a]

    def _list(self, body: list[Value]) -> None:
        for v in body:
            try:
                self._run(v)
            except Fault as fault:
                if not fault.args[1:]:  # where it is from is said once, innermost
                    raise Fault(f"{v.name or v.op} = {v.op} {', '.join(map(operand, v.args))}: {fault}", v) from None
                raise

    def _run(self, v: Value) -> None:
        plain = PLAIN.get(v.op)
        if plain is not None:
            self.values[v] = plain(*[self.of(a) for a in v.args])
            return
        made = SPECIAL[v.op](self, v, *([] if isinstance(v, (Loop, When)) else [self.of(a) for a in v.args]))
        if v.kind:
            self.values[v] = made

    # -- Control

    def _loop(self, v: Value) -> None:
        assert isinstance(v, Loop)
        begin, end, *carried = [self.of(a) for a in v.args]
        if v.sure and int(begin[0]) >= int(end[0]):
            raise Fault("a loop that is sure of a turn has none")
        for k in range(int(begin[0]), int(end[0]), v.data):
            if v.stops and carried[0][0]:
                break
            self.values[v.index] = _int(k)
            self.values.update(zip(v.carried, carried, strict=True))
            self._list(v.body)
            carried = [self.of(a) for a in v.following]
        self.values.update(zip(v.results, carried, strict=True))

    def _when(self, v: Value) -> None:
        assert isinstance(v, When)
        holds = bool(self.of(v.args[0])[0])
        self._list(v.body if holds else v.unless)
        self.values.update(zip(v.results, [self.of(a) for a in v.values[not holds]], strict=True))

    def _return(self, v: Value, value: Any = None) -> None:
        raise _Left(value)

    # -- Memory

    def _at(self, v: Value, base: Pointer, offset: Numbers) -> Any:
        places = [base + int(k) * SIZES[v.data] for k in offset]
        return places[0] if v.lanes == 1 else places

    def _load(self, v: Value, place: Pointer, mask: Any = None) -> Any:
        align, first = v.data
        if mask is not None:
            return self._read([place + k * SIZES[v.kind] if m else None for k, m in enumerate(mask)], v.kind, align)
        count = v.lanes if first is None else first
        found = place.memory.read(place.offset, v.kind, count, align)
        return found if count == v.lanes else np.append(found, np.zeros(v.lanes - count, found.dtype))

    def _read(self, places: Sequence[Pointer | None], kind: str, align: int) -> Numbers:
        """An element from every address, and 0 where there is none."""
        found: Numbers = np.zeros(len(places), DTYPES[kind])
        for k, place in enumerate(places):
            if place is not None:
                found[k] = place.memory.read(place.offset, kind, 1, align)[0]
        return found

    def _store(self, v: Value, numbers: Any, place: Pointer, mask: Any = None) -> None:
        align, first = v.data
        for k in np.flatnonzero(mask) if mask is not None else ():
            kind = v.args[0].kind
            place.memory.write(place.offset + int(k) * SIZES[kind], kind, numbers[k : k + 1], align)
        if mask is not None:
            return
        place.memory.write(place.offset, v.args[0].kind, numbers if first is None else numbers[:first], align)

    def _gather(self, v: Value, places: list[Pointer]) -> Numbers:
        align, first = v.data
        return self._read([p if first is None or k < first else None for k, p in enumerate(places)], v.kind, align)

    def _zero(self, v: Value, place: Pointer) -> None:
        place.memory.write(place.offset, "u8", np.zeros(v.data, np.uint8), 1)

    def _prefetch(self, v: Value, place: Pointer) -> None:
        """Nothing that could be seen."""

    def _stack(self, v: Value) -> Pointer:
        return Pointer(Memory(f"the stack's {v.name}", np.empty(v.data, np.uint8), written=False))

    # -- Lanes

    def _shuffle(self, v: Value, *vectors: Numbers) -> Numbers:
        return np.concatenate(vectors)[list(v.data)]

    def _insert(self, v: Value, vector: Numbers, one: Numbers) -> Numbers:
        made = vector.copy()
        made[v.data] = one[0]
        return made

    def _reduce(self, v: Value, vector: Numbers) -> Numbers:
        join = {"add": np.add, "mul": np.multiply, "max": np.maximum, "min": np.minimum, "or": np.logical_or}[v.data]
        while vector.size > 1 and vector.size % 2 == 0:  # the upper half with the lower, as processors do
            vector = join(vector[: vector.size // 2], vector[vector.size // 2 :])
        return np.asarray(join.reduce(vector), vector.dtype).reshape(1)

    # -- Calls

    def _call(self, v: Value, *arguments: Any) -> Any:
        if v.data == "Py_IncRef":
            return None
        if v.data in READERS:
            return np.array([READERS[v.data](arguments[0].memory.value)], DTYPES[v.kind])
        if v.data.startswith(FILL):
            return _filled(v.data.removeprefix(FILL), *arguments)
        return getattr(np, v.data)(*arguments)

    def _kernel(self, v: Value, context: Pointer) -> None:
        self.call(v.data, [context, 0, 0, 0])

    def _team(self, v: Value, context: Pointer, units: Numbers) -> None:
        cuts = [int(units[0]) * k // self.parts for k in range(self.parts + 1)]
        for thread, (first, last) in enumerate(zip(cuts, cuts[1:])):
            if first < last:
                self.call(v.data, [context, thread, first, last])


def _filled(name: str, state: Pointer, out: Pointer, count: Numbers, *parameters: Numbers) -> Pointer:
    """Random numbers: a filling is one instruction here, and changes the engine's state, although that is an input."""
    from .mersenne import FILLINGS
    from .routines import fillings

    kind = FILLINGS[name.replace("normals32", "normal32")].kind
    numbers: Numbers = np.empty(int(count[0]), DTYPES[kind])
    cells = state.memory.data[state.offset :].view(np.int32)
    fillings().functions[name](cells, numbers, numbers.size, *[float(p[0]) for p in parameters])
    out.memory.write(out.offset, kind, numbers, SIZES[kind])
    return out


# ---------------------------------------------------------------------------------------------------------------------
# Arithmetic


@functools.lru_cache(4096)
def _int(n: int) -> Numbers:
    return np.array([n], np.int64)


def _constant(a: Value) -> Numbers:
    dtype = DTYPES[a.kind]
    if a.kind == "bf16":
        return np.full(a.lanes, np.float32(a.data).view(np.uint32) >> 16, dtype)
    if isinstance(a.data, tuple):
        return np.array(a.data, dtype)
    return np.full(a.lanes, a.data).astype(dtype)


def _fma(a: Numbers, b: Numbers, c: Numbers) -> Numbers:
    """a * b + c rounded once; in float64 all but ties, which may fall the other way."""
    if a.dtype == np.float32:
        product = a.astype(np.float64) * b
        total, rest = _two_sum(product, c.astype(np.float64))
        even = (total.view(np.int64) & 1 == 0) & (rest != 0) & np.isfinite(total)
        odd = np.nextafter(total, np.where(rest > 0, np.inf, -np.inf))
        return np.where(even, odd, total).astype(np.float32)
    product, lost = _two_product(a, b)
    total, rest = _two_sum(product, c)
    exact = total + (rest + lost)
    plain = ~np.isfinite(exact) | (rest + lost == 0)  # also -0.0, which is no sum with 0.0
    return np.where(plain, a * b + c, exact)


def _two_sum(a: Numbers, b: Numbers) -> tuple[Numbers, Numbers]:
    """a + b, and what rounding lost of it."""
    total = a + b
    back = total - a
    return total, (a - (total - back)) + (b - back)


def _two_product(a: Numbers, b: Numbers) -> tuple[Numbers, Numbers]:
    """a * b, and what rounding lost of it."""
    product = a * b
    halves = []
    for x in (a, b):
        upper = x * SPLITTER - (x * SPLITTER - x)
        halves.append((upper, x - upper))
    (ah, al), (bh, bl) = halves
    return product, ((ah * bh - product) + ah * bl + al * bh) + al * bl


def _quotient(a: Numbers, b: Numbers) -> Numbers:
    if a.dtype.kind == "f":
        return a / b
    size = np.abs(a) // np.abs(b)
    return np.where((a < 0) != (b < 0), -size, size).astype(a.dtype)


def _scale(x: Numbers, n: Numbers) -> Numbers:
    return np.ldexp(x, np.clip(np.nan_to_num(np.floor(n)), -FURTHEST, FURTHEST).astype(np.int32))


def _unsigned(a: Numbers) -> Numbers:
    return a.view(f"u{a.itemsize}") if a.dtype.kind == "i" else a


def _compare(v: Value, a: Numbers, b: Numbers) -> Numbers:
    how: str = v.data
    if a.dtype.kind == "f":
        if how == "uno":
            return np.isnan(a) | np.isnan(b)
        letter, how = how[0], how[1:]
        either = np.isnan(a) | np.isnan(b)
        found = TESTS[how](a, b)
        return found & ~either if letter == "o" else found | either
    if len(how) == 3 and how[0] == "u":
        a, b = _unsigned(a), _unsigned(b)
    return TESTS[how[-2:]](a, b)


TESTS: dict[str, Callable[..., Any]] = {
    "eq": np.equal, "ne": np.not_equal, "lt": np.less, "le": np.less_equal, "gt": np.greater, "ge": np.greater_equal
}  # fmt: skip
READERS: dict[str, Callable[[Any], Any]] = {
    "PyFloat_AsDouble": float, "PyLong_AsLongLong": int, "PyObject_IsTrue": bool
}  # fmt: skip
PLAIN: dict[str, Callable[..., Any]] = {
    "add": np.add, "sub": np.subtract, "mul": np.multiply, "div": _quotient, "rem": np.fmod, "and": np.bitwise_and,
    "or": np.bitwise_or, "xor": np.bitwise_xor, "shl": np.left_shift, "shr": np.right_shift,
    "lshr": lambda a, b: (_unsigned(a) >> _unsigned(b)).view(a.dtype), "udiv": np.floor_divide,
    "urem": np.remainder, "min": np.minimum, "max": np.maximum, "neg": np.negative, "abs": np.abs, "sqrt": np.sqrt,
    "floor": np.floor, "ceil": np.ceil, "trunc": np.trunc, "rint": np.rint, "copysign": np.copysign, "fma": _fma,
    "scale": _scale, "select": np.where,
}  # fmt: skip
SPECIAL: dict[str, Callable[..., Any]] = {
    "for": Interpreter._loop, "when": Interpreter._when, "return": Interpreter._return, "at": Interpreter._at,
    "load": Interpreter._load, "store": Interpreter._store, "gather": Interpreter._gather,
    "zero": Interpreter._zero, "prefetch": Interpreter._prefetch, "stack": Interpreter._stack,
    "shuffle": Interpreter._shuffle, "insert": Interpreter._insert, "reduce": Interpreter._reduce,
    "call": Interpreter._call, "kernel": Interpreter._kernel, "team": Interpreter._team,
    "cycles": lambda self, v: _int(0), "compare": lambda self, v, a, b: _compare(v, a, b),
    "extract": lambda self, v, a: a[v.data : v.data + 1],
    "convert": lambda self, v, a: a.astype(DTYPES[v.kind]), "bitcast": lambda self, v, a: a.view(DTYPES[v.kind]),
    "splat": lambda self, v, a: np.repeat(a, v.lanes),
}  # fmt: skip


# ---------------------------------------------------------------------------------------------------------------------
# Entries


class Interpreted:
    """An entry as a function of the same objects that the native one takes: the arena, inputs, numbers, results.

    The entry must have kept its instructions (`PlannedProgram(..., keep=True)`).
    """

    def __init__(self, entry: Entry, parts: int = 1) -> None:
        self.entry = entry
        self.parts = parts

    def __call__(self, arena: np.ndarray, *objects: Any) -> bool:
        e = self.entry
        count = len(e.arrays) + len(e.numbers)
        memories: dict[tuple[int, int], Memory] = {}
        for k, x in enumerate(objects[: len(e.arrays)]):
            memories.setdefault(byte_bounds(x), _memory(f"input {k}", x, constant=True))
        for k, x in enumerate(objects[count:]):
            found = memories.setdefault(byte_bounds(x), _memory(f"result {k}", x, written=False))
            found.constant = False  # an input that is updated where it lies
        arguments = Memory("the arguments", np.zeros(8 * (1 + len(objects)), np.uint8))
        arguments.pointers[0] = _array(arena, _memory("the arena", arena))
        for k, x in enumerate(objects, 1):
            array = isinstance(x, np.ndarray)
            arguments.pointers[8 * k] = _array(x, memories[byte_bounds(x)]) if array else _number(x)
        known = {name: Pointer(Memory(name, np.empty(0, np.uint8))) for name in ("_Py_TrueStruct", "_Py_FalseStruct")}
        known.update((t.name, Pointer(_memory(t.name, t.values, constant=True))) for t in e.tables)
        answer = Interpreter(known, self.parts).call(e.function, [known["_Py_TrueStruct"], Pointer(arguments), 0])
        return answer is known["_Py_TrueStruct"]


def called(function: Function, objects: Sequence[Any], fresh: Collection[int] = ()) -> bool:
    """Runs a function of Python's objects that is no run's entry: arrays and numbers.

    Its arrays may all be written to; those at the places `fresh` hold nothing yet.
    """
    arguments = Memory("the arguments", np.zeros(8 * len(objects), np.uint8))
    memories: dict[tuple[int, int], Memory] = {}
    for k, x in enumerate(objects):
        if isinstance(x, np.ndarray):
            memory = memories.setdefault(byte_bounds(x), _memory(f"array {k}", x, written=k not in fresh))
            arguments.pointers[8 * k] = _array(x, memory)
        else:
            arguments.pointers[8 * k] = _number(x)
    known = {name: Pointer(Memory(name, np.empty(0, np.uint8))) for name in ("_Py_TrueStruct", "_Py_FalseStruct")}
    known[ARRAY] = Pointer(Memory(ARRAY, np.zeros(8, np.uint8)))  # as every array object here says of itself
    answer = Interpreter(known).call(function, [known["_Py_TrueStruct"], Pointer(arguments), len(objects)])
    return answer is known["_Py_TrueStruct"]


def _memory(name: str, x: np.ndarray, written: bool = True, constant: bool = False) -> Memory:
    """The memory that an array's elements lie in."""
    low, high = byte_bounds(x)
    data = np.ctypeslib.as_array((ctypes.c_uint8 * (high - low)).from_address(low))
    made = Memory(name, data, written, constant)
    made.value = x  # as long as the memory, so does the array live
    return made


def _array(x: np.ndarray, memory: Memory) -> Pointer:
    """An array object, as far as entries look at it."""
    made = Memory("an array object", np.zeros(OBJECT, np.uint8))
    made.pointers[DATA] = Pointer(memory, x.ctypes.data - byte_bounds(x)[0])
    made.pointers[STRIDES] = Pointer(_memory("strides", np.array(x.strides or (0,), np.int64)))
    flags = np.array([C_CONTIGUOUS * x.flags.c_contiguous + ALIGNED * x.flags.aligned], np.int32)
    made.write(FLAGS, "i32", flags, SIZES["i32"])
    dtype = Memory("a dtype", np.zeros(NUMBER + SIZES["i32"], np.uint8))
    dtype.write(NUMBER, "i32", np.array([x.dtype.num], np.int32), SIZES["i32"])
    made.pointers[DTYPE] = Pointer(dtype)
    return Pointer(made)


def _number(x: Any) -> Pointer:
    made = Memory("a number", np.empty(0, np.uint8))
    made.value = x
    return Pointer(made)
