"""From a run of calls to few loop nests.

`capture_run` turns calls into Symbols.  `fuse` then walks them in order and puts each into the earliest loop nest that
has its shape and comes no earlier than those of its operands; what another nest or the outside reads is stored, all
else lives in registers.  A reduction belongs to the nest of its operand's shape.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from rushlight.core.strided import contiguous_strides

from .capture import NotLowered, Symbol, broadcast, cast

if TYPE_CHECKING:
    from rushlight.record.program import Call
    from rushlight.record.spec import Spec

LEAVES = ("input", "number", "constant")
VIEWS = {
    "view",
    "t",
    "transpose",
    "permute",
    "expand",
    "unsqueeze",
    "squeeze",
    "movedim",
    "unsafe_view",
    "reshape_alias",
}


PRODUCT = (-1,)  # the "shape" of a nest that is a product of matrices: no other nest has it


class Run:
    """Consecutive calls as Symbols, by slot."""

    def __init__(self) -> None:
        self.symbols: dict[int, Symbol] = {}
        self.specs: dict[int, Spec] = {}
        self.made: dict[int, Symbol] = {}

    def operand(self, slot: int, spec: Spec) -> Symbol:
        """The Symbol in a slot; an input of the run if none of its calls made it."""
        found = self.symbols.get(slot)
        if found is None:
            kind = "number" if spec.wrapped else "input"
            found = self.symbols[slot] = Symbol(kind, (), spec.shape, spec.numpy, slot)
            self.specs[slot] = spec
        return found

    def add(self, call: Call) -> None:
        """Captures one call; raises NotLowered, and changes nothing, where it cannot."""
        step, before = call.step, set(self.symbols)
        try:
            self._capture(call)
        except (NotLowered, TypeError, AttributeError, ValueError, IndexError, NotImplementedError) as failure:
            for slot in set(self.symbols) - before:
                del self.symbols[slot]
                self.specs.pop(slot, None)
            raise NotLowered(f"{step.op.name}: {failure}") from None

    def _capture(self, call: Call) -> None:
        step = call.step
        if not step.single or step.specs[0].wrapped or step.op.overwrites:
            raise NotLowered("several results, a number, or a write in place")
        spec = step.specs[0]
        if 0 in spec.shape:
            raise NotLowered("no elements")
        operands = [
            None if slot is None else self.operand(slot, known)
            for slot, known in zip(step.inputs, step.input_specs, strict=True)
        ]
        for i, to in call.casts or ():
            operands[i] = cast(operands[i], np.dtype(to))  # type: ignore[arg-type]
        if step.op.name in VIEWS:
            result = self._view(operands, step.input_specs[0], spec)
        else:
            result = (step.op.lower or step.op.kernel)(*operands, **step.attributes)
        if not isinstance(result, Symbol):
            raise NotLowered("the kernel's answer does not depend on its operands")
        if result.shape != spec.shape:
            raise NotLowered(f"shape {result.shape} where the rule says {spec.shape}")
        result = cast(result, spec.numpy)
        slot = step.outputs[0]
        self.symbols[slot] = self.made[slot] = result
        self.specs[slot] = spec

    def _view(self, operands: list[Any], source: Spec, spec: Spec) -> Symbol:
        x = operands[0]
        if source.wrapped or len(operands) != 1 or x is None:
            raise NotLowered("a view of a number")
        if not x.shape:
            return broadcast(x, spec.shape)
        return Symbol("view", (x,), spec.shape, spec.numpy, (source, spec.strides))


class Nest:
    """One loop nest: the shape it runs over, and what it computes, in order."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.shape = shape
        self.body: list[Symbol] = []
        self.stored: list[Symbol] = []


class Buffer:
    """Where a stored Symbol lies: an argument's memory, or an offset in the arena; strides in elements."""

    def __init__(self, strides: tuple[int, ...], slot: int | None = None) -> None:
        self.strides = strides
        self.slot = slot
        self.offset = 0


def ancestors(roots: Iterable[Symbol]) -> list[Symbol]:
    """Everything the roots are made of, operands first."""
    order: list[Symbol] = []
    seen: set[Symbol] = set()
    stack = [(r, False) for r in reversed(list(roots))]
    while stack:
        x, done = stack.pop()
        if done:
            order.append(x)
        elif x not in seen:
            seen.add(x)
            stack.append((x, True))
            stack.extend((a, False) for a in x.args)
    return order


def is_uniform(x: Symbol, known: dict[Symbol, bool]) -> bool:
    """Whether it is a function of numbers alone: computed once, before the loops."""
    found = known.get(x)
    if found is None:
        leaf = x.kind in ("number", "constant")
        plain = x.shape == () and bool(x.args) and x.kind not in ("view", "reduce", "broadcast")
        found = known[x] = leaf or (plain and all(is_uniform(a, known) for a in x.args))
    return found


class Plan:
    """The loop nests of a run, and where their results lie.

    Attributes:
        nests: in the order in which they run.
        buffers: the memory of every stored Symbol.
        uniform: the Symbols that are functions of numbers alone, in order.
    """

    def __init__(self, run: Run, outputs: list[int]) -> None:
        self.run = run
        self.outputs = outputs
        self.nests: list[Nest] = []
        self.place: dict[Symbol, int] = {}
        self.buffers: dict[Symbol, Buffer] = {}
        self.uniform: dict[Symbol, None] = {}  # an ordered set
        self.arena = 0
        self._numbers: dict[Symbol, bool] = {}
        # an output that is only a look at something, or another output, or a number, is copied by a nest of its own
        self.roots: dict[int, Symbol] = {}
        for x in ancestors(run.made[slot] for slot in outputs):
            is_uniform(x, self._numbers)  # operands first, so that no chain of numbers is followed by recursion
        taken: set[Symbol] = set()
        for slot in outputs:
            x = run.made[slot]
            if x.kind in ("view", *LEAVES) or x in taken or is_uniform(x, self._numbers):
                x = Symbol("broadcast", (x,), x.shape, x.dtype)
            taken.add(x)
            self.roots[slot] = x
        order = ancestors(self.roots.values())
        for x in order:
            self._assign(x)
        self._store(order)

    def _assign(self, x: Symbol) -> None:
        if x.kind in LEAVES:
            return
        if is_uniform(x, self._numbers):
            self.uniform[x] = None
            return
        if x.kind == "view":
            return
        shape = x.args[0].shape if x.kind == "reduce" else x.shape
        if x.kind == "matmul":
            self.place[x] = len(self.nests)
            self.nests.append(Nest(PRODUCT))
            self.nests[-1].body.append(x)
            return
        earliest = max((self._after(a, shape) for a in x.args), default=0)
        for at in range(earliest, len(self.nests)):
            if self.nests[at].shape == shape:
                break
        else:
            at = len(self.nests)
            self.nests.append(Nest(shape))
        self.nests[at].body.append(x)
        self.place[x] = at

    def _after(self, x: Symbol, shape: tuple[int, ...]) -> int:
        """The first nest over `shape` that may read x."""
        source = x
        while source.kind == "view":
            source = source.args[0]
        if source not in self.place:
            return 0
        together = source is x and x.kind not in ("reduce", "matmul") and x.shape == shape
        return self.place[source] + (0 if together else 1)

    def _store(self, order: list[Symbol]) -> None:
        wanted = {x: slot for slot, x in self.roots.items()}
        for x in order:
            for a in x.args:
                at = self.place.get(a)
                crosses = x.kind in ("view", "matmul") or self.place.get(x) != at
                if at is not None and crosses and a not in self.buffers:
                    self._keep(a, wanted.get(a))
        for x, slot in wanted.items():
            if x not in self.buffers:
                self._keep(x, slot)
        for x in order:
            if x.kind in ("reduce", "matmul") and x not in self.buffers:
                self._keep(x, wanted.get(x))

    def _keep(self, x: Symbol, slot: int | None) -> None:
        strides = self.run.specs[slot].strides if slot is not None else self._natural(x)
        buffer = self.buffers[x] = Buffer(strides, slot)
        if slot is None:
            buffer.offset = self.arena
            self.arena += -(-x.size * x.dtype.itemsize // 64) * 64
        self.nests[self.place[x]].stored.append(x)

    def _natural(self, x: Symbol) -> tuple[int, ...]:
        """The strides that the views of an intermediate expect of it: those of its Spec, if it had a slot."""
        for slot, made in self.run.made.items():
            if made is x:
                return self.run.specs[slot].strides
        return contiguous_strides(x.shape)

    def memory(self, x: Symbol) -> tuple[Symbol, tuple[int, ...]]:
        """The stored Symbol whose memory x looks at, and x's strides in it."""
        if x.kind != "view":
            return x, self.run.specs[x.data].strides if x.kind == "input" else self.buffers[x].strides
        source = x.args[0]
        base, found = self.memory(source)
        if base.kind in ("number", "constant") or base in self.uniform:
            raise NotLowered("a view of a number")
        if x.data is None:
            return base, found[::-1]
        spec, strides = x.data
        if any(n > 1 and a != b for n, a, b in zip(source.shape, found, spec.strides, strict=True)):
            raise NotLowered("a view of memory laid out otherwise")
        return base, strides
