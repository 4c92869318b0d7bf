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
from rushlight.codegen.planning import PlannedProgram
from rushlight.codegen.scan import Turns
from rushlight.core.scan import scan
from rushlight.nn.utils import rnn
from rushlight.ops.recurrent import STEPS, Packing, recurrence, unrolled
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


def loops_of(program: PlannedProgram) -> list[Turns]:
    """The loops over sequences of a program."""
    return [k for s in program.segments for k in s.entry.kernels if isinstance(k, Turns)]


def trained(
    model: torch.nn.Module, x: torch.Tensor, lengths: list[int] | None = None
) -> Callable[[], list[torch.Tensor]]:
    """Outputs, last states and gradients of a step."""

    def step() -> list[torch.Tensor]:
        model.zero_grad()
        x.grad = None
        if lengths is None:
            found, last = model(x)
        else:
            packed, last = model(rnn.pack_padded_sequence(x, lengths, model.batch_first, enforce_sorted=False))
            found, _ = rnn.pad_packed_sequence(packed, model.batch_first)
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
    "projecting": {"proj_size": 3, "num_layers": 2, "bidirectional": True},
}
KINDS = [(mode, option) for mode in MODES for option in OPTIONS if mode == "LSTM" or option != "projecting"]
DIRECTIONS = {"both ways": 2, "two layers": 4, "projecting": 4}
LENGTHS = [2, 5, 1, 5]


@only_lazily
@pytest.mark.filterwarnings("error:Rushlight could not compile")
@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(("mode", "option"), KINDS)
def test_a_layer_is_a_loop(mode: str, option: str, packed: bool, monkeypatch: Any) -> None:
    x = numbers(5, 4, 6) if option != "batch first" else numbers(4, 5, 6)
    step = trained(layer(mode, 7, **OPTIONS[option]), x.requires_grad_(), LENGTHS if packed else None)
    expected, found, made = compiled(step, monkeypatch)
    assert_same(expected, found, 1e-5)
    program = max(made, key=lambda p: len(p.program.calls))
    assert all(isinstance(s, Segment) or s.step.op.layouts is not None for s in program.steps), program.reasons
    assert len(loops_of(program)) == 2 * DIRECTIONS.get(option, 1)  # there, and back


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
@pytest.mark.filterwarnings("error:Rushlight could not compile")
@pytest.mark.parametrize("mode", MODES)
def test_without_gradients(mode: str, monkeypatch: Any) -> None:
    """Nobody reads the histories, nor what the derivative would need."""
    model, x = layer(mode, 7), numbers(5, 3, 6)
    with torch.no_grad():
        expected, found, made = compiled(lambda: [model(x)[0]], monkeypatch)
    assert_same(expected, found, 1e-5)
    assert len(loops_of(max(made, key=lambda p: len(p.program.calls)))) == 1


@only_lazily
def test_as_many_kernels_for_any_length(monkeypatch: Any) -> None:
    counts = []
    for steps in (3, 60):
        gc.collect()  # tensors of other tests that still wait for it would be part of the program
        _, _, made = compiled(trained(layer("LSTM", 7), numbers(steps, 2, 6).requires_grad_()), monkeypatch)
        program = max(made, key=lambda p: len(p.program.calls))
        counts.append((len(program.program.calls), [len(k.each) for k in loops_of(program)]))
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
    loops = loops_of(program)
    assert [k.units for k in loops] == [3] * 4 and not any(any(k.divided) for k in loops)


def operands(mode: str, n: int, packed: bool) -> tuple[list[torch.Tensor], Packing | None]:
    """Input sums, states and weights of a layer, the last of a projection, and how four samples are packed."""
    gates, p = MODES[mode], n - 1 if mode == "LSTM" else n
    packing = Packing.of([4, 3, 1]) if packed else None
    states = [(4, p), (4, n)] if mode == "LSTM" else [(4, n)]
    weights = [(gates * n, p), (gates * n,), *([(p, n)] if mode == "LSTM" else [])]
    sizes = [(8, gates * n) if packed else (3, 4, gates * n), *states, *weights]
    return [(numbers(*s, kind=torch.float64).sin() / 2).requires_grad_() for s in sizes], packing


def split(mode: str, inputs: Any) -> tuple[Any, Any, Any]:
    """Input sums, states, weights."""
    states = 2 if mode == "LSTM" else 1
    return inputs[0], tuple(inputs[1 : 1 + states]), tuple(inputs[1 + states :])


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("mode", MODES)
def test_the_loop_equals_its_steps(mode: str, reverse: bool, packed: bool) -> None:
    inputs, packing = operands(mode, 4, packed)
    outputs, last = recurrence(mode, *split(mode, inputs), reverse, packing)
    expected = unrolled(STEPS[mode], *split(mode, inputs), reverse, packing)
    for a, e in zip((outputs, *last), expected, strict=True):
        torch.testing.assert_close(a, e, rtol=1e-12, atol=1e-13)
    total = sum((a * a.cos()).sum() for a in (outputs, *last))
    wanted = sum((a * a.cos()).sum() for a in expected)
    for a, e in zip(torch.autograd.grad(total, inputs), torch.autograd.grad(wanted, inputs), strict=True):
        torch.testing.assert_close(a, e, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("mode", MODES)
def test_derivatives_of_derivatives(mode: str, packed: bool) -> None:
    inputs, packing = operands(mode, 2, packed)

    def run(*inputs: Any) -> Any:
        outputs, last = recurrence(mode, *split(mode, inputs), packed, packing)
        return (outputs, *last)

    assert torch.autograd.gradcheck(run, tuple(inputs))
    assert torch.autograd.gradgradcheck(run, tuple(inputs))


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("mode", MODES)
def test_each_packed_sample_is_as_if_alone(mode: str, reverse: bool) -> None:
    """Its states stay in turns that are not its own, whatever stands there."""
    inputs, packing = operands(mode, 4, True)
    x, states, weights = split(mode, inputs)
    assert packing is not None
    outputs, last = recurrence(mode, x, states, weights, reverse, packing)
    for k in range(4):
        rows = [r for r in packing.places[:, k].tolist() if r >= 0]
        alone = [s[k : k + 1] for s in states]
        found, end = recurrence(mode, x[rows].unsqueeze(1), tuple(alone), weights, reverse)
        torch.testing.assert_close(outputs[rows], found.squeeze(1), rtol=1e-12, atol=1e-13)
        for a, e in zip(last, end, strict=True):
            torch.testing.assert_close(a[k : k + 1], e, rtol=1e-12, atol=1e-13)


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


@pytest.mark.parametrize("kind", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("mode", MODES)
def test_half_precision_rounds_every_operation(mode: str, kind: torch.dtype) -> None:
    """The loop gives the bits of its steps, one operation after the other."""
    inputs = [t.detach().to(kind).requires_grad_() for t in operands(mode, 6, False)[0]]
    outputs, last = recurrence(mode, *split(mode, inputs))
    expected = unrolled(STEPS[mode], *split(mode, inputs), False)
    for a, e in zip((outputs, *last), expected, strict=True):
        assert a.dtype == kind and torch.equal(a, e)
    found = torch.autograd.grad(outputs.sum(), inputs)
    for a, e in zip(found, torch.autograd.grad(expected[0].sum(), inputs), strict=True):
        torch.testing.assert_close(a, e, rtol=5e-2, atol=5e-2)


@only_lazily
@pytest.mark.parametrize("kind", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("mode", MODES)
def test_half_precision_is_a_loop(mode: str, kind: torch.dtype, monkeypatch: Any) -> None:
    def step() -> list[torch.Tensor]:
        return [t.float() for t in run()]

    model, x = layer(mode, 7).to(kind), numbers(5, 3, 6).sin().to(kind).requires_grad_()
    run = trained(model, x)
    expected, found, made = compiled(step, monkeypatch)
    assert_same(expected, found, 2e-2 if kind == torch.bfloat16 else 2e-3)
    assert len(loops_of(max(made, key=lambda p: len(p.program.calls)))) == 2


def test_scan_backwards() -> None:
    step = lambda states, elements, constants: ((states[0] * constants[0] + elements[0],), (states[0],))  # noqa: E731
    (history,), (old,) = scan(step, [np.ones(1)], [np.arange(3.0).reshape(3, 1)], [2.0], reverse=True)
    assert history.ravel().tolist() == [18.0, 9.0, 4.0, 1.0] and old.ravel().tolist() == [9.0, 4.0, 1.0]


RUNNING = ["cumsum", "cumprod", "logcumsumexp", "cummax", "cummin"]


@only_lazily
@pytest.mark.parametrize("kind", [torch.float32, torch.float64, torch.bfloat16, torch.int64, torch.uint8])
@pytest.mark.parametrize("name", RUNNING)
def test_running_results(name: str, kind: torch.dtype, monkeypatch: Any) -> None:
    """Along every dimension, with zeros and what is no number; and their gradients."""
    if name == "logcumsumexp" and not kind.is_floating_point:
        return
    monkeypatch.setattr("rushlight.codegen.planning.FEWEST", 1)
    x = (numbers(6, 5, 20).sin() * 3).round() if kind.is_floating_point else numbers(6, 5, 20).abs() * 7
    x = x.to(kind).requires_grad_(kind.is_floating_point)
    special = numbers(6, 40)
    special[2, ::3], special[3, 1::3], special[1, 2::3] = float("nan"), float("inf"), -0.0

    def step() -> list[torch.Tensor]:
        found = [getattr(x * 1, name)(dim) for dim in range(3)]
        found = [t for r in found for t in (r if isinstance(r, tuple) else (r,))]
        more = getattr(special * 1, name)(0) if kind == torch.float32 else ()
        more = list(more) if isinstance(more, tuple) else [more]
        if not kind.is_floating_point:
            return found
        x.grad = None
        sum((t.to(torch.float64) * (k + 1)).sum() for k, t in enumerate(found) if t.is_floating_point()).backward()
        return [t.float() if t.dtype == torch.bfloat16 else t for t in (*found, *more, x.grad)]

    with np.errstate(all="ignore"):
        expected, found, made = compiled(step, monkeypatch)
    assert_same(expected, found, {torch.bfloat16: 1e-2, torch.float64: 1e-12}.get(kind, 3e-5))
    assert sum(len(loops_of(p)) for p in made) >= 3


@only_lazily
def test_running_results_of_short_rows_stay_with_numpy(monkeypatch: Any) -> None:
    x = numbers(50)
    run = lambda: [x.exp().cumsum(0).log(), (x.view(5, 10) * 2).cumsum(1).sin()]  # noqa: E731
    expected, found, made = compiled(run, monkeypatch)
    assert_same(expected, found)
    assert not any(loops_of(p) for p in made)


@only_lazily
@pytest.mark.parametrize("kind", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("zero_infinity", [False, True])
def test_ctc_runs_over_the_frames_in_loops(zero_infinity: bool, kind: torch.dtype, monkeypatch: Any) -> None:
    """Samples of several lengths, an empty one, and one whose labels do not fit into its frames."""
    x, targets = numbers(9, 5, 7, kind=kind), torch.tensor([[1, 2, 2], [3, 0, 0], [4, 4, 4], [5, 6, 5], [1, 1, 1]])
    frames, lengths = torch.tensor([9, 6, 4, 9, 7]), torch.tensor([3, 1, 3, 2, 0])

    def step() -> list[torch.Tensor]:
        leaf = (x * 3).detach().requires_grad_()
        options = {"reduction": "none", "zero_infinity": zero_infinity}
        losses = torch.nn.functional.ctc_loss(leaf.log_softmax(2), targets, frames, lengths, **options)
        losses.sum().backward()
        return [losses.detach(), leaf.grad]

    expected, found, made = compiled(step, monkeypatch)
    assert_same(expected, found)
    assert sum(len(loops_of(p)) for p in made) == 2
    assert np.isinf(expected[0]).any() != zero_infinity
