"""A dictionary for what was worked out and may be asked again: it forgets everything when it is full.

Programs whose shapes differ in every step would fill an ordinary one for as long as they run.
"""

from __future__ import annotations

from typing import TypeVar

K = TypeVar("K")
V = TypeVar("V")

MOST = 20_000


class Bounded(dict[K, V]):
    """A dictionary of at most `most` entries.

    >>> squares = Bounded(most=2)
    >>> for n in range(3): squares[n] = n * n
    >>> squares
    {2: 4}
    """

    __slots__ = ("most",)

    def __init__(self, most: int = MOST) -> None:
        super().__init__()
        self.most = most

    def __setitem__(self, key: K, value: V) -> None:
        if len(self) >= self.most:
            self.clear()
        super().__setitem__(key, value)
