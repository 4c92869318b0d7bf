"""Blending by bits is `numpy.where`, to the bit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import rushlight as torch
from rushlight.core import blend as module
from rushlight.core.blend import blend


def same(found: Any, wanted: Any) -> None:
    assert found.dtype == wanted.dtype and found.shape == wanted.shape
    a, b = (np.ascontiguousarray(v).reshape(-1).view(np.uint8) for v in (found, wanted))
    np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("kind", [np.float32, np.float64, np.float16, np.int32, np.int64, np.uint8])
@pytest.mark.parametrize("count", [5, 5000])
def test_every_operand(kind: Any, count: int) -> None:
    draw = np.random.default_rng(0)
    x, y = (np.array(draw.normal(size=(3, count)) * 9).astype(kind) for _ in range(2))
    if np.dtype(kind).kind == "f":
        x[:, :5] = [np.nan, np.inf, -0.0, 0.0, -np.inf]
        y[:, 1:5] = [np.nan, -0.0, np.inf, 1e-7]
    keep = draw.random((3, count)) < 0.5
    for a, b in [(x, y), (x, 0), (2, y), (x, y[:1]), (x, y[0, 0]), (x[:, ::-1], y), (x, y.astype(np.float64)), (x, 3)]:
        same(blend(keep, a, b), np.where(keep, a, b))
    same(blend(keep[:1], x, y), np.where(keep[:1], x, y))
    same(blend(keep.T, x.T, y.T), np.where(keep.T, x.T, y.T))
    same(blend(keep.view(np.uint8), x, y), np.where(keep, x, y))
    same(blend(keep, 1.5, 2), np.where(keep, 1.5, 2))


NAMES = ["hardtanh", "leaky_relu", "elu", "softplus", "hardswish", "hardsigmoid", "hardshrink"]


@pytest.mark.parametrize("name", NAMES)
def test_activations_do_not_depend_on_the_length(name: str, monkeypatch: Any) -> None:
    x = torch.linspace(-9, 9, 3001, dtype=torch.float32)

    def both() -> list[Any]:
        a = x.clone().requires_grad_()
        y = getattr(torch.nn.functional, name)(a)
        y.sum().backward()
        return [y.detach().numpy(), a.grad.numpy()]

    found = both()
    monkeypatch.setattr(module, "FEW", 1 << 30)
    for a, b in zip(found, both(), strict=True):
        np.testing.assert_array_equal(a, b)
