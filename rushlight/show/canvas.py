"""The sheet every picture is drawn on: one look, no display needed, nothing global.

The functions of `plots` and `images` are `drawing`s: they run with the common look switched on and put back after.
They ask `sheet(rows, columns)` for a `Picture` (a matplotlib figure that also shows itself in a notebook) and its
axes, turn whatever the caller holds (tensor, array, list) into NumPy with `as_array`, draw, and return the picture.
`save` writes it to a folder. Figures are made without pyplot: there is no window, no backend to choose, and nothing
stays open. matplotlib is imported when the first picture is made, not before.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Arguments = ParamSpec("Arguments")
INK = "#22303c"
BLUE = "#3f7fbf"
EMBER = "#e4572e"
# Ten colours that stay apart from one another for the ten digits; the first two are the pair for binary classes.
CLASS_COLOURS = (
    "#3f7fbf", "#e4572e", "#3a9d6e", "#e8a628", "#8457a8",
    "#2aa6b5", "#c2507f", "#7f8b52", "#8c5a3c", "#5b6470",
)  # fmt: skip
LOOK: Any = {
    "axes.axisbelow": True,
    "axes.edgecolor": "#c9d1d9",
    "axes.grid": True,
    "axes.labelcolor": INK,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlecolor": INK,
    "axes.titlesize": 12,
    "axes.titlepad": 8,
    "figure.facecolor": "white",
    "font.size": 10.5,
    "grid.color": "#e8ecf0",
    "legend.frameon": False,
    "lines.linewidth": 2.2,
    "text.color": INK,
    "xtick.color": "#5b6873",
    "ytick.color": "#5b6873",
}


def needs(library: str, package: str, what: str) -> ImportError:
    """The error for a drawing library that is not installed, saying how to get it."""
    return ImportError(f"{what} needs {library}, which is not installed. Try: pip install {package}")


@cache
def _picture_class() -> type[Figure]:
    """The figure class, made on first use so that importing this module does not import matplotlib."""
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise needs("matplotlib", "matplotlib", "drawing a picture") from error

    class Picture(Figure):
        """A figure that a notebook displays when it is the last value of a cell."""

        def _repr_png_(self) -> bytes:
            from io import BytesIO

            buffer = BytesIO()
            self.savefig(buffer, format="png", dpi=110)
            return buffer.getvalue()

    return Picture


def drawing(draw: Callable[Arguments, Figure]) -> Callable[Arguments, Figure]:
    """Run ``draw`` with the common look, leaving the caller's matplotlib settings as they were."""

    @wraps(draw)
    def draw_with_look(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Figure:
        _picture_class()
        import matplotlib

        with matplotlib.rc_context(LOOK):
            return draw(*args, **kwargs)

    return draw_with_look


def sheet(
    rows: int = 1, columns: int = 1, *, width: float = 6.4, height: float = 4.4, share_y: bool = False
) -> tuple[Figure, list[Axes]]:
    """A new picture with ``rows * columns`` axes in reading order; ``width`` and ``height`` in inches."""
    figure = _picture_class()(figsize=(width, height), dpi=110, layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False, sharey=share_y)
    return figure, list(axes.flat)


def as_array(values: Any) -> np.ndarray:
    """``values`` (tensor with or without grad, array, list) as a NumPy array.

    >>> as_array([[1, 2]]).shape
    (1, 2)
    """
    if hasattr(values, "detach"):
        values = values.detach().cpu().numpy()
    return np.asarray(values)


def as_column(values: Any, name: str) -> np.ndarray:
    """``values`` of shape ``(n,)`` or ``(n, 1)`` as a flat array; any other shape is a ValueError naming ``name``."""
    array = as_array(values)
    if array.ndim == 0 or array.size != array.shape[0]:
        raise ValueError(
            f"{name} must have shape (n,) or (n, 1) to be drawn against one axis, got {tuple(array.shape)}"
        )
    return array.reshape(-1)


def save(figure: Figure, folder: str | Path, name: str) -> Path:
    """Write ``figure`` to ``folder/name`` (``.png`` unless ``name`` has another ending), making the folder."""
    path = Path(folder) / name
    if not path.suffix:
        path = path.with_suffix(".png")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)
    return path
