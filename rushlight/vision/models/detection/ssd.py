"""SSD: boxes and classes from maps of many sizes, each with a head of its own (W. Liu et al., arXiv:1512.02325)."""

from __future__ import annotations

import warnings
from collections import OrderedDict
from typing import Any

import numpy as np

import rushlight
from rushlight import nn
from rushlight.nn import functional as F
from rushlight.nn import init
from rushlight.vision.models.detection._utils import retrieve_out_channels
from rushlight.vision.models.detection.anchor_utils import DefaultBoxGenerator
from rushlight.vision.models.detection.backbone_utils import hold_fast
from rushlight.vision.models.detection.box_coder import BoxCoder
from rushlight.vision.models.detection.building import Start, coco_weights, detector_builder
from rushlight.vision.models.detection.dense import DenseDetector, anchors_last, matched_anchors
from rushlight.vision.models.detection.matcher import SSDMatcher
from rushlight.vision.models.detection.selection import above
from rushlight.vision.models.detection.transform import GeneralizedRCNNTransform
from rushlight.vision.models.vgg import VGG16_Weights, vgg16
from rushlight.vision.ops import boxes as box_ops
from rushlight.vision.transforms.presets import IMAGENET_MEAN, IMAGENET_STD

__all__ = ["SSD300_VGG16_Weights", "ssd300_vgg16"]

SSD300_VGG16_Weights = coco_weights("SSD300_VGG16_Weights", 35641826, COCO_V1="ssd300_vgg16_coco-b556d3b4.pth")


def _xavier_init(conv: nn.Module) -> None:
    """Convolutions by Glorot and Bengio, their biases zero."""
    for layer in conv.modules():
        if isinstance(layer, nn.Conv2d):
            init.xavier_uniform_(layer.weight)
            if layer.bias is not None:
                init.constant_(layer.bias, 0.0)


class SSDScoringHead(nn.Module):
    """So many numbers (N, anchors, num_columns) for the anchors of maps, each map with a module of its own."""

    def __init__(self, module_list: nn.ModuleList, num_columns: int) -> None:
        super().__init__()
        self.module_list = module_list
        self.num_columns = num_columns

    def forward(self, x: list[Any]) -> Any:
        pairs = zip(x, self.module_list, strict=False)
        return rushlight.cat([anchors_last(module(entry), self.num_columns) for entry, module in pairs], dim=1)


def _convolutions(in_channels: list[int], num_anchors: list[int], columns: int) -> nn.ModuleList:
    pairs = zip(in_channels, num_anchors, strict=True)
    layers = nn.ModuleList(
        [nn.Conv2d(channels, columns * anchors, kernel_size=3, padding=1) for channels, anchors in pairs]
    )
    _xavier_init(layers)
    return layers


class SSDClassificationHead(SSDScoringHead):
    """Scores (N, anchors, num_classes)."""

    def __init__(self, in_channels: list[int], num_anchors: list[int], num_classes: int) -> None:
        super().__init__(_convolutions(in_channels, num_anchors, num_classes), num_classes)


class SSDRegressionHead(SSDScoringHead):
    """Moves (N, anchors, 4)."""

    def __init__(self, in_channels: list[int], num_anchors: list[int]) -> None:
        super().__init__(_convolutions(in_channels, num_anchors, 4), 4)


class SSDHead(nn.Module):
    """Moves "bbox_regression" (N, anchors, 4) and scores "cls_logits" (N, anchors, num_classes) of maps.

    Args:
        in_channels: of each map.
        num_anchors: how many a place has, for each map.
        num_classes: how many classes, the background among them.
    """

    def __init__(self, in_channels: list[int], num_anchors: list[int], num_classes: int) -> None:
        super().__init__()
        self.classification_head: SSDScoringHead = SSDClassificationHead(in_channels, num_anchors, num_classes)
        self.regression_head: SSDScoringHead = SSDRegressionHead(in_channels, num_anchors)

    def forward(self, x: list[Any]) -> dict[str, Any]:
        return {"bbox_regression": self.regression_head(x), "cls_logits": self.classification_head(x)}


class SSD(DenseDetector):
    """Pictures to boxes and their classes.

    Args:
        backbone: pictures to a dictionary of maps.
        anchor_generator: makes the anchors.
        size: (width, height) of all pictures.
        num_classes: how many classes, the background among them.
        image_mean, image_std: as for `GeneralizedRCNNTransform`, which gets further options, too.
        head: what says something about each anchor.
        score_thresh, nms_thresh, detections_per_img, topk_candidates: which boxes are detections, and how many; and how
            many of each class are looked at.
        iou_thresh: from this overlap anchors match true boxes.
        positive_fraction: the share of matches among the anchors that the scores learn from.

    Raises ValueError where the anchors are for another number of maps.
    """

    def __init__(
        self,
        backbone: nn.Module,
        anchor_generator: DefaultBoxGenerator,
        size: tuple[int, int],
        num_classes: int,
        image_mean: list[float] | None = None,
        image_std: list[float] | None = None,
        head: nn.Module | None = None,
        score_thresh: float = 0.01,
        nms_thresh: float = 0.45,
        detections_per_img: int = 200,
        iou_thresh: float = 0.5,
        topk_candidates: int = 400,
        positive_fraction: float = 0.25,
        **kwargs: Any,
    ) -> None:
        super().__init__()
        self.backbone = backbone
        self.anchor_generator = anchor_generator
        self.box_coder = BoxCoder(weights=(10.0, 10.0, 5.0, 5.0))
        self.head = self._usual_head(size, num_classes) if head is None else head
        self.proposal_matcher = SSDMatcher(iou_thresh)
        mean, std = image_mean or list(IMAGENET_MEAN), image_std or list(IMAGENET_STD)
        self.transform = GeneralizedRCNNTransform(
            min(size), max(size), mean, std, size_divisible=1, fixed_size=size, **kwargs
        )
        self.score_thresh, self.nms_thresh = score_thresh, nms_thresh
        self.detections_per_img, self.topk_candidates = detections_per_img, topk_candidates
        self.neg_to_pos_ratio = (1.0 - positive_fraction) / positive_fraction

    def _usual_head(self, size: tuple[int, int], num_classes: int) -> SSDHead:
        known = getattr(self.backbone, "out_channels", None)
        channels: Any = retrieve_out_channels(self.backbone, size) if known is None else known
        shapes = self.anchor_generator.aspect_ratios
        if len(channels) != len(shapes):
            raise ValueError(
                f"The length of the output channels from the backbone ({len(channels)}) do not match the length of the "
                f"anchor generator aspect ratios ({len(shapes)})"
            )
        return SSDHead(channels, self.anchor_generator.num_anchors_per_location(), num_classes)

    def compute_loss(
        self,
        targets: list[dict[str, Any]],
        head_outputs: dict[str, Any],
        anchors: list[Any],
        matched_idxs: list[Any],
    ) -> dict[str, Any]:
        """Both losses, for each match: of the matches' boxes, and of matches and the worst of the background."""
        moves, logits = head_outputs["bbox_regression"], head_outputs["cls_logits"]
        box_losses, classes = [], []
        for target, move, places, match in zip(targets, moves, anchors, matched_idxs, strict=True):
            found = rushlight.where(match >= 0)[0]
            boxes = target["boxes"][match[found]]
            aims = self.box_coder.encode_single(boxes, places[found])
            box_losses.append(F.smooth_l1_loss(move[found], aims, reduction="sum"))
            kinds = rushlight.zeros(len(match), dtype=target["labels"].dtype)
            kinds[found] = target["labels"][match[found]]
            classes.append(kinds)
        aims = rushlight.stack(classes)
        losses = F.cross_entropy(logits.flatten(0, 1), aims.flatten(), reduction="none").view(aims.shape)
        found = aims > 0
        count = max(1, sum(int((match >= 0).sum()) for match in matched_idxs))
        return {
            "bbox_regression": rushlight.stack(box_losses).sum() / count,
            "classification": (losses[found].sum() + losses[self._worst(losses, found)].sum()) / count,
        }

    def _worst(self, losses: Any, found: Any) -> Any:
        """Which of the background loses most (N, A): so many for each match."""
        wanted = self.neg_to_pos_ratio * found.sum(1, keepdim=True)
        order = losses.detach().masked_fill(found, -float("inf")).sort(1, descending=True)[1]
        return order.sort(1)[1] < wanted

    def _losses(self, targets: Any, said: dict[str, Any], anchors: list[Any], counts: list[int]) -> dict[str, Any]:
        return self.compute_loss(targets, said, anchors, matched_anchors(self, targets, anchors))

    def postprocess_detections(
        self, head_outputs: dict[str, Any], image_anchors: list[Any], image_shapes: list[tuple[int, int]]
    ) -> list[dict[str, Any]]:
        """The detections of each picture, of what the head says about its anchors (A, 4)."""
        moves, scores = head_outputs["bbox_regression"], F.softmax(head_outputs["cls_logits"], dim=-1)
        return [self._of_picture(*parts) for parts in zip(moves, scores, image_anchors, image_shapes, strict=True)]

    def _of_picture(self, moves: Any, scores: Any, anchors: Any, size: tuple[int, int]) -> dict[str, Any]:
        boxes = box_ops.clip_boxes_to_image(self.box_coder.decode_single(moves, anchors), size)
        kinds = range(1, scores.shape[-1])
        columns = scores.detach().numpy().T
        best = [above(columns[kind], self.score_thresh, self.topk_candidates) for kind in kinds]
        places = rushlight.from_numpy(np.concatenate(best))
        labels = rushlight.from_numpy(np.repeat(kinds, [len(each) for each in best]))
        return self._without_rivals(boxes[places], scores[places, labels], labels)

    def _detections(
        self, said: dict[str, Any], anchors: list[Any], sizes: list[tuple[int, int]], counts: list[int]
    ) -> list[dict[str, Any]]:
        return self.postprocess_detections(said, anchors, sizes)


class SSDFeatureExtractorVGG(nn.Module):
    """Pictures (N, 3, H, W) to a dictionary of six maps, or of seven for 512 by 512 pixels.

    Args:
        backbone: VGG's convolutions.
        highres: make the seventh.
    """

    def __init__(self, backbone: Any, highres: bool) -> None:
        super().__init__()
        pools = [number for number, layer in enumerate(backbone) if isinstance(layer, nn.MaxPool2d)]
        backbone[pools[2]].ceil_mode = True
        self.scale_weight = nn.Parameter(rushlight.ones(512) * 20)
        self.features = nn.Sequential(*backbone[: pools[3]])
        blocks = [_narrowed(1024, 256, 512, padding=1, stride=2), _narrowed(512, 128, 256, padding=1, stride=2)]
        blocks += [_narrowed(256, 128, 256), _narrowed(256, 128, 256)]
        if highres:
            blocks.append(_narrowed(256, 128, 256, size=4))
        extra = nn.ModuleList(blocks)
        _xavier_init(extra)
        # VGG's linear layers, as convolutions.
        fc = nn.Sequential(
            nn.MaxPool2d(kernel_size=3, stride=1, padding=1, ceil_mode=False),
            nn.Conv2d(512, 1024, kernel_size=3, padding=6, dilation=6),
            nn.ReLU(inplace=True),
            nn.Conv2d(1024, 1024, kernel_size=1),
            nn.ReLU(inplace=True),
        )
        _xavier_init(fc)
        extra.insert(0, nn.Sequential(*backbone[pools[3] : -1], fc))
        self.extra = extra

    def forward(self, x: Any) -> dict[str, Any]:
        x = self.features(x)
        maps = [self.scale_weight.view(1, -1, 1, 1) * F.normalize(x)]
        for block in self.extra:
            x = block(x)
            maps.append(x)
        return OrderedDict((str(number), entry) for number, entry in enumerate(maps))


def _narrowed(before: int, inside: int, after: int, size: int = 3, **options: Any) -> nn.Sequential:
    """A convolution of single pixels to fewer channels, and one of their surroundings."""
    return nn.Sequential(
        nn.Conv2d(before, inside, kernel_size=1),
        nn.ReLU(inplace=True),
        nn.Conv2d(inside, after, kernel_size=size, **options),
        nn.ReLU(inplace=True),
    )


def _vgg_extractor(backbone: Any, highres: bool, trainable_layers: int) -> SSDFeatureExtractorVGG:
    """VGG's convolutions, what is not trained of them held fast. Raises AssertionError for stages not there."""
    features = backbone.features
    starts = [0, *[number for number, layer in enumerate(features) if isinstance(layer, nn.MaxPool2d)][:-1]]
    if not 0 <= trainable_layers <= len(starts):
        raise AssertionError(
            f"trainable_layers should be in the range [0, {len(starts)}]. Instead got {trainable_layers}"
        )
    hold_fast(features, starts, trainable_layers)
    return SSDFeatureExtractorVGG(features, highres)


def without_size(options: dict[str, Any]) -> dict[str, Any]:
    """The options of a model of one size. Warns where another is asked for."""
    if "size" in options:
        warnings.warn("The size of the model is already fixed; ignoring the parameter.", stacklevel=4)
    return {name: value for name, value in options.items() if name != "size"}


def _ssd300(start: Start, **options: Any) -> SSD:
    options = without_size(options)
    backbone = _vgg_extractor(start.backbone(vgg16), False, start.layers)
    anchors = DefaultBoxGenerator(
        [[2], [2, 3], [2, 3], [2, 3], [2], [2]],
        scales=[0.07, 0.15, 0.33, 0.51, 0.69, 0.87, 1.05],
        steps=[8, 16, 32, 64, 100, 300],
    )
    statistics = {"image_mean": [0.48235, 0.45882, 0.40784], "image_std": [1.0 / 255.0] * 3}
    return SSD(backbone, anchors, (300, 300), start.num_classes, **{**statistics, **options})


ssd300_vgg16 = detector_builder(
    "ssd300_vgg16",
    SSD300_VGG16_Weights,
    (VGG16_Weights, VGG16_Weights.IMAGENET1K_FEATURES),
    (5, 4),
    _ssd300,
    "SSD for pictures of 300 by 300 pixels, on VGG-16.",
)
