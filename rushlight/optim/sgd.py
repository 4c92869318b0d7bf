"""Stochastic gradient descent, with momentum after Sutskever et al. (2013), "On the importance of initialization and
momentum in deep learning".

`sgd_rule` is the formula; `SGD` gathers the parameters for it (see `update.py`).
"""

from __future__ import annotations

from functools import partial
from operator import itemgetter
from typing import Any

import rushlight
from rushlight.optim.optimizer import ParamsT
from rushlight.optim.sparse_rows import is_sparse
from rushlight.optim.update import Number, RuleOptimizer, Update, as_number
from rushlight.optim.validation import check_fused, check_fused_params
from rushlight.tensor import Tensor

__all__ = ["SGD"]

_NUMBERS = itemgetter("lr", "weight_decay", "momentum", "dampening")
_PLAIN = frozenset((float, int))


def sgd_rule(
    param: Tensor,
    grad: Tensor,
    state: tuple[Tensor, ...],
    lr: Number,
    weight_decay: Number,
    momentum: Number,
    undamped: Number,
    *,
    maximize: bool,
    decay: bool,
    nesterov: bool,
    first: bool,
) -> tuple[Tensor, ...]:
    """p - lr g; with a momentum buffer in `state`, b = momentum b + undamped g (at first g) takes the place of g."""
    if maximize:
        grad = -grad
    if decay:
        grad = grad + param * weight_decay
    if not state:
        return (param - grad * lr,)
    buffer = grad if first else state[0] * momentum + grad * undamped
    direction = grad + buffer * momentum if nesterov else buffer
    return param - direction * lr, buffer


class SGD(RuleOptimizer):
    """Stochastic gradient descent, optionally with momentum.

    Args:
        params: what to optimize, see `Optimizer`.
        lr: learning rate, a number or a tensor of one.
        momentum, dampening, nesterov: the momentum buffer is `momentum * buffer + (1 - dampening) * grad`.
        weight_decay: L2 penalty.
        maximize: goes up the gradient.
        foreach, fused: accepted for PyTorch's sake; every step here is one fused program.
        differentiable: lets autograd run through the step.

    Raises:
        ValueError: a negative option, or `nesterov` without momentum or with dampening.

    >>> w = rushlight.ones(2, requires_grad=True)
    >>> w.sum().backward(); rushlight.optim.SGD([w], lr=0.5).step(); w.tolist()
    [0.5, 0.5]
    """

    host_names = None
    _unchecked_fused = False
    later_options = {"nesterov": False, "maximize": False, "foreach": None, "differentiable": False, "fused": False}

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-3,
        momentum: float = 0,
        dampening: float = 0,
        weight_decay: float | Tensor = 0,
        nesterov: bool = False,
        *,
        maximize: bool = False,
        foreach: bool | None = None,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        _check_options(lr, momentum, weight_decay)
        defaults = dict(
            lr=lr,
            momentum=momentum,
            dampening=dampening,
            weight_decay=weight_decay,
            nesterov=nesterov,
            maximize=maximize,
            foreach=foreach,
            differentiable=differentiable,
            fused=fused,
        )
        if nesterov and (momentum <= 0 or dampening != 0):
            raise ValueError("Nesterov momentum requires a momentum and zero dampening")
        super().__init__(params, defaults)
        check_fused(fused, foreach, differentiable)
        self._unchecked_fused = bool(fused)

    def _gather(self, group: dict[str, Any], update: Update, params: list[Tensor]) -> None:
        if self._unchecked_fused:
            check_fused_params(self.param_groups)
            self._unchecked_fused = False
        if group["momentum"] != 0:
            self._gather_with_momentum(group, update, params)
            return
        tensors: list[Tensor] = []
        targets: list[Tensor] = []
        for param in params:
            grad = param._grad
            if grad is not None:
                if grad.__class__ is not Tensor and is_sparse(grad):
                    self._step_sparse(group, param, grad)
                    continue
                tensors += (param, grad)
                targets.append(param)
        if targets:
            _add(group, update, False, tensors, targets, len(targets))

    def _gather_with_momentum(self, group: dict[str, Any], update: Update, params: list[Tensor]) -> None:
        buckets: dict[bool, tuple[list[Any], list[Any]]] = {}
        state = self.state
        for param in params:
            grad = param._grad
            if grad is None:
                continue
            if grad.__class__ is not Tensor and is_sparse(grad):
                self._step_sparse(group, param, grad)
                continue
            own = state.get(param)
            buffer = own.get("momentum_buffer") if own else None
            first = buffer is None
            if first:
                buffer = rushlight.empty_like(param, requires_grad=False)
                update.commits.append(partial(self._keep_buffer, param, buffer))
            bucket = buckets.get(first)
            if bucket is None:
                bucket = buckets[first] = ([], [])
            bucket[0].extend((param, grad, buffer))
            bucket[1].extend((param, buffer))
        for first, (tensors, targets) in buckets.items():
            _add(group, update, first, tensors, targets, len(targets) // 2)

    def _step_sparse(self, group: dict[str, Any], param: Tensor, grad: Tensor) -> None:
        """The step for a sparse gradient, whose momentum buffer is sparse as well: what the rule says, but in turn."""
        with rushlight.no_grad():
            grad = -grad if group["maximize"] else grad
            if group["weight_decay"] != 0:
                grad = grad + param * group["weight_decay"]
            momentum = group["momentum"]
            if momentum != 0:
                buffer = self.state[param].get("momentum_buffer")
                buffer = grad.clone() if buffer is None else buffer * momentum + grad * (1 - group["dampening"])
                self.state[param]["momentum_buffer"] = buffer
                grad = grad + buffer * momentum if group["nesterov"] else buffer
            param.add_(grad * -as_number(group["lr"]))

    def _keep_buffer(self, param: Tensor, buffer: Tensor) -> None:
        self.state[param]["momentum_buffer"] = buffer


def _check_options(lr: Any, momentum: float, weight_decay: Any) -> None:
    if isinstance(lr, Tensor) and lr.numel() != 1:
        raise ValueError("Tensor lr must be 1-element")
    if lr < 0.0:
        raise ValueError(f"Invalid learning rate: {lr}")
    if momentum < 0.0:
        raise ValueError(f"Invalid momentum value: {momentum}")
    if weight_decay < 0.0:
        raise ValueError(f"Invalid weight_decay value: {weight_decay}")


def _add(
    group: dict[str, Any], update: Update, first: bool, tensors: list[Tensor], targets: list[Tensor], count: int
) -> None:
    """Adds `count` parameters with the numbers and flags of their group."""
    numbers = lr, weight_decay, momentum, dampening = _NUMBERS(group)
    if not _PLAIN.issuperset(map(type, numbers)):
        differentiable = group["differentiable"]
        lr, weight_decay = as_number(lr, differentiable), as_number(weight_decay, differentiable)
        momentum, dampening = as_number(momentum), as_number(dampening)
    flags = (group["maximize"], weight_decay != 0, group["nesterov"], first)
    update.add(sgd_rule, flags, count, tensors, targets, (lr, weight_decay, momentum, 1 - dampening))
