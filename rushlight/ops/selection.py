"""Choosing among elements: `where`, bounds, maxima and minima, and questions about a whole tensor."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from rushlight.core import dtype as dtypes
from rushlight.core.blend import blend
from rushlight.core.caller import stacklevel
from rushlight.core.number import cannot_hold, number_in
from rushlight.core.strided import normalize_dim
from rushlight.record.operation import computing, operation
from rushlight.record.spec import Spec, spec_of
from rushlight.record.trace import apply, realize, settle
from rushlight.record.value import Tensor

from .creation import cast
from .public import public, require_tensor, write_out, written_out
from .reduction import Dims, dims_of, reduced, spread
from .results import result_type
from .rules import broadcast, check_kind, comparison, only, pointwise, promoted

# ---------------------------------------------------------------------------------------------------------------------
# where


def _where_dtype(condition: Spec, x: Spec, y: Spec) -> Any:
    return None


@computing(_where_dtype)
def _where_spec(condition: Spec, x: Spec, y: Spec) -> Spec:
    if condition.dtype not in (dtypes.bool_, dtypes.uint8):
        raise RuntimeError(
            "where expected condition to be a boolean tensor, but got a tensor with dtype "
            f"{condition.dtype.scalar_name}"
        )
    if condition.dtype is dtypes.uint8:
        warnings.warn(
            "where received a uint8 condition tensor. This behavior is deprecated and will be removed in a future "
            "version of PyTorch. Use a boolean condition instead.",
            UserWarning,
            stacklevel=stacklevel(),
        )
    found = broadcast((condition, x, y), promoted(x, y))
    return spec_of(found.shape, found.dtype, found.strides)


WHERE = operation("where", _where_spec, blend, exact=True, aliases=False)
WHERE.gradient(
    x=lambda g, condition: where(condition, g, 0),
    y=lambda g, condition: where(condition, 0, g),
)


@public(out=True)
def where(condition: Tensor, input: Any = None, other: Any = None) -> Any:
    """`input` where the condition holds, else `other`; with the condition alone, the positions where it holds.

    >>> torch.where(torch.tensor([True, False]), 1.0, 0.0)
    tensor([1., 0.])
    """
    if input is None and other is None:
        from .masking import nonzero

        return nonzero(condition, as_tuple=True)
    if isinstance(input, Tensor) and isinstance(other, Tensor):
        x, y = settle(input).spec, settle(other).spec
        if x.dtype is not y.dtype:
            kind = promoted(x, y)
            input, other = cast(input, kind), cast(other, kind)
    return apply(WHERE, (condition, input, other))


def _where_method(self: Tensor, condition: Tensor, other: Any) -> Tensor:
    """`torch.where(condition, self, other)`."""
    return where(condition, self, other)


from .public import METHODS  # noqa: E402

METHODS["where"] = _where_method


def _fill_spec(x: Spec, mask: Spec, value: Spec) -> Spec:
    if mask.dtype is not dtypes.bool_:
        raise RuntimeError(f"masked_fill_ only supports boolean masks, but got mask with dtype {_c_name(mask.dtype)}")
    shape = broadcast((mask, x), x.dtype).shape  # in this order for the error's sake
    return spec_of(shape, x.dtype, broadcast((x, mask), x.dtype).strides)


def _filled(x: np.ndarray, mask: np.ndarray, value: Any) -> np.ndarray:
    number = value.astype(x.dtype) if hasattr(value, "astype") else x.dtype.type(value)
    return blend(mask, number, x)


def _unmasked(g: Tensor, mask: Tensor) -> Tensor:
    return apply(MASKED_FILL, (g, mask, 0))


MASKED_FILL = operation("masked_fill", _fill_spec, _filled, exact=True, aliases=False)
MASKED_FILL.gradient(x=_unmasked)
MASKED_FILL_TENSOR = operation(
    "masked_fill_tensor", _fill_spec, _filled, exact=True, aliases=False, node="MaskedFillBackward1"
)
MASKED_FILL_TENSOR.gradient(x=_unmasked, value=lambda g, mask: where(mask, g, 0).sum())


@public(inplace=True, row_major=True)
def masked_fill(input: Tensor, mask: Tensor, value: Any) -> Tensor:
    """`value` (a number or a tensor of one) where the mask holds, else `input`; broadcast.

    Raises RuntimeError unless the mask is a bool tensor.

    >>> torch.zeros(2).masked_fill(torch.tensor([True, False]), 1)
    tensor([1., 0.])
    """
    kind = settle(input).spec.dtype
    if isinstance(value, Tensor):
        if value.dim() != 0:
            raise RuntimeError(
                "masked_fill_ only supports a 0-dimensional value tensor, but got tensor with "
                f"{value.dim()} dimension(s)."
            )
        if settle(value).spec.dtype is not kind and not (kind.is_floating_point or kind.is_complex):
            return apply(MASKED_FILL, (input, mask, number_in(value.item(), kind)))
        if settle(value).spec.dtype.is_complex and not kind.is_complex:
            raise cannot_hold(kind)
        return apply(MASKED_FILL_TENSOR, (input, mask, cast(value, kind)))
    return apply(MASKED_FILL, (input, mask, number_in(value, kind)))


def _c_name(kind: Any) -> str:
    names = {"float32": "float", "float64": "double", "uint8": "unsigned char", "int64": "long int", "int32": "int"}
    return names.get(kind.name, kind.name)


# ---------------------------------------------------------------------------------------------------------------------
# Bounds


def _clamp_gradient_x(g: Tensor, x: Tensor, low: Any, high: Any) -> Tensor:
    inside: Any = None
    if low is not None:
        inside = x >= low
    if high is not None:
        inside = (x <= high) if inside is None else inside & (x <= high)
    return where(inside, g, 0)


def _clamp(x: Any, low: Any, high: Any) -> Any:
    if low is None:
        return np.minimum(x, high)
    return np.maximum(x, low) if high is None else np.clip(x, low, high)


_clamp_spec = only("if", "clamp_cpu", pointwise)
_larger_spec, _smaller_spec = only("bif", "maximum_cpu", pointwise), only("bif", "minimum_cpu", pointwise)


@computing(promoted)
def _clamp_tensor_spec(x: Spec, low: Spec | None, high: Spec | None) -> Spec:
    """With one bound it is `maximum` or `minimum`, which take bools, too."""
    rule = _larger_spec if high is None else _smaller_spec if low is None else _clamp_spec
    return rule(x, low, high)  # type: ignore[no-any-return]


CLAMP = operation("clamp", _clamp_spec, _clamp, node="ClampBackward1")
CLAMP.gradient(x=_clamp_gradient_x)
CLAMP_MIN = operation("clamp_min", _clamp_spec, _clamp, node="ClampMinBackward0").gradient(x=_clamp_gradient_x)
CLAMP_MAX = operation("clamp_max", _clamp_spec, _clamp, node="ClampMaxBackward0").gradient(x=_clamp_gradient_x)
CLAMP_TENSOR = operation("clamp_tensor", _clamp_tensor_spec, _clamp, node="ClampBackward0")
CLAMP_TENSOR.shown = lambda pairs: (pairs + [(None, 0)] * 2)[:3]
CLAMP_TENSOR.gradient(
    x=_clamp_gradient_x,
    low=lambda g, x, low, high: where(((x < low) & (low < high)) if high is not None else (x < low), g, 0),
    high=lambda g, x, low, high: where((x > high) | (high < low) if low is not None else (x > high), g, 0),
)
CLAMP_MIN_TENSOR = operation("clamp_min_tensor", _larger_spec, _clamp, node="ClampMinBackward1")
CLAMP_MIN_TENSOR.gradient(**CLAMP_TENSOR.rules)
CLAMP_MAX_TENSOR = operation("clamp_max_tensor", _smaller_spec, _clamp, node="ClampMaxBackward1")
CLAMP_MAX_TENSOR.gradient(**CLAMP_TENSOR.rules)


@public(inplace=True, out=True, names=("clip",), tensors=1)
def clamp(input: Tensor, min: Any = None, max: Any = None) -> Tensor:  # noqa: A002 - PyTorch's names
    """Every element moved into [min, max]; either bound may be missing, a number or a tensor.

    >>> torch.tensor([-2., 0.5, 2.]).clamp(-1, 1)
    tensor([-1.0000,  0.5000,  1.0000])
    """
    if min is None and max is None:
        raise RuntimeError("torch.clamp: At least one of 'min' or 'max' must not be None")
    op = CLAMP_TENSOR if isinstance(min, Tensor) or isinstance(max, Tensor) else CLAMP
    if op is CLAMP_TENSOR and len({isinstance(b, Tensor) for b in (min, max) if b is not None}) > 1:
        raise TypeError(
            f"clamp() received an invalid combination of arguments - got (Tensor, min={type(min).__name__}, "
            f"max={type(max).__name__}); both bounds must be numbers, or both tensors"
        )
    return apply(op, (input, min, max))


@public(inplace=True, out=True, tensors=1)
def clamp_min(input: Tensor, min: Any) -> Tensor:  # noqa: A002
    """Every element at least `min`."""
    return apply(CLAMP_MIN_TENSOR if isinstance(min, Tensor) else CLAMP_MIN, (input, min, None))


@public(inplace=True, out=True, tensors=1)
def clamp_max(input: Tensor, max: Any) -> Tensor:  # noqa: A002
    """Every element at most `max`."""
    return apply(CLAMP_MAX_TENSOR if isinstance(max, Tensor) else CLAMP_MAX, (input, None, max))


def _tie(g: Tensor, better: Tensor, equal: Tensor) -> Tensor:
    """Ties share the gradient."""
    return where(better, g, where(equal, g / 2, 0))


def _choice(name: str, ufunc: Any, sign: int, doc: str) -> Any:
    op = operation(name, only("bif", name, pointwise), lambda x, y: ufunc(x, y))
    op.gradient(
        x=lambda g, x, y: _tie(g, (x > y) if sign > 0 else (x < y), x == y),
        y=lambda g, x, y: _tie(g, (y > x) if sign > 0 else (y < x), x == y),
    )

    def f(input: Tensor, other: Tensor) -> Tensor:
        return apply(op, (input, other))

    f.__name__ = f.__qualname__ = name
    f.__doc__ = doc
    return public(out=True, tensors=2)(f)


maximum = _choice("maximum", np.maximum, 1, "The larger of each pair of elements.")
minimum = _choice("minimum", np.minimum, -1, "The smaller of each pair of elements.")


def _finite_choice(name: str, ufunc: Any, sign: int, doc: str) -> Any:
    op = operation(name, only("bif", name, pointwise), lambda x, y: ufunc(x, y))
    op.gradient(
        x=lambda g, x, y: where(((x >= y) if sign > 0 else (x <= y)) | (y != y), g, 0),
        y=lambda g, x, y: where(((x >= y) if sign > 0 else (x <= y)) | (y != y), 0, g),
    )

    def f(input: Tensor, other: Tensor) -> Tensor:
        return apply(op, (input, other))

    f.__name__ = f.__qualname__ = name
    f.__doc__ = doc
    return public(out=True, tensors=2)(f)


fmax = _finite_choice("fmax", np.fmax, 1, "The larger of each pair of elements; a number wins over NaN.")
fmin = _finite_choice("fmin", np.fmin, -1, "The smaller of each pair of elements; a number wins over NaN.")

# ---------------------------------------------------------------------------------------------------------------------
# Largest and smallest


def _extreme_spec(x: Spec, *, dim: Dims, keepdim: bool) -> Spec:
    check_kind(x, "max_all", bools=True)
    return spec_of(reduced(x.shape, dim, keepdim), x.dtype)


def _extreme(name: str, node: str, kernel: Any) -> Any:
    def run(x: np.ndarray, *, dim: Dims, keepdim: bool) -> Any:
        return kernel(x, axis=dim, keepdims=keepdim)

    op = operation(name, _extreme_spec, run, node=node)
    return op.gradient(x=_extreme_gradient)


def _extreme_gradient(g: Tensor, x: Tensor, result: Tensor, x_spec: Spec, dim: Dims, keepdim: bool) -> Tensor:
    """The elements that are the extreme share the gradient evenly."""
    hit = x == spread(result, x_spec, dim, keepdim)
    count = hit.sum() if dim is None else hit.sum(dim, keepdim=True)
    return where(hit, spread(g, x_spec, dim, keepdim) / count, 0)


MAX = _extreme("max", "MaxBackward1", np.max)
MIN = _extreme("min", "MinBackward1", np.min)
AMAX = _extreme("amax", "AmaxBackward0", np.max)
AMIN = _extreme("amin", "AminBackward0", np.min)


def _arg_spec(x: Spec, *, dim: int | None, keepdim: bool) -> Spec:
    return spec_of(reduced(x.shape, None if dim is None else (dim,), keepdim), dtypes.int64)


def _arg(pick: Any) -> Any:
    def kernel(x: np.ndarray, *, dim: int | None, keepdim: bool) -> Any:
        return pick(x, axis=dim, keepdims=keepdim)

    return kernel


ARGMAX = operation("argmax", _arg_spec, _arg(np.argmax))
ARGMIN = operation("argmin", _arg_spec, _arg(np.argmin))


def _along_spec(x: Spec, *, dim: int, keepdim: bool) -> tuple[Spec, Spec]:
    shape = reduced(x.shape, (dim,) if x.ndim else None, keepdim)
    return spec_of(shape, x.dtype), spec_of(shape, dtypes.int64)


def _along(pick: Any) -> Any:
    def kernel(x: np.ndarray, *, dim: int, keepdim: bool) -> Any:
        if x.ndim == 0:
            return x.copy(), np.zeros((), "int64")
        at = pick(x, axis=dim, keepdims=True)
        values = np.take_along_axis(x, at, dim)
        return (values, at) if keepdim else (values.squeeze(dim), at.squeeze(dim))

    return kernel


def _picked_gradient(
    g: tuple[Tensor, Tensor], results: tuple[Tensor, Tensor], x_spec: Spec, dim: int, keepdim: bool
) -> Any:
    values, at = g[0], results[1]
    if x_spec.ndim == 0:
        return (values,)
    if not keepdim:
        values, at = values.unsqueeze(dim), at.unsqueeze(dim)
    from .creation import full_like_spec

    return (full_like_spec(spec_of(x_spec.shape, x_spec.dtype), 0).scatter(dim, at, values),)


MAX_ALONG = operation("max_dim", _along_spec, _along(np.argmax), node="MaxBackward0")
MAX_ALONG.gradient(_picked_gradient)
MIN_ALONG = operation("min_dim", _along_spec, _along(np.argmin), node="MinBackward0")
MIN_ALONG.gradient(_picked_gradient)

Max = result_type("max", ("values", "indices"))
Min = result_type("min", ("values", "indices"))


def _check_not_empty(t: Tensor, name: str, dim: int | None = None) -> None:
    spec = settle(t).spec
    if spec.numel == 0 and dim is None:
        kind = IndexError if name.startswith("arg") else RuntimeError
        raise kind(
            f"{name}(): Expected reduction dim to be specified for input.numel() == 0. Specify the reduction dim with "
            "the 'dim' argument."
        )
    if dim is not None and spec.ndim and spec.shape[dim] == 0:
        raise IndexError(f"{name}(): Expected reduction dim {dim} to have non-zero size.")


@public()
def max(input: Tensor, dim: Any = None, keepdim: bool = False, *, out: Any = None, axis: Any = None,  # noqa: A001
        other: Any = None) -> Any:  # fmt: skip
    """The largest element; along `dim`, the largest elements and their positions; with a tensor, `maximum`.

    >>> torch.tensor([[1., 5.], [7., 3.]]).max(dim=1).indices
    tensor([1, 0])
    """
    return _largest(input, _given(dim, axis, other), keepdim, out, (MAX, MAX_ALONG, Max, maximum, "max"))


@public()
def min(input: Tensor, dim: Any = None, keepdim: bool = False, *, out: Any = None, axis: Any = None,  # noqa: A001
        other: Any = None) -> Any:  # fmt: skip
    """The smallest element; along `dim`, the smallest elements and their positions; with a tensor, `minimum`."""
    return _largest(input, _given(dim, axis, other), keepdim, out, (MIN, MIN_ALONG, Min, minimum, "min"))


def _given(dim: Any, axis: Any, other: Any) -> Any:
    return dim if dim is not None else axis if axis is not None else other


def _largest(input: Tensor, dim: Any, keepdim: bool, out: Any, kind: Any) -> Any:
    whole, along, named, pairwise, name = kind
    if isinstance(dim, Tensor):
        found = pairwise(require_tensor(input, name), dim)
        return found if out is None else write_out(out, found, name)
    if dim is None:
        _check_not_empty(input, name)
        found = apply(whole, (input,), (None, False))
        return found if out is None else write_out(out, found, name)
    spec = settle(input).spec
    dim = normalize_dim(dim, spec.ndim)
    _check_not_empty(input, name, dim)
    if spec.dtype.is_complex:
        raise RuntimeError(f"{name}(): does not support complex input")
    found = named(apply(along, (input,), (dim, keepdim)))
    return written_out(found, out, name)


def _extreme_over(input: Tensor, op: Any, name: str, dim: Any, keepdim: bool) -> Tensor:
    dims = dims_of(dim, settle(input).spec.ndim)
    for d in dims or (None,):
        _check_not_empty(input, name, d)
    return apply(op, (input,), (dims, keepdim))


@public(out=True)
def amax(input: Tensor, dim: Any = None, keepdim: bool = False) -> Tensor:
    """The largest elements over `dim` (all dimensions by default); ties share the gradient."""
    return _extreme_over(input, AMAX, "amax", dim, keepdim)


@public(out=True)
def amin(input: Tensor, dim: Any = None, keepdim: bool = False) -> Tensor:
    """The smallest elements over `dim` (all dimensions by default); ties share the gradient."""
    return _extreme_over(input, AMIN, "amin", dim, keepdim)


AMINMAX = operation(
    "aminmax",
    lambda x, *, dim, keepdim: (_extreme_spec(x, dim=dim, keepdim=keepdim),) * 2,
    lambda x, *, dim, keepdim: (np.min(x, axis=dim, keepdims=keepdim), np.max(x, axis=dim, keepdims=keepdim)),
)


def _aminmax_gradient(g: Any, x: Tensor, results: Any, x_spec: Spec, dim: Dims, keepdim: bool) -> tuple[Tensor]:
    low, high = (_extreme_gradient(h, x, r, x_spec, dim, keepdim) for h, r in zip(g, results, strict=True))
    return (low + high,)


AMINMAX.gradient(_aminmax_gradient)
AMinMax = result_type("aminmax", ("min", "max"))


@public()
def aminmax(input: Tensor, *, dim: int | None = None, keepdim: bool = False, out: Any = None) -> Any:
    """The smallest and the largest element, over `dim` or of the whole tensor.

    >>> torch.tensor([3, 1, 2]).aminmax().max
    tensor(3)
    """
    spec = settle(input).spec
    if dim is None and not spec.numel:
        raise RuntimeError(
            "aminmax(): cannot compute aminmax over an empty dimension as the operation has no identity."
        )
    dims = dims_of(dim, spec.ndim)
    if dims and not spec.shape[dims[0]]:
        raise IndexError(f"aminmax: Expected reduction dim {dims[0]} to have non-zero size.")
    return written_out(AMinMax(apply(AMINMAX, (input,), (dims, bool(keepdim)))), out, "aminmax")


@public(out=True)
def argmax(input: Tensor, dim: int | None = None, keepdim: bool = False) -> Tensor:
    """Where the largest element is: its position in the flat tensor, or along `dim`.

    >>> torch.tensor([[1., 5.], [7., 3.]]).argmax(dim=1)
    tensor([1, 0])
    """
    return _position_of(input, ARGMAX, dim, keepdim, "argmax")


@public(out=True)
def argmin(input: Tensor, dim: int | None = None, keepdim: bool = False) -> Tensor:
    """Where the smallest element is: its position in the flat tensor, or along `dim`."""
    return _position_of(input, ARGMIN, dim, keepdim, "argmin")


def _position_of(input: Tensor, op: Any, dim: int | None, keepdim: bool, name: str) -> Tensor:
    spec = settle(input).spec
    n = spec.ndim
    _check_not_empty(input, name, None if dim is None else normalize_dim(dim, n))
    if spec.dtype.is_complex or spec.dtype is dtypes.bool_:
        raise RuntimeError(f"{name}(): does not support {'complex' if spec.dtype.is_complex else 'bool'} input")
    if dim is not None:
        dim = normalize_dim(dim, n) if n else None
    return apply(op, (input,), (dim, keepdim))


# ---------------------------------------------------------------------------------------------------------------------
# Questions about a whole tensor


def _truth(name: str, kernel: Any) -> Any:
    def infer(x: Spec, *, dim: Dims, keepdim: bool) -> Spec:
        kind = dtypes.uint8 if x.dtype is dtypes.uint8 else dtypes.bool_
        return spec_of(reduced(x.shape, dim, keepdim), kind)

    return operation(name, infer, lambda x, *, dim, keepdim: kernel(x, axis=dim, keepdims=keepdim))


ALL, ANY = _truth("all", np.all), _truth("any", np.any)
_both: Any = np.logical_and
_either: Any = np.logical_or
ALL.run = lambda x, *, dim, keepdim: _both.reduce(x, dim, None, None, keepdim)
ANY.run = lambda x, *, dim, keepdim: _either.reduce(x, dim, None, None, keepdim)


def _each_true(t: Tensor) -> Tensor:
    """Over no dimensions at all: whether each element is true."""
    found: Tensor = t.ne(0)
    return cast(found, dtypes.uint8) if t._value.spec.dtype is dtypes.uint8 else found


@public(out=True)
def all(input: Tensor, dim: Any = None, keepdim: bool = False, *, axis: Any = None) -> Tensor:  # noqa: A001
    """Whether every element is true (over `dim`).

    >>> torch.tensor([[True, False], [True, True]]).all(dim=1)
    tensor([False,  True])
    """
    dim = axis if dim is None else dim
    if dim.__class__ in (tuple, list) and not dim:
        return _each_true(input)
    return apply(ALL, (input,), (None if dim is None else dims_of(dim, settle(input).spec.ndim), bool(keepdim)))


@public(out=True)
def any(input: Tensor, dim: Any = None, keepdim: bool = False, *, axis: Any = None) -> Tensor:  # noqa: A001
    """Whether any element is true (over `dim`)."""
    dim = axis if dim is None else dim
    if dim.__class__ in (tuple, list) and not dim:
        return _each_true(input)
    return apply(ANY, (input,), (None if dim is None else dims_of(dim, settle(input).spec.ndim), bool(keepdim)))


ISCLOSE = operation(
    "isclose",
    comparison,
    lambda x, y, rtol, atol, *, equal_nan: np.isclose(x, y, rtol, atol, equal_nan=equal_nan),
    compute=lambda x, y, rtol, atol, *, equal_nan: None,
)


@public()
def isclose(input: Tensor, other: Tensor, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> Tensor:
    """Whether |input - other| <= atol + rtol * |other|, element by element."""
    x, y = settle(input).spec.dtype, settle(other).spec.dtype
    if x is not y:
        raise RuntimeError(f"{x.scalar_name} did not match {y.scalar_name}")
    for name, value in (("rtol", rtol), ("atol", atol)):
        if value < 0:
            raise RuntimeError(f"{name} must be greater than or equal to zero, but got {value:g}")
    return apply(ISCLOSE, (input, other, rtol, atol), (equal_nan,))


@public()
def allclose(input: Tensor, other: Tensor, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> bool:
    """Whether all elements are close (see `isclose`)."""
    return bool(all(isclose(input, other, rtol, atol, equal_nan)))


@public()
def equal(input: Tensor, other: Tensor) -> bool:
    """Whether the tensors have the same shape and the same elements."""
    if settle(input).spec.shape != settle(other).spec.shape:
        return False
    return bool(np.array_equal(realize(input), realize(other)))


COUNT_NONZERO = operation(
    "count_nonzero",
    lambda x, *, dim: spec_of(reduced(x.shape, dim, False), dtypes.int64),
    lambda x, *, dim: np.count_nonzero(x, axis=dim),
)


@public()
def count_nonzero(input: Tensor, dim: Any = None) -> Tensor:
    """How many elements are not zero, over `dim` or in the whole tensor; int64.

    >>> torch.tensor([0, 3, 4]).count_nonzero()
    tensor(2)
    """
    return apply(COUNT_NONZERO, (input,), (dims_of(dim, settle(input).spec.ndim),))
