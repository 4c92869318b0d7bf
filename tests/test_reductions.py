"""Reductions, order and products at their edges: no elements, dtypes they do not take, `out=` of another dtype."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import rushlight as torch

YES, I = torch.tensor([True, False]), torch.tensor([1j, 2.0])
ROW, WHOLE = torch.ones(2, 3), torch.ones(2, 2, dtype=torch.int)
EMPTY, DOUBLE, LONG = torch.empty(2, 0), torch.float64, torch.int64


def to(*kinds: Any) -> Any:
    """What `out=` is given: one tensor of a dtype, or several."""
    made = tuple(torch.empty(0, dtype=kind) for kind in kinds)
    return made if len(made) > 1 else made[0]


REFUSED: dict[str, tuple[type[Exception], str, Callable[[], Any]]] = {
    "amax of nothing": (IndexError, r"amax\(\): Expected reduction dim 1", lambda: torch.amax(EMPTY, 1)),
    "amin over all": (IndexError, "dim 1 to have non-zero size", lambda: torch.amin(EMPTY, (0, 1))),
    "smallest column sum": (IndexError, "non-zero size", lambda: torch.linalg.matrix_norm(torch.empty(3, 0), -1)),
    "argmax of bools": (RuntimeError, r"argmax\(\): does not support bool input", lambda: torch.argmax(YES)),
    "argmin of complex": (RuntimeError, r"argmin\(\): does not support complex", lambda: torch.argmin(I, 0)),
    "max along of complex": (RuntimeError, r"max\(\): does not support complex input", lambda: torch.max(I, 0)),
    "kthvalue": (NotImplementedError, "\"kthvalue_cpu\" not implemented for 'Bool'", lambda: torch.kthvalue(YES, 1)),
    "unique": (NotImplementedError, "\"unique\" not implemented for 'ComplexFloat'", lambda: torch.unique(I)),
    "trace": (NotImplementedError, "\"trace\" not implemented for 'Bool'", lambda: torch.trace(WHOLE.bool())),
    "bucketize": (NotImplementedError, "not implemented for 'Bool'", lambda: torch.bucketize(YES, YES)),
    "dot": (NotImplementedError, "\"dot\" not implemented for 'Bool'", lambda: torch.dot(YES, YES)),
    "mv": (NotImplementedError, "\"addmv_impl_cpu\" not implemented", lambda: torch.mv(WHOLE.bool(), YES)),
    "bmm": (NotImplementedError, "\"bmm\" not implemented", lambda: torch.bmm(WHOLE.bool()[None], WHOLE.bool()[None])),
    "addcmul": (NotImplementedError, "not implemented for 'Bool'", lambda: torch.addcmul(YES, YES, YES)),
    "cross": (NotImplementedError, "\"cross\" not implemented", lambda: torch.linalg.cross(*[ROW[0].bool()] * 2)),
    "isin": (RuntimeError, r"Unsupported input type encountered for isin\(\): Bool", lambda: torch.isin(YES, YES)),
    "renorm": (RuntimeError, "Expected a floating point or complex tensor", lambda: torch.renorm(WHOLE, 2, 0, 1)),
    "vecdot": (RuntimeError, "Expected a floating point or complex", lambda: torch.linalg.vecdot(WHOLE, WHOLE)),
    "lu_solve": (RuntimeError, "Expected a floating point", lambda: torch.lu_solve(WHOLE, WHOLE, WHOLE[0])),
    "svd of halves": (NotImplementedError, "Low precision", lambda: torch.linalg.svd(ROW.half())),
    "nuclear norm": (RuntimeError, "dim must be a 2-tuple. Got 0 1 2", lambda: torch.norm(torch.ones(2, 2, 2), "nuc")),
    "lu without pivots": (RuntimeError, "LU without pivoting is not implemented", lambda: torch.lu(ROW, pivot=False)),
    "least squares": (RuntimeError, "same dtype, but got", lambda: torch.linalg.lstsq(ROW, ROW.double())),
    "complex factor": (
        RuntimeError, "cannot be converted to type float", lambda: torch.addmm(*[torch.eye(2)] * 3, beta=1j)
    ),
    "istft": (RuntimeError, "cannot be empty", lambda: torch.istft(torch.empty(3, 0, dtype=torch.cfloat), 4)),
    "mean over a pair": (RuntimeError, "appears multiple times", lambda: ROW.mean((np.int64(0), torch.tensor(0)))),
    "sort": (RuntimeError, "dtype long int, but got float", lambda: torch.sort(ROW[0], out=to(ROW.dtype, ROW.dtype))),
    "topk": (RuntimeError, "dtype float, but got double", lambda: torch.topk(ROW[0], 1, out=to(DOUBLE, LONG))),
    "max": (RuntimeError, "dtype long int, but got int", lambda: torch.max(ROW, 1, out=to(ROW.dtype, torch.int))),
    "argmax": (RuntimeError, "dtype long int, but got int", lambda: torch.argmax(ROW, out=to(torch.int))),
    "amax": (RuntimeError, "got Float for input's dtype and Double", lambda: torch.amax(ROW, 0, out=to(DOUBLE))),
    "sum in a dtype": (
        RuntimeError, "dtype float, but got double", lambda: torch.sum(ROW, 0, dtype=torch.float, out=to(DOUBLE))
    ),
    "nonzero": (RuntimeError, "dtype long int", lambda: torch.nonzero(ROW, out=to(ROW.dtype))),
    "gather": (RuntimeError, "dtype float", lambda: torch.gather(ROW, 0, torch.zeros(1, 1).long(), out=to(DOUBLE))),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name: str) -> None:
    kind, message, call = REFUSED[name]
    with pytest.raises(kind, match=message):
        call()


@pytest.mark.parametrize("order", [1, 2, math.inf])
@pytest.mark.parametrize("keepdim", [False, True])
def test_the_largest_of_no_norms_is_zero(order: float, keepdim: bool) -> None:
    found = torch.linalg.matrix_norm(torch.empty(2, 0, 0), order, keepdim=keepdim)
    assert found.tolist() == ([[[0.0]], [[0.0]]] if keepdim else [0.0, 0.0])


def test_moments_of_nothing_warn_of_degrees_only(recwarn: Any) -> None:
    assert math.isnan(torch.std(torch.empty(0)).item())
    assert {w.category for w in recwarn} == {UserWarning}


def test_factors_of_whole_numbers_are_whole() -> None:
    row = torch.ones(2, dtype=torch.int)
    for found in (
        torch.addmm(WHOLE, WHOLE, WHOLE, beta=1.5, alpha=2.5),
        torch.addbmm(WHOLE, WHOLE[None], WHOLE[None], beta=1.5, alpha=2.5),
        torch.baddbmm(WHOLE[None], WHOLE[None], WHOLE[None], beta=1.5, alpha=2.5),
        torch.addmv(row, WHOLE, row, beta=1.5, alpha=2.5),
    ):
        assert found.dtype is torch.int32
        assert (found == 5).all()


def test_dimensions_may_be_numpys_numbers() -> None:
    assert torch.ones(2, 3).mean((np.int64(0), torch.tensor(1))).shape == ()
    assert torch.ones(1, 3).squeeze(np.int64(0)).shape == (3,)
    assert torch.ones(2, 3).movedim(np.int64(0), 1).shape == (3, 2)
    assert [p.tolist() for p in torch.arange(4).chunk(np.int64(2))] == [[0, 1], [2, 3]]
    assert torch.arange(np.float32(2)).dtype is torch.float32
    with pytest.raises(TypeError, match="must be int, not float"):
        torch.arange(4).chunk(2.0)
    with pytest.raises(TypeError, match="must be tuple of ints, not float"):
        torch.arange(4).split(2.0)


def test_pivots_that_are_none() -> None:
    with pytest.raises(RuntimeError, match="must be between 1 and"):
        torch.lu_unpack(torch.eye(2), torch.tensor([1, 5], dtype=torch.int32)).P.tolist()


def test_a_solver_for_full_rank_says_so_where_it_is_not() -> None:
    with pytest.raises(torch.linalg.LinAlgError, match="does not have full rank"):
        torch.linalg.lstsq(torch.ones(3, 2), torch.ones(3, 1), driver="gels").solution.tolist()


def test_no_frequencies() -> None:
    assert torch.fft.fftfreq(0).shape == (0,)


def test_one_observation_has_no_covariance() -> None:
    with pytest.warns(UserWarning, match="degrees of freedom"):
        assert math.isnan(torch.cov(torch.tensor(1.0)).item())


@pytest.mark.parametrize("make", [torch.ones, torch.empty, torch.rand, lambda n: torch.ones(1).expand(n).clone()])
def test_too_much_memory_is_a_runtime_error(make: Any) -> None:
    with pytest.raises(RuntimeError, match="can't allocate memory: you tried to allocate 400000000000000 bytes"):
        make(10**14).sum().item()


def test_sizes_beyond_all_memory() -> None:
    with pytest.raises(RuntimeError, match=r"overflowed with sizes=\[4611686018427387904, 4\]"):
        torch.empty(2**62, 4)
