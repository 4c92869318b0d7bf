"""The tape: nodes, newest first, from where a backward pass begins to the leaves, and the gradients on their way.

What a pass has found so far is `pending`: for each node or leaf that awaits its turn, the sum of what has arrived at
each of its outputs.
"""

from __future__ import annotations

from collections.abc import Sequence
from operator import attrgetter
from typing import Any

from rushlight.record.spec import Spec
from rushlight.record.trace import recorder
from rushlight.record.value import Leaf, Node, Tensor, tensor_of, value_holding

Pending = dict[Any, list[Tensor | None]]


class PythonNode(Node):
    """A node whose derivative is the user's code (`autograd.Function`)."""

    name: str
    specs: tuple[Spec, ...]

    def derive(self, arrived: list[Any]) -> list[Any]:
        """The gradients of the operands, from those of the results."""
        raise NotImplementedError(f"{type(self).__name__}.derive")

    def input_specs(self) -> list[Spec | None]:
        """The Specs of the arguments that are tensors."""
        raise NotImplementedError(f"{type(self).__name__}.input_specs")


def reachable(roots: Sequence[Any]) -> tuple[list[Node], list[Leaf]]:
    """All nodes behind the roots, newest first, and the leaves in the order they were met."""
    nodes: list[Node] = []
    leaves: list[Leaf] = []
    seen: set[Any] = set()
    stack = [n for n in roots if n is not None]
    while stack:
        n = stack.pop()
        if n in seen:
            continue
        seen.add(n)
        if isinstance(n, Leaf):
            leaves.append(n)
        else:
            nodes.append(n)
            stack.extend(p for p in n.parents if p is not None)
    nodes.sort(key=attrgetter("seq"), reverse=True)
    return nodes, leaves


def attend(node: Any) -> None:
    """Somebody wants to hear of a pass through the node: it must be visited."""
    recorder().trace.regular = False
    origin = None if isinstance(node, Leaf) else node.origin or node.trace
    if origin is not None:
        origin.regular = False


def arrive(pending: Pending, node: Any, out: int, g: Tensor) -> None:
    """A gradient has come to an output of a node."""
    slots = pending.get(node)
    if slots is None:
        slots = pending[node] = [None] * (1 if isinstance(node, Leaf) else width(node))
    before = slots[out]
    slots[out] = g if before is None else sum_of(before, g)


def sum_of(before: Tensor, g: Tensor) -> Tensor:
    """The sum of two gradients, the dense one first if the other is sparse."""
    return before + g if before.__class__ is Tensor or not before.is_sparse or g.is_sparse else g + before


def width(node: Any) -> int:
    return len(node.specs) if isinstance(node, PythonNode) else len(node.step.specs)


def at_edge(edge: Any) -> Tensor:
    """A handle on a place of the tape: the leaf's tensor, or one that has no numbers."""
    node = edge.node.node
    if isinstance(node, Leaf):
        found = node.tensor
        if found is None:
            raise RuntimeError("the tensor of this GradientEdge, a leaf, is gone")
        return found
    specs = node.specs if isinstance(node, PythonNode) else node.step.specs
    made = tensor_of(value_holding(None, specs[edge.output_nr]))
    made._node, made._out = node, edge.output_nr
    return made


def short_name(node: Any) -> str:
    """The name of a node in PyTorch's messages: `Exp` for ExpBackward0, `Pow1` for PowBackward1."""
    return node_name(node).removesuffix("Backward0").replace("Backward", "")


def node_name(node: Any) -> str:
    """PyTorch's name for a node."""
    if isinstance(node, Leaf):
        return "AccumulateGrad"
    return node.name if isinstance(node, PythonNode) else node.step.op.node
