"""Anomaly detection: a backward pass that makes NaN says which line of the forward pass it belongs to.

While it is on, every new node remembers the stack that made it.
"""

from __future__ import annotations

import traceback
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from rushlight.record import trace as tracing
from rushlight.record.trace import realize
from rushlight.record.value import Node, Tensor

from . import derivative
from .tape import node_name


def _remember(node: Node) -> None:
    node.forward_stack = traceback.format_stack()[:-3]


def _check(node: Node, found: Sequence[Any]) -> None:
    for i, g in enumerate(found):
        if isinstance(g, Tensor) and np.isnan(realize(g)).any():
            if node.forward_stack:
                warnings.warn(
                    f"Error detected in {node_name(node)}. Traceback of forward call that caused the error:\n"
                    + "".join(node.forward_stack),
                    UserWarning,
                    stacklevel=2,
                )
            raise RuntimeError(f"Function '{node_name(node)}' returned nan values in its {i}th output.")


class set_detect_anomaly:
    """Switches anomaly detection on or off: at once, or as a context until its end."""

    def __init__(self, mode: bool, check_nan: bool = True) -> None:
        self.before = tracing.new_node_hook, derivative.anomaly_check
        tracing.new_node_hook = _remember if mode else None
        derivative.anomaly_check = (_check if check_nan else _no_check) if mode else None

    def __enter__(self) -> None:
        pass

    def __exit__(self, *_: object) -> None:
        tracing.new_node_hook, derivative.anomaly_check = self.before


def set_anomaly_enabled(enabled: bool, check_nan: bool = True) -> None:
    """Switches anomaly detection on or off."""
    set_detect_anomaly(enabled, check_nan)


def is_anomaly_enabled() -> bool:
    """Whether anomaly detection is on."""
    return derivative.anomaly_check is not None


def is_anomaly_check_nan_enabled() -> bool:
    """Whether NaN in a gradient is an error while anomaly detection is on."""
    return derivative.anomaly_check is not _no_check


def _no_check(node: Node, found: Sequence[Any]) -> None:
    """The pass is walked node by node, but NaN is allowed."""


class detect_anomaly(set_detect_anomaly):
    """Anomaly detection inside a `with` block.

    Source: https://pytorch.org/docs/stable/autograd.html#anomaly-detection
    """

    def __init__(self, check_nan: bool = True) -> None:
        warnings.warn(
            "Anomaly Detection has been enabled. This mode will increase the runtime and should only be enabled for "
            "debugging.",
            UserWarning,
            stacklevel=2,
        )
        self.check_nan = check_nan

    def __enter__(self) -> None:
        super().__init__(True, self.check_nan)
