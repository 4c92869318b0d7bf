"""Long chains of NumPy calls over large arrays, a cache-full at a time.

A special function is dozens of elementary array operations; over a whole large array each of them waits for memory.
`blockwise` runs such a function on pieces that stay in the cache.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

_PIECE = 8192  # elements: 64 KB of doubles for each temporary


def blockwise(f: Callable[..., np.ndarray]) -> Callable[..., np.ndarray]:
    """Makes a function of arrays, element by element and broadcast, run piece by piece; its result is float64."""

    @functools.wraps(f)
    def by_pieces(*operands: Any) -> np.ndarray:
        for x in operands:
            if hasattr(x, "special"):  # the compiler asks what this computes
                return x.special(f.__name__)
        arrays = [np.asarray(x) for x in operands]
        if max(x.size for x in arrays) <= _PIECE:
            return f(*arrays)
        whole = np.broadcast_arrays(*arrays)
        flat = [x.reshape(-1) for x in whole]
        result = np.empty(flat[0].size)
        for start in range(0, result.size, _PIECE):
            piece = slice(start, start + _PIECE)
            result[piece] = f(*[x[piece] for x in flat])
        return result.reshape(whole[0].shape)

    return by_pieces
