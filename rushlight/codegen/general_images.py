"""Images of bytes of any extents in another size: whole numbers, rounded to bytes after each dimension.

A result is a sum of neighbours with weights.  Vectors run along what lies behind the dimension that is resized; where
nothing does, rows are turned into columns first, sixteen by sixteen (`ops/general_images.py`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .arithmetic import Scalars
from .general import Writer, general
from .ir import Loop, When, constant
from .transpose import transposed

if TYPE_CHECKING:
    from .ir import Index, Value

LANES = 16  # bytes in a vector


def _weighted(
    k: Writer, s: Scalars, x: Value, out: Value, tap: tuple[Value, Value, Index, Value], bits: Value,
    place: tuple[Index, Value, Index, Index], mask: Value | None,
) -> None:  # fmt: skip
    """Some neighbouring results. `tap`: positions, weights, the first of them, and how many; `place`: where the plane
    begins in x, how many bytes lie behind the dimension, which of them these are, and where they go."""
    w, (positions, weights, first, count), (start, across, c, target) = k.w, tap, place
    one = constant(1, "i32")
    half = w.make("shl", "i32", 1, (one, w.make("sub", "i32", 1, (bits, one))))
    loop = Loop(w, count, carried=[s.splat(half)], sure=False)
    at = w.add(first, loop.index)
    row = w.load("i64", w.at("i64", positions, at), 8)
    source = w.at("u8", x, w.add(start, w.add(k.times(row, across), c)))
    found = w.load("u8", source, 1, s.lanes) if mask is None else w.load_where("u8", source, 1, mask)
    weight = s.splat(w.load("i32", w.at("i32", weights, at), 4))
    product = s.binary("mul", s.cast(found, "i32"), weight)
    loop.close([s.binary("add", loop.carried[0], product)])
    total = s.binary("shr", loop.results[0], s.splat(bits))
    total = s.binary("min", s.binary("max", total, s.constant(0, "i32")), s.constant(255, "i32"))
    made, goal = s.cast(total, "u8"), w.at("u8", out, target)
    if mask is None:
        w.store(made, goal, 1)
    else:
        w.store_where(made, goal, 1, mask)


@general("BBIinnnnnn")
def _resize_bytes(
    k: Writer, x: Value, out: Value, positions: Value, weights: Value, planes: Value, size: Value, results: Value,
    across: Value, count: Value, bits: Value,
) -> None:  # fmt: skip
    """The middle dimension of (planes, size, across) with so many results, each of `count` numbers."""
    w, s = k.w, Scalars(k.w, LANES)
    shift = k.single.cast(bits, "i32")
    rest = w.make("and", "i64", 1, (across, LANES - 1))
    numbers = constant(tuple(range(LANES)), "i32", LANES)
    mask = s.compare("ult", numbers, s.splat(k.single.cast(rest, "i32")))
    with k.loop(planes) as plane, k.loop(results) as i:
        start, target = k.times(k.times(plane, size), across), k.times(w.add(k.times(plane, results), i), across)
        tap = positions, weights, k.times(i, count), count

        def some(c: Index, mask: Any, tap: Any = tap, start: Index = start, target: Index = target) -> None:
            _weighted(k, s, x, out, tap, shift, (start, across, c, w.add(target, c)), mask)

        whole = w.sub(across, rest)
        loop = Loop(w, whole, LANES, sure=False)
        some(loop.index, None)
        loop.close()
        with When(w, w.compare("ne", rest, 0)):
            some(whole, mask)


@general("BBnn")
def _turn_bytes(k: Writer, x: Value, out: Value, rows: Value, columns: Value) -> None:
    """(rows, columns) as (columns, rows): squares in registers, and what is left one by one."""
    w, s = k.w, Scalars(k.w, LANES)
    rows_left, columns_left = (w.make("and", "i64", 1, (n, LANES - 1)) for n in (rows, columns))
    high, wide = w.sub(rows, rows_left), w.sub(columns, columns_left)
    down = Loop(w, high, LANES, sure=False)
    along = Loop(w, wide, LANES, sure=False)
    i, j = down.index, along.index
    square = [
        w.load("u8", w.at("u8", x, w.add(k.times(w.add(i, r), columns), j)), 1, LANES) for r in range(LANES)
    ]
    for c, column in enumerate(transposed(s, square)):
        w.store(column, w.at("u8", out, w.add(k.times(w.add(j, c), rows), i)), 1)
    along.close()
    down.close()
    with k.loop(rows) as row:
        first = w.make("select", "i64", 1, (w.compare("ult", row, high), wide, constant(0, "i64")))
        with k.loop(columns, first) as column:
            byte = w.load("u8", w.at("u8", x, w.add(k.times(row, columns), column)), 1)
            w.store(byte, w.at("u8", out, w.add(k.times(column, rows), row)), 1)
