"""Backward passes that are taken as one edge: the same gradients and errors as the walk over the tape gives."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest

import rushlight as torch
from rushlight.autograd import derivative, gradient
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


# ---------------------------------------------------------------------------------------------------------------------
# Through traces that were flushed before the pass


@pytest.fixture
def visits(monkeypatch: Any) -> list[Any]:
    """The nodes whose derivatives were recorded one by one."""
    trace.recorder().flush()
    visited: list[Any] = []
    known = derivative.derivatives

    def noted(node: Any, *rest: Any) -> Any:
        visited.append(node)
        return known(node, *rest)

    monkeypatch.setattr(derivative, "derivatives", noted)
    monkeypatch.setattr(gradient, "derivatives", noted)
    return visited


def trained(early: bool, inplace: bool = False) -> list[list[float]]:
    """Parameters after each of some steps, in which the loss is read before or after the backward pass."""
    torch.manual_seed(0)
    model = network(inplace)
    x = torch.arange(15.0).reshape(5, 3).sin()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    found = []
    for _ in range(6):
        optimizer.zero_grad()
        out = model(x)
        loss = out.square().sum()
        if early:
            loss.item()
        loss.backward()
        optimizer.step()
        found.append([x for p in model.parameters() for x in p.flatten().tolist()])
    return found


@pytest.mark.parametrize("inplace", [False, True])
def test_reading_the_loss_first_changes_nothing(inplace: bool) -> None:
    for mine, its in zip(trained(True, inplace), trained(False, inplace), strict=True):
        assert mine == pytest.approx(its, rel=1e-5, abs=1e-6)


@only_lazily
def test_a_pass_after_the_loss_was_read_visits_no_node_again(visits: list[Any]) -> None:
    model, x = network(inplace=False), torch.arange(15.0).reshape(5, 3).sin()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    seen = []
    for _ in range(9):
        optimizer.zero_grad()
        loss = model(x).square().sum()
        loss.item()
        loss.backward()
        optimizer.step()
        seen.append(len(visits))
    assert seen[-1] == seen[-2] == seen[-3]  # the first passes may have been known from other tests


@only_lazily
def test_a_pass_into_an_earlier_step_visits_no_node_again(visits: list[Any]) -> None:
    """As a generator's: made in the discriminator's step, used again in its own."""
    torch.manual_seed(1)
    maker, judge = nn.Linear(2, 3), nn.Linear(3, 1)
    optimizer = torch.optim.SGD(judge.parameters(), lr=0.0)
    noise, seen, found = torch.arange(8.0).reshape(4, 2).cos(), [], []
    for _ in range(9):
        maker.zero_grad()
        judge.zero_grad()
        made = maker(noise).tanh()
        judge(made.detach()).mean().backward()
        optimizer.step()
        made.mean().item()
        judge(made).square().mean().backward()
        found.append(maker.weight.grad.tolist())
        seen.append(len(visits))
    assert seen[-1] == seen[-2] == seen[-3]
    assert all(g == found[0] for g in found)


def test_hooks_put_on_after_a_flush_are_heard_every_time() -> None:
    w = torch.ones(3, requires_grad=True)
    for hooked in (False, False, True, False, True):
        w.grad = None
        y = w * 3
        z = y.exp().sum()
        z.item()
        heard: list[Any] = []
        if hooked:
            y.register_hook(lambda g, heard=heard: heard.append(g) or g * 2)
            y.retain_grad()
        z.backward()
        assert len(heard) == hooked
        expected = 3 * math.exp(3) * (2 if hooked else 1)
        assert w.grad.tolist() == pytest.approx([expected] * 3)
        if hooked:
            assert y.grad.tolist() == pytest.approx([2 * math.exp(3)] * 3)


def test_what_was_overwritten_after_a_flush_is_refused_every_time() -> None:
    w = torch.ones(3, requires_grad=True)
    for overwritten in (False, False, True, False, True, True):
        y = (w * 2).exp()
        loss = y.sum()
        loss.item()
        w.grad = None
        if overwritten:
            y.detach().zero_()
            with pytest.raises(RuntimeError, match="modified by an inplace operation"):
                loss.backward()
        else:
            loss.backward()
            assert torch.allclose(w.grad, 2 * y.detach())


def test_a_pass_after_a_flush_sees_what_data_was_written() -> None:
    w = torch.ones(3, requires_grad=True)
    for factor in (1.0, 1.0, 5.0, 1.0, 5.0):
        w.grad = None
        a = torch.full((3,), 1.0)
        loss = (w * a).sum()
        loss.item()
        if factor != 1.0:
            a.data = torch.full((3,), factor)
        loss.backward()
        assert w.grad.tolist() == [factor] * 3


def test_a_second_pass_after_a_flush_is_refused_every_time() -> None:
    w = torch.ones(3, requires_grad=True)
    for _ in range(4):
        w.grad = None
        loss = (w * w).sum()
        loss.item()
        loss.backward(retain_graph=True)
        assert w.grad.tolist() == [2.0, 2.0, 2.0]
        loss.backward()
        assert w.grad.tolist() == [4.0, 4.0, 4.0]
        with pytest.raises(RuntimeError, match="second time"):
            loss.backward()


def test_saved_numbers_are_not_part_of_the_edge() -> None:
    w = torch.tensor([2.0, 3.0], requires_grad=True)
    for power in (2.0, 3.0, 2.0, 4.0, 5.0):
        w.grad = None
        loss = (w**power * power).sum()
        loss.item()
        loss.backward()
        assert w.grad.tolist() == pytest.approx([power * power * x ** (power - 1) for x in (2.0, 3.0)])


def test_gradients_accumulate_over_flushed_graphs() -> None:
    w = torch.tensor([2.0, 3.0], requires_grad=True)
    for k in range(1, 6):
        loss = (w * w).sum()
        loss.item()
        (loss / 2).backward()
        assert w.grad.tolist() == [2.0 * k, 3.0 * k]


def test_stretches_with_other_ends_are_other_edges() -> None:
    """The same graph, but gradients arrive elsewhere, or for other leaves."""
    w, v = torch.tensor([2.0], requires_grad=True), torch.tensor([5.0], requires_grad=True)
    for which in (0, 1, 2, 0, 1, 2, 2, 1, 0):
        w.grad = v.grad = None
        a, b = torch.unbind(torch.stack([w * w, w * v]))
        a.item()
        (a, b, a + b)[which].sum().backward()
        assert w.grad.item() == (4.0, 5.0, 9.0)[which]
        assert v.grad.item() == (0.0, 2.0, 2.0)[which]


def test_episodes_of_any_length() -> None:
    """A tape through more flushes than one pass takes as a whole, another number each time."""
    w = torch.tensor([0.5, -0.25], requires_grad=True)
    for length in (3, 12, 30, 9, 17, 30, 41, 10):
        w.grad, found, expected = None, [], [0.0, 0.0]
        for k in range(length):
            x = torch.tensor([float(k % 3), 1.0])
            y = (w * x).exp().sum()
            found.append(y.log())
            parts = [math.exp(0.5 * (k % 3)), math.exp(-0.25)]
            assert y.item() == pytest.approx(sum(parts))
            for i, scale in enumerate((k % 3, 1.0)):
                expected[i] += scale * parts[i] / sum(parts)
        torch.stack(found).sum().backward()
        assert w.grad.tolist() == pytest.approx(expected, rel=1e-5)


def test_a_function_of_the_users_between_stretches() -> None:
    class Double(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            return x * 2

        @staticmethod
        def backward(ctx: Any, g: Any) -> Any:
            return g * 2

    w = torch.tensor([1.0, 2.0], requires_grad=True)
    for _ in range(4):
        w.grad = None
        y = w * w
        y.sum().item()
        z = Double.apply(y)
        z.sum().item()
        (z * z).sum().backward()
        assert w.grad.tolist() == [16.0, 128.0]
