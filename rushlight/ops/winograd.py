"""Convolutions of images with fewer multiplications (Lavin and Gray, 2015), for the compiler.

An image is cut into tiles that overlap; a tile and a kernel, both transformed (`core/cook_toom.py`, along each
dimension), are multiplied place by place, and the products, summed over the channels, become m * m results.  Summing
over channels makes a product of matrices of each of the places.  A scan without states (`core/scan.py`) goes through
the images, a few in each turn, so that what is transformed stays in the cache.  Three forms, as in `im2col.py`:
`correlate`, `scatter` (the gradient of the input, a convolution with turned kernels) and `weigh` (the gradient of the
kernels, sums of products of transformed tiles of both).  With a stride s that divides the kernel, s * s neighbours are
one cell with as many times the channels, and the convolution is one of cells without stride.

Rounding errors are about twice to three times those of sums in order, with kernels of 5 seven times, relative to the
largest numbers in a tile; what is not finite spreads over a tile.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections import Counter
from typing import Any, NamedTuple

import numpy as np

from rushlight.core.cook_toom import Matrix, Transforms, transforms, transposed
from rushlight.core.scan import Arrays, scan

from .im2col import Geometry, Ints

KERNELS = (2, 3, 5)  # sizes of a kernel that it is for
RESULTS = 4  # results of a tile in a dimension
CHANNELS = 16  # fewer do not fill vectors
TRANSFORM = 12  # what a number costs on its way through a transform, in multiplications (measured)
GAIN = 1.25  # how much faster it must seem
CACHE = 1 << 19  # bytes of transformed tiles in a turn
PARTS = 12  # sums, at most, that the gradient of the kernels is made of

Grid = dict[Ints, Any]


class Setting:
    """Whether convolutions that are called now may use it (`torch.backends.nnpack`)."""

    enabled = True


class Tiling(NamedTuple):
    """How a convolution of cells is cut, in each dimension.

    Attributes:
        kernel: its size in cells.
        results: the results of a tile.
        tiles: how many of them there are.
        stride: the places of a cell.
    """

    kernel: Ints
    results: Ints
    tiles: Ints
    stride: Ints

    @property
    def size(self) -> Ints:
        """The size of a tile, and how often its channels are multiplied."""
        return tuple(m + r - 1 for m, r in zip(self.results, self.kernel, strict=True))

    @property
    def places(self) -> int:
        """Multiplications of a tile, for each pair of channels."""
        return math.prod(self.size)

    @property
    def space(self) -> Ints:
        """The cells that all tiles reach over."""
        return tuple(t * m + r - 1 for t, m, r in zip(self.tiles, self.results, self.kernel, strict=True))

    @property
    def transforms(self) -> list[Transforms]:
        """The matrices, dimension by dimension."""
        return [transforms(m, r) for m, r in zip(self.results, self.kernel, strict=True)]


def _tiling(w: Ints, geometry: Geometry, cells: Ints) -> Tiling | None:
    """How to cut so many results of a convolution with w (O, C, *kernel) of cells; None where there is no way."""
    stride = geometry.stride
    plain = geometry.winograd and geometry.groups == 1 and all(d == 1 for d in geometry.dilation)
    if len(w) != 4 or not plain or min(w[:2]) < CHANNELS:
        return None
    if any(k % s or k // s not in KERNELS for k, s in zip(w[2:], stride, strict=True)):
        return None
    kernel = tuple(k // s for k, s in zip(w[2:], stride, strict=True))
    return Tiling(kernel, (RESULTS,) * len(kernel), tuple(-(-n // RESULTS) for n in cells), stride)


def _pays(t: Tiling, images: int, w: Ints, out: Ints) -> bool:
    """Whether products and transforms cost clearly less than the convolution itself."""
    o, c = w[0], w[1] * math.prod(t.stride)
    itself = images * math.prod(out) * math.prod(t.kernel) * c * o
    tiles = images * math.prod(t.tiles)
    return itself >= GAIN * t.places * (tiles * (c * o + TRANSFORM * (c + o)) + TRANSFORM * c * o)


def tiling(x: Ints, w: Ints, geometry: Geometry) -> Tiling | None:
    """How to cut the convolution of x (N, C, *space) with w (O, C, *kernel); None where it does not pay."""
    out = geometry.output(x[2:], w[2:])
    found = _tiling(w, geometry, out)
    return found if found is not None and _pays(found, x[0], w, out) else None


def tiling_back(g: Ints, w: Ints, space: Ints, geometry: Geometry) -> Tiling | None:
    """How to cut the gradient of its input, of size `space`, from g (N, O, *out); None where it does not pay."""
    first = _first_cells(geometry)
    cells = tuple(
        (n - 1 + p) // s - q + 1 for n, p, s, q in zip(space, geometry.padding, geometry.stride, first, strict=True)
    )
    found = _tiling(w, geometry, cells)
    if found is None or any(q > k - 1 for q, k in zip(first, found.kernel, strict=True)):
        return None
    return found if _pays(found, g[0], w, g[2:]) else None


def _first_cells(geometry: Geometry) -> Ints:
    """The first cell with a place that is not padding."""
    return tuple(p // s for p, s in zip(geometry.padding, geometry.stride, strict=True))


# ---------------------------------------------------------------------------------------------------------------------
# Transforms


def _multiply_add(x: Any, factor: float, y: Any) -> Any:
    """x * factor + y, rounded once where the processor can."""
    number = x.dtype.type(factor)
    return x * number + y if isinstance(x, np.ndarray) else x.multiply_add(number, y)


@functools.cache
def _pairs(matrix: Matrix) -> tuple[list[tuple[int, int, float]], list[dict[int, float]]]:
    """Sums of two values (first, second, factor of the second) that several rows share, and the rows in them.

    The values count on: the sums come behind a row's own.  The commonest pair is taken first.
    """
    rows = [{i: f for i, f in enumerate(row) if f} for row in matrix]
    made: list[tuple[int, int, float]] = []
    while True:
        count = Counter((i, j, row[j] / row[i]) for row in rows for i, j in itertools.combinations(sorted(row), 2))
        pair, uses = max(count.items(), key=lambda found: found[1], default=(None, 0))
        if pair is None or uses < 2:
            return made, rows
        i, j, factor = pair
        for row in rows:
            if i in row and j in row and row[j] == factor * row[i]:
                row[len(matrix[0]) + len(made)] = row.pop(i)
                del row[j]
        made.append(pair)


def _combined(terms: list[tuple[float, Any]]) -> Any:
    """The sum of factor times value."""
    (factor, total), *rest = sorted(terms, key=lambda t: (abs(t[0]) != 1, -t[0]))
    total = total if factor == 1 else -total if factor == -1 else total * total.dtype.type(factor)
    for factor, value in rest:
        if abs(factor) == 1:
            total = total + value if factor > 0 else total - value
        else:
            total = _multiply_add(value, factor, total)
    return total


def _product(matrix: Matrix, values: list[Any]) -> list[Any]:
    """A matrix times a column of values."""
    made, rows = _pairs(matrix)
    values = list(values)
    for i, j, factor in made:
        values.append(_combined([(1.0, values[i]), (factor, values[j])]))
    return [_combined([(f, values[i]) for i, f in row.items()]) for row in rows]


def _transformed(grid: Grid, matrices: list[Matrix]) -> Grid:
    """The values in a grid, multiplied by a matrix along each of its dimensions."""
    for axis, matrix in enumerate(matrices):
        lines: dict[Ints, list[Any]] = {}
        for at in sorted(grid):
            lines.setdefault((*at[:axis], *at[axis + 1 :]), []).append(grid[at])
        grid = {
            (*at[:axis], i, *at[axis:]): value
            for at, values in lines.items()
            for i, value in enumerate(_product(matrix, values))
        }
    return grid


def _copied(x: Any) -> Any:
    """The same numbers, in order in memory."""
    return np.concatenate([x])


def _bordered(x: Any, before: Ints, space: Ints) -> Any:
    """x (B, *space, C) with zeros around its space: a copy also without, for tiles are read in all places at once.

    What lies beyond the new space, where a stride leaves places over, is left out.
    """
    shape = (x.shape[0], *space, x.shape[-1])
    x = x[(slice(None), *(slice(0, n - p) for p, n in zip(before, space, strict=True)))]
    if shape == x.shape:
        return _copied(x)
    inside = (slice(None), *(slice(p, p + n) for p, n in zip(before, x.shape[1:-1], strict=True)), slice(None))
    if not isinstance(x, np.ndarray):
        return x.placed(shape, 0, inside)
    whole = np.zeros(shape, x.dtype)
    whole[inside] = x
    return whole


def _tiles(x: Any, steps: Ints, tiles: Ints, size: Ints) -> Grid:
    """Every place of a tile, in all tiles: (B, *tiles, C) each."""
    return {
        at: x[(slice(None), *(slice(i, i + (t - 1) * s + 1, s) for i, s, t in zip(at, steps, tiles, strict=True)))]
        for at in np.ndindex(*size)
    }


def _products(grid: Grid) -> Any:
    """The values of a grid (B, *tiles, ...) as matrices (places, B * tiles, channels)."""
    x = np.stack([grid[at] for at in sorted(grid)])
    return x.reshape((x.shape[0], math.prod(x.shape[1:4]), -1))


def _of_input(x: Any, before: Ints, t: Tiling) -> Any:
    """Transformed tiles of x (B, *space, C), whose places are cells: (places, B * tiles, channels of a cell)."""
    (high, wide), (s, z) = t.space, t.stride
    lined = _bordered(x, before, (high * s, wide * z))
    cells = lined.reshape((len(x), high, s, wide, z, x.shape[-1])).transpose((0, 1, 3, 2, 4, 5))
    return _products(_transformed(_tiles(cells, t.results, t.tiles, t.size), [f.input for f in t.transforms]))


def _of_results(g: Any, t: Tiling) -> Any:
    """Transformed tiles of a gradient of results g (B, *out, O): (places, B * tiles, O)."""
    lined = _bordered(g, (0, 0), tuple(n * m for n, m in zip(t.tiles, t.results, strict=True)))
    back = [transposed(f.output) for f in t.transforms]
    return _products(_transformed(_tiles(lined, t.results, t.tiles, t.results), back))


def _of_kernels(w: Any, t: Tiling, turned: bool) -> Any:
    """Transformed kernels of w (O, C, *kernel): (places, channels of a cell, O), or turned, (places, O, channels)."""
    (s, z), (high, wide) = t.stride, t.kernel
    lined = _copied(w.reshape((*w.shape[:2], -1)).transpose((2, 0, 1) if turned else (2, 1, 0)))
    cells = lined.reshape((high, s, wide, z, *lined.shape[1:]))
    cells = cells.transpose((0, 2, 4, 1, 3, 5) if turned else (0, 2, 1, 3, 4, 5))
    if turned:
        cells = cells[::-1, ::-1]
    grid = _transformed({at: cells[at] for at in np.ndindex(high, wide)}, [f.filter for f in t.transforms])
    found = np.stack([grid[at] for at in sorted(grid)])
    return found.reshape((t.places, len(w), -1) if turned else (t.places, -1, len(w)))


class Where(NamedTuple):
    """Where results lie in an image: cell q of phase a has place q * steps + a + first, of a `space` of places."""

    space: Ints
    first: Ints
    steps: Ints


def _results(x: Any, b: Any, where: Where, t: Tiling) -> Any:
    """(B, *space, O) from products (places, B * tiles, phases * O) and a bias (O)."""
    x = x.reshape((t.places, -1, *t.tiles, *where.steps, x.shape[-1] // math.prod(where.steps)))
    pieces: Grid = {}
    for high, wide in itertools.product(*(_alike(*each) for each in zip(*where, t.results, t.tiles, strict=True))):
        part = x[:, :, high.tiles, wide.tiles, high.phase, wide.phase]
        chosen = zip(t.transforms, (high.results, wide.results), strict=True)
        matrices = [tuple(f.output[k] for k in of) for f, of in chosen]
        values = _transformed({at: part[k] for k, at in enumerate(np.ndindex(*t.size))}, matrices)
        for (i, j), value in values.items():
            pieces[high.places[i], wide.places[j]] = value if b is None else value + b
    steps = tuple(m * s for m, s in zip(t.results, where.steps, strict=True))
    return _assembled(pieces, (x.shape[1], *where.space, x.shape[-1]), steps)


class Alike(NamedTuple):
    """Results that the same tiles have: of which tiles, in which phase, and where each has its first place."""

    tiles: slice
    phase: int
    results: list[int]
    places: list[int]


def _alike(space: int, first: int, step: int, m: int, tiles: int) -> list[Alike]:
    """What is wanted of tiles with m results, in one dimension."""
    found: dict[Ints, Alike] = {}
    for phase, r in itertools.product(range(step), range(m)):
        places = [(t * m + r) * step + phase + first for t in range(tiles)]
        own = [t for t, place in enumerate(places) if 0 <= place < space]
        if own:
            span = own[0], own[-1] + 1
            group = found.setdefault((*span, phase), Alike(slice(*span), phase, [], []))
            group.results.append(r)
            group.places.append(places[own[0]])
    return list(found.values())


def _assembled(pieces: Grid, shape: Ints, steps: Ints) -> Any:
    """An array (B, *space, C) of pieces, each in every `steps`-th place from its own first one."""
    values = list(pieces.values())
    if isinstance(values[0], np.ndarray):
        whole = np.empty(shape, values[0].dtype)
        for at, value in pieces.items():
            whole[(slice(None), *(slice(i, None, s) for i, s in zip(at, steps, strict=True)))] = value
        return whole

    def where(_: Any, strides: Ints, offset: int) -> list[Any]:
        own = (strides[0], *(s * n for s, n in zip(strides[1:-1], steps, strict=True)), strides[-1])
        return [(None, own, offset + sum(i * s for i, s in zip(at, strides[1:-1], strict=True))) for at in pieces]

    return values[0].assembled(values, shape, where)


# ---------------------------------------------------------------------------------------------------------------------
# The three forms


def _images(count: int, t: Tiling, channels: int, itemsize: int) -> int:
    """How many images make a turn: as many as fit the cache, of the numbers that divide them."""
    each = t.places * math.prod(t.tiles) * channels * itemsize
    return max(n for n in range(1, count + 1) if count % n == 0 and (n == 1 or n * each <= CACHE))


def _turns(x: Any, size: int) -> Any:
    """x (N, C, *space) as (turns, images, *space, C)."""
    x = x.transpose((0, 2, 3, 1))
    return x.reshape((x.shape[0] // size, size, *x.shape[1:]))


def _each(x: Any, kernels: Any, b: Any, before: Ints, where: Where, t: Tiling) -> Any:
    """Results (N, O, *space) of x (N, C, *space) and transformed kernels, a few images at a time."""
    size = _images(len(x), t, kernels.shape[1] + kernels.shape[2], x.dtype.itemsize)

    def step(_: Arrays, images: Arrays, fixed: Arrays) -> tuple[Arrays, Arrays]:
        products = np.matmul(_of_input(images[0], before, t), fixed[0])
        return (), (_results(products, fixed[1], where, t),)

    _, (found,) = scan(step, (), [_turns(x, size)], (kernels, b), keep=False)
    return found.reshape((len(x), *found.shape[2:])).transpose((0, 3, 1, 2))


def correlate(x: Any, w: Any, b: Any, geometry: Geometry, t: Tiling) -> Any:
    """The convolution of x (N, C, *space) with w (O, C, *kernel), plus b (O) or None: (N, O, *out)."""
    out = geometry.output(x.shape[2:], w.shape[2:])
    return _each(x, _of_kernels(w, t, False), b, geometry.padding, Where(out, (0, 0), (1, 1)), t)


def scatter(g: Any, w: Any, b: Any, space: Ints, geometry: Geometry, t: Tiling) -> Any:
    """The gradient of the convolution's input, (N, C, *space), from g (N, O, *out) and w, plus b (C) or None."""
    cells = _first_cells(geometry)
    before = tuple(k - 1 - q for k, q in zip(t.kernel, cells, strict=True))
    first = tuple(q * s - p for q, s, p in zip(cells, t.stride, geometry.padding, strict=True))
    where = Where(space, first, t.stride)
    return _each(g, _of_kernels(w, t, True), b, before, where, t._replace(stride=(1, 1)))


def weigh(x: Any, g: Any, kernel: Ints, geometry: Geometry, t: Tiling) -> Any:
    """The gradient of the kernels, (O, C, *kernel), from x (N, C, *space) and g (N, O, *out)."""
    back = [transposed(f.filter) for f in t.transforms]
    total = _sums_of_products(x, g, geometry.padding, t)
    grid = _transformed({at: total[k] for k, at in enumerate(np.ndindex(*t.size))}, back)
    found = np.stack([grid[at] for at in sorted(grid)])  # (kernel in cells, channels of a cell, O)
    if math.prod(t.stride) > 1:
        found = found.reshape((*t.kernel, *t.stride, x.shape[1], g.shape[1]))
        found = _copied(found.transpose((0, 2, 1, 3, 4, 5)))
    return found.reshape((*kernel, x.shape[1], g.shape[1])).transpose((3, 2, 0, 1))


def _sums_of_products(x: Any, g: Any, before: Ints, t: Tiling) -> Any:
    """Products of transformed tiles of x and of g, summed over all tiles: (places, channels of a cell, O)."""
    size = _images_together(x, g, t)
    turns = len(x) // size
    parts = max(n for n in range(1, PARTS + 1) if turns % n == 0)

    def met(images: Arrays) -> Any:
        return np.matmul(_of_input(images[0], before, t).swapaxes(1, 2), _of_results(images[1], t))

    def step(sums: Arrays, images: Arrays, _: Arrays) -> tuple[Arrays, Arrays]:
        return (sums[0] + met(images),), ()

    def part(_: Arrays, images: Arrays, __: Arrays) -> tuple[Arrays, Arrays]:
        one = met([y[0] for y in images])
        if turns == parts:
            return (), (one,)
        return (), tuple(scan(step, (np.zeros_like(one),), images, (), keep=False)[0])

    whole = [_turns(y, size) for y in (x, g)]
    if turns == 1:
        return met([y[0] for y in whole])
    whole = [y.reshape((parts, turns // parts, *y.shape[1:])) for y in whole]
    return scan(part, (), whole, (), keep=False)[1][0].sum(axis=0)


def _images_together(x: Any, g: Any, t: Tiling) -> int:
    """How many images make a turn where sums go on: so many that these are not what takes most of the memory's time."""
    c, o = x.shape[1] * math.prod(t.stride), g.shape[1]
    few = _images(len(x), t, c + o, x.dtype.itemsize)
    enough = min(len(x), -(-c * o // (math.prod(t.tiles) * (c + o))))
    return next(n for n in range(max(few, enough), len(x) + 1) if len(x) % n == 0)
