"""The frame of detectors in two stages: pictures, backbone, proposals, and heads that look at each of them."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

from rushlight import nn
from rushlight.tensor import Tensor
from rushlight.vision.models.detection.targets import check_boxes, check_sides, sizes_of

__all__ = ["GeneralizedRCNN"]


class GeneralizedRCNN(nn.Module):
    """Pictures to losses in training, to detections in evaluation.

    Args:
        backbone: pictures (N, 3, H, W) to a map, or a dictionary of maps.
        rpn: pictures, maps and targets to proposals and losses.
        roi_heads: maps, proposals, sizes and targets to detections and losses.
        transform: prepares pictures and targets, and brings detections back to the pictures' sizes.
    """

    def __init__(self, backbone: nn.Module, rpn: nn.Module, roi_heads: nn.Module, transform: nn.Module) -> None:
        super().__init__()
        self.transform = transform
        self.backbone = backbone
        self.rpn = rpn
        self.roi_heads = roi_heads

    def eager_outputs(self, losses: dict[str, Any], detections: list[dict[str, Any]]) -> Any:
        """What is handed back: losses in training, detections in evaluation."""
        return losses if self.training else detections

    def forward(self, images: list[Any], targets: list[dict[str, Any]] | None = None) -> Any:
        """A dictionary of losses in training; in evaluation one of detections for each picture.

        Args:
            images: pictures (C, H, W) of any sizes, with numbers from 0 to 1.
            targets: for each, a dictionary with "boxes" (N, 4), "labels" (N,) and what the heads need.

        Raises AssertionError for targets that are missing, or whose boxes are of another shape or empty.
        """
        if self.training:
            check_boxes(targets)
        sizes = sizes_of(images)
        batch, targets = self.transform(images, targets)
        check_sides(targets)
        features = self.backbone(batch.tensors)
        if isinstance(features, Tensor):
            features = OrderedDict([("0", features)])
        proposals, proposal_losses = self.rpn(batch, features, targets)
        detections, detector_losses = self.roi_heads(features, proposals, batch.image_sizes, targets)
        detections = self.transform.postprocess(detections, batch.image_sizes, sizes)
        return self.eager_outputs({**detector_losses, **proposal_losses}, detections)
