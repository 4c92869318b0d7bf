"""Attention: the scaled dot product, and the multi-head form with its projections (Vaswani et al. 2017).

Without dropout, attention of four-dimensional operands is one operation, which never has all scores in memory
(`attention_blocks.py`); where the weights are few they are kept for the derivative (`attention_kept.py`).  All else is
composed of matrix products and `safe_softmax`.
"""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np

from rushlight.core import dtype as dtypes
from rushlight.core.strided import contiguous_strides, elementwise_strides, is_non_overlapping_and_dense
from rushlight.record.operation import one, operation
from rushlight.record.spec import Spec, spec_of
from rushlight.record.trace import apply, recorder, settle
from rushlight.record.value import Tensor

from .attention_blocks import ROWS, STRETCHES, attention, attention_backward
from .attention_kept import keeping, keeping_backward, keeping_backward_by_heads, keeping_by_heads
from .creation import wrap
from .dropout import dropout
from .joining import cat
from .matmul import bmm, linear, matmul
from .padding import pad
from .public import public
from .selection import where
from .softmax import SAFE_SOFTMAX, SOFTMAX_BACKWARD, softmax
from .triangle import TRIL

# ---------------------------------------------------------------------------------------------------------------------
# One operation


def _causal(rows: int, columns: int) -> np.ndarray:
    return np.tril(np.ones((rows, columns), bool))


def _causal_scores(scores: Any) -> Any:
    """-inf where a query would look at what comes after it."""
    return np.where(_causal(*scores.shape[-2:]), scores, scores.dtype.type(-np.inf))


def _causal_scores_by_place(scores: Any) -> Any:
    """The same for the compiler, which knows no arrays of constants: a comparison of row and column."""
    row, column = (scores.counted(n) for n in scores.shape[-2:])
    return np.where(column <= row[:, None], scores, scores.dtype.type(-np.inf))


CAUSAL = operation("causal_scores", one, _causal_scores)
CAUSAL.lower = _causal_scores_by_place
CAUSAL.gradient(scores=lambda g: apply(TRIL, (g,), (0,)))


def _like_query(q: Spec, v: Spec) -> Spec:
    """The result lies as the queries do: heads that were split off a row of numbers are joined again for nothing."""
    shape = (*q.shape[:-1], v.shape[-1])
    if shape == q.shape and is_non_overlapping_and_dense(shape, q.strides):
        return spec_of(shape, q.dtype, q.strides)
    return spec_of(shape, q.dtype, elementwise_strides([(shape, q.strides)], shape))


def _attention_spec(q: Spec, k: Spec, v: Spec, mask: Any, scale: Any, *, causal: bool) -> tuple[Spec, ...]:
    lse = dtypes.float64 if q.dtype is dtypes.float64 else dtypes.float32
    return _like_query(q, v), spec_of(q.shape[:-1], lse)


def _back_specs(*operands: Spec) -> tuple[Spec, ...]:
    """Gradients lie with the heads of a place beside one another."""
    return tuple(spec_of(x.shape, x.dtype, _heads_inside(x.shape)) for x in operands)


def _heads_inside(shape: tuple[int, ...]) -> tuple[int, ...]:
    images, heads, length, width = contiguous_strides((shape[0], shape[2], shape[1], shape[3]))
    return images, length, heads, width


def _back_spec(g: Spec, q: Spec, k: Spec, v: Spec, mask: Any, scale: Any, out: Spec, lse: Spec, *,
               causal: bool) -> tuple[Spec, ...]:  # fmt: skip
    return _back_specs(q, k, v)


def _attention_rule(
    g: Any, results: Any, needs: Any, q: Tensor, k: Tensor, v: Tensor, mask: Any, scale: Any, causal: bool
) -> tuple[Any, ...]:
    if not recorder().tracking:
        operands = (g[0], q, k, v, mask, scale, results[0], results[1])
        return (*apply(ATTENTION_BACK, operands, (causal,)), None, None)
    return _differentiable(g[0], q, k, v, mask, scale, causal)


def _differentiable(
    g: Tensor, q: Tensor, k: Tensor, v: Tensor, mask: Any, scale: Any, causal: bool
) -> tuple[Any, ...]:
    """The same in operations that have derivatives themselves."""
    weights = apply(SAFE_SOFTMAX, (_masked_scores(q, k, mask, scale, causal),), (q._value.spec.ndim - 1,))
    of_v = matmul(weights.transpose(-1, -2), g)
    of_weights = matmul(g, v.transpose(-1, -2))
    of_scores = apply(SOFTMAX_BACKWARD, (of_weights, weights), (q._value.spec.ndim - 1,)) * scale
    return matmul(of_scores, k), matmul(of_scores.transpose(-1, -2), q), of_v, None, None


def _masked_scores(q: Tensor, k: Tensor, mask: Any, scale: Any, causal: bool) -> Tensor:
    scores = matmul(q, k.transpose(-1, -2)) * scale
    if causal:
        scores = apply(CAUSAL, (scores,))
    if mask is not None:
        is_bool = mask._value.spec.dtype is dtypes.bool_
        scores = where(mask, scores, -math.inf) if is_bool else scores + mask
    return scores


ATTENTION_BACK = operation("scaled_dot_product_attention_backward", _back_spec, attention_backward)
ATTENTION = operation(
    "scaled_dot_product_attention",
    _attention_spec,
    attention,
    node="ScaledDotProductFlashAttentionForCpuBackward0",
).gradient(_attention_rule)
ATTENTION.shown = lambda pairs: pairs[:3]

# The same with the weights as a second result, which only the derivative reads


def _keeping_rule(
    g: Any, results: Any, needs: Any, q: Tensor, k: Tensor, v: Tensor, mask: Any, scale: Any, causal: bool
) -> tuple[Any, ...]:
    if not recorder().tracking:
        return (*apply(KEEPING_BACK, (g[0], q, k, v, results[1], scale)), None, None)
    return _differentiable(g[0], q, k, v, mask, scale, causal)


KEEPING_BACK = operation(
    "attention_keeping_weights_backward",
    lambda g, q, k, v, weights, scale: _back_specs(q, k, v),
    keeping_backward,
)
KEEPING_BACK.lower = keeping_backward_by_heads
KEEPING = operation(
    "attention_keeping_weights",
    lambda q, k, v, mask, scale, *, causal: (
        _like_query(q, v),
        spec_of((*q.shape[:-1], k.shape[-2]), q.dtype),
    ),
    keeping,
    node="ScaledDotProductFlashAttentionForCpuBackward0",
).gradient(_keeping_rule)
KEEPING.lower = keeping_by_heads
KEEPING.shown = lambda pairs: pairs[:3]
LONGEST = 8  # weights are kept if they are no more than so many times the queries' numbers


def _keeps(query: Tensor, key: Tensor, value: Tensor, is_causal: bool) -> bool:
    q = query._value.spec
    if not recorder().tracking or q.dtype not in (dtypes.float32, dtypes.float64):
        return False
    keys = key._value.spec.shape[-2]
    leaves_out = is_causal and keys == q.shape[-2] and keys >= ROWS * STRETCHES  # more than to make the weights again
    return keys <= LONGEST * q.shape[-1] and not leaves_out and any(t._node is not None for t in (query, key, value))


def _check_attention(q: Spec, k: Spec, v: Spec, mask: Any) -> None:
    if min(q.ndim, k.ndim, v.ndim) < 2:
        raise RuntimeError(
            f"Expected query, key, and value to all be  at least 2 dimensional, but got query.dim: {q.ndim} key.dim: "
            f"{k.ndim} and "
            f"value.dim: {v.ndim} instead."
        )
    if not q.dtype is k.dtype is v.dtype:
        names = [_c_name(t) for t in (q, k, v)]
        raise RuntimeError(
            f"Expected query, key, and value to have the same dtype, but got query.dtype: {names[0]} key.dtype: "
            f"{names[1]} and "
            f"value.dtype: {names[2]} instead."
        )
    if mask is not None:
        kind = settle(mask).spec.dtype
        if kind not in (dtypes.bool_, dtypes.float32, q.dtype):
            raise RuntimeError(
                "Expected attn_mask dtype to be bool or float or to match query dtype, but got attn_mask.dtype: "
                f"{_c_name(mask._value.spec)} and  query.dtype: {_c_name(q)} instead."
            )


def _c_name(x: Spec) -> str:
    names = {"float32": "float", "float64": "double", "int64": "long int", "int32": "int", "float16": "c10::Half",
             "bfloat16": "c10::BFloat16"}  # fmt: skip
    return names.get(x.dtype.name, x.dtype.name)


@public(function=False, method=False, functional=True)
def scaled_dot_product_attention(query: Tensor, key: Tensor, value: Tensor, attn_mask: Tensor | None = None,
                                 dropout_p: float = 0.0, is_causal: bool = False, scale: float | None = None,
                                 enable_gqa: bool = False) -> Tensor:  # fmt: skip
    """softmax(query @ key.T * scale + mask) @ value
    (https://pytorch.org/docs/stable/generated/torch.nn.functional.scaled_dot_product_attention.html).

    Shapes: query (*, L, E), key (*, S, E), value (*, S, Ev); result (*, L, Ev).  A bool mask says what takes part; a
    float mask is added.  A query that nothing takes part in gives zeros.  `enable_gqa` repeats the heads of key and
    value.
    """
    q, k, v = settle(query).spec, settle(key).spec, settle(value).spec
    _check_attention(q, k, v, attn_mask)
    if enable_gqa:
        if not k.shape[-3] or q.shape[-3] % k.shape[-3] or q.shape[-3] % v.shape[-3]:
            raise RuntimeError("Number of heads in key and value must divide the number of heads in query")
        key = key.repeat_interleave(q.shape[-3] // k.shape[-3], -3)
        value = value.repeat_interleave(q.shape[-3] // v.shape[-3], -3)
    factor = 1 / math.sqrt(q.shape[-1] or 1) if scale is None else float(scale)
    whole = (
        q.ndim == k.ndim == v.ndim == 4
        and not dropout_p
        and q.shape[-1] == k.shape[-1] == v.shape[-1]
        and k.shape[-2] == v.shape[-2]
        and q.shape[:2] == key.shape[:2]
    )
    if whole and (attn_mask is None or attn_mask._node is None or not recorder().tracking):
        if _keeps(query, key, value, is_causal):
            return apply(KEEPING, (query, key, value, attn_mask, factor), (is_causal,))[0]
        return apply(ATTENTION, (query, key, value, attn_mask, factor), (is_causal,))[0]
    if attn_mask is not None and is_causal:
        raise RuntimeError("_scaled_dot_product_attention: Explicit attn_mask should not be set when is_causal=True")
    root = math.sqrt(abs(factor))
    scores = matmul(query * math.copysign(root, factor), key.transpose(-1, -2) * root)
    if is_causal:
        scores = apply(CAUSAL, (scores,))
    if attn_mask is not None:
        is_bool = attn_mask._value.spec.dtype is dtypes.bool_
        scores = where(attn_mask, scores, -math.inf) if is_bool else scores + attn_mask
    weights = apply(SAFE_SOFTMAX, (scores,), (settle(scores).spec.ndim - 1,))
    if dropout_p > 1:
        raise RuntimeError(f"dropout probability has to be between 0 and 1, but got {dropout_p}")
    if dropout_p > 0:
        weights = dropout(weights, dropout_p)
    return matmul(weights, value)


# ---------------------------------------------------------------------------------------------------------------------
# Several heads


def _additive(mask: Tensor | None, name: str, other: Any, kind: Any, check_other: bool = True) -> Tensor | None:
    """A mask as numbers to add to the scores: -inf for True."""
    if mask is None:
        return None
    given = settle(mask).spec.dtype
    if given is not dtypes.bool_ and not given.is_floating_point:
        raise AssertionError(f"only bool and floating types of {name} are supported")
    if check_other and other is not None and settle(other).spec.dtype is not given:
        warnings.warn(
            f"Support for mismatched {name} and {'attn_mask' if name == 'key_padding_mask' else name} is deprecated. "
            f"Use same type "
            "for both instead.",
            stacklevel=4,
        )
    if given.is_floating_point:
        return mask
    return where(mask, -math.inf, wrap(np.zeros((), kind.numpy)))


def _check_shapes(query: Tensor, key: Tensor, value: Tensor, padding: Any, mask: Any, heads: int) -> bool:
    """Whether the operands are a batch; raises AssertionError for shapes that do not go together."""
    n = query.dim()
    if n not in (2, 3):
        raise AssertionError(f"query should be unbatched 2D or batched 3D tensor but received {n}-D query tensor")
    kind = "batched (3-D)" if n == 3 else "unbatched (2-D)"
    if key.dim() != n or value.dim() != n:
        raise AssertionError(
            f"For {kind} `query`, expected `key` and `value` to be {n}-D but found {key.dim()}-D and {value.dim()}-D "
            f"tensors "
            "respectively"
        )
    if padding is not None and padding.dim() != n - 1:
        raise AssertionError(
            f"For {kind} `query`, expected `key_padding_mask` to be `None` or {n - 1}-D but found {padding.dim()}-D "
            f"tensor instead"
        )
    if mask is not None:
        if mask.dim() not in (2, 3):
            raise AssertionError(
                f"For {kind} `query`, expected `attn_mask` to be `None`, 2-D or 3-D but found {mask.dim()}-D tensor "
                f"instead"
            )
        expected = (heads, query.size(0), key.size(0))
        if n == 2 and mask.dim() == 3 and tuple(mask.size()) != expected:
            raise AssertionError(f"Expected `attn_mask` shape to be {expected} but got {mask.size()}")
    return n == 3


def _projected(
    query: Tensor, key: Tensor, value: Tensor, weight: Tensor, bias: Tensor | None
) -> tuple[Tensor, Tensor, Tensor]:
    """Queries, keys and values from one stacked matrix."""
    width = query.size(-1)
    if key is value and query is key:
        packed = linear(query, weight, bias)
        q, k, v = packed.unflatten(-1, (3, width)).unsqueeze(0).transpose(0, -2).squeeze(-2).contiguous().unbind(0)
        return q, k, v
    if key is value:
        w_q, w_kv = weight.split([width, 2 * width])
        b_q, b_kv = (None, None) if bias is None else bias.split([width, 2 * width])
        pair = linear(key, w_kv, b_kv).unflatten(-1, (2, width)).unsqueeze(0).transpose(0, -2).squeeze(-2).contiguous()
        return linear(query, w_q, b_q), pair[0], pair[1]
    weights = weight.chunk(3)
    biases = (None, None, None) if bias is None else bias.chunk(3)
    q, k, v = (linear(t, w, b) for t, w, b in zip((query, key, value), weights, biases, strict=True))
    return q, k, v


def _separately(tensors: tuple[Tensor, ...], weights: tuple[Any, ...], bias: Tensor | None) -> list[Tensor]:
    for w, name in zip(weights, ("q", "k", "v"), strict=True):
        if w is None:
            raise AssertionError(f"use_separate_proj_weight is True but {name}_proj_weight is None")
    biases = (None, None, None) if bias is None else bias.chunk(3)
    return [linear(t, w, b) for t, w, b in zip(tensors, weights, biases, strict=True)]


def _heads_first(t: Tensor, heads: int, width: int) -> Tensor:
    """(L, N, E) as (N * heads, L, width)."""
    return t.reshape(t.size(0), t.size(1) * heads, width).transpose(0, 1)


@public(function=False, method=False, functional=True)
def multi_head_attention_forward(
    query: Tensor, key: Tensor, value: Tensor, embed_dim_to_check: int, num_heads: int, in_proj_weight: Tensor | None,
    in_proj_bias: Tensor | None, bias_k: Tensor | None, bias_v: Tensor | None, add_zero_attn: bool, dropout_p: float,
    out_proj_weight: Tensor, out_proj_bias: Tensor | None, training: bool = True, key_padding_mask: Tensor | None =
    None, need_weights: bool = True, attn_mask: Tensor | None = None, use_separate_proj_weight: bool = False,
    q_proj_weight: Tensor | None = None, k_proj_weight: Tensor | None = None, v_proj_weight: Tensor | None = None,
    static_k: Tensor | None = None, static_v: Tensor | None = None, average_attn_weights: bool = True, is_causal: bool
    = False,
) -> tuple[Tensor, Tensor | None]:  # fmt: skip
    """Multi-head attention with its projections: what `nn.MultiheadAttention` computes.

    Shapes: query (L, N, E) or (L, E), key and value (S, N, E) or (S, E); `key_padding_mask` (N, S), `attn_mask` (L, S)
    or (N * heads, L, S), True or -inf where attention is barred.  Returns the result (L, N, E) and, with
    `need_weights`, the weights (N, L, S), averaged over the heads unless `average_attn_weights` is False.
    """
    batched = _check_shapes(query, key, value, key_padding_mask, attn_mask, num_heads)
    if not batched:
        query, key, value = _as_batch(query, key, value)
        key_padding_mask = None if key_padding_mask is None else key_padding_mask.unsqueeze(0)
    length, batch, width = query.shape
    _check_width(width, embed_dim_to_check, num_heads, is_causal and attn_mask is None)
    head, kind = width // num_heads, settle(query).spec.dtype
    key_padding_mask = _additive(key_padding_mask, "key_padding_mask", attn_mask, kind)
    if is_causal and key_padding_mask is None and not need_weights:
        attn_mask = None
    else:
        attn_mask = _additive(attn_mask, "attn_mask", None, kind, False)
        is_causal = False if key_padding_mask is not None else is_causal
    separate = (q_proj_weight, k_proj_weight, v_proj_weight) if use_separate_proj_weight else None
    q, k, v = _queries_keys_values((query, key, value), in_proj_weight, separate, in_proj_bias)
    if attn_mask is not None:
        attn_mask = _mask_of_heads(attn_mask, (length, key.size(0)), batch * num_heads)
    if bias_k is not None and bias_v is not None:
        k, v = cat([k, bias_k.repeat(1, batch, 1)]), cat([v, bias_v.repeat(1, batch, 1)])
        attn_mask, key_padding_mask = _one_more(attn_mask), _one_more(key_padding_mask)
    q = _heads_first(q, num_heads, head)
    k = _heads_first(k, num_heads, head) if static_k is None else static_k
    v = _heads_first(v, num_heads, head) if static_v is None else static_v
    if add_zero_attn:
        zeros = wrap(np.zeros((batch * num_heads, 1, head), kind.numpy))
        k, v = cat([k, zeros], 1), cat([v, zeros], 1)
        attn_mask, key_padding_mask = _one_more(attn_mask), _one_more(key_padding_mask)
    mask = _joint_mask(attn_mask, key_padding_mask, batch, num_heads, k.size(1))
    p, shown = dropout_p if training else 0.0, None
    if need_weights:
        flat, weights = _keeping_weights(q, k, v, mask, p)
        shown = _shown_weights(weights, batch, num_heads, average_attn_weights, batched)
    else:
        flat = _without_weights(q, k, v, mask, p, is_causal, num_heads)
    result = _joined(flat.view(length * batch, width), out_proj_weight, out_proj_bias, length, batch)
    return (result if batched else result.squeeze(1)), shown


def _as_batch(query: Tensor, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """One sequence each as a batch of one; what was one tensor stays one, so that its projections are made together."""
    wide = query.unsqueeze(1)
    wide_key = wide if key is query else key.unsqueeze(1)
    return wide, wide_key, wide_key if value is key else value.unsqueeze(1)


def _check_width(width: int, expected: int, heads: int, lacks_mask: bool) -> None:
    if width != expected:
        raise AssertionError(f"was expecting embedding dimension of {expected}, but got {width}")
    if width % heads:
        raise AssertionError(f"embed_dim {width} not divisible by num_heads {heads}")
    if lacks_mask:
        raise RuntimeError(
            "Need attn_mask if specifying the is_causal hint. You may use the Transformer module method "
            "`generate_square_subsequent_mask` to create this mask."
        )


def _shown_weights(weights: Tensor, batch: int, heads: int, average: bool, batched: bool) -> Tensor:
    """The weights (N * heads, L, S) as the caller sees them."""
    weights = weights.view(batch, heads, *weights.shape[1:])
    weights = weights.mean(1) if average else weights
    return weights if batched else weights.squeeze(0)


def _queries_keys_values(
    tensors: tuple[Tensor, Tensor, Tensor], stacked: Tensor | None, separate: tuple[Any, ...] | None,
    bias: Tensor | None,
) -> Any:  # fmt: skip
    """The three projections, by one stacked matrix or by three."""
    _, key, value = tensors
    if separate is not None:
        if key.shape[:2] != value.shape[:2]:
            raise AssertionError(
                f"key's sequence and batch dims {key.shape[:2]} do not match value's {value.shape[:2]}"
            )
        return _separately(tensors, separate, bias)
    if key.shape != value.shape:
        raise AssertionError(f"key shape {key.shape} does not match value shape {value.shape}")
    if stacked is None:
        raise AssertionError("use_separate_proj_weight is False but in_proj_weight is None")
    return _projected(*tensors, stacked, bias)


def _keeping_weights(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None, p: float) -> tuple[Tensor, Tensor]:
    """The mixed values (L, N * heads, width), and the weights (N * heads, L, S)."""
    scores = bmm(q * math.sqrt(1.0 / q.size(-1)), k.transpose(-2, -1))
    weights = softmax(scores if mask is None else scores + mask, -1)
    weights = dropout(weights, p) if p > 0 else weights
    return bmm(weights, v).transpose(0, 1).contiguous(), weights


def _without_weights(
    q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None, p: float, is_causal: bool, heads: int
) -> Tensor:
    """The mixed values (L, N, heads, width)."""
    batch, source, width = q.size(0) // heads, k.size(1), q.size(-1)
    if mask is not None:
        mask = mask.unsqueeze(0) if mask.size(0) == 1 else mask.view(batch, heads, -1, source)
    q, k, v = (t.view(batch, heads, -1, width) for t in (q, k, v))
    mixed = scaled_dot_product_attention(q, k, v, mask, p, is_causal and mask is None)
    return mixed.permute(2, 0, 1, 3).contiguous()


def _joined(flat: Tensor, weight: Tensor, bias: Tensor | None, length: int, batch: int) -> Tensor:
    projected = linear(flat, weight, bias)
    return projected.view(length, batch, projected.size(1))


def _mask_of_heads(mask: Tensor, pair: tuple[int, int], heads: int) -> Tensor:
    """The mask with a dimension for the heads of all examples."""
    if mask.dim() == 2:
        if tuple(mask.shape) != pair:
            raise RuntimeError(f"The shape of the 2D attn_mask is {mask.shape}, but should be {pair}.")
        return mask.unsqueeze(0)
    if tuple(mask.shape) != (heads, *pair):
        raise RuntimeError(f"The shape of the 3D attn_mask is {mask.shape}, but should be {(heads, *pair)}.")
    return mask


def _one_more(mask: Tensor | None) -> Tensor | None:
    return None if mask is None else pad(mask, (0, 1))


def _joint_mask(mask: Tensor | None, padding: Tensor | None, batch: int, heads: int, source: int) -> Tensor | None:
    if padding is None:
        return mask
    for d, size in enumerate((batch, source)):
        if padding.shape[d] != size:
            raise AssertionError(f"Expected key_padded_mask.shape[{d}] to be {size}, but got {padding.shape[d]}")
    wide = padding.view(batch, 1, 1, source).expand(-1, heads, -1, -1).reshape(batch * heads, 1, source)
    return wide if mask is None else mask + wide
