"""torch.fx.subgraph_rewriter: a part of a graph, wherever it occurs, replaced by another.

A pattern is a function whose arguments stand for anything. Each node of the graph that could be the pattern's result is
compared with it, and from there the arguments, back to the pattern's own arguments. What lies between must not be used
elsewhere, since it goes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from rushlight.core.missing import missing
from rushlight.fx.graph import Graph
from rushlight.fx.graph_module import GraphModule
from rushlight.fx.node import Node
from rushlight.fx.symbolic import symbolic_trace

__all__ = ["Match", "replace_pattern"]


class Match(NamedTuple):
    """Where a pattern was found: its node for the (first) result, and the graph's node for each of its nodes."""

    anchor: Node
    nodes_map: dict[Node, Node]


def replace_pattern(
    gm: GraphModule, pattern: Callable[..., Any] | GraphModule, replacement: Callable[..., Any] | GraphModule
) -> list[Match]:
    """Replaces what does the same as ``pattern``, wherever it occurs and does not overlap, by ``replacement``.

    Both take the same arguments, in the same order, and give as many results.

    >>> gm = symbolic_trace(lambda x, y: torch.relu(x + y))
    >>> len(replace_pattern(gm, lambda a, b: torch.relu(a + b), lambda a, b: torch.sigmoid(a * b)))
    1
    >>> [node.name for node in gm.graph.nodes]
    ['x', 'y', 'mul', 'sigmoid', 'output']
    """
    wanted, new = _graph(pattern), _graph(replacement)
    found = _matches(gm.graph, wanted)
    moved: dict[Node, Node] = {}
    for match in found:
        _replace(gm.graph, wanted, new, match, moved)
    if found:
        _take_parts(gm, replacement)
        gm.recompile()
    return found


def _graph(program: Any) -> Graph:
    if isinstance(program, Graph):
        return program
    return program.graph if isinstance(program, GraphModule) else symbolic_trace(program).graph  # type: ignore[no-any-return]


def _results(graph: Graph) -> list[Node]:
    (output,) = graph.find_nodes(op="output")
    return output.all_input_nodes


def _matches(graph: Graph, pattern: Graph) -> list[Match]:
    """Where the pattern occurs, in the graph's order; none uses a node that an earlier one has."""
    first, *others = _results(pattern)
    found: list[Match] = []
    taken: set[Node] = set()
    for node in graph.nodes:
        at: dict[Node, Node] = {}
        if first.op == "placeholder" or not _same(first, node, at):
            continue
        if not all(any(_same(other, candidate, at) for candidate in graph.nodes) for other in others):
            continue
        inner = {gone for wanted, gone in at.items() if wanted.op != "placeholder"}
        if inner & taken or not _is_contained(at, inner, {first, *others}):
            continue
        taken |= inner
        found.append(Match(first, at))
    return found


def _same(wanted: Node, node: Node, at: dict[Node, Node]) -> bool:
    """Whether the node does what the pattern's does, with what was found before; enters in ``at`` what belongs."""
    if wanted in at:
        return at[wanted] is node
    if wanted.op != "placeholder" and (wanted.op, wanted.target) != (node.op, node.target):
        return False
    before = dict(at)
    at[wanted] = node
    same = wanted.op == "placeholder" or (
        _same_arguments(wanted.args, node.args, at) and _same_arguments(wanted.kwargs, node.kwargs, at)
    )
    if not same:
        at.clear()
        at.update(before)
    return same


def _same_arguments(wanted: Any, given: Any, at: dict[Node, Node]) -> bool:
    if isinstance(wanted, Node) or isinstance(given, Node):
        return isinstance(wanted, Node) and isinstance(given, Node) and _same(wanted, given, at)
    if isinstance(wanted, (list, tuple)) and isinstance(given, (list, tuple)):
        return len(wanted) == len(given) and all(map(_same_arguments, wanted, given, [at] * len(wanted)))
    if isinstance(wanted, dict) and isinstance(given, dict):
        return wanted.keys() == given.keys() and all(_same_arguments(wanted[key], given[key], at) for key in wanted)
    return type(wanted) is type(given) and bool(wanted == given)


def _is_contained(at: dict[Node, Node], inner: set[Node], results: set[Node]) -> bool:
    """Whether nobody outside uses what lies between arguments and results."""
    between = [node for wanted, node in at.items() if wanted.op != "placeholder" and wanted not in results]
    return all(user in inner for node in between for user in node.users)


def _replace(graph: Graph, pattern: Graph, new: Graph, match: Match, moved: dict[Node, Node]) -> None:
    """Copies the replacement in front of who uses the results first, hands these over, and erases what was there."""
    arguments = [match.nodes_map[node] for node in pattern.find_nodes(op="placeholder") if node in match.nodes_map]
    given = dict(zip(new.find_nodes(op="placeholder"), [moved.get(node, node) for node in arguments], strict=True))
    old = [match.nodes_map[node] for node in _results(pattern)]
    users = {user for node in old for user in node.users}
    first = next((node for node in graph.nodes if node in users), None)
    with graph.inserting_before(first):
        made = graph.graph_copy(new, given)
    results = [made] if isinstance(made, Node) else list(made)
    for gone, node in zip(old, results, strict=True):
        gone.replace_all_uses_with(node)
        moved[gone] = node
    for wanted in reversed(list(pattern.nodes)):
        if wanted.op not in ("placeholder", "output"):
            graph.erase_node(match.nodes_map[wanted])


def _take_parts(gm: GraphModule, replacement: Any) -> None:
    """Gives the module the submodules of the replacement that it calls."""
    from rushlight import nn

    if not isinstance(replacement, nn.Module):
        return
    for node in gm.graph.find_nodes(op="call_module"):
        owner, _, name = str(node.target).rpartition(".")
        holder: Any = gm.get_submodule(owner) if owner else gm
        if not hasattr(holder, name):
            holder.add_module(name, replacement.get_submodule(str(node.target)))


__getattr__ = missing(__name__)
