"""Linear algebra of small matrices in machine code: LAPACK's answers, the errors of those that have none."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from test_compile import own_cache  # noqa: F401 - the fixture
from test_compile_functions import natively, short_runs  # noqa: F401 - the fixture

import rushlight as torch
from rushlight.record import trace

pytestmark = pytest.mark.skipif(trace.EAGER, reason="one operation at a time is no program")
KINDS = [torch.float32, torch.float64]
SHAPES = [(1, 1), (6, 6), (9, 5, 5), (2, 8, 3, 3), (16, 24, 24)]
L = torch.linalg


def matrices(shape: Any, kind: torch.dtype) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """General ones, positive definite ones, right-hand sides."""
    rng = np.random.default_rng(shape[-1])
    a = rng.normal(size=shape)
    general = a[..., ::-1, :] + 2 * np.eye(shape[-1])
    positive = a @ np.swapaxes(a, -1, -2) + shape[-1] * np.eye(shape[-1])
    right = rng.normal(size=(*shape[:-1], 2))
    return tuple(torch.tensor(x.copy(), dtype=kind) for x in (general, positive, right))  # type: ignore[return-value]


def close(found: Any, expected: Any, kind: torch.dtype) -> None:
    tight = 5e-3 if kind is torch.float32 else 1e-9
    np.testing.assert_allclose(found, expected, rtol=tight, atol=tight * np.abs(expected).max())


@pytest.mark.parametrize("kind", KINDS, ids=str)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_answers(shape: Any, kind: torch.dtype, monkeypatch: Any) -> None:
    a, positive, b = matrices(shape, kind)

    def step() -> list[Any]:
        factor, upper = L.cholesky(positive), L.cholesky(positive, upper=True)
        sign, size = L.slogdet(a)
        return [L.inv(a), L.solve(a, b), L.det(a), sign, size, factor, upper, torch.cholesky_solve(b, factor),
                L.solve_triangular(a, b, upper=False, unitriangular=True),
                L.solve_triangular(upper, b, upper=True)]  # fmt: skip

    expected, found = natively(step, monkeypatch)
    x, p, y = (t.numpy().astype(np.float64) for t in (a, positive, b))
    c, (sign, size) = np.linalg.cholesky(p), np.linalg.slogdet(x)
    unit = np.tril(x, -1) + np.eye(shape[-1])
    exact = [np.linalg.inv(x), np.linalg.solve(x, y), np.linalg.det(x), sign, size, c, np.swapaxes(c, -1, -2),
             np.linalg.solve(p, y), np.linalg.solve(unit, y), np.linalg.solve(np.swapaxes(c, -1, -2), y)]  # fmt: skip
    for one, other, right in zip(found, expected, exact, strict=True):
        close(one, other, kind)
        close(one, right, kind)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_slopes_of_determinants(shape: Any, monkeypatch: Any) -> None:
    a, _, _ = matrices(shape, torch.float64)
    a = a.requires_grad_()

    def step() -> list[Any]:
        a.grad = None
        L.det(a).sum().backward()
        return [a.grad]

    _, (found,) = natively(step, monkeypatch)
    x = a.detach().numpy()
    exact = np.linalg.det(x)[..., None, None] * np.swapaxes(np.linalg.inv(x), -1, -2)
    close(found, exact, torch.float64)


def test_what_lapack_refuses_is_refused() -> None:
    singular = torch.tensor([[1.0, 2], [2, 4]]).expand(9, 2, 2).clone()
    for _ in range(4):
        with pytest.raises(L.LinAlgError, match="singular"):
            L.inv(singular * 1)
        with pytest.raises(L.LinAlgError, match="singular"):
            L.solve(singular * 1, torch.ones(9, 2, 1))
        with pytest.raises(L.LinAlgError, match="not positive-definite"):
            L.cholesky(-singular)
        assert L.det(singular * 1).tolist() == [0] * 9
        assert L.slogdet(singular * 1).logabsdet[0].item() == -np.inf


def test_slopes_of_singular_determinants() -> None:
    x = torch.tensor([[1.0, 2], [2, 4]], dtype=torch.float64, requires_grad=True)
    for _ in range(4):
        x.grad = None
        L.det(x).backward()
        np.testing.assert_allclose(x.grad.numpy(), [[4, -2], [-2, 1]], atol=1e-12)


def test_the_other_triangle_does_not_count(monkeypatch: Any) -> None:
    a = torch.tensor([[2.0, np.nan], [1, 4]])
    _, (found,) = natively(lambda: [L.solve_triangular(a, torch.ones(2, 1), upper=False)], monkeypatch)
    assert found.ravel().tolist() == [0.5, 0.125]


def test_slopes_of_gamma_numbers_do_not_take_forever() -> None:
    """Just behind the mode a continued fraction converges slowly, and rounding keeps it from standing still."""
    from rushlight.distributions.implicit import gamma_slope

    a = np.linspace(0.05, 0.95, 200)
    found = gamma_slope(a, a + 1.0001)
    before = gamma_slope(a, a + 0.9999)
    np.testing.assert_allclose(found, before, rtol=1e-3)


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_least_squares(kind: torch.dtype) -> None:
    """By QR where the columns are independent; the shortest solution, and the rank, where they are not."""
    rng = np.random.default_rng(1)
    a, b = rng.normal(size=(3, 7, 4)), rng.normal(size=(3, 7, 2))
    found = L.lstsq(torch.tensor(a, dtype=kind), torch.tensor(b, dtype=kind))
    assert found.rank.tolist() == [4, 4, 4]
    close(found.solution.numpy(), np.linalg.pinv(a) @ b, kind)
    a[..., 3] = a[..., 0] + a[..., 1]
    found = L.lstsq(torch.tensor(a, dtype=kind), torch.tensor(b, dtype=kind))
    assert found.rank.tolist() == [3, 3, 3]
    close(found.solution.numpy(), np.linalg.pinv(a, rcond=1e-5) @ b, kind)


@pytest.mark.parametrize(
    "info",
    [
        lambda a: L.cholesky_ex(a).info,
        lambda a: L.inv_ex(a).info,
        lambda a: L.solve_ex(a, torch.ones(2, 1)).info,
    ],
)
def test_where_only_failures_are_asked_for_they_are_found(info: Any, monkeypatch: Any) -> None:
    failing, fine = torch.tensor([[-1.0, 2.0], [2.0, -4.0]]), torch.eye(2)
    chosen = torch.stack([fine, failing])  # one program for both: which it is, is a number
    for k in (0, 1):
        matrix = chosen[k].clone().contiguous()
        matrix.tolist()
        _, (found,) = natively(lambda m=matrix: [info(m)], monkeypatch)
        assert bool(found) is bool(k)
