"""torch.func: gradients, Jacobians and batched functions, against derivatives worked out by hand and each other."""

from __future__ import annotations

import math

import numpy as np
import pytest

import rushlight as torch
from rushlight.func import (
    functional_call,
    functionalize,
    grad,
    grad_and_value,
    hessian,
    jacfwd,
    jacrev,
    jvp,
    linearize,
    replace_all_batch_norm_modules_,
    stack_module_state,
    vjp,
    vmap,
)
from rushlight.utils._pytree import (
    register_pytree_node,
    tree_flatten,
    tree_leaves,
    tree_map,
    tree_map_only,
    tree_unflatten,
)

X = [0.5, -1.0, 2.0]


def x():
    return torch.tensor(X, dtype=torch.float64)


def close(t, expected):
    np.testing.assert_allclose(t.detach().numpy(), expected, rtol=1e-9, atol=1e-12)
    return True


# ---------------------------------------------------------------------------------------------------------------------
# grad


def test_gradients_of_a_function():
    assert close(grad(lambda t: (t**3).sum())(x()), [3 * v * v for v in X])
    gradient, value = grad_and_value(lambda t: t.exp().sum())(x())
    assert close(gradient, np.exp(X)) and close(value, np.exp(X).sum())
    assert not gradient.requires_grad and not value.requires_grad


def test_derivatives_of_derivatives():
    first = grad(torch.sin)
    for order, expected in enumerate((math.cos, lambda v: -math.sin(v), lambda v: -math.cos(v), math.sin)):
        f = torch.sin
        for _ in range(order + 1):
            f = grad(f)
        assert close(f(torch.tensor(0.3, dtype=torch.float64)), expected(0.3))
    assert first(torch.tensor(0.0)).item() == 1.0


def test_which_arguments():
    a, b = x(), x() * 2

    def f(a, b):
        return (a * b * b).sum()

    assert close(grad(f)(a, b), (b * b).numpy()) and close(grad(f, argnums=1)(a, b), (2 * a * b).numpy())
    ga, gb = grad(f, argnums=(0, -1))(a, b)
    assert close(ga, (b * b).numpy()) and close(gb, (2 * a * b).numpy())
    tree = grad(lambda d: (d["a"] * d["b"][0]).sum())({"a": a, "b": [b, a]})
    assert close(tree["a"], b.numpy()) and close(tree["b"][0], a.numpy()) and close(tree["b"][1], [0, 0, 0])
    assert close(grad(lambda t, *, k: (t * k).sum())(a, k=3), [3, 3, 3])


def test_what_else_the_function_returns():
    gradient, aux = grad(lambda t: (t.sum(), {"twice": t * 2}), has_aux=True)(x())
    assert close(gradient, [1, 1, 1]) and close(aux["twice"], np.multiply(X, 2)) and not aux["twice"].requires_grad
    gradient, (value, aux) = grad_and_value(lambda t: (t.sum(), t), has_aux=True)(x())
    assert value.item() == sum(X) and close(aux, X)


def test_the_tape_outside():
    """What is on the tape outside stays there; what is not is taken off."""
    p = x().requires_grad_()
    inner = grad(lambda t: (t**2).sum())(p)
    assert inner.requires_grad
    inner.sum().backward()
    assert close(p.grad, [2, 2, 2])
    captured = grad(lambda t: (t**2 * p).sum())(x())
    assert torch.autograd.grad(captured.sum(), p)[0].tolist() == [2 * v for v in X]
    with torch.no_grad():
        assert close(grad(lambda t: (t**2).sum())(p), [2 * v for v in X])
        assert not grad(lambda t: (t**2).sum())(p).requires_grad
    assert p.grad.tolist() == [2, 2, 2]


def test_no_perturbation_is_confused():
    """The classic trap: an inner derivative must not see the outer variable's perturbation."""
    one = torch.tensor(1.0)
    assert grad(lambda a: a * grad(lambda b: a + b)(one))(one).item() == 1.0


def test_no_grad_and_in_place_inside():
    def halted(t):
        with torch.no_grad():
            c = t * t
        return (t * c).sum()

    assert close(grad(halted)(x()), [v * v for v in X])

    def changed(t):
        t.mul_(3)
        return (t * t).sum()

    given = x()
    assert close(grad(changed)(given), [18 * v for v in X]) and given.tolist() == X


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: grad(lambda t: t)(x()), "Expected f(*args) to return a scalar Tensor, got tensor with 1 dims"),
        (lambda: grad(lambda t: 3)(x()), "Expected f(*args) to return a Tensor, got <class 'int'>"),
        (lambda: grad(torch.sum, argnums=2)(x()), "Got argnum=2, but only 1 positional inputs"),
        (lambda: grad(torch.sum, argnums="a")(x()), "argnums must be int or Tuple[int, ...], got: <class 'str'>"),
        (
            lambda: grad(lambda t: (t.sum(), 3), has_aux=True)(x()),
            "Expected tensors, got unsupported type <class 'int'>",
        ),
        (lambda: grad(torch.sum)(torch.tensor([1, 2])), "only Tensors of floating point dtype can require gradients"),
        (lambda: vjp(lambda t: 3, x()), "expected f(*primals) to return only tensors, got unsupported type"),
        (lambda: vjp(torch.sin, x())[1](torch.ones(2)), "Mismatch in shape"),
        (lambda: vjp(torch.sin, x())[1]((x(), x())), "pytree structure of cotangents"),
        (lambda: jvp(torch.sin, x(), (x(),)), "Expected primals to be a tuple"),
        (lambda: jvp(torch.sin, (x(),), (torch.ones(2),)), "forward gradient that has a different size"),
    ],
)
def test_errors_of_derivatives(call, message):
    with pytest.raises(RuntimeError) as failed:
        call()
    assert message in str(failed.value)
    with pytest.raises(ValueError, match="Thing passed to transform API must be Tensor"):
        grad(torch.sum)(3)


# ---------------------------------------------------------------------------------------------------------------------
# Products and Jacobians


def test_vjp_and_jvp_agree_with_the_jacobian():
    def f(t):
        return torch.stack([t[0] * t[1], t[2] ** 2])

    jacobian = np.array([[X[1], X[0], 0], [0, 0, 2 * X[2]]])
    left, right = torch.tensor([2.0, -1.0], dtype=torch.float64), torch.tensor([1.0, 0.5, 3.0], dtype=torch.float64)
    output, back = vjp(f, x())
    assert close(output, [X[0] * X[1], X[2] ** 2]) and close(back(left)[0], left.numpy() @ jacobian)
    assert close(back(left * 2)[0], 2 * left.numpy() @ jacobian)
    output, product = jvp(f, (x(),), (right,))
    assert close(product, jacobian @ right.numpy())
    _, push = linearize(f, x())
    assert close(push(right), jacobian @ right.numpy()) and close(push(right * 2), 2 * jacobian @ right.numpy())
    assert close(jacrev(f)(x()), jacobian) and close(jacfwd(f)(x()), jacobian)


def test_containers_of_inputs_and_outputs():
    def f(d):
        return {"sum": d["a"] + d["b"], "product": (d["a"] * d["b"],)}

    inputs = {"a": x(), "b": x() * 2}
    found = jacrev(f)(inputs)
    assert close(found["sum"]["a"], np.eye(3)) and close(found["product"][0]["b"], np.diag(X))
    _, product = jvp(f, (inputs,), ({"a": torch.ones(3).double(), "b": torch.zeros(3).double()},))
    assert close(product["sum"], [1, 1, 1]) and close(product["product"][0], np.multiply(X, 2))
    (back,) = vjp(f, inputs)[1]({"sum": torch.zeros(3).double(), "product": (torch.ones(3).double(),)})
    assert close(back["b"], X)
    a, b = jacrev(lambda a, b: a * b, argnums=(0, 1))(x(), x() * 2)
    assert close(a, np.diag(np.multiply(X, 2))) and close(b, np.diag(X))


def test_hessians():
    assert close(hessian(lambda t: (t**3).sum())(x()), np.diag([6 * v for v in X]))
    assert close(jacfwd(jacrev(lambda t: t[0] * t[1] * t[2]))(x()),
                 [[0, X[2], X[1]], [X[2], 0, X[0]], [X[1], X[0], 0]])  # fmt: skip
    found, aux = jacrev(lambda t: (t * 2, t), has_aux=True)(x())
    assert close(found, 2 * np.eye(3)) and close(aux, X)
    product = jvp(grad(lambda t: (t**3).sum()), (x(),), (torch.ones(3).double(),))[1]
    assert close(product, [6 * v for v in X])


def test_jacobians_of_nothing_and_of_numbers():
    assert jacrev(lambda t: t[:0])(x()).shape == (0, 3)
    assert close(jacrev(torch.sin)(torch.tensor(0.0)), 1.0)
    assert close(jacrev(lambda t: torch.ones(2).double())(x()), np.zeros((2, 3)))


# ---------------------------------------------------------------------------------------------------------------------
# vmap


def test_vmap():
    rows = torch.arange(6.0).reshape(3, 2)
    assert vmap(torch.sum)(rows).tolist() == [1, 5, 9]
    assert vmap(torch.dot)(rows, rows).tolist() == [1, 13, 41]
    assert vmap(torch.sum, in_dims=1)(rows).tolist() == [6, 9]
    assert vmap(torch.sum, in_dims=-1)(rows).tolist() == [6, 9]
    assert vmap(torch.add, in_dims=(0, None))(rows, rows[0]).tolist() == (rows + rows[0]).tolist()
    assert vmap(lambda t: t * 2, out_dims=1)(rows).tolist() == (rows.t() * 2).tolist()
    assert torch.vmap is vmap


def test_vmap_of_containers():
    rows = torch.arange(6.0).reshape(3, 2)
    found = vmap(lambda d, s: {"a": d["x"] * s, "b": (d["y"], d["x"].sum())}, in_dims=({"x": 0, "y": None}, None))(
        {"x": rows, "y": rows[0]}, 10
    )
    assert found["a"].tolist() == (rows * 10).tolist()
    assert found["b"][0].tolist() == [[0, 1]] * 3 and found["b"][1].tolist() == [1, 5, 9]
    first, second = vmap(lambda t: (t, 7), out_dims=(0, None))(rows)
    assert first.shape == (3, 2) and second == 7
    assert vmap(lambda t, *, k: t + k)(rows, k=1).tolist() == (rows + 1).tolist()


def test_vmap_inside_vmap_and_with_derivatives():
    a, b = torch.arange(4.0), torch.arange(3.0)
    table = vmap(vmap(torch.mul, (None, 0)), (0, None))(a, b)
    assert table.tolist() == (a[:, None] * b).tolist()
    per_row = vmap(grad(lambda t: (t**2).sum()))(torch.arange(6.0).reshape(3, 2))
    assert per_row.tolist() == [[0, 2], [4, 6], [8, 10]]
    eye = torch.eye(3).double()
    (rows,) = vmap(vjp(lambda t: t**2, x())[1])(eye)
    assert close(rows, np.diag(np.multiply(X, 2)))
    p = torch.ones(3, requires_grad=True)
    vmap(lambda t: t * 2)(p).sum().backward()
    assert p.grad.tolist() == [2, 2, 2]


def test_per_sample_gradients():
    torch.manual_seed(0)
    model = torch.nn.Linear(3, 1)
    parameters = {name: t.detach() for name, t in model.named_parameters()}
    data, target = torch.randn(4, 3), torch.randn(4, 1)

    def loss(parameters, sample, wanted):
        return ((functional_call(model, parameters, (sample,)) - wanted) ** 2).sum()

    found = vmap(grad(loss), in_dims=(None, 0, 0))(parameters, data, target)
    assert found["weight"].shape == (4, 1, 3) and found["bias"].shape == (4, 1)
    for i in range(4):
        model.zero_grad()
        ((model(data[i]) - target[i]) ** 2).sum().backward()
        assert torch.allclose(found["weight"][i], model.weight.grad, atol=1e-6)


def test_random_numbers_in_vmap():
    rows = torch.zeros(3)
    with pytest.raises(RuntimeError, match="called random operation while in randomness error mode"):
        vmap(lambda t: t + torch.rand(()))(rows)
    torch.manual_seed(1)
    first = torch.rand(3)
    torch.manual_seed(1)
    assert vmap(lambda t: t + torch.rand(()), randomness="different")(rows).tolist() == first.tolist()
    same = vmap(lambda t: t + torch.rand(()), randomness="same")(rows)
    assert same[0] == same[1] == same[2]


def test_vmap_over_nothing():
    assert vmap(lambda t: t.sum())(torch.zeros(0, 2)).shape == (0,)
    assert vmap(lambda t: t.repeat(2), out_dims=1)(torch.zeros(0, 2)).shape == (4, 0)


@pytest.mark.parametrize(
    "call, message",
    [
        (
            lambda: vmap(torch.sum)(torch.tensor(1.0)),
            "Got in_dim=0 for some input, but that input is a Tensor of dimensionality 0",
        ),
        (lambda: vmap(torch.sum, in_dims=5)(x()), "expected in_dim to satisfy -1 <= in_dim < 1."),
        (lambda: vmap(lambda t: 3.0)(x()), "must only return Tensors, got type <class 'float'>"),
        (lambda: vmap(torch.add)(torch.ones(3), torch.ones(4)), "got sizes [3, 4] for the mapped dimension"),
        (lambda: vmap(torch.add, in_dims=(0,))(x(), x()), "in_dims is not compatible with the structure of `inputs`"),
        (lambda: vmap(torch.sum, in_dims="a")(x()), "expected `in_dims` to be int or a (potentially nested) tuple"),
        (
            lambda: vmap(lambda t: (t, t), out_dims=(0,))(x()),
            "out_dims is not compatible with the structure of `outputs`",
        ),
        (lambda: vmap(torch.sum)(), "got no inputs"),
        (lambda: vmap(lambda t: t)(3), "We cannot vmap over non-Tensor arguments"),
        (lambda: vmap(torch.sum, chunk_size=0)(x()), "chunk_size should be None or greater than 0"),
    ],
)
def test_errors_of_vmap(call, message):
    with pytest.raises(ValueError) as failed:
        call()
    assert message in str(failed.value)
    with pytest.raises(RuntimeError, match="Only allowed values for randomness"):
        vmap(torch.sum, randomness="sometimes")


# ---------------------------------------------------------------------------------------------------------------------
# Modules as functions


def test_functional_call():
    layer = torch.nn.Linear(2, 1)
    other = {"weight": torch.ones(1, 2)}, {"bias": torch.zeros(1)}
    before = layer.weight.tolist()
    assert functional_call(layer, other, (torch.ones(2),)).item() == 2.0 and layer.weight.tolist() == before
    assert functional_call(layer, {"weight": torch.zeros(1, 2)}, torch.ones(2)).item() == layer.bias.item()
    with pytest.raises(ValueError, match="appeared in multiple dictionaries"):
        functional_call(layer, (other[0], other[0]), (torch.ones(2),))
    with pytest.raises(ValueError, match="Expected parameter_and_buffer_dicts to be a dict"):
        functional_call(layer, 3, (torch.ones(2),))
    gradient = grad(lambda p: functional_call(layer, p, torch.ones(2)).sum())(other[0])
    assert gradient["weight"].tolist() == [[1, 1]]


def test_an_ensemble():
    models = [torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.BatchNorm1d(3)).eval() for _ in range(3)]
    parameters, buffers = stack_module_state(models)
    assert parameters["0.weight"].shape == (3, 3, 2) and parameters["0.weight"].requires_grad
    data = torch.randn(4, 2)
    found = vmap(lambda p, b: functional_call(models[0], (p, b), (data,)))(parameters, buffers)
    assert torch.allclose(found, torch.stack([m(data) for m in models]), atol=1e-6)
    with pytest.raises(RuntimeError, match="Expected at least one model"):
        stack_module_state([])
    with pytest.raises(RuntimeError, match="same class"):
        stack_module_state([models[0], torch.nn.Linear(1, 1).eval()])
    plain = replace_all_batch_norm_modules_(models[0])
    assert plain[1].running_mean is None and not plain[1].track_running_stats
    assert functionalize(torch.sin) is torch.sin


# ---------------------------------------------------------------------------------------------------------------------
# Containers


def test_flattening():
    tree = {"a": [1, (2, 3)], "b": None}
    leaves, spec = tree_flatten(tree)
    assert leaves == [1, 2, 3, None] and tree_unflatten(leaves, spec) == tree and spec.num_leaves == 4
    assert repr(tree_flatten((1, 2))[1]) == "TreeSpec(tuple, None, [*, *])"
    assert tree_map(lambda a, b: a + b, [1, (2,)], [10, (20,)]) == [11, (22,)]
    assert tree_map_only(int, str, [1, "a", 2.0]) == ["1", "a", 2.0]
    with pytest.raises(ValueError, match="holds 4 items"):
        tree_unflatten([1], spec)
    with pytest.raises(ValueError, match="Node type mismatch"):
        tree_map(lambda a, b: a, [1], (1,))


def test_containers_of_ones_own():
    class Pair:
        def __init__(self, a, b):
            self.a, self.b = a, b

    register_pytree_node(Pair, lambda p: ([p.a, p.b], None), lambda children, _: Pair(*children))
    doubled = tree_map(lambda v: v * 2, Pair(1, [2]))
    assert doubled.a == 2 and doubled.b == [4] and tree_leaves(doubled) == [2, 4]
    with pytest.raises(ValueError, match="already registered"):
        register_pytree_node(Pair, lambda p: ([], None), lambda c, _: Pair(1, 2))
    found = grad(lambda p: (p.a * p.b).sum())(Pair(x(), x() * 2))
    assert close(found.b, X)


# ---------------------------------------------------------------------------------------------------------------------
# rearrange


def test_dimensions_are_rearranged():
    rearrange = torch.func.rearrange
    images = torch.arange(2 * 4 * 6 * 3).reshape(2, 4, 6, 3)
    expected = {
        "b h w c -> b c h w": images.permute(0, 3, 1, 2),
        "b h w c -> (b h) w c": images.reshape(8, 6, 3),
        "b h w c -> h (b w) c": images.transpose(0, 1).reshape(4, 12, 3),
        "b ... -> ... b": images.permute(1, 2, 3, 0),
        "b ... c -> b (...) c": images.reshape(2, 24, 3),
        "... -> (...)": images.reshape(-1),
        "b h w c -> b 1 h w (c)": images[:, None],
        "b h w c->b h () w c": images[:, :, None],
    }
    for pattern, result in expected.items():
        assert torch.equal(rearrange(images, pattern), result), pattern
    patches = rearrange(images, "b (h p) (w q) c -> b (h w) (p q c)", p=2, q=3)
    assert torch.equal(patches[0, 1], images[0, :2, 3:].reshape(-1)) and patches.shape == (2, 4, 18)
    assert torch.equal(rearrange(patches, "b (h w) (p q c) -> b (h p) (w q) c", p=2, q=3, h=2), images)
    assert torch.equal(rearrange(images[:, :, :1], "b h 1 c -> b c h"), images[:, :, 0].transpose(1, 2))
    assert torch.equal(rearrange([images[0], images[1]], "b h w c -> h b w c"), images.transpose(0, 1))
    assert rearrange(torch.tensor(3), "-> 1 1").shape == (1, 1)
    x = torch.randn(4, 3, requires_grad=True)
    rearrange(x, "(a b) c -> c a b", a=2)[0].sum().backward()
    assert x.grad.sum(0).tolist() == [4, 0, 0]


@pytest.mark.parametrize(
    ("pattern", "options", "text"),
    [
        ("a b", {}, "single '->' separator"), ("a b -> a", {}, "only on one side"), ("a a -> a", {}, "duplicate dim"),
        ("a b -> a ... b", {}, "Ellipsis found in right side"), ("(a ...) b -> a b ...", {}, "is not allowed"),
        ("a b c -> a b c", {}, "must match"), ("a (b) (c d) ... e -> a b c d e ...", {}, "must match"),
        ("(a b) c -> a b c", {}, "Cannot infer"), ("(a b) c -> a b c", {"a": 3}, "cannot be made of axes"),
        ("a b -> b a", {"a": 5}, "cannot be made of axes"), ("a b -> b a", {"z": 5}, "not in the pattern"),
        ("((a) b) c -> a b c", {}, "one-level"), ("a) b -> a b", {}, "not balanced"), ("(a b -> a b", {}, "Imbalanced"),
        ("a 2 -> a 2", {}, "unnamed axes of size 1"), ("_a b -> b _a", {}, "Invalid axis"), ("? -> ?", {}, "Invalid"),
    ],
)  # fmt: skip
def test_patterns_that_do_not_fit(pattern, options, text):
    with pytest.raises(ValueError, match=text):
        torch.func.rearrange(torch.zeros(4, 3), pattern, **options)


def test_lengths_are_whole_numbers():
    with pytest.raises(TypeError, match="must be integers"):
        torch.func.rearrange(torch.zeros(4, 3), "(a b) c -> a b c", a=2.0)


def test_rearranging_is_pytorchs():
    pytorch = pytest.importorskip("torch")
    rearrange = pytest.importorskip("functorch.einops").rearrange
    x = np.arange(48.0).reshape(2, 4, 6)
    for pattern, options in (("a (b c) d -> (a c) d b", {"c": 2}), ("... d -> d ...", {}), ("a b c -> (c a) 1 b", {})):
        expected = rearrange(pytorch.from_numpy(x.copy()), pattern, **options).numpy()
        found = torch.func.rearrange(torch.from_numpy(x.copy()), pattern, **options).numpy()
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(
    ("call", "error", "says"),
    [
        (lambda: grad(lambda x, y: x.sum(), argnums=(0, 0))(torch.ones(1), torch.ones(1)), RuntimeError, "unique"),
        (lambda: vjp(lambda x: x, torch.ones(2))[1](None), RuntimeError, "cotangents must be tensors"),
        (lambda: jvp(lambda x: torch.ones(2), (torch.ones(2),), (torch.ones(2),), strict=True), RuntimeError, "indepe"),
        (lambda: jvp(lambda: 1, (), ()), RuntimeError, "at least one Tensor"),
        (lambda: jacrev(torch.argmax)(torch.ones(2)), RuntimeError, "must be floating-point or complex"),
        (lambda: jacfwd(torch.sin, randomness="some")(torch.ones(2)), RuntimeError, "Only allowed values"),
        (lambda: vmap(torch.sin, out_dims="a")(torch.ones(2)), ValueError, "`out_dims` must be"),
    ],
)
def test_what_transforms_refuse(call, error, says):
    with pytest.raises(error, match=says):
        call()
