"""The automaton's States and Steps: what is known of a recorded program, up to the numbers.

A `State` is a point of the automaton, reached by recording one operation after another from the root; the operation
that led there is its `Step`, with all that was worked out when it was recorded for the first time.  What an operation's
`Rules` say of operands is worked out once for all States.
"""

from __future__ import annotations

from operator import itemgetter
from typing import Any

from rushlight.core.dtype import get_default_dtype
from rushlight.core.strided import has_internal_overlap, preserve_strides

from .operation import Operation
from .program import Program, casts
from .spec import Spec, spec_of
from .value import Leaf, Node

LONG = 2048  # flush a trace that nobody reads when it is this long and its loop comes round again,
MAX_SLOTS = 8192  # or at the latest here
MAX_BYTES = 1 << 28  # or when its pending results would take this much memory
MAX_RULES = 20_000  # results of shape rules that are remembered


class Rules:
    """What an operation's rules say of operands with these Specs: worked out once for all Steps of that kind."""

    __slots__ = (
        "attributes", "casts", "compute", "input_specs", "nbytes", "op", "single", "specs", "tracked",
    )  # fmt: skip

    def __init__(self, op: Operation, attrs: tuple[Any, ...], input_specs: tuple[Any, ...]) -> None:
        self.op = op
        self.input_specs = input_specs
        self.attributes = dict(zip(op.attributes, attrs, strict=True))
        found = op.infer(*input_specs, **self.attributes)
        self.single = isinstance(found, Spec)
        self.specs: tuple[Spec, ...] = (found,) if self.single else tuple(found)
        if not op.view and op.layouts is None:
            self.specs = tuple([_in_places_of_its_own(s) for s in self.specs])
        self.nbytes = 0 if op.view else sum(s.nbytes for s in self.specs)
        self.compute = op.compute(*input_specs, **self.attributes) if op.compute else None
        self.casts = casts(op, self.compute, input_specs)
        self.tracked: dict[tuple[bool, ...], Tracking] = {}

    def tracking(self, wants: tuple[bool, ...]) -> Tracking:
        """What belongs to the tape, where these operands do."""
        known = self.tracked.get(wants)
        if known is None:
            known = self.tracked[wants] = self._tracking(wants)
        return known

    def _tracking(self, wants: tuple[bool, ...]) -> Tracking:
        tracks = tuple(s.dtype.is_floating_point or s.dtype.is_complex for s in self.specs)
        if not (any(wants) and self.op.differentiable and any(tracks)):
            return NOT_TRACKED
        needed = self.op.needed_by(wants)
        saves = [i for i, name in enumerate(self.op.operands[: len(wants)]) if name in needed]
        if self.op.variadic and self.op.operands[-1] in needed:
            saves = [*saves, *range(len(self.op.operands), len(wants))]
        if "result" in needed:
            saves.append(~0)
        if "results" in needed:
            saves.extend(~k for k in range(len(self.specs)))
        specs = self.input_specs
        saves = [i for i in saves if i < 0 or specs[i] is not None]
        return tracks, tuple(saves), tuple([k for k, i in enumerate(saves) if i >= 0 and specs[i].wrapped])


Tracking = tuple[tuple[bool, ...], tuple[int, ...], tuple[int, ...]]  # outputs; saved; which of these are numbers
NOT_TRACKED: Tracking = (), (), ()
_rules: dict[tuple[Any, ...], Rules] = {}


def _rules_for(op: Operation, attrs: tuple[Any, ...], specs: tuple[Spec | None, ...]) -> Rules:
    """The rules are remembered: a graph that is another one each time is made of operations met before."""
    key = op, attrs, tuple([a.__class__ for a in attrs]), specs, get_default_dtype()  # 1 and 1.0 are the same key
    known = _rules.get(key)
    if known is None:
        known = Rules(op, attrs, specs)
        if len(_rules) >= MAX_RULES:
            _rules.clear()
        _rules[key] = known
    return known


def _in_places_of_its_own(spec: Spec) -> Spec:
    """What is computed shares no memory among its elements, though an expanded operand does."""
    if not has_internal_overlap(spec.shape, spec.strides):
        return spec
    return spec_of(spec.shape, spec.dtype, preserve_strides(spec.shape, spec.strides), spec.wrapped)


class Step:
    """One recorded operation as the State knows it: all of it but the numbers."""

    __slots__ = (
        "attributes", "casts", "compute", "fetch", "input_specs", "inputs", "kept", "leaves", "nbytes", "numbers",
        "op", "outputs", "saves", "single", "slot", "spec", "specs", "tracks",
    )  # fmt: skip

    def __init__(
        self, op: Operation, attrs: tuple[Any, ...], inputs: tuple[int | None, ...], specs: tuple[Any, ...],
        parents: list[Any], first: int,
    ) -> None:  # fmt: skip
        """`parents` are the operands' nodes, empty where no tape is kept; results get slots from `first` on."""
        rules = _rules_for(op, attrs, specs)
        self.op = op
        self.inputs = inputs
        self.input_specs, self.attributes, self.specs = rules.input_specs, rules.attributes, rules.specs
        self.single, self.compute, self.casts, self.nbytes = rules.single, rules.compute, rules.casts, rules.nbytes
        self.spec: Any = self.specs[0] if self.specs else None
        self.slot = first  # of the first result
        self.outputs: tuple[int, ...] = (first,) if self.single else tuple(range(first, first + len(self.specs)))
        self.tracks: tuple[bool, ...]
        self.saves: tuple[int, ...]  # operand positions; ~k for output k
        self.numbers: tuple[int, ...]  # which of `saves` are Python numbers
        self.tracks, self.saves, self.numbers = rules.tracking(tuple([p is not None for p in parents]))
        self.leaves: tuple[int, ...] = ()  # operands that are leaves of the tape
        if self.tracks:
            self.leaves = tuple([i for i, p in enumerate(parents) if p.__class__ is Leaf])
        self.kept: tuple[int | None, ...]  # their slots
        self.kept = tuple([inputs[i] if i >= 0 else self.outputs[~i] for i in self.saves])
        if len(self.kept) > 1:
            self.fetch = itemgetter(*self.kept)

    def keep(self, node: Node, values: list[Any]) -> None:
        """Gives a node what it saves from the slots of its trace."""
        kept: Any = self.kept
        node.kept = self.fetch(values) if len(kept) > 1 else (values[kept[0]],) if kept else []


class State:
    """A point of the automaton: everything recorded since the last flush, up to the numbers."""

    __slots__ = (
        "depth", "edges", "long", "memos", "nbytes", "nodes", "parent", "programs", "step", "width",
    )  # fmt: skip
    count = 0

    def __init__(self, parent: State | None, step: Step | None, width: int) -> None:
        self.edges: dict[tuple[Any, ...], State] = {}
        self.memos: dict[Any, Any] = {}
        self.programs: dict[Any, Program | None] = {}  # None: it has run once
        self.parent = parent
        self.step = step
        self.width = width  # slots of Values and numbers
        self.nodes = 0  # slots of nodes
        self.depth: int = 0 if parent is None else parent.depth + 1  # operations recorded
        self.nbytes: int = 0 if parent is None or step is None else parent.nbytes + step.nbytes
        self.long = width > LONG or self.nbytes > MAX_BYTES
        State.count += 1


def prune(root: State) -> int:
    """Cuts off what no program that runs again lies behind; how many States are left."""
    order, stack = [], [root]
    while stack:
        state = stack.pop()
        order.append(state)
        stack.extend(state.edges.values())
    useful = {root}
    for state in order:
        if state not in useful and any(state.programs.values()):
            at: State | None = state
            while at is not None and at not in useful:
                useful.add(at)
                at = at.parent
    for state in order:
        if state in useful:
            edges, memos = list(state.edges.items()), list(state.memos.items())  # other threads may be adding some
            state.edges = {key: s for key, s in edges if s in useful}
            state.memos = {key: m for key, m in memos if getattr(m, "state", root) in useful}
        else:  # it refers to its neighbours, as they to it
            state.edges, state.memos, state.programs = {}, {}, {}
    return len(useful)


def drop(state: State) -> None:
    """Frees a State and all behind it."""
    forgotten = [state]
    while forgotten:
        state = forgotten.pop()
        forgotten.extend(state.edges.values())
        state.edges, state.memos, state.programs = {}, {}, {}
