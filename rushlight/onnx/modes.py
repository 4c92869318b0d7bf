"""In which mode a model is exported, and whether one is being exported just now."""

from __future__ import annotations

import enum
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rushlight import nn


class TrainingMode(enum.Enum):
    """EVAL: as `model.eval()`; PRESERVE: as it is; TRAINING: as `model.train()`."""

    EVAL = 0
    PRESERVE = 1
    TRAINING = 2


class OperatorExportTypes(enum.Enum):
    """What stands for operations that ONNX does not have; none of these is ever written."""

    ONNX = 0
    ONNX_ATEN = 1
    ONNX_ATEN_FALLBACK = 2
    ONNX_FALLTHROUGH = 3


class _Exporting(threading.local):
    def __init__(self) -> None:
        self.depth = 0


_exporting = _Exporting()


def is_in_onnx_export() -> bool:
    """Whether this thread is recording a model for a file.

    >>> torch.onnx.is_in_onnx_export()
    False
    """
    return _exporting.depth > 0


@contextmanager
def exporting(model: Any, training: Any) -> Iterator[None]:
    """Inside, the model is in the mode that is asked for, and `is_in_onnx_export()` is true."""
    mode = TrainingMode(getattr(training, "value", training))
    modules = list(model.modules()) if isinstance(model, nn.Module) else []
    before = [m.training for m in modules]
    _exporting.depth += 1
    try:
        if mode is not TrainingMode.PRESERVE and modules:
            model.train(mode is TrainingMode.TRAINING)
        yield
    finally:
        _exporting.depth -= 1
        for m, was in zip(modules, before, strict=True):
            m.training = was
