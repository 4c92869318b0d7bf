"""Checks of the options that several optimizers share; the messages are PyTorch's.

Each function raises on a bad value and returns nothing. Comparisons are written so that NaN is refused too.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rushlight.tensor import Tensor

__all__ = ["check_betas", "check_capturable", "check_fused", "check_fused_params", "check_lr", "check_not_negative"]

_GRAPH_DEVICES = ("cuda", "xpu", "hpu", "privateuseone", "xla")
_FUSED_DEVICES = ["mps", "cuda", "xpu", "hpu", "cpu", "mtia", "privateuseone"]


def check_lr(lr: float | Tensor, message: str = "Invalid learning rate: {}") -> None:
    """ValueError for a learning rate below zero, or a tensor of several."""
    if isinstance(lr, Tensor) and lr.numel() != 1:
        raise ValueError("Tensor lr must be 1-element")
    if not 0.0 <= lr:
        raise ValueError(message.format(lr))


def check_not_negative(name: str, value: float | Tensor) -> None:
    """ValueError `Invalid {name}: {value}` for a number below zero."""
    if not 0.0 <= value:
        raise ValueError(f"Invalid {name}: {value}")


def check_betas(betas: Sequence[float | Tensor]) -> None:
    """ValueError for decay rates outside [0, 1)."""
    for i in (0, 1):
        if not 0.0 <= betas[i] < 1.0:
            raise ValueError(f"Invalid beta parameter at index {i}: {betas[i]}")


def check_fused(fused: bool | None, foreach: bool | None, differentiable: bool) -> None:
    """RuntimeError where `fused=True` meets an option that it excludes."""
    if fused and differentiable:
        raise RuntimeError("`fused` does not support `differentiable`")
    if fused and foreach:
        raise RuntimeError("`fused` and `foreach` cannot be `True` together.")


def check_fused_params(groups: Sequence[dict[str, Any]]) -> None:
    """RuntimeError for `fused=True` with parameters that are not floating point."""
    for group in groups:
        for param in group["params"] if group.get("fused") else ():
            if not param.is_floating_point():
                raise RuntimeError(
                    "`fused=True` requires all the params to be floating point Tensors of supported devices: "
                    f"{_FUSED_DEVICES} but {param.dtype} and {param.device.type}"
                )


def check_capturable(group: dict[str, Any], what: str = "params and state_steps", xla: bool = True) -> None:
    """AssertionError for `capturable=True`, which asks for a GPU's graph capture: parameters here are on the CPU."""
    if group["capturable"]:
        devices = list(_GRAPH_DEVICES if xla else _GRAPH_DEVICES[:-1])
        raise AssertionError(f"If capturable=True, {what} must be on supported devices: {devices}.")
