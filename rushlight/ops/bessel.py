"""Modified Bessel functions of the first kind on NumPy arrays, orders 0 and 1, in double precision.

The power series up to 30, where all its terms are positive, and the asymptotic one beyond: NIST Digital Library of
Mathematical Functions, 10.25.2 and 10.40.1 (https://dlmf.nist.gov).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from .blockwise import blockwise, double

_CROSSING = 30.0
_POWERS = [[1 / (math.factorial(k) * math.factorial(k + order)) for k in range(64)] for order in range(2)]


def _falling(order: int) -> list[float]:
    """The coefficients of 1, 1 / x, 1 / x ** 2, ... in the asymptotic series."""
    found = [1.0]
    for k in range(1, 24):
        found.append(found[-1] * ((2 * k - 1) ** 2 - 4 * order * order) / (8 * k))
    return found


_FALLING = [_falling(order) for order in range(2)]


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
    x = double(x)
    size = np.abs(x)
    near = _power_series(order, np.minimum(size, _CROSSING))
    far = _asymptotic_series(order, np.maximum(size, _CROSSING))
    found = np.where(size < _CROSSING, near, np.where(np.isposinf(size), 0.0, far))
    found = np.where(np.isnan(x), x, found)
    return np.copysign(found, x) if order else found


def modified_i(order: int, x: Any) -> np.ndarray:
    """I_order(x) for order 0 or 1."""
    x = double(x)
    found = (
        scaled_i(order, x) * np.exp(np.abs(x) / 2) * np.exp(np.abs(x) / 2)
    )  # in two steps: exp alone overflows earlier
    return np.where(np.isinf(x), np.copysign(np.inf, x) if order else np.inf, found)


def _horner(t: Any, coefficients: Sequence[float]) -> Any:
    total = t * coefficients[-1]
    for c in coefficients[-2:0:-1]:
        total = (total + c) * t
    return total + coefficients[0]


def _power_series(order: int, x: Any) -> Any:
    first = np.exp(-x) * (x / 2 if order else 1.0)
    return first * _horner(x * x / 4, _POWERS[order])


def _asymptotic_series(order: int, x: Any) -> Any:
    return _horner(1.0 / x, _FALLING[order]) / np.sqrt(2 * math.pi * x)
