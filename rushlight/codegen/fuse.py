"""From a run of calls to few loop nests.

`Run` turns calls into Symbols.  `Plan` then walks them in order and puts each into the earliest loop nest that
has its shape and comes no earlier than those of its operands; what another nest or the outside reads is stored, all
else lives in registers.  A reduction belongs to the nest of its operand's shape.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from rushlight.core.strided import contiguous_strides, is_non_overlapping_and_dense, view_as_real

from . import assembly, verify
from . import formulas as formulas  # it fills in NumPy's functions that are expressions in others
from .arena import Arena
from .capture import NotLowered, Symbol, cast, looked_at
from .complex import Complex, entering
from .epilogue import attach
from .layout import MADE_APART, apart, channels_last, fixed, is_channels_last, planes, wants_channels_last
from .recompute import Recompute
from .reshaped import reshape_products
from .separate import separate
from .updates import readers_first
from .views import look_through, views_of

if TYPE_CHECKING:
    from rushlight.record.operation import Kernel
    from rushlight.record.program import Call
    from rushlight.record.spec import Spec

UNTRACEABLE = (TypeError, AttributeError, ValueError, LookupError, ArithmeticError, RuntimeError)  # kernels of Symbols
LEAVES = ("input", "number", "constant", "iota", "table")
APART = ("reduce", "contract", "scanned", "whole", "piece", "added", "guard", "draw")  # read in a later nest
INSIDE = ("piece", "added")  # parts of a "whole": its memory is theirs
PRODUCT = (-1,)  # the "shape" of a nest that is a contraction: no other nest has it
SCAN = (-2,)  # likewise, of a loop over sequences
DRAWN = (-3,)  # likewise, of random numbers


class Run:
    """Consecutive calls as Symbols, by slot."""

    def __init__(self) -> None:
        self.symbols: dict[int, Symbol] = {}
        self.specs: dict[int, Spec] = {}
        self.made: dict[int, Symbol] = {}
        self.draws: dict[Symbol, list[Symbol]] = {}  # of each engine's state, in order

    def operand(self, slot: int, spec: Spec) -> Symbol:
        """The Symbol in a slot; an input of the run if none of its calls made it."""
        found = self.symbols.get(slot)
        if found is None:
            found = self.symbols[slot] = _entering(slot, spec)
            self.specs[slot] = spec
        return found

    def stored(self, slot: int) -> Symbol:
        """The Symbol whose memory the array in a slot is."""
        found = self.symbols[slot]
        return found.pairs if isinstance(found, Complex) else found

    def strides(self, slot: int) -> tuple[int, ...]:
        """How the array in a slot lies by its Spec, in elements of that memory."""
        spec = self.specs[slot]
        if spec.dtype.is_complex:
            return view_as_real(spec.shape, spec.strides, 0)[1]
        return spec.strides

    def add(self, call: Call) -> None:
        """Captures one call; raises NotLowered, and changes nothing, where it cannot."""
        step, before = call.step, set(self.symbols)
        try:
            self._capture(call)
        except (NotLowered, *UNTRACEABLE) as failure:
            for slot in set(self.symbols) - before:
                del self.symbols[slot]
                self.specs.pop(slot, None)
            raise NotLowered(f"{step.op.name}: {failure}") from None

    def _capture(self, call: Call) -> None:
        step = call.step
        if any(spec.wrapped for spec in step.specs):
            raise NotLowered("a number")
        if any(0 in spec.shape for spec in step.specs):
            raise NotLowered("no elements")
        operands = [
            None if slot is None else self.operand(slot, known)
            for slot, known in zip(step.inputs, step.input_specs, strict=True)
        ]
        for i, to in call.casts or ():
            operands[i] = cast(operands[i], np.dtype(to))  # type: ignore[arg-type]
        if step.op.layouts is not None:
            results: Sequence[Any] = views_of(step, operands)
        else:
            found = _traced(step.op.lower or step.op.kernel, operands, step.attributes)
            results = (found,) if step.single else found
        fitted = [_fitted(x, spec) for x, spec in zip(results, step.specs, strict=True)]
        if step.op.effects:
            self._follow(operands[0], fitted[0])
        for slot, x, spec in zip(step.outputs, fitted, step.specs, strict=True):
            self.symbols[slot] = self.made[slot] = x
            self.specs[slot] = spec


    def _follow(self, state: Symbol | None, numbers: Symbol) -> None:
        """Lets a draw come after those before it."""
        assert state is not None
        earlier = self.draws.setdefault(state, [])
        (draw,) = [x for x in ancestors([numbers]) if x.kind == "draw"]
        draw.args = (*draw.args, *earlier[-1:])
        earlier.append(draw)


def _entering(slot: int, spec: Spec) -> Symbol:
    """An operand that none of a run's calls made."""
    if spec.dtype.is_complex:
        return entering(slot, spec)
    return Symbol("number" if spec.wrapped else "input", (), spec.shape, spec.numpy, slot)


def _traced(kernel: Kernel, operands: list[Any], attributes: dict[str, Any]) -> Any:
    """What a kernel makes of Symbols.  It may write into its operands; theirs are the old numbers all the same."""
    try:
        found = kernel(*operands, **attributes)
        results = found if isinstance(found, tuple) else (found,)
        if any(isinstance(x, Symbol) and looked_at(x).written for x in results):
            raise NotLowered("a kernel whose result was written in place")
        return found
    finally:
        for x in operands:
            if isinstance(x, Symbol):
                looked_at(x).written = False


def _fitted(result: Any, spec: Spec) -> Symbol:
    """A kernel's result in the dtype that the operation's rule says."""
    if not isinstance(result, Symbol):
        raise NotLowered("the kernel's answer does not depend on its operands")
    if result.shape != spec.shape:
        raise NotLowered(f"shape {result.shape} where the rule says {spec.shape}")
    return cast(result, spec.numpy)


class Nest:
    """One loop nest: the shape it runs over, and what it computes, in order."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.shape = shape
        self.body: list[Symbol] = []
        self.stored: list[Symbol] = []


class Buffer:
    """Where a stored Symbol lies: an argument's memory, or an offset in the arena; strides in elements."""

    def __init__(self, strides: tuple[int, ...], slot: int | None = None) -> None:
        self.strides = strides
        self.slot = slot
        self.offset = 0


def ancestors(roots: Iterable[Symbol]) -> list[Symbol]:
    """Everything the roots are made of, operands first."""
    order: list[Symbol] = []
    seen: set[Symbol] = set()
    stack: list[Any] = []
    for root in roots:
        stack.append(root)
        while stack:
            x = stack.pop()
            if x is None:  # the operands of what lies below are done
                order.append(stack.pop())
            elif x not in seen:
                seen.add(x)
                if x.args:
                    stack += x, None
                    stack += x.args[::-1]
                else:
                    order.append(x)
    return order


def is_uniform(x: Symbol, known: dict[Symbol, bool]) -> bool:
    """Whether it is a function of numbers alone: computed once, before the loops."""
    found = known.get(x)
    if found is None:
        leaf = x.kind in ("number", "constant")
        plain = x.shape == () and bool(x.args) and x.kind not in ("view", "broadcast", "pick", *APART)
        found = known[x] = leaf or (plain and all(is_uniform(a, known) for a in x.args))
    return found


class Plan:
    """The loop nests of a run, and where their results lie.

    Attributes:
        nests: in the order in which they run.
        buffers: the memory of every stored Symbol.
        windows: the views that begin at a run-time number, and where; found by `memory`.
        uniform: the Symbols that are functions of numbers alone, in order.
    """

    def __init__(
        self,
        run: Run,
        outputs: list[int],
        homes: Mapping[int, int] | None = None,
        lasting: Mapping[Symbol, int] | None = None,
    ) -> None:
        self.run = run
        self.outputs = outputs
        self.nests: list[Nest] = []
        self.place: dict[Symbol, int] = {}
        self.buffers: dict[Symbol, Buffer] = {}
        self.uniform: dict[Symbol, None] = {}  # an ordered set
        self.arena = 0  # its size in bytes
        self.padded: dict[Any, Any] = {}  # operands of convolutions with a border: where the copies lie
        self.packed: dict[Any, int] = {}  # operands of several products in panels: where these lie
        self.lasting = lasting or {}  # of the body of a scan: what is the same in all its turns, and how many
        self.readers: dict[Symbol, set[Nest]] = {}  # the nests that read a contraction; found when first asked for
        self.read: Counter[Any] = Counter()  # by how many contractions an operand is read, by where it lies
        self.windows: dict[Symbol, tuple[Symbol, int]] = {}  # views at run-time offsets: base and a fixed offset in it
        self.owner: dict[Symbol, Symbol] = {}  # the whole of every piece
        self._scans: dict[Any, int] = {}  # the places of the scans' nests
        self._layouts: dict[Symbol, tuple[int, ...]] = {}  # the strides of intermediates
        self._copies: dict[Symbol, tuple[int, ...]] = {}  # copies made for views, and their strides
        self._slots = {x: slot for slot, x in reversed(run.made.items())}
        self._numbers: dict[Symbol, bool] = {}
        self.roots: dict[int, Symbol] = {}
        self._find_roots()
        self._wanted = {x: slot for slot, x in self.roots.items()}
        self._simplify()
        self._lay_out()
        order = ancestors(self.roots.values())
        if homes:
            order = ancestors(readers_first(self, order, homes))
        for x in sorted(order, key=lambda x: x.kind != "draw"):  # these first, so that their readers may go anywhere
            self._assign(x)
        if not all(x in self.place for draws in run.draws.values() for x in draws):
            raise NotLowered("random numbers that nobody reads")
        self.memories = Arena(self)
        self._pass_over(order)

    def _find_roots(self) -> None:
        """The Symbol of each output.

        One that is only a look at something, or another output, or a number, is copied by a nest of its own.
        """
        for x in ancestors(self.run.stored(slot) for slot in self.outputs):
            is_uniform(x, self._numbers)  # operands first, so that no chain of numbers is followed by recursion
        taken: set[Symbol] = set()
        for slot in self.outputs:
            x = self.run.stored(slot)
            if x.kind in ("view", *LEAVES) or x in taken or is_uniform(x, self._numbers):
                x = Symbol("broadcast", (x,), x.shape, x.dtype)
            taken.add(x)
            self.roots[slot] = x

    def _simplify(self) -> None:
        """Rewrites the graph before anything is known about memory."""
        assembly.share_guards(ancestors(self.roots.values()))
        assembly.continue_wholes(ancestors(self.roots.values()), set(self._wanted))
        reshape_products(ancestors(self.roots.values()), self._wanted)

    def _lay_out(self) -> None:
        """In which order the dimensions of each intermediate lie, operands first."""
        order = ancestors(self.roots.values())
        self._fixed, self._planes = fixed(order, self._wanted), planes(order)
        for x in order:
            self._copy_for(x)
            self._layouts[x] = self._laid(x)

    def _pass_over(self, order: list[Symbol]) -> None:
        """Improves the nests, pass by pass; in tests the verifier looks at the Plan after each."""
        passes: dict[str, Callable[[], Any]] = {
            "fuse": lambda: None,
            "recompute": lambda: Recompute(self, order),
            "separate": lambda: separate(self),
            "epilogue": lambda: attach(self),
            "store": lambda: self._store(order),
            "drop": self._drop_unused,
            "arena": lambda: self.memories.place(),
        }
        for name, run_pass in passes.items():
            run_pass()
            if verify.ENABLED:
                verify.plan(self, name)

    def _copy_for(self, x: Symbol) -> None:
        """Gives a view a copy to look at where it cannot look at its source as that lies."""
        if x.kind != "view":
            return
        try:
            self.memory(x)
        except NotLowered:
            source = x.args[0]
            copy = Symbol("broadcast", (source,), source.shape, source.dtype)
            x.args = (copy, *x.args[1:])
            self._copies[copy] = getattr(x.data, "expected", None) or contiguous_strides(source.shape)
            self.memory(x)

    def _assign(self, x: Symbol) -> None:
        if x.kind in LEAVES:
            return
        if is_uniform(x, self._numbers):
            self.uniform[x] = None
            return
        if x.kind == "view":
            return
        if x.kind == "whole":
            self.place[x] = max(self.place[p] for p in x.args)
            self.owner.update((p, x) for p in x.args)
            return
        if x.kind == "scanned":
            self._assign_scanned(x)
            return
        shape = x.args[0].shape if x.kind == "reduce" else x.shape
        if x.kind in ("contract", "draw"):
            self.place[x] = len(self.nests)
            self.nests.append(Nest(PRODUCT if x.kind == "contract" else DRAWN))
            self.nests[-1].body.append(x)
            return
        source = x.args[0] if x.kind == "pick" else None  # all of it must be there before it is read at positions
        earliest = max((self._after(a, shape, a is source) for a in x.args), default=0)
        for at in range(earliest, len(self.nests)):
            if self.nests[at].shape == shape:
                break
        else:
            at = len(self.nests)
            self.nests.append(Nest(shape))
        self.nests[at].body.append(x)
        self.place[x] = at

    def _assign_scanned(self, x: Symbol) -> None:
        """All results of one scan belong to one nest; the histories of its states are there, wanted or not."""
        at = self._scans.get(x.data)
        if at is None:
            at = self._scans[x.data] = len(self.nests)
            self.nests.append(Nest(SCAN))
            self.nests[at].body.extend(x.data.histories)
            self.place.update(dict.fromkeys(x.data.histories, at))
        if x not in self.place:
            self.nests[at].body.append(x)
            self.place[x] = at

    def _after(self, x: Symbol, shape: tuple[int, ...], anywhere: bool = False) -> int:
        """The first nest over `shape` that may read x, element by element or anywhere."""
        source = x
        while source.kind == "view":
            source = source.args[0]
        if source not in self.place:
            return 0
        together = source is x and not anywhere and x.kind not in APART and x.shape == shape
        return self.place[source] + (0 if together else 1)

    def _store(self, order: list[Symbol]) -> None:
        wanted = {x: slot for slot, x in self.roots.items()}
        reads = [(x, a) for nest in self.nests for inside in (set(nest.body),) for x in nest.body for a in x.args
                 if a not in inside or x.kind in ("contract", "pick")]  # fmt: skip
        reads += [(x, a) for x in order if x.kind == "view" for a in x.args]
        for _, a in reads:
            if a in self.place and a not in self.buffers and a.kind not in INSIDE:
                self._keep(a, wanted.get(a))
        for x, slot in wanted.items():
            if x not in self.buffers:
                self._keep(x, slot)
        for x in (*order, *[h for nest in self.nests if nest.shape == SCAN for h in nest.body]):
            if x.kind in ("reduce", "contract", "scanned", "guard", "draw") and x not in self.buffers:
                self._keep(x, wanted.get(x))

    def _keep(self, x: Symbol, slot: int | None) -> None:
        strides = self.run.strides(slot) if slot is not None else self.natural(x)
        self.buffers[x] = Buffer(strides, slot)
        for part in x.args if x.kind == "whole" else (x,):
            self.nests[self.place[part]].stored.append(part)

    def _drop_unused(self) -> None:
        """Takes out of the nests what is only computed elsewhere."""
        for nest in self.nests:
            alive = set(nest.stored)
            for x in reversed(nest.body):
                if x in alive or x.kind in APART:
                    alive.update((x, *x.args))
            nest.body = [x for x in nest.body if x in alive]
        self.nests = [nest for nest in self.nests if nest.body]

    def natural(self, x: Symbol) -> tuple[int, ...]:
        """The strides of an intermediate: those of its Spec, if it had a slot, else those of its operands."""
        if x in self._copies:
            return self._copies[x]
        slot, laid = self._slots.get(x), self._layouts.get(x, ())
        if slot is not None and not (laid and is_channels_last(x.shape, laid)):
            return self.run.strides(slot)
        return self._layouts.get(x) or contiguous_strides(x.shape)

    def _laid(self, x: Symbol) -> tuple[int, ...]:
        """The layout that an intermediate takes over from an operand of its shape."""
        if x not in self._fixed and (wants_channels_last(x) or self._from_channels_last(x)):
            return channels_last(x.shape)
        if x.kind == "view":
            strides = self.memory(x)[1]
            if is_channels_last(x.shape, strides):
                return strides
        else:
            strides = next((self._layouts[a] for a in x.args if a.shape == x.shape and a.kind != "iota"), ())
            strides = self.lies(x) if x.kind == "input" else strides
        dense = bool(strides) and is_non_overlapping_and_dense(x.shape, strides)
        if dense and x.kind not in ("contract", "scanned", "whole", "draw"):
            return strides
        strides = contiguous_strides(x.shape)
        return apart(x.shape, strides, x.dtype.itemsize) if x in self._planes else strides

    def _from_channels_last(self, x: Symbol) -> bool:
        """Whether it is made, place by place, of something that lies channels last."""
        if x.kind in MADE_APART or x in self._copies:
            return x.kind == "whole" and any(self._from_channels_last(a) for a in x.args)
        alike = [a for a in x.args if a.shape == x.shape and a.kind != "iota"]
        return any(is_channels_last(a.shape, self._layouts[a]) for a in alike)

    def target(self, x: Symbol) -> tuple[Symbol, tuple[int, ...], int]:
        """Whose memory a stored Symbol is written to, its strides there, and where it begins."""
        owner = self.owner.get(x)
        if owner is None:
            return x, self.buffers[x].strides, 0
        strides = self.buffers[owner].strides
        if x.kind == "added":
            return owner, x.data.strides(strides), 0
        if len(x.args) > 1 and is_uniform(x.args[-1], self._numbers):
            lies, start = x.data(strides, 0)
            self.windows[x] = owner, start
            return x, lies, 0
        return owner, *x.data(strides, 0)

    def lies(self, x: Symbol) -> tuple[int, ...]:
        """The strides of a Symbol that is no view."""
        if x.kind == "input":
            return self.run.strides(x.data)
        if x.kind == "iota":
            return tuple(int(d == x.data) for d in range(x.ndim))
        buffer = self.buffers.get(x)
        if buffer is not None:
            return buffer.strides
        slot = self._wanted.get(x)
        return self.natural(x) if slot is None else self.run.strides(slot)

    def memory(self, x: Symbol) -> tuple[Symbol, tuple[int, ...], int]:
        """Whose memory x looks at, x's strides in it, and how many elements behind its beginning x starts.

        A view whose offset is a run-time number has a beginning of its own, which the function computes first.
        """
        if x.kind != "view":
            return x, self.lies(x), 0
        source = x.args[0]
        base, found, start = self.memory(source)
        if base.kind in ("number", "constant") or base in self.uniform:
            raise NotLowered("a view of a number")
        strides, offset = look_through(x, found, start)
        if len(x.args) > 1:
            self.windows[x] = base, offset
            return x, strides, 0
        return base, strides, offset
