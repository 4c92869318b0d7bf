"""What a table's function gets: an operation of the graph, its operands by ONNX name, and the means to write nodes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any

import numpy as np

from rushlight.core.dtype import dtype as Dtype
from rushlight.export.graph import Dim, Diverges, Node, Value, Varying

from .builder import Builder, element_type, plain_name

Lowering = Callable[["Call"], Any]
TABLE: dict[str, Lowering] = {}
FAMILIES = ("pointwise", "reductions", "shapes", "indexing", "making", "products", "windows", "norms", "recurrent")


def lowering(*names: str) -> Callable[[Lowering], Lowering]:
    """Declares what the operations of these names are in ONNX.

    The function returns the name of the result, or those of the first results where the operation has several.
    """

    def declare(function: Lowering) -> Lowering:
        for name in names:
            TABLE[name] = function
        return function

    return declare


def lowering_of(name: str) -> Lowering | None:
    """What the operation of that name is in ONNX, if any table says."""
    if not TABLE:
        for family in FAMILIES:
            import_module(f"{__package__}.{family}")
    return TABLE.get(name)


class Call:
    """One operation to be written."""

    def __init__(self, node: Node, builder: Builder) -> None:
        self.node = node
        self.builder = builder
        self.attributes = node.attributes
        self.opset = builder.opset
        self.result: Value = node.outputs[0]
        self.dtype: Dtype = self.result.dtype
        self.compute: Dtype = node.compute or self.dtype  # operands are cast to it

    @property
    def recordings(self) -> int:
        """How many recordings there are, if anything here depends on sizes; else one."""
        shapes = [v.shape for v in (*self.node.inputs, *self.node.outputs) if v is not None]
        return max([len(n.numbers) for shape in shapes for n in shape if isinstance(n, Varying)], default=1)

    def __len__(self) -> int:
        return len(self.node.inputs)

    # ---- operands

    def given(self, i: int) -> bool:
        """Whether operand i is there."""
        return i < len(self.node.inputs) and self.node.inputs[i] is not None

    def value(self, i: int) -> Value:
        """Operand i as the graph knows it."""
        found = self.node.inputs[i]
        assert found is not None
        return found

    def shape(self, i: int) -> tuple[Dim, ...]:
        """The shape of operand i."""
        return self.value(i).shape

    def rank(self, i: int) -> int:
        """How many dimensions operand i has."""
        return len(self.value(i).shape)

    def raw(self, i: int) -> str:
        """Operand i, of its own dtype."""
        value = self.value(i)
        if value.kind == "number":
            return self.number_as(value.number, self.compute)
        return self.builder.values[value] if value in self.builder.values else self.constant(self.known(i))

    def known(self, i: int) -> Any:
        """The elements of operand i, where no argument and no parameter has a part in them, or None."""
        return self.builder.known(self.value(i))

    def x(self, i: int = 0, kind: Dtype | None = None) -> str:
        """Operand i, in the dtype that the operation computes in."""
        value, kind = self.value(i), kind or self.compute
        if value.kind == "number":
            return self.number_as(value.number, kind)
        return self.raw(i) if value.dtype is kind else self.cast(self.raw(i), kind)

    def all(self) -> list[str]:
        """All operands, in the dtype that the operation computes in."""
        return [self.x(i) for i in range(len(self))]

    def number(self, i: int) -> Any:
        """The Python number that operand i is. Raises NotImplementedError if it depends on a size or is a tensor."""
        value = self.value(i)
        if value.kind != "number":
            known = self.known(i)
            if known is None or known.size != 1:
                raise NotImplementedError(f"operand {self.node.op.operands[i]!r} is a tensor")
            return known.item()
        if isinstance(value.number, Varying):
            raise NotImplementedError(f"the number {value.number}, which depends on a size that is left open")
        return value.number

    def number_as(self, number: Any, kind: Dtype) -> str:
        """A number, also one that depends on a size, as a tensor without dimensions."""
        if not isinstance(number, Varying):
            return self.constant(number, kind)
        whole = Varying(tuple([int(n) if n == int(n) else n for n in number.numbers]))
        return self.cast(self.op("Squeeze", self.builder.dim(whole), self.ints([0])), kind)

    # ---- writing

    def op(self, kind: str, *inputs: str, **attributes: Any) -> str:
        """Writes a node with one result."""
        return str(self.builder.emit(kind, inputs, **attributes))

    def ops(self, kind: str, outputs: int, *inputs: str, **attributes: Any) -> tuple[str, ...]:
        """Writes a node with several results."""
        made = self.builder.emit(kind, inputs, outputs, **attributes)
        return (made,) if outputs == 1 else made

    def cast(self, name: str, kind: Dtype) -> str:
        """In another dtype."""
        return self.op("Cast", name, to=element_type(kind))

    def constant(self, number: Any, kind: Dtype | None = None) -> str:
        """A constant of a dtype: that of the operands if none is given and it is a number."""
        if isinstance(number, np.ndarray):
            return self.builder.constant(number, kind and kind.numpy)
        return self.builder.constant(np.asarray(number).astype((kind or self.compute).numpy))

    def ints(self, numbers: Sequence[Dim]) -> str:
        """Sizes or positions, as a tensor with one dimension."""
        return self.builder.ints(numbers)

    def reshape(self, name: str, shape: Sequence[Dim]) -> str:
        """In another shape, in which one size that is left open is worked out from the others."""
        open_ones = [k for k, n in enumerate(shape) if isinstance(n, Varying)]
        if len(open_ones) == 1 and all(n != 0 for n in shape):
            shape = [-1 if k == open_ones[0] else n for k, n in enumerate(shape)]
        return self.op("Reshape", name, self.ints(shape))

    def transpose(self, name: str, dims: Sequence[int]) -> str:
        """With the dimensions in another order."""
        return name if list(dims) == list(range(len(dims))) else self.op("Transpose", name, perm=list(dims))

    def unsqueeze(self, name: str, *axes: int) -> str:
        """With dimensions of one element there."""
        return self.op("Unsqueeze", name, self.ints(axes))

    def squeeze(self, name: str, *axes: int) -> str:
        """Without these dimensions of one element."""
        return self.op("Squeeze", name, self.ints(axes))

    def slice(self, name: str, axis: int, start: Dim, end: Dim, step: int = 1) -> str:
        """A part along a dimension."""
        return self.op("Slice", name, self.ints([start]), self.ints([end]), self.ints([axis]), self.ints([step]))

    def reduce(self, kind: str, name: str, axes: Sequence[int] | None, keepdims: bool) -> str:
        """A reduction; over all dimensions if none are named."""
        keep = int(keepdims)
        if self.opset >= 18 or kind == "ReduceSum":
            return self.op(kind, name, *([] if axes is None else [self.ints(axes)]), keepdims=keep)
        return self.op(kind, name, axes=None if axes is None else list(axes), keepdims=keep)

    def needs_opset(self, version: int) -> None:
        """Raises NotImplementedError if the file's opset is an older one."""
        if self.opset < version:
            raise NotImplementedError(f"pass opset_version={version} or newer; {self.opset} has no such operation")


def lower(node: Node, builder: Builder) -> None:
    """Writes the ONNX nodes of one operation.

    Raises:
        NotImplementedError: it has none; names the operation and the layer.
    """
    function = lowering_of(node.op.name)
    since = len(builder.nodes)
    builder.layer, builder.sizes.near = node.layer, node.inputs
    try:
        if function is None:
            raise NotImplementedError("ONNX has no such operation, or Rushlight does not know which")
        made = function(Call(node, builder))
    except (NotImplementedError, Diverges) as why:
        where = f"layer {node.layer!r}" if node.layer else "the model itself"
        raise NotImplementedError(f"torch.onnx.export: {node.op.name} in {where} cannot be exported: {why}") from why
    finally:
        builder.layer = ""
    _name_results(node, builder, [made] if isinstance(made, str) else list(made), since)


def _name_results(node: Node, builder: Builder, made: list[str], since: int) -> None:
    for value, name in zip(node.outputs, made, strict=False):
        if builder.is_made_since(name, since) and name not in builder.values.values():
            wanted = builder.unique(plain_name(node))
            builder.rename(name, wanted, since)
            name = wanted
        builder.take(value, name)
