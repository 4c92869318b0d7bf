"""A traced graph as an `fx` graph: a call for each operation, and arithmetic on sizes where sizes are left open."""

from __future__ import annotations

import operator
from collections.abc import Callable
from functools import cache
from typing import Any

from rushlight import fx
from rushlight.record.memory import relayout
from rushlight.record.operation import Operation
from rushlight.record.trace import apply
from rushlight.tensor import FUNCTIONS

from .graph import Graph, Value, Varying
from .sizes import Sizes


def size_of(x: Any, dim: int) -> int:
    """The size of one dimension."""
    return int(x.shape[dim])


def _filled(value: Any, *, shape: Any, dtype: Any) -> Any:
    return FUNCTIONS["full"](shape, value, dtype=dtype)


#: Operations whose attributes say how numbers lie in memory, which is another way at another size.
IN_ANY_LAYOUT: dict[str, Callable[..., Any]] = {
    "full": _filled,
    "view": lambda x, *, to: x.reshape(to),
}


UNREAD = {"full": ("strides",)}  # attributes that these do not need


@cache
def call_of(op: Operation) -> Callable[..., Any]:
    """The operation as a function of its operands and, by keyword, its attributes."""

    def call(*operands: Any, **attributes: Any) -> Any:
        other = IN_ANY_LAYOUT.get(op.name)
        if other is not None:
            return other(*operands, **attributes)
        if "layout" in attributes:
            operands = (relayout(operands[0], attributes["layout"]), *operands[1:])
        return apply(op, operands, tuple([attributes[name] for name in op.attributes]))

    call.__name__ = call.__qualname__ = op.name
    return call


class Writer:
    """Writes the fx graph; `given` makes the node of a value that is no result."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.made = fx.Graph()
        self.nodes: dict[Value, fx.Node] = {}
        self.sizes = Sizes()

    def take(self, value: Value, node: fx.Node) -> None:
        """From here on the value is this node's."""
        self.nodes[value] = node
        self.sizes.meet(value)

    def write(self) -> fx.Graph:
        """Writes all operations, and the results as a list, behind what was taken before."""
        for node in self.graph.nodes:
            self.sizes.near = node.inputs
            operands = tuple([self._operand(v) for v in node.inputs])
            unread = UNREAD.get(node.op.name, ())
            attributes = {name: self._number(a, name) for name, a in node.attributes.items() if name not in unread}
            made = self.made.call_function(call_of(node.op), operands, attributes)
            made.meta["layer"] = node.layer
            if node.single:
                self.take(node.outputs[0], made)
            else:
                for k, value in enumerate(node.outputs):
                    if value.users or value in self.graph.results:
                        self.take(value, self.made.call_function(operator.getitem, (made, k)))
        self.made.output([None if v is None else self._operand(v) for v in self.graph.results])
        return self.made

    def _operand(self, value: Value | None) -> Any:
        if value is None or value in self.nodes:
            return None if value is None else self.nodes[value]
        return self._number(value.number, "number")

    def _number(self, part: Any, name: str) -> Any:
        """A number or an attribute, in which nodes stand for what depends on sizes."""
        if isinstance(part, tuple):
            inner = [self._number(p, "") for p in part]
            return type(part)(*inner) if hasattr(part, "_fields") else tuple(inner)
        if not isinstance(part, Varying):
            return part
        if isinstance(part.numbers[0], float) and all(n.is_integer() for n in part.numbers):
            return self.made.call_function(float, (self._number(Varying(tuple(map(int, part.numbers))), name),))
        how = self.sizes.expression(part)
        if how is None:
            raise NotImplementedError(f"torch.export: {name} {part} depends on a size in a way that is not understood")
        node: Any = None
        for place in how.factors:
            size = self.made.call_function(size_of, (self.nodes[place.value], place.axis))
            node = size if node is None else self.made.call_function(operator.mul, (node, size))
        if how.less is not None:
            less = self.made.call_function(size_of, (self.nodes[how.less.value], how.less.axis))
            node = self.made.call_function(operator.sub, (node, less))
        for function, number, neutral in (
            (operator.mul, how.times, 1), (operator.add, how.inner, 0), (operator.floordiv, how.over, 1),
            (operator.add, how.plus, 0),
        ):  # fmt: skip
            if number != neutral:
                node = self.made.call_function(function, (node, number))
        return node
