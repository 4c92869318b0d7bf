"""Where intermediates lie in a run's arena: memory is used again when its last reader has run.

Nests run one after the other, so an intermediate needs its memory from the nest that writes it to the last nest that
reads it, through any view.  Each gets the smallest gap between those that live at the same time, the large ones first.
What a kernel needs for itself alone (packed operands, the arena of a loop) takes what is left, for the time of one
nest, or until the last product has read its panels.  What nobody else may ever write is kept: what lasts, and copies
with a border of zeros, which take turns with copies of the same form alone.  Small arenas stay in the cache.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import TYPE_CHECKING

import numpy as np

from rushlight.core.strided import extent

from .capture import Symbol

if TYPE_CHECKING:
    from .fuse import Plan

LINE = 64  # bytes: everything begins at a cache line
ALWAYS = 1 << 40  # later than any nest


class Arena:
    """Who has which part of a Plan's arena, and from which nest to which.

    Attributes:
        taken: rows of (offset, end, first nest, last nest).
    """

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self._rows = np.empty((64, 4), np.int64)
        self._count = 0
        self._alike: dict[Hashable, list[list[int]]] = {}

    @property
    def taken(self) -> np.ndarray:
        """What has been handed out."""
        return self._rows[: self._count]

    def take(self, nbytes: int, first: int, last: int) -> int:
        """Memory from one nest to another, both included; returns where it begins."""
        size = -(-nbytes // LINE) * LINE
        offset = self._gap(size, first, last)
        if self._count == len(self._rows):
            self._rows = np.concatenate([self._rows, np.empty_like(self._rows)])
        self._rows[self._count] = offset, offset + size, first, last
        self._count += 1
        self.plan.arena = max(self.plan.arena, offset + size)
        return offset

    def _gap(self, size: int, first: int, last: int) -> int:
        """The smallest gap that is large enough among those who live then; behind them all if there is none."""
        taken = self.taken
        busy = taken[(taken[:, 2] <= last) & (taken[:, 3] >= first)]
        if not len(busy):
            return 0
        busy = busy[np.argsort(busy[:, 0], kind="stable")]
        begins = np.concatenate([[0], np.maximum.accumulate(busy[:, 1])])
        gaps = busy[:, 0] - begins[:-1]
        fits = np.flatnonzero(gaps >= size)
        return int(begins[fits[np.argmin(gaps[fits])]] if len(fits) else begins[-1])

    def keep(self, nbytes: int) -> int:
        """Memory that nobody else will ever have; it begins as zeros."""
        return self.take(nbytes, -1, ALWAYS)

    def share(self, nbytes: int, form: Hashable, first: int, last: int) -> int:
        """Memory that only others of the same form have, before or after; it begins as zeros."""
        others = self._alike.setdefault(form, [])
        free = next((one for one in others if one[1] < first), None)
        if free is None:
            free = [self.keep(nbytes), last]
            others.append(free)
        free[1] = last
        return free[0]

    def place(self) -> None:
        """Gives every intermediate its memory."""
        plan = self.plan
        first: dict[Symbol, int] = {}
        last: dict[Symbol, int] = {}
        for at, nest in enumerate(plan.nests):
            for x in nest.body:
                for touched in (plan.owner.get(x, x), *[_memory(a) for a in x.args]):
                    first.setdefault(touched, at)
                    last[touched] = at
        inside = [x for x, buffer in plan.buffers.items() if buffer.slot is None]
        sizes = {x: extent(x.shape, plan.buffers[x].strides) * x.dtype.itemsize for x in inside}
        for x in sorted(inside, key=lambda x: (-sizes[x], first.get(x, 0))):
            lived = first.get(x, 0), last.get(x, len(plan.nests))
            plan.buffers[x].offset = self.take(sizes[x], *lived)


def _memory(x: Symbol) -> Symbol:
    while x.kind == "view":
        x = x.args[0]
    return x
