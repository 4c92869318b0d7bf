"""When two answers of a graph differ, and which small part of the graph is enough for it.

Rounding differs between interpreter and machine code, in sums and functions, and a graph can make any rounding error
large.  So answers that are not equal to a few units in the last place are held against what becomes of the
interpreter's own if each of its results is off by one such unit (`noise`): an error many times as large is no rounding.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import rushlight

from . import Graph, ran

UNIT = {"float64": 2.0**-52, "float32": 2.0**-23, "bfloat16": 2.0**-8, "float16": 2.0**-11}
CLOSE = {"float64": 1e-12, "float32": 3e-6, "bfloat16": 2.0**-7, "float16": 2.0**-10}
TIMES = 40  # so many times the effect of one unit is still rounding: sums have many terms
Answers = list[Any]
Ran = Callable[[Graph], Answers]


def noise(kind: str, seed: int) -> Callable[[Any, Any], Any]:
    """Changes a floating-point result by about a unit in the last place."""
    draw = np.random.RandomState(seed)

    def moved(t: Any, x: Any) -> Any:
        if not isinstance(x, rushlight.Tensor) or not x.is_floating_point():
            return x
        unit = UNIT[str(x.dtype).rpartition(".")[2]]
        signs = draw.choice([-1.0, 1.0], tuple(x.shape)) * unit
        return x * t.tensor((1 + signs).tolist(), dtype=t.float64).reshape(x.shape).to(x.dtype)

    return moved


def error(a: Answers, b: Answers) -> list[float]:
    """How far two answers are apart, each array in units of its largest number; infinite if of two kinds."""
    if len(a) != len(b):
        return [np.inf]
    return [_error(x, y) for x, y in zip(a, b, strict=True)]


def _error(x: Any, y: Any) -> float:
    if isinstance(x, str) or isinstance(y, str):
        return 0.0 if isinstance(x, str) and isinstance(y, str) and x == y else np.inf
    if x.dtype != y.dtype or x.shape != y.shape:
        return np.inf
    if x.dtype.kind != "f":
        return 0.0 if np.array_equal(x, y) else np.inf
    x, y = x.astype(np.float64), y.astype(np.float64)
    same = (x == y) | (np.isnan(x) & np.isnan(y))
    if same.all():
        return 0.0
    scale = max(1e-3, float(np.max(np.abs(x), where=np.isfinite(x), initial=0.0)))
    with np.errstate(invalid="ignore"):
        apart = np.where(same, 0.0, np.abs(x - y)) / scale
    return np.inf if not np.isfinite(apart).all() else float(apart.max())


def differs(graph: Graph, wanted: Answers, found: Answers) -> str | None:
    """What is wrong with `found`, where the interpreter answers `wanted`; None if it is rounding at most."""
    errors = error(wanted, found)
    close = CLOSE[graph.kind]
    if max(errors, default=0.0) <= close:
        return None
    spreads = [error(wanted, ran(rushlight, graph, noise(graph.kind, k))) for k in range(4)]
    if any(len(s) != len(errors) for s in spreads):
        return None if len(errors) > 1 else "one raises, the other does not"
    for k, far in enumerate(errors):
        spread = max(s[k] for s in spreads)
        if far > close + TIMES * spread:
            return f"answer {k} of {len(errors)} is off by {far:.2e}, rounding would be {spread:.2e}"
    return None


def shrunk(graph: Graph, fails: Callable[[Graph], str | None]) -> Graph:
    """A graph that still fails and from which no step can be taken."""
    at = len(graph.steps) - 1
    while at >= 0:
        smaller = graph.without(at)
        if smaller.steps and len(smaller.steps) < len(graph.steps) and fails(smaller):
            graph, at = smaller, len(smaller.steps)
        at -= 1
    return graph
