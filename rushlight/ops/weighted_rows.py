"""Sums of weighted rows of a table: for each row of the result, a few rows of the table and how much each counts.

This is how a region of a map is sampled: the map is a table with a row of channels for each place, and a sample lies
between four of them. The derivative adds the weighted rows back to the table. Neither makes the rows that are picked
all at once: they are many times as large as the table and the result.
"""

from __future__ import annotations

import numpy as np

from rushlight.record.operation import operation
from rushlight.record.spec import Spec, spec_of
from rushlight.record.trace import apply
from rushlight.record.value import Tensor

from .scatter import check_inside

CHUNK = 1 << 20  # numbers picked at a time: they stay in the cache


def _sums(table: np.ndarray, index: np.ndarray, weight: np.ndarray) -> np.ndarray:
    check_inside(index, len(table), 0)
    total = np.empty((len(index), table.shape[1]), table.dtype)
    step = max(1, CHUNK // max(1, index.shape[1] * table.shape[1]))
    for start in range(0, len(index), step):
        part = slice(start, start + step)
        total[part] = np.matmul(weight[part, None, :], np.take(table, index[part], 0))[:, 0]
    return total


def _spread(d: np.ndarray, index: np.ndarray, weight: np.ndarray, *, rows: int) -> np.ndarray:
    """The adjoint for the table: each of its rows gets all that it gave, added up at once."""
    total = np.zeros((rows, d.shape[1]), d.dtype)
    flat, taps = index.reshape(-1), index.shape[1]
    counts = np.flatnonzero(weight.reshape(-1))  # samples outside of a map, or none at all, count nothing
    order = counts[np.argsort(flat[counts], kind="stable")]
    found, starts = np.unique(flat[order], return_index=True)
    shares, givers = weight.reshape(-1)[order], order // max(1, taps)
    for row, start, end in zip(found.tolist(), starts.tolist(), [*starts[1:].tolist(), len(order)], strict=True):
        total[row] = shares[start:end] @ d[givers[start:end]]
    return total


WEIGHTED_ROWS = operation(
    "weighted_rows",
    lambda table, index, weight: spec_of((index.shape[0], table.shape[1]), table.dtype),
    _sums,
)
SPREAD_ROWS = operation(
    "weighted_rows_backward",
    lambda d, index, weight, *, rows: spec_of((rows, d.shape[1]), d.dtype),
    _spread,
)
WEIGHTED_ROWS.lower = lambda table, index, weight: (
    (table.take(index, 0, wraps=False) * weight[..., None]).sum(1)
)
SPREAD_ROWS.lower = lambda d, index, weight, *, rows: (d[:, None, :] * weight[..., None]).added_rows(index, rows)


def _spread_of(g: Tensor, index: Tensor, weight: Tensor, table_spec: Spec) -> Tensor:
    return apply(SPREAD_ROWS, (g, index, weight), (table_spec.shape[0],))


WEIGHTED_ROWS.gradient(table=_spread_of)
SPREAD_ROWS.gradient(d=lambda g, index, weight: weighted_rows(g, index, weight))


def weighted_rows(table: Tensor, index: Tensor, weight: Tensor) -> Tensor:
    """The sums (B, C) of rows of a table (R, C), at places (B, T) and with weights (B, T), which have no gradient."""
    return apply(WEIGHTED_ROWS, (table, index, weight.detach()))
