"""Rows of `ops.padding`, `ops.folding`, `ops.upsampling` and `ops.grid`."""

from __future__ import annotations

from typing import Any

import numpy as np

from . import Case
from .convolution import convolved

MODES = {"constant": "constant", "reflect": "reflect", "replicate": "edge", "circular": "wrap"}


def _pad(mode: str, dims: int) -> Case:
    sizes = [1, 2, 0, 1, 2, 1][: 2 * dims]
    wide = [(0, 0), *((sizes[2 * d], sizes[2 * d + 1]) for d in range(dims - 1, -1, -1))]
    return Case(
        f"nn.functional.pad [{mode} {dims}]",
        None,
        [(2, *[4] * dims)],
        lambda x: np.pad(x, wide, mode=MODES[mode]),
        args=(sizes, mode),
        dtypes={"int64": "int64"} if mode == "constant" else {},
    )


def _columns(x: np.ndarray) -> np.ndarray:
    """All 2 x 3 windows as columns, by convolving with every unit kernel."""
    kernels = np.eye(6).reshape(6, 1, 2, 3)
    found = [convolved(x[:, c : c + 1], kernels).reshape(len(x), 6, -1) for c in range(x.shape[1])]
    return np.concatenate(found, 1)


def _linear(x: np.ndarray, out: int, aligned: bool) -> np.ndarray:
    """Linear interpolation of the last dimension."""
    n = x.shape[-1]
    at = np.arange(out) * (n - 1) / (out - 1) if aligned else np.clip((np.arange(out) + 0.5) * n / out - 0.5, 0, None)
    low = np.minimum(at.astype(int), n - 1)
    part = at - low
    return x[..., low] * (1 - part) + x[..., np.minimum(low + 1, n - 1)] * part


def _over_last_two(x: np.ndarray, h: int, w: int, aligned: bool) -> np.ndarray:
    return _linear(_linear(x, w, aligned).swapaxes(-1, -2), h, aligned).swapaxes(-1, -2)


def _interpolate(label: str, shape: tuple[int, ...], reference: Any, **kwargs: Any) -> Case:
    return Case(f"nn.functional.interpolate [{label}]", None, [shape], reference, kwargs=kwargs)


def _sampled(x: np.ndarray, grid: np.ndarray) -> np.ndarray:
    """Bilinear samples with corners aligned and zeros outside."""
    n, c, h, w = x.shape
    wide = np.pad(x, [(0, 0), (0, 0), (1, 2), (1, 2)])
    result = np.zeros((n, c, *grid.shape[1:3]))
    for i, row, column in np.ndindex(*grid.shape[:3]):
        u, v = (grid[i, row, column] + 1) / 2 * np.array([w - 1, h - 1]) + 1
        u, v = np.clip(u, 0, w + 1), np.clip(v, 0, h + 1)
        a, b = int(u), int(v)
        p, q = u - a, v - b
        box = wide[i, :, b : b + 2, a : a + 2]
        result[i, :, row, column] = (box * np.array([[(1 - q) * (1 - p), (1 - q) * p], [q * (1 - p), q * p]])).sum(
            (1, 2)
        )
    return result


def _affine(theta: np.ndarray) -> np.ndarray:
    y, x = np.meshgrid(np.linspace(-1, 1, 3), np.linspace(-1, 1, 4), indexing="ij")
    places = np.stack([x, y, np.ones_like(x)], -1)
    return np.einsum("hwk,njk->nhwj", places, theta)


CASES = [
    *[_pad(mode, dims) for mode in MODES for dims in (1, 2, 3)],
    Case(
        "nn.functional.pad [value]",
        None,
        [(2, 3)],
        lambda x: np.pad(x, [(0, 0), (1, 2)], constant_values=7),
        args=((1, 2),),
        kwargs={"value": 7.0},
    ),
    Case("nn.functional.pad [negative]", None, [(2, 5)], lambda x: np.pad(x[:, 1:], [(0, 0), (0, 2)]), args=((-1, 2),)),
    Case("nn.functional.unfold", None, [(2, 2, 4, 5)], _columns, args=((2, 3),)),
    Case(
        "nn.functional.unfold [inverse]",
        lambda torch, x: torch.nn.functional.fold(torch.nn.functional.unfold(x, 2, stride=2), (4, 6), 2, stride=2),
        [(2, 3, 4, 6)],
        lambda x: x,
    ),
    Case(
        "nn.functional.fold",
        None,
        [(1, 4, 4)],
        args=((3, 3), 2),
        reference=lambda x: sum(
            np.pad(x[:, 2 * i + j].reshape(1, 1, 2, 2), [(0, 0), (0, 0), (i, 1 - i), (j, 1 - j)])
            for i in (0, 1)
            for j in (0, 1)
        ),
    ),
    Case(
        "pixel_shuffle",
        None,
        [(2, 8, 2, 3)],
        args=(2,),
        reference=lambda x: x.reshape(2, 2, 2, 2, 2, 3).transpose(0, 1, 4, 2, 5, 3).reshape(2, 2, 4, 6),
    ),
    Case(
        "pixel_unshuffle",
        lambda torch, x: torch.pixel_shuffle(torch.pixel_unshuffle(x, 2), 2),
        [(2, 2, 4, 6)],
        lambda x: x,
    ),
    Case("channel_shuffle", None, [(2, 6, 2, 2)], lambda x: x[:, [0, 2, 4, 1, 3, 5]], args=(3,)),
    _interpolate("nearest", (2, 3, 4), lambda x: x.repeat(2, -1), scale_factor=2),
    _interpolate("nearest 2", (1, 2, 3, 4), lambda x: x.repeat(2, -1).repeat(2, -2), size=(6, 8)),
    _interpolate("nearest 3", (1, 1, 2, 2, 2), lambda x: x.repeat(2, -1).repeat(2, -2).repeat(2, -3), scale_factor=2),
    _interpolate("nearest-exact", (2, 3, 5), lambda x: x[..., [0, 2, 4]], size=3, mode="nearest-exact"),
    _interpolate("linear", (2, 3, 4), lambda x: _linear(x, 7, False), size=7, mode="linear"),
    _interpolate("linear aligned", (2, 3, 4), lambda x: _linear(x, 7, True), size=7, mode="linear", align_corners=True),
    _interpolate("bilinear", (1, 2, 3, 4), lambda x: _over_last_two(x, 5, 7, False), size=(5, 7), mode="bilinear"),
    _interpolate(
        "bilinear aligned",
        (1, 2, 3, 4),
        lambda x: _over_last_two(x, 5, 7, True),
        size=(5, 7),
        mode="bilinear",
        align_corners=True,
    ),
    _interpolate(
        "trilinear",
        (1, 1, 2, 3, 4),
        mode="trilinear",
        size=(2, 5, 7),
        reference=lambda x: _over_last_two(x, 5, 7, False),
    ),
    _interpolate("bicubic", (1, 2, 3, 4), None, size=(5, 7), mode="bicubic"),
    _interpolate("antialiased", (1, 2, 6, 8), None, size=(3, 4), mode="bilinear", antialias=True),
    _interpolate("area", (1, 2, 4, 6), lambda x: x.reshape(1, 2, 2, 2, 3, 2).mean((3, 5)), size=(2, 3), mode="area"),
    Case("nn.functional.affine_grid", None, [(2, 2, 3)], _affine, args=((2, 1, 3, 4), True)),
    Case(
        "nn.functional.grid_sample",
        None,
        [(2, 3, 4, 5), (2, 3, 2, 2)],
        _sampled,
        kwargs={"align_corners": True},
        domain=(-1.3, 1.3),
        rtol=1e-4,
        atol=1e-4,
        floats=False,
    ),
    Case(
        "nn.functional.grid_sample [bicubic]",
        None,
        [(1, 2, 4, 5), (1, 3, 2, 2)],
        kwargs={"align_corners": False, "mode": "bicubic", "padding_mode": "border"},
        domain=(-0.9, 0.9),
        floats=False,
    ),
    Case(
        "nn.functional.grid_sample [volumes, reflection]",
        None,
        [(1, 2, 3, 4, 5), (1, 2, 3, 2, 3)],
        kwargs={"align_corners": False, "padding_mode": "reflection"},
        domain=(-1.9, 1.9),
        floats=False,
    ),
    _interpolate(
        "nearest-exact of images",
        (1, 2, 2, 3),
        lambda x: x[:, :, [0, 0, 1, 1]][..., [0, 1, 2]],
        size=(4, 3),
        mode="nearest-exact",
    ),
    _interpolate(
        "nearest-exact of volumes", (1, 2, 2, 2, 1), lambda x: x.repeat(2, 2), size=(4, 2, 1), mode="nearest-exact"
    ),
    _interpolate("antialiased bicubic", (1, 2, 6, 8), None, size=(3, 4), mode="bicubic", antialias=True),
    _interpolate("antialiased lanczos", (1, 2, 6, 8), None, size=(3, 4), mode="lanczos", antialias=True),
]
