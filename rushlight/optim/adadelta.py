"""Adadelta (Zeiler, 2012, "ADADELTA: an adaptive learning rate method").

`adadelta_rule` is the formula: the step is the gradient times the ratio of two running root mean squares.
"""

from __future__ import annotations

from typing import Any

from rushlight.optim.optimizer import ParamsT
from rushlight.optim.update import Fetch, Number, Rule, RuleOptimizer, Step, as_number, fetch, zeros
from rushlight.optim.validation import check_capturable, check_lr, check_not_negative
from rushlight.tensor import Tensor

__all__ = ["Adadelta"]

_FETCH = fetch("square_avg", "acc_delta")


def adadelta_rule(
    param: Tensor,
    grad: Tensor,
    state: tuple[Tensor, ...],
    lr: Number,
    weight_decay: Number,
    rho: Number,
    weight: Number,
    eps: Number,
    *,
    maximize: bool,
    decay: bool,
) -> tuple[Tensor, ...]:
    """v = rho v + (1 - rho) g^2; d = sqrt(u + eps) / sqrt(v + eps) g; u = rho u + (1 - rho) d^2; p - lr d"""
    square_avg, acc_delta = state
    if maximize:
        grad = -grad
    if decay:
        grad = grad + param * weight_decay
    square_avg = square_avg * rho + grad * weight * grad
    delta = (acc_delta + eps).sqrt() / (square_avg + eps).sqrt() * grad
    return param - delta * lr, square_avg, acc_delta * rho + delta * weight * delta


class Adadelta(RuleOptimizer):
    """Adadelta: steps in the units of the parameter, without a rate to choose.

    Args:
        params: what to optimize, see `Optimizer`.
        lr: factor on the step, a number or a tensor of one.
        rho: decay rate of both running means, in [0, 1].
        eps: added under the roots.
        weight_decay: L2 penalty.
        foreach: accepted for PyTorch's sake; every step here is one fused program.
        capturable: raises at the step: there is no GPU graph to capture.
        maximize: goes up the gradient.
        differentiable: lets autograd run through the step.

    Raises:
        ValueError: an option out of its range.
    """

    later_options = {"foreach": None, "maximize": False, "differentiable": False, "capturable": False}

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1.0,
        rho: float = 0.9,
        eps: float = 1e-6,
        weight_decay: float = 0,
        foreach: bool | None = None,
        *,
        capturable: bool = False,
        maximize: bool = False,
        differentiable: bool = False,
    ) -> None:
        check_lr(lr)
        if not 0.0 <= rho <= 1.0:
            raise ValueError(f"Invalid rho value: {rho}")
        check_not_negative("epsilon value", eps)
        check_not_negative("weight_decay value", weight_decay)
        defaults = dict(
            lr=lr,
            rho=rho,
            eps=eps,
            weight_decay=weight_decay,
            maximize=maximize,
            capturable=capturable,
            foreach=foreach,
            differentiable=differentiable,
        )
        super().__init__(params, defaults)

    def _rule(self, group: dict[str, Any]) -> tuple[Rule, Fetch]:
        return adadelta_rule, _FETCH

    def _start(self, param: Tensor, group: dict[str, Any]) -> dict[str, Tensor]:
        return zeros(param, "square_avg", "acc_delta")

    def _advance(self, group: dict[str, Any], host: tuple[float, ...]) -> Step:
        check_capturable(group, xla=False)
        lr = as_number(group["lr"], group["differentiable"])
        decay, rho = group["weight_decay"], group["rho"]
        return (host[0] + 1,), (group["maximize"], decay != 0), (lr, decay, rho, 1 - rho, group["eps"])
