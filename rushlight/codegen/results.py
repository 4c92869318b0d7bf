"""The arrays that a native function's results are: new ones, small ones taken again, old ones, and looks into them.

A run of a small program is over in a microsecond, and making an array takes a quarter of one.  So small results are
kept on a `Shelf`, and taken again in a later run when nobody else has them any more.  New numbers of parameters are
written where the old ones lie, if nobody else holds these: a `Loan`.  A view that somebody wants of a
result is a `Look`: where it lies is known when the program is compiled, and no kernel is asked.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from operator import itemgetter
from sys import getrefcount
from typing import Any

import numpy as np

from rushlight.core.strided import dim_order
from rushlight.record.memory import lies_as
from rushlight.record.program import Call
from rushlight.record.spec import Spec
from rushlight.record.value import Value

from .capture import NotLowered
from .views import Lies

ndarray = np.ndarray
Pair = tuple[int, int]  # the slot of the new numbers, and of the old ones

SMALL = 4096  # bytes: results up to here are kept for the next run


def maker(spec: Any) -> Callable[[], np.ndarray]:
    """Makes empty arrays of a Spec."""
    shape, dtype = spec.shape, spec.numpy
    if spec.is_contiguous:
        return partial(np.empty, shape, dtype)
    order = sorted(range(spec.ndim), key=lambda d: -spec.strides[d])
    laid, back = [shape[d] for d in order], np.argsort(order)
    if not lies_as(np.empty(laid, dtype).transpose(back), spec.strides):
        raise NotLowered("a result with gaps")
    return lambda: np.empty(laid, dtype).transpose(back)


class Shelf:
    """Small result arrays that are taken again in a later run, if nobody has kept them: making one costs more."""

    def __init__(self, makers: Sequence[Callable[[], np.ndarray]]) -> None:
        self.makers = makers
        self.arrays = [make() for make in makers]
        self.free = [ON_SHELF] * len(makers)

    def take(self) -> list[np.ndarray]:
        """One array for each maker."""
        taken = [*self.arrays]  # before they are counted: another thread may be doing the same
        holders = list(map(getrefcount, taken))
        if holders != self.free:
            taken = [a if n == ON_SHELF else make() for a, n, make in zip(taken, holders, self.makers, strict=True)]
            self.arrays = [*taken]
        return taken


def _on_shelf() -> int:
    """How many references there are to an array that only a Shelf holds, when they are counted."""
    arrays = [np.empty(1)]
    taken = [*arrays]
    return next(map(getrefcount, taken))


ON_SHELF = _on_shelf()


class Loan:
    """The pairs of a function: asked in every run for the arrays that take the new numbers.

    `makers` make new ones, pair by pair, where the old buffers cannot be written over.
    """

    def __init__(self, found: Sequence[Pair], makers: Sequence[Callable[[], np.ndarray]]) -> None:
        self.pairs = [(new, old, make) for (new, old), make in zip(found, makers, strict=True)]

    def arrays(self, values: Sequence[Any], ours: int) -> list[np.ndarray]:
        """For each pair the old buffer, if nobody else holds the old numbers; else a new one.

        Who holds an array that looks into a buffer holds the buffer, too: counting references is enough.  `ours` is how
        many references to each buffer the caller has.  All is done in one loop here: a small step asks every time.
        """
        of_value, of_home, of_base = ALONE
        of_home += ours
        found = []
        for new, old, make in self.pairs:
            v = values[old]
            home = values[new].home
            if home is None or home is not v.buf or getrefcount(v) != of_value or getrefcount(home) != of_home:
                found.append(make())
                continue
            base = home.base
            if base is None or (getrefcount(base) == of_base and base.__class__ is ndarray and base.base is None):
                found.append(home)
            else:
                found.append(make())
        return found


def _alone() -> tuple[int, int, int]:
    """How many references `Loan.arrays` counts of a Value, its buffer and that one's base, if nobody else has any.

    This depends on the interpreter.
    """
    values = [Value(), Value()]
    values[0].buf = values[1].home = np.empty(1)[:]
    v = values[0]
    home = values[1].home
    base = home.base
    return getrefcount(v), getrefcount(home), getrefcount(base)


ALONE = _alone()


def picker(slots: Sequence[int]) -> Callable[[Sequence[Any]], Sequence[Any]]:
    """The function from a list to its elements in these places, in their order."""
    if len(slots) > 1:
        return itemgetter(*slots)
    return itemgetter(slice(slots[0], slots[0] + 1) if slots else slice(0))


class Look:
    """A view of a result that somebody outside wants: made from the result's array, without its kernel.

    Attributes:
        source: whose array it looks into, and `lies` where: strides and offset in elements.
        starts: slots of numbers that add to the offset.
        order: the source's dimensions as they lie in memory; None if they lie in their own order.
    """

    __slots__ = ("dtype", "lies", "order", "shape", "size", "slot", "source", "starts", "strides")

    def __init__(
        self, slot: int, source: int, spec: Spec, lies: Lies, starts: tuple[int, ...], order: tuple[int, ...] | None
    ) -> None:
        self.slot, self.source, self.lies, self.starts, self.order = slot, source, lies, starts, order
        self.shape, self.dtype, self.size = spec.shape, spec.numpy, spec.numpy.itemsize
        self.strides = tuple(s * self.size for s in lies[0])

    def at(self, array: np.ndarray, values: Sequence[Any]) -> np.ndarray:
        """The view."""
        start = self.lies[1]
        for slot in self.starts:
            v = values[slot]
            start += v.buf if v.__class__ is Value else v
        if self.order is not None:
            array = array.transpose(self.order)
        return np.ndarray(self.shape, self.dtype, array, start * self.size, self.strides)


def looks(calls: Sequence[Call], made: Mapping[int, Spec]) -> list[Look] | None:
    """What view calls make of results of a run, which lie in one piece; None if they make something else."""
    found: dict[int, Look] = {}
    for call in calls:
        step = call.step
        if step.op.layouts is None:
            return None
        source, *starts = [slot for slot in step.inputs if slot is not None]
        if source in found:
            before = found[source]
            base, lies, shape, known, order = before.source, before.lies, before.shape, before.starts, before.order
        elif source in made:
            base, lies, shape, known = source, (made[source].strides, 0), made[source].shape, ()
            order = None if made[source].is_contiguous else dim_order(shape, made[source].strides)
        else:
            return None
        if any(spec.numpy is not made[base].numpy for spec in step.specs) or 0 in shape:
            return None
        try:
            placed = step.op.layouts(shape, *lies, **step.attributes)
        except (RuntimeError, ValueError):
            return None
        for slot, spec, (_, strides, offset) in zip(step.outputs, step.specs, placed, strict=True):
            found[slot] = Look(slot, base, spec, (strides, offset), (*known, *starts), order)
    return list(found.values())
