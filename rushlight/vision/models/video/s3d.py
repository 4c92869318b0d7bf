"""S3D: GoogLeNet for videos, with convolutions over space and then over time.

S. Xie et al., arXiv:1712.04851. Videos have at least 14 frames of 224 by 224.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import rushlight
from rushlight import nn
from rushlight.tensor import Tensor
from rushlight.vision.models.googlenet import BLOCKS
from rushlight.vision.models.layers import Layer
from rushlight.vision.models.video.weights import kinetics_weights
from rushlight.vision.models.weights import publish
from rushlight.vision.ops import Conv3dNormActivation

__all__ = ["S3D"]


class TemporalSeparableConv(nn.Sequential):
    """Over space, then over time."""

    def __init__(
        self, in_planes: int, out_planes: int, kernel_size: int, stride: int, padding: int, norm_layer: Layer
    ) -> None:
        k, s, p = kernel_size, stride, padding
        make = partial(Conv3dNormActivation, bias=False, norm_layer=norm_layer)
        super().__init__(
            make(in_planes, out_planes, (1, k, k), (1, s, s), (0, p, p)),
            make(out_planes, out_planes, (k, 1, 1), (s, 1, 1), (p, 0, 0)),
        )


class SepInceptionBlock3D(nn.Module):
    """Four branches side by side."""

    def __init__(
        self,
        in_planes: int,
        b0_out: int,
        b1_mid: int,
        b1_out: int,
        b2_mid: int,
        b2_out: int,
        b3_out: int,
        norm_layer: Layer,
    ) -> None:
        super().__init__()
        point = partial(Conv3dNormActivation, kernel_size=1, stride=1, norm_layer=norm_layer)
        cube = partial(TemporalSeparableConv, kernel_size=3, stride=1, padding=1, norm_layer=norm_layer)
        self.branch0 = point(in_planes, b0_out)
        self.branch1 = nn.Sequential(point(in_planes, b1_mid), cube(b1_mid, b1_out))
        self.branch2 = nn.Sequential(point(in_planes, b2_mid), cube(b2_mid, b2_out))
        self.branch3 = nn.Sequential(nn.MaxPool3d((3, 3, 3), stride=1, padding=1), point(in_planes, b3_out))

    def forward(self, x: Tensor) -> Any:
        return rushlight.cat((self.branch0(x), self.branch1(x), self.branch2(x), self.branch3(x)), 1)


class S3D(nn.Module):
    """Videos (N, 3, T, H, W) to scores (N, num_classes).

    Args:
        num_classes: how many scores.
        dropout: before the scores.
        norm_layer: makes a normalization.
    """

    def __init__(self, num_classes: int = 400, dropout: float = 0.2, norm_layer: Layer | None = None) -> None:
        super().__init__()
        norm = norm_layer or partial(nn.BatchNorm3d, eps=0.001, momentum=0.001)
        flat = partial(nn.MaxPool3d, kernel_size=(1, 3, 3), stride=(1, 2, 2), padding=(0, 1, 1))
        parts: list[nn.Module] = [TemporalSeparableConv(3, 64, 7, 2, 3, norm), flat()]
        parts += [Conv3dNormActivation(64, 64, kernel_size=1, stride=1, norm_layer=norm)]
        parts += [TemporalSeparableConv(64, 192, 3, 1, 1, norm), flat()]
        between = {
            "3b": nn.MaxPool3d((3, 3, 3), stride=(2, 2, 2), padding=(1, 1, 1)),
            "4e": nn.MaxPool3d((2, 2, 2), stride=(2, 2, 2), padding=(0, 0, 0)),
        }
        for name, widths in BLOCKS.items():
            parts.append(SepInceptionBlock3D(*widths, norm_layer=norm))
            parts += [between[name]] if name in between else []
        self.features = nn.Sequential(*parts)
        self.avgpool = nn.AvgPool3d(kernel_size=(2, 7, 7), stride=1)
        scores = nn.Conv3d(1024, num_classes, kernel_size=1, stride=1, bias=True)
        self.classifier = nn.Sequential(nn.Dropout(p=dropout), scores)

    def forward(self, x: Tensor) -> Any:
        return rushlight.mean(self.classifier(self.avgpool(self.features(x))), dim=(2, 3, 4))


publish(
    globals(),
    "s3d",
    S3D,
    kinetics_weights(
        "S3D_Weights", "s3d-d76dad2f.pth", (224, 224), (256, 256), num_params=8320048, min_size=(224, 224)
    ),
    "S3D for videos; options as for the class.",
)
