"""Where a training step ends: which optimizer steps are computed at once, and which wait for the next one."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

import rushlight as torch
from rushlight.record import flush, trace
from rushlight.record.program import Program

only_lazily = pytest.mark.skipif(trace.EAGER, reason="one operation at a time is no program")


@pytest.fixture
def runs(monkeypatch: Any) -> list[Program]:
    """The programs that ran; what earlier tests have left is out of the way."""
    trace.recorder().flush()
    ran: list[Program] = []
    run, once = Program.run, flush.run_once
    monkeypatch.setattr(Program, "run", lambda self, values: ran.append(self) or run(self, values))
    monkeypatch.setattr(flush, "run_once", lambda *given: ran.append(SimpleNamespace(live=given[2])) or once(*given))
    return ran


def generator_and_discriminator() -> tuple[Any, Any]:
    """A GAN's step of training, and its parameters."""
    torch.manual_seed(0)
    g, d = torch.nn.Linear(3, 4), torch.nn.Linear(4, 1)
    of_g, of_d = (torch.optim.SGD(m.parameters(), lr=0.1, momentum=0.9) for m in (g, d))
    noise, real = torch.ones(5, 3), torch.full((5, 4), 2.0)

    def step() -> None:
        fake = g(noise).tanh()
        of_d.zero_grad()
        (d(fake.detach()).square().mean() - d(real).mean()).backward()
        of_d.step()
        of_g.zero_grad()
        d(fake).square().mean().neg().backward()
        of_g.step()

    return step, [*g.parameters(), *d.parameters()]


@only_lazily
def test_two_optimizers_of_one_graph_are_one_program(runs: list[Program]) -> None:
    step, parameters = generator_and_discriminator()
    for _ in range(4):
        step()
    runs.clear()
    step()
    assert len(runs) == 1
    found = [p.tolist() for p in parameters]
    step, parameters = generator_and_discriminator()
    for _ in range(5):
        step()
        assert all(p.isfinite().all() for p in parameters)  # reads everything
    assert [p.tolist() for p in parameters] == found


@only_lazily
def test_two_optimizers_are_one_program_after_inference_mode(runs: list[Program]) -> None:
    with torch.inference_mode():
        torch.ones(2).exp()
    test_two_optimizers_of_one_graph_are_one_program(runs)


@only_lazily
def test_a_graph_that_waits_for_ever_does_not_put_off_every_step(runs: list[Program]) -> None:
    model = torch.nn.Linear(3, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    held = []
    for _ in range(8):
        held.append(model(torch.ones(2, 3)).exp())
        optimizer.zero_grad()
        model(torch.ones(2, 3)).square().mean().backward()
        optimizer.step()
    assert len(runs) >= 4


@only_lazily
@pytest.mark.parametrize("follows", ["nothing", "a view", "again"])
def test_results_of_layers_in_place_are_not_kept(runs: list[Program], follows: str) -> None:
    def wanted(inplace: bool) -> int:
        torch.manual_seed(0)
        first, last = torch.nn.Linear(3, 4), torch.nn.Linear(4, 1)
        opt = torch.optim.SGD([*first.parameters(), *last.parameters()], lr=0.1)
        h = torch.nn.functional.leaky_relu(first(torch.ones(5, 3)), 0.1, inplace)
        if follows == "a view":
            h = h.view(5, 4)
        if follows == "again":
            h = torch.nn.functional.relu(h, inplace)
        last(h).sum().backward()
        del h
        runs.clear()
        opt.step()
        return len(runs[-1].live)

    assert wanted(True) == wanted(False)


@only_lazily
def test_what_was_overwritten_is_still_refused() -> None:
    x = torch.ones(3, requires_grad=True)
    y = x.exp()
    y.add_(1.0)
    total = y.sum()
    del y
    assert total.item() > 0  # the trace ends, and the saved result is asked for after it
    with pytest.raises(RuntimeError, match="is at version 1; expected version 0"):
        total.backward()
