"""Pooling over windows: the largest number or the average of each.

A kernel goes over the positions in a window, not over the windows: each position is one strided slice of the padded
input, and the slices are combined by whole-array operations.  Max pooling notes for each window which position won, as
a small integer (`code`); the backward pass and the indices for the user are made from the codes.  Pooling by irregular
windows is in `adaptive_pooling.py`.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from rushlight.codegen import windows as on_symbols
from rushlight.core import dtype as dtypes
from rushlight.record.operation import Operation, operation
from rushlight.record.spec import Spec, spec_of
from rushlight.record.trace import apply, recorder, settle
from rushlight.record.value import Tensor

from .im2col import Ints
from .public import public
from .rules import in_format_of
from .sizes import given_sizes


class Windows(NamedTuple):
    """Where the windows lie: their size, stride, zero padding, dilation, and how many there are in each dimension."""

    kernel: Ints
    stride: Ints
    padding: Ints
    dilation: Ints
    out: Ints

    def ends(self, space: Ints) -> Ints:
        """How much padding the windows reach over behind each dimension."""
        return tuple(
            max((o - 1) * s + d * (k - 1) + 1 - n - p, 0) for n, k, s, p, d, o in zip(space, *self, strict=True)
        )

    def places(self) -> Iterator[tuple[int, Any]]:
        """Every position in a window: its number, and the slice of the padded input that it is in all windows."""
        for code, at in enumerate(itertools.product(*map(range, self.kernel))):
            yield code, (..., *(
                slice(i * d, i * d + (o - 1) * s + 1, s)
                for i, d, s, o in zip(at, self.dilation, self.stride, self.out, strict=True)
            ))  # fmt: skip


def _lined(x: np.ndarray, windows: Windows, value: Any) -> np.ndarray:
    """x with padding of `value` wherever the windows reach."""
    space = x.shape[-len(windows.kernel) :]
    ends = windows.ends(space)
    if not any(windows.padding) and not any(ends):
        return x
    lead = x.shape[: -len(space)]
    whole = np.full((*lead, *(p + n + e for p, n, e in zip(windows.padding, space, ends, strict=True))), value, x.dtype)
    whole[_inside(space, windows)] = x
    return whole


def _inside(space: Ints, windows: Windows) -> Any:
    return (..., *(slice(p, p + n) for p, n in zip(windows.padding, space, strict=True)))


def _lined_shape(lead: Ints, space: Ints, windows: Windows) -> Ints:
    return (*lead, *(p + n + e for p, n, e in zip(windows.padding, space, windows.ends(space), strict=True)))


def _lowest(kind: np.dtype) -> Any:
    return kind.type(-np.inf) if kind.kind == "f" else np.iinfo(kind).min


def _code_type(windows: Windows) -> dtypes.dtype:
    return dtypes.uint8 if math.prod(windows.kernel) <= 256 else dtypes.int32


# ---------------------------------------------------------------------------------------------------------------------
# Max pooling


def _max_values(x: np.ndarray, *, windows: Windows) -> np.ndarray:
    lined = _lined(x, windows, _lowest(x.dtype))
    best: Any = None
    for _, place in windows.places():
        best = lined[place] if best is None else np.maximum(best, lined[place])
    return np.array(best) if best.base is not None else best


def _max_pool(x: np.ndarray, *, windows: Windows) -> tuple[np.ndarray, np.ndarray]:
    """The largest number of each window and the code of its position; the first of equals, as PyTorch."""
    lined = _lined(x, windows, _lowest(x.dtype))
    kind = _code_type(windows).numpy
    first = _first_inside(windows, x.shape)
    codes = np.zeros((*x.shape[: -len(windows.out)], *windows.out), kind) + first
    best: Any = None
    for code, place in windows.places():
        numbers = np.ascontiguousarray(lined[place])
        if best is None:
            best = np.array(numbers)
            continue
        np.maximum(codes, np.greater(numbers, best).astype(kind) * kind.type(code), out=codes)
        np.maximum(best, numbers, out=best)
    if best.dtype.kind == "f" and np.isnan(best).any():
        _last_nan(codes, lined, windows)
    return best, codes


def _first_inside(windows: Windows, shape: Ints) -> Any:
    """The code of each window's first position that is not padding: the answer where all numbers are -inf."""
    if not any(windows.padding):
        return 0
    total: Any = 0
    for axis, (k, s, p, d, o) in enumerate(zip(*windows, strict=True)):
        skipped = np.maximum(-(-(p - np.arange(o) * s) // d), 0)
        total = total * k + skipped.reshape(-1, *[1] * (len(windows.out) - axis - 1))
    return np.asarray(total).astype(_code_type(windows).numpy)


def _last_nan(codes: np.ndarray, lined: np.ndarray, windows: Windows) -> None:
    """PyTorch points to the last NaN of a window."""
    for code, place in windows.places():
        codes[np.isnan(lined[place])] = code


def _max_spec(x: Spec, *, windows: Windows) -> tuple[Spec, Spec]:
    shape = (*x.shape[: -len(windows.out)], *windows.out)
    return in_format_of(x, shape=shape), in_format_of(x, shape=shape, dtype=_code_type(windows))


def as_integers(x: np.ndarray) -> np.ndarray:
    """The bits of floating-point numbers as integers: times 0 or 1 they stay exact, infinities and NaN included."""
    return x.view(f"i{x.itemsize}")


def _max_backward(d: np.ndarray, codes: np.ndarray, *, space: Ints, windows: Windows) -> np.ndarray:
    """Puts each window's gradient to the position that won."""
    lead = d.shape[: -len(space)]
    bits = as_integers(np.ascontiguousarray(d))
    apart = all(s >= (k - 1) * t + 1 for k, s, t in zip(windows.kernel, windows.stride, windows.dilation, strict=True))
    total = np.zeros(_lined_shape(lead, space, windows), d.dtype)
    for code, place in reversed([*windows.places()]):
        won = codes == code
        if apart:
            np.multiply(bits, won, out=as_integers(total)[place])
        else:
            total[place] += (bits * won).view(d.dtype)
    return total[_inside(space, windows)]


def _max_take(x: np.ndarray, codes: np.ndarray, *, windows: Windows) -> np.ndarray:
    """The adjoint of `_max_backward`: the number at each window's winning position."""
    lined = _lined(x, windows, 0)
    taken = np.zeros(codes.shape, x.dtype)
    for code, place in windows.places():
        np.copyto(taken, lined[place], where=codes == code)
    return taken


def _max_indices(codes: np.ndarray, *, space: Ints, windows: Windows) -> np.ndarray:
    """Each winning position as an index into the flattened dimensions of space."""
    index: Any = 0
    rest = codes.astype(np.int64)
    per_axis = []
    for k in reversed(windows.kernel):
        rest, at = np.divmod(rest, k)
        per_axis.append(at)
    for axis, (at, n) in enumerate(zip(reversed(per_axis), space, strict=True)):
        start = np.arange(windows.out[axis]) * windows.stride[axis] - windows.padding[axis]
        here = start.reshape(-1, *[1] * (len(space) - axis - 1)) + at * windows.dilation[axis]
        index = index * n + here
    return index


MAX_POOL_VALUES = operation(
    "max_pool_values",
    lambda x, *, windows: in_format_of(x, shape=(*x.shape[: -len(windows.out)], *windows.out)),
    _max_values,
)
MAX_POOL_BACKWARD = operation(
    "max_pool_backward",
    lambda d, codes, *, space, windows: in_format_of(d, codes, shape=(*d.shape[: -len(space)], *space)),
    _max_backward,
    node="MaxPool2DWithIndicesBackwardBackward0",
)
MAX_POOL_TAKE = operation(
    "max_pool_take",
    lambda x, codes, *, windows: in_format_of(codes, shape=codes.shape, dtype=x.dtype),
    _max_take,
    node="GatherBackward0",
)
MAX_POOL_INDICES = operation(
    "max_pool_indices",
    lambda codes, *, space, windows: in_format_of(codes, shape=codes.shape, dtype=dtypes.int64),
    _max_indices,
)


def _max_rule(g: Any, results: Any, x_spec: Spec, windows: Windows) -> tuple[Tensor]:
    space = x_spec.shape[-len(windows.out) :]
    return (apply(MAX_POOL_BACKWARD, (g[0], results[1]), (space, windows)),)


def _max_operation(dims: int) -> Operation:
    return operation(f"max_pool{dims}d", _max_spec, _max_pool, node=f"MaxPool{dims}DWithIndicesBackward0").gradient(
        _max_rule
    )


MAX_POOL = {2: _max_operation(2), 3: _max_operation(3)}
MAX_POOL_VALUES.lower = on_symbols.max_values
MAX_POOL_BACKWARD.lower = on_symbols.max_backward
for _op in MAX_POOL.values():
    _op.lower = on_symbols.max_and_codes
MAX_POOL_BACKWARD.gradient(d=lambda g, codes, windows: apply(MAX_POOL_TAKE, (g, codes), (windows,)))
MAX_POOL_TAKE.gradient(
    x=lambda g, codes, x_spec, windows: apply(
        MAX_POOL_BACKWARD, (g, codes), (x_spec.shape[-len(windows.out) :], windows)
    )
)

# ---------------------------------------------------------------------------------------------------------------------
# Average pooling


def _divisors(space: Ints, windows: Windows, include_pad: bool, override: int | None) -> Any:
    """How many numbers each window counts: one number, or an array that broadcasts over the windows."""
    if override:
        return override
    total: Any = 1
    for axis, (n, k, s, p, _, o) in enumerate(zip(space, *windows, strict=True)):
        start = np.arange(o) * s - p
        end = np.minimum(start + k, n + p)
        length = end - start if include_pad else np.minimum(end, n) - np.maximum(start, 0)
        total = total * length.reshape(-1, *[1] * (len(space) - axis - 1))
    return int(total.flat[0]) if (total == total.flat[0]).all() else total


def _average(x: np.ndarray, *, windows: Windows, include_pad: bool, override: int | None) -> np.ndarray:
    lined = _lined(x, windows, 0)
    total: Any = None
    for _, place in windows.places():
        if total is None:
            total = np.array(lined[place])
        else:
            total += lined[place]
    divisors = _divisors(x.shape[-len(windows.out) :], windows, include_pad, override)
    if x.dtype.kind in "iu":
        return (total / divisors).astype(x.dtype)
    return total / np.asarray(divisors, x.dtype)


def _average_backward(
    d: np.ndarray, *, space: Ints, windows: Windows, include_pad: bool, override: int | None
) -> np.ndarray:
    share = d / np.asarray(_divisors(space, windows, include_pad, override), d.dtype)
    total = np.zeros(_lined_shape(d.shape[: -len(space)], space, windows), d.dtype)
    for _, place in reversed([*windows.places()]):  # so that every place adds up its windows first to last
        total[place] += share
    return total[_inside(space, windows)]


def _average_symbols(x: Any, *, windows: Windows, include_pad: bool, override: int | None) -> Any:
    divisors = _divisors(x.shape[-len(windows.out) :], windows, include_pad, override)
    return on_symbols.average(x, divisors, windows=windows)


def _average_backward_symbols(d: Any, *, space: Ints, windows: Windows, include_pad: bool, override: int | None) -> Any:
    divisors = _divisors(space, windows, include_pad, override)
    return on_symbols.average_backward(d, divisors, space=space, windows=windows)


def _average_spec(x: Spec, *, windows: Windows, include_pad: bool, override: int | None) -> Spec:
    shape = (*x.shape[: -len(windows.out)], *windows.out)
    return in_format_of(x, shape=shape) if len(windows.out) == 2 else spec_of(shape, x.dtype)


def _average_operation(dims: int) -> Operation:
    op = operation(f"avg_pool{dims}d", _average_spec, _average, node=f"AvgPool{dims}DBackward0")
    back = operation(
        f"avg_pool{dims}d_backward",
        lambda d, *, space, windows, include_pad, override: in_format_of(d, shape=(*d.shape[: -len(space)], *space)),
        _average_backward,
        node=f"AvgPool{dims}DBackwardBackward0",
    )
    op.gradient(
        x=lambda g, x_spec, windows, include_pad, override: apply(
            back, (g,), (x_spec.shape[-len(windows.out) :], windows, include_pad, override)
        )
    )
    op.lower, back.lower = _average_symbols, _average_backward_symbols
    return_ = lambda g, windows, include_pad, override: apply(op, (g,), (windows, include_pad, override))  # noqa: E731
    back.gradient(d=return_)
    return op


AVERAGE_POOL = {2: _average_operation(2), 3: _average_operation(3)}

# ---------------------------------------------------------------------------------------------------------------------
# Arguments

_WORDS = {1: "one int", 2: "two ints", 3: "three ints"}


def _named_sizes(function: str, *sizes: Any) -> tuple[Any, ...]:
    """`given_sizes` of a pooling function's arguments, which follow its input."""
    names = ("kernel_size", "stride", "padding", "dilation")
    return tuple(given_sizes(v, function, name, i) for i, (name, v) in enumerate(zip(names, sizes, strict=False), 2))


def _each(value: Any, dims: int, function: str, name: str) -> Ints:
    found = value if isinstance(value, tuple) else (value,)
    if len(found) == 1:
        return found * dims
    if len(found) != dims:
        if dims == 1 and function == "avg_pool1d":
            raise RuntimeError(f"{function}() argument '{name}' should contain one int (got {len(found)})")
        if dims == 1:
            kinds = "None, an int, list of ints, or" if name == "stride" else "an int, list of ints or"
            raise RuntimeError(f"{function}() {name} must be {kinds} tuple of ints of size 1 but got size {len(found)}")
        either = "be either" if name == "dilation" else "either be"
        omitted = "be omitted, " if name == "stride" else ""
        many = f"either {omitted}" if omitted else f"{either} "
        if function == "avg_pool3d":  # whose messages say it in another way
            many = omitted or "be "
        raise RuntimeError(f"{function}: {name} must {many}a single int, or a tuple of {_WORDS[dims]}")
    return found


def _count(n: int, k: int, s: int, before: int, d: int, ceil_mode: bool) -> int:
    """How many windows fit; with `ceil_mode` the last may reach over the end, but must start before the padding
    there."""
    room = n + 2 * before - d * (k - 1) - 1
    count = (room + s - 1 if ceil_mode else room) // s + 1
    if ceil_mode and (count - 1) * s >= n + before:
        count -= 1
    return count


def _named(sizes: Ints, stem: str) -> str:
    """The sizes with PyTorch's letters for their dimensions: `kH: 2 kW: 3`."""
    return " ".join(f"{stem}{axis}: {n}" for axis, n in zip("THW"[-len(sizes) :], sizes, strict=True))


def _check_windows(kernels: Ints, strides: Ints, paddings: Ints, dilations: Ints) -> None:
    if 0 in strides:
        raise RuntimeError("stride should not be zero")
    for k, p, d in zip(kernels, paddings, dilations, strict=True):
        if p < 0:
            raise RuntimeError(f"pad must be non-negative, but got pad: {p}")
        if p > max((d * (k - 1) + 1) // 2, 0):
            raise RuntimeError(
                f"pad should be at most half of effective kernel size, but got pad={p}, kernel_size={k} and "
                f"dilation={d}"
            )
    if any(k <= 0 for k in kernels):
        raise RuntimeError(f"kernel size should be greater than zero, but got {_named(kernels, 'k')}")
    if any(s <= 0 for s in strides):
        raise RuntimeError(f"stride should be greater than zero, but got {_named(strides, 'd')}")
    if any(d <= 0 for d in dilations):
        raise RuntimeError(f"dilation should be greater than zero, but got {_named(dilations, 'dilation')}")


@functools.lru_cache(maxsize=4096)
def windows_of(function: str, dims: int, shape: Ints, kernel: Any, stride: Any, padding: Any, dilation: Any,
               ceil_mode: bool) -> Windows:  # fmt: skip
    """The checked windows of a pooling layer."""
    kernels = _each(kernel, dims, function, "kernel_size")
    strides = kernels if stride is None or stride == () else _each(stride, dims, function, "stride")
    paddings = _each(padding, dims, function, "padding")
    dilations = _each(dilation, dims, function, "dilation")
    _check_windows(kernels, strides, paddings, dilations)
    out = tuple(
        _count(n, k, s, p, d, ceil_mode)
        for n, k, s, p, d in zip(shape[-dims:], kernels, strides, paddings, dilations, strict=True)
    )
    if function == "avg_pool3d" and any(n + 2 * p < k for n, p, k in zip(shape[-3:], paddings, kernels, strict=True)):
        image = " ".join(f"{axis}: {n}" for axis, n in zip("THW", shape[-3:], strict=True))
        raise RuntimeError(f"input image ({image}) smaller than kernel size ({_named(kernels, 'k')})")
    if any(o < 1 for o in out):
        planes = shape[-dims - 1]
        raise RuntimeError(
            f"Given input size: ({'x'.join(map(str, (planes, *shape[-dims:])))}). Calculated output size: "
            f"({'x'.join(map(str, (planes, *out)))}). Output size is too small"
        )
    return Windows(kernels, strides, paddings, dilations, out)


def check_shape(spec: Spec, dims: int) -> None:
    """Raises PyTorch's error unless the tensor is (N, C, *space) or (C, *space) with something in it."""
    names = f"{dims + 1}D or {dims + 2}D (batch mode)"
    if spec.ndim not in (dims + 1, dims + 2):
        raise RuntimeError(f"non-empty {names} tensor expected for input, but got: {list(spec.shape)}")
    if any(n == 0 for n in spec.shape[-dims - 1 :]):
        raise RuntimeError(
            f"Expected {names} tensor with optional 0 dim batch size for input, but got:{list(spec.shape)}"
        )


def _max(dims: int, input: Tensor, kernel: Any, stride: Any, padding: Any, dilation: Any, ceil_mode: bool,
         return_indices: bool) -> Any:  # fmt: skip
    spec = settle(input).spec
    if spec.dtype is dtypes.bool_ or spec.dtype.is_complex:
        raise NotImplementedError(f"\"max_pool{dims}d\" not implemented for '{spec.dtype.scalar_name}'")
    check_shape(spec, dims)
    name = f"max_pool{dims}d"
    windows = windows_of(name, dims, spec.shape, *_named_sizes(name, kernel, stride, padding, dilation), ceil_mode)
    if not return_indices and (input._node is None or not recorder().tracking):
        return apply(MAX_POOL_VALUES, (input,), (windows,))
    values, codes = apply(MAX_POOL[dims], (input,), (windows,))
    if not return_indices:
        return values
    return values, apply(MAX_POOL_INDICES, (codes,), (spec.shape[-dims:], windows))


@public(method=False, functional=True)
def max_pool2d(input: Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1,
               ceil_mode: bool = False, return_indices: bool = False) -> Any:  # fmt: skip
    """The largest number in each window
    (https://pytorch.org/docs/stable/generated/torch.nn.functional.max_pool2d.html).

    Shapes: (N, C, H, W) or (C, H, W) to (N, C, H', W').  With `return_indices`, also its position in the flattened
    plane.

    >>> torch.nn.functional.max_pool2d(torch.tensor([[[1., 2.], [3., 4.]]]), 2)
    tensor([[[4.]]])
    """
    return _max(2, input, kernel_size, stride, padding, dilation, ceil_mode, return_indices)


@public(method=False, functional=True)
def max_pool3d(input: Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1,
               ceil_mode: bool = False, return_indices: bool = False) -> Any:  # fmt: skip
    """`max_pool2d` for volumes: (N, C, D, H, W) or (C, D, H, W)."""
    return _max(3, input, kernel_size, stride, padding, dilation, ceil_mode, return_indices)


def _check_signal(x: Spec, k: int, s: int, p: int, d: int, ceil_mode: bool) -> None:
    """PyTorch has checks of its own for signals."""
    for name, n in (("kernel_size", k), ("stride", s), ("dilation", d)):
        if n <= 0:
            raise RuntimeError(f"max_pool1d() {name} must be greater than zero, but got {n}")
    if p < 0:
        raise RuntimeError(f"max_pool1d() padding must be non-negative, but got {p}")
    if p > k // 2:
        raise RuntimeError(
            f"max_pool1d() padding should be at most half of kernel size, but got padding={p} and kernel_size={k}"
        )
    count = _count(x.shape[-1], k, s, p, d, ceil_mode)
    if count <= 0:
        raise RuntimeError(f"max_pool1d() Invalid computed output size: {count}")
    if not x.dtype.is_floating_point:
        raise NotImplementedError(f"\"max_pool1d_impl\" not implemented for '{x.dtype.scalar_name}'")


@public(method=False, functional=True)
def max_pool1d(input: Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1,
               ceil_mode: bool = False, return_indices: bool = False) -> Any:  # fmt: skip
    """`max_pool2d` for signals: (N, C, L) or (C, L)."""
    shape = settle(input).spec.shape
    if len(shape) not in (2, 3) or 0 in shape[-2:]:
        raise RuntimeError(
            "max_pool1d: Expected 2D or 3D (batch mode) tensor with optional 0 dim batch size for input, but got:"
            f"{list(shape)}"
        )
    if not input._value.spec.dtype.is_floating_point:
        raise NotImplementedError(f"\"max_pool1d_impl\" not implemented for '{input._value.spec.dtype.scalar_name}'")
    kernel, stride, padding, dilation = _named_sizes("max_pool1d", kernel_size, stride, padding, dilation)
    (k,) = _each(kernel, 1, "max_pool1d", "kernel_size")
    (s,) = (k,) if stride is None or stride == () else _each(stride, 1, "max_pool1d", "stride")
    (p,) = _each(padding, 1, "max_pool1d", "padding")
    (d,) = _each(dilation, 1, "max_pool1d", "dilation")
    if not return_indices:
        _check_signal(settle(input).spec, k, s, p, d, ceil_mode)
    found = _max(2, input.unsqueeze(-2), (1, k), (1, s), (0, p), (1, d), ceil_mode, return_indices)
    return tuple(t.squeeze(-2) for t in found) if return_indices else found.squeeze(-2)


def _with_indices(dims: int, pool: Any) -> Any:
    def f(
        input: Tensor,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        dilation: Any = 1,
        ceil_mode: bool = False,
        return_indices: bool = False,
    ) -> tuple[Tensor, Tensor]:
        return pool(input, kernel_size, stride, padding, dilation, ceil_mode, True)

    f.__name__ = f.__qualname__ = f"max_pool{dims}d_with_indices"
    f.__doc__ = f"`max_pool{dims}d` with `return_indices=True`."
    return public(function=dims == 1, method=False, functional=True)(f)


for _dims, _pool in ((1, max_pool1d), (2, max_pool2d), (3, max_pool3d)):
    _with_indices(_dims, _pool)


def _averaged(dims: int, input: Tensor, kernel: Any, stride: Any, padding: Any, ceil_mode: bool, include_pad: bool,
              override: int | None) -> Tensor:  # fmt: skip
    spec = settle(input).spec
    if not spec.dtype.is_floating_point and spec.dtype is not dtypes.int64:
        kernel_name = "avg_pool3d_out_frame" if dims == 3 else "avg_pool2d"
        raise NotImplementedError(f"\"{kernel_name}\" not implemented for '{spec.dtype.scalar_name}'")
    if override == 0:
        raise RuntimeError("divisor must be not zero")
    if dims == 2 and spec.ndim in (1, 2):  # here PyTorch looks for the channels before it counts dimensions
        raise IndexError(
            f"Dimension out of range (expected to be in range of [{-spec.ndim}, {spec.ndim - 1}], but got -3); "
            f"avg_pool2d takes (N, C, H, W) or (C, H, W), not {list(spec.shape)}"
        )
    check_shape(spec, dims)
    name = f"avg_pool{dims}d"
    windows = windows_of(name, dims, spec.shape, *_named_sizes(name, kernel, stride, padding), 1, ceil_mode)
    return apply(AVERAGE_POOL[dims], (input,), (windows, include_pad, override))


@public(function=False, method=False, functional=True)
def avg_pool2d(input: Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0, ceil_mode: bool = False,
               count_include_pad: bool = True, divisor_override: int | None = None) -> Tensor:  # fmt: skip
    """The average of each window. Shapes: (N, C, H, W) or (C, H, W) to (N, C, H', W').

    >>> torch.nn.functional.avg_pool2d(torch.tensor([[[1., 2.], [3., 4.]]]), 2)
    tensor([[[2.5000]]])
    """
    return _averaged(2, input, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override)


@public(function=False, method=False, functional=True)
def avg_pool3d(input: Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0, ceil_mode: bool = False,
               count_include_pad: bool = True, divisor_override: int | None = None) -> Tensor:  # fmt: skip
    """`avg_pool2d` for volumes: (N, C, D, H, W) or (C, D, H, W)."""
    return _averaged(3, input, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override)


@public(method=False, functional=True)
def avg_pool1d(input: Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0, ceil_mode: bool = False,
               count_include_pad: bool = True) -> Tensor:  # fmt: skip
    """`avg_pool2d` for signals: (N, C, L) or (C, L)."""
    ndim = settle(input).spec.ndim
    if ndim not in (2, 3):
        raise RuntimeError(
            f"Expected 2 to 3 dimensions, but got {ndim}-dimensional tensor for argument #1 'self' (while checking "
            f"arguments "
            "for avg_pool1d)"
        )
    kernel, stride, padding = _named_sizes("avg_pool1d", kernel_size, stride, padding)
    (k,) = _each(kernel, 1, "avg_pool1d", "kernel_size")
    (s,) = (k,) if stride is None or stride == () else _each(stride, 1, "avg_pool1d", "stride")
    (p,) = _each(padding, 1, "avg_pool1d", "padding")
    return _averaged(2, input.unsqueeze(-2), (1, k), (1, s), (0, p), ceil_mode, count_include_pad, None).squeeze(-2)
