"""Pictures of several sizes in one tensor: each stands in the upper left corner, the rest of its place is zero."""

from __future__ import annotations

from typing import Any

__all__ = ["ImageList"]


class ImageList:
    """A batch of pictures, and their sizes before they were filled up to the size of the batch.

    Args:
        tensors: the pictures (N, C, H, W).
        image_sizes: (height, width) of each.
    """

    def __init__(self, tensors: Any, image_sizes: list[tuple[int, int]]) -> None:
        self.tensors = tensors
        self.image_sizes = image_sizes

    def to(self, device: Any) -> ImageList:
        """The same pictures on a device."""
        return ImageList(self.tensors.to(device), self.image_sizes)
