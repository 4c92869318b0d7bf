"""Dropout: numbers, or whole channels, set to zero at random.

The mask is drawn from PyTorch's stream, in the order of the input's memory (`drawing.py` records the draw), and is an
operand of an ordinary multiplication.
"""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np

from rushlight.core.dtype import NAMES
from rushlight.core.sampling import memory_order
from rushlight.record.operation import operation
from rushlight.record.spec import Spec
from rushlight.record.trace import apply, settle
from rushlight.record.value import Tensor

from .creation import wrap
from .drawing import bernoulli, dropout_mask
from .public import FUNCTIONS, public, write_back
from .rules import fresh
from .view import permute

SELU_LIMIT = 1.7580993408473766  # -scale * alpha of SELU: what alpha dropout sets numbers to (Klambauer et al. 2017)


def _check(p: float) -> None:
    if not 0.0 <= p <= 1.0:
        raise ValueError(f"dropout probability has to be between 0 and 1, but got {p}")


def _places(spec: Spec, by_channel: bool) -> tuple[tuple[int, ...], list[int] | None]:
    """The shape of a mask in the order in which elements lie in memory, and its axes in the order of the input's."""
    kind = spec.dtype
    if not kind.is_floating_point:
        raise RuntimeError(f"result type Float can't be cast to the desired output type {kind.scalar_name}")
    if by_channel:
        if spec.ndim < 2:
            raise RuntimeError("Feature dropout requires at least 2 dimensions in the input")
        return (*spec.shape[:2], *[1] * (spec.ndim - 2)), None
    if spec.is_contiguous:
        return spec.shape, None
    axes = memory_order(spec.shape, spec.strides)
    return tuple(spec.shape[a] for a in axes), np.argsort(axes).tolist()


def _kept(spec: Spec, p: float, by_channel: bool, kind: str) -> Tensor:
    """1 for elements that are kept, else 0; nothing is drawn where that is certain."""
    shape, order = _places(spec, by_channel)
    if p in (0, 1):
        return wrap(np.full(spec.shape, 1 - p, NAMES[kind].numpy))
    kept = bernoulli(None, shape, 1.0 - p, kind)
    return kept if order is None else permute(kept, order)


def _mask(spec: Spec, p: float, by_channel: bool) -> Tensor:
    """What to multiply by: 0 or 1 / (1 - p)."""
    shape, order = _places(spec, by_channel)
    mask = dropout_mask(shape, p, spec.dtype.name)
    return mask if order is None else permute(mask, order)


def _check_real(spec: Spec, p: float) -> None:
    if spec.dtype.is_complex and p != 1:
        raise NotImplementedError(f"\"bernoulli_scalar_cpu_\" not implemented for '{spec.dtype.scalar_name}'")


def _drop(input: Tensor, p: float, training: bool, inplace: bool, by_channel: bool = False) -> Tensor:
    _check(p)
    spec = settle(input).spec
    if not training or p == 0 or not spec.numel:
        return input
    _check_real(spec, p)
    if spec.device.type == "meta":
        return input if inplace else input.clone()
    mask = wrap(np.zeros((), spec.numpy)) if p == 1 else _mask(spec, p, by_channel)
    return write_back(input, input * mask) if inplace else input * mask


def _alpha_drop(input: Tensor, p: float, training: bool, inplace: bool, by_channel: bool = False) -> Tensor:
    _check(p)
    spec = settle(input).spec
    if not training or p == 0 or not spec.numel:
        return input
    _check_real(spec, p)
    if p == 1:
        result = input * wrap(np.zeros((), spec.numpy))
    else:
        kept = _kept(spec, p, by_channel, spec.dtype.name)
        a = 1 / math.sqrt((SELU_LIMIT**2 * p + 1) * (1 - p))
        shift = (kept - 1) * (SELU_LIMIT * a) + SELU_LIMIT * a * p
        result = input * (kept * a) + shift
    return write_back(input, result) if inplace else result


@public(method=False, inplace=False, functional=True)
def dropout(
    input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False, *, train: bool | None = None
) -> Tensor:
    """While training, sets each number to zero with probability `p` and divides the others by 1 - p (Hinton et al.
    2012).

    Raises ValueError unless 0 <= p <= 1.

    >>> torch.nn.functional.dropout(torch.ones(2), 0.5, training=False)
    tensor([1., 1.])
    """
    return _drop(input, p, training if train is None else train, inplace)


def _torch_dropout(input: Tensor, p: float, train: bool) -> Tensor:
    """`torch.nn.functional.dropout` with nothing left out."""
    return _drop(input, p, train, False)


FUNCTIONS["dropout"] = _torch_dropout


@public(method=False)
def feature_dropout(input: Tensor, p: float, train: bool) -> Tensor:
    """Sets whole channels, `input[n, c]`, to zero with probability `p`."""
    return _drop(input, p, train, False, by_channel=True)


@public(method=False, functional=True)
def alpha_dropout(input: Tensor, p: float = 0.5, training: bool = False, inplace: bool = False, *,
                  train: bool | None = None) -> Tensor:  # fmt: skip
    """Dropout that keeps mean and variance, for networks of SELUs (Klambauer et al. 2017)."""
    return _alpha_drop(input, p, training if train is None else train, inplace)


@public(method=False, functional=True)
def feature_alpha_dropout(input: Tensor, p: float = 0.5, training: bool = False, inplace: bool = False, *,
                          train: bool | None = None) -> Tensor:  # fmt: skip
    """`alpha_dropout` of whole channels."""
    return _alpha_drop(input, p, training if train is None else train, inplace, by_channel=True)


@public(function=False, method=False, functional=True)
def dropout1d(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Dropout of whole channels. Shapes: (N, C, L) or (C, L)."""
    _check(p)
    ndim = settle(input).spec.ndim
    if ndim not in (2, 3):
        raise RuntimeError(
            f"dropout1d: Expected 2D or 3D input, but received a {ndim}D input. Note that dropout1d exists to provide "
            "channel-wise dropout on inputs with 1 spatial dimension, a channel dimension, and an optional batch "
            "dimension "
            "(i.e. 2D or 3D inputs)."
        )
    return _channels(input, p, training, inplace, ndim == 3)


def _channels(input: Tensor, p: float, training: bool, inplace: bool, batched: bool) -> Tensor:
    if batched:
        return _drop(input, p, training, inplace, by_channel=True)
    result = _drop(input.unsqueeze(0), p, training, False, by_channel=True).squeeze(0)
    return write_back(input, result) if inplace else result


def _warn_dimensions(name: str, ndim: int, spatial: int) -> None:
    warnings.warn(
        f"{name}: Received a {ndim}-D input to {name}, which is deprecated and will result in an error in a future "
        f"release. To "
        f"retain the behavior and silence this warning, please use dropout instead. Note that {name} exists to provide "
        f"channel-wise dropout on inputs with {spatial} spatial dimensions, a channel dimension, and an optional batch "
        f"dimension (i.e. {spatial + 1}D or {spatial + 2}D inputs).",
        stacklevel=3,
    )


@public(function=False, method=False, functional=True)
def dropout2d(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Dropout of whole channels. Shapes: (N, C, H, W); (N, C, L) is taken, with a warning, as a batch too."""
    _check(p)
    ndim = settle(input).spec.ndim
    if ndim not in (3, 4):
        _warn_dimensions("dropout2d", ndim, 2)
    if ndim == 3:
        warnings.warn(
            "dropout2d: Received a 3D input to dropout2d and assuming that channel-wise 1D dropout behavior is "
            "desired - input "
            "is interpreted as shape (N, C, L), where C is the channel dim. This behavior will change in a future "
            "release to "
            "interpret the input as one without a batch dimension, i.e. shape (C, H, W). To maintain the 1D "
            "channel-wise "
            "dropout behavior, please switch to using dropout1d instead.",
            stacklevel=2,
        )
    return _drop(input, p, training, inplace, by_channel=True)


@public(function=False, method=False, functional=True)
def dropout3d(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Dropout of whole channels. Shapes: (N, C, D, H, W) or (C, D, H, W)."""
    _check(p)
    ndim = settle(input).spec.ndim
    if ndim not in (4, 5):
        _warn_dimensions("dropout3d", ndim, 3)
    return _channels(input, p, training, inplace, ndim == 5)


def _masked(x: Any, mask: Any, scale: Any) -> Any:
    return x * mask * scale


NATIVE_DROPOUT = operation(
    "native_dropout", lambda x, mask, scale: fresh(x), _masked, compute=lambda x, mask, scale: x.dtype
)
NATIVE_DROPOUT.gradient(x=lambda g, mask, scale: g * mask * scale)


@public(method=False)
def native_dropout(input: Tensor, p: float, train: bool | None) -> tuple[Tensor, Tensor]:
    """The result of dropout, and the mask of the numbers that were kept."""
    spec = settle(input).spec
    if train is False:
        return input * 1, wrap(np.ones(spec.shape, bool))
    mask = _kept(spec, p, False, "bool")
    return apply(NATIVE_DROPOUT, (input, mask, 0.0 if p == 1 else 1 / (1 - p))), mask


def _in_place_forms() -> None:
    """`torch.dropout_` and its like."""
    from .public import FUNCTIONS

    for f, drop, by_channel in (
        (dropout, _drop, False), (feature_dropout, _drop, True), (alpha_dropout, _alpha_drop, False),
        (feature_alpha_dropout, _alpha_drop, True),
    ):  # fmt: skip
        FUNCTIONS[f.__name__ + "_"] = _writing(drop, by_channel, f.__name__)


def _writing(drop: Any, by_channel: bool, name: str) -> Any:
    def written(input: Tensor, p: float, train: bool) -> Tensor:
        return drop(input, p, train, True, by_channel)

    written.__name__ = written.__qualname__ = name + "_"
    written.__doc__ = f"The in-place form of `{name}`."
    return written


_in_place_forms()
