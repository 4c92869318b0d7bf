"""The automaton's States and Steps: what is known of a recorded program, up to the numbers.

A `State` is a point of the automaton, reached by recording one operation after another from the root; the operation
that led there is its `Step`: which slots it reads and fills, and its `Kind`, all that its `Rules` say of operands with
these Specs, worked out once wherever the operation comes again.  A trace that goes where none has been is `Loose`:
States are made when the same is recorded for the second time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from operator import itemgetter
from typing import Any

from rushlight.core.blas import is_large
from rushlight.core.bounded import Bounded
from rushlight.core.caller import wrong_argument
from rushlight.core.strided import has_internal_overlap, preserve_strides

from .operation import Operation
from .program import Program, casts
from .spec import Spec, spec_of
from .value import Node

LONG = 2048  # flush a trace that nobody reads when it is this long and its loop comes round again,
MAX_SLOTS = 8192  # or at the latest here
MAX_BYTES = 1 << 28  # or when its pending results would take this much memory
STRAYS = 4  # so many traces that nobody had seen before make a landmark of an operation that comes round in them,
STRAY_LENGTH = 96  # if they have so many operations,
ROUNDS = 4  # and it comes so often in each;
PIECE = 24  # a piece has so many operations at least
ALIKE = 10_000  # pairs of the same operation in two traces that are compared


class Rules:
    """What an operation's rules say of operands with these Specs: worked out once for all Steps of that kind."""

    __slots__ = (
        "attributes", "casts", "compute", "input_specs", "kinds", "large", "nbytes", "op", "single", "specs",
    )  # fmt: skip

    def __init__(self, op: Operation, attrs: tuple[Any, ...], input_specs: tuple[Any, ...]) -> None:
        self.op = op
        self.input_specs = input_specs
        self.attributes = dict(zip(op.attributes, attrs, strict=True))
        found = _inferred(op, input_specs, self.attributes)
        self.single = isinstance(found, Spec)
        self.specs: tuple[Spec, ...] = (found,) if self.single else tuple(found)
        if not op.view and op.layouts is None:
            self.specs = tuple([_in_places_of_its_own(s) for s in self.specs])
        self.nbytes = 0 if op.view else sum(s.nbytes for s in self.specs)
        self.compute = op.compute(*input_specs, **self.attributes) if op.compute else None
        self.casts = casts(op, self.compute, input_specs)
        self.large = _large(input_specs, self.specs)
        self.kinds: dict[Taped, Kind] = {}

    def tracking(self, wants: tuple[bool, ...]) -> Tracking:
        """What belongs to the tape, where these operands do."""
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


def _large(inputs: tuple[Spec | None, ...], results: tuple[Spec, ...]) -> bool:
    """Whether a product of these is worth threads; of a single matrix, a decomposition."""
    sizes = [s.numel for s in inputs if s is not None and not s.wrapped]
    return bool(sizes and results) and is_large(sizes[0], sizes[1 % len(sizes)], results[0].numel)


def _inferred(op: Operation, specs: tuple[Any, ...], attributes: dict[str, Any]) -> Any:
    """What the operation's rule says; PyTorch's TypeError for None in place of a tensor."""
    try:
        return op.infer(*specs, **attributes)
    except (AttributeError, ValueError):
        if specs and specs[0] is None:
            raise TypeError(wrong_argument(None)) from None
        raise


Tracking = tuple[tuple[bool, ...], tuple[int, ...], tuple[int, ...]]  # outputs; saved; which of these are numbers
NOT_TRACKED: Tracking = (), (), ()
Taped = tuple[bool | None, ...]  # of each operand, whether a leaf of the tape; None where it is not on the tape
_rules: Bounded[tuple[Any, ...], Rules] = Bounded()


class Kind:
    """An operation on operands of certain Specs and with a certain part in the tape: all of a Step but its slots."""

    __slots__ = (
        "attributes", "begun", "casts", "compute", "derivation", "input_specs", "large", "leaves", "nbytes",
        "numbers", "op", "saves", "single", "spec", "specs", "strayed", "tracks",
    )  # fmt: skip

    def __init__(self, rules: Rules, taped: Taped) -> None:
        self.op = rules.op
        self.derivation: Any = None  # what autograd works out of its rules
        self.attributes, self.input_specs, self.specs = rules.attributes, rules.input_specs, rules.specs
        self.compute, self.casts, self.nbytes, self.single = rules.compute, rules.casts, rules.nbytes, rules.single
        self.large = rules.large
        self.strayed = 0  # in how many traces without end it has come round: see `Loose.note_landmark`
        self.begun: Counter[Operation] = Counter()  # behind which ones it began what comes again: see `note_common`
        self.spec: Any = self.specs[0] if self.specs else None
        self.tracks: tuple[bool, ...]
        self.saves: tuple[int, ...]  # operand positions; ~k for output k
        self.numbers: tuple[int, ...]  # which of `saves` are Python numbers
        self.tracks, self.saves, self.numbers = rules.tracking(tuple([p is not None for p in taped]))
        self.leaves = tuple([i for i, leaf in enumerate(taped) if leaf]) if self.tracks else ()  # among the operands


def kind_of(op: Operation, attrs: tuple[Any, ...], specs: tuple[Spec | None, ...], taped: Taped) -> Kind:
    """The Kind is remembered: a graph that is another one each time is made of operations met before."""
    key = (op, attrs, tuple(map(type, attrs)), specs) if attrs else (op, specs)  # 1 and 1.0 are the same key
    rules = _rules.get(key)
    if rules is None:
        rules = Rules(op, attrs, specs)
        _rules[key] = rules
    kind = rules.kinds.get(taped)
    if kind is None:
        kind = rules.kinds[taped] = Kind(rules, taped)
    return kind


def forget_rules() -> None:
    """Forgets what rules have said: what they say depends on the default dtype, which has changed."""
    _rules.clear()


def _in_places_of_its_own(spec: Spec) -> Spec:
    """What is computed shares no memory among its elements, though an expanded operand does."""
    if not has_internal_overlap(spec.shape, spec.strides):
        return spec
    return spec_of(spec.shape, spec.dtype, preserve_strides(spec.shape, spec.strides), spec.wrapped)


class Step:
    """One recorded operation as the State knows it: all of it but the numbers.

    What the recorder asks in every recording stands in the Step itself, the rest is its Kind's.
    """

    __slots__ = (
        "inputs", "kept", "kind", "leaves", "outputs", "outs", "single", "slot", "spec", "tracks",
    )  # fmt: skip

    def __init__(
        self, kind: Kind, inputs: tuple[int | None, ...], first: int, outs: dict[int, int] | None = None
    ) -> None:
        """The results get slots from `first` on; `outs` says which outputs of their nodes operands are: `Node.outs`."""
        self.kind = kind
        self.inputs = inputs
        self.outs = outs
        self.slot = first  # of the first result
        self.single = kind.single
        self.spec = kind.spec
        self.tracks = kind.tracks
        self.leaves = kind.leaves
        self.outputs: tuple[int, ...] = (first,) if self.single else tuple(range(first, first + len(kind.specs)))
        self.kept: tuple[int | None, ...] = ()  # the slots of what it saves
        if kind.saves:
            self.kept = tuple([inputs[i] if i >= 0 else self.outputs[~i] for i in kind.saves])

    op = property(lambda self: self.kind.op)
    attributes = property(lambda self: self.kind.attributes)
    input_specs = property(lambda self: self.kind.input_specs)
    specs = property(lambda self: self.kind.specs)
    compute = property(lambda self: self.kind.compute)
    casts = property(lambda self: self.kind.casts)
    nbytes = property(lambda self: self.kind.nbytes)
    saves = property(lambda self: self.kind.saves)
    numbers = property(lambda self: self.kind.numbers)

    def keep(self, node: Node, values: list[Any]) -> None:
        """Gives a node what it saves from the slots of its trace."""
        kept: Any = self.kept
        if len(kept) > 1:
            node.kept = itemgetter(*kept)(values)
        else:
            node.kept = (values[kept[0]],) if kept else []


class State:
    """A point of the automaton: everything recorded since the last flush, up to the numbers."""

    __slots__ = (
        "depth", "edges", "ends", "long", "memos", "nbytes", "nodes", "parent", "programs", "step", "width",
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
        self.ends = False  # a piece of a program whose length differs each time: it is computed here
        State.count += 1


class Loose:
    """Where a trace is that has left what the automaton knows: a State for this trace alone, which grows along with it.

    Most of what is recorded once never comes again, where shapes or lengths differ each time; only what has been
    sighted before gets States of its own (`chart`).

    Loops of other lengths each time, trees and sentences never come again as a whole, but their turns do.  So an
    operation that comes round in one long stray trace after the other becomes a landmark, and from then on a piece
    ends there: the pieces are programs that are known, whatever they are pieces of.
    """

    __slots__ = ("ends", "long", "nbytes", "nodes", "sign", "start", "step", "taken", "width")
    edges: dict[tuple[Any, ...], State] = {}  # none is known
    programs: dict[Any, Program | None] = {}

    def __init__(self, start: State) -> None:
        self.start = start
        self.taken: list[tuple[tuple[Any, ...], Step, int]] = []  # edges, Steps, and the slots of nodes after these
        self.step: Step = None  # type: ignore[assignment]  # the newest
        self.width, self.nodes, self.nbytes, self.long = start.width, start.nodes, start.nbytes, start.long
        self.sign = id(start)
        self.ends = False

    @property
    def memos(self) -> dict[Any, Any]:
        """Nothing is remembered here."""
        return {}

    @property
    def depth(self) -> int:
        """Operations recorded."""
        return self.start.depth + len(self.taken)

    def take(self, edge: tuple[Any, ...], step: Step, nodes: int) -> None:
        """Goes one operation on; `nodes` is how many slots of nodes there are after it."""
        kind = step.kind
        self.taken.append((edge, step, nodes))
        self.step, self.nodes = step, nodes
        self.width = width = step.slot + len(step.outputs)
        self.nbytes += kind.nbytes
        self.ends = kind.strayed >= STRAYS and self.depth >= PIECE
        self.long = self.ends or width > LONG or self.nbytes > MAX_BYTES
        self.sign = hash((self.sign, kind, step.inputs))

    def note_landmark(self) -> None:
        """Notes, of a trace that nobody has seen before, behind which operation its loop could be cut.

        Of those that come round, on the tape if there is one, it is the one that does so most often, but seldom
        enough for pieces of `PIECE` operations; in a short loop a piece is several turns.
        """
        kinds = [step.kind for _, step, _ in self.taken]
        taped = any(kind.tracks for kind in kinds)
        places: dict[Kind, list[int]] = {}
        for at, kind in enumerate(kinds):
            if kind.tracks or not taped:
                places.setdefault(kind, []).append(at)
        turns = [((at[-1] - at[0]) / (len(at) - 1), kind) for kind, at in places.items() if len(at) >= ROUNDS]
        if turns:
            min(turns, key=lambda turn: (turn[0] < PIECE, abs(turn[0] - PIECE)))[1].strayed += 1

    def note_common(self, other: Sequence[Kind]) -> Sequence[Kind]:
        """Notes, of a trace that nobody has seen before, where what it has in common with `other` begins and ends.

        Generated tokens make a longer sequence each time, of which a network sees the end: a few operations are new
        ones, and all that follows comes again.  From there it is to be a piece of its own.  Only for what is not on the
        tape, which is fastest in one piece.  Returns what the trace consists of; nothing, if that is not worth a look.
        """
        from difflib import SequenceMatcher  # a millisecond that few programs need

        kinds = [step.kind for _, step, _ in self.taken]
        alike = Counter(other)
        if any(kind.tracks for kind in kinds) or sum(alike[kind] for kind in kinds) > ALIKE:
            return ()
        common = SequenceMatcher(None, other, kinds, autojunk=False).find_longest_match()
        begin, end = common.b, common.b + common.size
        if common.size >= PIECE and begin:
            pairs = [(before.op, kind) for before, kind in pairwise(kinds[begin - 1 : end])]
            if pairs.count(pairs[0]) == 1:
                kinds[begin].begun[pairs[0][0]] += 1
        if common.size >= PIECE and end < len(kinds) and kinds[begin:end].count(kinds[end - 1]) == 1:
            kinds[end - 1].strayed += 1
        return kinds

    def chart(self) -> State:
        """The State here, with all that lead to it."""
        at = self.start
        for edge, step, nodes in self.taken:
            known = at.edges.get(edge)
            if known is None:
                known = at.edges[edge] = State(at, step, step.slot + len(step.outputs))
                known.nodes = nodes
            at = known
        if self.ends:
            at.ends = at.long = True
        return at


def steps_to(state: State | Loose) -> list[Step]:
    """The Steps from the root to here."""
    steps: list[Step] = []
    at: State | None = state.start if state.__class__ is Loose else state  # type: ignore[assignment,union-attr]
    while at is not None:
        if at.step is not None:
            steps.append(at.step)
        at = at.parent
    steps.reverse()
    if state.__class__ is Loose:
        steps += [step for _, step, _ in state.taken]  # type: ignore[union-attr]
    return steps


def prune(root: State) -> int:
    """Cuts off what no program that runs again lies behind; how many States are left."""
    order, stack = [], [root]
    while stack:
        state = stack.pop()
        order.append(state)
        stack.extend(state.edges.values())
    useful = {root}
    for state in order:
        if state not in useful and any(p is not None and p.came_again for p in state.programs.values()):
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
