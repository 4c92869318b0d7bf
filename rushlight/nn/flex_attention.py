"""torch.nn.attention.flex_attention: attention whose scores a function of the program's own changes.

`score_mod(score, b, h, q_idx, kv_idx)` and `mask_mod(b, h, q_idx, kv_idx)` are written for one score. PyTorch maps
them over all scores; here they are called once, with the scores (B, H, L, S) and with the indices as tensors that
broadcast to them, (B, 1, 1, 1) to (1, 1, 1, S), which is the same for what such functions may do: arithmetic,
comparisons, `where`, and indexing of other tensors. A `BlockMask` says which blocks of scores are masked in full, which
in part and which not; all scores are computed, so it is a mask like another, and saves no work.

Source: https://docs.pytorch.org/docs/stable/nn.attention.flex_attention.html
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import rushlight as torch
from rushlight.core.missing import missing
from rushlight.tensor import Tensor

__all__ = [
    "AuxOutput", "AuxRequest", "BlockMask", "and_masks", "create_block_mask", "create_mask", "flex_attention",
    "noop_mask", "or_masks",
]  # fmt: skip

Mod = Callable[..., Any]
_DEFAULT_SPARSE_BLOCK_SIZE = 128


class AuxRequest(NamedTuple):
    """What `flex_attention` shall give beside its result."""

    lse: bool = False
    max_scores: bool = False


class AuxOutput(NamedTuple):
    """What was asked for: the logarithm of each row's sum of exponentials, and its largest score."""

    lse: Tensor | None = None
    max_scores: Tensor | None = None


# ---------------------------------------------------------------------------------------------------------------------
# Masks


def noop_mask(batch: Any, head: Any, token_q: Any, token_kv: Any) -> Any:
    """Masks nothing."""
    return torch.ones_like(torch.as_tensor(batch), dtype=torch.bool)


def and_masks(*mask_mods: Mod) -> Mod:
    """A mask that lets through what all the others do."""
    return _combined(mask_mods, lambda a, b: a & b, True)


def or_masks(*mask_mods: Mod) -> Mod:
    """A mask that lets through what any of the others does."""
    return _combined(mask_mods, lambda a, b: a | b, False)


def _combined(mask_mods: tuple[Mod, ...], join: Callable[[Any, Any], Any], start: bool) -> Mod:
    if not all(callable(mod) for mod in mask_mods):
        raise RuntimeError(f"All inputs should be callable mask_mods: {mask_mods}")

    def mask(b: Any, h: Any, q_idx: Any, kv_idx: Any) -> Any:
        found = torch.full_like(torch.as_tensor(b), start, dtype=torch.bool)
        for mod in mask_mods:
            found = join(found, mod(b, h, q_idx, kv_idx))
        return found

    return mask


def _indices(B: int, H: int, Q: int, K: int) -> tuple[Tensor, ...]:
    sizes = (B, H, Q, K)
    return tuple(torch.arange(n).view([n if i == d else 1 for i in range(4)]) for d, n in enumerate(sizes))


def create_mask(
    mod_fn: Mod, B: int | None, H: int | None, Q_LEN: int, KV_LEN: int, device: Any = None
) -> Tensor:
    """The mask of a `mask_mod` as a tensor (B, H, Q_LEN, KV_LEN) of bools, None being 1.

    >>> create_mask(lambda b, h, q, k: q >= k, None, None, 2, 3)
    tensor([[[[ True, False, False],
              [ True,  True, False]]]])
    """
    if not callable(mod_fn):
        raise TypeError(f"{mod_fn} is not a callable object")
    shape = (B or 1, H or 1, Q_LEN, KV_LEN)
    found = torch.as_tensor(mod_fn(*_indices(*shape)), dtype=torch.bool)
    return found.broadcast_to(shape)


class BlockMask:
    """A mask by blocks: for each row of blocks, which ones a `mask_mod` masks in part, and which it leaves in full.

    `create_block_mask` makes one of a `mask_mod`, `from_kv_blocks` of the indices of the blocks.

    Attributes:
        kv_num_blocks, kv_indices: how many blocks of a row are masked in part, and which, in front of the others.
        full_kv_num_blocks, full_kv_indices: the same of those that are left in full; None for none.
    """

    def __init__(
        self, partial: Tensor, full: Tensor | None, BLOCK_SIZE: tuple[int, int], mask_mod: Mod,
        seq_lengths: tuple[int, int],
    ) -> None:  # fmt: skip
        self._partial, self._full = partial, full
        self.BLOCK_SIZE, self.mask_mod, self.seq_lengths = BLOCK_SIZE, mask_mod, seq_lengths
        self.kv_num_blocks, self.kv_indices = _ordered(partial)
        self.q_num_blocks, self.q_indices = _ordered(partial.mT)
        self.full_kv_num_blocks: Tensor | None = None
        self.full_kv_indices: Tensor | None = None
        self.full_q_num_blocks: Tensor | None = None
        self.full_q_indices: Tensor | None = None
        if full is not None:
            self.full_kv_num_blocks, self.full_kv_indices = _ordered(full)
            self.full_q_num_blocks, self.full_q_indices = _ordered(full.mT)

    @classmethod
    def from_kv_blocks(
        cls,
        kv_num_blocks: Tensor,
        kv_indices: Tensor,
        full_kv_num_blocks: Tensor | None = None,
        full_kv_indices: Tensor | None = None,
        BLOCK_SIZE: Any = _DEFAULT_SPARSE_BLOCK_SIZE,
        mask_mod: Mod | None = None,
        seq_lengths: tuple[int, int] | None = None,
        compute_q_blocks: bool = True,
    ) -> BlockMask:
        """The mask of these blocks: indices (..., rows, columns), of which the first `num_blocks` (..., rows) count."""
        if kv_indices.dim() < 2:
            raise RuntimeError("BlockMask must have at least 2 dimensions")
        if (full_kv_num_blocks is None) != (full_kv_indices is None):
            raise AssertionError("full_kv_num_blocks and full_kv_indices must be both provided or omitted")
        size = _pair(BLOCK_SIZE)
        partial = _dense(kv_num_blocks, kv_indices)
        full = None if full_kv_num_blocks is None else _dense(full_kv_num_blocks, full_kv_indices)  # type: ignore[arg-type]
        rows, columns = partial.shape[-2:]
        lengths = (rows * size[0], columns * size[1]) if seq_lengths is None else seq_lengths
        return cls(partial, full, size, mask_mod or noop_mask, lengths)

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the mask: (B, H, Q_LEN, KV_LEN)."""
        return (*self._partial.shape[:-2], *self.seq_lengths)

    def numel(self) -> int:
        """How many scores the mask is for."""
        return math.prod(self.shape)

    def to_dense(self) -> Tensor:
        """1 for each block that is not masked in full, (B, H, rows, columns)."""
        found = self._partial if self._full is None else self._partial | self._full
        return found.to(torch.int32)

    def sparsity(self) -> float:
        """How many percent of the scores lie in blocks that are masked in full (below 0 where blocks stand out)."""
        kept = int(self.to_dense().sum()) * self.BLOCK_SIZE[0] * self.BLOCK_SIZE[1]
        return 100 * (1 - kept / self.numel())

    def to(self, device: Any) -> BlockMask:
        """The mask itself: there is one device."""
        torch.empty(0, device=device)  # raises for another
        return self

    def __getitem__(self, index: Any) -> BlockMask:
        """The mask of some batches, heads and rows of blocks."""
        full = None if self._full is None else self._full[index]
        found = self._partial[index]
        rows = min(found.shape[-2] * self.BLOCK_SIZE[0], self.seq_lengths[0])
        return BlockMask(found, full, self.BLOCK_SIZE, self.mask_mod, (rows, self.seq_lengths[1]))

    def __repr__(self) -> str:
        return f"BlockMask(shape={self.shape}, sparsity={self.sparsity():.2f}%, block_size={self.BLOCK_SIZE})"

    def to_mask(self, shape: tuple[int, ...]) -> Tensor:
        """Which scores of that shape (B, H, L, S) are let through."""
        for mine, wanted in zip(self._partial.shape[-3::-1], shape[-3::-1]):
            if mine not in (1, wanted):
                raise ValueError(f"block_mask of shape {self.shape} does not broadcast to scores of shape {shape}")
        inside = create_mask(self.mask_mod, *shape)
        partial = self._spread(self._partial, shape)
        return inside & partial if self._full is None else (inside & partial) | self._spread(self._full, shape)

    def _spread(self, blocks: Tensor, shape: tuple[int, ...]) -> Tensor:
        """Each block's bool for its scores."""
        wide = blocks.repeat_interleave(self.BLOCK_SIZE[0], -2).repeat_interleave(self.BLOCK_SIZE[1], -1)
        return wide[..., : shape[-2], : shape[-1]]


def _pair(size: Any) -> tuple[int, int]:
    return (size, size) if isinstance(size, int) else tuple(size)


def _ordered(blocks: Tensor) -> tuple[Tensor, Tensor]:
    """How many blocks of each row are chosen, and the columns, the chosen ones first."""
    order = torch.argsort(blocks.to(torch.int32), dim=-1, descending=True, stable=True)
    return blocks.sum(-1).to(torch.int32), order.to(torch.int32)


def _dense(counts: Tensor, indices: Tensor) -> Tensor:
    """The inverse of `_ordered`."""
    chosen = torch.arange(indices.shape[-1]) < counts.unsqueeze(-1)
    return torch.zeros(indices.shape, dtype=torch.bool).scatter(-1, indices.long(), chosen)


def create_block_mask(
    mask_mod: Mod,
    B: int | None,
    H: int | None,
    Q_LEN: int,
    KV_LEN: int,
    device: Any = None,
    BLOCK_SIZE: Any = _DEFAULT_SPARSE_BLOCK_SIZE,
    _compile: bool = False,
    separate_full_blocks: bool = True,
) -> BlockMask:
    """The mask of a `mask_mod` by blocks; B and H None where it does not depend on them.

    >>> mask = create_block_mask(lambda b, h, q, k: q >= k, None, None, 256, 256)
    >>> mask.to_dense()[0, 0], mask.sparsity()
    (tensor([[1, 0],
            [1, 1]], dtype=torch.int32), 25.0)
    """
    mask = create_mask(mask_mod, B, H, Q_LEN, KV_LEN)
    rows, columns = size = _pair(BLOCK_SIZE)
    padded = torch.nn.functional.pad(mask, (0, -KV_LEN % columns, 0, -Q_LEN % rows))
    blocks = padded.unflatten(-1, (-1, columns)).unflatten(2, (-1, rows))
    kept = blocks.sum((3, 5))
    if not separate_full_blocks:
        return BlockMask(kept > 0, None, size, mask_mod, (Q_LEN, KV_LEN))
    full = kept == rows * columns
    return BlockMask((kept > 0) & ~full, full, size, mask_mod, (Q_LEN, KV_LEN))


# ---------------------------------------------------------------------------------------------------------------------
# Attention


def flex_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    score_mod: Mod | None = None,
    block_mask: BlockMask | None = None,
    scale: float | None = None,
    enable_gqa: bool = False,
    return_lse: bool = False,
    kernel_options: Any = None,
    *,
    return_aux: AuxRequest | None = None,
) -> Any:
    """softmax(score_mod(scale query key')) value, with the scores that `block_mask` masks left out.

    Shapes: query (B, H, L, E), key (B, H or with `enable_gqa` a divisor of it, S, E), value (B, the same, S, V), to
    (B, H, L, V). A row that is masked in full gives zeros.

    Args:
        scale: 1 / sqrt(E), if not given.
        return_lse: also give the logarithm of each row's sum of exponentials, (B, H, L).
        return_aux: what to give besides, as an `AuxOutput`.
        kernel_options: accepted.

    >>> q = torch.randn(1, 2, 4, 8)
    >>> causal = lambda score, b, h, q_idx, kv_idx: torch.where(q_idx >= kv_idx, score, -float("inf"))
    >>> expected = torch.nn.functional.scaled_dot_product_attention(q, q, q, is_causal=True)
    >>> torch.allclose(flex_attention(q, q, q, score_mod=causal), expected, atol=1e-6)
    True
    """
    _check(query, key, value, block_mask, enable_gqa)
    key, value = _for_each_head(key, query), _for_each_head(value, query)
    factor = 1 / math.sqrt(query.shape[-1]) if scale is None else scale
    wide = torch.promote_types(query.dtype, torch.float32)
    scores = (query.to(wide) @ key.mT.to(wide)) * factor
    if score_mod is not None:
        scores = torch.as_tensor(score_mod(scores, *_indices(*scores.shape))).broadcast_to(scores.shape)
    if block_mask is not None:
        scores = scores.masked_fill(~block_mask.to_mask(tuple(scores.shape)), -math.inf)
    largest = scores.amax(-1)
    empty = (largest == -math.inf).unsqueeze(-1)
    lse = scores.logsumexp(-1)
    weights = scores.masked_fill(empty, 0.0).softmax(-1).masked_fill(empty, 0.0)
    found = (weights.to(value.dtype) @ value).to(query.dtype)
    if return_aux is not None:
        return found, AuxOutput(lse if return_aux.lse else None, largest if return_aux.max_scores else None)
    return (found, lse) if return_lse else found


def _for_each_head(t: Tensor, query: Tensor) -> Tensor:
    return t if t.shape[1] == query.shape[1] else t.repeat_interleave(query.shape[1] // t.shape[1], 1)


def _check(query: Tensor, key: Tensor, value: Tensor, mask: BlockMask | None, grouped: bool) -> None:
    if not query.dim() == key.dim() == value.dim() == 4:
        raise NotImplementedError("NYI: query, key, and value must be 4D tensors")
    heads, others = query.shape[1], key.shape[1]
    if heads != others and not grouped:
        raise ValueError(
            "Expect query and key/value to have the same number of heads but got "
            f"Hq={heads} and Hkv={others}. Try setting enable_gqa=True for GQA."
        )
    if heads % others:
        raise ValueError(
            "Expect number of query heads to be a multiple of kv heads for GQA but got "
            f"Hq={heads} and Hkv={others}."
        )
    length, other_length = query.shape[2], key.shape[2]
    if mask is not None and (mask.seq_lengths[0] < length or mask.seq_lengths[1] < other_length):
        raise ValueError(
            f"block_mask was created for block_mask.shape={mask.shape} but got q_len={length} and "
            f"kv_len={other_length}. As the block mask was created for a smaller length than you're using it for, you "
            "likely need to create a new block mask."
        )


__getattr__ = missing(__name__, home="torch.nn.attention.flex_attention")
