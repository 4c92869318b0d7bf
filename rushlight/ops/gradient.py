"""`torch.gradient`: numerical derivatives by second-order differences.

https://pytorch.org/docs/stable/generated/torch.gradient.html; B. Fornberg, "Generation of finite difference formulas on
arbitrarily spaced grids", Math. Comp. 51 (1988).  Composed of slices and arithmetic, so its own derivative is theirs.
"""

from __future__ import annotations

from typing import Any

from rushlight.core import dtype as dtypes
from rushlight.core.strided import normalize_dim
from rushlight.record.trace import settle
from rushlight.record.value import Tensor

from .joining import cat
from .public import public


def _at(t: Tensor, dim: int, start: int, stop: int | None) -> Tensor:
    """`t[start:stop]` along `dim`."""
    n = settle(t).spec.shape[dim]
    first, last, _ = slice(start, stop).indices(n)
    return t.narrow(dim, first, last - first)


def _even(t: Tensor, dim: int, h: Any, order: int) -> Tensor:
    """The derivative along `dim` at points `h` apart."""
    middle = (_at(t, dim, 2, None) - _at(t, dim, 0, -2)) / (2 * h)
    ends = []
    for sign, (a, b, c) in ((1, (0, 1, 2)), (-1, (-1, -2, -3))):
        x, y = _one(t, dim, a), _one(t, dim, b)
        if order == 1:
            ends.append((y - x) * sign / h)
        else:
            ends.append((-1.5 * x + 2 * y - 0.5 * _one(t, dim, c)) * sign / h)
    return cat([ends[0], middle, ends[1]], dim)


def _one(t: Tensor, dim: int, i: int) -> Tensor:
    return t.narrow(dim, i % settle(t).spec.shape[dim], 1)


def _uneven(t: Tensor, dim: int, points: Tensor, order: int) -> Tensor:
    """The derivative along `dim` at the given points."""
    ndim = settle(t).spec.ndim
    steps = (points[1:] - points[:-1]).reshape((-1,) + (1,) * (ndim - dim - 1))
    a, b = steps[:-1], steps[1:]
    left, here, right = _at(t, dim, 0, -2), _at(t, dim, 1, -1), _at(t, dim, 2, None)
    middle = left * (-b / (a * (a + b))) + here * ((b - a) / (a * b)) + right * (a / (b * (a + b)))
    first = _uneven_end(t, dim, steps[:1], steps[1:2], order, 0)
    last = _uneven_end(t, dim, steps[-1:], steps[-2:-1], order, -1)
    return cat([first, middle, last], dim)


def _uneven_end(t: Tensor, dim: int, near: Tensor, far: Tensor, order: int, end: int) -> Tensor:
    """The derivative at an end: `near` is the step to its neighbour, `far` the step behind that."""
    step = 1 if end == 0 else -1
    x, y = _one(t, dim, end), _one(t, dim, end + step)
    if order == 1:
        return (y - x) * step / near
    z = _one(t, dim, end + 2 * step)
    both = near + far
    return step * (y * (both / (near * far)) - x * ((2 * near + far) / (near * both)) - z * (near / (far * both)))


def _dims(dim: Any, ndim: int) -> tuple[int, ...]:
    if dim is None:
        return tuple(range(ndim))
    found = tuple(normalize_dim(d, ndim) for d in ((dim,) if isinstance(dim, int) else dim))
    if len(set(found)) < len(found):
        raise RuntimeError(
            f"dim {next(d for d in found if found.count(d) > 1)} appears multiple times in the list of dims"
        )
    return found


def _spacings(spacing: Any, dims: tuple[int, ...]) -> list[Any]:
    """The spacing for each dimension: a number, or a tensor of points."""
    if spacing is None or isinstance(spacing, (int, float, complex)):
        return [1.0 if spacing is None else spacing] * len(dims)
    found = list(spacing)
    if len(found) != len(dims):
        raise RuntimeError(
            f"torch.gradient expected spacing to be unspecified, a scalar, or a list of length equal to 'self.dim() = "
            f"{len(dims)}', but got a list of length {len(found)}"
        )
    return found


@public(method=False)
def gradient(input: Tensor, *, spacing: Any = None, dim: Any = None, edge_order: int = 1) -> tuple[Tensor, ...]:
    """The derivative of a sampled function along each of `dim` (all by default), one tensor each.

    `spacing`: the distance between the points, one distance for each dimension, or a tensor of points for each;
    `edge_order` 1 or 2: the order of the differences at the ends.

    >>> torch.gradient(torch.tensor([1., 4., 9.]))[0]
    tensor([3., 4., 5.])
    """
    spec = settle(input).spec
    dims = _dims(dim, spec.ndim)
    if spec.dtype is dtypes.uint8:
        raise RuntimeError("torch.gradient does not support uint8 input.")
    if edge_order not in (1, 2):
        raise RuntimeError(f"torch.gradient only supports edge_order=1 and edge_order=2. Got {edge_order}")
    for d in dims:
        if spec.shape[d] < edge_order + 1:
            raise RuntimeError("torch.gradient expected each dimension size to be at least edge_order+1")
    found = []
    for d, h in zip(dims, _spacings(spacing, dims), strict=True):
        if isinstance(h, Tensor) and settle(h).spec.ndim:
            if settle(h).spec.shape != (spec.shape[d],):
                raise RuntimeError(
                    "torch.gradient expected each element of 'spacing' tensor to be a vector as long as its dimension, "
                    f"but got shape {list(h.shape)} for dimension {d} of size {spec.shape[d]}"
                )
            found.append(_uneven(input, d, h, edge_order))
        else:
            found.append(_even(input, d, h, edge_order))
    return tuple(found)
