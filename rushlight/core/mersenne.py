"""The random number engine: the Mersenne Twister as PyTorch's CPU generator runs it.

`MersenneTwister` is the state behind `torch.Generator("cpu")`: 624 words, how many are used up, the 64-bit seed, and
the second half of a pair of normal numbers where one is waiting. It hands out raw draws in bulk as NumPy arrays of
integers; the sampling functions (`uniform.py`, `normal.py`, `random_integers.py`, `rejection.py`, gathered in
`sampling.py`) turn these into numbers of a distribution. NumPy's own MT19937 does the stepping: the recurrence, the
tempering and the seeding are those of Matsumoto and Nishimura (1998), the same in both.

Many numbers at a time are made by machine code, ten times as fast, as soon as there is some (`FILLINGS`): `fill` hands
it NumPy's own state, so draws of both kinds follow one another in one stream.

A generator is not locked: threads that draw from the same one at the same time get different numbers, in any order.
"""

from __future__ import annotations

import operator
import os
import weakref
from collections.abc import Callable
from typing import Any, Final

import numpy as np
import numpy.typing as npt

DEFAULT_SEED: Final = 67280421310721  #: what a new `torch.Generator()` starts from

_WORDS: Final = 624
_LONG: Final = 1.0  # seconds that a fork waits for a draw
_STATE = np.dtype(
    {  # the bytes of `torch.get_rng_state()`
        "names": ["seed", "left", "seeded", "next", "words", "normal_x", "normal", "rho", "has_normal",
                  "normal_float", "has_normal_float"],
        "formats": ["<u8", "<i4", "<i4", "<u8", ("<u8", _WORDS), "<f8", "<f8", "<f8", "<i4", "<f4", "?"],
        "offsets": [0, 8, 12, 16, 24, 5016, 5024, 5032, 5040, 5048, 5052],
        "itemsize": 5056,
    }
)  # fmt: skip

Filling = Callable[..., object]

FILLINGS: Final[dict[str, Filling]] = {}  #: by name: functions of machine code that fill arrays (`codegen/mersenne.py`)
_TRIES: Final = 64  # what a number drawn by rejection costs, in plain ones
_FEW: Final = 48  # so many words NumPy draws as fast
_PAIR_LIMIT: Final = 2048  # up to here two 32-bit draws put together cost less than Generator.integers' set-up
_SHIFT32 = np.array(32, np.uint64)
_DOUBLE_MASK = np.array((1 << 53) - 1, np.uint64)


class Cells(np.ndarray[Any, np.dtype[np.int32]]):
    """An engine's memory as an array: 624 words, and how many of them are used up."""

    engine: MersenneTwister  # which it keeps alive


def cells_of(twister: Any) -> Cells:
    """The memory of NumPy's generator, which it does not keep alive."""
    from ctypes import c_uint32

    place = (c_uint32 * (_WORDS + 1)).from_address(twister.ctypes.state_address)
    return np.frombuffer(memoryview(place).cast("B"), np.int32).view(Cells)


class Demand:
    """How many numbers the process has wanted, and who makes machine code for them when these are many."""

    drawn = 0
    patience = 1 << 14
    compiler: Callable[[], None] | None = None  # asked once

    @classmethod
    def grow(cls, count: int) -> None:
        """Notes that so many more are wanted."""
        cls.drawn += count
        if cls.drawn > cls.patience and cls.compiler is not None:
            ask, cls.compiler = cls.compiler, None
            ask()


def _checked_seed(seed: Any) -> int:
    """`seed` as PyTorch stores it: 64 bits without sign."""
    if isinstance(seed, (bool, np.bool_)) or not hasattr(seed, "__index__"):
        raise RuntimeError(f"manual_seed expected a long, but got {type(seed).__name__}")
    number = operator.index(seed)
    if not -(1 << 63) <= number < 1 << 64:
        raise ValueError(f"Overflow when unpacking long long: a seed is between -2**63 and 2**64 - 1, got {number}")
    return number & 0xFFFF_FFFF_FFFF_FFFF


class MersenneTwister:
    """A stream of random numbers, bit for bit PyTorch's for the same seed on a CPU.

    >>> engine = MersenneTwister(7)
    >>> engine.random(), engine.draw(3).tolist()
    (327741615, [976413892, 3349725721, 1369975286])
    """

    __slots__ = (
        "__weakref__", "next_normal", "next_normal_float", "recorded", "_cells", "_seed", "_twister", "_draw",
        "_integers",
    )  # fmt: skip

    next_normal: float | None  #: the second number of a pair of normals that has not been asked for yet
    next_normal_float: float | None  #: the same in single precision; kept and restored, no CPU function fills it
    recorded: Any  #: what the recorder knows the state by, once it has recorded a draw (`ops/drawing.py`)
    _seed: int
    _twister: Any  # numpy.random.MT19937, made at the first draw because numpy.random is slow to import
    _cells: Cells | None
    _draw: Callable[..., Any]
    _integers: Callable[..., Any]

    def __init__(self, seed: int = DEFAULT_SEED) -> None:
        self._twister = self._cells = self.recorded = None
        self._draw = self._first_draw
        self.manual_seed(seed)

    # ---- seeding

    def manual_seed(self, seed: int) -> MersenneTwister:
        """Start the stream of `seed` and return the generator.

        Only the low 32 bits choose the stream, as in PyTorch. A negative seed counts from 2**64.
        Raises RuntimeError for what is not an int and ValueError outside [-2**63, 2**64).
        """
        self._seed = _checked_seed(seed)
        self.next_normal = None
        self.next_normal_float = None
        if self._twister is not None:
            self._reseed()
        return self

    def initial_seed(self) -> int:
        """The seed that started the stream, between 0 and 2**64 - 1."""
        return self._seed

    def seed(self) -> int:
        """Start from a seed of the operating system's and return it."""
        self.manual_seed(int.from_bytes(os.urandom(8), "little"))
        return self._seed

    def _reseed(self) -> None:
        from numpy.random import RandomState

        RandomState(self._twister).seed(self._seed & 0xFFFF_FFFF)

    def _wake(self) -> None:
        from numpy.random import MT19937, Generator

        self._twister = MT19937(0)
        _awake[id(self)] = self
        self._draw = self._twister.random_raw
        self._integers = Generator(self._twister).integers
        self._reseed()

    def _first_draw(self, *size: int) -> Any:
        self._wake()
        return self._draw(*size)

    # ---- draws

    def random(self) -> int:
        """The next 32 bits."""
        return self._draw()

    def random64(self) -> int:
        """The next 64 bits: two draws of 32, the first on top."""
        return self._draw() << 32 | self._draw()

    def double(self) -> float:
        """The next number in [0, 1) with 53 bits."""
        return ((self._draw() & 0x1F_FFFF) << 32 | self._draw()) * 2.0**-53

    def draw(self, count: int) -> npt.NDArray[np.uint64]:
        """The next `count` draws of 32 bits, in an array of uint64 that belongs to the caller."""
        if count < _FEW:
            return self._draw(count)
        out = np.empty(count, np.uint64)
        return out if self.fill("words", out) else self._draw(count)

    def draw64(self, count: int) -> npt.NDArray[np.uint64]:
        """The next `count` draws of 64 bits, in an array that belongs to the caller."""
        if count >= _FEW:
            out = np.empty(count, np.uint64)
            if self.fill("pairs", out):
                return out
        if count > _PAIR_LIMIT:
            if self._twister is None:
                self._wake()
            return self._integers(0, 1 << 64, count, np.uint64)
        pairs = self._draw(2 * count)
        high = pairs[0::2] << _SHIFT32
        return np.bitwise_or(high, pairs[1::2], high)

    def draw53(self, count: int) -> npt.NDArray[np.int64]:
        """The low 53 bits of each of the next `count` draws of 64: what a double in [0, 1) is made of."""
        bits = self.draw64(count)
        return np.bitwise_and(bits, _DOUBLE_MASK, bits).view(np.int64)

    def doubles(self, count: int) -> npt.NDArray[np.float64]:
        """The next `count` numbers in [0, 1) with 53 bits."""
        out = np.empty(count, np.float64)
        if self.fill("uniform64", out, 0.0, 1.0, 1.0):
            return out
        return np.multiply(self.draw53(count), 2.0**-53, dtype=np.float64)

    def fill(self, name: str, out: npt.NDArray[Any], a: float = 0.0, b: float = 0.0, c: float = 0.0) -> bool:
        """Fills a contiguous array by the filling `name`; False, and nothing is drawn, if there is no machine code.

            words, pairs            draws of 32 or 64 bits (of uint64)
            uniform32, uniform64    numbers in [0, 1) times b, plus a, in one rounding; what is rounded to c becomes a
            chosen32, chosen64      b where a draw of 53 bits is below a, else 0
            chosen8                 whether it is
            normals32               normal numbers times b, plus a, in blocks: 16 of them or more
        """
        filling = FILLINGS.get(name)
        if filling is None:
            Demand.grow(out.size)
            filling = FILLINGS.get(name)
            if filling is None:
                return False
        if out.size:
            cells = self.cells()
            with self._twister.lock:
                filling(cells, out, out.size, a, b, c)
        return True

    def reject(self, name: str, first: npt.NDArray[np.float64], second: npt.NDArray[np.float64],
               extra: npt.NDArray[np.float64]) -> npt.NDArray[np.float64] | None:  # fmt: skip
        """A number for each of the parameters `first` and `second`, by the function `name` of machine code.

        None, and nothing is drawn, if there is no machine code (`codegen/rejection.py`).
        """
        draw = FILLINGS.get(name)
        if draw is None:
            Demand.grow(_TRIES * first.size)
            draw = FILLINGS.get(name)
            if draw is None:
                return None
        out = np.empty(first.shape, np.float64)
        cells = self.cells()
        with self._twister.lock:
            draw(cells, out, out.size, first, second, extra)
        return out

    def cells(self) -> Cells:
        """The memory in which the state is."""
        if self._cells is None:
            if self._twister is None:
                self._wake()
            self._cells = cells_of(self._twister)
            self._cells.engine = self
        return self._cells

    @property
    def lock(self) -> Any:
        """Held while the state changes."""
        return self._twister.lock

    # ---- state

    def _words(self) -> tuple[npt.NDArray[np.uint64], int]:
        """The state's words and how many are used up, as PyTorch counts: 0 after seeding, then 1 to 624."""
        if self._twister is None:
            self._wake()
        inner = self._twister.state["state"]
        words, used = inner["key"].astype(np.uint64), inner["pos"]
        # NumPy's count is 624 both after seeding and at the end of a block; the seed's own words tell which.
        first = self._seed & 0xFFFF_FFFF
        second = (1812433253 * (first ^ first >> 30) + 1) & 0xFFFF_FFFF
        fresh = used == _WORDS and words[0] == first and words[1] == second
        return words, 0 if fresh else used

    def get_state(self) -> npt.NDArray[np.uint8]:
        """The state as the 5056 bytes of `torch.get_rng_state()`; either library can go on from them."""
        record = np.zeros((), _STATE)
        words, used = self._words()
        record["seed"], record["seeded"] = self._seed, 1
        record["words"], record["next"] = words, used
        record["left"] = _WORDS + 1 - used if used else 1
        if self.next_normal is not None:
            record["normal"], record["has_normal"] = self.next_normal, 1
        if self.next_normal_float is not None:
            record["normal_float"], record["has_normal_float"] = self.next_normal_float, True
        return np.frombuffer(record.tobytes(), np.uint8).copy()

    def set_state(self, state: npt.ArrayLike) -> None:
        """Go on from `state`, an array of uint8 that `get_state` or PyTorch made.

        Raises TypeError for an array of another dtype and RuntimeError for one that is not a state; the generator
        then stays as it was.
        """
        given = np.asarray(state)
        if given.dtype != np.uint8:
            raise TypeError(f"RNG state must be a torch.ByteTensor (got {given.dtype})")
        if given.size != _STATE.itemsize:
            raise RuntimeError(f"Expected a CPUGeneratorImplState of size {_STATE.itemsize} "
                               f"but found the input RNG state size to be {given.size}")  # fmt: skip
        record = np.frombuffer(given.tobytes(), _STATE)[0]
        used, left = int(record["next"]), int(record["left"])
        if not record["seeded"] or not (left == 1 if used == 0 else used <= _WORDS and left == _WORDS + 1 - used):
            raise RuntimeError("Invalid mt19937 state")
        self._restore(record, used or _WORDS)

    def _restore(self, record: Any, position: int) -> None:
        if self._twister is None:
            self._wake()
        inner = {"key": record["words"].astype(np.uint32), "pos": position}
        self._twister.state = {"bit_generator": "MT19937", "state": inner}
        self._seed = int(record["seed"])
        self.next_normal = float(record["normal"]) if record["has_normal"] else None
        self.next_normal_float = float(record["normal_float"]) if record["has_normal_float"] else None

    def __getstate__(self) -> npt.NDArray[np.uint8]:
        return self.get_state()

    def __setstate__(self, state: npt.NDArray[np.uint8]) -> None:
        self.__init__()  # type: ignore[misc]
        self.set_state(state)

    def clone(self) -> MersenneTwister:
        """A generator that stands at the same place and goes its own way from there."""
        copy = MersenneTwister(self._seed)
        if self._twister is not None:
            copy._wake()
            copy._twister.state = self._twister.state
        copy.next_normal, copy.next_normal_float = self.next_normal, self.next_normal_float
        return copy


# ---------------------------------------------------------------------------------------------------------------------
# Forks

_awake: weakref.WeakValueDictionary[int, MersenneTwister] = weakref.WeakValueDictionary()  # those that have a state
_held: list[Any] = []  # their locks, while a fork is under way


def _locks() -> list[Any]:
    """The locks of all engines; other threads may be making some meanwhile."""
    return [engine.lock for ref in _awake.valuerefs() if (engine := ref()) is not None]


def _hold() -> None:
    """Before a fork: nobody is in the middle of a draw then, and the child finds every engine free."""
    _held.extend([lock for lock in _locks() if lock.acquire(timeout=_LONG)])


def _release() -> None:
    while _held:
        _held.pop().release()


def _free() -> None:
    """In the child, where nobody draws who drew for too long."""
    _held.clear()
    for lock in _locks():
        lock._at_fork_reinit()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_hold, after_in_parent=_release, after_in_child=_free)
