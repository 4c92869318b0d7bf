"""ConvNeXt: a network of convolutions with what transformers have taught: few activations, layer normalization.

Z. Liu et al., arXiv:2201.03545.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import rushlight
from rushlight import nn
from rushlight.nn import functional as F
from rushlight.nn import init
from rushlight.tensor import Tensor
from rushlight.vision.models.layers import Conv2dNormActivation, Layer
from rushlight.vision.models.weights import File, imagenet_weights, publish
from rushlight.vision.ops import Permute, StochasticDepth

__all__ = ["ConvNeXt"]

# Channels and blocks of the four stages, stochastic depth, file, parameters.
FAMILY: dict[str, tuple[tuple[int, ...], tuple[int, ...], float, File, int]] = {
    "tiny": ((96, 192, 384, 768), (3, 3, 9, 3), 0.1, File("convnext_tiny-983f1562.pth", resize=236), 28589128),
    "small": ((96, 192, 384, 768), (3, 3, 27, 3), 0.4, File("convnext_small-0c510722.pth", resize=230), 50223688),
    "base": ((128, 256, 512, 1024), (3, 3, 27, 3), 0.5, File("convnext_base-6075fbad.pth", resize=232), 88591464),
    "large": ((192, 384, 768, 1536), (3, 3, 27, 3), 0.5, File("convnext_large-ea097f82.pth", resize=232), 197767336),
}


class LayerNorm2d(nn.LayerNorm):
    """Layer normalization of the channels of pictures (N, C, H, W)."""

    def forward(self, x: Tensor) -> Any:
        rows = x.permute(0, 2, 3, 1)
        return F.layer_norm(rows, self.normalized_shape, self.weight, self.bias, self.eps).permute(0, 3, 1, 2)


class CNBlock(nn.Module):
    """A wide convolution channel by channel, a small network for each pixel, and the input added."""

    def __init__(
        self, dim: int, layer_scale: float, stochastic_depth_prob: float, norm_layer: Layer | None = None
    ) -> None:
        super().__init__()
        norm = norm_layer or partial(nn.LayerNorm, eps=1e-6)
        self.block = nn.Sequential(
            nn.Conv2d(dim, dim, kernel_size=7, padding=3, groups=dim, bias=True),
            Permute([0, 2, 3, 1]),
            norm(dim),
            nn.Linear(dim, 4 * dim),
            nn.GELU(),
            nn.Linear(4 * dim, dim),
            Permute([0, 3, 1, 2]),
        )
        self.layer_scale = nn.Parameter(rushlight.ones(dim, 1, 1) * layer_scale)
        self.stochastic_depth = StochasticDepth(stochastic_depth_prob, "row")

    def forward(self, input: Tensor) -> Any:
        return self.stochastic_depth(self.layer_scale * self.block(input)) + input


@dataclass
class CNBlockConfig:
    """A stage: its channels, those of the next stage (None for the last one), and how many blocks it has."""

    input_channels: int
    out_channels: int | None
    num_layers: int


class ConvNeXt(nn.Module):
    """Pictures (N, 3, H, W), at least 32 by 32, to scores (N, num_classes).

    Args:
        block_setting: the stages.
        stochastic_depth_prob: of the last block; it grows from 0 with the depth.
        layer_scale: what a block's result is multiplied by at first.
        num_classes: how many scores.
        block: makes a block of channels, layer scale and probability.
        norm_layer: makes a normalization of pictures.
    """

    def __init__(
        self,
        block_setting: Sequence[CNBlockConfig],
        stochastic_depth_prob: float = 0.0,
        layer_scale: float = 1e-6,
        num_classes: int = 1000,
        block: Callable[..., nn.Module] | None = None,
        norm_layer: Layer | None = None,
    ) -> None:
        super().__init__()
        if not block_setting:
            raise ValueError("The block_setting should not be empty")
        if not isinstance(block_setting, Sequence) or not all(isinstance(s, CNBlockConfig) for s in block_setting):
            raise TypeError("The block_setting should be List[CNBlockConfig]")
        norm, make = norm_layer or partial(LayerNorm2d, eps=1e-6), block or CNBlock
        first = block_setting[0].input_channels
        options: dict[str, Any] = {"norm_layer": norm, "activation_layer": None, "bias": True}
        parts: list[nn.Module] = [Conv2dNormActivation(3, first, kernel_size=4, stride=4, padding=0, **options)]
        number, total = 0, sum(stage.num_layers for stage in block_setting)
        for stage in block_setting:
            width, out = stage.input_channels, stage.out_channels
            chances = [stochastic_depth_prob * (number + i) / (total - 1.0) for i in range(stage.num_layers)]
            parts.append(nn.Sequential(*(make(width, layer_scale, chance) for chance in chances)))
            number += stage.num_layers
            if out is not None:
                parts.append(nn.Sequential(norm(width), nn.Conv2d(width, out, kernel_size=2, stride=2)))
        last = block_setting[-1].out_channels or block_setting[-1].input_channels
        self.features = nn.Sequential(*parts)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Sequential(norm(last), nn.Flatten(1), nn.Linear(last, num_classes))
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                init.trunc_normal_(module.weight, std=0.02)
                if module.bias is not None:
                    init.zeros_(module.bias)

    def forward(self, x: Tensor) -> Any:
        return self.classifier(self.avgpool(self.features(x)))


def _stages(widths: Sequence[int], blocks: Sequence[int]) -> list[CNBlockConfig]:
    return [CNBlockConfig(*stage) for stage in zip(widths, (*widths[1:], None), blocks, strict=True)]


def _make(widths: Sequence[int], blocks: Sequence[int], depth: float, **options: Any) -> ConvNeXt:
    chance = options.pop("stochastic_depth_prob", depth)
    return ConvNeXt(_stages(widths, blocks), stochastic_depth_prob=chance, **options)


for _name, (_widths, _blocks, _depth, _file, _count) in FAMILY.items():
    publish(
        globals(),
        f"convnext_{_name}",
        partial(_make, _widths, _blocks, _depth),
        imagenet_weights(f"ConvNeXt_{_name.title()}_Weights", _file, num_params=_count, min_size=(32, 32)),
        f"ConvNeXt, {_name}; options as for the class.",
    )
