"""DeepLab V3: convolutions with holes of several widths side by side see far around each pixel.

L.-C. Chen et al., arXiv:1706.05587.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import rushlight
from rushlight import nn
from rushlight.tensor import Tensor
from rushlight.vision.models.layers import IntermediateLayerGetter
from rushlight.vision.models.mobilenet import MobileNet_V3_Large_Weights, mobilenet_v3_large
from rushlight.vision.models.resnet import ResNet50_Weights, ResNet101_Weights, resnet50, resnet101
from rushlight.vision.models.segmentation.backbone import (
    FCNHead,
    SegmentationModel,
    enlarged,
    resnet_layers,
    segmentation_builder,
    strided_stages,
    voc_weights,
)
from rushlight.vision.models.segmentation.fcn import dilated

__all__ = [
    "DeepLabV3",
    "DeepLabV3_MobileNet_V3_Large_Weights",
    "DeepLabV3_ResNet101_Weights",
    "DeepLabV3_ResNet50_Weights",
    "deeplabv3_mobilenet_v3_large",
    "deeplabv3_resnet101",
    "deeplabv3_resnet50",
]

DeepLabV3_ResNet50_Weights = voc_weights(
    "DeepLabV3_ResNet50_Weights", "deeplabv3_resnet50_coco-cd0a2569.pth", 42004074
)
DeepLabV3_ResNet101_Weights = voc_weights(
    "DeepLabV3_ResNet101_Weights", "deeplabv3_resnet101_coco-586e9e4e.pth", 60996202
)
DeepLabV3_MobileNet_V3_Large_Weights = voc_weights(
    "DeepLabV3_MobileNet_V3_Large_Weights", "deeplabv3_mobilenet_v3_large-fc3c493d.pth", 11029328
)


class DeepLabV3(SegmentationModel):
    """A backbone and a `DeepLabHead`."""


class ASPPConv(nn.Sequential):
    """A convolution with holes."""

    def __init__(self, in_channels: int, out_channels: int, dilation: int) -> None:
        step = nn.Conv2d(in_channels, out_channels, 3, padding=dilation, dilation=dilation, bias=False)
        super().__init__(step, nn.BatchNorm2d(out_channels), nn.ReLU())


def _point(channels_in: int, channels: int) -> list[nn.Module]:
    return [nn.Conv2d(channels_in, channels, 1, bias=False), nn.BatchNorm2d(channels), nn.ReLU()]


class ASPPPooling(nn.Sequential):
    """The mean of the whole picture, for each pixel."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__(nn.AdaptiveAvgPool2d(1), *_point(in_channels, out_channels))

    def forward(self, x: Tensor) -> Any:
        return enlarged(super().forward(x), x)


class ASPP(nn.Module):
    """Single pixels, holes of several widths, and the mean, side by side."""

    def __init__(self, in_channels: int, atrous_rates: Sequence[int], out_channels: int = 256) -> None:
        super().__init__()
        parts: list[nn.Module] = [nn.Sequential(*_point(in_channels, out_channels))]
        parts += [ASPPConv(in_channels, out_channels, rate) for rate in atrous_rates]
        parts.append(ASPPPooling(in_channels, out_channels))
        self.convs = nn.ModuleList(parts)
        self.project = nn.Sequential(*_point(len(parts) * out_channels, out_channels), nn.Dropout(0.5))

    def forward(self, x: Tensor) -> Any:
        return self.project(rushlight.cat([part(x) for part in self.convs], dim=1))


class DeepLabHead(nn.Sequential):
    """`ASPP`, a convolution, and scores for each pixel."""

    def __init__(self, in_channels: int, num_classes: int, atrous_rates: Sequence[int] = (12, 24, 36)) -> None:
        super().__init__(
            ASPP(in_channels, atrous_rates),
            nn.Conv2d(256, 256, 3, padding=1, bias=False),
            nn.BatchNorm2d(256),
            nn.ReLU(),
            nn.Conv2d(256, num_classes, 1),
        )


def _on_resnet(backbone: Any, num_classes: int, aux: bool | None) -> DeepLabV3:
    auxiliary = FCNHead(1024, num_classes) if aux else None
    return DeepLabV3(resnet_layers(backbone, aux), DeepLabHead(2048, num_classes), auxiliary)


def _on_mobilenet(backbone: Any, num_classes: int, aux: bool | None) -> DeepLabV3:
    features = backbone.features
    stages = strided_stages(features)
    low, high = stages[-4], stages[-1]
    layers = IntermediateLayerGetter(features, {str(high): "out"} | ({str(low): "aux"} if aux else {}))
    auxiliary = FCNHead(features[low].out_channels, num_classes) if aux else None
    return DeepLabV3(layers, DeepLabHead(features[high].out_channels, num_classes), auxiliary)


deeplabv3_resnet50 = segmentation_builder(
    "deeplabv3_resnet50",
    DeepLabV3_ResNet50_Weights,
    (dilated(resnet50), ResNet50_Weights),
    _on_resnet,
    "DeepLab V3 on ResNet-50.",
)
deeplabv3_resnet101 = segmentation_builder(
    "deeplabv3_resnet101",
    DeepLabV3_ResNet101_Weights,
    (dilated(resnet101), ResNet101_Weights),
    _on_resnet,
    "DeepLab V3 on ResNet-101.",
)
deeplabv3_mobilenet_v3_large = segmentation_builder(
    "deeplabv3_mobilenet_v3_large",
    DeepLabV3_MobileNet_V3_Large_Weights,
    (partial(mobilenet_v3_large, dilated=True), MobileNet_V3_Large_Weights),
    _on_mobilenet,
    "DeepLab V3 on MobileNet V3.",
)
