"""`torch.distributions` against PyTorch's answers: shapes, reprs, errors, seeded samples, densities, divergences and
gradients. Transforms are checked against their own inverse and derivative.
"""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import numpy as np
import pytest
from distribution_answers import EXPECTED, answers

import rushlight as torch
from rushlight.distributions import constraints, kl_divergence, register_kl, transform_to, transforms
from rushlight.distributions.implicit import beta_slope, gamma_slope
from rushlight.record import trace

D = torch.distributions
PYTORCH: dict[str, Any] = json.loads(EXPECTED.read_text())
# PyTorch takes these derivatives from approximating polynomials, exact to 1e-3; ours are exact to 1e-7.
APPROXIMATED = ("Beta", "Dirichlet", "FisherSnedecor", "Gamma", "StudentT")


@cache
def ours() -> dict[str, Any]:
    return answers(torch)


def plain(text: str) -> str:
    text = text.replace("rushlight.", "torch.")
    return " ".join(text.split())  # a line broken inside one of PyTorch's messages left its indentation in it


@pytest.mark.parametrize("name", [name for name in PYTORCH if not name.startswith("gradient")])
def test_answer_is_pytorchs(name: str) -> None:
    expected, got = PYTORCH[name], ours()[name]
    assert got[0] == expected[0], got
    if expected[0] != "tensor":
        assert [plain(part) for part in got] == [plain(part) for part in expected]
        return
    assert got[1:4] == expected[1:4]
    np.testing.assert_allclose(got[4], expected[4], rtol=5e-5, atol=2e-5)


@pytest.mark.parametrize("name", [name for name in PYTORCH if name.startswith("gradient")])
def test_gradient_is_pytorchs(name: str) -> None:
    for got, expected in zip(ours()[name], PYTORCH[name], strict=True):
        assert (got is None) == (expected is None)
        if expected is not None:
            loose = "samples" in name and name.endswith(APPROXIMATED)
            np.testing.assert_allclose(got, expected, rtol=2e-2 if loose else 2e-4, atol=1e-4)


def test_every_answer_is_compared() -> None:
    assert ours().keys() == PYTORCH.keys()


# ---- derivatives of samples


def test_gamma_samples_move_with_their_parameter() -> None:
    special = pytest.importorskip("scipy.special")
    a = np.array([0.05, 0.5, 2.0, 8.6, 30.0, 900.0, 5000.0])
    x = a * np.array([0.9, 3.0, 0.2, 0.4, 1.5, 1.02, 0.98])
    step = 1e-5 * a
    density = np.exp((a - 1) * np.log(x) - x - special.gammaln(a))
    expected = -(special.gammainc(a + step, x) - special.gammainc(a - step, x)) / (2 * step) / density
    np.testing.assert_allclose(gamma_slope(a, x), expected, rtol=1e-5)


def test_beta_samples_move_with_their_parameter() -> None:
    special = pytest.importorskip("scipy.special")
    x = np.array([0.01, 0.3, 0.5, 0.97, 0.2])
    a, b = np.array([0.2, 1.0, 3.0, 40.0, 100.0]), np.array([0.5, 2.0, 3.0, 1.5, 350.0])
    step = 1e-5 * a
    density = np.exp((a - 1) * np.log(x) + (b - 1) * np.log1p(-x) - special.betaln(a, b))
    expected = -(special.betainc(a + step, b, x) - special.betainc(a - step, b, x)) / (2 * step) / density
    np.testing.assert_allclose(beta_slope(x, a, b), expected, rtol=1e-6)


# ---- transforms


def example(name: str) -> tuple[Any, Any]:
    x = torch.tensor([[0.3, -1.2, 0.8], [2.0, 0.1, -0.5]], dtype=torch.float64)
    made = {
        "exp": transforms.ExpTransform(),
        "affine": transforms.AffineTransform(1.0, torch.tensor([2.0, -3.0, 0.5])),
        "sigmoid": transforms.SigmoidTransform(),
        "tanh": transforms.TanhTransform(),
        "softplus": transforms.SoftplusTransform(),
        "power": transforms.PowerTransform(torch.tensor(3.0)),
        "cdf": transforms.CumulativeDistributionTransform(D.Normal(0.0, 1.0)),
        "composed": transforms.ComposeTransform([transforms.AffineTransform(0.5, 2.0), transforms.ExpTransform()]),
        "inverse": transforms.ExpTransform().inv,
    }
    return made[name], x.abs() if name in ("power", "inverse") else x


POINTWISE = ("exp", "affine", "sigmoid", "tanh", "softplus", "power", "cdf", "composed", "inverse")


@pytest.mark.parametrize("name", POINTWISE)
def test_transform_is_undone_and_knows_its_slope(name: str) -> None:
    transform, x = example(name)
    x.requires_grad_()
    y = transform(x)
    (slope,) = torch.autograd.grad(y.sum(), x, retain_graph=True)
    np.testing.assert_allclose(transform.inv(y).detach().numpy(), x.detach().numpy(), rtol=1e-6, atol=1e-6)
    got = transform.log_abs_det_jacobian(x, y).detach().numpy()
    np.testing.assert_allclose(got, slope.abs().log().numpy(), rtol=1e-6, atol=1e-6)
    assert transform.inv.inv == transform


def test_stick_breaking_lands_on_the_simplex_and_comes_back() -> None:
    x = torch.tensor([[0.3, -1.2, 0.8]], dtype=torch.float64)
    transform = transforms.StickBreakingTransform()
    y = transform(x)
    assert y.shape == (1, 4) == transform.forward_shape(x.shape)
    assert constraints.simplex.check(y).all()
    np.testing.assert_allclose(transform.inv(y).numpy(), x.numpy(), atol=1e-9)


def test_correlation_factors_come_back() -> None:
    x = torch.tensor([0.3, -1.2, 0.8], dtype=torch.float64)
    transform = transforms.CorrCholeskyTransform()
    y = transform(x)
    assert y.shape == (3, 3) and constraints.corr_cholesky.check(y)
    np.testing.assert_allclose(transform.inv(y).numpy(), x.numpy(), atol=1e-9)


def test_cache_gives_back_the_very_tensor() -> None:
    transform, x = transforms.TanhTransform(cache_size=1), torch.tensor([50.0])
    y = transform(x)
    assert transform.inv(y) is x
    assert transforms.TanhTransform().inv(y).isinf().all()


@pytest.mark.parametrize(
    "constraint",
    [constraints.real, constraints.positive, constraints.interval(-1.0, 3.0), constraints.less_than(2.0),
     constraints.unit_interval, constraints.simplex],
    ids=repr,
)  # fmt: skip
def test_transform_to_lands_in_the_constraint(constraint: Any) -> None:
    assert constraint.check(transform_to(constraint)(torch.randn(5, 3))).all()


def test_transforms_side_by_side() -> None:
    x = torch.tensor([[0.3, -1.2, 0.8], [2.0, 0.1, -0.5]], dtype=torch.float64)
    parts = [transforms.ExpTransform(), transforms.AffineTransform(1.0, 2.0), transforms.TanhTransform()]
    stacked = transforms.StackTransform(parts, dim=1)
    joined = transforms.CatTransform(parts[:2], dim=-1, lengths=[2, 1])
    for transform, columns in ((stacked, parts), (joined, [parts[0], parts[0], parts[1]])):
        y = transform(x)
        expected = torch.stack([t(x[:, k]) for k, t in enumerate(columns)], 1)
        np.testing.assert_allclose(y.numpy(), expected.numpy())
        np.testing.assert_allclose(transform.inv(y).numpy(), x.numpy(), atol=1e-12)
        slopes = torch.stack([t.log_abs_det_jacobian(x[:, k], y[:, k]) for k, t in enumerate(columns)], 1)
        np.testing.assert_allclose(transform.log_abs_det_jacobian(x, y).numpy(), slopes.numpy())
        assert transform.bijective and transform.with_cache(1).with_cache(1)._cache_size == 1
        assert transform.domain.check(x).all() and transform.codomain.check(y).all()
    with pytest.raises(AssertionError, match="must equal length 3"):
        stacked(x.T)
    with pytest.raises(AssertionError, match="out of range"):
        stacked(x[0])
    with pytest.raises(AssertionError, match="must match transforms"):
        transforms.CatTransform(parts, lengths=[1])


def test_joined_transforms_of_vectors_sum_their_determinants() -> None:
    x = torch.tensor([[0.3, -1.2, 0.8], [2.0, 0.1, -0.5]], dtype=torch.float64)
    parts = [transforms.StickBreakingTransform(), transforms.IndependentTransform(transforms.ExpTransform(), 1)]
    transform = transforms.CatTransform([parts[1], parts[1]], dim=-1, lengths=[1, 2])
    y = transform(x)
    np.testing.assert_allclose(transform.log_abs_det_jacobian(x, y).numpy(), x.sum(-1).numpy())
    rows = transforms.CatTransform([parts[1], parts[1]], dim=0)
    np.testing.assert_allclose(rows.log_abs_det_jacobian(x, rows(x)).numpy(), x.sum(-1).numpy())


def test_constraints_side_by_side_have_transforms() -> None:
    cat = constraints.cat([constraints.positive, constraints.real], dim=-1, lengths=[2, 1])
    stack = constraints.stack([constraints.positive, constraints.unit_interval, constraints.real], dim=-1)
    for registry in (transform_to, D.biject_to):
        for constraint in (cat, stack):
            assert constraint.check(registry(constraint)(torch.randn(5, 3))).all()


# ---- the Wishart distribution, where PyTorch's is not to be followed


def test_divergence_of_wisharts_is_per_batch() -> None:
    """PyTorch's adds up the batch; the mean of log p - log q over samples says what it is."""
    torch.manual_seed(0)
    covariance = torch.tensor([[2.0, 0.5], [0.5, 1.0]], dtype=torch.float64)
    df = torch.tensor([4.0, 6.0], dtype=torch.float64, requires_grad=True)
    p, q = D.Wishart(df, covariance), D.Wishart(torch.tensor(5.0), torch.eye(2, dtype=torch.float64))
    found = kl_divergence(p, q)
    assert found.shape == (2,)
    x = p.sample((4000,))
    sampled = (p.log_prob(x) - q.log_prob(x)).mean(0)
    np.testing.assert_allclose(found.detach().numpy(), sampled.detach().numpy(), rtol=0.1)
    for k in range(2):
        one = D.Wishart(df[k].detach(), covariance)
        np.testing.assert_allclose(kl_divergence(one, q).item(), found[k].item(), rtol=1e-12)
    np.testing.assert_allclose(kl_divergence(p, p).detach().numpy(), np.zeros(2), atol=1e-12)
    assert torch.autograd.gradcheck(lambda df: kl_divergence(D.Wishart(df, covariance), q), df)


def test_gradient_reaches_wisharts_parameters_through_samples() -> None:
    covariance = torch.tensor([[2.0, 0.5], [0.5, 1.0]], requires_grad=True)
    D.Wishart(torch.tensor([4.0, 6.0]), covariance).rsample((3,)).sum().backward()
    assert covariance.grad is not None and covariance.grad.isfinite().all() and covariance.grad.any()


def test_a_number_of_degrees_serves_a_batch() -> None:
    wishart = D.Wishart(4.0, scale_tril=torch.eye(2).expand(3, 2, 2))
    assert wishart.sample((5,)).shape == (5, 3, 2, 2) and wishart.mean.shape == (3, 2, 2)
    assert wishart.entropy().shape == (3,) and wishart.log_prob(wishart.sample()).shape == (3,)


def test_von_mises_is_exact_and_periodic() -> None:
    special = pytest.importorskip("scipy.special")
    angle, kappa = torch.linspace(-3, 3, 7, dtype=torch.float64), torch.tensor(2.5, dtype=torch.float64)
    d = D.VonMises(torch.tensor(0.5, dtype=torch.float64), kappa)
    expected = 2.5 * np.cos(angle.numpy() - 0.5) - np.log(2 * np.pi * special.i0(2.5))
    np.testing.assert_allclose(d.log_prob(angle).numpy(), expected, rtol=1e-12)
    np.testing.assert_allclose(d.log_prob(angle + 2 * np.pi).numpy(), expected, rtol=1e-12)
    assert d.log_prob(angle).isfinite().all() and D.VonMises(0.0, 1e6).log_prob(torch.tensor(0.0)).isfinite()


# ---- the base class


def test_own_distribution_and_divergence() -> None:
    class Mine(D.Normal):
        pass

    @register_kl(Mine, D.Normal)
    def of_mine(p: Any, q: Any) -> Any:
        return torch.tensor(42.0)

    assert kl_divergence(Mine(0.0, 1.0), D.Normal(0.0, 1.0)) == 42
    assert kl_divergence(D.Normal(0.0, 1.0), Mine(0.0, 1.0)) == 0
    with pytest.raises(TypeError, match="Expected type_p to be a Distribution subclass but got 3"):
        register_kl(3, D.Normal)  # type: ignore[arg-type]


def test_validation_can_be_switched_off() -> None:
    assert D.Normal(0.0, -1.0, validate_args=False).scale == -1
    D.Distribution.set_default_validate_args(False)
    try:
        D.Bernoulli(1.5)
    finally:
        D.Distribution.set_default_validate_args(True)
    with pytest.raises(ValueError, match="Expected parameter probs"):
        D.Bernoulli(1.5)


def test_policy_gradient_reaches_the_logits() -> None:
    logits = torch.zeros(4, 3, requires_grad=True)
    policy = D.Categorical(logits=logits)
    (-policy.log_prob(torch.tensor([0, 1, 2, 0])) * torch.tensor([1.0, -1.0, 2.0, 0.5])).mean().backward()
    assert logits.grad is not None
    np.testing.assert_allclose(logits.grad.sum(-1).numpy(), np.zeros(4), atol=1e-7)
    np.testing.assert_allclose(logits.grad[0].numpy(), [-1 / 6, 1 / 12, 1 / 12], atol=1e-6)


def test_support_of_a_mixture_has_the_shape_of_the_samples():
    mixture = D.MixtureSameFamily(D.Categorical(torch.tensor([0.3, 0.7])), D.Gamma(torch.ones(2), torch.ones(2)))
    assert mixture.support.check(torch.tensor([1.0, -1.0, 2.0])).tolist() == [True, False, True]


@pytest.mark.skipif(trace.EAGER, reason="nothing is pending")
def test_checks_of_computed_parameters_leave_what_is_pending() -> None:
    mean, scale = torch.zeros(3), torch.ones(3)
    _ = mean.tolist(), scale.tolist()
    pending = torch.ones(3) * 3
    normal = torch.distributions.Normal(mean, scale)
    log_prob = normal.log_prob(scale)
    torch.distributions.Independent(normal, 1).log_prob(mean)
    assert pending._value.buf is None
    with pytest.raises(ValueError, match="Expected parameter scale .Tensor of shape"):
        torch.distributions.Normal(mean, -scale)
    with pytest.raises(ValueError, match=r"Expected parameter scale .*\n.*-1"):
        torch.distributions.Normal(pending, mean - 1)
    assert pending.tolist() == [3, 3, 3]
    assert np.allclose(log_prob.numpy(), -0.5 - 0.5 * np.log(2 * np.pi))


def test_the_first_parameter_that_does_not_fit_is_named() -> None:
    with pytest.raises(ValueError, match="Expected parameter loc"):
        torch.distributions.Normal(torch.tensor([float("nan")]) * 1, torch.tensor([1.0]) - 3)
