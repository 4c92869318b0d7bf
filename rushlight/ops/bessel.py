"""Modified Bessel functions of the first kind on NumPy arrays, orders 0 and 1, in double precision.

The power series up to 30, where all its terms are positive, and the asymptotic one beyond: NIST Digital Library of
Mathematical Functions, 10.25.2 and 10.40.1 (https://dlmf.nist.gov).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .blockwise import blockwise

_CROSSING = 30.0


def scaled_i(order: int, x: Any) -> np.ndarray:
    """exp(-|x|) I_order(x) for order 0 or 1."""
    return (_scaled_i1 if order else _scaled_i0)(x)


@blockwise
def _scaled_i0(x: Any) -> np.ndarray:
    return _scaled(0, x)


@blockwise
def _scaled_i1(x: Any) -> np.ndarray:
    return _scaled(1, x)


def _scaled(order: int, x: Any) -> np.ndarray:
    x = np.asarray(x, np.float64)
    size = np.abs(x)
    near = _power_series(order, np.minimum(size, _CROSSING))
    far = _asymptotic_series(order, np.maximum(size, _CROSSING))
    found = np.where(size < _CROSSING, near, np.where(np.isposinf(size), 0.0, far))
    found = np.where(np.isnan(x), x, found)
    return np.copysign(found, x) if order else found


def modified_i(order: int, x: Any) -> np.ndarray:
    """I_order(x) for order 0 or 1."""
    x = np.asarray(x, np.float64)
    found = (
        scaled_i(order, x) * np.exp(np.abs(x) / 2) * np.exp(np.abs(x) / 2)
    )  # in two steps: exp alone overflows earlier
    return np.where(np.isinf(x), np.copysign(np.inf, x) if order else np.inf, found)


def _power_series(order: int, x: np.ndarray) -> np.ndarray:
    quarter = x * x / 4
    term = np.exp(-x) * (x / 2 if order else 1.0)
    total = term
    for k in range(1, 64):
        term = term * quarter / (k * (k + order))
        total = total + term
    return total


def _asymptotic_series(order: int, x: np.ndarray) -> np.ndarray:
    term = 1.0 / np.sqrt(2 * math.pi * x)
    total = term
    for k in range(1, 24):
        term = term * (((2 * k - 1) ** 2 - 4 * order * order) / (8 * k)) / x
        total = total + term
    return total
