"""Squares of a matrix turned over in registers: rows are loaded, interleaved in pairs, and stored as columns.

After log2(n) rounds of interleaving, n vectors of n lanes are transposed: round by round, vector i meets vector
i + n / 2, and their lanes alternate.
"""

from __future__ import annotations

from .arithmetic import Scalars
from .ir import Value


def transposed(vector: Scalars, rows: list[Value]) -> list[Value]:
    """The columns of as many vectors as they have lanes."""
    n = vector.lanes
    half, turns = n // 2, n.bit_length() - 1
    low = tuple(k // 2 + (k % 2) * n for k in range(n))
    high = tuple(half + k // 2 + (k % 2) * n for k in range(n))
    for _ in range(turns):
        pairs = zip(rows[:half], rows[half:], strict=True)
        rows = [vector.writer.shuffle(a, b, order) for a, b in pairs for order in (low, high)]
    return rows
