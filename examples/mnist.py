"""The handwritten digits, as the examples use them: all images of a set in one tensor, pixels from 0 to 1.

That is what ToTensor does to one image at a time; done to all at once it takes a second instead of a minute.
"""

from __future__ import annotations

from pathlib import Path

from rushlight.utils.data import TensorDataset
from rushlight.vision import datasets

DATA = Path(__file__).resolve().parents[1] / "data"


def digits(train: bool, limit: int | None = None) -> TensorDataset:
    """The first ``limit`` digits (default: all) of the 60,000 to train with or the 10,000 to test with.

    Items are an image ``(1, 28, 28)`` and its label.
    """
    stored = datasets.MNIST(str(DATA), train=train)
    images = stored.data[:limit].unsqueeze(1).float() / 255
    return TensorDataset(images, stored.targets[:limit])
