"""Rows of `ops.convolution`, against the definition, place by place."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from . import Case

Ints = tuple[int, ...]


def _each(value: Any, dims: int) -> Ints:
    return (value,) * dims if isinstance(value, int) else tuple(value)


def convolved(
    x: np.ndarray, w: np.ndarray, b: Any = None, stride: Any = 1, padding: Any = 0, dilation: Any = 1, groups: int = 1
) -> np.ndarray:
    """The cross-correlation, as a sum for each result."""
    dims = w.ndim - 2
    stride, padding, dilation = (_each(v, dims) for v in (stride, padding, dilation))
    x = np.pad(x, [(0, 0), (0, 0), *((p, p) for p in padding)])
    out = [
        (n - d * (k - 1) - 1) // s + 1 for n, k, s, d in zip(x.shape[2:], w.shape[2:], stride, dilation, strict=True)
    ]
    result = np.zeros((len(x), len(w), *out))
    each_in, each_out = w.shape[1], len(w) // groups
    for o in range(len(w)):
        channels = slice(o // each_out * each_in, (o // each_out + 1) * each_in)
        for at in itertools.product(*map(range, out)):
            window = tuple(
                slice(i * s, i * s + d * (k - 1) + 1, d)
                for i, s, d, k in zip(at, stride, dilation, w.shape[2:], strict=True)
            )
            result[(slice(None), o, *at)] = (x[(slice(None), channels, *window)] * w[o]).reshape(len(x), -1).sum(1)
    return result if b is None else result + b.reshape(-1, *[1] * dims)


def transposed(
    x: np.ndarray,
    w: np.ndarray,
    b: Any = None,
    stride: Any = 1,
    padding: Any = 0,
    output_padding: Any = 0,
    groups: int = 1,
    dilation: Any = 1,
) -> np.ndarray:
    """The transposed convolution: every number of the input spreads the kernel over the result."""
    dims = w.ndim - 2
    stride, padding, extra, dilation = (_each(v, dims) for v in (stride, padding, output_padding, dilation))
    full = [
        (n - 1) * s + d * (k - 1) + 1 + e
        for n, s, d, k, e in zip(x.shape[2:], stride, dilation, w.shape[2:], extra, strict=True)
    ]
    each_in, each_out = len(w) // groups, w.shape[1]
    result = np.zeros((len(x), each_out * groups, *full))
    for c in range(len(w)):
        channels = slice(c // each_in * each_out, (c // each_in + 1) * each_out)
        for at in itertools.product(*map(range, x.shape[2:])):
            window = tuple(
                slice(i * s, i * s + d * (k - 1) + 1, d)
                for i, s, d, k in zip(at, stride, dilation, w.shape[2:], strict=True)
            )
            number = x[(slice(None), c, *at)].reshape(-1, *[1] * (dims + 1))
            result[(slice(None), channels, *window)] += number * w[c]
    inner = tuple(slice(p, n - p) for p, n in zip(padding, full, strict=True))
    result = result[(slice(None), slice(None), *inner)]
    return result if b is None else result + b.reshape(-1, *[1] * dims)


def _row(name: str, label: str, operands: list[Any], **kwargs: Any) -> Case:
    reference = transposed if "transpose" in name else convolved
    return Case(
        f"{name} [{label}]", None, operands, lambda *a: reference(*a, **kwargs), kwargs=kwargs, rtol=1e-4, atol=1e-4
    )


CASES = [
    Case(
        "conv2d",
        None,
        [(2, 3, 5, 4), (4, 3, 3, 2), (4,)],
        convolved,
        rtol=1e-4,
        atol=1e-4,
        dtypes={"complex64": "complex64"},
    ),
    Case("conv1d", None, [(2, 3, 6), (4, 3, 3), (4,)], convolved, rtol=1e-4, atol=1e-4),
    Case("conv3d", None, [(2, 2, 3, 4, 3), (3, 2, 2, 2, 2), (3,)], convolved, rtol=1e-4, atol=1e-4),
    Case(
        "conv2d [unbatched]",
        None,
        [(3, 5, 4), (4, 3, 3, 2)],
        lambda x, w: convolved(x[None], w)[0],
        rtol=1e-4,
        atol=1e-4,
    ),
    Case("conv2d [point]", None, [(2, 3, 4, 4), (5, 3, 1, 1)], convolved, rtol=1e-4, atol=1e-4),
    _row("conv2d", "all", [(2, 4, 7, 6), (6, 2, 3, 2), (6,)], stride=(2, 1), padding=(1, 2), dilation=(1, 2), groups=2),
    _row("conv2d", "depthwise", [(2, 3, 5, 5), (6, 1, 3, 3)], padding=1, groups=3),
    _row("conv1d", "strided", [(2, 2, 9), (3, 2, 3)], stride=3, padding=1),
    Case(
        "conv2d [same]",
        None,
        [(1, 2, 5, 4), (3, 2, 3, 3)],
        lambda x, w: convolved(x, w, padding=1),
        kwargs={"padding": "same"},
        rtol=1e-4,
        atol=1e-4,
    ),
    Case(
        "conv1d [same, even]",
        None,
        [(1, 2, 5), (3, 2, 4)],
        kwargs={"padding": "same"},
        reference=lambda x, w: convolved(np.pad(x, [(0, 0), (0, 0), (1, 2)]), w),
        rtol=1e-4,
        atol=1e-4,
    ),
    Case("conv_transpose2d", None, [(2, 3, 3, 2), (3, 4, 3, 2), (4,)], transposed, rtol=1e-4, atol=1e-4),
    Case("conv_transpose1d", None, [(2, 3, 4), (3, 4, 3), (4,)], transposed, rtol=1e-4, atol=1e-4),
    Case("conv_transpose3d", None, [(1, 2, 2, 3, 2), (2, 3, 2, 2, 2)], transposed, rtol=1e-4, atol=1e-4),
    _row(
        "conv_transpose2d",
        "all",
        [(2, 4, 3, 3), (4, 2, 3, 2), (4,)],
        stride=(2, 3),
        padding=(1, 0),
        output_padding=(1, 2),
        groups=2,
        dilation=(1, 2),
    ),
    _row("conv_transpose1d", "wide", [(1, 2, 3), (2, 2, 2)], output_padding=1, dilation=3),
    Case(
        "conv_tbc",
        None,
        [(5, 2, 3), (2, 3, 4), (4,)],
        kwargs={"pad": 1},
        reference=lambda x, w, b: convolved(x.transpose(1, 2, 0), w.transpose(2, 1, 0), b, padding=1).transpose(
            2, 0, 1
        ),
        rtol=1e-4,
        atol=1e-4,
    ),
]
