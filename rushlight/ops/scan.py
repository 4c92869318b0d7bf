"""Running results along a dimension: `cumsum`, `cumprod`, `logcumsumexp`, `cummax`, `cummin`, `diff`, `trapezoid`.

The derivatives of `cumprod` and `logcumsumexp` are first-order linear recurrences y[k] = b[k] + a[k] y[k-1] (or
y[k+1]); the operation `recurrence` is one, and its derivative is again one, so they are exact with zeros and at any
order.

To the compiler each of them is a loop over the rows along the dimension (`core/scan.py`), in vectors along the others.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from rushlight.core import dtype as dtypes
from rushlight.core.dtype import given_dtype
from rushlight.core.scan import Arrays, Step, scan
from rushlight.core.strided import normalize_dim
from rushlight.record.operation import operation
from rushlight.record.spec import Spec, spec_of
from rushlight.record.trace import apply, settle
from rushlight.record.value import Tensor

from .arithmetic import conj
from .creation import cast, full_like_spec
from .public import public, written_out
from .results import result_type
from .rules import fresh, row_major
from .scatter import SCATTER_ADD
from .view import SLICE, along, look_at

# ---------------------------------------------------------------------------------------------------------------------
# Loops for the compiler

WIDE = 16  # elements in a row: with fewer, a row is not worth a turn of machine code


def _rows(x: Any, dim: int) -> Any:
    """The array with a dimension brought to the front."""
    return x.transpose((dim, *[d for d in range(x.ndim) if d != dim]))


def _by_rows(step: Step, first: Sequence[Any], arrays: Arrays, dim: int, reverse: bool = False) -> list[Any]:
    """What a step makes of every row along `dim`; `first` are the numbers that its states begin with, and their dtypes.

    The step gets the states and the arrays' rows, and returns new states and results.
    """
    from rushlight.codegen.capture import NotLowered

    if not arrays[0].ndim or arrays[0].size < WIDE * arrays[0].shape[dim]:
        raise NotLowered("a running result of short rows")
    rows = [_rows(x, dim) for x in arrays]
    if dim == arrays[0].ndim - 1:  # whose rows are columns in memory: they are written out, for vectors
        rows = [r.placed(r.shape, None, (slice(None),) * r.ndim) for r in rows]
    states = [np.full_like(rows[0][0], value, dtype=kind) for value, kind in first]
    _, results = scan(step, states, rows, reverse=reverse, keep=False)
    back = (*range(1, dim + 1), 0, *range(dim + 1, arrays[0].ndim))
    return [r.transpose(back) for r in results]


# ---------------------------------------------------------------------------------------------------------------------
# Linear recurrences

FEW = 8  # rows: below, Python's numbers are faster than arrays


def _recurrence(a: np.ndarray, b: np.ndarray, *, dim: int, backward: bool) -> np.ndarray:
    """y[k] = b[k] + a[k] y[k-1]; `backward`: y[k] = b[k] + a[k] y[k+1]."""
    a, b = np.broadcast_arrays(np.moveaxis(a, dim, 0), np.moveaxis(b, dim, 0))
    if backward:
        a, b = a[::-1], b[::-1]
    n = b.shape[0]
    y = np.empty(b.shape, np.result_type(a, b))
    if b.size < FEW * n:
        _by_numbers(a.reshape(n, -1), b.reshape(n, -1), y.reshape(n, -1))
    elif n:
        y[0] = b[0]
        for k in range(1, n):
            np.multiply(a[k], y[k - 1], out=y[k])
            y[k] += b[k]
    return np.moveaxis(y[::-1] if backward else y, 0, dim)


def _by_numbers(a: np.ndarray, b: np.ndarray, y: np.ndarray) -> None:
    for column in range(y.shape[1]):
        last = 0.0
        found: list[Any] = []
        for p, q in zip(a[:, column].tolist(), b[:, column].tolist(), strict=True):
            last = q + p * last if found else q
            found.append(last)
        y[:, column] = found


def _recurrence_by_rows(a: Any, b: Any, *, dim: int, backward: bool) -> Any:
    def step(states: Arrays, rows: Arrays, _: Arrays) -> tuple[Arrays, Arrays]:
        y = states[0] * rows[0] + rows[1]
        return (y,), (y,)

    first = np.broadcast_to(a, b.shape), b
    return _by_rows(step, [(0, b.dtype)], first, dim, backward)[0]


RECURRENCE = operation("recurrence", lambda a, b, *, dim, backward: fresh(b), _recurrence)
RECURRENCE.lower = _recurrence_by_rows


def _shifted(t: Tensor, dim: int, by: int) -> Tensor:
    """The tensor moved by one place along `dim`, with a zero at the end left free."""
    from .view import PUT_BACK

    shape = t._value.spec.shape
    n = shape[dim]
    source, target = ((0, n - 1, 1), (1, n, 1)) if by > 0 else ((1, n, 1), (0, n - 1, 1))
    part = look_at(t, SLICE, (along(shape, dim, source),))
    return apply(PUT_BACK, (part,), (along(shape, dim, target), shape))


def _recurrence_gradient(g: Tensor, a: Tensor, result: Tensor, dim: int, backward: bool) -> tuple[Tensor, Tensor]:
    """b's gradient runs the other way: h[k] = g[k] + a[k+1] h[k+1]; a's is h[k] y[k-1]."""
    by = -1 if backward else 1
    h = apply(RECURRENCE, (_shifted(conj(a), dim, -by), g), (dim, not backward))
    return h * _shifted(conj(result), dim, by), h


RECURRENCE.gradient(_recurrence_gradient)

# ---------------------------------------------------------------------------------------------------------------------
# cumsum, cumprod, logcumsumexp


def _wide(x: np.ndarray) -> Any:
    """PyTorch accumulates floats in double precision on the CPU."""
    return {"f": np.dtype("float64"), "c": np.dtype("complex128")}.get(x.dtype.kind, x.dtype)


def _accumulated(ufunc: Any) -> Any:
    def kernel(x: np.ndarray, *, dim: int) -> np.ndarray:
        if x.ndim == 0:
            return x.copy()
        return ufunc.accumulate(x, dim, dtype=_wide(x)).astype(x.dtype, copy=False)

    return kernel


def _accumulated_by_rows(ufunc: Any, start: float) -> Callable[..., Any]:
    """`start` leaves what it is combined with as it is."""

    def kernel(x: Any, *, dim: int) -> Any:
        wide = _wide(x)

        def step(states: Arrays, rows: Arrays, _: Arrays) -> tuple[Arrays, Arrays]:
            y = ufunc(states[0], rows[0].astype(wide))
            return (y,), (y.astype(x.dtype),)

        return _by_rows(step, [(wide.type(start), wide)], (x,), dim)[0]

    return kernel


def _reversed_sum(g: Tensor, dim: int) -> Tensor:
    from .repetition import flip

    n = g._value.spec.ndim
    return flip(apply(CUMSUM, (flip(g, dim),), (dim,)), dim) if n else g


def _product_gradient(g: Tensor, x: Tensor, dim: int) -> Tensor:
    """sum over j >= k of g[j] times the product of the x[i], i <= j, without x[k]."""
    if not x._value.spec.ndim:
        return g
    factors = conj(x)
    before = apply(CUMPROD, (_shifted_one(factors, dim),), (dim,))
    after = apply(RECURRENCE, (_shifted(factors, dim, -1), g), (dim, True))
    return before * after


def _shifted_one(t: Tensor, dim: int) -> Tensor:
    """The tensor moved by one place along `dim`, with a one in front."""
    spec = t._value.spec
    first = full_like_spec(spec_of(along_shape(spec.shape, dim, min(1, spec.shape[dim])), spec.dtype), 1)
    from .joining import cat

    return cat([first, look_at(t, SLICE, (along(spec.shape, dim, (0, max(spec.shape[dim] - 1, 0), 1)),))], dim)


def along_shape(shape: tuple[int, ...], dim: int, n: int) -> tuple[int, ...]:
    """The shape with size n at `dim`."""
    return (*shape[:dim], n, *shape[dim + 1 :])


CUMSUM = operation("cumsum", lambda x, *, dim: row_major(x), _accumulated(np.add))
CUMSUM.gradient(x=_reversed_sum)
CUMSUM.lower = _accumulated_by_rows(np.add, -0.0)
CUMPROD = operation("cumprod", lambda x, *, dim: row_major(x), _accumulated(np.multiply))
CUMPROD.gradient(x=_product_gradient)
CUMPROD.lower = _accumulated_by_rows(np.multiply, 1)


def _logcumsumexp(x: np.ndarray, *, dim: int) -> np.ndarray:
    if x.ndim == 0:
        return x.copy()
    if x.dtype.kind == "c":
        return _complex_logcumsumexp(x, dim)
    return np.logaddexp.accumulate(x, dim, dtype=_wide(x)).astype(x.dtype)


def _complex_logcumsumexp(x: np.ndarray, dim: int) -> np.ndarray:
    top = np.maximum.accumulate(x.real, dim)
    rows, tops = np.moveaxis(x, dim, 0), np.moveaxis(top, dim, 0)
    y = np.empty(rows.shape, "complex128")
    total = np.zeros(rows.shape[1:], "complex128")
    for k in range(len(rows)):
        if k:
            total = total * np.exp(tops[k - 1] - tops[k])
        total = total + np.exp(rows[k] - tops[k])
        y[k] = np.log(total) + tops[k]
    return np.moveaxis(y, 0, dim).astype(x.dtype)


def _logcumsumexp_gradient(g: Tensor, x: Tensor, result: Tensor, dim: int) -> Tensor:
    """sum over j >= k of g[j] exp(x[k] - y[j]), stepping from y[j+1] to y[j] so that no factor exceeds one."""
    if not x._value.spec.ndim:
        return g
    from .elementary import exp
    from .selection import where

    shape = x._value.spec.shape
    n = shape[dim]
    floor = where(result == -float("inf"), 0, result) if not x.is_complex() else result
    here = look_at(floor, SLICE, (along(shape, dim, (0, max(n - 1, 0), 1)),))
    there = look_at(floor, SLICE, (along(shape, dim, (min(1, n), n, 1)),))
    from .view import PUT_BACK

    steps = apply(PUT_BACK, (exp(here - there),), (along(shape, dim, (0, max(n - 1, 0), 1)), shape))
    return conj(exp(x - floor)) * apply(RECURRENCE, (conj(steps), g), (dim, True))


LOGCUMSUMEXP = operation("logcumsumexp", lambda x, *, dim: row_major(x), _logcumsumexp, node="LogcumsumexpBackward0")
LOGCUMSUMEXP.gradient(x=_logcumsumexp_gradient)
LOGCUMSUMEXP.lower = _accumulated_by_rows(np.logaddexp, -np.inf)


def _running(input: Tensor, op: Any, dim: int, dtype: Any, name: str) -> Tensor:
    spec = settle(input).spec
    kind = given_dtype(dtype, name)
    kind = kind or (spec.dtype if spec.dtype.is_floating_point or spec.dtype.is_complex else dtypes.int64)
    return apply(op, (cast(input, kind),), (normalize_dim(dim, spec.ndim),))


def _dim_of(dim: Any, axis: Any, name: str) -> int:
    found = axis if dim is None else dim
    if found is None:
        raise TypeError(f'{name}() missing 1 required positional arguments: "dim"')
    return found


@public(inplace=True, out=True)
def cumsum(input: Tensor, dim: Any = None, *, dtype: Any = None, axis: Any = None) -> Tensor:
    """The running sum along `dim`; integers are summed as int64.

    >>> torch.tensor([1, 2, 3]).cumsum(0)
    tensor([1, 3, 6])
    """
    return _running(input, CUMSUM, _dim_of(dim, axis, "cumsum"), dtype, "cumsum")


@public(inplace=True, out=True)
def cumprod(input: Tensor, dim: Any = None, *, dtype: Any = None, axis: Any = None) -> Tensor:
    """The running product along `dim`; integers are multiplied as int64.

    >>> torch.tensor([1, 2, 3]).cumprod(0)
    tensor([1, 2, 6])
    """
    return _running(input, CUMPROD, _dim_of(dim, axis, "cumprod"), dtype, "cumprod")


@public(out=True)
def logcumsumexp(input: Tensor, dim: int) -> Tensor:
    """log(cumsum(exp(input))) along `dim`, without overflow."""
    spec = settle(input).spec
    if not (spec.dtype.is_floating_point or spec.dtype.is_complex):
        raise NotImplementedError(f"\"logcumsumexp_out_cpu\" not implemented for '{spec.dtype.scalar_name}'")
    return apply(LOGCUMSUMEXP, (input,), (normalize_dim(dim, spec.ndim),))


# ---------------------------------------------------------------------------------------------------------------------
# cummax, cummin


def _record(ufunc: Any) -> Any:
    def kernel(x: np.ndarray, *, dim: int) -> tuple[np.ndarray, np.ndarray]:
        if x.ndim == 0:
            return x.copy(), np.zeros((), "int64")
        values = ufunc.accumulate(x, dim)
        new = (x == values) | (x != x)
        places = np.arange(x.shape[dim]).reshape((-1,) + (1,) * (x.ndim - dim - 1))
        return values, np.maximum.accumulate(np.where(new, places, 0), dim)

    return kernel


def _record_by_rows(ufunc: Any, start: float) -> Callable[..., Any]:
    """Values and places; a state counts the places."""

    def kernel(x: Any, *, dim: int) -> Any:
        def step(states: Arrays, rows: Arrays, _: Arrays) -> tuple[Arrays, Arrays]:
            (best, place, here), (row,) = states, rows
            best = ufunc(best, row)
            new = np.logical_or(row == best, row != row)
            place = np.maximum(place, np.where(new, here, 0))
            return (best, place, here + 1), (best, place)

        least = start if x.dtype.kind == "f" else _bounds(x.dtype)[int(start > 0)]
        first = [(x.dtype.type(least), x.dtype), (0, np.dtype("int64")), (0, np.dtype("int64"))]
        return tuple(_by_rows(step, first, (x,), dim))

    return kernel


def _bounds(kind: np.dtype) -> tuple[int, int]:
    """The smallest and the largest whole number of a dtype."""
    return (0, 1) if kind.kind == "b" else (int(np.iinfo(kind).min), int(np.iinfo(kind).max))


def _record_spec(x: Spec, *, dim: int) -> tuple[Spec, Spec]:
    return spec_of(x.shape, x.dtype), spec_of(x.shape, dtypes.int64)


def _record_gradient(g: Any, results: Any, x_spec: Spec, dim: int) -> tuple[Tensor]:
    if not x_spec.ndim:
        return (g[0],)
    zeros = full_like_spec(spec_of(x_spec.shape, g[0]._value.spec.dtype), 0)
    return (apply(SCATTER_ADD, (zeros, results[1], g[0]), (dim,)),)


CUMMAX = operation("cummax", _record_spec, _record(np.maximum)).gradient(_record_gradient)
CUMMIN = operation("cummin", _record_spec, _record(np.minimum)).gradient(_record_gradient)
CUMMAX.lower, CUMMIN.lower = _record_by_rows(np.maximum, -np.inf), _record_by_rows(np.minimum, np.inf)
CumMax = result_type("cummax", ("values", "indices"))
CumMin = result_type("cummin", ("values", "indices"))


def _check_not_complex(spec: Spec, name: str) -> None:
    if spec.dtype.is_complex:
        raise NotImplementedError(f"\"{name}_cpu\" not implemented for '{spec.dtype.scalar_name}'")


@public()
def cummax(input: Tensor, dim: int, *, out: Any = None) -> Any:
    """The largest element so far along `dim`, and its position (the last of equal ones).

    >>> torch.tensor([1, 3, 2]).cummax(0).values
    tensor([1, 3, 3])
    """
    spec = settle(input).spec
    _check_not_complex(spec, "cummax")
    return written_out(CumMax(apply(CUMMAX, (input,), (normalize_dim(dim, spec.ndim),))), out, "cummax")


@public()
def cummin(input: Tensor, dim: int, *, out: Any = None) -> Any:
    """The smallest element so far along `dim`, and its position (the last of equal ones)."""
    spec = settle(input).spec
    _check_not_complex(spec, "cummin")
    return written_out(CumMin(apply(CUMMIN, (input,), (normalize_dim(dim, spec.ndim),))), out, "cummin")


# ---------------------------------------------------------------------------------------------------------------------
# diff and trapezoids


def _between(t: Tensor, dim: int, start: int, stop: int) -> Tensor:
    shape = settle(t).spec.shape
    first, last, _ = slice(start, stop).indices(shape[dim])
    return look_at(t, SLICE, (along(shape, dim, (first, max(first, last), 1)),))


@public(out=True)
def diff(input: Tensor, n: int = 1, dim: int = -1, prepend: Any = None, append: Any = None) -> Tensor:
    """The `n`-th differences of neighbours along `dim`, after joining `prepend` and `append` to it.

    >>> torch.tensor([1, 3, 6]).diff()
    tensor([2, 3])
    """
    from .joining import cat

    spec = settle(input).spec
    if not spec.ndim:
        raise RuntimeError("diff expects input to be at least one-dimensional")
    if n < 0:
        raise RuntimeError(f"order must be non-negative but got {n}")
    dim = normalize_dim(dim, spec.ndim)
    parts = [t for t in (prepend, input, append) if t is not None]
    for t in parts:
        _check_joint(t, spec, dim)
    if n == 0:
        return input.clone()
    found = cat(parts, dim) if len(parts) > 1 else input
    for _ in range(min(n, settle(found).spec.shape[dim])):
        later, earlier = _between(found, dim, 1, 1 << 62), _between(found, dim, 0, -1)
        found = later.logical_xor(earlier) if spec.dtype is dtypes.bool_ else later - earlier
    return found


def _check_joint(t: Tensor, spec: Spec, dim: int) -> None:
    other = settle(t).spec
    if other.ndim != spec.ndim:
        raise RuntimeError("diff expects prepend or append to be the same dimension as input")
    for d, (a, b) in enumerate(zip(other.shape, spec.shape, strict=True)):
        if a != b and d != dim:
            raise RuntimeError(
                "diff expects the shape of tensor to prepend or append to match that of input except along the "
                f"differencing dimension; input.size({d}) = {b}, but got tensor.size({d}) = {a}"
            )


def _trapezoids(y: Tensor, dim: int) -> Tensor:
    """The sums of neighbours of y along `dim`: twice the areas, at distance one."""
    return _between(y, dim, 1, 1 << 62) + _between(y, dim, 0, -1)


def _widths(y: Tensor, x: Tensor, dim: int, name: str) -> Tensor:
    """The distances between the points along `dim`."""
    spec, xs = settle(y).spec, settle(x).spec
    if xs.ndim != 1:
        return diff(x, dim=dim - spec.ndim)
    if xs.numel != spec.shape[dim]:
        raise RuntimeError(f"{name}: There must be one `x` value for each sample point")
    return diff(x).reshape((-1,) + (1,) * (spec.ndim - 1 - dim))


def _check_spacing(y: Tensor, name: str, x: Any, dx: Any) -> None:
    for t in (y, x):
        if t is not None and settle(t).spec.dtype is dtypes.bool_:
            raise RuntimeError(
                f"{name}: received a bool input for `{'y' if t is y else 'x'}`, but bool is not supported"
            )
    if isinstance(dx, complex):
        raise RuntimeError(f"{name}: Currently, we only support dx as a real number.")


@public(names=("trapz",), method=False)
def trapezoid(y: Tensor, x: Any = None, *, dx: Any = None, dim: int = -1) -> Tensor:
    """The integral of y along `dim` by the trapezoidal rule, at the points `x` or `dx` (1) apart.

    >>> torch.trapezoid(torch.tensor([1., 2., 3.]))
    tensor(4.)
    """
    spec = settle(y).spec
    dim = normalize_dim(dim, spec.ndim)
    _check_spacing(y, "trapezoid", x, dx)
    if spec.shape[dim] == 0:
        return full_like_spec(spec_of(spec.shape[:dim] + spec.shape[dim + 1 :], spec.dtype), 0)
    if x is None:
        return _trapezoids(y, dim).sum(dim) * ((1.0 if dx is None else dx) / 2.0)
    return (_trapezoids(y, dim) * _widths(y, x, dim, "trapezoid")).sum(dim) / 2.0


@public(method=False)
def cumulative_trapezoid(y: Tensor, x: Any = None, *, dx: Any = None, dim: int = -1) -> Tensor:
    """The running integral of y along `dim` by the trapezoidal rule."""
    _check_spacing(y, "cumulative_trapezoid", x, dx)
    dim = normalize_dim(dim, settle(y).spec.ndim)
    if x is None:
        return _trapezoids(y, dim).cumsum(dim) * ((1.0 if dx is None else dx) / 2.0)
    return (_trapezoids(y, dim) * _widths(y, x, dim, "cumulative_trapezoid")).cumsum(dim) / 2.0
