"""Parameters and optimizer state written where they lie: the same numbers, whoever else still needs the old ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from test_compile import assert_same, compiled, own_cache

import rushlight as torch
from rushlight.codegen import results
from rushlight.record import trace

pytestmark = pytest.mark.skipif(trace.EAGER, reason="one operation at a time is no program")
__all__ = ["own_cache"]
F = torch.nn.functional


def lent(patch: Any) -> list[int]:
    """Counts, in its only element, the buffers that are written over from now on."""
    count, arrays = [0], results.Loan.arrays

    def counted(loan: Any, values: Any, ours: int) -> Any:
        homes = [id(values[new].home) for new, _, _ in loan.pairs]
        found = arrays(loan, values, ours)
        count[0] += sum(id(array) == home for array, home in zip(found, homes, strict=True))
        return found

    patch.setattr(results.Loan, "arrays", counted)
    return count


OPTIMIZERS: dict[str, Callable[[Any], Any]] = {
    "sgd": lambda ps: torch.optim.SGD(ps, lr=0.05),
    "momentum": lambda ps: torch.optim.SGD(ps, lr=0.05, momentum=0.9, nesterov=True, weight_decay=0.01),
    "adam": lambda ps: torch.optim.Adam(ps, lr=0.01),
    "adamw": lambda ps: torch.optim.AdamW(ps, lr=0.01, amsgrad=True),
    "adadelta": lambda ps: torch.optim.Adadelta(ps),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("sizes", [(1, 10, 1), (17, 33, 7), (3, 1, 5)], ids=str)
def test_training(name: str, sizes: tuple[int, int, int], monkeypatch: Any) -> None:
    def trained() -> list[torch.Tensor]:
        torch.manual_seed(0)
        a, b, c = sizes
        layers = torch.nn.Linear(a, b), torch.nn.Sigmoid(), torch.nn.Linear(b, b), torch.nn.ReLU()
        model = torch.nn.Sequential(*layers, torch.nn.Linear(b, c))
        optimizer = OPTIMIZERS[name](model.parameters())
        x, y = torch.randn(20, a), torch.randn(20, c)
        places = [p.data_ptr() for p in model.parameters()]
        for _ in range(8):
            optimizer.zero_grad()
            loss = F.mse_loss(model(x), y)
            loss.backward()
            optimizer.step()
            loss.item()
        assert places == [p.data_ptr() for p in model.parameters()]
        return [p.detach().clone() for p in model.parameters()]

    count = lent(monkeypatch)
    expected, found, _ = compiled(trained, monkeypatch)
    assert_same(expected, found, 1e-3)
    assert count[0] >= 6 * 7  # six parameters, in nearly every step


def steps(body: Callable[[Any], Any], patch: Any) -> tuple[int, list[Any], list[Any]]:
    """Runs `body(weight)` some times, each followed by an update of the weight; how many updates were in place."""

    def run() -> list[torch.Tensor]:
        torch.manual_seed(1)
        x, weight = torch.randn(9, 6), torch.randn(6, 6, requires_grad=True)
        optimizer = torch.optim.SGD([weight], lr=0.1)
        made = []
        for _ in range(6):
            kept = body(weight)
            loss = (torch.tanh(x @ weight) * 0.3).sum() + (weight @ weight).sum() * 0.01
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            made.append(torch.tensor(loss.item()))
            made.extend(t.clone() for t in kept)
        return [*made, weight.detach().clone()]

    count = lent(patch)
    expected, found, _ = compiled(run, patch)
    return count[0], expected, found


OLD_NUMBERS: dict[str, Callable[[Any], list[Any]]] = {
    "nobody": lambda w: [],
    "a copy": lambda w: [w.detach().clone()],
    "an expression": lambda w: [w.detach() * 2 + 1],
    "a sum": lambda w: [w.detach().sum(0), w.detach().t() + 1],
    "a slice": lambda w: [w.detach()[1:3]],
    "a transposed view": lambda w: [w.detach().t()],
    "an array": lambda w: [torch.tensor(w.detach().numpy().sum())],
}


@pytest.mark.parametrize("name", OLD_NUMBERS)
def test_who_needs_the_old_numbers(name: str, monkeypatch: Any) -> None:
    _, expected, found = steps(OLD_NUMBERS[name], monkeypatch)
    assert_same(expected, found, 1e-4)


@pytest.mark.parametrize("size", [7, 33, 130])
def test_a_product_with_what_it_replaces(size: int, monkeypatch: Any) -> None:
    def run() -> list[torch.Tensor]:
        torch.manual_seed(1)
        a, b = torch.randn(size, size) * 0.1, torch.randn(size, size) * 0.1
        for _ in range(5):
            a.copy_(torch.tanh(a @ b) + a)
            a.sum().item()
        return [a]

    expected, found, _ = compiled(run, monkeypatch)
    assert_same(expected, found, 1e-4)


EXCHANGES: dict[str, Callable[[Any, Any], Any]] = {
    "swap": lambda a, b: (lambda old: (a.copy_(b), b.copy_(old)))(a.clone()),
    "rotate": lambda a, b: a.copy_(torch.cat([a[1:], a[:1]]) + b),
    "transpose": lambda a, b: a.copy_(a.t() * 0.5 + b),
    "reverse": lambda a, b: a.copy_(a.flip(0) + 1),
    "rows and sums": lambda a, b: (a.mul_(0.5).sub_(b.sum(0)), b.add_(a.mean(1, keepdim=True))),
    "both ways": lambda a, b: (a.add_(b), b.sub_(a)),
    "product": lambda a, b: (a.copy_(torch.tanh(a @ b)), b.copy_(torch.tanh(a @ b + b))),
    "broadcast": lambda a, b: a.copy_(a[0] + b),
    "column": lambda a, b: a[:, 1].mul_(b[0, 0]).add_(a[:, 2]),
}


@pytest.mark.parametrize("kind", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("name", EXCHANGES)
def test_writes_in_place_that_read_elsewhere(name: str, kind: torch.dtype, monkeypatch: Any) -> None:
    def run() -> list[torch.Tensor]:
        torch.manual_seed(2)
        a, b = torch.randn(17, 17, dtype=kind), torch.randn(17, 17, dtype=kind)
        places = a.data_ptr(), b.data_ptr()
        a, b = a * 1, b * 1
        seen = []
        for _ in range(6):
            EXCHANGES[name](a, b)
            seen.append((a * b).sum())
            seen[-1].item()
        assert places
        return [*seen, a, b]

    expected, found, _ = compiled(run, monkeypatch)
    assert_same(expected, found, 1e-4 if kind is torch.float32 else 1e-9)


def test_a_graph_that_is_kept(monkeypatch: Any) -> None:
    def run() -> list[torch.Tensor]:
        torch.manual_seed(3)
        w = torch.randn(5, 5, requires_grad=True)
        seen = []
        for _ in range(5):
            loss = torch.exp(w * 0.1).sum()
            (first,) = torch.autograd.grad(loss, w, retain_graph=True)
            with torch.no_grad():
                w.data = w.data - 0.1 * first
            seen.append(torch.tensor(w.sum().item()))
            (second,) = torch.autograd.grad(loss, w)
            seen.append(second.clone())
        return [*seen, w.detach()]

    expected, found, _ = compiled(run, monkeypatch)
    assert_same(expected, found)


def test_memory_that_numpy_sees_is_not_overwritten_early(monkeypatch: Any) -> None:
    def run() -> list[torch.Tensor]:
        torch.manual_seed(4)
        w = torch.randn(4, 4)
        seen = []
        for _ in range(5):
            before = w.numpy()
            old = before.copy()
            grown = w * 2
            np.testing.assert_array_equal(before, old)
            w.add_(0.5)
            np.testing.assert_array_equal(before, old + np.float32(0.5))
            seen.append(grown.sum())
            seen[-1].item()
        return [*seen, w]

    expected, found, _ = compiled(run, monkeypatch)
    assert_same(expected, found)
