"""Which true box an anchor or a proposal stands for, and which of them a step learns from.

A matcher takes the overlaps (M, N) of M true boxes and N anchors, and gives each anchor the number of a true box, or
says that it is background or in between. The sampler picks a number of anchors of both kinds by chance.
"""

from __future__ import annotations

from typing import Any

import numpy as np

import rushlight

__all__ = ["BalancedPositiveNegativeSampler", "Matcher", "SSDMatcher"]


class Matcher:
    """Gives each anchor the true box that it overlaps most.

    Args:
        high_threshold: overlaps from here on are matches.
        low_threshold: overlaps below are background (-1); what is between counts for neither (-2).
        allow_low_quality_matches: the anchors that overlap a true box most are always matches.
    """

    BELOW_LOW_THRESHOLD = -1
    BETWEEN_THRESHOLDS = -2

    def __init__(self, high_threshold: float, low_threshold: float, allow_low_quality_matches: bool = False) -> None:
        rushlight._assert(low_threshold <= high_threshold, "low_threshold should be <= high_threshold")
        self.high_threshold, self.low_threshold = high_threshold, low_threshold
        self.allow_low_quality_matches = allow_low_quality_matches

    def __call__(self, match_quality_matrix: Any) -> Any:
        """The numbers (N,) of true boxes for overlaps (M, N). Raises ValueError if there are none of either."""
        if match_quality_matrix.numel() == 0:
            kind = "ground-truth" if match_quality_matrix.shape[0] == 0 else "proposal"
            raise ValueError(f"No {kind} boxes available for one of the images during training")
        best, number = match_quality_matrix.max(dim=0)
        matches = number.masked_fill(best < self.high_threshold, self.BETWEEN_THRESHOLDS)
        matches = matches.masked_fill(best < self.low_threshold, self.BELOW_LOW_THRESHOLD)
        if self.allow_low_quality_matches:
            self.set_low_quality_matches_(matches, number, match_quality_matrix)
        return matches

    def set_low_quality_matches_(self, matches: Any, all_matches: Any, match_quality_matrix: Any) -> None:
        """Writes the match of every anchor that overlaps some true box as much as no other anchor does."""
        most = match_quality_matrix.max(dim=1, keepdim=True)[0]
        chosen = (match_quality_matrix == most).any(dim=0)
        matches.copy_(rushlight.where(chosen, all_matches, matches))


class SSDMatcher(Matcher):
    """Gives each anchor the true box that it overlaps most, and each true box the anchor that overlaps it most.

    Args:
        threshold: overlaps below are background.
    """

    def __init__(self, threshold: float) -> None:
        super().__init__(threshold, threshold, allow_low_quality_matches=False)

    def __call__(self, match_quality_matrix: Any) -> Any:
        matches = super().__call__(match_quality_matrix)
        for number, anchor in enumerate(match_quality_matrix.max(dim=1)[1].tolist()):  # the last one wins
            matches[anchor] = number
        return matches


class BalancedPositiveNegativeSampler:
    """Picks anchors by chance: so many matches at most, and background to fill up.

    Args:
        batch_size_per_image: how many of each picture.
        positive_fraction: the largest share of matches.
    """

    def __init__(self, batch_size_per_image: int, positive_fraction: float) -> None:
        self.batch_size_per_image = batch_size_per_image
        self.positive_fraction = positive_fraction

    def __call__(self, matched_idxs: list[Any]) -> tuple[list[Any], list[Any]]:
        """Two masks (N,) of uint8 for each picture's labels (N,): the matches (>= 1) and the background (0) picked."""
        pairs = [self._pick(labels) for labels in matched_idxs]
        return [positive for positive, _ in pairs], [negative for _, negative in pairs]

    def _pick(self, labels: Any) -> tuple[Any, Any]:
        values = labels.numpy()
        positive, negative = np.flatnonzero(values >= 1), np.flatnonzero(values == 0)
        matches = min(len(positive), int(self.batch_size_per_image * self.positive_fraction))
        others = min(len(negative), self.batch_size_per_image - matches)
        return _mask(positive, matches, len(labels)), _mask(negative, others, len(labels))


def _mask(places: np.ndarray, count: int, size: int) -> Any:
    """Ones (size,) at so many of the places, by chance."""
    mask = np.zeros(size, np.uint8)
    mask[places[rushlight.randperm(len(places))[:count].numpy()]] = 1
    return rushlight.from_numpy(mask)
