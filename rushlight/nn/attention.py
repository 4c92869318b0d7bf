"""`MultiheadAttention`, and the forms that attention masks are brought into."""

from __future__ import annotations

import os
import warnings
from typing import Any

from rushlight.core.missing import missing
from rushlight.nn import functional as F
from rushlight.nn import init
from rushlight.nn.linear import NonDynamicallyQuantizableLinear
from rushlight.nn.module import Module
from rushlight.nn.parameter import new_parameter
from rushlight.tensor import Tensor


def canonical_mask(
    mask: Tensor | None,
    name: str,
    other_dtype: Any,
    other_name: str,
    dtype: Any,
    check_other: bool = True,
) -> Tensor | None:
    """A mask in the additive form: a bool mask becomes 0 and -inf of `dtype`, a floating one stays.

    Raises AssertionError for any other dtype; warns where it differs in dtype from the other mask of the call.
    """
    import rushlight

    if mask is None:
        return None
    is_bool = mask.dtype == rushlight.bool
    if not is_bool and not mask.is_floating_point():
        raise AssertionError(f"only bool and floating types of {name} are supported")
    if check_other and other_dtype is not None and mask.dtype != other_dtype:
        warnings.warn(
            f"Support for mismatched {name} and {other_name} is deprecated. Use same type for both instead.",
            stacklevel=3,
        )
    if is_bool:
        return rushlight.zeros_like(mask, dtype=dtype).masked_fill_(mask, float("-inf"))
    return mask


class MultiheadAttention(Module):
    """Attention of `num_heads` heads side by side, each of embed_dim / num_heads. Vaswani et al. 2017.

    Shape: query (L, N, embed_dim), key (S, N, kdim), value (S, N, vdim), with N first if `batch_first`, or without N;
    to (L, N, embed_dim) and, with `need_weights`, the weights (N, L, S), averaged over the heads or (N, heads, L, S).
    Raises ValueError unless embed_dim and num_heads are positive, AssertionError unless num_heads divides embed_dim.

    >>> MultiheadAttention(8, 2)
    MultiheadAttention(
      (out_proj): NonDynamicallyQuantizableLinear(in_features=8, out_features=8, bias=True)
    )
    """

    __constants__ = ["batch_first"]
    bias_k: Tensor | None
    bias_v: Tensor | None

    def __init__(
        self,
        embed_dim: int,
        num_heads: int,
        dropout: float = 0.0,
        bias: bool = True,
        add_bias_kv: bool = False,
        add_zero_attn: bool = False,
        kdim: int | None = None,
        vdim: int | None = None,
        batch_first: bool = False,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        if embed_dim <= 0 or num_heads <= 0:
            raise ValueError(
                f"embed_dim and num_heads must be greater than 0, got embed_dim={embed_dim} and num_heads={num_heads} "
                "instead"
            )
        super().__init__()
        self.embed_dim = embed_dim
        self.kdim = kdim if kdim is not None else embed_dim
        self.vdim = vdim if vdim is not None else embed_dim
        self._qkv_same_embed_dim = self.kdim == embed_dim and self.vdim == embed_dim
        self.num_heads = num_heads
        self.dropout = dropout
        self.batch_first = batch_first
        self.head_dim = embed_dim // num_heads
        if self.head_dim * num_heads != embed_dim:
            raise AssertionError("embed_dim must be divisible by num_heads")
        self._make_input_projections(bias, device, dtype)
        self.out_proj = NonDynamicallyQuantizableLinear(embed_dim, embed_dim, bias, device, dtype)
        for name in ("bias_k", "bias_v"):
            setattr(self, name, new_parameter((1, 1, embed_dim), device, dtype) if add_bias_kv else None)
        self.add_zero_attn = add_zero_attn
        self._reset_parameters()

    def _make_input_projections(self, bias: bool, device: Any, dtype: Any) -> None:
        size = self.embed_dim
        shapes: dict[str, tuple[int, ...]] = {"in_proj_weight": (3 * size, size)}
        if not self._qkv_same_embed_dim:
            shapes = {
                "q_proj_weight": (size, size),
                "k_proj_weight": (size, self.kdim),
                "v_proj_weight": (size, self.vdim),
            }
        for name, shape in shapes.items():
            self.register_parameter(name, new_parameter(shape, device, dtype))
        for name in ("in_proj_weight", "q_proj_weight", "k_proj_weight", "v_proj_weight"):
            if name not in shapes:
                self.register_parameter(name, None)
        self.register_parameter("in_proj_bias", new_parameter((3 * size,), device, dtype) if bias else None)

    def _reset_parameters(self) -> None:
        for weight in (self.in_proj_weight, self.q_proj_weight, self.k_proj_weight, self.v_proj_weight):
            if weight is not None:
                init.xavier_uniform_(weight)
        if self.in_proj_bias is not None:
            init.constant_(self.in_proj_bias, 0.0)
            init.constant_(self.out_proj.bias, 0.0)
        for bias in (self.bias_k, self.bias_v):
            if bias is not None:
                init.xavier_normal_(bias)

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__({"_qkv_same_embed_dim": True} | state)

    def forward(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        key_padding_mask: Tensor | None = None,
        need_weights: bool = True,
        attn_mask: Tensor | None = None,
        average_attn_weights: bool = True,
        is_causal: bool = False,
    ) -> tuple[Tensor, Tensor | None]:
        """The attended values and, with `need_weights`, the weights. Masks: True or -inf where not to look."""
        other = None if attn_mask is None else attn_mask.dtype
        key_padding_mask = canonical_mask(key_padding_mask, "key_padding_mask", other, "attn_mask", query.dtype)
        attn_mask = canonical_mask(attn_mask, "attn_mask", None, "", query.dtype, check_other=False)
        swap = self.batch_first and query.dim() == 3
        if swap:
            query, key, value = _transposed(query, key, value)
        separate: dict[str, Any] = {}
        if not self._qkv_same_embed_dim:
            separate = {name: getattr(self, name) for name in ("q_proj_weight", "k_proj_weight", "v_proj_weight")}
            separate["use_separate_proj_weight"] = True
        output, weights = F.multi_head_attention_forward(
            query,
            key,
            value,
            self.embed_dim,
            self.num_heads,
            self.in_proj_weight,
            self.in_proj_bias,
            self.bias_k,
            self.bias_v,
            self.add_zero_attn,
            self.dropout,
            self.out_proj.weight,
            self.out_proj.bias,
            training=self.training,
            key_padding_mask=key_padding_mask,
            need_weights=need_weights,
            attn_mask=attn_mask,
            average_attn_weights=average_attn_weights,
            is_causal=is_causal,
            **separate,
        )
        return (output.transpose(1, 0) if swap else output), weights

    def merge_masks(
        self, attn_mask: Tensor | None, key_padding_mask: Tensor | None, query: Tensor
    ) -> tuple[Tensor | None, int | None]:
        """Both masks as one, and its kind: 1 padding alone, (N, L); 2 with `attn_mask`, (N, heads, L, L)."""
        if attn_mask is None:
            return key_padding_mask, None if key_padding_mask is None else 1
        batch, length, _ = query.shape
        if attn_mask.dim() == 3:
            merged = attn_mask.view(batch, -1, length, length)
        else:
            merged = attn_mask.view(1, 1, length, length).expand(batch, self.num_heads, -1, -1)
        if key_padding_mask is not None:
            merged = merged + key_padding_mask.view(batch, 1, 1, length).expand(-1, self.num_heads, -1, -1)
        return merged, 2


def _transposed(query: Tensor, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Batch and time swapped; what was one tensor stays one, so that its projections are made together."""
    swapped = query.transpose(1, 0)
    swapped_key = swapped if key is query else key.transpose(1, 0)
    return swapped, swapped_key, swapped_key if value is key else value.transpose(1, 0)


_CHOICE = "rushlight.nn.attention_backend"
__getattr__ = missing(
    __name__,
    {name: f"{_CHOICE}:{name}" for name in ("SDPBackend", "sdpa_kernel")}
    | {"flex_attention": f"{__name__}.flex_attention", "bias": f"{__name__}.bias"},
)

# `torch.nn.attention` is a package: `torch.nn.attention.flex_attention` is found beside this file.
__path__ = [os.path.dirname(__file__)]
