"""Rprop, resilient backpropagation (Riedmiller and Braun, 1993).

`rprop_rule` is the formula: only the sign of the gradient counts, and each element has a step size of its own.
"""

from __future__ import annotations

from typing import Any

import rushlight
from rushlight.optim.optimizer import ParamsT
from rushlight.optim.update import Fetch, Number, Rule, RuleOptimizer, Step, as_number, fetch, zeros
from rushlight.optim.validation import check_capturable, check_lr
from rushlight.tensor import Tensor

__all__ = ["Rprop"]

_FETCH = fetch("prev", "step_size")


def rprop_rule(
    param: Tensor,
    grad: Tensor,
    state: tuple[Tensor, ...],
    eta_minus: Number,
    eta_plus: Number,
    smallest: Number,
    largest: Number,
    *,
    maximize: bool,
) -> tuple[Tensor, ...]:
    """The step size grows while the gradient keeps its sign; where the sign turns it shrinks and the element rests."""
    prev, step_size = state
    if maximize:
        grad = -grad
    agreement = grad * prev
    turned = agreement < 0
    shrunk = rushlight.where(turned, step_size * eta_minus, step_size)
    step_size = rushlight.where(agreement > 0, step_size * eta_plus, shrunk).clamp(smallest, largest)
    grad = rushlight.where(turned, rushlight.zeros_like(grad), grad)
    return param - grad.sign() * step_size, grad, step_size


class Rprop(RuleOptimizer):
    """Rprop, for full batches.

    Args:
        params: what to optimize, see `Optimizer`.
        lr: the first step size, a number or a tensor of one.
        etas: factors on the step size where the gradient turns and where it keeps its sign.
        step_sizes: smallest and largest step size.
        capturable: raises at the step: there is no GPU graph to capture.
        foreach: accepted for PyTorch's sake; every step here is one fused program.
        maximize: goes up the gradient.
        differentiable: lets autograd run through the step.

    Raises:
        ValueError: a negative `lr`, or `etas` that are not 0 < eta_minus < 1 < eta_plus.
    """

    later_options = {"foreach": None, "maximize": False, "differentiable": False, "capturable": False}

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-2,
        etas: tuple[float, float] = (0.5, 1.2),
        step_sizes: tuple[float, float] = (1e-6, 50),
        *,
        capturable: bool = False,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
    ) -> None:
        check_lr(lr)
        if not 0.0 < etas[0] < 1.0 < etas[1]:
            raise ValueError(f"Invalid eta values: {etas[0]}, {etas[1]}")
        defaults = dict(
            lr=lr,
            etas=etas,
            step_sizes=step_sizes,
            foreach=foreach,
            maximize=maximize,
            differentiable=differentiable,
            capturable=capturable,
        )
        super().__init__(params, defaults)

    def _rule(self, group: dict[str, Any]) -> tuple[Rule, Fetch]:
        return rprop_rule, _FETCH

    def _start(self, param: Tensor, group: dict[str, Any]) -> dict[str, Tensor]:
        lr = as_number(group["lr"])
        fill = complex(lr, lr) if param.is_complex() else lr
        return {**zeros(param, "prev"), "step_size": rushlight.full_like(param, fill, requires_grad=False)}

    def _advance(self, group: dict[str, Any], host: tuple[float, ...]) -> Step:
        check_capturable(group)
        return (host[0] + 1,), (group["maximize"],), (*group["etas"], *group["step_sizes"])
