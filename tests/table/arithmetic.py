"""Rows of `ops.arithmetic`: + - * /, powers, division with rounding, comparisons, bits."""

from __future__ import annotations

import numpy as np

from . import Case

WHOLE = np.array([[7, -7, 3], [-2, 5, 9]])
SMALL = np.array([[2, 2, -2], [3, -3, 1]])
PROMOTED = {"int64": "float32", "bool": "float32", "complex64": "complex64"}

CASES = [
    Case(
        "add",
        None,
        [(2, 3), (2, 3)],
        np.add,
        inplace=True,
        out=True,
        dtypes={"int64": "int64", "bool": "bool", "complex64": "complex64"},
    ),
    Case("add [broadcast]", None, [(2, 1, 3), (4, 1)], np.add, out=True),
    Case("add [alpha]", None, [(3,), (3,)], lambda x, y: x + 2.5 * y, kwargs={"alpha": 2.5}, inplace=True),
    Case(
        "add [number]",
        lambda t, x: x + 2,
        [(3,)],
        lambda x: x + 2,
        dtypes={"int64": "int64", "bool": "int64", "complex64": "complex64"},
    ),
    Case("add [float]", lambda t, x: x + 1.5, [(3,)], lambda x: x + 1.5, dtypes=PROMOTED),
    Case(
        "sub",
        None,
        [(2, 3), (3,)],
        np.subtract,
        inplace=True,
        out=True,
        dtypes={"int64": "int64", "bool": None, "complex64": "complex64"},
    ),
    Case("sub [from a number]", lambda t, x: 3 - x, [(3,)], lambda x: 3 - x),
    Case("rsub", None, [(3,), (3,)], lambda x, y: y - x, second=False),
    Case(
        "mul",
        None,
        [(2, 3), (2, 1)],
        np.multiply,
        inplace=True,
        out=True,
        dtypes={"int64": "int64", "bool": "bool", "complex64": "complex64"},
    ),
    Case("mul [complex]", None, [np.array([1 + 2j, -3j]), (2,)], np.multiply, floats=False),
    Case("div", None, [(2, 3), (3,)], np.divide, inplace=True, out=True, dtypes=PROMOTED),
    Case("div [into a number]", lambda t, x: 2 / x, [(3,)], lambda x: 2 / x),
    Case(
        "div [floor]",
        None,
        [(3,), (3,)],
        np.floor_divide,
        kwargs={"rounding_mode": "floor"},
        gradient=False,
        floats=False,
    ),
    Case(
        "div [trunc]",
        None,
        [(3,), (3,)],
        lambda x, y: np.trunc(x / y),
        kwargs={"rounding_mode": "trunc"},
        gradient=False,
        floats=False,
    ),
    Case(
        "div [whole, trunc]",
        None,
        [WHOLE, SMALL],
        np.array([[3, -3, -1], [0, -1, 9]]),
        kwargs={"rounding_mode": "trunc"},
    ),
    Case("true_divide", None, [WHOLE, SMALL], np.divide, out=True),
    Case(
        "neg",
        None,
        [(2, 3)],
        np.negative,
        inplace=True,
        out=True,
        dtypes={"int64": "int64", "bool": None, "complex64": "complex64"},
    ),
    Case("floor_divide", None, [(6,), (6,)], np.floor_divide, gradient=False, floats=False, out=True),
    Case("floor_divide [whole]", None, [WHOLE, SMALL], np.array([[3, -4, -2], [-1, -2, 9]])),
    Case("remainder", None, [(6,), (6,)], np.remainder, second=False, floats=False, out=True, inplace=True),
    Case("remainder [whole]", None, [WHOLE, SMALL], np.remainder),
    Case("fmod", None, [(6,), (6,)], np.fmod, second=False, floats=False, out=True, inplace=True),
    Case("fmod [whole]", None, [WHOLE, SMALL], np.fmod),
    Case(
        "pow [square]",
        lambda t, x: x**2,
        [(2, 3)],
        np.square,
        dtypes={"int64": "int64", "bool": "int64", "complex64": "complex64"},
    ),
    Case("pow [cube]", lambda t, x: x**3, [(2, 3)], lambda x: x**3),
    Case("pow [root]", lambda t, x: x**0.5, [(4,)], np.sqrt, domain=(0.5, 2), dtypes={"int32": "float32"}),
    Case("pow [inverse]", lambda t, x: x**-1, [(4,)], np.reciprocal, domain=(0.5, 2), dtypes={"int64": None}),
    Case("pow [number]", lambda t, x: x**2.7, [(4,)], lambda x: x**2.7, domain=(0.5, 2)),
    Case("pow [of a number]", lambda t, x: 2.5**x, [(4,)], lambda x: 2.5**x),
    Case("pow", None, [(3, 4), (4,)], np.power, domain=(0.5, 2), inplace=True, out=True),
    Case("pow [whole]", None, [WHOLE, np.array([[2, 3, 0], [-1, 1, 2]])], np.array([[49, -343, 1], [0, 5, 81]])),
    Case("float_power", None, [(4,), (4,)], None, domain=(0.5, 2), floats=False, dtypes={"int64": "float64"}),
    *[
        Case(
            name,
            None,
            [np.array([1.0, 2.0, 3.0]), np.array([2.0, 2.0, 2.0])],
            getattr(np, ufunc),
            gradient=False,
            out=True,
            dtypes={"int64": "bool", "bool": "bool"},
        )
        for name, ufunc in (
            ("eq", "equal"),
            ("ne", "not_equal"),
            ("lt", "less"),
            ("le", "less_equal"),
            ("gt", "greater"),
            ("ge", "greater_equal"),
        )
    ],
    Case("eq [complex]", None, [np.array([1j, 2.0]), np.array([1j, 3.0])], np.equal, gradient=False),
    *[
        Case(
            name,
            None,
            [np.array([0.0, 2.0, 0.0]), np.array([0.0, 1.0, 4.0])],
            getattr(np, name),
            gradient=False,
            out=True,
            dtypes={"int64": "bool", "bool": "bool", "complex64": "bool"},
        )
        for name in ("logical_and", "logical_or", "logical_xor")
    ],
    Case(
        "logical_not",
        None,
        [np.array([0.0, 2.0])],
        np.logical_not,
        gradient=False,
        out=True,
        dtypes={"int64": "bool", "bool": "bool"},
    ),
    *[
        Case(name, None, [WHOLE, np.abs(SMALL)], ufunc, out=True)
        for name, ufunc in (
            ("bitwise_and", np.bitwise_and),
            ("bitwise_or", np.bitwise_or),
            ("bitwise_xor", np.bitwise_xor),
            ("bitwise_left_shift", np.left_shift),
            ("bitwise_right_shift", np.right_shift),
        )
    ],
    Case("bitwise_not", None, [WHOLE], np.invert, out=True),
    Case("fmod [number]", None, [(2, 3)], lambda x: np.fmod(x, 0.7), args=(0.7,), out=True, inplace=True),
    Case("clamp_max [tensor]", None, [(2, 3), (3,)], np.minimum, inplace=True, out=True),
    Case("clamp_min [tensor]", None, [(2, 3), (3,)], np.maximum, inplace=True, out=True),
]
