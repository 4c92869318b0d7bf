"""Tensor and the public functions: this floor hangs the operations' methods on the handle class.

The order of the imports below is the order in which the tables of `ops.public` fill.
"""

from rushlight.ops import load_all
from rushlight.ops.creation import wrap
from rushlight.ops.public import FUNCTIONAL, FUNCTIONS, METHODS, SPACES
from rushlight.record.memory import assign
from rushlight.record.trace import memoised, realize
from rushlight.record.value import Tensor

load_all()

from . import construct, conversion, display, indexing, numpy_bridge, operators, properties  # noqa: E402, F401


def _attach() -> None:
    for name, f in METHODS.items():
        if name not in Tensor.__dict__:
            setattr(Tensor, name, f)
    Tensor._assign = assign
    Tensor.realized_array = realize


_attach()

__all__ = ["FUNCTIONAL", "FUNCTIONS", "METHODS", "SPACES", "Tensor", "memoised", "realize", "wrap"]
