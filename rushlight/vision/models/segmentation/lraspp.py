"""Lite R-ASPP: a small head for MobileNet V3 (A. Howard et al., arXiv:1905.02244)."""

from __future__ import annotations

from collections import OrderedDict
from functools import partial
from typing import Any

from rushlight import nn
from rushlight.tensor import Tensor
from rushlight.vision.models.layers import IntermediateLayerGetter
from rushlight.vision.models.mobilenet import MobileNet_V3_Large_Weights, mobilenet_v3_large
from rushlight.vision.models.segmentation.backbone import (
    enlarged,
    segmentation_builder,
    strided_stages,
    voc_weights,
)

__all__ = ["LRASPP", "LRASPP_MobileNet_V3_Large_Weights", "lraspp_mobilenet_v3_large"]

LRASPP_MobileNet_V3_Large_Weights = voc_weights(
    "LRASPP_MobileNet_V3_Large_Weights", "lraspp_mobilenet_v3_large-d234d4ea.pth", 3221538
)


class LRASPPHead(nn.Module):
    """Scores of what is seen coarsely, weighted by the whole picture, and of what is seen finely."""

    def __init__(self, low_channels: int, high_channels: int, num_classes: int, inter_channels: int) -> None:
        super().__init__()
        step = nn.Conv2d(high_channels, inter_channels, 1, bias=False)
        self.cbr = nn.Sequential(step, nn.BatchNorm2d(inter_channels), nn.ReLU(inplace=True))
        share = nn.Conv2d(high_channels, inter_channels, 1, bias=False)
        self.scale = nn.Sequential(nn.AdaptiveAvgPool2d(1), share, nn.Sigmoid())
        self.low_classifier = nn.Conv2d(low_channels, num_classes, 1)
        self.high_classifier = nn.Conv2d(inter_channels, num_classes, 1)

    def forward(self, input: dict[str, Tensor]) -> Any:
        low, high = input["low"], input["high"]
        x = enlarged(self.cbr(high) * self.scale(high), low)
        return self.low_classifier(low) + self.high_classifier(x)


class LRASPP(nn.Module):
    """Pictures (N, 3, H, W) to a dict with the scores "out" (N, num_classes, H, W).

    Args:
        backbone: makes a dict with "low" and "high", what is seen finely and coarsely.
        low_channels, high_channels: of these.
        num_classes: how many scores.
        inter_channels: of the head's inside.
    """

    def __init__(
        self, backbone: nn.Module, low_channels: int, high_channels: int, num_classes: int, inter_channels: int = 128
    ) -> None:
        super().__init__()
        self.backbone = backbone
        self.classifier = LRASPPHead(low_channels, high_channels, num_classes, inter_channels)

    def forward(self, input: Tensor) -> dict[str, Tensor]:
        return OrderedDict(out=enlarged(self.classifier(self.backbone(input)), input))


def _assemble(backbone: Any, num_classes: int, aux: bool | None) -> LRASPP:
    features = backbone.features
    stages = strided_stages(features)
    low, high = stages[-4], stages[-1]
    layers = IntermediateLayerGetter(features, {str(low): "low", str(high): "high"})
    return LRASPP(layers, features[low].out_channels, features[high].out_channels, num_classes)


lraspp_mobilenet_v3_large = segmentation_builder(
    "lraspp_mobilenet_v3_large",
    LRASPP_MobileNet_V3_Large_Weights,
    (partial(mobilenet_v3_large, dilated=True), MobileNet_V3_Large_Weights),
    _assemble,
    "Lite R-ASPP on MobileNet V3.",
    has_aux=False,
)
