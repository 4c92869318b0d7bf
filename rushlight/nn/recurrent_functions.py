"""The recurrent layers and cells as functions of their weights: `torch.lstm`, `torch.gru_cell` and their like.

They are what the modules of `nn/recurrent.py` compute, for programs that keep the weights elsewhere. A layer function
has two forms, the first for padded, the second for packed input:

    lstm(input, hx, params, has_biases, num_layers, dropout, train, bidirectional, batch_first)
    lstm(data, batch_sizes, hx, params, has_biases, num_layers, dropout, train, bidirectional)

`params` are the weights in the order of `nn.LSTM`'s `_flat_weights`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from rushlight.nn import functional as F
from rushlight.nn.recurrent import States, _Weights, run_layers
from rushlight.ops.recurrent import STEPS, Packing
from rushlight.tensor import Tensor

__all__ = ["gru", "gru_cell", "lstm", "lstm_cell", "rnn_relu", "rnn_relu_cell", "rnn_tanh", "rnn_tanh_cell"]


def _of_layers(mode: str, params: Sequence[Tensor], has_biases: bool, count: int) -> list[_Weights]:
    """The weights of each layer and direction: two matrices, two biases if any, and a projection if one is over."""
    each, rest = divmod(len(params), max(count, 1))
    plain = 4 if has_biases else 2
    if rest or each not in (plain, plain + 1):
        raise RuntimeError(f"expected {plain * count} weights for {count} layers and directions, got {len(params)}")
    groups = [params[i : i + each] for i in range(0, len(params), each)]
    return [_Weights(mode, group, has_biases, each > plain) for group in groups]


def _check_states(hx: Sequence[Tensor], count: int, batch: int) -> None:
    for state in hx:
        if state.dim() != 3 or state.shape[0] != count or state.shape[1] != batch:
            raise RuntimeError(
                f"Expected hidden size ({count}, {batch}, hidden_size), got {list(state.shape)}: a row for each layer "
                "and direction, of the input's batch"
            )


def _padded(mode: str, input: Tensor, hx: States, params: Sequence[Tensor], has_biases: bool, num_layers: int,
            dropout: float, train: bool, bidirectional: bool, batch_first: bool) -> tuple[Tensor, States]:  # fmt: skip
    directions = 2 if bidirectional else 1
    weights = _of_layers(mode, params, has_biases, num_layers * directions)
    x = input.transpose(0, 1) if batch_first else input
    _check_states(hx, len(weights), x.shape[1])
    output, states = run_layers(mode, x, hx, weights, None, directions, dropout if train else 0)
    return output.transpose(0, 1) if batch_first else output, states


def _packed(mode: str, data: Tensor, batch_sizes: Tensor, hx: States, params: Sequence[Tensor], has_biases: bool,
            num_layers: int, dropout: float, train: bool, bidirectional: bool) -> tuple[Tensor, States]:  # fmt: skip
    directions, sizes = 2 if bidirectional else 1, batch_sizes.tolist()
    weights = _of_layers(mode, params, has_biases, num_layers * directions)
    _check_states(hx, len(weights), sizes[0])
    return run_layers(mode, data, hx, weights, Packing.of(sizes), directions, dropout if train else 0)


def _states(hx: Any) -> States:
    return (hx,) if isinstance(hx, Tensor) else tuple(hx)


def _layer(mode: str, name: str, doc: str) -> Callable[..., Any]:
    """The function of one mode, in its two forms, told apart by what the third argument is."""

    def function(input: Tensor, *args: Any, **kwargs: Any) -> Any:
        packed = "batch_sizes" in kwargs or (len(args) > 2 and not isinstance(args[2], bool))
        if packed:
            batch_sizes = kwargs.pop("batch_sizes", None)
            if batch_sizes is None:
                batch_sizes, *args = args  # type: ignore[assignment]
            given = {"data": input, "batch_sizes": batch_sizes}
        else:
            given = {"input": input}
        given |= _named(args, kwargs, name)
        given["hx"] = _states(given["hx"])
        output, states = (_packed if packed else _padded)(mode, **given)  # type: ignore[operator]
        return output, *states

    function.__name__ = function.__qualname__ = name
    function.__doc__ = doc
    return function


_REST = ("hx", "params", "has_biases", "num_layers", "dropout", "train", "bidirectional", "batch_first")


def _named(args: Sequence[Any], kwargs: dict[str, Any], name: str) -> dict[str, Any]:
    if len(args) > len(_REST):
        raise TypeError(f"{name}() takes {len(_REST) + 1} arguments, but {len(args) + 1} were given")
    return dict(zip(_REST, args)) | kwargs


lstm = _layer("LSTM", "lstm", "`nn.LSTM` over a sequence, hx = (h, c): the outputs, and h and c of all layers.")
gru = _layer("GRU", "gru", "`nn.GRU` over a sequence: the outputs, and h of all layers.")
rnn_tanh = _layer("RNN_TANH", "rnn_tanh", "`nn.RNN` over a sequence: the outputs, and h of all layers.")
rnn_relu = _layer("RNN_RELU", "rnn_relu", "`nn.RNN(nonlinearity='relu')` over a sequence: outputs, h of all layers.")


# ---------------------------------------------------------------------------------------------------------------------
# Cells


def _cell(mode: str, input: Tensor, states: States, w_ih: Tensor, w_hh: Tensor,
          b_ih: Tensor | None, b_hh: Tensor | None) -> States:  # fmt: skip
    if input.shape[-1] != w_ih.shape[1]:
        raise RuntimeError(f"input has inconsistent input_size: got {input.shape[-1]} expected {w_ih.shape[1]}")
    for i, state in enumerate(states):
        if state.shape[-1] != w_hh.shape[1]:
            raise RuntimeError(
                f"hidden{i} has inconsistent hidden_size: got {state.shape[-1]}, expected {w_hh.shape[1]}"
            )
    batched = input.dim() > 1
    full = states if batched else tuple(s.unsqueeze(0) for s in states)
    sums = F.linear(input if batched else input.unsqueeze(0), w_ih, b_ih)
    projection = (None,) if mode == "LSTM" else ()
    new: States = STEPS[mode](sums, full, w_hh, b_hh, *projection)  # type: ignore[operator]
    return new if batched else tuple(s.squeeze(0) for s in new)


def lstm_cell(input: Tensor, hx: Sequence[Tensor], w_ih: Tensor, w_hh: Tensor, b_ih: Tensor | None = None,
              b_hh: Tensor | None = None) -> States:  # fmt: skip
    """One step of an LSTM. Shapes: input (N, I), hx two of (N, H), weights (4 H, I) and (4 H, H), biases (4 H).

    >>> states = torch.zeros(1, 1), torch.ones(1, 1)
    >>> torch.lstm_cell(torch.zeros(1, 2), states, torch.ones(4, 2), torch.ones(4, 1))[1]
    tensor([[0.5000]])
    """
    if len(hx) != 2:
        raise RuntimeError("lstm_cell expects two hidden states")
    return _cell("LSTM", input, tuple(hx), w_ih, w_hh, b_ih, b_hh)


def gru_cell(input: Tensor, hx: Tensor, w_ih: Tensor, w_hh: Tensor, b_ih: Tensor | None = None,
             b_hh: Tensor | None = None) -> Tensor:  # fmt: skip
    """One step of gated recurrent units. Shapes: input (N, I), hx (N, H), weights (3 H, I) and (3 H, H), biases (3 H).

    >>> torch.gru_cell(torch.zeros(1, 2), torch.ones(1, 1), torch.zeros(3, 2), torch.zeros(3, 1))
    tensor([[0.5000]])
    """
    return _cell("GRU", input, (hx,), w_ih, w_hh, b_ih, b_hh)[0]


def rnn_tanh_cell(input: Tensor, hx: Tensor, w_ih: Tensor, w_hh: Tensor, b_ih: Tensor | None = None,
                  b_hh: Tensor | None = None) -> Tensor:  # fmt: skip
    """tanh(W_ih x + b_ih + W_hh h + b_hh). Shapes: input (N, I), hx (N, H), weights (H, I) and (H, H), biases (H).

    >>> torch.rnn_tanh_cell(torch.ones(1, 1), torch.zeros(1, 1), torch.zeros(1, 1), torch.zeros(1, 1))
    tensor([[0.]])
    """
    return _cell("RNN_TANH", input, (hx,), w_ih, w_hh, b_ih, b_hh)[0]


def rnn_relu_cell(input: Tensor, hx: Tensor, w_ih: Tensor, w_hh: Tensor, b_ih: Tensor | None = None,
                  b_hh: Tensor | None = None) -> Tensor:  # fmt: skip
    """max(0, W_ih x + b_ih + W_hh h + b_hh). Shapes: as `rnn_tanh_cell`.

    >>> torch.rnn_relu_cell(torch.ones(1, 1), torch.ones(1, 1), torch.ones(1, 1), torch.ones(1, 1))
    tensor([[2.]])
    """
    return _cell("RNN_RELU", input, (hx,), w_ih, w_hh, b_ih, b_hh)[0]
