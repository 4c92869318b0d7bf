"""Embedding bags of equal and different lengths, empty ones too, beside NumPy's sums, means and maxima."""

from __future__ import annotations

import numpy as np
import pytest

import rushlight as torch


@pytest.mark.parametrize("mode", ["sum", "mean", "max"])
@pytest.mark.parametrize("padding", [None, 4])
@pytest.mark.parametrize("offsets", [[0, 3, 6], [0, 1, 1, 7], [0, 0, 9], [0, 4, 9, 9], [0]], ids=str)
def test_bags_of_all_lengths(mode: str, padding: int | None, offsets: list[int]) -> None:
    """Equal, different and empty bags, with rows that do not count."""
    rows, bags = np.random.default_rng(0).standard_normal((6, 3)), []
    table = torch.tensor(rows, requires_grad=True)
    indices = [4, 1, 5, 0, 4, 4, 2, 3, 1]
    gradient = np.zeros_like(rows)
    for start, end in zip(offsets, [*offsets[1:], len(indices)], strict=True):
        kept = [i for i in indices[start:end] if i != padding]
        bag = rows[kept]
        bags.append({"sum": np.sum, "mean": np.mean, "max": np.max}[mode](bag, 0) if kept else np.zeros(3))
        for k, i in enumerate(kept):
            share = {"sum": 1, "mean": 1 / len(kept), "max": np.argmax(bag, 0) == k}[mode]
            gradient[i] += share
    where = torch.tensor(indices), table, torch.tensor(offsets)
    found = torch.nn.functional.embedding_bag(*where, mode=mode, padding_idx=padding)
    np.testing.assert_allclose(found.detach(), np.array(bags), 1e-12)
    found.sum().backward()
    np.testing.assert_allclose(table.grad, gradient, 1e-12)
