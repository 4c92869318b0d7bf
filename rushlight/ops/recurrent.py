"""The gates of recurrent layers: what follows the two products of a step, as one operation.

An LSTM over a sequence runs a step for every place in it; with the gates as one operation a step is recorded in three
calls instead of twelve.  Besides the new states each gives the gates' activations, which its derivative needs.
Formulas: Hochreiter and Schmidhuber 1997 with Gers's forget gate, and Cho et al. 2014 in the form of cuDNN, as
https://pytorch.org/docs/stable/generated/torch.nn.LSTM.html and GRU.html have them.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from rushlight.record.operation import operation
from rushlight.record.spec import Spec, spec_of
from rushlight.record.trace import apply
from rushlight.record.value import Tensor

from .elementary import _sigmoid
from .joining import cat


def _lstm_spec(gates: Spec, c: Spec) -> tuple[Spec, ...]:
    state = spec_of(c.shape, c.dtype)
    return state, state, spec_of(gates.shape, gates.dtype)


def _lstm(gates: Any, c: Any) -> Any:
    i, f, g, o = np.split(gates, 4, 1)
    i, f, g, o = _sigmoid(i), _sigmoid(f), np.tanh(g), _sigmoid(o)
    new = f * c + i * g
    return o * np.tanh(new), new, np.concatenate([i, f, g, o], 1)


def _slope(gate: Tensor) -> Tensor:
    """The derivative of a sigmoid, from its value."""
    return (1 - gate) * gate


def _lstm_rule(g: Any, results: Any, c: Tensor) -> tuple[Tensor, Tensor]:
    (of_h, of_c, of_gates), (_, new, gates) = g, results
    i, f, n, o = gates.chunk(4, 1)
    of_i, of_f, of_n, of_o = of_gates.chunk(4, 1)
    u = new.tanh()
    of_c = of_c + of_h * o * (1 - u * u)
    before = [
        (of_c * n + of_i) * _slope(i), (of_c * c + of_f) * _slope(f),
        (of_c * i + of_n) * (1 - n * n), (of_h * u + of_o) * _slope(o),
    ]  # fmt: skip
    return cat(before, 1), of_c * f


LSTM_GATES = operation("lstm_gates", _lstm_spec, _lstm, node="MulBackward0").gradient(_lstm_rule)


def lstm_gates(gates: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
    """The new states h and c of an LSTM.

    Args:
        gates: (N, 4 H), the sums before the activations: input, forget, cell and output gate.
        c: (N, H), the old cell state.
    """
    h, new, _ = apply(LSTM_GATES, (gates, c))
    return h, new


def _gru_spec(x: Spec, y: Spec, h: Spec) -> tuple[Spec, ...]:
    return spec_of(h.shape, h.dtype), spec_of(x.shape, x.dtype)


def _gru(x: Any, y: Any, h: Any) -> Any:
    (r, z, n), (r_h, z_h, n_h) = np.split(x, 3, 1), np.split(y, 3, 1)
    r, z = _sigmoid(r + r_h), _sigmoid(z + z_h)
    n = np.tanh(n + n_h * r)
    return (h - n) * z + n, np.concatenate([r, z, n], 1)


def _gru_rule(g: Any, results: Any, y: Tensor, h: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    of_h, of_gates = g
    r, z, n = results[1].chunk(3, 1)
    of_r, of_z, of_n = of_gates.chunk(3, 1)
    to_n = (of_h * (1 - z) + of_n) * (1 - n * n)
    to_r = (to_n * y.chunk(3, 1)[2] + of_r) * _slope(r)
    to_z = (of_h * (h - n) + of_z) * _slope(z)
    return cat([to_r, to_z, to_n], 1), cat([to_r, to_z, to_n * r], 1), of_h * z


GRU_GATES = operation("gru_gates", _gru_spec, _gru, node="AddBackward0").gradient(_gru_rule)


def gru_gates(x: Tensor, y: Tensor, h: Tensor) -> Tensor:
    """The new state h of a GRU.

    Args:
        x: (N, 3 H), the input's part of the sums: reset, update and new gate.
        y: (N, 3 H), the old state's part.
        h: (N, H), the old state.
    """
    return apply(GRU_GATES, (x, y, h))[0]
