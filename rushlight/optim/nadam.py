"""NAdam, Adam with Nesterov momentum (Dozat, 2016, "Incorporating Nesterov momentum into Adam").

`nadam_rule` is the formula. The running product of the momentum factors is a host number beside the step count, rounded
at each step as the 0-dim tensor that stands for it in PyTorch is.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from rushlight.optim.optimizer import ParamsT
from rushlight.optim.state import host_dtype
from rushlight.optim.update import Fetch, Number, Rule, RuleOptimizer, Step, as_number, decayed, fetch, lerp, zeros
from rushlight.optim.validation import check_betas, check_capturable, check_lr, check_not_negative
from rushlight.tensor import Tensor

__all__ = ["NAdam"]

_FETCH = fetch("exp_avg", "exp_avg_sq")


def nadam_rule(
    param: Tensor,
    grad: Tensor,
    state: tuple[Tensor, ...],
    weight_decay: Number,
    weight1: Number,
    beta2: Number,
    weight2: Number,
    correction2: Number,
    eps: Number,
    grad_size: Number,
    step_size: Number,
    *,
    maximize: bool,
    decay: bool,
    decoupled: bool,
    small_weight: bool,
) -> tuple[Tensor, ...]:
    """p - (grad_size g + step_size m) / (sqrt(v / correction2) + eps), m and v the running means of g and g^2"""
    exp_avg, exp_avg_sq = state
    if maximize:
        grad = -grad
    if decay:
        param, grad = decayed(param, grad, weight_decay, decoupled=decoupled)
    exp_avg = lerp(exp_avg, grad, weight1, small=small_weight)
    exp_avg_sq = exp_avg_sq * beta2 + grad * weight2 * grad
    divisor = (exp_avg_sq / correction2).sqrt() + eps
    return param - grad * grad_size / divisor - exp_avg * step_size / divisor, exp_avg, exp_avg_sq


class NAdam(RuleOptimizer):
    """NAdam: Adam that looks one step ahead along its momentum.

    Args:
        params: what to optimize, see `Optimizer`.
        lr: learning rate, a number or a tensor of one.
        betas: decay rates of the running means of the gradient and of its square.
        eps: added to the divisor.
        weight_decay: L2 penalty; with `decoupled_weight_decay` as in AdamW.
        momentum_decay: how fast the momentum grows to its full size.
        foreach: accepted for PyTorch's sake; every step here is one fused program.
        maximize: goes up the gradient.
        capturable: raises at the step: there is no GPU graph to capture.
        differentiable: lets autograd run through the step.

    Raises:
        ValueError: an option out of its range.
    """

    host_names = ("step", "mu_product")
    later_options = {
        "maximize": False,
        "foreach": None,
        "capturable": False,
        "differentiable": False,
        "decoupled_weight_decay": False,
    }

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        momentum_decay: float = 4e-3,
        decoupled_weight_decay: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
    ) -> None:
        check_lr(lr)
        check_not_negative("epsilon value", eps)
        check_betas(betas)
        check_not_negative("weight_decay value", weight_decay)
        check_not_negative("momentum_decay value", momentum_decay)
        defaults = dict(
            lr=lr,
            betas=betas,
            eps=eps,
            weight_decay=weight_decay,
            momentum_decay=momentum_decay,
            decoupled_weight_decay=decoupled_weight_decay,
            maximize=maximize,
            foreach=foreach,
            capturable=capturable,
            differentiable=differentiable,
        )
        super().__init__(params, defaults)

    def _rule(self, group: dict[str, Any]) -> tuple[Rule, Fetch]:
        return nadam_rule, _FETCH

    def _start(self, param: Tensor, group: dict[str, Any]) -> dict[str, Tensor]:
        return zeros(param, "exp_avg", "exp_avg_sq")

    def _host_start(self, group: dict[str, Any]) -> tuple[float, ...]:
        return (0.0, 1.0)

    def _advance(self, group: dict[str, Any], host: tuple[float, ...]) -> Step:
        check_capturable(group, "params, mu_products and state_steps")
        step = host[0] + 1
        lr = as_number(group["lr"], group["differentiable"])
        beta1, beta2 = group["betas"]
        mu = beta1 * (1.0 - 0.5 * (0.96 ** (step * group["momentum_decay"])))
        mu_next = beta1 * (1.0 - 0.5 * (0.96 ** ((step + 1) * group["momentum_decay"])))
        kind = np.dtype(host_dtype()).type  # of the tensor that PyTorch multiplies by the number, in its own dtype
        product = float(kind(host[1]) * kind(mu))
        decay, decoupled = group["weight_decay"], group["decoupled_weight_decay"]
        flags = (group["maximize"], decay != 0, decoupled, 1 - beta1 < 0.5)
        sizes = (lr * (1.0 - mu) / (1.0 - product), (lr * mu_next) / (1.0 - product * mu_next))
        decay = 1 - lr * decay if decoupled else decay
        numbers = (decay, 1 - beta1, beta2, 1 - beta2, 1 - beta2**step, group["eps"], *sizes)
        return (step, product), flags, numbers
