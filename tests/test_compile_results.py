"""What a native program is called with and what it gives back: kept small results, looks at results, numbers first."""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from test_compile import assert_same, compiled, fresh_automaton, own_cache

import rushlight as torch
from rushlight.codegen import background, native, planning
from rushlight.codegen.results import SMALL, Shelf
from rushlight.record import trace
from rushlight.record.program import Program

pytestmark = pytest.mark.skipif(trace.EAGER, reason="one operation at a time is no program")
__all__ = ["own_cache"]


def at_once(patch: Any) -> None:
    """Compiles every program before its first run."""
    patch.setattr(Program, "compiler", background.compile_now)
    patch.setattr(Program, "patience", 1)
    fresh_automaton()


def test_a_small_result_that_is_kept_is_not_written_again(monkeypatch: Any) -> None:
    at_once(monkeypatch)
    x = torch.arange(5.0)
    kept = [x * k + 1 for k in range(6)]
    for k, t in enumerate(kept):
        np.testing.assert_array_equal(t.numpy(), np.arange(5.0) * k + 1)
    arrays, views = [], []
    for k in range(6):
        t = x * k - 1
        arrays.append(t.numpy())  # the tensor goes, its memory stays
        views.append(t[1:3])
    for k in range(6):
        np.testing.assert_array_equal(arrays[k], np.arange(5.0) * k - 1)
        np.testing.assert_array_equal(views[k].numpy(), np.arange(1.0, 3.0) * k - 1)


def test_a_small_result_that_nobody_keeps_is_taken_again(monkeypatch: Any) -> None:
    at_once(monkeypatch)
    x = torch.arange(5.0)
    places = []
    for k in range(5):
        t = x * k + 2
        t.sum().item()
        places.append(t.data_ptr())
        del t
    assert len(set(places[1:])) == 1


def test_shelf() -> None:
    shelf = Shelf([lambda: np.zeros(3), lambda: np.zeros((), np.int64)])
    first = shelf.take()
    assert [a.shape for a in first] == [(3,), ()]
    second = shelf.take()
    assert not any(a is b for a in first for b in second)
    look = first[0][1:]
    ours = id(second[0]), id(second[1])
    del first, second
    assert tuple(map(id, shelf.take())) == ours
    del look
    assert Shelf([]).take() == []


def test_two_threads_run_one_program(monkeypatch: Any) -> None:
    at_once(monkeypatch)
    wrong: list[Any] = []

    def run(start: float) -> None:
        x = torch.full((7,), start)
        for k in range(400):
            t = x * k + 1
            if not np.array_equal(t.numpy(), np.full(7, np.float32(start) * k + 1, np.float32)):
                wrong.append((start, k, t))

    threads = [threading.Thread(target=run, args=(float(n),)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


LOOKS: dict[str, Callable[[Any, Any], list[Any]]] = {
    "an element": lambda a, b: [(a @ b)[0, 0]],
    "a row of rows": lambda a, b: [(a @ b)[1:4][1]],
    "a transpose": lambda a, b: [(a @ b).t()[2:]],
    "another shape": lambda a, b: [(a @ b).view(-1)[3::2], (a + b).reshape(3, 2, 6)],
    "source and view": lambda a, b: (lambda c: [c, c[2], c[:, 3]])(a @ b),
    "parts": lambda a, b: list((a * 2 + b).split(4)) + list((a - b).unbind(1)),
    "a view of a transposed result": lambda a, b: [torch.exp(a.t())[1], torch.exp(a.t())[:, 2:]],
    "broadcast": lambda a, b: [(a + b)[0].expand(4, 6)],
    "nothing": lambda a, b: [(a + b)[3:3]],
    "squeezed": lambda a, b: [(a @ b)[None, :, 2:3].squeeze()],
    "diagonal": lambda a, b: [(a @ b).diagonal(), (a @ b).as_strided((2, 2), (1, 7), 3)],
    "other bits": lambda a, b: [(a + b).view(torch.int32)[1]],
}


@pytest.mark.parametrize("name", LOOKS)
def test_views_of_results(name: str, monkeypatch: Any) -> None:
    def run() -> list[torch.Tensor]:
        torch.manual_seed(0)
        a, b = torch.randn(6, 6), torch.randn(6, 6)
        return [t for _ in range(3) for t in LOOKS[name](a, b)]

    expected, found, made = compiled(run, monkeypatch)
    assert made and all(p.segments for p in made)
    assert_same(expected, found)


def test_one_program_looks_at_many_places(monkeypatch: Any) -> None:
    def run() -> list[torch.Tensor]:
        x = torch.arange(40.0).view(5, 8)
        return [torch.tensor((torch.exp(x * 0.01) + 1)[i, j].item()) for i in range(5) for j in range(8)]

    expected, found, made = compiled(run, monkeypatch)
    assert len(made) == 2 and made[1].whole is not None and made[1].looks  # the first program makes x, too
    assert_same(expected, found)


def test_writing_to_a_view_of_a_result(monkeypatch: Any) -> None:
    def run() -> list[torch.Tensor]:
        x = torch.arange(12.0).view(3, 4)
        seen = []
        for k in range(3):
            whole = x * k + 1
            row = whole[1]
            row.sum().item()
            row.mul_(2)
            seen += [whole, row]
        return seen

    expected, found, _ = compiled(run, monkeypatch)
    assert_same(expected, found)


def test_numbers_first(monkeypatch: Any) -> None:
    """Arithmetic among numbers is done before the native function, which gets its results."""

    def run() -> list[torch.Tensor]:
        seen = []
        a, b = torch.ones(3) * 2, torch.nn.BatchNorm1d(4)
        optimizer = torch.optim.SGD(b.parameters(), lr=0.1)
        for momentum in (0.1, 0.3, 0.3):
            b.momentum = momentum
            b(torch.arange(20.0).view(5, 4).sin()).square().sum().backward()
            optimizer.step()
            seen.append(b.running_mean.clone() + a[0])
        return [*seen, b.weight, b.running_var]

    expected, found, made = compiled(run, monkeypatch)
    assert any(p.whole is not None for p in made)
    assert_same(expected, found, 1e-4)


def test_large_results_are_not_kept(monkeypatch: Any) -> None:
    at_once(monkeypatch)
    programs: list[planning.PlannedProgram] = []
    link = planning.PlannedProgram.link
    monkeypatch.setattr(planning.PlannedProgram, "link", lambda p, here: (programs.append(p), link(p, here))[1])
    x = torch.randn(SMALL // 4 + 1)
    (x * 2).sum().item()
    (x * 3, (x * 2).sum().item())
    assert all(a.nbytes <= SMALL for p in programs for s in p.segments for a in s.shelf.arrays)


def test_a_tape_of_an_earlier_program_leaves_no_cycles() -> None:
    """A generator trained through a discriminator that was trained in between."""
    norm, line = torch.nn.BatchNorm1d(3), torch.nn.Linear(3, 1)
    optimizers = [torch.optim.SGD(m.parameters(), lr=0.1) for m in (norm, line)]

    def step() -> None:
        made = norm(torch.randn(4, 3))
        line(made.detach()).sum().backward()
        optimizers[1].step()
        line(made).sum().backward()
        optimizers[0].step()

    for _ in range(3):
        step()
    gc.collect()
    gc.disable()
    try:
        step()
        assert gc.collect() == 0
    finally:
        gc.enable()


def test_results_may_say_any_stride_where_there_is_one_place(monkeypatch: Any) -> None:
    """A dimension of extent 1 in memory that lies channels last has the channels' stride."""
    w = torch.randn(8, 1, 3, 3).to(memory_format=torch.channels_last)
    assert w.stride() == (9, 1, 3, 1)
    expected, found, made = compiled(lambda: [w * 2, (w + w) * w], monkeypatch)
    assert_same(expected, found)
    assert [len(m.segments) for m in made] == [1] and not made[0].reasons


@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float32", "float64", "uint8", "int32", "int64"])
@pytest.mark.parametrize("length", [1, 2, 3, 9, 15, 17, 18, 31, 33, 65])
def test_nothing_is_written_behind_an_array(monkeypatch: pytest.MonkeyPatch, dtype: str, length: int) -> None:
    fences: list[np.ndarray] = []

    def fenced(spec: Any) -> Callable[[], np.ndarray]:
        def make() -> np.ndarray:
            fences.append(np.full(spec.nbytes + 128, 0xAB, np.uint8))
            return fences[-1][64:-64].view(spec.numpy).reshape(spec.shape)

        return make

    monkeypatch.setattr(native, "maker", fenced)
    at_once(monkeypatch)
    kind = getattr(torch, dtype)
    numbers = (torch.arange(length) % 7).to(kind)
    found = (numbers + numbers * 2).to(kind)
    assert found.tolist() == [3 * (k % 7) for k in range(length)]
    assert fences and all(bool((f[:64] == 0xAB).all() and (f[-64:] == 0xAB).all()) for f in fences)
