"""torch.ao.nn.quantized.dynamic: layers whose weights are whole numbers, and whose inputs are quantized as they come.

What a layer computes is what FBGEMM computes: activations in 7 bits, sums exact, then one scale.
"""

from __future__ import annotations

from typing import Any

from rushlight import nn
from rushlight.ao.nn.quantized.arithmetic import dynamic_linear
from rushlight.core import dtype as dtypes
from rushlight.core.missing import missing
from rushlight.nn.utils.rnn import PackedSequence
from rushlight.quantized import QuantizedTensor, quantize_per_channel, quantize_per_tensor
from rushlight.tensor import FUNCTIONS, Tensor

__all__ = ["GRU", "LSTM", "Linear"]

_stack, _cat = FUNCTIONS["stack"], FUNCTIONS["cat"]


def quantized_weight(weight: Tensor, observer: Any) -> QuantizedTensor:
    """A weight as whole numbers, by the scale that the observer chooses for it."""
    observer(weight.detach())
    scale, zero_point = observer.calculate_qparams()
    if getattr(observer, "ch_axis", None) is not None and hasattr(observer, "min_val") and observer.min_val.dim():
        return quantize_per_channel(weight.detach(), scale, zero_point, observer.ch_axis, dtypes.qint8)  # type: ignore[no-any-return]
    return quantize_per_tensor(weight.detach(), float(scale), int(zero_point), dtypes.qint8)  # type: ignore[no-any-return]


def _observer(mod: Any) -> Any:
    from rushlight.ao.quantization.qconfig import default_dynamic_qconfig  # whose package imports this one

    qconfig = getattr(mod, "qconfig", None)
    return (default_dynamic_qconfig if qconfig is None else qconfig).weight()


class PackedWeight(nn.Module):
    """A weight, of whole numbers or of float16, and a bias: what a layer keeps instead of parameters."""

    _version = 3  # of what PyTorch saves

    def __init__(self, weight: Any, bias: Any, dtype: Any) -> None:
        super().__init__()
        self.weight, self.bias, self.dtype = weight, bias, dtype

    def product(self, x: Tensor) -> Tensor:
        """`linear` of the floats."""
        if self.dtype is dtypes.qint8:
            return dynamic_linear(x, self.weight, self.bias)
        return nn.functional.linear(x, self.weight.float(), self.bias)

    def _save_to_state_dict(self, destination: Any, prefix: str, keep_vars: bool) -> None:
        super()._save_to_state_dict(destination, prefix, keep_vars)
        destination[prefix + "dtype"] = self.dtype
        destination[prefix + "_packed_params"] = (self.weight, self.bias)

    def _load_from_state_dict(self, state_dict: Any, prefix: str, *args: Any) -> None:
        self.dtype = state_dict.pop(prefix + "dtype", self.dtype)
        if prefix + "_packed_params" in state_dict:
            self.weight, self.bias = state_dict.pop(prefix + "_packed_params")
        super()._load_from_state_dict(state_dict, prefix, *args)


def _packed(weight: Tensor, bias: Any, mod: Any, dtype: Any) -> PackedWeight:
    kept = None if bias is None else bias.detach().clone()
    if dtype is dtypes.float16:
        return PackedWeight(weight.detach().half(), kept, dtype)
    return PackedWeight(quantized_weight(weight, _observer(mod)), kept, dtypes.qint8)


class Linear(nn.Module):
    """`nn.Linear` with a weight of whole numbers; inputs and results are floats.

    >>> layer = Linear.from_float(torch.nn.Linear(4, 3))
    >>> layer
    DynamicQuantizedLinear(in_features=4, out_features=3, dtype=torch.qint8, qscheme=torch.per_tensor_affine)
    """

    _version = 4  # of what PyTorch saves
    scale: Tensor
    zero_point: Tensor

    def __init__(self, in_features: int, out_features: int, bias_: bool = True, dtype: Any = dtypes.qint8) -> None:
        super().__init__()
        self.in_features, self.out_features = in_features, out_features
        zeros = FUNCTIONS["zeros"]
        self._packed_params = _packed(zeros(out_features, in_features), zeros(out_features) if bias_ else None, None,
                                      dtype)  # fmt: skip
        self.register_buffer("scale", FUNCTIONS["tensor"](1.0))
        self.register_buffer("zero_point", FUNCTIONS["tensor"](0))

    @classmethod
    def from_float(cls, mod: Any, use_precomputed_fake_quant: bool = False) -> Linear:
        """The quantized form of an `nn.Linear`; its `qconfig`, if there is one, chooses the scale."""
        qconfig = getattr(mod, "qconfig", None)
        dtype = dtypes.qint8 if qconfig is None else qconfig.weight().dtype
        made = cls(mod.in_features, mod.out_features, mod.bias is not None, dtype)
        made._packed_params = _packed(mod.weight, mod.bias, mod, dtype)
        return made

    def weight(self) -> Any:
        """The weight: a quantized tensor, or one of float16."""
        return self._packed_params.weight

    def bias(self) -> Any:
        """The bias, or None."""
        return self._packed_params.bias

    def forward(self, x: Tensor) -> Tensor:
        """Floats of floats."""
        return self._packed_params.product(x)

    def _get_name(self) -> str:
        return "DynamicQuantizedLinear"

    def __repr__(self) -> str:
        return f"{self._get_name()}({self.extra_repr()})"

    def extra_repr(self) -> str:
        text = f"in_features={self.in_features}, out_features={self.out_features}, dtype={self._packed_params.dtype}"
        if self._packed_params.dtype is dtypes.qint8:
            text += f", qscheme={self.weight().qscheme()}"
        return text


class _Recurrent(nn.Module):
    """What LSTM and GRU share: layers, directions, and the order of their weights."""

    gates: int

    def __init__(self, mod: Any, dtype: Any) -> None:
        super().__init__()
        self.input_size, self.hidden_size, self.num_layers = mod.input_size, mod.hidden_size, mod.num_layers
        self.bias, self.batch_first, self.bidirectional = mod.bias, mod.batch_first, mod.bidirectional
        self.dropout = mod.dropout
        cells = []
        for k in range(self.num_layers):
            for suffix in ("", "_reverse") if self.bidirectional else ("",):
                both = []
                for side in ("ih", "hh"):
                    bias = getattr(mod, f"bias_{side}_l{k}{suffix}") if self.bias else None
                    both.append(_packed(getattr(mod, f"weight_{side}_l{k}{suffix}"), bias, mod, dtype))
                cells.append(nn.ModuleList(both))
        self._all_weight_values = nn.ModuleList(cells)

    @classmethod
    def from_float(cls, mod: Any, use_precomputed_fake_quant: bool = False) -> Any:
        """The quantized form of a recurrent layer; its `qconfig`, if there is one, chooses the scales."""
        if getattr(mod, "proj_size", 0):
            raise NotImplementedError(f"quantize_dynamic: {type(mod).__name__} with proj_size is not in Rushlight")
        qconfig = getattr(mod, "qconfig", None)
        return cls(mod, dtypes.qint8 if qconfig is None else qconfig.weight().dtype)

    def _begin(self, batch: int, like: Tensor) -> Tensor:
        directions = 2 if self.bidirectional else 1
        return FUNCTIONS["zeros"](self.num_layers * directions, batch, self.hidden_size, dtype=like.dtype)  # type: ignore[no-any-return]

    def _through(self, x: Tensor, states: list[list[Any]]) -> tuple[Tensor, list[list[Any]]]:
        """All layers, over a sequence (length, batch, width); the states in the order of the weights."""
        directions = 2 if self.bidirectional else 1
        ends = []
        for k in range(self.num_layers):
            sides = []
            for d in range(directions):
                cell: Any = self._all_weight_values[k * directions + d]
                found, end = self._side(x.flip(0) if d else x, states[k * directions + d], cell)
                sides.append(found.flip(0) if d else found)
                ends.append(end)
            x = sides[0] if directions == 1 else _cat(sides, -1)
            if self.dropout and self.training and k + 1 < self.num_layers:
                x = nn.functional.dropout(x, self.dropout)
        return x, ends

    def _side(self, x: Tensor, state: list[Any], cell: Any) -> tuple[Tensor, list[Any]]:
        made = []
        for gates in cell[0].product(x).unbind(0):
            state = self._step(gates, state, cell[1])
            made.append(state[0])
        return _stack(made), state

    def _step(self, gates: Tensor, state: list[Any], hidden: PackedWeight) -> list[Any]:
        raise NotImplementedError

    def _run(self, input: Any, begin: Any) -> tuple[Any, list[Tensor]]:  # noqa: A002 - PyTorch's name
        if isinstance(input, PackedSequence):
            raise NotImplementedError(f"{self._get_name()}: of a PackedSequence; pad it")
        batched = input.dim() == 3
        x = input if batched else input.unsqueeze(1)
        x = x.transpose(0, 1) if self.batch_first and batched else x
        if begin is None:
            begin = [self._begin(x.shape[1], x)] * self.gates_states
        elif not batched:
            begin = [h.unsqueeze(1) for h in begin]
        states = [list(parts) for parts in zip(*[h.unbind(0) for h in begin], strict=True)]
        found, ends = self._through(x, states)
        last = [_stack(parts) for parts in zip(*ends, strict=True)]
        if not batched:
            return found.squeeze(1), [h.squeeze(1) for h in last]
        return (found.transpose(0, 1) if self.batch_first else found), last

    gates_states = 1

    def extra_repr(self) -> str:
        text = f"{self.input_size}, {self.hidden_size}"
        if self.num_layers != 1:
            text += f", num_layers={self.num_layers}"
        if not self.bias:
            text += f", bias={self.bias}"
        if self.batch_first:
            text += f", batch_first={self.batch_first}"
        if self.dropout:
            text += f", dropout={self.dropout}"
        return text + (f", bidirectional={self.bidirectional}" if self.bidirectional else "")

    def __repr__(self) -> str:
        return f"{self._get_name()}({self.extra_repr()})"


class LSTM(_Recurrent):
    """`nn.LSTM` with weights of whole numbers."""

    gates_states = 2

    def _step(self, gates: Tensor, state: list[Any], hidden: PackedWeight) -> list[Any]:
        i, f, g, o = (gates + hidden.product(state[0])).chunk(4, -1)
        c = f.sigmoid() * state[1] + i.sigmoid() * g.tanh()
        return [o.sigmoid() * c.tanh(), c]

    def forward(self, input: Any, hx: Any = None) -> Any:  # noqa: A002 - PyTorch's name
        """(output, (h_n, c_n)), as `nn.LSTM`."""
        found, (h, c) = self._run(input, hx)
        return found, (h, c)

    def _get_name(self) -> str:
        return "DynamicQuantizedLSTM"


class GRU(_Recurrent):
    """`nn.GRU` with weights of whole numbers."""

    def _step(self, gates: Tensor, state: list[Any], hidden: PackedWeight) -> list[Any]:
        to_r, to_z, to_n = gates.chunk(3, -1)
        of_r, of_z, of_n = hidden.product(state[0]).chunk(3, -1)
        r, z = (to_r + of_r).sigmoid(), (to_z + of_z).sigmoid()
        n = (to_n + r * of_n).tanh()
        return [(state[0] - n) * z + n]

    def forward(self, input: Any, hx: Any = None) -> Any:  # noqa: A002 - PyTorch's name
        """(output, h_n), as `nn.GRU`."""
        found, (h,) = self._run(input, None if hx is None else [hx])
        return found, h

    def _get_name(self) -> str:
        return "DynamicQuantizedGRU"


__getattr__ = missing(__name__)
