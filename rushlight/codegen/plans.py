"""Whole programs in the cache: what a program has become, by its description, so that nobody plans it again.

An entry holds the outlines of a program's native functions and the names of the object code that they consist of, which
is kept beside it (`machine.py`).  With all of it at hand a program runs natively some milliseconds after it has been
asked for, and neither the planner nor LLVM nor the compiler's process is needed.
"""

from __future__ import annotations

import hashlib
import marshal
from typing import TYPE_CHECKING, Any, NamedTuple

from .cache import cache_folder, fingerprint, keep, kept
from .description import VERSION
from .linking import Code

if TYPE_CHECKING:
    from .machine import Machine
    from .modules import Modules

class Plan(NamedTuple):
    """What is known of a program: its outline (empty if nothing of it is native), the code, and if that is the best."""

    outline: tuple[Any, ...]
    code: Code
    careful: bool


def key_of(description: bytes, here: Machine) -> str:
    """What a program's entry is called."""
    return here.key(f"{fingerprint()} {hashlib.sha256(description).hexdigest()}")


def remember(key: str, outline: tuple[Any, ...], modules: Modules) -> None:
    """Writes an entry: what these modules are linked to."""
    entry = outline, modules.names, modules.imports, modules.keys
    keep(cache_folder() / f"{key}.plan", marshal.dumps(entry, VERSION))


def any_kept() -> bool:
    """Whether there is any entry."""
    return next(cache_folder().glob("*.plan"), None) is not None


def recall(key: str, here: Machine) -> Plan | None:
    """The entry with its code, the best there is; None if anything is missing."""
    entry = kept(cache_folder() / f"{key}.plan")
    if entry is None:
        return None
    outline, names, imports, keys = marshal.loads(entry)
    objects, careful = [], True
    for best, hasty in keys:
        code = here.kept_code(best)
        if code is None:
            code, careful = here.kept_code(hasty), False
        if code is None:
            return None
        objects.append(code)
    return Plan(outline, Code(tuple(objects), names, imports), careful)
