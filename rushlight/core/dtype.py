"""Data types: the `dtype` singletons, the promotion rules and what a type can hold (`finfo`, `iinfo`).

Every public type is one object of class `dtype`, made once below and compared by identity everywhere. Promotion
takes dtypes in and gives a dtype back: `promote_types` for a pair, `result_type_of` for the operands of an
operation. The default dtype (what a Python float becomes) is the only state kept here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final, NoReturn

import numpy as np

BOOL: Final = 0  # `dtype.category`: promotion never goes down in this order
INTEGRAL: Final = 1
FLOATING: Final = 2
COMPLEX: Final = 3


class dtype:
    """The type of a tensor's elements, as `torch.dtype`.

    Instances are singletons: compare with `is` or `==`, use as dictionary keys, pickle freely.

    >>> float32, float32.itemsize, float32.to_complex()
    (torch.float32, 4, torch.complex64)
    """

    __slots__ = ("name", "abbr", "scalar_name", "category", "is_floating_point", "is_complex", "is_signed", "itemsize",
                 "numpy", "_complex_name", "__weakref__")  # fmt: skip

    name: str  #: "float32"
    abbr: str  #: "f32"
    scalar_name: str  #: "Float": how PyTorch's messages call the type
    category: int  #: BOOL < INTEGRAL < FLOATING < COMPLEX
    is_floating_point: bool
    is_complex: bool
    is_signed: bool
    itemsize: int  #: bytes per element
    numpy: np.dtype[Any]  #: NumPy's type for the elements; found on first use for the types that need ml_dtypes

    def __new__(cls, *args: object, **kwargs: object) -> dtype:
        raise TypeError("cannot create 'torch.dtype' instances")

    def __init_subclass__(cls, **kwargs: object) -> None:
        raise TypeError("type 'torch.dtype' is not an acceptable base type")

    def to_real(self) -> dtype:
        """The type of the real part: itself unless complex."""
        return _REAL_OF.get(self, self)

    def to_complex(self) -> dtype:
        """The complex type whose parts have this type. Raises RuntimeError for integral types, bool and float8."""
        if not self._complex_name:
            raise RuntimeError(f"Unknown Complex ScalarType for {self.scalar_name}")
        return _BY_NAME[self._complex_name]

    def __repr__(self) -> str:
        return f"torch.{self.name}"

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return dtype_from_name, (self.name,)

    def __copy__(self) -> dtype:
        return self

    def __deepcopy__(self, memo: object) -> dtype:
        return self

    def __setattr__(self, attribute: str, value: object) -> NoReturn:
        if attribute in dtype.__slots__ or hasattr(dtype, attribute):
            raise AttributeError(f"attribute '{attribute}' of 'torch.dtype' objects is not writable")
        raise AttributeError(f"'torch.dtype' object has no attribute '{attribute}'")

    def __delattr__(self, attribute: str) -> NoReturn:
        self.__setattr__(attribute, None)

    def __getattr__(self, attribute: str) -> Any:
        # Reached only where a slot is still empty, or for a name that does not exist.
        if attribute != "numpy":
            raise AttributeError(f"'torch.dtype' object has no attribute '{attribute}'")
        found = _extended_numpy_type(self)
        object.__setattr__(self, "numpy", found)
        return found


def _extended_numpy_type(wanted: dtype) -> np.dtype[Any]:
    """NumPy's type for one that NumPy itself does not have (bfloat16, float8)."""
    if wanted.name == "complex32":
        raise NotImplementedError("torch.complex32 is not supported: NumPy has no half-precision complex numbers; "
                                  "use torch.complex64")  # fmt: skip
    try:
        import ml_dtypes
    except ImportError as error:
        raise ImportError(f"{wanted} needs the package ml_dtypes: pip install ml_dtypes") from error
    return np.dtype(getattr(ml_dtypes, wanted.name))


_BY_NAME: dict[str, dtype] = {}


def _make(
    name: str, scalar_name: str, abbr: str, category: int, itemsize: int, *, signed: bool = True, complex_name: str = ""
) -> dtype:
    new = object.__new__(dtype)
    values: dict[str, Any] = {
        "name": name, "scalar_name": scalar_name, "abbr": abbr, "category": category, "itemsize": itemsize,
        "is_floating_point": category == FLOATING, "is_complex": category == COMPLEX, "is_signed": signed,
        "_complex_name": complex_name,
    }  # fmt: skip
    if hasattr(np, name):
        values["numpy"] = np.dtype(name)
    for attribute, value in values.items():
        object.__setattr__(new, attribute, value)
    _BY_NAME[name] = new
    return new


uint8: Final = _make("uint8", "Byte", "u8", INTEGRAL, 1, signed=False)
int8: Final = _make("int8", "Char", "i8", INTEGRAL, 1)
int16: Final = _make("int16", "Short", "i16", INTEGRAL, 2)
int32: Final = _make("int32", "Int", "i32", INTEGRAL, 4)
int64: Final = _make("int64", "Long", "i64", INTEGRAL, 8)
uint16: Final = _make("uint16", "UInt16", "u16", INTEGRAL, 2, signed=False)
uint32: Final = _make("uint32", "UInt32", "u32", INTEGRAL, 4, signed=False)
uint64: Final = _make("uint64", "UInt64", "u64", INTEGRAL, 8, signed=False)
bool_: Final = _make("bool", "Bool", "b8", BOOL, 1, signed=False)
float16: Final = _make("float16", "Half", "f16", FLOATING, 2, complex_name="complex32")
bfloat16: Final = _make("bfloat16", "BFloat16", "bf16", FLOATING, 2, complex_name="complex64")
float32: Final = _make("float32", "Float", "f32", FLOATING, 4, complex_name="complex64")
float64: Final = _make("float64", "Double", "f64", FLOATING, 8, complex_name="complex128")
float8_e4m3fn: Final = _make("float8_e4m3fn", "Float8_e4m3fn", "f8e4m3fn", FLOATING, 1)
float8_e5m2: Final = _make("float8_e5m2", "Float8_e5m2", "f8e5m2", FLOATING, 1)
complex32: Final = _make("complex32", "ComplexHalf", "c32", COMPLEX, 4, complex_name="complex32")
complex64: Final = _make("complex64", "ComplexFloat", "c64", COMPLEX, 8, complex_name="complex64")
complex128: Final = _make("complex128", "ComplexDouble", "c128", COMPLEX, 16, complex_name="complex128")

_COUNT = len(_BY_NAME)  # what follows is the dtype of quantized tensors alone: whole numbers with a scale
qint8: Final = _make("qint8", "QInt8", "qi8", INTEGRAL, 1)
quint8: Final = _make("quint8", "QUInt8", "qu8", INTEGRAL, 1, signed=False)
qint32: Final = _make("qint32", "QInt32", "qi32", INTEGRAL, 4)
QUANTIZED: Final[dict[dtype, dtype]] = {qint8: int8, quint8: uint8, qint32: int32}
for _quantized, _integral in QUANTIZED.items():
    object.__setattr__(_quantized, "numpy", _integral.numpy)

half, double, short, long = float16, float64, int16, int64
chalf, cfloat, cdouble = complex32, complex64, complex128

_REAL_OF = {complex32: float16, complex64: float32, complex128: float64}
_FLOAT8 = frozenset((float8_e4m3fn, float8_e5m2))
_WIDE_UNSIGNED = frozenset((uint16, uint32, uint64))  # PyTorch gives these storage but hardly any arithmetic

ALL: Final[tuple[dtype, ...]] = tuple(_BY_NAME.values())[:_COUNT]

#: Every public name of a dtype. `float`, `int` and `bool` are here only: as globals they would hide builtins.
NAMES: Final[dict[str, dtype]] = {
    **_BY_NAME, "half": half, "float": float32, "double": double, "short": short, "int": int32, "long": long,
    "chalf": chalf, "cfloat": cfloat, "cdouble": cdouble,
}  # fmt: skip


def dtype_from_name(name: str) -> dtype:
    """The dtype PyTorch calls `torch.<name>`; raises ValueError for any other name."""
    found = NAMES.get(name)
    if found is None:
        raise ValueError(f"there is no dtype called {name!r}; known: {', '.join(sorted(NAMES))}")
    return found


#: What programs write for a dtype beside dtypes.
PYTHON_TYPES: Final[dict[object, dtype]] = {float: float64, int: int64, bool: bool_, complex: complex128}


def given_dtype(value: Any, function: str) -> Any:
    """The dtype that was handed to `function` as one: a dtype, one of Python's types of numbers, or None.

    >>> given_dtype(float, "zeros")
    torch.float64
    """
    if value is None or value.__class__ is dtype:
        return value
    if isinstance(value, type) and value in PYTHON_TYPES:
        return PYTHON_TYPES[value]
    raise TypeError(f"{function}(): argument 'dtype' must be torch.dtype, not {type(value).__name__}")


_FROM_NUMPY: dict[np.dtype[Any], dtype] = {d.numpy: d for d in ALL if hasattr(np, d.name)}


def from_numpy(numpy_type: np.dtype[Any]) -> dtype:
    """The dtype of an array with elements of `numpy_type`.

    Raises TypeError for element types PyTorch does not have, ValueError for the other byte order.

    >>> from_numpy(np.dtype("int16"))
    torch.int16
    """
    found = _FROM_NUMPY.get(numpy_type)
    return found if found is not None else _from_unusual_numpy(numpy_type)


def _from_unusual_numpy(numpy_type: np.dtype[Any]) -> dtype:
    if numpy_type.type.__module__ == "ml_dtypes" and numpy_type.name in _BY_NAME:
        _FROM_NUMPY[numpy_type] = _BY_NAME[numpy_type.name]
        return _BY_NAME[numpy_type.name]
    if not numpy_type.isnative and numpy_type.newbyteorder("=") in _FROM_NUMPY:
        raise ValueError("given numpy array has byte order different from the native byte order. "
                         "Conversion between byte orders is currently not supported.")  # fmt: skip
    for known, found in _FROM_NUMPY.items():  # on some systems `longlong` and `int64` are two types of one layout
        if numpy_type.kind in "iu" and known.kind == numpy_type.kind and known.itemsize == numpy_type.itemsize:
            return found
    scalar = numpy_type.type
    raise TypeError(
        f"can't convert np.ndarray of type {scalar.__module__}.{scalar.__name__}. "
        "The only supported types are: float64, float32, float16, complex64, complex128, "
        "int64, int32, int16, int8, uint64, uint32, uint16, uint8, and bool."
    )


# --- promotion -------------------------------------------------------------------------------------------------------

_PROMOTED: dict[tuple[dtype, dtype], dtype] = {}


def promote_types(type1: dtype, type2: dtype) -> dtype:
    """The smallest dtype that both can be converted to, as `torch.promote_types`.

    Raises RuntimeError where PyTorch defines no promotion (float8; uint16, uint32 and uint64 with integers).

    >>> promote_types(int64, float16), promote_types(uint8, int8)
    (torch.float16, torch.int16)
    """
    try:
        return _PROMOTED[type1, type2]
    except (KeyError, TypeError):
        type1 = _expect_dtype(type1, "promote_types", "type1", 1)
        type2 = _expect_dtype(type2, "promote_types", "type2", 2)
    promoted = _PROMOTED[type1, type2] = _promote(type1, type2)
    return promoted


def _expect_dtype(value: Any, function: str, argument: str, position: int) -> dtype:
    if isinstance(value, dtype):
        return value
    if isinstance(value, type) and value in PYTHON_TYPES:
        return PYTHON_TYPES[value]
    given = type(value).__name__
    raise TypeError(f"{function}(): argument '{argument}' (position {position}) must be torch.dtype, not {given}")


def _promote(a: dtype, b: dtype) -> dtype:
    if a is b:
        return a
    _refuse_float8(a, b)
    if a in _WIDE_UNSIGNED or b in _WIDE_UNSIGNED:
        return _promote_wide_unsigned(a, b)
    low, high = sorted((a, b), key=lambda d: d.category)
    if high.is_complex:
        return _promote_complex(low, high)
    if low.category != high.category:
        return high
    return _promote_within_category(low, high)


def _refuse_float8(a: dtype, b: dtype) -> None:
    if a in _FLOAT8 or b in _FLOAT8:
        raise RuntimeError("Promotion for Float8 Types is not supported, attempted to promote "
                           f"{a.scalar_name} and {b.scalar_name}")  # fmt: skip


def _promote_wide_unsigned(a: dtype, b: dtype) -> dtype:
    if a.is_floating_point or b.is_floating_point:
        return a if a.is_floating_point else b
    raise RuntimeError("Promotion for uint16, uint32, uint64 types is not supported, attempted to promote "
                       f"{a.scalar_name} and {b.scalar_name}")  # fmt: skip


def _promote_complex(low: dtype, high: dtype) -> dtype:
    if low.category < FLOATING:
        return high
    real = _promote(low.to_real(), high.to_real())
    return real.to_complex()


def _promote_within_category(a: dtype, b: dtype) -> dtype:
    if a.itemsize != b.itemsize:
        return a if a.itemsize > b.itemsize else b
    # Equal sizes that are different types: uint8 with int8, float16 with bfloat16.
    return int16 if a.category == INTEGRAL else float32


def can_cast(from_: dtype, to: dtype) -> bool:
    """Whether PyTorch's casting rules allow `from_` to become `to` (in-place results, `out=`), as `torch.can_cast`.

    >>> can_cast(float64, float32), can_cast(float32, int64)
    (True, False)
    """
    from_ = _expect_dtype(from_, "can_cast", "from_", 1)
    to = _expect_dtype(to, "can_cast", "to", 2)
    return from_.category <= to.category


def result_type_of(operands: Iterable[tuple[dtype, int, bool]]) -> dtype:
    """The dtype in which PyTorch computes an operation on these operands.

    Each operand is (dtype, number of dimensions, whether it was a Python number). Tensors with dimensions decide first,
    zero-dim tensors next, Python numbers last: a lower rank matters only where it is of a higher category. A Python
    float counts as the default dtype, a complex one as its complex type. Source: "Tensor Attributes: torch.dtype" in
    PyTorch's documentation. Raises RuntimeError where no promotion exists and ValueError without operands.

    >>> result_type_of([(int32, 2, False), (float64, 0, True)])
    torch.float32
    """
    dimensioned = zero_dim = number = None
    for kind, ndim, wrapped in operands:
        if wrapped:
            kind = _type_of_number(kind)
            number = kind if number is None else promote_types(number, kind)
        elif ndim:
            dimensioned = kind if dimensioned is None else promote_types(dimensioned, kind)
        else:
            zero_dim = kind if zero_dim is None else promote_types(zero_dim, kind)
    result = _combine(dimensioned, _combine(zero_dim, number))
    if result is None:
        raise ValueError("result_type needs at least one operand")
    return result


def _type_of_number(kind: dtype) -> dtype:
    if kind.category < FLOATING:
        return kind
    return _default.to_complex() if kind.is_complex else _default


def _combine(higher: dtype | None, lower: dtype | None) -> dtype | None:
    """What `higher` becomes beside an operand of lower rank, which can raise its category only."""
    if higher is None or lower is None:
        return higher if lower is None else lower
    if higher.is_complex:
        return higher
    if higher.is_floating_point:
        return higher.to_complex() if lower.is_complex else higher
    if lower.category >= FLOATING:
        return lower
    return promote_types(higher, lower) if higher.category == BOOL else higher


# --- the default dtype -----------------------------------------------------------------------------------------------

_default: dtype = float32
default_changed: Callable[[], None] = lambda: None  # the recorder wants to know


def get_default_dtype() -> dtype:
    """The dtype that Python floats become; float32 until `set_default_dtype` says otherwise."""
    return _default


def set_default_dtype(d: dtype) -> None:
    """Make `d` the dtype of Python floats and of factories called without dtype; its complex type follows.

    Raises TypeError unless `d` is one of float16, bfloat16, float32 and float64.
    """
    global _default
    if not isinstance(d, dtype):
        raise TypeError("invalid dtype object: only floating-point types are supported as the default type")
    if not d.is_floating_point:
        raise TypeError("only floating-point types are supported as the default type")
    if d in _FLOAT8:
        raise TypeError(f"couldn't find storage object {d.scalar_name}Storage: {d} cannot be the default type")
    if d is not _default:
        _default = d
        default_changed()


# --- what a type can hold --------------------------------------------------------------------------------------------


def _limits(bits: int, mantissa: int, smallest_exponent: int, largest: float, resolution: float) -> tuple[Any, ...]:
    return bits, 2.0**-mantissa, largest, 2.0**smallest_exponent, resolution


# bits, eps, max, smallest normal number, resolution
_FLOAT_LIMITS: Final[dict[dtype, tuple[Any, ...]]] = {
    float8_e4m3fn: _limits(8, 3, -6, 448.0, 1.0),
    float8_e5m2: _limits(8, 2, -14, 57344.0, 1.0),
    float16: _limits(16, 10, -14, 65504.0, 1e-3),
    bfloat16: _limits(16, 7, -126, (2 - 2.0**-7) * 2.0**127, 1e-2),
    float32: _limits(32, 23, -126, (2 - 2.0**-23) * 2.0**127, 1e-6),
    float64: _limits(64, 52, -1022, (2 - 2.0**-52) * 2.0**1023, 1e-15),
}


class finfo:
    """The numerical properties of a floating-point type (of the parts, for a complex one), as `torch.finfo`.

    `bits`, `eps` (distance from 1 to the next number), `max`, `min` (= -max), `tiny` = `smallest_normal` and
    `resolution` (10**-digits) are Python numbers, `dtype` is the name. Raises TypeError for other types.

    >>> finfo(float16).max
    65504.0
    """

    __slots__ = ("bits", "eps", "max", "min", "smallest_normal", "tiny", "resolution", "dtype")
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, type: dtype | None = None) -> None:  # noqa: A002 - PyTorch's name
        wanted = _default if type is None else type
        wanted = _expect_dtype(wanted, "finfo", "type", 1)
        if wanted.category < FLOATING:
            raise TypeError("torch.finfo() requires a floating point input type. "
                            f"Use torch.iinfo to handle 'torch.finfo' (got {wanted})")  # fmt: skip
        real = wanted.to_real()
        self.bits, self.eps, self.max, self.tiny, self.resolution = _FLOAT_LIMITS[real]
        self.min, self.smallest_normal, self.dtype = -self.max, self.tiny, real.name

    def __eq__(self, other: object) -> bool:
        return self.dtype == other.dtype if isinstance(other, finfo) else NotImplemented

    def __repr__(self) -> str:
        return (
            f"finfo(resolution={self.resolution:g}, min={self.min:g}, max={self.max:g}, eps={self.eps:g}, "
            f"smallest_normal={self.smallest_normal:g}, tiny={self.tiny:g}, dtype={self.dtype})"
        )


class iinfo:
    """The range of an integer type, as `torch.iinfo`: `bits`, `min`, `max` and `dtype` (the name).

    Raises TypeError for types that are not integers.

    >>> iinfo(int8).min
    -128
    """

    __slots__ = ("bits", "max", "min", "dtype")
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, type: dtype) -> None:  # noqa: A002 - PyTorch's name
        type = _expect_dtype(type, "iinfo", "type", 1)  # noqa: A001
        if type.category >= FLOATING:
            raise TypeError("torch.iinfo() requires an integer input type. Use torch.finfo to handle 'torch.iinfo'"
                            f" (got {type})")  # fmt: skip
        if type is bool_:
            raise TypeError("torch.bool is not supported by torch.iinfo")
        self.bits = type.itemsize * 8
        self.min = -(1 << self.bits - 1) if type.is_signed else 0
        self.max = (1 << self.bits - type.is_signed) - 1
        self.dtype = type.name

    def __eq__(self, other: object) -> bool:
        return self.dtype == other.dtype if isinstance(other, iinfo) else NotImplemented

    def __repr__(self) -> str:
        return f"iinfo(min={float(self.min):g}, max={float(self.max):g}, dtype={self.dtype})"
