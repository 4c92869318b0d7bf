"""`torch.nn.functional`: the stateless forms of the layers.

Every function here is written beside its operation in `rushlight.ops` and marked `functional=True`; this module only
gathers the table, so a function costs no second call on its way to the recorder.
"""

from __future__ import annotations

from rushlight.core.missing import missing
from rushlight.tensor import FUNCTIONAL

globals().update(FUNCTIONAL)

__all__ = sorted(FUNCTIONAL)  # noqa: PLE0605 - the names come from the table

__getattr__ = missing(__name__)
