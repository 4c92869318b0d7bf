"""`backward` and `autograd.grad`: accumulation, kept and freed graphs, higher orders, argument forms, errors."""

from __future__ import annotations

from cases import case, kind, look, raises


@case
def backward_of_a_product(t, np):
    x = t.tensor([1.0, 2.0], requires_grad=True)
    w = t.tensor([3.0, 4.0], requires_grad=True)
    y = (x * w).sum()
    y.backward()
    return y, x.grad, w.grad, x.grad.requires_grad, y.grad_fn is None, x.grad_fn is None


@case
def gradients_accumulate(t, np):
    x = t.ones(2, requires_grad=True)
    seen = []
    for i in range(3):
        (x * i).sum().backward()
        seen.append(x.grad.clone())
    x.grad.zero_()
    (x * 10).sum().backward()
    first = x.grad
    x.grad = None
    (x * 5).sum().backward()
    return seen, first, x.grad, x.grad is first


@case
def accumulation_is_in_place(t, np):
    x = t.ones(2, requires_grad=True)
    (x * 2).sum().backward()
    g = x.grad
    (x * 3).sum().backward()
    return g is x.grad, g


@case
def first_grad_is_not_shared_between_leaves(t, np):
    x, y = t.ones(2, requires_grad=True), t.ones(2, requires_grad=True)
    (x + y).sum().backward()
    x.grad += 5
    return x.grad, y.grad, x.grad.data_ptr() == y.grad.data_ptr()


@case
def given_gradient_is_not_shared_with_grad(t, np):
    x, g = t.ones(2, requires_grad=True), t.tensor([1.0, 2.0])
    x.backward(g)
    x.backward(g)
    (x * 1).backward(g)
    g += 100
    return x.grad


@case
def non_scalar_backward_needs_a_gradient(t, np):
    x = t.ones(2, requires_grad=True)
    y = x * 2
    return [
        raises(lambda: y.backward()),
        raises(lambda: y.backward(t.ones(3))),
        raises(lambda: t.autograd.grad(y, x)),
        raises(lambda: y.backward(t.ones(2, dtype=t.float64))),
        raises(lambda: y.backward(t.ones(2)))[0],
        x.grad,
        raises(lambda: (x[:1] * 3).backward()),
        x.grad,
    ]


@case
def backward_twice(t, np):
    x = t.ones(2, requires_grad=True)
    y = (x * x).sum()
    y.backward()
    z = (x + 1).sum()
    z.backward()
    w = x.exp()
    w.sum().backward()
    return raises(y.backward), raises(z.backward), raises(lambda: w.sum().backward()), x.grad


@case
def retain_graph(t, np):
    x = t.ones(2, requires_grad=True)
    y = (x * x).sum()
    y.backward(retain_graph=True)
    y.backward(retain_graph=True)
    y.backward()
    return x.grad, raises(y.backward)


@case
def shared_subgraph_freed_by_the_first_root(t, np):
    x = t.ones(2, requires_grad=True)
    h = x.exp()
    a, b = h.sum(), (h * h).sum()
    a.backward()
    return raises(b.backward), x.grad


@case
def saved_tensors_after_backward(t, np):
    x = t.ones(2, requires_grad=True)
    y = x.exp()
    before = y.grad_fn._saved_result
    y.sum().backward()
    return before, raises(lambda: y.grad_fn._saved_result)


@case
def no_grad_needed_anywhere(t, np):
    x = t.ones(2)
    return raises(lambda: x.sum().backward()), raises(lambda: t.autograd.grad(x.sum(), x))


@case
def reading_before_backward(t, np):
    x = t.tensor([1.0, 2.0], requires_grad=True)
    y = x * x
    first = y.tolist()
    z = y.sum()
    value = z.item()
    z.backward()
    return first, value, x.grad


@case
def backward_before_anything_is_read(t, np):
    x = t.tensor([1.0, 2.0], requires_grad=True)
    y = (x * x).sum()
    y.backward()
    with t.no_grad():
        x -= x.grad
    return x, x.grad, y


@case
def graph_kept_across_iterations(t, np):
    x = t.tensor(2.0, requires_grad=True)
    h, seen = t.tensor(1.0), []
    for _ in range(3):
        h = h * x
        seen.append(h.item())
    h.backward()
    return seen, x.grad


@case
def truncated_by_detach(t, np):
    x = t.tensor(2.0, requires_grad=True)
    h = t.tensor(1.0)
    for i in range(4):
        if i == 2:
            h = h.detach()
        h = h * x
    h.backward()
    return h, x.grad


@case
def second_backward_through_a_recurrent_state(t, np):
    x = t.tensor(2.0, requires_grad=True)
    h = t.tensor(1.0)
    h = h * x
    (h * 1).backward()
    h = h * x
    return raises(lambda: h.backward()), x.grad


@case
def create_graph_second_and_third_order(t, np):
    x = t.tensor([1.0, 2.0], requires_grad=True)
    y = (x**4).sum()
    (g,) = t.autograd.grad(y, x, create_graph=True)
    (h,) = t.autograd.grad(g.sum(), x, create_graph=True)
    (k,) = t.autograd.grad(h.sum(), x)
    return g, h, k, g.requires_grad, h.requires_grad, k.requires_grad


@case
def second_order_of_many_functions(t, np):
    functions = {
        "exp": t.exp, "sin": t.sin, "tanh": t.tanh, "sigmoid": t.sigmoid, "log": t.log, "sqrt": t.sqrt,
        "reciprocal": t.reciprocal, "square": t.square, "softplus": t.nn.functional.softplus,
        "div": lambda x: 1 / (1 + x),
        "pow": lambda x: x**3, "mul": lambda x: x * x, "matmul": lambda x: x @ x, "norm": lambda x: x.norm(),
        "softmax": lambda x: x.softmax(0)[0], "log_softmax": lambda x: x.log_softmax(0)[0],
        "relu": lambda x: t.relu(x) ** 2,
        "prod": lambda x: x.prod(), "var": lambda x: x.var(), "logsumexp": lambda x: x.logsumexp(0),
        "cumsum": lambda x: x.cumsum(0) ** 2, "gelu": t.nn.functional.gelu, "silu": t.nn.functional.silu, "erf": t.erf,
    }  # fmt: skip
    seen = {}
    for name, function in functions.items():
        x = t.tensor([0.5, 1.5, 2.5], dtype=t.float64, requires_grad=True)
        (g,) = t.autograd.grad(function(x).sum(), x, create_graph=True)
        (h,) = t.autograd.grad((g * t.tensor([1.0, 2.0, 3.0])).sum(), x)
        seen[name] = [g, h]
    return seen


@case
def create_graph_in_backward_makes_grad_differentiable(t, np):
    x = t.tensor([1.0, 2.0], requires_grad=True)
    (x**3).sum().backward(create_graph=True)
    g = x.grad
    before = [g.clone().detach(), g.requires_grad, g.grad_fn is not None]
    x.grad = None
    g.sum().backward()
    return before, x.grad


@case
def gradient_penalty(t, np):
    w = t.tensor([[1.0, -2.0], [0.5, 3.0]], requires_grad=True)
    x = t.tensor([[0.3, 0.7], [1.0, -1.0]], requires_grad=True)
    score = t.tanh(x @ w).sum()
    (g,) = t.autograd.grad(score, x, create_graph=True)
    penalty = ((g.norm(2, dim=1) - 1) ** 2).mean()
    penalty.backward()
    return penalty, w.grad, x.grad


@case
def hessian_vector_product_by_double_backward(t, np):
    x = t.tensor([1.0, 2.0, 3.0], requires_grad=True)
    v = t.tensor([1.0, 0.0, -1.0])
    y = (x[0] * x[1] * x[2]) + x[0] ** 2
    (g,) = t.autograd.grad(y, x, create_graph=True)
    return t.autograd.grad(g @ v, x)


@case
def maml_like_inner_step(t, np):
    w = t.tensor([1.0, -1.0], requires_grad=True)
    x = t.tensor([2.0, 3.0])
    inner = ((w * x).sum() - 1) ** 2
    (g,) = t.autograd.grad(inner, w, create_graph=True)
    fast = w - 0.1 * g
    outer = ((fast * x).sum() - 2) ** 2
    outer.backward()
    return fast, outer, w.grad


@case
def grad_does_not_touch_grad_attributes(t, np):
    x, y = t.ones(2, requires_grad=True), t.ones(2, requires_grad=True)
    got = t.autograd.grad((x * y).sum(), [x, y])
    return got, x.grad, y.grad, type(got).__name__


@case
def grad_of_unused_inputs(t, np):
    x, y = t.ones(2, requires_grad=True), t.ones(2, requires_grad=True)
    z = (x * 2).sum()
    return [
        raises(lambda: t.autograd.grad(z, [x, y], retain_graph=True)),
        t.autograd.grad(z, [x, y], allow_unused=True, retain_graph=True),
        t.autograd.grad(z, [x, y], materialize_grads=True, retain_graph=True),
        raises(lambda: t.autograd.grad(z, y, allow_unused=False, materialize_grads=True)),
    ]


@case
def grad_with_grad_outputs(t, np):
    x = t.ones(3, requires_grad=True)
    y, z = x * 2, x * x
    v = t.tensor([1.0, 2.0, 3.0])
    return [
        t.autograd.grad(y, x, grad_outputs=v, retain_graph=True),
        t.autograd.grad([y, z], x, grad_outputs=[v, v], retain_graph=True),
        t.autograd.grad([y.sum(), z], x, grad_outputs=[None, v], retain_graph=True),
        raises(lambda: t.autograd.grad([y, z], x, grad_outputs=[v])),
        raises(lambda: t.autograd.grad(y, x, grad_outputs=t.ones(2))),
    ]


@case
def grad_of_intermediate_values(t, np):
    x = t.tensor([1.0, 2.0], requires_grad=True)
    h = x * 3
    y = (h * h).sum()
    return t.autograd.grad(y, [h, x], retain_graph=True), t.autograd.grad(y, h), x.grad


@case
def grad_of_an_output_by_itself(t, np):
    x = t.tensor(2.0, requires_grad=True)
    y = x * 3
    return t.autograd.grad(y, y, retain_graph=True), t.autograd.grad(x, x), t.autograd.grad(y, [x, y])


@case
def grad_of_the_same_input_twice(t, np):
    x = t.tensor(2.0, requires_grad=True)
    return t.autograd.grad(x * x, [x, x])


@case
def grad_argument_errors(t, np):
    x = t.ones(2, requires_grad=True)
    plain = t.ones(2)
    return [
        raises(lambda: t.autograd.grad((x * 2).sum(), plain)),
        raises(lambda: t.autograd.grad((x * 2).sum(), [])),
        raises(lambda: t.autograd.backward((x * 2).sum(), inputs=[])),
        raises(lambda: (x * 2).sum().backward(inputs=[plain]))[0],
    ]


@case
def grad_is_freed_unless_kept(t, np):
    x = t.ones(2, requires_grad=True)
    y = (x * x).sum()
    t.autograd.grad(y, x)
    failed = raises(lambda: t.autograd.grad(y, x))
    z = (x * x).sum()
    kept = [t.autograd.grad(z, x, retain_graph=True), t.autograd.grad(z, x)]
    return failed, kept


@case
def is_grads_batched(t, np):
    x = t.tensor([1.0, 2.0, 3.0], requires_grad=True)
    y = x * x
    return t.autograd.grad(y, x, grad_outputs=t.eye(3), is_grads_batched=True)


@case
def backward_with_inputs(t, np):
    x, y = t.ones(2, requires_grad=True), t.ones(2, requires_grad=True)
    h = x * 2
    z = (h * y).sum()
    z.backward(inputs=[x], retain_graph=True)
    first = [x.grad.clone(), y.grad]
    z.backward(inputs=[y, x])
    return first, x.grad, y.grad


@case
def backward_with_inputs_that_are_not_leaves(t, np):
    x = t.ones(2, requires_grad=True)
    h = x * 2
    h.retain_grad()
    (h * 3).sum().backward(inputs=[h])
    return h.grad, x.grad


@case
def backward_from_several_roots(t, np):
    x = t.tensor([1.0, 2.0], requires_grad=True)
    a, b = (x * 2).sum(), x * x
    t.autograd.backward([a, b], [None, t.tensor([1.0, 10.0])])
    return x.grad


@case
def backward_from_the_same_root_twice_in_one_call(t, np):
    x = t.tensor(3.0, requires_grad=True)
    y = x * x
    t.autograd.backward([y, y])
    return x.grad


@case
def root_that_depends_on_another_root(t, np):
    x = t.tensor(3.0, requires_grad=True)
    y = x * 2
    z = y * y
    t.autograd.backward([y, z])
    return x.grad


@case
def diamond(t, np):
    x = t.tensor([1.0, 2.0], requires_grad=True)
    a = x * 2
    b, c = a.exp(), a.sin()
    d = b * c + a
    d.sum().backward()
    return x.grad


@case
def reused_many_times(t, np):
    x = t.tensor([1.0, 2.0], requires_grad=True)
    total = t.zeros(2)
    for i in range(50):
        total = total + x * i
    (total + x @ x).sum().backward()
    return x.grad


@case
def ladder_of_diamonds_is_walked_once(t, np):
    x = t.tensor(1.0, requires_grad=True)
    y = x
    for _ in range(40):
        y = (y + y) * 0.5
    y.backward()
    return x.grad, y


@case
def deep_chain(t, np):
    x = t.tensor(1.0, requires_grad=True)
    y = x
    for _ in range(20000):
        y = y + 0.001
    y.backward()
    return x.grad, y.requires_grad


@case
def deep_chain_of_saved_values(t, np):
    x = t.ones(2, dtype=t.float64, requires_grad=True)
    y = x
    for _ in range(3000):
        y = y * 1.0001
    y.sum().backward()
    return x.grad


@case
def grad_shape_and_layout(t, np):
    x = t.ones(2, 3, requires_grad=True)
    (x.t() * t.arange(6.0).view(3, 2)).sum().backward()
    y = t.ones(2, 3).t().requires_grad_()
    (y * 2).sum().backward()
    z = t.ones(1, 3, requires_grad=True)
    z.expand(4, 3).sum().backward()
    return look(x.grad), look(y.grad), look(z.grad)


@case
def setting_grad(t, np):
    x = t.ones(2, requires_grad=True)
    x.grad = t.full((2,), 5.0)
    (x * 2).sum().backward()
    kept = x.grad.tolist()
    x.grad = None
    return [
        kept,
        x.grad,
        raises(lambda: setattr(x, "grad", 3)),
        raises(lambda: setattr(x, "grad", t.ones(3))),
        raises(lambda: setattr(x, "grad", t.ones(2, dtype=t.float64))),
        raises(lambda: setattr(x, "grad", x)),
        x.grad,
    ]


@case
def grad_given_by_hand_is_accumulated_into(t, np):
    x, g = t.ones(2, requires_grad=True), t.full((2,), 5.0)
    x.grad = g
    (x * 2).sum().backward()
    return g, x.grad is g


@case
def one_grad_shared_by_two_leaves(t, np):
    x, y = t.ones(2, requires_grad=True), t.ones(2, requires_grad=True)
    x.grad = y.grad = t.zeros(2)
    (x * 2 + y * 3).sum().backward()
    return x.grad, y.grad, x.grad is y.grad


@case
def grad_of_non_leaf_is_none(t, np):
    x = t.ones(2, requires_grad=True)
    y = x * 2
    y.sum().backward()
    return y.grad, x.grad, y.is_leaf, y.retains_grad


@case
def requires_grad_rules(t, np):
    x, y = t.ones(2, requires_grad=True), t.ones(2)
    z = x + y
    return [
        [v.requires_grad for v in (x, y, z, x.detach(), (x > 0), x.argmax(), z.sum(), y * 2, x[0], x.long())],
        [v.is_leaf for v in (x, y, z, x.detach(), (x > 0), y * 2, x[0], x.long())],
        raises(lambda: setattr(z, "requires_grad", False)),
        raises(lambda: z.requires_grad_(False)),
        raises(lambda: t.ones(2, dtype=t.long).requires_grad_()),
        raises(lambda: t.tensor([1, 2], requires_grad=True)),
        raises(lambda: t.zeros(2, dtype=t.bool, requires_grad=True)),
        raises(lambda: setattr(t.arange(3), "requires_grad", True)),
        t.arange(3).requires_grad_(False).requires_grad,
        t.zeros(1, dtype=t.complex64, requires_grad=True).requires_grad,
    ]


@case
def frozen_inputs_get_no_gradient(t, np):
    w, b = t.ones(2, requires_grad=True), t.zeros(2, requires_grad=True)
    w.requires_grad_(False)
    y = (w * 3 + b).sum()
    y.backward()
    w.requires_grad_(True)
    return w.grad, b.grad, w.is_leaf


@case
def requires_grad_switched_between_forward_and_backward(t, np):
    x = t.ones(2, requires_grad=True)
    y = (x * 2).sum()
    x.requires_grad_(False)
    y.backward()
    return x.grad, x.requires_grad


@case
def leaf_updated_between_forward_and_backward(t, np):
    x, w = t.tensor([1.0, 2.0]), t.tensor([3.0, 4.0], requires_grad=True)
    first = (w * x).sum()
    square = (w * w).sum()
    with t.no_grad():
        w += 1
    first.backward()
    return w.grad, w, raises(square.backward)


@case
def data_updated_between_forward_and_backward(t, np):
    w = t.tensor([3.0, 4.0], requires_grad=True)
    square = (w * w).sum()
    w.data += 1
    square.backward()
    return w.grad, w, square


@case
def data_rebound_between_forward_and_backward(t, np):
    w = t.tensor([3.0, 4.0], requires_grad=True)
    square = (w * w).sum()
    w.data = t.tensor([10.0, 20.0])
    square.backward()
    return w.grad, w


@case
def zero_grad_of_modules_and_optimizers(t, np):
    layer = t.nn.Linear(2, 1)
    optimizer = t.optim.SGD(layer.parameters(), lr=0.1)
    layer(t.ones(1, 2)).sum().backward()
    g = layer.weight.grad
    optimizer.zero_grad(set_to_none=False)
    zeroed = [g, layer.weight.grad is g]
    layer.zero_grad()
    return zeroed, layer.weight.grad, layer.bias.grad


@case
def training_loop_from_scratch(t, np):
    t.manual_seed(0)
    x, truth = t.randn(20, 3), t.tensor([1.0, -2.0, 0.5])
    y = x @ truth + 0.1 * t.randn(20)
    w, b = t.zeros(3, requires_grad=True), t.zeros(1, requires_grad=True)
    losses = []
    for _ in range(5):
        loss = ((x @ w + b - y) ** 2).mean()
        loss.backward()
        losses.append(loss.item())
        with t.no_grad():
            for p in (w, b):
                p -= 0.1 * p.grad
                p.grad.zero_()
    return losses, w, b


@case
def gradients_as_features(t, np):
    x = t.tensor([0.5, -0.5], requires_grad=True)
    steps = []
    for _ in range(3):
        (g,) = t.autograd.grad((x**2).sum(), x)
        x = (x - 0.1 * g).detach().requires_grad_()
        steps.append(x)
    return steps


@case
def fast_gradient_sign(t, np):
    w = t.tensor([[1.0, -1.0], [0.5, 2.0]])
    x = t.tensor([[0.2, 0.8]], requires_grad=True)
    loss = t.nn.functional.cross_entropy(x @ w, t.tensor([1]))
    loss.backward()
    return (x + 0.1 * x.grad.sign()).clamp(0, 1).detach()


@case
def clip_grad_norm(t, np):
    x, y = t.ones(2, requires_grad=True), t.ones(1, requires_grad=True)
    (x * 3).sum().backward()
    (y * 4).sum().backward()
    norm = t.nn.utils.clip_grad_norm_([x, y], 1.0)
    t.nn.utils.clip_grad_value_([x], 0.4)
    return norm, x.grad, y.grad


@case
def empty_and_zero_dim_gradients(t, np):
    e = t.zeros(0, 3, requires_grad=True)
    (e * 2).sum().backward()
    s = t.tensor(2.0, requires_grad=True)
    (s**3).backward()
    return look(e.grad), look(s.grad), t.autograd.grad(e.sum(), e)


@case
def integer_and_bool_operands_in_a_graph(t, np):
    x = t.tensor([1.0, 2.0, 3.0], requires_grad=True)
    n, m = t.tensor([2, 0, 1]), t.tensor([True, False, True])
    y = (x * n + x * m).sum()
    y.backward()
    return y, x.grad, kind(x * n)


@case
def backward_leaves_inputs_alone(t, np):
    x = t.tensor([1.0, 2.0], requires_grad=True)
    g = t.tensor([1.0, 1.0])
    (x.exp() * 2).backward(g)
    return x, g, x._version, g._version
