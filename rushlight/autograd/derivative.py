"""The derivative of one node: its rule, what the rule asks for, and whether what was saved may still be used."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from rushlight.ops.creation import CLONE, full_like_spec
from rushlight.ops.reduction import sum_to_spec
from rushlight.record.spec import Spec
from rushlight.record.state import Kind
from rushlight.record.trace import apply
from rushlight.record.value import Node, Storage, Tensor, Value, latest, tensor_of

from .tape import Pending, PythonNode, arrive, node_name, short_name

SECOND_TIME = (
    "Trying to backward through the graph a second time (or directly access saved tensors after they have already been "
    "freed). Saved intermediate values of the graph are freed when you call .backward() or autograd.grad(). Specify "
    "retain_graph=True if you need to backward through the graph a second time or if you need to access saved tensors "
    "after calling backward."
)

Reads = list[tuple[Node, int]]  # nodes, and positions among what they have saved
Anomaly = Callable[[Node, Sequence[Any]], None]
anomaly_check: Anomaly | None = None  # set by autograd.anomaly while it is on


def visit(nodes: list[Node], pending: Pending, reads: Reads) -> list[Node]:
    """Sends the gradients that have arrived at nodes, the newest first, on to their parents; nobody listens.

    Returns the nodes that had any; `reads` gets what their rules read of what they have saved.
    """
    ran = []
    for node in nodes:
        arrived = pending.pop(node, None)
        if arrived is None:
            continue
        ran.append(node)
        found = derivatives(node, arrived, False, reads)
        for i, parent in enumerate(node.parents):
            if parent is not None and found[i] is not None:
                arrive(pending, parent, node.outs.get(i, 0) if node.outs else 0, found[i])
    return ran


def derivatives(node: Node, arrived: list[Any], create_graph: bool, reads: Reads | None = None) -> list[Any]:
    """The gradient for each operand of a node, in the operand's shape and dtype."""
    if isinstance(node, PythonNode):
        return _python_derivatives(node, arrived)
    kind = node.step.kind
    if kind.saves and node.kept is None:
        raise RuntimeError(SECOND_TIME)
    if not kind.single or kind.op.joint is not None:
        arrived = [full_like_spec(s, 0) if g is None else g for g, s in zip(arrived, kind.specs, strict=True)]
    derivation: Derivation = kind.derivation
    if derivation is None:
        derivation = kind.derivation = Derivation(kind, tuple([p is not None for p in node.parents]))
    context = Context(node, arrived[0] if kind.single else tuple(arrived), create_graph, reads)
    if derivation.joint is not None:
        found = list(context.call(derivation.joint))
    else:
        found = [None if asked is None else context.call(asked) for asked in derivation.rules]
    return [g if g is None or not need else fit(g, spec, node)
            for g, need, spec in zip(found, derivation.needs, kind.input_specs, strict=False)]  # fmt: skip


def _python_derivatives(node: PythonNode, arrived: list[Any]) -> list[Any]:
    found = node.derive(arrived)
    return [g if g is None or p is None or s is None else fit(g, s, node)
            for g, p, s in zip(found, node.parents, node.input_specs(), strict=True)]  # fmt: skip


class Derivation:
    """The rules that a Kind of operation needs, joint or one for each operand on the tape, and what they ask for."""

    __slots__ = ("joint", "needs", "rules")

    def __init__(self, kind: Kind, needs: tuple[bool, ...]) -> None:
        op = kind.op
        self.needs = needs
        self.joint = None if op.joint is None else Asked(op.joint, kind, needs)
        self.rules: list[Asked | None] = []
        if op.joint is None:
            for name, need in zip(op.operands, needs, strict=False):
                self.rules.append(Asked(op.rules[name], kind, needs) if need and name in op.rules else None)


class Asked:
    """A rule, and where what its parameters name is to be found: something known or something saved."""

    __slots__ = ("named", "positional", "rule")

    def __init__(self, rule: Callable[..., Any], kind: Kind, needs: tuple[bool, ...]) -> None:
        code = rule.__code__
        names = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
        sources = [source_of(name, kind, needs) for name in names]
        self.rule = rule
        self.positional = sources[: code.co_argcount]
        self.named = dict(zip(names[code.co_argcount :], sources[code.co_argcount :], strict=True))


Source = tuple[str, Any]  # what to do, with what
GIVEN, KNOWN, SAVED, ALL_SAVED, RESULTS = "given", "known", "saved", "all saved", "results"


def source_of(name: str, kind: Kind, needs: tuple[bool, ...]) -> Source:
    """Where a rule's parameter comes from."""
    op, specs = kind.op, kind.input_specs
    if name == "g":
        return GIVEN, None
    if name == "needs":
        return KNOWN, needs
    if name in kind.attributes:
        return KNOWN, kind.attributes[name]
    if name == "result":
        return SAVED, ~0
    if name == "results":
        return RESULTS, None
    if name in op.operands:
        i = op.operands.index(name)
        if op.variadic and i == len(op.operands) - 1:
            return ALL_SAVED, range(i, len(specs))
        return (KNOWN, None) if specs[i] is None else (SAVED, i)
    stem = name.removesuffix("_spec")
    if stem in op.operands:
        i = op.operands.index(stem)
        return KNOWN, list(specs[i:]) if op.variadic and i == len(op.operands) - 1 else specs[i]
    raise TypeError(f"the gradient of {op.name} asks for {name!r}, which it does not have")


class Context:
    """Gives the rules of a node what they ask for."""

    __slots__ = ("create_graph", "g", "node", "reads")

    def __init__(self, node: Node, g: Any, create_graph: bool, reads: Reads | None = None) -> None:
        self.node = node
        self.g = g
        self.create_graph = create_graph
        self.reads = reads

    def call(self, asked: Asked) -> Any:
        given = [known if what is KNOWN else self.find(what, known) for what, known in asked.positional]
        if not asked.named:
            return asked.rule(*given)
        return asked.rule(*given, **{name: self.find(*source) for name, source in asked.named.items()})

    def find(self, what: str, known: Any) -> Any:
        if what is GIVEN:
            return self.g
        if what is SAVED:
            return self.saved(known)
        if what is ALL_SAVED:
            return [self.saved(k) for k in known]
        return Results(self) if what is RESULTS else known

    def saved(self, position: int) -> Tensor:
        if self.reads is not None:
            self.reads.append((self.node, position))
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
        return len(self.context.node.step.kind.specs)


def saved(node: Node, position: int, create_graph: bool) -> Tensor:
    """A saved operand (position >= 0) or result (~k), with its history where a graph of the gradient is made."""
    t = tensor_of(current(node, position))
    if create_graph:
        if node.cloned and position == 0:
            t = apply(CLONE, (t,))  # for the nodes of the pass itself: what they save must not count as overwritten
        if position < 0:
            t._node, t._out = node, ~position
        elif node.parents[position] is not None:
            t._node, t._out = node.parents[position], node.outs.get(position, 0) if node.outs else 0
    return t


def current(node: Node, position: int) -> Value:
    """A saved Value, if the backward pass may still use it."""
    held = node.saved
    if held is None:
        raise RuntimeError(SECOND_TIME)
    value: Value = held[node.step.kind.saves.index(position)]
    if node.cloned and position == 0:
        return value  # an in-place operation keeps a copy of what it overwrites
    if value.replaced is not None:
        value = latest(value)
    root = value.root
    if value.stale is not None or (root is not None and root.stale is not None):
        raise _overwritten(node, position, value, value if value.stale is not None else root)  # type: ignore[arg-type]
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
            f"expected shape compatible with {list(spec.shape)}"
        )
    return fitted
