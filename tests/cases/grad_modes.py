"""Grad modes as contexts and decorators, inference tensors, and every kind of hook."""

from __future__ import annotations

from cases import case, raises


@case
def no_grad_context(t, np):
    x = t.ones(2, requires_grad=True)
    with t.no_grad():
        inside = t.is_grad_enabled()
        y = x * 2
        z = t.ones(2, requires_grad=True)
        with t.enable_grad():
            w = x * 3
    return inside, y.requires_grad, z.requires_grad, w.requires_grad, t.is_grad_enabled(), y.grad_fn is None, y.is_leaf


@case
def no_grad_restores_after_an_exception(t, np):
    def fail():
        with t.no_grad():
            raise KeyError("inside")

    failed = raises(fail)
    return failed, t.is_grad_enabled()


@case
def nested_modes(t, np):
    seen = [t.is_grad_enabled()]
    with t.no_grad():
        seen.append(t.is_grad_enabled())
        with t.set_grad_enabled(True):
            seen.append(t.is_grad_enabled())
            with t.no_grad():
                seen.append(t.is_grad_enabled())
            seen.append(t.is_grad_enabled())
        seen.append(t.is_grad_enabled())
    return seen, t.is_grad_enabled()


@case
def set_grad_enabled_as_a_function(t, np):
    x = t.ones(1, requires_grad=True)
    seen = []
    try:
        t.set_grad_enabled(False)
        seen.append((x * 2).requires_grad)
        t.set_grad_enabled(True)
        seen.append((x * 2).requires_grad)
    finally:
        t.set_grad_enabled(True)
    return seen


@case
def set_grad_enabled_by_a_flag(t, np):
    x, seen = t.ones(1, requires_grad=True), []
    for train in (True, False):
        with t.set_grad_enabled(train):
            seen.append((x * 2).requires_grad)
        with t.set_grad_enabled(mode=not train):
            seen.append((x * 2).requires_grad)
    return seen, t.is_grad_enabled()


@case
def decorators(t, np):
    x = t.ones(1, requires_grad=True)

    @t.no_grad()
    def off(v):
        """Doc kept."""
        return v * 2

    @t.no_grad
    def bare(v):
        return v * 2

    @t.enable_grad()
    def on(v):
        return v * 2

    @t.set_grad_enabled(False)
    def flagged(v):
        return v * 2

    @t.inference_mode()
    def inference(v):
        return v * 2

    with t.no_grad():
        back_on = on(x).requires_grad
    results = [f(x).requires_grad for f in (off, bare, on, flagged, inference)]
    t.set_grad_enabled(True)
    return results, back_on, off.__name__, off.__doc__, t.is_grad_enabled()


@case
def decorated_methods(t, np):
    class Model:
        def __init__(self):
            self.w = t.ones(2, requires_grad=True)

        @t.no_grad()
        def step(self, rate):
            self.w -= rate
            return self.w.requires_grad, (self.w * 2).requires_grad

    model = Model()
    return model.step(0.25), model.w


@case
def decorated_generators(t, np):
    x, seen = t.ones(1, requires_grad=True), []

    @t.no_grad()
    def walk():
        for _ in range(2):
            seen.append(["inside", t.is_grad_enabled()])
            yield x * 2

    for value in walk():
        seen.append(["outside", t.is_grad_enabled(), value.requires_grad])
    return seen


@case
def decorated_generator_receives_and_returns(t, np):
    @t.no_grad()
    def walk():
        got = yield t.is_grad_enabled()
        other = yield [got, t.is_grad_enabled()]
        return other

    walker = walk()
    seen = [next(walker), walker.send("a")]
    try:
        walker.send("b")
    except StopIteration as stop:
        seen.append(stop.value)
    return seen, t.is_grad_enabled()


@case
def context_object_used_twice(t, np):
    off = t.no_grad()
    with off:
        first = t.is_grad_enabled()
    with off:
        second = t.is_grad_enabled()
    return first, second, t.is_grad_enabled()


@case
def no_grad_views_and_in_place(t, np):
    x = t.ones(2, requires_grad=True)
    with t.no_grad():
        x.mul_(3)
        v = x.view(2)
        s = x[0]
    return x, x.is_leaf, v.requires_grad, s.requires_grad, v.grad_fn is None


@case
def factories_under_modes(t, np):
    with t.no_grad():
        a = t.zeros(2, requires_grad=True)
        b = t.nn.Parameter(t.zeros(2))
        c = t.nn.Linear(1, 1).weight
    (a.sum() + b.sum() + c.sum()).backward()
    return a.grad, b.grad, c.grad


@case
def backward_inside_no_grad(t, np):
    x = t.ones(2, requires_grad=True)
    y = (x * x).sum()
    with t.no_grad():
        y.backward()
    return x.grad


@case
def set_grad_enabled_inside_a_graph(t, np):
    x = t.tensor([1.0, 2.0], requires_grad=True)
    y = x * 2
    with t.set_grad_enabled(False):
        scale = y.sum()
    (y * scale).sum().backward()
    return x.grad, scale.requires_grad


@case
def inference_mode_makes_inference_tensors(t, np):
    x = t.ones(2, requires_grad=True)
    with t.inference_mode():
        inside = [t.is_inference_mode_enabled(), t.is_grad_enabled()]
        y = x * 2
        z = t.zeros(2)
        y += 1
    return (
        inside,
        y.is_inference(),
        z.is_inference(),
        x.is_inference(),
        y.requires_grad,
        y,
        t.is_inference_mode_enabled(),
    )


@case
def inference_mode_flag(t, np):
    x, seen = t.ones(2, requires_grad=True), []
    for mode in (True, False):
        with t.inference_mode(mode):
            y = x * 2
            seen.append([y.is_inference(), y.requires_grad])
    with t.inference_mode(), t.inference_mode(False):
        seen.append((x * 2).requires_grad)
    return seen


@case
def inference_tensor_errors(t, np):
    x = t.ones(2, requires_grad=True)
    with t.inference_mode():
        y = t.ones(2) * 2
    return [
        raises(lambda: x * y),
        raises(lambda: y.requires_grad_()),
        raises(lambda: y._version),
        raises(lambda: (x + y).sum().item()),
        raises(lambda: (y + 1).is_inference()),
        raises(lambda: y.clone().add_(1)),
        raises(lambda: y.view(2).is_inference()),
        raises(lambda: y.add_(1)),
    ]


@case
def inference_tensors_computed_with(t, np):
    with t.inference_mode():
        y = t.arange(3.0)
        y[0] = 5
        v = y[1:]
        v *= 2
    return y + 1, v, y.clone().is_inference(), y.numpy()


@case
def normal_tensor_in_inference_mode(t, np):
    x = t.ones(2)
    with t.inference_mode():
        x.add_(1)
        v = x.view(2)
        seen = [v.is_inference(), x.is_inference()]
    x.add_(1)
    return seen, x, x._version


@case
def tensor_hook_modifies(t, np):
    x = t.ones(2, requires_grad=True)
    x.register_hook(lambda g: g * 2)
    (x * 3).sum().backward()
    return x.grad


@case
def tensor_hook_on_intermediate(t, np):
    x, seen = t.ones(2, requires_grad=True), []
    y = x * 2
    y.register_hook(lambda g: seen.append(g.clone()))
    z = y * y
    z.register_hook(lambda g: g * 10)
    z.sum().backward()
    return seen, x.grad


@case
def tensor_hook_order_and_removal(t, np):
    x, order = t.ones(1, requires_grad=True), []

    def hook(name, factor):
        def run(g):
            order.append([name, g.item()])
            return g * factor

        return run

    x.register_hook(hook("a", 2))
    handle = x.register_hook(hook("b", 3))
    x.register_hook(hook("c", 5))
    (x * 1).sum().backward()
    handle.remove()
    (x * 1).sum().backward()
    handle.remove()
    return order, x.grad


@case
def tensor_hook_removed_by_context(t, np):
    x, order = t.ones(1, requires_grad=True), []
    with x.register_hook(lambda g: order.append("called")):
        (x * 1).sum().backward()
    (x * 1).sum().backward()
    return order


@case
def tensor_hook_errors(t, np):
    x = t.ones(2, requires_grad=True)
    y = x * 2
    y.register_hook(lambda g: t.ones(3))
    z = x * 2
    z.register_hook(lambda g: 5)
    return [
        raises(lambda: t.ones(2).register_hook(lambda g: g)),
        raises(lambda: y.sum().backward())[0],
        raises(lambda: z.sum().backward())[0],
    ]


@case
def exception_inside_a_hook(t, np):
    x = t.ones(2, requires_grad=True)
    y = x * 2

    def fail(g):
        raise KeyError("from the hook")

    handle = y.register_hook(fail)
    failed = raises(lambda: y.sum().backward())
    handle.remove()
    return failed, x.grad


@case
def hook_sees_the_sum_of_all_paths(t, np):
    x, seen = t.ones(1, requires_grad=True), []
    y = x * 1
    y.register_hook(lambda g: seen.append(g.item()))
    (y * 2 + y * 3 + y.exp().detach() * y).sum().backward()
    return seen, x.grad


@case
def hook_runs_at_each_backward(t, np):
    x, count = t.ones(1, requires_grad=True), []
    y = (x * x).sum()
    x.register_hook(lambda g: count.append(g.item()))
    y.backward(retain_graph=True)
    y.backward()
    t.autograd.grad((x * 5).sum(), x)
    return count, x.grad


@case
def hook_on_a_leaf_does_not_see_the_old_grad(t, np):
    x, seen = t.ones(1, requires_grad=True), []
    x.grad = t.full((1,), 100.0)
    x.register_hook(lambda g: seen.append(g.item()))
    (x * 2).sum().backward()
    return seen, x.grad


@case
def hook_before_and_after_in_place(t, np):
    x, seen = t.ones(2, requires_grad=True), []
    y = x * 2
    y.register_hook(lambda g: seen.append(["before", g.tolist()]))
    y.mul_(3)
    y.register_hook(lambda g: seen.append(["after", g.tolist()]))
    y.sum().backward()
    return seen, x.grad


@case
def retain_grad(t, np):
    x = t.ones(2, requires_grad=True)
    y = x * 2
    y.retain_grad()
    y.retain_grad()
    z = y * y
    z.retain_grad()
    z.sum().backward()
    return y.grad, z.grad, x.grad, y.retains_grad, x.retains_grad, raises(lambda: t.ones(2).retain_grad())


@case
def retain_grad_and_hooks(t, np):
    x = t.ones(2, requires_grad=True)
    y = x * 2
    y.register_hook(lambda g: g * 5)
    y.retain_grad()
    y.register_hook(lambda g: g * 7)
    y.sum().backward()
    return y.grad, x.grad


@case
def retain_grad_accumulates(t, np):
    x = t.ones(2, requires_grad=True)
    y = x * 2
    y.retain_grad()
    y.sum().backward(retain_graph=True)
    first = y.grad.clone()
    y.sum().backward()
    return first, y.grad


@case
def retain_grad_then_in_place(t, np):
    x = t.ones(2, requires_grad=True)
    y = x * 2
    y.retain_grad()
    y.mul_(10)
    y.sum().backward()
    return y.grad, x.grad


@case
def post_accumulate_grad_hook(t, np):
    x, seen = t.ones(2, requires_grad=True), []

    def step(p):
        seen.append(p.grad.tolist())
        with t.no_grad():
            p -= 0.1 * p.grad
        p.grad = None

    handle = x.register_post_accumulate_grad_hook(step)
    for _ in range(2):
        (x * x).sum().backward()
    handle.remove()
    (x * 1).sum().backward()
    return seen, x, x.grad, raises(lambda: (x * 2).register_post_accumulate_grad_hook(step))


@case
def node_hooks(t, np):
    x, seen = t.ones(2, requires_grad=True), []
    y = x * 2
    z = y.sum()
    handle = y.grad_fn.register_hook(
        lambda gi, go: seen.append(["post", [None if g is None else g.tolist() for g in gi], [g.tolist() for g in go]])
    )
    z.grad_fn.register_prehook(lambda go: tuple(g * 3 for g in go))
    z.backward(retain_graph=True)
    handle.remove()
    z.backward()
    return seen, x.grad


@case
def saved_tensors_hooks_pack_and_unpack(t, np):
    x, packed = t.tensor([1.0, 2.0], requires_grad=True), []

    def pack(v):
        packed.append(v.tolist())
        return v.double()

    with t.autograd.graph.saved_tensors_hooks(pack, lambda v: v.float() * 10):
        y = x * x
    y.sum().backward()
    return packed, x.grad


@case
def save_on_cpu_context(t, np):
    x = t.tensor([1.0, 2.0], requires_grad=True)
    with t.autograd.graph.save_on_cpu():
        y = x.exp()
    y.sum().backward()
    return x.grad


@case
def module_forward_hooks_with_grad(t, np):
    layer, seen = t.nn.Linear(2, 1), []
    t.nn.init.ones_(layer.weight)
    t.nn.init.zeros_(layer.bias)
    layer.register_forward_pre_hook(lambda m, args: (args[0] * 2,))
    layer.register_forward_hook(lambda m, args, out: out + 1)
    layer.register_full_backward_hook(lambda m, gi, go: seen.append([gi[0].tolist(), go[0].tolist()]))
    x = t.ones(1, 2, requires_grad=True)
    y = layer(x)
    y.sum().backward()
    return y, seen, x.grad, layer.weight.grad


@case
def detect_anomaly_names_the_forward_operation(t, np):
    x = t.tensor([0.0], requires_grad=True)
    y = t.tensor([-1.0], requires_grad=True)

    def run(value, function):
        with t.autograd.detect_anomaly():
            function(value).backward()

    return [
        raises(lambda: run(x, lambda v: (v.sqrt() * 0).sum())),
        raises(lambda: run(x, lambda v: (v / v).sum())),
        raises(lambda: run(y, lambda v: v.log().sqrt().sum()))[0],
        raises(lambda: run(t.ones(1, requires_grad=True), lambda v: v.log().sum())),
        t.is_anomaly_enabled(),
    ]


@case
def set_detect_anomaly(t, np):
    x = t.tensor([0.0], requires_grad=True)
    seen = [t.is_anomaly_enabled()]
    with t.autograd.set_detect_anomaly(True, check_nan=False):
        (x.sqrt() * 0).sum().backward()
        seen.append(t.is_anomaly_enabled())
    return seen, x.grad, t.is_anomaly_enabled()


@case
def grad_mode_inside_backward_of_create_graph(t, np):
    x, seen = t.tensor([2.0], requires_grad=True), []
    y = x * x
    y.register_hook(lambda g: seen.append([t.is_grad_enabled(), g.requires_grad]))
    y.sum().backward(retain_graph=True)
    y.sum().backward(create_graph=True)
    return seen, x.grad.requires_grad


@case
def checkpoint_gives_the_same_gradients(t, np):
    from importlib import import_module

    checkpoint = import_module(t.__name__ + ".utils.checkpoint").checkpoint
    w = t.tensor([[1.0, 2.0], [0.5, -1.0]], requires_grad=True)
    x = t.tensor([[1.0, -1.0]], requires_grad=True)
    calls = []

    def block(v):
        calls.append(1)
        return t.tanh(v @ w)

    y = checkpoint(block, x, use_reentrant=False)
    y.sum().backward()
    return y, x.grad, w.grad, len(calls)
