"""Small random programs, and three ways to run them that must agree: recorded, read at every step, and in plain NumPy.

A program is a list of steps drawn by a seeded generator: views, in-place writes, new results, reads. NumPy's views
and in-place operations mean the same as the framework's, so NumPy is the reference: `reference(seed)` and
`recorded(t, seed, ...)` return the same integers. `differentiated(t, seed, ...)` runs a random differentiable
program and returns its result and gradients.

`python -m cases.random_programs` prints the results of both kinds as JSON, for a comparison with a process in
another mode.
"""

from __future__ import annotations

import json
import random
import sys
from importlib import import_module
from typing import Any

import numpy as np

STEPS = 25
SEEDS = 60


def shaped(choose: random.Random, pool: list[Any]) -> tuple[Any, int]:
    """A member of `pool` and its position."""
    at = choose.randrange(len(pool))
    return pool[at], at


def view_step(choose: random.Random, x: Any) -> Any:
    """A view of `x`, written so that NumPy and the framework read it alike."""
    kinds = ["slice", "step", "last", "row", "turn", "axis", "whole"]
    kind = choose.choice(kinds)
    if kind == "turn" and len(x.shape) > 1:
        return x.T if len(x.shape) == 2 else x.swapaxes(*choose.sample(range(len(x.shape)), 2))
    if kind == "axis" and len(x.shape) < 4:
        return x[None] if choose.random() < 0.5 else x[..., None]
    if kind == "row" and len(x.shape) > 1 and x.shape[0]:
        return x[choose.randrange(x.shape[0])]
    if kind == "last" and len(x.shape) > 0:
        return x[..., choose.randrange(x.shape[-1]) :] if x.shape[-1] else x[...]
    if kind == "step" and len(x.shape) > 0:
        return x[:: choose.choice((1, 2, 3))]
    if kind == "slice" and len(x.shape) > 0 and x.shape[0]:
        start = choose.randrange(x.shape[0])
        return x[start : start + choose.randrange(1, 4)]
    return x[...]


def write_step(choose: random.Random, x: Any, other: Any) -> None:
    """Change `x` in place, by a number or by a value made of `other`."""
    kind = choose.choice(("add", "multiply", "fill", "item", "from", "negate", "remainder", "slice", "mask", "list"))
    number = choose.randrange(-5, 6)
    if kind == "add":
        x += number
    elif kind == "multiply":
        x *= number
    elif kind == "fill":
        x[...] = number
    elif kind == "item" and len(x.shape) > 0 and x.shape[0]:
        x[choose.randrange(x.shape[0])] = number
    elif kind == "from":
        x += other.sum() % 17
    elif kind == "negate":
        x *= -1
    elif kind == "mask":
        x[x > number] = 7
    elif kind == "list" and len(x.shape) > 0 and x.shape[0]:
        x[[0, x.shape[0] - 1]] = other.sum() % 11
    elif kind == "slice" and len(x.shape) > 0:
        x[:: choose.choice((1, 2))] -= number
    else:
        x %= 101


def result_step(choose: random.Random, x: Any, other: Any) -> Any:
    """A new value of `x` and `other`."""
    kind = choose.choice(("shift", "scale", "pair", "total", "compare", "sums", "flat", "list"))
    if kind == "pair" and tuple(x.shape) == tuple(other.shape):
        return x * other % 97
    if kind == "sums" and len(x.shape) > 0:
        return x.sum(0)
    if kind == "list" and len(x.shape) > 0 and x.shape[0]:
        return x[[x.shape[0] - 1, 0]]
    if kind == "flat":
        return x.reshape(-1) % 89 + 0
    if kind == "scale":
        return x * choose.randrange(-3, 4)
    if kind == "total":
        return x - other.sum() % 13
    if kind == "compare":
        return (x > choose.randrange(-10, 10)) * x
    return x + choose.randrange(-9, 10)


def run(seed: int, base: Any, read_each: bool = False, read_some: bool = False) -> list[Any]:
    """The program of `seed` on `base`; returns what was read on the way and what is held at the end."""
    choose, reading = random.Random(seed), random.Random(-1 - seed)
    pool, seen = [base], []
    for _ in range(STEPS):
        (x, at), (other, _) = shaped(choose, pool), shaped(choose, pool)
        action = choose.random()
        if action < 0.35:
            pool.append(view_step(choose, x))
        elif action < 0.65:
            write_step(choose, x, other)
        elif action < 0.9:
            result = result_step(choose, x, other)
            pool.append(
                np.array(result) if isinstance(result, np.generic) else result
            )  # NumPy's scalars cannot be written to
        elif len(pool) > 3:
            del pool[at]
        if read_each or (read_some and reading.random() < 0.2):
            for value in pool:
                value.tolist()
        if choose.random() < 0.1:
            seen.append(pool[-1].tolist())
    return [seen, [value.tolist() for value in reversed(pool)]]


def start(seed: int) -> np.ndarray:
    """The array that the program of `seed` begins with."""
    shape = random.Random(seed + 1000).choice(((6,), (3, 4), (2, 3, 2), (1, 5), (4, 1)))
    return np.arange(int(np.prod(shape)), dtype=np.int64).reshape(shape)


def reference(seed: int) -> list[Any]:
    """What the program of `seed` gives in NumPy."""
    return run(seed, start(seed))


def recorded(t: Any, seed: int, read_each: bool = False, read_some: bool = False) -> list[Any]:
    """What the program of `seed` gives on the tensors of `t`."""
    return run(seed, t.tensor(start(seed).tolist()), read_each, read_some)


def differentiable_step(choose: random.Random, t: Any, x: Any, y: Any) -> Any:
    """A smooth function of two matrices of the same shape."""
    kind = choose.randrange(10)
    if kind == 0:
        return x * y
    if kind == 1:
        return t.tanh(x) + y
    if kind == 2:
        return x @ y.t() @ x / 9
    if kind == 3:
        return x.softmax(choose.randrange(2)) * y
    if kind == 4:
        return t.cat([x[1:], y[:1]])
    if kind == 5:
        return t.where(x > y, x, y * 0.5)
    if kind == 6:
        return (x - x.mean(0)) / (1 + y.abs())
    if kind == 7:
        z = x * 1
        z[choose.randrange(3)] = y[0] * choose.uniform(-1, 1)
        z[:, 1] += 0.5
        return z
    if kind == 8:
        z = y.clone()
        z.t()[0].mul_(choose.uniform(-1, 1))
        z += x
        return z
    return t.relu(x).sum(1, keepdim=True) * 0.1 + y


def differentiated(t: Any, seed: int, read_each: bool = False) -> list[Any]:
    """The loss of a random differentiable program, its gradients, and those of a second derivative."""
    choose = random.Random(seed)
    values = [[[choose.uniform(-1, 1) for _ in range(3)] for _ in range(3)] for _ in range(2)]
    leaves = [t.tensor(v, dtype=t.float64, requires_grad=True) for v in values]
    pool = [leaf * 1 for leaf in leaves]
    for _ in range(10):
        x, y = choose.choice(pool), choose.choice(pool)
        pool.append(differentiable_step(choose, t, x, y))
        if read_each:
            pool[-1].tolist()
    loss = sum((value * value).mean() for value in pool)
    first = t.autograd.grad(loss, leaves, create_graph=True)
    (first[0].sum() + (first[1] ** 2).sum()).backward()
    return [loss.item(), [g.tolist() for g in first], [leaf.grad.tolist() for leaf in leaves]]


def main(name: str = "rushlight") -> None:
    """Print the results of all programs on the module `name`."""
    t = import_module(name)
    print(json.dumps([[recorded(t, seed), differentiated(t, seed)] for seed in range(SEEDS)]))


if __name__ == "__main__":
    main(*sys.argv[1:2])
