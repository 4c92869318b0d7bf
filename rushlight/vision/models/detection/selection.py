"""Which of many boxes stay: those with a score and a size, and of those that overlap, the best.

Numbers decide here how much is left, so this is done with NumPy, at once: no program that is recorded depends on how
many boxes there happen to be. What comes back are places, with which the caller picks from its own tensors.
"""

from __future__ import annotations

import numpy as np

from rushlight.vision.ops.boxes import kept_by_group

__all__ = ["above", "best_boxes"]


def above(scores: np.ndarray, threshold: float, most: int) -> np.ndarray:
    """The places in scores (N,) of the best above a threshold, so many at most, best first."""
    places = np.flatnonzero(scores > threshold)
    best: np.ndarray = places[np.argsort(-scores[places], kind="stable")[:most]]
    return best


def best_boxes(
    boxes: np.ndarray,
    scores: np.ndarray,
    groups: np.ndarray,
    overlap: float,
    most: int,
    smallest: float | None = None,
    least: float | None = None,
) -> np.ndarray:
    """The places of the boxes that stay, best first.

    Args:
        boxes: boxes (N, 4).
        scores: (N,).
        groups: whole numbers (N,); boxes of different groups do not compete.
        overlap: boxes that overlap a better one more than this are dropped.
        most: how many stay.
        smallest: both sides have to be at least this.
        least: the score has to be at least this.
    """
    stay = np.ones(len(scores), bool)
    if smallest is not None:
        stay &= (boxes[:, 2:] - boxes[:, :2] >= smallest).all(1)
    if least is not None:
        stay &= scores >= least
    places = np.flatnonzero(stay)
    kept = kept_by_group(boxes[places], scores[places], groups[places], overlap)[:most]
    found: np.ndarray = places[kept]
    return found
