"""DenseNet: each layer sees the outputs of all layers before it (G. Huang et al., arXiv:1608.06993)."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from functools import partial
from typing import Any

import rushlight
from rushlight import nn
from rushlight.nn import functional as F
from rushlight.tensor import Tensor
from rushlight.vision.models.weights import build, imagenet_weights

__all__ = [
    "DenseNet",
    "DenseNet121_Weights",
    "DenseNet161_Weights",
    "DenseNet169_Weights",
    "DenseNet201_Weights",
    "densenet121",
    "densenet161",
    "densenet169",
    "densenet201",
]

DenseNet121_Weights = imagenet_weights(
    "DenseNet121_Weights", "densenet121-a639ec97.pth", num_params=7978856, min_size=(29, 29)
)
DenseNet161_Weights = imagenet_weights(
    "DenseNet161_Weights", "densenet161-8d451a50.pth", num_params=28681000, min_size=(29, 29)
)
DenseNet169_Weights = imagenet_weights(
    "DenseNet169_Weights", "densenet169-b2777c0a.pth", num_params=14149480, min_size=(29, 29)
)
DenseNet201_Weights = imagenet_weights(
    "DenseNet201_Weights", "densenet201-c1103571.pth", num_params=20013928, min_size=(29, 29)
)


class _DenseLayer(nn.Module):
    def __init__(self, channels: int, growth_rate: int, bn_size: int, drop_rate: float) -> None:
        super().__init__()
        self.norm1 = nn.BatchNorm2d(channels)
        self.relu1 = nn.ReLU(inplace=True)
        self.conv1 = nn.Conv2d(channels, bn_size * growth_rate, kernel_size=1, stride=1, bias=False)
        self.norm2 = nn.BatchNorm2d(bn_size * growth_rate)
        self.relu2 = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(bn_size * growth_rate, growth_rate, kernel_size=3, stride=1, padding=1, bias=False)
        self.drop_rate = float(drop_rate)

    def forward(self, features: list[Tensor]) -> Any:
        together = rushlight.cat(features, 1)
        narrow = self.conv1(self.relu1(self.norm1(together)))
        new = self.conv2(self.relu2(self.norm2(narrow)))
        return F.dropout(new, p=self.drop_rate, training=self.training) if self.drop_rate > 0 else new


class _DenseBlock(nn.ModuleDict):
    def __init__(self, layers: int, channels: int, bn_size: int, growth_rate: int, drop_rate: float) -> None:
        super().__init__()
        for number in range(layers):
            layer = _DenseLayer(channels + number * growth_rate, growth_rate, bn_size, drop_rate)
            self.add_module(f"denselayer{number + 1}", layer)

    def forward(self, x: Tensor) -> Any:
        features = [x]
        for layer in self.values():
            features.append(layer(features))
        return rushlight.cat(features, 1)


class _Transition(nn.Sequential):
    """Half the channels, half the size."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(channels)
        self.relu = nn.ReLU(inplace=True)
        self.conv = nn.Conv2d(channels, channels // 2, kernel_size=1, stride=1, bias=False)
        self.pool = nn.AvgPool2d(kernel_size=2, stride=2)


class DenseNet(nn.Module):
    """Pictures (N, 3, H, W) to scores (N, num_classes).

    Args:
        growth_rate: channels that each layer adds.
        block_config: how many layers in each of the four blocks.
        num_init_features: channels after the first convolution.
        bn_size: channels of a layer's inside, in growth rates.
        drop_rate: the probability of dropout after each layer.
        num_classes: how many scores.
        memory_efficient: for programs that set it; memory is reused in any case.
    """

    def __init__(
        self,
        growth_rate: int = 32,
        block_config: Sequence[int] = (6, 12, 24, 16),
        num_init_features: int = 64,
        bn_size: int = 4,
        drop_rate: float = 0,
        num_classes: int = 1000,
        memory_efficient: bool = False,
    ) -> None:
        super().__init__()
        first: list[tuple[str, nn.Module]] = [
            ("conv0", nn.Conv2d(3, num_init_features, kernel_size=7, stride=2, padding=3, bias=False)),
            ("norm0", nn.BatchNorm2d(num_init_features)),
            ("relu0", nn.ReLU(inplace=True)),
            ("pool0", nn.MaxPool2d(kernel_size=3, stride=2, padding=1)),
        ]
        self.features = nn.Sequential(OrderedDict(first))
        channels = num_init_features
        for number, layers in enumerate(block_config, 1):
            block = _DenseBlock(layers, channels, bn_size, growth_rate, drop_rate)
            self.features.add_module(f"denseblock{number}", block)
            channels += layers * growth_rate
            if number < len(block_config):
                self.features.add_module(f"transition{number}", _Transition(channels))
                channels //= 2
        self.features.add_module("norm5", nn.BatchNorm2d(channels))
        self.classifier = nn.Linear(channels, num_classes)
        _start(self)

    def forward(self, x: Tensor) -> Any:
        out = F.relu(self.features(x), inplace=True)
        return self.classifier(rushlight.flatten(F.adaptive_avg_pool2d(out, (1, 1)), 1))


def _start(model: nn.Module) -> None:
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight)
        elif isinstance(module, nn.BatchNorm2d):
            nn.init.constant_(module.weight, 1)
            nn.init.constant_(module.bias, 0)
        elif isinstance(module, nn.Linear):
            nn.init.constant_(module.bias, 0)


def densenet121(weights: Any = None, progress: bool = True, **kwargs: Any) -> DenseNet:
    """DenseNet with 121 layers; options as for the class."""
    return build(partial(DenseNet, 32, (6, 12, 24, 16), 64), DenseNet121_Weights, weights, progress, kwargs)


def densenet161(weights: Any = None, progress: bool = True, **kwargs: Any) -> DenseNet:
    """DenseNet with 161 layers."""
    return build(partial(DenseNet, 48, (6, 12, 36, 24), 96), DenseNet161_Weights, weights, progress, kwargs)


def densenet169(weights: Any = None, progress: bool = True, **kwargs: Any) -> DenseNet:
    """DenseNet with 169 layers."""
    return build(partial(DenseNet, 32, (6, 12, 32, 32), 64), DenseNet169_Weights, weights, progress, kwargs)


def densenet201(weights: Any = None, progress: bool = True, **kwargs: Any) -> DenseNet:
    """DenseNet with 201 layers."""
    return build(partial(DenseNet, 32, (6, 12, 48, 32), 64), DenseNet201_Weights, weights, progress, kwargs)
