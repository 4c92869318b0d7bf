"""Rows of `ops.scan`: running sums, products and records, differences, trapezoids."""

from __future__ import annotations

import numpy as np

from . import Case

SUMMED = {"int64": "int64", "int32": "int64", "bool": "int64", "complex64": "complex64"}
ZEROS = np.array([[1.5, 0.0, 2.0, 0.0], [0.0, 3.0, -1.0, 2.0], [1.0, 2.0, 0.5, 3.0]])
TIES = np.array([2, 1, 2, 5, 5, 0])
GAPS = np.array([0.0, 1.0, 1.5, 4.0])


def _logcumsumexp(x: np.ndarray) -> np.ndarray:
    return np.log(np.cumsum(np.exp(x), 1))


CASES = [
    Case("cumsum", None, [(2, 5)], lambda x: np.cumsum(x, 1), args=(1,), dtypes=SUMMED, inplace=True, out=True),
    Case("cumsum [first]", None, [(4, 2)], lambda x: np.cumsum(x, 0), kwargs={"dim": 0}),
    Case("cumsum [number]", None, [()], lambda x: x, args=(0,)),
    Case("cumsum [empty]", None, [(0, 2)], np.zeros((0, 2)), args=(0,)),
    Case("cumprod", None, [(2, 4)], lambda x: np.cumprod(x, 1), args=(-1,), dtypes=SUMMED, inplace=True, out=True),
    Case("cumprod [zeros]", None, [ZEROS], lambda x: np.cumprod(x, 1), args=(1,)),
    Case("cumprod [wide]", None, [(3, 20)], lambda x: np.cumprod(x, 0), args=(0,), domain=(0.5, 1.5)),
    Case("cumprod [complex]", None, [np.array([1 + 2j, 0.5j, -1.0])], np.cumprod, args=(0,), floats=False),
    Case("logcumsumexp", None, [(2, 4)], _logcumsumexp, args=(1,), out=True, dtypes={"int64": None}),
    Case(
        "logcumsumexp [large]",
        lambda t, x: t.logcumsumexp(x + 1000, 1),
        [(2, 4)],
        lambda x: _logcumsumexp(x) + 1000,
        floats=False,
        rtol=1e-4,
    ),
    Case("cummax", None, [(3, 5)], lambda x: (np.maximum.accumulate(x, 1), _last(x, np.maximum)), args=(1,)),
    Case("cummax [ties]", None, [TIES], (np.array([2, 2, 2, 5, 5, 5]), np.array([0, 0, 2, 3, 4, 4])), args=(0,)),
    Case(
        "cummax [nan]",
        None,
        [np.array([1.0, np.nan, 2.0])],
        (np.array([1, np.nan, np.nan]), np.array([0, 1, 1])),
        args=(0,),
        gradient=False,
    ),
    Case(
        "cummin",
        None,
        [(3, 5)],
        lambda x: (np.minimum.accumulate(x, 1), _last(x, np.minimum)),
        args=(1,),
        dtypes={"int64": "int64", "bool": "bool", "complex64": None},
    ),
    Case("diff", None, [(2, 4)], np.diff, dtypes={"int64": "int64", "bool": "bool", "complex64": "complex64"}),
    Case("diff [twice]", None, [(4, 2)], lambda x: np.diff(x, 2, 0), args=(2, 0)),
    Case("diff [more than there are]", None, [(2, 2)], np.zeros((2, 0)), args=(5,)),
    Case(
        "diff [joined]",
        lambda t, x, y, z: t.diff(x, prepend=y, append=z),
        [(2, 3), (2, 1), (2, 2)],
        lambda x, y, z: np.diff(x, prepend=y, append=z),
    ),
    Case("trapezoid", None, [(2, 4)], lambda x: np.trapezoid(x), dtypes={"int64": "float32", "bool": None}),
    Case("trapezoid [dx]", None, [(4, 2)], lambda x: np.trapezoid(x, dx=0.5, axis=0), kwargs={"dx": 0.5, "dim": 0}),
    Case("trapezoid [points]", None, [(2, 4), GAPS], lambda x, p: np.trapezoid(x, p)),
    Case("trapz", None, [(3,)], np.trapezoid),
    Case("cumulative_trapezoid", None, [(2, 4)], lambda x: np.cumsum((x[:, 1:] + x[:, :-1]) / 2, 1)),
    Case(
        "cumulative_trapezoid [points]",
        None,
        [(2, 4), GAPS],
        lambda x, p: np.cumsum((x[:, 1:] + x[:, :-1]) / 2 * np.diff(p), 1),
    ),
]


def _last(x: np.ndarray, ufunc: np.ufunc) -> np.ndarray:
    """Where each record so far was set last."""
    run = ufunc.accumulate(x, 1)
    return np.maximum.accumulate(np.where(x == run, np.arange(x.shape[1]), 0), 1)
