"""Where a network's floats become quantized, and where they become floats again."""

from __future__ import annotations

from typing import Any

from rushlight import nn
from rushlight.ao.quantization.qconfig import QConfig
from rushlight.tensor import Tensor

__all__ = ["DeQuantStub", "QuantStub", "QuantWrapper"]


class QuantStub(nn.Module):
    """Lets tensors pass; `prepare` hangs an observer on it, and `convert` makes it quantize."""

    def __init__(self, qconfig: QConfig | None = None) -> None:
        super().__init__()
        if qconfig is not None:
            self.qconfig = qconfig

    def forward(self, x: Tensor) -> Tensor:
        """The tensor itself."""
        return x


class DeQuantStub(QuantStub):
    """Lets tensors pass; `convert` makes it dequantize."""


class QuantWrapper(nn.Module):
    """A module between a `QuantStub` and a `DeQuantStub`."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        qconfig = getattr(module, "qconfig", None)
        self.quant, self.dequant, self.module = QuantStub(qconfig), DeQuantStub(qconfig), module
        self.train(module.training)

    def forward(self, X: Any) -> Any:  # noqa: N803 - PyTorch's name
        """What the module makes of the input."""
        return self.dequant(self.module(self.quant(X)))
