"""Rows of `ops.sorting`, `ops.quantile`, `ops.distinct` and `ops.histogram`: order, ranks, frequencies, bins."""

from __future__ import annotations

from typing import Any

import numpy as np

from . import Case

ORDERED = {"int64": "int64", "bool": "bool", "uint8": "uint8", "complex64": None}
TIES = np.array([[2, 1, 2, 0], [3, 3, 1, 3]])
HOLES = np.array([[1.0, np.nan, 3.0, 2.0], [np.nan, np.nan, np.nan, np.nan], [4.0, 1.0, 2.0, 8.0]])
EDGES = np.array([-1.0, 0.0, 0.5, 2.0])
SEVEN = np.array([3.0, -1.0, 7.0, 0.5, 2.0, -4.0, 1.0])


def _sort(x: np.ndarray, axis: int = -1) -> tuple[np.ndarray, np.ndarray]:
    return np.sort(x, axis), np.argsort(x, axis, kind="stable")


def _largest(x: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    at = np.argsort(-x, -1, kind="stable")[..., :k]
    return np.take_along_axis(x, at, -1), at


def _kth(x: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    at = np.argsort(x, -1, kind="stable")[..., k]
    return np.take_along_axis(x, at[..., None], -1)[..., 0], at


def _quantile(way: str) -> Any:
    return lambda x: np.quantile(x, 0.4, method=way)


CASES = [
    Case("sort", None, [(3, 5)], _sort, dtypes=ORDERED),
    Case("sort [dim]", None, [(3, 5)], lambda x: _sort(x, 0), args=(0,)),
    Case("sort [descending]", None, [(3, 5)], lambda x: _largest(x, 5), kwargs={"descending": True}),
    Case(
        "sort [ties keep their order]",
        None,
        [TIES],
        (np.array([[2, 2, 1, 0], [3, 3, 3, 1]]), np.array([[0, 2, 1, 3], [0, 1, 3, 2]])),
        kwargs={"descending": True, "stable": True},
    ),
    Case("sort [nan is last]", None, [HOLES], _sort, gradient=False),
    Case("sort [number]", None, [()], lambda x: (x, np.array(0))),
    Case("sort [empty]", None, [(2, 0)], (np.zeros((2, 0)), np.zeros((2, 0)))),
    Case("argsort", None, [(3, 5)], lambda x: np.argsort(x, 1), kwargs={"dim": 1}, gradient=False),
    Case("msort", None, [(3, 5)], lambda x: np.sort(x, 0), out=True),
    Case(
        "topk",
        None,
        [(3, 5)],
        lambda x: _largest(x, 2),
        args=(2,),
        dtypes={"int64": "int64", "bool": None, "complex64": None},
        out=lambda t, out, x: t.topk(x, 2, out=out),
    ),
    Case("topk [smallest]", None, [(5, 3)], lambda x: tuple(p[:2] for p in _sort(x, 0)), args=(2, 0, False)),
    Case("topk [of many]", None, [(2, 400)], lambda x: _largest(x, 3), args=(3,)),
    Case("topk [none]", None, [(2, 3)], (np.zeros((2, 0)), np.zeros((2, 0))), args=(0,)),
    Case("kthvalue", None, [(3, 5)], lambda x: _kth(x, 1), args=(2,), dtypes={"int64": "int64", "complex64": None}),
    Case("kthvalue [keepdim]", None, [(3, 5)], lambda x: tuple(p[:, None] for p in _kth(x, 4)), args=(5, 1, True)),
    Case("median", None, [(2, 4)], lambda x: np.sort(x, None)[3], dtypes={"int64": "int64", "bool": None}),
    Case("median [dim]", None, [(3, 5)], lambda x: _kth(x, 2), args=(1,)),
    Case(
        "median [nan]", None, [HOLES], (np.array([np.nan, np.nan, 2.0]), np.array([1, 0, 2])), args=(1,), gradient=False
    ),
    Case("nanmedian", None, [HOLES], np.array(2.0), gradient=False),
    Case("nanmedian [dim]", None, [HOLES[::2]], (np.array([2.0, 2.0]), np.array([3, 2])), args=(1,), gradient=False),
    Case("mode", None, [TIES], (np.array([2, 3]), np.array([2, 3])), floats=False),
    Case(
        "mode [dim]",
        None,
        [np.array([[1.0, 2.0], [1.0, 3.0], [4.0, 3.0]])],
        (np.array([1.0, 3.0]), np.array([1, 2])),
        args=(0,),
        gradient=False,
    ),
    # quantiles
    Case("quantile", None, [(3, 5)], lambda x: np.quantile(x, 0.3), args=(0.3,), floats=False, dtypes={"int64": None}),
    Case(
        "quantile [dim]",
        None,
        [(3, 5)],
        lambda x: np.quantile(x, 0.75, 1, keepdims=True),
        args=(0.75, 1, True),
        floats=False,
    ),
    Case(
        "quantile [several]",
        lambda t, x: t.quantile(x, t.tensor([0.0, 0.25, 1.0], dtype=x.dtype), 0),
        [(5, 2)],
        lambda x: np.quantile(x, [0, 0.25, 1], 0),
        floats=False,
    ),
    *[
        Case(
            f"quantile [{way}]", None, [(7,)], _quantile(way), args=(0.4,), floats=False, kwargs={"interpolation": way}
        )
        for way in ("lower", "higher", "midpoint", "nearest")
    ],
    Case("quantile [nan]", None, [HOLES], np.array([np.nan, np.nan, 3.0]), args=(0.5, 1), gradient=False, floats=False),
    Case("nanquantile", None, [HOLES], np.array([2.0, np.nan, 3.0]), args=(0.5, 1), gradient=False, floats=False),
    # frequencies
    Case("unique", None, [TIES], np.unique, dtypes={}, gradient=False),
    Case(
        "unique [all]",
        None,
        [TIES],
        lambda x: np.unique(x, return_inverse=True, return_counts=True),
        kwargs={"return_inverse": True, "return_counts": True},
    ),
    Case(
        "unique [rows]",
        None,
        [np.array([[2, 1], [0, 3], [2, 1]])],
        (np.array([[0, 3], [2, 1]]), np.array([1, 0, 1])),
        kwargs={"dim": 0, "return_inverse": True},
    ),
    Case(
        "unique_consecutive",
        None,
        [np.array([1, 1, 2, 2, 1])],
        (np.array([1, 2, 1]), np.array([0, 0, 1, 1, 2]), np.array([2, 2, 1])),
        kwargs={"return_inverse": True, "return_counts": True},
    ),
    Case(
        "unique_consecutive [rows]",
        None,
        [np.array([[1, 1], [1, 1], [0, 1]])],
        np.array([[1, 1], [0, 1]]),
        kwargs={"dim": 0},
    ),
    Case("bincount", None, [np.array([0, 2, 2, 5])], np.bincount),
    Case(
        "bincount [weights]",
        None,
        [np.array([0, 2, 2]), (3,)],
        lambda x, w: np.bincount(x, w, 4),
        kwargs={"minlength": 4},
        gradient=False,
        floats=False,
    ),
    # bins
    Case("searchsorted", None, [EDGES, (3, 4)], np.searchsorted, gradient=False, floats=False),
    Case(
        "searchsorted [right]",
        None,
        [np.array([1, 2, 2, 3]), np.array([2, 0, 9])],
        np.array([3, 0, 4]),
        kwargs={"right": True},
    ),
    Case(
        "searchsorted [rows]",
        None,
        [np.array([[1, 3, 5], [2, 4, 6]]), np.array([[3, 6], [3, 1]])],
        np.array([[1, 3], [1, 0]]),
    ),
    Case("bucketize", None, [(3, 4), EDGES], lambda x, e: np.searchsorted(e, x), gradient=False, floats=False),
    Case(
        "histc",
        None,
        [SEVEN],
        lambda x: np.histogram(x, 4)[0],
        args=(4,),
        gradient=False,
        floats=False,
        dtypes={"int64": None},
    ),
    Case(
        "histc [range]",
        None,
        [SEVEN],
        lambda x: np.histogram(x, 3, (0, 3))[0],
        args=(3, 0, 3),
        gradient=False,
        floats=False,
    ),
    Case("histogram", None, [SEVEN], lambda x: np.histogram(x, 4), args=(4,), gradient=False, floats=False),
    Case(
        "histogram [edges, density]",
        lambda t, x, e, w: t.histogram(x, e, weight=w, density=True),
        [SEVEN, EDGES, np.arange(7.0)],
        lambda x, e, w: np.histogram(x, e, weights=w, density=True),
        gradient=False,
        floats=False,
    ),
]
