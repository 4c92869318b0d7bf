"""The functions of this process that fill arrays with random numbers: linked here, written by `mersenne.py`."""

from __future__ import annotations

import functools
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from rushlight.core.mersenne import cells_of

from .imports import FILL
from .linking import callable_at

if TYPE_CHECKING:
    from .machine import Machine

NAMES = (
    "words", "pairs", "uniform32", "uniform64", "chosen8", "chosen32", "chosen64", "normal32", "normals32",
    "permutation", "poisson", "gamma", "gamma_single", "binomial", "binomial_single",
)  # fmt: skip
WORDS = 624  # of the Mersenne Twister's state


def symbol(name: str) -> str:
    """What a filling's function is called in machine code."""
    return FILL + name


def called(name: str) -> str:
    """What the function is called with which Python calls it."""
    return f"draw_{name}"


class Fillings:
    """The fillings, linked: as functions of Python, and their addresses for other machine code."""

    def __init__(self, here: Machine) -> None:
        self.functions: dict[str, Callable[..., Any]] = {}
        self.addresses: dict[str, int] = {}
        if not here.fuses:  # a processor without fused multiplications and additions
            return
        _check_state_layout()
        code = here.common_code("fillings", partial(_text, here))
        linked = here.link_code([code], [f(name) for name in NAMES for f in (symbol, called)], {})
        self.functions = {name: callable_at(called(name), linked[called(name)]) for name in NAMES}
        self.addresses = {symbol(name): linked[symbol(name)] for name in NAMES}


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


def _text(here: Machine) -> str:
    from .mersenne import text

    return text(here.vector_bytes)
