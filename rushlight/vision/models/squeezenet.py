"""SqueezeNet: AlexNet's accuracy with a fiftieth of its parameters (F. Iandola et al., arXiv:1602.07360)."""

from __future__ import annotations

from functools import partial
from typing import Any

import rushlight
from rushlight import nn
from rushlight.nn import init
from rushlight.tensor import Tensor
from rushlight.vision.models.weights import build, imagenet_weights

__all__ = ["SqueezeNet", "SqueezeNet1_0_Weights", "SqueezeNet1_1_Weights", "squeezenet1_0", "squeezenet1_1"]

SqueezeNet1_0_Weights = imagenet_weights(
    "SqueezeNet1_0_Weights", "squeezenet1_0-b66bff10.pth", num_params=1248424, min_size=(21, 21)
)
SqueezeNet1_1_Weights = imagenet_weights(
    "SqueezeNet1_1_Weights", "squeezenet1_1-b8a52dc0.pth", num_params=1235496, min_size=(17, 17)
)


class Fire(nn.Module):
    """Few channels, then many: half by single pixels, half by 3 by 3."""

    def __init__(self, inplanes: int, squeeze_planes: int, expand1x1_planes: int, expand3x3_planes: int) -> None:
        super().__init__()
        self.inplanes = inplanes
        self.squeeze = nn.Conv2d(inplanes, squeeze_planes, kernel_size=1)
        self.squeeze_activation = nn.ReLU(inplace=True)
        self.expand1x1 = nn.Conv2d(squeeze_planes, expand1x1_planes, kernel_size=1)
        self.expand1x1_activation = nn.ReLU(inplace=True)
        self.expand3x3 = nn.Conv2d(squeeze_planes, expand3x3_planes, kernel_size=3, padding=1)
        self.expand3x3_activation = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Any:
        x = self.squeeze_activation(self.squeeze(x))
        halves = (self.expand1x1_activation(self.expand1x1(x)), self.expand3x3_activation(self.expand3x3(x)))
        return rushlight.cat(halves, 1)


class SqueezeNet(nn.Module):
    """Pictures (N, 3, H, W) to scores (N, num_classes); ``version`` is "1_0" or "1_1"."""

    def __init__(self, version: str = "1_0", num_classes: int = 1000, dropout: float = 0.5) -> None:
        super().__init__()
        if version not in ("1_0", "1_1"):
            raise ValueError(f"Unsupported SqueezeNet version {version}: 1_0 or 1_1 expected")
        self.num_classes = num_classes
        first = (96, 7) if version == "1_0" else (64, 3)
        pools = (3, 7) if version == "1_0" else (2, 4)  # after how many fires
        parts: list[nn.Module] = [
            nn.Conv2d(3, first[0], kernel_size=first[1], stride=2),
            nn.ReLU(inplace=True),
            _pool(),
        ]
        channels = first[0]
        for number, narrow in enumerate((16, 16, 32, 32, 48, 48, 64, 64)):
            if number in pools:
                parts.append(_pool())
            parts.append(Fire(channels, narrow, narrow * 4, narrow * 4))
            channels = narrow * 8
        self.features = nn.Sequential(*parts)
        last = nn.Conv2d(512, num_classes, kernel_size=1)
        self.classifier = nn.Sequential(
            nn.Dropout(p=dropout), last, nn.ReLU(inplace=True), nn.AdaptiveAvgPool2d((1, 1))
        )
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                _start(module, module is last)

    def forward(self, x: Tensor) -> Any:
        return rushlight.flatten(self.classifier(self.features(x)), 1)


def _pool() -> nn.Module:
    return nn.MaxPool2d(kernel_size=3, stride=2, ceil_mode=True)


def _start(convolution: Any, last: bool) -> None:
    if last:
        init.normal_(convolution.weight, mean=0.0, std=0.01)
    else:
        init.kaiming_uniform_(convolution.weight)
    if convolution.bias is not None:
        init.constant_(convolution.bias, 0)


def squeezenet1_0(weights: Any = None, progress: bool = True, **kwargs: Any) -> SqueezeNet:
    """SqueezeNet 1.0; options as for the class."""
    return build(partial(SqueezeNet, "1_0"), SqueezeNet1_0_Weights, weights, progress, kwargs)


def squeezenet1_1(weights: Any = None, progress: bool = True, **kwargs: Any) -> SqueezeNet:
    """SqueezeNet 1.1: as accurate with less computation."""
    return build(partial(SqueezeNet, "1_1"), SqueezeNet1_1_Weights, weights, progress, kwargs)
