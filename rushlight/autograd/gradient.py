"""The backward pass: from a tensor's node through the tape to the leaves, newest node first.

`backward` is what `Tensor.backward` and `autograd.grad` call.  A derivative rule is ordinary recording, so a backward
pass costs no arithmetic until somebody looks, and `create_graph` only means that the tape is on while it is recorded.
What is known from an earlier pass is not walked through again: `replay` takes the whole pass, or a stretch of it, as
one edge.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

from rushlight.ops.creation import full_like_spec
from rushlight.record import trace as tracing
from rushlight.record.trace import Trace, recorder, settle
from rushlight.record.value import TENSORS, Leaf, Node, Tensor

from . import derivative
from .derivative import derivatives
from .leaf import accumulate, into_leaf
from .replay import MANY, PIECE, replayed, stretches, through
from .tape import Pending, arrive, reachable


def backward(
    roots: Sequence[Tensor],
    grads: Sequence[Tensor | None],
    retain_graph: bool,
    create_graph: bool,
    inputs: Sequence[Tensor] | None = None,
) -> None:
    """Accumulates the gradients of the roots into `.grad` of the leaves, or of `inputs` alone."""
    if inputs is None and not create_graph and len(roots) == 1 and replayed(roots[0], grads[0], retain_graph):
        return
    wanted = None if inputs is None else [(t._node, t._out) for t in inputs]
    walk = Walk(roots, grads, create_graph, wanted)
    with _Running(walk):
        _finish(walk, inputs, create_graph)
    if not retain_graph:
        walk.free()


def _finish(walk: Walk, inputs: Sequence[Tensor] | None, create_graph: bool) -> None:
    """Makes the pass, and accumulates what it finds."""
    walk.run()
    if inputs is not None:
        for t in inputs:
            if not isinstance(t._node, Leaf):
                found = walk.captured.get((t._node, t._out))
                if found is not None and not t._retains:
                    accumulate(t, found, create_graph)
    for leaf, g in walk.leaf_grads():
        if inputs is None or any(t._node is leaf for t in inputs):
            into_leaf(leaf, g, create_graph)


def gradients(
    roots: Sequence[Tensor],
    grads: Sequence[Tensor | None],
    inputs: Sequence[Tensor],
    retain_graph: bool,
    create_graph: bool,
) -> list[Tensor | None]:
    """The gradients of the roots with respect to `inputs`; None where they do not depend on one."""
    walk = Walk(roots, grads, create_graph, [(t._node, t._out) for t in inputs])
    with _Running(walk):
        walk.run()
        found = dict(walk.leaf_grads())
    results = [
        found.get(t._node) if isinstance(t._node, Leaf) else walk.captured.get((t._node, t._out)) for t in inputs
    ]
    if not retain_graph:
        walk.free()
    return [g if g is None or t.__class__ in TENSORS else t.as_gradient(g)
            for t, g in zip(inputs, results, strict=True)]  # fmt: skip


class _Passes(threading.local):
    """The passes that a thread is making, the innermost last: a hook may begin another one."""

    def __init__(self) -> None:
        self.running: list[Walk] = []


_passes = _Passes()


class _Running:
    """While the pass is made and its hooks are called."""

    def __init__(self, walk: Walk) -> None:
        self.walk = walk

    def __enter__(self) -> None:
        _passes.running.append(self.walk)

    def __exit__(self, *_: object) -> None:
        _passes.running.pop()


def running_pass() -> Walk:
    """The pass that calls the hook which asks."""
    return _passes.running[-1]


class Walk:
    """One pass over the tape."""

    def __init__(
        self,
        roots: Sequence[Tensor],
        grads: Sequence[Tensor | None],
        create_graph: bool,
        wanted: list[tuple[Any, int]] | None = None,
    ) -> None:
        self.create_graph = create_graph
        self.nodes, self.leaves = reachable([t._node for t in roots])
        self.pending: Pending = {}
        self.captured: dict[tuple[Any, int], Tensor] = {}
        self.wanted = None if wanted is None else set(wanted)
        self.useful = None if wanted is None else self._useful({n for n, _ in wanted})
        self.ran: list[Node] = []
        for t, g in zip(roots, grads, strict=True):
            arrive(self.pending, t._node, t._out, g if g is not None else full_like_spec(settle(t).spec, 1))

    def _useful(self, wanted: set[Any]) -> set[Any]:
        """The nodes whose derivative leads to a wanted one."""
        useful: set[Any] = set()
        for node in reversed(self.nodes):
            if any(p is not None and (p in wanted or p in useful) for p in node.parents):
                useful.add(node)
        return useful

    def how_many_of(self, nodes: Sequence[Any]) -> int:
        """At how many of the nodes and leaves a gradient may arrive."""
        reached = {*self._wanted_leaves(), *(self.nodes if self.useful is None else self.useful)}
        return sum(node in reached for node in nodes)

    def run(self) -> None:
        """Visits every node once, the newest first."""
        me = recorder()
        tracking, me.tracking = me.tracking, self.create_graph
        nodes = self.nodes if self.useful is None else [n for n in self.nodes if n in self.useful]
        parts = stretches(nodes) if self._unobserved() else [(None, self.nodes)]
        many = len(parts) > MANY
        try:
            for i, (origin, nodes) in enumerate(parts):
                if many and i % PIECE == 2:
                    me.flush()
                self._go_through(nodes, origin, many)
        finally:
            me.tracking = tracking

    def _unobserved(self) -> bool:
        """Whether only what arrives at the leaves counts."""
        if self.create_graph or derivative.anomaly_check or tracing.EAGER:
            return False
        return self.wanted is None or all(isinstance(node, Leaf) for node, _ in self.wanted)

    def _go_through(self, nodes: list[Node], origin: Trace | None, many: bool) -> None:
        """Visits a stretch of nodes, as one edge if it can be."""
        ran = None if origin is None or not origin.regular else through(nodes, origin, self.pending, many)
        if ran is not None:
            self.ran += ran
            return
        for node in nodes:
            arrived = self.pending.pop(node, None)
            if arrived is not None:
                self._visit(node, arrived)

    def _visit(self, node: Node, arrived: list[Any]) -> None:
        _run_hooks(node, arrived)
        if node.pre_hooks:
            arrived = _before_derivative(node, arrived)
        if self.wanted is not None:
            for out, g in enumerate(arrived):
                if g is not None and (node, out) in self.wanted:
                    self.captured[node, out] = g
        if self.useful is not None and node not in self.useful:
            return
        self.ran.append(node)
        found = derivatives(node, arrived, self.create_graph)
        if derivative.anomaly_check is not None:
            derivative.anomaly_check(node, found)
        if node.post_hooks:
            found = _after_derivative(node, found, arrived)
        for i, parent in enumerate(node.parents):
            if parent is not None and found[i] is not None:
                arrive(self.pending, parent, node.outs.get(i, 0) if node.outs else 0, found[i])

    def _wanted_leaves(self) -> list[Leaf]:
        """The leaves whose gradients are asked for: no hook hears of the others."""
        if self.wanted is None:
            return self.leaves
        nodes = {node for node, _ in self.wanted}
        return [leaf for leaf in self.leaves if leaf in nodes]

    def leaf_grads(self) -> list[tuple[Leaf, Tensor]]:
        """What arrived at each leaf, after its hooks."""
        results = []
        for leaf in self._wanted_leaves():
            arrived = self.pending.get(leaf)
            if arrived is not None and arrived[0] is not None:
                for hook in list(leaf.hooks.values()) if leaf.hooks else ():
                    arrived[0] = hooked(hook, arrived[0])
                results.append((leaf, arrived[0]))
        return results

    def free(self) -> None:
        """Lets go of what the visited nodes had saved."""
        recorder().trace.freed = True
        for node in self.ran:
            node.kept = node.keeps = None


def _run_hooks(node: Node, arrived: list[Any]) -> None:
    """Tensor hooks of non-leaf tensors; they may replace the gradient."""
    if node.hooks:
        for out, hooks in node.hooks.items():
            for hook in list(hooks.values()):
                if arrived[out] is not None:
                    arrived[out] = hooked(hook, arrived[out])
    if node.retained:
        for out, kept in node.retained.items():
            t, g = kept(), arrived[out]
            if t is not None and g is not None:
                t._grad = g if t._grad is None else t._grad + g


def _before_derivative(node: Node, arrived: list[Any]) -> list[Any]:
    """Pre-hooks of the node itself."""
    for hook in list(node.pre_hooks.values()):
        changed = hook(tuple(arrived))
        arrived = arrived if changed is None else list(changed)
    return arrived


def _after_derivative(node: Node, found: list[Any], arrived: list[Any]) -> list[Any]:
    """Hooks of the node itself."""
    for hook in list(node.post_hooks.values()):
        changed = hook(tuple(found), tuple(arrived))
        found = found if changed is None else list(changed)
    return found


def hooked(hook: Callable[[Tensor], Any], g: Tensor) -> Tensor:
    """The gradient after a tensor hook, which may replace it but not change its kind."""
    changed = hook(g)
    if changed is None:
        return g
    name = getattr(hook, "__name__", type(hook).__name__)
    if not isinstance(changed, Tensor):
        raise TypeError(f"expected Variable, but hook returned '{type(changed).__name__}' (hook '{name}')")
    before, after = settle(g).spec, settle(changed).spec
    if after.dtype is not before.dtype:
        raise RuntimeError(f"hook '{name}' has changed the type of value (was {g.type()} got {changed.type()})")
    if after.shape != before.shape:
        raise RuntimeError(f"hook '{name}' has changed the size of value")
    return changed
