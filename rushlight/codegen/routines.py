"""Machine code that no program changes: what fills arrays with random numbers, and what the interpreter runs.

`mersenne.py` and `general.py` write it, in groups.  An entry of the cache holds a group's object code and what is in
it, under the versions of all that it is made from.  So in most processes nothing is written, and neither is loaded.
"""

from __future__ import annotations

import functools
import marshal
import re
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from rushlight.core.mersenne import cells_of

from .cache import fingerprint
from .description import VERSION
from .imports import ARRAY, CALLED, FILL, addresses
from .linking import Code, callable_at

if TYPE_CHECKING:
    from .machine import Machine

WORDS = 624  # of the Mersenne Twister's state
FILLINGS = "fillings"  # the group of what fills arrays; the others are `general.py`'s
DEFINED = re.compile(r"^define (?!internal)[^@]*@(\w+)\(", re.MULTILINE)


def kept(group: str, here: Machine) -> Code | None:
    """A group's object code, if it is in the cache."""
    entry = here.kept_code(_key(group, here))
    return None if entry is None else Code(*marshal.loads(entry))


def made(group: str, here: Machine) -> Code:
    """A group's object code, which is in the cache from now on."""
    code = kept(group, here)
    if code is None:
        text = writer(group)(here.vector_bytes)
        imports = (ARRAY,) if ARRAY in text else ()
        code = Code((here.object_code(text),), tuple(DEFINED.findall(text)), imports)
        here.keep_code(_key(group, here), marshal.dumps(tuple(code), VERSION))
    return code


def _key(group: str, here: Machine) -> str:
    return here.key(f"{group} {here.vector_bytes} {fingerprint()}")


def writer(group: str) -> Callable[[int], str]:
    """What writes a group in LLVM's language, for vectors of so many bytes; loaded when it is wanted."""
    if group == FILLINGS:
        from . import mersenne

        return mersenne.text
    from . import general

    general.definitions(group)
    return partial(general.text, group)


def linked(group: str, here: Machine) -> dict[str, int]:
    """Where a group's functions are, by name; none for a processor without fused multiplications and additions."""
    if not here.fuses:
        return {}
    code = made(group, here)
    found = here.link_code(code.objects, code.names, addresses(code.imports))
    return {name: found[name] for name in code.names}


class Fillings:
    """The fillings, linked: as functions of Python, and their addresses for other machine code."""

    def __init__(self, here: Machine) -> None:
        _check_state_layout()
        found = linked(FILLINGS, here)
        self.functions: dict[str, Callable[..., Any]] = {
            name.removeprefix(CALLED): callable_at(name, at) for name, at in found.items() if name.startswith(CALLED)
        }
        self.addresses = {name: at for name, at in found.items() if name.startswith(FILL)}


@functools.cache
def fillings() -> Fillings:
    """The fillings of this process."""
    from .machine import machine

    return Fillings(machine())


def _check_state_layout() -> None:
    """Refuses a NumPy that keeps the Mersenne Twister's state otherwise than these functions read it."""
    from numpy.random import MT19937

    twister = MT19937(0)
    twister.random_raw(5)
    state = twister.state["state"]
    cells = cells_of(twister)
    if cells[WORDS] != state["pos"] or not np.array_equal(cells[:WORDS].view(np.uint32), state["key"]):
        raise NotImplementedError("NumPy keeps the state of its generator in an unknown way")


def general(group: str, here: Machine) -> dict[str, Callable[..., bool]]:
    """A group of what the interpreter runs, as functions of Python by name."""
    return {name: callable_at(name, at) for name, at in linked(group, here).items()}
