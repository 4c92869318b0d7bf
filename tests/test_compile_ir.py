"""The loop IR: its readable form, its verifier, and its interpreter beside LLVM's machine code.

`both_ways` runs a function as machine code and by the interpreter of the IR, which finds accesses outside an array and
reads of what nobody has written: the answers must agree to the bit, but for sums of lanes.
"""

from __future__ import annotations

import ctypes
import re
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from test_compile import compiled, fresh_automaton, random_program, run_program

import rushlight as torch
import rushlight.nn.functional as F
from rushlight.codegen import fuse, interpret, ir, llvm, parallel, planning, tiles, verify
from rushlight.codegen.arithmetic import Scalars
from rushlight.codegen.ir import Builder, Function, Loop, Value, When, constant
from rushlight.codegen.machine import machine
from rushlight.record import trace
from rushlight.record.program import Program

pytestmark = pytest.mark.skipif(trace.EAGER, reason="one operation at a time is no program")


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Any, monkeypatch: Any) -> Iterator[None]:
    monkeypatch.setenv("RUSHLIGHT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(Program, "compiler", None)
    yield
    fresh_automaton()


def doubled() -> Function:
    """y = 2 * x for 21 numbers, and the largest of them."""
    w = Builder()
    x, y = w.parameter("ptr", "x"), w.parameter("ptr", "y")
    vector = Scalars(w, 8)
    loop = Loop(w, 16, 8, [vector.constant(0.0, "f32")])
    value = vector.binary("mul", w.load("f32", w.at("f32", x, loop.index), 4, 8), vector.constant(2.0, "f32"))
    w.store(value, w.at("f32", y, loop.index), 4)
    loop.close([vector.extreme("ogt", value, loop.carried[0])])
    tail = w.load("f32", w.at("f32", x, 16), 4, 8, 5)
    w.store(vector.binary("add", tail, tail), w.at("f32", y, 16), 4, 5)
    w.store(loop.results[0], w.at("f32", y, 24), 4)
    w.leave()
    return w.function("doubled", [x, y])


# ---------------------------------------------------------------------------------------------------------------------
# The readable form, and LLVM's


def test_the_readable_form() -> None:
    assert str(doubled()) == """
function doubled(%x: ptr, %y: ptr):
  %v4 = for %v2 in range(0, 16, 8) carrying %v3: f32x8 = f32x8(0.0):
    %v5: ptr = at f32 %x[%v2]
    %v6: f32x8 = load %v5 align 4
    %v7: f32x8 = mul %v6, f32x8(2.0)
    %v8: ptr = at f32 %y[%v2]
    store %v7 to %v8 align 4
    %v9: boolx8 = compare ogt %v7, %v3
    %v10: f32x8 = select %v9, %v7, %v3
    %v11: boolx8 = compare uno %v7, %v7
    %v12: f32x8 = select %v11, %v7, %v10
    carry %v12
  %v13: ptr = at f32 %x[16]
  %v14: f32x8 = load %v13 align 4 first 5
  %v15: f32x8 = add %v14, %v14
  %v16: ptr = at f32 %y[16]
  store %v15 to %v16 align 4 first 5
  %v17: ptr = at f32 %y[24]
  store %v4 to %v17 align 4
  return
""".strip()  # fmt: skip


def test_branches_in_the_readable_form() -> None:
    w = Builder()
    place = w.parameter("ptr", "place")
    here = When(w, w.compare("slt", w.load("i64", place, 8), 3))
    with here:
        w.zero(place, 8)
    with here.otherwise():
        w.call("puts", "i32", place)
    (found,) = here.give([constant(1, "i64")], [constant(2, "i64")])
    w.store(found, place, 8)
    w.leave()
    f = w.function("f", [place])
    verify.function(f)
    assert [line.strip() for line in str(f).splitlines()[3:]] == [
        "%v5 = when %v2:", "zero %place, 8", "give 1", "else:", "%v4: i32 = call @puts(%place)", "give 2",
        "store %v5 to %place align 8", "return",
    ]  # fmt: skip
    body = llvm.Printer().body(f)
    assert "phi i64 [1, %when" in body and "[2, %else" in body


def test_indices_that_are_known_are_computed_at_once() -> None:
    w = Builder()
    base = w.parameter("ptr", "base")
    assert w.add(w.mul(3, 4), 5) == 17 and w.udiv(7, 2) == 3 and w.urem(7, 2) == 1 and w.min(3, w.max(4, 2)) == 3
    index = w.load("i64", base, 8)
    assert w.add(index, 0) is index and w.mul(index, 1) is index and w.sub(index, 0) is index
    assert w.at("f32", base, 0) is base


def test_only_the_printer_knows_llvm() -> None:
    words = re.compile(r"getelementptr|insertelement|\bphi\b|\bicmp\b|\bfadd\b|label %|llvm\.[a-z]+\.")
    folder = Path(ir.__file__).parent
    known = {"llvm.py", "team.py"}  # the printer, and the runtime
    assert not [p.name for p in folder.glob("*.py") if p.name not in known and words.search(p.read_text())]


def test_equal_kernels_are_one_function() -> None:
    printer = llvm.Printer()
    functions = parallel.Functions(printer.body)
    assert functions.add(doubled()) is functions.add(doubled()) and len(functions) == 1


# ---------------------------------------------------------------------------------------------------------------------
# The verifier


def two(kind: str = "f32", lanes: int = 8) -> tuple[Builder, Value, Value]:
    """A function that has loaded a vector."""
    w = Builder()
    place = w.parameter("ptr", "place")
    return w, place, w.load(kind, place, 4, lanes)


def finished(w: Builder, place: Value) -> Function:
    w.leave()
    return w.function("f", [place])


def other_kind() -> Function:
    w, place, x = two()
    w.make("add", "f32", 8, (x, constant(1.0, "f64", 8)))
    return finished(w, place)


def other_lanes() -> Function:
    w, place, x = two()
    w.make("add", "f32", 8, (x, constant(1.0, "f32", 4)))
    return finished(w, place)


def out_of_scope() -> Function:
    w, place, x = two()
    loop = Loop(w, 4)
    inner = w.make("add", "f32", 8, (x, x))
    loop.close()
    w.store(inner, place, 4)
    return finished(w, place)


def before_it_is_made() -> Function:
    w, place, x = two()
    late = w.make("add", "f32", 8, (x, x))
    w.store(late, place, 4)
    w.body.insert(0, w.body.pop())
    return finished(w, place)


def a_branch_of_its_own() -> Function:
    w, place, x = two()
    with When(w, constant(True, "bool")):
        inner = w.make("neg", "f32", 8, (x,))
    w.store(inner, place, 4)
    return finished(w, place)


def backwards() -> Function:
    w, place, _ = two()
    Loop(w, 4, -1).close()
    return finished(w, place)


def no_turn() -> Function:
    w, place, _ = two()
    Loop(w, 4, begin=4).close()
    return finished(w, place)


def carried_less() -> Function:
    w, place, x = two()
    Loop(w, 4, 1, [x]).close()
    return finished(w, place)


def stopped_by_nothing() -> Function:
    w, place, _ = two()
    Loop(w, 4, sure=False, stops=True).close()
    return finished(w, place)


def carried_otherwise() -> Function:
    w, place, x = two()
    Loop(w, 4, 1, [x]).close([constant(0.0, "f64", 8)])
    return finished(w, place)


def a_wide_mask() -> Function:
    w, place, x = two()
    w.store(x, place, 4, 9)
    return finished(w, place)


def no_address() -> Function:
    w, place, x = two()
    w.store(x, constant(16, "i64"), 4)
    return finished(w, place)


def no_alignment() -> Function:
    w, place, _ = two()
    w.load("f32", place, 3)
    return finished(w, place)


def a_lane_too_many() -> Function:
    w, place, x = two()
    w.shuffle(x, None, [0, 8])
    return finished(w, place)


def a_strange_test() -> Function:
    w, place, x = two()
    w.make("compare", "bool", 8, (x, x), "slt")
    return finished(w, place)


def a_strange_type() -> Function:
    w, place, x = two("i64", 4)
    w.make("sqrt", "i64", 4, (x,))
    return finished(w, place)


def a_strange_operation() -> Function:
    w, place, x = two()
    w.make("frobnicate", "f32", 8, (x,))
    return finished(w, place)


def no_return() -> Function:
    w, place, _ = two()
    return w.function("f", [place])


def more_after_return() -> Function:
    w, place, _ = two()
    w.leave()
    w.zero(place, 4)
    return w.function("f", [place])


def stack_in_a_loop() -> Function:
    w, place, _ = two()
    loop = Loop(w, 4)
    w.make("stack", "ptr", 1, (), 64)
    loop.close()
    return finished(w, place)


def twice() -> Function:
    w, place, x = two()
    w.body.append(x)
    return finished(w, place)


def other_size() -> Function:
    w, place, x = two()
    w.make("bitcast", "i64", 8, (x,))
    return finished(w, place)


def a_short_constant() -> Function:
    w, place, x = two()
    w.make("add", "f32", 8, (x, constant((1.0, 2.0), "f32", 8)))
    return finished(w, place)


BROKEN: dict[Callable[[], Function], str] = {
    other_kind: "f64x8(1.0) is f64 x 8, expected f32 x 8",
    other_lanes: "f32x4(1.0) is f32 x 4, expected f32 x 8",
    out_of_scope: "%v4 is not defined here",
    before_it_is_made: "%v2 is not defined here",
    a_branch_of_its_own: "%v3 is not defined here",
    backwards: "a loop goes forward, not by -1",
    no_turn: "a loop that is sure of a turn has none",
    carried_less: "1 values are carried, and 0 are carried on",
    stopped_by_nothing: "a loop that stops carries a test",
    carried_otherwise: "expected f32 x 8",
    a_wide_mask: "a mask of 9 of 8 lanes",
    no_address: "16 is i64 x 1, expected ptr x 1",
    no_alignment: "3 is no alignment",
    a_lane_too_many: "a lane that there is not",
    a_strange_test: "there is no comparison slt of f32",
    a_strange_type: "there is no sqrt of i64",
    a_strange_operation: "there is no operation frobnicate",
    no_return: "a function ends with return",
    more_after_return: "nothing follows a return",
    stack_in_a_loop: "made in no loop",
    twice: "%v1 is defined twice",
    other_size: "a bitcast keeps lanes and size",
    a_short_constant: "one number for each lane",
}


@pytest.mark.parametrize("broken", BROKEN, ids=lambda f: f.__name__)
def test_the_verifier_finds(broken: Callable[[], Function]) -> None:
    with pytest.raises(verify.Broken, match=re.escape(BROKEN[broken])) as found:
        verify.function(broken())
    assert str(found.value).startswith("f: ")


def test_the_verifier_takes_what_is_right() -> None:
    verify.function(doubled())


def test_a_broken_kernel_is_not_compiled(monkeypatch: Any) -> None:
    monkeypatch.setattr(Scalars, "fma", lambda self, a, b, c: self.writer.make("fma", "f32", 1, (a, b, c)))
    x = torch.randn(40, 40)
    with pytest.raises(verify.Broken, match="fma"):
        compiled(lambda: [x @ x + 1], monkeypatch)


# -- Plans


def a_plan(patch: Any) -> fuse.Plan:
    """The plan of two products with something between them."""
    x, w = torch.randn(30, 40), torch.randn(40, 40)
    made = compiled(lambda: [torch.tanh((torch.relu(x @ w + 1) @ w).sum(0)) * 2], patch)[2]
    return made[0].segments[0].entry.plan


def swapped(p: fuse.Plan) -> None:
    p.nests.reverse()


def stored_twice(p: fuse.Plan) -> None:
    nest = next(n for n in p.nests if n.stored)
    nest.stored.append(nest.stored[0])


def stored_elsewhere(p: fuse.Plan) -> None:
    first, last = p.nests[0], p.nests[-1]
    last.stored.append(first.stored.pop())


def not_stored(p: fuse.Plan) -> None:
    for nest in p.nests[:-1]:
        nest.stored.clear()


def never_made(p: fuse.Plan) -> None:
    del p.nests[0]


def overlapping(p: fuse.Plan) -> None:
    for buffer in p.buffers.values():
        buffer.offset = 0


def outside(p: fuse.Plan) -> None:
    p.arena = 64


def block_twice(p: fuse.Plan) -> None:
    p.memories._rows[p.memories._count] = p.memories.taken[0]
    p.memories._count += 1


def other_shape(p: fuse.Plan) -> None:
    nest = next(n for n in p.nests if n.shape != fuse.PRODUCT)
    nest.shape = (7, *nest.shape)


def other_dtype(p: fuse.Plan) -> None:
    x = next(x for n in p.nests for x in n.body if x.kind == "add")
    x.dtype = np.dtype(np.float64)


def flat(p: fuse.Plan) -> None:
    next(b for x, b in p.buffers.items() if x.ndim == 2).strides = (1,)


@pytest.mark.parametrize("tamper, why", [
    (swapped, "reads .* of nest"), (stored_twice, "is stored twice"), (stored_elsewhere, "does not make"),
    (not_stored, "no earlier nest stores"), (never_made, "which no nest makes"), (overlapping, "lies where"),
    (outside, "outside the arena"), (block_twice, "is taken twice"), (other_shape, "in a nest over"),
    (other_dtype, "is made of"), (flat, "lies in 1 dimensions"),
], ids=lambda t: getattr(t, "__name__", ""))  # fmt: skip
def test_the_verifier_of_plans_finds(tamper: Any, why: str, monkeypatch: Any) -> None:
    plan = a_plan(monkeypatch)
    verify.plan(plan, "arena")
    tamper(plan)
    with pytest.raises(verify.Broken, match=why):
        verify.plan(plan, "arena")


# ---------------------------------------------------------------------------------------------------------------------
# The interpreter


def run(f: Function, *arrays: np.ndarray, constant: int = 0) -> Any:
    """Calls a function with the memory of arrays, the first few of which are not written."""
    memories = [interpret._memory(f"array {k}", x, constant=k < constant) for k, x in enumerate(arrays)]
    return interpret.Interpreter({}).call(f, [interpret.Pointer(m) for m in memories])


def test_a_function_is_run() -> None:
    x, y = np.arange(-10, 11, dtype=np.float32), np.zeros(32, np.float32)
    run(doubled(), x, y, constant=1)
    np.testing.assert_array_equal(y[:21], 2 * x)
    np.testing.assert_array_equal(y[24:], np.maximum(0, np.maximum(2 * x[:8], 2 * x[8:16])))


@pytest.mark.parametrize("sizes, constant, why", [
    ((20, 32), 1, "bytes 64 to 84 of array 0, which has 80"),
    ((21, 31), 1, "of array 1, which has 124"),
    ((21, 32), 2, "writes to array 1"),
])  # fmt: skip
def test_the_interpreter_minds_the_ends(sizes: Any, constant: int, why: str) -> None:
    with pytest.raises(interpret.Fault, match=why):
        run(doubled(), *[np.zeros(n, np.float32) for n in sizes], constant=constant)


def test_the_interpreter_minds_what_is_not_there_yet() -> None:
    w = Builder()
    place, held = w.parameter("ptr", "place"), w.reserve(64)
    w.store(constant(1.0, "f32", 4), held, 4)
    w.store(w.load("f32", held, 4, 5), place, 4)
    f = finished(w, place)
    with pytest.raises(interpret.Fault, match="reads bytes 0 to 20 of the stack's %v1, where nothing is yet"):
        run(f, np.zeros(8, np.float32))


def test_the_interpreter_minds_alignment() -> None:
    w = Builder()
    place = w.parameter("ptr", "place")
    w.load("f32", w.at("u8", place, 2), 4)
    with pytest.raises(interpret.Fault, match="byte 2 of array 0 is not aligned to 4"):
        run(finished(w, place), np.zeros(8, np.float32))


def sums(count: int) -> Function:
    """The sum of the first `count` numbers of x, and of the even ones among them, by a loop that may have no turn."""
    w = Builder()
    x, y = w.parameter("ptr", "x"), w.parameter("ptr", "y")
    w.store(constant(count, "i64"), y, 8)
    loop = Loop(w, w.load("i64", y, 8), 1, [constant(0, "i64"), constant(0, "i64")], sure=False)
    value = w.load("i64", w.at("i64", x, loop.index), 8)
    even = When(w, w.compare("eq", w.make("and", "i64", 1, (value, 1)), 0))
    with even:
        more = w.add(loop.carried[1], value)
    (kept,) = even.give([more], [loop.carried[1]])
    loop.close([w.add(loop.carried[0], value), kept])
    for k, total in enumerate(loop.results):
        w.store(total, w.at("i64", y, k), 8)
    w.leave(constant(0, "ptr"))
    return w.function("sums", [x, y])


@pytest.mark.parametrize("count", [0, 1, 7])
def test_loops_and_branches_both_ways(count: int) -> None:
    f, printer = sums(count), llvm.Printer()
    verify.function(f)
    x, y, z = np.arange(3, 10), np.zeros(2, np.int64), np.zeros(2, np.int64)
    linked = machine().link(printer.program([], [], [(f, printer.body(f))]), ["sums"])
    ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p)(linked["sums"])(x.ctypes.data, y.ctypes.data)
    run(f, x, z, constant=1)
    assert y.tolist() == z.tolist() == [x[:count].sum(), x[:count][x[:count] % 2 == 0].sum()]


def first_zero() -> Function:
    """The place of the first 0 of x, and the sum of what stands before it."""
    w = Builder()
    x, y = w.parameter("ptr", "x"), w.parameter("ptr", "y")
    loop = Loop(w, 1 << 40, carried=[constant(False, "bool"), *[constant(0, "i64")] * 2], sure=False, stops=True)
    value = w.load("i64", w.at("i64", x, loop.index), 8)
    loop.close([w.compare("eq", value, 0), loop.index, w.add(loop.carried[2], value)])
    for k, found in enumerate(loop.results[1:]):
        w.store(found, w.at("i64", y, k), 8)
    w.leave(constant(0, "ptr"))
    return w.function("first_zero", [x, y])


@pytest.mark.parametrize("place", [0, 1, 6])
def test_a_loop_stops_both_ways(place: int) -> None:
    f, printer = first_zero(), llvm.Printer()
    verify.function(f)
    assert "perhaps until %v3 carrying %v3: bool = bool(False)" in str(f)
    x, y, z = np.arange(3, 10), np.zeros(2, np.int64), np.zeros(2, np.int64)
    x[place] = 0
    linked = machine().link(printer.program([], [], [(f, printer.body(f))]), ["first_zero"])
    call = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p)
    call(linked["first_zero"])(x.ctypes.data, y.ctypes.data)
    run(f, x, z, constant=1)
    assert y.tolist() == z.tolist() == [place, x[:place].sum()]


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_fma_is_rounded_once(kind: Any) -> None:
    draw = np.random.default_rng(0)
    a, b = (draw.normal(size=2000).astype(kind) for _ in range(2))
    c = np.where(np.arange(2000) % 2, -(a * b), draw.normal(size=2000)).astype(kind)
    exact = [Fraction(float(x)) * Fraction(float(y)) + Fraction(float(z)) for x, y, z in zip(a, b, c)]
    found = interpret._fma(a, b, c)
    step = np.spacing(np.abs(found))
    for e, v, s in zip(exact, found, step):
        assert abs(Fraction(float(v)) - e) <= Fraction(float(s)) / 2
    zero, one = np.zeros(1, kind), np.ones(1, kind)
    assert np.signbit(interpret._fma(-zero, one, -zero)) and not np.signbit(interpret._fma(zero, one, -zero))
    with np.errstate(invalid="ignore"):
        assert np.isinf(interpret._fma(one * np.inf, one, zero)) and np.isnan(interpret._fma(one, one, zero * np.nan))


def interpreted(patch: Any, parts: int, f: Callable[[], list[Any]]) -> tuple[list[Any], list[bool]]:
    """The answers of `f`, its programs run by the interpreter, and what that said of each run."""
    said: list[bool] = []

    def take(program: Program) -> None:
        made = planning.PlannedProgram(program, machine().vector_bytes, keep=True)
        for s in made.segments:
            call = interpret.Interpreted(s.entry, parts)
            s.function = lambda *objects, call=call: (said.append(call(*objects)), said[-1])[1]
        if made.segments:
            program.faster = made.run

    with patch.context() as inside:
        inside.setattr(Program, "compiler", take)
        inside.setattr(Program, "patience", 1)
        fresh_automaton()
        return [np.array(t.detach().numpy()) for t in f()], said


def both_ways(f: Callable[[], list[Any]], patch: Any, parts: int = 1, ulps: int = 0) -> None:
    """Machine code and the interpreter agree, to the bit or to some units in the last place."""
    _, wanted, made = compiled(f, patch)
    found, said = interpreted(patch, parts, f)
    assert made and said and all(said)
    for a, b in zip(wanted, found, strict=True):
        assert a.dtype == b.dtype and a.shape == b.shape
        if a.dtype.kind == "f" and ulps:
            scale = np.maximum(np.abs(a), np.abs(a).max(initial=0) * 1e-2)
            assert (np.abs(a - b) <= ulps * np.spacing(scale)).all()
        else:
            np.testing.assert_array_equal(a, b)


def numbers(*shape: int, kind: torch.dtype = torch.float32) -> torch.Tensor:
    return torch.randn(*shape, dtype=torch.float32).to(kind)


POINTWISE = ["exp", "expm1", "log1p", "tanh", "erf", "sin", "cos", "atan", "sinh", "log2", "sigmoid", "sqrt", "floor"]
PROGRAMS: dict[str, Callable[[Any], list[Any]]] = {
    "pointwise": lambda k: [numbers(3, 37, kind=k) * 2 + numbers(37, kind=k), numbers(50, kind=k) > 0],
    "where": lambda k: [torch.where(numbers(41, kind=k) > 0, numbers(41, kind=k), -numbers(1, kind=k)).abs()],
    "long sum": lambda k: [numbers(3, 700, kind=k).sum(), numbers(3, 700, kind=k).sum(1)],
    "sum over rows": lambda k: [numbers(70, 45, kind=k).sum(0), numbers(300, 3, kind=k).mean(0)],
    "extremes": lambda k: [numbers(9, 53, kind=k).amax(1), numbers(9, 53, kind=k).amin(0), numbers(99, kind=k).max()],
    "product of all": lambda k: [numbers(21, kind=k).prod()],
    "transposed": lambda k: [numbers(19, 23, kind=k).t() + numbers(23, 19, kind=k)],
    "crossed": lambda k: [(numbers(2, 5, 17, kind=k).transpose(1, 2) * numbers(2, 17, 5, kind=k)).sum(1)],
    "every second": lambda k: [numbers(7, 40, kind=k)[:, ::2] + numbers(7, 40, kind=k)[:, 1::2]],
    "every third": lambda k: [torch.stack([numbers(33, kind=k), numbers(33, kind=k) * 2, numbers(33, kind=k)], 1)],
    "reversed": lambda k: [torch.flip(numbers(4, 21, kind=k), [1]) * 2],
    "concatenated": lambda k: [torch.cat([numbers(3, 5, kind=k), numbers(3, 18, kind=k) + 1], 1) * 2],
    "gathered": lambda k: [numbers(11, 6, kind=k).gather(1, torch.arange(66).reshape(11, 6) % 6) * 2],
    "embedded": lambda k: [numbers(11, 36, kind=k)[torch.arange(7) % 5] + 1],
    "scattered": lambda k: [torch.zeros(9, 20, dtype=k).index_add(0, torch.arange(6) % 4, numbers(6, 20, kind=k)) + 1],
    "product": lambda k: [numbers(33, 21, kind=k) @ numbers(21, 50, kind=k)],
    "product, transposed": lambda k: [numbers(21, 33, kind=k).t() @ numbers(50, 21, kind=k).t()],
    "product, epilogue": lambda k: [torch.tanh(numbers(25, 9, kind=k) @ numbers(9, 40, kind=k) + numbers(40, kind=k))],
    "product of rows": lambda k: [numbers(4, 300, kind=k) @ numbers(5, 300, kind=k).t()],
    "many products": lambda k: [numbers(3, 7, 11, kind=k) @ numbers(3, 11, 20, kind=k)],
    "softmax": lambda k: [torch.softmax(numbers(6, 35, kind=k), 1), torch.log_softmax(numbers(6, 35, kind=k), 0)],
    "layer norm": lambda k: [F.layer_norm(numbers(5, 37, kind=k), (37,), numbers(37, kind=k), numbers(37, kind=k))],
    "batch norm": lambda k: [F.batch_norm(numbers(3, 5, 4, 4, kind=k), None, None, training=True)],
    "convolution": lambda k: [F.conv2d(numbers(2, 3, 9, 9, kind=k), numbers(10, 3, 3, 3, kind=k), padding=1).relu()],
    "strided convolution": lambda k: [F.conv2d(numbers(2, 8, 9, 9, kind=k), numbers(16, 4, 3, 3, kind=k), None, 2,
                                               groups=2)],
    "pooling": lambda k: [F.max_pool2d(numbers(2, 3, 9, 9, kind=k), 2), F.avg_pool2d(numbers(2, 8, 8, kind=k), 3, 2)],
}  # fmt: skip
SUMS = 8  # units in the last place: a processor may add its lanes up in another order


@pytest.mark.parametrize("kind", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("name", PROGRAMS)
def test_programs(name: str, kind: torch.dtype, monkeypatch: Any) -> None:
    def f() -> list[Any]:
        torch.manual_seed(1)
        return PROGRAMS[name](kind)

    both_ways(f, monkeypatch, ulps=SUMS)


@pytest.mark.parametrize("kind", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("name", POINTWISE)
def test_functions_to_the_bit(name: str, kind: torch.dtype, monkeypatch: Any) -> None:
    x = torch.linspace(0.01, 40, 67, dtype=kind)
    both_ways(lambda: [getattr(torch, name)(x)], monkeypatch)


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16], ids=str)
def test_half_storage(kind: torch.dtype, monkeypatch: Any) -> None:
    x = (torch.randn(3, 37) * 100).to(kind)
    both_ways(lambda: [(x.float() * 1.7).to(kind).float(), x.double() + 1, x.t().float() * 2], monkeypatch)


@pytest.mark.parametrize("kind", [torch.int64, torch.int32, torch.uint8, torch.bool], ids=str)
def test_whole_numbers(kind: torch.dtype, monkeypatch: Any) -> None:
    x, y = torch.arange(45).to(kind), (torch.arange(45) % 7 + 1).to(kind)
    both_ways(lambda: [x | y, torch.maximum(x, y), x == y, x.double() / 3], monkeypatch)
    if kind != torch.bool:
        both_ways(lambda: [x * y - 3, x << 2, x >> y, ~x, x.float().to(kind)], monkeypatch)
    if kind in (torch.int64, torch.int32):
        both_ways(lambda: [(x - 20) // y, (x - 20) % y, x.sum(), x.amax(), -x], monkeypatch)


@pytest.mark.parametrize("parts", [1, 3])
@pytest.mark.parametrize("name", ["long sum", "sum over rows", "product", "convolution", "crossed", "layer norm"])
def test_divided_kernels_in_parts(name: str, parts: int, monkeypatch: Any) -> None:
    monkeypatch.setattr(parallel, "KERNEL", 0.0)
    monkeypatch.setattr(parallel, "FUNCTION", 0.0)

    def f() -> list[Any]:
        torch.manual_seed(2)
        return PROGRAMS[name](torch.float32)

    both_ways(f, monkeypatch, parts, SUMS)


@pytest.mark.parametrize("parts", [1, 3])
def test_sums_that_wait_in_parts(parts: int, monkeypatch: Any) -> None:
    for name in ("KERNEL", "FUNCTION"):
        monkeypatch.setattr(parallel, name, 0.0)
    monkeypatch.setattr(tiles, "CACHE", 1 << 15)
    monkeypatch.setattr(tiles, "ASIDE", 1 << 12)  # several stretches a row
    left, right, old = numbers(5, 31), numbers(5, 300), numbers(31, 300)
    both_ways(lambda: [left.t() @ right * 0.5 + old, left.t() @ right[:, :141] - old[:, 7:148]], monkeypatch, parts)


def test_training_steps(monkeypatch: Any) -> None:
    def f() -> list[Any]:
        torch.manual_seed(3)
        layer, x = torch.nn.Linear(7, 20), torch.randn(9, 7)
        optimizer = torch.optim.Adam(layer.parameters(), lr=0.01)
        losses = []
        for _ in range(4):
            optimizer.zero_grad()
            loss = torch.tanh(layer(x)).square().mean()
            loss.backward()
            optimizer.step()
            losses.append(float(loss))
        return [layer.weight, layer.bias, torch.tensor(losses)]

    both_ways(f, monkeypatch, ulps=SUMS)


@pytest.mark.parametrize("name", ["LSTM", "GRU"])
def test_loops_over_sequences(name: str, monkeypatch: Any) -> None:
    def f() -> list[Any]:
        torch.manual_seed(4)
        layer, x = getattr(torch.nn, name)(6, 20), torch.randn(7, 2, 6)
        layer(x)[0].square().mean().backward()
        return [layer.weight_hh_l0.grad, layer.bias_ih_l0.grad]

    both_ways(f, monkeypatch, ulps=SUMS)


@pytest.mark.parametrize("seed", range(6))
def test_random_programs_stay_inside_their_arrays(seed: int, monkeypatch: Any) -> None:
    inputs, operations = random_program(seed, torch.float64)
    _, said = interpreted(monkeypatch, 2, lambda: run_program(inputs, operations))
    assert all(said)
