"""Similarities and distances between vectors: pairwise, of all pairs of two sets, and of all pairs in one."""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np

from rushlight.core.strided import broadcast_shapes
from rushlight.record.operation import operation
from rushlight.record.spec import Spec, spec_of
from rushlight.record.trace import apply, settle
from rushlight.record.value import Tensor

from .creation import full_like_spec, wrap
from .embedding import ADD_ROWS
from .matmul import matmul
from .public import public
from .rules import promoted
from .selection import where


@public(method=False, functional=True)
def cosine_similarity(x1: Tensor, x2: Tensor, dim: int = 1, eps: float = 1e-8) -> Tensor:
    """x1 . x2 / (|x1| |x2|) over `dim`, each norm at least `eps`; broadcast.

    >>> torch.nn.functional.cosine_similarity(torch.tensor([[1., 0.]]), torch.tensor([[1., 1.]]))
    tensor([0.7071])
    """
    a, b = settle(x1).spec, settle(x2).spec
    kind = promoted(a, b)
    if not (kind.is_floating_point or kind.is_complex):
        raise RuntimeError(f"expected common dtype to be floating point, yet common dtype is {kind.scalar_name}")
    if a.shape != b.shape:
        whole = broadcast_shapes(a.shape, b.shape)
        x1, x2 = x1.expand(whole), x2.expand(whole)
    x1, x2 = x1.to(kind), x2.to(kind)
    units = [x / x.norm(2, dim, keepdim=True).clamp_min(eps) for x in (x1, x2)]
    return (units[0] * units[1]).sum(dim)


@public(method=False, functional=True)
def pairwise_distance(x1: Tensor, x2: Tensor, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False) -> Tensor:
    """The p-norm of x1 - x2 + eps over the last dimension.

    >>> torch.nn.functional.pairwise_distance(torch.zeros(1, 2), torch.tensor([[3., 4.]]))
    tensor([5.0000])
    """
    return (x1 - x2 + eps).norm(p, -1, keepdim)


# ---------------------------------------------------------------------------------------------------------------------
# All pairs

_DIRECT = 1 << 20  # up to so many differences are formed one by one


def _norm(z: np.ndarray, p: float) -> np.ndarray:
    """The p-norm over the last dimension."""
    if p == 2:
        return np.sqrt(np.add.reduce(z * z, axis=-1))
    size = np.abs(z)
    if p == 0:
        return (size != 0).sum(-1).astype(z.dtype)
    if p == 1:
        return size.sum(-1)
    if math.isinf(p):
        return size.max(-1) if z.shape[-1] else np.zeros(z.shape[:-1], z.dtype)
    return (size**p).sum(-1) ** z.dtype.type(1 / p)


def _cdist(x: np.ndarray, y: np.ndarray, *, p: float, by_product: bool) -> np.ndarray:
    if by_product and p == 2:
        squares = (x * x).sum(-1)[..., :, None] + (y * y).sum(-1)[..., None, :] - 2 * np.matmul(x, y.swapaxes(-1, -2))
        return np.sqrt(np.maximum(squares, 0))
    if x.size * y.shape[-2] <= _DIRECT or not isinstance(x, np.ndarray):  # the compiler stores no differences
        return _norm(x[..., :, None, :] - y[..., None, :, :], p)
    columns = [_norm(x - y[..., j : j + 1, :], p) for j in range(y.shape[-2])]
    return np.stack(columns, axis=-1)


def _slope(z: Tensor, size: Tensor, p: float) -> Tensor:
    """The derivative of the p-norm `size` (with a last dimension of 1) of z; 0 where the norm is 0."""
    if p == 0:
        return full_like_spec(z._value.spec, 0)
    if p == 1:
        return z.sign()
    if math.isinf(p):
        return z.sign() * z.abs().eq(size)
    safe = where(size.eq(0), 1.0, size)
    if p == 2:
        return where(size.eq(0), 0.0, z / safe)
    powers = where(z.eq(0), 0.0, z * where(z.eq(0), 1.0, z.abs()) ** (p - 2))
    return where(size.eq(0), 0.0, powers / safe ** (p - 1))


def _cdist_rule(g: Tensor, needs: Any, x: Tensor, y: Tensor, result: Tensor, p: float) -> tuple[Tensor, Tensor]:
    if p == 2:
        scale = where(result.eq(0), 0.0, g / where(result.eq(0), 1.0, result))
        of_x = x * scale.sum(-1, True) - matmul(scale, y)
        of_y = y * scale.sum(-2).unsqueeze(-1) - matmul(scale.transpose(-1, -2), x)
        return of_x, of_y
    slopes = _slope(x.unsqueeze(-2) - y.unsqueeze(-3), result.unsqueeze(-1), p) * g.unsqueeze(-1)
    return slopes.sum(-2), -slopes.sum(-3)


def _cdist_spec(x: Spec, y: Spec, *, p: float, by_product: bool) -> Spec:
    return spec_of((*x.shape[:-1], y.shape[-2]), x.dtype)


CDIST = operation("cdist", _cdist_spec, _cdist)
CDIST.gradient(_cdist_rule)


@public(method=False)
def cdist(
    x1: Tensor, x2: Tensor, p: float = 2.0, compute_mode: str | None = "use_mm_for_euclid_dist_if_necessary"
) -> Tensor:
    """The p-norm distances between all pairs of rows: (*, P, M) and (*, R, M) to (*, P, R).

    >>> torch.cdist(torch.zeros(1, 2), torch.tensor([[3., 4.], [0., 1.]]))
    tensor([[5., 1.]])
    """
    a, b = settle(x1).spec, settle(x2).spec
    for t, name in ((a, "X1"), (b, "X2")):
        if not t.dtype.is_floating_point:
            raise RuntimeError(f"cdist only supports floating-point dtypes, {name} got: {t.dtype.scalar_name}")
        if t.ndim < 2:
            raise RuntimeError(f"cdist only supports at least 2D tensors, {name} got: {t.ndim}D")
    if a.shape[-1] != b.shape[-1]:
        raise RuntimeError(f"X1 and X2 must have the same number of columns. X1: {a.shape[-1]} X2: {b.shape[-1]}")
    if p < 0:
        raise RuntimeError("cdist only supports non-negative p values")
    many = a.shape[-2] > 25 or b.shape[-2] > 25
    by_product = {"use_mm_for_euclid_dist": True, "donot_use_mm_for_euclid_dist": False}.get(compute_mode or "", many)
    if a.shape[:-2] != b.shape[:-2]:
        lead = broadcast_shapes(a.shape[:-2], b.shape[:-2])
        x1, x2 = x1.expand(*lead, *a.shape[-2:]), x2.expand(*lead, *b.shape[-2:])
    return apply(CDIST, (x1, x2), (float(p), by_product))


@functools.lru_cache(maxsize=4)
def _pairs(n: int) -> tuple[np.ndarray, np.ndarray]:
    i, j = np.triu_indices(n, 1)
    return np.ascontiguousarray(i), np.ascontiguousarray(j)


def _pdist(x: Any, i: Any, j: Any, *, p: float) -> Any:
    return _norm(np.take(x, i, 0) - np.take(x, j, 0), p)


def _pdist_rule(g: Tensor, x: Tensor, i: Tensor, j: Tensor, result: Tensor, x_spec: Spec, p: float) -> Tensor:
    slopes = _slope(x[i] - x[j], result.unsqueeze(-1), p) * g.unsqueeze(-1)
    rows = x_spec.shape[0]
    return apply(ADD_ROWS, (slopes, i), (rows, -1, False)) - apply(ADD_ROWS, (slopes, j), (rows, -1, False))


PDIST = operation(
    "pdist", lambda x, i, j, *, p: spec_of(i.shape, x.dtype), _pdist, node="PdistBackward0"
)
PDIST.gradient(x=_pdist_rule)


@public(method=False, functional=True)
def pdist(input: Tensor, p: float = 2.0) -> Tensor:
    """The p-norm distances between all pairs of rows i < j: (N, M) to (N (N - 1) / 2)."""
    spec = settle(input).spec
    if spec.ndim != 2:
        raise RuntimeError(f"pdist only supports 2D tensors, got: {spec.ndim}D")
    if not spec.dtype.is_floating_point:
        raise RuntimeError("pdist only supports floating-point dtypes")
    if p < 0:
        raise RuntimeError("pdist only supports non-negative p values")
    i, j = (wrap(k) for k in _pairs(spec.shape[0]))
    return apply(PDIST, (input, i, j), (float(p),))
