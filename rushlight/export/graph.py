"""A program for any size: recordings of it at several sizes, laid side by side.

Numbers that a program computes from sizes in Python (`x.shape[0] * heads`, the target of a `view`) stand in a recording
as plain integers. Where the same operations are recorded at other sizes, those that depend on a size are the ones that
differ: they become `Varying`, one integer for each recording, and `sizes.py` finds out how they are computed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from rushlight.core.dtype import dtype as Dtype
from rushlight.record.operation import Operation
from rushlight.utils._pytree import TreeSpec

from .recording import NUMBER, RESULT, Item, Recorded, Recording


class Diverges(NotImplementedError):
    """The program is another one at another size."""


@dataclass(frozen=True)
class Varying:
    """A number that depends on sizes: what it was in each recording."""

    numbers: tuple[Any, ...]

    def __repr__(self) -> str:
        return f"size{list(self.numbers)}"


Dim = int | Varying


@dataclass(eq=False)
class Value:
    """A value of the program: `kind` and `name` as an `Item`'s, its shape, and its numbers in each recording."""

    kind: str
    name: Any
    shape: tuple[Dim, ...]
    dtype: Dtype
    wrapped: bool
    data: tuple[Any, ...]
    maker: Node | None = None
    users: list[Node] = field(default_factory=list)

    @property
    def number(self) -> Any:
        """A Python number among the operands, or `Varying`."""
        return side_by_side(self.data)

    @property
    def array(self) -> np.ndarray:
        """The elements of a constant, parameter or buffer. Raises Diverges if they depend on a size."""
        first = self.data[0]
        if not all(a is first or np.array_equal(a, first, equal_nan=a.dtype.kind == "f") for a in self.data[1:]):
            raise Diverges("a tensor that no recorded operation has made has other elements at another size")
        return np.asarray(first)


@dataclass(eq=False)
class Node:
    """One operation: its attributes may be `Varying`, and `layer` is the path of the layer that did it."""

    op: Operation
    attributes: dict[str, Any]
    compute: Dtype | None
    inputs: tuple[Value | None, ...]
    outputs: tuple[Value, ...]
    layer: str
    single: bool  # its result is a tensor, not a tuple of them


@dataclass(eq=False)
class Graph:
    """The program: nodes in order, its tensor arguments by number, its results (None where it returns None)."""

    nodes: list[Node]
    inputs: dict[int, Value]
    results: list[Value | None]
    result_tree: TreeSpec
    written: list[str]  # parameters and buffers that the model writes to, which the graph does not show

    @property
    def state(self) -> dict[str, Value]:
        """The parameters and buffers that are used, by name."""
        return {v.name: v for v in self.values() if v.kind == "state"}

    def values(self) -> list[Value]:
        """All values, in the order in which they are met."""
        nodes = [v for node in self.nodes for v in (*node.inputs, *node.outputs) if v is not None]
        return list(dict.fromkeys([*self.inputs.values(), *nodes, *[v for v in self.results if v is not None]]))


def merge(recordings: Sequence[Recording], inputs: dict[int, list[Any]]) -> Graph:
    """The program that all the recordings are of; `inputs` has the Specs of the tensor arguments by their numbers.

    Raises:
        Diverges: they are not of the same program.
    """
    first = recordings[0]
    for other in recordings[1:]:
        _check_same(first, other)
    made = {k: Value("input", k, _shapes(specs), specs[0].dtype, False, ()) for k, specs in inputs.items()}
    values: list[Value] = []
    for items in zip(*[r.items for r in recordings], strict=True):
        known = made.get(items[0].name) if items[0].kind == "input" else None
        values.append(known or _value(items))
    nodes = [_node(same, values) for same in zip(*[r.operations for r in recordings], strict=True)]
    results = [None if i is None else values[i] for i in first.results]
    return Graph(nodes, made, results, first.result_tree, first.written)


def _check_same(first: Recording, other: Recording) -> None:
    for a, b in zip(first.operations, other.operations):
        if a.op is not b.op or a.inputs != b.inputs or a.outputs != b.outputs:
            raise Diverges(f"{_place(a)} there is {a.op.name} at one size where there is {b.op.name} at another")
    if len(first.operations) != len(other.operations) or len(first.items) != len(other.items):
        raise Diverges("the model does more or fewer operations at another size")
    if first.result_tree != other.result_tree or first.results != other.results:
        raise Diverges("the model returns something else at another size")


def _place(operation: Recorded) -> str:
    return f"in layer {operation.layer!r}," if operation.layer else "in the model,"


def _value(items: tuple[Item, ...]) -> Value:
    first = items[0]
    if any((i.kind, i.name, i.spec.dtype, i.spec.ndim) != (first.kind, first.name, first.spec.dtype, first.spec.ndim)
           for i in items):  # fmt: skip
        raise Diverges("a tensor is another one")
    data = () if first.kind == RESULT else tuple([i.data for i in items])
    return Value(first.kind, first.name, _shapes([i.spec for i in items]), first.spec.dtype, first.kind == NUMBER, data)


def _shapes(specs: Sequence[Any]) -> tuple[Dim, ...]:
    return tuple([side_by_side(n) for n in zip(*[s.shape for s in specs], strict=True)])


def _node(same: tuple[Recorded, ...], values: list[Value]) -> Node:
    first = same[0]
    try:
        attributes = {name: side_by_side([r.attributes[name] for r in same]) for name in first.attributes}
    except Diverges as why:
        raise Diverges(f"{_place(first)} {first.op.name} {why}") from None
    inputs = tuple([None if i is None else values[i] for i in first.inputs])
    node = Node(first.op, attributes, first.compute, inputs, tuple([values[i] for i in first.outputs]), first.layer,
                first.single)  # fmt: skip
    for made in node.outputs:
        made.maker = node
    for read in inputs:
        if read is not None:
            read.users.append(node)
    return node


def side_by_side(parts: Sequence[Any]) -> Any:
    """The same thing from each recording: itself if it is equal, Varying where numbers differ, also inside tuples."""
    first = parts[0]
    if all(p is first or (type(p) is type(first) and p == first) for p in parts):
        return first
    if all(type(p) is type(first) for p in parts):
        if isinstance(first, (int, float)) and not isinstance(first, bool):
            return Varying(tuple(parts))
        if isinstance(first, tuple) and len({len(p) for p in parts}) == 1:
            inner = [side_by_side(column) for column in zip(*parts, strict=True)]
            return type(first)(*inner) if hasattr(first, "_fields") else tuple(inner)
    raise Diverges("depends on a size in a way that no one graph can follow")
