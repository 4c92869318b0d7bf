"""ONNX for element-wise operations: arithmetic, comparison, logic, elementary functions, activations, choices."""

from __future__ import annotations

import math
from collections.abc import Callable

from rushlight.core import dtype as dtypes

from .call import Call, lowering

# ---------------------------------------------------------------------------------------------------------------------
# One node each

UNARY = {
    "abs": "Abs", "neg": "Neg", "exp": "Exp", "log": "Log", "sqrt": "Sqrt", "reciprocal": "Reciprocal", "sin": "Sin",
    "cos": "Cos", "tan": "Tan", "asin": "Asin", "acos": "Acos", "atan": "Atan", "sinh": "Sinh", "cosh": "Cosh",
    "asinh": "Asinh", "acosh": "Acosh", "atanh": "Atanh", "tanh": "Tanh", "erf": "Erf", "sigmoid": "Sigmoid",
    "floor": "Floor", "ceil": "Ceil", "sign": "Sign", "sgn": "Sign", "relu": "Relu",
}  # fmt: skip
BINARY = {
    "sub": "Sub", "div": "Div", "div_by_number": "Div", "maximum": "Max", "minimum": "Min", "pow": "Pow",
    "pow_of_exponent": "Pow", "pow_of_base": "Pow", "prelu": "PRelu", "gt": "Greater", "ge": "GreaterOrEqual",
    "lt": "Less", "le": "LessOrEqual",
}  # fmt: skip


@lowering(*UNARY)
def _unary(c: Call) -> str:
    return c.op(UNARY[c.node.op.name], c.x())


@lowering(*BINARY)
def _binary(c: Call) -> str:
    kind = BINARY[c.node.op.name]
    if c.compute is dtypes.bool_:
        if kind in ("Max", "Min"):
            return c.op("Or" if kind == "Max" else "And", c.x(0), c.x(1))
        return c.op(kind, c.x(0, dtypes.int32), c.x(1, dtypes.int32))
    return c.op(kind, c.x(0), c.x(1))


@lowering("add", "mul")
def _sum_or_product(c: Call) -> str:
    add = c.node.op.name == "add"
    if c.compute is dtypes.bool_:
        return c.op("Or" if add else "And", c.x(0), c.x(1))
    return c.op("Add" if add else "Mul", c.x(0), c.x(1))


@lowering("rsub", "rsub_tensor")
def _subtracted_from(c: Call) -> str:
    return c.op("Sub", c.x(1), c.x(0))


@lowering("eq", "ne")
def _equal(c: Call) -> str:
    found = c.op("Equal", c.x(0), c.x(1))
    return found if c.node.op.name == "eq" else c.op("Not", found)


@lowering("clone", "alias", "conj")
def _same(c: Call) -> str:
    return c.raw(0)


@lowering("cast")
def _cast(c: Call) -> str:
    return c.cast(c.raw(0), c.dtype)


# ---------------------------------------------------------------------------------------------------------------------
# Logic

LOGIC = {"logical_and": "And", "logical_or": "Or", "logical_xor": "Xor"}
BITS = {"bitwise_and": "And", "bitwise_or": "Or", "bitwise_xor": "Xor"}


@lowering(*LOGIC)
def _logic(c: Call) -> str:
    return c.op(LOGIC[c.node.op.name], c.x(0, dtypes.bool_), c.x(1, dtypes.bool_))


@lowering("logical_not")
def _not(c: Call) -> str:
    return c.op("Not", c.x(0, dtypes.bool_))


@lowering(*BITS)
def _bits(c: Call) -> str:
    kind = BITS[c.node.op.name]
    if c.dtype is not dtypes.bool_:
        c.needs_opset(18)
        kind = f"Bitwise{kind}"
    return c.op(kind, c.x(0, c.dtype), c.x(1, c.dtype))


@lowering("bitwise_not")
def _inverted(c: Call) -> str:
    if c.dtype is not dtypes.bool_:
        c.needs_opset(18)
    return c.op("Not" if c.dtype is dtypes.bool_ else "BitwiseNot", c.raw(0))


@lowering("isnan", "isinf", "isfinite")
def _is(c: Call) -> str:
    x, name = c.raw(0), c.node.op.name
    if not c.value(0).dtype.is_floating_point:
        x = c.cast(x, dtypes.float32)
    if name == "isnan":
        return c.op("IsNaN", x)
    if name == "isinf":
        return c.op("IsInf", x)
    return c.op("Not", c.op("Or", c.op("IsNaN", x), c.op("IsInf", x)))


# ---------------------------------------------------------------------------------------------------------------------
# Formulas of one operand


def _scaled(c: Call, x: str, by: float) -> str:
    return c.op("Mul", x, c.constant(by))


def _plus(c: Call, x: str, more: float) -> str:
    return c.op("Add", x, c.constant(more))


def _truncated(c: Call, x: str) -> str:
    return c.op("Mul", c.op("Sign", x), c.op("Floor", c.op("Abs", x)))


def _stable_softplus(c: Call, x: str) -> str:
    """`max(x, 0) + log(1 + exp(-|x|))`, which does not overflow."""
    return c.op("Add", c.op("Relu", x), c.op("Log", _plus(c, c.op("Exp", c.op("Neg", c.op("Abs", x))), 1)))


FORMULAS: dict[str, Callable[[Call, str], str]] = {
    "square": lambda c, x: c.op("Mul", x, x),
    "rsqrt": lambda c, x: c.op("Reciprocal", c.op("Sqrt", x)),
    "exp2": lambda c, x: c.op("Pow", c.constant(2), x),
    "expm1": lambda c, x: _plus(c, c.op("Exp", x), -1),
    "log1p": lambda c, x: c.op("Log", _plus(c, x, 1)),
    "log2": lambda c, x: _scaled(c, c.op("Log", x), 1 / math.log(2)),
    "log10": lambda c, x: _scaled(c, c.op("Log", x), 1 / math.log(10)),
    "erfc": lambda c, x: c.op("Sub", c.constant(1), c.op("Erf", x)),
    "trunc": _truncated,
    "frac": lambda c, x: c.op("Sub", x, _truncated(c, x)),
    "deg2rad": lambda c, x: _scaled(c, x, math.pi / 180),
    "rad2deg": lambda c, x: _scaled(c, x, 180 / math.pi),
    "silu": lambda c, x: c.op("Mul", x, c.op("Sigmoid", x)),
    "mish": lambda c, x: c.op("Mul", x, c.op("Tanh", _stable_softplus(c, x))),
    "log_sigmoid": lambda c, x: c.op("Neg", _stable_softplus(c, c.op("Neg", x))),
    "hardsigmoid": lambda c, x: c.op("HardSigmoid", x, alpha=1 / 6, beta=0.5),
}


@lowering(*FORMULAS)
def _formula(c: Call) -> str:
    return FORMULAS[c.node.op.name](c, c.x())


@lowering("round")
def _rounded(c: Call) -> str:
    decimals = c.attributes["decimals"]
    if not c.dtype.is_floating_point:
        return c.raw(0)
    if not decimals:
        return c.op("Round", c.x())
    return c.op("Div", c.op("Round", _scaled(c, c.x(), 10.0**decimals)), c.constant(10.0**decimals))


@lowering("hardswish")
def _hardswish(c: Call) -> str:
    if c.opset >= 14:
        return c.op("HardSwish", c.x())
    return c.op("Mul", c.x(), c.op("HardSigmoid", c.x(), alpha=1 / 6, beta=0.5))


@lowering("gelu")
def _gelu(c: Call) -> str:
    x, tanh = c.x(), c.attributes["tanh"]
    if c.opset >= 20:
        return c.op("Gelu", x, approximate="tanh" if tanh else "none")
    if tanh:
        cube = c.op("Mul", x, c.op("Mul", x, x))
        inner = c.op("Tanh", _scaled(c, c.op("Add", x, _scaled(c, cube, 0.044715)), math.sqrt(2 / math.pi)))
    else:
        inner = c.op("Erf", _scaled(c, x, math.sqrt(0.5)))
    return _scaled(c, c.op("Mul", x, _plus(c, inner, 1)), 0.5)


# ---------------------------------------------------------------------------------------------------------------------
# Activations with numbers


@lowering("leaky_relu")
def _leaky_relu(c: Call) -> str:
    return c.op("LeakyRelu", c.x(), alpha=float(c.number(1)))


@lowering("rrelu")
def _randomized_relu(c: Call) -> str:
    return c.op("Mul", c.x(0), c.x(1))


@lowering("elu", "celu")
def _elu(c: Call) -> str:
    """`scale * x` where x is positive, `scale * alpha * (exp(rate * x) - 1)` elsewhere."""
    alpha, scale, rate = [float(c.number(i)) for i in (1, 2, 3)]
    if rate == 1:
        found = c.op("Elu", c.x(), alpha=alpha)
        return found if scale == 1 else _scaled(c, found, scale)
    low = _scaled(c, _plus(c, c.op("Exp", _scaled(c, c.op("Min", c.x(), c.constant(0)), rate)), -1), alpha * scale)
    return c.op("Add", _scaled(c, c.op("Relu", c.x()), scale), low)


@lowering("softplus")
def _softplus(c: Call) -> str:
    beta, bound = float(c.number(1)), float(c.number(2))
    scaled = _scaled(c, c.x(), beta) if beta != 1 else c.x()
    curve = _stable_softplus(c, scaled)
    return c.op("Where", c.op("Greater", scaled, c.constant(bound)), c.x(), _scaled(c, curve, 1 / beta))


@lowering("hardtanh", "clamp", "clamp_min", "clamp_max", "clamp_tensor", "clamp_min_tensor", "clamp_max_tensor")
def _clamped(c: Call) -> str:
    bounds = [c.x(i) if c.given(i) else "" for i in (1, 2)]
    if all(not c.given(i) or not c.shape(i) for i in (1, 2)):
        return c.op("Clip", c.x(), *bounds)
    found = c.op("Max", c.x(), bounds[0]) if bounds[0] else c.x()
    return c.op("Min", found, bounds[1]) if bounds[1] else found


@lowering("threshold")
def _threshold(c: Call) -> str:
    return c.op("Where", c.op("LessOrEqual", c.x(), c.x(1)), c.x(2), c.x())


@lowering("hardshrink")
def _hardshrink(c: Call) -> str:
    small = c.op("LessOrEqual", c.op("Abs", c.x()), c.x(1))
    return c.op("Where", small, c.constant(0), c.x())


@lowering("softshrink")
def _softshrink(c: Call) -> str:
    bound = float(c.number(1))
    return c.op("Shrink", c.x(), lambd=bound, bias=bound)


# ---------------------------------------------------------------------------------------------------------------------
# Division with a remainder


def _floor_divided(c: Call, x: str, y: str) -> str:
    if c.compute.is_floating_point:
        return c.op("Floor", c.op("Div", x, y))
    return c.op("Div", c.op("Sub", x, c.op("Mod", x, y)), y)


@lowering("floor_divide", "div_floor")
def _floor_divide(c: Call) -> str:
    return _floor_divided(c, c.x(0), c.x(1))


@lowering("div_trunc")
def _trunc_divide(c: Call) -> str:
    found = c.op("Div", c.x(0), c.x(1))
    return _truncated(c, found) if c.compute.is_floating_point else found


@lowering("remainder", "remainder_tensor")
def _remainder(c: Call) -> str:
    """Of the divisor's sign."""
    x, y = c.x(0), c.x(1)
    if not c.compute.is_floating_point:
        return c.op("Mod", x, y)
    return c.op("Sub", x, c.op("Mul", _floor_divided(c, x, y), y))


@lowering("fmod", "fmod_tensor")
def _fmod(c: Call) -> str:
    return c.op("Mod", c.x(0), c.x(1), fmod=1)


@lowering("pow_fixed")
def _fixed_power(c: Call) -> str:
    exponent = c.attributes["exponent"]
    if exponent == 2:
        return c.op("Mul", c.x(), c.x())
    if exponent == 0.5:
        return c.op("Sqrt", c.x())
    if exponent == 1:
        return c.op("Identity", c.x())
    return c.op("Pow", c.x(), c.constant(exponent))


# ---------------------------------------------------------------------------------------------------------------------
# Several operands


@lowering("where")
def _where(c: Call) -> str:
    return c.op("Where", c.x(0, dtypes.bool_), c.x(1, c.dtype), c.x(2, c.dtype))


@lowering("masked_fill", "masked_fill_tensor")
def _masked_fill(c: Call) -> str:
    return c.op("Where", c.x(1, dtypes.bool_), c.x(2, c.dtype), c.x(0, c.dtype))


@lowering("lerp", "lerp_tensor")
def _lerp(c: Call) -> str:
    return c.op("Add", c.x(0), c.op("Mul", c.x(2), c.op("Sub", c.x(1), c.x(0))))


@lowering("addcmul", "addcdiv")
def _add_combined(c: Call) -> str:
    kind = "Mul" if c.node.op.name == "addcmul" else "Div"
    return c.op("Add", c.x(0), c.op("Mul", c.x(3), c.op(kind, c.x(1), c.x(2))))


@lowering("native_dropout")
def _dropped(c: Call) -> str:
    return c.op("Mul", c.op("Mul", c.x(0, c.dtype), c.x(1, c.dtype)), c.x(2, c.dtype))


@lowering("hypot")
def _hypot(c: Call) -> str:
    return c.op("Sqrt", c.op("Add", *[c.op("Mul", x, x) for x in (c.x(0), c.x(1))]))


@lowering("logaddexp")
def _logaddexp(c: Call) -> str:
    x, y = c.x(0), c.x(1)
    apart = c.op("Neg", c.op("Abs", c.op("Sub", x, y)))
    return c.op("Add", c.op("Max", x, y), c.op("Log", _plus(c, c.op("Exp", apart), 1)))


@lowering("atan2")
def _atan2(c: Call) -> str:
    """From the quotient's angle, put into the right quadrant (https://en.wikipedia.org/wiki/Atan2)."""
    y, x = c.x(0), c.x(1)
    zero = c.constant(0)
    half = c.op("Where", c.op("Less", y, zero), c.constant(-math.pi), c.constant(math.pi))
    turned = c.op("Where", c.op("Less", x, zero), half, zero)
    sideways = c.op("Mul", c.op("Sign", y), c.constant(math.pi / 2))
    return c.op("Where", c.op("Equal", x, zero), sideways, c.op("Add", c.op("Atan", c.op("Div", y, x)), turned))


@lowering("nan_to_num")
def _nan_to_num(c: Call) -> str:
    info = dtypes.finfo(c.dtype)
    nan, high, low = [c.number(i) if c.given(i) else None for i in (1, 2, 3)]
    found = c.op("Where", c.op("IsNaN", c.x()), c.constant(nan or 0.0), c.x())
    above = c.op("IsInf", found, detect_negative=0)
    found = c.op("Where", above, c.constant(info.max if high is None else high), found)
    below = c.op("IsInf", found, detect_positive=0)
    return c.op("Where", below, c.constant(info.min if low is None else low), found)


@lowering("copy_from", "fill", "fill_tensor", "filled", "filled_tensor", "zero")
def _filled(c: Call) -> str:
    """The second operand in the first one's shape."""
    kind = c.dtype
    source = c.x(1, kind) if c.given(1) else c.constant(0, kind)
    return c.op("Expand", source, c.ints(c.result.shape))


@lowering("forget")
def _forget(c: Call) -> str:
    return c.raw(1)


@lowering("isin")
def _isin(c: Call) -> str:
    """Whether an element is equal to any of a list."""
    kind = c.value(0).dtype
    same = c.op("Equal", c.unsqueeze(c.raw(0), c.rank(0)), c.reshape(c.x(1, kind), [-1]))
    found = c.cast(c.reduce("ReduceMax", c.cast(same, dtypes.int32), [c.rank(0)], False), dtypes.bool_)
    return c.op("Not", found) if c.attributes["invert"] else found


@lowering("searchsorted")
def _searchsorted(c: Call) -> str:
    """How many of the sorted numbers come before each value."""
    if c.rank(0) != 1:
        raise NotImplementedError("several sorted rows")
    kind = c.value(0).dtype
    before = "LessOrEqual" if c.attributes["right"] else "Less"
    found = c.op(before, c.raw(0), c.unsqueeze(c.x(1, kind), c.rank(1)))
    return c.reduce("ReduceSum", c.cast(found, c.dtype), [c.rank(1)], False)
