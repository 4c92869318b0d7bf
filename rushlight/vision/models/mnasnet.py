"""MNASNet: a network for telephones that was found by search.

M. Tan et al., arXiv:1807.11626.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from rushlight import nn
from rushlight.nn import init
from rushlight.tensor import Tensor
from rushlight.vision.models.layers import make_divisible, start_weights
from rushlight.vision.models.weights import File, imagenet_weights, publish, retrained

__all__ = ["MNASNet"]

# Kernel size, stride, expansion and repetitions of the six stages, and the channels of everything at width 1.
STAGES = ((3, 2, 3, 3), (5, 2, 3, 3), (5, 2, 6, 3), (3, 1, 6, 2), (5, 2, 6, 4), (3, 1, 6, 1))
WIDTHS = (32, 16, 24, 40, 80, 96, 192, 320)

FAMILY: dict[str, tuple[float, File, int]] = {
    "0_5": (0.5, File("mnasnet0.5_top1_67.823-3ffadce67e.pth"), 2218512),
    "0_75": (0.75, retrained("mnasnet0_75-7090bc5f.pth"), 3170208),
    "1_0": (1.0, File("mnasnet1.0_top1_73.512-f206786ef8.pth"), 4383312),
    "1_3": (1.3, retrained("mnasnet1_3-a4c69d6f.pth"), 6282256),
}

# PyTorch's momentum is one minus TensorFlow's.
_norm = partial(nn.BatchNorm2d, momentum=1 - 0.9997)


def _step(channels_in: int, channels: int, kernel: int, stride: int = 1, groups: int = 1) -> list[nn.Module]:
    convolution = nn.Conv2d(
        channels_in, channels, kernel, padding=kernel // 2, stride=stride, groups=groups, bias=False
    )
    return [convolution, _norm(channels)]


class _InvertedResidual(nn.Module):
    """Wider, channel by channel, narrow again; the input added where the shape stays."""

    def __init__(self, channels_in: int, channels: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        if stride not in (1, 2):
            raise ValueError(f"stride should be 1 or 2 instead of {stride}")
        if kernel not in (3, 5):
            raise ValueError(f"kernel_size should be 3 or 5 instead of {kernel}")
        wide = channels_in * expansion
        self.apply_residual = channels_in == channels and stride == 1
        self.layers = nn.Sequential(
            *_step(channels_in, wide, 1),
            nn.ReLU(inplace=True),
            *_step(wide, wide, kernel, stride, groups=wide),
            nn.ReLU(inplace=True),
            *_step(wide, channels, 1),
        )

    def forward(self, input: Tensor) -> Any:
        return self.layers(input) + input if self.apply_residual else self.layers(input)


class MNASNet(nn.Module):
    """Pictures (N, 3, H, W) to scores (N, num_classes).

    Args:
        alpha: all channels but the last times this.
        num_classes: how many scores.
        dropout: before the scores.
    """

    _version = 2

    def __init__(self, alpha: float, num_classes: int = 1000, dropout: float = 0.2) -> None:
        super().__init__()
        if alpha <= 0.0:
            raise ValueError(f"alpha should be greater than 0.0 instead of {alpha}")
        self.alpha, self.num_classes = alpha, num_classes
        first, second, *widths = (make_divisible(width * alpha, 8) for width in WIDTHS)
        parts = [*_step(3, first, 3, 2), nn.ReLU(inplace=True)]
        parts += [*_step(first, first, 3, groups=first), nn.ReLU(inplace=True), *_step(first, second, 1)]
        channels = second
        for width, (kernel, stride, expansion, repetitions) in zip(widths, STAGES, strict=True):
            blocks = [_InvertedResidual(channels, width, kernel, stride, expansion)]
            blocks += [_InvertedResidual(width, width, kernel, 1, expansion) for _ in range(repetitions - 1)]
            parts.append(nn.Sequential(*blocks))
            channels = width
        parts += [*_step(channels, 1280, 1), nn.ReLU(inplace=True)]
        self.layers = nn.Sequential(*parts)
        self.classifier = nn.Sequential(nn.Dropout(p=dropout, inplace=True), nn.Linear(1280, num_classes))
        start_weights(self)
        last: Any = self.classifier[1]
        init.kaiming_uniform_(last.weight, mode="fan_out", nonlinearity="sigmoid")
        init.zeros_(last.bias)

    def forward(self, x: Tensor) -> Any:
        return self.classifier(self.layers(x).mean([2, 3]))


for _name, (_alpha, _file, _count) in FAMILY.items():
    publish(
        globals(),
        f"mnasnet{_name}",
        partial(MNASNet, _alpha),
        imagenet_weights(f"MNASNet{_name}_Weights", _file, num_params=_count),
        f"MNASNet, {_alpha} times as wide; options as for the class.",
    )
