"""The graph as programs see it: the names of nodes, who points to whom, what is saved, and when it dies."""

from __future__ import annotations

import gc
import weakref

from cases import case, chain, raises


def name(x):
    return None if x.grad_fn is None else x.grad_fn.name()


@case
def names_of_arithmetic(t, np):
    x, y = t.ones(2, requires_grad=True), t.full((2,), 2.0, requires_grad=True)
    results = (
        x + y, x + 1, 1 + x, x - y, 1 - x, x * y, x * 2, x / y, x / 2, 1 / x, -x, x**2, x**y, 2**x, x % 2, x // 1,
        abs(x), +x * 1, t.maximum(x, y), t.minimum(x, y), t.fmod(x, 2), t.atan2(x, y), t.where(x > 0, x, y),
        x.lerp(y, 0.5),
        t.addcmul(x, x, y), t.addcdiv(x, x, y), x.sub(y, alpha=2), t.hypot(x, y),
    )  # fmt: skip
    return [name(r) for r in results]


@case
def names_of_pointwise_functions(t, np):
    names = (
        "exp log log2 log10 log1p expm1 sqrt rsqrt square reciprocal sin cos tan asin acos atan sinh cosh tanh sigmoid "
        "erf abs neg sign floor ceil round trunc frac relu logit digamma lgamma exp2 erfc sinc deg2rad positive"
    ).split()
    x = t.full((2,), 0.5, requires_grad=True)
    return {n: name(getattr(t, n)(x)) for n in names}


@case
def names_of_activations(t, np):
    F, x = t.nn.functional, t.ones(2, 2, requires_grad=True)
    results = {
        n: name(getattr(F, n)(x))
        for n in (
            "relu leaky_relu elu selu celu gelu silu mish softplus hardtanh relu6 hardsigmoid hardswish "
            "logsigmoid softsign tanhshrink softshrink hardshrink glu"
        ).split()
    }
    results["softmax"] = name(F.softmax(x, 1))
    results["log_softmax"] = name(F.log_softmax(x, 1))
    results["dropout"] = name(F.dropout(x, 0.5))
    results["dropout_eval"] = name(F.dropout(x, 0.5, training=False))
    results["normalize"] = name(F.normalize(x))
    results["prelu"] = name(F.prelu(x, t.ones(1)))
    return results


@case
def names_of_reductions(t, np):
    x = t.arange(1.0, 7.0).view(2, 3).requires_grad_()
    results = (
        x.sum(), x.sum(0), x.mean(), x.mean(1), x.prod(), x.prod(0), x.max(), x.max(0)[0], x.min(), x.min(1).values,
        x.amax(0), x.amin(),
        x.std(), x.std(0), x.var(), x.var(1), x.norm(), x.norm(1), x.norm(2, 0), x.logsumexp(0), x.cumsum(0),
        x.cumprod(1), x.median(),
        x.median(0)[0], x.sort()[0], x.topk(2)[0], x.kthvalue(1)[0], x.trace(), x.nansum(), x.dist(x * 2),
    )  # fmt: skip
    return [name(r) for r in results]


@case
def names_of_views(t, np):
    x = t.ones(2, 3, 1, requires_grad=True)
    results = (
        x.view(6), x.reshape(3, 2), x[0], x[1:], x[:, 1], x[..., 0], x[None], x.transpose(0, 1), x.permute(2, 0, 1),
        x[0].t(), x.mT,
        x.unsqueeze(0), x.squeeze(), x.squeeze(2), x.expand(2, 3, 4), x.flatten(), x.unflatten(1, (3, 1)),
        x.narrow(1, 0, 2), x.select(0, 1),
        x.diagonal(), x.unfold(1, 2, 1), x.split(1)[0], x.split([1, 1])[1], x.chunk(2)[0], x.unbind(0)[1],
        x.movedim(0, 1), x.as_strided((2,), (1,)),
        x.swapaxes(0, 1), x.view_as(x), x.contiguous(), x.clone(), x[0].T, x.ravel(), x.broadcast_to(2, 3, 2),
        x.tensor_split(2)[0],
    )  # fmt: skip
    return [name(r) for r in results]


@case
def names_of_indexing_and_joining(t, np):
    x = t.arange(6.0).view(2, 3).requires_grad_()
    i = t.tensor([[0, 1]])
    results = (
        x[[0, 1]], x[x > 1], x[0, 1], x[t.tensor([1])], x.gather(1, i), x.scatter(1, i, 5.0),
        x.scatter_add(1, i, t.ones(1, 2)),
        x.index_select(0, t.tensor([0])), x.masked_fill(x > 1, 0), x.masked_select(x > 1),
        x.index_add(0, t.tensor([0]), t.ones(1, 3)),
        t.cat([x, x]), t.stack([x, x]), x.repeat(2, 1), x.flip(0), x.roll(1), x.tile(2), x.tril(), x.triu(),
        t.diag(x[0]), x.take(t.tensor([0])),
        t.nn.functional.pad(x, (1, 1)), x.repeat_interleave(2), x.rot90(), t.take_along_dim(x, i, 1),
        t.hstack([x, x]), t.vstack([x]),
        t.meshgrid(x[0], x[1], indexing="ij")[0], x.index_put((t.tensor([0]),), t.tensor(1.0)),
        t.nn.functional.one_hot(i).float() @ x.new_ones(2, 1),
    )  # fmt: skip
    return [name(r) for r in results]


@case
def names_of_linear_algebra(t, np):
    a, v, b = t.ones(2, 2, requires_grad=True), t.ones(2, requires_grad=True), t.ones(3, 2, 2)
    F = t.nn.functional
    results = (
        a @ a, a @ v, v @ v, v @ a, b @ a, b @ b.requires_grad_(), a.mm(a), a.mv(v), v.dot(v), b.bmm(b),
        t.addmm(v, a, a), F.linear(a, a), F.linear(a, a, v),
        F.linear(b, a), F.linear(b, a, v), t.outer(v, v), t.einsum("ij,j->i", a, v), t.baddbmm(b, b, b),
        F.bilinear(v, v, t.ones(1, 2, 2)),
        t.linalg.norm(a), t.det(a + t.eye(2)), t.inverse(a + t.eye(2)), t.linalg.solve(a + t.eye(2), v),
        t.tensordot(a, a, 1), t.kron(a, a),
    )  # fmt: skip
    return [name(r) for r in results]


@case
def names_of_losses(t, np):
    F = t.nn.functional
    x, y = t.full((2, 3), 0.5, requires_grad=True), t.full((2, 3), 0.25)
    k = t.tensor([0, 2])
    return {
        "mse": name(F.mse_loss(x, y)),
        "mse_none": name(F.mse_loss(x, y, reduction="none")),
        "l1": name(F.l1_loss(x, y)),
        "smooth_l1": name(F.smooth_l1_loss(x, y)),
        "huber": name(F.huber_loss(x, y)),
        "nll": name(F.nll_loss(x, k)),
        "cross_entropy": name(F.cross_entropy(x, k)),
        "cross_entropy_soft": name(F.cross_entropy(x, y)),
        "bce": name(F.binary_cross_entropy(x, y)),
        "bce_logits": name(F.binary_cross_entropy_with_logits(x, y)),
        "kl_div": name(F.kl_div(x, y, reduction="batchmean")),
        "cosine": name(F.cosine_similarity(x, y)),
        "hinge": name(F.hinge_embedding_loss(x, y.sign())),
        "triplet": name(F.triplet_margin_loss(x, y, y + 1)),
        "poisson": name(F.poisson_nll_loss(x, y)),
        "soft_margin": name(F.soft_margin_loss(x, y.sign())),
    }


@case
def names_of_layers(t, np):
    F = t.nn.functional
    x = t.ones(1, 2, 4, 4, requires_grad=True)
    n, w = t.ones(2), t.ones(2)
    return {
        "conv2d": name(F.conv2d(x, t.ones(3, 2, 3, 3))),
        "conv1d": name(F.conv1d(x[0], t.ones(3, 4, 1))),
        "conv_transpose2d": name(F.conv_transpose2d(x, t.ones(2, 3, 2, 2))),
        "max_pool2d": name(F.max_pool2d(x, 2)),
        "max_pool1d": name(F.max_pool1d(x[0], 2)),
        "avg_pool2d": name(F.avg_pool2d(x, 2)),
        "adaptive_avg_pool2d": name(F.adaptive_avg_pool2d(x, 2)),
        "adaptive_avg_pool2d_one": name(F.adaptive_avg_pool2d(x, 1)),
        "batch_norm": name(F.batch_norm(x, n, w, training=True)),
        "layer_norm": name(F.layer_norm(x, (4,))),
        "group_norm": name(F.group_norm(x, 1)),
        "instance_norm": name(F.instance_norm(x)),
        "embedding": name(F.embedding(t.tensor([0]), x[0, 0])),
        "interpolate": name(F.interpolate(x, scale_factor=2)),
        "bilinear": name(F.interpolate(x, scale_factor=2, mode="bilinear")),
        "unfold": name(F.unfold(x, 2)),
        "pixel_shuffle": name(F.pixel_shuffle(t.ones(1, 4, 2, 2, requires_grad=True), 2)),
        "attention": name(F.scaled_dot_product_attention(x, x, x)) is not None,
        "rnn": name(t.nn.RNN(2, 2)(t.ones(1, 1, 2))[0]) is not None,
    }


@case
def names_of_casts_and_copies(t, np):
    x = t.ones(2, requires_grad=True)
    y = t.zeros(2)
    y.copy_(x)
    results = (
        x.double(),
        x.to(t.float16),
        x.float(),
        x.clone(),
        x.contiguous(),
        y,
        x.to("cpu"),
        x.type(t.float64),
        x.bfloat16().float(),
    )
    z = t.ones(2, dtype=t.complex64, requires_grad=True)
    more = (z.real, z.imag, z.abs(), z.angle(), z.conj(), t.view_as_real(z), t.complex(x, x), z * x)
    return [name(r) for r in results], [name(r) for r in more]


@case
def names_after_in_place(t, np):
    x = t.ones(4, requires_grad=True)
    seen = []
    y = x * 1
    for write in (
        lambda: y.add_(1),
        lambda: y.mul_(2),
        lambda: y.exp_(),
        lambda: y.clamp_(0, 1),
        lambda: y.zero_(),
        lambda: y.fill_(2),
        lambda: y.copy_(x),
        lambda: y.__setitem__(0, 1),
        lambda: y.masked_fill_(y > 5, 0),
        lambda: y.__setitem__([1], 2),
        lambda: y.relu_(),
        lambda: y.unsqueeze_(0),
    ):
        write()
        seen.append(name(y))
    return seen


@case
def class_names_and_methods_of_nodes(t, np):
    x = t.ones(2, requires_grad=True)
    y = (x * 2).sum()
    v = x * 1
    v[0] = 1
    node = y.grad_fn
    leaf = node.next_functions[0][0].next_functions[0][0]
    return [
        type(node).__name__,
        node.name(),
        str(node).split(" object")[0],
        type(leaf).__name__,
        leaf.name(),
        leaf.variable is x,
        type(v.grad_fn).__name__,
        node.metadata,
        isinstance(node.next_functions, tuple),
        [index for _, index in node.next_functions],
        y.grad_fn is node,
        node.next_functions[0][0] is node.next_functions[0][0],
    ]


@case
def metadata_is_kept_on_the_node(t, np):
    x = t.ones(2, requires_grad=True)
    y = x * 2
    y.grad_fn.metadata["step"] = 7
    return y.grad_fn.metadata, (y + 1).grad_fn.next_functions[0][0].metadata


@case
def chain_of_a_linear_layer(t, np):
    layer = t.nn.Linear(3, 2)
    return (
        chain(layer(t.ones(1, 3)).grad_fn),
        chain(layer(t.ones(1, 3, requires_grad=True)).grad_fn),
        chain(layer(t.ones(2, 1, 3)).grad_fn),
    )


@case
def chain_of_a_small_network(t, np):
    net = t.nn.Sequential(t.nn.Linear(2, 3), t.nn.ReLU(), t.nn.Linear(3, 1), t.nn.Sigmoid())
    return chain(net(t.ones(1, 2)).mean().grad_fn)


@case
def chain_of_a_classifier(t, np):
    x = t.ones(1, 1, 6, 6)
    conv, fc = t.nn.Conv2d(1, 2, 3), t.nn.Linear(8, 3)
    F = t.nn.functional
    y = F.cross_entropy(fc(t.flatten(F.max_pool2d(F.relu(conv(x)), 2), 1)), t.tensor([1]))
    return chain(y.grad_fn)


@case
def chain_of_log_softmax_and_nll(t, np):
    x = t.ones(2, 3, requires_grad=True)
    return chain(t.nn.functional.nll_loss(t.log_softmax(x, 1), t.tensor([0, 1])).grad_fn)


@case
def chain_with_operands_that_need_no_gradient(t, np):
    x, c = t.ones(2, requires_grad=True), t.ones(2)
    results = (
        x * c,
        c * x,
        x + 1,
        t.cat([c, x]),
        t.where(c > 0, c, x),
        c / x,
        t.stack([x, c, x]),
        c @ x,
        x[0] + c[0],
        x - c,
    )
    return [chain(r.grad_fn) for r in results]


@case
def chain_of_lectures(t, np):
    a, b = t.tensor(2.0, requires_grad=True), t.tensor(-3.0, requires_grad=True)
    c, f = t.tensor(10.0, requires_grad=True), t.tensor(-0.2, requires_grad=True)
    loss = t.tanh((a * b + c) * f)
    loss.backward()
    return chain(loss.grad_fn), a.grad, b.grad, c.grad, f.grad


@case
def output_numbers_of_multi_output_nodes(t, np):
    x = t.arange(6.0).view(2, 3).requires_grad_()
    a, b = x.unbind(0)
    values, _ = x.max(1)
    c, d, e = x.split(1, 1)
    return [y.output_nr for y in (a, b, values, c, d, e)], (b * 2).grad_fn.next_functions[0][1], a.grad_fn is b.grad_fn


@case
def same_leaf_same_accumulator(t, np):
    x = t.ones(2, requires_grad=True)
    a, b = x * 2, x + 1
    first, second = a.grad_fn.next_functions[0][0], b.grad_fn.next_functions[0][0]
    return first is second, first.variable is x


@case
def saved_attributes(t, np):
    x, y = t.tensor([1.0, 2.0], requires_grad=True), t.tensor([3.0, 4.0], requires_grad=True)
    m, p, e = x * y, x**3, x.exp()
    return (
        m.grad_fn._saved_self,
        m.grad_fn._saved_other,
        p.grad_fn._saved_exponent,
        e.grad_fn._saved_result,
        x.sum(0).grad_fn._saved_dim,
    )


@case
def repr_shows_the_node(t, np):
    x = t.tensor([1.0, 2.0], requires_grad=True)
    y = x * 2
    v = y[:1]
    y.add_(1)
    w = x * 1
    w[0] = 5
    return (
        repr(x),
        repr(y),
        repr(y.sum()),
        repr(x.detach()),
        repr(x.double() * 1),
        repr(x.view(2, 1)),
        repr(w),
        repr(t.nn.Parameter(t.ones(2))),
        repr(v),
    )


@case
def graph_dies_with_its_last_tensor(t, np):
    gc.disable()
    try:
        x = t.ones(2, requires_grad=True)
        h = x.exp()
        y = (h * h).sum()
        inner = weakref.ref(h)
        del h
        y.backward()
        del y
        return inner() is None, x.grad
    finally:
        gc.enable()


@case
def tensors_die_without_the_collector(t, np):
    gc.disable()
    try:
        x = t.ones(2, requires_grad=True)
        y = x * 2
        z = y.sum()
        dead = [weakref.ref(y), weakref.ref(z)]
        z.backward()
        z.item()
        del y, z
        leaf = weakref.ref(x)
        del x
        return [r() is None for r in dead], leaf() is None
    finally:
        gc.enable()


@case
def parameters_die_with_their_module(t, np):
    gc.disable()
    try:
        layer = t.nn.Linear(2, 2)
        dead = [weakref.ref(p) for p in layer.parameters()]
        layer(t.ones(1, 2)).sum().backward()
        del layer
        return [r() is None for r in dead]
    finally:
        gc.enable()


@case
def leaf_kept_alive_by_the_graph(t, np):
    def build():
        x = t.ones(2, requires_grad=True)
        return (x * 3).sum()

    y = build()
    accumulator = y.grad_fn.next_functions[0][0].next_functions[0][0]
    y.backward()
    return accumulator.variable.grad


@case
def long_chain_is_destroyed_without_recursion(t, np):
    x = t.ones(1, requires_grad=True)
    y = x
    for _ in range(20000):
        y = y * 1.0
    node = weakref.ref(y)
    del y
    return node() is None


@case
def backward_through_a_deleted_intermediate(t, np):
    x = t.ones(2, requires_grad=True)
    y = x * 2
    z = y * y
    del y
    z.sum().backward()
    return x.grad


@case
def graph_of_a_loop_grows(t, np):
    x = t.tensor(1.0, requires_grad=True)
    y = x
    for _ in range(4):
        y = t.sin(y) + x
    return chain(y.grad_fn), t.autograd.grad(y, x)


@case
def grad_fn_of_detached_and_leaf(t, np):
    x = t.ones(2, requires_grad=True)
    y = x * 2
    return name(x), name(y.detach()), name(y.data), name(x.clone()), name(y.clone().detach().requires_grad_())


@case
def graph_helpers(t, np):
    x = t.ones(2, requires_grad=True)
    y = x * 2
    edge = t.autograd.graph.get_gradient_edge(y)
    return (
        edge.node.name(),
        edge.output_nr,
        t.autograd.grad(y.sum(), edge),
        raises(lambda: t.autograd.graph.get_gradient_edge(t.ones(1))),
    )
