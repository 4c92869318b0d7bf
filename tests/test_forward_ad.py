"""`torch.autograd.forward_ad`: dual numbers against derivatives worked out by hand, reverse mode, and PyTorch where it
is installed.
"""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np
import pytest

import rushlight as torch
from rushlight import nn
from rushlight.autograd import forward_ad as fwd
from rushlight.func import functional_call, jvp

X = [0.5, -1.0, 2.0]
V = [1.0, 2.0, -1.0]


def vec(values: Any) -> Any:
    return torch.tensor(values, dtype=torch.float64)


def close(t: Any, expected: Any) -> None:
    np.testing.assert_allclose(t.detach().numpy(), expected, rtol=1e-9, atol=1e-12)


def test_a_tangent_goes_through() -> None:
    x, v = vec(X), vec(V)
    with fwd.dual_level():
        dual = fwd.make_dual(x, v)
        primal, tangent = fwd.unpack_dual(dual)
        assert tangent is v and not primal.requires_grad
        close(primal, X)
        found = fwd.unpack_dual(dual.exp() * dual)
    close(found.primal, np.exp(X) * X)
    close(found.tangent, np.exp(X) * (1 + np.array(X)) * V)
    assert not found.primal.requires_grad and not found.tangent.requires_grad
    assert fwd.unpack_dual(x) == (x, None)  # no level any more


def test_constants_have_none() -> None:
    with fwd.dual_level():
        dual, y = fwd.make_dual(vec(X), vec(V)), vec(X)
        assert fwd.unpack_dual(y * 2).tangent is None
        weight = vec(X).requires_grad_()
        assert fwd.unpack_dual(weight * 2).tangent is None
        assert fwd.unpack_dual(dual.detach()).tangent is None
        assert fwd.unpack_dual((dual > 0).to(torch.float64)).tangent is None
        close(fwd.unpack_dual(dual * y + 1).tangent, np.multiply(X, V))
        close(fwd.unpack_dual(dual.sum()).tangent, sum(V))


def test_several_tangents_add_up() -> None:
    a, b, s, t = vec(X), vec(V), vec([1.0, 0.0, 2.0]), vec([0.5, 1.0, 1.0])
    with fwd.dual_level():
        x, y = fwd.make_dual(a, s), fwd.make_dual(b, t)
        close(fwd.unpack_dual(x * y).tangent, (a * t + b * s).numpy())
        close(fwd.unpack_dual(x + 1).tangent, s.numpy())


def test_through_a_module_and_its_parameters() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.LayerNorm(4), nn.Linear(4, 2)).double()
    x = torch.randn(5, 3, dtype=torch.float64)
    params = {k: p.detach() for k, p in model.named_parameters()}
    directions = {k: torch.randn_like(p) for k, p in params.items()}
    with fwd.dual_level():
        duals = {k: fwd.make_dual(p, directions[k]) for k, p in params.items()}
        found = fwd.unpack_dual(functional_call(model, duals, x))
    value, product = jvp(lambda p: functional_call(model, p, x), (params,), (directions,))
    close(found.primal, value.numpy())
    close(found.tangent, product.numpy())
    step = 1e-6
    up, down = ({k: p + h * directions[k] for k, p in params.items()} for h in (step, -step))
    slope = (functional_call(model, up, x) - functional_call(model, down, x)) / (2 * step)
    np.testing.assert_allclose(found.tangent.numpy(), slope.detach().numpy(), rtol=1e-6, atol=1e-8)


def test_tangents_are_differentiable_backwards() -> None:
    """Forward over reverse: the gradient of a directional derivative is a product with the Hessian."""
    x, v = vec(X).requires_grad_(), vec(V)
    with fwd.dual_level():
        primal, tangent = fwd.unpack_dual((fwd.make_dual(x, v) ** 3).sum())
    assert tangent.requires_grad and primal.requires_grad
    (g,) = torch.autograd.grad(tangent, x)
    close(g, 6 * np.array(X) * V)
    (g,) = torch.autograd.grad(primal, x)
    close(g, 3 * np.square(X))
    direction = vec(V).requires_grad_()
    with fwd.dual_level():
        tangent = fwd.unpack_dual(fwd.make_dual(vec(X), direction).exp().sum()).tangent
    (g,) = torch.autograd.grad(tangent, direction)
    close(g, np.exp(X))


def test_a_gradient_inside_the_level() -> None:
    """Reverse under forward: a product with the Hessian without building it."""
    with fwd.dual_level():
        x = fwd.make_dual(vec(X).requires_grad_(), vec(V))
        (g,) = torch.autograd.grad((x**3).sum(), x, create_graph=True)
        close(fwd.unpack_dual(g).tangent, 6 * np.array(X) * V)


def test_in_place_and_complex() -> None:
    with fwd.dual_level():
        dual = fwd.make_dual(vec(X), vec(V))
        dual.mul_(3)
        close(fwd.unpack_dual(dual).tangent, 3 * np.array(V))
        buffer = torch.zeros(3, dtype=torch.float64)
        buffer[1:] = dual[:2]
        close(fwd.unpack_dual(buffer).tangent, [0, 3 * V[0], 3 * V[1]])
        z, w = torch.tensor([1 + 2j, 3 - 1j]), torch.tensor([2j, 1 + 1j])
        found = fwd.unpack_dual(fwd.make_dual(z, w) ** 2)
        np.testing.assert_allclose(found.tangent.numpy(), (2 * z * w).numpy(), rtol=1e-6)
        size = fwd.unpack_dual(fwd.make_dual(z, w).abs()).tangent
        np.testing.assert_allclose(size.numpy(), ((z.conj() * w).real / z.abs()).numpy(), rtol=1e-6)


def test_under_no_grad() -> None:
    weight = vec(X).requires_grad_()
    with torch.no_grad():
        with fwd.dual_level():
            found = fwd.unpack_dual(fwd.make_dual(weight, vec(V)) ** 2)
        assert not torch.is_grad_enabled()
    assert not found.primal.requires_grad and not found.tangent.requires_grad
    close(found.tangent, 2 * np.multiply(X, V))
    with fwd.dual_level():
        dual = fwd.make_dual(vec(X), vec(V))
        with torch.no_grad():
            with pytest.raises(RuntimeError, match=r"torch.no_grad\(\) has switched off"):
                fwd.unpack_dual(dual)
            with pytest.raises(RuntimeError, match=r"torch.no_grad\(\) has switched off"):
                fwd.make_dual(vec(X), vec(V))
    assert torch.is_grad_enabled()


def test_levels() -> None:
    with pytest.raises(RuntimeError, match="make sure to enter_dual_level"):
        fwd.make_dual(vec(X), vec(V))
    with pytest.raises(RuntimeError, match="was not the last one"):
        fwd.exit_dual_level()
    assert fwd.enter_dual_level() == 0
    try:
        with pytest.raises(RuntimeError, match="Nested forward mode AD"):
            fwd.enter_dual_level()
        with pytest.raises(RuntimeError, match="was not the last one"):
            fwd.exit_dual_level(level=1)
        assert fwd.unpack_dual(vec(X), level=0).tangent is None
    finally:
        fwd.exit_dual_level(level=0)

    @fwd.dual_level()
    def slope(x: Any) -> Any:
        return fwd.unpack_dual(fwd.make_dual(x, torch.ones_like(x)).sin()).tangent

    close(slope(vec(X)), np.cos(X))


def test_refusals() -> None:
    x = vec(X)
    with fwd.dual_level():
        with pytest.raises(RuntimeError, match="different size"):
            fwd.make_dual(x, vec(V[:2]))
        with pytest.raises(RuntimeError, match="different dtype"):
            fwd.make_dual(x, vec(V).float())
        with pytest.raises(ValueError, match="Expected primal to be floating point"):
            fwd.make_dual(torch.tensor([1]), vec([1.0]))
        with pytest.raises(ValueError, match="Expected tangent to be floating point"):
            fwd.make_dual(vec([1.0]), torch.tensor([1]))
        dual = fwd.make_dual(x, vec(V))
        for again in (dual, dual * 2):
            with pytest.raises(RuntimeError, match="already has a forward gradient"):
                fwd.make_dual(again, vec(V))


FUNCTIONS = {
    "products": lambda t, x: (x @ x.T).relu().sum(0),
    "reduction": lambda t, x: x.softmax(-1).std(1) + x.logsumexp(1) + x.amax(1) + x.prod(1),
    "indexing": lambda t, x: t.cat([x[1:], x[:1] * 2]).flip(0).cumsum(0),
    "linear algebra": lambda t, x: t.linalg.inv(x[:, :2].T @ x[:, :2] + t.eye(2, dtype=x.dtype)).diagonal(),
    "convolution": lambda t, x: t.nn.functional.conv1d(x[None], x[:2, None, :2].repeat(1, 3, 1)),
    "normalization": lambda t, x: t.nn.functional.layer_norm(x, (4,)).sigmoid(),
    "sorting": lambda t, x: x.sort(1)[0] * x.topk(2, 1)[0].sum(),
    "where": lambda t, x: t.where(x > 0, x**2, x.sin()),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_tangents_are_pytorchs(name: str) -> None:
    f = FUNCTIONS[name]
    rng = np.random.default_rng(5)
    x, v = rng.standard_normal((3, 4)), rng.standard_normal((3, 4))

    def of(t: Any) -> Any:
        ad = importlib.import_module(f"{t.__name__}.autograd.forward_ad")
        with ad.dual_level():
            return ad.unpack_dual(f(t, ad.make_dual(t.from_numpy(x.copy()), t.from_numpy(v.copy()))))

    found = of(torch)
    a, b = f(torch, torch.from_numpy(x + 1e-6 * v)), f(torch, torch.from_numpy(x - 1e-6 * v))
    np.testing.assert_allclose(found.tangent.numpy(), ((a - b) / 2e-6).numpy(), rtol=1e-5, atol=1e-6)
    expected = of(pytest.importorskip("torch"))
    np.testing.assert_allclose(found.primal.numpy(), expected.primal.numpy(), rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(found.tangent.numpy(), expected.tangent.numpy(), rtol=1e-9, atol=1e-12)


def test_gradcheck_checks_forward_mode() -> None:
    x, z = vec(X).requires_grad_(), torch.tensor([1 + 2j, 0.5 - 1j], dtype=torch.complex128, requires_grad=True)
    check = torch.autograd.gradcheck
    assert check(lambda x: (x.exp() * x, x.sum()), x, check_forward_ad=True)
    assert check(lambda z: (z * z.conj() + z**2, z.abs()), z, check_forward_ad=True)
    assert check(lambda x, z: torch.complex(x[:2], x[1:]) * z, (x, z), check_forward_ad=True)

    class Wrong(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            return x * 2

        @staticmethod
        def backward(ctx: Any, g: Any) -> Any:
            return g * 3

    with pytest.raises(torch.autograd.gradcheck.__globals__["GradcheckError"], match="Jacobian mismatch"):
        check(Wrong.apply, x, check_forward_ad=True, check_backward_ad=False)
    assert check(Wrong.apply, x, check_backward_ad=False)
