"""SparseAdam: Adam for sparse gradients, whose moments are updated only where the gradient has entries.

`sparse_adam_rule` is the formula for the rows that a gradient lists; `sparse_rows.py` fetches and writes them.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import rushlight
from rushlight.optim.optimizer import Optimizer, ParamsT
from rushlight.optim.sparse_rows import is_sparse, step_rows
from rushlight.optim.update import Number, as_number, zeros
from rushlight.optim.validation import check_betas, check_lr
from rushlight.record.trace import recorder
from rushlight.tensor import Tensor

__all__ = ["SparseAdam"]


def sparse_adam_rule(
    param: Tensor,
    grad: Tensor,
    state: tuple[Tensor, ...],
    rate: Number,
    share1: Number,
    share2: Number,
    eps: Number,
) -> tuple[Tensor, ...]:
    """m and v go by `share` towards g and g^2; p - rate m / (sqrt(v) + eps)"""
    mean = (grad - state[0]) * share1 + state[0]
    square = (grad * grad - state[1]) * share2 + state[1]
    return param - rate * (mean / (square.sqrt() + eps)), mean, square


class SparseAdam(Optimizer):
    """Adam for sparse gradients.

    Args:
        params: dense tensors whose gradients are sparse.
        lr: learning rate above zero, a number or a tensor of one.
        betas: decay rates of the running means of the gradient and of its square.
        eps: added to the divisor, above zero.
        maximize: goes up the gradient.

    Raises:
        ValueError: an option out of its range, or complex parameters.
    """

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        maximize: bool = False,
    ) -> None:
        check_lr(lr)
        if not 0.0 < lr:
            raise ValueError(f"Invalid learning rate: {lr}")
        if not 0.0 < eps:
            raise ValueError(f"Invalid epsilon value: {eps}")
        check_betas(betas)
        super().__init__(params, dict(lr=lr, betas=betas, eps=eps, maximize=maximize))
        for i, group in enumerate(self.param_groups):
            found = [j for j, param in enumerate(group["params"]) if param.is_sparse]
            if found:
                raise ValueError(f"Sparse params at indices {[[i, j] for j in found]}: SparseAdam requires dense "
                                 "parameter tensors")  # fmt: skip
        places = [
            [i, j]
            for i, group in enumerate(self.param_groups)
            for j, param in enumerate(group["params"])
            if param.is_complex()
        ]
        if places:
            raise ValueError(f"Complex params at indices {places}: SparseAdam does not support complex parameters")

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """One step with the sparse gradients there are; with a closure, calls it first and returns its loss.

        Raises:
            RuntimeError: a dense gradient; nothing is changed then.
        """
        loss = None
        if closure is not None:
            with rushlight.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for param in group["params"]:
                if param.grad is not None and not is_sparse(param.grad):
                    raise RuntimeError("SparseAdam does not support dense gradients, please consider Adam instead")
        for group in self.param_groups:
            for param in group["params"]:
                if param.grad is not None:
                    self._step_one(group, param)
        recorder().end_step()
        return loss

    def _step_one(self, group: dict[str, Any], param: Tensor) -> None:
        state = self.state[param]
        if not state:
            state.update({"step": 0, **zeros(param, "exp_avg", "exp_avg_sq")})
        state["step"] += 1
        beta1, beta2 = group["betas"]
        correction1, correction2 = 1 - beta1 ** state["step"], 1 - beta2 ** state["step"]
        rate = as_number(group["lr"]) * math.sqrt(correction2) / correction1
        grad: Any = param.grad
        grad = -grad if group["maximize"] else grad
        moments = state["exp_avg"], state["exp_avg_sq"]
        step_rows(sparse_adam_rule, param, grad, moments, (rate, 1 - beta1, 1 - beta2, group["eps"]))
