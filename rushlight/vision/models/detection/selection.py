"""Which of many boxes stay: those with a score and a size, and of those that overlap, the best.

Numbers decide here how much is left, so this is done with NumPy, at once: no program that is recorded depends on how many
boxes there happen to be. What comes back are places, with which the caller picks from its own tensors.
"""

from __future__ import annotations

from typing import Any

import numpy as np

import rushlight
from rushlight.vision.ops.boxes import kept_by_group

__all__ = ["above", "best_boxes"]


def above(scores: Any, threshold: float, most: int) -> Any:
    """The places in scores (N,) of the best above a threshold, so many at most, best first."""
    values = scores.detach().numpy()
    places = np.flatnonzero(values > threshold)
    order = np.argsort(-values[places], kind="stable")[:most]
    return rushlight.from_numpy(places[order])


def best_boxes(
    boxes: Any,
    scores: Any,
    groups: Any,
    overlap: float,
    most: int,
    smallest: float | None = None,
    least: float | None = None,
) -> Any:
    """The places of the boxes that stay, best first.

    Args:
        boxes: corners (N, 4).
        scores: (N,).
        groups: whole numbers (N,); boxes of different groups do not compete.
        overlap: boxes that overlap a better one more than this are dropped.
        most: how many stay.
        smallest: both sides have to be at least this.
        least: the score has to be at least this.
    """
    corners, values, kinds = (entry.detach().numpy() for entry in (boxes, scores, groups))
    stay = np.ones(len(values), bool)
    if smallest is not None:
        stay &= (corners[:, 2:] - corners[:, :2] >= smallest).all(1)
    if least is not None:
        stay &= values >= least
    places = np.flatnonzero(stay)
    kept = kept_by_group(corners[places], values[places], kinds[places], overlap)[:most]
    return rushlight.from_numpy(places[kept])
