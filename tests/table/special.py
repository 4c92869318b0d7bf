"""Rows of `ops.special`: values from closed forms, the standard library's `math`, or identities."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from . import Case

FLOATING = {"int64": "float32", "bool": "float32", "complex64": None}


def _each(f: Callable[..., float]) -> Callable[..., Any]:
    return np.vectorize(f, otypes=["float64"])


def _function(name: str, reference: Any, domain: tuple[float, float] | None = None, **options: Any) -> Case:
    return Case(name, None, [(2, 3)], reference, domain=domain, **({"out": True, "dtypes": FLOATING} | options))


erfc = _each(math.erfc)
normal = _each(lambda x: 0.5 * math.erfc(-x / math.sqrt(2)))


def _bessel(order: int) -> Callable[..., Any]:
    """By the integral of exp(x cos t) cos(order t) over half a circle, which the trapezoidal rule takes exactly."""
    t = np.linspace(0, np.pi, 201)
    w = np.full(201, 1 / 200)
    w[[0, -1]] /= 2
    return lambda x: (w * np.exp(x[..., None] * np.cos(t)) * np.cos(order * t)).sum(-1)


def _hurwitz(s: Any, q: Any) -> Any:
    k = np.arange(20000.0)
    tail = (q + 20000.0 - 0.5) ** (1 - s) / (s - 1)
    return ((q[..., None] + k) ** -s[..., None]).sum(-1) + tail


def _trigamma(x: Any) -> Any:
    return _hurwitz(np.full(x.shape, 2.0), x)


def _legendre(x: Any, n: Any) -> Any:
    return np.array([np.polynomial.legendre.Legendre.basis(int(k))(v) for v, k in zip(x, n, strict=True)])


def _hermite(x: Any, n: Any) -> Any:
    return np.array([np.polynomial.hermite.Hermite.basis(int(k))(v) for v, k in zip(x, n, strict=True)])


DEGREES = np.array([0, 1, 2, 5])
POINTS = np.array([0.3, -0.7, 0.9, 0.2])

CASES = [
    _function("erf", _each(math.erf), inplace=True),
    _function("erfc", erfc, inplace=True, rtol=2e-5),
    Case("erfinv", None, [np.array([-0.9, 0.0, 0.3, 0.999])], None, inplace=True, out=True, rtol=1e-4),
    Case(
        "erfinv [erf]",
        lambda t, x: t.erfinv(t.erf(x)),
        [(5,)],
        lambda x: x,
        domain=(-1.5, 1.5),
        floats=False,
        rtol=1e-4,
    ),
    Case("erfc [far]", None, [np.array([5.0, 9.0])], erfc, floats=False, atol=0, rtol=1e-5),
    _function("special.erfcx", lambda x: np.exp(x * x) * erfc(x)),
    _function("special.ndtr", normal),
    _function("special.log_ndtr", lambda x: np.log(normal(x))),
    Case("special.log_ndtr [far]", None, [np.array([-20.0, -100.0])], np.array([-203.917155, -5005.524209]), rtol=1e-6),
    Case(
        "special.ndtri",
        lambda t, x: t.special.ndtri(t.special.ndtr(x)),
        [(5,)],
        lambda x: x,
        domain=(-2, 2),
        floats=False,
        rtol=1e-4,
    ),
    _function("lgamma", _each(math.lgamma), (0.2, 12), inplace=True),
    Case("lgamma [left]", None, [np.array([-0.5, -1.7, -3.2])], _each(math.lgamma)),
    _function("digamma", None, (0.5, 5), inplace=True),
    Case(
        "digamma [known]",
        None,
        [np.array([1.0, 0.5, 2.0, -0.5])],
        np.array([-0.5772156649, -1.9635100260, 0.4227843351, 0.0364899740]),
        atol=1e-6,
    ),
    Case("polygamma", lambda t, x: t.polygamma(1, x), [(4,)], _trigamma, domain=(0.5, 4), floats=False, rtol=1e-4),
    Case("polygamma [2]", lambda t, x: x.polygamma(2), [np.array([1.0])], np.array([-2.4041138063]), second=False),
    Case(
        "mvlgamma",
        None,
        [(4,)],
        lambda x: 0.5 * math.log(math.pi) + _each(math.lgamma)(x) + _each(math.lgamma)(x - 0.5),
        args=(2,),
        domain=(1, 5),
        inplace=True,
    ),
    Case(
        "special.zeta",
        None,
        [np.array([2.0, 3.0, 2.5]), np.array([1.0, 2.5, 0.3])],
        _hurwitz,
        gradient=False,
        floats=False,
        rtol=1e-4,
    ),
    _function("i0", _bessel(0), inplace=True),
    _function("special.i1", _bessel(1)),
    _function("special.i0e", lambda x: np.exp(-np.abs(x)) * _bessel(0)(x)),
    _function("special.i1e", lambda x: np.exp(-np.abs(x)) * _bessel(1)(x)),
    Case("special.i0e [far]", None, [np.array([50.0])], np.array([0.0565616266])),
    _function("special.entr", lambda x: -x * np.log(x), (0.1, 2)),
    Case("special.entr [edges]", None, [np.array([0.0, -1.0])], np.array([0.0, -np.inf]), gradient=False),
    Case(
        "xlogy",
        None,
        [(3,), (3,)],
        lambda x, y: x * np.log(y),
        domain=(0.5, 2),
        inplace=True,
        out=True,
        dtypes={"int64": "float32"},
    ),
    Case(
        "xlogy [zero]", None, [np.array([0.0, 0.0]), np.array([0.0, np.nan])], np.array([0.0, np.nan]), gradient=False
    ),
    Case("special.xlog1py", None, [(3,), (3,)], lambda x, y: x * np.log1p(y), domain=(0.5, 2), out=True),
    _function("logit", lambda x: np.log(x / (1 - x)), (0.1, 0.9), inplace=True),
    Case(
        "logit [eps]",
        None,
        [np.array([0.01, 0.4, 0.99])],
        lambda x: np.log(np.clip(x, 0.1, 0.9) / (1 - np.clip(x, 0.1, 0.9))),
        args=(0.1,),
    ),
    Case("special.legendre_polynomial_p", None, [POINTS, DEGREES], _legendre, gradient=False),
    Case("special.hermite_polynomial_h", None, [POINTS, DEGREES], _hermite, gradient=False, floats=False),
    Case(
        "special.chebyshev_polynomial_t",
        None,
        [POINTS, DEGREES],
        lambda x, n: np.cos(n * np.arccos(x)),
        gradient=False,
        floats=False,
    ),
    Case("special.spherical_bessel_j0", None, [(4,)], lambda x: np.sin(x) / x, gradient=False),
]
