"""Fake quantization as modules: what an observer has chosen is what numbers are rounded to, and they stay floats."""

from __future__ import annotations

from typing import Any

from rushlight import nn
from rushlight.ao.quantization.observer import (
    MovingAverageMinMaxObserver,
    MovingAveragePerChannelMinMaxObserver,
    WithArgs,
)
from rushlight.core import dtype as dtypes
from rushlight.core.qscheme import per_channel_affine, per_channel_symmetric, per_tensor_affine, per_tensor_symmetric
from rushlight.quantized import fake_quantize_per_channel_affine, fake_quantize_per_tensor_affine
from rushlight.tensor import FUNCTIONS, Tensor

__all__ = [
    "FakeQuantize", "FakeQuantizeBase", "FusedMovingAvgObsFakeQuantize", "default_fake_quant",
    "default_fused_act_fake_quant", "default_fused_per_channel_wt_fake_quant", "default_fused_wt_fake_quant",
    "default_per_channel_weight_fake_quant", "default_weight_fake_quant", "disable_fake_quant", "disable_observer",
    "enable_fake_quant", "enable_observer",
]  # fmt: skip

_tensor, _where = FUNCTIONS["tensor"], FUNCTIONS["where"]


class FakeQuantizeBase(WithArgs, nn.Module):
    """What can be switched on and off: the observer, and the rounding."""

    fake_quant_enabled: Tensor
    observer_enabled: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("fake_quant_enabled", _tensor([1], dtype=dtypes.uint8))
        self.register_buffer("observer_enabled", _tensor([1], dtype=dtypes.uint8))

    def enable_fake_quant(self, enabled: bool = True) -> None:
        """Rounds from now on."""
        self.fake_quant_enabled[0] = int(enabled)

    def disable_fake_quant(self) -> None:
        """Rounds no longer."""
        self.enable_fake_quant(False)

    def enable_observer(self, enabled: bool = True) -> None:
        """Looks at numbers from now on."""
        self.observer_enabled[0] = int(enabled)

    def disable_observer(self) -> None:
        """Looks at numbers no longer."""
        self.enable_observer(False)


class FakeQuantize(FakeQuantizeBase):
    """Observes, and rounds to the scale and zero point that the observer has chosen.

    >>> fake = FakeQuantize(quant_min=0, quant_max=255)
    >>> fake(torch.tensor([0., 1.234, 2.55]))
    tensor([0.0000, 1.2300, 2.5500])
    """

    scale: Tensor
    zero_point: Tensor

    def __init__(
        self, observer: Any = MovingAverageMinMaxObserver, quant_min: int | None = None, quant_max: int | None = None,
        is_dynamic: bool = False, **observer_kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__()
        if quant_min is not None and quant_max is not None:
            if quant_min > quant_max:
                raise AssertionError("quant_min must be less than or equal to quant_max")
            observer_kwargs.update(quant_min=quant_min, quant_max=quant_max)
        self.activation_post_process = observer(**observer_kwargs)
        seen = self.activation_post_process
        self.quant_min, self.quant_max, self.is_dynamic = seen.quant_min, seen.quant_max, is_dynamic
        self.dtype, self.qscheme = seen.dtype, seen.qscheme
        self.ch_axis = getattr(seen, "ch_axis", -1)
        self.is_per_channel = self.qscheme in (per_channel_affine, per_channel_symmetric)
        self.register_buffer("scale", _tensor([1.0]))
        self.register_buffer("zero_point", _tensor([0], dtype=dtypes.int32))

    def calculate_qparams(self) -> Any:
        """Scale and zero point for what the observer has seen."""
        return self.activation_post_process.calculate_qparams()

    def forward(self, X: Tensor) -> Tensor:  # noqa: N803 - PyTorch's name
        """The numbers, rounded."""
        if self.observer_enabled[0] == 1:
            self.activation_post_process(X.detach())
            scale, zero_point = self._chosen_in_training()
            self.scale.resize_(scale.shape).copy_(scale)
            self.zero_point.resize_(zero_point.shape).copy_(zero_point)
        if self.fake_quant_enabled[0] != 1:
            return X
        if self.is_per_channel:
            return fake_quantize_per_channel_affine(
                X, self.scale, self.zero_point, self.ch_axis, self.quant_min, self.quant_max
            )
        return fake_quantize_per_tensor_affine(X, self.scale, self.zero_point, self.quant_min, self.quant_max)

    def _chosen_in_training(self) -> Any:
        return self.calculate_qparams()

    def extra_repr(self) -> str:
        return (
            f"fake_quant_enabled={self.fake_quant_enabled}, observer_enabled={self.observer_enabled}, "
            f"quant_min={self.quant_min}, quant_max={self.quant_max}, dtype={self.dtype}, qscheme={self.qscheme}, "
            f"ch_axis={self.ch_axis}, scale={self.scale}, zero_point={self.zero_point}"
        )

    def _load_from_state_dict(self, state_dict: Any, prefix: str, *args: Any) -> None:
        """The number of channels is known only once something was seen: what is loaded decides."""
        for name in ("scale", "zero_point"):
            if prefix + name in state_dict:
                getattr(self, name).resize_(state_dict[prefix + name].shape)
        super()._load_from_state_dict(state_dict, prefix, *args)


class FusedMovingAvgObsFakeQuantize(FakeQuantize):
    """`FakeQuantize` with a moving average, whose scales in training are those of PyTorch's one kernel for it.

    That kernel chooses as FBGEMM does (`rushlight.quantized.chosen`); a symmetric range reaches from -128 to 127 steps.
    """

    def _chosen_in_training(self) -> tuple[Tensor, Tensor]:
        seen, least, most = self.activation_post_process, self.quant_min, self.quant_max
        low, high = seen.min_val.double(), seen.max_val.double()
        half = (most - least) // 2
        symmetric = self.qscheme in (per_tensor_symmetric, per_channel_symmetric)
        both = (low < 0).logical_and(high > 0) if symmetric else (low > high)
        step = FUNCTIONS["maximum"]((low / (half + 1)).abs(), (high / half).abs())
        low = _where(both, -step * (half + 1), low).clamp(max=0.0)
        high = _where(both, step * half, high).clamp(min=0.0)
        scale = (high - low) / (most - least)
        scale = _where(scale.float() == 0, 0.1, scale)
        nearer = abs(least) + (low / scale).abs() < abs(most) + (high / scale).abs()
        point = _where(nearer, least - low / scale, most - high / scale)
        point = _where(both, (least + most) / 2, point).clamp(least, most).round()
        return scale.float().reshape(-1), point.to(dtypes.int32).reshape(-1)


default_fake_quant = FakeQuantize.with_args(
    observer=MovingAverageMinMaxObserver, quant_min=0, quant_max=255, dtype=dtypes.quint8, qscheme=per_tensor_affine,
    reduce_range=True,
)  # fmt: skip
default_weight_fake_quant = FakeQuantize.with_args(
    observer=MovingAverageMinMaxObserver, quant_min=-128, quant_max=127, dtype=dtypes.qint8,
    qscheme=per_tensor_symmetric, reduce_range=False,
)  # fmt: skip
default_per_channel_weight_fake_quant = FakeQuantize.with_args(
    observer=MovingAveragePerChannelMinMaxObserver, quant_min=-128, quant_max=127, dtype=dtypes.qint8,
    qscheme=per_channel_symmetric, reduce_range=False, ch_axis=0,
)  # fmt: skip
default_fused_act_fake_quant = FusedMovingAvgObsFakeQuantize.with_args(
    observer=MovingAverageMinMaxObserver, quant_min=0, quant_max=255, dtype=dtypes.quint8
)
default_fused_wt_fake_quant = FusedMovingAvgObsFakeQuantize.with_args(
    observer=MovingAverageMinMaxObserver, quant_min=-128, quant_max=127, dtype=dtypes.qint8,
    qscheme=per_tensor_symmetric,
)  # fmt: skip
default_fused_per_channel_wt_fake_quant = FusedMovingAvgObsFakeQuantize.with_args(
    observer=MovingAveragePerChannelMinMaxObserver, quant_min=-128, quant_max=127, dtype=dtypes.qint8,
    qscheme=per_channel_symmetric,
)  # fmt: skip


def disable_fake_quant(mod: Any) -> None:
    """For `model.apply`: no fake quantization rounds any longer."""
    if isinstance(mod, FakeQuantizeBase):
        mod.disable_fake_quant()


def enable_fake_quant(mod: Any) -> None:
    """For `model.apply`: every fake quantization rounds."""
    if isinstance(mod, FakeQuantizeBase):
        mod.enable_fake_quant()


def disable_observer(mod: Any) -> None:
    """For `model.apply`: scales stay as they are."""
    if isinstance(mod, FakeQuantizeBase):
        mod.disable_observer()


def enable_observer(mod: Any) -> None:
    """For `model.apply`: scales follow what is seen."""
    if isinstance(mod, FakeQuantizeBase):
        mod.enable_observer()
