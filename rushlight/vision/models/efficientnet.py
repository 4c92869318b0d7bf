"""EfficientNet: MobileNet's blocks, with depth, width and picture size growing together.

M. Tan and Q. Le, arXiv:1905.11946. `STAGES` is the smallest of the family, B0; a model multiplies its channels and
repetitions. V2 (arXiv:2104.00298) has stages of its own. Whole blocks are left out at random in training ("stochastic
depth", G. Huang et al., arXiv:1603.09382).
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Sequence
from dataclasses import InitVar, dataclass
from functools import partial
from typing import Any

import rushlight
from rushlight import nn
from rushlight.nn import init
from rushlight.tensor import Tensor
from rushlight.vision.models.layers import Conv2dNormActivation, Layer, SqueezeExcitation, make_divisible
from rushlight.vision.models.weights import File, imagenet_weights, publish
from rushlight.vision.ops.dropping import StochasticDepth
from rushlight.vision.transforms.functional import InterpolationMode

__all__ = ["EfficientNet"]

_OWN = {"eps": 0.001, "momentum": 0.01}
_V2 = {"eps": 0.001}
_SOFT, _SHARP = InterpolationMode.BILINEAR, InterpolationMode.BICUBIC
_HALVES: Any = {"mean": (0.5, 0.5, 0.5), "std": (0.5, 0.5, 0.5)}


@dataclass
class MBConvConfig:
    """A stage: its blocks, and how wide and deep it is; all channels and repetitions can be multiplied."""

    expand_ratio: float
    kernel: int
    stride: int
    input_channels: int
    out_channels: int
    num_layers: int
    width_mult: InitVar[float] = 1.0
    depth_mult: InitVar[float] = 1.0
    block: Callable[..., nn.Module] | None = None

    def __post_init__(self, width_mult: float, depth_mult: float) -> None:
        self.input_channels = make_divisible(self.input_channels * width_mult, 8)
        self.out_channels = make_divisible(self.out_channels * width_mult, 8)
        self.num_layers = math.ceil(self.num_layers * depth_mult)
        self.block = self.block or MBConv


class FusedMBConvConfig(MBConvConfig):
    """A stage whose blocks convolve all channels together."""

    def __post_init__(self, width_mult: float, depth_mult: float) -> None:
        self.block = self.block or FusedMBConv


# Expansion, kernel size, stride, input channels, channels, repetitions.
STAGES = (
    (1, 3, 1, 32, 16, 1),
    (6, 3, 2, 16, 24, 2),
    (6, 5, 2, 24, 40, 2),
    (6, 3, 2, 40, 80, 3),
    (6, 5, 1, 80, 112, 3),
    (6, 5, 2, 112, 192, 4),
    (6, 3, 1, 192, 320, 1),
)

# V2: expansion, stride, input channels, channels, repetitions; the first three are fused.
STAGES_V2: dict[str, tuple[tuple[int, ...], ...]] = {
    "v2_s": ((1, 1, 24, 24, 2), (4, 2, 24, 48, 4), (4, 2, 48, 64, 4), (4, 2, 64, 128, 6), (6, 1, 128, 160, 9),
             (6, 2, 160, 256, 15)),
    "v2_m": ((1, 1, 24, 24, 3), (4, 2, 24, 48, 5), (4, 2, 48, 80, 5), (4, 2, 80, 160, 7), (6, 1, 160, 176, 14),
             (6, 2, 176, 304, 18), (6, 1, 304, 512, 5)),
    "v2_l": ((1, 1, 32, 32, 4), (4, 2, 32, 64, 7), (4, 2, 64, 96, 7), (4, 2, 96, 192, 10), (6, 1, 192, 224, 19),
             (6, 2, 224, 384, 25), (6, 1, 384, 640, 7)),
}  # fmt: skip

# Width and depth multipliers, dropout, the normalization's settings, files, parameters.
FAMILY: dict[str, tuple[float, float, float, dict[str, float], tuple[File, ...], int]] = {
    "b0": (1.0, 1.0, 0.2, {}, (File("efficientnet_b0_rwightman-7f5810bc.pth", 224, 256, _SHARP),), 5288548),
    "b1": (
        1.0,
        1.1,
        0.2,
        {},
        (
            File("efficientnet_b1_rwightman-bac287d4.pth", 240, 256, _SHARP),
            File("efficientnet_b1-c27df63c.pth", 240, 255, _SOFT),
        ),
        7794184,
    ),
    "b2": (1.1, 1.2, 0.3, {}, (File("efficientnet_b2_rwightman-c35c1473.pth", 288, 288, _SHARP),), 9109994),
    "b3": (1.2, 1.4, 0.3, {}, (File("efficientnet_b3_rwightman-b3899882.pth", 300, 320, _SHARP),), 12233232),
    "b4": (1.4, 1.8, 0.4, {}, (File("efficientnet_b4_rwightman-23ab8bcd.pth", 380, 384, _SHARP),), 19341616),
    "b5": (1.6, 2.2, 0.4, _OWN, (File("efficientnet_b5_lukemelas-1a07897c.pth", 456, 456, _SHARP),), 30389784),
    "b6": (1.8, 2.6, 0.5, _OWN, (File("efficientnet_b6_lukemelas-24a108a5.pth", 528, 528, _SHARP),), 43040704),
    "b7": (2.0, 3.1, 0.5, _OWN, (File("efficientnet_b7_lukemelas-c5b4e57e.pth", 600, 600, _SHARP),), 66347960),
    "v2_s": (1.0, 1.0, 0.2, _V2, (File("efficientnet_v2_s-dd5fe13b.pth", 384, 384),), 21458488),
    "v2_m": (1.0, 1.0, 0.3, _V2, (File("efficientnet_v2_m-dc08266a.pth", 480, 480),), 54139356),
    "v2_l": (1.0, 1.0, 0.4, _V2, (File("efficientnet_v2_l-59c71312.pth", 480, 480, _SHARP, _HALVES),), 118515272),
}


class _Block(nn.Module):
    """Layers with the input added where the shape stays; whole blocks are left out at random in training."""

    def __init__(self, stage: MBConvConfig, drop: float, parts: list[nn.Module]) -> None:
        super().__init__()
        if not 1 <= stage.stride <= 2:
            raise ValueError("illegal stride value")
        self.use_res_connect = stage.stride == 1 and stage.input_channels == stage.out_channels
        self.block = nn.Sequential(*parts)
        self.stochastic_depth = StochasticDepth(drop, "row")
        self.out_channels = stage.out_channels

    def forward(self, input: Tensor) -> Any:
        result = self.block(input)
        return self.stochastic_depth(result) + input if self.use_res_connect else result


class MBConv(_Block):
    """Wider, channel by channel, narrow again."""

    def __init__(self, cnf: MBConvConfig, stochastic_depth_prob: float, norm_layer: Layer) -> None:
        inp, hidden = cnf.input_channels, make_divisible(cnf.input_channels * cnf.expand_ratio, 8)
        step = partial(Conv2dNormActivation, norm_layer=norm_layer, activation_layer=nn.SiLU)
        parts: list[nn.Module] = [] if hidden == inp else [step(inp, hidden, kernel_size=1)]
        parts.append(step(hidden, hidden, kernel_size=cnf.kernel, stride=cnf.stride, groups=hidden))
        parts.append(SqueezeExcitation(hidden, max(1, inp // 4), activation=partial(nn.SiLU, inplace=True)))
        parts.append(step(hidden, cnf.out_channels, kernel_size=1, activation_layer=None))
        super().__init__(cnf, stochastic_depth_prob, parts)


class FusedMBConv(_Block):
    """Wider, narrow again (M. Tan and Q. Le, arXiv:2104.00298)."""

    def __init__(self, cnf: MBConvConfig, stochastic_depth_prob: float, norm_layer: Layer) -> None:
        inp, hidden = cnf.input_channels, make_divisible(cnf.input_channels * cnf.expand_ratio, 8)
        step = partial(Conv2dNormActivation, norm_layer=norm_layer, activation_layer=nn.SiLU)
        widens = hidden != inp
        first = step(inp, hidden if widens else cnf.out_channels, kernel_size=cnf.kernel, stride=cnf.stride)
        last = [step(hidden, cnf.out_channels, kernel_size=1, activation_layer=None)] if widens else []
        super().__init__(cnf, stochastic_depth_prob, [first, *last])


class EfficientNet(nn.Module):
    """Pictures (N, 3, H, W) to scores (N, num_classes).

    Args:
        inverted_residual_setting: the stages.
        dropout: before the scores.
        stochastic_depth_prob: of the last block; it grows from 0 with the depth.
        num_classes: how many scores.
        norm_layer: makes a normalization.
        last_channel: channels of the last convolution; four times those before if not given.
    """

    def __init__(
        self,
        inverted_residual_setting: Sequence[MBConvConfig],
        dropout: float,
        stochastic_depth_prob: float = 0.2,
        num_classes: int = 1000,
        norm_layer: Layer | None = None,
        last_channel: int | None = None,
    ) -> None:
        super().__init__()
        stages = inverted_residual_setting
        if not stages:
            raise ValueError("The inverted_residual_setting should not be empty")
        if not isinstance(stages, Sequence) or not all(isinstance(stage, MBConvConfig) for stage in stages):
            raise TypeError("The inverted_residual_setting should be List[MBConvConfig]")
        norm = norm_layer or nn.BatchNorm2d
        step = partial(Conv2dNormActivation, norm_layer=norm, activation_layer=nn.SiLU)
        parts: list[nn.Module] = [step(3, stages[0].input_channels, kernel_size=3, stride=2)]
        number, total = 0, sum(stage.num_layers for stage in stages)
        for stage in stages:
            blocks: list[nn.Module] = []
            for _ in range(stage.num_layers):
                own = copy.copy(stage)
                if blocks:
                    own.input_channels, own.stride = own.out_channels, 1
                assert own.block is not None
                blocks.append(own.block(own, stochastic_depth_prob * number / total, norm))
                number += 1
            parts.append(nn.Sequential(*blocks))
        before = stages[-1].out_channels
        last = 4 * before if last_channel is None else last_channel
        parts.append(step(before, last, kernel_size=1))
        self.features = nn.Sequential(*parts)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Sequential(nn.Dropout(p=dropout, inplace=True), nn.Linear(last, num_classes))
        _start(self)

    def forward(self, x: Tensor) -> Any:
        x = self.avgpool(self.features(x))
        return self.classifier(rushlight.flatten(x, 1))


def _start(model: nn.Module) -> None:
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            init.kaiming_normal_(module.weight, mode="fan_out")
            if module.bias is not None:
                init.zeros_(module.bias)
        elif isinstance(module, nn.BatchNorm2d | nn.GroupNorm):
            init.ones_(module.weight)
            init.zeros_(module.bias)
        elif isinstance(module, nn.Linear):
            bound = 1.0 / math.sqrt(module.out_features)
            init.uniform_(module.weight, -bound, bound)
            init.zeros_(module.bias)


def _stages(name: str) -> tuple[list[MBConvConfig], int | None]:
    """The stages of a member of the family, and the channels of the last convolution."""
    if name not in STAGES_V2:
        width, depth = FAMILY[name][:2]
        return [MBConvConfig(*stage, width_mult=width, depth_mult=depth) for stage in STAGES], None
    kinds: list[Any] = [FusedMBConvConfig] * 3 + [MBConvConfig] * 4
    stages = zip(kinds, STAGES_V2[name], strict=False)
    return [kind(expansion, 3, *rest) for kind, (expansion, *rest) in stages], 1280


def _maker(name: str) -> Callable[..., EfficientNet]:
    def make(*, dropout: float | None = None, **options: Any) -> EfficientNet:
        stages, last = _stages(name)
        usual, norm = FAMILY[name][2:4]
        if norm:
            options.setdefault("norm_layer", partial(nn.BatchNorm2d, **norm))  # type: ignore[arg-type]
        return EfficientNet(stages, usual if dropout is None else dropout, last_channel=last, **options)

    return make


for _name, (*_, _files, _count) in FAMILY.items():
    _least = (33, 33) if _name in STAGES_V2 else (1, 1)
    publish(
        globals(),
        f"efficientnet_{_name}",
        _maker(_name),
        imagenet_weights(f"EfficientNet_{_name.upper()}_Weights", *_files, num_params=_count, min_size=_least),
        f"EfficientNet {_name.upper().replace('_', ' ')}; options as for the class.",
    )
