"""FCOS: no shapes of anchors, but distances to a box's four sides from every place inside it.

Z. Tian et al., arXiv:1904.01355. A third number says how near to the middle of the box a place is.
"""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import rushlight
from rushlight import nn
from rushlight.nn import functional as F
from rushlight.vision.models.detection.anchor_utils import AnchorGenerator
from rushlight.vision.models.detection.backbone_utils import _resnet_fpn_extractor
from rushlight.vision.models.detection.box_coder import BoxLinearCoder
from rushlight.vision.models.detection.building import Start, coco_weights, detector_builder
from rushlight.vision.models.detection.dense import DenseDetector, anchors_last, start_layer
from rushlight.vision.models.detection.faster_rcnn import check_backbone
from rushlight.vision.models.detection.transform import GeneralizedRCNNTransform
from rushlight.vision.models.layers import Layer
from rushlight.vision.models.resnet import ResNet50_Weights, resnet50
from rushlight.vision.ops.feature_pyramid_network import LastLevelP6P7
from rushlight.vision.ops.losses import generalized_box_iou_loss, sigmoid_focal_loss
from rushlight.vision.transforms.presets import IMAGENET_MEAN, IMAGENET_STD

__all__ = ["FCOS", "FCOS_ResNet50_FPN_Weights", "fcos_resnet50_fpn"]

FCOS_ResNet50_FPN_Weights = coco_weights(
    "FCOS_ResNet50_FPN_Weights", 32269600, COCO_V1="fcos_resnet50_fpn_coco-99b0c9b7.pth"
)


def _tower(in_channels: int, num_convs: int, norm_layer: Layer | None) -> nn.Sequential:
    """The convolutions that both heads begin with."""
    norm = norm_layer or partial(nn.GroupNorm, 32)
    layers: list[nn.Module] = []
    for _ in range(num_convs):
        layers += [nn.Conv2d(in_channels, in_channels, kernel_size=3, stride=1, padding=1, bias=True)]
        layers += [norm(in_channels), nn.ReLU()]
    return nn.Sequential(*layers)


def _start_tower(tower: nn.Sequential) -> None:
    for layer in tower:
        if isinstance(layer, nn.Conv2d):
            start_layer(layer)


class FCOSClassificationHead(nn.Module):
    """Scores (N, anchors, num_classes) of maps.

    Args:
        in_channels: of the maps.
        num_anchors: how many a place has.
        num_classes: how many classes.
        num_convs: how many convolutions come first.
        prior_probability: of each class at first.
        norm_layer: makes normalizations; of 32 groups by default.
    """

    def __init__(
        self,
        in_channels: int,
        num_anchors: int,
        num_classes: int,
        num_convs: int = 4,
        prior_probability: float = 0.01,
        norm_layer: Layer | None = None,
    ) -> None:
        super().__init__()
        self.num_classes, self.num_anchors = num_classes, num_anchors
        self.conv = _tower(in_channels, num_convs, norm_layer)
        _start_tower(self.conv)
        self.cls_logits = nn.Conv2d(in_channels, num_anchors * num_classes, kernel_size=3, stride=1, padding=1)
        start_layer(self.cls_logits, bias=-math.log((1 - prior_probability) / prior_probability))

    def forward(self, x: list[Any]) -> Any:
        said = [anchors_last(self.cls_logits(self.conv(entry)), self.num_classes) for entry in x]
        return rushlight.cat(said, dim=1)


class FCOSRegressionHead(nn.Module):
    """Distances (N, anchors, 4) and nearness to the middle (N, anchors, 1) of maps; arguments as for the other head."""

    def __init__(
        self, in_channels: int, num_anchors: int, num_convs: int = 4, norm_layer: Layer | None = None
    ) -> None:
        super().__init__()
        self.conv = _tower(in_channels, num_convs, norm_layer)
        self.bbox_reg = nn.Conv2d(in_channels, num_anchors * 4, kernel_size=3, stride=1, padding=1)
        self.bbox_ctrness = nn.Conv2d(in_channels, num_anchors, kernel_size=3, stride=1, padding=1)
        for layer in (self.bbox_reg, self.bbox_ctrness):
            start_layer(layer)
        _start_tower(self.conv)

    def forward(self, x: list[Any]) -> tuple[Any, Any]:
        seen = [self.conv(entry) for entry in x]
        sides = [anchors_last(F.relu(self.bbox_reg(entry)), 4) for entry in seen]
        middle = [anchors_last(self.bbox_ctrness(entry), 1) for entry in seen]
        return rushlight.cat(sides, dim=1), rushlight.cat(middle, dim=1)


class FCOSHead(nn.Module):
    """Scores "cls_logits", distances "bbox_regression" and nearness "bbox_ctrness" of maps."""

    def __init__(self, in_channels: int, num_anchors: int, num_classes: int, num_convs: int = 4) -> None:
        super().__init__()
        self.box_coder = BoxLinearCoder(normalize_by_size=True)
        self.classification_head = FCOSClassificationHead(in_channels, num_anchors, num_classes, num_convs)
        self.regression_head = FCOSRegressionHead(in_channels, num_anchors, num_convs)

    def compute_loss(
        self,
        targets: list[dict[str, Any]],
        head_outputs: dict[str, Any],
        anchors: list[Any],
        matched_idxs: list[Any],
    ) -> dict[str, Any]:
        """All three losses, for each place that matches."""
        logits, sides = head_outputs["cls_logits"], head_outputs["bbox_regression"]
        pairs = [_true(target, match) for target, match in zip(targets, matched_idxs, strict=True)]
        classes, boxes = (rushlight.stack(each) for each in zip(*pairs, strict=True))
        places = rushlight.stack(anchors)
        found = rushlight.where(classes.flatten() >= 0)[0]
        kinds, boxes = classes.flatten()[found], boxes.flatten(0, 1)[found]
        aims = rushlight.zeros_like(logits).flatten(0, 1)
        aims[found, kinds] = 1.0
        places = places.flatten(0, 1)[found]
        said = self.box_coder.decode(sides.flatten(0, 1)[found], places)
        near = head_outputs["bbox_ctrness"].flatten()[found]
        count = max(1, len(found))
        nearness = _nearness(self.box_coder.encode(places, boxes))
        return {
            "classification": sigmoid_focal_loss(logits.flatten(0, 1), aims, reduction="sum") / count,
            "bbox_regression": generalized_box_iou_loss(said, boxes, reduction="sum") / count,
            "bbox_ctrness": F.binary_cross_entropy_with_logits(near, nearness, reduction="sum") / count,
        }

    def forward(self, x: list[Any]) -> dict[str, Any]:
        logits = self.classification_head(x)
        sides, middle = self.regression_head(x)
        return {"cls_logits": logits, "bbox_regression": sides, "bbox_ctrness": middle}


def _true(target: dict[str, Any], match: Any) -> tuple[Any, Any]:
    """The classes (A,), -1 for none, and boxes (A, 4) that a picture's anchors match."""
    if len(target["labels"]) == 0:
        return match.new_full((len(match),), -1), target["boxes"].new_zeros((len(match), 4))
    place = match.clamp(min=0)
    return target["labels"][place].masked_fill(match < 0, -1), target["boxes"][place]


def _nearness(sides: Any) -> Any:
    """One in the middle of a box, zero on its sides: of distances (N, 4)."""
    if len(sides) == 0:
        return sides.new_zeros((0,))
    across, down = sides[:, [0, 2]], sides[:, [1, 3]]
    shares = [pair.min(dim=-1)[0] / pair.max(dim=-1)[0] for pair in (across, down)]
    return rushlight.sqrt(shares[0] * shares[1])


class FCOS(DenseDetector):
    """Pictures to boxes and their classes.

    Args:
        backbone: pictures to a dictionary of maps, with an attribute ``out_channels``.
        num_classes: how many classes, the background among them.
        min_size, max_size, image_mean, image_std: as for `GeneralizedRCNNTransform`, which gets further options, too.
        anchor_generator: one anchor for each place, as large as the places are apart.
        head: what says something about each place.
        center_sampling_radius: how far from the middle of a box, in anchors, places match.
        score_thresh, nms_thresh, detections_per_img, topk_candidates: which boxes are detections, and how many; and how
            many of each map are looked at.

    Raises:
        ValueError: for a backbone without ``out_channels``, for more than one anchor.
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
        center_sampling_radius: float = 1.5,
        score_thresh: float = 0.2,
        nms_thresh: float = 0.6,
        detections_per_img: int = 100,
        topk_candidates: int = 1000,
        **kwargs: Any,
    ) -> None:
        super().__init__()
        check_backbone(backbone)
        self.backbone = backbone
        if not isinstance(anchor_generator, AnchorGenerator | None):
            raise TypeError(
                f"anchor_generator should be of type AnchorGenerator or None, instead  got {type(anchor_generator)}"
            )
        self.anchor_generator = anchor_generator or AnchorGenerator(((8,), (16,), (32,), (64,), (128,)), ((1.0,),) * 5)
        per_place = self.anchor_generator.num_anchors_per_location()[0]
        if per_place != 1:
            raise ValueError(
                f"anchor_generator.num_anchors_per_location()[0] should be 1 instead of {per_place}"
            )
        self.head = FCOSHead(backbone.out_channels, per_place, num_classes) if head is None else head
        self.box_coder = BoxLinearCoder(normalize_by_size=True)
        mean, std = image_mean or list(IMAGENET_MEAN), image_std or list(IMAGENET_STD)
        self.transform = GeneralizedRCNNTransform(min_size, max_size, mean, std, **kwargs)
        self.center_sampling_radius = center_sampling_radius
        self.score_thresh, self.nms_thresh = score_thresh, nms_thresh
        self.detections_per_img, self.topk_candidates = detections_per_img, topk_candidates

    def compute_loss(
        self,
        targets: list[dict[str, Any]],
        head_outputs: dict[str, Any],
        anchors: list[Any],
        num_anchors_per_level: list[int],
    ) -> dict[str, Any]:
        """All three losses of what the head says about the anchors (A, 4) of each picture."""
        pairs = zip(targets, anchors, strict=True)
        matches = [self._matches(target["boxes"], places, num_anchors_per_level) for target, places in pairs]
        return self.head.compute_loss(targets, head_outputs, anchors, matches)

    def _matches(self, boxes: Any, anchors: Any, counts: list[int]) -> Any:
        """Which true box (N, 4) each place's anchor (A, 4) matches: the smallest around it that fits its map."""
        if boxes.numel() == 0:
            return rushlight.full((len(anchors),), -1, dtype=rushlight.int64)
        sizes = anchors[:, 2] - anchors[:, 0]
        middles = (anchors[:, :2] + anchors[:, 2:]) / 2
        apart = (middles[:, None, :] - ((boxes[:, :2] + boxes[:, 2:]) / 2)[None]).abs()
        near = apart.max(dim=2)[0] < self.center_sampling_radius * sizes[:, None]
        sides = rushlight.cat([middles[:, None] - boxes[None, :, :2], boxes[None, :, 2:] - middles[:, None]], dim=2)
        inside = sides.min(dim=2)[0] > 0
        place = rushlight.arange(len(anchors))
        least = (sizes * 4).masked_fill(place < counts[0], 0.0)[:, None]
        most = (sizes * 8).masked_fill(place >= len(anchors) - counts[-1], math.inf)[:, None]
        farthest = sides.max(dim=2)[0]
        match = near & inside & (farthest > least) & (farthest < most)
        areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
        small, number = (match.to(rushlight.float32) * (1e8 - areas[None, :])).max(dim=1)
        return number.masked_fill(small < 1e-5, -1)

    def _losses(self, targets: Any, said: dict[str, Any], anchors: list[Any], counts: list[int]) -> dict[str, Any]:
        return self.compute_loss(targets, said, anchors, counts)

    def postprocess_detections(
        self, head_outputs: dict[str, list[Any]], anchors: list[list[Any]], image_shapes: list[tuple[int, int]]
    ) -> list[dict[str, Any]]:
        """The detections of each picture, of what the head says about each map, and each picture's anchors by maps."""
        names = ("cls_logits", "bbox_ctrness", "bbox_regression")
        found = []
        for picture, size in enumerate(image_shapes):
            parts = [
                (
                    rushlight.sqrt(score[picture].sigmoid() * middle[picture].sigmoid()),
                    lambda at, side=side[picture], place=place: self.box_coder.decode(side[at], place[at]),
                )
                for score, middle, side, place in zip(
                    *(head_outputs[name] for name in names), anchors[picture], strict=True
                )
            ]
            found.append(self._best_of_maps(parts, size))
        return found


def _assemble(start: Start, **options: Any) -> FCOS:
    backbone = start.backbone(resnet50, norm_layer=start.norm_layer)
    layers = _resnet_fpn_extractor(
        backbone, start.layers, returned_layers=[2, 3, 4], extra_blocks=LastLevelP6P7(256, 256)
    )
    return FCOS(layers, start.num_classes, **options)


fcos_resnet50_fpn = detector_builder(
    "fcos_resnet50_fpn",
    FCOS_ResNet50_FPN_Weights,
    (ResNet50_Weights, ResNet50_Weights.IMAGENET1K_V1),
    (5, 3),
    _assemble,
    "FCOS on ResNet-50.",
)
