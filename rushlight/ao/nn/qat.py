"""torch.ao.nn.qat: layers in training whose weights are rounded as quantizing will round them."""

from __future__ import annotations

from typing import Any

from rushlight import nn
from rushlight.core.missing import missing
from rushlight.tensor import Tensor

__all__ = ["Conv2d", "Linear"]


def _adopt(made: Any, mod: Any) -> Any:
    """Takes over the parameters and the qconfig of a float layer."""
    made.weight, made.bias = mod.weight, mod.bias
    made.qconfig = mod.qconfig
    made.weight_fake_quant = mod.qconfig.weight()
    return made.train(mod.training)


class Linear(nn.Linear):
    """`nn.Linear` with a weight that is fake-quantized."""

    weight_fake_quant: Any
    qconfig: Any

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - PyTorch's name
        """As `nn.Linear`, of the rounded weight."""
        return nn.functional.linear(input, self.weight_fake_quant(self.weight), self.bias)

    @classmethod
    def from_float(cls, mod: nn.Linear, use_precomputed_fake_quant: bool = False) -> Any:
        """A float layer, whose `qconfig` says how to round, as one of these; they share the parameters."""
        return _adopt(cls(mod.in_features, mod.out_features, mod.bias is not None), mod)


class Conv2d(nn.Conv2d):
    """`nn.Conv2d` with a weight that is fake-quantized."""

    weight_fake_quant: Any
    qconfig: Any

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - PyTorch's name
        """As `nn.Conv2d`, of the rounded weight."""
        return self._conv_forward(input, self.weight_fake_quant(self.weight), self.bias)

    @classmethod
    def from_float(cls, mod: nn.Conv2d, use_precomputed_fake_quant: bool = False) -> Any:
        """A float layer, whose `qconfig` says how to round, as one of these; they share the parameters."""
        made = cls(
            mod.in_channels, mod.out_channels, mod.kernel_size, mod.stride, mod.padding, mod.dilation, mod.groups,
            mod.bias is not None, mod.padding_mode,
        )  # fmt: skip
        return _adopt(made, mod)


__getattr__ = missing(__name__)
