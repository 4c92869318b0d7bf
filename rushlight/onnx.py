"""torch.onnx: Rushlight writes no ONNX files; `export` says so, and the questions programs ask are answered."""

from __future__ import annotations

from typing import Any, NoReturn

from rushlight.core.missing import missing

__all__ = ["export", "is_in_onnx_export"]


def is_in_onnx_export() -> bool:
    """False: nothing is ever being exported."""
    return False


def export(model: Any, *args: Any, **kwargs: Any) -> NoReturn:
    """Raises NotImplementedError."""
    raise NotImplementedError(
        "torch.onnx.export: Rushlight writes no ONNX files; save the state_dict with torch.save, and export it from "
        "PyTorch, where the same program loads it"
    )


export.__dict__["absent_from_rushlight"] = True

__getattr__ = missing(__name__)
