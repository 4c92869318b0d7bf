"""Recurrent layers over whole sequences: the loop over time is inside one operation.

An LSTM, a GRU or a plain recurrent layer takes the input's part of the sums for all places at once (one product, made
before) and runs its steps in a `scan`: only the product with the old state is left in the loop.  The derivative runs a
second `scan` from the last place to the first, which gives the gradients of the sums; the gradients of the weights are
then single products over all places together.  Where the derivative itself shall be differentiated, it is taken of the
same layer written out step by step in tensor operations.
Formulas: Hochreiter and Schmidhuber 1997 with Gers's forget gate, and Cho et al. 2014 in the form of cuDNN, as
https://pytorch.org/docs/stable/generated/torch.nn.LSTM.html and GRU.html have them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from rushlight.core.scan import Arrays, scan
from rushlight.record.operation import Operation, operation
from rushlight.record.spec import Spec, spec_of
from rushlight.record.trace import apply, recorder
from rushlight.record.value import Tensor

from .elementary import _sigmoid
from .joining import stack
from .matmul import linear

Made = tuple[Arrays, Arrays]
Tensors = tuple[Tensor, ...]


def _sums(h: Any, w: Any, b: Any) -> Any:
    """The old state's part of the sums."""
    found = h @ w.T
    return found if b is None else found + b


def _slope(gate: Any) -> Any:
    """The derivative of a sigmoid, from its value."""
    return (1 - gate) * gate


# ---------------------------------------------------------------------------------------------------------------------
# Steps: (states, elements, constants) -> (new states, results), forwards and backwards


def _lstm(states: Arrays, elements: Arrays, constants: Arrays) -> Made:
    """i, f, g, o = x + W h + b;  c' = sigmoid(f) c + sigmoid(i) tanh(g);  h' = sigmoid(o) tanh(c')."""
    (h, c), (x,) = states, elements
    i, f, g, o = np.split(x + _sums(h, *constants), 4, 1)
    i, f, g, o = _sigmoid(i), _sigmoid(f), np.tanh(g), _sigmoid(o)
    new = f * c + i * g
    u = np.tanh(new)
    return (o * u, new), (np.concatenate([i, f, g, o], 1), u)


def _lstm_back(states: Arrays, elements: Arrays, constants: Arrays) -> Made:
    """The gradients of the sums, and of the old states; `states` are those of the new states that come from later."""
    (of_h, of_c), (arrived, gates, u, c), (w,) = states, elements, constants
    i, f, g, o = np.split(gates, 4, 1)
    of_h = of_h + arrived
    of_c = of_c + of_h * o * (1 - u * u)
    sums = np.concatenate(
        [of_c * g * _slope(i), of_c * c * _slope(f), of_c * i * (1 - g * g), of_h * u * _slope(o)], 1
    )
    return (sums @ w, of_c * f), (sums,)


def _gru(states: Arrays, elements: Arrays, constants: Arrays) -> Made:
    """r, z = sigmoid(x + W h + b);  n = tanh(x + r (W h + b));  h' = (1 - z) n + z h."""
    (h,), (x,) = states, elements
    (r, z, n), (r_h, z_h, n_h) = np.split(x, 3, 1), np.split(_sums(h, *constants), 3, 1)
    r, z = _sigmoid(r + r_h), _sigmoid(z + z_h)
    n = np.tanh(n + n_h * r)
    return ((h - n) * z + n,), (np.concatenate([r, z, n], 1), n_h.copy())


def _gru_back(states: Arrays, elements: Arrays, constants: Arrays) -> Made:
    """The gradients of both parts of the sums, and of the old state."""
    (of_h,), (arrived, gates, n_h, h), (w,) = states, elements, constants
    r, z, n = np.split(gates, 3, 1)
    of_h = of_h + arrived
    to_n = of_h * (1 - z) * (1 - n * n)
    to_r, to_z = to_n * n_h * _slope(r), of_h * (h - n) * _slope(z)
    of_y = np.concatenate([to_r, to_z, to_n * r], 1)
    return (of_y @ w + of_h * z,), (np.concatenate([to_r, to_z, to_n], 1), of_y)


def _plain(activation: Callable[[Any], Any]) -> Callable[..., Made]:
    """h' = f(x + W h + b)."""

    def step(states: Arrays, elements: Arrays, constants: Arrays) -> Made:
        return (activation(elements[0] + _sums(states[0], *constants)),), ()

    return step


def _plain_back(slope: Callable[[Any, Any], Any]) -> Callable[..., Made]:
    """`slope` is what a gradient becomes behind the activation, given its value."""

    def step(states: Arrays, elements: Arrays, constants: Arrays) -> Made:
        (of_h,), (arrived, h), (w,) = states, elements, constants
        sums = slope(of_h + arrived, h)
        return (sums @ w,), (sums,)

    return step


# ---------------------------------------------------------------------------------------------------------------------
# The same steps in tensor operations, for derivatives of derivatives


def lstm_step(x: Tensor, states: Tensors, w: Tensor, b: Tensor | None) -> Tensors:
    """`_lstm` of tensors: x is the input's part of the sums, (N, 4 H)."""
    h, c = states
    i, f, g, o = (x + linear(h, w, b)).chunk(4, 1)
    c = f.sigmoid() * c + i.sigmoid() * g.tanh()
    return o.sigmoid() * c.tanh(), c


def gru_step(x: Tensor, states: Tensors, w: Tensor, b: Tensor | None) -> Tensors:
    """`_gru` of tensors: x is the input's part of the sums, (N, 3 H)."""
    (h,) = states
    r_x, z_x, n_x = x.chunk(3, 1)
    r_h, z_h, n_h = linear(h, w, b).chunk(3, 1)
    r, z = (r_x + r_h).sigmoid(), (z_x + z_h).sigmoid()
    n = (n_x + n_h * r).tanh()
    return ((h - n) * z + n,)


def tanh_step(x: Tensor, states: Tensors, w: Tensor, b: Tensor | None) -> Tensors:
    """h' = tanh(x + W h + b)."""
    return ((x + linear(states[0], w, b)).tanh(),)


def relu_step(x: Tensor, states: Tensors, w: Tensor, b: Tensor | None) -> Tensors:
    """h' = max(0, x + W h + b)."""
    return ((x + linear(states[0], w, b)).relu(),)


def unrolled(step: Any, x: Tensor, states: Tensors, w: Tensor, b: Tensor | None, reverse: bool) -> Tensors:
    """A layer written out: the outputs of all places, and the last states."""
    outputs = []
    steps = x.unbind(0)
    for x_t in reversed(steps) if reverse else steps:
        states = step(x_t, states, w, b)
        outputs.append(states[0])
    return stack(outputs[::-1] if reverse else outputs), *states


# ---------------------------------------------------------------------------------------------------------------------
# Operations


def _rows(reverse: bool) -> tuple[slice, slice, int]:
    """The rows of a history before and after each place, and the last one written."""
    before, after = slice(0, -1), slice(1, None)
    return (after, before, 0) if reverse else (before, after, -1)


def _last(arrays: Sequence[Any], reverse: bool) -> tuple[Any, ...]:
    return tuple(a[_rows(reverse)[2]].copy() for a in arrays)


def _over(x: Spec, width: int, more: int = 0) -> Spec:
    return spec_of((x.shape[0] + more, x.shape[1], width), x.dtype)


def _lstm_spec(x: Spec, h: Spec, c: Spec, w: Spec, b: Spec | None, *, reverse: bool) -> tuple[Spec, ...]:
    n, state = w.shape[1], spec_of(h.shape, h.dtype)
    return _over(x, n), state, state, _over(x, n, 1), _over(x, n, 1), _over(x, 4 * n), _over(x, n)


def _lstm_kernel(x: Any, h: Any, c: Any, w: Any, b: Any, *, reverse: bool) -> Any:
    histories, results = scan(_lstm, (h, c), (x,), (w, b), reverse, batched=True)
    return (histories[0][_rows(reverse)[1]].copy(), *_last(histories, reverse), *histories, *results)


def _lstm_back_spec(g: Spec, of_h: Spec, of_c: Spec, cs: Spec, gates: Spec, u: Spec, w: Spec, *,
                    reverse: bool) -> tuple[Spec, ...]:  # fmt: skip
    state = spec_of(of_h.shape, of_h.dtype)
    return spec_of(gates.shape, gates.dtype), state, state


def _lstm_back_kernel(g: Any, of_h: Any, of_c: Any, cs: Any, gates: Any, u: Any, w: Any, *, reverse: bool) -> Any:
    old = cs[_rows(reverse)[0]]
    states, (sums,) = scan(_lstm_back, (of_h, of_c), (g, gates, u, old), (w,), not reverse, keep=False, batched=True)
    return sums, *[s.copy() for s in states]


def _gru_spec(x: Spec, h: Spec, w: Spec, b: Spec | None, *, reverse: bool) -> tuple[Spec, ...]:
    n = w.shape[1]
    return _over(x, n), spec_of(h.shape, h.dtype), _over(x, n, 1), _over(x, 3 * n), _over(x, n)


def _gru_kernel(x: Any, h: Any, w: Any, b: Any, *, reverse: bool) -> Any:
    histories, results = scan(_gru, (h,), (x,), (w, b), reverse, batched=True)
    return (histories[0][_rows(reverse)[1]].copy(), *_last(histories, reverse), *histories, *results)


def _gru_back_spec(g: Spec, of_h: Spec, hs: Spec, gates: Spec, n_h: Spec, w: Spec, *,
                   reverse: bool) -> tuple[Spec, ...]:  # fmt: skip
    sums = spec_of(gates.shape, gates.dtype)
    return sums, sums, spec_of(of_h.shape, of_h.dtype)


def _gru_back_kernel(g: Any, of_h: Any, hs: Any, gates: Any, n_h: Any, w: Any, *, reverse: bool) -> Any:
    old = hs[_rows(reverse)[0]]
    states, results = scan(_gru_back, (of_h,), (g, gates, n_h, old), (w,), not reverse, keep=False, batched=True)
    return *results, states[0].copy()


def _plain_spec(x: Spec, h: Spec, w: Spec, b: Spec | None, *, reverse: bool) -> tuple[Spec, ...]:
    n = w.shape[1]
    return _over(x, n), spec_of(h.shape, h.dtype), _over(x, n, 1)


def _plain_kernel(step: Any) -> Callable[..., Any]:
    def kernel(x: Any, h: Any, w: Any, b: Any, *, reverse: bool) -> Any:
        histories, _ = scan(step, (h,), (x,), (w, b), reverse, batched=True)
        return (histories[0][_rows(reverse)[1]].copy(), *_last(histories, reverse), *histories)

    return kernel


def _plain_back_spec(g: Spec, of_h: Spec, hs: Spec, w: Spec, *, reverse: bool) -> tuple[Spec, ...]:
    return spec_of(g.shape, g.dtype), spec_of(of_h.shape, of_h.dtype)


def _plain_back_kernel(step: Any) -> Callable[..., Any]:
    def kernel(g: Any, of_h: Any, hs: Any, w: Any, *, reverse: bool) -> Any:
        new = hs[_rows(reverse)[1]]
        states, results = scan(step, (of_h,), (g, new), (w,), not reverse, keep=False, batched=True)
        return *results, states[0].copy()

    return kernel


# ---------------------------------------------------------------------------------------------------------------------
# Derivatives


def _of_weights(sums: Tensor, hs: Tensor, b: Tensor | None, reverse: bool) -> tuple[Tensor, Tensor | None]:
    """The gradients of W and b from those of the sums: one product over all places."""
    rows = sums.reshape(-1, sums.shape[2])
    old = hs[_rows(reverse)[0]].reshape(rows.shape[0], -1)
    return rows.t().mm(old), None if b is None else sums.sum((0, 1))


def _written_out(step: Any, g: Any, inputs: Sequence[Tensor | None], reverse: bool) -> list[Tensor | None]:
    """The same gradients in operations that have derivatives themselves."""
    from rushlight.autograd import grad

    x, *states, w, b = inputs
    outputs = unrolled(step, x, tuple(states), w, b, reverse)  # type: ignore[arg-type]
    wanted = [t for t in inputs if t is not None and t.requires_grad]
    found = iter(grad(outputs, wanted, g[: len(outputs)], create_graph=True, allow_unused=True))
    return [next(found) if t is not None and t.requires_grad else None for t in inputs]


def _lstm_rule(g: Any, results: Any, x: Any, h: Any, c: Any, w: Any, b: Any, *, reverse: bool) -> Any:
    if recorder().tracking:
        return _written_out(lstm_step, g, (x, h, c, w, b), reverse)
    hs, cs, gates, u = results[3], results[4], results[5], results[6]
    sums, of_h, of_c = apply(LSTM_BACK, (g[0], g[1], g[2], cs, gates, u, w), (reverse,))
    return (sums, of_h, of_c, *_of_weights(sums, hs, b, reverse))


def _gru_rule(g: Any, results: Any, x: Any, h: Any, w: Any, b: Any, *, reverse: bool) -> Any:
    if recorder().tracking:
        return _written_out(gru_step, g, (x, h, w, b), reverse)
    hs, gates, n_h = results[2], results[3], results[4]
    of_x, of_y, of_h = apply(GRU_BACK, (g[0], g[1], hs, gates, n_h, w), (reverse,))
    return (of_x, of_h, *_of_weights(of_y, hs, b, reverse))


def _plain_rule(written: Any, back: Operation) -> Callable[..., Any]:
    def rule(g: Any, results: Any, x: Any, h: Any, w: Any, b: Any, *, reverse: bool) -> Any:
        if recorder().tracking:
            return _written_out(written, g, (x, h, w, b), reverse)
        hs = results[2]
        sums, of_h = apply(back, (g[0], g[1], hs, w), (reverse,))
        return (sums, of_h, *_of_weights(sums, hs, b, reverse))

    return rule


LSTM_BACK = operation("lstm_backward", _lstm_back_spec, _lstm_back_kernel)
LSTM = operation("lstm_layer", _lstm_spec, _lstm_kernel, node="MkldnnRnnLayerBackward0").gradient(_lstm_rule)
GRU_BACK = operation("gru_backward", _gru_back_spec, _gru_back_kernel)
GRU = operation("gru_layer", _gru_spec, _gru_kernel, node="StackBackward0").gradient(_gru_rule)


def _cut_off(d: Any, y: Any) -> Any:
    """A gradient behind ReLU: nothing where the result is 0, were it infinite."""
    return np.where(y <= 0, d.dtype.type(0), d)


def _plain_layer(name: str, activation: Any, slope: Any, written: Any) -> Operation:
    back = operation(f"{name}_backward", _plain_back_spec, _plain_back_kernel(_plain_back(slope)))
    kernel = _plain_kernel(_plain(activation))
    layer = operation(f"{name}_layer", _plain_spec, kernel, node="StackBackward0")
    return layer.gradient(_plain_rule(written, back))


RNN_TANH = _plain_layer("rnn_tanh", np.tanh, lambda d, y: d * (1 - y * y), tanh_step)
RNN_RELU = _plain_layer("rnn_relu", lambda x: np.maximum(x, 0), _cut_off, relu_step)
LAYERS = {"LSTM": LSTM, "GRU": GRU, "RNN_TANH": RNN_TANH, "RNN_RELU": RNN_RELU}
STEPS = {"LSTM": lstm_step, "GRU": gru_step, "RNN_TANH": tanh_step, "RNN_RELU": relu_step}


def recurrence(
    mode: str, x: Tensor, states: Tensors, w: Tensor, b: Tensor | None, reverse: bool
) -> tuple[Tensor, Tensors]:
    """One direction of a recurrent layer over a padded sequence.

    Args:
        mode: "LSTM", "GRU", "RNN_TANH" or "RNN_RELU".
        x: (T, N, gates * H), the input's part of the sums, T at least 1; float32 or float64.
        states: (h,) or (h, c), each (N, H).
        w: (gates * H, H), the weights of the old state.
        b: (gates * H), their bias, or None.
        reverse: begins with the last place.

    Returns:
        The outputs (T, N, H), and the states after the last turn.
    """
    found = apply(LAYERS[mode], (x, *states, w, b), (reverse,))
    return found[0], tuple(found[1 : 1 + len(states)])
