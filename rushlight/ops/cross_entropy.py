"""Losses of classification: the negative log-likelihood of a class, and cross entropy on top of it.

The class scores lie along dimension 1 (dimension 0 of a single example); the targets are class indices in the shape
that is left, or, for `cross_entropy`, probabilities in the shape of the scores.  `nll_loss` is linear in the scores,
so its derivative and it are each other's adjoints.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from rushlight.codegen.assembly import checked_positions, iota, one_of_each
from rushlight.core import dtype as dtypes
from rushlight.record.operation import Operation, operation
from rushlight.record.spec import Spec, spec_of
from rushlight.record.trace import apply, settle
from rushlight.record.value import Tensor

from .arithmetic import DIVIDE_BY_NUMBER
from .matmul import first_shown
from .public import public
from .reduction_mode import reduction_of
from .selection import masked_fill
from .softmax import log_softmax

# ---------------------------------------------------------------------------------------------------------------------
# Kernels


def _kept(target: np.ndarray, classes: int, ignore_index: int) -> np.ndarray | None:
    """Which targets count; None if all do. Raises IndexError for a class that does not exist."""
    unsigned = target.view(np.uint64) if target.dtype == np.int64 else target  # where a negative class is a large one
    if not 0 <= ignore_index < classes and np.maximum.reduce(unsigned, axis=None, initial=0) < classes:
        return None
    kept = target != ignore_index
    wrong = target[kept & ((target < 0) | (target >= classes))]
    if wrong.size:
        raise IndexError(f"Target {wrong.flat[0]} is out of bounds.")
    return kept


def _weights(target: np.ndarray, weight: Any, kept: Any, like: np.dtype) -> tuple[np.ndarray, Any]:
    """The targets with ignored ones made class 0, and what each target weighs (None: 1)."""
    safe = target if kept is None else np.where(kept, target, 0)
    if weight is None:
        return safe, None if kept is None else kept.astype(like)
    found = weight[safe]
    return safe, found if kept is None else found * kept


def _nll(x: Any, target: Any, weight: Any, *, reduction: str, ignore_index: int) -> Any:
    axis = min(1, x.ndim - 1)
    target = target.astype(np.int64, copy=False).reshape(x.shape[:axis] + x.shape[axis + 1 :])
    safe, share = _weights(target, weight, _kept(target, x.shape[axis], ignore_index), x.dtype)
    if x.ndim == 2:
        losses = -x[np.arange(len(x)), safe]
    else:
        losses = -np.take_along_axis(x, np.expand_dims(safe, axis), axis).squeeze(axis)
    if share is not None:
        losses = np.where(share == 0, 0, losses * share).astype(x.dtype, copy=False)
    if reduction == "none":
        return losses
    total = np.add.reduce(losses, axis=None)
    return total if reduction == "sum" else total / _total_weight(target, share, x.dtype)


def _total_weight(target: Any, share: Any, kind: np.dtype) -> Any:
    return kind.type(target.size) if share is None else np.add.reduce(share, axis=None)


def _nll_backward(
    d: Any, target: Any, weight: Any, *, shape: tuple[int, ...], reduction: str, ignore_index: int
) -> Any:
    axis = min(1, len(shape) - 1)
    target = target.astype(np.int64, copy=False).reshape(shape[:axis] + shape[axis + 1 :])
    safe, share = _weights(target, weight, _kept(target, shape[axis], ignore_index), d.dtype)
    if reduction == "mean":
        d = d / _total_weight(target, share, d.dtype)
    values = -d if share is None else np.where(share == 0, 0, -d * share)
    found = np.zeros(shape, d.dtype)
    if len(shape) == 2:
        found[np.arange(shape[0]), safe] = values
    else:
        spread = np.broadcast_to(values, target.shape)
        np.put_along_axis(found, np.expand_dims(safe, axis), np.expand_dims(spread, axis), axis)
    return found


# ---------------------------------------------------------------------------------------------------------------------
# The same for the compiler: without asking whether any target is ignored.  A class out of range is left to the kernels.


def _shares(target: Any, weight: Any, shape: tuple[int, ...], ignore_index: int, like: np.dtype) -> tuple[Any, Any]:
    """The targets with ignored ones made class 0, and what each target weighs."""
    axis = min(1, len(shape) - 1)
    target = target.astype(np.int64).reshape(shape[:axis] + shape[axis + 1 :])
    kept = target != ignore_index
    safe = checked_positions(np.where(kept, target, 0), shape[axis])
    return safe, kept.astype(like) if weight is None else np.where(kept, np.take(weight, safe, 0), like.type(0))


def _nll_symbols(x: Any, target: Any, weight: Any, *, reduction: str, ignore_index: int) -> Any:
    safe, share = _shares(target, weight, x.shape, ignore_index, x.dtype)
    losses = -one_of_each(x, safe, min(1, x.ndim - 1))
    losses = np.where(share == 0, x.dtype.type(0), losses if weight is None else losses * share)
    if reduction == "none":
        return losses
    total = np.add.reduce(losses, axis=None)
    return total if reduction == "sum" else total / np.add.reduce(share, axis=None)


def _nll_backward_symbols(
    d: Any, target: Any, weight: Any, *, shape: tuple[int, ...], reduction: str, ignore_index: int
) -> Any:
    safe, share = _shares(target, weight, shape, ignore_index, d.dtype)
    if reduction == "mean":
        d = d / np.add.reduce(share, axis=None)
    values = np.where(share == 0, d.dtype.type(0), -d * share)
    axis = min(1, len(shape) - 1)
    wide = shape[:axis] + (1,) + shape[axis + 1 :]
    return np.where(safe.reshape(wide) == iota(shape, axis), values.reshape(wide), d.dtype.type(0))


# ---------------------------------------------------------------------------------------------------------------------
# Operations


def _nll_spec(x: Spec, target: Spec, weight: Spec | None, *, reduction: str, ignore_index: int) -> Spec:
    if not x.dtype.is_floating_point:
        raise NotImplementedError(f"\"nll_loss_out_frame\" not implemented for '{x.dtype.scalar_name}'")
    _check_nll(x, target, weight)
    return spec_of(target.shape if reduction == "none" else (), x.dtype)


def _check_nll(x: Spec, target: Spec, weight: Spec | None) -> None:
    if x.ndim < 1:
        raise ValueError(f"Expected 1 or more dimensions (got {x.ndim})")
    if x.ndim == 1 and target.ndim and target.numel != 1:
        raise ValueError(f"For 1D input, 1D target must have size 1, but got target size: {target.shape[0]}")
    if x.ndim != 1 and (not target.ndim or x.shape[0] != target.shape[0]):
        got = target.shape[0] if target.ndim else 0
        raise ValueError(f"Expected input batch_size ({x.shape[0]}) to match target batch_size ({got}).")
    if x.ndim <= 2 and target.ndim > 1:
        raise RuntimeError("0D or 1D target tensor expected, multi-target not supported")
    if target.dtype not in (dtypes.int64, dtypes.uint8):
        raise RuntimeError(f"expected target dtype to be Long or Byte, but got {target.dtype.scalar_name}")
    if x.ndim > 2:
        _check_places(x, target)
    classes = x.shape[min(1, x.ndim - 1)]
    if weight is not None:
        if weight.ndim != 1 or weight.numel != classes:
            raise RuntimeError(
                f"weight tensor should be defined either for all {classes} classes or no classes but got weight "
                f"tensor of "
                f"shape: {list(weight.shape)}"
            )
        if weight.dtype is not x.dtype:
            raise RuntimeError(f"expected scalar type {x.dtype.scalar_name} but found {weight.dtype.scalar_name}")


def _check_places(x: Spec, target: Spec) -> None:
    wanted = (x.shape[0], *x.shape[2:])
    if target.shape == wanted:
        return
    if x.ndim == 4:
        if target.ndim != 3:
            raise RuntimeError(
                f"only batches of spatial targets supported (3D tensors) but got targets of dimension: {target.ndim}"
            )
        raise RuntimeError(f"size mismatch (got input: {list(x.shape)} , target: {list(target.shape)}")
    raise RuntimeError(f"Expected target size {list(wanted)}, got {list(target.shape)}")


def _nll_operation(name: str, node: str) -> Operation:
    op = operation(name, _nll_spec, _nll, node=node)
    back = operation(
        f"{name}_backward", lambda d, target, weight, *, shape, reduction, ignore_index: spec_of(shape, d.dtype),
        _nll_backward, node=node.replace("Backward0", "BackwardBackward0"),
    )  # fmt: skip
    op.lower, back.lower = _nll_symbols, _nll_backward_symbols
    op.shown = first_shown
    op.gradient(
        x=lambda g, target, weight, x_spec, reduction, ignore_index: apply(
            back, (g, target, weight), (x_spec.shape, reduction, ignore_index)
        )
    )
    back.gradient(
        d=lambda g, target, weight, reduction, ignore_index: apply(op, (g, target, weight), (reduction, ignore_index))
    )
    return op


NLL = _nll_operation("nll_loss", "NllLossBackward0")
NLL_ND = _nll_operation("nll_loss_nd", "NllLoss2DBackward0")


@public(function=False, method=False, functional=True)
def nll_loss(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: Any = None,
    ignore_index: int = -100,
    reduce: Any = None,
    reduction: str = "mean",
) -> Tensor:
    """The negative log-likelihood of the target classes, weighted by `weight` of each class
    (https://pytorch.org/docs/stable/generated/torch.nn.NLLLoss.html).

    Shapes: input (C), (N, C) or (N, C, d1, ...), log-probabilities; target (), (N) or (N, d1, ...), integers in [0, C)
    or `ignore_index`. Raises IndexError for a class that does not exist.

    >>> torch.nn.functional.nll_loss(torch.tensor([[-0.1, -2.4]]), torch.tensor([1]))
    tensor(2.4000)
    """
    if size_average is not None or reduce is not None or reduction not in ("mean", "sum", "none"):
        reduction = reduction_of(reduction, size_average, reduce)
    spec = settle(input).spec
    _check_classes(target, spec, ignore_index)
    return apply(NLL if spec.ndim <= 2 else NLL_ND, (input, target, weight), (reduction, ignore_index))


def _check_classes(target: Tensor, spec: Spec, ignore_index: int) -> None:
    """Raises IndexError at once where the targets are known already."""
    found = settle(target)
    if found.buf is not None and found.spec.numel and spec.ndim and found.spec.dtype is dtypes.int64:
        _kept(found.buf, spec.shape[min(1, spec.ndim - 1)], ignore_index)


# ---------------------------------------------------------------------------------------------------------------------
# Cross entropy


@public(function=False, method=False, functional=True)
def cross_entropy(input: Tensor, target: Tensor, weight: Tensor | None = None, size_average: Any = None,
                  ignore_index: int = -100, reduce: Any = None, reduction: str = "mean",
                  label_smoothing: float = 0.0) -> Tensor:  # fmt: skip
    """Softmax and negative log-likelihood in one: the loss of a classifier that returns unnormalised scores
    (https://pytorch.org/docs/stable/generated/torch.nn.CrossEntropyLoss.html).

    Shapes: input (C), (N, C) or (N, C, d1, ...); target class indices (), (N) or (N, d1, ...), or probabilities in the
    shape of `input`.  `label_smoothing` mixes the targets with the uniform distribution.

    >>> torch.nn.functional.cross_entropy(torch.zeros(1, 2), torch.tensor([0]))
    tensor(0.6931)
    """
    if size_average is not None or reduce is not None or reduction not in ("mean", "sum", "none"):
        reduction = reduction_of(reduction, size_average, reduce)
    x, t = settle(input).spec, settle(target).spec
    if x.shape == t.shape:
        return _of_probabilities(input, target, weight, ignore_index, reduction, label_smoothing)
    if not x.ndim:
        raise ValueError("Expected 1 or more dimensions (got 0)")
    scores = log_softmax(input, min(1, x.ndim - 1))
    if label_smoothing:
        return _smoothed(scores, target, weight, ignore_index, reduction, label_smoothing)
    _check_classes(target, x, ignore_index)
    return apply(NLL if x.ndim <= 2 else NLL_ND, (scores, target, weight), (reduction, ignore_index))


def _check_smoothing(label_smoothing: float) -> None:
    if not 0.0 <= label_smoothing <= 1.0:
        raise RuntimeError(f"label_smoothing must be between 0.0 and 1.0. Got: {label_smoothing:g}")


def _of_probabilities(
    input: Tensor, target: Tensor, weight: Any, ignore_index: int, reduction: str, smoothing: float
) -> Tensor:
    x, t = input._value.spec, target._value.spec
    if not t.dtype.is_floating_point:
        raise RuntimeError(
            f"Expected floating point type for target with class probabilities, got {t.dtype.scalar_name}"
        )
    if ignore_index >= 0:
        raise RuntimeError("ignore_index is not supported for floating point target")
    _check_smoothing(smoothing)
    dim = min(1, x.ndim - 1)
    classes = x.shape[dim]
    if weight is not None and settle(weight).spec.shape != (classes,):
        raise RuntimeError(
            f"cross_entropy: weight tensor should be defined either for all {classes} classes or no classes but got "
            f"weight "
            f"tensor of shape: {list(weight.shape)}"
        )
    scores = log_softmax(input, dim)
    if smoothing:
        target = target * (1 - smoothing) + smoothing / classes
    terms = scores * target if weight is None else scores * target * _along(weight, x.ndim)
    if reduction == "none":
        return -terms.sum(dim)
    total = -terms.sum()
    return total if reduction == "sum" else apply(DIVIDE_BY_NUMBER, (total, x.numel / classes))


def _along(weight: Tensor, ndim: int) -> Tensor:
    """Class weights in a shape that broadcasts along dimension 1."""
    return weight.view(1, -1, *[1] * (ndim - 2)) if ndim > 1 else weight


def _smoothed(
    scores: Tensor, target: Tensor, weight: Any, ignore_index: int, reduction: str, smoothing: float
) -> Tensor:
    _check_smoothing(smoothing)
    spec = scores._value.spec
    dim = min(1, spec.ndim - 1)
    certain = nll_loss(scores, target, weight, ignore_index=ignore_index, reduction=reduction)
    uniform = -(scores if weight is None else scores * _along(weight, spec.ndim)).sum(dim)
    ignored = target.eq(ignore_index).reshape(uniform.shape)
    uniform = masked_fill(uniform, ignored, 0.0)
    if reduction != "none":
        total = uniform.sum()
        uniform = total if reduction == "sum" else total / _counted(target, weight, ignored, ignore_index)
    return certain * (1 - smoothing) + uniform * (smoothing / spec.shape[dim])


def _counted(target: Tensor, weight: Any, ignored: Tensor, ignore_index: int) -> Tensor:
    """How many targets count, or what they weigh together."""
    if weight is None:
        return (~ignored).sum()
    safe = masked_fill(target.reshape(ignored.shape), ignored, 0)
    return masked_fill(weight[safe], ignored, 0.0).sum()
