"""Loops over sequences: recurrent layers as one loop, against the interpreter and against their steps written out."""

from __future__ import annotations

import gc
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from test_compile import assert_same, compiled, fresh_automaton, own_cache  # noqa: F401
from test_compile_views import numbers

import rushlight as torch
from rushlight.codegen.native import Segment
from rushlight.codegen.scan import Turns
from rushlight.core.scan import scan
from rushlight.ops.recurrent import STEPS, recurrence, unrolled
from rushlight.record import trace

MODES = {"LSTM": 4, "GRU": 3, "RNN_TANH": 1, "RNN_RELU": 1}
only_lazily = pytest.mark.skipif(trace.EAGER, reason="one operation at a time is no program")


def layer(mode: str, hidden: int, **options: Any) -> torch.nn.Module:
    """A layer with weights that are the same in every run."""
    if mode.startswith("RNN"):
        options["nonlinearity"] = mode[4:].lower()
    made = getattr(torch.nn, mode[:4].rstrip("_"))(6, hidden, **options)
    with torch.no_grad():
        for p in made.parameters():
            p.copy_(numbers(*p.shape).sin() * 0.3)
    return made


def trained(model: torch.nn.Module, x: torch.Tensor) -> Callable[[], list[torch.Tensor]]:
    """Outputs, last states and gradients of a step."""

    def step() -> list[torch.Tensor]:
        model.zero_grad()
        x.grad = None
        found, last = model(x)
        states = last if isinstance(last, tuple) else (last,)
        (found.square().mean() + sum(s.sum() * 0.1 for s in states)).backward()
        return [found, *states, x.grad, *[p.grad for p in model.parameters()]]

    return step


OPTIONS: dict[str, dict[str, Any]] = {
    "plain": {},
    "batch first": {"batch_first": True},
    "without bias": {"bias": False},
    "both ways": {"bidirectional": True},
    "two layers": {"num_layers": 2, "bidirectional": True},
}


@only_lazily
@pytest.mark.filterwarnings("error:Rushlight could not compile")
@pytest.mark.parametrize("option", OPTIONS)
@pytest.mark.parametrize("mode", MODES)
def test_a_layer_is_a_loop(mode: str, option: str, monkeypatch: Any) -> None:
    x = numbers(5, 3, 6).requires_grad_()
    expected, found, made = compiled(trained(layer(mode, 7, **OPTIONS[option]), x), monkeypatch)
    assert_same(expected, found, 1e-5)
    program = max(made, key=lambda p: len(p.program.calls))
    assert all(isinstance(s, Segment) or s.step.op.layouts is not None for s in program.steps), program.reasons
    loops = [k for s in program.segments for k in s.entry.kernels if isinstance(k, Turns)]
    directions = {"both ways": 2, "two layers": 4}.get(option, 1)
    assert len(loops) == 2 * directions  # there, and back


@only_lazily
@pytest.mark.parametrize("size", [1, 16, 17, 33])
@pytest.mark.parametrize("mode", ["LSTM", "GRU"])
def test_sizes(mode: str, size: int, monkeypatch: Any) -> None:
    x = numbers(4, size, 6).requires_grad_()
    expected, found, _ = compiled(trained(layer(mode, size), x), monkeypatch)
    assert_same(expected, found, 1e-5)


@only_lazily
@pytest.mark.parametrize("mode", MODES)
def test_doubles(mode: str, monkeypatch: Any) -> None:
    model, x = layer(mode, 9).double(), numbers(6, 4, 6, kind=torch.float64).requires_grad_()
    expected, found, _ = compiled(trained(model, x), monkeypatch)
    for a, b in zip(expected, found, strict=True):
        np.testing.assert_allclose(np.asarray(a), np.asarray(b), rtol=1e-12, atol=1e-13)


@only_lazily
def test_as_many_kernels_for_any_length(monkeypatch: Any) -> None:
    counts = []
    for steps in (3, 60):
        gc.collect()  # tensors of other tests that still wait for it would be part of the program
        _, _, made = compiled(trained(layer("LSTM", 7), numbers(steps, 2, 6).requires_grad_()), monkeypatch)
        program = max(made, key=lambda p: len(p.program.calls))
        loops = [k for s in program.segments for k in s.entry.kernels if isinstance(k, Turns)]
        counts.append((len(program.program.calls), [len(k.each) for k in loops]))
    assert counts[0] == counts[1]


@only_lazily
def test_any_number_of_threads(monkeypatch: Any) -> None:
    """Large enough for the team in every turn; the numbers do not depend on it."""
    model, x = layer("LSTM", 96), numbers(5, 64, 6).requires_grad_()
    _, first, _ = compiled(trained(model, x), monkeypatch)
    first = [np.array(a) for a in first]
    for threads in (1, 2, 5):
        before = torch.get_num_threads()
        torch.set_num_threads(threads)
        try:
            _, found, _ = compiled(trained(model, x), monkeypatch)
            assert all(np.array_equal(a, np.asarray(b)) for a, b in zip(first, found, strict=True))
        finally:
            torch.set_num_threads(before)


@only_lazily
@pytest.mark.parametrize("mode", MODES)
def test_threads_share_the_batch(mode: str, monkeypatch: Any) -> None:
    """Each goes through all turns with samples of its own; the weights are brought into panels by each."""
    monkeypatch.setattr("rushlight.codegen.scan.HEAVY", 0)
    x = numbers(5, 24, 6).requires_grad_()
    expected, found, made = compiled(trained(layer(mode, 64, bidirectional=True), x), monkeypatch)
    assert_same(expected, found, 1e-5)
    program = max(made, key=lambda p: len(p.program.calls))
    loops = [k for s in program.segments for k in s.entry.kernels if isinstance(k, Turns)]
    assert [k.units for k in loops] == [3] * 4 and not any(any(k.divided) for k in loops)


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("mode", MODES)
def test_the_loop_equals_its_steps(mode: str, reverse: bool) -> None:
    gates, n = MODES[mode], 4
    sizes = [(5, 3, gates * n), *[(3, n)] * (2 if mode == "LSTM" else 1), (gates * n, n), (gates * n,)]
    inputs = [(numbers(*s, kind=torch.float64).sin() * (k + 1) / 4).requires_grad_() for k, s in enumerate(sizes)]
    x, *states, w, b = inputs
    outputs, last = recurrence(mode, x, tuple(states), w, b, reverse)
    expected = unrolled(STEPS[mode], x, tuple(states), w, b, reverse)
    for a, e in zip((outputs, *last), expected, strict=True):
        torch.testing.assert_close(a, e, rtol=1e-12, atol=1e-13)
    total = sum((a * a.cos()).sum() for a in (outputs, *last))
    wanted = sum((a * a.cos()).sum() for a in expected)
    for a, e in zip(torch.autograd.grad(total, inputs), torch.autograd.grad(wanted, inputs), strict=True):
        torch.testing.assert_close(a, e, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("mode", MODES)
def test_derivatives_of_derivatives(mode: str) -> None:
    gates, n = MODES[mode], 2
    sizes = [(3, 2, gates * n), *[(2, n)] * (2 if mode == "LSTM" else 1), (gates * n, n), (gates * n,)]
    inputs = tuple((numbers(*s, kind=torch.float64).cos() * 0.4).requires_grad_() for s in sizes)

    def run(x: Any, *rest: Any) -> Any:
        *states, w, b = rest
        outputs, last = recurrence(mode, x, tuple(states), w, b, False)
        return (outputs, *last)

    assert torch.autograd.gradcheck(run, inputs)
    assert torch.autograd.gradgradcheck(run, inputs)


def test_what_relu_cuts_off_has_no_gradient() -> None:
    """Not even one that is infinite."""
    model, x = torch.nn.RNN(1, 2, nonlinearity="relu", bias=False), torch.ones(1, 1, 1, requires_grad=True)
    with torch.no_grad():
        model.weight_ih_l0.copy_(torch.tensor([[-1.0], [1.0]]))
        model.weight_hh_l0.zero_()
    found, _ = model(x)
    found.backward(torch.tensor([[[float("inf"), 1.0]]]))
    assert x.grad.tolist() == [[[1.0]]] and model.weight_ih_l0.grad.tolist() == [[0.0], [1.0]]


def test_no_places_raise() -> None:
    with pytest.raises(RuntimeError, match="Expected sequence length to be larger than 0 in RNN"):
        layer("GRU", 3)(torch.zeros(0, 2, 6))


def test_half_precision_rounds_every_step() -> None:
    model, x = layer("LSTM", 5).bfloat16(), numbers(4, 2, 6).sin().bfloat16()
    found, _ = model(x)
    steps = [t @ model.weight_ih_l0.t() + model.bias_ih_l0 for t in x.unbind(0)]
    states = (torch.zeros(2, 5, dtype=torch.bfloat16),) * 2
    for t, expected in enumerate(found):
        states = STEPS["LSTM"](steps[t], states, model.weight_hh_l0, model.bias_hh_l0)
        torch.testing.assert_close(states[0], expected, rtol=2e-2, atol=2e-2)


def test_scan_backwards() -> None:
    step = lambda states, elements, constants: ((states[0] * constants[0] + elements[0],), (states[0],))  # noqa: E731
    (history,), (old,) = scan(step, [np.ones(1)], [np.arange(3.0).reshape(3, 1)], [2.0], reverse=True)
    assert history.ravel().tolist() == [18.0, 9.0, 4.0, 1.0] and old.ravel().tolist() == [9.0, 4.0, 1.0]
