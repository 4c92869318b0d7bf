"""Multiscale vision transformers: attention whose queries, keys and values are pooled over time and space on the way.

H. Fan et al., arXiv:2104.11227; V2 (Y. Li et al., arXiv:2112.01526): what is added for relative positions, and the
queries added to the result. A sequence is a class token and then the places of a video, time by time and row by row;
beside it goes its size (T, H, W).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import rushlight
from rushlight import nn
from rushlight.nn import functional as F
from rushlight.nn import init
from rushlight.tensor import Tensor
from rushlight.vision.models.layers import Layer
from rushlight.vision.models.video.weights import kinetics_weights
from rushlight.vision.models.weights import publish
from rushlight.vision.ops import MLP, StochasticDepth

__all__ = ["MViT"]

Size = tuple[int, int, int]


@dataclass
class MSBlockConfig:
    """A block: heads, channels, and how queries and how keys and values are pooled; [] for not at all."""

    num_heads: int
    input_channels: int
    output_channels: int
    kernel_q: list[int]
    kernel_kv: list[int]
    stride_q: list[int]
    stride_kv: list[int]


class Pool(nn.Module):
    """Pools a sequence (N, heads, 1 + THW, C), or (N, 1 + THW, C), as the video that it is; the class token stays.

    Args:
        pool: what pools videos.
        norm, activation: follow, or come before where ``norm_before_pool``.
    """

    def __init__(
        self,
        pool: nn.Module,
        norm: nn.Module | None,
        activation: nn.Module | None = None,
        norm_before_pool: bool = False,
    ) -> None:
        super().__init__()
        self.pool = pool
        layers = [layer for layer in (norm, activation) if layer is not None]
        self.norm_act = nn.Sequential(*layers) if layers else None
        self.norm_before_pool = norm_before_pool

    def forward(self, x: Tensor, thw: Size) -> Any:
        if x.dim() not in (3, 4):
            raise ValueError(f"Unsupported input dimension {x.shape}")
        sequence: Any = x if x.dim() == 4 else x.unsqueeze(1)
        token, places = sequence[:, :, :1], sequence[:, :, 1:]
        n, heads, _, channels = places.shape
        video = places.transpose(2, 3).reshape((n * heads, channels, *thw)).contiguous()
        if self.norm_act is not None and self.norm_before_pool:
            video = self.norm_act(video)
        video = self.pool(video)
        result = rushlight.cat((token, video.reshape(n, heads, channels, -1).transpose(2, 3)), dim=2)
        if self.norm_act is not None and not self.norm_before_pool:
            result = self.norm_act(result)
        return result if x.dim() == 4 else result.squeeze(1), tuple(video.shape[2:])


def _resized(table: Tensor, length: int) -> Any:
    """As many relative positions as are needed, between those that are there."""
    if table.shape[0] == length:
        return table
    return F.interpolate(table.permute(1, 0).unsqueeze(0), size=length, mode="linear").squeeze(0).permute(1, 0)


def _relative(table: Tensor, queries: int, keys: int) -> Any:
    """The row of `table` for the distance between each query and each key along one dimension: (queries, keys, C)."""
    per_query, per_key = max(keys / queries, 1.0), max(queries / keys, 1.0)
    far = rushlight.arange(queries)[:, None] * per_query - (rushlight.arange(keys)[None, :] + (1.0 - keys)) * per_key
    return _resized(table, 2 * max(queries, keys) - 1)[far.long()]


class MultiscaleAttention(nn.Module):
    """Attention with pooled queries, keys and values.

    Args:
        input_size: (T, H, W) of what comes in.
        embed_dim, output_dim: channels in and out.
        num_heads: of the attention.
        kernel_q, kernel_kv, stride_q, stride_kv: of the convolutions that pool; [] for none.
        residual_pool: add the queries to the result; with ``residual_with_cls_embed`` that of the class token, too.
        rel_pos_embed: add something for relative positions.
        dropout: of the result.
        norm_layer: makes a normalization.
    """

    rel_pos_h: nn.Parameter | None
    rel_pos_w: nn.Parameter | None
    rel_pos_t: nn.Parameter | None

    def __init__(
        self,
        input_size: list[int],
        embed_dim: int,
        output_dim: int,
        num_heads: int,
        kernel_q: list[int],
        kernel_kv: list[int],
        stride_q: list[int],
        stride_kv: list[int],
        residual_pool: bool,
        residual_with_cls_embed: bool,
        rel_pos_embed: bool,
        dropout: float = 0.0,
        norm_layer: Layer = nn.LayerNorm,
    ) -> None:
        super().__init__()
        self.embed_dim, self.output_dim, self.num_heads = embed_dim, output_dim, num_heads
        self.head_dim = output_dim // num_heads
        self.scaler = 1.0 / math.sqrt(self.head_dim)
        self.residual_pool, self.residual_with_cls_embed = residual_pool, residual_with_cls_embed
        self.qkv = nn.Linear(embed_dim, 3 * output_dim)
        dropping = [nn.Dropout(dropout, inplace=True)] if dropout > 0.0 else []
        self.project = nn.Sequential(nn.Linear(output_dim, output_dim), *dropping)
        self.pool_q = self._pool(kernel_q, stride_q, norm_layer)
        self.pool_k = self._pool(kernel_kv, stride_kv, norm_layer)
        self.pool_v = self._pool(kernel_kv, stride_kv, norm_layer)
        self.rel_pos_h = self.rel_pos_w = self.rel_pos_t = None
        if rel_pos_embed:
            self._define_relative_positions(input_size, stride_q, stride_kv)

    def _pool(self, kernel: list[int], stride: list[int], norm_layer: Layer) -> Pool | None:
        if math.prod(kernel) <= 1 and math.prod(stride) <= 1:
            return None
        d = self.head_dim
        padding = [size // 2 for size in kernel]
        return Pool(nn.Conv3d(d, d, kernel, stride, padding, groups=d, bias=False), norm_layer(d))  # type: ignore[arg-type]

    def _define_relative_positions(self, input_size: list[int], stride_q: list[int], stride_kv: list[int]) -> None:
        sides = [max(input_size[1:]) // (stride[1] if stride else 1) for stride in (stride_q, stride_kv)]
        space, time = 2 * max(sides) - 1, 2 * input_size[0] - 1
        self.rel_pos_h = nn.Parameter(rushlight.zeros(space, self.head_dim))
        self.rel_pos_w = nn.Parameter(rushlight.zeros(space, self.head_dim))
        self.rel_pos_t = nn.Parameter(rushlight.zeros(time, self.head_dim))
        for table in (self.rel_pos_h, self.rel_pos_w, self.rel_pos_t):
            init.trunc_normal_(table, std=0.02)

    def forward(self, x: Tensor, thw: Size) -> Any:
        n, length, _ = x.shape
        heads = (n, length, 3, self.num_heads, self.head_dim)
        q, k, v = self.qkv(x).reshape(heads).transpose(1, 3).unbind(dim=2)
        k, of_keys = (k, thw) if self.pool_k is None else self.pool_k(k, thw)
        v = v if self.pool_v is None else self.pool_v(v, thw)[0]
        q, of_queries = (q, thw) if self.pool_q is None else self.pool_q(q, thw)
        scores = (self.scaler * q).matmul(k.transpose(2, 3))
        if self.rel_pos_h is not None:
            scores = scores + F.pad(self._by_position(q, of_queries, of_keys), (1, 0, 1, 0))
        result = scores.softmax(dim=-1).matmul(v)
        if self.residual_pool:
            result = result + (q if self.residual_with_cls_embed else F.pad(q[:, :, 1:], (0, 0, 1, 0)))
        return self.project(result.transpose(1, 2).reshape(n, -1, self.output_dim)), of_queries

    def _by_position(self, q: Tensor, of_queries: Size, of_keys: Size) -> Any:
        """What is added for the relative position of a query and a key: (N, heads, queries, keys)."""
        n, heads, _, channels = q.shape
        places = q[:, :, 1:].reshape(n, heads, *of_queries, channels)
        tables: Any = (self.rel_pos_t, self.rel_pos_h, self.rel_pos_w)
        t, h, w = map(_relative, tables, of_queries, of_keys)
        along_t = rushlight.einsum("bythwc,tkc->bythwk", places, t)[..., :, None, None]
        along_h = rushlight.einsum("bythwc,hkc->bythwk", places, h)[..., None, :, None]
        along_w = rushlight.einsum("bythwc,wkc->bythwk", places, w)[..., None, None, :]
        found = along_h + along_w + along_t
        return found.reshape(n, heads, math.prod(of_queries), math.prod(of_keys))


class MultiscaleBlock(nn.Module):
    """`MultiscaleAttention` and a small network, each normalized before and added to what came in, pooled alike.

    Args: see `MViT`; ``cnf``: the block; ``dropout``: of attention and network.
    """

    def __init__(
        self,
        input_size: list[int],
        cnf: MSBlockConfig,
        residual_pool: bool,
        residual_with_cls_embed: bool,
        rel_pos_embed: bool,
        proj_after_attn: bool,
        dropout: float = 0.0,
        stochastic_depth_prob: float = 0.0,
        norm_layer: Layer = nn.LayerNorm,
    ) -> None:
        super().__init__()
        self.proj_after_attn = proj_after_attn
        self.pool_skip = _pool_beside(cnf.stride_q) if math.prod(cnf.stride_q) > 1 else None
        inside = cnf.output_channels if proj_after_attn else cnf.input_channels
        self.norm1, self.norm2 = norm_layer(cnf.input_channels), norm_layer(inside)
        self.needs_transposal = isinstance(self.norm1, nn.BatchNorm1d)
        self.attn = MultiscaleAttention(
            input_size, cnf.input_channels, inside, cnf.num_heads, cnf.kernel_q, cnf.kernel_kv, cnf.stride_q,
            cnf.stride_kv, residual_pool, residual_with_cls_embed, rel_pos_embed, dropout, norm_layer,
        )  # fmt: skip
        widths = [4 * inside, cnf.output_channels]
        self.mlp = MLP(inside, widths, activation_layer=nn.GELU, dropout=dropout, inplace=None)
        self.stochastic_depth = StochasticDepth(stochastic_depth_prob, "row")
        same = cnf.input_channels == cnf.output_channels
        self.project = None if same else nn.Linear(cnf.input_channels, cnf.output_channels)

    def _normalized(self, norm: nn.Module, x: Tensor) -> Any:
        return norm(x.transpose(1, 2)).transpose(1, 2) if self.needs_transposal else norm(x)

    def forward(self, x: Tensor, thw: Size) -> Any:
        normalized = self._normalized(self.norm1, x)
        attended, size = self.attn(normalized, thw)
        if self.project is not None and self.proj_after_attn:
            x = self.project(normalized)
        beside = x if self.pool_skip is None else self.pool_skip(x, thw)[0]
        x = beside + self.stochastic_depth(attended)
        normalized = self._normalized(self.norm2, x)
        if self.project is not None and not self.proj_after_attn:
            x = self.project(normalized)
        return x + self.stochastic_depth(self.mlp(normalized)), size


def _pool_beside(stride: list[int]) -> Pool:
    """Pools what goes past the attention as the queries are pooled."""
    kernel = [s + 1 if s > 1 else s for s in stride]
    return Pool(nn.MaxPool3d(kernel, stride, [size // 2 for size in kernel]), None)  # type: ignore[arg-type]


class PositionalEncoding(nn.Module):
    """Puts the class token in front, and adds something for each place, unless relative positions are seen to."""

    spatial_pos: nn.Parameter | None
    temporal_pos: nn.Parameter | None
    class_pos: nn.Parameter | None

    def __init__(self, embed_size: int, spatial_size: tuple[int, int], temporal_size: int, rel_pos_embed: bool) -> None:
        super().__init__()
        self.spatial_size, self.temporal_size = spatial_size, temporal_size
        self.class_token = nn.Parameter(rushlight.zeros(embed_size))
        self.spatial_pos = self.temporal_pos = self.class_pos = None
        if not rel_pos_embed:
            self.spatial_pos = nn.Parameter(rushlight.zeros(spatial_size[0] * spatial_size[1], embed_size))
            self.temporal_pos = nn.Parameter(rushlight.zeros(temporal_size, embed_size))
            self.class_pos = nn.Parameter(rushlight.zeros(embed_size))

    def forward(self, x: Tensor) -> Any:
        x = rushlight.cat((self.class_token.expand(x.shape[0], -1).unsqueeze(1), x), dim=1)
        if self.spatial_pos is None or self.temporal_pos is None or self.class_pos is None:
            return x
        places = (self.temporal_pos[:, None] + self.spatial_pos[None]).flatten(0, 1)
        return x + rushlight.cat((self.class_pos.unsqueeze(0), places), dim=0).unsqueeze(0)


class MViT(nn.Module):
    """Videos (N, 3, T, H, W), or pictures (N, 3, H, W), to scores (N, num_classes).

    Args:
        spatial_size, temporal_size: (H, W) and T of the videos.
        block_setting: the blocks.
        residual_pool: add the pooled queries to the attention's result; with ``residual_with_cls_embed`` that of the
            class token, too.
        rel_pos_embed: relative positions in each attention, in place of a position's own encoding at the beginning.
        proj_after_attn: change the number of channels in the attention, not in the network behind it.
        dropout, attention_dropout: before the scores, and in the blocks.
        stochastic_depth_prob: of the last block; it grows from 0 with the depth.
        num_classes: how many scores.
        block, norm_layer: make a block and a normalization.
        patch_embed_kernel, patch_embed_stride, patch_embed_padding: of the first convolution.
    """

    def __init__(
        self,
        spatial_size: tuple[int, int],
        temporal_size: int,
        block_setting: Sequence[MSBlockConfig],
        residual_pool: bool,
        residual_with_cls_embed: bool,
        rel_pos_embed: bool,
        proj_after_attn: bool,
        dropout: float = 0.5,
        attention_dropout: float = 0.0,
        stochastic_depth_prob: float = 0.0,
        num_classes: int = 400,
        block: Callable[..., nn.Module] | None = None,
        norm_layer: Layer | None = None,
        patch_embed_kernel: Size = (3, 7, 7),
        patch_embed_stride: Size = (2, 4, 4),
        patch_embed_padding: Size = (1, 3, 3),
    ) -> None:
        super().__init__()
        if not block_setting:
            raise ValueError("The configuration parameter can't be empty.")
        norm = norm_layer or partial(nn.LayerNorm, eps=1e-6)
        first, last = block_setting[0].input_channels, block_setting[-1].output_channels
        self.conv_proj = nn.Conv3d(3, first, patch_embed_kernel, patch_embed_stride, patch_embed_padding)
        size = [n // step for n, step in zip((temporal_size, *spatial_size), patch_embed_stride, strict=True)]
        self.pos_encoding = PositionalEncoding(first, (size[1], size[2]), size[0], rel_pos_embed)
        make: Callable[..., nn.Module] = partial(
            block or MultiscaleBlock, residual_pool=residual_pool, residual_with_cls_embed=residual_with_cls_embed,
            rel_pos_embed=rel_pos_embed, proj_after_attn=proj_after_attn, dropout=attention_dropout, norm_layer=norm,
        )  # fmt: skip
        self.blocks = nn.ModuleList()
        for number, cnf in enumerate(block_setting):
            chance = stochastic_depth_prob * number / (len(block_setting) - 1.0)
            self.blocks.append(make(input_size=size, cnf=cnf, stochastic_depth_prob=chance))
            size = [n // step for n, step in zip(size, cnf.stride_q or (1, 1, 1), strict=True)]
        self.norm = norm(last)
        self.head = nn.Sequential(nn.Dropout(dropout, inplace=True), nn.Linear(last, num_classes))
        for module in self.modules():
            _reset(module)

    def forward(self, x: Tensor) -> Any:
        if x.dim() not in (4, 5):
            raise ValueError(f"Unsupported input dimension {x.shape}")
        x = self.conv_proj(x if x.dim() == 5 else x.unsqueeze(2))
        x = self.pos_encoding(x.flatten(2).transpose(1, 2))
        size = (self.pos_encoding.temporal_size, *self.pos_encoding.spatial_size)
        for block in self.blocks:
            x, size = block(x, size)
        return self.head(self.norm(x)[:, 0])


def _reset(module: nn.Module) -> None:
    """How the parameters of a layer begin."""
    if isinstance(module, nn.Linear):
        init.trunc_normal_(module.weight, std=0.02)
        if module.bias is not None:
            init.zeros_(module.bias)
    elif isinstance(module, nn.LayerNorm):
        if module.weight is not None:
            init.ones_(module.weight)
        if module.bias is not None:
            init.zeros_(module.bias)
    elif isinstance(module, PositionalEncoding):
        for weights in module.parameters():
            init.trunc_normal_(weights, std=0.02)


def _blocks(
    channels: Sequence[int], halved: Sequence[int], kernel: list[int], stride: list[int]
) -> list[MSBlockConfig]:
    """Sixteen blocks: the channels between them, and which of them halve; the others' kernel and stride of queries."""
    cube, heads = [3, 3, 3], [1, 2, 2, *[4] * 11, 8, 8]
    keys = [8, 4, 4, *[2] * 11, 1, 1]
    return [
        MSBlockConfig(
            heads[i], channels[i], channels[i + 1], cube if i in halved else kernel, cube,
            [1, 2, 2] if i in halved else stride, [1, keys[i], keys[i]],
        )
        for i in range(16)
    ]  # fmt: skip


def _v1_b(**options: Any) -> MViT:
    channels = [96, 192, 192, *[384] * 11, 768, 768, 768]
    return MViT(block_setting=_blocks(channels, (1, 3, 14), [], []), **(_USUAL | options))


def _v2_s(**options: Any) -> MViT:
    channels = [96, 96, 192, 192, *[384] * 11, 768, 768]
    usual = _USUAL | {"residual_pool": True, "rel_pos_embed": True, "proj_after_attn": True}
    return MViT(block_setting=_blocks(channels, (1, 3, 14), [3, 3, 3], [1, 1, 1]), **(usual | options))


_USUAL: dict[str, Any] = {
    "spatial_size": (224, 224), "temporal_size": 16, "residual_pool": False, "residual_with_cls_embed": False,
    "rel_pos_embed": False, "proj_after_attn": False, "stochastic_depth_prob": 0.2,
}  # fmt: skip
for _name, _make, _file, _count in (
    ("v1_b", _v1_b, "mvit_v1_b-dbeb1030.pth", 36610672),
    ("v2_s", _v2_s, "mvit_v2_s-ae3be167.pth", 34537744),
):
    _statistics = {"mean": (0.45, 0.45, 0.45), "std": (0.225, 0.225, 0.225)}
    _kinds = kinetics_weights(
        f"MViT_{_name.upper()}_Weights", _file, (224, 224), (256,), _statistics, num_params=_count,
        min_size=(224, 224), min_temporal_size=16,
    )  # fmt: skip
    publish(globals(), f"mvit_{_name}", _make, _kinds, f"MViT {_name.upper()}; options as for the class.")
