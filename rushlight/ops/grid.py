"""Spatial transformers (Jaderberg et al. 2015): a grid of places from an affine map, and an image sampled at a grid.

`grid_sample` is composed of tensor operations, so every derivative, by the image and by the grid, follows from theirs:
the places become positions and weights (taps) for each dimension, and the result is the weighted sum over all
combinations of taps.
"""

from __future__ import annotations

import itertools
import math
import warnings
from functools import lru_cache
from typing import Any

import numpy as np

from rushlight.core.dtype import int64
from rushlight.record.operation import operation
from rushlight.record.spec import Spec, spec_of
from rushlight.record.trace import apply, settle
from rushlight.record.value import Tensor

from .creation import cast, full_like_spec
from .public import public
from .selection import where

Ints = tuple[int, ...]
Taps = list[tuple[Tensor, Tensor]]  # positions (floating point, whole numbers) and weights

_CHANGED = (
    "Default grid_sample and affine_grid behavior has changed to align_corners=False since 1.3.0. Please specify "
    "align_corners=True if the old behavior is desired. See the documentation of grid_sample for details."
)

# ---------------------------------------------------------------------------------------------------------------------
# Affine grids


@lru_cache(maxsize=64)
def _base(space: Ints, aligned: bool) -> np.ndarray:
    """All places of an image in [-1, 1], x first, with a 1 behind: (places, dims + 1)."""
    along = []
    for n in space:
        at = np.linspace(-1, 1, n) if n > 1 else np.zeros(1)
        along.append(at if aligned or n == 1 else at * (n - 1) / n)
    mesh = np.meshgrid(*along, indexing="ij")
    return np.stack([*(m.ravel() for m in reversed(mesh)), np.ones(math.prod(space))], 1)


def _affine(theta: np.ndarray, *, space: Ints, aligned: bool) -> np.ndarray:
    base = _base(space, aligned).astype(theta.dtype)
    return np.matmul(base, theta.swapaxes(1, 2)).reshape(len(theta), *space, len(space))


def _affine_adjoint(d: np.ndarray, *, space: Ints, aligned: bool) -> np.ndarray:
    base = _base(space, aligned).astype(d.dtype)
    return np.matmul(d.reshape(len(d), -1, len(space)).swapaxes(1, 2), base)


AFFINE_GRID = operation(
    "affine_grid_generator",
    lambda theta, *, space, aligned: spec_of((theta.shape[0], *space, len(space)), theta.dtype),
    _affine,
)
AFFINE_ADJOINT = operation(
    "affine_grid_generator_backward",
    lambda d, *, space, aligned: spec_of((d.shape[0], len(space), len(space) + 1), d.dtype),
    _affine_adjoint,
    node="AffineGridGeneratorBackwardBackward0",
)
AFFINE_GRID.gradient(theta=lambda g, space, aligned: apply(AFFINE_ADJOINT, (g,), (space, aligned)))
AFFINE_ADJOINT.gradient(d=lambda g, space, aligned: apply(AFFINE_GRID, (g,), (space, aligned)))


@public(function=False, method=False, functional=True)
def affine_grid(theta: Tensor, size: Any, align_corners: bool | None = None) -> Tensor:
    """The places in [-1, 1] that an affine map sends an image's pixels to, for `grid_sample`.

    Shapes: theta (N, 2, 3) with size (N, C, H, W), or (N, 3, 4) with (N, C, D, H, W); result (N, H, W, 2) or (N, D, H,
    W, 3).
    """
    if align_corners is None:
        warnings.warn(_CHANGED, stacklevel=2)
        align_corners = False
    spec = settle(theta).spec
    if not spec.dtype.is_floating_point:
        raise ValueError(f"Expected theta to have floating point type, but got {spec.dtype}")
    whole = tuple(int(n) for n in size)
    dims = len(whole) - 2
    if dims not in (2, 3):
        raise NotImplementedError(
            "affine_grid only supports 4D and 5D sizes, for 2D and 3D affine transforms, respectively. Got size "
            f"{whole}."
        )
    if spec.ndim != 3 or spec.shape[1:] != (dims, dims + 1):
        raise ValueError(
            f"Expected a batch of {dims}D affine matrices of shape Nx{dims}x{dims + 1} for size {whole}. Got "
            f"{theta.shape}."
        )
    if min(whole) <= 0:
        raise ValueError(f"Expected non-zero, positive output size. Got {whole}")
    if align_corners and min(whole[2:]) == 1:
        warnings.warn(
            "Since version 1.3.0, affine_grid behavior has changed for unit-size grids when align_corners=True. This "
            "is not an intended use case of affine_grid. See the documentation of affine_grid for details.",
            stacklevel=2,
        )
    return apply(AFFINE_GRID, (theta,), (whole[2:], align_corners))


# ---------------------------------------------------------------------------------------------------------------------
# Pixels by their flat places, the same in all channels; places are right by construction


def _take(x: Any, at: Any) -> Any:
    flat = x.reshape(*x.shape[:2], math.prod(x.shape[2:]))
    if not isinstance(flat, np.ndarray):
        from rushlight.codegen.assembly import elements_of_planes

        return elements_of_planes(flat, at.reshape(at.shape[0], 1, *at.shape[1:]))
    places = np.broadcast_to(at.reshape(at.shape[0], 1, -1), (*flat.shape[:2], math.prod(at.shape[1:])))
    return np.take_along_axis(flat, places, 2).reshape(*x.shape[:2], *at.shape[1:])


def _put(d: np.ndarray, at: np.ndarray, *, space: Ints) -> np.ndarray:
    planes, size = math.prod(d.shape[:2]), math.prod(space)
    places = np.broadcast_to(at.reshape(at.shape[0], 1, -1), (*d.shape[:2], math.prod(at.shape[1:])))
    flat = places.reshape(planes, -1) + np.arange(planes)[:, None] * size
    total = np.bincount(flat.ravel(), d.ravel().astype(np.float64, copy=False), planes * size)
    return total.astype(d.dtype).reshape(*d.shape[:2], *space)


def _put_symbols(d: Any, at: Any, *, space: Ints) -> Any:
    from rushlight.codegen.assembly import added_to_planes

    count = math.prod(at.shape[1:])  # in another shape: what is added is made in vectors before
    flat, places = d.reshape(*d.shape[:2], count), at.reshape(at.shape[0], 1, count)
    return added_to_planes(flat, places, math.prod(space)).reshape(*d.shape[:2], *space)


TAKE = operation("grid_take", lambda x, at: spec_of((*x.shape[:2], *at.shape[1:]), x.dtype), _take,
                 node="GatherBackward0")  # fmt: skip
PUT = operation("grid_put", lambda d, at, *, space: spec_of((*d.shape[:2], *space), d.dtype), _put,
                node="GatherBackward0")  # fmt: skip
PUT.lower = _put_symbols
TAKE.gradient(x=lambda g, at, x_spec: apply(PUT, (g, at), (x_spec.shape[2:],)))
PUT.gradient(d=lambda g, at: apply(TAKE, (g, at)))

# ---------------------------------------------------------------------------------------------------------------------
# Sampling


def _unnormalised(at: Tensor, n: int, aligned: bool) -> Tensor:
    """From [-1, 1] to pixels."""
    return (at + 1) * ((n - 1) / 2) if aligned else ((at + 1) * n - 1) * 0.5


def _reflected(at: Tensor, low: float, high: float) -> Tensor:
    """Mirrored at `low` and `high` until it lies between them."""
    span = high - low
    if span == 0:
        return full_like_spec(at._value.spec, 0)
    distance = (at - low).abs()
    times = (distance / span).floor()
    rest = distance - times * span
    return where((times - (times / 2).floor() * 2).eq(0), rest + low, high - rest)


def _bounded(at: Tensor, n: int, padding: str, aligned: bool) -> Tensor:
    """Places outside the image moved into it, as the padding mode says."""
    if padding == "zeros":
        return at
    if padding == "reflection":
        at = _reflected(at, 0, n - 1) if aligned else _reflected(at, -0.5, n - 0.5)
    return where(at == at, at, 0.0).clamp(0, n - 1)


def _cubic_weights(part: Tensor) -> list[Tensor]:
    """The weights of four neighbours (Keys 1981, a = -0.75)."""
    a = -0.75

    def near(x: Tensor) -> Tensor:
        return ((a + 2) * x - (a + 3)) * x * x + 1

    def far(x: Tensor) -> Tensor:
        return ((a * x - 5 * a) * x + 8 * a) * x - 4 * a

    return [far(part + 1), near(part), near(1 - part), far(2 - part)]


def _taps(at: Tensor, n: int, mode: str, padding: str, aligned: bool) -> Taps:
    at = _unnormalised(at, n, aligned)
    if mode == "bicubic":
        low = at.detach().floor()
        weights = _cubic_weights(at - low)
        return [(_bounded(low + k, n, padding, aligned), w) for k, w in enumerate(weights, -1)]
    at = _bounded(at, n, padding, aligned)
    if mode == "nearest":
        place = where(at == at, at, -1.0).clamp(-1, n).round()
        return [(place.detach(), 1 + place - place.detach())]  # a slope of 0 everywhere
    low = at.detach().floor()
    part = at - low
    return [(low, 1 - part), (low + 1, part)]


def _sampled(input: Tensor, grid: Tensor, mode: str, padding: str, aligned: bool) -> Tensor:
    x = input._value.spec
    space = x.shape[2:]
    dims = len(space)
    axes = [_found(_taps(grid[..., dims - 1 - d], n, mode, padding, aligned), n) for d, n in enumerate(space)]
    total: Any = None
    for corner in itertools.product(*axes):
        weight, index, inside = corner[0]
        for (w, place, here), n in zip(corner[1:], space[1:], strict=True):
            weight, index, inside = weight * w, index * n + place, inside & here
        found = where(inside.unsqueeze(1), apply(TAKE, (input, cast(index, int64))), 0.0)
        part = found * weight.unsqueeze(1)
        total = part if total is None else total + part
    return total


def _found(taps: Taps, n: int) -> list[tuple[Tensor, Tensor, Tensor]]:
    """Each tap's weight, its position among n, 0 for those outside, and whether it is inside."""
    found = []
    for place, weight in taps:
        here = (place >= 0) & (place <= n - 1)
        found.append((weight, where(here, place, 0.0), here))
    return found


def _check(x: Spec, g: Spec, mode: str, padding: str) -> None:
    name = "nn.functional.grid_sample()"
    if mode not in ("bilinear", "nearest", "bicubic"):
        raise ValueError(f"{name}: expected mode to be 'bilinear', 'nearest' or 'bicubic', but got: '{mode}'")
    if padding not in ("zeros", "border", "reflection"):
        raise ValueError(
            f"{name}: expected padding_mode to be 'zeros', 'border', or 'reflection', but got: '{padding}'"
        )
    sizes = f"but got input with sizes {list(x.shape)} and grid with sizes {list(g.shape)}"
    if x.shape[:1] != g.shape[:1]:
        raise RuntimeError(f"grid_sampler(): expected grid and input to have same batch size, {sizes}")
    if x.ndim not in (4, 5) or x.ndim != g.ndim:
        raise RuntimeError(f"grid_sampler(): expected 4D or 5D input and grid with same number of dimensions, {sizes}")
    if g.shape[-1] != x.ndim - 2:
        raise RuntimeError(
            f"grid_sampler(): expected grid to have size {x.ndim - 2} in last dimension, but got grid with sizes "
            f"{list(g.shape)}"
        )
    if mode == "bicubic" and x.ndim == 5:
        raise RuntimeError("grid_sampler(): bicubic interpolation only supports 4D input")
    if x.dtype is not g.dtype:
        raise RuntimeError(
            f"grid_sampler(): expected input and grid to have same dtype, but input has {x.dtype.scalar_name} and "
            f"grid has "
            f"{g.dtype.scalar_name}"
        )
    if any(n == 0 for n in x.shape[2:]):
        raise RuntimeError(
            f"grid_sampler(): expected input to have non-empty spatial dimensions, but input has sizes {list(x.shape)}"
        )


@public(function=False, method=False, functional=True)
def grid_sample(input: Tensor, grid: Tensor, mode: str = "bilinear", padding_mode: str = "zeros",
                align_corners: bool | None = None) -> Tensor:  # fmt: skip
    """The image's values at the places of a grid, interpolated
    (https://pytorch.org/docs/stable/generated/torch.nn.functional.grid_sample.html).

    Shapes: input (N, C, H, W), grid (N, H', W', 2) with (x, y) in [-1, 1], result (N, C, H', W'); or (N, C, D, H, W)
    and (N, D', H', W', 3).
    """
    _check(settle(input).spec, settle(grid).spec, mode, padding_mode)
    if align_corners is None:
        warnings.warn(_CHANGED, stacklevel=2)
        align_corners = False
    return _sampled(input, grid, mode, padding_mode, align_corners)


_MODES = ("bilinear", "nearest", "bicubic")
_PADDINGS = ("zeros", "border", "reflection")


@public(method=False)
def grid_sampler(
    input: Tensor, grid: Tensor, interpolation_mode: int, padding_mode: int, align_corners: bool
) -> Tensor:
    """`grid_sample` with its modes as numbers: 0, 1, 2 for bilinear, nearest, bicubic; zeros, border, reflection."""
    if not 0 <= interpolation_mode < len(_MODES) or not 0 <= padding_mode < len(_PADDINGS):
        raise RuntimeError(
            f"grid_sampler(): expected interpolation_mode and padding_mode in 0, 1, 2, but got {interpolation_mode} "
            f"and {padding_mode}"
        )
    mode, padding = _MODES[interpolation_mode], _PADDINGS[padding_mode]
    return grid_sample(input, grid, mode, padding, bool(align_corners))


@public(method=False)
def grid_sampler_2d(
    input: Tensor, grid: Tensor, interpolation_mode: int, padding_mode: int, align_corners: bool
) -> Tensor:
    """`grid_sampler` for images: input (N, C, H, W)."""
    _check_dimensions(input, 4)
    return grid_sampler(input, grid, interpolation_mode, padding_mode, align_corners)


@public(method=False)
def grid_sampler_3d(
    input: Tensor, grid: Tensor, interpolation_mode: int, padding_mode: int, align_corners: bool
) -> Tensor:
    """`grid_sampler` for volumes: input (N, C, D, H, W)."""
    _check_dimensions(input, 5)
    return grid_sampler(input, grid, interpolation_mode, padding_mode, align_corners)


def _check_dimensions(input: Tensor, ndim: int) -> None:
    shape = settle(input).spec.shape
    if len(shape) != ndim:
        raise RuntimeError(
            f"grid_sampler_{ndim - 2}d(): expected {ndim}D input, but got input with sizes {list(shape)}"
        )
