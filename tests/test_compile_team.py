"""Several threads: the same bits for any number of them, after a fork, and under several threads of Python.

`divided` lowers what a kernel must cost, so that the small programs of test_compile.py are run by the team as well.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from test_compile import assert_same, compiled, fresh_automaton, own_cache, random_program, run_program

import rushlight as torch
from rushlight.codegen import imports, native, parallel, team
from rushlight.codegen.loops import Lowered
from rushlight.codegen.relayout import Copy
from rushlight.record import trace

pytestmark = pytest.mark.skipif(trace.EAGER or os.name != "posix", reason="needs recorded programs and POSIX threads")
__all__ = ["own_cache"]
COUNTS = (1, 2, 5)


@pytest.fixture
def divided(monkeypatch: Any) -> Iterator[None]:
    """Every kernel that falls into units is given to the team."""
    before = torch.get_num_threads()
    monkeypatch.setattr(parallel, "KERNEL", 0.0)
    monkeypatch.setattr(parallel, "FUNCTION", 0.0)
    yield
    torch.set_num_threads(before)


def with_threads(f: Callable[[], list[Any]], patch: Any) -> tuple[list[Any], list[list[Any]], Any]:
    """The interpreter's answers, and those of machine code for each number of threads."""
    answers, programs = [], []
    for count in COUNTS:
        torch.set_num_threads(count)
        expected, found, made = compiled(f, patch)
        answers.append(found)
        programs = made
    return expected, answers, programs


def assert_same_bits(answers: list[list[Any]]) -> None:
    for other in answers[1:]:
        for a, b in zip(answers[0], other, strict=True):
            assert a.tobytes() == b.tobytes()


@pytest.mark.parametrize("kind", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("block", range(5))
def test_random_programs_on_several_threads(kind: torch.dtype, block: int, divided: None, monkeypatch: Any) -> None:
    for seed in range(block * 20, block * 20 + 20):
        inputs, steps = random_program(seed, kind)
        expected, answers, _ = with_threads(lambda i=inputs, s=steps: run_program(i, s), monkeypatch)  # type: ignore[misc]
        assert_same(expected, answers[0])
        assert_same_bits(answers)


NESTS: dict[str, Callable[[Any], list[Any]]] = {
    "pointwise": lambda x: [torch.tanh(x) * 2 + 1],
    "sum of all": lambda x: [(x * x).sum(), x * 2],
    "sum of rows": lambda x: [(x * 3).sum(1), x + 1],
    "sum of columns": lambda x: [(x * 3).sum(0), x + 1],
    "both sums": lambda x: [(x * 3).sum(0), (x * 3).sum(1), (x * 3).sum()],
    "extremes": lambda x: [(x * 3).amax(0), (x * 3).amin(1), (x * x).amax()],
    "softmax": lambda x: [torch.softmax(x, 1)],
    "product": lambda x: [x @ x.t(), (x @ x.t()).sum(0)],
    "transposed": lambda x: [x.t() * 2 + x.t(), x.t().sum(0)],
}


@pytest.mark.parametrize("shape", [(1, 7), (7, 1), (17, 33), (33, 17), (100, 64), (64, 1000), (3, 20000)], ids=str)
@pytest.mark.parametrize("name", NESTS)
def test_nests_on_several_threads(name: str, shape: Any, divided: None, monkeypatch: Any) -> None:
    if name == "product" and shape[1] > 1000:
        shape = (90, 70)
    for kind in (torch.float32, torch.float64):
        x = torch.randn(shape, dtype=kind)
        expected, answers, _ = with_threads(lambda x=x: NESTS[name](x), monkeypatch)  # type: ignore[misc]
        assert_same(expected, answers[0], 1e-4 if kind is torch.float32 else None)
        assert_same_bits(answers)


POSITIONS: dict[str, Callable[[Any, Any], list[Any]]] = {
    "embedding": lambda x, i: list(torch.autograd.grad(torch.nn.functional.embedding(i, x).tanh().sum(), x)),
    "index_add": lambda x, i: [(x * 0.5).index_add(0, i, torch.tanh(x)), (x * 2).index_add(0, i, x, alpha=0.3)],
    "scatter_add rows": lambda x, i: [x.exp().scatter_add(0, i[:, None].expand(x.shape), x * 3)],
    "scatter_add columns": lambda x, i: [x.exp().scatter_add(1, (i % x.shape[1])[:, None].expand(x.shape), x * 3)],
    "index_copy": lambda x, i: [(x + 1).index_copy(0, i, x.sin())],
    "index_put": lambda x, i: [(x + 1).index_put((i,), x.cos(), accumulate=True)],
}


@pytest.mark.parametrize("shape", [(40, 270), (300, 3), (64, 400)], ids=str)
@pytest.mark.parametrize("name", POSITIONS)
def test_what_is_added_at_positions(name: str, shape: tuple[int, int], divided: None, monkeypatch: Any) -> None:
    """Units own columns, and go through all positions, many of them equal, in order."""
    x = torch.linspace(-2, 2, shape[0] * shape[1]).reshape(shape).requires_grad_(name == "embedding")
    at = (torch.arange(shape[0]) * 7) % (shape[0] // 3)
    expected, answers, made = with_threads(lambda: POSITIONS[name](x, at), monkeypatch)
    assert_same(expected, answers[0])
    assert_same_bits(answers)
    entries = [s.entry for p in made for s in p.segments]
    adding = [k for e in entries for k, apart in zip(e.kernels, e.divided, strict=True) if apart and added(k)]
    assert adding or shape == (300, 3)  # three numbers are one vector


def added(kernel: Any) -> bool:
    """Whether a kernel writes at positions."""
    return isinstance(kernel, Lowered) and bool(kernel.added)


def test_a_large_nest_is_divided_and_a_small_one_is_not(monkeypatch: Any) -> None:
    for size, want in ((1_000_000, True), (100, False)):
        x = torch.rand(size)
        _, _, made = compiled(lambda x=x: [torch.tanh(x) * 2 + x, (x * x).sum()], monkeypatch)  # type: ignore[misc]
        entry = made[0].segments[0].entry
        assert any(entry.divided) is want
        assert (imports.RUN in made[0].text().replace(f"declare void @{imports.RUN}", "")) is want


@pytest.mark.parametrize("shape", [(16, 1280), (960, 32), (20, 70)], ids=str)
def test_threads_share_what_lies_across(shape: tuple[int, int], divided: None, monkeypatch: Any) -> None:
    """Squares that are turned over, in a nest and in a copy for a product."""
    x, y = torch.randn(shape), torch.randn(shape[::-1])
    rows, weight = torch.randn(32, 784), torch.randn(400, 784)
    expected, answers, made = with_threads(lambda: [x.t() * 2 + y, rows @ weight.t()], monkeypatch)
    assert_same(expected, answers[0], 1e-4)
    assert_same_bits(answers)
    entries = [s.entry for p in made for s in p.segments]
    shared = [k for e in entries for k, apart in zip(e.kernels, e.divided, strict=True) if apart]
    assert any(isinstance(k, Copy) and k.square for k in shared)
    assert any(isinstance(k, Lowered) and k.crossed for k in shared) or max(shape) < 100


class Costs:
    """A kernel that would cost so much."""

    units = 9

    def __init__(self, microseconds: float) -> None:
        self.cost = 1000 * microseconds


def test_small_kernels_are_shared_while_the_threads_are_awake() -> None:
    large, medium, small = Costs(500), Costs(8), Costs(1)
    kernels: list[Any] = [large, medium, small, large]
    assert parallel.worthwhile(kernels) == [True, True, False, True]
    assert parallel.worthwhile([large, *[medium] * 40]) == [True, *[False] * 40]  # they may sleep meanwhile
    assert parallel.worthwhile([medium] * 9) == [False] * 9


def parallel_step() -> list[torch.Tensor]:
    x = torch.arange(60_000.0).reshape(60, 1000) / 7000
    return [torch.tanh(x * 3) + torch.exp(-x), (x * x).sum(), (x + 1).sum(0)]


@contextmanager
def native_steps(patch: Any) -> Iterator[Callable[[], list[Any]]]:
    """A step that runs as machine code on the team."""
    from rushlight.codegen import background
    from rushlight.record.program import Program

    patch.setattr(Program, "compiler", background.compile_now)
    patch.setattr(Program, "patience", 1)
    fresh_automaton()
    yield lambda: [np.array(t.numpy()) for t in parallel_step()]


def test_a_child_makes_its_own_threads(divided: None, monkeypatch: Any) -> None:
    torch.set_num_threads(3)
    with native_steps(monkeypatch) as step:
        expected = step()
        for _ in range(3):
            child = os.fork()
            if child == 0:
                same = all(a.tobytes() == b.tobytes() for a, b in zip(expected, step(), strict=True))
                os._exit(0 if same else 1)
            assert os.waitpid(child, 0)[1] == 0
        assert_same_bits([expected, step()])


def test_several_threads_of_python(divided: None, monkeypatch: Any) -> None:
    torch.set_num_threads(3)
    with native_steps(monkeypatch) as step:
        expected, answers = step(), []
        threads = [threading.Thread(target=lambda: answers.append([step() for _ in range(20)])) for _ in range(4)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
    assert len(answers) == 4
    for found in answers:
        assert_same_bits([expected, *found])


def test_callers_that_do_not_hold_the_lock_of_python() -> None:
    import ctypes

    from rushlight.codegen.machine import machine

    source = f"""
declare void @{imports.RUN}(ptr, ptr, i64)
define internal void @job(ptr %counts, i64 %thread, i64 %first, i64 %last) {{
entry:
  br label %loop
loop:
  %i = phi i64 [%first, %entry], [%j, %loop]
  %place = getelementptr i64, ptr %counts, i64 %i
  %old = load i64, ptr %place
  %new = add i64 %old, 1
  store i64 %new, ptr %place
  %j = add i64 %i, 1
  %more = icmp ult i64 %j, %last
  br i1 %more, label %loop, label %out
out:
  ret void
}}
define void @often(ptr %counts, i64 %units, i64 %times) {{
entry:
  br label %loop
loop:
  %i = phi i64 [0, %entry], [%j, %loop]
  call void @{imports.RUN}(ptr @job, ptr %counts, i64 %units)
  %j = add i64 %i, 1
  %more = icmp ult i64 %j, %times
  br i1 %more, label %loop, label %out
out:
  ret void
}}
"""
    library = machine().link(source, ["often"], {imports.RUN: team.team().address})
    often = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64)(library["often"])
    torch.set_num_threads(3)

    def count() -> None:
        for units in (1, 2, 3, 64, 1000):
            counts = np.zeros(units, np.int64)
            often(counts.ctypes.data, units, 300)
            assert (counts == 300).all()
        done.append(True)

    done: list[bool] = []
    threads = [threading.Thread(target=count) for _ in range(3)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    torch.set_num_threads(team.usual_threads())
    assert len(done) == 3


def test_pieces_of_a_range_become_smaller() -> None:
    """Whoever is through with his own helps with the rest, and that is cut small."""
    import ctypes

    from rushlight.codegen.machine import machine

    source = f"""
declare void @{imports.RUN}(ptr, ptr, i64)
define internal void @job(ptr %lengths, i64 %thread, i64 %first, i64 %last) {{
  %place = getelementptr i64, ptr %lengths, i64 %first
  %length = sub i64 %last, %first
  store i64 %length, ptr %place
  ret void
}}
define void @once(ptr %lengths, i64 %units) {{
  call void @{imports.RUN}(ptr @job, ptr %lengths, i64 %units)
  ret void
}}
"""
    library = machine().link(source, ["once"], {imports.RUN: team.team().address})
    once = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64)(library["once"])
    torch.set_num_threads(2)
    lengths = np.zeros(1280, np.int64)
    once(lengths.ctypes.data, lengths.size)
    torch.set_num_threads(team.usual_threads())
    for half in np.split(lengths, 2):
        assert list(half[half > 0]) == [150, 130, 110, 90, 70, 50, 30, 10]


def test_idle_threads_sleep(divided: None, monkeypatch: Any) -> None:
    torch.set_num_threads(4)
    with native_steps(monkeypatch) as step:
        step()
        time.sleep(0.05)
        before = time.process_time()
        time.sleep(0.3)
        assert time.process_time() - before < 0.05


PROGRAM = """
import os, sys
import rushlight as torch
from rushlight.codegen import parallel
parallel.KERNEL = parallel.FUNCTION = 0.0
print(torch.get_num_threads())
for _ in range(4):
    x = torch.arange(60_000.0).reshape(60, 1000) / 7000
    print((torch.tanh(x * 3) + torch.exp(-x)).sum(0)[::100].tolist())
"""


def run(**environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env={**os.environ, "RUSHLIGHT_COMPILE": "sync", **environment},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0 and not done.stderr, done.stderr
    return done.stdout


def test_the_process_ends_cleanly_and_the_environment_counts() -> None:
    one, several = (run(OMP_NUM_THREADS=n).splitlines() for n in ("1", "3"))
    assert (one[0], several[0]) == ("1", "3")
    assert one[1:] == several[1:]


def test_the_number_of_threads() -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(7)
    assert torch.get_num_threads() == 7
    torch.set_num_threads(before)
    with pytest.raises(RuntimeError, match="positive"):
        torch.set_num_threads(0)


def test_no_threads_without_posix() -> None:
    import llvmlite.binding as llvm

    for source in (team.text("x86_64", posix=False), team.text("x86_64-linux"), team.text("aarch64-linux")):
        llvm.parse_assembly(source).verify()


def test_segments_without_a_team_do_not_start_one(monkeypatch: Any) -> None:
    x = torch.ones(10)
    _, _, made = compiled(lambda: [x * 2 + 1, x.sum()], monkeypatch)
    assert made[0].segments and isinstance(made[0], native.NativeProgram)
    assert not any(made[0].segments[0].entry.divided)


DETERMINISTIC = """
import rushlight as torch
from rushlight.record.program import Program
started, native = Program.run, []
def run(program, values):
    result = started(program, values)
    native.append(program.faster is not None)
    return result
Program.run = run
torch.use_deterministic_algorithms(True)
x = torch.ones(300)
x.sum().item()
native.clear()
for _ in range(6):
    (torch.tanh(x) * 2 + x).sum().item()
print(native)
"""


def test_deterministic_algorithms_change_over_in_the_same_turn() -> None:
    done = subprocess.run(
        [sys.executable, "-c", DETERMINISTIC],
        env={**os.environ, "RUSHLIGHT_COMPILE": "1"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stdout == "[False, True, True, True, True]\n", done.stderr


FORKED = """
import os, sys
import rushlight
from rushlight.codegen import background
from rushlight.record.program import Program
Program.give_way = background.BACKGROUND.give_way
with background._lock:  # as while something compiles
    child = os.fork()
    if not child:
        free = background._lock.acquire(blocking=False)
        os._exit(0 if free and Program.give_way == background.BACKGROUND.prepare else 1)
    sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_child_forked_while_something_compiles_does_not_wait_for_it() -> None:
    """The compiling thread is not in the child, and its lock is never let go of there."""
    done = subprocess.run([sys.executable, "-c", FORKED], env={**os.environ, "RUSHLIGHT_COMPILE": "1"}, timeout=60)
    assert done.returncode == 0


FORKED_IN_SYNC = """
import os, sys
import rushlight as torch
from rushlight.codegen import background
with background._lock:  # as while another thread compiles
    child = os.fork()
    if not child:
        found = (torch.ones(3) * 2 + 1).sum().item()  # is compiled first
        os._exit(0 if found == 9 else 1)
    sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


def ends_well(program: str, environment: dict[str, str]) -> None:
    """A program that forks, and waits for its child: neither of them is left behind."""
    running = subprocess.Popen([sys.executable, "-c", program], env=environment, start_new_session=True)
    try:
        assert running.wait(60) == 0
    finally:
        if running.poll() is None:
            os.killpg(running.pid, signal.SIGKILL)  # the child, too


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_child_of_a_process_that_compiles_first_does_not_wait_either(tmp_path: Path) -> None:
    environment = {**os.environ, "RUSHLIGHT_COMPILE": "sync", "RUSHLIGHT_CACHE": str(tmp_path)}
    ends_well(FORKED_IN_SYNC, environment)


DRAWING = """
import os, sys, threading
import rushlight as torch
torch.rand(3).sum().item()
engine = torch.default_generator.engine
held, forked = threading.Event(), threading.Event()
def draw():
    with engine.lock:  # as in the middle of a draw
        held.set()
        forked.wait()
threading.Thread(target=draw, daemon=True).start()
held.wait()
child = os.fork()
if not child:
    torch.rand(1000).sum().item()
    os._exit(0)
forked.set()
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""

IMPORTING = """
import os, sys, threading, time
import rushlight as torch
from rushlight.codegen import background
class Slow:
    def find_spec(self, name, path, target=None):
        if name == "rushlight.codegen.modules":
            sys.meta_path.remove(self)
            import importlib.util
            spec = importlib.util.find_spec(name)
            run = spec.loader.exec_module
            def slowly(module):
                begun.set()
                time.sleep(0.5)
                run(module)
            spec.loader.exec_module = slowly
            return spec
sys.meta_path.insert(0, Slow())
begun = threading.Event()
threading.Thread(target=__import__, args=("rushlight.codegen.modules",), daemon=True).start()
begun.wait()
child = os.fork()
if not child:
    from rushlight.codegen import modules
    os._exit(0 if modules.WORKER.thread is None else 1)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.parametrize("program", [DRAWING, IMPORTING])
def test_a_child_waits_for_no_thread_that_it_does_not_have(program: str) -> None:
    environment = {**os.environ, "RUSHLIGHT_COMPILE": "1"}
    ends_well(program, environment)


EARLY = """
import os, sys
import rushlight as torch
def step():
    x = torch.ones(50, requires_grad=True)
    (x.exp() * 2).sum().backward()
    return x.grad.sum().item()
step()  # the compiler begins to be loaded
child = os.fork()
for _ in range(200):
    step()
if not child:
    os._exit(0)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_child_forked_while_the_compiler_is_loaded_has_all_of_it() -> None:
    for _ in range(3):
        environment, command = {**os.environ, "RUSHLIGHT_COMPILE": "1"}, [sys.executable, "-c", EARLY]
        done = subprocess.run(command, env=environment, timeout=60, capture_output=True, text=True)
        assert (done.returncode, done.stderr) == (0, "")


ENDING = """
import sys, time
import rushlight as torch
from rushlight.codegen import background
background.LAST = 0
x = torch.ones(8, 8)
for turn in range(4):
    y = x
    for n in range(9, 49):
        y = torch.tanh(y @ torch.ones(y.shape[1], n) / n).mT.contiguous()
    y.sum().item()
time.sleep(0.3)  # the compiling thread is in LLVM now
print("end")
sys.exit(3)
"""


@pytest.mark.parametrize("turn", range(2))
def test_a_process_may_end_while_something_compiles(turn: int, tmp_path: Path) -> None:
    """LLVM is not torn down under the compiling thread, and the exit status is the program's."""
    environment = {**os.environ, "RUSHLIGHT_COMPILE": "1", "RUSHLIGHT_CACHE": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", ENDING], env=environment, timeout=60, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (3, "end\n"), done.stderr
