"""Weights of models for videos, trained on Kinetics-400."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from rushlight.vision.models.weights import SERVER, Weights, published
from rushlight.vision.transforms.presets import VideoClassification


def kinetics_weights(
    name: str,
    files: str | Mapping[str, str],
    crop: tuple[int, int],
    resize: tuple[int, ...],
    statistics: Mapping[str, Any] | None = None,
    **meta: Any,
) -> Any:
    """The enumeration ``name`` with the member KINETICS400_V1, or those that ``files`` has; the first is DEFAULT.

    Args:
        crop, resize, statistics: how videos are prepared; ``statistics`` has ``mean`` and ``std``.
    """
    members = {"KINETICS400_V1": files} if isinstance(files, str) else files
    transforms = partial(VideoClassification, crop_size=crop, resize_size=resize, **(statistics or {}))
    entries = {key: Weights(SERVER + file, transforms, meta, 400) for key, file in members.items()}
    return published(name, entries, next(iter(members)))
