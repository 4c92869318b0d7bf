"""Plots of what a model has learnt: fitted curves, hidden nodes, decision surfaces, activation functions, losses.

The calls are those of an introductory course (`plot_regression(X, y, y_hat)`, `plot_classification_2d(X, y, model)`,
`plot_activations(x, functions)`, `plot_nodes(X, y_pred, model)`). Data come in as tensors, arrays or lists; where a
model is given it is run without gradients and in evaluation mode, and is left as it was. Each function returns the
matplotlib figure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import cycle
from typing import TYPE_CHECKING, Any

import numpy as np

from .canvas import BLUE, CLASS_COLOURS, EMBER, INK, as_array, as_column, drawing, sheet

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


@contextmanager
def evaluating(model: Any) -> Iterator[None]:
    """Evaluation mode and no gradients inside; every submodule's own training flag is put back after."""
    import rushlight

    flags = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        with rushlight.no_grad():
            yield
    finally:
        for module, training in flags:
            module.training = training


def _as_input(values: np.ndarray, model: Any) -> Any:
    """``values`` as a tensor of the dtype and on the device of the model's parameters."""
    import rushlight

    parameter = next(iter(model.parameters()), None)
    if parameter is None:
        return rushlight.as_tensor(values, dtype=rushlight.float32)
    return rushlight.as_tensor(values, dtype=parameter.dtype, device=parameter.device)


@drawing
def plot_regression(
    X: Any,
    y: Any,
    y_hat: Any = None,
    *,
    x_range: Sequence[float] | None = None,
    y_range: Sequence[float] | None = None,
    dx: float | None = None,
    dy: float | None = None,
    title: str | None = None,
) -> Figure:
    """Data points of one feature, and the fitted line or curve through them.

    ``X``, ``y`` and ``y_hat`` have shape ``(n,)`` or ``(n, 1)``; ``x_range`` and ``y_range`` are ``[low, high]``,
    ``dx`` and ``dy`` the distances between ticks. Raises ValueError for another shape or different lengths.
    """
    x, points = as_column(X, "X"), as_column(y, "y")
    figure, (axes,) = sheet()
    axes.scatter(x, points, s=18, color=BLUE, alpha=0.55, linewidths=0, label="data")
    if y_hat is not None:
        order = np.argsort(x, kind="stable")
        fitted = as_column(y_hat, "y_hat")
        if fitted.size != x.size:
            raise ValueError(f"y_hat must have one value for each of the {x.size} rows of X, got {fitted.size}")
        axes.plot(x[order], fitted[order], color=EMBER, label="fitted")
        axes.legend(loc="upper left")
    _frame(axes, "x", x_range, dx)
    _frame(axes, "y", y_range, dy)
    axes.set(xlabel="X", ylabel="y", title=title)
    return figure


def _frame(axes: Axes, which: str, limits: Sequence[float] | None, step: float | None) -> None:
    """Set one axis' range and the distance between its ticks, where given."""
    from matplotlib.ticker import MultipleLocator

    if limits is not None:
        (axes.set_xlim if which == "x" else axes.set_ylim)(limits[0], limits[1])
    if step is not None:
        (axes.xaxis if which == "x" else axes.yaxis).set_major_locator(MultipleLocator(step))


@drawing
def plot_classification_2d(
    X: Any, y: Any, model: Any = None, transform: str | None = "Sigmoid", title: str | None = None, steps: int = 240
) -> Figure:
    """Labelled points in the plane and, with a ``model``, the surface it decides by.

    ``X`` is ``(n, 2)`` and ``y`` the ``n`` integer labels. ``transform`` says what turns the model's outputs into
    probabilities: ``"Sigmoid"`` for one logit (shades of the probability of class 1, and the line where it is 0.5),
    ``"Softmax"`` for one logit a class (each region in its class' colour, paler where the model is less sure), None
    when the model gives probabilities already.
    """
    points, labels = as_array(X), as_column(y, "y").astype(int)
    if points.ndim != 2 or points.shape[1] != 2 or len(points) != len(labels):
        raise ValueError(
            f"X must have shape (n, 2) with a label for each row, got {tuple(points.shape)} and {len(labels)}"
        )
    if transform not in ("Sigmoid", "Softmax", None):
        raise ValueError(f"transform must be 'Sigmoid', 'Softmax' or None, got {transform!r}")
    figure, (axes,) = sheet(width=6.2, height=5.0)
    if model is not None:
        _surface(figure, axes, points, model, transform, steps)
    for label in np.unique(labels):
        mine = points[labels == label]
        colour = CLASS_COLOURS[label % len(CLASS_COLOURS)]
        axes.scatter(
            mine[:, 0], mine[:, 1], s=34, color=colour, edgecolors="white", linewidths=0.7, label=f"class {label}"
        )
    figure.legend(loc="outside lower center", ncols=8)
    axes.set(xlabel="feature 1", ylabel="feature 2", title=title)
    return figure


def _surface(figure: Figure, axes: Axes, points: np.ndarray, model: Any, transform: str | None, steps: int) -> None:
    """Paint the model's probabilities over the rectangle around ``points``."""
    margin = 0.12 * (points.max(axis=0) - points.min(axis=0)) + 1e-9
    (left, bottom), (right, top) = points.min(axis=0) - margin, points.max(axis=0) + margin
    x1, x2 = np.meshgrid(np.linspace(left, right, steps), np.linspace(bottom, top, steps))
    probability = _probabilities(model, np.column_stack([x1.ravel(), x2.ravel()]), transform)
    axes.grid(False)
    if probability.shape[1] == 1:
        name = "probability of class 1" if transform else "output"
        _two_class_surface(figure, axes, x1, x2, probability.reshape(x1.shape), name)
    else:
        _many_class_surface(axes, x1, x2, probability.reshape(*x1.shape, -1))
    axes.set(xlim=(left, right), ylim=(bottom, top))


def _probabilities(model: Any, points: np.ndarray, transform: str | None) -> np.ndarray:
    """The model's probabilities at ``points``: ``(n, 1)`` or ``(n, classes)``."""
    with evaluating(model):
        output = as_array(model(_as_input(points, model))).astype(np.float64)
    output = output.reshape(len(points), -1)
    if transform == "Sigmoid":
        return 1 / (1 + np.exp(-np.clip(output, -500, 500)))
    if transform == "Softmax":
        powers = np.exp(output - output.max(axis=1, keepdims=True))
        return powers / powers.sum(axis=1, keepdims=True)
    return output


def _two_class_surface(
    figure: Figure, axes: Axes, x1: np.ndarray, x2: np.ndarray, probability: np.ndarray, name: str
) -> None:
    from matplotlib.colors import LinearSegmentedColormap

    shades = LinearSegmentedColormap.from_list("classes", [CLASS_COLOURS[0], "#ffffff", CLASS_COLOURS[1]])
    extent = (x1.min(), x1.max(), x2.min(), x2.max())
    look: Any = {"origin": "lower", "aspect": "auto", "interpolation": "bilinear"}
    painted = axes.imshow(probability, cmap=shades, vmin=0, vmax=1, alpha=0.55, extent=extent, **look)
    if probability.min() < 0.5 < probability.max():
        axes.contour(x1, x2, _log(probability) - _log(1 - probability), levels=[0], colors=[INK], linewidths=1.3)
    bar = figure.colorbar(painted, ax=axes, ticks=[0, 0.25, 0.5, 0.75, 1], label=name)
    bar.outline.set_visible(False)  # type: ignore[operator]


def _log(probability: np.ndarray) -> np.ndarray:
    """Logarithms, in which a border between two certain regions is still a smooth line."""
    return np.log(np.maximum(probability, 1e-30))


def _many_class_surface(axes: Axes, x1: np.ndarray, x2: np.ndarray, probability: np.ndarray) -> None:
    from matplotlib.colors import to_rgb

    winner, classes = probability.argmax(axis=2), probability.shape[2]
    colours = np.array([to_rgb(CLASS_COLOURS[c % len(CLASS_COLOURS)]) for c in range(classes)])[winner]
    # 0 where the winner is no likelier than chance, 1 where it is certain.
    certainty = (probability.max(axis=2, keepdims=True) - 1 / classes) / (1 - 1 / classes)
    painted = 1 - (0.08 + 0.37 * certainty) * (1 - colours)
    extent = (x1.min(), x1.max(), x2.min(), x2.max())
    axes.imshow(painted, extent=extent, origin="lower", aspect="auto", interpolation="bilinear")
    for label in range(classes):
        if 0 < (winner == label).mean() < 1:
            rivals = np.delete(probability, label, axis=2).max(axis=2)
            lead = _log(probability[:, :, label]) - _log(rivals)
            axes.contour(x1, x2, lead, levels=[0], colors="white", linewidths=1.6)


@drawing
def plot_activations(x: Any, functions: Iterable[Callable[..., Any]]) -> Figure:
    """Each activation function over ``x``, with its derivative dashed.

    ``functions`` are module classes (``nn.Sigmoid``), modules or plain functions of a tensor.
    """
    chosen = [(_name(f), f() if isinstance(f, type) else f) for f in functions]
    columns = min(3, max(1, len(chosen)))
    rows = -(-len(chosen) // columns)
    figure, panels = sheet(rows, columns, width=3.3 * columns, height=2.7 * rows)
    for (name, function), axes in zip(chosen, panels, strict=False):
        _activation(axes, x, name, function)
    for axes in panels[len(chosen) :]:
        axes.set_axis_off()
    if chosen:
        panels[0].legend(loc="upper left")
    return figure


def _name(function: Any) -> str:
    """What to call a class, a function or a module (which prints itself with its settings)."""
    return getattr(function, "__name__", None) or repr(function)


def _activation(axes: Axes, x: Any, name: str, function: Callable[..., Any]) -> None:
    along = x.detach().clone().requires_grad_()
    value = function(along)
    value.sum().backward()
    where = as_array(along)
    axes.axhline(0, color="#c9d1d9", linewidth=1)
    axes.axvline(0, color="#c9d1d9", linewidth=1)
    axes.plot(where, as_array(along.grad), color=EMBER, linewidth=1.4, linestyle=(0, (4, 2)), label="derivative")
    axes.plot(where, as_array(value), color=BLUE, label="value")
    axes.set(title=name, xlim=(where.min(), where.max()))


@drawing
def plot_nodes(X: Any, y_pred: Any, model: Any) -> Figure:
    """What each hidden node adds to the prediction of a network with one input and one output.

    The prediction is the last linear layer's bias plus, for each node before it, activation times weight. The first
    panels draw those terms one by one, the last draws their sum beside ``y_pred``. ``X`` and ``y_pred`` have shape
    ``(n,)`` or ``(n, 1)``. Raises ValueError when the model's last layer with weights is not linear with one output.
    """
    x, predicted = as_column(X, "X"), as_column(y_pred, "y_pred")
    along = np.linspace(x.min(), x.max(), 300)
    terms, weights, bias = _terms(model, along)
    count = len(weights)
    columns = min(4, count + 1)
    rows = -(-(count + 1) // columns)
    figure, panels = sheet(rows, columns, width=3.1 * columns, height=2.8 * rows, share_y=True)
    for i, axes in enumerate(panels[:count]):
        axes.plot(along, terms[:, i], color=CLASS_COLOURS[i % len(CLASS_COLOURS)])
        axes.set_title(f"node {i + 1}:  weight {weights[i]:+.1f}")
    _sum_of_nodes(panels[count], along, terms, bias)
    shown = np.argsort(x, kind="stable")[:: max(1, x.size // 25)]
    panels[count].scatter(x[shown], predicted[shown], s=16, color=EMBER, zorder=3, label="prediction")
    panels[count].legend(loc="best")
    for axes in panels[count + 1 :]:
        axes.set_axis_off()
    figure.supxlabel("X", fontsize=10.5)
    figure.supylabel("contribution to y", fontsize=10.5)
    return figure


def _sum_of_nodes(axes: Axes, along: np.ndarray, terms: np.ndarray, bias: float) -> None:
    for i in range(terms.shape[1]):
        axes.plot(along, terms[:, i], color=CLASS_COLOURS[i % len(CLASS_COLOURS)], linewidth=1, alpha=0.6)
    axes.plot(along, terms.sum(axis=1) + bias, color=INK, label="sum + bias")
    axes.set_title(f"sum of nodes,  bias {bias:+.1f}")


def _terms(model: Any, x: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """Activation times weight for every node before the last linear layer ``(n, nodes)``, the weights, and the bias."""
    weighted = [module for module in model.modules() if getattr(module, "weight", None) is not None]
    last = weighted[-1] if weighted else None
    if last is None or getattr(last, "out_features", None) != 1:
        raise ValueError("plot_nodes needs a model whose last layer with weights is nn.Linear(nodes, 1)")
    seen: list[np.ndarray] = []
    hook = last.register_forward_pre_hook(lambda module, inputs: seen.append(as_array(inputs[0])))
    try:
        with evaluating(model):
            model(_as_input(x[:, None], model))
    finally:
        hook.remove()
    weights = as_array(last.weight).reshape(-1)
    return seen[-1] * weights, weights, 0.0 if last.bias is None else float(as_array(last.bias).item())


@drawing
def plot_losses(
    losses: Sequence[float] | Mapping[str, Sequence[float]],
    *,
    smooth: int | None = None,
    title: str = "Training loss",
    xlabel: str = "step",
    ylabel: str = "loss",
    log: bool = False,
) -> Figure:
    """One loss curve, or several by name; long ones pale with their running mean over ``smooth`` steps on top."""
    curves = losses if isinstance(losses, Mapping) else {"": losses}
    figure, (axes,) = sheet(width=7.0, height=4.0)
    for (name, values), colour in zip(curves.items(), cycle(CLASS_COLOURS)):
        _curve(axes, name, np.asarray(values, dtype=np.float64), colour, smooth)
    if axes.get_legend_handles_labels()[1]:
        axes.legend(loc="upper right")
    if log:
        _logarithmic(axes)
    axes.locator_params("x", integer=True)  # there is no step 2.5
    axes.set(xlabel=xlabel, ylabel=ylabel, title=title)
    return figure


def _logarithmic(axes: Axes) -> None:
    """A logarithmic loss axis with plain numbers, also between the powers of ten where there are few of those."""
    axes.set_yscale("log")
    low, high = axes.get_ylim()
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_formatter("{x:g}" if high < 20 * low else "")


def _curve(axes: Axes, name: str, values: np.ndarray, colour: str, smooth: int | None) -> None:
    steps = np.arange(1, len(values) + 1)
    window = smooth if smooth is not None else max(1, len(values) // 60)
    if window < 2 or len(values) < 2 * window:
        marker = "o" if len(values) <= 30 else None
        axes.plot(steps, values, color=colour, marker=marker, markersize=4, label=name)
        return
    axes.plot(steps, values, color=colour, linewidth=0.7, alpha=0.35)
    mean = np.convolve(values, np.full(window, 1 / window), mode="valid")
    label = f"{name}, mean of {window}" if name else f"mean of {window}"
    axes.plot(steps[window - 1 :], mean, color=colour, label=label)
