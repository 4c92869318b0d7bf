"""Mask R-CNN: Faster R-CNN that also says which places of a box are the object (K. He et al., arXiv:1703.06870)."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

from rushlight import nn
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
    version_2_parts,
)
from rushlight.vision.models.layers import Layer
from rushlight.vision.models.resnet import ResNet50_Weights, resnet50
from rushlight.vision.ops.layers import Conv2dNormActivation
from rushlight.vision.ops.poolers import MultiScaleRoIAlign

__all__ = [
    "MaskRCNN",
    "MaskRCNN_ResNet50_FPN_V2_Weights",
    "MaskRCNN_ResNet50_FPN_Weights",
    "maskrcnn_resnet50_fpn",
    "maskrcnn_resnet50_fpn_v2",
]

MaskRCNN_ResNet50_FPN_Weights = coco_weights(
    "MaskRCNN_ResNet50_FPN_Weights", 44401393, COCO_V1="maskrcnn_resnet50_fpn_coco-bf2d0c1e.pth"
)
MaskRCNN_ResNet50_FPN_V2_Weights = coco_weights(
    "MaskRCNN_ResNet50_FPN_V2_Weights", 46359409, COCO_V1="maskrcnn_resnet50_fpn_v2_coco-73cbd019.pth"
)


class MaskRCNN(FasterRCNN):
    """Pictures to boxes, their classes and masks.

    As `FasterRCNN`; targets have "masks" (N, H, W), too, and detections "masks" (N, 1, H, W) with numbers from 0 to 1.

    Args:
        mask_roi_pool, mask_head, mask_predictor: as for `RoIHeads`.
        num_classes: None where there is a ``mask_predictor``; then there has to be a ``box_predictor``, too.
        kwargs: the other options of `FasterRCNN`.

    Raises:
        ValueError: for both of classes and predictor.
        TypeError: for parts of another class.
    """

    def __init__(
        self,
        backbone: Any,
        num_classes: int | None = None,
        *args: Any,
        mask_roi_pool: MultiScaleRoIAlign | None = None,
        mask_head: nn.Module | None = None,
        mask_predictor: nn.Module | None = None,
        **kwargs: Any,
    ) -> None:
        check_part("mask_roi_pool", mask_roi_pool, MultiScaleRoIAlign)
        check_not_both("num_classes", num_classes, "mask_predictor", mask_predictor)
        pool = mask_roi_pool or pyramid_pool(14)
        if mask_head is None:
            mask_head = MaskRCNNHeads(backbone.out_channels, (256,) * 4, 1)
        if mask_predictor is None:
            mask_predictor = MaskRCNNPredictor(256, 256, num_classes)  # type: ignore[arg-type]
        super().__init__(backbone, num_classes, *args, **kwargs)
        self.roi_heads.mask_roi_pool = pool
        self.roi_heads.mask_head = mask_head
        self.roi_heads.mask_predictor = mask_predictor


@row_wise
class MaskRCNNHeads(nn.Sequential):
    """Convolutions that keep the size.

    Args:
        in_channels: of the first one.
        layers: the channels of their results.
        dilation: of all of them.
        norm_layer: makes normalizations; None for none.
    """

    _version = 2

    def __init__(
        self, in_channels: int, layers: Sequence[int], dilation: int, norm_layer: Layer | None = None
    ) -> None:
        sizes = [in_channels, *layers]
        steps = [
            Conv2dNormActivation(before, after, 3, padding=dilation, dilation=dilation, norm_layer=norm_layer)
            for before, after in zip(sizes, sizes[1:], strict=False)
        ]
        super().__init__(*steps)
        start_convolutions(self)

    def _load_from_state_dict(self, state_dict: Any, prefix: str, local_metadata: Any, *rest: Any) -> None:
        if (local_metadata.get("version") or 1) < 2:  # the convolutions had names
            for number in range(len(self)):
                for kind in ("weight", "bias"):
                    old = f"{prefix}mask_fcn{number + 1}.{kind}"
                    if old in state_dict:
                        state_dict[f"{prefix}{number}.0.{kind}"] = state_dict.pop(old)
        super()._load_from_state_dict(state_dict, prefix, local_metadata, *rest)


@row_wise
class MaskRCNNPredictor(nn.Sequential):
    """Scores (K, num_classes, 2 * H, 2 * W) of (K, in_channels, H, W).

    Args:
        in_channels: of the input.
        dim_reduced: channels inside.
        num_classes: how many classes, the background among them.
    """

    def __init__(self, in_channels: int, dim_reduced: int, num_classes: int) -> None:
        super().__init__(
            OrderedDict(
                conv5_mask=nn.ConvTranspose2d(in_channels, dim_reduced, 2, 2, 0),
                relu=nn.ReLU(inplace=True),
                mask_fcn_logits=nn.Conv2d(dim_reduced, num_classes, 1, 1, 0),
            )
        )
        for name, parameter in self.named_parameters():
            if "weight" in name:
                init.kaiming_normal_(parameter, mode="fan_out", nonlinearity="relu")


def _version_1(start: Start, **options: Any) -> MaskRCNN:
    backbone = start.backbone(resnet50, norm_layer=start.norm_layer)
    return MaskRCNN(_resnet_fpn_extractor(backbone, start.layers), start.num_classes, **options)


def _version_2(start: Start, **options: Any) -> MaskRCNN:
    backbone, parts = version_2_parts(start)
    mask_head = MaskRCNNHeads(backbone.out_channels, [256] * 4, 1, norm_layer=nn.BatchNorm2d)
    return MaskRCNN(backbone, start.num_classes, mask_head=mask_head, **parts, **options)


maskrcnn_resnet50_fpn = detector_builder(
    "maskrcnn_resnet50_fpn",
    MaskRCNN_ResNet50_FPN_Weights,
    _ON_RESNET,
    (5, 3),
    _version_1,
    "Mask R-CNN on ResNet-50.",
    exact=True,
)
maskrcnn_resnet50_fpn_v2 = detector_builder(
    "maskrcnn_resnet50_fpn_v2",
    MaskRCNN_ResNet50_FPN_V2_Weights,
    (ResNet50_Weights, None),
    (5, 3),
    _version_2,
    "Mask R-CNN on ResNet-50, the second version.",
)
