"""What machine code calls of ours that is not in its own program: the thread team, and what fills arrays with draws."""

from __future__ import annotations

from collections.abc import Collection

RUN = "rushlight_team_run"
FILL = "rushlight_fill_"  # how the names of fillings begin


def addresses(names: Collection[str]) -> dict[str, int]:
    """Where these are, which are linked when they are first wanted."""
    found = {}
    if RUN in names:
        from .team import team

        found[RUN] = team().address
    if any(name.startswith(FILL) for name in names):
        from .fillings import fillings

        found |= {name: at for name, at in fillings().addresses.items() if name in names}
    return found
