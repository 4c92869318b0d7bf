"""Feature pyramids: maps of several sizes, each with what the smaller ones know (T.-Y. Lin et al., arXiv:1612.03144).

Every map is brought to the same number of channels; from the smallest to the largest, each gets the one before it,
enlarged, added. Extra blocks append still smaller maps.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

from rushlight import nn
from rushlight.nn import functional as F
from rushlight.nn import init
from rushlight.vision.ops.layers import Conv2dNormActivation, Layer

__all__ = ["ExtraFPNBlock", "FeaturePyramidNetwork", "LastLevelMaxPool", "LastLevelP6P7"]

Maps = list[Any]


class ExtraFPNBlock(nn.Module):
    """Base class of what appends maps: called with the results, the maps that came in, and their names."""

    def forward(self, results: Maps, x: Maps, names: list[str]) -> Any:
        raise NotImplementedError(f"{type(self).__name__} should implement forward")


class FeaturePyramidNetwork(nn.Module):
    """From a dictionary of maps, the largest first, to one of as many with the same names and `out_channels` channels.

    Args:
        in_channels_list: channels of the maps.
        out_channels: channels of the results.
        extra_blocks: appends more maps.
        norm_layer: makes a normalization for each convolution; None for none.

    Raises:
        ValueError: for a map without channels.
        TypeError: if ``extra_blocks`` is not an `ExtraFPNBlock`.
    """

    _version = 2

    def __init__(
        self,
        in_channels_list: list[int],
        out_channels: int,
        extra_blocks: ExtraFPNBlock | None = None,
        norm_layer: Layer | None = None,
    ) -> None:
        super().__init__()
        if 0 in in_channels_list:
            raise ValueError("in_channels=0 is currently not supported")
        self.inner_blocks, self.layer_blocks = nn.ModuleList(), nn.ModuleList()
        options: dict[str, Any] = {"norm_layer": norm_layer, "activation_layer": None}
        for channels in in_channels_list:
            self.inner_blocks.append(Conv2dNormActivation(channels, out_channels, 1, padding=0, **options))
            self.layer_blocks.append(Conv2dNormActivation(out_channels, out_channels, 3, **options))
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                start_pyramid(module)
        if extra_blocks is not None and not isinstance(extra_blocks, ExtraFPNBlock):
            raise TypeError(f"extra_blocks should be of type ExtraFPNBlock not {type(extra_blocks)}")
        self.extra_blocks = extra_blocks

    def _load_from_state_dict(self, state_dict: Any, prefix: str, local_metadata: Any, *rest: Any) -> None:
        if (local_metadata.get("version") or 1) < 2:  # the convolutions were not yet in blocks
            for block in ("inner_blocks", "layer_blocks"):
                for number in range(len(self.inner_blocks)):
                    for kind in ("weight", "bias"):
                        old = f"{prefix}{block}.{number}.{kind}"
                        if old in state_dict:
                            state_dict[f"{prefix}{block}.{number}.0.{kind}"] = state_dict.pop(old)
        super()._load_from_state_dict(state_dict, prefix, local_metadata, *rest)

    def forward(self, x: dict[str, Any]) -> OrderedDict[str, Any]:
        names, maps = list(x), list(x.values())
        last: Any = None
        results: Maps = []
        for number in reversed(range(len(maps))):
            inner = self.inner_blocks[number](maps[number])
            last = inner if last is None else inner + F.interpolate(last, size=inner.shape[-2:], mode="nearest")
            results.insert(0, self.layer_blocks[number](last))
        if self.extra_blocks is not None:
            results, names = self.extra_blocks(results, maps, names)
        return OrderedDict(zip(names, results, strict=False))


def start_pyramid(convolution: nn.Conv2d) -> None:
    """A convolution's first numbers: by He et al. for a linear layer, bias zero."""
    init.kaiming_uniform_(convolution.weight, a=1)
    if convolution.bias is not None:
        init.constant_(convolution.bias, 0)


class LastLevelMaxPool(ExtraFPNBlock):
    """Appends "pool": every second place of the smallest result."""

    def forward(self, results: Maps, x: Maps, names: list[str]) -> tuple[Maps, list[str]]:
        pooled = F.max_pool2d(results[-1], kernel_size=1, stride=2, padding=0)
        return [*results, pooled], [*names, "pool"]


class LastLevelP6P7(ExtraFPNBlock):
    """Appends "p6" and "p7", RetinaNet's smallest maps, by convolutions with stride 2."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.p6 = nn.Conv2d(in_channels, out_channels, 3, 2, 1)
        self.p7 = nn.Conv2d(out_channels, out_channels, 3, 2, 1)
        for module in (self.p6, self.p7):
            start_pyramid(module)
        self.use_P5 = in_channels == out_channels

    def forward(self, results: Maps, x: Maps, names: list[str]) -> tuple[Maps, list[str]]:
        p6 = self.p6(results[-1] if self.use_P5 else x[-1])
        return [*results, p6, self.p7(F.relu(p6))], [*names, "p6", "p7"]
