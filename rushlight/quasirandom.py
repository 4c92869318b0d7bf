"""torch.quasirandom: Sobol' points, which fill a cube more evenly than random ones.

The k-th point is the exclusive or of the direction numbers that the Gray code of k names (Antonov and Saleev 1979), so
points far along are as cheap as the first. SciPy brings the numbers of 21,201 dimensions along, which are Stephen Joe's
and Frances Y. Kuo's ("Constructing Sobol sequences with better two-dimensional projections", SIAM J. Sci. Comput. 30,
2008; https://web.maths.unsw.edu.au/~fkuo/sobol/).
Scrambled points: Owen, "Scrambling Sobol' and Niederreiter-Xing points", 1998.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np

from rushlight.core.dtype import get_default_dtype
from rushlight.core.missing import missing
from rushlight.ops.creation import wrap
from rushlight.random import Generator
from rushlight.tensor import FUNCTIONS, Tensor

__all__ = ["SobolEngine"]

BITS = 30


@cache
def _table() -> tuple[np.ndarray, np.ndarray]:
    """The first direction numbers of each dimension, and its polynomial over two elements, as bits."""
    try:
        path = files("scipy.stats").joinpath("_sobol_direction_numbers.npz")
        with path.open("rb") as file, np.load(file, allow_pickle=False) as found:
            return found["vinit"].astype(np.int64), found["poly"].astype(np.int64)
    except (ImportError, FileNotFoundError) as why:
        raise ImportError(
            "torch.quasirandom.SobolEngine needs the direction numbers that come with SciPy 1.7 or newer: "
            "pip install scipy",
            name="scipy",
        ) from why


def _directions(dimension: int) -> np.ndarray:
    """(dimension, 30): direction numbers, by the recurrence that the polynomial says."""
    numbers, polynomials = (column[:dimension] for column in _table())
    found = np.zeros((dimension, BITS), np.int64)
    found[0] = 1
    degrees = np.frexp(polynomials.astype(float))[1] - 1
    for degree in sorted({int(n) for n in degrees[1:]}):
        rows = np.flatnonzero((degrees == degree) & (np.arange(dimension) > 0))
        made = found[rows]
        made[:, :degree] = numbers[rows, :degree]
        for k in range(degree, BITS):
            made[:, k] = made[:, k - degree]
            for j in range(1, degree + 1):
                taken = (polynomials[rows] >> (degree - j)) & 1
                made[:, k] ^= taken * (made[:, k - j] << j)
        found[rows] = made
    return found << np.arange(BITS - 1, -1, -1)


def _bits(numbers: np.ndarray) -> np.ndarray:
    """The 30 bits of each number in a dimension of their own, the highest first."""
    return (numbers[..., None] >> np.arange(BITS - 1, -1, -1)) & 1


def _numbers(bits: np.ndarray) -> np.ndarray:
    return bits @ (1 << np.arange(BITS - 1, -1, -1))


class SobolEngine:
    """Draws the points of a Sobol' sequence in [0, 1)^dimension, one after another.

    Args:
        dimension: from 1 to 21201.
        scramble: shift the points and mix their digits at random.
        seed: of the scrambling; without one the default generator is used.

    Raises ValueError for a dimension out of range, NotImplementedError for one that has no numbers here.

    >>> torch.quasirandom.SobolEngine(2).draw(3)
    tensor([[0.0000, 0.0000],
            [0.5000, 0.5000],
            [0.7500, 0.2500]])
    """

    MAXBIT, MAXDIM = BITS, 21201

    def __init__(self, dimension: int, scramble: bool = False, seed: int | None = None) -> None:
        if dimension > self.MAXDIM or dimension < 1:
            raise ValueError(f"Supported range of dimensionality for SobolEngine is [1, {self.MAXDIM}]")
        self.dimension, self.scramble, self.seed = dimension, scramble, seed
        state = _directions(dimension)
        shift = np.zeros(dimension, np.int64)
        if scramble:
            shift, state = self._scrambled(state)
        self.sobolstate, self.shift = wrap(state), wrap(shift)
        self.reset()

    def _scrambled(self, state: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """A random shift, and the directions' digits multiplied by random triangular matrices over two elements."""
        generator = None
        if self.seed is not None:
            generator = Generator()
            generator.manual_seed(self.seed)
        draw = FUNCTIONS["randint"]
        shift = draw(2, (self.dimension, BITS), generator=generator).numpy() @ (1 << np.arange(BITS))
        mix = np.tril(draw(2, (self.dimension, BITS, BITS), generator=generator).numpy())
        mix[:, np.arange(BITS), np.arange(BITS)] = 1
        digits = np.einsum("drc,djc->djr", mix, _bits(state)) & 1
        return shift, _numbers(digits)

    def reset(self) -> SobolEngine:
        """Begins again with the first point."""
        self.quasi = self.shift.clone()
        self.num_generated = 0
        return self

    def fast_forward(self, n: int) -> SobolEngine:
        """Skips `n` points."""
        self.quasi = wrap(self._points(self.num_generated + n - 1))
        self.num_generated += n
        return self

    def _points(self, places: Any) -> np.ndarray:
        """The points at these places of the sequence, as whole numbers of 30 bits."""
        gray = np.asarray(places) ^ (np.asarray(places) >> 1)
        found = np.broadcast_to(self.shift.numpy(), (*gray.shape, self.dimension)).copy()
        state = self.sobolstate.numpy()
        for k in range(BITS):
            found ^= ((gray >> k) & 1)[..., None] * state[:, k]
        return found

    def draw(self, n: int = 1, out: Tensor | None = None, dtype: Any = None) -> Tensor:
        """The next `n` points, (n, dimension). Raises RuntimeError for a negative number."""
        if n < 0:
            raise RuntimeError(f"Trying to create tensor with negative dimension {n}: {[n, self.dimension]}")
        kind = get_default_dtype() if dtype is None else dtype
        if self.num_generated + n > 1 << BITS:
            raise ValueError(f"SobolEngine: the sequence has {1 << BITS} points")
        points = self._points(np.arange(self.num_generated, self.num_generated + n))
        if n:
            self.quasi = wrap(points[-1].copy())
        self.num_generated += n
        made: Tensor = wrap(points).to(kind) * 2.0**-BITS
        if out is None:
            return made
        out.resize_(made.shape).copy_(made)
        return out

    def draw_base2(self, m: int, out: Tensor | None = None, dtype: Any = None) -> Tensor:
        """The next 2**m points. Raises ValueError where all drawn so far would not be a power of two."""
        n = 1 << m
        total = self.num_generated + n
        if total & (total - 1):
            raise ValueError(
                "The balance properties of Sobol' points require n to be a power of 2. "
                f"{self.num_generated} points have been previously generated, then: n={self.num_generated}+2**{m}="
                f"{total}. If you still want to do this, please use 'SobolEngine.draw()' instead."
            )
        return self.draw(n, out, dtype)

    def __repr__(self) -> str:
        notes = [f"dimension={self.dimension}"] + (["scramble=True"] if self.scramble else [])
        notes += [f"seed={self.seed}"] if self.seed is not None else []
        return f"{type(self).__name__}({', '.join(notes)})"


__getattr__ = missing(__name__)
