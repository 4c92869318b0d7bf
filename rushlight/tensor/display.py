"""`repr`, `str` and `format` of tensors."""

from __future__ import annotations

from typing import Any

from rushlight.ops.public import attach
from rushlight.record.trace import realize, settle
from rushlight.record.value import Leaf, Node, Tensor

from .printing import format_tensor


def _repr(self: Tensor, *, tensor_contents: Any = None) -> str:
    spec = settle(self).spec
    node = self._node
    shown = None
    if isinstance(node, Node):
        from rushlight.autograd.tape import node_name

        shown = node_name(node)
    name = _class_name(type(self))
    text = format_tensor(
        realize(self), spec.dtype, spec.device, requires_grad=isinstance(node, Leaf), grad_fn_name=shown,
        class_name=name,
    )  # fmt: skip
    return text if name == "tensor" or not getattr(self, "_is_param", False) else f"Parameter({text})"


def _class_name(kind: type[Tensor]) -> str:
    """What stands before the numbers: the name of a program's own subclass."""
    return "tensor" if kind.__module__.startswith("rushlight.") else kind.__name__


attach("__repr__", _repr)


def _format(self: Tensor, spec: str) -> str:
    if self.dim() == 0 and type(self) is Tensor:
        return format(self.item(), spec)
    return object.__format__(self, spec)


attach("__format__", _format)
