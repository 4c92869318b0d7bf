"""The arithmetic of normalisation layers: mean 0 and variance 1 over some dimensions, then a scale and a shift.

Batch, layer, group and instance normalisation differ only in which dimensions share a mean and which share a weight; a
`Form` says both, for the input seen in a canonical shape.  `standardize_operation` makes the operation for one layer's
name, with its derivative and that derivative's own.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from rushlight.record.operation import Operation, operation
from rushlight.record.spec import Spec, spec_of
from rushlight.record.trace import apply
from rushlight.record.value import Tensor

from .reduction import SUM_DIM
from .rules import in_format_of

Ints = tuple[int, ...]
BLOCK = 1 << 18  # numbers worked on at a time where rows are independent: measured


class Form(NamedTuple):
    """The canonical shape, the dimensions that share a mean, and the weight's shape beside the input's."""

    shape: Ints
    axes: Ints
    weight: Ints

    @property
    def size(self) -> int:
        """How many numbers share a mean."""
        return math.prod(self.shape[a] for a in self.axes)

    @property
    def weight_axes(self) -> Ints:
        """The dimensions that share a weight."""
        return tuple(a for a, n in enumerate(self.weight) if n == 1)

    def within(self, shape: Ints) -> Form:
        """The same form seen in the input's own shape; itself where a dimension is part of one of the input's."""
        groups, d = [], 0
        for n in self.shape:
            first = d
            while math.prod(shape[first:d]) < n and d < len(shape):
                d += 1
            if math.prod(shape[first:d]) != n:
                return self
            groups.append(range(first, d))
        axes = tuple(a for f, group in enumerate(groups) for a in group if f in self.axes)
        weight = [shape[a] if n > 1 else 1 for n, group in zip(self.weight, groups, strict=True) for a in group]
        return Form(shape, axes, (*weight, *[1] * (len(shape) - d)))

    @property
    def moments(self) -> Ints:
        """The shape of the means."""
        return tuple(1 if a in self.axes else n for a, n in enumerate(self.shape))


# ---------------------------------------------------------------------------------------------------------------------
# Kernels


def _mean(x: np.ndarray, form: Form) -> np.ndarray:
    total = np.add.reduce(x, axis=form.axes, keepdims=True)
    return total / total.dtype.type(form.size)


def _by_rows(form: Form) -> bool:
    """Whether each row has its own mean and all rows share the weights, as in layer normalisation."""
    return len(form.shape) == 2 and form.axes == (1,)


def _blocks(form: Form) -> Iterator[slice]:
    """The rows, some at a time: what is computed from them stays in the cache."""
    rows, width = form.shape
    step = max(BLOCK // max(width, 1), 1)
    return (slice(start, start + step) for start in range(0, rows, step))


def _standardize_rows(x: Any, w: Any, b: Any, eps: Any, form: Form) -> tuple[Any, Any, Any]:
    y = np.empty(form.shape, x.dtype)
    mean, variance = np.empty(form.moments, x.dtype), np.empty(form.moments, x.dtype)
    z = x.reshape(form.shape)
    count, eps = x.dtype.type(form.size), x.dtype.type(eps)
    for rows in _blocks(form):
        part, its_mean, its_variance = y[rows], mean[rows], variance[rows]
        np.divide(np.add.reduce(z[rows], axis=1, keepdims=True), count, out=its_mean)
        np.subtract(z[rows], its_mean, out=part)
        np.divide(np.add.reduce(part * part, axis=1, keepdims=True), count, out=its_variance)
        part *= 1 / np.sqrt(its_variance + eps)
        if w is not None:
            part *= w.reshape(form.weight)
        if b is not None:
            part += b.reshape(form.weight)
    return y.reshape(x.shape), mean, variance


def _backward_rows(d: Any, x: Any, w: Any, mean: Any, variance: Any, eps: Any, form: Form) -> tuple[Any, ...]:
    """`_backward` for rows; all sums are products with a vector, which the linear-algebra library does best."""
    kind, (count, width) = x.dtype.type, form.shape
    z, d, result = x.reshape(form.shape), d.reshape(form.shape), np.empty(form.shape, x.dtype)
    of_w, of_b = np.zeros(width, kind), np.zeros(width, kind)
    ones, weight = np.ones(count, kind), np.ones(width, kind) if w is None else w.reshape(-1)
    scale = 1 / np.sqrt(variance + kind(eps))
    for rows in _blocks(form):
        given, part = d[rows], result[rows]
        y = (z[rows] - mean[rows]) * scale[rows]
        np.multiply(given, y, out=part)
        if w is not None:
            of_w += ones[rows] @ part
            of_b += ones[rows] @ given
        y *= (part @ weight)[:, None] / kind(width)
        np.multiply(given, weight, out=part)
        part -= y
        part -= (given @ weight)[:, None] / kind(width)
        part *= scale[rows]
    result = result.reshape(x.shape)
    return (result,) if w is None else (result, of_w.reshape(w.shape), of_b.reshape(w.shape))


def _standardize(x: Any, w: Any, b: Any, eps: Any, *, form: Form) -> tuple[Any, Any, Any]:
    if _by_rows(form):
        return _standardize_rows(x, w, b, eps, form)
    return _standardize_whole(x, w, b, x.dtype.type(eps), form)


def _standardize_whole(x: Any, w: Any, b: Any, eps: Any, form: Form) -> tuple[Any, Any, Any]:
    z = x.reshape(form.shape)
    mean = _mean(z, form)
    y = z - mean
    variance = _mean(y * y, form)
    scale = 1 / np.sqrt(variance + eps)
    if w is None:
        y *= scale
    elif form.axes == form.weight_axes:
        y *= scale * w.reshape(form.weight)
    else:
        y *= scale
        y *= w.reshape(form.weight)
    if b is not None:
        y += b.reshape(form.weight)
    return y.reshape(x.shape), mean, variance


def _backward(d: Any, x: Any, w: Any, mean: Any, variance: Any, eps: Any, *, form: Form) -> tuple[Any, ...]:
    if _by_rows(form):
        return _backward_rows(d, x, w, mean, variance, eps, form)
    return _backward_whole(d, x, w, mean, variance, x.dtype.type(eps), form)


def _backward_whole(d: Any, x: Any, w: Any, mean: Any, variance: Any, eps: Any, form: Form) -> tuple[Any, ...]:
    scale = 1 / np.sqrt(variance + eps)
    y = x.reshape(form.shape) - mean
    y *= scale
    d = d.reshape(form.shape)
    product = d * y
    of_w = np.add.reduce(product, axis=form.weight_axes, keepdims=True)
    of_b = np.add.reduce(d, axis=form.weight_axes, keepdims=True)
    if form.axes == form.weight_axes:
        n = x.dtype.type(form.size)
        mean_d, mean_product = of_b / n, of_w / n
        if w is not None:
            scale = scale * w.reshape(form.weight)
    else:
        if w is not None:
            d = d * w.reshape(form.weight)
            product = d * y
        mean_d, mean_product = _mean(d, form), _mean(product, form)
    y *= mean_product
    y = np.subtract(d, y, out=y)
    y -= mean_d
    y *= scale
    return (y.reshape(x.shape),) if w is None else (y.reshape(x.shape), of_w.reshape(w.shape), of_b.reshape(w.shape))


def _standardize_symbols(x: Any, w: Any, b: Any, eps: Any, *, form: Form) -> tuple[Any, Any, Any]:
    """For the compiler: in the input's own shape, so that its neighbours in the program share its loops."""
    y, mean, variance = _standardize_whole(x, w, b, eps.astype(x.dtype), form.within(x.shape))
    return y, mean.reshape(form.moments), variance.reshape(form.moments)


def _backward_symbols(d: Any, x: Any, w: Any, mean: Any, variance: Any, eps: Any, *, form: Form) -> tuple[Any, ...]:
    own = form.within(x.shape)
    mean, variance = mean.reshape(own.moments), variance.reshape(own.moments)
    return _backward_whole(d, x, w, mean, variance, eps.astype(x.dtype), own)


# ---------------------------------------------------------------------------------------------------------------------
# Second order


def _average(t: Tensor, form: Form) -> Tensor:
    return _total(t, form.axes) / form.size


def _total(t: Tensor, axes: Ints) -> Tensor:
    return apply(SUM_DIM, (t,), (axes, True))


def _second_order(
    g: Any, needs: Any, d: Tensor, x: Tensor, w: Any, mean: Any, variance: Any, eps: Any, form: Form
) -> Any:
    """The derivative of `_backward`, with mean and variance as functions of x.

    With P(z) = z - mean(z) - y mean(z y), which is its own adjoint, the results are dx = s P(w d), dw = sum(d y) and
    db = sum(d); their products with the arriving u, v, t are differentiated by d, w, y and s, and y and s by x.
    """
    u, v, t = (*g, None, None)[:3]
    shape = x._value.spec.shape
    z = x.reshape(form.shape)
    centered = z - _average(z, form)
    s = (_average(centered * centered, form) + eps).rsqrt()
    y = centered * s
    d = d.reshape(form.shape)
    weight = None if w is None else w.reshape(form.weight)

    def project(a: Tensor) -> Tensor:
        return a - _average(a, form) - y * _average(a * y, form)

    of_d: Any = 0
    of_w = of_y = of_s = None
    if u is not None:
        u = u.reshape(form.shape)
        wd = d if weight is None else weight * d
        along = s * project(u)
        of_d = along if weight is None else along * weight
        if w is not None:
            of_w = _total(along * d, form.weight_axes).reshape(w._value.spec.shape)
        of_y = -s * (u * _average(wd * y, form) + wd * _average(u * y, form))
        of_s = _total(u * project(wd), form.axes)
    if v is not None:
        v = v.reshape(form.weight)
        of_d = of_d + v * y
        of_y = v * d if of_y is None else of_y + v * d
    if t is not None:
        of_d = of_d + t.reshape(form.weight)
    of_x = None
    if of_y is not None:
        of_x = s * project(of_y)
        if of_s is not None:
            of_x = of_x - s * s * y * of_s / form.size
        of_x = of_x.reshape(shape)
    if of_d.__class__ is int:
        of_d = None
    else:
        of_d = of_d.expand(form.shape).reshape(shape)
    return of_d, of_x, of_w, None, None, None


# ---------------------------------------------------------------------------------------------------------------------
# Operations


def standardize_operation(name: str, node: str, keeps_format: bool = False) -> Operation:
    """Declares (x, w, b, eps) -> (result, mean, variance) for one kind of layer.

    `keeps_format`: the result of a channels_last input is channels_last.
    """

    def like(x: Spec) -> Spec:
        return in_format_of(x, shape=x.shape) if keeps_format else spec_of(x.shape, x.dtype)

    def infer(x: Spec, w: Spec | None, b: Spec | None, eps: Spec, *, form: Form) -> tuple[Spec, Spec, Spec]:
        moments = spec_of(form.moments, x.dtype)
        return like(x), moments, moments

    def back_infer(d: Spec, x: Spec, w: Spec | None, *_: Any, form: Form) -> tuple[Spec, ...]:
        of_x = like(x)
        return (of_x,) if w is None else (of_x, spec_of(w.shape, w.dtype), spec_of(w.shape, w.dtype))

    back = operation(f"{name}_backward", back_infer, _backward, node=f"{node}BackwardBackward0").gradient(_second_order)

    back.lower = _backward_symbols

    def rule(g: Any, needs: Any, x: Tensor, w: Any, results: Any, eps: Any, b_spec: Any, form: Form) -> Any:
        d = g[0]
        found = apply(back, (d, x, w, results[1], results[2], eps), (form,))
        if w is not None:
            return *found, None
        shift = None if b_spec is None else _total(d.reshape(form.shape), form.weight_axes).reshape(b_spec.shape)
        return found[0], None, shift, None

    op = operation(name, infer, _standardize, node=f"{node}Backward0").gradient(rule)
    op.lower = _standardize_symbols
    return op
