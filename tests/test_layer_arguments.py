"""Arguments of layers: what they may be, which errors others raise, and the edges: empty tensors, samples, formats."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import rushlight as torch
from rushlight import nn
from rushlight.nn import functional as F

PICTURE = torch.arange(32.0).reshape(2, 4, 4)
SIGNAL = torch.arange(12.0).reshape(2, 6)
KERNELS = torch.ones(3, 2, 2, 2)

WRONG: dict[str, tuple[type[Exception], str, Callable[[], Any]]] = {
    "float": (TypeError, r"max_pool2d.*'kernel_size' .position 2. must be tuple of ints, not float",
              lambda: F.max_pool2d(PICTURE, 2.0)),
    "bool": (TypeError, "'kernel_size' .position 2. must be tuple of ints, not bool",
             lambda: F.avg_pool2d(PICTURE, True)),
    "str": (TypeError, "'stride' .position 3. must be tuple of ints, not str", lambda: F.max_pool1d(SIGNAL, 2, "2")),
    "in a tuple": (TypeError, "found element of type float at pos 1", lambda: F.max_pool2d(PICTURE, (2, 2.0))),
    "no kernel": (TypeError, "must be tuple of ints, not NoneType", lambda: F.avg_pool2d(PICTURE, None)),
    "one dimension": (ValueError, "Input dimension should be at least 3",
                      lambda: F.adaptive_avg_pool2d(torch.ones(5), (2, 2))),
    "one dimension, one size": (RuntimeError, "Expected 3D or 4D tensor, but got",
                                lambda: F.adaptive_avg_pool2d(torch.ones(5), 2)),
    "too many sizes": (RuntimeError, "output_size must be 2", lambda: F.adaptive_max_pool2d(PICTURE[None], (2, 2, 2))),
    "too few sizes": (RuntimeError, "output_size must be 2", lambda: F.adaptive_avg_pool2d(PICTURE, (2,))),
    "adaptive float": (TypeError, "'output_size' .position 2. must be tuple of ints, not float",
                       lambda: F.adaptive_avg_pool1d(SIGNAL, 2.0)),
    "no channels": (IndexError, "got -3", lambda: F.avg_pool2d(PICTURE[0], 2)),
    "samples' batch": (RuntimeError, r"_random_samples.size\(0\)",
                       lambda: F.fractional_max_pool2d(PICTURE.expand(2, 2, 4, 4), 2, 2,
                                                       _random_samples=torch.zeros(1, 2, 2))),
    "samples' channels": (RuntimeError, r"_random_samples.size\(1\)",
                          lambda: F.fractional_max_pool2d(PICTURE, 2, 2, _random_samples=torch.zeros(1, 3, 2))),
    "samples' dimensions": (RuntimeError, r"size\(2\) equals to 2; got 3",
                            lambda: F.fractional_max_pool2d(PICTURE, 2, 2, _random_samples=torch.zeros(1, 2, 3))),
    "fractional of nothing": (RuntimeError, "dimension 1 being empty",
                              lambda: F.fractional_max_pool2d(torch.ones(2, 0, 4, 4), 2, 2)),
    "fractional sizes": (RuntimeError, "output_size must either be",
                         lambda: F.fractional_max_pool2d(PICTURE, 2, (2,))),
    "unpool whole numbers": (NotImplementedError, "max_unpool1d",
                             lambda: F.max_unpool1d(SIGNAL.long(), torch.zeros(2, 6).long(), 2)),
    "unpool a vector": (RuntimeError, "should be a 2d or 3d Tensor",
                        lambda: F.max_unpool1d(SIGNAL[0], torch.zeros(6).long(), 2)),
    "unpool sizes": (RuntimeError, "one for each dimension",
                     lambda: F.max_unpool3d(PICTURE[None], torch.zeros(1, 2, 4, 4).long(), (1, 2))),
    "unpool strides": (RuntimeError, "strides should be greater than zero",
                       lambda: F.max_unpool3d(PICTURE[None], torch.zeros(1, 2, 4, 4).long(), 2, 0)),
    "convolution's stride": (TypeError, "'stride' .position 4. must be tuple of ints, not float",
                             lambda: F.conv2d(PICTURE, KERNELS, None, 1.5)),
    "convolution's dilation": (TypeError, "'dilation' .position 6.*type bool at pos 1",
                               lambda: F.conv2d(PICTURE, KERNELS, None, 1, 0, (1, True))),
    "convolution's groups": (TypeError, "'groups' must be int, not float",
                             lambda: F.conv2d(PICTURE, KERNELS, groups=1.0)),
    "convolution's bias": (TypeError, "invalid combination of arguments", lambda: F.conv2d(PICTURE, KERNELS, 3)),
    "convolution of bools": (NotImplementedError, "Bool", lambda: F.conv2d(PICTURE.bool(), KERNELS.bool())),
    "convolution without a kernel": (RuntimeError, "kernel must not be empty",
                                     lambda: F.conv2d(PICTURE, KERNELS[..., :0])),
    "transposed padding": (TypeError, "'padding' .position 5. must be tuple of ints, not str",
                           lambda: F.conv_transpose2d(PICTURE, KERNELS[:2], padding="same")),
    "transposed nothing": (RuntimeError, "Only zero batch or zero channel",
                           lambda: F.conv_transpose2d(PICTURE[:, :0], KERNELS[:2])),
    "epsilon 0": (ValueError, "must be positive during training, but got 0",
                  lambda: nn.BatchNorm1d(2, eps=0.0)(SIGNAL.t())),
    "epsilon below 0": (ValueError, "must be non-negative, but got -1",
                        lambda: nn.BatchNorm1d(2, eps=-1.0).eval()(SIGNAL.t())),
    "margins' targets": (RuntimeError, r"Expected target size \[2\], but got \[3\]",
                         lambda: F.multi_margin_loss(SIGNAL, torch.tensor([0, 1, 2]))),
    "margins' weights": (RuntimeError, r"inconsistent weight size, expected 6 but got \[2\]",
                         lambda: F.multi_margin_loss(SIGNAL, torch.tensor([0, 1]), weight=torch.ones(2))),
    "lengths": (RuntimeError, "input_lengths must be integral",
                lambda: F.ctc_loss(torch.zeros(5, 1, 3), torch.tensor([1, 2]), torch.tensor([5.0]), torch.tensor([2]))),
    "bag's weights": (RuntimeError, "same type as tensor for argument",
                      lambda: F.embedding_bag(torch.tensor([[0, 1]]), SIGNAL, mode="sum",
                                              per_sample_weights=torch.ones(1, 2).double())),
    "complex dropout": (NotImplementedError, "not implemented for 'ComplexFloat'",
                        lambda: F.dropout(torch.ones(3, dtype=torch.complex64))),
    "dropout without train": (TypeError, "train", lambda: torch.dropout(SIGNAL, 0.5)),
    "pad": (TypeError, "found element of type float at pos 0", lambda: F.pad(SIGNAL, (1.0, 1))),
    "pad of one number": (TypeError, "must be tuple of ints, not int", lambda: F.pad(SIGNAL, 1)),
    "reflected nothing": (RuntimeError, "other non-zero dimensions", lambda: F.pad(SIGNAL[:0], (1, 1), "reflect")),
    "interpolated to a float": (TypeError, "expected size to be", lambda: F.interpolate(PICTURE, 2.5)),
    "interpolated to floats": (TypeError, "expected size to be", lambda: F.interpolate(PICTURE[None], (2.5, 2))),
    "interpolated by NaN": (RuntimeError, "finite", lambda: F.interpolate(PICTURE, scale_factor=float("nan"))),
    "interpolated nothing": (RuntimeError, "Non-empty 3D data tensor", lambda: F.interpolate(PICTURE[:, :0], 8)),
    "rms of whole numbers": (NotImplementedError, "'rms_norm|\"rms_norm", lambda: F.rms_norm(SIGNAL.long(), (6,))),
    "hardtanh of bytes": (RuntimeError, "unsigned type with negative limits",
                       lambda: F.hardtanh(torch.ones(3, dtype=torch.uint8), -1, 1)),
    "an LSTM's one state": (TypeError, "'hx' .position 2. must be tuple of Tensors",
                            lambda: nn.LSTMCell(6, 2)(SIGNAL, torch.zeros(2, 2))),
    "a batch of states": (RuntimeError, "inconsistent hidden_size: got 1, expected 2",
                          lambda: nn.GRUCell(6, 2)(SIGNAL[0], torch.zeros(1, 2))),
    "constructor": (TypeError, r"^Conv2d.__init__\(\) missing 1 required", lambda: nn.Conv2d(3, 4)),
    "lazy constructor": (TypeError, r"^LazyConv1d.__init__\(\) missing 1 required", lambda: nn.LazyConv1d(3)),
    "unknown argument": (TypeError, r"^AvgPool2d.__init__\(\) got an unexpected keyword argument 'size'",
                         lambda: nn.AvgPool2d(2, size=3)),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_kind_of_error(name: str) -> None:
    kind, said, call = WRONG[name]
    with pytest.raises(kind, match=said):
        call()


def test_a_wrong_size_is_not_found_among_those_that_were_right() -> None:
    """2.0 and True are equal to 2 and 1, so a memory of windows would know them."""
    assert F.max_pool2d(PICTURE, 2).shape == (2, 2, 2)
    assert F.max_pool2d(PICTURE, 1).shape == (2, 4, 4)
    for size in (2.0, True, (2.0, 2.0)):
        with pytest.raises(TypeError):
            F.max_pool2d(PICTURE, size)


@pytest.mark.parametrize("dims", (2, 3))
def test_samples_may_be_for_more_examples(dims: int) -> None:
    pool: Any = {2: F.fractional_max_pool2d, 3: F.fractional_max_pool3d}[dims]
    samples = torch.rand(3, 2, dims)
    x = torch.rand(2, *[7] * dims)
    expected = pool(x, 2, 3, _random_samples=samples[:1])
    assert torch.equal(pool(x, 2, 3, _random_samples=samples), expected)
    both = pool(torch.stack([x, x]), 2, 3, _random_samples=samples)
    assert torch.equal(both[0], expected)


def test_fractional_pooling_to_nothing() -> None:
    assert F.fractional_max_pool2d(PICTURE, 2, 0).shape == (2, 0, 0)


def test_averages_of_volumes_are_row_major() -> None:
    x = torch.rand(1, 3, 4, 4, 4).contiguous(memory_format=torch.channels_last_3d)
    assert F.avg_pool3d(x, 2).is_contiguous()
    assert F.adaptive_avg_pool3d(x, 2).is_contiguous()
    assert F.max_pool3d(x, 2).is_contiguous(memory_format=torch.channels_last_3d)
    assert torch.equal(F.avg_pool3d(x, 2), F.avg_pool3d(x.contiguous(), 2))


def test_sizes_of_numpys_integers() -> None:
    import numpy as np

    assert F.max_pool2d(PICTURE, np.int64(2)).shape == (2, 2, 2)
    assert nn.AdaptiveAvgPool2d([np.int64(2), None])(PICTURE).shape == (2, 2, 4)


def test_margins_of_no_examples() -> None:
    assert F.multi_margin_loss(torch.zeros(0, 3), torch.zeros(0, dtype=torch.long)) == 0


@pytest.mark.parametrize("layer", (nn.PixelShuffle(2), nn.PixelUnshuffle(2), nn.ChannelShuffle(2)))
def test_shuffled_pictures_keep_their_format(layer: nn.Module) -> None:
    x = torch.rand(2, 8, 4, 4)
    found = layer(x.contiguous(memory_format=torch.channels_last))
    assert found.is_contiguous(memory_format=torch.channels_last) and not found.is_contiguous()
    assert torch.equal(found, layer(x)) and layer(x).is_contiguous()


def test_an_inherited_constructor_is_the_layers_own() -> None:
    import inspect

    assert nn.Conv1d.__init__.__qualname__ == "Conv1d.__init__"
    assert inspect.signature(nn.Conv1d) == inspect.signature(nn.Conv3d)

    class Mine(nn.Conv1d):
        pass

    assert Mine(1, 2, 3).weight.shape == (2, 1, 3)


def test_attention_with_a_negative_scale() -> None:
    torch.manual_seed(0)
    q, k, v = torch.randn(3, 2, 5, 4).unbind()
    for shape in ((2, 5, 4), (1, 2, 5, 4)):
        found = F.scaled_dot_product_attention(q.view(shape), k.view(shape), v.view(shape), scale=-1.5)
        expected = (q @ k.transpose(-1, -2) * -1.5).softmax(-1) @ v
        torch.testing.assert_close(found.view(2, 5, 4), expected)


def test_attention_without_features() -> None:
    q = torch.ones(2, 3, 0)
    assert F.scaled_dot_product_attention(q, q, q).shape == (2, 3, 0)
    values = torch.arange(6.0).view(2, 3, 1)
    torch.testing.assert_close(F.scaled_dot_product_attention(q, q, values)[:, 0, 0], torch.tensor([1.0, 4.0]))


def test_the_gradient_of_glu_is_dense() -> None:
    wide = torch.rand(5, 6, 2)
    x = wide[..., 0].requires_grad_()
    F.glu(x).sum().backward()
    assert x.grad is not None and x.grad.stride() == (6, 1)


def test_grids_of_one_place_warn() -> None:
    with pytest.warns(UserWarning, match="unit-size grids"):
        F.affine_grid(torch.ones(1, 2, 3), [1, 1, 1, 3], align_corners=True)


def test_the_gradient_of_a_leaf_with_gaps_is_row_major() -> None:
    x = torch.rand(3, 4, 2)[..., 0].requires_grad_()
    (x * torch.rand(4, 3).t()).sum().backward()
    assert x.grad is not None and x.grad.stride() == (4, 1)
