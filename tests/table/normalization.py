"""Rows of `ops.normalization`."""

from __future__ import annotations

from typing import Any

import numpy as np

from . import Case


def standardized(x: np.ndarray, axes: tuple[int, ...], eps: float = 1e-5) -> np.ndarray:
    """Mean 0 and variance 1 over the axes."""
    return (x - x.mean(axes, keepdims=True)) / np.sqrt(x.var(axes, keepdims=True) + eps)


def _channel(w: np.ndarray, ndim: int) -> np.ndarray:
    return w.reshape(-1, *[1] * (ndim - 2))


def _affine(x: np.ndarray, w: np.ndarray, b: np.ndarray, axes: tuple[int, ...]) -> np.ndarray:
    return standardized(x, axes) * _channel(w, x.ndim) + _channel(b, x.ndim)


def _batch_norm(torch: Any, x: Any, w: Any, b: Any) -> Any:
    return torch.nn.functional.batch_norm(x, None, None, w, b, True)


def _running(torch: Any, x: Any) -> Any:
    """The statistics after one batch, and the result with them."""
    mean, var = torch.zeros(3, dtype=x.dtype), torch.ones(3, dtype=x.dtype)
    torch.nn.functional.batch_norm(x.detach(), mean, var, training=True, momentum=0.3)
    return torch.nn.functional.batch_norm(x, mean, var)


def _after_one_batch(x: np.ndarray) -> np.ndarray:
    mean, var = 0.3 * x.mean((0, 2)), 0.7 + 0.3 * x.var((0, 2), ddof=1)
    return (x - mean[:, None]) / np.sqrt(var + 1e-5)[:, None]


def _grouped(x: np.ndarray, groups: int) -> np.ndarray:
    return standardized(x.reshape(len(x), groups, -1), (2,)).reshape(x.shape)


def _local(x: np.ndarray, size: int, alpha: float, beta: float, k: float) -> np.ndarray:
    squares = np.pad(x**2, [(0, 0), (size // 2, (size - 1) // 2), (0, 0), (0, 0)])
    mean = sum(squares[:, i : i + x.shape[1]] for i in range(size)) / size
    return x / (k + alpha * mean) ** beta


LOOSE: dict[str, Any] = {"rtol": 1e-4, "atol": 1e-4}

CASES = [
    Case(
        "nn.functional.batch_norm",
        _batch_norm,
        [(4, 3, 2, 2), (3,), (3,)],
        lambda x, w, b: _affine(x, w, b, (0, 2, 3)),
        **LOOSE,
    ),
    Case(
        "nn.functional.batch_norm [rows]",
        _batch_norm,
        [(6, 3), (3,), (3,)],
        lambda x, w, b: _affine(x, w, b, (0,)),
        **LOOSE,
    ),
    Case(
        "nn.functional.batch_norm [plain]",
        lambda torch, x: torch.nn.functional.batch_norm(x, None, None, training=True),
        [(4, 3, 5)],
        lambda x: standardized(x, (0, 2)),
        **LOOSE,
    ),
    Case("nn.functional.batch_norm [running]", _running, [(4, 3, 5)], _after_one_batch, gradient=False, **LOOSE),
    Case(
        "nn.functional.batch_norm [evaluation]",
        lambda torch, x, w, b: torch.nn.functional.batch_norm(
            x, torch.tensor([0.5, -1.0]).to(x.dtype), torch.tensor([2.0, 0.5]).to(x.dtype), w, b
        ),
        [(3, 2, 2), (2,), (2,)],
        lambda x, w, b: (
            (x - np.array([[0.5], [-1]])) / np.sqrt(np.array([[2], [0.5]]) + 1e-5) * w[:, None] + b[:, None]
        ),
        **LOOSE,
    ),
    Case(
        "layer_norm",
        lambda torch, x, w, b: torch.layer_norm(x, (3, 4), w, b),
        [(2, 3, 4), (3, 4), (3, 4)],
        lambda x, w, b: standardized(x, (1, 2)) * w + b,
        dtypes={"int64": None},
        **LOOSE,
    ),
    Case("layer_norm [plain]", None, [(2, 5)], lambda x: standardized(x, (1,)), args=((5,),), **LOOSE),
    Case(
        "layer_norm [scale]",
        lambda torch, x, w: torch.layer_norm(x, (5,), w),
        [(2, 5), (5,)],
        lambda x, w: standardized(x, (1,)) * w,
        **LOOSE,
    ),
    Case(
        "group_norm",
        lambda torch, x, w, b: torch.group_norm(x, 2, w, b),
        [(2, 4, 3), (4,), (4,)],
        lambda x, w, b: _grouped(x, 2) * w[:, None] + b[:, None],
        **LOOSE,
    ),
    Case("group_norm [plain]", None, [(2, 6, 2, 2)], lambda x: _grouped(x, 3), args=(3,), **LOOSE),
    Case(
        "nn.functional.instance_norm",
        lambda torch, x, w, b: torch.nn.functional.instance_norm(x, weight=w, bias=b),
        [(2, 3, 4, 2), (3,), (3,)],
        lambda x, w, b: _affine(x, w, b, (2, 3)),
        **LOOSE,
    ),
    Case(
        "rms_norm",
        lambda torch, x, w: torch.rms_norm(x, (4,), w, 1e-5),
        [(3, 4), (4,)],
        lambda x, w: x / np.sqrt((x**2).mean(-1, keepdims=True) + 1e-5) * w,
        **LOOSE,
    ),
    Case(
        "nn.functional.local_response_norm",
        None,
        [(2, 5, 2, 2)],
        lambda x: _local(x, 3, 0.5, 0.75, 1.5),
        args=(3, 0.5, 0.75, 1.5),
    ),
    Case("nn.functional.normalize", None, [(3, 4)], lambda x: x / np.sqrt((x**2).sum(1, keepdims=True))),
    Case("nn.functional.normalize [1-norm]", None, [(3, 4)], lambda x: x / np.abs(x).sum(0), args=(1, 0)),
    Case(
        "nn.functional.instance_norm [running]",
        lambda torch, x: torch.nn.functional.instance_norm(
            x,
            torch.tensor([0.2, -0.1, 0.5], dtype=x.dtype),
            torch.tensor([0.5, 1.0, 2.0], dtype=x.dtype),
            use_input_stats=False,
        ),
        [(2, 3, 4)],
        lambda x: (x - np.array([[0.2], [-0.1], [0.5]])) / np.sqrt(np.array([[0.5], [1.0], [2.0]]) + 1e-5),
    ),
    Case("nn.functional.rrelu [certain]", None, [(2, 3)], lambda x: np.where(x < 0, 0.3 * x, x), args=(0.3, 0.3, True)),
    Case("native_dropout [nothing]", lambda torch, x: torch.native_dropout(x, 0.0, True)[0], [(2, 3)], lambda x: x),
]
