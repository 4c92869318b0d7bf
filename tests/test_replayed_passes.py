"""Backward passes that are taken as one edge: the same gradients and errors as the walk over the tape gives."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import rushlight as torch
from rushlight.autograd import gradient
from rushlight.record import trace

only_lazily = pytest.mark.skipif(trace.EAGER, reason="nothing is replayed one operation at a time")
nn = torch.nn


@pytest.fixture
def walks(monkeypatch: Any) -> list[gradient.Walk]:
    """The passes that walked over the tape."""
    trace.recorder().flush()
    walked: list[gradient.Walk] = []
    run = gradient.Walk.run
    monkeypatch.setattr(gradient.Walk, "run", lambda self: walked.append(self) or run(self))
    return walked


def network(inplace: bool) -> Any:
    """Layers that save what the activation behind them writes over."""
    torch.manual_seed(0)
    layers = nn.Linear(3, 4), nn.BatchNorm1d(4), nn.LeakyReLU(0.2, inplace), nn.Linear(4, 1), nn.ReLU(inplace)
    return nn.Sequential(*layers)


def step_of(model: Any) -> Callable[[], list[Any]]:
    x = torch.arange(15.0).reshape(5, 3).sin()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)

    def step() -> list[Any]:
        optimizer.zero_grad()
        model(x).square().sum().backward()
        found = [p.grad.tolist() for p in model.parameters()]
        optimizer.step()
        return found

    return step


@only_lazily
def test_a_pass_over_activations_in_place_is_replayed(walks: list[gradient.Walk]) -> None:
    step = step_of(network(inplace=True))
    step()
    step()
    walks.clear()
    for _ in range(3):
        step()
    assert walks == []


def test_activations_in_place_give_the_same_gradients() -> None:
    step, other = step_of(network(inplace=True)), step_of(network(inplace=False))
    for _ in range(5):
        for mine, its in zip(step(), other(), strict=True):
            assert torch.allclose(torch.tensor(mine), torch.tensor(its), rtol=1e-5, atol=1e-6)


def test_what_was_overwritten_is_refused_every_time() -> None:
    w = torch.ones(3, requires_grad=True)
    for overwritten in (False, True, False, True, True):
        y = (w * 2).exp()
        if overwritten:
            y.detach().zero_()
            with pytest.raises(RuntimeError, match="modified by an inplace operation"):
                y.sum().backward()
        else:
            w.grad = None
            y.sum().backward()
            assert torch.allclose(w.grad, 2 * y.detach())


def test_an_operand_written_by_another_operation_is_refused_every_time() -> None:
    w = torch.ones(3, requires_grad=True)
    for written in (False, True, True, False):
        x = w * 3
        y = nn.functional.leaky_relu(x, 0.1)
        if written:
            x.mul_(2)
            with pytest.raises(RuntimeError, match="modified by an inplace operation"):
                y.sum().backward()
        else:
            w.grad = None
            y.sum().backward()
            assert w.grad.tolist() == [3.0, 3.0, 3.0]


def test_a_pass_sees_what_data_was_written_behind_its_back() -> None:
    w = torch.ones(3, requires_grad=True)
    for factor in (1.0, 5.0, 1.0, 5.0):
        w.grad = None
        a = torch.full((3,), 1.0)
        y = w * a
        if factor != 1.0:
            a.data = torch.full((3,), factor)
        y.sum().backward()
        assert w.grad.tolist() == [factor] * 3


def test_a_second_pass_over_the_same_nodes_is_refused_every_time() -> None:
    w = torch.ones(3, requires_grad=True)
    for _ in range(3):
        w.grad = None
        loss = (w * w).sum()
        loss.backward(retain_graph=True)
        loss.backward()
        assert w.grad.tolist() == [4.0, 4.0, 4.0]
        with pytest.raises(RuntimeError, match="second time"):
            loss.backward()


def test_a_pass_over_part_of_the_tape_leaves_the_rest() -> None:
    w = torch.ones(3, requires_grad=True)
    for _ in range(4):
        w.grad = None
        kept = (w * 3).exp().log()
        (w * w).sum().backward()
        first = w.grad.tolist()
        assert first == [2.0, 2.0, 2.0]  # a flush: what `kept` needs must outlive it
        kept.sum().backward()
        assert torch.allclose(w.grad, torch.full((3,), 5.0))


def test_nodes_recorded_after_a_pass_are_kept() -> None:
    w = torch.ones(3, requires_grad=True)
    for _ in range(4):
        w.grad = None
        (w * w).sum().backward()
        later = (w * 3).exp().log().sum()
        assert later.item() == pytest.approx(9.0)
        later.backward()
        assert torch.allclose(w.grad, torch.full((3,), 5.0))


@pytest.mark.parametrize("beta", [0.5, 0.2, 0.9])
def test_adam_with_short_memory(beta: float) -> None:
    """The running mean of a beta below one half counts from its other end."""
    w = torch.tensor([1.0, -2.0], dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.Adam([w], lr=0.1, betas=(beta, 0.99))
    values, mean, square = [1.0, -2.0], [0.0, 0.0], [0.0, 0.0]
    for t in range(1, 6):
        optimizer.zero_grad()
        (w * w).sum().backward()
        optimizer.step()
        for k in range(2):
            g = 2 * values[k]
            mean[k] = beta * mean[k] + (1 - beta) * g
            square[k] = 0.99 * square[k] + 0.01 * g * g
            divisor = (square[k] / (1 - 0.99**t)) ** 0.5 + 1e-8
            values[k] -= 0.1 * mean[k] / (1 - beta**t) / divisor
        assert w.tolist() == pytest.approx(values, rel=1e-12)
