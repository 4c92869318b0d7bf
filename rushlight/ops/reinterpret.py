"""Views spelled as attributes (`T`, `mT`, `H`, `mH`, `real`, `imag`), complex memory as real, and copies of views.

`view_as_real` and `view_as_complex` read the same bytes as another dtype; everything else here is made of other views.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from rushlight.core import dtype as dtypes
from rushlight.core import strided
from rushlight.record.memory import look, memory_of, placement, share
from rushlight.record.operation import Operation, operation
from rushlight.record.spec import Spec, spec_of
from rushlight.record.trace import apply, recorder, settle
from rushlight.record.value import Tensor, tensor_of, value_holding

from . import splitting
from . import view as views
from .creation import cast, size_of
from .joining import stack
from .public import FUNCTIONS, attach, public
from .reduction import sum_to_spec
from .view import PERMUTE, SELECT, link, look_at

# ---------------------------------------------------------------------------------------------------------------------
# Complex numbers as pairs of real ones


def _real_spec(x: Spec) -> Spec:
    shape, strides, _ = strided.view_as_real(x.shape, x.strides, 0)
    return spec_of(shape, x.dtype.to_real(), strides)


def _real(x: np.ndarray) -> np.ndarray:
    return x[..., None].view(x.real.dtype)


def _complex_spec(x: Spec) -> Spec:
    shape, strides, _ = strided.view_as_complex(x.shape, x.strides, 0)
    return spec_of(shape, x.dtype.to_complex(), strides)


def _complex(x: np.ndarray) -> np.ndarray:
    if x.strides[-1] != x.itemsize:
        x = np.ascontiguousarray(x)
    return x.view(np.result_type(x.dtype, np.complex64))[..., 0]


AS_REAL = operation("view_as_real", _real_spec, _real, view=True)
AS_REAL.lower = lambda x: x.in_order()
AS_REAL.gradient(x=lambda g: view_as_complex(views.contiguous(g)))
AS_COMPLEX = operation("view_as_complex", _complex_spec, _complex, view=True)
AS_COMPLEX.lower = lambda x: x.as_complex()
AS_COMPLEX.gradient(x=lambda g: view_as_real(g))


def _reread(t: Tensor, op: Operation, spec: Spec, offset: int) -> Tensor:
    """The view of the same bytes that `op` makes; `offset` is where it starts, in elements of its own dtype."""
    v = settle(t)
    me = recorder()
    if v.buf is not None and not me.hold and (t._node is None or not me.tracking):
        array = look(memory_of(v.buf, v.spec.strides), (spec.shape, spec.strides, 0, spec.dtype))
        result = tensor_of(value_holding(array, spec))
    else:
        result = apply(op, (t,))
    share(t, (spec.shape, spec.strides, offset, spec.dtype), result)
    link(t, result)
    return result


@public(method=False)
def view_as_real(input: Tensor) -> Tensor:
    """A view of a complex tensor as real numbers: a new last dimension (real part, imaginary part).

    >>> torch.view_as_real(torch.tensor([1 + 2j]))
    tensor([[1., 2.]])
    """
    spec = settle(input).spec
    if not spec.dtype.is_complex:
        raise RuntimeError("view_as_real is only supported for complex tensors")
    return _reread(input, AS_REAL, _real_spec(spec), 2 * placement(input)[2])


@public(method=False)
def view_as_complex(input: Tensor) -> Tensor:
    """A view of a real tensor, whose last dimension is (real part, imaginary part), as a complex one."""
    spec = settle(input).spec
    if spec.dtype.name not in ("float16", "float32", "float64"):
        raise RuntimeError(
            "view_as_complex is only supported for half, float and double tensors, but got a tensor of scalar type: "
            f"{spec.dtype.scalar_name}"
        )
    start = placement(input)[2]
    strided.view_as_complex(spec.shape, spec.strides, start)
    return _reread(input, AS_COMPLEX, _complex_spec(spec), start // 2)


def _part_of_pairs(t: Tensor, which: int) -> Tensor:
    pairs = view_as_real(t)
    shape = pairs._value.spec.shape
    return look_at(pairs, SELECT, ((*[(0, n, 1) for n in shape[:-1]], which),))


@public(method=False)
def real(input: Tensor) -> Tensor:
    """A view of the real parts; a real tensor itself.

    >>> torch.real(torch.tensor([1 + 2j]))
    tensor([1.])
    """
    return _part_of_pairs(input, 0) if settle(input).spec.dtype.is_complex else input


@public(method=False)
def imag(input: Tensor) -> Tensor:
    """A view of the imaginary parts of a complex tensor."""
    if not settle(input).spec.dtype.is_complex:
        raise RuntimeError("imag is not implemented for tensors with non-complex dtypes.")
    return _part_of_pairs(input, 1)


def _set_real(self: Tensor, value: Any) -> None:
    real(self).copy_(value)


def _set_imag(self: Tensor, value: Any) -> None:
    imag(self).copy_(value)


# ---------------------------------------------------------------------------------------------------------------------
# Transposes as attributes


def _reversed_dims(self: Tensor) -> Tensor:
    """All dimensions in reverse order."""
    n = settle(self).spec.ndim
    if n not in (0, 2):
        warnings.warn(
            "The use of `x.T` on tensors of dimension other than 2 to reverse their shape is deprecated and it will "
            "throw an error in a future release. Consider `x.mT` to transpose batches of matrices or "
            "`x.permute(*torch.arange(x.ndim - 1, -1, -1))` to reverse the dimensions of a tensor.",
            UserWarning,
            stacklevel=2,
        )
    return look_at(self, PERMUTE, (tuple(range(n - 1, -1, -1)),))


def _check_matrices(t: Tensor, name: str) -> None:
    n = settle(t).spec.ndim
    if n == 1:
        raise RuntimeError(f"tensor.{name} is only supported on matrices or batches of matrices. Got {n}-D tensor.")


def _transposed_matrices(self: Tensor) -> Tensor:
    """The last two dimensions exchanged."""
    _check_matrices(self, "mT")
    return views.transpose(self, -2, -1) if self.dim() else self


def _adjoint_matrices(self: Tensor) -> Tensor:
    """The last two dimensions exchanged, conjugated."""
    _check_matrices(self, "mH")
    return views.transpose(self, -2, -1).conj() if self.dim() else self.conj()


def _adjoint_matrix(self: Tensor) -> Tensor:
    """The conjugate transpose of a matrix."""
    n = settle(self).spec.ndim
    if n not in (0, 2):
        more = ". For batches of matrices, consider using tensor.mH" if n > 2 else "."
        raise RuntimeError(f"tensor.H is only supported on matrices (2-D tensors). Got {n}-D tensor{more}")
    return views.transpose(self, 0, 1).conj() if n else self.conj()


for _name, _get, _set in (
    ("T", _reversed_dims, None),
    ("mT", _transposed_matrices, None),
    ("mH", _adjoint_matrices, None),
    ("H", _adjoint_matrix, None),
    ("real", real, _set_real),
    ("imag", imag, _set_imag),
):
    attach(_name, property(_get, _set))

# ---------------------------------------------------------------------------------------------------------------------
# sum_to_size


@public(function=False)
def sum_to_size(input: Tensor, *sizes: Any, size: Any = None) -> Tensor:
    """The sum over dimensions that broadcasting `size` to the tensor's shape would repeat."""
    shape = size_of(sizes if size is None else (size,))
    spec = settle(input).spec
    whole = not (spec.dtype.is_floating_point or spec.dtype.is_complex)
    if whole and (not shape or tuple(shape) != spec.shape):  # summed, as whole numbers are
        input = cast(input, dtypes.int64)
    found = sum_to_spec(input, spec_of(tuple(shape), input._value.spec.dtype))
    if found is None:
        raise RuntimeError(f"size {{{list(shape)}}} is not expandable to size {{{list(spec.shape)}}}.")
    return found


# ---------------------------------------------------------------------------------------------------------------------
# Copies of views


def _copy_of(name: str, view: Callable[..., Any], node: str) -> None:
    op = operation(
        f"{name}_copy",
        lambda x: spec_of(x.shape, x.dtype),
        lambda x: np.array(x, order="C", copy=True),
        node=node,
        exact=True,
        aliases=False,
    )
    op.gradient(x=lambda g: g)
    op.lower = lambda x: x.copy()

    def copied(input: Tensor, *args: Any, **kwargs: Any) -> Any:
        found = view(input, *args, **kwargs)
        return tuple(apply(op, (t,)) for t in found) if isinstance(found, tuple) else apply(op, (found,))

    copied.__name__ = copied.__qualname__ = f"{name}_copy"
    copied.__doc__ = f"`{name}`, but a copy instead of a view."
    public(method=False, out=True)(copied)


def _slice(input: Tensor, dim: int = 0, start: int | None = None, end: int | None = None, step: int = 1) -> Tensor:
    return views.slice_along(input, dim, start, end, step)


def _itself(input: Tensor) -> Tensor:
    return input


def _detached(input: Tensor) -> Tensor:
    return input.detach()


_VIEWS: dict[str, Callable[..., Any]] = {
    "alias": _itself,
    "as_strided": views.as_strided,
    "detach": _detached,
    "expand": views.expand,
    "permute": views.permute,
    "select": views.select,
    "slice": _slice,
    "split": splitting.split,
    "split_with_sizes": splitting.split_with_sizes,
    "squeeze": views.squeeze,
    "t": views.t,
    "transpose": views.transpose,
    "unbind": splitting.unbind,
    "unfold": views.unfold,
    "unsqueeze": views.unsqueeze,
    "view": views.view,
    "view_as_real": view_as_real,
    "view_as_complex": view_as_complex,
}
for _name, _function in _VIEWS.items():
    _camel = "".join(part.capitalize() for part in _name.split("_"))
    _copy_of(_name, _function, f"{_camel}Backward0_copy")
_copy_of("narrow", views.narrow, "NarrowCopyBackward0")
attach("narrow_copy", FUNCTIONS["narrow_copy"])


# ---------------------------------------------------------------------------------------------------------------------
# Positions in the flat tensor as positions in each dimension


def _sizes_of(shape: Any) -> tuple[int, ...]:
    if isinstance(shape, int):
        return (shape,)
    if not isinstance(shape, Sequence):
        raise TypeError(f"expected 'shape' to be int or sequence of ints, but got {type(shape)}")
    for n in shape:
        if not isinstance(n, int):
            raise TypeError(f"expected 'shape' sequence to only contain ints, but got {type(n)}")
    return tuple(shape)


@public(method=False)
def unravel_index(indices: Tensor, shape: Any) -> tuple[Tensor, ...]:
    """The positions, one tensor a dimension, that flat positions in a tensor of this shape mean.

    >>> torch.unravel_index(torch.tensor(5), (2, 3))
    (tensor(1), tensor(2))
    """
    kind = settle(indices).spec.dtype
    if kind.is_floating_point or kind.is_complex or kind.name == "bool":
        raise TypeError(f"expected 'indices' to be integer dtype, but got {kind}")
    sizes = _sizes_of(shape)
    if any(n < 0 for n in sizes):
        raise ValueError(f"'shape' cannot have negative values, but got {tuple(sizes)}")
    indices, step, found = cast(indices, dtypes.int64), 1, []
    for n in reversed(sizes):
        found.append(indices.floor_divide(step).remainder(n) if step > 1 else indices.remainder(n))
        step *= n
    return stack(found[::-1], -1).unbind(-1) if found else ()
