"""Aliasing, memory sharing and laziness: every case of `tests/cases` about them must answer as PyTorch answered.

The answers stand in `tests/expected/`, written by `tests/make_expected.py`. A case runs twice here: the first time
its operations are new to the recorder, the second time they are known, and both have to be right.
"""

from __future__ import annotations

from typing import Any

import numpy
import pytest
from cases import ALIASING, differences, expected, load, observe

import rushlight
import rushlight as torch

CASES = load(ALIASING)
ANSWERS = expected(ALIASING)


def test_every_case_has_an_answer() -> None:
    assert sorted(CASES) == sorted(ANSWERS)


@pytest.mark.parametrize("name", sorted(CASES))
def test_case(name: str) -> None:
    found = CASES[name]
    for _ in ("recorded", "replayed"):
        assert differences(observe(found, rushlight, numpy), ANSWERS[name], found.rtol, found.atol) == []


@pytest.mark.parametrize("group", ALIASING)
def test_answers_are_still_pytorchs(group: str) -> None:
    torch = pytest.importorskip("torch", "2.13")
    for name, found in load((group,)).items():
        assert differences(observe(found, torch, numpy), ANSWERS[name], found.rtol, found.atol) == [], name


@pytest.mark.parametrize(
    "call",
    [
        lambda x, i: x.masked_fill(x > 1, 0.0),
        lambda x, i: x.scatter(0, i, 1.0),
        lambda x, i: x.scatter_add(0, i, x),
        lambda x, i: x.scatter_reduce(0, i, x, "sum"),
        lambda x, i: x.index_add(0, i[:, 0], x),
        lambda x, i: x.index_copy(0, i[:, 0], x),
        lambda x, i: x.index_reduce(0, i[:, 0], x, "prod"),
        lambda x, i: torch.rot90(x),
    ],
)
def test_results_that_lie_row_by_row_whatever_the_operand(call: Any) -> None:
    x = torch.arange(6.0).reshape(2, 3).t()
    found = call(x, torch.tensor([[0, 0], [1, 1], [2, 2]]))
    assert found.is_contiguous()
    assert found.view(6).tolist() == call(x.contiguous(), torch.tensor([[0, 0], [1, 1], [2, 2]])).flatten().tolist()


def test_in_place_forms_leave_the_memory_where_it_is() -> None:
    base = torch.arange(6.0).reshape(2, 3)
    base.t().masked_fill_(base.t() > 3, 0.0)
    base.t().scatter_(0, torch.tensor([[0, 0]]), 7.0)
    assert base.tolist() == [[7.0, 1.0, 2.0], [7.0, 0.0, 0.0]]


def test_bytes_read_as_another_dtype_have_no_history() -> None:
    x = torch.ones(2, 2, requires_grad=True)
    assert not x.view(torch.float64).requires_grad
    assert not x.view(torch.int32).requires_grad
    assert x.view(torch.int32).tolist() == [[1065353216, 1065353216]] * 2


def test_sizes_that_no_memory_has() -> None:
    with pytest.raises(RuntimeError, match="Storage size calculation overflowed"):
        torch.empty(2**62)


def test_transposes_of_a_number_are_the_number() -> None:
    x = torch.tensor(2 + 1j)
    assert x.mT == x
    assert x.mH == x.conj()
