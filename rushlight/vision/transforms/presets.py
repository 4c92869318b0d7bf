"""How pictures are prepared for models with trained weights."""

from __future__ import annotations

from typing import Any

import rushlight
from rushlight.nn import Module
from rushlight.tensor import Tensor
from rushlight.vision.transforms import functional as F
from rushlight.vision.transforms.functional import InterpolationMode

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


class _Preset(Module):
    """What the presets share: their settings, one a line, when they are printed."""

    def __repr__(self) -> str:
        names = ("crop_size", "resize_size", "mean", "std", "interpolation")
        settings = [f"\n    {name}={getattr(self, name)}" for name in names if hasattr(self, name)]
        return f"{type(self).__name__}({''.join(settings)}\n)"

    def _normalized(self, img: Any) -> Tensor:
        tensor = img if isinstance(img, Tensor) else F.pil_to_tensor(img)
        return F.normalize(F.convert_image_dtype(tensor, rushlight.float), self.mean, self.std)  # type: ignore[arg-type]


class ImageClassification(_Preset):
    """The middle of the resized picture, as normalized floats (..., 3, crop_size, crop_size)."""

    def __init__(
        self,
        *,
        crop_size: int,
        resize_size: int = 256,
        mean: tuple[float, ...] = IMAGENET_MEAN,
        std: tuple[float, ...] = IMAGENET_STD,
        interpolation: InterpolationMode = InterpolationMode.BILINEAR,
        antialias: bool | None = True,
    ) -> None:
        super().__init__()
        self.crop_size = [crop_size]
        self.resize_size = [resize_size]
        self.mean = list(mean)
        self.std = list(std)
        self.interpolation = interpolation
        self.antialias = antialias

    def forward(self, img: Any) -> Tensor:
        img = F.resize(img, self.resize_size, self.interpolation, antialias=self.antialias)
        return self._normalized(F.center_crop(img, self.crop_size))


class ObjectDetection(_Preset):
    """The picture as floats (..., 3, H, W) from 0 to 1: detectors normalize and resize it themselves."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"

    def forward(self, img: Any) -> Tensor:
        tensor = img if isinstance(img, Tensor) else F.pil_to_tensor(img)
        return F.convert_image_dtype(tensor, rushlight.float)


class SemanticSegmentation(_Preset):
    """The resized picture as normalized floats (..., 3, H, W)."""

    def __init__(
        self,
        *,
        resize_size: int | None,
        mean: tuple[float, ...] = IMAGENET_MEAN,
        std: tuple[float, ...] = IMAGENET_STD,
        interpolation: InterpolationMode = InterpolationMode.BILINEAR,
        antialias: bool | None = True,
    ) -> None:
        super().__init__()
        self.resize_size = None if resize_size is None else [resize_size]
        self.mean = list(mean)
        self.std = list(std)
        self.interpolation = interpolation
        self.antialias = antialias

    def forward(self, img: Any) -> Tensor:
        if self.resize_size is not None:
            img = F.resize(img, self.resize_size, self.interpolation, antialias=self.antialias)
        return self._normalized(img)


class VideoClassification(_Preset):
    """The middle of the resized video (..., T, C, H, W), as normalized floats (..., C, T, H, W)."""

    def __init__(
        self,
        *,
        crop_size: tuple[int, int],
        resize_size: tuple[int, ...],
        mean: tuple[float, ...] = (0.43216, 0.394666, 0.37645),
        std: tuple[float, ...] = (0.22803, 0.22145, 0.216989),
        interpolation: InterpolationMode = InterpolationMode.BILINEAR,
    ) -> None:
        super().__init__()
        self.crop_size = list(crop_size)
        self.resize_size = list(resize_size)
        self.mean = list(mean)
        self.std = list(std)
        self.interpolation = interpolation

    def forward(self, vid: Tensor) -> Tensor:
        before, (channels, height, width) = vid.shape[:-3], vid.shape[-3:]
        frames = vid.reshape(-1, channels, height, width)
        frames = F.resize(frames, self.resize_size, self.interpolation, antialias=False)
        frames = self._normalized(F.center_crop(frames, self.crop_size))
        return frames.reshape(*before, channels, *self.crop_size).transpose(-4, -3)  # type: ignore[no-any-return]
