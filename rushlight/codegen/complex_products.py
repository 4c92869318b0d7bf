"""Contractions of complex arrays as real ones.

A complex number times another one is a vector of two numbers times a matrix of 2 by 2.  So a contraction of complex
arrays is one of real arrays with one more variable that is summed, p, and one more that is not, q: of the parts of the
first operand, of the result, and of the matrices that the second one becomes,

    C[q, c(v)] += A[p, a(v)] * B[p, q, b(v)],    B[0] = (re, im), B[1] = (-im, re)

The parts lie in planes of their own, so vectors run along whatever they would run along with real arrays.  A sum of
few products is no contraction: it is done place by place, together with what is around it.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np

from rushlight.core.contraction import Piece, of
from rushlight.core.strided import extent

from .assembly import assembled
from .capture import NotLowered, Symbol, look, product_of_arrays
from .complex import Complex

FEW = 4  # products in a sum: a gate on a qubit has two
NEGATIVE = 2  # which of (real, imaginary, negative imaginary) parts


def product(x: Complex, y: Complex) -> Symbol:
    """`numpy.matmul` of complex arrays."""
    if x.ndim < 2 or y.ndim < 2 or x.shape[-1] > FEW:
        return product_of_arrays(x, y)
    terms = [x[..., :, k : k + 1] * y[..., k : k + 1, :] for k in range(x.shape[-1])]
    return functools.reduce(np.add, terms)  # type: ignore[arg-type]


def contracted(x: Complex, y: Symbol, shape: tuple[int, ...], pieces: Any) -> Complex:
    """The contraction of two complex arrays."""
    if not isinstance(y, Complex) or y.dtype != x.dtype:
        raise NotLowered(f"a product of {x.dtype} and {getattr(y, 'dtype', type(y).__name__)}")
    small = y.size <= x.size
    a, b = (_planes(x), _matrices(y)) if small else (_matrices(x), _planes(y))
    made = a.contract(b, (2, *shape), [_with_parts(p, small) for p in pieces])
    return Complex((made[0], made[1]))


def _planes(x: Complex) -> Symbol:
    """The parts, each in a plane."""
    return _laid_out(x, 1, [(0, (0,)), (1, (1,))])


def _matrices(x: Complex) -> Symbol:
    """The matrices that multiply by the numbers: [p, q]."""
    return _laid_out(x, 2, [(0, (0, 0)), (1, (0, 1)), (NEGATIVE, (1, 0)), (0, (1, 1))])


def _laid_out(x: Complex, dims: int, places: Sequence[tuple[int, tuple[int, ...]]]) -> Symbol:
    """Parts in planes, each with its place in so many dimensions before x's own.

    Those of a view of all of an array are a view of that one's: rows of memory are copied then, in their order.
    """
    lead = (2,) * dims
    if x.origin is not None and x.origin[0].size == x.size:
        source, where = x.origin
        return look(_laid_out(source, dims, places), (*lead, *x.shape), Planes(where, dims, source.shape))
    parts = (*x.parts, -x.imag)
    pieces = [(parts[which], _plane(place)) for which, place in places]
    return assembled(pieces, (*lead, *x.shape), x.real.dtype)


def _plane(place: tuple[int, ...]) -> Any:
    n = len(place)
    return lambda strides, offset: (strides[n:], offset + sum(k * s for k, s in zip(place, strides, strict=False)))


class Planes:
    """A look at each of some planes.

    Attributes:
        expected: the strides with which it is possible.
    """

    def __init__(self, where: Any, dims: int, shape: tuple[int, ...]) -> None:
        self.where, self.dims = where, dims
        size = extent(shape, where.expected)
        self.expected = (*[size << k for k in reversed(range(dims))], *where.expected)

    def __call__(self, strides: tuple[int, ...], offset: int) -> tuple[tuple[int, ...], int]:
        lies, start = self.where(strides[self.dims :], offset)
        return (*strides[: self.dims], *lies), start


def _with_parts(piece: Piece, second: bool) -> Piece:
    """The same over p and q, where the second operand (or else the first one) has become matrices."""
    p, q = len(piece.extents), len(piece.extents) + 1
    plane, matrix, out = (of(p),), (of(p), of(q)), (of(q),)
    a, b = (plane, matrix) if second else (matrix, plane)
    return Piece((*piece.extents, 2, 2), (*a, *piece.a), (*b, *piece.b), (*out, *piece.c))
