"""Keypoint R-CNN: Faster R-CNN that also finds points of each object (K. He et al., arXiv:1703.06870, section 5)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rushlight import nn
from rushlight.nn import functional as F
from rushlight.nn import init
from rushlight.vision.models.detection.backbone_utils import _resnet_fpn_extractor
from rushlight.vision.models.detection.building import Start, coco_weights, detector_builder
from rushlight.vision.models.detection.equal_shapes import row_wise
from rushlight.vision.models.detection.faster_rcnn import (
    _ON_RESNET,
    FasterRCNN,
    check_not_both,
    check_part,
    pyramid_pool,
    start_convolutions,
)
from rushlight.vision.models.resnet import resnet50
from rushlight.vision.ops.poolers import MultiScaleRoIAlign

__all__ = ["KeypointRCNN", "KeypointRCNN_ResNet50_FPN_Weights", "keypointrcnn_resnet50_fpn"]

SIDED = ("eye", "ear", "shoulder", "elbow", "wrist", "hip", "knee", "ankle")
KEYPOINTS = ["nose", *(f"{side}_{part}" for part in SIDED for side in ("left", "right"))]

KeypointRCNN_ResNet50_FPN_Weights = coco_weights(
    "KeypointRCNN_ResNet50_FPN_Weights",
    59137258,
    classes=2,
    meta={"keypoint_names": KEYPOINTS},
    COCO_LEGACY="keypointrcnn_resnet50_fpn_coco-9f466800.pth",
    COCO_V1="keypointrcnn_resnet50_fpn_coco-fc266e95.pth",
)


class KeypointRCNN(FasterRCNN):
    """Pictures to boxes, their classes and keypoints.

    As `FasterRCNN`; targets have "keypoints" (N, num_keypoints, 3) of x, y and visibility, too, and detections
    "keypoints" of the same shape and "keypoints_scores" (N, num_keypoints).

    Args:
        min_size: by default one of six sizes from 640 to 800.
        keypoint_roi_pool, keypoint_head, keypoint_predictor: as for `RoIHeads`.
        num_keypoints: how many points an object has, 17 by default; None where there is a ``keypoint_predictor``.
        kwargs: the other options of `FasterRCNN`.

    Raises:
        ValueError: for both of number and predictor.
        TypeError: for parts of another class.
    """

    def __init__(
        self,
        backbone: Any,
        num_classes: int | None = None,
        min_size: Any = None,
        *args: Any,
        keypoint_roi_pool: MultiScaleRoIAlign | None = None,
        keypoint_head: nn.Module | None = None,
        keypoint_predictor: nn.Module | None = None,
        num_keypoints: int | None = None,
        **kwargs: Any,
    ) -> None:
        check_part("keypoint_roi_pool", keypoint_roi_pool, MultiScaleRoIAlign)
        check_not_both("num_keypoints", num_keypoints, "keypoint_predictor", keypoint_predictor)
        pool = keypoint_roi_pool or pyramid_pool(14)
        if keypoint_head is None:
            keypoint_head = KeypointRCNNHeads(backbone.out_channels, (512,) * 8)
        if keypoint_predictor is None:
            keypoint_predictor = KeypointRCNNPredictor(512, 17 if num_keypoints is None else num_keypoints)
        super().__init__(backbone, num_classes, min_size or (640, 672, 704, 736, 768, 800), *args, **kwargs)
        self.roi_heads.keypoint_roi_pool = pool
        self.roi_heads.keypoint_head = keypoint_head
        self.roi_heads.keypoint_predictor = keypoint_predictor


@row_wise
class KeypointRCNNHeads(nn.Sequential):
    """Convolutions that keep the size.

    Args:
        in_channels: of the first one.
        layers: the channels of their results.
    """

    def __init__(self, in_channels: int, layers: Sequence[int]) -> None:
        sizes = [in_channels, *layers]
        steps: list[nn.Module] = []
        for before, after in zip(sizes, sizes[1:], strict=False):
            steps += [nn.Conv2d(before, after, 3, stride=1, padding=1), nn.ReLU(inplace=True)]
        super().__init__(*steps)
        start_convolutions(self)


@row_wise
class KeypointRCNNPredictor(nn.Module):
    """Maps (K, num_keypoints, 4 * H, 4 * W) of (K, in_channels, H, W)."""

    def __init__(self, in_channels: int, num_keypoints: int) -> None:
        super().__init__()
        self.kps_score_lowres = nn.ConvTranspose2d(in_channels, num_keypoints, 4, stride=2, padding=1)
        init.kaiming_normal_(self.kps_score_lowres.weight, mode="fan_out", nonlinearity="relu")
        init.zeros_(self.kps_score_lowres.bias)  # type: ignore[arg-type]
        self.up_scale = 2
        self.out_channels = num_keypoints

    def forward(self, x: Any) -> Any:
        x = self.kps_score_lowres(x)
        return F.interpolate(
            x, scale_factor=float(self.up_scale), mode="bilinear", align_corners=False, recompute_scale_factor=False
        )


def _assemble(start: Start, num_keypoints: int | None = None, **options: Any) -> KeypointRCNN:
    backbone = start.backbone(resnet50, norm_layer=start.norm_layer)
    layers = _resnet_fpn_extractor(backbone, start.layers)
    return KeypointRCNN(layers, start.num_classes, num_keypoints=num_keypoints or 17, **options)


keypointrcnn_resnet50_fpn = detector_builder(
    "keypointrcnn_resnet50_fpn",
    KeypointRCNN_ResNet50_FPN_Weights,
    _ON_RESNET,
    (5, 3),
    _assemble,
    "Keypoint R-CNN on ResNet-50.",
    num_classes=2,
    exact=True,
)
