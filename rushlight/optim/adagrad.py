"""Adagrad (Duchi, Hazan and Singer, 2011, "Adaptive subgradient methods for online learning").

`adagrad_rule` is the formula; the state, the sum of squared gradients, exists from the start, as in PyTorch.
"""

from __future__ import annotations

from typing import Any

import rushlight
from rushlight.optim.optimizer import ParamsT
from rushlight.optim.sparse_rows import is_sparse, step_rows
from rushlight.optim.state import ParamState
from rushlight.optim.update import Fetch, Number, Rule, RuleOptimizer, Step, Update, as_number, fetch
from rushlight.optim.validation import check_fused, check_fused_params, check_lr, check_not_negative
from rushlight.tensor import Tensor

__all__ = ["Adagrad"]

_SUM = fetch("sum")


def adagrad_rule(
    param: Tensor,
    grad: Tensor,
    state: tuple[Tensor, ...],
    rate: Number,
    weight_decay: Number,
    eps: Number,
    *,
    maximize: bool,
    decay: bool,
) -> tuple[Tensor, ...]:
    """s = s + g^2; p - rate g / (sqrt(s) + eps)"""
    if maximize:
        grad = -grad
    if decay:
        grad = grad + param * weight_decay
    total = state[0] + grad * grad
    return param - grad * rate / (total.sqrt() + eps), total


def _rows_rule(param: Tensor, grad: Tensor, state: tuple[Tensor, ...], *numbers: Number) -> tuple[Tensor, ...]:
    return adagrad_rule(param, grad, state, *numbers, maximize=False, decay=False)


class Adagrad(RuleOptimizer):
    """Adagrad: the step of each element shrinks with the sum of its squared gradients.

    Args:
        params: what to optimize, see `Optimizer`.
        lr, lr_decay: the rate of step t is `lr / (1 + (t - 1) * lr_decay)`.
        weight_decay: L2 penalty.
        initial_accumulator_value: where the sum starts.
        eps: added to the divisor.
        maximize: goes up the gradient.
        foreach, fused: accepted for PyTorch's sake; every step here is one fused program.
        differentiable: lets autograd run through the step.

    Raises:
        ValueError: a negative option.
    """

    _unchecked_fused = False
    later_options = {"foreach": None, "maximize": False, "differentiable": False, "fused": None}

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-2,
        lr_decay: float = 0,
        weight_decay: float = 0,
        initial_accumulator_value: float = 0,
        eps: float = 1e-10,
        foreach: bool | None = None,
        *,
        maximize: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        check_lr(lr)
        check_not_negative("lr_decay value", lr_decay)
        check_not_negative("weight_decay value", weight_decay)
        check_not_negative("initial_accumulator_value value", initial_accumulator_value)
        check_not_negative("epsilon value", eps)
        defaults = dict(
            lr=lr,
            lr_decay=lr_decay,
            eps=eps,
            weight_decay=weight_decay,
            initial_accumulator_value=initial_accumulator_value,
            foreach=foreach,
            maximize=maximize,
            differentiable=differentiable,
            fused=fused,
        )
        super().__init__(params, defaults)
        check_fused(fused, foreach, differentiable)
        self._unchecked_fused = bool(fused)
        for group in self.param_groups:
            for param in group["params"]:
                self.state[param] = ParamState(("step",), (0.0,), self._start(param, group))

    def share_memory(self) -> None:
        """Moves the sums to memory that other processes share."""
        for group in self.param_groups:
            for param in group["params"]:
                self.state[param]["sum"].share_memory_()

    def _rule(self, group: dict[str, Any]) -> tuple[Rule, Fetch]:
        return adagrad_rule, _SUM

    def _start(self, param: Tensor, group: dict[str, Any]) -> dict[str, Tensor]:
        value = group["initial_accumulator_value"]
        fill = complex(value, value) if param.is_complex() else value
        return {"sum": rushlight.full_like(param, fill, requires_grad=False)}

    def _check(self, param: Tensor, grad: Tensor) -> None:
        """A sparse gradient has its own way (`_gather`)."""

    def _gather(self, group: dict[str, Any], update: Update, params: list[Tensor]) -> None:
        listed = [param for param in params if param._grad is not None and is_sparse(param._grad)]
        if listed and group["weight_decay"] != 0:
            raise RuntimeError("weight_decay option is not compatible with sparse gradients")
        for param in listed:
            self._step_sparse(group, param)
        super()._gather(group, update, [p for p in params if all(p is not q for q in listed)] if listed else params)

    def _step_sparse(self, group: dict[str, Any], param: Tensor) -> None:
        state = self.state[param]
        state["step"] = state["step"] + 1
        rate = as_number(group["lr"]) / (1 + (float(state["step"]) - 1) * group["lr_decay"])
        grad: Any = param._grad
        grad = -grad if group["maximize"] else grad
        step_rows(_rows_rule, param, grad, (state["sum"],), (rate, 0.0, group["eps"]))

    def _advance(self, group: dict[str, Any], host: tuple[float, ...]) -> Step:
        if self._unchecked_fused:
            check_fused_params(self.param_groups)
            self._unchecked_fused = False
        step = host[0] + 1
        rate = as_number(group["lr"], group["differentiable"]) / (1 + (step - 1) * group["lr_decay"])
        decay = group["weight_decay"]
        return (step,), (group["maximize"], decay != 0), (rate, decay, group["eps"])
