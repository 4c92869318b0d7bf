"""torch._dynamo._trace_wrapped_higher_order_op: what flex attention's mask functions are called under."""

from __future__ import annotations

from contextlib import AbstractContextManager

from rushlight.core.missing import missing

__all__ = ["TransformGetItemToIndex"]


class TransformGetItemToIndex(AbstractContextManager[None]):
    """Inside it `table[i]` takes tensors under `vmap` as indices. Here it always does, so nothing changes."""

    def __exit__(self, *_: object) -> None:
        """Nothing was changed."""


__getattr__ = missing(__name__)
