"""Derivatives where they are a matter of convention (ties, kinks, zeros, bounds, complex numbers), of shapes, and of
dtypes.
"""

from __future__ import annotations

from cases import case, kind, look, plain, raises

NAN, INF = float("nan"), float("inf")


def gradient(t, function, *values, dtype=None):
    """The gradients of `function(*values).sum()` with respect to each of `values`."""
    leaves = [t.tensor(v, dtype=dtype or t.float64, requires_grad=True) for v in values]
    result = function(*leaves)
    (result if result.dim() == 0 else result.sum()).backward()
    return [plain(leaf.grad) for leaf in leaves]


def weighted(t, function, *values):
    """As `gradient`, with the results weighted 1, 2, 3, ... so that no two of them count the same."""
    leaves = [t.tensor(v, dtype=t.float64, requires_grad=True) for v in values]
    result = function(*leaves)
    (result * t.arange(1.0, result.numel() + 1, dtype=t.float64).view(result.shape)).sum().backward()
    return [plain(leaf.grad) for leaf in leaves]


@case
def kinks_at_zero(t, np):
    F, zero = t.nn.functional, [0.0, -0.0]
    functions = {
        "abs": t.abs, "relu": t.relu, "leaky_relu": F.leaky_relu, "elu": F.elu, "selu": F.selu, "celu": F.celu,
        "sign": t.sign,
        "clamp_min": lambda x: x.clamp(min=0), "clamp_max": lambda x: x.clamp(max=0),
        "hardtanh": lambda x: F.hardtanh(x, 0, 1),
        "hardshrink": F.hardshrink, "softshrink": F.softshrink, "relu6": F.relu6, "hardsigmoid": F.hardsigmoid,
        "hardswish": F.hardswish,
        "threshold": lambda x: F.threshold(x, 0, 5), "floor": t.floor, "round": t.round, "frac": t.frac,
        "softsign": F.softsign,
        "maximum": lambda x: t.maximum(x, t.zeros(2, dtype=t.float64)), "max0": lambda x: x.max(), "silu": F.silu,
        "gelu": F.gelu,
    }  # fmt: skip
    return {name: gradient(t, f, zero) for name, f in functions.items()}


@case
def kinks_at_bounds(t, np):
    F = t.nn.functional
    return [
        gradient(t, lambda x: x.clamp(-1, 1), [-2.0, -1.0, 0.0, 1.0, 2.0, NAN]),
        gradient(t, lambda x: x.clamp(2, 1), [0.0, 1.0, 1.5, 2.0, 3.0]),
        gradient(t, F.hardtanh, [-1.0, 1.0]),
        gradient(t, F.relu6, [0.0, 6.0, 7.0]),
        gradient(t, F.hardsigmoid, [-3.0, 3.0]),
        gradient(t, F.hardswish, [-3.0, 3.0]),
        gradient(t, F.softshrink, [-0.5, 0.5]),
        gradient(t, F.smooth_l1_loss, [1.0, -1.0, 0.0], [0.0, 0.0, 0.0]),
        gradient(t, F.huber_loss, [1.0, -1.0, 0.0], [0.0, 0.0, 0.0]),
        gradient(t, F.l1_loss, [1.0, 0.0], [1.0, 1.0]),
    ]


@case
def clamp_with_tensor_bounds(t, np):
    return [
        gradient(t, lambda x, a, b: t.clamp(x, a, b), [-2.0, -1.0, 0.5, 1.0, 3.0], [-1.0] * 5, [1.0] * 5),
        gradient(t, lambda x, a: t.clamp(x, min=a), [0.0, 1.0, 2.0], [1.0]),
        gradient(t, lambda x, a, b: t.clamp(x, a, b), [0.0], [2.0], [1.0]),
    ]


@case
def zeros_under_roots_and_logs(t, np):
    return {
        "sqrt": gradient(t, t.sqrt, [0.0, 4.0]),
        "rsqrt": gradient(t, t.rsqrt, [0.0, 4.0]),
        "log": gradient(t, t.log, [0.0, 2.0]),
        "log1p": gradient(t, t.log1p, [-1.0, 0.0]),
        "reciprocal": gradient(t, t.reciprocal, [0.0, 2.0]),
        "asin": gradient(t, t.asin, [1.0, 0.0]),
        "sqrt_times_zero": gradient(t, lambda x: t.sqrt(x) * 0, [0.0]),
        "xlogy": gradient(t, t.xlogy, [0.0, 0.0, 2.0], [0.0, 1.0, 2.0]),
        "where_of_log": gradient(t, lambda x: t.where(x > 0, t.log(x), t.zeros_like(x)), [0.0, 1.0]),
        "atan2": gradient(t, t.atan2, [0.0, 1.0], [0.0, -1.0]),
        "hypot": gradient(t, t.hypot, [0.0, 3.0], [0.0, 4.0]),
    }


@case
def powers_at_zero(t, np):
    return {
        "square": gradient(t, lambda x: x**2, [0.0, -3.0]),
        "half": gradient(t, lambda x: x**0.5, [0.0, 4.0]),
        "zeroth": gradient(t, lambda x: x**0, [0.0, 2.0]),
        "first": gradient(t, lambda x: x**1, [0.0, 2.0]),
        "minus": gradient(t, lambda x: x**-1, [0.0, 2.0]),
        "both": gradient(t, lambda x, y: x**y, [0.0, 0.0, 2.0, -2.0], [0.0, 2.0, 0.0, 2.0]),
        "exponent": gradient(t, lambda y: 2**y, [0.0, 3.0]),
        "zero_base": gradient(t, lambda y: 0**y, [0.0, 1.0]),
        "negative_base": gradient(t, lambda x, y: x**y, [-2.0], [3.0]),
    }


@case
def norms_at_zero(t, np):
    zero = [0.0, 0.0]
    return {
        "2": gradient(t, lambda x: x.norm(), zero),
        "1": gradient(t, lambda x: x.norm(1), zero),
        "inf": gradient(t, lambda x: x.norm(INF), zero),
        "3": gradient(t, lambda x: x.norm(3), zero),
        "dim": gradient(t, lambda x: x.norm(dim=1), [[0.0, 0.0], [3.0, 4.0]]),
        "inf_ties": gradient(t, lambda x: x.norm(INF), [2.0, -2.0, 1.0]),
        "linalg": gradient(t, t.linalg.vector_norm, zero),
        "fro": gradient(t, t.linalg.matrix_norm, [[0.0, 0.0], [0.0, 0.0]]),
        "normalize": gradient(t, lambda x: t.nn.functional.normalize(x, dim=0)[0], [3.0, 4.0]),
        "normalize_zero": gradient(t, lambda x: t.nn.functional.normalize(x, dim=0), zero),
        "std_of_equal": gradient(t, lambda x: x.std(), [1.0, 1.0]),
        "cosine_zero": gradient(t, lambda x, y: t.nn.functional.cosine_similarity(x, y, 0), zero, [1.0, 2.0]),
        "pairwise_equal": gradient(t, lambda x, y: t.nn.functional.pairwise_distance(x, y), [[1.0, 2.0]], [[1.0, 2.0]]),
        "cdist_equal": gradient(t, lambda x, y: t.cdist(x, y), [[1.0, 2.0]], [[1.0, 2.0], [1.0, 3.0]]),
    }


@case
def ties_of_extremes(t, np):
    tied = [[1.0, 3.0, 3.0], [2.0, 2.0, 2.0]]
    return {
        "max_all": gradient(t, lambda x: x.max(), tied),
        "max_dim": gradient(t, lambda x: x.max(1)[0], tied),
        "min_all": gradient(t, lambda x: x.min(), tied),
        "min_dim": gradient(t, lambda x: x.min(0).values, tied),
        "amax": gradient(t, lambda x: x.amax(1), tied),
        "amax_all": gradient(t, lambda x: x.amax(), tied),
        "amin": gradient(t, lambda x: x.amin((0, 1)), tied),
        "maximum": gradient(t, t.maximum, [1.0, 2.0, 3.0], [2.0, 2.0, 2.0]),
        "minimum": gradient(t, t.minimum, [1.0, 2.0, 3.0], [2.0, 2.0, 2.0]),
        "fmax": gradient(t, t.fmax, [NAN, 2.0, 3.0], [2.0, 2.0, 2.0]),
        "median": gradient(t, lambda x: x.median(1)[0], tied),
        "median_all": gradient(t, lambda x: x.median(), [1.0, 2.0, 2.0, 5.0]),
        "kthvalue": gradient(t, lambda x: x.kthvalue(2, 1)[0], [[1.0, 3.0, 2.0]]),
        "cummax": weighted(t, lambda x: x.cummax(0)[0], [1.0, 3.0, 2.0, 3.0]),
        "max_pool": gradient(t, lambda x: t.nn.functional.max_pool1d(x.view(1, 1, 4), 2), [2.0, 2.0, 1.0, 3.0]),
        "logsumexp": gradient(t, lambda x: x.logsumexp(1), tied),
        "aminmax": gradient(t, lambda x: x.aminmax()[0] + x.aminmax()[1], [1.0, 1.0, 4.0]),
    }


@case
def sorting_gradients(t, np):
    x = [3.0, 1.0, 2.0, 1.0]
    return {
        "sort": weighted(t, lambda v: v.sort(stable=True)[0], x),
        "sort_descending": weighted(t, lambda v: v.sort(descending=True, stable=True)[0], x),
        "topk": weighted(t, lambda v: v.topk(2)[0], x),
        "topk_smallest": weighted(t, lambda v: v[:3].topk(2, largest=False)[0], x),
        "msort": weighted(t, t.msort, [3.0, 1.0, 2.0]),
        "quantile": gradient(t, lambda v: v.quantile(0.3), x),
        "flip": weighted(t, lambda v: v.flip(0), x),
        "roll": weighted(t, lambda v: v.roll(1), x),
    }


@case
def products_with_zeros(t, np):
    return {
        "none": gradient(t, lambda x: x.prod(), [2.0, 3.0, 4.0]),
        "one": gradient(t, lambda x: x.prod(), [2.0, 0.0, 4.0]),
        "two": gradient(t, lambda x: x.prod(), [0.0, 0.0, 4.0]),
        "dim": gradient(t, lambda x: x.prod(1), [[2.0, 0.0], [3.0, 4.0]]),
        "dim_keep": weighted(t, lambda x: x.prod(0, keepdim=True), [[2.0, 0.0], [0.0, 0.0]]),
        "cumprod": weighted(t, lambda x: x.cumprod(0), [2.0, 3.0, 4.0]),
        "cumprod_zero": weighted(t, lambda x: x.cumprod(0), [2.0, 0.0, 4.0]),
        "cumprod_zeros": weighted(t, lambda x: x.cumprod(0), [0.0, 3.0, 0.0, 2.0]),
        "double": second(t, lambda x: x.prod(), [2.0, 0.0, 4.0]),
    }


def second(t, function, values):
    x = t.tensor(values, dtype=t.float64, requires_grad=True)
    (g,) = t.autograd.grad(function(x), x, create_graph=True)
    return plain(t.autograd.grad(g.sum(), x)[0])


@case
def sums_and_means(t, np):
    x = [[1.0, 2.0, 4.0], [3.0, 5.0, 9.0]]
    return {
        "sum": gradient(t, lambda v: v.sum(), x),
        "sum_dims": weighted(t, lambda v: v.sum((0, 1), keepdim=True), x),
        "mean": gradient(t, lambda v: v.mean(), x),
        "mean_dim": weighted(t, lambda v: v.mean(0), x),
        "var": gradient(t, lambda v: v.var(), x),
        "var_population": weighted(t, lambda v: v.var(1, unbiased=False), x),
        "std": weighted(t, lambda v: v.std(0), x),
        "std_correction": weighted(t, lambda v: v.std(1, correction=0), x),
        "cumsum": weighted(t, lambda v: v.cumsum(1), x),
        "logcumsumexp": weighted(t, lambda v: v.logcumsumexp(1), x),
        "nansum": gradient(t, lambda v: v.nansum(), [1.0, NAN]),
        "nanmean": gradient(t, lambda v: v.nanmean(), [1.0, NAN, 3.0]),
        "trace": gradient(t, lambda v: v[:, :2].trace(), x),
        "diff": weighted(t, lambda v: v.diff(dim=1), x),
        "softmax": weighted(t, lambda v: v.softmax(1), x),
        "log_softmax": weighted(t, lambda v: v.log_softmax(0), x),
    }


@case
def broadcasting_gradients(t, np):
    def shapes(function, *sizes):
        leaves = [t.ones(s, requires_grad=True) for s in sizes]
        function(*leaves).sum().backward()
        return [look(leaf.grad) for leaf in leaves]

    return [
        shapes(lambda a, b: a + b, (2, 3), (3,)),
        shapes(lambda a, b: a * b, (2, 1), (1, 3)),
        shapes(lambda a, b: a - b, (), (2, 2)),
        shapes(lambda a, b: a / b, (3,), (1,)),
        shapes(lambda a, b: a @ b, (2, 2, 3), (3, 1)),
        shapes(lambda a, b: t.where(t.tensor([True, False]), a, b), (2,), ()),
        shapes(lambda a, b: t.maximum(a, b * 2), (2, 1), (3,)),
        shapes(lambda a, b: a.lerp(b, 0.25), (2, 2), (2, 1)),
        shapes(lambda a, b, c: t.addcmul(a, b, c), (1,), (2, 1), (1, 2)),
        shapes(lambda a: a.expand(3, 2, 2), (2, 1)),
        shapes(lambda a, b: a**b, (2, 1), (2,)),
    ]


@case
def type_promotion_gradients(t, np):
    def kinds(function, *dtypes):
        leaves = [t.tensor([1.0, 2.0], dtype=d, requires_grad=True) for d in dtypes]
        result = function(*leaves)
        result.sum().backward()
        return [kind(result)] + [[kind(leaf.grad), leaf.grad] for leaf in leaves]

    return [
        kinds(lambda a, b: a * b, t.float16, t.float32),
        kinds(lambda a, b: a + b, t.float32, t.float64),
        kinds(lambda a, b: a * b, t.bfloat16, t.float16),
        kinds(lambda a, b: a / b, t.float64, t.float16),
        kinds(lambda a: a * 2.5, t.float16),
        kinds(lambda a: a * t.tensor([1, 2]), t.float32),
        kinds(lambda a: a.double() ** 2, t.float32),
        kinds(lambda a: a.to(t.bfloat16) * 3, t.float32),
        kinds(lambda a: a.sum(dtype=t.float64), t.float32),
        kinds(lambda a, b: t.cat([a, b]), t.float16, t.float32),
        kinds(lambda a, b: t.where(a > 1, a, b), t.float32, t.float64),
        kinds(lambda a: a * t.tensor(2.0, dtype=t.float64), t.float32),
        kinds(lambda a: (a * 1j * a).real, t.complex64),
    ]


@case
def indexing_gradients(t, np):
    x = [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]
    return {
        "int": weighted(t, lambda v: v[1], x),
        "slice": weighted(t, lambda v: v[:, ::2], x),
        "list": weighted(t, lambda v: v[[0, 0, 1]], x),
        "pairs": weighted(t, lambda v: v[[0, 1, 0], [2, 2, 2]], x),
        "mask": weighted(t, lambda v: v[v > 2], x),
        "negative": weighted(t, lambda v: v[-1, -2:], x),
        "new_axis": weighted(t, lambda v: v[None, :, 1], x),
        "tensor": weighted(t, lambda v: v[:, t.tensor([[0, 1], [1, 2]])], x),
        "repeated_reads": gradient(t, lambda v: v[0, 0] * v[0, 0] + v[0] @ v[1], x),
        "take": weighted(t, lambda v: v.take(t.tensor([5, 0, 5])), x),
    }


@case
def gather_and_scatter_gradients(t, np):
    x, i = [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], t.tensor([[0, 0], [2, 1]])
    return {
        "gather": weighted(t, lambda v: v.gather(1, i), x),
        "index_select": weighted(t, lambda v: v.index_select(1, t.tensor([2, 2])), x),
        "scatter": weighted(t, lambda v, s: v.scatter(1, t.tensor([[0, 1], [2, 1]]), s), x, [[7.0, 8.0], [9.0, 10.0]]),
        "scatter_add": weighted(t, lambda v, s: v.scatter_add(1, i, s), x, [[7.0, 8.0], [9.0, 10.0]]),
        "scatter_reduce": weighted(t, lambda v: v.scatter_reduce(1, i, v[:, :2] * 2, "sum"), x),
        "index_add": weighted(t, lambda v, s: v.index_add(0, t.tensor([0, 0]), s), x, x),
        "index_copy": weighted(t, lambda v, s: v.index_copy(0, t.tensor([1]), s), x, [[7.0, 8.0, 9.0]]),
        "index_fill": weighted(t, lambda v: v.index_fill(1, t.tensor([1]), 5), x),
        "masked_fill": weighted(t, lambda v: v.masked_fill(v > 2, 0), x),
        "masked_select": weighted(t, lambda v: v.masked_select(v > 2), x),
        "where": weighted(t, lambda v, w: t.where(v > 2, v, w), x, x),
        "take_along_dim": weighted(t, lambda v: t.take_along_dim(v, i, 1), x),
        "embedding": weighted(t, lambda v: t.nn.functional.embedding(t.tensor([1, 0, 1]), v), x),
        "embedding_padding": weighted(t, lambda v: t.nn.functional.embedding(t.tensor([1, 0]), v, padding_idx=0), x),
    }


@case
def joining_gradients(t, np):
    a, b = [[1.0, 2.0]], [[3.0, 4.0]]
    return {
        "cat": weighted(t, lambda x, y: t.cat([x, y, x]), a, b),
        "cat_dim": weighted(t, lambda x, y: t.cat([x, y], 1), a, b),
        "stack": weighted(t, lambda x, y: t.stack([x, y], -1), a, b),
        "split": weighted(t, lambda x: t.cat(x.split(1, 1)[::-1], 1), a),
        "chunk": weighted(t, lambda x: x.chunk(2, 1)[1], a),
        "unbind": weighted(t, lambda x: x.unbind(1)[0], a),
        "repeat": weighted(t, lambda x: x.repeat(2, 2), a),
        "repeat_interleave": weighted(t, lambda x: x.repeat_interleave(3, 1), a),
        "expand": weighted(t, lambda x: x.expand(3, 2), a),
        "pad": weighted(t, lambda x: t.nn.functional.pad(x, (1, 2), value=9.0), a),
        "pad_negative": weighted(t, lambda x: t.nn.functional.pad(x, (-1, 1)), a),
        "pad_reflect": weighted(t, lambda x: t.nn.functional.pad(x.view(1, 1, 2), (1, 1), mode="reflect"), a),
        "meshgrid": weighted(t, lambda x: t.meshgrid(x[0], x[0], indexing="ij")[0], a),
        "block_diag": weighted(t, lambda x, y: t.block_diag(x, y), a, b),
        "tril": weighted(t, lambda x: x.expand(2, 2).tril(), a),
        "diag": weighted(t, lambda x: t.diag(x[0]), a),
        "kron": weighted(t, lambda x, y: t.kron(x, y), a, b),
    }


@case
def view_gradients(t, np):
    x = [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]
    return {
        "t": weighted(t, lambda v: v.t(), x),
        "permute": weighted(t, lambda v: v.view(1, 2, 3).permute(2, 0, 1), x),
        "reshape_transposed": weighted(t, lambda v: v.t().reshape(-1), x),
        "diagonal": weighted(t, lambda v: v.diagonal(1), x),
        "unfold": weighted(t, lambda v: v.unfold(1, 2, 1), x),
        "as_strided": weighted(t, lambda v: v.as_strided((2, 2), (1, 1)), x),
        "narrow": weighted(t, lambda v: v.narrow(1, 1, 2), x),
        "squeeze": weighted(t, lambda v: v[:1].squeeze(), x),
        "rot90": weighted(t, lambda v: v.rot90(), x),
        "flatten": weighted(t, lambda v: v.flatten(), x),
        "movedim": weighted(t, lambda v: v.view(1, 2, 3).movedim(0, -1), x),
        "expand_sum": weighted(t, lambda v: v[:, :1].expand(2, 4), x),
        "contiguous": weighted(t, lambda v: v.t().contiguous(), x),
        "tensor_split": weighted(t, lambda v: v.tensor_split(2, 1)[0], x),
    }


@case
def matrix_gradients(t, np):
    a, b, v = [[1.0, 2.0], [3.0, 5.0]], [[2.0, -1.0], [0.5, 3.0]], [1.0, -2.0]
    return {
        "mm": weighted(t, lambda x, y: x @ y, a, b),
        "mv": weighted(t, lambda x, y: x @ y, a, v),
        "vm": weighted(t, lambda x, y: x @ y, v, a),
        "dot": gradient(t, lambda x, y: x @ y, v, [4.0, 5.0]),
        "batched": weighted(t, lambda x, y: x.expand(2, 2, 2) @ y, a, b),
        "batched_vector": weighted(t, lambda x, y: x.expand(2, 2, 2) @ y, a, v),
        "addmm": weighted(t, lambda x, y: t.addmm(x, x, y, beta=2, alpha=0.5), a, b),
        "einsum": weighted(t, lambda x, y: t.einsum("ij,kj->ik", x, y), a, b),
        "linear": weighted(t, lambda x, w, c: t.nn.functional.linear(x, w, c), a, b, v),
        "det": gradient(t, t.det, a),
        "inverse": weighted(t, t.inverse, a),
        "solve": weighted(t, t.linalg.solve, a, v),
        "outer": weighted(t, t.outer, v, v),
        "trace_of_product": gradient(t, lambda x, y: (x @ y).trace(), a, b),
        "cholesky": weighted(t, lambda x: t.linalg.cholesky(x @ x.t()), a),
        "matrix_power": weighted(t, lambda x: t.linalg.matrix_power(x, 3), a),
        "slogdet": gradient(t, lambda x: t.slogdet(x)[1], a),
    }


@case
def loss_gradients(t, np):
    F, x, k = t.nn.functional, [[0.5, -1.0, 2.0], [1.0, 0.0, -0.5]], t.tensor([2, 0])
    y = [[0.2, 0.3, 0.5], [0.1, 0.1, 0.8]]
    w = t.tensor([1.0, 2.0, 0.5], dtype=t.float64)
    return {
        "cross_entropy": gradient(t, lambda v: F.cross_entropy(v, k), x),
        "cross_entropy_weighted": gradient(t, lambda v: F.cross_entropy(v, k, weight=w), x),
        "cross_entropy_smooth": gradient(t, lambda v: F.cross_entropy(v, k, label_smoothing=0.1), x),
        "cross_entropy_ignored": gradient(t, lambda v: F.cross_entropy(v, t.tensor([2, -100])), x),
        "cross_entropy_soft": gradient(t, lambda v, p: F.cross_entropy(v, p), x, y),
        "nll_sum": gradient(t, lambda v: F.nll_loss(v, k, reduction="sum"), x),
        "mse": gradient(t, F.mse_loss, x, y),
        "bce": gradient(t, lambda v: F.binary_cross_entropy(v.sigmoid(), t.tensor(y, dtype=t.float64)), x),
        "bce_at_bounds": gradient(
            t, lambda v: F.binary_cross_entropy(v, t.tensor([0.0, 1.0, 1.0], dtype=t.float64)), [0.0, 1.0, 0.0]
        ),
        "bce_logits": gradient(t, lambda v: F.binary_cross_entropy_with_logits(v, t.tensor(y, dtype=t.float64)), x),
        "kl_div": gradient(t, lambda v: F.kl_div(v, t.tensor(y, dtype=t.float64), reduction="batchmean"), x),
        "kl_div_zero": gradient(
            t, lambda v: F.kl_div(v, t.tensor([0.0, 1.0], dtype=t.float64), reduction="sum"), [0.5, 0.5]
        ),
        "hinge": gradient(t, lambda v: F.hinge_embedding_loss(v, t.tensor([1.0, -1.0], dtype=t.float64)), [0.3, 1.0]),
        "margin": gradient(
            t, lambda a, b: F.margin_ranking_loss(a, b, t.ones(2, dtype=t.float64)), [1.0, 0.0], [1.0, 1.0]
        ),
        "gaussian_nll": gradient(
            t, lambda m, v: F.gaussian_nll_loss(m, t.zeros(2, dtype=t.float64), v), [1.0, 2.0], [1.0, 0.5]
        ),
    }


@case
def activation_gradients(t, np):
    F, x = t.nn.functional, [-2.0, -0.3, 0.4, 3.0, 30.0]
    names = (
        "relu leaky_relu elu selu celu gelu silu mish softplus logsigmoid tanhshrink softsign hardswish sigmoid tanh"
    ).split()
    results = {name: gradient(t, getattr(F, name), x) for name in names}
    results["gelu_tanh"] = gradient(t, lambda v: F.gelu(v, approximate="tanh"), x)
    results["softplus_beta"] = gradient(t, lambda v: F.softplus(v, beta=3, threshold=5), x)
    results["prelu"] = gradient(t, lambda v, a: F.prelu(v, a), x, [0.25])
    results["glu"] = weighted(t, lambda v: F.glu(v[:4], 0), x)
    return results


@case
def layer_gradients(t, np):
    F = t.nn.functional
    x = t.arange(16.0, dtype=t.float64).view(1, 1, 4, 4).sin().tolist()
    w, n = [[[[0.5, -1.0], [0.25, 2.0]]]], [1.5]
    return {
        "conv2d": weighted(t, lambda v, k: F.conv2d(v, k, stride=2, padding=1), x, w),
        "conv_bias": weighted(t, lambda v, k, c: F.conv2d(v, k, c, dilation=2), x, w, n),
        "conv_transpose": weighted(t, lambda v, k: F.conv_transpose2d(v[..., :2, :2], k, stride=2), x, w),
        "max_pool": weighted(t, lambda v: F.max_pool2d(v, 2, stride=1), x),
        "avg_pool": weighted(t, lambda v: F.avg_pool2d(v, 2, padding=1), x),
        "adaptive": weighted(t, lambda v: F.adaptive_avg_pool2d(v, 3), x),
        "layer_norm": weighted(t, lambda v: F.layer_norm(v[0, 0], (4,)), x),
        "batch_norm": weighted(t, lambda v, g: F.batch_norm(v, None, None, g, training=True), x, n),
        "batch_norm_eval": weighted(t, lambda v: F.batch_norm(v, t.zeros(1).double(), t.ones(1).double()), x),
        "interpolate": weighted(t, lambda v: F.interpolate(v, scale_factor=2), x),
        "attention": weighted(t, lambda v: F.scaled_dot_product_attention(v, v, v), x),
        "unfold": weighted(t, lambda v: F.unfold(v, 3), x),
    }


@case
def complex_conventions(t, np):
    def complex_gradient(function):
        z = t.tensor([3 + 4j, 1 - 2j], dtype=t.complex128, requires_grad=True)
        function(z).sum().backward()
        return z.grad

    return {
        "abs": complex_gradient(t.abs),
        "abs_squared": complex_gradient(lambda z: (z * z.conj()).real),
        "real": complex_gradient(lambda z: z.real),
        "imag": complex_gradient(lambda z: z.imag),
        "angle": complex_gradient(t.angle),
        "square_real": complex_gradient(lambda z: (z * z).real),
        "square_imag": complex_gradient(lambda z: (z**2).imag),
        "exp": complex_gradient(lambda z: (z * 0.1).exp().real),
        "reciprocal": complex_gradient(lambda z: (1 / z).real),
        "scale": complex_gradient(lambda z: (z * (2 + 1j)).real),
        "view_as_real": complex_gradient(lambda z: t.view_as_real(z) * t.tensor([1.0, 10.0])),
        "complex_of_parts": complex_gradient(lambda z: t.complex(z.imag, z.real).abs()),
        "mixed_with_real": complex_gradient(lambda z: (z * t.tensor([2.0, 3.0])).abs()),
    }


@case
def complex_errors_and_real_leaves(t, np):
    z = t.tensor([1 + 1j], requires_grad=True)
    x = t.tensor([2.0], requires_grad=True)
    ((x * (1 + 2j)) * (x * 1j)).real.sum().backward()
    return raises(lambda: (z * 2).sum().backward()), x.grad, kind(x.grad)


@case
def division_and_remainder_gradients(t, np):
    a, b = [7.0, -7.0, 5.5], [2.0, 3.0, -2.0]
    return {
        "div": gradient(t, t.div, a, b),
        "remainder": gradient(t, lambda x: t.remainder(x, 3.0), a),
        "fmod": gradient(t, lambda x: t.fmod(x, 3.0), a),
        "div_floor": gradient(t, lambda x: t.div(x, 2.0, rounding_mode="floor") + x, a),
        "div_trunc": gradient(t, lambda x: t.div(x, 2.0, rounding_mode="trunc") + x, a),
        "remainder_both": gradient(t, t.remainder, a, b),
        "addcdiv": gradient(t, lambda x, y: t.addcdiv(x, x, y, value=0.5), a, b),
    }


@case
def special_function_gradients(t, np):
    x = [0.3, 0.7]
    names = "erf erfc erfinv lgamma digamma expm1 exp2 log2 log10 logit sinh cosh asinh atanh tan acos sinc".split()
    return {name: gradient(t, getattr(t, name), x) for name in names}


@case
def comparison_and_rounding_have_no_gradient(t, np):
    x = t.tensor([0.5, 1.5], requires_grad=True)
    results = (
        x > 1,
        x == x,
        x.argmax(),
        x.long(),
        t.isnan(x),
        x.floor(),
        x.round(),
        x.sign(),
        t.logical_not(x),
        x.argsort(),
    )
    return [r.requires_grad for r in results], gradient(t, lambda v: v.floor() + v.ceil() + v.trunc(), [0.5])


@case
def nan_and_inf_in_gradients(t, np):
    return {
        "inf_minus_inf": gradient(t, lambda x: x - x, [INF]),
        "zero_times_inf": gradient(t, lambda x: x * INF * 0, [1.0]),
        "exp_overflow": gradient(t, lambda x: x.exp() / (1 + x.exp()), [1000.0]),
        "sigmoid_large": gradient(t, t.sigmoid, [1000.0, -1000.0]),
        "tanh_large": gradient(t, t.tanh, [1000.0]),
        "softmax_inf": gradient(t, lambda x: x.softmax(0)[0], [0.0, -INF]),
        "masked_attention": gradient(
            t, lambda x: x.masked_fill(t.tensor([False, True]), -INF).softmax(0)[0], [0.5, 2.0]
        ),
        "log_softmax_large": gradient(t, lambda x: x.log_softmax(0)[0], [1000.0, 0.0]),
        "nan_to_num": gradient(t, lambda x: t.nan_to_num(x), [NAN, 1.0, INF]),
        "logsumexp_all_minus_inf": gradient(t, lambda x: x.logsumexp(0), [-INF, -INF]),
    }


@case
def empty_gradients(t, np):
    results = []
    for function in (
        lambda x: x.sum(),
        lambda x: x.prod(),
        lambda x: (x @ t.ones(0)).sum(),
        lambda x: t.cat([x, t.ones(1, 0)]).sum(),
    ):
        x = t.zeros(2, 0, requires_grad=True)
        function(x).backward()
        results.append(x.grad.shape)
    y = t.zeros(0, 2, requires_grad=True)
    y.mean(0).nansum().backward()
    return results, y.grad.shape


@case
def batch_statistics_by_hand(t, np):
    def loss(v):
        return ((v - v.mean(0)) / (v.var(0, unbiased=False) + 1e-5).sqrt()).pow(3).mean()

    return gradient(t, loss, [[1.0, 2.0], [3.0, 5.0], [-1.0, 0.5]])


@case(rtol=1e-5)
def float32_gradients_of_a_network(t, np):
    t.manual_seed(0)
    net = t.nn.Sequential(t.nn.Linear(3, 8), t.nn.Tanh(), t.nn.LayerNorm(8), t.nn.Linear(8, 2))
    x = t.randn(5, 3, requires_grad=True)
    t.nn.functional.cross_entropy(net(x), t.tensor([0, 1, 1, 0, 1])).backward()
    return [p.grad.abs().sum() for p in net.parameters()], x.grad.norm()


@case(rtol=1e-5)
def recurrent_gradients(t, np):
    t.manual_seed(1)
    results = []
    for cell in (t.nn.RNN(2, 3), t.nn.LSTM(2, 3), t.nn.GRU(2, 3)):
        x = t.ones(4, 1, 2, requires_grad=True)
        cell(x)[0].pow(2).sum().backward()
        results.append([x.grad.flatten(), [p.grad.norm() for p in cell.parameters()]])
    return results
