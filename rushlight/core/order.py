"""Stable order: the positions that sort an array, equal elements in the order in which they stand.

NumPy sorts integers several times faster than it finds stable positions.  So every element gets a rank of 32 bits: a
float its bits, those of a negative one turned over, NaN the highest, -0 that of 0.  In short lines a rank and its
position become one integer, the position below: such keys are never equal, any way to sort them is stable, and their
lower bits are the positions.  Long lines are sorted by the lower half of the ranks, then by the upper, which NumPy
does by counting.  Elements of more than 32 bits are compared, and so are few elements.
"""

from __future__ import annotations

import numpy as np

FEW = 1024  # elements up to which comparing takes less time than the calls that make ranks
LONG = 2048  # elements of a line from which on counting is faster
HALF = 16
MOST = np.uint32(0xFFFFFFFF)
SIGN, REST = np.uint32(1 << 31), np.int32((1 << 31) - 1)


def stable_order(x: np.ndarray, dim: int, descending: bool = False, first: int | None = None) -> np.ndarray:
    """The positions along `dim` that sort x; only the `first` of them, if given.

    >>> stable_order(np.array([2.0, 1.0, 2.0], np.float32), 0, descending=True)
    array([0, 2, 1])
    """
    last = dim in (-1, x.ndim - 1)
    lines = x if last else np.moveaxis(x, dim, -1)
    ranks = None if x.size <= FEW and x.dtype.kind in "fiub" else _ranks(lines)
    n = x.shape[dim]
    if ranks is None:
        at = _compared(lines, descending)
    else:
        ranks = ranks ^ MOST if descending else ranks
        few = first is not None and 0 < first < n // 8
        at = _least(ranks, first or 0) if few else _by_keys(ranks) if n < LONG else _by_counting(ranks)
    at = at if first is None else at[..., :first]
    return at if last else np.moveaxis(at, -1, dim)


def elements_at(x: np.ndarray, at: np.ndarray, dim: int) -> np.ndarray:
    """`numpy.take_along_axis`, in fewer steps where a line is a vector."""
    return x[at] if x.ndim == 1 else np.take_along_axis(x, at, dim)


def _ranks(x: np.ndarray) -> np.ndarray | None:
    """Numbers of 32 bits in the elements' order, or None."""
    if x.dtype.kind in "iu" and x.dtype.itemsize == 8:
        low = int(x.min()) if x.size else 0
        return (x - low).astype(np.uint32) if x.size == 0 or int(x.max()) - low <= int(MOST) else None
    if x.dtype.kind in "ub":
        return x.astype(np.uint32)
    if x.dtype.kind == "i":
        return x.astype(np.int32).view(np.uint32) ^ SIGN
    if x.dtype == np.float32 or x.dtype.itemsize == 2:
        return _bits_in_order(x.astype(np.float32)).view(np.uint32) ^ SIGN
    return None


def _bits_in_order(x: np.ndarray) -> np.ndarray:
    """The bits of float32 as integers in the same order."""
    x += np.float32(0)  # makes -0 a 0
    bits = x.view(np.int32)
    unknown = np.isnan(x)
    bits ^= (bits >> 31) & REST
    if unknown.any():
        bits[unknown] = REST
    return bits


def _by_keys(ranks: np.ndarray) -> np.ndarray:
    n = ranks.shape[-1]
    places = max(n - 1, 0).bit_length()
    keys = ranks.astype(np.int64)
    keys <<= places
    keys |= np.arange(n)
    keys.sort(-1)
    keys &= (1 << places) - 1
    return keys


def _least(ranks: np.ndarray, count: int) -> np.ndarray:
    """The first `count` positions: those of the least, found as they stand, then put in order."""
    n = ranks.shape[-1]
    bound = np.partition(ranks, count - 1, -1)[..., count - 1 : count]
    chosen = ranks <= bound
    if np.count_nonzero(chosen) > bound.size * count:  # of those that equal the bound, only the first belong to them
        below = ranks < bound
        room = count - below.sum(-1, keepdims=True)
        chosen = below | (chosen & (np.cumsum(chosen & ~below, -1) <= room))
    at = (np.flatnonzero(chosen) % n).reshape(*ranks.shape[:-1], count)
    return np.take_along_axis(at, _by_keys(np.take_along_axis(ranks, at, -1)), -1)


def _by_counting(ranks: np.ndarray) -> np.ndarray:
    at = np.argsort(ranks.astype(np.uint16), -1, kind="stable")
    above = (ranks >> HALF).astype(np.uint16)
    if not above.any():
        return at
    above = np.take_along_axis(above, at, -1)
    return np.take_along_axis(at, np.argsort(above, -1, kind="stable"), -1)


def _compared(lines: np.ndarray, descending: bool) -> np.ndarray:
    if not descending:
        return np.argsort(lines, -1, kind="stable")
    return lines.shape[-1] - 1 - np.flip(np.argsort(np.flip(lines, -1), -1, kind="stable"), -1)
