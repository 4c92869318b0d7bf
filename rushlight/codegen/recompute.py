"""What is computed again where it is read, rather than stored: the fewer bytes move, the better.

A value that a later loop nest reads would be written to memory and read back.  Where it is a few additions or
comparisons away from arrays that are in memory anyway, and these are not much more to read, the later nest makes it
anew: the centred input of a normalisation, or the gradient behind a ReLU.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .capture import ARITHMETIC, Symbol

if TYPE_CHECKING:
    from .fuse import Plan

DEAR = {"true_divide", "divide", "sqrt", "reciprocal"}
CHEAP = (ARITHMETIC - DEAR) | {"where", "cast", "broadcast"}
MOST = 10  # operations made again for one value
SAVED = 2  # a stored value is moved at least so many times: written, and read again


class Recompute:
    """Adds to each nest of a plan what it makes anew; whatever else crosses from nest to nest is stored."""

    def __init__(self, plan: Plan, order: list[Symbol]) -> None:
        self.plan = plan
        self.at = {x: k for k, x in enumerate(order)}
        self.kept = set(plan.roots.values())
        self.readers: dict[Symbol, set[int]] = {}
        for x in order:
            there = plan.place.get(x)
            for a in x.args:
                if x.kind in ("view", "contract", "scanned", "pick") or a.kind not in CHEAP:
                    self.kept.add(a)
                elif there is not None and plan.place.get(a, there) != there:
                    self.readers.setdefault(a, set()).add(there)
        for x in order:
            if x in self.readers and x not in self.kept:
                self._decide(x)

    def _decide(self, x: Symbol) -> None:
        chain: set[Symbol] = set()
        leaves: set[Symbol] = set()
        self._walk(x, x.shape, chain, leaves)
        nests = [self.plan.nests[at] for at in sorted(self.readers[x])]
        full = {a for a in leaves if a.size == x.size}
        if len(chain) > MOST or any(nest.shape != x.shape for nest in nests) or not all(self._fits(a, x) for a in full):
            self.kept.add(x)
            return
        for nest in nests:
            read = {a for y in nest.body for a in y.args}
            if sum(a.dtype.itemsize for a in full - read) > SAVED * x.dtype.itemsize:
                self.kept.add(x)
                return
        for nest in nests:
            nest.body = sorted(chain.union(nest.body), key=self.at.__getitem__)

    def _walk(self, x: Symbol, shape: tuple[int, ...], chain: set[Symbol], leaves: set[Symbol]) -> None:
        """What must be computed for x, and from what."""
        stack = [x]
        while stack and len(chain) <= MOST:
            y = stack.pop()
            if y in self.kept or y.kind not in CHEAP or y not in self.plan.place or y.shape != shape:
                leaves.add(y)
            elif y not in chain:
                chain.add(y)
                stack.extend(y.args)

    def _fits(self, leaf: Symbol, x: Symbol) -> bool:
        """Whether an array is in memory in the order in which the value would be."""
        if leaf.kind in ("number", "constant", "iota") or leaf in self.plan.uniform:
            return leaf.kind != "iota"
        return self.plan.memory(leaf)[1] == self.plan.natural(x)
