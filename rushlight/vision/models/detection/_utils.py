"""torchvision's name for what detectors share: `box_coder`, `matcher` and the small things below."""

from __future__ import annotations

from collections import OrderedDict

import rushlight
from rushlight import nn
from rushlight.tensor import Tensor
from rushlight.vision.models.detection.box_coder import BoxCoder, BoxLinearCoder, encode_boxes
from rushlight.vision.models.detection.box_coder import box_loss as _box_loss
from rushlight.vision.models.detection.matcher import BalancedPositiveNegativeSampler, Matcher, SSDMatcher
from rushlight.vision.ops.layers import FrozenBatchNorm2d

__all__ = [
    "BalancedPositiveNegativeSampler",
    "BoxCoder",
    "BoxLinearCoder",
    "Matcher",
    "SSDMatcher",
    "_box_loss",
    "encode_boxes",
    "overwrite_eps",
    "retrieve_out_channels",
]


def overwrite_eps(model: nn.Module, eps: float) -> None:
    """Sets ``eps`` of all frozen normalizations: the first published weights were made with none."""
    for module in model.modules():
        if isinstance(module, FrozenBatchNorm2d):
            module.eps = eps


def retrieve_out_channels(model: nn.Module, size: tuple[int, int]) -> list[int]:
    """The channels of the maps that a backbone makes of a picture of (width, height)."""
    was_training = model.training
    model.eval()
    with rushlight.no_grad():
        features = model(rushlight.zeros((1, 3, size[1], size[0])))
    model.train(was_training)
    maps = OrderedDict([("0", features)]) if isinstance(features, Tensor) else features
    return [entry.shape[1] for entry in maps.values()]
