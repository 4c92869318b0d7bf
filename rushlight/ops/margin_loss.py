"""Losses with margins: of rankings, of similarities, of triplets and of several classes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from rushlight.core import dtype as dtypes
from rushlight.record.operation import operation
from rushlight.record.spec import Spec, spec_of
from rushlight.record.trace import apply, settle
from rushlight.record.value import Tensor

from .activation import logsigmoid
from .creation import full_like_spec, wrap
from .matmul import first_shown
from .public import public
from .reduction_mode import MODES, reduced_array, reduced_tensor, reduction_of
from .selection import where


def _mode(reduction: str, size_average: Any, reduce: Any) -> str:
    if size_average is None and reduce is None and reduction in MODES:
        return reduction
    return reduction_of(reduction, size_average, reduce)


@public(method=False, functional=True)
def hinge_embedding_loss(
    input: Tensor,
    target: Tensor,
    margin: float = 1.0,
    size_average: Any = None,
    reduce: Any = None,
    reduction: str = "mean",
) -> Tensor:
    """x where the target is 1, max(0, margin - x) where it is -1.

    >>> torch.nn.functional.hinge_embedding_loss(torch.tensor([0.5, 0.5]), torch.tensor([1., -1.]), reduction="none")
    tensor([0.5000, 0.5000])
    """
    apart = where(target.ne(1), (margin - input).clamp_min(0), 0.0)
    together = where(target.ne(-1), input, 0.0)
    return reduced_tensor(apart + together, _mode(reduction, size_average, reduce))


@public(method=False, functional=True)
def margin_ranking_loss(input1: Tensor, input2: Tensor, target: Tensor, margin: float = 0, size_average: Any = None,
                        reduce: Any = None, reduction: str = "mean") -> Tensor:  # fmt: skip
    """max(0, -target * (input1 - input2) + margin): the first should be larger where the target is 1, smaller where it
    is -1."""
    shapes = [list(settle(t).spec.shape) for t in (input1, input2, target)]
    if len({len(s) for s in shapes}) != 1:
        raise RuntimeError(
            f"margin_ranking_loss : All input tensors should have same dimension but got sizes: input1: {shapes[0]}, "
            f"input2: "
            f"{shapes[1]}, target: {shapes[2]} "
        )
    losses = (-target * (input1 - input2) + margin).clamp_min(0)
    return reduced_tensor(losses, _mode(reduction, size_average, reduce))


@public(method=False, functional=True)
def cosine_embedding_loss(input1: Tensor, input2: Tensor, target: Tensor, margin: float = 0, size_average: Any = None,
                          reduce: Any = None, reduction: str = "mean") -> Tensor:  # fmt: skip
    """1 - cos(input1, input2) where the target is 1, max(0, cos(input1, input2) - margin) where it is -1.

    Shapes: inputs (N, D) and target (N), or inputs (D) and target ().
    """
    a, b, t = (settle(x).spec for x in (input1, input2, target))
    if t.ndim not in (0, 1):
        raise RuntimeError("0D or 1D target tensor expected, multi-target not supported")
    if a.ndim != t.ndim + 1 or b.ndim != t.ndim + 1:
        raise RuntimeError(
            f"{t.ndim}D target tensor expects {t.ndim + 1}D input tensors, but found inputs with sizes "
            f"{list(a.shape)} and "
            f"{list(b.shape)}."
        )
    dim = t.ndim
    sizes = ((input1 * input1).sum(dim) + 1e-12) * ((input2 * input2).sum(dim) + 1e-12)
    cosine = (input1 * input2).sum(dim) / sizes.sqrt()
    losses = where(target.eq(1), 1 - cosine, 0.0) + where(target.eq(-1), (cosine - margin).clamp_min(0), 0.0)
    return reduced_tensor(losses, _mode(reduction, size_average, reduce))


# ---------------------------------------------------------------------------------------------------------------------
# Triplets


def _check_triplet(margin: float, *tensors: Tensor) -> None:
    if margin <= 0:
        raise ValueError(f"margin must be greater than 0, got {margin}")
    dims = [settle(t).spec.ndim for t in tensors]
    if len(set(dims)) != 1:
        raise RuntimeError(
            "The anchor, positive, and negative tensors are expected to have the same number of dimensions, but got: "
            "anchor "
            f"{dims[0]}D, positive {dims[1]}D, and negative {dims[2]}D inputs"
        )


@public(method=False, functional=True)
def triplet_margin_loss(anchor: Tensor, positive: Tensor, negative: Tensor, margin: float = 1.0, p: float = 2,
                        eps: float = 1e-6, swap: bool = False, size_average: Any = None, reduce: Any = None,
                        reduction: str = "mean") -> Tensor:  # fmt: skip
    """max(0, margin + |anchor - positive| - |anchor - negative|); with `swap`, the negative may be nearer to the
    positive (Balntas et al. 2016)."""
    from .distance import pairwise_distance

    _check_triplet(margin, anchor, positive, negative)
    near = pairwise_distance(anchor, positive, p, eps)
    far = pairwise_distance(anchor, negative, p, eps)
    if swap:
        far = far.minimum(pairwise_distance(positive, negative, p, eps))
    return reduced_tensor((margin + near - far).clamp_min(0), _mode(reduction, size_average, reduce))


@public(function=False, method=False, functional=True)
def triplet_margin_with_distance_loss(anchor: Tensor, positive: Tensor, negative: Tensor, *,
                                      distance_function: Callable[[Tensor, Tensor], Tensor] | None = None,
                                      margin: float = 1.0, swap: bool = False,
                                      reduction: str = "mean") -> Tensor:  # fmt: skip
    """`triplet_margin_loss` with a distance of one's own."""
    from .distance import pairwise_distance

    distance = distance_function or pairwise_distance
    _check_triplet(margin, anchor, positive, negative)
    near, far = distance(anchor, positive), distance(anchor, negative)
    if swap:
        far = far.minimum(distance(positive, negative))
    return reduced_tensor((margin + near - far).clamp_min(0), _mode(reduction, None, None))


# ---------------------------------------------------------------------------------------------------------------------
# Several classes


def _hinges(x: Any, target: Any, margin: Any) -> tuple[Any, Any]:
    """How far each class comes too near to the right one; which class that is."""
    at, classes = target.reshape(-1, 1), x.shape[1]
    if isinstance(x, np.ndarray):
        if target.size and (target.min() < 0 or target.max() >= classes):
            raise RuntimeError("target out of range")
        right, own = np.take_along_axis(x, at, 1), at == np.arange(classes)
    else:
        right, own = x.take_along(at, 1), at == at.counted(classes)
    return np.where(own, x.dtype.type(0), np.maximum(margin - right + x, x.dtype.type(0))), own


def _class_weights(weight: Any, target: Any) -> Any:
    return 1 if weight is None else weight.take(target.reshape(-1), 0)[:, None]


def _multi_margin(x: Any, target: Any, weight: Any, margin: Any, *, p: int, reduction: str) -> Any:
    rows = x.reshape(-1, x.shape[-1])
    hinges, _ = _hinges(rows, target, margin)
    losses = hinges if p == 1 else hinges * hinges
    losses = (losses * _class_weights(weight, target)).sum(1) / x.dtype.type(x.shape[-1])
    return reduced_array(losses.reshape(target.shape), reduction).astype(x.dtype)


def _multi_margin_backward(d: Any, x: Any, target: Any, weight: Any, margin: Any, *, p: int, reduction: str) -> Any:
    rows = x.reshape(-1, x.shape[-1])
    hinges, own = _hinges(rows, target, margin)
    slope = (hinges > 0).astype(x.dtype) if p == 1 else 2 * hinges
    slope = slope * _class_weights(weight, target) / x.dtype.type(x.shape[-1])
    slope = np.where(own, -slope.sum(1, keepdims=True), slope)
    d = np.broadcast_to(d / len(rows) if reduction == "mean" else d, target.shape).reshape(-1, 1)
    return (slope * d).astype(x.dtype).reshape(x.shape)


def _multi_margin_spec(x: Spec, target: Spec, weight: Any, margin: Spec, *, p: int, reduction: str) -> Spec:
    return spec_of(target.shape if reduction == "none" else (), x.dtype)


MULTI_MARGIN = operation("multi_margin_loss", _multi_margin_spec, _multi_margin)
MULTI_MARGIN_BACKWARD = operation(
    "multi_margin_loss_backward", lambda d, x, target, weight, margin, *, p, reduction: spec_of(x.shape, x.dtype),
    _multi_margin_backward, node="NotImplemented",
)  # fmt: skip
MULTI_MARGIN.shown = first_shown
MULTI_MARGIN.gradient(
    x=lambda g, x, target, weight, margin, p, reduction: apply(
        MULTI_MARGIN_BACKWARD, (g, x, target, weight, margin), (p, reduction)
    )
)


def _multi_margin_curvature(g: Tensor, d: Tensor, x: Tensor, target: Tensor, weight: Any, margin: Any, p: int,
                            reduction: str) -> Tensor:  # fmt: skip
    """The derivative of the slope by x, applied to g: for p = 2 every active hinge ties its class to the right one."""
    if p == 1:
        return full_like_spec(g._value.spec, 0)
    classes = x.size(-1)
    rows, v = x.reshape(-1, classes), g.reshape(-1, classes)
    index = target.reshape(-1, 1)
    own = index.eq(wrap(np.arange(classes)))
    active = where(own, 0.0, ((margin - rows.gather(1, index) + rows) > 0) * 1.0)
    scale = d.reshape(-1, 1) * (2.0 / classes / (rows.size(0) if reduction == "mean" else 1))
    if weight is not None:
        scale = scale * weight[index]
    pull = active * (v - v.gather(1, index)) * scale
    return where(own, -pull.sum(1, keepdim=True), pull).reshape(x.shape)


def _multi_margin_by_gradient(
    g: Tensor, x: Tensor, target: Tensor, weight: Any, margin: Any, p: int, reduction: str
) -> Tensor:
    one = wrap(np.ones((), x._value.spec.numpy))
    slope = apply(MULTI_MARGIN_BACKWARD, (one, x, target, weight, margin), (p, "sum"))
    return reduced_tensor((g * slope).sum(-1), reduction)


MULTI_MARGIN_BACKWARD.gradient(d=_multi_margin_by_gradient, x=_multi_margin_curvature)


def _check_rows(input: Tensor, target: Tensor, classes_in_target: bool) -> None:
    x, t = settle(input).spec, settle(target).spec
    if classes_in_target:
        fits = x.shape == t.shape
    else:
        fits = t.shape in (x.shape[:-1], (1,) if x.ndim <= 1 else x.shape[:-1])
    if x.ndim > 2 or (x.ndim and not x.shape[-1]):
        raise RuntimeError(
            f"Expected non-empty vector or matrix with optional 0-dim batch size, but got: {list(x.shape)}"
        )
    if not fits:
        raise RuntimeError(f"inconsistent target size: {list(t.shape)} for input of size: {list(x.shape)}")


@public(function=False, method=False, functional=True)
def multi_margin_loss(input: Tensor, target: Tensor, p: int = 1, margin: float = 1.0, weight: Tensor | None = None,
                      size_average: Any = None, reduce: Any = None, reduction: str = "mean") -> Tensor:  # fmt: skip
    """The mean over the classes of max(0, margin - x[target] + x[i]) ** p, without the target's own.

    Shapes: input (N, C) or (C), target (N) or (), weight (C).
    """
    mode = _mode(reduction, size_average, reduce)
    if p not in (1, 2):
        raise ValueError("only p == 1 and p == 2 supported")
    if weight is not None and settle(weight).spec.ndim != 1:
        raise ValueError("weight must be one-dimensional")
    _check_rows(input, target, False)
    if input._value.spec.ndim <= 1 and target._value.spec.ndim == 1:
        target = target.squeeze(0)
    if not input._value.spec.ndim:
        input = input.unsqueeze(0)
    return apply(MULTI_MARGIN, (input, target, weight, float(margin)), (int(p), mode))


def _label_sets(target: Any, classes: int) -> tuple[Any, Any]:
    """Of each row: which entries name labels (those before the first -1), and which classes are labels."""
    valid = np.logical_and.accumulate(target >= 0, axis=1)
    wrong = target[valid & (target >= classes)]
    if wrong.size:
        raise RuntimeError("argument #2 'target' is out of range")
    is_label = np.zeros(target.shape, bool)
    rows = np.nonzero(valid)[0]
    is_label[rows, target[valid]] = True
    return valid, is_label


def _label_hinges(x: Any, target: Any) -> tuple[Any, Any]:
    valid, is_label = _label_sets(target, x.shape[1])
    most = int(np.count_nonzero(valid, axis=1).max(initial=0))  # labels that an example has
    valid, target = valid[:, :most], target[:, :most]
    of_label = np.take_along_axis(x, np.where(valid, target, 0), 1)
    hinges = 1 - of_label[:, :, None] + x[:, None, :]  # (row, entry, class)
    return np.where(valid[:, :, None] & ~is_label[:, None, :], np.maximum(hinges, 0), 0), valid


def _multilabel(x: Any, target: Any, *, reduction: str) -> Any:
    rows = x.reshape(-1, x.shape[-1])
    hinges, _ = _label_hinges(rows, target.reshape(rows.shape))
    losses = hinges.sum((1, 2)) / x.dtype.type(x.shape[-1])
    return reduced_array(losses.reshape(x.shape[:-1]), reduction).astype(x.dtype)


def _multilabel_slope(x: Any, target: Any) -> Any:
    rows, labels = x.reshape(-1, x.shape[-1]), target.reshape(-1, x.shape[-1])
    hinges, valid = _label_hinges(rows, labels)
    active = (hinges > 0).astype(x.dtype)
    slope = active.sum(1)
    row, entry = np.nonzero(valid)
    np.add.at(slope, (row, labels[row, entry]), -active.sum(2)[row, entry])
    return (slope / x.dtype.type(x.shape[-1])).reshape(x.shape)


MULTILABEL_MARGIN = operation(
    "multilabel_margin_loss",
    lambda x, target, *, reduction: spec_of(x.shape[:-1] if reduction == "none" else (), x.dtype),
    _multilabel,
)
MULTILABEL_SLOPE = operation("multilabel_margin_slope", lambda x, target: spec_of(x.shape, x.dtype), _multilabel_slope)


def _multilabel_gradient(g: Tensor, x: Tensor, target: Tensor, x_spec: Spec, reduction: str) -> Tensor:
    slope = apply(MULTILABEL_SLOPE, (x, target))
    if reduction == "none":
        return slope * g.unsqueeze(-1)
    return slope * (g / max(x_spec.shape[0], 1) if reduction == "mean" and x_spec.ndim == 2 else g)


MULTILABEL_MARGIN.gradient(x=_multilabel_gradient)


@public(function=False, method=False, functional=True)
def multilabel_margin_loss(input: Tensor, target: Tensor, size_average: Any = None, reduce: Any = None,
                           reduction: str = "mean") -> Tensor:  # fmt: skip
    """Sums max(0, 1 - x[label] + x[other]) over an example's labels and the other classes, divided by the number of
    classes.

    Shapes: input and target (N, C) or (C); a row of the target lists labels, ended by -1.
    """
    mode = _mode(reduction, size_average, reduce)
    _check_rows(input, target, True)
    if target._value.spec.dtype is not dtypes.int64:
        raise RuntimeError(f"expected scalar type Long but found {target._value.spec.dtype.scalar_name}")
    if not input._value.spec.ndim:
        input, target = input.unsqueeze(0), target.unsqueeze(0)
    return apply(MULTILABEL_MARGIN, (input, target), (mode,))


@public(function=False, method=False, functional=True)
def multilabel_soft_margin_loss(input: Tensor, target: Tensor, weight: Tensor | None = None, size_average: Any = None,
                                reduce: Any = None, reduction: str = "mean") -> Tensor:  # fmt: skip
    """The mean over the classes of the binary cross entropy of sigmoid(input). Shapes: input and target (N, C) or
    (C)."""
    mode = _mode(reduction, size_average, reduce)
    losses = -(target * logsigmoid(input) + (1 - target) * logsigmoid(-input))
    if weight is not None:
        losses = losses * weight
    dim = settle(input).spec.ndim - 1
    return reduced_tensor(losses.sum(dim) / input.size(dim), mode)
