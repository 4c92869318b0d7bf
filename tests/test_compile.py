"""The compiler against the interpreter: the same numbers for every program, on every width of vector.

`compiled` runs a function twice from an empty automaton, interpreted and compiled, and hands back both answers with the
native programs that were made.  `random_program` writes programs out of views, broadcasts, reductions, products,
numbers and writes in place; a failing one is shrunk by dropping operations before it is shown.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import rushlight as torch
from rushlight.codegen import background, cache, machine, native, planning
from rushlight.record import trace
from rushlight.record.program import Program

pytestmark = pytest.mark.skipif(trace.EAGER, reason="one operation at a time is no program")


def fresh_automaton() -> None:
    """Forgets every program."""
    trace.recorder().flush()
    trace.AUTOMATON.start_afresh()
    trace.recorder().trace = trace.Trace(trace.recorder())


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Any, monkeypatch: Any) -> Any:
    """A cache folder for this test alone, and no compiler but the one the test asks for."""
    monkeypatch.setenv("RUSHLIGHT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(Program, "compiler", None)
    yield
    fresh_automaton()


def compiled(f: Callable[[], list[Any]], patch: Any) -> tuple[list[Any], list[Any], list[planning.PlannedProgram]]:
    """The answers of `f`, interpreted and compiled, and the native programs."""
    made: list[planning.PlannedProgram] = []
    fresh_automaton()
    expected = [np.array(t.detach().numpy()) for t in f()]
    with patch.context() as inside:
        start = planning.PlannedProgram.__init__
        inside.setattr(planning.PlannedProgram, "__init__", lambda self, *a: (start(self, *a), made.append(self))[0])
        inside.setattr(Program, "compiler", background.compile_now)
        inside.setattr(Program, "patience", 1)
        fresh_automaton()
        found = [np.array(t.detach().numpy()) for t in f()]
    return expected, found, made


def assert_same(expected: list[Any], found: list[Any], tolerance: float | None = None) -> None:
    for a, b in zip(expected, found, strict=True):
        assert a.dtype == b.dtype and a.shape == b.shape
        if a.dtype.kind == "f":
            within = tolerance or (1e-12 if a.dtype == np.float64 else 3e-5)
            np.testing.assert_allclose(b, a, rtol=within, atol=within)
        else:
            np.testing.assert_array_equal(b, a)


UNARY = ["exp", "tanh", "sigmoid", "abs", "neg", "relu", "square", "erf", "sin", "cos", "expm1", "atan", "asinh"]
BINARY = ["add", "sub", "mul", "maximum", "minimum", "hypot", "fmax", "atan2"]
LAYERS = ["softmax", "log_softmax", "cumulative", "gelu", "normalized"]
SHAPES = [(7,), (5, 3), (1, 3), (5, 1), (), (2, 5, 3), (33,), (4, 17)]


def random_program(seed: int, kind: torch.dtype) -> tuple[list[torch.Tensor], list[Callable[[list[Any]], Any]]]:
    """Inputs, and operations on the list of all tensors so far."""
    draw = random.Random(seed)
    torch.manual_seed(seed)
    inputs = [torch.randn(draw.choice(SHAPES), dtype=kind) for _ in range(3)]
    shapes = [tuple(t.shape) for t in inputs]
    steps: list[Callable[[list[Any]], Any]] = []
    for _ in range(draw.randint(3, 14)):
        i = draw.randrange(len(shapes))
        step, shape = random_step(draw, i, shapes)
        steps.append(step)
        shapes.append(shape)
    return inputs, steps


def random_step(draw: random.Random, i: int, shapes: list[Any]) -> tuple[Callable[[list[Any]], Any], Any]:
    """One operation on tensor `i` and perhaps another, and the shape of its result."""
    shape, what = shapes[i], draw.randrange(14)
    if what == 0:
        name = draw.choice(UNARY)
        return lambda ts: getattr(torch, name)(ts[i]), shape
    if what in (1, 2):
        fitting = [j for j, s in enumerate(shapes) if _broadcasts(s, shape)]
        j, name = draw.choice(fitting), draw.choice(BINARY)
        return lambda ts: getattr(torch, name)(ts[i], ts[j]), np.broadcast_shapes(shape, shapes[j])
    if what == 3:
        number = draw.choice([0.5, 2, -1.25])
        return lambda ts: ts[i] * number + 1, shape
    if what == 4 and shape:
        d, keep = draw.randrange(len(shape)), draw.random() < 0.5
        name = draw.choice(["sum", "mean", "amax", "amin"])
        left = shape[:d] + ((1,) if keep else ()) + shape[d + 1 :]
        return lambda ts: getattr(torch, name)(ts[i], d, keep), left
    if what == 5 and len(shape) == 2:
        return lambda ts: ts[i].t() * 0.5 + ts[i].t(), shape[::-1]
    if what == 6 and len(shape) == 2:
        return lambda ts: ts[i] @ ts[i].t(), (shape[0], shape[0])
    if what >= 9 and shape:
        return random_look(draw, i, shape) if what < 12 else random_layer(draw, i, shape)
    if what == 7:

        def written(ts: list[Any]) -> Any:
            t = ts[i].clone()
            t.add_(1)
            if t.ndim:
                t[0] *= 2
            return t

        return written, shape
    return lambda ts: torch.where(ts[i] > 0, ts[i], ts[i] * 0.1), shape


def random_look(draw: random.Random, i: int, shape: Any) -> tuple[Callable[[list[Any]], Any], Any]:
    """A view of tensor `i`, or several tensors made of its parts, used in arithmetic."""
    d, n = draw.randrange(len(shape)), shape[0]
    what = draw.randrange(8)
    if what >= 6:
        at = torch.randint(0, shape[d], shape if what == 6 else (5,))
        if what == 6:
            return lambda ts: ts[i].gather(d, at) - 1, shape
        return lambda ts: ts[i].index_select(d, at) * 2, (*shape[:d], 5, *shape[d + 1 :])
    if what == 0:
        start, step = draw.randrange(n), draw.choice([1, 2])
        return lambda ts: ts[i][start::step] * 2, (len(range(start, n, step)), *shape[1:])
    if what == 1:
        row = draw.randrange(shape[d])
        return lambda ts: ts[i].select(d, row) + 1, shape[:d] + shape[d + 1 :]
    if what == 2:
        return lambda ts: ts[i].unsqueeze(d).expand(*shape[:d], 3, *shape[d:]) * 0.5, (*shape[:d], 3, *shape[d:])
    if what == 3:
        return lambda ts: torch.cat([ts[i], ts[i] - 1], d), (*shape[:d], 2 * shape[d], *shape[d + 1 :])
    if what == 4:
        return lambda ts: torch.stack([*ts[i].unbind(d)], d).reshape(-1) + 1, (int(np.prod(shape)),)
    return lambda ts: ts[i].max(d)[0] - ts[i].min(d)[0], shape[:d] + shape[d + 1 :]


def random_layer(draw: random.Random, i: int, shape: Any) -> tuple[Callable[[list[Any]], Any], Any]:
    """What is several nests: a function along a dimension, or a write into part of a copy."""
    d, what, n = draw.randrange(len(shape)), draw.choice(LAYERS), shape[-1]
    if what in ("softmax", "log_softmax"):
        return lambda ts: getattr(torch, what)(ts[i], d), shape
    if what == "gelu":
        return lambda ts: torch.nn.functional.gelu(ts[i]), shape
    if what == "normalized":
        return lambda ts: torch.nn.functional.layer_norm(ts[i], (n,)) if n > 1 else ts[i] * 1, shape

    def cumulative(ts: list[Any]) -> Any:
        t = ts[i] * 1
        for k in range(1, min(shape[d], 4)):
            t.select(d, k).add_(t.select(d, k - 1))
        return t

    return cumulative, shape


def _broadcasts(a: Any, b: Any) -> bool:
    try:
        np.broadcast_shapes(a, b)
    except ValueError:
        return False
    return True


def run_program(inputs: list[Any], steps: list[Any]) -> list[Any]:
    tensors = list(inputs)
    for step in steps:
        tensors.append(step(tensors))
    return tensors[len(inputs) :]


def differs(inputs: list[Any], steps: list[Any], patch: Any) -> str | None:
    """How interpreter and machine code disagree, or None; or what ran once and what the automaton knows."""
    expected, found, _ = compiled(lambda: run_program(inputs, steps), patch)
    fresh_automaton()
    again = [np.array(t.numpy()) for _ in range(2) for t in run_program(inputs, steps)]
    try:
        assert_same(expected, found)
        assert_same(expected * 2, again, 1e-15)
    except AssertionError as failure:
        return str(failure)
    return None


@pytest.mark.parametrize("kind", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("block", range(40))
def test_random_programs(kind: torch.dtype, block: int, monkeypatch: Any) -> None:
    for seed in range(block * 25, block * 25 + 25):
        inputs, steps = random_program(seed, kind)
        failure = differs(inputs, steps, monkeypatch)
        while failure and len(steps) > 1 and differs(inputs, steps[:-1], monkeypatch):
            steps = steps[:-1]  # shrink: operations only read earlier ones
        assert failure is None, f"seed {seed}, {len(steps)} operations: {failure}"


def ulps(found: np.ndarray, exact: np.ndarray) -> float:
    """The largest error in units of the last place of float32."""
    rounded = np.abs(exact).astype(np.float32)
    unit = np.spacing(np.maximum(rounded, np.finfo(np.float32).tiny)).astype(np.float64)
    return float(np.max(np.abs(found - exact) / unit))


@pytest.mark.parametrize(
    ("name", "low", "high"), [("exp", -80, 88), ("tanh", -9, 9), ("log", 1e-30, 1e3), ("log1p", -0.99, 50)]
)
def test_functions_are_within_two_units_in_the_last_place(name: str, low: float, high: float, monkeypatch: Any) -> None:
    x = torch.linspace(low, high, 100_001)
    _, (found, _), made = compiled(lambda: [getattr(torch, name)(x), x * 1], monkeypatch)
    assert made[0].segments, made[0].reasons
    assert ulps(found, getattr(np, name)(x.numpy().astype(np.float64))) <= 2


@pytest.mark.parametrize("name", ["exp", "tanh", "log", "log1p", "sigmoid", "relu", "abs"])
def test_the_edges_of_float32(name: str, monkeypatch: Any) -> None:
    x = torch.tensor([0.0, -0.0, float("inf"), -float("inf"), float("nan"), 1e-42, -1.0, 3e38, -3e38, 200.0, -200.0])
    expected, found, _ = compiled(lambda: [getattr(torch, name)(x), x * 1], monkeypatch)
    np.testing.assert_array_equal(np.isnan(found[0]), np.isnan(expected[0]))
    np.testing.assert_allclose(found[0], expected[0], rtol=3e-7, atol=1e-44)


def test_a_training_step_is_one_function(monkeypatch: Any) -> None:
    def losses() -> list[torch.Tensor]:
        torch.manual_seed(0)
        layers = torch.nn.Linear(1, 10), torch.nn.Sigmoid(), torch.nn.Linear(10, 10), torch.nn.ReLU()
        model = torch.nn.Sequential(*layers, torch.nn.Linear(10, 1))
        optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
        x, y = torch.randn(50, 1), torch.randn(50, 1)
        made = []
        for _ in range(10):
            optimizer.zero_grad()
            loss = torch.nn.functional.mse_loss(model(x), y)
            loss.backward()
            optimizer.step()
            made.append(loss.detach())
        return [torch.stack([torch.tensor(v.item()) for v in made]), *model.parameters()]

    expected, found, programs = compiled(losses, monkeypatch)
    assert_same(expected, found, 1e-4)
    largest = max(programs, key=lambda p: len(p.program.calls))
    assert len(largest.segments) == 1
    assert sum(isinstance(s, native.Call) for s in largest.steps) == 0


def test_a_number_that_is_a_result(monkeypatch: Any) -> None:
    def numbers() -> list[torch.Tensor]:
        return [torch.zeros(()).fill_(3), torch.full((), 2.5), torch.ones(2)]

    expected, found, made = compiled(numbers, monkeypatch)
    assert made[0].segments
    assert_same(expected, found)


def test_long_sums_stay_accurate(monkeypatch: Any) -> None:
    x = torch.rand(1_000_000)
    _, (total, _), _ = compiled(lambda: [(x * 1).sum(), x * 1], monkeypatch)
    np.testing.assert_allclose(total, x.numpy().astype(np.float64).sum(), rtol=2e-6)


def test_a_layout_that_differs_is_interpreted(monkeypatch: Any) -> None:
    monkeypatch.setattr(native.Segment, "run", lambda self, *_: None)
    x = torch.randn(4, 5)
    expected, found, made = compiled(lambda: [torch.exp(x) * 2, (x + 1).sum()], monkeypatch)
    assert made and made[0].segments
    assert_same(expected, found)


@pytest.mark.parametrize("width", [16, 32, 64])
def test_every_vector_width_is_valid_code(width: int, monkeypatch: Any) -> None:
    import llvmlite.binding as llvm

    x = torch.randn(9, 11)
    programs = compiled(lambda: [torch.tanh(x @ x.t()).sum(1), torch.exp(x).mean(), x > 0], monkeypatch)[2]
    text = planning.PlannedProgram(programs[0].program, width).text()
    module = llvm.parse_assembly(text)
    module.verify()
    assert f"<{width // 4} x float>" in text


def test_arm_code_is_made(monkeypatch: Any) -> None:
    import llvmlite.binding as llvm

    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    x = torch.randn(9, 11)
    programs = compiled(lambda: [torch.tanh(x @ x.t()).sum(1), torch.exp(x).mean()], monkeypatch)[2]
    module = llvm.parse_assembly(planning.PlannedProgram(programs[0].program, 16).text())
    target = llvm.Target.from_triple("aarch64-unknown-linux-gnu").create_target_machine(cpu="generic", opt=2)
    assert "fmla" in target.emit_assembly(module)


# ---------------------------------------------------------------------------------------------------------------------
# The cache, and when to compile

STEP = """
import rushlight as torch
x = torch.arange(12.0).reshape(3, 4)
for _ in range(6):
    y = (torch.exp(-x) * x + 1).sum()
    print(f"{y.item():.5f}")
"""


def run_step(**environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", STEP], env={**os.environ, **environment}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert not done.stderr
    return done.stdout


def test_modes_and_the_cache(tmp_path: Any) -> None:
    folder = tmp_path / "objects"
    plain = run_step(RUSHLIGHT_COMPILE="0", RUSHLIGHT_CACHE=str(folder))
    assert not folder.exists()
    assert run_step(RUSHLIGHT_COMPILE="sync", RUSHLIGHT_CACHE=str(folder)) == plain
    entries = list(folder.glob("*.o"))
    assert entries and not list(folder.glob("*.part"))
    assert run_step(RUSHLIGHT_COMPILE="1", RUSHLIGHT_CACHE=str(folder)) == plain


@pytest.mark.parametrize("damage", ["truncated", "empty", "noise"])
def test_a_damaged_entry_is_made_again(damage: str, tmp_path: Any) -> None:
    plain = run_step(RUSHLIGHT_COMPILE="sync", RUSHLIGHT_CACHE=str(tmp_path))
    entries = list(tmp_path.glob("*.o"))
    whole = {p: p.read_bytes() for p in entries}
    for path, content in whole.items():
        path.write_bytes({"truncated": content[:100], "empty": b"", "noise": b"\x00" * len(content)}[damage])
    assert run_step(RUSHLIGHT_COMPILE="sync", RUSHLIGHT_CACHE=str(tmp_path)) == plain
    assert {p: p.read_bytes() for p in entries} == whole


def test_an_entry_under_another_name_is_made_again(tmp_path: Any) -> None:
    """Another module's function has the same name, but not the same arguments."""
    plain = run_step(RUSHLIGHT_COMPILE="sync", RUSHLIGHT_CACHE=str(tmp_path))
    whole = {p: p.read_bytes() for p in sorted(tmp_path.glob("*.o"))}
    assert len(whole) > 1
    for path, content in zip(whole, reversed(list(whole.values())), strict=True):
        path.write_bytes(content)
    assert run_step(RUSHLIGHT_COMPILE="sync", RUSHLIGHT_CACHE=str(tmp_path)) == plain
    assert {p: p.read_bytes() for p in whole} == whole


@pytest.mark.parametrize("home", ["somewhere", "~"])
def test_nobody_s_cache_is_nowhere(home: str, tmp_path: Any, monkeypatch: Any) -> None:
    monkeypatch.delenv("RUSHLIGHT_CACHE")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", home)
    monkeypatch.chdir(tmp_path)
    path = cache.cache_folder() / "entry.o"
    cache.keep(path, b"x")
    assert cache.kept(path) is None and not list(tmp_path.iterdir())


def test_what_is_computed_while_python_ends_is_interpreted(tmp_path: Any) -> None:
    last = STEP + """
class Last:
    def __del__(self):
        print(float((torch.ones(3) * 2 + 1).sum()))
last = Last()
"""
    environment = {**os.environ, "RUSHLIGHT_COMPILE": "sync", "RUSHLIGHT_CACHE": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", last], env=environment, capture_output=True, text=True)
    assert (done.stderr, done.stdout.splitlines()[-1]) == ("", "9.0")


def test_a_cache_that_cannot_be_written(tmp_path: Any) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    assert run_step(RUSHLIGHT_COMPILE="sync", RUSHLIGHT_CACHE=str(blocked)) == run_step(RUSHLIGHT_COMPILE="0")
    assert blocked.read_text() == "not a folder"


def test_a_full_disk_leaves_nothing_behind(tmp_path: Any, monkeypatch: Any) -> None:
    def full(*paths: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(cache.os, "replace", full)
    cache.keep(tmp_path / "entry.o", b"x" * 100)
    assert not list(tmp_path.iterdir())


def test_a_process_killed_while_it_writes(tmp_path: Any) -> None:
    dying = "import os, signal\nos.replace = lambda *paths: os.kill(os.getpid(), signal.SIGKILL)\n" + STEP
    environment = {**os.environ, "RUSHLIGHT_COMPILE": "sync", "RUSHLIGHT_CACHE": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", dying], env=environment, capture_output=True)
    assert done.returncode < 0
    left = list(tmp_path.glob("*.part"))
    assert left and not list(tmp_path.glob("*.o"))
    os.utime(left[0], (0, 0))  # long ago
    plain = run_step(RUSHLIGHT_COMPILE="0")
    assert run_step(RUSHLIGHT_COMPILE="sync", RUSHLIGHT_CACHE=str(tmp_path)) == plain
    assert list(tmp_path.glob("*.o")) and not list(tmp_path.glob("*.part"))


def test_processes_that_compile_the_same(tmp_path: Any) -> None:
    environment = {**os.environ, "RUSHLIGHT_COMPILE": "sync", "RUSHLIGHT_CACHE": str(tmp_path)}
    command = [sys.executable, "-W", "error", "-c", STEP]
    running = [subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    answers = {p.communicate()[0] for p in running}
    assert answers == {run_step(RUSHLIGHT_COMPILE="0")}
    for path in tmp_path.glob("*.o"):
        assert cache.kept(path) is not None


def test_a_processor_that_nobody_knows(tmp_path: Any) -> None:
    unknown = """
import llvmlite.binding as llvm
llvm.get_host_cpu_name = lambda: "generic"
llvm.get_host_cpu_features = lambda: llvm.FeatureMap()
from rushlight.codegen import processor
processor.TOLD = "/dev/null"
"""
    environment = {**os.environ, "RUSHLIGHT_COMPILE": "sync", "RUSHLIGHT_CACHE": str(tmp_path)}
    command = [sys.executable, "-W", "error", "-c", unknown + STEP]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert (done.stdout, done.stderr) == (run_step(RUSHLIGHT_COMPILE="0"), "")


def test_the_cache_is_bounded(tmp_path: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(cache, "MAX_CACHE", 250)
    for k in range(5):
        cache.keep(tmp_path / f"{k}.o", b"x" * 100)
    cache.bound(tmp_path)
    assert sum(p.stat().st_size for p in tmp_path.glob("*.o")) <= 250


def test_two_threads_link_at_the_same_time(tmp_path: Any, monkeypatch: Any) -> None:
    """`explain` links while the background thread makes the random numbers, for instance."""
    monkeypatch.setenv("RUSHLIGHT_CACHE", str(tmp_path))
    here, failures = machine.machine(), []

    def link(letter: str) -> None:
        for k in range(40):
            name = f"answer_{letter}{k}"
            try:
                here.link(f"define i32 @{name}() {{\n  ret i32 {k}\n}}\n", [name])
            except RuntimeError as failure:
                failures.append(failure)

    with background.quick_turns():
        threads = [threading.Thread(target=link, args=(letter,)) for letter in "abcd"]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
    assert failures == []


def test_a_compiler_that_fails_costs_no_answer(monkeypatch: Any) -> None:
    def broken(self: Any, codes: list[bytes], names: list[str], imports: Any) -> Any:
        raise OSError("no memory for code")

    monkeypatch.setattr(machine.Machine, "callables", broken)
    x = torch.ones(3)
    with pytest.warns(UserWarning, match="could not compile"):
        expected, found, _ = compiled(lambda: [x * 2 + 1, (x + 3).sum()], monkeypatch)
    assert_same(expected, found)


def test_torch_compile_is_a_function(monkeypatch: Any) -> None:
    monkeypatch.setattr(Program, "patience", 3)
    monkeypatch.setattr(background, "MODE", "1")
    double = torch.compile(lambda x: x * 2)
    assert Program.patience == 1
    assert double(torch.ones(3)).tolist() == [2.0] * 3
    model = torch.compile(torch.nn.Linear(2, 1), mode="max-autotune")
    assert set(model.state_dict()) == {"_orig_mod.weight", "_orig_mod.bias"}


@pytest.mark.skipif(trace.EAGER, reason="one operation at a time is no program")
def test_torch_compile_does_not_compile_without_end(monkeypatch: Any) -> None:
    """Where every step is another program, only so many are compiled at their first run."""
    asked: list[Any] = []
    beside = background.Background()
    monkeypatch.setattr(beside, "_start", lambda: None)
    monkeypatch.setattr(beside, "_asked", asked.append)
    monkeypatch.setattr(beside, "_wait_for_loading", lambda done: beside.events.get()())
    monkeypatch.setattr(background, "BACKGROUND", beside)
    monkeypatch.setattr(background, "MODE", "1")
    monkeypatch.setattr(background, "PROMISED", 4)
    monkeypatch.setattr(Program, "patience", 3)
    monkeypatch.setattr(Program, "compiler", beside.request)
    square = torch.compile(lambda x: (x * x + 1).sum())
    for n in range(3, 13):
        found = square(torch.ones(n)).item()
        assert found == 2 * n
    assert len(asked) == 4 and Program.patience == 3
    for _ in range(4):
        square(torch.ones(3)).item()
    assert len(asked) == 4


def test_torch_compile_changes_nothing_without_a_compiler(monkeypatch: Any) -> None:
    monkeypatch.setattr(Program, "patience", 3)
    monkeypatch.setattr(background, "MODE", "0")
    torch.compile(lambda x: x)
    assert Program.patience == 3
