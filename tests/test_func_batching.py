"""vmap for all elements at once: every batching rule against the function run once for each element."""

from __future__ import annotations

import pytest

import rushlight as torch
from rushlight.func import functional_call, grad, hessian, jacfwd, jacrev, jvp, rules, stack_module_state, vjp, vmap
from rushlight.func.batching import Body
from rushlight.record import trace
from rushlight.utils._pytree import tree_leaves

pytestmark = pytest.mark.skipif(trace.EAGER, reason="one operation at a time goes element by element")

F = torch.nn.functional
nn = torch.nn
N = 3  # elements


@pytest.fixture(autouse=True)
def float64():
    torch.set_default_dtype(torch.float64)
    torch.manual_seed(0)
    yield
    torch.set_default_dtype(torch.float32)


@pytest.fixture
def outcomes(monkeypatch):
    """What `Body.batched` said: whether each body went through at once."""
    said = []
    original = Body.batched

    def batched(self, *args):
        found = original(self, *args)
        said.append(found is not None)
        return found

    monkeypatch.setattr(Body, "batched", batched)
    monkeypatch.setattr(rules, "looped", [])
    return said


def by_loop(call):
    """What a call gives where nothing goes through at once."""
    original = Body.batched
    Body.batched = lambda self, *args: None
    try:
        return call()
    finally:
        Body.batched = original


def same(found, expected):
    a, b = tree_leaves(found), tree_leaves(expected)
    assert len(a) == len(b)
    for t, s in zip(a, b, strict=True):
        assert t.shape == s.shape and t.dtype is s.dtype
        torch.testing.assert_close(t, s, rtol=1e-12, atol=1e-12, equal_nan=True)


def ints(*shape, below=4):
    return torch.randint(0, below, shape)


def r(*shape):
    return torch.randn(*shape)


POSITIVE = ("log", "sqrt", "rsqrt", "lgamma", "digamma", "log1p")
UNARY = [
    torch.exp, torch.sin, torch.tanh, torch.sigmoid, torch.relu, torch.erf, torch.sign, torch.round, torch.square,
    torch.neg, torch.abs, torch.floor, torch.isnan, torch.reciprocal, torch.logical_not, torch.signbit,
    F.gelu, F.silu, F.elu, F.softplus, F.leaky_relu, F.hardtanh, F.mish, F.logsigmoid, F.hardswish,
    lambda t: t.clamp(-0.5, 0.5), lambda t: t**3, lambda t: 2**t, lambda t: t.abs().log(), lambda t: t > 0,
    lambda t: t.masked_fill(t > 0, 2.0), lambda t: torch.where(t > 0, t, -t * 2), lambda t: t.nan_to_num(),
    lambda t: t.to(torch.float32), lambda t: t.int() + 1, lambda t: 1 - t, lambda t: t.float() * t.mean(),
    lambda t: t.sum() * t.float(), lambda t: torch.addcmul(t, t, t, value=0.3), lambda t: torch.lerp(t, t * 2, 0.3),
]  # fmt: skip

#: functions of one tensor of shape (2, 3, 4)
VIEWS = [
    lambda t: t.view(6, 4), lambda t: t.reshape(-1), lambda t: t.transpose(0, 2).reshape(4, 6),
    lambda t: t.permute(2, 0, 1),
    lambda t: t.unsqueeze(1), lambda t: t[:1].squeeze(0), lambda t: t[0], lambda t: t[:, 1:, ::2], lambda t: t[..., -1],
    lambda t: t.unsqueeze(2).expand(2, 3, 5, 4), lambda t: t.flatten(1), lambda t: t.swapaxes(0, 1)[1],
    lambda t: t.unbind(1), lambda t: t.split(2, dim=2), lambda t: t.chunk(3, 1)[1],
    lambda t: t.movedim(0, -1).contiguous(),
    lambda t: t.diagonal(dim1=0, dim2=1), lambda t: t.unfold(2, 2, 1), lambda t: t.narrow(1, 1, 2), lambda t: t[0].t(),
    lambda t: t.squeeze(), lambda t: t.expand(5, 2, 3, 4), lambda t: t.mT[1], lambda t: t.permute(1, 2, 0)[2].t()[1],
    lambda t: t.view_as(t), lambda t: t.unflatten(2, (2, 2)), lambda t: t.contiguous().as_strided((2, 2), (3, 1), 2),
]  # fmt: skip

REDUCTIONS = [
    lambda t: t.sum(), lambda t: t.sum(1), lambda t: t.sum((0, 2), keepdim=True), lambda t: t.mean(),
    lambda t: t.mean(-1),
    lambda t: t.prod(), lambda t: t.prod(1), lambda t: t.max(), lambda t: t.min(), lambda t: t.max(1),
    lambda t: t.min(-1),
    lambda t: t.amax((0, 1)), lambda t: t.amin(2), lambda t: t.argmax(), lambda t: t.argmax(1, keepdim=True),
    lambda t: t.var(),
    lambda t: t.std(1), lambda t: torch.var_mean(t, 2), lambda t: t.logsumexp(1), lambda t: (t > 0).all(),
    lambda t: (t > 0).any(1),
    lambda t: t.norm(), lambda t: t.norm(dim=1), lambda t: torch.linalg.vector_norm(t, 3, (0, 1)), lambda t: t.median(),
    lambda t: t.median(1), lambda t: t.nansum(), lambda t: t.count_nonzero(1), lambda t: t.kthvalue(2, 1),
    lambda t: t.aminmax(),
    lambda t: t.sum(()), lambda t: t.sum().sum(0), lambda t: t.sum().max(), lambda t: t.mean().mean(),
]  # fmt: skip

ALONG = [
    lambda t: t.softmax(1), lambda t: t.log_softmax(-1), lambda t: t.cumsum(1), lambda t: t.cumprod(2),
    lambda t: t.cummax(0),
    lambda t: t.sort(2), lambda t: t.topk(2, 1), lambda t: F.glu(t, 2), lambda t: t.flip(0, 2), lambda t: t.roll(1, 2),
    lambda t: t.repeat(2, 1, 1, 3), lambda t: torch.cat([t, t * 2], 1), lambda t: torch.stack([t, t.sin()], 2),
    lambda t: torch.cat([t, torch.ones(2, 1, 4)], 1), lambda t: t.tril(), lambda t: t.triu(1),
    lambda t: F.pad(t, (1, 2, 0, 1), value=0.5), lambda t: t.index_select(1, torch.tensor([2, 0])),
    lambda t: t[:, torch.tensor([1, 1, 2])], lambda t: t[torch.tensor([0, 1]), torch.tensor([2, 1])],
    lambda t: t.gather(1, torch.tensor([[[0, 1, 2, 0]]]).expand(2, 1, 4)), lambda t: t.sum().softmax(0),
    lambda t: t.logcumsumexp(1),
    lambda t: torch.zeros(2, 3, 4).scatter_add(1, torch.ones(2, 3, 4, dtype=torch.int64), t),
    lambda t: F.pixel_shuffle(t.reshape(1, 4, 2, 3), 2),
    lambda t: t.index_add(0, torch.tensor([1, 1]), t * 2),
]  # fmt: skip


def ids(functions):
    return [getattr(f, "__name__", "f") + str(i) for i, f in enumerate(functions)]


ALL = [*UNARY, *VIEWS, *REDUCTIONS, *ALONG]


@pytest.mark.parametrize("f", ALL, ids=ids(ALL))
def test_functions_of_one_tensor(f, outcomes):
    x = r(N, 2, 3, 4)
    same(vmap(f)(x), by_loop(lambda: vmap(f)(x)))
    moved = x.movedim(0, 2)
    same(vmap(f, in_dims=2)(moved), by_loop(lambda: vmap(f)(x)))
    assert outcomes == [True, True]

    def total(t):
        found = [s for s in tree_leaves(f(t)) if s.is_floating_point()]
        return sum((s.double() ** 2).sum() for s in found) if found else t.sum()

    same(vmap(grad(total))(x), by_loop(lambda: vmap(grad(total))(x)))
    # on the tape outside
    leaf, other = x.clone().requires_grad_(), x.clone().requires_grad_()
    vmap(lambda t: grad(total)(t) * t)(leaf).sum().backward()
    by_loop(lambda: vmap(lambda t: grad(total)(t) * t)(other).sum().backward())
    same(leaf.grad, other.grad)
    assert not rules.looped


BINARY = {
    "add": (lambda a, b: a + b, (2, 3), (3,)),
    "mul": (lambda a, b: a * b, (3,), (2, 3)),
    "div": (lambda a, b: a / b, (), (2, 3)),
    "scalar": (lambda a, b: a.float() * b + a, (), (3,)),
    "maximum": (torch.maximum, (2, 3), (2, 1)),
    "where": (lambda a, b: torch.where(a > 0, a, b), (3,), (2, 3)),
    "masked": (lambda a, b: a.masked_fill(b > 0, 1.0), (2, 3), (3,)),
    "fill": (lambda a, b: a.masked_fill(a > 0, b), (2, 3), ()),
    "dot": (torch.dot, (4,), (4,)),
    "mv": (torch.mv, (3, 4), (4,)),
    "vm": (torch.matmul, (4,), (4, 3)),
    "mm": (torch.mm, (2, 4), (4, 3)),
    "bmm": (torch.bmm, (2, 3, 4), (2, 4, 2)),
    "matmul": (torch.matmul, (2, 3, 4), (4, 2)),
    "matmul4": (torch.matmul, (2, 1, 3, 4), (2, 4, 2)),
    "outer": (torch.outer, (3,), (4,)),
    "addmm": (lambda a, b: torch.addmm(b[:1], a, b, beta=0.5, alpha=2.0), (2, 3), (3, 4)),
    "einsum": (lambda a, b: torch.einsum("ij,kj->ik", a, b), (2, 3), (4, 3)),
    "linear": (F.linear, (2, 3), (4, 3)),
    "linear vector": (F.linear, (3,), (4, 3)),
    "linear many": (F.linear, (2, 5, 3), (4, 3)),
    "linear bias": (lambda a, b: F.linear(a, b, b[:, 0]), (2, 3), (4, 3)),
    "conv1d": (F.conv1d, (2, 3, 6), (4, 3, 3)),
    "conv2d": (lambda a, b: F.conv2d(a, b, b[:, 0, 0, 0], padding=1), (2, 2, 4, 5), (4, 2, 3, 3)),
    "conv2d stride": (lambda a, b: F.conv2d(a, b, stride=2, dilation=1), (1, 2, 5, 5), (4, 2, 2, 2)),
    "conv2d groups": (lambda a, b: F.conv2d(a, b, groups=2), (2, 4, 4, 4), (4, 2, 2, 2)),
    "conv2d unbatched": (F.conv2d, (2, 4, 5), (4, 2, 3, 3)),
    "conv transpose": (lambda a, b: F.conv_transpose2d(a, b, stride=2), (2, 3, 3, 3), (3, 2, 2, 2)),
    "layer norm": (lambda a, b: F.layer_norm(a, (4,), b[0], b[1]), (2, 3, 4), (2, 4)),
    "layer norm plain": (lambda a, b: F.layer_norm(a, (3, 4)) * b, (2, 3, 4), (4,)),
    "group norm": (lambda a, b: F.group_norm(a, 2, b[0], b[1]), (2, 4, 3), (2, 4)),
    "batch norm": (lambda a, b: F.batch_norm(a, None, None, b[0], b[1], training=True), (3, 4, 2), (2, 4)),
    "instance norm": (lambda a, b: F.instance_norm(a) * b, (2, 3, 4), (4,)),
    "mse": (F.mse_loss, (2, 3), (2, 3)),
    "mse sum": (lambda a, b: F.mse_loss(a, b, reduction="sum"), (2, 3), (2, 3)),
    "mse none": (lambda a, b: F.mse_loss(a, b, reduction="none"), (2, 3), (2, 3)),
    "huber": (F.huber_loss, (2, 3), (2, 3)),
    "bce": (lambda a, b: F.binary_cross_entropy_with_logits(a, b.sigmoid()), (2, 3), (2, 3)),
    "cosine": (lambda a, b: F.cosine_similarity(a, b, dim=0), (4,), (4,)),
    "attention": (lambda a, b: F.scaled_dot_product_attention(a, b, b * 2), (1, 2, 3, 4), (1, 2, 5, 4)),
    "causal": (lambda a, b: F.scaled_dot_product_attention(a, b, b, is_causal=True), (1, 2, 3, 4), (1, 2, 3, 4)),
    "mask": (lambda a, b: F.scaled_dot_product_attention(a, a, a, attn_mask=b > 0), (2, 2, 3, 4), (3, 3)),
    "bias": (lambda a, b: F.scaled_dot_product_attention(a, a, a, attn_mask=b), (2, 2, 3, 4), (2, 1, 3, 3)),
    "batch norm fixed": (lambda a, b: F.batch_norm(a, torch.zeros(4), torch.ones(4)) * b, (3, 4, 2), (2,)),
    "cdist": (torch.cdist, (3, 2), (4, 2)),
    "solve": (lambda a, b: torch.linalg.solve(a + 4 * torch.eye(3), b), (3, 3), (3, 2)),
    "pooling": (lambda a, b: F.max_pool2d(a, 2) + F.avg_pool2d(b, 2), (1, 2, 4, 4), (1, 2, 4, 4)),
    "adaptive": (lambda a, b: F.adaptive_avg_pool2d(a * b, 2), (1, 2, 4, 4), (1, 2, 4, 4)),
    "upsample": (lambda a, b: F.interpolate(a * b, scale_factor=2), (1, 2, 3, 3), (3,)),
    "unfold": (lambda a, b: F.unfold(a, 2) * b[0], (1, 2, 4, 4), (1,)),
    "cat": (lambda a, b: torch.cat([a, b], 1), (2, 3), (2, 2)),
    "embedding": (lambda a, b: F.embedding((b * 100).long() % 4, a), (4, 2), (3,)),
    "prelu": (F.prelu, (2, 3), (3,)),
    "clamp": (lambda a, b: a.clamp(b, b + 1), (2, 3), (3,)),
    "cross": (lambda a, b: torch.linalg.cross(a, b), (2, 3), (2, 3)),
    "pow": (lambda a, b: a.abs() ** b, (2, 3), (3,)),
}
#: what has no rule, or not for these operands, is done for each element
LOOPED = {"cdist", "solve", "prelu", "cosine"}


@pytest.mark.parametrize("dims", [(0, 0), (0, None), (None, 0), (1, -1)], ids=str)
@pytest.mark.parametrize("case", BINARY)
def test_functions_of_two_tensors(case, dims, outcomes):
    f, shape, other = BINARY[case]
    a = r(N, *shape).movedim(0, dims[0] % (len(shape) + 1)) if dims[0] is not None else r(*shape)
    b = r(N, *other).movedim(0, dims[1] % (len(other) + 1)) if dims[1] is not None else r(*other)
    if dims == (1, -1) and not (shape and other):
        return
    same(vmap(f, dims)(a, b), by_loop(lambda: vmap(f, dims)(a, b)))

    def slopes(a, b):
        return grad(lambda a, b: (f(a, b).double() ** 2).sum(), argnums=(0, 1))(a, b)

    same(vmap(slopes, dims)(a, b), by_loop(lambda: vmap(slopes, dims)(a, b)))
    assert outcomes == [case != "solve"] * 2  # which looks whether it can
    assert not rules.looped or case in LOOPED, rules.looped
    outside = [t.clone().requires_grad_() for t in (a, b, a, b)]
    (vmap(f, dims)(*outside[:2]).double() ** 2).sum().backward()
    by_loop(lambda: (vmap(f, dims)(*outside[2:]).double() ** 2).sum().backward())
    if case != "scalar":  # whose float32 numbers are summed in another order
        same([t.grad for t in outside[:2] if t.grad is not None], [t.grad for t in outside[2:] if t.grad is not None])
    if case in ("layer norm", "conv2d", "linear bias", "group norm", "attention", "mse", "pooling", "matmul"):
        second = [t.clone().requires_grad_() for t in (a, b, a, b)]
        found = sum((t**2).sum() for t in vmap(slopes, dims)(*second[:2]))
        expected = by_loop(lambda: sum((t**2).sum() for t in vmap(slopes, dims)(*second[2:])))
        same(torch.autograd.grad(found, second[:2]), torch.autograd.grad(expected, second[2:]))


# ---------------------------------------------------------------------------------------------------------------------
# Networks, again and again, so that they are compiled


class Attentive(nn.Module):
    """A block of attention with norms, as in a transformer."""

    def __init__(self):
        super().__init__()
        self.norm, self.inner = nn.LayerNorm(8), nn.LayerNorm(8)
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
        self.out = nn.Linear(8, 3)

    def forward(self, x):
        y = self.norm(x)
        x = x + self.attention(y, y, y, need_weights=False)[0]
        return self.out(self.inner(x).mean(1))


class Embedded(nn.Module):
    """Words, their mean, and classes."""

    def __init__(self):
        super().__init__()
        self.words, self.out = nn.Embedding(7, 5), nn.Linear(5, 3)

    def forward(self, x):
        return self.out(self.words(x.long() % 7).mean(1))


def networks():
    return {
        "mlp": (nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 8), nn.Tanh(), nn.Linear(8, 3)), (6,)),
        "cnn": (nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(4, 4, 3), nn.GELU(),
                              nn.GroupNorm(2, 4), nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(16, 3)), (1, 8, 8)),
        "attention": (Attentive(), (4, 8)),
        "embedding": (Embedded(), (4,)),
        "lstm": (nn.Sequential(nn.Linear(5, 5), Last(nn.LSTM(5, 4, batch_first=True)), nn.Linear(4, 3)), (6, 5)),
    }  # fmt: skip


class Last(nn.Module):
    """The last output of a recurrent layer."""

    def __init__(self, layer):
        super().__init__()
        self.layer = layer

    def forward(self, x):
        return self.layer(x)[0][:, -1]


def loss_of(model):
    def loss(p, x, y):
        return F.cross_entropy(functional_call(model, p, (x.unsqueeze(0),)), y.unsqueeze(0))

    return loss


@pytest.mark.parametrize("name", ["mlp", "cnn", "attention", "embedding", "lstm"])
def test_gradients_of_every_sample(name, outcomes):
    model, shape = networks()[name]
    parameters = {k: v.detach() for k, v in model.named_parameters()}
    slopes = vmap(grad(loss_of(model)), in_dims=(None, 0, 0))
    for _ in range(5):
        x, y = torch.randn(4, *shape) * 3, torch.randint(0, 3, (4,))
        same(slopes(parameters, x, y), by_loop(lambda: slopes(parameters, x, y)))  # noqa: B023
    assert outcomes == [True] * 5 and not set(rules.looped) - {"lstm_layer", "lstm_backward"}


@pytest.mark.parametrize("name", ["mlp", "cnn", "attention"])
def test_ensembles(name, outcomes):
    """Models side by side, evaluated and trained: the derivatives go through the batch."""
    models = [networks()[name][0] for _ in range(3)]
    shape = networks()[name][1]
    whole, buffers = stack_module_state(models)
    other = {k: v.detach().clone().requires_grad_() for k, v in whole.items()}

    def call(p, b, x):
        return functional_call(models[0], (p, b), (x,))

    for _ in range(4):
        x = torch.randn(2, *shape)
        for ps, run in ((whole, lambda f: f()), (other, by_loop)):
            out = run(lambda: vmap(call, in_dims=(0, 0, None))(ps, buffers, x))  # noqa: B023
            assert out.requires_grad
            slopes = torch.autograd.grad((out**2).sum(), list(ps.values()))
            with torch.no_grad():
                for p, g in zip(ps.values(), slopes, strict=True):
                    p -= 0.01 * g
        same(whole, other)
    assert outcomes == [True] * 4 and not rules.looped


W = [[0.3, -1.0, 0.2], [0.5, 0.1, -0.4], [-0.7, 0.6, 0.9], [1.1, -0.2, 0.3]]


def curved(t):
    return torch.tanh(t @ torch.tensor(W)).pow(3)


def bent(t):
    return curved(t).sum()


@pytest.mark.parametrize(
    "transform, shape",
    [
        (jacrev(curved), (4,)),
        (jacfwd(curved), (4,)),
        (hessian(bent), (4,)),
        (jacrev(jacrev(curved)), (4,)),
        (hessian(bent), (3, 4)),
        (vmap(jacrev(curved)), (3, 4)),
        (vmap(hessian(bent)), (3, 4)),
        (vmap(vmap(grad(bent))), (2, 3, 4)),
        (vmap(vmap(grad(bent), in_dims=1), in_dims=1, out_dims=2), (4, 3, 2)),
        (jacrev(vmap(grad(bent))), (3, 4)),
        (grad(lambda t: (vmap(grad(bent))(t) ** 2).sum()), (3, 4)),
        (grad(lambda t: (vmap(jacrev(curved))(t) ** 2).sum()), (3, 4)),
        (vmap(lambda t: jvp(curved, (t,), (t * 2,))), (3, 4)),
        (vmap(lambda t: vjp(curved, t)[1](curved(t))), (3, 4)),
        (lambda t: vmap(vjp(curved, t)[1])(torch.eye(3)), (4,)),
    ],
)
def test_derivatives_of_all_orders(transform, shape, outcomes):
    for _ in range(3):
        x = torch.randn(shape)
        same(transform(x), by_loop(lambda: transform(x)))  # noqa: B023
        y, z = (x.clone().requires_grad_() for _ in range(2))
        found, expected = transform(y), by_loop(lambda: transform(z))  # noqa: B023
        for a, b in zip(tree_leaves(found), tree_leaves(expected), strict=True):
            same(torch.autograd.grad((a**2).sum(), y, retain_graph=True),
                 torch.autograd.grad((b**2).sum(), z, retain_graph=True))  # fmt: skip
    assert outcomes and all(outcomes) and not rules.looped


# ---------------------------------------------------------------------------------------------------------------------
# What goes through at once, and what does not


@pytest.mark.parametrize(
    "f",
    [
        lambda t: t * 2 if t.sum() > 0 else -t,
        lambda t: t * t[0].item(),
        lambda t: torch.tensor(t.tolist()) + 1,
        lambda t: torch.tensor(t.numpy().sum()),
        lambda t: t[t > 0].sum(),
        lambda t: t.clone().mul_(2),
        lambda t: torch.zeros(4).index_put_((t.argmax(0, True),), t[:1]),
    ],
)
def test_what_looks_at_numbers_or_writes_in_place_runs_for_each_element(f, outcomes):
    for _ in range(3):
        x = r(5, 4)
        same(vmap(f)(x), by_loop(lambda: vmap(f)(x)))  # noqa: B023
    assert outcomes == [False] * 3


def test_what_is_written_outside_is_written_for_each_element(outcomes):
    total, calls = torch.zeros(4), []

    def f(t):
        calls.append(1)
        total.add_(t)
        return total.clone()

    x = r(3, 4)
    same(vmap(f)(x), x.cumsum(0))
    assert len(calls) == 3 and outcomes == [False]
    w = torch.ones(4, requires_grad=True)
    vmap(lambda t: (t * w).sum().backward() or t)(x)
    same(w.grad, x.sum(0))
    vmap(lambda t: (t * w).sum().backward(retain_graph=True) or t)(x)
    same(w.grad, 2 * x.sum(0))
    assert outcomes == [False] * 3


def test_statistics_of_batch_norm(outcomes):
    model = nn.Sequential(nn.BatchNorm1d(4), nn.Linear(4, 2))
    parameters, buffers = stack_module_state([model, model])
    x = r(5, 4)
    vmap(lambda p, b: functional_call(model, (p, b), (x,)))(parameters, buffers)
    expected = model[0].momentum * x.mean(0)
    model(x)
    same(model[0].running_mean, expected)
    assert outcomes == [False]


def test_draws(outcomes):
    x = r(3, 20)
    own = torch.Generator()
    for f in (lambda t: t + torch.rand(20), lambda t: t * torch.rand(()), lambda t: F.dropout(t.exp())):
        for how in ("different", "same"):
            torch.manual_seed(3)
            found = vmap(f, randomness=how)(x)
            torch.manual_seed(3)
            rows = []
            for t in x:
                if how == "same":
                    torch.manual_seed(3)
                rows.append(f(t))
            same(found, torch.stack(rows))
        before = torch.get_rng_state()
        with pytest.raises(RuntimeError, match="randomness error mode"):
            vmap(f)(x)
        assert torch.equal(torch.get_rng_state(), before)
    found = vmap(lambda t: t[0] * 0 + torch.rand((), generator=own), randomness="different")(x)
    assert len(set(found.tolist())) == 3
    assert not any(outcomes)


def test_python_numbers_may_change_from_call_to_call(outcomes):
    x = r(3, 4, 5)
    for i in (0, 1, 3, 2, 0, 1):
        found = vmap(lambda t: t.sin()[i] * i + t[i:].sum(0))(x)  # noqa: B023
        same(found, x.sin()[:, i] * i + x[:, i:].sum(1))
    assert all(outcomes)


def test_results_of_all_kinds(outcomes):
    x, c = r(3, 4), torch.arange(2.0)
    for _ in range(3):
        mixed = vmap(lambda t: (t, t * 2, c, t[1:], {"x": t.unsqueeze(0)}, 7), out_dims=(0, 1, 1, -1, 0, None))
        a, b, d, e, f, g = mixed(x)
        same((a, b, d, e, f), (x, (x * 2).t(), c.repeat(3, 1).t(), x[:, 1:].t(), {"x": x.unsqueeze(1)}))
        assert g == 7
        before = x.clone()
        for t in (a, b, d, e, f["x"]):
            t.add_(1)  # none of them shares memory with another, or with what was given
        same((x, a, b, d), (before, x + 1, (x * 2).t() + 1, c.repeat(3, 1).t() + 1))
        same((e, f), (x[:, 1:].t() + 1, {"x": x.unsqueeze(1) + 1}))
    twice = vmap(lambda t: (y := t.exp(), y.t(), y[0]))(x.reshape(3, 2, 2))
    twice[0].zero_()
    same(twice[1:], (x.exp().reshape(3, 2, 2).mT, x.exp().reshape(3, 2, 2)[:, 0]))
    a, b = vmap(lambda t: (y := t.exp(), y))(x)
    a.zero_()
    same(b, x.exp())
    assert all(outcomes)


def test_what_is_wrong_with_a_later_element_is_said():
    scores, targets = torch.randn(3, 1, 4), torch.tensor([[0], [1], [9]])
    with pytest.raises(IndexError, match="Target 9 is out of bounds"):
        vmap(F.cross_entropy)(scores, targets).tolist()
    with pytest.raises(IndexError):
        vmap(F.embedding, in_dims=(0, None))(targets, torch.randn(4, 2)).tolist()
    for wrong in (-1, 4, 5):
        with pytest.raises(IndexError):
            vmap(F.embedding)(torch.tensor([[0], [wrong], [1]]), torch.randn(3, 4, 2)).tolist()
        if wrong > 0:
            with pytest.raises(IndexError):
                vmap(lambda t, i: t[i])(torch.randn(3, 4, 2), torch.tensor([[0], [wrong], [1]])).tolist()
    assert torch.ones(2).sum() == 2


def test_no_grad_and_detach_keep_their_say(outcomes):
    w, x = r(4), r(3, 4)

    def f(w, t):
        with torch.no_grad():
            c = w * t
        return (w * t * c).sum() + (w.detach() * w * t).sum() + c.sum()

    for _ in range(3):
        a, b = (w.clone().requires_grad_() for _ in range(2))
        vmap(f, (None, 0))(a, x).sum().backward()
        by_loop(lambda: vmap(f, (None, 0))(b, x).sum().backward())  # noqa: B023
        same(a.grad, b.grad)
        found = vmap(lambda t: (t.detach() * 2, t * 3, a * 1, a.detach() + t.detach()))(x.clone().requires_grad_())  # noqa: B023
        assert [t.requires_grad for t in found] == [False, True, True, False]
    assert all(outcomes)


def test_functions_of_the_users_own(outcomes):
    class Cube(torch.autograd.Function):
        @staticmethod
        def forward(ctx, t):
            ctx.save_for_backward(t)
            return t**3

        @staticmethod
        def backward(ctx, g):
            return g * 3 * ctx.saved_tensors[0] ** 2

    x = r(3, 4)
    same(vmap(grad(lambda t: Cube.apply(t).sum()))(x), 3 * x**2)
    y = x.clone().requires_grad_()
    vmap(lambda t: Cube.apply(t).sum())(y).sum().backward()
    same(y.grad, 3 * x**2)


def test_hooks_of_what_the_function_closes_over():
    x, seen = r(3, 4), []
    w = torch.ones(4, requires_grad=True)

    def f(t):
        y = t * w
        y.register_hook(lambda g: seen.append(g.shape))
        return y.sum()

    vmap(f)(x).sum().backward()
    same(w.grad, x.sum(0))
    assert seen


def test_elements_with_gaps_in_memory(outcomes):
    base = r(6, 5, 8)
    for x in (base[::2, 1:4, ::3], base.permute(1, 2, 0), base.expand(2, 6, 5, 8)[1], base[0].expand(4, 5, 8)):
        for f in (lambda t: t[1:, 0] * 2, lambda t: t.t().reshape(-1), lambda t: t.select(1, 1).exp(),
                  lambda t: t.chunk(2)):  # fmt: skip
            same(vmap(f)(x), by_loop(lambda: vmap(f)(x)))  # noqa: B023
    assert all(outcomes)


def test_operations_without_a_rule(outcomes):
    for f, x in ((torch.linalg.cholesky, r(3, 4, 4)), (torch.fft.fft, r(3, 8)), (lambda t: torch.histc(t, 4), r(3, 8)),
                 (torch.bincount, ints(3, 9)), (torch.nonzero, torch.ones(3, 4)), (torch.linalg.svdvals, r(3, 4, 4)),
                 (lambda t: t.unique().sum(), r(3, 4)), (torch.trace, r(3, 4, 4)),
                 (torch.diag_embed, r(3, 4))):  # fmt: skip
        x = x @ x.mT + torch.eye(4) if f is torch.linalg.cholesky else x
        same(vmap(f)(x), by_loop(lambda: vmap(f)(x)))  # noqa: B023
        if x.is_floating_point() and f in (torch.linalg.cholesky, torch.trace):
            same(vmap(grad(lambda t: f(t).sum()))(x), by_loop(lambda: vmap(grad(lambda t: f(t).sum()))(x)))  # noqa: B023
    assert "trace" in rules.looped and "svdvals" not in rules.looped and "fft_r2c" not in rules.looped


def test_few_elements_and_many(outcomes):
    for n in (0, 1, 2, 100):
        x = r(n, 3)
        same(vmap(lambda t: t.sin().sum())(x), x.sin().sum(1))
    assert outcomes == [True, True]
    x = r(rules.MANY + 1, 4, 4)
    same(vmap(torch.trace)(x), x.diagonal(dim1=1, dim2=2).sum(1))
    assert outcomes == [True, True, False]  # too many to record one by one


def test_chunks(outcomes):
    x, w = r(4, 7), r(2, 4)

    def f(t, w):
        return {"a": w @ t, "b": t.sin()}, 3

    found = vmap(f, (1, None), (({"a": 1, "b": 0}), None), chunk_size=3)(x, w)
    same(found[0], {"a": w @ x, "b": x.t().sin()})
    assert found[1] == 3 and outcomes == [True, True]  # the last chunk has one element
    same(jacrev(curved, chunk_size=2)(x[:, 0]), jacrev(curved)(x[:, 0]))
    drawn = vmap(lambda t: t * 0 + torch.rand(()), randomness="same", chunk_size=2)(torch.ones(5))
    assert len(set(drawn.tolist())) == 1
    assert vmap(torch.sin, chunk_size=2)(torch.zeros(0, 2)).shape == (0, 2)
