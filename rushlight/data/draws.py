"""The random draws of the loaders, one function each.

PyTorch's loaders draw from the generators in a fixed order: one 63-bit number when an iterator starts (the seed of its
workers), one when a random sampler starts (the seed of a generator of its own), then the permutation. A seeded program
sees the same batches in both libraries because every draw of this package goes through here, in that order. Numbers
come back as Python integers or NumPy arrays: the samplers and the gathering of batches work on those.
"""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING, Any, cast

import numpy as np

import rushlight
from rushlight.core import sampling
from rushlight.core.generator import Generator, engine_of
from rushlight.core.mersenne import MersenneTwister

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rushlight import Tensor

Indices = np.ndarray[Any, np.dtype[np.int64]]

_own_engine = MersenneTwister()
_own_engine_lock = Lock()


def seed(generator: Generator | None = None) -> int:
    """A number from 0 to 2**63 - 1, as ``torch.empty((), dtype=torch.int64).random_(generator=generator)`` draws it."""
    return engine_of(generator).random64() & (1 << 63) - 1


def fresh_generator(seed: int) -> Generator:
    """A new generator, seeded."""
    return Generator().manual_seed(seed)


def permutation(count: int, generator: Generator | None = None) -> Indices:
    """The numbers 0 to ``count - 1`` in the order of ``torch.randperm``."""
    return sampling.randperm(engine_of(generator), count)


def seeded_permutation(count: int, seed: int) -> Indices:
    """The permutation of a fresh generator; seeding an old engine is much faster than making a new one."""
    with _own_engine_lock:
        return sampling.randperm(_own_engine.manual_seed(seed), count)


def integers(high: int, count: int, generator: Generator | None = None) -> Indices:
    """``count`` numbers from 0 to ``high - 1``, as ``torch.randint`` draws them."""
    drawn = rushlight.randint(high=high, size=(count,), dtype=rushlight.int64, generator=generator)
    return cast(Indices, drawn.realized_array())


def weighted(weights: Tensor, count: int, replacement: bool, generator: Generator | None = None) -> Indices:
    """``count`` positions of ``weights``, as ``torch.multinomial`` draws them."""
    return cast(Indices, rushlight.multinomial(weights, count, replacement, generator=generator).realized_array())


def weights_tensor(weights: Sequence[float] | Tensor) -> Tensor:
    """The weights as a tensor of doubles."""
    return rushlight.as_tensor(weights, dtype=rushlight.double)
