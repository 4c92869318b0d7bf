"""The Swin transformer: attention within windows of a picture, which every second block shifts.

Z. Liu et al., arXiv:2103.14030; V2 arXiv:2111.09883: attention by cosines, normalization after each part, and the
bias of a relative position computed by a small network. Pictures lie as (N, H, W, C) in between.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import rushlight
from rushlight import nn
from rushlight.nn import functional as F
from rushlight.nn import init
from rushlight.tensor import Tensor
from rushlight.vision.models.layers import Layer
from rushlight.vision.models.weights import File, imagenet_weights, publish
from rushlight.vision.ops import MLP, Permute, StochasticDepth
from rushlight.vision.transforms.functional import InterpolationMode

__all__ = ["SwinTransformer"]

# Version, channels, blocks and heads of the stages, window, stochastic depth; file, sizes of pictures, parameters.
Entry = tuple[int, int, tuple[int, ...], tuple[int, ...], int, float, str, int, int, int]
FAMILY: dict[str, Entry] = {
    "t": (1, 96, (2, 2, 6, 2), (3, 6, 12, 24), 7, 0.2, "swin_t-704ceda3.pth", 224, 232, 28288354),
    "s": (1, 96, (2, 2, 18, 2), (3, 6, 12, 24), 7, 0.3, "swin_s-5e29d889.pth", 224, 246, 49606258),
    "b": (1, 128, (2, 2, 18, 2), (4, 8, 16, 32), 7, 0.5, "swin_b-68c6b09e.pth", 224, 238, 87768224),
    "v2_t": (2, 96, (2, 2, 6, 2), (3, 6, 12, 24), 8, 0.2, "swin_v2_t-b137f0e2.pth", 256, 260, 28351570),
    "v2_s": (2, 96, (2, 2, 18, 2), (3, 6, 12, 24), 8, 0.3, "swin_v2_s-637d8ceb.pth", 256, 260, 49737442),
    "v2_b": (2, 128, (2, 2, 18, 2), (4, 8, 16, 32), 8, 0.5, "swin_v2_b-781e5279.pth", 256, 272, 87930848),
}


class PatchMerging(nn.Module):
    """Half the size: four neighbours (N, H, W, C) become one of twice the channels."""

    def __init__(self, dim: int, norm_layer: Layer = nn.LayerNorm) -> None:
        super().__init__()
        self.dim = dim
        self.reduction = nn.Linear(4 * dim, 2 * dim, bias=False)
        self.norm = norm_layer(4 * dim)

    def forward(self, x: Tensor) -> Any:
        return self.reduction(self.norm(self._merged(x)))

    def _merged(self, x: Tensor) -> Any:
        height, width, _ = x.shape[-3:]
        x = F.pad(x, (0, 0, 0, width % 2, 0, height % 2))
        return rushlight.cat([x[..., down::2, across::2, :] for across in (0, 1) for down in (0, 1)], -1)


class PatchMergingV2(PatchMerging):
    """`PatchMerging`, normalized at the end."""

    def __init__(self, dim: int, norm_layer: Layer = nn.LayerNorm) -> None:
        super().__init__(dim, norm_layer)
        self.norm = norm_layer(2 * dim)

    def forward(self, x: Tensor) -> Any:
        return self.norm(self.reduction(self._merged(x)))


class ShiftedWindowAttention(nn.Module):
    """Attention within windows of pictures (N, H, W, C), which are padded to whole windows.

    Args:
        dim: channels.
        window_size: of a window, (height, width).
        shift_size: by how much the windows are shifted, cyclically; pixels that meet only by that do not see each
            other.
        num_heads: of the attention.
        qkv_bias, proj_bias: whether there are biases.
        attention_dropout, dropout: of the weights and of the result.
    """

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
        super().__init__()
        if len(window_size) != 2 or len(shift_size) != 2:
            raise ValueError("window_size and shift_size must be of length 2")
        self.window_size, self.shift_size, self.num_heads = list(window_size), list(shift_size), num_heads
        self.attention_dropout, self.dropout = attention_dropout, dropout
        self.qkv = nn.Linear(dim, dim * 3, bias=qkv_bias)
        self.proj = nn.Linear(dim, dim, bias=proj_bias)
        self._define_bias()
        self.register_buffer("relative_position_index", relative_positions(*self.window_size).flatten())

    def _define_bias(self) -> None:
        height, width = self.window_size
        table = rushlight.zeros((2 * height - 1) * (2 * width - 1), self.num_heads)
        self.relative_position_bias_table = nn.Parameter(table)
        init.trunc_normal_(self.relative_position_bias_table, std=0.02)

    def _bias_table(self) -> Any:
        """What is added for each relative position: (positions, heads)."""
        return self.relative_position_bias_table

    def get_relative_position_bias(self) -> Any:
        """What is added to the attention between two pixels of a window: (1, heads, pixels, pixels)."""
        pixels = self.window_size[0] * self.window_size[1]
        chosen = self._bias_table()[self.relative_position_index]
        return chosen.view(pixels, pixels, -1).permute(2, 0, 1).unsqueeze(0)

    def _attention(self, q: Tensor, k: Tensor) -> Any:
        return (q * q.shape[-1] ** -0.5).matmul(k.transpose(-2, -1))

    def _qkv_bias(self) -> Any:
        return self.qkv.bias

    def forward(self, x: Tensor) -> Any:
        size = x.shape[1:-1]
        window, shift = self._fitted(size)
        padding = [n for length, w in zip(size[::-1], window[::-1], strict=True) for n in (0, -length % w)]
        padded = F.pad(x, (0, 0, *padding))
        return self._shifted(padded, window, shift)[(slice(None), *(slice(length) for length in size))].contiguous()

    def _fitted(self, size: Sequence[int]) -> tuple[list[int], list[int]]:
        """The window, and its shift: none where one window holds everything, padded as it is."""
        sides = list(zip(size, self.window_size, self.shift_size, strict=True))
        return self.window_size, [0 if w >= length + -length % w else shift for length, w, shift in sides]

    def _shifted(self, x: Any, window: list[int], shift: list[int]) -> Any:
        """Attention in the windows of what is padded to whole ones."""
        size, dims, moved = x.shape[1:-1], tuple(range(1, 1 + len(window))), any(shift)
        x = x.roll(tuple(-by for by in shift), dims) if moved else x
        rows = windows_of(x, window)
        mask = _seen(size, window, shift, rows) if moved else None
        result = put_together(self._within(rows, mask, self._bias(window)), size, window)
        return result.roll(tuple(shift), dims) if moved else result

    def _bias(self, window: list[int]) -> Any:
        return self.get_relative_position_bias()

    def _within(self, x: Tensor, mask: Any, bias: Any) -> Any:
        """Attention in windows (windows, pixels, C)."""
        count, pixels, channels = x.shape
        heads = (count, pixels, 3, self.num_heads, channels // self.num_heads)
        q, k, v = F.linear(x, self.qkv.weight, self._qkv_bias()).reshape(heads).permute(2, 0, 3, 1, 4).unbind(0)
        scores = self._attention(q, k) + bias
        if mask is not None:
            scores = (scores.view(-1, *mask.shape[:1], self.num_heads, pixels, pixels) + mask.unsqueeze(1)).view(
                count, self.num_heads, pixels, pixels
            )
        shares = F.dropout(F.softmax(scores, dim=-1), p=self.attention_dropout, training=self.training)
        result = self.proj(shares.matmul(v).transpose(1, 2).reshape(count, pixels, channels))
        return F.dropout(result, p=self.dropout, training=self.training)


def relative_positions(*window: int) -> Tensor:
    """For two pixels of a window, which of the relative positions theirs is: (pixels, pixels)."""
    found: Any = 0
    for place, length in zip(rushlight.meshgrid(*map(rushlight.arange, window), indexing="ij"), window, strict=True):
        apart = place.flatten()[:, None] - place.flatten()[None, :]
        found = found * (2 * length - 1) + apart + length - 1
    return found  # type: ignore[no-any-return]


def windows_of(x: Any, window: Sequence[int]) -> Any:
    """(N, *size, C) as (windows, pixels, C): each window's pixels one after the other."""
    n, *size, channels = x.shape
    k = len(size)
    parts = x.view(n, *(part for s, w in zip(size, window, strict=True) for part in (s // w, w)), channels)
    order = (0, *range(1, 2 * k, 2), *range(2, 2 * k + 1, 2), 2 * k + 1)
    return parts.permute(order).reshape(-1, math.prod(window), channels)


def put_together(rows: Any, size: Sequence[int], window: Sequence[int]) -> Any:
    """`windows_of` undone."""
    k, channels = len(size), rows.shape[-1]
    parts = rows.view(-1, *(s // w for s, w in zip(size, window, strict=True)), *window, channels)
    order = (0, *(dim for i in range(1, k + 1) for dim in (i, i + k)), 2 * k + 1)
    return parts.permute(order).reshape(-1, *size, channels)


def _seen(size: Sequence[int], window: Sequence[int], shift: Sequence[int], like: Tensor) -> Any:
    """What is added between two pixels of a window: -100 where only the shift made them neighbours."""
    regions = like.new_zeros(tuple(size))
    cuts = [
        (slice(0, -length), slice(-length, -moved), slice(-moved, None))
        for length, moved in zip(window, shift, strict=True)
    ]
    for number, place in enumerate(itertools.product(*cuts)):
        regions[place] = number
    pixels = windows_of(regions[None, ..., None], window)[..., 0]
    apart = pixels.unsqueeze(1) - pixels.unsqueeze(2)
    return apart.masked_fill(apart != 0, -100.0)


class ShiftedWindowAttentionV2(ShiftedWindowAttention):
    """`ShiftedWindowAttention` by cosines, with a bias that a small network computes from the relative position."""

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
        biases = (qkv_bias, proj_bias)
        super().__init__(dim, window_size, shift_size, num_heads, *biases, attention_dropout, dropout)
        self.logit_scale = nn.Parameter(rushlight.log(10 * rushlight.ones((num_heads, 1, 1))))
        first, last = nn.Linear(2, 512, bias=True), nn.Linear(512, num_heads, bias=False)
        self.cpb_mlp = nn.Sequential(first, nn.ReLU(inplace=True), last)
        if self.qkv.bias is not None:
            self.qkv.bias.data[dim : 2 * dim] = 0

    def _define_bias(self) -> None:
        steps = [rushlight.arange(1 - size, size, dtype=rushlight.float32) for size in self.window_size]
        grid = rushlight.stack(rushlight.meshgrid(*steps, indexing="ij"), -1).unsqueeze(0)
        most = rushlight.tensor([size - 1.0 for size in self.window_size])
        table = grid / most * 8  # from -8 to 8, then its logarithm
        table = table.sign() * rushlight.log2(table.abs() + 1.0) / 3.0
        self.register_buffer("relative_coords_table", table)

    def _bias_table(self) -> Any:
        return 16 * rushlight.sigmoid(self.cpb_mlp(self.relative_coords_table).view(-1, self.num_heads))

    def _attention(self, q: Tensor, k: Tensor) -> Any:
        cosines = F.normalize(q, dim=-1) @ F.normalize(k, dim=-1).transpose(-2, -1)
        return cosines * self.logit_scale.clamp(max=math.log(100.0)).exp()

    def _qkv_bias(self) -> Any:
        """Keys have no bias: it would change nothing but their length."""
        if self.qkv.bias is None:
            return None
        q, k, v = self.qkv.bias.chunk(3)
        return rushlight.cat((q, rushlight.zeros_like(k), v))


class SwinTransformerBlock(nn.Module):
    """Attention in windows and a small network, each normalized before and added to what came in.

    Args: see `ShiftedWindowAttention`; ``mlp_ratio``: width of the network over ``dim``.
    """

    def __init__(
        self,
        dim: int,
        num_heads: int,
        window_size: Sequence[int],
        shift_size: Sequence[int],
        mlp_ratio: float = 4.0,
        dropout: float = 0.0,
        attention_dropout: float = 0.0,
        stochastic_depth_prob: float = 0.0,
        norm_layer: Layer = nn.LayerNorm,
        attn_layer: Layer = ShiftedWindowAttention,
    ) -> None:
        super().__init__()
        chances = {"attention_dropout": attention_dropout, "dropout": dropout}
        self.norm1 = norm_layer(dim)
        self.attn = attn_layer(dim, window_size, shift_size, num_heads, **chances)
        self.stochastic_depth = StochasticDepth(stochastic_depth_prob, "row")
        self.norm2 = norm_layer(dim)
        self.mlp = MLP(dim, [int(dim * mlp_ratio), dim], activation_layer=nn.GELU, inplace=None, dropout=dropout)
        for module in self.mlp.modules():
            if isinstance(module, nn.Linear):
                init.xavier_uniform_(module.weight)
                init.normal_(module.bias, std=1e-6)

    def forward(self, x: Tensor) -> Any:
        x = x + self.stochastic_depth(self.attn(self.norm1(x)))
        return x + self.stochastic_depth(self.mlp(self.norm2(x)))


class SwinTransformerBlockV2(SwinTransformerBlock):
    """`SwinTransformerBlock`, normalized after each part."""

    def __init__(self, *args: Any, attn_layer: Layer = ShiftedWindowAttentionV2, **kwargs: Any) -> None:
        super().__init__(*args, **{"attn_layer": attn_layer, **kwargs})

    def forward(self, x: Tensor) -> Any:
        x = x + self.stochastic_depth(self.norm1(self.attn(x)))
        return x + self.stochastic_depth(self.norm2(self.mlp(x)))


def stages(
    width: int,
    depths: Sequence[int],
    num_heads: Sequence[int],
    window_size: Sequence[int],
    stochastic_depth_prob: float,
    make: Callable[..., nn.Module],
    merge: Callable[[int], nn.Module],
) -> list[nn.Module]:
    """The stages and what `merge`s pixels between them; each stage has twice the channels of the one before.

    Every second block of a stage shifts its windows by half, and stochastic depth grows from block to block.
    """
    parts: list[nn.Module] = []
    chances = iter([stochastic_depth_prob * float(number) / (sum(depths) - 1) for number in range(sum(depths))])
    shifts = [0 for _ in window_size], [size // 2 for size in window_size]
    for stage, (depth, heads) in enumerate(zip(depths, num_heads, strict=True)):
        if stage:
            parts.append(merge(width))
            width *= 2
        options = ({"shift_size": shifts[i % 2], "stochastic_depth_prob": next(chances)} for i in range(depth))
        parts.append(nn.Sequential(*(make(width, heads, **own) for own in options)))
    return parts


def draw_linear_layers(model: nn.Module) -> None:
    """Starts every `Linear` with small weights, none further than two, and no bias."""
    for module in model.modules():
        if isinstance(module, nn.Linear):
            init.trunc_normal_(module.weight, std=0.02)
            if module.bias is not None:
                init.zeros_(module.bias)


class SwinTransformer(nn.Module):
    """Pictures (N, 3, H, W) to scores (N, num_classes).

    Args:
        patch_size: of the patches that become pixels, (height, width).
        embed_dim: channels of the first stage; each next one has twice as many.
        depths, num_heads: blocks and heads of the stages.
        window_size: of attention.
        mlp_ratio, dropout, attention_dropout: of the blocks.
        stochastic_depth_prob: of the last block; it grows from 0 with the depth.
        num_classes: how many scores.
        norm_layer: makes a normalization.
        block, downsample_layer: make a block, and what lies between stages.
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
        num_classes: int = 1000,
        norm_layer: Layer | None = None,
        block: Callable[..., nn.Module] | None = None,
        downsample_layer: Callable[..., nn.Module] = PatchMerging,
    ) -> None:
        super().__init__()
        self.num_classes = num_classes
        norm = norm_layer or partial(nn.LayerNorm, eps=1e-5)
        usual: dict[str, Any] = {"mlp_ratio": mlp_ratio, "dropout": dropout, "attention_dropout": attention_dropout}
        make: Callable[..., nn.Module] = partial(
            block or SwinTransformerBlock, window_size=window_size, norm_layer=norm, **usual
        )
        merge = lambda width: downsample_layer(width, norm)
        patch = (patch_size[0], patch_size[1])
        first = nn.Conv2d(3, embed_dim, kernel_size=patch, stride=patch)
        parts: list[nn.Module] = [nn.Sequential(first, Permute([0, 2, 3, 1]), norm(embed_dim))]
        parts += stages(embed_dim, depths, num_heads, window_size, stochastic_depth_prob, make, merge)
        width = embed_dim * 2 ** (len(depths) - 1)
        self.features = nn.Sequential(*parts)
        self.norm = norm(width)
        self.permute = Permute([0, 3, 1, 2])
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.flatten = nn.Flatten(1)
        self.head = nn.Linear(width, num_classes)
        draw_linear_layers(self)

    def forward(self, x: Tensor) -> Any:
        return self.head(self.flatten(self.avgpool(self.permute(self.norm(self.features(x))))))


def _maker(version: int, width: int, depths: Any, heads: Any, window: int, chance: float) -> Callable[..., Any]:
    parts = {"block": SwinTransformerBlockV2, "downsample_layer": PatchMergingV2} if version == 2 else {}

    def make(**options: Any) -> SwinTransformer:
        shape = ([4, 4], width, list(depths), list(heads), [window, window])
        return SwinTransformer(*shape, **({"stochastic_depth_prob": chance} | parts | options))

    return make


for _name, (*_shape, _file, _crop, _resize, _count) in FAMILY.items():
    _weights = File(_file, _crop, _resize, InterpolationMode.BICUBIC)
    publish(
        globals(),
        f"swin_{_name}",
        _maker(*_shape),  # type: ignore[arg-type]
        imagenet_weights(f"Swin_{_name.upper()}_Weights", _weights, num_params=_count, min_size=(_crop, _crop)),
        f"The Swin transformer {_name.upper().replace('_', ' ')}; options as for the class.",
    )
