"""Short convolutions with few multiplications: the matrices of Cook and Toom, found from their points.

m results of a filter of r numbers are polynomial coefficients, which n = m + r - 1 values at points decide: n
multiplications instead of m * r.  With exact fractions (Winograd, "Arithmetic Complexity of Computations", 1980;
Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks", 2015),

    results = output @ ((filter @ g) * (input @ d)).

The points decide how much rounding is magnified.  0, 1, -1, 1/2, -2 and infinity do it least of six (Barabasz and
others, "Error Analysis and Improving the Accuracy of Winograd Convolution for Deep Neural Networks", 2020), and with
2 and -1/2 of eight: twice as much.
"""

from __future__ import annotations

import functools
import math
from fractions import Fraction
from typing import NamedTuple

Matrix = tuple[tuple[float, ...], ...]
POINTS = (0, 1, -1, Fraction(1, 2), -2, 2, Fraction(-1, 2))  # and infinity, which comes last


class Transforms(NamedTuple):
    """The matrices of m results of a filter of r numbers: `output` (m, n), `filter` (n, r), `input` (n, n)."""

    output: Matrix
    filter: Matrix
    input: Matrix


@functools.cache
def transforms(m: int, r: int) -> Transforms:
    """The matrices of F(m, r); at most 8 multiplications, m + r - 1.

    >>> transforms(2, 2).output, transforms(2, 2).input
    (((1.0, 1.0, 0.0), (0.0, 1.0, 1.0)), ((-1.0, 1.0, 0.0), (0.0, 1.0, 0.0), (0.0, -1.0, 1.0)))
    """
    count = m + r - 2
    points = [Fraction(p) for p in POINTS[:count]]
    gaps = [math.prod((a - b for b in points if b != a), start=Fraction(1)) for a in points]
    at_infinity = [Fraction(i == m - 1) for i in range(m)]
    output = [[*(a**i for a in points), last] for i, last in enumerate(at_infinity)]
    filters = [[a**i / gap for i in range(r)] for a, gap in zip(points, gaps, strict=True)]
    filters.append([Fraction(i == r - 1) for i in range(r)])
    inputs = [[*_with_roots([b for b in points if b != a]), Fraction(0)] for a in points]
    inputs.append(_with_roots(list(points)))
    return Transforms(_numbers(output), _numbers(filters), _numbers(inputs))


def transposed(matrix: Matrix) -> Matrix:
    """Rows as columns."""
    return tuple(zip(*matrix, strict=True))


def _with_roots(roots: list[Fraction]) -> list[Fraction]:
    """The coefficients of the product of (x - root), the constant one first."""
    found = [Fraction(1)]
    for root in roots:
        found = [low - root * high for low, high in zip([Fraction(0), *found], [*found, Fraction(0)], strict=True)]
    return found


def _numbers(rows: list[list[Fraction]]) -> Matrix:
    return tuple(tuple(float(v) for v in row) for row in rows)
