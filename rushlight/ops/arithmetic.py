"""Arithmetic between tensors, element by element: + - * / ** and their relatives, comparisons and logic.

Binary operations broadcast and promote; a Python number stays a run-time number of the recorded program.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from rushlight.core import dtype as dtypes
from rushlight.core.dtype import get_default_dtype
from rushlight.record.operation import Operation, computing, operation
from rushlight.record.spec import NUMBERS, Spec
from rushlight.record.trace import apply, settle
from rushlight.record.value import Tensor

from .creation import full_like_spec
from .old_overloads import warn_of_old_overload
from .public import METHODS, check_cast, public, write_back
from .rules import broadcast, comparison, dtype_of, only, pointwise, pointwise_float, promoted


def conj(t: Tensor) -> Tensor:
    """The complex conjugate in a derivative; the tensor itself where it is real."""
    return apply(CONJ, (t,)) if t._value.spec.dtype.is_complex else t


CONJ = operation("conj", pointwise, np.conjugate, node="ConjBackward0")
CONJ.gradient(x=lambda g: conj(g))


def complex_of(real: Any, imaginary: Any) -> Any:
    """In a kernel, the complex array with these parts; `real + 1j * imaginary` would make NaN of infinite ones."""
    if hasattr(real, "with_imaginary"):
        return real.with_imaginary(imaginary)
    made = np.empty(np.broadcast_shapes(np.shape(real), np.shape(imaginary)), np.result_type(real, np.complex64))
    made.real, made.imag = real, imaginary
    return made


# ---------------------------------------------------------------------------------------------------------------------
# + - * /


def _add_dtype(*specs: Spec) -> Any:
    return pointwise.compute(*specs)  # type: ignore[attr-defined]


def _subtract_spec(x: Spec, y: Spec) -> Spec:
    if dtypes.bool_ in (x.dtype, y.dtype) and (x.dtype is y.dtype or not (x.wrapped and y.wrapped)):
        if x.dtype is dtypes.bool_ and y.dtype is dtypes.bool_:
            raise RuntimeError(
                "Subtraction, the `-` operator, with two bool tensors is not supported. Use the `^` or `logical_xor()` "
                "operator instead."
            )
        raise RuntimeError(
            "Subtraction, the `-` operator, with a bool tensor is not supported. If you are trying to invert a mask, "
            "use "
            "the `~` or `logical_not()` operator instead."
        )
    return pointwise(x, y)


ADD = operation("add", pointwise, lambda x, y: np.add(x, y))
ADD.run = np.add
ADD.gradient(x=lambda g: g, y=lambda g: g)

SUBTRACT = operation("sub", _subtract_spec, lambda x, y: np.subtract(x, y), compute=_add_dtype)
SUBTRACT.run = np.subtract
SUBTRACT.gradient(x=lambda g: g, y=lambda g: -g)

SUBTRACT_FROM = operation(
    "rsub", lambda x, number: _subtract_spec(x, number), lambda x, number: np.subtract(number, x), compute=_add_dtype,
    node="RsubBackward1",
)  # fmt: skip
SUBTRACT_FROM.gradient(x=lambda g: -g)
SUBTRACT_FROM_TENSOR = operation(
    "rsub_tensor", _subtract_spec, lambda x, y: np.subtract(y, x), compute=_add_dtype, node="RsubBackward0"
)
SUBTRACT_FROM_TENSOR.gradient(x=lambda g: -g, y=lambda g: g)

MULTIPLY = operation("mul", pointwise, lambda x, y: np.multiply(x, y))
MULTIPLY.run = np.multiply
MULTIPLY.gradient(x=lambda g, y: g * conj(y), y=lambda g, x: g * conj(x))

DIVIDE = operation("div", pointwise_float, lambda x, y: np.true_divide(x, y))
DIVIDE.run = np.true_divide
# From x, not from the result: the result may be written to in place.
DIVIDE.gradient(x=lambda g, y: g / conj(y), y=lambda g, x, y: -g * conj(x / y / y))

#: Division inside PyTorch's own functions, by a number that never was a tensor.
DIVIDE_BY_NUMBER = operation(
    "div_by_number", pointwise_float, lambda x, number: np.true_divide(x, number), node="DivBackward1"
)
DIVIDE_BY_NUMBER.gradient(x=lambda g, number: g / number)

NEGATE = operation("neg", pointwise, lambda x: np.negative(x))
NEGATE.gradient(x=lambda g: -g)


def _scaled(input: Any, other: Any, alpha: Any) -> Any:
    """`alpha * other` in the dtype of the result, so that narrow integers do not wrap around early."""
    _check_alpha(input, other, alpha)
    if not isinstance(other, Tensor):
        return other * alpha
    specs = [settle(t).spec if isinstance(t, Tensor) else NUMBERS[t.__class__] for t in (input, other)]
    kind = promoted(*specs)
    return other.to(kind) * (bool(alpha) if kind is dtypes.bool_ else alpha)


@public(inplace=True, out=True)
def add(input: Tensor, other: Any, scaled: Tensor | None = None, *, alpha: Any = 1) -> Tensor:
    """`input + alpha * other`, broadcast (https://pytorch.org/docs/stable/generated/torch.add.html).

    >>> torch.add(torch.tensor([1., 2.]), 1, alpha=2)
    tensor([3., 4.])
    """
    if scaled is not None:
        warn_of_old_overload("add", "Number alpha, Tensor other", "Tensor other, *, Number alpha = 1")
        other, alpha = scaled, other
    if alpha.__class__ is int and alpha == 1:
        return apply(ADD, (input, other))
    return apply(ADD, (input, _scaled(input, other, alpha)))


def _check_alpha(input: Any, other: Any, alpha: Any) -> None:
    floating = isinstance(alpha, float)
    kinds = [settle(t).spec.dtype for t in (input, other) if isinstance(t, Tensor)]
    if isinstance(alpha, complex) and kinds and not any(k.is_complex for k in kinds):
        raise RuntimeError("For non-complex input tensors, argument alpha must not be a complex number.")
    if floating and kinds and not any(k.is_floating_point or k.is_complex for k in kinds):
        raise RuntimeError("For integral input tensors, argument alpha must not be a floating point number.")


@public(inplace=True, out=True, names=("subtract",))
def sub(input: Tensor, other: Any, scaled: Tensor | None = None, *, alpha: Any = 1) -> Tensor:
    """`input - alpha * other`, broadcast.

    >>> torch.tensor([3., 4.]) - 1
    tensor([2., 3.])
    """
    if scaled is not None:
        warn_of_old_overload("sub", "Number alpha, Tensor other", "Tensor other, *, Number alpha = 1")
        other, alpha = scaled, other
    if alpha.__class__ is int and alpha == 1:
        return apply(SUBTRACT, (input, other))
    return apply(SUBTRACT, (input, _scaled(input, other, alpha)))


@public(inplace=True, out=True, names=("multiply",))
def mul(input: Tensor, other: Any) -> Tensor:
    """`input * other`, element by element, broadcast.

    >>> torch.tensor([1, 2]) * 1.5
    tensor([1.5000, 3.0000])
    """
    return apply(MULTIPLY, (input, other))


@public(inplace=True, out=True, names=("divide",))
def div(input: Tensor, other: Any, *, rounding_mode: str | None = None) -> Tensor:
    """`input / other`; `rounding_mode` None (true division), "trunc" or "floor".

    >>> torch.tensor([7, -7]) / 2
    tensor([ 3.5000, -3.5000])
    """
    if rounding_mode is None:
        return apply(DIVIDE, (input, other))
    if rounding_mode == "floor":
        return apply(ROUND_DOWN_DIVIDE, (input, other))
    if rounding_mode == "trunc":
        return apply(TRUNCATE_DIVIDE, (input, other))
    raise RuntimeError(f"div expected rounding_mode to be one of None, 'trunc', or 'floor' but found '{rounding_mode}'")


@public(inplace=True, out=True)
def true_divide(input: Tensor, other: Any) -> Tensor:
    """`input / other`, never rounded to an integer."""
    return apply(DIVIDE, (input, other))


@public(inplace=True, out=True, names=("negative",))
def neg(input: Tensor) -> Tensor:
    """`-input`.

    >>> -torch.tensor([1., -2.])
    tensor([-1.,  2.])
    """
    if settle(input).spec.dtype is dtypes.bool_:
        raise RuntimeError(
            "Negation, the `-` operator, on a bool tensor is not supported. If you are trying to invert a mask, use "
            "the `~` "
            "or `logical_not()` operator instead."
        )
    return apply(NEGATE, (input,))


@public(method=False, tensors=1)
def rsub(input: Tensor, other: Any, alpha: Any = 1) -> Tensor:
    """`other - alpha * input`."""
    if alpha.__class__ is not int or alpha != 1:
        _check_alpha(input, other, alpha)
        input = input * alpha
    return apply(SUBTRACT_FROM_TENSOR if isinstance(other, Tensor) else SUBTRACT_FROM, (input, other))


def reversed_div(input: Tensor, other: Any) -> Tensor:
    """`other / input`, rounded as PyTorch rounds it."""
    return input.reciprocal() * other


# ---------------------------------------------------------------------------------------------------------------------
# Division with rounding


def _integer_division(kernel: Callable[..., Any]) -> Callable[..., Any]:
    def divided(x: Any, y: Any) -> Any:
        if hasattr(x, "provided") and x.dtype.kind in "iub":  # the compiler asks what this computes
            return kernel(x, y).provided(y != 0)
        if dtype_of(x).kind in "iub" and np.any(np.asarray(y) == 0):
            raise RuntimeError("ZeroDivisionError")
        return kernel(x, y)

    return divided


def _trunc_divide(x: Any, y: Any) -> Any:
    if dtype_of(x).kind in "iub":
        quotient = np.floor_divide(x, y)
        return np.where((np.remainder(x, y) != 0) & (quotient < 0), quotient + 1, quotient)
    return np.trunc(np.true_divide(x, y))


def _no_slope(g: Tensor) -> Tensor:
    return full_like_spec(settle(g).spec, 0)  # not g * 0: that would be NaN where g is infinite


def _no_derivative(name: str) -> Callable[[Tensor], Tensor]:
    def refuse(g: Tensor) -> Tensor:
        raise RuntimeError(f"derivative for aten::{name} is not implemented")

    return refuse


_floor_divide = _integer_division(lambda x, y: np.floor_divide(x, y))
FLOOR_DIVIDE = operation("floor_divide", only("if", "div_floor_cpu", pointwise), _floor_divide, node="NotImplemented")
FLOOR_DIVIDE.gradient(x=_no_derivative("floor_divide"), y=_no_derivative("floor_divide"))
ROUND_DOWN_DIVIDE = operation("div_floor", only("if", "div_floor_cpu", pointwise), _floor_divide, node="DivBackward2")
ROUND_DOWN_DIVIDE.gradient(x=_no_slope, y=_no_slope)
TRUNCATE_DIVIDE = operation(
    "div_trunc", only("if", "div_trunc_cpu", pointwise), _integer_division(_trunc_divide), node="DivBackward2"
)
TRUNCATE_DIVIDE.gradient(x=_no_slope, y=_no_slope)

_remainder = _integer_division(lambda x, y: np.remainder(x, y))
_fmod = _integer_division(lambda x, y: np.fmod(x, y))
_remainder_spec, _fmod_spec = only("if", "remainder_cpu", pointwise), only("if", "fmod_cpu", pointwise)
REMAINDER = operation("remainder", _remainder_spec, lambda x, number: _remainder(x, number)).gradient(x=lambda g: g)
REMAINDER_TENSOR = operation("remainder_tensor", _remainder_spec, _remainder, node="RemainderBackward1")
REMAINDER_TENSOR.gradient(x=lambda g: g, y=lambda g, x, y: -g * apply(ROUND_DOWN_DIVIDE, (x, y)))
FMOD = operation("fmod", _fmod_spec, lambda x, number: _fmod(x, number)).gradient(x=lambda g: g)
FMOD_TENSOR = operation("fmod_tensor", _fmod_spec, _fmod, node="FmodBackward1")
FMOD_TENSOR.gradient(x=lambda g: g, y=lambda g, x, y: -g * apply(TRUNCATE_DIVIDE, (x, y)))


@public(inplace=True, out=True)
def floor_divide(input: Tensor, other: Any) -> Tensor:
    """`input / other`, rounded down.

    >>> torch.tensor([7., -7.]) // 2
    tensor([ 3., -4.])
    """
    return apply(FLOOR_DIVIDE, (input, other))


@public(inplace=True, out=True)
def remainder(input: Any, other: Any) -> Tensor:
    """The remainder of division with the sign of the divisor, as Python's `%`."""
    return apply(REMAINDER_TENSOR if isinstance(other, Tensor) else REMAINDER, (input, other))


@public(inplace=True, out=True, tensors=1)
def fmod(input: Tensor, other: Any) -> Tensor:
    """The remainder of division with the sign of the dividend, as C's `fmod`."""
    return apply(FMOD_TENSOR if isinstance(other, Tensor) else FMOD, (input, other))


# ---------------------------------------------------------------------------------------------------------------------
# Powers


def _power(x: Any, y: Any) -> Any:
    if dtype_of(x).kind in "iu":
        return _integer_power(np.asarray(x), np.asarray(y))
    return np.power(x, y)


def _integer_power(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Integers to negative powers are 1, -1 or 0, as in C."""
    positive = np.power(x, np.maximum(y, 0))
    odd = np.where(y % 2 == 0, 1, -1)
    return np.where(y >= 0, positive, np.where(x == 1, 1, np.where(x == -1, odd, 0))).astype(x.dtype)


def _fixed_power(x: Any, *, exponent: float, whole: bool) -> Any:
    if exponent == 2:
        return np.multiply(x, x)
    if exponent == 3:
        return np.multiply(np.multiply(x, x), x)
    if exponent == 0.5 and dtype_of(x).kind in "fc":
        return np.sqrt(x)
    kind = dtype_of(x)
    return _power(x, kind.type(exponent)) if kind.kind != "b" else np.power(x, exponent)


def _fixed_power_dtype(x: Spec, *, exponent: float, whole: bool) -> Any:
    """`whole` says that the exponent is an int: to the recorder's keys 1 and 1.0 are the same."""
    if not whole and not (x.dtype.is_floating_point or x.dtype.is_complex):
        return get_default_dtype()
    return dtypes.int64 if x.dtype is dtypes.bool_ else x.dtype


@computing(_fixed_power_dtype)
def _fixed_power_spec(x: Spec, *, exponent: float, whole: bool) -> Spec:
    kind = _fixed_power_dtype(x, exponent=exponent, whole=whole)
    if whole and exponent < 0 and not (kind.is_floating_point or kind.is_complex):
        raise RuntimeError("Integers to negative integer powers are not allowed.")
    return broadcast((x,), kind)


def _power_gradient(g: Tensor, x: Tensor, exponent: float) -> Tensor:
    if exponent == 0:
        return _no_slope(g)
    if exponent == 2:
        return g * conj(x * 2)
    return g * conj(pow(x, exponent - 1) * exponent)


POWER_OF_NUMBER = operation("pow_fixed", _fixed_power_spec, _fixed_power, node="PowBackward0")
POWER_OF_NUMBER.gradient(x=_power_gradient)


def _powers_gradient_x(g: Tensor, x: Tensor, y: Tensor) -> Tensor:
    from .selection import where

    return where(y == 0, 0.0, g * conj(y * apply(POWER, (x, y - 1))))


def _powers_gradient_y(g: Tensor, x: Tensor, y: Tensor, result: Tensor) -> Tensor:
    from .elementary import log
    from .selection import where

    zero = (x == 0) if x.is_complex() else (x == 0) & (y >= 0)
    return g * conj(where(zero, 0.0, result * log(x if x.is_floating_point() or x.is_complex() else x.float())))


POWER = operation("pow", pointwise, _power, node="PowBackward1")
POWER.gradient(x=_powers_gradient_x, y=_powers_gradient_y)
POWER_OF_EXPONENT = operation(
    "pow_of_exponent", pointwise, lambda x, exponent: _power(x, exponent), node="PowBackward0"
)
POWER_OF_EXPONENT.gradient(x=lambda g, x, exponent: g * conj(exponent * apply(POWER_OF_EXPONENT, (x, exponent - 1))))
POWER_OF_BASE = operation("pow_of_base", pointwise, lambda base, y: _power(base, y), node="PowBackward2")
POWER_OF_BASE.gradient(y=lambda g, base, y, result: _powers_gradient_y(g, base, y, result))

FIXED_EXPONENTS = frozenset((-2.0, -1.0, -0.5, 0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0))


@public(inplace=True, out=True)
def pow(input: Any, exponent: Any) -> Tensor:  # noqa: A001 - PyTorch's name
    """`input ** exponent`, broadcast.

    >>> torch.tensor([1., 2., 3.]) ** 2
    tensor([1., 4., 9.])
    """
    if isinstance(input, Tensor) and not isinstance(exponent, Tensor):
        if exponent.__class__ is int or exponent in FIXED_EXPONENTS:
            return apply(POWER_OF_NUMBER, (input,), (exponent, not isinstance(exponent, float)))
        return apply(POWER_OF_EXPONENT, (input, exponent))
    return apply(POWER if isinstance(input, Tensor) else POWER_OF_BASE, (input, exponent))


@public(out=True)
def float_power(input: Any, exponent: Any) -> Tensor:
    """`input ** exponent` in double precision."""
    wide = [_double(t) for t in (input, exponent)]
    return pow(*wide)


def _float_power_in_place(self: Tensor, exponent: Any) -> Tensor:
    """`float_power` into `self`, which must have the result's dtype already."""
    kind, wide = settle(self).spec.dtype, float_power(self, exponent)
    if wide._value.spec.dtype is not kind:
        raise RuntimeError(
            f"the base given to float_power_ has dtype {kind.scalar_name} but the operation's result requires dtype "
            f"{wide._value.spec.dtype.scalar_name}"
        )
    return write_back(self, wide)


METHODS["float_power_"] = _float_power_in_place


def _double(t: Any) -> Any:
    if not isinstance(t, Tensor):
        return t
    kind = settle(t).spec.dtype
    return t.to(dtypes.complex128 if kind.is_complex else dtypes.float64)


# ---------------------------------------------------------------------------------------------------------------------
# Comparisons and logic

_COMPARISONS: dict[str, tuple[Any, tuple[str, ...]]] = {
    "eq": (np.equal, ()),
    "ne": (np.not_equal, ("not_equal",)),
    "lt": (np.less, ("less",)),
    "le": (np.less_equal, ("less_equal",)),
    "gt": (np.greater, ("greater",)),
    "ge": (np.greater_equal, ("greater_equal",)),
}


_ORDERS = frozenset(("lt", "le", "gt", "ge"))  # which complex numbers have none of


def _comparison(name: str, ufunc: Any, names: tuple[str, ...], tensors: int) -> Operation:
    rule = only("bif", f"{name}_cpu", comparison) if name in _ORDERS else comparison
    op = operation(name, rule, lambda x, y: ufunc(x, y))

    def compare(input: Tensor, other: Any) -> Tensor:
        return apply(op, (input, other))

    compare.__name__ = compare.__qualname__ = name
    compare.__doc__ = f"Element by element `numpy.{ufunc.__name__}(input, other)`, broadcast; a bool tensor."
    public(inplace=True, out=True, names=names, tensors=tensors)(compare)
    return op


for _name, (_ufunc, _names) in _COMPARISONS.items():
    _comparison(_name, _ufunc, _names, tensors=1)
for _name in ("logical_and", "logical_or", "logical_xor"):
    _comparison(_name, getattr(np, _name), (), tensors=2)


def _bitwise(kernel: str) -> Callable[..., Spec]:
    @computing(promoted)
    def infer(*specs: Spec) -> Spec:
        kind = promoted(*specs)
        if kind.is_floating_point or kind.is_complex or (kind is dtypes.bool_ and kernel.endswith("shift")):
            raise NotImplementedError(f"\"{kernel}_cpu\" not implemented for '{kind.scalar_name}'")
        return broadcast(specs, kind)

    return infer


def _bitwise_binary(name: str, ufunc: Any, dunder: str) -> None:
    kernel = name if "shift" not in name else f"{name.split('_')[1][0]}shift"
    op = operation(name, _bitwise(kernel), lambda x, y: ufunc(x, y))

    def combine(input: Any, other: Any) -> Tensor:
        return apply(op, (input, other))

    combine.__name__ = combine.__qualname__ = name
    combine.__doc__ = f"Element by element `input {dunder} other` of integers or bools, broadcast."
    public(inplace=True, out=True)(combine)
    METHODS[f"{name}_"] = _after_promotion(METHODS[f"{name}_"])


def _after_promotion(written: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """An in-place form that asks first whether the result would fit the tensor, as PyTorch does."""

    @functools.wraps(written)
    def checked(self: Tensor, other: Any) -> Tensor:
        held = settle(self).spec
        kind = promoted(held, settle(other).spec if isinstance(other, Tensor) else NUMBERS[other.__class__])
        check_cast(kind, held.dtype)
        return written(self, other)

    return checked


for _name, _ufunc, _dunder in (
    ("bitwise_and", np.bitwise_and, "&"),
    ("bitwise_or", np.bitwise_or, "|"),
    ("bitwise_xor", np.bitwise_xor, "^"),
    ("bitwise_left_shift", np.left_shift, "<<"),
    ("bitwise_right_shift", np.right_shift, ">>"),
):
    _bitwise_binary(_name, _ufunc, _dunder)

INVERT = operation("bitwise_not", _bitwise("bitwise_not"), lambda x: np.invert(x))
LOGICAL_NOT = operation("logical_not", comparison, lambda x: np.logical_not(x))


@public(inplace=True, out=True)
def bitwise_not(input: Tensor) -> Tensor:
    """Every bit inverted; for bools, `not`."""
    return apply(INVERT, (input,))


@public(inplace=True, out=True)
def logical_not(input: Tensor) -> Tensor:
    """True where the element is zero."""
    return apply(LOGICAL_NOT, (input,))
