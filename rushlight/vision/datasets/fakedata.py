"""FakeData: pictures of noise, to try a program before the real data is there."""

from __future__ import annotations

from typing import Any

import rushlight
from rushlight.vision.datasets.vision import Transform, VisionDataset
from rushlight.vision.transforms.functional import to_pil_image


class FakeData(VisionDataset):
    """``size`` pictures of noise with random labels; each index always gives the same.

    Args:
        size: how many.
        image_size: (C, H, W).
        num_classes: labels are below.
        transform, target_transform: functions of the PIL image and of the label.
        random_offset: another number gives other pictures.
    """

    def __init__(
        self,
        size: int = 1000,
        image_size: tuple[int, int, int] = (3, 224, 224),
        num_classes: int = 10,
        transform: Transform | None = None,
        target_transform: Transform | None = None,
        random_offset: int = 0,
    ) -> None:
        super().__init__(transform=transform, target_transform=target_transform)
        self.size = size
        self.image_size = image_size
        self.num_classes = num_classes
        self.random_offset = random_offset

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        if index >= len(self):
            raise IndexError(f"{type(self).__name__} index out of range")
        state = rushlight.get_rng_state()
        try:
            rushlight.manual_seed(index + self.random_offset)
            noise = rushlight.randn(*self.image_size)
            target: Any = rushlight.randint(0, self.num_classes, size=(1,), dtype=rushlight.long).item()
        finally:
            rushlight.set_rng_state(state)
        picture = to_pil_image(noise)
        if self.transform is not None:
            picture = self.transform(picture)
        if self.target_transform is not None:
            target = self.target_transform(target)
        return picture, target

    def __len__(self) -> int:
        return self.size
