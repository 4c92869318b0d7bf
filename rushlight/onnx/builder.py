"""ONNX nodes for a graph's nodes: names, constants, sizes worked out while the file is run, and the model at the end.

What an operation is in ONNX stands in its family's table (`pointwise.py`, `shapes.py`, ...): a function of a `Call`
(`call.py`), found by the operation's name. Here is what these write with.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from rushlight.core.dtype import dtype as Dtype
from rushlight.export.graph import Dim, Node, Value, Varying
from rushlight.export.sizes import Sizes

from .library import onnx

INT64 = np.dtype("int64")


def element_type(kind: Dtype) -> int:
    """ONNX's number for a dtype."""
    return int(onnx().helper.np_dtype_to_tensor_dtype(kind.numpy))


class Builder:
    """Writes ONNX nodes, one after the other."""

    def __init__(self, opset: int, names: dict[tuple[int, ...], str]) -> None:
        self.opset = opset
        self.sizes = Sizes()
        self.size_names = names
        self.nodes: list[Any] = []
        self.values: dict[Value, str] = {}  # what a value is called
        self.folded: dict[Value, np.ndarray] = {}  # results that no argument and no parameter has a part in
        self.made_of_sizes: set[Value] = set()  # constants that are none
        self.layer = ""
        self._taken: set[str] = set()
        self._constants: dict[tuple[Any, ...], str] = {}
        self._shapes: dict[str, str] = {}

    # ---- names

    def unique(self, name: str) -> str:
        """The name, with a number behind it if it is taken."""
        found, number = name, 0
        while found in self._taken:
            number += 1
            found = f"{name}_{number}"
        self._taken.add(found)
        return found

    def take(self, value: Value, name: str) -> str:
        """Gives a value its name, from where on its shape is known."""
        self.values[value] = name
        self.sizes.meet(value)
        return name

    # ---- nodes

    def emit(self, kind: str, inputs: Sequence[str], outputs: int = 1, **attributes: Any) -> Any:
        """Writes a node; its result's name, or a tuple of names. Attributes that are None are left out."""
        given = list(inputs)
        while given and not given[-1]:
            given.pop()
        made = [self.unique(f"val_{len(self._taken)}") for _ in range(outputs)]
        attributes = {name: a for name, a in attributes.items() if a is not None}
        node = onnx().helper.make_node(kind, given, made, name=self.unique(f"node_{kind}"), **attributes)
        if self.layer:
            node.doc_string = self.layer
        self.nodes.append(node)
        return made[0] if outputs == 1 else tuple(made)

    def rename(self, old: str, new: str, since: int = 0) -> None:
        """Gives a result another name, in the nodes from `since` on."""
        for node in self.nodes[since:]:
            for names in (node.input, node.output):
                for k, name in enumerate(names):
                    if name == old:
                        names[k] = new
        self._shapes = {(new if name == old else name): (new if s == old else s) for name, s in self._shapes.items()}
        self._constants = {key: new if name == old else name for key, name in self._constants.items()}
        self.values = {v: new if name == old else name for v, name in self.values.items()}

    def is_made_since(self, name: str, since: int) -> bool:
        """Whether one of the nodes from `since` on makes it."""
        return any(name in node.output for node in self.nodes[since:])

    # ---- numbers

    def constant(self, array: Any, kind: Any = None) -> str:
        """A constant: the same name for the same numbers."""
        array = np.ascontiguousarray(np.asarray(array, kind)).reshape(np.shape(array))
        key = array.dtype, array.shape, array.tobytes()
        found = self._constants.get(key)
        if found is None:
            tensor = onnx().numpy_helper.from_array(array)
            found = self._constants[key] = self.emit("Constant", (), value=tensor)
        return found

    def known(self, value: Value) -> np.ndarray | None:
        """The elements of a value that no argument and no parameter has a part in."""
        if value in self.folded:
            return self.folded[value]
        return value.array if value.kind == "constant" and value not in self.made_of_sizes else None

    def dim(self, n: Dim) -> str:
        """A size, as a tensor of one element."""
        if not isinstance(n, Varying):
            return self.constant([n], INT64)
        how = self.sizes.expression(n)
        if how is None:
            raise NotImplementedError(f"{n}, which depends on a size in a way that is not understood")
        made = [self._dimension(place.value, place.axis) for place in how.factors]
        found = made[0] if len(made) == 1 else self.emit("Mul", made)
        if how.less is not None:
            found = self.emit("Sub", (found, self._dimension(how.less.value, how.less.axis)))
        steps = ("Mul", how.times, 1), ("Add", how.inner, 0), ("Div", how.over, 1), ("Add", how.plus, 0)
        for kind, number, neutral in steps:
            if number != neutral:
                by = self.constant([number], INT64)
                if kind == "Div" and how.less is not None:  # ONNX rounds to 0 what may be negative here
                    found = self.emit("Sub", (found, self.emit("Mod", (found, by))))
                found = self.emit(kind, (found, by))
        return str(found)

    def _dimension(self, value: Value, axis: int) -> str:
        name = self.values[value]
        if name not in self._shapes:
            self._shapes[name] = self.emit("Shape", (name,))
        return str(self.emit("Gather", (self._shapes[name], self.constant([axis], INT64)), axis=0))

    def ints(self, numbers: Sequence[Dim]) -> str:
        """Sizes, as a tensor with one dimension."""
        if not any(isinstance(n, Varying) for n in numbers):
            return self.constant(np.array(numbers, INT64).reshape(len(numbers)))
        parts: list[str] = []
        fixed: list[Any] = []
        for n in numbers:
            if isinstance(n, Varying):
                parts += [self.constant(fixed, INT64)] if fixed else []
                parts.append(self.dim(n))
                fixed = []
            else:
                fixed.append(n)
        parts += [self.constant(fixed, INT64)] if fixed else []
        return parts[0] if len(parts) == 1 else str(self.emit("Concat", parts, axis=0))

    # ---- the model's own tensors

    def value_info(self, name: str, value: Value, labels: Sequence[str | None]) -> Any:
        """How an argument or result is declared: sizes that are left open have names."""
        shape = [
            label or (self._label(n, name, axis) if isinstance(n, Varying) else n)
            for axis, (n, label) in enumerate(zip(value.shape, labels, strict=True))
        ]
        return onnx().helper.make_tensor_value_info(name, element_type(value.dtype), shape)

    def _label(self, n: Varying, name: str, axis: int) -> str:
        found = self.size_names.get(n.numbers)
        if found is None:
            for numbers, symbol in self.size_names.items():
                times = n.numbers[0] / numbers[0]
                if times.is_integer() and all(m * times == k for m, k in zip(numbers, n.numbers, strict=True)):
                    return f"{int(times)}*{symbol}"
            plain = re.sub(r"\W", "_", name)
            found = f"{plain}_dim_{axis}"
        return found


def product(numbers: Sequence[Dim]) -> int:
    """Of sizes that are all fixed. Raises NotImplementedError if one is open."""
    if any(isinstance(n, Varying) for n in numbers):
        raise NotImplementedError("a size that is left open")
    return math.prod(numbers)  # type: ignore[arg-type]


def fixed(*numbers: Any) -> None:
    """Raises NotImplementedError if one of the numbers, also inside tuples, depends on a size that is left open."""
    for n in numbers:
        if isinstance(n, Varying):
            raise NotImplementedError("a size that is left open")
        if isinstance(n, tuple):
            fixed(*n)


PLAIN_NAMES = {
    "linear_nd": "linear", "linear_no_bias": "linear", "linear_nd_no_bias": "linear", "max_pool_values": "max_pool",
    "batch_norm_fixed": "batch_norm", "instance_norm_fixed": "instance_norm", "unsafe_view": "view",
    "attention_keeping_weights": "scaled_dot_product_attention", "convolution_transposed": "conv_transpose",
    "convolution": "conv", "sum_dim": "sum", "mean_dim": "mean", "max_dim": "max", "min_dim": "min", "cast": "to",
    "pow_fixed": "pow", "squeeze_dim": "squeeze", "squeeze_dims": "squeeze", "rsub_tensor": "rsub",
    "lstm_layer": "lstm", "gru_layer": "gru", "rnn_tanh_layer": "rnn_tanh", "rnn_relu_layer": "rnn_relu",
}  # fmt: skip


def plain_name(node: Node) -> str:
    """What PyTorch calls an operation, in lower case."""
    name = PLAIN_NAMES.get(node.op.name, node.op.name)
    if name in ("conv", "conv_transpose", "max_pool"):
        name += f"{len(node.outputs[0].shape) - 2}d"
    return re.sub(r"(?<!^)(?=[A-Z][a-z])", "_", name).lower().removesuffix("_in_place")
