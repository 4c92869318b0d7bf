"""RegNet: networks whose widths follow a line, up to rounding; Y adds squeeze-and-excitation to X.

I. Radosavovic et al., arXiv:2003.13678. `BlockParams` turns the line's slope and offset into stages.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import rushlight
from rushlight import nn
from rushlight.nn import init
from rushlight.tensor import Tensor
from rushlight.vision.models.layers import Conv2dNormActivation, Layer, SqueezeExcitation, make_divisible
from rushlight.vision.models.weights import File, imagenet_weights, publish, retrained
from rushlight.vision.transforms.functional import InterpolationMode

__all__ = ["RegNet"]

# Depth, offset, slope, ratio of widths, width of a group; the files' endings (V1, V2, and of SWAG); parameters.
FAMILY: dict[str, tuple[int, int, float, float, int, tuple[str, ...], int]] = {
    "y_400mf": (16, 48, 27.89, 2.09, 8, ("c65dace8", "e6988f5f"), 4344144),
    "y_800mf": (14, 56, 38.84, 2.4, 16, ("1b27b58c", "58fc7688"), 6432512),
    "y_1_6gf": (27, 48, 20.71, 2.65, 24, ("b11a554e", "0d7bc02a"), 11202430),
    "y_3_2gf": (21, 80, 42.63, 2.66, 24, ("b5a9779c", "9180c971"), 19436338),
    "y_8gf": (17, 192, 76.82, 2.19, 56, ("d0d0e4a8", "dc2b1b54"), 39381472),
    "y_16gf": (18, 200, 106.23, 2.48, 112, ("9e6ed7dd", "3e4a00f9", "43afe44d", "f3ec0043"), 83590140),
    "y_32gf": (20, 232, 115.89, 2.53, 232, ("4dee3f7a", "8db6d4b5", "04fdfa75", "e1583746"), 145046770),
    "y_128gf": (27, 456, 160.83, 2.52, 264, ("", "", "c8ce3e52", "cbe8ce12"), 644812894),
    "x_400mf": (22, 24, 24.48, 2.54, 16, ("adf1edd5", "62229a5f"), 5495976),
    "x_800mf": (16, 56, 35.73, 2.28, 16, ("ad17e45c", "94a99ebd"), 7259656),
    "x_1_6gf": (18, 80, 34.01, 2.25, 24, ("e3633e7f", "a12f2b72"), 9190136),
    "x_3_2gf": (25, 88, 26.31, 2.25, 48, ("f342aeae", "7071aa85"), 15296552),
    "x_8gf": (23, 80, 49.56, 2.88, 120, ("03ceed89", "2b70d774"), 39572648),
    "x_16gf": (22, 216, 55.59, 2.1, 128, ("2007eb11", "ba3796d7"), 54278536),
    "x_32gf": (23, 320, 69.86, 2.0, 168, ("9d47f8d0", "6eb8fdc6"), 107811560),
}


class SimpleStemIN(Conv2dNormActivation):
    """The first convolution: half the size."""

    def __init__(self, width_in: int, width_out: int, norm_layer: Layer, activation_layer: Layer) -> None:
        super().__init__(width_in, width_out, 3, 2, norm_layer=norm_layer, activation_layer=activation_layer)


class BottleneckTransform(nn.Sequential):
    """Single pixels, groups of channels 3 by 3, the squeeze, single pixels again: a, b, se and c."""

    def __init__(
        self,
        width_in: int,
        width_out: int,
        stride: int,
        norm_layer: Layer,
        activation_layer: Layer,
        group_width: int,
        bottleneck_multiplier: float,
        se_ratio: float | None,
    ) -> None:
        inner = int(round(width_out * bottleneck_multiplier))
        usual: dict[str, Any] = {"norm_layer": norm_layer, "activation_layer": activation_layer}
        parts: OrderedDict[str, nn.Module] = OrderedDict(a=Conv2dNormActivation(width_in, inner, 1, **usual))
        parts["b"] = Conv2dNormActivation(inner, inner, 3, stride, groups=inner // group_width, **usual)
        if se_ratio:
            parts["se"] = SqueezeExcitation(inner, int(round(se_ratio * width_in)), activation=activation_layer)
        parts["c"] = Conv2dNormActivation(inner, width_out, 1, norm_layer=norm_layer, activation_layer=None)
        super().__init__(parts)


class ResBottleneckBlock(nn.Module):
    """The bottleneck, and the input added, projected where the shape changes."""

    def __init__(
        self,
        width_in: int,
        width_out: int,
        stride: int,
        norm_layer: Layer,
        activation_layer: Layer,
        group_width: int = 1,
        bottleneck_multiplier: float = 1.0,
        se_ratio: float | None = None,
    ) -> None:
        super().__init__()
        self.proj = None
        if width_in != width_out or stride != 1:
            options: dict[str, Any] = {"norm_layer": norm_layer, "activation_layer": None}
            self.proj = Conv2dNormActivation(width_in, width_out, 1, stride, **options)
        inner = (norm_layer, activation_layer, group_width, bottleneck_multiplier, se_ratio)
        self.f = BottleneckTransform(width_in, width_out, stride, *inner)
        self.activation = activation_layer(inplace=True)

    def forward(self, x: Tensor) -> Any:
        return self.activation((x if self.proj is None else self.proj(x)) + self.f(x))


class AnyStage(nn.Sequential):
    """Blocks of one width; the first has the stride."""

    def __init__(
        self,
        width_in: int,
        width_out: int,
        stride: int,
        depth: int,
        block_constructor: Callable[..., nn.Module],
        norm_layer: Layer,
        activation_layer: Layer,
        group_width: int,
        bottleneck_multiplier: float,
        se_ratio: float | None = None,
        stage_index: int = 0,
    ) -> None:
        super().__init__()
        inner = (norm_layer, activation_layer, group_width, bottleneck_multiplier, se_ratio)
        for i in range(depth):
            shape = (width_out, width_out, 1) if i else (width_in, width_out, stride)
            self.add_module(f"block{stage_index}-{i}", block_constructor(*shape, *inner))


@dataclass
class BlockParams:
    """The stages: how deep and wide each is, its groups, bottlenecks and strides; and the squeeze of all."""

    depths: list[int]
    widths: list[int]
    group_widths: list[int]
    bottleneck_multipliers: list[float]
    strides: list[int]
    se_ratio: float | None = None

    @classmethod
    def from_init_params(
        cls,
        depth: int,
        w_0: int,
        w_a: float,
        w_m: float,
        group_width: int,
        bottleneck_multiplier: float = 1.0,
        se_ratio: float | None = None,
        **kwargs: Any,
    ) -> BlockParams:
        """Blocks of equal width are a stage.

        A block's width is ``w_0 + w_a * number``, rounded to a power of ``w_m`` times ``w_0``, then to a multiple of
        8, then so that groups fit. Raises ValueError for a line that does not rise.
        """
        if w_a < 0 or w_0 <= 0 or w_m <= 1 or w_0 % 8 != 0:
            raise ValueError("Invalid RegNet settings")
        line = rushlight.arange(depth) * w_a + w_0
        power = rushlight.round(rushlight.log(line / w_0) / math.log(w_m))
        rounded = (rushlight.round(w_0 * rushlight.pow(w_m, power) / 8) * 8).int().tolist()
        stages = [(width, len(list(same))) for width, same in groupby(rounded)]
        inner = [int(width * bottleneck_multiplier) for width, _ in stages]
        groups = [min(group_width, width) for width in inner]
        fitting = [make_divisible(width, group) for width, group in zip(inner, groups, strict=True)]
        widths = [int(width / bottleneck_multiplier) for width in fitting]
        count = len(stages)
        return cls([d for _, d in stages], widths, groups, [bottleneck_multiplier] * count, [2] * count, se_ratio)

    def stages(self) -> Iterator[tuple[int, int, int, int, float]]:
        """Width, stride, depth, group width and bottleneck of each stage."""
        parts = (self.widths, self.strides, self.depths, self.group_widths, self.bottleneck_multipliers)
        return zip(*parts, strict=True)


class RegNet(nn.Module):
    """Pictures (N, 3, H, W) to scores (N, num_classes).

    Args:
        block_params: the stages.
        num_classes: how many scores.
        stem_width: channels of the first convolution.
        stem_type, block_type: make the first convolution and a block.
        norm_layer, activation: make a normalization and an activation.
    """

    def __init__(
        self,
        block_params: BlockParams,
        num_classes: int = 1000,
        stem_width: int = 32,
        stem_type: Callable[..., nn.Module] | None = None,
        block_type: Callable[..., nn.Module] | None = None,
        norm_layer: Layer | None = None,
        activation: Layer | None = None,
    ) -> None:
        super().__init__()
        norm, activation, block = norm_layer or nn.BatchNorm2d, activation or nn.ReLU, block_type or ResBottleneckBlock
        self.stem = (stem_type or SimpleStemIN)(3, stem_width, norm, activation)
        before, parts = stem_width, OrderedDict[str, nn.Module]()
        for number, (width, stride, depth, *inner) in enumerate(block_params.stages(), 1):
            shape: tuple[Any, ...] = (before, width, stride, depth, block, norm, activation, *inner)
            options = {"se_ratio": block_params.se_ratio, "stage_index": number}
            parts[f"block{number}"] = AnyStage(*shape, **options)  # type: ignore[arg-type]
            before = width
        self.trunk_output = nn.Sequential(parts)
        self.avgpool = nn.AdaptiveAvgPool2d((1, 1))
        self.fc = nn.Linear(before, num_classes)
        _start(self)

    def forward(self, x: Tensor) -> Any:
        return self.fc(self.avgpool(self.trunk_output(self.stem(x))).flatten(1))


def _start(model: nn.Module) -> None:
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            fan_out = module.kernel_size[0] * module.kernel_size[1] * module.out_channels
            init.normal_(module.weight, mean=0.0, std=math.sqrt(2.0 / fan_out))
        elif isinstance(module, nn.BatchNorm2d):
            init.ones_(module.weight)
            init.zeros_(module.bias)
        elif isinstance(module, nn.Linear):
            init.normal_(module.weight, mean=0.0, std=0.01)
            init.zeros_(module.bias)


def _maker(name: str) -> Callable[..., RegNet]:
    def make(**options: Any) -> RegNet:
        line = FAMILY[name][:5]
        return RegNet(BlockParams.from_init_params(*line, se_ratio=0.25 if name.startswith("y") else None), **options)

    return make


def _files(name: str, endings: Sequence[str]) -> tuple[list[File], dict[str, File]]:
    """The files by number, and those that began with learning from hashtags (M. Singh et al., arXiv:2201.08371)."""
    makers = (File, retrained)
    numbered = [make(f"regnet_{name}-{end}.pth") for make, end in zip(makers, endings, strict=False) if end]
    swag = {}
    for kind, size, middle, end in zip(("E2E", "LINEAR"), (384, 224), ("swag", "lc_swag"), endings[2:], strict=False):
        file = f"regnet_{name}_{middle}-{end}.pth"
        swag[f"IMAGENET1K_SWAG_{kind}_V1"] = File(file, size, size, InterpolationMode.BICUBIC)
    return numbered, swag


for _name, (*_, _endings, _count) in FAMILY.items():
    _numbered, _swag = _files(_name, _endings)
    _best = "" if _numbered else "IMAGENET1K_SWAG_E2E_V1"
    publish(
        globals(),
        f"regnet_{_name}",
        _maker(_name),
        imagenet_weights(f"RegNet_{_name.upper()}_Weights", *_numbered, default=_best, num_params=_count, **_swag),
        f"RegNet {_name.upper().replace('_', ' ', 1).replace('_', '.')}; options as for the class.",
    )
