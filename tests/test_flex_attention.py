"""`torch.nn.attention.flex_attention`: against attention with the same mask, and PyTorch where it is installed."""

from __future__ import annotations

import importlib
import math
import subprocess
import sys
import warnings
from typing import Any

import numpy as np
import pytest

import rushlight as torch
from rushlight.nn.attention import flex_attention as fa
from rushlight.nn.functional import scaled_dot_product_attention as sdpa


def causal(b: Any, h: Any, q: Any, k: Any) -> Any:
    return q >= k


def near(b: Any, h: Any, q: Any, k: Any) -> Any:
    return (q - k).abs() < 3


def qkv(t: Any = torch, heads: int = 4, length: int = 6) -> list[Any]:
    rng = np.random.default_rng(0)
    shapes = ((2, 4, 6, 8), (2, heads, length, 8), (2, heads, length, 5))
    return [t.from_numpy(rng.standard_normal(s)).requires_grad_() for s in shapes]


def close(a: Any, b: Any) -> None:
    np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), rtol=1e-9, atol=1e-12)


def test_masks_and_scores() -> None:
    q, k, v = qkv()
    close(fa.flex_attention(q, k, v), sdpa(q, k, v))
    close(fa.flex_attention(q, k, v, scale=0.2), sdpa(q, k, v, scale=0.2))
    block = fa.create_block_mask(causal, None, None, 6, 6, BLOCK_SIZE=4)
    close(fa.flex_attention(q, k, v, block_mask=block), sdpa(q, k, v, is_causal=True))
    slopes = torch.tensor([0.5, 0.25, 0.1, 0.0], dtype=torch.float64)
    bias = slopes[:, None, None] * (torch.arange(6)[None, :] - torch.arange(6)[:, None])
    close(fa.flex_attention(q, k, v, lambda s, b, h, i, j: s + slopes[h] * (j - i)), sdpa(q, k, v, attn_mask=bias))
    documents = torch.tensor([0, 0, 1, 1, 1, 2])
    both = fa.and_masks(causal, lambda b, h, i, j: documents[i] == documents[j])
    mask = torch.tril(documents[:, None] == documents[None])
    found = fa.flex_attention(q, k, v, block_mask=fa.create_block_mask(both, None, None, 6, 6, BLOCK_SIZE=2))
    close(found, sdpa(q, k, v, attn_mask=mask))
    either = fa.create_mask(fa.or_masks(causal, near), None, None, 6, 6)
    distance = torch.arange(6)[:, None] - torch.arange(6)[None]
    assert torch.equal(either[0, 0], (distance >= 0) | (distance.abs() < 3))
    everything = fa.create_mask(fa.noop_mask, 2, None, 3, 4)
    assert everything.all() and everything.shape == (2, 1, 3, 4)


def test_gradients_and_what_comes_besides() -> None:
    q, k, v = qkv()
    block = fa.create_block_mask(causal, None, None, 6, 6)
    grads = [torch.autograd.grad(t.sin().sum(), (q, k, v)) for t in (
        fa.flex_attention(q, k, v, block_mask=block), sdpa(q, k, v, is_causal=True))]  # fmt: skip
    for a, b in zip(*grads, strict=True):
        close(a, b)
    found, lse = fa.flex_attention(q, k, v, return_lse=True)
    scores = q @ k.mT / math.sqrt(8)
    close(lse, scores.logsumexp(-1))
    found, aux = fa.flex_attention(q, k, v, return_aux=fa.AuxRequest(lse=True, max_scores=True))
    close(aux.lse, lse)
    close(aux.max_scores, scores.amax(-1))
    assert fa.flex_attention(q, k, v, return_aux=fa.AuxRequest())[1] == (None, None)


def test_grouped_heads_and_other_lengths() -> None:
    q, k, v = qkv(heads=2, length=9)
    close(fa.flex_attention(q, k, v, enable_gqa=True), sdpa(q, k, v, enable_gqa=True))
    with pytest.raises(ValueError, match="enable_gqa=True for GQA"):
        fa.flex_attention(q, k, v)
    with pytest.raises(ValueError, match="multiple of kv heads"):
        fa.flex_attention(q[:, :3], k, v, enable_gqa=True)
    with pytest.raises(NotImplementedError, match="4D tensors"):
        fa.flex_attention(q[0], k, v)
    with pytest.raises(ValueError, match="smaller length"):
        fa.flex_attention(q, k, v, enable_gqa=True, block_mask=fa.create_block_mask(causal, None, None, 6, 6))
    with pytest.raises(ValueError, match="does not broadcast"):
        fa.flex_attention(q, k, v, enable_gqa=True, block_mask=fa.create_block_mask(causal, 3, None, 6, 9))
    with pytest.raises(TypeError, match="is not a callable"):
        fa.create_block_mask(3, None, None, 6, 6)
    with pytest.raises(RuntimeError, match="All inputs should be callable"):
        fa.and_masks(causal, 3)


def test_a_row_without_keys_gives_zeros() -> None:
    q, k, v = qkv()
    block = fa.create_block_mask(lambda b, h, i, j: i > j, None, None, 6, 6)
    found = fa.flex_attention(q, k, v, block_mask=block)
    assert (found[:, :, 0] == 0).all() and found.isfinite().all()
    found.sum().backward()
    assert q.grad.isfinite().all() and (q.grad[:, :, 0] == 0).all()
    half = [t.detach().half() for t in (q, k, v)]
    assert fa.flex_attention(*half, block_mask=block).dtype is torch.float16


def test_blocks() -> None:
    block = fa.create_block_mask(causal, None, None, 6, 6, BLOCK_SIZE=2)
    assert block.shape == (1, 1, 6, 6) and block.numel() == 36 and block.BLOCK_SIZE == (2, 2)
    assert block.to_dense()[0, 0].tolist() == [[1, 0, 0], [1, 1, 0], [1, 1, 1]] and round(block.sparsity(), 2) == 33.33
    assert block.kv_num_blocks.tolist() == [[[1, 1, 1]]] and block.kv_indices[0, 0, :, 0].tolist() == [0, 1, 2]
    assert block.full_kv_num_blocks.tolist() == [[[0, 1, 2]]] and block.full_kv_indices[0, 0, 2, :2].tolist() == [0, 1]
    assert block.full_q_num_blocks.tolist() == [[[2, 1, 0]]]
    assert "sparsity=33.33%" in repr(block) and block.to("cpu") is block
    again = fa.BlockMask.from_kv_blocks(
        block.kv_num_blocks, block.kv_indices, block.full_kv_num_blocks, block.full_kv_indices, 2, causal
    )
    assert again.seq_lengths == (6, 6) and torch.equal(again.to_dense(), block.to_dense())
    q, k, v = qkv()
    close(fa.flex_attention(q, k, v, block_mask=again), sdpa(q, k, v, is_causal=True))
    whole = fa.BlockMask.from_kv_blocks(torch.tensor([[[1, 1]]]), torch.tensor([[[[1, 0], [0, 1]]]]), BLOCK_SIZE=3)
    far = torch.tensor([[0, 1], [1, 0]], dtype=torch.bool).repeat_interleave(3, 0).repeat_interleave(3, 1)
    close(fa.flex_attention(q, k, v, block_mask=whole), sdpa(q, k, v, attn_mask=far))
    one = fa.create_block_mask(causal, None, None, 6, 6, BLOCK_SIZE=4, separate_full_blocks=False)
    assert one.full_kv_num_blocks is None and one.kv_num_blocks.tolist() == [[[1, 2]]]
    assert fa.create_block_mask(causal, 2, 4, 6, 6, BLOCK_SIZE=2)[1, 2].shape == (6, 6)
    with pytest.raises(RuntimeError, match="at least 2 dimensions"):
        fa.BlockMask.from_kv_blocks(torch.tensor(1), torch.tensor([1]))
    with pytest.raises(AssertionError, match="both provided or omitted"):
        fa.BlockMask.from_kv_blocks(block.kv_num_blocks, block.kv_indices, block.kv_num_blocks)


def test_it_is_found_where_pytorch_has_it() -> None:
    program = (
        "import rushlight; rushlight.install()\n"
        "from torch.nn.attention.flex_attention import flex_attention\n"
        "import torch.nn.attention as attention\n"
        "assert attention.flex_attention.flex_attention is flex_attention and attention.sdpa_kernel\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_it_is_pytorchs() -> None:
    pytorch = pytest.importorskip("torch")
    theirs = importlib.import_module("torch.nn.attention.flex_attention")
    found = []
    for t, module in ((torch, fa), (pytorch, theirs)):
        slopes = t.tensor([0.5, 0.25, 0.1, 0.0], dtype=t.float64)

        def shifted(score: Any, b: Any, h: Any, i: Any, j: Any, slopes: Any = slopes, t: Any = t) -> Any:
            return t.where(i % 2 == 0, score + slopes[h] * (j - i), score * 0.5 + b)

        q, k, v = (x.detach() for x in qkv(t, 2))
        mask = module.create_block_mask(module.and_masks(causal, near), 2, 4, 6, 6, device="cpu", BLOCK_SIZE=4)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            result, lse = module.flex_attention(q, k, v, shifted, mask, 0.3, True, True)
        blocks = [mask.kv_num_blocks, mask.kv_indices, mask.full_kv_num_blocks, mask.full_q_num_blocks, mask.q_indices]
        found.append([result, lse, mask.to_dense(), *blocks])
        found[-1].append(t.tensor(mask.sparsity()))
    for a, b in zip(*found, strict=True):
        np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-9, atol=1e-12)
