"""Normalisation layers: batch, layer, group, instance, local response and RMS normalisation, and `normalize`.

The first four are one arithmetic (`standardize.py`) over different dimensions.  Running statistics are updated in
place, outside the tape; with them instead of the batch's own (evaluation), a layer is a scale and a shift for each
channel.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from rushlight.core import dtype as dtypes
from rushlight.core.bounded import Bounded
from rushlight.core.dtype import finfo
from rushlight.record.memory import assign
from rushlight.record.operation import operation
from rushlight.record.spec import Spec
from rushlight.record.trace import apply, recorder, settle
from rushlight.record.value import Tensor

from .matmul import shown_step, three_shown
from .public import FUNCTIONS, public, write_out
from .reduction import SUM_DIM
from .rules import in_format_of
from .standardize import Form, standardize_operation

BATCH_NORM = standardize_operation("batch_norm", "NativeBatchNorm", keeps_format=True)
LAYER_NORM = standardize_operation("layer_norm", "NativeLayerNorm")
GROUP_NORM = standardize_operation("group_norm", "NativeGroupNorm", keeps_format=True)
INSTANCE_NORM = standardize_operation("instance_norm", "NativeBatchNorm")


def _as_view_of_batch_norm(pairs: list[Any]) -> list[Any]:
    """PyTorch makes a batch of it: views before and behind, and repeated weights."""
    x, w, b = (*pairs, (None, 0), (None, 0))[:3]
    repeated = [shown_step("RepeatBackward0", p) for p in (w, b)]
    return [shown_step("NativeBatchNormBackward0", shown_step("ViewBackward0", x), *repeated)]


INSTANCE_NORM.node = "ViewBackward0"
INSTANCE_NORM.shown = _as_view_of_batch_norm

# ---------------------------------------------------------------------------------------------------------------------
# With given statistics


def _channels(a: Any, ndim: int) -> Any:
    return a.reshape(-1, *[1] * (ndim - 2))


def _fixed(x: Any, w: Any, b: Any, mean: Any, variance: Any, eps: Any) -> Any:
    return _scaled(x, w, b, mean, variance, x.dtype.type(eps))


def _scaled(x: Any, w: Any, b: Any, mean: Any, variance: Any, eps: Any) -> Any:
    scale = 1 / np.sqrt(variance + eps)
    if w is not None:
        scale = scale * w
    shift = -mean * scale if b is None else b - mean * scale
    y = x * _channels(scale, x.ndim)
    y += _channels(shift, x.ndim)
    return y


def _fixed_rule(g: Tensor, needs: Any, x: Any, w: Any, mean: Any, variance: Any, eps: Any, b_spec: Any) -> Any:
    ndim = g._value.spec.ndim
    axes = (0, *range(2, ndim))
    scale = (variance + eps).rsqrt()
    of_x = g * _channels(scale if w is None else scale * w, ndim)
    of_w = of_b = None
    if w is not None:
        centered = (x - _channels(mean, ndim)) * _channels(scale, ndim)
        of_w = apply(SUM_DIM, (g * centered,), (axes, False))
    if b_spec is not None:
        of_b = apply(SUM_DIM, (g,), (axes, False))
    return of_x, of_w, of_b, None, None, None


FIXED_NORM, INSTANCE_FIXED_NORM = (
    operation(name, lambda x, w, b, mean, variance, eps: in_format_of(x, shape=x.shape), _fixed, node=node).gradient(
        _fixed_rule
    )
    for name, node in (("batch_norm_fixed", "NativeBatchNormBackward0"), ("instance_norm_fixed", "ViewBackward0"))
)


for _op in (FIXED_NORM, INSTANCE_FIXED_NORM):
    _op.lower = lambda x, w, b, mean, variance, eps: _scaled(x, w, b, mean, variance, eps.astype(x.dtype))


def _running_average(running: Any, found: Any, momentum: Any, *, axes: tuple[int, ...], factor: float) -> Any:
    """Moves the running statistic towards the one found, averaged over `axes`."""
    kind = running.dtype.type
    return _moved(running, found, axes, kind(1 - momentum), kind(momentum * factor))


def _moved(running: Any, found: Any, axes: tuple[int, ...], left: Any, taken: Any) -> Any:
    new = np.mean(found, axis=axes).reshape(running.shape) if axes else found.reshape(running.shape)
    running *= left
    running += new * taken
    return running


def _running_average_symbols(running: Any, found: Any, momentum: Any, *, axes: tuple[int, ...], factor: float) -> Any:
    kind = running.dtype
    return _moved(running, found, axes, (1 - momentum).astype(kind), (momentum * factor).astype(kind))


RUNNING_AVERAGE = operation(
    "running_average", lambda running, found, momentum, *, axes, factor: running, _running_average, overwrites=True
)
RUNNING_AVERAGE.lower = _running_average_symbols


def _update(running: Tensor | None, found: Tensor, momentum: float, axes: tuple[int, ...], factor: float) -> None:
    if running is None:
        return
    me = recorder()
    tracking, me.tracking = me.tracking, False
    try:
        assign(running, apply(RUNNING_AVERAGE, (running, found, momentum), (axes, factor)))
    finally:
        me.tracking = tracking


BATCH_NORM.shown = LAYER_NORM.shown = GROUP_NORM.shown = FIXED_NORM.shown = three_shown

# ---------------------------------------------------------------------------------------------------------------------
# Checks


def _check_has_channels(x: Spec) -> None:
    if x.ndim < 2:
        span = f"[{-max(x.ndim, 1)}, {max(x.ndim, 1) - 1}]"
        raise IndexError(
            f"Dimension out of range (expected to be in range of {span}, but got 1); the input needs channels "
            f"in dimension 1, but has shape {list(x.shape)}"
        )


def _check_channels(count: int, **tensors: Tensor | None) -> None:
    for name, t in tensors.items():
        if t is not None and settle(t).spec.numel != count:
            raise RuntimeError(f"{name} should contain {count} elements not {t._value.spec.numel}")


def _check_kind(x: Spec, kernel_name: str, *tensors: Tensor | None) -> None:
    if not x.dtype.is_floating_point:
        raise NotImplementedError(f"\"{kernel_name}\" not implemented for '{x.dtype.scalar_name}'")
    for t in tensors:
        if t is None or settle(t).spec.dtype is x.dtype:
            continue
        if t._value.spec.dtype is not dtypes.float32:
            raise RuntimeError("mixed dtype (CPU): expect parameter to have scalar type of Float")
        if x.dtype.itemsize != 2:
            raise RuntimeError("mixed dtype (CPU): all inputs must share same datatype.")


def _check_off_tape(function: str, **tensors: Tensor | None) -> None:
    for name, t in tensors.items():
        if t is not None and t._node is not None and recorder().tracking:
            raise RuntimeError(
                f"The function '{function}' is not differentiable with respect to argument '{name}'. This input "
                f"cannot have "
                "requires_grad True."
            )


# ---------------------------------------------------------------------------------------------------------------------
# Batch normalisation


_checked_forms: Bounded[tuple[Any, ...], Form] = Bounded()  # by the Specs of operands that fit together


def _batch_form(shape: tuple[int, ...]) -> Form:
    n, c = shape[:2]
    length = math.prod(shape[2:])
    if length == 1:
        return Form((n, c), (0,), (1, c))
    return Form((n, c, length), (0, 2), (1, c, 1))


@public(function=False, method=False, functional=True)
def batch_norm(
    input: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    # fmt: skip
    """Each channel with mean 0 and variance 1 over the batch, then times `weight` plus `bias` (Ioffe and Szegedy 2015).

    Shapes: input (N, C) or (N, C, *); the other tensors (C).  While training, the running statistics move by
    `momentum` towards the batch's; else they are used in its place.

    >>> torch.nn.functional.batch_norm(torch.tensor([[1.], [3.]]), None, None, training=True)
    tensor([[-1.0000],
            [ 1.0000]])
    """
    spec = settle(input).spec
    if training and spec.numel and spec.numel == (spec.shape[1] if spec.ndim > 1 else 0):
        raise ValueError(f"Expected more than 1 value per channel when training, got input size {input.size()}")
    if eps < 0 or (training and eps == 0):
        needed = "positive during training" if training else "non-negative"
        raise ValueError(f"batch_norm eps must be {needed}, but got {eps}")
    return _batch_norm(input, running_mean, running_var, weight, bias, training, momentum, eps)


def _batch_norm(
    input: Tensor, mean: Any, var: Any, weight: Any, bias: Any, training: bool, momentum: float, eps: float
) -> Tensor:
    spec = settle(input).spec
    if not training:
        for name, t in (("running_mean", mean), ("running_var", var)):
            if t is None:
                raise RuntimeError(f"{name} must be defined in evaluation mode")
    key = tuple([None if t is None else settle(t).spec for t in (input, mean, var, weight, bias)])
    form = _checked_forms.get(key)
    if form is None:
        _check_channels(
            spec.shape[1] if spec.ndim > 1 else 0, running_mean=mean, running_var=var, weight=weight, bias=bias
        )
        if spec.numel:
            _check_has_channels(spec)
        _check_kind(spec, "batch_norm", mean, var, weight, bias)
        if spec.numel:
            form = _checked_forms[key] = _batch_form(spec.shape)
    _check_off_tape("native_batch_norm", running_mean=mean, running_var=var)
    if form is None:
        result = input.clone() if weight is None else input.clone() * weight[0]
        return result if bias is None else result + bias[0]
    if not training:
        return apply(FIXED_NORM, (input, weight, bias, mean, var, float(eps)))
    if not isinstance(momentum, (int, float)):
        raise TypeError(f"batch_norm(): argument 'momentum' (position 7) must be float, not {type(momentum).__name__}")
    result, found_mean, found_var = apply(BATCH_NORM, (input, weight, bias, float(eps)), (form,))
    n = form.size
    _update(mean, found_mean, float(momentum), (), 1.0)
    _update(var, found_var, float(momentum), (), n / (n - 1) if n > 1 else math.nan)
    return result


def _torch_batch_norm(input: Tensor, weight: Tensor | None, bias: Tensor | None, running_mean: Tensor | None,
                      running_var: Tensor | None, training: bool, momentum: float, eps: float,
                      cudnn_enabled: bool = False) -> Tensor:  # fmt: skip
    """`torch.nn.functional.batch_norm` with its arguments in another order."""
    return _batch_norm(input, running_mean, running_var, weight, bias, training, momentum, eps)


FUNCTIONS["batch_norm"] = _torch_batch_norm

# ---------------------------------------------------------------------------------------------------------------------
# Layer and group normalisation


def _trailing(input: Tensor, normalized_shape: Any, function: str, separator: str) -> tuple[int, ...]:
    if isinstance(normalized_shape, int):
        raise TypeError(f"{function}(): argument 'normalized_shape' (position 2) must be tuple of ints, not int")
    dims = tuple(int(n) for n in normalized_shape)
    if not dims:
        raise RuntimeError(
            "Expected normalized_shape to be at least 1-dimensional, i.e., containing at least one element, but got "
            "normalized_shape = []"
        )
    shape = settle(input).spec.shape
    if shape[-len(dims) :] != dims:
        raise RuntimeError(
            f"Given normalized_shape={list(dims)}, expected input with shape "
            f"[*{separator}{', '.join(map(str, dims))}], but got "
            f"input of size{list(shape)}"
        )
    return dims


def _check_shape(t: Tensor | None, name: str, dims: tuple[int, ...]) -> None:
    if t is not None and settle(t).spec.shape != dims:
        raise RuntimeError(
            f"Expected {name} to be of same shape as normalized_shape, but got {name} of shape "
            f"{list(t._value.spec.shape)} and "
            f"normalized_shape = {list(dims)}"
        )


@public(method=False, functional=True)
def layer_norm(input: Tensor, normalized_shape: Any, weight: Tensor | None = None, bias: Tensor | None = None,
               eps: float = 1e-5, cudnn_enable: bool = True) -> Tensor:  # fmt: skip
    """Mean 0 and variance 1 over the last dimensions, then times `weight` plus `bias` (Ba et al. 2016).

    Shapes: input (*, *normalized_shape), weight and bias normalized_shape.

    >>> torch.nn.functional.layer_norm(torch.tensor([1., 3.]), (2,))
    tensor([-1.0000,  1.0000])
    """
    shape = normalized_shape if isinstance(normalized_shape, (int, tuple)) else tuple(normalized_shape)
    key = (shape, *[None if t is None else settle(t).spec for t in (input, weight, bias)])
    form = _checked_forms.get(key)
    if form is None:
        form = _checked_forms[key] = _layer_form(input, shape, weight, bias)
    return apply(LAYER_NORM, (input, weight, bias, float(eps)), (form,))[0]


def _layer_form(input: Tensor, normalized_shape: Any, weight: Tensor | None, bias: Tensor | None) -> Form:
    """What to normalise over; raises PyTorch's errors where the shapes or dtypes do not fit."""
    dims = _trailing(input, normalized_shape, "layer_norm", ", ")
    spec = input._value.spec
    _check_shape(weight, "weight", dims)
    _check_shape(bias, "bias", dims)
    _check_kind(spec, "LayerNormKernelImpl", weight, bias)
    width = math.prod(dims)
    return Form((spec.numel // width if width else 0, width), (1,), (1, width))


@public(function=False, method=False, functional=True)
def group_norm(input: Tensor, num_groups: int, weight: Tensor | None = None, bias: Tensor | None = None,
               eps: float = 1e-5) -> Tensor:  # fmt: skip
    """Mean 0 and variance 1 over each example's groups of channels, then for each channel a scale and a shift (Wu and
    He 2018).

    Shapes: input (N, C, *), weight and bias (C); num_groups must divide C.
    """
    spec = settle(input).spec
    if spec.ndim < 2:
        raise RuntimeError(f"Expected at least 2 dimensions for input tensor but received {spec.ndim}")
    n, c = spec.shape[:2]
    if n * c // num_groups * math.prod(spec.shape[2:]) == 1:
        size = [n * c // num_groups, num_groups, *spec.shape[2:]]
        raise ValueError(f"Expected more than 1 value per channel when training, got input size {size}")
    return _group_norm(input, num_groups, weight, bias, eps)


def _group_norm(input: Tensor, num_groups: int, weight: Any = None, bias: Any = None, eps: float = 1e-5,
                cudnn_enabled: bool = True) -> Tensor:  # fmt: skip
    """`torch.nn.functional.group_norm` without its check of the batch size."""
    spec = settle(input).spec
    n, c = spec.shape[:2]
    if num_groups <= 0:
        raise RuntimeError(f"Expected num groups to be greater than 0, got {num_groups}")
    if c % num_groups:
        raise RuntimeError(
            "Expected number of channels in input to be divisible by num_groups, but got input of shape "
            f"{list(spec.shape)} and num_groups={num_groups}"
        )
    for name, t in (("weight", weight), ("bias", bias)):
        if t is not None and settle(t).spec.shape != (c,):
            raise RuntimeError(
                f"Expected {name} to be a vector of size equal to the number of channels in input, but got {name} of "
                f"shape "
                f"{list(t._value.spec.shape)} and input of shape {list(spec.shape)}"
            )
    _check_kind(spec, "GroupNormKernelImpl", weight, bias)
    each = c // num_groups
    form = Form((n, num_groups, each, math.prod(spec.shape[2:])), (2, 3), (1, num_groups, each, 1))
    return apply(GROUP_NORM, (input, weight, bias, float(eps)), (form,))[0]


FUNCTIONS["group_norm"] = _group_norm

# ---------------------------------------------------------------------------------------------------------------------
# Instance normalisation


@public(function=False, method=False, functional=True)
def instance_norm(input: Tensor, running_mean: Tensor | None = None, running_var: Tensor | None = None,
                  weight: Tensor | None = None, bias: Tensor | None = None, use_input_stats: bool = True,
                  momentum: float = 0.1, eps: float = 1e-5) -> Tensor:  # fmt: skip
    """Each channel of each example with mean 0 and variance 1, then times `weight` plus `bias` (Ulyanov et al. 2016).

    Shapes: input (N, C, *), the other tensors (C).
    """
    shape = settle(input).spec.shape
    if use_input_stats and math.prod(shape[2:]) == 1:
        raise ValueError(f"Expected more than 1 spatial element when training, got input size {input.size()}")
    return _instance_norm(input, weight, bias, running_mean, running_var, use_input_stats, momentum, eps)


def _instance_norm(input: Tensor, weight: Any, bias: Any, running_mean: Any, running_var: Any, use_input_stats: bool,
                   momentum: float, eps: float, cudnn_enabled: bool = True) -> Tensor:  # fmt: skip
    """`torch.nn.functional.instance_norm` with its arguments in another order."""
    spec = settle(input).spec
    if not use_input_stats and (running_mean is None or running_var is None):
        raise RuntimeError("Expected running_mean and running_var to be defined when use_input_stats is false")
    _check_has_channels(spec)
    n, c = spec.shape[:2]
    for name, t in (("running_mean", running_mean), ("running_var", running_var), ("weight", weight), ("bias", bias)):
        if t is not None and settle(t).spec.numel != c:
            raise RuntimeError(f"{name} should contain {n * c} elements not {n * t._value.spec.numel}")
    _check_kind(spec, "batch_norm", running_mean, running_var, weight, bias)
    if not use_input_stats:
        return apply(INSTANCE_FIXED_NORM, (input, weight, bias, running_mean, running_var, float(eps)))
    length = math.prod(spec.shape[2:])
    form = Form((n, c, length), (2,), (1, c, 1))
    result, mean, var = apply(INSTANCE_NORM, (input, weight, bias, float(eps)), (form,))
    _update(running_mean, mean, float(momentum), (0,), 1.0)
    _update(running_var, var, float(momentum), (0,), length / (length - 1) if length > 1 else math.nan)
    return result


FUNCTIONS["instance_norm"] = _instance_norm

# ---------------------------------------------------------------------------------------------------------------------
# Without a mean


@public(method=False, functional=True)
def rms_norm(input: Tensor, normalized_shape: Any, weight: Tensor | None = None, eps: float | None = None) -> Tensor:
    """The input divided by its root mean square over the last dimensions, times `weight` (Zhang and Sennrich 2019).

    >>> torch.nn.functional.rms_norm(torch.tensor([1., -1.]), (2,))
    tensor([ 1., -1.])
    """
    dims = _trailing(input, normalized_shape, "rms_norm", "")
    if weight is not None:
        _check_shape(weight, "weight", dims)
    spec = input._value.spec
    if not (spec.dtype.is_floating_point or spec.dtype.is_complex):
        raise NotImplementedError(f"\"rms_norm\" not implemented for '{spec.dtype.scalar_name}'")
    wide = input.float() if spec.dtype.itemsize == 2 else input
    if eps is None:
        eps = finfo(wide._value.spec.dtype).eps
    over = tuple(range(spec.ndim - len(dims), spec.ndim))
    result = wide * ((wide**2).mean(over, True) + eps).rsqrt()
    if weight is not None:
        result = result * weight
    return result if wide is input else result.to(spec.dtype)


@public(function=False, method=False, functional=True)
def local_response_norm(input: Tensor, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0) -> Tensor:
    """The input divided by (k + alpha * mean of squares over `size` neighbouring channels) ** beta (Krizhevsky et al.
    2012)."""
    from .padding import pad
    from .pooling import avg_pool2d, avg_pool3d

    shape = settle(input).spec.shape
    if len(shape) < 3:
        raise ValueError(
            f"Expected 3D or higher dimensionality                          input (got {len(shape)} dimensions)"
        )
    if not input._value.spec.numel:
        return input
    around = (size // 2, (size - 1) // 2)
    squares = (input * input).unsqueeze(1)
    if len(shape) == 3:
        mean = avg_pool2d(pad(squares, (0, 0, *around)), (size, 1), stride=1).squeeze(1)
    else:
        volume = squares.view(shape[0], 1, shape[1], shape[2], -1)
        mean = avg_pool3d(pad(volume, (0, 0, 0, 0, *around)), (size, 1, 1), stride=1).squeeze(1).view(shape)
    return input / (mean * alpha + k) ** beta


@public(function=False, method=False, functional=True)
def normalize(input: Tensor, p: float = 2.0, dim: Any = 1, eps: float = 1e-12, out: Tensor | None = None) -> Tensor:
    """The input divided by its p-norm over `dim`, which counts as at least `eps`.

    >>> torch.nn.functional.normalize(torch.tensor([[3., 4.]]))
    tensor([[0.6000, 0.8000]])
    """
    norm = input.norm(p, dim, keepdim=True).clamp_min(eps)
    result = input / norm.expand_as(input)
    return result if out is None else write_out(out, result, "normalize")
