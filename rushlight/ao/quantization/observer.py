"""Observers: modules that let tensors pass, and choose scale and zero point by what they have seen.

Source of the formulas: Jacob et al. 2018, "Quantization and Training of Neural Networks for Efficient
Integer-Arithmetic-Only Inference" (https://arxiv.org/abs/1712.05877).
"""

from __future__ import annotations

import warnings
from functools import partial
from typing import Any

from rushlight import nn, ops  # noqa: F401 - the operations' tables
from rushlight.core import dtype as dtypes
from rushlight.core.qscheme import (
    per_channel_affine,
    per_channel_affine_float_qparams,
    per_channel_symmetric,
    per_tensor_affine,
    per_tensor_symmetric,
)
from rushlight.tensor import FUNCTIONS, Tensor

__all__ = [
    "MinMaxObserver", "MovingAverageMinMaxObserver", "MovingAveragePerChannelMinMaxObserver", "NoopObserver",
    "ObserverBase", "PerChannelMinMaxObserver", "PlaceholderObserver", "UniformQuantizationObserverBase",
    "default_debug_observer", "default_dynamic_quant_observer", "default_float_qparams_observer", "default_observer",
    "default_per_channel_weight_observer", "default_placeholder_observer", "default_weight_observer",
]  # fmt: skip

_tensor, _aminmax = FUNCTIONS["tensor"], FUNCTIONS["aminmax"]
_minimum, _maximum = FUNCTIONS["minimum"], FUNCTIONS["maximum"]


class PartialClass:
    """A class with some of its arguments chosen: calling it makes an instance."""

    def __init__(self, made_of: Any, chosen: dict[str, Any]) -> None:
        self.p = partial(made_of, **chosen)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.p(*args, **kwargs)

    def with_args(self, **chosen: Any) -> PartialClass:
        """With further arguments chosen."""
        return PartialClass(self.p, chosen)

    def __repr__(self) -> str:
        return repr(self.p)


class WithArgs:
    """Gives a class `with_args`."""

    @classmethod
    def with_args(cls, **chosen: Any) -> PartialClass:
        """The class with some of its arguments chosen, for a QConfig.

        >>> MinMaxObserver.with_args(dtype=torch.qint8)().dtype
        torch.qint8
        """
        return PartialClass(cls, chosen)


class ObserverBase(WithArgs, nn.Module):
    """The base class: a subclass defines `forward` and `calculate_qparams`."""

    def __init__(self, dtype: Any, is_dynamic: bool = False) -> None:
        super().__init__()
        self.dtype, self.is_dynamic = dtype, is_dynamic

    def calculate_qparams(self, **kwargs: Any) -> Any:
        """Scale and zero point for what was seen."""
        raise NotImplementedError(f"{type(self).__name__}.calculate_qparams")


class UniformQuantizationObserverBase(ObserverBase):
    """What observers of the smallest and the largest number share.

    Args:
        dtype: torch.quint8, qint8 or qint32.
        qscheme: affine or symmetric, per tensor or per channel.
        reduce_range: leave out one bit, as processors without VNNI need.
        quant_min, quant_max: other limits than the dtype's.
        eps: the smallest scale.

    Raises NotImplementedError for a scheme that is not there, AssertionError for limits that make no sense.
    """

    eps: Tensor

    def __init__(
        self, dtype: Any = dtypes.quint8, qscheme: Any = per_tensor_affine, reduce_range: bool = False,
        quant_min: int | None = None, quant_max: int | None = None, factory_kwargs: Any = None,
        eps: float = 1.1920928955078125e-07, is_dynamic: bool = False, **_: Any,
    ) -> None:  # fmt: skip
        super().__init__(dtype, is_dynamic)
        self.qscheme, self.reduce_range = qscheme, reduce_range
        if reduce_range:
            warnings.warn(
                "Please use quant_min and quant_max to specify the range for observers. reduce_range will be "
                "deprecated in a future release of PyTorch.",
                stacklevel=2,
            )
        self.register_buffer("eps", _tensor([eps]))
        self.has_customized_qrange = quant_min is not None and quant_max is not None
        self.quant_min, self.quant_max = self._limits(quant_min, quant_max)

    def _limits(self, low: int | None, high: int | None) -> tuple[int, int]:
        if low is not None and high is not None:
            if not low <= 0 <= high:
                raise AssertionError("Used-specified quantization range must include 0.")
            if low >= high:
                raise AssertionError("qmin must be strictly less than qmax for user-specified quantization range.")
            return (low // 2, high // 2) if self.reduce_range else (low, high)
        if self.dtype in (dtypes.qint32, dtypes.int32):
            return -(2**31), 2**31 - 1
        if self.dtype in (dtypes.qint8, dtypes.int8):
            return (-64, 63) if self.reduce_range else (-128, 127)
        return (0, 127) if self.reduce_range else (0, 255)

    def chosen(self, low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
        """Scale (float32) and zero point (int32) for numbers from `low` to `high`, zero among them."""
        if not low.numel() or not high.numel():
            warnings.warn(
                "must run observer before calling calculate_qparams. Returning default values.", stacklevel=3
            )
            return _tensor([1.0]), _tensor([0])
        below, above = low.clamp(max=0.0), high.clamp(min=0.0)
        zero_point = FUNCTIONS["zeros_like"](below, dtype=dtypes.int32)
        if self.qscheme in (per_tensor_symmetric, per_channel_symmetric):
            scale = _maximum(_maximum(-below, above) / (float(self.quant_max - self.quant_min) / 2), self.eps)
            if self.dtype in (dtypes.quint8, dtypes.uint8):
                middle = (self.quant_min + self.quant_max) // 2 if self.has_customized_qrange else 128
                zero_point = zero_point + middle
        elif self.qscheme is per_channel_affine_float_qparams:
            scale = (high - low) / float(self.quant_max - self.quant_min)
            scale = FUNCTIONS["where"](scale > self.eps, scale, 1.0)
            return scale, -low / scale
        else:
            scale = _maximum((above - below) / float(self.quant_max - self.quant_min), self.eps)
            zero_point = self.quant_min - (below / scale).round().to(dtypes.int32)
            zero_point = zero_point.clamp(self.quant_min, self.quant_max)
        return scale.reshape(-1), zero_point.to(dtypes.int32).reshape(-1)


class MinMaxObserver(UniformQuantizationObserverBase):
    """Keeps the smallest and the largest number that it has seen.

    >>> observe = MinMaxObserver()
    >>> _ = observe(torch.tensor([0., 2.55]))
    >>> observe.calculate_qparams()
    (tensor([0.0100]), tensor([0], dtype=torch.int32))
    """

    min_val: Tensor
    max_val: Tensor

    def __init__(self, dtype: Any = dtypes.quint8, qscheme: Any = per_tensor_affine, *args: Any, **kwargs: Any) -> None:
        if qscheme not in self.schemes:
            raise NotImplementedError(f"{type(self).__name__}'s qscheme only support {self.schemes}, not {qscheme}")
        super().__init__(dtype, qscheme, *args, **kwargs)
        self.reset_min_max_vals()

    schemes: tuple[Any, ...] = (per_tensor_affine, per_tensor_symmetric)

    def reset_min_max_vals(self) -> None:
        """Forgets what was seen."""
        empty = self._nothing_seen()
        self.register_buffer("min_val", empty.clone())
        self.register_buffer("max_val", -empty)

    def _nothing_seen(self) -> Tensor:
        return _tensor(float("inf"))

    def _extremes(self, x: Tensor) -> tuple[Tensor, Tensor]:
        low, high = _aminmax(x)
        return low, high

    def _seen_nothing(self) -> bool:
        return not self.min_val.numel() or bool((self.min_val > self.max_val).any())

    def forward(self, x_orig: Tensor) -> Tensor:
        """Looks at the tensor and lets it pass."""
        if x_orig.numel():
            found = self._extremes(x_orig.detach().to(self.min_val.dtype))
            low, high = self._joined(*found)
            self.min_val.resize_(low.shape).copy_(low)
            self.max_val.resize_(high.shape).copy_(high)
        return x_orig

    def _joined(self, low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
        if not self.min_val.numel():
            return low, high
        return _minimum(low, self.min_val), _maximum(high, self.max_val)

    def calculate_qparams(self, **kwargs: Any) -> tuple[Tensor, Tensor]:
        """Scale and zero point for what was seen."""
        if self._seen_nothing():
            return self.chosen(FUNCTIONS["empty"](0), FUNCTIONS["empty"](0))
        return self.chosen(self.min_val, self.max_val)

    def extra_repr(self) -> str:
        return f"min_val={self.min_val}, max_val={self.max_val}"


class MovingAverageMinMaxObserver(MinMaxObserver):
    """Keeps moving averages of the smallest and the largest numbers: `m + c * (seen - m)`."""

    def __init__(self, averaging_constant: float = 0.01, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.averaging_constant = averaging_constant

    def _joined(self, low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
        if self._seen_nothing():
            return low, high
        c = self.averaging_constant
        return self.min_val + c * (low - self.min_val), self.max_val + c * (high - self.max_val)


class PerChannelMinMaxObserver(MinMaxObserver):
    """Keeps the extremes of each channel, along `ch_axis`."""

    schemes = (per_channel_affine, per_channel_symmetric, per_channel_affine_float_qparams)

    def __init__(
        self, ch_axis: int = 0, dtype: Any = dtypes.quint8, qscheme: Any = per_channel_affine, *args: Any, **kwargs: Any
    ) -> None:
        super().__init__(dtype, qscheme, *args, **kwargs)
        self.ch_axis = ch_axis

    def _nothing_seen(self) -> Tensor:
        return FUNCTIONS["empty"](0)  # type: ignore[no-any-return]

    def _extremes(self, x: Tensor) -> tuple[Tensor, Tensor]:
        low, high = _aminmax(x.movedim(self.ch_axis, 0).flatten(1), dim=1)
        return low, high

    def _load_from_state_dict(self, state_dict: Any, prefix: str, *args: Any) -> None:
        """The number of channels is known only once something was seen: what is loaded decides."""
        for name in ("min_val", "max_val"):
            if prefix + name in state_dict:
                getattr(self, name).resize_(state_dict[prefix + name].shape)
        super()._load_from_state_dict(state_dict, prefix, *args)


class MovingAveragePerChannelMinMaxObserver(PerChannelMinMaxObserver):
    """Keeps moving averages of the extremes of each channel."""

    def __init__(self, averaging_constant: float = 0.01, ch_axis: int = 0, *args: Any, **kwargs: Any) -> None:
        super().__init__(ch_axis, *args, **kwargs)
        self.averaging_constant = averaging_constant

    _joined = MovingAverageMinMaxObserver._joined


class PlaceholderObserver(ObserverBase):
    """Sees nothing, and says only which dtype is wanted: for dynamic quantization and float16."""

    def __init__(
        self, dtype: Any = dtypes.float32, custom_op_name: str = "", compute_dtype: Any = None,
        quant_min: int | None = None, quant_max: int | None = None, qscheme: Any = None, eps: Any = None,
        is_dynamic: bool = False,
    ) -> None:  # fmt: skip
        super().__init__(dtype, is_dynamic)
        self.quant_min, self.quant_max, self.qscheme = quant_min, quant_max, qscheme or per_tensor_affine

    def forward(self, x: Tensor) -> Tensor:
        """The tensor itself."""
        return x

    def calculate_qparams(self, **kwargs: Any) -> Any:
        """Raises: nothing was seen."""
        raise Exception("calculate_qparams should not be called for PlaceholderObserver")


class NoopObserver(ObserverBase):
    """Sees nothing: for what is converted to float16 without being calibrated."""

    def __init__(self, dtype: Any = dtypes.float16, custom_op_name: str = "") -> None:
        super().__init__(dtype)

    def forward(self, x: Tensor) -> Tensor:
        """The tensor itself."""
        return x

    def calculate_qparams(self, **kwargs: Any) -> Any:
        """Raises: nothing was seen."""
        raise Exception("calculate_qparams should not be called for NoopObserver")


default_observer = MinMaxObserver.with_args(quant_min=0, quant_max=127)
default_weight_observer = MinMaxObserver.with_args(dtype=dtypes.qint8, qscheme=per_tensor_symmetric)
default_per_channel_weight_observer = PerChannelMinMaxObserver.with_args(
    dtype=dtypes.qint8, qscheme=per_channel_symmetric
)
default_dynamic_quant_observer = PlaceholderObserver.with_args(
    dtype=dtypes.quint8, quant_min=0, quant_max=255, is_dynamic=True
)
default_float_qparams_observer = PerChannelMinMaxObserver.with_args(
    dtype=dtypes.quint8, qscheme=per_channel_affine_float_qparams, ch_axis=0
)
default_placeholder_observer = PlaceholderObserver
default_debug_observer = NoopObserver
