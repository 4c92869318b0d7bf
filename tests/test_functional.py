"""`torch.nn.functional` beyond the table of operations: errors, warnings, nodes, random draws, edges, side effects.

Messages, names and numbers are PyTorch's; where PyTorch is installed, the tables of errors and nodes run there too.
"""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import rushlight as torch
from rushlight.nn import functional as F

Call = Callable[[Any], Any]


def functional(t: Any) -> Any:
    """`torch.nn.functional` of a torch."""
    return importlib.import_module(f"{t.__name__}.nn.functional")


# ---------------------------------------------------------------------------------------------------------------------
# Errors

ERRORS: list[tuple[Call, type[Exception], str]] = [
    (lambda t: functional(t).relu(t.tensor([True])), RuntimeError, "Boolean inputs not supported for relu"),
    (lambda t: functional(t).gelu(t.tensor([1])), NotImplementedError, "\"GeluKernelImpl\" not implemented for 'Long'"),
    (
        lambda t: functional(t).gelu(t.ones(1), approximate="x"),
        RuntimeError,
        "approximate argument must be either none or tanh.",
    ),
    (
        lambda t: functional(t).softshrink(t.ones(1), -1),
        RuntimeError,
        "lambda must be in range \\[0, 3.40282e\\+38\\] for input dtype Float",
    ),
    (lambda t: functional(t).glu(t.ones(3)), RuntimeError, "Halving dimension must be even, but dimension 0 is size 3"),
    (lambda t: functional(t).softmax(t.ones(2), 1), IndexError, "Dimension out of range"),
    (lambda t: functional(t).softmax(t.tensor([1]), 0), NotImplementedError, "not implemented for 'Long'"),
    (
        lambda t: functional(t).prelu(t.ones(2, 3), t.ones(2)),
        RuntimeError,
        "Mismatch of parameter numbers and input channel size",
    ),
    (
        lambda t: functional(t).dropout(t.ones(2), 1.5),
        ValueError,
        "dropout probability has to be between 0 and 1, but got 1.5",
    ),
    (lambda t: functional(t).dropout(t.tensor([1])), RuntimeError, "result type Float can't be cast"),
    (
        lambda t: functional(t).dropout1d(t.ones(2)),
        RuntimeError,
        "dropout1d: Expected 2D or 3D input, but received a 1D input",
    ),
    (
        lambda t: functional(t).mse_loss(t.ones(2), t.ones(2), reduction="x"),
        ValueError,
        "x is not a valid value for reduction",
    ),
    (
        lambda t: functional(t).mse_loss(t.tensor([1]), t.tensor([1])),
        NotImplementedError,
        "\"mse_cpu\" not implemented for 'Long'",
    ),
    (
        lambda t: functional(t).smooth_l1_loss(t.ones(1), t.ones(1), beta=-1),
        RuntimeError,
        "does not support negative values for beta",
    ),
    (
        lambda t: functional(t).huber_loss(t.ones(1), t.ones(1), delta=0),
        RuntimeError,
        "does not support non-positive values",
    ),
    (
        lambda t: functional(t).binary_cross_entropy(t.tensor([1.5]), t.tensor([1.0])).item(),
        RuntimeError,
        "all elements of input should be between 0 and 1",
    ),
    (
        lambda t: functional(t).binary_cross_entropy(t.tensor([0.5]), t.tensor([2.0])).item(),
        RuntimeError,
        "all elements of target should be between 0 and 1",
    ),
    (
        lambda t: functional(t).binary_cross_entropy(t.ones(2), t.ones(3)),
        ValueError,
        "is deprecated. Please ensure they have the same",
    ),
    (
        lambda t: functional(t).binary_cross_entropy(t.ones(2), t.ones(2).double()),
        RuntimeError,
        "Found dtype Double but expected Float",
    ),
    (
        lambda t: functional(t).binary_cross_entropy_with_logits(t.ones(2), t.ones(3)),
        ValueError,
        "must be the same as input size",
    ),
    (
        lambda t: functional(t).kl_div(t.tensor([1]), t.tensor([1]), reduction="sum"),
        RuntimeError,
        "Integral inputs not supported",
    ),
    (lambda t: functional(t).nll_loss(t.ones(2, 3), t.tensor([0, 3])), IndexError, "Target 3 is out of bounds."),
    (lambda t: functional(t).nll_loss(t.ones(2, 3), t.tensor([0, -1])), IndexError, "Target -1 is out of bounds."),
    (
        lambda t: functional(t).nll_loss(t.ones(2, 3), t.tensor([0])),
        ValueError,
        "Expected input batch_size \\(2\\) to match target",
    ),
    (
        lambda t: functional(t).nll_loss(t.ones(2, 3), t.ones(2)),
        RuntimeError,
        "expected target dtype to be Long or Byte, but got Float",
    ),
    (lambda t: functional(t).nll_loss(t.ones(2, 3), t.tensor([[0], [1]])), RuntimeError, "multi-target not supported"),
    (
        lambda t: functional(t).nll_loss(t.ones(2, 3), t.tensor([0, 1]), t.ones(2)),
        RuntimeError,
        "either for all 3 classes or no classes",
    ),
    (
        lambda t: functional(t).cross_entropy(t.ones(2, 3), t.ones(2, 3, dtype=t.int64)),
        RuntimeError,
        "Expected floating point type",
    ),
    (
        lambda t: functional(t).cross_entropy(t.ones(2, 3), t.ones(2, 3), ignore_index=1),
        RuntimeError,
        "ignore_index is not supported",
    ),
    (
        lambda t: functional(t).cross_entropy(t.ones(2, 3), t.tensor([0, 1]), label_smoothing=2.0),
        RuntimeError,
        "label_smoothing must be between 0.0 and 1.0",
    ),
    (
        lambda t: functional(t).margin_ranking_loss(t.ones(2), t.ones(2), t.ones(2, 1)),
        RuntimeError,
        "same dimension but got sizes",
    ),
    (
        lambda t: functional(t).triplet_margin_loss(t.ones(2), t.ones(2), t.ones(2), margin=0),
        ValueError,
        "margin must be greater than 0",
    ),
    (
        lambda t: functional(t).multi_margin_loss(t.ones(2, 3), t.tensor([0, 1]), p=3),
        Exception,
        "only p == 1 and p == 2 supported",
    ),
    (
        lambda t: functional(t).ctc_loss(t.ones(3, 1, 2), t.tensor([[1]]), (4,), (1,)),
        RuntimeError,
        "at most 3, but got value 4",
    ),
    (lambda t: functional(t).linear(t.ones(2, 3), t.ones(5, 4)), RuntimeError, "\\(2x3 and 4x5\\)"),
    (
        lambda t: functional(t).linear(t.ones(2, 3).double(), t.ones(5, 3)),
        RuntimeError,
        "same dtype, but got: double != float",
    ),
    (
        lambda t: functional(t).linear(t.ones(2, 3), t.ones(5, 3), t.ones(5).double()),
        RuntimeError,
        "but got Double and Float",
    ),
    (
        lambda t: functional(t).linear(t.ones(2, 3), t.ones(5, 3), t.ones(4)),
        RuntimeError,
        "existing size \\(4\\) at non-singleton",
    ),
    (
        lambda t: functional(t).bilinear(t.ones(2, 3), t.ones(2, 4), t.ones(1, 4, 4)),
        RuntimeError,
        "got 3 but expected 4",
    ),
    (
        lambda t: functional(t).conv2d(t.ones(2, 2), t.ones(1, 1, 1, 1)),
        RuntimeError,
        "Expected 3D \\(unbatched\\) or 4D \\(batched\\)",
    ),
    (
        lambda t: functional(t).conv2d(t.ones(1, 3, 4, 4), t.ones(2, 4, 3, 3)),
        RuntimeError,
        "weight of size \\[2, 4, 3, 3\\], expected input\\[1, 3, 4, 4\\] to have 4 channels, but got 3",
    ),
    (
        lambda t: functional(t).conv2d(t.ones(1, 1, 2, 2), t.ones(1, 1, 3, 3)),
        RuntimeError,
        "Kernel size can't be greater than actual",
    ),
    (
        lambda t: functional(t).conv2d(t.ones(1, 1, 4, 4), t.ones(1, 1, 3, 3), stride=0),
        RuntimeError,
        "non-positive stride",
    ),
    (
        lambda t: functional(t).conv2d(t.ones(1, 1, 4, 4), t.ones(1, 1, 3, 3), padding=-1),
        RuntimeError,
        "negative padding",
    ),
    (
        lambda t: functional(t).conv2d(t.ones(1, 1, 4, 4), t.ones(1, 1, 3, 3), padding="same", stride=2),
        RuntimeError,
        "strided",
    ),
    (
        lambda t: functional(t).conv2d(t.ones(1, 4, 4, 4), t.ones(3, 2, 3, 3), groups=2),
        RuntimeError,
        "divisible by 2 at dimension 0",
    ),
    (
        lambda t: functional(t).conv2d(t.ones(1, 1, 4, 4), t.ones(2, 1, 3, 3), t.ones(3)),
        RuntimeError,
        "with 2 elements, but got bias",
    ),
    (
        lambda t: functional(t).conv2d(t.ones(1, 1, 4, 4).double(), t.ones(2, 1, 3, 3)),
        RuntimeError,
        "expected scalar type Double",
    ),
    (
        lambda t: functional(t).conv_transpose2d(t.ones(1, 1, 2, 2), t.ones(1, 1, 2, 2), output_padding=1),
        RuntimeError,
        "output padding must be smaller than either stride or dilation",
    ),
    (lambda t: functional(t).max_pool2d(t.ones(1, 4, 4), 2, padding=2), RuntimeError, "pad should be at most half"),
    (lambda t: functional(t).max_pool2d(t.ones(1, 4, 4), 5), RuntimeError, "Output size is too small"),
    (
        lambda t: functional(t).max_pool2d(t.ones(1, 4, 4), (2, 2, 2)),
        RuntimeError,
        "a single int, or a tuple of two ints",
    ),
    (
        lambda t: functional(t).avg_pool2d(t.ones(1, 4, 4), 2, divisor_override=0),
        RuntimeError,
        "divisor must be not zero",
    ),
    (
        lambda t: functional(t).max_unpool2d(t.ones(1, 1, 1), t.tensor([[[9]]]), 2).sum().item(),
        RuntimeError,
        "invalid max index",
    ),
    (
        lambda t: functional(t).fractional_max_pool2d(t.ones(1, 4, 4), 2),
        ValueError,
        "either an output_size or an output_ratio",
    ),
    (
        lambda t: functional(t).batch_norm(t.ones(1, 3), None, None, training=True),
        ValueError,
        "Expected more than 1 value per channel",
    ),
    (lambda t: functional(t).batch_norm(t.ones(2, 3), None, None), RuntimeError, "must be defined in evaluation mode"),
    (
        lambda t: functional(t).batch_norm(t.ones(2, 3), t.ones(4), t.ones(3)),
        RuntimeError,
        "should contain 3 elements not 4",
    ),
    (lambda t: functional(t).layer_norm(t.ones(2, 3), (4,)), RuntimeError, "expected input with shape \\[\\*, 4\\]"),
    (lambda t: functional(t).group_norm(t.ones(2, 4, 2), 3), RuntimeError, "divisible by num_groups"),
    (lambda t: functional(t).instance_norm(t.ones(2, 4, 1)), ValueError, "Expected more than 1 spatial element"),
    (lambda t: functional(t).embedding(t.tensor([3]), t.ones(3, 2)), IndexError, "index out of range in self"),
    (
        lambda t: functional(t).embedding(t.ones(1), t.ones(3, 2)),
        RuntimeError,
        "scalar types: Long, Int; but got torch.FloatTensor",
    ),
    (
        lambda t: functional(t).embedding(t.tensor([1]), t.ones(3, 2), padding_idx=3),
        AssertionError,
        "within num_embeddings",
    ),
    (lambda t: functional(t).embedding_bag(t.tensor([1]), t.ones(3, 2)), ValueError, "offsets has to be a 1D Tensor"),
    (lambda t: functional(t).one_hot(t.tensor([3]), 2), RuntimeError, "Class values must be smaller than num_classes."),
    (lambda t: functional(t).pad(t.ones(2), (1, 1, 1)), RuntimeError, "Padding length must be divisible by 2"),
    (
        lambda t: functional(t).pad(t.ones(1, 3), (3, 0), "reflect"),
        RuntimeError,
        "less than the corresponding input dimension",
    ),
    (lambda t: functional(t).pad(t.ones(1, 3), (4, 0), "circular"), RuntimeError, "wrapping around more than once"),
    (
        lambda t: functional(t).pad(t.ones(1, 3), (1, 0), "other"),
        NotImplementedError,
        "Unrecognised padding mode other",
    ),
    (lambda t: functional(t).interpolate(t.ones(1, 1, 2)), ValueError, "either size or scale_factor should be defined"),
    (
        lambda t: functional(t).interpolate(t.ones(1, 1, 2), 2, mode="bilinear"),
        NotImplementedError,
        "bilinear mode needs 4D input",
    ),
    (
        lambda t: functional(t).pixel_shuffle(t.ones(1, 3, 2, 2), 2),
        RuntimeError,
        "divisible by the square of upscale_factor",
    ),
    (lambda t: functional(t).unfold(t.ones(1, 1, 2, 2), 3), RuntimeError, "its components must be at least one"),
    (
        lambda t: functional(t).grid_sample(t.ones(1, 1, 2, 2), t.ones(2, 1, 1, 2), align_corners=True),
        RuntimeError,
        "same batch size",
    ),
    (
        lambda t: functional(t).affine_grid(t.ones(1, 3, 3), (1, 1, 2, 2), True),
        ValueError,
        "Expected a batch of 2D affine matrices",
    ),
    (
        lambda t: functional(t).scaled_dot_product_attention(t.ones(2), t.ones(2), t.ones(2)),
        RuntimeError,
        "at least 2 dimensional",
    ),
    (
        lambda t: t.einsum("ij,jk->ik", t.ones(2, 3), t.ones(4, 2)),
        RuntimeError,
        "does not broadcast with previously seen size",
    ),
    (lambda t: t.einsum("i->j", t.ones(2)), RuntimeError, "output subscript j does not appear"),
    (
        lambda t: t.addcdiv(t.tensor([1]), t.tensor([1]), t.tensor([1])),
        RuntimeError,
        "Integer division with addcdiv is no longer",
    ),
]


@pytest.mark.parametrize("number", range(len(ERRORS)))
def test_errors(number: int) -> None:
    call, kind, message = ERRORS[number]
    with pytest.raises(kind, match=message):
        call(torch)


def test_errors_are_pytorchs() -> None:
    real = pytest.importorskip("torch")
    for number, (call, kind, message) in enumerate(ERRORS):
        with pytest.raises(kind, match=message):
            call(real)
            raise AssertionError(f"row {number}: PyTorch accepts it")


def test_a_wrong_target_that_is_still_pending_is_found_when_it_is_used() -> None:
    target = torch.tensor([0, 1]) + 5
    with pytest.raises(IndexError, match="Target 5 is out of bounds"):
        F.nll_loss(torch.ones(2, 3), target).item()
    assert torch.ones(2).sum().item() == 2.0  # what comes after is not affected


# ---------------------------------------------------------------------------------------------------------------------
# Warnings

WARNINGS: list[tuple[Call, str]] = [
    (
        lambda t: functional(t).mse_loss(t.ones(2, 2), t.ones(2)),
        "Using a target size \\(torch.Size\\(\\[2\\]\\)\\) that is different",
    ),
    (lambda t: functional(t).l1_loss(t.ones(2, 2), t.ones(2)), "that is different to the input size"),
    (lambda t: functional(t).softmax(t.ones(2)), "Implicit dimension choice for softmax has been deprecated"),
    (lambda t: functional(t).mse_loss(t.ones(2), t.ones(2), size_average=False), "please use reduction='sum' instead"),
    (
        lambda t: functional(t).nll_loss(t.ones(1, 2), t.tensor([0]), reduce=False),
        "please use reduction='none' instead",
    ),
    (lambda t: functional(t).kl_div(t.ones(2), t.ones(2)), "reduction: 'mean' divides the total loss by both"),
    (
        lambda t: functional(t).dropout2d(t.ones(1, 2, 3)),
        "Received a 3D input to dropout2d and assuming that channel-wise 1D",
    ),
    (lambda t: functional(t).upsample(t.ones(1, 1, 2), 4), "`nn.functional.upsample` is deprecated"),
    (
        lambda t: functional(t).affine_grid(t.ones(1, 2, 3), (1, 1, 2, 2)),
        "has changed to align_corners=False since 1.3.0",
    ),
]


@pytest.mark.parametrize("number", range(len(WARNINGS)))
def test_warnings(number: int) -> None:
    call, message = WARNINGS[number]
    with pytest.warns(UserWarning, match=message):
        call(torch)


# ---------------------------------------------------------------------------------------------------------------------
# What the tape shows


def chain(node: Any, depth: int = 3) -> str:
    """A node and what it leads to, by name."""
    if node is None:
        return "-"
    name = type(node).__name__.removesuffix("Backward0")
    if depth == 0 or not node.next_functions:
        return name
    return f"{name}({', '.join(chain(n, depth - 1) for n, _ in node.next_functions)})"


def leaf(t: Any, *shape: int) -> Any:
    return t.full(shape, 0.5, dtype=t.float64, requires_grad=True)


NODES: list[tuple[Call, str]] = [
    (
        lambda t: functional(t).linear(leaf(t, 2, 3), leaf(t, 4, 3), leaf(t, 4)),
        "Addmm(AccumulateGrad, AccumulateGrad, T(AccumulateGrad))",
    ),
    (lambda t: functional(t).linear(leaf(t, 2, 3), leaf(t, 4, 3)), "Mm(AccumulateGrad, T(AccumulateGrad))"),
    (
        lambda t: functional(t).linear(leaf(t, 5, 2, 3), leaf(t, 4, 3), leaf(t, 4)),
        "View(Addmm(AccumulateGrad, View(AccumulateGrad), T(AccumulateGrad)))",
    ),
    (
        lambda t: functional(t).conv2d(leaf(t, 1, 1, 3, 3), leaf(t, 1, 1, 2, 2)),
        "Convolution(AccumulateGrad, AccumulateGrad, -)",
    ),
    (
        lambda t: functional(t).conv_transpose2d(leaf(t, 1, 1, 3, 3), leaf(t, 1, 1, 2, 2)),
        "Convolution(AccumulateGrad, AccumulateGrad, -)",
    ),
    (lambda t: functional(t).max_pool2d(leaf(t, 1, 4, 4), 2), "MaxPool2DWithIndices(AccumulateGrad)"),
    (lambda t: functional(t).avg_pool2d(leaf(t, 1, 4, 4), 2), "AvgPool2D(AccumulateGrad)"),
    (lambda t: functional(t).adaptive_avg_pool2d(leaf(t, 1, 4, 4), 2), "AdaptiveAvgPool2D(AccumulateGrad)"),
    (
        lambda t: functional(t).batch_norm(leaf(t, 4, 2), None, None, training=True),
        "NativeBatchNorm(AccumulateGrad, -, -)",
    ),
    (lambda t: functional(t).layer_norm(leaf(t, 4, 2), (2,)), "NativeLayerNorm(AccumulateGrad, -, -)"),
    (lambda t: functional(t).instance_norm(leaf(t, 1, 2, 3)), "View(NativeBatchNorm(View(AccumulateGrad), -, -))"),
    (lambda t: functional(t).mse_loss(leaf(t, 2), t.ones(2)), "MseLoss(AccumulateGrad, -)"),
    (lambda t: functional(t).l1_loss(leaf(t, 2), t.ones(2)), "Mean(Abs(Sub(AccumulateGrad, -)))"),
    (lambda t: functional(t).cross_entropy(leaf(t, 1, 2), t.tensor([0])), "NllLoss(LogSoftmax(AccumulateGrad))"),
    (
        lambda t: functional(t).binary_cross_entropy(leaf(t, 2), t.ones(2).double()),
        "BinaryCrossEntropy(AccumulateGrad, -)",
    ),
    (
        lambda t: functional(t).binary_cross_entropy_with_logits(leaf(t, 2), t.ones(2)),
        "BinaryCrossEntropyWithLogits(AccumulateGrad, -)",
    ),
    (lambda t: functional(t).smooth_l1_loss(leaf(t, 2), t.ones(2)), "SmoothL1Loss(AccumulateGrad, -)"),
    (lambda t: functional(t).dropout(leaf(t, 2)), "Mul(AccumulateGrad, -)"),
    (lambda t: functional(t).relu6(leaf(t, 2)), "Hardtanh(AccumulateGrad)"),
    (lambda t: functional(t).selu(leaf(t, 2)), "Elu(AccumulateGrad)"),
    (lambda t: functional(t).softmin(leaf(t, 2), 0), "Softmax(Neg(AccumulateGrad))"),
    (lambda t: functional(t).prelu(leaf(t, 2), leaf(t, 1)), "PreluKernel(AccumulateGrad, AccumulateGrad)"),
    (lambda t: functional(t).embedding(t.tensor([0]), leaf(t, 2, 2)), "Embedding(AccumulateGrad)"),
    (lambda t: functional(t).pad(leaf(t, 2), (1, 1)), "ConstantPadNd(AccumulateGrad)"),
    (lambda t: functional(t).pad(leaf(t, 1, 2), (1, 1), "reflect"), "ReflectionPad1D(AccumulateGrad)"),
    (lambda t: functional(t).interpolate(leaf(t, 1, 1, 2, 2), 4), "UpsampleNearest2D(AccumulateGrad)"),
]


@pytest.mark.parametrize("number", range(len(NODES)))
def test_nodes(number: int) -> None:
    call, expected = NODES[number]
    assert chain(call(torch).grad_fn) == expected


def test_nodes_are_pytorchs() -> None:
    real = pytest.importorskip("torch")
    for call, expected in NODES:
        assert chain(call(real).grad_fn) == expected


# ---------------------------------------------------------------------------------------------------------------------
# Random numbers


def after_seed(draw: Callable[[], Any]) -> list[float]:
    torch.manual_seed(0)
    return [round(float(v), 4) for v in draw().flatten()[:6].tolist()]


def test_random_functions_draw_pytorchs_numbers() -> None:
    x = torch.ones(2, 3, 4)
    assert after_seed(lambda: F.dropout(x, 0.4)) == [0.0, 0.0, 1.6667, 0.0, 0.0, 0.0]
    assert after_seed(lambda: F.dropout(x.transpose(0, 2), 0.4)) == [0.0, 1.6667, 0.0, 1.6667, 1.6667, 1.6667]
    assert after_seed(lambda: F.alpha_dropout(x, 0.4, True)) == [-0.9106, -0.9106, 1.4704, -0.9106, -0.9106, -0.9106]
    assert after_seed(lambda: F.dropout1d(x, 0.4)) == [0.0] * 6
    first = after_seed(lambda: F.rrelu(torch.tensor([-1.0, 2.0, -1.0]), training=True))
    assert first[1] == 2.0 and all(-1 / 3 <= v <= -1 / 8 for v in (first[0], first[2]))


def test_dropout_edges() -> None:
    x = torch.ones(4, requires_grad=True)
    assert F.dropout(x, 0.5, training=False) is x
    assert F.dropout(x, 0.0) is x
    assert F.dropout(x, 1.0).tolist() == [0.0] * 4
    y = torch.ones(4)
    assert F.dropout(y, 0.5, inplace=True) is y
    assert set(y.tolist()) <= {0.0, 2.0}
    kept = F.dropout(x, 0.5)
    kept.sum().backward()
    assert x.grad.tolist() == kept.tolist()  # the same mask


def test_dropout_of_channels_shares_a_draw() -> None:
    whole = F.dropout2d(torch.ones(8, 8, 3, 3), 0.5)
    assert all(len(set(c.flatten().tolist())) == 1 for n in whole for c in n)


# ---------------------------------------------------------------------------------------------------------------------
# Edges of numbers


def test_activations_far_out() -> None:
    far = torch.tensor([-1000.0, 1000.0])
    assert F.softplus(far).tolist() == [0.0, 1000.0]
    assert F.logsigmoid(far).tolist() == [-1000.0, 0.0]
    assert F.silu(far).tolist() == [0.0, 1000.0]
    assert F.elu(far).tolist() == [-1.0, 1000.0]
    assert F.mish(far).tolist() == [0.0, 1000.0]
    assert F.gelu(far).tolist() == [0.0, 1000.0]
    assert F.softmax(far, 0).tolist() == [0.0, 1.0]
    assert F.log_softmax(far, 0).tolist() == [-2000.0, 0.0]
    nan = torch.tensor([float("nan")])
    for name in ("relu", "elu", "gelu", "silu", "softplus", "hardtanh", "leaky_relu", "relu6", "selu", "softsign"):
        assert np.isnan(getattr(F, name)(nan).item()), name


def test_relu_passes_gradients_exactly() -> None:
    x = torch.tensor([-1.0, 0.0, 2.0], requires_grad=True)
    F.relu(x).backward(torch.tensor([float("inf"), float("nan"), -0.0]))
    assert x.grad.tolist()[:2] == [0.0, 0.0]


def test_losses_at_the_border() -> None:
    assert F.binary_cross_entropy(torch.tensor([0.0, 1.0]), torch.tensor([1.0, 0.0])).item() == 100.0
    assert F.binary_cross_entropy_with_logits(torch.tensor([1000.0, -1000.0]), torch.tensor([1.0, 0.0])).item() == 0.0
    assert F.binary_cross_entropy_with_logits(torch.tensor([-1000.0]), torch.tensor([1.0])).item() == 1000.0
    assert np.isnan(F.cross_entropy(torch.ones(1, 2), torch.tensor([-100])).item())
    assert np.isnan(F.mse_loss(torch.ones(0), torch.ones(0)).item())
    assert F.nll_loss(torch.ones(0, 3), torch.ones(0, dtype=torch.int64), reduction="none").shape == (0,)


def test_max_pool_of_ties_nan_and_minus_infinity() -> None:
    x = torch.tensor([[[1.0, 1.0], [1.0, 1.0]]], requires_grad=True)
    F.max_pool2d(x, 2).sum().backward()
    assert x.grad.tolist() == [[[1.0, 0.0], [0.0, 0.0]]]  # the first of equals
    values, indices = F.max_pool2d(torch.tensor([[[float("nan"), 3.0], [1.0, 2.0]]]), 2, return_indices=True)
    assert np.isnan(values.item()) and indices.item() == 0
    _, indices = F.max_pool2d(torch.full((1, 4, 4), -float("inf")), 3, 1, 1, return_indices=True)
    assert indices[0].tolist() == [[0, 0, 1, 2], [0, 0, 1, 2], [4, 4, 5, 6], [8, 8, 9, 10]]


def test_empty_batches() -> None:
    assert F.conv2d(torch.ones(0, 1, 4, 4), torch.ones(2, 1, 3, 3)).shape == (0, 2, 2, 2)
    assert F.max_pool2d(torch.ones(0, 1, 4, 4), 2).shape == (0, 1, 2, 2)
    assert F.linear(torch.ones(0, 3), torch.ones(2, 3), torch.ones(2)).shape == (0, 2)
    assert F.softmax(torch.ones(0, 3), 1).shape == (0, 3)
    assert F.layer_norm(torch.ones(0, 3), (3,)).shape == (0, 3)
    assert F.batch_norm(torch.ones(0, 3), torch.ones(3), torch.ones(3), training=True).shape == (0, 3)


def test_attention_with_nothing_to_attend_to_gives_zeros() -> None:
    q = torch.ones(1, 1, 2, 3)
    result = F.scaled_dot_product_attention(q, q, q, attn_mask=torch.zeros(2, 2, dtype=torch.bool))
    assert result.tolist() == torch.zeros(1, 1, 2, 3).tolist()


def test_ctc_of_an_impossible_alignment() -> None:
    scores = torch.zeros(1, 1, 3, requires_grad=True)
    target = torch.tensor([[1, 2]])
    assert F.ctc_loss(scores.log_softmax(2), target, (1,), (2,)).item() == float("inf")
    loss = F.ctc_loss(scores.log_softmax(2), target, (1,), (2,), zero_infinity=True)
    loss.backward()
    assert loss.item() == 0.0
    assert scores.grad.abs().sum().item() == 0.0


# ---------------------------------------------------------------------------------------------------------------------
# Side effects


def test_batch_norm_moves_its_statistics_in_place() -> None:
    mean, var = torch.zeros(1), torch.ones(1)
    x = torch.tensor([[1.0], [3.0]], requires_grad=True)
    result = F.batch_norm(x, mean, var, training=True, momentum=0.5)
    assert (mean.item(), var.item()) == (1.0, 1.5)  # mean 2, unbiased variance 2
    assert not mean.requires_grad
    result.sum().backward()
    assert abs(x.grad.sum().item()) < 1e-6
    F.batch_norm(x, mean, var)
    assert (mean.item(), var.item()) == (1.0, 1.5)


def test_embedding_scales_long_rows_in_place() -> None:
    weight = torch.tensor([[3.0, 4.0], [6.0, 8.0]])
    found = F.embedding(torch.tensor([1]), weight, max_norm=5.0)
    np.testing.assert_allclose(found.numpy(), [[3.0, 4.0]], rtol=1e-6)
    np.testing.assert_allclose(weight.numpy(), [[3.0, 4.0], [3.0, 4.0]], rtol=1e-6)


def test_embedding_padding_gets_no_gradient() -> None:
    weight = torch.ones(3, 2, requires_grad=True)
    F.embedding(torch.tensor([0, 1, 1]), weight, padding_idx=1).sum().backward()
    assert weight.grad.tolist() == [[1.0, 1.0], [0.0, 0.0], [0.0, 0.0]]


def test_in_place_activations() -> None:
    x = torch.tensor([-1.0, 2.0])
    assert F.relu(x, inplace=True) is x
    assert x.tolist() == [0.0, 2.0]
    assert F.leaky_relu_(torch.tensor([-1.0]), 0.5).tolist() == [-0.5]
    y = torch.tensor([-1.0, 2.0], requires_grad=True)
    z = y * 1
    F.relu_(z)
    z.sum().backward()
    assert y.grad.tolist() == [0.0, 1.0]
    with pytest.raises(RuntimeError, match="leaf"):
        F.relu_(y)


def test_one_hot_counts_the_classes_itself() -> None:
    assert F.one_hot(torch.tensor([2, 0])).tolist() == [[0, 0, 1], [1, 0, 0]]


def test_gumbel_softmax() -> None:
    torch.manual_seed(0)
    logits = torch.zeros(4, 3, requires_grad=True)
    hard = F.gumbel_softmax(logits, hard=True)
    assert sorted(set(hard.flatten().tolist())) == [0.0, 1.0]
    assert hard.sum(1).tolist() == [1.0] * 4
    (hard * torch.tensor([1.0, 2.0, 3.0])).sum().backward()
    assert logits.grad.abs().sum().item() > 0


def test_functions_in_torch_take_their_own_argument_order() -> None:
    x, w, b = torch.tensor([[1.0], [3.0]]), torch.tensor([2.0]), torch.tensor([1.0])
    found = torch.batch_norm(x, w, b, None, None, True, 0.1, 0.0, False)
    assert found.tolist() == [[-1.0], [3.0]]
    assert torch.embedding(torch.tensor([[1.0], [2.0]]), torch.tensor([1])).tolist() == [[2.0]]
    assert torch.softmax(torch.tensor([0.0, 0.0]), 0, torch.float64).dtype is torch.float64


def test_missing_names_say_so() -> None:
    with pytest.raises(AttributeError, match="torch.nn.functional.nonsense"):
        F.nonsense  # noqa: B018
    assert "relu" in F.__all__


def test_every_function_of_pytorch_is_here() -> None:
    real = pytest.importorskip("torch.nn.functional")
    skipped = {"assert_int_or_pair", "boolean_dispatch", "handle_torch_function", "has_torch_function", "grouped_mm",
               "has_torch_function_unary", "has_torch_function_variadic", "linear_cross_entropy", "scaled_grouped_mm",
               "scaled_mm", "grad", "importlib", "math", "warnings", "torch", "np", "dataclasses"}  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        names = [n for n in dir(real) if n.islower() and not n.startswith("_") and callable(getattr(real, n))]
    missing = [n for n in names if n not in skipped and not hasattr(F, n)]
    assert missing == []


@pytest.mark.parametrize(
    ("mode", "antialias", "aligned", "row"),
    [
        ("bilinear", False, False, [0, 1, 4, 7, 11, 14, 17, 20, 21]),
        ("bicubic", False, False, [0, 0, 1, 5, 8, 10, 14, 17, 19]),
        ("bicubic", True, False, [0, 0, 2, 5, 9, 12, 15, 18, 20]),
    ],
)
def test_images_of_bytes_are_resized_in_whole_numbers(mode: str, antialias: bool, aligned: bool, row: Any) -> None:
    """PyTorch's numbers: rounded to bytes after each dimension, which is not what rounding floats gives."""
    x = (torch.arange(32).reshape(1, 2, 4, 4) * 7).to(torch.uint8)
    found = F.interpolate(x, (7, 9), mode=mode, antialias=antialias, align_corners=aligned)
    assert found.dtype is torch.uint8
    assert found[0, 0, 0].tolist() == row
    small = F.interpolate(x, (3, 3), mode="bilinear")
    assert small[0, 0].tolist() == [[6, 16, 25], [43, 53, 62], [80, 90, 99]]
    small = F.interpolate(x.to(memory_format=torch.channels_last), (3, 3), mode="bilinear", align_corners=True)
    assert small[0, 1].tolist() == [[112, 123, 133], [154, 165, 175], [196, 207, 217]]
