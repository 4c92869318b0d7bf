"""RetinaNet: every anchor learns, and the easy ones count little (T.-Y. Lin et al., arXiv:1708.02002).

The second version normalizes by groups and learns overlaps (S. Zhang et al., arXiv:1912.02424).
"""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import rushlight
from rushlight import nn
from rushlight.vision.models.detection.anchor_utils import AnchorGenerator
from rushlight.vision.models.detection.backbone_utils import _resnet_fpn_extractor
from rushlight.vision.models.detection.box_coder import BoxCoder, box_loss
from rushlight.vision.models.detection.building import Start, coco_weights, detector_builder
from rushlight.vision.models.detection.dense import DenseDetector, anchors_last, matched_anchors, start_layer
from rushlight.vision.models.detection.faster_rcnn import check_backbone
from rushlight.vision.models.detection.matcher import Matcher
from rushlight.vision.models.detection.transform import GeneralizedRCNNTransform
from rushlight.vision.models.layers import Layer
from rushlight.vision.models.resnet import ResNet50_Weights, resnet50
from rushlight.vision.ops.feature_pyramid_network import LastLevelP6P7
from rushlight.vision.ops.layers import Conv2dNormActivation
from rushlight.vision.ops.losses import sigmoid_focal_loss
from rushlight.vision.transforms.presets import IMAGENET_MEAN, IMAGENET_STD

__all__ = [
    "RetinaNet",
    "RetinaNet_ResNet50_FPN_V2_Weights",
    "RetinaNet_ResNet50_FPN_Weights",
    "retinanet_resnet50_fpn",
    "retinanet_resnet50_fpn_v2",
]

RetinaNet_ResNet50_FPN_Weights = coco_weights(
    "RetinaNet_ResNet50_FPN_Weights", 34014999, COCO_V1="retinanet_resnet50_fpn_coco-eeacb38b.pth"
)
RetinaNet_ResNet50_FPN_V2_Weights = coco_weights(
    "RetinaNet_ResNet50_FPN_V2_Weights", 38198935, COCO_V1="retinanet_resnet50_fpn_v2_coco-5905b1c5.pth"
)


def _default_anchorgen() -> AnchorGenerator:
    """Three sizes for each of five maps, in three shapes."""
    sizes = tuple((x, int(x * 2 ** (1.0 / 3)), int(x * 2 ** (2.0 / 3))) for x in (32, 64, 128, 256, 512))
    return AnchorGenerator(sizes, ((0.5, 1.0, 2.0),) * len(sizes))


class _Tower(nn.Module):
    """Four convolutions that both heads have; older checkpoints know them without their blocks."""

    _version = 2

    def __init__(self, in_channels: int, norm_layer: Layer | None) -> None:
        super().__init__()
        steps = [Conv2dNormActivation(in_channels, in_channels, norm_layer=norm_layer) for _ in range(4)]
        self.conv = nn.Sequential(*steps)

    def _start_convolutions(self) -> None:
        for layer in self.conv.modules():
            if isinstance(layer, nn.Conv2d):
                start_layer(layer)

    def _load_from_state_dict(self, state_dict: Any, prefix: str, local_metadata: Any, *rest: Any) -> None:
        if (local_metadata.get("version") or 1) < 2:  # convolutions and activations stood side by side
            for number in range(4):
                for kind in ("weight", "bias"):
                    old = f"{prefix}conv.{2 * number}.{kind}"
                    if old in state_dict:
                        state_dict[f"{prefix}conv.{number}.0.{kind}"] = state_dict.pop(old)
        super()._load_from_state_dict(state_dict, prefix, local_metadata, *rest)


class RetinaNetClassificationHead(_Tower):
    """Scores (N, anchors, num_classes) of maps.

    Args:
        in_channels: of the maps.
        num_anchors: how many a place has.
        num_classes: how many classes.
        prior_probability: of each class at first.
        norm_layer: makes normalizations; None for none.
    """

    def __init__(
        self,
        in_channels: int,
        num_anchors: int,
        num_classes: int,
        prior_probability: float = 0.01,
        norm_layer: Layer | None = None,
    ) -> None:
        super().__init__(in_channels, norm_layer)
        self._start_convolutions()
        self.cls_logits = nn.Conv2d(in_channels, num_anchors * num_classes, kernel_size=3, stride=1, padding=1)
        start_layer(self.cls_logits, bias=-math.log((1 - prior_probability) / prior_probability))
        self.num_classes, self.num_anchors = num_classes, num_anchors
        self.BETWEEN_THRESHOLDS = Matcher.BETWEEN_THRESHOLDS

    def compute_loss(
        self, targets: list[dict[str, Any]], head_outputs: dict[str, Any], matched_idxs: list[Any]
    ) -> Any:
        """The focal loss of all anchors that are not in between, for each match."""
        losses = []
        for target, logits, match in zip(targets, head_outputs["cls_logits"], matched_idxs, strict=True):
            found = match >= 0
            aims = rushlight.zeros_like(logits)
            aims[found, target["labels"][match[found]]] = 1.0
            valid = match != self.BETWEEN_THRESHOLDS
            loss = sigmoid_focal_loss(logits[valid], aims[valid], reduction="sum")
            losses.append(loss / max(1, int(found.sum())))
        return sum(losses) / len(targets)

    def forward(self, x: list[Any]) -> Any:
        said = [anchors_last(self.cls_logits(self.conv(entry)), self.num_classes) for entry in x]
        return rushlight.cat(said, dim=1)


class RetinaNetRegressionHead(_Tower):
    """Moves (N, anchors, 4) of maps.

    Args:
        in_channels: of the maps.
        num_anchors: how many a place has.
        norm_layer: makes normalizations; None for none.
    """

    def __init__(self, in_channels: int, num_anchors: int, norm_layer: Layer | None = None) -> None:
        super().__init__(in_channels, norm_layer)
        self.bbox_reg = nn.Conv2d(in_channels, num_anchors * 4, kernel_size=3, stride=1, padding=1)
        start_layer(self.bbox_reg)
        self._start_convolutions()
        self.box_coder = BoxCoder(weights=(1.0, 1.0, 1.0, 1.0))
        self._loss_type = "l1"

    def compute_loss(
        self,
        targets: list[dict[str, Any]],
        head_outputs: dict[str, Any],
        anchors: list[Any],
        matched_idxs: list[Any],
    ) -> Any:
        """The loss of the boxes, for each match."""
        losses = []
        parts = zip(targets, head_outputs["bbox_regression"], anchors, matched_idxs, strict=True)
        for target, moves, places, match in parts:
            found = rushlight.where(match >= 0)[0]
            boxes = target["boxes"][match[found]]
            loss = box_loss(self._loss_type, self.box_coder, places[found], boxes, moves[found])
            losses.append(loss / max(1, len(found)))
        return sum(losses) / max(1, len(targets))

    def forward(self, x: list[Any]) -> Any:
        return rushlight.cat([anchors_last(self.bbox_reg(self.conv(entry)), 4) for entry in x], dim=1)


class RetinaNetHead(nn.Module):
    """Scores "cls_logits" (N, anchors, num_classes) and moves "bbox_regression" (N, anchors, 4) of maps."""

    def __init__(
        self, in_channels: int, num_anchors: int, num_classes: int, norm_layer: Layer | None = None
    ) -> None:
        super().__init__()
        self.classification_head = RetinaNetClassificationHead(
            in_channels, num_anchors, num_classes, norm_layer=norm_layer
        )
        self.regression_head = RetinaNetRegressionHead(in_channels, num_anchors, norm_layer=norm_layer)

    def compute_loss(
        self,
        targets: list[dict[str, Any]],
        head_outputs: dict[str, Any],
        anchors: list[Any],
        matched_idxs: list[Any],
    ) -> dict[str, Any]:
        """Both losses."""
        return {
            "classification": self.classification_head.compute_loss(targets, head_outputs, matched_idxs),
            "bbox_regression": self.regression_head.compute_loss(targets, head_outputs, anchors, matched_idxs),
        }

    def forward(self, x: list[Any]) -> dict[str, Any]:
        return {"cls_logits": self.classification_head(x), "bbox_regression": self.regression_head(x)}


class RetinaNet(DenseDetector):
    """Pictures to boxes and their classes.

    Args:
        backbone: pictures to a dictionary of maps, with an attribute ``out_channels``.
        num_classes: how many classes, the background among them.
        min_size, max_size, image_mean, image_std: as for `GeneralizedRCNNTransform`, which gets further options, too.
        anchor_generator, head: what says something about which anchors.
        proposal_matcher: which anchors match true boxes; by default, overlaps from ``fg_iou_thresh`` do, and those
            below ``bg_iou_thresh`` do not.
        score_thresh, nms_thresh, detections_per_img, topk_candidates: which boxes are detections, and how many; and how
            many of each map are looked at.

    Raises:
        ValueError: for a backbone without ``out_channels``.
        TypeError: for an anchor generator of another class.
    """

    def __init__(
        self,
        backbone: Any,
        num_classes: int,
        min_size: Any = 800,
        max_size: int = 1333,
        image_mean: list[float] | None = None,
        image_std: list[float] | None = None,
        anchor_generator: AnchorGenerator | None = None,
        head: nn.Module | None = None,
        proposal_matcher: Matcher | None = None,
        score_thresh: float = 0.05,
        nms_thresh: float = 0.5,
        detections_per_img: int = 300,
        fg_iou_thresh: float = 0.5,
        bg_iou_thresh: float = 0.4,
        topk_candidates: int = 1000,
        **kwargs: Any,
    ) -> None:
        super().__init__()
        check_backbone(backbone)
        self.backbone = backbone
        if not isinstance(anchor_generator, AnchorGenerator | None):
            raise TypeError(
                f"anchor_generator should be of type AnchorGenerator or None instead of {type(anchor_generator)}"
            )
        self.anchor_generator = anchor_generator or _default_anchorgen()
        per_place = self.anchor_generator.num_anchors_per_location()[0]
        self.head = RetinaNetHead(backbone.out_channels, per_place, num_classes) if head is None else head
        self.proposal_matcher = proposal_matcher or Matcher(fg_iou_thresh, bg_iou_thresh, True)
        self.box_coder = BoxCoder(weights=(1.0, 1.0, 1.0, 1.0))
        mean, std = image_mean or list(IMAGENET_MEAN), image_std or list(IMAGENET_STD)
        self.transform = GeneralizedRCNNTransform(min_size, max_size, mean, std, **kwargs)
        self.score_thresh, self.nms_thresh = score_thresh, nms_thresh
        self.detections_per_img, self.topk_candidates = detections_per_img, topk_candidates

    def compute_loss(
        self, targets: list[dict[str, Any]], head_outputs: dict[str, Any], anchors: list[Any]
    ) -> dict[str, Any]:
        """Both losses of what the head says about the anchors (A, 4) of each picture."""
        return self.head.compute_loss(targets, head_outputs, anchors, matched_anchors(self, targets, anchors))

    def _losses(self, targets: Any, said: dict[str, Any], anchors: list[Any], counts: list[int]) -> dict[str, Any]:
        return self.compute_loss(targets, said, anchors)

    def postprocess_detections(
        self, head_outputs: dict[str, list[Any]], anchors: list[list[Any]], image_shapes: list[tuple[int, int]]
    ) -> list[dict[str, Any]]:
        """The detections of each picture, of what the head says about each map, and each picture's anchors by maps."""
        scores, moves = head_outputs["cls_logits"], head_outputs["bbox_regression"]
        found = []
        for picture, size in enumerate(image_shapes):
            parts = [
                (
                    score[picture].sigmoid(),
                    lambda at, move=move[picture], place=place: self.box_coder.decode_single(move[at], place[at]),
                )
                for score, move, place in zip(scores, moves, anchors[picture], strict=True)
            ]
            found.append(self._best_of_maps(parts, size))
        return found


def _version_1(start: Start, **options: Any) -> RetinaNet:
    backbone = start.backbone(resnet50, norm_layer=start.norm_layer)
    layers = _resnet_fpn_extractor(
        backbone, start.layers, returned_layers=[2, 3, 4], extra_blocks=LastLevelP6P7(256, 256)
    )
    return RetinaNet(layers, start.num_classes, **options)


def _version_2(start: Start, **options: Any) -> RetinaNet:
    layers = _resnet_fpn_extractor(
        start.backbone(resnet50), start.layers, returned_layers=[2, 3, 4], extra_blocks=LastLevelP6P7(2048, 256)
    )
    anchors = _default_anchorgen()
    per_place = anchors.num_anchors_per_location()[0]
    head = RetinaNetHead(layers.out_channels, per_place, start.num_classes, norm_layer=partial(nn.GroupNorm, 32))
    head.regression_head._loss_type = "giou"
    return RetinaNet(layers, start.num_classes, anchor_generator=anchors, head=head, **options)


retinanet_resnet50_fpn = detector_builder(
    "retinanet_resnet50_fpn",
    RetinaNet_ResNet50_FPN_Weights,
    (ResNet50_Weights, ResNet50_Weights.IMAGENET1K_V1),
    (5, 3),
    _version_1,
    "RetinaNet on ResNet-50.",
    exact=True,
)
retinanet_resnet50_fpn_v2 = detector_builder(
    "retinanet_resnet50_fpn_v2",
    RetinaNet_ResNet50_FPN_V2_Weights,
    (ResNet50_Weights, None),
    (5, 3),
    _version_2,
    "RetinaNet on ResNet-50, the second version.",
)
