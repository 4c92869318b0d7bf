"""Averaged stochastic gradient descent (Polyak and Juditsky, 1992, "Acceleration of stochastic approximation by
averaging").

`asgd_rule` is the formula. The rates of the next step, `eta` and `mu`, are host numbers beside the step count.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from rushlight.optim.optimizer import ParamsT
from rushlight.optim.state import host_dtype
from rushlight.optim.update import Fetch, Number, Rule, RuleOptimizer, Step, as_number, fetch, zeros
from rushlight.optim.validation import check_capturable, check_lr, check_not_negative
from rushlight.tensor import Tensor

__all__ = ["ASGD"]

_FETCH = fetch("ax")


def asgd_rule(
    param: Tensor,
    grad: Tensor,
    state: tuple[Tensor, ...],
    eta: Number,
    weight_decay: Number,
    shrink: Number,
    mu: Number,
    *,
    maximize: bool,
    decay: bool,
    averaging: bool,
) -> tuple[Tensor, ...]:
    """p = shrink p - eta g; ax = ax + mu (p - ax), or p itself before averaging starts"""
    if maximize:
        grad = -grad
    if decay:
        grad = grad + param * weight_decay
    param = param * shrink - grad * eta
    return param, state[0] + (param - state[0]) * mu if averaging else param


class ASGD(RuleOptimizer):
    """Stochastic gradient descent whose state `ax` is the average of the parameters since step `t0`.

    Args:
        params: what to optimize, see `Optimizer`.
        lr, lambd, alpha: the rate after step t is `lr / (1 + lambd * lr * t) ** alpha`; `lambd` also shrinks.
        t0: the step at which averaging starts.
        weight_decay: L2 penalty.
        foreach: accepted for PyTorch's sake; every step here is one fused program.
        maximize: goes up the gradient.
        differentiable: lets autograd run through the step.
        capturable: raises at the step: there is no GPU graph to capture.

    Raises:
        ValueError: a negative `lr` or `weight_decay`.
    """

    host_names = ("step", "eta", "mu")
    later_options = {"foreach": None, "maximize": False, "differentiable": False, "capturable": False}

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-2,
        lambd: float = 1e-4,
        alpha: float = 0.75,
        t0: float = 1e6,
        weight_decay: float = 0,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
        capturable: bool = False,
    ) -> None:
        check_lr(lr)
        check_not_negative("weight_decay value", weight_decay)
        defaults = dict(
            lr=lr,
            lambd=lambd,
            alpha=alpha,
            t0=t0,
            weight_decay=weight_decay,
            foreach=foreach,
            maximize=maximize,
            differentiable=differentiable,
            capturable=capturable,
        )
        super().__init__(params, defaults)

    def _rule(self, group: dict[str, Any]) -> tuple[Rule, Fetch]:
        return asgd_rule, _FETCH

    def _start(self, param: Tensor, group: dict[str, Any]) -> dict[str, Tensor]:
        return zeros(param, "ax")

    def _host_start(self, group: dict[str, Any]) -> tuple[float, ...]:
        return (0.0, _rounded(as_number(group["lr"])), 1.0)

    def _advance(self, group: dict[str, Any], host: tuple[float, ...]) -> Step:
        check_capturable(group, "params, mus, etas, and state_steps")
        step, eta, mu = host[0] + 1, host[1], host[2]
        lr, lambd, decay = as_number(group["lr"]), group["lambd"], group["weight_decay"]
        next_eta = _rounded(lr / ((1 + lambd * lr * step) ** group["alpha"]))
        next_mu = _rounded(1 / max(1, step - group["t0"]))
        flags = (group["maximize"], decay != 0, mu != 1)
        return (step, next_eta, next_mu), flags, (eta, decay, 1 - lambd * eta, mu)


def _rounded(value: float) -> float:
    """As the 0-dim tensor that stands for the number in the state holds it."""
    return float(np.dtype(host_dtype()).type(value))
