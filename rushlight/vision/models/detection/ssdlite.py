"""SSDlite: SSD on MobileNet, with convolutions channel by channel (M. Sandler et al., arXiv:1801.04381, 6.2)."""

from __future__ import annotations

from collections import OrderedDict
from functools import partial
from typing import Any

from rushlight import nn
from rushlight.nn import init
from rushlight.vision.models.detection._utils import retrieve_out_channels
from rushlight.vision.models.detection.anchor_utils import DefaultBoxGenerator
from rushlight.vision.models.detection.backbone_utils import hold_fast, stage_starts
from rushlight.vision.models.detection.building import Start, coco_weights, detector_builder
from rushlight.vision.models.detection.ssd import SSD, SSDScoringHead, without_size
from rushlight.vision.models.layers import Layer
from rushlight.vision.models.mobilenet import MobileNet_V3_Large_Weights, mobilenet_v3_large
from rushlight.vision.ops.layers import Conv2dNormActivation

__all__ = ["SSDLite320_MobileNet_V3_Large_Weights", "ssdlite320_mobilenet_v3_large"]

SSDLite320_MobileNet_V3_Large_Weights = coco_weights(
    "SSDLite320_MobileNet_V3_Large_Weights", 3440060, COCO_V1="ssdlite320_mobilenet_v3_large_coco-a79551df.pth"
)


def _prediction_block(in_channels: int, out_channels: int, kernel_size: int, norm_layer: Layer) -> nn.Sequential:
    """A convolution channel by channel, and one of single pixels."""
    step = partial(Conv2dNormActivation, norm_layer=norm_layer, activation_layer=nn.ReLU6)
    first = step(in_channels, in_channels, kernel_size=kernel_size, groups=in_channels)
    return nn.Sequential(first, nn.Conv2d(in_channels, out_channels, 1))


def _extra_block(in_channels: int, out_channels: int, norm_layer: Layer) -> nn.Sequential:
    """Half the size: fewer channels, channel by channel, more channels."""
    step = partial(Conv2dNormActivation, norm_layer=norm_layer, activation_layer=nn.ReLU6)
    inside = out_channels // 2
    return nn.Sequential(
        step(in_channels, inside, kernel_size=1),
        step(inside, inside, kernel_size=3, stride=2, groups=inside),
        step(inside, out_channels, kernel_size=1),
    )


def _normal_init(conv: nn.Module) -> None:
    """Small weights in all convolutions, their biases zero."""
    for layer in conv.modules():
        if isinstance(layer, nn.Conv2d):
            init.normal_(layer.weight, mean=0.0, std=0.03)
            if layer.bias is not None:
                init.constant_(layer.bias, 0.0)


class _Scores(SSDScoringHead):
    """A block for each map, with so many numbers for each anchor."""

    def __init__(self, in_channels: list[int], num_anchors: list[int], columns: int, norm_layer: Layer) -> None:
        pairs = zip(in_channels, num_anchors, strict=True)
        blocks = [_prediction_block(channels, columns * anchors, 3, norm_layer) for channels, anchors in pairs]
        layers = nn.ModuleList(blocks)
        _normal_init(layers)
        super().__init__(layers, columns)


class SSDLiteClassificationHead(_Scores):
    """Scores (N, anchors, num_classes)."""


class SSDLiteRegressionHead(_Scores):
    """Moves (N, anchors, 4)."""

    def __init__(self, in_channels: list[int], num_anchors: list[int], norm_layer: Layer) -> None:
        super().__init__(in_channels, num_anchors, 4, norm_layer)


class SSDLiteHead(nn.Module):
    """Moves "bbox_regression" (N, anchors, 4) and scores "cls_logits" (N, anchors, num_classes) of maps.

    Args:
        in_channels: of each map.
        num_anchors: how many a place has, for each map.
        num_classes: how many classes, the background among them.
        norm_layer: makes normalizations.
    """

    def __init__(self, in_channels: list[int], num_anchors: list[int], num_classes: int, norm_layer: Layer) -> None:
        super().__init__()
        self.classification_head = SSDLiteClassificationHead(in_channels, num_anchors, num_classes, norm_layer)
        self.regression_head = SSDLiteRegressionHead(in_channels, num_anchors, norm_layer)

    def forward(self, x: list[Any]) -> dict[str, Any]:
        return {"bbox_regression": self.regression_head(x), "cls_logits": self.classification_head(x)}


class SSDLiteFeatureExtractorMobileNet(nn.Module):
    """Pictures (N, 3, H, W) to a dictionary of six maps.

    Args:
        backbone: MobileNet's blocks.
        c4_pos: the block inside which the first map is taken: after it has got wider.
        norm_layer: makes the normalizations of the blocks behind.
        width_mult, min_depth: the channels of these blocks times the one, but not below the other.

    Raises ValueError if that block adds its input.
    """

    def __init__(
        self, backbone: Any, c4_pos: int, norm_layer: Layer, width_mult: float = 1.0, min_depth: int = 16
    ) -> None:
        super().__init__()
        between = backbone[c4_pos]
        if between.use_res_connect:
            raise ValueError("backbone[c4_pos].use_res_connect should be False")
        self.features = nn.Sequential(
            nn.Sequential(*backbone[:c4_pos], between.block[0]),
            nn.Sequential(between.block[1:], *backbone[c4_pos + 1 :]),
        )
        depths = [max(min_depth, int(depth * width_mult)) for depth in (512, 256, 256, 128)]
        channels = [backbone[-1].out_channels, *depths]
        blocks = [_extra_block(before, after, norm_layer) for before, after in zip(channels, depths, strict=False)]
        self.extra = nn.ModuleList(blocks)
        _normal_init(self.extra)

    def forward(self, x: Any) -> dict[str, Any]:
        maps = []
        for block in [*self.features, *self.extra]:
            x = block(x)
            maps.append(x)
        return OrderedDict((str(number), entry) for number, entry in enumerate(maps))


def _mobilenet_extractor(backbone: Any, trainable_layers: int, norm_layer: Layer) -> SSDLiteFeatureExtractorMobileNet:
    """MobileNet's blocks, what is not trained of them held fast. Raises ValueError for stages that are not there."""
    features = backbone.features
    starts = stage_starts(features)
    if not 0 <= trainable_layers <= len(starts):
        raise ValueError("trainable_layers should be in the range [0, {num_stages}], instead got {trainable_layers}")
    hold_fast(features, starts, trainable_layers)
    return SSDLiteFeatureExtractorMobileNet(features, starts[-2], norm_layer)


def _ssdlite320(start: Start, norm_layer: Layer | None = None, **options: Any) -> SSD:
    options = without_size(options)
    norm = norm_layer or partial(nn.BatchNorm2d, eps=0.001, momentum=0.03)
    backbone = start.backbone(mobilenet_v3_large, norm_layer=norm, reduced_tail=start.weights is None)
    if start.weights is None:
        _normal_init(backbone)
    layers = _mobilenet_extractor(backbone, start.layers, norm)
    size = (320, 320)
    anchors = DefaultBoxGenerator([[2, 3] for _ in range(6)], min_ratio=0.2, max_ratio=0.95)
    channels = retrieve_out_channels(layers, size)
    if len(channels) != len(anchors.aspect_ratios):
        raise ValueError(
            f"The length of the output channels from the backbone {len(channels)} do not match the length of the "
            f"anchor generator aspect ratios {len(anchors.aspect_ratios)}"
        )
    usual: dict[str, Any] = {"score_thresh": 0.001, "nms_thresh": 0.55, "detections_per_img": 300}
    usual |= {"topk_candidates": 300, "image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5]}
    head = SSDLiteHead(channels, anchors.num_anchors_per_location(), start.num_classes, norm)
    return SSD(layers, anchors, size, start.num_classes, head=head, **{**usual, **options})


ssdlite320_mobilenet_v3_large = detector_builder(
    "ssdlite320_mobilenet_v3_large",
    SSDLite320_MobileNet_V3_Large_Weights,
    (MobileNet_V3_Large_Weights, MobileNet_V3_Large_Weights.IMAGENET1K_V1),
    (6, 6),
    _ssdlite320,
    "SSDlite for pictures of 320 by 320 pixels, on MobileNet V3.",
)
