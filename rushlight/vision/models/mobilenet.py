"""MobileNet V2 and V3: narrow networks of convolutions channel by channel.

M. Sandler et al., arXiv:1801.04381; A. Howard et al., arXiv:1905.02244.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import rushlight
from rushlight import nn
from rushlight.tensor import Tensor
from rushlight.vision.models.layers import Conv2dNormActivation, Layer, SqueezeExcitation, make_divisible, start_weights
from rushlight.vision.models.weights import build, imagenet_weights, retrained

__all__ = [
    "MobileNetV2",
    "MobileNetV3",
    "MobileNet_V2_Weights",
    "MobileNet_V3_Large_Weights",
    "MobileNet_V3_Small_Weights",
    "mobilenet_v2",
    "mobilenet_v3_large",
    "mobilenet_v3_small",
]

MobileNet_V2_Weights = imagenet_weights(
    "MobileNet_V2_Weights", "mobilenet_v2-b0353104.pth", retrained("mobilenet_v2-7ebf99e0.pth"), num_params=3504872
)
MobileNet_V3_Large_Weights = imagenet_weights(
    "MobileNet_V3_Large_Weights",
    "mobilenet_v3_large-8738ca79.pth",
    retrained("mobilenet_v3_large-5c1a4163.pth"),
    num_params=5483032,
)
MobileNet_V3_Small_Weights = imagenet_weights(
    "MobileNet_V3_Small_Weights", "mobilenet_v3_small-047dcff4.pth", num_params=2542856
)

# V2: expansion, channels, blocks, stride of the first of them.
STAGES_V2 = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)

BlockV3 = tuple[int, int, int, bool, bool, int]
# V3: kernel size, expanded channels, channels, squeeze-and-excitation, hard swish, stride.
BLOCKS_V3_LARGE = (
    (3, 16, 16, False, False, 1),
    (3, 64, 24, False, False, 2),
    (3, 72, 24, False, False, 1),
    (5, 72, 40, True, False, 2),
    (5, 120, 40, True, False, 1),
    (5, 120, 40, True, False, 1),
    (3, 240, 80, False, True, 2),
    (3, 200, 80, False, True, 1),
    (3, 184, 80, False, True, 1),
    (3, 184, 80, False, True, 1),
    (3, 480, 112, True, True, 1),
    (3, 672, 112, True, True, 1),
    (5, 672, 160, True, True, 2),
    (5, 960, 160, True, True, 1),
    (5, 960, 160, True, True, 1),
)
BLOCKS_V3_SMALL = (
    (3, 16, 16, True, False, 2),
    (3, 72, 24, False, False, 2),
    (3, 88, 24, False, False, 1),
    (5, 96, 40, True, True, 2),
    (5, 240, 40, True, True, 1),
    (5, 240, 40, True, True, 1),
    (5, 120, 48, True, True, 1),
    (5, 144, 48, True, True, 1),
    (5, 288, 96, True, True, 2),
    (5, 576, 96, True, True, 1),
    (5, 576, 96, True, True, 1),
)


class InvertedResidual(nn.Module):
    """V2's block: wider, channel by channel, narrow again; the input added where the shape stays."""

    def __init__(self, inp: int, oup: int, stride: int, expand_ratio: int, norm_layer: Layer | None = None) -> None:
        super().__init__()
        if stride not in (1, 2):
            raise ValueError(f"stride should be 1 or 2 instead of {stride}")
        norm = norm_layer or nn.BatchNorm2d
        hidden = int(round(inp * expand_ratio))
        step = partial(Conv2dNormActivation, norm_layer=norm, activation_layer=nn.ReLU6)
        parts: list[nn.Module] = [] if expand_ratio == 1 else [step(inp, hidden, kernel_size=1)]
        parts += [
            step(hidden, hidden, stride=stride, groups=hidden),
            nn.Conv2d(hidden, oup, 1, 1, 0, bias=False),
            norm(oup),
        ]
        self.conv = nn.Sequential(*parts)
        self.stride = stride
        self._is_cn = stride > 1
        self.use_res_connect = stride == 1 and inp == oup
        self.out_channels = oup

    def forward(self, x: Tensor) -> Any:
        return x + self.conv(x) if self.use_res_connect else self.conv(x)


class MobileNetV2(nn.Module):
    """Pictures (N, 3, H, W) to scores (N, num_classes).

    Args:
        num_classes: how many scores.
        width_mult: all channels times this.
        inverted_residual_setting: expansion, channels, blocks and stride of each stage.
        round_nearest: channels are multiples of this.
        norm_layer: makes a normalization.
        dropout: the probability.
    """

    def __init__(
        self,
        num_classes: int = 1000,
        width_mult: float = 1.0,
        inverted_residual_setting: Sequence[Sequence[int]] | None = None,
        round_nearest: int = 8,
        norm_layer: Layer | None = None,
        dropout: float = 0.2,
    ) -> None:
        super().__init__()
        norm = norm_layer or nn.BatchNorm2d
        step = partial(Conv2dNormActivation, norm_layer=norm, activation_layer=nn.ReLU6)
        channels = make_divisible(32 * width_mult, round_nearest)
        self.last_channel = make_divisible(1280 * max(1.0, width_mult), round_nearest)
        parts: list[nn.Module] = [step(3, channels, stride=2)]
        for expansion, width, blocks, stride in inverted_residual_setting or STAGES_V2:
            out = make_divisible(width * width_mult, round_nearest)
            for number in range(blocks):
                parts.append(InvertedResidual(channels, out, stride if number == 0 else 1, expansion, norm))
                channels = out
        parts.append(step(channels, self.last_channel, kernel_size=1))
        self.features = nn.Sequential(*parts)
        self.classifier = nn.Sequential(nn.Dropout(p=dropout), nn.Linear(self.last_channel, num_classes))
        start_weights(self, linear_spread=0.01)

    def forward(self, x: Tensor) -> Any:
        x = nn.functional.adaptive_avg_pool2d(self.features(x), (1, 1))
        return self.classifier(rushlight.flatten(x, 1))


class InvertedResidualV3(nn.Module):
    """V3's block: as V2's, with squeeze-and-excitation and another activation in some."""

    def __init__(
        self,
        inp: int,
        kernel: int,
        hidden: int,
        oup: int,
        use_se: bool,
        use_hs: bool,
        stride: int,
        norm: Layer,
        dilation: int = 1,
    ) -> None:
        super().__init__()
        self._is_cn = stride > 1  # a smaller size begins here, or would without the dilation
        step = partial(Conv2dNormActivation, norm_layer=norm, activation_layer=nn.Hardswish if use_hs else nn.ReLU)
        parts: list[nn.Module] = [] if hidden == inp else [step(inp, hidden, kernel_size=1)]
        steps: dict[str, Any] = {"stride": 1 if dilation > 1 else stride, "dilation": dilation}
        parts.append(step(hidden, hidden, kernel_size=kernel, groups=hidden, **steps))
        if use_se:
            squeezed = make_divisible(hidden // 4, 8)
            parts.append(SqueezeExcitation(hidden, squeezed, scale_activation=nn.Hardsigmoid))
        parts.append(Conv2dNormActivation(hidden, oup, kernel_size=1, norm_layer=norm, activation_layer=None))
        self.block = nn.Sequential(*parts)
        self.use_res_connect = stride == 1 and inp == oup
        self.out_channels = oup

    def _get_name(self) -> str:
        return "InvertedResidual"  # what torchvision prints, whose versions lie in files of their own

    def forward(self, input: Tensor) -> Any:
        result = self.block(input)
        return result + input if self.use_res_connect else result


class MobileNetV3(nn.Module):
    """Pictures (N, 3, H, W) to scores (N, num_classes).

    Args:
        blocks: kernel size, expanded channels, channels, squeeze-and-excitation, hard swish and stride of each.
        last_channel: of the classifier's inside.
        channels: of the first convolution.
        dilated_blocks: how many blocks, from the last one, have holes instead of strides.
        num_classes: how many scores.
        norm_layer: makes a normalization.
        dropout: the probability.
    """

    def __init__(
        self,
        blocks: Sequence[BlockV3],
        last_channel: int,
        num_classes: int = 1000,
        norm_layer: Layer | None = None,
        dropout: float = 0.2,
        channels: int = 16,
        dilated_blocks: int = 0,
    ) -> None:
        super().__init__()
        norm = norm_layer or partial(nn.BatchNorm2d, eps=0.001, momentum=0.01)
        step = partial(Conv2dNormActivation, norm_layer=norm, activation_layer=nn.Hardswish)
        whole = len(blocks) - dilated_blocks
        parts: list[nn.Module] = [step(3, channels, stride=2)]
        for number, block in enumerate(blocks):
            parts.append(InvertedResidualV3(channels, *block, norm, 2 if number >= whole else 1))
            channels = block[2]
        parts.append(step(channels, 6 * channels, kernel_size=1))
        self.features = nn.Sequential(*parts)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Sequential(
            nn.Linear(6 * channels, last_channel),
            nn.Hardswish(inplace=True),
            nn.Dropout(p=dropout, inplace=True),
            nn.Linear(last_channel, num_classes),
        )
        start_weights(self, linear_spread=0.01)

    def forward(self, x: Tensor) -> Any:
        x = self.avgpool(self.features(x))
        return self.classifier(rushlight.flatten(x, 1))


def mobilenet_v2(weights: Any = None, progress: bool = True, **kwargs: Any) -> MobileNetV2:
    """MobileNet V2; options as for the class."""
    return build(MobileNetV2, MobileNet_V2_Weights, weights, progress, kwargs)


def _version_3(
    blocks: Sequence[BlockV3],
    last_channel: int,
    width_mult: float = 1.0,
    reduced_tail: bool = False,
    dilated: bool = False,
    **options: Any,
) -> MobileNetV3:
    """MobileNet V3 with all channels times `width_mult`; the last blocks half as wide, or with holes, if asked for."""
    if reduced_tail:
        blocks = [*blocks[:-3], *_narrow(*blocks[-3:])]
        last_channel //= 2
    scaled = [(k, _times(hidden, width_mult), _times(out, width_mult), *rest) for k, hidden, out, *rest in blocks]
    extra = {"channels": _times(16, width_mult), "dilated_blocks": 3 if dilated else 0}
    return MobileNetV3(scaled, _times(last_channel, width_mult), **extra, **options)  # type: ignore[arg-type]


def _narrow(first: BlockV3, *others: BlockV3) -> list[BlockV3]:
    kernel, hidden, out, *rest = first
    narrow = [(kernel, hidden, out // 2, *rest)]
    narrow += [(k, wide // 2, o // 2, *more) for k, wide, o, *more in others]
    return narrow  # type: ignore[return-value]


def _times(channels: int, width_mult: float) -> int:
    return make_divisible(channels * width_mult, 8)


def mobilenet_v3_large(weights: Any = None, progress: bool = True, **kwargs: Any) -> MobileNetV3:
    """MobileNet V3, the large one; options as for the class, and width_mult, reduced_tail and dilated."""
    make = partial(_version_3, BLOCKS_V3_LARGE, 1280)
    return build(make, MobileNet_V3_Large_Weights, weights, progress, kwargs)


def mobilenet_v3_small(weights: Any = None, progress: bool = True, **kwargs: Any) -> MobileNetV3:
    """MobileNet V3, the small one."""
    make = partial(_version_3, BLOCKS_V3_SMALL, 1024)
    return build(make, MobileNet_V3_Small_Weights, weights, progress, kwargs)
