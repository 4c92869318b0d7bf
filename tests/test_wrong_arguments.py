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
