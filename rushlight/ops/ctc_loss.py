"""Connectionist temporal classification (Graves et al. 2006): the likelihood of a label sequence under frame-wise
probabilities.

A sequence of S labels is spread over 2 S + 1 states, with blanks between; the forward recursion (alpha) sums over all
ways through them up to each frame, the backward recursion (beta) over all ways from there on.  Both run over the
frames for the whole batch at once, in logarithms (`core/scan.py`: one loop for the compiler); they are operations of
their own, so that the gradient finds the alphas of the loss.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from rushlight.core import dtype as dtypes
from rushlight.core.scan import Arrays, scan
from rushlight.record.operation import operation
from rushlight.record.spec import Spec, spec_of
from rushlight.record.trace import apply, realize, settle
from rushlight.record.value import Tensor

from .creation import wrap
from .public import public
from .reduction_mode import MODES, reduced_tensor
from .scatter import GATHER
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


def _states(targets: np.ndarray, lengths: np.ndarray, *, blank: int, longest: int) -> tuple[np.ndarray, np.ndarray]:
    """The label of each state (N, 2 S + 1), and where a way may jump over the blank before."""
    rows = _padded_targets(targets, lengths)
    labels = np.full((len(rows), 2 * longest + 1), blank, np.int64)
    labels[:, 1::2] = rows
    skips = np.zeros(labels.shape, bool)
    skips[:, 2:] = (labels[:, 2:] != blank) & (labels[:, 2:] != labels[:, :-2])
    return labels, skips


def _shifted(a: Any, by: int, fill: Any) -> Any:
    """Every row moved by some places; `fill` comes in."""
    n = a.shape[1] - abs(by)
    if n <= 0:
        return np.full_like(a, fill)
    part, place = (a[:, :n], slice(by, None)) if by > 0 else (a[:, -by:], slice(n))
    if not isinstance(a, np.ndarray):
        return part.placed(a.shape, fill, (slice(None), place))
    moved = np.full_like(a, fill)
    moved[:, place] = part
    return moved


def _any_of(here: Any, next_to: Any, beyond: Any) -> Any:
    """The logarithm of the sum of three probabilities, which are given as logarithms."""
    most = np.maximum(np.maximum(here, next_to), beyond)
    base = np.where(np.isneginf(most), most.dtype.type(0), most)
    return np.log(np.exp(here - base) + np.exp(next_to - base) + np.exp(beyond - base)) + base


def _onward(states: Arrays, rows: Arrays, constants: Arrays) -> tuple[Arrays, Arrays]:
    """A turn of alpha: from a state, from the one before, or over a blank."""
    (before,), (emitted,), (skips,) = states, rows, constants
    nothing = before.dtype.type(-np.inf)
    jumped = np.where(skips, _shifted(before, 2, nothing), nothing)
    alpha = _any_of(before, _shifted(before, 1, nothing), jumped) + emitted
    return (alpha,), (alpha,)


def _backward(states: Arrays, rows: Arrays, constants: Arrays) -> tuple[Arrays, Arrays]:
    """A turn of beta; a sample begins with its last frame, in one of its last two states."""
    (after,), (emitted, ends), (jumps, last) = states, rows, constants
    nothing = after.dtype.type(-np.inf)
    jumped = np.where(jumps, _shifted(after, -2, nothing), nothing)
    ways = _any_of(after, _shifted(after, -1, nothing), jumped)
    beta = np.where(ends.reshape(-1, 1), last, ways) + emitted
    return (beta,), (beta,)


def _alphas(emitted: Any, skips: Any) -> Any:
    frames, batch, states = emitted.shape
    if not frames:
        return emitted.copy()
    start = np.full((batch, states), -np.inf, emitted.dtype)
    start[:, 0] = 0  # before the first frame: the first two states follow
    with np.errstate(divide="ignore"):
        return scan(_onward, [_like(start, emitted)], [emitted], [skips], keep=False)[1][0]


def _betas(emitted: Any, skips: Any, ends: Any, last: Any) -> Any:
    if not emitted.shape[0]:
        return emitted.copy()
    nothing = np.full(emitted.shape[1:], -np.inf, emitted.dtype)
    jumps = _shifted(skips, -2, False)
    with np.errstate(divide="ignore"):
        found = scan(_backward, [_like(nothing, emitted)], [emitted, ends], [jumps, last], reverse=True, keep=False)
    return found[1][0]


def _like(start: np.ndarray, x: Any) -> Any:
    """The first states, where the compiler looks on as a table of its own."""
    if isinstance(x, np.ndarray):
        return start
    from rushlight.codegen.capture import table

    return table(start)


def _ends(emitted: np.ndarray, frames: np.ndarray, lengths: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Which frame is a sample's last (T, N); the logarithm of what is left to come there, by state (N, states)."""
    state = np.arange(emitted.shape[2])
    last = (state == 2 * lengths[:, None]) | (state == 2 * lengths[:, None] - 1)
    ends = np.arange(1, len(emitted) + 1)[:, None] == frames
    return ends, np.where(last, 0, -np.inf).astype(emitted.dtype)


def _likelihood(alpha: np.ndarray, frames: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """The negative log-likelihood of each example."""
    n = np.arange(len(frames))
    end = alpha[np.maximum(frames - 1, 0), n]
    final = end[n, 2 * lengths]
    label = np.where(lengths > 0, end[n, np.maximum(2 * lengths - 1, 0)], -np.inf)
    nll = -np.logaddexp(final, label)
    return np.where(frames == 0, np.where(lengths == 0, 0, np.inf), nll)


def _posteriors(labels: np.ndarray, ways: np.ndarray, classes: int) -> np.ndarray:
    """The probability of each class in each frame (T, N, C): the sum over the states with its label."""
    lines = ways.shape[0] * ways.shape[1]
    places = np.arange(lines).reshape(*ways.shape[:2], 1) * classes + labels
    known = np.nan_to_num(ways, nan=0.0, posinf=0.0).ravel()
    total = np.bincount(places.ravel(), known, lines * classes)
    return total.reshape(*ways.shape[:2], classes).astype(ways.dtype)


def _ctc_backward(
    d: Any, logp: Any, labels: Any, emitted: Any, alpha: Any, beta: Any, frames: Any, lengths: Any, *,
    zero_infinity: bool,
) -> Any:  # fmt: skip
    """exp(logp) minus the posterior of each class: PyTorch's gradient, which assumes a log_softmax before it."""
    nll = _likelihood(alpha, frames, lengths)
    with np.errstate(all="ignore"):
        ways = np.exp(alpha + beta - emitted + nll[:, None])
    found = (np.exp(logp) - _posteriors(labels, ways, logp.shape[2])) * d[:, None]
    impossible = np.isinf(nll)[:, None]
    found = np.where(impossible, 0 if zero_infinity else np.nan, found)
    return np.where((np.arange(len(logp))[:, None] < frames)[:, :, None], found, 0).astype(logp.dtype)


def _states_spec(targets: Spec, lengths: Spec, *, blank: int, longest: int) -> tuple[Spec, Spec]:
    shape = (lengths.numel, 2 * longest + 1)
    return spec_of(shape, dtypes.int64), spec_of(shape, dtypes.bool_)


def _ends_spec(emitted: Spec, frames: Spec, lengths: Spec) -> tuple[Spec, Spec]:
    return spec_of(emitted.shape[:2], dtypes.bool_), spec_of(emitted.shape[1:], emitted.dtype)


def _no_second_derivative(g: Tensor) -> Tensor:
    raise NotImplementedError("derivative for aten::_ctc_loss_backward is not implemented")


CTC_STATES = operation("ctc_states", _states_spec, _states)
CTC_ENDS = operation("ctc_ends", _ends_spec, _ends)
CTC_ALPHAS = operation("ctc_alphas", lambda emitted, skips: spec_of(emitted.shape, emitted.dtype), _alphas)
CTC_BETAS = operation("ctc_betas", lambda emitted, *_: spec_of(emitted.shape, emitted.dtype), _betas)
CTC_LOSS = operation(
    "ctc_loss",
    lambda logp, labels, skips, emitted, alpha, frames, lengths, *, zero_infinity: spec_of(frames.shape, logp.dtype),
    lambda logp, labels, skips, emitted, alpha, frames, lengths, *, zero_infinity: _likelihood(
        alpha, frames, lengths).astype(logp.dtype),
)  # fmt: skip
CTC_LOSS_BACKWARD = operation(
    "ctc_loss_backward",
    lambda d, logp, *_, zero_infinity: spec_of(logp.shape, logp.dtype), _ctc_backward,
)  # fmt: skip


def _gradient(g: Tensor, logp: Tensor, labels: Tensor, skips: Tensor, emitted: Tensor, alpha: Tensor, frames: Tensor,
              lengths: Tensor, zero_infinity: bool) -> Tensor:  # fmt: skip
    beta = apply(CTC_BETAS, (emitted, skips, *apply(CTC_ENDS, (emitted, frames, lengths))))
    return apply(CTC_LOSS_BACKWARD, (g, logp, labels, emitted, alpha, beta, frames, lengths), (zero_infinity,))


CTC_LOSS.gradient(logp=_gradient)
CTC_LOSS_BACKWARD.gradient(d=_no_second_derivative, logp=_no_second_derivative)


def _lengths(value: Any, batch: int, name: str) -> Tensor:
    if isinstance(value, Tensor):
        if settle(value).spec.dtype.is_floating_point or value._value.spec.dtype.is_complex:
            raise RuntimeError(f"{name} must be integral, but has dtype {value._value.spec.dtype}")
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


def _losses(logp: Tensor, targets: Tensor, frames: Tensor, lengths: Tensor, blank: int, zero_infinity: bool) -> Tensor:
    longest = int(lengths._value.buf.max()) if lengths.numel() else 0
    labels, skips = apply(CTC_STATES, (targets, lengths), (blank, longest))
    everywhere = labels.expand(logp.shape[0], *labels.shape)
    emitted = apply(GATHER, (logp.detach(), everywhere), (2,))
    alpha = apply(CTC_ALPHAS, (emitted, skips))
    return apply(CTC_LOSS, (logp, labels, skips, emitted, alpha, frames, lengths), (zero_infinity,))


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
    losses = _losses(log_probs, targets, frames, lengths, blank, zero_infinity)
    if zero_infinity:
        losses = where(losses.eq(float("inf")), 0.0, losses)
    if mode == "mean":
        return (losses / lengths.clamp_min(1).to(x.dtype)).mean()
    return reduced_tensor(losses if batched else losses.squeeze(0), mode)
