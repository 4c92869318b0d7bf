"""Complex numbers: making them of two real tensors, conjugates and angles.

A conjugate is computed, never a mark on a view, so `resolve_conj` has nothing to do. Derivatives follow PyTorch's
convention: the gradient of a real loss is d/da + i d/db
(https://pytorch.org/docs/stable/notes/autograd.html#autograd-for-complex-numbers).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from rushlight.core import dtype as dtypes
from rushlight.record.operation import computing, operation
from rushlight.record.spec import Spec
from rushlight.record.trace import apply, settle
from rushlight.record.value import Tensor

from . import arithmetic
from .creation import full_like_spec
from .elementary import sgn
from .public import public
from .rules import broadcast, promoted_float
from .selection import where

# ---------------------------------------------------------------------------------------------------------------------
# Conjugates


@public()
def conj(input: Tensor) -> Tensor:
    """The complex conjugate; a real tensor as it is.

    >>> torch.tensor([1 + 2j]).conj()
    tensor([1.-2.j])
    """
    settle(input)
    return arithmetic.conj(input)


@public(inplace=True, out=True)
def conj_physical(input: Tensor) -> Tensor:
    """The complex conjugate in new memory; a real tensor as it is."""
    settle(input)
    return arithmetic.conj(input)


@public()
def resolve_conj(input: Tensor) -> Tensor:
    """The tensor itself: conjugates are always carried out."""
    return input


@public()
def resolve_neg(input: Tensor) -> Tensor:
    """The tensor itself: negatives are always carried out."""
    return input


@public()
def adjoint(input: Tensor) -> Tensor:
    """The conjugate transpose of the last two dimensions."""
    if settle(input).spec.ndim < 2:
        raise RuntimeError(
            f"tensor.adjoint() is only supported on matrices or batches of matrices. Got {input.dim()}-D tensor."
        )
    return conj(input.transpose(-2, -1))


# ---------------------------------------------------------------------------------------------------------------------
# From two real tensors

_REAL = (dtypes.float16, dtypes.float32, dtypes.float64)


def _pair(name: str) -> Any:
    @computing(lambda x, y: x.dtype)
    def infer(x: Spec, y: Spec) -> Spec:
        if x.dtype not in _REAL or y.dtype not in _REAL:
            raise RuntimeError(
                "Expected both inputs to be Half, Float or Double tensors but got "
                f"{x.dtype.scalar_name} and {y.dtype.scalar_name}"
            )
        if x.dtype is not y.dtype:
            raise RuntimeError(
                f"Expected object of scalar type {x.dtype.scalar_name} but got scalar type {y.dtype.scalar_name} for "
                "second argument"
            )
        return broadcast((x, y), x.dtype.to_complex())

    infer.__name__ = name
    return infer


COMPLEX = operation("complex", _pair("complex"), lambda x, y: arithmetic.complex_of(x, y))
COMPLEX.gradient(x=lambda g: g.real, y=lambda g: g.imag)


@public(method=False, out=True, tensors=2)
def complex(real: Tensor, imag: Tensor) -> Tensor:  # noqa: A001 - PyTorch's name
    """The complex tensor with these real and imaginary parts, of one dtype, broadcast.

    >>> torch.complex(torch.tensor([1.]), torch.tensor([2.]))
    tensor([1.+2.j])
    """
    return apply(COMPLEX, (real, imag))


def _polar(x: Any, y: Any) -> Any:
    return arithmetic.complex_of(x * np.cos(y), x * np.sin(y))


POLAR = operation("polar", _pair("polar"), _polar)
POLAR.gradient(
    x=lambda g, result: (arithmetic.conj(g) * sgn(result)).real,
    y=lambda g, result: (arithmetic.conj(g) * (result * 1j)).real,
)


@public(method=False, out=True, tensors=2)
def polar(abs: Tensor, angle: Tensor) -> Tensor:  # noqa: A002 - PyTorch's name
    """abs * exp(i * angle), from real tensors of one dtype, broadcast."""
    return apply(POLAR, (abs, angle))


# ---------------------------------------------------------------------------------------------------------------------
# Angles


@computing(promoted_float)
def _angle_spec(x: Spec) -> Spec:
    return broadcast((x,), promoted_float(x).to_real())


def _angle(x: Any) -> Any:
    if np.iscomplexobj(x):
        return np.angle(x)
    return np.where(np.isnan(x), x, np.where(np.less(x, 0), math.pi, 0))


def _angle_gradient(g: Tensor, x: Tensor) -> Tensor:
    if not x.is_complex():
        return full_like_spec(g._value.spec, 0)
    size = x.abs()
    return where(size == 0, 0, x * 1j * (g / (size * size)))


ANGLE = operation("angle", _angle_spec, _angle)
ANGLE.gradient(x=_angle_gradient)


@public(out=True)
def angle(input: Tensor) -> Tensor:
    """The angle of each complex number in the plane, in radians; 0 or pi for real numbers.

    >>> torch.angle(torch.tensor([1j, -1.]))
    tensor([1.5708, 3.1416])
    """
    return apply(ANGLE, (input,))
