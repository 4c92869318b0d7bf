"""What optimizers do with a sparse gradient: they read and write the rows of a parameter that it lists.

Shapes depend on how many rows are listed, never on how many of them differ, so the steps of a loop over batches are one
program: rows listed several times all get the total of their gradients (`ops.sparse_product.row_totals`), and writing
the same new row several times does no harm.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from rushlight.ops.sparse_product import row_totals
from rushlight.optim.update import Number, Rule, replace
from rushlight.tensor import Tensor

__all__ = ["is_sparse", "step_rows"]


def is_sparse(grad: Tensor) -> bool:
    """Whether a gradient is sparse; quick for those that are not."""
    return grad.__class__ is not Tensor and bool(grad.is_sparse)


def step_rows(rule: Rule, param: Tensor, grad: Any, state: tuple[Tensor, ...], numbers: tuple[Number, ...]) -> None:
    """Gives the listed rows of a parameter and of its state what the rule makes of them."""
    if not grad._nnz():
        return
    targets = (param, *state)
    tensors = [*targets, grad.places(), grad._value.values.detach()]
    replace(targets, ("rows", rule), tensors, numbers, partial(_new_rows, rule))


def _new_rows(rule: Rule, tensors: list[Tensor], numbers: list[Number]) -> list[Tensor | None]:
    *targets, places, values = tensors
    shape = values.shape[1:]
    tables = [t.reshape(-1, *shape) for t in targets]
    rows = [t.index_select(0, places) for t in tables]
    news = rule(rows[0], row_totals(values, places), tuple(rows[1:]), *numbers)
    return [t.index_copy(0, places, new).reshape(whole.shape) for t, new, whole in zip(tables, news, targets)]
