"""Pooling by irregular windows: adaptive and fractional pooling, their inverse `max_unpool`, and power averages.

Windows that are picked by position work on flat indices: `pool_take` reads the number at each index, `pool_put` is its
adjoint. Adaptive averages are taken one dimension after the other.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from rushlight.codegen import windows as on_symbols
from rushlight.core import dtype as dtypes
from rushlight.core.generator import engine_of
from rushlight.core.sampling import uniform
from rushlight.record.operation import Operation, operation
from rushlight.record.spec import Spec, spec_of
from rushlight.record.trace import apply, settle
from rushlight.record.value import Tensor

from .creation import wrap
from .im2col import Ints
from .pooling import Windows, avg_pool1d, avg_pool2d, avg_pool3d, max_pool1d, max_pool2d, max_pool3d
from .public import public
from .rules import in_format_of
from .sizes import given_sizes

# ---------------------------------------------------------------------------------------------------------------------
# By flat positions


def _flat(x: np.ndarray, dims: int) -> np.ndarray:
    return x.reshape(*x.shape[:-dims], math.prod(x.shape[-dims:]))


def _take(x: np.ndarray, indices: np.ndarray, *, dims: int) -> np.ndarray:
    return np.take_along_axis(_flat(x, dims), _flat(indices, dims), -1).reshape(indices.shape)


def _put(d: np.ndarray, indices: np.ndarray, *, space: Ints) -> np.ndarray:
    """Adds each number to the position its index names in the dimensions `space`."""
    lead = d.shape[: -len(space)]
    planes = math.prod(lead)
    size = math.prod(space)
    at = indices.reshape(planes, -1) + np.arange(planes)[:, None] * size
    total = np.bincount(at.ravel(), d.ravel().astype(np.float64, copy=False), planes * size)
    return total.astype(d.dtype).reshape(*lead, *space)


POOL_TAKE = operation(
    "pool_take", lambda x, indices, *, dims: spec_of(indices.shape, x.dtype), _take, node="GatherBackward0"
)
POOL_PUT = operation(
    "pool_put",
    lambda d, indices, *, space: in_format_of(d, indices, shape=(*d.shape[: -len(space)], *space)),
    _put,
    node="GatherBackward0",
)


def _put_symbols(d: Any, indices: Any, *, space: Ints) -> Any:
    lead = d.shape[: -len(space)]
    planes, size = math.prod(lead), math.prod(space)
    at = indices.reshape(planes, -1)
    return d.reshape(at.shape).added_each(at, 1, (planes, size)).reshape(*lead, *space)


POOL_PUT.lower = _put_symbols
POOL_TAKE.gradient(x=lambda g, indices, x_spec, dims: apply(POOL_PUT, (g, indices), (x_spec.shape[-dims:],)))
POOL_PUT.gradient(d=lambda g, indices, space: apply(POOL_TAKE, (g, indices), (len(space),)))

# ---------------------------------------------------------------------------------------------------------------------
# Adaptive averages


def _bounds(n: int, out: int) -> tuple[np.ndarray, np.ndarray]:
    """Where each of `out` windows over n numbers begins and ends."""
    i = np.arange(out)
    return i * n // out, -((i + 1) * -n // out)


def _average_along(x: np.ndarray, axis: int, out: int) -> np.ndarray:
    """The average of each of `out` windows along a dimension."""
    n = x.shape[axis]
    if out and n % out == 0:
        return _average_of_equal(x.reshape(*x.shape[:axis], out, n // out, *x.shape[axis + 1 :]), axis + 1)
    result = np.empty((*x.shape[:axis], out, *x.shape[axis + 1 :]), x.dtype)
    lead: Any = (slice(None),) * axis
    for i, (start, end) in enumerate(zip(*_bounds(n, out), strict=True)):
        x[(*lead, slice(start, end))].mean(axis, out=result[(*lead, i)])
    return result


def _average_of_equal(x: np.ndarray, axis: int) -> np.ndarray:
    """The mean along a dimension; NumPy's own is slow along short ones."""
    count = x.shape[axis]
    if count > 16:
        return x.mean(axis)
    lead: Any = (slice(None),) * axis
    total = np.array(x[(*lead, 0)])
    for i in range(1, count):
        total += x[(*lead, i)]
    return total / x.dtype.type(count)


def _spread_along(d: np.ndarray, axis: int, n: int) -> np.ndarray:
    """The adjoint of `_average_along`: every window's number, divided up among the window's places."""
    out = d.shape[axis]
    if out and n % out == 0:
        share = np.expand_dims(d / d.dtype.type(n // out), axis + 1)
        spread = np.broadcast_to(share, (*d.shape[: axis + 1], n // out, *d.shape[axis + 1 :]))
        return spread.reshape(*d.shape[:axis], n, *d.shape[axis + 1 :])
    total = np.zeros((*d.shape[:axis], n, *d.shape[axis + 1 :]), d.dtype)
    lead: Any = (slice(None),) * axis
    for i, (start, end) in enumerate(zip(*_bounds(n, d.shape[axis]), strict=True)):
        total[(*lead, slice(start, end))] += d[(*lead, slice(i, i + 1))] / d.dtype.type(end - start)
    return total


def _adaptive_average(x: np.ndarray, *, out: Ints) -> np.ndarray:
    for axis, o in enumerate(out, x.ndim - len(out)):
        if o != x.shape[axis]:
            x = _average_along(x, axis, o)
    return np.array(x)


def _adaptive_spread(d: np.ndarray, *, space: Ints) -> np.ndarray:
    for axis, n in enumerate(space, d.ndim - len(space)):
        if n != d.shape[axis]:
            d = _spread_along(d, axis, n)
    return np.array(d)


def _equal_windows(space: Ints, out: Ints) -> Windows | None:
    """The windows where they are all of one size."""
    if any(o == 0 or n % o for n, o in zip(space, out, strict=True)):
        return None
    sizes, nothing = tuple(n // o for n, o in zip(space, out, strict=True)), (0,) * len(out)
    return Windows(sizes, sizes, nothing, (1,) * len(out), out)


def _average_symbols(x: Any, *, out: Ints) -> Any:
    windows = _equal_windows(x.shape[-len(out) :], out)
    if windows is not None:
        return on_symbols.average(x, math.prod(windows.kernel), windows=windows)
    for axis, o in enumerate(out, x.ndim - len(out)):
        if o != x.shape[axis]:
            start, end = _bounds(x.shape[axis], o)
            x = on_symbols.sums_of_ranges(x, axis, start, end) / _lengths(x, axis, start, end)
    return x


def _spread_symbols(d: Any, *, space: Ints) -> Any:
    windows = _equal_windows(space, d.shape[-len(space) :])
    if windows is not None:
        return on_symbols.average_backward(d, math.prod(windows.kernel), space=space, windows=windows)
    for axis, n in enumerate(space, d.ndim - len(space)):
        if n != d.shape[axis]:
            start, end = _bounds(n, d.shape[axis])
            share, place = d / _lengths(d, axis, start, end), np.arange(n)
            first, last = np.searchsorted(end, place, "right"), np.searchsorted(start, place, "right")
            d = on_symbols.sums_of_ranges(share, axis, first, last)  # of the windows that a place is in
    return d


def _lengths(x: Any, axis: int, start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """How long the ranges along a dimension of x are, to divide by."""
    return (end - start).astype(x.dtype).reshape(-1, *(1,) * (x.ndim - axis - 1))


def _average_spec(x: Spec, *, out: Ints) -> Spec:
    """Only averages of pictures keep the memory format."""
    shape = (*x.shape[: -len(out)], *out)
    return in_format_of(x, shape=shape) if len(out) == 2 else spec_of(shape, x.dtype)


def _adaptive_average_operation(dims: int) -> Operation:
    op = operation(
        f"adaptive_avg_pool{dims}d", _average_spec, _adaptive_average, node=f"AdaptiveAvgPool{dims}DBackward0"
    )
    back = operation(
        f"adaptive_avg_pool{dims}d_backward",
        lambda d, *, space: in_format_of(d, shape=(*d.shape[: -len(space)], *space)),
        _adaptive_spread,
        node=f"AdaptiveAvgPool{dims}DBackwardBackward0",
    )
    op.lower, back.lower = _average_symbols, _spread_symbols
    op.gradient(x=lambda g, x_spec, out: apply(back, (g,), (x_spec.shape[-len(out) :],)))
    back.gradient(d=lambda g, d_spec, space: apply(op, (g,), (d_spec.shape[-len(space) :],)))
    return op


ADAPTIVE_AVERAGE = {2: _adaptive_average_operation(2), 3: _adaptive_average_operation(3)}


def _targets(output_size: Any, dims: int, shape: Ints, function: str) -> Ints:
    """The output size, None standing for the input's."""
    if isinstance(output_size, (tuple, list)):
        if len(output_size) >= len(shape):
            raise ValueError(
                f"Input dimension should be at least {len(output_size) + 1}, but {function} got {list(shape)}"
            )
        ends = shape[len(shape) - len(output_size) :]
        output_size = [n if o is None else o for o, n in zip(output_size, ends, strict=True)]
    given = given_sizes(output_size, function, "output_size", 2)
    if isinstance(given, int):
        return (given,) * dims
    if len(given) != dims:
        raise RuntimeError(f"{function}: output_size must be {dims} integers, not {len(given)}")
    return given


def _adaptive_avg(dims: int, input: Tensor, output_size: Any) -> Tensor:
    name = f"adaptive_avg_pool{dims}d"
    spec = settle(input).spec
    out = _targets(output_size, dims, spec.shape, name)
    if any(o < 0 for o in out):
        raise RuntimeError(
            f"{name}: elements of output_size must be greater than or equal to 0 but received "
            f"{{{', '.join(map(str, out))}}}"
        )
    if not spec.dtype.is_floating_point:
        kernel_name = f"{name}_cpu" if dims == 3 else name
        raise NotImplementedError(f"\"{kernel_name}\" not implemented for '{spec.dtype.scalar_name}'")
    if spec.ndim not in (dims + 1, dims + 2):
        raise RuntimeError(f"{name}(): Expected {dims + 1}D or {dims + 2}D tensor, but got {list(spec.shape)}")
    if 0 in spec.shape[-dims:]:
        raise RuntimeError(
            f"{name}(): Expected input to have non-zero size for non-batch dimensions, but input has sizes "
            f"{list(spec.shape)} with dimension {spec.shape.index(0, 1)} being empty"
        )
    if all(o == 1 for o in out):
        return input.mean(tuple(range(-dims, 0)), keepdim=True)
    return apply(ADAPTIVE_AVERAGE[dims], (input,), (out,))


def _check_signal(input: Tensor, function: str) -> None:
    ndim = settle(input).spec.ndim
    if ndim not in (2, 3):
        raise RuntimeError(
            f"Expected 2 to 3 dimensions, but got {ndim}-dimensional tensor for argument #1 'self' (while checking "
            f"arguments "
            f"for {function})"
        )


def _one(output_size: Any, function: str) -> int:
    given = given_sizes(output_size, function, "output_size", 2)
    if isinstance(given, int):
        return given
    if len(given) != 1:
        raise RuntimeError(f"{function}() argument 'output_size' should contain one int (got {len(given)})")
    return given[0]  # type: ignore[no-any-return]


@public(method=False, functional=True)
def adaptive_avg_pool1d(input: Tensor, output_size: Any) -> Tensor:
    """Averages over as many windows as `output_size` says. Shapes: (N, C, L) or (C, L)."""
    _check_signal(input, "adaptive_avg_pool1d")
    return _adaptive_avg(2, input.unsqueeze(-2), (1, _one(output_size, "adaptive_avg_pool1d"))).squeeze(-2)


@public(function=False, method=False, functional=True)
def adaptive_avg_pool2d(input: Tensor, output_size: Any) -> Tensor:
    """Averages over as many windows as `output_size` says (None: as many as there are numbers). Shapes: (N, C, H, W)
    or (C, H, W).

    >>> torch.nn.functional.adaptive_avg_pool2d(torch.tensor([[[1., 2.], [3., 4.]]]), 1)
    tensor([[[2.5000]]])
    """
    return _adaptive_avg(2, input, output_size)


@public(function=False, method=False, functional=True)
def adaptive_avg_pool3d(input: Tensor, output_size: Any) -> Tensor:
    """Averages over as many windows as `output_size` says. Shapes: (N, C, D, H, W) or (C, D, H, W)."""
    return _adaptive_avg(3, input, output_size)


# ---------------------------------------------------------------------------------------------------------------------
# Adaptive maxima

LONGEST_SIDE = 64  # numbers along a window, for which the compiler writes a comparison each


def _largest_in(x: np.ndarray, slices: tuple[slice, ...]) -> np.ndarray:
    """The flat position (in the whole space) of the largest number in a box of the last dimensions; the first, or the
    last NaN."""
    dims = len(slices)
    place: Any = (..., *slices)
    box = x[place]
    flat = box.reshape(*x.shape[: x.ndim - dims], math.prod(box.shape[x.ndim - dims :]))
    at = np.argmax(flat, axis=-1)
    if flat.dtype.kind == "f":
        bad = np.isnan(flat)
        if bad.any():
            last = flat.shape[-1] - 1 - np.argmax(bad[..., ::-1], axis=-1)
            at = np.where(bad.any(-1), last, at)
    where = np.unravel_index(at, box.shape[-dims:])
    index: Any = 0
    for w, s, n in zip(where, slices, x.shape[-dims:], strict=True):
        index = index * n + w + s.start
    return index


def _adaptive_max(x: np.ndarray, *, out: Ints) -> tuple[np.ndarray, np.ndarray]:
    dims = len(out)
    indices = np.empty((*x.shape[:-dims], *out), np.int64)
    bounds = [list(zip(*_bounds(n, o), strict=True)) for n, o in zip(x.shape[-dims:], out, strict=True)]
    for at in np.ndindex(*out):
        slices = tuple(slice(*map(int, b[i])) for b, i in zip(bounds, at, strict=True))
        indices[(..., *at)] = _largest_in(x, slices)
    return _take(x, indices, dims=dims), indices


def _adaptive_max_symbols(x: Any, *, out: Ints) -> tuple[Any, Any]:
    bounds = [_bounds(n, o) for n, o in zip(x.shape[-len(out) :], out, strict=True)]
    if max(int((end - start).max()) for start, end in bounds) > LONGEST_SIDE:
        raise NotImplementedError("windows of very many numbers")
    return on_symbols.largest_of_boxes(x, bounds)


def _picked_rule(g: Any, results: Any, x_spec: Spec, out: Ints) -> tuple[Tensor]:
    return (apply(POOL_PUT, (g[0], results[1]), (x_spec.shape[-len(out) :],)),)


def _pair_spec(x: Spec, *, out: Ints) -> tuple[Spec, Spec]:
    shape = (*x.shape[: -len(out)], *out)
    return in_format_of(x, shape=shape), in_format_of(x, shape=shape, dtype=dtypes.int64)


ADAPTIVE_MAX = {
    dims: operation(
        f"adaptive_max_pool{dims}d", _pair_spec, _adaptive_max, node=f"AdaptiveMaxPool{dims}DBackward0"
    ).gradient(_picked_rule)
    for dims in (2, 3)
}
for _op in ADAPTIVE_MAX.values():
    _op.lower = _adaptive_max_symbols


def _adaptive_maximum(dims: int, input: Tensor, output_size: Any, return_indices: bool) -> Any:
    name = f"adaptive_max_pool{dims}d"
    spec = settle(input).spec
    out = _targets(output_size, dims, spec.shape, name)
    if spec.ndim not in (dims + 1, dims + 2):
        raise RuntimeError(f"{name}(): Expected {dims + 1}D or {dims + 2}D tensor, but got: {list(spec.shape)}")
    if any(o < 0 for o in out):
        shape = [*spec.shape[:-dims], *out]
        raise RuntimeError(f"Trying to create tensor with negative dimension {min(out)}: {shape}")
    if any(n == 0 for n in spec.shape[1:]):
        raise RuntimeError(
            f"{name}(): Expected input to have non-zero size for non-batch dimensions, but input has sizes "
            f"{list(spec.shape)} "
            f"with dimension {spec.shape.index(0)} being empty"
        )
    if not spec.dtype.is_floating_point:
        kernel_name = f"{name}_cpu" if dims == 3 else name
        raise NotImplementedError(f"\"{kernel_name}\" not implemented for '{spec.dtype.scalar_name}'")
    values, indices = apply(ADAPTIVE_MAX[dims], (input,), (out,))
    return (values, indices) if return_indices else values


@public(function=False, method=False, functional=True)
def adaptive_max_pool1d(input: Tensor, output_size: Any, return_indices: bool = False) -> Any:
    """Maxima over as many windows as `output_size` says. Shapes: (N, C, L) or (C, L)."""
    _check_signal(input, "adaptive_max_pool1d")
    size = (1, _one(output_size, "adaptive_max_pool1d"))
    values, indices = _adaptive_maximum(2, input.unsqueeze(-2), size, True)
    return (values.squeeze(-2), indices.squeeze(-2)) if return_indices else values.squeeze(-2)


@public(function=False, method=False, functional=True)
def adaptive_max_pool2d(input: Tensor, output_size: Any, return_indices: bool = False) -> Any:
    """Maxima over as many windows as `output_size` says. Shapes: (N, C, H, W) or (C, H, W).

    >>> torch.nn.functional.adaptive_max_pool2d(torch.tensor([[[1., 2.], [3., 4.]]]), 1)
    tensor([[[4.]]])
    """
    return _adaptive_maximum(2, input, output_size, return_indices)


@public(function=False, method=False, functional=True)
def adaptive_max_pool3d(input: Tensor, output_size: Any, return_indices: bool = False) -> Any:
    """Maxima over as many windows as `output_size` says. Shapes: (N, C, D, H, W) or (C, D, H, W)."""
    return _adaptive_maximum(3, input, output_size, return_indices)


def _always_indices(name: str, pool: Callable[..., Any]) -> None:
    def f(*args: Any, **kwargs: Any) -> Any:
        kwargs.pop("return_indices", None)
        return pool(*args, **kwargs, return_indices=True)

    f.__name__ = f.__qualname__ = f"{name}_with_indices"
    f.__doc__ = f"`{name}` with `return_indices=True`."
    public(function=False, method=False, functional=True)(f)


for _name, _pool in (("1d", adaptive_max_pool1d), ("2d", adaptive_max_pool2d), ("3d", adaptive_max_pool3d)):
    _always_indices(f"adaptive_max_pool{_name}", _pool)


@public(method=False)
def _adaptive_max_pool1d(input: Tensor, output_size: Any) -> Any:
    """`torch.adaptive_max_pool1d`: values and indices."""
    return adaptive_max_pool1d(input, output_size, True)


def _publish() -> None:
    from .public import FUNCTIONS

    FUNCTIONS["adaptive_max_pool1d"] = FUNCTIONS.pop("_adaptive_max_pool1d")


_publish()

# ---------------------------------------------------------------------------------------------------------------------
# Fractional maxima


def _starts(sample: np.ndarray, n: int, out: int, pool: int) -> np.ndarray:
    """Where the windows of a pseudo-random sequence begin (Graham 2014), for each sample in [0, 1)."""
    if out <= 1:
        return np.full((*sample.shape, out), n - pool)
    kind = sample.dtype.type
    alpha = kind(n - pool) / kind(out - 1)
    i = np.arange(out).astype(sample.dtype)
    starts = ((i + sample[..., None]) * alpha).astype(np.int64) - (sample[..., None] * alpha).astype(np.int64)
    starts[..., -1] = n - pool
    return starts


def _fractional(x: np.ndarray, samples: np.ndarray, *, kernel: Ints, out: Ints) -> tuple[np.ndarray, np.ndarray]:
    dims = len(out)
    lead = x.shape[:-dims]
    samples = samples[: math.prod(lead[:-1])].reshape(*lead, dims)
    order = (1, 0) if dims == 2 else (0, 1, 2)  # of the samples: a plane's first one is for its width
    positions: Any = np.zeros((*lead, *[1] * (2 * dims)), np.int64)
    for axis in range(dims):
        starts = _starts(samples[..., order[axis]], x.shape[-dims + axis], out[axis], kernel[axis])
        at = starts[..., None] + np.arange(kernel[axis])  # (*lead, out, kernel)
        shape = [1] * (2 * dims)
        shape[axis], shape[dims + axis] = out[axis], kernel[axis]
        positions = positions * x.shape[-dims + axis] + at.reshape(*lead, *shape)
    positions = positions.reshape(*lead, math.prod(out), math.prod(kernel))
    numbers = np.take_along_axis(_flat(x, dims)[..., None, :], positions, -1)
    best = np.where(np.isnan(numbers), np.inf, numbers).argmax(-1)
    indices = np.take_along_axis(positions, best[..., None], -1)[..., 0].reshape(*lead, *out)
    return _take(x, indices, dims=dims), indices


FRACTIONAL_MAX = {
    dims: operation(
        f"fractional_max_pool{dims}d",
        lambda x, samples, *, kernel, out: _pair_spec(x, out=out),
        _fractional,
        node=f"FractionalMaxPool{dims}DBackward0",
    ).gradient(lambda g, results, x_spec, out: (*_picked_rule(g, results, x_spec, out), None))
    for dims in (2, 3)
}


def _several(value: Any, dims: int, function: str, name: str) -> Any:
    """One number for each dimension."""
    found = tuple(value) if isinstance(value, (tuple, list)) else (value,) * dims
    if len(found) != dims:
        kind = "Float" if name == "output_ratio" else "Int"
        raise RuntimeError(f"{function}: {name} must either be a single {kind} or tuple of {dims} {kind}s, not {value}")
    return found


def _check_planes(spec: Spec, dims: int, function: str) -> None:
    """Raises PyTorch's errors unless the tensor is (N, C, *space) or (C, *space), empty at most for N."""
    if dims == 2 and spec.ndim in (1, 2):  # here PyTorch looks for the channels before it counts dimensions
        raise IndexError(
            f"Dimension out of range (expected to be in range of [{-spec.ndim}, {spec.ndim - 1}], but got -3); "
            f"{function} takes (N, C, H, W) or (C, H, W), not {list(spec.shape)}"
        )
    if spec.ndim not in (dims + 1, dims + 2):
        raise RuntimeError(f"{function}(): Expected {dims + 1}D or {dims + 2}D tensor, but got: {list(spec.shape)}")
    if 0 in spec.shape[-dims - 1 :]:
        raise RuntimeError(
            f"{function}(): Expected input to have non-zero size for non-batch dimensions, but got "
            f"{list(spec.shape)} with dimension {spec.shape.index(0, spec.ndim - dims - 1)} being empty."
        )


def _check_samples(found: Spec, wanted: Ints) -> None:
    """The samples may be for more examples than there are, and of another dtype than the input."""
    batch, channels, dims = wanted
    if found.ndim != 3:
        raise RuntimeError(f"Expect _random_samples to have 3 dimensions, got {found.ndim}")
    if found.shape[0] < batch:
        raise RuntimeError(
            f"Expect _random_samples.size(0) no less then input batch size {batch}; got {found.shape[0]}."
        )
    if found.shape[1] != channels:
        raise RuntimeError(
            f"Expect _random_samples.size(1) equals to input channel size {channels}; got {found.shape[1]}."
        )
    if found.shape[2] != dims:
        raise RuntimeError(f"Expect _random_samples.size(2) equals to {dims}; got {found.shape[2]}.")


def _fractional_max(
    dims: int,
    input: Tensor,
    kernel_size: Any,
    output_size: Any,
    output_ratio: Any,
    return_indices: bool,
    samples: Tensor | None,
) -> Any:
    name = f"fractional_max_pool{dims}d"
    if output_size is None and output_ratio is None:
        raise ValueError(f"{name} requires specifying either an output_size or an output_ratio")
    spec = settle(input).spec
    _check_planes(spec, dims, name)
    space = spec.shape[-dims:]
    if output_size is None:
        ratios = _several(output_ratio, dims, name, "output_ratio")
        output_size = [int(n * r) for n, r in zip(space, ratios, strict=True)]
    kernel = _several(given_sizes(kernel_size, name, "kernel_size", 2), dims, name, "kernel_size")
    out = _several(given_sizes(output_size, name, "output_size", 3), dims, name, "output_size")
    for word, k, o, n in zip(("time", "height", "width")[-dims:], kernel, out, space, strict=True):
        if k < 1:
            raise RuntimeError(f"{name}(): kernel_size must be greater than zero, but got {k}")
        if o + k - 1 > n:
            raise RuntimeError(f"{name}(): pool {word} {k} too large relative to input {word} {n}")
    wanted = (1 if spec.ndim == dims + 1 else spec.shape[0], spec.shape[-dims - 1], dims)
    if samples is None:
        samples = wrap(uniform(engine_of(None), wanted, 0.0, 1.0, spec.dtype.name))
    _check_samples(settle(samples).spec, wanted)
    values, indices = apply(FRACTIONAL_MAX[dims], (input, samples), (kernel, out))
    return (values, indices) if return_indices else values


@public(function=False, method=False, functional=True)
def fractional_max_pool2d(input: Tensor, kernel_size: Any, output_size: Any = None, output_ratio: Any = None,
                          return_indices: bool = False, _random_samples: Tensor | None = None) -> Any:  # fmt: skip
    """Maxima over windows that begin at random places (Graham 2014). Shapes: (N, C, H, W) or (C, H, W)."""
    return _fractional_max(2, input, kernel_size, output_size, output_ratio, return_indices, _random_samples)


@public(function=False, method=False, functional=True)
def fractional_max_pool3d(input: Tensor, kernel_size: Any, output_size: Any = None, output_ratio: Any = None,
                          return_indices: bool = False, _random_samples: Tensor | None = None) -> Any:  # fmt: skip
    """Maxima over windows that begin at random places. Shapes: (N, C, T, H, W) or (C, T, H, W)."""
    return _fractional_max(3, input, kernel_size, output_size, output_ratio, return_indices, _random_samples)


_always_indices("fractional_max_pool2d", fractional_max_pool2d)
_always_indices("fractional_max_pool3d", fractional_max_pool3d)

# ---------------------------------------------------------------------------------------------------------------------
# Unpooling


def _unpool(x: np.ndarray, indices: np.ndarray, *, space: Ints) -> np.ndarray:
    """Puts each number to the position its index names; zeros elsewhere."""
    size = math.prod(space)
    wrong = indices[(indices < 0) | (indices >= size)]
    if wrong.size:
        raise RuntimeError(
            f"Found an invalid max index: {wrong.flat[0]} (output volumes are of size {'x'.join(map(str, space))})"
        )
    whole = np.zeros((*x.shape[: -len(space)], size), x.dtype)
    np.put_along_axis(whole, _flat(indices, len(space)), _flat(x, len(space)), -1)
    return whole.reshape(*x.shape[: -len(space)], *space)


def _unpool_symbols(x: Any, indices: Any, *, space: Ints) -> Any:
    lead = x.shape[: -len(space)]
    planes, size = math.prod(lead), math.prod(space)
    at = indices.reshape(planes, -1)
    return x.reshape(at.shape).put_each(at, 1, (planes, size)).reshape(*lead, *space)


def _unpool_operation(dims: int) -> Operation:
    op = operation(
        f"max_unpool{dims}d",
        lambda x, indices, *, space: in_format_of(x, shape=(*x.shape[: -len(space)], *space)),
        _unpool,
        node=f"MaxUnpool{dims}DBackward0",
    )
    op.lower = _unpool_symbols
    return op.gradient(x=lambda g, indices, space: apply(POOL_TAKE, (g, indices), (len(space),)))


MAX_UNPOOL = {2: _unpool_operation(2), 3: _unpool_operation(3)}


def _each(value: Any, dims: int, function: str, name: str) -> Ints:
    found = (value,) * dims if isinstance(value, int) else tuple(value) * (dims if len(value) == 1 else 1)
    if len(found) != dims:
        raise RuntimeError(f"{function}: {name} should be a single integer or one for each dimension, but got {value}")
    return found


def _unpooled_size(space: Ints, kernel: Ints, stride: Ints, padding: Ints, output_size: Any) -> Ints:
    natural = tuple((n - 1) * s + k - 2 * p for n, k, s, p in zip(space, kernel, stride, padding, strict=True))
    if output_size is None:
        return natural
    wanted = tuple(output_size)
    dims = len(kernel)
    if len(wanted) == dims + 2:
        wanted = wanted[2:]
    if len(wanted) != dims:
        raise ValueError(
            f"output_size should be a sequence containing {dims} or {dims + 2} elements, but it has a length of "
            f"'{len(wanted)}'"
        )
    for d, (n, w, s) in enumerate(zip(natural, wanted, stride, strict=True)):
        if not n - s < w < n + s:
            raise ValueError(f'invalid output_size "{wanted}" (dim {d} must be between {n - s} and {n + s})')
    return wanted


def _max_unpool(
    dims: int, input: Tensor, indices: Tensor, kernel_size: Any, stride: Any, padding: Any, output_size: Any
) -> Tensor:
    name = f"max_unpool{dims}d"
    kernel = _each(kernel_size, dims, name, "kernel_size")
    strides = kernel if stride is None else _each(stride, dims, name, "stride")
    spec = settle(input).spec
    if settle(indices).spec.dtype is not dtypes.int64:
        raise RuntimeError(f"elements in indices should be type int64 but got: {indices._value.spec.dtype.scalar_name}")
    if indices._value.spec.shape != spec.shape:
        raise RuntimeError(
            f"Expected shape of indices to be same as that of the input tensor ({list(spec.shape)}) but got indices "
            f"tensor with "
            f"shape: {list(indices._value.spec.shape)}"
        )
    if not (spec.dtype.is_floating_point or spec.dtype.is_complex):
        raise NotImplementedError(f"\"{name}\" not implemented for '{spec.dtype.scalar_name}'")
    if spec.ndim not in (dims + 1, dims + 2):
        raise RuntimeError(
            f"Input to max_unpooling{dims}d should be a {dims + 1}d or {dims + 2}d Tensor, but got a tensor with "
            f"{spec.ndim} dimensions."
        )
    if 0 in spec.shape[-dims - 1 :]:
        raise RuntimeError(
            f"{name}(): Expected input to have non-zero size for non-batch dimensions, but got {list(spec.shape)} "
            f"with dimension {spec.shape.index(0, spec.ndim - dims - 1)} being empty."
        )
    if dims == 3 and min(strides) < 1:
        raise RuntimeError(f"strides should be greater than zero, but got stride: {list(strides)}")
    size = _unpooled_size(spec.shape[-dims:], kernel, strides, _each(padding, dims, name, "padding"), output_size)
    if dims == 1:
        return apply(MAX_UNPOOL[2], (input.unsqueeze(-1), indices.unsqueeze(-1)), ((*size, 1),)).squeeze(-1)
    return apply(MAX_UNPOOL[dims], (input, indices), (size,))


@public(function=False, method=False, functional=True)
def max_unpool1d(input: Tensor, indices: Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0,
                 output_size: Any = None) -> Tensor:  # fmt: skip
    """The inverse of `max_pool1d` as far as there is one: maxima back in their places, zeros elsewhere."""
    return _max_unpool(1, input, indices, kernel_size, stride, padding, output_size)


@public(function=False, method=False, functional=True)
def max_unpool2d(input: Tensor, indices: Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0,
                 output_size: Any = None) -> Tensor:  # fmt: skip
    """The inverse of `max_pool2d` as far as there is one: maxima back in their places, zeros elsewhere."""
    return _max_unpool(2, input, indices, kernel_size, stride, padding, output_size)


@public(function=False, method=False, functional=True)
def max_unpool3d(input: Tensor, indices: Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0,
                 output_size: Any = None) -> Tensor:  # fmt: skip
    """The inverse of `max_pool3d` as far as there is one: maxima back in their places, zeros elsewhere."""
    return _max_unpool(3, input, indices, kernel_size, stride, padding, output_size)


# ---------------------------------------------------------------------------------------------------------------------
# Power averages


_POOLS = {1: (avg_pool1d, max_pool1d), 2: (avg_pool2d, max_pool2d), 3: (avg_pool3d, max_pool3d)}


def _power_pool(dims: int, input: Tensor, norm_type: float, kernel: Any, stride: Any, ceil_mode: bool) -> Tensor:
    average, largest = _POOLS[dims]
    if norm_type == math.inf:
        return largest(input.abs(), kernel, stride, ceil_mode=ceil_mode)
    mean = average(input.pow(norm_type), kernel, stride, 0, ceil_mode)
    count = math.prod(_each(kernel, dims, f"lp_pool{dims}d", "kernel_size"))
    return (mean.sign() * mean.abs().relu() * count).pow(1.0 / norm_type)


@public(function=False, method=False, functional=True)
def lp_pool1d(input: Tensor, norm_type: float, kernel_size: Any, stride: Any = None, ceil_mode: bool = False) -> Tensor:
    """The p-th root of the sum of p-th powers in each window. Shapes: (N, C, L) or (C, L).

    >>> F.lp_pool1d(torch.tensor([[3., 4.]]), 2, 2)
    tensor([[5.]])
    """
    return _power_pool(1, input, norm_type, kernel_size, stride, ceil_mode)


@public(function=False, method=False, functional=True)
def lp_pool2d(input: Tensor, norm_type: float, kernel_size: Any, stride: Any = None, ceil_mode: bool = False) -> Tensor:
    """The p-th root of the sum of p-th powers in each window. Shapes: (N, C, H, W) or (C, H, W)."""
    return _power_pool(2, input, norm_type, kernel_size, stride, ceil_mode)


@public(function=False, method=False, functional=True)
def lp_pool3d(input: Tensor, norm_type: float, kernel_size: Any, stride: Any = None, ceil_mode: bool = False) -> Tensor:
    """The p-th root of the sum of p-th powers in each window. Shapes: (N, C, D, H, W) or (C, D, H, W)."""
    return _power_pool(3, input, norm_type, kernel_size, stride, ceil_mode)
