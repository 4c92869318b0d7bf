"""Adafactor (Shazeer and Stern, 2018, "Adafactor: adaptive learning rates with sublinear memory cost").

`adafactor_rule` is the formula. For a matrix, only the running means over its rows and its columns are kept; their
outer product stands for the mean of the squared gradient.
"""

from __future__ import annotations

from typing import Any

import rushlight
from rushlight.optim.optimizer import ParamsT
from rushlight.optim.update import Fetch, Number, Rule, RuleOptimizer, Step, Update, as_number, fetch, lerp, zeros
from rushlight.optim.validation import check_lr
from rushlight.tensor import Tensor

__all__ = ["Adafactor"]

_FACTORS = fetch("row_var", "col_var")
_VARIANCE = fetch("variance")


def adafactor_rule(
    param: Tensor,
    grad: Tensor,
    state: tuple[Tensor, ...],
    lr_decay: Number,
    weight: Number,
    rate: Number,
    eps1: Number,
    eps1_squared: Number,
    eps2: Number,
    d: Number,
    *,
    maximize: bool,
    decay: bool,
    small_weight: bool,
) -> tuple[Tensor, ...]:
    """p - alpha u / max(1, rms(u) / d), u = g / sqrt(v), alpha = rate max(eps2, rms(p)); v is a matrix of rank one."""
    if maximize:
        grad = -grad
    alpha = _rms(param).clamp(min=eps2) * rate
    if decay:
        param = param * lr_decay
    if len(state) == 2:
        row_var = lerp(state[0], (grad * grad).mean(dim=-1, keepdim=True), weight, small=small_weight)
        col_var = lerp(state[1], (grad * grad).mean(dim=-2, keepdim=True), weight, small=small_weight)
        state = (row_var, col_var)
        estimate = row_var @ col_var / row_var.mean(dim=-2, keepdim=True).clamp(min=eps1)
    else:
        estimate = lerp(state[0], grad * grad, weight, small=small_weight)
        state = (estimate,)
    update = estimate.clamp(min=eps1_squared).rsqrt() * grad
    clipping = (_rms(update) / d).clamp(min=1.0)
    return param - update * (alpha / clipping), *state


def _rms(x: Tensor) -> Tensor:
    """The root of the mean square, a 0-dim tensor."""
    return (x * x).mean().sqrt()


class Adafactor(RuleOptimizer):
    """Adafactor: a step relative to the size of the parameter, with a memory of rows plus columns for a matrix.

    Args:
        params: what to optimize, see `Optimizer`; real tensors.
        lr: the largest relative step, a number or a tensor of one.
        beta2_decay: exponent of the running mean's decay, 0 or less.
        eps: smallest divisor (None: the dtype's eps) and smallest size of a parameter.
        d: clipping threshold of the update's root mean square, 1 or more.
        weight_decay: decoupled weight decay.
        foreach: accepted for PyTorch's sake; every step here is one fused program.
        maximize: goes up the gradient.

    Raises:
        ValueError: an option out of its range.
    """

    later_options = {"foreach": None}

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-2,
        beta2_decay: float = -0.8,
        eps: tuple[float | None, float] = (None, 1e-3),
        d: float = 1.0,
        weight_decay: float = 0.0,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
    ) -> None:
        check_lr(lr, "Learning rate should be >= 0 but is: {}")
        if not 0.0 >= beta2_decay:
            raise ValueError(f"beta2_decay should be <= 0 but is: {beta2_decay}")
        if eps[0] is not None and not 0.0 <= eps[0]:
            raise ValueError(f"epsilon1 should be >= 0 but is: {eps[0]}")
        if not 0.0 <= eps[1]:
            raise ValueError(f"epsilon2 should be >= 0 but is: {eps[1]}")
        if not 1.0 <= d:
            raise ValueError(f"Clipping threshold d should be >= 1 but is: {d}")
        if not 0.0 <= weight_decay:
            raise ValueError(f"weight_decay should be >= 0 but is: {weight_decay}")
        defaults = dict(
            lr=lr,
            beta2_decay=beta2_decay,
            eps=eps,
            d=d,
            weight_decay=weight_decay,
            foreach=foreach,
            maximize=maximize,
        )
        super().__init__(params, defaults)

    def _check(self, param: Tensor, grad: Tensor) -> None:
        if param.is_complex():
            raise RuntimeError("Adafactor does not support complex parameters")
        super()._check(param, grad)

    def _start(self, param: Tensor, group: dict[str, Any]) -> dict[str, Tensor]:
        if param.dim() < 2:
            return zeros(param, "variance")
        rows, columns = list(param.shape), list(param.shape)
        rows[-1] = columns[-2] = 1
        new = dict(dtype=param.dtype, device=param.device)
        return {"row_var": rushlight.zeros(rows, **new), "col_var": rushlight.zeros(columns, **new)}

    def _gather(self, group: dict[str, Any], update: Update, params: list[Tensor]) -> None:
        """One bucket of matrices and one of vectors for each dtype, since the smallest divisor follows the dtype."""
        parts: dict[tuple[bool, Any], list[Tensor]] = {}
        for param in params:
            parts.setdefault((param.dim() > 1, param.dtype), []).append(param)
        for (factored, dtype), part in parts.items():
            own = {**group, "factored": factored, "eps": (_eps1(group["eps"][0], dtype), group["eps"][1])}
            super()._gather(own, update, part)

    def _rule(self, group: dict[str, Any]) -> tuple[Rule, Fetch]:
        return adafactor_rule, _FACTORS if group["factored"] else _VARIANCE

    def _advance(self, group: dict[str, Any], host: tuple[float, ...]) -> Step:
        step = host[0] + 1
        lr = as_number(group["lr"])
        weight = step ** group["beta2_decay"]
        rate = min(lr, 1 / (step**0.5))
        eps1, eps2 = group["eps"]
        flags = (group["maximize"], group["weight_decay"] != 0, weight < 0.5)
        numbers = (1 - lr * group["weight_decay"], weight, rate, eps1, eps1 * eps1, eps2, group["d"])
        return (step,), flags, numbers


def _eps1(eps: float | None, dtype: Any) -> float:
    return rushlight.finfo(dtype).eps if eps is None else eps
