"""Contractions of complex arrays as real ones.

A complex number times another one is a vector of two numbers times a matrix of 2 by 2.  So a contraction of complex
arrays is one of real arrays with one more variable that is summed, p, and one more that is not, q: of the parts of the
first operand, of the result, and of the matrices that the second one becomes,

    C[q, c(v)] += A[p, a(v)] * B[p, q, b(v)],    B[0] = (re, im), B[1] = (-im, re)

The parts lie in planes of their own, so vectors run along whatever they would run along with real arrays.  A sum of
few products is no contraction: it is done place by place, together with what is around it.
"""

from __future__ import annotations

from typing import Any

from rushlight.core.contraction import Piece, of

from .assembly import assembled, joined
from .capture import NotLowered, Symbol
from .complex import Complex


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
    return joined(x.parts, 0, fresh=True)


def _matrices(x: Complex) -> Symbol:
    """The matrices that multiply by the numbers: [p, q]."""
    real, imaginary = x.parts
    pieces = [(real, _plane(0, 0)), (imaginary, _plane(0, 1)), (-imaginary, _plane(1, 0)), (real, _plane(1, 1))]
    return assembled(pieces, (2, 2, *x.shape), real.dtype)


def _plane(p: int, q: int) -> Any:
    return lambda strides, offset: (strides[2:], offset + p * strides[0] + q * strides[1])


def _with_parts(piece: Piece, second: bool) -> Piece:
    """The same over p and q, where the second operand (or else the first one) has become matrices."""
    p, q = len(piece.extents), len(piece.extents) + 1
    plane, matrix, out = (of(p),), (of(p), of(q)), (of(q),)
    a, b = (plane, matrix) if second else (matrix, plane)
    return Piece((*piece.extents, 2, 2), (*a, *piece.a), (*b, *piece.b), (*out, *piece.c))
