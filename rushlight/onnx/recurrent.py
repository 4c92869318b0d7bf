"""ONNX for recurrent layers: their input's projection and the loop over places, which Rushlight records as two
operations, are one there."""

from __future__ import annotations

from typing import Any

import numpy as np

from .builder import fixed
from .call import Call, lowering

# In which order ONNX wants the gates' rows: of ours, (i, f, g, o) and (r, z, n).
LSTM_ORDER, GRU_ORDER, PLAIN_ORDER = (0, 3, 1, 2), (1, 0, 2), (0,)


@lowering("lstm_layer")
def _lstm(c: Call) -> list[str]:
    if c.given(5):
        raise NotImplementedError("an LSTM whose state is projected (proj_size)")
    states = c.unsqueeze(c.x(1), 0), c.unsqueeze(c.x(2), 0)
    return _layer(c, "LSTM", LSTM_ORDER, states, 3)


@lowering("gru_layer")
def _gru(c: Call) -> list[str]:
    return _layer(c, "GRU", GRU_ORDER, (c.unsqueeze(c.x(1), 0),), 2, linear_before_reset=1)


@lowering("rnn_tanh_layer", "rnn_relu_layer")
def _plain(c: Call) -> list[str]:
    activation = "Tanh" if c.node.op.name == "rnn_tanh_layer" else "Relu"
    return _layer(c, "RNN", PLAIN_ORDER, (c.unsqueeze(c.x(1), 0),), 2, activations=[activation])


def _layer(c: Call, kind: str, order: tuple[int, ...], states: tuple[str, ...], w: int, **more: Any) -> list[str]:
    """One direction. `w` is the position of the recurrent weight; its bias follows, and behind that rows and places."""
    if any(c.given(i) for i in range(len(c) - 2, len(c))):
        raise NotImplementedError("a packed sequence")
    (hidden,) = c.shape(w)[1:]
    fixed(hidden)
    rows = np.concatenate([np.arange(g * hidden, (g + 1) * hidden) for g in order])  # type: ignore[operator]
    x, of_input, bias = _projection(c)

    def arranged(name: str) -> str:
        name = c.op("Gather", name, c.constant(rows), axis=0) if len(order) > 1 else name
        return c.unsqueeze(name, 0)

    zeros = c.constant(np.zeros(len(rows)), c.dtype)
    biases = [arranged(b) if b else c.unsqueeze(zeros, 0) for b in (bias, c.x(w + 1) if c.given(w + 1) else "")]
    outputs = c.ops(
        kind, 1 + len(states), x, arranged(of_input), arranged(c.x(w)), c.op("Concat", *biases, axis=1), "", *states,
        hidden_size=hidden, direction="reverse" if c.attributes["reverse"] else "forward", **more,
    )  # fmt: skip
    return [c.squeeze(outputs[0], 1), *[c.squeeze(s, 0) for s in outputs[1:]]]


def _projection(c: Call) -> tuple[str, str, str]:
    """The layer's input, its weight and its bias, from the linear operation before; else what came is the input."""
    maker = c.value(0).maker
    if maker is not None and maker.op.name in ("linear_nd", "linear_nd_no_bias"):
        names = [c.builder.values.get(v) if v is not None else None for v in maker.inputs]
        if all(name is not None for name in names[:2]) and maker.inputs[0].dtype is c.dtype:  # type: ignore[union-attr]
            return str(names[0]), str(names[1]), str(names[2] or "") if len(names) > 2 else ""
    width = c.shape(0)[-1]
    fixed(width)
    return c.x(0), c.constant(np.eye(width), c.dtype), ""  # type: ignore[arg-type]
