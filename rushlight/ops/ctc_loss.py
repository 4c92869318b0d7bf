"""Connectionist temporal classification (Graves et al. 2006): the likelihood of a label sequence under frame-wise
probabilities.

A sequence of S labels is spread over 2 S + 1 states, with blanks between; the forward recursion (alpha) sums over all
ways through them up to each frame, the backward recursion (beta) over all ways from there on.  Both run over the
frames for the whole batch at once, in logarithms.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from rushlight.core import dtype as dtypes
from rushlight.record.operation import operation
from rushlight.record.spec import Spec, spec_of
from rushlight.record.trace import apply, realize, settle
from rushlight.record.value import Tensor

from .creation import wrap
from .public import public
from .reduction_mode import MODES, reduced_tensor
from .selection import where


def _padded_targets(targets: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Targets as a matrix (N, longest), from a matrix or from all sequences in one row."""
    longest = int(lengths.max()) if lengths.size else 0
    if targets.ndim == 2:
        return targets[:, :longest]
    rows = np.zeros((len(lengths), longest), targets.dtype)
    ends = np.cumsum(lengths)
    for row, end, length in zip(rows, ends, lengths, strict=True):
        row[:length] = targets[end - length : end]
    return rows


def _states(targets: np.ndarray, lengths: np.ndarray, blank: int) -> tuple[np.ndarray, np.ndarray]:
    """The label of each state (N, 2 S + 1), and where a way may jump over the blank before."""
    rows = _padded_targets(targets, lengths)
    labels = np.full((len(rows), 2 * rows.shape[1] + 1), blank, np.int64)
    labels[:, 1::2] = rows
    skips = np.zeros(labels.shape, bool)
    skips[:, 2:] = (labels[:, 2:] != blank) & (labels[:, 2:] != labels[:, :-2])
    return labels, skips


def _shifted(a: np.ndarray, by: int) -> np.ndarray:
    moved = np.full_like(a, -np.inf)
    if by > 0:
        moved[:, by:] = a[:, :-by] if by < a.shape[1] else moved[:, by:]
    else:
        moved[:, :by] = a[:, -by:] if -by < a.shape[1] else moved[:, :by]
    return moved


def _emissions(logp: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """The log-probability of each state's label in each frame, (T, N, states)."""
    return np.take_along_axis(logp, np.broadcast_to(labels, (len(logp), *labels.shape)), 2)


def _alphas(emitted: np.ndarray, skips: np.ndarray) -> np.ndarray:
    alpha = np.full(emitted.shape, -np.inf, emitted.dtype)
    if not len(emitted):
        return alpha
    alpha[0, :, :2] = emitted[0, :, :2]
    for t in range(1, len(emitted)):
        before = alpha[t - 1]
        ways = np.logaddexp(before, _shifted(before, 1))
        ways = np.logaddexp(ways, np.where(skips, _shifted(before, 2), -np.inf))
        alpha[t] = ways + emitted[t]
    return alpha


def _betas(emitted: np.ndarray, skips: np.ndarray, frames: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    beta = np.full(emitted.shape, -np.inf, emitted.dtype)
    state = np.arange(emitted.shape[2])
    last = (state == 2 * lengths[:, None]) | (state == 2 * lengths[:, None] - 1)
    onward = np.zeros_like(skips)
    onward[:, :-2] = skips[:, 2:]
    for t in range(len(emitted) - 1, -1, -1):
        if t + 1 < len(emitted):
            after = beta[t + 1]
            ways = np.logaddexp(after, _shifted(after, -1))
            ways = np.logaddexp(ways, np.where(onward, _shifted(after, -2), -np.inf))
        else:
            ways = np.full(emitted.shape[1:], -np.inf, emitted.dtype)
        ways = np.where((frames == t + 1)[:, None], np.where(last, 0, -np.inf), ways)
        beta[t] = ways + emitted[t]
    return beta


def _likelihood(alpha: np.ndarray, frames: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """The negative log-likelihood of each example."""
    n = np.arange(len(frames))
    end = alpha[np.maximum(frames - 1, 0), n]
    final = end[n, 2 * lengths]
    label = np.where(lengths > 0, end[n, np.maximum(2 * lengths - 1, 0)], -np.inf)
    nll = -np.logaddexp(final, label)
    return np.where(frames == 0, np.where(lengths == 0, 0, np.inf), nll)


def _ctc(logp: Any, targets: Any, frames: Any, lengths: Any, *, blank: int) -> Any:
    labels, skips = _states(targets, lengths, blank)
    return _likelihood(_alphas(_emissions(logp, labels), skips), frames, lengths).astype(logp.dtype)


def _ctc_backward(
    d: Any, logp: Any, targets: Any, frames: Any, lengths: Any, *, blank: int, zero_infinity: bool
) -> Any:
    """exp(logp) minus the posterior of each class: PyTorch's gradient, which assumes a log_softmax before it."""
    labels, skips = _states(targets, lengths, blank)
    emitted = _emissions(logp, labels)
    alpha, beta = _alphas(emitted, skips), _betas(emitted, skips, frames, lengths)
    nll = _likelihood(alpha, frames, lengths)
    with np.errstate(all="ignore"):
        ways = np.exp(alpha + beta - emitted + nll[:, None])
    posterior = np.zeros(logp.shape, logp.dtype)
    t, n, _ = np.indices(ways.shape, sparse=True)
    np.add.at(posterior, (t, n, np.broadcast_to(labels, ways.shape)), np.nan_to_num(ways, nan=0.0, posinf=0.0))
    found = (np.exp(logp) - posterior) * d[:, None]
    if zero_infinity:
        found = np.where(np.isinf(nll)[:, None], 0, found)
    else:
        found = np.where(np.isinf(nll)[:, None], np.nan, found)
    return np.where((np.arange(len(logp))[:, None] < frames)[:, :, None], found, 0).astype(logp.dtype)


def _no_second_derivative(g: Tensor) -> Tensor:
    raise NotImplementedError("derivative for aten::_ctc_loss_backward is not implemented")


CTC_LOSS = operation(
    "ctc_loss", lambda logp, targets, frames, lengths, *, blank, zero_infinity: spec_of((logp.shape[1],), logp.dtype),
    lambda logp, targets, frames, lengths, *, blank, zero_infinity: _ctc(logp, targets, frames, lengths, blank=blank),
)  # fmt: skip
CTC_LOSS_BACKWARD = operation(
    "ctc_loss_backward",
    lambda d, logp, targets, frames, lengths, *, blank, zero_infinity: spec_of(logp.shape, logp.dtype), _ctc_backward,
)  # fmt: skip
CTC_LOSS.gradient(
    logp=lambda g, logp, targets, frames, lengths, blank, zero_infinity: apply(
        CTC_LOSS_BACKWARD, (g, logp, targets, frames, lengths), (blank, zero_infinity)
    )
)
CTC_LOSS_BACKWARD.gradient(d=_no_second_derivative, logp=_no_second_derivative)


def _lengths(value: Any, batch: int, name: str) -> Tensor:
    if isinstance(value, Tensor):
        found = np.array(realize(value), np.int64).reshape(-1)
    else:
        found = np.array([int(n) for n in (value if isinstance(value, (list, tuple)) else [value])], np.int64)
    if len(found) != batch:
        raise RuntimeError(f"{name} must be of size batch_size")
    return wrap(found)


def _check(x: Spec, targets: Spec, frames: np.ndarray, lengths: np.ndarray, blank: int) -> None:
    if not x.dtype.is_floating_point:
        raise RuntimeError(f"\"ctc_loss_cpu\" not implemented for '{x.dtype.scalar_name}'")
    if targets.dtype not in (dtypes.int64, dtypes.int32):
        raise RuntimeError(f"targets must be int32 or int64, but got {targets.dtype}")
    if not 0 <= blank < x.shape[2]:
        raise RuntimeError("blank must be in label range")
    where_ = "(while checking arguments for ctc_loss_allocate_outputs)"
    if frames.size and frames.max() > x.shape[0]:
        raise RuntimeError(
            f"Expected input_lengths to have value at most {x.shape[0]}, but got value {frames.max()} {where_}"
        )
    if frames.size and frames.min() < 0:
        raise RuntimeError(f"Expected input_lengths to have value at least 0, but got value {frames.min()} {where_}")
    if lengths.size and lengths.min() < 0:
        raise RuntimeError(f"Expected target_lengths to have value at least 0, but got value {lengths.min()} {where_}")
    room = targets.shape[1] if targets.ndim == 2 else targets.numel
    needed = (int(lengths.max()) if lengths.size else 0) if targets.ndim == 2 else int(lengths.sum())
    if (targets.ndim == 2 and (needed > room or targets.shape[0] != x.shape[1])) or (
        targets.ndim == 1 and needed != room
    ):
        raise RuntimeError(
            f"Expected tensor to have size {needed} for argument #2 'targets', but got targets of size "
            f"{list(targets.shape)} "
            f"{where_}"
        )


@public(method=False, functional=True)
def ctc_loss(log_probs: Tensor, targets: Tensor, input_lengths: Any, target_lengths: Any, blank: int = 0,
             reduction: Any = "mean", zero_infinity: bool = False) -> Tensor:  # fmt: skip
    """The negative log-likelihood of label sequences
    (https://pytorch.org/docs/stable/generated/torch.nn.functional.ctc_loss.html).

    Shapes: log_probs (T, N, C) or (T, C), from `log_softmax`; targets (N, S) or all labels in one row; the lengths
    (N).  "mean" divides each loss by its target's length first.  With `zero_infinity`, impossible alignments cost 0
    instead of infinity.
    """
    mode = ("none", "mean", "sum")[reduction] if isinstance(reduction, int) else reduction
    if mode not in MODES:
        raise ValueError(f"{mode} is not a valid value for reduction")
    batched = settle(log_probs).spec.ndim == 3
    if not batched:
        log_probs = log_probs.unsqueeze(1)
        targets = targets.unsqueeze(0) if targets.dim() == 1 else targets
    x = settle(log_probs).spec
    frames = _lengths(input_lengths, x.shape[1], "input_lengths")
    lengths = _lengths(target_lengths, x.shape[1], "target_lengths")
    _check(x, settle(targets).spec, frames._value.buf, lengths._value.buf, blank)
    losses = apply(CTC_LOSS, (log_probs, targets, frames, lengths), (blank, zero_infinity))
    if zero_infinity:
        losses = where(losses.eq(float("inf")), 0.0, losses)
    if mode == "mean":
        return (losses / lengths.clamp_min(1).to(x.dtype)).mean()
    return reduced_tensor(losses if batched else losses.squeeze(0), mode)
