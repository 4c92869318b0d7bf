"""Rows of `ops.pooling` and `ops.adaptive_pooling`, against the definition, window by window."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from . import Case

Ints = tuple[int, ...]


def _each(value: Any, dims: int) -> Ints:
    return (value,) * dims if isinstance(value, int) else tuple(value)


def pooled(
    choose: Callable[[np.ndarray], Any],
    dims: int,
    kernel: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    fill: float = -np.inf,
) -> Callable[[np.ndarray], np.ndarray]:
    """A pooling layer: `choose` makes one number of each window (*lead, *kernel)."""
    kernel, padding, dilation = (_each(v, dims) for v in (kernel, padding, dilation))
    stride = kernel if stride is None else _each(stride, dims)

    def run(x: np.ndarray) -> np.ndarray:
        space = x.shape[-dims:]
        out = []
        for n, k, s, p, d in zip(space, kernel, stride, padding, dilation, strict=True):
            room = (n + 2 * p - d * (k - 1) - 1) / s
            count = (math.ceil(room) if ceil_mode else math.floor(room)) + 1
            out.append(count - 1 if ceil_mode and (count - 1) * s >= n + p else count)
        lead = x.ndim - dims
        reach = [max(k * d + s * o, 0) for k, d, s, o in zip(kernel, dilation, stride, out, strict=True)]
        wide = np.pad(x, [(0, 0)] * lead + [(p, r) for p, r in zip(padding, reach, strict=True)], constant_values=fill)
        result = np.empty((*x.shape[:lead], *out))
        for at in itertools.product(*map(range, out)):
            window = tuple(
                slice(i * s, i * s + d * (k - 1) + 1, d)
                for i, s, d, k in zip(at, stride, dilation, kernel, strict=True)
            )
            result[(..., *at)] = choose(wide[(..., *window)])
        return result

    return run


def _largest(dims: int) -> Callable[[np.ndarray], Any]:
    return lambda w: w.max(tuple(range(-dims, 0)))


def _average(dims: int) -> Callable[[np.ndarray], Any]:
    return lambda w: np.nanmean(w, tuple(range(-dims, 0)))


def adaptive(choose: Callable[..., Any], *out: int) -> Callable[[np.ndarray], np.ndarray]:
    """Adaptive pooling: windows from floor(i n / o) to ceil((i + 1) n / o)."""

    def run(x: np.ndarray) -> np.ndarray:
        space = x.shape[-len(out) :]
        result = np.empty((*x.shape[: -len(out)], *out))
        for at in itertools.product(*map(range, out)):
            box = tuple(slice(i * n // o, -(-(i + 1) * n // o)) for i, n, o in zip(at, space, out, strict=True))
            result[(..., *at)] = choose(x[(..., *box)], tuple(range(-len(out), 0)))
        return result

    return run


def _max(dims: int, shape: Ints, label: str = "", **kwargs: Any) -> Case:
    given = dict(kwargs)
    name = f"max_pool{dims}d" + (f" [{label}]" if label else "")
    return Case(
        name,
        None,
        [shape],
        pooled(_largest(dims), dims, given.pop("kernel_size"), **given),
        kwargs=kwargs,
        dtypes={"int64": None if dims == 1 else "int64", "bool": None},
    )


def _avg(dims: int, shape: Ints, label: str = "", **kwargs: Any) -> Case:
    given = dict(kwargs)
    inside = given.pop("count_include_pad", True)
    name = f"nn.functional.avg_pool{dims}d" + (f" [{label}]" if label else "")
    fill = 0.0 if inside else np.nan
    return Case(
        name, None, [shape], pooled(_average(dims), dims, given.pop("kernel_size"), fill=fill, **given), kwargs=kwargs
    )


def _volume_unpooled(torch: Any, x: Any) -> Any:
    values, indices = torch.nn.functional.max_pool3d(x, 2, return_indices=True)
    return torch.nn.functional.max_unpool3d(values, indices, 2)


def _unpooled(torch: Any, x: Any) -> Any:
    values, indices = torch.nn.functional.max_pool2d(x, 2, return_indices=True)
    return torch.nn.functional.max_unpool2d(values, indices, 2)


def _kept(x: np.ndarray) -> np.ndarray:
    best = pooled(_largest(2), 2, 2)(x).repeat(2, -1).repeat(2, -2)
    return np.where(x == best, x, 0)


CASES = [
    _max(2, (2, 3, 6, 4), kernel_size=2),
    _max(2, (3, 7, 5), "all", kernel_size=(3, 2), stride=(2, 1), padding=1, dilation=(1, 2), ceil_mode=True),
    _max(2, (1, 2, 6, 6), "overlapping", kernel_size=3, stride=1),
    _max(1, (2, 3, 7), kernel_size=3, stride=2, padding=1),
    _max(3, (2, 4, 4, 5), kernel_size=2),
    Case(
        "nn.functional.max_pool2d_with_indices",
        lambda torch, x: torch.nn.functional.max_pool2d(x, 2, return_indices=True)[1],
        [np.array([[[1.0, 2, 9, 4], [5, 3, 7, 8], [0, 0, 1, 0], [0, 0, 0, 1]]])],
        lambda x: np.array([[[4, 2], [8, 10]]]),
        gradient=False,
        floats=False,
    ),
    _avg(2, (2, 3, 6, 4), kernel_size=2),
    _avg(2, (2, 5, 6), "padded", kernel_size=3, stride=2, padding=1),
    _avg(2, (2, 5, 6), "inside", kernel_size=3, stride=2, padding=1, count_include_pad=False),
    _avg(1, (2, 3, 7), kernel_size=3, stride=2),
    _avg(3, (2, 4, 4, 4), kernel_size=2),
    Case(
        "nn.functional.avg_pool2d [divisor]",
        None,
        [(2, 4, 4)],
        kwargs={"kernel_size": 2, "divisor_override": 3},
        reference=lambda x: pooled(_average(2), 2, 2)(x) * 4 / 3,
    ),
    Case("nn.functional.adaptive_avg_pool2d", None, [(2, 3, 5, 7)], adaptive(np.mean, 3, 2), args=((3, 2),)),
    Case("nn.functional.adaptive_avg_pool2d [one]", None, [(2, 3, 5, 7)], adaptive(np.mean, 1, 1), args=(1,)),
    Case("adaptive_avg_pool1d", None, [(3, 7)], adaptive(np.mean, 4), args=(4,)),
    Case("nn.functional.adaptive_avg_pool3d", None, [(2, 4, 3, 5)], adaptive(np.mean, 2, 3, 2), args=((2, None, 2),)),
    Case("nn.functional.adaptive_max_pool2d", None, [(2, 3, 5, 7)], adaptive(np.max, 3, 2), args=((3, 2),)),
    Case("nn.functional.adaptive_max_pool1d", None, [(3, 7)], adaptive(np.max, 4), args=(4,)),
    Case("nn.functional.adaptive_max_pool3d", None, [(2, 4, 3, 5)], adaptive(np.max, 2, 2, 2), args=(2,)),
    Case("nn.functional.max_unpool2d", _unpooled, [(2, 4, 4)], _kept),
    Case(
        "nn.functional.lp_pool2d",
        None,
        [(2, 4, 4)],
        lambda x: (pooled(_average(2), 2, 2)(x**3) * 4) ** (1 / 3),
        args=(3, 2),
        domain=(0.5, 2),
    ),
    Case(
        "nn.functional.lp_pool1d",
        None,
        [(2, 6)],
        lambda x: np.sqrt(pooled(_average(1), 1, 3)(x**2) * 3),
        args=(2, 3),
        domain=(0.5, 2),
    ),
    Case(
        "nn.functional.lp_pool3d",
        None,
        [(1, 2, 2, 2)],
        lambda x: np.sqrt((x**2).sum()).reshape(1, 1, 1, 1),
        args=(2, 2),
        domain=(0.5, 2),
    ),
    Case(
        "max_pool2d [squared]",
        lambda t, x: t.max_pool2d(x, 2) ** 2,
        [(1, 2, 4, 4)],
        lambda x: x.reshape(1, 2, 2, 2, 2, 2).max((3, 5)) ** 2,
    ),
    Case("nn.functional.max_unpool3d", _volume_unpooled, [(1, 2, 2, 4)], None),
    Case(
        "nn.functional.fractional_max_pool2d",
        lambda t, x, u: t.nn.functional.fractional_max_pool2d(x, 2, output_size=3, _random_samples=u.detach()),
        [(1, 2, 6, 6), np.full((1, 2, 2), 0.3)],
        second=False,
    ),
    Case(
        "nn.functional.fractional_max_pool3d",
        lambda t, x, u: t.nn.functional.fractional_max_pool3d(x, 2, output_size=2, _random_samples=u.detach()),
        [(1, 2, 4, 4, 4), np.full((1, 2, 3), 0.3)],
        second=False,
    ),
]
