"""Spatial transformers (Jaderberg et al. 2015): a grid of places from an affine map, and an image sampled at a grid.

Here are the arguments and what is wrong with them; the operations of sampling are in `grid_sampler.py`.
"""

from __future__ import annotations

import math
import warnings
from functools import lru_cache
from typing import Any

import numpy as np

from rushlight.record.operation import operation
from rushlight.record.spec import Spec, spec_of
from rushlight.record.trace import apply, settle
from rushlight.record.value import Tensor

from .grid_sampler import sampled
from .public import public

Ints = tuple[int, ...]

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
    return apply(AFFINE_GRID, (theta,), (whole[2:], align_corners))


# ---------------------------------------------------------------------------------------------------------------------
# Sampling


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
    return sampled(input, grid, mode, padding_mode, bool(align_corners))


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
