"""Where the program called: warnings point at its line, through however many of our own functions it came."""

from __future__ import annotations

import sys

PACKAGE = __name__.partition(".")[0]


def stacklevel() -> int:
    """What `warnings.warn` needs to name the program's line, called from the function that asks."""
    frame, level = sys._getframe(1), 1
    while frame.f_back is not None and frame.f_globals.get("__name__", "").partition(".")[0] == PACKAGE:
        frame, level = frame.f_back, level + 1
    return level
