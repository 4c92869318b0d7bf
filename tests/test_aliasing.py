"""Aliasing, memory sharing and laziness: every case of `tests/cases` about them must answer as PyTorch answered.

The answers stand in `tests/expected/`, written by `tests/make_expected.py`. A case runs twice here: the first time
its operations are new to the recorder, the second time they are known, and both have to be right.
"""

from __future__ import annotations

import numpy
import pytest
from cases import ALIASING, differences, expected, load, observe

import rushlight

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
