"""Attention in machine code for any extents: products by the linear-algebra library, all between them in one pass.

The scores of as many heads as fit the cache are made, become weights where they lie (`codegen/general_rows.py`), and
are multiplied by the values, before the next heads' are made.  The kernels of `attention_blocks.py`, which go through
blocks of queries, answer where the scores of a single head are many.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np

from .general import F32, F64, Kernel, Native, empty, runs

SMALL = 1 << 18  # scores that are in memory at once, if a head has no more
MOST = 1 << 22  # scores of a head
Part = tuple[slice, slice]


def _parts(images: int, heads: int, scores: int) -> Iterator[Part]:
    """Images and heads that are gone through at once, where a head has so many scores."""
    every = slice(None)
    if images * heads * scores <= SMALL:
        yield every, every
        return
    size = max(SMALL // scores, 1)
    for image in range(images):
        for head in range(0, heads, size):
            yield slice(image, image + 1), slice(head, head + size)


def _is_known(mask: Any, kind: Any) -> bool:
    return mask is None or mask.dtype == bool or mask.dtype is kind


def _of_part(mask: Any, part: Part) -> Any:
    """What of a mask concerns some images and heads: an extent of 1 holds for all."""
    mask = mask.reshape((1,) * (4 - mask.ndim) + mask.shape)
    return mask[tuple([at if n > 1 else slice(None) for n, at in zip(mask.shape, part, strict=False)])]


def _scores(q: Any, k: Any, mask: Any, scale: float, part: Part, room: Any) -> tuple[Any, float]:
    """The scores of a part, written into `room`, and what they are still to be multiplied by."""
    np.matmul(q[part], k[part].swapaxes(2, 3), room)
    if mask is None:
        return room, scale
    mask = _of_part(mask, part)
    room *= room.dtype.type(scale)
    if mask.dtype == bool:
        np.copyto(room, -math.inf, where=~mask)
    else:
        room += mask
    return room, 1.0


def _room(whole: Any, q: Any, keys: int, part: Part) -> Any:
    """Memory for the scores of a part: its own, if all are kept."""
    return empty((*q[part].shape[:3], keys), q.dtype) if whole is None else whole[part]


def _attention(keeps: bool, kernel: Kernel, single: Native, double: Native) -> Kernel:
    """`keeps`: the weights are the second result, and not the logarithms of their sums."""

    def run(q: Any, k: Any, v: Any, mask: Any, scale: Any, *, causal: bool) -> Any:
        kind, (images, heads, length, _), keys = q.dtype, q.shape, k.shape[2]
        f = single if kind is F32 else double if kind is F64 else None
        known = f is not None and 0 < length * keys <= MOST and 0 < scale < math.inf and _is_known(mask, kind)
        if not known or not q.size:
            return kernel(q, k, v, mask, scale, causal=causal)
        out, sums = empty((images, heads, length, v.shape[3]), kind), empty((images, heads, length), kind)
        whole = empty((images, heads, length, keys), kind) if keeps else None
        for part in _parts(images, heads, length * keys):
            scores, factor = _scores(q, k, mask, scale, part, _room(whole, q, keys, part))
            rows, period = scores.size // keys, length if causal else 0
            if not f(scores, scores, sums[part], rows, keys, period, factor):  # type: ignore[misc]
                return kernel(q, k, v, mask, scale, causal=causal)
            np.matmul(scores, v[part], out[part])
        return out, whole if keeps else sums

    return run


runs("attention_keeping_weights", function="attention_weights")(partial(_attention, True))
runs("scaled_dot_product_attention", function="attention_weights")(partial(_attention, False))


@runs("attention_keeping_weights_backward", function="weights_backward")
def _keeping_backward(kernel: Kernel, single: Native, double: Native) -> Kernel:
    def run(g: Any, q: Any, k: Any, v: Any, weights: Any, scale: Any) -> Any:
        kind, n = q.dtype, weights.shape[3]
        f = single if kind is F32 else double if kind is F64 else None
        if f is not None and weights.size:
            scores = np.matmul(g, v.swapaxes(2, 3))
            if f(scores, weights, scores, weights.size // n, n, scale):
                of_k = np.matmul(scores.swapaxes(2, 3), q)
                return np.matmul(scores, k), of_k, np.matmul(weights.swapaxes(2, 3), g)
        return kernel(g, q, k, v, weights, scale)

    return run


@runs("scaled_dot_product_attention_backward", function=("weights_again", "weights_backward"))
def _attention_backward(kernel: Kernel, *functions: Native) -> Kernel:
    def run(g: Any, q: Any, k: Any, v: Any, mask: Any, scale: Any, out: Any, lse: Any, *, causal: bool) -> Any:
        kind, (images, heads, length, _), keys = q.dtype, q.shape, k.shape[2]
        known = (kind is F32 or kind is F64) and lse.flags.c_contiguous and _is_known(mask, kind)
        if not known or not q.size or not 0 < length * keys <= MOST or not 0 < scale < math.inf:
            return kernel(g, q, k, v, mask, scale, out, lse, causal=causal)
        again, back = functions[kind is F64 :: 2]
        found = [empty(x.shape, kind) for x in (q, k, v)]
        for part in _parts(images, heads, length * keys):
            weights, factor = _scores(q, k, mask, scale, part, _room(None, q, keys, part))
            rows, period = weights.size // keys, length if causal else 0
            of_weights = np.matmul(g[part], v[part].swapaxes(2, 3))
            made = again(weights, lse[part], weights, rows, keys, period, factor)
            if not made or not back(of_weights, weights, of_weights, rows, keys, scale):
                return kernel(g, q, k, v, mask, scale, out, lse, causal=causal)
            np.matmul(of_weights, k[part], found[0][part])
            np.matmul(of_weights.swapaxes(2, 3), q[part], found[1][part])
            np.matmul(weights.swapaxes(2, 3), g[part], found[2][part])
        return tuple(found)

    return run
