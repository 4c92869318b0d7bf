"""Products of quantized numbers: computed on the whole numbers, which floats of 24 bits hold exactly."""

from __future__ import annotations

from typing import Any

from rushlight.core import dtype as dtypes
from rushlight.quantized import QuantizedTensor, quantize_per_tensor
from rushlight.tensor import FUNCTIONS, Tensor


def centred(x: QuantizedTensor) -> Tensor:
    """The whole numbers less their zero point, as floats."""
    v = x._value
    points = v.zero_point
    if v.axis is not None:
        points = points.reshape([-1 if d == v.axis else 1 for d in range(v.whole.dim())]).float()
    return v.whole.to(dtypes.float32) - points  # type: ignore[no-any-return]


def scales(weight: QuantizedTensor) -> Any:
    """The scale of each output channel, or the one of all."""
    v = weight._value
    return v.scale if v.axis is None else v.scale.float()


def dynamic_parts(x: Tensor) -> tuple[Tensor, Tensor]:
    """A float tensor as centred whole numbers of 7 bits and their scale, chosen by its own extremes; all recorded.

    The choice is that of `rushlight.quantized.chosen`, with one bit left out.
    """
    where = FUNCTIONS["where"]
    low, high = (m.double() for m in FUNCTIONS["aminmax"](x.detach()))
    low, high = low.clamp(max=0.0), high.clamp(min=0.0)
    scale = ((high - low) / 127).float().double()
    scale = where(scale == 0, 0.1, scale)
    from_low, from_high = -low / scale, 127 - high / scale
    point = where((low / scale).abs() < 127 + (high / scale).abs(), from_low, from_high).clamp(0, 127).round().float()
    step = scale.float()
    return (x * step.reciprocal() + point).round().clamp(0, 127) - point, step


def dynamic_linear(x: Tensor, weight: QuantizedTensor, bias: Tensor | None) -> Tensor:
    """`linear` of floats, which are quantized on the way in."""
    whole, step = dynamic_parts(x)
    found = (whole @ centred(weight).t()) * (step * scales(weight))
    return found if bias is None else found + bias


def requantized(total: Tensor, step: Any, bias: Any, scale: float, zero_point: int, relu: bool = False) -> Any:
    """What a layer gives, in steps of `scale`: the sums of products of whole numbers, and the bias in their steps."""
    if bias is not None:
        total = total + (bias / step).round()
    total = total.relu() if relu else total
    return quantize_per_tensor((total * step).detach(), scale, zero_point, dtypes.quint8)
