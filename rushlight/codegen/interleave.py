"""Every second, third or fourth element: read and written in whole vectors all the same.

Views like x[..., ::2] and x[..., 1::2] lie between one another.  Together they are one dense stretch, which is loaded
whole and sorted by shuffles; what one nest stores to all of them is shuffled together and stored whole.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .capture import Symbol
from .llvm import MEMORY, Scalars, Writer, wide

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

    def mask(self, lanes: int, count: int) -> str | None:
        """Of a stretch the elements that `count` lanes of the accesses are in; None if it is all of them."""
        end = (count - 1) * self.step + max(self.phase.values()) + 1
        size = lanes * self.step
        if end == size:
            return None
        return "<" + ", ".join(f"i1 {'true' if k < end else 'false'}" for k in range(size)) + ">"


def groups_of(accesses: list[Access]) -> dict[int, Group]:
    """The accesses that lie between one another, by their ids."""
    alike: dict[tuple[Symbol, str, tuple[int, ...]], list[Access]] = {}
    for a in accesses:
        if a.strides and a.strides[-1] in STEPS and a.base.kind != "iota" and not a.steps:
            alike.setdefault((a.base, a.symbol.dtype.name, tuple(a.strides)), []).append(a)
    found: dict[int, Group] = {}
    for members in alike.values():
        members.sort(key=lambda a: a.offset)
        while members:
            near = [a for a in members if a.offset < members[0].offset + a.strides[-1]]
            group = Group(near)
            found.update({id(a): group for a in near})
            members = members[len(near) :]
    return found


def read_apart(to: NestWriter, vector: Scalars, group: Group, access: Access, index: str, count: int) -> str:
    """The elements of one access, out of the stretch that is loaded once for the whole group."""
    lanes, kind = vector.lanes, MEMORY[access.symbol.dtype.name]
    stretch = to.stretches.get(id(group))
    if stretch is None:
        place = to.place(group.first, index)
        size = lanes * group.step
        stretch = to.read(kind, place, access.symbol.dtype.itemsize, size, group.mask(lanes, count))
        to.stretches[id(group)] = stretch
    whole = wide(kind, lanes * group.step)
    chosen = _numbers(group.phase[id(access)] + k * group.step for k in range(lanes))
    return to.w.let(f"shufflevector {whole} {stretch}, {whole} poison, <{lanes} x i32> {chosen}")


def write_together(to: NestWriter, vector: Scalars, group: Group, access: Access, value: str, index: str,
                   count: int) -> None:  # fmt: skip
    """Keeps the values of one access until all of the group are there, then stores them."""
    waiting = to.waiting.setdefault(id(group), {})
    waiting[group.phase[id(access)]] = value
    if len(waiting) < group.step:
        return
    lanes, kind = vector.lanes, MEMORY[access.symbol.dtype.name]
    joined, size = _joined(to.w, kind, [waiting[p] for p in range(group.step)], lanes)
    order = _numbers(k % group.step * lanes + k // group.step for k in range(lanes * group.step))
    padded = wide(kind, size)
    mixed = to.w.let(f"shufflevector {padded} {joined}, {padded} poison, <{lanes * group.step} x i32> {order}")
    to.put(kind, to.place(group.first, index), access.symbol.dtype.itemsize, lanes * group.step, mixed,
           group.mask(lanes, count))  # fmt: skip
    del to.waiting[id(group)]


def _joined(w: Writer, kind: str, parts: list[str], lanes: int) -> tuple[str, int]:
    """Vectors behind one another in one, and its size: a power of two times theirs."""
    while len(parts) > 1:
        parts = parts + ["poison"] * (len(parts) % 2)
        vector, order = wide(kind, lanes), _numbers(range(2 * lanes))
        parts = [
            w.let(f"shufflevector {vector} {a}, {vector} {b}, <{2 * lanes} x i32> {order}")
            for a, b in zip(parts[::2], parts[1::2], strict=True)
        ]
        lanes *= 2
    return parts[0], lanes


def _numbers(values: object) -> str:
    return "<" + ", ".join(f"i32 {v}" for v in values) + ">"  # type: ignore[attr-defined]
