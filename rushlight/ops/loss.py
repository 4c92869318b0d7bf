"""Losses that compare numbers with numbers, element by element, and reduce the result to a mean or a sum.

`elementwise_loss` makes an operation and its derivative from four formulas: the loss of an element and its slope in
NumPy, and, for the target's gradient and the second order, the slope by the target and the curvatures in tensor code.
Classification is in `cross_entropy.py`, losses with margins in `margin_loss.py`.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from rushlight.core.strided import broadcast_shapes
from rushlight.record.operation import Operation, operation
from rushlight.record.spec import Spec, spec_of
from rushlight.record.trace import apply, settle
from rushlight.record.value import Tensor

from .creation import full_like_spec
from .elementary import sigmoid
from .public import public
from .reduction_mode import MODES, reduced_array, reduced_tensor, reduction_of
from .rules import broadcast, promoted
from .selection import where

Formula = Callable[..., Any]


def elementwise_loss(
    name: str, check: Formula, value: Formula, slope: Formula, curvature: Formula, by_target: Formula, mixed: Formula,
    *, share_first: bool = True, kind: Callable[..., Any] = promoted,
) -> Operation:  # fmt: skip
    """Declares a loss of (x, y, a, b): `a` and `b` are weights, parameters or None.

    `value` and `slope` are NumPy formulas, slope(d, x, y, a, b) being d times the derivative by x; `curvature` (twice
    by x), `by_target` (once by y) and `mixed` (by x and y) work on tensors.  `check(x, y, a, b)` raises the user's
    error.  Under a mean the slope is multiplied by one element's share before the incoming gradient (`share_first`), or
    divided by the count after it: whichever PyTorch does, so that the rounding is the same. `kind(x, y)` is the dtype
    of the result, in which everything is computed.
    """
    camel = "".join(part.capitalize() for part in name.split("_"))
    infer, back_infer = _shape_rules(check, kind)
    op = operation(
        name, infer, _value_kernel(value), compute=lambda x, y, a, b, *, reduction: kind(x, y), node=f"{camel}Backward0"
    )
    back = operation(
        f"{name}_backward",
        back_infer,
        _slope_kernel(slope, share_first),
        compute=lambda d, x, y, a, b, *, reduction: kind(x, y),
        node=f"{camel}BackwardBackward0",
    )
    op.shown = lambda pairs: pairs[:2]  # input and target
    op.gradient(x=lambda g, x, y, a, b, reduction: apply(back, (g, x, y, a, b), (reduction,)), y=_by_target(by_target))
    back.gradient(
        d=lambda g, x, y, a, b, reduction: reduced_tensor(g * apply(back, (1.0, x, y, a, b), ("none",)), reduction),
        x=_second_order(curvature),
        y=_second_order(mixed),
    )
    return op


def _shape_rules(check: Formula, kind: Formula) -> tuple[Formula, Formula]:
    """The shape rules of a loss and of its slope."""

    def of_elements(x: Spec, y: Spec, a: Spec | None, b: Spec | None) -> Spec:
        return broadcast((x, y, *(s for s in (a, b) if s is not None and not s.wrapped)), kind(x, y))

    def infer(x: Spec, y: Spec, a: Spec | None, b: Spec | None, *, reduction: str) -> Spec:
        check(x, y, a, b)
        found = of_elements(x, y, a, b)
        return found if reduction == "none" else spec_of((), found.dtype)

    def back_infer(d: Spec, x: Spec, y: Spec, a: Spec | None, b: Spec | None, *, reduction: str) -> Spec:
        return of_elements(x, y, a, b)

    return infer, back_infer


def _value_kernel(value: Formula) -> Formula:
    def kernel(x: Any, y: Any, a: Any, b: Any, *, reduction: str) -> Any:
        return reduced_array(value(x, y, a, b), reduction)

    return kernel


def _slope_kernel(slope: Formula, share_first: bool) -> Formula:
    def back_kernel(d: Any, x: Any, y: Any, a: Any, b: Any, *, reduction: str) -> Any:
        if reduction != "mean":
            return slope(d, x, y, a, b)
        if share_first:
            return slope(d.dtype.type(1 / max(_count(x, y), 1)), x, y, a, b) * d
        found = slope(d, x, y, a, b)
        return found / d.dtype.type(found.size)

    return back_kernel


def _shared(g: Tensor, x: Spec, y: Spec, a: Any, b: Any, reduction: str) -> Tensor:
    """One element's share of a gradient."""
    if reduction != "mean":
        return g
    return g / max(math.prod(broadcast_shapes(x.shape, y.shape, *[s.shape for s in (a, b) if s is not None])), 1)


def _by_target(formula: Formula) -> Formula:
    def rule(g: Tensor, x: Tensor, y: Tensor, a: Any, b: Any, x_spec: Spec, y_spec: Spec, a_spec: Any, b_spec: Any,
             reduction: str) -> Tensor:  # fmt: skip
        return _shared(g, x_spec, y_spec, a_spec, b_spec, reduction) * formula(x, y, a, b)

    return rule


def _second_order(formula: Formula) -> Formula:
    def rule(g: Tensor, d: Tensor, x: Tensor, y: Tensor, a: Any, b: Any, x_spec: Spec, y_spec: Spec, a_spec: Any,
             b_spec: Any, reduction: str) -> Tensor:  # fmt: skip
        return _shared(g * d, x_spec, y_spec, a_spec, b_spec, reduction) * formula(x, y, a, b)

    return rule


def _kind_of_input(x: Spec, y: Spec) -> Any:
    return x.dtype


def _kind_of_target(x: Spec, y: Spec) -> Any:
    return y.dtype


def _count(x: Any, y: Any) -> int:
    return math.prod(x.shape if x.shape == y.shape else broadcast_shapes(x.shape, y.shape))


def floating_check(kernel_name: str) -> Formula:
    """Raises PyTorch's error unless the operands promote to a floating-point dtype."""

    def check(x: Spec, y: Spec, a: Any, b: Any) -> None:
        kind = promoted(x, y)
        if not kind.is_floating_point:
            raise NotImplementedError(f"\"{kernel_name}\" not implemented for '{kind.scalar_name}'")

    return check


def _mode(reduction: str, size_average: Any, reduce: Any) -> str:
    if size_average is None and reduce is None and reduction in MODES:
        return reduction
    return reduction_of(reduction, size_average, reduce)


def warn_different_sizes(input: Tensor, target: Tensor) -> None:
    """PyTorch's warning where a loss is about to broadcast."""
    x, y = settle(input).spec, settle(target).spec
    if x.shape != y.shape:
        warnings.warn(
            f"Using a target size ({target.size()}) that is different to the input size ({input.size()}). This will "
            f"likely "
            "lead to incorrect results due to broadcasting. Please ensure they have the same size.",
            UserWarning,
            stacklevel=3,
        )


# ---------------------------------------------------------------------------------------------------------------------
# Losses of the difference


def _difference_loss(name: str, kernel_name: str, value: Formula, slope: Formula, curvature: Formula,
                     kind: Callable[..., Any] = promoted) -> Operation:  # fmt: skip
    """A loss of z = x - y with a parameter `a`: formulas of (z, a), and slope(d, z, a)."""

    def by_target(x: Tensor, y: Tensor, a: Any, b: Any) -> Tensor:
        return -apply(op_back, (1.0, x, y, a, b), ("none",))

    op = elementwise_loss(
        name,
        floating_check(kernel_name),
        lambda x, y, a, b: value(x - y, a),
        lambda d, x, y, a, b: slope(d, x - y, a),
        lambda x, y, a, b: curvature(x - y, a),
        by_target,
        lambda x, y, a, b: -curvature(x - y, a),
        kind=kind,
    )
    from rushlight.record.operation import operations

    op_back = operations()[f"{name}_backward"]
    op.gradient(y=lambda g, x, y, a, b, reduction: -apply(op_back, (g, x, y, a, b), (reduction,)))
    return op


def _two(z: Tensor, a: Any) -> Tensor:
    return full_like_spec(z._value.spec, 2)


MSE = _difference_loss("mse_loss", "mse_cpu", lambda z, a: z * z, lambda d, z, a: z * (d + d), lambda z, a: 2.0)


@public(function=False, method=False, functional=True)
def mse_loss(input: Tensor, target: Tensor, size_average: Any = None, reduce: Any = None, reduction: str = "mean",
             weight: Tensor | None = None) -> Tensor:  # fmt: skip
    """The mean (or sum, or each) of (input - target)**2
    (https://pytorch.org/docs/stable/generated/torch.nn.MSELoss.html).

    >>> torch.nn.functional.mse_loss(torch.tensor([1., 2.]), torch.tensor([1., 4.]))
    tensor(2.)
    """
    if size_average is not None or reduce is not None or reduction not in MODES:
        reduction = reduction_of(reduction, size_average, reduce)
    if input._value.spec.shape != target._value.spec.shape:
        warn_different_sizes(input, target)
    if weight is not None:
        return _weighted((input - target) ** 2, input, weight, reduction)
    return apply(MSE, (input, target, None, None), (reduction,))


def _weighted(losses: Tensor, input: Tensor, weight: Tensor, reduction: str) -> Tensor:
    """Losses times weights; the mean is over the weights' sum."""
    if settle(weight).spec.shape != settle(input).spec.shape:
        raise ValueError("Inputs and weights must have the same size.")
    losses = losses * weight
    if reduction == "mean":
        return losses.sum() / weight.sum()
    return reduced_tensor(losses, reduction)


@public(function=False, method=False, functional=True)
def l1_loss(input: Tensor, target: Tensor, size_average: Any = None, reduce: Any = None, reduction: str = "mean",
            weight: Tensor | None = None) -> Tensor:  # fmt: skip
    """The mean (or sum, or each) of |input - target|.

    >>> torch.nn.functional.l1_loss(torch.tensor([1., 2.]), torch.tensor([1., 4.]))
    tensor(1.)
    """
    mode = _mode(reduction, size_average, reduce)
    warn_different_sizes(input, target)
    losses = (input - target).abs()
    return reduced_tensor(losses, mode) if weight is None else _weighted(losses, input, weight, mode)


def _smooth_l1(z: Any, beta: Any) -> Any:
    size = np.abs(z)
    return np.where(size < beta, z * z / (beta + beta), size - beta * z.dtype.type(0.5))


SMOOTH_L1 = _difference_loss(
    "smooth_l1_loss",
    "smooth_l1_cpu",
    _smooth_l1,
    lambda d, z, beta: np.clip(z / beta, z.dtype.type(-1), z.dtype.type(1)) * d,
    lambda z, beta: where(z.abs() < beta, 1.0, 0.0) / beta,
)


@public(function=False, method=False, functional=True)
def smooth_l1_loss(input: Tensor, target: Tensor, size_average: Any = None, reduce: Any = None, reduction: str = "mean",
                   beta: float = 1.0) -> Tensor:  # fmt: skip
    """0.5 * z**2 / beta where |z| < beta, else |z| - 0.5 * beta, for z = input - target (Girshick 2015).

    >>> torch.nn.functional.smooth_l1_loss(torch.tensor([0.5, 3.]), torch.zeros(2), reduction="none")
    tensor([0.1250, 2.5000])
    """
    mode = _mode(reduction, size_average, reduce)
    warn_different_sizes(input, target)
    if beta < 0:
        raise RuntimeError("smooth_l1_loss does not support negative values for beta.")
    if beta == 0:
        return reduced_tensor((input - target).abs(), mode)
    return apply(SMOOTH_L1, (input, target, beta, None), (mode,))


def _huber(z: Any, delta: Any) -> Any:
    size, half = np.abs(z), z.dtype.type(0.5)
    return np.where(size <= delta, half * z * z, delta * (size - half * delta))


HUBER = _difference_loss(
    "huber_loss",
    "huber_cpu",
    _huber,
    lambda d, z, delta: np.clip(z, -delta, delta) * d,
    lambda z, delta: where(z.abs() < delta, 1.0, 0.0),
    kind=_kind_of_input,
)


@public(function=False, method=False, functional=True)
def huber_loss(input: Tensor, target: Tensor, reduction: str = "mean", delta: float = 1.0,
               weight: Tensor | None = None) -> Tensor:  # fmt: skip
    """0.5 * z**2 where |z| <= delta, else delta * (|z| - 0.5 * delta), for z = input - target (Huber 1964).

    With `weight`, the mean is over the elements, not over the weights' sum as `mse_loss` has it.

    >>> torch.nn.functional.huber_loss(torch.tensor([0.5, 3.]), torch.zeros(2), reduction="none")
    tensor([0.1250, 2.5000])
    """
    mode = _mode(reduction, None, None)
    warn_different_sizes(input, target)
    if delta <= 0:
        raise RuntimeError("huber_loss does not support non-positive values for delta.")
    if weight is None:
        return apply(HUBER, (input, target, delta, None), (mode,))
    if settle(weight).spec.shape != settle(input).spec.shape:
        raise ValueError("Weights and input must have the same size.")
    return reduced_tensor(apply(HUBER, (input, target, delta, None), ("none",)) * weight, mode)


# ---------------------------------------------------------------------------------------------------------------------
# Binary cross entropy


def _bce_check(x: Spec, y: Spec, weight: Spec | None, b: Any) -> None:
    if not x.dtype.is_floating_point:
        raise NotImplementedError(f"\"binary_cross_entropy\" not implemented for '{x.dtype.scalar_name}'")
    for other in (y, weight):
        if other is not None and other.dtype is not x.dtype:
            raise RuntimeError(f"Found dtype {other.dtype.scalar_name} but expected {x.dtype.scalar_name}")


def _bce(x: Any, y: Any, weight: Any, b: Any) -> Any:
    for name, a in (("input", x), ("target", y)):
        if a.size and not (a.min() >= 0 and a.max() <= 1):
            raise RuntimeError(f"all elements of {name} should be between 0 and 1")
    return _bce_losses(x, y, weight)


def _bce_losses(x: Any, y: Any, weight: Any) -> Any:
    floor = x.dtype.type(-100)
    losses = (y - 1) * np.maximum(np.log1p(-x), floor) - y * np.maximum(np.log(x), floor)
    return losses if weight is None else losses * weight


def _bce_slope(d: Any, x: Any, y: Any, weight: Any, b: Any) -> Any:
    found = d * (x - y) / np.maximum((1 - x) * x, x.dtype.type(1e-12))
    return found if weight is None else found * weight


def _times(found: Tensor, weight: Any) -> Tensor:
    return found if weight is None else found * weight


def _bce_curvature(x: Tensor, y: Tensor, weight: Any, b: Any) -> Tensor:
    product = (x - x * x).clamp(min=1e-6)
    return _times((x * x - x * y * 2 + y) / (product * product), weight)


BCE = elementwise_loss(
    "binary_cross_entropy",
    _bce_check,
    _bce,
    _bce_slope,
    _bce_curvature,
    lambda x, y, weight, b: _times((-x).log1p().clamp(min=-100) - x.log().clamp(min=-100), weight),
    lambda x, y, weight, b: _times(-1 / (x - x * x).clamp(min=1e-12), weight),
    share_first=False,
)


def _bce_for_compiler(x: Any, y: Any, weight: Any, b: Any, *, reduction: str) -> Any:
    """Where a number is outside [0, 1] the program is interpreted, and the kernel raises."""
    inside = (x >= 0) & (x <= 1) & (y >= 0) & (y <= 1)
    return reduced_array(_bce_losses(x, y, weight), reduction).provided(inside)


BCE.lower = _bce_for_compiler


@public(function=False, method=False, functional=True)
def binary_cross_entropy(input: Tensor, target: Tensor, weight: Tensor | None = None, size_average: Any = None,
                         reduce: Any = None, reduction: str = "mean") -> Tensor:  # fmt: skip
    """-(y log(x) + (1 - y) log(1 - x)), the logarithms no less than -100
    (https://pytorch.org/docs/stable/generated/torch.nn.BCELoss.html).

    Shapes: input and target the same, with numbers in [0, 1] (RuntimeError otherwise); weight broadcasts to them.

    >>> torch.nn.functional.binary_cross_entropy(torch.tensor([0.5]), torch.tensor([1.]))
    tensor(0.6931)
    """
    mode = _mode(reduction, size_average, reduce)
    if settle(target).spec.shape != settle(input).spec.shape:
        raise ValueError(
            f"Using a target size ({target.size()}) that is different to the input size ({input.size()}) is "
            f"deprecated. "
            "Please ensure they have the same size."
        )
    if weight is not None:
        weight = weight.expand(_expanded(settle(weight).spec.shape, input._value.spec.shape))
    return apply(BCE, (input, target, weight, None), (mode,))


def _expanded(shape: tuple[int, ...], to: tuple[int, ...]) -> tuple[int, ...]:
    found = broadcast_shapes(shape, to) if len(shape) <= len(to) else None
    if found != to:
        raise RuntimeError(
            f"Attempting to broadcast a dimension of length {shape[-1]} at -1! Mismatching argument at index 1 had "
            f"torch.Size({list(shape)}); but expected shape should be broadcastable to {list(to)}"
        )
    return to


def _logits_check(x: Spec, y: Spec, weight: Any, pos_weight: Any) -> None:
    if not x.dtype.is_floating_point:
        raise NotImplementedError(f"\"log_sigmoid_cpu\" not implemented for '{x.dtype.scalar_name}'")
    if not y.dtype.is_floating_point:
        raise RuntimeError(
            f"result type {promoted(x, y).scalar_name} can't be cast to the desired output type {y.dtype.scalar_name}"
        )


def _logits(x: Any, y: Any, weight: Any, pos_weight: Any) -> Any:
    tail = np.log1p(np.exp(-np.abs(x))) + np.maximum(-x, 0)  # -log(sigmoid(x))
    losses = (1 - y) * x + (tail if pos_weight is None else ((pos_weight - 1) * y + 1) * tail)
    return losses if weight is None else losses * weight


def _logits_slope(d: Any, x: Any, y: Any, weight: Any, pos_weight: Any) -> Any:
    s = 1 / (1 + np.exp(-x))
    if pos_weight is None:
        found = s - y
    else:
        part = pos_weight * y
        found = (part + 1 - y) * s - part
    found = found * d
    return found if weight is None else found * weight


def _logits_curvature(x: Tensor, y: Tensor, weight: Any, pos_weight: Any) -> Tensor:
    s = sigmoid(x)
    found = s * (1 - s)
    return _times(found if pos_weight is None else found * (pos_weight * y + 1 - y), weight)


def _logits_by_target(x: Tensor, y: Tensor, weight: Any, pos_weight: Any) -> Tensor:
    from .activation import logsigmoid

    found = -x if pos_weight is None else logsigmoid(-x) - pos_weight * logsigmoid(x)
    return _times(found, weight)


def _logits_mixed(x: Tensor, y: Tensor, weight: Any, pos_weight: Any) -> Tensor:
    if pos_weight is None:
        return _times(full_like_spec(x._value.spec, -1), weight)
    return _times((pos_weight - 1) * sigmoid(x) - pos_weight, weight)


BCE_WITH_LOGITS = elementwise_loss(
    "binary_cross_entropy_with_logits",
    _logits_check,
    _logits,
    _logits_slope,
    _logits_curvature,
    _logits_by_target,
    _logits_mixed,
    share_first=False,
    kind=_kind_of_target,
)


@public(method=False, functional=True)
def binary_cross_entropy_with_logits(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: Any = None,
    reduce: Any = None,
    reduction: str = "mean",
    pos_weight: Tensor | None = None,
) -> Tensor:
    """`binary_cross_entropy` of sigmoid(input), safe from overflow; `pos_weight` multiplies the part of the positive
    class.

    Shapes: input and target the same; weight and pos_weight broadcast to them.

    >>> torch.nn.functional.binary_cross_entropy_with_logits(torch.tensor([0.]), torch.tensor([1.]))
    tensor(0.6931)
    """
    mode = _mode(reduction, size_average, reduce)
    if settle(target).spec.shape != settle(input).spec.shape:
        raise ValueError(f"Target size ({target.size()}) must be the same as input size ({input.size()})")
    return apply(BCE_WITH_LOGITS, (input, target, weight, pos_weight), (mode,))


# ---------------------------------------------------------------------------------------------------------------------
# Between distributions


@public(function=False, method=False, functional=True)
def kl_div(input: Tensor, target: Tensor, size_average: Any = None, reduce: Any = None, reduction: str = "mean",
           log_target: bool = False) -> Tensor:  # fmt: skip
    """The Kullback-Leibler divergence target * (log(target) - input), where `input` holds log-probabilities.

    `reduction="batchmean"` divides the sum by the batch size, as the mathematical definition does.
    """
    if reduction == "mean" and size_average is None and reduce is None:
        warnings.warn(
            "reduction: 'mean' divides the total loss by both the batch size and the support size.'batchmean' divides "
            "only by "
            "the batch size, and aligns with the KL div math definition.'mean' will be changed to behave the same as "
            "'batchmean' in the next major release.",
            UserWarning,
            stacklevel=2,
        )
    mode = "sum" if reduction == "batchmean" else _mode(reduction, size_average, reduce)
    for kind in (settle(input).spec.dtype, settle(target).spec.dtype):
        if not kind.is_floating_point:
            raise RuntimeError(f"kl_div: {'Complex' if kind.is_complex else 'Integral'} inputs not supported.")
    if log_target:
        losses = target.exp() * (target - input)
    else:
        losses = _x_log_x(target) - target * input
    result = reduced_tensor(losses, mode)
    return result / input.size(0) if reduction == "batchmean" and input.dim() else result


def _x_log_x(y: Tensor) -> Tensor:
    """y log(y), 0 where y is 0."""
    return where(y.eq(0), 0.0, y * where(y.eq(0), 1.0, y).log())


def _soft_margin_check(x: Spec, y: Spec, a: Any, b: Any) -> None:
    if not (x.dtype.is_floating_point or x.dtype.is_complex):
        raise RuntimeError(f"result type Float can't be cast to the desired output type {x.dtype.scalar_name}")


def _soft_margin_slope(d: Any, x: Any, y: Any, a: Any, b: Any) -> Any:
    return -y / (1 + np.exp(x * y)) * d


def _soft_margin_curvature(x: Tensor, y: Tensor, a: Any, b: Any) -> Tensor:
    s = sigmoid(x * y)
    return y * y * s * (1 - s)


def _soft_margin_mixed(x: Tensor, y: Tensor, a: Any, b: Any) -> Tensor:
    s = sigmoid(-x * y)
    return -s + x * y * s * (1 - s)


SOFT_MARGIN = elementwise_loss(
    "soft_margin_loss",
    _soft_margin_check,
    lambda x, y, a, b: np.log1p(np.exp(-x * y)),
    _soft_margin_slope,
    _soft_margin_curvature,
    lambda x, y, a, b: -x * sigmoid(-x * y),
    _soft_margin_mixed,
    kind=_kind_of_input,
)
SOFT_MARGIN.shown = lambda pairs: pairs[:1]


@public(function=False, method=False, functional=True)
def soft_margin_loss(input: Tensor, target: Tensor, size_average: Any = None, reduce: Any = None,
                     reduction: str = "mean") -> Tensor:  # fmt: skip
    """log(1 + exp(-target * input)), for targets 1 and -1."""
    return apply(SOFT_MARGIN, (input, target, None, None), (_mode(reduction, size_average, reduce),))


@public(method=False, functional=True)
def poisson_nll_loss(
    input: Tensor,
    target: Tensor,
    log_input: bool = True,
    full: bool = False,
    size_average: Any = None,
    eps: float = 1e-8,
    reduce: Any = None,
    reduction: str = "mean",
) -> Tensor:
    """The negative log-likelihood of counts `target` under Poisson distributions with rate exp(input), or input where
    `log_input` is False; `full` adds Stirling's approximation of log(target!)."""
    mode = _mode(reduction, size_average, reduce)
    if log_input:
        losses = input.exp() - target * input
    else:
        losses = input - target * (input + eps).log()
    if full:
        stirling = target * target.log() - target + 0.5 * (2 * math.pi * target).log()
        losses = losses + where(target <= 1, 0.0, stirling)
    return reduced_tensor(losses, mode)


@public(function=False, method=False, functional=True)
def gaussian_nll_loss(input: Tensor, target: Tensor, var: Any, full: bool = False, eps: float = 1e-6,
                      reduction: str = "mean") -> Tensor:  # fmt: skip
    """The negative log-likelihood of `target` under normal distributions with mean `input` and variance `var`, which
    is at least `eps` (Nix and Weigend 1994); `full` adds the constant. Raises ValueError for a negative variance."""
    if isinstance(var, (int, float)):
        if var < 0:
            raise ValueError("var has negative entry/entries")
        var = input * 0 + float(var)
    elif bool((var < 0).any()):
        raise ValueError("var has negative entry/entries")
    if var.size() != input.size():
        if input.size()[:-1] == var.size():
            var = var.unsqueeze(-1)
        elif not (input.size()[:-1] == var.size()[:-1] and var.size(-1) == 1) and not _broadcasts(input, var):
            raise ValueError("var is of incorrect size")
    if reduction not in MODES:
        raise ValueError(reduction + " is not valid")
    floored = where(var.detach() < eps, eps, var.detach()) + (var - var.detach())  # the gradient passes the floor
    losses = 0.5 * (floored.log() + (input - target) ** 2 / floored)
    if full:
        losses = losses + 0.5 * math.log(2 * math.pi)
    return reduced_tensor(losses, reduction)


def _broadcasts(input: Tensor, var: Tensor) -> bool:
    return input.dim() == var.dim() and all(v in (1, n) for n, v in zip(input.size(), var.size(), strict=True))
