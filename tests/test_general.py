"""Machine code for arrays of any extents beside the NumPy kernels that it stands for, and beside its interpreter.

Every operation of `ops/general.py` gets operands of random extents, those without elements and those with less and more
than a vector among them.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import rushlight as torch
import rushlight.optim.adam
from rushlight.codegen import background, interpret, routines, verify
from rushlight.codegen import general as machine_code
from rushlight.codegen.machine import machine
from rushlight.core.dtype import from_numpy as dtype_of
from rushlight.ops import (
    factorization,
    general,
    general_attention,
    general_convolution,
    general_images,
    general_matrices,
    general_recurrent,
    general_spectral,
)
from rushlight.ops.im2col import Geometry
from rushlight.ops.pooling import Windows
from rushlight.ops.reduction_mode import MODES
from rushlight.ops.standardize import Form
from rushlight.ops.upsampling import Axis
from rushlight.record.operation import operations

LISTED = general_attention, general_convolution, general_images, general_matrices, general_recurrent

KINDS = (np.float32, np.float64)
Random = np.random.Generator
Made = tuple[list[Any], dict[str, Any]]


@functools.cache
def native() -> dict[str, Callable[..., bool]]:
    found: dict[str, Callable[..., bool]] = {}
    for group in background.GENERAL:
        found |= routines.general(group, machine())
    return found


@pytest.fixture(autouse=True, scope="module")
def own_cache(tmp_path_factory: Any) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RUSHLIGHT_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(autouse=True)
def small_layers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Has attention go head by head, and convolutions run in machine code that would not be worth it."""
    monkeypatch.setattr(general_attention, "SMALL", 300)
    monkeypatch.setattr(general_convolution, "LEAST", 0)
    monkeypatch.setattr(general_convolution, "WASTE", 50)


# ---------------------------------------------------------------------------------------------------------------------
# Operands


def _floats(r: Random, kind: Any, *shape: int) -> Any:
    return (3 * r.standard_normal(shape)).astype(kind)


def _extents(r: Random, count: int) -> list[int]:
    return [int(n) for n in r.choice([0, 1, 2, 3, 7, 8, 15, 16, 17, 31, 33, 50], count)]


def _one(*numbers: float | None, **attributes: Any) -> Callable[[Random, Any], Made]:
    return lambda r, kind: ([_floats(r, kind, *_extents(r, 2)), *numbers], attributes)


def _two(*numbers: float, **attributes: Any) -> Callable[[Random, Any], Made]:
    def make(r: Random, kind: Any) -> Made:
        shape = _extents(r, 2)
        return [_floats(r, kind, *shape), _floats(r, kind, *shape), *numbers], attributes

    return make


def _either(*makers: Callable[[Random, Any], Made]) -> Callable[[Random, Any], Made]:
    return lambda r, kind: makers[int(r.integers(0, len(makers)))](r, kind)


def _matrix(r: Random, kind: Any) -> Any:
    return _floats(r, kind, *_extents(r, 2))


def _layer_norm(r: Random, kind: Any) -> Made:
    rows, width = (n + 1 for n in _extents(r, 2))
    w, b = (None if r.random() < 0.3 else _floats(r, kind, width) for _ in range(2))
    return [_floats(r, kind, rows, width), w, b, 1e-5], {"form": Form((rows, width), (1,), (1, width))}


def _back_of_norm(forward: Callable[[Random, Any], Made]) -> Callable[[Random, Any], Made]:
    def make(r: Random, kind: Any) -> Made:
        (x, w, _, eps), attributes = forward(r, kind)
        z, form = x.reshape(attributes["form"].shape), attributes["form"]
        moments = z.mean(form.axes, keepdims=True), z.var(form.axes, keepdims=True)
        return [_floats(r, kind, *x.shape), x, w, *moments, eps], attributes

    return make


def _batch_norm(r: Random, kind: Any) -> Made:
    n, c, (h, w) = int(r.integers(1, 4)), int(r.integers(1, 5)), (int(k) + 3 for k in r.integers(0, 9, 2))
    if alone := r.random() < 0.4:
        n, c, h, w = n + 3, c * 7, 1, 1
    weights = (None if r.random() < 0.3 else _floats(r, kind, c) for _ in range(2))
    if alone and r.random() < 0.5:
        return [_floats(r, kind, n, c), *weights, 1e-5], {"form": Form((n, c), (0,), (1, c))}
    form = Form((n, c, h * w), (0, 2), (1, c, 1))
    return [_floats(r, kind, n, c, h, w), *weights, 1e-5], {"form": form}


def _fixed_norm(r: Random, kind: Any) -> Made:
    n, c, places = (int(k) for k in r.integers(1, 30, 3))
    w, b = (None if r.random() < 0.3 else _floats(r, kind, c) for _ in range(2))
    return [_floats(r, kind, n, c, places), w, b, _floats(r, kind, c), _floats(r, kind, c) ** 2, 1e-5], {}


def _group_norm(r: Random, kind: Any) -> Made:
    n, groups, each, (h, w) = (*(int(r.integers(1, 4)) for _ in range(3)), (int(k) + 3 for k in r.integers(0, 9, 2)))
    weights = (None if r.random() < 0.3 else _floats(r, kind, groups * each) for _ in range(2))
    form = Form((n, groups, each, h * w), (2, 3), (1, groups, each, 1))
    return [_floats(r, kind, n, groups * each, h, w), *weights, 1e-5], {"form": form}


def _instance_norm(r: Random, kind: Any) -> Made:
    (x, *weights, eps), attributes = _batch_norm(r, kind)
    shape = (*attributes["form"].shape, 1)[:3]
    return [x, *weights, eps], {"form": Form(shape, (2,), (1, shape[1], 1))}


def _attention(r: Random, kind: Any) -> Made:
    b, h, length, keys, width = (int(n) for n in r.integers(1, 20, 5))
    q, k, v = (_floats(r, kind, b, n, h, width).swapaxes(1, 2) for n in (length, keys, keys))
    masks = _floats(r, kind, h, length, 1), r.random((b, 1, length, keys)) < 0.7, r.random(keys) < 0.7
    mask = masks[int(r.integers(0, 3))] if r.random() < 0.5 else None
    return [q, k, v, mask, 0.25], {"causal": mask is None and bool(r.random() < 0.5)}


def _attention_back_by_sums(r: Random, kind: Any) -> Made:
    operands, attributes = _attention(r, kind)
    results = operations()["scaled_dot_product_attention"].kernel(*operands, **attributes)
    g = _floats(r, kind, *results[0].shape) / kind(20)  # the kernel's rounding errors are what is left of one key
    return [g, *operands, *results], attributes


def _attention_back(r: Random, kind: Any) -> Made:
    (q, k, v, _, scale), _ = _attention(r, kind)
    weights = r.random((*q.shape[:3], k.shape[2])).astype(kind) / kind(k.shape[2])
    return [_floats(r, kind, *q.shape), q, k, v, weights, scale], {}


def _positions(r: Random, rows: int, *shape: int) -> Any:
    return r.integers(0, rows, shape) if rows else np.zeros([0 for _ in shape], np.int64)


def _embedding(r: Random, kind: Any) -> Made:
    rows, width, count = _extents(r, 3)
    return [_floats(r, kind, rows, width), _positions(r, rows, count, 2)], {"padding_idx": -1, "by_freq": False}


def _embedding_back(r: Random, kind: Any) -> Made:
    rows, width, count = _extents(r, 3)
    index = _positions(r, rows, count, 2)
    attributes = {"rows": rows, "padding_idx": int(r.integers(-1, max(rows, 1))) if rows else -1, "by_freq": False}
    return [_floats(r, kind, *index.shape, width), index], attributes


def _bags(back: bool) -> Callable[[Random, Any], Made]:
    def make(r: Random, kind: Any) -> Made:
        lengths = r.integers(0, 6, int(r.integers(1, 7)))
        count, width = int(lengths.sum()), _extents(r, 1)[0]
        offsets = np.cumsum(lengths) - lengths
        rows = _floats(r, kind, len(lengths) if back else count, width)
        attributes = {"mean": bool(r.random() < 0.5), "padding_idx": -1, "include_last": False, "length": 0}
        return [rows, r.integers(0, 9, count), offsets], attributes

    return make


def _sum(r: Random, kind: Any) -> Made:
    first, last = sorted(int(d) for d in r.choice(4, 2, replace=False))
    return [_floats(r, kind, *_extents(r, 3))], {"dim": tuple(range(first, last)), "keepdim": bool(r.random() < 0.5)}


def _loss(a: float | None) -> Callable[[Random, Any], Made]:
    def make(r: Random, kind: Any) -> Made:
        shape = [n + 1 for n in _extents(r, 2)]
        return [_floats(r, kind, *shape), _floats(r, kind, *shape), a, None], {"reduction": str(r.choice(MODES))}

    return make


def _prelu(r: Random, kind: Any) -> Made:
    return [_matrix(r, kind), _floats(r, kind, 1)], {}


def _index_select(r: Random, kind: Any) -> Made:
    rows, width, count = _extents(r, 3)
    x, index = _floats(r, kind, rows, 2, width), _positions(r, rows, count)
    return ([x.T.copy(), index], {"dim": 2}) if r.random() < 0.5 else ([x, index], {"dim": 0})


def _index_add(r: Random, kind: Any) -> Made:
    rows, width, count = _extents(r, 3)
    index = _positions(r, rows, count)
    x, source = _floats(r, kind, rows, width), _floats(r, kind, len(index), width)
    return ([x.T.copy(), index, source.T.copy()], {"dim": 1}) if r.random() < 0.5 else ([x, index, source], {"dim": 0})


def _index_adjoint(r: Random, kind: Any) -> Made:
    rows, width, count = _extents(r, 3)
    index = _positions(r, rows, count) - rows * (r.random(count if rows else 0) < 0.3)
    return [_floats(r, kind, len(index), width), index], {"places": (True, False), "shape": (rows, width)}


def _along(r: Random, kind: Any) -> Made:
    shape, dim = _extents(r, 3), int(r.integers(0, 3))
    longer = [max(n, 1) if d == dim else n for d, n in enumerate(shape)]
    index = r.integers(0, longer[dim], shape)
    return [_floats(r, kind, *longer), index, _floats(r, kind, *shape)], {"dim": dim}


def _scatter(r: Random, kind: Any) -> Made:
    (x, _, source), attributes = _along(r, kind)
    dim = attributes["dim"]
    index = np.argsort(r.random(source.shape), dim) if source.shape[dim] <= x.shape[dim] else None
    assert index is not None  # every position once: what comes last would win
    return [x, index, source], attributes


def _gather(r: Random, kind: Any) -> Made:
    (x, index, _), attributes = _along(r, kind)
    return [x, index], attributes


def _max_dim(r: Random, kind: Any) -> Made:
    shape, dim = [n + 1 for n in _extents(r, 3)], int(r.integers(0, 2))
    x = np.round(_floats(r, kind, *shape))
    x[r.random(x.shape) < 0.02] = np.nan
    return [x], {"dim": dim, "keepdim": bool(r.random() < 0.5)}


def _nll(r: Random, kind: Any) -> Made:
    rows, classes = (n + 1 for n in _extents(r, 2))
    target = r.integers(0, classes, rows)
    target[r.random(rows) < 0.1] = -100
    reduction = "mean" if r.random() < 0.5 else "sum"
    return [_floats(r, kind, rows, classes), target, None], {"reduction": reduction, "ignore_index": -100}


def _nll_back(r: Random, kind: Any) -> Made:
    (x, target, _), attributes = _nll(r, kind)
    return [_floats(r, kind, 1).reshape(()), target, None], {"shape": x.shape, **attributes}


def _pool(r: Random, kind: Any) -> Made:
    n, c, h, w = (int(k) for k in r.integers(1, 40, 4))
    windows = Windows((2, 2), (2, 2), (0, 0), (1, 1), (h // 2, w // 2))
    x = np.round(_floats(r, kind, n % 3 + 1, c % 3 + 1, h, w))
    x[r.random(x.shape) < 0.02] = np.nan
    return [x], {"windows": windows}


def _pool_back(r: Random, kind: Any) -> Made:
    (x,), attributes = _pool(r, kind)
    out = *x.shape[:2], *attributes["windows"].out
    return [_floats(r, kind, *out), r.integers(0, 4, out).astype(np.uint8)], {"space": x.shape[2:], **attributes}


def _convolution(r: Random, kind: Any) -> Made:
    ndim, groups = int(r.integers(1, 4)), int(r.choice([1, 1, 2, 3]))
    stride, padding, dilation, kernel = (
        tuple(int(n) for n in r.integers(low, high, ndim)) for low, high in ((1, 4), (0, 4), (1, 3), (1, 5))
    )
    channels, outputs = (groups * int(n) for n in r.choice([1, 2, 3, 5, 9], 2))
    x = _floats(r, kind, int(r.integers(1, 4)), channels, *(int(n) for n in r.integers(8, 14, ndim)))
    w, b = _floats(r, kind, outputs, channels // groups, *kernel), _floats(r, kind, outputs)
    geometry = Geometry(stride, padding, dilation, groups)
    return [x, w, b if r.random() < 0.5 else None], {"geometry": geometry}


def _convolution_back(by_weight: bool) -> Callable[[Random, Any], Made]:
    def make(r: Random, kind: Any) -> Made:
        (x, w, _), attributes = _convolution(r, kind)
        space, kernel = x.shape[2:], w.shape[2:]
        d = _floats(r, kind, len(x), len(w), *attributes["geometry"].output(space, kernel))
        if by_weight:
            return [x, d], {"kernel": kernel, **attributes}
        b = None if r.random() < 0.5 else _floats(r, kind, x.shape[1])
        return [d, w, b], {"space": space, **attributes}

    return make


def _packing(r: Random, t: int, n: int) -> tuple[Any, Any]:
    """Rows and places of a packed sequence, or None."""
    if r.random() < 0.5:
        return None, None
    sizes = np.sort(r.integers(1, n + 1, t))[::-1]
    sizes[0] = n
    there = np.arange(n) < sizes[:, None]
    return np.flatnonzero(there), np.where(there, np.cumsum(there).reshape(there.shape) - 1, -1)


def _layer(gates: int, states: int, projected: int = 0) -> Callable[[Random, Any], Made]:
    def make(r: Random, kind: Any) -> Made:
        t, n, width = (int(k) for k in r.integers(1, [6, 5, 40]))
        rows, places = _packing(r, t, n)
        x = _floats(r, kind, t, n, gates * width) if rows is None else _floats(r, kind, len(rows), gates * width)
        b = None if r.random() < 0.5 else _floats(r, kind, gates * width)
        w = _floats(r, kind, gates * width, width) / 10
        first = [_floats(r, kind, n, width) for _ in range(states)]
        more = [None] * projected
        return [x, *first, w, b, *more, rows, places], {"reverse": bool(r.random() < 0.5), "half": None}

    return make


def _layer_back(name: str, forward: Callable[[Random, Any], Made]) -> Callable[[Random, Any], Made]:
    def make(r: Random, kind: Any) -> Made:
        operands, attributes = forward(r, kind)
        results = operations()[name].kernel(*operands, **attributes)
        rows, places = operands[-2:]
        given = [_floats(r, kind, *results[0].shape), _floats(r, kind, *operands[1].shape)]
        if name == "lstm_layer":
            given += [_floats(r, kind, *operands[2].shape), *results[4:7], operands[3], None]
            return [*given, rows, places], attributes
        return [*given, *results[2:], operands[2], rows, places], attributes

    return make


def _gelu(count: int) -> Callable[[Random, Any], Made]:
    def make(r: Random, kind: Any) -> Made:
        shape = _extents(r, 2)
        return [_floats(r, kind, *shape) for _ in range(count)], {"tanh": bool(r.random() < 0.5)}

    return make


def _adam(r: Random, kind: Any) -> Made:
    param, grad, m, v = _floats(r, kind, 4, *_extents(r, 2))
    decay, decoupled = (bool(x) for x in r.random(2) < 0.5)
    flags = {"maximize": False, "decay": decay, "decoupled": decoupled, "small_weight1": True}
    return [param, grad, m, v * v, None, 0.01, 0.1, 0.999, 0.001, 0.3, 1e-8, 1e-3], flags


def _running(r: Random, kind: Any) -> Made:
    x = _floats(r, kind, *_extents(r, 3)) / 2
    return [x], {"dim": int(r.integers(0, 3))}


def _spectrum(r: Random, kind: Any, shape: tuple[int, ...]) -> Any:
    return _floats(r, kind, *shape) + np.array(1j, np.result_type(kind, np.complex64)) * _floats(r, kind, *shape)


def _fourier(real: bool) -> Callable[[Random, Any], Made]:
    """Signals of lengths with small factors mostly, few and many, short and long; one dimension or two."""

    def make(r: Random, kind: Any) -> Made:
        n, m = (int(k) for k in r.choice([1, 2, 6, 7, 8, 15, 16, 25, 48, 60], 2))
        shape = ((m, n), (3, m, n), (40, n), (1, 5120))[r.integers(4)]
        dims = ((-1,), (-2, -1), (0,), (0, -1))[r.integers(2 if real else 4)]
        x = _floats(r, kind, *shape) if real else _spectrum(r, kind, shape)
        attributes = {"dims": tuple(d % len(shape) for d in dims), "scale": ("none", "root", "whole")[r.integers(3)]}
        return [x], attributes if real else {**attributes, "forward": bool(r.random() < 0.5)}

    return make


def _half_spectrum(r: Random, kind: Any) -> Made:
    (x,), attributes = _fourier(True)(r, kind)
    shape = *x.shape[:-1], x.shape[-1] // 2 + 1
    return [_spectrum(r, kind, shape)], {**attributes, "size": x.shape[-1]}


OPERANDS: dict[str, Callable[[Random, Any], Made]] = {
    "cumsum": _running, "cumprod": _running,
    "fft_c2c": _fourier(False), "fft_r2c": _fourier(True), "fft_c2r": _half_spectrum,
    **dict.fromkeys(("relu", "sigmoid", "silu", "mish", "log_sigmoid", "hardswish"), _one()),
    "softplus": _one(1.5, 20.0), "leaky_relu": _one(0.1), "elu": _one(1.5, 1.0, 2.0),
    "hardtanh": _one(-1.5, 2), "clamp": _one(-1.5, 2.5), "prelu": _prelu, "smooth_l1_loss": _loss(0.7),
    "huber_loss": _loss(1.5), "binary_cross_entropy_with_logits": _loss(None),
    "clamp_min": _one(-1.5, None), "clamp_max": _one(None, 1.5),
    "hardtanh_backward": _two(-1.5, 2),
    "elu_backward": _two(1.5, 1.0, 2.0), "leaky_relu_backward": _two(0.1), "gelu": _gelu(1), "adam_step": _adam,
    **dict.fromkeys([f"{name}_backward" for name in ("silu", "mish", "log_sigmoid", "hardswish")], _two()),
    "threshold_backward": _two(0), "softplus_backward": _two(1.5, 20.0), "gelu_backward": _gelu(2),
    **dict.fromkeys(("softmax", "log_softmax"), _either(_one(dim=0), _one(dim=1))),
    "logsumexp": _one(dim=(1,), keepdim=True),
    **dict.fromkeys(("softmax_backward", "log_softmax_backward"), _either(_two(dim=0), _two(dim=1))),
    "layer_norm": _layer_norm, "layer_norm_backward": _back_of_norm(_layer_norm),
    "batch_norm": _batch_norm, "batch_norm_backward": _back_of_norm(_batch_norm),
    "batch_norm_fixed": _fixed_norm, "group_norm": _group_norm, "group_norm_backward": _back_of_norm(_group_norm),
    "instance_norm": _instance_norm, "instance_norm_backward": _back_of_norm(_instance_norm),
    "attention_keeping_weights": _attention, "scaled_dot_product_attention": _attention,
    "attention_keeping_weights_backward": _attention_back,
    "scaled_dot_product_attention_backward": _attention_back_by_sums,
    "embedding": _embedding, "embedding_backward": _embedding_back, "index_select": _index_select,
    "embedding_bag": _bags(False), "embedding_bag_backward": _bags(True), "sum_dim": _sum, "mean_dim": _sum,
    "index_add": _index_add, "index_adjoint": _index_adjoint, "scatter_add": _along, "scatter": _scatter,
    "gather": _gather, "max_dim": _max_dim, "nll_loss": _nll, "nll_loss_backward": _nll_back,
    "convolution": _convolution, "convolution_weight": _convolution_back(True),
    **dict.fromkeys(("convolution_input", "convolution_transposed"), _convolution_back(False)),
    "max_pool2d": _pool, "max_pool_backward": _pool_back,
    "lstm_layer": _layer(4, 2, 1), "lstm_backward": _layer_back("lstm_layer", _layer(4, 2, 1)),
    "gru_layer": _layer(3, 1), "gru_backward": _layer_back("gru_layer", _layer(3, 1)),
    "rnn_tanh_layer": _layer(1, 1), "rnn_tanh_backward": _layer_back("rnn_tanh_layer", _layer(1, 1)),
    "rnn_relu_layer": _layer(1, 1), "rnn_relu_backward": _layer_back("rnn_relu_layer", _layer(1, 1)),
}  # fmt: skip


# Matrices


def _matrices(*attributes: dict[str, Any], square: bool = False, more: int = 0) -> Callable[[Random, Any], Made]:
    """A batch, and `more` right-hand sides or so."""

    def make(r: Random, kind: Any) -> Made:
        batch = [(), (3,), (2, 2), (0,)][int(r.integers(0, 4))]
        m, n = (int(k) for k in r.choice([0, 1, 2, 3, 7, 16, 18, 35], 2))
        n = m if square else n
        x = _floats(r, kind, *batch, m, n) + (4 * (m + n + 1) * np.eye(m, n)).astype(kind)
        right = [_floats(r, kind, *(batch if r.random() < 0.5 else ()), m, 3)] if more else []
        given = attributes[int(r.integers(0, len(attributes)))] if attributes else {}
        if given.get("pivot", not given):
            x = x[..., r.permutation(m), :]
        return [x, *right], given

    return make


def _positive(r: Random, kind: Any) -> Made:
    (x,), _ = _matrices(square=True)(r, kind)
    return [x @ x.swapaxes(-1, -2) + np.eye(x.shape[-1], dtype=kind)], {"upper": bool(r.random() < 0.5)}


def _factored(r: Random, kind: Any) -> Made:
    (x, b), _ = _matrices(square=True, more=1)(r, kind)
    lu, pivots, _ = factorization.lu_factor(x)
    return [lu, pivots, b], {"adjoint": bool(r.random() < 0.5)}


def _least_squares(r: Random, kind: Any) -> Made:
    (x, b), _ = _matrices(more=1)(r, kind)
    return [x, b, 1e-5], {"driver": str(r.choice(["gels", "gelsy"] if x.size else ["gelsy"]))}


def _exchanges(r: Random, kind: Any) -> Made:
    (x,), _ = _matrices()(r, kind)
    return [factorization.lu_factor(x)[1]], {"rows": x.shape[-2], "dtype": dtype_of(np.dtype(kind))}


def _bytes(mode: str) -> Callable[[Random, Any], Made]:
    """Images that are made larger in one direction and perhaps smaller in the other."""

    def make(r: Random, kind: Any) -> Made:
        n, c, h, w, high, wide = (int(k) for k in r.choice([1, 2, 3, 5, 16, 17, 33, 48], 6))
        axes = Axis(mode, h, high, False, None), Axis(mode, w, wide, False, None)
        return [r.integers(0, 256, (n, c, h, w)).astype(np.uint8)], {"axes": axes}

    return make


PIVOTS = {"pivot": True}, {"pivot": False}
TRIANGLES = [{"upper": upper, "unit": unit} for upper in (False, True) for unit in (False, True)]
OPERANDS |= {
    "lu": _matrices(*PIVOTS), "lu_factor_ex": _matrices(*PIVOTS), "lu_permutation": _exchanges, "lu_solve": _factored,
    "solve_ex": _matrices(square=True, more=1), "inv_ex": _matrices(square=True), "cholesky": _positive,
    "cholesky_ex": _positive, "solve_triangular": _matrices(*TRIANGLES[::2], square=True, more=1),
    "UpsampleBilinear2D": _bytes("bilinear"), "UpsampleBicubic2D": _bytes("bicubic"),
    "UpsampleBilinear2DAa": _bytes("antialiased bilinear"), "UpsampleBicubic2DAa": _bytes("antialiased bicubic"),
    "UpsampleLanczos2DAa": _bytes("antialiased lanczos"), "lstsq": _least_squares,
    "qr": _matrices({"mode": "reduced"}, {"mode": "complete"}),
}  # fmt: skip


def _copies(operands: list[Any]) -> list[Any]:
    return [x.copy() if isinstance(x, np.ndarray) else x for x in operands]


def _results(found: Any) -> list[Any]:
    return list(found) if isinstance(found, tuple) else [found]


def _in_places(name: str, results: list[Any], operands: list[Any]) -> list[Any]:
    """The results where they are read: what stands in turns that a packed sequence does not have is nobody's."""
    places = operands[-1]
    if not name.startswith(("lstm", "gru", "rnn")) or places is None:
        return results
    return [np.where((places >= 0)[..., None], x, 0) if x.shape[:2] == places.shape else x for x in results]


# ---------------------------------------------------------------------------------------------------------------------
# Tests


def test_every_operation_is_tested() -> None:
    assert set(OPERANDS) == set(general.FASTER)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", sorted(OPERANDS))
def test_like_the_kernel(name: str, kind: Any) -> None:
    op = operations()[name]
    answered = 0

    def kernel(*operands: Any, **attributes: Any) -> Any:
        nonlocal answered
        answered += 1
        return op.kernel(*operands, **attributes)

    run = general.faster(name, native(), kernel)
    tolerance = 2e-5 if kind is np.float32 else 1e-12
    r = np.random.default_rng(len(name))
    for _ in range(25):
        operands, attributes = OPERANDS[name](r, kind)
        with np.errstate(all="ignore"):
            found, wanted = run(*_copies(operands), **attributes), op.kernel(*_copies(operands), **attributes)
        pairs = [_in_places(name, _results(x), operands) for x in (found, wanted)]
        for a, b in zip(*pairs, strict=True):
            a, b = np.asarray(a), np.asarray(b)
            assert (a.shape, a.dtype) == (b.shape, b.dtype)
            size = np.max(np.abs(b), where=np.isfinite(b), initial=1)
            np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance * size)
    assert answered <= 15, "the kernel answers for the machine code"


@pytest.mark.parametrize("kind", sorted(machine_code.FLOATS))
@pytest.mark.parametrize("group", background.GENERAL)
def test_the_verifier_finds_nothing(group: str, kind: str) -> None:
    for name, (signature, definition) in machine_code.definitions(group).items():
        verify.function(machine_code.Writer(kind, 64).function(name, signature, definition))


def _fourier_arguments(r: Random, kind: Any) -> tuple[list[Any], set[int]]:
    """Rows that become columns."""
    way = general_spectral.plan(60, np.dtype(kind))
    assert way is not None
    memory = np.zeros(2 * way.half, kind), way.powers, way.steps, way.half, len(way.steps) // 4
    return [_floats(r, kind, 5, 60, 2), np.empty((60, 5, 2), kind), *memory, 5, 60, 1, 1, 0.5], {1}


ARGUMENTS: dict[str, Callable[[Random, Any], tuple[list[Any], set[int]]]] = {
    "softmax": lambda r, k: ([_floats(r, k, 3, 21), np.empty((3, 21), k), 3, 21], {1}),
    "log_softmax": lambda r, k: ([_floats(r, k, 3, 32), np.empty((3, 32), k), 3, 32], {1}),
    "logsumexp": lambda r, k: ([_floats(r, k, 3, 5), np.empty(3, k), 3, 5], {1}),
    "largest": lambda r, k: ([_floats(r, k, 2, 5, 19), np.empty((2, 19), k), np.empty((2, 19), int), 2, 5, 19], {1, 2}),
    "layer_norm": lambda r, k: (
        [_floats(r, k, 2, 18), *_floats(r, k, 2, 18), np.empty((2, 18), k), np.empty(2, k), np.empty(2, k), 2, 18, True,
         False, 1e-5], {3, 4, 5},
    ),
    "batch_norm": lambda r, k: (
        [_floats(r, k, 2, 3, 18), *_floats(r, k, 2, 3), np.empty((2, 3, 18), k), np.empty(3, k), np.empty(3, k), 2, 3,
         18, True, True, 1e-5], {3, 4, 5},
    ),
    "take_rows": lambda r, k: ([_floats(r, k, 4, 19), r.integers(0, 4, 5), np.empty((5, 19), k), 5, 4, 19], {2}),
    "add_rows": lambda r, k: ([_floats(r, k, 5, 19), r.integers(-4, 4, 5), np.zeros((4, 19), k), 5, 4, 19, 1], set()),
    **dict.fromkeys(
        ("sum_windows", "sum_windows_few", "sum_windows_alone"),
        lambda r, k: (
            [_floats(r, k, 2, 3 * 80 + 50), _floats(r, k, 2, 3, 6, 8), np.empty((2, 24, 64), k),
             r.integers(0, 3, 6) * 80 + r.integers(0, 16, 6), 2, 290, 6, 3, 64], {2},
        ),
    ),
    **dict.fromkeys(
        ("weigh_windows", "weigh_windows_alone"),
        lambda r, k: (
            [_floats(r, k, 2, 3 * 80 + 50), _floats(r, k, 2, 4, 64), np.zeros((2, 4, 6), k),
             r.integers(0, 3, 6) * 80 + r.integers(0, 16, 6), 2, 290, 6, 4, 64], set(),
        ),
    ),
    "nll": lambda r, k: ([_floats(r, k, 5, 4), r.integers(0, 4, 5), np.empty((), k), 5, 4, -100, 1], {2}),
    "max_pool": lambda r, k: (
        [_floats(r, k, 2, 5, 43), np.empty((2, 2, 21), k), np.empty((2, 2, 21), np.uint8), 2, 5, 43, 2, 21], {1, 2},
    ),
    "fourier_rows": _fourier_arguments,
    "gelu": lambda r, k: ([_floats(r, k, 37), np.empty(37, k), 37], {1}),
    "lstm": lambda r, k: (
        [_floats(r, k, 2, 2, 72), _floats(r, k, 2, 72), _floats(r, k, 72), _floats(r, k, 3, 2, 18),
         _floats(r, k, 3, 2, 18), np.empty((2, 2, 72), k), np.empty((2, 2, 18), k), np.array([[0, 1], [2, -1]]), 2, 18,
         1, 1, 2, True, True], {5, 6},
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", sorted(machine_code.FLOATS))
@pytest.mark.parametrize("name", sorted(ARGUMENTS))
def test_like_the_interpreter(name: str, kind: str) -> None:
    for group in background.GENERAL:
        if name in machine_code.definitions(group):
            signature, definition = machine_code.definitions(group)[name]
    function = machine_code.Writer(kind, machine().vector_bytes).function(name, signature, definition)
    objects, fresh = ARGUMENTS[name](np.random.default_rng(1), machine_code.FLOATS[kind])
    other = _copies(objects)
    assert native()[f"{name}_{kind}"](*objects)
    assert interpret.called(function, other, fresh)
    for k, (a, b) in enumerate(zip(objects, other, strict=True)):
        if isinstance(a, np.ndarray) and not (name == "lstm" and k in (5, 6)):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("name", ["fft_c2c", "fft_r2c", "fft_c2r"])
def test_columns_and_prime_lengths_are_transformed(name: str) -> None:
    op, r = operations()[name], np.random.default_rng(3)
    run = general.faster(name, native(), op.kernel)
    more = {"fft_c2c": {"forward": False}, "fft_r2c": {}, "fft_c2r": {"size": 15}}[name]
    for shape, dims in (((3, 8, 5, 7), (1, 2)), ((8, 6, 8), (0, 1)), ((20, 11, 8), (0, 1, 2)), ((9, 8), (1,))):
        x = r.standard_normal(shape) if name == "fft_r2c" else _spectrum(r, np.float64, shape)
        x = x if shape != (9, 8) else x[::2]
        attributes = {"dims": dims, "scale": "root", **more}
        np.testing.assert_allclose(run(x, **attributes), op.kernel(x, **attributes), atol=1e-13)


def test_what_it_does_not_know_is_left_alone() -> None:
    f = native()["softmax_f32"]
    x, out = np.ones((4, 6), np.float32), np.full((4, 6), 7, np.float32)
    assert not f(x.astype(np.float64), out, 4, 6)
    assert not f(x[:, ::2], out, 4, 3)
    assert (out == 7).all()
    assert f(x, out, 4, 6)


@pytest.mark.parametrize("wrong", [-1, 3])
def test_positions_out_of_range_are_the_kernels(wrong: int) -> None:
    run = general.faster("embedding", native(), operations()["embedding"].kernel)
    with pytest.raises(IndexError, match="index out of range in self"):
        run(np.zeros((3, 2), np.float32), np.array([0, wrong]), padding_idx=-1, by_freq=False)


def test_what_no_window_meets_spoils_no_gradient() -> None:
    op, x, d = operations()["convolution_weight"], np.ones((2, 3, 8, 8), np.float32), np.ones((2, 4, 6, 6), np.float32)
    x[0, 1, 7, 7] = np.inf
    given = {"kernel": (3, 3), "geometry": Geometry((1, 1), (0, 0), (1, 1))}
    found = general.faster("convolution_weight", native(), op.kernel)(x, d, **given)
    np.testing.assert_array_equal(found, op.kernel(x, d, **given))
    assert np.isinf(found).sum() == 4


def test_scores_of_nothing_but_minus_infinity() -> None:
    x, out, sums = np.full((2, 5), -np.inf, np.float32), np.empty((2, 5), np.float32), np.empty(2, np.float32)
    x[1, 2] = 1
    assert native()["attention_weights_f32"](x, out, sums, 2, 5, 0, 0.5)
    assert out.tolist() == [[0] * 5, [0, 0, 1, 0, 0]]
    assert sums.tolist() == [np.inf, 0.5]


def test_the_interpreter_uses_them_and_lets_go() -> None:
    op = operations()["gelu"]
    try:
        general.use(native())
        assert op.run is not op.kernel
        x = torch.linspace(-3, 3, 100)
        faster = torch.nn.functional.gelu(x).numpy()
        torch.use_deterministic_algorithms(True)
        assert op.run is op.kernel
        np.testing.assert_allclose(torch.nn.functional.gelu(x).numpy(), faster, rtol=1e-5, atol=1e-6)
    finally:
        torch.use_deterministic_algorithms(False)
        assert op.run is not op.kernel
        general.allow(False)
        general._made.clear()
        general.allow(True)
    assert op.run is op.kernel


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", [(200, 200), (170, 300), (2, 300, 170)])
def test_large_matrices_are_eliminated_in_panels(shape: tuple[int, ...], kind: Any) -> None:
    op, r = operations()["lu_factor_ex"], np.random.default_rng(5)
    x = r.standard_normal(shape).astype(kind)
    lu, pivots, info = general.faster("lu_factor_ex", native(), op.kernel)(x, pivot=True)
    k = min(shape[-2:])
    lower, upper = np.tril(lu[..., :k], -1) + np.eye(shape[-2], k), np.triu(lu[..., :k, :])
    p = factorization.permutation_matrix(pivots, shape[-2], x.dtype)
    np.testing.assert_allclose(p @ lower @ upper, x, atol=1e-4 if kind is np.float32 else 1e-11)
    assert not info.any()


@pytest.mark.parametrize("kind", KINDS)
def test_singular_matrices_are_reported_as_the_kernel_does(kind: Any) -> None:
    x = np.array([[[2, 1], [4, 2]], [[1, 2], [3, 4]]], kind)
    with np.errstate(all="ignore"):
        for name, operands, attributes in (
            ("lu_factor_ex", [x], {"pivot": True}), ("solve_ex", [x, x], {}), ("inv_ex", [x], {}),
            ("cholesky_ex", [-x @ x.swapaxes(-1, -2)], {"upper": False}),
        ):  # fmt: skip
            kernel = operations()[name].kernel
            wanted = kernel(*operands, **attributes)
            for a, b in zip(general.faster(name, native(), kernel)(*operands, **attributes), wanted, strict=True):
                np.testing.assert_array_equal(a, b)
            assert wanted[-1].any()


def test_reflections_of_numbers_too_large_to_be_squared_are_the_kernels() -> None:
    kernel = operations()["qr"].kernel
    run = general.faster("qr", native(), kernel)
    for size in (1e200, 1e-200, np.inf):
        x = np.array([[1, 2], [3, 4], [5, 6]]) * size
        with np.errstate(all="ignore"):
            for a, b in zip(run(x, mode="reduced"), kernel(x, mode="reduced"), strict=True):
                np.testing.assert_allclose(a, b, rtol=1e-12)
    q, r = run(np.array([[-3.0, 1.0], [0.0, -2.0]]), mode="reduced")
    assert (q.tolist(), r.tolist()) == ([[1, 0], [0, 1]], [[-3, 1], [0, -2]])  # what is a triangle already stays it
