"""Products in the shape in which they are read.

A product of a batch with one matrix is one of two matrices, with views before and behind it.  Whoever computes with the
result element by element does so in the shape of the view, and could not follow the product in its own loops
(`epilogue.py`).  Where nobody reads the product but through one reshaping that divides dimensions, it is made in that
shape at once: a variable of the contraction becomes several.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence

from rushlight.core.contraction import Affine, Map, Piece
from rushlight.core.strided import contiguous_strides

from .capture import Symbol

Ints = tuple[int, ...]
Terms = tuple[tuple[int, int], ...]


def reshape_products(order: Sequence[Symbol], kept: Collection[Symbol]) -> None:
    """Makes contractions of their views; those `kept` are wanted as they are."""
    readers: dict[Symbol, list[Symbol]] = {}
    for x in order:
        for a in x.args:
            if a.kind == "contract":
                readers.setdefault(a, []).append(x)
    for product, found in readers.items():
        groups = None if product in kept else _groups(product, found)
        if groups is not None:
            _become(product, found, groups)


def _groups(product: Symbol, readers: list[Symbol]) -> list[Ints] | None:
    """Into which dimensions each of a product's is divided, if all its readers are the same view."""
    shape = readers[0].shape
    for v in readers:
        if v.kind != "view" or v.data is None or len(v.args) > 1 or v.shape != shape:
            return None
        if _lies(product, v) != (contiguous_strides(shape), 0):
            return None
    return None if shape == product.shape else _divided(product.shape, shape)


def _lies(product: Symbol, v: Symbol) -> tuple[Ints, int] | None:
    try:
        strides, offset = v.data(contiguous_strides(product.shape), 0)
    except (RuntimeError, ValueError):
        return None
    return tuple(strides), offset


def _divided(old: Ints, new: Ints) -> list[Ints] | None:
    """The new dimensions by the old one that they divide; None where dimensions are joined."""
    groups, at = [], 0
    for n in old:
        end = at + 1
        while end < len(new) and math.prod(new[at:end]) < n:
            end += 1
        groups.append(new[at:end])
        at = end
        if math.prod(groups[-1]) != n:
            return None
    return groups if at == len(new) else None


def _become(product: Symbol, views: list[Symbol], groups: list[Ints]) -> None:
    """The first view becomes the product; the others look at it."""
    pieces = [_piece(p, product.shape, groups) for p in product.data]
    if any(p is None for p in pieces):
        return
    first, *others = views
    first.kind, first.args, first.data = "contract", product.args, tuple(pieces)
    for v in others:
        v.args, v.data = (first,), _same


def _same(strides: Ints, offset: int) -> tuple[Ints, int]:
    return strides, offset


def _piece(piece: Piece, shape: Ints, groups: list[Ints]) -> Piece | None:
    """A piece with a variable for every new dimension; None where an old one is not a variable by itself."""
    extents = list(piece.extents)
    terms: dict[int, Terms] = {v: ((v, 1),) for v in range(len(extents))}
    c: list[Affine] = []
    for affine, n, parts in zip(piece.c, shape, groups, strict=True):
        if len(parts) == 1:
            c.append(affine)
            continue
        if affine.offset or len(affine.terms) != 1 or affine.terms[0][1] != 1:
            return None
        v = affine.terms[0][0]
        if extents[v] != n or len(terms[v]) > 1:
            return None
        own = [*range(len(extents), len(extents) + len(parts) - 1), v]
        extents.extend(parts[:-1])
        extents[v] = parts[-1]
        terms[v] = tuple(zip(own, contiguous_strides(parts), strict=True))
        c.extend(Affine(0, ((u, 1),)) for u in own)
    return Piece(tuple(extents), _over(piece.a, terms), _over(piece.b, terms), tuple(c))


def _over(index: Map, terms: dict[int, Terms]) -> Map:
    return tuple(
        Affine(x.offset, tuple((u, k * step) for v, k in x.terms for u, step in terms[v])) for x in index
    )
