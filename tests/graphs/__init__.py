"""A generator of valid graphs: random programs out of every family of operations, and what becomes of them.

A `Graph` is a list of `Step`s, each a function of earlier results; `drawn(seed)` draws one.  Steps are tried while they
are drawn, with the interpreter, so that what has no meaning, or numbers that run away, never get into a graph.  A graph
runs in one of three ways (`Graph.way`): forwards; with gradients of every leaf; or as a few turns of training, whose
parameters an optimizer moves, some of whose results outlive their turn and some of whose shapes differ from turn to
turn.  `families.py` says what steps there are, `judging.py` when two answers differ, and makes a failing graph smaller.

`python -m graphs 0 1000` in this folder's parent goes through seeds and prints the small graphs that fail.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

import rushlight

WAYS = "forward", "gradient", "training"
OPTIMIZERS: dict[str, dict[str, Any]] = {
    "SGD": {"lr": 0.05}, "Adam": {"lr": 0.01}, "AdamW": {"lr": 0.01, "amsgrad": True},
    "RMSprop": {"lr": 0.01, "momentum": 0.5}, "Adagrad": {"lr": 0.05}, "Adadelta": {}, "NAdam": {"lr": 0.01},
    "RAdam": {"lr": 0.01}, "Adamax": {"lr": 0.01}, "ASGD": {"lr": 0.05}, "Rprop": {"lr": 0.01},
}  # fmt: skip
TURNS = 3
LARGEST, MOST = 1e3, 6000  # a number in a graph, and how many of them a result may have


@dataclass(frozen=True)
class Step:
    """One call.

    Attributes:
        family: what it is, for people.
        reads: the steps whose results it is called with.
        call: `(torch, *results) -> tensor`.
        leaf: whether it makes an input, which is made once and trained.
        writes: whether it changes one of its operands.
    """

    family: str
    reads: tuple[int, ...]
    call: Callable[..., Any]
    leaf: bool = False
    writes: bool = False


@dataclass(frozen=True)
class Graph:
    """A program: its steps, and how it is run (`way`, and what trains it)."""

    seed: int
    kind: str
    way: str
    optimizer: str
    steps: tuple[Step, ...]

    def without(self, k: int) -> Graph:
        """The same with neither step `k` nor whatever reads its result."""
        gone, places, left = {k}, {}, []
        for at, step in enumerate(self.steps):
            if at in gone or gone.intersection(step.reads):
                gone.add(at)
            else:
                places[at] = len(left)
                left.append(replace(step, reads=tuple(places[r] for r in step.reads)))
        return replace(self, steps=tuple(left))

    def told(self) -> str:
        """What a person wants to know of it."""
        lines = [f"  {k}: {step.family} {step.reads or ''}" for k, step in enumerate(self.steps)]
        how = self.way if self.way != "training" else f"training with {self.optimizer}"
        return "\n".join([f"seed {self.seed}, {self.kind}, {how}:", *lines])


class Draw:
    """A graph that is being drawn: its choices, and what its results are so far."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.seed = seed
        self.kind = self.random.choice(["float32"] * 5 + ["float64"] * 4 + ["bfloat16", "float16"])
        self.way = self.random.choice(WAYS)
        self.steps: list[Step] = []
        self.results: list[Any] = []

    def pick(self, fits: Callable[[Any], bool]) -> int:
        """The number of a result that fits; raises ValueError if there is none."""
        found = [k for k, x in enumerate(self.results) if fits(x)]
        if not found:
            raise ValueError("nothing fits")
        return self.random.choice(found[-6:] if self.random.random() < 0.6 else found)

    def floating(self, *dims: int) -> int:
        """A floating-point result with one of so many dimensions, or any."""
        return self.pick(lambda x: x.is_floating_point() and (not dims or x.ndim in dims))

    def add(self, step: Step) -> int:
        """Tries a step, and keeps it; raises whatever it raises."""
        result = step.call(rushlight, *[self.results[r] for r in step.reads])
        if not isinstance(result, rushlight.Tensor) or result.numel() > MOST or result.is_complex():
            raise ValueError("a result of another kind")
        seen = result.detach()
        if result.is_floating_point() and result.numel() and not bool((seen.abs() < LARGEST).all()):
            raise ValueError("numbers run away")
        self.steps.append(step)
        self.results.append(result)
        return len(self.steps) - 1

    def leaf(self, shape: tuple[int, ...], scale: float = 1.0) -> int:
        """A new input of floating-point numbers."""
        seed, kind, tracked = self.random.randrange(1 << 30), self.kind, self.way != "forward"

        def made(t: Any) -> Any:
            numbers = np.random.RandomState(seed).standard_normal(shape) * scale
            return t.tensor(numbers.tolist(), dtype=getattr(t, kind)).reshape(shape).requires_grad_(tracked)

        return self.add(Step(f"leaf {shape}", (), made, leaf=True))


def drawn(seed: int) -> Graph:
    """The graph of a seed."""
    from .families import FAMILIES, START

    rushlight.manual_seed(seed)
    draw = Draw(seed)
    for _ in range(draw.random.randint(1, 3)):
        START(draw)
    wanted = draw.random.randint(3, 14)
    names = list(FAMILIES)
    for _ in range(4 * wanted):
        before = len(draw.steps)
        try:
            FAMILIES[draw.random.choice(names)](draw)
        except (ValueError, RuntimeError, IndexError, TypeError, NotImplementedError):
            del draw.steps[before:], draw.results[before:]
        if len(draw.steps) >= wanted:
            break
    optimizer = draw.random.choice(list(OPTIMIZERS))
    return Graph(seed, draw.kind, draw.way, optimizer, tuple(draw.steps))


Noise = Callable[[Any, Any], Any]  # (torch, a result) -> the same, but for its last digit


def ran(t: Any, graph: Graph, noise: Noise | None = None) -> list[Any]:
    """What a graph gives on the tensors of `t`: its results as arrays, or the error that it raises."""
    t.manual_seed(graph.seed)
    try:
        found = _trained(t, graph, noise) if graph.way == "training" else _once(t, graph, noise)
        return [_array(t, x) for x in found]
    except (RuntimeError, ValueError, IndexError) as error:
        return [type(error).__name__]


def _array(t: Any, x: Any) -> np.ndarray:
    x = x.detach()
    return np.array((x.float() if x.dtype in (t.bfloat16, t.float16) else x).numpy())


def _called(t: Any, graph: Graph, leaves: dict[int, Any], noise: Noise | None) -> list[Any]:
    """All steps once."""
    results: list[Any] = []
    for k, step in enumerate(graph.steps):
        if k in leaves:
            results.append(leaves[k])
            continue
        result = step.call(t, *[results[r] for r in step.reads])
        if noise is not None and not step.writes and not any(result is r for r in results):
            result = noise(t, result)
        results.append(result)
    return results


def _loss(t: Any, results: list[Any]) -> Any:
    floats = [r for r in results if r.is_floating_point() and r.numel()]
    return sum(((r.float() if r.dtype != t.float64 else r).square().mean() for r in floats), t.zeros(()))


def _leaves(t: Any, graph: Graph, noise: Noise | None) -> dict[int, Any]:
    made = {k: step.call(t) for k, step in enumerate(graph.steps) if step.leaf}
    if noise is not None:
        made = {k: noise(t, x.detach()).requires_grad_(x.requires_grad) for k, x in made.items()}
    return made


def _once(t: Any, graph: Graph, noise: Noise | None) -> list[Any]:
    leaves = _leaves(t, graph, noise)
    results = _called(t, graph, leaves, noise)
    if graph.way == "forward":
        return results
    loss = _loss(t, results)
    if loss.requires_grad:
        loss.backward()
    grads = [x.grad for x in leaves.values() if x.grad is not None]
    return [*results, loss, *grads]


def _trained(t: Any, graph: Graph, noise: Noise | None) -> list[Any]:
    """A few turns; what is kept of a turn must be the same at the end."""
    leaves = _leaves(t, graph, noise)
    if not leaves:
        return _called(t, graph, leaves, noise)
    optimizer = getattr(t.optim, graph.optimizer)(list(leaves.values()), **OPTIMIZERS[graph.optimizer])
    kept, choose = [], random.Random(graph.seed)
    for turn in range(TURNS):
        optimizer.zero_grad(set_to_none=turn % 2 == 0)
        results = _called(t, graph, leaves, noise)
        loss = _loss(t, results)
        if loss.requires_grad:
            loss.backward()
            optimizer.step()
        kept += [loss, choose.choice(results)]
        if choose.random() < 0.5:
            loss.item()
    return [*(x.detach() for x in kept), *results, *leaves.values()]
