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

D = torch.distributions
PYTORCH: dict[str, Any] = json.loads(EXPECTED.read_text())
# PyTorch takes these derivatives from approximating polynomials, exact to 1e-3; ours are exact to 1e-7.
APPROXIMATED = ("Beta", "Dirichlet", "Gamma", "StudentT")


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


# ---- the base class


def test_own_distribution_and_divergence() -> None:
    class Mine(D.Normal):
        pass

    @register_kl(Mine, D.Normal)
    def of_mine(p: Any, q: Any) -> Any:
        return torch.tensor(42.0)

    assert kl_divergence(Mine(0.0, 1.0), D.Normal(0.0, 1.0)) == 42
    assert kl_divergence(D.Normal(0.0, 1.0), Mine(0.0, 1.0)) == 0
    with pytest.raises(TypeError, match="Expected type_p to be a Distribution subclass"):
        register_kl(int, D.Normal)


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
