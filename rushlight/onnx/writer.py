"""A whole graph as an ONNX model: arguments, the state dict's tensors under their names, nodes, results."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from rushlight.export.graph import Diverges, Graph, Node, Value, Varying
from rushlight.record.spec import spec_of
from rushlight.record.trace import apply, realize
from rushlight.record.value import tensor_holding
from rushlight.version import __version__ as own_version

from .builder import Builder, element_type, fixed, product
from .call import lower, lowering_of
from .library import onnx

FOLDED = 1 << 20  # elements that a constant may have which is worked out while the model is written,
SIZES = 64  # elements of a tensor that may be made of sizes
FOLDED_NUMBERS = 1 << 10  # and one that is made of numbers, as zeros are


@dataclass
class Form:
    """How the model shall look: names of arguments and results, labels of sizes by those names, and the opset."""

    opset: int
    input_names: Sequence[str]
    output_names: Sequence[str] | None
    labels: dict[str, dict[int, str]] = field(default_factory=dict)
    weights: bool = True
    weights_as_inputs: bool = False


def write(graph: Graph, sizes: dict[tuple[int, ...], str], form: Form) -> Any:
    """The model.

    Raises:
        NotImplementedError: an operation that ONNX does not have; names it and its layer.
    """
    helper = onnx().helper
    builder = Builder(form.opset, sizes)
    inputs = _declare_inputs(graph, builder, form)
    weights = graph.state
    for name, value in weights.items():
        builder.take(value, builder.unique(name))
    stored = _stored_constants(graph, builder)
    for node in graph.nodes:
        if not _fold(node, builder):
            lower(node, builder)
    outputs = _declare_results(graph, builder, form)
    nodes = _used(builder.nodes, [o.name for o in outputs])
    tensors = [_initializer(name, value.array) for name, value in weights.items()] if form.weights else []
    needed = {name for node in nodes for name in node.input} | {o.name for o in outputs}
    tensors += [_initializer(name, array) for name, array in stored.items() if name in needed]
    if not form.weights or form.weights_as_inputs:
        inputs += [builder.value_info(name, value, [None] * len(value.shape)) for name, value in weights.items()]
    made = helper.make_graph(nodes, "main_graph", inputs, outputs, tensors)
    opset = helper.make_opsetid("", form.opset)
    return helper.make_model(
        made, opset_imports=[opset], producer_name="rushlight", producer_version=str(own_version),
        ir_version=max(helper.find_min_ir_version_for([opset]), 8),
    )  # fmt: skip


def _initializer(name: str, array: np.ndarray) -> Any:
    return onnx().numpy_helper.from_array(np.ascontiguousarray(array).reshape(array.shape), name)


def _declare_inputs(graph: Graph, builder: Builder, form: Form) -> list[Any]:
    """Our names are taken first, so that nothing else gets them."""
    for name in form.output_names or ():
        builder.unique(name)
    declared = []
    for value, name in zip(graph.inputs.values(), form.input_names, strict=False):
        name = builder.take(value, builder.unique(name))
        declared.append(builder.value_info(name, value, _labels(form, name, value)))
    return declared


def _labels(form: Form, name: str, value: Value) -> list[str | None]:
    """What the sizes that are left open shall be called."""
    named = form.labels.get(name, {})
    return [named.get(axis) if not isinstance(n, int) else None for axis, n in enumerate(value.shape)]


def _stored_constants(graph: Graph, builder: Builder) -> dict[str, np.ndarray]:
    """Tensors from outside that are neither arguments nor in the state dict, by the names that they get."""
    stored = {}
    for value in graph.values():
        if value.kind == "constant":
            try:
                array = value.array
            except Diverges as why:
                _made_of_sizes(value, builder, why)
                continue
            name = builder.take(value, builder.unique("constant"))
            stored[name] = array
    return stored


def _made_of_sizes(value: Value, builder: Builder, why: Diverges) -> None:
    """A tensor that the model makes of sizes, `torch.tensor([x.shape[0], 4])`.

    Raises:
        NotImplementedError: it is none.
    """
    arrays = [np.asarray(a) for a in value.data]
    if any(a.shape != arrays[0].shape or (a != a.astype("int64")).any() for a in arrays) or arrays[0].size > SIZES:
        raise NotImplementedError(f"torch.onnx.export: {why}") from why
    columns = np.stack([a.astype("int64").reshape(-1) for a in arrays], 1).tolist()
    numbers = [column[0] if len(set(column)) == 1 else Varying(tuple(column)) for column in columns]
    found = builder.emit("Cast", (builder.ints(numbers),), to=element_type(value.dtype))
    builder.take(value, builder.emit("Reshape", (found, builder.ints(arrays[0].shape))))
    builder.made_of_sizes.add(value)


def _fold(node: Node, builder: Builder) -> bool:
    """Works out now what depends on neither arguments nor parameters, nor on a size that is left open."""
    operands = [v for v in node.inputs if v is not None]
    known = [builder.known(v) if v.kind != "number" else True for v in operands]
    if node.op.effects or any(k is None for k in known) or not _is_fixed(node):
        return False
    small = FOLDED if any(v.kind != "number" for v in operands) else FOLDED_NUMBERS
    if lowering_of(node.op.name) is not None and sum(product(v.shape) for v in node.outputs) > small:
        return False
    found = apply(node.op, [_operand(v, builder) for v in node.inputs], tuple(node.attributes.values()))
    for value, t in zip(node.outputs, found if isinstance(found, tuple) else (found,), strict=True):
        array = np.ascontiguousarray(realize(t)).reshape(t.shape)
        builder.folded[value] = array
        builder.take(value, builder.constant(array))
    return True


def _is_fixed(node: Node) -> bool:
    try:
        fixed(*[v.shape for v in node.outputs], *node.attributes.values(),
              *[v.number for v in node.inputs if v is not None and v.kind == "number"])  # fmt: skip
    except (NotImplementedError, Diverges):
        return False
    return True


def _operand(value: Value | None, builder: Builder) -> Any:
    if value is None:
        return None
    if value.kind == "number":
        return value.number
    array = builder.known(value)
    assert array is not None
    return tensor_holding(np.ascontiguousarray(array).reshape(array.shape), spec_of(array.shape, value.dtype))


def _declare_results(graph: Graph, builder: Builder, form: Form) -> list[Any]:
    """The results under their names; one that is an argument, a parameter or another result is copied."""
    results = [v for v in graph.results if v is not None]
    wanted = list(form.output_names or ())
    if len(wanted) > len(results):
        raise ValueError(f"torch.onnx.export: {len(wanted)} output_names, but the model returns {len(results)} tensors")
    declared: list[Any] = []
    for k, value in enumerate(results):
        name = builder.values[value]
        taken = name in [d.name for d in declared] or not builder.is_made_since(name, 0)
        if taken or value in builder.folded:
            name = builder.emit("Identity", (name,))
            if k >= len(wanted):
                builder.rename(name, new := builder.unique("output"))
                name = new
        if k < len(wanted):
            builder.rename(name, wanted[k])
            name = wanted[k]
        declared.append(builder.value_info(name, value, _labels(form, name, value)))
    return declared


def _used(nodes: list[Any], results: list[str]) -> list[Any]:
    """The nodes that the results depend on, constants before whatever needs them."""
    needed, kept = set(results), []
    for node in reversed(nodes):
        if not needed.isdisjoint(node.output):
            needed.update(node.input)
            kept.append(node)
    return kept[::-1]
