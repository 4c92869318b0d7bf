"""torch.cpu: the one device there is, with the questions and switches that accelerators have."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any

from rushlight.core.missing import missing
from rushlight.streams import Event, Stream

__all__ = [
    "Event", "Stream", "current_device", "current_stream", "device_count", "is_available", "is_initialized",
    "set_device", "stream", "synchronize",
]  # fmt: skip

_stream = Stream()


def is_available() -> bool:
    """True."""
    return True


def is_initialized() -> bool:
    """True."""
    return True


def device_count() -> int:
    """1"""
    return 1


def current_device() -> str:
    """The only one, "cpu"."""
    return "cpu"


def set_device(device: Any) -> None:
    """There is only one."""


def synchronize(device: Any = None) -> None:
    """Waits for the device: work is done when it is looked at."""


def current_stream(device: Any = None) -> Stream:
    """The only stream."""
    return _stream


def stream(stream: Any) -> AbstractContextManager[None]:
    """A context in which work goes into that stream: there is only one."""
    return nullcontext()


__getattr__ = missing(__name__, {"amp": "rushlight.amp.cpu"})
