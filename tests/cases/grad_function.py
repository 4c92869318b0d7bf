"""`torch.autograd.Function`: what a user's own operation may save, return, refuse, and how often it can be
differentiated.
"""

from __future__ import annotations

import gc
import weakref

from cases import case, kind, raises


def make_square(t):
    class Square(t.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x * x

        @staticmethod
        def backward(ctx, grad):
            (x,) = ctx.saved_tensors
            return 2 * x * grad

    return Square


@case
def square_with_saved_tensor(t, np):
    x = t.tensor([1.0, 2.0], requires_grad=True)
    y = make_square(t).apply(x)
    y.sum().backward()
    return y, x.grad, y.requires_grad, y.is_leaf, y.grad_fn.name(), type(y.grad_fn).__name__


@case
def no_graph_without_a_differentiable_input(t, np):
    y = make_square(t).apply(t.ones(2))
    with t.no_grad():
        z = make_square(t).apply(t.ones(2, requires_grad=True))
    return y.requires_grad, y.grad_fn is None, z.requires_grad


@case
def backward_twice_is_refused(t, np):
    x = t.ones(2, requires_grad=True)
    y = make_square(t).apply(x).sum()
    y.backward()
    return raises(y.backward)


@case
def retain_graph_of_a_function(t, np):
    x = t.ones(2, requires_grad=True)
    y = make_square(t).apply(x).sum()
    y.backward(retain_graph=True)
    y.backward()
    return x.grad


@case
def double_backward_of_a_function(t, np):
    x = t.tensor([1.0, 2.0, 3.0], requires_grad=True)
    (g,) = t.autograd.grad(make_square(t).apply(x).sum(), x, create_graph=True)
    (h,) = t.autograd.grad((g * g).sum(), x)
    return g, h, g.requires_grad


@case
def cube_saving_an_intermediate(t, np):
    class Cube(t.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            square = x**2
            ctx.save_for_backward(x, square)
            return x * square

        @staticmethod
        def backward(ctx, grad):
            x, square = ctx.saved_tensors
            return grad * 3 * square

    x = t.tensor([2.0], requires_grad=True)
    Cube.apply(x).backward()
    return x.grad


@case
def saving_the_output(t, np):
    class Exp(t.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            y = x.exp()
            ctx.save_for_backward(y)
            return y

        @staticmethod
        def backward(ctx, grad):
            (y,) = ctx.saved_tensors
            return grad * y

    x = t.tensor([0.0, 1.0], requires_grad=True)
    y = Exp.apply(x)
    (g,) = t.autograd.grad(y.sum(), x, create_graph=True)
    (h,) = t.autograd.grad(g.sum(), x)
    return y, g, h


@case
def saved_tensor_overwritten(t, np):
    x = t.ones(2, requires_grad=True)
    h = x * 1
    y = make_square(t).apply(h)
    h += 1
    return raises(lambda: y.sum().backward())


@case
def numbers_and_none_among_the_arguments(t, np):
    class Scale(t.autograd.Function):
        @staticmethod
        def forward(ctx, x, factor, name, nothing=None):
            ctx.factor = factor
            ctx.seen = [name, nothing]
            return x * factor

        @staticmethod
        def backward(ctx, grad):
            ctx.seen.append("backward")
            return grad * ctx.factor, None, None, None

    x = t.ones(2, requires_grad=True)
    y = Scale.apply(x, 2.5, "scale", None)
    node = y.grad_fn
    y.sum().backward()
    return x.grad, node.seen, node.factor


@case
def needs_input_grad(t, np):
    seen = []

    class Multiply(t.autograd.Function):
        @staticmethod
        def forward(ctx, a, b, c):
            seen.append(list(ctx.needs_input_grad))
            ctx.save_for_backward(a, b)
            return a * b * c

        @staticmethod
        def backward(ctx, grad):
            seen.append(list(ctx.needs_input_grad))
            a, b = ctx.saved_tensors
            return (
                (grad * b if ctx.needs_input_grad[0] else None),
                (grad * a if ctx.needs_input_grad[1] else None),
                None,
            )

    a, b = t.ones(2, requires_grad=True), t.full((2,), 3.0)
    Multiply.apply(a, b, 2).sum().backward()
    return seen, a.grad, b.grad


@case
def grad_mode_inside_forward_and_backward(t, np):
    seen = []

    class Look(t.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            seen.append(["forward", t.is_grad_enabled(), (x * 2).requires_grad, x.requires_grad])
            return x.clone()

        @staticmethod
        def backward(ctx, grad):
            seen.append(["backward", t.is_grad_enabled(), grad.requires_grad])
            return grad.clone()

    x = t.ones(1, requires_grad=True)
    Look.apply(x).backward()
    Look.apply(x).backward(create_graph=True)
    return seen


@case
def wrong_number_of_gradients(t, np):
    def make(result):
        class Two(t.autograd.Function):
            @staticmethod
            def forward(ctx, a, b):
                return a + b

            @staticmethod
            def backward(ctx, grad):
                return result(grad)

        return Two

    a, b = t.ones(2, requires_grad=True), t.ones(2, requires_grad=True)
    return [
        raises(lambda: make(lambda g: g).apply(a, b).sum().backward()),
        raises(lambda: make(lambda g: (g, g, g)).apply(a, b).sum().backward()),
        raises(lambda: make(lambda g: (g, g, None)).apply(a, b).sum().backward()),
        raises(lambda: make(lambda g: (g, None)).apply(a, b).sum().backward()),
        [a.grad, b.grad],
    ]


@case
def wrong_kind_and_shape_of_gradient(t, np):
    def make(result):
        class One(t.autograd.Function):
            @staticmethod
            def forward(ctx, a):
                return a * 2

            @staticmethod
            def backward(ctx, grad):
                return result(grad)

        return One

    x = t.ones(2, requires_grad=True)
    failures = [
        raises(lambda: make(lambda g: t.ones(3)).apply(x).sum().backward()),
        raises(lambda: make(lambda g: 5).apply(x).sum().backward()),
    ]
    make(lambda g: t.ones(4, 2)).apply(x).sum().backward()
    make(lambda g: t.ones(2, dtype=t.float64)).apply(x).sum().backward()
    return failures, x.grad, kind(x.grad)


@case
def none_gradient_counts_as_nothing(t, np):
    class Stop(t.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2

        @staticmethod
        def backward(ctx, grad):
            return None

    x = t.ones(2, requires_grad=True)
    h = x * 3
    Stop.apply(h).sum().backward()
    return (
        x.grad,
        raises(lambda: t.autograd.grad(Stop.apply(x).sum(), x)),
        t.autograd.grad(Stop.apply(x).sum(), x, allow_unused=True),
    )


@case
def straight_through_estimator(t, np):
    class Round(t.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return t.round(x)

        @staticmethod
        def backward(ctx, grad):
            return grad

    x = t.tensor([0.4, 1.6], requires_grad=True)
    (Round.apply(x) ** 2).sum().backward()
    return x.grad


@case
def gradient_reversal(t, np):
    class Reverse(t.autograd.Function):
        @staticmethod
        def forward(ctx, x, weight):
            ctx.weight = weight
            return x.view_as(x)

        @staticmethod
        def backward(ctx, grad):
            return grad.neg() * ctx.weight, None

    x = t.ones(2, requires_grad=True)
    y = Reverse.apply(x * 2, 0.5)
    y.sum().backward()
    return x.grad, y


@case
def returning_the_input_itself(t, np):
    class Same(t.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x

        @staticmethod
        def backward(ctx, grad):
            return grad * 7

    x = t.ones(2, requires_grad=True)
    y = Same.apply(x)
    y.sum().backward()
    return y is x, y.is_leaf, x.grad


@case
def several_outputs(t, np):
    class Both(t.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x * 2, x**2

        @staticmethod
        def backward(ctx, ga, gb):
            (x,) = ctx.saved_tensors
            return ga * 2 + gb * 2 * x

    x = t.tensor([1.0, 3.0], requires_grad=True)
    a, b = Both.apply(x)
    (a + b).sum().backward()
    first = x.grad.clone()
    x.grad = None
    a, b = Both.apply(x)
    b.sum().backward()
    return first, x.grad, a.grad_fn is b.grad_fn, type(Both.apply(x)).__name__, [a.output_nr, b.output_nr]


@case
def unused_output_gets_zeros(t, np):
    seen = []

    class Both(t.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2, x.sum()

        @staticmethod
        def backward(ctx, ga, gb):
            seen.append([ga.tolist(), gb.tolist()])
            return ga

    x = t.ones(2, requires_grad=True)
    Both.apply(x)[0].sum().backward()
    return seen, x.grad


@case
def set_materialize_grads(t, np):
    seen = []

    class Both(t.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.set_materialize_grads(False)
            return x * 2, x.sum()

        @staticmethod
        def backward(ctx, ga, gb):
            seen.append([ga is None, gb is None])
            return ga

    x = t.ones(2, requires_grad=True)
    Both.apply(x)[0].sum().backward()
    return seen, x.grad


@case
def mark_non_differentiable(t, np):
    class Sort(t.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            values, order = x.sort()
            ctx.mark_non_differentiable(order)
            ctx.save_for_backward(order)
            return values, order

        @staticmethod
        def backward(ctx, grad, _):
            (order,) = ctx.saved_tensors
            return t.zeros_like(grad).index_put_((order,), grad)

    x = t.tensor([3.0, 1.0, 2.0], requires_grad=True)
    values, order = Sort.apply(x)
    (values * t.tensor([1.0, 10.0, 100.0])).sum().backward()
    return values.requires_grad, order.requires_grad, x.grad


@case
def integer_output_does_not_require_grad(t, np):
    class Count(t.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 1, (x > 0).long()

        @staticmethod
        def backward(ctx, g, _):
            return g

    a, b = Count.apply(t.ones(2, requires_grad=True))
    return a.requires_grad, b.requires_grad


@case
def mark_dirty(t, np):
    class AddOne(t.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            x.add_(1)
            ctx.mark_dirty(x)
            return x

        @staticmethod
        def backward(ctx, grad):
            return grad * 3

    x = t.ones(2, requires_grad=True)
    h = x * 2
    y = AddOne.apply(h)
    y.sum().backward()
    return y is h, h, x.grad, h._version, raises(lambda: AddOne.apply(x))


@case
def once_differentiable(t, np):
    from importlib import import_module

    once = import_module(t.__name__ + ".autograd.function").once_differentiable

    class Square(t.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x * x

        @staticmethod
        @once
        def backward(ctx, grad):
            (x,) = ctx.saved_tensors
            return 2 * x * grad

    x = t.ones(2, requires_grad=True)
    (g,) = t.autograd.grad(Square.apply(x).sum(), x, create_graph=True)
    return g, raises(lambda: t.autograd.grad(g.sum(), x))


@case
def setup_context_style(t, np):
    class Power(t.autograd.Function):
        @staticmethod
        def forward(x, n):
            return x**n

        @staticmethod
        def setup_context(ctx, inputs, output):
            x, ctx.n = inputs
            ctx.save_for_backward(x, output)

        @staticmethod
        def backward(ctx, grad):
            x, y = ctx.saved_tensors
            return grad * ctx.n * y / x, None

    x = t.tensor([1.0, 2.0], requires_grad=True)
    y = Power.apply(x, 3)
    y.sum().backward()
    return y, x.grad


@case
def missing_methods(t, np):
    class NoForward(t.autograd.Function):
        pass

    class NoBackward(t.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2

    x = t.ones(1, requires_grad=True)
    return [
        raises(lambda: NoForward.apply(x)),
        raises(lambda: NoBackward.apply(x).backward()),
        raises(lambda: NoBackward()(x))[0],
        NoBackward.apply(t.ones(1)),
    ]


@case
def save_for_backward_of_other_things(t, np):
    class Keep(t.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x, None)
            ctx.table = {"a": [1, 2]}
            return x * 2

        @staticmethod
        def backward(ctx, grad):
            x, nothing = ctx.saved_tensors
            return grad * len(ctx.table["a"]) if nothing is None else None

    class Wrong(t.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(5)
            return x * 2

        @staticmethod
        def backward(ctx, grad):
            return grad

    x = t.ones(2, requires_grad=True)
    Keep.apply(x).sum().backward()
    return x.grad, raises(lambda: Wrong.apply(x))


@case
def nested_functions(t, np):
    square = make_square(t)

    class Fourth(t.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return square.apply(square.apply(x))

        @staticmethod
        def backward(ctx, grad):
            (x,) = ctx.saved_tensors
            with t.enable_grad():
                v = x.detach().requires_grad_()
                (g,) = t.autograd.grad(square.apply(square.apply(v)).sum(), v)
            return grad * g

    x = t.tensor([1.0, 2.0], requires_grad=True)
    Fourth.apply(x).sum().backward()
    return x.grad


@case
def hand_made_checkpoint(t, np):
    class Checkpoint(t.autograd.Function):
        @staticmethod
        def forward(ctx, run, x):
            ctx.run = run
            ctx.save_for_backward(x)
            with t.no_grad():
                return run(x)

        @staticmethod
        def backward(ctx, grad):
            (x,) = ctx.saved_tensors
            v = x.detach().requires_grad_()
            with t.enable_grad():
                y = ctx.run(v)
            t.autograd.backward(y, grad)
            return None, v.grad

    w = t.tensor([2.0, 3.0], requires_grad=True)
    x = t.tensor([1.0, -1.0], requires_grad=True)
    Checkpoint.apply(lambda v: (v * w).sin(), x * 2).sum().backward()
    return x.grad, w.grad


@case
def numpy_inside_a_function(t, np):
    class Sine(t.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            a = x.detach().numpy()
            ctx.save_for_backward(x)
            return t.as_tensor(np.sin(a), dtype=x.dtype)

        @staticmethod
        def backward(ctx, grad):
            (x,) = ctx.saved_tensors
            return t.from_numpy(grad.numpy() * np.cos(x.detach().numpy()))

    x = t.tensor([0.0, 1.0], requires_grad=True)
    y = Sine.apply(x)
    y.sum().backward()
    return y, x.grad


@case
def function_in_a_module(t, np):
    square = make_square(t)

    class Net(t.nn.Module):
        def __init__(self):
            super().__init__()
            self.scale = t.nn.Parameter(t.tensor([2.0]))

        def forward(self, x):
            return square.apply(x * self.scale).sum()

    net = Net()
    optimizer = t.optim.SGD(net.parameters(), lr=0.01)
    losses = []
    for _ in range(3):
        optimizer.zero_grad()
        loss = net(t.tensor([1.0, 2.0]))
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses, net.scale


@case
def linear_function_of_the_tutorial_kind(t, np):
    class Linear(t.autograd.Function):
        @staticmethod
        def forward(ctx, x, weight, bias):
            ctx.save_for_backward(x, weight, bias)
            return x.mm(weight.t()) + bias.unsqueeze(0)

        @staticmethod
        def backward(ctx, grad):
            x, weight, bias = ctx.saved_tensors
            gx = grad.mm(weight) if ctx.needs_input_grad[0] else None
            return gx, grad.t().mm(x), grad.sum(0)

    x = t.arange(6.0).view(2, 3)
    w, b = t.ones(4, 3, requires_grad=True), t.zeros(4, requires_grad=True)
    Linear.apply(x, w, b).pow(2).sum().backward()
    v, u = w.detach().clone().requires_grad_(), b.detach().clone().requires_grad_()
    t.nn.functional.linear(x, v, u).pow(2).sum().backward()
    return w.grad, b.grad, t.equal(w.grad, v.grad), t.equal(b.grad, u.grad)


@case
def relu_with_in_place_masking(t, np):
    class Relu(t.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x.clamp(min=0)

        @staticmethod
        def backward(ctx, grad):
            (x,) = ctx.saved_tensors
            grad_x = grad.clone()
            grad_x[x < 0] = 0
            return grad_x

    x = t.tensor([-1.0, 2.0], requires_grad=True)
    (Relu.apply(x) * 3).sum().backward()
    return x.grad


@case
def gradient_changed_in_place_in_backward(t, np):
    class Double(t.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 1

        @staticmethod
        def backward(ctx, grad):
            grad *= 2
            return grad

    x = t.ones(2, requires_grad=True)
    g = t.tensor([1.0, 5.0])
    Double.apply(x).backward(g.clone())
    return x.grad


@case
def exceptions_travel_through(t, np):
    def make(where):
        class Fail(t.autograd.Function):
            @staticmethod
            def forward(ctx, x):
                if where == "forward":
                    raise KeyError("forward")
                return x * 2

            @staticmethod
            def backward(ctx, grad):
                raise ZeroDivisionError("backward")

        return Fail

    x = t.ones(2, requires_grad=True)
    return (
        raises(lambda: make("forward").apply(x)),
        raises(lambda: make("backward").apply(x).sum().backward()),
        x.grad,
        t.is_grad_enabled(),
    )


@case
def list_of_tensors_is_not_differentiated(t, np):
    class Total(t.autograd.Function):
        @staticmethod
        def forward(ctx, many):
            return sum(many)

        @staticmethod
        def backward(ctx, grad):
            return None

    y = Total.apply([t.ones(2, requires_grad=True)])
    return y.requires_grad


@case
def variable_number_of_inputs(t, np):
    class Total(t.autograd.Function):
        @staticmethod
        def forward(ctx, *many):
            ctx.count = len(many)
            return sum(many)

        @staticmethod
        def backward(ctx, grad):
            return (grad,) * ctx.count

    many = [t.ones(2, requires_grad=True) for _ in range(3)]
    (Total.apply(*many) * t.tensor([1.0, 2.0])).sum().backward()
    return [m.grad for m in many]


@case
def saved_tensors_die_with_the_graph(t, np):
    gc.disable()
    try:
        x = t.ones(2, requires_grad=True)
        h = x * 2
        y = make_square(t).apply(h).sum()
        dead = weakref.ref(h)
        del h
        y.backward()
        del y
        return dead() is None, x.grad
    finally:
        gc.enable()


@case
def view_returned_from_a_function(t, np):
    class First(t.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.shape = x.shape
            return x[:2]

        @staticmethod
        def backward(ctx, grad):
            full = t.zeros(ctx.shape)
            full[:2] = grad
            return full

    x = t.arange(4.0).requires_grad_()
    y = First.apply(x * 2)
    (y * y).sum().backward()
    return y, x.grad


@case
def class_attributes_and_subclasses(t, np):
    square = make_square(t)

    class Scaled(square):
        factor = 10

        @staticmethod
        def backward(ctx, grad):
            return square.backward(ctx, grad) * Scaled.factor

    x = t.ones(2, requires_grad=True)
    y = Scaled.apply(x)
    y.sum().backward()
    return x.grad, y.grad_fn.name(), issubclass(Scaled, t.autograd.Function)


@case
def gradcheck_of_a_function(t, np):
    class Wrong(t.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x**3

        @staticmethod
        def backward(ctx, grad):
            return grad * 3

    x = t.tensor([0.5, 1.5], dtype=t.float64, requires_grad=True)
    return t.autograd.gradcheck(make_square(t).apply, (x,)), t.autograd.gradcheck(
        Wrong.apply, (x,), raise_exception=False
    )
