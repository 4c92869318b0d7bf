"""Stable order through keys: the positions that sort an array, equal elements in the order in which they stand.

NumPy sorts integers of 64 bits several times faster than it finds stable positions.  So an element and its position
become one integer, the element's rank above, the position below: keys are never equal, any way to sort them is stable,
and the lower bits of the sorted keys are the positions.  The rank of a float is its bits, those of a negative one
turned over; NaN ranks highest, and -0 as 0.  Elements that take all 64 bits have no room for a position: their
positions are found by NumPy.
"""

from __future__ import annotations

import numpy as np

BITS = 63  # of a key that is not negative
SIGN_AND_REST = 31, np.int32(0x7FFFFFFF)


def stable_order(x: np.ndarray, dim: int, descending: bool = False, first: int | None = None) -> np.ndarray:
    """The positions along `dim` that sort x; only the `first` of them, if given.

    >>> stable_order(np.array([2.0, 1.0, 2.0], np.float32), 0, descending=True)
    array([0, 2, 1])
    """
    n = x.shape[dim]
    ranks = _ranks(np.moveaxis(x, dim, -1), (max(n, 1) - 1).bit_length(), descending)
    if ranks is None:
        return np.moveaxis(np.moveaxis(_compared(x, dim, descending), dim, -1)[..., :first], -1, dim)
    keys = ranks | np.arange(n)
    if first is not None and 0 < first < n:
        keys = np.partition(keys, first - 1, -1)
    keys = keys[..., :first]
    keys.sort(-1)
    keys &= (1 << (max(n, 1) - 1).bit_length()) - 1
    return np.moveaxis(keys, -1, dim)


def _ranks(x: np.ndarray, places: int, descending: bool) -> np.ndarray | None:
    """Integers in the elements' order, shifted to the left by so many bits; None if there is no room for them."""
    if x.dtype.kind in "iu" and x.dtype.itemsize == 8:
        return _shifted_range(x, places, descending)
    if x.dtype.kind in "iub" and 32 + places <= BITS:
        ranks = x.astype(np.int64)
    elif x.dtype == np.float32 or x.dtype.itemsize == 2 and 32 + places <= BITS:
        ranks = _bits_in_order(x.astype(np.float32, copy=False)).astype(np.int64)
    else:
        return None
    if descending:
        np.invert(ranks, out=ranks)
    ranks <<= places
    return ranks


def _shifted_range(x: np.ndarray, places: int, descending: bool) -> np.ndarray | None:
    """Of integers of 64 bits: how far they are from the least, or from the greatest."""
    low, high = (int(x.min()), int(x.max())) if x.size else (0, 0)
    if (high - low).bit_length() + places > BITS:
        return None
    ranks = (high - x if descending else x - low).astype(np.int64)
    ranks <<= places
    return ranks


def _bits_in_order(x: np.ndarray) -> np.ndarray:
    """The bits of float32 as integers in the same order."""
    bits = (x + np.float32(0)).view(np.int32)  # + 0 makes -0 a 0
    sign, rest = SIGN_AND_REST
    bits ^= (bits >> sign) & rest
    unknown = np.isnan(x)
    if unknown.any():
        bits[unknown] = rest
    return bits


def _compared(x: np.ndarray, dim: int, descending: bool) -> np.ndarray:
    """The same by NumPy's stable sort."""
    if not descending:
        return np.argsort(x, dim, kind="stable")
    backwards = np.flip(x, dim)
    return x.shape[dim] - 1 - np.flip(np.argsort(backwards, dim, kind="stable"), dim)
