"""Operations that the interpreter runs in machine code for arrays of any extents (`codegen/general.py`).

An operation's NumPy kernel is what it means. Where it takes many passes over an array, `FASTER` has another function
for `Operation.run`, made of the kernel and of the machine code for float32 and float64: it takes over when this is
compiled, and calls the kernel for whatever it does not know: other dtypes and layouts, rarer arguments, mistakes.

Sums have another order than NumPy's and functions other roundings, so that results agree to rounding, as those of
compiled programs do. Where a program asks for deterministic algorithms, the kernels alone are used (`allow`).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from rushlight.record.operation import operations

from .reduction_mode import reduced_array

F32, F64, INT64 = np.dtype(np.float32), np.dtype(np.float64), np.dtype(np.int64)
LONGEST = 1 << 31  # rows that a column's largest number may be in
MANY = 1 << 14  # numbers in a sum, more of which NumPy adds up in another order
FEW_PLACES = 8  # of a channel, for which vectors along them do not pay

Kernel = Callable[..., Any]
Native = Callable[..., bool]
Faster = Callable[..., Kernel]
"""(the kernel, machine code for float32, and for float64, ...) -> what to run instead of the kernel."""

FASTER: dict[str, tuple[tuple[str, ...], Faster]] = {}  # by operation: the functions' names in machine code
_made: dict[str, Kernel] = {}  # by operation, what runs it when it may
_allowed = True
empty, ndarray = np.empty, np.ndarray


def use(functions: dict[str, Native]) -> None:
    """Has operations run in these functions from now on."""
    from . import (
        general_attention,
        general_convolution,
        general_images,
        general_matrices,
        general_recurrent,
        general_spectral,
    )

    listed = general_attention, general_convolution, general_images, general_matrices, general_recurrent
    assert all((*listed, general_spectral))  # they list theirs
    for name, (names, _) in FASTER.items():
        if f"{names[0]}_f32" in functions:
            _made[name] = faster(name, functions, operations()[name].kernel)
    allow(_allowed)


def faster(name: str, functions: dict[str, Native], kernel: Kernel) -> Kernel:
    """What runs an operation, by functions of machine code or else by the kernel."""
    names, make = FASTER[name]
    return make(kernel, *[functions[f"{function}_{kind}"] for function in names for kind in ("f32", "f64")])


def allow(faster: bool) -> None:
    """Whether operations run in machine code, or in their kernels only."""
    global _allowed
    _allowed = faster
    known = operations()
    for name, run in _made.items():
        known[name].run = run if faster else known[name].kernel


def runs(*names: str, function: str | tuple[str, ...] = "") -> Callable[[Faster], Faster]:
    """Lists what makes an operation faster, with a function of the same name if no others are given."""

    def note(faster: Faster) -> Faster:
        for name in names:
            FASTER[name] = function if isinstance(function, tuple) else (function or name,), faster
        return faster

    return note


# ---------------------------------------------------------------------------------------------------------------------
# Pointwise


def _of_one(kernel: Kernel, single: Native, double: Native) -> Kernel:
    def run(x: Any, *numbers: Any) -> Any:
        kind = x.dtype
        f = single if kind is F32 else double if kind is F64 else None
        if f is not None:
            out = empty(x.shape, kind)
            if f(x, out, x.size, *numbers):
                return out
        return kernel(x, *numbers)

    return run


def _of_two(kernel: Kernel, single: Native, double: Native) -> Kernel:
    def run(d: Any, x: Any, *numbers: Any) -> Any:
        kind = x.dtype
        f = single if kind is F32 else double if kind is F64 else None
        if f is not None and d.shape == x.shape:
            out = empty(x.shape, kind)
            if f(d, x, out, x.size, *numbers):
                return out
        return kernel(d, x, *numbers)

    return run


for _name in ("silu", "mish", "softplus", "log_sigmoid", "leaky_relu", "elu", "hardtanh", "hardswish"):
    runs(_name)(_of_one)
    runs(f"{_name}_backward")(_of_two)
runs("relu", "sigmoid")(_of_one)
runs("threshold_backward")(_of_two)


@runs("gelu", function=("gelu", "gelu_tanh"))
def _gelu(kernel: Kernel, single: Native, double: Native, single_tanh: Native, double_tanh: Native) -> Kernel:
    plain = _of_one(partial(kernel, tanh=False), single, double)
    by_tanh = _of_one(partial(kernel, tanh=True), single_tanh, double_tanh)
    return lambda x, *, tanh: by_tanh(x) if tanh else plain(x)


@runs("gelu_backward", function=("gelu_backward", "gelu_tanh_backward"))
def _gelu_backward(kernel: Kernel, single: Native, double: Native, single_tanh: Native, double_tanh: Native) -> Kernel:
    plain = _of_two(partial(kernel, tanh=False), single, double)
    by_tanh = _of_two(partial(kernel, tanh=True), single_tanh, double_tanh)
    return lambda d, x, *, tanh: by_tanh(d, x) if tanh else plain(d, x)


@runs("prelu", function="leaky_relu")
def _prelu(kernel: Kernel, single: Native, double: Native) -> Kernel:
    by_one = _of_one(lambda x, slope: kernel(x, x.dtype.type(slope)), single, double)
    return lambda x, w: by_one(x, float(w.item())) if w.size == 1 and x.ndim >= w.ndim else kernel(x, w)


@runs("clamp", "clamp_min", "clamp_max", function=("clamp", "clamp_min", "clamp_max"))
def _clamp(kernel: Kernel, *functions: Native) -> Kernel:
    between = _of_one(kernel, *functions[:2])
    above = _of_one(lambda x, low: kernel(x, low, None), *functions[2:4])
    below = _of_one(lambda x, high: kernel(x, None, high), *functions[4:])

    def run(x: Any, low: Any, high: Any) -> Any:
        if high is None:
            return above(x, low)
        return below(x, high) if low is None else between(x, low, high)

    return run


@runs("smooth_l1_loss", "huber_loss", "binary_cross_entropy_with_logits")
def _loss(kernel: Kernel, single: Native, double: Native) -> Kernel:
    """`a` is the parameter that these have, or the weight that they have not."""

    def run(x: Any, y: Any, a: Any, b: Any, *, reduction: str) -> Any:
        kind = x.dtype
        f = single if kind is F32 else double if kind is F64 else None
        if f is not None and b is None and a.__class__ is not ndarray and x.shape == y.shape:
            out = empty(x.shape, kind)
            if f(x, y, out, x.size, *(() if a is None else (a,))):
                return reduced_array(out, reduction)
        return kernel(x, y, a, b, reduction=reduction)

    return run


@runs("adam_step", function=("adam", "adam_decay", "adam_decoupled"))
def _adam(kernel: Kernel, *functions: Native) -> Kernel:
    def run(param: Any, grad: Any, m: Any, v: Any, largest: Any, *numbers: Any, maximize: bool, decay: bool,
            decoupled: bool, small_weight1: bool) -> Any:  # fmt: skip
        kind, shape = param.dtype, param.shape
        if largest is None and small_weight1 and not maximize and (kind is F32 or kind is F64):
            new = empty(shape, kind), empty(shape, kind), empty(shape, kind)
            f = functions[2 * (decay + (decay and decoupled)) + (kind is F64)]
            if f(param, grad, m, v, *new, param.size, *numbers):
                return new
        flags = {"maximize": maximize, "decay": decay, "decoupled": decoupled, "small_weight1": small_weight1}
        return kernel(param, grad, m, v, largest, *numbers, **flags)

    return run


# ---------------------------------------------------------------------------------------------------------------------
# Rows


def _across(kernel: Kernel, *functions: Native) -> Kernel:
    """Of x, or of the gradient d and the result y."""

    def run(*arrays: Any, dim: int) -> Any:
        kind, shape = arrays[-1].dtype, arrays[-1].shape
        if (kind is F32 or kind is F64) and shape and arrays[0].shape == shape and arrays[0].size:
            out, n = empty(shape, kind), shape[dim]
            if dim + 1 == len(shape):
                done = functions[kind is F64](*arrays, out, out.size // n, n)
            else:
                done = functions[2 + (kind is F64)](*arrays, out, _size(shape[:dim]), n, _size(shape[dim + 1 :]))
            if done:
                return out
        return kernel(*arrays, dim=dim)

    return run


for _name in ("softmax", "log_softmax", "softmax_backward", "log_softmax_backward"):
    runs(_name, function=(_name, f"{_name}_down"))(_across)


@runs("logsumexp")
def _logsumexp(kernel: Kernel, single: Native, double: Native) -> Kernel:
    def run(x: Any, *, dim: Any, keepdim: bool) -> Any:
        kind, shape = x.dtype, x.shape
        f = single if kind is F32 else double if kind is F64 else None
        if f is not None and x.size and dim is not None and len(dim) == 1 and dim[0] == len(shape) - 1:
            out, n = empty((*shape[:-1], 1) if keepdim else shape[:-1], kind), shape[-1]
            if f(x, out, x.size // n, n):
                return out
        return kernel(x, dim=dim, keepdim=keepdim)

    return run


def _running(kernel: Kernel, single: Native, double: Native) -> Kernel:
    def run(x: Any, *, dim: int) -> Any:
        kind, shape = x.dtype, x.shape
        f = single if kind is F32 else double if kind is F64 else None
        if f is not None and shape:
            out = empty(shape, kind)
            if f(x, out, _size(shape[:dim]), shape[dim], _size(shape[dim + 1 :])):
                return out
        return kernel(x, dim=dim)

    return run


runs("cumsum", function="running_sum")(_running)
runs("cumprod", function="running_product")(_running)


def _reduced(divides: bool, kernel: Kernel, *functions: Native) -> Kernel:
    """Sums, or means if it divides, over dimensions that lie together, the first ones, the last ones or between."""

    def run(x: Any, *, dim: Any, keepdim: bool) -> Any:
        kind, shape = x.dtype, x.shape
        ndim = len(shape)
        if (kind is F32 or kind is F64) and dim is not None and x.size and dim == tuple(range(dim[0], dim[-1] + 1)):
            first, last = dim[0], dim[-1] + 1
            lead, n, after = _size(shape[:first]), _size(shape[first:last]), _size(shape[last:])
            if n <= MANY and lead * after > 0:
                out = empty((*shape[:first], *((1,) * (last - first) if keepdim else ()), *shape[last:]), kind)
                divisor = n if divides else 1.0
                if last == ndim and functions[kind is F64](x, out, lead, n, divisor):
                    return out
                if last < ndim and functions[2 + (kind is F64)](x, out, lead, n, after, divisor):
                    return out
        return kernel(x, dim=dim, keepdim=keepdim)

    return run


runs("sum_dim", function=("sum_columns", "sum_rows"))(partial(_reduced, False))
runs("mean_dim", function=("sum_columns", "sum_rows"))(partial(_reduced, True))


@runs("layer_norm")
def _layer_norm(kernel: Kernel, single: Native, double: Native) -> Kernel:
    def run(x: Any, w: Any, b: Any, eps: Any, *, form: Any) -> Any:
        kind, (rows, n) = x.dtype, form.shape
        f = single if kind is F32 else double if kind is F64 else None
        if f is not None and rows and n and form.axes == (1,):
            out, mean, variance = empty(x.shape, kind), empty((rows, 1), kind), empty((rows, 1), kind)
            given = x if w is None else w, x if b is None else b
            if f(x, *given, out, mean, variance, rows, n, w is not None, b is not None, eps):
                return out, mean, variance
        return kernel(x, w, b, eps, form=form)

    return run


@runs("layer_norm_backward")
def _layer_norm_backward(kernel: Kernel, single: Native, double: Native) -> Kernel:
    def run(d: Any, x: Any, w: Any, mean: Any, variance: Any, eps: Any, *, form: Any) -> Any:
        kind, (rows, n) = x.dtype, form.shape
        f = single if kind is F32 else double if kind is F64 else None
        if f is not None and rows and n and form.axes == (1,):
            out, sums = empty(x.shape, kind), np.zeros((2, n), kind)
            if f(d, x, x if w is None else w, mean, variance, out, sums[0], sums[1], rows, n, w is not None, eps):
                return (out,) if w is None else (out, sums[0].reshape(w.shape), sums[1].reshape(w.shape))
        return kernel(d, x, w, mean, variance, eps, form=form)

    return run


# ---------------------------------------------------------------------------------------------------------------------
# Positions


def _size(shape: tuple[int, ...]) -> int:
    return math.prod(shape)


@runs("embedding", function="take_rows")
def _embedding(kernel: Kernel, single: Native, double: Native) -> Kernel:
    def run(weight: Any, indices: Any, *, padding_idx: int, by_freq: bool) -> Any:
        kind, (rows, n) = weight.dtype, weight.shape
        f = single if kind is F32 else double if kind is F64 else None
        if f is not None:
            out = empty((*indices.shape, n), kind)
            if f(weight, indices, out, indices.size, rows, n):
                return out
        return kernel(weight, indices, padding_idx=padding_idx, by_freq=by_freq)

    return run


@runs("index_select", function=("take_rows", "take_columns"))
def _index_select(kernel: Kernel, *functions: Native) -> Kernel:
    def run(x: Any, index: Any, *, dim: int) -> Any:
        kind, shape = x.dtype, x.shape
        if (kind is F32 or kind is F64) and shape:
            last = dim + 1 == len(shape)
            if last or dim == 0:
                out = empty((*shape[:dim], index.size, *shape[dim + 1 :]), kind)
                if last:
                    done = functions[2 + (kind is F64)](x, index, out, _size(shape[:-1]), index.size, shape[-1])
                else:
                    done = functions[kind is F64](x, index, out, index.size, shape[0], _size(shape[1:]))
                if done:
                    return out
        return kernel(x, index, dim=dim)

    return run


@runs("embedding_backward", function="add_rows")
def _embedding_backward(kernel: Kernel, single: Native, double: Native) -> Kernel:
    def run(d: Any, indices: Any, *, rows: int, padding_idx: int, by_freq: bool) -> Any:
        kind = d.dtype
        f = single if kind is F32 else double if kind is F64 else None
        if f is not None and not by_freq:
            out = np.zeros((rows, d.shape[-1]), kind)
            if f(d, indices, out, indices.size, rows, d.shape[-1], 0):
                if padding_idx >= 0:
                    out[padding_idx] = 0
                return out
        return kernel(d, indices, rows=rows, padding_idx=padding_idx, by_freq=by_freq)

    return run


def _bags(back: bool, kernel: Kernel, single: Native, double: Native) -> Kernel:
    """Sums or means of bags of rows; `back`: each bag's row for all rows of the bag."""

    def run(x: Any, indices: Any, offsets: Any, *, mean: bool, padding_idx: int, include_last: bool,
            length: int) -> Any:  # fmt: skip
        kind, bags = x.dtype, len(offsets) - include_last
        f = single if kind is F32 else double if kind is F64 else None
        if f is not None and bags > 0 and padding_idx < 0 and not (back and include_last):
            rows = indices.size if back else len(x)
            count = int(offsets[-1]) if include_last else indices.size
            out = empty((rows if back else bags, x.shape[1]), kind)
            if f(x, offsets, out, bags, rows, count, x.shape[1], mean):
                return out
        options = {"mean": mean, "padding_idx": padding_idx, "include_last": include_last, "length": length}
        return kernel(x, indices, offsets, **options)

    return run


runs("embedding_bag", function="sum_bags")(partial(_bags, False))
runs("embedding_bag_backward", function="spread_bags")(partial(_bags, True))


@runs("index_add", function=("add_rows", "add_columns"))
def _index_add(kernel: Kernel, *functions: Native) -> Kernel:
    def run(x: Any, index: Any, source: Any, *, dim: int) -> Any:
        kind, shape = x.dtype, x.shape
        if (kind is F32 or kind is F64) and shape and source.shape == (*shape[:dim], index.size, *shape[dim + 1 :]):
            if dim == 0:
                done = functions[kind is F64](source, index, x, index.size, shape[0], _size(shape[1:]), 0)
            else:
                last, sizes = dim + 1 == len(shape), (_size(shape[:-1]), index.size, shape[-1])
                done = last and functions[2 + (kind is F64)](source, index, x, *sizes)
            if done:
                return x
        return kernel(x, index, source, dim=dim)

    return run


@runs("index_adjoint", function="add_rows")
def _index_adjoint(kernel: Kernel, single: Native, double: Native) -> Kernel:
    def run(g: Any, *indices: Any, places: Any, shape: tuple[int, ...]) -> Any:
        kind = g.dtype
        f = single if kind is F32 else double if kind is F64 else None
        if f is not None and places[0] and len(indices) == 1:
            out, index = np.zeros(shape, kind), indices[0]
            if f(g, index, out, index.size, shape[0], _size(shape[1:]), 1):
                return out
        return kernel(g, *indices, places=places, shape=shape)

    return run


def _along(x: Any, index: Any, dim: int) -> tuple[int, int, int, int] | None:
    """Rows, positions in each, the length along `dim` and the width behind it, where all other dimensions are equal."""
    a, b = x.shape, index.shape
    if len(a) != len(b) or not a or a[:dim] != b[:dim] or a[dim + 1 :] != b[dim + 1 :]:
        return None
    return _size(a[:dim]), b[dim], a[dim], _size(a[dim + 1 :])


@runs("scatter_add", function="add_along")
def _scatter_add(kernel: Kernel, single: Native, double: Native) -> Kernel:
    def run(x: Any, index: Any, source: Any, *, dim: int) -> Any:
        kind = x.dtype
        f = single if kind is F32 else double if kind is F64 else None
        if f is not None and source.__class__ is ndarray and source.shape == index.shape:
            extents = _along(x, index, dim)
            if extents is not None and f(source, index, x, *extents):
                return x
        return kernel(x, index, source, dim=dim)

    return run


@runs("scatter", function="put_along")
def _scatter(kernel: Kernel, single: Native, double: Native) -> Kernel:
    return _scatter_add(kernel, single, double)


@runs("gather", function="take_along")
def _gather(kernel: Kernel, single: Native, double: Native) -> Kernel:
    def run(x: Any, index: Any, *, dim: int) -> Any:
        kind = x.dtype
        f = single if kind is F32 else double if kind is F64 else None
        if f is not None:
            extents = _along(x, index, dim)
            if extents is not None:
                out = empty(index.shape, kind)
                if f(x, index, out, *extents):
                    return out
        return kernel(x, index, dim=dim)

    return run


@runs("max_dim", function="largest")
def _max_dim(kernel: Kernel, single: Native, double: Native) -> Kernel:
    def run(x: Any, *, dim: int, keepdim: bool) -> Any:
        kind, shape = x.dtype, x.shape
        f = single if kind is F32 else double if kind is F64 else None
        if f is not None and x.size and dim + 1 < len(shape) and shape[dim] < LONGEST:
            n, lead, after = shape[dim], shape[:dim], shape[dim + 1 :]
            kept = (*lead, *((1,) if keepdim else ()), *after)
            out, at = empty(kept, kind), empty(kept, INT64)
            if f(x, out, at, _size(lead), n, _size(after)):
                return out, at
        return kernel(x, dim=dim, keepdim=keepdim)

    return run


@runs("nll_loss", function="nll")
def _nll(kernel: Kernel, single: Native, double: Native) -> Kernel:
    def run(x: Any, target: Any, weight: Any, *, reduction: str, ignore_index: int) -> Any:
        kind = x.dtype
        f = single if kind is F32 else double if kind is F64 else None
        if f is not None and x.ndim == 2 and weight is None and reduction != "none":
            out = empty((), kind)
            if f(x, target, out, *x.shape, ignore_index, reduction == "mean"):
                return out
        return kernel(x, target, weight, reduction=reduction, ignore_index=ignore_index)

    return run


@runs("nll_loss_backward", function="nll_backward")
def _nll_backward(kernel: Kernel, single: Native, double: Native) -> Kernel:
    def run(d: Any, target: Any, weight: Any, *, shape: Any, reduction: str, ignore_index: int) -> Any:
        kind = d.dtype
        f = single if kind is F32 else double if kind is F64 else None
        if f is not None and len(shape) == 2 and weight is None and reduction != "none" and d.ndim == 0:
            out = np.zeros(shape, kind)
            if f(d, target, out, *shape, ignore_index, reduction == "mean"):
                return out
        return kernel(d, target, weight, shape=shape, reduction=reduction, ignore_index=ignore_index)

    return run


# ---------------------------------------------------------------------------------------------------------------------
# Images


def _by_channel(form: Any) -> tuple[int, ...]:
    """Samples, channels and places of a batch's normalisation, or nothing."""
    shape = form.shape
    if form.axes == (0,) and len(shape) == 2 and form.weight == (1, shape[1]):
        return (*shape, 1)
    known = len(shape) == 3 and form.axes == (0, 2) and form.weight == (1, shape[1], 1)
    return shape if known and (shape[2] == 1 or shape[2] >= FEW_PLACES) else ()


def _by_group(form: Any) -> tuple[int, ...]:
    """Samples, groups, channels in each and places of a group's normalisation, or nothing."""
    if form.axes == (2, 3) and len(form.shape) == 4 and form.weight == (1, *form.shape[1:3], 1):
        extents = form.shape
    elif form.axes == (2,) and len(form.shape) == 3 and form.weight == (1, form.shape[1], 1):
        extents = *form.shape[:2], 1, form.shape[2]
    else:
        return ()
    return extents if extents[3] >= FEW_PLACES else ()  # type: ignore[no-any-return]


@runs("batch_norm", function=("batch_norm", "batch_norm_features"))
def _batch_norm(kernel: Kernel, *functions: Native) -> Kernel:
    def run(x: Any, w: Any, b: Any, eps: Any, *, form: Any) -> Any:
        kind, extents = x.dtype, _by_channel(form)
        if extents and x.size and (kind is F32 or kind is F64):
            out, mean, variance = empty(x.shape, kind), empty(form.moments, kind), empty(form.moments, kind)
            given = mean if w is None else w, mean if b is None else b
            f = functions[2 * (extents[2] == 1) + (kind is F64)]
            if f(x, *given, out, mean, variance, *extents, w is not None, b is not None, eps):
                return out, mean, variance
        return kernel(x, w, b, eps, form=form)

    return run


@runs("batch_norm_backward", function=("batch_norm_backward", "batch_norm_features_backward"))
def _batch_norm_backward(kernel: Kernel, *functions: Native) -> Kernel:
    def run(d: Any, x: Any, w: Any, mean: Any, variance: Any, eps: Any, *, form: Any) -> Any:
        kind, extents = x.dtype, _by_channel(form)
        if extents and x.size and (kind is F32 or kind is F64):
            out, sums, given = empty(x.shape, kind), empty((2, extents[1]), kind), mean if w is None else w
            f, weighs = functions[2 * (extents[2] == 1) + (kind is F64)], w is not None
            if f(d, x, given, mean, variance, out, sums[0], sums[1], *extents, weighs, eps):
                return (out, sums[0].reshape(w.shape), sums[1].reshape(w.shape)) if weighs else (out,)
        return kernel(d, x, w, mean, variance, eps, form=form)

    return run


@runs("batch_norm_fixed", function="scale_channels")
def _batch_norm_fixed(kernel: Kernel, single: Native, double: Native) -> Kernel:
    def run(x: Any, w: Any, b: Any, mean: Any, variance: Any, eps: Any) -> Any:
        kind, shape = x.dtype, x.shape
        f = single if kind is F32 else double if kind is F64 else None
        if f is not None and len(shape) > 2 and x.size:
            scale = 1 / np.sqrt(variance + kind.type(eps))
            scale = scale if w is None else scale * w
            shift = -mean * scale if b is None else b - mean * scale
            out = empty(shape, kind)
            if f(x, scale, shift, out, *shape[:2], _size(shape[2:])):
                return out
        return kernel(x, w, b, mean, variance, eps)

    return run


@runs("group_norm", "instance_norm", function="group_norm")
def _group_norm(kernel: Kernel, single: Native, double: Native) -> Kernel:
    def run(x: Any, w: Any, b: Any, eps: Any, *, form: Any) -> Any:
        kind, extents = x.dtype, _by_group(form)
        f = single if kind is F32 else double if kind is F64 else None
        if f is not None and x.size and extents:
            out, mean, variance = empty(x.shape, kind), empty(form.moments, kind), empty(form.moments, kind)
            given = mean if w is None else w, mean if b is None else b
            if f(x, *given, out, mean, variance, *extents, w is not None, b is not None, eps):
                return out, mean, variance
        return kernel(x, w, b, eps, form=form)

    return run


@runs("group_norm_backward", "instance_norm_backward", function="group_norm_backward")
def _group_norm_backward(kernel: Kernel, single: Native, double: Native) -> Kernel:
    def run(d: Any, x: Any, w: Any, mean: Any, variance: Any, eps: Any, *, form: Any) -> Any:
        kind, extents = x.dtype, _by_group(form)
        f = single if kind is F32 else double if kind is F64 else None
        if f is not None and x.size and extents:
            out, sums = empty(x.shape, kind), np.zeros((2, extents[1] * extents[2]), kind)
            given, weighs = mean if w is None else w, w is not None
            if f(d, x, given, mean, variance, out, sums[0], sums[1], *extents, weighs, eps):
                return (out, sums[0].reshape(w.shape), sums[1].reshape(w.shape)) if weighs else (out,)
        return kernel(d, x, w, mean, variance, eps, form=form)

    return run


def _is_plain(windows: Any) -> bool:
    """Whether the windows are of 2x2, without gaps or padding."""
    return windows[:4] == ((2, 2), (2, 2), (0, 0), (1, 1))  # type: ignore[no-any-return]


@runs("max_pool2d", function="max_pool")
def _max_pool(kernel: Kernel, single: Native, double: Native) -> Kernel:
    def run(x: Any, *, windows: Any) -> Any:
        kind, shape = x.dtype, x.shape
        f = single if kind is F32 else double if kind is F64 else None
        rows, columns = shape[-2:]
        if f is not None and _is_plain(windows) and 2 * windows.out[0] <= rows and 2 * windows.out[1] <= columns:
            large = *shape[:-2], *windows.out
            out, codes = empty(large, kind), empty(large, np.uint8)
            if f(x, out, codes, _size(shape[:-2]), rows, columns, *windows.out):
                return out, codes
        return kernel(x, windows=windows)

    return run


@runs("max_pool_backward")
def _max_pool_backward(kernel: Kernel, single: Native, double: Native) -> Kernel:
    def run(d: Any, codes: Any, *, space: Any, windows: Any) -> Any:
        kind = d.dtype
        f = single if kind is F32 else double if kind is F64 else None
        if f is not None and _is_plain(windows) and windows.ends(space) == (0, 0):
            lead = d.shape[: -len(space)]
            whole = space == (2 * windows.out[0], 2 * windows.out[1])
            out = (empty if whole else np.zeros)((*lead, *space), kind)
            if f(d, codes, out, _size(lead), *space, *windows.out):
                return out
        return kernel(d, codes, space=space, windows=windows)

    return run
