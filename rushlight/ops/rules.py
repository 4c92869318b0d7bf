"""Shape and dtype rules that many operations share: Specs in, Spec out.

A rule made with `computing` also says in which dtype the kernel computes; the interpreter casts the operands to it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from rushlight.core import dtype as dtypes
from rushlight.core.dtype import dtype, get_default_dtype, result_type_of
from rushlight.core.strided import (
    broadcast_shapes,
    channels_last_strides,
    elementwise_strides,
    has_channels_last_strides,
)
from rushlight.record.operation import computing
from rushlight.record.spec import Spec, spec_of


def dtype_of(x: Any) -> np.dtype:
    """The dtype of an array or number; also of a symbol of the compiler, which `numpy.asarray` would refuse."""
    return x.dtype if hasattr(x, "dtype") else np.asarray(x).dtype


def promoted(*specs: Spec | None, **_: Any) -> dtype:
    """The dtype that PyTorch's type promotion gives the operands."""
    return result_type_of([(s.dtype, s.ndim, s.wrapped) for s in specs if s is not None])


def promoted_float(*specs: Spec | None, **_: Any) -> dtype:
    """Type promotion for functions with fractional results: integers become the default dtype."""
    found = promoted(*specs)
    return found if found.is_floating_point or found.is_complex else get_default_dtype()


def broadcast(specs: tuple[Spec | None, ...], kind: dtype) -> Spec:
    """The result of a pointwise operation: broadcast shape, strides after the operands'."""
    known = [s for s in specs if s is not None]
    if all(s.wrapped for s in known):
        return spec_of((), kind, wrapped=True)
    shape = broadcast_shapes(*[s.shape for s in known])
    return spec_of(shape, kind, elementwise_strides([(s.shape, s.strides) for s in known], shape))


def check_kind(spec: Spec, kernel: str, *, bools: bool = False, complexes: bool = False) -> None:
    """Raises PyTorch's error for bools and complex numbers, as far as a kernel does not take them."""
    if (spec.dtype.is_complex and not complexes) or (spec.dtype is dtypes.bool_ and not bools):
        raise NotImplementedError(f"\"{kernel}\" not implemented for '{spec.dtype.scalar_name}'")


def _number_kind(specs: tuple[Spec | None, ...], kind: dtype) -> dtype:
    """Arithmetic among Python numbers alone stays in Python's precision."""
    if all(s is None or s.wrapped for s in specs) and kind.is_floating_point:
        return dtypes.float64
    return kind


@computing(lambda *specs, **kw: _number_kind(specs, promoted(*specs)))
def pointwise(*specs: Spec | None, **_: Any) -> Spec:
    """Broadcast and promote."""
    return broadcast(specs, _number_kind(specs, promoted(*specs)))


@computing(lambda *specs, **kw: _number_kind(specs, promoted_float(*specs)))
def pointwise_float(*specs: Spec | None, **_: Any) -> Spec:
    """Broadcast and promote; integers become floats."""
    return broadcast(specs, _number_kind(specs, promoted_float(*specs)))


@computing(promoted)
def comparison(*specs: Spec | None, **_: Any) -> Spec:
    """Broadcast; the answer is bool."""
    return broadcast(specs, dtypes.bool_)


@computing(lambda *specs, **kw: None)
def predicate(x: Spec, **_: Any) -> Spec:
    """A question about each element: same shape, bool."""
    return spec_of(x.shape, dtypes.bool_, broadcast((x,), dtypes.bool_).strides)


def fresh(x: Spec, **_: Any) -> Spec:
    """A new tensor like the operand: dense, in the operand's order of dimensions."""
    return broadcast((x,), x.dtype)


def in_format_of(*sources: Spec, shape: tuple[int, ...], dtype: dtype | None = None) -> Spec:
    """A new tensor of another shape: in the memory format channels_last if a source is in it, else row-major.

    So convolutions, pooling and normalization keep the format of their input.
    """
    kind = dtype or sources[0].dtype
    if len(shape) < 4 or not any(
        s.ndim == len(shape) and has_channels_last_strides(s.shape, s.strides) for s in sources
    ):
        return spec_of(shape, kind)
    return spec_of(shape, kind, channels_last_strides(shape))


def row_major(x: Spec, **_: Any) -> Spec:
    """A new row-major tensor with the operand's shape and dtype."""
    return spec_of(x.shape, x.dtype)


def only(kinds: str, label: str, infer: Callable[..., Any]) -> Callable[..., Any]:
    """The shape rule for some dtypes alone: bools (b), whole numbers (i), floats (f), complex numbers (c).

    `label` is the name under which PyTorch's error for the others speaks of the function.
    """
    names = "bifc"

    def checked(*specs: Spec | None, **attributes: Any) -> Any:
        kind = promoted(*specs)
        if names[kind.category] not in kinds:
            raise NotImplementedError(f"\"{label}\" not implemented for '{kind.scalar_name}'")
        return infer(*specs, **attributes)

    compute = getattr(infer, "compute", None)
    return computing(compute)(checked) if compute else checked


def real(refusal: str, infer: Callable[..., Any]) -> Callable[..., Any]:
    """The shape rule for all but complex numbers, for which PyTorch raises a RuntimeError with these words."""

    def checked(*specs: Spec | None, **attributes: Any) -> Any:
        if promoted(*specs).is_complex:
            raise RuntimeError(refusal)
        return infer(*specs, **attributes)

    compute = getattr(infer, "compute", None)
    return computing(compute)(checked) if compute else checked
