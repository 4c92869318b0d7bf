"""`Generator`: the source of random numbers that programs pass around, and the default one."""

from __future__ import annotations

from typing import Any

from .device import device
from .mersenne import DEFAULT_SEED, MersenneTwister


class Generator:
    """A stream of random numbers of its own (https://pytorch.org/docs/stable/generated/torch.Generator.html).

    >>> torch.rand(1, generator=torch.Generator().manual_seed(5))
    tensor([0.8303])
    """

    asked = 0  # how often any generator's engine was asked for: who draws at once is noticed

    def __init__(self, device: Any = "cpu") -> None:
        self.device = _cpu(device)
        self.unsettled = MersenneTwister(DEFAULT_SEED)  # as `engine`, but what is recorded may not be drawn yet

    @property
    def engine(self) -> MersenneTwister:
        """The engine, with everything drawn that was recorded before."""
        Generator.asked += 1
        recorded = self.unsettled.recorded
        if recorded is not None:
            trace = recorded._value.trace
            if trace is not None and trace is trace.recorder.trace:
                trace.recorder.flush()
        return self.unsettled

    def manual_seed(self, seed: int) -> Generator:
        """Starts the stream of `seed`; returns the generator."""
        self.engine.manual_seed(seed)
        return self

    def seed(self) -> int:
        """Starts a stream that nobody can foretell; returns its seed."""
        return self.engine.seed()

    def initial_seed(self) -> int:
        """The seed that the stream started from."""
        return self.engine.initial_seed()

    def get_state(self) -> Any:
        """The state as PyTorch's 5056 bytes."""
        from rushlight.ops.creation import wrap

        return wrap(self.engine.get_state())

    def set_state(self, new_state: Any) -> None:
        """Continues from a state that `get_state` (of Rushlight or PyTorch) gave."""
        from rushlight.record.trace import realize

        self.engine.set_state(realize(new_state))

    def clone_state(self) -> Generator:
        """Another generator in the same state."""
        other = Generator()
        other.unsettled = self.engine.clone()
        return other

    def __getstate__(self) -> Any:
        return self.engine.get_state()

    def __setstate__(self, state: Any) -> None:
        self.__init__()  # type: ignore[misc]
        self.engine.set_state(state)

    def __repr__(self) -> str:
        return f"<torch._C.Generator object at {id(self):#x}>"


def _cpu(where: Any) -> device:
    found = device(where)
    if found.type != "cpu":
        raise RuntimeError(f"Device type {found.type.upper()} is not supported for torch.Generator() api.")
    return found


default_generator = Generator()


def chosen(generator: Generator | None) -> Generator:
    """The generator to draw from, the default one for None; raises PyTorch's TypeError for what is none."""
    if generator is None:
        return default_generator
    if not isinstance(generator, Generator):
        raise TypeError(f"argument 'generator' must be torch.Generator, not {type(generator).__name__}")
    return generator


def engine_of(generator: Generator | None) -> MersenneTwister:
    """The engine to draw from: the generator's, or the default one's."""
    return chosen(generator).engine
