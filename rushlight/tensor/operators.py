"""Python's operators on tensors."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

from rushlight.core.caller import stacklevel
from rushlight.ops.arithmetic import add, div, floor_divide, mul, pow, remainder, reversed_div, rsub, sub
from rushlight.ops.matmul import matmul
from rushlight.ops.public import METHODS, attach
from rushlight.record.trace import realize, recorder, settle
from rushlight.record.value import Tensor

NUMBERS = (int, float, complex)


def _operand(other: Any) -> bool:
    """Whether Python's operator can take this on; anything else gets its own chance."""
    if isinstance(other, Tensor) or other.__class__ in (int, float, bool, complex):
        return True
    return isinstance(other, NUMBERS) or hasattr(other, "__array__") and getattr(other, "ndim", 1) == 0


def _value(other: Any) -> Any:
    """A NumPy array without dimensions as a Python number; `apply` takes the other kinds of numbers."""
    return other.item() if not isinstance(other, Tensor) and hasattr(other, "__array__") else other


def _binary(name: str, f: Callable[..., Any], swapped: bool = False) -> None:
    def forward(self: Tensor, other: Any) -> Any:
        if other.__class__ in (Tensor, float, int):
            return f(self, other)
        if not _operand(other):
            return NotImplemented if not hasattr(other, "__array__") else f(self, _from_array(other))
        return f(self, _value(other))

    def backward(self: Tensor, other: Any) -> Any:
        if not _operand(other):
            return NotImplemented if not hasattr(other, "__array__") else f(_from_array(other), self)
        return f(_value(other), self)

    chosen = backward if swapped else forward
    chosen.__name__ = chosen.__qualname__ = name
    setattr(Tensor, name, chosen)


def _from_array(other: Any) -> Tensor:
    from .construct import as_tensor

    return as_tensor(other)


for _name, _f in (("add", add), ("sub", sub), ("mul", mul), ("truediv", div), ("floordiv", floor_divide),
                  ("mod", remainder), ("pow", pow), ("matmul", matmul)):  # fmt: skip
    _binary(f"__{_name}__", _f)
    _binary(f"__r{_name}__", _f, swapped=True)
for _name, _method in (("and", "bitwise_and"), ("or", "bitwise_or"), ("xor", "bitwise_xor"),
                       ("lshift", "bitwise_left_shift"), ("rshift", "bitwise_right_shift")):  # fmt: skip
    _binary(f"__{_name}__", METHODS[_method])
    _binary(f"__r{_name}__", METHODS[_method], swapped=True)
_binary("__rsub__", lambda other, self: rsub(self, other), swapped=True)
_binary("__rtruediv__", lambda other, self: reversed_div(self, other), swapped=True)
for _name in ("eq", "ne", "lt", "le", "gt", "ge"):
    _binary(f"__{_name}__", METHODS[_name])


def _in_place(name: str, method: str) -> None:
    f = METHODS[method]

    def update(self: Tensor, other: Any) -> Any:
        if not _operand(other):
            return NotImplemented if not hasattr(other, "__array__") else f(self, _from_array(other))
        return f(self, _value(other))

    update.__name__ = update.__qualname__ = name
    setattr(Tensor, name, update)


for _name, _method in (("add", "add_"), ("sub", "sub_"), ("mul", "mul_"), ("truediv", "div_"),
                       ("floordiv", "floor_divide_"), ("mod", "remainder_"), ("pow", "pow_"), ("and", "bitwise_and_"),
                       ("or", "bitwise_or_"), ("xor", "bitwise_xor_"), ("lshift", "bitwise_left_shift_"),
                       ("rshift", "bitwise_right_shift_")):  # fmt: skip
    _in_place(f"__i{_name}__", _method)

attach("__neg__", METHODS["neg"])
def _invert(self: Tensor) -> Any:
    kind = settle(self).spec.dtype
    if kind.is_floating_point or kind.is_complex:
        raise TypeError("~ (operator.invert) is only implemented on integer and Boolean-type tensors")
    return METHODS["bitwise_not"](self)


attach("__invert__", _invert)
attach("__pos__", METHODS["positive"])
attach("__hash__", lambda self: id(self))


def _abs(self: Tensor) -> Tensor:
    return self.abs()


attach("__abs__", _abs)


def _only_element(self: Tensor) -> Any:
    array = realize(self)
    if array.size != 1:
        raise RuntimeError(f"a Tensor with {array.size} elements cannot be converted to Scalar")
    return array.item()


def item(self: Tensor) -> Any:
    """The only element, as a Python number.

    >>> torch.tensor([2.5]).item()
    2.5
    """
    return _only_element(self)


METHODS["item"] = item


def _bool(self: Tensor) -> bool:
    array = realize(self)
    if array.size == 1:
        return bool(array.reshape(-1)[0])
    if array.size == 0:
        raise RuntimeError("Boolean value of Tensor with no values is ambiguous")
    raise RuntimeError("Boolean value of Tensor with more than one value is ambiguous")


attach("__bool__", _bool)


def _scalar(self: Tensor) -> Any:
    if settle(self).spec.numel != 1:
        raise ValueError("only one element tensors can be converted to Python scalars")
    return _only_element(self)


_warned = False


def _number(self: Tensor) -> Any:
    """The element for `float(t)` and `complex(t)`, which warn once of the history that is left behind; `item` does
    not."""
    global _warned
    found = _scalar(self)
    if self._node is not None and not _warned and recorder().tracking:
        _warned = True
        warnings.warn(
            "Converting a tensor with requires_grad=True to a scalar may lead to unexpected behavior.\n"
            "Consider using tensor.detach() first.",
            UserWarning,
            stacklevel=stacklevel(),
        )
    return found


def _float(self: Tensor) -> float:
    found = _number(self)
    if isinstance(found, complex):
        if found.imag:
            raise RuntimeError("value cannot be converted to type double without overflow")
        return found.real
    return float(found)


attach("__float__", _float)


def _int(self: Tensor) -> int:
    found = _scalar(self)
    if isinstance(found, complex):
        if found.imag:
            raise RuntimeError("value cannot be converted to type int64_t without overflow")
        return int(found.real)
    return int(found)


attach("__int__", _int)
attach("__complex__", lambda self: complex(_number(self)))


def _index(self: Tensor) -> int:
    spec = settle(self).spec
    if spec.dtype.is_floating_point or spec.dtype.is_complex or spec.numel != 1:
        raise TypeError("only integer tensors of a single element can be converted to an index")
    return int(_only_element(self))


attach("__index__", _index)


def _len(self: Tensor) -> int:
    shape = settle(self).spec.shape
    if not shape:
        raise TypeError("len() of a 0-d tensor")
    return shape[0]


attach("__len__", _len)


def _iter(self: Tensor) -> Any:
    if not settle(self).spec.shape:
        raise TypeError("iteration over a 0-d tensor")
    return iter(self.unbind(0))


attach("__iter__", _iter)


def _reversed(self: Tensor) -> Tensor:
    return self if self.dim() == 0 else self.flip(0)


attach("__reversed__", _reversed)


def _contains(self: Tensor, element: Any) -> bool:
    if isinstance(element, (Tensor, *NUMBERS)):
        return bool((self == element).any())
    raise RuntimeError(f"Tensor.__contains__ only supports Tensor or scalar, but you passed in a {type(element)}.")


attach("__contains__", _contains)
