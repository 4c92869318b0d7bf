"""QConfig: which observer, or fake quantization, watches what a layer gives and which its weight."""

from __future__ import annotations

from typing import Any, NamedTuple

from rushlight.ao.quantization.fake_quantize import (
    default_fake_quant,
    default_fused_act_fake_quant,
    default_fused_per_channel_wt_fake_quant,
    default_per_channel_weight_fake_quant,
    default_weight_fake_quant,
)
from rushlight.ao.quantization.histogram_observer import HistogramObserver
from rushlight.ao.quantization.observer import (
    PlaceholderObserver,
    default_debug_observer,
    default_dynamic_quant_observer,
    default_float_qparams_observer,
    default_observer,
    default_per_channel_weight_observer,
    default_placeholder_observer,
    default_weight_observer,
)
from rushlight.core import dtype as dtypes

__all__ = [
    "QConfig", "default_debug_qconfig", "default_dynamic_qconfig", "default_per_channel_qconfig", "default_qat_qconfig",
    "default_qconfig", "default_weight_only_qconfig", "float16_dynamic_qconfig", "float16_static_qconfig",
    "float_qparams_weight_only_qconfig", "get_default_qat_qconfig", "get_default_qconfig",
    "per_channel_dynamic_qconfig",
]  # fmt: skip


class QConfig(NamedTuple):
    """Two factories of observers."""

    activation: Any
    weight: Any


default_qconfig = QConfig(default_observer, default_weight_observer)
default_debug_qconfig = QConfig(default_debug_observer, default_weight_observer)
default_per_channel_qconfig = QConfig(default_observer, default_per_channel_weight_observer)
default_dynamic_qconfig = QConfig(default_dynamic_quant_observer, default_weight_observer)
per_channel_dynamic_qconfig = QConfig(default_dynamic_quant_observer, default_per_channel_weight_observer)
float16_dynamic_qconfig = QConfig(
    PlaceholderObserver.with_args(dtype=dtypes.float16, is_dynamic=True),
    PlaceholderObserver.with_args(dtype=dtypes.float16),
)
float16_static_qconfig = QConfig(
    PlaceholderObserver.with_args(dtype=dtypes.float16), PlaceholderObserver.with_args(dtype=dtypes.float16)
)
float_qparams_weight_only_qconfig = QConfig(default_placeholder_observer, default_float_qparams_observer)
default_qat_qconfig = QConfig(default_fake_quant, default_weight_fake_quant)
default_weight_only_qconfig = QConfig(default_placeholder_observer, default_weight_fake_quant)

_BACKENDS = ("x86", "fbgemm", "onednn", "qnnpack")


def _check(backend: str) -> None:
    if backend not in _BACKENDS:
        raise AssertionError(f"backend: {backend} not supported. backend must be one of {list(_BACKENDS)}")


def get_default_qconfig(backend: str = "x86", version: int = 0) -> QConfig:
    """Histograms of what layers give; the extremes of weights, by channel (per tensor for qnnpack).

    Raises AssertionError for a backend or version that there is not.

    >>> torch.ao.quantization.get_default_qconfig("qnnpack").activation().reduce_range
    False
    """
    _check(backend)
    if version != 0:
        raise AssertionError(
            f"Version number: {version} in get_default_qconfig is not supported. Version number must be 0"
        )
    weight = default_weight_observer if backend == "qnnpack" else default_per_channel_weight_observer
    return QConfig(HistogramObserver.with_args(reduce_range=backend in ("x86", "fbgemm")), weight)


def get_default_qat_qconfig(backend: str = "x86", version: int = 1) -> QConfig:
    """Fake quantization for training: activations by a moving average, weights by channel (per tensor for qnnpack)."""
    _check(backend)
    if version == 0:
        weight = default_weight_fake_quant if backend == "qnnpack" else default_per_channel_weight_fake_quant
        return QConfig(default_fake_quant.with_args(reduce_range=backend != "qnnpack"), weight)
    if backend == "qnnpack":
        from rushlight.ao.quantization.fake_quantize import default_fused_wt_fake_quant

        return QConfig(default_fused_act_fake_quant.with_args(reduce_range=False), default_fused_wt_fake_quant)
    reduce = backend in ("fbgemm", "x86")
    return QConfig(
        default_fused_act_fake_quant.with_args(reduce_range=reduce), default_fused_per_channel_wt_fake_quant
    )
