"""Functions under their kernels' signatures, and others that are made of operations: `torch.native_layer_norm`,
`torch.func.rearrange`, `torch.nn.functional.grouped_mm`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from . import Case

LOOSE: dict[str, Any] = {"rtol": 1e-4, "atol": 1e-4}
OFFSETS, INDICES = [0, 2, 2], [1, 3, 4, 0]


def _standardized(x: Any, axes: tuple[int, ...]) -> Any:
    return (x - x.mean(axes, keepdims=True)) / np.sqrt(x.var(axes, keepdims=True) + 1e-5)


def _layer_norm(t: Any, x: Any, w: Any, b: Any) -> Any:
    return t.native_layer_norm(x, (3, 4), w, b, 1e-5)[0]


def _group_norm(t: Any, x: Any, w: Any, b: Any) -> Any:
    return t.native_group_norm(x, w, b, 2, 4, 5, 2, 1e-5)[0]


def _batch_norm(t: Any, x: Any, w: Any, b: Any) -> Any:
    return t.native_batch_norm(x, w, b, None, None, True, 0.1, 1e-5)[0]


def _by_channel(x: Any, v: Any) -> Any:
    return v.reshape(1, -1, *[1] * (x.ndim - 2))


def _bags(mode: int) -> Case:
    def call(t: Any, weight: Any) -> Any:
        return t.embedding_bag(weight, t.tensor(INDICES), t.tensor(OFFSETS), False, mode)[0]

    def reference(weight: Any) -> Any:
        rows = weight[INDICES]
        parts = [rows[:2], rows[2:2], rows[2:]]
        reduce = (np.sum, np.mean, np.max)[mode]
        return np.stack([reduce(p, axis=0) if len(p) else np.zeros(3) for p in parts])

    return Case(f"embedding_bag [{mode}]", call, [(5, 3)], reference)


def _grouped(t: Any, a: Any, b: Any) -> Any:
    return t.nn.functional.grouped_mm(a, b, offs=t.tensor([1, 4], dtype=t.int32))


def _grouped_by_hand(a: Any, b: Any) -> Any:
    return np.concatenate([a[:1] @ b[0], a[1:] @ b[1]])


def _linear_cross_entropy(t: Any, x: Any, w: Any, b: Any) -> Any:
    return t.nn.functional.linear_cross_entropy(x, w, t.tensor([0, 2, 1]), linear_bias=b)


def _loss_by_hand(x: Any, w: Any, b: Any) -> Any:
    scores = x @ w.T + b
    logs = scores - np.log(np.exp(scores).sum(1, keepdims=True))
    return -logs[np.arange(3), [0, 2, 1]].mean()


def _rearranged(t: Any, x: Any) -> Any:
    return t.func.rearrange(x, "a (b c) d -> (a d) c b", c=3)


CASES = [
    Case("native_layer_norm", _layer_norm, [(2, 3, 4), (3, 4), (3, 4)],
         lambda x, w, b: _standardized(x, (1, 2)) * w + b, **LOOSE),
    Case("native_group_norm", _group_norm, [(2, 4, 5), (4,), (4,)],
         lambda x, w, b: _standardized(x.reshape(2, 2, 10), (2,)).reshape(x.shape) * _by_channel(x, w)
         + _by_channel(x, b), **LOOSE),
    Case("native_batch_norm", _batch_norm, [(4, 3, 2), (3,), (3,)],
         lambda x, w, b: _standardized(x, (0, 2)) * _by_channel(x, w) + _by_channel(x, b), **LOOSE),
    Case("norm_except_dim", None, [(3, 4, 2)], lambda x: np.sqrt((x**2).sum((1, 2), keepdims=True))),
    Case("norm_except_dim [last]", lambda t, x: t.norm_except_dim(x, 2, 1), [(3, 4)],
         lambda x: np.sqrt((x**2).sum(0, keepdims=True))),
    Case("kl_div [of torch]", lambda t, x, y: t.kl_div(x, y, 2), [(3, 4), (3, 4)],
         lambda x, y: (y * (np.log(y) - x)).sum(), domain=(0.1, 0.9), **LOOSE),
    Case("affine_grid_generator", lambda t, x: t.affine_grid_generator(x, (2, 1, 1, 2), True), [(2, 2, 3)],
         lambda x: np.stack([x[:, :, 2] + s * x[:, :, 0] for s in (-1, 1)], 1)[:, None]
         ),
    *[_bags(mode) for mode in range(3)],
    Case("nn.functional.grouped_mm", _grouped, [(4, 2), (2, 2, 3)], _grouped_by_hand, pytorch=False),  # multiples of 8
    Case("nn.functional.linear_cross_entropy", _linear_cross_entropy, [(3, 4), (5, 4), (5,)], _loss_by_hand, **LOOSE),
    Case("func.rearrange", _rearranged, [(2, 6, 4)],
         lambda x: x.reshape(2, 2, 3, 4).transpose(0, 3, 2, 1).reshape(8, 3, 2), pytorch=False),  # torch.func lacks it
    Case("cond", lambda t, x: (t.cond(True, t.sin, t.cos, (x,)) if t.__name__ == "rushlight" else t.sin(x)), [(3,)],
         np.sin),
    Case("index_put_ [of torch]", lambda t, x, v: t.index_put_(x.clone(), (t.tensor([2, 0]),), v), [(3, 2), (2, 2)],
         lambda x, v: np.stack([v[1], x[1], v[0]])),
]  # fmt: skip
