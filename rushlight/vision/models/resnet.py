"""ResNet, ResNeXt and Wide ResNet: blocks whose input is added to their output.

K. He et al., arXiv:1512.03385; S. Xie et al., arXiv:1611.05431; S. Zagoruyko, N. Komodakis, arXiv:1605.07146. As in
torchvision, the stride of a bottleneck is in its 3 by 3 convolution (ResNet V1.5).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import rushlight
from rushlight import nn
from rushlight.tensor import Tensor
from rushlight.vision.models.layers import Layer, start_weights
from rushlight.vision.models.weights import build, imagenet_weights, retrained

__all__ = [
    "ResNeXt101_32X8D_Weights",
    "ResNeXt101_64X4D_Weights",
    "ResNeXt50_32X4D_Weights",
    "ResNet",
    "ResNet101_Weights",
    "ResNet152_Weights",
    "ResNet18_Weights",
    "ResNet34_Weights",
    "ResNet50_Weights",
    "Wide_ResNet101_2_Weights",
    "Wide_ResNet50_2_Weights",
    "resnet101",
    "resnet152",
    "resnet18",
    "resnet34",
    "resnet50",
    "resnext101_32x8d",
    "resnext101_64x4d",
    "resnext50_32x4d",
    "wide_resnet101_2",
    "wide_resnet50_2",
]

ResNet18_Weights = imagenet_weights("ResNet18_Weights", "resnet18-f37072fd.pth", num_params=11689512)
ResNet34_Weights = imagenet_weights("ResNet34_Weights", "resnet34-b627a593.pth", num_params=21797672)
ResNet50_Weights = imagenet_weights(
    "ResNet50_Weights", "resnet50-0676ba61.pth", retrained("resnet50-11ad3fa6.pth"), num_params=25557032
)
ResNet101_Weights = imagenet_weights(
    "ResNet101_Weights", "resnet101-63fe2227.pth", retrained("resnet101-cd907fc2.pth"), num_params=44549160
)
ResNet152_Weights = imagenet_weights(
    "ResNet152_Weights", "resnet152-394f9c45.pth", retrained("resnet152-f82ba261.pth"), num_params=60192808
)
ResNeXt50_32X4D_Weights = imagenet_weights(
    "ResNeXt50_32X4D_Weights",
    "resnext50_32x4d-7cdf4587.pth",
    retrained("resnext50_32x4d-1a0047aa.pth"),
    num_params=25028904,
)
ResNeXt101_32X8D_Weights = imagenet_weights(
    "ResNeXt101_32X8D_Weights",
    "resnext101_32x8d-8ba56ff5.pth",
    retrained("resnext101_32x8d-110c445d.pth"),
    num_params=88791336,
)
ResNeXt101_64X4D_Weights = imagenet_weights(
    "ResNeXt101_64X4D_Weights", retrained("resnext101_64x4d-173b62eb.pth"), num_params=83455272
)
Wide_ResNet50_2_Weights = imagenet_weights(
    "Wide_ResNet50_2_Weights",
    "wide_resnet50_2-95faca4d.pth",
    retrained("wide_resnet50_2-9ba9bcbe.pth"),
    num_params=68883240,
)
Wide_ResNet101_2_Weights = imagenet_weights(
    "Wide_ResNet101_2_Weights",
    "wide_resnet101_2-32ee1156.pth",
    retrained("wide_resnet101_2-d733dc28.pth"),
    num_params=126886696,
)


def conv3x3(in_planes: int, out_planes: int, stride: int = 1, groups: int = 1, dilation: int = 1) -> nn.Conv2d:
    """A 3 by 3 convolution that keeps the size, up to the stride."""
    return nn.Conv2d(
        in_planes, out_planes, 3, stride=stride, padding=dilation, groups=groups, bias=False, dilation=dilation
    )


def conv1x1(in_planes: int, out_planes: int, stride: int = 1) -> nn.Conv2d:
    """A convolution of single pixels."""
    return nn.Conv2d(in_planes, out_planes, kernel_size=1, stride=stride, bias=False)


class BasicBlock(nn.Module):
    """Two 3 by 3 convolutions, and the input added."""

    expansion = 1

    def __init__(
        self,
        inplanes: int,
        planes: int,
        stride: int = 1,
        downsample: nn.Module | None = None,
        groups: int = 1,
        base_width: int = 64,
        dilation: int = 1,
        norm_layer: Layer | None = None,
    ) -> None:
        super().__init__()
        if groups != 1 or base_width != 64:
            raise ValueError("BasicBlock only supports groups=1 and base_width=64")
        if dilation > 1:
            raise NotImplementedError("Dilation > 1 not supported in BasicBlock")
        norm = norm_layer or nn.BatchNorm2d
        self.conv1 = conv3x3(inplanes, planes, stride)
        self.bn1 = norm(planes)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = conv3x3(planes, planes)
        self.bn2 = norm(planes)
        self.downsample = downsample
        self.stride = stride

    def forward(self, x: Tensor) -> Any:
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        out += x if self.downsample is None else self.downsample(x)
        return self.relu(out)


class Bottleneck(nn.Module):
    """A 3 by 3 convolution between two of single pixels, and the input added."""

    expansion = 4

    def __init__(
        self,
        inplanes: int,
        planes: int,
        stride: int = 1,
        downsample: nn.Module | None = None,
        groups: int = 1,
        base_width: int = 64,
        dilation: int = 1,
        norm_layer: Layer | None = None,
    ) -> None:
        super().__init__()
        norm = norm_layer or nn.BatchNorm2d
        width = int(planes * (base_width / 64.0)) * groups
        self.conv1 = conv1x1(inplanes, width)
        self.bn1 = norm(width)
        self.conv2 = conv3x3(width, width, stride, groups, dilation)
        self.bn2 = norm(width)
        self.conv3 = conv1x1(width, planes * self.expansion)
        self.bn3 = norm(planes * self.expansion)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = downsample
        self.stride = stride

    def forward(self, x: Tensor) -> Any:
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.relu(self.bn2(self.conv2(out)))
        out = self.bn3(self.conv3(out))
        out += x if self.downsample is None else self.downsample(x)
        return self.relu(out)


class ResNet(nn.Module):
    """Pictures (N, 3, H, W) to scores (N, num_classes).

    Args:
        block: `BasicBlock` or `Bottleneck`.
        layers: how many blocks in each of the four stages.
        num_classes: how many scores.
        zero_init_residual: each block starts as the identity (P. Goyal et al., arXiv:1706.02677).
        groups, width_per_group: of the 3 by 3 convolutions of a bottleneck.
        replace_stride_with_dilation: for each of the last three stages.
        norm_layer: makes a normalization; `BatchNorm2d` by default.
    """

    def __init__(
        self,
        block: Any,
        layers: Sequence[int],
        num_classes: int = 1000,
        zero_init_residual: bool = False,
        groups: int = 1,
        width_per_group: int = 64,
        replace_stride_with_dilation: Sequence[bool] | None = None,
        norm_layer: Layer | None = None,
    ) -> None:
        super().__init__()
        self._norm_layer: Layer = norm_layer or nn.BatchNorm2d
        self.inplanes = 64
        self.dilation = 1
        dilate = (False, False, False) if replace_stride_with_dilation is None else replace_stride_with_dilation
        if len(dilate) != 3:
            raise ValueError(
                f"replace_stride_with_dilation should be None or a 3-element tuple, got {replace_stride_with_dilation}"
            )
        self.groups = groups
        self.base_width = width_per_group
        self.conv1 = nn.Conv2d(3, self.inplanes, kernel_size=7, stride=2, padding=3, bias=False)
        self.bn1 = self._norm_layer(self.inplanes)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(kernel_size=3, stride=2, padding=1)
        self.layer1 = self._make_layer(block, 64, layers[0])
        self.layer2 = self._make_layer(block, 128, layers[1], 2, dilate[0])
        self.layer3 = self._make_layer(block, 256, layers[2], 2, dilate[1])
        self.layer4 = self._make_layer(block, 512, layers[3], 2, dilate[2])
        self.avgpool = nn.AdaptiveAvgPool2d((1, 1))
        self.fc = nn.Linear(512 * block.expansion, num_classes)
        start_weights(self)
        if zero_init_residual:
            self._start_as_identity()

    def _start_as_identity(self) -> None:
        for module in self.modules():
            last: Any = module.bn3 if isinstance(module, Bottleneck) else getattr(module, "bn2", None)
            if isinstance(module, Bottleneck | BasicBlock) and last.weight is not None:
                nn.init.constant_(last.weight, 0)

    def _make_layer(self, block: Any, planes: int, blocks: int, stride: int = 1, dilate: bool = False) -> nn.Sequential:
        previous_dilation = self.dilation
        if dilate:
            self.dilation, stride = self.dilation * stride, 1
        downsample = None
        if stride != 1 or self.inplanes != planes * block.expansion:
            downsample = nn.Sequential(
                conv1x1(self.inplanes, planes * block.expansion, stride), self._norm_layer(planes * block.expansion)
            )
        common = (self.groups, self.base_width)
        members = [block(self.inplanes, planes, stride, downsample, *common, previous_dilation, self._norm_layer)]
        self.inplanes = planes * block.expansion
        for _ in range(1, blocks):
            members.append(block(self.inplanes, planes, 1, None, *common, self.dilation, self._norm_layer))
        return nn.Sequential(*members)

    def forward(self, x: Tensor) -> Any:
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(rushlight.flatten(self.avgpool(x), 1))


def resnet18(weights: Any = None, progress: bool = True, **kwargs: Any) -> ResNet:
    """ResNet with 18 layers; options as for the class."""
    return build(partial(ResNet, BasicBlock, [2, 2, 2, 2]), ResNet18_Weights, weights, progress, kwargs)


def resnet34(weights: Any = None, progress: bool = True, **kwargs: Any) -> ResNet:
    """ResNet with 34 layers."""
    return build(partial(ResNet, BasicBlock, [3, 4, 6, 3]), ResNet34_Weights, weights, progress, kwargs)


def resnet50(weights: Any = None, progress: bool = True, **kwargs: Any) -> ResNet:
    """ResNet with 50 layers."""
    return build(partial(ResNet, Bottleneck, [3, 4, 6, 3]), ResNet50_Weights, weights, progress, kwargs)


def resnet101(weights: Any = None, progress: bool = True, **kwargs: Any) -> ResNet:
    """ResNet with 101 layers."""
    return build(partial(ResNet, Bottleneck, [3, 4, 23, 3]), ResNet101_Weights, weights, progress, kwargs)


def resnet152(weights: Any = None, progress: bool = True, **kwargs: Any) -> ResNet:
    """ResNet with 152 layers."""
    return build(partial(ResNet, Bottleneck, [3, 8, 36, 3]), ResNet152_Weights, weights, progress, kwargs)


def resnext50_32x4d(weights: Any = None, progress: bool = True, **kwargs: Any) -> ResNet:
    """ResNeXt with 50 layers, 32 groups of 4 channels."""
    options = {"groups": 32, "width_per_group": 4} | kwargs
    return build(partial(ResNet, Bottleneck, [3, 4, 6, 3]), ResNeXt50_32X4D_Weights, weights, progress, options)


def resnext101_32x8d(weights: Any = None, progress: bool = True, **kwargs: Any) -> ResNet:
    """ResNeXt with 101 layers, 32 groups of 8 channels."""
    options = {"groups": 32, "width_per_group": 8} | kwargs
    return build(partial(ResNet, Bottleneck, [3, 4, 23, 3]), ResNeXt101_32X8D_Weights, weights, progress, options)


def resnext101_64x4d(weights: Any = None, progress: bool = True, **kwargs: Any) -> ResNet:
    """ResNeXt with 101 layers, 64 groups of 4 channels."""
    options = {"groups": 64, "width_per_group": 4} | kwargs
    return build(partial(ResNet, Bottleneck, [3, 4, 23, 3]), ResNeXt101_64X4D_Weights, weights, progress, options)


def wide_resnet50_2(weights: Any = None, progress: bool = True, **kwargs: Any) -> ResNet:
    """ResNet with 50 layers, twice as wide inside the bottlenecks."""
    options = {"width_per_group": 128} | kwargs
    return build(partial(ResNet, Bottleneck, [3, 4, 6, 3]), Wide_ResNet50_2_Weights, weights, progress, options)


def wide_resnet101_2(weights: Any = None, progress: bool = True, **kwargs: Any) -> ResNet:
    """ResNet with 101 layers, twice as wide inside the bottlenecks."""
    options = {"width_per_group": 128} | kwargs
    return build(partial(ResNet, Bottleneck, [3, 4, 23, 3]), Wide_ResNet101_2_Weights, weights, progress, options)
