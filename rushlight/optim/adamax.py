"""Adamax, Adam's variant with the infinity norm (Kingma and Ba, 2014, "Adam: a method for stochastic optimization").

`adamax_rule` is the formula; the numbers of a step are worked out in `Adamax._advance`.
"""

from __future__ import annotations

from typing import Any

import rushlight
from rushlight.optim.optimizer import ParamsT
from rushlight.optim.update import Fetch, Number, Rule, RuleOptimizer, Step, as_number, fetch, lerp, zeros
from rushlight.optim.validation import check_betas, check_capturable, check_lr, check_not_negative
from rushlight.tensor import Tensor

__all__ = ["Adamax"]

_FETCH = fetch("exp_avg", "exp_inf")


def adamax_rule(
    param: Tensor,
    grad: Tensor,
    state: tuple[Tensor, ...],
    step_size: Number,
    weight_decay: Number,
    weight1: Number,
    beta2: Number,
    eps: Number,
    *,
    maximize: bool,
    decay: bool,
    small_weight: bool,
) -> tuple[Tensor, ...]:
    """p - step_size m / u, m the running mean of g, u = max(beta2 u, |g| + eps)"""
    exp_avg, exp_inf = state
    if maximize:
        grad = -grad
    if decay:
        grad = grad + param * weight_decay
    exp_avg = lerp(exp_avg, grad, weight1, small=small_weight)
    exp_inf = rushlight.maximum(exp_inf * beta2, grad.abs() + eps)
    return param - exp_avg * step_size / exp_inf, exp_avg, exp_inf


class Adamax(RuleOptimizer):
    """Adamax: Adam whose divisor is the largest recent gradient.

    Args:
        params: what to optimize, see `Optimizer`.
        lr: learning rate, a number or a tensor of one.
        betas: decay rates of the running mean and of the running maximum.
        eps: added to the size of the gradient.
        weight_decay: L2 penalty.
        foreach: accepted for PyTorch's sake; every step here is one fused program.
        maximize: goes up the gradient.
        differentiable: lets autograd run through the step.
        capturable: raises at the step: there is no GPU graph to capture.

    Raises:
        ValueError: an option out of its range.
    """

    later_options = {"foreach": None, "maximize": False, "differentiable": False, "capturable": False}

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        foreach: bool | None = None,
        *,
        maximize: bool = False,
        differentiable: bool = False,
        capturable: bool = False,
    ) -> None:
        check_lr(lr)
        check_not_negative("epsilon value", eps)
        check_betas(betas)
        check_not_negative("weight_decay value", weight_decay)
        defaults = dict(
            lr=lr,
            betas=betas,
            eps=eps,
            weight_decay=weight_decay,
            foreach=foreach,
            maximize=maximize,
            differentiable=differentiable,
            capturable=capturable,
        )
        super().__init__(params, defaults)

    def _rule(self, group: dict[str, Any]) -> tuple[Rule, Fetch]:
        return adamax_rule, _FETCH

    def _start(self, param: Tensor, group: dict[str, Any]) -> dict[str, Tensor]:
        return zeros(param, "exp_avg", "exp_inf")

    def _advance(self, group: dict[str, Any], host: tuple[float, ...]) -> Step:
        check_capturable(group)
        step = host[0] + 1
        beta1, beta2 = group["betas"]
        step_size = as_number(group["lr"], group["differentiable"]) / (1 - beta1**step)
        decay = group["weight_decay"]
        flags = (group["maximize"], decay != 0, 1 - beta1 < 0.5)
        return (step,), flags, (step_size, decay, 1 - beta1, beta2, group["eps"])
