"""Elementary functions, element by element: exponentials, logarithms, trigonometry, rounding, signs.

`unary` makes the public function, its in-place form and its operation from the NumPy kernel and the derivative.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from rushlight.core import dtype as dtypes
from rushlight.record.operation import Operation, computing, operation
from rushlight.record.spec import Spec
from rushlight.record.trace import apply, settle
from rushlight.record.value import Tensor

from .arithmetic import complex_of, conj
from .creation import full_like_spec
from .public import FUNCTIONS, METHODS, integer, public, require_tensor, write_back
from .results import result_type
from .rules import broadcast, comparison, dtype_of, only, pointwise, pointwise_float, promoted, real


def unary(
    name: str,
    kernel: Callable[..., Any],
    rule: Callable[..., Any] | None,
    doc: str,
    *,
    infer: Callable[..., Any] = pointwise_float,
    names: tuple[str, ...] = (),
    node: str | None = None,
    functional: bool = False,
    inplace: bool = True,
    space: str | None = None,
) -> Callable[[Tensor], Tensor]:
    """Declares a function of one operand: the operation, `torch.f`, `Tensor.f` and `Tensor.f_`."""
    op = operation(name, infer, kernel if hasattr(kernel, "__code__") else (lambda x: kernel(x)), node=node)
    if rule is not None:
        op.gradient(x=rule)

    def f(input: Tensor) -> Tensor:
        return apply(op, (input,))

    f.__name__ = f.__qualname__ = name
    f.__doc__ = doc
    f.operation = op  # type: ignore[attr-defined]
    return public(inplace=inplace, out=True, names=names, functional=functional, space=space)(f)


def _no_slope(g: Tensor) -> Tensor:
    return full_like_spec(g._value.spec, 0)  # not g * 0: that would be NaN where g is infinite


# ---------------------------------------------------------------------------------------------------------------------
# Exponentials and logarithms

exp = unary("exp", np.exp, lambda g, result: g * conj(result), """e to the power of each element.

    >>> torch.exp(torch.tensor([0., 1.]))
    tensor([1.0000, 2.7183])
    """)  # fmt: skip
exp2 = unary("exp2", np.exp2, lambda g, result: g * conj(result) * math.log(2), "2 to the power of each element.")
expm1 = unary("expm1", np.expm1, lambda g, result: g * conj(result + 1), "exp(x) - 1, exact near 0.")
log = unary("log", np.log, lambda g, x: g / conj(x), """The natural logarithm.

    >>> torch.log(torch.tensor([1.]))
    tensor([0.])
    """)  # fmt: skip
log2 = unary("log2", np.log2, lambda g, x: g / conj(x * math.log(2)), "The logarithm to base 2.")
log10 = unary("log10", np.log10, lambda g, x: g / conj(x * math.log(10)), "The logarithm to base 10.")
log1p = unary("log1p", np.log1p, lambda g, x: g / conj(x + 1), "log(1 + x), exact near 0.", node="Log1PBackward0")


def _sigmoid(x: Any) -> Any:
    """Where exp overflows, the quotient is 0, as it should be."""
    return 1 / (1 + np.exp(-x))


def _sigmoid_gradient(g: Tensor, result: Tensor) -> Tensor:
    return g * conj(1 - result) * conj(result)


sigmoid = unary("sigmoid", _sigmoid, _sigmoid_gradient, """1 / (1 + exp(-x)).

    >>> torch.sigmoid(torch.tensor([0.]))
    tensor([0.5000])
    """, functional=True)  # fmt: skip

# ---------------------------------------------------------------------------------------------------------------------
# Powers

sqrt = unary("sqrt", np.sqrt, lambda g, result: g / (conj(result) * 2), "The square root.")
rsqrt = unary("rsqrt", lambda x: 1 / np.sqrt(x), lambda g, result: g * conj(result**3) * -0.5, "1 / sqrt(x).")
reciprocal = unary("reciprocal", lambda x: 1 / x, lambda g, result: -g * conj(result * result), "1 / x.")


def _squared_dtype(x: Spec) -> Any:
    return dtypes.int64 if x.dtype is dtypes.bool_ else x.dtype


@computing(_squared_dtype)
def _squared(x: Spec) -> Spec:
    return broadcast((x,), _squared_dtype(x))


square = unary("square", lambda x: np.multiply(x, x), lambda g, x: g * conj(x * 2), "x * x.", infer=_squared,
               node="PowBackward0")  # fmt: skip

# ---------------------------------------------------------------------------------------------------------------------
# Trigonometry and hyperbolic functions

sin = unary("sin", np.sin, lambda g, x: g * conj(cos(x)), "The sine.")
cos: Callable[[Tensor], Tensor] = unary("cos", np.cos, lambda g, x: g * conj(-sin(x)), "The cosine.")
tan = unary("tan", np.tan, lambda g, result: g * conj(result * result + 1), "The tangent.")
asin = unary("asin", np.arcsin, lambda g, x: g * conj((1 - x * x).rsqrt()), "The inverse sine.", names=("arcsin",))
acos = unary("acos", np.arccos, lambda g, x: g * conj(-(1 - x * x).rsqrt()), "The inverse cosine.", names=("arccos",))
atan = unary("atan", np.arctan, lambda g, x: g / conj(x * x + 1), "The inverse tangent.", names=("arctan",))
sinh = unary("sinh", np.sinh, lambda g, x: g * conj(cosh(x)), "The hyperbolic sine.")
cosh: Callable[[Tensor], Tensor] = unary("cosh", np.cosh, lambda g, x: g * conj(sinh(x)), "The hyperbolic cosine.")
tanh = unary("tanh", np.tanh, lambda g, result: g * conj(1 - result * result), "The hyperbolic tangent.",
             functional=True)  # fmt: skip


def _acosh_gradient(g: Tensor, x: Tensor) -> Tensor:
    if x._value.spec.dtype.is_complex:
        return g * conj((x - 1).rsqrt() * (x + 1).rsqrt())
    return g * (x * x - 1).rsqrt()


asinh = unary("asinh", np.arcsinh, lambda g, x: g * conj((x * x + 1).rsqrt()), "The inverse hyperbolic sine.",
              names=("arcsinh",))  # fmt: skip
acosh = unary("acosh", np.arccosh, _acosh_gradient,
              "The inverse hyperbolic cosine.", names=("arccosh",))  # fmt: skip
atanh = unary("atanh", np.arctanh, lambda g, x: g / conj(1 - x * x), "The inverse hyperbolic tangent.",
              names=("arctanh",))  # fmt: skip

# ---------------------------------------------------------------------------------------------------------------------
# Rounding and signs


def _rounding(name: str) -> Callable[..., Spec]:
    """The rule of a function that leaves whole numbers alone."""

    @computing(promoted)
    def infer(x: Spec, **_: Any) -> Spec:
        if x.dtype.is_complex and name != "round":
            raise NotImplementedError(f"{name} is not supported for complex inputs")
        return broadcast((x,), x.dtype)

    return only("if" if name == "round" else "ifc", f"{name}_vml_cpu", infer)


def _rounds(ufunc: Any) -> Callable[[Any], Any]:
    return lambda x: x if dtype_of(x).kind in "iub" else ufunc(x)


floor = unary("floor", _rounds(np.floor), _no_slope, "Rounded down.", infer=_rounding("floor"))
ceil = unary("ceil", _rounds(np.ceil), _no_slope, "Rounded up.", infer=_rounding("ceil"))
trunc = unary("trunc", _rounds(np.trunc), _no_slope, "Rounded towards zero.", infer=_rounding("trunc"), names=("fix",))
frac = unary("frac", lambda x: x - np.trunc(x), lambda g: g, "The part after the point, with the sign of x.",
             infer=only("f", "frac_cpu", pointwise))  # fmt: skip


def _round(x: Any, *, decimals: int) -> Any:
    if dtype_of(x).kind in "iub" and decimals >= 0:
        return x
    if decimals == 0:
        return np.rint(x)
    scale = dtype_of(x).type(10.0 ** abs(decimals))
    return np.rint(x * scale) / scale if decimals > 0 else np.rint(x / scale) * scale


_rounded = _rounding("round")
_rounded_to_decimals = only("f", "round_cpu", pointwise)


def _round_spec(x: Spec, *, decimals: int) -> Spec:
    return (_rounded_to_decimals if decimals else _rounded)(x)


ROUND = operation("round", _round_spec, _round, compute=lambda x, *, decimals: x.dtype)
ROUND.gradient(x=_no_slope)


@public(inplace=True, out=True)
def round(input: Tensor, *, decimals: int = 0) -> Tensor:  # noqa: A001 - PyTorch's name
    """Rounded to `decimals` places, halves to the even neighbour."""
    return apply(ROUND, (input,), (integer(decimals, "round", "decimals"),))


@computing(promoted)
def _magnitude(x: Spec) -> Spec:
    """The absolute value of a complex number is real."""
    return broadcast((x,), x.dtype.to_real())


def _absolute_gradient(g: Tensor, x: Tensor) -> Tensor:
    return g * sgn(x)


def _signed(x: Spec) -> Spec:
    if x.dtype.is_complex:
        raise NotImplementedError(
            "Unlike NumPy, torch.sign is not intended to support complex numbers. Please use torch.sgn instead."
        )
    return pointwise(x)


absolute = unary(
    "abs",
    lambda x: np.abs(x),
    _absolute_gradient,
    "The absolute value.",
    infer=only("ifc", "abs_cpu", _magnitude),
    names=("absolute",),
)


def _absolute_in_place(input: Tensor) -> Tensor:
    """`abs` in place, for real numbers."""
    if settle(input).spec.dtype.is_complex:
        raise RuntimeError("In-place abs is not supported for complex tensors.")
    return write_back(input, absolute(input))


for _name in ("abs_", "absolute_"):
    METHODS[_name] = FUNCTIONS[_name] = _absolute_in_place


def _sign(x: Any) -> Any:
    """-1, 0 or 1; 0 for NaN, which NumPy's would keep."""
    kind = dtype_of(x).kind
    if kind == "b":
        return x
    return np.where(x == x, np.sign(x), x.dtype.type(0)) if kind == "f" else np.sign(x)


sign = unary("sign", _sign, _no_slope, "-1, 0 or 1: the sign.", infer=_signed)


def _sgn(x: Any) -> Any:
    """Both parts divided by |x|: a complex division would make NaN of an infinite part's neighbour."""
    if not np.iscomplexobj(x):
        return _sign(x)
    size = np.abs(x)
    size = np.where(size == 0, size.dtype.type(1), size)
    return complex_of(x.real / size, x.imag / size)


def _sgn_gradient(g: Tensor, x: Tensor, result: Tensor) -> Tensor:
    if not x.is_complex():
        return _no_slope(g)
    size = x.abs()
    tangent = g / size - (result * (result * g.conj()).real / size)
    from .selection import where

    return where(size == 0, 0.0, tangent)


sgn = unary("sgn", _sgn, _sgn_gradient, "x / |x|; for real numbers, the sign.", infer=pointwise)


@computing(promoted)
def _real_predicate(x: Spec) -> Spec:
    if x.dtype.is_complex:
        raise NotImplementedError("signbit is not implemented for complex tensors.")
    return broadcast((x,), dtypes.bool_)


signbit = unary("signbit", lambda x: np.signbit(x) if dtype_of(x).kind != "b" else np.zeros_like(x), None,
                "True where the sign bit is set (-0. included).", infer=_real_predicate, inplace=False)  # fmt: skip
isnan = unary("isnan", lambda x: np.isnan(x), None, "True where the element is NaN.", infer=comparison, inplace=False)
isinf = unary("isinf", lambda x: np.isinf(x), None, "True where the element is infinite.", infer=comparison,
              inplace=False)  # fmt: skip
isfinite = unary("isfinite", lambda x: np.isfinite(x), None, "True where the element is neither infinite nor NaN.",
                 infer=comparison, inplace=False)  # fmt: skip


def _real_question(name: str) -> Callable[..., Spec]:
    @computing(promoted)
    def infer(x: Spec) -> Spec:
        if x.dtype.is_complex:
            raise RuntimeError(f"{name} does not support complex inputs.")
        return comparison(x)

    return infer


isposinf = unary(
    "isposinf",
    lambda x: np.isposinf(x),
    None,
    "True where the element is +inf.",
    infer=_real_question("isposinf"),
    inplace=False,
)
isneginf = unary(
    "isneginf",
    lambda x: np.isneginf(x),
    None,
    "True where the element is -inf.",
    infer=_real_question("isneginf"),
    inplace=False,
)
isreal = unary("isreal", lambda x: np.isreal(x), None, "True where the imaginary part is 0.", infer=comparison,
               inplace=False)  # fmt: skip


def _angle(name: str) -> Callable[..., Spec]:
    @computing(pointwise_float.compute)  # type: ignore[attr-defined]
    def infer(x: Spec) -> Spec:
        if x.dtype.is_complex:
            raise RuntimeError(f"{name} is not supported for complex tensors.")
        return pointwise_float(x)

    return infer


deg2rad = unary("deg2rad", lambda x: x * x.dtype.type(math.pi / 180), lambda g: g * (math.pi / 180),
                "Degrees as radians.", infer=_angle("deg2rad"), node="Deg2RadBackward0")  # fmt: skip
rad2deg = unary("rad2deg", lambda x: x * x.dtype.type(180 / math.pi), lambda g: g * (180 / math.pi),
                "Radians as degrees.", infer=_angle("rad2deg"), node="Rad2DegBackward0")  # fmt: skip


@public()
def positive(input: Tensor) -> Tensor:
    """`+input`: the tensor itself. Raises RuntimeError for a bool tensor."""
    if require_tensor(input, "positive")._value.spec.dtype is dtypes.bool_:
        raise RuntimeError("The `+` operator, on a bool tensor is not supported.")
    return input


# ---------------------------------------------------------------------------------------------------------------------
# Of two operands


def _step_gradient(g: Tensor, through: Tensor) -> Tensor:
    return g * through


def _binary(name: str, kernel: Any, doc: str, infer: Any = pointwise_float, inplace: bool = True,
            keywords: dict[str, str] | None = None, tensors: int = 2) -> Operation:  # fmt: skip
    op = operation(name, infer, lambda x, y: kernel(x, y))

    def f(input: Tensor, other: Tensor) -> Tensor:
        return apply(op, (input, other))

    f.__name__ = f.__qualname__ = name
    f.__doc__ = doc
    names = ("arctan2",) if name == "atan2" else ()
    public(inplace=inplace, out=True, names=names, keywords=keywords, tensors=tensors)(f)
    return op


ATAN2 = _binary(
    "atan2", np.arctan2, "The angle of the point (other, input), in radians.", only("bif", "atan2_cpu", pointwise_float)
)


def _atan2_slope(g: Tensor, toward: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """`g * toward / (x * x + y * y)`; 0 in the origin, where there is no angle."""
    return g * toward * (x * x + y * y).reciprocal().masked_fill((x == 0) & (y == 0), 0.0)


ATAN2.gradient(x=lambda g, x, y: _atan2_slope(g, y, x, y), y=lambda g, x, y: _atan2_slope(g, -x, x, y))
HYPOT = _binary("hypot", np.hypot, "sqrt(input**2 + other**2).", only("f", "hypot_cpu", pointwise))
HYPOT.gradient(x=lambda g, x, result: g * x / result, y=lambda g, y, result: g * y / result)
COPYSIGN = _binary(
    "copysign",
    np.copysign,
    "The size of `input` with the sign of `other`.",
    only("bif", "copysign_cpu", pointwise_float),
    tensors=1,
)
COPYSIGN.gradient(
    x=lambda g, x, result: g * (sign(x) * sign(result)),
    y=_no_slope,
)


def _logaddexp(x: Any, y: Any) -> Any:
    if not np.iscomplexobj(x):
        return np.logaddexp(x, y)
    larger = np.real(x) >= np.real(y)
    top, rest = np.where(larger, x, y), np.where(larger, y, x)
    return np.where(np.isneginf(np.real(top)), top, top + np.log1p(np.exp(rest - top)))


LOGADDEXP = _binary("logaddexp", _logaddexp, "log(exp(input) + exp(other)).",
                    only("fc", "logaddexp_cpu", pointwise), inplace=False)  # fmt: skip
LOGADDEXP.gradient(
    x=lambda g, x, y: g / conj(exp(y - x) + 1),
    y=lambda g, x, y: g / conj(exp(x - y) + 1),
)
LOGADDEXP2 = _binary("logaddexp2", np.logaddexp2, "log2(2**input + 2**other).",
                     only("f", "logaddexp2_cpu", pointwise), inplace=False)  # fmt: skip
LOGADDEXP2.gradient(x=lambda g, x, y: g / (exp2(y - x) + 1), y=lambda g, x, y: g / (exp2(x - y) + 1))


def _nextafter_spec(x: Spec, y: Spec) -> Spec:
    return only("f", "nextafter_cpu", pointwise)(x, y)


def _nextafter(x: Any, y: Any) -> Any:
    """In the operands' own precision: half-precision numbers have neighbours of their own."""
    kind = np.result_type(x, y)
    return np.nextafter(np.asarray(x).astype(kind), np.asarray(y).astype(kind))


NEXTAFTER = _binary("nextafter", _nextafter, "The next number after `input` towards `other`.", _nextafter_spec)
NEXTAFTER.exact = True
NEXTAFTER.gradient(x=lambda g, x, y: _step_gradient(g, x != y), y=lambda g, x, y: _step_gradient(g, x == y))
_binary("gcd", np.gcd, "The greatest common divisor.", only("i", "gcd_cpu", pointwise))
_binary("lcm", np.lcm, "The least common multiple.", only("i", "lcm_cpu", pointwise))


def _heaviside_spec(x: Spec, values: Spec) -> Spec:
    if x.dtype is not values.dtype:
        raise RuntimeError("heaviside is not yet implemented for tensors with different dtypes.")
    return real("heaviside is not yet implemented for complex tensors.", pointwise)(x, values)  # type: ignore[no-any-return]


def _heaviside(x: Any, values: Any) -> Any:
    return np.where(x == 0, values, (x > 0).astype(x.dtype))  # 0 for NaN, which NumPy's own would keep


_binary("heaviside", _heaviside, "0 below zero and for NaN, 1 above, `values` at zero.", _heaviside_spec,
        keywords={"values": "other"})  # fmt: skip

# ---------------------------------------------------------------------------------------------------------------------
# The sine over its argument; powers of two


def _sinc_gradient(g: Tensor, x: Tensor) -> Tensor:
    from .selection import where

    t = x * math.pi
    slope = (t * cos(t) - sin(t)) / (t * x)
    return g * conj(where(x == 0, 0, slope))


sinc = unary("sinc", lambda x: np.sinc(x), _sinc_gradient, """sin(pi x) / (pi x), 1 at 0.

    >>> torch.sinc(torch.tensor([0., 0.5]))
    tensor([1.0000, 0.6366])
    """)  # fmt: skip

LDEXP = operation("ldexp", pointwise_float, lambda x, y: x * np.exp2(y))
LDEXP.gradient(x=lambda g, y: g * conj(_two_to(y)), y=lambda g, result: g * conj(result) * math.log(2))


def _two_to(y: Any) -> Any:
    return 2.0**y


@public(inplace=True, out=True, tensors=2)
def ldexp(input: Tensor, other: Any) -> Tensor:
    """`input * 2 ** other`.

    >>> torch.ldexp(torch.tensor([1.]), torch.tensor([3]))
    tensor([8.])
    """
    return apply(LDEXP, (input, other))


def _frexp_spec(x: Spec) -> tuple[Spec, Spec]:
    if not x.dtype.is_floating_point:
        raise RuntimeError("torch.frexp() only supports floating-point dtypes")
    return broadcast((x,), x.dtype), broadcast((x,), dtypes.int32)


FREXP = operation("frexp", _frexp_spec, lambda x: np.frexp(x))
FREXP.gradient(lambda g, results: (g[0] / exp2(results[1].to(g[0].dtype)),))
Frexp = result_type("frexp", ("mantissa", "exponent"))


@public(out=True)
def frexp(input: Tensor) -> Any:
    """Mantissa and exponent: `input == mantissa * 2 ** exponent` with 1/2 <= |mantissa| < 1.

    >>> torch.frexp(torch.tensor([8.])).exponent
    tensor([4], dtype=torch.int32)
    """
    return Frexp(apply(FREXP, (input,)))
