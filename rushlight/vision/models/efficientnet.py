"""EfficientNet: MobileNet's blocks, with depth, width and picture size growing together.

M. Tan and Q. Le, arXiv:1905.11946. `STAGES` is the smallest of the family, B0; a model multiplies its channels and
repetitions. Whole blocks are left out at random in training ("stochastic depth", G. Huang et al., arXiv:1603.09382).
"""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import rushlight
from rushlight import nn
from rushlight.nn import init
from rushlight.tensor import Tensor
from rushlight.vision.models.layers import Conv2dNormActivation, Layer, SqueezeExcitation, make_divisible
from rushlight.vision.models.weights import build, imagenet_weights
from rushlight.vision.ops.dropping import StochasticDepth

__all__ = ["EfficientNet"]

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

# Width and depth multipliers, dropout, the normalization's settings, picture size, file, parameters.
_OWN = {"eps": 0.001, "momentum": 0.01}
FAMILY: dict[str, tuple[float, float, float, dict[str, float], int, str, int]] = {
    "b0": (1.0, 1.0, 0.2, {}, 224, "efficientnet_b0_rwightman-7f5810bc.pth", 5288548),
    "b1": (1.0, 1.1, 0.2, {}, 240, "efficientnet_b1_rwightman-bac287d4.pth", 7794184),
    "b2": (1.1, 1.2, 0.3, {}, 288, "efficientnet_b2_rwightman-c35c1473.pth", 9109994),
    "b3": (1.2, 1.4, 0.3, {}, 300, "efficientnet_b3_rwightman-b3899882.pth", 12233232),
    "b4": (1.4, 1.8, 0.4, {}, 380, "efficientnet_b4_rwightman-23ab8bcd.pth", 19341616),
    "b5": (1.6, 2.2, 0.4, _OWN, 456, "efficientnet_b5_lukemelas-1a07897c.pth", 30389784),
    "b6": (1.8, 2.6, 0.5, _OWN, 528, "efficientnet_b6_lukemelas-24a108a5.pth", 43040704),
    "b7": (2.0, 3.1, 0.5, _OWN, 600, "efficientnet_b7_lukemelas-c5b4e57e.pth", 66347960),
}


class MBConv(nn.Module):
    """Wider, channel by channel, narrow again; the input added where the shape stays."""

    def __init__(self, inp: int, oup: int, expansion: int, kernel: int, stride: int, drop: float, norm: Layer) -> None:
        super().__init__()
        step = partial(Conv2dNormActivation, norm_layer=norm, activation_layer=nn.SiLU)
        hidden = make_divisible(inp * expansion, 8)
        parts: list[nn.Module] = [] if hidden == inp else [step(inp, hidden, kernel_size=1)]
        parts.append(step(hidden, hidden, kernel_size=kernel, stride=stride, groups=hidden))
        parts.append(SqueezeExcitation(hidden, max(1, inp // 4), activation=partial(nn.SiLU, inplace=True)))
        parts.append(Conv2dNormActivation(hidden, oup, kernel_size=1, norm_layer=norm, activation_layer=None))
        self.use_res_connect = stride == 1 and inp == oup
        self.block = nn.Sequential(*parts)
        self.stochastic_depth = StochasticDepth(drop, "row")
        self.out_channels = oup

    def forward(self, input: Tensor) -> Any:
        result = self.block(input)
        return self.stochastic_depth(result) + input if self.use_res_connect else result


class EfficientNet(nn.Module):
    """Pictures (N, 3, H, W) to scores (N, num_classes).

    Args:
        width_mult: all channels times this.
        depth_mult: all repetitions times this.
        dropout: before the scores.
        stochastic_depth_prob: of the last block; it grows from 0 with the depth.
        num_classes: how many scores.
        norm_layer: makes a normalization.
    """

    def __init__(
        self,
        width_mult: float = 1.0,
        depth_mult: float = 1.0,
        dropout: float = 0.2,
        stochastic_depth_prob: float = 0.2,
        num_classes: int = 1000,
        norm_layer: Layer | None = None,
    ) -> None:
        super().__init__()
        norm = norm_layer or nn.BatchNorm2d
        step = partial(Conv2dNormActivation, norm_layer=norm, activation_layer=nn.SiLU)
        channels = make_divisible(32 * width_mult, 8)
        parts: list[nn.Module] = [step(3, channels, stride=2)]
        total = sum(math.ceil(repetitions * depth_mult) for *_, repetitions in STAGES)
        number = 0
        for expansion, kernel, stride, _, width, repetitions in STAGES:
            out, blocks = make_divisible(width * width_mult, 8), []
            for first in [True] + [False] * (math.ceil(repetitions * depth_mult) - 1):
                drop = stochastic_depth_prob * number / total
                blocks.append(MBConv(channels, out, expansion, kernel, stride if first else 1, drop, norm))
                channels, number = out, number + 1
            parts.append(nn.Sequential(*blocks))
        parts.append(step(channels, 4 * channels, kernel_size=1))
        self.features = nn.Sequential(*parts)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Sequential(nn.Dropout(p=dropout, inplace=True), nn.Linear(4 * channels, num_classes))
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


def _builder(name: str) -> tuple[Any, Any]:
    width, depth, dropout, norm, crop, file, count = FAMILY[name]
    kinds = imagenet_weights(f"EfficientNet_{name.upper()}_Weights", file, crop=crop, num_params=count)

    def make(*, dropout: float = dropout, **options: Any) -> EfficientNet:
        if norm:
            options.setdefault("norm_layer", partial(nn.BatchNorm2d, **norm))  # type: ignore[arg-type]
        return EfficientNet(width, depth, dropout, **options)

    def builder(*, weights: Any = None, progress: bool = True, **kwargs: Any) -> EfficientNet:
        return build(make, kinds, weights, progress, kwargs)

    builder.__name__ = builder.__qualname__ = f"efficientnet_{name}"
    builder.__doc__ = f"EfficientNet {name.upper()}; options as for the class."
    return builder, kinds


for _name in FAMILY:
    _made, _kinds = _builder(_name)
    globals()[_made.__name__] = _made
    globals()[_kinds.__name__] = _kinds
    __all__.extend((_made.__name__, _kinds.__name__))
