"""The backward pass: from a tensor's node through the tape to the leaves, newest node first.

`backward` is what `Tensor.backward` and `autograd.grad` call.  A derivative rule is ordinary recording, so a backward
pass
costs no arithmetic until somebody looks, and `create_graph` only means that the tape is on while it is recorded.
Where the
whole tape belongs to the running trace, the pass is a function of the automaton's State: it is recorded once and then
replayed as one edge (`record.memo.replay`).
"""

from __future__ import annotations

import traceback
import warnings
from collections.abc import Callable, Sequence
from typing import Any

from rushlight.core.strided import is_non_overlapping_and_dense
from rushlight.ops.creation import full_like_spec
from rushlight.ops.reduction import sum_to_spec
from rushlight.record import trace as tracing
from rushlight.record.memo import BIND, replay
from rushlight.record.memory import assign, relayout
from rushlight.record.spec import Spec
from rushlight.record.trace import Trace, apply, recorder, settle
from rushlight.record.value import TENSORS, Leaf, Node, Storage, Tensor, Value, latest, tensor_of, value_holding

SECOND_TIME = (
    "Trying to backward through the graph a second time (or directly access saved tensors after they have already been "
    "freed). Saved intermediate values of the graph are freed when you call .backward() or autograd.grad(). Specify "
    "retain_graph=True if you need to backward through the graph a second time or if you need to access saved tensors "
    "after calling backward."
)

Anomaly = Callable[[Node, Sequence[Any]], None]
Reads = list[tuple[int, int]]  # of nodes (by slot) and positions among what they have saved
anomaly_check: Anomaly | None = None  # set by autograd.anomaly while it is on


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
    walk.run()
    if inputs is not None:
        for t in inputs:
            if not isinstance(t._node, Leaf):
                found = walk.captured.get((t._node, t._out))
                if found is not None and not t._retains:
                    accumulate(t, found, create_graph)
    for leaf, g in walk.leaf_grads():
        if inputs is None or any(t._node is leaf for t in inputs):
            _into_leaf(leaf, g, create_graph)
    if not retain_graph:
        walk.free()


def gradients(
    roots: Sequence[Tensor],
    grads: Sequence[Tensor | None],
    inputs: Sequence[Tensor],
    retain_graph: bool,
    create_graph: bool,
) -> list[Tensor | None]:
    """The gradients of the roots with respect to `inputs`; None where they do not depend on one."""
    walk = Walk(roots, grads, create_graph, [(t._node, t._out) for t in inputs])
    walk.run()
    found = dict(walk.leaf_grads())
    results = [
        found.get(t._node) if isinstance(t._node, Leaf) else walk.captured.get((t._node, t._out)) for t in inputs
    ]
    if not retain_graph:
        walk.free()
    return [g if g is None or t.__class__ in TENSORS else t.as_gradient(g)
            for t, g in zip(inputs, results, strict=True)]  # fmt: skip


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
        self.pending: dict[Any, list[Tensor | None]] = {}
        self.captured: dict[tuple[Any, int], Tensor] = {}
        self.wanted = None if wanted is None else set(wanted)
        self.useful = None if wanted is None else self._useful({n for n, _ in wanted})
        self.ran: list[Node] = []
        self.reads: Reads | None = None  # what the rules read of what nodes saved, where somebody wants to know
        for t, g in zip(roots, grads, strict=True):
            self._arrive(t._node, t._out, g if g is not None else full_like_spec(settle(t).spec, 1))

    def _useful(self, wanted: set[Any]) -> set[Any]:
        """The nodes whose derivative leads to a wanted one."""
        useful: set[Any] = set()
        for node in reversed(self.nodes):
            if any(p is not None and (p in wanted or p in useful) for p in node.parents):
                useful.add(node)
        return useful

    def _arrive(self, node: Any, out: int, g: Tensor) -> None:
        slots = self.pending.get(node)
        if slots is None:
            slots = self.pending[node] = [None] * (1 if isinstance(node, Leaf) else _width(node))
        before = slots[out]
        slots[out] = g if before is None else _sum_of(before, g)

    def run(self) -> None:
        """Visits every node once, the newest first."""
        me = recorder()
        tracking, me.tracking = me.tracking, self.create_graph
        try:
            for node in self.nodes:
                arrived = self.pending.pop(node, None)
                if arrived is not None:
                    self._visit(node, arrived)
        finally:
            me.tracking = tracking

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
        found = derivatives(node, arrived, self.create_graph, self.reads)
        if anomaly_check is not None:
            anomaly_check(node, found)
        if node.post_hooks:
            found = _after_derivative(node, found, arrived)
        for i, parent in enumerate(node.parents):
            if parent is not None and found[i] is not None:
                self._arrive(parent, node.outs.get(i, 0) if node.outs else 0, found[i])

    def leaf_grads(self) -> list[tuple[Leaf, Tensor]]:
        """What arrived at each leaf, after its hooks."""
        results = []
        for leaf in self.leaves:
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
    nodes.sort(key=lambda n: -n.seq)
    return nodes, leaves


def _sum_of(before: Tensor, g: Tensor) -> Tensor:
    """The sum of two gradients, the dense one first if the other is sparse."""
    return before + g if before.__class__ is Tensor or not before.is_sparse or g.is_sparse else g + before


def _width(node: Any) -> int:
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
        raise TypeError(f"hook '{name}' has changed the type of value (was {type(g)} got {type(changed)})")
    if settle(changed).spec.shape != settle(g).spec.shape:
        raise RuntimeError(f"hook '{name}' has changed the size of value")
    return changed


# ---------------------------------------------------------------------------------------------------------------------
# Derivatives


def derivatives(node: Node, arrived: list[Any], create_graph: bool, reads: Reads | None = None) -> list[Any]:
    """The gradient for each operand of a node, in the operand's shape and dtype."""
    if isinstance(node, PythonNode):
        return _python_derivatives(node, arrived)
    step = node.step
    if step.saves and node.kept is None:
        raise RuntimeError(SECOND_TIME)
    specs = step.specs
    if not step.single or step.op.joint is not None:
        arrived = [full_like_spec(s, 0) if g is None else g for g, s in zip(arrived, specs, strict=True)]
    needs = tuple(p is not None for p in node.parents)
    context = Context(node, arrived[0] if step.single else tuple(arrived), needs, create_graph, reads)
    if step.op.joint is not None:
        found = list(context.call(step.op.joint))
    else:
        found = [context.call(step.op.rules[name]) if need and name in step.op.rules else None
                 for name, need in zip(step.op.operands, needs, strict=False)]  # fmt: skip
    return [g if g is None or not need else fit(g, spec, node)
            for g, need, spec in zip(found, needs, step.input_specs, strict=False)]  # fmt: skip


def _python_derivatives(node: PythonNode, arrived: list[Any]) -> list[Any]:
    found = node.derive(arrived)
    return [g if g is None or p is None or s is None else fit(g, s, node)
            for g, p, s in zip(found, node.parents, node.input_specs(), strict=True)]  # fmt: skip


class Context:
    """Gives a rule what its parameters name."""

    def __init__(
        self, node: Node, g: Any, needs: tuple[bool, ...], create_graph: bool, reads: Reads | None = None
    ) -> None:
        self.node = node
        self.create_graph = create_graph
        self.reads = reads
        self.known: dict[str, Any] = {"g": g, "needs": needs}

    def call(self, rule: Callable[..., Any]) -> Any:
        code = rule.__code__
        names = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
        if not code.co_kwonlyargcount:
            return rule(*[self.find(name) for name in names])
        return rule(**{name: self.find(name) for name in names})

    def find(self, name: str) -> Any:
        known = self.known
        if name == "results":
            return Results(self)  # not kept: a cycle would keep what was saved until Python looks for cycles
        if name not in known:
            known[name] = self._look_up(name)
        return known[name]

    def _look_up(self, name: str) -> Any:
        step = self.node.step
        op = step.op
        if name in step.attributes:
            return step.attributes[name]
        if name == "result":
            return self.saved(~0)
        if name in op.operands:
            i = op.operands.index(name)
            if op.variadic and i == len(op.operands) - 1:
                return [self.saved(k) for k in range(i, len(step.inputs))]
            return None if step.inputs[i] is None else self.saved(i)
        stem = name.removesuffix("_spec")
        if stem in op.operands:
            i = op.operands.index(stem)
            return list(step.input_specs[i:]) if op.variadic and i == len(op.operands) - 1 else step.input_specs[i]
        raise TypeError(f"the gradient of {op.name} asks for {name!r}, which it does not have")

    def saved(self, position: int) -> Tensor:
        if self.reads is not None:
            self.reads.append((self.node.slot, position))
        return saved(self.node, position, self.create_graph)


class Results:
    """The saved results of a node, each looked up (and found overwritten or not) when the rule takes it."""

    def __init__(self, context: Context) -> None:
        self.context = context

    def __getitem__(self, k: int) -> Tensor:
        if not 0 <= k < len(self):
            raise IndexError(k)
        return self.context.saved(~k)

    def __len__(self) -> int:
        return len(self.context.node.step.specs)


def saved(node: Node, position: int, create_graph: bool) -> Tensor:
    """A saved operand (position >= 0) or result (~k), with its history where a graph of the gradient is made."""
    t = tensor_of(current(node, position))
    if create_graph:
        if position < 0:
            t._node, t._out = node, ~position
        elif node.parents[position] is not None:
            t._node, t._out = node.parents[position], node.outs.get(position, 0) if node.outs else 0
    return t


def current(node: Node, position: int) -> Value:
    """A saved Value, if the backward pass may still use it."""
    if node.saved is None:
        raise RuntimeError(SECOND_TIME)
    value = node.saved[node.step.saves.index(position)]
    if node.cloned and position == 0:
        return value  # an in-place operation keeps a copy of what it overwrites
    value = latest(value)
    for v in (value, value.root):
        if v is not None and v.stale is not None:
            raise _overwritten(node, position, value, v)
    return value


_TRANSPOSING = frozenset(("linear", "linear_nd", "linear_no_bias", "linear_nd_no_bias"))


def _overwritten(node: Node, position: int, value: Value, v: Value) -> RuntimeError:
    if position < 0:
        return overwritten_error(value, v, short_name(node), ~position)
    if node.step.op.name in _TRANSPOSING and position == 1:  # PyTorch saved the weight's transpose, a view
        return overwritten_error(value, v, "AsStrided", 0, value.spec.shape[::-1])
    return overwritten_error(value, v, *origin_now(node.parents[position], value, v))


def origin_now(parent: Any, value: Value, stale: Value) -> tuple[str | None, int]:
    """The node that a saved operand has by now, as PyTorch's message names it: writing to it gave it a new one."""
    if not isinstance(parent, Node):
        return None, 0
    if value.root is not None:
        return "AsStrided", 0
    writer = stale.stale[2]  # type: ignore[index]
    written = None if writer is None else writer()
    at = written._node if written is not None and written._base is None else parent
    return (short_name(at) if isinstance(at, Node) else None), 0


def overwritten_error(
    value: Value, stale: Value, origin: str | None, which: int, shape: tuple[int, ...] | None = None
) -> RuntimeError:
    """PyTorch's error for a saved tensor that was changed before the backward pass used it."""
    cell, held, _ = stale.stale  # type: ignore[misc]
    now = cell.edits if isinstance(cell, Storage) else cell._edits
    spec = value.spec
    origin = f", which is output {which} of {origin}," if origin else ""
    return RuntimeError(
        "one of the variables needed for gradient computation has been modified by an inplace operation: "
        f"[torch.{spec.dtype.scalar_name}Tensor {list(shape or spec.shape)}]{origin} is at version {now}; expected "
        f"version {held} instead. Hint: enable anomaly detection to find the operation that failed to compute its "
        "gradient, with torch.autograd.set_detect_anomaly(True, check_nan=False)."
    )


def short_name(node: Any) -> str:
    """The name of a node in PyTorch's messages: `Exp` for ExpBackward0, `Pow1` for PowBackward1."""
    return node_name(node).removesuffix("Backward0").replace("Backward", "")


def node_name(node: Any) -> str:
    """PyTorch's name for a node."""
    if isinstance(node, Leaf):
        return "AccumulateGrad"
    return node.name if isinstance(node, PythonNode) else node.step.op.node


def fit(g: Tensor, spec: Spec, node: Any) -> Tensor:
    """A gradient in its operand's shape and dtype: broadcast dimensions summed, real where the operand is."""
    found = g._value.spec
    if found is spec or (found.shape == spec.shape and found.dtype is spec.dtype):
        return g
    if spec.wrapped:
        return g
    fitted = sum_to_spec(g, spec)
    if fitted is None:
        raise RuntimeError(
            f"Function {node_name(node)} returned an invalid gradient at index 0 - got {list(found.shape)} but "
            "expected "
            f"shape compatible with {list(spec.shape)}"
        )
    return fitted


# ---------------------------------------------------------------------------------------------------------------------
# Leaves


def _into_leaf(leaf: Leaf, g: Tensor, create_graph: bool) -> None:
    t = leaf.tensor
    if t is None or t._node is not leaf:
        return
    accumulate(t, g, create_graph)
    for hook in list(leaf.post_hooks.values()) if leaf.post_hooks else ():
        hook(t)


def accumulate(t: Tensor, g: Tensor, create_graph: bool) -> None:
    """Adds to `.grad`: in place, unless the graph of the gradient is wanted."""
    if t._grad is None:
        t._grad = g if create_graph else _own(g, t)
    elif create_graph:
        t._grad = _sum_of(t._grad, g)
    else:
        me = recorder()
        tracking, me.tracking = me.tracking, False
        try:
            total = _sum_of(t._grad, g)
            if total.__class__ is t._grad.__class__ is Tensor:
                assign(t._grad, total)
            else:
                t._grad = total
        finally:
            me.tracking = tracking


def _own(g: Tensor, t: Tensor) -> Tensor:
    """A handle of the leaf's own on a gradient, laid out as the leaf: writing to one `.grad` never changes another."""
    mine, layout = settle(g).spec, t._value.spec
    if g.__class__ not in TENSORS:
        return g
    if (
        mine.strides != layout.strides
        and mine.shape == layout.shape
        and is_non_overlapping_and_dense(layout.shape, layout.strides)
    ):
        g = relayout(g, layout.strides)
    return tensor_of(settle(g))


# ---------------------------------------------------------------------------------------------------------------------
# The pass as one edge


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
        for s, position in sorted(set(reads)):
            step = trace.nodes[s].step
            k = step.saves.index(position)
            if k not in step.numbers:
                found.append((s, position, step.kept[k]))
        self.reads = found


def replayed(root: Tensor, g: Tensor | None, retain_graph: bool | None) -> bool:
    """Does the whole pass as one edge, if the tape belongs to the running trace and nobody listens on the way."""
    if tracing.EAGER or anomaly_check is not None:
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
    tracking, me.tracking = me.tracking, False
    me.hold += 1
    try:
        key = ("backward", root._node.slot, root._out, g is not None, had)  # type: ignore[union-attr]
        if g is not None or True in had:
            old = [settle(t._grad) and t._grad for t in tensors if t._grad is not None]
            apply(BIND, old if g is None else [*old, g], (key,))
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
    walk = Walk([root], [g], False)
    walk.reads = []
    walk.run()
    plan.note(walk.reads, recorder().trace)
    arrived = dict(walk.leaf_grads())
    results: list[Tensor | None] = []
    for t in tensors:
        new = arrived.get(t._node)  # type: ignore[arg-type]
        if new is None:
            results.append(t._grad)
        else:
            results.append(_own(new, t) if t._grad is None else _sum_of(t._grad, new))
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


def warn_non_leaf_grad() -> None:
    """PyTorch's warning on reading `.grad` of a tensor that keeps none."""
    warnings.warn(
        "The .grad attribute of a Tensor that is not a leaf Tensor is being accessed. Its .grad attribute won't be "
        "populated during autograd.backward(). If you indeed want the .grad field to be populated for a non-leaf "
        "Tensor, "
        "use .retain_grad() on the non-leaf Tensor. If you access the non-leaf Tensor by mistake, make sure you "
        "access the "
        "leaf Tensor instead. See github.com/pytorch/pytorch/pull/30531 for more informations.",
        UserWarning,
        stacklevel=3,
    )


def stack_here() -> list[str]:
    """The user's stack, for anomaly detection."""
    return traceback.format_stack()[:-2]
