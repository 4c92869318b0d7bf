"""Muon (Jordan et al., 2024, "Muon: an optimizer for hidden layers in neural networks").

`muon_rule` is the formula: momentum, made nearly orthogonal by a few Newton-Schulz iterations, which run in bfloat16
as in PyTorch so that the numbers agree.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import rushlight
from rushlight.optim.optimizer import ParamsT
from rushlight.optim.update import Fetch, Number, Rule, RuleOptimizer, Step, Update, as_number, fetch, lerp, zeros
from rushlight.optim.validation import check_lr
from rushlight.tensor import Tensor

__all__ = ["Muon"]

_BUFFER = fetch("momentum_buffer")


def muon_rule(
    param: Tensor,
    grad: Tensor,
    state: tuple[Tensor, ...],
    lr: Number,
    lr_decay: Number,
    momentum: Number,
    weight: Number,
    eps: Number,
    *,
    nesterov: bool,
    small_weight: bool,
    small_momentum: bool,
    coefficients: tuple[float, float, float],
    ns_steps: int,
    adjust_lr_fn: str | None,
) -> tuple[Tensor, ...]:
    """lr_decay p - lr ratio orthogonalized(b), b the running mean of g; with Nesterov g moved towards b."""
    buffer = lerp(state[0], grad, weight, small=small_weight)
    direction = lerp(grad, buffer, momentum, small=small_momentum) if nesterov else buffer
    update = orthogonalized(direction, coefficients, ns_steps, eps)
    ratio = lr_ratio(adjust_lr_fn, param.shape)
    return param * lr_decay - update.to(param.dtype) * (lr * ratio), buffer


def orthogonalized(matrix: Tensor, coefficients: Sequence[float], steps: int, eps: Number) -> Tensor:
    """Roughly U V^T, where `matrix` is U S V^T (singular value decomposition): the quintic Newton-Schulz iteration."""
    a, b, c = coefficients
    x = _bfloat(matrix)
    tall = matrix.shape[0] > matrix.shape[1]
    if tall:
        x = x.t()
    x = _bfloat(x / _bfloat(_bfloat((x * x).sum().sqrt()).clamp(min=eps)))
    for _ in range(steps):
        gram = _bfloat(x @ x.t())
        x = _bfloat(x * a + _bfloat(gram * b + gram @ gram * c) @ x)
    return x.t() if tall else x


def _bfloat(x: Tensor) -> Tensor:
    """Rounded to bfloat16, held in float32: each product then rounds once, as in a bfloat16 matrix product."""
    return x.to(rushlight.bfloat16).to(rushlight.float32)


def lr_ratio(adjust_lr_fn: str | None, shape: Sequence[int]) -> float:
    """How much longer the step of a matrix of this shape is; the two rules are Jordan's and Moonshot's."""
    rows, columns = shape[:2]
    if adjust_lr_fn == "match_rms_adamw":
        return 0.2 * math.sqrt(max(rows, columns))
    return math.sqrt(max(1, rows / columns))


class Muon(RuleOptimizer):
    """Muon, for the matrices inside a network; give biases and embeddings to another optimizer.

    Args:
        params: matrices, see `Optimizer`.
        lr: learning rate, a number or a tensor of one.
        weight_decay: decoupled weight decay.
        momentum, nesterov: the running mean of the gradient, and whether to look ahead along it.
        ns_coefficients, ns_steps, eps: coefficients and number of Newton-Schulz iterations; smallest norm.
        adjust_lr_fn: "original" (also None) or "match_rms_adamw": how the rate depends on the shape.

    Raises:
        ValueError: a negative option, an unknown `adjust_lr_fn`, or a parameter that is not a matrix.
    """

    host_names = ()

    def __init__(
        self,
        params: ParamsT,
        lr: float = 1e-3,
        weight_decay: float = 0.1,
        momentum: float = 0.95,
        nesterov: bool = True,
        ns_coefficients: tuple[float, float, float] = (3.4445, -4.7750, 2.0315),
        eps: float = 1e-7,
        ns_steps: int = 5,
        adjust_lr_fn: str | None = None,
    ) -> None:
        check_lr(lr, "Learning rate should be >= 0 but is: {}")
        if not 0.0 <= momentum:
            raise ValueError(f"momentum should be >= 0 but is: {momentum}")
        if not 0.0 <= weight_decay:
            raise ValueError(f"weight decay should be >= 0 but is: {weight_decay}")
        if adjust_lr_fn not in (None, "original", "match_rms_adamw"):
            raise ValueError(f"Adjust learning rate function {adjust_lr_fn} is not supported")
        defaults = dict(
            lr=lr,
            weight_decay=weight_decay,
            momentum=momentum,
            nesterov=nesterov,
            ns_coefficients=ns_coefficients,
            eps=eps,
            ns_steps=ns_steps,
            adjust_lr_fn=adjust_lr_fn,
        )
        super().__init__(params, defaults)
        for group in self.param_groups:
            for param in group["params"]:
                if param.dim() != 2:
                    raise ValueError(
                        f"Muon only supports 2D parameters whereas we found a parameter with size: {param.size()}"
                    )

    def _check(self, param: Tensor, grad: Tensor) -> None:
        if param.is_complex():
            raise RuntimeError("Muon does not support complex parameters")
        super()._check(param, grad)

    def _gather(self, group: dict[str, Any], update: Update, params: list[Tensor]) -> None:
        _check_newton_schulz(group)
        super()._gather(group, update, params)

    def _rule(self, group: dict[str, Any]) -> tuple[Rule, Fetch]:
        return muon_rule, _BUFFER

    def _start(self, param: Tensor, group: dict[str, Any]) -> dict[str, Tensor]:
        return zeros(param, "momentum_buffer")

    def _host_start(self, group: dict[str, Any]) -> tuple[float, ...]:
        return ()

    def _advance(self, group: dict[str, Any], host: tuple[float, ...]) -> Step:
        lr = as_number(group["lr"])
        momentum = group["momentum"]
        flags = (
            group["nesterov"],
            1 - momentum < 0.5,
            momentum < 0.5,
            tuple(group["ns_coefficients"]),
            group["ns_steps"],
            group["adjust_lr_fn"],
        )
        return (), flags, (lr, 1 - lr * group["weight_decay"], momentum, 1 - momentum, group["eps"])


def _check_newton_schulz(group: dict[str, Any]) -> None:
    if group["ns_steps"] >= 100:
        raise ValueError("Number of steps must be less than 100 for computational efficiency")
    if len(group["ns_coefficients"]) != 3:
        raise ValueError("Coefficients must be a tuple of exactly 3 values")
