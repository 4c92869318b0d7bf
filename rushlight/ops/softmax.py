"""Softmax and its relatives: functions across one dimension, each with its derivative as an operation of its own."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from rushlight.core.dtype import dtype as Dtype
from rushlight.core.strided import normalize_dim
from rushlight.record.operation import Operation, operation
from rushlight.record.spec import Spec, spec_of
from rushlight.record.trace import apply, settle
from rushlight.record.value import Tensor

from .creation import cast
from .elementary import exp
from .public import public
from .rules import fresh


def _row_spec(kernel_name: str) -> Any:
    def infer(x: Spec, *, dim: int) -> Spec:
        if not x.dtype.is_floating_point:
            last = "_lastdim_kernel_impl" if dim == x.ndim - 1 or not x.ndim else "_kernel_impl"
            raise NotImplementedError(f"\"{kernel_name}{last}\" not implemented for '{x.dtype.scalar_name}'")
        return spec_of(x.shape, x.dtype)

    return infer


def _backward_spec(d: Spec, y: Spec, *, dim: int) -> Spec:
    return fresh(y)


def _shifted(x: Any, dim: int) -> Any:
    """x minus the largest number of its row, so that exp stays in range."""
    if x.ndim == 0:
        x = x.reshape(1)
    return x - np.maximum.reduce(x, axis=dim, keepdims=True) if x.size else np.array(x)


def _softmax(x: Any, *, dim: int) -> Any:
    z = _shifted(x, dim)
    np.exp(z, out=z)
    z /= np.add.reduce(z, axis=dim, keepdims=True)
    return z.reshape(x.shape)


def _log_softmax(x: Any, *, dim: int) -> Any:
    z = _shifted(x, dim)
    z -= np.log(np.add.reduce(np.exp(z), axis=dim, keepdims=True))
    return z.reshape(x.shape)


def _total(x: Any, dim: int) -> Any:
    return np.add.reduce(x, axis=dim, keepdims=True) if x.ndim else x


def _softmax_backward(d: Any, y: Any, *, dim: int) -> Any:
    weighted = d * y
    return weighted - y * _total(weighted, dim)


def _log_softmax_backward(d: Any, y: Any, *, dim: int) -> Any:
    return d - np.exp(y) * _total(d, dim)


SOFTMAX_BACKWARD = operation("softmax_backward", _backward_spec, _softmax_backward, node="SoftmaxBackwardDataBackward0")


def _softmax_curvature(g: Tensor, d: Tensor, y: Tensor, dim: int) -> Tensor:
    return g * d - g * (y * d).sum(dim, True) - d * (g * y).sum(dim, True)


SOFTMAX_BACKWARD.gradient(d=lambda g, y, dim: apply(SOFTMAX_BACKWARD, (g, y), (dim,)), y=_softmax_curvature)
LOG_SOFTMAX_BACKWARD = operation("log_softmax_backward", _backward_spec, _log_softmax_backward,
                                 node="LogSoftmaxBackwardDataBackward0")  # fmt: skip
LOG_SOFTMAX_BACKWARD.gradient(
    d=lambda g, y, dim: g - (g * exp(y)).sum(dim, True),
    y=lambda g, d, y, dim: -g * exp(y) * d.sum(dim, True),
)

SOFTMAX = operation("softmax", _row_spec("softmax"), _softmax)
SOFTMAX.gradient(x=lambda g, result, dim: apply(SOFTMAX_BACKWARD, (g, result), (dim,)))
LOG_SOFTMAX = operation("log_softmax", _row_spec("log_softmax"), _log_softmax)
LOG_SOFTMAX.gradient(x=lambda g, result, dim: apply(LOG_SOFTMAX_BACKWARD, (g, result), (dim,)))


def _softmax_by_parts(x: Any, *, dim: int) -> Any:
    """`_softmax` without writing in place, which the compiler's symbols do not allow."""
    z = np.exp(x - np.maximum.reduce(x, axis=dim, keepdims=True))
    return z / np.add.reduce(z, axis=dim, keepdims=True)


def _log_softmax_by_parts(x: Any, *, dim: int) -> Any:
    z = x - np.maximum.reduce(x, axis=dim, keepdims=True)
    return z - np.log(np.add.reduce(np.exp(z), axis=dim, keepdims=True))


SOFTMAX.lower = _softmax_by_parts
LOG_SOFTMAX.lower = _log_softmax_by_parts


def _safe_softmax(x: Any, *, dim: int) -> Any:
    """Zeros in a row of nothing but -inf, where softmax has no value."""
    y = _softmax(x, dim=dim)
    if x.size and np.isnan(y).any():
        y = np.where((x == -np.inf).all(axis=dim, keepdims=True), x.dtype.type(0), y)
    return y


def safe_softmax_by_parts(x: Any, *, dim: int) -> Any:
    """`_safe_softmax` without a look at the numbers: the sum is at least 1 unless all of a row is -inf."""
    number = x.dtype.type
    top = np.maximum.reduce(x, axis=dim, keepdims=True)
    z = np.exp(x - np.where(top == -np.inf, number(0), top))
    total = np.add.reduce(z, axis=dim, keepdims=True)
    return z / np.where(total == 0, number(1), total)


SAFE_SOFTMAX = operation("safe_softmax", _row_spec("softmax"), _safe_softmax)
SAFE_SOFTMAX.lower = safe_softmax_by_parts
SAFE_SOFTMAX.gradient(x=lambda g, result, dim: apply(SOFTMAX_BACKWARD, (g, result), (dim,)))


def _implicit_dim(name: str, ndim: int, stacklevel: int) -> int:
    warnings.warn(
        f"Implicit dimension choice for {name} has been deprecated. Change the call to include dim=X as an argument.",
        UserWarning,
        stacklevel=stacklevel + 1,
    )
    return 0 if ndim in (0, 1, 3) else 1


def _across(op: Operation, name: str, input: Tensor, dim: Any, stacklevel: Any, dtype: Any) -> Tensor:
    if isinstance(stacklevel, Dtype):  # torch.softmax and Tensor.softmax take the dtype in third place
        stacklevel, dtype = 3, stacklevel
    spec = settle(input).spec
    if dim is None:
        dim = _implicit_dim(name, spec.ndim, stacklevel)
    dim = normalize_dim(dim, spec.ndim)
    if dtype is not None:
        input = cast(input, dtype)
    return apply(op, (input,), (dim,))


@public(function=False, method=False, functional=True)
def softmax(input: Tensor, dim: int | None = None, _stacklevel: Any = 3, dtype: Any = None) -> Tensor:
    """exp(x) / sum(exp(x)) across `dim`; with `dtype`, computed in that dtype.

    >>> torch.softmax(torch.tensor([0., 0.]), 0)
    tensor([0.5000, 0.5000])
    """
    return _across(SOFTMAX, "softmax", input, dim, _stacklevel, dtype)


@public(function=False, method=False, functional=True)
def log_softmax(input: Tensor, dim: int | None = None, _stacklevel: Any = 3, dtype: Any = None) -> Tensor:
    """log(softmax(x)) across `dim`, computed without ever taking the logarithm of 0.

    >>> torch.log_softmax(torch.tensor([0., 0.]), 0)
    tensor([-0.6931, -0.6931])
    """
    return _across(LOG_SOFTMAX, "log_softmax", input, dim, _stacklevel, dtype)


def _with_dim(op: Operation, name: str, doc: str | None) -> None:
    """`torch.<name>`, which has no dimension to choose and takes the dtype where `F.<name>` takes a stack level."""

    def along(input: Tensor, dim: int | None = None, dtype: Any = None) -> Tensor:
        if dim is None:
            raise TypeError(f'{name}() missing 1 required positional arguments: "dim"')
        return _across(op, name, input, dim, 0, dtype)

    along.__name__, along.__doc__ = name, doc
    public(out=True, space="special")(along)


_with_dim(SOFTMAX, "softmax", softmax.__doc__)
_with_dim(LOG_SOFTMAX, "log_softmax", log_softmax.__doc__)


@public(function=False, method=False, functional=True)
def softmin(input: Tensor, dim: int | None = None, _stacklevel: int = 3, dtype: Any = None) -> Tensor:
    """softmax(-x) across `dim`."""
    return _across(SOFTMAX, "softmin", -input, dim, _stacklevel, dtype)


@public(function=False, method=False, functional=True)
def gumbel_softmax(logits: Tensor, tau: float = 1, hard: bool = False, eps: float = 1e-10, dim: int = -1) -> Tensor:
    """A sample from the Gumbel-Softmax distribution (Jang et al. 2016); `hard` makes it one-hot, with the soft
    gradient."""
    from .creation import zeros_like
    from .drawing import exponential

    if eps != 1e-10:
        warnings.warn("`eps` parameter is deprecated and has no effect.", stacklevel=2)
    spec = settle(logits).spec
    gumbels = -exponential(None, spec.shape, 1.0, spec.dtype.name).log()
    soft = softmax((logits + gumbels) / tau, dim)
    if not hard:
        return soft
    index = soft.max(dim, keepdim=True)[1]
    return zeros_like(logits).scatter_(dim, index, 1.0) - soft.detach() + soft
