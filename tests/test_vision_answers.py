"""Transforms, drawings and networks answer as torchvision does: `vision_answers` has the cases and records them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from vision_answers import EXPECTED, LINES, answer

import rushlight as torch

RECORDED: dict[str, Any] = json.loads(EXPECTED.read_text())


@pytest.mark.parametrize("line", LINES)
def test_answers_are_torchvisions(line: str) -> None:
    pytest.importorskip("PIL")
    assert _close(answer(line, torch, "rushlight.vision"), RECORDED[line])


def _close(ours: Any, theirs: Any) -> bool:
    if isinstance(theirs, float) and isinstance(ours, int | float):
        return ours == pytest.approx(theirs, rel=2e-5, abs=2e-4)
    if isinstance(theirs, list) and isinstance(ours, list):
        return len(ours) == len(theirs) and all(map(_close, ours, theirs))
    return bool(ours == theirs)
