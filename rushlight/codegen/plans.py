"""Whole programs in the cache: what a program has become, by its description, so that nobody plans it again.

An entry holds the outlines of a program's native functions and the names of the object code that they consist of, which
is kept beside it (`machine.py`).  With all of it at hand a program runs natively some milliseconds after it has been
asked for, and neither the planner nor the compiler's process is needed.  What is planned depends on this package's own
files, NumPy and Python, so these stand in an entry's name.
"""

from __future__ import annotations

import functools
import hashlib
import marshal
import os
import sys
from pathlib import Path
from typing import Any, NamedTuple

import llvmlite
import numpy as np

from rushlight.version import __version__

from .description import VERSION
from .machine import Machine, cache_folder, keep, kept
from .modules import Code, Modules

PACKAGE = Path(__file__).parent.parent


class Plan(NamedTuple):
    """What is known of a program: its outline (empty if nothing of it is native), the code, and if that is the best."""

    outline: tuple[Any, ...]
    code: Code
    careful: bool


@functools.cache
def fingerprint() -> str:
    """What plans depend on, beside the program and the processor."""
    versions = sys.version, np.__version__, llvmlite.__version__, __version__
    found = hashlib.sha256("\n".join(versions).encode())
    for folder, _, names in sorted(os.walk(PACKAGE)):
        for name in sorted(names):
            if name.endswith(".py"):
                about = os.stat(os.path.join(folder, name))
                found.update(f"{name} {about.st_size} {about.st_mtime_ns}\n".encode())
    return found.hexdigest()


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
