"""Where intermediates lie in a run's arena: memory is used again when its last reader has run.

Nests run one after the other, so an intermediate needs its memory from the nest that writes it to the last nest that
reads it, through any view.  A block of the arena serves one intermediate after the other; what a kernel needs for
itself alone (packed operands) comes from the same blocks, for the time of one nest.  Small arenas stay in the cache.
"""

from __future__ import annotations

from bisect import bisect_left
from itertools import islice
from typing import TYPE_CHECKING

from .capture import Symbol

if TYPE_CHECKING:
    from .fuse import Plan

LINE = 64  # bytes: everything begins at a cache line


class Block:
    """A stretch of the arena, and for which nests it is taken."""

    __slots__ = ("end", "offset", "size", "taken")

    def __init__(self, offset: int, size: int) -> None:
        self.offset = offset
        self.size = size
        self.end = -1  # the last nest that has it
        self.taken: list[tuple[int, int]] = []

    def free(self, first: int, last: int) -> bool:
        """Whether nobody has it between these nests, both included."""
        return first > self.end or all(last < a or b < first for a, b in self.taken)


class Arena:
    """The blocks of a Plan's arena, the small ones first."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.blocks: list[Block] = []

    def take(self, nbytes: int, first: int, last: int) -> int:
        """Memory from one nest to another, both included; returns where it begins."""
        size = -(-nbytes // LINE) * LINE
        at = bisect_left(self.blocks, size, key=_size)
        block = next((b for b in islice(self.blocks, at, None) if b.free(first, last)), None)
        if block is None:
            block = Block(self.plan.arena, size)
            self.plan.arena += size
            self.blocks.insert(at, block)
        block.taken.append((first, last))
        block.end = max(block.end, last)
        return block.offset

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
        for x in sorted(inside, key=lambda x: first.get(x, 0)):
            lived = first.get(x, 0), last.get(x, len(plan.nests))
            plan.buffers[x].offset = self.take(x.size * x.dtype.itemsize, *lived)


def _size(block: Block) -> int:
    return block.size


def _memory(x: Symbol) -> Symbol:
    while x.kind == "view":
        x = x.args[0]
    return x
