"""Every second, third or fourth element: read and written in whole vectors all the same.

Views like x[..., ::2] and x[..., 1::2] lie between one another.  Together they are one dense stretch, which is loaded
whole and sorted by shuffles; what one nest stores to all of them is shuffled together and stored whole.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .arithmetic import Scalars
from .capture import Symbol
from .ir import MEMORY, Builder, Index, Value, first_lanes, undefined

if TYPE_CHECKING:
    from .loops import Access, NestWriter

STEPS = range(2, 5)  # the strides for which this is worth the shuffles


class Group:
    """Accesses that lie between one another.

    Attributes:
        first: the one that begins first.
        phase: for each access how far it begins behind the first one.
    """

    def __init__(self, members: list[Access]) -> None:
        self.first = members[0]
        self.step = members[0].strides[-1]
        self.phase = {id(a): a.offset - self.first.offset for a in members}

    @property
    def whole(self) -> bool:
        """Whether the accesses fill their stretch of memory."""
        return len(set(self.phase.values())) == self.step

    def reach(self, lanes: int, count: int) -> int | None:
        """Of a stretch so many elements are what `count` lanes of the accesses are in; None if it is all of them."""
        return first_lanes((count - 1) * self.step + max(self.phase.values()) + 1, lanes * self.step)


def groups_of(accesses: list[Access]) -> dict[int, Group]:
    """The accesses that lie between one another, by their ids."""
    alike: dict[tuple[Symbol, np.dtype, tuple[int, ...]], list[Access]] = {}
    for a in accesses:
        if a.strides and a.strides[-1] in STEPS and a.base.kind != "iota" and not a.steps:
            alike.setdefault((a.base, a.symbol.dtype, tuple(a.strides)), []).append(a)
    found: dict[int, Group] = {}
    for members in alike.values():
        members.sort(key=lambda a: a.offset)
        while members:
            near = [a for a in members if a.offset < members[0].offset + a.strides[-1]]
            group = Group(near)
            found.update({id(a): group for a in near})
            members = members[len(near) :]
    return found


def read_apart(to: NestWriter, vector: Scalars, group: Group, access: Access, index: Index, count: int) -> Value:
    """The elements of one access, out of the stretch that is loaded once for the whole group."""
    lanes, kind = vector.lanes, MEMORY[access.symbol.dtype]
    stretch = to.stretches.get(id(group))
    if stretch is None:
        place = to.place(group.first, index)
        size = lanes * group.step
        stretch = to.w.load(kind, place, access.symbol.dtype.itemsize, size, group.reach(lanes, count))
        to.stretches[id(group)] = stretch
    return to.w.shuffle(stretch, None, [group.phase[id(access)] + k * group.step for k in range(lanes)])


def write_together(to: NestWriter, vector: Scalars, group: Group, access: Access, value: Value, index: Index,
                   count: int) -> None:  # fmt: skip
    """Keeps the values of one access until all of the group are there, then stores them."""
    waiting = to.waiting.setdefault(id(group), {})
    waiting[group.phase[id(access)]] = value
    if len(waiting) < group.step:
        return
    lanes = vector.lanes
    joined = _joined(to.w, [waiting[p] for p in range(group.step)])
    order = [k % group.step * lanes + k // group.step for k in range(lanes * group.step)]
    mixed = to.w.shuffle(joined, None, order)
    to.w.store(mixed, to.place(group.first, index), access.symbol.dtype.itemsize, group.reach(lanes, count))
    del to.waiting[id(group)]


def _joined(w: Builder, parts: list[Value]) -> Value:
    """Vectors behind one another in one, whose size is a power of two times theirs."""
    while len(parts) > 1:
        lanes = parts[0].lanes
        parts = parts + [undefined(parts[0].kind, lanes)] * (len(parts) % 2)
        parts = [w.shuffle(a, b, range(2 * lanes)) for a, b in zip(parts[::2], parts[1::2], strict=True)]
    return parts[0]
