"""The last bit: where PyTorch's order of operations costs nothing, results are PyTorch's bit for bit.

Each case works in float32 on numbers that any machine makes alike, and only with arithmetic that IEEE 754 fixes (no
exponentials, no sums whose order matters), forward or backward. The expected bits, as hexadecimal digits, are
PyTorch 2.13's; `python tests/test_rounding.py` writes them anew and needs PyTorch.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from test_compile import compiled, own_cache  # noqa: F401 - the fixture

import rushlight
from rushlight.codegen import planning
from rushlight.optim.lbfgs import Point, _number, cubic_minimum
from rushlight.record import trace

EXPECTED = Path(__file__).parent / "expected" / "rounding.json"


def numbers(count: int, seed: int, low: float = -1.0, high: float = 1.0) -> np.ndarray:
    """Numbers in [low, high) with all the digits that float32 has."""
    steps = (np.arange(1, count + 1, dtype=np.uint64) * np.uint64(10_368_889 + 2_000_002 * seed)) % np.uint64(2**24)
    return (low + (high - low) * (steps.astype(np.float64) / 2**24)).astype(np.float32)


def slopes(t: Any, f: Callable[..., Any], *arrays: np.ndarray, seed: int = 99) -> list[Any]:
    """The gradients of f by its arguments, of a sum weighted with numbers."""
    xs = [t.from_numpy(a.copy()).requires_grad_() for a in arrays]
    y = f(*xs)
    weights = t.from_numpy(numbers(y.numel(), seed)).reshape(y.shape)
    return list(t.autograd.grad(y, xs, weights))


X, Y, P, Q = numbers(96, 1), numbers(96, 2), numbers(96, 4, 0.01, 0.99), numbers(96, 5, 0, 1)
ROWS = np.array([(1, 2, 2), (2, 3, 6), (1, 4, 8), (4, 4, 7), (2, 6, 9), (6, 6, 7)], np.float32)  # norms 3, 7, 9, 9, 11
EIGHTHS = np.round(numbers(48, 6, -20, 20)).reshape(6, 8).astype(np.float32) / 8  # their sums are exact
IMAGES = numbers(2 * 49, 7).reshape(1, 2, 7, 7)


def loss(name: str, **options: Any) -> Callable[[Any], list[Any]]:
    """A loss of X and Y, each by itself, and its gradients."""

    def case(t: Any) -> list[Any]:
        f = getattr(t.nn.functional, name)
        each = [] if name == "mse_loss" else [f(t.from_numpy(X), t.from_numpy(Y), reduction="none", **options)]
        for mode in ("none", "sum", "mean"):
            each += slopes(t, lambda x, y: f(x, y, reduction=mode, **options), X, Y)  # noqa: B023
        return each

    return case


def cross_entropy(t: Any) -> list[Any]:
    y, weight = t.from_numpy(Q), t.from_numpy(Y)
    return [
        s
        for mode in ("none", "sum", "mean")
        for w in (None, weight)
        for s in slopes(t, lambda x: t.nn.functional.binary_cross_entropy(x, y, weight=w, reduction=mode), P)  # noqa: B023
    ]


CASES: dict[str, Callable[[Any], list[Any]]] = {
    "mse_loss": loss("mse_loss"),
    "smooth_l1_loss": loss("smooth_l1_loss"),
    "smooth_l1_loss narrow": lambda t: loss("smooth_l1_loss", beta=0.37)(t)[:3],
    "huber_loss": loss("huber_loss"),
    "binary_cross_entropy": cross_entropy,
    "addcdiv": lambda t: [t.addcdiv(*map(t.from_numpy, (X, Y, P)), value=0.3712345)],
    "norm": lambda t: slopes(t, lambda x: x.norm(dim=1), ROWS),
    "var": lambda t: slopes(t, lambda x: x.var(1), EIGHTHS) + slopes(t, lambda x: x.var(), EIGHTHS),
    "std": lambda t: slopes(t, lambda x: x.std(1), EIGHTHS),
    "avg_pool1d": lambda t: slopes(t, lambda x: t.nn.functional.avg_pool1d(x, 3, 1, 1), IMAGES[0]),
    "avg_pool2d": lambda t: slopes(t, lambda x: t.nn.functional.avg_pool2d(x, 3, 2, 1), IMAGES),
    "avg_pool3d": lambda t: slopes(t, lambda x: t.nn.functional.avg_pool3d(x, 2, 1), IMAGES),
    "max_pool2d": lambda t: slopes(t, lambda x: t.nn.functional.max_pool2d(x, 3, 1), IMAGES),
    "acosh": lambda t: slopes(t, t.acosh, 1 + P),
    "atan2": lambda t: slopes(t, t.atan2, X, Y),
    "degrees": lambda t: [t.rad2deg(t.from_numpy(X)), t.deg2rad(t.from_numpy(X))],
    "linspace": lambda t: [t.linspace(-3, 3, 50), t.linspace(0, 6.28, 101), t.linspace(5, -1, 38)],
    "linspace half": lambda t: [t.linspace(-3, 3, 50, dtype=t.float16), t.linspace(0, 1, 31, dtype=t.bfloat16).float()],
    "linspace whole": lambda t: [t.linspace(0, 6.28, 57, dtype=t.int64), t.linspace(-2.5, 2.5, 11, dtype=t.int32)],
}


def digits(tensors: list[Any]) -> list[str]:
    return [(x if isinstance(x, np.ndarray) else x.detach().numpy()).tobytes().hex() for x in tensors]


@pytest.fixture(scope="module")
def expected() -> dict[str, Any]:
    return json.loads(EXPECTED.read_text())  # type: ignore[no-any-return]


@pytest.mark.parametrize("name", CASES)
def test_bits(name: str, expected: dict[str, Any]) -> None:
    assert digits(CASES[name](rushlight)) == expected[name]


@pytest.mark.skipif(trace.EAGER, reason="one operation at a time is no program")
@pytest.mark.parametrize("name", [name for name in CASES if "linspace" not in name])
def test_bits_in_machine_code(name: str, expected: dict[str, Any], monkeypatch: Any) -> None:
    monkeypatch.setattr(planning, "FEWEST", 1)
    _, found, made = compiled(lambda: CASES[name](rushlight), monkeypatch)
    assert made
    assert digits(found) == expected[name]


def test_sigmoid_from_its_exponential() -> None:
    x = rushlight.from_numpy(numbers(400, 8, -9, 9)).requires_grad_()
    y = x.sigmoid()
    one = np.float32(1)
    value = y.detach().numpy()
    np.testing.assert_array_equal(value, one / (one + np.exp(-x.detach().numpy())))
    g = numbers(400, 9)
    y.backward(rushlight.from_numpy(g))
    assert x.grad is not None
    np.testing.assert_array_equal(x.grad.numpy(), g * (one - value) * value)
    assert rushlight.tensor([-1e4, 1e4]).sigmoid().tolist() == [0.0, 1.0]


LINES = [  # t, loss and slope at two points; the minimum, as PyTorch computes it for float32 tensors of one element
    (0.0, 1.25, -0.75, 1.0, 0.875, 0.5),
    (0.0, 0.7812345, -0.3141593, 0.1234567, 0.7654321, 0.1718281),
    (0.3, 2.0625, -1.1, 1.7, 2.5, 0.9),
    (0.25, 1.5, -0.7071068, 3.5, 0.3333333, -0.01),
]


def cubics() -> list[float]:
    one = lambda slope: _number(rushlight.tensor(slope))  # noqa: E731
    return [
        float(cubic_minimum(Point(a, f, None, one(g)), Point(b, h, None, one(i)))) for a, f, g, b, h, i in LINES
    ]


def test_cubic_minimum_of_single_precision(expected: dict[str, Any]) -> None:
    assert cubics() == expected["cubic_minimum"]


def test_the_slope_of_hardsigmoid_is_a_float32_sixth_in_doubles_too() -> None:
    x = rushlight.zeros(1, dtype=rushlight.float64, requires_grad=True)
    rushlight.nn.functional.hardsigmoid(x).backward()
    assert x.grad.item() == 0.1666666716337204


def write_expected() -> None:
    """Writes PyTorch's bits."""
    import torch
    from torch.optim.lbfgs import _cubic_interpolate

    torch.set_num_threads(1)
    found: dict[str, Any] = {name: digits(case(torch)) for name, case in CASES.items()}
    found["cubic_minimum"] = [
        float(_cubic_interpolate(a, f, torch.tensor(g), b, h, torch.tensor(i))) for a, f, g, b, h, i in LINES
    ]
    EXPECTED.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    write_expected()
