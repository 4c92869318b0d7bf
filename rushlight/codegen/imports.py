"""What machine code calls or reads of ours that is not in its own program."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

RUN = "rushlight_team_run"  # the thread team's function
ARRAY = "rushlight_array_type"  # a cell that holds the address of NumPy's array type
FILL = "rushlight_fill_"  # how the names of fillings begin, which write random numbers into an array
CALLED = "draw_"  # and those of the functions by which Python calls them
_ARRAYS = np.array([id(np.ndarray)], np.int64)


def addresses(names: Collection[str]) -> dict[str, int]:
    """Where these are, which are linked when they are first wanted."""
    found = {ARRAY: _ARRAYS.ctypes.data} if ARRAY in names else {}
    if RUN in names:
        from .team import team

        found[RUN] = team().address
    if any(name.startswith(FILL) for name in names):
        from .routines import fillings

        found |= {name: at for name, at in fillings().addresses.items() if name in names}
    return found


def fill(name: str) -> str:
    """What a filling is called in machine code."""
    return FILL + name
