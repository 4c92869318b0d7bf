"""Rows of `ops.linalg`, `ops.decomposition`, `ops.triangular_factors` and `ops.matrix_function`.

What is unique is compared with NumPy; factors that are not (signs and phases of singular vectors) are multiplied
together again.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from . import Case

HERMITIAN = np.array([[4, 1 - 1j, 0.5], [1 + 1j, 5, 2j], [0.5, -2j, 6]])
COMPLEX = np.array([[2 + 1j, 0.5, -1j], [0.3, -1.5 + 2j, 1], [1j, 0.2 - 1j, 3]])
INDEFINITE = np.array([[0, 1, 0.5, 3], [2, 0, -1, 0], [0.5, 1, 0.1, 1], [1, 1, -2, 0.2]])
SINGULAR = np.array([[1.0, 2.0], [2.0, 4.0]])


def _positive(x: Any) -> Any:
    """A positive definite matrix made of any."""
    return x @ x.mT + 2 * x.new_ones(x.shape[-1]).diag()


def _positive_array(x: np.ndarray) -> np.ndarray:
    return x @ np.swapaxes(x, -1, -2) + 2 * np.eye(x.shape[-1])


def _case(name: str, call: Any, operands: list[Any], reference: Any = None, **options: Any) -> Case:
    return Case(name, call, operands, reference, **({"floats": False, "rtol": 1e-4, "atol": 1e-4} | options))


def _exp_of_symmetric(x: np.ndarray) -> np.ndarray:
    w, v = np.linalg.eigh(x + x.T)
    return (v * np.exp(w)) @ v.T


CASES = [
    _case("linalg.det", None, [(3, 3)], np.linalg.det, out=True, dtypes={"int64": None}),
    _case("linalg.det [batch]", None, [(2, 3, 3)], np.linalg.det),
    _case("det", None, [COMPLEX], np.linalg.det),
    # (pytorch=False below: its float32 gradient of a singular determinant is lost to rounding, and 2.13 overwrites
    # what the backward
    # pass of cond(1) and of vander needs)
    _case("det [singular]", None, [SINGULAR], np.array(0.0), second=False, pytorch=False),
    _case("linalg.slogdet", None, [(3, 3)], np.linalg.slogdet, out=True),
    _case("linalg.slogdet [complex]", None, [COMPLEX], np.linalg.slogdet),
    _case("logdet", lambda t, x: t.logdet(_positive(x)), [(3, 3)], lambda x: np.log(np.linalg.det(_positive_array(x)))),
    _case("linalg.inv", None, [(2, 3, 3)], np.linalg.inv, out=True),
    _case("inverse", None, [COMPLEX], np.linalg.inv),
    _case("linalg.inv_ex", lambda t, x: t.linalg.inv_ex(x).inverse, [(3, 3)], np.linalg.inv),
    _case("linalg.solve", None, [(3, 3), (3, 2)], np.linalg.solve, out=True),
    _case("linalg.solve [vector]", None, [(3, 3), (3,)], np.linalg.solve),
    _case("linalg.solve [broadcast]", None, [(2, 1, 3, 3), (4, 3, 2)], np.linalg.solve),
    _case("linalg.solve [right]", None, [(3, 3), (2, 3)], lambda a, b: b @ np.linalg.inv(a), kwargs={"left": False}),
    _case("linalg.solve [complex]", None, [COMPLEX, COMPLEX[:, :2]], np.linalg.solve),
    _case(
        "linalg.solve_triangular",
        None,
        [(3, 3), (3, 2)],
        lambda a, b: np.linalg.solve(np.triu(a), b),
        kwargs={"upper": True},
    ),
    _case(
        "linalg.solve_triangular [lower, unit, right]",
        None,
        [(3, 3), (2, 3)],
        lambda a, b: b @ np.linalg.inv(np.tril(a, -1) + np.eye(3)),
        kwargs={"upper": False, "left": False, "unitriangular": True},
    ),
    _case(
        "triangular_solve",
        lambda t, b, a: b.triangular_solve(a, transpose=True).solution,
        [(3, 2), (3, 3)],
        lambda b, a: np.linalg.solve(np.triu(a).T, b),
    ),
    _case(
        "linalg.cholesky",
        lambda t, x: t.linalg.cholesky(_positive(x)),
        [(3, 3)],
        lambda x: np.linalg.cholesky(_positive_array(x)),
    ),
    _case(
        "linalg.cholesky [upper]",
        lambda t, x: t.linalg.cholesky(_positive(x), upper=True),
        [(3, 3)],
        lambda x: np.linalg.cholesky(_positive_array(x)).T,
    ),
    _case("linalg.cholesky [complex]", None, [HERMITIAN], np.linalg.cholesky, gradient=False),
    _case(
        "cholesky_solve",
        lambda t, b, x: t.cholesky_solve(b, x.tril()),
        [(3, 2), np.array([[2.0, 0, 0], [1, 1.5, 0], [0.3, -1, 1]])],
        lambda b, l: np.linalg.solve(l @ l.T, b),
    ),
    _case(
        "cholesky_inverse",
        lambda t, x: t.cholesky_inverse(x.tril()),
        [np.array([[2.0, 0, 0], [1, 1.5, 0], [0.3, -1, 1]])],
        lambda l: np.linalg.inv(l @ l.T),
    ),
    *[_case(f"linalg.lu [{m}x{n}]", lambda t, x: t.linalg.lu(x)[1:], [(m, n)]) for m, n in ((3, 3), (4, 2), (2, 4))],
    *[
        _case(
            f"linalg.lu [product, {m}x{n}]",
            lambda t, x: (lambda p, l, u: p @ l @ u)(*t.linalg.lu(x)),
            [(m, n)],
            lambda x: x,
            second=False,
        )
        for m, n in ((3, 3), (4, 3), (70, 60))
    ],
    _case("linalg.ldl_factor", lambda t, x: t.linalg.ldl_factor(x + x.mT).LD, [(5, 5)], gradient=False),
    *[
        _case(
            f"linalg.ldl_solve [{name}]",
            lambda t, x, b, h=h: t.linalg.ldl_solve(
                *t.linalg.ldl_factor(x + (x.mH if h else x.mT), hermitian=h), b, hermitian=h
            ),
            [matrix, matrix[:, :2]],
            lambda x, b, h=h: np.linalg.solve(x + (x.conj() if h else x).T, b),
            gradient=False,
        )
        for name, matrix, h in (("real", INDEFINITE, False), ("complex", COMPLEX, False), ("hermitian", COMPLEX, True))
    ],
    _case("linalg.lu_factor", lambda t, x: t.linalg.lu_factor(x).LU, [(2, 3, 3)]),
    _case(
        "linalg.lu_solve",
        lambda t, a, b: t.linalg.lu_solve(*t.linalg.lu_factor(a), b),
        [(3, 3), (3, 2)],
        np.linalg.solve,
    ),
    _case(
        "linalg.lu_solve [adjoint]",
        lambda t, a, b: t.linalg.lu_solve(*t.linalg.lu_factor(a), b, adjoint=True),
        [(3, 3), (3, 2)],
        lambda a, b: np.linalg.solve(a.T, b),
    ),
    _case("lu_unpack", lambda t, x: t.lu_unpack(*t.linalg.lu_factor(x))[1:], [(3, 3)]),
    *[
        _case(f"linalg.qr [{m}x{n}]", None, [(m, n)], lambda x: tuple(np.linalg.qr(x)))
        for m, n in ((3, 3), (4, 2), (2, 4))
    ],
    _case(
        "linalg.qr [complete]",
        None,
        [(4, 2)],
        lambda x: tuple(np.linalg.qr(x, "complete")),
        args=("complete",),
        gradient=False,
    ),
    _case("linalg.qr [complex]", None, [COMPLEX], lambda x: tuple(np.linalg.qr(x)), second=False),
    *[
        _case(
            f"linalg.svd [{m}x{n}]",
            lambda t, x: (lambda u, s, vh: (u * s.exp()) @ vh)(*t.linalg.svd(x, False)),
            [(m, n)],
            lambda x: (lambda u, s, vh: (u * np.exp(s)) @ vh)(*np.linalg.svd(x, False)),
        )
        for m, n in ((3, 3), (4, 2), (2, 4))
    ],
    _case(
        "linalg.svd [complex]",
        lambda t, x: (lambda u, s, vh: (u * s.exp()) @ vh)(*t.linalg.svd(x)),
        [COMPLEX],
        lambda x: (lambda u, s, vh: (u * np.exp(s)) @ vh)(*np.linalg.svd(x)),
    ),
    _case("linalg.svdvals", None, [(2, 4, 3)], lambda x: np.linalg.svd(x, compute_uv=False), out=True),
    _case("linalg.eigvalsh", lambda t, x: t.linalg.eigvalsh(x + x.mT), [(3, 3)], lambda x: np.linalg.eigvalsh(x + x.T)),
    _case(
        "linalg.eigh",
        lambda t, x: (lambda w, v: (v * w.exp()) @ v.mT)(*t.linalg.eigh(x + x.mT)),
        [(3, 3)],
        _exp_of_symmetric,
    ),
    _case(
        "linalg.eigh [complex]", lambda t, x: (lambda w, v: (v * w.exp()) @ v.mH)(*t.linalg.eigh(x + x.mH)), [COMPLEX]
    ),
    _case(
        "linalg.eig",
        lambda t, x: (lambda w, v: (v * w.exp()) @ t.linalg.inv(v))(*t.linalg.eig(x)),
        [(3, 3)],
        second=False,
    ),
    _case(
        "linalg.eigvals",
        lambda t, x: t.linalg.eigvals(x).abs().sum(),
        [(3, 3)],
        lambda x: np.abs(np.linalg.eigvals(x)).sum(),
    ),
    _case("linalg.pinv", None, [(4, 2)], np.linalg.pinv),
    _case("linalg.pinv [wide]", None, [(2, 4)], np.linalg.pinv),
    _case(
        "linalg.pinv [hermitian]",
        lambda t, x: t.linalg.pinv(x + x.mT, hermitian=True),
        [(3, 3)],
        lambda x: np.linalg.pinv(x + x.T),
    ),
    _case("pinverse", None, [SINGULAR], np.linalg.pinv, args=(1e-5,), gradient=False),
    _case(
        "linalg.lstsq",
        lambda t, a, b: t.linalg.lstsq(a, b).solution,
        [(4, 2), (4, 3)],
        lambda a, b: np.linalg.lstsq(a, b)[0],
    ),
    _case(
        "linalg.lstsq [rank]",
        lambda t, a, b: t.linalg.lstsq(a, b, driver="gelsd")[1:],
        [(4, 2), (4, 3)],
        lambda a, b: np.linalg.lstsq(a, b)[1:],
        gradient=False,
    ),
    _case("linalg.matrix_rank", None, [SINGULAR], np.array(1), gradient=False),
    _case("linalg.cond", None, [(3, 3)], np.linalg.cond),
    _case("linalg.cond [1]", None, [(3, 3)], lambda x: np.linalg.cond(x, 1), args=(1,), pytorch=False),
    _case("matrix_power", None, [(3, 3)], lambda x: np.linalg.matrix_power(x, 5), args=(5,), out=True),
    _case("matrix_power [inverse]", None, [(3, 3)], lambda x: np.linalg.matrix_power(x, -2), args=(-2,)),
    _case("matrix_power [0]", None, [(2, 2)], np.eye(2), args=(0,)),
    _case("matrix_exp", lambda t, x: t.matrix_exp(x + x.mT), [(3, 3)], _exp_of_symmetric),
    _case("matrix_exp [batch]", None, [(2, 3, 3)]),
    _case(
        "linalg.multi_dot",
        lambda t, *m: t.linalg.multi_dot(m),
        [(5,), (5, 2), (2, 6), (6, 3)],
        lambda *m: np.linalg.multi_dot(m),
    ),
    _case("kron", None, [(2, 3), (2, 2)], np.kron, out=True),
    _case("kron [ranks]", None, [(2,), (1, 3)], np.kron),
    _case(
        "cross",
        None,
        [(2, 3), (2, 3)],
        np.cross,
        kwargs={"dim": 1},
        out=True,
        dtypes={"int64": "int64", "complex64": "complex64"},
    ),
    _case(
        "linalg.cross",
        None,
        [(3, 2), (3, 1)],
        lambda x, y: np.cross(x, np.broadcast_to(y, x.shape), axis=0),
        kwargs={"dim": 0},
    ),
    _case("linalg.vecdot", None, [(2, 3), (3,)], lambda x, y: (x * y).sum(-1)),
    _case("linalg.vander", None, [(2, 3)], lambda x: np.stack([np.vander(r, increasing=True) for r in x])),
    _case("vander", None, [(3,)], lambda x: np.vander(x, 4), args=(4,), pytorch=False),
    _case("linalg.tensorinv", None, [(2, 3, 6)], lambda x: np.linalg.tensorinv(x), args=(2,)),
    _case("linalg.tensorsolve", None, [(2, 3, 6), (2, 3)], np.linalg.tensorsolve),
    _case("linalg.householder_product", None, [(4, 3), (2,)]),
    _case("ormqr", None, [(3, 3), (3,), (3, 2)], args=(True, True)),
    _case("geqrf", None, [(3, 3)], gradient=False),
    _case("dot", None, [(4,), (4,)], np.dot, out=True, dtypes={"int64": "int64", "complex64": "complex64"}),
    _case("vdot", None, [COMPLEX[0], COMPLEX[1]], np.vdot),
    _case("vdot [real]", None, [(4,), (4,)], np.dot, out=True),
    _case(
        "cholesky",
        lambda t, x: t.cholesky(x @ x.mT + 2 * t.eye(3, dtype=x.dtype)),
        [(3, 3)],
        lambda x: np.linalg.cholesky(x @ x.T + 2 * np.eye(3)),
    ),
]
