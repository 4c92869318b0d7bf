"""Recurrent layers, their cells, and packed sequences. Expected numbers and messages are PyTorch's."""

from __future__ import annotations

import pytest
from test_layers import close

import rushlight as torch
from rushlight import nn
from rushlight.nn.utils import rnn


def by_hand(layer, x):
    """One layer, one direction, step by step with its cell."""
    kind = {"RNN": nn.RNNCell, "LSTM": nn.LSTMCell, "GRU": nn.GRUCell}[type(layer).__name__]
    cell = kind(layer.input_size, layer.hidden_size)
    cell.load_state_dict({name.removesuffix("_l0"): value for name, value in layer.state_dict().items()})
    state, outputs = None, []
    for x_t in x:
        state = cell(x_t, state)
        outputs.append(state[0] if isinstance(state, tuple) else state)
    return torch.stack(outputs)


@pytest.mark.parametrize("kind", [nn.RNN, nn.LSTM, nn.GRU])
def test_layer_is_its_cell_repeated(kind):
    m, x = kind(3, 4), torch.randn(5, 2, 3)
    output, state = m(x)
    close(output, by_hand(m, x).flatten().tolist())
    h = state[0] if kind is nn.LSTM else state
    close(h[0], output[-1].flatten().tolist())
    first = kind(3, 4, batch_first=True)
    first.load_state_dict(m.state_dict())
    close(first(x.transpose(0, 1))[0].transpose(0, 1), output.flatten().tolist())
    close(m(x[:, 0])[0], output[:, 0].flatten().tolist())
    a, middle = m(x[:2])
    close(m(x[2:], middle)[0], output[2:].flatten().tolist())


@pytest.mark.parametrize("kind", [nn.RNN, nn.LSTM, nn.GRU])
def test_layers_and_directions(kind):
    m = kind(3, 4, num_layers=2, bidirectional=True)
    assert [n for n, _ in m.named_parameters()][4:6] == ["weight_ih_l0_reverse", "weight_hh_l0_reverse"]
    assert m.weight_ih_l1.shape[1] == 8 and len(m.all_weights) == 4 and len(m._flat_weights) == 16
    x = torch.randn(5, 2, 3, requires_grad=True)
    output, state = m(x)
    h = state[0] if kind is nn.LSTM else state
    assert output.shape == (5, 2, 8) and h.shape == (4, 2, 4)
    close(h[2], output[-1, :, :4].flatten().tolist())
    close(h[3], output[0, :, 4:].flatten().tolist())
    output.sum().backward()
    assert all(p.grad is not None for p in m.parameters()) and x.grad.shape == x.shape


@pytest.mark.parametrize("kind", [nn.RNN, nn.LSTM, nn.GRU])
def test_packed_sequences(kind):
    m = kind(3, 4, num_layers=2, bidirectional=True)
    lengths = [2, 5, 3]
    x = torch.randn(5, 3, 3)
    packed, state = m(rnn.pack_padded_sequence(x, lengths, enforce_sorted=False))
    output, ends = rnn.pad_packed_sequence(packed)
    assert ends.tolist() == lengths
    for i, n in enumerate(lengths):
        alone, alone_state = m(x[:n, i : i + 1])
        close(output[:n, i], alone.flatten().tolist())
        assert output[n:, i].abs().sum().item() == 0.0
        h, alone_h = (state[0], alone_state[0]) if kind is nn.LSTM else (state, alone_state)
        close(h[:, i], alone_h.flatten().tolist())


def test_projection_dropout_and_relu():
    m = nn.LSTM(3, 4, proj_size=2)
    output, (h, c) = m(torch.ones(5, 2, 3))
    assert (
        output.shape == (5, 2, 2) and h.shape == (1, 2, 2) and c.shape == (1, 2, 4) and m.weight_hr_l0.shape == (2, 4)
    )
    assert nn.RNN(3, 4, nonlinearity="relu")(torch.ones(5, 2, 3))[0].min().item() >= 0.0
    m = nn.GRU(3, 4, num_layers=2, dropout=1.0)
    close(m(torch.ones(1, 1, 3))[0], m(torch.zeros(1, 1, 3))[0].flatten().tolist())
    with pytest.warns(UserWarning, match="dropout option adds dropout after all but last recurrent layer"):
        nn.GRU(3, 4, dropout=0.5)


def test_packing():
    packed = rnn.pack_sequence([torch.tensor([1.0, 2.0, 3.0]), torch.tensor([4.0])])
    assert packed.data.tolist() == [1.0, 4.0, 2.0, 3.0] and packed.batch_sizes.tolist() == [2, 1, 1]
    assert packed.sorted_indices is None and packed.unsorted_indices is None
    padded, lengths = rnn.pad_packed_sequence(packed, batch_first=True, padding_value=-1.0, total_length=4)
    assert padded.tolist() == [[1.0, 2.0, 3.0, -1.0], [4.0, -1.0, -1.0, -1.0]] and lengths.tolist() == [3, 1]
    shuffled = rnn.pack_sequence([torch.tensor([4.0]), torch.tensor([1.0, 2.0])], enforce_sorted=False)
    assert shuffled.sorted_indices.tolist() == [1, 0] and [t.tolist() for t in rnn.unpack_sequence(shuffled)] == [
        [4.0],
        [1.0, 2.0],
    ]
    assert packed.double().data.dtype == torch.float64 and packed.to("cpu") is packed
    assert rnn.invert_permutation(torch.tensor([2, 0, 1])).tolist() == [1, 2, 0]


@pytest.mark.parametrize(
    ("lengths", "message"),
    [
        ([1, 2, 3], "`lengths` array must be sorted in decreasing order when `enforce_sorted` is True"),
        ([3, 2, 0], "Length of all samples has to be greater than 0, but found an element in 'lengths' that is <= 0"),
        ([3, 2], "Expected `len\\(lengths\\)` to be equal to batch_size, but got 2 \\(batch_size=3\\)"),
        ([9, 2, 1], "Expected all lengths to be at most 5"),
    ],
)
def test_packing_messages(lengths, message):
    with pytest.raises(RuntimeError, match=message):
        rnn.pack_padded_sequence(torch.ones(5, 3, 2), lengths)


def test_pad_sequence():
    a, b = torch.ones(1, 2), torch.ones(2, 2)
    assert rnn.pad_sequence([a, b]).shape == (2, 2, 2)
    assert rnn.pad_sequence([a, b], True, 5.0, "left")[0].tolist() == [[5.0, 5.0], [1.0, 1.0]]
    assert [t.shape[0] for t in rnn.unpad_sequence(rnn.pad_sequence([a, b]), torch.tensor([1, 2]))] == [1, 2]
    with pytest.raises(RuntimeError, match="pad_sequence: Expected iterable for input sequences, but got arg of type"):
        rnn.pad_sequence(3)


# ---- the functions of torch


@pytest.mark.parametrize(
    ("kind", "projected"), [("rnn_tanh", 0), ("rnn_relu", 0), ("gru", 0), ("lstm", 0), ("lstm", 2)]
)
def test_functions_are_the_modules(kind, projected):
    modules = {"lstm": nn.LSTM, "gru": nn.GRU}
    options = {"nonlinearity": kind[4:]} if kind.startswith("rnn") else {}
    if projected:
        options["proj_size"] = projected
    m = modules.get(kind, nn.RNN)(3, 4, num_layers=2, bidirectional=True, batch_first=True, **options)
    f, x = getattr(torch, kind), torch.randn(2, 5, 3)
    h, c = torch.randn(4, 2, projected or 4), torch.randn(4, 2, 4)
    hx = (h, c) if kind == "lstm" else h
    output, state = m(x, hx)
    found = f(x, hx, m._flat_weights, True, 2, 0.0, False, True, True)
    for a, b in zip(found, (output, *(state if kind == "lstm" else (state,))), strict=True):
        close(a, b.flatten().tolist())
    packed = rnn.pack_padded_sequence(x, [5, 3], batch_first=True)
    expected, state = m(packed, hx)
    found = f(packed.data, packed.batch_sizes, hx, m._flat_weights, True, 2, 0.0, False, True)
    for a, b in zip(found, (expected.data, *(state if kind == "lstm" else (state,))), strict=True):
        close(a, b.flatten().tolist())


def test_functions_drop_out_between_layers_in_training():
    m, x, h = nn.GRU(3, 4, num_layers=2, dropout=0.5), torch.randn(5, 2, 3), torch.zeros(2, 2, 4)
    torch.manual_seed(1)
    expected = m(x, h)[0]
    torch.manual_seed(1)
    close(torch.gru(x, h, m._flat_weights, True, 2, 0.5, True, False, False)[0], expected.flatten().tolist())
    assert not torch.equal(torch.gru(x, h, m._flat_weights, True, 2, 0.5, False, False, False)[0], expected)


def test_functions_refuse_what_does_not_fit():
    m, x, h = nn.GRU(3, 4), torch.randn(5, 2, 3), torch.zeros(1, 2, 4)
    with pytest.raises(RuntimeError, match="expected 8 weights"):
        torch.gru(x, h, m._flat_weights, True, 2, 0.0, False, False, False)
    with pytest.raises(RuntimeError, match="Expected hidden size"):
        torch.gru(x, h[:, :1], m._flat_weights, True, 1, 0.0, False, False, False)
    with pytest.raises(RuntimeError, match="inconsistent input_size: got 2 expected 3"):
        torch.gru_cell(torch.zeros(1, 2), h[0, :1], *m._flat_weights)
    with pytest.raises(RuntimeError, match="hidden0 has inconsistent hidden_size: got 3, expected 4"):
        torch.gru_cell(torch.zeros(1, 3), torch.zeros(1, 3), *m._flat_weights)
    with pytest.raises(RuntimeError, match="expects two hidden states"):
        torch.lstm_cell(torch.zeros(1, 3), (h[0],), *m._flat_weights)
