"""Backbones of detectors: a network for whole pictures without its end, and a feature pyramid on its stages.

Only the last stages of a trained backbone are trained further; `trainable_layers` counts them.
"""

from __future__ import annotations

import warnings
from typing import Any

from rushlight import nn
from rushlight.vision.models import mobilenet, resnet
from rushlight.vision.models.layers import IntermediateLayerGetter, Layer
from rushlight.vision.ops.feature_pyramid_network import ExtraFPNBlock, FeaturePyramidNetwork, LastLevelMaxPool
from rushlight.vision.ops.layers import FrozenBatchNorm2d

__all__ = ["BackboneWithFPN", "mobilenet_backbone", "resnet_fpn_backbone"]

CHANNELS = 256


class BackboneWithFPN(nn.Module):
    """Pictures (N, 3, H, W) to a dictionary of maps, all with `out_channels` channels.

    Args:
        backbone: its children are used one after the other.
        return_layers: from the names of those whose results go to the pyramid to the maps' names.
        in_channels_list: the channels of these results.
        out_channels: of the maps.
        extra_blocks: appends smaller maps; by default one of every second place.
        norm_layer: makes normalizations for the pyramid.
    """

    def __init__(
        self,
        backbone: nn.Module,
        return_layers: dict[str, str],
        in_channels_list: list[int],
        out_channels: int,
        extra_blocks: ExtraFPNBlock | None = None,
        norm_layer: Layer | None = None,
    ) -> None:
        super().__init__()
        self.body = IntermediateLayerGetter(backbone, return_layers=return_layers)
        self.fpn = FeaturePyramidNetwork(in_channels_list, out_channels, extra_blocks or LastLevelMaxPool(), norm_layer)
        self.out_channels = out_channels

    def forward(self, x: Any) -> dict[str, Any]:
        maps: dict[str, Any] = self.fpn(self.body(x))
        return maps


def resnet_fpn_backbone(
    *,
    backbone_name: str,
    weights: Any,
    norm_layer: Layer = FrozenBatchNorm2d,
    trainable_layers: int = 3,
    returned_layers: list[int] | None = None,
    extra_blocks: ExtraFPNBlock | None = None,
) -> BackboneWithFPN:
    """A residual network with a pyramid.

    Args:
        backbone_name: "resnet18" and so on.
        weights: of the network.
        norm_layer: makes its normalizations.
        trainable_layers: how many of its five stages are trained, from the last one.
        returned_layers: the stages, 1 to 4, that the pyramid stands on; all by default.
        extra_blocks: as for `BackboneWithFPN`.

    Raises ValueError for stages that are not there.
    """
    backbone = getattr(resnet, backbone_name)(weights=weights, norm_layer=norm_layer)
    return _resnet_fpn_extractor(backbone, trainable_layers, returned_layers, extra_blocks)


def _resnet_fpn_extractor(
    backbone: resnet.ResNet,
    trainable_layers: int,
    returned_layers: list[int] | None = None,
    extra_blocks: ExtraFPNBlock | None = None,
    norm_layer: Layer | None = None,
) -> BackboneWithFPN:
    """A residual network, what is not trained of it held fast, with a pyramid."""
    if not 0 <= trainable_layers <= 5:
        raise ValueError(f"Trainable layers should be in the range [0,5], got {trainable_layers}")
    stages = ("layer4", "layer3", "layer2", "layer1", "conv1", "bn1")
    trained = stages if trainable_layers == 5 else stages[:trainable_layers]
    for name, parameter in backbone.named_parameters():
        if not name.startswith(trained):
            parameter.requires_grad_(False)
    returned = returned_layers or [1, 2, 3, 4]
    if min(returned) <= 0 or max(returned) >= 5:
        raise ValueError(f"Each returned layer should be in the range [1,4]. Got {returned}")
    names = {f"layer{stage}": str(number) for number, stage in enumerate(returned)}
    channels = [backbone.inplanes // 8 * 2 ** (stage - 1) for stage in returned]
    return BackboneWithFPN(backbone, names, channels, CHANNELS, extra_blocks, norm_layer)


def _validate_trainable_layers(
    is_trained: bool, trainable_backbone_layers: int | None, max_value: int, default_value: int
) -> int:
    """How many stages are trained: all of a backbone that has not been trained. Raises ValueError for others."""
    if not is_trained:
        if trainable_backbone_layers is not None:
            warnings.warn(
                "Changing trainable_backbone_layers has no effect if neither pretrained nor pretrained_backbone have "
                f"been set to True, falling back to trainable_backbone_layers={max_value} so that all layers are "
                "trainable",
                stacklevel=3,
            )
        trainable_backbone_layers = max_value
    if trainable_backbone_layers is None:
        trainable_backbone_layers = default_value
    if not 0 <= trainable_backbone_layers <= max_value:
        raise ValueError(
            f"Trainable backbone layers should be in the range [0,{max_value}], got {trainable_backbone_layers} "
        )
    return trainable_backbone_layers


def mobilenet_backbone(
    *,
    backbone_name: str,
    weights: Any,
    fpn: bool,
    norm_layer: Layer = FrozenBatchNorm2d,
    trainable_layers: int = 2,
    returned_layers: list[int] | None = None,
    extra_blocks: ExtraFPNBlock | None = None,
) -> nn.Module:
    """A MobileNet with a pyramid, or with one more convolution.

    Args:
        backbone_name: "mobilenet_v3_large" and so on.
        weights: of the network.
        fpn: make a pyramid.
        norm_layer: makes the network's normalizations.
        trainable_layers: how many of its stages are trained, from the last one.
        returned_layers: the stages that the pyramid stands on; the last two by default.
        extra_blocks: as for `BackboneWithFPN`.

    Raises ValueError for stages that are not there.
    """
    backbone = getattr(mobilenet, backbone_name)(weights=weights, norm_layer=norm_layer)
    return _mobilenet_extractor(backbone, fpn, trainable_layers, returned_layers, extra_blocks)


def stage_starts(features: Any) -> list[int]:
    """Where a MobileNet's stages begin: the first block, those with strides, and the last."""
    return [0, *(i for i, block in enumerate(features) if getattr(block, "_is_cn", False)), len(features) - 1]


def hold_fast(features: Any, starts: list[int], trainable_layers: int) -> None:
    """Lets only so many of the last stages be trained."""
    end = len(features) if trainable_layers == 0 else starts[len(starts) - trainable_layers]
    for block in features[:end]:
        for parameter in block.parameters():
            parameter.requires_grad_(False)


def _mobilenet_extractor(
    backbone: Any,
    fpn: bool,
    trainable_layers: int,
    returned_layers: list[int] | None = None,
    extra_blocks: ExtraFPNBlock | None = None,
    norm_layer: Layer | None = None,
) -> nn.Module:
    """A MobileNet, what is not trained of it held fast, with a pyramid or with one more convolution."""
    features = backbone.features
    starts = stage_starts(features)
    if not 0 <= trainable_layers <= len(starts):
        raise ValueError(f"Trainable layers should be in the range [0,{len(starts)}], got {trainable_layers} ")
    hold_fast(features, starts, trainable_layers)
    if not fpn:
        model = nn.Sequential(features, nn.Conv2d(features[-1].out_channels, CHANNELS, 1))
        model.out_channels = CHANNELS  # type: ignore[assignment]
        return model
    stages = returned_layers or [len(starts) - 2, len(starts) - 1]
    if min(stages) < 0 or max(stages) >= len(starts):
        raise ValueError(f"Each returned layer should be in the range [0,{len(starts) - 1}], got {stages} ")
    names = {str(starts[stage]): str(number) for number, stage in enumerate(stages)}
    channels = [features[starts[stage]].out_channels for stage in stages]
    return BackboneWithFPN(features, names, channels, CHANNELS, extra_blocks, norm_layer)
