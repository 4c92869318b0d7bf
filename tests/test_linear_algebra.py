"""Linear algebra where it cannot answer: what is raised, when, and that nothing else is lost by it.

Also the edges of the special functions and of the Fourier transforms.
"""

from __future__ import annotations

import math

import numpy as np
import pytest

import rushlight as torch

SINGULAR = [[1.0, 2.0], [2.0, 4.0]]
PIVOTS = torch.tensor([1, 2, 3], dtype=torch.int32)


def test_a_singular_matrix_raises_where_it_is_inverted() -> None:
    with pytest.raises(torch.linalg.LinAlgError, match="The diagonal element 2 is zero"):
        torch.linalg.inv(torch.tensor(SINGULAR))
    with pytest.raises(torch.linalg.LinAlgError, match=r"\(Batch element 1\): The solver failed"):
        torch.linalg.solve(torch.stack([torch.eye(2), torch.zeros(2, 2)]), torch.ones(2, 2))


def test_a_failure_leaves_pending_values_alone() -> None:
    x = torch.ones(2, 2) * 3
    y = x + 1
    with pytest.raises(RuntimeError):
        torch.linalg.cholesky(-x)
    assert y.tolist() == [[4.0, 4.0], [4.0, 4.0]]
    assert (x + y).sum().item() == 28.0


def test_adding_jitter_until_the_matrix_is_positive_definite() -> None:
    matrix, tries = torch.tensor([[1.0, 1.0], [1.0, 1.0 - 1e-3]]), 0
    while True:
        try:
            factor = torch.linalg.cholesky(matrix + 10.0 ** (tries - 4) * torch.eye(2))
            break
        except torch.linalg.LinAlgError:
            tries += 1
    assert tries == 1
    assert factor[0, 1].item() == 0.0


def test_info_says_where_it_failed() -> None:
    found = torch.linalg.cholesky_ex(torch.tensor([[[4.0, 0.0], [0.0, -1.0]], [[1.0, 0.0], [0.0, 1.0]]]))
    assert found.info.tolist() == [2, 0]
    assert found.L[1].tolist() == [[1.0, 0.0], [0.0, 1.0]]
    assert torch.linalg.inv_ex(torch.zeros(2, 2)).info.item() == 1
    assert torch.linalg.solve_ex(torch.tensor(SINGULAR), torch.ones(2)).info.item() == 2
    with pytest.raises(torch.linalg.LinAlgError, match="order 2"):
        torch.linalg.cholesky_ex(torch.tensor([[4.0, 0.0], [0.0, -1.0]]), check_errors=True)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: torch.linalg.inv(torch.ones(2, 3)), "must be batches of square matrices, but they are 2 by 3"),
        (lambda: torch.linalg.inv(torch.ones(3)), "The input tensor A must have at least 2 dimensions"),
        (lambda: torch.linalg.det(torch.ones(2, 2, dtype=torch.int64)), "Expected a floating point or complex tensor"),
        (lambda: torch.linalg.inv(torch.ones(2, 2).half()), "Low precision dtypes not supported. Got Half"),
        (lambda: torch.linalg.solve(torch.eye(3), torch.ones(2, 3)), "Incompatible shapes of A and B for the equation"),
        (lambda: torch.linalg.solve(torch.eye(2), torch.ones(2).double()), "Expected A and B to have the same dtype"),
        (lambda: torch.linalg.svd(torch.full((2, 2), math.nan)), "failed to converge because the input matrix"),
        (lambda: torch.linalg.eig(torch.full((2, 2), math.inf)), "should not contain infs or NaNs"),
        (lambda: torch.linalg.qr(torch.eye(2), "thin"), "unrecognized mode 'thin'"),
        (lambda: torch.linalg.multi_dot([torch.eye(2)]), "expected at least 2 tensors but got 1"),
        (lambda: torch.linalg.norm(torch.eye(2), 3), "Order 3 not supported"),
        (lambda: torch.linalg.vector_norm(torch.zeros(0), math.inf), "does not have an identity"),
        (lambda: torch.cross(torch.ones(2), torch.ones(2)), "no dimension of size 3 in input"),
        (lambda: torch.linalg.lu_factor(torch.zeros(2, 2)), r"U\[1,1\] is zero"),
        (lambda: torch.linalg.lu_solve(torch.eye(3), PIVOTS[:2], torch.eye(3)), "Number of pivots per batch"),
        (lambda: torch.linalg.lu_solve(torch.eye(3), PIVOTS, torch.ones(2, 3)), r"equation AX = B \(3x3 and 2x3\)"),
        (lambda: torch.linalg.lu_solve(torch.eye(3), PIVOTS, torch.ones(3, 2), left=False), "equation XA = B"),
        (lambda: torch.linalg.lu_solve(torch.eye(3), PIVOTS.long(), torch.eye(3)), "pivots should be a Tensor"),
        (lambda: torch.linalg.lu_solve(torch.eye(3), PIVOTS, torch.eye(3).double()), "Expected LU and B to have"),
        (lambda: torch.linalg.lu_solve(torch.eye(3).expand(2, 3, 3), PIVOTS, torch.eye(3)), r"pivots with shape \[3\]"),
        (lambda: torch.linalg.lu_solve(torch.eye(3), PIVOTS + 1, torch.eye(3)).numpy(), "all be smaller or equal to"),
        (lambda: torch.linalg.lu_solve(torch.eye(3), PIVOTS - 1, torch.eye(3)).numpy(), "all be greater or equal to 1"),
        (lambda: torch.trace(torch.ones(2)), "expected a matrix, but got tensor with dim 1"),
        (lambda: torch.fft.rfft(torch.tensor([1j])), "rfft expects a real input tensor, but got ComplexFloat"),
        (lambda: torch.fft.fft(torch.ones(2), 0), r"Invalid number of data points \(0\) specified"),
        (lambda: torch.fft.fft(torch.ones(2), norm="half"), 'Invalid normalization mode: "half"'),
        (lambda: torch.polygamma(-1, torch.ones(1)), "does not support negative n"),
        (lambda: torch.complex(torch.ones(1), torch.ones(1).double()), "Expected object of scalar type Float but got"),
        (lambda: torch.gcd(torch.ones(1), torch.ones(1)), "\"gcd_cpu\" not implemented for 'Float'"),
        (lambda: torch.ones(2, dtype=torch.int64).var(), "std and var only support floating point and complex dtypes"),
        (lambda: torch.ones(2).float_power_(2), "float_power_ has dtype Float but the operation's result"),
        (lambda: torch.ones(2).logsumexp(None), "'dim' .* must be tuple of ints, not NoneType"),
    ],
)  # fmt: skip
def test_messages(call: object, message: str) -> None:
    with pytest.raises((RuntimeError, TypeError), match=message):
        call()  # type: ignore[operator]


def test_the_gradient_of_a_singular_determinant_is_the_cofactors() -> None:
    x = torch.tensor(SINGULAR, dtype=torch.float64, requires_grad=True)
    torch.linalg.det(x).backward()
    assert x.grad.numpy() == pytest.approx(np.array([[4.0, -2.0], [-2.0, 1.0]]), abs=1e-12)


def test_equal_eigenvalues_have_gradients_of_their_own() -> None:
    x = torch.eye(3, dtype=torch.float64, requires_grad=True)
    values, _ = torch.linalg.eigh(x)
    values.sum().backward()
    assert x.grad.numpy() == pytest.approx(np.eye(3))
    y = torch.eye(2, dtype=torch.float64, requires_grad=True)
    torch.linalg.svd(y)[1].sum().backward()
    assert y.grad.numpy() == pytest.approx(np.eye(2))


@pytest.mark.parametrize("upper", [False, True])
@pytest.mark.parametrize("n", [1, 64, 65, 150])
def test_large_triangles_are_solved_by_halves(n: int, upper: bool) -> None:
    r = np.random.default_rng(n)
    a, b = r.standard_normal((n, n)) / n + 2 * np.eye(n), r.standard_normal((3, 2, n, 5))
    triangle = np.triu(a) if upper else np.tril(a)
    for left, right in ((a, b), (a[None, None], b), (np.stack([a, a.copy()]), b), (a, b[0, 0])):
        found = torch.linalg.solve_triangular(torch.from_numpy(left), torch.from_numpy(right), upper=upper)
        np.testing.assert_allclose(triangle @ found.numpy(), right, atol=1e-12)
    found = torch.linalg.solve(torch.from_numpy(a), torch.from_numpy(b))
    np.testing.assert_allclose(a @ found.numpy(), b, atol=1e-12)


def test_a_zero_on_the_diagonal_spoils_what_comes_after_it() -> None:
    a = torch.tril(torch.ones(100, 100, dtype=torch.float64))
    a[70, 70] = 0
    found = torch.linalg.solve_triangular(a, torch.ones(100, 1, dtype=torch.float64) * 2, upper=False)
    assert torch.isfinite(found[:70]).all() and not torch.isfinite(found[70:]).any()


def test_many_vectors_of_one_normal_distribution() -> None:
    lower = torch.tensor([[2.0, 0.0], [0.5, 1.0]], dtype=torch.float64, requires_grad=True)
    x = torch.tensor([[[0.3, 0.1]], [[1.0, -2.0]], [[4.0, 0.0]]], dtype=torch.float64)
    normal = torch.distributions.MultivariateNormal(torch.zeros(2, dtype=torch.float64), scale_tril=lower)
    together, one_by_one = normal.log_prob(x), torch.stack([normal.log_prob(v[0]) for v in x])[:, None]
    torch.testing.assert_close(together, one_by_one)
    (g,) = torch.autograd.grad(together.sum(), lower, retain_graph=True)
    torch.testing.assert_close(g, torch.autograd.grad(one_by_one.sum(), lower)[0])


def test_medians_and_order_statistics_of_long_lines() -> None:
    r = np.random.default_rng(5)
    for kind in (np.float32, np.int64):
        x = r.integers(-20, 20, 999).astype(kind)
        assert torch.from_numpy(x).median().item() == np.sort(x)[499]
        for k in (1, 7, 500, 999):
            value, at = torch.from_numpy(x).kthvalue(k)
            assert value.item() == np.sort(x)[k - 1] and at.item() == np.argsort(x, kind="stable")[k - 1]
    y = torch.tensor([1.0, float("nan"), 3.0])
    assert y.median().isnan() and y.kthvalue(3).indices.item() == 1 and y.kthvalue(2).values.item() == 3


def test_variance_of_one_number_warns() -> None:
    with pytest.warns(UserWarning, match="degrees of freedom is <= 0"):
        assert math.isnan(torch.ones(1).var().item())


def test_names_of_results() -> None:
    found = torch.linalg.eigh(torch.eye(2))
    assert repr(found).startswith("torch.return_types.linalg_eigh(\neigenvalues=tensor([1., 1.])")
    assert torch.linalg.qr(torch.eye(2)).Q.shape == (2, 2)
    assert torch.frexp(torch.tensor([8.0])).exponent.item() == 4


@pytest.mark.parametrize("name", ["erf", "erfc", "lgamma"])
def test_special_functions_to_the_last_digits(name: str) -> None:
    x = np.concatenate([np.linspace(-5.75, 26.0, 977), [1e-8, -1e-300, 1.0 + 1e-9, 2.0 - 1e-9]])
    found = getattr(torch, name)(torch.from_numpy(x)).numpy()
    expected = np.array([getattr(math, name)(v) for v in x])
    np.testing.assert_allclose(found, expected, rtol=2e-13, atol=1e-15 if name == "lgamma" else 1e-305)


def test_inverse_error_function_at_its_ends() -> None:
    x = torch.tensor([-1.0, 1.0, 0.0, 2.0, -1 + 2**-50, 1e-200], dtype=torch.float64)
    found = torch.erfinv(x)
    assert found[:3].tolist() == [-math.inf, math.inf, 0.0]
    assert math.isnan(found[3].item())
    assert torch.erf(found[4:]).numpy() == pytest.approx(x[4:].numpy(), rel=1e-15)


def test_poles_of_the_gamma_function() -> None:
    x = torch.tensor([0.0, -0.0, -1.0, -2.0, math.inf])
    assert torch.lgamma(x).tolist() == [math.inf] * 5
    found = torch.digamma(x)
    assert found[:2].tolist() == [-math.inf, math.inf]
    assert torch.isnan(found[2:4]).all()


def test_large_arrays_are_computed_in_pieces() -> None:
    x = np.linspace(0.1, 5.0, 20_001).reshape(3, 59, 113)
    found = torch.lgamma(torch.from_numpy(x)).numpy()
    assert found[1, 7, 9] == pytest.approx(math.lgamma(x[1, 7, 9]), rel=1e-14)
    assert found[2, 58, 112] == pytest.approx(math.lgamma(5.0), rel=1e-14)


def test_short_time_transform_and_back() -> None:
    x = torch.sin(torch.arange(64.0) / 3)
    window = torch.hann_window(16)
    spectrum = torch.stft(x, 16, window=window, return_complex=True)
    assert spectrum.shape == (9, 17)
    assert torch.istft(spectrum, 16, window=window, length=64).numpy() == pytest.approx(x.numpy(), abs=1e-5)
    with pytest.raises(RuntimeError, match="return_complex"):
        torch.stft(x, 16)


# ---- low rank


@pytest.mark.parametrize("shape", [(6, 4), (4, 6), (2, 5, 5)])
def test_low_rank_decompositions_find_the_matrix(shape):
    torch.manual_seed(0)
    a = torch.randn(*shape, 3, dtype=torch.float64)[..., 0, :]
    a = a @ a.mT if a.shape[-1] == a.shape[-2] else torch.randn(*shape, dtype=torch.float64)
    rank = min(a.shape[-2:])
    u, s, v = torch.svd_lowrank(a, q=rank)
    assert u.shape == (*a.shape[:-1], rank) and v.shape == (*a.shape[:-2], a.shape[-1], rank)
    assert torch.allclose((u * s[..., None, :]) @ v.mT, a)
    mean = a.mean(-2, keepdim=True)
    u, s, v = torch.pca_lowrank(a)
    assert torch.allclose((u * s[..., None, :]) @ v.mT, a - mean)
    u, s, v = torch.svd_lowrank(a, q=rank, M=mean)
    assert torch.allclose((u * s[..., None, :]) @ v.mT, a - mean)
    assert torch.allclose(torch.pca_lowrank(a, center=False)[1], torch.linalg.svdvals(a))


def test_low_rank_refusals():
    a = torch.randn(4, 3)
    with pytest.raises(ValueError, match="not greater than min"):
        torch.pca_lowrank(a, q=4)
    with pytest.raises(ValueError, match="must be non-negative integer"):
        torch.pca_lowrank(a, niter=-1)


def test_low_rank_bases_are_pytorchs():
    pytorch = pytest.importorskip("torch")
    a = np.random.default_rng(0).standard_normal((20, 15))
    for name, options in (("svd_lowrank", {"q": 4, "niter": 1}), ("pca_lowrank", {"q": 3}), ("svd_lowrank", {})):
        found = []
        for t in (torch, pytorch):
            t.manual_seed(3)
            found.append([x.numpy() for x in getattr(t, name)(t.from_numpy(a.copy()), **options)])
            found[-1].append((found[-1][0] * found[-1][1]) @ found[-1][2].T)
        np.testing.assert_allclose(found[0][1], found[1][1], rtol=1e-9)
        np.testing.assert_allclose(found[0][3], found[1][3], rtol=1e-8, atol=1e-9)


def test_extreme_eigenvalues():
    torch.manual_seed(0)
    a = torch.randn(2, 9, 9, dtype=torch.float64)
    a, b = a + a.mT, a @ a.mT + torch.eye(9, dtype=torch.float64)
    expected = torch.linalg.eigvalsh(a)
    assert torch.allclose(torch.lobpcg(a, 3)[0], expected[..., -3:].flip(-1))
    values, x = torch.lobpcg(a, 2, largest=False)
    assert torch.allclose(values, expected[..., :2]) and torch.allclose(a @ x, x * values[..., None, :])
    assert torch.lobpcg(a, X=torch.randn(2, 9, 2))[0].shape == (2, 2) and torch.lobpcg(a[0])[1].shape == (9, 1)
    values, x = torch.lobpcg(a, 2, B=b)
    assert torch.allclose(a @ x, b @ x * values[..., None, :])
    assert torch.allclose(x.mT @ b @ x, torch.eye(2, dtype=torch.float64).expand(2, 2, 2), atol=1e-9)
    with pytest.raises(ValueError, match="smaller than 3 x the number"):
        torch.lobpcg(a, 4)
    pytorch = pytest.importorskip("torch")
    m, mass = (pytorch.from_numpy(t[0].numpy().copy()) for t in (a, b))
    found = pytorch.lobpcg(m, 2, B=mass, niter=200)
    np.testing.assert_allclose(values[0].numpy(), found[0].numpy(), rtol=1e-5)


@pytest.mark.parametrize("kind", [np.int64, np.int32, np.int16, np.int8, np.uint8], ids=lambda k: k.__name__)
def test_products_of_whole_numbers_wrap_as_they_always_did(kind):
    """Small numbers go by way of doubles, large ones do not: sums beyond the dtype begin anew in both."""
    rng, most = np.random.default_rng(0), np.iinfo(kind).max
    for high in {10, min(100, most), min(1 << 31, most), most}:
        low = 0 if kind is np.uint8 else -high
        a, b = (rng.integers(low, high, shape, dtype=np.int64).astype(kind) for shape in ((40, 50), (50, 30)))
        with np.errstate(all="ignore"):
            expected = (a[:, :, None] * b).sum(1, dtype=kind)
        assert (torch.from_numpy(a) @ torch.from_numpy(b)).tolist() == expected.tolist()
        batch = torch.from_numpy(a).expand(3, 40, 50) @ torch.from_numpy(b).expand(3, 50, 30)
        assert batch[2].tolist() == expected.tolist()


@pytest.mark.parametrize("adjoint", [False, True])
def test_solving_by_a_factorization_is_differentiable_in_the_factors(adjoint: bool) -> None:
    torch.manual_seed(3)
    lu, pivots = torch.linalg.lu_factor(torch.randn(2, 3, 3).double())
    b = torch.randn(2, 3, 2).double().requires_grad_()

    def solve(lu: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        return torch.linalg.lu_solve(lu, pivots, b, adjoint=adjoint)

    factors = lu.requires_grad_()
    assert torch.autograd.gradcheck(solve, (factors, b))
    assert torch.autograd.gradgradcheck(solve, (factors, b))


def test_a_new_dimension_in_front() -> None:
    x = torch.arange(6.0).reshape(2, 3)
    assert x[None].shape == (1, 2, 3)
    x[None][0, 1] = 7
    assert x[1].tolist() == x[...][1].tolist() == [7, 7, 7]
    assert torch.tensor(2.0)[None].tolist() == [2]
