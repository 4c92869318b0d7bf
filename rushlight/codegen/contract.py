"""A contraction as machine code: operands copied where that pays, then tiles of sums that stay in registers.

`contraction` turns one Symbol of kind "contract" into Stages that run one after the other: operands with a border of
zeros (a convolution's padding), panels of the vector operand, the tiles themselves (cut by `tiling.py`), and a copy of
the result where its vectors could not be stored in place.  Every Stage falls into independent units, so threads can
share it and the numbers never depend on how many there are.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from rushlight.core.contraction import Map, Piece
from rushlight.core.strided import contiguous_strides, extent

from .capture import NotLowered, Symbol
from .epilogue import Epilogue
from .fuse import PRODUCT, Nest, Plan
from .layout import ENOUGH, in_order, is_channels_last
from .loops import Lowered
from .relayout import Copy, Zeros
from .stage import Origin, Stage, pieces_of
from .tiles import Tiles, packed_strides
from .tiling import Problem, Tile, choose, registers, side

SMALL = 1 << 18  # elements of an operand that may be copied into another layout


class Operand:
    """An operand as the tiles read it: where it lies, with what strides, and for which shift of its indices."""

    def __init__(self, place: Origin, strides: tuple[int, ...], bordered: bool = False, uses: int = 1) -> None:
        self.place = place
        self.strides = strides
        self.bordered = bordered
        self.uses = uses


def contraction(nest: Nest, plan: Plan, vector_bytes: int) -> list[Stage | Lowered]:
    """The Stages of a nest that is one contraction, and what follows from it element by element."""
    return _Contraction(nest, plan, vector_bytes, plan.nests.index(nest)).stages


class _Contraction:
    def __init__(self, nest: Nest, plan: Plan, vector_bytes: int, at: int) -> None:
        self.at, self.nest, self.vector_bytes = at, nest, vector_bytes
        symbol = nest.body[0]
        self.epilogue = Epilogue(nest, plan) if len(nest.body) > 1 else None
        if symbol.dtype.name not in ("float32", "float64"):
            raise NotLowered(f"a product in {symbol.dtype}")
        self.symbol, self.plan = symbol, plan
        self.pieces: tuple[Piece, ...] = symbol.data
        self.lanes = vector_bytes // symbol.dtype.itemsize
        self.budget = registers(vector_bytes)
        self.stages: list[Stage | Lowered] = []
        self.a = self._operand(symbol.args[0], [p.a for p in self.pieces])
        self.b = self._operand(symbol.args[1], [p.b for p in self.pieces])
        self._tiles()

    def _scratch(self, elements: int) -> int:
        """So many elements of the arena, for the time of this nest; returns where they begin."""
        return self.plan.memories.take(elements * self.symbol.dtype.itemsize, self.at, self.at)

    def _kept(self, elements: int) -> int:
        """So many elements of the arena that nobody else will ever have."""
        return self.plan.memories.keep(elements * self.symbol.dtype.itemsize)

    def _until(self, base: Symbol | None) -> int:
        """The last nest whose product reads something in a Symbol's memory."""
        nests = self.plan.nests
        products = [k for k in range(self.at, len(nests)) if nests[k].shape == PRODUCT]
        return max(k for k in products if any(self.plan.memory(a)[0] is base for a in nests[k].body[0].args))

    # -- Operands

    def _operand(self, x: Symbol, maps: list[Map]) -> Operand:
        base, strides, offset = self.plan.memory(x)
        if base.kind in ("number", "constant"):
            raise NotLowered("a product of numbers")
        low, high = self._reach(x, maps)
        if not any(low) and not any(high) and not self._stays(x, maps):
            uses = self._uses()[base, strides, offset] * self.plan.lasting.get(base, 1)
            return Operand(Origin(base, offset), strides, uses=uses)
        key = (x, low, high)
        if key not in self.plan.padded:
            self.plan.padded[key] = self._pad(x, low, high, Origin(base, offset), strides)
        start, laid = self.plan.padded[key]
        shift = sum(n * s for n, s in zip(low, laid, strict=True))
        return Operand(Origin(None, start + shift * x.dtype.itemsize), laid, bordered=True)

    def _uses(self) -> Counter[Any]:
        """How many contractions of the plan read an operand, by where it lies."""
        if not self.plan.read:
            products = [nest.body[0] for nest in self.plan.nests if nest.body[0].kind == "contract"]
            self.plan.read.update(self.plan.memory(a) for x in products for a in x.args)
        return self.plan.read

    def _reach(self, x: Symbol, maps: list[Map]) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """How far the indices go below 0, and beyond the end, in each dimension."""
        low, high = [0] * x.ndim, [0] * x.ndim
        for piece, index in zip(self.pieces, maps, strict=True):
            for d, affine in enumerate(index):
                least, most = affine.bounds(piece.extents)
                low[d] = max(low[d], -least)
                high[d] = max(high[d], most - x.shape[d] + 1)
        return tuple(low), tuple(high)

    def _stays(self, x: Symbol, maps: list[Map]) -> bool:
        """Whether x is an expanded array, as a sum's gradient is, and the result moves where neither operand does.

        A tile would have one row: a copy of x gives it more.
        """
        strides = self.plan.memory(x)[1]
        if all(strides):
            return False
        moving = [self._moving(a, k) for k, a in enumerate(self.symbol.args)]
        for k, (piece, index) in enumerate(zip(self.pieces, maps, strict=True)):
            written = {v for affine in piece.c for v, _ in affine.terms if piece.extents[v] > 1}
            held = {v for affine, step in zip(index, strides, strict=True) if not step for v, _ in affine.terms}
            if written & held - moving[0][k] - moving[1][k]:
                return True
        return False

    def _moving(self, x: Symbol, k: int) -> list[set[int]]:
        """The variables with which operand k moves in memory, for each piece."""
        strides = self.plan.memory(x)[1]
        maps = [(p.a, p.b)[k] for p in self.pieces]
        return [{v for affine, s in zip(m, strides, strict=True) if s for v, _ in affine.terms} for m in maps]

    def _pad(self, x: Symbol, low: tuple[int, ...], high: tuple[int, ...], source: Origin,
             strides: tuple[int, ...]) -> tuple[int, tuple[int, ...]]:  # fmt: skip
        """A bordered copy, channels last where there are many.

        The arena begins as zeros; nobody writes to the border, for only copies of the same form lie there, one after
        the other.
        """
        last = x.shape[1] >= ENOUGH or is_channels_last(x.shape, strides)
        order = [0, *range(2, x.ndim), 1] if last else list(range(x.ndim))
        shape = [n + lo + hi for n, lo, hi in zip(x.shape, low, high, strict=True)]
        laid = in_order(tuple(shape), order)
        if source.base in self.plan.lasting:
            start = self._kept(math.prod(shape))
        else:
            form = (*shape, *laid, *low, *high, self.itemsize)
            nbytes = math.prod(shape) * self.itemsize
            start = self.plan.memories.share(nbytes, form, self.at, self._until(source.base))
        inside = start + sum(n * s for n, s in zip(low, laid, strict=True)) * x.dtype.itemsize
        dims = list(zip(x.shape, strides, laid, strict=True))
        self.stages.append(Copy(self.symbol, self.lanes, dims, source, Origin(None, inside), "pad"))
        return start, laid

    # -- Tiles

    def _tiles(self) -> None:
        symbol, buffer = self.symbol, self.plan.buffers[self.symbol]
        strides, place = buffer.strides, Origin(symbol, 0)
        largest = max(self.pieces, key=lambda p: p.macs)
        best = self._best(largest, strides)
        back: Stage | None = None
        if best.form != "dot" and best.lanes > 1 and not best.stores_vectors:
            strides, place, back = self._aside(largest, best, strides)
        gaps = sum(self._covered(p) for p in self.pieces) < symbol.size
        if gaps:
            self.stages.append(Zeros(symbol, place, extent(symbol.shape, strides)))
        tiles = self._cut(strides)
        if gaps or back is not None or not all(t.fits_more(len(self.epilogue.loads)) for t in tiles if self.epilogue):
            rest, self.epilogue = self.epilogue, None
            tiles = self._cut(strides)
        else:
            rest = None
        for tile in tiles:
            self._piece(tile, place)
        if back is not None:
            self.stages.append(back)
        if rest is not None:
            self.stages.append(Lowered(self._rest(), self.plan, self.vector_bytes))

    def _best(self, piece: Piece, strides: tuple[int, ...]) -> Tile:
        """The fastest tile, be it with an operand in another layout."""
        best, turned = choose(self._problem(piece, strides), self.lanes, self.budget), None
        before = self.a, self.b
        for name, axis in self._turns(piece):
            x = self.symbol.args[0 if name == "a" else 1]
            order = [*[d for d in range(x.ndim) if d != axis], axis]
            setattr(self, name, Operand(Origin(None, 0), in_order(x.shape, order)))
            tile = choose(self._problem(piece, strides), self.lanes, self.budget)
            if tile.cycles + x.size < best.cycles:
                best, turned = tile, (name, x, getattr(self, name).strides)
            self.a, self.b = before
        if turned is not None:
            self._turn(*turned)
        return best

    def _turns(self, piece: Piece) -> Iterator[tuple[str, int]]:
        """Small operands, and the dimension along which both could be read in vectors if it lay innermost."""
        count = len(piece.extents)
        sides = {"a": (piece.a, self.a, piece.b, self.b), "b": (piece.b, self.b, piece.a, self.a)}
        for name, (own, here, other, there) in sides.items():
            if here.bordered or self.symbol.args[0 if name == "a" else 1].size > SMALL:
                continue
            steps = side(other, there.strides, 0, count).strides
            for d, affine in enumerate(own):
                moving = [v for v, _ in affine.terms if piece.extents[v] >= self.lanes]
                if len(moving) == 1 and steps[moving[0]] == 1 != here.strides[d]:
                    yield name, d

    def _turn(self, name: str, x: Symbol, laid: tuple[int, ...]) -> None:
        """Copies an operand into another layout."""
        old: Operand = getattr(self, name)
        place = Origin(None, (self._kept if old.place.base in self.plan.lasting else self._scratch)(x.size))
        dims = list(zip(x.shape, old.strides, laid, strict=True))
        self.stages.append(Copy(self.symbol, self.lanes, dims, old.place, place, "turn"))
        setattr(self, name, Operand(place, laid))

    def _cut(self, strides: tuple[int, ...]) -> list[Tile]:
        """The tiles of every piece, for a result with these strides."""
        return [choose(self._problem(p, strides), self.lanes, self.budget, dense=True) for p in self.pieces]

    def _rest(self) -> Nest:
        """What follows, as a nest of its own."""
        nest = Nest(self.symbol.shape)
        nest.body = self.nest.body[1:]
        nest.stored = [x for x in self.nest.stored if x is not self.symbol]
        return nest

    def _covered(self, piece: Piece) -> int:
        written = {v for affine in piece.c for v, _ in affine.terms}
        return math.prod(piece.extents[v] for v in written)

    def _problem(self, piece: Piece, strides: tuple[int, ...]) -> Problem:
        count = len(piece.extents)
        return Problem.of(
            piece,
            replace(side(piece.a, self.a.strides, 0, count), uses=self.a.uses),
            replace(side(piece.b, self.b.strides, 0, count), uses=self.b.uses),
            side(piece.c, strides, 0, count),
            self.epilogue.sides(piece) if self.epilogue is not None else [],
        )

    def _aside(self, piece: Piece, best: Tile, strides: tuple[int, ...]) -> tuple[tuple[int, ...], Origin, Stage]:
        """Another layout for the result, in which its vectors lie in one piece, and the copy from there."""
        shape = self.symbol.shape
        name = best.problem.names[best.vector]
        axis = next(d for d, affine in enumerate(piece.c) if any(v == name for v, _ in affine.terms))
        laid = in_order(shape, [*[d for d in range(len(shape)) if d != axis], axis])
        place = Origin(None, self._scratch(self.symbol.size))
        dims = list(zip(shape, laid, strides, strict=True))
        return laid, place, Copy(self.symbol, self.lanes, dims, place, Origin(self.symbol, 0), "lay out")

    def _piece(self, tile: Tile, place: Origin) -> None:
        p = tile.problem
        first, second = (self.b, self.a) if tile.problem.exchanged else (self.a, self.b)
        at_a, at_b = _moved(first.place, p.a.offset, self.itemsize), _moved(second.place, p.b.offset, self.itemsize)
        at_c = _moved(place, p.c.offset, self.itemsize)
        packed = self._pack(tile, at_b) if tile.packs and tile.lanes > 1 else None
        self.stages.append(Tiles(self.symbol, tile, (at_a, at_b, at_c), packed, self.epilogue))

    @property
    def itemsize(self) -> int:
        """Bytes of an element."""
        return self.symbol.dtype.itemsize

    def _pack(self, t: Tile, source: Origin) -> int:
        """Copies B into panels, unless another contraction has done so; returns where they begin."""
        p = t.problem
        depths = [p.extents[v] for v in t.sums]
        inner = [s * t.width for s in contiguous_strides(tuple(depths))]
        panel = math.prod(depths) * t.width
        outer = packed_strides(t)
        count = -(-t.column_extent // t.columns)
        n, step = p.extents[t.vector], p.b.strides[t.vector]
        common = [(p.extents[v], p.b.strides[v], s) for v, s in outer.items()]
        common += [(p.extents[v], p.b.strides[v], s) for v, s in zip(t.sums, inner, strict=True)]
        whole = panel * count * math.prod(p.extents[v] for v in outer)
        shared = source.base is not None and (p.b.uses > 1 or source.base in self.plan.lasting)
        key = (source.base, source.offset, tuple(common), n, step, t.width)
        if shared and key in self.plan.packed:
            return self.plan.packed[key]
        if source.base in self.plan.lasting:
            start = self._kept(whole)
        else:
            until = self._until(source.base) if shared else self.at
            start = self.plan.memories.take(whole * self.itemsize, self.at, until)
        if shared:
            self.plan.packed[key] = start
        for size, at, many in pieces_of(n, t.width):
            dims = [*common, (many, t.width * step, panel), (size, step, 1)]
            target = Origin(None, start + at // t.width * panel * self.itemsize)
            self.stages.append(
                Copy(self.symbol, self.lanes, dims, _moved(source, at * step, self.itemsize), target, "pack")
            )
        return start


def _moved(place: Origin, elements: int, itemsize: int) -> Origin:
    return Origin(place.base, place.offset + elements * (itemsize if place.base is None else 1))
