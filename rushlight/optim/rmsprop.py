"""RMSprop (Tieleman and Hinton, 2012, lecture 6.5 of "Neural networks for machine learning"), centered as in Graves
(2013), "Generating sequences with recurrent neural networks".

`rmsprop_rule` is the formula; which state tensors it takes depends on `momentum` and `centered`.
"""

from __future__ import annotations

from typing import Any

from rushlight.optim.optimizer import ParamsT
from rushlight.optim.update import Fetch, Number, Rule, RuleOptimizer, Step, as_number, fetch, lerp, zeros
from rushlight.optim.validation import check_capturable, check_lr, check_not_negative
from rushlight.tensor import Tensor

__all__ = ["RMSprop"]

_FETCH = {
    (False, False): fetch("square_avg"),
    (True, False): fetch("square_avg", "momentum_buffer"),
    (False, True): fetch("square_avg", "grad_avg"),
    (True, True): fetch("square_avg", "momentum_buffer", "grad_avg"),
}


def rmsprop_rule(
    param: Tensor,
    grad: Tensor,
    state: tuple[Tensor, ...],
    lr: Number,
    weight_decay: Number,
    alpha: Number,
    weight: Number,
    momentum: Number,
    eps: Number,
    *,
    maximize: bool,
    decay: bool,
    small_weight: bool,
    moving: bool,
    centered: bool,
) -> tuple[Tensor, ...]:
    """p - lr g / (sqrt(v) + eps), v the running mean of g^2, less the square of that of g where `centered`."""
    if maximize:
        grad = -grad
    if decay:
        grad = grad + param * weight_decay
    square_avg = state[0] * alpha + grad * weight * grad
    variance = square_avg
    means: tuple[Tensor, ...] = ()
    if centered:
        grad_avg = lerp(state[-1], grad, weight, small=small_weight)
        variance, means = square_avg - grad_avg * grad_avg, (grad_avg,)
    divisor = variance.sqrt() + eps
    if not moving:
        return param - grad * lr / divisor, square_avg, *means
    buffer = state[1] * momentum + grad / divisor
    return param - buffer * lr, square_avg, buffer, *means


class RMSprop(RuleOptimizer):
    """RMSprop: each element's gradient is divided by the running size of it.

    Args:
        params: what to optimize, see `Optimizer`.
        lr: learning rate, a number or a tensor of one.
        alpha: decay rate of the running mean of the squared gradient.
        eps: added to the divisor.
        weight_decay: L2 penalty.
        momentum: decay rate of a buffer of past steps.
        centered: divides by the standard deviation of the gradient, rather than by its size.
        capturable: raises at the step: there is no GPU graph to capture.
        foreach: accepted for PyTorch's sake; every step here is one fused program.
        maximize: goes up the gradient.
        differentiable: lets autograd run through the step.

    Raises:
        ValueError: a negative option.
    """

    later_options = {
        "momentum": 0,
        "centered": False,
        "foreach": None,
        "maximize": False,
        "differentiable": False,
        "capturable": False,
    }

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-2,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0,
        momentum: float = 0,
        centered: bool = False,
        capturable: bool = False,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
    ) -> None:
        check_lr(lr)
        check_not_negative("epsilon value", eps)
        check_not_negative("momentum value", momentum)
        check_not_negative("weight_decay value", weight_decay)
        check_not_negative("alpha value", alpha)
        defaults = dict(
            lr=lr,
            momentum=momentum,
            alpha=alpha,
            eps=eps,
            centered=centered,
            weight_decay=weight_decay,
            capturable=capturable,
            foreach=foreach,
            maximize=maximize,
            differentiable=differentiable,
        )
        super().__init__(params, defaults)

    def _rule(self, group: dict[str, Any]) -> tuple[Rule, Fetch]:
        return rmsprop_rule, _FETCH[group["momentum"] > 0, bool(group["centered"])]

    def _start(self, param: Tensor, group: dict[str, Any]) -> dict[str, Tensor]:
        names = ["square_avg"]
        if group["momentum"] > 0:
            names.append("momentum_buffer")
        if group["centered"]:
            names.append("grad_avg")
        return zeros(param, *names)

    def _advance(self, group: dict[str, Any], host: tuple[float, ...]) -> Step:
        check_capturable(group)
        lr = as_number(group["lr"], group["differentiable"])
        decay, alpha, momentum = group["weight_decay"], group["alpha"], group["momentum"]
        weight = 1 - alpha
        flags = (group["maximize"], decay != 0, weight < 0.5, momentum > 0, bool(group["centered"]))
        return (host[0] + 1,), flags, (lr, decay, alpha, weight, momentum, group["eps"])
