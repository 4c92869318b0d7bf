"""How many threads NumPy's BLAS has while kernels run, and afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import rushlight as torch
from rushlight.core import blas
from rushlight.record.operation import operations


def _is_known() -> bool:
    before = blas.use(2)
    try:
        return blas.count() == 2
    finally:
        blas.use(before)


pytestmark = pytest.mark.skipif(not _is_known(), reason="NumPy's BLAS does not say")


@pytest.fixture(autouse=True)
def _two_threads(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    before = blas.use(2)
    monkeypatch.setattr(blas, "_usual", 2)
    monkeypatch.setattr(blas, "_allowed", 2)
    yield
    blas.use(before)


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Of each product of matrices, the threads there were."""
    op, found = operations()["mm"], []  # type: ignore[var-annotated]

    def run(*operands: Any) -> Any:
        found.append(blas.count())
        if np.isnan(operands[0].flat[0]):
            raise ValueError("not a number")
        return op.kernel(*operands)

    monkeypatch.setattr(op, "run", run)
    return found


def test_small_products_have_one_thread(seen: list[int]) -> None:
    x = torch.ones(30, 31)
    assert (x @ torch.ones(31, 32)).sum().item() == 30 * 31 * 32
    assert (seen, blas.count()) == ([1], 2)


def test_large_ones_have_all_that_are_allowed(seen: list[int]) -> None:
    x = torch.ones(300, 300)
    assert (x @ x)[0, 0].item() == 300
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        assert (x @ (x + 1))[0, 0].item() == 600
    finally:
        torch.set_num_threads(threads)
    assert (seen, blas.count()) == ([2, 1], 2)


@pytest.mark.parametrize("size", [3, 300])
def test_a_failure_leaves_as_many_as_there_were(seen: list[int], size: int) -> None:
    with pytest.raises(ValueError, match="not a number"):
        (torch.full((size, size), torch.nan) @ torch.ones(size, size)).sum().item()
    assert blas.count() == 2


def test_none_while_the_compiler_has_the_other_processor(seen: list[int]) -> None:
    x = torch.ones(300, 300)
    blas.hold_back(True)
    try:
        assert (x @ x)[0, 0].item() == 300
    finally:
        blas.hold_back(False)
    assert (x @ (x + 1))[0, 0].item() == 600
    assert seen == [1, 2]


def test_never_more_than_numpy_began_with() -> None:
    blas.allow(64)
    assert blas.allowed() == 2
