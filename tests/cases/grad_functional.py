"""`gradcheck`, `gradgradcheck` and `torch.autograd.functional`."""

from __future__ import annotations

from cases import case, raises


def point(t, *values):
    return t.tensor(values, dtype=t.float64, requires_grad=True)


@case
def gradcheck_accepts(t, np):
    x, w = point(t, 0.5, -1.5), point(t, 2.0, 3.0)
    m = t.tensor([[0.3, -0.7], [1.1, 0.4]], dtype=t.float64, requires_grad=True)
    check = t.autograd.gradcheck
    return [
        check(t.sin, (x,)),
        check(lambda a, b: a * b, (x, w)),
        check(lambda a: a.softmax(0), x),
        check(lambda a, b: a @ b, (m, m)),
        check(lambda a: (a * 2, a.exp()), (x,)),
        check(lambda a, n: a * n, (x, 3.0)),
    ]


@case
def gradcheck_refuses(t, np):
    x = point(t, 0.5, -1.5)

    def wrong(v):
        return v.detach() * v

    return t.autograd.gradcheck(wrong, (x,), raise_exception=False), raises(lambda: t.autograd.gradcheck(wrong, (x,)))


@case
def gradcheck_argument_errors(t, np):
    return [
        raises(lambda: t.autograd.gradcheck(t.sin, (t.ones(2, dtype=t.float64),))),
        t.autograd.gradcheck(
            lambda v: v * 2, (t.tensor([1.0], dtype=t.float64, requires_grad=True),), eps=1e-4, atol=1e-3
        ),
    ]


@case
def gradgradcheck_accepts_and_refuses(t, np):
    x = point(t, 0.5, 1.5)
    return (
        t.autograd.gradgradcheck(lambda v: v**3, (x,)),
        t.autograd.gradgradcheck(t.sigmoid, (x,)),
        t.autograd.gradgradcheck(lambda v: v.log(), x),
    )


@case
def jacobian_of_one_input(t, np):
    x = t.tensor([1.0, 2.0])
    jacobian = t.autograd.functional.jacobian
    return (
        jacobian(lambda v: v**2, x),
        jacobian(lambda v: v.sum(), x),
        jacobian(lambda v: v.view(1, 2) * 3, x),
        x.requires_grad,
    )


@case
def jacobian_of_several_inputs_and_outputs(t, np):
    x, y = t.tensor([1.0, 2.0]), t.tensor([3.0])
    jacobian = t.autograd.functional.jacobian
    return (
        jacobian(lambda a, b: a * b, (x, y)),
        jacobian(lambda a: (a * 2, a.sum()), x),
        jacobian(lambda a, b: (a * b, b), (x, y)),
    )


@case
def jacobian_create_graph_and_strict(t, np):
    x = t.tensor([1.0, 2.0], requires_grad=True)
    jacobian = t.autograd.functional.jacobian
    j = jacobian(lambda v: v**3, x, create_graph=True)
    (g,) = t.autograd.grad(j.sum(), x)
    return j, g, raises(lambda: jacobian(lambda v: t.ones(2), x, strict=True)), jacobian(lambda v: t.ones(2), x)


@case
def jacobian_vectorized(t, np):
    x = t.tensor([1.0, 2.0, 3.0])
    return t.autograd.functional.jacobian(lambda v: v.cumprod(0), x, vectorize=True), t.autograd.functional.jacobian(
        lambda v: v.cumprod(0), x
    )


@case
def hessian(t, np):
    x, y = t.tensor([1.0, 2.0]), t.tensor([3.0])
    h = t.autograd.functional.hessian
    return (
        h(lambda v: (v**3).sum(), x),
        h(lambda a, b: (a * a * b).sum(), (x, y)),
        raises(lambda: h(lambda v: v * 2, x)),
    )


@case
def vjp(t, np):
    x, v = t.tensor([1.0, 2.0]), t.tensor([10.0, 100.0])
    f = t.autograd.functional.vjp
    return (
        f(lambda a: a**2, x, v),
        f(lambda a: a.sum(), x),
        f(lambda a, b: a * b, (x, v), v),
        raises(lambda: f(lambda a: a**2, x)),
    )


@case
def jvp(t, np):
    x, v = t.tensor([1.0, 2.0]), t.tensor([10.0, 100.0])
    f = t.autograd.functional.jvp
    return f(lambda a: a**2, x, v), f(lambda a, b: a * b, (x, v), (v, x)), raises(lambda: f(lambda a: a**2, x))


@case
def vhp_and_hvp(t, np):
    x, v = t.tensor([1.0, 2.0]), t.tensor([1.0, -1.0])
    vhp, hvp = t.autograd.functional.vhp, t.autograd.functional.hvp
    return vhp(lambda a: (a**3).sum() + a.prod(), x, v), hvp(lambda a: (a**3).sum() + a.prod(), x, v)


@case
def newton_step_with_hessian(t, np):
    x = t.tensor([1.5, -0.5], dtype=t.float64)

    def rosenbrock(v):
        return (1 - v[0]) ** 2 + 100 * (v[1] - v[0] ** 2) ** 2

    for _ in range(3):
        g = t.autograd.functional.jacobian(rosenbrock, x)
        h = t.autograd.functional.hessian(rosenbrock, x)
        x = x - t.linalg.solve(h, g)
    return x


@case
def functional_leaves_inputs_alone(t, np):
    x = t.tensor([1.0, 2.0], requires_grad=True)
    t.autograd.functional.jacobian(lambda v: v**2, x)
    t.autograd.functional.hessian(lambda v: (v**2).sum(), x)
    return x.grad, x.requires_grad, x.is_leaf


@case
def forward_mode_dual_numbers_or_refusal(t, np):
    x, v = t.tensor([1.0, 2.0]), t.tensor([1.0, 10.0])
    y, tangent = t.func.jvp(lambda a: a * a, (x,), (v,))
    return y, tangent


@case
def func_grad_and_friends(t, np):
    x = t.tensor([1.0, 2.0])
    g = t.func.grad(lambda v: (v**3).sum())(x)
    gv = t.func.grad_and_value(lambda v: (v**3).sum())(x)
    return g, gv, t.func.jacrev(lambda v: v**2)(x), t.func.vjp(lambda v: v * 2, x)[1](x)


@case
def finite_differences_agree(t, np):
    functions = {
        "tanh_mean": lambda v: t.tanh(v).mean(),
        "softmax_entropy": lambda v: -(v.softmax(0) * v.log_softmax(0)).sum(),
        "norm_ratio": lambda v: v.norm() / (1 + v.abs().sum()),
        "where_clamp": lambda v: t.where(v > 0, v.clamp(max=1), v * v).sum(),
        "cumsum_prod": lambda v: v.cumsum(0).prod(),
        "sorted_weighted": lambda v: (v.sort()[0] * t.arange(3.0, dtype=t.float64)).sum(),
    }
    results = {}
    for key, function in functions.items():
        x = point(t, 0.4, -0.9, 1.7)
        function(x).backward()
        numeric = []
        for i in range(3):
            step = t.zeros(3, dtype=t.float64)
            step[i] = 1e-6
            with t.no_grad():
                numeric.append(((function(x + step) - function(x - step)) / 2e-6).item())
        results[key] = [x.grad, bool(np.allclose(x.grad.numpy(), numeric, rtol=1e-5, atol=1e-7))]
    return results
