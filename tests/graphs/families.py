"""What steps a random graph is made of: a function for each family of operations, which draws one and adds it.

A function here chooses operands among the results so far and everything else by chance, and calls `Draw.add`, which
tries the step.  What does not fit raises, and nothing is added: so these functions need not say what is valid.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from table import Case, all_cases, flat

from . import Draw, Step

FAMILIES: dict[str, Callable[[Draw], Any]] = {}
EXTENTS = [1, 2, 3, 4, 5, 7, 8, 16, 17, 33]
SMALL = [1, 2, 3, 4, 5, 7, 8]
UNARY = [
    "exp", "tanh", "sigmoid", "abs", "neg", "relu", "square", "erf", "sin", "cos", "expm1", "atan", "asinh", "sign",
    "floor", "ceil", "round", "trunc", "frac", "isnan", "isfinite", "signbit", "exp2", "sinc", "logit", "sgn", "erfc",
]  # fmt: skip
POSITIVE = ["log", "sqrt", "rsqrt", "reciprocal", "log1p", "log2", "lgamma", "digamma"]
ACTIVATIONS = [
    "gelu", "silu", "softplus", "elu", "selu", "celu", "leaky_relu", "hardtanh", "hardswish", "hardsigmoid", "mish",
    "relu6", "logsigmoid", "softsign", "tanhshrink", "softshrink", "hardshrink", "glu",
]  # fmt: skip
BINARY = [
    "add", "sub", "mul", "maximum", "minimum", "hypot", "fmax", "fmin", "atan2", "copysign", "logaddexp", "xlogy",
    "eq", "ne", "lt", "le", "gt", "ge", "nextafter", "heaviside", "isclose",
]  # fmt: skip
WHOLE = ["add", "sub", "mul", "bitwise_and", "bitwise_or", "bitwise_xor", "maximum", "minimum", "eq", "lt", "ge"]
REDUCTIONS = ["sum", "mean", "amax", "amin", "prod", "std", "var", "logsumexp", "nansum", "argmax", "argmin", "any",
              "all", "norm", "count_nonzero", "aminmax", "median"]  # fmt: skip
SCANS = ["cumsum", "cumprod", "logcumsumexp", "cummax", "cummin"]
DTYPES = ["float32", "float64", "bfloat16", "float16", "int64", "int32", "uint8", "int8", "int16", "bool"]


def family(function: Callable[[Draw], Any]) -> Callable[[Draw], Any]:
    """Enters a family under its function's name."""
    FAMILIES[function.__name__] = function
    return function


def fit(x: Any, shape: tuple[int, ...]) -> Any:
    """The numbers of `x` in another shape, over and over if there are too few."""
    wanted, there = int(np.prod(shape)), x.numel()
    line = x.reshape(-1)
    if 0 < there < wanted:
        line = line.repeat(-(-wanted // there))
    return line[:wanted].reshape(shape)


def first(result: Any) -> Any:
    """The tensor, or the first of several."""
    return result[0] if isinstance(result, (tuple, list)) else result


def add(d: Draw, name: str, reads: tuple[int, ...], call: Callable[..., Any], writes: bool = False) -> int:
    return d.add(Step(name, reads, call, writes=writes))


def START(d: Draw) -> None:  # noqa: N802 - the beginning of every graph
    """An input."""
    r = d.random
    shape = tuple(r.choice(EXTENTS if k > 1 else SMALL) for k in range(r.randint(0, 4)))
    if shape and r.random() < 0.03:
        shape = (0, *shape[1:])
    while int(np.prod(shape)) > 2000:
        shape = shape[1:]
    d.leaf(shape)


# ---------------------------------------------------------------------------------------------------------------------
# Place by place


@family
def unary(d: Draw) -> None:
    name, i = d.random.choice(UNARY), d.floating()
    add(d, name, (i,), lambda t, x: getattr(t, name)(x))


@family
def positive(d: Draw) -> None:
    name, i = d.random.choice(POSITIVE), d.floating()
    add(d, name, (i,), lambda t, x: getattr(t, name)(x.abs() + 0.5))


@family
def activation(d: Draw) -> None:
    name, i = d.random.choice(ACTIVATIONS), d.floating()
    add(d, name, (i,), lambda t, x: getattr(t.nn.functional, name)(x))


@family
def binary(d: Draw) -> None:
    name, i, j = d.random.choice(BINARY), d.floating(), d.floating()
    add(d, name, (i, j), lambda t, x, y: getattr(t, name)(x, y))


@family
def quotient(d: Draw) -> None:
    name = d.random.choice(["div", "true_divide", "remainder", "fmod", "floor_divide"])
    i, j = d.floating(), d.floating()
    add(d, name, (i, j), lambda t, x, y: getattr(t, name)(x, y.abs() + 0.7))


@family
def power(d: Draw) -> None:
    i, n = d.floating(), d.random.choice([2, 3, 0.5, -1, 1.7, 0])
    add(d, f"pow {n}", (i,), lambda t, x: (x.abs() + 0.3) ** n)


@family
def numbers(d: Draw) -> None:
    i, n, m = d.pick(lambda x: True), d.random.choice([0.5, 2, -1.25, 3]), d.random.choice([1, 0.25, -2])
    add(d, f"* {n} + {m}", (i,), lambda t, x: x * n + m)


@family
def chosen(d: Draw) -> None:
    i, j = d.floating(), d.floating()
    add(d, "where", (i, j), lambda t, x, y: t.where(x > y, x, y * 0.1))


@family
def limited(d: Draw) -> None:
    i, low = d.floating(), d.random.choice([-1, -0.5, 0])
    add(d, "clamp", (i,), lambda t, x: x.clamp(low, low + 1.5))


@family
def lerped(d: Draw) -> None:
    i, j, k = d.floating(), d.floating(), d.floating()
    name = d.random.choice(["lerp", "addcmul", "addcdiv"])
    if name == "addcdiv":
        add(d, name, (i, j, k), lambda t, x, y, z: t.addcdiv(x, y, z.abs() + 1, value=0.5))
    else:
        add(d, name, (i, j, k), lambda t, x, y, z: getattr(t, name)(x, y, z))


@family
def cast(d: Draw) -> None:
    i, to = d.pick(lambda x: True), d.random.choice(DTYPES)
    whole = to not in DTYPES[:4]
    add(d, f"to {to}", (i,), lambda t, x: (x.abs() * 3 if whole and x.is_floating_point() else x).to(getattr(t, to)))


@family
def whole_numbers(d: Draw) -> None:
    i, name = d.pick(lambda x: not x.is_floating_point()), d.random.choice(WHOLE)
    j = d.pick(lambda x: not x.is_floating_point())
    add(d, f"whole {name}", (i, j), lambda t, x, y: getattr(t, name)(x, y))


@family
def whole_parts(d: Draw) -> None:
    i, by = d.pick(lambda x: not x.is_floating_point()), d.random.choice([2, 3, 7])
    name = d.random.choice(["floor_divide", "remainder", "mul", "sub"])
    add(d, f"whole {name} {by}", (i,), lambda t, x: getattr(t, name)(x.to(t.int64) if x.dtype == t.bool else x, by))


@family
def logical(d: Draw) -> None:
    name, i, j = d.random.choice(["logical_and", "logical_or", "logical_xor"]), d.pick(lambda x: True), d.floating()
    add(d, name, (i, j), lambda t, x, y: getattr(t, name)(x > 0, y < 0.5))


# ---------------------------------------------------------------------------------------------------------------------
# Views, and what is put together


def view_of(d: Draw, x: Any) -> tuple[str, Callable[[Any], Any]]:
    """A random look at a tensor with at least one dimension."""
    r = d.random
    k, shape = r.randrange(x.ndim), tuple(x.shape)
    n = max(shape[k], 1)
    start, step = r.randrange(n), r.choice([1, 2, 3])
    kinds: dict[str, Callable[[Any], Any]] = {
        "slice": lambda x: x[(slice(None),) * k + (slice(start, None, step),)],
        "select": lambda x: x.select(k, start),
        "unsqueeze": lambda x: x.unsqueeze(k),
        "flip": lambda x: x.flip(k),
        "row, expanded": lambda x: x.narrow(k, start, 1).expand(*shape[:k], 3, *shape[k + 1 :]),
        "expand": lambda x: x.unsqueeze(k).expand(*shape[:k], 3, *shape[k:]),
        "reshape": lambda x: x.reshape(-1),
        "reshape rows": lambda x: x.reshape(shape[k], -1),
        "narrow": lambda x: x.narrow(k, start, n - start),
        "unfold": lambda x: x.unfold(k, min(n, 3), step),
        "squeeze": lambda x: x.squeeze(),
        "contiguous": lambda x: x.transpose(0, -1).contiguous(),
        "roll": lambda x: x.roll(start, k),
        "split": lambda x: x.split(max(1, n // 2), k)[-1],
        "flatten": lambda x: x.flatten(k),
    }
    order = r.sample(range(x.ndim), x.ndim)
    kinds["permute"] = lambda x: x.permute(order)
    if x.ndim > 1:
        kinds["diagonal"] = lambda x: x.diagonal(r_offset, 0, -1)
        r_offset = r.choice([-1, 0, 1])
    if x.numel() >= 6 and x.is_contiguous():
        kinds["overlapping"] = lambda x: x.as_strided((3, 2), (1, 2), r_start)
        r_start = r.randrange(x.numel() - 4)
    name = r.choice(list(kinds))
    return name, kinds[name]


@family
def view(d: Draw) -> None:
    i = d.pick(lambda x: x.ndim > 0)
    name, look = view_of(d, d.results[i])
    add(d, f"view {name}", (i,), lambda t, x: look(x))


FAMILIES["second view"] = FAMILIES["view of a view"] = view  # as many as there are of arithmetic


@family
def joined(d: Draw) -> None:
    i = d.pick(lambda x: x.ndim > 0)
    k, name = d.random.randrange(d.results[i].ndim), d.random.choice(["cat", "stack", "cat rows"])
    if name == "cat rows":
        add(d, name, (i,), lambda t, x: t.cat([x, x.narrow(k, 0, min(1, x.shape[k])), x + x], k))
    else:
        add(d, name, (i,), lambda t, x: getattr(t, name)([x, x * 2 if x.dtype != t.bool else x], k))


@family
def padded(d: Draw) -> None:
    i = d.floating(2, 3, 4)
    mode = d.random.choice(["constant", "reflect", "replicate", "circular"])
    by = tuple(d.random.choice([0, 1, 2]) for _ in range(2))
    add(d, f"pad {mode} {by}", (i,), lambda t, x: t.nn.functional.pad(x, by, mode))


@family
def repeated(d: Draw) -> None:
    i = d.pick(lambda x: x.ndim > 0)
    name = d.random.choice(["repeat", "repeat_interleave", "tile"])
    if name == "repeat_interleave":
        add(d, name, (i,), lambda t, x: x.repeat_interleave(2, 0))
    else:
        add(d, name, (i,), lambda t, x: getattr(x, name)(*([2] + [1] * (x.ndim - 1))))


@family
def triangle(d: Draw) -> None:
    i, name, at = d.pick(lambda x: x.ndim >= 2), d.random.choice(["tril", "triu"]), d.random.choice([-1, 0, 2])
    add(d, name, (i,), lambda t, x: getattr(t, name)(x, at))


# ---------------------------------------------------------------------------------------------------------------------
# Along dimensions


@family
def reduction(d: Draw) -> None:
    name, i = d.random.choice(REDUCTIONS), d.floating()
    n, keep = d.results[i].ndim, d.random.random() < 0.5
    k = d.random.randrange(n) if n else 0
    if d.random.random() < 0.3 or not n:
        add(d, f"{name} of all", (i,), lambda t, x: first(getattr(t, name)(x, *((0,) if name == "logsumexp" else ()))))
    elif name == "aminmax":
        add(d, name, (i,), lambda t, x: t.aminmax(x, dim=k, keepdim=keep)[0])
    elif name in ("sum", "mean", "amax", "std", "norm") and n > 1:
        also = (k + 1) % n
        add(d, f"{name} {(k, also)}", (i,), lambda t, x: getattr(x, name)(dim=(k, also), keepdim=keep))
    elif name == "count_nonzero":
        add(d, name, (i,), lambda t, x: t.count_nonzero(x > 0, k))
    else:
        add(d, f"{name} {k}", (i,), lambda t, x: first(getattr(t, name)(x, dim=k, keepdim=keep)))


@family
def whole_reduction(d: Draw) -> None:
    i = d.pick(lambda x: not x.is_floating_point() and x.ndim > 0)
    name, k = d.random.choice(["sum", "amax", "any", "cumsum", "argmax", "prod"]), 0
    add(d, f"whole {name}", (i,), lambda t, x: getattr(t, name)(x.to(t.int64) if name != "any" else x, k))


@family
def scan(d: Draw) -> None:
    name, i = d.random.choice(SCANS), d.floating()
    k = d.random.randrange(max(d.results[i].ndim, 1))
    add(d, f"{name} {k}", (i,), lambda t, x: first(getattr(t, name)(x * 0.5, k)))


@family
def normal_form(d: Draw) -> None:
    name = d.random.choice(["softmax", "log_softmax", "softmin", "normalize"])
    i = d.floating(1, 2, 3, 4)
    k = d.random.randrange(d.results[i].ndim)
    add(d, f"{name} {k}", (i,), lambda t, x: getattr(t.nn.functional, name)(x, dim=k))


@family
def ordered(d: Draw) -> None:
    name, i = d.random.choice(["sort", "argsort", "topk", "kthvalue", "unique", "flip", "msort"]), d.floating(1, 2, 3)
    x = d.results[i]
    k = d.random.randrange(x.ndim)
    many = max(1, x.shape[k] // 2)
    calls: dict[str, Callable[..., Any]] = {
        "sort": lambda t, x: t.sort(x, k, stable=True)[0], "argsort": lambda t, x: t.argsort(x, k, stable=True),
        "topk": lambda t, x: t.topk(x, many, k)[0], "kthvalue": lambda t, x: t.kthvalue(x, many, k)[0],
        "unique": lambda t, x: t.unique(x.detach().round()), "flip": lambda t, x: t.flip(x, [k]),
        "msort": lambda t, x: t.msort(x),
    }  # fmt: skip
    add(d, f"{name} {k}", (i,), calls[name])


# ---------------------------------------------------------------------------------------------------------------------
# Products, convolutions, layers


@family
def product(d: Draw) -> None:
    i, r = d.floating(1, 2, 3, 4), d.random
    x = d.results[i]
    inner, wide = x.shape[-1], r.choice(EXTENTS)
    form = r.choice(["@", "@ t", "linear", "addmm", "bmm", "own", "einsum", "outer", "mv", "baddbmm", "tensordot"])
    shape = {"@ t": (wide, inner), "linear": (wide, inner), "mv": (inner,)}.get(form, (inner, wide))
    j = d.leaf(shape, 0.5) if r.random() < 0.6 else d.floating()
    calls: dict[str, Callable[..., Any]] = {
        "@": lambda t, x, y: x @ fit(y, shape), "@ t": lambda t, x, y: x @ fit(y, shape).t(),
        "linear": lambda t, x, y: t.nn.functional.linear(x, fit(y, shape), fit(y, (wide,))),
        "addmm": lambda t, x, y: t.addmm(fit(y, (wide,)), x, fit(y, shape), beta=0.5, alpha=0.25),
        "bmm": lambda t, x, y: t.bmm(x, fit(y, (x.shape[0], *shape))),
        "own": lambda t, x, y: x.mT @ x * 0.2,
        "einsum": lambda t, x, y: t.einsum("...i,ij->j...", x, fit(y, shape)),
        "outer": lambda t, x, y: t.outer(x.reshape(-1)[:9], y.reshape(-1)[:20]),
        "mv": lambda t, x, y: x @ fit(y, shape),
        "baddbmm": lambda t, x, y: t.baddbmm(fit(y, (1, 1, wide)), x, fit(y, (x.shape[0], *shape))),
        "tensordot": lambda t, x, y: t.tensordot(x, fit(y, shape), dims=1),
    }
    add(d, f"product {form} {shape}", (i, j), calls[form])


@family
def convolution(d: Draw) -> None:
    r, i = d.random, d.floating()
    n = r.choice([1, 2, 2, 3])
    groups = r.choice([1, 1, 2, 3])
    channels, made = groups * r.choice([1, 2, 3]), groups * r.choice([1, 2, 5, 8])
    extent = tuple(r.choice([3, 5, 6, 9] if n < 3 else [3, 4]) for _ in range(n))
    kernel = tuple(r.choice([1, 2, 3]) for _ in range(n))
    stride, padding, dilation = r.choice([1, 1, 2, 3]), r.choice([0, 1, 2]), r.choice([1, 1, 2])
    options = dict(stride=stride, padding=padding, dilation=dilation, groups=groups)
    turned = r.random() < 0.35
    name = f"conv{'_transpose' if turned else ''}{n}d"
    shape = (r.choice([1, 2, 3]), channels, *extent)
    weights = (channels, made // groups, *kernel) if turned else (made, channels // groups, *kernel)
    w = d.leaf(weights, 0.5)
    last = n == 2 and r.random() < 0.3

    def call(t: Any, x: Any, w: Any) -> Any:
        image = fit(x, shape).to(w.dtype)
        image = image.contiguous(memory_format=t.channels_last) if last else image
        return getattr(t.nn.functional, name)(image, w, **options)

    add(d, f"{name} {shape} {weights} {options}{' last' if last else ''}", (i, w), call)


@family
def winograd(d: Draw) -> None:
    i, r = d.floating(), d.random
    shape, w = (r.choice([1, 2]), 16, r.choice([7, 8]), 8), d.leaf((r.choice([16, 18]), 16, 3, 3), 0.2)
    add(d, f"conv2d {shape}", (i, w), lambda t, x, w: t.nn.functional.conv2d(fit(x, shape).to(w.dtype), w, padding=1))


@family
def pooling(d: Draw) -> None:
    r, i = d.random, d.floating()
    n = r.choice([1, 2, 3])
    name = r.choice(["max_pool", "avg_pool", "adaptive_avg_pool", "adaptive_max_pool", "lp_pool"])
    shape = (r.choice([1, 2]), r.choice([1, 2, 5]), *[r.choice([4, 5, 6, 9] if n < 3 else [3, 4]) for _ in range(n)])
    size, stride, padding = r.choice([2, 3]), r.choice([1, 2, 3]), r.choice([0, 1])
    if name == "lp_pool":
        call = lambda t, x: getattr(t.nn.functional, f"lp_pool{min(n, 2)}d")(fit(x, shape[: 2 + min(n, 2)]), 2, 2)
    elif "adaptive" in name:
        call = lambda t, x: getattr(t.nn.functional, f"{name}{n}d")(fit(x, shape), size)
    else:
        call = lambda t, x: getattr(t.nn.functional, f"{name}{n}d")(fit(x, shape), size, stride, padding)
    add(d, f"{name}{n}d {shape} {size} {stride} {padding}", (i,), call)


@family
def normalization(d: Draw) -> None:
    r, i = d.random, d.floating()
    name = r.choice(["batch_norm", "layer_norm", "group_norm", "instance_norm", "rms_norm", "local_response_norm"])
    shape = (r.choice([2, 3]), r.choice([2, 4]), *[r.choice([2, 3, 5, 17]) for _ in range(r.choice([1, 2]))])
    w = d.leaf(shape[-1:] if name in ("layer_norm", "rms_norm") else shape[1:2])

    def call(t: Any, x: Any, w: Any) -> Any:
        f, x = getattr(t.nn.functional, name), fit(x, shape).to(w.dtype)
        x = x + t.arange(x.numel(), dtype=x.dtype).reshape(shape) * 0.05  # not everywhere the same number
        if name == "batch_norm":
            return f(x, None, None, w, w, training=True)
        if name == "instance_norm":
            return f(x, weight=w, bias=w)
        if name == "group_norm":
            return f(x, 2, w, w)
        if name == "local_response_norm":
            return f(x, 2)
        return f(x, shape[-1:], w)

    add(d, f"{name} {shape}", (i, w), call)


@family
def loss(d: Draw) -> None:
    r, i, j = d.random, d.floating(1, 2, 3), d.floating()
    name = r.choice(["mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss", "kl_div", "cross_entropy", "nll_loss",
                     "binary_cross_entropy_with_logits", "soft_margin_loss", "poisson_nll_loss",
                     "cosine_similarity"])  # fmt: skip
    reduction = r.choice(["mean", "sum", "none"])
    many, classes, w = r.choice([2, 5, 9]), r.choice([2, 3, 10, 20]), r.random() < 0.4

    def call(t: Any, x: Any, y: Any) -> Any:
        f = getattr(t.nn.functional, name)
        if name in ("cross_entropy", "nll_loss"):
            weight = (t.arange(classes) + 1).to(x.dtype) if w else None
            at = (t.arange(many) * 3) % classes
            return f(fit(x, (many, classes)), at, weight=weight, reduction=reduction)
        x, y = fit(x, (many, classes)), fit(y, (many, classes)).to(x.dtype).detach()
        if name == "cosine_similarity":
            return f(x, y, dim=-1)
        targets = {"kl_div": y.softmax(-1), "soft_margin_loss": y.sign()}
        y = y.sigmoid() if "cross" in name else targets.get(name, y)
        return f(x, y, reduction=reduction)

    add(d, f"{name} {reduction} {(many, classes)}", (i, j), call)


@family
def attention(d: Draw) -> None:
    r, i, j = d.random, d.floating(), d.floating()
    q, k = (2, 2, r.choice([3, 17]), 4), (2, 2, r.choice([3, 20]), 4)
    causal = r.random() < 0.4

    def call(t: Any, x: Any, y: Any) -> Any:
        y = y.to(x.dtype)
        return t.nn.functional.scaled_dot_product_attention(fit(x, q), fit(y, k), fit(y * 0.7, k), is_causal=causal)

    add(d, f"attention {q} {k} {causal}", (i, j), call)


@family
def recurrent(d: Draw) -> None:
    r, i = d.random, d.floating()
    name, size = r.choice(["lstm", "gru", "rnn_tanh", "rnn_relu"]), r.choice([3, 8])
    gates = {"lstm": 4, "gru": 3}.get(name, 1)
    w, u = d.leaf((gates * size, 4), 0.4), d.leaf((gates * size, size), 0.4)
    turns, many = r.choice([1, 4, 7]), r.choice([1, 3])

    def call(t: Any, x: Any, w: Any, u: Any) -> Any:
        start = t.zeros(1, many, size, dtype=w.dtype)
        states = (start, start + 0.1) if name == "lstm" else start
        sequence = fit(x, (turns, many, 4)).to(w.dtype)
        return getattr(t, name)(sequence, states, [w, u], False, 1, 0.0, True, False, False)[0]

    add(d, f"{name} {(turns, many, size)}", (i, w, u), call)


# ---------------------------------------------------------------------------------------------------------------------
# Positions


@family
def positions(d: Draw) -> None:
    r, i = d.random, d.pick(lambda x: x.ndim > 0 and x.numel() > 0)
    x = d.results[i]
    k = r.randrange(x.ndim)
    at = [r.randrange(x.shape[k]) for _ in range(r.choice([1, 2, 5]))]
    whole = np.random.RandomState(r.randrange(1 << 20)).randint(0, x.shape[k], tuple(x.shape)).tolist()
    name = r.choice(["index_select", "gather", "take_along_dim", "index", "index negative", "mask", "embedding",
                     "take", "two lists"])  # fmt: skip
    shape = tuple(x.shape)
    calls: dict[str, Callable[..., Any]] = {
        "index_select": lambda t, x: x.index_select(k, t.tensor(at)),
        "gather": lambda t, x: x.gather(k, t.tensor(whole).reshape(shape)),
        "take_along_dim": lambda t, x: t.take_along_dim(x, t.tensor(whole).reshape(shape), k),
        "index": lambda t, x: x[(slice(None),) * k + (t.tensor(at),)],
        "index negative": lambda t, x: x[(slice(None),) * k + (-1 - t.tensor(at),)],
        "mask": lambda t, x: x[x.detach() > 0],
        "embedding": lambda t, x: t.nn.functional.embedding(t.tensor(at) % x.shape[0], x),
        "take": lambda t, x: x.take(t.tensor(at) % x.numel()),
        "two lists": lambda t, x: x[t.tensor(at) % x.shape[0], t.tensor(at) % x.shape[1]],
    }
    add(d, f"{name} {k} {at}", (i,), calls[name])


@family
def computed_positions(d: Draw) -> None:
    i = d.floating(1, 2)
    add(d, "positions of an order", (i,), lambda t, x: x.gather(0, t.argsort(x.detach(), 0, stable=True)))


@family
def scattered(d: Draw) -> None:
    r, i, j = d.random, d.floating(1, 2, 3), d.floating()
    x = d.results[i]
    k, n = r.randrange(x.ndim), r.choice([1, 2, 5])
    at = [r.randrange(max(1, x.shape[k])) for _ in range(n)]
    name = r.choice(["index_add", "index_copy", "index_fill", "scatter", "scatter_add", "index_put", "masked_fill",
                     "scatter_reduce", "masked_scatter", "select_scatter", "index_put accumulate"])  # fmt: skip
    shape = (*x.shape[:k], n, *x.shape[k + 1 :])

    def call(t: Any, x: Any, y: Any) -> Any:
        y, where = fit(y, shape).to(x.dtype), t.tensor(at)
        spread = where.reshape([n if m == k else 1 for m in range(x.ndim)]).expand(shape)
        if name in ("index_add", "index_copy"):
            once = where if name == "index_add" else t.unique(where)
            return getattr(x, name)(k, once, y.narrow(k, 0, len(once)))
        if name == "index_fill":
            return x.index_fill(k, where, 0.5)
        if name == "scatter":
            return x.scatter(k, spread, 0.25)
        if name == "scatter_add":
            return x.scatter_add(k, spread, y)
        if name == "scatter_reduce":
            return x.scatter_reduce(k, spread, y, reduce=reduce)
        if name == "masked_fill":
            return x.masked_fill(x.detach() > 0.3, -0.5)
        if name == "masked_scatter":
            return x.masked_scatter(x.detach() > 0.3, fit(y, tuple(x.shape)))
        if name == "select_scatter":
            return x.select_scatter(y.select(k, 0), k, at[0])
        return x.index_put((t.unique(where) % x.shape[0],), y.reshape(-1)[0], accumulate="acc" in name)

    reduce = r.choice(["sum", "mean", "amax", "amin"])
    add(d, f"{name} {k} {at} {reduce}", (i, j), call)


# ---------------------------------------------------------------------------------------------------------------------
# In place, random numbers, shapes that change


WRITES: dict[str, Callable[..., Any]] = {
    "add_": lambda t, x, y: x.add_(0.5), "mul_": lambda t, x, y: x.mul_(0.5), "tanh_": lambda t, x, y: x.tanh_(),
    "clamp_": lambda t, x, y: x.clamp_(-1, 1), "zero_": lambda t, x, y: x.zero_(), "fill_": lambda t, x, y: x.fill_(2),
    "copy_": lambda t, x, y: x.copy_(fit(y, tuple(x.shape))),
    "add_ other": lambda t, x, y: x.add_(fit(y, tuple(x.shape))),
    "masked_fill_": lambda t, x, y: x.masked_fill_(x.detach() > 0, -0.25), "sub_ self": lambda t, x, y: x.sub_(x * 0.5),
    "addcmul_": lambda t, x, y: x.addcmul_(fit(y, tuple(x.shape)).to(x.dtype), fit(y, tuple(x.shape)).to(x.dtype)),
    "sort": lambda t, x, y: x.copy_(x.sort(-1)[0]), "turned": lambda t, x, y: x.copy_(x.flip(-1)),
    "shifted": lambda t, x, y: x[1:].copy_(x[:-1] + 1), "total": lambda t, x, y: x.sub_(x.mean()),
    "lerp_": lambda t, x, y: x.lerp_(fit(y, tuple(x.shape)).to(x.dtype), 0.3), "sigmoid_": lambda t, x, y: x.sigmoid_(),
}  # fmt: skip


@family
def written(d: Draw) -> None:
    """A write into a copy, a result, or a view of one."""
    name, j, r = d.random.choice(list(WRITES)), d.floating(), d.random
    i = d.floating(1, 2, 3, 4)
    if r.random() < 0.5:
        i = add(d, "clone", (i,), lambda t, x: x.clone())
    elif d.steps[i].leaf:
        i = add(d, "* 1", (i,), lambda t, x: x * 1)
    _, look = view_of(d, d.results[i])
    if r.random() < 0.5:
        add(d, f"in place {name}", (i, j), WRITES[name], writes=True)
    else:
        v = add(d, "view to write", (i,), lambda t, x: look(x))
        add(d, f"in place {name}", (v, j), WRITES[name], writes=True)
    add(d, "seen after the write", (i,), lambda t, x: x * 1)


FAMILIES["in_place"] = FAMILIES["in_place again"] = written


@family
def whole_written(d: Draw) -> None:
    i = d.pick(lambda x: not x.is_floating_point() and x.ndim > 0)
    c = add(d, "clone", (i,), lambda t, x: x.clone())
    by = d.random.choice([1, 2, 3])
    add(d, f"in place whole {by}", (c,), lambda t, x: x[::by].add_(1) if x.dtype != t.bool else x[::by].logical_not_(),
        writes=True)  # fmt: skip
    add(d, "seen after the write", (c,), lambda t, x: x * 1)


@family
def random_numbers(d: Draw) -> None:
    i = d.floating()
    calls: dict[str, Callable[..., Any]] = {
        "dropout": lambda t, x: t.nn.functional.dropout(x, 0.3),
        "rand_like": lambda t, x: x + t.rand_like(x),
        "randn": lambda t, x: x * 0.1 + t.randn(x.shape, dtype=x.dtype),
        "bernoulli": lambda t, x: t.bernoulli(x.detach().sigmoid()),
        "randint": lambda t, x: t.randint(0, 9, x.shape),
        "normal_": lambda t, x: t.empty(x.shape, dtype=x.dtype).normal_() * x,
        "alpha": lambda t, x: t.nn.functional.alpha_dropout(x, 0.2, True),
    }
    name = d.random.choice(list(calls))
    add(d, name, (i,), calls[name])


@family
def several_lengths(d: Draw) -> None:
    """As many rows as there are positive numbers: another shape when the parameters have moved."""
    i = d.floating(1, 2, 3)
    add(d, "rows of a mask", (i,), lambda t, x: x[x.detach().reshape(x.shape[0], -1).mean(1) > 0] * 2)


@cache
def rows() -> list[Case]:
    """The rows of the table of operations that have floating-point operands."""
    return [c for c in all_cases() if c.has_floats]


@family
def row_of_the_table(d: Draw) -> None:
    """Any operation there is, on its own operands, which are moved a little by another result."""
    case, i = d.random.choice(rows()), d.floating()
    kind = d.kind if d.kind in ("float32", "float64") else "float32"

    def call(t: Any, x: Any) -> Any:
        little = 1 - 0.001 * (x.float() if x.dtype != t.float64 else x).mean().sigmoid().to(getattr(t, kind))
        arrays = [t.tensor(a.tolist(), dtype=getattr(t, kind)).reshape(a.shape) * little if a.dtype.kind == "f" else
                  t.from_numpy(a.copy()) for a in case.arrays()]  # fmt: skip
        found = [r for r in flat(case.run(t, *arrays)) if isinstance(r, t.Tensor) and not r.is_complex()]
        return found[0]

    add(d, f"row {case.name}", (i,), call)


for _again in range(3):
    FAMILIES[f"row {_again}"] = row_of_the_table
