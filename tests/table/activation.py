"""Rows of `ops.activation`, `ops.softmax` and `ops.dropout` (without its random numbers)."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from . import Case

FLOATS_ONLY = {"int64": None, "bool": None, "complex64": None}
INTEGERS_TOO = {"int64": "int64", "bool": None, "complex64": None}


def _function(name: str, reference: Callable[..., Any], **options: Any) -> Case:
    given = {"dtypes": FLOATS_ONLY} | options
    return Case(f"nn.functional.{name}", None, [(2, 5)], reference, **given)


def _written(name: str) -> Callable[..., Any]:
    """The in-place form `F.name_`."""
    return lambda torch, x: getattr(torch.nn.functional, name + "_")(x)


def _inplace_argument(name: str) -> Callable[..., Any]:
    """The in-place form `F.name(x, inplace=True)`."""
    return lambda torch, x: getattr(torch.nn.functional, name)(x, inplace=True)


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def _erf(x: np.ndarray) -> np.ndarray:
    return np.vectorize(math.erf)(x)


def _softmax(x: np.ndarray, dim: int) -> np.ndarray:
    e = np.exp(x)
    return e / e.sum(dim, keepdims=True)


def _elu(x: np.ndarray, alpha: float = 1.0) -> np.ndarray:
    return np.where(x > 0, x, alpha * np.expm1(x))


def _softplus(x: np.ndarray) -> np.ndarray:
    return np.log1p(np.exp(x))


CASES = [
    Case("relu", None, [(2, 5)], lambda x: np.maximum(x, 0), inplace=True, dtypes=INTEGERS_TOO),
    _function("relu [keyword]", lambda x: np.maximum(x, 0), inplace=_inplace_argument("relu"), dtypes={}),
    _function("relu6", lambda x: np.clip(x, 0, 6), dtypes=INTEGERS_TOO, inplace=_inplace_argument("relu6")),
    _function("leaky_relu", lambda x: np.where(x > 0, x, 0.01 * x), inplace=_written("leaky_relu")),
    _function("leaky_relu [slope]", lambda x: np.where(x > 0, x, 0.3 * x), args=(0.3,)),
    _function("elu", _elu, inplace=_written("elu")),
    _function("elu [alpha]", lambda x: _elu(x, 0.5), args=(0.5,)),
    _function("celu", lambda x: np.maximum(x, 0) + np.minimum(0, 0.7 * np.expm1(x / 0.7)), args=(0.7,)),
    _function("selu", lambda x: 1.0507009873554805 * _elu(x, 1.6732632423543772), inplace=_written("selu")),
    _function("softplus", _softplus),
    _function("softplus [beta]", lambda x: np.where(2 * x > 1, x, np.log1p(np.exp(2 * x)) / 2), args=(2.0, 1.0)),
    _function("gelu", lambda x: x * (1 + _erf(x / math.sqrt(2))) / 2),
    _function(
        "gelu [tanh]",
        lambda x: x / 2 * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))),
        kwargs={"approximate": "tanh"},
    ),
    _function(
        "silu",
        lambda x: x * _sigmoid(x),
        dtypes={"int64": None, "complex64": "complex64"},
        inplace=_inplace_argument("silu"),
    ),
    _function("mish", lambda x: x * np.tanh(_softplus(x)), inplace=_inplace_argument("mish")),
    _function("hardtanh", lambda x: np.clip(x, -1, 1), dtypes=INTEGERS_TOO, inplace=_written("hardtanh")),
    _function("hardsigmoid", lambda x: np.clip(x + 3, 0, 6) / 6, domain=(-2.5, 2.5)),
    _function("hardsigmoid [flat]", lambda x: np.clip(x + 3, 0, 6) / 6, domain=(3.5, 5)),
    _function("hardswish", lambda x: x * np.clip(x + 3, 0, 6) / 6),
    Case("hardshrink", None, [(2, 5)], lambda x: np.where(np.abs(x) > 0.5, x, 0), dtypes=FLOATS_ONLY),
    _function("softshrink", lambda x: np.sign(x) * np.maximum(np.abs(x) - 0.5, 0)),
    _function("tanhshrink", lambda x: x - np.tanh(x), dtypes={}),
    _function("softsign", lambda x: x / (1 + np.abs(x)), dtypes={"int64": "float32"}),
    _function("logsigmoid", lambda x: np.log(_sigmoid(x))),
    _function("sigmoid", _sigmoid, dtypes={"int64": "float32"}),
    _function("tanh", np.tanh, dtypes={"int64": "float32"}),
    Case("threshold", None, [(2, 5)], lambda x: np.where(x > 0.1, x, -3), args=(0.1, -3.0), inplace=True),
    Case("nn.functional.glu", None, [(3, 4)], lambda x: x[:, :2] * _sigmoid(x[:, 2:]), dtypes=FLOATS_ONLY),
    Case("nn.functional.glu [dim]", None, [(4, 3)], lambda x: x[:2] * _sigmoid(x[2:]), args=(0,)),
    Case("prelu", None, [(3, 4), (1,)], lambda x, w: np.where(x > 0, x, w * x)),
    Case("prelu [channels]", None, [(2, 3, 2), (3,)], lambda x, w: np.where(x > 0, x, w[:, None] * x)),
    _function("rrelu [evaluation]", lambda x: np.where(x > 0, x, x * (1 / 8 + 1 / 3) / 2)),
    Case("softmax", None, [(3, 4)], lambda x: _softmax(x, 1), args=(1,), dtypes=FLOATS_ONLY),
    Case("softmax [first]", None, [(3, 4)], lambda x: _softmax(x, 0), args=(0,)),
    Case(
        "softmax [large]",
        lambda torch, x: torch.softmax(x + 1000, -1),
        [(2, 3)],
        lambda x: _softmax(x, -1),
        floats=False,
        rtol=1e-3,
        atol=1e-3,
    ),
    Case("log_softmax", None, [(2, 3, 2)], lambda x: np.log(_softmax(x, 1)), args=(1,), dtypes=FLOATS_ONLY),
    Case("log_softmax [number]", None, [()], lambda x: x * 0, args=(0,)),
    Case("nn.functional.softmin", None, [(3, 4)], lambda x: _softmax(-x, 1), args=(1,)),
    Case("nn.functional.dropout [evaluation]", None, [(3,)], lambda x: x, kwargs={"training": False}),
]
