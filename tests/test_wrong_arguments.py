"""Mistakes that programs make with arguments: the kinds of PyTorch's errors, and what they name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import rushlight as torch
from rushlight import nn
from rushlight.nn import functional as F

A = torch.arange(12.0).reshape(3, 4)

WRONG: dict[str, tuple[type[Exception], str, Callable[[], Any]]] = {
    "abs of None": (TypeError, "argument 'input' .position 1. must be Tensor, not NoneType", lambda: torch.exp(None)),
    "relu of None": (TypeError, "must be Tensor, not NoneType", lambda: nn.ReLU()(None)),
    "bmm of None": (TypeError, "must be Tensor, not NoneType", lambda: torch.bmm(None, A)),
    "nonzero of None": (TypeError, "must be Tensor, not NoneType", lambda: torch.nonzero(None)),
    "unique of a list": (TypeError, "must be Tensor, not list", lambda: torch.unique([1])),
    "multinomial of a list": (TypeError, "must be Tensor, not list", lambda: torch.multinomial([1.0], 1)),
    "requires_grad_": (TypeError, "must be bool, not str", lambda: torch.ones(1).requires_grad_("x")),
    "of a module": (TypeError, "must be bool, not int", lambda: nn.Linear(1, 1).requires_grad_(3)),
    "requires_grad=": (TypeError, "must be bool, not int", lambda: torch.tensor([1.0], requires_grad=3)),
    "view": (TypeError, "view", lambda: A.view()),
    "tril": (TypeError, "argument 'diagonal' .position 2. must be int, not str", lambda: A.tril("x")),
    "round": (TypeError, "argument 'decimals' must be int, not str", lambda: A.round(decimals="x")),
    "linspace": (TypeError, "argument 'steps' .position 3. must be int, not float", lambda: torch.linspace(0, 1, 2.5)),
    "logspace": (RuntimeError, "number of steps must be non-negative", lambda: torch.logspace(0, 1, -1)),
    "eye": (TypeError, "argument 'n' .position 1. must be int, not float", lambda: torch.eye(2.5)),
    "ones": (TypeError, 'ones.. missing 1 required positional arguments: "size"', lambda: torch.ones()),
    "isclose": (RuntimeError, "Float did not match Double", lambda: torch.isclose(A, A.double())),
    "allclose": (RuntimeError, "rtol must be greater than or equal to zero", lambda: torch.allclose(A, A, rtol=-1)),
    "einsum": (ValueError, "at least one operand", lambda: torch.einsum("ij,ij->ij")),
    "margin": (ValueError, "only p == 1", lambda: F.multi_margin_loss(A, torch.tensor([0, 1, 2]), p=3)),
    "scatter": (IndexError, "same number of dimensions", lambda: A.scatter(0, torch.tensor([[0]]), torch.ones(1))),
    "compile mode": (RuntimeError, "Unrecognized mode=foo", lambda: torch.compile(nn.Linear(1, 1), mode="foo")),
    "data": (TypeError, "data has to be a tensor, but got list", lambda: setattr(torch.ones(2), "data", [1.0, 2.0])),
    "compile": (AssertionError, "A callable function is expected", lambda: torch.compile(3)),
    "eq of a number": (TypeError, "eq.*'input' .position 1. must be Tensor, not int", lambda: torch.eq(2, A)),
    "max of a number": (TypeError, "max.*'input' .position 1. must be Tensor, not int", lambda: torch.max(2, A)),
    "maximum": (TypeError, "maximum.*'other' .position 2. must be Tensor, not float", lambda: A.maximum(2.0)),
    "heaviside": (TypeError, "'values' .position 2. must be Tensor, not int", lambda: torch.heaviside(A, 1)),
    "logical_and_": (TypeError, "'other' .position 2. must be Tensor, not bool", lambda: A.bool().logical_and_(True)),
    "arange to infinity": (RuntimeError, "unsupported range: 0 -> inf", lambda: torch.arange(0, float("inf"), 2)),
    "arange of nothing": (TypeError, "invalid combination of arguments", lambda: torch.arange()),
    "arange of bools": (NotImplementedError, "not implemented for 'Bool'", lambda: torch.arange(2, dtype=torch.bool)),
    "arange of a vector": (TypeError, "must be Number, not Tensor", lambda: torch.arange(torch.tensor([3]))),
    "arange by half": (ValueError, "step must be nonzero", lambda: torch.arange(0, 3, 0.5, dtype=torch.int64)),
    "linspace of vectors": (RuntimeError, "only supports 0-dimensional", lambda: torch.linspace(A[0], A[1], 3)),
    "full of a string": (TypeError, "argument 'fill_value'.*must be Number, not str", lambda: torch.full((2,), "a")),
    "full of too much": (
        RuntimeError,
        "type uint8_t without overflow",
        lambda: torch.full((2,), 300, dtype=torch.uint8),
    ),
    "masked_fill of too much": (
        RuntimeError,
        "type uint8_t without overflow",
        lambda: A.byte().masked_fill(A > 1, torch.tensor(300)),
    ),
    "masked_fill of complex": (
        RuntimeError,
        "without overflow",
        lambda: A.masked_fill(A > 1, torch.tensor(1j)),
    ),
    "unbind of a number": (IndexError, "tensor has no dimensions", lambda: torch.tensor(1.0).unbind()),
    "roll of a number": (IndexError, "tensor has no dimensions", lambda: torch.tensor(1.0).roll(1, 0)),
    "fft of a number": (IndexError, "tensor has no dimensions", lambda: torch.fft.fftn(torch.tensor(1.0), dim=(0,))),
    "amax of nothing": (IndexError, "reduction dim 1 to have non-zero size", lambda: torch.ones(2, 0).amax(1)),
    "narrow from a vector": (RuntimeError, "0-dim integral Tensor", lambda: A.narrow(0, torch.tensor([0]), 1)),
    "narrow from a bool": (RuntimeError, "0-dim integral Tensor", lambda: A.narrow(0, torch.tensor(True), 1)),
    "hsplit": (TypeError, "invalid combination of arguments", lambda: A.hsplit("a")),
    "dot": (RuntimeError, "same dtype, but found Float and Double", lambda: torch.dot(A[0], A[0, :2].double())),
    "ormqr": (RuntimeError, "input must have at least 2 dimensions", lambda: torch.ormqr(A[0], A[0], A)),
    "ormqr of other sizes": (RuntimeError, "other.shape.-2.", lambda: torch.ormqr(A, A[0, :2], torch.ones(4, 2))),
    "same padding": (
        RuntimeError,
        "Expected 3-dimensional input for 3-dimensional weight",
        lambda: F.conv2d(torch.ones(1, 1, 4, 4), torch.ones(1, 1, 2), padding="same"),
    ),
    "adaptive pooling": (ValueError, "Input dimension should be at least 3", lambda: F.adaptive_avg_pool2d(A, (2, 2))),
    "window of integers": (
        ValueError,
        "general_cosine expects float32 or float64 dtypes, got: torch.int64",
        lambda: torch.signal.windows.hann(3, dtype=torch.int64),
    ),
    "window of another layout": (
        ValueError,
        "cosine is implemented for strided tensors only",
        lambda: torch.signal.windows.cosine(3, layout=torch.sparse_coo),
    ),
    "window of no coefficients": (
        TypeError,
        "must be a list/tuple",
        lambda: torch.signal.windows.general_cosine(3, a=None),
    ),
    "out of another dtype": (
        RuntimeError,
        "out tensor to have dtype float, but got double",
        lambda: torch.gather(A, 1, torch.tensor([[0]]), out=torch.ones(1, 1).double()),
    ),
    "amax into integers": (
        RuntimeError,
        "dtype for input and out to match",
        lambda: torch.amax(A, 0, out=torch.ones(4, dtype=torch.int32)),
    ),
    "complex out": (
        RuntimeError,
        "scalar type ComplexFloat but got scalar type ComplexDouble for argument 'out'",
        lambda: torch.complex(A, A, out=torch.ones(3, 4, dtype=torch.complex128)),
    ),
    "multinomial out": (
        RuntimeError,
        "expects Long tensor out, got: Double",
        lambda: torch.multinomial(A[0], 1, out=torch.ones(1).double()),
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_kind_of_error(name: str) -> None:
    kind, said, call = WRONG[name]
    with pytest.raises(kind, match=said) as caught:
        repr(call())
    assert type(caught.value) is kind


def test_whole_numbers_of_other_kinds_are_taken() -> None:
    import numpy as np

    assert torch.eye(np.int64(2)).shape == (2, 2)
    assert torch.linspace(0, 1, torch.tensor(3)).tolist() == [0.0, 0.5, 1.0]
    assert torch.ones(2, 2).triu(np.int32(1)).sum() == 1


def test_numpys_numbers_in_a_size_become_pythons() -> None:
    import numpy as np

    n = np.int64(1013)  # a size that no other test has: a shape is kept as it was first met
    classes = torch.zeros(3, dtype=torch.long)
    made = [torch.eye(n), torch.diag(torch.zeros(1014), np.int64(0)), F.one_hot(classes, n + 2)]
    for t in made:
        assert all(type(size) is int for size in (*t._value.spec.shape, *t._value.spec.strides))
    with pytest.raises(RuntimeError, match=r"size '\[3\]' to a tensor of size '\[1013, 1013\]'"):
        torch.ones(1013, 1013, requires_grad=True).grad = torch.ones(3)


def test_sizes_without_dimensions_are_sizes() -> None:
    assert torch.linalg.matrix_rank(torch.eye(2)) == 2
    assert torch.linalg.matrix_rank(torch.zeros(0, 3)) == 0
    assert torch.zeros(()).shape == torch.ones(size=()).shape == ()


def _written_while_read() -> dict[str, Callable[[], Any]]:
    x, at = torch.arange(6.0), torch.tensor([0, 1, 2])
    return {
        "gather": lambda: torch.gather(x, 0, at, out=x),
        "take": lambda: torch.take(x, at, out=x),
        "masked_select": lambda: torch.masked_select(x, x > 2, out=x),
        "cat": lambda: torch.cat([x[:3], x[3:]], out=x),
        "kthvalue": lambda: torch.kthvalue(x, 2, out=(x, at)),
    }


@pytest.mark.parametrize("name", list(_written_while_read()))
def test_some_functions_write_nowhere_near_what_they_read(name: str) -> None:
    with pytest.raises(RuntimeError, match="refer to a single memory location"):
        _written_while_read()[name]()


def test_arange_cuts_its_bounds_to_the_dtype() -> None:
    """int64 counts with whole numbers, narrower integers count with the given ones."""
    assert torch.arange(0.5, 3.7, dtype=torch.int64).tolist() == [0, 1, 2]
    assert torch.arange(0.5, 3.7, dtype=torch.int32).tolist() == [0, 1, 2, 3]
    assert torch.arange(0, 3, 1.0, out=torch.zeros(0, dtype=torch.int64)).tolist() == [0, 1, 2]
    assert torch.arange(2**62, 2**62 + 8, 3).tolist() == [2**62, 2**62 + 3, 2**62 + 6]


OUT_OF_ITS_OWN = {
    "abs": lambda x, out: torch.abs(x, out=out),
    "cross": lambda x, out: torch.cross(x, x, out=out),
    "tril": lambda x, out: torch.tril(x, out=out),
    "take": lambda x, out: torch.take(x, torch.tensor([0]), out=out),
    "where": lambda x, out: torch.where(x > 0, x, x, out=out),
    "scatter": lambda x, out: torch.scatter(x, 0, torch.zeros(1, 3, dtype=torch.int64), 1.0, out=out),
    "sort": lambda x, out: torch.sort(x, out=(out, torch.zeros(0, dtype=torch.int64))),
    "quantile": lambda x, out: torch.quantile(x, 0.5, out=out),
}


@pytest.mark.parametrize("name", OUT_OF_ITS_OWN)
def test_some_functions_take_only_an_out_of_the_results_dtype(name: str) -> None:
    x, call = torch.arange(9.0).reshape(3, 3), OUT_OF_ITS_OWN[name]
    call(x, torch.zeros(0))
    with pytest.raises(RuntimeError, match="out tensor to have dtype float, but got double"):
        call(x, torch.zeros(0, dtype=torch.float64))


def test_extremes_and_softmax_write_to_out() -> None:
    x, out = torch.tensor([1.0, 3.0, 2.0]), torch.zeros(())
    assert torch.max(x, out=out) is out
    assert out == 3
    assert torch.min(x, out=out) == 1
    both = torch.zeros(3)
    assert torch.max(x, torch.tensor([2.0, 2.0, 2.0]), out=both) is both
    assert both.tolist() == [2, 3, 2]
    assert torch.softmax(x, 0, out=both) is both
    assert both.sum() == pytest.approx(1)


def test_cumulated_sums_are_computed_in_the_dtype_of_out() -> None:
    out = torch.zeros(3, dtype=torch.int64)
    assert torch.cumsum(torch.tensor([0.5, 1.5, 1.5]), 0, out=out).tolist() == [0, 1, 2]


def test_searching_rows_of_nothing() -> None:
    assert torch.searchsorted(torch.zeros(2, 0), torch.zeros(2, 3)).tolist() == [[0, 0, 0], [0, 0, 0]]


@pytest.mark.parametrize("name", "lt le gt ge maximum minimum fmax fmin remainder fmod floor_divide".split())
def test_complex_numbers_have_no_order(name: str) -> None:
    z, x = torch.ones(2, dtype=torch.complex64), torch.ones(2)
    for a, b in ((z, x), (x, z), (z, z)):
        with pytest.raises(NotImplementedError, match="not implemented for 'ComplexFloat'"):
            getattr(torch, name)(a, b)
    assert torch.equal(z == x, torch.tensor([True, True]))


def test_complex_numbers_are_not_clamped_nor_rounded_in_division() -> None:
    z = torch.ones(2, dtype=torch.complex128)
    for call in (lambda: z.clamp(0, 1), lambda: z.clamp_min(0), lambda: z.clamp(max=torch.ones(2)),
                 lambda: torch.div(z, 1, rounding_mode="floor"), lambda: z.div(1, rounding_mode="trunc")):  # fmt: skip
        with pytest.raises(NotImplementedError, match="not implemented for 'ComplexDouble'"):
            call()
    assert int(torch.tensor(2 + 0j)) == 2
    with pytest.raises(RuntimeError, match="without overflow"):
        int(torch.tensor(2 + 1j))
