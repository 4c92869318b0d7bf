"""Rows of `ops.embedding`, `ops.attention`, `ops.distance`, `ops.products` and `linear`."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from . import Case

INDICES = np.array([[1, 4, 1], [0, 2, 4]])
FLAT, OFFSETS = np.array([1, 2, 4, 3, 1, 0]), np.array([0, 2, 2])


def _embedding(torch: Any, weight: Any, **options: Any) -> Any:
    return torch.nn.functional.embedding(torch.tensor(INDICES), weight, **options)


def _bags(mode: str) -> Case:
    def call(torch: Any, weight: Any) -> Any:
        return torch.nn.functional.embedding_bag(torch.tensor(FLAT), weight, torch.tensor(OFFSETS), mode=mode)

    def reference(weight: np.ndarray) -> np.ndarray:
        choose = {"sum": np.sum, "mean": np.mean, "max": np.max}[mode]
        return np.stack([choose(weight[FLAT[:2]], 0), np.zeros(3), choose(weight[FLAT[2:]], 0)])

    return Case(f"nn.functional.embedding_bag [{mode}]", call, [(5, 3)], reference)


def _softmax(x: np.ndarray) -> np.ndarray:
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def _attention(q: np.ndarray, k: np.ndarray, v: np.ndarray, mask: Any = 0.0) -> np.ndarray:
    return _softmax(q @ k.swapaxes(-1, -2) / math.sqrt(q.shape[-1]) + mask) @ v


def _heads(torch: Any, x: Any, w: Any, b: Any, out: Any) -> Any:
    return torch.nn.functional.multi_head_attention_forward(
        x, x, x, 4, 2, w, b, None, None, False, 0.0, out, None, need_weights=False
    )[0]


def _heads_by_hand(x: np.ndarray, w: np.ndarray, b: np.ndarray, out: np.ndarray) -> np.ndarray:
    q, k, v = np.split(x @ w.T + b, 3, -1)
    mixed = np.empty_like(q)
    for h in (slice(0, 2), slice(2, 4)):
        parts = [t[..., h].swapaxes(0, 1) for t in (q, k, v)]
        mixed[..., h] = _attention(*parts).swapaxes(0, 1)
    return mixed @ out.T


def _pairs(x: np.ndarray, y: np.ndarray, p: float) -> np.ndarray:
    return np.linalg.norm(x[..., :, None, :] - y[..., None, :, :], ord=p, axis=-1)


def _einsum(equation: str, *shapes: tuple[int, ...]) -> Case:
    return Case(
        f"einsum [{equation}]",
        lambda torch, *t: torch.einsum(equation, *t),
        list(shapes),
        lambda *a: np.einsum(equation, *a),
        rtol=1e-4,
        atol=1e-4,
    )


CAUSAL = np.where(np.tril(np.ones((4, 4), bool)), 0.0, -np.inf)

CASES = [
    Case("nn.functional.embedding", _embedding, [(5, 3)], lambda w: w[INDICES]),
    Case(
        "nn.functional.embedding [frequency]",
        _embedding,
        [(5, 3)],
        lambda w: w[INDICES],
        kwargs={"scale_grad_by_freq": True},
        gradient=False,
    ),
    _bags("sum"),
    _bags("mean"),
    _bags("max"),
    Case(
        "nn.functional.embedding_bag [weights]",
        lambda torch, w, s: torch.nn.functional.embedding_bag(
            torch.tensor(INDICES), w, mode="sum", per_sample_weights=s
        ),
        [(5, 3), (2, 3)],
        lambda w, s: (w[INDICES] * s[..., None]).sum(1),
    ),
    Case(
        "nn.functional.scaled_dot_product_attention",
        None,
        [(2, 2, 3, 4), (2, 2, 5, 4), (2, 2, 5, 4)],
        _attention,
        rtol=1e-4,
        atol=1e-4,
    ),
    Case(
        "nn.functional.scaled_dot_product_attention [causal]",
        None,
        [(1, 2, 4, 3)] * 3,
        lambda q, k, v: _attention(q, k, v, CAUSAL),
        kwargs={"is_causal": True},
        rtol=1e-4,
        atol=1e-4,
    ),
    Case(
        "nn.functional.scaled_dot_product_attention [long]",
        None,
        [(1, 1, 9, 1)] * 3,
        lambda q, k, v: _attention(q, k, v, np.where(np.tril(np.ones((9, 9), bool)), 0.0, -np.inf)),
        kwargs={"is_causal": True},
        rtol=1e-4,
        atol=1e-4,
    ),
    Case(
        "nn.functional.scaled_dot_product_attention [mask]",
        None,
        [(2, 3, 4), (2, 5, 4), (2, 5, 4), (3, 5)],
        _attention,
        rtol=1e-4,
        atol=1e-4,
    ),
    Case(
        "nn.functional.multi_head_attention_forward",
        _heads,
        [(3, 2, 4), (12, 4), (12,), (4, 4)],
        _heads_by_hand,
        rtol=1e-4,
        atol=1e-4,
    ),
    Case(
        "cosine_similarity",
        None,
        [(3, 4), (3, 4)],
        lambda x, y: (x * y).sum(1) / np.sqrt((x * x).sum(1) * (y * y).sum(1)),
    ),
    Case("pairwise_distance", None, [(3, 4), (3, 4)], lambda x, y: np.sqrt(((x - y + 1e-6) ** 2).sum(1))),
    *[
        Case(
            f"cdist [{p}]",
            None,
            [(2, 3, 4), (2, 5, 4)],
            lambda x, y, p=p: _pairs(x, y, p),
            args=(p,),
            rtol=1e-4,
            atol=1e-4,
        )
        for p in (1.0, 2.0, 3.0, math.inf)
    ],
    *[
        Case(
            f"pdist [{p}]",
            None,
            [(4, 3)],
            lambda x, p=p: _pairs(x, x, p)[np.triu_indices(4, 1)],
            args=(p,),
            rtol=1e-4,
            atol=1e-4,
        )
        for p in (1.0, 2.0, 3.0, math.inf)
    ],
    Case("nn.functional.linear", None, [(3, 4), (2, 4), (2,)], lambda x, w, b: x @ w.T + b, rtol=1e-4, atol=1e-4),
    Case(
        "nn.functional.linear [batch]",
        None,
        [(2, 3, 4), (2, 4), (2,)],
        lambda x, w, b: x @ w.T + b,
        rtol=1e-4,
        atol=1e-4,
    ),
    Case("nn.functional.linear [plain]", None, [(2, 3, 4), (2, 4)], lambda x, w: x @ w.T, rtol=1e-4, atol=1e-4),
    Case(
        "nn.functional.linear [vector]", None, [(4,), (2, 4), (2,)], lambda x, w, b: x @ w.T + b, rtol=1e-4, atol=1e-4
    ),
    Case(
        "bilinear",
        None,
        [(3, 2), (3, 4), (5, 2, 4), (5,)],
        lambda x, y, w, b: np.einsum("ni,oij,nj->no", x, w, y) + b,
        rtol=1e-4,
        atol=1e-4,
    ),
    Case(
        "addcmul",
        None,
        [(2, 3), (3,), (2, 1)],
        lambda x, a, b: x + 0.5 * a * b,
        kwargs={"value": 0.5},
        inplace=True,
        out=True,
    ),
    Case(
        "addcdiv",
        None,
        [(2, 3), (3,), (2, 1)],
        lambda x, a, b: x + 0.5 * a / b,
        kwargs={"value": 0.5},
        domain=(0.5, 2),
        inplace=True,
        out=True,
    ),
    Case(
        "addmm",
        None,
        [(3,), (2, 4), (4, 3)],
        lambda c, x, y: 0.5 * c + 2 * (x @ y),
        kwargs={"beta": 0.5, "alpha": 2.0},
        out=True,
        rtol=1e-4,
        atol=1e-4,
    ),
    Case(
        "baddbmm",
        None,
        [(2, 2, 3), (2, 2, 4), (2, 4, 3)],
        lambda c, x, y: 0.5 * c + 2 * (x @ y),
        kwargs={"beta": 0.5, "alpha": 2.0},
        inplace=True,
        out=True,
        rtol=1e-4,
        atol=1e-4,
    ),
    Case(
        "addbmm",
        None,
        [(2, 3), (2, 2, 4), (2, 4, 3)],
        lambda c, x, y: c + (x @ y).sum(0),
        inplace=True,
        out=True,
        rtol=1e-4,
        atol=1e-4,
    ),
    Case(
        "addmv",
        None,
        [(2,), (2, 4), (4,)],
        lambda c, x, y: 0.5 * c + x @ y,
        kwargs={"beta": 0.5},
        inplace=True,
        out=True,
    ),
    Case(
        "addr",
        None,
        [(2, 3), (2,), (3,)],
        lambda c, x, y: c + 3 * np.outer(x, y),
        kwargs={"alpha": 3.0},
        inplace=True,
        out=True,
    ),
    Case("inner", None, [(2, 3), (4, 3)], np.inner, out=True),
    Case("tensordot", None, [(2, 3, 4), (3, 4, 5)], np.tensordot, out=True, rtol=1e-4, atol=1e-4),
    Case(
        "tensordot [lists]",
        None,
        [(2, 3, 4), (4, 2)],
        lambda a, b: np.tensordot(a, b, ([0, 2], [1, 0])),
        kwargs={"dims": ([0, 2], [1, 0])},
        rtol=1e-4,
        atol=1e-4,
    ),
    Case("chain_matmul", None, [(2, 3), (3, 4), (4, 2)], lambda a, b, c: a @ b @ c, rtol=1e-4, atol=1e-4),
    _einsum("ij,jk->ik", (2, 3), (3, 4)),
    _einsum("bij,bjk->bik", (2, 2, 3), (2, 3, 4)),
    _einsum("ii->i", (3, 3)),
    _einsum("ij->", (2, 3)),
    _einsum("i,j->ij", (2,), (3,)),
    _einsum("...ij,...jk", (2, 2, 3), (2, 3, 4)),
    _einsum("bij,bjk,ik->b", (2, 2, 3), (2, 3, 4), (2, 4)),
    _einsum("ij,ij,jk->k", (2, 3), (2, 3), (3, 2)),
    Case(
        "nn.functional.embedding [max_norm]",
        lambda torch, w: torch.nn.functional.embedding(torch.tensor([2, 0]), w * 1, max_norm=1.0),
        [(5, 3)],
        gradient=False,
    ),
    Case(
        "nn.functional.embedding_bag [max, squared]",
        lambda torch, w: (
            torch.nn.functional.embedding_bag(torch.tensor(FLAT), w, torch.tensor(OFFSETS), mode="max") ** 2
        ),
        [(5, 3)],
    ),
]
