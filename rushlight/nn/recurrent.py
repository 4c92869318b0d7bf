"""Recurrent layers: RNN, LSTM and GRU over sequences, and their cells for single steps.

A layer checks its input, brings it to time-major form, and goes through its layers and directions; the loop over time
is `recurrence` of `ops/recurrent.py`, for padded and packed sequences.  A cell is one step of it.  All states travel in
a tuple: (h,) or (h, c).
"""

from __future__ import annotations

import math
import numbers
import warnings
from collections.abc import Callable, Sequence
from typing import Any

from rushlight.nn import functional as F
from rushlight.nn import init
from rushlight.nn.module import Module
from rushlight.nn.parameter import new_parameter
from rushlight.nn.utils.rnn import PackedSequence
from rushlight.ops.recurrent import STEPS, Packing, recurrence
from rushlight.tensor import Tensor

States = tuple[Tensor, ...]
_GATES = {"LSTM": 4, "GRU": 3, "RNN_TANH": 1, "RNN_RELU": 1}
_NO_PROJECTION = "proj_size argument is only supported for LSTM, not RNN or GRU"


class _Weights:
    """The weights of one direction of one layer: of its input, and of its old state."""

    __slots__ = ("ih", "b_ih", "rest")

    def __init__(self, mode: str, tensors: Sequence[Tensor], bias: bool, projected: bool = False) -> None:
        self.ih = tensors[0]
        self.b_ih = tensors[2] if bias else None
        projection = (tensors[-1] if projected else None,) if mode == "LSTM" else ()
        self.rest = (tensors[1], tensors[3] if bias else None, *projection)

    def sums(self, x: Tensor) -> Tensor:
        """The input's part of the sums."""
        return F.linear(x, self.ih, self.b_ih)

    def converted(self, convert: Callable[[Any], Any]) -> _Weights:
        """With what `convert` makes of each tensor, or None."""
        made = _Weights.__new__(_Weights)
        made.ih, made.b_ih, made.rest = convert(self.ih), convert(self.b_ih), tuple(convert(t) for t in self.rest)
        return made


class RNNBase(Module):
    """What RNN, LSTM and GRU share: arguments, weights and the way through layers and directions.

    `mode` is "LSTM", "GRU", "RNN_TANH" or "RNN_RELU". The weights are `weight_ih_l0` (gates * hidden_size, input_size),
    `weight_hh_l0` (gates * hidden_size, hidden_size), `bias_ih_l0`, `bias_hh_l0` and, projecting, `weight_hr_l0`
    (proj_size, hidden_size), numbered by layer, with `_reverse` for the other direction.
    """

    __constants__ = [
        "mode",
        "input_size",
        "hidden_size",
        "num_layers",
        "bias",
        "batch_first",
        "dropout",
        "bidirectional",
        "proj_size",
    ]

    def __init__(
        self,
        mode: str,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        _check_dropout(dropout, num_layers)
        self.mode = mode
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.num_layers = num_layers
        self.bias = bias
        self.batch_first = batch_first
        self.dropout = float(dropout)
        self.bidirectional = bidirectional
        self.proj_size = proj_size
        self._check_arguments()
        self._all_weights: list[list[str]] = []
        for layer in range(num_layers):
            for direction in range(2 if bidirectional else 1):
                self._make_weights(layer, "_reverse" if direction else "", device, dtype)
        self._flat_weights_names = [name for names in self._all_weights for name in names]
        self.reset_parameters()

    def _check_arguments(self) -> None:
        for name, kind in (("bias", bool), ("batch_first", bool), ("input_size", int), ("hidden_size", int)):
            value = getattr(self, name)
            if not isinstance(value, kind):
                raise TypeError(f"{name} should be of type {kind.__name__}, got: {type(value).__name__}")
            if kind is int and value <= 0:
                raise ValueError(f"{name} must be greater than zero")
        if self.num_layers <= 0:
            raise ValueError("num_layers must be greater than zero")
        if self.proj_size < 0:
            raise ValueError("proj_size should be a positive integer or zero to disable projections")
        if self.proj_size >= self.hidden_size:
            raise ValueError("proj_size has to be smaller than hidden_size")
        if self.mode not in _GATES:
            raise ValueError("Unrecognized RNN mode: " + self.mode)

    def _make_weights(self, layer: int, suffix: str, device: Any, dtype: Any) -> None:
        gates, state = _GATES[self.mode] * self.hidden_size, self.proj_size or self.hidden_size
        inputs = self.input_size if layer == 0 else state * (2 if self.bidirectional else 1)
        shapes: dict[str, tuple[int, ...]] = {"weight_ih": (gates, inputs), "weight_hh": (gates, state)}
        if self.bias:
            shapes |= {"bias_ih": (gates,), "bias_hh": (gates,)}
        if self.proj_size > 0:
            shapes["weight_hr"] = (self.proj_size, self.hidden_size)
        names = [f"{kind}_l{layer}{suffix}" for kind in shapes]
        for name, shape in zip(names, shapes.values(), strict=True):
            setattr(self, name, new_parameter(shape, device, dtype))
        self._all_weights.append(names)

    def reset_parameters(self) -> None:
        """Draw all weights anew, evenly from +-1/sqrt(hidden_size)."""
        bound = 1.0 / math.sqrt(self.hidden_size) if self.hidden_size > 0 else 0
        for weight in self.parameters():
            init.uniform_(weight, -bound, bound)

    def flatten_parameters(self) -> None:
        """Accepted for PyTorch's sake: the weights need not lie side by side."""

    @property
    def all_weights(self) -> list[list[Tensor]]:
        """The weights of each layer and direction."""
        return [[getattr(self, name) for name in names] for names in self._all_weights]

    @property
    def _flat_weights(self) -> list[Tensor]:
        return [getattr(self, name) for name in self._flat_weights_names]

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__({"proj_size": 0} | state)

    def extra_repr(self) -> str:
        text = f"{self.input_size}, {self.hidden_size}"
        if self.proj_size != 0:
            text += f", proj_size={self.proj_size}"
        if self.num_layers != 1:
            text += f", num_layers={self.num_layers}"
        if self.bias is not True:
            text += f", bias={self.bias}"
        if self.batch_first is not False:
            text += f", batch_first={self.batch_first}"
        if self.dropout != 0:
            text += f", dropout={self.dropout}"
        if self.bidirectional is not False:
            text += f", bidirectional={self.bidirectional}"
        return text

    # -- checking --------------------------------------------------------------------------------------------------

    def check_input(self, input: Tensor, batch_sizes: Tensor | None) -> None:
        """Raise ValueError for a dtype, RuntimeError for dimensions or a last size that does not fit."""
        dtype = getattr(self, self._flat_weights_names[0]).dtype
        if input.dtype != dtype:
            raise ValueError(
                f"RNN input dtype ({input.dtype}) does not match weight dtype ({dtype}). Convert input: "
                f"input.to({dtype}), or convert model: model.to({input.dtype})"
            )
        dims = 3 if batch_sizes is None else 2
        if input.dim() != dims:
            raise RuntimeError(f"input must have {dims} dimensions, got {input.dim()}")
        if self.input_size != input.size(-1):
            raise RuntimeError(
                f"input.size(-1) must be equal to input_size. Expected {self.input_size}, got {input.size(-1)}"
            )

    def get_expected_hidden_size(self, input: Tensor, batch_sizes: Tensor | None) -> tuple[int, int, int]:
        """The shape of h."""
        return self._state_shape(input, batch_sizes, self.proj_size or self.hidden_size)

    def _state_shape(self, input: Tensor, batch_sizes: Tensor | None, size: int) -> tuple[int, int, int]:
        batch = int(batch_sizes[0]) if batch_sizes is not None else input.size(0 if self.batch_first else 1)
        return self.num_layers * (2 if self.bidirectional else 1), batch, size

    def check_hidden_size(
        self, hx: Tensor, expected_hidden_size: tuple[int, int, int], msg: str = "Expected hidden size {}, got {}"
    ) -> None:
        """Raise RuntimeError unless `hx` has the expected shape."""
        if tuple(hx.size()) != tuple(expected_hidden_size):
            raise RuntimeError(msg.format(expected_hidden_size, list(hx.size())))

    def check_forward_args(self, input: Tensor, hidden: Any, batch_sizes: Tensor | None) -> None:
        """Raise unless input and states fit the layer."""
        self.check_input(input, batch_sizes)
        self.check_hidden_size(hidden, self.get_expected_hidden_size(input, batch_sizes))

    def permute_hidden(self, hx: Any, permutation: Tensor | None) -> Any:
        """The states with the samples in another order."""
        if permutation is None:
            return hx
        if isinstance(hx, Tensor):
            return hx.index_select(1, permutation)
        return tuple(state.index_select(1, permutation) for state in hx)

    # -- computing -------------------------------------------------------------------------------------------------

    def _kind(self) -> str:
        return type(self).__name__ if type(self) in (RNN, LSTM, GRU) else self.mode.split("_")[0]

    def _check_dims(self, input: Tensor, hx: Any) -> None:
        """Input without batch goes with states without batch."""
        if input.dim() not in (2, 3):
            shape = f"{input.dim()}D tensor" if self.mode.startswith("RNN") else f"{input.dim()}D"
            raise ValueError(f"{self._kind()}: Expected input to be 2D or 3D, got {shape} instead")
        if hx is None:
            return
        kind = "batched 3-D" if input.dim() == 3 else "unbatched 2-D"
        dims = [state.dim() for state in (hx if self.mode == "LSTM" else (hx,))]
        if all(d == input.dim() for d in dims):
            return
        if self.mode == "LSTM":
            got = f"hx and cx should also be {input.dim()}-D but got ({dims[0]}-D, {dims[1]}-D) tensors"
        else:
            got = f"hx should also be {input.dim()}-D but got {dims[0]}-D tensor"
        raise RuntimeError(f"For {kind} input, {got}")

    def _initial_states(self, input: Tensor, batch_sizes: Tensor | None) -> Any:
        import rushlight

        def zeros(size: int) -> Tensor:
            shape = self._state_shape(input, batch_sizes, size)
            return rushlight.zeros(shape, dtype=input.dtype, device=input.device)

        h = zeros(self.proj_size or self.hidden_size)
        return (h, zeros(self.hidden_size)) if self.mode == "LSTM" else h

    def forward(self, input: Any, hx: Any = None) -> Any:
        """Outputs of the last layer for all steps, and the final states of all layers."""
        if isinstance(input, PackedSequence):
            return self._forward_packed(input, hx)
        self._check_dims(input, hx)
        batched = input.dim() == 3
        batch_dim = 0 if self.batch_first else 1
        if not batched:
            input = input.unsqueeze(batch_dim)
            if hx is not None:
                hx = tuple(s.unsqueeze(1) for s in hx) if self.mode == "LSTM" else hx.unsqueeze(1)
        hx = self._initial_states(input, None) if hx is None else hx
        self.check_forward_args(input, hx, None)
        x = input.transpose(0, 1) if self.batch_first else input
        if not x.shape[0]:
            raise RuntimeError("Expected sequence length to be larger than 0 in RNN")
        output, states = self._layers(x, hx, None)
        output = output.transpose(0, 1) if self.batch_first else output
        if batched:
            return output, states
        states = tuple(s.squeeze(1) for s in states) if self.mode == "LSTM" else states.squeeze(1)
        return output.squeeze(batch_dim), states

    def _forward_packed(self, input: PackedSequence, hx: Any) -> tuple[PackedSequence, Any]:
        data, batch_sizes, sorted_indices, unsorted_indices = input
        hx = self._initial_states(data, batch_sizes) if hx is None else self.permute_hidden(hx, sorted_indices)
        self.check_forward_args(data, hx, batch_sizes)
        output, states = self._layers(data, hx, Packing.of(batch_sizes.tolist()))
        packed = PackedSequence(output, batch_sizes, sorted_indices, unsorted_indices)
        return packed, self.permute_hidden(states, unsorted_indices)

    def _layers(self, x: Tensor, hx: Any, packing: Packing | None) -> tuple[Tensor, Any]:
        """All layers, each over the outputs of the one before; states in and out as `forward` has them."""
        lstm = self.mode == "LSTM"
        weights = [
            _Weights(self.mode, [getattr(self, name) for name in names], self.bias, self.proj_size > 0)
            for names in self._all_weights
        ]
        dropout = self.dropout if self.training else 0
        directions = 2 if self.bidirectional else 1
        x, states = run_layers(self.mode, x, hx if lstm else (hx,), weights, packing, directions, dropout)
        return x, states if lstm else states[0]


def run_layers(
    mode: str,
    x: Tensor,
    hx: States,
    weights: Sequence[_Weights],
    packing: Packing | None,
    directions: int,
    dropout: float,
) -> tuple[Tensor, States]:
    """Layer after layer, each in its directions over the outputs of the one before, with dropout between layers.

    Args:
        x: the input of the first layer, as `packing` has it.
        hx: (h,) or (h, c), a row for each of `weights`.
        weights: those of each layer and direction.

    Returns:
        The outputs of the last layer, and the states that all ended with.
    """
    import rushlight

    initial = list(zip(*(state.unbind(0) for state in hx), strict=True))
    final: list[States] = []
    for first in range(0, len(weights), directions):
        outputs = []
        for i in range(first, first + directions):
            w = weights[i]
            output, states = recurrence(mode, w.sums(x), initial[i], w.rest, i > first, packing)
            outputs.append(output)
            final.append(states)
        x = rushlight.cat(outputs, -1) if directions == 2 else outputs[0]
        if dropout and first + directions < len(weights):
            x = F.dropout(x, dropout, True)
    return x, tuple(rushlight.stack(same) for same in zip(*final, strict=True))


def _check_dropout(dropout: Any, num_layers: int) -> None:
    if isinstance(dropout, bool) or not isinstance(dropout, numbers.Number) or not 0 <= dropout <= 1:  # type: ignore[operator]
        raise ValueError(
            "dropout should be a number in range [0, 1] representing the probability of an element being zeroed"
        )
    if dropout > 0 and num_layers == 1:  # type: ignore[operator]
        warnings.warn(
            "dropout option adds dropout after all but last recurrent layer, so non-zero dropout expects num_layers "
            f"greater than 1, but got dropout={dropout} and num_layers={num_layers}",
            stacklevel=4,
        )


class RNN(RNNBase):
    """h' = tanh(W_ih x + b_ih + W_hh h + b_hh), or relu, over a sequence, in `num_layers` layers. Elman 1990.

    `RNN(input_size, hidden_size, num_layers=1, nonlinearity="tanh", bias=True, batch_first=False, dropout=0.0,
    bidirectional=False)`. Shape: input (L, N, input_size), with N first if `batch_first`, without N, or a
    PackedSequence; h (layers * directions, N, hidden_size), zeros if not given; to (L, N, directions * hidden_size)
    and h.

    >>> RNN(10, 20, 2)
    RNN(10, 20, num_layers=2)
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if "proj_size" in kwargs:
            raise ValueError(_NO_PROJECTION)
        if len(args) > 3:
            nonlinearity, args = args[3], args[:3] + args[4:]
        else:
            nonlinearity = kwargs.pop("nonlinearity", "tanh")
        if nonlinearity not in ("tanh", "relu"):
            raise ValueError(f"Unknown nonlinearity '{nonlinearity}'. Select from 'tanh' or 'relu'.")
        super().__init__(f"RNN_{nonlinearity.upper()}", *args, **kwargs)
        self.nonlinearity = nonlinearity


class LSTM(RNNBase):
    """Long short-term memory over a sequence, in `num_layers` layers. Hochreiter & Schmidhuber 1997.

    `LSTM(input_size, hidden_size, num_layers=1, bias=True, batch_first=False, dropout=0.0, bidirectional=False,
    proj_size=0)`. Shape: input (L, N, input_size), with N first if `batch_first`, without N, or a PackedSequence;
    (h, c) of (layers * directions, N, proj_size or hidden_size) and (..., hidden_size), zeros if not given; to
    (L, N, directions * (proj_size or hidden_size)) and (h, c).

    >>> LSTM(10, 20, 2, batch_first=True)
    LSTM(10, 20, num_layers=2, batch_first=True)
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__("LSTM", *args, **kwargs)

    def get_expected_cell_size(self, input: Tensor, batch_sizes: Tensor | None) -> tuple[int, int, int]:
        """The shape of c."""
        return self._state_shape(input, batch_sizes, self.hidden_size)

    def check_forward_args(self, input: Tensor, hidden: Any, batch_sizes: Tensor | None) -> None:
        self.check_input(input, batch_sizes)
        expected = (
            self.get_expected_hidden_size(input, batch_sizes),
            self.get_expected_cell_size(input, batch_sizes),
        )
        for i in (0, 1):
            self.check_hidden_size(hidden[i], expected[i], f"Expected hidden[{i}] size {{}}, got {{}}")


class GRU(RNNBase):
    """Gated recurrent units over a sequence, in `num_layers` layers. Cho et al. 2014.

    `GRU(input_size, hidden_size, num_layers=1, bias=True, batch_first=False, dropout=0.0, bidirectional=False)`.
    Shape: as `RNN`.

    >>> GRU(10, 20, bidirectional=True)
    GRU(10, 20, bidirectional=True)
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if "proj_size" in kwargs:
            raise ValueError(_NO_PROJECTION)
        super().__init__("GRU", *args, **kwargs)


class RNNCellBase(Module):
    """What the cells share: `weight_ih`, `weight_hh`, `bias_ih` and `bias_hh`, with `num_chunks` gates."""

    __constants__ = ["input_size", "hidden_size", "bias"]
    weight_ih: Tensor
    weight_hh: Tensor

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool,
        num_chunks: int,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.bias = bias
        gates = num_chunks * hidden_size
        self.weight_ih = new_parameter((gates, input_size), device, dtype)
        self.weight_hh = new_parameter((gates, hidden_size), device, dtype)
        for name in ("bias_ih", "bias_hh"):
            self.register_parameter(name, new_parameter((gates,), device, dtype) if bias else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw all weights anew, evenly from +-1/sqrt(hidden_size)."""
        bound = 1.0 / math.sqrt(self.hidden_size) if self.hidden_size > 0 else 0
        for weight in self.parameters():
            init.uniform_(weight, -bound, bound)

    def extra_repr(self) -> str:
        text = f"{self.input_size}, {self.hidden_size}"
        if self.bias is not True:
            text += f", bias={self.bias}"
        if getattr(self, "nonlinearity", "tanh") != "tanh":
            text += f", nonlinearity={self.nonlinearity}"
        return text

    def _step(self, mode: str, input: Tensor, states: tuple[Tensor | None, ...]) -> States:
        """One step; input and states with or without a batch, and states None for zeros."""
        self._check(input, states)
        batched = input.dim() == 2
        if not batched:
            input = input.unsqueeze(0)
        full = tuple(self._state(input, state, batched) for state in states)
        weights = [self.weight_ih, self.weight_hh]
        if self.bias_ih is not None:
            weights += [self.bias_ih, self.bias_hh]
        w = _Weights(mode, weights, self.bias_ih is not None)
        new: States = STEPS[mode](w.sums(input), full, *w.rest)  # type: ignore[operator]
        return new if batched else tuple(state.squeeze(0) for state in new)

    def _check(self, input: Tensor, states: tuple[Tensor | None, ...]) -> None:
        kind = type(self).__name__
        if input.dim() not in (1, 2):
            raise ValueError(f"{kind}: Expected input to be 1D or 2D, got {input.dim()}D instead")
        for i, state in enumerate(states):
            if state is not None and state.dim() not in (1, 2):
                name = f"hx[{i}]" if len(states) > 1 else "hidden"
                raise ValueError(f"{kind}: Expected {name} to be 1D or 2D, got {state.dim()}D instead")
        if input.size(-1) != self.input_size:
            raise RuntimeError(f"input has inconsistent input_size: got {input.size(-1)} expected {self.input_size}")

    def _state(self, input: Tensor, state: Tensor | None, batched: bool) -> Tensor:
        import rushlight

        if state is None:
            return rushlight.zeros(input.size(0), self.hidden_size, dtype=input.dtype, device=input.device)
        state = state if batched else state.unsqueeze(0)
        if state.size(0) != input.size(0):
            raise RuntimeError(f"Input batch size {input.size(0)} doesn't match hidden0 batch size {state.size(0)}")
        if state.size(1) != self.hidden_size:
            raise RuntimeError(
                f"hidden0 has inconsistent hidden_size: got {state.size(1)}, expected {self.hidden_size}"
            )
        return state


class RNNCell(RNNCellBase):
    """One step of `RNN`. Shape: input (N, input_size), h (N, hidden_size), or both without N, to h.

    >>> RNNCell(10, 20)
    RNNCell(10, 20)
    """

    __constants__ = ["input_size", "hidden_size", "bias", "nonlinearity"]

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        nonlinearity: str = "tanh",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(input_size, hidden_size, bias, 1, device, dtype)
        self.nonlinearity = nonlinearity

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        if self.nonlinearity not in ("tanh", "relu"):
            raise RuntimeError(f"Unknown nonlinearity: {self.nonlinearity}")
        return self._step(f"RNN_{self.nonlinearity.upper()}", input, (hx,))[0]


class LSTMCell(RNNCellBase):
    """One step of `LSTM`. Shape: input (N, input_size), h and c (N, hidden_size), or all without N, to (h, c).

    >>> LSTMCell(10, 20)
    LSTMCell(10, 20)
    """

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool = True, device: Any = None, dtype: Any = None
    ) -> None:
        super().__init__(input_size, hidden_size, bias, 4, device, dtype)

    def forward(self, input: Tensor, hx: tuple[Tensor, Tensor] | None = None) -> States:
        if hx is not None and not (isinstance(hx, (tuple, list)) and len(hx) == 2):
            kind = f"{len(hx)} of them" if isinstance(hx, (tuple, list)) else type(hx).__name__
            raise TypeError(f"lstm_cell(): argument 'hx' (position 2) must be tuple of Tensors, h and c, not {kind}")
        return self._step("LSTM", input, (None, None) if hx is None else tuple(hx))


class GRUCell(RNNCellBase):
    """One step of `GRU`. Shape: input (N, input_size), h (N, hidden_size), or both without N, to h.

    >>> GRUCell(10, 20)
    GRUCell(10, 20)
    """

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool = True, device: Any = None, dtype: Any = None
    ) -> None:
        super().__init__(input_size, hidden_size, bias, 3, device, dtype)

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        return self._step("GRU", input, (hx,))[0]
