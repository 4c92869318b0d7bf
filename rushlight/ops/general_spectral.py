"""Fourier transforms in machine code for any extents: `codegen/general_spectral.py`, which goes by panels of signals.

A transform over several dimensions is one for each.  Signals that are few and long are a matrix each: its columns are
transformed, multiplied by powers of a root of unity, and then its rows (Bailey's four steps,
https://en.wikipedia.org/wiki/Bailey%27s_FFT_algorithm), so that vectors are full and a panel stays in the cache.

Lengths with factors other than 2, 3 and 5 are left to NumPy, and so are few real signals.
"""

from __future__ import annotations

import functools
import math
from typing import Any, NamedTuple

import numpy as np

from .general import Kernel, Native, runs
from .spectral import NONE, ROOT

FACTORS = (4, 2, 3, 5)
LONGEST = 4096  # points of a panel's signals, which with their transforms are to be in the second cache
LONGEST_REAL = 8192  # likewise, where NumPy is the other choice
FEW = 4  # signals, fewer of which do not fill a panel
SHORT = 64  # points, fewer of which are no matrix worth while
LANES = 16  # numbers in a vector at most
LINE = 64  # bytes
REALS: dict[Any, Any] = {np.dtype(np.complex64): np.dtype(np.float32), np.dtype(np.complex128): np.dtype(np.float64)}
COMPLEX = {real: kind for kind, real in REALS.items()}


class Plan(NamedTuple):
    """What a transform of so many points reads.

    Attributes:
        powers: of the roots of unity, for each factor.
        steps: for each factor itself, the product of those behind it, of those before it, and where its powers are.
        half: numbers in one half of the memory that a panel takes.
    """

    powers: np.ndarray
    steps: np.ndarray
    half: int

    def work(self) -> np.ndarray:
        """Memory for a panel, from the beginning of a cache line on."""
        size = 2 * self.half
        raw = np.empty(size + LINE // self.powers.itemsize, self.powers.dtype)
        start = -raw.__array_interface__["data"][0] % LINE // raw.itemsize
        return raw[start : start + size]


def _factors(n: int) -> list[int] | None:
    found = []
    for factor in FACTORS:
        while n % factor == 0:
            found.append(factor)
            n //= factor
    return found if n == 1 else None


def _powers(shares: np.ndarray, kind: np.dtype) -> np.ndarray:
    """exp(-2 pi i share), the parts beside one another."""
    return np.exp(-2j * np.pi * shares).astype(COMPLEX[kind]).reshape(-1).view(kind)


@functools.lru_cache(64)
def plan(n: int, kind: np.dtype) -> Plan | None:
    """The plan for n points of a float type; None if n has other factors."""
    factors = _factors(n)
    if factors is None:
        return None
    powers: list[np.ndarray] = []
    steps: list[tuple[int, ...]] = []
    behind, before, begin = n, 1, 0
    for r in factors:
        behind //= r
        shares = np.multiply.outer(np.arange(behind), np.arange(1, r)) % (r * behind) / (r * behind)
        steps.append((r, behind, before, begin))
        powers.append(_powers(shares, kind))
        begin += powers[-1].size
        before *= r
    joined = np.concatenate([*powers, np.zeros(2, kind)])
    return Plan(joined, np.array(steps, np.int64).reshape(-1), (n + 2 + LANES) * 2 * LANES)


class Square(NamedTuple):
    """A long signal as a matrix: plans for its columns and its rows, and what is multiplied between them."""

    columns: Plan
    rows: Plan
    shape: tuple[int, int]
    weights: np.ndarray


@functools.lru_cache(16)
def square(n: int, kind: np.dtype) -> Square | None:
    """The matrix that n points make, nearly square; None if n has other factors, or a large one."""
    if _factors(n) is None:
        return None
    rows = max(k for k in range(1, math.isqrt(n) + 1) if n % k == 0)
    first, second = plan(rows, kind), plan(n // rows, kind)
    if first is None or second is None or n // rows > LONGEST:
        return None
    shares = np.multiply.outer(np.arange(rows), np.arange(n // rows)) % n / n
    weights = np.exp(-2j * np.pi * shares)
    return Square(first, second, (rows, n // rows), np.concatenate([weights.real, weights.imag]).astype(kind))


class Transforms:
    """The functions for one float type."""

    def __init__(self, kind: Any, columns: Native, rows: Native) -> None:
        self.kind = np.dtype(kind)
        self.columns, self.rows = columns, rows

    def along(self, x: np.ndarray, out: np.ndarray, shape: tuple[int, ...], dim: int, swap: bool, scale: float) -> bool:
        """Complex numbers, seen as pairs, transformed along a dimension; `out` may be `x`.  False: nothing was done."""
        n, before, behind = shape[dim], math.prod(shape[:dim]), math.prod(shape[dim + 1 :])
        if behind == 1 and (n > LONGEST or before < FEW and n >= SHORT):
            return self._as_matrices(x.reshape(before, 2 * n), out.reshape(before, 2 * n), n, swap, scale)
        known = plan(n, self.kind) if n <= LONGEST else None
        if known is None:
            return False
        given = known.work(), known.powers
        sizes = known.half, known.steps.size // 4
        if behind == 1:
            return self.rows(x, out, *given, known.steps, *sizes, before, n, swap, False, scale)
        return self.columns(x, out, *given, x, known.steps, *sizes, before, n, behind, swap, False, scale)

    def _as_matrices(self, x: np.ndarray, out: np.ndarray, n: int, swap: bool, scale: float) -> bool:
        known = square(n, self.kind)
        if known is None:
            return False
        (first, second), between = known[:2], np.empty_like(x[0])
        works = first.work(), second.work()
        sizes = [(p.half, p.steps.size // 4) for p in (first, second)]
        height, width = known.shape
        for row, target in zip(x, out):
            done = self.columns(row, between, works[0], first.powers, known.weights, first.steps, *sizes[0], 1, height,
                                width, swap, True, 1.0)  # fmt: skip
            if not done:
                return False
            self.rows(between, target, works[1], second.powers, second.steps, *sizes[1], height, width, swap, True,
                      scale)  # fmt: skip
        return True


def _factor(scale: str, count: int) -> float:
    return 1.0 if scale == NONE else 1.0 / math.sqrt(count) if scale == ROOT else 1.0 / count


def _pairs(x: np.ndarray) -> np.ndarray:
    """Complex numbers as the pairs of floats that they are."""
    return x.reshape(-1).view(REALS[x.dtype])


def _is_whole(x: np.ndarray) -> bool:
    return bool(x.size and x.flags.c_contiguous)


@runs("fft_c2c", function=("fourier_columns", "fourier_rows"))
def _c2c(kernel: Kernel, *functions: Native) -> Kernel:
    known = {kind: Transforms(REALS[kind], *functions[k::2]) for k, kind in enumerate(REALS)}

    def run(x: Any, *, dims: Any, scale: Any, forward: bool) -> Any:
        transforms = known.get(x.dtype)
        if transforms is not None and _is_whole(x):
            out, factor = np.empty(x.shape, x.dtype), _factor(scale, math.prod(x.shape[d] for d in dims))
            source, target = _pairs(x), _pairs(out)
            for k, d in enumerate(reversed(dims)):
                if not transforms.along(source, target, x.shape, d, not forward, 1.0 if k else factor):
                    break
                source = target
            else:
                return out
        return kernel(x, dims=dims, scale=scale, forward=forward)

    return run


class HalfTransforms(Transforms):
    """Those between real rows and their spectra up to the middle."""

    def __init__(self, kind: Any, functions: tuple[Native, ...]) -> None:
        super().__init__(kind, *functions[:2])
        self.halves = functions[2]

    def plan(self, n: int, x: np.ndarray, dims: Any) -> Plan | None:
        """How n real points are transformed along the last of some dimensions; None if that is not done here."""
        fits = dims[-1] == x.ndim - 1 and n <= LONGEST_REAL and _is_whole(x) and x.size // x.shape[-1] >= 2 * FEW
        return plan(n, self.kind) if fits else None

    def rows_of(self, way: Plan, n: int, x: np.ndarray, out: np.ndarray, scale: float) -> bool:
        """Transforms all rows, forwards or back, as the function does."""
        sizes = way.half, way.steps.size // 4, x.size // x.shape[-1], n
        given, made = (a if a.dtype == self.kind else _pairs(a) for a in (x, out))
        return self.halves(given, made, way.work(), way.powers, way.steps, *sizes, scale)

    def all_along(self, x: np.ndarray, out: np.ndarray, dims: Any, swap: bool) -> bool:
        """Complex transforms along some dimensions, without a scale."""
        source, target = _pairs(x), _pairs(out)
        for d in dims:
            if not self.along(source, target, x.shape, d, swap, 1.0):
                return False
            source = target
        return True


@runs("fft_r2c", function=("fourier_columns", "fourier_rows", "fourier_real_rows"))
def _r2c(kernel: Kernel, *functions: Native) -> Kernel:
    known = {kind: HalfTransforms(kind, functions[k::2]) for k, kind in enumerate(COMPLEX)}

    def run(x: Any, *, dims: Any, scale: Any) -> Any:
        transforms, n = known.get(x.dtype), x.shape[dims[-1]]
        way = transforms.plan(n, x, dims) if transforms is not None else None
        if transforms is not None and way is not None:
            out = np.empty((*x.shape[:-1], n // 2 + 1), COMPLEX[x.dtype])
            factor = _factor(scale, math.prod(x.shape[d] for d in dims))
            if transforms.rows_of(way, n, x, out, factor) and transforms.all_along(out, out, dims[-2::-1], False):
                return out
        return kernel(x, dims=dims, scale=scale)

    return run


@runs("fft_c2r", function=("fourier_columns", "fourier_rows", "fourier_half_rows"))
def _c2r(kernel: Kernel, *functions: Native) -> Kernel:
    known = {kind: HalfTransforms(REALS[kind], functions[k::2]) for k, kind in enumerate(REALS)}

    def run(x: Any, *, dims: Any, scale: Any, size: int) -> Any:
        transforms = known.get(x.dtype)
        way = transforms.plan(size, x, dims) if transforms is not None else None
        if transforms is not None and way is not None and x.shape[-1] == size // 2 + 1:
            factor = _factor(scale, size * math.prod(x.shape[d] for d in dims[:-1]))
            spectra = np.empty_like(x) if len(dims) > 1 else x
            out = np.empty((*x.shape[:-1], size), transforms.kind)
            if transforms.all_along(x, spectra, dims[:-1], True) and transforms.rows_of(
                way, size, spectra, out, factor
            ):
                return out
        return kernel(x, dims=dims, scale=scale, size=size)

    return run
