"""torch.Stream and torch.Event: queues of work on a device, and marks in them.

There is only the CPU, whose work is done when it is asked for, so every stream is empty and every event has happened.
What PyTorch refuses for the CPU (to record events) is refused here too.
"""

from __future__ import annotations

from typing import Any, NoReturn

from rushlight.core.device import device as _device

__all__ = ["Event", "Stream"]


def _on_cpu(given: Any, kind: str) -> _device:
    if given is None or (isinstance(given, int) and given <= 0):
        return _device("cpu")
    found = _device(given)
    if found.type != "cpu":
        raise RuntimeError(f"{kind} on {found}: there is no such device")
    return found


def _no_events(*_: Any) -> NoReturn:
    raise RuntimeError("cpu backend doesn't support events.")


class Stream:
    """The CPU's queue of work, which is always empty.

    >>> torch.Stream("cpu").query()
    True
    """

    def __init__(self, device: Any = None, *, priority: int = 0) -> None:
        self.device = _on_cpu(device, "torch.Stream")
        self.device_index, self.device_type, self.stream_id = -1, 0, 0

    def query(self) -> bool:
        """Whether all work is done: yes."""
        return True

    def synchronize(self) -> None:
        """Waits for the work: there is none."""

    def wait_stream(self, stream: Any) -> None:
        """Raises RuntimeError, as PyTorch does for the CPU."""
        _no_events()

    wait_event = record_event = _no_events

    def __enter__(self) -> Stream:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing to end."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Stream)

    def __hash__(self) -> int:
        return hash(self.device)

    def __repr__(self) -> str:
        return f"torch.Stream device_type={self.device}, device_index=-1, stream_id=0"


class Event:
    """A mark in the CPU's queue, which has happened."""

    def __init__(
        self, device: Any = None, *, enable_timing: bool = False, blocking: bool = False, interprocess: bool = False
    ) -> None:
        self.device, self.event_id = _on_cpu(device, "torch.Event"), 0

    def query(self) -> bool:
        """Whether it has happened: yes."""
        return True

    def synchronize(self) -> None:
        """Waits for it: it has happened."""

    def wait(self, stream: Any = None) -> None:
        """Has a stream wait for it: it has happened."""

    record = elapsed_time = _no_events

    def __repr__(self) -> str:
        return f"torch.Event device_type={self.device}, device_index=-1, event_flag=0, event_id=0"
