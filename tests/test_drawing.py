"""Recorded draws: one stream, whoever makes the numbers, and whatever else touches the generator in between."""

from __future__ import annotations

import copy
import os
import pickle
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import rushlight as torch
from rushlight.codegen import background
from rushlight.codegen.machine import machine
from rushlight.codegen.planning import PlannedProgram
from rushlight.ops import drawing
from rushlight.record.program import Program
from rushlight.record.trace import AUTOMATON, EAGER, Trace, recorder

F = torch.nn.functional


def numbers(*tensors: Any) -> list[Any]:
    return [t.detach().numpy().copy() for t in tensors]


def state() -> bytes:
    return torch.get_rng_state().numpy().tobytes()


def pending() -> bool:
    return drawing.is_pending(None)


@pytest.fixture(params=["interpreted", "compiled"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Programs interpreted, or compiled when they first run."""
    compiler = background.compile_now if request.param == "compiled" else None
    monkeypatch.setattr(Program, "compiler", staticmethod(compiler) if compiler else None)
    monkeypatch.setattr(Program, "patience", 1)
    recorder().flush()
    AUTOMATON.start_afresh()  # no program that another test has left as it wanted it
    recorder().trace = Trace(recorder())
    return str(request.param)


@pytest.fixture(autouse=True)
def seeded(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same seed for every test; draws of a few numbers are recorded as others are."""
    monkeypatch.setattr(drawing, "FEW", 0)
    torch.manual_seed(5)


def started() -> torch.Tensor:
    """Something recorded, so that the draws behind it are recorded, too."""
    return torch.ones(3) + 1


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], Any]], Any]:
    """Runs a function with every draw made when it is called, from the same seed."""

    def run(f: Callable[[], Any]) -> Any:
        with monkeypatch.context() as here:
            here.setattr(drawing, "_is_recordable", lambda *arguments: False)
            torch.manual_seed(5)
            result = f()
            torch.manual_seed(5)
            return result

    return run


SIZES = [1, 7, 15, 16, 17, 311, 312, 313, 623, 624, 625, 626, 10_000]

DRAWS: dict[str, Callable[[int], Any]] = {
    "rand": lambda n: torch.rand(n),
    "rand_double": lambda n: torch.rand(n, dtype=torch.float64),
    "rand_half": lambda n: torch.rand(n, dtype=torch.float16),
    "randn": lambda n: torch.randn(n),
    "randn_double": lambda n: torch.randn(n, dtype=torch.float64),
    "rand_like": lambda n: torch.rand_like(torch.ones(n)),
    "randn_like": lambda n: torch.randn_like(torch.ones(1, n)),
    "normal": lambda n: torch.normal(1.5, 0.3, (n,)),
    "dropout": lambda n: F.dropout(torch.ones(n), 0.3),
    "dropout_double": lambda n: F.dropout(torch.ones(n, dtype=torch.float64), 0.3),
    "dropout_of_columns": lambda n: F.dropout(torch.arange(3.0 * n).reshape(n, 3).t(), 0.3),
    "dropout2d": lambda n: F.dropout2d(torch.ones(2, n, 2, 2), 0.3),
    "feature_dropout": lambda n: torch.feature_dropout(torch.ones(n, 2, 3), 0.5, True),
    "alpha_dropout": lambda n: F.alpha_dropout(torch.ones(n), 0.3, True),
    "bernoulli": lambda n: torch.bernoulli(torch.ones(n), 0.25),
    "bernoulli_of": lambda n: torch.bernoulli(torch.arange(1.0 * n) / n),
    "bernoulli_of_double": lambda n: (torch.arange(n, dtype=torch.float64) / n).bernoulli(),
    "bernoulli_": lambda n: torch.empty(n).bernoulli_(0.8),
    "bernoulli_int": lambda n: torch.zeros(n, dtype=torch.int64).bernoulli_(0.8),
    "normal_": lambda n: torch.empty(n).normal_(2, 0.5),
    "uniform_": lambda n: torch.empty(n, 2).uniform_(-1, 2),
    "uniform_columns": lambda n: torch.empty(n, 3).t().uniform_(-1, 2),
    "uniform_row": lambda n: torch.zeros(2, n)[0].uniform_(),
    "randint": lambda n: torch.randint(0, 10, (n,)),
    "randperm": lambda n: torch.randperm(n),
    "exponential_": lambda n: torch.empty(n).exponential_(),
    "multinomial": lambda n: torch.multinomial(torch.ones(n), 1),
    "gumbel": lambda n: F.gumbel_softmax(torch.ones(n, 2)) > 0.5,
    "native_dropout": lambda n: torch.native_dropout(torch.ones(n), 0.4, True)[0],
}


@pytest.mark.parametrize("name", DRAWS)
def test_the_same_numbers_and_state(name: str, way: str, at_once: Any) -> None:
    def stream() -> list[Any]:
        made = []
        for n in SIZES:
            started()
            made += [*numbers(DRAWS[name](n)), state()]
            kept = started(), DRAWS[name](n), DRAWS[name](n + 1)
            made += [*numbers(kept[1] * 2, kept[2]), state()]
        return made

    for got, expected in zip(stream(), at_once(stream), strict=True):
        np.testing.assert_array_equal(got, expected)


def test_draws_of_all_kinds_one_after_the_other(way: str, at_once: Any) -> None:
    def mixed() -> list[Any]:
        order, made = np.random.RandomState(1), []
        for _ in range(12):
            kept = [started()]
            for _ in range(12):
                draw = list(DRAWS.values())[order.randint(len(DRAWS))]
                kept.append(draw(int(order.choice([1, 3, 16, 40, 700]))))
                if order.randint(6) == 0:
                    kept.pop()
            made += [*numbers(*kept), state()]
        return made

    for got, expected in zip(mixed(), at_once(mixed), strict=True):
        np.testing.assert_array_equal(got, expected)


@pytest.mark.skipif(EAGER, reason="nothing is recorded")
def test_a_draw_is_recorded_in_the_middle_of_a_recording_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drawing, "FEW", 16)
    torch.rand(30)
    assert not pending()
    kept = torch.ones(3) + 1
    few = torch.rand(3)
    assert not pending() and few._value.buf is not None
    noise = torch.rand(30)
    assert pending()
    assert kept.tolist() == [2, 2, 2] and not pending()
    assert noise._value.buf is not None


DOORS: dict[str, Callable[[], Any]] = {
    "get_rng_state": lambda: torch.get_rng_state(),
    "set_rng_state": lambda: torch.set_rng_state(torch.Generator().manual_seed(1).get_state()),
    "manual_seed": lambda: torch.manual_seed(1),
    "seed": lambda: torch.seed() and torch.manual_seed(2),
    "poisson": lambda: torch.poisson(torch.ones(2)),
    "multinomial": lambda: torch.multinomial(torch.ones(2), 1),
    "trunc_normal_": lambda: torch.nn.init.trunc_normal_(torch.empty(4)),
    "init": lambda: torch.nn.Linear(3, 4).weight,
    "loader": lambda: list(torch.utils.data.DataLoader(torch.utils.data.TensorDataset(torch.ones(4)), shuffle=True)),
    "clone": lambda: torch.random.default_generator.clone_state(),
    "pickle": lambda: pickle.dumps(torch.random.default_generator),
    "deepcopy": lambda: copy.deepcopy(torch.random.default_generator),
}


@pytest.mark.parametrize("door", DOORS)
def test_who_else_touches_the_generator_finds_the_draws_made(door: str, way: str, at_once: Any) -> None:
    def touched() -> list[Any]:
        kept = started(), torch.rand(700)
        DOORS[door]()
        assert not pending()
        return [*numbers(*kept, torch.rand(5)), state()]

    for got, expected in zip(touched(), at_once(touched), strict=True):
        np.testing.assert_array_equal(got, expected)


def test_fork_rng_puts_the_stream_back(way: str) -> None:
    kept = started(), torch.rand(5)
    with torch.random.fork_rng():
        inside = started(), torch.rand(5)
    again = torch.rand(5)
    assert again.tolist() == inside[1].tolist() != kept[1].tolist()


def test_generators_have_streams_of_their_own(way: str, at_once: Any) -> None:
    def three() -> list[Any]:
        a, b = torch.Generator().manual_seed(1), torch.Generator().manual_seed(1)
        kept = [started()]
        for g in (a, None, b, a, b, None):
            kept.append(torch.randn(40, generator=g) + torch.rand(40, generator=g))
        return [*numbers(*kept), *(g.get_state().numpy() for g in (a, b)), state()]

    made = three()
    np.testing.assert_array_equal(made[1], made[3])
    for got, expected in zip(made, at_once(three), strict=True):
        np.testing.assert_array_equal(got, expected)


def test_numbers_that_nobody_reads_are_drawn_all_the_same(way: str, at_once: Any) -> None:
    def dropped() -> list[Any]:
        kept = started()
        torch.rand(100)
        shape = torch.zeros_like(torch.randn(30))
        noise = torch.rand(3)
        torch.randn(50)
        return [*numbers(kept, shape, noise), state()]

    for got, expected in zip(dropped(), at_once(dropped), strict=True):
        np.testing.assert_array_equal(got, expected)


def test_chances_that_are_computed_are_drawn_in_their_place(way: str, at_once: Any) -> None:
    """Gibbs sampling of a Boltzmann machine, with draws of other kinds, and one that nobody reads, in between."""

    def chain() -> list[Any]:
        w, x = torch.linspace(-1, 1, 600).reshape(20, 30), torch.linspace(0, 1, 320).reshape(16, 20)
        made = []
        for _ in range(4):
            h = torch.bernoulli(torch.sigmoid(x @ w))
            v = torch.sigmoid(F.linear(h, w)).bernoulli()
            torch.sigmoid(v @ w).bernoulli()
            order = torch.randperm(16)
            x = F.dropout(v, 0.3)[order] + torch.rand(16, 20)
            torch.bernoulli(x / 4)
            made += numbers(h, v, x)
        return [*made, state()]

    for got, expected in zip(chain(), at_once(chain), strict=True):
        np.testing.assert_array_equal(got, expected)


def test_drawing_by_chances_has_no_slope(way: str) -> None:
    p = torch.full((40,), 0.4, requires_grad=True)
    drawn = torch.bernoulli(p)
    assert type(drawn.grad_fn).__name__ == "BernoulliBackward0"
    (drawn * p).sum().backward()
    assert torch.equal(p.grad, drawn) and 0 < drawn.sum().item() < 40


@pytest.mark.parametrize("chance", [1.5, -0.1, float("nan")])
def test_chances_that_are_none(chance: float, way: str) -> None:
    p = torch.zeros(40) + chance
    before = state()
    with pytest.raises(RuntimeError, match="Expected p_in >= 0 && p_in <= 1"):
        torch.bernoulli(p * 1).sum().item()
    assert state() == before


def test_a_refused_draw_takes_nothing_from_the_stream(way: str) -> None:
    kept = started(), torch.rand(4)
    before = state()
    kept = started(), torch.rand(0)
    for refused in (
        lambda: torch.empty(3).normal_(0, -1), lambda: torch.empty(3).uniform_(2, 1), lambda: torch.rand(-1),
        lambda: torch.bernoulli(torch.ones(3), 1.5), lambda: torch.randn(3, dtype=torch.int64),
        lambda: F.dropout(torch.ones(3), 2.0),
    ):  # fmt: skip
        with pytest.raises((RuntimeError, ValueError, NotImplementedError)):
            refused()
    assert state() == before and kept[0].tolist() == [2, 2, 2]


@pytest.mark.skipif(EAGER, reason="errors are raised on the line itself")
def test_a_program_that_fails_neither_loses_nor_repeats_numbers(way: str, at_once: Any) -> None:
    """As if every draw had been made when it was called."""

    def fails() -> list[Any]:
        made = []
        for turn in range(3):
            table = torch.ones(4, 3) * (turn + 2)
            first = torch.rand(100)
            wrong = table[torch.tensor([0, 7]) + (first[:2] * 0).long()]
            second = torch.randn(100)
            with pytest.raises(IndexError):
                wrong.tolist()
            del first, second, wrong
            made.append(state())
        return made

    assert fails() == at_once(fails)


@pytest.mark.skipif(EAGER, reason="errors are raised on the line itself")
def test_positions_are_checked_before_numbers_are_drawn_for_good(way: str, at_once: Any) -> None:
    """A native function that is left halfway, because of a position, has drawn already."""

    def checked() -> list[Any]:
        made = []
        table = torch.ones(4, 3)
        for good in (True, True, False, True):
            at = torch.tensor([0, 2 if good else 9, 1])
            x = F.embedding(at + 0, table * 2) * torch.rand(3, 3)
            if good:
                made += numbers(x)
            else:
                with pytest.raises(IndexError):
                    x.tolist()
            made.append(state())
        return made

    for got, expected in zip(checked(), at_once(checked), strict=True):
        np.testing.assert_array_equal(got, expected)


@pytest.mark.skipif(EAGER, reason="nothing is recorded")
def test_a_step_meets_its_own_trace_again() -> None:
    model = torch.nn.Sequential(torch.nn.Linear(4, 20), torch.nn.Dropout(0.4), torch.nn.Linear(20, 1))
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    x, seen = torch.ones(6, 4), []

    def step(std: float) -> None:
        optimizer.zero_grad()
        out = model(x)
        loss = (out + torch.empty_like(out).normal_(0, std)).mean()
        loss.backward()
        seen.append(recorder().trace.state)
        optimizer.step()

    for turn in range(7):
        step(1 / (turn + 1))  # a number: another one is no other program
    assert seen[4] is seen[5] is seen[6]


@pytest.mark.skipif(EAGER, reason="nothing is recorded")
def test_a_step_with_dropout_and_noise_is_one_native_function() -> None:
    if not machine().fuses:
        pytest.skip("this processor does not fuse multiplications and additions")
    programs = []

    def keep(program: Program) -> None:
        programs.append(PlannedProgram(program, machine().vector_bytes))

    x = torch.ones(50, 20)
    before = Program.compiler, Program.patience
    Program.compiler, Program.patience = keep, 1
    try:
        h = F.dropout(torch.relu(x - 0.5), 0.3)
        noise = torch.randn_like(h) + torch.rand(50, 20)
        total = (h + noise * torch.bernoulli(h, 0.5)).sum().item()
    finally:
        Program.compiler, Program.patience = before
    assert np.isfinite(total)
    assert [p.whole is not None for p in programs] == [True]


@pytest.mark.skipif(EAGER, reason="nothing is recorded")
def test_draws_without_machine_code_divide_neither_recording_nor_function() -> None:
    programs = []

    def keep(program: Program) -> None:
        programs.append(PlannedProgram(program, machine().vector_bytes))

    x = torch.ones(50, 20)
    before = Program.compiler, Program.patience
    Program.compiler, Program.patience = keep, 1
    try:
        h = F.dropout(torch.relu(x - 0.5), 0.3)
        chosen = h[torch.randperm(50)] + torch.randint(0, 4, (20,))
        chosen = F.gumbel_softmax(F.alpha_dropout(chosen, 0.1, True), 0.5) * torch.randn(5)[0]
        torch.rand(7)
        total = (chosen * torch.randn_like(h)).sum().item()
    finally:
        Program.compiler, Program.patience = before
    assert np.isfinite(total)
    if machine().fuses:
        (program,) = programs
        assert len(program.segments) == 1 and program.steps[-1] is program.segments[0]


def test_draws_of_several_threads_are_one_stream(way: str) -> None:
    """Whoever draws, every number of the stream is handed out once."""
    expected = sorted(torch.rand(8 * 50).tolist())
    torch.manual_seed(5)
    found: list[float] = []

    def draws() -> None:
        for _ in range(10):
            kept = started(), torch.rand(5), torch.rand(5)
            found.extend(kept[1].tolist() + kept[2].tolist())

    threads = [threading.Thread(target=draws) for _ in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert sorted(found) == expected


def test_another_thread_finds_the_draws_made(way: str, at_once: Any) -> None:
    def elsewhere() -> list[Any]:
        kept = started(), torch.rand(50)
        seen: list[Any] = []
        thread = threading.Thread(target=lambda: seen.extend([state(), *numbers(torch.rand(3))]))
        thread.start()
        thread.join()
        return [*seen, *numbers(*kept, torch.rand(3)), state()]

    for got, expected in zip(elsewhere(), at_once(elsewhere), strict=True):
        np.testing.assert_array_equal(got, expected)


def test_checkpointing_draws_the_same_masks_again(way: str) -> None:
    from rushlight.utils.checkpoint import checkpoint

    layer, x = torch.nn.Linear(20, 20), torch.ones(5, 20)
    gradients = []
    for run in (lambda h: checkpoint(lambda v: F.dropout(layer(v), 0.5), h, use_reentrant=False),
                lambda h: F.dropout(layer(h), 0.5)):  # fmt: skip
        torch.manual_seed(3)
        layer.zero_grad()
        run(F.dropout(x + 0, 0.5)).sum().backward()
        gradients.append([layer.weight.grad.numpy().copy(), state()])
    np.testing.assert_array_equal(gradients[0][0], gradients[1][0])
    assert gradients[0][1] == gradients[1][1]


PROGRAM = """
import hashlib, rushlight as torch
F = torch.nn.functional
torch.manual_seed(5)
seen = hashlib.sha256()
x = torch.ones(30, 20)
for turn in range(12):
    y = F.dropout(x * 2, 0.3) + torch.empty(30, 20).bernoulli_(0.5)
    z = F.dropout(y[:, :10].t(), 0.5) + torch.rand(10, 30).ge(0.5)
    for made in (y, z, torch.randn(700), torch.randperm(50), torch.randn(3) * torch.ones(3)):
        seen.update(made.numpy().tobytes())
seen.update(torch.get_rng_state().numpy().tobytes())
print(seen.hexdigest())
"""


def test_a_program_draws_the_same_numbers_however_it_is_run() -> None:
    found = set()
    for mode in ({"RUSHLIGHT_COMPILE": "0"}, {"RUSHLIGHT_COMPILE": "1"}, {"RUSHLIGHT_COMPILE": "sync"},
                 {"RUSHLIGHT_EAGER": "1"}):  # fmt: skip
        ran = subprocess.run([sys.executable, "-c", PROGRAM], env={**os.environ, "RUSHLIGHT_EAGER": "0", **mode},
                             capture_output=True, text=True, check=True)  # fmt: skip
        found.add(ran.stdout)
    assert len(found) == 1


def test_masks_beside_pytorch() -> None:
    real = pytest.importorskip("torch")
    for n in SIZES:
        torch.manual_seed(n), real.manual_seed(n)
        made = started()
        mine = [F.dropout(torch.ones(n) * 2, 0.3), torch.randn(n) + 0, torch.rand(n), torch.randn(n + 3)]
        mine.append(torch.empty(n).normal_(0.5, 2))
        theirs = [real.nn.functional.dropout(real.ones(n) * 2, 0.3), real.randn(n), real.rand(n), real.randn(n + 3),
                  real.empty(n).normal_(0.5, 2)]  # fmt: skip
        for got, expected in zip(mine, theirs, strict=True):
            np.testing.assert_array_equal(got.numpy(), expected.numpy())
        np.testing.assert_array_equal(torch.get_rng_state().numpy(), real.get_rng_state().numpy())
        assert made.tolist() == [2, 2, 2]


def _compiled_beside_interpreted(step: Callable[[], Any], at_once: Any) -> None:
    """Whether a step gives the same numbers compiled as with every draw made beforehand."""
    got, expected = step(), at_once(step)
    for a, b in zip(got, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=2e-5, atol=1e-6)


def test_many_layers_of_dropout(way: str, at_once: Any) -> None:
    """More kernels than are written into one function: draws stand in functions of their own."""

    def deep() -> list[Any]:
        layers = [torch.nn.Linear(12, 12) for _ in range(14)]
        x = h = torch.ones(9, 12, requires_grad=True)
        for k, layer in enumerate(layers):
            h = F.dropout(torch.tanh(layer(h)), 0.1 + 0.05 * k)
        (h * torch.randn_like(h)).sum().backward()
        return [*numbers(h, x.grad, *(layer.weight.grad for layer in layers)), torch.rand(2).numpy()]

    _compiled_beside_interpreted(deep, at_once)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_dropout_behind_convolutions(dtype: Any, way: str, at_once: Any) -> None:
    def images() -> list[Any]:
        first, second = (torch.nn.Conv2d(c, 16, 3, dtype=dtype) for c in (3, 16))
        x = torch.linspace(-1, 1, 2 * 3 * 11 * 11, dtype=dtype).reshape(2, 3, 11, 11)
        h = F.dropout(torch.relu(first(x)), 0.25)
        h = F.dropout2d(F.max_pool2d(torch.relu(second(h)), 2), 0.5) + torch.rand_like(x)[:, :1, :3, :3]
        kept = F.dropout(h.flatten(1), 0.5)
        kept.sum().backward()
        return [*numbers(kept, first.weight.grad, second.weight.grad), torch.rand(2).numpy()]

    _compiled_beside_interpreted(images, at_once)


def test_parameters_of_a_draw_are_run_time_numbers(way: str, at_once: Any) -> None:
    def changing() -> list[Any]:
        made = []
        for k in range(1, 6):
            x = torch.ones(40) + 1
            x = F.dropout(x, k / 7) * torch.bernoulli(x, k / 9) + torch.empty(40).uniform_(-k, k)
            made += [*numbers(x + torch.normal(float(k), 1 / k, (40,))), state()]
        return made

    for got, expected in zip(changing(), at_once(changing), strict=True):
        if isinstance(got, bytes):
            assert got == expected
        else:
            np.testing.assert_array_equal(got, expected)


@pytest.mark.skipif(EAGER, reason="nothing is recorded")
def test_another_probability_is_no_other_program(way: str) -> None:
    states = []
    for p in (0.2, 0.3, 0.4):
        kept = F.dropout(started(), p)
        states.append(recorder().trace.state)
        del kept
        recorder().flush()
    assert states[1] is states[2]


@pytest.mark.skipif(EAGER, reason="nothing is recorded")
def test_initialisation_is_not_recorded(way: str) -> None:
    kept = started(), torch.rand(3)
    weight = torch.nn.Linear(4, 4).weight
    assert weight._value.buf is not None and not pending()
    assert kept[0].tolist() == [2, 2, 2]


@pytest.mark.parametrize(
    "draw",
    [
        lambda g: torch.rand(3, generator=g),
        lambda g: torch.randperm(3, generator=g),
        lambda g: torch.ones(3).normal_(generator=g),
        lambda g: torch.bernoulli(torch.ones(3), generator=g),
        lambda g: torch.multinomial(torch.ones(3), 1, generator=g),
    ],
)
def test_what_is_no_generator_is_refused(draw: Any) -> None:
    with pytest.raises(TypeError, match="argument 'generator' must be torch.Generator, not int"):
        draw(3)


@pytest.mark.parametrize(
    "make",
    [
        lambda: torch.rand(2), lambda: torch.eye(2), lambda: torch.linspace(0, 1, 3), lambda: torch.logspace(0, 1, 3),
        lambda: torch.hann_window(4), lambda: torch.tril_indices(2, 2),
    ],
)  # fmt: skip
def test_the_default_device_is_asked_for(make: Any) -> None:
    torch.set_default_device("cuda")
    try:
        with pytest.raises(AssertionError, match="not compiled with CUDA"):
            make()
    finally:
        torch.set_default_device(None)


def test_an_identity_without_numbers() -> None:
    assert torch.eye(2, 3, device="meta").shape == (2, 3)
    assert torch.linspace(0, 1, 5, device="meta").is_meta
