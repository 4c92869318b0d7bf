"""Gradients where memory is shared or overwritten, and where the gradient that arrives is infinite: writes through
`.real`, `.imag` and `view_as_real`, results that are overwritten before the pass, and derivatives that are 0 whatever
comes.
"""

from __future__ import annotations

from cases import case, raises

INF = float("inf")


def complex_leaf(t):
    return t.complex(t.tensor([[1.0, -0.5], [0.25, 2.0]]), t.tensor([[0.5, 1.5], [-1.0, 0.75]])).requires_grad_()


def written_through(t, write):
    """The gradients by way of the base and of its real view, after `write(base, view)`."""
    found = []
    for through_view in (False, True):
        leaf = complex_leaf(t)
        base = leaf * (1 + 1j)
        view = t.view_as_real(base)
        write(base, view)
        loss = (view * t.arange(8.0).reshape(2, 2, 2)).sum() if through_view else (base * base.conj()).real.sum()
        loss.backward()
        found.append(t.view_as_real(leaf.grad))
    return found


@case(rtol=1e-5)
def complex_memory_written_through_real_views(t, np):
    w = t.arange(4.0).reshape(2, 2) + 1
    return {
        "base": written_through(t, lambda b, v: b.mul_(2)),
        "view": written_through(t, lambda b, v: v.mul_(3)),
        "real part": written_through(t, lambda b, v: b.real.mul_(w)),
        "imaginary part": written_through(t, lambda b, v: b.imag.copy_(w)),
        "part of the view": written_through(t, lambda b, v: v[..., 0].mul_(w)),
        "view, then base": written_through(t, lambda b, v: (v[1:].mul_(2), b.mul_(1 + 2j))),
    }


@case(rtol=1e-5)
def real_memory_written_through_a_complex_view(t, np):
    found = []
    for write in (lambda b, v: v.mul_(1 + 2j), lambda b, v: b.mul_(3)):
        leaf = t.arange(8.0).reshape(2, 2, 2).requires_grad_()
        base = leaf * 2
        view = t.view_as_complex(base)
        write(base, view)
        ((base * base).sum() + (view * view.conj()).real.sum()).backward()
        found.append(leaf.grad)
    return found


@case(rtol=1e-5)
def results_that_may_be_overwritten(t, np):
    found = {}
    operations = {
        "div": lambda x, y: x / y,
        "mul": lambda x, y: x * y,
        "logaddexp": t.logaddexp,
        "logaddexp2": t.logaddexp2,
        "atan2": t.atan2,
        "erfinv": lambda x, y: t.erfinv(x),
        "log": lambda x, y: x.log(),
        "pow": lambda x, y: x**0.3,
        "exp": lambda x, y: x.exp(),
        "tanh": lambda x, y: x.tanh(),
        "sqrt": lambda x, y: x.sqrt(),
        "hypot": t.hypot,
    }
    for name, function in operations.items():
        x = t.tensor([0.25, 0.5], requires_grad=True)
        y = t.tensor([1.5, 0.75], requires_grad=True)
        z = function(x, y)
        total = z.sum()
        z.detach().clamp_(min=10.0)
        found[name] = [raises(total.backward), x.grad, y.grad]
    return found


@case
def gamma_samples_have_gradients(t, np):
    a = t.tensor([0.5, 2.0], requires_grad=True)
    rate = t.tensor([1.5, 0.5], requires_grad=True)
    t.manual_seed(0)
    t.distributions.Gamma(a, rate).rsample().sum().backward()
    return a.grad is not None, rate.grad.isfinite()


def slope(t, function, *points):
    """The gradients of `function` where an infinite one arrives."""
    leaves = [t.tensor(p, requires_grad=True) for p in points]
    result = function(*leaves)
    result.backward(t.full_like(result, INF))
    return [x.grad + 0 for x in leaves]


@case
def zero_slopes_under_an_infinite_gradient(t, np):
    point, other = [1.5, -2.0], [2.0, 3.0]
    return {
        "copy_": slope(t, lambda x, y: (x * 1).copy_(y), point, other),
        "fill_": slope(t, lambda x: (x * 1).fill_(2), point),
        "zero_": slope(t, lambda x: (x * 1).zero_(), point),
        "floor": slope(t, lambda x: x.floor(), point),
        "div floor": slope(t, lambda x, y: t.div(x, y, rounding_mode="floor"), point, other),
        "div trunc": slope(t, lambda x, y: t.div(x, y, rounding_mode="trunc"), point, other),
        "to the power of 0": slope(t, lambda x: x**0, point),
        "to the power of a tensor 0": slope(t, lambda x: x ** t.tensor([0.0, 2.0]), point),
        "angle": slope(t, lambda x: x.angle(), point),
        "sgn": slope(t, lambda x: x.sgn(), point),
        "sign": slope(t, lambda x: x.sign(), point),
    }


@case
def sgn_of_a_complex_zero_has_no_slope(t, np):
    x = t.zeros(2, dtype=t.complex64, requires_grad=True)
    t.view_as_real(t.sgn(x)).sum().backward()
    return t.view_as_real(x.grad)


@case(rtol=1e-5)
def polar_of_a_zero_radius(t, np):
    radius = t.tensor([0.0, 2.0], requires_grad=True)
    angle = t.tensor([0.5, 1.0], requires_grad=True)
    t.view_as_real(t.polar(radius, angle)).sum().backward()
    return radius.grad, angle.grad


@case
def names_of_powers(t, np):
    x = t.ones(2, requires_grad=True)
    return [type(f(x).grad_fn).__name__ for f in (
        lambda x: x**2, lambda x: x**0.3, lambda x: x**-1.7, lambda x: x**x, lambda x: 2**x, lambda x: t.square(x),
    )]  # fmt: skip


@case
def empty_expanded_tensor_is_written(t, np):
    x = t.zeros(1, 0).expand(3, 0)
    return x.add_(1).shape, raises(lambda: t.zeros(1, 2).expand(3, 2).add_(1))
