"""What an export raises, beside NotImplementedError for what cannot be exported."""

from __future__ import annotations

__all__ = ["OnnxExporterError", "OnnxExporterWarning", "SymbolicValueError", "UnsupportedOperatorError"]


class OnnxExporterError(RuntimeError):
    """The exported model gives other results than the model itself (`verify=True`)."""


class OnnxExporterWarning(UserWarning):
    """A word of the exporter."""


class UnsupportedOperatorError(OnnxExporterError):
    """For programs that catch it; here NotImplementedError names the operation."""


class SymbolicValueError(OnnxExporterError):
    """For programs that catch it."""
