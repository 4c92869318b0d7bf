"""What follows a product element by element is made where the product's tiles are: bias, activation, an update.

`attach` is a pass over the nests of a Plan: the nest that reads a contraction first, if it is pointwise on the same
shape and needs nothing that is made later, moves into the contraction's own nest; sums of what it stores stay behind.
An `Epilogue` then is that part of the nest, with the strides of its arrays over the contraction's variables.  Where the
tiles lie across its arrays, the part stays a nest of its own, after the tiles.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rushlight.core.contraction import Piece

from .arithmetic import Scalars, constant_of
from .capture import Symbol
from .ir import MEMORY, Builder, Value
from .tiling import Side, side

if TYPE_CHECKING:
    from .fuse import Nest, Plan

NOT_POINTWISE = {
    "reduce", "contract", "scanned", "whole", "piece", "added", "guard", "pick", "checked", "iota", "view"
}  # fmt: skip


def attach(plan: Plan) -> None:
    """Moves pointwise nests into those of the contractions they follow."""
    reading = readers(plan)
    for at, nest in enumerate(plan.nests):
        if len(nest.body) == 1 and nest.body[0].kind == "contract":
            others = reading.get(nest.body[0], set()) - {nest}
            after = next((k for k in sorted(plan.nests.index(n) for n in others) if plan.nests[k].body), None)
            if after is None:
                continue
            moved, left = _divided(plan, nest.body[0], plan.nests[after])
            if _fits(plan, nest.body[0], plan.nests[after].shape, moved, at):
                nest.body = [nest.body[0], *moved]
                plan.nests[after].body = left
                plan.place.update((x, at) for x in moved if plan.place.get(x) == after)


def _divided(plan: Plan, product: Symbol, nest: Nest) -> tuple[list[Symbol], list[Symbol]]:
    """A nest without its sums, and these: they stay behind where they read nothing but what is in memory anyway."""
    sums = [x for x in nest.body if x.kind == "reduce"]
    rest = [x for x in nest.body if x.kind != "reduce"]
    made = set(rest)
    if not sums or not rest or not all(a not in made or _leaves(plan, a, nest) for x in sums for a in x.args):
        return nest.body, []
    return rest, sums


def _leaves(plan: Plan, x: Symbol, nest: Nest) -> bool:
    """Whether another nest, or somebody outside, reads x."""
    if any(x is root for root in plan.roots.values()):
        return True
    return any(_source(a) is x for other in plan.nests if other is not nest for y in other.body for a in y.args)


def _source(x: Symbol) -> Symbol:
    while x.kind == "view":
        x = x.args[0]
    return x


def readers(plan: Plan) -> dict[Symbol, set[Nest]]:
    """The nests that read each contraction, through any view."""
    found: dict[Symbol, set[Nest]] = {}
    for nest in plan.nests:
        for x in nest.body:
            for a in x.args:
                source = _source(a)
                if source.kind == "contract":
                    found.setdefault(source, set()).add(nest)
    return found


def _fits(plan: Plan, product: Symbol, shape: tuple[int, ...], body: list[Symbol], at: int) -> bool:
    inside = set(body)
    if shape != product.shape or any(x.kind in NOT_POINTWISE for x in body):
        return False
    for x in body:
        for a in x.args:
            source = _source(a)
            if a.kind == "iota" or source is product and a is not product:
                return False
            if a not in inside and source is not product and plan.place.get(source, -1) >= at:
                return False
    return True


class Epilogue:
    """The pointwise part of a contraction's nest.

    Attributes:
        keeps: whether the product itself is wanted in memory too.
        loads: its operands in memory: in whose memory, their strides over C's dimensions, their offset.
        stores: its results, likewise.
    """

    def __init__(self, nest: Nest, plan: Plan) -> None:
        self.product, *self.body = nest.body
        inside = set(nest.body)
        if not plan.readers:
            plan.readers = readers(plan)
        wanted = any(self.product is x for x in plan.roots.values())
        self.keeps = wanted or bool(plan.readers.get(self.product, set()) - {nest})
        self.loads: dict[Symbol, tuple[Symbol, tuple[int, ...], int]] = {}
        self.stores: dict[Symbol, tuple[Symbol, tuple[int, ...], int]] = {}
        for x in self.body:
            for a in x.args:
                if a not in inside and a not in plan.uniform and a.kind not in ("number", "constant"):
                    base, strides, offset = plan.memory(a)
                    self.loads[a] = base, _over(self.product.shape, a.shape, strides), offset
        for x in nest.stored:
            if x is not self.product:
                self.stores[x] = plan.target(x)

    @property
    def arrays(self) -> list[tuple[Symbol, tuple[Symbol, tuple[int, ...], int]]]:
        """Its arrays, loads first."""
        return [*self.loads.items(), *self.stores.items()]

    def sides(self, piece: Piece) -> list[Side]:
        """The strides of its arrays over the variables of a piece."""
        return [side(piece.c, strides, offset, len(piece.extents)) for _, (_, strides, offset) in self.arrays]


def _over(shape: tuple[int, ...], own: tuple[int, ...], strides: tuple[int, ...]) -> tuple[int, ...]:
    """Strides broadcast to a larger shape."""
    missing = len(shape) - len(own)
    return (0,) * missing + tuple(0 if n == 1 else s for n, s in zip(own, strides, strict=True))


class EpilogueWriter:
    """Writes an Epilogue for one vector of the product after the other."""

    def __init__(self, w: Builder, epilogue: Epilogue, lanes: int, uniform: dict[Symbol, Value]) -> None:
        self.w = w
        self.epilogue = epilogue
        self.vector = Scalars(w, lanes)
        self.uniform = uniform

    def write(self, value: Value, places: list[Value], spread: list[bool], first: int | None) -> None:
        """`places` are the addresses of the arrays, loads first; `spread` whether lanes lie side by side there."""
        e, names = self.epilogue, {self.epilogue.product: value}
        for x, place, wide in zip(e.loads, places, spread, strict=False):
            names[x] = self._load(x, place, wide, first)
        for x in e.body:
            names[x] = self.vector.evaluate(x, [self._value(a, names) for a in x.args])
        for x, place in zip(e.stores, places[len(e.loads) :], strict=True):
            self._store(x, names[x], place, first)

    def _value(self, x: Symbol, names: dict[Symbol, Value]) -> Value:
        if x not in names:
            names[x] = self.vector.splat(constant_of(x) if x.kind == "constant" else self.uniform[x])
        return names[x]

    def _load(self, x: Symbol, place: Value, spread: bool, first: int | None) -> Value:
        kind, vector = MEMORY[x.dtype], self.vector
        value = self.w.load(kind, place, x.dtype.itemsize, vector.lanes if spread else 1, first)
        if not spread:
            value = vector.splat(value)
        return vector.compare("ne", value, vector.constant(0, "u8")) if x.dtype == bool else value

    def _store(self, x: Symbol, value: Value, place: Value, first: int | None) -> None:
        if x.dtype == bool:
            value = self.vector.convert(value, "u8")
        self.w.store(value, place, x.dtype.itemsize, first)
