"""Activation functions, element by element, each with its slope as an operation of its own.

An activation is one recorded operation; its derivative is another (`..._backward`), which has a derivative in turn, so
second order gradients work and a backward pass stays one kernel per activation.  Parameters such as a negative slope
are run-time numbers.  Functions across a dimension (softmax and its relatives) are in `softmax.py`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from rushlight.core import dtype as dtypes
from rushlight.core.blend import blend
from rushlight.core.dtype import finfo
from rushlight.core.generator import engine_of
from rushlight.core.strided import normalize_dim
from rushlight.record.operation import Operation, operation
from rushlight.record.spec import Spec, spec_of
from rushlight.record.trace import apply, realize, settle
from rushlight.record.value import Tensor

from .arithmetic import conj
from .creation import wrap
from .elementary import exp, sigmoid, tanh
from .error_function import erf
from .public import FUNCTIONAL, in_place, public, write_back
from .rules import broadcast, fresh, pointwise, promoted
from .selection import where


def floating(kernel_name: str, *, complex_too: bool = False) -> Callable[..., Spec]:
    """The shape rule of a function of floating-point tensors; `kernel_name` is what PyTorch's error calls it."""

    def infer(x: Spec, *rest: Spec | None, **_: Any) -> Spec:
        kind = x.dtype
        if not (kind.is_floating_point or (complex_too and kind.is_complex)):
            raise NotImplementedError(f"\"{kernel_name}\" not implemented for '{kind.scalar_name}'")
        return broadcast((x, *(s for s in rest if s is not None and not s.wrapped)), kind)

    infer.compute = promoted  # type: ignore[attr-defined]
    return infer


def bounded(for_bool: str) -> Callable[..., Spec]:
    """The shape rule of a function of real tensors, integers included; `for_bool` is PyTorch's error for bools."""

    def infer(x: Spec, *rest: Spec | None, **_: Any) -> Spec:
        if x.dtype is dtypes.bool_:
            raise RuntimeError(for_bool)
        if x.dtype.is_complex:
            raise NotImplementedError("clamp is not supported for complex types")
        return broadcast((x,), x.dtype)

    infer.compute = lambda x, *rest, **_: x.dtype  # type: ignore[attr-defined]
    return infer


def functional_only(f: Callable[..., Any]) -> Callable[..., Any]:
    """Marks a function that lives in `torch.nn.functional` alone, with its in-place form `f_`."""
    FUNCTIONAL[f.__name__] = f
    FUNCTIONAL[f.__name__ + "_"] = in_place(f, f.__name__)
    return f


def _finish(input: Tensor, result: Tensor, inplace: bool) -> Tensor:
    return write_back(input, result) if inplace else result


def _gate(name: str, camel: str, kernel: Callable[..., Any]) -> Operation:
    """A slope that is piecewise constant in x: linear in the gradient, and flat in everything else."""
    op = operation(f"{name}_backward", pointwise, kernel, node=f"{camel}BackwardBackward0")
    rules: dict[int, Callable[..., Any]] = {
        1: lambda g, x: apply(op, (g, x)),
        2: lambda g, x, a: apply(op, (g, x, a)),
        3: lambda g, x, a, b: apply(op, (g, x, a, b)),
    }
    return op.gradient(d=rules[len(op.operands) - 1])


# ---------------------------------------------------------------------------------------------------------------------
# Piecewise linear


def _passing(d: Any, x: Any, a: Any) -> Any:
    """d where x is not below or at the bound, else 0: the bits of d or none of them, ten times faster than
    `numpy.where`."""
    mask = np.subtract(0, np.logical_not(x <= a).view(np.int8), dtype=f"i{d.itemsize}")
    return (d.view(mask.dtype) & mask).view(d.dtype)


THRESHOLD_BACKWARD = _gate("threshold", "Threshold", _passing)
THRESHOLD_BACKWARD.lower = lambda d, x, a: np.where(x <= a, d.dtype.type(0), d)
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


def _threshold_spec(x: Spec, bound: Spec, value: Spec) -> Spec:
    if x.dtype is dtypes.bool_ or x.dtype.is_complex:
        raise NotImplementedError(f"\"threshold_cpu\" not implemented for '{x.dtype.scalar_name}'")
    return broadcast((x,), x.dtype)


THRESHOLD = operation("threshold", _threshold_spec, lambda x, bound, value: np.where(x <= bound, value, x),
                      compute=lambda x, bound, value: x.dtype)  # fmt: skip
THRESHOLD.gradient(x=lambda g, x, bound: apply(THRESHOLD_BACKWARD, (g, x, bound)))


@public(inplace=True, method=False, functional=True)
def threshold(input: Tensor, threshold: float, value: float, inplace: bool = False) -> Tensor:
    """x where x > threshold, else `value`.

    >>> torch.threshold(torch.tensor([0.5, 2.]), 1.0, -1.0)
    tensor([-1.,  2.])
    """
    return _finish(input, apply(THRESHOLD, (input, threshold, value)), inplace)


HARDTANH_BACKWARD = _gate("hardtanh", "Hardtanh", lambda d, x, a, b: blend((x > a) & (x < b), d, d.dtype.type(0)))
HARDTANH = operation("hardtanh", bounded("Bool inputs not supported for hardtanh"),
                     lambda x, low, high: np.minimum(np.maximum(x, low), high))  # fmt: skip
HARDTANH.gradient(x=lambda g, x, low, high: apply(HARDTANH_BACKWARD, (g, x, low, high)))


@functional_only
def hardtanh(input: Tensor, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False) -> Tensor:
    """x moved into [min_val, max_val]; the slope is 0 at and outside the bounds.

    >>> torch.nn.functional.hardtanh(torch.tensor([-2., 0.5]))
    tensor([-1.0000,  0.5000])
    """
    if min_val > max_val:
        raise ValueError("min_val cannot be greater than max_val")
    if min_val < 0 and settle(input).spec.dtype is dtypes.uint8:
        raise RuntimeError("cannot do hardtanh on an unsigned type with negative limits")
    return _finish(input, apply(HARDTANH, (input, min_val, max_val)), inplace)


@public(function=False, method=False, functional=True)
def relu6(input: Tensor, inplace: bool = False) -> Tensor:
    """min(max(x, 0), 6)."""
    return _finish(input, apply(HARDTANH, (input, 0, 6)), inplace)


LEAKY_RELU_BACKWARD = _gate("leaky_relu", "LeakyRelu", lambda d, x, a: blend(x > 0, d, d * a))
LEAKY_RELU = operation("leaky_relu", floating("leaky_relu_cpu"), lambda x, slope: blend(x > 0, x, x * slope))
LEAKY_RELU.gradient(x=lambda g, x, slope: apply(LEAKY_RELU_BACKWARD, (g, x, slope)))


@functional_only
def leaky_relu(input: Tensor, negative_slope: float = 0.01, inplace: bool = False) -> Tensor:
    """x where x > 0, else negative_slope * x.

    >>> torch.nn.functional.leaky_relu(torch.tensor([-1., 2.]), 0.1)
    tensor([-0.1000,  2.0000])
    """
    return _finish(input, apply(LEAKY_RELU, (input, negative_slope)), inplace)


def _shrink(name: str, camel: str, check: str, kernel: Callable[..., Any]) -> Operation:
    back = _gate(name, camel, lambda d, x, a: blend((x >= -a) & (x <= a), d.dtype.type(0), d))
    op = operation(name, floating(check), kernel)
    return op.gradient(x=lambda g, x, a: apply(back, (g, x, a)))


HARDSHRINK = _shrink("hardshrink", "Hardshrink", "hardshrink_cpu",
                     lambda x, a: blend((x >= -a) & (x <= a), x.dtype.type(0), x))  # fmt: skip
SOFTSHRINK = _shrink("softshrink", "Softshrink", "softshrink_check",
                     lambda x, a: x - np.minimum(np.maximum(x, -a), a))  # fmt: skip


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
    kind = settle(input).spec.dtype
    if lambd < 0 and kind.is_floating_point:
        raise RuntimeError(
            f"lambda must be in range [0, {finfo(kind).max:g}] for input dtype {kind.scalar_name}, but found {lambd:g}"
        )
    return apply(SOFTSHRINK, (input, lambd))


SIXTH = float(np.float32(1 / 6))  # PyTorch's slope, in every dtype
HARDSIGMOID_BACKWARD = _gate(
    "hardsigmoid", "Hardsigmoid", lambda d, x: blend((x > -3) & (x < 3), d * d.dtype.type(SIXTH), d.dtype.type(0))
)
HARDSIGMOID = operation(
    "hardsigmoid", floating("hardsigmoid_cpu"), lambda x: np.minimum(np.maximum(x + 3, 0), 6) / x.dtype.type(6)
)
HARDSIGMOID.gradient(x=lambda g, x: apply(HARDSIGMOID_BACKWARD, (g, x)))


@public(function=False, method=False, functional=True)
def hardsigmoid(input: Tensor, inplace: bool = False) -> Tensor:
    """min(max(x + 3, 0), 6) / 6."""
    return _finish(input, apply(HARDSIGMOID, (input,)), inplace)


def _hardswish_backward(d: Any, x: Any) -> Any:
    middle = d * (x / x.dtype.type(3) + x.dtype.type(0.5))
    return blend(x <= -3, d.dtype.type(0), blend(x >= 3, d, middle))


HARDSWISH_BACKWARD = operation("hardswish_backward", pointwise, _hardswish_backward, node="HardswishBackwardBackward0")
HARDSWISH_BACKWARD.gradient(
    d=lambda g, x: apply(HARDSWISH_BACKWARD, (g, x)),
    x=lambda g, d, x: where((x > -3) & (x < 3), g * d / 3, 0.0),
)
HARDSWISH = operation("hardswish", floating("hardswish_cpu"),
                      lambda x: x * np.minimum(np.maximum(x + 3, 0), 6) / x.dtype.type(6))  # fmt: skip
HARDSWISH.gradient(x=lambda g, x: apply(HARDSWISH_BACKWARD, (g, x)))


@public(function=False, method=False, functional=True)
def hardswish(input: Tensor, inplace: bool = False) -> Tensor:
    """x * min(max(x + 3, 0), 6) / 6 (Howard et al. 2019)."""
    return _finish(input, apply(HARDSWISH, (input,)), inplace)


# ---------------------------------------------------------------------------------------------------------------------
# Exponential linear units


def _elu(x: Any, alpha: Any, scale: Any, rate: Any) -> Any:
    below = np.expm1(np.minimum(x, 0) * rate) * (alpha * scale)
    return blend(x < 0, below, x * scale)


def _elu_backward(d: Any, x: Any, alpha: Any, scale: Any, rate: Any) -> Any:
    below = d * (rate * (alpha * scale)) * np.exp(np.minimum(x, 0) * rate)
    return blend(x <= 0, below, d * scale)


ELU_BACKWARD = operation("elu_backward", pointwise, _elu_backward)
ELU_BACKWARD.gradient(
    d=lambda g, x, alpha, scale, rate: apply(ELU_BACKWARD, (g, x, alpha, scale, rate)),
    x=lambda g, d, x, alpha, scale, rate: where(x <= 0, g * d * exp(x * rate) * (alpha * scale * rate * rate), 0.0),
)
ELU_BACKWARD.node = "EluBackwardBackward0"


def _elu_gradient(g: Tensor, x: Tensor, alpha: Any, scale: Any, rate: Any) -> Tensor:
    return apply(ELU_BACKWARD, (g, x, alpha, scale, rate))


ELU = operation("elu", floating("elu_cpu"), _elu)
ELU.gradient(x=_elu_gradient)
CELU = operation("celu", floating("elu_cpu"), _elu)
CELU.gradient(x=_elu_gradient)

SELU_ALPHA = 1.6732632423543772848170429916717
SELU_SCALE = 1.0507009873554804934193349852946


@functional_only
def elu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """x where x > 0, else alpha * (exp(x) - 1) (Clevert et al. 2015).

    >>> torch.nn.functional.elu(torch.tensor([-1., 2.]))
    tensor([-0.6321,  2.0000])
    """
    return _finish(input, apply(ELU, (input, alpha, 1.0, 1.0)), inplace)


@public(method=False, inplace=True, functional=True)
def selu(input: Tensor, inplace: bool = False) -> Tensor:
    """The exponential linear unit that keeps mean 0 and variance 1 (Klambauer et al. 2017)."""
    return _finish(input, apply(ELU, (input, SELU_ALPHA, SELU_SCALE, 1.0)), inplace)


@public(method=False, inplace=True, functional=True)
def celu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """max(0, x) + min(0, alpha * (exp(x / alpha) - 1)) (Barron 2017)."""
    if alpha == 0:
        raise RuntimeError("ZeroDivisionError: alpha cannot be 0 for CELU")
    return _finish(input, apply(CELU, (input, alpha, 1.0, 1.0 / alpha)), inplace)


# ---------------------------------------------------------------------------------------------------------------------
# Smooth


def _logistic(x: Any) -> Any:
    """1 / (1 + exp(-x)): where exp overflows, the quotient is 0, as it should be."""
    return 1 / (1 + np.exp(-x))


def _softplus(x: Any, beta: Any, bound: Any) -> Any:
    z = x * beta
    return blend(z > bound, x, np.log1p(np.exp(np.minimum(z, bound))) / beta)


def _softplus_backward(d: Any, x: Any, beta: Any, bound: Any) -> Any:
    z = x * beta
    return blend(z > bound, d, d * _logistic(z))


SOFTPLUS_BACKWARD = operation("softplus_backward", pointwise, _softplus_backward, node="SoftplusBackwardBackward0")


def _softplus_curvature(g: Tensor, d: Tensor, x: Tensor, beta: Any, bound: Any) -> Tensor:
    s = sigmoid(x * beta)
    return where(x * beta > bound, 0.0, g * d * s * (1 - s) * beta)


SOFTPLUS_BACKWARD.gradient(
    d=lambda g, x, beta, bound: apply(SOFTPLUS_BACKWARD, (g, x, beta, bound)), x=_softplus_curvature
)
SOFTPLUS = operation("softplus", floating("softplus_cpu"), _softplus)
SOFTPLUS.gradient(x=lambda g, x, beta, bound: apply(SOFTPLUS_BACKWARD, (g, x, beta, bound)))


@public(function=False, method=False, functional=True)
def softplus(input: Tensor, beta: float = 1.0, threshold: float = 20.0) -> Tensor:
    """log(1 + exp(beta * x)) / beta; the identity where beta * x > threshold.

    >>> torch.nn.functional.softplus(torch.tensor([0.]))
    tensor([0.6931])
    """
    return apply(SOFTPLUS, (input, beta, threshold))


def _log_sigmoid(x: Any) -> Any:
    return np.minimum(x, 0) - np.log1p(np.exp(-np.abs(x)))


LOG_SIGMOID_BACKWARD = operation("log_sigmoid_backward", pointwise, lambda d, x: d * _logistic(-x),
                                 node="LogSigmoidBackwardBackward0")  # fmt: skip
LOG_SIGMOID_BACKWARD.gradient(
    d=lambda g, x: apply(LOG_SIGMOID_BACKWARD, (g, x)),
    x=lambda g, d, x: -g * d * sigmoid(x) * sigmoid(-x),
)
LOG_SIGMOID = operation("log_sigmoid", floating("log_sigmoid_cpu"), _log_sigmoid)
LOG_SIGMOID.gradient(x=lambda g, x: apply(LOG_SIGMOID_BACKWARD, (g, x)))


@public(function=False, method=False, functional=True)
def logsigmoid(input: Tensor) -> Tensor:
    """log(1 / (1 + exp(-x))).

    >>> torch.nn.functional.logsigmoid(torch.tensor([0.]))
    tensor([-0.6931])
    """
    return apply(LOG_SIGMOID, (input,))


def _silu_backward(d: Any, x: Any) -> Any:
    x = np.conj(x)
    s = _logistic(x)
    return d * s * (1 + x * (1 - s))


SILU_BACKWARD = operation("silu_backward", pointwise, _silu_backward)


def _silu_curvature(g: Tensor, d: Tensor, x: Tensor) -> Tensor:
    s = sigmoid(x)
    return g * d * (s * (1 - s) * (2 + x * (1 - 2 * s)))


SILU_BACKWARD.gradient(d=lambda g, x: apply(SILU_BACKWARD, (g, conj(x))), x=_silu_curvature)
SILU = operation("silu", floating("silu_cpu", complex_too=True), lambda x: x * _logistic(x))
SILU.gradient(x=lambda g, x: apply(SILU_BACKWARD, (g, x)))


@public(function=False, method=False, functional=True)
def silu(input: Tensor, inplace: bool = False) -> Tensor:
    """x * sigmoid(x), also called swish (Hendrycks and Gimpel 2016).

    >>> torch.nn.functional.silu(torch.tensor([1.]))
    tensor([0.7311])
    """
    return _finish(input, apply(SILU, (input,)), inplace)


def _mish_backward(d: Any, x: Any) -> Any:
    t = np.tanh(np.logaddexp(x, x.dtype.type(0)))
    return d * (t + x * _logistic(x) * (1 - t * t))


MISH_BACKWARD = operation("mish_backward", pointwise, _mish_backward)


def _mish_curvature(g: Tensor, d: Tensor, x: Tensor) -> Tensor:
    t, s = tanh(apply(SOFTPLUS, (x, 1.0, 20.0))), sigmoid(x)
    slope = s * (1 - t * t)  # of t
    return g * d * slope * (2 + x * (1 - s) - 2 * x * t * s)


MISH_BACKWARD.gradient(d=lambda g, x: apply(MISH_BACKWARD, (g, x)), x=_mish_curvature)
MISH = operation("mish", floating("mish_cpu"), lambda x: x * np.tanh(np.logaddexp(x, x.dtype.type(0))))
MISH.gradient(x=lambda g, x: apply(MISH_BACKWARD, (g, x)))


@public(function=False, method=False, functional=True)
def mish(input: Tensor, inplace: bool = False) -> Tensor:
    """x * tanh(softplus(x)) (Misra 2019)."""
    return _finish(input, apply(MISH, (input,)), inplace)


# GELU: x times the normal distribution function (Hendrycks and Gimpel 2016), or its approximation by tanh.

_ROOT_HALF = math.sqrt(0.5)
_DENSITY = 1 / math.sqrt(2 * math.pi)
_TANH_SCALE = math.sqrt(2 / math.pi)
_TANH_CUBE = 0.044715


def _gelu(x: Any, *, tanh: bool) -> Any:
    number = x.dtype.type
    if tanh:
        inner = number(_TANH_SCALE) * (x + number(_TANH_CUBE) * x * x * x)
        return number(0.5) * x * (1 + np.tanh(inner))
    return number(0.5) * x * (1 + erf(x * number(_ROOT_HALF)))


def _gelu_backward(d: Any, x: Any, *, tanh: bool) -> Any:
    number = x.dtype.type
    if not tanh:
        distribution = number(0.5) * (1 + erf(x * number(_ROOT_HALF)))
        return d * (distribution + x * np.exp(x * x * number(-0.5)) * number(_DENSITY))
    square = x * x
    t = np.tanh(number(_TANH_SCALE) * (x + number(_TANH_CUBE) * square * x))
    slope = number(_TANH_SCALE) * (1 + number(3 * _TANH_CUBE) * square)
    return d * (number(0.5) * (1 + t) + number(0.5) * x * (1 - t * t) * slope)


GELU_BACKWARD = operation(
    "gelu_backward",
    lambda d, x, *, tanh: pointwise(d, x),
    _gelu_backward,
    compute=promoted,
    node="GeluBackwardBackward0",
)


def _gelu_curvature(g: Tensor, d: Tensor, x: Tensor, tanh: bool) -> Tensor:
    if not tanh:
        return g * d * exp(x * x * -0.5) * (2 - x * x) * _DENSITY
    inner = (x + x * x * x * _TANH_CUBE) * _TANH_SCALE
    t, slope, bend = inner.tanh(), (x * x * (3 * _TANH_CUBE) + 1) * _TANH_SCALE, x * (6 * _TANH_CUBE * _TANH_SCALE)
    return g * d * (1 - t * t) * (slope + 0.5 * x * bend - x * t * slope * slope)


GELU_BACKWARD.gradient(d=lambda g, x, tanh: apply(GELU_BACKWARD, (g, x), (tanh,)), x=_gelu_curvature)
GELU = operation("gelu", floating("GeluKernelImpl"), _gelu)
GELU.gradient(x=lambda g, x, tanh: apply(GELU_BACKWARD, (g, x), (tanh,)))


@public(function=False, method=False, functional=True)
def gelu(input: Tensor, approximate: str = "none") -> Tensor:
    """x times the probability that a standard normal number is below x; `approximate="tanh"` for the quick formula.

    >>> torch.nn.functional.gelu(torch.tensor([1.]))
    tensor([0.8413])
    """
    if approximate == "none":
        return apply(GELU, (input,), (False,))
    if approximate == "tanh":
        return apply(GELU, (input,), (True,))
    raise RuntimeError("approximate argument must be either none or tanh.")


@public(function=False, method=False, functional=True)
def tanhshrink(input: Tensor) -> Tensor:
    """x - tanh(x)."""
    return input - tanh(input)


@public(function=False, method=False, functional=True)
def softsign(input: Tensor) -> Tensor:
    """x / (1 + |x|)."""
    return input / (input.abs() + 1)


# ---------------------------------------------------------------------------------------------------------------------
# With gates or parameters


def _glu_halves(x: Any, dim: int) -> Any:
    return np.split(x, 2, axis=dim)


def _glu(x: Any, *, dim: int) -> Any:
    first, second = _glu_halves(x, dim)
    return first * _logistic(second)


def _glu_spec(x: Spec, *, dim: int) -> Spec:
    if not x.dtype.is_floating_point:
        raise NotImplementedError(f"\"glu_cpu\" not implemented for '{x.dtype.scalar_name}'")
    shape = tuple(n // 2 if d == dim else n for d, n in enumerate(x.shape))
    return spec_of(shape, x.dtype)


def _glu_backward(d: Any, x: Any, *, dim: int) -> Any:
    first, second = _glu_halves(x, dim)
    s = _logistic(second)
    return np.concatenate((d * s, d * first * s * (1 - s)), axis=dim)


def _glu_second_order(g: Tensor, needs: Any, d: Tensor, x: Tensor, dim: int) -> tuple[Tensor, Tensor]:
    from .joining import cat

    first, second = x.chunk(2, dim)
    g1, g2 = g.chunk(2, dim)
    s = sigmoid(second)
    slope = s * (1 - s)
    of_x = cat((g2 * d * slope, g1 * d * slope + g2 * d * first * slope * (1 - 2 * s)), dim)
    return g1 * s + g2 * first * slope, of_x


GLU_BACKWARD = operation("glu_backward", lambda d, x, *, dim: fresh(x), _glu_backward, node="GluBackwardBackward0")
GLU_BACKWARD.gradient(_glu_second_order)
GLU = operation("glu", _glu_spec, _glu)
GLU.gradient(x=lambda g, x, dim: apply(GLU_BACKWARD, (g, x), (dim,)))


@public(function=False, method=False, functional=True)
def glu(input: Tensor, dim: int = -1) -> Tensor:
    """The first half of `dim` times the sigmoid of the second half (Dauphin et al. 2016).

    >>> torch.nn.functional.glu(torch.tensor([2., 0.]))
    tensor([1.])
    """
    shape = settle(input).spec.shape
    if not shape:
        raise RuntimeError("glu does not support 0-dimensional tensors")
    dim = normalize_dim(dim, len(shape))
    if shape[dim] % 2:
        raise RuntimeError(f"Halving dimension must be even, but dimension {dim} is size {shape[dim]}")
    return apply(GLU, (input,), (dim,))


def _prelu_gradient(g: Tensor, needs: Any, x: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    return where(x > 0, g, g * weight), where(x > 0, 0.0, g * x)


PRELU = operation("prelu", lambda x, weight: pointwise(x, weight), lambda x, weight: blend(x > 0, x, x * weight),
                  compute=promoted, node="PreluKernelBackward0")  # fmt: skip
PRELU.gradient(_prelu_gradient)


@public(functional=True)
def prelu(input: Tensor, weight: Tensor) -> Tensor:
    """x where x > 0, else weight * x, with one weight or one for each channel (dimension 1) (He et al. 2015).

    >>> torch.prelu(torch.tensor([-2., 2.]), torch.tensor([0.5]))
    tensor([-1.,  2.])
    """
    x, w = settle(input).spec, settle(weight).spec
    if x.dtype is not w.dtype:
        raise RuntimeError(f"prelu: Type promoting not supported. Got {x.dtype.scalar_name} and {w.dtype.scalar_name}")
    if w.ndim not in (0, 1):
        raise RuntimeError(f"prelu: Expected `weight` to be a scalar or 1D tensor, but got: ndim = {w.ndim}")
    if not x.dtype.is_floating_point:
        raise NotImplementedError(f"\"prelu_cpu\" not implemented for '{x.dtype.scalar_name}'")
    if w.numel != 1:
        if not x.ndim:
            raise RuntimeError("Not allow zero-dim input tensor.")
        channels = x.shape[1] if x.ndim > 1 else 1
        if channels != w.numel:
            raise RuntimeError(
                "Mismatch of parameter numbers and input channel size. Found parameter numbers = "
                f"{w.numel} and channel size = {channels}."
            )
    if x.ndim and (x.ndim != 1 or w.ndim != 1):
        weight = weight.view(-1, *[1] * (x.ndim - 2)) if x.ndim > 1 else weight.view(1)
    elif not x.ndim and w.ndim:
        weight = weight.view(())
    return apply(PRELU, (input, weight))


RRELU = operation("rrelu", lambda x, noise: pointwise(x, noise), lambda x, noise: x * noise,
                  compute=promoted, node="RreluWithNoiseBackward0")  # fmt: skip
RRELU.shown = lambda pairs: pairs[:1]
RRELU.gradient(x=lambda g, noise: g * noise)


def _rrelu_noise(x: np.ndarray, lower: float, upper: float, generator: Any) -> np.ndarray:
    """A slope for each number below 0 (PyTorch draws for these alone), 1 for the others."""
    noise = np.ones(x.shape, x.dtype)
    below = x <= 0
    count = int(below.sum())
    noise[below] = engine_of(generator).doubles(count) * (upper - lower) + lower
    return noise


@public(method=False, inplace=True, functional=True)
def rrelu(input: Tensor, lower: float = 1.0 / 8, upper: float = 1.0 / 3, training: bool = False, inplace: bool = False,
          generator: Any = None) -> Tensor:  # fmt: skip
    """Leaky ReLU whose slope is drawn from [lower, upper] for each element while training, else their mean (Xu et al.
    2015).

    Needs the numbers of `input` at once: only those below 0 use up random numbers.
    """
    if not settle(input).spec.dtype.is_floating_point:
        raise NotImplementedError(f"\"leaky_relu_cpu\" not implemented for '{input.dtype.scalar_name}'")
    if lower > upper:
        raise RuntimeError(f"Lower bound should be less than or equal to the upper bound: {lower} > {upper}")
    if training:
        result = apply(RRELU, (input, wrap(_rrelu_noise(realize(input), lower, upper, generator))))
    else:
        result = apply(LEAKY_RELU, (input, (lower + upper) / 2))
    return _finish(input, result, inplace)
