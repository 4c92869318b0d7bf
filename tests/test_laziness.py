"""Laziness must not show: nothing grows without bound, long graphs neither overflow nor stay, and lazy, eager and
NumPy agree.

The programs that could take the machine with them run in a process of their own, with limits on memory and
processor time; there a limit that is passed is a failure, not a slow test.
"""

from __future__ import annotations

import gc
import json
import math
import os
import resource
import subprocess
import sys
import weakref
from pathlib import Path

import numpy as np
import pytest
from cases import random_programs

import rushlight as torch
from rushlight.record import spec, trace

TESTS = Path(__file__).resolve().parent
MEGABYTE = 1 << 20
MEASURE = """
import resource
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
import rushlight as torch
(torch.ones(3) + 1).tolist()
start = peak()
"""


def limited() -> None:
    """Limits of a child process: 3 GB of addresses, 60 s of processor time."""
    resource.setrlimit(resource.RLIMIT_AS, (3000 * MEGABYTE, 3000 * MEGABYTE))
    resource.setrlimit(resource.RLIMIT_CPU, (60, 60))


def in_child(program: str, **environment: str) -> str:
    """Run `program` in a limited process; return what it printed."""
    search = os.pathsep.join((str(TESTS.parent), str(TESTS), os.environ.get("PYTHONPATH", "")))
    settings = {**os.environ, "PYTHONPATH": search, "OPENBLAS_NUM_THREADS": "1", **environment}
    done = subprocess.run(
        [sys.executable, "-c", program], env=settings, preexec_fn=limited, capture_output=True, text=True, cwd=TESTS
    )
    assert done.returncode == 0, done.stderr[-2000:] or f"the process ended with {done.returncode}"
    return done.stdout


def grown(program: str) -> int:
    """How many megabytes the peak memory of a process grew while it ran `program`."""
    return int(in_child(MEASURE + program + "\nprint(peak() - start)"))


def test_a_million_operations_that_nobody_reads_run_in_bounded_memory() -> None:
    program = """
x, y = torch.zeros(3), torch.arange(3.0)
for i in range(400_000):
    x = x + 1
for i in range(300_000):
    y * 2
z = torch.zeros(3)
for i in range(300_000):
    z += 1
assert x.tolist() == [400_000.0] * 3 and z.tolist() == [300_000.0] * 3 and y.tolist() == [0.0, 1.0, 2.0]
"""
    assert grown(program) < 120


def test_views_written_without_reading_run_in_bounded_memory() -> None:
    program = """
x = torch.zeros(50, 4)
for i in range(10_000):
    x[i % 50] += 1
    x.t()[0, i % 50] = i
assert x[:, 1].tolist() == [200.0] * 50 and x[49, 0].item() == 9_999
"""
    assert grown(program) < 300  # the automaton's own bound: rows 0 to 49 make many different programs


def test_large_values_that_nobody_reads_are_not_kept() -> None:
    program = """
x = torch.zeros(256, 1024)
for i in range(3000):
    x = x + 1
    x * 2
assert x[3, 5].item() == 3000
"""
    assert grown(program) < 400


def test_large_buffer_written_row_by_row_is_not_copied_for_each_row() -> None:
    program = """
x = torch.zeros(2000, 1000)
for i in range(2000):
    x[i] = torch.full((1000,), float(i))
    if i % 500 == 0:
        x[0, 0].item()
assert x[:, 7].sum().item() == 2000 * 1999 / 2
"""
    assert grown(program) < 300


def test_training_whose_loss_nobody_reads_runs_in_bounded_memory() -> None:
    program = """
w = torch.zeros(3, requires_grad=True)
optimizer = torch.optim.SGD([w], lr=0.1)
x, y = torch.eye(3), torch.tensor([1.0, 2.0, 3.0])
for i in range(8000):
    optimizer.zero_grad()
    loss = ((x @ w - y) ** 2).mean()
    loss.backward()
    optimizer.step()
assert torch.allclose(w, y, atol=1e-3)
"""
    assert grown(program) < 120


def test_losses_summed_without_item_are_let_go() -> None:
    program = """
w = torch.ones(3, requires_grad=True)
total = 0
for i in range(8000):
    total += ((w * i) ** 2).mean().detach()
assert abs(total.item() - sum(i * i for i in range(8000))) < 1e-3 * total.item()
"""
    assert grown(program) < 120


def test_a_chain_of_100_000_operations_is_differentiated() -> None:
    x = torch.tensor([1.0, 2.0], dtype=torch.float64, requires_grad=True)
    y = x
    for _ in range(100_000):
        y = y * 1.00001
    y.sum().backward()
    assert x.grad is not None
    np.testing.assert_allclose(x.grad.tolist(), [1.00001**100_000] * 2, rtol=1e-9)
    np.testing.assert_allclose(y.tolist(), [1.00001**100_000, 2 * 1.00001**100_000], rtol=1e-9)


def test_a_chain_of_100_000_operations_is_freed_without_recursion() -> None:
    program = """
import threading
threading.stack_size(512 * 1024)
def work():
    x = torch.ones(2, requires_grad=True)
    y = x
    for i in range(100_000):
        y = y.sin()
    del y
    z = x
    for i in range(100_000):
        z = z + x
    z.sum().backward()
    assert x.grad.tolist() == [100_001.0] * 2
    z = None
    done.append(True)
done = []
thread = threading.Thread(target=work)
thread.start()
thread.join()
assert done == [True]
"""
    assert grown(program) < 1000


def test_nothing_of_a_graph_stays_without_the_collector() -> None:
    gc.collect()
    gc.disable()
    try:
        x = torch.ones(3, requires_grad=True)
        y = x.exp()
        node = weakref.ref(y)
        (y * y).sum().backward()
        for _ in range(10):
            y = y * 1
        y.sum().item()
        del y
        leaf = weakref.ref(x)
        del x
        assert node() is None and leaf() is None
    finally:
        gc.enable()


@pytest.mark.parametrize("seed", range(random_programs.SEEDS))
def test_random_programs_agree_with_numpy(seed: int) -> None:
    want = random_programs.reference(seed)
    assert random_programs.recorded(torch, seed) == want
    assert random_programs.recorded(torch, seed, read_each=True) == want
    assert random_programs.recorded(torch, seed, read_some=True) == want
    assert random_programs.recorded(torch, seed) == want


@pytest.mark.parametrize("seed", range(random_programs.SEEDS))
def test_random_gradients_do_not_depend_on_reading(seed: int) -> None:
    want = random_programs.differentiated(torch, seed, read_each=True)
    for got in (random_programs.differentiated(torch, seed), random_programs.differentiated(torch, seed)):
        for mine, theirs in zip(got, want, strict=True):
            np.testing.assert_allclose(mine, theirs, rtol=1e-10, atol=1e-12)


def test_random_programs_agree_with_a_process_in_the_other_mode() -> None:
    other = "1" if os.environ.get("RUSHLIGHT_EAGER", "0") in ("", "0") else "0"
    program = "from cases.random_programs import main; main()"
    theirs = json.loads(in_child(program, RUSHLIGHT_EAGER=other))
    for seed, (integers, gradients) in enumerate(theirs):
        assert random_programs.recorded(torch, seed) == integers
        for mine, wanted in zip(random_programs.differentiated(torch, seed), gradients, strict=True):
            np.testing.assert_allclose(mine, wanted, rtol=1e-10, atol=1e-12)


def test_random_gradients_are_pytorchs() -> None:
    pytorch = pytest.importorskip("torch")
    for seed in range(random_programs.SEEDS):
        got, want = random_programs.differentiated(torch, seed), random_programs.differentiated(pytorch, seed)
        for mine, theirs in zip(got, want, strict=True):
            np.testing.assert_allclose(mine, theirs, rtol=1e-9, atol=1e-11)


only_lazily = pytest.mark.skipif(trace.EAGER, reason="the error is raised on its own line")


@only_lazily
@pytest.mark.parametrize("turns", [1, 6])
def test_an_error_leaves_alone_what_does_not_depend_on_it(turns):
    """What was recorded beside an operation that fails is computed all the same, compiled or not."""
    rows, bad = torch.arange(4.0), torch.tensor([0, 9])
    for _ in range(turns):
        before = rows * 2
        index = bad * 1  # its numbers are not known when the next line runs
        wrong = rows[index] + 1
        after = before + rows.exp()
        with pytest.raises(IndexError, match="index 9 is out of bounds"):
            wrong.tolist()
        assert after.tolist() == pytest.approx([1.0, 4.718282, 11.389056, 26.085537])
        assert before.tolist() == [0.0, 2.0, 4.0, 6.0]
        assert index.tolist() == [0, 9]
        with pytest.raises(IndexError, match="index 9 is out of bounds"):
            wrong.sum().item()


@only_lazily
@pytest.mark.parametrize("turns", [1, 6])
def test_steps_behind_an_error_are_made(turns):
    """Sorting is a NumPy step between two stretches of machine code."""
    x = torch.linspace(-1, 1, 400).reshape(20, 20)
    wanted = [x.sin() * 2 + 1]
    wanted.append((wanted[0] + 3).cumsum(1).tanh().sort(dim=1)[0] * 5)
    for k in range(turns):
        rows = torch.tensor([1, 3 if k % 2 else 99]) * 1
        first = x.sin() * 2 + 1
        wrong = (first.sort(dim=1)[0][rows] * 2).exp().sum()
        last = (first + 3).cumsum(1).tanh().sort(dim=1)[0] * 5
        if k % 2:
            assert wrong.isfinite()
        else:
            with pytest.raises(IndexError, match="index 99"):
                wrong.item()
        torch.testing.assert_close([first, last], wanted)


@only_lazily
def test_draws_behind_an_error_are_made_once():
    torch.manual_seed(0)
    wanted = [torch.rand(20).tolist(), torch.rand(3).tolist()]
    torch.manual_seed(0)
    wrong = torch.arange(3.0)[torch.tensor([7]) * 1]
    drawn = torch.rand(20) * 1
    with pytest.raises(IndexError):
        wrong.item()
    assert [drawn.tolist(), torch.rand(3).tolist()] == wanted


def trained_and_another_each_time(turns: int, others: int) -> list[float]:
    """A loop's losses, with programs in between that come twice and never again."""
    torch.manual_seed(0)
    model, x = torch.nn.Linear(3, 2), torch.arange(12.0).reshape(4, 3).cos()
    optimizer, losses = torch.optim.SGD(model.parameters(), lr=0.1), []
    for turn in range(turns):
        loss = model(x).square().sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
        for _ in range(2):
            y = x
            for k in range(others):
                y = (y + 1).sin() if (turn * 7919 + 1) >> k & 1 else (y - 1).cos()
            y.sum().item()
    return losses


@only_lazily
def test_what_comes_once_leaves_nothing_in_the_automaton():
    x = torch.arange(12.0).requires_grad_()
    trace.recorder().flush()
    grown = []
    for size in (1231, 1237, 1231):
        before = trace.State.count
        x.grad = None
        (torch.ones(size, 12) @ x).sin().sum().backward()
        wanted = size * math.cos(66)
        np.testing.assert_allclose(x.grad.numpy(), np.full(12, wanted), rtol=1e-5)
        grown.append(trace.State.count - before)
    assert grown[:2] == [0, 0] and grown[2] > 5


@only_lazily
def test_states_that_do_not_come_again_are_forgotten(monkeypatch):
    trace.recorder().flush()
    monkeypatch.setattr(trace.AUTOMATON, "roots", dict.fromkeys(trace.AUTOMATON.roots, trace.State(None, None, 0)))
    monkeypatch.setattr(trace.AUTOMATON, "root", next(iter(trace.AUTOMATON.roots.values())))
    monkeypatch.setattr(trace.AUTOMATON, "limit", 400)
    monkeypatch.setattr(trace, "FEW_STATES", 400)
    monkeypatch.setattr(trace.State, "count", 0)
    monkeypatch.setattr(trace.Program, "patience", 2)
    trace.recorder().trace = trace.Trace(trace.recorder())
    wanted = trained_and_another_each_time(40, 0)
    most = []
    forget = trace.Automaton.forget
    monkeypatch.setattr(trace.Automaton, "forget", lambda self: (most.append(trace.State.count), forget(self)))
    assert trained_and_another_each_time(40, 24) == pytest.approx(wanted, rel=1e-6)
    assert most and max(most) < 1000
    trace.AUTOMATON.forget()
    before = trace.State.count
    assert 0 < before < 400
    assert trained_and_another_each_time(3, 0) == pytest.approx(wanted[:3], rel=1e-6)
    assert trace.State.count == before  # the loop is still known


@only_lazily
def test_all_is_forgotten_where_too_much_comes_again(monkeypatch):
    trace.recorder().flush()
    monkeypatch.setattr(trace, "MAX_STATES", 10)
    wanted = trained_and_another_each_time(5, 0)
    trace.AUTOMATON.forget()
    assert trace.State.count == 0
    assert trained_and_another_each_time(5, 0) == pytest.approx(wanted, rel=1e-6)


def test_specs_that_nobody_uses_are_forgotten(monkeypatch):
    monkeypatch.setattr(spec, "MANY", 10)
    monkeypatch.setattr(spec, "_limit", 10)
    monkeypatch.setattr(spec, "_interned", {})
    held = [spec.spec_of((n, 2), torch.float32) for n in range(1, 4)]
    for n in range(1, 100):
        spec.spec_of((n, 3), torch.float32)
    assert len(spec._interned) <= 20
    assert [spec.spec_of((n, 2), torch.float32) for n in range(1, 4)] == held
