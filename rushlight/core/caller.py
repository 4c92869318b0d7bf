"""Who called: the program's line, at which warnings point, and the function whose argument is wrong.

Both look through the frames of our own functions on the stack, and cost nothing until something is to be said.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from types import FrameType
from typing import Any

PACKAGE = __name__.partition(".")[0]
OPERATIONS = (f"{PACKAGE}.ops.", f"{PACKAGE}.tensor.", f"{PACKAGE}.nn.functional", f"{PACKAGE}.native_functions")


def _module(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__", ""))


def _ours(frame: FrameType) -> Iterator[FrameType]:
    """The frames from this one out to the first that is the program's, without it."""
    at: FrameType | None = frame
    while at is not None and _module(at).partition(".")[0] == PACKAGE:
        yield at
        at = at.f_back


def stacklevel() -> int:
    """What `warnings.warn` needs to name the program's line, called from the function that asks."""
    return 1 + sum(1 for _ in _ours(sys._getframe(1)))


def wrong_argument(given: Any) -> str:
    """What PyTorch says of a thing that was handed to one of its functions in place of a tensor."""
    kind = type(given)
    name = kind.__name__ if kind.__module__ in ("builtins", "__main__") else f"{kind.__module__}.{kind.__name__}"
    for frame in reversed(list(_ours(sys._getframe(1)))):
        code = frame.f_code
        if not _module(frame).startswith(OPERATIONS) or code.co_name.startswith(("_", "<")):
            continue
        for place, argument in enumerate(code.co_varnames[: code.co_argcount]):
            if frame.f_locals.get(argument) is given:
                where = f"argument '{argument}' (position {place + 1})"
                return f"{code.co_name}(): {where} must be Tensor, not {name}"
    return f"expected Tensor, but got {name}"
