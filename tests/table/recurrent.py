"""Recurrent layers over whole sequences: one operation each, and another for its derivative."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from rushlight.ops.recurrent import recurrence

from . import Case


def _sigmoid(x: Any) -> Any:
    return 1 / (1 + np.exp(-x)) if isinstance(x, np.ndarray) else x.sigmoid()


def _tanh(x: Any) -> Any:
    return np.tanh(x) if isinstance(x, np.ndarray) else x.tanh()


def _lstm(x: Any, y: Any, h: Any, c: Any) -> tuple[Any, ...]:
    n = h.shape[1]
    i, f, g, o = ((x + y)[:, k * n : (k + 1) * n] for k in range(4))
    c = _sigmoid(f) * c + _sigmoid(i) * _tanh(g)
    return _sigmoid(o) * _tanh(c), c


def _gru(x: Any, y: Any, h: Any) -> tuple[Any, ...]:
    n = h.shape[1]
    r, z = _sigmoid(x[:, :n] + y[:, :n]), _sigmoid(x[:, n : 2 * n] + y[:, n : 2 * n])
    new = _tanh(x[:, 2 * n :] + r * y[:, 2 * n :])
    return ((1 - z) * new + z * h,)


def _rnn_tanh(x: Any, y: Any, h: Any) -> tuple[Any, ...]:
    return (_tanh(x + y),)


def _rnn_relu(x: Any, y: Any, h: Any) -> tuple[Any, ...]:
    return ((x + y) * (x + y > 0),)


STEPS: dict[str, Callable[..., tuple[Any, ...]]] = {
    "LSTM": _lstm, "GRU": _gru, "RNN_TANH": _rnn_tanh, "RNN_RELU": _rnn_relu
}  # fmt: skip


def _by_hand(mode: str, reverse: bool, x: Any, *rest: Any) -> list[Any]:
    """The outputs of all places, and the last states."""
    *states, w, b = rest
    outputs = []
    places = range(len(x))
    for t in reversed(places) if reverse else places:
        states = list(STEPS[mode](x[t], states[0] @ w.T + b, *states))
        outputs.append(states[0])
    return [*(outputs[::-1] if reverse else outputs), *states]


def _row(mode: str, gates: int, reverse: bool) -> Case:
    def call(torch: Any, x: Any, *rest: Any) -> Any:
        if torch.__name__ != "rushlight":
            return _by_hand(mode, reverse, x, *rest)
        *states, w, b = rest
        outputs, last = recurrence(mode, x, tuple(states), (w, b, None) if mode == "LSTM" else (w, b), reverse)
        return [*outputs.unbind(0), *last]

    n = 2
    states = [(3, n)] * (2 if mode == "LSTM" else 1)
    name = f"{mode.lower()}_layer" + (" [backwards]" if reverse else "")
    shapes = [(4, 3, gates * n), *states, (gates * n, n), (gates * n,)]
    return Case(name, call, shapes, lambda *a: _by_hand(mode, reverse, *a), rtol=1e-4, atol=1e-4)


CASES = [_row(mode, gates, reverse) for mode, gates in (("LSTM", 4), ("GRU", 3), ("RNN_TANH", 1), ("RNN_RELU", 1))
         for reverse in (False, True)]  # fmt: skip


def _function_rows(mode: str, gates: int) -> list[Case]:
    """`torch.gru_cell` and `torch.gru`, and those of the other modes."""
    name, n, lstm = mode.lower(), 2, mode == "LSTM"
    states = [(3, n)] * (2 if lstm else 1)
    weights = [(gates * n, 4), (gates * n, n), (gates * n,), (gates * n,)]

    def of_cell(x: Any, *rest: Any) -> Any:
        *h, w, u, b, d = rest
        return STEPS[mode](x @ w.T + b, h[0] @ u.T + d, *h)

    def of_layer(x: Any, *rest: Any) -> Any:
        *h, w, u, b, d = rest
        found = _by_hand(mode, False, x @ w.T + b, *[s[0] for s in h], u, d)
        return [np.stack(found[: len(x)]), *[s[None] for s in found[len(x) :]]]

    def cell(torch: Any, x: Any, *rest: Any) -> Any:
        h, weights = rest[: len(states)], rest[len(states) :]
        return getattr(torch, f"{name}_cell")(x, h if lstm else h[0], *weights)

    def layer(torch: Any, x: Any, *rest: Any) -> Any:
        h, weights = rest[: len(states)], rest[len(states) :]
        return getattr(torch, name)(x, h if lstm else h[0], weights, True, 1, 0.0, False, False, False)

    options: dict[str, Any] = {"rtol": 1e-4, "atol": 1e-4}
    return [
        Case(f"{name}_cell", cell, [(3, 4), *states, *weights], of_cell, **options),
        Case(name, layer, [(5, 3, 4), *[(1, *s) for s in states], *weights], of_layer, **options),
    ]


for _mode, _gates in (("LSTM", 4), ("GRU", 3), ("RNN_TANH", 1), ("RNN_RELU", 1)):
    CASES += _function_rows(_mode, _gates)
