"""SparseAdam: Adam for sparse gradients, whose moments are updated only where the gradient has entries.

Rushlight has no sparse tensors, so every gradient is dense and a step refuses it with PyTorch's message; the options
are checked as there.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import rushlight
from rushlight.optim.optimizer import Optimizer, ParamsT
from rushlight.optim.validation import check_betas, check_lr
from rushlight.tensor import Tensor

__all__ = ["SparseAdam"]


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
        places = [
            [i, j]
            for i, group in enumerate(self.param_groups)
            for j, param in enumerate(group["params"])
            if param.is_complex()
        ]
        if places:
            raise ValueError(f"Complex params at indices {places}: SparseAdam does not support complex parameters")

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Calls the closure and returns its loss where no parameter has a gradient.

        Raises:
            RuntimeError: a dense gradient.
            NotImplementedError: a sparse one.
        """
        loss = None
        if closure is not None:
            with rushlight.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for param in group["params"]:
                if param.grad is not None:
                    _refuse(param.grad)
        return loss


def _refuse(grad: Tensor) -> None:
    if not grad.is_sparse:
        raise RuntimeError("SparseAdam does not support dense gradients, please consider Adam instead")
    raise NotImplementedError("SparseAdam.step: Rushlight has no sparse tensors")
