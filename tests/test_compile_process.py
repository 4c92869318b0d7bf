"""The compiler's process: what it is told and answers, that it comes and goes unnoticed, and what the cache knows.

Most of these are programs of their own, run with a cache of their own: a process, its child, and what becomes of both.
"""

from __future__ import annotations

import marshal
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
import pytest
from test_compile import compiled, fresh_automaton, own_cache, random_program, run_program  # noqa: F401

import rushlight as torch
from rushlight.codegen import (
    cache,
    description,
    dispatch,
    machine,
    modules,
    native,
    planning,
    plans,
    process,
    processor,
)
from rushlight.codegen.description import Indescribable, Unknown, described, plain, program_of, restored
from rushlight.core.dtype import bfloat16
from rushlight.ops.im2col import Geometry
from rushlight.record import trace
from rushlight.record.operation import Operation, operations
from rushlight.record.program import Call, Program
from rushlight.record.spec import spec_of
from rushlight.record.state import Step, kind_of

pytestmark = pytest.mark.skipif(
    trace.EAGER or os.name != "posix", reason="one operation at a time is no program; no such sockets"
)

# A loop that goes on until its program is native, or does not become so; it tells what it sees.
LOOP = """
import os, sys, time, signal, threading
import rushlight as torch
from rushlight.codegen.background import BACKGROUND
from rushlight.codegen import background, dispatch, process
from rushlight.record.program import Program
dispatch.FEW = 0  # no program is too small
ran = []
started = Program.run
def run(program, values):
    found = started(program, values)
    ran.append(program)
    return found
Program.run = run
x = torch.linspace(-1, 1, 300).reshape(3, 100)
def step(n=1):
    y = x
    for _ in range(n):
        y = torch.tanh(y) * 2 + x
    return y.sum().item()
def native(n=1, seconds=30):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        ran.clear()
        step(n)
        if ran and all(p.faster is not None for p in ran):
            return True
        time.sleep(0.001)
    return False
def helpers():
    return BACKGROUND.dispatch.helpers
def gone(pid, seconds=20):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            with open(f"/proc/{pid}/stat") as about:
                if about.read().rpartition(")")[2].split()[0] == "Z":
                    return True
        except OSError:
            return True
        time.sleep(0.01)
    return False
"""
if not os.path.isdir("/proc/self"):
    LOOP = LOOP.replace("def gone(pid, seconds=20):", "def gone(pid, seconds=20):\n    return True")


def ran(code: str, cache: Path, *flags: str, **environment: str) -> str:
    """What a program prints; it must print nothing else, and end well."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("RUSHLIGHT_") and k != "PYTHONWARNINGS"}
    root = str(Path(torch.__file__).parent.parent)
    done = subprocess.run(
        [sys.executable, "-W", "error", *flags, "-c", LOOP + code],
        env={**kept, "PYTHONPATH": root, "RUSHLIGHT_CACHE": str(cache), "RUSHLIGHT_COMPILE": "1", **environment},
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0 and not done.stderr, done.stderr
    return done.stdout.strip()


# ----------------------------------------------------------------------------------------------------------------------
# Descriptions


class Pair(NamedTuple):
    a: int
    b: int


@pytest.mark.parametrize(
    "value",
    [
        None, True, 1, 1.5, -0.0, 2j, "x", b"y", (1, (2.0, ())), [1, (2,)], torch.float32, torch.bool, bfloat16,
        np.dtype("int16"), Geometry((1, 1), (2, 2), (1, 1), 1), ((Geometry((1,), (2,), (1,)),),),
        spec_of((2, 3), torch.float32, (1, 2)), operations()["mul"], plain,
    ],
)  # fmt: skip
def test_attributes_come_back(value: Any) -> None:
    found = restored(marshal.loads(marshal.dumps(plain(value), description.VERSION)))
    assert found == value and type(found) is type(value) and repr(found) == repr(value)


@pytest.mark.parametrize("value", [object(), lambda: 1, Pair(1, 2), Pair, len, np.float32(1), np.zeros(2), {1: 2}])
def test_what_others_cannot_know_is_indescribable(value: Any) -> None:
    with pytest.raises(Indescribable):
        plain((1, (value,)))


def test_an_operation_of_somebody_else_is_indescribable() -> None:
    op = Operation("mine", lambda x: x, np.sin, None, "Mine")
    with pytest.raises(Indescribable):
        plain(op)
    with pytest.raises((Unknown, ImportError)):
        restored(["operation", "mine", "rushlight.ops.nowhere"])
    with pytest.raises(Unknown):
        restored(["operation", "mine", "rushlight.ops.matmul"])
    with pytest.raises(Unknown):
        restored(["global", "os", "remove"])


@pytest.mark.parametrize("seed", range(8))
def test_a_described_program_becomes_the_same_code(seed: int, monkeypatch: Any) -> None:
    inputs, steps = random_program(seed, torch.float32)
    made = compiled(lambda: run_program(inputs, steps), monkeypatch)[2]
    assert made
    for one in made:
        told = described(one.program)
        other = program_of(told)
        assert described(other) == told
        again = planning.PlannedProgram(other, one.vector_bytes)
        assert again.text() == one.text() and again.outline() == one.outline()


# ----------------------------------------------------------------------------------------------------------------------
# Outlines, and the cache of plans


def outlined(one: planning.PlannedProgram) -> native.NativeProgram:
    """The same, of its outline and its code only."""
    outline = marshal.loads(marshal.dumps(one.outline(), description.VERSION))
    other = native.NativeProgram.outlined(one.program, outline)
    other.take([s.function for s in one.segments])
    return other


@pytest.mark.parametrize("seed", range(8))
def test_an_outlined_program_gives_the_same_bits(seed: int, monkeypatch: Any) -> None:
    inputs, steps = random_program(50 + seed, torch.float32)
    _, wanted, _ = compiled(lambda: run_program(inputs, steps), monkeypatch)
    made: list[native.NativeProgram] = []
    start = native.NativeProgram.run

    def run(self: native.NativeProgram, values: Any) -> Any:
        made.append(outlined(self))
        return start(made[-1], values)

    monkeypatch.setattr(native.NativeProgram, "run", run)
    _, found, _ = compiled(lambda: run_program(inputs, steps), monkeypatch)
    assert made
    for a, b in zip(wanted, found, strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_plan_is_remembered_and_forgotten_with_its_code(monkeypatch: Any) -> None:
    x = torch.ones(30)
    (one,) = compiled(lambda: [torch.tanh(x) * 2 + x], monkeypatch)[2]
    here = machine.machine()
    parts = modules.Modules(here, at_once=True)
    parts.follow(one.printer, one.functions)
    parts.link(one.entries, lambda code: None)
    key = plans.key_of(described(one.program), here)
    plans.remember(key, one.outline(), parts)
    plan = plans.recall(key, here)
    assert plan is not None and plan.careful and plan.outline == one.outline()
    other = native.NativeProgram.outlined(one.program, plan.outline)
    other.take(here.callables(*plan.code))
    (folder,) = [cache.cache_folder()]
    (file,) = folder.glob(f"{key}.plan")
    for careful, _ in parts.keys:
        (folder / f"{careful}.o").unlink()
    assert plans.recall(key, here) is None
    file.write_bytes(file.read_bytes()[:-3])
    assert plans.recall(key, here) is None
    assert plans.recall(plans.key_of(b"another", here), here) is None


# ----------------------------------------------------------------------------------------------------------------------
# What is compiled first


class Nobody:
    """Stands for a process that answers nothing."""

    def __init__(self, received: Any) -> None:
        self.received, self.sent, self.jobs = received, list[Any](), dict[int, dispatch.Job]()
        self.awaited: list[Any] = []
        self.planning: int | None = None
        self.ready, self.left, self.ended = True, False, False

    def send(self, *message: Any) -> None:
        self.sent.append(message)

    def end(self, all_of_it: bool = True) -> None:
        self.ended = True


@pytest.fixture
def given(monkeypatch: Any) -> Iterator[dispatch.Dispatch]:
    monkeypatch.setattr(process, "Process", Nobody)
    monkeypatch.setattr(processor, "processors", lambda: 2)
    monkeypatch.setattr(dispatch, "FEW", 0)
    monkeypatch.setenv("RUSHLIGHT_CACHE", "/nowhere")
    here: list[dispatch.Job] = []
    made = dispatch.Dispatch(lambda work: work(), here.append, False)
    made.compiled_here = here  # type: ignore[attr-defined]
    yield made


def step_of(size: int) -> Step:
    spec = spec_of((size,), torch.float32)
    return Step(kind_of(operations()["exp"], (), (spec,), ()), (0,), 1)


def job(spent: float, ago: float = 0.0) -> tuple[Program, dispatch.Job]:
    program = Program([Call(step_of(1000), (), False)], ())
    program.spent, program.seen, program.runs = spent, time.monotonic() - ago, 3
    made = dispatch.Job(program)
    made.description, made.key = str(spent).encode(), str(spent)
    return program, made


def described_so_far(given: dispatch.Dispatch) -> list[float]:
    return [float(m[2]) for helper in given.helpers for m in helper.sent]  # type: ignore[attr-defined]


def test_what_most_time_is_spent_on_comes_first(given: dispatch.Dispatch, monkeypatch: Any) -> None:
    kept = [job(0.1), job(0.2), job(0.5), job(0.3), job(0.6, ago=5.0), job(9.0, ago=60.0)]
    for _, one in kept:
        given.add(one)
    assert described_so_far(given) == [0.1]  # one at a time
    forgotten = kept.pop(2)[1]
    assert forgotten.program() is None
    (helper,) = given.helpers
    while helper.planning is not None:
        given._told(helper, ("planned", helper.planning, (), (), (), ()))
    assert described_so_far(given) == [0.1, 0.6, 0.3, 0.2]  # 0.6 of five seconds ago is 0.42
    assert kept[-1][0].runs == Program.patience - 1  # it has not been run for long: it asks anew


def test_no_more_wait_than_there_is_room_for(given: dispatch.Dispatch, monkeypatch: Any) -> None:
    monkeypatch.setattr(dispatch, "MOST", 3)
    kept = [job(k / 10) for k in range(1, 9)]
    for _, one in kept:
        given.add(one)
    assert len(given.jobs) == 3
    assert [p.runs for p, _ in kept] == [3, *[Program.patience - dispatch.AGAIN] * 4, 3, 3, 3]


def test_a_loop_waits_for_what_it_spends_most_time_on(given: dispatch.Dispatch) -> None:
    (_, one), (_, two), (_, three) = kept = [job(0.5), job(0.3), job(0.3)]
    given.add(one)
    assert given.awaited() is one and kept
    given.helpers[0].ready = False
    assert given.awaited() is None  # it would wait for a process to start
    given.helpers[0].ready = True
    given.add(two)
    assert given.awaited() is one
    given.add(three)
    assert given.awaited() is None


def test_more_processors_more_processes(given: dispatch.Dispatch, monkeypatch: Any) -> None:
    monkeypatch.setattr(processor, "processors", lambda: 16)
    kept = [job(k / 10) for k in range(1, 9)]
    for _, one in kept:
        given.add(one)
    assert len(given.helpers) == 2 and len(given.jobs) == 6


def test_processes_that_end_before_their_time(given: dispatch.Dispatch) -> None:
    (_, one), (_, two) = kept = [job(0.1), job(0.2)]
    given.add(one)
    given.add(two)
    first = given.helpers[0]
    given._told(first, None)  # killed over the first
    (second,) = given.helpers
    assert first.ended and second is not first and one.tries == 1  # type: ignore[attr-defined]
    given._told(second, None)
    given._told(given.helpers[0], None)
    assert given.here_only and not given.helpers and {one.tries, two.tries} == {1, 2}
    assert [j.tries for j in given.compiled_here] == [1] and len(kept) == 2  # type: ignore[attr-defined]


def test_a_program_that_failed_is_done_with(given: dispatch.Dispatch, recwarn: pytest.WarningsRecorder) -> None:
    _, one = kept = job(0.1)
    given.add(one)
    (helper,) = given.helpers
    number = next(iter(helper.jobs))
    given._told(helper, ("failed", number, "too hard"))
    given._told(helper, ("finished", number))  # its modules, some of which had been compiled
    assert len(recwarn) == 1 and "too hard" in str(recwarn[0].message) and not helper.jobs and kept


def test_a_process_that_does_not_start_is_the_last(given: dispatch.Dispatch) -> None:
    _, one = kept = job(0.1)
    given.add(one)
    helper = given.helpers[0]
    helper.ready = False
    given._told(helper, None)
    assert given.here_only and given.compiled_here == [one] and kept  # type: ignore[attr-defined]


def test_a_process_of_another_version_is_not_used(given: dispatch.Dispatch) -> None:
    _, one = kept = job(0.1)
    given.add(one)
    helper = given.helpers[0]
    given._told(helper, ("hello", "another"))
    assert helper.ended and given.here_only  # type: ignore[attr-defined]
    given._told(helper, None)
    assert given.compiled_here == [one] and kept  # type: ignore[attr-defined]


def test_what_is_small_or_cannot_be_described_is_compiled_here(given: dispatch.Dispatch, monkeypatch: Any) -> None:
    kept = [job(0.1), job(0.2), job(0.3)]
    kept[0][1].key = ""
    given.add(kept[0][1])
    monkeypatch.setattr(dispatch, "FEW", 1)
    assert dispatch.Job(Program([Call(step_of(1 << 18), (), False)], ())).small
    assert not dispatch.Job(Program([Call(step_of(1 << 19), (), False)], ())).small
    assert not dispatch.Job(Program([Call(step_of(1), (), False)] * 99, ())).small
    given.add(kept[1][1])
    assert given.compiled_here == [kept[0][1], kept[1][1]] and not given.helpers  # type: ignore[attr-defined]
    given.add(kept[2][1])
    assert len(given.helpers) == 1


def test_the_cache_is_asked_one_run_sooner_than_the_compiler(monkeypatch: Any) -> None:
    told: list[tuple[str, int]] = []
    monkeypatch.setattr(Program, "patience", 3)
    monkeypatch.setattr(Program, "known", lambda program: told.append(("known", program.runs)))
    monkeypatch.setattr(Program, "compiler", lambda program: told.append(("compile", program.runs)))
    fresh_automaton()
    x = torch.ones(3)
    for _ in range(6):
        (x * 2 + 1).sum().item()
    assert told == [("known", 2), ("compile", 3)]


def test_time_spent_long_ago_counts_less() -> None:
    program = Program([], ())
    program.spent, program.seen = 8.0, 100.0
    assert program.spent_by(100.0) == 8.0 and program.spent_by(130.0) == 1.0


# ----------------------------------------------------------------------------------------------------------------------
# Programs of their own


def test_native_by_the_process_and_then_without_one(tmp_path: Path) -> None:
    code = "a = step(); print(native(), bool(helpers()), step() == a or abs(step() - a) < 1e-3)"
    assert ran(code, tmp_path) == "True True True"
    deadline = time.monotonic() + 30
    while not list(tmp_path.glob("*.plan")) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert len(list(tmp_path.glob("*.plan"))) == 1
    assert ran("print(native(), bool(helpers()))", tmp_path) == "True False"


def test_two_programs_and_the_process_killed_between(tmp_path: Path) -> None:
    code = (
        "print(native(1))\npid = helpers()[0].pid\nos.kill(pid, signal.SIGKILL)\nprint(gone(pid), native(2), "
        "helpers()[0].pid != pid, native(3))"
    )
    assert ran(code, tmp_path) == "True\nTrue True True True"


def test_killed_in_the_middle(tmp_path: Path) -> None:
    code = """
for _ in range(5): step(30)
while not (helpers() and helpers()[0].planning is not None): time.sleep(0.001)
pid = helpers()[0].pid
os.kill(pid, signal.SIGKILL)
print(native(30))
"""
    assert ran(code, tmp_path) == "True"


def test_without_a_process(tmp_path: Path) -> None:
    for code in ("sys.executable = ''", "sys.executable = '/bin/false'", "sys.frozen = True",
                 "process.START = 'import sys; sys.exit(3)'"):  # fmt: skip
        folder = tmp_path / str(abs(hash(code)))
        assert ran(f"{code}\nprint(native(), bool(helpers()))", folder) == "True False"
    assert ran("print(native(), bool(helpers()))", tmp_path / "x", RUSHLIGHT_COMPILE="thread") == "True False"


def test_neither_the_users_folder_nor_his_environment_matter(tmp_path: Path, monkeypatch: Any) -> None:
    (tmp_path / "random.py").write_text("raise SystemExit('mine')")
    (tmp_path / "queue.py").write_text("raise SystemExit('mine')")
    code = f"""
from rushlight.codegen import native as loaded, plans
os.chdir({str(tmp_path)!r})
sys.path.insert(0, '')
print(native(), bool(helpers()))
"""
    assert ran(code, tmp_path / "cache", PYTHONSTARTUP="/nowhere", PYTHONHASHSEED="1") == "True True"


def test_ctrl_c_reaches_the_program_only(tmp_path: Path) -> None:
    code = """
native()
pid = helpers()[0].pid
try:
    os.killpg(os.getpgrp(), signal.SIGINT)
    time.sleep(5)
except KeyboardInterrupt:
    print("interrupted")
os.kill(pid, signal.SIGINT)
print(native(2), helpers()[0].pid == pid)
"""
    done = subprocess.run(
        [sys.executable, "-c", LOOP + code], start_new_session=True, capture_output=True, text=True, timeout=120,
        env={**os.environ, "PYTHONPATH": str(Path(torch.__file__).parent.parent), "RUSHLIGHT_COMPILE": "1",
             "RUSHLIGHT_CACHE": str(tmp_path)},
    )  # fmt: skip
    assert done.stdout == "interrupted\nTrue True\n" and not done.stderr, done.stderr


def test_the_process_goes_with_its_parent(tmp_path: Path) -> None:
    for end in ("", "os.kill(os.getpid(), signal.SIGKILL)", "os._exit(0)"):
        code = (
            "for _ in range(9): step(9)\nwhile not helpers(): time.sleep(0.01)\n"
            f"print(helpers()[0].pid, flush=True)\n{end}"
        )
        done = subprocess.run(
            [sys.executable, "-c", LOOP + code], capture_output=True, text=True, timeout=60,
            env={**os.environ, "PYTHONPATH": str(Path(torch.__file__).parent.parent), "RUSHLIGHT_COMPILE": "1",
                 "RUSHLIGHT_CACHE": str(tmp_path / end[:4])},
        )  # fmt: skip
        assert not done.stderr, done.stderr
        pid, deadline = int(done.stdout), time.monotonic() + 20
        while time.monotonic() < deadline and os.path.isdir(f"/proc/{pid}"):
            time.sleep(0.01)
        assert not os.path.isdir(f"/proc/{pid}")


def test_idle_the_process_leaves_and_another_comes(tmp_path: Path) -> None:
    code = """
process.START = process.START.replace("main()", "from rushlight.codegen import server; server.IDLE = 1.0; main()")
print(native())
pid = helpers()[0].pid
print(gone(pid), native(2))
"""
    assert ran(code, tmp_path) == "True\nTrue True"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_the_child_of_a_fork_has_a_process_of_its_own(tmp_path: Path) -> None:
    code = """
print(native(), flush=True)
pid = helpers()[0].pid
child = os.fork()
if not child:
    fine = not helpers() and native(3) and helpers()[0].pid != pid
    os._exit(0 if fine else 1)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), native(4), helpers()[0].pid == pid)
"""
    assert ran(code, tmp_path, "-W", "ignore::DeprecationWarning") == "True\n0 True True"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_fork_waits_for_llvm(tmp_path: Path) -> None:
    """Its lock, held by a thread that the child has not, would be held there for ever."""
    code = """
from llvmlite.binding.ffi import lib
native()
ready, done = threading.Event(), []
def at_work():
    with background.emission(), lib._lock:
        ready.set()
        time.sleep(0.5)
        done.append(True)
threading.Thread(target=at_work).start()
ready.wait()
child = os.fork()
if not child:
    os._exit(0 if done and native(3) else 1)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), native(4))
"""
    assert ran(code, tmp_path, "-W", "ignore::DeprecationWarning") == "0 True"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_process_that_ends_may_fork(tmp_path: Path) -> None:
    """In a handler that comes after ours, which keeps LLVM's lock."""
    code = """
import atexit, os
def last():
    child = os.fork()
    if not child:
        os._exit(7)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
atexit.register(last)
"""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code + LOOP + "print(native())"],
        capture_output=True, text=True, timeout=60,
        env={**os.environ, "PYTHONPATH": str(Path(torch.__file__).parent.parent), "RUSHLIGHT_COMPILE": "1",
             "RUSHLIGHT_CACHE": str(tmp_path)},
    )  # fmt: skip
    assert done.stdout == "True\n7\n", done.stderr


def test_functions_of_the_interpreter_are_made_by_the_process(tmp_path: Path) -> None:
    code = """
made = []
from rushlight.codegen import general
here = general.text
def text(*asked):
    made.append(asked)
    return here(*asked)
general.text = text
def wait():
    end = time.monotonic() + 60
    while len(BACKGROUND.general) < len(background.GENERAL) and time.monotonic() < end:
        time.sleep(0.01)
    return len(BACKGROUND.general) == len(background.GENERAL)
BACKGROUND.expecting = True
BACKGROUND.interpreting(background.TIRED + 1)
print(wait(), made, len(helpers()))
"""
    assert ran(code, tmp_path) == "True [] 1"
    assert ran(code, tmp_path) == "True [] 0"  # they are in the cache


def test_functions_that_the_process_could_not_make_are_made_here(tmp_path: Path) -> None:
    code = """
process.START = "import sys; sys.exit(3)"
BACKGROUND.expecting = True
BACKGROUND.interpreting(background.TIRED + 1)
end = time.monotonic() + 60
while len(BACKGROUND.general) < len(background.GENERAL) and time.monotonic() < end:
    time.sleep(0.01)
print(sorted(BACKGROUND.general) == sorted(background.GENERAL), native(2))
"""
    assert ran(code, tmp_path) == "True True"


def test_deterministic_algorithms_need_no_process(tmp_path: Path) -> None:
    code = "torch.use_deterministic_algorithms(True); print(native(), bool(helpers()))"
    assert ran(code, tmp_path) == "True False"


def test_what_this_process_alone_knows_is_compiled_by_it(tmp_path: Path) -> None:
    code = """
from rushlight.codegen import description
def indescribable(*_): raise description.Indescribable("mine")
description.plain = indescribable
print(native())
"""
    assert ran(code, tmp_path) == "True"


def test_a_small_program_is_compiled_here_while_the_process_starts(
    given: dispatch.Dispatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that has only been started is later than this one, which then has nothing in the cache to show."""
    monkeypatch.setattr(dispatch, "FEW", 2)
    given.prepare()
    given.helpers[0].ready = False
    small: Any = SimpleNamespace(small=True, native=None, key="k")
    given.add(small)
    assert given.compiled_here == [small] and not given.jobs  # type: ignore[attr-defined]
    given.helpers[0].ready = True
    assert not given.is_small(small)
