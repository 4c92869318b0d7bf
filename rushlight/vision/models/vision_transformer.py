"""The vision transformer: a picture cut into patches, which are a sentence for a transformer's encoder.

A. Dosovitskiy et al., arXiv:2010.11929. A first token of its own (`class_token`) collects what the scores are made of.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from functools import partial
from typing import Any

import rushlight
from rushlight import nn
from rushlight.nn import init
from rushlight.tensor import Tensor
from rushlight.vision.models.layers import Layer
from rushlight.vision.models.weights import File, build, chosen_weights, imagenet_weights
from rushlight.vision.ops.layers import MLP
from rushlight.vision.transforms.functional import InterpolationMode

__all__ = ["VisionTransformer"]

_SHARP = InterpolationMode.BICUBIC

# Patch size, layers, heads, width, width of the inner layer, file, size it is resized to, parameters.
FAMILY: dict[str, tuple[int, int, int, int, int, str, int, int]] = {
    "b_16": (16, 12, 12, 768, 3072, "vit_b_16-c867db91.pth", 256, 86567656),
    "b_32": (32, 12, 12, 768, 3072, "vit_b_32-d86f8d99.pth", 256, 88224232),
    "l_16": (16, 24, 16, 1024, 4096, "vit_l_16-852ce7e3.pth", 242, 304326632),
    "l_32": (32, 24, 16, 1024, 4096, "vit_l_32-c7638314.pth", 256, 306535400),
    "h_14": (14, 32, 16, 1280, 5120, "", 256, 632045800),
}
# Files that began with learning from hashtags (M. Singh et al., arXiv:2201.08371): file, pictures' size, parameters;
# and the file of which only the last layer learned pictures.
SWAG: dict[str, tuple[str, int, int, str]] = {
    "b_16": ("vit_b_16_swag-9ac1b537.pth", 384, 86859496, "vit_b_16_lc_swag-4e70ced5.pth"),
    "l_16": ("vit_l_16_swag-4f3808c9.pth", 512, 305174504, "vit_l_16_lc_swag-4d563306.pth"),
    "h_14": ("vit_h_14_swag-80465313.pth", 518, 633470440, "vit_h_14_lc_swag-c1eb923e.pth"),
}


class MLPBlock(MLP):
    """Two linear layers with GELU between them."""

    def __init__(self, in_dim: int, mlp_dim: int, dropout: float) -> None:
        super().__init__(in_dim, [mlp_dim, in_dim], activation_layer=nn.GELU, dropout=dropout)
        for layer in self:
            if isinstance(layer, nn.Linear):
                init.xavier_uniform_(layer.weight)
                init.normal_(layer.bias, std=1e-6)  # type: ignore[arg-type]


class EncoderBlock(nn.Module):
    """Attention and a small network, each normalized before and added to what came in."""

    def __init__(
        self, num_heads: int, hidden_dim: int, mlp_dim: int, dropout: float, attention_dropout: float, norm: Layer
    ) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.ln_1 = norm(hidden_dim)
        self.self_attention = nn.MultiheadAttention(hidden_dim, num_heads, dropout=attention_dropout, batch_first=True)
        self.dropout = nn.Dropout(dropout)
        self.ln_2 = norm(hidden_dim)
        self.mlp = MLPBlock(hidden_dim, mlp_dim, dropout)

    def forward(self, input: Tensor) -> Any:
        rushlight._assert(input.dim() == 3, f"Expected (batch_size, seq_length, hidden_dim) got {input.shape}")
        x = self.ln_1(input)
        x, _ = self.self_attention(x, x, x, need_weights=False)
        x = self.dropout(x) + input
        return x + self.mlp(self.ln_2(x))


class Encoder(nn.Module):
    """The positions added, then block after block."""

    def __init__(self, seq_length: int, layers: int, hidden_dim: int, dropout: float, block: Any, norm: Layer) -> None:
        super().__init__()
        self.pos_embedding = nn.Parameter(rushlight.empty(1, seq_length, hidden_dim).normal_(std=0.02))
        self.dropout = nn.Dropout(dropout)
        self.layers = nn.Sequential(OrderedDict((f"encoder_layer_{i}", block()) for i in range(layers)))
        self.ln = norm(hidden_dim)

    def forward(self, input: Tensor) -> Any:
        rushlight._assert(input.dim() == 3, f"Expected (batch_size, seq_length, hidden_dim) got {input.shape}")
        return self.ln(self.layers(self.dropout(input + self.pos_embedding)))


class VisionTransformer(nn.Module):
    """Pictures (N, 3, image_size, image_size) to scores (N, num_classes).

    Args:
        image_size: of the pictures, a multiple of ``patch_size``.
        patch_size: of the patches.
        num_layers: how many blocks.
        num_heads: of each block's attention.
        hidden_dim: the width of a token.
        mlp_dim: of the block's small network.
        dropout: in the blocks.
        attention_dropout: of attention's weights.
        num_classes: how many scores.
        representation_size: of a layer before the scores; None for none.
        norm_layer: makes a normalization.
    """

    def __init__(
        self,
        image_size: int,
        patch_size: int,
        num_layers: int,
        num_heads: int,
        hidden_dim: int,
        mlp_dim: int,
        dropout: float = 0.0,
        attention_dropout: float = 0.0,
        num_classes: int = 1000,
        representation_size: int | None = None,
        norm_layer: Layer | None = None,
    ) -> None:
        super().__init__()
        if image_size % patch_size:
            raise RuntimeError("Input shape indivisible by patch size!")
        norm = norm_layer or partial(nn.LayerNorm, eps=1e-6)
        self.image_size, self.patch_size, self.hidden_dim = image_size, patch_size, hidden_dim
        self.num_classes, self.representation_size = num_classes, representation_size
        self.conv_proj = nn.Conv2d(3, hidden_dim, kernel_size=patch_size, stride=patch_size)
        self.class_token = nn.Parameter(rushlight.zeros(1, 1, hidden_dim))
        self.seq_length = (image_size // patch_size) ** 2 + 1
        block = partial(EncoderBlock, num_heads, hidden_dim, mlp_dim, dropout, attention_dropout, norm)
        self.encoder = Encoder(self.seq_length, num_layers, hidden_dim, dropout, block, norm)
        self.heads = nn.Sequential(_heads(hidden_dim, representation_size, num_classes))
        self._start()

    def _start(self) -> None:
        fan_in = self.conv_proj.in_channels * self.patch_size**2
        init.trunc_normal_(self.conv_proj.weight, std=math.sqrt(1 / fan_in))
        assert self.conv_proj.bias is not None
        init.zeros_(self.conv_proj.bias)
        if self.representation_size is not None:
            inner = self.heads.pre_logits
            init.trunc_normal_(inner.weight, std=math.sqrt(1 / inner.in_features))
            init.zeros_(inner.bias)
        init.zeros_(self.heads.head.weight)
        init.zeros_(self.heads.head.bias)

    def _process_input(self, x: Tensor) -> Tensor:
        """Patches as tokens: (N, patches, hidden_dim)."""
        n, _, height, width = x.shape
        for what, size in (("height", height), ("width", width)):
            wrong = f"Wrong image {what}! Expected {self.image_size} but got {size}!"
            rushlight._assert(size == self.image_size, wrong)
        down, across = height // self.patch_size, width // self.patch_size
        patches: Tensor = self.conv_proj(x)
        return patches.reshape(n, self.hidden_dim, down * across).permute(0, 2, 1)

    def forward(self, x: Tensor) -> Any:
        tokens = self._process_input(x)
        pictures = tokens.shape[0]
        first = self.class_token.expand(pictures, -1, -1)
        encoded = self.encoder(rushlight.cat([first, tokens], dim=1))
        return self.heads(encoded[:, 0])


def _heads(hidden_dim: int, representation_size: int | None, num_classes: int) -> OrderedDict[str, nn.Module]:
    if representation_size is None:
        return OrderedDict(head=nn.Linear(hidden_dim, num_classes))
    return OrderedDict(
        pre_logits=nn.Linear(hidden_dim, representation_size),
        act=nn.Tanh(),
        head=nn.Linear(representation_size, num_classes),
    )


def _kinds(name: str) -> Any:
    *_, file, resize, count = FAMILY[name]
    files = [File(file, resize=resize)] if file else []
    swag = {}
    if name in SWAG:
        whole, size, own_count, last = SWAG[name]
        own = {"num_params": own_count, "min_size": (size, size)}
        swag["IMAGENET1K_SWAG_E2E_V1"] = File(whole, size, size, _SHARP, meta=own)
        swag["IMAGENET1K_SWAG_LINEAR_V1"] = File(last, 224, 224, _SHARP)
    best = "" if files else "IMAGENET1K_SWAG_E2E_V1"
    meta: dict[str, Any] = {"num_params": count, "min_size": (224, 224)}
    return imagenet_weights(f"ViT_{name.upper()}_Weights", *files, default=best, **meta, **swag)


def _builder(name: str) -> tuple[Any, Any]:
    patch, layers, heads, hidden, inner, *_ = FAMILY[name]
    kinds = _kinds(name)

    def make(*, image_size: int = 224, **options: Any) -> VisionTransformer:
        return VisionTransformer(image_size, patch, layers, heads, hidden, inner, **options)

    def builder(*, weights: Any = None, progress: bool = True, **kwargs: Any) -> VisionTransformer:
        chosen = chosen_weights(kinds, weights, kwargs)
        if chosen is not None:
            kwargs.setdefault("image_size", chosen.transforms().crop_size[0])
        return build(make, kinds, chosen, progress, kwargs)

    builder.__name__ = builder.__qualname__ = f"vit_{name}"
    builder.__doc__ = f"The vision transformer {name.upper().replace('_', '/')}; options as for the class."
    return builder, kinds


for _name in FAMILY:
    for _public in _builder(_name):
        globals()[_public.__name__] = _public
        __all__.append(_public.__name__)
