"""`HistogramObserver`: scale and zero point that lose least, by a histogram of all numbers that were seen.

The range is narrowed from both ends, by quantiles, as long as the squared error falls that its numbers would have after
quantization. Within a bin the numbers are taken to be spread evenly, so that its error is an integral of squares.

Source: the L2 minimization of Caffe2's quantization (https://github.com/pytorch/pytorch, caffe2/quantization/server).
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from rushlight.ao.quantization.observer import MinMaxObserver
from rushlight.core import dtype as dtypes
from rushlight.core.qscheme import per_tensor_affine
from rushlight.tensor import FUNCTIONS, Tensor

__all__ = ["HistogramObserver", "default_histogram_observer"]

FINER = 16  # into how many parts a bin is cut where its numbers go to bins of another width
QUANTILE_STEP = 1e-5


class HistogramObserver(MinMaxObserver):
    """Keeps a histogram of what it has seen, and chooses the range that loses least.

    Args:
        bins: of the histogram.
        The others are `UniformQuantizationObserverBase`'s.

    Raises:
        NotImplementedError: a scheme per channel, or dynamic quantization.

    >>> observe = torch.ao.quantization.HistogramObserver(bins=4)
    >>> _ = observe(torch.tensor([0.0, 1.0, 2.0, 2.5])); observe.histogram
    tensor([1., 1., 0., 2.])
    """

    histogram: Tensor

    def __init__(
        self, bins: int = 2048, dtype: Any = dtypes.quint8, qscheme: Any = per_tensor_affine, *args: Any, **kwargs: Any
    ) -> None:
        super().__init__(dtype, qscheme, *args, **kwargs)
        if self.is_dynamic:
            raise NotImplementedError("HistogramObserver doesn't support dynamic quantization")
        self.bins, self.levels = bins, 1 << (8 * dtype.itemsize)
        self.register_buffer("histogram", FUNCTIONS["zeros"](bins))
        for name in ("min_val", "max_val"):  # behind it, as state dicts of PyTorch's have them
            self.register_buffer(name, self._buffers.pop(name))

    def forward(self, x_orig: Tensor) -> Tensor:
        """Looks at the tensor, but for infinite numbers, and lets it pass."""
        x = x_orig.detach().to(self.histogram.dtype)
        if bool(x.isinf().any()):
            warnings.warn("torch.inf detected in input tensor, ignoring input", stacklevel=2)
            x = x[~x.isinf()]
        if not x.numel():
            return x_orig
        low, high = self._joined(*self._extremes(x))
        counted = FUNCTIONS["histc"](x, self.bins, min=float(low), max=float(high))
        if not self._seen_nothing():
            counted = counted + self._moved(float(low), float(high))
        self.histogram.copy_(counted)
        self.min_val.copy_(low)
        self.max_val.copy_(high)
        return x_orig

    def _moved(self, low: float, high: float) -> Tensor:
        """What was counted until now, in bins from `low` to `high`."""
        before_low, before_high = float(self.min_val), float(self.max_val)
        if (before_low, before_high) == (low, high):
            return self.histogram
        if before_low == before_high:
            place = FUNCTIONS["histc"](self.min_val, self.bins, min=low, max=high)
            return place * self.histogram.sum()  # type: ignore[no-any-return]
        parts = np.repeat(self.histogram.numpy(), FINER) / np.float32(FINER)
        edges = FUNCTIONS["linspace"](before_low, before_high, len(parts) + 1).numpy()
        middles = edges[:-1] + np.float32(0.5 * (before_high - before_low) / len(parts))
        to = np.searchsorted(FUNCTIONS["linspace"](low, high, self.bins + 1).numpy(), middles, "right") - 1
        found = np.bincount(to.clip(0, self.bins - 1), weights=parts, minlength=self.bins)
        return FUNCTIONS["tensor"](found.astype(np.float32))  # type: ignore[no-any-return]

    def calculate_qparams(self, **kwargs: Any) -> tuple[Tensor, Tensor]:
        """Scale and zero point of the range that loses least; 1 and 0, with a warning, where nothing was seen."""
        if self._seen_nothing():
            return super().calculate_qparams()
        first, last = self._best_range()
        width = (self.max_val - self.min_val) / self.bins
        return self.chosen(self.min_val + width * first, self.min_val + width * (last + 1))

    def _best_range(self) -> tuple[int, int]:
        """The first and the last bin of the range."""
        counts = self.histogram.numpy()
        below = np.cumsum(counts, dtype=np.float64).astype(np.float32)  # up to the end of each bin
        total, left, right = float(counts.sum()), 0.0, 1.0
        first, last, least = 0, self.bins - 1, float("inf")
        while left < right:
            from_left, to_right = (np.float32(q * total) for q in (left + QUANTILE_STEP, right - QUANTILE_STEP))
            a = first + int(np.searchsorted(below[first:last], from_left, "left"))
            b = first + int(np.searchsorted(below[first + 1 : last + 1], to_right, "right"))
            if a - first > last - b:
                narrowed, left = (a, last), left + QUANTILE_STEP
            else:
                narrowed, right = (first, b), right - QUANTILE_STEP
            if narrowed == (first, last):
                continue
            error = self._error(counts, *narrowed)
            if error > least:
                break
            least, (first, last) = error, narrowed
        return first, last

    def _error(self, counts: np.ndarray, first: int, last: int) -> float:
        """The squared error of all numbers, if the bins from `first` to `last` are divided among the levels."""
        width = (float(self.max_val) - float(self.min_val)) / self.bins
        step = np.float32(width * (last - first + 1) / self.levels)
        if step == 0:
            return 0.0
        begin = np.arange(-first, self.bins - first, dtype=np.float32) * np.float32(width)
        end = begin + np.float32(width)
        level_of_begin, level_of_end = (np.clip(np.floor_divide(x, step), 0, self.levels - 1) for x in (begin, end))
        half = step / 2
        cubes = half**3 - (begin - (level_of_begin + np.float32(0.5)) * step) ** 3
        cubes += (level_of_end - level_of_begin - 1) * (2 * half**3)
        cubes += (end - (level_of_end * step + half)) ** 3 + half**3
        return float((counts / np.float32(width) * (cubes / 3)).sum())


default_histogram_observer = HistogramObserver.with_args(quant_min=0, quant_max=127)
