"""ShuffleNet V2: half of the channels pass each block untouched, and a shuffle mixes the halves.

N. Ma et al., arXiv:1807.11164.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import rushlight
from rushlight import nn
from rushlight.tensor import Tensor
from rushlight.vision.models.weights import File, imagenet_weights, publish, retrained

__all__ = ["ShuffleNetV2"]

# Channels of the first convolution, the three stages and the last one; file; parameters.
FAMILY: dict[str, tuple[tuple[int, ...], File, int]] = {
    "x0_5": ((24, 48, 96, 192, 1024), File("shufflenetv2_x0.5-f707e7126e.pth"), 1366792),
    "x1_0": ((24, 116, 232, 464, 1024), File("shufflenetv2_x1-5666bf0f80.pth"), 2278604),
    "x1_5": ((24, 176, 352, 704, 1024), retrained("shufflenetv2_x1_5-3c479a10.pth"), 3503624),
    "x2_0": ((24, 244, 488, 976, 2048), retrained("shufflenetv2_x2_0-8be3c8ee.pth"), 7393996),
}


def channel_shuffle(x: Tensor, groups: int) -> Tensor:
    """The channels of the groups in turn: first of each, second of each, and so on."""
    n, channels, height, width = x.size()
    return x.view(n, groups, channels // groups, height, width).transpose(1, 2).reshape(n, channels, height, width)


def _point(channels_in: int, channels: int) -> list[nn.Module]:
    return [nn.Conv2d(channels_in, channels, 1, bias=False), nn.BatchNorm2d(channels), nn.ReLU(inplace=True)]


def _depthwise(channels: int, stride: int) -> list[nn.Module]:
    convolution = nn.Conv2d(channels, channels, 3, stride, 1, bias=False, groups=channels)
    return [convolution, nn.BatchNorm2d(channels)]


class InvertedResidual(nn.Module):
    """Two branches side by side; with stride 1 the first of them is the first half of the input as it is."""

    def __init__(self, inp: int, oup: int, stride: int) -> None:
        super().__init__()
        if not 1 <= stride <= 3:
            raise ValueError("illegal stride value")
        half = oup // 2
        if stride == 1 and inp != 2 * half:
            raise ValueError(
                f"Invalid combination of stride {stride}, inp {inp} and oup {oup} values. "
                "If stride == 1 then inp should be equal to oup // 2 << 1."
            )
        self.stride = stride
        self.branch1 = nn.Sequential(*([] if stride == 1 else [*_depthwise(inp, stride), *_point(inp, half)]))
        first = _point(half if stride == 1 else inp, half)
        self.branch2 = nn.Sequential(*first, *_depthwise(half, stride), *_point(half, half))

    def forward(self, x: Tensor) -> Any:
        first, second = x.chunk(2, dim=1) if self.stride == 1 else (self.branch1(x), x)
        return channel_shuffle(rushlight.cat((first, self.branch2(second)), dim=1), 2)


class ShuffleNetV2(nn.Module):
    """Pictures (N, 3, H, W) to scores (N, num_classes).

    Args:
        stages_repeats: blocks in each of the three stages.
        stages_out_channels: of the first convolution, the three stages, and the last convolution.
        num_classes: how many scores.
        inverted_residual: makes a block of input channels, channels and stride.
    """

    def __init__(
        self,
        stages_repeats: Sequence[int],
        stages_out_channels: Sequence[int],
        num_classes: int = 1000,
        inverted_residual: Callable[..., nn.Module] = InvertedResidual,
    ) -> None:
        super().__init__()
        if len(stages_repeats) != 3:
            raise ValueError("expected stages_repeats as list of 3 positive ints")
        if len(stages_out_channels) != 5:
            raise ValueError("expected stages_out_channels as list of 5 positive ints")
        channels, *widths, last = stages_out_channels
        start = nn.Conv2d(3, channels, 3, 2, 1, bias=False)
        self.conv1 = nn.Sequential(start, nn.BatchNorm2d(channels), nn.ReLU(inplace=True))
        self.maxpool = nn.MaxPool2d(kernel_size=3, stride=2, padding=1)
        for number, (width, repeats) in enumerate(zip(widths, stages_repeats, strict=True), 2):
            blocks = [inverted_residual(channels, width, 2)]
            blocks += [inverted_residual(width, width, 1) for _ in range(repeats - 1)]
            setattr(self, f"stage{number}", nn.Sequential(*blocks))
            channels = width
        self.conv5 = nn.Sequential(*_point(channels, last))
        self.fc = nn.Linear(last, num_classes)

    def forward(self, x: Tensor) -> Any:
        x = self.stage4(self.stage3(self.stage2(self.maxpool(self.conv1(x)))))
        return self.fc(self.conv5(x).mean([2, 3]))


for _name, (_widths, _file, _count) in FAMILY.items():
    publish(
        globals(),
        f"shufflenet_v2_{_name}",
        partial(ShuffleNetV2, [4, 8, 4], list(_widths)),
        imagenet_weights(f"ShuffleNet_V2_{_name.upper()}_Weights", _file, num_params=_count),
        f"ShuffleNet V2, {_name[1:].replace('_', '.')} times as wide; options as for the class.",
    )
