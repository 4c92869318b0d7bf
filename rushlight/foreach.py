"""`torch._foreach_*`: one operation on each tensor of a list. Programs that write optimizers by hand call them.

Each is a loop here: the calls are recorded, and computed together, whichever way they are written.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import rushlight
from rushlight.tensor import Tensor

Tensors = Sequence[Tensor]

UNARY = """
    abs acos asin atan ceil cos cosh erf erfc exp expm1 floor frac lgamma log log10 log1p log2 neg reciprocal round
    rsqrt sigmoid sign sin sinh sqrt tan tanh trunc
""".split()
BINARY = {"add": "add", "sub": "sub", "mul": "mul", "div": "div", "pow": "pow", "maximum": "maximum",
          "minimum": "minimum", "clamp_max": "clamp_max", "clamp_min": "clamp_min"}  # fmt: skip
TERNARY = ("addcmul", "addcdiv")


def _each(others: Any, count: int) -> list[Any]:
    """One operand for each tensor: members of a list, or the same one for all."""
    if not isinstance(others, (list, tuple)):
        return [others] * count
    if len(others) != count:
        raise RuntimeError(f"Tensor lists must have the same number of tensors, got {count} and {len(others)}")
    return list(others)


def _operand(x: Any, like: Tensor) -> Any:
    """A number as a tensor where the operation takes only tensors."""
    return x if isinstance(x, Tensor) else rushlight.full_like(like, x)


def _binary(name: str, x: Tensor, other: Any, options: dict[str, Any]) -> Tensor:
    if name in ("maximum", "minimum"):
        other = _operand(other, x)
    return getattr(rushlight, name)(x, other, **options)  # type: ignore[no-any-return]


def _computed(name: str) -> Callable[..., list[Tensor]]:
    """The function that makes new tensors."""

    def unary(self: Tensors) -> list[Tensor]:
        return [getattr(rushlight, name)(x) for x in self]

    def binary(self: Any, other: Any, **options: Any) -> list[Tensor]:
        if not isinstance(self, (list, tuple)):  # a number to the power of each tensor
            return [rushlight.pow(self, x) for x in other]
        return [_binary(BINARY[name], x, y, options) for x, y in zip(self, _each(other, len(self)))]

    def ternary(input: Tensors, tensor1: Tensors, tensor2: Tensors, scalars: Any = None, value: float = 1) -> Any:
        factors = _each(value if scalars is None else scalars, len(input))
        operation = getattr(rushlight, name)
        return [operation(x, a, b, value=v) for x, a, b, v in zip(input, tensor1, tensor2, factors)]

    return unary if name in UNARY else binary if name in BINARY else ternary


def _lerp(self: Tensors, tensors1: Tensors, weight: Any = None, **named: Any) -> list[Tensor]:
    weights = _each(named.get("weights", named.get("scalars", weight)), len(self))
    return [rushlight.lerp(x, y, w) for x, y, w in zip(self, tensors1, weights)]


def _norm(self: Tensors, ord: float = 2, dtype: Any = None) -> list[Tensor]:
    return [rushlight.linalg.vector_norm(x, ord, dtype=dtype) for x in self]


def _clone(self: Tensors) -> list[Tensor]:
    return [x.clone() for x in self]


def _max(self: Tensors) -> list[Tensor]:
    return [x.max() for x in self]


def _copy_(self: Tensors, src: Tensors, non_blocking: bool = False) -> Tensors:
    _each(list(src), len(self))
    for x, y in zip(self, src):
        x.copy_(y)
    return self


def _zero_(self: Tensors) -> None:
    for x in self:
        x.zero_()


def _written(computed: Callable[..., list[Tensor]]) -> Callable[..., Tensors]:
    """The in-place form: everything is computed before anything is written."""

    def write(self: Tensors, *args: Any, **kwargs: Any) -> Tensors:
        for x, result in zip(self, computed(self, *args, **kwargs)):
            x.copy_(result)
        return self

    return write


#: `_foreach_<name>` -> the function.
FOREACH: dict[str, Callable[..., Any]] = {name: _computed(name) for name in (*UNARY, *BINARY, *TERNARY)}
FOREACH["lerp"] = _lerp
FOREACH |= {f"{name}_": _written(computed) for name, computed in FOREACH.items()}
FOREACH |= {"norm": _norm, "clone": _clone, "max": _max, "copy_": _copy_, "zero_": _zero_}

for _name, _function in FOREACH.items():
    _function.__name__ = _function.__qualname__ = f"_foreach_{_name}"
    globals()[f"_foreach_{_name}"] = _function
