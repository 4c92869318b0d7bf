"""How a loss is reduced: the `reduction` argument, and the two flags it replaced."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from rushlight.record.value import Tensor

MODES = ("mean", "sum", "none")


def reduction_of(reduction: str, size_average: Any = None, reduce: Any = None) -> str:
    """The checked mode; the old flags win, with PyTorch's warning. Raises ValueError for an unknown mode."""
    if size_average is not None or reduce is not None:
        averaged = size_average is None or size_average
        reduction = ("mean" if averaged else "sum") if reduce is None or reduce else "none"
        warnings.warn(
            f"size_average and reduce args will be deprecated, please use reduction='{reduction}' instead.",
            UserWarning,
            stacklevel=3,
        )
    if reduction not in MODES:
        raise ValueError(f"{reduction} is not a valid value for reduction")
    return reduction


def reduced_array(values: Any, reduction: str) -> Any:
    """An array of losses, reduced."""
    if reduction == "none":
        return values
    total = np.add.reduce(values, axis=None)
    return total if reduction == "sum" else total / total.dtype.type(values.size)


def reduced_tensor(losses: Tensor, reduction: str) -> Tensor:
    """A tensor of losses, reduced."""
    if reduction == "none":
        return losses
    return losses.mean() if reduction == "mean" else losses.sum()
