"""Rows of `ops.reduction` and `ops.norm`: sums, products, means, variances, norms."""

from __future__ import annotations

import numpy as np

from . import Case

SUMMED = {"int64": "int64", "int32": "int64", "bool": "int64", "complex64": "complex64"}
AVERAGED = {"int64": None, "bool": None, "complex64": "complex64"}
HOLES = np.array([[1.0, np.nan, 2.0], [np.nan, -1.0, 3.0]])
ZEROS = np.array([[0.0, 2.0, 3.0], [0.0, 0.0, 1.0], [4.0, 5.0, 6.0]])


def _norm(ord: float, axis: int | None = None) -> object:
    return lambda x: np.linalg.norm(x.ravel() if axis is None else x, ord, axis)


CASES = [
    Case("sum", None, [(2, 3, 4)], np.sum, dtypes=SUMMED, out=True),
    Case("sum [dim]", None, [(2, 3, 4)], lambda x: x.sum(1), args=(1,), out=True, dtypes=SUMMED),
    Case("sum [dims, keepdim]", None, [(2, 3, 4)], lambda x: x.sum((0, 2), keepdims=True), args=((0, -1), True)),
    Case("sum [empty]", None, [(0, 3)], np.zeros(3), args=(0,)),
    Case("sum [number]", None, [()], lambda x: x),
    Case("sum [bytes]", None, [np.array([250, 10], "uint8")], np.array(260)),
    Case("mean", None, [(2, 3, 4)], np.mean, dtypes=AVERAGED, out=True),
    Case("mean [dim]", None, [(2, 3, 4)], lambda x: x.mean(-1), args=(-1,), dtypes=AVERAGED),
    Case("mean [dims, keepdim]", None, [(2, 3, 4)], lambda x: x.mean((0, 1), keepdims=True), args=((0, 1), True)),
    Case("prod", None, [(2, 3)], np.prod, dtypes=SUMMED, out=True),
    Case("prod [dim]", None, [(2, 3)], lambda x: x.prod(1), args=(1,), dtypes=SUMMED, out=True),
    Case("prod [zeros]", None, [ZEROS], lambda x: x.prod(1, keepdims=True), args=(1, True)),
    Case("prod [one zero]", None, [np.array([3.0, 0.0, 2.0])], np.prod),
    Case("prod [number]", None, [()], lambda x: x, args=(0,)),
    Case("var", None, [(2, 5)], lambda x: x.var(ddof=1), dtypes=AVERAGED | {"complex64": "float32"}),
    Case("var [dim]", None, [(2, 5)], lambda x: x.var(1, ddof=1), args=(1,)),
    Case("var [biased]", None, [(2, 5)], lambda x: x.var(), args=(False,)),
    Case(
        "var [correction]",
        None,
        [(2, 5)],
        lambda x: x.var(1, ddof=2, keepdims=True),
        kwargs={"dim": 1, "correction": 2, "keepdim": True},
    ),
    Case(
        "var [far from 0]",
        lambda t, x: t.var(x + 1e4),
        [(50,)],
        lambda x: x.var(ddof=1),
        rtol=2e-3,
        gradient=False,
        floats=False,
    ),
    Case("var [one number]", None, [(1,)], np.array(np.nan), gradient=False),
    Case("std", None, [(2, 5)], lambda x: x.std(ddof=1), dtypes=AVERAGED | {"complex64": "float32"}),
    Case("std [dim]", None, [(2, 5)], lambda x: x.std(0, ddof=0, keepdims=True), args=(0, False, True)),
    Case("var_mean", None, [(2, 5)], lambda x: (x.var(1, ddof=1), x.mean(1)), args=(1,)),
    Case("std_mean", None, [(2, 5)], lambda x: (x.std(ddof=0), x.mean()), kwargs={"correction": 0}),
    Case(
        "logsumexp",
        None,
        [(2, 3)],
        lambda x: np.log(np.exp(x).sum(1)),
        args=(1,),
        dtypes={"int64": "float32"},
        out=True,
    ),
    Case(
        "logsumexp [large]",
        lambda t, x: t.logsumexp(x + 1000, 0),
        [(4,)],
        lambda x: np.log(np.exp(x).sum()) + 1000,
        floats=False,
    ),
    Case(
        "logsumexp [nothing left]", None, [np.array([-np.inf, -np.inf])], np.array(-np.inf), args=(0,), gradient=False
    ),
    Case("nansum", None, [HOLES], np.nansum, gradient=False, dtypes={"int64": "int64"}),
    Case("nansum [dim]", None, [(2, 3)], lambda x: x.sum(0), args=(0,)),
    Case("nanmean", None, [HOLES], lambda x: np.nanmean(x, 1), args=(1,), gradient=False, dtypes={"int64": None}),
    Case("trace", None, [(3, 4)], np.trace, dtypes={"int64": "int64", "complex64": "complex64"}),
    # norms
    Case("norm", None, [(2, 3)], lambda x: np.linalg.norm(x), dtypes={"int64": None, "complex64": "float32"}, out=True),
    Case("norm [1]", None, [(2, 3)], _norm(1), args=(1,)),
    Case("norm [3, dim]", None, [(2, 3)], _norm(3, 1), args=(3, 1)),
    Case("norm [1.5]", None, [(2, 3)], _norm(1.5), args=(1.5,)),
    Case("norm [half]", None, [(2, 3)], _norm(0.5), args=(0.5,), floats=False),
    Case("norm [0]", None, [np.array([0.0, 2.0, 3.0])], np.array(2.0), args=(0,), gradient=False),
    Case("norm [inf]", None, [(2, 3)], _norm(np.inf), args=(float("inf"),)),
    Case("norm [nuclear]", None, [(2, 3)], lambda x: np.linalg.norm(x, "nuc"), args=("nuc",), floats=False),
    Case("linalg.vector_norm", None, [(2, 3)], _norm(2, 0), kwargs={"dim": 0}, out=True),
    Case("linalg.vector_norm [-inf]", None, [(2, 3)], _norm(-np.inf), args=(-float("inf"),)),
    Case("linalg.vector_norm [complex]", None, [np.array([3 + 4j, 1j])], np.array(26**0.5), floats=False),
    *[
        Case(
            f"linalg.matrix_norm [{ord}]",
            None,
            [(2, 3, 4)],
            (lambda o: lambda x: np.linalg.norm(x, o, (1, 2)))(ord),
            args=(ord,),
            floats=False,
            rtol=1e-4,
        )
        for ord in ("fro", "nuc", 1, -1, 2, -2, np.inf, -np.inf)
    ],
    Case("linalg.norm", None, [(2, 3)], lambda x: np.linalg.norm(x)),
    Case("linalg.norm [1]", None, [(3, 3)], lambda x: np.linalg.norm(x, 1), args=(1,), floats=False),
]
