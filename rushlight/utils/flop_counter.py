"""torch.utils.flop_counter: counting arithmetic as PyTorch's dispatcher sees it, of which there is none here.

Libraries make a counter and enter it only when asked to; `torchinfo.summary` counts multiplications by layer.
"""

from __future__ import annotations

from typing import Any, NoReturn

from rushlight.core.missing import missing

__all__ = ["FlopCounterMode"]


class FlopCounterMode:
    """A counter of floating-point operations, which cannot be entered."""

    absent_from_rushlight = True

    def __init__(self, mods: Any = None, depth: int = 2, display: bool = True, custom_mapping: Any = None) -> None:
        self.depth, self.display = depth, display

    def __enter__(self) -> NoReturn:
        raise NotImplementedError(
            "torch.utils.flop_counter.FlopCounterMode is not in Rushlight; torchinfo.summary(model, input_size) counts "
            "multiplications"
        )

    def __exit__(self, *_: object) -> None:
        """Nothing was entered."""


__getattr__ = missing(__name__)
