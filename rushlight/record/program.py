"""The NumPy interpreter: a recorded program as a list of kernel calls.

`build` takes the Steps of a State and the slots still wanted, drops what is dead, and decides once for each call which
operands to cast, which arrays to free afterwards and which operand may be overwritten.  `Program.run` then fills the
slots.
This is the specification of every operation; the compiler must agree with it.

Half-precision operands are widened to float32 and results rounded once, as PyTorch's kernels do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from sys import getrefcount
from time import monotonic
from typing import TYPE_CHECKING, Any

import numpy as np

from rushlight.core import blas
from rushlight.core.dtype import bfloat16, float16
from rushlight.core.memory import told

from .spec import Spec

if TYPE_CHECKING:
    from .operation import Operation
    from .state import Step
    from .value import Value

HALF = 10.0  # seconds after which the time spent on a program counts half
FLOAT32 = np.dtype("float32")
ndarray = np.ndarray
ALONE = 4  # references to an array in a slot, while its kernel is about to run
Runner = Callable[[Sequence[Any]], Sequence[np.ndarray]]


class Call:
    """One kernel call: where its operands come from, what to do to them, where its results go."""

    __slots__ = (
        "casts",
        "copies",
        "dtype",
        "frees",
        "inputs",
        "keywords",
        "large",
        "operation",
        "output",
        "outputs",
        "shape",
        "specs",
        "step",
    )

    def __init__(self, step: Step, frees: tuple[int, ...], donates: bool) -> None:
        self.step = step
        self.operation = step.op
        self.keywords = step.attributes
        self.large = step.kind.large
        self.inputs = step.inputs
        self.outputs = step.outputs
        self.specs = step.specs
        self.casts = step.casts
        self.copies = step.op.overwrites and not donates  # the first operand is still needed: write into a copy
        self.frees = frees
        self.output = step.outputs[0] if step.single and not step.specs[0].wrapped else -1
        self.dtype = step.specs[0].numpy if step.specs else None
        self.shape = step.specs[0].shape if self.output >= 0 else None  # None: `store` sorts it out

    def prepare(self, operands: list[Any]) -> None:
        """Casts the operands as the kernel wants them, and copies the one that it will overwrite."""
        if self.casts is not None:
            for i, to in self.casts:
                operands[i] = _cast(operands[i], to)
        if self.copies:
            operands[0] = np.array(operands[0], order="K", copy=True)

    def store(self, result: Any, slots: list[Any]) -> None:
        """Puts the kernel's results into their slots, in the dtypes of their Specs."""
        for slot, array, spec in zip(self.outputs, (result,) if self.step.single else result, self.specs, strict=True):
            slots[slot] = _checked(array, spec, self.step)


class Program:
    """A list of calls over numbered slots.

    `faster` is another way to run the same program, once the compiler has made one; `runs` tells it when to begin, and
    `spent` and `seen` what is worth compiling first.
    """

    __slots__ = ("__weakref__", "calls", "faster", "homes", "live", "runs", "seen", "spent")
    compiler: Callable[[Program], None] | None = None  # called when a program runs for the `patience`-th time
    patience = 3
    known: Callable[[Program], None] | None = None  # called one time sooner: perhaps it has been compiled before
    give_way: Callable[[Program], None] | None = None  # called before a program runs while the compiler is at work
    interpreting: Callable[[int], None] | None = None  # told how many calls are interpreted, while somebody counts them

    def __init__(self, calls: list[Call], live: tuple[int, ...]) -> None:
        self.calls = calls
        self.live = live
        self.runs = 0
        self.homes: dict[int, int] = {}  # of results that update an input: the input's slot
        self.faster: Runner | None = None
        self.spent = 0.0  # seconds that the interpreter took for it, where what is long ago counts less
        self.seen = 0.0  # when it was last interpreted

    @property
    def came_again(self) -> bool:
        """Whether it has run more often than twice, once before it was made."""
        return self.faster is not None or self.runs > 2

    def run(self, values: Sequence[Any]) -> Sequence[np.ndarray]:
        """The arrays of the live slots, from the realised Values and numbers among `values`."""
        give_way = Program.give_way  # once: the compiling thread sets it to None
        if self.faster is not None:
            if give_way is not None:
                give_way(self)
            return self.faster(values)
        self.runs += 1
        ask = self._asked()
        if ask is not None:
            ask(self)
            if self.faster is not None:
                return self.faster(values)
        if give_way is not None:
            give_way(self)
        if Program.interpreting is not None:
            Program.interpreting(len(self.calls))
        start = monotonic()
        found = self.interpret(values, True)
        self.spent = self.spent_by(start) + monotonic() - start
        self.seen = start
        return found

    def _asked(self) -> Callable[[Program], None] | None:
        """Who is told that it runs once more."""
        if self.runs == Program.patience:
            return Program.compiler
        return Program.known if self.runs == Program.patience - 1 else None

    def spent_by(self, now: float) -> float:
        """Seconds that the interpreter took for it, each half as much after every `HALF` that have passed since."""
        return self.spent * 0.5 ** ((now - self.seen) / HALF) if self.spent else 0.0

    def interpret(self, values: Sequence[Any], free: bool = False) -> list[np.ndarray]:
        """Runs the kernels on arrays, one after the other."""
        slots = arrays_of(values)
        with Interpreting():
            why = run_calls(self.calls, slots, free)
        return self.collect(slots, values, why)

    def collect(self, slots: list[Any], values: Sequence[Any], why: Exception | None = None) -> list[np.ndarray]:
        """The arrays of the live slots, laid out as promised; raises `Unfinished` where a call failed."""
        arrays = [_laid_out(slots[i], values[i]) for i in self.live]
        if why is not None:
            raise Unfinished(why, arrays)
        return arrays


UNKNOWN = Program([], ())  # stands for one that is recorded for the first time, and is not made


class Interpreting:
    """While kernels run: NumPy does not warn of numbers, and its BLAS does not wake its threads for little."""

    __slots__ = ("_errors", "_threads")

    def __enter__(self) -> None:
        self._errors = np.errstate(all="ignore")
        self._errors.__enter__()
        self._threads = blas.use(1)

    def __exit__(self, *failure: Any) -> None:
        blas.use(self._threads)
        self._errors.__exit__(*failure)


def arrays_of(values: Sequence[Any]) -> list[Any]:
    """The arrays and numbers of realised Values, by slot."""
    return [None if v is None else getattr(v, "buf", v) for v in values]


class Failed:
    """Stands in the slot of what could not be computed, and says why."""

    __slots__ = ("why",)

    def __init__(self, why: Exception) -> None:
        self.why = why


class Unfinished(Exception):
    """A call failed. What does not depend on it is computed all the same; `arrays` has a `Failed` for what does."""

    def __init__(self, why: Exception, arrays: list[Any]) -> None:
        self.why = why
        self.arrays = arrays


def run_calls(calls: Sequence[Call], slots: list[Any], free: bool = False) -> Exception | None:
    """Runs calls in order; with `free`, lets go of arrays as soon as nobody reads them.

    Where one fails the others are made all the same, which were called before anybody knew. Returns the first error.
    """
    try:
        for call in calls:
            execute(call, slots)
            if free:
                for i in call.frees:
                    slots[i] = None
    except Exception as failure:
        why = fail(call, slots, failure)
        go_on(calls[calls.index(call) + 1 :], slots)
        return why
    return None


def go_on(calls: Sequence[Call], slots: list[Any]) -> None:
    """Runs the calls that need nothing that failed."""
    for call in calls:
        missing = next((slots[i] for i in call.inputs if i is not None and slots[i].__class__ is Failed), None)
        if missing is not None:
            fail(call, slots, missing.why)
            continue
        try:
            execute(call, slots)
        except Exception as another:
            fail(call, slots, another)


def fail(call: Call | Step, slots: list[Any], failure: Exception) -> Exception:
    """Notes that a call has no results; returns why."""
    why: Any = told(failure)
    for i in call.outputs:
        slots[i] = Failed(why)
    return why  # type: ignore[no-any-return]


def execute(call: Call, slots: list[Any]) -> None:
    """Runs one kernel on the slots."""
    operands = [None if i is None else slots[i] for i in call.inputs]
    if call.casts is not None or call.copies:
        call.prepare(operands)
    if call.large:
        result = _run_large(call.operation, operands, call.keywords)
    else:
        result = call.operation.run(*operands, **call.keywords)
    if result.__class__ is ndarray and result.dtype is call.dtype and result.shape == call.shape:
        slots[call.output] = result
    else:
        call.store(result, slots)


def _run_large(operation: Operation, operands: list[Any], keywords: dict[str, Any]) -> Any:
    """Runs a kernel whose products, if it makes any, are worth threads."""
    threads = blas.use(blas.allowed())
    try:
        return operation.run(*operands, **keywords)
    finally:
        blas.use(threads)


def run_once(
    steps: Sequence[Step], values: Sequence[Any], live: tuple[int, ...], donated: tuple[int, ...]
) -> list[np.ndarray]:
    """The arrays of the live slots, by a program that may never run again: what `build` and `interpret` would do."""
    give_way = Program.give_way
    if give_way is not None:
        give_way(UNKNOWN)
    if Program.interpreting is not None:
        Program.interpreting(len(steps))
    slots, why = arrays_of(values), None
    with Interpreting():
        for step, last in _in_turn(steps, live):
            operands = [None if i is None else slots[i] for i in step.inputs]
            try:
                if why is not None:
                    _look_for_failed(operands)
                _compute(step, operands, slots, last, donated)
            except Exception as failure:
                failed = fail(step, slots, failure)
                why = why or failed
            for i in last:
                slots[i] = None
    arrays = [_laid_out(slots[i], values[i]) for i in live]
    if why is not None:
        raise Unfinished(why, arrays)
    return arrays


def _look_for_failed(operands: list[Any]) -> None:
    """Raises what has stopped an operand from being computed."""
    for x in operands:
        if x.__class__ is Failed:
            raise x.why


def _in_turn(steps: Sequence[Step], live: tuple[int, ...]) -> Iterator[tuple[Step, list[int]]]:
    """The Steps that the live slots need, in order, each with the slots that no later one reads."""
    needed, found = set(live), []
    for step in reversed(steps):
        if needed.isdisjoint(step.outputs) and not step.kind.op.effects:
            continue
        last = [i for i in step.inputs if i is not None and i not in needed]
        needed.update(last)
        found.append((step, last))
    return reversed(found)


def _compute(step: Step, operands: list[Any], slots: list[Any], last: list[int], donated: tuple[int, ...]) -> None:
    """Runs one kernel; the operand that it overwrites is a copy, unless nobody else has it any more."""
    kind = step.kind
    if kind.casts is not None:
        for i, to in kind.casts:
            operands[i] = _cast(operands[i], to)
    if kind.op.overwrites:
        at = step.inputs[0]
        array = operands[0]
        if at not in last or array.base is not None or getrefcount(array) > ALONE + (at in donated):
            operands[0] = np.array(array, order="K", copy=True)
    if kind.large:
        result = _run_large(kind.op, operands, kind.attributes)
    else:
        result = kind.op.run(*operands, **kind.attributes)
    if not step.single:
        for slot, array, spec in zip(step.outputs, result, kind.specs, strict=True):
            slots[slot] = _checked(array, spec, step)
    elif result.__class__ is ndarray and result.dtype is kind.spec.numpy and result.shape == kind.spec.shape and (
        not kind.spec.wrapped
    ):
        slots[step.slot] = result
    else:
        slots[step.slot] = _checked(result, kind.spec, step)


def _checked(array: Any, spec: Spec, step: Step) -> Any:
    if spec.wrapped:
        return array.item() if isinstance(array, (np.ndarray, np.generic)) else array
    if array.__class__ is not np.ndarray:
        array = np.asarray(array)
    if array.dtype is not spec.numpy:
        array = array.astype(spec.numpy)
    if array.shape != spec.shape:
        raise AssertionError(f"{step.op.name}: the kernel made shape {array.shape}, its shape rule {spec.shape}")
    return array


def _cast(operand: Any, to: np.dtype) -> Any:
    if isinstance(operand, np.ndarray):
        return operand.astype(to)
    return np.asarray(operand).astype(to)[()]


def casts(op: Operation, compute: Any, specs: tuple[Any, ...]) -> list[tuple[int, np.dtype]] | None:
    """Which operands to convert: to the dtype the kernel computes in, and half precision to float32."""
    if op.exact and compute is None:
        return None
    target = None
    if compute is not None:
        target = FLOAT32 if _half(compute) else compute.numpy
    found = []
    for i, spec in enumerate(specs):
        if spec is None:
            continue
        if target is not None and (spec.numpy is not target or spec.wrapped):
            found.append((i, target))
        elif target is None and not spec.wrapped and _half(spec.dtype):
            found.append((i, FLOAT32))
    return found or None


def _half(dtype: Any) -> bool:
    return dtype is float16 or dtype is bfloat16


def _laid_out(array: Any, value: Value) -> Any:
    """The array with the strides that its Spec promises."""
    spec = value.spec
    if spec.wrapped or array.__class__ is Failed:
        return array  # a number, or nothing
    if array.flags.c_contiguous and spec.is_contiguous:
        return array
    if all(n == 1 or a == b for n, a, b in zip(spec.shape, array.strides, spec.byte_strides, strict=True)):
        return array
    if value.root is not None:
        return array  # a look into its root's memory: NumPy's strides are the true ones
    order = sorted(range(spec.ndim), key=lambda d: -spec.strides[d])
    fresh = np.empty([spec.shape[d] for d in order], spec.numpy).transpose(np.argsort(order))
    if array.size and any(s == 0 for s in spec.strides):
        return array
    fresh[...] = array
    return fresh


def build(steps: list[Step], live: tuple[int, ...], donated: tuple[int, ...]) -> Program:
    """The calls that the live slots need, in order."""
    needed = set(live)
    kept: list[Step] = []
    for step in reversed(steps):
        if step.op.effects or not needed.isdisjoint(step.outputs):
            kept.append(step)
            needed.update(i for i in step.inputs if i is not None)
    kept.reverse()
    last, source = _last_uses(kept, live)
    made = {slot for step in kept for slot in step.outputs}
    calls = []
    for at, step in enumerate(kept):
        frees = tuple([i for i in step.inputs if i in made and last[i] == at])
        target = source.get(step.inputs[0], step.inputs[0]) if step.inputs else None
        may = step.op.overwrites and (target in made or target in donated) and last.get(target) == at
        calls.append(Call(step, frees, bool(may)))
    return Program(calls, live)


def _last_uses(steps: list[Step], live: tuple[int, ...]) -> tuple[dict[int, int], dict[int | None, int]]:
    """The last call that reads each slot, through any array that may share its memory; live slots are never done.

    Also, for a slot whose array may be (a view of) another slot's, which one that is.
    """
    source: dict[int | None, int] = {}
    for step in steps:
        if (step.op.aliases or step.op.overwrites) and step.inputs and step.inputs[0] is not None:
            for slot in step.outputs:
                source[slot] = source.get(step.inputs[0], step.inputs[0])
    last: dict[int, int] = {}
    for at, step in enumerate(steps):
        for i in step.inputs:
            if i is not None:
                last[i] = last[source.get(i, i)] = at
    for i in live:
        last[i] = last[source.get(i, i)] = len(steps)
    return last, source
