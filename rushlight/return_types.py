"""torch.return_types: the named tuples that functions with several results give."""

from __future__ import annotations

from typing import Any

from rushlight.core.missing import missing
from rushlight.ops.results import TYPES

_missing = missing(__name__)


def __getattr__(name: str) -> Any:
    found = TYPES.get(name)
    return found if found is not None else _missing(name)


def __dir__() -> list[str]:
    return sorted({*globals(), *TYPES})
