"""torch._tensor_str: how tensors are printed, for libraries that print tensor-like things of their own."""

from __future__ import annotations

from typing import Any

from rushlight.core.missing import missing
from rushlight.record.trace import realize
from rushlight.tensor import Tensor, printing
from rushlight.tensor.printing import printoptions, set_printoptions

__all__ = ["printoptions", "set_printoptions"]


def _tensor_str(self: Tensor, indent: int) -> str:
    """The numbers in their brackets, later lines indented by `indent`."""
    return printing.format_array(realize(self), self.dtype, indent)


def _add_suffixes(tensor_str: str, suffixes: list[str], indent: int, force_newline: bool) -> str:
    """The text with notes (dtype, shape) and a closing bracket behind it, on a line of their own where too long."""
    if force_newline and suffixes:
        tensor_str, suffixes = f"{tensor_str},\n{' ' * indent}{suffixes[0]}", suffixes[1:]
    return printing._append_notes(tensor_str, suffixes, indent)


def __getattr__(name: str) -> Any:
    return printing._options if name == "PRINT_OPTS" else _absent(name)


_absent = missing(__name__)
