"""Stable order through keys equals a stable sort by comparing, for every dtype, with NaN, -0, infinities and ties."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import pytest

from rushlight.core.order import stable_order

KINDS = [
    np.float32, np.float16, ml_dtypes.bfloat16, np.float64, np.int64, np.int32, np.int16, np.int8, np.uint8, np.uint16,
    np.uint32, np.uint64, np.bool_,
]  # fmt: skip
SHAPES = [
    ((7, 33), 1), ((7, 33), 0), ((4, 5, 6), 1), ((1000,), 0), ((3, 1), 1), ((0, 3), 0), ((3, 0), 1), ((2, 300), 1),
    ((2, 5000), 1), ((70000,), 0),
]  # fmt: skip


def compared(x: np.ndarray, dim: int, descending: bool) -> np.ndarray:
    """The positions by Python's stable sort, one line at a time; NaN is greater than every number."""
    lines = np.moveaxis(x, dim, -1)
    found = np.empty(lines.shape, np.int64)
    for index in np.ndindex(lines.shape[:-1]):
        line = [(bool(v != v), v if v == v else 0) for v in lines[index].tolist()]
        places = range(len(line))
        found[index] = sorted(places, key=line.__getitem__, reverse=descending)  # stable in both directions
    return np.moveaxis(found, -1, dim)


def numbers(kind: Any, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """Small numbers with many ties; of floats also halves, NaN with both signs, -0 and infinities."""
    far = shape[-1] > 1000 and np.dtype(kind).itemsize > 2  # numbers whose ranks differ in both halves
    drawn = rng.integers(0 if np.dtype(kind).kind in "ub" else -9, 9, shape) * (1 << 20 if far else 1)
    if np.dtype(kind).kind in "iub":
        return drawn.astype(kind)
    odd = rng.choice(np.array([np.nan, -np.nan, -0.0, 0.0, np.inf, -np.inf]), shape)
    return np.where(rng.random(shape) < 0.3, odd, drawn / 2).astype(kind)


@pytest.mark.parametrize("kind", KINDS, ids=lambda k: np.dtype(k).name)
def test_equals_a_stable_sort(kind: Any) -> None:
    rng = np.random.default_rng(0)
    for shape, dim in SHAPES:
        x = numbers(kind, shape, rng)
        for descending in (False, True):
            expected = compared(x, dim, descending)
            assert (stable_order(x, dim, descending) == expected).all()
            for first in (0, 1, min(5, shape[dim]), shape[dim]):
                start = np.moveaxis(np.moveaxis(expected, dim, -1)[..., :first], -1, dim)
                assert (stable_order(x, dim, descending, first) == start).all()


@pytest.mark.parametrize("descending", [False, True])
def test_integers_that_take_all_bits(descending: bool) -> None:
    least, most = np.iinfo(np.int64).min, np.iinfo(np.int64).max
    x = np.array([[0, most, least, 5, most, least, -1]])
    assert (stable_order(x, 1, descending) == compared(x, 1, descending)).all()
    assert (stable_order(x[:, 3:4] + least, 1, descending) == 0).all()
    far = np.array([1 << 40, 0, 1 << 40, 7])
    assert stable_order(far, 0, descending).tolist() == ([0, 2, 3, 1] if descending else [1, 3, 0, 2])
    assert (stable_order(np.array([most - 2, most, most - 1]), 0) == [0, 2, 1]).all()


def test_the_array_is_left_alone() -> None:
    x = np.array([3.0, -0.0, 1.0], np.float32)
    before = x.tobytes()
    stable_order(x, 0, True, 2)
    assert x.tobytes() == before
