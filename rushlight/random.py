"""torch.random: seeding the default generator, saving and restoring its state."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from rushlight.core.generator import Generator, default_generator
from rushlight.record.value import Tensor

__all__ = [
    "Generator", "default_generator", "fork_rng", "get_rng_state", "initial_seed", "manual_seed", "seed",
    "set_rng_state", "thread_safe_generator",
]  # fmt: skip


def manual_seed(seed: int) -> Generator:
    """Starts the default stream from `seed`: the numbers that follow are PyTorch's for the same seed.

    >>> _ = torch.manual_seed(0); torch.rand(2)
    tensor([0.4963, 0.7682])
    """
    return default_generator.manual_seed(int(seed))


def seed() -> int:
    """Starts a stream that nobody can foretell; returns its seed."""
    return default_generator.seed()


def initial_seed() -> int:
    """The seed of the default stream."""
    return default_generator.initial_seed()


def get_rng_state() -> Tensor:
    """The state of the default stream, as PyTorch's 5056 bytes."""
    return default_generator.get_state()


def set_rng_state(new_state: Tensor) -> None:
    """Continues the default stream from a state."""
    default_generator.set_state(new_state)


def thread_safe_generator() -> Generator | None:
    """The generator of the loader's worker thread that asks: None, as workers are processes with streams of their own.

    Functions that take `generator=None` draw from the default stream.
    """
    return None


@contextlib.contextmanager
def fork_rng(devices: Any = None, enabled: bool = True, **_: Any) -> Iterator[None]:
    """Puts the default stream back to where it was when the block ends."""
    state = get_rng_state() if enabled else None
    try:
        yield
    finally:
        if state is not None:
            set_rng_state(state)
