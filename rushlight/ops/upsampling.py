"""Interpolation: images, signals and volumes in another size.

Every mode but "area" is the same linear map for each dimension on its own: a result takes a few numbers (taps) of the
input with weights.  Taps and weights are worked out once for (mode, sizes, scale).  The adjoint has taps, too: the
results that each number of the input went into.  Where there are many of them, the map is a product with a matrix.
Images of bytes are resized in whole numbers, as Pillow does it.
"""

from __future__ import annotations

import functools
import math
import warnings
from collections.abc import Callable
from operator import index
from typing import Any, NamedTuple

import numpy as np

from rushlight.core import dtype as dtypes
from rushlight.record.operation import Operation, operation
from rushlight.record.trace import apply, settle
from rushlight.record.value import Tensor

from .adaptive_pooling import adaptive_avg_pool1d, adaptive_avg_pool2d, adaptive_avg_pool3d
from .im2col import Ints
from .public import public
from .rules import in_format_of

OFTEN = 8  # repetitions whose gradients are added one by one
MANY = 12  # with more taps a matrix is better


class Axis(NamedTuple):
    """How one dimension is resized. `scale`: input numbers for each output number, where the user gave a factor."""

    mode: str
    size: int
    out: int
    aligned: bool
    scale: float | None


# ---------------------------------------------------------------------------------------------------------------------
# Taps


def _cubic(x: np.ndarray, a: float) -> np.ndarray:
    """The cubic convolution kernel (Keys 1981)."""
    x = np.abs(x)
    near = ((a + 2) * x - (a + 3)) * x * x + 1
    far = ((x - 5) * x + 8) * x * a - 4 * a
    return np.where(x < 1, near, np.where(x < 2, far, 0))


def _triangle(x: np.ndarray) -> np.ndarray:
    return np.maximum(1 - np.abs(x), 0)


def _lanczos(x: np.ndarray) -> np.ndarray:
    return np.where(np.abs(x) < 3, np.sinc(x) * np.sinc(x / 3), 0)


def _step(axis: Axis) -> float:
    """How far apart neighbouring results lie in the input."""
    if axis.aligned:
        return (axis.size - 1) / (axis.out - 1) if axis.out > 1 else 0.0
    return axis.scale if axis.scale is not None else axis.size / axis.out


def _nearest(axis: Axis) -> tuple[np.ndarray, np.ndarray]:
    step = np.float32(axis.scale if axis.scale is not None else np.float32(axis.size) / np.float32(axis.out))
    i = np.arange(axis.out, dtype=np.float32)
    at = (i + np.float32(0.5)) * step if axis.mode == "nearest-exact" else i * step
    return np.minimum(np.floor(at).astype(np.int64), axis.size - 1)[:, None], np.ones((axis.out, 1))


def _centers(axis: Axis) -> np.ndarray:
    i = np.arange(axis.out)
    return i * _step(axis) if axis.aligned else (i + 0.5) * _step(axis) - 0.5


def _linear(axis: Axis) -> tuple[np.ndarray, np.ndarray]:
    at = np.maximum(_centers(axis), 0)
    low = np.minimum(at.astype(np.int64), axis.size - 1)
    part = np.clip(at - low, 0, 1)
    return np.stack([low, np.minimum(low + 1, axis.size - 1)], 1), np.stack([1 - part, part], 1)


def _bicubic(axis: Axis) -> tuple[np.ndarray, np.ndarray]:
    at = _centers(axis)
    low = np.floor(at)
    part = at - low
    taps = low[:, None].astype(np.int64) + np.arange(-1, 3)
    weights = np.stack([_cubic(part - k, -0.75) for k in range(-1, 3)], 1)
    return np.clip(taps, 0, axis.size - 1), weights


_FILTERS: dict[str, tuple[float, Callable[[np.ndarray], np.ndarray]]] = {
    "bilinear": (1.0, _triangle),
    "bicubic": (2.0, lambda x: _cubic(x, -0.5)),
    "lanczos": (3.0, _lanczos),
}


def _antialiased(axis: Axis, mode: str) -> tuple[np.ndarray, np.ndarray]:
    """A filter as wide as the step: every number of the input counts."""
    reach, kernel = _FILTERS[mode]
    step = _step(axis)
    wide = max(step, 1.0)
    center = (np.arange(axis.out) + 0.5) * step
    first = np.maximum((center - reach * wide + 0.5).astype(np.int64), 0)
    last = np.minimum((center + reach * wide + 0.5).astype(np.int64), axis.size)
    taps = first[:, None] + np.arange(int((last - first).max()))
    weights = np.where(taps < last[:, None], kernel((taps - center[:, None] + 0.5) / wide), 0)
    return np.minimum(taps, axis.size - 1), weights / weights.sum(1, keepdims=True)


@functools.lru_cache(maxsize=512)
def _taps(axis: Axis) -> tuple[np.ndarray, np.ndarray]:
    """For each result the positions it takes and their weights, both (out, taps)."""
    if axis.mode.startswith("nearest"):
        return _nearest(axis)
    if axis.mode.startswith("antialiased "):
        return _antialiased(axis, axis.mode.partition(" ")[2])
    return _bicubic(axis) if axis.mode == "bicubic" else _linear(axis)


@functools.lru_cache(maxsize=128)
def _matrix(axis: Axis) -> np.ndarray:
    """The map as a matrix (out, size)."""
    taps, weights = _taps(axis)
    matrix = np.zeros((axis.out, axis.size))
    np.add.at(matrix, (np.arange(axis.out)[:, None], taps), weights)
    return matrix


# ---------------------------------------------------------------------------------------------------------------------
# Operations


def _resized(x: np.ndarray, *, axes: tuple[Axis, ...]) -> np.ndarray:
    kind = x.dtype
    if in_whole_numbers(x, axes):
        return _resized_bytes(x, axes)
    if kind.kind in "iu" and not axes[0].mode.startswith("nearest"):
        x = x.astype(np.float32)
    for dim, axis in enumerate(axes, x.ndim - len(axes)):
        taps, weights = _taps(axis)
        if taps.shape[1] == 1:
            x = np.take(x, taps[:, 0], dim)
        elif taps.shape[1] > MANY:
            x = _multiplied(x, _matrix(axis), dim)
        else:
            x = _tapped(x, taps, weights, dim)
    return np.clip(np.rint(x), 0, 255).astype(kind) if x.dtype != kind else x


def in_whole_numbers(x: np.ndarray, axes: tuple[Axis, ...]) -> bool:
    """Whether these are images of bytes in a mode for which PyTorch computes in whole numbers."""
    return x.dtype == np.uint8 and axes[0].mode not in ("nearest", "nearest-exact", "linear", "trilinear")


def _tapped(x: np.ndarray, taps: np.ndarray, weights: np.ndarray, dim: int) -> np.ndarray:
    across = [-1, *[1] * (x.ndim - dim - 1)]
    parts = [np.take(x, t, dim) * w.astype(x.dtype).reshape(across) for t, w in zip(taps.T, weights.T, strict=True)]
    return functools.reduce(np.add, parts)


@functools.lru_cache(maxsize=512)
def whole_weights(axis: Axis) -> tuple[np.ndarray, np.ndarray, int]:
    """Taps, and weights as whole numbers over a power of two: the highest that leaves all of them 16 bits."""
    taps, weights = _taps(axis)
    again = np.zeros(taps.shape, bool)  # a border's number is taken once, with the sum of its weights
    again[:, 1:] = taps[:, 1:] == taps[:, :-1]
    weights = np.where(again, 0, _matrix(axis)[np.arange(axis.out)[:, None], taps])
    bits = next((b for b in range(22) if int(0.5 + weights.max() * (1 << (b + 1))) >= 1 << 15), 22)
    scaled = weights * (1 << bits)
    return taps, np.trunc(scaled + np.copysign(0.5, scaled)).astype(np.int32), bits


def _resized_bytes(x: np.ndarray, axes: tuple[Axis, ...]) -> np.ndarray:
    """Images of bytes, as Pillow and PyTorch compute them: in whole numbers, rounded to bytes after each dimension,
    the last one first."""
    for dim, axis in reversed(list(enumerate(axes, x.ndim - len(axes)))):
        taps, weights, bits = whole_weights(axis)
        across = [-1, *[1] * (x.ndim - dim - 1)]
        total: Any = 1 << (bits - 1)
        for t, w in zip(taps.T, weights.T, strict=True):
            total = total + np.take(x, t, dim) * w.reshape(across)
        x = np.clip(total >> bits, 0, 255).astype(np.uint8)
    return x


def _multiplied(x: np.ndarray, matrix: np.ndarray, dim: int) -> np.ndarray:
    return np.moveaxis(np.matmul(np.moveaxis(x, dim, -1), matrix.T.astype(x.dtype)), -1, dim)


@functools.lru_cache(maxsize=512)
def _repeats(axis: Axis) -> int:
    """How often each number is repeated, if that is all that is done and not often; else 0."""
    times = axis.out // axis.size if axis.size else 0
    if not axis.mode.startswith("nearest") or not 1 <= times <= OFTEN or times * axis.size != axis.out:
        return 0
    return times if np.array_equal(_taps(axis)[0][:, 0], np.arange(axis.out) // times) else 0


@functools.lru_cache(maxsize=512)
def _taps_back(axis: Axis) -> tuple[np.ndarray, np.ndarray] | None:
    """For each number of the input the results it went into and with what weights, both (size, taps); None if many."""
    taps, weights = _taps(axis)
    pairs, at = np.unique(taps * axis.out + np.arange(axis.out)[:, None], return_inverse=True)
    own, result = np.divmod(pairs, axis.out)
    counts = np.bincount(own, minlength=axis.size)
    if counts.max() > MANY:
        return None
    turn = np.arange(own.size) - (np.cumsum(counts) - counts)[own]  # which of its number's taps each is
    results, shares = np.zeros((axis.size, counts.max()), np.int64), np.zeros((axis.size, counts.max()))
    results[own, turn] = result
    shares[own, turn] = np.bincount(at.ravel(), weights.ravel())
    return results, shares


def _spread(d: np.ndarray, *, axes: tuple[Axis, ...]) -> np.ndarray:
    """The adjoint of `_resized`."""
    for dim, axis in enumerate(axes, d.ndim - len(axes)):
        times = _repeats(axis)
        if times > 1:
            before = (slice(None),) * dim
            d = functools.reduce(np.add, [d[(*before, slice(k, None, times))] for k in range(times)])
        elif not times:
            back = _taps_back(axis)
            d = _multiplied(d, _matrix(axis).T, dim) if back is None else _tapped(d, *back, dim)
    return d


def _resizing(node: str) -> Operation:
    name = node.removesuffix("Backward0")
    op = operation(
        name,
        lambda x, *, axes: in_format_of(x, shape=(*x.shape[: -len(axes)], *(a.out for a in axes))),
        _resized,
        node=node,
    )
    back = operation(
        f"{name}Backward", lambda d, *, axes: in_format_of(d, shape=(*d.shape[: -len(axes)], *(a.size for a in axes))),
        _spread, node=f"{name}BackwardBackward0",
    )  # fmt: skip
    op.gradient(x=lambda g, axes: apply(back, (g,), (axes,)))
    back.gradient(d=lambda g, axes: apply(op, (g,), (axes,)))
    return op


_OPERATIONS = {
    **{("nearest", d): _resizing(f"UpsampleNearest{d}DBackward0") for d in (1, 2, 3)},
    **{("nearest-exact", d): _resizing(f"UpsampleNearestExact{d}DBackward0") for d in (1, 2, 3)},
    ("linear", 1): _resizing("UpsampleLinear1DBackward0"),
    ("bilinear", 2): _resizing("UpsampleBilinear2DBackward0"),
    ("trilinear", 3): _resizing("UpsampleTrilinear3DBackward0"),
    ("bicubic", 2): _resizing("UpsampleBicubic2DBackward0"),
    ("antialiased bilinear", 2): _resizing("UpsampleBilinear2DAaBackward0"),
    ("antialiased bicubic", 2): _resizing("UpsampleBicubic2DAaBackward0"),
    ("antialiased lanczos", 2): _resizing("UpsampleLanczos2DAaBackward0"),
}
_NEEDS = {"linear": 3, "bilinear": 4, "trilinear": 5}
_MODES = "nearest | linear | bilinear | bicubic | trilinear | lanczos | area | nearest-exact"

# ---------------------------------------------------------------------------------------------------------------------
# Arguments


def _output_size(
    shape: Ints, size: Any, scale_factor: Any, recompute: bool | None
) -> tuple[Ints, tuple[float, ...] | None]:
    """The result's size, and the factors to compute positions with (None: the quotient of the sizes)."""
    dims = len(shape) - 2
    if size is not None and scale_factor is not None:
        raise ValueError("only one of size or scale_factor should be defined")
    if size is None and scale_factor is None:
        raise ValueError("either size or scale_factor should be defined")
    if size is not None:
        if recompute:
            raise ValueError("recompute_scale_factor is not meaningful with an explicit size.")
        out = _per_dimension(size, dims, shape, "output size", "output size in (o1, o2, ...,oK)", " of")
        if any(isinstance(n, bool) or not hasattr(n, "__index__") for n in out):
            raise TypeError(f"interpolate(): expected size to be one int or {dims} of them, but got {size!r}")
        return tuple(map(index, out)), None
    factors = _per_dimension(scale_factor, dims, shape, "scale_factor", "scale_factor in (s1, s2, ...,sK)", " of shape")
    if not all(math.isfinite(f) for f in factors):
        raise RuntimeError(f"interpolate(): scale_factor must be finite, but got {scale_factor}")
    out = tuple(math.floor(float(n) * f) for n, f in zip(shape[2:], factors, strict=True))
    return out, None if recompute else tuple(float(f) for f in factors)


def _per_dimension(value: Any, dims: int, shape: Ints, name: str, form: str, of: str) -> tuple[Any, ...]:
    if not isinstance(value, (list, tuple)):
        return (value,) * dims
    if len(value) != dims:
        what = "output" if name == "output size" else name
        raise ValueError(
            f"Input and {what} must have the same number of spatial dimensions, but got input with spatial dimensions "
            f"of "
            f"{list(shape[2:])} and {name}{of} {tuple(value)}. Please provide input tensor in (N, C, d1, d2, ...,dK) "
            f"format and "
            f"{form} format."
        )
    return tuple(value)


def _check_mode(mode: str, ndim: int, align_corners: bool | None, antialias: bool) -> None:
    if mode in ("nearest", "area", "nearest-exact"):
        if align_corners is not None:
            raise ValueError(
                "align_corners option can only be set with the interpolating modes: linear | bilinear | bicubic | "
                "trilinear"
            )
    if antialias and not (mode in _FILTERS and ndim == 4):
        raise ValueError(
            "Anti-alias option is restricted to bilinear, bicubic, and lanczos modes and requires a 4-D tensor as input"
        )
    if ndim in (3, 4, 5) and mode in _NEEDS and _NEEDS[mode] != ndim:
        raise NotImplementedError(f"Got {ndim}D input, but {mode} mode needs {_NEEDS[mode]}D input")
    known = mode in ("nearest", "nearest-exact", "area", *_NEEDS) or (mode in ("bicubic", "lanczos") and ndim == 4)
    if ndim not in (3, 4, 5) or not known:
        raise NotImplementedError(
            f"Input Error: Only 3D, 4D and 5D input Tensors supported (got {ndim}D) for the modes: {_MODES} (got "
            f"{mode})"
        )


def _check_sizes(space: Ints, out: Ints) -> None:
    if all(n > 0 for n in (*space, *out)):
        return
    names = ("D", "H", "W")[-len(space) :]
    given, wanted = (", ".join(f"{a}: {n}" for a, n in zip(names, sizes, strict=True)) for sizes in (space, out))
    raise RuntimeError(f"Input and output sizes should be greater than 0, but got input ({given}) output ({wanted})")


@public(function=False, method=False, functional=True)
def interpolate(input: Tensor, size: Any = None, scale_factor: Any = None, mode: str = "nearest",
                align_corners: bool | None = None, recompute_scale_factor: bool | None = None,
                antialias: bool = False) -> Tensor:  # fmt: skip
    """The input in another size, given by `size` or `scale_factor`
    (https://pytorch.org/docs/stable/generated/torch.nn.functional.interpolate.html).

    Shapes: (N, C, L), (N, C, H, W) or (N, C, D, H, W).  Modes: nearest, nearest-exact, linear, bilinear, bicubic,
    trilinear, lanczos (with `antialias`), area.  `align_corners` lets the corner points stay where they are.

    >>> torch.nn.functional.interpolate(torch.tensor([[[1., 2.]]]), scale_factor=2)
    tensor([[[1., 1., 2., 2.]]])
    """
    spec = settle(input).spec
    if spec.ndim not in (3, 4, 5):
        _check_mode(mode, spec.ndim, align_corners, antialias)
    out, factors = _output_size(spec.shape, size, scale_factor, recompute_scale_factor)
    _check_mode(mode, spec.ndim, align_corners, antialias)
    if mode == "area":
        pools = {3: adaptive_avg_pool1d, 4: adaptive_avg_pool2d, 5: adaptive_avg_pool3d}
        return pools[spec.ndim](input, out)
    if mode == "lanczos" and align_corners:
        raise ValueError("Lanczos mode does not support align_corners=True")
    if mode == "lanczos" and not antialias:
        raise ValueError("Lanczos mode requires antialias=True")
    space = spec.shape[2:]
    if not spec.shape[1]:
        raise RuntimeError(
            f"Non-empty {spec.ndim}D data tensor expected but got a tensor with sizes {list(spec.shape)}"
        )
    _check_sizes(space, out)
    kind = spec.dtype
    if not (kind.is_floating_point or kind is dtypes.uint8):
        raise NotImplementedError(
            f"\"upsample_{mode.replace('-', '_')}{len(space)}d\" not implemented for '{kind.scalar_name}'"
        )
    scales = [None] * len(space) if factors is None else [1 / f for f in factors]
    full = f"antialiased {mode}" if antialias else mode
    axes = tuple(Axis(full, n, o, bool(align_corners), s) for n, o, s in zip(space, out, scales, strict=True))
    return apply(_OPERATIONS[full, len(space)], (input,), (axes,))


def _deprecated(name: str) -> None:
    warnings.warn(f"`nn.functional.{name}` is deprecated. Use `nn.functional.interpolate` instead.", stacklevel=3)


@public(function=False, method=False, functional=True)
def upsample(input: Tensor, size: Any = None, scale_factor: Any = None, mode: str = "nearest",
             align_corners: bool | None = None) -> Tensor:  # fmt: skip
    """`interpolate`, under its old name."""
    _deprecated("upsample")
    return interpolate(input, size, scale_factor, mode, align_corners)


@public(function=False, method=False, functional=True)
def upsample_nearest(input: Tensor, size: Any = None, scale_factor: Any = None) -> Tensor:
    """`interpolate` to the nearest number, under its old name."""
    _deprecated("upsample_nearest")
    return interpolate(input, size, scale_factor, mode="nearest")


@public(function=False, method=False, functional=True)
def upsample_bilinear(input: Tensor, size: Any = None, scale_factor: Any = None) -> Tensor:
    """`interpolate` bilinearly with aligned corners, under its old name."""
    _deprecated("upsample_bilinear")
    return interpolate(input, size, scale_factor, mode="bilinear", align_corners=True)
