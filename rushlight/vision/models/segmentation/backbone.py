"""What networks for segmentation share: a backbone that hands out what lies in between, heads, and their weights.

A model is a `SegmentationModel` of a backbone and heads; its result is a dict of scores (N, classes, H, W): "out",
and in training with an auxiliary head "aux".
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from functools import partial
from typing import Any

from rushlight import nn
from rushlight.nn import functional as F
from rushlight.tensor import Tensor
from rushlight.vision.models.layers import IntermediateLayerGetter
from rushlight.vision.models.weights import SERVER, Weights, build, chosen_weights, published, require
from rushlight.vision.transforms.presets import SemanticSegmentation

CLASSES = 21
MEMBER = "COCO_WITH_VOC_LABELS_V1"


class SegmentationModel(nn.Module):
    """Pictures (N, 3, H, W) to a dict of scores (N, classes, H, W).

    Args:
        backbone: makes a dict with "out" and, for the auxiliary head, "aux".
        classifier, aux_classifier: make scores of them.
    """

    def __init__(self, backbone: nn.Module, classifier: nn.Module, aux_classifier: nn.Module | None = None) -> None:
        super().__init__()
        self.backbone = backbone
        self.classifier = classifier
        self.aux_classifier = aux_classifier

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        features = self.backbone(x)
        heads = {"out": self.classifier, "aux": self.aux_classifier}
        return OrderedDict(
            (name, enlarged(head(features[name]), x)) for name, head in heads.items() if head is not None
        )


def enlarged(x: Any, like: Any) -> Any:
    """The scores in the size of the picture ``like``."""
    return F.interpolate(x, size=tuple(like.shape[-2:]), mode="bilinear", align_corners=False)


class FCNHead(nn.Sequential):
    """A convolution, and scores for each pixel."""

    def __init__(self, in_channels: int, channels: int) -> None:
        inner = in_channels // 4
        first = nn.Conv2d(in_channels, inner, 3, padding=1, bias=False)
        super().__init__(first, nn.BatchNorm2d(inner), nn.ReLU(), nn.Dropout(0.1), nn.Conv2d(inner, channels, 1))


def resnet_layers(backbone: nn.Module, aux: bool | None) -> IntermediateLayerGetter:
    """A residual network without its end."""
    return IntermediateLayerGetter(backbone, {"layer4": "out"} | ({"layer3": "aux"} if aux else {}))


def strided_stages(features: Any) -> list[int]:
    """Which blocks of MobileNet V3 begin a smaller size; and the first and the last one."""
    return [0, *(i for i, block in enumerate(features) if getattr(block, "_is_cn", False)), len(features) - 1]


def voc_weights(name: str, file: str, num_params: int) -> Any:
    """The enumeration ``name`` of weights trained on COCO with the classes of Pascal VOC."""
    transforms = partial(SemanticSegmentation, resize_size=520)
    return published(name, {MEMBER: Weights(SERVER + file, transforms, {"num_params": num_params}, CLASSES)}, MEMBER)


def segmentation_builder(
    name: str,
    kinds: Any,
    backbone: tuple[Callable[..., nn.Module], Any],
    assemble: Callable[[Any, int, bool | None], nn.Module],
    doc: str,
    has_aux: bool = True,
) -> Any:
    """The function ``name``: makes the backbone, by default with weights of its own, and the model around it.

    Args:
        kinds: the model's weights.
        backbone: makes the backbone of ``weights``; and the enumeration of its weights.
        assemble: makes the model of backbone, number of classes and whether there is an auxiliary head.
        doc: what the function makes.
        has_aux: whether trained weights have an auxiliary head.
    """
    make_backbone, backbone_kinds = backbone

    def made(
        *,
        weights: Any = None,
        progress: bool = True,
        num_classes: int | None = None,
        weights_backbone: Any = backbone_kinds.IMAGENET1K_V1,
        **kwargs: Any,
    ) -> nn.Module:
        chosen = chosen_weights(kinds, weights, kwargs)
        own = chosen_weights(backbone_kinds, weights_backbone, {}) if chosen is None else None
        options = kwargs if num_classes is None else {**kwargs, "num_classes": num_classes}
        if chosen is not None and has_aux:
            require(options, "aux_loss", True)

        def make(num_classes: int = CLASSES, aux_loss: bool | None = None) -> nn.Module:
            return assemble(make_backbone(weights=own, progress=progress), num_classes, aux_loss)

        return build(make, kinds, chosen, progress, options)

    made.__name__ = made.__qualname__ = name
    made.__doc__ = doc
    return made
