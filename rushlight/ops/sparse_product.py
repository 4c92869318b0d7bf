"""A sparse matrix, given by the positions and numbers of its elements, times a dense matrix.

One operation serves both directions: the derivative for the dense matrix is the product with the transposed matrix,
whose rows and columns are exchanged.  The elements may come in any order and be listed several times; for each, a row
of the dense matrix is scaled and added to a row of the result.  Compiled, that is one loop over the elements whose rows
lie in vector registers.
"""

from __future__ import annotations

import numpy as np

from rushlight.record.operation import operation
from rushlight.record.spec import Spec, spec_of
from rushlight.record.trace import apply
from rushlight.record.value import Tensor

from .arithmetic import conj
from .embedding import add_rows
from .matmul import mm
from .scatter import check_inside
from .slices import INDEX_SELECT


def _product_spec(rows: Spec, columns: Spec, values: Spec, x: Spec, *, count: int) -> Spec:
    return spec_of((count, x.shape[1]), x.dtype)


def _product(rows: np.ndarray, columns: np.ndarray, values: np.ndarray, x: np.ndarray, *, count: int) -> np.ndarray:
    check_inside(rows, count, 0)
    check_inside(columns, len(x), 0)
    return add_rows(np.take(x, columns, 0) * values[:, None], rows, count)


SPARSE_PRODUCT = operation("sparse_product", _product_spec, _product, node="MmBackward0")
SPARSE_PRODUCT.lower = lambda rows, columns, values, x, *, count: (
    (x.take(columns, 0, wraps=False) * values[..., None]).added_rows(rows, count)
)


def sparse_product(rows: Tensor, columns: Tensor, values: Tensor, x: Tensor, count: int) -> Tensor:
    """The matrix of `count` rows that has `values` at (rows, columns), times x."""
    return apply(SPARSE_PRODUCT, (rows, columns, values, x), (count,))


def sampled_product(rows: Tensor, columns: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """The elements of x @ y.T at (rows, columns)."""
    left, right = apply(INDEX_SELECT, (x, rows), (0,)), apply(INDEX_SELECT, (y, columns), (0,))
    return (left * right).sum(1)


def _transposed_product(g: Tensor, rows: Tensor, columns: Tensor, values: Tensor, x_spec: Spec) -> Tensor:
    return sparse_product(columns, rows, conj(values), g, x_spec.shape[0])


def _at_places(g: Tensor, rows: Tensor, columns: Tensor, x: Tensor) -> Tensor:
    return sampled_product(rows, columns, g, conj(x))


SPARSE_PRODUCT.gradient(values=_at_places, x=_transposed_product)


SPARSE_FORM_PRODUCT = operation(
    "sparse_form_product",
    lambda rows, columns, values, x, whole, *, count: _product_spec(rows, columns, values, x, count=count),
    lambda rows, columns, values, x, whole, *, count: _product(rows, columns, values, x, count=count),
    node="MmBackward0",
)
SPARSE_FORM_PRODUCT.lower = lambda rows, columns, values, x, whole, *, count: SPARSE_PRODUCT.lower(  # type: ignore[misc]
    rows, columns, values, x, count=count
)
SPARSE_FORM_PRODUCT.gradient(x=_transposed_product, whole=lambda g, x: mm(g, conj(x).t()))


def sparse_form_product(rows: Tensor, columns: Tensor, values: Tensor, x: Tensor, whole: Tensor, count: int) -> Tensor:
    """`sparse_product` of the sparse form of a dense matrix, `whole`, whose zeros have derivatives, too."""
    return apply(SPARSE_FORM_PRODUCT, (rows, columns, values.detach(), x, whole), (count,))  # type: ignore[no-any-return]


# ---------------------------------------------------------------------------------------------------------------------
# Rows listed several times


def _row_totals(values: np.ndarray, places: np.ndarray) -> np.ndarray:
    found, inverse = np.unique(places, return_inverse=True)
    if len(found) == len(places):
        return values
    flat = values.reshape(len(places), -1)
    return add_rows(flat, inverse.reshape(-1), len(found))[inverse.reshape(-1)].reshape(values.shape)


ROW_TOTALS = operation("row_totals", lambda values, places: values, _row_totals, aliases=True)


def row_totals(values: Tensor, places: Tensor) -> Tensor:
    """For each row, the sum of all rows that are listed for the same place."""
    return apply(ROW_TOTALS, (values, places))  # type: ignore[no-any-return]
