"""MaxViT: convolutions, then attention within windows, then attention along a grid that spans the whole picture.

Z. Tu et al., arXiv:2204.01697. The grid's attention is that of windows, with the two roles of a position exchanged: of
the pixels that lie in the same place of every window.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

import rushlight
from rushlight import nn
from rushlight.nn import functional as F
from rushlight.nn import init
from rushlight.tensor import Tensor
from rushlight.vision.models.layers import Layer
from rushlight.vision.models.swin_transformer import put_together, relative_positions, windows_of
from rushlight.vision.models.weights import File, imagenet_weights, publish
from rushlight.vision.ops import Conv2dNormActivation, SqueezeExcitation, StochasticDepth
from rushlight.vision.transforms.functional import InterpolationMode

__all__ = ["MaxVit"]


def _halved(size: Sequence[int]) -> tuple[int, int]:
    """What a convolution of 3 by 3 with stride 2 leaves of a picture."""
    return (size[0] - 1) // 2 + 1, (size[1] - 1) // 2 + 1


class MBConv(nn.Module):
    """An inverted bottleneck: wide in the middle, each channel by itself, and added to what came in."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        expansion_ratio: float,
        squeeze_ratio: float,
        stride: int,
        activation_layer: Layer,
        norm_layer: Layer,
        p_stochastic_dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.proj: nn.Module = nn.Identity()
        if stride != 1 or in_channels != out_channels:
            point: nn.Module = nn.Conv2d(in_channels, out_channels, kernel_size=1, stride=1, bias=True)
            pooled = [nn.AvgPool2d(kernel_size=3, stride=stride, padding=1)] if stride == 2 else []
            self.proj = nn.Sequential(*pooled, point)
        middle = int(out_channels * expansion_ratio)
        dropping = StochasticDepth(p_stochastic_dropout, mode="row") if p_stochastic_dropout else nn.Identity()
        self.stochastic_depth = dropping
        make = partial(Conv2dNormActivation, activation_layer=activation_layer, norm_layer=norm_layer, inplace=None)
        layers: OrderedDict[str, nn.Module] = OrderedDict()
        layers["pre_norm"] = norm_layer(in_channels)
        layers["conv_a"] = make(in_channels, middle, kernel_size=1, stride=1, padding=0)
        layers["conv_b"] = make(middle, middle, kernel_size=3, stride=stride, padding=1, groups=middle)
        layers["squeeze_excitation"] = SqueezeExcitation(middle, int(out_channels * squeeze_ratio), activation=nn.SiLU)
        layers["conv_c"] = nn.Conv2d(middle, out_channels, kernel_size=1, bias=True)
        self.layers = nn.Sequential(layers)

    def forward(self, x: Tensor) -> Any:
        return self.proj(x) + self.stochastic_depth(self.layers(x))


class RelativePositionalMultiHeadAttention(nn.Module):
    """Attention among the pixels of groups (N, groups, pixels, C), with a bias for their relative position."""

    def __init__(self, feat_dim: int, head_dim: int, max_seq_len: int) -> None:
        super().__init__()
        if feat_dim % head_dim:
            raise ValueError(f"feat_dim: {feat_dim} must be divisible by head_dim: {head_dim}")
        self.n_heads, self.head_dim, self.max_seq_len = feat_dim // head_dim, head_dim, max_seq_len
        self.size = int(max_seq_len**0.5)
        self.to_qkv = nn.Linear(feat_dim, feat_dim * 3)
        self.scale_factor = feat_dim**-0.5
        self.merge = nn.Linear(feat_dim, feat_dim)
        table = rushlight.empty(((2 * self.size - 1) ** 2, self.n_heads), dtype=rushlight.float32)
        self.relative_position_bias_table = nn.Parameter(table)
        self.register_buffer("relative_position_index", relative_positions(self.size, self.size))
        init.trunc_normal_(self.relative_position_bias_table, std=0.02)

    def get_relative_positional_bias(self) -> Any:
        """What is added to the attention between two pixels: (1, heads, pixels, pixels)."""
        chosen = self.relative_position_bias_table[self.relative_position_index.view(-1)]
        return chosen.view(self.max_seq_len, self.max_seq_len, -1).permute(2, 0, 1).contiguous().unsqueeze(0)

    def forward(self, x: Tensor) -> Any:
        n, groups, pixels, channels = x.shape
        heads = (n, groups, pixels, 3, self.n_heads, self.head_dim)
        q, k, v = self.to_qkv(x).reshape(heads).permute(3, 0, 1, 4, 2, 5).unbind(0)
        scores = q.matmul((k * self.scale_factor).transpose(-2, -1)) + self.get_relative_positional_bias()
        result = F.softmax(scores, dim=-1).matmul(v)
        return self.merge(result.transpose(2, 3).reshape(n, groups, pixels, channels))


class PartitionAttentionLayer(nn.Module):
    """Attention of pictures (N, C, H, W) within windows, or along a grid, and a small network.

    Args:
        in_channels, head_dim: channels, and of each head of the attention.
        partition_size: of a window; as many lines has the grid.
        partition_type: "window" or "grid".
        grid_size: height and width of the picture.
        mlp_ratio: width of the network over the channels.
        activation_layer, norm_layer: make an activation and a normalization.
        attention_dropout, mlp_dropout, p_stochastic_dropout: how much is left out.
    """

    def __init__(
        self,
        in_channels: int,
        head_dim: int,
        partition_size: int,
        partition_type: str,
        grid_size: tuple[int, int],
        mlp_ratio: int,
        activation_layer: Layer,
        norm_layer: Layer,
        attention_dropout: float,
        mlp_dropout: float,
        p_stochastic_dropout: float,
    ) -> None:
        super().__init__()
        if partition_type not in ("grid", "window"):
            raise ValueError("partition_type must be either 'grid' or 'window'")
        self.n_heads, self.head_dim = in_channels // head_dim, head_dim
        self.n_partitions = grid_size[0] // partition_size
        self.partition_type, self.grid_size = partition_type, grid_size
        sizes = (partition_size, self.n_partitions)
        self.p, self.g = sizes if partition_type == "window" else sizes[::-1]
        self.attn_layer = nn.Sequential(
            norm_layer(in_channels),
            RelativePositionalMultiHeadAttention(in_channels, head_dim, partition_size**2),
            nn.Dropout(attention_dropout),
        )
        self.mlp_layer = nn.Sequential(
            nn.LayerNorm(in_channels),
            nn.Linear(in_channels, in_channels * mlp_ratio),
            activation_layer(),
            nn.Linear(in_channels * mlp_ratio, in_channels),
            nn.Dropout(mlp_dropout),
        )
        self.stochastic_dropout = StochasticDepth(p_stochastic_dropout, mode="row")

    def forward(self, x: Tensor) -> Any:
        if any(size % self.p for size in self.grid_size):
            raise AssertionError(
                f"Grid size must be divisible by partition size. Got grid size of {self.grid_size} and partition size "
                f"of {self.p}"
            )
        window, grid = (self.p, self.p), self.partition_type == "grid"
        x = x.permute(0, 2, 3, 1)
        n, height, width, channels = x.shape
        x = windows_of(x, window).view(n, -1, self.p**2, channels)
        x = x.transpose(1, 2) if grid else x
        x = x + self.stochastic_dropout(self.attn_layer(x))
        x = x + self.stochastic_dropout(self.mlp_layer(x))
        x = x.transpose(1, 2) if grid else x
        return put_together(x.reshape(-1, self.p**2, channels), (height, width), window).permute(0, 3, 1, 2)


class MaxVitLayer(nn.Module):
    """`MBConv`, attention within windows, attention along the grid."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        squeeze_ratio: float,
        expansion_ratio: float,
        stride: int,
        norm_layer: Layer,
        activation_layer: Layer,
        head_dim: int,
        mlp_ratio: int,
        mlp_dropout: float,
        attention_dropout: float,
        p_stochastic_dropout: float,
        partition_size: int,
        grid_size: tuple[int, int],
    ) -> None:
        super().__init__()
        attention = partial(
            PartitionAttentionLayer, in_channels=out_channels, head_dim=head_dim, partition_size=partition_size,
            grid_size=grid_size, mlp_ratio=mlp_ratio, activation_layer=activation_layer, norm_layer=nn.LayerNorm,
            attention_dropout=attention_dropout, mlp_dropout=mlp_dropout, p_stochastic_dropout=p_stochastic_dropout,
        )  # fmt: skip
        layers: OrderedDict[str, nn.Module] = OrderedDict()
        layers["MBconv"] = MBConv(
            in_channels, out_channels, expansion_ratio, squeeze_ratio, stride, activation_layer, norm_layer,
            p_stochastic_dropout,
        )  # fmt: skip
        layers["window_attention"] = attention(partition_type="window")
        layers["grid_attention"] = attention(partition_type="grid")
        self.layers = nn.Sequential(layers)

    def forward(self, x: Tensor) -> Any:
        return self.layers(x)


class MaxVitBlock(nn.Module):
    """Layers of one size of pictures; the first halves it.

    Args: see `MaxVit`; ``p_stochastic``: stochastic depth of each of the ``n_layers``.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        squeeze_ratio: float,
        expansion_ratio: float,
        norm_layer: Layer,
        activation_layer: Layer,
        head_dim: int,
        mlp_ratio: int,
        mlp_dropout: float,
        attention_dropout: float,
        partition_size: int,
        input_grid_size: tuple[int, int],
        n_layers: int,
        p_stochastic: list[float],
    ) -> None:
        super().__init__()
        if len(p_stochastic) != n_layers:
            raise ValueError(f"p_stochastic must have length n_layers={n_layers}, got p_stochastic={p_stochastic}.")
        self.grid_size = _halved(input_grid_size)
        make = partial(
            MaxVitLayer, out_channels=out_channels, squeeze_ratio=squeeze_ratio, expansion_ratio=expansion_ratio,
            norm_layer=norm_layer, activation_layer=activation_layer, head_dim=head_dim, mlp_ratio=mlp_ratio,
            mlp_dropout=mlp_dropout, attention_dropout=attention_dropout, partition_size=partition_size,
            grid_size=self.grid_size,
        )  # fmt: skip
        self.layers = nn.ModuleList(
            make(
                in_channels=out_channels if number else in_channels,
                stride=1 if number else 2,
                p_stochastic_dropout=chance,
            )
            for number, chance in enumerate(p_stochastic)
        )

    def forward(self, x: Tensor) -> Any:
        for layer in self.layers:
            x = layer(x)
        return x


def _stem(channels: int, norm: Layer, activation: Layer) -> nn.Sequential:
    """Two convolutions; the first halves the picture."""
    first = {"norm_layer": norm, "activation_layer": activation, "bias": False, "inplace": None}
    second = {"norm_layer": None, "activation_layer": None, "bias": True}
    return nn.Sequential(
        Conv2dNormActivation(3, channels, 3, stride=2, **first),
        Conv2dNormActivation(channels, channels, 3, stride=1, **second),
    )


def _classifier(channels: int, num_classes: int) -> nn.Sequential:
    return nn.Sequential(
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.LayerNorm(channels),
        nn.Linear(channels, channels),
        nn.Tanh(),
        nn.Linear(channels, num_classes, bias=False),
    )


class MaxVit(nn.Module):
    """Pictures (N, 3, H, W) to scores (N, num_classes).

    Args:
        input_size: height and width of the pictures; in every block the windows must fit.
        stem_channels: of the first two convolutions.
        partition_size: of the windows, and lines of the grid.
        block_channels, block_layers: channels and layers of the blocks.
        head_dim: channels of a head of the attention.
        stochastic_depth_prob: of the last layer; it grows from 0 with the depth.
        norm_layer, activation_layer: make the convolutions' normalization, and activations.
        squeeze_ratio, expansion_ratio: of the convolutions' bottlenecks.
        mlp_ratio, mlp_dropout, attention_dropout: of the attention layers.
        num_classes: how many scores.
    """

    def __init__(
        self,
        input_size: tuple[int, int],
        stem_channels: int,
        partition_size: int,
        block_channels: list[int],
        block_layers: list[int],
        head_dim: int,
        stochastic_depth_prob: float,
        norm_layer: Layer | None = None,
        activation_layer: Layer = nn.GELU,
        squeeze_ratio: float = 0.25,
        expansion_ratio: float = 4,
        mlp_ratio: int = 4,
        mlp_dropout: float = 0.0,
        attention_dropout: float = 0.0,
        num_classes: int = 1000,
    ) -> None:
        super().__init__()
        norm = norm_layer or partial(nn.BatchNorm2d, eps=1e-3, momentum=0.01)
        _check_sizes(input_size, len(block_channels), partition_size)
        self.stem = _stem(stem_channels, norm, activation_layer)
        self.partition_size = partition_size
        chances = np.linspace(0, stochastic_depth_prob, sum(block_layers)).tolist()
        size, channels = _halved(input_size), stem_channels
        self.blocks = nn.ModuleList()
        for wide, count in zip(block_channels, block_layers, strict=True):
            block = MaxVitBlock(
                channels, wide, squeeze_ratio, expansion_ratio, norm, activation_layer, head_dim, mlp_ratio,
                mlp_dropout, attention_dropout, partition_size, size, count, chances[:count],
            )  # fmt: skip
            self.blocks.append(block)
            size, channels, chances = block.grid_size, wide, chances[count:]
        self.classifier = _classifier(channels, num_classes)
        self._init_weights()

    def forward(self, x: Tensor) -> Any:
        x = self.stem(x)
        for block in self.blocks:
            x = block(x)
        return self.classifier(x)

    def _init_weights(self) -> None:
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                init.normal_(module.weight, std=0.02)
                if module.bias is not None:
                    init.zeros_(module.bias)
            elif isinstance(module, nn.BatchNorm2d):
                init.ones_(module.weight)
                init.zeros_(module.bias)


def _check_sizes(input_size: Sequence[int], blocks: int, partition_size: int) -> None:
    """Raises ValueError where the windows do not fit into what a block sees."""
    sizes, size = [], _halved(input_size)
    for _ in range(blocks):
        size = _halved(size)
        sizes.append(size)
    for number, size in enumerate(sizes):
        if size[0] % partition_size or size[1] % partition_size:
            raise ValueError(
                f"Input size {size} of block {number} is not divisible by partition size {partition_size}. Consider "
                f"changing the partition size or the input size.\nCurrent configuration yields the following block "
                f"input sizes: {sizes}."
            )


def _make(**options: Any) -> MaxVit:
    usual: dict[str, Any] = {"input_size": (224, 224), "stochastic_depth_prob": 0.2}
    shape: dict[str, Any] = {
        "stem_channels": 64, "partition_size": 7, "block_channels": [64, 128, 256, 512], "block_layers": [2, 2, 5, 2],
        "head_dim": 32,
    }  # fmt: skip
    return MaxVit(**shape, **(usual | options))


publish(
    globals(),
    "maxvit_t",
    _make,
    imagenet_weights(
        "MaxVit_T_Weights",
        File("maxvit_t-bc5ab103.pth", 224, 224, InterpolationMode.BICUBIC),
        num_params=30919624,
        min_size=(224, 224),
    ),
    "MaxViT tiny; options as for the class.",
)
