"""torch.autograd.profiler: the old path of torch.profiler."""

from __future__ import annotations

from typing import Any, NoReturn

from rushlight import profiler
from rushlight.core.missing import missing
from rushlight.profiler import EventList, record_function

__all__ = ["emit_itt", "emit_nvtx", "profile", "record_function"]


class profile(profiler.profile):
    """`torch.profiler.profile` with the older arguments: `enabled=False` records nothing."""

    def __init__(self, enabled: bool = True, **_: Any) -> None:
        super().__init__(schedule=None if enabled else lambda step: profiler.ProfilerAction.NONE)

    @property
    def function_events(self) -> EventList:
        """Everything that was timed."""
        return self.events()

    @property
    def self_cpu_time_total(self) -> float:
        """The time in all events together, in microseconds."""
        return self.events().self_cpu_time_total

    def total_average(self) -> profiler.Event:
        """All events together."""
        return self.events().total_average()

    def table(self, *args: Any, **kwargs: Any) -> str:
        """The events as text."""
        return self.events().table(*args, **kwargs)


def _no_tool(name: str) -> Any:
    def refuse(*_: Any, **__: Any) -> NoReturn:
        raise NotImplementedError(f"torch.autograd.profiler.{name}: there is no such tool to talk to on the CPU")

    return refuse


emit_nvtx, emit_itt = _no_tool("emit_nvtx"), _no_tool("emit_itt")

__getattr__ = missing(__name__)
