"""Adam (Kingma and Ba, 2014, "Adam: a method for stochastic optimization"), with AMSGrad (Reddi et al., 2018) and, for
AdamW, decoupled weight decay (Loshchilov and Hutter, 2017).

`adam_rule` is the formula, recorded as one operation where all tensors are alike and nobody differentiates the step;
`Adam._advance` works out the numbers of a step: bias corrections in double precision, as
PyTorch does.
"""

from __future__ import annotations

from typing import Any

import numpy as np

import rushlight
from rushlight.optim.optimizer import ParamsT
from rushlight.optim.update import Fetch, Number, Rule, RuleOptimizer, Step, as_number, decayed, fetch, mixed, zeros
from rushlight.optim.validation import (
    check_betas,
    check_capturable,
    check_fused,
    check_fused_params,
    check_lr,
    check_not_negative,
)
from rushlight.record.operation import operation
from rushlight.record.spec import Spec
from rushlight.record.trace import apply, recorder
from rushlight.tensor import Tensor

__all__ = ["Adam"]

_MOMENTS = fetch("exp_avg", "exp_avg_sq")
_MOMENTS_AND_MAX = fetch("exp_avg", "exp_avg_sq", "max_exp_avg_sq")


def _adam_spec(param: Spec, grad: Spec, m: Spec, v: Spec, largest: Spec | None, *_: Spec, **__: Any) -> Any:
    return (param, param, param) if largest is None else (param, param, param, param)


def _adam(
    param: Any, grad: Any, m: Any, v: Any, largest: Any, weight_decay: Any, share1: Any, beta2: Any, weight2: Any,
    root_correction2: Any, eps: Any, step_size: Any, *, maximize: bool, decay: bool, decoupled: bool,
    small_weight1: bool,
) -> tuple[Any, ...]:  # fmt: skip
    """`adam_rule` of arrays."""
    if maximize:
        grad = -grad
    if decay:
        param, grad = decayed(param, grad, weight_decay, decoupled=decoupled)
    m = mixed(m, grad, share1, small=small_weight1)
    v = v * beta2 + grad * weight2 * grad
    top = v if largest is None else np.maximum(largest, v)
    new = param - m * step_size / (np.sqrt(top) / root_correction2 + eps)
    return (new, m, v) if largest is None else (new, m, v, top)


ADAM = operation("adam_step", _adam_spec, _adam)


def _are_alike(param: Tensor, *others: Tensor) -> bool:
    """Whether one operation can make the step: the same shape and floating dtype, all contiguous, none of it taped."""
    spec = param._value.spec
    return (
        spec.dtype in (rushlight.float32, rushlight.float64)
        and spec.is_contiguous
        and not recorder().tracking
        and all(t._value.spec is spec for t in others)
    )


def adam_rule(
    param: Tensor,
    grad: Tensor,
    state: tuple[Tensor, ...],
    weight_decay: Number,
    share1: Number,
    beta2: Number,
    weight2: Number,
    root_correction2: Number,
    eps: Number,
    step_size: Number,
    *,
    maximize: bool,
    decay: bool,
    decoupled: bool,
    small_weight1: bool,
) -> tuple[Tensor, ...]:
    """p - step_size m / (sqrt(v) / root_correction2 + eps), where m and v are running means of g and g^2.

    `weight2` is 1 - beta2; `share1` is 1 - beta1, or beta1 where that is less (see `mixed`). A third state tensor is
    AMSGrad's maximum of v, which then divides.
    """
    exp_avg, exp_avg_sq = state[0], state[1]
    if _are_alike(param, grad, *state):
        tensors = param, grad, exp_avg, exp_avg_sq, *(state[2:] or (None,))
        numbers = weight_decay, share1, beta2, weight2, root_correction2, eps, step_size
        return apply(ADAM, (*tensors, *numbers), (maximize, decay, decoupled, small_weight1))  # type: ignore[no-any-return]
    if maximize:
        grad = -grad
    if decay:
        param, grad = decayed(param, grad, weight_decay, decoupled=decoupled)
    exp_avg = mixed(exp_avg, grad, share1, small=small_weight1)
    exp_avg_sq = exp_avg_sq * beta2 + grad * weight2 * grad
    largest = tuple(rushlight.maximum(old, exp_avg_sq) for old in state[2:])
    divisor = (largest[0] if largest else exp_avg_sq).sqrt() / root_correction2 + eps
    return param - exp_avg * step_size / divisor, exp_avg, exp_avg_sq, *largest


class Adam(RuleOptimizer):
    """Adam: each element's step is divided by the running size of its gradient.

    Args:
        params: what to optimize, see `Optimizer`.
        lr: learning rate, a number or a tensor of one.
        betas: decay rates of the running means of the gradient and of its square, both numbers or both tensors.
        eps: added to the divisor.
        weight_decay: L2 penalty; with `decoupled_weight_decay` as in AdamW.
        amsgrad: divides by the largest running mean so far.
        maximize: goes up the gradient.
        foreach, fused: accepted for PyTorch's sake; every step here is one fused program.
        capturable: raises at the step: there is no GPU graph to capture.
        differentiable: lets autograd run through the step.

    Raises:
        ValueError: an option out of its range.

    >>> w = rushlight.ones(2, requires_grad=True)
    >>> w.sum().backward(); rushlight.optim.Adam([w], lr=0.5).step(); w
    tensor([0.5000, 0.5000], requires_grad=True)
    """

    _unchecked_fused = False
    _sparse_advice = ", please consider SparseAdam instead"
    later_options = {
        "amsgrad": False,
        "maximize": False,
        "foreach": None,
        "capturable": False,
        "differentiable": False,
        "decoupled_weight_decay": False,
        "fused": None,
    }

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-3,
        betas: tuple[float | Tensor, float | Tensor] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        amsgrad: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
        decoupled_weight_decay: bool = False,
    ) -> None:
        _check_tensor_lr(lr, bool(foreach) and not capturable)
        check_lr(lr)
        check_not_negative("epsilon value", eps)
        check_betas(betas)
        check_not_negative("weight_decay value", weight_decay)
        _check_tensor_betas(betas, bool(foreach) and not capturable)
        defaults = dict(
            lr=lr,
            betas=betas,
            eps=eps,
            weight_decay=weight_decay,
            amsgrad=amsgrad,
            maximize=maximize,
            foreach=foreach,
            capturable=capturable,
            differentiable=differentiable,
            fused=fused,
            decoupled_weight_decay=decoupled_weight_decay,
        )
        super().__init__(params, defaults)
        check_fused(fused, foreach, differentiable)
        self._unchecked_fused = bool(fused)

    def _rule(self, group: dict[str, Any]) -> tuple[Rule, Fetch]:
        return adam_rule, _MOMENTS_AND_MAX if group["amsgrad"] else _MOMENTS

    def _start(self, param: Tensor, group: dict[str, Any]) -> dict[str, Tensor]:
        return zeros(param, *("exp_avg", "exp_avg_sq", "max_exp_avg_sq")[: 3 if group["amsgrad"] else 2])

    def _advance(self, group: dict[str, Any], host: tuple[float, ...]) -> Step:
        check_capturable(group)
        if self._unchecked_fused:
            check_fused_params(self.param_groups)
            self._unchecked_fused = False
        step = host[0] + 1
        differentiable = group["differentiable"]
        lr = as_number(group["lr"], differentiable)
        beta1, beta2 = group["betas"]
        beta1, beta2 = as_number(beta1, differentiable), as_number(beta2, differentiable)
        weight1, weight2 = 1 - beta1, 1 - beta2
        decay, decoupled = group["weight_decay"], group["decoupled_weight_decay"]
        step_size = lr / (1 - beta1**step)
        root_correction2 = (1 - beta2**step) ** 0.5
        small = weight1 < 0.5
        flags = (group["maximize"], decay != 0, decoupled, small)
        decay = 1 - lr * decay if decoupled else decay
        share1 = weight1 if small else 1 - weight1
        return (step,), flags, (decay, share1, beta2, weight2, root_correction2, group["eps"], step_size)


def _check_tensor_lr(lr: Any, refused: bool) -> None:
    if isinstance(lr, Tensor) and refused:
        raise ValueError("lr as a Tensor is not supported for capturable=False and foreach=True")


def _check_tensor_betas(betas: tuple[Any, Any], refused: bool) -> None:
    kinds = [isinstance(beta, Tensor) for beta in betas]
    if not (all(kinds) or all(isinstance(beta, float) for beta in betas)):
        raise ValueError("betas must be either both floats or both Tensors")
    for i, beta in enumerate(betas):
        if isinstance(beta, Tensor) and refused:
            raise ValueError(f"betas[{i}] as a Tensor is not supported for capturable=False and foreach=True")
        if isinstance(beta, Tensor) and beta.numel() != 1:
            raise ValueError(f"Tensor betas[{i}] must be 1-element")
