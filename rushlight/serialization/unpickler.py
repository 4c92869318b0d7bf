"""Reads a pickle as data: PyTorch's pickles hold a small program for a stack machine, and this is the machine.

It knows the instructions that data needs.  A global is looked up in the allow-list (`allowlist.py`), "call" means the
function of our own that stands for the global (`builders.py`), and nothing else is ever called, except what the program
itself declared with `add_safe_globals`.  Work and memory are bounded by the length of the pickle: lengths are checked
against the bytes that are there, objects are paid for out of a budget that grows with the pickle, and nesting has a
limit.

`Source` is the part of a file that may be read; `Unpickler(source, storage).load()` gives the object, where
`storage(description)` answers the persistent ids.
"""

from __future__ import annotations

import pickle
import struct
from collections import deque
from collections.abc import Callable, Iterator
from pickle import UnpicklingError
from typing import Any

from rushlight.record.value import Tensor

from . import allowlist
from .builders import CALLS, NEWS, STATES, check_key

#: What a pickle may make, in units of some 64 bytes of memory: so much anyway, and so much for each of its bytes. No
#: pickle that was written by pickling comes near; one that has the machine copy the same thing again and again does.
FREE_BUDGET = 300_000
BUDGET_OF_A_BYTE = 2
CALL_COST = 8
MAX_MARKS = 10_000
MAX_LEVELS = 1000  # of containers inside containers; Python's own pickle cannot write deeper ones
MAX_LINE = 1 << 16

_int8, _int16, _int32 = struct.Struct("<B").unpack, struct.Struct("<H").unpack, struct.Struct("<i").unpack
_uint32, _uint64, _float64 = struct.Struct("<I").unpack, struct.Struct("<Q").unpack, struct.Struct(">d").unpack

OPCODES: dict[int, Callable[[Unpickler], None]] = {}


class Source:
    """What is left to read of a file between two positions."""

    def __init__(self, file: Any, left: int) -> None:
        self.file = file
        self.left = left

    def read(self, n: int) -> bytes:
        """Exactly `n` bytes."""
        if n > self.left:
            raise UnpicklingError("pickle data was truncated" if self.left or n > 1 else "Ran out of input")
        found = self.file.read(n)
        if len(found) != n:
            raise UnpicklingError("pickle data was truncated")
        self.left -= n
        return found

    def line(self) -> bytes:
        """A line, without its end."""
        found = self.file.readline(min(self.left, MAX_LINE))
        self.left -= len(found)
        if not found.endswith(b"\n"):
            raise UnpicklingError("pickle data was truncated, or a line in it is too long")
        return found[:-1]


def does(opcode: bytes) -> Callable[[Callable[[Unpickler], None]], Callable[[Unpickler], None]]:
    """Registers a method as the meaning of an instruction."""

    def mark(f: Callable[[Unpickler], None]) -> Callable[[Unpickler], None]:
        OPCODES[opcode[0]] = f
        return f

    return mark


class _Stop(Exception):
    """The end of the pickle."""


class _OfTheStorage(Exception):
    """Carries an error of the storage's reader, or of the program's `map_location`, out unchanged."""


class Unpickler:
    """One run of the machine.

    With `dry`, nothing is built: the run only finds out which storages the pickle uses.
    """

    def __init__(
        self, source: Source, storage: Callable[[tuple[Any, ...]], Any], encoding: str = "utf-8", dry: bool = False
    ) -> None:
        self.source = source
        self.storage = storage
        self.encoding = encoding
        self.dry = dry
        self.stack: list[Any] = []
        self.marks: list[list[Any]] = []
        self.memo: dict[int, Any] = {}
        self.objects = 0
        self.budget = FREE_BUDGET + BUDGET_OF_A_BYTE * source.left
        self.fragile = 0
        self.globals: dict[tuple[str, str], Any] = {}
        self.trusted = allowlist.trusted()[1]

    def load(self) -> Any:
        """Runs to the end of the pickle; raises UnpicklingError for whatever is wrong with it."""
        read, opcode = self.source.read, b""
        try:
            while True:
                opcode = read(1)
                step = OPCODES.get(opcode[0])
                if step is None:
                    raise UnpicklingError(f"Unsupported operand {opcode[0]}")
                step(self)
        except _Stop:
            pass
        except _OfTheStorage as carried:
            raise carried.args[0] from None
        except (UnpicklingError, NotImplementedError, ImportError):
            raise
        except MemoryError:
            raise UnpicklingError("the file asks for more memory than there is") from None
        except Exception as error:
            raise UnpicklingError(
                f"bad instruction {opcode!r} in the pickle: {type(error).__name__}: {error}"
            ) from error
        made = self.stack[-1] if self.stack else None
        if not self.stack or self.marks:
            raise UnpicklingError("unpickling stack underflow")
        if self.objects > MAX_LEVELS:
            check_depth(made)
        return made

    def is_trusted(self, thing: Any) -> bool:
        """Whether the program has declared this class or function safe."""
        return any(thing is t for t in self.trusted)

    def count(self, objects: int = 1) -> None:
        """Counts what is made, before it is made, and stops a file that makes more than its length explains."""
        self.objects += objects
        if self.objects > self.budget:
            raise UnpicklingError("the pickle makes far more objects than one of its length would hold: it misleads")

    def find(self, module: str, name: str) -> Any:
        """The object behind a global."""
        key = module, name
        if key not in self.globals:
            self.globals[key] = allowlist.resolve(module, name)
        return self.globals[key]

    def pop_mark(self) -> list[Any]:
        """What was pushed since the last mark."""
        items = self.stack
        self.stack = self.marks.pop()
        return items

    def text(self, raw: bytes) -> Any:
        """A byte string of Python 2."""
        return raw if self.encoding == "bytes" else raw.decode(self.encoding)


# ---------------------------------------------------------------------------------------------------------------------
# Frames, marks, memo


@does(pickle.PROTO)
def _proto(vm: Unpickler) -> None:
    protocol = vm.source.read(1)[0]
    if protocol > 5:
        raise UnpicklingError(f"unsupported pickle protocol: {protocol}")


@does(pickle.FRAME)
def _frame(vm: Unpickler) -> None:
    if _uint64(vm.source.read(8))[0] > vm.source.left:
        raise UnpicklingError("pickle data was truncated")


@does(pickle.STOP)
def _stop(vm: Unpickler) -> None:
    raise _Stop


@does(pickle.MARK)
def _mark(vm: Unpickler) -> None:
    if len(vm.marks) >= MAX_MARKS:
        raise UnpicklingError("the pickle is nested too deeply")
    vm.marks.append(vm.stack)
    vm.stack = []


@does(pickle.POP)
def _pop(vm: Unpickler) -> None:
    if vm.stack:
        vm.stack.pop()
    else:
        vm.pop_mark()


@does(pickle.POP_MARK)
def _pop_to_mark(vm: Unpickler) -> None:
    vm.pop_mark()


@does(pickle.DUP)
def _dup(vm: Unpickler) -> None:
    vm.stack.append(vm.stack[-1])


def _remember(vm: Unpickler, place: int) -> None:
    if place < 0:
        raise UnpicklingError("a place in the memory of the pickle is negative")
    vm.memo[place] = vm.stack[-1]


def _recall(vm: Unpickler, place: int) -> None:
    if place not in vm.memo:
        raise UnpicklingError(f"Memo value not found at index {place}")
    vm.stack.append(vm.memo[place])


does(pickle.MEMOIZE)(lambda vm: _remember(vm, len(vm.memo)))
does(pickle.BINPUT)(lambda vm: _remember(vm, vm.source.read(1)[0]))
does(pickle.LONG_BINPUT)(lambda vm: _remember(vm, _uint32(vm.source.read(4))[0]))
does(pickle.PUT)(lambda vm: _remember(vm, int(vm.source.line())))
does(pickle.BINGET)(lambda vm: _recall(vm, vm.source.read(1)[0]))
does(pickle.LONG_BINGET)(lambda vm: _recall(vm, _uint32(vm.source.read(4))[0]))
does(pickle.GET)(lambda vm: _recall(vm, int(vm.source.line())))

# ---------------------------------------------------------------------------------------------------------------------
# Numbers and texts


def _pushes(opcode: bytes, value: Callable[[Unpickler], Any]) -> None:
    does(opcode)(lambda vm: vm.stack.append(value(vm)))


_pushes(pickle.NONE, lambda vm: None)
_pushes(pickle.NEWTRUE, lambda vm: True)
_pushes(pickle.NEWFALSE, lambda vm: False)
_pushes(pickle.BININT, lambda vm: _int32(vm.source.read(4))[0])
_pushes(pickle.BININT1, lambda vm: vm.source.read(1)[0])
_pushes(pickle.BININT2, lambda vm: _int16(vm.source.read(2))[0])
_pushes(pickle.BINFLOAT, lambda vm: _float64(vm.source.read(8))[0])
_pushes(pickle.FLOAT, lambda vm: float(vm.source.line()))
_pushes(pickle.LONG, lambda vm: int(vm.source.line().removesuffix(b"L")))
_pushes(pickle.LONG1, lambda vm: pickle.decode_long(vm.source.read(vm.source.read(1)[0])))
_pushes(pickle.LONG4, lambda vm: pickle.decode_long(vm.source.read(_length32(vm))))
_pushes(pickle.UNICODE, lambda vm: vm.source.line().decode("raw-unicode-escape"))
_pushes(pickle.BINUNICODE, lambda vm: _utf8(vm.source.read(_uint32(vm.source.read(4))[0])))
_pushes(pickle.BINUNICODE8, lambda vm: _utf8(vm.source.read(_uint64(vm.source.read(8))[0])))
_pushes(pickle.SHORT_BINUNICODE, lambda vm: _utf8(vm.source.read(vm.source.read(1)[0])))
_pushes(pickle.BINBYTES, lambda vm: vm.source.read(_uint32(vm.source.read(4))[0]))
_pushes(pickle.BINBYTES8, lambda vm: vm.source.read(_uint64(vm.source.read(8))[0]))
_pushes(pickle.SHORT_BINBYTES, lambda vm: vm.source.read(vm.source.read(1)[0]))
_pushes(pickle.BYTEARRAY8, lambda vm: bytearray(vm.source.read(_uint64(vm.source.read(8))[0])))
_pushes(pickle.BINSTRING, lambda vm: vm.text(vm.source.read(_length32(vm))))
_pushes(pickle.SHORT_BINSTRING, lambda vm: vm.text(vm.source.read(vm.source.read(1)[0])))


def _utf8(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogatepass")


def _length32(vm: Unpickler) -> int:
    length = _int32(vm.source.read(4))[0]
    if length < 0:
        raise UnpicklingError("a length in the pickle is negative")
    return length


@does(pickle.INT)
def _int(vm: Unpickler) -> None:
    line = vm.source.line()
    vm.stack.append({b"00": False, b"01": True}[line] if line in (b"00", b"01") else int(line))


# ---------------------------------------------------------------------------------------------------------------------
# Containers


def _tuple(vm: Unpickler, n: int) -> None:
    vm.count()
    if len(vm.stack) < n:
        raise UnpicklingError("unpickling stack underflow")
    vm.stack[len(vm.stack) - n :] = [tuple(vm.stack[len(vm.stack) - n :])]


for _n, _code in enumerate((pickle.EMPTY_TUPLE, pickle.TUPLE1, pickle.TUPLE2, pickle.TUPLE3)):
    does(_code)(lambda vm, n=_n: _tuple(vm, n))  # type: ignore[misc]


def _makes(opcode: bytes, cost: int, make: Callable[[list[Any]], Any], marked: bool) -> None:
    def step(vm: Unpickler) -> None:
        vm.count(cost)
        items = vm.pop_mark() if marked else []
        vm.stack.append(UNBUILT if vm.dry and make is not tuple else make(items))

    does(opcode)(step)


def _dict_of(items: list[Any]) -> dict[Any, Any]:
    made: dict[Any, Any] = {}
    _fill_dict(made, items)
    return made


def _frozenset_of(items: list[Any]) -> frozenset[Any]:
    for item in items:
        check_key(item)
    return frozenset(items)


class Unbuilt:
    """Stands for whatever a dry run does not build."""


UNBUILT = Unbuilt()


_makes(pickle.TUPLE, 1, tuple, True)
_makes(pickle.LIST, 1, list, True)
_makes(pickle.DICT, 1, _dict_of, True)
_makes(pickle.FROZENSET, 4, _frozenset_of, True)
_makes(pickle.EMPTY_LIST, 1, list, False)
_makes(pickle.EMPTY_DICT, 1, dict, False)
_makes(pickle.EMPTY_SET, 4, set, False)


def _fill_list(target: Any, items: list[Any]) -> None:
    if not isinstance(target, (list, deque)):
        raise UnpicklingError(f"Can only append to lists, but got {type(target)}")
    target.extend(items)


def _fill_dict(target: Any, items: list[Any]) -> None:
    if not isinstance(target, dict) or len(items) % 2:
        raise UnpicklingError(f"Can only set items of dictionaries, in pairs, but got {type(target)}")
    for key, value in zip(items[::2], items[1::2], strict=True):
        check_key(key)
        target[key] = value


@does(pickle.APPEND)
def _append(vm: Unpickler) -> None:
    item = vm.stack.pop()
    if not vm.dry:
        _fill_list(vm.stack[-1], [item])


@does(pickle.APPENDS)
def _appends(vm: Unpickler) -> None:
    items = vm.pop_mark()
    if not vm.dry:
        _fill_list(vm.stack[-1], items)


@does(pickle.SETITEM)
def _set_item(vm: Unpickler) -> None:
    value = vm.stack.pop()
    key = vm.stack.pop()
    if not vm.dry:
        _fill_dict(vm.stack[-1], [key, value])


@does(pickle.SETITEMS)
def _set_items(vm: Unpickler) -> None:
    items = vm.pop_mark()
    if not vm.dry:
        _fill_dict(vm.stack[-1], items)


@does(pickle.ADDITEMS)
def _add_items(vm: Unpickler) -> None:
    items = vm.pop_mark()
    target = vm.stack[-1]
    if vm.dry:
        return
    if not isinstance(target, set):
        raise UnpicklingError(f"Can only add to sets, but got {type(target)}")
    for item in items:
        check_key(item)
    target.update(items)


# ---------------------------------------------------------------------------------------------------------------------
# Globals and what is built with them


@does(pickle.GLOBAL)
def _global(vm: Unpickler) -> None:
    module, name = vm.source.line().decode("utf-8"), vm.source.line().decode("utf-8")
    vm.stack.append(vm.find(module, name))


@does(pickle.STACK_GLOBAL)
def _stack_global(vm: Unpickler) -> None:
    name, module = vm.stack.pop(), vm.stack.pop()
    if type(name) is not str or type(module) is not str:
        raise UnpicklingError("STACK_GLOBAL requires str")
    vm.stack.append(vm.find(module, name))


def _entry(table: dict[Any, Any], thing: Any) -> Any:
    """The table's entry for an object, which may be one that cannot be hashed."""
    return table.get(thing) if callable(thing) and not isinstance(thing, Tensor) else None


@does(pickle.REDUCE)
def _reduce(vm: Unpickler) -> None:
    vm.count(CALL_COST)
    args, target = vm.stack.pop(), vm.stack.pop()
    if type(args) is not tuple:
        raise UnpicklingError("the arguments of a call must be a tuple")
    build = _entry(CALLS, target)
    if vm.dry:
        vm.stack.append(UNBUILT)
    elif build is not None:
        vm.stack.append(build(vm, args))
    elif vm.is_trusted(target):
        vm.stack.append(target(*args))
    elif allowlist.is_named_tuple(target) and 1 <= len(args) <= 2:  # how PyTorch writes its result types
        vm.stack.append(tuple.__new__(target, _fields(target, args[0])))
    else:
        raise UnpicklingError(f"Trying to call reduce for unrecognized function {_shown(target)}")


@does(pickle.NEWOBJ)
def _new_object(vm: Unpickler) -> None:
    vm.count(CALL_COST)
    args, target = vm.stack.pop(), vm.stack.pop()
    if type(args) is not tuple:
        raise UnpicklingError("the arguments of a call must be a tuple")
    build = _entry(NEWS, target)
    if vm.dry:
        vm.stack.append(UNBUILT)
    elif build is not None:
        vm.stack.append(build(vm, args))
    elif isinstance(target, type) and vm.is_trusted(target):
        vm.stack.append(target.__new__(target, *args))
    elif allowlist.is_named_tuple(target):
        vm.stack.append(tuple.__new__(target, _fields(target, args)))
    else:
        raise UnpicklingError(f"Trying to create new object for unrecognized class {_shown(target)}")


def _fields(kind: Any, values: Any) -> tuple[Any, ...]:
    if not isinstance(values, tuple) or len(values) != len(kind._fields):
        raise UnpicklingError(f"{kind.__name__} has {len(kind._fields)} fields, the file gives another number")
    return values


def _shown(thing: Any) -> str:
    return getattr(thing, "__qualname__", type(thing).__name__)


@does(pickle.BUILD)
def _build(vm: Unpickler) -> None:
    state = vm.stack.pop()
    made = vm.stack[-1]
    set_state = STATES.get(type(made))
    if vm.dry:
        return
    if set_state is not None:
        set_state(vm, made, state)
    elif vm.is_trusted(type(made)):
        _set_state_of_trusted(made, state)
    else:
        raise UnpicklingError(
            f"Can only build Tensor, Parameter, OrderedDict or types allowlisted via `add_safe_globals`, but got "
            f"{type(made)}"
        )


def _set_state_of_trusted(made: Any, state: Any) -> None:
    """What Python's pickle does with a state, for a class that the program has declared safe."""
    if hasattr(made, "__setstate__"):
        made.__setstate__(state)
        return
    slots = None
    if isinstance(state, tuple) and len(state) == 2:
        state, slots = state
    if state:
        made.__dict__.update(state)
    for name, value in (slots or {}).items():
        setattr(made, name, value)


@does(pickle.BINPERSID)
def _storage(vm: Unpickler) -> None:
    vm.count(CALL_COST)
    description = vm.stack.pop()
    if type(description) is not tuple or not description:
        raise UnpicklingError(f"persistent_load id must be tuple or int, but got {type(description)}")
    if description[0] != "storage":
        raise UnpicklingError(f"Only persistent_load of storage is allowed, but got {str(description[0])[:80]}")
    try:
        vm.stack.append(vm.storage(description))
    except Exception as error:
        raise _OfTheStorage(error) from error


# ---------------------------------------------------------------------------------------------------------------------
# Afterwards


def check_depth(made: Any) -> None:
    """Refuses containers inside containers beyond MAX_LEVELS: printing or copying them would break the program."""
    seen: set[int] = set()
    level = [made]
    for _ in range(MAX_LEVELS):
        below: list[Any] = []
        for thing in level:
            if id(thing) not in seen:
                seen.add(id(thing))
                below.extend(x for x in _parts(thing) if type(x) not in _LEAVES)
        if not below:
            return
        level = below
    raise UnpicklingError(f"the file nests containers more than {MAX_LEVELS} deep")


_LEAVES = frozenset({int, float, str, bool, bytes, type(None), Tensor})


def _parts(thing: Any) -> Iterator[Any]:
    if isinstance(thing, dict):
        yield from thing.values()
    elif isinstance(thing, (list, tuple, deque)):
        yield from thing
    attributes = getattr(thing, "__dict__", None)
    if type(attributes) is dict and not isinstance(thing, (type, Tensor)):
        yield from attributes.values()
