"""Tensor and the public functions: this floor hangs the operations' methods on the handle class.

The order of the imports below is the order in which the tables of `ops.public` fill.
"""

from rushlight.ops import load_all
from rushlight.ops.creation import wrap
from rushlight.ops.public import FUNCTIONAL, FUNCTIONS, METHODS, SPACES, attach
from rushlight.record.memo import memoised
from rushlight.record.memory import assign
from rushlight.record.trace import realize
from rushlight.record.value import Tensor

load_all()

from . import (  # noqa: E402
    by_element,  # noqa: F401
    construct,  # noqa: F401
    conversion,  # noqa: F401
    display,  # noqa: F401
    exchange,  # noqa: F401
    indexing,  # noqa: F401
    layouts,  # noqa: F401
    legacy,  # noqa: F401
    numpy_bridge,  # noqa: F401
    operators,  # noqa: F401
    properties,  # noqa: F401
    queries,  # noqa: F401
    shared_memory,  # noqa: F401
    storage,  # noqa: F401
    subclasses,  # noqa: F401
)
from .public_types import TYPES  # noqa: E402


def _attach() -> None:
    for name, f in METHODS.items():
        if name not in vars(Tensor):
            setattr(Tensor, name, f)
    attach("_assign", assign)
    attach("realized_array", realize)


_attach()

__all__ = ["FUNCTIONAL", "FUNCTIONS", "METHODS", "SPACES", "TYPES", "Tensor", "memoised", "realize", "wrap"]
