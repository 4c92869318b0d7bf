"""Long chains of NumPy calls over large arrays, a cache-full at a time.

A special function is dozens of elementary array operations; over a whole large array each of them waits for memory.
`blockwise` runs such a function on pieces that stay in the cache.  The compiler gets the chain itself, or the name of a
function that it has code for.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

_PIECE = 8192  # elements: 64 KB of doubles for each temporary
_NATIVE = {"erf_exactly"}  # what the compiler has code of its own for


def double(x: Any) -> Any:
    """An array, or what stands for one to the compiler, in double precision."""
    return x.astype(np.float64) if hasattr(x, "special") else np.asarray(x, np.float64)


def blockwise(f: Callable[..., np.ndarray]) -> Callable[..., np.ndarray]:
    """Makes a function of arrays, element by element and broadcast, run piece by piece; its result is float64."""

    @functools.wraps(f)
    def by_pieces(*operands: Any) -> np.ndarray:
        for x in operands:
            if hasattr(x, "special"):  # the compiler asks what this computes
                return x.special(f.__name__) if f.__name__ in _NATIVE else f(*operands)
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
