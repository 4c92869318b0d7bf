"""RAdam, rectified Adam (Liu et al., 2019, "On the variance of the adaptive learning rate and beyond").

`radam_rule` is the formula. In the first steps, where the variance of Adam's divisor is too large to be of use, the
step is plain momentum: the flag `adaptive`.
"""

from __future__ import annotations

from typing import Any

from rushlight.optim.optimizer import ParamsT
from rushlight.optim.update import Fetch, Number, Rule, RuleOptimizer, Step, as_number, decayed, fetch, lerp, zeros
from rushlight.optim.validation import check_betas, check_capturable, check_lr, check_not_negative
from rushlight.tensor import Tensor

__all__ = ["RAdam"]

_FETCH = fetch("exp_avg", "exp_avg_sq")


def radam_rule(
    param: Tensor,
    grad: Tensor,
    state: tuple[Tensor, ...],
    lr: Number,
    weight_decay: Number,
    weight1: Number,
    beta2: Number,
    weight2: Number,
    correction1: Number,
    root_correction2: Number,
    rectification: Number,
    eps: Number,
    *,
    maximize: bool,
    decay: bool,
    decoupled: bool,
    small_weight: bool,
    adaptive: bool,
) -> tuple[Tensor, ...]:
    """p - lr m / correction1, times root_correction2 / (sqrt(v) + eps) rectification where `adaptive`"""
    exp_avg, exp_avg_sq = state
    if maximize:
        grad = -grad
    if decay:
        param, grad = decayed(param, grad, weight_decay, decoupled=decoupled)
    exp_avg = lerp(exp_avg, grad, weight1, small=small_weight)
    exp_avg_sq = exp_avg_sq * beta2 + grad * weight2 * grad
    change = exp_avg / correction1 * lr
    if adaptive:
        change = change * (root_correction2 / (exp_avg_sq.sqrt() + eps)) * rectification
    return param - change, exp_avg, exp_avg_sq


class RAdam(RuleOptimizer):
    """RAdam: Adam with a warm-up that follows from the variance of its divisor.

    Args:
        params: what to optimize, see `Optimizer`.
        lr: learning rate, a number or a tensor of one.
        betas: decay rates of the running means of the gradient and of its square.
        eps: added to the divisor.
        weight_decay: L2 penalty; with `decoupled_weight_decay` as in AdamW.
        foreach: accepted for PyTorch's sake; every step here is one fused program.
        maximize: goes up the gradient.
        capturable: raises at the step: there is no GPU graph to capture.
        differentiable: lets autograd run through the step.

    Raises:
        ValueError: an option out of its range.
    """

    later_options = {
        "foreach": None,
        "maximize": False,
        "differentiable": False,
        "decoupled_weight_decay": False,
        "capturable": False,
    }

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
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
        defaults = dict(
            lr=lr,
            betas=betas,
            eps=eps,
            weight_decay=weight_decay,
            maximize=maximize,
            foreach=foreach,
            capturable=capturable,
            decoupled_weight_decay=decoupled_weight_decay,
            differentiable=differentiable,
        )
        super().__init__(params, defaults)

    def _rule(self, group: dict[str, Any]) -> tuple[Rule, Fetch]:
        return radam_rule, _FETCH

    def _start(self, param: Tensor, group: dict[str, Any]) -> dict[str, Tensor]:
        return zeros(param, "exp_avg", "exp_avg_sq")

    def _advance(self, group: dict[str, Any], host: tuple[float, ...]) -> Step:
        check_capturable(group)
        step = host[0] + 1
        lr = as_number(group["lr"], group["differentiable"])
        beta1, beta2 = group["betas"]
        correction2 = 1 - beta2**step
        rectification = _rectification(beta2, step)
        decay, decoupled = group["weight_decay"], group["decoupled_weight_decay"]
        flags = (group["maximize"], decay != 0, decoupled, 1 - beta1 < 0.5, rectification is not None)
        numbers = (
            lr,
            1 - lr * decay if decoupled else decay,
            1 - beta1,
            beta2,
            1 - beta2,
            1 - beta1**step,
            correction2**0.5,
            rectification or 0.0,
            group["eps"],
        )
        return (step,), flags, numbers


def _rectification(beta2: float, step: float) -> float | None:
    """The factor r_t of the paper, from the length of the simple moving average; None while that is 5 or less."""
    longest = 2 / (1 - beta2) - 1
    length = longest - 2 * step * (beta2**step) / (1 - beta2**step)
    if length <= 5.0:
        return None
    return ((length - 4) * (length - 2) * longest / ((longest - 4) * (longest - 2) * length)) ** 0.5
