"""Dropout: PyTorch's masks for PyTorch's seeds, its gradients, and what it leaves alone.

The numbers were printed by PyTorch 2.13 on a CPU after `torch.manual_seed(0)`; the calls come in the same order, so
that a mask of the wrong size would spoil those after it.
"""

from __future__ import annotations

import pytest

import rushlight as torch

F = torch.nn.functional
SHAPES = {"dropout1d": (2, 3, 4)}  # the others take images
FAMILY = ("dropout", "alpha_dropout", "dropout1d", "dropout2d", "dropout3d", "feature_alpha_dropout")


def close(found: torch.Tensor, expected: list[float]) -> None:
    assert found.flatten().tolist() == pytest.approx(expected, rel=1e-6)


def test_the_masks_of_a_seed() -> None:
    torch.manual_seed(0)
    x = torch.arange(1.0, 13.0).reshape(3, 4)
    kept = [0, 0, 3, 0, 5, 0, 7, 8, 9, 10, 11, 12]
    close(F.dropout(x, 0.3), [k / 0.7 for k in kept])
    close(F.dropout2d(x.reshape(1, 3, 2, 2), 0.5), [2, 4, 6, 8, 0, 0, 0, 0, 18, 20, 22, 24])
    close(F.alpha_dropout(x[0], 0.4, True), [1.4703772068, 2.3336598873, 3.1969423294, -0.9106420279])
    close(F.feature_alpha_dropout(x.reshape(1, 3, 4), 0.4, True)[0, :, 0], [-0.9106420279, 4.9235076904, -0.9106420279])
    close(F.dropout(x.t(), 0.5), [2, 0, 0, 0, 0, 0, 6, 0, 22, 0, 16, 24])  # drawn in the order of the memory
    assert torch.rand(1).item() == pytest.approx(0.8101882934570312)


def test_the_masks_of_a_seed_in_double_precision_and_by_channel() -> None:
    torch.manual_seed(0)
    close(F.dropout(torch.ones(6, dtype=torch.float64), 0.25), [0, 4 / 3, 4 / 3, 0, 4 / 3, 0])
    close(F.dropout1d(torch.ones(4, 2), 0.5), [2, 2, 2, 2, 0, 0, 2, 2])


def test_the_gradient_goes_where_the_numbers_went() -> None:
    x = torch.ones(1000, requires_grad=True)
    y = F.dropout(x, 0.2)
    y.sum().backward()
    assert torch.equal(x.grad, y.detach())
    assert y.grad_fn.name() == "MulBackward0"
    assert 700 < int((y != 0).sum()) < 900


@pytest.mark.parametrize("name", FAMILY)
def test_evaluation_changes_nothing_and_draws_nothing(name: str) -> None:
    x = torch.randn(SHAPES.get(name, (2, 3, 4, 5)))
    state = torch.get_rng_state()
    assert torch.equal(getattr(F, name)(x, 0.5, training=False), x)
    assert torch.equal(getattr(F, name)(x, 0.0, training=True), x)
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("name", FAMILY)
def test_in_place(name: str) -> None:
    x = torch.randn(SHAPES.get(name, (2, 3, 4, 5)))
    torch.manual_seed(3)
    expected = getattr(F, name)(x, 0.5, training=True)
    torch.manual_seed(3)
    changed = getattr(F, name)(x, 0.5, training=True, inplace=True)
    assert changed is x and torch.equal(x, expected)


@pytest.mark.parametrize("name", ["dropout2d", "feature_alpha_dropout"])
def test_whole_channels(name: str) -> None:
    y = getattr(F, name)(torch.ones(8, 16, 3, 3), 0.5, training=True).flatten(2)
    assert torch.equal(y, y[:, :, :1].expand_as(y))
    assert len(y.unique()) == 2


@pytest.mark.parametrize("name", FAMILY)
@pytest.mark.parametrize("p", [-0.1, 1.1])
def test_a_probability_must_be_one(name: str, p: float) -> None:
    with pytest.raises(ValueError, match=f"dropout probability has to be between 0 and 1, but got {p}"):
        getattr(F, name)(torch.ones(2, 3, 4, 5), p)


def test_everything_can_be_dropped() -> None:
    assert F.dropout(torch.tensor([1.0, float("inf")]), 1.0).isnan().tolist() == [False, True]
    assert F.dropout(torch.ones(3), 1.0).tolist() == [0, 0, 0]
