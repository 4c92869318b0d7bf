"""Rows of `ops.statistics` and `ops.window`."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np

from . import Case


def _windows(t: Any) -> Any:
    return importlib.import_module(f"{t.__name__}.signal.windows")


CASES = [
    Case("cov", None, [(3, 5)], np.cov, dtypes={"int64": "float32", "bool": None}),
    Case("cov [vector]", None, [(5,)], np.cov),
    Case(
        "cov [weights]",
        lambda t, x, f, a: t.cov(x, correction=0, fweights=f, aweights=a),
        [(3, 4), np.array([1, 2, 3, 1]), np.array([0.5, 1, 2, 1])],
        lambda x, f, a: np.cov(x, ddof=0, fweights=f, aweights=a),
        floats=False,
        gradient=False,
    ),
    Case(
        "cov [aweights]",
        lambda t, x, a: t.cov(x, aweights=a),
        [(3, 4), np.array([0.5, 1, 2, 1])],
        lambda x, a: np.cov(x, aweights=a),
        floats=False,
        gradient=False,
    ),
    Case("corrcoef", None, [(3, 5)], np.corrcoef, floats=False),
    Case("dist", None, [(2, 3), (3,)], lambda x, y: np.linalg.norm(x - y)),
    Case("dist [1]", None, [(2, 3), (2, 3)], lambda x, y: np.abs(x - y).sum(), args=(1,)),
    Case(
        "renorm",
        None,
        [np.array([[3.0, 4.0], [0.3, 0.4]])],
        np.array([[0.6, 0.8], [0.3, 0.4]]),
        args=(2, 0, 1.0),
        inplace=True,
        out=True,
    ),
    *[
        Case(f"{name}_window", lambda t, n=name: getattr(t, f"{n}_window")(7, periodic=False), [], reference, atol=1e-6)
        for name, reference in (
            ("hann", np.hanning(7)),
            ("hamming", np.hamming(7)),
            ("blackman", np.blackman(7)),
            ("bartlett", np.bartlett(7)),
            ("kaiser", np.kaiser(7, 12.0)),
        )
    ],
    Case("hann_window [periodic]", lambda t: t.hann_window(6), [], np.hanning(7)[:-1], atol=1e-6),
    Case("hann_window [one point]", lambda t: t.hann_window(1), [], np.ones(1)),
    *[
        Case(f"signal.windows.{name}", lambda t, n=name: getattr(_windows(t), n)(7), [], reference, atol=1e-6)
        for name, reference in (
            ("hann", np.hanning(7)),
            ("bartlett", np.bartlett(7)),
            ("gaussian", np.exp(-0.5 * np.arange(-3.0, 4) ** 2)),
            ("exponential", np.exp(-np.abs(np.arange(-3.0, 4)))),
            ("cosine", np.sin(np.pi * (np.arange(7) + 0.5) / 7)),
        )
    ],
    Case("signal.windows.nuttall", lambda t: _windows(t).nuttall(5, sym=False), []),
]
