"""Backward passes as edges of the automaton, recorded once and taken at one look-up from then on.

Where the whole tape belongs to the running trace and nobody listens on the way, a pass is a function of the State
(`replayed`).  Otherwise a walk goes through *stretches*: what it visits of one trace, which may have been flushed long
before, as where the loss was printed before its backward pass.  What a stretch does is a function of its nodes' Steps
and of where gradients have arrived; these gradients, and what its rules read of what was saved, are bound to the
running trace, and from there it is one edge (`Stretch`).
"""

from __future__ import annotations

from typing import Any

from rushlight.ops.creation import full_like_spec
from rushlight.record import trace as tracing
from rushlight.record.memo import bind, replay
from rushlight.record.memory import assign
from rushlight.record.trace import Trace, recorder, settle
from rushlight.record.value import TENSORS, Leaf, Node, Tensor, Value, tensor_of

from . import derivative, leaf
from .derivative import Reads, visit
from .leaf import own
from .tape import Pending, PythonNode, arrive, reachable, sum_of

MANY = 8  # a pass through more stretches than this is computed in pieces,
PIECE = 4  # of so many each, but for the two newest: the loss, and the turn in whose trace the loss was begun


class Plan:
    """What a backward pass from a node of the State visits: slots of nodes, and of leaves.

    `everything` says whether these are all nodes of the trace, `reads` (node, its position, slot of the Value) what
    the rules read of what was saved: known when the pass has been recorded once.
    """

    __slots__ = ("everything", "leaves", "reads", "visited")

    def __init__(self, nodes: list[Node], leaves: list[Leaf], everything: bool) -> None:
        self.visited = [n.slot for n in nodes]
        self.leaves = [n.slot for n in leaves]
        self.everything = everything
        self.reads: list[tuple[int, int, int]] | None = None

    def note(self, reads: Reads, trace: Trace) -> None:
        """Notes what the rules have read; Python numbers, which nobody overwrites, aside."""
        found = []
        for s, position in sorted({(node.slot, position) for node, position in reads}):
            step = trace.nodes[s].step
            k = step.saves.index(position)
            if k not in step.numbers:
                found.append((s, position, step.kept[k]))
        self.reads = found


def replayed(root: Tensor, g: Tensor | None, retain_graph: bool | None) -> bool:
    """Does the whole pass as one edge, if the tape belongs to the running trace and nobody listens on the way."""
    if tracing.EAGER or derivative.anomaly_check is not None:
        return False
    me = recorder()
    with me.lock:
        trace = me.trace
        plan = _plan_from(root, trace)
        if plan is None:
            return False
        tensors, nodes = [], trace.nodes
        for s in plan.leaves:
            leaf = nodes[s]
            t = leaf._tensor()
            if t is None or t._node is not leaf:
                return False
            tensors.append(t)
        had = tuple([t._grad is not None for t in tensors])
        if True in had and any(t._grad.__class__ is not Tensor and t._grad is not None and t._grad.is_sparse
                               for t in tensors):  # fmt: skip
            return False
        if True in had and len({id(t._grad) for t in tensors if t._grad is not None}) != sum(had):
            return False  # leaves share a .grad
        _replay_plan(root, g, plan, tensors, had)
        if not retain_graph:
            trace.freed = True
            for s in plan.visited:
                node = nodes[s]
                node.kept = node.keeps = None
            if plan.everything:
                trace.closed = len(nodes)
    return True


def _plan_from(root: Tensor, trace: Trace) -> Plan | None:
    """The plan of a pass from `root`, if nothing that it reads was freed or overwritten since."""
    node = root._node
    if node is None or node.trace is not trace or not trace.regular or node.__class__ is Leaf:
        return None
    name = ("plan", node.slot)
    plan: Plan | None = trace.state.memos.get(name, False)
    if plan is False:
        plan = trace.state.memos[name] = _plan(node, trace)
    if plan is None or (trace.freed and any(trace.nodes[s].kept is None for s in plan.visited)):
        return None
    return None if trace.overwrote and _overwritten_in(plan, trace) else plan


def _overwritten_in(plan: Plan, trace: Trace) -> bool:
    """Whether a rule would read what its tensor no longer holds, other than what the node itself writes over."""
    nodes, values = trace.nodes, trace.values
    if plan.reads is None:  # recording the pass will find out, and raise the error
        return any(v.replaced is not None for s in plan.visited for v in nodes[s].saved)
    return any(_overwrote(values[slot]) and (at or not nodes[s].cloned) for s, at, slot in plan.reads)


def _overwrote(saved: Value) -> bool:
    """Whether a saved Value is no longer what its tensor holds."""
    root = saved.root
    return saved.stale is not None or saved.replaced is not None or (root is not None and root.stale is not None)


def _replay_plan(root: Tensor, g: Tensor | None, plan: Plan, tensors: list[Tensor], had: tuple[bool, ...]) -> None:
    me = recorder()
    leaf.accumulations += 1
    tracking, me.tracking = me.tracking, False
    me.hold += 1
    try:
        key = ("backward", root._node.slot, root._out, g is not None, had)  # type: ignore[union-attr]
        if g is not None or True in had:
            old = [t._grad for t in tensors if t._grad is not None]
            for t in old:
                settle(t)
            bind(key, old if g is None else [*old, g])
        found = replay(key, lambda: _recorded(root, g, plan, tensors))
        for t, new in zip(tensors, found, strict=True):
            if t._grad is None:
                t._grad = new
            elif new is not None:
                assign(t._grad, new)
    finally:
        me.tracking = tracking
        me.hold -= 1


def _recorded(root: Tensor, g: Tensor | None, plan: Plan, tensors: list[Tensor]) -> list[Tensor | None]:
    node: Any = root._node
    nodes = [node.trace.nodes[s] for s in plan.visited]
    pending: Pending = {}
    reads: Reads = []
    arrive(pending, node, root._out, g if g is not None else full_like_spec(settle(root).spec, 1))
    visit(nodes, pending, reads)
    plan.note(reads, recorder().trace)
    results: list[Tensor | None] = []
    for t in tensors:
        arrived = pending.get(t._node)
        new = None if arrived is None else arrived[0]
        if new is None:
            results.append(t._grad)
        else:
            results.append(own(new, t) if t._grad is None else sum_of(t._grad, new))
    return results


def _plan(root: Node, trace: Any) -> Plan | None:
    nodes, leaves = reachable([root])
    everything: list[Any] = [*nodes, *leaves]
    for n in everything:
        if n.trace is not trace or n.slot in trace.foreign or isinstance(n, PythonNode):
            return None
    if any(n.step.op.walks for n in nodes):
        return None
    return Plan(nodes, leaves, len(everything) == len(trace.nodes))


# ---------------------------------------------------------------------------------------------------------------------
# Stretches of a walk


def stretches(nodes: list[Node]) -> list[tuple[Trace | None, list[Node]]]:
    """The nodes of a walk by the trace that recorded them; None where they do not lie one behind the other."""
    found: list[tuple[Trace | None, list[Node]]] = []
    last: Any = stretches
    for node in nodes:
        origin = node.origin or node.trace
        if origin is not last:
            found.append((origin, []))
            last = origin
        found[-1][1].append(node)
    if len({id(origin) for origin, _ in found}) < len(found):
        return [(None, nodes)]
    return found


class Stretch:
    """What a walk does in a stretch of the tape: which saved Values it reads, and where gradients leave."""

    __slots__ = ("exits", "ran", "reads", "savers")

    def __init__(self, nodes: list[Node], ran: list[Node], reads: Reads) -> None:
        at = {node: i for i, node in enumerate(nodes)}
        self.ran = [at[node] for node in ran]
        self.savers = [i for i in self.ran if nodes[i].step.saves]
        self.reads = [(at[n], n.step.saves.index(k), n.cloned and k == 0) for n, k in dict.fromkeys(reads)]
        self.exits: list[tuple[int, int]] = []  # nodes and operands

    def saved(self, nodes: list[Node]) -> list[Tensor] | None:
        """What the rules read, if the tape still has it and nobody has written over it."""
        if any(nodes[i].kept is None for i in self.savers):
            return None
        found = []
        for i, k, its_own in self.reads:
            value = nodes[i].saved[k]
            if not its_own and _overwrote(value):
                return None
            found.append(tensor_of(value))
        return found

    def record(self, nodes: list[Node], pending: Pending) -> list[Tensor | None]:
        """Records the stretch, and notes where what it returns leaves it."""
        visit(nodes, pending, [])
        exits: list[tuple[int, int]] = []
        results: list[Tensor | None] = []
        for i, node in enumerate(nodes):
            for operand, parent in enumerate(node.parents):
                slots = pending.get(parent)
                out = node.outs.get(operand, 0) if node.outs else 0
                leaving = None if slots is None else slots[out]
                if leaving is not None:
                    exits.append((i, operand))
                    results.append(_no_view(leaving))
                    slots[out] = None  # type: ignore[index]
        self.exits = exits
        return results


def through(nodes: list[Node], origin: Trace, pending: Pending, many: bool) -> list[Node] | None:
    """Takes a stretch as one edge; the nodes that had gradients, or None where the walk must go from node to node.

    That is where somebody listens, or where something is amiss and the walk will raise the error. `many` says that
    the pass has many stretches.
    """
    entries = [node for node in nodes if node in pending]
    arrived = [g for node in entries for g in pending[node]]
    if any(g is not None and g.__class__ not in TENSORS for g in arrived):
        return None
    steps = tuple([n.step for n in nodes])
    key = "stretch", steps, tuple([n.step for n in entries]), tuple([g is None for g in arrived])
    memos = origin.state.memos
    if key not in memos:
        memos[key] = None
        return None if _irregular(nodes) else _first_time(nodes, pending, memos, key)
    stretch: Stretch | None = memos[key]
    saved = None if stretch is None else stretch.saved(nodes)
    if stretch is None or saved is None:
        return None
    if many and _another_followed(stretch):
        recorder().flush()
    _as_one_edge(stretch, nodes, pending, [*[g for g in arrived if g is not None], *saved], entries)
    return [nodes[i] for i in stretch.ran]


def _no_view(g: Tensor) -> Tensor:
    """A gradient that a rule made as a view, as a result like others: memos keep no views."""
    return g if g._storage is None else tensor_of(settle(g))


def _another_followed(stretch: Stretch) -> bool:
    """Whether another stretch has come first where this one would be recorded: then it begins a piece of its own.

    Of many stretches of several kinds in any order, pieces would otherwise be as many programs as there are orders.
    """
    trace = recorder().trace
    return bool(trace.values) and trace.state.memos.setdefault("followed by", stretch) is not stretch


def _irregular(nodes: list[Node]) -> bool:
    return any(isinstance(n, PythonNode) or n.step.op.walks for n in nodes)


def _first_time(nodes: list[Node], pending: Pending, memos: dict[Any, Any], key: Any) -> list[Node]:
    """Goes from node to node, and notes what the rules read."""
    reads: Reads = []
    ran = visit(nodes, pending, reads)
    memos[key] = Stretch(nodes, ran, reads)
    return ran


def _as_one_edge(
    stretch: Stretch, nodes: list[Node], pending: Pending, given: list[Tensor], entries: list[Node]
) -> None:
    me = recorder()
    within = {node: pending.pop(node) for node in entries}
    me.hold += 1
    try:
        with me.lock:
            bind((stretch,), given)
            found = replay("stretch", lambda: stretch.record(nodes, within))
    finally:
        me.hold -= 1
    for (i, operand), g in zip(stretch.exits, found, strict=True):
        node = nodes[i]
        assert g is not None
        arrive(pending, node.parents[operand], node.outs.get(operand, 0) if node.outs else 0, g)
