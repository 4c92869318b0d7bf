"""An image sampled at the places of a grid, and both derivatives, as three operations.

A place becomes positions and weights (taps) for each dimension, and what is sampled is the weighted sum over all
combinations of taps (corners). The weights depend on the grid, the numbers on the image:

    sampler        sum over corners of   weight(grid) * x[corner]
    its adjoint    the gradient by x: each number, weighted, added at its corners
    slopes         the gradient by the grid: the same sum with a weight's derivative, times what arrives

`orders` says how often the weights are differentiated along each dimension, so the three are their own derivatives, of
any order. The kernels are NumPy's functions only, which the compiler follows.
"""

from __future__ import annotations

import functools
import itertools
import math
from typing import Any, NamedTuple

import numpy as np

from rushlight.record.operation import Operation, operation
from rushlight.record.spec import Spec, spec_of
from rushlight.record.trace import apply
from rushlight.record.value import Tensor

from .creation import full_like_spec

Ints = tuple[int, ...]

HIGHEST = {"nearest": 0, "bilinear": 1, "bicubic": 3}  # the derivative after which a mode's weights are all 0
_A = -0.75  # of the cubic convolution (Keys 1981)
_NEAR, _FAR = (_A + 2, -_A - 3, 0.0, 1.0), (_A, -5 * _A, 8 * _A, -4 * _A)  # its polynomials, highest power first


class How(NamedTuple):
    """How a place between pixels is read: the mode, what lies outside, and where [-1, 1] ends."""

    mode: str
    padding: str
    aligned: bool


class Tap(NamedTuple):
    """One neighbour of each place along one dimension.

    Attributes:
        position: which one, 0 for those outside.
        inside: whether there is one.
        weights: its weight, or a derivative of it; where the slopes are wanted the next one, too.
    """

    position: Any
    inside: Any
    weights: list[Any]


# ---------------------------------------------------------------------------------------------------------------------
# Taps


def _reflected(at: Any, low: float, high: float) -> tuple[Any, Any]:
    """Mirrored at `low` and `high` until it lies between them, and which way it goes there: 1, -1, or 0."""
    span = high - low
    if span == 0:
        return np.zeros_like(at), np.zeros_like(at)
    distance = np.abs(at - low)
    times = np.floor(distance / span)
    rest = distance - times * span
    even = times - np.floor(times / 2) * 2 == 0
    return np.where(even, rest + low, high - rest), np.where(even == (at >= low), np.ones_like(at), -np.ones_like(at))


def _bounded(at: Any, n: int, how: How) -> tuple[Any, Any]:
    """Places outside the image moved into it, as the padding mode says, and what that does to a slope."""
    if how.padding == "zeros":
        return at, np.ones_like(at)
    way = np.ones_like(at)
    if how.padding == "reflection":
        at, way = _reflected(at, 0, n - 1) if how.aligned else _reflected(at, -0.5, n - 0.5)
    between = np.logical_and(at > 0, at < n - 1)  # the borders themselves count as outside
    return np.clip(np.where(np.isnan(at), np.zeros_like(at), at), 0, n - 1), np.where(between, way, np.zeros_like(at))


def _polynomial(x: Any, coefficients: tuple[float, ...], order: int) -> Any:
    """The derivative of a polynomial."""
    for _ in range(order):
        degree = len(coefficients) - 1
        coefficients = tuple(c * (degree - k) for k, c in enumerate(coefficients[:-1]))
    return functools.reduce(lambda total, c: total * x + c, coefficients[1:], np.ones_like(x) * coefficients[0])


def _cubic(part: Any, order: int) -> list[Any]:
    """The weights of four neighbours, the second of which lies `part` before the place."""
    back = (-1.0) ** order
    return [
        _polynomial(part + 1, _FAR, order), _polynomial(part, _NEAR, order),
        _polynomial(1 - part, _NEAR, order) * back, _polynomial(2 - part, _FAR, order) * back,
    ]  # fmt: skip


def _taps(at: Any, n: int, how: How, orders: range) -> list[Tap]:
    """The taps along a dimension of n pixels, of places in [-1, 1], with their weights' derivatives."""
    scale = (n - 1) / 2 if how.aligned else n / 2
    at = (at + 1) * scale if how.aligned else ((at + 1) * n - 1) * 0.5
    if how.mode == "bicubic":
        low = np.floor(at)
        weights = [[w * scale**k for w in _cubic(at - low, k)] for k in orders]
        places = [_bounded(low + k, n, how)[0] for k in range(-1, 3)]
    elif how.mode == "nearest":
        places, weights = [np.rint(_bounded(at, n, how)[0])], [[np.ones_like(at)] for _ in orders]
    else:
        at, way = _bounded(at, n, how)
        low = np.floor(at)
        weights = [[way * -scale, way * scale] if k else [low + 1 - at, at - low] for k in orders]
        places = [low, low + 1]
    return [_tap(place, n, list(each)) for place, *each in zip(places, *weights, strict=True)]


def _tap(place: Any, n: int, weights: list[Any]) -> Tap:
    inside = np.logical_and(place >= 0, place <= n - 1)
    return Tap(np.where(inside, place, np.zeros_like(place)).astype(np.int64), inside, weights)


def _corners(grid: Any, space: Ints, how: How, orders: Ints, slopes: bool = False) -> list[Tap]:
    """The combinations of taps, each with its flat position; its weights are the sum's, or one for each slope."""
    dims = len(space)
    axes = [
        _taps(grid[..., dims - 1 - d], n, how, range(orders[d], min(orders[d] + slopes, HIGHEST[how.mode]) + 1))
        for d, n in enumerate(space)
    ]
    return [_corner(taps, space, slopes) for taps in itertools.product(*axes)]


def _corner(taps: tuple[Tap, ...], space: Ints, slopes: bool) -> Tap:
    position, inside = taps[0][:2]
    for tap, n in zip(taps[1:], space[1:], strict=True):
        position, inside = position * n + tap.position, np.logical_and(inside, tap.inside)
    first = [tap.weights[0] for tap in taps]
    if not slopes:
        return Tap(position, inside, [math.prod(first[1:], start=first[0])])
    weights = []
    for d, tap in reversed(list(enumerate(taps))):  # x comes first in a grid
        factors = [*first[:d], tap.weights[1], *first[d + 1 :]] if len(tap.weights) > 1 else [np.zeros_like(first[0])]
        weights.append(math.prod(factors[1:], start=factors[0]))
    return Tap(position, inside, weights)


# ---------------------------------------------------------------------------------------------------------------------
# Pixels by their flat positions, the same in all channels; positions are right by construction


def _pixels(x: Any, corner: Tap) -> Any:
    """The numbers of every channel at a corner (N, C, places), 0 outside."""
    flat, space = x.reshape(*x.shape[:2], math.prod(x.shape[2:])), corner.position.shape[1:]
    if isinstance(x, np.ndarray):
        found: Any = np.empty((*x.shape[:2], *space), x.dtype)
        for image, at, picked in zip(flat, corner.position, found, strict=True):
            np.take(image, at, 1, out=picked, mode="clip")  # which checks nothing and needs no copy
    else:
        from rushlight.codegen.assembly import elements_of_planes

        found = elements_of_planes(flat, corner.position.reshape(len(x), 1, *space))
    return np.where(corner.inside[:, None], found, found.dtype.type(0))


def _added(d: np.ndarray, position: np.ndarray, size: int) -> np.ndarray:
    """Zeros (planes, size) with numbers added at the positions of each plane."""
    planes, count = math.prod(d.shape[:2]), math.prod(position.shape[1:])
    spread = np.broadcast_to(position.reshape(len(d), 1, count), (*d.shape[:2], count)).reshape(planes, count)
    flat = spread + np.arange(planes)[:, None] * size
    return np.bincount(flat.ravel(), d.ravel().astype(np.float64, copy=False), planes * size)


def _weighed(d: Any, corner: Tap) -> Any:
    return np.where(corner.inside[:, None], d * corner.weights[0][:, None], d.dtype.type(0))


# ---------------------------------------------------------------------------------------------------------------------
# Kernels


def _sampled(x: Any, grid: Any, *, how: How, orders: Ints) -> Any:
    corners = _corners(grid, x.shape[2:], how, orders)
    return functools.reduce(np.add, [_pixels(x, c) * c.weights[0][:, None] for c in corners])


def _spread(d: np.ndarray, grid: np.ndarray, *, space: Ints, how: How, orders: Ints) -> np.ndarray:
    size = math.prod(space)
    parts = [_added(_weighed(d, c), c.position, size) for c in _corners(grid, space, how, orders)]
    return functools.reduce(np.add, parts).astype(d.dtype).reshape(*d.shape[:2], *space)


def _spread_symbols(d: Any, grid: Any, *, space: Ints, how: How, orders: Ints) -> Any:
    from rushlight.codegen.assembly import added_to_planes

    total: Any = 0
    count = math.prod(d.shape[2:])
    for c in _corners(grid, space, how, orders):  # in another shape: what is added is made in vectors before
        part = _weighed(d, c).reshape(*d.shape[:2], count)
        total = added_to_planes(part, c.position.reshape(len(d), 1, count), math.prod(space), total)
    return total.reshape(*d.shape[:2], *space)


def _slopes(d: Any, x: Any, grid: Any, *, how: How, orders: Ints) -> Any:
    corners = _corners(grid, x.shape[2:], how, orders, slopes=True)
    shares = [np.sum(_pixels(x, c) * d, axis=1) for c in corners]
    along = zip(*[c.weights for c in corners], strict=True)
    return np.stack([functools.reduce(np.add, [s * w for s, w in zip(shares, ws, strict=True)]) for ws in along], -1)


# ---------------------------------------------------------------------------------------------------------------------
# Operations


class Sampler(NamedTuple):
    """The three operations of images in two dimensions, or in three."""

    sample: Operation
    spread: Operation
    slopes: Operation


def _next(orders: Ints, how: How) -> list[tuple[int, Ints]]:
    """The grid's coordinates along which the weights have another derivative that is not 0, and its orders."""
    found = [(len(orders) - 1 - d, (*orders[:d], n + 1, *orders[d + 1 :])) for d, n in enumerate(orders)]
    return [(j, higher) for j, higher in found if max(higher) <= HIGHEST[how.mode]]


def _by_grid(d: Tensor, x: Tensor, grid: Tensor, how: How, orders: Ints) -> Tensor:
    if not _next(orders, how):
        return full_like_spec(grid._value.spec, 0)
    return apply(SAMPLERS[len(orders)].slopes, (d, x, grid), (how, orders))


def _by_image(d: Tensor, grid: Tensor, space: Ints, how: How, orders: Ints) -> Tensor:
    return apply(SAMPLERS[len(orders)].spread, (d, grid), (space, how, orders))


def _of_slopes(g: Tensor, d: Tensor, x: Tensor, grid: Tensor, how: How, orders: Ints) -> list[Any]:
    """The derivative of the slopes by what arrives, by the image and by the grid."""
    parts: list[list[Tensor]] = [[], [], []]
    for j, higher in _next(orders, how):
        part = g[..., j].unsqueeze(1)
        parts[0].append(part * apply(SAMPLERS[len(orders)].sample, (x, grid), (how, higher)))
        parts[1].append(_by_image(d * part, grid, x._value.spec.shape[2:], how, higher))
        parts[2].append(g[..., j : j + 1] * _by_grid(d, x, grid, how, higher))
    return [functools.reduce(lambda a, b: a + b, p) for p in parts]


def _sampled_spec(x: Spec, grid: Spec, **_: Any) -> Spec:
    return spec_of((*x.shape[:2], *grid.shape[1:-1]), x.dtype)


def _spread_spec(d: Spec, grid: Spec, *, space: Ints, **_: Any) -> Spec:
    return spec_of((*d.shape[:2], *space), d.dtype)


def _operations(dims: int) -> Sampler:
    name, node = f"grid_sampler_{dims}d", f"GridSampler{dims}DBackward"
    sample = operation(name, _sampled_spec, _sampled, node=f"{node}0")
    spread = operation(f"{name}_backward", _spread_spec, _spread, node=f"{node}Backward0")
    slopes = operation(
        f"{name}_slopes", lambda d, x, grid, **_: spec_of(grid.shape, grid.dtype), _slopes, node=f"{node}Backward0"
    )
    spread.lower = _spread_symbols
    sample.gradient(
        x=lambda g, grid, x_spec, how, orders: _by_image(g, grid, x_spec.shape[2:], how, orders),
        grid=lambda g, x, grid, how, orders: _by_grid(g, x, grid, how, orders),
    )
    spread.gradient(
        d=lambda g, grid, how, orders: apply(sample, (g, grid), (how, orders)),
        grid=lambda g, d, grid, how, orders: _by_grid(d, g, grid, how, orders),
    )
    slopes.gradient(_of_slopes)
    return Sampler(sample, spread, slopes)


SAMPLERS = {dims: _operations(dims) for dims in (2, 3)}


def sampled(input: Tensor, grid: Tensor, mode: str, padding: str, aligned: bool) -> Tensor:
    """The image at the places of the grid."""
    dims = len(input._value.spec.shape) - 2
    return apply(SAMPLERS[dims].sample, (input, grid), (How(mode, padding, aligned), (0,) * dims))
