"""Dtypes, devices and sizes: the values, texts and errors PyTorch 2.13 has."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from itertools import product
from typing import Any

import numpy as np
import pytest

import rushlight as torch
from rushlight.core import device as devices
from rushlight.core import dtype as dtypes
from rushlight.core.device import device
from rushlight.core.dtype import (
    can_cast,
    dtype,
    dtype_from_name,
    finfo,
    from_numpy,
    iinfo,
    promote_types,
    result_type_of,
)
from rushlight.core.size import Size


@pytest.fixture(autouse=True)
def float32_is_default() -> Iterator[None]:
    yield
    dtypes.set_default_dtype(dtypes.float32)


def d(name: str) -> dtype:
    return dtype_from_name(name)


# --- dtypes ----------------------------------------------------------------------------------------------------------

# name, abbreviation, scalar name, floating, complex, signed, bytes
PROPERTIES = [
    ("uint8", "u8", "Byte", False, False, False, 1),
    ("int8", "i8", "Char", False, False, True, 1),
    ("int16", "i16", "Short", False, False, True, 2),
    ("int32", "i32", "Int", False, False, True, 4),
    ("int64", "i64", "Long", False, False, True, 8),
    ("uint16", "u16", "UInt16", False, False, False, 2),
    ("uint32", "u32", "UInt32", False, False, False, 4),
    ("uint64", "u64", "UInt64", False, False, False, 8),
    ("bool", "b8", "Bool", False, False, False, 1),
    ("float16", "f16", "Half", True, False, True, 2),
    ("bfloat16", "bf16", "BFloat16", True, False, True, 2),
    ("float32", "f32", "Float", True, False, True, 4),
    ("float64", "f64", "Double", True, False, True, 8),
    ("float8_e4m3fn", "f8e4m3fn", "Float8_e4m3fn", True, False, True, 1),
    ("float8_e5m2", "f8e5m2", "Float8_e5m2", True, False, True, 1),
    ("complex32", "c32", "ComplexHalf", False, True, True, 4),
    ("complex64", "c64", "ComplexFloat", False, True, True, 8),
    ("complex128", "c128", "ComplexDouble", False, True, True, 16),
]


@pytest.mark.parametrize(("name", "abbr", "scalar", "floating", "complex_", "signed", "size"), PROPERTIES)
def test_properties(name: str, abbr: str, scalar: str, floating: bool, complex_: bool, signed: bool, size: int) -> None:
    t = d(name)
    assert repr(t) == str(t) == f"torch.{name}"
    assert (t.name, t.abbr, t.scalar_name) == (name, abbr, scalar)
    assert (t.is_floating_point, t.is_complex, t.is_signed, t.itemsize) == (floating, complex_, signed, size)
    assert pickle.loads(pickle.dumps(t)) is t
    assert copy.copy(t) is t and copy.deepcopy(t) is t


def test_every_dtype_is_listed_once() -> None:
    assert [t.name for t in dtypes.ALL] == [row[0] for row in PROPERTIES]


@pytest.mark.parametrize(
    ("alias", "name"),
    [("half", "float16"), ("float", "float32"), ("double", "float64"), ("short", "int16"), ("int", "int32"),
     ("long", "int64"), ("chalf", "complex32"), ("cfloat", "complex64"), ("cdouble", "complex128")],
)  # fmt: skip
def test_aliases_are_the_same_object(alias: str, name: str) -> None:
    assert d(alias) is d(name)


def test_parts_of_complex_types() -> None:
    pairs = [("float16", "complex32"), ("float32", "complex64"), ("float64", "complex128")]
    for real, complex_ in pairs:
        assert d(real).to_complex() is d(complex_) is d(complex_).to_complex()
        assert d(complex_).to_real() is d(real) is d(real).to_real()
    assert d("bfloat16").to_complex() is d("complex64")
    assert d("int8").to_real() is d("int8")
    with pytest.raises(RuntimeError, match="Unknown Complex ScalarType for Long"):
        d("int64").to_complex()


def test_dtypes_are_sealed() -> None:
    with pytest.raises(TypeError, match="cannot create 'torch.dtype' instances"):
        dtype()
    with pytest.raises(TypeError, match="not an acceptable base type"):
        type("mine", (dtype,), {})
    with pytest.raises(AttributeError, match="attribute 'is_complex' of 'torch.dtype' objects is not writable"):
        dtypes.float32.is_complex = True
    with pytest.raises(AttributeError, match="'torch.dtype' object has no attribute 'colour'"):
        dtypes.float32.colour = 1  # type: ignore[attr-defined]
    with pytest.raises(AttributeError, match="has no attribute 'colour'"):
        dtypes.float32.colour  # type: ignore[attr-defined]
    with pytest.raises(AttributeError, match="not writable"):
        del dtypes.float32.name
    assert not dtypes.float32.is_complex
    with pytest.raises(ValueError, match="no dtype called 'float31'"):
        d("float31")


def test_numpy_types_go_there_and_back() -> None:
    for t in dtypes.ALL:
        if t is not dtypes.complex32:
            assert t.numpy.itemsize == t.itemsize
            assert from_numpy(t.numpy) is t
    assert np.dtype(dtypes.bfloat16.numpy).name == "bfloat16"
    assert from_numpy(np.dtype(np.longlong)) is dtypes.int64
    with pytest.raises(NotImplementedError, match="torch.complex32"):
        dtypes.complex32.numpy


@pytest.mark.parametrize(
    ("kind", "named"),
    [("U3", "numpy.str_"), ("O", "numpy.object_"), ("M8[ns]", "numpy.datetime64"), ("V4", "numpy.void")],
)
def test_numpy_types_pytorch_does_not_have(kind: str, named: str) -> None:
    with pytest.raises(
        TypeError, match=f"can't convert np.ndarray of type {named}. The only supported types are: float64"
    ):
        from_numpy(np.dtype(kind))


def test_the_other_byte_order_is_refused() -> None:
    other = ">f4" if sys.byteorder == "little" else "<f4"
    with pytest.raises(ValueError, match="byte order different from the native byte order"):
        from_numpy(np.dtype(other))


def test_ml_dtypes_is_imported_only_when_needed() -> None:
    program = (
        "import sys, rushlight.core.dtype as t; assert 'ml_dtypes' not in sys.modules; "
        "t.bfloat16.numpy; assert 'ml_dtypes' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


# --- promotion -------------------------------------------------------------------------------------------------------

ORDER = ("bool", "uint8", "int8", "int16", "int32", "int64", "float16", "bfloat16", "float32", "float64",
         "complex32", "complex64", "complex128")  # fmt: skip
SHORT = {"b": "bool", "u1": "uint8", "i1": "int8", "i2": "int16", "i4": "int32", "i8": "int64", "f2": "float16",
         "bf": "bfloat16", "f4": "float32", "f8": "float64", "c4": "complex32", "c8": "complex64",
         "c16": "complex128"}  # fmt: skip
# One row for each type of ORDER, beginning at the diagonal: PyTorch's table.
TABLE = """
b  u1 i1 i2 i4 i8 f2 bf f4 f8 c4 c8 c16
u1 i2 i2 i4 i8 f2 bf f4 f8 c4 c8 c16
i1 i2 i4 i8 f2 bf f4 f8 c4 c8 c16
i2 i4 i8 f2 bf f4 f8 c4 c8 c16
i4 i8 f2 bf f4 f8 c4 c8 c16
i8 f2 bf f4 f8 c4 c8 c16
f2 f4 f4 f8 c4 c8 c16
bf f4 f8 c8 c8 c16
f4 f8 c8 c8 c16
f8 c16 c16 c16
c4 c8 c16
c8 c16
c16
"""


def test_promotion_table() -> None:
    for row, line in enumerate(TABLE.strip().splitlines()):
        for column, short in enumerate(line.split(), start=row):
            a, b = d(ORDER[row]), d(ORDER[column])
            assert promote_types(a, b) is promote_types(b, a) is d(SHORT[short]), (a, b)


def test_promotion_of_wide_unsigned_types() -> None:
    for wide in ("uint16", "uint32", "uint64"):
        assert promote_types(d(wide), d(wide)) is d(wide)
        assert promote_types(d(wide), d("float16")) is promote_types(d("float16"), d(wide)) is d("float16")
    message = "Promotion for uint16, uint32, uint64 types is not supported, attempted to promote UInt16 and Bool"
    with pytest.raises(RuntimeError, match=message):
        promote_types(d("uint16"), d("bool"))
    with pytest.raises(RuntimeError, match="attempted to promote ComplexFloat and UInt64"):
        promote_types(d("complex64"), d("uint64"))


def test_float8_is_not_promoted() -> None:
    assert promote_types(d("float8_e5m2"), d("float8_e5m2")) is d("float8_e5m2")
    with pytest.raises(
        RuntimeError, match="Float8 Types is not supported, attempted to promote UInt16 and Float8_e4m3fn"
    ):
        promote_types(d("uint16"), d("float8_e4m3fn"))


def test_promotion_wants_dtypes() -> None:
    with pytest.raises(
        TypeError, match=r"promote_types\(\): argument 'type1' \(position 1\) must be torch.dtype, not str"
    ):
        promote_types("float32", d("int8"))  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="argument 'type2'.*not list"):
        promote_types(d("int8"), [])  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"can_cast\(\): argument 'to' \(position 2\)"):
        can_cast(d("int8"), None)  # type: ignore[arg-type]


def test_can_cast_never_goes_down_a_category() -> None:
    rank = {name: d(name).category for name in ORDER}
    for a, b in product(ORDER, ORDER):
        assert can_cast(d(a), d(b)) is (rank[a] <= rank[b])
    assert can_cast(d("uint64"), d("uint8")) and not can_cast(d("int8"), d("bool"))


@pytest.mark.parametrize(
    ("operands", "default", "expected"),
    [
        # tensors with dimensions decide, whatever zero-dim tensors of the same category are
        ("i1/2 i8/0", "float32", "int8"),
        ("f4/2 f8/0", "float32", "float32"),
        ("i1/2 i8/1", "float32", "int64"),
        # a higher category wins from any rank
        ("i8/2 f2/0", "float32", "float16"),
        ("b/2 i8/0", "float32", "int64"),
        ("f2/2 c16/0", "float32", "complex32"),
        ("f8/2 c8/0", "float32", "complex128"),
        ("i4/2 c16/0", "float32", "complex128"),
        ("c8/2 f8/0", "float32", "complex64"),
        # Python numbers come last: a float is of the default dtype, a complex number of its complex type
        ("i4/2 f8/w", "float32", "float32"),
        ("i4/0 f8/w", "float64", "float64"),
        ("f2/2 f8/w", "float32", "float16"),
        ("f2/0 f8/w", "float32", "float16"),
        ("u1/2 i8/w", "float32", "uint8"),
        ("b/2 i8/w", "float32", "int64"),
        ("b/0 b/w", "float32", "bool"),
        ("i8/0 c16/w", "float32", "complex64"),
        ("i8/2 c16/w", "bfloat16", "complex64"),
        ("f8/2 c16/w", "float32", "complex128"),
        ("i8/w f8/w", "float16", "float16"),
        ("b/w i8/w", "float32", "int64"),
        ("i8/w f8/w c16/w", "float64", "complex128"),
        # all three ranks
        ("u1/2 i8/0 f8/w", "float32", "float32"),
        ("b/2 u1/0 i8/w", "float32", "uint8"),
        ("f2/2 f4/2 f8/0", "float32", "float32"),
    ],
)
def test_result_type(operands: str, default: str, expected: str) -> None:
    dtypes.set_default_dtype(d(default))
    triples = []
    for operand in operands.split():
        kind, rank = operand.split("/")
        triples.append((d(SHORT[kind]), 0 if rank == "w" else int(rank), rank == "w"))
    assert result_type_of(triples) is d(expected)
    assert result_type_of(triples[::-1]) is d(expected)


def test_result_type_of_wide_unsigned_operands() -> None:
    number = (dtypes.int64, 0, True)
    assert result_type_of([(dtypes.uint16, 1, False), number]) is dtypes.uint16
    assert result_type_of([(dtypes.uint16, 1, False), (dtypes.complex128, 0, True)]) is dtypes.complex64
    with pytest.raises(RuntimeError, match="Promotion for uint16"):
        result_type_of([(dtypes.uint16, 1, False), (dtypes.uint8, 1, False)])
    with pytest.raises(ValueError, match="at least one operand"):
        result_type_of([])


# --- default dtype, finfo, iinfo -------------------------------------------------------------------------------------


def test_default_dtype() -> None:
    assert dtypes.get_default_dtype() is dtypes.float32
    for name in ("float64", "float16", "bfloat16", "float32"):
        dtypes.set_default_dtype(d(name))
        assert dtypes.get_default_dtype() is d(name)
    for wrong in (dtypes.int32, dtypes.complex64, dtypes.bool_, "float64", None):
        with pytest.raises(TypeError, match="only floating-point types are supported as the default type"):
            dtypes.set_default_dtype(wrong)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="couldn't find storage object Float8_e5m2Storage"):
        dtypes.set_default_dtype(dtypes.float8_e5m2)
    assert dtypes.get_default_dtype() is dtypes.float32


FINFO = [
    ("float16", "finfo(resolution=0.001, min=-65504, max=65504, eps=0.000976562, smallest_normal=6.10352e-05, "
     "tiny=6.10352e-05, dtype=float16)"),
    ("bfloat16", "finfo(resolution=0.01, min=-3.38953e+38, max=3.38953e+38, eps=0.0078125, "
     "smallest_normal=1.17549e-38, tiny=1.17549e-38, dtype=bfloat16)"),
    ("complex64", "finfo(resolution=1e-06, min=-3.40282e+38, max=3.40282e+38, eps=1.19209e-07, "
     "smallest_normal=1.17549e-38, tiny=1.17549e-38, dtype=float32)"),
    ("float64", "finfo(resolution=1e-15, min=-1.79769e+308, max=1.79769e+308, eps=2.22045e-16, "
     "smallest_normal=2.22507e-308, tiny=2.22507e-308, dtype=float64)"),
    ("float8_e4m3fn", "finfo(resolution=1, min=-448, max=448, eps=0.125, smallest_normal=0.015625, tiny=0.015625, "
     "dtype=float8_e4m3fn)"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "text"), FINFO)
def test_finfo_text(name: str, text: str) -> None:
    assert repr(finfo(d(name))) == text


def test_finfo_numbers_are_numpys() -> None:
    for name in ("float16", "float32", "float64"):
        ours, numpys = finfo(d(name)), np.finfo(name)
        assert (ours.bits, ours.eps, ours.max, ours.min) == (numpys.bits, numpys.eps, numpys.max, numpys.min)
        assert ours.tiny == ours.smallest_normal == numpys.smallest_normal
    assert finfo(dtypes.bfloat16).max == float(dtypes.bfloat16.numpy.type(3.3895e38))
    assert finfo() == finfo(dtypes.float32) != finfo(dtypes.float64)
    assert finfo(type=dtypes.float16).dtype == "float16"


def test_iinfo() -> None:
    for name in ("uint8", "int8", "int16", "int32", "int64", "uint16", "uint32", "uint64"):
        ours, numpys = iinfo(d(name)), np.iinfo(name)
        assert (ours.bits, ours.min, ours.max, ours.dtype) == (numpys.bits, numpys.min, numpys.max, name)
    assert repr(iinfo(dtypes.int32)) == "iinfo(min=-2.14748e+09, max=2.14748e+09, dtype=int32)"
    assert repr(iinfo(dtypes.uint8)) == "iinfo(min=0, max=255, dtype=uint8)"
    assert iinfo(dtypes.int8) == iinfo(dtypes.int8) != iinfo(dtypes.uint8)


def test_the_wrong_info_for_a_type() -> None:
    with pytest.raises(TypeError, match="requires a floating point input type. Use torch.iinfo"):
        finfo(dtypes.int32)
    with pytest.raises(TypeError, match="requires an integer input type. Use torch.finfo"):
        iinfo(dtypes.float32)
    with pytest.raises(TypeError, match="torch.bool is not supported by torch.iinfo"):
        iinfo(dtypes.bool_)
    with pytest.raises(TypeError, match=r"finfo\(\): argument 'type' \(position 1\) must be torch.dtype, not str"):
        finfo("float32")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="unhashable"):
        hash(finfo())


# --- devices ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("made", "text", "short"),
    [
        (device("cpu"), "device(type='cpu')", "cpu"),
        (device("cuda:0"), "device(type='cuda', index=0)", "cuda:0"),
        (device("cuda", 1), "device(type='cuda', index=1)", "cuda:1"),
        (device(type="cuda", index=127), "device(type='cuda', index=127)", "cuda:127"),
        (device("mps", None), "device(type='mps')", "mps"),
        (device("cuda", index=2), "device(type='cuda', index=2)", "cuda:2"),
        (device(device("xpu:1")), "device(type='xpu', index=1)", "xpu:1"),
        (device(device="privateuseone"), "device(type='privateuseone')", "privateuseone"),
    ],
)
def test_forms_of_device(made: device, text: str, short: str) -> None:
    assert repr(made) == text
    assert str(made) == short
    assert device(short) is made is pickle.loads(pickle.dumps(made)) is copy.deepcopy(made)


def test_device_equality() -> None:
    assert device("cuda:1") == device("cuda", 1)
    assert hash(device("cuda:1")) == hash(device("cuda", 1))
    assert device("cpu") != device("cpu:0")
    assert device("cpu") != "cpu"
    assert (device("cpu").type, device("cpu").index, device("cuda:3").index) == ("cpu", None, 3)


EXPECTED_ONE_OF = (
    "Expected one of cpu, cuda, ipu, xpu, mkldnn, opengl, opencl, ideep, hip, ve, fpga, maia, xla, lazy, vulkan, mps, "
    "meta, hpu, mtia, privateuseone device type at start of device string: "
)


@pytest.mark.parametrize(
    ("args", "error", "message"),
    [
        (("foo",), RuntimeError, EXPECTED_ONE_OF + "foo"),
        (("CUDA",), RuntimeError, EXPECTED_ONE_OF + "CUDA"),
        (("",), RuntimeError, "Device string must not be empty"),
        (("cuda:",), RuntimeError, "Invalid device string: 'cuda:'"),
        (("cuda:01",), RuntimeError, "Invalid device string: 'cuda:01'"),
        (("cuda:-1",), RuntimeError, "Invalid device string: 'cuda:-1'"),
        (("cuda:1 ",), RuntimeError, "Invalid device string: 'cuda:1 '"),
        (("cuda:\N{SUPERSCRIPT TWO}",), RuntimeError, "Invalid device string"),
        (("cpu:99999999999999",), RuntimeError, "Could not parse device index '99999999999999' in device string"),
        (("cuda", -1), RuntimeError, "Device index must not be negative"),
        (("cuda:1", 1), RuntimeError, "must not include an index because index was passed explicitly: cuda:1"),
        ((0,), RuntimeError, "Cannot access accelerator device when none is available."),
        ((-1,), RuntimeError, "Device index must not be negative"),
        (("cuda", "1"), TypeError, "device(): argument 'index' (position 2) must be int, not str"),
        (("cuda", True), TypeError, "device(): argument 'index' (position 2) must be int, not bool"),
        ((device("cuda"), 1), TypeError, "device(): argument 'type' (position 1) must be str, not torch.device"),
        ((None,), TypeError, "device() received an invalid combination of arguments - got (NoneType)"),
        ((True,), TypeError, "device() received an invalid combination of arguments - got (bool)"),
        ((), TypeError, "device() received an invalid combination of arguments - got ()"),
    ],
)
def test_what_is_no_device(args: tuple[object, ...], error: type[Exception], message: str) -> None:
    with pytest.raises(error) as raised:
        device(*args)
    assert message in str(raised.value)


def test_devices_are_sealed() -> None:
    with pytest.raises(AttributeError, match="attribute 'index' of 'torch.device' objects is not writable"):
        device("cpu").index = 1
    with pytest.raises(TypeError, match="not an acceptable base type"):
        type("mine", (device,), {})
    with pytest.raises(TypeError, match="invalid combination"):
        device(index=1)


def test_default_device_and_context_manager() -> None:
    cpu, meta = device("cpu"), device("meta")
    assert devices.get_default_device() is cpu is devices.parse(None)
    with meta as entered:
        assert entered is meta is devices.get_default_device()
        with meta, cpu:
            assert devices.parse(None) is cpu
        assert devices.parse(None) is meta
    with pytest.raises(KeyError), meta:
        raise KeyError
    assert devices.get_default_device() is cpu
    devices.set_default_device("meta")
    assert devices.get_default_device() is meta
    devices.set_default_device(None)
    assert devices.get_default_device() is cpu
    assert devices.parse("cuda:1") is devices.parse(device("cuda:1")) is device("cuda", 1)


def test_default_device_belongs_to_the_thread() -> None:
    seen = []
    with device("meta"):
        thread = threading.Thread(target=lambda: seen.append(devices.get_default_device()))
        thread.start()
        thread.join()
    assert seen == [device("cpu")]


# --- sizes -----------------------------------------------------------------------------------------------------------


def test_size_is_a_tuple_that_prints_as_pytorchs() -> None:
    size = Size([2, 3])
    assert repr(size) == str(size) == "torch.Size([2, 3])"
    assert repr(Size()) == "torch.Size([])"
    assert size == (2, 3) and hash(size) == hash((2, 3)) and isinstance(size, tuple)
    assert size.numel() == 6 and Size().numel() == 1 and Size((0, 5)).numel() == 0
    assert pickle.loads(pickle.dumps(size)) == size and type(pickle.loads(pickle.dumps(size))) is Size
    assert type(copy.deepcopy(size)) is Size
    assert Size.of((4,)) == Size([4])


def test_operations_that_keep_size() -> None:
    size = Size([2, 3])
    for result, expected in [
        (size[1:], (3,)),
        (size[::-1], (3, 2)),
        (size + (1,), (2, 3, 1)),
        ((1,) + size, (1, 2, 3)),
        (size + size, (2, 3, 2, 3)),
        (size * 2, (2, 3, 2, 3)),
        (2 * size, (2, 3, 2, 3)),
    ]:
        assert type(result) is Size and result == expected
    assert size[-1] == 3 and type(size[0]) is int


def test_size_items_become_ints() -> None:
    size = Size([True, np.int64(3)])
    assert size == (1, 3) and {type(item) for item in size} == {int}
    assert Size(range(3)) == (0, 1, 2)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Size([2, 2.5]), r"torch.Size\(\) takes an iterable of 'int' \(item 1 is 'float'\)"),
        (lambda: Size("23"), r"torch.Size\(\) takes an iterable of 'int' \(item 0 is 'str'\)"),
        (lambda: Size([None]), r"item 0 is 'NoneType'"),
        (lambda: Size(3), "'int' object is not iterable"),  # type: ignore[arg-type]
        (lambda: Size([1]) + [1], r"can only concatenate tuple \(not list\) to torch.Size"),
        (lambda: [1] + Size([1]), "can only concatenate list"),
        (lambda: Size([1]) + ("a",), "item 1 is 'str'"),
    ],
)
def test_what_is_no_size(make: object, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        make()  # type: ignore[operator]


# --- beside PyTorch, where it is installed ---------------------------------------------------------------------------


def test_result_types_are_pytorchs() -> None:
    torch = pytest.importorskip("torch")
    names = ["uint8", "int8", "int64", "bool", "float16", "bfloat16", "float32", "float64", "complex64", "complex128"]
    tensors = {(n, dim): torch.zeros((1,) * dim, dtype=getattr(torch, n)) for n in names for dim in (0, 1)}
    for (a, b), number in product(product(tensors, tensors), (None, True, 2, 2.5, 1j)):
        operands = [(d(a[0]), a[1], False)]
        if number is None:
            operands.append((d(b[0]), b[1], False))
            expected = torch.result_type(tensors[a], tensors[b])
        else:
            kind = {bool: "bool", int: "int64", float: "float64", complex: "complex128"}[type(number)]
            operands.append((d(kind), 0, True))
            expected = torch.result_type(tensors[a], number)
        assert repr(result_type_of(operands)) == repr(expected), operands


def test_the_default_dtype_of_now_counts() -> None:
    """What was recorded under another default is no model for what is recorded now."""
    integers = torch.tensor([2, 3])
    assert [torch.sqrt(integers).dtype, (integers / 2).dtype] == [torch.float32] * 2
    try:
        pending = torch.sqrt(integers)
        torch.set_default_dtype(torch.float64)
        assert [torch.sqrt(integers).dtype, (integers / 2).dtype] == [torch.float64] * 2
        assert [torch.sqrt(pending).dtype, pending.sum().item()] == [torch.float32, pytest.approx(2**0.5 + 3**0.5)]
    finally:
        torch.set_default_dtype(torch.float32)
    assert [torch.sqrt(integers).dtype, (integers / 2).dtype] == [torch.float32] * 2


@pytest.mark.parametrize("first", [1, 1.0])
def test_an_exponent_is_whole_or_not_whichever_came_first(first):
    """Equal numbers, other dtypes of the result."""
    x = torch.tensor([1, 2, 3])
    torch.zeros(1).add(len(str(first))).item()
    for exponent in (first, 1, 1.0, True, 0.0, 0, False):
        assert (x**exponent).dtype is (torch.float32 if isinstance(exponent, float) else torch.int64)
        assert (x**exponent).tolist() == [n**exponent for n in (1, 2, 3)]


def test_padding_with_minus_zero():
    padded = torch.nn.functional.pad(torch.ones(1), (1, 1), value=-0.0)
    assert padded.signbit().tolist() == [True, False, True]


COMPLEX = [torch.complex64, torch.complex128]

REFUSED: dict[str, tuple[type[Exception], str, Callable[[torch.Tensor], Any], list[Any]]] = {
    "lt": (NotImplementedError, "lt_cpu", lambda t: t < t, COMPLEX),
    "clamp": (NotImplementedError, "clamp_cpu", lambda t: t.clamp(t, t), [*COMPLEX, torch.bool]),
    "maximum": (NotImplementedError, "maximum", lambda t: t.maximum(t), COMPLEX),
    "fmin": (NotImplementedError, "fmin", lambda t: t.fmin(t), COMPLEX),
    "heaviside": (RuntimeError, "not yet implemented for complex", lambda t: torch.heaviside(t, t), COMPLEX),
    "xlogy": (NotImplementedError, "xlogy_cpu", lambda t: t.xlogy(t), COMPLEX),
    "floor_divide": (NotImplementedError, "div_floor_cpu", lambda t: t // t, [*COMPLEX, torch.bool]),
    "div": (NotImplementedError, "div_trunc_cpu", lambda t: t.div(t, rounding_mode="trunc"), [*COMPLEX, torch.bool]),
    "remainder": (NotImplementedError, "remainder_cpu", lambda t: t % t, [*COMPLEX, torch.bool]),
    "fmod": (NotImplementedError, "fmod_cpu", lambda t: t.fmod(t), [*COMPLEX, torch.bool]),
    "shift": (NotImplementedError, "lshift_cpu", lambda t: t << t, [torch.bool]),
    "trace": (NotImplementedError, "trace", lambda t: t.expand(2, 2).trace(), [torch.bool]),
    "argmax": (RuntimeError, "does not support bool", lambda t: t.argmax(), [torch.bool]),
    "gradient": (RuntimeError, "does not support uint8", lambda t: torch.gradient(t), [torch.uint8]),
    "scatter_reduce": (
        NotImplementedError,
        "scatter_gather_tensor_cpu_reduce_amax",
        lambda t: t.scatter_reduce(0, torch.tensor([0]), t, "amax"),
        COMPLEX,
    ),
}


@pytest.mark.parametrize(("name", "kind"), [(name, kind) for name, row in REFUSED.items() for kind in row[3]])
def test_operations_without_a_meaning_for_a_dtype(name: str, kind: Any) -> None:
    error, said, call, _ = REFUSED[name]
    with pytest.raises(error, match=said):
        call(torch.ones(2, dtype=kind))


def test_whole_numbers_are_summed_as_int64() -> None:
    assert torch.ones(2, 3, dtype=torch.int32).sum_to_size(2, 1).dtype is torch.int64
    assert torch.tensor(1, dtype=torch.int32).sum_to_size(()).dtype is torch.int64
    assert torch.ones(2, dtype=torch.int32).sum_to_size(2).dtype is torch.int32
    assert torch.unravel_index(torch.tensor(3, dtype=torch.uint8), (2, 2))[0].dtype is torch.int64


def test_products_of_whole_numbers_are_scaled_by_whole_numbers() -> None:
    x = torch.ones(1, 2, 2, dtype=torch.int64)
    assert torch.baddbmm(x, x, x, beta=1.5, alpha=2.5).tolist() == [[[5, 5], [5, 5]]]
    assert torch.addmv(x[0, 0], x[0], x[0, 0], beta=0.5).tolist() == [2, 2]
    contracted = torch.tensordot(torch.ones(1, 2, dtype=torch.int32), torch.ones(3, 2, dtype=torch.int32), ([0], [0]))
    assert contracted.dtype is torch.int32


def test_memory_format_of_a_conversion() -> None:
    x = torch.zeros(2, 3, 2, 3)
    assert x.double(memory_format=torch.channels_last).stride() == (18, 1, 9, 3)
    assert x.float(memory_format=torch.channels_last).stride() == (18, 1, 9, 3)


@pytest.mark.parametrize("kind", [torch.uint8, torch.int8, torch.int16])
def test_a_number_that_no_element_can_be(kind: Any) -> None:
    with pytest.raises(RuntimeError, match="without overflow"):
        torch.full((2,), 70_000, dtype=kind)
    with pytest.raises(RuntimeError, match="without overflow"):
        torch.full_like(torch.zeros(2, dtype=kind), float("nan"))
    with pytest.raises(RuntimeError, match="c10::complex<float> without overflow"):
        torch.full((2,), 1e300j, dtype=torch.complex64)
    assert torch.full((2,), 1 + 0j, dtype=kind).tolist() == [1, 1]


def test_alpha_scales_in_the_dtype_of_the_result() -> None:
    yes = torch.ones(2, dtype=torch.bool)
    assert torch.add(yes, yes, alpha=2).tolist() == [True, True]
    assert torch.add(~yes, yes, alpha=False).tolist() == [False, False]
    wide, narrow = torch.ones(1, dtype=torch.int64), torch.ones(1, dtype=torch.int8)
    assert torch.add(wide, narrow, alpha=300).tolist() == [301]
    assert torch.sub(wide, narrow, alpha=300).tolist() == [-299]
    with pytest.raises(RuntimeError, match="must not be a complex number"):
        torch.add(torch.ones(1), torch.ones(1), alpha=1j)


def test_bounds_of_bools_are_their_maxima_and_minima() -> None:
    yes, mixed = torch.tensor([True, True]), torch.tensor([True, False])
    assert mixed.clamp(min=yes).tolist() == [True, True]
    assert yes.clamp_max(mixed).tolist() == [True, False]
    with pytest.raises(TypeError, match="invalid combination of arguments"):
        torch.ones(2).clamp(min=torch.zeros(2), max=1)


@pytest.mark.parametrize("kind", [torch.float16, torch.float32, torch.float64])
def test_nan_has_no_sign(kind: Any) -> None:
    x = torch.tensor([float("nan"), -2.0, 3.0], dtype=kind, requires_grad=True)
    assert torch.sign(x).tolist() == [0, -1, 1]
    assert torch.sgn(x).tolist() == [0, -1, 1]
    x.abs().sum().backward()
    assert x.grad.tolist() == [0, -1, 1]
    assert torch.heaviside(x.detach(), torch.ones(3, dtype=kind)).tolist() == [0, 0, 1]


def test_truth_over_no_dimensions_is_that_of_each_element() -> None:
    x = torch.tensor([[1.0, 0.0]])
    assert x.all(dim=()).tolist() == [[True, False]]
    assert x.any(dim=()).tolist() == [[True, False]]
    assert x.byte().all(dim=()).dtype is torch.uint8


def test_factories_make_their_numbers_in_the_dtype_of_out() -> None:
    out = torch.ones(3, dtype=torch.int32)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert torch.zeros(2, out=out) is out
        assert torch.tensor([1e40]).tolist() == [float("inf")]
    assert out.tolist() == [0, 0]
    with pytest.raises(RuntimeError, match="dtype Long does not match dtype of out parameter .Int."):
        torch.ones(2, dtype=torch.int64, out=out)
    assert torch.linspace(0, 1j, 3).tolist() == [0j, 0.5j, 1j]


def test_asarray_says_what_it_cannot_share() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        copied = torch.asarray(torch.ones(2), copy=True)
    assert copied.tolist() == [1, 1]
    with pytest.raises(ValueError, match="can't alias tensor with dtype 'Double' into dtype 'Float'"):
        torch.asarray(np.ones(2), copy=False, dtype=torch.float32)
    with pytest.raises(TypeError, match="expected a tensor of dtype torch.int64"):
        torch.LongTensor(torch.ones(2))
    assert torch.Tensor(torch.ones(2, dtype=torch.int64)).dtype is torch.int64


def test_absolute_values_of_complex_numbers_are_not_written_in_place() -> None:
    with pytest.raises(RuntimeError, match="In-place abs is not supported for complex"):
        torch.tensor([1j]).abs_()
    assert torch.tensor([-1.0]).abs_().tolist() == [1]


def test_conversions_say_that_imaginary_parts_are_lost() -> None:
    x = torch.tensor([1 + 2j])
    for call in (lambda: x.float(), lambda: x.to(torch.int64)):
        with pytest.warns(UserWarning, match="discards the imaginary part"):
            assert call().tolist() == [1]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert x.bool().tolist() == [True]
        assert x.real.tolist() == [1]


def test_only_numbers_fill_a_tensor() -> None:
    with pytest.raises(TypeError, match="must be a number or a tensor of one, not str"):
        torch.zeros(3).fill_("a")
