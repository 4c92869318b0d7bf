"""What the globals of a checkpoint stand for, and how each is built: tensors, plain containers, NumPy arrays.

A pickle says "call global F with these arguments".  No such call happens here: `GLOBALS` maps the names to objects,
and `CALLS`, `NEWS` and `STATES` say what a call, a new object and a state mean for each, in functions of our own that
check every argument.  What is not in the tables is not built.  The functions take the unpickler (for its budget) and
the arguments.
"""

from __future__ import annotations

import argparse
import codecs
import datetime
import math
import pathlib
import re
import types
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable
from pickle import UnpicklingError
from typing import Any

import numpy as np

from rushlight.core import dtype as dtypes
from rushlight.core import layout as layouts
from rushlight.core import qscheme as schemes
from rushlight.core.device import device
from rushlight.core.generator import Generator
from rushlight.core.size import Size
from rushlight.nn.parameter import (
    Buffer,
    Parameter,
    UninitializedBuffer,
    UninitializedParameter,
)
from rushlight.record.value import RECORDERS, Tensor
from rushlight.tensor.subclasses import of_class

from .storages import (
    STORAGE_TYPES,
    UNTYPED,
    LoadedStorage,
    integers,
    rebuilt,
    with_grad,
    with_metadata,
    without_numbers,
)

Builder = Callable[[Any, tuple[Any, ...]], Any]

GLOBALS: dict[tuple[str, str], Any] = {}
CALLS: dict[Any, Builder] = {}
NEWS: dict[Any, Builder] = {}
STATES: dict[type, Callable[[Any, Any, Any], None]] = {}

MAX_KEY_DEPTH = 8  # of tuples inside dictionary keys: hashing is recursive, and exponential where they share parts
MAX_KEY_ITEMS = 1000

#: Copies, in units of the unpickler's budget.
ITEMS_OF_ONE = 4
BYTES_OF_ONE = 16
COST_OF_KEY = 3  # an entry of a dictionary or a set takes some ten times the space of a list's
TENSOR_COST = 24
GENERATOR_COST = 48

#: Containers whose destruction recurses in C without a guard: only so many of them may hang on each other.
MAX_FRAGILE = 2000


def refused(text: str) -> UnpicklingError:
    """The error for a file that asks for what plain data does not need."""
    return UnpicklingError(text)


def called(target: Any, *names: str) -> Callable[[Builder], Builder]:
    """Registers the function as the meaning of calling `target`, which files know by `names` ("module name")."""

    def mark(f: Builder) -> Builder:
        thing = f if target is None else target
        CALLS[thing] = f
        _name(thing, *names)
        return f

    return mark


def _name(thing: Any, *names: str) -> None:
    for name in names:
        module, _, attribute = name.partition(" ")
        GLOBALS[module, attribute] = thing


# ---------------------------------------------------------------------------------------------------------------------
# Checks


def check_key(key: Any) -> None:
    """Dictionary keys and set members: numbers, texts, and small tuples of them."""
    if type(key) not in _SIMPLE_KEYS:
        _check_key(key, MAX_KEY_DEPTH, [MAX_KEY_ITEMS])


_SIMPLE_KEYS = frozenset({str, int, float, bool, bytes, complex, type(None)})
_HASHES = (tuple.__hash__, frozenset.__hash__)  # a class of the program may have one of its own: code
#: Further types of keys, whose hashing runs no code of the program's.
KEY_TYPES: list[type] = [
    dtypes.dtype, device, np.generic, np.dtype, datetime.date, datetime.time, datetime.timedelta,
]  # fmt: skip


def _check_key(key: Any, depth: int, left: list[int]) -> None:
    left[0] -= 1
    if type(key) in _SIMPLE_KEYS or isinstance(key, (*KEY_TYPES, type, pathlib.PurePath)) or type(key) is Tensor:
        return
    if type(key).__hash__ not in _HASHES or depth == 0 or left[0] < 0:
        what = "a large nested tuple" if isinstance(key, tuple) else f"an object of type {type(key).__name__}"
        raise refused(f"{what} as the key of a dictionary or the member of a set is refused")
    if isinstance(key, tuple):  # a frozenset's members were checked when it was made, and its hash is kept
        for item in key:
            _check_key(item, depth - 1, left)


def _require(args: tuple[Any, ...], *kinds: Any, least: int | None = None) -> tuple[Any, ...]:
    """The arguments, if there are at most as many as `kinds` (at least `least`) and each is of its kind."""
    least = len(kinds) if least is None else least
    if not least <= len(args) <= len(kinds) or not all(isinstance(a, k) for a, k in zip(args, kinds, strict=False)):
        given = ", ".join(type(a).__name__ for a in args)
        raise refused(f"a builder was given arguments of the wrong kind: ({given[:200]})")
    return args


def _pay_items(vm: Any, items: Any) -> None:
    """Copying the items must fit into the budget: the file may name one long list many times."""
    vm.count(len(items) // ITEMS_OF_ONE)


def _pay_keys(vm: Any, items: Any) -> None:
    vm.count(len(items) * COST_OF_KEY)


def _pay_bytes(vm: Any, n: int) -> None:
    vm.count(n // BYTES_OF_ONE)


def _attributes(vm: Any, state: Any, taken: type) -> dict[str, Any]:
    """A state that may become attributes: texts for names, none that hides what the class has."""
    if not isinstance(state, dict):
        raise refused(f"the state of a {taken.__name__} must be a dict, not {type(state).__name__}")
    _pay_keys(vm, state)
    for name in state:
        if type(name) is not str or name.startswith("__") or hasattr(taken, name):
            raise refused(f"a {taken.__name__} cannot be given the attribute {str(name)[:80]!r}")
    return state


# ---------------------------------------------------------------------------------------------------------------------
# Plain Python


def _container(target: type, *names: str) -> None:
    """A container made from one list (or nothing)."""

    def build(vm: Any, args: tuple[Any, ...]) -> Any:
        _require(args, (list, tuple, set, frozenset), least=0)
        (_pay_keys if issubclass(target, (set, frozenset)) else _pay_items)(vm, args[0] if args else ())
        for item in args[0] if args and issubclass(target, (set, frozenset)) else ():
            check_key(item)
        return target(*args)

    called(target, *names)(build)


for _module in ("builtins", "__builtin__"):
    _container(set, f"{_module} set")
    _container(frozenset, f"{_module} frozenset")
    _container(list, f"{_module} list")
    _container(tuple, f"{_module} tuple")
    for _simple in (int, float, bool, str, bytes, bytearray, complex, dict, slice):
        _name(_simple, f"{_module} {_simple.__name__}")
_name(range, "builtins range", "__builtin__ xrange", "__builtin__ range")
_name(int, "__builtin__ long")
_name(str, "__builtin__ unicode")


@called(complex)
def _complex(vm: Any, args: tuple[Any, ...]) -> complex:
    return complex(*_require(args, (int, float), (int, float)))


@called(dict)
def _dict(vm: Any, args: tuple[Any, ...]) -> dict[Any, Any]:
    for items in _require(args, dict, least=0):
        _pay_keys(vm, items)
    return dict(*args)


@called(slice)
def _slice(vm: Any, args: tuple[Any, ...]) -> slice:
    return slice(*_require(args, *[(int, type(None))] * 3))


@called(range)
def _range(vm: Any, args: tuple[Any, ...]) -> range:
    return range(*_require(args, int, int, int, least=1))


@called(bytes)
def _bytes(vm: Any, args: tuple[Any, ...]) -> bytes:
    return bytes(*_require(args, bytes, least=0))


@called(bytearray)
def _bytearray(vm: Any, args: tuple[Any, ...]) -> bytearray:
    _pay_bytes(vm, len(args[0]) if args and isinstance(args[0], (str, bytes)) else 0)
    if len(args) == 2 and args[1] in ("latin-1", "latin1"):
        return bytearray(_require(args, str, str)[0], "latin-1")
    return bytearray(*_require(args, bytes, least=0))


@called(codecs.encode, "_codecs encode")
def _encode(vm: Any, args: tuple[Any, ...]) -> bytes:
    """How protocol 2 writes bytes."""
    text, encoding = _require(args, str, str)
    if encoding not in ("latin1", "latin-1"):
        raise refused(f"_codecs.encode to {encoding[:40]!r} is refused: bytes are written as latin1")
    _pay_bytes(vm, len(text))
    return text.encode("latin-1")


@called(OrderedDict, "collections OrderedDict")
def _ordered_dict(vm: Any, args: tuple[Any, ...]) -> OrderedDict[Any, Any]:
    (items,) = _require(args, (list, dict), least=0) or ((),)
    _pay_keys(vm, items)
    pairs = items.items() if isinstance(items, dict) else items
    made: OrderedDict[Any, Any] = OrderedDict()
    for pair in pairs:
        if not isinstance(pair, (list, tuple)) or len(pair) != 2:
            raise refused("an OrderedDict is made from pairs of a key and a value")
        check_key(pair[0])
        made[pair[0]] = pair[1]
    return made


def _ordered_dict_state(vm: Any, made: OrderedDict[Any, Any], state: Any) -> None:
    made.__dict__.update(_attributes(vm, state, OrderedDict))


STATES[OrderedDict] = _ordered_dict_state


@called(Counter, "collections Counter")
def _counter(vm: Any, args: tuple[Any, ...]) -> Counter[Any]:
    (items,) = _require(args, dict)
    _pay_keys(vm, items)
    made: Counter[Any] = Counter()
    dict.update(made, items)
    return made


@called(defaultdict, "collections defaultdict")
def _default_dict(vm: Any, args: tuple[Any, ...]) -> defaultdict[Any, Any]:
    factory, items = (*args, {}, {})[:2] if args else (None, {})
    if factory is not None and factory not in (int, float, bool, str, list, dict, set, tuple, OrderedDict, Counter):
        raise refused("a defaultdict may only make numbers, texts and empty containers")
    if len(args) > 2 or not isinstance(items, dict):
        raise refused("a defaultdict is made from what makes new members, and a dict")
    _pay_keys(vm, items)
    _fragile(vm)
    return defaultdict(factory, items)


@called(deque, "collections deque")
def _deque(vm: Any, args: tuple[Any, ...]) -> deque[Any]:
    _require(args, (list, tuple), (int, type(None)), least=0)
    _pay_items(vm, args[0] if args else ())
    _fragile(vm)
    return deque(*args)


def _fragile(vm: Any) -> None:
    vm.fragile += 1
    if vm.fragile > MAX_FRAGILE:
        raise refused(f"more than {MAX_FRAGILE} defaultdicts and deques in one file are refused")


def _namespace(kind: Any, name: str) -> None:
    def build(vm: Any, args: tuple[Any, ...]) -> Any:
        _require(args)
        return kind()

    def set_state(vm: Any, made: Any, state: Any) -> None:
        made.__dict__.update(_attributes(vm, state, kind))

    called(kind, name)(build)
    NEWS[kind] = build
    STATES[kind] = set_state


_namespace(argparse.Namespace, "argparse Namespace")
_namespace(types.SimpleNamespace, "types SimpleNamespace")


def _path(vm: Any, args: tuple[Any, ...]) -> pathlib.PurePath:
    return pathlib.Path(*_require(args, *[str] * len(args)))


for _name_of_path in ("PosixPath", "WindowsPath", "PurePosixPath", "PureWindowsPath"):
    called(_path, f"pathlib {_name_of_path}", f"pathlib._local {_name_of_path}")(_path)


def _moment(kind: Any) -> None:
    def build(vm: Any, args: tuple[Any, ...]) -> Any:
        return kind(*_require(args, *[(bytes, int, datetime.tzinfo, datetime.timedelta)] * len(args)))

    called(kind, f"datetime {kind.__name__}")(build)


for _kind in (datetime.datetime, datetime.date, datetime.time, datetime.timedelta, datetime.timezone):
    _moment(_kind)


# ---------------------------------------------------------------------------------------------------------------------
# NumPy: dtypes, scalars and arrays of numbers and texts

_SIMPLE_DTYPE = re.compile(r"[<>=|]?([?bhilqpBHILQPefdgFDG]|b1|[iufc](1|2|4|8|16)|[SUa]\d{1,9})")


def _numpy(*names: str) -> list[str]:
    return [f"{module} {name}" for module in ("numpy._core.multiarray", "numpy.core.multiarray") for name in names]


_name(np.ndarray, "numpy ndarray")


@called(np.dtype, "numpy dtype")
def _dtype(vm: Any, args: tuple[Any, ...]) -> np.dtype[Any]:
    code = args[0] if args else None
    if isinstance(code, type) and issubclass(code, np.generic):
        code = np.dtype(code).str
    if not isinstance(code, str) or not _SIMPLE_DTYPE.fullmatch(code):
        raise refused(f"NumPy arrays of dtype {str(code)[:40]!r} are refused: only numbers and texts are read")
    return np.dtype(code, copy=True)


def _dtype_state(vm: Any, made: np.dtype[Any], state: Any) -> None:
    if type(state) is not tuple or len(state) < 2 or state[1] not in ("<", ">", "|", "=", b"<", b">", b"|", b"="):
        raise refused("the byte order of a NumPy dtype is missing")
    order = state[1].decode() if isinstance(state[1], bytes) else state[1]
    expected: Any = made.newbyteorder(order).__reduce__()[2]  # type: ignore[index, arg-type]
    if state[2:5] != (None, None, None) or state[5:8] != expected[5:8] or len(state) > 9:
        raise refused("structured and user-defined NumPy dtypes are refused")
    made.__setstate__(expected)  # type: ignore[attr-defined]


STATES[np.dtype] = _dtype_state
for _kind_of_dtype in {type(np.dtype(c)) for c in "?bhilqBHILQefdgFDGSU"}:
    STATES[_kind_of_dtype] = _dtype_state


@called(None, *_numpy("_reconstruct"))
def _reconstruct(vm: Any, args: tuple[Any, ...]) -> np.ndarray:
    if len(args) != 3 or args[0] is not np.ndarray:
        raise refused("only plain NumPy arrays are read, no subclasses")
    return np.empty((0,), np.int8)


def _array_state(vm: Any, made: np.ndarray, state: Any) -> None:
    if type(state) is not tuple or len(state) != 5:
        raise refused("the state of a NumPy array has five parts")
    _, shape, kind, fortran, raw = state
    _pay_bytes(vm, 3 * len(raw) if isinstance(raw, (str, bytes)) else 0)
    raw = raw.encode("latin-1") if isinstance(raw, str) else raw
    _check_array(shape, kind, raw)
    made.__setstate__((1, shape, kind, bool(fortran), bytes(raw)))  # type: ignore[arg-type]


STATES[np.ndarray] = _array_state


def _check_array(shape: Any, kind: Any, raw: Any) -> None:
    if not isinstance(kind, np.dtype) or kind.hasobject or kind.names is not None:
        raise refused("NumPy arrays of Python objects are refused: they could hold anything")
    if not isinstance(shape, tuple) or len(shape) > 32 or not all(type(n) is int and 0 <= n < 1 << 62 for n in shape):
        raise refused(f"a NumPy array cannot have the shape {str(shape)[:80]}")
    claimed = kind.itemsize
    for n in shape:
        claimed *= n
    if not isinstance(raw, (bytes, bytearray)) or len(raw) != claimed:
        raise refused(f"a NumPy array of shape {shape} needs {claimed} bytes, the file gives another number")


@called(None, *_numpy("scalar"))
def _scalar(vm: Any, args: tuple[Any, ...]) -> Any:
    kind, raw = _require(args, np.dtype, (bytes, str))
    _pay_bytes(vm, 3 * len(raw))
    raw = raw.encode("latin-1") if isinstance(raw, str) else raw
    _check_array((), kind, raw)
    return np.frombuffer(raw, kind)[0] if kind.itemsize else np.zeros((), kind)[()]


@called(None, "numpy._core.numeric _frombuffer", "numpy.core.numeric _frombuffer")
def _from_buffer(vm: Any, args: tuple[Any, ...]) -> np.ndarray:
    """How protocol 5 writes an array."""
    raw, kind, shape, order = _require(args, (bytes, bytearray), np.dtype, tuple, str)
    _pay_bytes(vm, len(raw))
    _check_array(shape, kind, raw)
    return np.frombuffer(bytearray(raw), kind).reshape(shape, order="F" if order == "F" else "C")


for _scalar_type in (np.bool_, np.int8, np.int16, np.int32, np.int64, np.uint8, np.uint16, np.uint32, np.uint64,
                     np.float16, np.float32, np.float64, np.complex64, np.complex128, np.str_, np.bytes_):  # fmt: skip
    _name(_scalar_type, f"numpy {_scalar_type.__name__}")
_name(np.bool_, "numpy bool_")


# ---------------------------------------------------------------------------------------------------------------------
# PyTorch

for _dtype_name, _found in dtypes.NAMES.items():
    _name(_found, f"torch {_dtype_name}")
for _storage_name, _storage_type in STORAGE_TYPES.items():
    _name(_storage_type, f"torch {_storage_name}", f"torch.cuda {_storage_name}")
_name(UNTYPED, "torch.storage UntypedStorage", "torch UntypedStorage")
_name(Tensor, "torch Tensor", "torch._tensor Tensor")
_name(Parameter, "torch.nn.parameter Parameter")
_name(Buffer, "torch.nn.parameter Buffer")


@called(Size, "torch Size")
def _size(vm: Any, args: tuple[Any, ...]) -> Size:
    _require(args, (tuple, list), least=0)
    _pay_items(vm, args[0] if args else ())
    return Size(*args)


called(device, "torch device")(lambda vm, args: device(*_require(args, str, (int, type(None)), least=1)))


@called(None, "torch.serialization _get_layout")
def _layout(vm: Any, args: tuple[Any, ...]) -> Any:
    name = str(_require(args, str)[0]).removeprefix("torch.")
    if name not in layouts.layout.known:
        raise refused(f"there is no layout called {name[:40]!r}")
    return layouts.layout.known[name]


def _tensor_v2(storage: Any, offset: Any, size: Any, stride: Any, requires_grad: Any = False, hooks: Any = None,
               metadata: Any = None) -> Tensor:  # fmt: skip
    """A tensor on a typed storage; `hooks`, which PyTorch writes empty, are not put on it."""
    t = rebuilt(storage, offset, size, stride)
    if metadata:
        t = with_metadata(t, storage, metadata)
    return with_grad(t, requires_grad)


@called(None, "torch._utils _rebuild_tensor")
def _rebuild_tensor(vm: Any, args: tuple[Any, ...]) -> Tensor:
    vm.count(TENSOR_COST)
    return rebuilt(*_require(args, LoadedStorage, object, object, object))


@called(None, "torch._utils _rebuild_tensor_v2")
def _rebuild_tensor_v2(vm: Any, args: tuple[Any, ...]) -> Tensor:
    vm.count(TENSOR_COST)
    return _tensor_v2(*_require(args, LoadedStorage, *[object] * 6, least=4))


@called(None, "torch._utils _rebuild_qtensor")
def _rebuild_qtensor(vm: Any, args: tuple[Any, ...]) -> Tensor:
    """A quantized tensor: whole numbers, and (scheme, scale, zero point) or (scheme, scales, zero points, axis)."""
    from rushlight.quantized import rebuilt_quantized

    vm.count(TENSOR_COST)
    storage, offset, size, stride, how, *_ = _require(
        args, LoadedStorage, object, object, object, tuple, object, object, least=5
    )
    if storage.kind not in dtypes.QUANTIZED:
        raise refused(f"a quantized tensor on a storage of {storage.kind}")
    whole = rebuilt(storage, offset, size, stride, dtypes.QUANTIZED[storage.kind])
    if how and how[0] is schemes.per_tensor_affine:
        _, scale, zero_point = _require(how, object, (int, float), int)
        return rebuilt_quantized(whole, float(scale), zero_point, None)
    if how and how[0] in (schemes.per_channel_affine, schemes.per_channel_affine_float_qparams):
        _, scales, points, axis = _require(how, object, Tensor, Tensor, int)
        if 0 <= axis < whole.dim() and tuple(scales.shape) == tuple(points.shape) == (whole.shape[axis],):
            return rebuilt_quantized(whole, scales, points, axis)
    raise refused("a quantized tensor's scheme, scales and zero points do not go together")


for _scheme_name, _scheme in schemes.qscheme.known.items():
    _name(_scheme, f"torch {_scheme_name}")


@called(None, "torch._utils _rebuild_tensor_v3")
def _rebuild_tensor_v3(vm: Any, args: tuple[Any, ...]) -> Tensor:
    """Like version 2, on a storage that does not know its type."""
    vm.count(TENSOR_COST)
    storage, offset, size, stride, requires_grad, _, kind, *metadata = _require(
        args, LoadedStorage, *[object] * 5, dtypes.dtype, object, least=7
    )
    t = rebuilt(storage, offset, size, stride, kind)
    if metadata and metadata[0]:
        t = with_metadata(t, storage, metadata[0])
    return with_grad(t, requires_grad)


@called(None, "torch._utils _rebuild_meta_tensor_no_storage")
def _rebuild_meta_tensor(vm: Any, args: tuple[Any, ...]) -> Tensor:
    """A tensor without numbers: its dtype, size and strides."""
    vm.count(TENSOR_COST)
    kind, size, stride, requires_grad = _require(args, dtypes.dtype, object, object, bool)
    shape, strides = integers(size, "size"), integers(stride, "stride")
    if len(shape) != len(strides) or math.prod(shape) >= 1 << 62:
        raise refused(f"a tensor of size {list(shape)[:8]} and strides {list(strides)[:8]}")
    return with_grad(without_numbers(shape, strides, kind), requires_grad)


@called(None, "torch._utils _rebuild_sparse_tensor")
def _rebuild_sparse_tensor(vm: Any, args: tuple[Any, ...]) -> Tensor:
    """A sparse tensor of its layout and parts, which are checked: a position outside is refused."""
    kind, parts = _require(args, layouts.layout, (tuple, list))
    if kind is layouts.sparse_coo:
        found = _require(tuple(parts), Tensor, Tensor, (tuple, list), bool, least=3)
    elif kind is not layouts.strided:
        found = _require(tuple(parts), Tensor, Tensor, Tensor, (tuple, list))
    else:
        raise refused("a sparse tensor of strided layout")
    vm.count(TENSOR_COST * len(found) + sum(t.numel() for t in found if isinstance(t, Tensor)) // ITEMS_OF_ONE)
    from rushlight.sparse.construct import rebuilt

    try:
        return rebuilt(kind, tuple(found))
    except (RuntimeError, IndexError, TypeError, ValueError) as wrong:
        raise refused(f"the parts of a sparse tensor do not fit together: {wrong}") from wrong


@called(None, "torch._utils _rebuild_parameter")
def _rebuild_parameter(vm: Any, args: tuple[Any, ...]) -> Tensor:
    vm.count(TENSOR_COST)
    data, requires_grad, _ = _require(args, Tensor, bool, object)
    return Parameter(data, requires_grad)


@called(None, "torch._utils _rebuild_parameter_with_state")
def _rebuild_parameter_with_state(vm: Any, args: tuple[Any, ...]) -> Tensor:
    vm.count(TENSOR_COST)
    data, requires_grad, _, state = _require(args, Tensor, bool, object, object)
    return _with_attributes(vm, Parameter(data, requires_grad), state)


def _with_attributes(vm: Any, t: Tensor, state: Any) -> Tensor:
    """The tensor with the attributes that the program had set on it."""
    if type(state) is tuple and len(state) == 2 and not state[1]:
        state = state[0]  # (__dict__, nothing in slots)
    internal = {name: v for name, v in (state or {}).items() if name in RECORDERS} if state else {}
    if internal:
        raise refused(f"a tensor cannot be given the attribute {next(iter(internal))!r}")
    for name, value in _attributes(vm, state or {}, Tensor).items():
        t.__dict__[name] = value
    return t


@called(None, "torch._tensor _rebuild_from_type_v2")
def _rebuild_from_type_v2(vm: Any, args: tuple[Any, ...]) -> Tensor:
    """A tensor with attributes, a buffer of a module, or a subclass that the program has declared safe."""
    build, kind, inner, state = args
    if build not in (_rebuild_tensor, _rebuild_tensor_v2, _rebuild_tensor_v3, _rebuild_parameter) or not (
        kind in (Tensor, Parameter, Buffer) or (isinstance(kind, type) and vm.is_trusted(kind))
    ):
        raise refused("a tensor of an unknown class")
    t = CALLS[build](vm, inner)
    if isinstance(state, dict) and state.get("_is_buffer") is True:
        return Buffer(t, persistent=bool(state.get("persistent", True)))
    if kind is not type(t) and kind is not Tensor and issubclass(kind, Tensor):
        of_class(t, kind)
    return _with_attributes(vm, t, state)


def _uninitialized(kind: type) -> None:
    called(kind, f"torch.nn.parameter {kind.__name__}")(lambda vm, args: kind(*_require(args, bool, least=0)))


_uninitialized(UninitializedParameter)
_uninitialized(UninitializedBuffer)


@called(Generator, "torch._C Generator", "torch Generator")
def _generator(vm: Any, args: tuple[Any, ...]) -> Generator:
    vm.count(GENERATOR_COST)
    return Generator(*_require(args, (device, str), least=0))


def _generator_state(vm: Any, made: Generator, state: Any) -> None:
    if type(state) is not tuple or len(state) != 3 or not isinstance(state[2], Tensor):
        raise refused("the state of a Generator is a seed, an offset and a tensor")
    made.set_state(state[2])


STATES[Generator] = _generator_state

#: PyTorch's tensors that Rushlight has not: their names are known, so that the message can say more.
UNSUPPORTED = {
    "_rebuild_nested_tensor": "a nested tensor: save its parts as a list",
    "_rebuild_wrapper_subclass": "a tensor subclass that wraps others",
    "_rebuild_device_tensor_from_numpy": "a tensor of an XLA or similar device: save it as t.cpu()",
    "_rebuild_device_tensor_from_cpu_tensor": "a tensor of a private device: save it as t.cpu()",
}
