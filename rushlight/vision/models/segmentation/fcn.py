"""Fully convolutional networks: J. Long et al., arXiv:1411.4038."""

from __future__ import annotations

from functools import partial
from typing import Any

from rushlight.vision.models.resnet import ResNet50_Weights, ResNet101_Weights, resnet50, resnet101
from rushlight.vision.models.segmentation.backbone import (
    FCNHead,
    SegmentationModel,
    resnet_layers,
    segmentation_builder,
    voc_weights,
)

__all__ = ["FCN", "FCN_ResNet101_Weights", "FCN_ResNet50_Weights", "fcn_resnet101", "fcn_resnet50"]

FCN_ResNet50_Weights = voc_weights("FCN_ResNet50_Weights", "fcn_resnet50_coco-1167a1af.pth", 35322218)
FCN_ResNet101_Weights = voc_weights("FCN_ResNet101_Weights", "fcn_resnet101_coco-7ecb50ca.pth", 54314346)


class FCN(SegmentationModel):
    """A backbone and a convolution."""


def _assemble(backbone: Any, num_classes: int, aux: bool | None) -> FCN:
    auxiliary = FCNHead(1024, num_classes) if aux else None
    return FCN(resnet_layers(backbone, aux), FCNHead(2048, num_classes), auxiliary)


def dilated(resnet: Any) -> Any:
    """Makes the residual network whose last two stages keep the size."""
    return partial(resnet, replace_stride_with_dilation=[False, True, True])


fcn_resnet50 = segmentation_builder(
    "fcn_resnet50", FCN_ResNet50_Weights, (dilated(resnet50), ResNet50_Weights), _assemble, "FCN on ResNet-50."
)
fcn_resnet101 = segmentation_builder(
    "fcn_resnet101", FCN_ResNet101_Weights, (dilated(resnet101), ResNet101_Weights), _assemble, "FCN on ResNet-101."
)
