"""Attention that keeps its weights, which its derivative then has at hand: for queries that meet few keys.

The interpreter computes all heads at once.  The compiler goes from head to head, so that a head's scores stay in the
cache until they are its weights and its part of the result, and the derivative's likewise; queries, keys and values are
read where they lie, be it in one array with the others.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from rushlight.core.scan import Arrays

from .attention_blocks import barred, each_head, factor_of
from .softmax import SAFE_SOFTMAX, SOFTMAX_BACKWARD, safe_softmax_by_parts

FEW = 1 << 10  # scores of a head: with fewer, all heads together are one loop

# ---------------------------------------------------------------------------------------------------------------------
# NumPy's form


def keeping(q: Any, k: Any, v: Any, mask: Any, scale: Any, *, causal: bool) -> tuple[Any, Any]:
    """softmax(q k.T scale) v and the softmax itself: (B, H, L, Ev) and (B, H, L, S)."""
    scores = np.matmul(q, k.swapaxes(-1, -2))
    scores *= q.dtype.type(scale)
    seen = np.tri(*scores.shape[-2:], dtype=np.bool_) if causal else None
    weights = SAFE_SOFTMAX.kernel(barred(scores, mask, seen), dim=q.ndim - 1)
    return np.matmul(weights, v), weights


def keeping_backward(g: Any, q: Any, k: Any, v: Any, weights: Any, scale: Any) -> tuple[Any, Any, Any]:
    """The gradients of q, k and v, from that of the result and the weights."""
    return _derived(g, q, k, v, weights, q.dtype.type(scale))


def _derived(g: Any, q: Any, k: Any, v: Any, weights: Any, factor: Any) -> tuple[Any, Any, Any]:
    of_weights = np.matmul(g, v.swapaxes(-1, -2))
    of_scores = SOFTMAX_BACKWARD.kernel(of_weights, weights, dim=weights.ndim - 1) * factor
    of_k = np.matmul(of_scores.swapaxes(-1, -2), q)
    return np.matmul(of_scores, k), of_k, np.matmul(weights.swapaxes(-1, -2), g)


# ---------------------------------------------------------------------------------------------------------------------
# The compiler's


def _attended(q: Any, k: Any, v: Any, mask: Any, seen: Any, factor: Any) -> tuple[Any, Any]:
    scores = barred(np.matmul(q, k.swapaxes(-1, -2)) * factor, mask, seen)
    weights = safe_softmax_by_parts(scores, dim=q.ndim - 1)
    return np.matmul(weights, v), weights


def _attended_head(_: Arrays, arrays: Arrays, mask: Any, fixed: Arrays) -> tuple[Arrays, Arrays]:
    (q, k, v), (seen, factor) = arrays, fixed
    return (), _attended(q, k, v, mask, seen, factor)


def _derived_head(_: Arrays, arrays: Arrays, mask: Any, fixed: Arrays) -> tuple[Arrays, Arrays]:
    g, q, k, v, weights = arrays
    return (), _derived(g, q, k, v, weights, fixed[0])


def _by_heads(q: Any, k: Any) -> bool:
    return q.shape[0] * q.shape[1] > 1 and q.shape[2] * k.shape[2] >= FEW


def keeping_by_heads(q: Any, k: Any, v: Any, mask: Any, scale: Any, *, causal: bool) -> tuple[Any, ...]:
    """`keeping` of Symbols."""
    factor, length, count = factor_of(q, scale), q.shape[-2], k.shape[-2]
    seen = k.counted(count) <= q.counted(length)[:, None] if causal else None
    if _by_heads(q, k):
        return tuple(each_head((q, k, v), mask, (seen, factor), _attended_head))
    return _attended(q, k, v, mask, seen, factor)


def keeping_backward_by_heads(g: Any, q: Any, k: Any, v: Any, weights: Any, scale: Any) -> tuple[Any, ...]:
    """`keeping_backward` of Symbols."""
    factor = factor_of(q, scale)
    if _by_heads(q, k):
        return tuple(each_head((g, q, k, v, weights), None, (factor,), _derived_head))
    return _derived(g, q, k, v, weights, factor)
