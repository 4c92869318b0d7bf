"""Tensors from nothing or from another's shape, and the copy, cast and fill operations.

Constant tensors (`full`, `arange`, ...) are recorded without inputs other than run-time numbers, so that a memoised
stretch
may make them.  Sizes are accepted in all of PyTorch's forms by `size_of`.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable
from typing import Any

import numpy as np

from rushlight.core import device as devices
from rushlight.core import dtype as dtypes
from rushlight.core.bounded import Bounded
from rushlight.core.dtype import dtype as Dtype
from rushlight.core.dtype import get_default_dtype, given_dtype
from rushlight.core.layout import strided
from rushlight.core.number import number_in
from rushlight.core.strided import contiguous_strides, preserve_strides
from rushlight.record import trace
from rushlight.record.memory import FORGET, RELAYOUT, SCATTER, relayout
from rushlight.record.operation import operation
from rushlight.record.spec import Spec, spec_of
from rushlight.record.trace import apply, recorder, settle
from rushlight.record.value import Leaf, Tensor, tensor_holding

from . import public as surface
from .public import integer, public, require_tensor, write_out
from .rules import fresh

Size = tuple[int, ...]


ADDRESSES = 1 << 60  # no memory has so many elements


def size_of(args: tuple[Any, ...]) -> Size:
    """A size from `f(2, 3)`, `f((2, 3))` or `f(torch.Size([2, 3]))`."""
    if len(args) == 1 and isinstance(args[0], (tuple, list)):
        args = tuple(args[0])
    size = integers_of(args)
    for n in size:
        if n < 0:
            raise RuntimeError(f"Trying to create tensor with negative dimension {n}: {list(size)}")
        if n > ADDRESSES and 0 not in size:
            raise RuntimeError(f"Storage size calculation overflowed with sizes={list(size)}")
    return size


def integers_of(args: Iterable[Any], name: str = "size") -> Size:
    """The elements of a size as ints; raises TypeError for one that is none, such as a quotient."""
    found = []
    for n in args:
        try:
            found.append(int(n) if isinstance(n, Tensor) else n.__index__())
        except AttributeError:
            raise TypeError(
                f"argument '{name}' failed to unpack the object at pos {len(found) + 1} with error "
                f'"type must be tuple of ints,but got {type(n).__name__}"'
            ) from None
    return tuple(found)


def check_device(where: Any) -> None:
    """Raises PyTorch's error for a device that is not here."""
    found = devices.parse(where) if where is not None else devices.get_default_device()
    if found.type in ("cpu", "meta"):
        return
    if found.type == "cuda":
        raise AssertionError("Torch not compiled with CUDA enabled")
    if found.type == "mps":
        raise RuntimeError("PyTorch is not linked with support for mps devices")
    raise NotImplementedError(f"device {found}: Rushlight computes on the CPU")


def is_on_meta(where: Any) -> bool:
    """Whether a new tensor belongs on the device meta (`rushlight/meta.py`); raises as `check_device`."""
    found = devices.parse(where)
    if found is devices.cpu:
        return False
    check_device(found)
    return found is devices.meta


def on_meta(shape: Size, kind: Dtype, requires_grad: bool) -> Tensor:
    """A new tensor there."""
    from rushlight.meta import empty_on_meta

    return empty_on_meta(shape, kind, requires_grad)


def finish(t: Tensor, requires_grad: bool) -> Tensor:
    """Ends a factory function: off the tape, or a leaf of it."""
    t._node = None
    if requires_grad:
        make_leaf(t)
    if recorder().inference:
        trace.mark_inference(t)
    return t


def make_leaf(t: Tensor) -> None:
    """Makes the tensor require grad."""
    kind = t._value.spec.dtype
    if not (kind.is_floating_point or kind.is_complex):
        raise RuntimeError("Only Tensors of floating point and complex dtype can require gradients")
    t._node = Leaf(t)


# ---------------------------------------------------------------------------------------------------------------------
# Constants


def _full_spec(value: Spec, *, shape: Size, dtype: Dtype, strides: Size) -> Spec:
    if math.prod(shape) * dtype.itemsize >= 1 << 63:
        raise RuntimeError(f"Storage size calculation overflowed with sizes={list(shape)}")
    return spec_of(shape, dtype, strides)


FULL = operation(
    "full",
    _full_spec,
    lambda value, *, shape, dtype, strides: _full(value, shape, dtype),
)
# NumPy's own `full` cannot be run on the compiler's symbols: it never asks what kind of thing the number is.
FULL.lower = lambda value, *, shape, dtype, strides: np.broadcast_to(value.astype(dtype.numpy), shape)


def _full(value: Any, shape: Size, kind: Dtype) -> np.ndarray:
    if value.__class__ is int and value == 0:
        return np.zeros(shape, kind.numpy)
    whole = np.empty(shape, kind.numpy)
    whole.fill(_number_in(value, kind))
    return whole


def _number_in(value: Any, kind: Dtype) -> Any:
    """The number as an element of the dtype: wraps around as C does, where NumPy would refuse."""
    if kind.is_floating_point or kind.is_complex:
        return value
    return np.asarray(value).astype(kind.numpy)


def constant(shape: Size, value: Any, kind: Dtype, strides: Size | None = None) -> Tensor:
    """A tensor full of one number, recorded."""
    return apply(FULL, (value,), (shape, kind, strides or contiguous_strides(shape)))


def full_like_spec(spec: Spec, value: float) -> Tensor:
    """A constant with a Spec's shape and dtype."""
    return constant(spec.shape, value, spec.dtype)


def _factory(args: tuple[Any, ...], value: float, dtype: Any, device: Any, requires_grad: bool) -> Tensor:
    if is_on_meta(device):
        return on_meta(size_of(args), dtype or get_default_dtype(), requires_grad)
    return finish(constant(size_of(args), value, dtype or get_default_dtype()), requires_grad)


@public(method=False, out=True)
def zeros(*sizes: Any, size: Any = None, dtype: Any = None, layout: Any = None, device: Any = None,
          requires_grad: bool = False, pin_memory: bool = False, names: Any = None) -> Tensor:  # fmt: skip
    """A tensor of zeros with the given size (https://pytorch.org/docs/stable/generated/torch.zeros.html).

    >>> torch.zeros(2, 2)
    tensor([[0., 0.],
            [0., 0.]])
    """
    if layout is not None and layout is not strided:
        return _without_elements(size_of(_size_argument(sizes, size, names)), layout, dtype, requires_grad)
    return _factory(_size_argument(sizes, size, names), 0, dtype, device, requires_grad)


@public(method=False, out=True)
def ones(*sizes: Any, size: Any = None, dtype: Any = None, layout: Any = None, device: Any = None,
         requires_grad: bool = False, pin_memory: bool = False, names: Any = None) -> Tensor:  # fmt: skip
    """A tensor of ones with the given size.

    >>> torch.ones(3)
    tensor([1., 1., 1.])
    """
    if layout is not None and layout is not strided:
        raise NotImplementedError(f"ones(): of layout {layout}")
    return _factory(_size_argument(sizes, size, names), 1, dtype, device, requires_grad)


@public(method=False, out=True)
def empty(*sizes: Any, size: Any = None, dtype: Any = None, layout: Any = None, device: Any = None,
          requires_grad: bool = False, pin_memory: bool = False, memory_format: Any = None) -> Tensor:  # fmt: skip
    """A tensor of the given size whose numbers are not specified (here: zeros)."""
    if layout is not None and layout is not strided:
        return _without_elements(size_of(_size_argument(sizes, size, None)), layout, dtype, requires_grad)
    found = _factory(_size_argument(sizes, size, None), 0, dtype, device, requires_grad)
    if memory_format is None:
        return found
    return empty_like(found, memory_format=memory_format, requires_grad=requires_grad)


def _size_argument(sizes: tuple[Any, ...], size: Any, names: Any) -> tuple[Any, ...]:
    """The size of a new tensor, given as positional arguments or as `size=`."""
    if not sizes and size is None:
        name = sys._getframe(1).f_code.co_name
        raise TypeError(f'{name}() missing 1 required positional arguments: "size"')
    if names is not None:
        raise NotImplementedError("named tensors (names=) are not in Rushlight")
    return sizes if size is None else (size,)


def _without_elements(shape: tuple[int, ...], layout: Any, dtype: Any, requires_grad: bool) -> Tensor:
    from rushlight.sparse.construct import without_elements

    return without_elements(shape, layout, dtype, requires_grad)


def _dtype_of_number(value: Any) -> Dtype:
    if isinstance(value, Tensor):
        return value._value.spec.dtype
    if isinstance(value, bool):
        return dtypes.bool_
    if isinstance(value, (int, np.integer)):
        return dtypes.int64
    return get_default_dtype().to_complex() if isinstance(value, complex) else get_default_dtype()


@public(method=False, out=True)
def full(size: Any, fill_value: Any, *, dtype: Any = None, layout: Any = None, device: Any = None,
         requires_grad: bool = False, pin_memory: bool = False, names: Any = None) -> Tensor:  # fmt: skip
    """A tensor of the given size full of `fill_value`; its dtype is the value's unless given.

    >>> torch.full((2,), 3.5)
    tensor([3.5000, 3.5000])
    """
    there = is_on_meta(device)
    if not isinstance(fill_value, (int, float, complex, Tensor, np.generic)):
        raise TypeError(f"full(): argument 'fill_value' (position 2) must be Number, not {type(fill_value).__name__}")
    kind = dtype or _dtype_of_number(fill_value)
    if isinstance(fill_value, Tensor) and not there:
        fill_value = fill_value.item()
    if not isinstance(size, (tuple, list)):
        raise TypeError(f"full(): argument 'size' (position 1) must be tuple of ints, not {type(size).__name__}")
    if there:
        return on_meta(size_of((size,)), kind, requires_grad)
    return finish(constant(size_of((size,)), number_in(fill_value, kind), kind), requires_grad)


def _like(t: Any, value: Any, dtype: Any, device: Any, requires_grad: bool, memory_format: Any, name: str) -> Tensor:
    spec = settle(require_tensor(t, name)).spec
    if device is not None and is_on_meta(device):
        return on_meta(spec.shape, dtype or spec.dtype, requires_grad)
    if spec.__class__ is not Spec:
        if device is not None and spec.device is devices.meta:
            return finish(constant(spec.shape, value, dtype or spec.dtype, spec.strides), requires_grad)
        return finish(t.filled_like(value, dtype or spec.dtype), requires_grad)
    if memory_format is None:
        strides = preserve_strides(spec.shape, spec.strides)
    else:
        from .view import wanted_strides

        strides = wanted_strides(spec, memory_format)
    return finish(constant(spec.shape, value, dtype or spec.dtype, strides), requires_grad)


@public(method=False)
def zeros_like(input: Tensor, *, dtype: Any = None, layout: Any = None, device: Any = None,
               requires_grad: bool = False, memory_format: Any = None, pin_memory: bool = False) -> Tensor:  # fmt: skip
    """Zeros with the shape and dtype of `input`."""
    return _like(input, 0, dtype, device, requires_grad, memory_format, "zeros_like")


@public(method=False)
def ones_like(input: Tensor, *, dtype: Any = None, layout: Any = None, device: Any = None,
              requires_grad: bool = False, memory_format: Any = None, pin_memory: bool = False) -> Tensor:  # fmt: skip
    """Ones with the shape and dtype of `input`."""
    return _like(input, 1, dtype, device, requires_grad, memory_format, "ones_like")


@public(method=False)
def empty_like(input: Tensor, *, dtype: Any = None, layout: Any = None, device: Any = None,
               requires_grad: bool = False, memory_format: Any = None, pin_memory: bool = False) -> Tensor:  # fmt: skip
    """A tensor with the shape and dtype of `input` whose numbers are not specified (here: zeros)."""
    return _like(input, 0, dtype, device, requires_grad, memory_format, "empty_like")


@public(method=False)
def full_like(input: Tensor, fill_value: Any, *, dtype: Any = None, layout: Any = None, device: Any = None,
              requires_grad: bool = False, memory_format: Any = None, pin_memory: bool = False) -> Tensor:  # fmt: skip
    """`fill_value` everywhere, with the shape and dtype of `input`."""
    kind = dtype or settle(require_tensor(input, "full_like")).spec.dtype
    value = fill_value.item() if isinstance(fill_value, Tensor) else fill_value
    return _like(input, number_in(value, kind), dtype, device, requires_grad, memory_format, "full_like")


def _arange(start: Any, end: Any, step: Any, *, count: int, dtype: Dtype) -> np.ndarray:
    if dtype.is_floating_point:
        steps = np.arange(count, dtype="float64")
        return (start + step * steps).astype(dtype.numpy)
    start, step = int(start), int(step)
    if step == 1:
        return np.arange(start, start + count, dtype="int64").astype(dtype.numpy, copy=False)
    return (start + step * np.arange(count, dtype="int64")).astype(dtype.numpy)


def _arange_by_parts(start: Any, end: Any, step: Any, *, count: int, dtype: Dtype) -> Any:
    real = np.dtype("float64" if dtype.is_floating_point else "int64")
    return (start.astype(real) + step.astype(real) * start.counted(count).astype(real)).astype(dtype.numpy)


ARANGE = operation("arange", lambda start, end, step, *, count, dtype: spec_of((count,), dtype), _arange)
ARANGE.lower = _arange_by_parts


@public(method=False)
def arange(*args: Any, start: Any = None, end: Any = None, step: Any = None, out: Any = None, dtype: Any = None,
           layout: Any = None, device: Any = None, requires_grad: bool = False,
           pin_memory: bool = False) -> Tensor:  # fmt: skip
    """Numbers from `start` (0) up to, not including, `end`, `step` (1) apart; integers unless one argument is a float.

    Raises RuntimeError for a step of 0, one that leads away from `end`, and ends that are not finite.

    >>> torch.arange(1, 4)
    tensor([1, 2, 3])
    """
    first, last, by = _bounds(args, start, end, step)
    whole = isinstance(first, int) and isinstance(last, int) and isinstance(by, int)
    given = dtype if out is None else settle(out).spec.dtype
    kind = given or (dtypes.int64 if whole else get_default_dtype())
    if not whole or kind is not dtypes.int64:
        first, last, by = _countable(first, last, by, kind)
    count = _count(first, last, by)
    if is_on_meta(device):
        return on_meta((count,), kind, requires_grad)
    made = finish(apply(ARANGE, (first, last, by), (count, kind)), requires_grad)
    return made if out is None else write_out(out, made, "arange")


def _bounds(args: tuple[Any, ...], start: Any, end: Any, step: Any) -> tuple[Any, Any, Any]:
    """Start, end and step of `arange(end)`, `arange(start, end)` and `arange(start, end, step)`."""
    if len(args) == 1:
        start, end = (start, args[0]) if end is None else (args[0], end)
    elif args:
        start, end, step = (*args, step)[:3]
    if end is None or len(args) > 3:
        given = ", ".join(type(x).__name__ for x in args)
        raise TypeError(
            f"arange() received an invalid combination of arguments - got ({given}), but expected (Number end) or "
            "(Number start, Number end, Number step = 1)"
        )
    start, step = 0 if start is None else start, 1 if step is None else step
    if start.__class__ is int and end.__class__ is int and step.__class__ is int:
        return start, end, step
    return _number(start, "start"), _number(end, "end"), _number(step, "step")


def _number(value: Any, argument: str) -> Any:
    """A number that `arange` takes, tensors of no dimensions among them; PyTorch's TypeError for anything else."""
    if isinstance(value, Tensor) and not value.dim():
        value = value.item()
    if isinstance(value, complex):
        return value.real
    if isinstance(value, (int, float)):
        return value
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"arange(): argument '{argument}' must be Number, not {type(value).__name__}")


def _countable(start: Any, end: Any, step: Any, kind: Dtype) -> tuple[Any, Any, Any]:
    """The bounds as PyTorch counts with them: int64 cuts them to whole numbers first. Raises its errors."""
    if kind is dtypes.bool_ or kind.is_complex:
        raise NotImplementedError(f"\"arange_cpu\" not implemented for '{kind.scalar_name}'")
    if step == 0 or step != step:
        raise RuntimeError("step must be nonzero")
    if not (math.isfinite(start) and math.isfinite(end)):
        raise RuntimeError(f"unsupported range: {start} -> {end}")
    if kind is not dtypes.int64:
        return start, end, step
    if not int(step):
        raise ValueError("step must be nonzero")
    return number_in(start, kind), number_in(end, kind), number_in(step, kind)


def _count(start: Any, end: Any, step: Any) -> int:
    """How many numbers there are from `start` up to, not including, `end`."""
    if step == 0:
        raise RuntimeError("step must be nonzero")
    if (end - start) * step < 0:
        raise RuntimeError("upper bound and lower bound inconsistent with step sign")
    count = -((start - end) // step) if (end - start).__class__ is int else math.ceil((end - start) / step)
    if count >= 1 << 63:
        raise RuntimeError("invalid size, possible overflow?")
    return int(count)


def _linspace(start: Any, end: Any, *, count: int, dtype: Dtype) -> np.ndarray:
    """PyTorch counts from the nearer end, in the result's precision."""
    whole = not (dtype.is_floating_point or dtype.is_complex)
    real = dtype.numpy if dtype.is_floating_point or dtype.is_complex else np.dtype("float64")
    first, last = (real.type(int(x) if whole else x) for x in (start, end))
    step = (last - first) / real.type(max(count - 1, 1))
    if dtype.numpy == np.float32:  # one rounding for product and sum: in double precision the product is exact
        first, last, step = np.float64(first), np.float64(last), np.float64(step)
    i, half, found = np.arange(count).astype(step.dtype), count // 2, np.empty(count, dtype.numpy)
    if count < 2:
        found[:] = first
        return found
    found[:half] = first + step * i[:half]
    found[half:] = last - step * i[: count - half][::-1]
    return found


LINSPACE = operation("linspace", lambda start, end, *, count, dtype: spec_of((count,), dtype), _linspace)


@public(method=False, out=True)
def linspace(start: Any, end: Any, steps: int, *, dtype: Any = None, layout: Any = None, device: Any = None,
             requires_grad: bool = False, pin_memory: bool = False) -> Tensor:  # fmt: skip
    """`steps` numbers from `start` to `end`, both included, evenly apart.

    >>> torch.linspace(0, 1, 3)
    tensor([0.0000, 0.5000, 1.0000])
    """
    steps = _steps(steps, "linspace")
    start, end = _ends(start, end, "linspace")
    kind = dtype or get_default_dtype()
    if dtype is None and (isinstance(start, complex) or isinstance(end, complex)):
        kind = kind.to_complex()
    if is_on_meta(device):
        return on_meta((steps,), kind, requires_grad)
    return finish(apply(LINSPACE, (start, end), (steps, kind)), requires_grad)


def _ends(start: Any, end: Any, name: str) -> tuple[Any, Any]:
    """Both ends as numbers; tensors must have no dimensions."""
    counts = [x.dim() if isinstance(x, Tensor) else 0 for x in (start, end)]
    if any(counts):
        raise RuntimeError(
            f"{name} only supports 0-dimensional start and end tensors, but got start with {counts[0]} dimension(s) "
            f"and end with {counts[1]} dimension(s)."
        )
    first, last = (x.item() if isinstance(x, Tensor) else x for x in (start, end))
    return first, last


def _steps(steps: Any, name: str) -> int:
    count = int(steps) if isinstance(steps, Tensor) else integer(steps, name, "steps", 3)
    if count < 0:
        raise RuntimeError("number of steps must be non-negative")
    return count


def _logspace(start: Any, end: Any, *, count: int, base: float, dtype: Dtype) -> np.ndarray:
    exponents = _linspace(start, end, count=count, dtype=dtypes.float64)
    return np.power(float(base), exponents).astype(dtype.numpy)


LOGSPACE = operation("logspace", lambda start, end, *, count, base, dtype: spec_of((count,), dtype), _logspace)


@public(method=False, out=True)
def logspace(start: Any, end: Any, steps: int, base: float = 10.0, *, dtype: Any = None, layout: Any = None,
             device: Any = None, requires_grad: bool = False, pin_memory: bool = False) -> Tensor:  # fmt: skip
    """`steps` numbers from `base ** start` to `base ** end`, evenly apart on a logarithmic scale."""
    steps = _steps(steps, "logspace")
    start, end = (x.item() if isinstance(x, Tensor) else x for x in (start, end))
    if is_on_meta(device):
        return on_meta((steps,), dtype or get_default_dtype(), requires_grad)
    return finish(apply(LOGSPACE, (start, end), (steps, base, dtype or get_default_dtype())), requires_grad)


EYE = operation(
    "eye",
    lambda *, rows, columns, dtype: spec_of((rows, columns), dtype),
    lambda *, rows, columns, dtype: np.eye(rows, columns).astype(dtype.numpy),
)


def _eye_symbols(*, rows: int, columns: int, dtype: Any) -> Any:
    from rushlight.codegen.assembly import iota

    shape = rows, columns
    return np.where(iota(shape, 0) == iota(shape, 1), dtype.numpy.type(1), dtype.numpy.type(0))  # type: ignore[call-overload]


EYE.lower = _eye_symbols


@public(method=False, out=True)
def eye(n: int, m: int | None = None, *, dtype: Any = None, layout: Any = None, device: Any = None,
        requires_grad: bool = False, pin_memory: bool = False) -> Tensor:  # fmt: skip
    """The identity matrix, n x m.

    >>> torch.eye(2)
    tensor([[1., 0.],
            [0., 1.]])
    """
    for name, count in (("n", n), ("m", m)):
        if count is not None and integer(count, "eye", name, 1 if name == "n" else 2) < 0:
            raise RuntimeError(f"{name} must be greater or equal to 0, got {count}")
    m = n if m is None else m
    if is_on_meta(device):
        return on_meta((n, m), dtype or get_default_dtype(), requires_grad)
    return finish(apply(EYE, (), (n, m, dtype or get_default_dtype())), requires_grad)


# ---------------------------------------------------------------------------------------------------------------------
# Copies and casts


def _complex_to_real(x: np.ndarray, kind: Dtype) -> np.ndarray:
    return x.real if np.iscomplexobj(x) and not kind.is_complex and kind is not dtypes.bool_ else x


CAST = operation(
    "cast",
    lambda x, *, dtype: spec_of(x.shape, dtype, fresh(x).strides, x.wrapped and dtype.itemsize == 8),
    lambda x, *, dtype: np.asarray(_complex_to_real(x, dtype)).astype(dtype.numpy),
    node="ToCopyBackward0",
    exact=True,
    aliases=False,
)
CAST.lower = lambda x, *, dtype: x.astype(dtype.numpy)
CAST.gradient(x=lambda g, x_spec: cast(g, x_spec.dtype))


def cast(t: Tensor, dtype: Dtype) -> Tensor:
    """The tensor in another dtype: itself if it has it already."""
    if t._value.spec.dtype is dtype:
        return t
    return apply(CAST, (t,), (dtype if dtype.__class__ is Dtype else given_dtype(dtype, "to"),))


surface.cast = cast

CLONE = operation("clone", fresh, lambda x: np.array(x, order="K", copy=True), exact=True, aliases=False)
CLONE.gradient(x=lambda g: g)
CLONE.lower = lambda x: x.copy()


@public()
def clone(input: Tensor, *, memory_format: Any = None) -> Tensor:
    """A copy with its own memory; gradients pass through it to `input`.

    >>> x = torch.tensor([1., 2.])
    >>> x.clone().add_(1), x
    (tensor([2., 3.]), tensor([1., 2.]))
    """
    if memory_format is not None and memory_format.name != "preserve_format":
        from .view import wanted_strides

        return apply(RELAYOUT, (input,), (wanted_strides(settle(input).spec, memory_format),))
    return apply(CLONE, (input,))


def wrap(array: np.ndarray) -> Tensor:
    """A tensor around an array that nobody else will touch: no copy, no sharing."""
    return tensor_holding(array, spec_of_array(array))


_specs_of_arrays: Bounded[tuple[Any, ...], Spec] = Bounded()


def spec_of_array(array: np.ndarray) -> Spec:
    """The Spec of a NumPy array."""
    key = (array.shape, array.dtype, array.strides)
    found = _specs_of_arrays.get(key)
    if found is None:
        size = array.itemsize
        strides = tuple(s // size for s in array.strides)
        if array.flags.c_contiguous:
            strides = contiguous_strides(array.shape)
        found = _specs_of_arrays[key] = spec_of(array.shape, dtypes.from_numpy(array.dtype), strides)
    return found


COPY = operation(
    "copy_from",
    lambda x, source: _copy_spec(x, source),
    lambda x, source: np.broadcast_to(_complex_to_real_like(source, x), x.shape).astype(x.dtype),
    node="CopyBackwards",
    exact=True,
    aliases=False,
)
COPY.gradient(x=lambda x_spec: full_like_spec(x_spec, 0), source=lambda g: g)  # not g * 0: NaN where g is infinite


def _zero_where_written(
    g: Tensor, x_spec: Spec, new_spec: Spec, offset: Any, shape: Any, strides: Any, kind: Dtype
) -> Tensor:
    """What arrives at a tensor before a part of it was written: nothing there."""
    zeros = constant(shape, 0, new_spec.dtype)  # recorded: a pass that met an array of its own could not be replayed
    return apply(SCATTER, (relayout(g, x_spec.strides), zeros, offset), (shape, strides, kind, x_spec.strides))


SCATTER.gradient(x=_zero_where_written)
FORGET.gradient(x=lambda g: full_like_spec(g._value.spec, 0))


FILL = operation("fill", COPY.infer, COPY.kernel, node="FillBackward2", exact=True, aliases=False)
FILL.gradient(**COPY.rules)
FILL_TENSOR = operation("fill_tensor", COPY.infer, COPY.kernel, node="FillBackward3", exact=True, aliases=False)
FILL_TENSOR.gradient(**COPY.rules)
FILLED = operation("filled", COPY.infer, COPY.kernel, node="FillBackward0", exact=True, aliases=False)
FILLED.gradient(**COPY.rules)
FILLED_TENSOR = operation("filled_tensor", COPY.infer, COPY.kernel, node="FillBackward1", exact=True, aliases=False)
FILLED_TENSOR.gradient(**COPY.rules)
ZERO = operation("zero", COPY.infer, COPY.kernel, node="ZeroBackward0", exact=True, aliases=False)
ZERO.gradient(**COPY.rules)


def _complex_to_real_like(source: Any, x: np.ndarray) -> Any:
    return source.real if np.iscomplexobj(source) and not np.iscomplexobj(x) else source


def _copy_spec(x: Spec, source: Spec) -> Spec:
    if source.shape != x.shape and (
        source.ndim > x.ndim
        or any(s not in (1, n) for s, n in zip(reversed(source.shape), reversed(x.shape), strict=False))
    ):
        dim = max(x.ndim, source.ndim) - 1
        raise RuntimeError(
            f"The size of tensor a ({x.shape[-1] if x.shape else 1}) must match the size of tensor b "
            f"({source.shape[-1] if source.shape else 1}) at non-singleton dimension {dim}"
            if source.ndim <= x.ndim
            else f"output with shape {list(x.shape)} doesn't match the broadcast shape {list(source.shape)}"
        )
    return x


def copied(x: Tensor, source: Any, op: Any = COPY) -> Tensor:
    """What `x.copy_(source)` (or `fill_`, `zero_`) puts into x."""
    return apply(op, (x, source))
