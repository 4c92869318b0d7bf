"""Rows of `ops.selection`, `ops.masking` and `ops.triangle`: choices, bounds, extremes, masks, triangles."""

from __future__ import annotations

import numpy as np

from . import Case

KEPT = {"int64": "int64", "bool": "bool", "complex64": "complex64"}
REAL = {"int64": "int64", "uint8": "uint8"}
TRUTH = {"int64": "bool", "bool": "bool", "uint8": "uint8", "complex64": "bool"}
MASK = np.array([[True, False, True], [False, False, True]])
TIES = np.array([[2.0, 5.0, 5.0], [1.0, 1.0, 0.0]])
ODD = np.array([np.nan, np.inf, -np.inf, 2.0])
ZEROS = np.array([[0.0, 2.0, 0.0], [3.0, 0.0, 0.0]])


def _scattered(x: np.ndarray, mask: np.ndarray, source: np.ndarray) -> np.ndarray:
    found = x.copy()
    found[mask] = source[: mask.sum()]
    return found


def _embedded(x: np.ndarray, offset: int = 0) -> np.ndarray:
    return np.stack([np.diag(row, offset) for row in x])


def _with(x: np.ndarray, index: object, y: np.ndarray) -> np.ndarray:
    found = x.copy()
    found[index] = y  # type: ignore[index]
    return found


CASES = [
    Case("where", None, [MASK, (2, 3), (3,)], np.where, out=True),
    Case("where [number]", lambda t, m, x: t.where(m, x, 0.5), [MASK, (2, 3)], lambda m, x: np.where(m, x, 0.5)),
    Case("where [promotes]", None, [MASK, (2, 3), np.array([1, 2, 3])], np.where),
    Case("where [positions]", lambda t, x: t.where(x), [ZEROS], np.nonzero, gradient=False),
    Case(
        "masked_fill",
        lambda t, x, m: x.masked_fill(m, 2),
        [(2, 3), MASK],
        lambda x, m: np.where(m, 2, x),
        dtypes=KEPT,
        inplace=lambda t, x, m: x.masked_fill_(m, 2),
    ),
    Case(
        "masked_fill [infinite]",
        lambda t, x, m: x.masked_fill(m, -np.inf),
        [(2, 3), MASK],
        lambda x, m: np.where(m, -np.inf, x),
        gradient=False,
    ),
    Case(
        "masked_fill [tensor, broadcast]",
        lambda t, x, m, v: x.masked_fill(m, v),
        [(3,), MASK, ()],
        lambda x, m, v: np.where(m, v, x),
    ),
    Case("masked_select", None, [(2, 3), MASK], lambda x, m: x[m], dtypes=KEPT),
    Case("masked_select [broadcast]", None, [(3,), MASK], lambda x, m: np.broadcast_to(x, (2, 3))[m]),
    Case(
        "masked_scatter",
        lambda t, x, m, y: x.masked_scatter(m, y),
        [(2, 3), MASK, (5,)],
        _scattered,
        inplace=lambda t, x, m, y: x.masked_scatter_(m, y),
    ),
    Case("nonzero", None, [ZEROS], lambda x: np.argwhere(x), gradient=False),
    Case("argwhere", None, [MASK], lambda x: np.argwhere(x)),
    Case("nonzero_static", None, [MASK], np.array([[0, 0], [0, 2], [1, 2], [-1, -1]]), kwargs={"size": 4}),
    Case("isin", None, [np.array([[1, 2], [3, 4]]), np.array([4, 1])], np.array([[True, False], [False, True]])),
    Case("isin [invert]", None, [np.array([1, 2]), np.array([2])], np.array([True, False]), kwargs={"invert": True}),
    Case(
        "nan_to_num",
        None,
        [ODD],
        lambda x: np.nan_to_num(x, posinf=9.0, neginf=-9.0),
        kwargs={"posinf": 9.0, "neginf": -9.0},
        inplace=True,
        out=True,
        gradient=False,
        dtypes={"int64": "int64"},
    ),
    Case(
        "nan_to_num [largest]", None, [ODD], lambda x: np.nan_to_num(x.astype("float32")), gradient=False, floats=False
    ),
    Case(
        "lerp",
        None,
        [(2, 3), (2, 3)],
        lambda x, y: x + 0.3 * (y - x),
        args=(0.3,),
        inplace=True,
        out=True,
        dtypes={"int64": None},
    ),
    Case("lerp [tensor]", None, [(2, 3), (3,), (2, 1)], lambda x, y, w: x + w * (y - x)),
    # bounds
    Case(
        "clamp",
        None,
        [(3, 4)],
        lambda x: np.clip(x, -0.5, 0.7),
        args=(-0.5, 0.7),
        inplace=True,
        out=True,
        second=False,
        dtypes={"int64": "float32"},
    ),
    Case("clamp [one bound]", None, [(3, 4)], lambda x: np.maximum(x, 0.1), kwargs={"min": 0.1}, second=False),
    Case(
        "clamp [tensors]", None, [(3, 4), (4,), (3, 1)], lambda x, a, b: np.minimum(np.maximum(x, a), b), second=False
    ),
    Case("clamp_min", None, [(5,)], lambda x: np.maximum(x, 0.2), args=(0.2,), second=False, inplace=True),
    Case("clamp_max", None, [(5,)], lambda x: np.minimum(x, 0.2), args=(0.2,), second=False, inplace=True),
    *[
        Case(name, None, [(3, 4), (4,)], getattr(np, name), out=True, second=False, dtypes=REAL)
        for name in ("maximum", "minimum", "fmax", "fmin")
    ],
    Case("maximum [nan]", None, [ODD, np.array([1.0, 1.0, 1.0, np.nan])], np.maximum, gradient=False),
    Case("fmax [nan]", None, [ODD, np.array([1.0, 1.0, 1.0, np.nan])], np.fmax, gradient=False),
    # extremes
    Case("max", None, [(3, 4)], np.max, dtypes=REAL | {"bool": "bool", "complex64": None}),
    Case("max [dim]", None, [(3, 4)], lambda x: (x.max(1), x.argmax(1)), args=(1,)),
    Case("max [keepdim]", None, [(3, 4)], lambda x: (x.max(0, keepdims=True), x.argmax(0)[None]), args=(0, True)),
    Case("max [pairs]", None, [(3, 4), (3, 4)], np.maximum),
    Case("max [ties]", None, [TIES], (np.array([5.0, 1.0]), np.array([1, 0])), args=(1,), gradient=False),
    Case("max [nan]", None, [np.array([1.0, np.nan, 3.0])], (np.array(np.nan), np.array(1)), args=(0,), gradient=False),
    Case("min", None, [(3, 4)], np.min, dtypes=REAL),
    Case("min [dim]", None, [(3, 4)], lambda x: (x.min(-1), x.argmin(-1)), args=(-1,)),
    Case("amax", None, [(2, 3, 4)], lambda x: x.max((0, 2)), args=((0, 2),), out=True, dtypes=REAL),
    Case("amin", None, [(3, 4)], lambda x: x.min(1, keepdims=True), args=(1, True), out=True, dtypes=REAL),
    Case("aminmax", None, [(3, 4)], lambda x: (x.min(), x.max()), dtypes=REAL),
    Case(
        "aminmax [dim]",
        None,
        [(3, 4)],
        lambda x: (x.min(1, keepdims=True), x.max(1, keepdims=True)),
        kwargs={"dim": 1, "keepdim": True},
    ),
    Case("argmax", None, [(3, 4)], np.argmax, gradient=False, dtypes={"int64": "int64"}),
    Case("argmax [dim]", None, [(3, 4)], lambda x: x.argmax(0)[None], args=(0, True), gradient=False),
    Case("argmin", None, [(3, 4)], lambda x: x.argmin(1), args=(1,), gradient=False),
    # questions
    Case("all", None, [ZEROS], np.all, gradient=False, dtypes=TRUTH, out=True),
    Case("all [dim]", None, [MASK], lambda x: x.all(0), args=(0,)),
    Case("any", None, [ZEROS], np.any, gradient=False, dtypes=TRUTH, out=True),
    Case("any [dims]", None, [MASK[None]], lambda x: x.any((0, 2), keepdims=True), args=((0, 2), True)),
    Case("any [of nothing]", None, [(0, 2)], np.array([False, False]), args=(0,), gradient=False),
    Case("count_nonzero", None, [ZEROS], np.count_nonzero, gradient=False, dtypes={"int64": "int64", "bool": "int64"}),
    Case("count_nonzero [dim]", None, [ZEROS], np.array([1, 1, 0]), args=(0,), gradient=False),
    Case(
        "isclose",
        None,
        [np.array([1.0, np.nan, np.inf]), np.array([1.0 + 1e-7, np.nan, np.inf])],
        np.array([True, True, True]),
        kwargs={"equal_nan": True},
        gradient=False,
        floats=False,
    ),
    # triangles and diagonals
    Case("tril", None, [(2, 3, 4)], np.tril, dtypes=KEPT, inplace=True, out=True),
    Case("tril [above]", None, [(3, 3)], lambda x: np.tril(x, 1), args=(1,)),
    Case("triu", None, [(3, 4)], np.triu, dtypes=KEPT, inplace=True, out=True),
    Case("triu [below]", None, [(3, 3)], lambda x: np.triu(x, -1), args=(-1,)),
    Case("tril_indices", lambda t: t.tril_indices(3, 2, 0), [], np.stack(np.tril_indices(3, 0, 2))),
    Case("triu_indices", lambda t: t.triu_indices(2, 3, 1), [], np.stack(np.triu_indices(2, 1, 3))),
    Case("diag", None, [(3, 4)], np.diag, dtypes=KEPT, out=True),
    Case("diag [vector]", None, [(3,)], lambda x: np.diag(x, 1), args=(1,)),
    Case("diag_embed", None, [(2, 3)], _embedded, dtypes=KEPT),
    Case("diag_embed [dims]", None, [(2, 3)], lambda x: np.moveaxis(_embedded(x, 1), (1, 2), (2, 0)), args=(1, 2, 0)),
    Case("diagflat", None, [(2, 2)], lambda x: np.diagflat(x, -1), args=(-1,)),
    Case("diagonal_scatter", None, [(3, 4), (3,)], lambda x, y: _with(x, (range(3), range(1, 4)), y), args=(1,)),
    Case("select_scatter", None, [(3, 4), (3,)], lambda x, y: _with(x, (slice(None), 2), y), args=(1, 2)),
    Case(
        "slice_scatter",
        None,
        [(3, 4), (3, 2)],
        lambda x, y: _with(x, (slice(None), slice(0, 4, 2)), y),
        kwargs={"dim": 1, "start": 0, "step": 2},
    ),
    Case(
        "as_strided_scatter",
        None,
        [(3, 3), (3,)],
        lambda x, y: _with(x, (range(3), range(3)), y),
        args=((3,), (4,)),
        pytorch=False,
    ),  # whose derivative keeps the wrong part
    Case(
        "Tensor.fill_diagonal_",
        lambda t, x: (x * 1).fill_diagonal_(2),
        [(3, 3)],
        lambda x: _with(x, (range(3), range(3)), np.array(2.0)),
    ),
]
