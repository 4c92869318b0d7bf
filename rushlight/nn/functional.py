"""`torch.nn.functional`: the stateless forms of the layers.

Every function here is written beside its operation in `rushlight.ops` and marked `functional=True`; this module only
gathers the table, so a function costs no second call on its way to the recorder. Rare ones have modules of their own.
"""

from __future__ import annotations

from rushlight.core.missing import missing
from rushlight.tensor import FUNCTIONAL

globals().update(FUNCTIONAL)

__all__ = sorted(FUNCTIONAL)  # noqa: PLE0605 - the names come from the table

GRID_SAMPLE_INTERPOLATION_MODES = {"bilinear": 0, "nearest": 1, "bicubic": 2}
GRID_SAMPLE_PADDING_MODES = {"zeros": 0, "border": 1, "reflection": 2}

_SCRIPTING = "BroadcastingList1 BroadcastingList2 BroadcastingList3 assert_int_or_pair boolean_dispatch".split()
_OVERRIDING = """
    handle_torch_function has_torch_function has_torch_function_unary has_torch_function_variadic
""".split()

__getattr__ = missing(
    __name__,
    {name: f"rushlight._jit_internal:{name}" for name in _SCRIPTING}
    | {name: f"rushlight.overrides:{name}" for name in _OVERRIDING}
    | {
        "Tensor": "rushlight.tensor:Tensor",
        "grouped_mm": "rushlight.nn.grouped_mm:grouped_mm",
        "linear_cross_entropy": "rushlight.nn.linear_cross_entropy:linear_cross_entropy",
    },
)
