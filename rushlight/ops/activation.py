"""Activation functions, element by element, each with its slope as an operation of its own.

An activation is one recorded operation; its derivative is another (`..._backward`), which has a derivative in turn, so second
order gradients work and the first backward pass stays one kernel per activation.  Parameters such as a negative slope
are run-time numbers.  Functions across a dimension (softmax and its relatives) are in `softmax.py`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from rushlight.core import dtype as dtypes
from rushlight.record.operation import Operation, operation
from rushlight.record.spec import Spec
from rushlight.record.trace import apply, settle
from rushlight.record.value import Tensor

from .arithmetic import conj
from .elementary import sigmoid, tanh
from .error_function import erf
from .public import FUNCTIONAL, in_place, public, write_back
from .rules import broadcast, pointwise, promoted
from .selection import where


def floating(kernel_name: str, *, complex_too: bool = False) -> Callable[..., Spec]:
    """The shape rule of a function of floating-point tensors; `kernel_name` is what PyTorch's error calls it."""

    def infer(x: Spec, *rest: Spec | None, **_: Any) -> Spec:
        kind = x.dtype
        if not (kind.is_floating_point or (complex_too and kind.is_complex)):
            raise NotImplementedError(f"\"{kernel_name}\" not implemented for '{kind.scalar_name}'")
        others = tuple(s for s in rest if s is not None and not s.wrapped)
        return broadcast((x, *others), kind)

    infer.compute = promoted  # type: ignore[attr-defined]
    return infer


def bounded(kernel_name: str) -> Callable[..., Spec]:
    """The shape rule of a function of real tensors, integers included."""

    def infer(x: Spec, *rest: Spec | None, **_: Any) -> Spec:
        if x.dtype is dtypes.bool_:
            raise RuntimeError(kernel_name)
        if x.dtype.is_complex:
            raise NotImplementedError("clamp is not supported for complex types")
        return broadcast((x, *(s for s in rest if s is not None and not s.wrapped)), x.dtype)

    infer.compute = lambda x, *rest, **_: x.dtype  # type: ignore[attr-defined]
    return infer


def functional_only(f: Callable[..., Any]) -> Callable[..., Any]:
    """Marks a function that lives in `torch.nn.functional` alone, with its in-place form `f_`."""
    FUNCTIONAL[f.__name__] = f
    FUNCTIONAL[f.__name__ + "_"] = in_place(f, f.__name__)
    return f


def _finish(input: Tensor, result: Tensor, inplace: bool) -> Tensor:
    return write_back(input, result) if inplace else result


# ---------------------------------------------------------------------------------------------------------------------
# Piecewise linear


def _threshold_backward(g: Any, x: Any, bound: Any) -> Any:
    return np.where(np.greater(x, bound), g, g.dtype.type(0))


THRESHOLD_BACKWARD = operation("threshold_backward", pointwise, _threshold_backward, node="ThresholdBackwardBackward0")
THRESHOLD_BACKWARD.gradient(
    g=lambda g, x, bound: apply(THRESHOLD_BACKWARD, (g, x, bound)),
)

RELU = operation("relu", bounded("Boolean inputs not supported for relu"), lambda x: np.maximum(x, x.dtype.type(0)))
RELU.gradient(x=lambda g, result: apply(THRESHOLD_BACKWARD, (g, result, 0)))


@public(inplace=True, functional=True)
def relu(input: Tensor, inplace: bool = False) -> Tensor:
    """max(x, 0), element by element (https://pytorch.org/docs/stable/generated/torch.nn.functional.relu.html).

    >>> torch.relu(torch.tensor([-1., 2.]))
    tensor([0., 2.])
    """
    result = apply(RELU, (input,))
    return write_back(input, result) if inplace else result


def _threshold(x: Any, bound: Any, value: Any) -> Any:
    return np.where(np.less_equal(x, bound), value, x)


def _threshold_spec(x: Spec, bound: Spec, value: Spec) -> Spec:
    if x.dtype is dtypes.bool_ or x.dtype.is_complex:
        raise NotImplementedError(f"\"threshold_cpu\" not implemented for '{x.dtype.scalar_name}'")
    return broadcast((x,), x.dtype)


THRESHOLD = operation("threshold", _threshold_spec, _threshold, compute=lambda x, bound, value: x.dtype)
THRESHOLD.gradient(x=lambda g, x, bound: apply(THRESHOLD_BACKWARD, (g, x, bound)))


@public(inplace=True, method=False, functional=True)
def threshold(input: Tensor, threshold: float, value: float, inplace: bool = False) -> Tensor:
    """x where x > threshold, else `value`.

    >>> torch.threshold(torch.tensor([0.5, 2.]), 1.0, -1.0)
    tensor([-1.,  2.])
    """
    return _finish(input, apply(THRESHOLD, (input, threshold, value)), inplace)


def _hardtanh_backward(g: Any, x: Any, low: Any, high: Any) -> Any:
    return np.where((x <= low) | (x >= high), g.dtype.type(0), g)


HARDTANH_BACKWARD = operation(
    "hardtanh_backward", pointwise, _hardtanh_backward, node="HardtanhBackwardBackward0"
)
HARDTANH_BACKWARD.gradient(g=lambda g, x, low, high: apply(HARDTANH_BACKWARD, (g, x, low, high)))
HARDTANH = operation(
    "hardtanh", bounded("Bool inputs not supported for hardtanh"), lambda x, low, high: np.minimum(np.maximum(x, low), high)
)
HARDTANH.gradient(x=lambda g, x, low, high: apply(HARDTANH_BACKWARD, (g, x, low, high)))


@functional_only
def hardtanh(input: Tensor, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False) -> Tensor:
    """x moved into [min_val, max_val]; the slope is 0 at and outside the bounds.

    >>> F.hardtanh(torch.tensor([-2., 0.5]))
    tensor([-1.0000,  0.5000])
    """
    if min_val > max_val:
        raise ValueError("min_val cannot be greater than max_val")
    return _finish(input, apply(HARDTANH, (input, min_val, max_val)), inplace)


@public(function=False, method=False, functional=True)
def relu6(input: Tensor, inplace: bool = False) -> Tensor:
    """min(max(x, 0), 6)."""
    return _finish(input, apply(HARDTANH, (input, 0.0, 6.0)), inplace)


def _leaky_relu_backward(g: Any, x: Any, slope: Any) -> Any:
    return np.where(x > 0, g, g * slope)


LEAKY_RELU_BACKWARD = operation(
    "leaky_relu_backward", pointwise, _leaky_relu_backward, node="LeakyReluBackwardBackward0"
)
LEAKY_RELU_BACKWARD.gradient(g=lambda g, x, slope: apply(LEAKY_RELU_BACKWARD, (g, x, slope)))
LEAKY_RELU = operation("leaky_relu", floating("leaky_relu_cpu"), lambda x, slope: np.where(x > 0, x, x * slope))
LEAKY_RELU.gradient(x=lambda g, x, slope: apply(LEAKY_RELU_BACKWARD, (g, x, slope)))


@functional_only
def leaky_relu(input: Tensor, negative_slope: float = 0.01, inplace: bool = False) -> Tensor:
    """x where x > 0, else negative_slope * x.

    >>> F.leaky_relu(torch.tensor([-1., 2.]), 0.1)
    tensor([-0.1000,  2.0000])
    """
    return _finish(input, apply(LEAKY_RELU, (input, negative_slope)), inplace)


def _shrink_spec(name: str) -> Callable[..., Spec]:
    return floating(name)


def _hardshrink(x: Any, bound: Any) -> Any:
    return np.where((x >= -bound) & (x <= bound), x.dtype.type(0), x)


def _shrink_backward(g: Any, x: Any, bound: Any) -> Any:
    return np.where((x >= -bound) & (x <= bound), g.dtype.type(0), g)


def _shrink(name: str, kernel: Any, check: str, camel: str) -> Operation:
    back = operation(f"{name}_backward", pointwise, lambda g, x, bound: _shrink_backward(g, x, bound),
                     node=f"{camel}BackwardBackward0")  # fmt: skip
    back.gradient(g=lambda g, x, bound: apply(back, (g, x, bound)))
    op = operation(name, floating(check), kernel)
    return op.gradient(x=lambda g, x, bound: apply(back, (g, x, bound)))


HARDSHRINK = _shrink("hardshrink", _hardshrink, "hardshrink_cpu", "Hardshrink")
SOFTSHRINK = _shrink(
    "softshrink", lambda x, bound: x - np.minimum(np.maximum(x, -bound), bound), "softshrink_check", "Softshrink"
)


@public(functional=True)
def hardshrink(input: Tensor, lambd: float = 0.5) -> Tensor:
    """x where |x| > lambd, else 0.

    >>> torch.hardshrink(torch.tensor([0.3, 0.7]))
    tensor([0.0000, 0.7000])
    """
    return apply(HARDSHRINK, (input, lambd))


@public(function=False, method=False, functional=True)
def softshrink(input: Tensor, lambd: float = 0.5) -> Tensor:
    """x moved towards 0 by lambd, and 0 where |x| <= lambd."""
    if lambd < 0:
        raise RuntimeError(f"lambda must be greater or equal to 0, but found to be {lambd:g}.")
    return apply(SOFTSHRINK, (input, lambd))


def _hardsigmoid_backward(g: Any, x: Any) -> Any:
    return np.where((x > -3) & (x < 3), g * g.dtype.type(1 / 6), g.dtype.type(0))


HARDSIGMOID_BACKWARD = operation("hardsigmoid_backward", pointwise, _hardsigmoid_backward, node="NotImplemented")
HARDSIGMOID_BACKWARD.gradient(g=lambda g, x: apply(HARDSIGMOID_BACKWARD, (g, x)))
HARDSIGMOID = operation(
    "hardsigmoid", floating("hardsigmoid_cpu"), lambda x: np.minimum(np.maximum(x + 3, 0), 6) / x.dtype.type(6)
)
HARDSIGMOID.gradient(x=lambda g, x: apply(HARDSIGMOID_BACKWARD, (g, x)))


@public(function=False, method=False, functional=True)
def hardsigmoid(input: Tensor, inplace: bool = False) -> Tensor:
    """min(max(x + 3, 0), 6) / 6."""
    return _finish(input, apply(HARDSIGMOID, (input,)), inplace)


def _hardswish_backward(g: Any, x: Any) -> Any:
    middle = g * (x / 3 + x.dtype.type(0.5))
    return np.where(x <= -3, g.dtype.type(0), np.where(x >= 3, g, middle))


HARDSWISH_BACKWARD = operation("hardswish_backward", pointwise, _hardswish_backward, node="HardswishBackwardBackward0")
HARDSWISH_BACKWARD.gradient(
    g=lambda g, x: apply(HARDSWISH_BACKWARD, (g, x)),
    x=lambda gg, g, x: gg * where((x > -3) & (x < 3), g / 3, 0),
) if False else None  # replaced below: a rule's first parameter is the arriving gradient
