"""Modules compiled beside the planning: in haste or with care, the numbers are the same, to the bit."""

from __future__ import annotations

import gc
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from test_compile import compiled, fresh_automaton, own_cache, random_program, run_program  # noqa: F401
from test_compile_ir import both_ways

import rushlight as torch
from rushlight.codegen import background, contexts, entry, modules, planning
from rushlight.codegen.capture import NotLowered
from rushlight.codegen.ir import Builder, Loop
from rushlight.codegen.machine import Machine, machine
from rushlight.codegen.target import Target
from rushlight.nn import functional as F
from rushlight.record import flush, trace
from rushlight.record.program import Program

pytestmark = pytest.mark.skipif(trace.EAGER, reason="one operation at a time is no program")


def trained(layers: Callable[[], torch.nn.Module], *shape: int) -> Callable[[], list[Any]]:
    """A step of training, and what it leaves in the parameters."""

    def f() -> list[Any]:
        torch.manual_seed(0)
        model = layers()
        optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
        for _ in range(2):
            optimizer.zero_grad()
            found = model(torch.randn(*shape))
            loss = F.cross_entropy(found.flatten(1), torch.arange(len(found)) % 3)
            loss.backward()
            optimizer.step()
        return [loss, *model.parameters()]

    return f


def small_network() -> torch.nn.Module:
    nn = torch.nn
    return nn.Sequential(
        nn.Conv2d(2, 5, 3, padding=1), nn.BatchNorm2d(5), nn.GELU(), nn.MaxPool2d(2), nn.Conv2d(5, 4, 3), nn.Tanh(),
        nn.Flatten(1), nn.LayerNorm(16), nn.Linear(16, 19), nn.Dropout(0.3), nn.Softmax(1), nn.Linear(19, 7),
    )  # fmt: skip


class Attending(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = torch.nn.LSTM(6, 8, batch_first=True), torch.nn.Linear(8, 3)
        self.inner = torch.nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.second(self.inner(self.first(x)[0])[:, -1])


STEPS = {"convolutions": trained(small_network, 4, 2, 8, 8), "attention": trained(Attending, 4, 5, 6)}


@pytest.fixture
def many(monkeypatch: Any) -> None:
    """Every entry is written as those with many kernels are."""
    monkeypatch.setattr(entry, "MANY", 0)


def ran(f: Callable[[], list[Any]], patch: Any, careful: bool) -> tuple[list[Any], list[modules.Modules]]:
    """The answers of `f` with its programs compiled beside the planning, and all that they consist of."""
    made: list[modules.Modules] = []

    def compile_beside(program: Program) -> None:
        background.compile_now(program, False)
        if careful:
            assert modules.WORKER.join(60)

    with patch.context() as inside:
        start, work = modules.Modules.__init__, modules.Modules._compile
        inside.setattr(modules, "WORKER", modules.Worker())

        def haste(self: modules.Modules, module: modules.Module, with_care: bool) -> None:
            if with_care:
                module.careful = True  # it is not
            else:
                work(self, module, False)

        inside.setattr(modules.Modules, "__init__", lambda self, *a, **k: (start(self, *a, **k), made.append(self))[0])
        if not careful:
            inside.setattr(modules.Modules, "_compile", haste)
        inside.setattr(modules, "SHORT", 0)
        inside.setattr(Program, "compiler", compile_beside)
        inside.setattr(Program, "patience", 1)
        fresh_automaton()
        return [np.array(t.detach().numpy()) for t in f()], made


@pytest.mark.parametrize("name", STEPS)
def test_haste_and_care_give_the_same_bits(name: str, monkeypatch: Any) -> None:
    _, wanted, native = compiled(STEPS[name], monkeypatch)
    assert native
    monkeypatch.setenv("RUSHLIGHT_CACHE", "/nowhere")  # nothing is found there, and nothing is kept
    hasty, made = ran(STEPS[name], monkeypatch, False)
    assert made
    careful, made = ran(STEPS[name], monkeypatch, True)
    assert made and all(m.linked for part in made for m in part._modules)
    for a, b, c in zip(wanted, hasty, careful, strict=True):
        np.testing.assert_array_equal(a, b)
        np.testing.assert_array_equal(a, c)


@pytest.mark.parametrize("seed", range(12))
def test_random_programs_in_haste(seed: int, many: None, monkeypatch: Any) -> None:
    inputs, steps = random_program(seed, torch.float32)
    _, wanted, _ = compiled(lambda: run_program(inputs, steps), monkeypatch)
    hasty, _ = ran(lambda: run_program(inputs, steps), monkeypatch, False)
    for a, b in zip(wanted, hasty, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("seed", range(12))
def test_contexts_from_a_table(seed: int, many: None, monkeypatch: Any) -> None:
    inputs, steps = random_program(100 + seed, torch.float32)
    expected, found, made = compiled(lambda: run_program(inputs, steps), monkeypatch)
    for a, b in zip(expected, found, strict=True):
        np.testing.assert_allclose(b, a, rtol=3e-5, atol=3e-5)
    both_ways(lambda: run_program(inputs, steps), monkeypatch)


def test_arrays_that_lie_otherwise_are_noticed_in_a_loop(many: None, monkeypatch: Any) -> None:
    xs = [torch.randn(4, 5) for _ in range(5)]
    _, (wanted,), made = compiled(lambda: [xs[0] * xs[1] - xs[2] * xs[3] * xs[4]], monkeypatch)
    (segment,) = made[0].segments
    by_slot = sorted(segment.entry.arrays)
    arrays = {slot: np.array(x.numpy()) for slot, x in zip(by_slot, xs, strict=True)}
    given, result = [arrays[slot] for slot in segment.entry.arrays], np.empty((4, 5), np.float32)
    assert segment.function is not None
    assert segment.function(segment.arena, *given, result) is True
    np.testing.assert_array_equal(np.sort(result.ravel()), np.sort(wanted.ravel()))
    given[3] = np.asfortranarray(given[3])
    result[:] = 7
    assert segment.function(segment.arena, *given, result) is False
    assert (result == 7).all()


def test_a_program_finds_the_kernels_that_another_had(monkeypatch: Any) -> None:
    monkeypatch.setattr(modules, "LEAST", 0)
    monkeypatch.setattr(modules, "LAST_OF", 1)
    count: list[str] = []
    make = Target.compile
    monkeypatch.setattr(Target, "compile", lambda self, *a: (count.append(a[0]), make(self, *a))[1])
    monkeypatch.setattr(entry, "MANY", 0)
    x, w = torch.randn(30, 40), torch.randn(40, 50)
    compiled(lambda: [torch.softmax(torch.tanh(x @ w), 1)], monkeypatch)
    before = len(count)
    made = compiled(lambda: [torch.softmax(torch.tanh(x @ w), 1).sum(0)], monkeypatch)[2]
    assert before > 2 and len(made[0].functions) > 2
    assert 0 < len(count) - before < len(made[0].functions)


def test_what_was_made_in_haste_does_not_stay_on_the_disk(monkeypatch: Any) -> None:
    _, made = ran(STEPS["convolutions"], monkeypatch, True)
    kept = len(list(Path(os.environ["RUSHLIGHT_CACHE"]).glob("*.o")))
    assert 0 < kept <= sum(len(part._modules) for part in made) + 2  # and the team, and the random numbers


def test_a_short_function_stays_on_the_disk(monkeypatch: Any) -> None:
    """It is compiled with care at once: its hasty text is the same."""
    made = []
    with modules.Modules(machine()) as parts:
        x = torch.ones(3)
        (one,) = compiled(lambda: [x * 2 + 1], monkeypatch)[2]
        parts.follow(one.printer, one.functions)
        parts.link(one.entries, made.append)
    ((careful, hasty),) = parts.keys
    assert careful == hasty and made[0].objects == (machine().kept_code(careful),)


def test_the_thread_fails_and_the_program_stays_interpreted(monkeypatch: Any) -> None:
    def broken(self: Any, text: str, hasty: bool = False) -> bytes:
        raise RuntimeError("no such instruction")

    monkeypatch.setattr(Machine, "object_code", broken)
    x = torch.ones(3)
    with pytest.warns(UserWarning, match="could not compile"):
        (found, _), _ = ran(lambda: [x * 2 + 1, (x + 3).sum()], monkeypatch, False)
    assert found.tolist() == [3.0, 3.0, 3.0]


def test_halves_of_a_run_share_the_kernels_that_the_whole_had_written(many: None, monkeypatch: Any) -> None:
    """A run that fails when its kernels are written, and done by halves, has each kernel once."""
    whole, tried = planning.Entry, list[Any]()

    def first_fails(*given: Any) -> Any:
        tried.append(whole(*given))
        if len(tried) == 1:
            raise NotLowered("too much at once")
        return tried[-1]

    expected, _ = ran(STEPS["convolutions"], monkeypatch, False)
    monkeypatch.setattr(planning, "Entry", first_fails)
    found, _ = ran(STEPS["convolutions"], monkeypatch, False)
    assert len(tried) >= 3
    for a, b in zip(expected, found, strict=True):
        np.testing.assert_allclose(b, a, rtol=1e-4, atol=1e-5)


def test_care_that_fails_leaves_what_was_made_in_haste(monkeypatch: Any) -> None:
    make = Machine.object_code

    def sometimes(self: Machine, text: str, hasty: bool = False) -> bytes:
        if not hasty:
            raise RuntimeError("too hard")
        return make(self, text, hasty)

    machine()
    monkeypatch.setattr(Machine, "object_code", sometimes)
    x = torch.ones(3)
    with pytest.warns(UserWarning, match="made in haste"):
        (found,), made = ran(lambda: [x * 2 + 1], monkeypatch, True)
    assert found.tolist() == [3.0, 3.0, 3.0] and made[0]._modules[-1].hasty  # it may be tried again elsewhere


def test_a_program_without_native_code_leaves_no_thread(monkeypatch: Any) -> None:
    with modules.Modules(machine()) as parts:
        pass
    assert parts.done()
    _, made = ran(lambda: [torch.sort(torch.randn(9))[0]], monkeypatch, False)
    for part in made:
        assert part._worker.join(60) and not part._worker.busy()


def test_the_thread_does_haste_first_and_then_what_is_worth_most(monkeypatch: Any) -> None:
    worker, order = modules.Worker(), list[tuple[str, bool]]()

    class Listed(modules.Modules):
        def __init__(self, name: str, worth: float) -> None:
            super().__init__(machine(), worth=worth)
            self.name = name

        def compile(self, module: modules.Module, careful: bool) -> None:
            order.append((self.name, careful))
            module.careful = careful

    monkeypatch.setattr(modules, "WORKER", worker)
    monkeypatch.setattr(modules, "KEPT", 2)
    worker.hold("somebody")
    for name, worth in (("a", 1.0), ("b", 3.0), ("c", 2.0)):
        with Listed(name, worth) as part:
            part._wait_for(modules.Module([], name, name + "!", machine()))
            part._take = print
    while len(order) < 3:
        time.sleep(0.001)
    worker.release("somebody")
    assert worker.join(60)
    assert order == [("a", False), ("b", False), ("c", False), ("b", True), ("c", True)]  # there is no room for a


def test_programs_are_noted_until_they_are_compiled_with_care(monkeypatch: Any) -> None:
    noted: dict[object, Program] = {}
    monkeypatch.setattr(background, "_hasty", noted)
    _, made = ran(STEPS["convolutions"], monkeypatch, True)
    assert made and made[0] not in noted and made[0] not in modules.WORKER.waited_for
    program = Program([], ())
    program.faster, program.runs = list, 7
    noted[made[0]] = program
    monkeypatch.setattr(modules, "WORKER", modules.Worker())
    modules.WORKER.hold(made[0])
    background.forget_haste()
    assert program.faster is None and program.runs == 0
    assert made[0] not in noted and not modules.WORKER.waited_for


def test_what_nobody_reads_is_left_out() -> None:
    w = Builder()
    p = w.parameter("ptr", "p")
    kept = w.load("i64", w.at("u8", p, 8), 8)
    w.load("i64", w.at("u8", p, 16), 8)
    inside = w.load("i64", w.at("u8", p, 24), 8)
    loop = Loop(w, 4)
    w.store(inside, w.at("i64", p, loop.index), 8)
    loop.close()
    w.leave(kept)
    assert [v.op for v in contexts.without_unread(w.all)] == ["at", "load", "at", "load", "for", "return"]
    assert contexts._ranges([1, 2, 3, 7, 9, 10]) == [(1, 4), (7, 8), (9, 11)]


def test_rare_collections_end_and_leave_the_users_own_choice() -> None:
    usual = gc.get_threshold()
    try:
        with background.rare_collections():
            assert gc.get_threshold()[0] >= background.YOUNG
        assert gc.get_threshold() == usual
        with background.rare_collections():
            gc.set_threshold(123, 4, 5)
        assert gc.get_threshold() == (123, 4, 5)
        gc.set_threshold(0, 4, 5)
        with background.rare_collections():
            assert gc.get_threshold()[0] == 0
        assert gc.get_threshold() == (0, 4, 5)
    finally:
        gc.set_threshold(*usual)


def test_long_programs_are_compiled_a_turn_sooner(monkeypatch: Any) -> None:
    asked: list[Program] = []
    monkeypatch.setattr(Program, "patience", 3)
    monkeypatch.setattr(Program, "compiler", asked.append)
    monkeypatch.setattr(flush, "SLOW", 5)
    x = torch.ones(3)
    for length, turns in ((2, 3), (9, 2)):
        asked.clear()
        for turn in range(1, 7):
            y = x
            for _ in range(length):
                y = y * 2 + 1
            y.sum().item()
            assert len(asked) == (turn >= turns)
