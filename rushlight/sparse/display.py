"""`repr` of sparse tensors, as PyTorch prints them: index tensors, values, and what they do not show."""

from __future__ import annotations

from typing import Any

from rushlight.core.dtype import bool_, complex64, complex128, float64, get_default_dtype, int64
from rushlight.record.trace import realize
from rushlight.record.value import Node, Tensor
from rushlight.tensor.printing import format_array, get_printoptions

from .layout import SparseTensor

INDENT = len("tensor(")
#: The names of the index tensors of each layout.
WHERE = {"sparse_coo": ("indices",), "sparse_csr": ("crow_indices", "col_indices"),
         "sparse_csc": ("ccol_indices", "row_indices"), "sparse_bsr": ("crow_indices", "col_indices"),
         "sparse_bsc": ("ccol_indices", "row_indices")}  # fmt: skip


def shown(t: SparseTensor) -> str:
    """The text of `repr(t)`."""
    value = t._value
    named = [*zip(WHERE[t.layout.name], value.where, strict=True), ("values", value.values)]
    text = "tensor(" + (",\n" + " " * INDENT).join(_part(name, part) for name, part in named)
    return _with_notes(text, _notes(t), t.is_sparse)


def _part(name: str, part: Tensor) -> str:
    array = realize(part)
    text = f"{name}=tensor(" + format_array(array, part.dtype, INDENT + len(name) + len("=tensor("))
    return text + (f", size={tuple(array.shape)})" if not array.size else ")")


def _notes(t: SparseTensor) -> list[str]:
    default: Any = get_default_dtype()
    obvious = default, complex128 if default is float64 else complex64, int64, bool_
    notes = [f"size={tuple(t.shape)}", f"nnz={t._nnz()}"]
    notes += [] if t.dtype in obvious else [f"dtype={t.dtype}"]
    notes.append(f"layout={t.layout}")
    if isinstance(t._node, Node):
        from rushlight.autograd.tape import node_name

        notes.append(f"grad_fn=<{node_name(t._node)}>")
    elif t.requires_grad:
        notes.append("requires_grad=True")
    return notes


def _with_notes(text: str, notes: list[str], begins_a_line: bool) -> str:
    width = get_printoptions()["linewidth"]
    used = len(text) - text.rfind("\n") + 1
    for note in notes:
        if begins_a_line or used + len(note) + 2 > width:
            text += ",\n" + " " * INDENT + note
            used = INDENT + len(note)
            begins_a_line = False
        else:
            text += ", " + note
            used += len(note) + 2
    return text + ")"
