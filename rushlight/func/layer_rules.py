"""Batching rules of products of matrices, convolutions, pooling, norms, attention and losses.

Where the weights are the same for all elements, the elements are more rows or samples of one large product; where they
differ, the products are a batch, and the convolutions as many groups.
"""

from __future__ import annotations

import math
from typing import Any

from rushlight.ops.arithmetic import conj
from rushlight.record.operation import operations
from rushlight.record.trace import apply, recorder
from rushlight.record.value import Tensor

from .rules import Call, Unbatchable, pointwise_batched, rule

_op = operations()

# ---------------------------------------------------------------------------------------------------------------------
# Products


@rule("linear", "linear_nd", "linear_no_bias", "linear_nd_no_bias")
def _linear(c: Call) -> Tensor:
    x, w = c.args[:2]
    b = c.args[2] if len(c.args) > 2 else None
    width = c.specs[0].shape[-1]
    if not c.on[1] and not (b is not None and c.on[2]):
        rows = x.reshape(-1, width)
        return c.shaped(c.record([rows, w], "linear_no_bias") if b is None else c.record([rows, w, b], "linear"))
    rows = c.batch(0).reshape(c.size, -1, width)
    found = apply(_op["bmm"], (rows, c.batch(1).transpose(1, 2)))
    if b is not None:
        found = found + (b.unsqueeze(1) if c.on[2] else b)
    return c.shaped(found)


@rule("mm")
def _mm(c: Call) -> Tensor:
    x, y = c.args
    if not c.on[1]:
        return c.shaped(apply(_op["mm"], (x.reshape(-1, c.specs[0].shape[1]), y)))
    return apply(_op["bmm"], (c.batch(0), c.batch(1)))  # type: ignore[no-any-return]


@rule("mv")
def _mv(c: Call) -> Tensor:
    x, y = c.args
    if not c.on[1]:
        return c.shaped(apply(_op["mv"], (x.reshape(-1, c.specs[0].shape[1]), y)))
    if not c.on[0]:
        return apply(_op["mm"], (y, x.t()))  # type: ignore[no-any-return]
    return apply(_op["bmm"], (x, y.unsqueeze(2))).squeeze(2)  # type: ignore[no-any-return]


@rule("dot", "vdot")
def _dot(c: Call) -> Tensor:
    x, y = c.args
    if c.op.name == "vdot":
        x = conj(x)
    if c.on[0] and c.on[1]:
        return apply(_op["bmm"], (x.unsqueeze(1), y.unsqueeze(2))).reshape(c.size)  # type: ignore[no-any-return]
    return apply(_op["mv"], (x, y) if c.on[0] else (y, x))  # type: ignore[no-any-return]


@rule("bmm")
def _bmm(c: Call) -> Tensor:
    return c.shaped(apply(_op["bmm"], (c.folded(0), c.folded(1))))


@rule("addmm")
def _addmm(c: Call) -> Tensor:
    added, x, y, beta, alpha = c.args
    shape = c.kind.spec.shape
    added = c.aligned(0, 2) if c.on[0] else added
    return apply(  # type: ignore[no-any-return]
        _op["baddbmm"], (added.expand(c.size, *shape), c.batch(1), c.batch(2), beta, alpha)
    )


@rule("baddbmm")
def _baddbmm(c: Call) -> Tensor:
    added, beta, alpha = c.args[0], *c.args[3:]
    added = (c.aligned(0, 3) if c.on[0] else added).expand(c.size, *c.kind.spec.shape)
    shape = c.kind.spec.shape
    return c.shaped(c.record([added.reshape(-1, *shape[1:]), c.folded(1), c.folded(2), beta, alpha]))


@rule("cholesky", "cholesky_ex", "inv_ex", "det", "slogdet", "cofactors", "eigh", "eigvalsh", "svd", "svdvals", "qr",
      "matrix_exp", "solve_ex", "solve_triangular", "cholesky_solve", "cholesky_inverse")  # fmt: skip
def _of_matrices(c: Call) -> Any:
    """What takes batches of matrices anyway."""
    ranks = {s.ndim for s in c.specs if s is not None}
    if len(ranks) > 1:
        raise Unbatchable("batches of several shapes")
    return c.record(c.batches())


# ---------------------------------------------------------------------------------------------------------------------
# More samples


@rule("max_pool2d", "max_pool3d", "max_pool_values", "max_pool_backward", "max_pool_take", "max_pool_indices",
      "avg_pool2d", "avg_pool3d", "avg_pool2d_backward", "avg_pool3d_backward", "adaptive_avg_pool2d",
      "adaptive_avg_pool2d_backward", "adaptive_avg_pool3d", "adaptive_avg_pool3d_backward", "adaptive_max_pool2d",
      "adaptive_max_pool3d", "pool_take", "pool_put", "im2col", "col2im", "pixel_shuffle", "pixel_unshuffle",
      "UpsampleNearest2D", "UpsampleNearest2DBackward", "UpsampleBilinear2D", "UpsampleBilinear2DBackward",
      "attention_keeping_weights", "attention_keeping_weights_backward", "scaled_dot_product_attention",
      "scaled_dot_product_attention_backward")  # fmt: skip
def _more_samples(c: Call) -> Any:
    """Nothing connects the samples of a batch, so the elements are more of them."""
    args = [c.folded(i) if name != "mask" else _mask_of_all(c, i) for i, name in enumerate(c.op.operands)]
    found = c.record(args)
    return c.shaped(found) if isinstance(found, Tensor) else [c.shaped(t, k) for k, t in enumerate(found)]


def _mask_of_all(c: Call, i: int) -> Any:
    """What is added to the scores, for all samples of all elements."""
    mask = c.args[i]
    if mask is None:
        return None
    q, k = (c.specs[c.op.operands.index(name)].shape for name in "qk")
    shape = (*q[:-1], k[-2])
    return c.aligned(i, len(shape)).expand(c.size, *shape).reshape(c.size * shape[0], *shape[1:])


@rule("batch_norm_fixed", "instance_norm_fixed")
def _fixed_norm(c: Call) -> Tensor:
    """With statistics that are the same for all elements."""
    if not c.only(0):
        raise Unbatchable("statistics that differ")
    return c.shaped(c.record([c.folded(0), *c.args[1:]]))


# ---------------------------------------------------------------------------------------------------------------------
# Convolutions


def _among_channels(t: Any, size: int) -> Tensor:
    """(elements, samples, channels, ...) as (samples, elements * channels, ...)."""
    shape = t.shape
    return t.transpose(0, 1).reshape(shape[1], size * shape[2], *shape[3:])  # type: ignore[no-any-return]


def _out_of_channels(t: Any, size: int) -> Tensor:
    shape = t.shape
    return t.reshape(shape[0], size, shape[1] // size, *shape[2:]).transpose(0, 1)  # type: ignore[no-any-return]


@rule("convolution", "convolution_input", "convolution_transposed")
def _convolution(c: Call) -> Tensor:
    if not c.on[1] and not c.on[2]:
        return c.shaped(c.record([c.folded(0), *c.args[1:]]))
    geometry = c.attributes["geometry"]
    w = c.batch(1)
    b = None if c.args[2] is None else c.batch(2).reshape(-1)
    wide = geometry._replace(groups=geometry.groups * c.size, winograd=False)
    x = _among_channels(c.batch(0), c.size)
    return _out_of_channels(c.record([x, w.reshape(-1, *w.shape[2:]), b], geometry=wide), c.size)


@rule("convolution_weight")
def _convolution_weight(c: Call) -> Tensor:
    geometry = c.attributes["geometry"]
    x, d = c.batch(0), c.batch(1)
    if len(geometry.stride) == 2 and geometry.groups == 1:
        return c.shaped(_weight_product(c, x, d))
    wide = geometry._replace(groups=geometry.groups * c.size, winograd=False)
    return c.shaped(c.record([_among_channels(x, c.size), _among_channels(d, c.size)], geometry=wide))


def _weight_product(c: Call, x: Any, d: Any) -> Tensor:
    """The windows of every element's input, times the gradients that arrive at them."""
    geometry, kernel = c.attributes["geometry"], c.attributes["kernel"]
    samples, channels = c.specs[0].shape[:2]
    count = c.specs[1].shape[1]
    columns = apply(_op["im2col"], (x.reshape(-1, *c.specs[0].shape[1:]),), (kernel, geometry))
    columns = columns.reshape(c.size, samples, channels * math.prod(kernel), -1)
    d = d.reshape(c.size, samples, count, -1)
    if samples == 1:
        return apply(_op["bmm"], (d.squeeze(1), columns.squeeze(1).transpose(1, 2)))  # type: ignore[no-any-return]
    d = d.transpose(1, 2).reshape(c.size, count, -1)
    columns = columns.permute(0, 1, 3, 2).reshape(c.size, -1, channels * math.prod(kernel))
    return apply(_op["bmm"], (d, columns))  # type: ignore[no-any-return]


# ---------------------------------------------------------------------------------------------------------------------
# Norms


def _whole_form(form: Any, size: int) -> Any:
    """The form with the elements as one more dimension in front."""
    return form._replace(
        shape=(size, *form.shape), axes=tuple([a + 1 for a in form.axes]), weight=(1, *form.weight)
    )


def _form(c: Call) -> Any:
    form = c.attributes["form"]
    if len(form.shape) == 2 and form.axes == (1,):  # rows: there are more of them
        return form._replace(shape=(c.size * form.shape[0], form.shape[1]))
    return _whole_form(form, c.size)


def _along_weight(c: Call, i: int) -> Tensor:
    """A weight beside the input in the form's shape, with the elements in front."""
    t, form = c.args[i], c.attributes["form"]
    return t.reshape(c.size if c.on[i] else 1, *form.weight)  # type: ignore[no-any-return]


@rule("layer_norm", "group_norm", "instance_norm", "batch_norm")
def _norm(c: Call) -> Any:
    form = c.attributes["form"]
    same = not c.on[1] and not c.on[2]
    x = c.batch(0).reshape(c.size, *c.specs[0].shape)
    weights = c.args[1:3] if same else (None, None)
    y, mean, variance = c.record([x, *weights, c.args[3]], form=_form(c))
    if not same:
        y = y.reshape(c.size, *form.shape)
        y = y if c.args[1] is None else y * _along_weight(c, 1)
        y = y if c.args[2] is None else y + _along_weight(c, 2)
    return c.shaped(y), c.shaped(mean, 1), c.shaped(variance, 2)


@rule("layer_norm_backward", "group_norm_backward", "instance_norm_backward", "batch_norm_backward")
def _norm_backward(c: Call) -> Any:
    form = c.attributes["form"]
    d, x, mean, variance = (c.batch(i) for i in (0, 1, 3, 4))
    eps, whole = c.args[5], (c.size, *form.shape)
    weighted = d
    if c.args[2] is not None:
        weighted = (d.reshape(whole) * _along_weight(c, 2)).reshape(d.shape)
    own = _form(c)
    found = c.record([weighted, x, None, mean.reshape(own.moments), variance.reshape(own.moments), eps], form=own)
    of_x = c.shaped(found[0] if isinstance(found, tuple) else found)
    if c.args[2] is None:
        return [of_x]
    z, d = x.reshape(whole), d.reshape(whole)
    mean, variance = mean.reshape(c.size, *form.moments), variance.reshape(c.size, *form.moments)
    if recorder().tracking:  # the derivative knows mean and variance as functions of x
        axes = [a + 1 for a in form.axes]
        mean = z.mean(axes, keepdim=True)
        variance = (z - mean).square().mean(axes, keepdim=True)
    product = d * (z - mean) * (variance + eps).rsqrt()
    axes = [a + 1 for a in form.weight_axes]
    return [of_x, *[c.shaped(t.sum(axes) if axes else t, k) for k, t in ((1, product), (2, d))]]


# ---------------------------------------------------------------------------------------------------------------------
# Losses


@rule("mse_loss", "smooth_l1_loss", "huber_loss", "binary_cross_entropy", "binary_cross_entropy_with_logits",
      "soft_margin_loss")  # fmt: skip
def _loss(c: Call) -> Tensor:
    reduction = c.attributes["reduction"]
    rank = max([s.ndim for s in c.specs if s is not None])
    found = c.record([c.aligned(i, rank) for i in range(len(c.args))], reduction="none")
    if reduction == "none" or found.dim() == 1:
        return found if found.dim() > 0 and found.shape[0] == c.size else found.expand(c.size)  # type: ignore[no-any-return]
    found = found.reshape(c.size, -1)
    return found.mean(1) if reduction == "mean" else found.sum(1)  # type: ignore[no-any-return]


@rule("mse_loss_backward", "smooth_l1_loss_backward", "huber_loss_backward", "binary_cross_entropy_backward",
      "binary_cross_entropy_with_logits_backward", "soft_margin_loss_backward")  # fmt: skip
def _loss_backward(c: Call) -> Tensor:
    if c.attributes["reduction"] == "none":
        return pointwise_batched(c)  # type: ignore[no-any-return]
    rank = max([s.ndim for s in c.specs if s is not None])
    args = [c.aligned(i, rank) for i in range(len(c.args))]
    if c.attributes["reduction"] == "mean":
        args[0] = args[0] / max(c.kind.spec.numel, 1)
    return c.record(args, reduction="none").expand(c.size, *c.kind.spec.shape)  # type: ignore[no-any-return]


def _counts(c: Call, target: Any) -> Tensor:
    """How many of every element's targets count."""
    kept = target.reshape(c.size, -1) != c.attributes["ignore_index"]
    return kept.sum(1)  # type: ignore[no-any-return]


@rule("nll_loss", "nll_loss_nd")
def _nll(c: Call) -> Tensor:
    if c.args[2] is not None:
        raise Unbatchable("classes with weights")
    shape, reduction = c.specs[0].shape, c.attributes["reduction"]
    x, target = c.batch(0), c.batch(1)
    rows = x.reshape(-1, *shape[1:] if len(shape) > 1 else shape)
    flat = target.reshape(-1, *c.specs[1].shape[1:])
    found = c.record([rows, flat, None], reduction="none")
    if reduction == "none":
        return c.shaped(found)
    found = found.reshape(c.size, -1).sum(1)
    return found / _counts(c, target) if reduction == "mean" else found  # type: ignore[no-any-return]


@rule("nll_loss_backward", "nll_loss_nd_backward")
def _nll_backward(c: Call) -> Tensor:
    if c.args[2] is not None:
        raise Unbatchable("classes with weights")
    shape, reduction = c.attributes["shape"], c.attributes["reduction"]
    d, target = c.batch(0), c.batch(1)
    flat = target.reshape(-1, *c.specs[1].shape[1:])
    if reduction != "none":
        if reduction == "mean":
            d = d / _counts(c, target)
        d = d.reshape(c.size, *(1,) * c.specs[1].ndim).expand(c.size, *c.specs[1].shape)
    d = d.reshape(flat.shape)
    rows = (c.size * shape[0], *shape[1:]) if len(shape) > 1 else (c.size, *shape)
    return c.shaped(c.record([d, flat, None], shape=rows, reduction="none"))
