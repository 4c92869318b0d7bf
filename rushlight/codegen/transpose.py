"""Squares of a matrix turned over in registers: rows are loaded, interleaved in pairs, and stored as columns.

After log2(n) rounds of interleaving, n vectors of n lanes are transposed: round by round, vector i meets vector
i + n / 2, and their lanes alternate.
"""

from __future__ import annotations

from .llvm import Scalars, wide


def transposed(vector: Scalars, kind: str, rows: list[str]) -> list[str]:
    """The columns of as many vectors as they have lanes."""
    n = vector.lanes
    half, turns = n // 2, n.bit_length() - 1
    low = ", ".join(f"i32 {k // 2 + (k % 2) * n}" for k in range(n))
    high = ", ".join(f"i32 {half + k // 2 + (k % 2) * n}" for k in range(n))
    whole, indices = wide(kind, n), f"<{n} x i32>"
    for _ in range(turns):
        made = []
        for a, b in zip(rows[:half], rows[half:], strict=True):
            for order in (low, high):
                made.append(
                    vector.writer.let(f"shufflevector {whole} {a}, {whole} {b}, {indices} <{order}>")
                )
        rows = made
    return rows
