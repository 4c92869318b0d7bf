"""Rows of Bessel functions and orthogonal polynomials, against their integrals, closed forms and series."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from . import Case

ANGLES = (np.arange(4000) + 0.5) * (np.pi / 4000)  # midpoints of half a circle
FAR = (np.arange(20000) + 0.5) * (12.0 / 20000)  # midpoints of [0, 12], behind which the integrands vanish
DEGREES = np.array([0, 1, 2, 5])
POINTS = np.array([0.3, -0.7, 0.9, 0.2])
UNIT = np.array([0.1, 0.45, 0.9, 0.2])  # of polynomials on [0, 1]


def _j(order: int) -> Callable[..., Any]:
    """DLMF 10.9.2."""
    return lambda x: np.cos(order * ANGLES - x[..., None] * np.sin(ANGLES)).mean(-1)


def _y(order: int) -> Callable[..., Any]:
    """DLMF 10.9.7."""

    def value(x: Any) -> Any:
        x = x[..., None]
        near = np.sin(x * np.sin(ANGLES) - order * ANGLES).mean(-1)
        growth = np.exp(order * FAR) + (-1) ** order * np.exp(-order * FAR)
        return near - (growth * np.exp(-x * np.sinh(FAR))).sum(-1) * (FAR[1] - FAR[0]) / np.pi

    return value


def _k(order: float, scaled: bool = False) -> Callable[..., Any]:
    """DLMF 10.32.9."""

    def value(x: Any) -> Any:
        x = x[..., None]
        return (np.exp(x * (scaled - np.cosh(FAR))) * np.cosh(order * FAR)).sum(-1) * (FAR[1] - FAR[0])

    return value


def _i(order: int) -> Callable[..., Any]:
    """DLMF 10.32.3."""
    return lambda x: (np.exp(x[..., None] * np.cos(ANGLES)) * np.cos(order * ANGLES)).mean(-1)


def _airy(x: Any) -> Any:
    """DLMF 9.6.2."""
    return np.sqrt(x / 3) * _k(1 / 3)(2 / 3 * x**1.5) / np.pi


def _of(name: str, reference: Any, domain: tuple[float, float] = (0.5, 4.0)) -> Case:
    return Case(
        f"special.{name}",
        None,
        [(2, 3)],
        reference,
        domain=domain,
        gradient=False,
        floats=False,
        out=True,
        rtol=1e-4,
        dtypes={"int64": "float32", "bool": "float32"},
    )


def _polynomial(name: str, reference: Any, points: np.ndarray = POINTS) -> Case:
    return Case(f"special.{name}", None, [points, DEGREES], reference, gradient=False, floats=False, out=True)


def _basis(family: Any) -> Callable[..., Any]:
    return lambda x, n: np.array([family.basis(int(k))(v) for v, k in zip(x, n, strict=True)])


def _laguerre(x: Any, n: Any) -> Any:
    return _basis(np.polynomial.laguerre.Laguerre)(x, n)


def _angle(x: Any) -> Any:
    return np.arccos(x)


def _second(x: Any, n: Any) -> Any:
    return np.sin((n + 1) * _angle(x)) / np.sin(_angle(x))


def _third(x: Any, n: Any) -> Any:
    return np.cos((n + 0.5) * _angle(x)) / np.cos(_angle(x) / 2)


def _fourth(x: Any, n: Any) -> Any:
    return np.sin((n + 0.5) * _angle(x)) / np.sin(_angle(x) / 2)


def _shifted(f: Callable[..., Any]) -> Callable[..., Any]:
    return lambda x, n: f(2 * x - 1, n)


def _lower(a: Any, x: Any) -> Any:
    """The regularised incomplete gamma function by its series, DLMF 8.11.4."""
    found = np.zeros(np.shape(x))
    for k in range(80):
        found += x**k * np.vectorize(math.gamma)(a) / np.vectorize(math.gamma)(a + k + 1)
    return found * np.exp(-x) * x**a / np.vectorize(math.gamma)(a)


SHAPES = np.array([0.5, 1.0, 2.5, 4.0])
WHERE = np.array([0.2, 1.5, 2.0, 7.0])

CASES = [
    _of("bessel_j0", _j(0)),
    _of("bessel_j1", _j(1)),
    _of("bessel_y0", _y(0)),
    _of("bessel_y1", _y(1)),
    _of("modified_bessel_i0", _i(0)),
    _of("modified_bessel_i1", _i(1)),
    _of("modified_bessel_k0", _k(0)),
    _of("modified_bessel_k1", _k(1)),
    _of("scaled_modified_bessel_k0", _k(0, True)),
    _of("scaled_modified_bessel_k1", _k(1, True)),
    _of("airy_ai", _airy),
    _polynomial("chebyshev_polynomial_u", _second),
    _polynomial("chebyshev_polynomial_v", _third),
    _polynomial("chebyshev_polynomial_w", _fourth),
    _polynomial("shifted_chebyshev_polynomial_t", _shifted(lambda x, n: np.cos(n * _angle(x))), UNIT),
    _polynomial("shifted_chebyshev_polynomial_u", _shifted(_second), UNIT),
    _polynomial("shifted_chebyshev_polynomial_v", _shifted(_third), UNIT),
    _polynomial("shifted_chebyshev_polynomial_w", _shifted(_fourth), UNIT),
    _polynomial("hermite_polynomial_he", _basis(np.polynomial.hermite_e.HermiteE)),
    _polynomial("laguerre_polynomial_l", _laguerre),
    Case("special.gammainc", None, [SHAPES, WHERE], _lower, gradient=False, out=True),
    Case("special.gammaincc", None, [SHAPES, WHERE], lambda a, x: 1 - _lower(a, x), gradient=False, out=True),
    Case("igamma [slope]", lambda t, x: t.igamma(t.ones_like(x) * 2.5, x), [(4,)], domain=(0.5, 4), second=False),
    Case("igammac [slope]", lambda t, x: t.igammac(t.ones_like(x) * 2.5, x), [(4,)], domain=(0.5, 4), second=False),
]
