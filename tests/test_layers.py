"""The layers: errors, starting state and what they compute. Expected messages are PyTorch's."""

from __future__ import annotations

import copy
import math

import pytest

import rushlight as torch
from rushlight import nn
from rushlight.nn import functional as F

WRONG = [
    ("Conv2d(3, 4, 3, groups=2)", ValueError, "in_channels must be divisible by groups"),
    ("Conv2d(4, 3, 3, groups=2)", ValueError, "out_channels must be divisible by groups"),
    ("Conv2d(4, 4, 3, groups=0)", ValueError, "groups must be a positive integer"),
    ("Conv2d(4, 4, 3, stride=2, padding='same')", ValueError,
     "padding='same' is not supported for strided convolutions"),
    ("ConvTranspose1d(2, 2, 2, padding_mode='reflect')", ValueError,
     'Only "zeros" padding mode is supported for ConvTranspose1d'),
    ("ConvTranspose2d(2, 2, 3, 2)(torch.ones(1, 2, 3, 3), output_size=[3])", ValueError,
     "ConvTranspose2D: for 4D input, output_size must have 2 or 4 elements (got 1)"),
    ("ConvTranspose2d(2, 2, 3, 2)(torch.ones(1, 2, 3, 3), output_size=[3, 3])", ValueError,
     "requested an output size of [3, 3], but valid sizes range from [7, 7] to [8, 8] (for an input of "
     "torch.Size([3, 3]))"),
    ("Dropout(2)", ValueError, "dropout probability has to be between 0 and 1, but got 2"),
    ("GroupNorm(3, 4)", ValueError, "num_channels (4) must be divisible by num_groups (3)"),
    ("Hardtanh(2, 1)", AssertionError, "max_val (1) must be greater than min_val (2)"),
    ("Embedding(3, 4, padding_idx=3)", AssertionError, "Padding_idx must be within num_embeddings"),
    ("EmbeddingBag(3, 4, padding_idx=-4)", AssertionError, "padding_idx must be within num_embeddings"),
    ("Embedding(3, 4, _weight=torch.ones(2))", AssertionError,
     "Shape of weight does not match num_embeddings and embedding_dim"),
    ("Embedding.from_pretrained(torch.ones(3))", AssertionError,
     "Embeddings parameter is expected to be 2-dimensional"),
    ("HuberLoss(delta='a')", TypeError, "delta must be a float or int, got: <class 'str'>"),
    ("MultiMarginLoss(3)", ValueError, "only p == 1 and p == 2 supported"),
    ("MultiMarginLoss(1, 1.0, torch.ones(2, 2))", ValueError,
     "MultiMarginLoss: expected weight to be None or 1D tensor, got 2D instead"),
    ("TripletMarginLoss(0)", ValueError, "TripletMarginLoss: expected margin to be greater than 0, got 0 instead"),
    ("Unflatten(1, 3)", TypeError, "unflattened_size must be a tuple of ints, but found type int"),
    ("Unflatten(1, (1, 'a'))", TypeError,
     "unflattened_size must be tuple of ints, but found element of type str at pos 1"),
    ("FractionalMaxPool2d(2)", ValueError,
     "FractionalMaxPool2d requires specifying either an output size, or a pooling ratio"),
    ("FractionalMaxPool2d(2, 2, 0.5)", ValueError, "only one of output_size and output_ratio may be specified"),
    ("FractionalMaxPool3d(2, output_ratio=2.0)", ValueError, "output_ratio must be between 0 and 1 (got 2.0)"),
    ("Bilinear(0, 2, 3)", ValueError, "in1_features must be > 0, but got (in1_features=0)"),
    ("BatchNorm1d(3)(torch.ones(2, 3, 4, 5))", ValueError, "expected 2D or 3D input (got 4D input)"),
    ("BatchNorm2d(3)(torch.ones(2, 3))", ValueError, "expected 4D input (got 2D input)"),
    ("InstanceNorm2d(3, affine=True)(torch.ones(2, 2, 2))", ValueError,
     "expected input's size at dim=0 to match num_features (3), but got: 2."),
    ("SyncBatchNorm(2)(torch.ones(2))", ValueError, "expected at least 2D input (got 1D input)"),
    ("Softmax2d()(torch.ones(2))", ValueError, "Softmax2d: expected input to be 3D or 4D, got 1D instead"),
    ("CircularPad2d(1)(torch.ones(1))", ValueError, "expected 3D or 4D input (got 1D input)"),
    ("LazyConv2d(2, 2)(torch.ones(2))", RuntimeError,
     "Expected 3D (unbatched) or 4D (batched) input to LazyConv2d, but got input of size: torch.Size([2])"),
    ("MultiheadAttention(5, 2)", AssertionError, "embed_dim must be divisible by num_heads"),
    ("MultiheadAttention(0, 1)", ValueError,
     "embed_dim and num_heads must be greater than 0, got embed_dim=0 and num_heads=1 instead"),
    ("TransformerEncoderLayer(8, 2, activation='x')", RuntimeError, "activation should be relu/gelu, not x"),
    ("AdaptiveLogSoftmaxWithLoss(8, 10, [])", ValueError, "cutoffs should be a sequence of length larger than 0"),
    ("AdaptiveLogSoftmaxWithLoss(8, 10, [3, 2])", ValueError,
     "cutoffs should be a sequence of unique, positive integers sorted in an increasing order, where each value is "
     "between 1 and n_classes-1"),
    ("RNN(4, 0)", ValueError, "hidden_size must be greater than zero"),
    ("LSTM(4, 'a')", TypeError, "hidden_size should be of type int, got: str"),
    ("LSTM(4, 3, bias=1)", TypeError, "bias should be of type bool, got: int"),
    ("GRU(4, 3, dropout=2)", ValueError,
     "dropout should be a number in range [0, 1] representing the probability of an element being zeroed"),
    ("RNN(4, 3, 1, 'sigmoid')", ValueError, "Unknown nonlinearity 'sigmoid'. Select from 'tanh' or 'relu'."),
    ("GRU(4, 3, proj_size=2)", ValueError, "proj_size argument is only supported for LSTM, not RNN or GRU"),
    ("LSTM(4, 3, proj_size=3)", ValueError, "proj_size has to be smaller than hidden_size"),
    ("RNN(4, 3)(torch.ones(5))", ValueError, "RNN: Expected input to be 2D or 3D, got 1D tensor instead"),
    ("LSTM(4, 3)(torch.ones(5))", ValueError, "LSTM: Expected input to be 2D or 3D, got 1D instead"),
    ("GRU(4, 3)(torch.ones(5, 3, 3))", RuntimeError,
     "input.size(-1) must be equal to input_size. Expected 4, got 3"),
    ("GRU(4, 3)(torch.ones(5, 3, 4), torch.ones(1, 2, 3))", RuntimeError,
     "Expected hidden size (1, 3, 3), got [1, 2, 3]"),
    ("GRU(4, 3)(torch.ones(5, 3, 4), torch.ones(1, 3))", RuntimeError,
     "For batched 3-D input, hx should also be 3-D but got 2-D tensor"),
    ("LSTM(4, 3)(torch.ones(5, 3, 4), (torch.ones(1, 2, 3), torch.ones(1, 3, 3)))", RuntimeError,
     "Expected hidden[0] size (1, 3, 3), got [1, 2, 3]"),
    ("LSTM(4, 3)(torch.ones(5, 4), (torch.ones(1, 1, 3), torch.ones(1, 3)))", RuntimeError,
     "For unbatched 2-D input, hx and cx should also be 2-D but got (3-D, 2-D) tensors"),
    ("RNN(4, 3)(torch.ones(5, 3, 4, dtype=torch.float64))", ValueError,
     "RNN input dtype (torch.float64) does not match weight dtype (torch.float32). Convert input: "
     "input.to(torch.float32), or convert model: model.to(torch.float64)"),
    ("GRUCell(4, 3)(torch.ones(2, 2, 4))", ValueError, "GRUCell: Expected input to be 1D or 2D, got 3D instead"),
    ("LSTMCell(4, 3)(torch.ones(2, 5))", RuntimeError, "input has inconsistent input_size: got 5 expected 4"),
]  # fmt: skip


@pytest.mark.parametrize(("source", "error", "message"), WRONG)
def test_messages(source, error, message):
    with pytest.raises(error) as raised:
        eval("nn." + source)
    assert str(raised.value) == message


def close(t, expected, tolerance=1e-5):
    assert t.detach().flatten().tolist() == pytest.approx(expected, abs=tolerance)


# -- layers of one operation ----------------------------------------------------------------------------


def test_linear():
    m = nn.Linear(2, 3)
    with torch.no_grad():
        m.weight.copy_(torch.tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]))
        m.bias.copy_(torch.tensor([0.5, 0.0, -0.5]))
    x = torch.tensor([[1.0, 1.0]])
    close(m(x), [3.5, 7.0, 10.5])
    m(x).sum().backward()
    close(m.weight.grad, [1.0] * 6)
    assert nn.Linear(2, 3, bias=False).bias is None
    assert nn.Linear(2, 3, dtype=torch.float64)(x.double()).dtype == torch.float64
    with pytest.warns(UserWarning, match="zero-element tensors"):
        assert nn.Linear(0, 3)(torch.ones(2, 0)).shape == (2, 3)


def test_activations_compute():
    x = torch.tensor([-2.0, -0.5, 0.0, 1.0, 7.0])
    close(nn.ReLU()(x), [0.0, 0.0, 0.0, 1.0, 7.0])
    close(nn.ReLU6()(x), [0.0, 0.0, 0.0, 1.0, 6.0])
    close(nn.LeakyReLU(0.5)(x), [-1.0, -0.25, 0.0, 1.0, 7.0])
    close(nn.Threshold(0.5, 9.0)(x), [9.0, 9.0, 9.0, 1.0, 7.0])
    close(nn.Hardshrink(0.5)(x), [-2.0, 0.0, 0.0, 1.0, 7.0])
    close(nn.Sigmoid()(x), [0.119203, 0.377541, 0.5, 0.731059, 0.999089])
    close(nn.Tanh()(x), [-0.964028, -0.462117, 0.0, 0.761594, 0.999998])
    close(nn.ELU(2.0)(x), [-1.729329, -0.786939, 0.0, 1.0, 7.0])
    close(nn.PReLU(init=0.1)(x), [-0.2, -0.05, 0.0, 1.0, 7.0])
    close(nn.GELU()(x), [-0.0455, -0.154269, 0.0, 0.841345, 7.0])
    close(nn.SiLU()(x), [-0.238406, -0.18877, 0.0, 0.731059, 6.993624])
    close(nn.Softmax(dim=0)(x), [0.000123, 0.000551, 0.000908, 0.002467, 0.995951])
    close(nn.LogSoftmax(dim=0)(torch.zeros(4)), [-math.log(4)] * 4)
    close(nn.Softmin(dim=0)(torch.tensor([0.0, math.log(3)])), [0.75, 0.25])
    close(nn.GLU()(torch.tensor([2.0, 4.0, 0.0, 0.0])), [1.0, 2.0])
    y = x.clone()
    assert nn.ReLU(inplace=True)(y) is y and y[0].item() == 0.0


def test_softmax_without_dim_warns():
    with pytest.warns(UserWarning, match="Implicit dimension choice for softmax has been deprecated"):
        nn.Softmax()(torch.ones(2, 3))


def test_dropout():
    m, x = nn.Dropout(0.5), torch.ones(1000)
    y = m(x)
    assert set(y.tolist()) == {0.0, 2.0} and 400 < (y == 0).sum().item() < 600
    assert m.eval()(x).tolist() == x.tolist()
    assert set(nn.Dropout2d(0.5)(torch.ones(4, 8, 2, 2)).sum((2, 3)).flatten().tolist()) <= {0.0, 8.0}
    assert nn.Dropout(0.0)(x).tolist() == x.tolist() and nn.Dropout(1.0)(x).sum().item() == 0.0


def test_flatten_unflatten():
    x = torch.ones(2, 3, 4)
    assert nn.Flatten()(x).shape == (2, 12) and nn.Flatten(0, 1)(x).shape == (6, 4)
    assert nn.Unflatten(2, (2, 2))(x).shape == (2, 3, 2, 2)


# -- normalization --------------------------------------------------------------------------------------


def test_batch_norm_statistics():
    m = nn.BatchNorm1d(2)
    x = torch.tensor([[1.0, 10.0], [3.0, 30.0]])
    close(m(x), [-1.0, -1.0, 1.0, 1.0], 1e-4)
    close(m.running_mean, [0.2, 2.0])
    close(m.running_var, [1.1, 20.9])
    assert m.num_batches_tracked.item() == 1
    m.eval()
    close(m(x), [0.8 / math.sqrt(1.1), 8 / math.sqrt(20.9), 2.8 / math.sqrt(1.1), 28 / math.sqrt(20.9)], 1e-4)
    assert m.num_batches_tracked.item() == 1
    m.reset_running_stats()
    assert m.num_batches_tracked.item() == 0 and m.running_var.tolist() == [1.0, 1.0]


def test_batch_norm_cumulative_and_without_statistics():
    m = nn.BatchNorm1d(1, momentum=None)
    for value in (1.0, 3.0):
        m(torch.tensor([[value], [value + 1]]))
    close(m.running_mean, [2.5])
    m = nn.BatchNorm1d(1, track_running_stats=False, affine=False)
    assert list(m.state_dict()) == [] and list(m.parameters()) == []
    close(m.eval()(torch.tensor([[1.0], [3.0]])), [-1.0, 1.0], 1e-4)


def test_batch_norm_loads_old_checkpoints():
    m = nn.BatchNorm1d(1)
    state = m.state_dict()
    del state["num_batches_tracked"]
    with pytest.raises(RuntimeError, match="num_batches_tracked"):
        m.load_state_dict(state)
    del state._metadata
    m.load_state_dict(state)
    with pytest.raises(RuntimeError, match='Unexpected running stats buffer\\(s\\) "running_mean" and "running_var"'):
        nn.InstanceNorm1d(1).load_state_dict({"running_mean": torch.ones(1), "running_var": torch.ones(1)})


def test_convert_sync_batchnorm():
    m = nn.Sequential(nn.Linear(2, 2), nn.Sequential(nn.BatchNorm1d(2)))
    weight = m[1][0].weight
    c = nn.SyncBatchNorm.convert_sync_batchnorm(m)
    assert type(c[1][0]) is nn.SyncBatchNorm and c[1][0].weight is weight
    x = torch.randn(4, 2)
    close(c[1](x), copy.deepcopy(nn.BatchNorm1d(2))(x).flatten().tolist())


def test_other_norms():
    x = torch.tensor([[1.0, 3.0, 5.0, 7.0]])
    normal = [-3 / math.sqrt(5), -1 / math.sqrt(5), 1 / math.sqrt(5), 3 / math.sqrt(5)]
    close(nn.LayerNorm(4)(x), normal)
    close(nn.GroupNorm(2, 4)(x), [-1.0, 1.0, -1.0, 1.0], 1e-4)
    close(nn.InstanceNorm1d(1)(x.unsqueeze(0)), normal)
    close(nn.InstanceNorm1d(1)(x), normal)
    close(nn.RMSNorm(4)(x), [v / math.sqrt(21) for v in (1.0, 3.0, 5.0, 7.0)])
    with pytest.warns(UserWarning, match="input's size at dim=1 does not match num_features"):
        nn.InstanceNorm1d(3)(torch.ones(1, 2, 4))


# -- convolution and pooling ----------------------------------------------------------------------------


def test_convolution():
    m = nn.Conv2d(1, 1, 2, bias=False)
    with torch.no_grad():
        m.weight.copy_(torch.tensor([[[[1.0, 2.0], [3.0, 4.0]]]]))
    x = torch.arange(9.0).reshape(1, 1, 3, 3)
    close(m(x), [27.0, 37.0, 57.0, 67.0])
    m.padding_mode, m.padding, m._reversed_padding_repeated_twice = "circular", (1, 1), (1, 1, 1, 1)
    assert m(x).shape == (1, 1, 4, 4)
    assert nn.Conv1d(4, 6, 3, padding="same", dilation=2, padding_mode="reflect")(torch.ones(2, 4, 9)).shape == (
        2,
        6,
        9,
    )
    assert nn.Conv3d(2, 4, (1, 2, 3), groups=2)(torch.ones(2, 4, 4, 4)).shape == (4, 4, 3, 2)


def test_transposed_convolution():
    m = nn.ConvTranspose2d(2, 4, 3, stride=2, groups=2)
    x = torch.ones(1, 2, 3, 3)
    assert m.weight.shape == (2, 2, 3, 3) and m(x).shape == (1, 4, 7, 7)
    assert m(x, output_size=[8, 8]).shape == (1, 4, 8, 8) and m(x, (1, 4, 7, 8)).shape == (1, 4, 7, 8)


def test_pooling():
    x = torch.arange(16.0).reshape(1, 1, 4, 4)
    y, i = nn.MaxPool2d(2, return_indices=True)(x)
    close(y, [5.0, 7.0, 13.0, 15.0])
    assert i.flatten().tolist() == [5, 7, 13, 15]
    assert nn.MaxUnpool2d(2)(y, i).flatten().tolist() == [v if v in (5, 7, 13, 15) else 0.0 for v in range(16)]
    close(nn.AvgPool2d(2)(x), [2.5, 4.5, 10.5, 12.5])
    close(nn.AdaptiveAvgPool2d(1)(x), [7.5])
    close(nn.AdaptiveMaxPool2d((1, 2))(x), [13.0, 15.0])
    close(nn.LPPool1d(2, 2)(torch.tensor([[3.0, 4.0]])), [5.0])


def test_padding():
    x = torch.tensor([[1.0, 2.0, 3.0]])
    close(nn.ConstantPad1d((1, 2), 9.0)(x), [9.0, 1.0, 2.0, 3.0, 9.0, 9.0])
    close(nn.ZeroPad1d(1)(x), [0.0, 1.0, 2.0, 3.0, 0.0])
    close(nn.ReflectionPad1d(1)(x), [2.0, 1.0, 2.0, 3.0, 2.0])
    close(nn.ReplicationPad1d(1)(x), [1.0, 1.0, 2.0, 3.0, 3.0])
    close(nn.CircularPad1d(1)(x), [3.0, 1.0, 2.0, 3.0, 1.0])


def test_upsampling_and_rearranging():
    close(nn.Upsample(scale_factor=2)(torch.tensor([[[1.0, 2.0]]])), [1.0, 1.0, 2.0, 2.0])
    close(nn.UpsamplingBilinear2d(scale_factor=2)(torch.tensor([[[[0.0, 3.0]]]])), [0.0, 1.0, 2.0, 3.0] * 2)
    x = torch.arange(4.0).reshape(1, 4, 1, 1)
    close(nn.PixelShuffle(2)(x), [0.0, 1.0, 2.0, 3.0])
    assert nn.PixelUnshuffle(2)(nn.PixelShuffle(2)(x)).shape == x.shape
    close(nn.ChannelShuffle(2)(x), [0.0, 2.0, 1.0, 3.0])
    image = torch.arange(9.0).reshape(1, 1, 3, 3)
    blocks = nn.Unfold(2)(image)
    assert blocks.shape == (1, 4, 4)
    close(nn.Fold((3, 3), 2)(blocks)[0, 0, 1], [6.0, 16.0, 10.0])


# -- lookups, distances, losses -------------------------------------------------------------------------


def test_embedding():
    m = nn.Embedding(4, 2, padding_idx=-1)
    assert m.padding_idx == 3 and m.weight[3].tolist() == [0.0, 0.0]
    m(torch.tensor([0, 3, 0])).sum().backward()
    close(m.weight.grad, [2.0, 2.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0])
    table = torch.arange(6.0).reshape(3, 2)
    frozen = nn.Embedding.from_pretrained(table)
    assert not frozen.weight.requires_grad and frozen(torch.tensor([2])).tolist() == [[4.0, 5.0]]
    assert nn.Embedding.from_pretrained(table, freeze=False).weight.requires_grad


def test_embedding_bag():
    table = torch.arange(6.0).reshape(3, 2)
    for mode, expected in (
        ("sum", [2.0, 4.0, 4.0, 5.0]),
        ("mean", [1.0, 2.0, 4.0, 5.0]),
        ("max", [2.0, 3.0, 4.0, 5.0]),
    ):
        m = nn.EmbeddingBag.from_pretrained(table, mode=mode)
        close(m(torch.tensor([0, 1, 2]), torch.tensor([0, 2])), expected)


def test_distances():
    a, b = torch.tensor([[3.0, 4.0]]), torch.tensor([[0.0, 0.0]])
    close(nn.PairwiseDistance(eps=0.0, keepdim=True)(a, b), [5.0])
    close(nn.CosineSimilarity()(a, torch.tensor([[3.0, 0.0]])), [0.6])


def test_losses():
    x, y = torch.tensor([1.0, 2.0, 5.0]), torch.tensor([1.0, 0.0, 1.0])
    close(nn.L1Loss()(x, y), [2.0])
    close(nn.MSELoss(reduction="sum")(x, y), [20.0])
    close(nn.MSELoss(reduction="none")(x, y), [0.0, 4.0, 16.0])
    close(nn.SmoothL1Loss()(x, y), [5 / 3])
    close(nn.HuberLoss(delta=2.0)(x, y), [8 / 3])
    p = torch.tensor([0.5, 0.25, 0.25])
    close(nn.BCELoss()(p, y), [(math.log(2) - math.log(0.75) - math.log(0.25)) / 3])
    close(nn.BCEWithLogitsLoss(pos_weight=torch.tensor(2.0))(torch.zeros(3), y), [5 * math.log(2) / 3])
    scores = torch.log(torch.tensor([[0.5, 0.25, 0.25], [0.25, 0.25, 0.5]]))
    target = torch.tensor([0, 2])
    close(nn.CrossEntropyLoss()(scores, target), [math.log(2)])
    close(nn.CrossEntropyLoss(ignore_index=2, weight=torch.tensor([3.0, 1.0, 1.0]))(scores, target), [math.log(2)])
    close(nn.NLLLoss(reduction="none")(scores, torch.tensor([1, 2])), [math.log(4), math.log(2)])
    close(
        nn.KLDivLoss(reduction="batchmean")(scores, torch.full((2, 3), 1 / 3)),
        [math.log(4 / 3) / 3 * 2 + math.log(2 / 3) / 3],
    )
    close(nn.HingeEmbeddingLoss()(torch.tensor([0.5, 0.5]), torch.tensor([1.0, -1.0])), [0.5])
    close(nn.MarginRankingLoss(1.0)(torch.zeros(1), torch.zeros(1), torch.ones(1)), [1.0])
    close(nn.SoftMarginLoss()(torch.zeros(2), torch.ones(2)), [math.log(2)])
    close(nn.PoissonNLLLoss()(torch.zeros(2), torch.ones(2)), [1.0])
    close(nn.GaussianNLLLoss()(torch.zeros(1), torch.ones(1), torch.ones(1)), [0.5])
    triplet = (torch.zeros(1, 2), torch.zeros(1, 2), torch.ones(1, 2))
    close(nn.TripletMarginLoss(2.0)(*triplet), [2.0 - math.sqrt(2)], 1e-4)
    close(
        nn.TripletMarginWithDistanceLoss(distance_function=lambda a, b: (a - b).abs().sum(-1), margin=3.0)(*triplet),
        [1.0],
    )


def test_old_reduction_arguments():
    for size_average, reduce, reduction in ((False, None, "sum"), (None, False, "none"), (True, True, "mean")):
        message = f"size_average and reduce args will be deprecated, please use reduction='{reduction}' instead."
        with pytest.warns(UserWarning, match=message):
            assert nn.MSELoss(size_average, reduce).reduction == reduction
    with pytest.warns(FutureWarning, match="`NLLLoss2d` has been deprecated"):
        nn.NLLLoss2d()


def test_a_loss_class_called_with_tensors_says_so():
    scores, classes = torch.rand(4, 3), torch.zeros(4, dtype=torch.long)
    with pytest.raises(RuntimeError, match=r"is ambiguous.*Try CrossEntropyLoss\(\)\(input, target\)"):
        nn.CrossEntropyLoss(scores, classes)
    with pytest.raises(RuntimeError, match=r"Try MSELoss\(\)\(input, target\)"):
        nn.MSELoss(scores, scores)
    with pytest.warns(UserWarning, match="reduction='sum'"):
        assert nn.MSELoss(torch.tensor(0)).reduction == "sum"



def test_loss_weights_are_buffers():
    m = nn.CrossEntropyLoss(weight=torch.ones(3))
    assert list(m.state_dict()) == ["weight"] and m.double().weight.dtype == torch.float64


def test_adaptive_log_softmax():
    m = nn.AdaptiveLogSoftmaxWithLoss(16, 10, [3, 6])
    assert [n for n, _ in m.named_parameters()] == ["head.weight"] + [
        f"tail.{i}.{j}.weight" for i in (0, 1) for j in (0, 1)
    ]
    x, target = torch.randn(5, 16), torch.tensor([0, 4, 9, 6, 2])
    output, loss = m(x, target)
    full = m.log_prob(x)
    close(full.exp().sum(1), [1.0] * 5)
    close(output, full.gather(1, target.unsqueeze(1)).flatten().tolist())
    close(loss, [-output.mean().item()])
    assert m.predict(x).tolist() == full.argmax(1).tolist()
    close(m(x[1], target[1]).output, [output[1].item()])
    with pytest.raises(
        RuntimeError, match="Target values should be in \\[0, 9\\], but values in range \\[0, 11\\] were found"
    ):
        m(x[:2], torch.tensor([0, 11]))


# -- attention and transformers -------------------------------------------------------------------------


def test_attention_shapes_and_masks():
    m = nn.MultiheadAttention(4, 2, batch_first=True).eval()
    x = torch.randn(2, 3, 4)
    output, weights = m(x, x, x)
    assert output.shape == (2, 3, 4) and weights.shape == (2, 3, 3)
    close(weights.sum(-1), [1.0] * 6)
    assert m(x, x, x, need_weights=False)[1] is None
    assert m(x, x, x, average_attn_weights=False)[1].shape == (2, 2, 3, 3)
    padding = torch.tensor([[False, False, True], [False, False, False]])
    assert m(x, x, x, key_padding_mask=padding)[1][0, :, 2].tolist() == [0.0, 0.0, 0.0]
    causal = nn.Transformer.generate_square_subsequent_mask(3)
    weights = m(x, x, x, attn_mask=causal)[1]
    assert weights[0].triu(1).sum().item() == 0.0
    unbatched = m(x[0], x[0], x[0])[0]
    close(unbatched, output[0].flatten().tolist())
    other = nn.MultiheadAttention(4, 2, kdim=3, vdim=5, add_bias_kv=True, add_zero_attn=True)
    assert [n for n, _ in other.named_parameters()][:3] == [
        "bias_k",
        "bias_v",
        "q_proj_weight",
    ] or other.bias_k.shape == (1, 1, 4)
    assert other(torch.ones(2, 1, 4), torch.ones(3, 1, 3), torch.ones(3, 1, 5))[1].shape == (1, 2, 5)


def test_attention_mask_dtypes():
    m, x = nn.MultiheadAttention(4, 2), torch.ones(3, 4)
    with pytest.raises(AssertionError, match="only bool and floating types of attn_mask are supported"):
        m(x, x, x, attn_mask=torch.ones(3, 3, dtype=torch.int32))
    with pytest.warns(UserWarning, match="Support for mismatched key_padding_mask and attn_mask is deprecated"):
        m(x, x, x, attn_mask=torch.zeros(3, 3), key_padding_mask=torch.zeros(3, dtype=torch.bool))


def test_encoder_is_causal_with_a_causal_mask():
    layer = nn.TransformerEncoderLayer(4, 2, 8, batch_first=True)
    m = nn.TransformerEncoder(layer, 2).eval()
    assert m.layers[0] is not layer and m.layers[0].linear1.weight.tolist() == layer.linear1.weight.tolist()
    x = torch.randn(1, 3, 4)
    y = x.clone()
    y[0, 2] = 9.0
    mask = nn.Transformer.generate_square_subsequent_mask(3)
    close(m(x, mask)[0, :2], m(y, mask)[0, :2].flatten().tolist())
    assert m(x)[0, 0].tolist() != m(y)[0, 0].tolist()


def test_encoder_padding_comes_out_as_zeros_in_evaluation():
    m = nn.TransformerEncoder(nn.TransformerEncoderLayer(4, 2, 8, batch_first=True), 1).eval()
    x, padding = torch.randn(1, 3, 4), torch.tensor([[False, False, True]])
    with torch.no_grad():
        output = m(x, src_key_padding_mask=padding)
    assert output[0, 2].tolist() == [0.0] * 4 and output[0, 1].tolist() != [0.0] * 4
    assert m(x, src_key_padding_mask=padding)[0, 2].tolist() != [0.0] * 4
    message = (
        "enable_nested_tensor is True, but self.use_nested_tensor is False because encoder_layer.norm_first was True"
    )
    with pytest.warns(UserWarning, match=message):
        nn.TransformerEncoder(nn.TransformerEncoderLayer(4, 2, norm_first=True), 1)


@pytest.mark.filterwarnings("ignore:enable_nested_tensor")
def test_transformer():
    m = nn.Transformer(4, 2, 1, 2, 8, norm_first=True)
    source, target = torch.randn(3, 2, 4), torch.randn(5, 2, 4)
    output = m(source, target, tgt_mask=m.generate_square_subsequent_mask(5))
    assert output.shape == (5, 2, 4) and len(m.decoder.layers) == 2
    output.sum().backward()
    assert all(p.grad is not None for p in m.parameters())
    with pytest.raises(RuntimeError, match="the batch number of src and tgt must be equal"):
        m(source, target[:, :1])
    with pytest.raises(RuntimeError, match="the feature number of src and tgt must be equal to d_model"):
        m(source[..., :3], target)


# -- lazy layers ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "shape", "becomes"),
    [
        ("LazyLinear(3)", (2, 4), "Linear(in_features=4, out_features=3, bias=True)"),
        ("LazyConv1d(6, 2, groups=2)", (2, 4, 5), "Conv1d(4, 6, kernel_size=(2,), stride=(1,), groups=2)"),
        ("LazyConv2d(3, 2, bias=False)", (2, 4, 5, 5), "Conv2d(4, 3, kernel_size=(2, 2), stride=(1, 1), bias=False)"),
        ("LazyConvTranspose2d(3, 2)", (2, 4, 5, 5), "ConvTranspose2d(4, 3, kernel_size=(2, 2), stride=(1, 1))"),
        ("LazyBatchNorm1d()", (2, 4),
         "BatchNorm1d(4, eps=1e-05, momentum=0.1, affine=True, bias=True, track_running_stats=True)"),
        ("LazyInstanceNorm2d(affine=True)", (2, 4, 5, 5),
         "InstanceNorm2d(4, eps=1e-05, momentum=0.1, affine=True, bias=True, track_running_stats=True)"),
    ],
)  # fmt: skip
def test_lazy_layers(source, shape, becomes):
    m = eval("nn." + source)
    other = copy.deepcopy(m)
    assert m.has_uninitialized_params() and type(m).__name__.startswith("Lazy")
    x = torch.randn(*shape)
    y = m(x)
    assert repr(m) == becomes and not m._forward_pre_hooks and all(type(p) is nn.Parameter for p in m.parameters())
    other.load_state_dict(m.state_dict())
    assert [v.shape for v in other.state_dict().values()] == [v.shape for v in m.state_dict().values()]
    assert other(x).shape == y.shape


# -- constraints on weights -----------------------------------------------------------------------------


def test_weight_norm():
    m, x = nn.Linear(3, 2), torch.randn(4, 3)
    before = m(x).flatten().tolist()
    with pytest.warns(FutureWarning, match="is deprecated in favor of `torch.nn.utils.parametrizations.weight_norm`"):
        assert nn.utils.weight_norm(m) is m
    assert [n for n, _ in m.named_parameters()] == ["bias", "weight_g", "weight_v"] and m.weight_g.shape == (2, 1)
    close(m(x), before)
    with torch.no_grad():
        m.weight_g.mul_(2)
    m.bias.data.zero_()
    m(x).sum().backward()
    assert m.weight_v.grad is not None
    nn.utils.remove_weight_norm(m)
    assert [n for n, _ in m.named_parameters()] == ["bias", "weight"] and not m._forward_pre_hooks
    with pytest.raises(ValueError, match="weight_norm of 'weight' not found in Linear"):
        nn.utils.remove_weight_norm(m)


def test_spectral_norm():
    m = nn.utils.spectral_norm(nn.Linear(3, 2), n_power_iterations=20)
    m(torch.ones(1, 3))
    assert torch.linalg.svdvals(m.weight.detach()).max().item() == pytest.approx(1.0, abs=1e-3)
    assert list(m.state_dict()) == ["bias", "weight_orig", "weight_u", "weight_v"]
    m.load_state_dict(m.state_dict())
    nn.utils.remove_spectral_norm(m)
    assert [n for n, _ in m.named_parameters()] == ["bias", "weight"] and not m._state_dict_hooks


def test_parametrize():
    from rushlight.nn.utils import parametrize

    class Doubled(nn.Module):
        def forward(self, x):
            return 2 * x

        def right_inverse(self, y):
            return y / 2

    m = nn.Linear(2, 2)
    before = m.weight.detach().clone()
    parametrize.register_parametrization(m, "weight", Doubled())
    assert parametrize.is_parametrized(m, "weight") and type(m).__name__ == "ParametrizedLinear"
    assert parametrize.type_before_parametrizations(m) is nn.Linear
    close(m.weight, before.flatten().tolist())
    close(m.parametrizations.weight.original, (before / 2).flatten().tolist())
    m.weight = torch.ones(2, 2)
    close(m.parametrizations.weight.original, [0.5] * 4)
    close(copy.deepcopy(m)(torch.ones(1, 2)) - m.bias, [2.0, 2.0])
    with parametrize.cached():
        assert m.weight is m.weight
    assert m.weight is not m.weight
    parametrize.remove_parametrizations(m, "weight")
    assert type(m) is nn.Linear and isinstance(m.weight, nn.Parameter)
    close(m.weight, [1.0] * 4)
    with pytest.raises(ValueError, match="does not have a parametrization on weight"):
        parametrize.remove_parametrizations(m, "weight")
    with pytest.raises(ValueError, match="with name 'nothing'"):
        parametrize.register_parametrization(m, "nothing", Doubled())


def test_orthogonal():
    for shape, way in (((3, 3), None), ((4, 3), None), ((3, 4), "cayley")):
        m = nn.utils.parametrizations.orthogonal(nn.Linear(*shape), orthogonal_map=way)
        w = m.weight if shape[1] <= shape[0] else m.weight.T
        close(w @ w.T, torch.eye(w.shape[0]).flatten().tolist())


# -- all parameters together ----------------------------------------------------------------------------


def test_clipping():
    p, q = nn.Parameter(torch.zeros(2)), nn.Parameter(torch.zeros(1))
    p.grad = torch.tensor([3.0, 4.0])
    assert nn.utils.clip_grad_norm_([p, q], 1.0).item() == 5.0
    close(p.grad, [0.6, 0.8])
    assert nn.utils.clip_grad_norm_(iter([p]), 10.0, norm_type=math.inf).item() == pytest.approx(0.8)
    close(p.grad, [0.6, 0.8])
    nn.utils.clip_grad_value_(p, 0.7)
    close(p.grad, [0.6, 0.7])
    p.grad = torch.tensor([math.inf, 1.0])
    with pytest.raises(RuntimeError, match="The total norm of order 2.0 for gradients from `parameters` is non-finite"):
        nn.utils.clip_grad_norm_(p, 1.0, error_if_nonfinite=True)
    assert nn.utils.clip_grad_norm_([q], 1.0).item() == 0.0
    with pytest.warns(UserWarning, match="`parameters` is an empty generator"):
        nn.utils.clip_grad_norm_((x for x in ()), 1.0)


def test_vectors():
    m = nn.Linear(2, 1)
    vector = nn.utils.parameters_to_vector(m.parameters())
    assert vector.shape == (3,) and vector.requires_grad
    nn.utils.vector_to_parameters(torch.tensor([1.0, 2.0, 3.0]), m.parameters())
    assert m.weight.tolist() == [[1.0, 2.0]] and m.bias.tolist() == [3.0]


def test_fusion():
    conv, norm, x = nn.Conv1d(2, 3, 2).eval(), nn.BatchNorm1d(3).eval(), torch.randn(1, 2, 5)
    norm.running_mean.copy_(torch.tensor([1.0, 2.0, 3.0]))
    close(nn.utils.fuse_conv_bn_eval(conv, norm)(x), norm(conv(x)).flatten().tolist())
    linear = nn.Linear(2, 3).eval()
    close(nn.utils.fuse_linear_bn_eval(linear, norm)(x[:, :, 0]), norm(linear(x[:, :, 0])).flatten().tolist())
    with pytest.raises(AssertionError, match="Fusion only for eval!"):
        nn.utils.fuse_conv_bn_eval(nn.Conv1d(1, 1, 1), norm)


def test_functional_call():
    from rushlight.nn.utils.stateless import _functional_call

    m, x = nn.Linear(2, 1), torch.ones(1, 2)
    weight = m.weight
    close(_functional_call(m, {"weight": torch.ones(1, 2), "bias": torch.ones(1)}, x), [3.0])
    assert m.weight is weight
    with pytest.raises(
        RuntimeError, match="Error\\(s\\) in reparametrizing for Linear:\n\tUnexpected key\\(s\\): 'x'."
    ):
        _functional_call(m, {"x": weight}, x, strict=True)


def test_functional_matches_layers():
    x = torch.randn(2, 3)
    m = nn.Linear(3, 2)
    close(F.linear(x, m.weight, m.bias), m(x).flatten().tolist())
    assert nn.factory_kwargs({"dtype": torch.float32, "factory_kwargs": {"device": "cpu"}}) == {
        "dtype": torch.float32, "device": "cpu",
    }  # fmt: skip
    with pytest.raises(TypeError, match="unexpected kwargs"):
        nn.factory_kwargs({"x": 1})


@pytest.mark.parametrize("name", ["LazyBatchNorm1d", "LazyInstanceNorm1d"])
def test_a_lazy_norm_converted_before_its_first_input(name):
    options = {"affine": True, "track_running_stats": True}
    layer = getattr(nn, name)(**options).double()
    assert isinstance(layer.running_mean, nn.parameter.UninitializedBuffer)
    x = torch.arange(24.0, dtype=torch.float64).reshape(2, 3, 4).sin()
    plain = getattr(nn, name.removeprefix("Lazy"))(3, **options).double()
    assert torch.equal(layer(x), plain(x))
    assert layer.running_var.dtype is torch.float64
    assert torch.equal(layer.running_var, plain.running_var)


def test_rows_are_whole_bags_also_with_a_last_offset():
    table, rows = torch.arange(8.0).reshape(4, 2), torch.tensor([[0, 1], [2, 3]])
    bag = nn.EmbeddingBag.from_pretrained(table, mode="sum", include_last_offset=True)
    assert bag(rows).tolist() == [[2.0, 4.0], [10.0, 12.0]]


def test_weighted_huber_loss_is_a_mean_over_elements():
    x, weight = torch.tensor([0.5, 3.0]), torch.tensor([2.0, 4.0])
    assert F.huber_loss(x, torch.zeros(2), weight=weight).item() == (2 * 0.125 + 4 * 2.5) / 2
    assert F.huber_loss(x, torch.zeros(2), reduction="sum", weight=weight).item() == 2 * 0.125 + 4 * 2.5
    with pytest.raises(ValueError, match="Weights and input must have the same size"):
        F.huber_loss(x, torch.zeros(2), weight=weight[:1])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: nn.PReLU()(torch.arange(3)), "prelu: Type promoting not supported. Got Long and Float"),
        (lambda: F.multi_margin_loss(torch.ones(2, 3), torch.tensor([0, 3])).item(), "target out of range"),
        (lambda: F.scaled_dot_product_attention(*[torch.ones(1, 2, 2)] * 3, dropout_p=1.5), "dropout probability has"),
    ],
)
def test_what_the_kernels_refuse(call, message):
    with pytest.raises(RuntimeError, match=message):
        call()


def test_skip_init_leaves_the_random_numbers_alone():
    torch.manual_seed(3)
    wanted = torch.rand(2)
    torch.manual_seed(3)
    nn.utils.skip_init(nn.Linear, 3, 4)
    assert torch.equal(torch.rand(2), wanted)


def test_padding_inside_autocast_has_the_dtypes_of_its_kernels():
    x = torch.arange(12.0).reshape(3, 4)
    with torch.autocast("cpu"):
        y = x @ x.T
        assert F.pad(y, (1, 1), "reflect").dtype is F.pad(y, (1, 1), "replicate").dtype is torch.float32
        assert F.pad(y[None], (1, 1, 1, 1), "reflect").dtype is torch.bfloat16
        assert F.pad(y, (1, 1)).dtype is torch.bfloat16


@pytest.mark.parametrize(
    ("name", "kind"), [("LSTM", torch.bfloat16), ("RNN", torch.bfloat16), ("GRU", torch.float32)]
)
def test_recurrent_layers_inside_autocast(name, kind):
    """PyTorch has LSTM and RNN in the shorter dtype; GRU and packed LSTM come out in float32."""
    torch.manual_seed(0)
    layer, x = getattr(nn, name)(3, 4), torch.linspace(-1, 1, 30).reshape(5, 2, 3)
    wanted = layer(x)[0]
    with torch.autocast("cpu"):
        found, states = layer(x)
        packed = layer(nn.utils.rnn.pack_padded_sequence(x, [5, 3]))[0]
    assert found.dtype is (states[0] if name == "LSTM" else states).dtype is kind
    assert packed.data.dtype is (torch.bfloat16 if name == "RNN" else torch.float32)
    torch.testing.assert_close(found.float(), wanted, rtol=0.02, atol=0.02)
    found.float().sum().backward()
    assert layer.weight_ih_l0.grad.dtype is torch.float32
