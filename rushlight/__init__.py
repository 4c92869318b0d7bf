"""Rushlight: PyTorch's API on an engine that records the program and compiles it as a whole.

    import rushlight as torch

Namespaces (`nn`, `optim`, `utils`, `vision`, ...) load when they are first touched.
"""

from rushlight.core import dtype as _dtypes
from rushlight.core.device import device
from rushlight.core.dtype import dtype, finfo, iinfo
from rushlight.core.layout import layout, memory_format
from rushlight.core.size import Size
from rushlight.tensor import FUNCTIONS as _FUNCTIONS
from rushlight.tensor import Tensor

__version__ = "2.13.0"  # the PyTorch version whose behaviour this follows

globals().update(_dtypes.NAMES)
globals().update({name: f for name, f in _FUNCTIONS.items() if name.isidentifier()})
