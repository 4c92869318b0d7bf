"""Weights of models for videos, trained on Kinetics-400."""

from __future__ import annotations

from functools import partial
from typing import Any

from rushlight.vision.models.weights import SERVER, Weights, published
from rushlight.vision.transforms.presets import VideoClassification


def kinetics_weights(name: str, file: str, crop: tuple[int, int], resize: tuple[int, int], **meta: Any) -> Any:
    """The enumeration ``name`` with the member KINETICS400_V1."""
    transforms = partial(VideoClassification, crop_size=crop, resize_size=resize)
    return published(name, {"KINETICS400_V1": Weights(SERVER + file, transforms, meta, 400)}, "KINETICS400_V1")
