"""Convolution, pooling and normalisation beyond the table of operations: work done in pieces, layouts, ties, NaN."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import rushlight as torch
from rushlight.ops import im2col, standardize

F = torch.nn.functional
NAN, INF = math.nan, math.inf

GEOMETRIES = [
    ((5, 4, 9, 8), (6, 4, 3, 3), {"padding": 1}),
    ((3, 4, 9, 8), (6, 2, 3, 2), {"padding": (1, 0), "stride": (2, 1), "groups": 2}),
    ((3, 4, 9, 8), (8, 1, 3, 3), {"dilation": 2, "padding": 2, "groups": 4}),
    ((2, 3, 12, 11), (4, 3, 1, 1), {}),
    ((2, 2, 40), (3, 2, 5), {"stride": 2}),
    ((2, 2, 6, 5, 4), (3, 2, 2, 3, 2), {"padding": 1}),
]


def agree(found: Any, expected: Any) -> None:
    """The tensors hold the same numbers."""
    pairs = zip(found, expected, strict=True) if isinstance(found, tuple) else [(found, expected)]
    for a, b in pairs:
        np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), rtol=1e-9, atol=1e-9)


def with_gradients(shape: Any, kernel: Any, options: dict[str, Any], order: Any = None) -> list[np.ndarray]:
    """A convolution's result and gradients; `order` permutes the memory of the input."""
    rng = np.random.default_rng(5)
    x, w = (torch.from_numpy(rng.standard_normal(s)) for s in (shape, kernel))
    if order is not None:
        x = x.permute(order).contiguous().permute(*np.argsort(order).tolist())
    for leaf in (x, w):
        leaf.requires_grad_()
    y = getattr(F, f"conv{len(kernel) - 2}d")(x, w, **options)
    y.square().sum().backward()
    return [t.detach().numpy() for t in (y, x.grad, w.grad)]


@pytest.mark.parametrize("geometry", GEOMETRIES, ids=str)
@pytest.mark.parametrize("budget", [1, 700, 5000])
def test_pieces_of_any_size_add_up(geometry: Any, budget: int, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = with_gradients(*geometry)
    monkeypatch.setattr(im2col, "BUDGET", budget)
    for a, b in zip(with_gradients(*geometry), whole, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-10)


def test_the_layout_of_the_memory_does_not_matter() -> None:
    shape, kernel, options = GEOMETRIES[0]
    for a, b in zip(
        with_gradients(shape, kernel, options, (0, 2, 3, 1)), with_gradients(shape, kernel, options), strict=True
    ):
        np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-10)


def test_few_images_of_few_places_are_worked_off_side_by_side() -> None:
    x, w = torch.randn(3, 8, 4, 4, dtype=torch.float64), torch.randn(5, 8, 3, 3, dtype=torch.float64)
    alone = torch.cat([F.conv2d(x[i : i + 1], w) for i in range(3)])
    agree(F.conv2d(x, w), alone)


def test_sizes_may_be_numpy_integers() -> None:
    x, w = torch.ones(1, 1, 5, 5), torch.ones(1, 1, 3, 3)
    assert F.conv2d(x, w, stride=np.int64(2), padding=np.int64(1)).shape == (1, 1, 3, 3)
    assert F.max_pool2d(x, np.int64(2)).shape == (1, 1, 2, 2)


ERRORS = [
    (
        lambda x, w: F.conv2d(x, w[:, :2]),
        r"Given groups=1, weight of size \[4, 2, 3, 3\], expected input\[2, 3, 6, 6\] to have 2 channels, but got 3",
    ),
    (
        lambda x, w: F.conv2d(x[..., :2], w),
        r"Calculated padded input size per channel: \(6 x 2\). Kernel size: \(3 x 3\). Kernel size can't be greater",
    ),
    (lambda x, w: F.conv2d(x, w, groups=3), "expected weight to be divisible by 3"),
    (lambda x, w: F.conv2d(x, w, torch.ones(3)), "expected bias to be 1-dimensional with 4 elements"),
    (lambda x, w: F.conv2d(x, w, padding="same", stride=2), "padding='same' is not supported for strided"),
    (lambda x, w: F.conv2d(x, w.double()), "expected scalar type Float but found Double"),
    (
        lambda x, w: F.conv_transpose2d(x, w[:3], output_padding=1),
        "output_padding_height: 1 output_padding_width: 1 stride_height: 1",
    ),
    (lambda x, w: F.max_pool2d(x, 2, padding=2), "pad should be at most half of effective kernel size"),
    (lambda x, w: F.max_pool2d(x, 9), "Calculated output size: .* Output size is too small"),
    (lambda x, w: F.max_pool1d(x[0], 2, stride=-1), "stride must be greater than zero, but got -1"),
    (lambda x, w: F.avg_pool2d(x, 2, divisor_override=0), "divisor must be not zero"),
]


@pytest.mark.parametrize(("call", "message"), ERRORS)
def test_errors(call: Any, message: str) -> None:
    with pytest.raises(RuntimeError, match=message):
        call(torch.ones(2, 3, 6, 6), torch.ones(4, 3, 3, 3))


# ---------------------------------------------------------------------------------------------------------------------
# Pooling


def test_the_first_of_equals_wins_the_gradient() -> None:
    x = torch.zeros(1, 1, 2, 4, requires_grad=True)
    y, at = F.max_pool2d(x, 2, return_indices=True)
    y.sum().backward()
    assert at.flatten().tolist() == [0, 2]
    assert x.grad.flatten().tolist() == [1, 0, 1, 0, 0, 0, 0, 0]


def test_a_nan_wins_its_window_and_no_other() -> None:
    x = torch.tensor([[[1.0, NAN, 3.0, 2.0]]])
    assert [math.isnan(v) for v in F.max_pool1d(x, 2)[0, 0].tolist()] == [True, False]
    for pool in (F.adaptive_avg_pool1d, F.adaptive_max_pool1d):
        assert [math.isnan(v) for v in pool(x, 2)[0, 0].tolist()] == [True, False]


def test_windows_that_overlap_add_their_gradients() -> None:
    x = torch.tensor([[[1.0, 5.0, 2.0]]], requires_grad=True)
    F.max_pool1d(x, 2, stride=1).sum().backward()
    assert x.grad.tolist() == [[[0, 2, 0]]]


@pytest.mark.parametrize("out", [1, 2, 3, 4, 5, 6, 9])
def test_adaptive_averages(out: int) -> None:
    x = torch.randn(2, 3, 6, 20, dtype=torch.float64)
    found = F.adaptive_avg_pool2d(x, (out, 1))
    bounds = [(i * 6 // out, -((i + 1) * -6 // out)) for i in range(out)]
    expected = torch.stack([x[:, :, a:b].mean((2, 3)) for a, b in bounds], 2)
    agree(found[..., 0], expected)


def test_power_averages_of_any_order() -> None:
    x = torch.tensor([[[3.0, -4.0, 0.0, 0.0]]], requires_grad=True)
    y = F.lp_pool1d(x, 2, 2)
    assert y.tolist() == [[[5.0, 0.0]]]
    assert F.lp_pool1d(x, INF, 2).tolist() == [[[4.0, 0.0]]]
    y.square().sum().backward()
    assert x.grad.tolist() == [[[6.0, -8.0, 0.0, 0.0]]]  # and no NaN where a window is all zeros


def test_unpooling_refuses_what_lies_outside() -> None:
    with pytest.raises(RuntimeError, match="Found an invalid max index: 9"):
        F.max_unpool2d(torch.ones(1, 1, 1, 1), torch.full((1, 1, 1, 1), 9), 2).sum().item()


def test_no_convolution_of_nothing() -> None:
    x = torch.ones(0, 3, 5, 5, requires_grad=True)
    w = torch.ones(2, 3, 3, 3, requires_grad=True)
    y = F.max_pool2d(F.conv2d(x, w), 3)
    y.sum().backward()
    assert y.shape == (0, 2, 1, 1)
    assert w.grad.abs().sum().item() == 0


# ---------------------------------------------------------------------------------------------------------------------
# Normalisation


@pytest.mark.parametrize("block", [1, 12, 1 << 18])
@pytest.mark.parametrize("affine", [True, False])
def test_layer_norm_in_blocks_of_any_size(block: int, affine: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(standardize, "BLOCK", block)
    x = torch.randn(7, 5, dtype=torch.float64, requires_grad=True)
    w, b = (torch.randn(5, dtype=torch.float64, requires_grad=True) for _ in range(2))
    g = torch.randn(7, 5, dtype=torch.float64)
    y = F.layer_norm(x, (5,), *((w, b) if affine else ()))
    z = (x - x.mean(1, keepdim=True)) / (x.var(1, correction=0, keepdim=True) + 1e-5).sqrt()
    composed = z * w + b if affine else z
    agree(y, composed)
    leaves = (x, w, b) if affine else (x,)
    found = torch.autograd.grad((y * g).sum(), leaves, create_graph=True)
    expected = torch.autograd.grad((composed * g).sum(), leaves, create_graph=True)
    agree(found, expected)
    again, second = (torch.autograd.grad(grads[0].square().sum(), x)[0] for grads in (found, expected))
    agree(again, second)


def test_running_statistics_are_written_in_place() -> None:
    mean, var = torch.zeros(2), torch.ones(2)
    alias = mean.view(2)
    x = torch.tensor([[1.0, 10.0], [3.0, 30.0]])
    F.batch_norm(x, mean, var, training=True, momentum=0.5)
    assert alias.tolist() == [1.0, 10.0]
    assert var.tolist() == pytest.approx([1.5, 100.5])
    assert F.batch_norm(x, mean, var).flatten().tolist() == pytest.approx(
        [0, 0, 2 / math.sqrt(1.5), 20 / math.sqrt(100.5)], rel=1e-4
    )


@pytest.mark.parametrize("mode", ["reflect", "replicate", "circular"])
def test_the_borders_gradient_goes_back_to_where_they_came_from(mode: str) -> None:
    x = torch.arange(1.0, 6.0).reshape(1, 1, 5).requires_grad_()
    weights = torch.arange(1.0, 9.0)
    y = F.pad(x, (2, 1), mode)
    (y * weights).sum().backward()
    source = {"reflect": [2, 1, 0, 1, 2, 3, 4, 3], "replicate": [0, 0, 0, 1, 2, 3, 4, 4],
              "circular": [3, 4, 0, 1, 2, 3, 4, 0]}[mode]  # fmt: skip
    assert y.flatten().tolist() == [i + 1 for i in source]
    assert x.grad.flatten().tolist() == np.bincount(source, weights.numpy(), 5).tolist()


@pytest.mark.parametrize("width", [3, 100])
def test_the_gradient_of_an_embedding_adds_up(width: int) -> None:
    table = torch.zeros(4, width, requires_grad=True)
    picked = torch.tensor([[1, 3], [1, 0], [1, 3]])
    (F.embedding(picked, table, padding_idx=0) * torch.arange(6.0).reshape(3, 2, 1)).sum().backward()
    assert table.grad[:, 0].tolist() == [0, 0 + 2 + 4, 0, 1 + 5]
    assert torch.equal(table.grad, table.grad[:, :1].expand(4, width))


def test_relu_passes_bits_unchanged() -> None:
    x = torch.tensor([-1.0, 0.0, 2.0, NAN, INF, -INF], requires_grad=True)
    torch.relu(x).backward(torch.tensor([INF, NAN, -0.0, 5.0, INF, NAN]))
    assert x.grad.tolist() == [0, 0, 0, 5, INF, 0]
    assert math.copysign(1, x.grad[2].item()) == -1


@pytest.mark.parametrize("kernel, padding, dilation, more", [
    ((3, 3), (1, 1), (1, 1), 0), ((5, 3), (2, 0), (1, 1), 0), ((3, 2), (0, 1), (2, 3), 0), ((3, 3), (3, 1), (1, 1), 0),
    ((3, 3), (1, 1), (2, 2), 1),
])  # fmt: skip
def test_a_scatter_of_stride_one_is_a_convolution_with_turned_kernels(
    kernel: Any, padding: Any, dilation: Any, more: int, monkeypatch: Any
) -> None:
    """Also where padding is wider than the kernel, or where there is output padding, so that it is none."""
    draw = np.random.default_rng(0)
    geometry = im2col.Geometry((1, 1), padding, dilation)
    x, w = draw.normal(size=(2, 4, 9, 11)), draw.normal(size=(5, 4, *kernel))
    g = draw.normal(size=im2col.correlate(x, w, geometry).shape)
    space = (9 + more, 11 + more)
    found = im2col.scatter(g, w, space, geometry)
    monkeypatch.setattr(im2col, "TURNED", 1 << 30)
    np.testing.assert_allclose(found, im2col.scatter(g, w, space, geometry), rtol=1e-12, atol=1e-12)
    if not more:
        np.testing.assert_allclose((found * x).sum(), (im2col.correlate(x, w, geometry) * g).sum(), rtol=1e-12)
