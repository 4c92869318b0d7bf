"""Attention without a matrix of all scores: image by image, head by head, and so many queries at a time.

A block of queries meets all keys; its scores, of which only the block's are ever in memory, become weights by a softmax
along the keys, and these the block's rows of the result.  What the derivative needs of a row is one number, the
logarithm of its sum (`lse`): weights are exp(score - lse).  The derivative goes through the same blocks and adds up
what each of them gives to the keys and values of its head (Dao and others, "FlashAttention", 2022, section 3).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from rushlight.core.scan import Arrays, scan

ROWS = 128  # queries in a block
STRETCHES = 4  # parts of causal attention, each of which leaves out the keys that none of its queries sees
SMALL = 1 << 18  # scores that may be in memory at once


def _counted(x: Any, count: int) -> Any:
    return np.arange(count) if isinstance(x, np.ndarray) else x.counted(count)


def barred(scores: Any, mask: Any, seen: Any) -> Any:
    """The scores of queries, -inf where they must not look: where `seen` is false, or where `mask` says."""
    nothing = scores.dtype.type(-np.inf)
    if seen is not None:
        scores = np.where(seen, scores, nothing)
    if mask is None:
        return scores
    return np.where(mask, scores, nothing) if mask.dtype == bool else scores + mask


def _scores(q: Any, k: Any, mask: Any, rows: Any, columns: Any, factor: Any) -> Any:
    """The scores; `rows` are the queries' places, behind which they see none of the keys' places, `columns`."""
    seen = None if rows is None else columns <= rows[:, None]
    return barred(np.matmul(q, k.swapaxes(-1, -2)) * factor, mask, seen)


def attended(q: Any, k: Any, v: Any, mask: Any, rows: Any, columns: Any, factor: Any) -> tuple[Any, Any]:
    """Results and `lse` of queries: 0 and inf where a query sees nothing."""
    scores = _scores(q, k, mask, rows, columns, factor)
    number = scores.dtype.type
    top = scores.max(axis=-1, keepdims=True)
    top = np.where(top == -np.inf, number(0), top)
    weights = np.exp(scores - top)
    total = weights.sum(axis=-1, keepdims=True)
    known = np.where(total == 0, number(1), total)
    lse = np.where(total == 0, number(np.inf), top + np.log(known))
    return np.matmul(weights, v) / known, lse[..., 0]


def derived(
    q: Any, g: Any, lse: Any, shared: Any, mask: Any, rows: Any, k: Any, v: Any, columns: Any, factor: Any
) -> tuple[Any, Any, Any]:
    """What queries give to the gradients of q, k and v; `shared` are the sums of result times gradient."""
    weights = np.exp(_scores(q, k, mask, rows, columns, factor) - lse[..., None])
    of_weights = np.matmul(g, v.swapaxes(-1, -2))
    of_scores = weights * (of_weights - shared[..., None]) * factor
    of_k = np.matmul(of_scores.swapaxes(-1, -2), q)
    return np.matmul(of_scores, k), of_k, np.matmul(weights.swapaxes(-1, -2), g)


# ---------------------------------------------------------------------------------------------------------------------
# Loops

Body = Callable[[Arrays, Arrays, Any, Arrays], tuple[Arrays, Arrays]]
"""(states, arrays, mask, fixed) -> (new states, results)."""


def _each(arrays: Arrays, mask: Any, fixed: Arrays, body: Body, states: Arrays = ()) -> tuple[Arrays, Arrays]:
    """What `body` makes of every row of the arrays; a mask of one row holds for all of them."""
    moves = mask is not None and len(mask) > 1

    def step(states: Arrays, elements: Arrays, constants: Arrays) -> tuple[Arrays, Arrays]:
        same, *rest = constants
        own, here = (elements[:-1], elements[-1]) if moves else (elements, same)
        return body(states, own, here, rest)

    same = None if moves or mask is None else mask[0]
    return scan(step, states, [*arrays, mask] if moves else arrays, (same, *fixed), keep=False)


def each_head(arrays: Arrays, mask: Any, fixed: Arrays, head: Body) -> Arrays:
    """The results of every head of every image."""

    def image(_: Arrays, arrays: Arrays, mask: Any, fixed: Arrays) -> tuple[Arrays, Arrays]:
        return _each(arrays, mask, fixed, head)

    if mask is not None:
        mask = mask.reshape((1,) * (4 - mask.ndim) + mask.shape)
    return _each(arrays, mask, fixed, image)[1]


def _blocks(x: Any, n: int) -> Any:
    """The first n blocks of rows; one row, or nothing, belongs to all blocks."""
    if x is None:
        return None
    return x[None] if len(x) == 1 else x[: n * ROWS].reshape((n, ROWS, *x.shape[1:]))


def _rest(x: Any, n: int) -> Any:
    """The rows behind n blocks."""
    return x if x is None or len(x) == 1 else x[n * ROWS :]


def _stretches(q: Any, k: Any, rows: Any) -> list[tuple[int, int, int]]:
    """Queries from one to before another, and how many keys they see: where these are those before them, few parts."""
    length, n = len(q), len(q) // ROWS
    if rows is None or length != len(k) or n < 2:
        return [(0, length, len(k))]
    parts = min(STRETCHES, n)
    ends = [*(n * (j + 1) // parts * ROWS for j in range(parts - 1)), length]
    return [(first, last, last) for first, last in zip([0, *ends], ends, strict=False)]


def _between(x: Any, first: int, last: int) -> Any:
    """Some rows; one row, or nothing, belongs to all queries."""
    return x if x is None or len(x) == 1 else x[first:last]


def _seeing(mask: Any, first: int, last: int, keys: int) -> Any:
    """The part of a mask for some queries and the first keys."""
    mask = _between(mask, first, last)
    return mask if mask is None or mask.shape[-1] == 1 else mask[:, :keys]


def _joined(parts: Sequence[Any]) -> Any:
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def _attended_head(_: Arrays, arrays: Arrays, mask: Any, fixed: Arrays) -> tuple[Arrays, Arrays]:
    (q, k, v), (rows, columns, factor) = arrays, fixed
    found = []
    for first, last, keys in _stretches(q, k, rows):
        own = [_between(x, first, last) for x in (q, rows)]
        seen = k[:keys], v[:keys], columns if columns is None else columns[:keys], factor
        found.append(_attended_stretch(own, _seeing(mask, first, last, keys), seen))
    return (), [_joined(parts) for parts in zip(*found, strict=True)]


def _attended_stretch(own: Arrays, mask: Any, seen: Arrays) -> tuple[Any, Any]:
    q, rows = own
    k, v, columns, factor = seen
    n = len(q) // ROWS
    if n < 2:
        return attended(q, k, v, mask, rows, columns, factor)

    def block(_: Arrays, arrays: Arrays, mask: Any, fixed: Arrays) -> tuple[Arrays, Arrays]:
        q, *rows = arrays
        k, v, columns, factor = fixed
        return (), attended(q, k, v, mask, rows[0] if rows else None, columns, factor)

    moving = [_blocks(x, n) for x in (q, rows) if x is not None]
    _, (out, lse) = _each(moving, _blocks(mask, n), seen, block)
    found = out.reshape((n * ROWS, -1)), lse.reshape(-1)
    if len(q) % ROWS:
        q, mask, rows = (_rest(x, n) for x in (q, mask, rows))
        more = attended(q, k, v, mask, rows, columns, factor)
        found = tuple(np.concatenate(both) for both in zip(found, more, strict=True))  # type: ignore[assignment]
    return found


def _derived_head(_: Arrays, arrays: Arrays, mask: Any, fixed: Arrays) -> tuple[Arrays, Arrays]:
    """From the last queries to the first: what the keys behind a stretch get is complete before it."""
    (q, k, v, g, lse, shared), (rows, columns, factor) = arrays, fixed
    sums: Arrays = ()
    of_q: list[Any] = []
    behind: list[Arrays] = []
    for first, last, keys in reversed(_stretches(q, k, rows)):
        own = [_between(x, first, last) for x in (q, g, lse, shared, rows)]
        if sums:
            behind.append([x[keys:] for x in sums])
        seen = k[:keys], v[:keys], columns if columns is None else columns[:keys], factor
        made, *sums = _derived_stretch(own, _seeing(mask, first, last, keys), seen, [x[:keys] for x in sums])
        of_q.append(made)
    of_k, of_v = (_joined([x, *parts]) for x, *parts in zip(sums, *reversed(behind), strict=True))
    return (), (_joined(of_q[::-1]), of_k, of_v)


def _derived_stretch(own: Arrays, mask: Any, seen: Arrays, sums: Arrays) -> Arrays:
    """The gradient of queries, and of keys and values, added to the sums of these."""
    q, g, lse, shared, rows = own
    k, v, columns, factor = seen
    n = len(q) // ROWS
    if n < 2:
        of_q, *more = derived(q, g, lse, shared, mask, rows, k, v, columns, factor)
        return [of_q, *([x + y for x, y in zip(sums, more, strict=True)] if sums else more)]

    def block(states: Arrays, arrays: Arrays, mask: Any, fixed: Arrays) -> tuple[Arrays, Arrays]:
        q, g, lse, shared, *rows = arrays
        of_q, of_k, of_v = derived(q, g, lse, shared, mask, rows[0] if rows else None, *fixed)
        return (states[0] + of_k, states[1] + of_v), (of_q,)

    moving = [_blocks(x, n) for x in own if x is not None]
    sums = sums or (np.zeros_like(k), np.zeros_like(v))
    (of_k, of_v), (of_q,) = _each(moving, _blocks(mask, n), seen, block, sums)
    of_q = of_q.reshape((n * ROWS, -1))
    if len(q) % ROWS:
        q, g, lse, shared, mask, rows = (_rest(x, n) for x in (q, g, lse, shared, mask, rows))
        more, more_k, more_v = derived(q, g, lse, shared, mask, rows, k, v, columns, factor)
        of_q, of_k, of_v = np.concatenate([of_q, more]), of_k + more_k, of_v + more_v
    return [of_q, of_k, of_v]


def _places(causal: bool, *arrays: Any) -> list[Any]:
    """The numbers of queries and keys, where queries must not look behind themselves.

    They are as wide as a float32, and arrays of their own, so that as many fit into a vector as there are scores.
    """
    return [_counted(x, x.shape[-2]).astype(np.int32) if causal else None for x in arrays]


def _is_small(q: Any, k: Any) -> bool:
    """Whether all scores may be in memory at once."""
    return math.prod(q.shape[:-1]) * k.shape[-2] <= SMALL


def _nothing_seen(q: Any, v: Any) -> tuple[Any, Any]:
    """What attention is where there are no keys."""
    return np.zeros((*q.shape[:-1], v.shape[-1]), q.dtype), np.full(q.shape[:-1], np.inf, q.dtype)


def factor_of(q: Any, scale: Any) -> Any:
    """What scores are multiplied by, as an array of one number."""
    return np.full(1, scale, q.dtype) if isinstance(q, np.ndarray) else scale.astype(q.dtype).reshape((1,))


def attention(q: Any, k: Any, v: Any, mask: Any, scale: Any, *, causal: bool) -> Any:
    """softmax(q k.T scale) v and the logarithms of the sums: (B, H, L, Ev) and (B, H, L).

    Args:
        q, k, v: (B, H, L, E), (B, H, S, E), (B, H, S, Ev).
        mask: None, or what broadcasts to (B, H, L, S): true where a query may look, or numbers to add.
        scale: the factor of the scores.
        causal: whether a query sees no key behind its own place.
    """
    if not k.shape[-2]:
        return _nothing_seen(q, v)
    (rows, columns), factor = _places(causal, q, k), factor_of(q, scale)
    if _is_small(q, k):
        return attended(q, k, v, mask, rows, columns, factor)
    return tuple(each_head((q, k, v), mask, (rows, columns, factor), _attended_head))


def attention_backward(
    g: Any, q: Any, k: Any, v: Any, mask: Any, scale: Any, out: Any, lse: Any, *, causal: bool
) -> Any:
    """The gradients of q, k and v, from that of the result."""
    (rows, columns), factor, shared = _places(causal, q, k), factor_of(q, scale), (g * out).sum(axis=-1)
    if _is_small(q, k):
        return derived(q, g, lse, shared, mask, rows, k, v, columns, factor)
    return tuple(each_head((q, k, v, g, lse, shared), mask, (rows, columns, factor), _derived_head))
