"""Loop nests taken apart again where their parts have nothing to do with one another.

Everything on one shape shares a nest, whether or not it shares numbers.  That saves loops where arrays are small; where
they are large it only mixes what may lie in different orders in memory, or follow different products.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .capture import Symbol
from .interleave import STEPS

if TYPE_CHECKING:
    from .fuse import Nest, Plan

SMALL = 1 << 12  # elements below which one nest is better than several
LONG = 100  # operations that are enough for a nest of their own


def separate(plan: Plan) -> None:
    """Makes several nests of one whose parts are connected neither by results nor by what they read."""
    from .fuse import DRAWN, PRODUCT, SCAN, Nest

    made: list[Nest] = []
    place = dict(plan.place)
    for at, nest in enumerate(plan.nests):
        large = nest.shape not in (PRODUCT, SCAN, DRAWN) and (
            len(nest.body) > LONG or any(x.size >= SMALL for x in nest.body)
        )
        for body in _parts(plan, nest.body) if large else [nest.body]:
            part = Nest(nest.shape)
            part.body = body
            plan.place.update((x, len(made)) for x in body if place.get(x) == at)
            made.append(part)
    for x in place:
        if x.kind == "whole":
            plan.place[x] = max(plan.place[p] for p in x.args)
    plan.nests = made


def _parts(plan: Plan, body: list[Symbol]) -> list[list[Symbol]]:
    """The Symbols of a nest that hang together, each part in order."""
    leader: dict[Symbol, Symbol] = {}

    def find(x: Symbol) -> Symbol:
        above = leader.setdefault(x, x)
        while above is not x:
            leader[x] = leader[above]  # shorter ways for those who ask next
            x, above = above, leader[above]
        return x

    for x in body:
        if _lies_between(plan, x):
            leader[find(x)] = find(plan.owner[x])
        for a in x.args:
            if a.kind not in ("number", "constant") and a not in plan.uniform:
                leader[find(a)] = find(x)
    parts: dict[Symbol, list[Symbol]] = {}
    for x in body:
        parts.setdefault(find(x), []).append(x)
    return list(parts.values())


def _lies_between(plan: Plan, x: Symbol) -> bool:
    """Whether a piece is every second element or so of a whole, and better written with those beside it."""
    if x.kind != "piece" or (len(x.args) > 1 and x.args[-1].kind != "piece"):
        return False
    owner = plan.owner[x]
    lies, _ = x.data(plan.lies(owner), 0)
    return bool(lies) and lies[-1] in STEPS
