"""`torch._foreach_*`: one operation on each tensor of a list. Programs that write optimizers by hand call them.

Each is a loop here: the calls are recorded, and computed together, whichever way they are written. A function hands
back a tuple of new tensors; its in-place form computes all of them before it writes any, and hands back the list.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import rushlight
from rushlight.ops.public import write_back
from rushlight.tensor import Tensor

Tensors = Sequence[Tensor]
Results = tuple[Tensor, ...]

UNARY = """
    abs acos asin atan ceil cos cosh erf erfc exp expm1 floor frac lgamma log log10 log1p log2 neg reciprocal round
    rsqrt sigmoid sign sin sinh sqrt tan tanh trunc
""".split()
BINARY = "add sub mul div pow maximum minimum clamp_max clamp_min".split()
TERNARY = ("addcmul", "addcdiv")


def _checked(tensors: Any, position: int = 0) -> Tensors:
    """The list, if it is one of tensors, and not empty."""
    for place, x in enumerate(tensors):
        if not isinstance(x, Tensor):
            raise TypeError(
                f"expected Tensor as element {place} in argument {position}, but got {type(x).__name__}"
            )
    if not tensors:
        raise RuntimeError("Tensor list must have at least one tensor.")
    return tensors  # type: ignore[no-any-return]


def _each(others: Any, count: int) -> Sequence[Any]:
    """One operand for each tensor: members of a list, or the same one for all."""
    if isinstance(others, Tensor) and others.dim():
        raise RuntimeError(
            f"scalar tensor expected to be 0 dim but it has {others.dim()} dimensions and {others.numel()} elements."
        )
    if not isinstance(others, (list, tuple)):
        return [others] * count
    if len(others) == count:
        return others
    if others and not isinstance(others[0], Tensor):
        raise RuntimeError("Tensor list must have same number of elements as scalar list.")
    raise RuntimeError(f"Tensor lists must have the same number of tensors, got {count} and {len(others)}")


def _factors(scalars: Any, count: int) -> Sequence[Any]:
    """The factor of each tensor: one number, a list, or a tensor with a number for each."""
    if not isinstance(scalars, Tensor):
        return _each(scalars, count)
    if scalars.dim() != 1:
        raise RuntimeError(f"Expected packed scalar Tensor to be of dimension 1. Got {scalars.dim()} instead.")
    if len(scalars) != count:
        raise RuntimeError(
            f"Expected length of scalars to match input of length {count} but got {len(scalars)} instead."
        )
    return scalars.tolist()  # type: ignore[no-any-return]


def _operand(x: Any, like: Tensor) -> Any:
    """A number as a tensor where the operation takes only tensors."""
    return x if isinstance(x, Tensor) else rushlight.full_like(like, x)


def _binary(name: str, x: Tensor, other: Any, options: dict[str, Any]) -> Tensor:
    if name in ("maximum", "minimum"):
        other = _operand(other, x)
    return getattr(rushlight, name)(x, other, **options)  # type: ignore[no-any-return]


def _computed(name: str) -> Callable[..., Results]:
    """The function that makes new tensors."""

    def unary(self: Tensors) -> Results:
        return tuple(getattr(rushlight, name)(x) for x in _checked(self))

    def binary(self: Any, other: Any, **options: Any) -> Results:
        if name == "pow" and isinstance(self, (int, float, complex)):  # a number to the power of each tensor
            return tuple(rushlight.pow(self, x) for x in _checked(other, 1))
        others = _each(other, len(_checked(self)))
        return tuple(_binary(name, x, y, options) for x, y in zip(self, others, strict=True))

    def ternary(input: Tensors, tensor1: Tensors, tensor2: Tensors, scalars: Any = None, value: float = 1) -> Results:
        count = len(_checked(input))
        first, second = _each(_checked(tensor1, 1), count), _each(_checked(tensor2, 2), count)
        factors = _factors(value if scalars is None else scalars, count)
        operation = getattr(rushlight, name)
        return tuple(operation(x, a, b, value=v) for x, a, b, v in zip(input, first, second, factors, strict=True))

    return unary if name in UNARY else binary if name in BINARY else ternary


def _lerp(self: Tensors, tensors1: Tensors, weight: Any = None, **named: Any) -> Results:
    ends = _each(_checked(tensors1, 1), len(_checked(self)))
    weights = _each(named.get("weights", named.get("scalars", weight)), len(self))
    return tuple(rushlight.lerp(x, y, w) for x, y, w in zip(self, ends, weights, strict=True))


def _norm(self: Tensors, ord: float = 2, dtype: Any = None) -> Results:
    return tuple(rushlight.linalg.vector_norm(x, ord, dtype=dtype) for x in _checked(self))


def _powsum(self: Tensors, ord: float = 2, dtype: Any = None) -> Results:
    """What a norm takes the root of."""
    return tuple(x.abs().pow(ord).sum(dtype=dtype) for x in _checked(self))


def _mm(self: Tensors, mat2: Tensors) -> Results:
    others = _each(_checked(mat2, 1), len(_checked(self)))
    return tuple(rushlight.mm(x, y) for x, y in zip(self, others, strict=True))


def _clone(self: Tensors) -> Results:
    return tuple(x.clone() for x in _checked(self))


def _max(self: Tensors) -> Results:
    return tuple(x.max() for x in _checked(self))


def _copy_(self: Tensors, src: Tensors, non_blocking: bool = False) -> Tensors:
    for x, y in zip(self, _each(_checked(src, 1), len(_checked(self))), strict=True):
        x.copy_(y)
    return self


def _zero_(self: Tensors) -> Tensors:
    for x in _checked(self):
        x.zero_()
    return self


def _written(computed: Callable[..., Results]) -> Callable[..., Tensors]:
    """The in-place form: everything is computed before anything is written."""

    def write(self: Tensors, *args: Any, **kwargs: Any) -> Tensors:
        for x, result in zip(self, computed(self, *args, **kwargs), strict=True):
            write_back(x, result)
        return self

    return write


#: `_foreach_<name>` -> the function.
FOREACH: dict[str, Callable[..., Any]] = {name: _computed(name) for name in (*UNARY, *BINARY, *TERNARY)}
FOREACH["lerp"] = _lerp
FOREACH |= {f"{name}_": _written(computed) for name, computed in FOREACH.items()}
FOREACH |= {"norm": _norm, "powsum": _powsum, "mm": _mm, "clone": _clone, "max": _max}
FOREACH |= {"copy_": _copy_, "zero_": _zero_}

for _name, _function in FOREACH.items():
    _function.__name__ = _function.__qualname__ = f"_foreach_{_name}"
    globals()[f"_foreach_{_name}"] = _function
