"""torchsummary's `summary`: stands in for the two packages of that name (torch-summary and pytorch-summary).

The table is that of `rushlight.show.summary`; this takes the arguments of both packages.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rushlight.core.missing import missing

from .summary import ModelSummary
from .summary import summary as _table

__all__ = ["ModelSummary", "summary"]


def summary(
    model: Any,
    input_data: Any = None,
    *args: Any,
    batch_size: int = -1,
    batch_dim: int | None = 0,
    branching: bool = True,
    col_names: Sequence[str] | None = None,
    col_width: int = 25,
    depth: int = 3,
    device: Any = None,
    dtypes: Sequence[Any] | None = None,
    verbose: int = 1,
    **kwargs: Any,
) -> ModelSummary:
    """Print the table of a model's layers, and return what is in it.

    Args:
        model: the module.
        input_data: the shape of one example without its batch, a list of shapes, or tensors with a batch; also
            accepted as `input_size`.
        args, kwargs: passed to the model.
        batch_size: pytorch-summary's: stands in shapes in the place of -1, and multiplies sizes.
        depth, col_names, device, dtypes, verbose: see `rushlight.show.summary`. A device that is not there ("cuda",
            the default in old programs) raises PyTorch's error.
        batch_dim, branching, col_width: torch-summary's; the last two are accepted, the table's layout is fixed.

    Raises NotImplementedError for a `batch_dim` other than the first.

    >>> from rushlight import nn
    >>> summary(nn.Linear(3, 4), (3,), batch_size=8, verbose=0).layers[0].output_shape
    [8, 4]
    """
    if batch_dim not in (0, None):
        raise NotImplementedError(f"torchsummary.summary: batch_dim={batch_dim}; Rushlight's table has the batch first")
    size = kwargs.pop("input_size", input_data)
    found = _table(
        model, size, *args, depth=depth, dtypes=dtypes, device=device, col_names=col_names, verbose=0, **kwargs
    )
    if batch_size != -1:
        _with_batch(found, batch_size)
    if verbose:
        print(found)
    return found


def _with_batch(found: ModelSummary, size: int) -> None:
    """Puts the number of examples into shapes, and sizes for so many."""
    for layer in found.layers:
        for shape in (layer.input_shape, layer.output_shape):
            if shape:
                shape[0] = size
    found.input_bytes *= abs(size)
    found.forward_backward_bytes *= abs(size)


__getattr__ = missing(__name__, home="torchsummary")
