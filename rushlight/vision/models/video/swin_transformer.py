"""The Swin transformer for videos: attention within windows of space and time.

Z. Liu et al., arXiv:2106.13230. Videos lie as (N, T, H, W, C) in between.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import rushlight
from rushlight import nn
from rushlight.nn import functional as F
from rushlight.nn import init
from rushlight.tensor import Tensor
from rushlight.vision.models.layers import Layer
from rushlight.vision.models.swin_transformer import (
    PatchMerging,
    ShiftedWindowAttention,
    SwinTransformerBlock,
    draw_linear_layers,
    relative_positions,
    stages,
)
from rushlight.vision.models.video.weights import kinetics_weights
from rushlight.vision.models.weights import publish

__all__ = ["SwinTransformer3d"]

# Channels, blocks and heads of the stages; parameters and the files of weights.
Entry = tuple[int, tuple[int, ...], tuple[int, ...], int, dict[str, str]]
FAMILY: dict[str, Entry] = {
    "t": (96, (2, 2, 6, 2), (3, 6, 12, 24), 28158070, {"KINETICS400_V1": "swin3d_t-7615ae03.pth"}),
    "s": (96, (2, 2, 18, 2), (3, 6, 12, 24), 49816678, {"KINETICS400_V1": "swin3d_s-da41c237.pth"}),
    "b": (128, (2, 2, 18, 2), (4, 8, 16, 32), 88048984, {
        "KINETICS400_V1": "swin3d_b_1k-24f7c7c6.pth", "KINETICS400_IMAGENET22K_V1": "swin3d_b_22k-7c6ae6fa.pth",
    }),
}  # fmt: skip


class ShiftedWindowAttention3d(ShiftedWindowAttention):
    """`ShiftedWindowAttention` of videos (N, T, H, W, C); a window is no larger than the video."""

    def __init__(
        self,
        dim: int,
        window_size: Sequence[int],
        shift_size: Sequence[int],
        num_heads: int,
        qkv_bias: bool = True,
        proj_bias: bool = True,
        attention_dropout: float = 0.0,
        dropout: float = 0.0,
    ) -> None:
        nn.Module.__init__(self)
        if len(window_size) != 3 or len(shift_size) != 3:
            raise ValueError("window_size and shift_size must be of length 3")
        self.window_size, self.shift_size, self.num_heads = list(window_size), list(shift_size), num_heads
        self.attention_dropout, self.dropout = attention_dropout, dropout
        self.qkv = nn.Linear(dim, dim * 3, bias=qkv_bias)
        self.proj = nn.Linear(dim, dim, bias=proj_bias)
        time, height, width = (2 * size - 1 for size in self.window_size)
        self.relative_position_bias_table = nn.Parameter(rushlight.zeros(time * height * width, num_heads))
        init.trunc_normal_(self.relative_position_bias_table, std=0.02)
        self.register_buffer("relative_position_index", relative_positions(*self.window_size))

    def _fitted(self, size: Sequence[int]) -> tuple[list[int], list[int]]:
        sides = list(zip(size, self.window_size, self.shift_size, strict=True))
        window = [min(length, w) for length, w, _ in sides]
        return window, [0 if length <= w else shift for length, w, shift in sides]

    def get_relative_position_bias(self, window_size: Sequence[int]) -> Any:  # type: ignore[override]
        """What is added to the attention between two pixels of a window: (1, heads, pixels, pixels)."""
        pixels = window_size[0] * window_size[1] * window_size[2]
        chosen = self.relative_position_bias_table[self.relative_position_index[:pixels, :pixels].flatten()]
        return chosen.view(pixels, pixels, -1).permute(2, 0, 1).contiguous().unsqueeze(0)

    def _bias(self, window: list[int]) -> Any:
        return self.get_relative_position_bias(window)


class PatchEmbed3d(nn.Module):
    """Videos (N, C, T, H, W), padded to whole patches, as (N, T, H, W, channels) with a pixel for each patch."""

    def __init__(
        self, patch_size: Sequence[int], in_channels: int = 3, embed_dim: int = 96, norm_layer: Layer | None = None
    ) -> None:
        super().__init__()
        self.tuple_patch_size = (patch_size[0], patch_size[1], patch_size[2])
        self.proj = nn.Conv3d(in_channels, embed_dim, self.tuple_patch_size, self.tuple_patch_size)
        self.norm = nn.Identity() if norm_layer is None else norm_layer(embed_dim)

    def forward(self, x: Tensor) -> Any:
        sides = zip(reversed(x.shape[2:]), reversed(self.tuple_patch_size), strict=True)
        x = F.pad(x, tuple(n for length, patch in sides for n in (0, -length % patch)))
        return self.norm(self.proj(x).permute(0, 2, 3, 4, 1))


class SwinTransformer3d(nn.Module):
    """Videos (N, 3, T, H, W) to scores (N, num_classes).

    Args:
        patch_size: of the patches that become pixels, (time, height, width).
        embed_dim: channels of the first stage; each next one has twice as many.
        depths, num_heads: blocks and heads of the stages.
        window_size: of attention.
        mlp_ratio, dropout, attention_dropout: of the blocks.
        stochastic_depth_prob: of the last block; it grows from 0 with the depth.
        num_classes: how many scores.
        norm_layer: makes a normalization.
        block, downsample_layer, patch_embed: make a block, what lies between stages, and the first layer.
    """

    def __init__(
        self,
        patch_size: Sequence[int],
        embed_dim: int,
        depths: Sequence[int],
        num_heads: Sequence[int],
        window_size: Sequence[int],
        mlp_ratio: float = 4.0,
        dropout: float = 0.0,
        attention_dropout: float = 0.0,
        stochastic_depth_prob: float = 0.1,
        num_classes: int = 400,
        norm_layer: Layer | None = None,
        block: Callable[..., nn.Module] | None = None,
        downsample_layer: Callable[..., nn.Module] = PatchMerging,
        patch_embed: Callable[..., nn.Module] | None = None,
    ) -> None:
        super().__init__()
        self.num_classes = num_classes
        norm = norm_layer or partial(nn.LayerNorm, eps=1e-5)
        make: Callable[..., nn.Module] = partial(
            block or SwinTransformerBlock, window_size=list(window_size), mlp_ratio=mlp_ratio, dropout=dropout,
            attention_dropout=attention_dropout, norm_layer=norm, attn_layer=ShiftedWindowAttention3d,
        )  # fmt: skip
        embed = patch_embed or PatchEmbed3d
        self.patch_embed = embed(patch_size=list(patch_size), embed_dim=embed_dim, norm_layer=norm)
        self.pos_drop = nn.Dropout(p=dropout)
        merge = lambda width: downsample_layer(width, norm)
        parts = stages(embed_dim, depths, num_heads, window_size, stochastic_depth_prob, make, merge)
        width = embed_dim * 2 ** (len(depths) - 1)
        self.features = nn.Sequential(*parts)
        self.num_features = width
        self.norm = norm(width)
        self.avgpool = nn.AdaptiveAvgPool3d(1)
        self.head = nn.Linear(width, num_classes)
        draw_linear_layers(self)

    def forward(self, x: Tensor) -> Any:
        x = self.norm(self.features(self.pos_drop(self.patch_embed(x))))
        return self.head(self.avgpool(x.permute(0, 4, 1, 2, 3)).flatten(1))


def _maker(width: int, depths: Sequence[int], heads: Sequence[int]) -> Callable[..., SwinTransformer3d]:
    return partial(
        SwinTransformer3d, [2, 4, 4], width, list(depths), list(heads), [8, 7, 7], stochastic_depth_prob=0.1
    )


_STATISTICS = {"mean": (0.4850, 0.4560, 0.4060), "std": (0.2290, 0.2240, 0.2250)}
for _name, (_width, _depths, _heads, _count, _files) in FAMILY.items():
    publish(
        globals(),
        f"swin3d_{_name}",
        _maker(_width, _depths, _heads),
        kinetics_weights(
            f"Swin3D_{_name.upper()}_Weights", _files, (224, 224), (256,), _STATISTICS, num_params=_count,
            min_size=(1, 1), min_temporal_size=1,
        ),
        f"The Swin transformer {_name.upper()} for videos; options as for the class.",
    )  # fmt: skip
