"""Convolutions of any extents: sums over windows, without columns being copied out of the images.

Images lie behind one another in one long row for each channel, on a grid that leaves room for padding: so what a
place of the window meets is that row, from an offset on, and any kernel, dilation and number of dimensions is a list of
offsets.  Where a window does not fit there are places of the result that nobody reads.  A tile of the result, some
channels by some vectors, stays in registers while all places of all channels are gone through
(`ops/general_convolution.py` lays the arrays out).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from .general import Writer, general
from .ir import SIZES
from .lanes import Lanes

if TYPE_CHECKING:
    from .ir import Index, Value

CHUNK = 4096  # places
WIDEST = 64  # bytes of the vectors of a processor with twice as many registers


def _sums(
    k: Writer, x: Value, w: Value, out: Value, offsets: Value, groups: Value, step: Value, taps: Value, blocks: Value,
    span: Value, tile: int, side: int,
) -> None:  # fmt: skip
    """out[channel, p] = the sum over taps of w[channel, tap] * x[offsets[tap] + p], for p below `span`.

    Channels come in blocks of `tile`, whose weights lie beside one another; `side` vectors are done at a time.  The
    inputs of a group begin `step` behind those of the one before.
    """
    u = k.w
    vectors = u.udiv(span, k.lanes)
    wide = u.udiv(vectors, side)

    def block(group: Value, start: Index, count: int) -> None:
        base = u.add(k.times(group, step), start)
        with k.loop(blocks) as b:
            number = u.add(k.times(group, blocks), b)
            weights = k.times(k.times(number, taps), tile)

            def add(tap: Value, *sums: Lanes) -> list[Lanes]:
                at = u.add(base, k.position(offsets, tap))
                given = [k.load(x, u.add(at, v * k.lanes)) for v in range(count)]
                place = u.add(weights, u.mul(tap, tile))
                factors = [k.everywhere(w, u.add(place, c)) for c in range(tile)]
                return [given[j % count].fma(factors[j // count], s) for j, s in enumerate(sums)]

            found = k.turns(taps, add, *[k.constant(0.0)] * (tile * count))
            for j, x_sum in enumerate(found):
                row = u.add(u.mul(number, tile), j // count)
                k.store(x_sum, out, u.add(u.add(k.times(row, span), start), j % count * k.lanes))

    with k.loop(groups) as group:
        with k.loop(wide) as n:
            block(group, u.mul(n, side * k.lanes), side)
        with k.loop(vectors, u.mul(wide, side)) as n:
            block(group, u.mul(n, k.lanes), 1)


def _weighs(
    k: Writer, x: Value, d: Value, out: Value, offsets: Value, groups: Value, step: Value, taps: Value, rows: Value,
    span: Value, tile: int, side: int,
) -> None:  # fmt: skip
    """out[row, tap] += the sum over p below `span` of d[row, p] * x[offsets[tap] + p].

    `tile` rows by `side` taps at a time, of which there are whole numbers; `CHUNK` places, so that they are in the
    cache when the next tile wants them.
    """
    u = k.w
    with k.loop(groups) as group, k.loop(u.udiv(u.add(span, CHUNK - 1), CHUNK)) as piece:
        begin = u.mul(piece, CHUNK)
        count = u.min(u.sub(span, begin), CHUNK)
        base = u.add(k.times(group, step), begin)
        with k.loop(u.udiv(rows, tile)) as r, k.loop(u.udiv(taps, side)) as t:
            row, tap = u.add(k.times(group, rows), u.mul(r, tile)), u.mul(t, side)
            sources = [u.add(base, k.position(offsets, u.add(tap, j))) for j in range(side)]
            targets = [u.add(k.times(u.add(row, i), span), begin) for i in range(tile)]

            def add(n: Value, *sums: Lanes, sources: list[Index] = sources, targets: list[Index] = targets
                    ) -> list[Lanes]:  # fmt: skip
                p = u.mul(n, k.lanes)
                given = [k.load(x, u.add(at, p)) for at in sources]
                arrived = [k.load(d, u.add(at, p)) for at in targets]
                return [given[j % side].fma(arrived[j // side], s) for j, s in enumerate(sums)]

            found = k.turns(u.udiv(count, k.lanes), add, *[k.constant(0.0)] * (tile * side))
            for j, total in enumerate(found):
                at = u.add(u.add(k.times(u.add(row, j // side), taps), tap), j % side)
                k.put(k.everywhere(out, at) + k.total(total), out, at)


def _is_widest(k: Writer) -> bool:
    return k.lanes * SIZES[k.kind] == WIDEST


def _tiled(sums: Callable[..., None], channels: int, vectors: int, on_narrow: int) -> Callable[..., None]:
    """The function for tiles of so many channels by so many vectors; `on_narrow` with half the registers."""

    def define(k: Writer, *arguments: Value) -> None:
        sums(k, *arguments, channels, vectors if _is_widest(k) else on_narrow)

    return define


general("FFFInnnnn", "sum_windows")(_tiled(_sums, 8, 3, 1))
general("FFFInnnnn", "sum_windows_few")(_tiled(_sums, 4, 5, 2))
general("FFFInnnnn", "sum_windows_alone")(_tiled(_sums, 1, 8, 8))
general("FFFInnnnn", "weigh_windows")(_tiled(_weighs, 4, 6, 2))
general("FFFInnnnn", "weigh_windows_alone")(_tiled(_weighs, 1, 6, 6))
