"""split_module: a graph cut into modules, one for each part that a program assigns its nodes to."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

from rushlight import nn
from rushlight.core.missing import missing
from rushlight.fx.graph import Graph
from rushlight.fx.graph_module import GraphModule
from rushlight.fx.node import Node, map_arg

__all__ = ["Partition", "split_module"]

_OUTSIDE = ("placeholder", "get_attr", "output")


class Partition:
    """A part of the graph on its way to be a module.

    Attributes:
        inputs, outputs: the nodes that it needs from outside, and those that are needed outside, in the order of use.
        depends_on: the names of the parts that come before.
    """

    def __init__(self, name: str) -> None:
        self.name, self.submod_name = name, f"submod_{name}"
        self.nodes: list[Node] = []
        self.inputs: dict[Node, None] = {}
        self.outputs: dict[Node, None] = {}
        self.depends_on: dict[str, None] = {}
        self.graph = Graph()
        self.environment: dict[Node, Node] = {}
        self.targets: dict[str, Any] = {}


def split_module(
    m: GraphModule,
    root_m: nn.Module,
    split_callback: Callable[[Node], int],
    qualname_map: dict[str, str] | None = None,
    keep_original_order: bool | None = False,
    keep_original_node_name: bool | None = False,
    keep_original_input_name: bool = True,
    *,
    partition_affix: str | None = None,
) -> GraphModule:
    """A module of the same meaning that calls one submodule (`submod_0`, ...) for each part of the graph.

    Args:
        m: the graph.
        root_m: the module that it was traced from, whose parameters and layers the parts share.
        split_callback: the number, or name, of the part that a node belongs to.
        qualname_map: is filled with where each layer of the result came from.
        partition_affix: stands in the names of the submodules before the number.

    Raises RuntimeError where two parts would need each other's results.

    >>> class Net(torch.nn.Module):
    ...     def forward(self, x): return (x + 1).relu()
    >>> from rushlight import fx
    >>> from rushlight.fx.passes.split_module import split_module
    >>> traced = fx.symbolic_trace(Net())
    >>> cut = split_module(traced, Net(), lambda node: 0 if node.name == "add" else 1)
    >>> [name for name, _ in cut.named_children()], cut(torch.tensor([-3., 2.]))
    (['submod_0', 'submod_1'], tensor([0., 3.]))
    """
    owner, parts = _assigned(m, split_callback, partition_affix)
    for node in m.graph.nodes:
        for used in node.all_input_nodes:
            _note_use(owner, parts, used, node)
    ordered = _ordered(parts, bool(keep_original_order))
    for part in ordered:
        _write(part, root_m, qualname_map)
    return _whole(m, root_m, owner, ordered)


def _assigned(m: GraphModule, callback: Any, affix: str | None) -> tuple[dict[Node, str], dict[str, Partition]]:
    owner: dict[Node, str] = {}
    parts: dict[str, Partition] = {}
    for node in m.graph.nodes:
        if node.op in _OUTSIDE:
            continue
        chosen = str(callback(node))
        name = f"{affix}_{chosen}" if affix else chosen
        owner[node] = name
        parts.setdefault(name, Partition(name)).nodes.append(node)
    return owner, parts


def _note_use(owner: dict[Node, str], parts: dict[str, Partition], used: Node, user: Node) -> None:
    source, target = owner.get(used), owner.get(user)
    if source == target:
        return
    if source is not None:
        parts[source].outputs.setdefault(used)
    if target is not None:
        parts[target].inputs.setdefault(used)
        if source is not None:
            parts[target].depends_on.setdefault(source)


def _ordered(parts: dict[str, Partition], as_met: bool) -> list[Partition]:
    """Each part behind those that it needs. Raises RuntimeError where there is no such order."""
    waiting, found = list(parts.values()), []
    placed: set[str] = set()
    while waiting:
        ready = next((p for p in waiting if placed.issuperset(p.depends_on)), None)
        if ready is None or as_met and ready is not waiting[0]:
            raise RuntimeError("cycle exists between partitions!")
        waiting.remove(ready)
        placed.add(ready.name)
        found.append(ready)
    return found


def _at(root: Any, path: str) -> Any:
    for name in path.split("."):
        root = getattr(root, name)
    return root


def _write(part: Partition, root: nn.Module, qualname_map: dict[str, str] | None) -> None:
    """The part's own graph: its inputs, its nodes, and what it hands on."""
    for used in part.inputs:
        made = part.graph.placeholder(used.name, used.type)
        made.meta = dict(used.meta)
        part.environment[used] = made
    for node in part.nodes:
        args, kwargs = map_arg((node.args, node.kwargs), lambda n: part.environment[n])
        target = node.target
        if node.op == "call_module":
            target = str(node.target).replace(".", "_")
            part.targets[target] = _at(root, str(node.target))
            if qualname_map is not None:
                qualname_map[f"{part.submod_name}.{target}"] = str(node.target)
        made = part.graph.create_node(node.op, target, args, kwargs)
        made.meta, made.type, made._path = dict(node.meta), node.type, node._path
        part.environment[node] = made
    results = [part.environment[n] for n in part.outputs]
    part.graph.output(results[0] if len(results) == 1 else tuple(results))


def _whole(m: GraphModule, root: nn.Module, owner: dict[Node, str], parts: list[Partition]) -> GraphModule:
    """The graph that calls the parts, in the order in which their inputs are there."""
    graph = Graph()
    known: dict[Node, Node] = {}
    modules: dict[str, Any] = {}
    for node in m.graph.nodes:
        if node.op in ("placeholder", "get_attr"):
            known[node] = graph.node_copy(node)
            if node.op == "get_attr":
                modules[str(node.target)] = _at(root, str(node.target))
    for part in parts:
        modules[part.submod_name] = GraphModule(part.targets, part.graph)
        call = graph.call_module(part.submod_name, tuple(known[n] for n in part.inputs))
        if len(part.outputs) == 1:
            known[next(iter(part.outputs))] = call
        else:
            known.update({n: graph.call_function(operator.getitem, (call, k)) for k, n in enumerate(part.outputs)})
    for node in m.graph.nodes:
        if node.op == "output":
            graph.output(map_arg(node.args[0], lambda n: known[n]))
    return GraphModule(modules, graph)


__getattr__ = missing(__name__)
