"""What gives a detector's training steps equal shapes, so that they are one program, which is compiled.

How many proposals are learned from differs from step to step. Where the layers that look at them treat each by itself,
a few that count for nothing fill the number up to a multiple. And what depends on it is kept apart from what does not:
it is computed before a backward pass goes on into the backbone, whose part of the pass is then the same each time.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import numpy as np

import rushlight
from rushlight import nn
from rushlight.record.trace import recorder
from rushlight.vision.ops.layers import Conv2dNormActivation, FrozenBatchNorm2d

__all__ = ["compute", "filled_up", "kept_apart", "row_by_row", "row_wise"]

_ROW_WISE: set[type] = {
    nn.Sequential,
    nn.Linear,
    nn.Conv2d,
    nn.ConvTranspose2d,
    nn.ReLU,
    nn.Flatten,
    nn.Identity,
    nn.GroupNorm,
    Conv2dNormActivation,
    FrozenBatchNorm2d,
}


def row_wise(kind: type) -> type:
    """Says of a module's class that each row of its result depends on that row of its input alone."""
    _ROW_WISE.add(kind)
    return kind


def row_by_row(*modules: nn.Module) -> bool:
    """Whether nothing in the modules looks at several rows, draws random numbers, or listens."""
    return all(
        type(part) in _ROW_WISE and not part._forward_hooks and not part._forward_pre_hooks
        for module in modules
        for part in module.modules()
    )


def filled_up(boxes: list[Any], multiple: int) -> list[Any]:
    """Each picture's boxes (L, 4), and more in the last picture, so that there is a multiple of them, at least one."""
    count = sum(map(len, boxes))
    missing = -count % multiple if count else multiple
    if not missing:
        return boxes
    last = boxes[-1].detach().numpy()
    filling = np.tile(np.array([0, 0, 1, 1], last.dtype), (missing, 1))
    return [*boxes[:-1], rushlight.from_numpy(np.concatenate([last, filling]))]


def compute() -> None:
    """Computes what is recorded: a new program begins."""
    recorder().flush()


def kept_apart(features: dict[str, Any]) -> dict[str, Any]:
    """The same maps. A backward pass computes what it has found before it goes on through them."""
    first = [True]

    def settle(_: Any) -> None:
        if first:
            first.clear()
            compute()

    found = OrderedDict()
    for name, entry in features.items():
        if entry.requires_grad:
            entry = entry.view_as(entry)  # a node of its own: the maps' gradients come from elsewhere, too
            entry.register_hook(settle)
        found[name] = entry
    return found
