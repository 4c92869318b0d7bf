"""Views: other shapes, orders and parts of memory that is there already.

A view Symbol holds no numbers; its `data` is a function from where its source lies, (strides, offset), to where the
view lies in the same memory.  `Plan.memory` follows a chain of views down to what is stored.  The layouts are the
operations' own (`Operation.layouts`), the ones that give their results their Specs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .capture import NotLowered, Symbol, broadcast
from .complex import Complex, looked_at_by_parts, part_looked_at

if TYPE_CHECKING:
    from rushlight.record.spec import Spec
    from rushlight.record.trace import Step

Lies = tuple[tuple[int, ...], int]  # strides and offset, in elements


def views_of(step: Step, operands: list[Any]) -> list[Symbol]:
    """The results of a view operation: each a look at the first operand, some at an offset that is a number."""
    x, *numbers = operands
    if not isinstance(x, Symbol) or x.kind == "number" or len(numbers) > 1:
        raise NotLowered("a view of a number")
    if any(spec.numpy != x.dtype for spec in step.specs):
        raise NotLowered("memory read as another dtype")
    if isinstance(x, Complex):
        return [looked_at_by_parts(x, numbers, spec.shape, Look(step, k)) for k, spec in enumerate(step.specs)]
    if x.kind == "broadcast" and not x.args[0].shape:
        x = x.args[0]  # one number everywhere, however one looks at it
    if not x.shape:
        return [broadcast(x, spec.shape) for spec in step.specs]
    return [_view(x, numbers, spec, Look(step, k)) for k, spec in enumerate(step.specs)]


def _view(x: Symbol, numbers: list[Any], spec: Spec, look: Look) -> Symbol:
    part = None if numbers else part_looked_at(x, spec.shape, look)
    return Symbol("view", (x, *numbers), spec.shape, spec.numpy, look) if part is None else part


class Look:
    """Where one result of a view operation lies.

    Attributes:
        expected: the strides that its source has by its Spec, with which the look is possible.
    """

    __slots__ = ("attributes", "expected", "k", "layouts", "shape")

    def __init__(self, step: Step, k: int) -> None:
        source = step.input_specs[0]
        assert source is not None
        self.shape, self.expected = source.shape, source.strides
        self.layouts, self.attributes, self.k = step.op.layouts, step.attributes, k

    def __call__(self, strides: tuple[int, ...], offset: int) -> Lies:
        assert self.layouts is not None
        return self.layouts(self.shape, strides, offset, **self.attributes)[self.k][1:]


def look_through(x: Symbol, strides: tuple[int, ...], offset: int) -> Lies:
    """Where a view lies, given where its source does; NotLowered where the source's strides do not allow it."""
    if x.data is None:
        return strides[::-1], offset
    try:
        found, start = x.data(strides, offset)
    except (RuntimeError, ValueError) as failure:
        raise NotLowered(f"a view of memory laid out otherwise: {failure}") from None
    return tuple(found), start
