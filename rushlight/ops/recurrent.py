"""Recurrent layers over whole sequences: the loop over time is inside one operation.

An LSTM, a GRU or a plain recurrent layer takes the input's part of the sums for all places at once (one product, made
before) and runs its steps in a `scan`: only the product with the old state is left in the loop.  The derivative runs a
second `scan` from the last place to the first, which gives the gradients of the sums; the gradients of the weights are
then single products over all places together.  Where the derivative itself shall be differentiated, it is taken of the
same layer written out step by step in tensor operations.

Packed sequences (`Packing`) are spread out to a rectangle inside the operation.  A sample's states stay as they are in
turns that are not its own, there and back; what else such a turn makes is never read.
In half precision the numbers between two operations of a step are rounded, as the operations themselves would do it.

Formulas: Hochreiter and Schmidhuber 1997 with Gers's forget gate and, projecting, Sak, Senior and Beaufays 2014, and
Cho et al. 2014 in the form of cuDNN, as https://pytorch.org/docs/stable/generated/torch.nn.LSTM.html and GRU.html
have them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from rushlight.core.dtype import dtype
from rushlight.core.scan import Arrays, Step, scan
from rushlight.record.operation import Operation, operation
from rushlight.record.spec import Spec, spec_of
from rushlight.record.trace import apply, recorder
from rushlight.record.value import Tensor

from .creation import wrap
from .elementary import _sigmoid
from .joining import stack
from .matmul import linear

Made = tuple[Arrays, Arrays]
Tensors = tuple[Tensor, ...]
Fit = Callable[[Any], Any]
"""Rounds numbers of float32 to what the layer's dtype can hold."""


class Packing(NamedTuple):
    """How the rows of a packed sequence lie in time and among the samples.

    Attributes:
        rows: (S,), the place t * N + n of every row.
        places: (T, N), the row of every place, and -1 where a sample has ended.
    """

    rows: Tensor
    places: Tensor

    @staticmethod
    def of(sizes: Sequence[int]) -> Packing:
        """Step t has the first `sizes[t]` samples."""
        there = np.arange(sizes[0]) < np.array(sizes)[:, None]
        places = np.where(there, np.cumsum(there).reshape(there.shape) - 1, -1)
        return Packing(wrap(np.flatnonzero(there)), wrap(places))


def _sums(h: Any, w: Any, b: Any) -> Any:
    """The old state's part of the sums."""
    found = h @ w.T
    return found if b is None else found + b


def _slope(gate: Any) -> Any:
    """The derivative of a sigmoid, from its value."""
    return (1 - gate) * gate


def _fitting(half: dtype | None) -> Fit:
    """Rounding to a dtype of half precision; without one, nothing."""
    if half is None:
        return lambda x: x
    kind = half.numpy
    return lambda x: x.astype(kind).astype(np.float32)


# ---------------------------------------------------------------------------------------------------------------------
# Steps: (states, elements, constants) -> (new states, results), forwards and backwards


def _lstm(fit: Fit) -> Step:
    """i, f, g, o = x + W h + b;  c' = sigmoid(f) c + sigmoid(i) tanh(g);  h' = P (sigmoid(o) tanh(c'))."""

    def step(states: Arrays, elements: Arrays, constants: Arrays) -> Made:
        (h, c), (x,), (w, b, hr) = states, elements, constants
        i, f, g, o = np.split(fit(x + fit(_sums(h, w, b))), 4, 1)
        i, f, g, o = fit(_sigmoid(i)), fit(_sigmoid(f)), fit(np.tanh(g)), fit(_sigmoid(o))
        new = fit(fit(f * c) + fit(i * g))
        u = fit(np.tanh(new))
        h = fit(o * u)
        return (h if hr is None else fit(h @ hr.T), new), (np.concatenate([i, f, g, o], 1), u)

    return step


def _lstm_back(states: Arrays, elements: Arrays, constants: Arrays) -> Made:
    """The gradients of the sums, and of the old states; `states` are those of the new states that come from later."""
    (of_h, of_c), (arrived, gates, u, c), (w, hr) = states, elements, constants
    i, f, g, o = np.split(gates, 4, 1)
    of_h = of_h + arrived
    projected, of_h = of_h, of_h if hr is None else of_h @ hr
    of_c = of_c + of_h * o * (1 - u * u)
    sums = np.concatenate(
        [of_c * g * _slope(i), of_c * c * _slope(f), of_c * i * (1 - g * g), of_h * u * _slope(o)], 1
    )
    return (sums @ w, of_c * f), (sums,) if hr is None else (sums, projected)


def _gru(fit: Fit) -> Step:
    """r, z = sigmoid(x + W h + b);  n = tanh(x + r (W h + b));  h' = (1 - z) n + z h."""

    def step(states: Arrays, elements: Arrays, constants: Arrays) -> Made:
        (h,), (x,) = states, elements
        (r, z, n), (r_h, z_h, n_h) = np.split(x, 3, 1), np.split(fit(_sums(h, *constants)), 3, 1)
        r, z = fit(_sigmoid(fit(r + r_h))), fit(_sigmoid(fit(z + z_h)))
        n = fit(np.tanh(fit(n + fit(n_h * r))))
        return (fit(fit(fit(h - n) * z) + n),), (np.concatenate([r, z, n], 1), n_h.copy())

    return step


def _gru_back(states: Arrays, elements: Arrays, constants: Arrays) -> Made:
    """The gradients of both parts of the sums, and of the old state."""
    (of_h,), (arrived, gates, n_h, h), (w,) = states, elements, constants
    r, z, n = np.split(gates, 3, 1)
    of_h = of_h + arrived
    to_n = of_h * (1 - z) * (1 - n * n)
    to_r, to_z = to_n * n_h * _slope(r), of_h * (h - n) * _slope(z)
    of_y = np.concatenate([to_r, to_z, to_n * r], 1)
    return (of_y @ w + of_h * z,), (np.concatenate([to_r, to_z, to_n], 1), of_y)


def _plain(activation: Callable[[Any], Any]) -> Callable[[Fit], Step]:
    """h' = f(x + W h + b)."""

    def fitting(fit: Fit) -> Step:
        def step(states: Arrays, elements: Arrays, constants: Arrays) -> Made:
            return (fit(activation(fit(elements[0] + fit(_sums(states[0], *constants))))),), ()

        return step

    return fitting


def _plain_back(slope: Callable[[Any, Any], Any]) -> Step:
    """`slope` is what a gradient becomes behind the activation, given its value."""

    def step(states: Arrays, elements: Arrays, constants: Arrays) -> Made:
        (of_h,), (arrived, h), (w,) = states, elements, constants
        sums = slope(of_h + arrived, h)
        return (sums @ w,), (sums,)

    return step


def _fitted(step: Step, fit: Fit) -> Step:
    """A step whose new states are rounded."""

    def fitted(states: Arrays, elements: Arrays, constants: Arrays) -> Made:
        new, made = step(states, elements, constants)
        return [fit(s) for s in new], made

    return fitted


def _masked(step: Step) -> Step:
    """A step whose last element says which samples it is for; the states of the others stay."""

    def masked(states: Arrays, elements: Arrays, constants: Arrays) -> Made:
        *own, there = elements
        new, made = step(states, own, constants)
        return [np.where(there[:, None], n, s) for n, s in zip(new, states, strict=True)], made

    return masked


def _turns(
    step: Step, states: Arrays, sequences: Arrays, constants: Arrays, places: Any, reverse: bool, keep: bool = True
) -> tuple[list[Any], list[Any]]:
    """A scan over padded or packed sequences, which are given as padded ones."""
    if places is not None:
        step, sequences = _masked(step), (*sequences, places >= 0)
    return scan(step, states, sequences, constants, reverse, keep, batched=True)


def _spread(x: Any, places: Any) -> Any:
    """Packed rows as a padded sequence: where a sample has ended, a row of another stands."""
    if places is None:
        return x
    return x.take(np.maximum(places, 0).reshape(-1), axis=0).reshape((*places.shape, *x.shape[1:]))


def _gathered(x: Any, rows: Any) -> Any:
    """A padded sequence as packed rows; a copy of it where nothing is packed."""
    return x.copy() if rows is None else x.reshape((-1, *x.shape[2:])).take(rows, axis=0)


# ---------------------------------------------------------------------------------------------------------------------
# The same steps in tensor operations, for derivatives of derivatives


def lstm_step(x: Tensor, states: Tensors, w: Tensor, b: Tensor | None, hr: Tensor | None = None) -> Tensors:
    """`_lstm` of tensors: x is the input's part of the sums, (N, 4 H)."""
    h, c = states
    i, f, g, o = (x + linear(h, w, b)).chunk(4, 1)
    c = f.sigmoid() * c + i.sigmoid() * g.tanh()
    h = o.sigmoid() * c.tanh()
    return h if hr is None else linear(h, hr), c


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


def unrolled(
    step: Any, x: Tensor, states: Tensors, weights: Sequence[Tensor | None], reverse: bool,
    packing: Packing | None = None,
) -> Tensors:  # fmt: skip
    """A layer written out: the outputs of all places, and the last states."""
    there = None
    if packing is not None:
        there = (packing.places >= 0).unsqueeze(2)
        x = x.index_select(0, packing.places.clamp(min=0).reshape(-1)).reshape(*there.shape[:2], x.shape[1])
    outputs = []
    for t in reversed(range(x.shape[0])) if reverse else range(x.shape[0]):
        new = step(x[t], states, *weights)
        states = new if there is None else tuple(n.where(there[t], s) for n, s in zip(new, states, strict=True))
        outputs.append(states[0])
    found = stack(outputs[::-1] if reverse else outputs)
    if packing is not None:
        found = found.reshape(-1, found.shape[2]).index_select(0, packing.rows)
    return found, *states


# ---------------------------------------------------------------------------------------------------------------------
# Operations: `rows` and `places` are those of a `Packing`, or None


def _rows(reverse: bool) -> tuple[slice, slice, int]:
    """The rows of a history before and after each place, and the last one written."""
    before, after = slice(0, -1), slice(1, None)
    return (after, before, 0) if reverse else (before, after, -1)


def _last(arrays: Sequence[Any], reverse: bool) -> tuple[Any, ...]:
    return tuple(a[_rows(reverse)[2]].copy() for a in arrays)


def _over(x: Spec, places: Spec | None, width: int, more: int = 0) -> Spec:
    """Numbers of all places and samples."""
    count, samples = (x if places is None else places).shape[:2]
    return spec_of((count + more, samples, width), x.dtype)


def _like(x: Spec, width: int | None = None) -> Spec:
    """A result of x's form, of as many numbers or others."""
    return spec_of(x.shape if width is None else (*x.shape[:-1], width), x.dtype)


def _lstm_spec(x: Spec, h: Spec, c: Spec, w: Spec, b: Spec | None, hr: Spec | None, rows: Spec | None,
               places: Spec | None, *, reverse: bool, half: dtype | None) -> tuple[Spec, ...]:  # fmt: skip
    (_, p), (_, n) = h.shape, c.shape
    histories = _over(x, places, p, 1), _over(x, places, n, 1)
    return _like(x, p), _like(h), _like(c), *histories, _over(x, places, 4 * n), _over(x, places, n)


def _lstm_kernel(x: Any, h: Any, c: Any, w: Any, b: Any, hr: Any, rows: Any, places: Any, *, reverse: bool,
                 half: dtype | None) -> Any:  # fmt: skip
    constants = w, b, hr
    histories, results = _turns(_lstm(_fitting(half)), (h, c), (_spread(x, places),), constants, places, reverse)
    return (_gathered(histories[0][_rows(reverse)[1]], rows), *_last(histories, reverse), *histories, *results)


def _lstm_back_spec(g: Spec, of_h: Spec, of_c: Spec, cs: Spec, gates: Spec, u: Spec, w: Spec, hr: Spec | None,
                    rows: Spec | None, places: Spec | None, *, reverse: bool,
                    half: dtype | None) -> tuple[Spec, ...]:  # fmt: skip
    projected = () if hr is None else (_like(g),)
    return _like(of_h), _like(of_c), _like(g, w.shape[0]), *projected


def _lstm_back_kernel(g: Any, of_h: Any, of_c: Any, cs: Any, gates: Any, u: Any, w: Any, hr: Any, rows: Any,
                      places: Any, *, reverse: bool, half: dtype | None) -> Any:  # fmt: skip
    sequences = _spread(g, places), gates, u, cs[_rows(reverse)[0]]
    step = _fitted(_lstm_back, _fitting(half))
    states, results = _turns(step, (of_h, of_c), sequences, (w, hr), places, not reverse, keep=False)
    return *[s.copy() for s in states], *[_gathered(r, rows) for r in results]


def _gru_spec(x: Spec, h: Spec, w: Spec, b: Spec | None, rows: Spec | None, places: Spec | None, *, reverse: bool,
              half: dtype | None) -> tuple[Spec, ...]:  # fmt: skip
    n = w.shape[1]
    return _like(x, n), _like(h), _over(x, places, n, 1), _over(x, places, 3 * n), _over(x, places, n)


def _gru_kernel(x: Any, h: Any, w: Any, b: Any, rows: Any, places: Any, *, reverse: bool,
                half: dtype | None) -> Any:  # fmt: skip
    histories, results = _turns(_gru(_fitting(half)), (h,), (_spread(x, places),), (w, b), places, reverse)
    return (_gathered(histories[0][_rows(reverse)[1]], rows), *_last(histories, reverse), *histories, *results)


def _gru_back_spec(g: Spec, of_h: Spec, hs: Spec, gates: Spec, n_h: Spec, w: Spec, rows: Spec | None,
                   places: Spec | None, *, reverse: bool, half: dtype | None) -> tuple[Spec, ...]:  # fmt: skip
    return _like(of_h), _like(g, w.shape[0]), _like(g, w.shape[0])


def _gru_back_kernel(g: Any, of_h: Any, hs: Any, gates: Any, n_h: Any, w: Any, rows: Any, places: Any, *,
                     reverse: bool, half: dtype | None) -> Any:  # fmt: skip
    sequences = _spread(g, places), gates, n_h, hs[_rows(reverse)[0]]
    step = _fitted(_gru_back, _fitting(half))
    states, results = _turns(step, (of_h,), sequences, (w,), places, not reverse, keep=False)
    return states[0].copy(), *[_gathered(r, rows) for r in results]


def _plain_spec(x: Spec, h: Spec, w: Spec, b: Spec | None, rows: Spec | None, places: Spec | None, *, reverse: bool,
                half: dtype | None) -> tuple[Spec, ...]:  # fmt: skip
    n = w.shape[1]
    return _like(x, n), _like(h), _over(x, places, n, 1)


def _plain_kernel(step: Callable[[Fit], Step]) -> Callable[..., Any]:
    def kernel(x: Any, h: Any, w: Any, b: Any, rows: Any, places: Any, *, reverse: bool, half: dtype | None) -> Any:
        histories, _ = _turns(step(_fitting(half)), (h,), (_spread(x, places),), (w, b), places, reverse)
        return (_gathered(histories[0][_rows(reverse)[1]], rows), *_last(histories, reverse), *histories)

    return kernel


def _plain_back_spec(g: Spec, of_h: Spec, hs: Spec, w: Spec, rows: Spec | None, places: Spec | None, *,
                     reverse: bool, half: dtype | None) -> tuple[Spec, ...]:  # fmt: skip
    return _like(of_h), _like(g)


def _plain_back_kernel(step: Step) -> Callable[..., Any]:
    def kernel(g: Any, of_h: Any, hs: Any, w: Any, rows: Any, places: Any, *, reverse: bool,
               half: dtype | None) -> Any:  # fmt: skip
        sequences = _spread(g, places), hs[_rows(reverse)[1]]
        fitted = _fitted(step, _fitting(half))
        states, results = _turns(fitted, (of_h,), sequences, (w,), places, not reverse, keep=False)
        return states[0].copy(), *[_gathered(r, rows) for r in results]

    return kernel


# ---------------------------------------------------------------------------------------------------------------------
# Derivatives


def _by_rows(x: Tensor, rows: Tensor | None) -> Tensor:
    """Numbers of all places and samples as the rows of a matrix; of the places that there are."""
    found = x.reshape(-1, x.shape[-1])
    return found if rows is None else found.index_select(0, rows)


def _of_weights(
    sums: Tensor, hs: Tensor, b: Tensor | None, rows: Tensor | None, reverse: bool
) -> tuple[Tensor, Tensor | None]:
    """The gradients of W and b from those of the sums: one product over all places."""
    of_w = sums.reshape(-1, sums.shape[-1]).t().mm(_by_rows(hs[_rows(reverse)[0]], rows))
    return of_w, None if b is None else sums.sum(tuple(range(sums.dim() - 1)))


def _written_out(
    mode: str, g: Any, x: Tensor, states: Tensors, weights: Sequence[Tensor | None], packing: Any, reverse: bool
) -> list[Tensor | None]:
    """The same gradients in operations that have derivatives themselves."""
    from rushlight.autograd import grad

    inputs = (x, *states, *weights)
    outputs = unrolled(STEPS[mode], x, states, weights, reverse, None if packing[0] is None else Packing(*packing))
    wanted = [t for t in inputs if t is not None and t.requires_grad]
    found = iter(grad(outputs, wanted, g[: len(outputs)], create_graph=True, allow_unused=True))
    return [next(found) if t is not None and t.requires_grad else None for t in inputs] + [None, None]


def _lstm_rule(g: Any, results: Any, x: Any, h: Any, c: Any, w: Any, b: Any, hr: Any, rows: Any, places: Any, *,
               reverse: bool, half: Any) -> Any:  # fmt: skip
    if recorder().tracking:
        return _written_out("LSTM", g, x, (h, c), (w, b, hr), (rows, places), reverse)
    hs, cs, gates, u = results[3], results[4], results[5], results[6]
    operands = (g[0], g[1], g[2], cs, gates, u, w, hr, rows, places)
    of_h, of_c, sums, *projected = apply(LSTM_BACK, operands, (reverse, half))
    of_hr = None
    if hr is not None:
        made = gates[:, :, -u.shape[2] :] * u
        of_hr = projected[0].reshape(-1, hr.shape[0]).t().mm(_by_rows(made, rows))
    return (sums, of_h, of_c, *_of_weights(sums, hs, b, rows, reverse), of_hr, None, None)


def _gru_rule(g: Any, results: Any, x: Any, h: Any, w: Any, b: Any, rows: Any, places: Any, *, reverse: bool,
              half: Any) -> Any:  # fmt: skip
    if recorder().tracking:
        return _written_out("GRU", g, x, (h,), (w, b), (rows, places), reverse)
    hs, gates, n_h = results[2], results[3], results[4]
    of_h, of_x, of_y = apply(GRU_BACK, (g[0], g[1], hs, gates, n_h, w, rows, places), (reverse, half))
    return (of_x, of_h, *_of_weights(of_y, hs, b, rows, reverse), None, None)


def _plain_rule(mode: str, back: Operation) -> Callable[..., Any]:
    def rule(g: Any, results: Any, x: Any, h: Any, w: Any, b: Any, rows: Any, places: Any, *, reverse: bool,
             half: Any) -> Any:  # fmt: skip
        if recorder().tracking:
            return _written_out(mode, g, x, (h,), (w, b), (rows, places), reverse)
        hs = results[2]
        of_h, sums = apply(back, (g[0], g[1], hs, w, rows, places), (reverse, half))
        return (sums, of_h, *_of_weights(sums, hs, b, rows, reverse), None, None)

    return rule


LSTM_BACK = operation("lstm_backward", _lstm_back_spec, _lstm_back_kernel)
LSTM = operation("lstm_layer", _lstm_spec, _lstm_kernel, node="MkldnnRnnLayerBackward0").gradient(_lstm_rule)
GRU_BACK = operation("gru_backward", _gru_back_spec, _gru_back_kernel)
GRU = operation("gru_layer", _gru_spec, _gru_kernel, node="StackBackward0").gradient(_gru_rule)


def _cut_off(d: Any, y: Any) -> Any:
    """A gradient behind ReLU: nothing where the result is 0, were it infinite."""
    return np.where(y <= 0, d.dtype.type(0), d)


def _plain_layer(mode: str, activation: Any, slope: Any) -> Operation:
    name = mode.lower()
    back = operation(f"{name}_backward", _plain_back_spec, _plain_back_kernel(_plain_back(slope)))
    layer = operation(f"{name}_layer", _plain_spec, _plain_kernel(_plain(activation)), node="StackBackward0")
    return layer.gradient(_plain_rule(mode, back))


RNN_TANH = _plain_layer("RNN_TANH", np.tanh, lambda d, y: d * (1 - y * y))
RNN_RELU = _plain_layer("RNN_RELU", lambda x: np.maximum(x, 0), _cut_off)
LAYERS = {"LSTM": LSTM, "GRU": GRU, "RNN_TANH": RNN_TANH, "RNN_RELU": RNN_RELU}
STEPS = {"LSTM": lstm_step, "GRU": gru_step, "RNN_TANH": tanh_step, "RNN_RELU": relu_step}


def recurrence(
    mode: str,
    x: Tensor,
    states: Tensors,
    weights: Sequence[Tensor | None],
    reverse: bool = False,
    packing: Packing | None = None,
) -> tuple[Tensor, Tensors]:
    """One direction of a recurrent layer over a padded or packed sequence.

    Args:
        mode: "LSTM", "GRU", "RNN_TANH" or "RNN_RELU".
        x: (T, N, gates * H), the input's part of the sums, T at least 1; packed (S, gates * H).
        states: (h,) or (h, c), each (N, H); h of an LSTM that projects is (N, P).
        weights: those of the old state, (gates * H, H), their bias, (gates * H), or None, and, of an LSTM, those of the
            projection, (P, H), or None.
        reverse: begins with the last place.
        packing: of a packed sequence.

    Returns:
        The outputs (T, N, H) or (S, H), and the states after the last turn.
    """
    kinds = {t.dtype for t in (x, *states, *weights) if t is not None}
    if len(kinds) > 1 or not all(states[0].shape):  # it has no samples, or the first product says what is wrong
        found = unrolled(STEPS[mode], x, states, weights, reverse, packing)
        return found[0], found[1:]
    (kind,) = kinds
    operands = (x, *states, *weights, *(packing or (None, None)))
    found = apply(LAYERS[mode], operands, (reverse, kind if kind.itemsize == 2 else None))
    return found[0], tuple(found[1 : 1 + len(states)])
