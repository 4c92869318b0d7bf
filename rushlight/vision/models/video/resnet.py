"""ResNet for videos: r3d_18 convolves over time throughout, mc3_18 only at first, r2plus1d_18 after space.

D. Tran et al., arXiv:1711.11248.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from rushlight import nn
from rushlight.nn import init
from rushlight.tensor import Tensor
from rushlight.vision.models.video.weights import kinetics_weights
from rushlight.vision.models.weights import publish

__all__ = ["VideoResNet"]


class _Spatiotemporal(nn.Conv3d):
    """A convolution without bias, over `over_time` frames."""

    over_time = 3

    def __init__(
        self, in_planes: int, out_planes: int, midplanes: int | None = None, stride: int = 1, padding: int = 1
    ) -> None:
        frames, steps, rim = self.over_time, stride, padding
        if frames == 1:
            steps, rim = 1, 0
        super().__init__(
            in_planes, out_planes, (frames, 3, 3), (steps, stride, stride), (rim, padding, padding), bias=False
        )

    @classmethod
    def get_downsample_stride(cls, stride: int) -> tuple[int, int, int]:
        """The stride of a projection beside it."""
        return (1 if cls.over_time == 1 else stride), stride, stride


class Conv3DSimple(_Spatiotemporal):
    """3 by 3 by 3."""


class Conv3DNoTemporal(_Spatiotemporal):
    """3 by 3, each frame for itself."""

    over_time = 1


class Conv2Plus1D(nn.Sequential):
    """Over space, then over time."""

    def __init__(self, in_planes: int, out_planes: int, midplanes: int, stride: int = 1, padding: int = 1) -> None:
        space = ((1, 3, 3), (1, stride, stride), (0, padding, padding))
        time = ((3, 1, 1), (stride, 1, 1), (padding, 0, 0))
        super().__init__(
            nn.Conv3d(in_planes, midplanes, *space, bias=False),
            nn.BatchNorm3d(midplanes),
            nn.ReLU(inplace=True),
            nn.Conv3d(midplanes, out_planes, *time, bias=False),
        )

    get_downsample_stride = Conv3DSimple.get_downsample_stride


class BasicBlock(nn.Module):
    """Two convolutions, and the input added."""

    expansion = 1

    def __init__(
        self,
        inplanes: int,
        planes: int,
        conv_builder: Callable[..., nn.Module],
        stride: int = 1,
        downsample: nn.Module | None = None,
    ) -> None:
        super().__init__()
        # As many parameters in two parts as in one.
        middle = (inplanes * planes * 3 * 3 * 3) // (inplanes * 3 * 3 + 3 * planes)
        first = conv_builder(inplanes, planes, middle, stride)
        self.conv1 = nn.Sequential(first, nn.BatchNorm3d(planes), nn.ReLU(inplace=True))
        self.conv2 = nn.Sequential(conv_builder(planes, planes, middle), nn.BatchNorm3d(planes))
        self.relu = nn.ReLU(inplace=True)
        self.downsample = downsample
        self.stride = stride

    def forward(self, x: Tensor) -> Any:
        rest = x if self.downsample is None else self.downsample(x)
        return self.relu(self.conv2(self.conv1(x)) + rest)


class BasicStem(nn.Sequential):
    """The first convolution."""

    def __init__(self) -> None:
        first = nn.Conv3d(3, 64, (3, 7, 7), (1, 2, 2), (1, 3, 3), bias=False)
        super().__init__(first, nn.BatchNorm3d(64), nn.ReLU(inplace=True))


class R2Plus1dStem(nn.Sequential):
    """The first convolution, over space and then over time."""

    def __init__(self) -> None:
        super().__init__(
            nn.Conv3d(3, 45, (1, 7, 7), (1, 2, 2), (0, 3, 3), bias=False),
            nn.BatchNorm3d(45),
            nn.ReLU(inplace=True),
            nn.Conv3d(45, 64, (3, 1, 1), (1, 1, 1), (1, 0, 0), bias=False),
            nn.BatchNorm3d(64),
            nn.ReLU(inplace=True),
        )


class VideoResNet(nn.Module):
    """Videos (N, 3, T, H, W) to scores (N, num_classes).

    Args:
        block: makes a block.
        conv_makers: make the convolutions of the four stages.
        layers: blocks in each stage.
        stem: makes the first convolution.
        num_classes: how many scores.
    """

    def __init__(
        self,
        block: Any,
        conv_makers: Sequence[Any],
        layers: Sequence[int],
        stem: Callable[..., nn.Module],
        num_classes: int = 400,
    ) -> None:
        super().__init__()
        self.inplanes = 64
        self.stem = stem()
        for number, (make, count) in enumerate(zip(conv_makers, layers, strict=True)):
            stride = 1 if number == 0 else 2
            setattr(self, f"layer{number + 1}", self._make_layer(block, make, 64 * 2**number, count, stride))
        self.avgpool = nn.AdaptiveAvgPool3d((1, 1, 1))
        self.fc = nn.Linear(512 * block.expansion, num_classes)
        for module in self.modules():
            _start(module)

    def _make_layer(self, block: Any, make: Any, planes: int, blocks: int, stride: int = 1) -> nn.Sequential:
        downsample, width = None, planes * block.expansion
        if stride != 1 or self.inplanes != width:
            steps = make.get_downsample_stride(stride)
            project = nn.Conv3d(self.inplanes, width, kernel_size=1, stride=steps, bias=False)
            downsample = nn.Sequential(project, nn.BatchNorm3d(width))
        members = [block(self.inplanes, planes, make, stride, downsample)]
        self.inplanes = width
        return nn.Sequential(*members, *(block(width, planes, make) for _ in range(1, blocks)))

    def forward(self, x: Tensor) -> Any:
        x = self.layer4(self.layer3(self.layer2(self.layer1(self.stem(x)))))
        return self.fc(self.avgpool(x).flatten(1))


def _start(module: Any) -> None:
    if isinstance(module, nn.Conv3d):
        init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
    elif isinstance(module, nn.BatchNorm3d):
        init.constant_(module.weight, 1)
        init.constant_(module.bias, 0)
    elif isinstance(module, nn.Linear):
        init.normal_(module.weight, 0, 0.01)
        init.constant_(module.bias, 0)


# Convolutions of the four stages, the first convolution, file, parameters.
FAMILY: dict[str, tuple[list[Any], Any, str, int]] = {
    "R3D_18": ([Conv3DSimple] * 4, BasicStem, "r3d_18-b3b3357e.pth", 33371472),
    "MC3_18": ([Conv3DSimple, *[Conv3DNoTemporal] * 3], BasicStem, "mc3_18-a90a0ba3.pth", 11695440),
    "R2Plus1D_18": ([Conv2Plus1D] * 4, R2Plus1dStem, "r2plus1d_18-91a641e6.pth", 31505325),
}

for _name, (_makers, _stem, _file, _count) in FAMILY.items():
    publish(
        globals(),
        _name.lower(),
        partial(VideoResNet, BasicBlock, _makers, [2, 2, 2, 2], _stem),
        kinetics_weights(f"{_name}_Weights", _file, (112, 112), (128, 171), num_params=_count),
        f"{_name} for videos; options as for the class.",
    )
