"""Affine contractions: the one form of every product of matrices and every convolution.

A `Piece` says  C[c(v)] += A[a(v)] * B[b(v)]  for all values of some loop variables v.  Each of a, b and c has an
`Affine` for every dimension of its array: an offset and a sum of coefficient times variable.  An index that lies
outside an operand reads zero: that is a convolution's padding.  Variables that c does not mention are summed over.  The
pieces of one contraction write to different places of C; what none of them writes is zero.

Operations build pieces here and in `ops/`; the compiler makes loops of them.
"""

from __future__ import annotations

import itertools
import math
from typing import NamedTuple

Ints = tuple[int, ...]


class Affine(NamedTuple):
    """An index: `offset` plus the sum of coefficient * variable over `terms`."""

    offset: int
    terms: tuple[tuple[int, int], ...]  # (variable, coefficient)

    def bounds(self, extents: Ints) -> tuple[int, int]:
        """The smallest and the largest value."""
        reach = [(extents[v] - 1) * k for v, k in self.terms]
        return self.offset + sum(r for r in reach if r < 0), self.offset + sum(r for r in reach if r > 0)


Map = tuple[Affine, ...]


class Piece(NamedTuple):
    """C[c] += A[a] * B[b] over variables that count up to their extents."""

    extents: Ints
    a: Map
    b: Map
    c: Map

    @property
    def macs(self) -> int:
        """How many multiplications it takes."""
        return math.prod(self.extents)


def at(*terms: tuple[int, int], offset: int = 0) -> Affine:
    """offset + the sum of coefficient * variable."""
    return Affine(offset, terms)


def of(variable: int) -> Affine:
    """The variable itself."""
    return Affine(0, ((variable, 1),))


def product_pieces(x: Ints, y: Ints) -> tuple[Ints, tuple[Piece, ...]]:
    """The shape and the one piece of numpy.matmul of arrays of at least two dimensions, whose batches broadcast."""
    ndim = max(len(x), len(y))
    xs, ys = (1,) * (ndim - len(x)) + x, (1,) * (ndim - len(y)) + y
    batch = tuple(max(m, n) if 0 not in (m, n) else 0 for m, n in zip(xs[:-2], ys[:-2], strict=True))
    m, k, n = xs[-2], xs[-1], ys[-1]
    row, column, inner = ndim - 2, ndim - 1, ndim

    def outer(shape: Ints) -> Map:
        lead = ndim - len(shape)
        return tuple(of(d) if shape[d - lead] != 1 else at() for d in range(lead, ndim - 2))

    piece = Piece(
        (*batch, m, n, k),
        (*outer(x), of(row), of(inner)),
        (*outer(y), of(inner), of(column)),
        tuple(of(d) for d in range(ndim)),
    )
    return (*batch, m, n), (piece,)


class Windows(NamedTuple):
    """A convolution's geometry: x (N, C, *space), w (O, C / groups, *kernel), y (N, O, *out)."""

    x: Ints
    w: Ints
    y: Ints
    stride: Ints
    padding: Ints
    dilation: Ints
    groups: int

    @property
    def dims(self) -> int:
        """How many dimensions the space has."""
        return len(self.stride)

    def _each(self) -> tuple[Ints, Map, Map, Map]:
        """Variables n, group, o, c, *out, *kernel; the maps of x, w and y."""
        dims, groups = self.dims, self.groups
        per_o, per_c = self.w[0] // groups, self.w[1]
        extents = (self.x[0], groups, per_o, per_c, *self.y[2:], *self.w[2:])
        out, kernel = range(4, 4 + dims), range(4 + dims, 4 + 2 * dims)
        space = tuple(
            at((o, s), (k, d), offset=-p)
            for o, k, s, d, p in zip(out, kernel, self.stride, self.dilation, self.padding, strict=True)
        )
        x = (of(0), at((1, per_c), (3, 1)), *space)
        w = (at((1, per_o), (2, 1)), of(3), *map(of, kernel))
        y = (of(0), at((1, per_o), (2, 1)), *map(of, out))
        return extents, x, w, y

    def correlate(self) -> tuple[Piece, ...]:
        """y from x and w."""
        extents, x, w, y = self._each()
        return (Piece(extents, x, w, y),)

    def weigh(self) -> tuple[Piece, ...]:
        """The gradient of w, from x and y's."""
        extents, x, w, y = self._each()
        return (Piece(extents, x, y, w),)

    def scatter(self) -> tuple[Piece, ...]:
        """The gradient of x, from y's and w: with a stride, one piece for each residue of the places."""
        ways = [self._single(d) if self.y[2 + d] == 1 else self._residues(d) for d in range(self.dims)]
        return tuple(self._scattered(way) for way in itertools.product(*ways))

    def _scattered(self, way: tuple[Way, ...]) -> Piece:
        per_o, per_c = self.w[0] // self.groups, self.w[1]
        y = (of(0), at((1, per_o), (2, 1)), *[d.out for d in way])
        w = (at((1, per_o), (2, 1)), of(3), *[d.kernel for d in way])
        x = (of(0), at((1, per_c), (3, 1)), *[d.space for d in way])
        extents = (self.x[0], self.groups, per_o, per_c, *[d.places for d in way], *[d.taps for d in way])
        return Piece(extents, y, w, x)

    def _residues(self, d: int) -> list[Way]:
        """Places r, r + stride, ... meet the same positions of the kernel, each at another place of y."""
        s, step, pad = self.stride[d], self.dilation[d], self.padding[d]
        q, j = 4 + d, 4 + self.dims + d
        ways = []
        for r in range(min(s, self.x[2 + d])):
            fitting = [k for k in range(self.w[2 + d]) if (r + pad - step * k) % s == 0]
            if not fitting:
                continue
            hop = fitting[1] - fitting[0] if len(fitting) > 1 else 1
            first = (r + pad - step * fitting[0]) // s
            ways.append(Way(
                -(-(self.x[2 + d] - r) // s), len(fitting), at((q, s), offset=r),
                at((j, hop), offset=fitting[0]), at((q, 1), (j, -(step * hop) // s), offset=first),
            ))  # fmt: skip
        return ways

    def _single(self, d: int) -> list[Way]:
        """One place of y: every position of the kernel meets a place of its own."""
        step, pad, n = self.dilation[d], self.padding[d], self.x[2 + d]
        q = 4 + d
        fitting = [k for k in range(self.w[2 + d]) if 0 <= step * k - pad < n]
        if not fitting:
            return []
        first = fitting[0]
        space = at((q, step), offset=step * first - pad)
        return [Way(len(fitting), 1, space, at((q, 1), offset=first), at())]


class Way(NamedTuple):
    """How one dimension of a convolution is gone through: places of x, positions of the kernel, and three indices."""

    places: int
    taps: int
    space: Affine
    kernel: Affine
    out: Affine
