"""Padding: numbers put around the last dimensions, constants or numbers of the tensor itself.

`pad` sizes go from the last dimension backwards, as in PyTorch, and may be negative, which cuts off.  Reflection,
replication and wrapping around are one operation each: every dimension takes its numbers from positions worked out
once.
"""

from __future__ import annotations

import functools
import itertools
import math
from typing import Any

import numpy as np

from rushlight.core import dtype as dtypes
from rushlight.record.operation import Operation, operation
from rushlight.record.spec import Spec
from rushlight.record.trace import apply, settle
from rushlight.record.value import Tensor

from .public import public
from .rules import in_format_of
from .view import index_layout

Pads = tuple[tuple[int, int], ...]  # (before, behind) for each of the last dimensions, in the dimensions' order

# ---------------------------------------------------------------------------------------------------------------------
# Constant


def _padded_shape(shape: tuple[int, ...], pads: Pads) -> tuple[int, ...]:
    lead = len(shape) - len(pads)
    return (*shape[:lead], *(n + a + b for n, (a, b) in zip(shape[lead:], pads, strict=True)))


def _overlap(shape: tuple[int, ...], pads: Pads) -> tuple[Any, Any]:
    """What of the input survives, and where it lies in the result."""
    space = shape[len(shape) - len(pads) :]
    source = tuple(slice(max(-a, 0), n + min(b, 0)) for n, (a, b) in zip(space, pads, strict=True))
    target = tuple(slice(max(a, 0), max(a, 0) + s.stop - s.start) for (a, _), s in zip(pads, source, strict=True))
    return (..., *source), (..., *target)


def _constant(x: np.ndarray, value: Any, *, pads: Pads) -> np.ndarray:
    shape = _padded_shape(x.shape, pads)
    whole = np.full(shape, value, x.dtype)
    source, target = _overlap(x.shape, pads)
    whole[target] = x[source]
    return whole


def _constant_spec(x: Spec, value: Spec, *, pads: Pads) -> Spec:
    shape = _padded_shape(x.shape, pads)
    if any(n < 0 for n in shape):
        raise RuntimeError(
            f"The input size {list(x.shape)}, plus negative padding {[p for pair in reversed(pads) for p in pair]} "
            f"resulted in a "
            f"negative output size: {list(shape)}"
        )
    return in_format_of(x, shape=shape)


CONSTANT_PAD = operation("constant_pad_nd", _constant_spec, _constant)
CONSTANT_PAD.lower = lambda x, value, *, pads: x[_overlap(x.shape, pads)[0]].placed(
    _padded_shape(x.shape, pads), value, _overlap(x.shape, pads)[1]
)
CONSTANT_PAD.gradient(x=lambda g, pads: apply(CONSTANT_PAD, (g, 0), (tuple((-a, -b) for a, b in pads),)))

# ---------------------------------------------------------------------------------------------------------------------
# From the tensor itself


@functools.lru_cache(maxsize=1024)
def _positions(n: int, before: int, behind: int, mode: str) -> np.ndarray:
    """Where each number of a padded dimension comes from."""
    at = np.arange(-before, n + behind)
    if mode == "replicate":
        return np.clip(at, 0, n - 1)
    if mode == "circular":  # what is cut off does not come round again
        start, stop = max(-before, 0), n - max(-behind, 0)
        return start + (at - start) % (stop - start)
    period = max(2 * (n - 1), 1)
    at = at % period
    return np.minimum(at, period - at)


def _gathered(x: np.ndarray, *, pads: Pads, mode: str) -> np.ndarray:
    lead = x.ndim - len(pads)
    for axis, (before, behind) in enumerate(pads, lead):
        if before or behind:
            x = np.take(x, _positions(x.shape[axis], before, behind, mode), axis)
    return x


def _scattered(d: np.ndarray, *, pads: Pads, mode: str) -> np.ndarray:
    """The adjoint of `_gathered`: a dimension's borders are added to where they came from."""
    lead = d.ndim - len(pads)
    for axis, (before, behind) in enumerate(pads, lead):
        if before or behind:
            d = _borders_added(d, axis, before, behind, mode)
    return d


def _borders_added(d: np.ndarray, axis: int, before: int, behind: int, mode: str) -> np.ndarray:
    n = d.shape[axis] - before - behind
    start, stop = max(-before, 0), n - max(-behind, 0)
    whole = np.zeros((*d.shape[:axis], n, *d.shape[axis + 1 :]), d.dtype)
    lead: Any = (slice(None),) * axis
    whole[(*lead, slice(start, stop))] = d[(*lead, slice(start + before, stop + before))]
    source = _positions(n, before, behind, mode).tolist()
    for i in (*range(before), *range(n + before, n + before + behind)):
        whole[(*lead, source[i])] += d[(*lead, i)]
    return whole


Run = tuple[int, int, int]  # of positions: the first, how many, and the step
MOST_PIECES = 32


def _runs(at: np.ndarray) -> list[Run]:
    """Positions as (first, how many, step), the step 1, -1 or 0."""
    runs: list[Run] = []
    for place in at.tolist():
        if runs:
            first, count, step = runs[-1]
            next_ = place - first - (count - 1) * step
            if next_ == step or (count == 1 and abs(next_) <= 1):
                runs[-1] = first, count + 1, next_
                continue
        runs.append((place, 1, 1))
    return runs


def _gathered_symbols(x: Any, *, pads: Pads, mode: str) -> Any:
    """For the compiler: each padded dimension has stretches of the other, forwards and backwards; what is padded is put
    together from all their combinations, or dimension by dimension where these are many."""
    lead = x.ndim - len(pads)
    stretches = {
        axis: _runs(_positions(x.shape[axis], before, behind, mode))
        for axis, (before, behind) in enumerate(pads, lead)
        if before or behind
    }
    if math.prod(map(len, stretches.values())) <= MOST_PIECES:
        return _of_pieces(x, stretches)
    for axis, runs in stretches.items():
        x = _of_pieces(x, {axis: runs})
    return x


def _of_pieces(x: Any, stretches: dict[int, list[Run]]) -> Any:
    """For each combination of stretches a piece, where it lies behind those before."""
    shape = list(x.shape)
    starts = {}
    for axis, runs in stretches.items():
        *starts[axis], shape[axis] = itertools.accumulate([count for _, count, _ in runs], initial=0)
    pieces, indices = [], []
    for choice in itertools.product(*[range(len(runs)) for runs in stretches.values()]):
        piece, index = x, [(0, n, 1) for n in shape]
        for (axis, runs), k in zip(stretches.items(), choice, strict=True):
            piece = _stretch(piece, axis, *runs[k])
            index[axis] = (starts[axis][k], starts[axis][k] + runs[k][1], 1)
        pieces.append(piece)
        indices.append(tuple(index))
    return x.assembled(pieces, tuple(shape), lambda *where: [index_layout(*where, index=i) for i in indices])


def _stretch(x: Any, axis: int, first: int, count: int, step: int) -> Any:
    place: Any = (slice(None),) * axis
    if step == 0:
        part = x[(*place, slice(first, first + 1))]
        return np.broadcast_to(part, (*x.shape[:axis], count, *x.shape[axis + 1 :]))
    end = first + count * step
    return x[(*place, slice(first, None if end < 0 else end, step))]


def _scattered_symbols(d: Any, *, pads: Pads, mode: str) -> Any:
    lead = d.ndim - len(pads)
    for axis, (before, behind) in enumerate(pads, lead):
        if not before and not behind:
            continue
        n = d.shape[axis] - before - behind
        start, stop = max(-before, 0), n - max(-behind, 0)
        place: Any = (slice(None),) * axis
        inner = d[(*place, slice(start + before, stop + before))]
        shape = (*d.shape[:axis], n, *d.shape[axis + 1 :])
        whole = inner if stop - start == n else inner.placed(shape, 0, (*place, slice(start, stop), ...))
        outer = [slice(0, max(before, 0)), slice(n + before, n + before + max(behind, 0))]
        source = np.concatenate([_positions(n, before, behind, mode)[part] for part in outer])
        borders = [d[(*place, part)] for part in outer if part.stop > part.start]
        if borders:
            whole = whole.with_slices(source, np.concatenate(borders, axis), axis, "add")
        d = whole
    return d


def _gathering(name: str, node: str) -> Operation:
    op = operation(
        name, lambda x, *, pads, mode: in_format_of(x, shape=_padded_shape(x.shape, pads)), _gathered, node=node
    )
    back = operation(
        f"{name}_backward",
        lambda d, *, pads, mode: in_format_of(d, shape=_padded_shape(d.shape, tuple((-a, -b) for a, b in pads))),
        _scattered,
        node=node.replace("Backward0", "BackwardBackward0"),
    )
    op.lower, back.lower = _gathered_symbols, _scattered_symbols
    op.gradient(x=lambda g, pads, mode: apply(back, (g,), (pads, mode)))
    back.gradient(d=lambda g, pads, mode: apply(op, (g,), (pads, mode)))
    return op


_GATHERING = {
    (mode, dims): _gathering(f"{kind}_pad{dims}d", f"{kind.capitalize()}Pad{dims}DBackward0")
    for mode, kind in (("reflect", "reflection"), ("replicate", "replication"))
    for dims in (1, 2, 3)
} | {("circular", dims): _gathering(f"circular_pad{dims}d", "CopySlices") for dims in (1, 2, 3)}


def _check_reach(shape: tuple[int, ...], pads: Pads, mode: str) -> None:
    lead = len(shape) - len(pads)
    for axis, (before, behind) in enumerate(pads, lead):
        n = shape[axis]
        if n == 0:
            raise RuntimeError(
                f"Expected {len(pads) + 1}D or {len(pads) + 2}D (batch mode) tensor with possibly 0 batch size and "
                f"other non-zero dimensions for input, but got: {list(shape)}"
            )
        if mode == "reflect" and (before >= n or behind >= n):
            raise RuntimeError(
                "Argument #4: Padding size should be less than the corresponding input dimension, but got: padding "
                f"({before}, {behind}) at dimension {axis} of input {list(shape)}"
            )
        if mode == "circular" and max(before, behind) > n + min(before, 0) + min(behind, 0):
            raise RuntimeError("Padding value causes wrapping around more than once.")
        if n + before + behind <= 0:
            raise RuntimeError(
                f"Padding {before, behind} leaves nothing of dimension {axis} of input {list(shape)}: output size is "
                f"too small"
            )


@public(method=False, function=False, functional=True)
def pad(input: Tensor, pad: Any, mode: str = "constant", value: float | None = None) -> Tensor:
    """The tensor with numbers around its last dimensions
    (https://pytorch.org/docs/stable/generated/torch.nn.functional.pad.html).

    `pad` lists (before, behind) for the last dimension, then for the one before it, and so on; negative sizes cut off.
    Modes: "constant" (with `value`, 0 by default), "reflect", "replicate" and "circular".

    >>> torch.nn.functional.pad(torch.tensor([1, 2]), (1, 2))
    tensor([0, 1, 2, 0, 0])
    """
    sizes = tuple(int(p) for p in pad)
    spec = settle(input).spec
    if mode not in ("constant", "reflect", "replicate", "circular"):
        raise NotImplementedError(f"Unrecognised padding mode {mode}")
    if len(sizes) % 2:
        raise RuntimeError("Padding length must be divisible by 2")
    if len(sizes) // 2 > spec.ndim:
        raise RuntimeError(
            "Padding length should be less than or equal to two times the input dimension but got padding length "
            f"{len(sizes)} and input of dimension {spec.ndim}"
        )
    pads = tuple((sizes[i], sizes[i + 1]) for i in range(len(sizes) - 2, -1, -2))
    if mode == "constant":
        return apply(CONSTANT_PAD, (input, 0.0 if value is None else value), (pads,))
    if value is not None and value != 0:
        raise RuntimeError(f'Padding mode "{mode}" doesn\'t take in value argument')
    dims = len(pads)
    if dims not in (1, 2, 3) or spec.ndim not in (dims + 1, dims + 2):
        raise NotImplementedError(
            f"Padding size {len(sizes)} is not supported for {spec.ndim}D input tensor.\n"
            "Supported combinations for non-constant padding:\n"
            "  - 2D or 3D input: padding size = 2 (pads last dimension)\n"
            "  - 3D or 4D input: padding size = 4 (pads last 2 dimensions)\n"
            "  - 4D or 5D input: padding size = 6 (pads last 3 dimensions)"
        )
    if spec.dtype is dtypes.bool_ and mode != "circular":
        raise NotImplementedError(f"\"{mode.removesuffix('e')}ion_pad{dims}d\" not implemented for 'Bool'")
    _check_reach(spec.shape, pads, mode)
    return apply(_GATHERING[mode, dims], (input,), (pads, mode))


@public(method=False)
def constant_pad_nd(input: Tensor, pad: Any, value: float = 0) -> Tensor:
    """`torch.nn.functional.pad` with a constant."""
    return globals()["pad"](input, pad, "constant", value)
