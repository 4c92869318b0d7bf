"""Rows of `ops.index`, `ops.scatter` and `ops.slices`: reading and writing at positions that tensors give."""

from __future__ import annotations

from typing import Any

import numpy as np

from . import Case

KEPT = {"int64": "int64", "bool": "bool", "complex64": "complex64"}
ADDED = {"int64": "int64", "complex64": "complex64"}
AT = np.array([[0, 2, 2], [1, 0, 1]])  # positions in dimension 1 of a 2 x 3 matrix
ROWS_AT = np.array([2, 0, 2])
ONCE = np.array([2, 0])


def _scattered(x: np.ndarray, index: np.ndarray, src: Any, ufunc: Any = None, own: bool = True) -> np.ndarray:
    """Scatter along dimension 1, one element after the other."""
    found, touched = x.copy(), set()
    for (i, k), j in np.ndenumerate(index):
        value = src if np.ndim(src) == 0 else src[i, k]
        first = not own and (i, j) not in touched
        found[i, j] = value if ufunc is None or first else ufunc(found[i, j], value)
        touched.add((i, j))
    return found


def _averaged(x: np.ndarray, index: np.ndarray, src: np.ndarray) -> np.ndarray:
    count = _scattered(np.ones(x.shape), index, np.ones(src.shape), np.add)
    return _scattered(x, index, src, np.add) / count


def _rows(x: np.ndarray, index: np.ndarray, src: Any, ufunc: Any = None) -> np.ndarray:
    """Writing whole rows, one after the other."""
    found = x.copy()
    for k, i in enumerate(index):
        value = src if np.ndim(src) == 0 else src[k]
        found[i] = value if ufunc is None else ufunc(found[i], value)
    return found


def _added(x: np.ndarray, index: np.ndarray, values: np.ndarray) -> np.ndarray:
    found = x.copy()
    np.add.at(found, index, values)
    return found


def _set(t: Any, x: Any, index: Any, value: Any) -> Any:
    y = x * 1
    y[index] = value
    return y


def _set_in(x: np.ndarray, index: Any, value: Any) -> np.ndarray:
    y = x.copy()
    y[index] = value
    return y


def _reducing(how: str, own: bool) -> Any:
    return lambda t, x, at, y: x.scatter_reduce(1, at, y, how, include_self=own)


def _reduced(ufunc: Any, own: bool) -> Any:
    return lambda x, at, y: _scattered(x, at, y, ufunc, own)


def _reducing_rows(how: str) -> Any:
    return lambda t, x, at, y: x.index_reduce(0, at, y, how)


def _reduced_rows(ufunc: Any) -> Any:
    return lambda x, at, y: _rows(x, at, y, ufunc)


CASES = [
    Case(
        "gather",
        lambda t, x, at: t.gather(x, 1, at),
        [(2, 3), AT],
        lambda x, at: np.take_along_axis(x, at, 1),
        dtypes=KEPT,
        out=lambda t, out, x, at: t.gather(x, 1, at, out=out),
    ),
    Case(
        "gather [part]",
        lambda t, x, at: x.gather(0, at),
        [(3, 4), np.array([[2, 0]])],
        lambda x, at: np.array([[x[2, 0], x[0, 1]]]),
    ),
    Case("gather [number]", lambda t, x, at: x.gather(0, at), [(), np.array(0)], lambda x, at: x),
    Case("take_along_dim", None, [(2, 3), np.array([[2], [0]])], lambda x, at: np.take_along_axis(x, at, 1), args=(1,)),
    Case("take_along_dim [flat]", None, [(2, 3), np.array([5, 3, 0])], lambda x, at: x.ravel()[at]),
    Case("take", None, [(2, 3), np.array([[5, 0], [-6, 5]])], lambda x, at: x.ravel()[at], dtypes=KEPT, out=True),
    Case(
        "scatter",
        lambda t, x, at, y: x.scatter(0, at, y),
        [(3, 2), np.array([[2, 0], [0, 1]]), (2, 2)],
        lambda x, at, y: _scattered(x.T, at.T, y.T).T,
        dtypes={},
        inplace=lambda t, x, at, y: x.scatter_(0, at, y),
    ),
    Case(
        "scatter [number]",
        lambda t, x, at: x.scatter(1, at, 2.5),
        [(2, 3), AT],
        lambda x, at: _scattered(x, at, 2.5),
        dtypes=KEPT,
        inplace=lambda t, x, at: x.scatter_(1, at, 2.5),
    ),
    Case(
        "scatter [add]",
        lambda t, x, at, y: x.scatter(1, at, y, reduce="add"),
        [(2, 3), AT, (2, 3)],
        lambda x, at, y: _scattered(x, at, y, np.add),
        gradient=False,
    ),
    Case(
        "scatter [larger source]",
        lambda t, x, at, y: x.scatter(1, at, y),
        [(3, 3), np.array([[1], [0]]), (4, 2)],
        lambda x, at, y: _scattered(x, at, y),
        pytorch=False,
    ),  # whose derivative has the wrong shape
    Case(
        "scatter_add",
        lambda t, x, at, y: x.scatter_add(1, at, y),
        [(2, 3), AT, (2, 3)],
        lambda x, at, y: _scattered(x, at, y, np.add),
        inplace=lambda t, x, at, y: x.scatter_add_(1, at, y),
        out=lambda t, out, x, at, y: t.scatter_add(x, 1, at, y, out=out),
    ),
    *[
        Case(
            f"scatter_reduce [{how}{'' if own else ', alone'}]",
            _reducing(how, own),
            [(2, 3), AT, (2, 3)],
            _reduced(ufunc, own),
        )
        for how, ufunc in (("sum", np.add), ("prod", np.multiply), ("amax", np.maximum), ("amin", np.minimum))
        for own in (True, False)
    ],
    Case(
        "scatter [multiply]",
        lambda t, x, at, y: t.scatter(x, 1, at, y, reduce="multiply"),
        [(2, 3), AT, (2, 3)],
        lambda x, at, y: _scattered(x, at, y, np.multiply),
        gradient=False,
    ),
    Case(
        "scatter_reduce [mean]", lambda t, x, at, y: x.scatter_reduce(1, at, y, "mean"), [(2, 3), AT, (2, 3)], _averaged
    ),
    Case(
        "scatter_reduce [product with zeros]",
        lambda t, x, at, y: x.scatter_reduce(1, at, y, "prod"),
        [(2, 3), AT, np.array([[2.0, 0.0, 3.0], [0.0, 4.0, 0.0]])],
        lambda x, at, y: _scattered(x, at, y, np.multiply),
        second=False,
    ),
    Case(
        "index_select",
        lambda t, x, at: t.index_select(x, 0, at),
        [(3, 2), ROWS_AT],
        lambda x, at: x[at],
        dtypes=KEPT,
        out=lambda t, out, x, at: t.index_select(x, 0, at, out=out),
    ),
    Case("index_select [dim]", lambda t, x, at: x.index_select(-1, at), [(2, 3), ROWS_AT], lambda x, at: x[:, at]),
    Case("index_select [number]", lambda t, x, at: x.index_select(0, at), [(), np.array([0])], lambda x, at: x),
    Case(
        "index_add",
        lambda t, x, at, y: t.index_add(x, 0, at, y, alpha=2),
        [(3, 2), ROWS_AT, (3, 2)],
        lambda x, at, y: _rows(x, at, 2 * y, np.add),
        inplace=lambda t, x, at, y: x.index_add_(0, at, y, alpha=2),
    ),
    Case(
        "index_add [dim]",
        lambda t, x, at, y: x.index_add(1, at, y),
        [(2, 3), ROWS_AT, (2, 3)],
        lambda x, at, y: _rows(x.T, at, y.T, np.add).T,
    ),
    Case(
        "index_copy",
        lambda t, x, at, y: x.index_copy(0, at, y),
        [(3, 2), ONCE, (2, 2)],
        _rows,
        inplace=lambda t, x, at, y: x.index_copy_(0, at, y),
    ),
    Case(
        "index_fill",
        lambda t, x, at: x.index_fill(0, at, 1.5),
        [(3, 2), np.array([-1, 0])],
        lambda x, at: _rows(x, at, 1.5),
        dtypes=KEPT,
        inplace=lambda t, x, at: x.index_fill_(0, at, 1.5),
    ),
    Case(
        "index_fill [tensor]",
        lambda t, x, at, v: x.index_fill(1, at, v),
        [(2, 3), ROWS_AT, ()],
        lambda x, at, v: _rows(x.T, at, v).T,
    ),
    *[
        Case(
            f"index_reduce [{how}]",
            _reducing_rows(how),
            [(3, 2), ROWS_AT, (3, 2)],
            _reduced_rows(ufunc),
            second=how != "prod",
        )
        for how, ufunc in (("prod", np.multiply), ("amax", np.maximum), ("amin", np.minimum))
    ],
    Case(
        "Tensor.put",
        lambda t, x, at, y: x.put(at, y),
        [(2, 3), np.array([5, 0]), (2,)],
        lambda x, at, y: _set_in(x.ravel(), at, y).reshape(2, 3),
        inplace=lambda t, x, at, y: x.put_(at, y),
    ),
    Case(
        "Tensor.put [accumulate]",
        lambda t, x, at, y: x.put(at, y, accumulate=True),
        [(2, 3), np.array([5, 0, 5]), (3,)],
        lambda x, at, y: _added(x.ravel(), at, y).reshape(2, 3),
    ),
    # x[...]
    Case("getitem [row]", lambda t, x: x[-1], [(3, 4)], lambda x: x[-1], dtypes=KEPT),
    Case("getitem [span]", lambda t, x: x[1:], [(3, 4)], lambda x: x[1:]),
    Case("getitem [column]", lambda t, x: x[:, 1], [(3, 4)], lambda x: x[:, 1]),
    Case("getitem [mixed]", lambda t, x: x[..., None, ::2, 1], [(2, 3, 4)], lambda x: x[..., None, ::2, 1]),
    Case(
        "getitem [positions]",
        lambda t, x, at: x[at],
        [(3, 4), np.array([[2, 0], [-1, 2]])],
        lambda x, at: x[at],
        dtypes=KEPT,
    ),
    Case("getitem [positions, second]", lambda t, x, at: x[:, at], [(2, 3), ROWS_AT], lambda x, at: x[:, at]),
    Case(
        "getitem [pairs]", lambda t, x, i, j: x[i, j], [(3, 4), ROWS_AT, np.array([3, 0, 3])], lambda x, i, j: x[i, j]
    ),
    Case(
        "getitem [apart]",
        lambda t, x, i, j: x[i, :, j],
        [(3, 2, 4), ROWS_AT, np.array([[3], [0]])],
        lambda x, i, j: x[i, :, j],
    ),
    Case(
        "getitem [between]",
        lambda t, x, i, j: x[1:, i, j],
        [(3, 3, 4), ROWS_AT, np.array([3, 0, 3])],
        lambda x, i, j: x[1:, i, j],
    ),
    Case("getitem [mask]", lambda t, x: x[x > 0], [(3, 4)], lambda x: x[x > 0], second=False, floats=False),
    Case("getitem [mask of rows]", lambda t, x, m: x[m], [(3, 4), np.array([True, False, True])], lambda x, m: x[m]),
    Case("getitem [lists]", lambda t, x: x[[2, 0], [1, 1]], [(3, 4)], lambda x: x[[2, 0], [1, 1]]),
    # x[...] = y
    Case("setitem [row]", lambda t, x, y: _set(t, x, 1, y), [(3, 4), (4,)], lambda x, y: _set_in(x, 1, y)),
    Case(
        "setitem [number]",
        lambda t, x: _set(t, x, (slice(None), 1), 2.0),
        [(3, 4)],
        lambda x: _set_in(x, (slice(None), 1), 2.0),
        dtypes=ADDED,
    ),
    Case(
        "setitem [broadcast]",
        lambda t, x, y: _set(t, x, slice(1, None), y),
        [(3, 4), (1, 1)],
        lambda x, y: _set_in(x, slice(1, None), y),
    ),
    Case("setitem [positions]", lambda t, x, at, y: _set(t, x, at, y), [(3, 4), ONCE, (2, 4)], _set_in),
    Case(
        "setitem [mask]",
        lambda t, x, y: _set(t, x, x > 0, 0.0),
        [(3, 4), ()],
        lambda x, y: np.where(x > 0, 0, x),
        second=False,
        floats=False,
    ),
    Case(
        "setitem [mask, tensor]",
        lambda t, x, m, y: _set(t, x, m, y),
        [(3, 4), np.array([True, False, True]), (2, 4)],
        _set_in,
    ),
    Case(
        "index_put",
        lambda t, x, i, j, y: x.index_put((i, j), y),
        [(3, 4), ONCE, np.array([1, 3]), (2,)],
        lambda x, i, j, y: _set_in(x, (i, j), y),
        inplace=lambda t, x, i, j, y: x.index_put_((i, j), y),
    ),
    Case(
        "index_put [accumulate]",
        lambda t, x, i, y: x.index_put((i,), y, accumulate=True),
        [(3, 4), ROWS_AT, (3, 4)],
        _added,
    ),
    Case("nn.functional.one_hot", None, [np.array([2, 0, 1])], np.eye(3)[[2, 0, 1]], args=(3,)),
    Case("fill", None, [(2, 3)], lambda x: np.full_like(x, 2.5), args=(2.5,)),
    Case("fill [tensor]", None, [(2, 3), ()], lambda x, v: np.full_like(x, v)),
    Case("Tensor.fill_ [tensor]", lambda t, x, v: (x * 1).fill_(v), [(2, 3), ()], lambda x, v: np.full_like(x, v)),
    Case("zero", lambda t, x: (x * 1).zero_(), [(2, 3)], np.zeros_like),
    Case("Tensor.bernoulli_ [certain]", lambda t, x: (x * 1).bernoulli_(1.0), [(2, 3)], np.ones_like),
    Case("linspace", lambda t: t.linspace(-1.0, 2.0, 7), [], lambda: np.linspace(-1, 2, 7), gradient=False),
    Case("logspace", lambda t: t.logspace(-1.0, 2.0, 4), [], lambda: np.logspace(-1, 2, 4), gradient=False),
]
