"""Pictures and tables of models: plots, image grids, layer summaries, progress bars.

Everything here draws what the floors below computed. `canvas` makes the figure, `plots` and `images` draw on it,
`summary` lists a model's layers as text, `progress` counts batches. matplotlib and tqdm are imported by the functions
that need them.
"""

from __future__ import annotations

from .canvas import save
from .images import plot_failures, plot_images, plot_latent_space, plot_tables
from .plots import plot_activations, plot_classification_2d, plot_losses, plot_nodes, plot_regression
from .progress import Progress
from .summary import ModelSummary, summary

__all__ = [
    "ModelSummary",
    "Progress",
    "plot_activations",
    "plot_classification_2d",
    "plot_failures",
    "plot_images",
    "plot_latent_space",
    "plot_losses",
    "plot_nodes",
    "plot_regression",
    "plot_tables",
    "save",
    "summary",
]
