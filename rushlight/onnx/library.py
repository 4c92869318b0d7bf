"""The `onnx` package, which only the export of a model needs."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import Any


@cache
def onnx() -> Any:
    """The package. Raises ImportError, which says what to install, if it is not there."""
    try:
        return import_module("onnx")
    except ImportError as why:
        raise ImportError("torch.onnx.export needs the package `onnx`: pip install onnx", name="onnx") from why
