"""VGG: plain stacks of 3 by 3 convolutions (K. Simonyan, A. Zisserman, arXiv:1409.1556)."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Any

import rushlight
from rushlight import nn
from rushlight.tensor import Tensor
from rushlight.vision.models.layers import start_weights
from rushlight.vision.models.weights import File, build, imagenet_weights

__all__ = [
    "VGG",
    "VGG11_BN_Weights",
    "VGG11_Weights",
    "VGG13_BN_Weights",
    "VGG13_Weights",
    "VGG16_BN_Weights",
    "VGG16_Weights",
    "VGG19_BN_Weights",
    "VGG19_Weights",
    "vgg11",
    "vgg11_bn",
    "vgg13",
    "vgg13_bn",
    "vgg16",
    "vgg16_bn",
    "vgg19",
    "vgg19_bn",
]

# Only the convolutions are in this file: SSD starts from them.
_FEATURES = File(
    "vgg16_features-amdegroot-88682ab5.pth",
    statistics={"mean": (0.48235, 0.45882, 0.40784), "std": (1 / 255, 1 / 255, 1 / 255)},
    meta={"categories": None},
)
VGG11_Weights = imagenet_weights("VGG11_Weights", "vgg11-8a719046.pth", num_params=132863336, min_size=(32, 32))
VGG11_BN_Weights = imagenet_weights(
    "VGG11_BN_Weights", "vgg11_bn-6002323d.pth", num_params=132868840, min_size=(32, 32)
)
VGG13_Weights = imagenet_weights("VGG13_Weights", "vgg13-19584684.pth", num_params=133047848, min_size=(32, 32))
VGG13_BN_Weights = imagenet_weights(
    "VGG13_BN_Weights", "vgg13_bn-abd245e5.pth", num_params=133053736, min_size=(32, 32)
)
VGG16_Weights = imagenet_weights(
    "VGG16_Weights", "vgg16-397923af.pth", num_params=138357544, min_size=(32, 32), IMAGENET1K_FEATURES=_FEATURES
)
VGG16_BN_Weights = imagenet_weights(
    "VGG16_BN_Weights", "vgg16_bn-6c64b313.pth", num_params=138365992, min_size=(32, 32)
)
VGG19_Weights = imagenet_weights("VGG19_Weights", "vgg19-dcbb9e9d.pth", num_params=143667240, min_size=(32, 32))
VGG19_BN_Weights = imagenet_weights(
    "VGG19_BN_Weights", "vgg19_bn-c79401a0.pth", num_params=143678248, min_size=(32, 32)
)

# How many convolutions there are in each of the five stages, by the number of layers with weights.
STAGES = {11: (1, 1, 2, 2, 2), 13: (2, 2, 2, 2, 2), 16: (2, 2, 3, 3, 3), 19: (2, 2, 4, 4, 4)}
WIDTHS = (64, 128, 256, 512, 512)


class VGG(nn.Module):
    """Pictures (N, 3, H, W), H and W at least 32, to scores (N, num_classes).

    Args:
        features: the convolutions, with 512 channels at the end.
        num_classes: how many scores.
        init_weights: start as the paper does, not with the layers' defaults.
        dropout: the probability.
    """

    def __init__(
        self, features: nn.Module, num_classes: int = 1000, init_weights: bool = True, dropout: float = 0.5
    ) -> None:
        super().__init__()
        self.features = features
        self.avgpool = nn.AdaptiveAvgPool2d((7, 7))
        self.classifier = nn.Sequential(
            nn.Linear(512 * 7 * 7, 4096),
            nn.ReLU(True),
            nn.Dropout(p=dropout),
            nn.Linear(4096, 4096),
            nn.ReLU(True),
            nn.Dropout(p=dropout),
            nn.Linear(4096, num_classes),
        )
        if init_weights:
            start_weights(self, linear_spread=0.01)

    def forward(self, x: Tensor) -> Any:
        x = self.avgpool(self.features(x))
        return self.classifier(rushlight.flatten(x, 1))


def make_layers(cfg: Iterable[int | str], batch_norm: bool = False) -> nn.Sequential:
    """The convolutions: for each number one with so many channels, for each "M" a pool of half the size."""
    parts: list[nn.Module] = []
    channels = 3
    for width in cfg:
        if isinstance(width, str):
            parts.append(nn.MaxPool2d(kernel_size=2, stride=2))
            continue
        parts.append(nn.Conv2d(channels, width, kernel_size=3, padding=1))
        if batch_norm:
            parts.append(nn.BatchNorm2d(width))
        parts.append(nn.ReLU(inplace=True))
        channels = width
    return nn.Sequential(*parts)


def _make(layers: int, batch_norm: bool, **options: Any) -> VGG:
    stages = zip(STAGES[layers], WIDTHS, strict=True)
    cfg: list[int | str] = [part for count, width in stages for part in (*[width] * count, "M")]  # type: ignore[misc]
    return VGG(make_layers(cfg, batch_norm), **options)


def vgg11(weights: Any = None, progress: bool = True, **kwargs: Any) -> VGG:
    """VGG with 11 layers (configuration A)."""
    return build(partial(_make, 11, False), VGG11_Weights, weights, progress, kwargs)


def vgg11_bn(weights: Any = None, progress: bool = True, **kwargs: Any) -> VGG:
    """VGG with 11 layers and batch normalization."""
    return build(partial(_make, 11, True), VGG11_BN_Weights, weights, progress, kwargs)


def vgg13(weights: Any = None, progress: bool = True, **kwargs: Any) -> VGG:
    """VGG with 13 layers (configuration B)."""
    return build(partial(_make, 13, False), VGG13_Weights, weights, progress, kwargs)


def vgg13_bn(weights: Any = None, progress: bool = True, **kwargs: Any) -> VGG:
    """VGG with 13 layers and batch normalization."""
    return build(partial(_make, 13, True), VGG13_BN_Weights, weights, progress, kwargs)


def vgg16(weights: Any = None, progress: bool = True, **kwargs: Any) -> VGG:
    """VGG with 16 layers (configuration D)."""
    return build(partial(_make, 16, False), VGG16_Weights, weights, progress, kwargs)


def vgg16_bn(weights: Any = None, progress: bool = True, **kwargs: Any) -> VGG:
    """VGG with 16 layers and batch normalization."""
    return build(partial(_make, 16, True), VGG16_BN_Weights, weights, progress, kwargs)


def vgg19(weights: Any = None, progress: bool = True, **kwargs: Any) -> VGG:
    """VGG with 19 layers (configuration E)."""
    return build(partial(_make, 19, False), VGG19_Weights, weights, progress, kwargs)


def vgg19_bn(weights: Any = None, progress: bool = True, **kwargs: Any) -> VGG:
    """VGG with 19 layers and batch normalization."""
    return build(partial(_make, 19, True), VGG19_BN_Weights, weights, progress, kwargs)
