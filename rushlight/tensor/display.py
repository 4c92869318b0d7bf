"""`repr`, `str` and `format` of tensors."""

from __future__ import annotations

from typing import Any

from rushlight.record.trace import realize, settle
from rushlight.record.value import Leaf, Node, Tensor

from .printing import format_tensor


def _repr(self: Tensor, *, tensor_contents: Any = None) -> str:
    spec = settle(self).spec
    node = self._node
    shown = None
    if isinstance(node, Node):
        from rushlight.autograd.gradient import node_name

        shown = node_name(node)
    return format_tensor(
        realize(self), spec.dtype, spec.device, requires_grad=isinstance(node, Leaf), grad_fn_name=shown
    )


Tensor.__repr__ = _repr  # type: ignore[method-assign, assignment]
Tensor.__str__ = _repr  # type: ignore[method-assign, assignment]


def _format(self: Tensor, spec: str) -> str:
    if self.dim() == 0 and type(self) is Tensor:
        return format(self.item(), spec)
    return object.__format__(self, spec)


Tensor.__format__ = _format  # type: ignore[method-assign]
