"""Pictures of images: grids, the digits a classifier gets wrong, and the plane of a latent space.

Images come in as tensors or arrays of shape ``(n, height, width)``, ``(n, 1, height, width)`` or ``(n, 3, height,
width)``, are laid out in one large array, and are drawn by a single call, so a grid of hundreds is as quick as one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .canvas import CLASS_COLOURS, EMBER, as_array, as_column, drawing, sheet

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def _as_images(images: Any) -> np.ndarray:
    """``images`` as ``(n, height, width)`` or ``(n, height, width, 3)``."""
    array = as_array(images)
    if array.ndim == 4 and array.shape[1] in (1, 3):
        array = array[:, 0] if array.shape[1] == 1 else np.moveaxis(array, 1, 3)
    if array.ndim not in (3, 4) or (array.ndim == 4 and array.shape[3] != 3):
        raise ValueError(
            f"images must have shape (n, h, w), (n, 1, h, w) or (n, 3, h, w), got {tuple(as_array(images).shape)}"
        )
    return array


@drawing
def plot_images(
    images: Any,
    titles: Sequence[str] | None = None,
    *,
    columns: int | None = None,
    title: str | None = None,
    colours: str = "gray",
    limits: tuple[float, float] | None = None,
) -> Figure:
    """A grid of images in reading order, without ``titles`` set edge to edge, with them one panel each.

    ``columns`` defaults to about a square; ``limits`` are the values drawn as black and white (by default the
    smallest and the largest of all the images, so that brightness can be compared).
    """
    array = _as_images(images)
    count = len(array)
    if titles is not None and len(titles) != count:
        raise ValueError(f"plot_images got {count} images and {len(titles)} titles")
    across = columns or max(1, int(np.ceil(np.sqrt(count))))
    low, high = limits if limits is not None else (array.min(), array.max())
    if titles is None:
        return _tiled(array, across, title, colours, low, high)
    return _captioned(array, titles, across, title, colours, low, high)


def _tiled(array: np.ndarray, across: int, title: str | None, colours: str, low: float, high: float) -> Figure:
    rows = -(-len(array) // across)
    height, width = array.shape[1:3]
    blank = np.full((rows * across - len(array), *array.shape[1:]), low, dtype=array.dtype)
    tiles = np.concatenate([array, blank]).reshape(rows, across, height, width, *array.shape[3:])
    whole = np.moveaxis(tiles, 1, 2).reshape(rows * height, across * width, *array.shape[3:])
    inches = max(3.0, min(10.0, 0.55 * across))
    figure, (axes,) = sheet(width=inches, height=inches * rows * height / (across * width) + (0.35 if title else 0))
    _picture(axes, whole, colours, low, high)
    axes.set_title(title or "")
    return figure


def _captioned(
    array: np.ndarray, titles: Sequence[str], across: int, title: str | None, colours: str, low: float, high: float
) -> Figure:
    rows = -(-len(array) // across)
    figure, panels = sheet(rows, across, width=max(3.0, 1.35 * across), height=1.65 * rows + (0.4 if title else 0))
    for axes, image, caption in zip(panels, array, titles, strict=False):
        _picture(axes, image, colours, low, high)
        axes.set_title(caption, fontsize=10, pad=4)
    for axes in panels[len(array) :]:
        axes.set_axis_off()
    if title:
        figure.suptitle(title)
    return figure


def _picture(axes: Axes, image: np.ndarray, colours: str, low: float, high: float) -> None:
    axes.imshow(image, cmap=colours, vmin=low, vmax=high, interpolation="nearest")
    axes.set_axis_off()


@drawing
def plot_tables(
    tables: Sequence[Any],
    titles: Sequence[str],
    *,
    columns: int | None = None,
    title: str | None = None,
    numbers: str | None = "g",
    colours: str = "Blues",
    around_zero: bool = False,
) -> Figure:
    """Matrices of any sizes as coloured cells, such as kernels, feature maps or gradients.

    ``numbers`` is the format of the numbers written in the cells, None for colours alone; with ``around_zero`` each
    table's colours are symmetric about zero.
    """
    arrays = [np.atleast_2d(as_array(table)) for table in tables]
    if len(arrays) != len(titles) or any(array.ndim != 2 for array in arrays):
        raise ValueError(
            f"plot_tables needs matrices and a title for each, got {len(arrays)} tables and {len(titles)} titles"
        )
    across = columns or len(arrays)
    rows = -(-len(arrays) // across)
    figure, panels = sheet(rows, across, width=2.4 * across, height=2.5 * rows + (0.4 if title else 0))
    for axes, array, caption in zip(panels, arrays, titles, strict=False):
        _cells(axes, array, numbers, colours, around_zero)
        axes.set_title(caption, fontsize=10.5)
    for axes in panels[len(arrays) :]:
        axes.set_axis_off()
    if title:
        figure.suptitle(title)
    return figure


def _cells(axes: Axes, array: np.ndarray, numbers: str | None, colours: str, around_zero: bool) -> None:
    low, high = float(array.min()), float(array.max())
    if around_zero:
        low, high = -max(abs(low), abs(high)), max(abs(low), abs(high))
    # The colour map's last quarter is too dark to read a number on.
    axes.pcolormesh(
        array, cmap=colours, vmin=low, vmax=high + (high - low) * (0.6 if numbers else 0), edgecolors="white"
    )
    axes.invert_yaxis()
    axes.set_aspect("equal")
    axes.set_axis_off()
    if numbers is not None:
        for (i, j), value in np.ndenumerate(array):
            axes.text(j + 0.5, i + 0.5, format(value, numbers), ha="center", va="center", fontsize=11)


@drawing
def plot_failures(images: Any, labels: Any, predictions: Any, *, limit: int = 40, columns: int = 10) -> Figure:
    """Gallery of the images whose prediction is wrong: above each its label, below it what was predicted.

    ``images`` as for `plot_images`; ``labels`` and ``predictions`` one integer an image. The first ``limit`` are drawn.
    """
    array, right, said = _as_images(images), as_column(labels, "labels"), as_column(predictions, "predictions")
    if not len(array) == len(right) == len(said):
        raise ValueError(f"plot_failures got {len(array)} images, {len(right)} labels and {len(said)} predictions")
    wrong = np.flatnonzero(right != said)
    chosen = wrong[:limit]
    across = max(1, min(columns, len(chosen)))
    rows = max(1, -(-len(chosen) // across))
    figure, panels = sheet(rows, across, width=max(4.0, 0.95 * across), height=1.45 * rows + 0.5)
    for axes in panels:
        axes.set_axis_off()
    for axes, index in zip(panels, chosen, strict=False):
        axes.imshow(array[index], cmap="gray_r", interpolation="nearest")
        axes.set_title(f"{right[index]}", fontsize=11, pad=2)
        axes.text(
            0.5, -0.04, f"{said[index]}", color=EMBER, ha="center", va="top", transform=axes.transAxes, fontsize=11
        )
    figure.suptitle(f"{len(wrong)} of {len(array):,} wrong: label above, prediction below", fontsize=11)
    return figure


@drawing
def plot_latent_space(points: Any, labels: Any = None, *, title: str = "Latent space", limit: int = 10_000) -> Figure:
    """Scatter of latent codes coloured by label: ``points`` is ``(n, d)``, seen along its two widest directions.

    For ``d`` above 2 the axes are principal components (Hotelling, 1933) and say what share of the variance they carry.
    """
    codes = as_array(points).astype(np.float64)
    if codes.ndim != 2 or codes.shape[1] < 2:
        raise ValueError(f"points must have shape (n, d) with d at least 2, got {tuple(codes.shape)}")
    codes, names = _plane(codes[:limit])
    figure, (axes,) = sheet(width=6.6, height=5.8)
    if labels is None:
        axes.scatter(codes[:, 0], codes[:, 1], s=5, color=CLASS_COLOURS[0], alpha=0.6, linewidths=0)
    else:
        _by_label(axes, codes, as_column(labels, "labels")[:limit])
    axes.set(xlabel=names[0], ylabel=names[1], title=title)
    return figure


def _plane(codes: np.ndarray) -> tuple[np.ndarray, list[str]]:
    """``codes`` projected on a plane, and what its two axes are."""
    if codes.shape[1] == 2:
        return codes, ["z₁", "z₂"]
    centred = codes - codes.mean(axis=0)
    variance, directions = np.linalg.eigh(centred.T @ centred)
    share = variance[::-1] / max(variance.sum(), 1e-30)
    names = [f"principal direction {i + 1} ({share[i]:.0%} of the variance)" for i in range(2)]
    return centred @ directions[:, ::-1][:, :2], names


def _by_label(axes: Axes, codes: np.ndarray, labels: np.ndarray) -> None:
    if len(labels) != len(codes):
        raise ValueError(f"plot_latent_space got {len(codes)} points and {len(labels)} labels")
    for label in np.unique(labels):
        mine = codes[labels == label]
        colour = CLASS_COLOURS[int(label) % len(CLASS_COLOURS)]
        axes.scatter(mine[:, 0], mine[:, 1], s=6, color=colour, alpha=0.55, linewidths=0, label=str(label))
        x, y = np.median(mine, axis=0)
        badge = {"boxstyle": "circle,pad=0.25", "facecolor": "white", "edgecolor": colour, "alpha": 0.9}
        axes.text(x, y, str(label), color=colour, weight="bold", ha="center", va="center", bbox=badge)
