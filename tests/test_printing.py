"""Printing: the text of a tensor, character by character as PyTorch 2.13 prints the same numbers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from rushlight.core import dtype as dtypes
from rushlight.core.device import device
from rushlight.tensor.printing import (
    format_array,
    format_tensor,
    get_printoptions,
    printoptions,
    set_printoptions,
)

CPU = device("cpu")


@pytest.fixture(autouse=True)
def default_options() -> Iterator[None]:
    """Every test starts and ends with PyTorch's defaults."""
    set_printoptions(profile="default")
    yield
    set_printoptions(profile="default")


def text_of(numbers: Any, name: str = "float32", **how: Any) -> str:
    dtype = dtypes.dtype_from_name(name)
    return format_tensor(np.asarray(numbers).astype(dtype.numpy), dtype, how.pop("device", CPU), **how)


def case(name: str, dtype: str, numbers: Any, *, expected: str, **options: Any) -> Any:
    return pytest.param(dtype, numbers, options, expected, id=name.replace(" ", "-"))


CASES = [
    case("floats", "float32", [1.0, 2.0, 3.0], expected="tensor([1., 2., 3.])"),
    case("fractions", "float32", [0.1, 2.5, -3.25], expected="tensor([ 0.1000,  2.5000, -3.2500])"),
    case("wide range", "float32", [1.0, 2000.0], expected="tensor([1.0000e+00, 2.0000e+03])"),
    case("small", "float32", [1e-5, 1.0], expected="tensor([1.0000e-05, 1.0000e+00])"),
    case("barely small", "float32", [1e-4, 0.01], expected="tensor([1.0000e-04, 1.0000e-02])"),
    case("large integral", "float32", [1e8, 1e7], expected="tensor([100000000.,  10000000.])"),
    case("too large", "float32", [1e9, 1.0], expected="tensor([1.0000e+09, 1.0000e+00])"),
    case("zeros", "float32", [0.0, -0.0], expected="tensor([0., -0.])"),
    case("nan beside integral", "float32", [np.nan, 1.0], expected="tensor([nan, 1.])"),
    case(
        "nan and infinities",
        "float32",
        [np.nan, np.inf, -np.inf, 0.5],
        expected="tensor([   nan,    inf,   -inf, 0.5000])",
    ),
    case(
        "infinity in scientific",
        "float32",
        [1e-8, 1e9, np.inf],
        expected="tensor([1.0000e-08, 1.0000e+09,        inf])",
    ),
    case("seven digits", "float32", [123456.789, 1000.0], expected="tensor([123456.7891,   1000.0000])"),
    case("zero-dim", "float32", 5.0, expected="tensor(5.)"),
    case("zero-dim fraction", "float32", -0.1234567, expected="tensor(-0.1235)"),
    case("zero-dim nan", "float32", np.nan, expected="tensor(nan)"),
    case("zero-dim tiny", "float32", 1e-10, expected="tensor(1.0000e-10)"),
    case("subnormal", "float64", [5e-324, 1e308], expected="tensor([4.9407e-324, 1.0000e+308], dtype=torch.float64)"),
    case("integers", "int64", [1, -20, 300], expected="tensor([  1, -20, 300])"),
    case("zero-dim integer", "int64", 7, expected="tensor(7)"),
    case(
        "int32",
        "int32",
        [[1, 2], [3, 4]],
        expected="""\
tensor([[1, 2],
        [3, 4]], dtype=torch.int32)""",
    ),
    case(
        "uint64",
        "uint64",
        np.array([0, 2**64 - 1], np.uint64),
        expected="tensor([                   0, 18446744073709551615], dtype=torch.uint64)",
    ),
    case("bools", "bool", [True, False], expected="tensor([ True, False])"),
    case("zero-dim bool", "bool", True, expected="tensor(True)"),
    case("double", "float64", [1.0, 0.5], expected="tensor([1.0000, 0.5000], dtype=torch.float64)"),
    case(
        "half",
        "float16",
        [1.0, 0.1, 65504.0],
        expected="tensor([1.0000e+00, 9.9976e-02, 6.5504e+04], dtype=torch.float16)",
    ),
    case(
        "bfloat16",
        "bfloat16",
        [1.0, 0.1, 3e38],
        expected="tensor([1.0000e+00, 1.0010e-01, 3.0041e+38], dtype=torch.bfloat16)",
    ),
    case("complex", "complex64", [1 + 2j, -0.5 - 1e-3j], expected="tensor([ 1.0000+2.0000e+00j, -0.5000-1.0000e-03j])"),
    case("complex integral", "complex64", [1 + 2j, -3j, 0], expected="tensor([1.+2.j, -0.-3.j, 0.+0.j])"),
    case(
        "complex nan",
        "complex128",
        [complex(np.nan, -np.inf), 1 - 0j],
        expected="tensor([nan-infj, 1.+0.j], dtype=torch.complex128)",
    ),
    case("zero-dim complex", "complex64", 1.5 - 2j, expected="tensor(1.5000-2.j)"),
    case("empty", "float32", np.zeros((0,)), expected="tensor([])"),
    case("empty matrix", "float32", np.zeros((0, 3)), expected="tensor([], size=(0, 3))"),
    case("empty integers", "int64", np.zeros((2, 0, 3)), expected="tensor([], size=(2, 0, 3), dtype=torch.int64)"),
    case(
        "matrix",
        "float32",
        np.arange(6).reshape(2, 3) / 4,
        expected="""\
tensor([[0.0000, 0.2500, 0.5000],
        [0.7500, 1.0000, 1.2500]])""",
    ),
    case(
        "three dims",
        "int64",
        np.arange(8).reshape(2, 2, 2),
        expected="""\
tensor([[[0, 1],
         [2, 3]],

        [[4, 5],
         [6, 7]]])""",
    ),
    case(
        "four dims",
        "int64",
        np.arange(4).reshape(2, 1, 2, 1),
        expected="""\
tensor([[[[0],
          [1]]],


        [[[2],
          [3]]]])""",
    ),
    case(
        "wrapped",
        "int64",
        np.arange(30),
        expected="""\
tensor([ 0,  1,  2,  3,  4,  5,  6,  7,  8,  9, 10, 11, 12, 13, 14, 15, 16, 17,
        18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29])""",
    ),
    case(
        "wrapped floats",
        "float32",
        np.arange(20) / 8,
        expected="""\
tensor([0.0000, 0.1250, 0.2500, 0.3750, 0.5000, 0.6250, 0.7500, 0.8750, 1.0000,
        1.1250, 1.2500, 1.3750, 1.5000, 1.6250, 1.7500, 1.8750, 2.0000, 2.1250,
        2.2500, 2.3750])""",
    ),
    case(
        "wrapped rows",
        "float64",
        np.arange(22).reshape(2, 11) * 1.5 - 10,
        expected="""\
tensor([[-10.0000,  -8.5000,  -7.0000,  -5.5000,  -4.0000,  -2.5000,  -1.0000,
           0.5000,   2.0000,   3.5000,   5.0000],
        [  6.5000,   8.0000,   9.5000,  11.0000,  12.5000,  14.0000,  15.5000,
          17.0000,  18.5000,  20.0000,  21.5000]], dtype=torch.float64)""",
    ),
    case(
        "dtype on its own line",
        "float16",
        np.arange(8) * 100.5,
        expected="""\
tensor([  0.0000, 100.5000, 201.0000, 301.5000, 402.0000, 502.5000, 603.0000,
        703.5000], dtype=torch.float16)""",
    ),
    case(
        "summary of a vector", "int64", np.arange(1001), expected="tensor([   0,    1,    2,  ...,  998,  999, 1000])"
    ),
    case(
        "summary of a matrix",
        "float32",
        np.arange(2000).reshape(40, 50) / 4,
        expected="""\
tensor([[0.0000e+00, 2.5000e-01, 5.0000e-01,  ..., 1.1750e+01, 1.2000e+01,
         1.2250e+01],
        [1.2500e+01, 1.2750e+01, 1.3000e+01,  ..., 2.4250e+01, 2.4500e+01,
         2.4750e+01],
        [2.5000e+01, 2.5250e+01, 2.5500e+01,  ..., 3.6750e+01, 3.7000e+01,
         3.7250e+01],
        ...,
        [4.6250e+02, 4.6275e+02, 4.6300e+02,  ..., 4.7425e+02, 4.7450e+02,
         4.7475e+02],
        [4.7500e+02, 4.7525e+02, 4.7550e+02,  ..., 4.8675e+02, 4.8700e+02,
         4.8725e+02],
        [4.8750e+02, 4.8775e+02, 4.8800e+02,  ..., 4.9925e+02, 4.9950e+02,
         4.9975e+02]])""",
    ),
    case(
        "summary, short rows",
        "int64",
        np.arange(1200).reshape(200, 6),
        expected="""\
tensor([[   0,    1,    2,    3,    4,    5],
        [   6,    7,    8,    9,   10,   11],
        [  12,   13,   14,   15,   16,   17],
        ...,
        [1182, 1183, 1184, 1185, 1186, 1187],
        [1188, 1189, 1190, 1191, 1192, 1193],
        [1194, 1195, 1196, 1197, 1198, 1199]])""",
    ),
    case(
        "width from the edges only",
        "int64",
        np.where(np.arange(2000) == 1000, 10**9, 1),
        expected="tensor([1, 1, 1,  ..., 1, 1, 1])",
    ),
    case("precision", "float32", [0.123456789, 1.0], precision=8, expected="tensor([0.12345679, 1.00000000])"),
    case("precision 0", "float32", [0.6, 1.5], precision=0, expected="tensor([1, 2])"),
    case(
        "threshold and edges",
        "int64",
        np.arange(12),
        threshold=5,
        edgeitems=2,
        expected="tensor([ 0,  1,  ..., 10, 11])",
    ),
    case("no edges", "int64", np.arange(12), threshold=5, edgeitems=0, expected="tensor([...], size=(12,))"),
    case(
        "no edges, not summarised",
        "int32",
        [1, 2],
        edgeitems=0,
        expected="tensor([1, 2], size=(2,), dtype=torch.int32)",
    ),
    case(
        "narrow lines",
        "float32",
        np.arange(7) / 2,
        linewidth=20,
        expected="""\
tensor([0.0000,
        0.5000,
        1.0000,
        1.5000,
        2.0000,
        2.5000,
        3.0000])""",
    ),
    case(
        "short profile",
        "float32",
        np.arange(2000).reshape(40, 50) / 7,
        profile="short",
        expected="""\
tensor([[0.00e+00, 1.43e-01,  ..., 6.86e+00, 7.00e+00],
        [7.14e+00, 7.29e+00,  ..., 1.40e+01, 1.41e+01],
        ...,
        [2.71e+02, 2.72e+02,  ..., 2.78e+02, 2.78e+02],
        [2.79e+02, 2.79e+02,  ..., 2.85e+02, 2.86e+02]])""",
    ),
    case(
        "scientific forced",
        "float32",
        [1.0, -2.0, 0.0],
        sci_mode=True,
        expected="tensor([ 1.0000e+00, -2.0000e+00,  0.0000e+00])",
    ),
    case("scientific forced on zeros", "float32", [0.0, 0.0], sci_mode=True, expected="tensor([0., 0.])"),
    case(
        "scientific forbidden",
        "float32",
        [1e-8, 1e9],
        sci_mode=False,
        expected="tensor([         0.0000, 1000000000.0000])",
    ),
    case(
        "scientific forbidden, integral",
        "float32",
        [1e10, 1.0],
        sci_mode=False,
        expected="tensor([10000000000.,           1.])",
    ),
]


@pytest.mark.parametrize(("dtype", "numbers", "options", "expected"), CASES)
def test_text(dtype: str, numbers: Any, options: dict[str, Any], expected: str) -> None:
    set_printoptions(**options)
    assert text_of(numbers, dtype) == expected


def test_summary_begins_above_the_threshold() -> None:
    assert "..." not in text_of(np.arange(1000), "int64")
    assert "..." in text_of(np.arange(1001), "int64")
    set_printoptions(profile="full")
    assert "..." not in text_of(np.arange(5000), "int64")


def test_summary_reads_only_the_edges_of_a_transposed_array() -> None:
    numbers = np.arange(2000.0).reshape(50, 40)
    assert text_of(numbers.T) == text_of(np.ascontiguousarray(numbers.T))


def test_grad_fn_and_requires_grad() -> None:
    assert text_of([1.0, 2.0], requires_grad=True) == "tensor([1., 2.], requires_grad=True)"
    # grad_fn says it all
    text = text_of([1.0, 2.0], requires_grad=True, grad_fn_name="AddBackward0")
    assert text == "tensor([1., 2.], grad_fn=<AddBackward0>)"


def test_notes_begin_a_new_line_where_they_do_not_fit() -> None:
    text = text_of(np.arange(7) * 100.5, "float64", grad_fn_name="MulBackward0")
    assert text == (
        "tensor([  0.0000, 100.5000, 201.0000, 301.5000, 402.0000, 502.5000, 603.0000],\n"
        "       dtype=torch.float64, grad_fn=<MulBackward0>)"
    )


def test_parameter() -> None:
    text = text_of([[1.0], [0.5]], requires_grad=True, parameter=True)
    assert text == "Parameter containing:\ntensor([[1.0000],\n        [0.5000]], requires_grad=True)"


def test_subclass_name_moves_the_indent() -> None:
    assert text_of([[1], [2]], "int64", class_name="Masked") == "Masked([[1],\n        [2]])"


def test_device_is_shown_unless_cpu() -> None:
    assert text_of([1.0], device=device("cpu:0")) == "tensor([1.])"
    assert text_of([1.0], device=device("cuda:1")) == "tensor([1.], device='cuda:1')"


@pytest.mark.parametrize(
    ("shape", "name", "expected"),
    [
        ((2, 3), "float32", "tensor(..., device='meta', size=(2, 3))"),
        ((), "float16", "tensor(..., device='meta', size=(), dtype=torch.float16)"),
        ((0,), "int64", "tensor(..., device='meta', size=(0,), dtype=torch.int64)"),
    ],
)
def test_meta_tensors_show_their_size(shape: tuple[int, ...], name: str, expected: str) -> None:
    assert format_tensor(None, dtypes.dtype_from_name(name), device("meta"), shape=shape) == expected


def test_default_dtype_decides_what_is_shown() -> None:
    half, double = dtypes.float16, dtypes.float64
    assert text_of([1.0], "float32", default_dtype=double) == "tensor([1.], dtype=torch.float32)"
    assert text_of([1.0], "float64", default_dtype=double) == "tensor([1.])"
    assert text_of([1j], "complex128", default_dtype=double) == "tensor([0.+1.j])"
    assert text_of([1j], "complex64", default_dtype=half) == "tensor([0.+1.j])"
    assert text_of([], "int64", default_dtype=half) == "tensor([], dtype=torch.int64)"


def test_format_array_is_the_brackets_alone() -> None:
    assert format_array(np.array([[1, 2], [3, 4]]), dtypes.int64) == "[[1, 2],\n [3, 4]]"


def test_options_are_set_and_restored() -> None:
    before = get_printoptions()
    assert before == {"precision": 4, "threshold": 1000, "edgeitems": 3, "linewidth": 80, "sci_mode": None}
    with printoptions(precision=2, sci_mode=True):
        assert get_printoptions() == {**before, "precision": 2, "sci_mode": True}
        assert text_of([0.5]) == "tensor([5.00e-01])"
    assert get_printoptions() == before


def test_profiles_replace_all_options_but_those_given() -> None:
    set_printoptions(precision=7, linewidth=33)
    set_printoptions(profile="short", linewidth=50)
    assert get_printoptions() == {"precision": 2, "threshold": 1000, "edgeitems": 2, "linewidth": 50, "sci_mode": None}


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"profile": "long"}, ValueError),
        ({"precision": -1}, ValueError),
        ({"linewidth": 0}, ValueError),
        ({"precision": "4"}, TypeError),
        ({"edgeitems": 2.0}, TypeError),
    ],
)
def test_wrong_options_change_nothing(options: dict[str, Any], error: type[Exception]) -> None:
    before = get_printoptions()
    with pytest.raises(error, match=str(next(iter(options)))):
        set_printoptions(**{"threshold": 5, **options})
    assert get_printoptions() == before


def test_random_tensors_as_pytorch_prints_them() -> None:
    torch = pytest.importorskip("torch")
    generator = np.random.default_rng(0)
    for round_ in range(120):
        shape = tuple(generator.integers(0, 12, generator.integers(0, 4)))
        numbers = generator.standard_normal(shape) * 10.0 ** generator.integers(-6, 10)
        if round_ % 3 == 0:
            numbers = np.round(numbers)
        name = ("float32", "float64", "int64", "float16", "complex64")[round_ % 5]
        with np.errstate(all="ignore"):
            ours = text_of(numbers, name)
            theirs = repr(torch.from_numpy(np.asarray(numbers.astype(name))))
        assert ours == theirs
