"""Rows of `ops.elementary` and `ops.complex`: functions of each element."""

from __future__ import annotations

import numpy as np

from . import Case

FLOATING = {"int64": "float32", "bool": "float32", "complex64": "complex64"}
ROUNDED = {"int64": "int64", "int32": "int32", "complex64": None}
COMPLEX = np.array([1 + 2j, -0.5 + 0.3j, 2 - 1j])


def _function(
    name: str, reference: object = None, domain: tuple[float, float] | None = None, **options: object
) -> Case:
    found = getattr(np, name) if reference is None else reference
    given = {"inplace": True, "out": True, "dtypes": FLOATING} | options
    return Case(name, None, [(2, 3)], found, domain=domain, **given)  # type: ignore[arg-type]


def _of_complex(name: str, reference: object = None, **options: object) -> Case:
    found = getattr(np, name) if reference is None else reference
    return Case(f"{name} [complex]", None, [COMPLEX], found, floats=False, **options)  # type: ignore[arg-type]


CASES = [
    _function("exp"),
    _function("exp2"),
    _function("expm1"),
    *[_function(name, domain=(0.5, 3)) for name in ("log", "log2", "log10", "log1p", "sqrt", "reciprocal")],
    _function("rsqrt", lambda x: 1 / np.sqrt(x), (0.5, 3)),
    _function("sigmoid", lambda x: 1 / (1 + np.exp(-x))),
    _function("square", dtypes={"int64": "int64", "complex64": "complex64"}),
    _function("sin"),
    _function("cos"),
    _function("tan", domain=(-1, 1)),
    _function("asin", np.arcsin, (-0.9, 0.9)),
    _function("acos", np.arccos, (-0.9, 0.9)),
    _function("atan", np.arctan),
    _function("sinh"),
    _function("cosh"),
    _function("tanh"),
    _function("asinh", np.arcsinh),
    _function("acosh", np.arccosh, (1.5, 3)),
    _function("atanh", np.arctanh, (-0.9, 0.9)),
    _function("sinc"),
    *[_of_complex(name) for name in ("exp", "log", "sqrt", "sin", "cos", "tanh", "square", "reciprocal", "sinc")],
    _of_complex("asin", np.arcsin),
    _of_complex("acos", np.arccos),
    _of_complex("atan", np.arctan),
    _of_complex("log1p"),
    *[_function(name, gradient=False, floats=False, dtypes=ROUNDED) for name in ("floor", "ceil", "trunc")],
    _function("round", np.rint, gradient=False, floats=False, dtypes=ROUNDED),
    Case(
        "round [decimals]",
        None,
        [np.array([1.255, -2.345, 123.456])],
        lambda x: np.round(x, 1),
        kwargs={"decimals": 1},
        gradient=False,
    ),
    _function("frac", lambda x: x - np.trunc(x), dtypes={}),
    _function("abs", dtypes={"int64": "int64", "complex64": "float32"}),
    _of_complex("abs"),
    _function("sign", gradient=False, dtypes={"int64": "int64", "bool": "bool", "complex64": None}),
    _function("sgn", np.sign, gradient=False, dtypes={"int64": "int64", "complex64": "complex64"}),
    _of_complex("sgn", lambda x: x / np.abs(x)),
    *[
        Case(name, None, [np.array([0.0, -0.0, np.inf, -np.inf, np.nan, 1.5])], getattr(np, name), gradient=False)
        for name in ("signbit", "isnan", "isinf", "isfinite", "isposinf", "isneginf", "isreal")
    ],
    Case("positive", None, [(3,)], np.positive, dtypes={"int64": "int64", "bool": None}),
    *[_function(name, dtypes={"int64": "float32", "complex64": None}) for name in ("deg2rad", "rad2deg")],
    Case("atan2", None, [(2, 3), (3,)], np.arctan2, inplace=True, out=True),
    Case("hypot", None, [(2, 3), (3,)], np.hypot, inplace=True, out=True),
    Case("copysign", None, [(6,), (6,)], np.copysign, second=False, inplace=True, out=True),
    Case("logaddexp", None, [(2, 3), (3,)], np.logaddexp, out=True),
    Case("logaddexp2", None, [(2, 3), (3,)], np.logaddexp2, out=True),
    Case("nextafter", None, [(3,), (3,)], lambda x, y: np.nextafter(x, y), floats=False, second=False),
    Case("gcd", None, [np.array([12, -18, 0]), np.array([8, 12, 5])], np.gcd, out=True),
    Case("lcm", None, [np.array([4, 6, 0]), np.array([6, 9, 5])], np.lcm, out=True),
    Case(
        "heaviside",
        None,
        [np.array([-1.0, 0.0, 2.0]), np.array([0.5, 0.5, 0.5])],
        np.heaviside,
        gradient=False,
        out=True,
    ),
    Case("ldexp", None, [(3,), np.array([1, 2, 3])], lambda x, y: x * 2.0**y, out=True, inplace=True),
    Case("frexp", None, [np.array([7.0, -0.3, 0.6])], lambda x: np.frexp(x), second=False, out=True),
    # complex
    Case("complex", None, [(2, 3), (2, 3)], lambda x, y: x + 1j * y, floats=False, dtypes={"int64": None}),
    Case("polar", None, [(2, 3), (2, 3)], domain=(0.5, 2), reference=lambda x, y: x * np.exp(1j * y), floats=False),
    Case("angle", None, [np.array([-1.0, 2.0, 0.0])], np.angle, gradient=False, dtypes={"int64": "float32"}),
    _of_complex("angle"),
    Case("conj", None, [COMPLEX], np.conj, dtypes={}, floats=False),
    Case("conj_physical", None, [COMPLEX], np.conj, floats=False, out=True),
    Case("conj [real]", None, [(3,)], lambda x: x),
    Case("adjoint", None, [(2, 3)], np.transpose),
]
